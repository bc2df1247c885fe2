//! What the daemons say to each other aside. A message that this version does not know is skipped.

use crate::config::Digests;
use crate::shell::doctor::Examined;
use crate::shell::history::Entry;
use crate::shell::status::Said;
use serde::{Deserialize, Serialize};

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Tell your history from this time on; none: what you have.
    Tell {
        /// That of the newest entry that is known. Others of the same time may not be.
        after: Option<String>,
    },
    /// A line of the sender's history.
    Entry(Box<Entry>),
    /// What the sender's ha.toml in force sets.
    Settings(Digests),
    /// The same, where it is too long for a line.
    SettingsPart {
        /// Its place; the first is 0.
        part: u16,
        /// Nothing follows.
        last: bool,
        /// What follows the parts before.
        digests: Digests,
    },
    /// How are you?
    Ask {
        /// The question's number.
        number: u16,
    },
    /// The answer to that.
    Answer {
        /// The question's number.
        number: u16,
        /// How the sender is.
        examined: Box<Examined>,
    },
    /// The whole of the latest answer to a command, of which a heartbeat had room for the beginning.
    Reply {
        /// As the operator reads it.
        text: String,
    },
    /// The sender's DRBD waits: outdate what you have of this, so that it can go on alone.
    Outdate {
        /// The question's number.
        number: u32,
        /// DRBD's name.
        resource: String,
    },
    /// The answer to that.
    Outdated {
        /// The question's number.
        number: u32,
        /// DRBD's name.
        resource: String,
        /// Why it was not done; none: it was.
        refused: Option<String>,
    },
    /// The sender leaves, and has taken these down: what it has of them is never newer than what the reader has.
    Parted {
        /// DRBD's names.
        resources: Vec<String>,
    },
    /// An operator knows that both nodes ran these groups.
    Acknowledged {
        /// By name.
        groups: Vec<String>,
    },
    /// The sender had taken the reader as off, which lived.
    TakenAsOff {
        /// Why.
        why: String,
        /// Since when, by the sender's clock, ms since 1970.
        since_ms: u64,
    },
    /// In maintenance the sender's daemon ends, as it was told, and leaves running what runs.
    Ends,
    /// What the sender says of its groups.
    Now {
        /// When, by its boot, µs.
        stamp_us: i64,
        /// When, by its clock, ms since 1970: by what each heartbeat says of that clock it is known how long this
        /// was under way.
        #[serde(default)]
        wall_ms: Option<u64>,
        /// Of each.
        groups: Vec<Said>,
        /// A device answered lately that switches the reader off; none: none was asked yet, or the file names none.
        #[serde(default)]
        fences: Option<bool>,
        /// What it says of itself that the reader cannot see.
        #[serde(default)]
        amiss: Vec<String>,
        /// Its ends of paths that it knows to be of no use.
        #[serde(default)]
        ends: Vec<End>,
    },
}

/// A sender's end of a path, which is of no use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Its address.
    pub address: String,
    /// Why.
    pub why: String,
}

impl Message {
    /// As a line.
    pub fn line(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// From a line.
    pub fn parse(line: &[u8]) -> Option<Message> {
        serde_json::from_slice(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_and_unknown_ones_are_skipped() {
        let tell = Message::Tell {
            after: Some("2026-11-20T07:14:29.123Z".into()),
        };
        assert_eq!(Message::parse(&tell.line()), Some(tell));
        for unknown in [&b"{\"of_tomorrow\":{}}"[..], b"", b"\xff", b"{\"tell\":3}"] {
            assert_eq!(Message::parse(unknown), None);
        }
    }
}
