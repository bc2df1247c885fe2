//! One machine, apart from its node's mind: its kernel's VIPs and services, its disk, its daemon's
//! queues, and what is wrong with it.

use super::clock::Clock;
use super::net::Topology;
use ha_appliance::core::Node;
use ha_appliance::core::event::{Action, Event};
use ha_appliance::core::peer::VERSIONS;
use ha_appliance::core::protocol::fencing::Count;
use ha_appliance::core::protocol::group::Started;
use ha_appliance::core::record::Record;
use ha_appliance::core::setup::{GroupSetup, ResourceSetup, Setup};
use ha_appliance::core::time::Time;
use ha_appliance::id::{GroupId, Place};
use ha_appliance::wire::heartbeat::Versions;
use std::collections::VecDeque;
use std::rc::Rc;

/// One machine.
pub struct Machine {
    /// Every group and resource that a file ever names: what runs is counted as here.
    pub catalogue: Rc<[GroupSetup]>,
    /// The configuration in force, and ha.toml.
    pub setup: Setup,
    pub file: Setup,
    /// The wire versions that its daemon speaks, and those of the program that is installed.
    pub speaks: Versions,
    pub installed: Versions,
    pub clock: Clock,
    /// Parts per million of its clock; keeps over reboots.
    pub ppm: i64,
    pub powered: bool,
    /// The daemon; None: it does not run.
    pub node: Option<Node>,
    /// Counts daemons, so that what belongs to a dead one is recognised.
    pub life: u64,
    /// Per group and resource.
    pub kernel: Vec<Vec<Resource>>,
    /// The services' starts and stops under way; they go on when the daemon dies.
    pub jobs: Vec<Job>,
    pub disk: Disk,
    /// What the run directory says of what was started in this boot.
    pub marks: Vec<(GroupId, Started)>,
    /// Since when the peer may be gone, as the run directory says.
    pub noted: Option<Count>,
    pub paused: Option<Pause>,
    /// What the daemon has yet to read.
    pub inbox: Vec<Event>,
    /// Events that follow from this step's actions at once.
    pub pending: VecDeque<Event>,
    /// Actions of a step that a pause interrupted.
    pub held: VecDeque<Action>,
    /// The port of each VIP interface.
    pub carriers: Vec<bool>,
    /// The VIP interface of each gateway, and whether it answers.
    pub gateways: Vec<(usize, bool)>,
    /// The chance that a start, or a stop, fails.
    pub start_fails: f64,
    pub stop_fails: f64,
    /// The chance that a stop says done and did nothing.
    pub stop_lies: f64,
    /// The chance that an operation of a service takes long or hangs.
    pub slow: f64,
    /// The chance that a service dies soon after its start.
    pub flaky: f64,
    /// When a stop last failed here, and when a service's start or stop last ended.
    pub bad_stop: i64,
    pub worked: i64,
    /// The daemon will be stopped inside its next step: paused, or killed.
    pub ambush: Option<(Ambush, Where)>,
    /// The least and the most that its configurations ever said.
    pub rhythm: Rhythm,
}

/// How fast a node's heartbeats come and how soon it takes the peer for silent: least and most.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    /// Microseconds.
    pub interval: (i64, i64),
    pub misses: (u32, u32),
}

impl Rhythm {
    fn of(setup: &Setup) -> Rhythm {
        let interval = setup.interval.as_micros() as i64;
        Rhythm {
            interval: (interval, interval),
            misses: (setup.misses, setup.misses),
        }
    }

    /// A configuration came into force.
    pub fn includes(&mut self, setup: &Setup) {
        let new = Rhythm::of(setup);
        self.interval.0 = self.interval.0.min(new.interval.0);
        self.interval.1 = self.interval.1.max(new.interval.1);
        self.misses.0 = self.misses.0.min(new.misses.0);
        self.misses.1 = self.misses.1.max(new.misses.1);
    }
}

/// Something that runs, or does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resource {
    pub on: bool,
    /// When the kernel ends it.
    pub until: Option<Time>,
    /// It has no end: maintenance.
    pub forever: bool,
    /// The machine's time at which it was left to end by itself, for the peer.
    pub ceded: Option<Time>,
    /// When a stop of it last said done, and was not.
    pub lied: Option<i64>,
    /// A person started it.
    pub by_hand: bool,
    /// True time since which it is on.
    pub since: i64,
}

/// A service's start or stop.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub number: u64,
    pub group: usize,
    pub resource: usize,
    pub on: bool,
    /// True time at which the daemon asked for it.
    pub asked: i64,
    /// It will say done, and do nothing.
    pub lies: bool,
}

/// The state directory.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub record: Record,
    /// What it held before, the newest last, for rollbacks.
    pub older: Vec<Record>,
    pub writing: Option<Record>,
    pub fails: bool,
    pub slow: bool,
    /// It forgot something it should have kept, once.
    pub forgot: bool,
    /// A write failed, once.
    pub failed: bool,
}

/// Why the daemon does not run although it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The process is stopped; the kernel goes on.
    Process,
    /// The whole machine is, its timers too. Its clock stands still, or jumps when it resumes.
    Machine { since: i64, clock_stops: bool },
}

/// What happens to the daemon inside its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambush {
    Pause(i64),
    Kill,
}

/// Which step that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// One that does more than keep the rhythm.
    Anywhere,
    /// One that hands something over, or takes it.
    Handover,
}

impl Machine {
    pub fn new(setup: Setup, topology: &Topology, ppm: i64) -> Machine {
        Machine {
            catalogue: setup.groups.clone().into(),
            file: setup.clone(),
            speaks: VERSIONS,
            installed: VERSIONS,
            kernel: setup
                .groups
                .iter()
                .map(|g| vec![Resource::default(); g.resources.len()])
                .collect(),
            jobs: Vec::new(),
            rhythm: Rhythm::of(&setup),
            setup,
            clock: Clock::new(0, 0, ppm),
            ppm,
            powered: false,
            node: None,
            life: 0,
            disk: Disk::default(),
            marks: Vec::new(),
            noted: None,
            paused: None,
            inbox: Vec::new(),
            pending: VecDeque::new(),
            held: VecDeque::new(),
            carriers: vec![true; topology.lans.len()],
            gateways: topology.gateways.iter().map(|vif| (*vif, true)).collect(),
            start_fails: 0.0,
            stop_fails: 0.0,
            stop_lies: 0.0,
            slow: 0.0,
            flaky: 0.0,
            bad_stop: i64::MIN / 2,
            worked: i64::MIN / 2,
            ambush: None,
        }
    }

    /// Whatever its agents suffer from ends.
    pub fn repair(&mut self) {
        (self.start_fails, self.stop_fails) = (0.0, 0.0);
        (self.slow, self.flaky, self.stop_lies) = (0.0, 0.0, 0.0);
    }

    /// The daemon takes part: it lives and runs.
    pub fn awake(&self) -> bool {
        self.node.is_some() && self.paused.is_none()
    }

    /// The kernel does: it answers ARP.
    pub fn kernel_runs(&self) -> bool {
        self.powered && !matches!(self.paused, Some(Pause::Machine { .. }))
    }

    /// A gateway answers it on a VIP interface.
    pub fn reaches(&self, vif: usize) -> bool {
        let mut gateways = self.gateways.iter();
        self.carriers[vif] && gateways.any(|(on, up)| *on == vif && *up)
    }

    /// A gateway answers it on some VIP interface of the group.
    pub fn reaches_any(&self, group: usize) -> bool {
        let mut vifs = self.catalogue[group].vifs.iter();
        vifs.any(|vif| self.reaches(vif.0 as usize))
    }

    /// A group's index in the configuration in force; None: it is not in it.
    pub fn place(&self, group: usize) -> Option<usize> {
        let id = self.catalogue[group].id;
        self.setup.groups.iter().position(|g| g.id == id)
    }

    /// A resource's index in the configuration in force.
    pub fn place_of(&self, group: usize, resource: usize) -> Option<(usize, usize)> {
        let place = self.place(group)?;
        let id = self.catalogue[group].resources[resource].id;
        let mut resources = self.setup.groups[place].resources.iter();
        Some((place, resources.position(|r| r.id == id)?))
    }

    /// What a group of the catalogue is known by, and a resource of it.
    pub fn name(&self, group: usize, resource: usize) -> Place {
        let group = &self.catalogue[group];
        Place {
            group: group.id,
            resource: group.resources[resource].id,
        }
    }

    /// A group's index in the catalogue.
    pub fn group(&self, id: GroupId) -> usize {
        let mut all = self.catalogue.iter();
        all.position(|g| g.id == id).expect("in the catalogue")
    }

    /// A resource's, with its group's.
    pub fn find(&self, place: Place) -> (usize, usize) {
        let group = self.group(place.group);
        let mut all = self.catalogue[group].resources.iter();
        let resource = all.position(|r| r.id == place.resource);
        (group, resource.expect("in the catalogue"))
    }

    /// What the configuration in force no longer names is let go of: nobody's from then on.
    pub fn let_go(&mut self) {
        for group in 0..self.kernel.len() {
            for resource in 0..self.kernel[group].len() {
                if self.place_of(group, resource).is_none() {
                    self.kernel[group][resource].by_hand = true;
                }
            }
        }
    }

    /// The group's leased resource, if it is on: the VIP.
    pub fn vip(&self, group: usize) -> Option<&Resource> {
        let resources = self.kernel[group]
            .iter()
            .zip(&self.catalogue[group].resources);
        resources
            .filter(|(r, s)| s.leased && r.on)
            .map(|(r, _)| r)
            .next()
    }

    /// What of the group is on that must not be on both machines, by the daemons' doing.
    pub fn exclusive(&self, group: usize) -> impl Iterator<Item = &Resource> {
        let resources = self.kernel[group]
            .iter()
            .zip(&self.catalogue[group].resources);
        let exclusive = |r: &Resource, s: &ResourceSetup| s.exclusive && r.on && !r.by_hand;
        resources
            .filter(move |(r, s)| exclusive(r, s))
            .map(|(r, _)| r)
    }

    /// The same without what the kernel ends by itself.
    pub fn services(&self, group: usize) -> impl Iterator<Item = &Resource> {
        let resources = self.kernel[group]
            .iter()
            .zip(&self.catalogue[group].resources);
        let service =
            |r: &Resource, s: &ResourceSetup| s.exclusive && !s.leased && r.on && !r.by_hand;
        resources
            .filter(move |(r, s)| service(r, s))
            .map(|(r, _)| r)
    }

    /// Its daemon speaks one of these versions.
    pub fn understands(&self, theirs: Versions) -> bool {
        theirs.highest >= self.speaks.lowest && theirs.lowest <= self.speaks.highest
    }

    /// Everything that is to run where the group does is on.
    pub fn complete(&self, group: usize) -> bool {
        self.configured(group).all(|(r, _)| r.on)
    }

    /// Everything that is to run on both machines is on.
    pub fn both_complete(&self, group: usize) -> bool {
        self.configured(group).all(|(r, s)| s.exclusive || r.on)
    }

    /// Nothing exclusive of the group is on, whoever started it.
    pub fn empty(&self, group: usize) -> bool {
        self.configured(group).all(|(r, s)| !s.exclusive || !r.on)
    }

    fn configured(&self, group: usize) -> impl Iterator<Item = (&Resource, &ResourceSetup)> {
        let resources = self.kernel[group]
            .iter()
            .zip(&self.catalogue[group].resources)
            .enumerate();
        resources
            .filter(move |(index, _)| self.place_of(group, *index).is_some())
            .map(|(_, both)| both)
    }

    /// The daemon ends, and with it what it had not done yet. A write under way lands or does not.
    pub fn end_daemon(&mut self, lands: bool) {
        self.node = None;
        self.life += 1;
        self.inbox.clear();
        self.pending.clear();
        self.held.clear();
        self.ambush = None;
        if self.paused == Some(Pause::Process) {
            self.paused = None;
        }
        if let Some(record) = self.disk.writing.take()
            && lands
        {
            self.disk.land(record);
        }
    }
}

impl Disk {
    /// A write arrived.
    pub fn land(&mut self, record: Record) {
        let old = std::mem::replace(&mut self.record, record);
        self.older.push(old);
        if self.older.len() > 20 {
            self.older.remove(0);
        }
    }
}
