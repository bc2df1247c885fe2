//! Clearance: the proof that lets a node take a group whose other owner fell silent.
//!
//! A peer that said goodbye or was verified off is clearance by itself. So is a third party's lease.
//! Otherwise the outside sources are asked, level by level ([`Sources`]). Where there are none, it is best
//! effort ([`best_effort`](super::evidence)). What was asked of a source stands on disk before it is asked:
//! a daemon that starts again knows that its peer may be dying.

use super::super::context::Context;
use super::super::event::{Action, Op};
use super::super::reason::Reason;
use super::super::setup::SourceSetup;
use super::super::time::Time;
use super::evidence::{self, Probes};
use super::peer::PeerState;
use super::right::{Right, Word};
use super::takes::TakesBy;
use std::time::Duration;

/// What there is to say about taking a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The peer is heard: agreement decides, not clearance.
    PeerHeard,
    /// Not yet, and why; the peer must not agree meanwhile.
    Waiting(Reason),
    /// Take it.
    Given(Right),
}

/// Whether the silent peer's group may be taken.
pub(super) fn verdict(cx: &Context, probes: &Probes, lease: Option<Time>) -> Verdict {
    let state = cx.peer.state();
    match state {
        PeerState::Alive if cx.pleaded() => Verdict::Waiting(cx.outside()),
        PeerState::Alive | PeerState::OneWay | PeerState::Refused => Verdict::PeerHeard,
        // Unread it may have come back, and taken over from a node that was paused.
        PeerState::Left | PeerState::Fenced if !cx.tick || cx.peer.held_back() => {
            Verdict::Waiting(cx.peer.why().0.clone())
        }
        // By the rule that would stop it again at once.
        PeerState::Left | PeerState::Fenced if cx.isolated() => Verdict::Waiting(Reason::Isolated),
        PeerState::Left | PeerState::Fenced => match (proof(cx), cx.report()) {
            (Some(right), _) => Verdict::Given(right),
            (None, Some(_)) => Verdict::Waiting(Reason::PeerNotStopped),
            (None, None) => Verdict::Waiting(Reason::PeerLacksGroup),
        },
        PeerState::Unknown if cx.wait_for_peer => Verdict::Waiting(Reason::WaitingForPeer),
        PeerState::Unknown if cx.start_wait_ends.is_none_or(|end| cx.now < end) => {
            Verdict::Waiting(Reason::StartWait)
        }
        PeerState::Unknown | PeerState::Silent => match lease {
            Some(until) if cx.tick && cx.now < until => Verdict::Given(Right::Lease { until }),
            _ => match cx.takes_by {
                TakesBy::Evidence => evidence::best_effort(cx, probes),
                TakesBy::Proof => Verdict::Waiting(cx.outside()),
                TakesBy::Nothing => Verdict::Waiting(Reason::PeerCountsOnFencing),
            },
        },
    }
}

/// By what it is known for certain, now, that the peer runs nothing of the group.
pub(super) fn proof(cx: &Context) -> Option<Right> {
    match cx.peer.state() {
        PeerState::Left => cx
            .report()
            .is_some_and(|report| report.proven_stopped)
            .then_some(Right::Left),
        PeerState::Fenced => Some(Right::Fenced {
            by: match cx.peer.why().0 {
                Reason::Confirmed => Word::Operator,
                _ if cx.node.fencing.is_some() => Word::Source(cx.fencing.gave()),
                _ => Word::Source(cx.sources.gave),
            },
        }),
        PeerState::Unknown
        | PeerState::Alive
        | PeerState::OneWay
        | PeerState::Refused
        | PeerState::Silent => None,
    }
}

impl Context<'_> {
    /// What a group waits for that only somebody outside can clear.
    fn outside(&self) -> Reason {
        match self.node.fencing {
            Some(_) => self.fencing.waiting(),
            None => self.sources.waiting(),
        }
    }
}

/// The outside sources of clearance, in levels: asked one after the other, all again after a pause, until one
/// makes sure that the peer is off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sources {
    /// Which one is to be asked, or is being asked: known to the disk before.
    intent: Option<usize>,
    /// Since when it is being asked.
    asking: Option<Time>,
    cancelled: bool,
    next: usize,
    refused: Option<String>,
    retry_at: Option<Time>,
    /// Which one gave clearance last.
    gave: usize,
}

/// The pause after every source refused.
const RETRY: Duration = Duration::from_secs(5);
/// How long a source may take to make sure that a machine is off: the slowest known, a cloud's, asks
/// for eight minutes. After that it is told to end, which it still has to do by itself.
const PATIENCE: Duration = Duration::from_secs(600);

impl Sources {
    /// After a restart: what the disk says was being asked. Nobody knows how that ended.
    pub fn remembered(intent: Option<usize>) -> Sources {
        Sources {
            intent,
            ..Sources::default()
        }
    }

    /// A source is being asked, or may have been by a daemon before this one: the peer may be dying, so
    /// nothing is agreed with it.
    pub fn in_flight(&self) -> bool {
        self.asking.is_some() || self.intent.is_some()
    }

    /// What belongs on disk.
    pub fn intent(&self) -> Option<usize> {
        self.intent
    }

    /// A group needs clearance, the peer having been silent for so long: asks the next source, once its time
    /// has come and the disk knows.
    pub fn ask(
        &mut self,
        now: Time,
        sources: &[SourceSetup],
        silent: Duration,
        saved: Option<usize>,
        out: &mut Vec<Action>,
    ) {
        let waits = self.retry_at.is_some_and(|at| now < at);
        if sources.is_empty() || self.asking.is_some() || waits {
            return;
        }
        let source = self.next % sources.len();
        if silent < sources[source].delay {
            return;
        }
        self.intent = Some(source);
        if saved != self.intent {
            return;
        }
        self.asking = Some(now);
        self.cancelled = false;
        self.retry_at = None;
        out.push(Action::Clear(source));
    }

    /// The peer is heard both ways, or nobody needs clearance any more: what was not asked yet is not asked.
    pub fn withdraw(&mut self) {
        if self.asking.is_none() {
            self.intent = None;
        }
    }

    /// Tells a source that takes too long to end.
    pub fn tick(&mut self, now: Time, out: &mut Vec<Action>) {
        if let (Some(since), Some(source)) = (self.asking, self.intent)
            && now.since(since) >= PATIENCE
            && !self.cancelled
        {
            self.cancelled = true;
            out.push(Action::Cancel(Op::Source(source)));
        }
    }

    /// A source answered: None is clearance, otherwise why not.
    pub fn answered(&mut self, now: Time, count: usize, refusal: Option<String>) {
        self.asking = None;
        self.gave = self.intent.take().unwrap_or(0);
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Time {
        Time(0) + SECOND * seconds as u32
    }

    /// The first at once, the second after three seconds of silence.
    fn levels() -> [SourceSetup; 2] {
        [0, 3].map(|n| SourceSetup { delay: SECOND * n })
    }

    /// Asks after so many seconds of silence; what is on disk is what it wants there.
    fn ask(sources: &mut Sources, now: u64, silent: u64) -> Vec<Action> {
        let mut out = vec![];
        for _ in 0..2 {
            let saved = sources.intent();
            let silent = SECOND * silent as u32;
            sources.ask(at(now), &levels(), silent, saved, &mut out);
        }
        out
    }

    fn refused() -> Option<String> {
        Some("wrong password".into())
    }

    #[test]
    fn the_intent_is_on_disk_before_a_source_is_asked() {
        let (mut sources, mut out) = (Sources::default(), vec![]);
        sources.ask(at(0), &levels(), SECOND, None, &mut out);
        assert_eq!((sources.intent(), &out[..]), (Some(0), &[][..]));
        assert!(
            sources.in_flight(),
            "it may be asked by a daemon after this one"
        );
        sources.ask(at(0), &levels(), SECOND, Some(1), &mut out);
        assert!(out.is_empty(), "that is another");
        sources.ask(at(0), &levels(), SECOND, Some(0), &mut out);
        assert_eq!(out, [Action::Clear(0)]);
        sources.ask(at(0), &levels(), SECOND, Some(0), &mut out);
        assert_eq!(out.len(), 1, "one question at a time");
    }

    #[test]
    fn what_was_not_asked_yet_is_withdrawn_and_what_was_asked_is_not() {
        let mut sources = Sources::default();
        sources.ask(at(0), &levels(), SECOND, None, &mut vec![]);
        sources.withdraw();
        assert_eq!((sources.intent(), sources.in_flight()), (None, false));
        ask(&mut sources, 0, 1);
        sources.withdraw();
        assert_eq!((sources.intent(), sources.in_flight()), (Some(0), true));
        let remembered = Sources::remembered(Some(1));
        assert!(remembered.in_flight(), "nobody knows how that ended");
    }

    #[test]
    fn levels_follow_each_other_each_after_its_delay_and_begin_again_after_a_pause() {
        let mut sources = Sources::default();
        assert_eq!(ask(&mut sources, 1, 1), [Action::Clear(0)]);
        sources.answered(at(1), 2, refused());
        assert!(!sources.in_flight());
        assert_eq!(ask(&mut sources, 2, 2), [], "its silence is too short");
        assert_eq!(ask(&mut sources, 3, 3), [Action::Clear(1)]);
        assert_eq!(sources.deadline(), Some(at(603)));
        sources.answered(at(4), 2, refused());
        assert_eq!(sources.deadline(), Some(at(9)));
        assert_eq!(ask(&mut sources, 8, 8), []);
        assert_eq!(ask(&mut sources, 9, 9), [Action::Clear(0)]);
        sources.answered(at(10), 2, None);
        assert_eq!((sources.gave, sources.deadline()), (0, None));
        assert_eq!(
            ask(&mut sources, 11, 1),
            [Action::Clear(0)],
            "from the first again"
        );
    }

    #[test]
    fn without_sources_nobody_is_asked() {
        let mut out = vec![];
        Sources::default().ask(at(0), &[], SECOND, None, &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn a_source_that_takes_ten_minutes_is_told_to_end_once() {
        let (mut sources, mut out) = (Sources::default(), vec![]);
        ask(&mut sources, 0, 1);
        sources.tick(at(599), &mut out);
        assert!(out.is_empty());
        sources.tick(at(600), &mut out);
        sources.tick(at(601), &mut out);
        assert_eq!(out, [Action::Cancel(Op::Source(0))]);
        assert!(sources.in_flight(), "its end still comes");
        // The next one has its own ten minutes.
        sources.answered(at(601), 2, refused());
        ask(&mut sources, 601, 601);
        sources.tick(at(1201), &mut out);
        assert_eq!(out[1..], [Action::Cancel(Op::Source(1))]);
    }

    #[test]
    fn what_a_source_refused_is_said_while_the_next_is_asked() {
        let mut sources = Sources::default();
        assert_eq!(sources.waiting(), Reason::ClearancePending);
        ask(&mut sources, 0, 1);
        sources.answered(at(1), 2, refused());
        let said = Reason::ClearanceRefused("wrong password".into());
        assert_eq!(sources.waiting(), said);
    }
}
