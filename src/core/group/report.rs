//! What a group says: to the peer, to the disk, to people, and to the clock.

use super::facts::readiness;
use super::*;
use crate::core::view::{GroupView, ResourceState, ResourceView};

impl Group {
    /// What the heartbeat says of it.
    pub fn heartbeat(&self, cx: &Context) -> GroupReport {
        GroupReport {
            id: self.id,
            token: self.token,
            // A node that does not hear its peer may have clearance from one moment to the next; one that
            // asked a source may learn that the peer, heard again meanwhile, was off. Were it to agree
            // until then, its agreement could still be under way when it starts.
            contested: self.contested || !cx.peer_heard() || cx.sources.in_flight(),
            proven_stopped: self.proven_stopped(),
            role: self.role(),
            readiness: readiness(&self.facts(cx)),
            fail_count: self.fail_count(),
        }
    }

    /// What belongs on disk.
    pub fn record(&self) -> GroupRecord {
        GroupRecord {
            id: self.id,
            token: self.pending.map_or(self.token, |p| p.token),
            highest: self.highest,
        }
    }

    /// What a person wants to see of it.
    pub fn view(&self, cx: &Context) -> GroupView {
        let facts = self.facts(cx);
        let report = cx.report();
        GroupView {
            id: self.id,
            role: self.role(),
            since: self.since,
            reason: self.reason.clone(),
            token: self.token,
            readiness: readiness(&facts),
            facts,
            peer: report.map(|r| (r.role, r.readiness)),
            waiting: self.waiting.clone(),
            fail_count: self.fail_count(),
            peer_fail_count: report.map_or(0, |r| r.fail_count),
            stopped: cx.stopped,
            failback_held: self.failback_held,
            resources: self
                .resources
                .iter()
                .map(|r| self.resource_view(r))
                .collect(),
        }
    }

    fn resource_view(&self, resource: &Resource) -> ResourceView {
        let state = match resource.op.map(|op| op.kind) {
            _ if resource.stuck => ResourceState::Stuck,
            Some(Kind::Start) => ResourceState::Starting,
            Some(Kind::Stop | Kind::Cede) => ResourceState::Stopping,
            Some(Kind::Look) => ResourceState::Unknown,
            None if matches!(self.phase, Phase::Looking(_)) => ResourceState::Unknown,
            None if resource.down_since.is_some() => ResourceState::Down,
            None if resource.present => ResourceState::Running,
            None => ResourceState::Stopped,
        };
        ResourceView {
            id: resource.id,
            state,
            fail_count: resource.failures.count,
            failure: resource.failures.why.clone(),
        }
    }

    /// When something of it is due.
    pub fn deadlines(&self, cx: &Context, due: &mut dyn FnMut(Time)) {
        let cx = &self.patience(cx);
        let silence = cx.node.detection_time(cx.node.interval);
        for (resource, setup) in self.resources.iter().zip(&cx.setup.resources) {
            resource.deadlines(setup, due);
            resource
                .down_since
                .into_iter()
                .for_each(|at| due(at + silence));
        }
        if self.leases_run(cx) && !cx.maintenance {
            due(self.renewed_at + RENEWAL);
        }
        if matches!(self.phase, Phase::Ceding { .. }) {
            due(self.renewed_at + LATE + Duration::from_micros(1));
        }
        if self.awaits_tick(cx) {
            due(cx.now + Duration::from_micros(1));
        }
        self.retry_at.into_iter().for_each(&mut *due);
        if cx.peer.state() == PeerState::Unknown {
            cx.start_wait_ends.into_iter().for_each(&mut *due);
        }
        if !matches!(
            self.phase,
            Phase::Stopped | Phase::Looking(_) | Phase::Failed
        ) {
            let isolation = [cx.doubt_at(), cx.isolation_at()];
            isolation.into_iter().flatten().for_each(&mut *due);
        }
        cx.missing_since().into_iter().for_each(&mut *due);
        self.probes.deadlines(cx.node.interval).for_each(&mut *due);
        self.limiter
            .wait_until(cx.now)
            .into_iter()
            .for_each(&mut *due);
        if let (Some(since), Failback::After(span)) = (self.peer_able_since, cx.setup.failback) {
            due(since + span);
        }
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        f(&mut self.since);
        f(&mut self.renewed_at);
        self.resources.iter_mut().for_each(|r| r.times(f));
        let optional = [
            &mut self.rival_at,
            &mut self.retry_at,
            &mut self.peer_able_since,
        ];
        optional.into_iter().flatten().for_each(&mut *f);
        self.probes.times(f);
        self.limiter.times(f);
    }

    /// Where it stands, in the words of the wire.
    pub fn role(&self) -> Role {
        match self.phase {
            Phase::Looking(_) | Phase::Stopped => Role::Stopped,
            Phase::Adopted | Phase::Starting(_) => Role::Starting,
            Phase::Active => Role::Active,
            Phase::Ceding { .. } | Phase::Stopping { .. } => Role::Stopping,
            Phase::Failed => Role::Failed,
        }
    }
}
