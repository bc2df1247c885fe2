//! One group on this node: from what is known to what is done about it.
//!
//! ```text
//!             ┌─────────┐ nothing runs   ┌─────────┐ agreement or clearance ┌──────────┐   ┌────────┐
//!  start ───► │ Looking ├──────────────► │ Stopped ├──────────────────────► │ Starting ├─► │ Active │
//!             └────┬────┘                └────▲────┘                        └────▲─┬───┘   └───┬────┘
//!                  │ found running            │ all stopped                      │ │           │
//!                  ├─ with the token ─► Adopted ── agreement or clearance ───────┘ │           │
//!                  └─ without ───────► Stopping ◄──────────────────────────────────┴───────────┘
//!                                         └── a stop failed ──► Failed ── clear ──► Looking
//! ```
//!
//! The order that must hold, *clearance → persist the token → resources in file order*, stands in
//! [`Group::advance`]: a resource is started in [`Phase::Starting`] only, and [`Group::begin`], the
//! one way into it, is called with a [`Right`].

use super::canonical::{LONG_AGO, Mark};
use super::clearance::{self, Probes, Sources, Verdict};
use super::event::{Action, Change, OpId, Outcome, Presence, Report};
use super::gateway::{GatewayState, Gateways};
use super::moves::Limiter;
use super::peer::{Peer, PeerState};
use super::reason::{Fact, Reason};
use super::record::{GroupRecord, VifRecord};
use super::setup::{Failback, GroupSetup, LATE, RENEWAL, Setup};
use super::time::Time;
use super::token::{mint, outranks};
use crate::wire::heartbeat::{Echo, GroupReport, Readiness, Role, Side, Token};
use std::time::Duration;

/// More moves along the diagram than one step ever has; a step ends in any case.
const MOVES: usize = 64;
/// How long a failure counts against the node it happened on.
const FAIL_EXPIRY: Duration = Duration::from_secs(3600);
/// The pause before the first retry of a failed start; it doubles up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// A resource that vanishes again this soon after it was put back waits a moment first, so that a
/// fight with another program does not take the whole processor.
const REPAIR_QUIET: Duration = Duration::from_secs(1);
const REPAIR_PAUSE: Duration = Duration::from_millis(50);
/// A rival is answered at most this often: two hosts that defend the same address must not flood
/// the network (RFC 5227 §2.4 asks for 10 s; a client's outage is worth more here).
const RIVAL_QUIET: Duration = Duration::from_secs(1);

/// One group on this node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    token: Token,
    /// The highest epoch seen or minted.
    highest: u64,
    phase: Phase,
    since: Time,
    reason: Reason,
    /// Per resource: it may be running.
    present: Vec<bool>,
    op: Option<Op>,
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
    lost: Option<(usize, Time)>,
    repaired_at: Option<Time>,
    rival_at: Option<Time>,
    failures: Failures,
    /// Per resource: its stop failed.
    stuck: Vec<bool>,
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
    /// Stopping, in reverse order.
    Stopping,
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
struct Op {
    resource: usize,
    kind: Kind,
    deadline: Time,
    cancelled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Look,
    Start,
    Stop,
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Failures {
    count: u16,
    last: Option<Time>,
}

/// What a group looks at when it decides: the rest of the node, at this step.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The step's time.
    pub now: Time,
    /// The group's index.
    pub index: usize,
    /// The node's configuration.
    pub node: &'a Setup,
    /// The group's configuration.
    pub setup: &'a GroupSetup,
    /// The peer.
    pub peer: &'a Peer,
    /// The gateways.
    pub gateways: &'a Gateways,
    /// The outside sources of clearance.
    pub sources: &'a Sources,
    /// Carrier per VIP interface.
    pub carriers: &'a [bool],
    /// What is remembered of the peer per VIP interface.
    pub vifs: &'a [VifRecord],
    /// Maintenance is on.
    pub maintenance: bool,
    /// This node is in standby.
    pub standby: bool,
    /// This node is on its way out.
    pub leaving: bool,
    /// The operator stopped the group.
    pub stopped: bool,
    /// The last write of the state failed.
    pub unwritable: bool,
    /// Where the group's token lies on disk.
    pub saved: Option<GroupRecord>,
    /// The sequence of the next heartbeat.
    pub next_sequence: u64,
    /// This step reads a heartbeat, the only moment at which agreement is judged.
    pub heartbeat: bool,
    /// This step comes after every queue was drained, the only moment at which absence is judged.
    pub tick: bool,
    /// When this daemon started.
    pub started: Time,
    /// When the wait for an unheard peer ends; None: not before a link is up.
    pub start_wait_ends: Option<Time>,
}

impl Context<'_> {
    /// The last moment at which the peer was surely there.
    pub fn silence_began(&self) -> Time {
        self.peer.contact().unwrap_or(self.started)
    }

    /// Heartbeats are missing: evidence is gathered from now on, so that it is ready when the
    /// detection time ends.
    pub fn missing(&self) -> bool {
        self.missing_since().is_some_and(|at| self.now >= at)
    }

    fn missing_since(&self) -> Option<Time> {
        match self.peer.state() {
            PeerState::Alive | PeerState::OneWay | PeerState::Silent => {
                Some(self.silence_began() + self.peer.interval() + self.peer.interval() / 4)
            }
            PeerState::Unknown => Some(self.start_wait_ends? - self.node.detection_time(self.node.interval)),
            PeerState::Refused | PeerState::Left | PeerState::Fenced => None,
        }
    }

    /// When a holder that hears neither the peer nor a gateway must have stopped: before the peer,
    /// whose silence began at most an interval earlier, can have taken over. None: it can ask no
    /// gateway, or need not fear the peer.
    fn isolation_at(&self) -> Option<Time> {
        if !self.setup.vifs.iter().any(|&vif| self.gateways.exist_on(vif)) {
            return None;
        }
        let answered = self.setup.vifs.iter().filter_map(|&vif| self.gateways.last_answer(vif)).max();
        let contact = self.silence_began().max(answered.unwrap_or(self.started));
        let margin = self.peer.interval() + self.peer.interval() / 4;
        match self.peer.state() {
            PeerState::Unknown | PeerState::Alive | PeerState::OneWay | PeerState::Silent => {
                Some(contact + self.peer.detection_time(self.node) - margin)
            }
            PeerState::Refused | PeerState::Left | PeerState::Fenced => None,
        }
    }

    fn me(&self) -> Side {
        self.node.me
    }

    fn peer_alive(&self) -> bool {
        self.peer.state() == PeerState::Alive
    }

    /// Agreement decides, not clearance.
    fn peer_heard(&self) -> bool {
        matches!(self.peer.state(), PeerState::Alive | PeerState::OneWay | PeerState::Refused)
    }

    /// The peer's report, while it may be trusted to be its latest.
    fn report(&self) -> Option<&GroupReport> {
        match self.peer.state() {
            PeerState::Alive | PeerState::OneWay | PeerState::Left => self.peer.group(self.setup.name),
            _ => None,
        }
    }
}

impl Group {
    /// A group at the start of the daemon, with the token the disk remembers.
    pub fn new(now: Time, setup: &GroupSetup, saved: Option<GroupRecord>) -> Group {
        let token = saved.map_or_else(|| super::record::first_token(setup.prefer), |s| s.token);
        Group {
            token,
            highest: saved.map_or(0, |s| s.highest).max(token.epoch),
            phase: Phase::Looking(0),
            since: now,
            reason: Reason::Started,
            present: vec![true; setup.resources.len()],
            op: None,
            pending: None,
            decided: None,
            right: Right::None,
            contested: false,
            probes: Probes::default(),
            renewed_at: now,
            endless: false,
            lost: None,
            repaired_at: None,
            rival_at: None,
            failures: Failures::default(),
            stuck: vec![false; setup.resources.len()],
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
        self.observe(cx, out);
        self.renew(cx, out);
        let settled = (0..MOVES).any(|_| !(self.follow_token(cx, out) || self.advance(cx, out)));
        debug_assert!(settled, "{self:?} turns in circles");
        // Looked at again now that the token may have changed, so that a start begun in this step
        // goes out with this step's heartbeat.
    }

    /// An operation of this group ended.
    pub fn finished(&mut self, cx: &Context, outcome: Outcome, out: &mut Vec<Action>) {
        let Some(op) = self.op.take() else { return };
        let resource = op.resource;
        match (op.kind, outcome) {
            (Kind::Look, outcome) => {
                // What cannot be looked at may run.
                self.present[resource] = outcome != Outcome::Found(Presence::Absent);
                if let Phase::Looking(_) = self.phase {
                    self.phase = Phase::Looking(resource + 1);
                }
            }
            (Kind::Start, Outcome::Done) if !op.cancelled => {
                if let Phase::Starting(_) = self.phase {
                    self.phase = Phase::Starting(resource + 1);
                } else {
                    out.push(self.report(cx, Change::Notice, Reason::PutBack(resource)));
                }
            }
            (Kind::Start, _) if op.cancelled && self.must_stop(cx).is_some() => {}
            (Kind::Start, outcome) => {
                let why = text(outcome);
                self.failures.count = self.failures.count.saturating_add(1);
                self.failures.last = Some(cx.now);
                let doublings = u32::from(self.failures.count - 1).min(6);
                self.retry_at = Some(cx.now + (FIRST_RETRY * 2u32.pow(doublings)).min(LONGEST_RETRY));
                self.stop(cx, Reason::ResourceFailed(resource, why), out);
            }
            (Kind::Stop, Outcome::Done) => self.present[resource] = false,
            (Kind::Stop, outcome) => {
                self.stuck[resource] = true;
                self.reason = Reason::ResourceFailed(resource, text(outcome));
                out.push(self.report(cx, Change::Notice, self.reason.clone()));
            }
        }
    }

    /// A running resource vanished.
    pub fn lost(&mut self, cx: &Context, resource: usize) {
        match self.phase {
            Phase::Active if self.lost.is_none() => {
                let quiet = self.repaired_at.is_none_or(|at| cx.now.since(at) >= REPAIR_QUIET);
                let pause = if quiet { Duration::ZERO } else { REPAIR_PAUSE };
                self.lost = Some((resource, cx.now + pause));
            }
            Phase::Adopted => self.present[resource] = false,
            _ => {}
        }
    }

    /// A stopped resource runs: nothing is proven until it was looked at and stopped again.
    pub fn appeared(&mut self, cx: &Context, resource: usize, out: &mut Vec<Action>) {
        if self.phase == Phase::Stopped && !cx.maintenance {
            self.look(cx, Reason::StartedByHand(resource), out);
        }
    }

    /// The peer answered for a VIP of the group.
    pub fn vip_answered(&mut self, now: Time) {
        self.probes.answered(now);
    }

    /// Somebody claims a VIP of the group: announce again, so that neighbours with the rival's
    /// address in their tables come back.
    pub fn rival(&mut self, cx: &Context, mac: [u8; 6], of_peer: bool, out: &mut Vec<Action>) {
        let quiet = self.rival_at.is_none_or(|at| cx.now.since(at) >= RIVAL_QUIET);
        if self.leases_run(cx) && quiet {
            self.rival_at = Some(cx.now);
            out.push(Action::Announce { group: cx.index });
            if !of_peer {
                out.push(self.report(cx, Change::Notice, Reason::Rival(mac)));
            }
        }
    }

    /// The configuration changed: what runs is brought in line, what does not is looked at.
    pub fn reconfigured(&mut self, cx: &Context, out: &mut Vec<Action>) {
        let count = cx.setup.resources.len();
        self.present.resize(count, true);
        self.stuck.resize(count, false);
        match self.phase {
            Phase::Active => self.lost = Some((0, cx.now)),
            Phase::Stopped | Phase::Adopted => self.look(cx, Reason::Reloaded, out),
            _ => {}
        }
    }

    /// Forgets failures; a failed stop is looked at again.
    pub fn clear(&mut self, cx: &Context, out: &mut Vec<Action>) {
        self.failures = Failures::default();
        self.retry_at = None;
        if self.phase == Phase::Failed {
            self.stuck.fill(false);
            self.look(cx, Reason::Operator, out);
        }
    }

    /// Maintenance ended: whatever was done meanwhile by hand, look at everything first.
    pub fn maintenance_ended(&mut self, cx: &Context, out: &mut Vec<Action>) {
        self.endless = false;
        if self.phase != Phase::Failed && self.op.is_none() {
            self.look(cx, Reason::Maintenance(false), out);
        }
    }

    /// The operator wants it moved; [`refusal`](Self::refusal) was asked before.
    pub fn move_by_operator(&mut self) {
        self.operator_move = true;
    }

    /// Why an operator's move cannot be, and what would help.
    pub fn refusal(&self, cx: &Context) -> Option<String> {
        let peer = &cx.node.names[cx.me().other() as usize];
        if self.token.holder != cx.me() {
            return Some(format!("{peer} holds it already"));
        }
        if self.phase == Phase::Failed {
            return Some("a stop failed here: repair it, then `ha-appliance clear`".into());
        }
        if cx.maintenance {
            return Some("maintenance is on: end it with `ha-appliance maintenance off`".into());
        }
        match cx.peer.state() {
            PeerState::Alive => {}
            PeerState::Refused => return Some(format!("{peer} is refused: {}", cx.peer.why().0)),
            state => return Some(format!("{peer} is {state}: it must be heard first")),
        }
        let Some(report) = cx.report() else {
            return Some(format!(
                "{peer} does not know this group: bring both ha.toml in line, then `ha-appliance reload`"
            ));
        };
        match report.readiness {
            Readiness::Barred => Some(format!(
                "{peer} may not run it: `ha-appliance online {peer}` ends a standby, `ha-appliance start` a stop"
            )),
            Readiness::Impaired if self.effective(cx) == Readiness::Able => Some(format!(
                "{peer} is worse off ({}): see `ha-appliance status` there; `ha-appliance clear` forgets failures",
                if report.fail_count > 0 {
                    format!("{} failures", report.fail_count)
                } else {
                    "gateway, carrier or state directory".into()
                }
            )),
            _ if report.role == Role::Failed => Some(format!(
                "a stop failed on {peer}: repair it, then `ha-appliance clear`"
            )),
            _ => None,
        }
    }

    /// Its token.
    pub fn token(&self) -> Token {
        self.token
    }

    /// An operator's move is under way.
    pub fn moving(&self) -> bool {
        self.operator_move
    }

    /// Gives up an operator's move that takes too long.
    pub fn abandon_move(&mut self) {
        self.operator_move = false;
    }

    /// Nothing of it runs, and nothing is under way.
    pub fn at_rest(&self) -> bool {
        matches!(self.phase, Phase::Stopped | Phase::Failed) && self.op.is_none() && self.pending.is_none()
    }

    /// A stop failed, or nothing was looked at: it is not known what runs.
    pub fn proven_stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }

    /// A question to an outside source would help it.
    pub fn wants_clearance(&self) -> bool {
        self.contested
    }

    /// An echo of the very next heartbeat would let it start.
    pub fn wants_agreement(&self, next_sequence: u64) -> bool {
        self.decided == Some(next_sequence)
    }

    /// It waits for agreement.
    pub fn undecided(&self) -> bool {
        self.decided.is_some()
    }

    /// What belongs on disk.
    pub fn record(&self, name: u64) -> GroupRecord {
        GroupRecord {
            name,
            token: self.pending.map_or(self.token, |p| p.token),
            highest: self.highest,
        }
    }

    /// What the heartbeat says of it.
    pub fn heartbeat(&self, cx: &Context) -> GroupReport {
        GroupReport {
            name: cx.setup.name,
            token: self.token,
            // A node that does not hear its peer may have clearance from one moment to the next. Were it to
            // agree until then, its agreement could still be under way when it starts.
            contested: self.contested || !cx.peer_heard(),
            proven_stopped: self.proven_stopped(),
            role: self.role(),
            readiness: readiness(&self.facts(cx)),
            fail_count: self.failures.count,
        }
    }

    /// What a person wants to see of it.
    pub fn view(&self, cx: &Context) -> super::view::GroupView {
        let facts = self.facts(cx);
        let report = cx.report();
        super::view::GroupView {
            role: self.role(),
            since: self.since,
            reason: self.reason.clone(),
            token: self.token,
            readiness: readiness(&facts),
            facts,
            peer: report.map(|r| (r.role, r.readiness)),
            waiting: self.waiting.clone(),
            fail_count: self.failures.count,
            peer_fail_count: report.map_or(0, |r| r.fail_count),
            stopped: cx.stopped,
            failback_held: self.failback_held,
        }
    }

    /// When something of it is due.
    pub fn deadlines(&self, cx: &Context, due: &mut dyn FnMut(Time)) {
        if let Some(op) = &self.op
            && !op.cancelled
        {
            due(op.deadline);
        }
        if self.leases_run(cx) && !cx.maintenance {
            due(self.renewed_at + RENEWAL);
        }
        self.retry_at.into_iter().for_each(&mut *due);
        if let Some((_, at)) = self.lost {
            due(at);
        }
        if !matches!(self.phase, Phase::Stopped | Phase::Looking(_) | Phase::Failed) {
            cx.isolation_at().into_iter().for_each(&mut *due);
        }
        cx.missing_since().into_iter().for_each(&mut *due);
        self.probes.deadlines(cx.node.interval).for_each(&mut *due);
        self.limiter.wait_until(cx.now).into_iter().for_each(&mut *due);
        if let (Some(since), Failback::After(span)) = (self.peer_able_since, cx.setup.failback) {
            due(since + span);
        }
        if let Some(last) = self.failures.last {
            due(last + FAIL_EXPIRY);
        }
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        f(&mut self.since);
        f(&mut self.renewed_at);
        if let Some(op) = &mut self.op {
            f(&mut op.deadline);
        }
        if let Some((_, at)) = &mut self.lost {
            f(at);
        }
        let optional = [
            &mut self.repaired_at,
            &mut self.rival_at,
            &mut self.retry_at,
            &mut self.failures.last,
            &mut self.peer_able_since,
        ];
        optional.into_iter().flatten().for_each(&mut *f);
        self.probes.times(f);
        self.limiter.times(f);
    }

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

    /// Forgets what is only shown, how often the group moved, and what its configuration never asks.
    pub fn forget(&mut self, setup: &GroupSetup, sources: usize) {
        if sources > 0 {
            self.probes.end(); // judged in best effort only
        }
        if !setup.leased() {
            self.renewed_at = LONG_AGO;
        }
        if setup.failback == Failback::Manual {
            self.peer_able_since = None;
            self.failback_held = false;
        }
        self.since = LONG_AGO;
        self.reason = Reason::Started;
        self.waiting = None;
        self.limiter = Limiter::default();
        self.probes.forget_surplus();
    }

    /// Where it stands, in the words of the wire.
    pub fn role(&self) -> Role {
        match self.phase {
            Phase::Looking(_) | Phase::Stopped => Role::Stopped,
            Phase::Adopted | Phase::Starting(_) => Role::Starting,
            Phase::Active => Role::Active,
            Phase::Stopping => Role::Stopping,
            Phase::Failed => Role::Failed,
        }
    }

    /// Takes note of the peer and of time, before anything is decided.
    fn observe(&mut self, cx: &Context, out: &mut Vec<Action>) {
        if let Some(report) = cx.report() {
            self.highest = self.highest.max(report.token.epoch);
        }
        let peer_able = cx.peer_alive() && cx.report().is_some_and(|r| r.readiness == Readiness::Able);
        if !peer_able {
            self.peer_able_since = None;
            self.failback_held = false;
        } else if self.peer_able_since.is_none() {
            self.peer_able_since = Some(cx.now);
        }
        if self.failures.last.is_some_and(|at| cx.now.since(at) >= FAIL_EXPIRY) {
            self.failures = Failures::default();
        }
        self.limiter.forget(cx.now);
        if !cx.missing() {
            self.probes.end();
        } else if cx.tick && !self.running() && self.phase != Phase::Failed && !cx.maintenance {
            let lately = cx.now - 2 * cx.node.interval;
            let reached = |vif: &usize| cx.gateways.last_answer(*vif).is_some_and(|at| at > lately);
            let reached = cx.setup.vifs.iter().all(reached);
            self.probes.tick(cx.now, cx.node.interval, reached, cx.index, out);
        }
    }

    /// Renews the leases of what runs here by right.
    fn renew(&mut self, cx: &Context, out: &mut Vec<Action>) {
        if !self.leases_run(cx) {
            return;
        }
        if cx.maintenance {
            if !self.endless {
                self.endless = true;
                out.push(renewal(cx, true));
            }
        } else if cx.now.since(self.renewed_at) >= RENEWAL && !self.late(cx) {
            self.renewed_at = cx.now;
            out.push(renewal(cx, false));
        }
    }

    /// Moves towards the peer's token if it outranks this node's, and takes over a pending token
    /// once the disk has it.
    fn follow_token(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        let stopped = self.phase == Phase::Stopped;
        if let Some(theirs) = cx.report().map(|r| r.token)
            && outranks(theirs, self.token, cx.me())
            && (stopped || theirs.holder == cx.me())
            && self.pending.is_none_or(|p| p.token != theirs)
        {
            self.pending = Some(Pending {
                token: theirs,
                why: Why::Adopt,
            });
            self.contested = false;
            return true;
        }
        let Some(Pending { token, why: Why::Adopt }) = self.pending else {
            return false;
        };
        if !(stopped || token.holder == cx.me()) || !self.durable(cx, token) {
            return false;
        }
        let reason = if token.holder == cx.me() {
            Reason::Granted
        } else {
            Reason::HigherToken(token)
        };
        if token.holder == cx.me() && self.token.holder != cx.me() {
            self.limiter.moved(cx.now);
            // Handed over by a preferred node that could have kept it: an operator moved it.
            self.failback_held = self.peer_able_since.is_some() && cx.setup.prefer != Some(cx.me());
        }
        self.own_token(cx, token, reason, out);
        true
    }

    /// One move along the diagram; true if there may be another.
    fn advance(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        if let Some(op) = self.op {
            let unwanted = op.kind == Kind::Start && self.must_stop(cx).is_some();
            if !op.cancelled && (unwanted || cx.now >= op.deadline) {
                self.op = Some(Op { cancelled: true, ..op });
                out.push(Action::Cancel { op: op_id(cx) });
            }
            return false;
        }
        match self.phase {
            Phase::Looking(next) if next < self.present.len() => self.launch(cx, Kind::Look, next, out),
            Phase::Looking(_) => {
                let runs = self.runs_exclusive(cx);
                match (runs, self.token.holder == cx.me() || cx.maintenance) {
                    (false, _) => self.enter(cx, Phase::Stopped, Reason::FoundStopped, out),
                    (true, true) => self.enter(cx, Phase::Adopted, Reason::FoundRunning, out),
                    (true, false) => self.stop(cx, Reason::FoundRunningWithoutToken, out),
                }
                true
            }
            _ if cx.maintenance => {
                self.pending = self.pending.filter(|p| p.why == Why::Adopt);
                self.contested = false;
                self.decided = None;
                false
            }
            Phase::Stopping => {
                if let Some(resource) = self.next_to_stop(cx) {
                    return self.launch(cx, Kind::Stop, resource, out);
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
            Phase::Starting(next) => {
                if let Some(reason) = self.must_stop(cx) {
                    self.stop(cx, reason, out);
                } else if next < self.present.len() {
                    return self.launch(cx, Kind::Start, next, out);
                } else {
                    self.retry_at = None;
                    self.enter(cx, Phase::Active, Reason::Complete, out);
                }
                true
            }
            Phase::Active => self.hold_active(cx, out),
            Phase::Failed => false,
        }
    }

    /// This node holds the token and runs nothing: hand it over, start it, or wait.
    fn hold_stopped(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        if let Some(Pending { token, why: Why::Grant }) = self.pending {
            if !self.peer_could(cx) {
                self.pending = None;
                return true;
            }
            if !self.durable(cx, token) {
                return false;
            }
            self.limiter.moved(cx.now);
            self.own_token(cx, token, Reason::HandedOver, out);
            return true;
        }
        if self.pending.is_some_and(|p| p.why == Why::Adopt) {
            // The peer's token outranks this one and is on its way to the disk: there is no right left
            // to start by, not even with the clearance of a peer that said goodbye meanwhile.
            self.decided = None;
            return false;
        }
        if let Some((reason, _)) = self.wants_move(cx) {
            self.reason = reason;
            self.grant(cx);
            return true;
        }
        let facts = self.facts(cx);
        let holding_back = self.retry_at.is_some_and(|at| cx.now < at)
            || facts.iter().any(|f| f.is_hard() || matches!(f, Fact::GatewayPending(_)));
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

    /// Agreement or clearance, whichever comes, and then the start.
    fn seek_right(&mut self, cx: &Context, facts: &[Fact], out: &mut Vec<Action>) -> bool {
        let decided = *self.decided.get_or_insert(cx.next_sequence);
        if cx.heartbeat && self.agreed(cx, decided) {
            self.begin(cx, Right::Agreement, Reason::Agreement, out);
            return true;
        }
        match self.judge(cx, facts, out) {
            Some(reason) => {
                self.begin(cx, Right::Clearance, reason, out);
                true
            }
            None => false,
        }
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
            (Some(Pending { token, why: Why::Seize }), Some(reason)) => {
                if !self.on_disk(cx, token) {
                    return false;
                }
                // The evidence was judged again in this very step: the write may have taken long.
                self.limiter.moved(cx.now);
                self.own_token(cx, token, reason.clone(), out);
                self.begin(cx, Right::Clearance, reason, out);
                true
            }
            (Some(Pending { why: Why::Seize, .. }), None) if !self.contested => {
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
            } else if self.pending.is_some_and(|p| p.why == Why::Grant && self.durable(cx, p.token)) {
                self.stop(cx, reason, out);
                return true;
            }
        } else if self.pending.is_some_and(|p| p.why == Why::Grant) {
            self.pending = None;
        }
        if let Some((resource, at)) = self.lost
            && cx.now >= at
        {
            self.lost = None;
            self.repaired_at = Some(cx.now);
            return self.launch(cx, Kind::Start, resource, out);
        }
        false
    }

    /// What stops a running group at once.
    fn must_stop(&self, cx: &Context) -> Option<Reason> {
        if cx.maintenance {
            return None;
        }
        if let Some(theirs) = cx.report().map(|r| r.token)
            && theirs.holder != cx.me()
            && outranks(theirs, self.token, cx.me())
        {
            return Some(Reason::HigherToken(theirs));
        }
        if self.token.holder != cx.me() {
            return Some(Reason::FoundRunningWithoutToken);
        }
        if self.leases_run(cx) && self.late(cx) {
            return Some(Reason::Late(cx.now.since(self.renewed_at)));
        }
        if self.isolated(cx) {
            return Some(Reason::Isolated);
        }
        let silent = matches!(cx.peer.state(), PeerState::Silent | PeerState::Unknown);
        if silent && self.right == Right::Agreement && matches!(self.phase, Phase::Starting(_)) {
            return Some(Reason::SilentWhileStarting);
        }
        let hard = self.facts(cx).into_iter().find(|f| f.is_hard());
        hard.map(Reason::Fact)
    }

    /// Neither the peer nor a gateway answers: the peer may be about to take over.
    fn isolated(&self, cx: &Context) -> bool {
        cx.tick && self.right != Right::None && cx.isolation_at().is_some_and(|at| cx.now >= at)
    }

    /// Whether, and why, the peer should have it; and whether the move limit applies.
    fn wants_move(&self, cx: &Context) -> Option<(Reason, bool)> {
        if !self.peer_could(cx) {
            return None;
        }
        let theirs = cx.report()?.readiness;
        if theirs == Readiness::Barred {
            return None;
        }
        if self.operator_move {
            return Some((Reason::Operator, false));
        }
        let facts = self.facts_that_move(cx);
        let mine = readiness(&facts);
        if theirs > mine {
            return facts.first().map(|f| (Reason::Fact(*f), mine != Readiness::Barred));
        }
        let preferred = cx.setup.prefer == Some(cx.me().other());
        let due = match (cx.setup.failback, self.peer_able_since) {
            (Failback::After(span), Some(since)) => cx.now.since(since) >= span,
            _ => false,
        };
        (preferred && due && !self.failback_held && self.phase == Phase::Active).then_some((Reason::Failback, true))
    }

    /// The peer is there, of one mind about the token, and runs nothing of the group.
    fn peer_could(&self, cx: &Context) -> bool {
        cx.peer_alive()
            && !cx.sources.in_flight()
            && cx
                .report()
                .is_some_and(|r| r.token == self.token && r.proven_stopped && !r.contested)
    }

    /// The four conditions of agreement.
    fn agreed(&self, cx: &Context, decided: u64) -> bool {
        self.peer_could(cx) && self.token.holder == cx.me() && cx.peer.proves(cx.now, decided, cx.node)
    }

    /// Works on clearance; Some: it is given.
    fn judge(&mut self, cx: &Context, facts: &[Fact], out: &mut Vec<Action>) -> Option<Reason> {
        // The gateways are judged by fresher evidence; a token already on disk needs no write.
        let holder = self.token.holder == cx.me();
        let unable = facts.iter().find(|f| match f {
            Fact::GatewayLost(_) | Fact::GatewayDampened(_) | Fact::GatewayPending(_) => false,
            Fact::StateUnwritable => !holder,
            _ => true,
        });
        let verdict = match unable {
            Some(fact) if clearance::verdict(cx, &self.probes) != Verdict::PeerHeard => {
                self.contested = false;
                self.waiting = Some(Reason::Fact(*fact));
                return None;
            }
            _ => clearance::verdict(cx, &self.probes),
        };
        let contested = self.contested;
        let given = match verdict {
            Verdict::PeerHeard => {
                self.contested = false;
                self.waiting = None;
                None
            }
            Verdict::Waiting(reason) => {
                self.contested = !matches!(reason, Reason::StartWait | Reason::WaitingForPeer);
                self.waiting = Some(reason);
                None
            }
            Verdict::Given(reason) => {
                self.contested = true;
                Some(reason)
            }
        };
        if self.contested != contested {
            let reason = match (self.contested, &self.waiting) {
                (true, _) => cx.peer.why().0.clone(),
                (false, _) => Reason::ClearanceCancelled(cx.peer.state()),
            };
            out.push(self.report(cx, Change::Clearance, reason));
        }
        given
    }

    fn begin(&mut self, cx: &Context, right: Right, reason: Reason, out: &mut Vec<Action>) {
        self.right = right;
        self.decided = None;
        self.contested = false;
        self.waiting = None;
        self.retry_at = None;
        self.enter(cx, Phase::Starting(0), reason, out);
    }

    fn stop(&mut self, cx: &Context, reason: Reason, out: &mut Vec<Action>) {
        self.right = Right::None;
        self.decided = None;
        self.contested = false;
        self.lost = None;
        self.enter(cx, Phase::Stopping, reason, out);
    }

    fn look(&mut self, cx: &Context, reason: Reason, out: &mut Vec<Action>) {
        self.right = Right::None;
        self.decided = None;
        self.contested = false;
        self.lost = None;
        self.present.fill(true);
        self.enter(cx, Phase::Looking(0), reason, out);
    }

    fn enter(&mut self, cx: &Context, phase: Phase, reason: Reason, out: &mut Vec<Action>) {
        let before = self.role();
        self.phase = phase;
        self.reason = reason.clone();
        let after = self.role();
        if before != after {
            self.since = cx.now;
            out.push(self.report(cx, Change::Role(before, after), reason));
        }
    }

    fn launch(&mut self, cx: &Context, kind: Kind, resource: usize, out: &mut Vec<Action>) -> bool {
        let (op, group) = (op_id(cx), cx.index);
        let setup = &cx.setup.resources[resource];
        let span = match kind {
            Kind::Look | Kind::Start => setup.start_timeout,
            Kind::Stop => setup.stop_timeout,
        };
        self.op = Some(Op {
            resource,
            kind,
            deadline: cx.now + span,
            cancelled: false,
        });
        out.push(match kind {
            Kind::Look => Action::Look { op, group, resource },
            Kind::Start => {
                self.present[resource] = true;
                if setup.leased {
                    self.renewed_at = cx.now;
                }
                Action::Start { op, group, resource }
            }
            Kind::Stop => Action::Stop { op, group, resource },
        });
        false
    }

    fn grant(&mut self, cx: &Context) {
        self.pending = Some(Pending {
            token: self.mint_for(cx.me().other(), cx),
            why: Why::Grant,
        });
    }

    fn mint_for(&mut self, holder: Side, cx: &Context) -> Token {
        self.highest = mint(cx.me(), self.highest);
        Token {
            epoch: self.highest,
            holder,
        }
    }

    fn own_token(&mut self, cx: &Context, token: Token, reason: Reason, out: &mut Vec<Action>) {
        self.token = token;
        self.pending = None;
        self.decided = None;
        self.operator_move = false;
        out.push(self.report(cx, Change::Token(token), reason));
    }

    /// The disk has it, or cannot have it: what is granted or followed all the same, because
    /// agreement protects against a node that forgets.
    fn durable(&self, cx: &Context, token: Token) -> bool {
        self.on_disk(cx, token) || cx.unwritable
    }

    fn on_disk(&self, cx: &Context, token: Token) -> bool {
        cx.saved.is_some_and(|saved| saved.token == token)
    }

    fn stop_failed(&self) -> bool {
        self.stuck.contains(&true)
    }

    /// In reverse order; after a failed stop only the leases, and not even those of a group that
    /// holds data.
    fn next_to_stop(&self, cx: &Context) -> Option<usize> {
        let leases_only = self.stop_failed();
        let wanted = |r: usize| !leases_only || (cx.setup.resources[r].leased && !cx.setup.holds_data());
        (0..self.present.len())
            .rev()
            .find(|&r| self.present[r] && !self.stuck[r] && wanted(r))
    }

    fn running(&self) -> bool {
        matches!(self.phase, Phase::Starting(_) | Phase::Active | Phase::Stopping)
    }

    /// Leased resources were started here and are to be kept alive.
    fn leases_run(&self, cx: &Context) -> bool {
        let up = match self.phase {
            Phase::Starting(next) => next,
            Phase::Active => self.present.len(),
            _ => 0,
        };
        cx.setup.resources.iter().take(up).any(|r| r.leased)
    }

    fn late(&self, cx: &Context) -> bool {
        !self.endless && cx.now.since(self.renewed_at) > LATE
    }

    fn runs_exclusive(&self, cx: &Context) -> bool {
        let mut resources = cx.setup.resources.iter().zip(&self.present);
        resources.any(|(setup, present)| *present && setup.exclusive)
    }

    /// What speaks against running it here.
    fn facts(&self, cx: &Context) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut note = |holds: bool, fact| {
            if holds {
                facts.push(fact);
            }
        };
        note(cx.standby, Fact::Standby);
        note(cx.leaving, Fact::Leaving);
        note(cx.stopped, Fact::StoppedByOperator);
        note(self.stop_failed(), Fact::StopFailed);
        for &vif in &cx.setup.vifs {
            note(!cx.carriers.get(vif).copied().unwrap_or(false), Fact::NoCarrier(vif));
        }
        for &vif in &cx.setup.vifs {
            match cx.gateways.state(vif, &cx.node.gateway) {
                Some(GatewayState::Pending) => note(true, Fact::GatewayPending(vif)),
                Some(GatewayState::Dampened) => note(true, Fact::GatewayDampened(vif)),
                Some(GatewayState::Lost) => note(true, Fact::GatewayLost(vif)),
                Some(GatewayState::Good) | None => {}
            }
        }
        note(self.failures.count > 0, Fact::Failures(self.failures.count));
        note(cx.unwritable, Fact::StateUnwritable);
        facts
    }

    /// The same, as far as it may move a group: a lost gateway only if the peer reaches its own.
    fn facts_that_move(&self, cx: &Context) -> Vec<Fact> {
        let mut facts = self.facts(cx);
        facts.retain(|fact| match fact {
            Fact::GatewayLost(_) => cx.gateways.loss_confirmed(),
            Fact::GatewayPending(_) | Fact::GatewayDampened(_) => false,
            _ => true,
        });
        facts
    }

    fn effective(&self, cx: &Context) -> Readiness {
        readiness(&self.facts_that_move(cx))
    }

    fn report(&self, cx: &Context, change: Change, reason: Reason) -> Action {
        Action::Report(Report {
            group: Some(cx.index),
            change,
            reason,
        })
    }
}

/// The group an operation belongs to: a group has at most one under way, so its index names it.
pub fn op_group(op: OpId) -> usize {
    op.0 as usize
}

fn op_id(cx: &Context) -> OpId {
    OpId(cx.index as u64)
}

fn renewal(cx: &Context, forever: bool) -> Action {
    Action::Renew {
        group: cx.index,
        forever,
    }
}

fn readiness(facts: &[Fact]) -> Readiness {
    if facts.iter().any(|f| f.is_hard()) {
        Readiness::Barred
    } else if facts.is_empty() {
        Readiness::Able
    } else {
        Readiness::Impaired
    }
}

fn text(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed(why) => why,
        Outcome::Done | Outcome::Found(_) => "took too long".into(),
    }
}
