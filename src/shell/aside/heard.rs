//! The other node's history, as far as it was told here: the latest entries, in memory and in the run directory.
//!
//! There `history` reads them without the daemon, and the next daemon of this boot goes on with them. Not in the
//! state directory: the other node's own disk has all of it, and who restarts this machine asks for it again.

use crate::shell::history::Entry;
use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// So many entries are kept.
pub const KEPT: usize = 100;
/// And so many bytes of them.
const MAX_BYTES: usize = 256 << 10;

/// What was told.
#[derive(Debug)]
pub struct Heard {
    path: PathBuf,
    entries: VecDeque<Entry>,
    changed: bool,
}

impl Heard {
    /// What a daemon before this one heard, if anything.
    pub fn open(run_dir: &Path) -> Heard {
        Heard {
            path: run_dir.join(FILE),
            entries: read(run_dir).into(),
            changed: false,
        }
    }

    /// One more, if it is not known yet.
    pub fn add(&mut self, entry: Entry) {
        if self.entries.contains(&entry) {
            return;
        }
        // What found no room in its time is told later.
        let earlier =
            |known: &Entry| known.time <= entry.time || known.boottime_us <= entry.boottime_us;
        let at = self
            .entries
            .iter()
            .rposition(earlier)
            .map_or(0, |at| at + 1);
        self.entries.insert(at, entry);
        let size = |entry: &Entry| 200 + entry.reason.len();
        let mut bytes: usize = self.entries.iter().map(size).sum();
        while self.entries.len() > KEPT || bytes > MAX_BYTES {
            bytes -= self.entries.pop_front().as_ref().map_or(bytes, size);
        }
        self.changed = true;
    }

    /// The time of the newest.
    pub fn newest(&self) -> Option<String> {
        self.entries.back().map(|entry| entry.time.clone())
    }

    /// Writes what is new. Where there is no room, what is there stays.
    pub fn save(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        let mut text = String::new();
        for entry in &self.entries {
            text += &serde_json::to_string(entry)?;
            text.push('\n');
        }
        let new = self.path.with_extension("tmp");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o640)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&new)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        std::fs::rename(&new, &self.path)
    }
}

/// What the other node told, oldest first. Damaged lines are left out.
pub fn read(run_dir: &Path) -> Vec<Entry> {
    let text = std::fs::read(run_dir.join(FILE)).unwrap_or_default();
    let entries = text.split(|byte| *byte == b'\n');
    entries
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

const FILE: &str = "peer-history.jsonl";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDir;

    fn entry(n: usize, bytes: usize) -> Entry {
        Entry {
            time: format!("2026-11-20T07:14:29.{n:03}Z"),
            boottime_us: n as i64,
            cluster: "edge-lb".into(),
            node: "lb2".into(),
            group: None,
            level: "info".into(),
            change: "notice".into(),
            from: None,
            to: None,
            reason: "x".repeat(bytes),
            lasted_ms: None,
        }
    }

    #[test]
    fn the_latest_are_kept_each_once_and_outlast_the_daemon() {
        let dir = TestDir::new();
        let mut heard = Heard::open(&dir);
        assert_eq!(heard.newest(), None);
        for n in 0..KEPT + 5 {
            heard.add(entry(n, 10));
            heard.add(entry(n, 10));
        }
        heard.save().unwrap();
        heard.save().unwrap();
        let kept = read(&dir);
        assert_eq!((kept.len(), &kept[0]), (KEPT, &entry(5, 10)));
        let again = Heard::open(&dir);
        assert_eq!(again.newest(), Some(entry(KEPT + 4, 10).time));
        let names: Vec<_> = std::fs::read_dir(&*dir).unwrap().collect();
        assert_eq!(names.len(), 1);
    }

    #[test]
    fn what_is_told_late_stands_where_it_belongs() {
        let dir = TestDir::new();
        let mut heard = Heard::open(&dir);
        for n in [1, 2, 5, 3, 4, 0] {
            heard.add(entry(n, 10));
        }
        let order: Vec<i64> = heard.entries.iter().map(|e| e.boottime_us).collect();
        assert_eq!(order, [0, 1, 2, 3, 4, 5]);
        // After its clock was set back, or a boot, the newest is the newest.
        let mut booted = entry(900, 10);
        booted.boottime_us = 1;
        heard.add(booted.clone());
        let mut set_back = booted.clone();
        (set_back.time, set_back.boottime_us) = ("2026-11-19T00:00:00.000Z".into(), 7);
        heard.add(set_back.clone());
        assert_eq!(heard.newest(), Some(set_back.time));
    }

    #[test]
    fn long_ones_are_fewer() {
        let dir = TestDir::new();
        let mut heard = Heard::open(&dir);
        for n in 0..KEPT {
            heard.add(entry(n, 30_000));
        }
        assert!(heard.entries.len() < 10 && !heard.entries.is_empty());
        assert_eq!(heard.newest(), Some(entry(KEPT - 1, 0).time));
    }
}
