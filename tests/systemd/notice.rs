//! What is noticed between operations, and what is not mistaken for a failure.

use crate::bench::*;
use ha_appliance::config::{Check, Mode};
use ha_appliance::core::event::{Outcome, Presence};
use std::process::Command;
use std::time::{Duration, Instant};

const SLEEP: &str = "[Service]\nRestart=always\nRestartSec=100ms\nExecStart=/bin/sleep infinity\n";

#[test]
#[ignore = "needs a systemd of its own"]
fn a_killed_service_is_lost_at_once_and_only_once() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut bench = Bench::new(&[service("t-simple.service")]);
    bench.look(0);
    let mut latencies = Vec::new();
    for _ in 0..10 {
        assert_eq!(bench.start(0), Outcome::Done);
        kill(bench.main_pid(0), "KILL");
        let (why, took) = timed(|| bench.lost(0, SECOND));
        latencies.push(took);
        assert_eq!(why, "t-simple.service died: killed by SIGKILL");
        // Restart=always was overridden: nobody but the core starts it.
        bench.silence(SECOND / 3);
        assert_eq!(property("t-simple.service", "ActiveState"), "failed");
        assert!(!bench.services.views()[&place(0)].watched);
    }
    let median = median(latencies);
    println!("SIGKILL to Lost: median {median:?}");
    assert!(median < Duration::from_millis(100));
    bench.stop(0);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_killed_nginx_is_lost_at_once() {
    let mut bench = Bench::new(&[service("nginx.service")]);
    bench.look(0);
    for _ in 0..3 {
        assert_eq!(bench.start(0), Outcome::Done);
        kill(bench.main_pid(0), "KILL");
        let (why, took) = timed(|| bench.lost(0, SECOND));
        let (outcome, again) = timed(|| bench.start(0));
        println!("nginx: {why}: lost after {took:?}, started again in {again:?}");
        assert_eq!(outcome, Outcome::Done);
        bench.silence(SECOND / 5);
    }
    bench.stop(0);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn what_an_operator_does_is_no_failure_if_it_ends_well() {
    let _target = target();
    let text = "[Service]\nType=notify\nNotifyAccess=all\nExecReload=/bin/true\n\
        ExecStart=/bin/sh -c 'sleep 0.5; systemd-notify --ready; exec sleep infinity'\n";
    let _file = UnitFile::new("t-slow.service", text);
    let mut bench = Bench::new(&[service("t-slow.service")]);
    bench.look(0);
    assert_eq!(bench.start(0), Outcome::Done);
    let before = bench.main_pid(0);
    let mut restart = Command::new("systemctl")
        .args(["restart", "t-slow"])
        .spawn()
        .unwrap();
    bench.silence(SECOND);
    assert!(restart.wait().unwrap().success());
    assert_ne!(bench.main_pid(0), before);
    systemctl(&["reload", "t-slow"]);
    systemctl(&["daemon-reload"]);
    bench.silence(SECOND / 2);
    // The new process is watched.
    kill(bench.main_pid(0), "KILL");
    assert_eq!(
        bench.lost(0, SECOND),
        "t-slow.service died: killed by SIGKILL"
    );
    assert_eq!(bench.start(0), Outcome::Done);
    // Stopped for good it did not fail either, but it is not left so.
    systemctl(&["stop", "t-slow"]);
    bench.silence(SECOND * 9);
    let notice = bench.services.views()[&place(0)].notice.clone().unwrap();
    assert!(notice.starts_with("stopped by somebody else: "), "{notice}");
    bench.stopped(0, SECOND * 3);
    bench.silence(SECOND / 2);
    assert_eq!(bench.start(0), Outcome::Done);
    bench.stop(0);
}

/// As a package's scripts do it: stop, new files, start.
#[test]
#[ignore = "needs a systemd of its own"]
fn an_upgrade_of_its_package_is_no_failure() {
    let _target = target();
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut bench = Bench::new(&[service("t-simple.service")]);
    bench.look(0);
    assert_eq!(bench.start(0), Outcome::Done);
    for _ in 0..2 {
        let before = bench.main_pid(0);
        systemctl(&["stop", "t-simple"]);
        bench.silence(SECOND * 2);
        systemctl(&["start", "t-simple"]);
        bench.silence(SECOND);
        assert_ne!(bench.main_pid(0), before);
        assert_eq!(bench.services.views()[&place(0)].notice, None);
    }
    // One that breaks it is not waited for.
    systemctl(&["stop", "t-simple"]);
    bench.silence(SECOND);
    let _broken = UnitFile::new("t-simple.service", "[Service]\nExecStart=/bin/false\n");
    systemctl(&["start", "t-simple"]);
    let why = bench.lost(0, SECOND * 3);
    assert!(
        why.starts_with("t-simple.service died: exit status 1"),
        "{why}"
    );
}

#[test]
#[ignore = "needs a systemd of its own"]
fn an_end_by_itself_is_not_waited_for() {
    let _target = target();
    // Each ends well, and nobody told systemd.
    let text =
        "[Service]\nExecStart=/bin/sh -c 'trap \"exit 0\" TERM; while :; do sleep 0.1; done'\n";
    let _file = UnitFile::new("t-ends.service", text);
    let mut bench = Bench::new(&[service("t-ends.service"), service("nginx.service")]);
    for group in [0, 1] {
        bench.look(group);
        assert_eq!(bench.start(group), Outcome::Done);
        kill(bench.main_pid(group), "TERM");
        let why = bench.lost(group, SECOND);
        let words = ["ended by itself without an error", " died"];
        assert!(words.iter().any(|words| why.ends_with(words)), "{why}");
        bench.stop(group);
    }
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_restart_that_fails_is_a_loss() {
    let text = "[Service]\nType=forking\nExecStart=/bin/sh -c 'test ! -e /run/t-broken; sleep infinity & exit $?'\nExecStartPre=/bin/sh -c 'test ! -e /run/t-broken || { echo line 3 is wrong >&2; exit 1; }'\n";
    let _file = UnitFile::new("t-fork.service", text);
    let mut bench = Bench::new(&[service("t-fork.service")]);
    bench.look(0);
    assert_eq!(bench.start(0), Outcome::Done);
    std::fs::write("/run/t-broken", "").unwrap();
    systemctl(&["restart", "t-fork"]);
    let why = bench.lost(0, SECOND);
    std::fs::remove_file("/run/t-broken").unwrap();
    assert_eq!(
        why,
        "t-fork.service died: a program of its start failed: line 3 is wrong"
    );
    bench.stop(0);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn systemd_restarting_itself_is_no_death() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut bench = Bench::new(&[service("t-simple.service")]);
    bench.look(0);
    assert_eq!(bench.start(0), Outcome::Done);
    let storm = std::thread::spawn(|| {
        for _ in 0..5 {
            systemctl(&["daemon-reexec"]);
            systemctl(&["daemon-reload"]);
        }
    });
    while !storm.is_finished() {
        bench.silence(SECOND / 10);
    }
    // Operations in the middle of it end as ever.
    let storm = std::thread::spawn(|| {
        for _ in 0..8 {
            systemctl(&["daemon-reexec"]);
            std::thread::sleep(SECOND / 5);
        }
    });
    let mut rounds = 0;
    while !storm.is_finished() {
        assert_eq!(bench.look(0), Outcome::Found(Presence::Running));
        assert_eq!(bench.stop(0), Outcome::Done);
        assert_eq!(bench.start(0), Outcome::Done);
        rounds += 1;
    }
    println!("{rounds} rounds of look, stop, start while systemd restarted itself 8 times");
    kill(bench.main_pid(0), "KILL");
    assert_eq!(
        bench.lost(0, SECOND),
        "t-simple.service died: killed by SIGKILL"
    );
    // A death in the very moment.
    assert_eq!(bench.start(0), Outcome::Done);
    let storm = std::thread::spawn(|| systemctl(&["daemon-reexec"]));
    kill(bench.main_pid(0), "KILL");
    let why = bench.lost(0, SECOND * 12);
    storm.join().unwrap();
    assert_eq!(why, "t-simple.service died: killed by SIGKILL");
    bench.stop(0);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn nginx_may_replace_its_own_binary() {
    let mut bench = Bench::new(&[service("nginx.service")]);
    bench.look(0);
    assert_eq!(bench.start(0), Outcome::Done);
    let old = bench.main_pid(0);
    kill(old, "USR2");
    bench.silence(SECOND / 2);
    kill(old, "QUIT");
    bench.silence(SECOND);
    let new = bench.main_pid(0);
    assert_ne!(new, old);
    println!("nginx went from {old} to {new}, and nothing was lost");
    kill(new, "KILL");
    println!("{}", bench.lost(0, SECOND));
    bench.stop(0);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_start_by_hand_on_the_standby_is_seen_at_once() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut bench = Bench::new(&[service("t-simple.service")]);
    assert_eq!(bench.look(0), Outcome::Found(Presence::Absent));
    let (_, took) = timed(|| {
        systemctl(&["start", "t-simple"]);
        bench.appeared(0, SECOND);
    });
    println!("start by hand to Appeared, the start included: {took:?}");
    bench.silence(SECOND / 3);
    assert_eq!(bench.look(0), Outcome::Found(Presence::Running));
    assert_eq!(bench.stop(0), Outcome::Done);
    bench.silence(SECOND / 3);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_oneshot_that_is_stopped_by_hand_is_not_lost() {
    let _file = UnitFile::new(
        "t-remains.service",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    );
    let mut bench = Bench::new(&[service("t-remains.service")]);
    bench.look(0);
    assert_eq!(bench.start(0), Outcome::Done);
    systemctl(&["restart", "t-remains"]);
    bench.silence(SECOND / 2);
    systemctl(&["stop", "t-remains"]);
    bench.stopped(0, SECOND * 12);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn in_maintenance_nothing_is_watched() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut bench = Bench::new(&[service("t-simple.service")]);
    bench.look(0);
    assert_eq!(bench.start(0), Outcome::Done);
    bench.services.watch(false);
    systemctl(&["stop", "t-simple"]);
    bench.silence(SECOND / 2);
    bench.services.watch(true);
    assert_eq!(bench.look(0), Outcome::Found(Presence::Absent));
    systemctl(&["start", "t-simple"]);
    bench.appeared(0, SECOND);
    bench.stop(0);
}

/// Not at the next look, which is seconds away.
#[test]
#[ignore = "needs a systemd of its own"]
fn in_maintenance_what_happens_is_seen_at_once() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut bench = Bench::new(&[service("t-simple.service")]);
    bench.look(0);
    assert_eq!(bench.start(0), Outcome::Done);
    bench.services.watch(false);
    bench.silence(SECOND / 2);
    let sees = |bench: &mut Bench, runs: bool| {
        let asked = Instant::now();
        while bench.services.views()[&place(0)].runs != Some(runs) {
            assert!(asked.elapsed() < SECOND * 2, "{:?}", bench.services.views());
            bench.silence(SECOND / 20);
        }
    };
    sees(&mut bench, true);
    for (order, runs) in [
        (&["kill", "--signal=KILL", "t-simple"][..], false),
        (&["start", "t-simple"], true),
        (&["stop", "t-simple"], false),
    ] {
        systemctl(order);
        sees(&mut bench, runs);
    }
    bench.services.watch(true);
    bench.stop(0);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_failing_check_is_a_loss_and_its_cure_a_restart() {
    std::fs::write("/var/www/html/index.html", "fine").unwrap();
    let mut nginx = service("nginx.service");
    nginx.check = Some(http(80));
    let mut bench = Bench::new(&[nginx]);
    bench.look(0);
    bench.stop(0);
    assert_eq!(bench.start(0), Outcome::Done);
    bench.silence(SECOND);
    let check = bench.services.views()[&place(0)].check.clone().unwrap();
    assert_eq!(check.error, None);
    let before = bench.main_pid(0);
    std::fs::remove_file("/var/www/html/index.html").unwrap();
    for file in std::fs::read_dir("/var/www/html").unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let (why, took) = timed(|| bench.lost(0, SECOND));
    println!("{why}, after {took:?}");
    assert_eq!(
        why,
        "check: http://127.0.0.1:80/: 403 Forbidden (2 times in a row)"
    );
    bench.silence(SECOND / 2);
    std::fs::write("/var/www/html/index.html", "fine").unwrap();
    assert_eq!(bench.start(0), Outcome::Done);
    assert_ne!(bench.main_pid(0), before, "it was restarted");
    bench.silence(SECOND);
    // Frozen: alive, and no answer.
    let frozen = bench.main_pid(0);
    systemctl(&["kill", "--signal=SIGSTOP", "nginx"]);
    let why = bench.lost(0, SECOND * 3);
    assert_eq!(
        why,
        "check: http://127.0.0.1:80/: no answer within 0.5 s (2 times in a row)"
    );
    let (outcome, took) = timed(|| bench.start(0));
    println!("a frozen nginx was restarted in {took:?}: {outcome:?}");
    assert_eq!(outcome, Outcome::Done);
    assert_ne!(bench.main_pid(0), frozen);
    bench.silence(SECOND);
    bench.stop(0);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_check_may_fail_until_a_fresh_start_has_come_up() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let _ = std::fs::remove_file("/run/t-healthy");
    let mut slow = service("t-simple.service");
    slow.start_timeout = SECOND * 2;
    slow.check = Some(Check {
        probe: exec(&["/bin/ls", "/run/t-healthy"]),
        ..http(0)
    });
    let mut bench = Bench::new(&[slow]);
    bench.look(0);
    assert_eq!(bench.start(0), Outcome::Done);
    bench.silence(SECOND);
    std::fs::write("/run/t-healthy", "").unwrap();
    bench.silence(SECOND / 2);
    std::fs::remove_file("/run/t-healthy").unwrap();
    let why = bench.lost(0, SECOND);
    println!("{why}");
    assert_eq!(
        why,
        "check: /bin/ls /run/t-healthy: exit status 2: /bin/ls: cannot access '/run/t-healthy': No such file or directory (2 times in a row)"
    );
    // And one that never comes up is lost when its time is over.
    let begin = std::time::Instant::now();
    assert_eq!(bench.start(0), Outcome::Done);
    bench.lost(0, SECOND * 4);
    assert!(begin.elapsed() >= SECOND * 2);
    bench.stop(0);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn on_both_nodes_systemd_restarts_it_and_nothing_is_lost() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut both = service("t-simple.service");
    both.mode = Mode::Both;
    let mut bench = Bench::new(&[both]);
    assert_eq!(bench.look(0), Outcome::Found(Presence::Absent));
    systemctl(&["start", "t-simple"]);
    bench.appeared(0, SECOND);
    assert_eq!(bench.look(0), Outcome::Found(Presence::Running));
    let before = bench.main_pid(0);
    kill(before, "KILL");
    bench.silence(SECOND);
    assert_ne!(bench.main_pid(0), before);
    assert_eq!(bench.stop(0), Outcome::Done);
    assert_eq!(property("t-simple.service", "ActiveState"), "active");
    // It is watched on.
    systemctl(&["stop", "t-simple"]);
    bench.lost(0, SECOND);
}
