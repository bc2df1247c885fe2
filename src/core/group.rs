//! One group on this node: from what is known to what is done about it.
//!
//! ```text
//!             ┌─────────┐ nothing runs   ┌─────────┐ agreement or clearance ┌──────────┐   ┌────────┐
//!  start ───► │ Looking ├──────────────► │ Stopped ├──────────────────────► │ Starting ├─► │ Active │
//!             └────┬────┘                └────▲────┘                        └────▲─┬───┘   └───┬────┘
//!                  │ found running            │ all stopped                      │ │           │
//!                  ├─ with the token ─► Adopted ── agreement or clearance ───────┘ │           │
//!                  └─ without ───────► Stopping ◄──────────────────────────────────┴───────────┤
//!                                         │ ▲                                                  │
//!                                         │ └── Ceding ◄─── handed over while it still runs ───┘
//!                                         └── a stop failed ──► Failed ── clear ──► Looking
//! ```
//!
//! The order that must hold, *clearance → persist the token → resources in file order*, stands in
//! [`Group::advance`]: what is exclusive is started in [`Phase::Starting`] and again while it ought to
//! run, and [`Group::begin`], the one way there, is called with a [`Right`].
//!
//! Rooms: `context` is all that a group sees of the rest; `facts` what speaks against running here;
//! `right` agreement and clearance; `handover` the token's way while both nodes are there; `overlap`
//! the same without a gap; `sequence` starts and stops in order; `service` what fails while it runs;
//! `resource` one of them; `leases` what the kernel would end; `events` what happens from outside;
//! `report` what it says.

mod canonical;
mod context;
mod events;
mod facts;
mod handover;
mod leases;
mod overlap;
mod report;
mod resource;
mod right;
mod sequence;
mod service;

pub use context::Context;
use resource::{Kind, Resource, Work};

use super::event::{Action, Change, Op, Outcome, Presence, Report};
use super::gateway::GatewayState;
use super::policy::moves::Limiter;
use super::protocol::clearance::{self, Probes, Sources, Verdict};
use super::protocol::peer::{Peer, PeerState};
use super::protocol::record::GroupRecord;
use super::protocol::token::{mint, outranks};
use super::reason::{Fact, Reason};
use super::setup::{CEDED, Failback, GroupSetup, LATE, LIFETIME, RENEWAL, ResourceSetup, Setup};
use super::time::Time;
use super::vif::Vifs;
use crate::id::{GroupId, ResourceId};
use crate::wire::heartbeat::{GroupReport, Readiness, Role, Side, Token};
use std::time::Duration;

/// More moves along the diagram than one step ever has; a step ends in any case.
const MOVES: usize = 64;
/// The pause before the first retry of a failed start; it doubles up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// A resource that vanishes again this soon after it was put back waits a moment first, so that a
/// fight with another program does not take the whole processor.
const REPAIR_QUIET: Duration = Duration::from_secs(1);
const REPAIR_PAUSE: Duration = Duration::from_millis(10);
/// A rival is answered at most this often: two hosts that defend the same address must not flood
/// the network (RFC 5227 §2.4 asks for 10 s; a client's outage is worth more here).
const RIVAL_QUIET: Duration = Duration::from_secs(1);

/// One group on this node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    id: GroupId,
    token: Token,
    /// The highest epoch seen or minted.
    highest: u64,
    phase: Phase,
    since: Time,
    reason: Reason,
    resources: Vec<Resource>,
    /// A token on its way to the disk.
    pending: Option<Pending>,
    /// Wants to start since this own sequence: agreement must echo it.
    decided: Option<u64>,
    right: Right,
    contested: bool,
    probes: Probes,
    /// When the leases were last renewed.
    renewed_at: Time,
    /// The leases were made endless (maintenance).
    endless: bool,
    rival_at: Option<Time>,
    retry_at: Option<Time>,
    limiter: Limiter,
    operator_move: bool,
    failback_held: bool,
    peer_able_since: Option<Time>,
    /// What it waits for, for people.
    waiting: Option<Reason>,
}

/// Where the group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// This incarnation looks at the resources, at this one next. Nothing is proven.
    Looking(usize),
    /// Everything was looked at, and nothing exclusive runs.
    Stopped,
    /// Found running; left alone, and not renewed, until the right to it is known.
    Adopted,
    /// Starting this resource.
    Starting(usize),
    /// All of it runs.
    Active,
    /// Handing it over while it runs: its addresses end by themselves, and then the token is granted.
    Ceding { granted: bool },
    /// Stopping, in reverse order; or the addresses at once, whatever else is under way.
    Stopping { at_once: bool },
    /// A stop failed.
    Failed,
}

/// By what right the group was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Right {
    None,
    /// The peer agreed: holds while it is heard, and once everything runs.
    Agreement,
    /// The peer is known to run nothing.
    Clearance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Pending {
    token: Token,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Why {
    /// To hand the group to the peer, once it is stopped.
    Grant,
    /// To take the group from the silent peer, with clearance.
    Seize,
    /// To follow the peer's weightier token.
    Adopt,
}

impl Group {
    /// A group at the start of the daemon, with the token the disk remembers.
    pub fn new(now: Time, setup: &GroupSetup, saved: Option<GroupRecord>) -> Group {
        let token = saved.map_or_else(
            || super::protocol::record::first_token(setup.prefer),
            |s| s.token,
        );
        Group {
            id: setup.id,
            token,
            highest: saved.map_or(0, |s| s.highest).max(token.epoch),
            phase: Phase::Looking(0),
            since: now,
            reason: Reason::Started,
            resources: setup.resources.iter().map(Resource::new).collect(),
            pending: None,
            decided: None,
            right: Right::None,
            contested: false,
            probes: Probes::default(),
            renewed_at: now,
            endless: false,
            rival_at: None,
            retry_at: None,
            limiter: Limiter::default(),
            operator_move: false,
            failback_held: false,
            peer_able_since: None,
            waiting: None,
        }
    }

    /// Does everything that is to be done at this step.
    pub fn drive(&mut self, cx: &Context, out: &mut Vec<Action>) {
        let cx = &self.patience(cx);
        self.observe(cx, out);
        self.end_overdue(cx, out);
        let ceding = matches!(self.phase, Phase::Ceding { .. });
        let settled = (0..MOVES).any(|_| !(self.follow_token(cx, out) || self.advance(cx, out)));
        debug_assert!(settled, "{self:?} turns in circles");
        // Afterwards, for a renewal brings back an address that was deleted: not in the step that gives it
        // up. What is taken back from a handover is started again, which renews it.
        if !ceding {
            self.renew(cx, out);
        }
        self.repair(cx, out);
    }

    /// Its name.
    pub fn id(&self) -> GroupId {
        self.id
    }

    /// The place among its resources of the one so named.
    pub fn resource(&self, id: ResourceId) -> Option<usize> {
        self.resources.iter().position(|r| r.id == id)
    }

    /// Its token.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Nothing of it runs, and nothing is under way.
    pub fn at_rest(&self, cx: &Context) -> bool {
        matches!(self.phase, Phase::Stopped | Phase::Failed)
            && !self.busy(cx)
            && self.pending.is_none()
    }

    /// This incarnation looked at everything exclusive and found it stopped; or nothing of it is left
    /// but addresses that the kernel is about to end.
    pub fn proven_stopped(&self) -> bool {
        matches!(self.phase, Phase::Stopped | Phase::Ceding { granted: true })
    }

    /// Takes note of the peer and of time, before anything is decided.
    fn observe(&mut self, cx: &Context, out: &mut Vec<Action>) {
        if let Some(report) = cx.report() {
            self.highest = self.highest.max(report.token.epoch);
        }
        let peer_able =
            cx.peer_alive() && cx.report().is_some_and(|r| r.readiness == Readiness::Able);
        if !peer_able {
            self.peer_able_since = None;
            self.failback_held = false;
        } else if self.peer_able_since.is_none() {
            self.peer_able_since = Some(cx.now);
        }
        for (resource, setup) in self.resources.iter_mut().zip(&cx.setup.resources) {
            resource.failures.expire(cx.now, setup);
        }
        self.limiter.forget(cx.now);
        // Only best effort asks for addresses.
        let judged = cx.node.sources == 0 && !cx.setup.vifs.is_empty();
        if !cx.missing() || !judged {
            self.probes.end();
        } else if cx.tick && !self.running() && self.phase != Phase::Failed && !cx.maintenance {
            self.probes
                .tick(cx.now, cx.node.interval, cx.on_link(), self.id, out);
        }
    }

    /// One move along the diagram; true if there may be another.
    fn advance(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        match self.phase {
            Phase::Looking(next) if next < self.resources.len() => {
                if self.resources[next].op.is_none() {
                    self.launch(cx, Kind::Look, next, out);
                }
                false
            }
            Phase::Looking(_) => {
                let runs = self.runs_exclusive(cx);
                match (runs, self.token.holder == cx.me() || cx.maintenance) {
                    (false, _) => self.enter(cx, Phase::Stopped, Reason::FoundStopped, out),
                    (true, true) => self.enter(cx, Phase::Adopted, Reason::FoundRunning, out),
                    (true, false) => self.stop(cx, Reason::FoundRunningWithoutToken, out),
                }
                true
            }
            // Not yet granted: what was about to end is kept, and renewed for ever.
            Phase::Ceding { granted: false } if cx.maintenance && !self.busy(cx) => {
                self.resume(cx, out);
                true
            }
            _ if cx.maintenance => {
                self.pending = self.pending.filter(|p| p.why == Why::Adopt);
                self.contested = false;
                self.decided = None;
                false
            }
            Phase::Stopping { at_once: false } if self.in_haste(cx) => {
                self.phase = Phase::Stopping { at_once: true };
                true
            }
            Phase::Stopping { at_once } => {
                if let Some(resource) = self.next_to_stop(cx, at_once) {
                    self.launch(cx, Kind::Stop, resource, out);
                    return true;
                }
                if self.busy(cx) {
                    return false;
                }
                let reason = self.reason.clone();
                if self.stop_failed() {
                    self.pending = None;
                    self.enter(cx, Phase::Failed, reason, out);
                } else {
                    self.enter(cx, Phase::Stopped, reason, out);
                }
                true
            }
            Phase::Stopped if self.token.holder == cx.me() => self.hold_stopped(cx, out),
            Phase::Stopped => self.stand_by(cx, out),
            Phase::Adopted => self.hold_adopted(cx, out),
            Phase::Starting(next) if self.clearance_ended(cx, next) => {
                self.right = Right::None;
                let reason = Reason::ClearanceCancelled(cx.peer.state());
                let phase = match self.runs_exclusive(cx) {
                    true => Phase::Adopted,
                    false => Phase::Stopped,
                };
                self.enter(cx, phase, reason, out);
                true
            }
            Phase::Starting(next) => match self.must_stop(cx) {
                Some(reason) => {
                    self.stop(cx, reason, out);
                    true
                }
                None => self.start_next(cx, next, out),
            },
            Phase::Active => self.hold_active(cx, out),
            Phase::Ceding { granted } => self.hold_ceding(cx, granted, out),
            Phase::Failed => false,
        }
    }

    /// This node holds the token and runs nothing: hand it over, start it, or wait.
    fn hold_stopped(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        if self.pending.is_some_and(|p| p.why == Why::Adopt) {
            // The peer's token outranks this one and is on its way to the disk: nothing starts by the
            // old one, whatever a goodbye or a fenced peer would clear.
            self.decided = None;
            self.contested = false;
            return false;
        }
        if let Some(Pending {
            token,
            why: Why::Grant,
        }) = self.pending
        {
            if !self.peer_could(cx) {
                self.pending = None;
                return true;
            }
            if !self.durable(cx, token) {
                return false;
            }
            self.limiter.moved(cx.now);
            self.own_token(token, Reason::HandedOver, out);
            return true;
        }
        if let Some((reason, _)) = self.wants_move(cx) {
            self.reason = reason;
            self.grant(cx);
            return true;
        }
        let facts = self.facts(cx);
        // Without a service the addresses are of no use, and the silent peer might have both.
        let alone = !cx.peer_heard();
        let holding_back = self.retry_at.is_some_and(|at| cx.now < at)
            || facts.iter().any(|f| match f {
                Fact::GatewayPending(_) => true,
                Fact::Down(_) => alone,
                f => f.is_hard(),
            });
        if holding_back {
            self.decided = None;
            self.contested = false;
            self.waiting = facts.first().map(|f| Reason::Fact(*f));
            return false;
        }
        self.seek_right(cx, &facts, out)
    }

    /// This node holds the token and found the group running.
    fn hold_adopted(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        if let Some(reason) = self.must_stop(cx) {
            self.stop(cx, reason, out);
            return true;
        }
        let facts = self.facts(cx);
        self.seek_right(cx, &facts, out)
    }

    /// The peer holds the token and this node runs nothing: take it only with clearance.
    fn stand_by(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        self.decided = None;
        self.operator_move = false;
        if self.retry_at.is_some_and(|at| cx.now < at) {
            return false;
        }
        let facts = self.facts(cx);
        let verdict = self.judge(cx, &facts, out);
        match (self.pending, verdict) {
            (
                Some(Pending {
                    token,
                    why: Why::Seize,
                }),
                Some(reason),
            ) => {
                if !self.on_disk(cx, token) {
                    return false;
                }
                // The evidence was judged again in this very step: the write may have taken long.
                self.limiter.moved(cx.now);
                self.own_token(token, reason.clone(), out);
                self.begin(cx, Right::Clearance, reason, out);
                true
            }
            (
                Some(Pending {
                    why: Why::Seize, ..
                }),
                None,
            ) if !self.contested => {
                self.pending = None;
                true
            }
            (None, Some(_)) => {
                self.pending = Some(Pending {
                    token: self.mint_for(cx.me(), cx),
                    why: Why::Seize,
                });
                true
            }
            _ => false,
        }
    }

    /// Everything runs: keep it so, or hand it over.
    fn hold_active(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        self.waiting = None;
        let wish = self.wants_move(cx);
        let urgent = self.must_stop(cx).filter(|reason| {
            // A hard fact is served by a move, if there can be one.
            !matches!(reason, Reason::Fact(_)) || wish.is_none()
        });
        if let Some(reason) = urgent {
            self.pending = None;
            self.stop(cx, reason, out);
            return true;
        }
        if let Some((reason, limited)) = wish {
            if limited && let Some(until) = self.limiter.wait_until(cx.now) {
                self.waiting = Some(Reason::MoveLimited(until.since(cx.now)));
            } else if self.pending.is_none() {
                self.grant(cx); // on disk before the service stops, so that the outage does not wait for it
                return true;
            } else if self
                .pending
                .is_some_and(|p| p.why == Why::Grant && self.durable(cx, p.token))
            {
                match self.overlaps(cx) {
                    true => self.cede(cx, reason, out),
                    false => self.stop(cx, reason, out),
                }
                return true;
            }
        } else if self.pending.is_some_and(|p| p.why == Why::Grant) {
            self.pending = None;
        }
        false
    }

    /// What stops a running group at once.
    fn must_stop(&self, cx: &Context) -> Option<Reason> {
        if cx.maintenance {
            return None;
        }
        if let Some(theirs) = self.weightier(cx)
            && theirs.holder != cx.me()
        {
            return Some(Reason::HigherToken(theirs));
        }
        if self.token.holder != cx.me() {
            return Some(Reason::FoundRunningWithoutToken);
        }
        if self.leases_up(cx) && self.late(cx) {
            return Some(Reason::Late(cx.now.since(self.renewed_at)));
        }
        if self.isolated(cx) {
            return Some(Reason::Isolated);
        }
        let silent = matches!(cx.peer.state(), PeerState::Silent | PeerState::Unknown);
        let unannounced = matches!(self.phase, Phase::Starting(_)) && !self.leases_up(cx);
        if silent && self.right == Right::Agreement && unannounced {
            return Some(Reason::SilentWhileStarting);
        }
        if let Some(resource) = self.not_serving(cx).filter(|_| silent) {
            return Some(Reason::NotServing(self.resources[resource].id));
        }
        let hard = self.facts(cx).into_iter().find(|f| f.is_hard());
        hard.map(Reason::Fact)
    }

    /// Neither the peer nor a gateway answers: the peer may be about to take over.
    fn isolated(&self, cx: &Context) -> bool {
        cx.tick && self.right != Right::None && cx.isolated()
    }

    fn enter(&mut self, cx: &Context, phase: Phase, reason: Reason, out: &mut Vec<Action>) {
        let before = self.role();
        self.phase = phase;
        self.reason = reason.clone();
        let after = self.role();
        if before != after {
            self.since = cx.now;
            out.push(self.report(Change::Role(before, after), reason));
        }
    }

    fn stop_failed(&self) -> bool {
        self.resources.iter().any(|r| r.stuck)
    }

    fn running(&self) -> bool {
        matches!(
            self.phase,
            Phase::Starting(_) | Phase::Active | Phase::Ceding { .. } | Phase::Stopping { .. }
        )
    }

    fn runs_exclusive(&self, cx: &Context) -> bool {
        let mut resources = self.resources.iter().zip(&cx.setup.resources);
        resources.any(|(resource, setup)| resource.present && setup.exclusive)
    }

    fn report(&self, change: Change, reason: Reason) -> Action {
        Action::Report(Report {
            group: Some(self.id),
            change,
            reason,
        })
    }
}
