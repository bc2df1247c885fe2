//! The node: takes an event, asks each part in turn, gives back what is to be done.

mod both;
mod canonical;
mod fence;
mod leaving;
mod managed;
mod show;
mod signs;
mod speak;

use super::context::Context;
use super::event::{Action, Change, Claimed, Event, Op, Outcome, Report};
use super::policy::command::Commands;
use super::policy::wishes::Wishes;
use super::policy::{Dictate, Plan};
use super::protocol::fencing::{Count, Fencing};
use super::protocol::group::{Group, Started, State};
use super::protocol::isolation::{self, Doubt};
use super::protocol::memory::Memory;
use super::protocol::peer::{Heard, Own, Peer, PeerState, VERSIONS};
use super::protocol::record::Record;
use super::protocol::rhythm::Rhythms;
use super::protocol::takes::TakesBy;
use super::protocol::token::outranks;
use super::reason::Reason;
use super::setup::{GroupSetup, Setup};
use super::time::Time;
use super::vif::Vifs;
use crate::id::{GroupId, Place, VifId};
use crate::wire::heartbeat::{Echo, Heartbeat, Side, VifReport, WishSubject};
pub use managed::Managed;
use signs::Signs;
pub use signs::{Rival, SIGN_LASTS, Sign, SignKind};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a leaving node waits at least for its groups to be stopped and taken over.
const LEAVE_PATIENCE: Duration = Duration::from_secs(60);
/// How long it waits for the peer to show that it has the tokens.
const TOKEN_PATIENCE: Duration = Duration::from_secs(2);
/// How long it waits for the peer to show that it runs what was handed over, before it takes down what that may
/// still need.
const TAKING_PATIENCE: Duration = Duration::from_secs(30);
/// How often a probe of the peer is tried until one was answered.
const PROVE_INTERVAL: Duration = Duration::from_secs(1);
/// Goodbyes said: enough to survive the loss of some.
const GOODBYES: usize = 3;

/// One node's mind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    pub(super) setup: Arc<Setup>,
    /// The time of the step under way.
    pub(super) now: Time,
    /// The time of the last [`Event::Tick`]: what was due by then is done.
    ticked: Time,
    started: Time,
    /// An earlier daemon ran in this boot.
    restarted: bool,
    pub(super) incarnation: u64,
    /// The sequence of the heartbeat sent last.
    sequence: u64,
    pub(super) peer: Peer,
    /// What else speaks for its life.
    signs: Signs,
    pub(super) vifs: Vifs,
    pub(super) fencing: Fencing,
    /// Some group could not be stopped, when this step began.
    stop_failed: bool,
    pub(super) groups: Vec<Managed>,
    /// What is known of groups and interfaces that are in ha.toml no more: they may come back.
    retired: Record,
    /// Whether this node's own silence may be its own fault.
    doubt: Doubt,
    /// Both nodes' rhythms, as the disk is to remember them.
    rhythms: Option<Rhythms>,
    /// The peer was in maintenance when it was last heard.
    peer_maintained: bool,
    /// The peer was refused when it was last heard.
    peer_refused: bool,
    pub(super) wishes: Wishes,
    pub(super) memory: Memory,
    pub(super) commands: Commands,
    link_up: Option<Time>,
    leaving: Option<Time>,
    /// The heartbeat sent last, and when the next is due.
    said: Option<Heartbeat>,
    next_send: Time,
    /// When the last heartbeat was sent that answered a question out of turn.
    replied: Option<Time>,
    /// The peer waits for an answer.
    reply_owed: bool,
    /// When it was last asked for one because a holder here would have to stop; None: that is not so.
    asked: Option<Time>,
    prove_at: Time,
    software: String,
    exited: bool,
}

impl Node {
    /// A node whose daemon has just started. `incarnation` is drawn at random and not zero;
    /// `record` is what the disk remembers.
    pub fn new(now: Time, setup: Setup, incarnation: u64, record: Record, software: &str) -> Node {
        let groups = setup.groups.iter().map(|g| managed(now, g, &record, None));
        let groups = groups.collect();
        let retired = record.without(&setup);
        Node {
            now,
            ticked: now - Duration::from_micros(1),
            started: now,
            restarted: false,
            incarnation,
            sequence: 0,
            peer: Peer::new(now, &setup, &record),
            signs: Signs::default(),
            vifs: Vifs::new(&setup, &record),
            fencing: Fencing::remembered(now, record.fencing.clone(), None, &setup),
            stop_failed: false,
            retired,
            doubt: Doubt::default(),
            rhythms: record.rhythms,
            peer_maintained: record.peer_maintained,
            peer_refused: record.peer_refused,
            groups,
            wishes: Wishes::new(&record.wishes),
            memory: Memory::new(record),
            commands: Commands::default(),
            link_up: None,
            leaving: None,
            said: None,
            next_send: now,
            replied: None,
            reply_owed: false,
            asked: None,
            prove_at: now,
            software: software.into(),
            exited: false,
            setup: Arc::new(setup),
        }
    }

    /// The same, after an earlier daemon of this boot: what runs may have been started by it, and is kept
    /// with less patience for a peer than a boot asks for. `marks` are what the run directory says of that,
    /// `noted` since when the peer may be gone.
    pub fn restarted(self, marks: &[(GroupId, Started)], noted: Option<Count>) -> Node {
        let record = self.memory.saved().clone();
        let fencing = Fencing::remembered(self.now, record.fencing.clone(), noted, &self.setup);
        let mut node = Node {
            restarted: true,
            fencing,
            ..self
        };
        if let (Some(_), Some(at)) = (node.setup.fencing, node.fencing.met_at()) {
            node.peer.met_before(at);
        }
        let setup = node.setup.clone();
        for (managed, setup) in node.groups.iter_mut().zip(&setup.groups) {
            let mark = marks.iter().find(|(id, _)| *id == setup.id);
            managed.group = Group::new(
                node.now,
                setup,
                record.group(setup.id).as_ref(),
                mark.map(|(_, started)| started.clone()),
            );
        }
        node
    }

    /// Takes one event and gives everything that is to be done about it, in order. `now` never
    /// goes back; a step that is late judges its own lateness first.
    pub fn step(&mut self, now: Time, event: Event) -> Vec<Action> {
        self.notice_pause(now);
        self.now = self.now.max(now);
        let mut out = Vec::new();
        if self.exited {
            return out;
        }
        let before = self.peer.state();
        let disk_failed = self.memory.failure().is_some();
        let tick = event == Event::Tick;
        let (news, answer_at_once) = self.take(event, &mut out);
        self.report_peer(before, &mut out);
        if let (Some(why), false) = (self.memory.failure(), disk_failed) {
            out.push(notice(Reason::PersistFailed(why.into())));
        }
        if disk_failed && self.memory.failure().is_none() {
            out.push(notice(Reason::PersistWorks));
        }
        self.drive(news, tick, &mut out);
        self.settle_commands(&mut out);
        self.memory.keep(self.now, self.record(), &mut out);
        self.speak(answer_at_once, &mut out);
        self.finish_leaving(&mut out);
        out
    }

    /// When the next [`Event::Tick`] is due; an earlier one is harmless.
    pub fn deadline(&self) -> Time {
        let mut next = self.next_send;
        let mut due = |at: Time| {
            if at > self.ticked && at < next {
                next = at;
            }
        };
        let times = [
            self.peer.deadline(&self.setup),
            self.vifs.deadline(),
            self.vifs.urgent_deadline(self.peer.pace()),
            self.fence_deadline(),
            self.doubt
                .deadline(self.peer.pace())
                .filter(|_| self.doubts()),
            self.memory.deadline(),
            self.commands.deadline(),
            self.start_wait_ends()
                .filter(|_| self.peer.state() == PeerState::Unknown),
            self.leaving.map(|at| at + self.leave_patience()),
            self.leaving.map(|at| at + TAKING_PATIENCE),
            self.proving().then_some(self.prove_at),
            self.reply_at().filter(|_| self.reply_owed),
            self.asks_again_at(),
        ];
        times.into_iter().flatten().for_each(&mut due);
        for (index, group) in self.groups.iter().enumerate() {
            group.deadlines(&self.context(index), &mut due);
        }
        next
    }

    /// What this node tells of its VIP interfaces: their hardware addresses and its own addresses.
    pub fn describe_vifs(&mut self, reports: &[VifReport]) {
        self.vifs.describe(reports);
    }

    /// The peer's latest heartbeat, for what the core only passes on.
    pub fn peer_heartbeat(&self) -> Option<&Heartbeat> {
        self.peer.latest()
    }

    /// The peer's own address on a VIP interface, as it told it, to this daemon or one before it.
    pub fn peer_address(&self, vif: VifId) -> Option<IpAddr> {
        self.vifs.find(vif)?.peer.address
    }

    /// The newest heartbeat of the peer that was accepted.
    pub fn heard(&self) -> Echo {
        self.peer.echoes().0
    }

    /// The other node of this cluster made it, after it heard this daemon.
    pub fn is_addressed_by(&self, heartbeat: &Heartbeat) -> bool {
        heartbeat.cluster == self.setup.cluster
            && heartbeat.node == self.setup.me.other()
            && heartbeat.echo.incarnation == self.incarnation
    }

    /// How many datagrams of this node's own side were dropped: reflections, replays, or a second machine
    /// under its name.
    pub fn reflected(&self) -> u64 {
        self.peer.reflected()
    }

    /// Nobody touches anything.
    pub fn in_maintenance(&self) -> bool {
        self.wishes.is_on(WishSubject::Maintenance)
    }

    /// The peer's state.
    pub fn peer_state(&self) -> PeerState {
        self.peer.state()
    }

    /// One look at the rest of the node, as a group sees it.
    pub(super) fn context(&self, index: usize) -> Context<'_> {
        self.context_of(index, false, false)
    }

    /// Does something with every group and its context.
    pub(super) fn each_group(
        &mut self,
        out: &mut Vec<Action>,
        mut f: impl FnMut(&mut Managed, &Context, &mut Vec<Action>),
    ) {
        let mut groups = std::mem::take(&mut self.groups);
        for (index, group) in groups.iter_mut().enumerate() {
            f(group, &self.context(index), out);
        }
        self.groups = groups;
    }

    /// Lets the event change what is known. Gives whether it is a heartbeat with news, and whether
    /// the peer waits for an answer.
    fn take(&mut self, event: Event, out: &mut Vec<Action>) -> (bool, bool) {
        match event {
            Event::Tick => self.tick(out),
            Event::Heartbeat { path, heartbeat } => return self.hear(path, *heartbeat, out),
            Event::Finished { op, outcome } => self.finished(op, outcome, out),
            Event::LinkUp => self.link_up = self.link_up.or(Some(self.now)),
            Event::Carrier { vif, up } => {
                if let Some(vif) = self.vifs.find_mut(vif) {
                    vif.carrier = Some(up);
                }
            }
            Event::Gateways(gateways) => {
                // One that was never asked has not failed to answer.
                if self.vifs.replace_gateways(self.now, &gateways) && self.doubts() {
                    self.doubt.begin(self.now);
                }
            }
            Event::Pong { gateway, stamp } => {
                let setup = self.setup.clone();
                self.vifs.pong(self.now, gateway, stamp, &setup.gateway);
                if (0..self.groups.len()).all(|g| self.context(g).settled()) {
                    self.doubt.end();
                }
            }
            Event::Unasked(gateway) => self.vifs.unasked(gateway),
            Event::Unprobed(group) => self.at_group(group, |g, _| g.group.unprobed()),
            Event::Claim { vif, subject, mac } => self.claim(vif, subject, mac, out),
            Event::Unlistening => self.signs.unlistening(self.now),
            Event::Lost { place, why } => {
                self.at_place(place, |g, cx, resource| g.lost(cx, resource, why, out))
            }
            Event::Stopped { place } => self.at_place(place, |g, cx, resource| {
                g.plan.stopped_by_others(cx, &mut g.group, resource)
            }),
            Event::Ready { place, unready } => {
                self.at_place(place, |g, cx, resource| g.ready(cx, resource, unready, out))
            }
            Event::Device { device, answer } => self.device_answered(device, &answer),
            Event::Question { number, group } => self.question(number, group, out),
            Event::Lease { group, until } => {
                self.at_group(group, |g, _| g.group.leased_until(until))
            }
            Event::Appeared { place } => {
                self.at_place(place, |g, cx, resource| g.appeared(cx, resource, out))
            }
            Event::Reinstalled { place } => {
                self.at_place(place, |g, cx, resource| g.reinstalled(cx, resource, out))
            }
            Event::Command { number, command } => self.command(number, command, out),
            Event::Setup(setup) => self.reconfigure(*setup, out),
        }
        (false, false)
    }

    fn tick(&mut self, out: &mut Vec<Action>) {
        self.ticked = self.now;
        let setup = self.setup.clone();
        self.peer.tick(self.now, &setup);
        self.memory.tick(self.now);
        self.vifs.tick(self.now, &setup.gateway, out);
        let asks = |g: usize| self.groups[g].group.asks(&self.context(g));
        let pleaded = self.setup.fencing.is_some() && self.peer.pleads_since().is_some();
        if self.vifs.pending()
            || pleaded
            || self.doubts() && self.doubt.deadline(self.peer.pace()).is_some()
            || (0..self.groups.len()).any(asks)
        {
            self.vifs.urgent(self.now, self.peer.pace(), out);
            self.doubt.ask(self.now, self.peer.pace());
        } else {
            self.vifs.calm();
        }
        if self.proving() && self.now >= self.prove_at {
            self.prove_at = self.now + PROVE_INTERVAL;
            out.extend(self.groups.iter().map(|group| Action::Probe(group.id())));
        }
    }

    fn hear(&mut self, path: usize, heartbeat: Heartbeat, out: &mut Vec<Action>) -> (bool, bool) {
        let own = Own {
            incarnation: self.incarnation,
        };
        let setup = self.setup.clone();
        let latest = self.peer.latest().map(|latest| latest.incarnation);
        let echoed = self.peer.echoed();
        let (before, haste) = (self.before(), self.peer.haste());
        let heard = self.peer.hear(self.now, path, &heartbeat, own, &setup);
        let echoes = self.peer.echoed() != echoed;
        match heard {
            Heard::Nothing | Heard::Reflected => return (false, false),
            Heard::Candidate => {
                self.signs.unproven(self.now, &heartbeat);
                // Whoever it is hears the answer.
                if setup.fencing.is_none() {
                    self.fencing.loose();
                }
                self.may_agree();
                return (false, true);
            }
            Heard::News { restarted } => {
                self.fencing_hears(&heartbeat, !restarted, echoes, out);
                if restarted {
                    self.vifs.peer_restarted();
                    self.commands.peer_restarted();
                    // One that was taken as off may be the same again.
                    if latest.is_some_and(|latest| latest != heartbeat.incarnation) {
                        out.push(notice(Reason::PeerRestarted));
                    }
                }
            }
        }
        self.rhythms = Some(self.peer.rhythms());
        self.doubt_if_hastier(haste);
        self.doubt
            .answered(self.peer.counted().max(self.peer.answered()));
        if self.peer.state() == PeerState::Refused {
            // (Another machine under this node's name is not the peer.)
            self.peer_refused |= *self.peer.why().0 != Reason::SameNode;
            return (true, heartbeat.solicit);
        }
        self.peer_refused = false;
        self.tell_of_both(&before, out);
        let maintenance =
            |w: &crate::wire::heartbeat::Wish| w.subject == WishSubject::Maintenance && w.is_on();
        self.peer_maintained = heartbeat.wishes.iter().any(maintenance);
        self.vifs.hear(self.now, &heartbeat.vifs, out);
        if echoes {
            self.vifs.meet(&heartbeat.vifs);
        }
        for wish in &heartbeat.wishes {
            let was = self.wishes.is_on(wish.subject);
            self.wishes.merge(setup.me, *wish);
            let on = self.wishes.is_on(wish.subject);
            if was != on {
                self.wish_changed(wish.subject, on, out);
            }
        }
        if setup.fencing.is_some() {
            self.fencing
                .maintained(self.wishes.is_on(WishSubject::Maintenance));
        }
        self.hear_commands(heartbeat.request, heartbeat.answer, out);
        (true, heartbeat.solicit)
    }

    /// A restarted peer that is answered now, before it counts as heard, may take the answer for agreement and
    /// start; and one that was gone is to be feared again: evidence from before that is none.
    fn may_agree(&mut self) {
        if self.peer.state().is_heard() || self.peer.state().is_gone() {
            let mut nothing = Vec::new();
            self.each_group(&mut nothing, |g, cx, _| g.group.vip_answered(cx));
        }
    }

    fn finished(&mut self, op: Op, outcome: Outcome, out: &mut Vec<Action>) {
        match op {
            Op::Persist => {
                self.memory.finished(self.now, outcome);
                self.fencing.stir();
            }
            Op::Resource(place) => self.at_place(place, |g, cx, resource| {
                g.finished(cx, resource, outcome, out)
            }),
        }
    }

    /// Somebody says that an address is his: the peer, or a stranger.
    fn claim(&mut self, id: VifId, subject: Claimed, mac: [u8; 6], out: &mut Vec<Action>) {
        if subject == Claimed::PeerLink {
            // It need never have been heard for that, and nothing is proven but that it lives.
            return self.signs.answered(self.now, id, subject, mac);
        }
        let Some(vif) = self.vifs.find_mut(id) else {
            return;
        };
        let of_peer = vif.claimed(mac);
        if of_peer {
            self.signs.answered(self.now, id, subject, mac);
        }
        let Claimed::Vip(id) = subject else { return };
        let mut rivals = false;
        self.at_group(id, |group, cx| {
            if of_peer {
                group.group.vip_answered(cx);
            }
            rivals = group.rival(cx, mac, of_peer, out);
        });
        if rivals {
            self.signs.claimed(self.now, id, mac);
        }
    }

    /// Somebody asks what is known of the peer.
    fn question(&mut self, number: u32, group: GroupId, out: &mut Vec<Action>) {
        let mut proof = None;
        self.at_group(group, |g, cx| proof = g.group.proof(cx));
        out.push(Action::Proof { number, proof });
    }

    /// Something here could not be stopped, and all else is handed over: only the loss of power ends it.
    fn pleads(&self) -> bool {
        let failed = |g: &Managed| g.group.has_failed();
        let stopped = |g: &Managed| self.wishes.is_on(WishSubject::Stopped(g.id()));
        let theirs = |g: &Managed| {
            let given = g.token().holder != self.setup.me || stopped(g);
            given && g.group.at_rest()
        };
        self.peer_takes_by() == TakesBy::Proof
            && !self.wishes.is_on(WishSubject::Maintenance)
            && self.groups.iter().any(|g| failed(g) && !stopped(g))
            && self.groups.iter().all(|g| failed(g) || theirs(g))
    }

    fn at_place(&mut self, place: Place, f: impl FnOnce(&mut Managed, &Context, usize)) {
        self.at_group(place.group, |group, cx| {
            if let Some(resource) = group.group.resource(place.resource) {
                f(group, cx, resource);
            }
        });
    }

    /// What is about a group that a reload took away is about nothing.
    fn at_group(&mut self, id: GroupId, f: impl FnOnce(&mut Managed, &Context)) {
        if let Some(index) = self.groups.iter().position(|g| g.id() == id) {
            let mut groups = std::mem::take(&mut self.groups);
            f(&mut groups[index], &self.context(index));
            self.groups = groups;
        }
    }

    fn drive(&mut self, heartbeat: bool, tick: bool, out: &mut Vec<Action>) {
        self.stop_failed = self.groups.iter().any(|g| g.group.has_failed());
        let mut groups = std::mem::take(&mut self.groups);
        for (index, group) in groups.iter_mut().enumerate() {
            group.drive(&self.context_of(index, heartbeat, tick), out);
        }
        self.groups = groups;
        self.fence(tick, out);
    }

    fn context_of(&self, index: usize, heartbeat: bool, tick: bool) -> Context<'_> {
        let setup = &self.setup.groups[index];
        Context {
            now: self.now,
            node: &self.setup,
            setup,
            peer: &self.peer,
            fencing: &self.fencing,
            takes_by: TakesBy::own(&self.setup, &self.fencing),
            peer_takes_by: self.peer_takes_by(),
            vifs: &self.vifs,
            doubt: &self.doubt,
            peer_maintained: self.peer_maintained,
            peer_refused: self.peer_refused,
            maintenance: self.wishes.is_on(WishSubject::Maintenance),
            standby: self.wishes.is_on(WishSubject::Standby(self.setup.me)),
            leaving: self.leaving.is_some(),
            stopped: self.wishes.is_on(WishSubject::Stopped(setup.id)),
            stop_failed_here: self.stop_failed && self.peer_takes_by() == TakesBy::Proof,
            unwritable: self.memory.failure().is_some(),
            saved: self.memory.saved().group(setup.id),
            next_sequence: self.sequence + 1,
            heartbeat,
            tick,
            started: self.started,
            link_up: self.link_up,
            start_wait_ends: self.start_wait_ends(),
            wait_for_peer: self.setup.wait_for_peer,
            restarted: self.restarted,
        }
    }

    /// The wait for an unheard peer counts from the first path that is up. It may still count on what this node
    /// announced before it started again.
    fn start_wait_ends(&self) -> Option<Time> {
        Some(self.link_up? + self.setup.start_wait.max(self.peer.detection_time()))
    }

    /// Some VIP interface has not yet shown that a probe of the peer works, and the peer is there.
    fn proving(&self) -> bool {
        self.peer.state() == PeerState::Alive
            && (self.vifs.all().iter()).any(|v| !v.peer.proven && v.peer.mac != [0; 6])
    }

    fn record(&self) -> Record {
        let groups = (0..self.groups.len()).map(|g| {
            let held = self.groups[g].plan.failback_held();
            self.groups[g].group.record(held)
        });
        let failures = self.groups.iter();
        Record {
            groups: groups.chain(self.retired.groups.iter().copied()).collect(),
            wishes: self.wishes.all().to_vec(),
            vifs: (self.vifs.record().into_iter())
                .chain(self.retired.vifs.iter().copied())
                .collect(),
            failures: failures
                .flat_map(|g| g.plan.lasting_failures(&g.group))
                .chain(self.retired.failures.iter().copied())
                .collect(),
            rhythms: self.rhythms,
            lists: self.peer.lists().clone(),
            peer_maintained: self.peer_maintained,
            peer_refused: self.peer_refused,
            fencing: self.fencing.record(),
        }
    }

    /// A step that comes much later than the next heartbeat was due: this daemon did not run.
    fn notice_pause(&mut self, now: Time) {
        if self.setup.vifs.is_empty() {
            return;
        }
        // Beside a peer that is quicker this node asks, and judges itself, more often than it speaks.
        let pace = self.peer.pace();
        let due = match pace < self.setup.interval {
            true => self.deadline(),
            false => self.next_send,
        };
        if now.since(due.max(self.now)) > isolation::pause(pace) {
            self.doubt.begin(now);
        }
    }

    /// A holder has less time now to be answered in than before: nobody was asked by that yet.
    fn doubt_if_hastier(&mut self, before: (Duration, Duration, u32)) {
        let now = self.peer.haste();
        let hastier = now.0 < before.0 || now.1 < before.1 || now.2 < before.2;
        if hastier && self.doubts() {
            self.doubt.begin(self.now);
        }
    }

    /// Silence is judged by this node's own questions.
    fn doubts(&self) -> bool {
        match self.peer_takes_by() {
            TakesBy::Evidence | TakesBy::Nothing => !self.setup.vifs.is_empty(),
            TakesBy::Proof => false,
        }
    }

    fn peer_takes_by(&self) -> TakesBy {
        TakesBy::peers(&self.setup, &self.fencing, &self.peer)
    }

    /// Wishes for a group whatever a search's adversary wants; None: what is best.
    pub fn dictate(&mut self, group: GroupId, wish: Option<Dictate>) {
        let groups = self.groups.iter_mut();
        groups
            .filter(|g| g.id() == group)
            .for_each(|g| g.plan.dictate(wish));
    }

    fn report_peer(&self, before: PeerState, out: &mut Vec<Action>) {
        let after = self.peer.state();
        if before != after {
            out.push(Action::Report(Report {
                group: None,
                change: Change::Peer(before, after),
                reason: self.peer.why().0.clone(),
            }));
        }
    }

    /// A new configuration: groups keep their state by name, with their resources' number; what is
    /// new is looked at first. The shell refuses a configuration that drops what runs.
    fn reconfigure(&mut self, setup: Setup, out: &mut Vec<Action>) {
        let known = self.record();
        let mut old = std::mem::take(&mut self.groups);
        self.groups = (setup.groups.iter())
            .map(|g| match old.iter().position(|known| known.id() == g.id) {
                Some(at) => old.swap_remove(at),
                None => managed(self.now, g, &known, None),
            })
            .collect();
        // What was started of it is told again, should it come back.
        out.extend(old.iter().map(|gone| Action::Mark(gone.id(), None)));
        // Whoever comes back finds its token again, and its failures.
        self.retired = known.without(&setup);
        self.vifs.reconcile(&setup, &known);
        if self.peer.state().is_heard() {
            self.vifs.meet_anew();
        }
        let before = self.peer.haste();
        self.peer.announce(&setup, self.sequence + 1);
        self.doubt_if_hastier(before);
        self.next_send = self.next_send.min(self.now + self.peer.judged_by());
        self.rhythms = self.rhythms.map(|_| self.peer.rhythms());
        let first = self.sequence + 1;
        let before = self.setup.fencing.as_ref();
        (self.fencing).reconcile(self.now, first, before, &setup);
        // Who is gone does not hear of it.
        if before.is_some() != setup.fencing.is_some() && !self.peer.state().is_gone() {
            self.fencing.loose();
        }
        self.setup = Arc::new(setup);
        // What an operator was told of it as well: it is kept until he takes it back.
        let groups = self.groups.iter().map(Managed::id);
        let groups: Vec<GroupId> = groups
            .chain(self.retired.groups.iter().map(|g| g.id))
            .collect();
        self.wishes.retain_groups(&groups);
        self.each_group(out, |group, cx, out| {
            group.reconfigured(cx, &known.failures, out)
        });
    }
}

fn managed(now: Time, setup: &GroupSetup, record: &Record, mark: Option<Started>) -> Managed {
    let saved = record.group(setup.id);
    Managed {
        group: Group::new(now, setup, saved.as_ref(), mark),
        plan: Plan::new(setup, saved.as_ref(), &record.failures),
    }
}

fn notice(reason: Reason) -> Action {
    Action::Report(Report {
        group: None,
        change: Change::Notice,
        reason,
    })
}
