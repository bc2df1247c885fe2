//! DRBD's tools played by scripts: what they refuse, when they hang, and what `events2` loses.

#[path = "../src/testing.rs"]
#[allow(dead_code)] // the shell's tests use the rest
mod testing;

use ha_appliance::agents::drbd::events::Kind;
use ha_appliance::agents::drbd::follow::{Known, follow};
use ha_appliance::agents::drbd::tools::{Named, NotDone, Tools};
use ha_appliance::agents::program::Programs;
use smol::LocalExecutor;
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};
use testing::TestDir;

/// A tool that is this script, and notes what it is asked.
fn played(dir: &TestDir, name: &str, script: &str) {
    let path = dir.join(name);
    let log = dir.join("asked");
    let text = format!("#!/bin/sh\necho \"$*\" >> {}\n{script}\n", log.display());
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn tools(dir: &TestDir, script: &str) -> Tools {
    played(dir, "drbdadm", script);
    let programs = Programs::here(Path::new(env!("CARGO_BIN_EXE_ha-appliance")));
    Tools::new(programs, dir)
}

fn asked(dir: &TestDir) -> Vec<String> {
    let text = fs::read_to_string(dir.join("asked")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn r0(devices: &[&str]) -> Named {
    Named {
        name: "r0".into(),
        devices: devices.iter().map(|device| device.to_string()).collect(),
    }
}

/// By DRBD's own word.
fn failed(done: Result<(), NotDone>) -> String {
    match done {
        Err(NotDone::Failed(why)) => why,
        other => panic!("{other:?}"),
    }
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn promoted_and_demoted() {
    let dir = TestDir::new();
    let tools = tools(&dir, "");
    smol::block_on(async {
        tools.promote(&r0(&[]), false, false, LONG).await.unwrap();
        tools.promote(&r0(&[]), true, false, LONG).await.unwrap();
        tools.demote(&r0(&[]), "").await.unwrap();
        tools.promote(&r0(&[]), true, true, LONG).await.unwrap();
    });
    assert_eq!(
        asked(&dir),
        [
            "primary r0",
            "disconnect --force r0",
            "primary r0",
            "secondary r0",
            "disconnect --force r0",
            "primary --force r0"
        ]
    );
}

#[test]
fn what_is_promoted_in_part_is_undone() {
    let dir = TestDir::new();
    let script = "[ $1 != primary ] || { echo 'r0: State change failed: (-2) Need access to UpToDate data'; exit 17; }";
    let tools = tools(&dir, script);
    let why = failed(smol::block_on(tools.promote(&r0(&[]), false, false, LONG)));
    assert!(
        why.contains("certain to be the newest") && why.contains("(-2)"),
        "{why}"
    );
    assert_eq!(asked(&dir), ["primary r0", "secondary r0"]);
}

/// As udev does after each close: for less than ten seconds.
#[test]
fn what_is_held_open_for_a_moment_is_waited_for() {
    let dir = TestDir::new();
    let script = format!(
        "[ $(wc -l < {}) -ge 4 ] || {{ echo 'r0: State change failed: (-12) Device is held open by someone'; exit 11; }}",
        dir.join("asked").display()
    );
    let tools = tools(&dir, &script);
    let begun = Instant::now();
    smol::block_on(tools.demote(&r0(&[]), "")).unwrap();
    assert_eq!(asked(&dir).len(), 4);
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn who_holds_it_open_for_long_is_named() {
    let dir = TestDir::new();
    let tools = tools(
        &dir,
        "echo 'r0: State change failed: (-12) Device is held open by someone'; exit 11",
    );
    let device = dir.join("drbd1");
    let _held = fs::File::create(&device).unwrap();
    let it = r0(&[device.to_str().unwrap()]);
    let begun = Instant::now();
    let why = failed(smol::block_on(tools.demote(&it, "")));
    assert!(
        why.contains(&format!("process {} (", std::process::id())),
        "{why}"
    );
    let took = begun.elapsed();
    assert!(
        took > Duration::from_secs(6) && took < Duration::from_secs(14),
        "{took:?}"
    );
}

#[test]
fn nothing_is_demoted_while_its_io_is_frozen() {
    let dir = TestDir::new();
    let tools = tools(&dir, "");
    let why = failed(smol::block_on(tools.demote(&r0(&[]), "fencing")));
    assert!(why.contains("frozen (fencing)"), "{why}");
    assert_eq!(asked(&dir), [""; 0]);
}

/// A cable was cut, and DRBD has not noticed: asked politely it waits for its own pings, and then refuses.
#[test]
fn who_leaves_takes_it_down_whether_or_not_the_other_side_is_reached() {
    let asked_with = |reached: bool, older: bool, script: &str| {
        let dir = TestDir::new();
        let tools = tools(&dir, script);
        smol::block_on(tools.down(&r0(&[]), reached, older)).unwrap();
        asked(&dir).join("; ")
    };
    assert_eq!(asked_with(true, true, ""), "down r0");
    let alone = "disconnect --force r0; outdate r0; down r0";
    assert_eq!(asked_with(false, true, ""), alone);
    // It has none any more, or what is here is Inconsistent.
    assert_eq!(asked_with(false, true, "[ $1 = down ] || exit 10"), alone);
    let refuses =
        "grep -q disconnect $(dirname $0)/asked || { echo 'State change failed'; exit 11; }";
    assert_eq!(
        asked_with(true, false, refuses),
        "down r0; disconnect --force r0; down r0",
        "what was written here last is not called old"
    );
}

/// D12: it is given up at its time, and what waits for it goes on then.
/// What is told to have failed may have been carried out: nobody else connects what was cut here.
#[test]
fn what_was_cut_here_is_connected_again_whatever_became_of_the_cut() {
    let dir = TestDir::new();
    let script = "[ $1 != disconnect ] || { echo 'no reply'; exit 5; }";
    let tools = tools(&dir, script);
    smol::block_on(async {
        let why = tools.ask_again(&r0(&[])).await.unwrap_err();
        assert!(why.contains("no reply"), "{why}");
        // And what could not be cut is not said to be outdated.
        tools.outdate(&r0(&[]), true).await.unwrap_err();
    });
    let both = ["disconnect --force r0", "connect r0"];
    assert_eq!(asked(&dir), [both, both].concat());
}

#[test]
fn a_tool_that_never_returns_is_given_up() {
    let dir = TestDir::new();
    let tools = tools(&dir, "[ $1 != primary ] || exec sleep 60");
    let begun = Instant::now();
    let both = async {
        let promote = async {
            let it = r0(&[]);
            tools
                .promote(&it, false, false, Duration::from_secs(1))
                .await
        };
        let beside = async {
            smol::Timer::after(Duration::from_millis(300)).await;
            let it = r0(&[]);
            tools.connect(&it).await
        };
        smol::future::zip(promote, beside).await
    };
    let (promoted, connected) = smol::block_on(both);
    assert!(failed(promoted).contains("was given up"));
    connected.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(6));
    // Not while the promote was outstanding.
    assert_eq!(asked(&dir), ["primary r0", "connect r0"]);
}

/// What says nothing about the resource: no tool, none that may be run, killed, another has the lock, a file half
/// written. Once that is over, the operation goes on within its time.
#[test]
fn a_tool_that_cannot_ask_is_tried_again() {
    let hindrances = [
        "rm TOOL",
        "chmod -x TOOL",
        "kill -9 $$",
        "kill -SEGV $$",
        "echo 'drbd.d/r0.res:3: Parse error'; exit 10",
        "echo 'drbdsetup got killed by signal 15'; exit 20",
    ];
    for hindrance in hindrances {
        let dir = TestDir::new();
        let tool = dir.join("drbdadm").display().to_string();
        let tools = tools(&dir, &hindrance.replace("TOOL", &tool));
        if let "rm TOOL" | "chmod -x TOOL" = hindrance {
            let line = hindrance.replace("TOOL", &tool);
            std::process::Command::new("sh")
                .args(["-c", &line])
                .status()
                .unwrap();
        }
        let mended = async {
            smol::Timer::after(Duration::from_millis(700)).await;
            assert!(tools.hindered().is_some(), "{hindrance}");
            played(&dir, "drbdadm", "");
        };
        let it = r0(&[]);
        let (done, ()) = smol::block_on(smol::future::zip(
            tools.promote(&it, false, false, LONG),
            mended,
        ));
        assert_eq!(done, Ok(()), "{hindrance}");
        assert_eq!(tools.hindered(), None);
        assert_eq!(asked(&dir).last().unwrap(), "primary r0");
    }
}

/// For good: it is no verdict either.
#[test]
fn a_tool_that_never_can_ask_says_nothing_of_the_resource() {
    let dir = TestDir::new();
    let tools = tools(&dir, "echo 'cannot read /etc/drbd.conf'; exit 10");
    let it = r0(&[]);
    match smol::block_on(tools.promote(&it, false, false, Duration::from_secs(1))) {
        Err(NotDone::Unasked(why)) => assert!(why.contains("cannot read"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(tools.hindered().is_some());
    smol::block_on(tools.try_out("r0"));
    assert!(tools.hindered().is_some());
    played(&dir, "drbdadm", "");
    smol::block_on(tools.try_out("r0"));
    assert_eq!(tools.hindered(), None);
}

const SNAPSHOT: &str = "exists resource name:r0 role:ROLE suspended:no\\n\
    exists device name:r0 volume:0 minor:1 disk:UpToDate\\nexists -\\n";

/// D11: whatever is lost, what is known afterwards is what a fresh dump says.
#[test]
fn lost_lines_and_a_tool_that_dies_are_followed_by_a_fresh_look() {
    let dir = TestDir::new();
    let count = dir.join("asked");
    let script = format!(
        "n=$(wc -l < {})\n\
         case $n in\n\
         1) printf '{}'; printf 'change resource name:r0 role:Primary\\n- skipped 2\\n'; sleep 60 ;;\n\
         2) printf 'exists resource name:r0 role:Primary' ; exit 1 ;;\n\
         *) printf '{}'; sleep 60 ;;\n\
         esac",
        count.display(),
        SNAPSHOT.replace("ROLE", "Secondary"),
        SNAPSHOT.replace("ROLE", "Primary"),
    );
    played(&dir, "drbdsetup", &script);
    let known = Known::default();
    let changes = Rc::new(Cell::new(0));
    let executor = LocalExecutor::new();
    let task = {
        let (known, changes, dir) = (known.clone(), changes.clone(), dir.to_path_buf());
        executor.spawn(async move {
            follow(&dir, known, |_| changes.set(changes.get() + 1)).await;
        })
    };
    let role = || {
        let known = known.borrow();
        let resource = known.of("r0", Kind::Resource).next().cloned();
        let role = resource.map(|resource| known.word(&resource, "role").to_owned());
        (asked(&dir).len(), known.complete, role)
    };
    let begun = Instant::now();
    smol::block_on(executor.run(async {
        while role() != (3, true, Some("Primary".into())) {
            assert!(begun.elapsed() < LONG, "{:?}", role());
            smol::Timer::after(Duration::from_millis(10)).await;
        }
    }));
    // Known, changed, not known, known.
    assert_eq!(changes.get(), 4);
    drop(task);
}
