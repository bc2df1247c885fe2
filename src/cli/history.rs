//! `history`: what happened, and why.

use super::exit::Exit;
use super::out::{fail, print};
use crate::shell::clock::{self, Zone};
use crate::shell::history;
use crate::shell::options::Options;

/// Prints the latest transitions, oldest first.
pub(super) fn run(options: &Options, lines: usize, json: bool) -> Exit {
    let entries = match history::read(&options.state_dir, lines) {
        Ok(entries) => entries,
        Err(e) => {
            return fail(
                Exit::Refused,
                format!("{e}; run this as root, or see --state-dir"),
            );
        }
    };
    if entries.is_empty() && !json {
        return print(&format!(
            "no history yet in {}\n",
            options.state_dir.display()
        ));
    }
    let line = |entry: &history::Entry| match json {
        true => serde_json::to_string(entry).unwrap_or_default() + "\n",
        false => {
            let time = clock::seconds_of(&entry.time);
            let time = time.map_or(entry.time.clone(), |at| clock::local(at, Zone::Here));
            format!("{time}  {}  {entry}\n", entry.node)
        }
    };
    print(&entries.iter().map(line).collect::<String>())
}
