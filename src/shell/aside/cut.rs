//! What is too long to be told is cut, and who reads it is told so.

use super::stream::MAX_LINE;
use super::{Message, entry_of};
use crate::shell::doctor::{Examined, Finding};
use crate::shell::history::{Entry, gap};
use crate::shell::status::Said;

/// The message as a line of the stream, cut as little as it takes. None: even so there is no room for it.
pub fn line(message: &Message) -> Option<Vec<u8>> {
    let whole = message.line();
    if fits(&whole) {
        return Some(whole);
    }
    let mut cut = LEVELS.iter().map(|level| {
        let message = match message.clone() {
            Message::Now {
                stamp_us,
                wall_ms,
                groups,
                fences,
                mut amiss,
                mut ends,
            } => Message::Now {
                stamp_us,
                wall_ms,
                fences,
                amiss: {
                    amiss.iter_mut().for_each(|item| text(item, level.bytes));
                    amiss
                },
                ends: {
                    (ends.iter_mut()).for_each(|end| text(&mut end.why, level.bytes));
                    ends
                },
                groups: groups
                    .into_iter()
                    .map(|said| said_of(said, level))
                    .collect(),
            },
            Message::Answer { number, examined } => Message::Answer {
                number,
                examined: Box::new(examination(*examined, level)),
            },
            Message::Entry(entry) => entry_of(shortened(*entry, level.bytes)),
            other => other,
        };
        message.line()
    });
    cut.find(|line| fits(line))
}

/// A history's line as it is told: no sentence is so long, but what a program said may be.
pub fn entry(entry: Entry) -> Vec<u8> {
    let whole = entry_of(entry.clone()).line();
    if whole.len() <= LONGEST_ENTRY {
        return whole;
    }
    entry_of(shortened(entry, LONGEST_ENTRY / 2)).line()
}

/// A line that stands for others, which are missing before that one.
pub fn missing(before: &Entry, what: &str) -> Entry {
    let node = &before.node;
    gap(
        before,
        format!(
            "{what} of {node}'s history before this were not told here (cut): `ha-appliance history` on {node} has them"
        ),
    )
}

/// A long line keeps others waiting.
const LONGEST_ENTRY: usize = 8 << 10;

/// How much is left of a text, and of a list.
struct Level {
    bytes: usize,
    items: usize,
}

const LEVELS: [Level; 4] = [
    Level {
        bytes: 2048,
        items: 64,
    },
    Level {
        bytes: 512,
        items: 24,
    },
    Level {
        bytes: 128,
        items: 8,
    },
    Level {
        bytes: 64,
        items: 2,
    },
];

fn fits(line: &[u8]) -> bool {
    line.len() < MAX_LINE
}

fn shortened(mut entry: Entry, bytes: usize) -> Entry {
    text(&mut entry.reason, bytes);
    entry
}

fn said_of(mut said: Said, level: &Level) -> Said {
    let Said {
        reason,
        facts,
        waiting,
        amiss,
        failures,
        pending,
        ..
    } = &mut said;
    pending.truncate(level.items);
    let more = failures.len().saturating_sub(level.items);
    failures.truncate(level.items);
    for failed in failures.iter_mut() {
        text(&mut failed.resource, level.bytes);
        text(&mut failed.text, level.bytes);
    }
    if more > 0 {
        amiss.insert(0, format!("{more} more failures (cut)"));
    }
    for list in [&mut *facts, amiss] {
        let more = list.len().saturating_sub(level.items);
        list.truncate(level.items);
        list.iter_mut().for_each(|item| text(item, level.bytes));
        if more > 0 {
            list.push(format!("{more} more (cut)"));
        }
    }
    text(reason, level.bytes);
    waiting.iter_mut().for_each(|item| text(item, level.bytes));
    said
}

/// What is as it should be goes first.
fn examination(mut examined: Examined, level: &Level) -> Examined {
    let findings = &mut examined.findings;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    let more = findings.len().saturating_sub(level.items);
    findings.truncate(level.items);
    for finding in findings.iter_mut() {
        text(&mut finding.text, level.bytes);
        finding
            .cure
            .iter_mut()
            .for_each(|cure| text(cure, level.bytes));
    }
    let node = &examined.node;
    let cut = match more {
        0 => format!("what {node} found is too long to be told whole, and was cut"),
        _ => format!("what {node} found is too long to be told whole: {more} lines were cut"),
    };
    let cure = format!("`ha-appliance doctor` on {node} has all of it");
    findings.push(Finding::warning("cut", cut).cured_by(cure));
    let kept: Vec<String> = examined.users.keys().take(level.items).cloned().collect();
    examined.users.retain(|user, _| kept.contains(user));
    examined
}

/// At most so many bytes of it as a line has them, at a whole character, and that it was cut.
fn text(text: &mut String, most: usize) {
    let mut bytes = 0;
    let end = text.char_indices().find(|(_, char)| {
        bytes += match char {
            '"' | '\\' => 2,
            char if char.is_control() => 6,
            char => char.len_utf8(),
        };
        bytes > most
    });
    if let Some((end, _)) = end {
        text.truncate(end);
        *text += " … (cut)";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::doctor::Level as Bad;
    use crate::shell::status::Failed;
    use std::collections::BTreeMap;

    fn history(reason: String) -> Entry {
        Entry::sample(0, reason)
    }

    #[test]
    fn a_line_of_the_history_always_fits_and_says_that_it_was_cut() {
        for long in ["ñ\u{1}", "x", "\"\\", "\u{10ffff}"] {
            let line = entry(history(long.repeat(MAX_LINE)));
            assert!(line.len() <= LONGEST_ENTRY, "{}", line.len());
            let Some(Message::Entry(told)) = Message::parse(&line) else {
                panic!("not understood");
            };
            assert!(told.reason.ends_with(" … (cut)"));
        }
        let short = history("nginx: [emerg] bind() failed".into());
        let told = Message::parse(&entry(short.clone()));
        assert_eq!(told, Some(Message::Entry(Box::new(short))));
    }

    #[test]
    fn what_a_node_says_of_many_failures_always_fits() {
        let failed = |n| Failed {
            resource: format!("vip 10.0.0.{n}/24"),
            count: 1,
            text: "\u{1}no such device".repeat(40),
            ..Failed::default()
        };
        let said = |n| Said {
            group: format!("group{n}"),
            reason: "it failed ".repeat(500),
            facts: vec!["eth0: no carrier".repeat(99); 50],
            amiss: vec!["nginx: answers 503".repeat(99); 50],
            failures: (0..1000).map(failed).collect(),
            ..Said::default()
        };
        let groups: Vec<Said> = (0..20).map(said).collect();
        let message = Message::Now {
            stamp_us: 1,
            wall_ms: Some(2),
            groups,
            fences: None,
            amiss: Vec::new(),
            ends: Vec::new(),
        };
        let line = line(&message).expect("it fits");
        let Some(Message::Now { groups, .. }) = Message::parse(&line) else {
            panic!("not understood");
        };
        assert_eq!(groups.len(), 20);
        let first = &groups[0];
        assert!(first.failures[0].text.ends_with("(cut)"), "{first:?}");
        assert!(first.amiss[0].ends_with("more failures (cut)"));
        assert!(first.facts.last().unwrap().ends_with("more (cut)"));
    }

    #[test]
    fn of_what_doctor_finds_the_worst_is_told() {
        let mut findings = vec![Finding::ok("vips", "is free ".repeat(40)); 500];
        findings.push(Finding::error("key", "another key"));
        let examined = Examined {
            node: "lb2".into(),
            software: "0.1.0".into(),
            findings,
            users: BTreeMap::new(),
            mtus: Vec::new(),
        };
        let message = Message::Answer {
            number: 7,
            examined: Box::new(examined),
        };
        let line = line(&message).expect("it fits");
        let Some(Message::Answer { number, examined }) = Message::parse(&line) else {
            panic!("not understood");
        };
        assert_eq!((number, examined.findings[0].level), (7, Bad::Error));
        let cut = examined.findings.last().unwrap();
        assert_eq!(cut.level, Bad::Warning);
        assert!(cut.text.contains("lines were cut"), "{}", cut.text);
    }

    #[test]
    fn what_is_short_is_told_as_it_is() {
        let ask = Message::Ask { number: 3 };
        assert_eq!(line(&ask), Some(ask.line()));
        let never = Message::Tell {
            after: Some("x".repeat(MAX_LINE)),
        };
        assert_eq!(line(&never), None);
    }
}
