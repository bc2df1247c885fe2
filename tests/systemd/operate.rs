//! Start, stop and look, with everything that a unit can do wrong.

use crate::bench::*;
use ha_appliance::core::event::{Event, Outcome, Presence};
use std::net::TcpStream;
use std::time::Duration;

const SLEEP: &str = "[Service]\nExecStart=/bin/sleep infinity\n";

#[test]
#[ignore = "needs a systemd of its own"]
fn every_type_starts_is_found_and_stops() {
    let kinds = [
        ("t-simple.service", SLEEP.to_string()),
        ("t-template@one.service", SLEEP.into()),
        (
            "t-forking.service",
            "[Service]\nType=forking\nPIDFile=/run/t-fork.pid\n\
             ExecStart=/bin/sh -c 'setsid sleep infinity & echo $$! > /run/t-fork.pid'\n"
                .into(),
        ),
        (
            "t-notify.service",
            "[Service]\nType=notify\nNotifyAccess=all\n\
             ExecStart=/bin/sh -c 'sleep 0.2; systemd-notify --ready; exec sleep infinity'\n"
                .into(),
        ),
        (
            "t-remains.service",
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n".into(),
        ),
    ];
    for (name, text) in kinds {
        let file = name.replace("@one", "@");
        let _file = UnitFile::new(&file, &text);
        let mut bench = Bench::new(&[service(name)]);
        assert_eq!(bench.look(0), Outcome::Found(Presence::Absent), "{name}");
        assert_eq!(bench.start(0), Outcome::Done, "{name}");
        assert_eq!(property(name, "ActiveState"), "active");
        assert_eq!(bench.look(0), Outcome::Found(Presence::Running), "{name}");
        let view = bench.services.views()[&place(0)].clone();
        assert!(view.state.starts_with("active"), "{view:?}");
        assert!(view.watched && view.installed == Some(true), "{view:?}");
        assert_eq!(bench.stop(0), Outcome::Done, "{name}");
        assert_eq!(property(name, "ActiveState"), "inactive");
        assert_eq!(bench.look(0), Outcome::Found(Presence::Absent), "{name}");
        bench.silence(SECOND / 5);
    }
}

#[test]
#[ignore = "needs a systemd of its own"]
fn what_cannot_start_says_why() {
    let _target = target(); // a condition's end is forgotten with a unit that nobody names
    let cases = [
        (
            "t-once.service",
            "[Service]\nType=oneshot\nExecStart=/bin/true\n",
            "t-once.service ends at once: there is nothing to keep running. A unit of Type=oneshot needs RemainAfterExit=yes",
        ),
        (
            "t-bad.service",
            "[Service]\nUser=root\n",
            "t-bad.service has a unit file that systemd refuses: Unit t-bad.service has a bad unit file setting.: systemd-analyze verify t-bad.service",
        ),
        (
            "t-exits.service",
            "[Service]\nType=forking\nExecStart=/bin/sh -c 'echo port 80 is taken >&2; exit 3'\n",
            "t-exits.service failed at once: a program of its start failed: port 80 is taken",
        ),
        (
            "t-absent.service",
            "[Service]\nType=exec\nExecStart=/no/such/program\n",
            "t-absent.service failed at once: its program is missing or cannot be executed: t-absent.service: Failed to locate executable /no/such/program: No such file or directory; t-absent.service: Failed at step EXEC spawning /no/such/program: No such file or directory",
        ),
        (
            "t-protocol.service",
            "[Service]\nType=notify\nExecStart=/bin/true\n",
            "t-protocol.service failed at once: it ended without saying that it is ready, as its Type= demands",
        ),
        (
            "t-condition.service",
            "[Unit]\nConditionPathExists=/no/such\n[Service]\nExecStart=/bin/sleep infinity\n",
            "t-condition.service was not started: a condition in its unit file is not met",
        ),
        (
            "t-needs.service",
            "[Unit]\nRequires=no-such.service\nAfter=no-such.service\n[Service]\nExecStart=/bin/sleep infinity\n",
            "t-needs.service was not started: Failed to start t-needs.service: Unit no-such.service not found.",
        ),
    ];
    for (name, text, why) in cases {
        let _file = UnitFile::new(name, text);
        let mut bench = Bench::new(&[service(name)]);
        assert_eq!(bench.look(0), Outcome::Found(Presence::Absent));
        let said = failed(bench.start(0));
        println!("{said}");
        assert_eq!(said, why);
        assert_eq!(bench.stop(0), Outcome::Done);
    }
}

#[test]
#[ignore = "needs a systemd of its own"]
fn what_is_not_there_or_masked_can_be_stopped_but_not_started() {
    let mut bench = Bench::new(&[service("t-nope.service"), service("t-masked.service")]);
    std::os::unix::fs::symlink("/dev/null", "/etc/systemd/system/t-masked.service").unwrap();
    systemctl(&["daemon-reload"]);
    for group in [0, 1] {
        assert_eq!(bench.look(group), Outcome::Found(Presence::Missing));
        assert_eq!(bench.stop(group), Outcome::Done);
        assert_eq!(bench.services.views()[&place(group)].installed, Some(false));
    }
    assert_eq!(
        failed(bench.start(0)),
        "t-nope.service is not installed: install it, or correct the name in ha.toml"
    );
    assert_eq!(
        failed(bench.start(1)),
        "t-masked.service is masked: systemctl unmask t-masked.service"
    );
    // Repaired, it starts without another look.
    std::fs::remove_file("/etc/systemd/system/t-masked.service").unwrap();
    let _file = UnitFile::new("t-masked.service", SLEEP);
    assert_eq!(bench.start(1), Outcome::Done);
    assert_eq!(bench.stop(1), Outcome::Done);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_simple_service_that_dies_at_once_fails_to_start_or_is_lost() {
    let _file = UnitFile::new(
        "t-dies.service",
        "[Service]\nExecStart=/bin/sh -c 'echo port 80 is taken >&2; exit 3'\n",
    );
    let mut bench = Bench::new(&[service("t-dies.service")]);
    bench.look(0);
    let why = match bench.start(0) {
        Outcome::Failed(why) => why,
        Outcome::Done => bench.lost(0, SECOND),
        other => panic!("{other:?}"),
    };
    println!("{why}");
    assert!(why.contains("exit status 3: port 80 is taken"), "{why}");
    bench.silence(SECOND / 2);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_start_that_hangs_is_taken_back() {
    let _file = UnitFile::new(
        "t-hangs.service",
        "[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n",
    );
    let mut slow = service("t-hangs.service");
    slow.start_timeout = SECOND;
    let mut bench = Bench::new(&[slow]);
    bench.look(0);
    let (outcome, took) = timed(|| bench.start(0));
    assert_eq!(
        failed(outcome),
        "t-hangs.service was not ready after 1 s (start_timeout): it is activating (start)"
    );
    assert!(took < SECOND * 3 / 2, "{took:?}");
    assert_eq!(bench.stop(0), Outcome::Done);
    assert_eq!(property("t-hangs.service", "Job"), "");
    assert_eq!(property("t-hangs.service", "ActiveState"), "inactive");
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_cancelled_start_ends_promptly_and_once() {
    let _file = UnitFile::new(
        "t-hangs.service",
        "[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n",
    );
    let mut bench = Bench::new(&[service("t-hangs.service")]);
    bench.look(0);
    bench.services.start(place(0));
    bench.silence(SECOND / 3);
    assert_eq!(property("t-hangs.service", "ActiveState"), "activating");
    let (outcome, took) = timed(|| {
        bench.services.cancel(place(0));
        bench.finished(0)
    });
    assert_eq!(failed(outcome), "cancelled");
    assert!(took < Duration::from_millis(20), "{took:?}");
    bench.services.cancel(place(0));
    bench.silence(SECOND / 3);
    assert_eq!(bench.stop(0), Outcome::Done);
    assert_eq!(property("t-hangs.service", "ActiveState"), "inactive");
}

#[test]
#[ignore = "needs a systemd of its own"]
fn whoever_does_not_stop_is_killed() {
    let deaf = "[Service]\nType=exec\nTimeoutStopSec=infinity\n\
        ExecStart=/bin/bash -c 'trap \"\" TERM; while :; do sleep 1; done'\n";
    let hung = "[Service]\nType=exec\nTimeoutStopSec=infinity\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep infinity\n";
    let post = "[Service]\nType=exec\nTimeoutStopSec=infinity\nExecStart=/bin/sleep infinity\nExecStopPost=/bin/sleep infinity\n";
    for text in [deaf, hung, post] {
        let _file = UnitFile::new("t-stays.service", text);
        let mut slow = service("t-stays.service");
        slow.stop_timeout = SECOND;
        let mut bench = Bench::new(&[slow]);
        bench.look(0);
        assert_eq!(bench.start(0), Outcome::Done);
        let (outcome, took) = timed(|| bench.stop(0));
        println!("killed after {took:?}");
        assert_eq!(outcome, Outcome::Done);
        assert!(took >= SECOND && took < SECOND * 2, "{took:?}");
        assert_ne!(property("t-stays.service", "ActiveState"), "active");
        bench.silence(SECOND / 3);
    }
}

#[test]
#[ignore = "needs a systemd of its own"]
fn processes_left_behind_are_found_and_killed() {
    let text = "[Service]\nKillMode=process\nExecStart=/bin/sh -c 'setsid sleep 987654 & exec sleep infinity'\n";
    let _file = UnitFile::new("t-leaves.service", text);
    let mut bench = Bench::new(&[service("t-leaves.service")]);
    bench.look(0);
    assert_eq!(bench.start(0), Outcome::Done);
    let left = || {
        let mut pgrep = std::process::Command::new("pgrep");
        pgrep
            .args(["-f", "sleep 987654"])
            .status()
            .unwrap()
            .success()
    };
    while !left() {
        std::thread::sleep(Duration::from_millis(5));
    }
    systemctl(&["stop", "t-leaves.service"]);
    assert_eq!(bench.look(0), Outcome::Found(Presence::Partial));
    assert_eq!(bench.stop(0), Outcome::Done);
    assert_eq!(bench.look(0), Outcome::Found(Presence::Absent));
    assert!(!left());
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_socket_works_where_its_service_runs_and_nowhere_else() {
    let _socket = UnitFile::new(
        "t-sock.socket",
        "[Socket]\nListenStream=127.0.0.1:7777\n[Install]\nWantedBy=sockets.target\n",
    );
    let _file = UnitFile::new("t-sock.service", SLEEP);
    systemctl(&["enable", "--now", "t-sock.socket"]);
    let reachable = || TcpStream::connect("127.0.0.1:7777").is_ok();
    let mut bench = Bench::new(&[service("t-sock.service")]);
    // The standby: the socket waits, so something of the service runs.
    assert_eq!(bench.look(0), Outcome::Found(Presence::Partial));
    assert_eq!(bench.stop(0), Outcome::Done);
    assert!(!reachable());
    assert_eq!(bench.look(0), Outcome::Found(Presence::Absent));
    assert_eq!(bench.start(0), Outcome::Done);
    assert!(reachable());
    assert_eq!(bench.look(0), Outcome::Found(Presence::Running));
    // While connections keep coming, nothing starts it again.
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                reachable();
            }
        });
        for _ in 0..5 {
            assert_eq!(bench.stop(0), Outcome::Done);
            assert!(!reachable());
            assert_eq!(bench.look(0), Outcome::Found(Presence::Absent));
            assert_eq!(bench.start(0), Outcome::Done);
            assert!(reachable());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(bench.stop(0), Outcome::Done);
    // Only the poll sees that somebody starts the socket: systemd has no invocation of it.
    systemctl(&["start", "t-sock.socket"]);
    let (_, took) = timed(|| bench.appeared(0, SECOND * 40));
    println!("a socket started by hand was seen after {took:?}");
    assert_eq!(bench.stop(0), Outcome::Done);
}

#[test]
#[ignore = "needs a systemd of its own"]
fn many_starts_in_a_row_are_no_reason_to_refuse() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut bench = Bench::new(&[service("t-simple.service")]);
    bench.look(0);
    for _ in 0..12 {
        assert_eq!(bench.start(0), Outcome::Done);
        assert_eq!(bench.stop(0), Outcome::Done);
    }
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_start_against_a_shutdown_is_refused_with_that_reason() {
    let _slow = UnitFile::new(
        "t-doom.service",
        "[Service]\nType=oneshot\nExecStart=/bin/sleep 3\n",
    );
    let _file = UnitFile::new(
        "t-simple.service",
        "[Unit]\nConflicts=t-doom.service\n[Service]\nExecStart=/bin/sleep infinity\n",
    );
    let mut bench = Bench::new(&[service("t-simple.service")]);
    bench.look(0);
    // As `systemctl reboot` does it.
    systemctl(&[
        "start",
        "--no-block",
        "--job-mode=replace-irreversibly",
        "t-doom.service",
    ]);
    assert_eq!(
        failed(bench.start(0)),
        "t-simple.service was not started: this machine is shutting down"
    );
}

#[test]
#[ignore = "needs a systemd of its own"]
fn leaving_stops_services_from_within_our_own_stop() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let _target = UnitFile::new("ha-appliance-services.target", "[Unit]\nDescription=t\n");
    let _own = UnitFile::new(
        "ha-appliance.service",
        "[Unit]\nWants=ha-appliance-services.target\nAfter=ha-appliance-services.target\n\
         [Service]\nExecStart=/bin/sleep infinity\n\
         ExecStop=/bin/sh -c 'touch /run/t-leaving; while [ -e /run/t-leaving ]; do sleep 0.02; done'\n",
    );
    let mut own = service("t-simple.service");
    own.stop_timeout = SECOND * 2;
    for leaving in [false, true] {
        let mut bench = Bench::new(&[own.clone()]);
        bench.look(0);
        assert_eq!(bench.start(0), Outcome::Done);
        systemctl(&["start", "ha-appliance.service"]);
        // As at shutdown: all of them are to stop, in their order.
        let target = "ha-appliance-services.target";
        systemctl(&[
            "stop",
            "--no-block",
            "ha-appliance.service",
            target,
            "t-simple.service",
        ]);
        while !std::path::Path::new("/run/t-leaving").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        if leaving {
            bench.services.leave();
        }
        bench.services.stop(place(0));
        let (outcome, took) = timed(|| bench.finished(0));
        println!("leaving {leaving}: {took:?} {outcome:?}");
        assert_eq!(outcome, Outcome::Done);
        // Without it the stop waits for ours, and only the ladder's kill ends it.
        assert_eq!(took < SECOND, leaving, "{took:?}");
        std::fs::remove_file("/run/t-leaving").unwrap();
        while property("ha-appliance.service", "ActiveState") != "inactive" {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
#[ignore = "needs a systemd of its own"]
fn how_long_nginx_takes() {
    let mut bench = Bench::new(&[service("nginx.service")]);
    bench.look(0);
    bench.stop(0);
    let (mut plain, mut ours) = ((vec![], vec![]), (vec![], vec![]));
    for _ in 0..15 {
        plain.0.push(timed(|| systemctl(&["start", "nginx"])).1);
        plain.1.push(timed(|| systemctl(&["stop", "nginx"])).1);
        assert!(matches!(
            bench.next(SECOND / 2),
            Some(Event::Appeared { .. }) | None
        ));
        ours.0
            .push(timed(|| assert_eq!(bench.start(0), Outcome::Done)).1);
        ours.1
            .push(timed(|| assert_eq!(bench.stop(0), Outcome::Done)).1);
        systemctl(&["reset-failed", "nginx"]);
    }
    let [a, b, c, d] = [plain.0, ours.0, plain.1, ours.1].map(median);
    println!("start: systemctl {a:?}, ours {b:?}; stop: systemctl {c:?}, ours {d:?}");
    assert!(b < a + Duration::from_millis(60) && d < c + Duration::from_millis(60));
}
