//! The subcommands as an operator meets them: the built program, its texts and exit codes.

#[path = "../src/testing.rs"]
mod testing;

use ha_appliance::shell::clock;
use ha_appliance::shell::lock::PidLock;
use ha_appliance::shell::orders::{Order, Verb};
use ha_appliance::shell::signals::{Signal, SignalSource, order_signal};
use ha_appliance::shell::status::Answers;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use testing::{Helper, TestDir, child, in_child, ready};

/// What the program said: exit code, stdout, stderr.
type Said = (i32, String, String);

/// Runs the program with all its directories in `dir`.
fn run(dir: &Path, line: &str) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ha-appliance"));
    command.args(line.split_whitespace()).env_remove("RUST_LOG");
    command.env("TZ", "UTC").env_remove("COLUMNS");
    command
        .arg("--run-dir")
        .arg(dir.join("run"))
        .arg("--state-dir")
        .arg(dir.join("state"));
    command.arg("--config").arg(dir.join("ha.toml"));
    said(command.output().unwrap())
}

fn said(output: Output) -> Said {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}

const GOOD: &str = r#"
[cluster]
name = "edge-lb"
key_file = "KEY"
[node.lb1]
links = ["10.1.1.1"]
[node.lb2]
links = ["10.1.1.2"]
[[group]]
name = "web"
[[group.resource]]
vip = "192.0.2.80/32"
interface = "eth9"
"#;

fn write_config(dir: &Path, text: &str) {
    let key = dir.join("key").display().to_string();
    std::fs::write(dir.join("ha.toml"), text.replace("KEY", &key)).unwrap();
    std::fs::set_permissions(dir.join("ha.toml"), PermissionsExt::from_mode(0o600)).unwrap();
}

// --- without a daemon ---

#[test]
fn without_a_daemon_every_command_says_how_to_start_it() {
    let dir = TestDir::new();
    for line in [
        "status",
        "status --json",
        "failover",
        "standby",
        "online lb2",
        "maintenance on",
        "stop web",
        "reload",
    ] {
        let (code, out, err) = run(&dir, line);
        assert_eq!((code, out.as_str()), (3, ""), "{line}");
        assert!(
            err.starts_with("ha-appliance is not running on this node"),
            "{line}: {err}"
        );
        assert!(
            err.contains("systemctl start ha-appliance") && err.contains("journalctl"),
            "{err}"
        );
    }
}

#[test]
fn an_unknown_subcommand_names_the_nearest() {
    let dir = TestDir::new();
    let (code, _, err) = run(&dir, "statsu");
    assert_eq!(
        (code, err.as_str()),
        (
            64,
            "`statsu` is no subcommand of ha-appliance; did you mean `status`?\n"
        )
    );
}

#[test]
fn help_and_version() {
    let program = || Command::new(env!("CARGO_BIN_EXE_ha-appliance"));
    let (code, out, _) = said(program().arg("--version").output().unwrap());
    assert_eq!(
        (code, out),
        (0, format!("ha-appliance {}\n", env!("CARGO_PKG_VERSION")))
    );
    let (code, out, _) = said(program().arg("--help").output().unwrap());
    assert_eq!(code, 0);
    assert!(
        out.contains("confirm-fenced") && out.contains("maintenance"),
        "{out}"
    );
    let (code, _, err) = said(program().output().unwrap());
    assert_eq!(code, 64);
    assert!(err.contains("--help"), "{err}");
}

#[test]
fn check_explains_a_good_file_and_places_a_mistake() {
    let dir = TestDir::new();
    write_config(&dir, GOOD);
    let (code, _, err) = run(&dir, "check --node lb1");
    assert_eq!(code, 78, "no key yet");
    assert!(err.contains("key"), "{err}");

    assert_eq!(run(&dir, "keygen --write").0, 0);
    let (code, out, err) = run(&dir, "check --node lb1");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.contains("edge-lb") && out.contains("UNPROTECTED"),
        "{out}"
    );

    write_config(&dir, &GOOD.replace("interface =", "interfaec ="));
    let (code, out, err) = run(&dir, "check --node lb1");
    assert_eq!((code, out.as_str()), (78, ""));
    assert!(
        err.contains("ha.toml:13:1: unknown key `interfaec`") && err.contains("interface"),
        "{err}"
    );

    write_config(&dir, GOOD);
    let (code, _, err) = run(&dir, "check --node lb3");
    assert_eq!(code, 78);
    assert!(err.contains("lb3") && err.contains("lb1 and lb2"), "{err}");
}

/// Exit code 1: the file is right, and this machine lacks something.
#[test]
fn check_finds_programs_that_cannot_be_run() {
    let dir = TestDir::new();
    let hook = dir.join("hook");
    let notify = format!("key_file = \"KEY\"\nnotify = \"{}\"", hook.display());
    write_config(&dir, &GOOD.replace("key_file = \"KEY\"", &notify));
    assert_eq!(run(&dir, "keygen --write").0, 0);
    let (code, out, err) = run(&dir, "check --node lb1");
    assert_eq!((code, err.as_str()), (1, ""));
    let (_, unable) = out.split_once("\nnot able to run here\n").unwrap();
    let told = format!(
        "{d}/ha.toml:5:10: {h} does not exist\n  5 | notify = \"{h}\"\n    |          {carets}\n    \
         install it, or correct the path\n",
        d = dir.display(),
        h = hook.display(),
        carets = "^".repeat(hook.display().to_string().len() + 2),
    );
    assert_eq!(unable, told);
    std::fs::write(&hook, "#!/bin/sh\n").unwrap();
    assert!(
        run(&dir, "check --node lb1")
            .1
            .contains("is not executable")
    );
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).unwrap();
    let (code, out, _) = run(&dir, "check --node lb1");
    assert_eq!(code, 0, "{out}");
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o777)).unwrap();
    let (code, out, _) = run(&dir, "check --node lb1");
    let risk = format!(
        "ha.toml line 5: {} runs as root and can be written by others",
        hook.display()
    );
    assert!(code == 0 && out.contains(&risk), "{out}");
}

/// In a network namespace of its own, which needs root: what must not be tried is refused with its place, and
/// the daemon does not start with it either.
#[test]
fn a_vip_that_is_this_machine_s_own_address_is_refused() {
    let dir = TestDir::new();
    write_config(&dir, &GOOD.replace("192.0.2.80/32", "192.0.2.80/24"));
    assert_eq!(run(&dir, "keygen --write").0, 0);
    for (command, address) in [
        ("check", "192.0.2.80/24"),
        ("check", "192.0.2.80/32"),
        ("run", "192.0.2.80/24"),
    ] {
        let script = format!(
            "ip link add eth9 type veth peer name far; ip link set eth9 up; ip addr add {address} dev eth9
             {} {command} --node lb1 --config {d}/ha.toml --run-dir {d}/run --state-dir {d}/state",
            env!("CARGO_BIN_EXE_ha-appliance"),
            d = dir.display()
        );
        let line = ["-n", "sh", "-c", &script];
        let (code, out, err) = said(Command::new("unshare").args(line).output().unwrap());
        assert_eq!((code, out.as_str()), (78, ""), "{err}");
        let told = format!(
            "/ha.toml:12:7: VIP 192.0.2.80 is an address of this machine ({address} on eth9)\n 12 | vip = "
        );
        assert!(err.contains(&told), "{err}");
    }
}

/// In namespaces of its own, which need root: named too late, then rightly, then wrongly.
#[test]
fn a_host_name_that_may_still_come_is_waited_for() {
    let dir = TestDir::new();
    write_config(&dir, GOOD);
    assert_eq!(run(&dir, "keygen --write").0, 0);
    let script = format!(
        "set -e; ha={}; all='--config {d}/ha.toml --run-dir {d}/run --state-dir {d}/state'
         hostname localhost; $ha run $all & daemon=$!
         until [ -e {d}/run/waiting ]; do sleep 0.05; done
         $ha status $all || echo status $?
         $ha failover $all || echo failover $?
         hostname lb1.example.net
         until $ha status --json $all | grep -q '\"node\":\"lb1\"'; do sleep 0.05; done 2>/dev/null
         ls {d}/run; kill $daemon; wait $daemon
         echo '(none)' >/proc/sys/kernel/hostname; $ha run $all & daemon=$!
         until [ -e {d}/run/waiting ]; do sleep 0.05; done
         kill $daemon; wait $daemon; echo ended well
         hostname lb7; $ha run $all || echo run $?",
        env!("CARGO_BIN_EXE_ha-appliance"),
        d = dir.display()
    );
    let (code, out, err) = said(
        Command::new("unshare")
            .args(["-u", "-n", "sh", "-c", &script])
            .output()
            .unwrap(),
    );
    assert_eq!(code, 0, "{out}{err}");
    let out: Vec<&str> = out.lines().collect();
    let files = ["ha-appliance.pid", "lock", "status.json"];
    let expected = [
        &["status 3", "failover 3"][..],
        &files,
        &["ended well", "run 78"],
    ]
    .concat();
    assert_eq!(out, expected, "{err}");
    let waits = format!(
        "waits for the host's name: this host is called localhost, and {}/ha.toml does not say which node that is; \
         its nodes are lb1 and lb2: say --node NAME, or name a node after the host",
        dir.display()
    );
    assert_eq!(
        err.matches(&waits).count(),
        3,
        "in the log and for both commands: {err}"
    );
    assert!(
        err.ends_with("say --node NAME, or name a node after the host\n"),
        "{err}"
    );
}

/// In a time namespace of its own, which needs root: a machine that is up for ten days and was suspended for
/// nine of them, which CLOCK_MONOTONIC does not count.
#[test]
fn any_age_of_the_machine_will_do() {
    let dir = TestDir::new();
    write_config(&dir, GOOD);
    assert_eq!(run(&dir, "keygen --write").0, 0);
    let script = format!(
        "all='--node lb1 --config {d}/ha.toml --run-dir {d}/run --state-dir {d}/state'; ha={}
         $ha run $all 2>/dev/null & daemon=$!
         until $ha standby $all 2>/dev/null; do sleep 0.05; done
         sleep 1.2; $ha status $all | grep 'lb1  here'; kill $daemon; wait $daemon; echo $?",
        env!("CARGO_BIN_EXE_ha-appliance"),
        d = dir.display()
    );
    let ages = ["--boottime", "864000", "--monotonic", "86400"];
    let mut command = Command::new("unshare");
    command
        .args(["-n", "-T"])
        .args(ages)
        .args(["--fork", "sh", "-c", &script]);
    let (code, out, err) = said(command.output().unwrap());
    let [standby, here, ended] = &out.lines().collect::<Vec<_>>()[..] else {
        panic!("{out}{err}");
    };
    assert_eq!((code, *ended), (0, "0"), "{err}");
    assert!(standby.contains("standby"), "{standby}");
    // Seconds, not days.
    assert!(
        here.contains("standby  v0") && here.ends_with(" s"),
        "{here}"
    );
}

/// In network namespaces of its own, which need root: a far host has the VIP.
#[test]
fn check_says_who_answers_for_a_vip() {
    let dir = TestDir::new();
    let text = GOOD
        .replace("192.0.2.80/32", "192.0.2.80/24")
        .replace("10.1.1", "192.0.2");
    write_config(&dir, &text);
    assert_eq!(run(&dir, "keygen --write").0, 0);
    let script = format!(
        "ip link add eth9 type veth peer name far address 02:00:00:00:00:02; unshare -n sleep 9 & far=$!
         until [ $(readlink /proc/$far/ns/net) != $(readlink /proc/self/ns/net) ]; do sleep 0.01; done
         ip link set far netns $far; ip link set eth9 up; ip addr add 192.0.2.1/24 dev eth9
         far() {{ nsenter --net --target $far ip \"$@\"; }}
         far link set far up; far addr add 192.0.2.80/24 dev far
         check() {{ {} check --node lb1 --config {d}/ha.toml --run-dir {d}/run --state-dir {d}/state; }}
         check | tail -1; far addr add 192.0.2.2/24 dev far; check | tail -1; kill $far",
        env!("CARGO_BIN_EXE_ha-appliance"),
        d = dir.display()
    );
    let mut command = Command::new("unshare");
    let (code, out, err) = said(command.args(["-n", "sh", "-c", &script]).output().unwrap());
    let [unknown, peer] = &out.lines().collect::<Vec<_>>()[..] else {
        panic!("{out}{err}");
    };
    let told = "  VIP 192.0.2.80 is answered for by 02:00:00:00:00:02: if that is not lb2, which may have it, another \
                host does; find it, or choose another address (eth9)";
    assert_eq!((code, *unknown), (0, told), "{err}");
    // What answers as the peer's own link does is the peer.
    assert!(!peer.contains("answered for"), "{peer}");
}

#[test]
fn keygen_prints_another_key_each_time_and_never_overwrites() {
    let dir = TestDir::new();
    let (code, first, _) = run(&dir, "keygen");
    assert_eq!(code, 0);
    assert!(
        first.len() == 65 && first.trim().bytes().all(|b| b.is_ascii_hexdigit()),
        "{first}"
    );
    assert_ne!(first, run(&dir, "keygen").1);

    let (code, _, err) = run(&dir, "keygen --write");
    assert_eq!(code, 78);
    assert!(
        err.contains("cannot read") && err.contains("ha.toml"),
        "{err}"
    );

    write_config(&dir, GOOD);
    let (code, out, _) = run(&dir, "keygen --write");
    assert_eq!(code, 0);
    assert!(out.contains("copy it to the other node"), "{out}");
    let key = dir.join("key");
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let written = std::fs::read(&key).unwrap();
    let (code, _, err) = run(&dir, "keygen --write");
    assert_eq!(code, 1);
    assert!(err.contains("exists and is left as it is"), "{err}");
    assert_eq!(std::fs::read(&key).unwrap(), written);
}

/// As for `check`, wherever one stands.
#[test]
fn keygen_takes_a_relative_key_file_from_beside_ha_toml() {
    let dir = TestDir::new();
    let config = "[cluster]\nname = \"x\"\nkey_file = \"keys-of-the-test\"\n";
    std::fs::write(dir.join("ha.toml"), config).unwrap();
    let (code, _, err) = run(&dir, "keygen --write");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(dir.join("keys-of-the-test").is_file());
}

#[test]
fn history_is_empty_at_first_and_then_tells() {
    let dir = TestDir::new();
    for (count, why) in [("0", "from 1"), ("x", "from 1")] {
        let (code, _, err) = run(&dir, &format!("history -n {count}"));
        assert_eq!(code, 64);
        assert!(err.contains(why), "{err}");
    }
    let (code, out, _) = run(&dir, "history");
    assert_eq!((code, out.starts_with("no history yet in ")), (0, true));
    std::fs::create_dir(dir.join("state")).unwrap();
    let entry = |n: i64, to: &str| {
        let entry = json!({
            "time": "2026-11-20T07:14:29.123Z", "boottime_us": n, "cluster": "edge-lb", "node": "lb1", "group": "web",
            "change": "role", "from": "starting", "to": to, "reason": "everything runs", "lasted_ms": 12,
        });
        format!("{entry}\n")
    };
    std::fs::write(
        dir.join("state/history.jsonl"),
        entry(1, "x") + "garbage\n" + &entry(2, "active"),
    )
    .unwrap();
    let line = "Nov 20 07:14:29  lb1  web: starting → active after 12 ms: everything runs\n";
    assert_eq!(
        run(&dir, "history --lines 1 --here"),
        (0, line.into(), String::new())
    );
    let (_, told, note) = run(&dir, "history --lines 1");
    assert_eq!(told, line);
    assert!(
        note.starts_with("note: nothing of the other node's history was told here"),
        "{note}"
    );
    let (_, json, _) = run(&dir, "history --json --lines=1");
    assert_eq!(
        serde_json::from_str::<Value>(&json).unwrap()["boottime_us"],
        2
    );
    let all = run(&dir, "history").1;
    assert_eq!(all.lines().count(), 3);
    let hole = "lb1  a line of lb1's history before this cannot be read: ";
    assert!(all.lines().nth(1).unwrap().contains(hole), "{all}");
}

// --- release ---

#[test]
fn release_is_refused_while_the_daemon_lives() {
    let dir = TestDir::new();
    write_config(&dir, GOOD);
    let lock = PidLock::acquire(&dir.join("run")).unwrap();
    let (code, _, err) = run(&dir, "release");
    assert_eq!(code, 1);
    assert!(
        err.starts_with(&format!("the daemon runs (process {})", std::process::id())),
        "{err}"
    );
    drop(lock);
    let (code, out, err) = run(&dir, "release");
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "none of the VIPs was here\n", "")
    );
}

#[test]
fn release_respects_maintenance_and_needs_the_file() {
    use ha_appliance::core::record::Record;
    use ha_appliance::shell::state;
    use ha_appliance::wire::heartbeat::{Given, Wish, WishSubject};
    let dir = TestDir::new();
    let (code, _, err) = run(&dir, "release");
    assert_eq!(code, 78);
    assert!(err.contains("without it the VIPs are not known"), "{err}");

    write_config(&dir, GOOD);
    let save = |on: bool| {
        let wishes = vec![Wish {
            subject: WishSubject::Maintenance,
            given: [
                Some(Given {
                    tag: 1,
                    taken_back: !on,
                }),
                None,
            ],
        }];
        let record = Record {
            wishes,
            ..Record::default()
        };
        state::save(&dir.join("state"), &state::Names::default(), &record).unwrap();
    };
    save(true);
    let (code, _, err) = run(&dir, "release");
    assert_eq!(code, 1);
    assert!(
        err.starts_with("maintenance is on") && err.contains("maintenance off"),
        "{err}"
    );
    save(false);
    assert_eq!(run(&dir, "release").0, 0);
}

/// In a network namespace of its own, which needs root, as the tests of the VIPs do.
#[test]
fn release_removes_the_vips_and_nothing_else() {
    let dir = TestDir::new();
    write_config(&dir, GOOD);
    let script = format!(
        "ip link set lo up; ip addr add 192.0.2.80/24 dev lo; ip addr add 192.0.2.81/32 dev lo
         {} release --config {d}/ha.toml --run-dir {d}/run --state-dir {d}/state; ip -o addr show dev lo >&2",
        env!("CARGO_BIN_EXE_ha-appliance"),
        d = dir.display()
    );
    let (code, out, err) = said(
        Command::new("unshare")
            .args(["-n", "sh", "-c", &script])
            .output()
            .unwrap(),
    );
    assert_eq!(
        (code, out.as_str()),
        (0, "removed 192.0.2.80/24 from lo\n"),
        "{err}"
    );
    assert!(
        err.contains("192.0.2.81/32") && err.contains("127.0.0.1") && !err.contains("192.0.2.80"),
        "{err}"
    );
}

// --- with a daemon, played by a process of this test ---

fn daemon(dir: &Path) -> Helper {
    std::fs::create_dir(dir.join("run")).unwrap();
    in_child("fake_daemon", dir)
}

#[test]
fn orders_reach_the_daemon_and_its_answers_the_operator() {
    let dir = TestDir::new();
    let _daemon = daemon(&dir);
    for (line, understood) in [
        ("failover", "Failover None"),
        ("failover db", "Failover Some(1)"),
        ("start db", "Start Some(1)"),
        ("standby", "StandbyFirst None"),
        ("standby lb2", "StandbySecond None"),
        ("online", "OnlineFirst None"),
        ("online lb2", "OnlineSecond None"),
        ("maintenance on", "MaintenanceOn None"),
        ("maintenance off", "MaintenanceOff None"),
        ("confirm-fenced lb2 --yes", "ConfirmFenced None"),
        (
            "confirm-fenced lb2 --yes --despite-signs-of-life",
            "ConfirmFencedDespite None",
        ),
        ("fence lb2 --yes", "Fence None"),
        ("fence --rehearse lb2 --yes", "FenceRehearse None"),
        ("failover --to lb2", "MoveToSecond None"),
        ("failover --yes db", "Failover Some(1)"),
        ("failover db --to lb1", "MoveToFirst Some(1)"),
        ("reload", "Reload None"),
        ("reload --dry-run", "ReloadDryRun None"),
    ] {
        assert_eq!(
            run(&dir, line),
            (0, format!("{understood}\n"), String::new()),
            "{line}"
        );
    }
    assert_eq!(
        run(&dir, "stop web --yes"),
        (1, String::new(), "refused, because\n".into())
    );
}

/// What takes a service down says so first, and does nothing without a clear word.
#[test]
fn what_costs_something_needs_a_yes() {
    let dir = TestDir::new();
    let _daemon = daemon(&dir);
    assert_eq!(
        run(&dir, "stop web"),
        (
            1,
            String::new(),
            "web is served by lb2: `stop web` takes it down on both nodes (192.0.2.80/32), until \
             `ha-appliance start web`\nnothing was done: give `--yes` if that is meant\n"
                .into()
        )
    );
    // It runs nowhere: there is nothing to lose.
    let (code, _, err) = run(&dir, "stop db");
    assert_eq!((code, err.as_str()), (1, "refused, because\n"));
}

/// Whoever is not heard may serve it.
#[test]
fn what_may_be_served_by_a_silent_peer_is_stopped_by_a_clear_word_only() {
    let dir = TestDir::new();
    let _lock = PidLock::acquire(&dir.join("run")).unwrap();
    let mut status = status(std::process::id(), clock::now().0);
    status["peer"]["state"] = json!("silent");
    status["groups"][0]["peer"] = json!(null);
    std::fs::write(dir.join("run/status.json"), status.to_string()).unwrap();
    let (code, _, err) = run(&dir, "stop web");
    assert_eq!(
        (code, err.as_str()),
        (
            1,
            "lb2 is silent and may serve web: `stop web` takes it down there once lb2 hears of it, until \
             `ha-appliance start web`\nnothing was done: give `--yes` if that is meant\n"
        )
    );
}

#[test]
fn a_peer_is_not_said_to_be_off_by_a_slip() {
    let dir = TestDir::new();
    let _lock = PidLock::acquire(&dir.join("run")).unwrap();
    let now = clock::now().0;
    let mut status = status(std::process::id(), now);
    status["peer"]["state"] = json!("unknown");
    status["peer"]["signs_of_life"] =
        json!([{"what": "lb2 answers for 192.0.2.80 on eth9", "heartbeat": false, "at_us": now}]);
    std::fs::write(dir.join("run/status.json"), status.to_string()).unwrap();
    // It would be refused, with `--yes` as well.
    let (code, _, err) = run(&dir, "confirm-fenced lb2");
    assert_eq!(code, 1);
    assert!(
        err.starts_with("refused: lb2 may well live:\nlb2 answers for 192.0.2.80 on eth9, "),
        "{err}"
    );
    assert!(
        err.ends_with("If it is off, that is over within 10 s: look again then\n"),
        "{err}"
    );
    let despite = "confirm-fenced lb2 --despite-signs-of-life";
    let (code, _, err) = run(&dir, despite);
    assert_eq!(code, 1);
    assert!(
        err.contains("both nodes will run everything at once"),
        "{err}"
    );
    assert!(
        err.contains("lb2 answers for 192.0.2.80 on eth9, "),
        "{err}"
    );
    assert!(
        err.ends_with("nothing was done: give `--yes` if that is meant\n"),
        "{err}"
    );
    assert!(!err.contains("could not see"), "{err}");
    // The gateway may be dead, and lb2 off; but this node cannot tell that from a cut cable of its own.
    status["interfaces"] = json!([{"name": "eth9", "carrier": true, "probe_proven": true}]);
    let gateway = |address: &str, state: &str| json!({"address": address, "interface": "eth9", "state": state, "since_us": now});
    status["gateways"] = json!([gateway("192.0.2.1", "lost")]);
    std::fs::write(dir.join("run/status.json"), status.to_string()).unwrap();
    let blind = "lb1 could not see whether lb2 lives (gateway 192.0.2.1 on eth9 does not answer): it may be lb1 that \
                 is cut off, while lb2 serves";
    let (_, _, err) = run(&dir, despite);
    assert!(err.contains(blind), "{err}");
    // One of two answers.
    status["gateways"] = json!([gateway("192.0.2.1", "lost"), gateway("192.0.2.2", "good")]);
    std::fs::write(dir.join("run/status.json"), status.to_string()).unwrap();
    let (_, _, err) = run(&dir, despite);
    assert!(!err.contains("could not see"), "{err}");
    // What is dropped here was sent by something.
    status["refused"] = json!([{"cause": "other key", "own": "10.1.1.1", "peer": "10.1.1.2", "count": 9, "last_us": now}]);
    std::fs::write(dir.join("run/status.json"), status.to_string()).unwrap();
    let (_, _, err) = run(&dir, despite);
    let sent = "\n10.1.1.2 → 10.1.1.1: heartbeats signed with another key are dropped: has lb2 another key?\n";
    assert!(err.contains(sent), "{err}");
}

/// What would be lost is refused by the daemon; what nobody knows is asked.
#[test]
fn a_move_to_a_node_whose_file_is_not_known_needs_a_yes() {
    let dir = TestDir::new();
    let _lock = PidLock::acquire(&dir.join("run")).unwrap();
    let mut status = status(std::process::id(), clock::now().0);
    status["peer"]["drift"] = json!(true);
    std::fs::write(dir.join("run/status.json"), status.to_string()).unwrap();
    for line in [
        "failover",
        "failover web",
        "failover web --to lb1",
        "standby lb2",
    ] {
        let (code, _, err) = run(&dir, line);
        assert_eq!(
            (code, err.as_str()),
            (
                1,
                "ha.toml differs between lb1 and lb2, and lb2 has not told in what: what the node that takes over \
                 does not list would be served by nobody\nnothing was done: give `--yes` if that is meant\n"
            ),
            "{line}"
        );
    }
}

#[test]
fn the_last_usable_node_goes_to_standby_by_a_clear_word_only() {
    let dir = TestDir::new();
    let _lock = PidLock::acquire(&dir.join("run")).unwrap();
    let mut status = status(std::process::id(), clock::now().0);
    status["peer"]["state"] = json!("silent");
    status["groups"][0]["role"] = json!("active");
    status["groups"][0]["peer"] = json!(null);
    std::fs::write(dir.join("run/status.json"), status.to_string()).unwrap();
    let (code, _, err) = run(&dir, "standby");
    assert_eq!(code, 1);
    assert!(
        err.starts_with("lb1 is the last node that can run web: lb2 is silent. In standby it would be served by nobody"),
        "{err}"
    );
}

#[test]
fn one_line_one_group_and_json_say_the_same() {
    let dir = TestDir::new();
    let _daemon = daemon(&dir);
    let (code, out, _) = run(&dir, "status --brief");
    assert_eq!(code, 2);
    assert_eq!(
        out,
        "edge-lb on lb1: BLOCKED: web on lb2, db NOWHERE; db: runs nowhere: the right to run it is lb2's\n"
    );
    let line = "edge-lb on lb1: all well: web on lb2\n".to_owned();
    assert_eq!(run(&dir, "status --brief web"), (0, line, String::new()));
    let (code, out, _) = run(&dir, "status web");
    assert_eq!(code, 0, "{out}");
    assert!(
        out.starts_with("web         192.0.2.80/32: active on lb2, by its word; stopped on lb1"),
        "{out}"
    );
    let (code, _, err) = run(&dir, "status wbe");
    assert_eq!(
        (code, err.as_str()),
        (64, "there is no group `wbe`; there are: web, db\n")
    );
    let (code, out, _) = run(&dir, "status --json");
    assert_eq!(code, 2);
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["verdict"], "blocked");
    let first = &value["attention"][0];
    assert_eq!(
        (&first["severity"], &first["group"]),
        (&json!("blocked"), &json!("db"))
    );
    assert_eq!(
        first["text"],
        "db: runs nowhere: the right to run it is lb2's"
    );
}

/// A file that is broken now says nothing of the pair, which runs with the one before.
#[test]
fn doctor_asks_the_daemon_whatever_the_file_is_like() {
    let dir = TestDir::new();
    write_config(&dir, GOOD); // without its key
    let (code, out, err) = run(&dir, "doctor");
    assert_eq!((code, err.as_str()), (2, ""), "{out}");
    let mistake = format!(
        "  error    ha.toml  {}/ha.toml:4:12: the key file",
        dir.display()
    );
    assert!(out.starts_with(&format!("here\n{mistake}")), "{out}");
    assert!(out.contains("`ha-appliance check` shows it"), "{out}");
    assert!(out.contains("the other node was not asked"), "{out}");
    let _daemon = daemon(&dir);
    let (code, out, _) = run(&dir, "doctor");
    assert_eq!(code, 2, "{out}");
    assert!(out.starts_with("lb1\n") && out.contains(&mistake), "{out}");
    assert!(
        out.contains("  ok       daemon   runs, version 0.1.0"),
        "{out}"
    );
    assert!(
        out.contains(
            "lb2\n  error    peer     lb2 cannot be asked: lb2's answer is of another version"
        ),
        "{out}"
    );
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    let dir = TestDir::new();
    let _daemon = daemon(&dir);
    let (code, _, err) = run(&dir, "failover wbe");
    assert_eq!(code, 1);
    assert!(
        err.starts_with("the daemon runs no group `wbe`; its groups are: web, db"),
        "{err}"
    );
    let (code, _, err) = run(&dir, "standby lb3");
    assert_eq!(
        (code, err.as_str()),
        (1, "there is no node `lb3`; the nodes are lb1 and lb2\n")
    );
    let (code, _, err) = run(&dir, "confirm-fenced lb1");
    assert_eq!(
        (code, err.as_str()),
        (1, "lb1 is this very node; the peer is lb2\n")
    );
}

#[test]
fn a_daemon_that_dies_is_noticed_at_once() {
    let dir = TestDir::new();
    let daemon = daemon(&dir);
    let (code, _, err) = run(&dir, "clear");
    assert_eq!(code, 3);
    assert!(
        err.starts_with(&format!("the daemon (process {})", daemon.pid())),
        "{err}"
    );
    assert!(
        err.contains("ended before it answered") && err.contains("journalctl"),
        "{err}"
    );
}

#[test]
fn status_of_a_fresh_daemon() {
    let dir = TestDir::new();
    let _daemon = daemon(&dir);
    let (code, out, _) = run(&dir, "status");
    assert_eq!(code, 2, "{out}");
    assert!(
        out.starts_with("cluster     edge-lb as lb1 sees it: BLOCKED\n"),
        "{out}"
    );
    assert!(
        out.contains("db          192.0.2.80/32: NOT ACTIVE") && !out.contains('\x1b'),
        "{out}"
    );
    let (code, out, _) = run(&dir, "status --json");
    assert_eq!(code, 2);
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap()["groups"][1]["name"],
        "db"
    );
}

/// Who may not know whom the lock belongs to is told by the status alone.
#[test]
fn anybody_may_ask_how_things_are_and_root_alone_gives_orders() {
    let dir = TestDir::new();
    let program = dir.join("ha-appliance");
    testing::install(Path::new(env!("CARGO_BIN_EXE_ha-appliance")), &program);
    let nobody = |line: &str| {
        let mut command = Command::new(&program);
        command.args(line.split_whitespace()).uid(65534).gid(65534);
        command.arg("--run-dir").arg(dir.join("run"));
        said(command.output().unwrap())
    };
    let mut daemon = daemon(&dir);
    let (code, out, err) = nobody("status");
    assert_eq!((code, err.as_str()), (2, ""), "{out}");
    assert!(out.starts_with("cluster     edge-lb as lb1 sees it: BLOCKED\n"));
    assert_eq!(
        nobody("failover"),
        (
            1,
            String::new(),
            "only root may give the daemon orders: run this as root (sudo); `status` is for everybody\n".into()
        )
    );
    daemon.kill();
    let (code, _, err) = nobody("status");
    assert_eq!(code, 3);
    assert!(err.starts_with("ha-appliance is not running"), "{err}");
}

/// Not even its own user may look into its memory, nor is there ever a core of it: that might hold the key.
/// The kernel gives root what it shows of such a process in /proc.
#[test]
fn its_memory_is_its_own() {
    use std::os::unix::fs::MetadataExt;
    let dir = TestDir::new();
    let program = dir.join("ha-appliance");
    testing::install(Path::new(env!("CARGO_BIN_EXE_ha-appliance")), &program);
    let mut command = Command::new(&program);
    command.args(["status", "--watch"]).uid(65534).gid(65534);
    command.stdout(std::process::Stdio::null());
    let mut watching = command.spawn().unwrap();
    let memory = format!("/proc/{}/mem", watching.id());
    testing::wait_until(|| std::fs::metadata(&memory).unwrap().uid() == 0);
    // What the kernel shows of an ended one is root's, too.
    assert_eq!(watching.try_wait().unwrap(), None);
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
fn an_old_truth_is_not_shown() {
    let dir = TestDir::new();
    let _lock = PidLock::acquire(&dir.join("run")).unwrap();
    let pid = std::process::id();
    let start = format!("ha-appliance (process {pid}) is not responding: ");
    let old = clock::now().0 - 7_000_000;
    let other_schema = {
        let mut s = status(pid, clock::now().0);
        s["schema"] = json!(2);
        s
    };
    let other_boot = {
        let mut s = status(pid, clock::now().0);
        s["boot_id"] = json!("x");
        s
    };
    for (text, why) in [
        (String::new(), "it has not written its status yet"),
        ("{".into(), "is not understood"),
        (status(pid, old).to_string(), "its status is 7."),
        (
            status(1, clock::now().0).to_string(),
            "its status is of an earlier daemon (process 1)",
        ),
        (other_boot.to_string(), "its status is of an earlier boot"),
        (
            other_schema.to_string(),
            "its status has schema 2, and this program knows 1",
        ),
    ] {
        let file = dir.join("run/status.json");
        if !text.is_empty() {
            // else: no file yet
            std::fs::write(&file, text).unwrap();
        }
        let (code, out, err) = run(&dir, "status");
        assert_eq!((code, out.as_str()), (3, ""));
        assert!(err.starts_with(&start) && err.contains(why), "{why}: {err}");
        assert!(err.contains("systemctl restart ha-appliance"), "{err}");
    }
}

/// A healthy standby's view of "web", and "db" that runs nowhere.
fn status(pid: u32, stamp_us: i64) -> Value {
    let group = |name: &str, peer_role: &str| {
        json!({
            "name": name, "vips": ["192.0.2.80/32"], "role": "stopped", "since_us": stamp_us, "reason": "looked at everything: nothing runs",
            "epoch": 1, "holder": "lb2", "readiness": "able", "facts": [], "peer": {"role": peer_role, "readiness": "able"},
            "waiting": null, "fail_count": 0, "peer_fail_count": 0, "stopped": false, "failback_held": false,
        })
    };
    json!({
        "schema": 1, "cluster": "edge-lb", "node": "lb1", "boot_id": clock::boot_id(), "stamp_us": stamp_us, "stamp": "",
        "daemon": {"pid": pid, "incarnation": "1", "order_signal": order_signal(), "software": "0.1.0", "config": "", "generation": 9, "reload_error": null,
                   "started_us": stamp_us, "notices": []},
        "maintenance": false, "leaving": false, "state_unwritable": null,
        "nodes": [{"name": "lb1", "here": true, "standby": false}, {"name": "lb2", "here": false, "standby": false}],
        "peer": {"state": "alive", "since_us": stamp_us, "reason": "heard", "heard_us": stamp_us, "software": "0.1.0", "drift": false},
        "paths": [], "interfaces": [], "gateways": [],
        "groups": [group("web", "active"), group("db", "stopped")],
        "counters": {}, "answers": [],
    })
}

/// Not a test: the process that plays the daemon. It answers with what it understood, refuses to
/// stop anything, and dies of `clear`.
#[test]
#[ignore = "plays the daemon for the other tests"]
fn fake_daemon() {
    child(|dir| {
        let signals = SignalSource::block().unwrap();
        let run_dir = dir.join("run");
        let _lock = PidLock::acquire(&run_dir).unwrap();
        let mut answers = Answers::default();
        loop {
            let mut status = status(std::process::id(), clock::now().0);
            status["answers"] = serde_json::to_value(answers.to_vec()).unwrap();
            std::fs::write(run_dir.join("status.tmp"), status.to_string()).unwrap();
            std::fs::rename(run_dir.join("status.tmp"), run_dir.join("status.json")).unwrap();
            ready(dir);
            std::thread::sleep(Duration::from_millis(1));
            let Some(Signal::Order(Ok(order))) = signals.try_next() else {
                continue;
            };
            let Order {
                verb,
                group,
                generation,
                number,
            } = order;
            assert_eq!(generation, ha_appliance::shell::orders::Generation::of(9));
            match verb {
                Verb::Clear => return,
                Verb::Stop => answers.finish(number, false, "refused, because"),
                _ => answers.finish(number, true, format!("{verb:?} {group:?}")),
            }
        }
    });
}
