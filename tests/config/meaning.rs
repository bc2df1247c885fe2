//! What a good file means.

use crate::BASE;
use ha_appliance::agents::program::Program;
use ha_appliance::config::keys::TABLES;
use ha_appliance::config::{
    Check, Config, Failback, Gateway, HeartbeatTimes, Mode, Probe, Require, Service,
    generate_key_line, parse_with_key_file,
};
use ha_appliance::wire::heartbeat::Side;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

#[test]
fn what_is_not_written_has_its_default() {
    let config = parse(BASE);
    assert_eq!(config.cluster.name, "edge-lb");
    assert_eq!(config.cluster.keys, [vec![7; 32]]);
    assert_eq!(config.cluster.start_wait, Duration::from_secs(10));
    assert!(!config.cluster.wait_for_peer);
    assert_eq!(config.cluster.notify, None);
    assert_eq!(config.cluster.notify_user, None);
    assert_eq!(config.heartbeat, HeartbeatTimes::default());
    assert_eq!(config.heartbeat.port, 5405);
    assert_eq!(
        config.heartbeat.detection_time(),
        Duration::from_millis(500)
    );
    assert_eq!(config.nodes[0].name, "lb1");
    assert_eq!(config.nodes[1].links[0], ip("10.1.1.2"));
    let addresses = Some(vec![ip("192.168.10.1")]);
    let gateway = Gateway {
        addresses,
        ..Gateway::default()
    };
    assert_eq!(config.gateway, gateway);
    assert_eq!(config.groups[0].prefer, Some(Side::First));
    assert_eq!(config.groups[0].failback, Failback::Manual);
    let commented = format!("# of both nodes\n{BASE}");
    assert_eq!(config.digest, parse(&commented).digest);
    assert_eq!(config.path, Path::new("/etc/ha-appliance/ha.toml"));

    let without = BASE.replace("[gateway]\naddresses = [\"192.168.10.1\"]\n", "");
    let without = without.replace("[heartbeat]\ninterval = \"100ms\"\nmisses = 5\n", "");
    assert_eq!(parse(&without).gateway, Gateway::default());
    assert_eq!(parse(&without).heartbeat, HeartbeatTimes::default());
}

#[test]
fn what_is_written_is_read() {
    let text = r#"
        [cluster]
        name = "c.1"
        key = "00112233445566778899AABBCCDDEEFF"
        start_wait = "1m"
        wait_for_peer = true
        notify = "/bin/true"
        notify_user = "ha-notify"
        [heartbeat]
        port = 1
        interval = "10ms"
        misses = 3
        # The order of the file, not of the alphabet, says who is first.
        [node.zeta]
        links = ["fd00::1"]
        [node.alpha]
        links = ["fd00::2"]
        [gateway]
        addresses = []
        require = "all"
        interval = "10s"
        timeout = "10s"
        misses = 1
        dampening = "0s"
        [[group]]
        name = "a"
        prefer = "alpha"
        failback = "auto"
        resource = [{ vip = "2001:db8::80/64", interface = { alpha = "eth0", zeta = "ens3" } }]
        [[group]]
        name = "b"
        prefer = "zeta"
        failback = { after = "5m" }
        [[group.resource]]
        vip = "10.0.0.0/31"
        [[group.resource]]
        vip = "10.0.0.255/32"
    "#;
    let config = parse(text);
    assert_eq!(config.cluster.keys[0][..3], [0x00, 0x11, 0x22]);
    assert_eq!(config.cluster.keys[0].len(), 16);
    assert_eq!(config.cluster.start_wait, Duration::from_secs(60));
    assert!(config.cluster.wait_for_peer);
    assert_eq!(config.cluster.notify, Some(PathBuf::from("/bin/true")));
    assert_eq!(config.cluster.notify_user.as_deref(), Some("ha-notify"));
    let beat = &config.heartbeat;
    assert_eq!((beat.port, beat.misses), (1, 3));
    assert_eq!(beat.detection_time(), Duration::from_millis(30));
    assert_eq!(config.node(Side::First).name, "zeta");
    assert_eq!(config.gateway.addresses, Some(vec![]));
    assert_eq!(config.gateway.require, Require::All);
    assert_eq!(config.gateway.timeout, config.gateway.interval);
    assert_eq!(config.gateway.dampening, Duration::ZERO);
    let [a, b] = &config.groups[..] else {
        panic!("two groups");
    };
    assert_eq!((a.prefer, a.failback), (Some(Side::Second), Failback::Auto));
    assert_eq!(
        (b.prefer, b.failback),
        (Some(Side::First), Failback::After(Duration::from_secs(300)))
    );
    let vip = a.vips().next().unwrap();
    assert_eq!(vip.address.to_string(), "2001:db8::80/64");
    assert_eq!(
        vip.interface,
        [Some("ens3".to_owned()), Some("eth0".to_owned())]
    );
    let vip = b.vips().next().unwrap();
    assert_eq!(vip.interface, [None, None]);
}

#[test]
fn a_service_has_its_defaults() {
    let [bare] = &services("service = \"haproxy\"")[..] else {
        panic!("one service");
    };
    let expected = Service {
        unit: "haproxy.service".to_owned(),
        mode: Mode::One,
        check: None,
        restarts: 1,
        window: Duration::from_secs(600),
        fail_expiry: Some(Duration::from_secs(3600)),
        start_timeout: Duration::from_secs(60),
        stop_timeout: Duration::from_secs(60),
    };
    assert_eq!(*bare, expected);
    for (check, probe) in [
        (
            r#"{ http = "http://[::1]:81?a" }"#,
            Probe::Http {
                address: "[::1]:81".parse().unwrap(),
                host: "[::1]:81".to_owned(),
                path: "/?a".to_owned(),
                status: None,
                body: None,
            },
        ),
        (
            r#"{ tcp = "localhost:81" }"#,
            Probe::Tcp("127.0.0.1:81".parse().unwrap()),
        ),
        (r#"{ exec = "/bin/true" }"#, exec(&["/bin/true"], None)),
        (
            r#"{ exec = ["/bin/true", "-v"], user = "www-data" }"#,
            exec(&["/bin/true", "-v"], Some("www-data")),
        ),
    ] {
        let check = &services(&format!("service = \"a\"\ncheck = {check}"))[0].check;
        let expected = Check {
            probe,
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            failures: 2,
        };
        assert_eq!(check.as_ref(), Some(&expected));
    }
}

#[test]
fn what_is_written_of_services_is_read() {
    let read = services(
        r#"
        service = "php-fpm@8.2.service"
        mode = "both"
        restarts = 0
        window = "1s"
        fail_expiry = "never"
        start_timeout = "100ms"
        stop_timeout = "1h"
        [group.resource.check]
        http = "http://localhost/status?full"
        status = 204
        body = "pool: \"www\""
        interval = "1m"
        timeout = "1m"
        failures = 1
        [[group.resource]]
        service = "a.b"
        fail_expiry = "672h"
        check = { exec = ["/usr/bin/env", "a b"], interval = "100ms", timeout = "1ms" }
        "#,
    );
    let probe = Probe::Http {
        address: "127.0.0.1:80".parse().unwrap(),
        host: "localhost".to_owned(),
        path: "/status?full".to_owned(),
        status: Some(204),
        body: Some("pool: \"www\"".to_owned()),
    };
    let expected = Service {
        unit: "php-fpm@8.2.service".to_owned(),
        mode: Mode::Both,
        check: Some(Check {
            probe,
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(60),
            failures: 1,
        }),
        restarts: 0,
        window: Duration::from_secs(1),
        fail_expiry: None,
        start_timeout: Duration::from_millis(100),
        stop_timeout: Duration::from_secs(3600),
    };
    assert_eq!(read[0], expected);
    assert_eq!(read[1].unit, "a.b.service");
    assert_eq!(read[1].fail_expiry, Some(Duration::from_secs(672 * 3600)));
    let check = read[1].check.as_ref().unwrap();
    assert_eq!(check.probe, exec(&["/usr/bin/env", "a b"], None));
}

fn exec(words: &[&str], user: Option<&str>) -> Probe {
    Probe::Exec(Program {
        words: words.iter().map(|word| word.to_string()).collect(),
        user: user.map(Into::into),
    })
}

#[test]
fn planned_moves_overlap_where_only_vips_change_nodes() {
    for (resources, overlaps) in [
        ("service = \"a\"\nmode = \"both\"", true),
        ("service = \"a\"", false),
        (
            "service = \"a\"\nmode = \"both\"\n[[group.resource]]\nservice = \"b\"",
            false,
        ),
    ] {
        let with_vip = format!("{BASE}[[group.resource]]\n{resources}");
        assert_eq!(parse(&with_vip).groups[0].overlaps(), overlaps);
        let head = BASE.split("vip =").next().unwrap();
        assert!(!parse(&format!("{head}{resources}")).groups[0].overlaps());
    }
    assert!(parse(BASE).groups[0].overlaps());
}

#[test]
fn a_node_finds_itself() {
    let long = BASE.replace("node.lb2", "node.\"lb2.example.com\"");
    let alike = BASE
        .replace("node.lb1", "node.\"lb.a\"")
        .replace("node.lb2", "node.\"lb.b\"");
    let alike = alike.replace("prefer = \"lb1\"", "");
    for (text, node, host, side) in [
        (BASE, None, "lb1", Some(Side::First)),
        (BASE, None, "lb2", Some(Side::Second)),
        (BASE, None, "LB2", Some(Side::Second)),
        (BASE, None, "lb2.example.com", Some(Side::Second)),
        (BASE, None, "lb22", None),
        (BASE, None, "lb", None),
        (BASE, None, "", None),
        (BASE, Some("lb2"), "lb1", Some(Side::Second)),
        (BASE, Some("lb3"), "lb1", None),
        (BASE, Some("LB2"), "lb1", None),
        (&long, None, "lb2", Some(Side::Second)),
        (&long, None, "lb2.example.com", Some(Side::Second)),
        // Two full names that differ are two hosts.
        (&long, None, "lb2.example.org", None),
        (&alike, None, "lb.b", Some(Side::Second)),
        (&alike, None, "lb", None),
    ] {
        let found = parse(text).side(node, host);
        assert_eq!(found.ok(), side, "{node:?} {host}");
    }
    let config = parse(BASE);
    assert_eq!(
        config.side(Some("lb3"), "lb1").unwrap_err().to_string(),
        "--node lb3: no such node in /etc/ha-appliance/ha.toml\n    its nodes are lb1 and lb2"
    );
    assert_eq!(
        config.side(None, "web7").unwrap_err().to_string(),
        "this host is called web7, and /etc/ha-appliance/ha.toml does not say which node that is\n    \
         its nodes are lb1 and lb2: say --node NAME, or name a node after the host"
    );
}

#[test]
fn keys_are_not_printed() {
    let text = format!("{:?}", parse(BASE));
    assert!(text.contains("keys: 1 hidden"), "{text}");
    assert!(!text.contains("7, 7"), "{text}");
}

#[test]
fn every_shipped_file_is_good() {
    let mut count = 0;
    for entry in fs::read_dir(shipped()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "toml") {
            continue; // what explains them
        }
        let text = fs::read_to_string(&path).unwrap();
        let key = generate_key_line([7; 32]);
        if let Err(error) = parse_with_key_file(&text, &path, &key) {
            panic!("{error}");
        }
        count += 1;
    }
    assert!(count >= 5);
}

/// The commented file is the one that people start from: it must hold every key, its commented lines must be
/// good too, and where it says "default" it must be right.
#[test]
fn the_commented_file_is_complete() {
    let text = fs::read_to_string(shipped().join("ha.toml")).unwrap();
    for table in TABLES {
        let inline = !table.table.contains(['[', ' ']);
        let home = |line: &&str| !inline || line.starts_with(&format!("{} = ", table.table));
        for key in table.keys {
            let name = key.name;
            let mut lines = text
                .lines()
                .map(|line| line.trim_start_matches("# "))
                .filter(home);
            let written = lines.any(|line| {
                let headers = [
                    format!("[{name}"),
                    format!("[[{name}"),
                    format!("[[group.{name}"),
                ];
                line.starts_with(&format!("{name} = "))
                    || headers.iter().any(|header| line.starts_with(header))
                    || line.contains(&format!("{{ {name} = "))
                    || line.contains(&format!(", {name} = "))
            });
            assert!(
                written,
                "`{name}` of {} is not in config/ha.toml",
                table.table
            );
        }
    }
    let as_shipped = parse(&text);
    let all = text.replace("\n# ", "\n");
    let mut lines: Vec<&str> = all.lines().collect();
    lines.retain(|line| {
        !line.starts_with("key = ") && (line.is_empty() || line.contains(['=', '[']))
    });
    let head = lines.iter().position(|line| *line == "[cluster]").unwrap();
    let all_written = parse(&lines[head..].join("\n"));
    assert_eq!(all_written.heartbeat, as_shipped.heartbeat);
    assert_eq!(
        Gateway {
            addresses: None,
            ..all_written.gateway
        },
        as_shipped.gateway
    );
    assert_eq!(
        all_written.cluster.start_wait,
        as_shipped.cluster.start_wait
    );
    assert_eq!(
        all_written.cluster.wait_for_peer,
        as_shipped.cluster.wait_for_peer
    );
    assert_eq!(
        all_written.groups[0].failback,
        as_shipped.groups[0].failback
    );
    assert_eq!(all_written.groups[0].prefer, Some(Side::First));
    let [bare, full] = [&as_shipped, &all_written].map(|config| config.groups[0].services().next());
    let (bare, full) = (bare.unwrap(), full.unwrap().clone());
    let check = full.check.unwrap();
    assert_eq!(check.interval, Check::INTERVAL);
    assert_eq!(check.timeout, Check::TIMEOUT);
    assert_eq!(check.failures, Check::FAILURES);
    assert_eq!(
        Service {
            check: None,
            ..full
        },
        *bare
    );
}

static WITH_SERVICES: LazyLock<String> = LazyLock::new(|| {
    let http = r#"service = "a@b.service"
check = { http = "http://[::1]:80/a?b", status = 200, interval = "2s" }
"#;
    let exec = r#"service = "c"
check = { exec = ["/bin/true", "a"], timeout = "1s" }
"#;
    format!("{BASE}[[group.resource]]\n{http}[[group.resource]]\n{exec}")
});

proptest! {
    /// Whatever an editor leaves behind, an operator is told a place in the file, and nothing panics.
    #[test]
    fn no_text_panics(at in 0..WITH_SERVICES.len(), cut in 0..40usize, put in "[\\[\\]\"'=.,#{}a-z0-9/:\\n\\t é\u{0}]{0,12}") {
        let mut text = WITH_SERVICES.clone();
        text.replace_range(at..(at + cut).min(text.len()), &put);
        if let Err(error) = parse_with_key_file(&text, Path::new("ha.toml"), &generate_key_line([7; 32])) {
            prop_assert!(!error.mistakes.is_empty());
            for mistake in &error.mistakes {
                let place = mistake.place.as_ref().expect("a place");
                prop_assert!(place.line <= text.lines().count() + 1);
                prop_assert!(!mistake.help.is_empty());
            }
        }
    }
}

fn parse(text: &str) -> Config {
    let path = Path::new("/etc/ha-appliance/ha.toml");
    parse_with_key_file(text, path, &generate_key_line([7; 32]))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The services of a group that begins with a VIP.
fn services(resource: &str) -> Vec<Service> {
    let config = parse(&format!("{BASE}[[group.resource]]\n{resource}"));
    config.groups[0].services().cloned().collect()
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn ip(text: &str) -> std::net::IpAddr {
    text.parse().unwrap()
}
