//! Which devices have switched the peer off, verified, and when: a line each in the state directory. A device that
//! is configured otherwise since has still to show it. For people: nothing is decided by it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What is known.
#[derive(Debug)]
pub struct Rehearsals {
    path: PathBuf,
    /// When (UTC), by the hash of the device.
    known: BTreeMap<u64, String>,
}

/// More devices than two nodes have.
const MOST: usize = 32;

impl Rehearsals {
    /// Reads them.
    pub fn open(state_dir: &Path) -> Rehearsals {
        let path = state_dir.join("rehearsals");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let known = text.lines().filter_map(|line| {
            let (hash, date) = line.split_once(' ')?;
            Some((u64::from_str_radix(hash, 16).ok()?, date.to_owned()))
        });
        Rehearsals {
            known: known.take(MOST).collect(),
            path,
        }
    }

    /// When that one did it last.
    pub fn of(&self, device: u64) -> Option<&String> {
        self.known.get(&device)
    }

    /// It has done it. Gives the write, which may take as long as a disk takes.
    pub fn note(&mut self, device: u64, date: String) -> impl FnOnce() + Send + 'static {
        while self.known.len() >= MOST && !self.known.contains_key(&device) {
            self.known.pop_first();
        }
        self.known.insert(device, date);
        let lines = self.known.iter();
        let lines: String = lines
            .map(|(hash, date)| format!("{hash:016x} {date}\n"))
            .collect();
        let path = self.path.clone();
        move || {
            let new = path.with_extension("new");
            let written = fs::write(&new, lines).and_then(|()| fs::rename(&new, &path));
            if let Err(error) = written {
                log::warn!("{}: {error}", path.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDir;

    #[test]
    fn what_was_rehearsed_is_known_to_the_next_daemon() {
        let dir = TestDir::new();
        let mut rehearsals = Rehearsals::open(&dir);
        assert_eq!(rehearsals.of(7), None);
        rehearsals.note(7, "2026-11-20T07:14:29Z".into())();
        rehearsals.note(8, "2026-11-21T07:14:29Z".into())();
        let read = Rehearsals::open(&dir);
        assert_eq!(read.of(7), Some(&"2026-11-20T07:14:29Z".to_owned()));
        (9..99).for_each(|n| drop(rehearsals.note(n, String::new())));
        assert_eq!(rehearsals.known.len(), MOST);
    }
}
