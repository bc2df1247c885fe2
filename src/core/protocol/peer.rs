//! Hears the peer: which heartbeats count, and what state they put the peer in.
//!
//! **Freshness without a clock in common.** Each heartbeat echoes the newest one accepted from the
//! other side. This node remembers two that it sent, and when: the *round*, the first since the last
//! echo, and the newest. A heartbeat that echoes the round or a later one was made after that moment,
//! so its content is no older, and the peer has heard this node since. That carries four rules:
//! - a new incarnation (a restarted daemon, or a replay) is believed only by such an echo;
//! - the peer is *alive* while its echoes keep up, and *one-way* when they stop;
//! - agreement needs an echo of a round begun after the decision to start, and recent
//!   ([`Peer::proves`]);
//! - the peer cannot take this node for silent before its detection time after that moment
//!   ([`Peer::counted`], [`Peer::answered`]), however late what it says arrives.
//!
//! **Silence** is judged on [`tick`](Peer::tick) only, which comes after every queued datagram was
//! read: a node that was late itself must not take its own delay for the peer's death. Only a
//! sequence above all before it counts as life, so that nobody keeps a dead peer alive by replay.
//!
//! **A stranger** is an incarnation heard and not believed: a restarted daemon, or a replay. It is challenged,
//! remembered for a while, and changes no state, so that a replay voids neither a goodbye nor a fencing:
//! - gone stays gone; this node says *contested* meanwhile (as always while it does not hear its peer), so
//!   that nothing begins by the challenge either. But the peer may be back, and this may be all there is of it:
//!   while a stranger is remembered a holder judges its isolation ([`Peer::challenged`]), and what is to
//!   start because the peer is gone waits for as long as the first could take to prove itself, whoever else
//!   is heard meanwhile ([`Peer::held_back`]): a daemon that hung may read of a peer that took over;
//! - a believed peer that echoes what was sent after the stranger was heard outlived it: then that was a
//!   replay, and is heard no more. Until then its goodbye is none, for the stranger may be its successor,
//!   started by this node's agreement while the goodbye was under way.
//!
//! **This node's own side** without an echo is its own datagram, reflected or replayed; with one, it is
//! another machine under the same name, which is refused for as long as it is heard.

use super::super::canonical::{LONG_AGO, Mark};
use super::super::reason::Reason;
use super::super::setup::Setup;
use super::super::time::Time;
use super::coverage::Lists;
use super::group::Group;
use crate::id::GroupId;
use crate::wire::heartbeat::{
    Echo, GroupReport, Heartbeat, MAX_CHALLENGES, Versions, Wish, WishSubject,
};
use std::time::Duration;

/// Wire versions this program speaks.
pub const VERSIONS: Versions = Versions {
    lowest: 1,
    highest: 1,
};

/// The peer as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    state: PeerState,
    since: Time,
    reason: Reason,
    /// The incarnation believed; 0: none.
    incarnation: u64,
    /// Its highest sequence accepted.
    highest: u64,
    /// When a new sequence of it was last accepted.
    last_heard: Option<Time>,
    /// The interval it announces.
    interval: Duration,
    /// The first heartbeat sent since the last echo, and the newest.
    round: Option<Sent>,
    newest: Option<Sent>,
    /// The newest of them that was echoed: the latest heartbeat is no older.
    proof: Option<Sent>,
    /// When the newest was sent that the peer echoed as this node's, and not as a stranger's.
    counted: Option<Time>,
    /// When the newest was sent that it echoed, even as a stranger's, while it sought no clearance.
    answered: Option<Time>,
    /// Since when it asks to be switched off.
    pleads_since: Option<Time>,
    /// When it was heard again after it had left or had been fenced.
    returned: Option<Time>,
    /// Until when that holds back what would start because it is gone.
    held_until: Option<Time>,
    /// Incarnations heard but not believed, to be challenged.
    strangers: Vec<Stranger>,
    /// One of them may be the successor of the one believed.
    succeeded: bool,
    /// Until when another machine under this node's name is remembered.
    twin: Option<Time>,
    /// Datagrams of this node's own side.
    reflected: u64,
    /// Incarnations once believed and replaced.
    retired: Vec<u64>,
    /// The latest heartbeat accepted and compatible.
    latest: Option<Heartbeat>,
    /// The latest of a peer that is refused for its version or node list: of that the fixed frame counts, and for
    /// [`Right::Resumed`](super::right::Right) only.
    refused: Option<Heartbeat>,
    /// What it and those before said of lists that differ from this node's.
    lists: Lists,
    /// Per path, when the believed incarnation was last heard there.
    paths: Vec<Option<Time>>,
}

/// What this node makes of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Not heard since this daemon started.
    Unknown,
    /// Heard, and it echoes recent heartbeats of this node.
    Alive,
    /// Heard, but it does not hear this node.
    OneWay,
    /// Authentic, but incompatible: other cluster name, node list or wire version.
    Refused,
    /// Said goodbye: everything stopped and handed over. Clearance until it is heard again.
    Left,
    /// Was heard, and is not any more, on no path.
    Silent,
    /// Verified off, by an outside source or by the operator. Clearance until it is heard again.
    Fenced,
}

impl PeerState {
    /// Its heartbeats come, whatever they are worth.
    pub fn is_heard(self) -> bool {
        matches!(
            self,
            PeerState::Alive | PeerState::OneWay | PeerState::Refused
        )
    }

    /// It runs nothing, by its own word or a verified one: clearance by itself.
    pub fn is_gone(self) -> bool {
        matches!(self, PeerState::Left | PeerState::Fenced)
    }
}

/// What a heartbeat was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Old, or replayed.
    Nothing,
    /// Of this node's own side: reflected, or replayed.
    Reflected,
    /// A stranger that asks to be believed: answer it.
    Candidate,
    /// News.
    News {
        /// From an incarnation not known before.
        restarted: bool,
    },
}

/// A heartbeat of this node: what echoes it is no older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sent {
    sequence: u64,
    at: Time,
    /// A stranger was heard since.
    outdated: bool,
}

/// An incarnation that has yet to prove itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Stranger {
    echo: Echo,
    /// When it is forgotten.
    until: Time,
    /// It may be the peer, come back; otherwise it is of this node's own side, or of what was fenced.
    back: bool,
}

/// Who is asking: this node's own side of the conversation.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// This node's incarnation.
    pub incarnation: u64,
}

/// What of an announced interval is taken at its word: all that a file may say.
pub const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// The longest: three of them are the longest detection time.
pub const LONGEST_INTERVAL: Duration = LONGEST_DETECTION
    .checked_div(FEWEST_MISSES)
    .expect("it is not zero");
/// A silence that nobody notices for longer needs no daemon.
pub const LONGEST_DETECTION: Duration = Duration::from_secs(10);
/// With fewer, one lost datagram beside one late one looks like death.
pub const FEWEST_MISSES: u32 = 3;
const RETIRED: usize = 8;
/// A stranger is remembered for at least so long: it comes with the first heartbeat of a daemon whose
/// next ones may be lost.
const REMEMBERED: Duration = Duration::from_secs(1);

impl Peer {
    /// A peer not heard yet, at the start of this daemon.
    pub fn new(now: Time, setup: &Setup) -> Peer {
        Peer {
            state: PeerState::Unknown,
            since: now,
            reason: Reason::PeerUnknown,
            incarnation: 0,
            highest: 0,
            last_heard: None,
            interval: setup.interval,
            round: None,
            newest: None,
            proof: None,
            counted: None,
            answered: None,
            pleads_since: None,
            returned: None,
            held_until: None,
            strangers: Vec::new(),
            succeeded: false,
            twin: None,
            reflected: 0,
            retired: Vec::new(),
            latest: None,
            refused: None,
            lists: Lists::default(),
            paths: Vec::new(),
        }
    }

    /// Its state.
    pub fn state(&self) -> PeerState {
        self.state
    }

    /// Why it is in that state, and since when.
    pub fn why(&self) -> (&Reason, Time) {
        (&self.reason, self.since)
    }

    /// Its latest heartbeat, however old.
    pub fn latest(&self) -> Option<&Heartbeat> {
        self.latest.as_ref()
    }

    /// Whether it was in maintenance when it was last heard.
    pub fn in_maintenance(&self) -> bool {
        let on = |w: &Wish| w.subject == WishSubject::Maintenance && w.is_on();
        self.latest
            .as_ref()
            .is_some_and(|h| h.wishes.iter().any(on))
    }

    /// What its latest heartbeat says about a group.
    pub fn group(&self, id: GroupId) -> Option<&GroupReport> {
        self.latest.as_ref()?.groups.iter().find(|g| g.id == id)
    }

    /// This node is about to have another list of that group.
    pub fn relist(&mut self, group: &Group) {
        if self
            .group(group.id())
            .is_some_and(|r| r.list == group.list())
        {
            self.lists.learn(group);
        }
    }

    /// What it lists in groups whose lists are not the same on both nodes.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// What it says about its groups while it is refused, and is the peer all the same.
    pub fn refused(&self) -> Option<&[GroupReport]> {
        let refused = self.refused.as_ref();
        refused
            .filter(|_| self.state == PeerState::Refused)
            .map(|heartbeat| &heartbeat.groups[..])
    }

    /// Since when it asks to be switched off, while it is alive.
    pub fn pleads_since(&self) -> Option<Time> {
        self.pleads_since.filter(|_| self.state == PeerState::Alive)
    }

    /// When it was last heard.
    pub fn last_heard(&self) -> Option<Time> {
        self.last_heard
    }

    /// When it was last heard on a path.
    pub fn heard_on(&self, path: usize) -> Option<Time> {
        self.paths.get(path).copied().flatten()
    }

    /// Silence longer than this is death.
    pub fn detection_time(&self, setup: &Setup) -> Duration {
        setup.detection_time(self.interval)
    }

    /// The interval it announces.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// The moment up to which this node and the peer had contact both ways; None: never. A round
    /// takes up to two intervals, so that much older than now is its proof while all is well.
    pub fn contact(&self) -> Option<Time> {
        let heard = self.last_heard?;
        Some(
            self.proof
                .map_or(heard, |proof| heard.min(proof.at + 2 * self.interval)),
        )
    }

    /// A moment at which this node said what the peer has heard, and counts it by: its silence begins then
    /// or later. None: it has never heard this node.
    pub fn counted(&self) -> Option<Time> {
        self.counted
    }

    /// The same, where the peer may have answered without counting it, as it does until it believes a
    /// restarted daemon: it began its evidence anew then or later, unless it was seeking clearance already.
    pub fn answered(&self) -> Option<Time> {
        self.answered
    }

    /// A stranger is remembered that may be the peer.
    pub fn challenged(&self) -> bool {
        self.strangers.iter().any(|stranger| stranger.back)
    }

    /// It may have come back a moment ago: nothing starts because it is gone.
    pub fn held_back(&self) -> bool {
        self.held_until.is_some()
    }

    /// How many datagrams of this node's own side were dropped.
    pub fn reflected(&self) -> u64 {
        self.reflected
    }

    /// When it came back after it had left or had been fenced: before that it was not to be feared.
    pub fn returned(&self) -> Option<Time> {
        self.returned
    }

    /// What this node echoes: the believed incarnation, and the strangers that must prove themselves.
    pub fn echoes(&self) -> (Echo, Vec<Echo>) {
        let believed = Echo {
            incarnation: self.incarnation,
            sequence: self.highest,
        };
        (believed, self.strangers.iter().map(|s| s.echo).collect())
    }

    /// The first eight paths, by bit, on which the peer was heard within its detection time.
    pub fn heard_paths(&self, now: Time, setup: &Setup) -> u8 {
        let span = self.detection_time(setup);
        (0..self.paths.len().min(8))
            .filter(|&path| self.heard_on(path).is_some_and(|at| now.since(at) <= span))
            .fold(0, |bits, path| bits | 1 << path)
    }

    /// This node sends a heartbeat; with `decision`, one that agreement is to echo. Begins a new
    /// round when the last is answered or too old to prove anything.
    pub fn sent(&mut self, now: Time, sequence: u64, decision: bool, setup: &Setup) {
        let sent = Sent {
            sequence,
            at: now,
            outdated: false,
        };
        let fresh = self.fresh(setup);
        let under_way = self.round.is_some_and(|round| now.since(round.at) <= fresh);
        if under_way && !decision {
            self.newest = Some(sent);
        } else {
            (self.round, self.newest) = (Some(sent), None);
        }
        if let (true, Some(proof)) = (decision, &mut self.proof) {
            proof.sequence = 0; // of what was decided before
        }
    }

    /// Judges a heartbeat.
    pub fn hear(
        &mut self,
        now: Time,
        path: usize,
        heartbeat: &Heartbeat,
        own: Own,
        setup: &Setup,
    ) -> Heard {
        let echo = echo_of(own.incarnation, heartbeat);
        let lasts = self.detection_time(setup);
        let echoed = |sent: &Sent| echo >= sent.sequence && now.since(sent.at) <= lasts;
        let in_round = self.round.as_ref().is_some_and(echoed);
        if heartbeat.cluster == setup.cluster && heartbeat.node == setup.me {
            return self.hear_own_side(now, heartbeat, own, in_round, setup);
        }
        let gone = self.state.is_gone();
        let returns = gone && !self.challenged();
        let restarted = heartbeat.incarnation != self.incarnation;
        if restarted {
            if self.retired.contains(&heartbeat.incarnation)
                || heartbeat.incarnation == own.incarnation
            {
                return Heard::Nothing;
            }
            if !in_round {
                self.challenge(now, heartbeat, true, setup);
                if returns && self.challenged() {
                    self.returned = Some(now);
                    let span = self.remembered(heartbeat.interval, setup);
                    self.held_until = Some(now + span);
                }
                return Heard::Candidate;
            }
            self.believe(heartbeat.incarnation);
        } else if heartbeat.sequence <= self.highest {
            if self.highest - heartbeat.sequence < 64 {
                self.note_path(now, path);
            }
            return Heard::Nothing;
        }
        self.note_path(now, path);
        self.highest = heartbeat.sequence;
        self.last_heard = Some(now);
        self.interval = (heartbeat.interval).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL);
        if in_round {
            self.proof = match self.newest.take_if(|newest| echo >= newest.sequence) {
                Some(newest) => {
                    self.round = None;
                    Some(newest)
                }
                None => std::mem::replace(&mut self.round, self.newest.take()),
            };
            if self.proof.is_some_and(|proof| !proof.outdated) {
                self.outlived();
            }
            let at = self.proof.map(|proof| proof.at);
            if heartbeat.echo.incarnation == own.incarnation {
                self.counted = at;
            }
            if heartbeat.groups.iter().all(|group| !group.contested) {
                self.answered = at;
            }
        }
        self.judge(now, heartbeat, setup);
        if returns && self.state.is_heard() {
            self.returned = Some(now);
        }
        if !self.state.is_gone() {
            self.held_until = None;
        }
        self.pleads_since = match heartbeat.fence_me {
            true => self.pleads_since.or(Some(now)),
            false => None,
        };
        self.refused = None;
        if self.state != PeerState::Refused {
            self.lists.hear(heartbeat);
            self.latest = Some(heartbeat.clone());
        } else if matches!(self.reason, Reason::OtherVersion(..) | Reason::OtherNodes) {
            self.refused = Some(heartbeat.clone());
        }
        Heard::News { restarted }
    }

    /// Time passed and every queue is empty: is the peer still there?
    pub fn tick(&mut self, now: Time, setup: &Setup) {
        self.strangers.retain(|stranger| now < stranger.until);
        self.twin = self.twin.filter(|until| now < *until);
        self.held_until = (self.held_until).filter(|until| now < *until && self.challenged());
        let Some(heard) = self.last_heard else { return };
        if self.state.is_heard() && now.since(heard) >= self.detection_time(setup) {
            self.become_state(now, PeerState::Silent, Reason::PeerSilent(now.since(heard)));
        } else if self.state == PeerState::Alive && !self.keeps_up(now, setup) {
            self.become_state(now, PeerState::OneWay, Reason::PeerDeaf);
        }
    }

    /// When the next judgement is due.
    pub fn deadline(&self, setup: &Setup) -> Option<Time> {
        let silent = (self.last_heard.filter(|_| self.state.is_heard()))
            .map(|heard| heard + self.detection_time(setup));
        let deaf = (self.proof.filter(|_| self.state == PeerState::Alive))
            .map(|proof| proof.at + self.deaf_after(setup) + Duration::from_micros(1));
        let forgotten = self.strangers.iter().map(|stranger| stranger.until);
        let forgotten = forgotten.chain(self.twin).chain(self.held_until);
        forgotten.chain(silent).chain(deaf).min()
    }

    /// The newest own sequence that the peer's latest heartbeat was made after.
    pub fn proof(&self) -> u64 {
        self.proof.map_or(0, |proof| proof.sequence)
    }

    /// Whether the latest heartbeat was made after this node sent `decided`, and recently.
    pub fn proves(&self, now: Time, decided: u64, setup: &Setup) -> bool {
        let fresh = self.fresh(setup);
        let proves = |proof: Sent| proof.sequence >= decided && now.since(proof.at) <= fresh;
        self.proof.is_some_and(proves)
    }

    /// The peer is off: verified, or by the operator's word. What it was until now is brought back only by
    /// an echo of a later round, so by no datagram that was still under way.
    pub fn fenced(&mut self, now: Time, reason: Reason, setup: &Setup) {
        let until = now + self.remembered(self.interval, setup);
        let (believed, _) = self.echoes();
        self.strangers.iter_mut().for_each(|s| s.back = false);
        if believed.incarnation != 0 {
            self.strangers.push(Stranger {
                echo: believed,
                until,
                back: false,
            });
        }
        (self.incarnation, self.succeeded, self.held_until) = (0, false, None);
        (self.round, self.newest, self.proof) = (None, None, None);
        (self.counted, self.answered) = (None, None);
        self.become_state(now, PeerState::Fenced, reason);
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        f(&mut self.since);
        let sent = [&mut self.round, &mut self.newest, &mut self.proof];
        sent.into_iter().flatten().for_each(|sent| f(&mut sent.at));
        self.last_heard.iter_mut().for_each(&mut *f);
        let told = [
            &mut self.counted,
            &mut self.answered,
            &mut self.returned,
            &mut self.pleads_since,
        ];
        told.into_iter().flatten().for_each(&mut *f);
        self.strangers.iter_mut().for_each(|s| f(&mut s.until));
        let until = [&mut self.twin, &mut self.held_until];
        until.into_iter().flatten().for_each(&mut *f);
        self.paths.iter_mut().flatten().for_each(&mut *f);
    }

    /// Calls `f` with every number of a heartbeat stored here, named by its incarnation; a retired
    /// incarnation is forgotten if `f` says false.
    pub fn marks(&mut self, own: u64, f: &mut dyn FnMut(Mark, &mut Echo) -> bool) {
        for (mark, sent) in [
            (Mark::Round, &mut self.round),
            (Mark::Newest, &mut self.newest),
            (Mark::Proof, &mut self.proof),
        ] {
            let Some(sent) = sent else { continue };
            let mut echo = Echo {
                incarnation: own,
                sequence: sent.sequence,
            };
            f(mark, &mut echo);
            sent.sequence = echo.sequence;
        }
        let mut believed = self.echoes().0;
        f(Mark::Believed, &mut believed);
        (self.incarnation, self.highest) = (believed.incarnation, believed.sequence);
        self.strangers.iter_mut().for_each(|stranger| {
            f(Mark::Stranger, &mut stranger.echo);
        });
        self.retired.retain_mut(|incarnation| {
            let mut retired = Echo {
                incarnation: *incarnation,
                sequence: 0,
            };
            let kept = f(Mark::Retired, &mut retired);
            *incarnation = retired.incarnation;
            kept
        });
    }

    /// Calls `f` with the wishes in its latest heartbeat.
    pub fn wishes(&mut self, f: &mut dyn FnMut(&mut [Wish])) {
        if let Some(latest) = &mut self.latest {
            f(&mut latest.wishes);
        }
    }

    /// Forgets what is only shown, or was judged when it was heard and is not looked at again.
    pub fn forget(&mut self, now: Time, setup: &Setup) {
        let instant = Duration::from_micros(1);
        let (detection, deaf) = (self.detection_time(setup), self.deaf_after(setup));
        for sent in [&mut self.round, &mut self.newest].into_iter().flatten() {
            sent.at = sent.at.max(now - detection - instant);
        }
        if let Some(proof) = &mut self.proof {
            proof.outdated = false;
        }
        // What is over is so since the last tick, however long ago that was.
        let remembered = self.strangers.iter_mut().map(|s| &mut s.until);
        for until in remembered.chain(&mut self.twin).chain(&mut self.held_until) {
            *until = (*until).max(now - instant);
        }
        if setup.vifs.is_empty() {
            // Nothing is held against the moment of the last contact.
            self.last_heard = self
                .last_heard
                .max(self.last_heard.and(Some(now - detection)));
            if let Some(proof) = &mut self.proof {
                proof.at = proof.at.max(now - deaf - instant);
            }
            self.counted = None;
        }
        // Of the two the later counts, and this one for less.
        self.answered = self
            .answered
            .filter(|at| Some(*at) > self.counted && !setup.vifs.is_empty());
        // Longer than any source's delay is as long as any.
        let delays = setup.sources.iter().map(|source| source.delay);
        let longest = delays.max().unwrap_or_default();
        self.pleads_since = self.pleads_since.map(|at| at.max(now - longest));
        let pause = setup.interval.max(self.interval);
        self.returned = self
            .returned
            .filter(|at| now.since(*at) <= pause && !setup.vifs.is_empty());
        self.since = LONG_AGO;
        self.reason = Reason::PeerUnknown;
        self.reflected = 0;
        self.paths.clear();
        for latest in [&mut self.latest, &mut self.refused].into_iter().flatten() {
            forget_judged(latest);
            (latest.solicit, latest.goodbye, latest.echo) = (false, false, Echo::default());
        }
    }

    fn judge(&mut self, now: Time, heartbeat: &Heartbeat, setup: &Setup) {
        let (state, reason) = if let Some(reason) = incompatible(heartbeat, setup) {
            (PeerState::Refused, reason)
        } else if self.twin.is_some() {
            (PeerState::Refused, Reason::SameNode)
        } else if heartbeat.goodbye && !self.succeeded {
            (PeerState::Left, Reason::PeerLeft)
        } else if self.keeps_up(now, setup) {
            (PeerState::Alive, Reason::PeerHeard)
        } else {
            (PeerState::OneWay, Reason::PeerDeaf)
        };
        self.become_state(now, state, reason);
    }

    fn become_state(&mut self, now: Time, state: PeerState, reason: Reason) {
        if self.state != state {
            self.state = state;
            self.since = now;
            self.reason = reason;
        }
    }

    /// What this node's own name stands on: never the peer's life, nor its return.
    fn hear_own_side(
        &mut self,
        now: Time,
        heartbeat: &Heartbeat,
        own: Own,
        in_round: bool,
        setup: &Setup,
    ) -> Heard {
        if heartbeat.incarnation == own.incarnation || !in_round {
            if heartbeat.incarnation != own.incarnation {
                self.challenge(now, heartbeat, false, setup);
            }
            self.reflected = self.reflected.saturating_add(1);
            return Heard::Reflected;
        }
        self.twin = Some(now + self.remembered(heartbeat.interval, setup));
        self.last_heard = Some(now);
        let reason = incompatible(heartbeat, setup).unwrap_or(Reason::SameNode);
        self.become_state(now, PeerState::Refused, reason);
        Heard::News { restarted: false }
    }

    fn believe(&mut self, incarnation: u64) {
        if self.incarnation != 0 {
            self.retire(self.incarnation);
        }
        // Others are older, or ask again.
        self.strangers.clear();
        (self.incarnation, self.succeeded) = (incarnation, false);
    }

    /// The one believed lived after every stranger of its side was heard: they came before it.
    fn outlived(&mut self) {
        self.succeeded = false;
        let strangers = std::mem::take(&mut self.strangers);
        let (before, others) = strangers.into_iter().partition(|stranger| stranger.back);
        self.strangers = others;
        let before: Vec<Stranger> = before;
        before.iter().for_each(|s| self.retire(s.echo.incarnation));
    }

    fn retire(&mut self, incarnation: u64) {
        self.retired.push(incarnation);
        if self.retired.len() > RETIRED {
            self.retired.remove(0);
        }
    }

    /// Remembers a stranger, the newest last; this node's own side gives way first, then the longest unheard.
    fn challenge(&mut self, now: Time, heartbeat: &Heartbeat, back: bool, setup: &Setup) {
        let same = |s: &Stranger| s.echo.incarnation == heartbeat.incarnation;
        let known = self.strangers.iter().find(|s| same(s)).cloned();
        self.strangers.retain(|s| !same(s));
        if self.strangers.len() >= MAX_CHALLENGES {
            let own = self.strangers.iter().position(|s| !s.back);
            self.strangers.remove(own.unwrap_or(0));
        }
        if known.is_none() && back {
            self.succeeded = self.incarnation != 0;
            let sent = [&mut self.round, &mut self.newest].into_iter().flatten();
            sent.for_each(|sent| sent.outdated = true);
        }
        let sequence = known.as_ref().map_or(0, |s| s.echo.sequence);
        self.strangers.push(Stranger {
            echo: Echo {
                incarnation: heartbeat.incarnation,
                sequence: sequence.max(heartbeat.sequence),
            },
            until: now + self.remembered(heartbeat.interval, setup),
            back: known.map_or(back, |s| s.back),
        });
    }

    /// How long is remembered what is heard at that interval.
    fn remembered(&self, interval: Duration, setup: &Setup) -> Duration {
        let interval = interval.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL);
        REMEMBERED.max(setup.detection_time(interval))
    }

    fn note_path(&mut self, now: Time, path: usize) {
        if self.paths.len() <= path {
            self.paths.resize(path + 1, None);
        }
        self.paths[path] = Some(now);
    }

    /// A round older than this proves no agreement. Half the detection time: what is started by it
    /// answers probes before the peer, silent the moment after it agreed, could judge them.
    fn fresh(&self, setup: &Setup) -> Duration {
        setup.detection_time(setup.interval.min(self.interval)) / 2
    }

    /// Its echoes lag behind by at most this, or it does not hear this node: a round ends two
    /// intervals after it began, and the losses allowed are those of the other direction.
    fn deaf_after(&self, setup: &Setup) -> Duration {
        self.detection_time(setup) + 3 * setup.interval.max(self.interval)
    }

    fn keeps_up(&self, now: Time, setup: &Setup) -> bool {
        self.proof
            .is_some_and(|proof| now.since(proof.at) <= self.deaf_after(setup))
    }
}

/// The highest sequence of this node that the heartbeat echoes; 0: none.
fn echo_of(own: u64, heartbeat: &Heartbeat) -> u64 {
    std::iter::once(&heartbeat.echo)
        .chain(&heartbeat.challenges)
        .filter(|echo| echo.incarnation == own)
        .map(|echo| echo.sequence)
        .max()
        .unwrap_or(0)
}

/// Forgets what of a heartbeat counts only at the moment it is heard or sent.
pub(in crate::core) fn forget_judged(heartbeat: &mut Heartbeat) {
    heartbeat.incarnation = 0;
    heartbeat.sequence = 0;
    heartbeat.echo.sequence = 0;
    heartbeat.heard_paths = 0;
    heartbeat.challenges.clear();
    heartbeat.listed.clear();
    if let Some(answer) = &mut heartbeat.answer {
        answer.text.clear();
    }
}

fn incompatible(heartbeat: &Heartbeat, setup: &Setup) -> Option<Reason> {
    let Versions { lowest, highest } = heartbeat.versions;
    if heartbeat.cluster != setup.cluster {
        Some(Reason::OtherCluster)
    } else if highest < VERSIONS.lowest || lowest > VERSIONS.highest {
        Some(Reason::OtherVersion(lowest, highest))
    } else if heartbeat.nodes != setup.nodes {
        Some(Reason::OtherNodes)
    } else if heartbeat.node == setup.me {
        Some(Reason::SameNode)
    } else {
        None
    }
}
