//! What the kernel ends by itself: renewed while it runs here by right, never brought back once it may
//! have ended.

use super::super::context::Context;
use super::super::event::Action;
use super::super::setup::{CEDED, LATE, LIFETIME, RENEWAL};
use super::super::time::Time;
use super::group::{Group, State};
use super::peer::PeerState;
use super::resource::{Kind, Resource};
use crate::wire::heartbeat::{GroupReport, Role};
use std::time::Duration;

/// A rival is answered at most this often: two hosts that defend the same address must not flood
/// the network (RFC 5227 §2.4 asks for 10 s; a client's outage is worth more here).
const RIVAL_QUIET: Duration = Duration::from_secs(1);

/// The lifetimes of a group's VIPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lifetimes {
    /// When they were last renewed; of several, the one longest ago.
    pub renewed_at: Time,
    /// They were made endless (maintenance).
    pub endless: bool,
    /// When they were last announced against a rival.
    pub rival_at: Option<Time>,
    /// The peer may have run the group since they were last announced.
    pub contended: bool,
}

impl Lifetimes {
    /// Of what was not started yet.
    pub fn new(now: Time) -> Lifetimes {
        Lifetimes {
            renewed_at: now,
            endless: false,
            rival_at: None,
            contended: false,
        }
    }

    /// They may have ended.
    pub fn late(&self, now: Time) -> bool {
        !self.endless && now.since(self.renewed_at) > LATE
    }

    /// They get the short lifetime of a handover: as if renewed so long ago that the usual rule for a late
    /// node fits it.
    pub fn cede(&mut self, now: Time) {
        self.renewed_at = now - (LIFETIME - CEDED);
    }

    /// What was found running runs on by right: what is left of them is not known, so they are due.
    pub fn found(&mut self, now: Time) {
        self.renewed_at = now - RENEWAL;
    }
}

impl Group {
    /// Renews the lifetimes of what runs here by right.
    pub(super) fn renew(&mut self, cx: &Context, out: &mut Vec<Action>) {
        if !self.leases_run() {
            return;
        }
        if cx.maintenance {
            if !self.lifetimes.endless {
                self.lifetimes.endless = true;
                out.push(self.renewal(true));
            }
        } else if cx.now.since(self.lifetimes.renewed_at) >= RENEWAL
            && !self.lifetimes.late(cx.now)
            && cx.up_to_date()
        {
            self.lifetimes.renewed_at = cx.now;
            out.push(self.renewal(false));
        }
    }

    /// Announces again what the peer may have had as well, once it says that it has not, after this node ran again and
    /// both hear each other: who believed its announcements would send to it for as long as an ARP entry lasts.
    pub(super) fn announce_again(&mut self, cx: &Context, out: &mut Vec<Action>) {
        let without = |report: &GroupReport| matches!(report.role, Role::Stopped | Role::Failed);
        let deaf = cx.peer.state() == PeerState::OneWay || cx.doubt.woke().is_some();
        let contended = self.leases_run() && (deaf || !cx.report().is_some_and(without));
        let was = std::mem::replace(&mut self.lifetimes.contended, contended);
        if was && !contended && self.leases_run() {
            out.push(Action::Announce(self.id));
        }
    }

    /// Maintenance ended: they are renewed as always.
    pub fn end_endless(&mut self) {
        self.lifetimes.endless = false;
    }

    /// Leased resources were started here, and are to be kept alive and defended.
    pub fn leases_run(&self) -> bool {
        let given_up = matches!(
            self.state,
            State::Ceding { .. } | State::Ceded | State::Stopping { haste: true, .. }
        );
        self.leases_up() && !given_up
    }

    /// Leased resources were started here, and are not being stopped: a renewal between a stop and
    /// its end would bring back what is gone.
    pub(super) fn leases_up(&self) -> bool {
        let up = match self.state {
            State::Starting { next, .. } => next,
            State::Active { .. } | State::Ceding { .. } | State::Ceded | State::Stopping { .. } => {
                self.resources.len()
            }
            State::Looking { .. }
            | State::Stopped { .. }
            | State::Adopted { .. }
            | State::Failed { .. } => 0,
        };
        let up = self.resources.iter().take(up);
        let alive = |r: &Resource| r.leased() && r.present && !r.is_doing(Kind::Stop);
        up.into_iter().any(alive)
    }

    /// What the kernel ends by itself may have ended here.
    pub(in crate::core) fn lifetimes_late(&self, now: Time) -> bool {
        self.leases_up() && self.lifetimes.late(now)
    }

    /// Leased resources were found here that this daemon did not start.
    pub(super) fn leases_found(&self) -> bool {
        self.resources.iter().any(|r| r.leased() && r.present)
    }

    /// Somebody claims a VIP of the group: announces again, so that neighbours with the rival's
    /// address in their tables come back. True: it did.
    pub fn defend(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        let last = self.lifetimes.rival_at;
        let quiet = last.is_none_or(|at| cx.now.since(at) >= RIVAL_QUIET);
        let defends = self.leases_run() && quiet;
        if defends {
            self.lifetimes.rival_at = Some(cx.now);
            out.push(Action::Announce(self.id));
        }
        defends
    }

    fn renewal(&self, forever: bool) -> Action {
        Action::Renew {
            group: self.id,
            forever,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(0);
    const INSTANT: Duration = Duration::from_micros(1);

    #[test]
    fn a_lease_may_have_ended_half_a_second_before_the_kernel_says_so() {
        let lifetimes = Lifetimes::new(START);
        let last = START + LIFETIME - Duration::from_millis(500);
        assert!(!lifetimes.late(last));
        assert!(lifetimes.late(last + INSTANT));
        let endless = Lifetimes {
            endless: true,
            ..lifetimes
        };
        assert!(!endless.late(START + LIFETIME * 1000));
    }

    #[test]
    fn what_is_handed_over_is_late_by_the_same_margin_before_its_short_end() {
        let mut lifetimes = Lifetimes::new(START);
        let now = START + Duration::from_secs(60);
        lifetimes.cede(now);
        let last = now + CEDED - (LIFETIME - LATE);
        assert!(!lifetimes.late(last));
        assert!(lifetimes.late(last + INSTANT));
    }

    #[test]
    fn what_was_found_running_is_due_at_once_and_not_yet_late() {
        let mut lifetimes = Lifetimes::new(START);
        let now = START + Duration::from_secs(60);
        lifetimes.found(now);
        assert!(now.since(lifetimes.renewed_at) >= RENEWAL && !lifetimes.late(now));
    }
}
