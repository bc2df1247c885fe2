//! A group as a search tells its states apart.

use super::super::canonical::{LONG_AGO, Mark};
use super::super::reason::Reason;
use super::super::time::Time;
use super::group::{Group, Rest, State};
use super::right::Right;
use crate::wire::heartbeat::Echo;
use std::time::Duration;

impl Group {
    /// Calls `f` with every number of a heartbeat stored here.
    pub fn marks(&mut self, own: u64, f: &mut dyn FnMut(Mark, &mut Echo) -> bool) {
        let decided = match &mut self.state {
            State::Stopped {
                rest: Rest::Granting { decided, .. },
            }
            | State::Ceding {
                decided: Some(decided),
                ..
            } => decided,
            State::Stopped {
                rest: Rest::Seeking(seeking),
            }
            | State::Adopted {
                seeking: Some(seeking),
            }
            | State::Active {
                seeking: Some(seeking),
                ..
            } => &mut seeking.decided,
            _ => return,
        };
        let mut mark = Echo {
            incarnation: own,
            sequence: *decided,
        };
        f(Mark::Decided, &mut mark);
        *decided = mark.sequence;
    }

    /// Since when its addresses are asked for in vain.
    pub fn asked_since(&mut self) -> Option<&mut Time> {
        self.probes.asked_since()
    }

    /// Forgets what is only shown, and what its configuration never asks.
    /// `asked`: for how long in vain it matters to have asked for the addresses, if at all.
    pub fn forget(&mut self, now: Time, asked: Option<Duration>) {
        if !self.leases_found() {
            self.lifetimes.renewed_at = LONG_AGO;
        }
        self.lifetimes.contended = false; // nothing is decided by it
        match self.state.right_mut() {
            Some(Right::Agreement { echo } | Right::Resumed { echo }) => *echo = 0,
            Some(Right::BestEffort { unanswered }) => *unanswered = 0,
            Some(Right::Left | Right::Fenced { .. } | Right::Lease { .. } | Right::Kept) | None => {
            }
        }
        self.since = LONG_AGO;
        (self.shown, self.told) = (self.role(), self.role());
        self.reason = match &self.reason {
            Reason::NotServing(id) => Reason::NotServing(*id),
            _ => Reason::Started,
        };
        self.waiting = None;
        self.probes.forget_surplus(now, asked);
    }
}
