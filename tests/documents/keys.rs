//! ha.toml(5) has every key that the parser knows, with the default that the code has, and no other.

use crate::{code, tables};
use ha_appliance::config::keys::{Key, Keys, TABLES};
use ha_appliance::config::{Config, generate_key_line, parse_with_key_file};
use std::path::Path;

const PAGE: &str = include_str!("../../config/ha.toml.5.md");

/// A default that is told in words, because no value of the key says it.
const IN_WORDS: [&str; 8] = [
    "none",
    "root",
    "any",
    "any 2xx or 3xx",
    "the default gateways of the VIP interfaces",
    "the interface whose network holds the VIP",
    "17, then 3",
    "the least that is safe",
];

struct Row {
    key: &'static Key,
    default: String,
}

impl Row {
    fn is_required(&self) -> bool {
        self.default.starts_with("required")
    }
}

/// The page's rows for a table of ha.toml, in the page's order.
fn rows(table: &'static Keys) -> Vec<Row> {
    let title = table.table.replace('`', "");
    let of = tables(PAGE)
        .into_iter()
        .find(|(heading, _)| *heading == title);
    let (_, rows) = of.unwrap_or_else(|| panic!("ha.toml.5.md has no table below {title:?}"));
    let row = |cells: Vec<String>| {
        let [key, _, default, told] = &cells[..] else {
            panic!("{title}: {cells:?}");
        };
        assert!(!told.is_empty());
        let name = &code(key)[0];
        let key = table.keys.iter().find(|known| known.name == *name);
        Row {
            key: key.unwrap_or_else(|| panic!("the parser knows no `{name}` in {title}")),
            default: default.clone(),
        }
    };
    rows.into_iter().map(row).collect()
}

fn described() -> impl Iterator<Item = &'static Keys> {
    // The top level is tables, each with a heading of its own.
    TABLES
        .into_iter()
        .filter(|keys| keys.table != "the top level")
}

#[test]
fn every_key_stands_in_the_page_once_and_no_other() {
    for table in described() {
        let mut told: Vec<&str> = rows(table).iter().map(|row| row.key.name).collect();
        let mut known: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
        told.sort_unstable();
        known.sort_unstable();
        assert_eq!(told, known, "{}", table.table);
    }
}

/// A file with these lines in one of its tables, and what is required in all others.
fn file(table: &'static Keys, lines: &[String]) -> Result<Config, String> {
    let of = |name: &str| -> String {
        match name == table.table {
            true => lines.join("\n"),
            false => required(TABLES.iter().find(|keys| keys.table == name).unwrap()),
        }
    };
    let inline = |name: &str| match name == table.table {
        true => format!("{name} = {{ {} }}", lines.join(", ")),
        false => String::new(),
    };
    // One of its two devices, in the kind that is asked about.
    let fence = match table.table {
        "agent" => format!("node = \"lb1\"\n{}", inline("agent")),
        "ipmi" => format!("node = \"lb1\"\n{}", inline("ipmi")),
        _ => of("[[fence]]"),
    };
    let text = format!(
        "[cluster]\n{}\n[heartbeat]\n{}\n[node.lb1]\n{}\n[node.lb2]\nlinks = [\"10.1.1.2\", \"192.168.10.82\"]\n\
         [gateway]\n{}\n[[group]]\n{}\nprefer = \"lb1\"\n{}\n[[group.resource]]\n{}\n[[group.resource]]\n{}\n[[group.resource]]\n{}\n\
         [[group.resource]]\n{}\n{}\n\
         [[fence]]\n{fence}\n[[fence]]\nnode = \"lb2\"\nipmi = {{ {} }}\n[fencing]\n{}\n",
        of("[cluster]"),
        of("[heartbeat]"),
        of("[node.NAME]"),
        of("[gateway]"),
        of("[[group]]"),
        inline("failback"),
        of("[[group.resource]] with `drbd`"),
        of("[[group.resource]] with `mount`"),
        of("[[group.resource]] with `vip`"),
        of("[[group.resource]] with `service`"),
        inline("check"),
        needed(TABLES.iter().find(|keys| keys.table == "ipmi").unwrap()).join(", "),
        of("[fencing]"),
    );
    let path = Path::new("/etc/ha-appliance/ha.toml");
    let parsed = parse_with_key_file(&text, path, &generate_key_line([7; 32]));
    parsed.map_err(|error| format!("{error}\n{text}"))
}

/// The lines of the keys that a table needs.
fn required(table: &'static Keys) -> String {
    needed(table).join("\n")
}

fn needed(table: &'static Keys) -> Vec<String> {
    let mut alternatives = 0;
    let rows = rows(table).into_iter().filter(Row::is_required);
    let one = rows.filter(|row| {
        let one_of = row.default.starts_with("required, one of");
        alternatives += usize::from(one_of);
        // `[[group.resource]]` has headers of its own.
        !(one_of && alternatives > 1) && row.key.name != "resource"
    });
    one.map(|row| line(row.key, row.key.example)).collect()
}

fn line(key: &Key, value: &str) -> String {
    format!("{} = {value}", key.name)
}

/// What a file sets, without what it is written like.
fn meant(mut config: Config, like: &Config) -> Config {
    config.digest = like.digest;
    config.settings = like.settings.clone();
    config.places = like.places.clone();
    config
}

#[test]
fn what_is_required_is_missed() {
    for table in described() {
        let needed = needed(table);
        file(table, &needed).unwrap();
        for i in 0..needed.len() {
            let mut rest = needed.clone();
            let without = rest.remove(i);
            assert!(file(table, &rest).is_err(), "{}: {without}", table.table);
        }
    }
}

#[test]
fn each_default_is_the_codes() {
    let mut compared = 0;
    for table in described() {
        let needed = needed(table);
        let bare = file(table, &needed).unwrap();
        for row in rows(table).iter().filter(|row| !row.is_required()) {
            let name = row.key.name;
            let [value] = &code(&row.default)[..] else {
                let known = IN_WORDS.contains(&row.default.as_str());
                assert!(known, "{} `{name}`: {:?}?", table.table, row.default);
                continue;
            };
            let written = [&needed[..], &[line(row.key, value)]].concat();
            let written = file(table, &written).unwrap();
            assert_eq!(meant(written, &bare), bare, "{} `{name}`", table.table);
            compared += 1;
        }
    }
    assert!(compared >= 20, "{compared}");
}
