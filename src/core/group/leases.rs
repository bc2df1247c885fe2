//! Keeps what the kernel would end alive, and never brings back what it has ended.

use super::resource::Kind;
use super::*;

impl Group {
    /// Renews the leases of what runs here by right.
    pub(super) fn renew(&mut self, cx: &Context, out: &mut Vec<Action>) {
        if !self.leases_run(cx) {
            return;
        }
        if cx.maintenance {
            if !self.endless {
                self.endless = true;
                out.push(self.renewal(true));
            }
        } else if cx.now.since(self.renewed_at) >= RENEWAL && !self.late(cx) && self.up_to_date(cx)
        {
            self.renewed_at = cx.now;
            out.push(self.renewal(false));
        }
    }

    /// Nothing unread can say that the peer took over meanwhile: heartbeats come, or all that came
    /// was read. A node that was paused for less than a lease, and whose address was deleted in that
    /// time, would otherwise bring it back before it reads that the peer has it.
    pub(super) fn up_to_date(&self, cx: &Context) -> bool {
        cx.tick || !cx.missing()
    }

    /// Leased resources were started here, and are to be kept alive and defended.
    pub(super) fn leases_run(&self, cx: &Context) -> bool {
        let given_up = matches!(
            self.phase,
            Phase::Ceding { .. } | Phase::Stopping { at_once: true }
        );
        self.leases_up(cx) && !given_up
    }

    /// Leased resources were started here, and are not being stopped: a renewal between a stop and
    /// its end would bring back what is gone.
    pub(super) fn leases_up(&self, cx: &Context) -> bool {
        let up = match self.phase {
            Phase::Starting(next) => next,
            Phase::Active | Phase::Ceding { .. } | Phase::Stopping { .. } => self.resources.len(),
            _ => 0,
        };
        let mut resources = self.resources.iter().zip(&cx.setup.resources).take(up);
        let stopping = |r: &Resource| r.op.is_some_and(|op| op.kind == Kind::Stop);
        resources.any(|(resource, setup)| setup.leased && resource.present && !stopping(resource))
    }

    /// Leased resources were found here that this daemon did not start.
    pub(super) fn leases_found(&self, cx: &Context) -> bool {
        let mut resources = self.resources.iter().zip(&cx.setup.resources);
        resources.any(|(resource, setup)| setup.leased && resource.present)
    }

    pub(super) fn late(&self, cx: &Context) -> bool {
        !self.endless && cx.now.since(self.renewed_at) > LATE
    }

    fn renewal(&self, forever: bool) -> Action {
        Action::Renew {
            group: self.id,
            forever,
        }
    }
}
