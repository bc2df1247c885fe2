//! What is planned for one group on this node.

use super::super::context::Context;
use super::super::event::{Action, Unready};
use super::super::protocol::group::{Group, Rest, State, Wish};
use super::super::protocol::record::{FailureRecord, GroupRecord};
use super::super::protocol::takes::TakesBy;
use super::super::reason::{Fact, Reason};
use super::super::setup::{Failback, GroupSetup, ResourceSetup};
use super::super::time::Time;
use super::facts::{readiness, worst};
use super::failures::Failures;
use super::limiter::Limiter;
use super::restarts::{self, FIRST_RETRY};
use crate::id::ResourceId;
use crate::wire::heartbeat::{Readiness, Role, Token};

/// The plan for one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// Per resource, in file order.
    pub(super) cares: Vec<Care>,
    /// A start failed: it is not tried again before.
    pub(super) retry_at: Option<Time>,
    /// Why what runs is to be stopped: more failed than a restart in place cures.
    pub(super) gave_up: Option<Reason>,
    /// It was tried here since this node was given it.
    tried: bool,
    limiter: Limiter,
    operator_move: bool,
    /// The peer has it because an operator wanted that.
    gave_by_order: bool,
    /// An operator moved it off its preferred node: it does not return by itself.
    failback_held: bool,
    peer_able_since: Option<Time>,
    /// The peer was silent at the last step.
    peer_was_silent: bool,
    /// What it waits for, for people.
    waiting: Option<Reason>,
    /// Wished instead of what would be best: by the adversary of a search.
    dictated: Option<Dictate>,
}

/// What is known of one resource beyond whether it runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Care {
    pub id: ResourceId,
    /// To be started again while the group runs: when, and why.
    pub repair: Option<(Time, Reason)>,
    pub repaired_at: Option<Time>,
    /// Since when it ought to run and does not.
    pub down_since: Option<Time>,
    /// It is not installed here, as far as the last look.
    pub missing: bool,
    /// It says itself that it cannot run here, or not all of it.
    pub unready: Option<Unready>,
    pub failures: Failures,
}

/// A wish without a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dictate {
    /// That it runs here.
    Run,
    /// That the peer gets it.
    Move,
    /// That it does not run here.
    Stop,
}

impl Plan {
    /// At the start of the daemon, with what the disk remembers.
    pub fn new(setup: &GroupSetup, saved: Option<&GroupRecord>, failed: &[FailureRecord]) -> Plan {
        let care = |resource: &ResourceSetup| Care::new(setup, resource, failed);
        Plan {
            cares: setup.resources.iter().map(care).collect(),
            retry_at: None,
            gave_up: None,
            tried: false,
            limiter: Limiter::default(),
            operator_move: false,
            gave_by_order: false,
            failback_held: saved.is_some_and(|saved| saved.failback_held),
            peer_able_since: None,
            peer_was_silent: false,
            waiting: None,
            dictated: None,
        }
    }

    /// What would be best now.
    pub fn wish(&mut self, cx: &Context, group: &Group) -> Wish {
        self.waiting = None;
        if let Some(dictated) = self.dictated {
            return match dictated {
                Dictate::Run => Wish::Run,
                Dictate::Move => Wish::Move(Reason::Operator),
                Dictate::Stop => Wish::Stop(Reason::Operator),
            };
        }
        match group.state() {
            State::Active { .. } | State::Ceding { .. } => self.wish_active(cx, group),
            State::Starting { .. } | State::Adopted { .. } => {
                let reason = self.must_stop(cx, group);
                reason.map_or(Wish::Run, Wish::Stop)
            }
            State::Stopped { .. } if group.token().holder == cx.me() => {
                self.wish_stopped(cx, group)
            }
            State::Stopped { .. } => self.wish_standing_by(cx, group),
            State::Looking { .. }
            | State::Ceded
            | State::Stopping { .. }
            | State::Failed { .. } => Wish::Run,
        }
    }

    /// Takes note of the peer and of time, before anything is decided.
    pub fn observe(&mut self, cx: &Context, group: &Group) {
        let able =
            cx.report().is_some_and(|r| r.readiness == Readiness::Able) && group.same_list(cx);
        match cx.peer_alive() && able {
            true => drop(self.peer_able_since.get_or_insert(cx.now)),
            false => self.peer_able_since = None,
        }
        // Whoever was given a chance is gone: it is this node's turn, whatever it waited for.
        let silent = cx.peer_silent();
        if silent && !std::mem::replace(&mut self.peer_was_silent, silent) {
            self.retry_at = None;
        }
        self.peer_was_silent = silent;
        let served = cx.report().is_some_and(|r| r.role == Role::Active);
        for (care, resource) in self.cares.iter_mut().zip(&group.resources) {
            care.failures.expire(cx.now, &resource.setup);
            if served {
                care.failures.served();
            }
        }
        self.limiter.forget(cx.now);
    }

    /// The group went from one state, with one token, to another.
    pub fn follow(&mut self, cx: &Context, group: &mut Group, before: (State, Token)) {
        let (state, token) = before;
        if token != group.token() {
            let ordered = std::mem::take(&mut self.operator_move);
            let gave = matches!(
                state,
                State::Ceding { .. }
                    | State::Stopped {
                        rest: Rest::Granting { .. }
                    }
            );
            let took = token.holder != cx.me() && group.token().holder == cx.me();
            self.gave_by_order = gave && ordered;
            if gave || took {
                self.limiter.moved(cx.now);
            }
            let seized = matches!(
                state,
                State::Stopped {
                    rest: Rest::Seizing(_)
                }
            );
            if took {
                // An operator moved it off its preferred node.
                let ordered = cx.report().is_some_and(|r| r.ordered);
                self.failback_held = !seized
                    && ordered
                    && cx.setup.failback != Failback::Manual
                    && cx.setup.prefer == Some(cx.me().other());
                (self.tried, self.retry_at) = (false, None);
            } else if group.token().holder != cx.me() {
                self.failback_held = false;
            }
        }
        let keeps = |s: State| matches!(s, State::Starting { .. } | State::Active { .. });
        let kind = |s: State| std::mem::discriminant(&s);
        let now = group.state();
        if kind(state) == kind(now) {
            return;
        }
        match now {
            State::Starting { .. } => {
                (self.retry_at, self.gave_up, self.tried) = (None, None, true);
                self.forget_repairs(group);
            }
            State::Active { .. } => {
                self.retry_at = None;
                self.cares.iter_mut().for_each(|c| c.failures.served());
                for (care, resource) in self.cares.iter_mut().zip(&group.resources) {
                    if resource.exclusive() && !resource.covered {
                        care.repair = Some((cx.now, Reason::Covered(resource.id)));
                    }
                }
                if matches!(state, State::Ceding { .. }) {
                    self.operator_move = false;
                    for (care, resource) in self.cares.iter_mut().zip(&group.resources) {
                        if resource.exclusive() {
                            care.repair = Some((cx.now, Reason::HandoverAborted));
                        }
                    }
                }
            }
            State::Stopping { .. } => {
                if let Reason::NotServing(_) = group.why().0 {
                    // Or this node, whose evidence is ready, would be back before the peer has its own.
                    let interval = cx.peer.rhythm().interval.max(cx.node.interval);
                    let decision = 2 * cx.node.detection_time(interval);
                    self.retry_at = Some(cx.now + decision.max(FIRST_RETRY));
                }
            }
            State::Looking { .. }
            | State::Stopped { .. }
            | State::Adopted { .. }
            | State::Ceding { .. }
            | State::Ceded
            | State::Failed { .. } => {}
        }
        if keeps(state) && !keeps(now) {
            self.gave_up = None;
            self.forget_repairs(group);
            for (care, resource) in self.cares.iter_mut().zip(&group.resources) {
                care.down_since.take_if(|_| resource.exclusive());
            }
        }
    }

    /// The configuration changed: what stays keeps what is known of it. Where the group runs, what the new file
    /// says something new of is started, which changes nothing for what has all it needs. `group` is as it was.
    /// `failed`: what is remembered of what may come back.
    pub fn reconcile(&mut self, cx: &Context, group: &Group, failed: &[FailureRecord]) {
        let mut old = std::mem::take(&mut self.cares);
        let active = matches!(group.state(), State::Active { .. });
        let starting = matches!(group.state(), State::Starting { .. });
        for setup in &cx.setup.resources {
            let known = old.iter().position(|care| care.id == setup.id);
            let new = known.is_none();
            let mut care = known.map_or_else(
                || Care::new(cx.setup, setup, failed),
                |at| old.swap_remove(at),
            );
            if starting {
                care.repair = None; // what was not reached yet is started in its turn
            } else if new || (setup.exclusive && active && group.is_news(setup)) {
                care.repair = Some((cx.now, Reason::Reloaded));
            }
            self.cares.push(care);
        }
    }

    /// A stopped resource runs, or one that runs on both nodes may be well again: the next try, which finds
    /// that out, comes at once.
    pub fn appeared(&mut self, cx: &Context, resource: usize) {
        if let Some((at, _)) = &mut self.cares[resource].repair {
            *at = cx.now;
        }
    }

    /// Forgets failures; a failed stop, and what was not installed, is looked at again.
    pub fn clear(&mut self, cx: &Context, group: &mut Group, out: &mut Vec<Action>) {
        for (care, resource) in self.cares.iter_mut().zip(&group.resources) {
            care.failures = Failures::default();
            if let (false, Some((at, _))) = (resource.exclusive(), &mut care.repair) {
                *at = cx.now;
            }
        }
        (self.retry_at, self.failback_held) = (None, false);
        let stopped = matches!(group.state(), State::Stopped { .. });
        let missing = stopped && self.cares.iter().any(|c| c.missing);
        if missing {
            group.look(Reason::Operator, out);
        }
    }

    /// Maintenance ended: whatever was done meanwhile by hand, look at everything first.
    pub fn maintenance_ended(&mut self, cx: &Context, group: &mut Group, out: &mut Vec<Action>) {
        group.end_endless();
        if !group.has_failed() {
            return group.look(Reason::Maintenance(false), out);
        }
        // What runs on both nodes is not blocked: a start finds out how it is.
        for (care, resource) in self.cares.iter_mut().zip(&group.resources) {
            if !resource.exclusive() {
                care.repair = Some((cx.now, Reason::Maintenance(false)));
            }
        }
    }

    /// The operator wants it moved; what speaks against that was asked before.
    pub fn move_by_operator(&mut self) {
        self.operator_move = true;
    }

    /// An operator's move is under way.
    pub fn moving(&self) -> bool {
        self.operator_move
    }

    /// Gives up an operator's move that takes too long.
    pub fn abandon_move(&mut self) {
        self.operator_move = false;
    }

    /// An operator moved it: it does not return by itself.
    pub fn failback_held(&self) -> bool {
        self.failback_held
    }

    /// The peer has it because an operator wanted that.
    pub fn gave_by_order(&self) -> bool {
        self.gave_by_order
    }

    /// What it waits for, for people.
    pub fn waiting(&self) -> Option<&Reason> {
        self.waiting.as_ref()
    }

    /// Failures of all its resources since they were last forgotten.
    pub fn fail_count(&self) -> u16 {
        let counts = self.cares.iter().map(|c| c.failures.count);
        counts.fold(0, u16::saturating_add)
    }

    /// Those of a resource.
    pub fn failures(&self, resource: usize) -> &Failures {
        &self.cares[resource].failures
    }

    /// When what failed is tried again, if that time has not come.
    pub fn retry_at(&self, now: Time) -> Option<Time> {
        self.retry_at.filter(|at| now < *at)
    }

    /// It ought to run and does not.
    pub fn is_down(&self, resource: usize) -> bool {
        self.cares[resource].down_since.is_some()
    }

    /// Why it cannot run here, or not all of it, by its own account.
    pub fn lack(&self, resource: usize) -> Option<&Unready> {
        self.cares[resource].unready.as_ref()
    }

    /// What of the failures lasts until somebody clears them, for the disk.
    pub fn lasting_failures(&self, group: &Group) -> Vec<FailureRecord> {
        let both = self.cares.iter().zip(&group.resources);
        let lasting = both
            .filter(|(care, resource)| care.failures.spent && resource.setup.fail_expiry.is_none());
        lasting
            .map(|(care, resource)| FailureRecord {
                place: crate::id::Place {
                    group: group.id(),
                    resource: resource.id,
                },
                count: care.failures.count,
            })
            .collect()
    }

    /// When something of it is due.
    pub fn deadlines(&self, cx: &Context, due: &mut dyn FnMut(Time)) {
        restarts::due(self, cx, due);
        self.retry_at.into_iter().for_each(&mut *due);
        self.limiter
            .wait_until(cx.now)
            .into_iter()
            .for_each(&mut *due);
        if let (Some(since), Failback::After(span)) = (self.peer_able_since, cx.setup.failback) {
            due(since + span);
        }
    }

    /// Wishes that instead, from now on; None: what is best.
    pub fn dictate(&mut self, wish: Option<Dictate>) {
        self.dictated = wish;
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        let optional = [&mut self.retry_at, &mut self.peer_able_since];
        optional.into_iter().flatten().for_each(&mut *f);
        self.limiter.times(f);
        for care in &mut self.cares {
            care.repair.iter_mut().for_each(|(at, _)| f(at));
            let optional = [&mut care.repaired_at, &mut care.down_since];
            optional.into_iter().flatten().for_each(&mut *f);
            care.failures.times(f);
        }
    }

    /// Leaves out of a search how often the group moved, for the limit on moves only delays; and for how long
    /// its failures have counted.
    pub fn leave_out(&mut self, now: Time) {
        self.limiter = Limiter::default();
        for care in &mut self.cares {
            care.failures.times(&mut |time| *time = now);
        }
    }

    /// Forgets what is only shown, and what its configuration never asks.
    pub fn forget(&mut self, setup: &GroupSetup) {
        if setup.failback == Failback::Manual {
            self.peer_able_since = None;
            (self.failback_held, self.gave_by_order) = (false, false);
        }
        for (care, resource) in self.cares.iter_mut().zip(&setup.resources) {
            care.failures.why.clear();
            // What is not asked of it.
            if !(resource.data && resource.fail_expiry.is_none()) {
                care.failures.served();
            }
        }
        self.waiting = None;
    }

    pub(super) fn spent_failures(&self) -> u16 {
        let spent = self.cares.iter().filter(|c| c.failures.spent);
        spent.fold(0, |n, c| n.saturating_add(c.failures.count))
    }

    fn wish_active(&mut self, cx: &Context, group: &Group) -> Wish {
        if let Some(reason) = &self.gave_up {
            return Wish::Stop(reason.clone());
        }
        if let Some((reason, limited)) = self.wants_move(cx, group) {
            match self.limiter.wait_until(cx.now).filter(|_| limited) {
                Some(until) => self.waiting = Some(Reason::MoveLimited(until.since(cx.now))),
                None => return Wish::Move(reason),
            }
        }
        self.must_stop(cx, group).map_or(Wish::Run, Wish::Stop)
    }

    /// The holder, which runs nothing of it.
    fn wish_stopped(&mut self, cx: &Context, group: &Group) -> Wish {
        if let Some((reason, _)) = self.wants_move(cx, group) {
            return Wish::Move(reason);
        }
        if let Some(fact) = self.blocks_start(cx, group) {
            self.retry_at
                .take_if(|_| matches!(fact, Fact::DataFailed(_))); // no time mends it
            return Wish::Stop(Reason::Fact(fact));
        }
        if let Some(at) = self.retry_at.filter(|at| cx.now < *at) {
            let worst = self.facts(cx, group).first().copied();
            let wait = Reason::Retry(at.since(cx.now));
            return Wish::Stop(worst.map_or(wait, Reason::Fact));
        }
        match self.blocks_seizure(cx, group) {
            Some(fact) => Wish::Agree(Reason::Fact(fact)),
            None => Wish::Run,
        }
    }

    /// The peer holds it.
    fn wish_standing_by(&mut self, cx: &Context, group: &Group) -> Wish {
        self.operator_move = false;
        if let Some(at) = self.retry_at.filter(|at| cx.now < *at) {
            return Wish::Stop(Reason::Retry(at.since(cx.now)));
        }
        match self.blocks_seizure(cx, group) {
            Some(fact) => Wish::Stop(Reason::Fact(fact)),
            None => Wish::Run,
        }
    }

    /// What stops it here whether the peer can have it or not.
    fn must_stop(&self, cx: &Context, group: &Group) -> Option<Reason> {
        if let Some(reason) = &self.gave_up {
            return Some(reason.clone());
        }
        let unheard = || cx.counts_as_silent_at().is_some_and(|at| cx.now >= at);
        let left_to_peer = match cx.peer_takes_by {
            TakesBy::Evidence => cx.peer_silent() || unheard(),
            // It shoots nobody who answers for the addresses. Where it takes nothing, they are started again here.
            TakesBy::Proof => cx.peer_silent() || (!cx.peer.state().is_gone() && unheard()),
            TakesBy::Nothing => false,
        };
        if let Some(resource) = self.not_serving(cx, group).filter(|_| left_to_peer) {
            return Some(Reason::NotServing(group.resources[resource].id));
        }
        let hard = self.facts(cx, group).into_iter().find(|f| f.is_hard());
        hard.map(Reason::Fact)
    }

    /// Whether, and why, the peer should have it; and whether the move limit applies.
    fn wants_move(&self, cx: &Context, group: &Group) -> Option<(Reason, bool)> {
        if !group.peer_could(cx) {
            return None;
        }
        let report = cx.report()?;
        if report.readiness == Readiness::Barred {
            return None;
        }
        if self.operator_move {
            return Some((Reason::Operator, false));
        }
        let facts = self.facts_that_move(cx, group);
        let mine = readiness(&facts, cx.setup);
        // The limit never keeps a group where it reaches nobody.
        let serves = facts.iter().all(|f| f.weight().serves);
        // A peer with another list may have to hold something back: it is no better place, but beside a failed stop, for
        // which this node is to be switched off: then it starts that as well.
        let best = match group.same_list(cx) || (cx.stop_failed_here && group.listed_there(cx)) {
            true => Readiness::Able,
            false => Readiness::Impaired,
        };
        // Of two that are not well, the one where nothing failed may still be able to run it.
        let theirs = (report.readiness.min(best), report.fail_count == 0);
        let ours = (mine, !self.failing(group));
        let stopped = matches!(group.state(), State::Stopped { .. });
        let runs = matches!(group.state(), State::Active { .. } | State::Ceding { .. });
        if theirs > ours {
            let worst = worst(&facts, cx.setup);
            return worst.map(|f| (Reason::Fact(f), mine != Readiness::Barred && serves));
        }
        // While nobody serves, both try in turn: what failed here may be mended there, unsaid.
        let rested = self.retry_at.is_none_or(|at| cx.now >= at);
        if stopped
            && theirs == ours
            && theirs < (Readiness::Able, false)
            && report.fail_count > 0
            && self.tried
            && rested
            && self.blocks_start(cx, group).is_none()
        {
            return Some((Reason::InTurn, false));
        }
        let preferred = cx.setup.prefer == Some(cx.me().other());
        let due = match (cx.setup.failback, self.peer_able_since) {
            (Failback::After(span), Some(since)) => cx.now.since(since) >= span,
            _ => false,
        };
        (preferred && due && !self.failback_held && runs).then_some((Reason::Failback, true))
    }

    fn forget_repairs(&mut self, group: &mut Group) {
        for (care, resource) in self.cares.iter_mut().zip(&mut group.resources) {
            if resource.exclusive() {
                care.repair = None;
                resource.down = false;
            }
        }
    }
}

impl Care {
    fn new(group: &GroupSetup, setup: &ResourceSetup, failed: &[FailureRecord]) -> Care {
        let place = (group.id, setup.id);
        let known = (failed.iter()).find(|f| (f.place.group, f.place.resource) == place);
        Care {
            id: setup.id,
            repair: None,
            repaired_at: None,
            down_since: None,
            missing: false,
            unready: None,
            failures: known.map_or_else(Failures::default, |f| Failures::remembered(f.count)),
        }
    }
}
