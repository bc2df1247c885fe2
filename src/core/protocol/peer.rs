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
//! A heartbeat of another incarnation is a stranger's (`strangers`).

mod canonical;
mod strangers;

use super::super::reason::Reason;
use super::super::setup::Setup;
use super::super::time::Time;
use super::coverage::Lists;
use super::record::Record;
use super::rhythm::{Announced, Rhythm, Rhythms};
use crate::id::GroupId;
use crate::wire::heartbeat::{Echo, GroupReport, Heartbeat, Versions};
use std::time::Duration;
use strangers::Stranger;

pub(in crate::core) use canonical::forget_judged;

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
    /// The rhythm it announces.
    theirs: Rhythm,
    /// This node's own, as far as the peer knows it.
    own: Announced,
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
    /// Not heard since this daemon started, nor known to have been by one before it in this boot.
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

/// Who is asking: this node's own side of the conversation.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// This node's incarnation.
    pub incarnation: u64,
}

impl Peer {
    /// A peer not heard yet, at the start of this daemon, with what one before it knew.
    pub fn new(now: Time, setup: &Setup, known: &Record) -> Peer {
        let rhythms = known.rhythms;
        Peer {
            state: PeerState::Unknown,
            since: now,
            reason: Reason::PeerUnknown,
            incarnation: 0,
            highest: 0,
            last_heard: None,
            theirs: rhythms.map_or(Rhythm::of(setup), |known| known.theirs),
            own: Announced::new(setup, rhythms.as_ref()),
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
            lists: known.lists.clone(),
            paths: Vec::new(),
        }
    }

    /// A daemon of this boot before this one heard it last at that moment: one that does not speak now is silent.
    pub fn met_before(&mut self, at: Time) {
        self.state = PeerState::Silent;
        self.reason = Reason::PeerSilent(self.since.since(at));
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

    /// What its latest heartbeat says about a group.
    pub fn group(&self, id: GroupId) -> Option<&GroupReport> {
        self.latest.as_ref()?.groups.iter().find(|g| g.id == id)
    }

    /// What it lists in which group.
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
    pub fn detection_time(&self) -> Duration {
        self.theirs.interval * self.own.slowest().misses
    }

    /// The rhythm it announces: by no fewer misses, and no shorter interval of its own, it judges this node.
    pub fn rhythm(&self) -> Rhythm {
        self.theirs
    }

    /// The shortest interval of this node by which it may judge that.
    pub fn judged_by(&self) -> Duration {
        self.own.shortest()
    }

    /// By what this node judges it: its probes' interval, and the misses.
    pub fn judging(&self) -> Rhythm {
        self.own.slowest()
    }

    /// The shorter of both intervals: how soon something may have to be asked again.
    pub fn pace(&self) -> Duration {
        self.theirs.interval.min(self.own.shortest())
    }

    /// The distance that answers out of turn keep: what is asked more often gives no answer sooner.
    pub fn moment(&self) -> Duration {
        self.pace() / 10
    }

    /// By what a holder here judges its isolation: the less any of it is, the sooner it has to be answered.
    pub fn haste(&self) -> (Duration, Duration, u32) {
        (self.judged_by(), self.pace(), self.theirs.misses)
    }

    /// A reload gives this node another rhythm, which the heartbeats from that one on announce.
    pub fn announce(&mut self, setup: &Setup, first: u64) {
        self.own.reload(setup, first);
    }

    /// What belongs on disk of both rhythms, once the peer was heard.
    pub fn rhythms(&self) -> Rhythms {
        Rhythms {
            theirs: self.theirs,
            shortest: self.own.shortest(),
            slowest: self.own.slowest(),
        }
    }

    /// The moment up to which this node and the peer had contact both ways; None: never. A round
    /// takes up to two intervals, so that much older than now is its proof while all is well.
    pub fn contact(&self) -> Option<Time> {
        let heard = self.last_heard?;
        Some(self.proof.map_or(heard, |proof| {
            heard.min(proof.at + 2 * self.theirs.interval)
        }))
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
    pub fn heard_paths(&self, now: Time) -> u8 {
        let span = self.detection_time();
        (0..self.paths.len().min(8))
            .filter(|&path| self.heard_on(path).is_some_and(|at| now.since(at) <= span))
            .fold(0, |bits, path| bits | 1 << path)
    }

    /// This daemon has not heard it yet, whatever one before it did.
    pub fn is_new(&self) -> bool {
        self.last_heard.is_none()
    }

    /// This node sends a heartbeat; with `decision`, one that agreement is to echo. Begins a new
    /// round when the last is answered or too old to prove anything: then with the one before this, if that still does.
    pub fn sent(&mut self, now: Time, sequence: u64, decision: bool, setup: &Setup) {
        let sent = Sent {
            sequence,
            at: now,
            outdated: false,
        };
        let fresh = self.fresh(setup);
        let proves = |sent: &Sent| now.since(sent.at) <= fresh && !decision;
        if !self.round.as_ref().is_some_and(proves) {
            // A slower peer's answer to the last may be on its way.
            self.round = self.newest.filter(proves);
        }
        match self.round {
            Some(_) => self.newest = Some(sent),
            None => (self.round, self.newest) = (Some(sent), None),
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
        let lasts = self.detection_time();
        let echoed = |sent: &Sent| echo >= sent.sequence && now.since(sent.at) <= lasts;
        let in_round = self.round.as_ref().is_some_and(echoed);
        if heartbeat.cluster == setup.cluster && heartbeat.node == setup.me {
            return self.hear_own_side(now, heartbeat, own, in_round);
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
                self.challenge(now, heartbeat, true);
                if returns && self.challenged() {
                    self.returned = Some(now);
                    let span = self.remembered(heartbeat.interval);
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
        self.theirs = Rhythm::heard(heartbeat);
        if heartbeat.echo.incarnation == own.incarnation {
            self.own.echoed(heartbeat.echo.sequence);
        }
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
            self.lists.hear(heartbeat, setup);
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
        if self.state.is_heard() && now.since(heard) >= self.detection_time() {
            self.become_state(now, PeerState::Silent, Reason::PeerSilent(now.since(heard)));
        } else if self.state == PeerState::Alive && !self.keeps_up(now, setup) {
            self.become_state(now, PeerState::OneWay, Reason::PeerDeaf);
        }
    }

    /// When the next judgement is due.
    pub fn deadline(&self, setup: &Setup) -> Option<Time> {
        let silent = (self.last_heard.filter(|_| self.state.is_heard()))
            .map(|heard| heard + self.detection_time());
        let deaf = (self.proof.filter(|_| self.state == PeerState::Alive))
            .map(|proof| proof.at + self.deaf_after(setup) + Duration::from_micros(1));
        let forgotten = self.strangers.iter().map(|stranger| stranger.until);
        let forgotten = forgotten.chain(self.twin).chain(self.held_until);
        forgotten.chain(silent).chain(deaf).min()
    }

    /// When that was sent which the peer echoed last.
    pub fn echoed(&self) -> Option<Time> {
        self.proof.map(|proof| proof.at)
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
    pub fn fenced(&mut self, now: Time, reason: Reason) {
        let until = now + self.remembered(self.theirs.interval);
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
            (self.state, self.since, self.reason) = (state, now, reason);
        } else if state == PeerState::Refused {
            self.reason = reason; // there are several
        }
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
        let misses = setup.misses.min(self.theirs.misses);
        self.pace() * misses / 2
    }

    /// Its echoes lag behind by at most this, or it does not hear this node: a round ends two
    /// intervals after it began, and the losses allowed are those of the other direction.
    fn deaf_after(&self, setup: &Setup) -> Duration {
        self.detection_time() + 3 * setup.interval.max(self.theirs.interval)
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
