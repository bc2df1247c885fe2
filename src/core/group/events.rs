//! What happens to a group from outside: operations end, resources vanish or appear, operators clear.

use super::*;

impl Group {
    /// What was done to a resource ended.
    pub fn finished(
        &mut self,
        cx: &Context,
        resource: usize,
        outcome: Outcome,
        out: &mut Vec<Action>,
    ) {
        if let Some(op) = self.resources[resource].op.take() {
            self.ended(cx, resource, op, outcome, out);
        }
    }

    fn ended(
        &mut self,
        cx: &Context,
        resource: usize,
        op: Work,
        outcome: Outcome,
        out: &mut Vec<Action>,
    ) {
        let setup = &cx.setup.resources[resource];
        let wanted = !setup.exclusive || matches!(self.phase, Phase::Starting(_) | Phase::Active);
        match (op.kind, outcome) {
            (Kind::Look, outcome) => {
                // What cannot be looked at may run.
                let found = outcome == Outcome::Found(Presence::Running);
                let missing = outcome == Outcome::Found(Presence::Missing);
                let present = !missing && outcome != Outcome::Found(Presence::Absent);
                self.resources[resource].missing = missing;
                self.resources[resource].present = present;
                // A start joins one that is under way, and whatever runs is watched from then on.
                if !setup.exclusive && !found {
                    self.absent_on_both(cx, resource);
                }
                if self.phase == Phase::Looking(resource) {
                    self.phase = Phase::Looking(resource + 1);
                }
            }
            (Kind::Start, _) if !wanted => {} // cancelled because of that, and about to be stopped
            (Kind::Start, Outcome::Done) if !op.cancelled => {
                if let Some(since) = self.resources[resource].down_since.take() {
                    let reason =
                        Reason::Recovered(self.resources[resource].id, cx.now.since(since));
                    out.push(self.report(Change::Notice, reason));
                }
                self.resources[resource].missing = false;
                if self.phase == Phase::Starting(resource) {
                    self.phase = Phase::Starting(resource + 1);
                }
            }
            (Kind::Start, _) if op.cancelled => {
                self.start_failed(cx, resource, "it took too long".into(), out)
            }
            (Kind::Start, outcome) => self.start_failed(cx, resource, text(outcome), out),
            (Kind::Stop, Outcome::Done) => self.resources[resource].present = false,
            (Kind::Stop, _) if matches!(self.phase, Phase::Looking(_)) => {} // the look decides
            (Kind::Stop, outcome) => {
                self.resources[resource].stuck = true;
                self.reason = Reason::ResourceFailed(self.resources[resource].id, text(outcome));
                out.push(self.report(Change::Notice, self.reason.clone()));
            }
            (Kind::Cede, Outcome::Done) => {}
            (Kind::Cede, outcome) => {
                // Then with a gap: stopped first.
                let reason = Reason::ResourceFailed(self.resources[resource].id, text(outcome));
                out.push(self.report(Change::Notice, reason));
                if self.phase == (Phase::Ceding { granted: false }) {
                    self.stop(cx, self.reason.clone(), out);
                }
            }
        }
    }

    /// A stopped resource runs: nothing is proven until it was looked at and stopped again.
    pub fn appeared(&mut self, cx: &Context, resource: usize, out: &mut Vec<Action>) {
        if !cx.setup.resources[resource].exclusive {
            // It may be well again: the next try, which finds that out, comes at once.
            if let Some((at, _)) = &mut self.resources[resource].repair {
                *at = cx.now;
            }
            return;
        }
        // Whoever stops the group, now or later, stops this too.
        self.resources[resource].present = true;
        if matches!(self.phase, Phase::Stopped | Phase::Looking(_)) && !cx.maintenance {
            self.look(cx, Reason::StartedByHand(self.resources[resource].id), out);
        }
    }

    /// A stopped resource was installed or removed: a look finds out which.
    pub fn reinstalled(&mut self, cx: &Context, resource: usize, out: &mut Vec<Action>) {
        if self.phase == Phase::Stopped && !cx.maintenance {
            self.look(cx, Reason::Reinstalled(self.resources[resource].id), out);
        }
    }

    /// The peer answered for a VIP of the group.
    pub fn vip_answered(&mut self, now: Time) {
        self.probes.answered(now);
    }

    /// Somebody claims a VIP of the group: announce again, so that neighbours with the rival's
    /// address in their tables come back.
    pub fn rival(&mut self, cx: &Context, mac: [u8; 6], of_peer: bool, out: &mut Vec<Action>) {
        let quiet = self
            .rival_at
            .is_none_or(|at| cx.now.since(at) >= RIVAL_QUIET);
        if self.leases_run(cx) && quiet {
            self.rival_at = Some(cx.now);
            out.push(Action::Announce(self.id));
            if !of_peer {
                out.push(self.report(Change::Notice, Reason::Rival(mac)));
            }
        }
    }

    /// The configuration changed: resources keep their state by name. Where the group runs all of it is
    /// started, which changes nothing for what runs already; what is gone is let go of.
    pub fn reconfigured(&mut self, cx: &Context, out: &mut Vec<Action>) {
        let mut old = std::mem::take(&mut self.resources);
        for setup in &cx.setup.resources {
            let known = old.iter().position(|r| r.id == setup.id);
            let new = known.is_none();
            let mut resource = known.map_or_else(|| Resource::new(setup), |at| old.swap_remove(at));
            if new || (setup.exclusive && self.phase == Phase::Active) {
                resource.repair = Some((cx.now, Reason::Reloaded));
            }
            self.resources.push(resource);
        }
        match self.phase {
            Phase::Looking(_) | Phase::Stopped | Phase::Adopted => {
                self.look(cx, Reason::Reloaded, out)
            }
            // What was not reached yet is started in its turn.
            Phase::Starting(_) => {
                self.resources.iter_mut().for_each(|r| r.repair = None);
                self.phase = Phase::Starting(0);
            }
            _ => {}
        }
    }

    /// Forgets failures; a failed stop, and what was not installed, is looked at again.
    pub fn clear(&mut self, cx: &Context, out: &mut Vec<Action>) {
        for (resource, setup) in self.resources.iter_mut().zip(&cx.setup.resources) {
            resource.failures = Default::default();
            if let (false, Some((at, _))) = (setup.exclusive, &mut resource.repair) {
                *at = cx.now;
            }
        }
        self.retry_at = None;
        let missing = self.phase == Phase::Stopped && self.resources.iter().any(|r| r.missing);
        if self.phase == Phase::Failed || missing {
            self.look(cx, Reason::Operator, out);
        }
    }

    /// Maintenance ended: whatever was done meanwhile by hand, look at everything first.
    pub fn maintenance_ended(&mut self, cx: &Context, out: &mut Vec<Action>) {
        self.endless = false;
        if self.phase != Phase::Failed {
            return self.look(cx, Reason::Maintenance(false), out);
        }
        // What runs on both nodes is not blocked: a start finds out how it is.
        for (resource, setup) in self.resources.iter_mut().zip(&cx.setup.resources) {
            if !setup.exclusive {
                resource.repair = Some((cx.now, Reason::Maintenance(false)));
            }
        }
    }
}

pub(super) fn text(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed(why) => why,
        Outcome::Done | Outcome::Found(_) => "took too long".into(),
    }
}
