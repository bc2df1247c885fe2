//! By what right a group is started and kept here. A right is a value with its proof: what starts a
//! resource carries it, and it may end.
//!
//! | right | ends for what *starts* | stops what *runs* |
//! | --- | --- | --- |
//! | agreement | when the peer falls silent before an address is up (best effort only) | isolation (best effort only) |
//! | best effort | when the peer is heard before anything was started | isolation |
//! | left, fenced | when the peer is believed again before anything was started | never; it becomes agreement then |
//! | lease | when it has run out | when it has run out and the peer is not heard either |
//! | resumed | it starts nothing | as agreement |
//! | kept | when the peer is heard both ways before anything was started | never; it becomes agreement then |
//!
//! What a peer takes over by it says: beside one that takes over by proof only, whatever this boot had and did not give
//! away nobody can have, for the proof is that this machine went off. So it is *kept*, resource by resource, over stops
//! and restarts, and whatever is known of the peer: only one that hears this node is asked, and one that is refused is
//! left alone. (Who takes by proof takes by no lease.)

use super::super::time::Time;

/// Why this node may run a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// The peer agreed, by a heartbeat that echoes this one of ours or a later one.
    Agreement {
        /// Our sequence.
        echo: u64,
    },
    /// The peer said goodbye: everything stopped and handed over.
    Left,
    /// The peer is off.
    Fenced {
        /// By whose word.
        by: Word,
    },
    /// A third party promises that nobody else runs it until then, and may renew that.
    Lease {
        /// When it runs out, on this node's boot-time clock.
        until: Time,
    },
    /// No fencing: the peer is silent, and probes of its addresses were not answered.
    BestEffort {
        /// So many in a row, on a network on which a gateway answered.
        unanswered: u32,
    },
    /// A daemon of this boot started it by right, and the peer has claimed nothing since.
    Resumed {
        /// Our sequence that the peer echoed after everything was found running.
        echo: u64,
    },
    /// This boot had it by its token, and the peer takes nothing over without making sure that this machine is off.
    Kept,
}

/// Who says that the peer is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// The device of that level, which verified it.
    Device(usize),
    /// The operator.
    Operator,
}

impl Right {
    /// The peer is known to be off or gone, whatever may still arrive from it: with that, data that is
    /// consistent only may be promoted.
    pub fn is_verified(self) -> bool {
        match self {
            Right::Left | Right::Fenced { .. } => true,
            Right::Agreement { .. }
            | Right::Lease { .. }
            | Right::BestEffort { .. }
            | Right::Resumed { .. }
            | Right::Kept => false,
        }
    }

    /// It rests on a peer that was silent or gone, not on its word: hearing it before anything was started
    /// ends it.
    pub fn is_clearance(self) -> bool {
        match self {
            Right::Left
            | Right::Fenced { .. }
            | Right::Lease { .. }
            | Right::BestEffort { .. }
            | Right::Kept => true,
            Right::Agreement { .. } | Right::Resumed { .. } => false,
        }
    }

    /// When it ends by itself.
    pub fn until(self) -> Option<Time> {
        match self {
            Right::Lease { until } => Some(until),
            Right::Agreement { .. }
            | Right::Left
            | Right::Fenced { .. }
            | Right::BestEffort { .. }
            | Right::Resumed { .. }
            | Right::Kept => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_rests_on_what_it_says() {
        let by = [Word::Device(1), Word::Operator].map(|by| Right::Fenced { by });
        let until = Time(7);
        // Rests on the peer's silence; the peer is known to be off; when it ends by itself.
        let table = [
            (Right::Agreement { echo: 3 }, false, false, None),
            (Right::Resumed { echo: 3 }, false, false, None),
            (Right::BestEffort { unanswered: 4 }, true, false, None),
            (Right::Lease { until }, true, false, Some(until)),
            (Right::Left, true, true, None),
            (by[0], true, true, None),
            (by[1], true, true, None),
        ];
        for (right, clearance, verified, ends) in table {
            assert_eq!(right.is_clearance(), clearance, "{right:?}");
            assert_eq!(right.is_verified(), verified, "{right:?}");
            assert_eq!(right.until(), ends, "{right:?}");
        }
    }
}
