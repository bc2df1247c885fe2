//! What says that the peer runs a group, while its word is not had, or beside this node.

use super::build::Facts;
use crate::core::node::{Sign, SignKind};
use crate::core::peer::PeerState;
use crate::core::time::Time;
use crate::core::view::GroupView;
use crate::wire::heartbeat::{Readiness, Role};
use std::time::Duration;

impl Facts<'_> {
    /// What says that both nodes run the group.
    pub fn conflict(&self, group: &GroupView, now: Time) -> Option<String> {
        conflict(self, group, now)
    }

    /// What says that a peer whose word is not had runs it.
    pub fn elsewhere(&self, group: &GroupView, now: Time) -> Option<String> {
        elsewhere(self, group, now)
    }

    /// It is known that this node or the peer does not run the group.
    pub fn is_on_one_at_most(&self, group: &GroupView) -> bool {
        let here = group.role != Role::Stopped || group.adopted;
        let idle = |(role, _): (Role, Readiness)| role == Role::Stopped;
        !here || (self.view.peer.state == PeerState::Alive && group.peer.is_some_and(idle))
    }
}

/// What says that a peer whose word is not had runs the group. It says so of now alone: whoever was cut off in the
/// moment after an answer is not known to serve.
pub(super) fn elsewhere(facts: &Facts, group: &GroupView, now: Time) -> Option<String> {
    spoken_for(facts, group, |at| now.since(at) <= OF_NOW)
}

/// The same by those signs alone that count.
fn spoken_for(facts: &Facts, group: &GroupView, counts: impl Fn(Time) -> bool) -> Option<String> {
    let (names, peer) = (facts.names, facts.peer());
    let runs = |role: &Role| matches!(role, Role::Active | Role::Starting);
    if group.refused_role.as_ref().is_some_and(runs) {
        return Some(format!("{peer}, which is refused, says that it runs there"));
    }
    let signs = facts.view.peer.signs.iter();
    let mut signs = signs.filter(|sign| counts(sign.at));
    let answers = signs
        .clone()
        .any(|sign| matches!(sign.kind, SignKind::Answered(_, Some(of), _) if of == group.id));
    if answers {
        return Some(format!("{peer} answers for {}", names.vips_of(group.id)));
    }
    let says = |sign: &Sign| match &sign.kind {
        SignKind::Unproven(roles) => roles.iter().any(|(id, role)| *id == group.id && runs(role)),
        SignKind::Answered(..) | SignKind::Unlistening => false,
    };
    signs.any(says).then(|| {
        format!("{peer}'s heartbeats, though not proven to be of now, say that it runs there")
    })
}

/// A move is over by then: what both nodes have after that, both have.
const SETTLED: Duration = Duration::from_secs(4);

/// Whoever has a VIP answers every question for it: what is older than this may be over.
const OF_NOW: Duration = Duration::from_secs(3);

/// What it answers later than this after its word is not of before it.
const WORD: Duration = Duration::from_millis(1500);

/// What says that both nodes run the group. What the peer showed before this node was active says nothing of now.
pub(super) fn conflict(facts: &Facts, group: &GroupView, now: Time) -> Option<String> {
    let settled = group.role == Role::Active && now.since(group.since) >= SETTLED;
    if !settled {
        return None;
    }
    let (names, peer) = (facts.names, facts.peer());
    // Where it says that nothing runs there, what it answered before it said so is over.
    let stopped = matches!(group.peer, Some((Role::Stopped, _)));
    let says_so = facts.view.peer.state == PeerState::Alive && stopped;
    let from = match says_so {
        true => facts.view.peer.since + WORD,
        false => group.since + SETTLED,
    };
    let within = if says_so { WORD } else { OF_NOW };
    let lately = |at: Time| at > from.max(group.since + SETTLED) && now.since(at) <= within;
    if group.answered_by_peer.is_some_and(lately) {
        let vips = names.vips_of(group.id);
        return Some(format!("{peer} answers for {vips} too"));
    }
    if matches!(group.peer, Some((Role::Active, _))) {
        return Some(format!("{peer} says that it runs there too"));
    }
    spoken_for(facts, group, lately)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, Sample, ago};
    use super::*;

    #[test]
    fn that_nothing_speaks_of_both_is_no_proof_of_one() {
        let judged = |sample: &Sample| {
            let (facts, group) = (sample.facts(), &sample.view.groups[0]);
            (facts.conflict(group, NOW), facts.is_on_one_at_most(group))
        };
        let mut sample = Sample::default();
        assert_eq!(judged(&sample), (None, true));
        // It answered, and then said that it has stopped.
        sample.view.groups[0].answered_by_peer = Some(ago(400));
        sample.view.peer.since = ago(1000);
        assert_eq!(judged(&sample), (None, true));
        sample.view.peer.since = ago(60_000);
        assert!(judged(&sample).0.is_some());
        sample.view.groups[0].answered_by_peer = None;
        sample.view.groups[0].peer = Some((Role::Active, Readiness::Able));
        let says = "lb2 says that it runs there too";
        assert_eq!(judged(&sample), (Some(says.into()), false));
        // The peer's word is as old as its silence.
        sample.view.peer.state = PeerState::Silent;
        sample.view.groups[0].peer = None;
        assert_eq!(judged(&sample), (None, false));
        sample.view.groups[0].answered_by_peer = Some(ago(800));
        assert!(judged(&sample).0.is_some());
        // It gave it up meanwhile.
        sample.view.groups[0].answered_by_peer = Some(ago(3100));
        assert_eq!(judged(&sample), (None, false));
        sample.view.groups[0].role = Role::Stopped;
        assert_eq!(judged(&sample), (None, true));
    }

    #[test]
    fn what_the_peer_showed_before_the_start_here_is_no_sign_of_both() {
        let mut sample = Sample::default();
        sample.view.peer.state = PeerState::Fenced;
        let (vif, group) = (sample.view.vifs[0].id, sample.view.groups[0].id);
        let sign = |at| Sign {
            at,
            kind: SignKind::Answered(vif, Some(group), [1; 6]),
        };
        sample.view.groups[0].peer = None;
        sample.view.groups[0].since = ago(5000);
        sample.view.peer.signs = vec![sign(ago(4000))];
        let conflict = |sample: &Sample| sample.facts().conflict(&sample.view.groups[0], NOW);
        assert_eq!(conflict(&sample), None);
        sample.view.peer.signs = vec![sign(ago(500))];
        assert!(conflict(&sample).is_some());
    }

    #[test]
    fn a_peer_that_died_after_an_answer_is_not_known_to_serve() {
        let mut sample = Sample::default();
        sample.view.peer.state = PeerState::Silent;
        let (vif, group) = (sample.view.vifs[0].id, sample.view.groups[0].id);
        sample.view.groups[0].peer = None;
        let mut elsewhere = |at| {
            let kind = SignKind::Answered(vif, Some(group), [1; 6]);
            sample.view.peer.signs = vec![Sign { at, kind }];
            sample.facts().elsewhere(&sample.view.groups[0], NOW)
        };
        assert!(elsewhere(ago(2900)).is_some());
        assert_eq!(elsewhere(ago(3100)), None);
    }
}
