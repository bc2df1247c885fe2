//! `history`: what happened, and why, on both nodes.

use super::exit::Exit;
use super::out::{fail, print};
use crate::core::time::Time;
use crate::shell::aside;
use crate::shell::clock::{self, Zone};
use crate::shell::history::{self, Entry};
use crate::shell::options::Options;
use crate::shell::status::{self, Status, sentence};

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
    let now = clock::now();
    let as_of = status
        .as_ref()
        .map_or(String::new(), |status| as_of(status, now));
    let ends = Ends::of(&told);
    let boot = status.as_ref().map(|status| Boot {
        started_us: status.daemon.started_us,
        now_us: now.0,
        wall_ms: clock::wall_ms() as i64,
    });
    let entries = latest(merged(own, told, ahead, boot), lines);
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
    if json || here {
        return exit;
    }
    let of_clocks = ends
        .as_ref()
        .and_then(|ends| differ(&ends.node, ahead, &as_of));
    let peer = status.as_ref().map(|status| status.peer_name());
    let notes = of_clocks
        .into_iter()
        .chain(missing(ends.as_ref(), peer, &entries, &as_of));
    notes.for_each(|note| {
        fail(exit, note);
    });
    exit
}

/// When what is known of the other node was so, if that is not now.
fn as_of(status: &Status, now: Time) -> String {
    let age = now.since(Time(status.stamp_us));
    match age > status::STALE {
        true => format!(
            " (as of when {}'s daemon last said anything, {} ago)",
            status.node,
            clock::span(age)
        ),
        false => status.as_last_heard(now),
    }
}

/// What is known of the other node's history.
struct Ends {
    node: String,
    /// The first of it that is known here, if there may be more.
    first: Option<Entry>,
}

impl Ends {
    fn of(told: &[Entry]) -> Option<Ends> {
        let last = told.last()?;
        let full = told.len() >= aside::KEPT;
        Some(Ends {
            node: last.node.clone(),
            first: told.first().filter(|_| full).cloned(),
        })
    }
}

/// Which lines of the other node are not among these.
fn missing(ends: Option<&Ends>, peer: Option<&str>, shown: &[Entry], as_of: &str) -> Vec<String> {
    let Some(Ends { node, first }) = ends else {
        let peer = peer.unwrap_or("the other node");
        return vec![format!(
            "note: nothing of {peer}'s history was told here{as_of}: `ha-appliance history` on {peer} has it"
        )];
    };
    let mut notes = Vec::new();
    let begins = first
        .as_ref()
        .and_then(|first| shown.iter().position(|entry| entry == first));
    if begins.is_some_and(|at| at > 0) {
        notes.push(format!(
            "note: of {node}'s history only the latest {} lines are known here: `ha-appliance history` on {node} has what was \
             before",
            aside::KEPT
        ));
    }
    if !as_of.is_empty() {
        notes.push(format!(
            "note: what happened on {node} since is not known here{as_of}"
        ));
    }
    notes
}

/// With the time of the node that wrote it, as its journal has it.
fn shown(entry: &Entry, width: usize, zone: Zone) -> String {
    let time = clock::seconds_of(&entry.time);
    let time = time.map_or(entry.time.clone(), |at| clock::local(at, zone));
    format!("{time}  {:<width$}  {entry}\n", entry.node)
}

/// Both in the order in which they happened, as far as the clocks tell: the other node's is so far ahead now. What
/// one node wrote keeps its order whatever its clock did.
fn merged(own: Vec<Entry>, told: Vec<Entry>, ahead_ms: i64, boot: Option<Boot>) -> Vec<Entry> {
    let at = |entry: &Entry| clock::millis_of(&entry.time).unwrap_or(0);
    let times = times(&own, boot);
    let mut own = own.into_iter().zip(times).peekable();
    let mut told = told.into_iter().peekable();
    let mut merged = Vec::new();
    loop {
        let first = match (own.peek(), told.peek()) {
            (Some((_, mine)), Some(theirs)) if *mine > at(theirs).saturating_sub(ahead_ms) => {
                told.next()
            }
            (None, _) => told.next(),
            (Some(_), _) => own.next().map(|(entry, _)| entry),
        };
        match first {
            Some(entry) => merged.push(entry),
            None => return merged,
        }
    }
}

/// When each was written, by the clock as it goes now, ms: what was written before another was not later.
fn times(own: &[Entry], boot: Option<Boot>) -> Vec<i64> {
    let by_boot = boot.map_or(0, |boot| boot.written(own));
    let mut next = i64::MAX;
    let times = own.iter().rev().enumerate().map(|(back, entry)| {
        let at = match boot.filter(|_| back < by_boot) {
            Some(boot) => boot.wall_ms - (boot.now_us - entry.boottime_us) / 1000,
            None => clock::millis_of(&entry.time).unwrap_or(0),
        };
        next = next.min(at);
        next
    });
    let mut times: Vec<i64> = times.collect();
    times.reverse();
    times
}

/// What the daemon that runs wrote is placed by the clock that nobody sets.
#[derive(Clone, Copy)]
struct Boot {
    started_us: i64,
    now_us: i64,
    wall_ms: i64,
}

impl Boot {
    /// How many of the last of them are that daemon's.
    fn written(self, own: &[Entry]) -> usize {
        let mut next = self.now_us;
        let its = own.iter().rev().take_while(|entry| {
            let its = (self.started_us..=next).contains(&entry.boottime_us);
            next = entry.boottime_us;
            its
        });
        its.count()
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
        let merged = merged(own, told, 0, None);
        assert_eq!(
            reasons(latest(merged.clone(), 4)),
            ["b", "c", "d, after its clock was set back", "e"]
        );
        assert_eq!(merged.len(), 5);
        let line = shown(&merged[1], 4, Zone::Utc);
        assert_eq!(line, "Nov 20 07:14:02  lb2   web: b\n");
    }

    /// An hour back, as when a clock that ran in local time is set: the boot's clock is not.
    #[test]
    fn a_clock_that_was_set_back_puts_nothing_in_another_order() {
        let at = |minute: i64| 60_000_000 * minute;
        let entry = |node: &str, time: &str, minute: i64, reason: &str| Entry {
            time: format!("2026-11-20T{time}:00Z"),
            boottime_us: at(minute),
            ..entry(node, "00.000", reason)
        };
        let own = vec![
            entry("lb1", "10:00", 500, "of another boot"),
            entry("lb1", "10:01", 1, "a"),
            entry("lb1", "10:05", 5, "c"),
            entry("lb1", "09:07", 7, "e, after it"),
        ];
        let told = vec![
            entry("lb2", "09:03", 90, "b"),
            entry("lb2", "09:06", 93, "d"),
        ];
        let now = clock::millis_of("2026-11-20T09:10:00Z").unwrap();
        let boot = Boot {
            started_us: at(1),
            now_us: at(10),
            wall_ms: now,
        };
        assert_eq!(
            reasons(merged(own, told, 0, Some(boot)))[1..],
            ["a", "b", "c", "d", "e, after it"]
        );
    }

    #[test]
    fn a_daemon_that_is_gone_knows_nothing_new() {
        use crate::shell::status::sample::{NOW, Sample};
        let status = Sample::default().status();
        assert_eq!(as_of(&status, NOW), "");
        let later = Time(NOW.0 + 3_600_000_000);
        let gone = " (as of when lb1's daemon last said anything, 1 h 0 m ago)";
        assert_eq!(as_of(&status, later), gone);
    }

    #[test]
    fn what_is_missing_of_the_other_node_is_said() {
        let own = vec![entry("lb1", "01.000", "own")];
        let told: Vec<Entry> = (0..aside::KEPT)
            .map(|n| entry("lb2", &format!("02.{n:03}"), "told"))
            .collect();
        let few = Ends::of(&told[..3]);
        assert_eq!(
            missing(few.as_ref(), Some("lb2"), &own, ""),
            Vec::<String>::new()
        );
        let full = Ends::of(&told);
        let shown = merged(own.clone(), told, 0, None);
        let notes = missing(full.as_ref(), Some("lb2"), &shown, "");
        assert_eq!(
            notes,
            [
                "note: of lb2's history only the latest 100 lines are known here: `ha-appliance history` on lb2 has what was before"
            ]
        );
        // None of what was before would be among so few.
        assert_eq!(
            missing(full.as_ref(), Some("lb2"), &shown[1..], "").len(),
            0
        );
        let gone = " (as of when lb2 was last heard, 3 h 0 m ago)";
        let since = "note: what happened on lb2 since is not known here (as of when lb2 was last heard, 3 h 0 m ago)";
        assert_eq!(missing(few.as_ref(), Some("lb2"), &own, gone), [since]);
        let never = missing(None, Some("lb2"), &own, "");
        assert!(never[0].starts_with("note: nothing of lb2's history was told here: "));
    }

    #[test]
    fn a_clock_that_differs_is_told_and_reckoned_with() {
        let own = vec![
            entry("lb1", "10.000", "first"),
            entry("lb1", "12.000", "third"),
        ];
        let told = vec![entry("lb2", "48.000", "second")];
        assert_eq!(
            reasons(merged(own.clone(), told.clone(), 37_000, None)),
            ["first", "second", "third"]
        );
        let odd = merged(own.clone(), told.clone(), i64::MIN, None);
        assert_eq!(reasons(odd), ["first", "third", "second"]);
        assert_eq!(merged(own, told, i64::MAX, None).len(), 3);
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
