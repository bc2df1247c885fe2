//! What fails while it runs: restarts in place, and services that run on both nodes.
//!
//! A resource that is not exclusive runs whoever holds the group: it is started where it does not
//! run, never stopped, and where it is down the group had better not be.

use super::resource::Kind;
use super::*;

impl Group {
    /// A running resource is gone.
    pub fn lost(&mut self, cx: &Context, resource: usize, why: String, out: &mut Vec<Action>) {
        let setup = &cx.setup.resources[resource];
        if cx.maintenance || self.resources[resource].op.is_some() {
            return; // looked at afterwards, or being dealt with
        }
        let started = self.has_started(resource);
        if !setup.exclusive {
            if self.resources[resource].present {
                self.lost_on_both(cx, resource, why, out);
            }
        } else if setup.leased && started {
            self.put_back(cx, resource);
        } else if started && self.resources[resource].repair.is_none() {
            let it = &mut self.resources[resource];
            it.down_since.get_or_insert(cx.now);
            if it.failures.restart(cx.now, setup, &why) {
                it.repair = Some((cx.now, Reason::ResourceFailed(it.id, why)));
            } else {
                self.give_up(cx, resource, why, out);
            }
        } else if self.phase == Phase::Adopted && setup.leased {
            // Of a service it only says that it does not do its work: it may have to be stopped.
            self.resources[resource].present = false;
        }
    }

    /// A running service was stopped by somebody else and not started again: that is done here, and counts
    /// against nobody.
    pub fn stopped_by_others(&mut self, cx: &Context, resource: usize) {
        let exclusive = cx.setup.resources[resource].exclusive;
        let started = self.has_started(resource);
        let it = &mut self.resources[resource];
        let ran = if exclusive { started } else { it.present };
        if ran && it.op.is_none() && it.repair.is_none() && !cx.maintenance {
            it.present = exclusive;
            it.down_since.get_or_insert(cx.now);
            it.repair = Some((cx.now, Reason::FoundDown(it.id)));
        }
    }

    fn has_started(&self, resource: usize) -> bool {
        match self.phase {
            Phase::Starting(next) => resource < next,
            Phase::Active => true,
            _ => false,
        }
    }

    /// A start failed.
    pub(super) fn start_failed(
        &mut self,
        cx: &Context,
        resource: usize,
        why: String,
        out: &mut Vec<Action>,
    ) {
        self.resources[resource].failures.fatal(cx.now, &why);
        if cx.setup.resources[resource].exclusive {
            self.give_up(cx, resource, why, out);
        } else {
            self.resources[resource].present = false;
            self.retry_on_both(cx, resource, why, out);
        }
    }

    /// Starts again what is to be started again and whose time has come.
    pub(super) fn repair(&mut self, cx: &Context, out: &mut Vec<Action>) {
        if cx.maintenance || cx.leaving {
            return;
        }
        for resource in 0..self.resources.len() {
            let exclusive = cx.setup.resources[resource].exclusive;
            if exclusive && !matches!(self.phase, Phase::Starting(_) | Phase::Active) {
                continue;
            }
            let ready = (!exclusive || self.up_to_date(cx))
                && self.resources[resource].op.is_none()
                && !self.waits_for_another(cx, resource);
            let it = &mut self.resources[resource];
            if let Some((_, reason)) = it.repair.take_if(|(at, _)| ready && cx.now >= *at) {
                it.repaired_at = Some(cx.now);
                out.push(self.report(Change::Notice, reason));
                self.launch(cx, Kind::Start, resource, out);
            }
        }
    }

    /// After a reload resources are started in file order, what was there before among them.
    fn waits_for_another(&self, cx: &Context, resource: usize) -> bool {
        let repair = &self.resources[resource].repair;
        let reloaded = matches!(repair, Some((_, Reason::Reloaded)));
        let mut before = self
            .resources
            .iter()
            .zip(&cx.setup.resources)
            .take(resource);
        let pending = |(r, s): (&Resource, &ResourceSetup)| {
            s.exclusive && (r.op.is_some() || r.repair.is_some())
        };
        reloaded && before.any(pending)
    }

    /// Those of the group's own that wait to be started again.
    pub(super) fn repairs(&self, cx: &Context) -> impl Iterator<Item = usize> {
        let resources = self.resources.iter().zip(&cx.setup.resources).enumerate();
        resources
            .filter(|(_, (resource, setup))| setup.exclusive && resource.repair.is_some())
            .map(|(index, _)| index)
    }

    /// A look found that it does not run on this node, where it ought to.
    pub(super) fn absent_on_both(&mut self, cx: &Context, resource: usize) {
        let it = &mut self.resources[resource];
        it.down_since.get_or_insert(cx.now);
        it.repair.get_or_insert((cx.now, Reason::FoundDown(it.id)));
    }

    /// One that ought to run on both nodes and does not run here.
    pub(super) fn down_on_both(&self, cx: &Context) -> Option<usize> {
        let mut resources = self.resources.iter().zip(&cx.setup.resources);
        resources.position(|(resource, setup)| !setup.exclusive && resource.down_since.is_some())
    }

    /// The first that has been down for longer than a restart in place may take while the peer is
    /// silent: the peer had better see that this node does not serve.
    pub(super) fn not_serving(&self, cx: &Context) -> Option<usize> {
        let patience = cx.node.detection_time(cx.node.interval);
        let long = |r: &Resource| r.down_since.is_some_and(|at| cx.now >= at + patience);
        self.resources.iter().position(long)
    }

    fn lost_on_both(&mut self, cx: &Context, resource: usize, why: String, out: &mut Vec<Action>) {
        let setup = &cx.setup.resources[resource];
        let it = &mut self.resources[resource];
        it.present = false;
        it.down_since.get_or_insert(cx.now);
        if it.failures.restart(cx.now, setup, &why) {
            it.repair = Some((cx.now, Reason::ResourceFailed(it.id, why)));
        } else {
            self.retry_on_both(cx, resource, why, out);
        }
    }

    fn retry_on_both(&mut self, cx: &Context, resource: usize, why: String, out: &mut Vec<Action>) {
        let it = &mut self.resources[resource];
        it.down_since.get_or_insert(cx.now);
        let reason = Reason::ResourceFailed(it.id, why);
        it.repair = Some((cx.now + pause(it.failures.count), reason.clone()));
        out.push(self.report(Change::Notice, reason));
    }

    /// An address was deleted: it is put back at once.
    fn put_back(&mut self, cx: &Context, resource: usize) {
        let up_to_date = self.up_to_date(cx);
        let it = &mut self.resources[resource];
        if it.repair.is_none() {
            let quiet = it
                .repaired_at
                .is_none_or(|at| cx.now.since(at) >= REPAIR_QUIET);
            let pause = if quiet && up_to_date {
                Duration::ZERO
            } else {
                REPAIR_PAUSE
            };
            it.repair = Some((cx.now + pause, Reason::PutBack(it.id)));
        }
    }

    /// No restart in place any more: everything is stopped, for the peer, or for a later try.
    fn give_up(&mut self, cx: &Context, resource: usize, why: String, out: &mut Vec<Action>) {
        let failures = self.resources.iter().map(|r| u32::from(r.failures.count));
        self.retry_at = Some(cx.now + pause(failures.sum::<u32>().min(99) as u16));
        self.pending = None;
        let id = self.resources[resource].id;
        self.stop(cx, Reason::ResourceFailed(id, why), out);
    }
}

/// Before the next try, after so many failures.
fn pause(failures: u16) -> Duration {
    let doublings = u32::from(failures.max(1) - 1).min(6);
    (FIRST_RETRY * 2u32.pow(doublings)).min(LONGEST_RETRY)
}
