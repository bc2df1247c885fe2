//! What an operator writes: ha.toml and the key file.

use ha_appliance::agents::host::{Host, Interface};
use ha_appliance::config::key::{MAX_KEY, MAX_KEYS, MIN_KEY};
use ha_appliance::config::{Config, Error, explain, parse_with_key_file, resolve};
use ha_appliance::wire::heartbeat::{MAX_GROUPS, Side};
use std::path::Path;

/// Either a configuration that every later step can use, or mistakes whose places lie in the text.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match parse_with_key_file(text, Path::new(FILE), &"5e".repeat(32)) {
        Ok(config) => usable(&config),
        Err(error) => told(&error, text, &[]),
    }
}

/// Keys of a right length, or a mistake that shows none of them.
pub fn key(bytes: &[u8]) {
    let Ok(key_file) = std::str::from_utf8(bytes) else {
        return;
    };
    match parse_with_key_file(SMALL, Path::new(FILE), key_file) {
        Ok(config) => {
            let keys = &config.cluster.keys;
            assert!((1..=MAX_KEYS).contains(&keys.len()));
            assert!(keys.iter().all(|k| (MIN_KEY..=MAX_KEY).contains(&k.len())));
        }
        Err(error) => told(&error, SMALL, &[key_file]),
    }
}

const FILE: &str = "/nowhere/ha.toml";

const SMALL: &str = r#"
[cluster]
name = "edge-lb"
key_file = "key"
[node.lb1]
links = ["10.1.1.1"]
[node.lb2]
links = ["10.1.1.2"]
[[group]]
name = "web"
[[group.resource]]
vip = "192.168.10.80/24"
"#;

fn usable(config: &Config) {
    assert!((1..=MAX_GROUPS).contains(&config.groups.len()));
    for host in [Host::default(), host()] {
        for side in [Side::First, Side::Second] {
            let (resolved, warnings) = resolve(config, side, &host);
            let said = explain(config, side, &resolved, &warnings);
            assert!(!shows_a_key(&said), "{said}");
        }
    }
}

/// Every mistake is told at a place that is there, and without showing a key; `others` are the
/// further files.
fn told(error: &Error, text: &str, others: &[&str]) {
    assert!(!error.mistakes.is_empty());
    assert!(
        others.is_empty() || !shows_a_key(&error.to_string()),
        "{error}"
    );
    for mistake in &error.mistakes {
        assert!(!mistake.what.is_empty() && !mistake.help.is_empty());
        let Some(place) = &mistake.place else {
            continue;
        };
        let text = match place.path == Path::new(FILE) {
            true => text,
            false => others.first().expect("no other file is read"),
        };
        // The empty line behind a final newline is a place too.
        let line = text.split('\n').nth(place.line - 1).expect("a line");
        let length = line.chars().count();
        assert!((1..=length + 1).contains(&place.column), "{error}");
        assert!(place.width >= 1 && place.width <= length.max(1), "{error}");
        if let Some(excerpt) = &place.excerpt {
            let shown = |c: char| c == '\t' || !c.is_control();
            assert!(excerpt.chars().all(shown), "{excerpt:?}");
            assert!(!shows_a_key(excerpt), "{excerpt}");
        }
    }
}

fn shows_a_key(text: &str) -> bool {
    let words = text.split(|c: char| !c.is_ascii_hexdigit());
    words.map(str::len).any(|digits| digits >= 2 * MIN_KEY)
}

fn host() -> Host {
    let interface = |index, name: &str, addresses: &[&str]| Interface {
        index,
        name: name.to_owned(),
        mac: [2, 0, 0, 0, 0, index as u8],
        up: true,
        carrier: index != 3,
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        ..Interface::default()
    };
    Host {
        interfaces: vec![
            interface(1, "lo", &["127.0.0.1/8", "::1/128"]),
            interface(2, "eth0", &["192.168.10.81/24", "2001:db8:10::81/64"]),
            interface(3, "eth1", &["10.1.1.1/30", "fd00:10::1/64"]),
            interface(4, "lan0", &["10.77.0.11/24", "10.88.0.1/30"]),
        ],
        default_gateways: vec![(2, "192.168.10.1".parse().unwrap())],
        nonlocal_bind: [false, true],
        ..Host::default()
    }
}
