//! What the pair is configured to run.

use super::bounds::Bounds;
use ha_appliance::core::setup::{
    CEDED, Failback, FencingSetup, GatewaySetup, GroupSetup, LIFETIME, ResourceSetup, Setup,
};
use ha_appliance::id::{GatewayId, GroupId, Place, ResourceId, VifId};
use ha_appliance::wire::heartbeat::{GatewayReport, Side, VifReport};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The most groups that a search has, and the most resources that a group has.
pub const GROUPS: usize = 2;
pub const RESOURCES: usize = 2;

/// What a group consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One resource that holds data.
    Data,
    /// An address, which moves without a gap.
    Vip,
    /// An address and a service.
    VipService,
    /// Data, and a service that the new file has in the other group.
    Giver,
    /// Data, and from the new file on that service.
    Taker,
}

impl Kind {
    /// Its resources in the old file or the new one; the kernel ends those that are leased.
    pub fn resources(self, new: bool) -> Vec<ResourceSetup> {
        let resource = |id, leased, data| ResourceSetup {
            id: ResourceId(id),
            definition: 0,
            exclusive: true,
            data,
            leased,
            lingers: false,
            start_timeout: NEVER,
            stop_timeout: NEVER,
            restarts: 1,
            window: Duration::from_secs(600),
            fail_expiry: Some(Duration::from_secs(3600)),
        };
        match self {
            Kind::Giver | Kind::Taker if (self == Kind::Taker) == new => {
                vec![resource(1, false, true), resource(2, false, false)]
            }
            Kind::Data | Kind::Giver | Kind::Taker => vec![resource(1, false, true)],
            Kind::Vip => vec![resource(1, true, false)],
            Kind::VipService => vec![resource(1, true, false), resource(2, false, false)],
        }
    }

    /// Whether the kernel ends that one.
    pub fn leased(self, resource: usize) -> bool {
        matches!(self, Kind::Vip | Kind::VipService) && resource == 0
    }

    /// How many run where the group does, whatever the files.
    pub fn count(self) -> usize {
        1 + (self == Kind::VipService) as usize
    }
}

/// Longer than any search lasts.
const NEVER: Duration = Duration::from_secs(86_400);

/// What a group is known by.
pub fn group(index: usize) -> GroupId {
    GroupId(7 + index as u64)
}

/// The same of a resource.
pub fn place(index: usize, resource: usize) -> Place {
    Place {
        group: group(index),
        resource: ResourceId(1 + resource as u64),
    }
}

/// The index of a group.
pub fn index(id: GroupId) -> usize {
    id.0 as usize - 7
}

/// The index of a resource, with its group's.
pub fn indices(place: Place) -> (usize, usize) {
    (index(place.group), place.resource.0 as usize - 1)
}

/// The interface on one of the clients' networks.
pub fn network(at: usize) -> VifId {
    VifId(1 + at as u64)
}

/// The gateway there.
pub fn gateway(at: usize) -> GatewayId {
    GatewayId {
        vif: network(at),
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2 + at as u8, 254)),
    }
}

/// Whose token a group's first one is: active on both, if there are two.
pub fn preferred(group: usize) -> Side {
    [Side::First, Side::Second][group]
}

/// A gateway in best effort only; times that are few
/// multiples of the heartbeat interval. `new`: by the new file, where there are two.
pub fn setup(me: Side, bounds: &Bounds, new: bool) -> Setup {
    let interval = bounds.interval();
    let patience = if bounds.timeouts { 2 * interval } else { NEVER };
    let more = bounds.misses_differ && me == Side::First;
    let misses = bounds.misses + u32::from(more);
    let of_kind = |(index, kind): (usize, &Kind)| {
        let mut resources = kind.resources(new);
        for it in &mut resources {
            (it.start_timeout, it.stop_timeout) = (patience, patience);
            it.lingers = bounds.drbd.is_some() && it.data;
        }
        GroupSetup {
            id: group(index),
            prefer: Some(preferred(index)),
            failback: Failback::Manual,
            resources,
            vifs: vifs_of(index, bounds),
        }
    };
    Setup {
        me,
        names: ["first".into(), "second".into()],
        cluster: 1,
        nodes: 1 + (new && !bounds.two_lists()) as u64,
        digest: 1,
        links: 1,
        interval,
        misses,
        start_wait: interval * misses,
        wait_for_peer: false,
        gateway: gateway_setup(bounds),
        groups: bounds.groups.iter().enumerate().map(of_kind).collect(),
        vifs: (0..bounds.networks).map(network).collect(),
        fencing: fencing(bounds),
    }
}

fn vifs_of(group: usize, bounds: &Bounds) -> Vec<VifId> {
    let networks = (0..bounds.networks).filter(|at| bounds.stands_on(group, *at));
    networks.map(network).collect()
}

/// One device a machine; its times are few intervals, and `delay` the least that keeps its promise.
pub fn fencing(bounds: &Bounds) -> Option<FencingSetup> {
    let interval = bounds.interval();
    let detection = interval * bounds.misses;
    // Patience, an open instant, two counts' drift (a detection time and three intervals), and off.
    // A device is read, the disk told, and a shot sent, each in a step of its own.
    let patience = detection + interval;
    let least = patience + 2 * detection + 3 * interval + off_time(bounds);
    let delay = match bounds.delay {
        0 => least,
        intervals => interval * intervals,
    };
    bounds.devices.then_some(FencingSetup {
        devices: 1,
        ids: [1, 2, 3, 4, 5, 6, 7, 8],
        patience,
        delay,
        settle: interval,
        off_time: off_time(bounds),
        off_deadline: 3 * interval,
        grace: 4 * interval,
        lag: Duration::ZERO,
    })
}

/// How long a machine may live of which a device was asked to switch it off.
fn off_time(bounds: &Bounds) -> Duration {
    bounds.interval()
}

/// The same in time steps.
pub fn off_steps(bounds: &Bounds) -> u8 {
    steps(off_time(bounds), bounds)
}

/// For how many time steps an instant is open.
pub fn instant_steps(bounds: &Bounds) -> u8 {
    steps(bounds.interval() * bounds.misses, bounds)
}

/// Within how many time steps whoever has an address on a network that is there was asked for it.
pub fn probe_steps(bounds: &Bounds) -> u8 {
    steps(2 * bounds.interval(), bounds)
}

fn gateway_setup(bounds: &Bounds) -> GatewaySetup {
    let interval = bounds.interval();
    GatewaySetup {
        require_all: false,
        interval,
        timeout: interval / 2,
        misses: 2,
        dampening: 2 * interval,
    }
}

/// The hardware address of a machine on its networks.
pub fn mac(side: Side) -> [u8; 6] {
    [2, 0, 0, 0, 0, 1 + side as u8]
}

/// What a machine tells of its interfaces there.
pub fn vifs(side: Side, bounds: &Bounds) -> Vec<VifReport> {
    let vif = |at| VifReport {
        id: network(at),
        gateway: GatewayReport::default(),
        mac: mac(side),
        address: [192, 0, 2 + at as u8, 1 + side as u8].into(),
    };
    (0..bounds.networks).map(vif).collect()
}

/// How long an address lives that is not renewed, in time steps.
pub fn lifetime(bounds: &Bounds) -> u8 {
    steps(LIFETIME, bounds)
}

/// How long one that is being handed over does.
pub fn ceded(bounds: &Bounds) -> u8 {
    steps(CEDED, bounds)
}

/// How many time steps too early the kernel may end it (0.25 s: ADDRCONF_TIMER_FUZZ in
/// include/net/addrconf.h).
pub fn early(bounds: &Bounds) -> u8 {
    (250 / bounds.quantum.as_millis()) as u8
}

fn steps(span: Duration, bounds: &Bounds) -> u8 {
    span.as_micros().div_ceil(bounds.quantum.as_micros()) as u8
}
