//! `history`: what happened, and why, on both nodes.

use super::exit::Exit;
use super::out::{fail, print};
use crate::shell::aside;
use crate::shell::clock::{self, Zone};
use crate::shell::history::{self, Entry};
use crate::shell::options::Options;
use crate::shell::status::{self, sentence};

/// Prints the latest of it, oldest first.
pub(super) fn run(options: &Options, lines: usize, here: bool, json: bool) -> Exit {
    let own = match history::read(&options.state_dir, lines) {
        Ok(entries) => entries,
        Err(e) => {
            return fail(
                Exit::Refused,
                format!("{e}; run this as root, or see --state-dir"),
            );
        }
    };
    let told = match here {
        true => Vec::new(),
        false => aside::read(&options.run_dir),
    };
    let status = status::load(&options.run_dir)
        .ok()
        .filter(|status| status.boot_id == clock::boot_id());
    let ahead = status
        .as_ref()
        .and_then(|status| status.peer.clock_ahead_ms)
        .unwrap_or(0);
    let as_of = status.map_or(String::new(), |status| status.as_last_heard(clock::now()));
    let peer = told.last().map(|entry| entry.node.clone());
    let entries = latest(merged(own, told, ahead), lines);
    if entries.is_empty() && !json {
        return print(&format!(
            "no history yet in {}\n",
            options.state_dir.display()
        ));
    }
    let width = entries.iter().map(|e| e.node.chars().count()).max();
    let line = |entry: &Entry| match json {
        true => serde_json::to_string(entry).unwrap_or_default() + "\n",
        false => shown(entry, width.unwrap_or(0), Zone::Here),
    };
    let exit = print(&entries.iter().map(line).collect::<String>());
    if let (Some(peer), false) = (peer, json)
        && let Some(note) = differ(&peer, ahead, &as_of)
    {
        fail(exit, note);
    }
    exit
}

/// With the time of the node that wrote it, as its journal has it.
fn shown(entry: &Entry, width: usize, zone: Zone) -> String {
    let time = clock::seconds_of(&entry.time);
    let time = time.map_or(entry.time.clone(), |at| clock::local(at, zone));
    format!("{time}  {:<width$}  {entry}\n", entry.node)
}

/// Both in the order in which they happened, as far as the clocks tell: the other node's is so far ahead now. What
/// one node wrote keeps its order whatever its clock did.
fn merged(own: Vec<Entry>, told: Vec<Entry>, ahead_ms: i64) -> Vec<Entry> {
    let at = |entry: &Entry| clock::millis_of(&entry.time).unwrap_or(0);
    let mut own = own.into_iter().peekable();
    let mut told = told.into_iter().peekable();
    let mut merged = Vec::new();
    loop {
        let first = match (own.peek(), told.peek()) {
            (Some(mine), Some(theirs)) if at(mine) > at(theirs).saturating_sub(ahead_ms) => {
                told.next()
            }
            (None, _) => told.next(),
            (Some(_), _) => own.next(),
        };
        match first {
            Some(entry) => merged.push(entry),
            None => return merged,
        }
    }
}

fn latest(mut entries: Vec<Entry>, lines: usize) -> Vec<Entry> {
    entries.split_off(entries.len().saturating_sub(lines))
}

/// What is to be known of the times of two clocks that differ.
fn differ(peer: &str, ahead_ms: i64, as_of: &str) -> Option<String> {
    let clocks = sentence::clocks(peer, ahead_ms)?;
    Some(format!(
        "note: {clocks}{as_of}; its lines have its time, and stand where they belong by that difference"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(node: &str, time: &str, reason: &str) -> Entry {
        Entry {
            time: format!("2026-11-20T07:14:{time}Z"),
            node: node.into(),
            group: Some("web".into()),
            ..Entry::sample(0, reason.into())
        }
    }

    fn reasons(entries: Vec<Entry>) -> Vec<String> {
        entries.into_iter().map(|entry| entry.reason).collect()
    }

    #[test]
    fn both_nodes_lines_are_merged_by_time() {
        let own = vec![
            entry("lb1", "01.500", "a"),
            entry("lb1", "03.000", "c"),
            entry("lb1", "02.900", "d, after its clock was set back"),
        ];
        let told = vec![entry("lb2", "02.000", "b"), entry("lb2", "09.000", "e")];
        let merged = merged(own, told, 0);
        assert_eq!(
            reasons(latest(merged.clone(), 4)),
            ["b", "c", "d, after its clock was set back", "e"]
        );
        assert_eq!(merged.len(), 5);
        let line = shown(&merged[1], 4, Zone::Utc);
        assert_eq!(line, "Nov 20 07:14:02  lb2   web: b\n");
    }

    #[test]
    fn a_clock_that_differs_is_told_and_reckoned_with() {
        let own = vec![
            entry("lb1", "10.000", "first"),
            entry("lb1", "12.000", "third"),
        ];
        let told = vec![entry("lb2", "48.000", "second")];
        assert_eq!(
            reasons(merged(own.clone(), told.clone(), 37_000)),
            ["first", "second", "third"]
        );
        let odd = merged(own.clone(), told.clone(), i64::MIN);
        assert_eq!(reasons(odd), ["first", "third", "second"]);
        assert_eq!(merged(own, told, i64::MAX).len(), 3);
        assert_eq!(differ("lb2", 900, ""), None);
        assert_eq!(
            differ(
                "lb2",
                37_000,
                " (as of when lb2 was last heard, 3 h 0 m ago)"
            )
            .unwrap(),
            "note: lb2's clock is 37 s ahead of this node's (as of when lb2 was last heard, 3 h 0 m ago); its lines have its time, and stand where they belong \
             by that difference"
        );
        assert!(
            differ("lb2", -3000, "")
                .unwrap()
                .contains("3.0 s behind this node's")
        );
    }
}
