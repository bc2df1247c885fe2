//! The other node's history, as far as it was told here: the latest entries, in memory and in the run directory.
//!
//! There `history` reads them without the daemon, and the next daemon of this boot goes on with them. Not in the
//! state directory: the other node's own disk has all of it, and who restarts this machine asks for it again.

use super::cut;
use super::telling::{KEPT, MAX_BYTES, size};
use crate::core::time::Time;
use crate::shell::history::Entry;
use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was told.
#[derive(Debug)]
pub struct Heard {
    entries: VecDeque<Entry>,
    /// What comes next is to join what is known.
    joins: bool,
    /// Something is not on disk.
    changed: bool,
    /// When it was written last.
    written: Option<Time>,
    file: Arc<File>,
}

/// Where it is written, by one at a time.
#[derive(Debug)]
struct File {
    path: PathBuf,
    at_work: Mutex<()>,
    busy: AtomicBool,
    failed: AtomicBool,
}

/// What arrives within so long is written at once.
const PACE: Duration = Duration::from_secs(1);

impl Heard {
    /// What a daemon before this one heard, if anything.
    pub fn open(run_dir: &Path) -> Heard {
        Heard {
            entries: read(run_dir).into(),
            joins: false,
            changed: false,
            written: None,
            file: Arc::new(File {
                path: run_dir.join(FILE),
                at_work: Mutex::default(),
                busy: AtomicBool::default(),
                failed: AtomicBool::default(),
            }),
        }
    }

    /// The time of the newest, from which on all is to be told. With what is told first it is seen whether anything
    /// is missing in between.
    pub fn join(&mut self) -> Option<String> {
        let newest = self.entries.back().map(|entry| entry.time.clone());
        self.joins = newest.is_some();
        newest
    }

    /// One more, if it is not known yet.
    pub fn add(&mut self, entry: Entry) {
        let joins = std::mem::take(&mut self.joins);
        if joins && !self.entries.iter().any(|known| known.time == entry.time) {
            self.put(cut::missing(&entry, "lines"));
        }
        self.put(entry);
    }

    fn put(&mut self, entry: Entry) {
        if self.entries.contains(&entry) {
            return;
        }
        // What could not be read in its time is told later.
        let earlier =
            |known: &Entry| known.time < entry.time || known.boottime_us <= entry.boottime_us;
        let at = self
            .entries
            .iter()
            .rposition(earlier)
            .map_or(0, |at| at + 1);
        self.entries.insert(at, entry);
        let mut bytes: usize = self.entries.iter().map(size).sum();
        while self.entries.len() > KEPT || bytes > MAX_BYTES {
            bytes -= self.entries.pop_front().as_ref().map_or(bytes, size);
        }
        self.changed = true;
    }

    /// What writes it down, on another thread, if it is time: at most once a second, one at a time, and again after
    /// an error. Where there is no room, what is there stays.
    pub fn save(&mut self, now: Time) -> Option<impl FnOnce() + Send + 'static> {
        let paced = self.written.is_none_or(|at| now.since(at) >= PACE);
        if !paced || self.file.busy.load(Ordering::Acquire) {
            return None;
        }
        let failed = self.file.failed.swap(false, Ordering::AcqRel);
        if !std::mem::take(&mut self.changed) && !failed {
            return None;
        }
        self.written = Some(now);
        self.file.busy.store(true, Ordering::Release);
        let (file, entries) = (self.file.clone(), self.entries.clone());
        Some(move || file.write(&entries))
    }

    /// Writes what is not on disk yet, on the caller's thread: for the end of the program.
    pub fn flush(&mut self) {
        let failed = self.file.failed.load(Ordering::Acquire);
        if std::mem::take(&mut self.changed) || failed || self.file.busy.load(Ordering::Acquire) {
            self.file.write(&self.entries);
        }
    }
}

impl File {
    fn write(&self, entries: &VecDeque<Entry>) {
        let _alone = self.at_work.lock().unwrap_or_else(|e| e.into_inner());
        if let Err(error) = self.try_to_write(entries) {
            log::debug!("what the peer told is kept in memory until it can be written: {error}");
            self.failed.store(true, Ordering::Release);
        }
        self.busy.store(false, Ordering::Release);
    }

    fn try_to_write(&self, entries: &VecDeque<Entry>) -> io::Result<()> {
        let mut text = String::new();
        for entry in entries {
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
            node: "lb2".into(),
            ..Entry::sample(n as i64, "x".repeat(bytes))
        }
    }

    #[test]
    fn the_latest_are_kept_each_once_and_outlast_the_daemon() {
        let dir = TestDir::new();
        let mut heard = Heard::open(&dir);
        assert_eq!(heard.join(), None);
        for n in 0..KEPT + 5 {
            heard.add(entry(n, 10));
            heard.add(entry(n, 10));
        }
        heard.flush();
        let kept = read(&dir);
        assert_eq!((kept.len(), &kept[0]), (KEPT, &entry(5, 10)));
        let mut again = Heard::open(&dir);
        assert_eq!(again.join(), Some(entry(KEPT + 4, 10).time));
        let names: Vec<_> = std::fs::read_dir(&*dir).unwrap().collect();
        assert_eq!(names.len(), 1);
    }

    #[test]
    fn what_is_missing_in_between_is_said_to_be() {
        let dir = TestDir::new();
        let mut heard = Heard::open(&dir);
        assert_eq!(heard.join(), None);
        heard.add(entry(1, 10));
        heard.add(entry(2, 10));
        // The other node's daemon starts anew, and tells from there on.
        assert_eq!(heard.join(), Some(entry(2, 10).time));
        heard.add(entry(2, 10));
        heard.add(entry(3, 10));
        assert_eq!(heard.entries.len(), 3);
        // So much happened while this daemon was down that the other does not know it by heart.
        assert_eq!(heard.join(), Some(entry(3, 10).time));
        heard.add(entry(200, 10));
        heard.add(entry(201, 10));
        let reasons: Vec<&str> = heard.entries.iter().map(|e| e.reason.as_str()).collect();
        assert_eq!(
            reasons[3],
            "lines of lb2's history before this were not told here (cut): `ha-appliance history` on lb2 has them"
        );
        assert_eq!(heard.entries.len(), 6);
    }

    #[test]
    fn it_is_written_once_a_second_and_again_after_an_error() {
        let dir = TestDir::new();
        let run_dir = dir.join("later");
        let mut heard = Heard::open(&run_dir);
        let at = |ms: i64| Time(ms * 1000);
        assert!(heard.save(at(0)).is_none(), "there is nothing");
        heard.add(entry(1, 10));
        let write = heard.save(at(0)).expect("there is something");
        heard.add(entry(2, 10));
        assert!(heard.save(at(2000)).is_none(), "one at a time");
        write();
        assert!(heard.save(at(900)).is_none(), "once a second");
        // There is no such directory yet.
        assert_eq!(read(&run_dir), []);
        let write = heard.save(at(2000)).expect("another entry");
        write();
        std::fs::create_dir(&run_dir).unwrap();
        let write = heard.save(at(3000)).expect("the write failed");
        write();
        assert_eq!(read(&run_dir), [entry(1, 10), entry(2, 10)]);
        assert!(heard.save(at(9000)).is_none(), "all is written");
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
        // Two of the same millisecond.
        let (mut early, mut late) = (entry(6, 10), entry(6, 10));
        (early.boottime_us, late.boottime_us) = (6, 7);
        heard.add(late.clone());
        heard.add(early.clone());
        heard.add(late.clone());
        let last: Vec<&Entry> = heard.entries.iter().skip(6).collect();
        assert_eq!(last, [&early, &late]);
        // After its clock was set back, or a boot, the newest is the newest.
        let mut booted = entry(900, 10);
        booted.boottime_us = 1;
        heard.add(booted.clone());
        let mut set_back = booted.clone();
        (set_back.time, set_back.boottime_us) = ("2026-11-19T00:00:00.000Z".into(), 9);
        heard.add(set_back.clone());
        assert_eq!(heard.join(), Some(set_back.time));
    }

    #[test]
    fn long_ones_are_fewer() {
        let dir = TestDir::new();
        let mut heard = Heard::open(&dir);
        for n in 0..KEPT {
            heard.add(entry(n, 30_000));
        }
        assert!(heard.entries.len() < 10 && !heard.entries.is_empty());
        assert_eq!(heard.join(), Some(entry(KEPT - 1, 0).time));
    }
}
