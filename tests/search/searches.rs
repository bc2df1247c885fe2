//! Which searches there are: for every push, and for a night.

use super::bounds::{Bounds, Left};
use super::check::Property;
use super::data::Drbd;
use super::explore::{Samples, explore};
use super::keep::scenario;
use super::moves::Rules;
use super::setup::Kind;
use std::time::Duration;

/// Nothing happens but what is free.
pub const NONE: Left = Left {
    total: 0,
    crashes: 0,
    wipes: 0,
    rollbacks: 0,
    failures: 0,
    fences: 0,
    commands: 0,
    pauses: 0,
    slips: 0,
    slow: 0,
    whims: 0,
    reloads: 0,
    cuts: 0,
    lan: 0,
    cables: 0,
};
/// One of anything.
const ONE: Left = Left {
    total: 1,
    crashes: 1,
    wipes: 1,
    rollbacks: 1,
    failures: 1,
    fences: 1,
    commands: 1,
    pauses: 1,
    slips: 1,
    slow: 1,
    ..NONE
};
/// Two of anything.
const TWO: Left = Left {
    total: 2,
    crashes: 2,
    wipes: 1,
    rollbacks: 1,
    failures: 2,
    fences: 2,
    commands: 1,
    pauses: 2,
    slips: 2,
    slow: 2,
    ..NONE
};
/// The common shape; what a search changes stands in its entry. A time step is half a second, so that a second, for
/// which a stranger is remembered, is few of them.
pub const BASE: Bounds = Bounds {
    name: "",
    groups: &[Kind::Data],
    best_effort: false,
    devices: false,
    delay: 0,
    leases: false,
    networks: 0,
    drbd: None,
    apart: false,
    settled: true,
    quantum: Duration::from_millis(500),
    per_interval: 1,
    letters: 1,
    lossy: false,
    late: true,
    misses: 2,
    misses_differ: false,
    replays: false,
    timeouts: false,
    wishes: false,
    split: false,
    limits: false,
    raw: false,
    newest: u64::MAX,
    left: NONE,
};
/// Devices that switch a machine off.
pub const DEVICES: Bounds = Bounds {
    devices: true,
    late: false,
    ..BASE
};
/// The same, and DRBD, which notices within so many time steps that a connection broke.
pub const DRBD: Bounds = Bounds {
    drbd: Some(Drbd::Eight),
    quantum: Duration::from_secs(3),
    ..DEVICES
};
/// The same, and an address on a network on which the peer is asked for it before it is shot. An address lives for few
/// of these time steps.
pub const DEVICES_LAN: Bounds = Bounds {
    groups: &[Kind::Vip],
    networks: 1,
    quantum: Duration::from_secs(1),
    ..DEVICES
};
/// The same, with a group active on each node, and each group on a network of its own.
pub const DEVICES_TWO_LANS: Bounds = Bounds {
    groups: &[Kind::Vip, Kind::Vip],
    networks: 2,
    apart: true,
    // Nothing limits moves here, and a port that stays dead would ask for ever more of them.
    newest: 4,
    ..DEVICES_LAN
};
/// An address: its times, too, are few time steps.
pub const VIP: Bounds = Bounds {
    groups: &[Kind::Vip],
    ..BASE
};
const VIP_SERVICE: Bounds = Bounds {
    groups: &[Kind::VipService],
    ..VIP
};
const TWO_GROUPS: Bounds = Bounds {
    groups: &[Kind::Data, Kind::Data],
    ..BASE
};
const TWO_FILES: Bounds = Bounds {
    groups: &[Kind::Giver, Kind::Taker],
    ..BASE
};
/// Evidence is judged within a quarter of an interval, and in fewer than three misses there would be no
/// time for a holder that is cut off to stop before its peer takes over.
pub const BEST_EFFORT: Bounds = Bounds {
    groups: &[Kind::Vip],
    best_effort: true,
    networks: 1,
    quantum: Duration::from_millis(125),
    per_interval: 4,
    late: false,
    misses: 3,
    ..BASE
};

const SHORT: &[Bounds] = &[
    Bounds {
        name: "cold start",
        settled: false,
        left: Left { cuts: 1, ..NONE },
        ..BASE
    },
    Bounds {
        name: "one fault of any kind",
        left: Left { cuts: 1, ..ONE },
        ..BASE
    },
    Bounds {
        name: "crash and fence",
        left: Left {
            total: 2,
            crashes: 1,
            fences: 1,
            cuts: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "crash and wipe",
        left: Left {
            total: 2,
            crashes: 1,
            wipes: 1,
            cuts: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "a disk that goes back",
        left: Left {
            total: 2,
            crashes: 1,
            rollbacks: 1,
            cuts: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "crash, failure, slowness",
        left: Left {
            total: 2,
            crashes: 1,
            failures: 1,
            slow: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "operations with a deadline",
        timeouts: true,
        left: Left {
            total: 2,
            failures: 1,
            slow: 1,
            commands: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "loss and delay at any time",
        lossy: true,
        ..BASE
    },
    Bounds {
        name: "reordering",
        letters: 2,
        lossy: true,
        ..BASE
    },
    Bounds {
        name: "replays",
        replays: true,
        left: Left {
            total: 1,
            crashes: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "wishes",
        wishes: true,
        left: Left {
            total: 1,
            commands: 1,
            cuts: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "a policy that wishes anything",
        newest: 8,
        left: Left {
            total: 2,
            whims: 2,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "an address, a policy that wishes anything",
        newest: 8,
        left: Left {
            total: 2,
            whims: 2,
            ..NONE
        },
        ..VIP
    },
    Bounds {
        name: "two groups, cold",
        settled: false,
        ..TWO_GROUPS
    },
    Bounds {
        name: "two groups, one fault of any kind",
        left: ONE,
        ..TWO_GROUPS
    },
    Bounds {
        name: "two groups, cut",
        left: Left {
            total: 1,
            fences: 1,
            cuts: 1,
            ..NONE
        },
        ..TWO_GROUPS
    },
    Bounds {
        name: "a service changes groups, a crash",
        left: Left {
            total: 2,
            reloads: 2,
            crashes: 1,
            ..NONE
        },
        ..TWO_FILES
    },
    Bounds {
        name: "a service changes groups, in a move",
        left: Left {
            total: 2,
            reloads: 2,
            commands: 1,
            ..NONE
        },
        ..TWO_FILES
    },
    Bounds {
        name: "a peer that is refused, a crash",
        left: Left {
            total: 2,
            reloads: 2,
            crashes: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "leases that end",
        leases: true,
        settled: false,
        ..VIP
    },
    Bounds {
        name: "an address, moved",
        left: Left {
            total: 1,
            commands: 1,
            cuts: 1,
            ..NONE
        },
        ..VIP
    },
    Bounds {
        name: "an address, one fault of any kind",
        left: ONE,
        ..VIP
    },
    Bounds {
        name: "an address, a crash in a move",
        left: Left {
            total: 2,
            commands: 1,
            crashes: 1,
            ..NONE
        },
        ..VIP
    },
    Bounds {
        name: "an address and a service, one fault of any kind",
        left: ONE,
        ..VIP_SERVICE
    },
    Bounds {
        name: "an address and a service, slow in a move",
        left: Left {
            total: 2,
            commands: 1,
            slow: 1,
            ..NONE
        },
        ..VIP_SERVICE
    },
    Bounds {
        name: "devices, cut and healed",
        left: Left { cuts: 2, ..NONE },
        ..DEVICES
    },
    Bounds {
        name: "devices, active on both, cut",
        groups: &[Kind::Data, Kind::Data],
        left: Left { cuts: 1, ..NONE },
        ..DEVICES
    },
    Bounds {
        name: "devices that fail, cut",
        left: Left {
            total: 1,
            failures: 1,
            cuts: 1,
            ..NONE
        },
        ..DEVICES
    },
    Bounds {
        name: "devices, an operator's order",
        left: Left {
            total: 1,
            commands: 1,
            ..NONE
        },
        ..DEVICES
    },
    Bounds {
        name: "devices, a crash",
        left: Left {
            total: 1,
            crashes: 1,
            ..NONE
        },
        ..DEVICES
    },
    Bounds {
        name: "devices, an address, cut off",
        left: Left {
            cuts: 1,
            lan: 1,
            ..NONE
        },
        ..DEVICES_LAN
    },
    Bounds {
        name: "DRBD, cut",
        left: Left { cuts: 1, ..NONE },
        ..DRBD
    },
    Bounds {
        name: "DRBD, its cable cut",
        left: Left { cables: 1, ..NONE },
        ..DRBD
    },
    Bounds {
        name: "DRBD, switched on in turn",
        settled: false,
        ..DRBD
    },
    Bounds {
        name: "devices, two networks",
        ..DEVICES_TWO_LANS
    },
    Bounds {
        name: "devices, an address beside data",
        groups: &[Kind::Vip, Kind::Data],
        networks: 1,
        ..DEVICES_TWO_LANS
    },
    Bounds {
        name: "best effort, cold",
        settled: false,
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, one fault of any kind",
        left: ONE,
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, cut off",
        left: Left {
            cuts: 1,
            lan: 1,
            ..NONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, misses that differ, cut off",
        misses_differ: true,
        left: Left {
            cuts: 1,
            lan: 1,
            ..NONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, a peer that is refused is cut off",
        left: Left {
            total: 1,
            reloads: 1,
            cuts: 1,
            ..NONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, two networks, one of them fails",
        networks: 2,
        left: Left { lan: 1, ..NONE },
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, two networks, a crash",
        networks: 2,
        left: Left {
            total: 1,
            crashes: 1,
            ..NONE
        },
        ..BEST_EFFORT
    },
];

const LONG: &[Bounds] = &[
    Bounds {
        name: "DRBD, cut, and its cable",
        left: Left {
            cuts: 1,
            cables: 1,
            ..NONE
        },
        ..DRBD
    },
    Bounds {
        name: "DRBD, its cable away and back",
        left: Left { cables: 2, ..NONE },
        ..DRBD
    },
    Bounds {
        name: "DRBD, a crash",
        left: Left {
            total: 1,
            crashes: 1,
            ..NONE
        },
        ..DRBD
    },
    Bounds {
        name: "DRBD, an operator's order",
        left: Left {
            total: 1,
            commands: 1,
            ..NONE
        },
        ..DRBD
    },
    Bounds {
        name: "DRBD, switched on in turn, its cable cut",
        settled: false,
        left: Left { cables: 1, ..NONE },
        ..DRBD
    },
    Bounds {
        name: "DRBD 9, cut",
        drbd: Some(Drbd::Nine),
        left: Left { cuts: 1, ..NONE },
        ..DRBD
    },
    Bounds {
        name: "DRBD 9, its cable away and back",
        drbd: Some(Drbd::Nine),
        left: Left { cables: 2, ..NONE },
        ..DRBD
    },
    Bounds {
        name: "DRBD 9, a crash",
        drbd: Some(Drbd::Nine),
        left: Left {
            total: 1,
            crashes: 1,
            ..NONE
        },
        ..DRBD
    },
    Bounds {
        name: "best effort, a peer that is refused is cut off, the LAN fails",
        left: Left {
            total: 3,
            reloads: 1,
            cuts: 1,
            lan: 1,
            ..NONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "devices, an address, the LAN away and back",
        left: Left {
            cuts: 1,
            lan: 2,
            ..NONE
        },
        ..DEVICES_LAN
    },
    Bounds {
        name: "devices, two networks that fail",
        left: Left { lan: 1, ..NONE },
        ..DEVICES_TWO_LANS
    },
    Bounds {
        name: "devices, two networks, one of them fails beside a daemon that hangs",
        left: Left {
            total: 1,
            pauses: 1,
            lan: 1,
            ..NONE
        },
        ..DEVICES_TWO_LANS
    },
    Bounds {
        name: "devices, two networks, cut off",
        left: Left {
            cuts: 1,
            lan: 2,
            ..NONE
        },
        ..DEVICES_TWO_LANS
    },
    Bounds {
        name: "devices, one fault of any kind under a cut",
        left: Left { cuts: 1, ..ONE },
        ..DEVICES
    },
    Bounds {
        name: "devices, an address, a daemon that dies when cut off",
        left: Left {
            total: 1,
            crashes: 1,
            cuts: 2,
            lan: 2,
            ..NONE
        },
        ..DEVICES_LAN
    },
    Bounds {
        name: "devices, a slow start, cut",
        settled: false,
        left: Left {
            total: 1,
            slow: 1,
            cuts: 1,
            ..NONE
        },
        ..DEVICES
    },
    Bounds {
        name: "devices, an address and a service, a slow start, cut",
        groups: &[Kind::VipService],
        settled: false,
        left: Left {
            total: 1,
            slow: 1,
            cuts: 1,
            ..NONE
        },
        ..DEVICES
    },
    Bounds {
        name: "devices, an address and a service, a slow start beside a peer that dies",
        groups: &[Kind::VipService],
        left: Left {
            total: 2,
            slow: 1,
            crashes: 1,
            ..NONE
        },
        ..DEVICES
    },
    Bounds {
        name: "devices, an address and a service, a slow start in a move beside a peer that dies or falls silent",
        groups: &[Kind::VipService],
        left: Left {
            total: 3,
            slow: 1,
            commands: 1,
            crashes: 1,
            cuts: 1,
            ..NONE
        },
        ..DEVICES
    },
    Bounds {
        name: "devices, an operator's order, a crash",
        left: Left {
            total: 2,
            commands: 1,
            crashes: 1,
            ..NONE
        },
        ..DEVICES
    },
    Bounds {
        name: "devices, an operator's order in a cut",
        left: Left {
            total: 1,
            commands: 1,
            cuts: 1,
            ..NONE
        },
        ..DEVICES
    },
    Bounds {
        name: "devices, cut three times, with heartbeats under way",
        late: true,
        left: Left { cuts: 3, ..NONE },
        ..DEVICES
    },
    Bounds {
        name: "devices, active on both, cut and healed",
        groups: &[Kind::Data, Kind::Data],
        left: Left { cuts: 2, ..NONE },
        ..DEVICES
    },
    Bounds {
        name: "loss and delay at any time, a fence",
        lossy: true,
        left: Left {
            total: 1,
            fences: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "leases that end, a crash",
        leases: true,
        settled: false,
        left: Left {
            total: 1,
            crashes: 1,
            ..NONE
        },
        ..VIP
    },
    Bounds {
        name: "leases that end, one fault of any kind",
        leases: true,
        settled: false,
        left: ONE,
        ..VIP
    },
    Bounds {
        name: "best effort, two networks, a crash, and one of them fails",
        networks: 2,
        left: Left {
            total: 1,
            crashes: 1,
            lan: 1,
            ..NONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, two networks, one fault of any kind",
        networks: 2,
        left: ONE,
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, two networks, cut off",
        networks: 2,
        left: Left {
            cuts: 1,
            lan: 2,
            ..NONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "a peer that is refused, one fault of any kind",
        left: Left {
            total: 2,
            reloads: 2,
            ..ONE
        },
        ..BASE
    },
    Bounds {
        name: "a service changes groups in both files, in a move",
        left: Left {
            total: 3,
            reloads: 2,
            commands: 1,
            ..NONE
        },
        ..TWO_FILES
    },
    Bounds {
        name: "a service changes groups in both files, a crash",
        left: Left {
            total: 3,
            reloads: 2,
            crashes: 1,
            ..NONE
        },
        ..TWO_FILES
    },
    Bounds {
        name: "a service changes groups, two faults of any kind",
        left: Left {
            total: 4,
            reloads: 2,
            ..TWO
        },
        ..TWO_FILES
    },
    Bounds {
        name: "a policy that wishes anything, a crash, a failure",
        newest: 8,
        left: Left {
            total: 3,
            whims: 2,
            crashes: 1,
            failures: 1,
            cuts: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "an address, a policy that wishes anything, a crash, a failure",
        newest: 8,
        left: Left {
            total: 3,
            whims: 2,
            crashes: 1,
            failures: 1,
            ..NONE
        },
        ..VIP
    },
    Bounds {
        name: "late goodbye",
        letters: 2,
        left: Left {
            total: 1,
            commands: 1,
            cuts: 2,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "cold start, one fault of any kind",
        settled: false,
        left: Left { cuts: 1, ..ONE },
        ..BASE
    },
    Bounds {
        name: "three misses",
        misses: 3,
        left: Left { cuts: 1, ..ONE },
        ..BASE
    },
    Bounds {
        name: "crash under an operator's order",
        left: Left {
            total: 2,
            crashes: 1,
            commands: 1,
            cuts: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "failure under an operator's order",
        left: Left {
            total: 2,
            failures: 1,
            commands: 1,
            cuts: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "wishes and a crash",
        wishes: true,
        left: Left {
            total: 2,
            commands: 1,
            crashes: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "two wishes",
        wishes: true,
        left: Left {
            total: 2,
            commands: 2,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "two disks that go back",
        left: Left {
            total: 4,
            crashes: 2,
            rollbacks: 2,
            cuts: 1,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "fenced in turn",
        left: Left {
            total: 2,
            fences: 2,
            cuts: 2,
            ..NONE
        },
        ..BASE
    },
    Bounds {
        name: "two faults of any kind",
        left: Left { cuts: 1, ..TWO },
        ..BASE
    },
    Bounds {
        name: "two groups, one fault of any kind under a cut",
        left: Left { cuts: 1, ..ONE },
        ..TWO_GROUPS
    },
    Bounds {
        name: "two groups, two faults of any kind",
        left: TWO,
        ..TWO_GROUPS
    },
    Bounds {
        name: "an address, one fault of any kind under a cut",
        left: Left { cuts: 1, ..ONE },
        ..VIP
    },
    Bounds {
        name: "an address, a fault in a move",
        left: Left {
            total: 2,
            commands: 1,
            crashes: 1,
            failures: 1,
            pauses: 1,
            fences: 1,
            cuts: 1,
            ..NONE
        },
        ..VIP
    },
    Bounds {
        name: "an address, wishes and a fault",
        wishes: true,
        left: Left {
            total: 2,
            commands: 1,
            crashes: 1,
            failures: 1,
            pauses: 1,
            ..NONE
        },
        ..VIP
    },
    Bounds {
        name: "an address and a service, one fault of any kind under a cut",
        left: Left { cuts: 1, ..ONE },
        ..VIP_SERVICE
    },
    Bounds {
        name: "an address and a service, two faults in a move",
        left: Left {
            total: 3,
            commands: 1,
            crashes: 1,
            failures: 1,
            slow: 1,
            ..NONE
        },
        ..VIP_SERVICE
    },
    Bounds {
        name: "an address and a service, a wish and a failure",
        wishes: true,
        left: Left {
            total: 2,
            commands: 1,
            failures: 1,
            ..NONE
        },
        ..VIP_SERVICE
    },
    Bounds {
        name: "best effort, a service",
        groups: &[Kind::VipService],
        left: ONE,
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, one fault of any kind when cut off",
        left: Left {
            cuts: 1,
            lan: 1,
            ..ONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, networks come and go",
        left: Left {
            cuts: 2,
            lan: 2,
            ..NONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, split",
        split: true,
        left: Left {
            cuts: 2,
            lan: 1,
            ..NONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, cut off with heartbeats under way",
        late: true,
        left: Left {
            cuts: 1,
            lan: 1,
            ..NONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, two crashes",
        left: Left {
            total: 2,
            crashes: 2,
            ..NONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, wishes",
        wishes: true,
        left: Left {
            total: 1,
            commands: 1,
            ..NONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, two groups",
        groups: &[Kind::Vip, Kind::Vip],
        left: Left {
            total: 1,
            crashes: 1,
            commands: 1,
            pauses: 1,
            ..NONE
        },
        ..BEST_EFFORT
    },
    Bounds {
        name: "best effort, data beside an address",
        groups: &[Kind::Data, Kind::Vip],
        left: Left {
            total: 1,
            crashes: 1,
            cuts: 1,
            lan: 1,
            ..NONE
        },
        ..BEST_EFFORT
    },
];

/// The rules of the search of that name.
pub fn rules(name: &str) -> Option<Rules> {
    let mut all = SHORT.iter().chain(LONG);
    let bounds = *all.find(|b| b.name == name)?;
    Some(Rules::new(bounds))
}

/// More states than that and a search is given up as not closed. (Of a hundred million states about seven
/// gigabytes are kept.)
pub const CAP: u64 = 20_000_000;
const LONG_CAP: u64 = 300_000_000;

/// From how many states recovery and lasting faults are tried; more rarely where it takes longer, and
/// where there are many.
fn samples(bounds: &Bounds, long: bool) -> Samples {
    let rarely = u64::from(bounds.per_interval) * if long { 8 } else { 1 };
    // Many states of one silence are alike but for the time that it lasts.
    let rarely = rarely * if bounds.devices { 16 } else { 1 };
    // And where nothing happens how it ends is all there is.
    let still = bounds.left == NONE && bounds.apart;
    Samples {
        heal: if still {
            1
        } else {
            16 * rarely * u64::from(bounds.per_interval)
        },
        endure: (1 << 15) * rarely,
    }
}

#[test]
fn every_property_holds_in_every_state() {
    let (searches, cap) = match std::env::var("SEARCH").as_deref() {
        Ok("long") => (LONG, LONG_CAP),
        Ok("short") => (SHORT, CAP),
        // Plain `cargo test` is not optimised: only the smallest.
        _ => (&SHORT[..1], CAP),
    };
    for property in Property::ALL {
        println!("{property:?}: {}", property.sentence());
    }
    let mut all = 0;
    let wanted = std::env::var("NAME").ok();
    for bounds in searches
        .iter()
        .filter(|b| wanted.as_deref().is_none_or(|n| n == b.name))
    {
        println!("\n{bounds}");
        let rules = Rules::new(*bounds);
        let found = explore(&rules, cap, samples(bounds, cap == LONG_CAP));
        println!(
            "  {} states, {} transitions, depth {}, {:.1} s; {} recoveries tried, {} blocked by a failed stop",
            found.states,
            found.transitions,
            found.depth,
            found.time.as_secs_f32(),
            found.healed.0,
            found.healed.1
        );
        all += found.states;
        if let Some((broken, moves)) = found.broken {
            panic!("\n{}", scenario(&broken, &moves, &rules));
        }
        assert!(found.closed, "not closed: more than {cap} states");
    }
    assert!(all > 0, "no search has that name");
    println!("\nall closed, {all} states");
}
