//! A group as a search tells its states apart.

use super::*;
use crate::core::canonical::{LONG_AGO, Mark};
use crate::wire::heartbeat::Echo;

impl Group {
    /// Calls `f` with every number of a heartbeat stored here.
    pub fn marks(&mut self, own: u64, f: &mut dyn FnMut(Mark, &mut Echo) -> bool) {
        if let Some(decided) = &mut self.decided {
            let mut mark = Echo {
                incarnation: own,
                sequence: *decided,
            };
            f(Mark::Decided, &mut mark);
            *decided = mark.sequence;
        }
    }

    /// Leaves out how often the group moved, for the limit on moves only delays; and for how long its
    /// failures have counted.
    pub fn leave_out(&mut self, now: Time) {
        self.limiter = Limiter::default();
        self.resources.iter_mut().for_each(|r| r.leave_out(now));
    }

    /// Forgets what is only shown, and what its configuration never asks.
    pub fn forget(&mut self, setup: &GroupSetup, sources: usize) {
        if sources > 0 {
            self.probes.end(); // judged in best effort only
        }
        let mut resources = self.resources.iter().zip(&setup.resources);
        if !resources.any(|(resource, setup)| setup.leased && resource.present) {
            self.renewed_at = LONG_AGO;
        }
        if setup.failback == Failback::Manual {
            self.peer_able_since = None;
            self.failback_held = false;
        }
        let resources = self.resources.iter_mut();
        resources.for_each(|r| r.failures.why.clear());
        self.since = LONG_AGO;
        self.reason = Reason::Started;
        self.waiting = None;
        self.probes.forget_surplus();
    }
}
