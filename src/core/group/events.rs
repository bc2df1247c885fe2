//! What happens to a group from outside: operations end, resources vanish or appear, operators clear.

use super::*;

impl Group {
    /// An operation of this group ended.
    pub fn finished(&mut self, cx: &Context, outcome: Outcome, out: &mut Vec<Action>) {
        let Some(op) = self.op.take() else { return };
        let resource = op.resource;
        match (op.kind, outcome) {
            (Kind::Look, outcome) => {
                // What cannot be looked at may run.
                self.present[resource] = outcome != Outcome::Found(Presence::Absent);
                if let Phase::Looking(_) = self.phase {
                    self.phase = Phase::Looking(resource + 1);
                }
            }
            (Kind::Start, Outcome::Done) if !op.cancelled => {
                if let Phase::Starting(_) = self.phase {
                    self.phase = Phase::Starting(resource + 1);
                }
            }
            (Kind::Start, _) if op.cancelled && self.must_stop(cx).is_some() => {}
            (Kind::Start, outcome) => {
                let why = text(outcome);
                self.failures.count = self.failures.count.saturating_add(1);
                self.failures.last = Some(cx.now);
                let doublings = u32::from(self.failures.count - 1).min(6);
                self.retry_at =
                    Some(cx.now + (FIRST_RETRY * 2u32.pow(doublings)).min(LONGEST_RETRY));
                self.stop(cx, Reason::ResourceFailed(resource, why), out);
            }
            (Kind::Stop, Outcome::Done) => self.present[resource] = false,
            (Kind::Stop, outcome) => {
                self.stuck[resource] = true;
                self.reason = Reason::ResourceFailed(resource, text(outcome));
                out.push(self.report(cx, Change::Notice, self.reason.clone()));
            }
        }
    }

    /// A running resource vanished.
    pub fn lost(&mut self, cx: &Context, resource: usize) {
        match self.phase {
            Phase::Active if self.repair.is_none() => {
                let quiet = self
                    .repaired_at
                    .is_none_or(|at| cx.now.since(at) >= REPAIR_QUIET);
                let pause = if quiet && self.up_to_date(cx) {
                    Duration::ZERO
                } else {
                    REPAIR_PAUSE
                };
                self.repair = Some((resource, cx.now + pause, Reason::PutBack(resource)));
            }
            Phase::Adopted => self.present[resource] = false,
            _ => {}
        }
    }

    /// A stopped resource runs: nothing is proven until it was looked at and stopped again.
    pub fn appeared(&mut self, cx: &Context, resource: usize, out: &mut Vec<Action>) {
        if self.phase == Phase::Stopped && !cx.maintenance {
            self.look(cx, Reason::StartedByHand(resource), out);
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
            out.push(Action::Announce { group: cx.index });
            if !of_peer {
                out.push(self.report(cx, Change::Notice, Reason::Rival(mac)));
            }
        }
    }

    /// The configuration changed: what runs is brought in line, what does not is looked at.
    pub fn reconfigured(&mut self, cx: &Context, out: &mut Vec<Action>) {
        let count = cx.setup.resources.len();
        self.present.resize(count, true);
        self.stuck.resize(count, false);
        match self.phase {
            Phase::Active => self.repair = Some((0, cx.now, Reason::Reloaded)),
            Phase::Stopped | Phase::Adopted => self.look(cx, Reason::Reloaded, out),
            _ => {}
        }
    }

    /// Forgets failures; a failed stop is looked at again.
    pub fn clear(&mut self, cx: &Context, out: &mut Vec<Action>) {
        self.failures = Failures::default();
        self.retry_at = None;
        if self.phase == Phase::Failed {
            self.stuck.fill(false);
            self.look(cx, Reason::Operator, out);
        }
    }

    /// Maintenance ended: whatever was done meanwhile by hand, look at everything first.
    pub fn maintenance_ended(&mut self, cx: &Context, out: &mut Vec<Action>) {
        self.endless = false;
        if self.phase != Phase::Failed && self.op.is_none() {
            self.look(cx, Reason::Maintenance(false), out);
        }
    }
}

pub(super) fn text(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed(why) => why,
        Outcome::Done | Outcome::Found(_) => "took too long".into(),
    }
}
