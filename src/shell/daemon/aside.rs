//! What the two daemons tell each other for people: their histories, and why their groups stand where they stand.

use super::*;
use crate::config::Digests;
use crate::core::view::View;
use crate::shell::aside::{Conversation, End, Heard, KEPT, Message, Parts, Replies, Room};
use crate::shell::history::{self, Entry};
use crate::shell::status::{Fencing, Said, Status};
use crate::wire::aside as wire;
use crate::wire::heartbeat::Role;
use std::path::Path;

/// The conversation with the other daemon.
pub(super) struct Aside {
    conversation: Conversation,
    heard: Heard,
    /// What the peer says of its groups, by this node's clock, and when it said so.
    pub(super) told: Vec<Said>,
    told_at: Time,
    /// How often it has said anything of now.
    pub(super) words: u64,
    /// Where the peer's groups stand by its heartbeats, which are here first, and since when.
    roles: BTreeMap<GroupId, (Role, Time)>,
    /// In what its file differs from this node's.
    pub(super) differences: Vec<String>,
    /// What it says of itself that this node cannot see.
    pub(super) amiss: Vec<String>,
    /// Its ends of paths that it knows to be of no use.
    pub(super) ends: Vec<End>,
    /// What its file sets; none: it has not told.
    pub(super) settings: Option<Digests>,
    parts: Parts,
    /// In maintenance its daemon ended as it was told: when that was heard.
    pub(super) ended: Option<Time>,
    /// Answers to commands that are not all here yet.
    pub(super) replies: Replies,
    /// Moves that an operator asked for, by the order's number.
    pub(super) moves: BTreeMap<u32, Option<GroupId>>,
    /// How far its clock is ahead of this node's.
    pub(super) clock_ahead_ms: Option<i64>,
    /// Its clock, as its latest heartbeat said, and when that was heard.
    clock_ms: u64,
    heard_at: Time,
    /// Where the groups stand here by the heartbeats: at each change it is said anew why.
    spoken: Vec<(GroupId, Role)>,
    /// What it was told last of how things stand here.
    said: Told,
    /// It reaches a device that switches this node off; none: it has none, or has not said.
    pub(super) peer_ready: Option<bool>,
    /// The history as it was read for the peer, if it could be.
    read: Rc<RefCell<Option<io::Result<Vec<Entry>>>>>,
}

/// How things stand, as the peer was told.
#[derive(Debug, Default, PartialEq)]
struct Told {
    groups: Vec<Said>,
    amiss: Vec<String>,
    fences: Option<bool>,
    ends: Vec<End>,
    /// When that was looked at; none: nothing was told.
    at: Option<Time>,
}

/// What is said of the groups changes with every step of a move.
const PACE: Duration = Duration::from_millis(500);

impl Aside {
    pub(super) fn open(run_dir: &Path) -> Aside {
        Aside {
            conversation: Conversation::default(),
            heard: Heard::open(run_dir),
            told: Vec::new(),
            told_at: Time(0),
            words: 0,
            roles: BTreeMap::new(),
            differences: Vec::new(),
            amiss: Vec::new(),
            ends: Vec::new(),
            settings: None,
            ended: None,
            parts: Parts::default(),
            replies: Replies::default(),
            moves: BTreeMap::new(),
            clock_ahead_ms: None,
            clock_ms: 0,
            heard_at: Time(0),
            spoken: Vec::new(),
            said: Told::default(),
            peer_ready: None,
            read: Rc::default(),
        }
    }

    /// What rides beside a heartbeat.
    pub(super) fn beside(&mut self, heartbeat: &Heartbeat) -> wire::Aside<'_> {
        let roles = heartbeat.groups.iter().map(|group| (group.id, group.role));
        if !roles.clone().eq(self.spoken.iter().copied()) {
            (self.spoken, self.said) = (roles.collect(), Told::default());
        }
        let echoed = heartbeat.echo.incarnation;
        self.conversation.aside(echoed, clock::wall_ms())
    }

    /// A history that was read waits to be told.
    pub(super) fn is_due(&self) -> bool {
        self.read.borrow().is_some()
    }

    /// Tells what has changed here.
    fn publish(&mut self, status: Option<&Status>, ends: Vec<End>, now: Time) {
        let paced = self.said.at.is_none_or(|at| now.since(at) >= PACE);
        let (Some(status), true) = (status, self.is_open() && paced) else {
            return;
        };
        let new = Told {
            groups: status.groups.iter().map(Said::of).collect(),
            amiss: status.own_words(),
            fences: status.fencing.as_ref().and_then(Fencing::known),
            ends,
            at: self.said.at,
        };
        if new != self.said {
            let message = Message::Now {
                stamp_us: now.0,
                wall_ms: Some(clock::wall_ms()),
                groups: new.groups.clone(),
                fences: new.fences,
                amiss: new.amiss.clone(),
                ends: new.ends.clone(),
            };
            if self.owe(&message) == Room::TooLong {
                log::debug!("what is said of the groups here is too long to be told");
            }
        }
        self.said = Told {
            at: Some(now),
            ..new
        };
    }

    /// What was said before a group stood where it stands is of then.
    pub(super) fn follow_roles(&mut self, view: &View, now: Time) {
        for group in &view.groups {
            let known = self.roles.get(&group.id).map(|(role, _)| *role);
            let role = group.peer.map(|(role, _)| role);
            if let Some(role) = role.filter(|role| Some(*role) != known) {
                // Of the first that is heard it is not known how long it stands there.
                let since = if known.is_some() { now } else { Time(0) };
                self.roles.insert(group.id, (role, since));
            }
        }
        let (roles, told_at) = (&self.roles, self.told_at);
        self.told.retain(|said| {
            let stands = roles.get(&GroupId::of(&said.group));
            stands.is_none_or(|(_, since)| told_at + UNDER_WAY >= *since)
        });
    }

    /// The peer's daemon takes part.
    pub(super) fn is_open(&self) -> bool {
        self.conversation.is_open()
    }

    /// So many bytes are said, and not taken.
    pub(super) fn waits(&self) -> usize {
        self.conversation.waits()
    }

    /// The peer has taken what it was told.
    pub(super) fn is_taken(&self) -> bool {
        self.conversation.is_taken()
    }

    /// To be told as soon as there is room for it.
    pub(super) fn owe(&mut self, message: &Message) -> Room {
        self.conversation.owe(message)
    }

    /// At the end of the daemon.
    pub(super) fn end(&mut self) {
        self.heard.flush();
    }
}

impl Daemon {
    /// Tells the peer what has changed here, and keeps what it told.
    pub(super) fn publish_aside(&mut self, now: Time) {
        let ends = self.names.paths.iter().filter_map(|path| {
            let (address, why) = (path.own.clone(), path.hindered.clone()?);
            Some(End { address, why })
        });
        self.aside
            .publish(self.publisher.latest(), ends.collect(), now);
        if let Some(write) = self.aside.heard.save(now) {
            smol::unblock(write).detach();
        }
    }

    /// What an accepted heartbeat said aside.
    pub(super) fn hear_aside(&mut self, from: u64, aside: Option<wire::Aside<'_>>) {
        let Some(aside) = aside else { return };
        self.aside.clock_ahead_ms = Some(clock::ahead_ms(aside.clock_ms, clock::wall_ms()));
        self.aside.clock_ms = aside.clock_ms;
        // What was under way meanwhile is old news.
        let now = clock::now();
        let rhythm = self.node.peer_heartbeat().map_or(SILENCE, |h| h.interval);
        let silence = SILENCE.max(rhythm * 3);
        if now.since(std::mem::replace(&mut self.aside.heard_at, now)) >= silence {
            self.aside.said = Told::default();
        }
        let brought = self.aside.conversation.hear(from, &aside);
        if brought.anew {
            (self.aside.told, self.aside.said) = (Vec::new(), Told::default());
            (self.aside.peer_ready, self.aside.ended) = (None, None);
            self.aside.amiss.clear();
            self.aside.ends.clear();
            (self.aside.settings, self.aside.parts) = (None, Parts::default());
            self.tell_settings();
            let after = self.aside.heard.join();
            let _ = self.aside.owe(&Message::Tell { after });
            self.peer_begins_anew();
        }
        self.tell_mistakes();
        for line in brought.lines {
            match Message::parse(&line) {
                Some(message) => self.hear_message(message),
                None => *self.counters.entry("aside: not understood").or_default() += 1,
            }
            self.dirty = true;
        }
    }

    fn hear_message(&mut self, message: Message) {
        match message {
            Message::Tell { after } => self.tell_history(after),
            Message::Entry(entry) => {
                if entry.node == self.config.node(self.me.other()).name {
                    self.course.hear(&entry, &self.names, clock::now());
                    self.note_order(&entry);
                    self.aside.heard.add(*entry);
                }
            }
            Message::Settings(settings) => {
                self.aside.settings = Some(settings);
                self.compare_settings();
            }
            Message::SettingsPart {
                part,
                last,
                digests,
            } => {
                if let Some(settings) = self.aside.parts.add(part, last, digests) {
                    self.aside.settings = Some(settings);
                    self.compare_settings();
                }
            }
            Message::Reply { text } => {
                if let Some((number, accepted)) = self.aside.replies.whole(&text) {
                    self.answered(number, accepted, text);
                }
            }
            Message::Outdate { number, resource } => self.outdate_for_peer(number, resource),
            Message::Outdated {
                number,
                resource,
                refused,
            } => self.disks.outdated(number, &resource, refused),
            Message::Parted { resources } => self.disks.parted(&resources),
            Message::Acknowledged { groups } => self.hear_acknowledged(&groups),
            Message::TakenAsOff { why, since_ms } => self.hear_mistake(&why, since_ms),
            Message::Ends => self.aside.ended = Some(clock::now()),
            Message::Ask { number } => self.examine_for_peer(number),
            Message::Answer { number, examined } => self.peer_answered(number, &examined),
            Message::Now {
                stamp_us,
                wall_ms,
                groups,
                fences,
                amiss,
                ends,
            } => {
                self.aside.words += 1;
                (self.aside.amiss, self.aside.ends) = (amiss, ends);
                self.aside.peer_ready = fences;
                let under_way = under_way(wall_ms, self.aside.clock_ms);
                let by = clock::now().0.saturating_sub(stamp_us);
                let by = by.saturating_sub(under_way);
                self.aside.told_at = Time(clock::now().0.saturating_sub(under_way));
                let shifted = groups.into_iter().map(|said| said.shifted(by));
                self.aside.told = shifted.collect();
            }
        }
    }

    /// Says what this node's file sets, and compares it with what the peer's does.
    pub(super) fn tell_settings(&mut self) {
        let digests = self.config.settings.digests();
        let _ = self.aside.owe(&Message::Settings(digests));
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

    /// Begins to tell the history from that time on.
    fn tell_history(&mut self, after: Option<String>) {
        if self.aside.conversation.asked_for_history(after) {
            return;
        }
        let (dir, read) = (self.options.state_dir.clone(), self.aside.read.clone());
        let task = async move {
            let entries = smol::unblock(move || history::read(&dir, KEPT)).await;
            *read.borrow_mut() = Some(entries);
        };
        self.executor.spawn(task).detach();
    }

    /// What was written before this daemon started can be told.
    pub(super) fn finish_telling(&mut self) {
        let read = self.aside.read.borrow_mut().take();
        if let Some(read) = read {
            let read = read.inspect_err(|error| {
                log::warn!("the other node is not told what was before this start: {error}");
            });
            self.aside.conversation.history_was_read(read.ok());
        }
    }

    /// Answers with what there is of an answer whose end does not come.
    pub(super) fn finish_replies(&mut self) {
        if let Some((number, accepted, text)) = self.aside.replies.late(clock::now()) {
            self.answered(number, accepted, text);
        }
    }

    /// A line of the history, for the peer.
    pub(super) fn tell_peer_of(&mut self, entry: &Entry) {
        self.aside.conversation.note(entry.clone());
    }
}

/// What is said in the step in which a group changes may be here with the heartbeat that shows it.
const UNDER_WAY: Duration = Duration::from_millis(50);

/// After so long it is said again how the groups stand.
const SILENCE: Duration = Duration::from_secs(5);

/// For how long what was said at the one moment of the sender's clock was under way at the other, µs. Who does not
/// say when is believed to have said it just now; and so is a clock that was set meanwhile.
fn under_way(said_ms: Option<u64>, now_ms: u64) -> i64 {
    let ms = said_ms.map_or(0, |said| now_ms.saturating_sub(said));
    let ms = i64::try_from(ms).ok().filter(|ms| *ms <= LONGEST_WAY_MS);
    ms.map_or(0, |ms| ms * 1000)
}

/// A link may be cut for hours; what is longer is a clock that was set.
const LONGEST_WAY_MS: i64 = 24 * 3600 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waited_is_as_old_as_it_is() {
        assert_eq!(under_way(Some(1_000), 8_500), 7_500_000);
        assert_eq!(under_way(None, 8_500), 0);
        assert_eq!(under_way(Some(9_000), 8_500), 0);
        assert_eq!(under_way(Some(0), u64::MAX), 0, "no clock says that");
        assert_eq!(under_way(Some(0), 1_795_000_000_000), 0, "it began in 1970");
        let hour = 3_600_000;
        assert_eq!(under_way(Some(5), 5 + hour), hour as i64 * 1000);
    }
}
