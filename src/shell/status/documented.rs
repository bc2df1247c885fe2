//! `config/status-json.md` tells every field, its type among it, and none that is not there.

use super::sample::{NOW, Sample};
use super::{Answer, Failed, FenceDevice, Fencing, Pending, Refused, Said, SignOfLife, Status};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A status in which nothing is empty.
fn full() -> Status {
    let mut status = Sample::default().status();
    status.peer.signs_of_life.push(SignOfLife {
        what: "it answers".into(),
        heartbeat: false,
        at_us: NOW.0,
    });
    status.refused.push(Refused {
        cause: "other key".into(),
        own: String::new(),
        peer: String::new(),
        count: 1,
        last_us: NOW.0,
    });
    status.groups[0].peer.as_mut().unwrap().says = Some(Said {
        failures: vec![Failed::default()],
        pending: vec![Pending::default()],
        ..Said::default()
    });
    status.answers.push(Answer {
        number: 1,
        done: true,
        accepted: true,
        text: String::new(),
    });
    status.fencing = Some(Fencing {
        ready: true,
        peer_ready: Some(true),
        delay_ms: 9000,
        devices: vec![FenceDevice {
            name: String::new(),
            state: "on".into(),
            why: None,
            good_us: Some(NOW.0),
            suite: None,
            rehearsed: None,
        }],
    });
    status.judged(NOW)
}

/// Each path with the type of what stands there.
fn paths(value: &Value, at: &str, found: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "true, false",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    if !at.is_empty() && !at.ends_with("[]") {
        found.insert(at.to_owned(), kind);
    }
    match value {
        Value::Array(all) => {
            for each in all.iter().filter(|each| each.is_object()) {
                let at = format!("{at}[]");
                found.insert(at.clone(), "list");
                paths(each, &at, found);
            }
        }
        Value::Object(fields) if at != "counters" => {
            for (name, value) in fields {
                let at = if at.is_empty() {
                    name.clone()
                } else {
                    format!("{at}.{name}")
                };
                paths(value, &at, found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_field_stands_in_the_table_with_its_type() {
    let value = serde_json::to_value(full()).unwrap();
    let mut found = BTreeMap::new();
    paths(&value, "", &mut found);
    // A list of objects is told as such.
    let lists: Vec<String> = found
        .keys()
        .filter_map(|at| at.strip_suffix("[]"))
        .map(str::to_owned)
        .collect();
    for at in lists {
        found.remove(&at);
    }
    let table = include_str!("../../../config/status-json.md");
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.splitn(3, " | ");
        Some((cells.next()?.trim_end_matches('`'), cells.next()?))
    });
    let rows: BTreeMap<&str, &str> = rows.collect();
    let told: BTreeSet<&str> = rows.keys().copied().collect();
    let there: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(told, there);
    for (at, kind) in &found {
        let told = rows[at.as_str()];
        let right = match *kind {
            "null" => told.ends_with(" or null"),
            kind => told.starts_with(kind),
        };
        assert!(right, "{at} is {kind}, and told to be {told}");
    }
}
