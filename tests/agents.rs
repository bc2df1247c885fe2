//! Fence agents below the real runner: scripts with the field's misbehaviour, and those of fence-agents.

mod bmc;
#[path = "../src/testing.rs"]
#[allow(dead_code)] // the shell's tests use the rest
mod testing;

use bmc::off::{self, Off, SETTLE};
use bmc::{TestBmc, USER};
use ha_appliance::agents::fence::agent::{self, Agent, Options, Power};
use ha_appliance::agents::program::Programs;
use ha_appliance::core::event::Ask;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use testing::TestDir;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(3);

fn programs() -> Programs {
    Programs::here(Path::new(env!("CARGO_BIN_EXE_ha-appliance")))
}

/// None: it is on all the time.
fn off(agent: &Agent, within: Duration) -> Option<Off> {
    let programs = programs();
    let ask = |ask| match ask {
        Ask::Status => smol::block_on(agent.status(&programs, LONG)).map(|it| it == Power::Off),
        Ask::Off => smol::block_on(agent.order_off(&programs, SHORT)).map(|_| true),
    };
    off::off(ask, within).unwrap()
}

/// An agent that notes each action; `body` says what it does of it. The power is the file `on`.
struct Script {
    directory: TestDir,
    agent: Agent,
}

impl Script {
    fn new(body: &str) -> Script {
        let directory = TestDir::new();
        let at = &*directory;
        let program = at.join("fence_test");
        let text = format!(
            "#!/bin/sh\ncd {}\nwhile read line; do case $line in action=*) action=${{line#action=}};; esac; \
             echo \"$line\" >>told; done\n{body}\n",
            at.display()
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(at.join("on"), "").unwrap();
        let options = vec![("ip".into(), "10.1.1.1".into())];
        let agent = Agent { program, options };
        Script { directory, agent }
    }

    fn off(&self) -> Off {
        off(&self.agent, LONG).expect("it goes off")
    }

    fn status(&self, within: Duration) -> Result<Power, String> {
        let status = smol::block_on(self.agent.status(&programs(), within));
        status.map_err(|failure| failure.to_string())
    }

    /// The actions it was asked for.
    fn asked(&self) -> Vec<String> {
        let told = std::fs::read_to_string(self.directory.join("told")).unwrap_or_default();
        let actions = told.lines().filter_map(|line| line.strip_prefix("action="));
        actions.map(String::from).collect()
    }
}

const STATUS: &str = "[ $action != status ] || { [ -e on ] && exit 0; exit 2; }";

#[test]
fn off_is_what_two_looks_of_our_own_find_off() {
    let script = Script::new(&format!("{STATUS}; rm on"));
    let off = script.off();
    assert!(off.accepted.is_some());
    assert!(off.verified >= off.first + SETTLE, "{off:?}");
    assert_eq!(script.asked(), ["status", "off", "status", "status"]);
    // What reads off from the start is sent nothing.
    let again = script.off();
    assert_eq!(again.accepted, None);
    assert_eq!(script.asked()[4..], ["status", "status"]);
}

#[test]
fn an_agent_that_lies_is_found_out_and_asked_again() {
    let script = Script::new(&format!("{STATUS}; exit 0"));
    assert!(off(&script.agent, Duration::from_secs(7)).is_none());
    let off = |asked: &Vec<String>| asked.iter().filter(|a| *a == "off").count();
    assert_eq!(off(&script.asked()), 2);
}

#[test]
fn a_machine_that_comes_back_between_two_looks_is_not_off() {
    let script = Script::new(
        "case $action in off) echo x >>offs; rm -f on;; status) [ -e on ] && exit 0; \
         [ $(wc -l <offs) -gt 1 ] || touch on; exit 2;; esac",
    );
    let off = script.off();
    assert!(off.accepted.unwrap() >= Duration::from_secs(5), "{off:?}");
    assert_eq!(script.asked().iter().filter(|a| *a == "off").count(), 2);
}

#[test]
fn a_status_that_is_not_known_is_neither_on_nor_off() {
    let script = Script::new("[ $action = status ] && { echo no plug >&2; exit 1; }");
    assert_eq!(
        script.status(LONG).unwrap_err(),
        "its status ended with 1: no plug"
    );
    let mute = Script::new("exit 1");
    assert_eq!(
        mute.status(SHORT).unwrap_err(),
        "its status ended with 1 and said nothing"
    );
}

#[test]
fn one_that_hangs_is_ended_with_all_that_it_started() {
    let script = Script::new("sleep 1000 & echo $! >child; sleep 1000");
    let begun = Instant::now();
    let said = script.status(SHORT).unwrap_err();
    assert_eq!(said, "its status did not end within 3.0 s");
    assert!(begun.elapsed() < LONG);
    let child = std::fs::read_to_string(script.directory.join("child")).unwrap();
    assert!(!Path::new("/proc").join(child.trim()).exists());
}

#[test]
fn a_hanging_off_leaves_time_to_look() {
    let script = Script::new(&format!("{STATUS}; rm on; sleep 1000"));
    let off = script.off();
    assert_eq!(off.accepted, None, "it never said so");
}

#[test]
fn one_that_leaves_a_child_behind_is_not_waited_for() {
    let script = Script::new(&format!("sleep 1000 & {STATUS}"));
    let begun = Instant::now();
    assert_eq!(script.status(LONG), Ok(Power::On));
    assert!(begun.elapsed() < LONG);
}

#[test]
fn of_megabytes_the_last_line_is_the_reason() {
    let script =
        Script::new("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the reason; exit 1");
    let said = script.status(LONG).unwrap_err();
    assert_eq!(said, "its status ended with 1: the reason");
}

#[test]
fn one_that_is_killed_says_by_what() {
    let script = Script::new("kill -9 $$");
    let said = script.status(LONG).unwrap_err();
    assert_eq!(said, "its status was ended by signal 9");
    let nothing = Agent {
        program: "/nowhere/fence_x".into(),
        options: vec![],
    };
    let said = smol::block_on(nothing.status(&programs(), LONG)).unwrap_err();
    assert_eq!(said.to_string(), "cannot be run: no such file or directory");
}

#[test]
fn agents_are_found_by_name_or_whole_path() {
    assert_eq!(agent::find("/opt/x"), Ok(PathBuf::from("/opt/x")));
    for name in ["ipmilan", "fence_x/../../bin/sh", "reboot"] {
        let said = agent::find(name).unwrap_err();
        assert!(said.contains("their names begin with fence_"), "{said}");
    }
    let said = agent::find("fence_nowhere").unwrap_err();
    assert!(
        said.contains("is the package fence-agents installed?"),
        "{said}"
    );
}

/// Their metadata can be read, and what they lack keeps those out that switch no power.
#[test]
fn agents_of_the_package_are_judged_by_their_metadata() {
    let verdict = |name: &str| {
        let metadata = smol::block_on(agent::metadata(&agent::find(name).unwrap())).unwrap();
        let problems = agent::problems(&metadata, &vec![]);
        let of_actions = |p: &String| p.starts_with("it has no") || p.starts_with("it cannot");
        problems.into_iter().find(of_actions)
    };
    for name in [
        "fence_redfish",
        "fence_apc_snmp",
        "fence_aws",
        "fence_virsh",
    ] {
        assert_eq!(verdict(name), None, "{name}");
    }
    for (name, why) in [
        ("fence_scsi", "it cannot reboot a machine"),
        ("fence_brocade", "it cannot reboot a machine"),
        ("fence_kdump", "it has no action on, status"),
        ("fence_heuristics_ping", "it has no action status"),
    ] {
        assert!(verdict(name).unwrap().starts_with(why), "{name}");
    }
}

fn options(list: &[(&str, &str)]) -> Options {
    list.iter()
        .map(|(n, v)| (n.to_string(), v.to_string()))
        .collect()
}

#[test]
fn fence_ipmilan_switches_a_bmc_off_and_on() {
    const PASSWORD: &str = "it's \"20\" `#$";
    let bmc = TestBmc::start();
    bmc.state().password = PASSWORD.into();
    let agent = Agent {
        program: agent::find("fence_ipmilan").unwrap(),
        options: options(&[
            ("ip", &bmc.address.ip().to_string()),
            ("ipport", &bmc.address.port().to_string()),
            ("username", USER),
            ("password", PASSWORD),
            ("lanplus", "1"),
            ("cipher", "17"),
            ("privlvl", "operator"),
            ("power_wait", "0"),
        ]),
    };
    let metadata = smol::block_on(agent::metadata(&agent.program)).unwrap();
    assert_eq!(agent::problems(&metadata, &agent.options), [""; 0]);
    let programs = programs();
    let status = || smol::block_on(agent.status(&programs, LONG));
    smol::block_on(agent.monitor(&programs, LONG)).unwrap();
    assert_eq!(status(), Ok(Power::On));
    let off = off(&agent, LONG).unwrap();
    assert!(off.accepted.is_some());
    assert!(!bmc.state().on);
    assert_eq!(status(), Ok(Power::Off));
    smol::block_on(agent.on(&programs, LONG)).unwrap();
    assert!(bmc.state().on);
    // What it says is the reason that is shown.
    let wrong = Agent {
        options: vec![],
        ..agent
    };
    let said = smol::block_on(wrong.status(&programs, LONG)).unwrap_err();
    assert!(said.to_string().contains("Failed: You have to"), "{said}");
}

/// It calls a machine that it does not know off: without a shot, which the readiness of a device is judged by.
#[test]
fn fence_dummy_lies_and_that_is_seen() {
    let directory = TestDir::new();
    let file = directory.join("missing");
    let agent = Agent {
        program: agent::find("fence_dummy").unwrap(),
        options: options(&[("status_file", &file.display().to_string())]),
    };
    let off = off(&agent, LONG).unwrap();
    assert_eq!(off.accepted, None);
}
