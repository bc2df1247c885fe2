//! Reading a daemon's status.json: the only place that knows its shape.

use crate::lab::{Hardware, Outcome};
use crate::sys::{self, now};
use serde_json::Value;
use std::time::Duration;

/// The status as written last; `None` before the first.
pub fn read(node: &impl Hardware) -> Option<Value> {
    serde_json::from_str(&node.status().ok()?).ok()
}

/// Whether a group runs here.
pub fn active(status: &Value, group: &str) -> bool {
    role(status, group) == "active"
}

/// What this node does with a group: `active`, `stopping`, …; nothing for one that it does not know.
pub fn role(status: &Value, group: &str) -> String {
    let groups = &status["groups"];
    let found = match groups {
        Value::Array(list) => list.iter().find(|g| g["name"] == group),
        other => other.get(group),
    };
    found.map(|g| word(&g["role"])).unwrap_or_default()
}

/// What this node thinks of its peer, in lower case: `alive`, `one-way`, `silent`, …
pub fn peer_state(status: &Value) -> String {
    word(&status["peer"]["state"])
}

/// What is known of the path from one of this node's addresses: whether the peer is heard on it, and
/// whether the peer says that it hears this node.
pub fn path(status: &Value, own: &str) -> (Option<bool>, Option<bool>) {
    let paths = status["paths"].as_array().map_or(&[][..], Vec::as_slice);
    let found = paths
        .iter()
        .find(|path| path["own"].as_str().is_some_and(|o| same_host(o, own)));
    found.map_or((None, None), |path| {
        (path["in_ok"].as_bool(), path["out_ok"].as_bool())
    })
}

/// Whether this node is in standby.
pub fn standby(status: &Value) -> bool {
    let nodes = status["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    nodes
        .iter()
        .any(|node| node["here"] == true && node["standby"] == true)
}

/// Whether this node says that it cannot write its state.
pub fn state_unwritable(status: &Value) -> bool {
    !status["state_unwritable"].is_null()
}

/// What the daemon itself has to say.
pub fn notices(status: &Value) -> Vec<String> {
    let notices = status["daemon"]["notices"].as_array();
    let notices = notices.map_or(&[][..], Vec::as_slice).iter();
    notices
        .filter_map(|n| n.as_str().map(str::to_owned))
        .collect()
}

/// The sum of all counters whose name contains a word, wherever they are.
pub fn counter(status: &Value, name: &str) -> u64 {
    match status {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match value.as_u64() {
                Some(n) if key.contains(name) => n,
                _ => counter(value, name),
            })
            .sum(),
        Value::Array(list) => list.iter().map(|value| counter(value, name)).sum(),
        _ => 0,
    }
}

/// An address may be shown with its port.
fn same_host(shown: &str, address: &str) -> bool {
    shown
        .strip_prefix(address)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Waits until a node's status fulfils a condition; `what` names it if it never does.
pub fn wait_until(
    node: &impl Hardware,
    what: &str,
    limit: Duration,
    condition: impl Fn(&Value) -> bool,
) -> Outcome {
    let asked = now();
    let mut last = None;
    while sys::since(asked) < limit {
        last = read(node).or(last);
        if last.as_ref().is_some_and(&condition) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let last = last.map_or("no status at all".to_string(), |s| s.to_string());
    Err(format!(
        "{}: no \"{what}\" within {limit:?}; last: {last}",
        node.name()
    )
    .into())
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_lowercase()
}
