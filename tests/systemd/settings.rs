//! Drop-ins, and a configuration that changes.

use crate::bench::*;
use ha_appliance::config::Mode;
use ha_appliance::core::event::{Outcome, Presence};
use std::path::Path;

const SLEEP: &str = "[Unit]\nDescription=A 100%% sleeper\n[Service]\nRestart=always\nExecStart=/bin/sleep infinity\n";

#[test]
#[ignore = "needs a systemd of its own"]
fn the_drop_in_is_seen_and_goes_with_the_configuration() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let _both = UnitFile::new("t-both.service", SLEEP);
    let mut both = service("t-both.service");
    both.mode = Mode::Both;
    let mut bench = Bench::new(&[service("t-simple.service"), both]);
    // The first look comes after the reload.
    assert_eq!(bench.look(0), Outcome::Found(Presence::Absent));
    let controlled = "A 100% sleeper (Cluster Controlled: ha-appliance)";
    for unit in ["t-simple.service", "t-both.service"] {
        assert_eq!(property(unit, "Description"), controlled);
        assert!(property(unit, "Before").contains("ha-appliance-services.target"));
        assert_eq!(property(unit, "NeedDaemonReload"), "no");
    }
    assert_eq!(property("t-simple.service", "Restart"), "no");
    assert_eq!(property("t-both.service", "Restart"), "always");
    let status = String::from_utf8(systemctl(&["status", "t-simple"]).stdout).unwrap();
    assert!(status.contains("Cluster Controlled"), "{status}");

    // Unchanged: systemd is not reloaded. It counts its generators' runs, so to say, in their directory.
    let stamp = || {
        std::fs::metadata("/run/systemd/generator")
            .unwrap()
            .modified()
            .unwrap()
    };
    let before = stamp();
    bench.replace(&[service("t-simple.service")]);
    assert_eq!(bench.look(0), Outcome::Found(Presence::Absent));
    assert_ne!(stamp(), before, "one is gone");
    assert_eq!(property("t-both.service", "Description"), "A 100% sleeper");
    let before = stamp();
    let mut bench = Bench::new(&[service("t-simple.service")]);
    assert_eq!(bench.look(0), Outcome::Found(Presence::Absent));
    assert_eq!(stamp(), before, "nothing changed");
    bench.replace(&[]);
    bench.silence(SECOND / 2);
    assert_eq!(
        property("t-simple.service", "Description"),
        "A 100% sleeper"
    );
    assert!(!Path::new("/run/systemd/system/t-simple.service.d").exists());
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_drop_in_that_is_reverted_is_put_back() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let mut bench = Bench::new(&[service("t-simple.service")]);
    bench.look(0);
    assert_eq!(property("t-simple.service", "Restart"), "no");
    for _ in 0..2 {
        systemctl(&["revert", "t-simple.service"]);
        assert_eq!(property("t-simple.service", "Restart"), "always");
        bench.silence(SECOND * 2);
        assert_eq!(property("t-simple.service", "Restart"), "no");
        assert_eq!(property("t-simple.service", "NeedDaemonReload"), "no");
    }
}

#[test]
#[ignore = "needs a systemd of its own"]
fn a_new_configuration_keeps_the_watch_over_what_stays() {
    let _file = UnitFile::new("t-simple.service", SLEEP);
    let _other = UnitFile::new("t-other.service", SLEEP);
    let mut bench = Bench::new(&[service("t-other.service"), service("t-simple.service")]);
    bench.look(0);
    bench.look(1);
    assert_eq!(bench.start(0), Outcome::Done);
    assert_eq!(bench.start(1), Outcome::Done);
    // It moves to another place, with other settings, while an operation is in flight.
    let mut changed = service("t-simple.service");
    changed.restarts = 7;
    bench.services.stop(place(0));
    bench.replace(&[changed]);
    assert_eq!(bench.finished(0), Outcome::Done);
    kill(bench.main_pid(0), "KILL");
    assert_eq!(
        bench.lost(0, SECOND),
        "t-simple.service died: killed by SIGKILL"
    );
    // What is not configured any more is nobody's business.
    systemctl(&["start", "t-other"]);
    bench.silence(SECOND / 2);
    bench.stop(0);
}
