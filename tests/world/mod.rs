//! A pair of real nodes in a made-up world: virtual time, a network that can be cut, a kernel that
//! expires addresses, disks and gateways that can fail. Nothing here decides anything.
#![allow(dead_code)] // each test binary uses its part

mod file;
mod machine;

pub use file::*;
pub use machine::{FOREVER, Machine};

use ha_appliance::core::Node;
use ha_appliance::core::event::{
    Action, Answer, Ask, Claimed, Command, Event, Extent, Op, Outcome, Presence, Unready,
};
use ha_appliance::core::setup::{CEDED, Failback, LIFETIME, Setup};
use ha_appliance::core::time::Time;
use ha_appliance::id::{GatewayId, GroupId, Place, ResourceId, VifId};
use ha_appliance::wire::heartbeat::{Heartbeat, Role, Side};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub const SIDES: [Side; 2] = [Side::First, Side::Second];

pub fn index(side: Side) -> usize {
    side as usize
}

/// A pair whose first node runs its group.
pub fn pair() -> World {
    let mut world = World::new(&[("web", None, Failback::Manual)]);
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(Duration::from_secs(2));
    assert!(world.runs(Side::First, 0));
    world
}

/// How a device is that switches a machine off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    Works,
    /// It does not answer.
    Dead,
    /// It tells the power, and switches nothing.
    Refuses,
    /// It accepts an off, and does nothing about it.
    Idles,
    /// The same, and it reads off whatever is true.
    Deceives,
}

/// Both machines and what is between them.
pub struct World {
    pub now: Time,
    pub machines: [Machine; 2],
    /// Heartbeats from that side arrive.
    pub link: [bool; 2],
    /// The path they take: the interlink, or the LAN's of last resort.
    pub path: usize,
    /// VIP interfaces between which no ARP passes.
    pub mute: BTreeSet<VifId>,
    /// Heartbeats and answers under way: when, to whom, what.
    wire: Vec<(Time, Side, Event)>,
    pub latency: Duration,
    /// Everything that was said: when, who, what.
    pub said: Vec<(Time, Side, Action)>,
    /// How each side's devices are, level by level, that switch the other machine off.
    pub devices: [Vec<Device>; 2],
    /// How long a machine takes to go off, and those that are about to.
    pub off_takes: Duration,
    /// How long a device takes to answer.
    pub device_takes: Duration,
    doomed: Vec<(Time, Side)>,
    /// When something began to run on both machines, and when that ended.
    pub overlap: Vec<String>,
    /// What does now.
    both: BTreeSet<String>,
    /// Groups and their resources, in the order in which a file in force first named them: their numbers.
    known: Vec<(GroupId, Vec<ResourceId>)>,
}

impl World {
    pub fn new(groups: &[(&str, Option<Side>, Failback)]) -> World {
        World::of(SIDES.map(|side| setup(side, groups)))
    }

    /// With these files.
    pub fn of(files: [Setup; 2]) -> World {
        World {
            now: Time(0),
            machines: files.map(Machine::new),
            link: [true; 2],
            path: 0,
            mute: BTreeSet::new(),
            wire: Vec::new(),
            latency: Duration::from_micros(200),
            said: Vec::new(),
            devices: [vec![Device::Works; 8], vec![Device::Works; 8]],
            off_takes: Duration::ZERO,
            device_takes: Duration::ZERO,
            doomed: Vec::new(),
            overlap: Vec::new(),
            both: BTreeSet::new(),
            known: Vec::new(),
        }
    }

    /// Starts a node's daemon.
    pub fn start(&mut self, side: Side) {
        let now = self.now;
        let machine = &mut self.machines[index(side)];
        machine.boots += 1;
        machine.setup = machine.file.clone();
        let incarnation = machine.boots * 2 + side as u64 + 1;
        let mut node = Node::new(
            now,
            machine.setup.clone(),
            incarnation,
            machine.disk.clone(),
            "test",
        );
        if machine.up {
            node = node.restarted(&machine.marks, machine.noted);
        }
        (machine.up, machine.powered) = (true, true);
        node.describe_vifs(&machine.vifs());
        machine.node = Some(node);
        SIDES.into_iter().for_each(|s| self.learn(s));
        self.step(side, Event::LinkUp);
        self.tell_vifs(side, &[]);
        self.step(side, Event::Tick);
    }

    /// Brings a node's file into force. False: a group that runs here is not in it, and nothing changes.
    pub fn reload(&mut self, side: Side) -> bool {
        let machine = &mut self.machines[index(side)];
        let Some(node) = &machine.node else {
            return false;
        };
        let kept = |id| machine.file.groups.iter().any(|g| g.id == id);
        let mut groups = node.view().groups.into_iter();
        if groups.any(|g| g.role != Role::Stopped && !kept(g.id)) {
            return false;
        }
        let before = machine.setup.vifs.clone();
        machine.setup = machine.file.clone();
        self.learn(side);
        let setup = self.machines[index(side)].setup.clone();
        self.step(side, Event::Setup(Box::new(setup)));
        let machine = &mut self.machines[index(side)];
        let vifs = machine.vifs();
        if let Some(node) = &mut machine.node {
            node.describe_vifs(&vifs);
        }
        self.tell_vifs(side, &before);
        true
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
        (machine.up, machine.powered) = (false, false);
        (machine.frozen, machine.queue) = (false, VecDeque::new());
        machine.marks.clear();
        machine.noted = None;
        machine.jobs.clear();
        machine.running.clear();
        machine.begun.clear();
    }

    /// A service dies, or somebody starts it by hand.
    pub fn switch(&mut self, side: Side, place: Place, on: bool) {
        let machine = &mut self.machines[index(side)];
        let event = match on {
            true => Event::Appeared { place },
            false => Event::Lost {
                place,
                why: "its process died".into(),
            },
        };
        match on {
            true => drop(machine.running.insert(place, FOREVER)),
            false => drop(machine.running.remove(&place)),
        }
        match machine.frozen {
            true => machine.queue.push_back(event),
            false => self.step(side, event),
        }
    }

    /// A resource says that it cannot run here, or that it can.
    pub fn ready(&mut self, side: Side, place: Place, lacks: Option<(String, Extent)>) {
        let unready = lacks.map(|(why, extent)| Unready { why, extent });
        self.step(side, Event::Ready { place, unready });
    }

    /// These gateways are in the routing table, and no others; None: one on each VIP interface.
    pub fn set_gateways(&mut self, side: Side, gateways: Option<Vec<GatewayId>>) {
        let machine = &mut self.machines[index(side)];
        machine.routes = gateways;
        let gateways = machine.gateways();
        self.step(side, Event::Gateways(gateways));
    }

    /// A gateway answers a node, or does not.
    pub fn set_gateway(&mut self, side: Side, gateway: GatewayId, works: bool) {
        let dead = &mut self.machines[index(side)].dead;
        match works {
            true => dead.remove(&gateway),
            false => dead.insert(gateway),
        };
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
    pub fn stop_by_others(&mut self, side: Side, place: Place) {
        self.machines[index(side)].running.remove(&place);
        self.step(side, Event::Stopped { place });
    }

    /// A service runs and does not do its work.
    pub fn fail_check(&mut self, side: Side, place: Place) {
        let why = "its check failed".into();
        let lost = Event::Lost { place, why };
        self.step(side, lost);
    }

    pub fn command(&mut self, side: Side, number: u32, command: Command) {
        self.step(side, Event::Command { number, command });
    }

    /// The first heartbeat that a node ever sent arrives once more.
    pub fn replay(&mut self, from: Side, to: Side) {
        let heartbeat = heartbeats(self, from).into_iter().next();
        self.heartbeat(to, heartbeat.expect("it has sent one"));
    }

    /// That heartbeat arrives at a node, whoever made it.
    pub fn heartbeat(&mut self, to: Side, heartbeat: Heartbeat) {
        let heartbeat = Box::new(heartbeat);
        self.step(to, Event::Heartbeat { path: 0, heartbeat });
    }

    pub fn set_carrier(&mut self, side: Side, vif: VifId, up: bool) {
        let unplugged = &mut self.machines[index(side)].unplugged;
        match up {
            true => unplugged.remove(&vif),
            false => unplugged.insert(vif),
        };
        self.step(side, Event::Carrier { vif, up });
    }

    /// No ARP passes on any VIP interface, or it does on all.
    pub fn set_arp(&mut self, passes: bool) {
        let vifs = self.machines.iter().flat_map(|m| &m.file.vifs).copied();
        self.mute = vifs.filter(|_| !passes).collect();
    }

    /// Runs the world until then. A node that is due again and again, at one moment or a microsecond after it,
    /// fails the test: it would keep a whole core busy.
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
        let machine = &self.machines[index(side)];
        let mut all = 0..machine.setup.groups[group].resources.len();
        all.all(|resource| {
            machine
                .running
                .contains_key(&machine.place(group, resource))
        })
    }

    /// The number of a group.
    pub fn number(&self, group: GroupId) -> usize {
        let place = self.known.iter().position(|(id, _)| *id == group);
        place.expect("it was in a file")
    }

    /// The numbers of a group and of its resource.
    pub fn numbers(&self, place: Place) -> (usize, usize) {
        let group = self.number(place.group);
        let mut resources = self.known[group].1.iter();
        let resource = resources.position(|id| *id == place.resource);
        (group, resource.expect("it was in a file"))
    }

    /// What has that number.
    pub fn place(&self, group: usize, resource: usize) -> Place {
        let (group, resources) = &self.known[group];
        Place {
            group: *group,
            resource: resources[resource],
        }
    }

    /// What a node's file names gets its numbers.
    fn learn(&mut self, side: Side) {
        for group in &self.machines[index(side)].in_force().groups {
            let at = self.known.iter().position(|(id, _)| *id == group.id);
            let at = at.unwrap_or_else(|| {
                self.known.push((group.id, vec![]));
                self.known.len() - 1
            });
            let known = &mut self.known[at].1;
            let new = group.resources.iter().map(|r| r.id);
            let new: Vec<ResourceId> = new.filter(|id| !known.contains(id)).collect();
            known.extend(new);
        }
    }

    /// Tells a node of its VIP interfaces' carriers and of its gateways, as far as it does not know.
    fn tell_vifs(&mut self, side: Side, known: &[VifId]) {
        let machine = &self.machines[index(side)];
        let mut vifs = machine.setup.vifs.clone();
        vifs.retain(|vif| !known.contains(vif));
        for &vif in &vifs {
            let up = !self.machines[index(side)].unplugged.contains(&vif);
            self.step(side, Event::Carrier { vif, up });
        }
        let gateways = self.machines[index(side)].gateways();
        self.step(side, Event::Gateways(gateways));
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
            .flat_map(|m| m.running.values().copied());
        let wire = self
            .wire
            .iter()
            .filter(|w| !self.machines[index(w.1)].frozen)
            .map(|w| w.0);
        let jobs = self.machines.iter().flat_map(|m| &m.jobs).map(|j| j.ends);
        let doomed = self.doomed.iter().map(|(at, _)| *at);
        let all = deadlines.chain(leases).chain(wire).chain(jobs);
        all.chain(doomed).min()
    }

    fn expire(&mut self) {
        let now = self.now;
        for machine in &mut self.machines {
            let (ended, running) = std::mem::take(&mut machine.running)
                .into_iter()
                .partition(|(_, until)| *until <= now);
            machine.running = running;
            for place in BTreeMap::<Place, Time>::into_keys(ended) {
                let why = "expired".into();
                machine.queue.push_back(Event::Lost { place, why });
            }
        }
    }

    /// Ends the starts and stops whose time has come, and switches off what is to be.
    fn work(&mut self) {
        let now = self.now;
        let doomed: Vec<Side> = (self.doomed.extract_if(.., |(at, _)| *at <= now))
            .map(|(_, side)| side)
            .collect();
        doomed.into_iter().for_each(|side| self.power_cut(side));
        for machine in &mut self.machines {
            let now = self.now;
            for job in machine.jobs.extract_if(.., |job| job.ends <= now) {
                match (job.works, job.on) {
                    (true, true) => drop(machine.running.insert(job.place, FOREVER)),
                    (true, false) => drop(machine.running.remove(&job.place)),
                    (false, _) => {}
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
                            path: self.path,
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
                let ends = now + self.latency * 2 + machine.disk_takes;
                self.wire
                    .push((ends, side, Event::Finished { op, outcome }));
                None
            }
            Action::Look(place) => {
                let presence = match machine.running.contains_key(place) {
                    true if machine.partial.contains(place) => Presence::Partial,
                    true => Presence::Running,
                    false => Presence::Absent,
                };
                let finished = Event::Finished {
                    op: Op::Resource(*place),
                    outcome: Outcome::Found(presence),
                };
                if machine.look_takes.is_zero() {
                    return Some(finished);
                }
                self.wire.push((now + machine.look_takes, side, finished));
                None
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
                    machine.partial.remove(place);
                    if machine.leased(*place) {
                        machine.ceded.remove(&place.group);
                    }
                    machine.begun.insert(*place);
                    let until = match machine.leased(*place) {
                        true => now + LIFETIME,
                        false => FOREVER,
                    };
                    machine.running.insert(*place, until);
                }
                done(place, machine.start_works, "no such interface")
            }
            Action::Stop(place) => {
                machine.begun.remove(place);
                if machine.stop_works {
                    machine.running.remove(place);
                }
                done(place, machine.stop_works, "operation not permitted")
            }
            Action::Cede(place) if !machine.cede_works => done(place, false, "no such address"),
            Action::Cede(place) => {
                if let Some(until) = machine.running.get_mut(place) {
                    *until = now + CEDED;
                }
                machine.ceded.insert(place.group);
                let end = done(place, true, "");
                if machine.cede_takes.is_zero() {
                    return end;
                }
                let ends = now + machine.cede_takes;
                self.wire.extend(end.map(|event| (ends, side, event)));
                None
            }
            Action::Renew { group, forever } => {
                let until = match forever {
                    true => FOREVER,
                    false => now + LIFETIME,
                };
                let groups = machine.setup.groups.iter().filter(|g| g.id == *group);
                let leased = groups.flat_map(|g| &g.resources).filter(|r| r.leased);
                for resource in leased {
                    let (group, resource) = (*group, resource.id);
                    let place = Place { group, resource };
                    if !machine.begun.contains(&place) && !machine.running.contains_key(&place) {
                        continue;
                    }
                    machine.running.insert(place, until); // also what was deleted
                }
                None
            }
            Action::Probe(group) => {
                self.probe(side, *group);
                None
            }
            Action::Ping { gateway, stamp } => {
                let cut = machine.unplugged.contains(&gateway.vif);
                if !cut && !machine.dead.contains(gateway) {
                    let (gateway, stamp) = (*gateway, *stamp);
                    self.send(side, 2, Event::Pong { gateway, stamp });
                }
                None
            }
            Action::Exit => {
                machine.node = None;
                None
            }
            Action::Device { device, ask } => {
                let device = *device;
                let powered = self.machines[index(peer)].powered;
                let answer = match (self.devices[index(side)][device], ask) {
                    (Device::Dead, _) => Answer::Failed("no reply".into()),
                    (Device::Deceives, Ask::Status) => Answer::Off,
                    (_, Ask::Status) if powered => Answer::On,
                    (_, Ask::Status) => Answer::Off,
                    (Device::Refuses, Ask::Off) => Answer::Failed("not permitted".into()),
                    (Device::Works, Ask::Off) => {
                        self.doomed.push((now + self.off_takes, peer));
                        Answer::Accepted
                    }
                    (Device::Idles | Device::Deceives, Ask::Off) => Answer::Accepted,
                };
                let ends = now + self.latency * 50 + self.device_takes;
                self.wire
                    .push((ends, side, Event::Device { device, answer }));
                None
            }
            Action::Note(count) => {
                machine.noted = Some(*count);
                None
            }
            Action::Cancel(op) => {
                let before = machine.jobs.len();
                machine.jobs.retain(|job| job.op != Some(*op));
                if machine.jobs.len() < before {
                    let outcome = Outcome::Failed("cancelled".into());
                    self.send(side, 100, Event::Finished { op: *op, outcome });
                }
                None
            }
            Action::Mark(group, started) => {
                machine.marks.retain(|(id, _)| id != group);
                machine
                    .marks
                    .extend(started.clone().map(|started| (*group, started)));
                None
            }
            Action::Part(place) => done(place, true, ""),
            Action::Announce(_) | Action::Proof { .. } => None,
            Action::Answer { .. } | Action::Reply(_) | Action::Report(_) => None,
        }
    }

    /// Asks for a group's VIPs, and for the peer's own address, on each of the group's interfaces.
    fn probe(&mut self, side: Side, group: GroupId) {
        let peer = side.other();
        let mut groups = self.machines[index(side)].setup.groups.iter();
        let vifs = groups.find(|g| g.id == group).map(|g| g.vifs.clone());
        let there = &self.machines[index(peer)];
        let has_vip = |place: &Place| place.group == group && there.leased(*place);
        let has_vip = there.running.keys().any(has_vip);
        let lives = there.node.is_some();
        for vif in vifs.unwrap_or_default() {
            let cut = self.machines.iter().any(|m| m.unplugged.contains(&vif));
            if cut || self.mute.contains(&vif) {
                continue;
            }
            let vips = has_vip.then_some(Claimed::Vip(group));
            for subject in vips
                .into_iter()
                .chain(lives.then_some(Claimed::PeerAddress))
            {
                let mac = mac_of(peer, vif);
                self.send(side, 2, Event::Claim { vif, subject, mac });
            }
        }
    }

    fn send(&mut self, to: Side, latencies: u32, event: Event) {
        self.wire
            .push((self.now + self.latency * latencies, to, event));
    }

    /// Nothing exclusive may run on both machines, but for addresses that the kernel is about to end.
    fn check(&mut self) {
        let [first, second] = &self.machines;
        let groups = first.in_force().groups.iter().map(|g| g.id);
        let both = groups.filter(|group| self.machines.iter().all(|m| m.keeps(*group)));
        let both = both.map(|group| format!("group {}", self.number(group)));
        // What is called the same in two groups is the same thing: another group's is no excuse.
        let moved = first.named().filter_map(|here| {
            let mut there = second.named();
            let there = there.find(|p| p.resource == here.resource && p.group != here.group)?;
            let [a, b] = [here, there].map(|place| self.numbers(place));
            Some(format!(
                "resource {} of group {}, {} of group {},",
                a.1, a.0, b.1, b.0
            ))
        });
        let both: BTreeSet<String> = both.chain(moved).collect();
        let at = self.now.0 as f64 / 1e6;
        for what in both.difference(&self.both) {
            self.overlap.push(format!("{at:>9.3}  {what} runs on both"));
        }
        for what in self.both.difference(&both) {
            self.overlap.push(format!("{at:>9.3}  {what} no more"));
        }
        self.both = both;
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
