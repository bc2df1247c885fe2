//! The configurations the simulator plays: drawn at random around the defaults of ha.toml.

use super::net::{Medium, Topology};
use super::rng::Rng;
use ha_appliance::core::protocol::fencing::least_delay;
use ha_appliance::core::setup::{
    Failback, FencingSetup, GatewaySetup, GroupSetup, ResourceSetup, Setup,
};
use ha_appliance::id::{GroupId, ResourceId, VifId};
use ha_appliance::wire::heartbeat::{Side, hash};
use std::time::Duration;

/// Both nodes' view of one file. Different intervals are drift: the other node was not reloaded yet.
pub fn draw(rng: &mut Rng, fenced: bool) -> [Setup; 2] {
    let misses = rng.pick(&[3, 5, 5, 5, 8]);
    let intervals = match rng.below(4) {
        0 => [rng.pick(&[50, 100, 200]), rng.pick(&[50, 100, 200])],
        1 => [50; 2],
        _ => [100; 2],
    };
    let names: &[&str] = if rng.chance(0.4) {
        &["web", "mail"]
    } else {
        &["web"]
    };
    let groups: Vec<GroupSetup> = names.iter().map(|name| group(rng, name, fenced)).collect();
    let start_wait = Duration::from_millis(rng.between(2000, 10_000) as u64);
    let wait_for_peer = rng.chance(0.05);
    let setup = |me| Setup {
        me,
        names: ["first".into(), "second".into()],
        cluster: hash("simulated"),
        nodes: hash("first\nsecond"),
        digest: 1,
        links: 1,
        interval: Duration::from_millis(intervals[me as usize]),
        misses,
        start_wait,
        wait_for_peer,
        gateway: GatewaySetup {
            require_all: false,
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
            misses: 3,
            dampening: Duration::from_secs(5),
        },
        vifs: vec![VifId(0)],
        groups: groups.clone(),
        fencing: None,
    };
    [setup(Side::First), setup(Side::Second)]
}

/// More of everything: links, LANs and gateways, groups that prefer different nodes.
pub fn widen(rng: &mut Rng, setups: &mut [Setup; 2]) -> Topology {
    let links: &[&[Medium]] = &[
        &[Medium::Interlink],
        &[Medium::Interlink, Medium::Spare],
        &[Medium::Interlink, Medium::Lan],
        &[Medium::Lan],
    ];
    let (lans, gateways): (&[Medium], &[usize]) = match rng.below(4) {
        0 => (&[Medium::Lan], &[0]),
        1 => (&[Medium::Lan], &[0, 0]),
        2 => (&[Medium::Lan, Medium::OtherLan], &[0, 1]),
        _ => (&[Medium::Lan, Medium::OtherLan], &[0, 1, 1]),
    };
    let topology = Topology {
        links: rng.pick(links).to_vec(),
        lans: lans.to_vec(),
        gateways: gateways.to_vec(),
    };
    let require_all = rng.chance(0.4);
    let wait_for_peer = rng.chance(0.15);
    let active_active = rng.chance(0.5);
    let on: Vec<Vec<usize>> = setups[0]
        .groups
        .iter()
        .map(|_| match lans.len() {
            1 => vec![0],
            _ => [vec![0], vec![1], vec![0, 1]][rng.below(3)].clone(),
        })
        .collect();
    let failbacks: Vec<Failback> = (on.iter())
        .map(|_| {
            let after = |s| Failback::After(Duration::from_secs(s));
            rng.pick(&[Failback::Manual, after(0), after(7), after(30)])
        })
        .collect();
    for setup in setups {
        setup.links = topology.links.len();
        setup.vifs = (0..lans.len() as u64).map(VifId).collect();
        setup.gateway.require_all = require_all;
        setup.wait_for_peer = wait_for_peer;
        for (index, group) in setup.groups.iter_mut().enumerate() {
            group.vifs = on[index].iter().map(|&vif| VifId(vif as u64)).collect();
            group.failback = failbacks[index];
            if active_active {
                group.prefer = Some([Side::First, Side::Second][index % 2]);
            }
        }
    }
    topology
}

/// Devices that switch machines off, level by level, and times around the defaults; `delay` is what keeps its promise
/// by the file, rounded up to a second.
pub fn arm(rng: &mut Rng, setups: &mut [Setup; 2], levels: usize) {
    let seconds = |rng: &mut Rng, of: &[u64]| Duration::from_secs(rng.pick(of));
    let fencing = FencingSetup {
        devices: levels,
        ids: [1, 2, 3, 4, 5, 6, 7, 8],
        patience: Duration::from_millis(rng.pick(&[1700, 2000, 2000, 3500])),
        delay: Duration::ZERO,
        settle: Duration::from_millis(rng.pick(&[500, 1000, 1000, 2000])),
        off_time: seconds(rng, &[2, 4, 4, 6]),
        off_deadline: seconds(rng, &[10, 30, 60]),
        grace: seconds(rng, &[5, 20]),
        lag: Duration::from_millis(rng.pick(&[100, 500])),
    };
    let more = seconds(rng, &[0, 0, 1, 5]);
    for setup in setups {
        setup.fencing = Some(fencing);
        set_delay(setup, more);
    }
}

/// The delay follows from the rest of the file.
pub fn set_delay(setup: &mut Setup, more: Duration) {
    if let Some(fencing) = setup.fencing {
        let detection = setup.detection_time(setup.interval);
        let least = least_delay(detection, setup.interval, &fencing);
        let delay = Duration::from_secs(least.as_micros().div_ceil(1_000_000) as u64) + more;
        setup.fencing = Some(FencingSetup { delay, ..fencing });
    }
}

/// The defaults, one group of an address and a service, nothing drawn.
pub fn plain() -> [Setup; 2] {
    let mut setups = draw(&mut Rng::new(0), false);
    for setup in &mut setups {
        setup.interval = Duration::from_millis(100);
        setup.misses = 5;
        setup.wait_for_peer = false;
        setup.start_wait = Duration::from_secs(10);
        setup.groups.truncate(1);
        setup.groups[0].resources = vec![
            vip(),
            ResourceSetup {
                id: ResourceId(2),
                definition: 0,
                restarts: 1,
                window: Duration::from_secs(600),
                ..service()
            },
        ];
        setup.groups[0].prefer = None;
        setup.groups[0].failback = Failback::Manual;
    }
    setups
}

fn group(rng: &mut Rng, name: &str, fenced: bool) -> GroupSetup {
    let restarts = rng.pick(&[0, 1, 1, 2]);
    let window = Duration::from_secs(rng.pick(&[5, 600]));
    let fail_expiry = rng
        .pick(&[None, Some(20), Some(3600)])
        .map(Duration::from_secs);
    let service = |id| ResourceSetup {
        id: ResourceId(id),
        restarts,
        window,
        fail_expiry,
        ..service()
    };
    let both = |name| ResourceSetup {
        exclusive: false,
        ..service(name)
    };
    let data = ResourceSetup {
        data: fenced && rng.chance(0.5),
        ..service(2)
    };
    let resources = match rng.below(10) {
        0 => vec![data, vip()],
        1 => vec![vip(), service(2)],
        2 => vec![vip(), both(2)],
        3 => vec![both(2), vip(), both(3)],
        4 => vec![data, vip(), service(3)],
        5 => vec![vip(), service(2), both(3)],
        6 => vec![service(2), service(3), vip()],
        _ => vec![vip()],
    };
    GroupSetup {
        id: GroupId::of(name),
        prefer: rng.pick(&[None, Some(Side::First), Some(Side::Second)]),
        failback: rng.pick(&[Failback::Manual, Failback::After(Duration::from_secs(7))]),
        resources,
        vifs: vec![VifId(0)],
    }
}

fn vip() -> ResourceSetup {
    ResourceSetup {
        id: ResourceId(1),
        definition: 0,
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

fn service() -> ResourceSetup {
    ResourceSetup {
        leased: false,
        ..vip()
    }
}
