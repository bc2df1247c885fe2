//! Clearance: the proof that lets a node run a group whose other owner fell silent.
//!
//! A peer that said goodbye or was verified off is clearance by itself. Otherwise the outside
//! sources (fencing, a witness) are asked in order ([`Sources`]). Where there are none, it is best
//! effort ([`best_effort`]): this node reaches a gateway on every VIP interface, and the peer answers
//! for none of the VIPs, by a probe that is known to work. That is UNPROTECTED: a peer that neither
//! talks nor answers ARP may still run.

use super::super::event::{Action, Op};
use super::super::group::Context;
use super::super::reason::Reason;
use super::super::time::Time;
use super::peer::PeerState;
use crate::id::GroupId;
use std::time::Duration;

/// What there is to say about taking a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The peer is heard: agreement decides, not clearance.
    PeerHeard,
    /// Not yet, and why; the peer must not agree meanwhile.
    Waiting(Reason),
    /// Take it.
    Given(Reason),
}

/// Whether the silent peer's group may be taken.
pub fn verdict(cx: &Context, probes: &Probes) -> Verdict {
    match cx.peer.state() {
        PeerState::Alive | PeerState::OneWay | PeerState::Refused => Verdict::PeerHeard,
        // Unread it may have come back, and taken over from a node that was paused.
        PeerState::Left | PeerState::Fenced if !cx.tick => {
            Verdict::Waiting(cx.peer.why().0.clone())
        }
        PeerState::Left | PeerState::Fenced => Verdict::Given(cx.peer.why().0.clone()),
        PeerState::Unknown if cx.wait_for_peer => Verdict::Waiting(Reason::WaitingForPeer),
        PeerState::Unknown if cx.start_wait_ends.is_none_or(|end| cx.now < end) => {
            Verdict::Waiting(Reason::StartWait)
        }
        PeerState::Unknown | PeerState::Silent if cx.node.sources > 0 => {
            Verdict::Waiting(cx.sources.waiting())
        }
        PeerState::Unknown | PeerState::Silent => best_effort(cx, probes),
    }
}

/// The evidence there is without fencing and without a witness.
fn best_effort(cx: &Context, probes: &Probes) -> Verdict {
    if cx.setup.holds_data() {
        return Verdict::Waiting(Reason::BestEffortHoldsData);
    }
    if cx.setup.vifs.is_empty() {
        return Verdict::Waiting(Reason::BestEffortWithoutVip);
    }
    // By the very rule that would stop it again at once: with two rules that disagree for a moment,
    // one step would start and stop the group for ever.
    if let (true, Some(&vif)) = (cx.isolated(), cx.setup.vifs.first()) {
        return Verdict::Waiting(Reason::NoGatewayAnswer(vif));
    }
    for &vif in &cx.setup.vifs {
        if !cx.vifs.has_gateway(vif) {
            return Verdict::Waiting(Reason::NoGatewayKnown(vif));
        }
        if !cx.vifs.find(vif).is_some_and(|v| v.peer.proven) {
            return Verdict::Waiting(Reason::ProbeUnproven(vif));
        }
        let since = cx
            .silence_began()
            .max(cx.now - cx.node.detection_time(cx.node.interval));
        if cx.vifs.last_answer(vif).is_none_or(|at| at <= since) {
            return Verdict::Waiting(Reason::NoGatewayAnswer(vif));
        }
    }
    // Once the peer answered during its silence, its address and not its heartbeat is the sign of
    // life, and gets as many chances.
    let seen = probes.answered_at.is_some_and(|at| at > cx.silence_began());
    let enough = if seen {
        cx.node.misses
    } else {
        cx.node.misses - 1
    };
    let unanswered = probes.unanswered(cx.now, cx.node.interval, cx.on_link());
    if unanswered < enough && seen {
        return Verdict::Waiting(Reason::VipAnswered);
    }
    if unanswered < enough {
        return Verdict::Waiting(Reason::Probing(unanswered, enough));
    }
    Verdict::Given(Reason::BestEffort)
}

/// The probes of a group's VIPs during one silence of the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Probes {
    /// Unanswered since the last answer, but for the last one.
    unanswered: u32,
    last_sent: Option<Time>,
    /// The last one is not answered.
    pending: bool,
    answered_at: Option<Time>,
}

impl Probes {
    /// Sends the next probe if it is due. `on_link`: when the latest ping was sent that was answered, on the
    /// interface where that is longest ago. A probe counts once a gateway answered after it; without that it
    /// may have gone nowhere.
    pub fn tick(
        &mut self,
        now: Time,
        interval: Duration,
        on_link: Option<Time>,
        group: GroupId,
        out: &mut Vec<Action>,
    ) {
        if self.last_sent.is_some_and(|at| now < at + interval) {
            return;
        }
        self.unanswered = self.unanswered(now, interval, on_link).min(100);
        // What came before a pause proves nothing, the peer may have taken over since; nor does what came
        // before this node was cut off.
        let paused = self
            .last_sent
            .is_some_and(|at| now.since(at) > 3 * interval);
        if paused || on_link.is_none_or(|at| now.since(at) >= 2 * interval) {
            self.unanswered = 0;
        }
        (self.last_sent, self.pending) = (Some(now), true);
        out.push(Action::Probe(group));
    }

    /// The peer answered for a VIP: whatever was unanswered before proves nothing.
    pub fn answered(&mut self, now: Time) {
        (self.unanswered, self.pending) = (0, false);
        self.answered_at = Some(now);
    }

    /// The peer is heard again.
    pub fn end(&mut self) {
        *self = Probes::default();
    }

    /// When the next probe is due, or the last may be judged.
    pub fn deadlines(&self, interval: Duration) -> impl Iterator<Item = Time> {
        let last = self.last_sent;
        last.into_iter()
            .flat_map(move |at| [at + interval / 4, at + interval])
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.last_sent.iter_mut().for_each(&mut *f);
        self.answered_at.iter_mut().for_each(f);
    }

    /// Forgets how many more are unanswered than any silence needs (a search's `misses` are fewer).
    pub fn forget_surplus(&mut self) {
        self.unanswered = self.unanswered.min(10);
    }

    /// Unanswered in a row; the last one only once it had a quarter of an interval, which is at least
    /// 2.5 ms, to be answered in.
    fn unanswered(&self, now: Time, interval: Duration, on_link: Option<Time>) -> u32 {
        let counts = |at| now >= at + interval / 4 && on_link.is_some_and(|answer| answer >= at);
        self.unanswered + (self.pending && self.last_sent.is_some_and(counts)) as u32
    }
}

/// The outside sources of clearance: asked one after the other, all again after a pause, until one
/// makes sure that the peer is off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sources {
    /// Since when a source is being asked.
    asking: Option<Time>,
    cancelled: bool,
    next: usize,
    refused: Option<String>,
    retry_at: Option<Time>,
}

/// The pause after every source refused.
const RETRY: Duration = Duration::from_secs(5);
/// How long a source may take to make sure that a machine is off: the slowest known, a cloud's, asks
/// for eight minutes. After that it is told to end, which it still has to do by itself.
const PATIENCE: Duration = Duration::from_secs(600);

impl Sources {
    /// A source is being asked: the peer may be dying, so nothing is agreed with it.
    pub fn in_flight(&self) -> bool {
        self.asking.is_some()
    }

    /// A group needs clearance: asks the next source, if its time has come.
    pub fn ask(&mut self, now: Time, count: usize, out: &mut Vec<Action>) {
        if count == 0 || self.asking.is_some() || self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        let source = self.next % count;
        self.asking = Some(now);
        self.cancelled = false;
        self.retry_at = None;
        out.push(Action::Clear(source));
    }

    /// Tells a source that takes too long to end.
    pub fn tick(&mut self, now: Time, count: usize, out: &mut Vec<Action>) {
        if let Some(since) = self.asking
            && now.since(since) >= PATIENCE
            && !self.cancelled
            && count > 0
        {
            self.cancelled = true;
            out.push(Action::Cancel(Op::Source(self.next % count)));
        }
    }

    /// A source answered: None is clearance, otherwise why not.
    pub fn answered(&mut self, now: Time, count: usize, refusal: Option<String>) {
        self.asking = None;
        self.next = if refusal.is_none() { 0 } else { self.next + 1 };
        if self.next >= count {
            self.next = 0;
            self.retry_at = refusal.is_some().then_some(now + RETRY);
        }
        self.refused = refusal;
    }

    /// When the next question is due, or the end of patience.
    pub fn deadline(&self) -> Option<Time> {
        self.retry_at.or(self.asking.map(|since| since + PATIENCE))
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.retry_at.iter_mut().chain(&mut self.asking).for_each(f);
    }

    /// Leaves out of a search for how long a source has been asked.
    pub fn leave_out(&mut self, now: Time) {
        self.asking = self.asking.map(|_| now);
    }

    fn waiting(&self) -> Reason {
        match &self.refused {
            Some(why) => Reason::ClearanceRefused(why.clone()),
            None => Reason::ClearancePending,
        }
    }
}
