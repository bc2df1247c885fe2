//! What one machine is, apart from its node's mind: its file, its disk, and what its kernel and systemd do.

use super::file::{gateway, mac_of, service, vip};
use ha_appliance::core::Node;
use ha_appliance::core::event::{Event, Op};
use ha_appliance::core::protocol::fencing::Count;
use ha_appliance::core::protocol::group::Started;
use ha_appliance::core::record::Record;
use ha_appliance::core::setup::{ResourceSetup, Setup};
use ha_appliance::core::time::Time;
use ha_appliance::id::{GatewayId, GroupId, Place, VifId};
use ha_appliance::wire::heartbeat::{GatewayReport, VifReport};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// What runs until somebody stops it.
pub const FOREVER: Time = Time(i64::MAX);

pub struct Machine {
    /// ha.toml as it stands on the disk; a start or a reload brings it into force.
    pub file: Setup,
    /// What is in force.
    pub setup: Setup,
    pub node: Option<Node>,
    pub disk: Record,
    /// What the run directory says of what was started in this boot.
    pub marks: Vec<(GroupId, Started)>,
    /// Since when the peer may be gone, as the run directory says.
    pub noted: Option<Count>,
    pub disk_works: bool,
    /// Until when each resource that runs does.
    pub running: BTreeMap<Place, Time>,
    /// What runs not all of, as a look finds.
    pub partial: BTreeSet<Place>,
    /// Groups whose addresses were left to end by themselves.
    pub(super) ceded: BTreeSet<GroupId>,
    /// What was started and not stopped since: a renewal brings back what was deleted of it, and nothing else.
    pub(super) begun: BTreeSet<Place>,
    /// The gateways in its routing table; None: one on each VIP interface.
    pub routes: Option<Vec<GatewayId>>,
    /// Gateways that do not answer it.
    pub dead: BTreeSet<GatewayId>,
    /// VIP interfaces without carrier.
    pub unplugged: BTreeSet<VifId>,
    /// Stops and starts fail.
    pub stop_works: bool,
    pub start_works: bool,
    /// Starts can be asked for; otherwise they end without an answer.
    pub starts_answered: bool,
    /// How long the starts, and the stops, of services take.
    pub start_takes: Duration,
    pub stop_takes: Duration,
    /// How long a look takes.
    pub look_takes: Duration,
    /// Addresses can be given a short end, and how long that takes.
    pub cede_works: bool,
    pub cede_takes: Duration,
    /// How long a write takes that is more than a moment.
    pub disk_takes: Duration,
    /// Starts and stops under way; they go on without the daemon.
    pub(super) jobs: Vec<Job>,
    /// What the shell would do next: events queued behind the one being handled.
    pub(super) queue: VecDeque<Event>,
    pub frozen: bool,
    pub(super) boots: u64,
    /// It has power.
    pub powered: bool,
    /// A daemon ran since its power came.
    pub(super) up: bool,
}

/// A start or stop under way.
pub(super) struct Job {
    pub ends: Time,
    /// None: the daemon that began it is no more.
    pub op: Option<Op>,
    pub place: Place,
    pub on: bool,
    pub works: bool,
}

impl Machine {
    pub fn new(file: Setup) -> Machine {
        Machine {
            setup: file.clone(),
            file,
            node: None,
            disk: Record::default(),
            marks: Vec::new(),
            noted: None,
            disk_works: true,
            running: BTreeMap::new(),
            partial: BTreeSet::new(),
            ceded: BTreeSet::new(),
            begun: BTreeSet::new(),
            routes: None,
            dead: BTreeSet::new(),
            unplugged: BTreeSet::new(),
            stop_works: true,
            start_works: true,
            starts_answered: true,
            start_takes: Duration::ZERO,
            stop_takes: Duration::ZERO,
            look_takes: Duration::ZERO,
            cede_works: true,
            cede_takes: Duration::ZERO,
            disk_takes: Duration::ZERO,
            jobs: Vec::new(),
            queue: VecDeque::new(),
            frozen: false,
            boots: 0,
            powered: false,
            up: false,
        }
    }

    /// The configuration in force, or the one that the first daemon will bring into force.
    pub fn in_force(&self) -> &Setup {
        match self.boots {
            0 => &self.file,
            _ => &self.setup,
        }
    }

    /// A resource as it is in force; None: it is in ha.toml no more, and nobody looks after it.
    pub fn find(&self, place: Place) -> Option<&ResourceSetup> {
        let groups = self.in_force().groups.iter();
        let mut groups = groups.filter(|g| g.id == place.group);
        let mut resources = groups.next()?.resources.iter();
        resources.find(|r| r.id == place.resource)
    }

    /// A resource by its place in the file.
    pub fn place(&self, group: usize, resource: usize) -> Place {
        let group = &self.setup.groups[group];
        Place {
            group: group.id,
            resource: group.resources[resource].id,
        }
    }

    /// What of a group runs here and must not run on both, other than addresses that are about to end.
    pub(super) fn keeps(&self, group: GroupId) -> bool {
        let exclusive = |place: &Place| self.find(*place).is_some_and(|r| r.exclusive);
        let mut all = self.running.keys().filter(|place| place.group == group);
        all.any(exclusive) && !self.ceded.contains(&group)
    }

    /// What runs here, is exclusive, and is called something, beyond what kind it is.
    pub(super) fn named(&self) -> impl Iterator<Item = Place> {
        let kinds = [vip().id, service().id];
        let all = self.running.keys().copied();
        all.filter(move |place| {
            !kinds.contains(&place.resource) && self.find(*place).is_some_and(|r| r.exclusive)
        })
    }

    pub(super) fn leased(&self, place: Place) -> bool {
        self.find(place).is_some_and(|r| r.leased)
    }

    /// What it tells of its VIP interfaces.
    pub(super) fn vifs(&self) -> Vec<VifReport> {
        let me = self.setup.me;
        let report = |&id: &VifId| VifReport {
            id,
            gateway: GatewayReport::default(),
            mac: mac_of(me, id),
            address: [192, 0, 2, 1 + me as u8].into(),
        };
        self.setup.vifs.iter().map(report).collect()
    }

    /// The gateways that it knows.
    pub(super) fn gateways(&self) -> Vec<GatewayId> {
        let each = || self.setup.vifs.iter().map(|&vif| gateway(vif, 1)).collect();
        self.routes.clone().unwrap_or_else(each)
    }

    /// Services need the time that was said; what is done to an address is done at once.
    pub(super) fn takes_time(&self, place: Place, on: bool) -> bool {
        let span = match on {
            true => self.start_takes,
            false => self.stop_takes,
        };
        !self.leased(place) && !span.is_zero()
    }

    pub(super) fn begin(&mut self, now: Time, place: Place, on: bool) {
        let (span, works) = match on {
            true => (self.start_takes, self.start_works),
            false => (self.stop_takes, self.stop_works),
        };
        // As systemd does: a new job of a unit takes the place of the one before.
        self.jobs.retain(|job| job.place != place);
        self.jobs.push(Job {
            ends: now + span,
            op: Some(Op::Resource(place)),
            place,
            on,
            works,
        });
    }
}
