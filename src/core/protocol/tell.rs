//! What a group says: to the peer, to the disk, and to the clock.

use super::super::context::Context;
use super::super::setup::{LATE, RENEWAL};
use super::super::time::Time;
use super::group::{Group, State};
use super::peer::PeerState;
use super::record::GroupRecord;
use crate::wire::heartbeat::{GroupReport, Readiness};
use std::time::Duration;

impl Group {
    /// What the heartbeat says of it. `ordered`: the peer has it because an operator wanted that.
    pub fn heartbeat(
        &self,
        cx: &Context,
        readiness: Readiness,
        fail_count: u16,
        ordered: bool,
    ) -> GroupReport {
        GroupReport {
            id: self.id,
            token: self.token,
            list: self.list(),
            // A node that does not hear its peer may have clearance from one moment to the next; one that
            // asked a source may learn that the peer, heard again meanwhile, was off. Were it to agree
            // until then, its agreement could still be under way when it starts.
            contested: self.contested() || !cx.peer_heard() || cx.peer_dying(),
            proven_stopped: self.proven_stopped(),
            ordered,
            role: self.role(),
            readiness,
            fail_count,
        }
    }

    /// What belongs on disk.
    pub fn record(&self, failback_held: bool) -> GroupRecord {
        GroupRecord {
            id: self.id,
            token: self.wanted(),
            highest: self.highest,
            peer_failed: self.peer_failed,
            failback_held,
        }
    }

    /// When something of it is due.
    pub fn deadlines(&self, cx: &Context, due: &mut dyn FnMut(Time)) {
        let instant = Duration::from_micros(1);
        for resource in &self.resources {
            if let Some(work) = resource.work.filter(|work| !work.cancelled) {
                due(work.deadline);
            }
        }
        if self.leases_run() && !cx.maintenance {
            due(self.lifetimes.renewed_at + RENEWAL);
        }
        match self.state {
            State::Ceding { .. } | State::Ceded => due(self.lifetimes.renewed_at + LATE + instant),
            State::Starting { .. } | State::Active { .. } if cx.doubt_since().is_some() => {
                due(self.lifetimes.renewed_at + LATE + instant)
            }
            State::Failed { looks } if looks.next.is_none() && !cx.maintenance => due(looks.at),
            _ => {}
        }
        if self.awaits_tick(cx) {
            due(cx.now + instant);
        }
        self.right_ends().into_iter().for_each(&mut *due);
        if cx.peer.state() == PeerState::Unknown {
            cx.start_wait_ends.into_iter().for_each(&mut *due);
        }
        if self.state.right().is_some() || self.runs_still() {
            let isolation = [cx.doubt_at(), cx.ask_peer_at(), cx.isolation_at()];
            isolation.into_iter().flatten().for_each(&mut *due);
        }
        cx.missing_since().into_iter().for_each(&mut *due);
        let interval = cx.peer.judging().interval;
        self.probes.deadlines(interval).for_each(&mut *due);
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        f(&mut self.since);
        f(&mut self.lifetimes.renewed_at);
        self.lifetimes.rival_at.iter_mut().for_each(&mut *f);
        self.lease.iter_mut().for_each(&mut *f);
        for work in self.resources.iter_mut().filter_map(|r| r.work.as_mut()) {
            f(&mut work.deadline);
        }
        if let State::Failed { looks } = &mut self.state {
            f(&mut looks.at);
        }
        if let Some(super::right::Right::Lease { until }) = self.state.right_mut() {
            f(until);
        }
        self.probes.times(f);
    }

    /// Its role may have changed in this step.
    pub fn stamp(&mut self, now: Time) {
        if self.shown != self.told {
            (self.shown, self.since) = (self.told, now);
        }
    }

    fn runs_still(&self) -> bool {
        matches!(
            self.state,
            State::Adopted { .. } | State::Ceded | State::Stopping { .. }
        )
    }
}
