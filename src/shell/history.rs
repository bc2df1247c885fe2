//! Every transition of this node with its reason, on disk: `history.jsonl` in the state directory.
//!
//! One JSON object a line. At [`MAX_SIZE`] the file is renamed to `history.jsonl.1`, over the one
//! before: so there are always one to two MiB of the latest history, some ten thousand transitions.
//! Writing never holds up the loop: entries wait in a bounded queue for a thread of the blocking
//! pool. What does not fit, or cannot be written, is counted, the trouble is said once, and a line where it
//! would stand says how many are missing and why.

use super::clock;
use super::status::{Names, role};
use super::tidings::Tiding;
use crate::core::event::{Change, Report};
use crate::core::reason::Reason;
use crate::core::time::Time;
use crate::wire::heartbeat::Role;
use log::Level;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// One transition: a line of the history, and the notify hook's input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, for people (UTC).
    pub time: String,
    /// When, µs of CLOCK_BOOTTIME.
    pub boottime_us: i64,
    /// The cluster's name.
    pub cluster: String,
    /// This node's name.
    pub node: String,
    /// The group's name, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// info, warning (deserves a look) or error.
    #[serde(default)]
    pub level: String,
    /// What it is about: peer, role, token, clearance, fact, wish or notice by the core; link, gateway, carrier, file,
    /// datagrams, conflict, blocked, takeover, fencing, resource, machine, notify, command or daemon by what is around it.
    pub change: String,
    /// The state before, of a peer or a role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The state after, of a peer or a role; the token ("5 lb2").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Why.
    pub reason: String,
    /// How long the role that ends here lasted, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted_ms: Option<u64>,
}

/// Makes entries of the core's reports: puts names in, and measures how long each role lasted.
#[derive(Debug, Default)]
pub struct Chronicle {
    /// Per group's name: since when it has its present role.
    since: Vec<(String, Time)>,
    /// Per group's name: what was noted of it last.
    noted: BTreeMap<String, String>,
}

impl Chronicle {
    /// The entry of a report at this moment.
    pub fn entry(&mut self, report: &Report, names: &Names, node: &str, now: Time) -> Entry {
        let group = report.group.map(|id| names.group(id));
        let (change, from, to) = match report.change {
            Change::Peer(from, to) => ("peer", Some(from.to_string()), Some(to.to_string())),
            Change::Role(from, to) => (
                "role",
                Some(role(from).to_owned()),
                Some(role(to).to_owned()),
            ),
            Change::Token(token) => (
                "token",
                None,
                Some(format!("{} {}", token.epoch, names.node(token.holder))),
            ),
            Change::Clearance => ("clearance", None, None),
            Change::Fact => ("fact", None, None),
            Change::Wish => ("wish", None, None),
            Change::Notice => ("notice", None, None),
        };
        let lasted = match (&report.change, &group) {
            (Change::Role(..), Some(group)) => self.role_left(group, now),
            _ => None,
        };
        let reason = names.reason(&report.reason, report.group);
        let reason = match (&report.change, &report.reason, &group) {
            (Change::Notice, _, Some(group)) => {
                self.noted.insert(group.clone(), reason.clone());
                reason
            }
            // What the token is, the line itself says.
            (Change::Token(_), Reason::HigherToken(_), _) => {
                format!("by {}'s word", names.node(names.me.other()))
            }
            // The line before this one has said what it was.
            (Change::Role(..), Reason::ResourceFailed(id, _), Some(group))
                if self.noted.remove(group).as_ref() == Some(&reason) =>
            {
                format!("{} failed", names.resource(report.group, *id))
            }
            _ => reason,
        };
        Entry {
            time: clock::wall(),
            boottime_us: now.0,
            cluster: names.cluster.clone(),
            node: node.to_owned(),
            group,
            level: word(level(report)).into(),
            change: change.to_owned(),
            from,
            to,
            reason,
            lasted_ms: lasted,
        }
    }

    /// The entry of what the core does not report.
    pub fn tiding(&self, tiding: &Tiding, names: &Names, node: &str, now: Time) -> Entry {
        Entry {
            time: clock::wall(),
            boottime_us: now.0,
            cluster: names.cluster.clone(),
            node: node.to_owned(),
            group: tiding.group.clone(),
            level: word(tiding.level).into(),
            change: tiding.change.into(),
            from: None,
            to: None,
            reason: tiding.text.clone(),
            lasted_ms: None,
        }
    }

    /// How long the role lasted that the group leaves now, ms; None: it had it before the daemon started.
    fn role_left(&mut self, group: &str, now: Time) -> Option<u64> {
        match self.since.iter_mut().find(|(name, _)| name == group) {
            Some((_, since)) => {
                let lasted = now.since(*since).as_millis() as u64;
                *since = now;
                Some(lasted)
            }
            None => {
                self.since.push((group.to_owned(), now));
                None
            }
        }
    }
}

/// How loudly a report is to be logged: a warning deserves a look, an error needs a hand.
pub fn level(report: &Report) -> Level {
    use crate::core::peer::PeerState;
    let quiet = matches!(
        report.reason,
        Reason::Reloaded
            | Reason::Covered(_)
            | Reason::MadeSure(_)
            | Reason::Recovered(..)
            | Reason::ReadyAgain(_)
            | Reason::Reinstalled(_)
            | Reason::PersistWorks
            | Reason::Complete
    );
    match report.change {
        Change::Role(_, Role::Failed) => Level::Error,
        Change::Notice if matches!(report.reason, Reason::BothRan { .. }) => Level::Error,
        Change::Peer(_, PeerState::Silent | PeerState::OneWay | PeerState::Refused) => Level::Warn,
        Change::Notice if !quiet => Level::Warn,
        // A group that fails, and one that is taken over.
        Change::Role(..) if matches!(report.reason, Reason::ResourceFailed(..)) => Level::Warn,
        // One that leaves in need, and comes.
        Change::Role(Role::Active, Role::Stopping) if needed(&report.reason) => Level::Warn,
        Change::Token(_) if report.reason == Reason::GrantedInNeed => Level::Warn,
        Change::Role(_, Role::Starting) if seized(&report.reason) => Level::Warn,
        Change::Role(..) if matches!(report.reason, Reason::Isolated | Reason::Late(_)) => {
            Level::Warn
        }
        Change::Fact if matches!(report.reason, Reason::Unready(..) | Reason::Partly(..)) => {
            Level::Warn
        }
        _ => Level::Info,
    }
}

/// Something that nobody ordered speaks against this node.
fn needed(reason: &Reason) -> bool {
    use crate::core::reason::Fact::{Leaving, Standby, StoppedByOperator};
    matches!(reason, Reason::Fact(fact) if !matches!(fact, Standby | Leaving | StoppedByOperator))
}

fn seized(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::BestEffort | Reason::Fenced | Reason::Leased | Reason::Confirmed
    )
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info | Level::Debug | Level::Trace => "info",
    }
}

impl std::fmt::Display for Entry {
    /// Without the time, for the log: "web: starting → active after 12 ms: everything runs".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(group) = &self.group {
            write!(f, "{group}: ")?;
        }
        match (self.change.as_str(), &self.from, &self.to) {
            ("role", Some(from), Some(to)) => write!(f, "{from} → {to}")?,
            (change, Some(from), Some(to)) => write!(f, "{change} {from} → {to}")?,
            ("token", _, Some(to)) => match to.split_once(' ') {
                Some((epoch, node)) => {
                    write!(f, "the right to run it is {node}'s (token {epoch})")?
                }
                None => write!(f, "token {to}")?,
            },
            (change, _, Some(to)) => write!(f, "{change} {to}")?,
            // What it is about, the sentence says itself.
            _ => return write!(f, "{}", self.reason),
        }
        if let Some(ms) = self.lasted_ms {
            write!(
                f,
                " after {}",
                clock::span(std::time::Duration::from_millis(ms))
            )?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// The writer.
#[derive(Debug)]
pub struct History {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    queue: Mutex<Queue>,
    /// Held while writing, so that entries keep their order and [`History::flush`] can wait.
    file: Mutex<()>,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    /// Each with the hole before it.
    entries: VecDeque<(Hole, Entry)>,
    /// What was lost since the last of them.
    hole: Hole,
    /// A thread is at work; it takes what is pushed meanwhile too.
    writing: bool,
    /// Why nothing can be written; said once, and then only counted until a write succeeds.
    trouble: Option<String>,
}

/// Lines that are lost.
#[derive(Clone, Debug, Default)]
struct Hole {
    lines: u64,
    why: String,
}

impl Hole {
    fn grow(&mut self, lines: u64, why: &str) {
        self.lines += lines;
        self.why = why.into();
    }

    /// The line that stands for them, before that one.
    fn before(&self, entry: &Entry) -> Option<Entry> {
        let lines = match self.lines {
            0 => return None,
            1 => "a line".to_owned(),
            n => format!("{n} lines"),
        };
        Some(gap(
            entry,
            format!(
                "{lines} of {}'s history before this {}",
                entry.node, self.why
            ),
        ))
    }
}

/// A line that stands for others, which are missing before that one.
pub fn gap(before: &Entry, reason: String) -> Entry {
    Entry {
        group: None,
        level: word(Level::Warn).into(),
        change: "notice".into(),
        from: None,
        to: None,
        reason,
        lasted_ms: None,
        ..before.clone()
    }
}

/// So many entries wait at most.
pub const MAX_QUEUE: usize = 256;
/// So long a file grows, in bytes, before it becomes the one before.
pub const MAX_SIZE: u64 = 1 << 20;

impl History {
    /// In this state directory, which is made if it is missing.
    pub fn new(state_dir: &Path) -> History {
        // If it cannot be, the first write says so.
        let _ = super::state::make_dir(state_dir);
        let shared = Shared {
            path: state_dir.join(FILE),
            queue: Mutex::default(),
            file: Mutex::default(),
            lost: AtomicU64::new(0),
        };
        History {
            shared: Arc::new(shared),
        }
    }

    /// Takes the entry and returns at once.
    pub fn push(&self, entry: Entry) {
        let mut queue = self.shared.queue();
        if queue.entries.len() == MAX_QUEUE {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            queue.hole.grow(1, "are lost: the disk took too long");
            return;
        }
        let hole = std::mem::take(&mut queue.hole);
        queue.entries.push_back((hole, entry));
        if !std::mem::replace(&mut queue.writing, true) {
            let shared = Arc::clone(&self.shared);
            smol::unblock(move || shared.write_all()).detach();
        }
    }

    /// How many entries were lost, for the counters.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Why nothing can be written now.
    pub fn trouble(&self) -> Option<String> {
        self.shared.queue().trouble.clone()
    }

    /// Writes what waits, on the caller's thread, and waits for what is being written: for the end of
    /// the program.
    pub fn flush(&self) {
        self.shared.write_all();
    }
}

impl Shared {
    /// The lock is held for moments only, never while writing. A thread that panicked leaves a whole queue.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write_all(&self) {
        loop {
            let _file = self
                .file
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            let batch: Vec<(Hole, Entry)> = {
                let mut queue = self.queue();
                if queue.entries.is_empty() {
                    queue.writing = false;
                    return;
                }
                queue.entries.drain(..).collect()
            };
            let lines = batch
                .iter()
                .flat_map(|(hole, entry)| hole.before(entry).into_iter().chain([entry.clone()]));
            let result = append(&self.path, &lines.collect::<Vec<_>>());
            let mut queue = self.queue();
            match result {
                Ok(()) => queue.trouble = None,
                Err(e) => {
                    self.lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
                    let before: u64 = batch.iter().map(|(hole, _)| hole.lines).sum();
                    let lines = before + batch.len() as u64;
                    let next = queue.entries.front_mut().map(|(hole, _)| hole);
                    let why = format!("are lost, for they could not be written: {e}");
                    match next {
                        Some(next) => next.grow(lines, &why),
                        None => queue.hole.grow(lines, &why),
                    }
                    let trouble = format!(
                        "the history cannot be written to {}: {e}; entries are lost until it can",
                        self.path.display()
                    );
                    if queue.trouble.is_none() {
                        log::warn!("{trouble}");
                    }
                    queue.trouble = Some(trouble);
                }
            }
        }
    }
}

/// The last `lines` entries, oldest first. No history is an empty one; where lines are damaged, one says so.
pub fn read(state_dir: &Path, lines: usize) -> io::Result<Vec<Entry>> {
    let path = state_dir.join(FILE);
    let mut entries = VecDeque::new();
    let mut damaged = Hole::default();
    for path in [before(&path), path] {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => {
                return Err(io::Error::new(
                    e.kind(),
                    format!("cannot read {}: {e}", path.display()),
                ));
            }
        };
        for line in BufReader::new(file).split(b'\n') {
            let line = line?;
            match serde_json::from_slice(&line) {
                Ok(entry) => {
                    entries.extend(std::mem::take(&mut damaged).before(&entry));
                    entries.push_back(entry);
                }
                Err(_) if line.is_empty() => {}
                Err(_) => damaged.grow(
                    1,
                    "cannot be read: a full disk or a power cut may have cut it off",
                ),
            }
            while entries.len() > lines {
                entries.pop_front();
            }
        }
    }
    Ok(entries.into())
}

fn append(path: &Path, entries: &[Entry]) -> io::Result<()> {
    let mut text = String::new();
    for entry in entries {
        text += &serde_json::to_string(entry)?;
        text.push('\n');
    }
    let mut file = open(path)?;
    let mut size = file.metadata()?.len();
    if size > 0 && size + text.len() as u64 > MAX_SIZE {
        std::fs::rename(path, before(path))?;
        file = open(path)?;
        size = 0;
    }
    // A full disk or a power cut may have left half a line: that one is lost, the next shall not be.
    if size > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            text.insert(0, '\n');
        }
    }
    file.write_all(text.as_bytes())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
}

fn before(path: &Path) -> PathBuf {
    path.with_extension("jsonl.1")
}

const FILE: &str = "history.jsonl";

#[cfg(test)]
impl Entry {
    /// A line about lb1, for the tests of who carries and shows it.
    pub(crate) fn sample(boottime_us: i64, reason: String) -> Entry {
        Entry {
            time: "2026-11-20T07:14:29.000Z".into(),
            boottime_us,
            cluster: "edge-lb".into(),
            node: "lb1".into(),
            group: None,
            level: "info".into(),
            change: "notice".into(),
            from: None,
            to: None,
            reason,
            lasted_ms: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::peer::PeerState;
    use crate::core::reason::{Fact, Reason};
    use crate::id::GroupId;
    use crate::shell::status::sample::Sample;
    use crate::shell::status::sample::{LAN, WEB};
    use crate::testing::{TestDir, wait_until};
    use crate::wire::heartbeat::{Side, Token};
    use std::time::Duration;

    fn entry(n: usize) -> Entry {
        Entry {
            time: "2026-11-20T07:14:29.123Z".into(),
            boottime_us: n as i64,
            cluster: "edge-lb".into(),
            node: "lb1".into(),
            group: Some("web".into()),
            level: "info".into(),
            change: "role".into(),
            from: Some("stopped".into()),
            to: Some("starting".into()),
            reason: "x".repeat(800),
            lasted_ms: Some(3200),
        }
    }

    fn report(group: Option<GroupId>, change: Change, reason: Reason) -> Report {
        Report {
            group,
            change,
            reason,
        }
    }

    #[test]
    fn entries_name_things_and_measure_roles() {
        let names = Sample::default().names;
        let mut chronicle = Chronicle::default();
        let mut line = |ms: i64, report: Report| {
            chronicle
                .entry(&report, &names, "lb1", Time(ms * 1000))
                .to_string()
        };
        let role = |from, to, reason| report(Some(WEB), Change::Role(from, to), reason);
        let silent = Reason::PeerSilent(Duration::from_millis(500));
        assert_eq!(
            line(
                0,
                report(
                    None,
                    Change::Peer(PeerState::Alive, PeerState::Silent),
                    silent
                )
            ),
            "peer alive → silent: no heartbeat for 500 ms"
        );
        assert_eq!(
            line(1, role(Role::Stopped, Role::Starting, Reason::BestEffort)),
            "web: stopped → starting: best effort: the gateway answers and lb2 answers for no VIP"
        );
        assert_eq!(
            line(13, role(Role::Starting, Role::Active, Reason::Complete)),
            "web: starting → active after 12 ms: everything runs"
        );
        let token = Token {
            epoch: 5,
            holder: Side::Second,
        };
        assert_eq!(
            line(
                14,
                report(Some(WEB), Change::Token(token), Reason::HandedOver)
            ),
            "web: the right to run it is lb2's (token 5): handed over to lb2"
        );
        assert_eq!(
            line(
                15,
                report(Some(WEB), Change::Fact, Reason::Fact(Fact::NoCarrier(LAN)))
            ),
            "web: eth0: no carrier"
        );
    }

    #[test]
    fn what_is_pushed_is_read_in_order() {
        let dir = TestDir::new();
        let history = History::new(&dir);
        for n in 0..100 {
            history.push(entry(n));
        }
        wait_until(|| read(&dir, 1000).unwrap().len() == 100);
        let stamps: Vec<i64> = read(&dir, 3)
            .unwrap()
            .iter()
            .map(|e| e.boottime_us)
            .collect();
        assert_eq!(stamps, [97, 98, 99]);
        assert_eq!(read(&dir, 1).unwrap(), [entry(99)]);
        assert_eq!(history.lost(), 0);
    }

    #[test]
    fn bounded_on_disk() {
        let dir = TestDir::new();
        for n in 0..40 {
            append(&dir.join(FILE), &vec![entry(n); 100]).unwrap();
        }
        let size = |name: &str| std::fs::metadata(dir.join(name)).unwrap().len();
        assert!(size("history.jsonl") <= MAX_SIZE && size("history.jsonl.1") <= MAX_SIZE);
        assert_eq!(std::fs::read_dir(&*dir).unwrap().count(), 2);
        let entries = read(&dir, usize::MAX).unwrap();
        assert!(entries.len() > 1000);
        assert!(entries.is_sorted_by_key(|e| e.boottime_us));
        assert_eq!(entries.last(), Some(&entry(39)));
    }

    #[test]
    fn half_a_line_costs_one_entry() {
        let dir = TestDir::new();
        append(&dir.join(FILE), &[entry(1)]).unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(dir.join(FILE))
            .unwrap()
            .write_all(b"{\"time\":\xff")
            .unwrap();
        append(&dir.join(FILE), &[entry(2)]).unwrap();
        let cut = "a line of lb1's history before this cannot be read: a full disk or a power cut may have cut it off";
        let read = read(&dir, 9).unwrap();
        assert_eq!(read, [entry(1), gap(&entry(2), cut.into()), entry(2)]);
    }

    #[test]
    fn trouble_is_counted_and_over_when_it_is_over() {
        let dir = TestDir::new();
        let state_dir = dir.join("later");
        let history = History::new(&state_dir);
        std::os::unix::fs::symlink("/dev/full", state_dir.join(FILE)).unwrap();
        history.push(entry(1));
        wait_until(|| history.lost() == 1);
        assert!(
            history
                .trouble()
                .unwrap()
                .starts_with("the history cannot be written to ")
        );
        std::fs::remove_dir_all(&state_dir).unwrap();
        history.push(entry(1));
        wait_until(|| history.lost() == 2);
        std::fs::create_dir(dir.join("later")).unwrap();
        history.push(entry(2));
        wait_until(|| read(&dir.join("later"), 9).unwrap().last() == Some(&entry(2)));
        assert_eq!(history.lost(), 2);
        assert_eq!(history.trouble(), None);
        let lines = read(&dir.join("later"), 9).unwrap();
        assert_eq!(lines.len(), 2);
        let said = &lines[0].reason;
        assert!(
            said.starts_with(
                "2 lines of lb1's history before this are lost, for they could not be written: "
            ),
            "{said}"
        );
    }

    #[test]
    fn the_queue_is_bounded() {
        let dir = TestDir::new();
        let history = History::new(&dir);
        history.shared.queue().writing = true; // a thread that hangs in a write
        for n in 0..MAX_QUEUE + 5 {
            history.push(entry(n));
        }
        assert_eq!(history.lost(), 5);
        history.flush();
        assert_eq!(read(&dir, usize::MAX).unwrap().len(), MAX_QUEUE);
        history.push(entry(MAX_QUEUE + 5));
        history.flush();
        let lines = read(&dir, usize::MAX).unwrap();
        let said = &lines[MAX_QUEUE].reason;
        assert_eq!(
            said,
            "5 lines of lb1's history before this are lost: the disk took too long"
        );
        assert_eq!(lines.len(), MAX_QUEUE + 2);
    }
}
