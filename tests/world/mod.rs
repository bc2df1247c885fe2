//! A pair of real nodes in a made-up world: virtual time, a network that can be cut, a kernel that
//! expires addresses, disks and gateways that can fail. Nothing here decides anything.
#![allow(dead_code)] // each test binary uses its part

use ha_appliance::core::Node;
use ha_appliance::core::event::{Action, Claimed, Command, Event, Op, Outcome, Presence, Unready};
use ha_appliance::core::record::Record;
use ha_appliance::core::setup::{
    CEDED, Failback, GatewaySetup, GroupSetup, LIFETIME, ResourceSetup, Setup, SourceSetup,
};
use ha_appliance::core::time::Time;
use ha_appliance::id::{GatewayId, GroupId, Place, ResourceId, VifId};
use ha_appliance::wire::heartbeat::{GatewayReport, Heartbeat, Side, VifReport, hash};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

pub const SIDES: [Side; 2] = [Side::First, Side::Second];

pub fn index(side: Side) -> usize {
    side as usize
}

/// The hardware address of a node's VIP interface.
pub fn mac(side: Side) -> [u8; 6] {
    [2, 0, 0, 0, 0, 1 + side as u8]
}

/// The VIP interface, and the gateway there.
pub const LAN: VifId = VifId(1);
pub const GATEWAY: GatewayId = GatewayId {
    vif: LAN,
    address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 254)),
};

/// A configuration as the defaults of ha.toml make it: one VIP per group, one gateway.
pub fn setup(me: Side, groups: &[(&str, Option<Side>, Failback)]) -> Setup {
    Setup {
        me,
        names: ["first".into(), "second".into()],
        cluster: hash("test"),
        nodes: hash("first\nsecond"),
        digest: 1,
        links: 1,
        interval: Duration::from_millis(100),
        misses: 5,
        start_wait: Duration::from_secs(10),
        wait_for_peer: false,
        gateway: GatewaySetup {
            require_all: false,
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
            misses: 3,
            dampening: Duration::from_secs(5),
        },
        vifs: vec![LAN],
        groups: groups
            .iter()
            .map(|(name, prefer, failback)| GroupSetup {
                id: GroupId::of(name),
                prefer: *prefer,
                failback: *failback,
                resources: vec![vip()],
                vifs: vec![LAN],
            })
            .collect(),
        sources: Vec::new(),
    }
}

pub fn vip() -> ResourceSetup {
    ResourceSetup {
        id: ResourceId::of("vip"),
        exclusive: true,
        data: false,
        leased: true,
        lingers: false,
        start_timeout: Duration::from_secs(5),
        stop_timeout: Duration::from_secs(5),
        restarts: 0,
        window: Duration::ZERO,
        fail_expiry: Some(Duration::from_secs(3600)),
    }
}

/// So many outside sources of clearance, asked at once.
pub fn sources(count: usize) -> Vec<SourceSetup> {
    let source = SourceSetup {
        delay: Duration::ZERO,
    };
    vec![source; count]
}

/// A service as the defaults of ha.toml make it.
pub fn service() -> ResourceSetup {
    ResourceSetup {
        id: ResourceId::of("service"),
        leased: false,
        restarts: 1,
        window: Duration::from_secs(600),
        ..vip()
    }
}

/// What one machine is, apart from its node's mind.
pub struct Machine {
    pub setup: Setup,
    pub node: Option<Node>,
    pub disk: Record,
    /// What the run directory says of what was started in this boot.
    pub marks: Vec<(GroupId, u64)>,
    pub disk_works: bool,
    /// Per group and resource: until when it runs.
    pub running: Vec<Vec<Option<Time>>>,
    /// Groups whose addresses were left to end by themselves.
    ceded: Vec<usize>,
    pub gateway: bool,
    pub carrier: bool,
    /// Stops and starts fail.
    pub stop_works: bool,
    pub start_works: bool,
    /// Starts can be asked for; otherwise they end without an answer.
    pub starts_answered: bool,
    /// How long the starts, and the stops, of services take.
    pub start_takes: Duration,
    pub stop_takes: Duration,
    /// Starts and stops under way; they go on without the daemon.
    jobs: Vec<Job>,
    /// What the shell would do next: events queued behind the one being handled.
    queue: VecDeque<Event>,
    pub frozen: bool,
    boots: u64,
    /// A daemon ran since its power came.
    up: bool,
}

/// A start or stop under way.
struct Job {
    ends: Time,
    /// None: the daemon that began it is no more.
    op: Option<Op>,
    group: usize,
    resource: usize,
    on: bool,
    works: bool,
}

/// Both machines and what is between them.
pub struct World {
    pub now: Time,
    pub machines: [Machine; 2],
    /// Heartbeats from that side arrive.
    pub link: [bool; 2],
    /// ARP between the nodes passes.
    pub arp: bool,
    /// Heartbeats and answers under way: when, to whom, what.
    wire: Vec<(Time, Side, Event)>,
    pub latency: Duration,
    /// Everything that was said: when, who, what.
    pub said: Vec<(Time, Side, Action)>,
    /// What an outside source of clearance does when asked: makes sure the peer is off, refuses, or
    /// (None) never answers.
    pub source: Option<Result<(), String>>,
    /// When a group began to run on both machines, and when that ended.
    pub overlap: Vec<String>,
    both: Vec<bool>,
}

impl World {
    pub fn new(groups: &[(&str, Option<Side>, Failback)]) -> World {
        World::of(SIDES.map(|side| setup(side, groups)))
    }

    pub fn of(setups: [Setup; 2]) -> World {
        let machine = |setup: Setup| Machine {
            running: setup
                .groups
                .iter()
                .map(|g| vec![None; g.resources.len()])
                .collect(),
            ceded: Vec::new(),
            setup,
            node: None,
            disk: Record::default(),
            marks: Vec::new(),
            disk_works: true,
            gateway: true,
            carrier: true,
            stop_works: true,
            start_works: true,
            starts_answered: true,
            start_takes: Duration::ZERO,
            stop_takes: Duration::ZERO,
            jobs: Vec::new(),
            queue: VecDeque::new(),
            frozen: false,
            boots: 0,
            up: false,
        };
        World {
            now: Time(0),
            machines: setups.map(machine),
            link: [true; 2],
            arp: true,
            wire: Vec::new(),
            latency: Duration::from_micros(200),
            said: Vec::new(),
            source: None,
            overlap: Vec::new(),
            both: Vec::new(),
        }
    }

    /// Starts a node's daemon.
    pub fn start(&mut self, side: Side) {
        let now = self.now;
        let machine = &mut self.machines[index(side)];
        machine.boots += 1;
        let incarnation = machine.boots * 2 + side as u64 + 1;
        let mut node = Node::new(
            now,
            machine.setup.clone(),
            incarnation,
            machine.disk.clone(),
            "test",
        );
        if machine.up {
            node = node.restarted(&machine.marks);
        }
        machine.up = true;
        node.describe_vifs(&[VifReport {
            id: LAN,
            gateway: GatewayReport::default(),
            mac: mac(side),
            address: [192, 0, 2, 1 + side as u8].into(),
        }]);
        machine.node = Some(node);
        let up = machine.carrier;
        for event in [
            Event::LinkUp,
            Event::Carrier { vif: LAN, up },
            Event::Gateways(vec![GATEWAY]),
            Event::Tick,
        ] {
            self.step(side, event);
        }
    }

    /// The daemon dies; what it started stays until the kernel ends it.
    pub fn kill(&mut self, side: Side) {
        let machine = &mut self.machines[index(side)];
        machine.node = None;
        machine.queue.clear();
        machine.jobs.iter_mut().for_each(|job| job.op = None);
    }

    /// The machine dies, with all that runs on it.
    pub fn power_cut(&mut self, side: Side) {
        self.kill(side);
        let machine = &mut self.machines[index(side)];
        machine.up = false;
        machine.marks.clear();
        machine.jobs.clear();
        machine.running.iter_mut().flatten().for_each(|r| *r = None);
    }

    /// A service dies, or somebody starts it by hand.
    pub fn switch(&mut self, side: Side, resource: usize, on: bool) {
        let group = 0;
        let forever = Time(i64::MAX);
        self.machines[index(side)].running[group][resource] = on.then_some(forever);
        let place = self.machines[index(side)].place(group, resource);
        let event = match on {
            true => Event::Appeared { place },
            false => Event::Lost {
                place,
                why: "its process died".into(),
            },
        };
        match self.machines[index(side)].frozen {
            true => self.machines[index(side)].queue.push_back(event),
            false => self.step(side, event),
        }
    }

    /// A resource says that it cannot run here, or that it can.
    pub fn ready(&mut self, side: Side, resource: usize, lacks: Option<String>) {
        let place = self.machines[index(side)].place(0, resource);
        let unready = lacks.map(|why| Unready {
            why,
            entirely: true,
        });
        self.step(side, Event::Ready { place, unready });
    }

    /// The gateway is in the routing table, or is not.
    pub fn set_gateways(&mut self, side: Side, known: bool) {
        let gateways = known.then_some(GATEWAY).into_iter().collect();
        self.step(side, Event::Gateways(gateways));
    }

    /// The groups consist of these from now on; what runs of them stays as it is.
    pub fn reload(&mut self, side: Side, groups: &[Vec<ResourceSetup>]) {
        let machine = &mut self.machines[index(side)];
        for (group, resources) in groups.iter().enumerate() {
            let old = &machine.setup.groups[group].resources;
            let known = |setup: &ResourceSetup| old.iter().position(|known| known.id == setup.id);
            let running = resources
                .iter()
                .map(|setup| machine.running[group][known(setup)?]);
            machine.running[group] = running.collect();
            machine.setup.groups[group].resources = resources.clone();
        }
        let setup = Box::new(machine.setup.clone());
        self.step(side, Event::Setup(setup));
    }

    /// Somebody asks about the first group.
    pub fn question(&mut self, side: Side, number: u32) {
        let group = self.machines[index(side)].setup.groups[0].id;
        self.step(side, Event::Question { number, group });
    }

    /// A third party promises that nobody else runs the first group for so long.
    pub fn lease(&mut self, side: Side, span: Duration) {
        let group = self.machines[index(side)].setup.groups[0].id;
        let until = self.now + span;
        self.step(side, Event::Lease { group, until });
    }

    /// Somebody else stops a service, and does not start it again in time.
    pub fn stop_by_others(&mut self, side: Side, resource: usize) {
        self.machines[index(side)].running[0][resource] = None;
        let place = self.machines[index(side)].place(0, resource);
        self.step(side, Event::Stopped { place });
    }

    /// A service runs and does not do its work.
    pub fn fail_check(&mut self, side: Side, resource: usize) {
        let why = "its check failed".into();
        let place = self.machines[index(side)].place(0, resource);
        let lost = Event::Lost { place, why };
        self.step(side, lost);
    }

    pub fn command(&mut self, side: Side, number: u32, command: Command) {
        self.step(side, Event::Command { number, command });
    }

    pub fn set_carrier(&mut self, side: Side, up: bool) {
        self.machines[index(side)].carrier = up;
        self.step(side, Event::Carrier { vif: LAN, up });
    }

    /// Runs the world until then.
    /// A node that is due again and again, at one moment or a microsecond after it, fails the test: it would
    /// keep a whole core busy.
    pub fn run_until(&mut self, end: Time) {
        let (begin, mut turns) = (self.now, 0);
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            turns += 1;
            let span = self.now.since(begin);
            let most = 1000 + 10 * span.as_millis();
            assert!(turns <= most, "{turns} turns in {span:?}: it never rests");
            self.expire();
            self.work();
            self.turn();
        }
        self.now = end;
        self.expire();
    }

    pub fn run(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    /// Whether all of a group's resources run on a machine.
    pub fn runs(&self, side: Side, group: usize) -> bool {
        self.machines[index(side)].running[group]
            .iter()
            .all(Option::is_some)
    }

    fn next(&self) -> Option<Time> {
        let deadlines = self
            .machines
            .iter()
            .filter(|m| !m.frozen)
            .filter_map(|m| Some(m.node.as_ref()?.deadline()));
        let leases = self
            .machines
            .iter()
            .flat_map(|m| m.running.iter().flatten().flatten().copied());
        let wire = self
            .wire
            .iter()
            .filter(|w| !self.machines[index(w.1)].frozen)
            .map(|w| w.0);
        let jobs = self.machines.iter().flat_map(|m| &m.jobs).map(|j| j.ends);
        deadlines.chain(leases).chain(wire).chain(jobs).min()
    }

    fn expire(&mut self) {
        let now = self.now;
        for side in SIDES {
            for group in 0..self.machines[index(side)].running.len() {
                for resource in 0..self.machines[index(side)].running[group].len() {
                    let lease = &mut self.machines[index(side)].running[group][resource];
                    if lease.is_some_and(|until| until <= now) {
                        *lease = None;
                        let machine = &mut self.machines[index(side)];
                        let (place, why) = (machine.place(group, resource), "expired".into());
                        machine.queue.push_back(Event::Lost { place, why });
                    }
                }
            }
        }
    }

    /// Ends the starts and stops whose time has come.
    fn work(&mut self) {
        for machine in &mut self.machines {
            let now = self.now;
            for job in machine.jobs.extract_if(.., |job| job.ends <= now) {
                if job.works {
                    machine.running[job.group][job.resource] = job.on.then_some(Time(i64::MAX));
                }
                let outcome = match job.works {
                    true => Outcome::Done,
                    false => Outcome::Failed("it does not work".into()),
                };
                let end = job.op.map(|op| Event::Finished { op, outcome });
                machine.queue.extend(end);
            }
        }
    }

    fn turn(&mut self) {
        let now = self.now;
        for side in SIDES {
            if self.machines[index(side)].frozen {
                continue;
            }
            let (due, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.wire)
                .into_iter()
                .partition(|w| w.0 <= now && w.1 == side);
            self.wire = rest;
            for (_, _, event) in due {
                self.step(side, event);
            }
            while let Some(event) = self.machines[index(side)].queue.pop_front() {
                self.step(side, event);
            }
            let node = &self.machines[index(side)].node;
            if node.as_ref().is_some_and(|n| n.deadline() <= now) {
                self.step(side, Event::Tick);
            }
        }
    }

    fn step(&mut self, side: Side, event: Event) {
        let now = self.now;
        let (mut events, mut taken) = (VecDeque::from([event]), 0);
        while let Some(event) = events.pop_front() {
            taken += 1;
            assert!(taken <= 1000, "what it does leads to itself: {event:?}");
            let Some(node) = &mut self.machines[index(side)].node else {
                return;
            };
            for action in node.step(now, event) {
                events.extend(self.act(side, &action));
                self.said.push((now, side, action));
                self.check();
            }
        }
    }

    fn act(&mut self, side: Side, action: &Action) -> Option<Event> {
        let now = self.now;
        let peer = side.other();
        let machine = &mut self.machines[index(side)];
        let done = |place: &Place, ok: bool, why: &str| {
            let outcome = if ok {
                Outcome::Done
            } else {
                Outcome::Failed(why.into())
            };
            let op = Op::Resource(*place);
            Some(Event::Finished { op, outcome })
        };
        match action {
            Action::Send(heartbeat) => {
                if self.link[index(side)] {
                    self.send(
                        peer,
                        1,
                        Event::Heartbeat {
                            path: 0,
                            heartbeat: heartbeat.clone(),
                        },
                    );
                }
                None
            }
            Action::Persist(record) => {
                if machine.disk_works {
                    machine.disk = record.clone();
                }
                let outcome = match machine.disk_works {
                    true => Outcome::Done,
                    false => Outcome::Failed("no space left on device".into()),
                };
                let op = Op::Persist;
                self.send(side, 2, Event::Finished { op, outcome });
                None
            }
            Action::Look(place) => {
                let (group, resource) = machine.find(*place);
                let presence = match machine.running[group][resource] {
                    Some(_) => Presence::Running,
                    None => Presence::Absent,
                };
                Some(Event::Finished {
                    op: Op::Resource(*place),
                    outcome: Outcome::Found(presence),
                })
            }
            Action::Start(place, _) if machine.takes_time(*place, true) => {
                machine.begin(now, *place, true);
                None
            }
            Action::Stop(place) if machine.takes_time(*place, false) => {
                machine.begin(now, *place, false);
                None
            }
            Action::Start(place, _) if !machine.starts_answered => {
                let outcome = Outcome::Unasked("no answer".into());
                let op = Op::Resource(*place);
                Some(Event::Finished { op, outcome })
            }
            Action::Start(place, _) => {
                if machine.start_works {
                    let (group, resource) = machine.find(*place);
                    machine.ceded.retain(|ceded| *ceded != group);
                    let until = if machine.leased(group, resource) {
                        now + LIFETIME
                    } else {
                        Time(i64::MAX)
                    };
                    machine.running[group][resource] = Some(until);
                }
                done(place, machine.start_works, "no such interface")
            }
            Action::Stop(place) => {
                if machine.stop_works {
                    let (group, resource) = machine.find(*place);
                    machine.running[group][resource] = None;
                }
                done(place, machine.stop_works, "operation not permitted")
            }
            Action::Cede(place) => {
                let (group, resource) = machine.find(*place);
                let until = &mut machine.running[group][resource];
                *until = until.map(|_| now + CEDED);
                machine.ceded.push(group);
                done(place, true, "")
            }
            Action::Renew { group, forever } => {
                let lease = if *forever {
                    Time(i64::MAX)
                } else {
                    now + LIFETIME
                };
                let group = machine.group(*group);
                let resources = &machine.setup.groups[group].resources;
                let running = machine.running[group].iter_mut().zip(resources);
                running
                    .filter(|(_, setup)| setup.leased)
                    .for_each(|(until, _)| *until = Some(lease)); // also what was deleted
                None
            }
            Action::Probe(id) => {
                let passes = self.arp && self.machines.iter().all(|m| m.carrier);
                let there = &self.machines[index(peer)];
                let group = there.group(*id);
                let mut subjects = vec![];
                let vips = (there.running[group].iter().enumerate())
                    .filter(|(resource, on)| on.is_some() && there.leased(group, *resource));
                if passes && vips.count() > 0 {
                    subjects.push(Claimed::Vip(*id));
                }
                if passes && there.node.is_some() {
                    subjects.push(Claimed::PeerAddress);
                }
                for subject in subjects {
                    self.send(
                        side,
                        2,
                        Event::Claim {
                            vif: LAN,
                            subject,
                            mac: mac(peer),
                        },
                    );
                }
                None
            }
            Action::Ping { gateway, stamp } => {
                if machine.gateway && machine.carrier {
                    self.send(
                        side,
                        2,
                        Event::Pong {
                            gateway: *gateway,
                            stamp: *stamp,
                        },
                    );
                }
                None
            }
            Action::Exit => {
                machine.node = None;
                None
            }
            Action::Clear(source) => {
                let outcome = match self.source.clone()? {
                    Ok(()) => {
                        self.power_cut(peer);
                        Outcome::Done
                    }
                    Err(why) => Outcome::Failed(why),
                };
                let op = Op::Source(*source);
                self.send(side, 50, Event::Finished { op, outcome });
                None
            }
            Action::Cancel(op) => {
                machine.jobs.retain(|job| job.op != Some(*op));
                let outcome = Outcome::Failed("cancelled".into());
                self.send(side, 100, Event::Finished { op: *op, outcome });
                None
            }
            Action::Mark(group, epoch) => {
                machine.marks.retain(|(id, _)| id != group);
                machine.marks.extend(epoch.map(|epoch| (*group, epoch)));
                None
            }
            Action::Part(place) => done(place, true, ""),
            Action::Announce(_) | Action::Proof { .. } => None,
            Action::Answer { .. } | Action::Report(_) => None,
        }
    }

    fn send(&mut self, to: Side, latencies: u32, event: Event) {
        self.wire
            .push((self.now + self.latency * latencies, to, event));
    }

    /// No group may run on both machines, but for addresses that the kernel is about to end.
    fn check(&mut self) {
        self.both.resize(self.machines[0].running.len(), false);
        for group in 0..self.both.len() {
            let any = |m: &Machine| {
                let resources = m.running[group]
                    .iter()
                    .zip(&m.setup.groups[group].resources);
                let exclusive =
                    |(on, setup): (&Option<Time>, &ResourceSetup)| on.is_some() && setup.exclusive;
                resources.into_iter().any(exclusive) && !m.ceded.contains(&group)
            };
            let both = self.machines.iter().all(any);
            if both != self.both[group] {
                self.both[group] = both;
                let at = self.now.0 as f64 / 1e6;
                let runs = if both { "runs on both" } else { "no more" };
                self.overlap
                    .push(format!("{at:>9.3}  group {group} {runs}"));
            }
        }
    }
}

impl Machine {
    fn leased(&self, group: usize, resource: usize) -> bool {
        self.setup.groups[group].resources[resource].leased
    }

    fn place(&self, group: usize, resource: usize) -> Place {
        let group = &self.setup.groups[group];
        Place {
            group: group.id,
            resource: group.resources[resource].id,
        }
    }

    pub fn group(&self, id: GroupId) -> usize {
        let mut groups = self.setup.groups.iter();
        groups.position(|g| g.id == id).expect("it is configured")
    }

    /// The group and the resource, as the file counts them.
    pub fn find(&self, place: Place) -> (usize, usize) {
        let group = self.group(place.group);
        let mut resources = self.setup.groups[group].resources.iter();
        let resource = resources.position(|r| r.id == place.resource);
        (group, resource.expect("it is configured"))
    }

    fn takes_time(&self, place: Place, on: bool) -> bool {
        let (group, resource) = self.find(place);
        let span = if on {
            self.start_takes
        } else {
            self.stop_takes
        };
        !self.leased(group, resource) && !span.is_zero()
    }

    fn begin(&mut self, now: Time, place: Place, on: bool) {
        let (group, resource) = self.find(place);
        let (span, works) = match on {
            true => (self.start_takes, self.start_works),
            false => (self.stop_takes, self.stop_works),
        };
        // As systemd does: a new job of a unit takes the place of the one before.
        self.jobs
            .retain(|job| (job.group, job.resource) != (group, resource));
        self.jobs.push(Job {
            ends: now + span,
            op: Some(Op::Resource(place)),
            group,
            resource,
            on,
            works,
        });
    }
}

/// The heartbeats a side sent, for tests that replay them.
pub fn heartbeats(world: &World, side: Side) -> Vec<Heartbeat> {
    let sent = world.said.iter().filter(|(_, s, _)| *s == side);
    sent.filter_map(|(_, _, action)| match action {
        Action::Send(heartbeat) => Some((**heartbeat).clone()),
        _ => None,
    })
    .collect()
}
