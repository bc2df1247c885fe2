//! `[[fence]]` and `[fencing]`: what is right, what is wrong, and what `check` makes of it.

use crate::BASE;
use crate::machine::host;
use ha_appliance::agents::fence::ipmi::{Privilege, suite::Suite};
use ha_appliance::config::{
    After, Config, Device, Kind, Machine, Unsound, explain, misfits, parse_with_key_file, resolve,
};
use ha_appliance::wire::heartbeat::Side;
use std::path::Path;
use std::time::Duration;

const FENCES: &str = r#"
[[fence]]
node = "lb1"
ipmi = { address = "10.1.2.201", user = "ha", password_file = "bmc.pw" }
[[fence]]
node = "lb2"
ipmi = { address = "10.1.2.202", user = "ha", password_file = "bmc.pw", privilege = "administrator", suite = 3, kg_file = "kg", port = 6230 }
[[fence]]
node = "lb2"
agent = { name = "fence_redfish", options = { ip = "10.1.2.202", ssl_insecure = true, login_timeout = 9, password_file = "bmc.pw" } }
"#;

fn parse(more: &str) -> Result<Config, String> {
    let text = format!("{BASE}{more}");
    let key = "00112233445566778899aabbccddeeff";
    let path = Path::new("/etc/ha-appliance/ha.toml");
    parse_with_key_file(&text, path, key).map_err(|error| error.to_string())
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn devices_stand_in_the_order_of_the_file_under_the_node_that_they_switch_off() {
    let fencing = parse(FENCES).unwrap().fencing.unwrap();
    let names = |side| {
        let devices = fencing.against(side).iter();
        devices.map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names(Side::First), ["ipmi 10.1.2.201"]);
    assert_eq!(
        names(Side::Second),
        ["ipmi 10.1.2.202:6230", "fence_redfish"]
    );
    let Device::Ipmi(plain) = &fencing.against(Side::First)[0] else {
        panic!("no BMC");
    };
    assert_eq!((plain.privilege, plain.suite), (Privilege::Operator, None));
    assert_eq!(plain.password, b"secret", "without the newline at its end");
    let Device::Ipmi(other) = &fencing.against(Side::Second)[0] else {
        panic!("no BMC");
    };
    assert_eq!(other.privilege, Privilege::Administrator);
    assert_eq!(other.suite, Some(Suite::Three));
    assert_eq!(other.kg.as_deref(), Some(&b"secret"[..]));
    let Device::Agent(agent) = &fencing.against(Side::Second)[1] else {
        panic!("no agent");
    };
    let options = agent.options.iter().map(|(n, v)| format!("{n}={v}"));
    assert_eq!(
        options.collect::<Vec<_>>(),
        [
            "ip=10.1.2.202",
            "ssl_insecure=1",
            "login_timeout=9",
            "password=secret"
        ]
    );
    let shown = format!("{fencing:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("115"),
        "{shown}"
    );
}

#[test]
fn the_delay_is_the_least_that_is_safe() {
    let bmcs = &FENCES[..FENCES.rfind("[[fence]]").unwrap()];
    let delay = |text: &str| parse(text).unwrap().fencing.unwrap().delay;
    assert_eq!(delay(bmcs), ms(9000));
    assert_eq!(delay(FENCES), ms(19_000), "an agent is slower");
    assert_eq!(
        delay(&format!("{bmcs}[fencing]\npatience = \"4s\"\n")),
        ms(11_000)
    );
    assert_eq!(
        delay(&format!("{bmcs}[fencing]\ndelay = \"30s\"\n")),
        ms(30_000)
    );
    let defaults = parse(bmcs).unwrap().fencing.unwrap();
    assert_eq!((defaults.patience, defaults.settle), (ms(2000), ms(1000)));
    assert_eq!(
        (defaults.off_deadline, defaults.probe),
        (ms(60_000), ms(120_000))
    );
    assert_eq!(defaults.after, After::On);
}

#[test]
fn mistakes_are_told_with_their_place_and_no_secret() {
    let bmc = r#"ipmi = { address = "10.1.2.201", user = "ha", password_file = "bmc.pw" }"#;
    let one = |node: &str, device: &str| format!("[[fence]]\nnode = \"{node}\"\n{device}\n");
    let both = |device: &str| one("lb1", device) + &one("lb2", bmc);
    let cases = [
        (
            one("lb1", bmc),
            "24:1: there is a device that switches lb1 off, and none for lb2",
        ),
        (both("ipmi = { user = \"ha\" }"), "ipmi has no `address`"),
        (
            both("ipmi = { user = \"ha\" }"),
            "ipmi has no `password_file`",
        ),
        (
            both(&bmc.replace("10.1.2.201", "bmc1")),
            "`bmc1` is not an IP address",
        ),
        (
            both(&bmc.replace("\"ha\"", "\"an-administrator1\"")),
            "`user` has 17 bytes",
        ),
        (both(&bmc.replace(" }", ", suite = 8 }")), "`suite` is 8"),
        (
            both(&bmc.replace(" }", ", privilege = \"user\" }")),
            "a `user` may not switch power",
        ),
        (
            both(&bmc.replace("password_file", "password")),
            "unknown key `password` in ipmi",
        ),
        (
            both(&format!("{bmc}\nagent = {{ name = \"fence_redfish\" }}")),
            "both `ipmi` and `agent`",
        ),
        (both(""), "a `[[fence]]` with neither `ipmi` nor `agent`"),
        (one("lb3", bmc), "`lb3` is no node"),
        (
            both("agent = { name = \"redfish\" }"),
            "`redfish` is no fence agent",
        ),
        (
            both("agent = { name = \"fence_redfish\", options = { password = \"hunter2\" } }"),
            "option `password` is secret, and ha.toml gets shown around",
        ),
        (
            both(bmc) + "[fencing]\ndelay = \"8s\"\n",
            "`delay` is 8s, and must be at least 9s",
        ),
        (
            both(bmc) + "[fencing]\nafter = \"reboot\"\n",
            "`after` is `reboot`",
        ),
        (
            both(bmc) + "[fencing]\npatience = \"500ms\"\n",
            "`patience` is 500ms, outside 1s to 1h",
        ),
        ("[fencing]\n".into(), "[fencing] without a `[[fence]]`"),
    ];
    for (text, told) in cases {
        let error = parse(&text).expect_err(&text);
        assert!(error.contains(told), "{text}\n{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn patience_outlasts_detection() {
    let slow = BASE.replace("100ms", "1s");
    let path = Path::new("/etc/ha-appliance/ha.toml");
    let key = "00112233445566778899aabbccddeeff";
    let error = parse_with_key_file(&format!("{slow}{FENCES}"), path, key);
    let error = error.unwrap_err().to_string();
    let told = "`patience` of 2s does not outlast the detection time of 5s";
    assert!(error.contains(told), "{error}");
}

#[test]
fn what_the_file_means_is_explained() {
    let config = parse(FENCES).unwrap();
    let (resolved, warnings) = resolve(&config, Side::First, &host());
    let told = explain(&config, Side::First, &resolved, &warnings);
    for line in [
        "PROTECTED while the devices answer",
        "lb1 is switched off by ipmi 10.1.2.201 as ha\n",
        "lb2 is switched off by ipmi 10.1.2.202:6230 as ha, then fence_redfish\n",
        "lb1 shoots after 2s of silence while it serves a group, else after 2 x 19s; lb2 after\n  19s",
    ] {
        assert!(told.contains(line), "{line:?} is not in\n{told}");
    }
    assert!(!told.contains("UNPROTECTED"), "{told}");
}

#[test]
fn an_agent_that_says_otherwise_is_wrong_and_one_that_is_not_there_concerns_who_asks_it() {
    let config = parse(FENCES).unwrap();
    let unsound = |wrong| Machine {
        agents: vec![Unsound {
            side: Side::Second,
            level: 1,
            wrong,
            what: "fence_redfish: it knows no option ipp".into(),
        }],
        ..Machine::default()
    };
    let found = |side, wrong| misfits(&config, side, &unsound(wrong));
    let [wrong] = &found(Side::First, true)[..] else {
        panic!("it is told once");
    };
    assert_eq!(wrong.kind, Kind::Wrong);
    assert!(
        wrong
            .to_string()
            .contains("ha.toml:31:1: fence_redfish: it knows"),
        "{wrong}"
    );
    assert_eq!(found(Side::First, false)[0].kind, Kind::Unable);
    assert_eq!(found(Side::Second, false), [], "lb1 asks it");
    assert_eq!(found(Side::Second, true).len(), 1, "both have the file");
}
