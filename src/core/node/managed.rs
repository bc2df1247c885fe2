//! One group as the node keeps it: what the protocol knows of it, and what is planned for it.

use crate::core::context::Context;
use crate::core::event::{Action, Change, Outcome, Unready};
use crate::core::policy::Plan;
use crate::core::protocol::events::Ended;
use crate::core::protocol::group::{Group, State};
use crate::core::protocol::record::FailureRecord;
use crate::core::protocol::resource::Kind;
use crate::core::reason::Reason;
use crate::core::time::Time;
use crate::core::view::{GroupView, ResourceState, ResourceView};
use crate::id::GroupId;
use crate::wire::heartbeat::{Role, Token};

/// More moves along the diagram than one step ever has; a step ends in any case.
const MOVES: usize = 64;

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Managed {
    /// What the protocol knows of it.
    pub group: Group,
    /// What is planned for it.
    pub plan: Plan,
}

impl Managed {
    /// Its name.
    pub fn id(&self) -> GroupId {
        self.group.id()
    }

    /// Its token.
    pub fn token(&self) -> Token {
        self.group.token()
    }

    /// Its role.
    pub fn role(&self) -> Role {
        self.group.role()
    }

    /// Does everything that is to be done at this step.
    pub fn drive(&mut self, cx: &Context, out: &mut Vec<Action>) {
        let cx = &self.group.patience(cx);
        self.plan.observe(cx, &self.group);
        self.group.observe(cx, out);
        let ceding = matches!(self.group.state(), State::Ceding { .. } | State::Ceded);
        let settled = (0..MOVES).any(|_| !self.advance(cx, out));
        debug_assert!(settled, "{self:?} turns in circles");
        self.group.sustain(cx, ceding, out);
        self.plan.restart(cx, &mut self.group, out);
        self.group.stamp(cx.now);
    }

    /// A running resource is gone.
    pub fn lost(&mut self, cx: &Context, resource: usize, why: String, out: &mut Vec<Action>) {
        self.plan.lost(cx, &mut self.group, resource, why, out);
    }

    /// A stopped resource runs: somebody started it.
    pub fn appeared(&mut self, cx: &Context, resource: usize, out: &mut Vec<Action>) {
        match self.group.resources[resource].exclusive() {
            true => self.keeping(cx, out, |group, out| group.appeared(cx, resource, out)),
            false => self.plan.appeared(cx, resource),
        }
    }

    /// A stopped resource was installed or removed: a look finds out which.
    pub fn reinstalled(&mut self, cx: &Context, resource: usize, out: &mut Vec<Action>) {
        if matches!(self.group.state(), State::Stopped { .. }) && !cx.maintenance {
            let reason = Reason::Reinstalled(self.group.resources[resource].id);
            self.keeping(cx, out, |group, out| group.look(reason, out));
        }
    }

    /// A resource says that it can run here, or cannot.
    pub fn ready(
        &mut self,
        cx: &Context,
        resource: usize,
        unready: Option<Unready>,
        out: &mut Vec<Action>,
    ) {
        self.plan.ready(cx, &mut self.group, resource, unready, out);
    }

    /// What was done to a resource ended.
    pub fn finished(
        &mut self,
        cx: &Context,
        resource: usize,
        outcome: Outcome,
        out: &mut Vec<Action>,
    ) {
        let mut ended = Ended::Nothing;
        self.keeping(cx, out, |group, out| {
            ended = group.finished(cx, resource, outcome, out)
        });
        match ended {
            Ended::Looked(found) => self.plan.looked(cx, &self.group, resource, found),
            Ended::Started => self.plan.started(cx, &self.group, resource, out),
            Ended::NotStarted(why) => {
                self.plan
                    .not_started(cx, &mut self.group, resource, why, out)
            }
            Ended::Unasked(why) => self.plan.unasked(cx, &mut self.group, resource, why, out),
            Ended::Nothing => {}
        }
    }

    /// Somebody claims a VIP of the group. True: it is neither node's, and runs here.
    pub fn rival(
        &mut self,
        cx: &Context,
        mac: [u8; 6],
        of_peer: bool,
        out: &mut Vec<Action>,
    ) -> bool {
        let rivals = self.group.defend(cx, out) && !of_peer;
        if rivals {
            out.push(self.group.report(Change::Notice, Reason::Rival(mac)));
        }
        rivals
    }

    /// The configuration changed; `failed`: what is remembered of what may come back.
    pub fn reconfigured(&mut self, cx: &Context, failed: &[FailureRecord], out: &mut Vec<Action>) {
        self.plan.reconcile(cx, &self.group, failed);
        let changed = self.group.reconcile(&cx.setup.resources);
        self.keeping(cx, out, |group, out| group.reconfigured(cx, changed, out));
    }

    /// Forgets failures, looks again at what failed to stop.
    pub fn clear(&mut self, cx: &Context, out: &mut Vec<Action>) {
        let before = (self.group.state(), self.group.token());
        self.plan.clear(cx, &mut self.group, out);
        self.plan.follow(cx, &mut self.group, before);
    }

    /// Maintenance ended: whatever was done meanwhile by hand, look at everything first.
    pub fn maintenance_ended(&mut self, cx: &Context, out: &mut Vec<Action>) {
        let before = (self.group.state(), self.group.token());
        self.plan.maintenance_ended(cx, &mut self.group, out);
        self.plan.follow(cx, &mut self.group, before);
    }

    /// When something of it is due.
    pub fn deadlines(&self, cx: &Context, due: &mut dyn FnMut(Time)) {
        let cx = &self.group.patience(cx);
        self.group.deadlines(cx, due);
        self.plan.deadlines(cx, due);
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.group.times(f);
        self.plan.times(f);
    }

    fn advance(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        let wish = self.plan.wish(cx, &self.group);
        let before = (self.group.state(), self.group.token());
        let moved = self.group.follow_token(cx, out) || self.group.advance(cx, &wish, out);
        self.plan.follow(cx, &mut self.group, before);
        moved
    }

    /// Does something to the group, which the plan follows.
    fn keeping(
        &mut self,
        cx: &Context,
        out: &mut Vec<Action>,
        f: impl FnOnce(&mut Group, &mut Vec<Action>),
    ) {
        let before = (self.group.state(), self.group.token());
        f(&mut self.group, out);
        self.plan.follow(cx, &mut self.group, before);
    }
}

impl Managed {
    /// What a person wants to see of it.
    pub fn view(&self, cx: &Context) -> GroupView {
        let facts = self.plan.facts(cx, &self.group);
        let (report, (reason, since)) = (cx.report(), self.group.why());
        let waiting = self.plan.waiting().or(self.group.waiting.as_ref());
        GroupView {
            id: self.id(),
            role: self.group.told(),
            since,
            reason: reason.clone(),
            token: self.token(),
            readiness: self.plan.readiness(cx, &self.group),
            facts,
            peer: report.map(|r| (r.role, r.readiness)),
            refused_role: (cx.peer.refused().into_iter().flatten())
                .find(|report| report.id == self.id())
                .map(|report| report.role),
            adopted: matches!(self.group.state(), State::Adopted { .. }),
            answered_by_peer: None,
            rival: None,
            no_seizure: self.group.never_seized(cx),
            // In maintenance it waits for its end alone.
            waiting: waiting.filter(|_| !cx.maintenance).cloned(),
            retry_at: self.plan.retry_at(cx.now),
            fail_count: self.plan.fail_count(),
            peer_fail_count: report.map_or(0, |r| r.fail_count),
            stopped: cx.stopped,
            failback_held: self.plan.failback_held(),
            resources: (0..self.group.resources.len())
                .map(|r| self.resource_view(r))
                .collect(),
        }
    }

    fn resource_view(&self, index: usize) -> ResourceView {
        let resource = &self.group.resources[index];
        let looking = matches!(self.group.state(), State::Looking { .. });
        let active = matches!(self.group.state(), State::Active { .. });
        let held = active && resource.exclusive() && !resource.covered;
        let state = match resource.work.map(|work| work.kind) {
            _ if resource.stuck => ResourceState::Stuck,
            Some(Kind::Start) => ResourceState::Starting,
            Some(Kind::Stop | Kind::Cede | Kind::Part) => ResourceState::Stopping,
            Some(Kind::Look) => ResourceState::Unknown,
            None if looking => ResourceState::Unknown,
            None if held => ResourceState::HeldBack,
            None if self.plan.is_down(index) => ResourceState::Down,
            None if resource.present => ResourceState::Running,
            None => ResourceState::Stopped,
        };
        let failures = self.plan.failures(index);
        ResourceView {
            id: resource.id,
            state,
            until: (resource.work)
                .filter(|_| matches!(state, ResourceState::Starting | ResourceState::Stopping))
                .map(|work| work.deadline),
            unready: self.plan.lack(index).map(|unready| unready.why.clone()),
            fail_count: failures.count,
            failure: failures.why.clone(),
            failed_at: failures.last(),
            forgotten_at: failures.expire_at(&resource.setup),
        }
    }
}
