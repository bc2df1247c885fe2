//! When a holder must fear that its peer takes over because it hears nothing of it, and stops first.
//!
//! The peer counts this node's silence from the last heartbeat that it heard, of which an echo tells; a
//! gateway that answers says that a path to the peer, if it broke, broke late. So nobody who hears either
//! is isolated.
//!
//! **Judged by questions, not by time alone.** A daemon that did not run for a while (a stalled host, a
//! SIGSTOP, a thousand addresses added in one step) finds its last answers old through no fault of the
//! network. After such a pause, and when a gateway is new, it asks at once, and judges only after two rounds
//! of questions, each with a quarter of an interval of its own running time to be answered in. Until one is
//! answered nothing is renewed, put back or announced, so the lifetime of the VIPs bounds that wait. The peer's
//! answer is about every group, a gateway's about those with a VIP on its interface.

use super::super::context::Context;
use super::super::time::Time;
use super::takes::TakesBy;
use crate::id::VifId;
use std::time::Duration;

/// What is asked after a pause, and how often in vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Doubt {
    /// When the node ran again; None: something that it sent since was answered.
    woke: Option<Time>,
    /// When the round under way was asked.
    asked: Option<Time>,
    /// Rounds in vain.
    unanswered: u8,
}

/// Rounds of questions that must be in vain.
const ROUNDS: u8 = 2;

impl Doubt {
    /// This node did not run until now, or knows a gateway that it has not asked yet.
    pub fn begin(&mut self, now: Time) {
        *self = Doubt {
            woke: Some(now),
            asked: None,
            unanswered: 0,
        };
    }

    /// A heartbeat sent at that moment was answered.
    pub fn answered(&mut self, sent: Option<Time>) {
        if self.woke.is_some_and(|woke| sent >= Some(woke)) {
            self.end();
        }
    }

    /// For every group something that it can ask has answered.
    pub fn end(&mut self) {
        *self = Doubt::default();
    }

    /// When this node ran again, while something is not answered that was sent since.
    pub fn woke(&self) -> Option<Time> {
        self.woke
    }

    /// A round of questions leaves now: the one before was in vain, if it had its time.
    pub fn ask(&mut self, now: Time, interval: Duration) {
        if self.woke.is_none() {
            return;
        }
        match self.asked {
            Some(at) if now.since(at) >= pace(interval) => {
                self.unanswered = (self.unanswered + 1).min(ROUNDS);
                self.asked = Some(now);
            }
            Some(_) => {}
            None => self.asked = Some(now),
        }
    }

    /// When the next round leaves.
    pub fn deadline(&self, interval: Duration) -> Option<Time> {
        let woke = self.woke?;
        match self.unanswered {
            ROUNDS => None,
            _ => Some(self.asked.map_or(woke, |at| at + pace(interval))),
        }
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        let times = [&mut self.woke, &mut self.asked];
        times.into_iter().flatten().for_each(f);
    }

    /// It was asked in vain for long enough.
    fn in_vain(&self) -> bool {
        self.unanswered >= ROUNDS
    }
}

/// A node that runs so much later than it wanted to was paused: more than any scheduler makes of it, less
/// than a margin of what is judged.
pub fn pause(interval: Duration) -> Duration {
    interval / 2
}

/// How often questions are asked while an answer is missing.
pub fn pace(interval: Duration) -> Duration {
    (interval / 4).max(Duration::from_millis(5))
}

impl Context<'_> {
    /// When this node ran again, if nothing that was sent since was answered by what this group can ask.
    pub fn doubt_since(&self) -> Option<Time> {
        let woke = self.doubt.woke()?;
        let mut answers = self
            .setup
            .vifs
            .iter()
            .map(|&vif| self.vifs.last_answer(vif));
        (!answers.any(|at| at >= Some(woke))).then_some(woke)
    }

    /// Neither the peer nor a gateway has to answer this group: one did, or it has none to ask.
    pub fn settled(&self) -> bool {
        let can_ask = |&vif: &VifId| self.vifs.has_gateway(vif);
        self.doubt_since().is_none() || !self.setup.vifs.iter().any(can_ask)
    }

    /// When a holder that hears neither the peer nor a gateway must have stopped: before the peer can have
    /// taken over. None: it can ask no gateway, or need not fear the peer.
    pub fn isolation_at(&self) -> Option<Time> {
        let vifs = &self.setup.vifs;
        let can_ask = vifs.iter().any(|&vif| self.vifs.has_gateway(vif));
        match self.peer_takes_by {
            TakesBy::Evidence if can_ask => {}
            TakesBy::Evidence | TakesBy::Proof | TakesBy::Nothing => return None,
        }
        let misses = self.peer.rhythm().misses;
        let counted = self.counts_as_silent_at();
        // Its probes follow each other at its own interval, or if that is longer, are judged by this node's. An
        // answer that it gave without counting, while it contested nothing, began them anew.
        let pace = self.peer.pace();
        let probed = pace * (misses - 1);
        let answered = self.peer.answered().map(|at| at + probed);
        // Or from a gateway that answers: a path to the peer that broke after that lost at most an interval more.
        let answers = vifs.iter().filter_map(|&vif| self.vifs.last_answer(vif));
        let reached = answers.max().unwrap_or(self.started) + probed - pace / 4;
        // While the peer was gone nobody was asked, and it takes over later than this.
        let returned = self.peer.returned().map(|at| at + pace);
        counted.max(answered).max(returned).max(Some(reached))
    }

    /// When the peer may count this node as silent: it judges by what this node announced, and by its own misses,
    /// and counts from what it has heard, of which an echo tells.
    pub fn counts_as_silent_at(&self) -> Option<Time> {
        let (judged_by, misses) = (self.peer.judged_by(), self.peer.rhythm().misses);
        let silence = judged_by * misses - judged_by / 4;
        self.peer.counted().map(|at| at + silence)
    }

    /// When a holder that may soon have to stop asks the gateways: its heartbeats may come and their echoes lag.
    pub fn doubt_at(&self) -> Option<Time> {
        Some(self.isolation_at()? - self.node.interval)
    }

    /// When a peer is asked that by its own file would not speak before that: twice may be lost.
    pub fn ask_peer_at(&self) -> Option<Time> {
        let judged_by = self.peer.judged_by();
        let slower = self.peer.rhythm().interval.max(self.node.interval);
        let seldom = self.peer.state().is_heard() && slower > judged_by;
        seldom
            .then(|| self.isolation_at())
            .flatten()
            .map(|at| at - 3 * pace(judged_by))
    }

    /// A holder that hears neither the peer nor a gateway would have to have stopped by now.
    pub fn isolated(&self) -> bool {
        self.isolation_at().is_some_and(|at| self.now >= at)
            && (self.doubt.in_vain() || self.doubt_since().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    fn at(millis: u64) -> Time {
        Time(0) + Duration::from_millis(millis)
    }

    /// A node that ran again at that moment and asked at once.
    fn woken() -> Doubt {
        let mut doubt = Doubt::default();
        doubt.begin(at(1000));
        assert_eq!(doubt.deadline(INTERVAL), Some(at(1000)));
        doubt.ask(at(1000), INTERVAL);
        doubt
    }

    #[test]
    fn two_rounds_in_vain_each_with_a_quarter_of_an_interval_end_the_doubt() {
        let mut doubt = woken();
        for (now, next) in [(1025, Some(1050)), (1050, None)] {
            assert!(!doubt.in_vain());
            assert_eq!(doubt.deadline(INTERVAL), Some(at(now)));
            doubt.ask(at(now - 1), INTERVAL);
            assert!(!doubt.in_vain(), "too early to be in vain");
            doubt.ask(at(now), INTERVAL);
            assert_eq!(doubt.deadline(INTERVAL), next.map(at));
        }
        assert!(doubt.in_vain());
        doubt.ask(at(2000), INTERVAL);
        assert!(doubt.in_vain(), "however often it is asked");
        assert_eq!(doubt.woke(), Some(at(1000)), "but nothing was answered");
    }

    #[test]
    fn only_what_answers_something_sent_since_ends_it_at_once() {
        let mut doubt = woken();
        doubt.answered(None);
        doubt.answered(Some(at(999)));
        assert_eq!(doubt.woke(), Some(at(1000)));
        doubt.answered(Some(at(1000)));
        assert_eq!((doubt.woke(), doubt.deadline(INTERVAL)), (None, None));
        doubt.ask(at(1100), INTERVAL);
        assert_eq!(doubt, Doubt::default(), "nothing is asked without a doubt");
    }

    #[test]
    fn the_shortest_intervals_leave_five_milliseconds_for_an_answer() {
        assert_eq!(pace(INTERVAL), Duration::from_millis(25));
        assert_eq!(pace(Duration::from_millis(10)), Duration::from_millis(5));
        assert_eq!(pause(INTERVAL), Duration::from_millis(50));
    }
}
