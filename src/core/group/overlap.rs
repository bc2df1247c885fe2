//! Hands a group over while it still runs, so that no client notices: for groups in which nothing is
//! exclusive but addresses, because their services run on both nodes.
//!
//! The holder gives its addresses a short lifetime that the kernel enforces, and only then grants.
//! From the grant on it touches them no more, but to remove them: when the peer is active, or when
//! their time is over. So for [`CEDED`] at most both nodes have them.

use super::resource::Kind;
use super::*;

impl Group {
    /// It can change hands without a gap: nothing exclusive in it but addresses, all of them well.
    pub(super) fn overlaps(&self, cx: &Context) -> bool {
        let exclusive = || cx.setup.resources.iter().filter(|r| r.exclusive);
        exclusive().next().is_some()
            && exclusive().all(|r| r.leased && !r.data)
            && !self.stop_failed()
            && !self.busy(cx)
            && self.repairs(cx).next().is_none()
            && self.up_to_date(cx)
    }

    /// Begins to hand it over.
    pub(super) fn cede(&mut self, cx: &Context, reason: Reason, out: &mut Vec<Action>) {
        self.enter(cx, Phase::Ceding { granted: false }, reason, out);
        // As if renewed so long ago that the usual rule for a late node fits the shorter lifetime.
        self.renewed_at = cx.now - (LIFETIME - CEDED);
        for resource in 0..self.resources.len() {
            if cx.setup.resources[resource].exclusive {
                self.launch(cx, Kind::Cede, resource, out);
            }
        }
    }

    /// Handing it over.
    pub(super) fn hold_ceding(
        &mut self,
        cx: &Context,
        granted: bool,
        out: &mut Vec<Action>,
    ) -> bool {
        if granted {
            let taken = cx
                .report()
                .is_some_and(|r| r.token == self.token && r.role == Role::Active);
            if taken || self.weightier(cx).is_some() || self.late(cx) {
                self.stop(cx, Reason::HandedOver, out);
                return true;
            }
            return false;
        }
        // A hard fact is what it is handed over for.
        let urgent = self
            .must_stop(cx)
            .filter(|reason| !matches!(reason, Reason::Fact(_)));
        if let Some(reason) = urgent {
            self.pending = None;
            self.stop(cx, reason, out);
            return true;
        }
        if self.busy(cx) {
            return false;
        }
        let grant = self.pending.filter(|p| p.why == Why::Grant);
        let Some(Pending { token, .. }) = grant.filter(|_| self.peer_could(cx)) else {
            self.resume(cx, out);
            return true;
        };
        self.limiter.moved(cx.now);
        self.phase = Phase::Ceding { granted: true };
        self.right = Right::None;
        self.own_token(token, Reason::HandedOver, out);
        true
    }

    /// The peer is not there to take it: everything as before. The addresses are renewed and
    /// announced again at once.
    pub(super) fn resume(&mut self, cx: &Context, out: &mut Vec<Action>) {
        self.pending = None;
        self.operator_move = false;
        self.enter(cx, Phase::Active, Reason::HandoverAborted, out);
        for resource in 0..self.resources.len() {
            if cx.setup.resources[resource].exclusive {
                self.resources[resource].repair = Some((cx.now, Reason::HandoverAborted));
            }
        }
    }
}
