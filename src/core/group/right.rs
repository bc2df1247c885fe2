//! By what right a group may start here: agreement with a peer that is heard, or clearance.

use super::*;

impl Group {
    /// Agreement or clearance, whichever comes, and then the start.
    pub(super) fn seek_right(
        &mut self,
        cx: &Context,
        facts: &[Fact],
        out: &mut Vec<Action>,
    ) -> bool {
        let decided = *self.decided.get_or_insert(cx.next_sequence);
        if cx.heartbeat && self.agreed(cx, decided) {
            self.begin(cx, Right::Agreement, Reason::Agreement, out);
            return true;
        }
        match self.judge(cx, facts, out) {
            Some(reason) => {
                self.begin(cx, Right::Clearance, reason, out);
                true
            }
            None => false,
        }
    }

    /// Works on clearance; Some: it is given.
    pub(super) fn judge(
        &mut self,
        cx: &Context,
        facts: &[Fact],
        out: &mut Vec<Action>,
    ) -> Option<Reason> {
        // The gateways are judged by fresher evidence; failures have their pause, and the last node
        // tries again; a token already on disk needs no write.
        let holder = self.token.holder == cx.me();
        let unable = facts.iter().find(|f| match f {
            Fact::GatewayLost(_) | Fact::GatewayDampened(_) | Fact::GatewayPending(_) => false,
            Fact::Failures(_) => false,
            Fact::StateUnwritable => !holder,
            _ => true,
        });
        let verdict = match unable {
            Some(fact) if clearance::verdict(cx, &self.probes) != Verdict::PeerHeard => {
                self.contested = false;
                self.waiting = Some(Reason::Fact(*fact));
                return None;
            }
            _ => clearance::verdict(cx, &self.probes),
        };
        // A peer in maintenance keeps its addresses for ever and stops for nothing, not even when it
        // is alone: silence and a gateway prove nothing against it.
        let verdict = match verdict {
            Verdict::Given(Reason::BestEffort) if !holder && cx.peer.in_maintenance() => {
                Verdict::Waiting(Reason::PeerInMaintenance)
            }
            // Nor does it against what it could not stop, unless that answers probes or is gone.
            Verdict::Given(Reason::BestEffort) if self.peer_stuck(cx) => {
                Verdict::Waiting(Reason::PeerStopFailed)
            }
            verdict => verdict,
        };
        let contested = self.contested;
        let given = match verdict {
            Verdict::PeerHeard => {
                self.contested = false;
                self.waiting = self.disagreement(cx);
                None
            }
            Verdict::Waiting(reason) => {
                self.contested = !matches!(reason, Reason::StartWait | Reason::WaitingForPeer);
                self.waiting = Some(reason);
                None
            }
            Verdict::Given(reason) => {
                self.contested = true;
                Some(reason)
            }
        };
        if self.contested != contested {
            let reason = match (self.contested, &self.waiting) {
                (true, _) => Reason::ClearanceSought(cx.peer.state()),
                (false, _) => Reason::ClearanceCancelled(cx.peer.state()),
            };
            out.push(self.report(Change::Clearance, reason));
        }
        given
    }

    /// The four conditions of agreement.
    pub(super) fn agreed(&self, cx: &Context, decided: u64) -> bool {
        self.peer_could(cx)
            && self.token.holder == cx.me()
            && cx.peer.proves(cx.now, decided, cx.node)
    }

    /// What keeps a peer that is heard from agreeing.
    pub(super) fn disagreement(&self, cx: &Context) -> Option<Reason> {
        if !cx.peer_alive() || self.token.holder != cx.me() {
            return None;
        }
        match cx.report() {
            None => Some(Reason::PeerLacksGroup),
            Some(report) if report.role == Role::Failed => Some(Reason::PeerStopFailed),
            Some(report) if !report.proven_stopped => Some(Reason::PeerNotStopped),
            Some(_) => None,
        }
    }

    /// The last that was heard of it: it could not stop something that no kernel ends.
    fn peer_stuck(&self, cx: &Context) -> bool {
        let failed = |report: &GroupReport| report.role == Role::Failed;
        let mut resources = cx.setup.resources.iter();
        cx.peer.group(self.id).is_some_and(failed) && resources.any(|r| r.exclusive && !r.leased)
    }

    /// A peer that boots as well is waited for. But what an earlier daemon of this boot left running was
    /// not started by the boot, so a peer that is there will be heard within the detection time; waiting
    /// longer would let the leases end for nothing. (A service that runs without its addresses was
    /// started by somebody else.) What runs without a peer ever heard stays on its guard.
    pub(super) fn patience<'a>(&self, cx: &Context<'a>) -> Context<'a> {
        let patient = match self.phase {
            Phase::Looking(_) | Phase::Stopped => true,
            Phase::Adopted => !cx.restarted || (cx.setup.leased() && !self.leases_found(cx)),
            _ => false,
        };
        if patient {
            return *cx;
        }
        let detection_time = cx.node.detection_time(cx.node.interval);
        Context {
            start_wait_ends: cx.link_up.map(|at| at + detection_time),
            wait_for_peer: false,
            ..*cx
        }
    }

    /// The peer is heard before anything was started: what spoke against it counts no more, and it is asked
    /// for its agreement.
    pub(super) fn clearance_ended(&self, cx: &Context, next: usize) -> bool {
        let mut started = cx.setup.resources.iter().take(next);
        let begun = started.any(|r| r.exclusive) || self.busy(cx);
        self.right == Right::Clearance && cx.peer_heard() && !begun
    }

    /// What it could do now it does only once everything that waits to be read is read.
    pub(super) fn awaits_tick(&self, cx: &Context) -> bool {
        match self.phase {
            Phase::Starting(next) => {
                let idle = |r: &Resource| r.op.is_none();
                self.resources.get(next).is_some_and(idle) && !self.up_to_date(cx)
            }
            _ => {
                let written = self.pending.is_none_or(|p| self.on_disk(cx, p.token));
                self.contested && written && cx.peer.state().is_gone()
            }
        }
    }

    /// Heartbeats are missing, or echoes, so that evidence for this group is to be gathered.
    pub fn missing(&self, cx: &Context) -> bool {
        let cx = &self.patience(cx);
        cx.missing() || (self.running() && cx.doubt_at().is_some_and(|at| cx.now >= at))
    }

    /// A question to an outside source would help it.
    pub fn wants_clearance(&self) -> bool {
        self.contested
    }

    /// An echo of the very next heartbeat would let it start.
    pub fn wants_agreement(&self, next_sequence: u64) -> bool {
        self.decided == Some(next_sequence)
    }

    /// It waits for agreement.
    pub fn undecided(&self) -> bool {
        self.decided.is_some()
    }
}
