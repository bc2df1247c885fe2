//! Clearance: the proof that lets a node take a group whose other owner fell silent.
//!
//! A peer that said goodbye or was verified off is clearance by itself. So is a third party's lease. Otherwise it
//! depends on what this node takes by ([`TakesBy`]): devices are asked ([`fencing`](super::fencing)), or evidence is
//! gathered ([`evidence`]). Whatever else there is, an operator's word is as good as a device's.

use super::super::context::Context;
use super::super::reason::Reason;
use super::super::time::Time;
use super::evidence::{self, Probes};
use super::peer::PeerState;
use super::right::{Right, Word};
use super::takes::TakesBy;

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
        PeerState::Alive if cx.pleaded() => Verdict::Waiting(cx.fencing.waiting()),
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
            // Who counts on being switched off first has no lease of its own that would have run out.
            Some(until) if cx.tick && cx.now < until && cx.takes_by == TakesBy::Evidence => {
                Verdict::Given(Right::Lease { until })
            }
            _ => match cx.takes_by {
                TakesBy::Evidence => evidence::best_effort(cx, probes),
                TakesBy::Proof => Verdict::Waiting(cx.fencing.waiting()),
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
                _ => Word::Device(cx.fencing.gave()),
            },
        }),
        PeerState::Unknown
        | PeerState::Alive
        | PeerState::OneWay
        | PeerState::Refused
        | PeerState::Silent => None,
    }
}
