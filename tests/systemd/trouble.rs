//! What keeps systemd or a check from being asked is no answer: it is waited out, and said.

use crate::bench::*;
use ha_appliance::config::Check;
use ha_appliance::core::event::{Event, Outcome, Presence};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SLEEP: &str = "[Service]\nExecStart=/bin/sh -c 'trap \"touch /run/t-told; exit 0\" TERM; \
    while :; do sleep 0.1; done'\n";

/// Another program in the place of one of this machine, as long as this lives.
struct Instead(&'static str);

impl Instead {
    fn of(path: &'static str, script: &str) -> Instead {
        fs::rename(path, format!("{path}.real")).unwrap();
        fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        Instead(path)
    }
}

impl Drop for Instead {
    fn drop(&mut self) {
        fs::rename(format!("{}.real", self.0), self.0).unwrap();
    }
}

const SYSTEMCTL: &str = "/usr/bin/systemctl";

/// Every way in which a tool can be of no use. None: it cannot even be executed.
const USELESS: [(&str, Option<&str>); 7] = [
    ("not executable", None),
    ("garbage", Some("echo rubbish; exit 0")),
    ("garbage and a failure", Some("echo rubbish; exit 1")),
    ("without end", Some("exec yes")),
    ("killed", Some("kill -KILL $$")),
    ("stopped", Some("kill -STOP $$; exit 0")),
    ("hangs", Some("exec sleep 1000")),
];

/// systemctl is useless as long as this lives.
struct Useless(Option<Instead>);

impl Useless {
    fn by(how: Option<&str>) -> Useless {
        if how.is_none() {
            fs::set_permissions(SYSTEMCTL, fs::Permissions::from_mode(0o644)).unwrap();
        }
        Useless(how.map(|script| Instead::of(SYSTEMCTL, script)))
    }
}

impl Drop for Useless {
    fn drop(&mut self) {
        if self.0.is_none() {
            fs::set_permissions(SYSTEMCTL, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

/// Makes it useless for that long while something else is done.
fn useless_for<T>(how: Option<&str>, span: Duration, meanwhile: impl FnOnce() -> T) -> T {
    let useless = Useless::by(how);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(span);
            drop(useless);
        });
        meanwhile()
    })
}

fn patient() -> ha_appliance::config::Service {
    let mut service = service("t-simple.service");
    (service.start_timeout, service.stop_timeout) = (SECOND * 30, SECOND * 30);
    service
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_useless_systemctl_is_waited_out() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut bench = Bench::new(&[patient()]);
    assert_eq!(bench.look(0), Outcome::Found(Presence::Absent));
    for (name, how) in USELESS {
        let span = SECOND * 3 / 2;
        let (started, took) = timed(|| useless_for(how, span, || bench.start(0)));
        assert_eq!(started, Outcome::Done, "{name}");
        println!("{name}: a start took {took:?}");
        assert_eq!(
            property("t-simple.service", "ActiveState"),
            "active",
            "{name}"
        );
        let (found, took) = timed(|| useless_for(how, span, || bench.look(0)));
        assert_eq!(found, Outcome::Found(Presence::Running), "{name}");
        println!("{name}: a look took {took:?}");
        let _ = fs::remove_file("/run/t-told");
        let (stopped, took) = timed(|| useless_for(how, span, || bench.stop(0)));
        assert_eq!(stopped, Outcome::Done, "{name}");
        println!("{name}: a stop took {took:?}");
        assert_eq!(
            property("t-simple.service", "ActiveState"),
            "inactive",
            "{name}"
        );
        assert!(
            Path::new("/run/t-told").exists(),
            "{name}: it was killed, not stopped"
        );
    }
}

/// A script that restarts it, say, in the middle of a move.
#[test]
#[ignore = "needs a systemd of its own"]
fn what_somebody_cancels_is_asked_for_again() {
    let slow = "[Service]\nExecStart=/bin/sh -c 'trap \"sleep 0.5; touch /run/t-told; exit 0\" TERM; \
        while :; do sleep 0.1; done'\n";
    let _file = UnitFile::new("t-simple.service", slow);
    let mut bench = Bench::new(&[patient()]);
    bench.look(0);
    assert_eq!(bench.start(0), Outcome::Done);
    let _ = fs::remove_file("/run/t-told");
    let stopped = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(SECOND / 5);
            systemctl(&["start", "--no-block", "t-simple.service"]);
        });
        bench.stop(0)
    });
    assert_eq!(stopped, Outcome::Done);
    assert_eq!(property("t-simple.service", "ActiveState"), "inactive");
    assert_eq!(property("t-simple.service", "Result"), "success", "killed");
    assert!(Path::new("/run/t-told").exists());
}

#[test]
#[ignore = "needs a systemd of its own"]
fn it_is_said_while_it_lasts() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut bench = Bench::new(&[patient()]);
    bench.look(0);
    let notice = |bench: &Bench| bench.services.views()[&place(0)].notice.clone();
    useless_for(None, SECOND, || {
        bench.services.start(place(0));
        bench.silence(SECOND / 2);
        let said = notice(&bench).unwrap_or_default();
        assert_eq!(said, "cannot run systemctl: permission denied");
        assert_eq!(bench.finished(0), Outcome::Done);
    });
    assert_eq!(notice(&bench), None);
    bench.stop(0);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn one_that_stays_useless_ends_each_operation_once_and_in_time() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut impatient = service("t-simple.service");
    (impatient.start_timeout, impatient.stop_timeout) = (SECOND, SECOND);
    let mut bench = Bench::new(&[impatient.clone()]);
    bench.look(0);
    for (name, how) in USELESS {
        let useless = Useless::by(how);
        let (outcome, took) = timed(|| bench.start(0));
        println!("{name}: {took:?}: {outcome:?}");
        // Nobody knows whether it would have started.
        let Outcome::Unasked(why) = outcome else {
            panic!("{name}: {outcome:?}")
        };
        assert!(
            why.starts_with("t-simple.service was not started: "),
            "{why}"
        );
        assert!(took >= SECOND && took < SECOND * 8, "{name}: {took:?}");
        let (outcome, took) = timed(|| bench.look(0));
        let why = failed(outcome);
        assert!(
            why.starts_with("whether t-simple.service runs is not known: "),
            "{why}"
        );
        println!("{name}: {took:?}: {why}");
        bench.silence(SECOND / 2);
        drop(useless);
        // And then it may be tried again.
        let (place, unready) = (place(0), None);
        let ready = Event::Ready { place, unready };
        assert_eq!(bench.next(SECOND * 20), Some(ready), "{name}");
    }
    // Where it runs, the kernel can tell that it does not any more.
    assert_eq!(bench.start(0), Outcome::Done);
    let useless = Useless::by(None);
    let (outcome, took) = timed(|| bench.stop(0));
    println!("stopped without systemctl: {took:?}: {outcome:?}");
    drop(useless);
    assert_eq!(outcome, Outcome::Done);
    assert!(took >= SECOND && took < SECOND * 8, "{took:?}");
    assert_ne!(property("t-simple.service", "ActiveState"), "active");
    // One that has not looked yet knows of no processes: it stops it as soon as it can ask for that, and not before.
    assert_eq!(bench.start(0), Outcome::Done);
    let mut bench = Bench::new(&[impatient]);
    let useless = Useless::by(None);
    let why = failed(bench.stop(0));
    assert!(
        why.ends_with("; it is stopped as soon as systemd can be asked"),
        "{why}"
    );
    bench.silence(SECOND);
    drop(useless);
    bench.silence(SECOND * 5);
    assert_eq!(property("t-simple.service", "ActiveState"), "inactive");
    // Not once it is to run again.
    assert_eq!(bench.start(0), Outcome::Done);
    let mut bench = Bench::new(&[service("t-simple.service")]);
    let useless = Useless::by(None);
    failed(bench.stop(0));
    drop(useless);
    assert_eq!(bench.start(0), Outcome::Done);
    bench.silence(SECOND * 6);
    assert_eq!(property("t-simple.service", "ActiveState"), "active");
    bench.stop(0);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_check_that_cannot_be_run_is_no_failure() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut checked = patient();
    checked.check = Some(Check {
        probe: exec(&["/run/t-check"]),
        interval: SECOND / 5,
        timeout: SECOND / 5,
        failures: 1,
    });
    let script = |text: &str, mode: u32| {
        fs::write("/run/t-check", format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions("/run/t-check", fs::Permissions::from_mode(mode)).unwrap();
    };
    script("exit 0", 0o755);
    let mut bench = Bench::new(&[checked]);
    bench.look(0);
    assert_eq!(bench.start(0), Outcome::Done);
    bench.silence(SECOND);
    let notice = |bench: &Bench| bench.services.views()[&place(0)].notice.clone();
    assert_eq!(notice(&bench), None);
    script("exit 0", 0o644);
    bench.silence(SECOND);
    let said = notice(&bench).unwrap();
    let expected = "its check cannot be asked: /run/t-check: cannot be run: permission denied";
    assert_eq!(said, expected);
    script("exit 0", 0o755);
    bench.silence(SECOND);
    assert_eq!(notice(&bench), None);
    {
        let _instead = Instead::of("/usr/bin/systemd-run", "echo no memory; exit 1");
        bench.silence(SECOND);
        let said = notice(&bench).unwrap();
        assert!(
            said.ends_with("systemd does not run it: no memory"),
            "{said}"
        );
    }
    bench.silence(SECOND);
    script("echo gone; exit 1", 0o755);
    assert_eq!(
        bench.lost(0, SECOND * 2),
        "check: /run/t-check: exit status 1: gone"
    );
    bench.stop(0);
}

/// Who forks without end has no more tasks than its unit, and ends with it.
#[test]
#[ignore = "needs a systemd of its own"]
fn a_check_that_forks_without_end_is_bounded() {
    use ha_appliance::agents::program::{End, Program};
    // Of cgroups in the old way a container may not write to each until it is told so, and systemd asks once.
    let pids = "/sys/fs/cgroup/pids";
    if Path::new(pids).exists() {
        let opened = Command::new("mount")
            .args(["-o", "remount,bind,rw", pids])
            .status();
        assert!(opened.unwrap().success());
        systemctl(&["daemon-reexec"]);
    }
    let slices = [
        format!("{pids}/system.slice"),
        "/sys/fs/cgroup/system.slice".into(),
    ];
    let tasks = move || -> Option<u64> {
        let units = slices
            .iter()
            .filter_map(|slice| fs::read_dir(slice).ok())
            .flatten();
        let mut checks = units.flatten().filter(|unit| {
            let name = unit.file_name();
            name.to_string_lossy().starts_with("ha-appliance-check-")
        });
        let text = fs::read_to_string(checks.next()?.path().join("pids.current")).ok()?;
        text.trim().parse().ok()
    };
    let over = Arc::new(AtomicBool::new(false));
    let (ends, counted) = (over.clone(), tasks.clone());
    let most = std::thread::spawn(move || {
        let mut most = 0;
        while !ends.load(Ordering::Relaxed) {
            most = most.max(counted().unwrap_or(0));
            std::thread::sleep(SECOND / 100);
        }
        most
    });
    let words = ["/bin/sh", "-c", "f() { f | f & }; f; exec sleep 1000"];
    let bomb = Program {
        words: words.map(String::from).to_vec(),
        user: None,
    };
    let ended = smol::block_on(programs().run("check", &bomb, b"", SECOND));
    assert_eq!(ended.unwrap().end, End::Late);
    let asked = Instant::now();
    while tasks().is_some() {
        assert!(asked.elapsed() < SECOND * 10, "left: {:?}", tasks());
        std::thread::sleep(SECOND / 20);
    }
    over.store(true, Ordering::Relaxed);
    let most = most.join().unwrap();
    println!("tasks of one that forks without end: {most}");
    assert!((100..=512).contains(&most), "{most}");
}

/// Nothing of a check is left when it is over, and the daemon's restrictions are not the check's.
#[test]
#[ignore = "needs a systemd of its own"]
fn a_check_has_a_unit_of_its_own_and_leaves_nothing() {
    use ha_appliance::agents::program::{End, Program};
    let programs = programs();
    let run = |script: &str, user: Option<&str>, limit| {
        let program = Program {
            words: ["/bin/sh", "-c", script].map(String::from).to_vec(),
            user: user.map(Into::into),
        };
        smol::block_on(programs.run("check", &program, b"in", limit))
    };
    let group = run("cat; cat /proc/self/cgroup", None, SECOND * 5).unwrap();
    assert!(group.output.starts_with("in"), "{group:?}");
    assert!(group.output.contains("/ha-appliance-check-"), "{group:?}");
    let who = run("id -un; id -Gn", Some("www-data"), SECOND * 5).unwrap();
    assert_eq!(who.output, "www-data\nwww-data\n");
    let stranger = run("exit 0", Some("no-such-user"), SECOND * 5).unwrap_err();
    assert!(
        stranger.0.starts_with("systemd does not run it: "),
        "{stranger:?}"
    );
    let words = run("echo '$HOME %n' \"$HOME\"; exit 7", None, SECOND * 5).unwrap();
    assert_eq!(
        (words.end, &words.output[..9]),
        (End::Exited(7), "$HOME %n ")
    );

    run(
        "(setsid sleep 1000 &) ; setsid sleep 1000 & sleep 0.2",
        None,
        SECOND * 5,
    )
    .unwrap();
    assert_eq!(
        run("setsid sleep 1000 & exec sleep 1000", None, SECOND)
            .unwrap()
            .end,
        End::Late
    );
    assert_eq!(run("exec yes", None, SECOND).unwrap().end, End::Late);
    let left = || {
        let output = Command::new("pgrep")
            .args(["-f", "^(sleep 1000|yes)$"])
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let asked = Instant::now();
    while !left().is_empty() {
        assert!(asked.elapsed() < SECOND * 5, "left: {}", left());
        std::thread::sleep(SECOND / 20);
    }
    let files = fs::read_dir("/run/t-ha-appliance/programs")
        .unwrap()
        .count();
    assert_eq!(files, 0);

    let mut costs = Vec::new();
    for _ in 0..50 {
        let (ended, took) = timed(|| run("exit 0", None, SECOND * 5));
        assert_eq!(ended.unwrap().end, End::Exited(0));
        costs.push(took);
    }
    println!("a program in a unit of its own: median {:?}", median(costs));
    let log = Command::new("journalctl")
        .args([
            "--quiet",
            "--since=-30s",
            "--grep=ha-appliance-check|for ha-appliance",
        ])
        .output();
    println!("{}", String::from_utf8_lossy(&log.unwrap().stdout));
}
