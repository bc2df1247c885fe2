//! Foreign programs below the real runner: exec checks and the hook, and what they may do to it.

#[path = "../src/testing.rs"]
#[allow(dead_code)] // the shell's tests use the rest
mod testing;

use ha_appliance::agents::check::{self, Bad};
use ha_appliance::agents::program::{End, Ended, MAX_OUTPUT, Program, Programs};
use ha_appliance::agents::trouble::Trouble;
use ha_appliance::config::Probe;
use ha_appliance::shell::history::Entry;
use ha_appliance::shell::notify::{MAX_QUEUE, Notifier};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use testing::{TestDir, wait_until};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

fn programs() -> Programs {
    Programs::here(Path::new(env!("CARGO_BIN_EXE_ha-appliance")))
}

fn program(words: &[&str]) -> Program {
    Program {
        words: words.iter().map(|word| word.to_string()).collect(),
        user: None,
    }
}

fn sh(script: &str) -> Program {
    program(&["/bin/sh", "-c", script])
}

fn run(program: &Program, input: &[u8], limit: Duration) -> Result<Ended, Trouble> {
    smol::block_on(programs().run("test", program, input, limit))
}

fn exited(status: i32, output: &str) -> Result<Ended, Trouble> {
    Ok(Ended {
        end: End::Exited(status),
        output: output.into(),
    })
}

/// Not even as a zombie that some reaper has yet to collect.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn input_output_and_status() {
    let script = sh("cat; echo oops >&2; exit 3");
    assert_eq!(run(&script, b"hello ", LONG), exited(3, "hello oops\n"));
    let killed = run(&sh("kill -USR1 $$"), b"", LONG).unwrap().end;
    assert_eq!(killed, End::Killed(libc::SIGUSR1));
}

#[test]
fn words_arrive_as_they_are() {
    let words = ["$HOME", "", "%n %%", "a b", "'\"\\", "ü;|", "-x", "+"];
    let printf = [&["/usr/bin/printf", "[%s]"], &words[..]].concat();
    let all: String = words.map(|word| format!("[{word}]")).concat();
    assert_eq!(run(&program(&printf), b"", LONG), exited(0, &all));
}

#[test]
fn what_cannot_be_run_is_trouble() {
    let trouble = |program: &str| run(&self::program(&[program]), b"", LONG).unwrap_err().0;
    assert_eq!(
        trouble("/no/such"),
        "cannot be run: no such file or directory"
    );
    assert_eq!(trouble("/etc/passwd"), "cannot be run: permission denied");
    let nobody = Programs::here(Path::new("/no/runner"));
    let no_runner = smol::block_on(nobody.run("test", &sh("exit 0"), b"", LONG));
    assert_eq!(
        no_runner.unwrap_err().0,
        "cannot be run: no such file or directory"
    );
}

#[test]
fn of_much_output_the_beginning_and_the_end_are_kept_and_the_program_goes_on() {
    let much = sh("echo first; head -c 10000000 /dev/zero | tr '\\0' x; echo; echo last; exit 4");
    let ended = run(&much, &[b'y'; 1_000_000], LONG).unwrap();
    assert_eq!(
        (ended.end, ended.output.len()),
        (End::Exited(4), MAX_OUTPUT)
    );
    assert!(ended.output.starts_with("first\nxxx"), "{}", ended.output);
    assert!(ended.output.ends_with("xxx\nlast\n"), "{}", ended.output);
}

/// What it costs is the runner's, at its ordinary priority: the caller reads one report.
#[test]
fn one_that_prints_without_end_costs_the_caller_nothing() {
    let used = || {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let words: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        words[11].parse::<u64>().unwrap() + words[12].parse::<u64>().unwrap()
    };
    let (ended, ticks) = std::thread::spawn(move || {
        let before = used();
        let ended = run(&sh("exec yes"), b"", Duration::from_secs(2));
        (ended, used() - before)
    })
    .join()
    .unwrap();
    let ended = ended.unwrap();
    assert_eq!((ended.end, ended.output.len()), (End::Late, MAX_OUTPUT));
    assert!(ticks <= 10, "{ticks} ticks of 10 ms in 2 s");
}

#[test]
fn whatever_it_leaves_running_ends_with_it() {
    for (name, leave) in [
        ("in the background", "./left &"),
        (
            "with its output closed",
            "./left >/dev/null 2>&1 </dev/null &",
        ),
        ("in a session of its own", "setsid ./left &"),
        ("as a daemon", "(setsid sh -c './left & ./left' &)"),
    ] {
        let dir = TestDir::new();
        let left = dir.join("left");
        testing::script("#!/bin/sh\necho $$ >>pids\nsleep 60\n", &left);
        let wait = "until [ -s pids ]; do sleep 0.01; done";
        let script = format!("cd {}; {leave}\n{wait}", dir.display());
        let started = Instant::now();
        assert_eq!(run(&sh(&script), b"", LONG), exited(0, ""), "{name}");
        assert!(started.elapsed() < LONG / 2, "{name}: it was waited for");
        for pid in std::fs::read_to_string(dir.join("pids")).unwrap().lines() {
            wait_until(|| !lives(pid));
        }
    }
}

#[test]
fn one_that_hangs_is_ended_with_all_that_it_started() {
    let dir = TestDir::new();
    let script = format!("setsid sleep 60 & echo $! >{}/pid; wait", dir.display());
    let ended = run(&sh(&script), b"", SHORT).unwrap();
    assert_eq!(ended.end, End::Late);
    let pid = std::fs::read_to_string(dir.join("pid")).unwrap();
    wait_until(|| !lives(&pid));
}

#[test]
fn one_that_a_signal_has_stopped_says_nothing() {
    let trouble = run(&sh("kill -STOP $$"), b"", SHORT).unwrap_err();
    assert_eq!(trouble.0, "it was stopped by a signal");
}

#[test]
fn giving_it_up_ends_it_too() {
    let dir = TestDir::new();
    let script = sh(&format!("echo $$ >{}/pid; exec sleep 60", dir.display()));
    let pid = || std::fs::read_to_string(dir.join("pid")).unwrap_or_default();
    smol::block_on(async {
        let programs = programs();
        let given_up = async {
            while pid().is_empty() {
                smol::Timer::after(Duration::from_millis(5)).await;
            }
        };
        let run = async { drop(programs.run("test", &script, b"", LONG).await) };
        smol::future::or(run, given_up).await;
    });
    wait_until(|| !lives(&pid()));
}

#[test]
fn it_runs_as_another_user_with_all_groups_of_that() {
    // SAFETY: a plain system call.
    if unsafe { libc::geteuid() } != 0 {
        return; // only root can become another
    }
    let as_user = |user: &str, script: &str| Program {
        user: Some(user.into()),
        ..sh(script)
    };
    let expected = |flag: &str| {
        let output = std::process::Command::new("id")
            .args([flag, "games"])
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    for flag in ["-u", "-g", "-G"] {
        let ended = run(&as_user("games", &format!("id {flag}")), b"", LONG);
        assert_eq!(ended, exited(0, &expected(flag)));
    }
    // For good: what is given up does not come back.
    let caps = run(
        &as_user("games", "grep CapEff /proc/self/status"),
        b"",
        LONG,
    );
    assert_eq!(caps, exited(0, "CapEff:\t0000000000000000\n"));
    let stranger = run(&as_user("no-such-user", "exit 0"), b"", LONG).unwrap_err();
    assert_eq!(stranger.0, "there is no user no-such-user");
}

#[test]
fn born_without_what_systemd_gave_to_the_daemon_alone() {
    let mine = "/proc/self/oom_score_adj";
    let before = std::fs::read_to_string(mine).unwrap();
    std::fs::write(mine, "1000").unwrap(); // anybody may raise it, and lower it again
    let ended = run(&sh("cat /proc/self/oom_score_adj"), b"", LONG);
    std::fs::write(mine, before).unwrap();
    assert_eq!(ended, exited(0, "0\n"));
    let script = "grep -E 'SigBlk' /proc/self/status; echo ${NOTIFY_SOCKET-none}";
    let ended = run(&sh(script), b"", LONG);
    assert_eq!(ended, exited(0, "SigBlk:\t0000000000000000\nnone\n"));
}

#[test]
fn a_check_speaks_by_its_status_and_its_last_line() {
    let ask = |program: Program, limit| {
        let programs = programs();
        smol::block_on(check::ask(&Probe::Exec(program), limit, &programs))
    };
    let failed = |why: &str| Err(Bad::Failed(why.into()));
    let unasked = |why: &str| Err(Bad::Unasked(Trouble(why.into())));
    assert_eq!(ask(sh("exit 0"), LONG), Ok(()));
    assert_eq!(
        ask(sh("echo hello; echo no replica >&2; exit 2"), LONG),
        failed("/bin/sh -c echo hello; echo no replica >&2; exit 2: exit status 2: no replica")
    );
    assert_eq!(
        ask(sh("kill -USR1 $$"), LONG),
        failed("/bin/sh -c kill -USR1 $$: killed by signal 10")
    );
    assert_eq!(
        ask(sh("sleep 60"), SHORT),
        failed("/bin/sh -c sleep 60: no answer within 0.3 s")
    );
    assert_eq!(
        ask(program(&["/no/such"]), LONG),
        unasked("/no/such: cannot be run: no such file or directory")
    );
    assert_eq!(
        ask(sh("kill -9 $$"), LONG),
        unasked("/bin/sh -c kill -9 $$: it was killed by signal 9")
    );
    assert_eq!(
        ask(sh("kill -STOP $$"), SHORT),
        unasked("/bin/sh -c kill -STOP $$: it was stopped by a signal")
    );
}

fn entry(n: i64) -> Entry {
    Entry {
        time: "2026-11-20T07:14:29.123Z".into(),
        boottime_us: n,
        cluster: "edge-lb".into(),
        node: "lb1".into(),
        group: Some("web".into()),
        level: "info".into(),
        change: "role".into(),
        from: Some("starting".into()),
        to: Some("active".into()),
        reason: "everything runs".into(),
        lasted_ms: Some(12),
    }
}

fn hook(dir: &Path, script: &str) -> Program {
    let path = dir.join("hook");
    let text = format!("#!/bin/sh\ncd {}\n{script}\n", dir.display());
    testing::script(&text, &path);
    program(&[path.to_str().unwrap()])
}

/// Gives how many were lost.
fn push_all_and_end(
    notifier: Notifier,
    task: impl Future<Output = ()>,
    entries: std::ops::Range<i64>,
) -> u64 {
    for n in entries {
        notifier.push(entry(n));
    }
    let lost = notifier.lost();
    drop(notifier);
    smol::block_on(task);
    lost
}

#[test]
fn the_hook_gets_each_transition_in_order_one_at_a_time() {
    let dir = TestDir::new();
    let script = "mkdir busy || echo overlap >> log; cat >> log; sleep 0.02; rmdir busy";
    let (notifier, task) = Notifier::new(hook(&dir, script), programs());
    assert_eq!(push_all_and_end(notifier, task, 0..5), 0);
    let log = std::fs::read_to_string(dir.join("log")).unwrap();
    let lines = log.lines();
    let read: Vec<Entry> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read, (0..5).map(entry).collect::<Vec<_>>());
}

#[test]
fn what_waits_for_the_hook_is_told_before_the_end() {
    let dir = TestDir::new();
    let (notifier, task) = Notifier::new(hook(&dir, "sleep 0.05; cat >> log"), programs());
    (0..3).for_each(|n| notifier.push(entry(n)));
    let executor = smol::LocalExecutor::new();
    executor.spawn(task).detach();
    smol::block_on(executor.run(notifier.end()));
    let log = std::fs::read_to_string(dir.join("log")).unwrap();
    assert_eq!(log.lines().count(), 3);
}

#[test]
fn a_hook_that_hangs_or_prints_without_end_is_ended_and_the_next_runs() {
    for hang in ["sleep 60", "yes"] {
        let dir = TestDir::new();
        let script = format!("cat >> log; [ $(wc -l < log) = 2 ] || {hang}");
        let limit = Duration::from_secs(1);
        let (notifier, task) = Notifier::with_limit(hook(&dir, &script), programs(), limit);
        let start = Instant::now();
        push_all_and_end(notifier, task, 0..2);
        assert!(start.elapsed() < LONG);
        let log = std::fs::read_to_string(dir.join("log")).unwrap();
        assert_eq!(log.lines().count(), 2);
    }
}

#[test]
fn the_hooks_queue_is_bounded_and_a_missing_hook_harmless() {
    let absent = program(&["/no/such"]);
    let limit = Duration::ZERO;
    let (notifier, task) = Notifier::with_limit(absent, programs(), limit);
    assert_eq!(push_all_and_end(notifier, task, 0..MAX_QUEUE as i64 + 3), 3);
}

#[test]
fn a_hook_that_cannot_be_run_for_a_moment_misses_nothing() {
    let dir = TestDir::new();
    let hook = hook(&dir, "cat >> log");
    let path = dir.join("hook");
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
    mode(0o644).unwrap();
    let (notifier, task) = Notifier::new(hook, programs());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(500));
            mode(0o755).unwrap();
        });
        push_all_and_end(notifier, task, 0..2);
    });
    let log = std::fs::read_to_string(dir.join("log")).unwrap();
    assert_eq!(log.lines().count(), 2);
}

/// By the words of shells and env(1): 126 and 127.
#[test]
fn a_check_that_lacks_its_own_programs_has_not_answered() {
    let ask = |script: &str| {
        let probe = Probe::Exec(sh(script));
        smol::block_on(check::ask(&probe, LONG, &programs()))
    };
    assert_eq!(ask("exit 0"), Ok(()));
    for script in [
        "no-such-program",
        "/usr/bin/env no-such-program",
        "/etc/passwd",
    ] {
        let Err(Bad::Unasked(why)) = ask(script) else {
            panic!("{script}")
        };
        assert!(why.0.contains("a program is missing: "), "{why}");
    }
    assert!(matches!(ask("exit 125"), Err(Bad::Failed(_))));
}
