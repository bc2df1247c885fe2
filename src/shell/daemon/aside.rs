//! What the two daemons tell each other for people: their histories, and why their groups stand where they stand.

use super::*;
use crate::config::Digests;
use crate::shell::aside::{Heard, KEPT, MAX_LINE, MAX_WAITING, Message, Stream};
use crate::shell::history::{self, Entry};
use crate::shell::status::{Said, Status};
use crate::wire::aside as wire;
use std::path::Path;

/// The conversation with the other daemon.
pub(super) struct Aside {
    stream: Stream,
    heard: Heard,
    /// What the peer says of its groups, by this node's clock.
    pub(super) told: Vec<Said>,
    /// In what its file differs from this node's.
    pub(super) differences: Vec<String>,
    /// What its file sets; none: it has not told.
    pub(super) settings: Option<Digests>,
    /// Moves that an operator asked for, by the order's number.
    pub(super) moves: BTreeMap<u32, Option<GroupId>>,
    /// How far its clock is ahead of this node's.
    pub(super) clock_ahead_ms: Option<i64>,
    /// What it was told last of the groups here, and when.
    said: (Vec<Said>, Time),
    /// A line of the history found no room: the latest ones are told again once there is.
    behind: bool,
    /// The history as it was read for the peer, which knows what is older.
    read: Rc<RefCell<Option<Vec<Entry>>>>,
}

/// What is said of the groups changes with every step of a move.
const PACE: Duration = Duration::from_millis(500);

impl Aside {
    pub(super) fn open(run_dir: &Path) -> Aside {
        Aside {
            stream: Stream::default(),
            heard: Heard::open(run_dir),
            told: Vec::new(),
            differences: Vec::new(),
            settings: None,
            moves: BTreeMap::new(),
            clock_ahead_ms: None,
            said: (Vec::new(), Time(0)),
            behind: false,
            read: Rc::default(),
        }
    }

    /// What rides beside a heartbeat.
    pub(super) fn beside(&self, heartbeat: &Heartbeat) -> wire::Aside<'_> {
        let echoed = heartbeat.echo.incarnation;
        self.stream.aside(echoed, clock::wall_ms())
    }

    /// A history that was read waits to be told.
    pub(super) fn is_due(&self) -> bool {
        self.read.borrow().is_some()
    }

    /// Keeps what was heard, and tells what has changed here.
    pub(super) fn publish(&mut self, status: Option<&Status>, now: Time) {
        if let Err(error) = self.heard.save() {
            log::debug!("what the peer told is kept in memory alone: {error}");
        }
        let (said, at) = &self.said;
        let (Some(status), true) = (status, now.since(*at) >= PACE) else {
            return;
        };
        let new: Vec<Said> = status.groups.iter().map(Said::of).collect();
        if self.stream.is_open() && *said != new {
            let message = Message::Now {
                stamp_us: now.0,
                groups: new.clone(),
            };
            if self.stream.say(&message.line()) {
                self.said = (new, now);
            }
        }
    }

    /// The peer's daemon takes part.
    pub(super) fn is_open(&self) -> bool {
        self.stream.is_open()
    }

    pub(super) fn say(&mut self, message: &Message) -> bool {
        self.stream.say(&message.line())
    }
}

impl Daemon {
    /// What an accepted heartbeat said aside.
    pub(super) fn hear_aside(&mut self, from: u64, aside: Option<wire::Aside<'_>>) {
        let Some(aside) = aside else { return };
        let ahead = aside.clock_ms as i64 - clock::wall_ms() as i64;
        self.aside.clock_ahead_ms = Some(ahead);
        let brought = self.aside.stream.hear(from, &aside);
        if brought.anew {
            (self.aside.told, self.aside.said) = (Vec::new(), (Vec::new(), Time(0)));
            self.aside.settings = None;
            self.tell_settings();
            let after = self.aside.heard.newest();
            self.aside.say(&Message::Tell { after });
        }
        for line in brought.lines {
            match Message::parse(&line) {
                Some(message) => self.hear_message(message),
                None => *self.counters.entry("aside: not understood").or_default() += 1,
            }
            self.dirty = true;
        }
        if self.aside.behind && self.aside.stream.is_empty() {
            self.aside.behind = false;
            self.tell_history(None);
        }
    }

    fn hear_message(&mut self, message: Message) {
        match message {
            Message::Tell { after } => self.tell_history(after),
            Message::Entry(entry) => {
                if entry.node == self.config.node(self.me.other()).name {
                    self.aside.heard.add(*entry);
                }
            }
            Message::Settings(settings) => {
                self.aside.settings = Some(settings);
                self.compare_settings();
            }
            Message::Ask { number } => self.examine_for_peer(number),
            Message::Answer { number, examined } => self.peer_answered(number, &examined),
            Message::Now { stamp_us, groups } => {
                // It was under way for a moment: ages are right to within a second.
                let by = clock::now().0.saturating_sub(stamp_us);
                let shifted = groups.into_iter().map(|said| said.shifted(by));
                self.aside.told = shifted.collect();
            }
        }
    }

    /// Says what this node's file sets, and compares it with what the peer's does.
    pub(super) fn tell_settings(&mut self) {
        let digests = self.config.settings.digests();
        self.aside.say(&Message::Settings(digests));
        self.compare_settings();
    }

    fn compare_settings(&mut self) {
        let [here, there] = [self.me, self.me.other()].map(|side| &self.config.node(side).name);
        let mine = self.config.settings.digests();
        let theirs = self.aside.settings.as_ref();
        self.aside.differences = theirs.map_or(Vec::new(), |theirs| {
            config::differences((here, &mine), (there, theirs))
        });
    }

    /// Begins to tell the history, as it stands on disk, after the entry of that time.
    fn tell_history(&mut self, after: Option<String>) {
        let (dir, read) = (self.options.state_dir.clone(), self.aside.read.clone());
        let task = async move {
            let entries = smol::unblock(move || history::read(&dir, KEPT)).await;
            let mut entries = entries.unwrap_or_default();
            let known = entries
                .iter()
                .rposition(|e| Some(&e.time) == after.as_ref());
            entries.drain(..known.map_or(0, |at| at + 1));
            *read.borrow_mut() = Some(entries);
        };
        self.executor.spawn(task).detach();
    }

    /// Tells what was read: the latest of it, if there is no room for all.
    pub(super) fn finish_telling(&mut self) {
        let read = self.aside.read.borrow_mut().take().unwrap_or_default();
        let mut lines: Vec<Vec<u8>> = read.into_iter().map(line).collect();
        let mut bytes: usize = lines.iter().map(Vec::len).sum();
        while bytes > MAX_WAITING / 2 {
            bytes -= lines.remove(0).len();
        }
        for line in lines {
            self.aside.stream.say(&line);
        }
    }

    /// A line of the history, for the peer.
    pub(super) fn tell_peer_of(&mut self, entry: &Entry) {
        if self.aside.stream.is_open() {
            let said = self.aside.stream.say(&line(entry.clone()));
            self.aside.behind |= !said;
        }
    }
}

/// No sentence is longer, but what a program said may be.
const LONGEST: usize = MAX_LINE / 4;

fn line(mut entry: Entry) -> Vec<u8> {
    if entry.reason.len() > LONGEST {
        let end = (0..=LONGEST)
            .rev()
            .find(|at| entry.reason.is_char_boundary(*at));
        entry.reason.truncate(end.unwrap_or(0));
        entry.reason += " …";
    }
    Message::Entry(Box::new(entry)).line()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_always_fits() {
        let entry = Entry {
            time: String::new(),
            boottime_us: 0,
            cluster: String::new(),
            node: String::new(),
            group: None,
            level: String::new(),
            change: String::new(),
            from: None,
            to: None,
            reason: "ñ\u{1}".repeat(MAX_LINE),
            lasted_ms: None,
        };
        let line = line(entry);
        assert!(line.len() < MAX_LINE, "{}", line.len());
        let Some(Message::Entry(told)) = Message::parse(&line) else {
            panic!("not understood");
        };
        assert!(told.reason.ends_with(" …"));
    }
}
