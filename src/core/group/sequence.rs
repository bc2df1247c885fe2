//! Starts resources in file order and stops them in reverse; one operation a resource at a time.

use super::resource::{Kind, Work};
use super::*;
use crate::id::Place;

impl Group {
    /// The only way into [`Phase::Starting`]: with a right.
    pub(super) fn begin(
        &mut self,
        cx: &Context,
        right: Right,
        reason: Reason,
        out: &mut Vec<Action>,
    ) {
        self.right = right;
        self.decided = None;
        self.contested = false;
        self.waiting = None;
        self.retry_at = None;
        for (resource, setup) in self.resources.iter_mut().zip(&cx.setup.resources) {
            resource.repair.take_if(|_| setup.exclusive);
        }
        // Used up: whoever stops again asks again, for the peer may have taken over meanwhile.
        self.probes.end();
        self.enter(cx, Phase::Starting(0), reason, out);
    }

    /// Starts what is next in order.
    pub(super) fn start_next(&mut self, cx: &Context, next: usize, out: &mut Vec<Action>) -> bool {
        let Some(setup) = cx.setup.resources.get(next) else {
            if self.busy(cx) || self.repairs(cx).next().is_some() {
                return false;
            }
            self.retry_at = None;
            self.enter(cx, Phase::Active, Reason::Complete, out);
            return true;
        };
        if !setup.exclusive {
            self.phase = Phase::Starting(next + 1);
            return true;
        }
        // After a pause the peer may have taken over: what it said meanwhile comes first.
        if self.resources[next].op.is_none() && self.up_to_date(cx) {
            self.launch(cx, Kind::Start, next, out);
        }
        false
    }

    /// Stops everything, in reverse order; in haste the addresses first, whatever else is under way.
    pub(super) fn stop(&mut self, cx: &Context, reason: Reason, out: &mut Vec<Action>) {
        let at_once = self.right == Right::None || self.in_haste(cx);
        if let Reason::NotServing(_) = reason {
            // Or this node, whose evidence is ready, would be back before the peer has its own.
            let decision = 2 * cx
                .node
                .detection_time(cx.peer.interval().max(cx.node.interval));
            self.retry_at = Some(cx.now + decision.max(FIRST_RETRY));
        }
        self.forget_right(cx, out);
        self.enter(cx, Phase::Stopping { at_once }, reason, out);
    }

    /// Looks at everything anew.
    pub(super) fn look(&mut self, cx: &Context, reason: Reason, out: &mut Vec<Action>) {
        self.forget_right(cx, out);
        for resource in &mut self.resources {
            (resource.present, resource.stuck) = (true, false);
        }
        self.enter(cx, Phase::Looking(0), reason, out);
    }

    /// The next to stop; None: all is done, or waits for what is under way. After a failed stop only
    /// the leases, and not even those of a group that holds data.
    pub(super) fn next_to_stop(&self, cx: &Context, at_once: bool) -> Option<usize> {
        let leases_only = self.stop_failed();
        let wanted = |&r: &usize| {
            let resource = &self.resources[r];
            let exclusive = cx.setup.resources[r].exclusive;
            exclusive && resource.present && !resource.stuck && resource.op.is_none()
        };
        let leased = |r: &usize| cx.setup.resources[*r].leased;
        let mut reverse = (0..self.resources.len()).rev().filter(wanted);
        if leases_only {
            return reverse.find(leased).filter(|_| !cx.setup.holds_data());
        }
        if at_once && let Some(lease) = reverse.clone().find(leased) {
            return Some(lease);
        }
        reverse.next().filter(|_| !self.busy(cx))
    }

    /// What must be gone before the peer may be up: it has, or may soon take, the group.
    pub(super) fn in_haste(&self, cx: &Context) -> bool {
        self.weightier(cx).is_some()
            || self.token.holder != cx.me()
            || self.late(cx)
            || (cx.tick && cx.isolated())
            || matches!(cx.peer.state(), PeerState::Silent | PeerState::Unknown)
    }

    /// Cancels what takes too long.
    pub(super) fn end_overdue(&mut self, cx: &Context, out: &mut Vec<Action>) {
        for resource in 0..self.resources.len() {
            if let Some(op) = self.resources[resource].op
                && cx.now >= op.deadline
            {
                self.cancel(resource, out);
            }
        }
    }

    pub(super) fn launch(
        &mut self,
        cx: &Context,
        kind: Kind,
        resource: usize,
        out: &mut Vec<Action>,
    ) {
        let place = self.place(resource);
        let setup = &cx.setup.resources[resource];
        let span = match kind {
            Kind::Look | Kind::Start | Kind::Cede => setup.start_timeout,
            Kind::Stop => setup.stop_timeout,
        };
        if kind == Kind::Start {
            // Of several leases the one renewed longest ago counts.
            if setup.leased && !self.leases_up(cx) {
                self.renewed_at = cx.now;
            }
            self.resources[resource].present = true;
        }
        self.resources[resource].op = Some(Work {
            kind,
            deadline: cx.now + span,
            cancelled: false,
        });
        out.push(match kind {
            Kind::Look => Action::Look(place),
            Kind::Start => Action::Start(place),
            Kind::Stop => Action::Stop(place),
            Kind::Cede => Action::Cede(place),
        });
    }

    /// Something is being done to what must not run on both nodes.
    pub(super) fn busy(&self, cx: &Context) -> bool {
        let mut resources = self.resources.iter().zip(&cx.setup.resources);
        resources.any(|(resource, setup)| setup.exclusive && resource.op.is_some())
    }

    fn forget_right(&mut self, cx: &Context, out: &mut Vec<Action>) {
        self.right = Right::None;
        self.decided = None;
        self.contested = false;
        for resource in 0..self.resources.len() {
            if cx.setup.resources[resource].exclusive {
                self.resources[resource].repair = None;
                self.resources[resource].down_since = None;
                let starting = |op: Work| op.kind == Kind::Start;
                if self.resources[resource].op.is_some_and(starting) {
                    self.cancel(resource, out);
                }
            }
        }
    }

    fn cancel(&mut self, resource: usize, out: &mut Vec<Action>) {
        let place = self.place(resource);
        if let Some(op) = &mut self.resources[resource].op
            && !op.cancelled
        {
            op.cancelled = true;
            out.push(Action::Cancel(Op::Resource(place)));
        }
    }

    fn place(&self, resource: usize) -> Place {
        Place {
            group: self.id,
            resource: self.resources[resource].id,
        }
    }
}
