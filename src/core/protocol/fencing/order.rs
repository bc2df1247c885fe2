//! An operator's order to switch the peer off, whatever it does.

use super::Seen;
use crate::core::protocol::peer::PeerState;
use crate::core::time::Time;
use std::time::Duration;

/// One under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// When it was given.
    at: Time,
    /// To see that it works: the machine is to be switched on again.
    pub rehearsal: bool,
    /// How many offs left for it.
    offs: u8,
}

/// Who gave it waits no longer.
const PATIENCE: Duration = Duration::from_secs(25);
/// What did not go off by so many, of each device, will not.
const MOST: usize = 2;

impl Order {
    pub(super) fn given(at: Time, rehearsal: bool) -> Order {
        Order {
            at,
            rehearsal,
            offs: 0,
        }
    }

    /// When it ends, whatever came of it.
    pub(super) fn ends(&self) -> Time {
        self.at + PATIENCE
    }

    /// One more may leave.
    pub(super) fn goes_on(&self, devices: usize) -> bool {
        usize::from(self.offs) < MOST * devices
    }

    /// A rehearsal is of a machine that is well and runs nothing, up to the moment at which an off leaves.
    pub(super) fn allows(&self, seen: &Seen) -> bool {
        let dies = self.offs > 0 && seen.peer != PeerState::Alive;
        !self.rehearsal || seen.peer_idle || dies
    }

    /// None left yet.
    pub(super) fn unsent(&self) -> bool {
        self.offs == 0
    }

    pub(super) fn sent(&mut self) {
        self.offs = self.offs.saturating_add(1);
    }

    pub(super) fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        f(&mut self.at);
    }
}
