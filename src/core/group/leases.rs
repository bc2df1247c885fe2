//! Keeps what the kernel would end alive, and never brings back what it has ended.

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
                out.push(renewal(cx, true));
            }
        } else if cx.now.since(self.renewed_at) >= RENEWAL && !self.late(cx) && self.up_to_date(cx)
        {
            self.renewed_at = cx.now;
            out.push(renewal(cx, false));
        }
    }

    /// Nothing unread can say that the peer took over meanwhile: heartbeats come, or all that came
    /// was read. A node that was paused for less than a lease, and whose address was deleted in that
    /// time, would otherwise bring it back before it reads that the peer has it.
    pub(super) fn up_to_date(&self, cx: &Context) -> bool {
        cx.tick || !cx.missing()
    }

    /// Leased resources were started here and are to be kept alive.
    pub(super) fn leases_run(&self, cx: &Context) -> bool {
        let up = match self.phase {
            Phase::Starting(next) => next,
            Phase::Active => self.present.len(),
            _ => 0,
        };
        cx.setup.resources.iter().take(up).any(|r| r.leased)
    }

    pub(super) fn late(&self, cx: &Context) -> bool {
        !self.endless && cx.now.since(self.renewed_at) > LATE
    }
}

pub(super) fn renewal(cx: &Context, forever: bool) -> Action {
    Action::Renew {
        group: cx.index,
        forever,
    }
}
