//! What fails while it runs: restarts in place, and services that run on both nodes.
//!
//! A resource that is not exclusive runs whoever holds the group: it is started where it does not
//! run, never stopped, and where it is down the group had better not be.
//!
//! A resource that is not ready (its interface is away, its data old) did not fail: nothing is counted, it is
//! not tried, and it is started in the moment in which it is ready.

use super::super::context::Context;
use super::super::event::{Action, Change, Extent, Presence, Unready};
use super::super::protocol::group::{Group, State};
use super::super::protocol::resource::{Kind, Resource};
use super::super::reason::{Fact, Reason};
use super::super::time::Time;
use super::plan::{Care, Plan};
use std::time::Duration;

/// The pause before the first retry of a failed start; it doubles up to [`LONGEST_RETRY`].
pub(super) const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// A resource that vanishes again this soon after it was put back waits a moment first, so that a
/// fight with another program does not take the whole processor.
const REPAIR_QUIET: Duration = Duration::from_secs(1);
const REPAIR_PAUSE: Duration = Duration::from_millis(10);

impl Plan {
    /// A running resource is gone.
    pub fn lost(
        &mut self,
        cx: &Context,
        group: &mut Group,
        resource: usize,
        why: String,
        out: &mut Vec<Action>,
    ) {
        let it = group.resources[resource];
        if cx.maintenance || it.work.is_some() {
            return; // looked at afterwards, or being dealt with
        }
        let keeps = group.keeps(resource);
        if !it.exclusive() {
            if it.present {
                self.lost_on_both(cx, group, resource, why, out);
            }
        } else if it.leased() && keeps {
            self.put_back(cx, group, resource);
        } else if keeps && self.cares[resource].repair.is_none() {
            let care = &mut self.cares[resource];
            care.down_since.get_or_insert(cx.now);
            if care.failures.restart(cx.now, &it.setup, &why) {
                care.repair = Some((cx.now, Reason::ResourceFailed(it.id, why)));
                group.resources[resource].down = true;
            } else {
                self.give_up(cx, Reason::ResourceFailed(it.id, why));
            }
        } else if matches!(group.state(), State::Adopted { .. }) && it.leased() {
            // Of a service it only says that it does not do its work: it may have to be stopped.
            group.resources[resource].present = false;
        }
    }

    /// A running service was stopped by somebody else and not started again: that is done here, and counts
    /// against nobody.
    pub fn stopped_by_others(&mut self, cx: &Context, group: &mut Group, resource: usize) {
        let it = group.resources[resource];
        let ran = match it.exclusive() {
            true => group.keeps(resource),
            false => it.present,
        };
        let care = &mut self.cares[resource];
        if ran && it.work.is_none() && care.repair.is_none() && !cx.maintenance {
            group.resources[resource].present = it.exclusive();
            group.resources[resource].down = it.exclusive();
            care.down_since.get_or_insert(cx.now);
            care.repair = Some((cx.now, Reason::FoundDown(it.id)));
        }
    }

    /// A look found that of a resource.
    pub fn looked(&mut self, cx: &Context, group: &Group, resource: usize, found: Presence) {
        self.cares[resource].missing = found == Presence::Missing;
        // A start joins one that is under way, and whatever runs is watched from then on.
        if !group.resources[resource].exclusive() && found != Presence::Running {
            let care = &mut self.cares[resource];
            care.down_since.get_or_insert(cx.now);
            let reason = Reason::FoundDown(group.resources[resource].id);
            care.repair.get_or_insert((cx.now, reason));
        }
    }

    /// A resource was started.
    pub fn started(&mut self, cx: &Context, group: &Group, resource: usize, out: &mut Vec<Action>) {
        let care = &mut self.cares[resource];
        care.missing = false;
        if let Some(since) = care.down_since.take() {
            let id = group.resources[resource].id;
            let reason = Reason::Recovered(id, cx.now.since(since));
            out.push(group.report(Change::Notice, reason));
        }
    }

    /// A start failed.
    pub fn not_started(
        &mut self,
        cx: &Context,
        group: &mut Group,
        resource: usize,
        why: String,
        out: &mut Vec<Action>,
    ) {
        let it = group.resources[resource];
        if self.unready(resource) {
            // It could not have been started. What is kept running meanwhile waits for it.
            if !it.exclusive() {
                group.resources[resource].present = false;
                self.cares[resource].down_since.get_or_insert(cx.now);
            } else if group.keeps(resource) {
                group.resources[resource].down = true;
            } else {
                self.gave_up = Some(Reason::Fact(Fact::Unready(it.id)));
            }
            return;
        }
        self.cares[resource].failures.fatal(cx.now, &why);
        if it.exclusive() {
            self.give_up(cx, Reason::ResourceFailed(it.id, why));
        } else {
            group.resources[resource].present = false;
            self.retry_on_both(cx, group, resource, why, out);
        }
    }

    /// A start could not be asked for: nobody knows whether it would have failed. It waits until it can be.
    pub fn unasked(
        &mut self,
        cx: &Context,
        group: &mut Group,
        resource: usize,
        why: String,
        out: &mut Vec<Action>,
    ) {
        let unready = Some(Unready {
            why: why.clone(),
            extent: Extent::Entirely,
        });
        self.ready(cx, group, resource, unready, out);
        self.not_started(cx, group, resource, why, out);
    }

    /// A resource can run here, or cannot, by its own account.
    pub fn ready(
        &mut self,
        cx: &Context,
        group: &mut Group,
        resource: usize,
        unready: Option<Unready>,
        out: &mut Vec<Action>,
    ) {
        let was = self.unready(resource);
        let care = &mut self.cares[resource];
        if care.unready == unready {
            return;
        }
        let id = group.resources[resource].id;
        care.unready = unready;
        let reason = match &care.unready {
            Some(Unready {
                why,
                extent: Extent::Handover,
            }) => Reason::Behind(id, why.clone()),
            Some(Unready {
                why,
                extent: Extent::Partly,
            }) => Reason::Partly(id, why.clone()),
            Some(unready) => Reason::Unready(id, unready.why.clone()),
            None => Reason::ReadyAgain(id),
        };
        out.push(group.report(Change::Fact, reason));
        if was && !self.unready(resource) {
            // What waited for it is tried at once.
            self.retry_at = None;
            let it = group.resources[resource];
            let wanted = match it.exclusive() {
                true => group.keeps(resource),
                false => self.cares[resource].down_since.is_some(),
            };
            if wanted && it.work.is_none() {
                self.cares[resource].repair = Some((cx.now, Reason::MadeSure(id)));
                group.resources[resource].down = it.exclusive();
            }
        }
    }

    /// Starts again what is to be started again and whose time has come.
    pub fn restart(&mut self, cx: &Context, group: &mut Group, out: &mut Vec<Action>) {
        if cx.maintenance || cx.leaving {
            return;
        }
        let kept = matches!(group.state(), State::Starting { .. } | State::Active { .. });
        for resource in 0..group.resources.len() {
            let it = group.resources[resource];
            if it.exclusive() && !kept {
                continue;
            }
            let ready = (!it.exclusive() || (it.covered && cx.up_to_date()))
                && it.work.is_none()
                && !self.unready(resource)
                && !self.waits_for_another(group, resource);
            let care = &mut self.cares[resource];
            if let Some((_, reason)) = care.repair.take_if(|(at, _)| ready && cx.now >= *at) {
                care.repaired_at = Some(cx.now);
                out.push(group.report(Change::Notice, reason));
                group.launch(cx, Kind::Start, resource, out);
            }
        }
    }

    /// One that ought to run on both nodes and does not run here.
    pub(super) fn down_on_both(&self, group: &Group) -> Option<usize> {
        let mut both = self.cares.iter().zip(&group.resources);
        both.position(|(care, resource)| !resource.exclusive() && care.down_since.is_some())
    }

    /// The first that has not run for longer than the peer takes to miss this node, and is not being
    /// started: the silent peer had better see that this node does not serve.
    pub(super) fn not_serving(&self, cx: &Context, group: &Group) -> Option<usize> {
        let patience = cx.node.detection_time(cx.node.interval);
        let mut both = self.cares.iter().zip(&group.resources);
        both.position(|(care, resource)| {
            let long = care.down_since.is_some_and(|at| cx.now >= at + patience);
            long && !resource.is_doing(Kind::Start)
        })
    }

    /// It cannot run here at all, by its own account.
    pub(super) fn unready(&self, resource: usize) -> bool {
        let unready = &self.cares[resource].unready;
        unready
            .as_ref()
            .is_some_and(|u| u.extent == Extent::Entirely)
    }

    /// After a reload resources are started in file order, what was there before among them.
    fn waits_for_another(&self, group: &Group, resource: usize) -> bool {
        let repair = &self.cares[resource].repair;
        let in_order = matches!(repair, Some((_, Reason::Reloaded | Reason::Covered(_))));
        let mut before = self.cares.iter().zip(&group.resources).take(resource);
        let awaited = |care: &Care, it: &Resource| {
            it.exclusive() && (it.work.is_some() || (care.repair.is_some() && it.covered))
        };
        in_order && before.any(|(care, it)| awaited(care, it))
    }

    fn lost_on_both(
        &mut self,
        cx: &Context,
        group: &mut Group,
        resource: usize,
        why: String,
        out: &mut Vec<Action>,
    ) {
        let it = &mut group.resources[resource];
        it.present = false;
        let (id, setup) = (it.id, it.setup);
        let care = &mut self.cares[resource];
        care.down_since.get_or_insert(cx.now);
        if care.failures.restart(cx.now, &setup, &why) {
            care.repair = Some((cx.now, Reason::ResourceFailed(id, why)));
        } else {
            self.retry_on_both(cx, group, resource, why, out);
        }
    }

    fn retry_on_both(
        &mut self,
        cx: &Context,
        group: &Group,
        resource: usize,
        why: String,
        out: &mut Vec<Action>,
    ) {
        let care = &mut self.cares[resource];
        care.down_since.get_or_insert(cx.now);
        let reason = Reason::ResourceFailed(group.resources[resource].id, why);
        care.repair = Some((cx.now + pause(care.failures.count), reason.clone()));
        out.push(group.report(Change::Notice, reason));
    }

    /// An address was deleted: it is put back at once.
    fn put_back(&mut self, cx: &Context, group: &mut Group, resource: usize) {
        let up_to_date = cx.up_to_date();
        let care = &mut self.cares[resource];
        group.resources[resource].down = true;
        if care.repair.is_none() {
            let last = care.repaired_at;
            let quiet = last.is_none_or(|at| cx.now.since(at) >= REPAIR_QUIET);
            let wait = if quiet && up_to_date {
                Duration::ZERO
            } else {
                REPAIR_PAUSE
            };
            let reason = Reason::PutBack(group.resources[resource].id);
            care.repair = Some((cx.now + wait, reason));
        }
    }

    /// No restart in place any more: everything is stopped, for the peer, or for a later try.
    fn give_up(&mut self, cx: &Context, reason: Reason) {
        let failures = self.cares.iter().map(|c| u32::from(c.failures.count));
        let wait = pause(failures.sum::<u32>().min(99) as u16);
        self.retry_at = Some(cx.now + wait);
        self.gave_up = Some(reason);
    }
}

/// Before the next try, after so many failures.
fn pause(failures: u16) -> Duration {
    let doublings = u32::from(failures.max(1) - 1).min(6);
    (FIRST_RETRY * 2u32.pow(doublings)).min(LONGEST_RETRY)
}

/// When something of what is to be started again is due.
pub(super) fn due(plan: &Plan, cx: &Context, due: &mut dyn FnMut(Time)) {
    let silence = cx.node.detection_time(cx.node.interval);
    for (care, setup) in plan.cares.iter().zip(&cx.setup.resources) {
        if let Some((at, _)) = care.repair {
            due(at);
        }
        care.failures
            .expire_at(setup)
            .into_iter()
            .for_each(&mut *due);
        care.down_since.into_iter().for_each(|at| due(at + silence));
    }
}
