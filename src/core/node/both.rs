//! That both nodes ran a group: said by each of them, in the step in which it hears of it.

use super::*;
use crate::core::protocol::right::Right;
use crate::wire::heartbeat::{GroupReport, Role};

/// What was known of the peer before a heartbeat.
pub(super) struct Before {
    /// When it was heard last; None: it is heard all the time.
    silent_since: Option<Time>,
    /// What it claimed to run.
    claimed: Vec<GroupId>,
    /// None was heard since this daemon started.
    never: bool,
}

impl Node {
    pub(super) fn before(&self) -> Before {
        let heard = self.peer.state().is_heard();
        let claimed = self.groups.iter().map(Managed::id);
        Before {
            silent_since: (!heard).then(|| self.peer.last_heard().unwrap_or(self.started)),
            claimed: claimed
                .filter(|id| self.peer_claims(*id).is_some())
                .collect(),
            never: self.peer.latest().is_none(),
        }
    }

    /// Both hold a token of their own, and have something of the group.
    pub(super) fn tell_of_both(&self, before: &Before, out: &mut Vec<Action>) {
        if self.in_maintenance() || !self.peer.state().is_heard() {
            return; // what is touched by nobody is told by what `status` sees of it
        }
        for managed in &self.groups {
            let group = &managed.group;
            let Some(theirs) = self.peer_claims(group.id()) else {
                continue;
            };
            let known = before.silent_since.is_none() && before.claimed.contains(&group.id());
            // What this daemon has not looked at, or has found, need not be of one before it: a machine may start
            // services by itself as it boots.
            let found = matches!(group.state(), State::Looking { .. } | State::Adopted { .. });
            let unknown = found && !group.ran_before();
            if known || unknown || group.token().holder != self.setup.me || !group.runs_exclusive()
            {
                continue;
            }
            let began = group.why().1;
            // How long it ran before this daemon nobody knows.
            let right = group.state().right();
            let started = right.is_some_and(|right| !matches!(right, Right::Resumed { .. }));
            let known = started || !before.never;
            let since = before.silent_since.filter(|_| known);
            let since = since.map(|since| since.max(began));
            let yields = outranks(theirs.token, group.token(), self.setup.me);
            let reason = Reason::BothRan {
                most: self.now.since(since.unwrap_or(self.now)),
                yields,
                sure: theirs.role != Role::Stopping && !group.lifetimes_late(self.now),
            };
            out.push(group.report(Change::Notice, reason));
        }
    }

    fn peer_claims(&self, id: GroupId) -> Option<&GroupReport> {
        let runs = |role| matches!(role, Role::Starting | Role::Active | Role::Stopping);
        let mine = |r: &&GroupReport| r.token.holder != self.setup.me && !r.proven_stopped;
        self.peer.group(id).filter(mine).filter(|r| runs(r.role))
    }
}
