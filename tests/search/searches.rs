//! Which searches there are: for every push, for a night, and one per deliberate defect.

use super::bounds::{Bounds, Left};
use super::check::Property;
use super::defect::Defect;
use super::explore::explore;
use super::moves::Rules;
use super::trace::story;
use super::world::Kind;
use std::time::Duration;

/// Nothing happens but what is free.
const NONE: Left = Left {
    total: 0,
    crashes: 0,
    wipes: 0,
    failures: 0,
    fences: 0,
    commands: 0,
    late: 0,
    slow: 0,
    cuts: 0,
};
/// One of anything.
const ONE: Left = Left {
    total: 1,
    crashes: 1,
    wipes: 1,
    failures: 1,
    fences: 1,
    commands: 1,
    late: 1,
    slow: 1,
    cuts: 0,
};
/// The same without a cut.
const ONE_UNCUT: Left = Left { cuts: 0, ..ONE };
/// The common shape; what a search changes stands in its entry.
const BASE: Bounds = Bounds {
    name: "",
    group: Kind::Data,
    settled: true,
    quantum: Duration::from_millis(100),
    letters: 1,
    lossy: false,
    misses: 2,
    replays: false,
    timeouts: false,
    raw: false,
    left: NONE,
};

/// An address: a time step is half a second, so that its times are few of them.
const VIP: Bounds = Bounds {
    group: Kind::Vip,
    quantum: Duration::from_millis(500),
    ..BASE
};
const VIP_SERVICE: Bounds = Bounds {
    group: Kind::VipService,
    ..VIP
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
        left: Left {
            total: 1,
            fences: 1,
            ..NONE
        },
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
        left: ONE_UNCUT,
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
        left: ONE_UNCUT,
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
];

const LONG: &[Bounds] = &[
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
        name: "three misses",
        misses: 3,
        left: Left { cuts: 1, ..ONE },
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
        left: Left {
            total: 2,
            crashes: 2,
            wipes: 1,
            failures: 2,
            fences: 2,
            commands: 1,
            late: 2,
            slow: 2,
            cuts: 1,
        },
        ..BASE
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
            late: 1,
            fences: 1,
            cuts: 1,
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
];

/// More states than that and a search is given up as not closed.
const CAP: u64 = 8_000_000;
const LONG_CAP: u64 = 150_000_000;

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
        let rules = Rules {
            bounds: *bounds,
            defect: None,
            only: None,
        };
        let found = explore(&rules, cap, 16);
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
            panic!("{}", story(&broken, &moves, &rules));
        }
        assert!(found.closed, "not closed: more than {cap} states");
    }
    assert!(all > 0, "no search has that name");
    println!("\nall closed, {all} states");
}

/// An operator's move.
const MOVE: Left = Left {
    total: 1,
    commands: 1,
    ..NONE
};

/// The smallest bounds in which each defect shows, and the property that it breaks.
const BITES: &[(Defect, Property, Bounds)] = &[
    (
        Defect::StopLies,
        Property::NeverBoth,
        Bounds {
            left: Left {
                total: 1,
                commands: 1,
                ..NONE
            },
            ..BASE
        },
    ),
    (
        Defect::StopLies,
        Property::StoppedBeforeGrant,
        Bounds {
            left: Left {
                total: 1,
                commands: 1,
                ..NONE
            },
            ..BASE
        },
    ),
    (
        Defect::BlindLook,
        Property::NeverBoth,
        Bounds {
            left: Left {
                total: 2,
                commands: 1,
                crashes: 1,
                ..NONE
            },
            ..BASE
        },
    ),
    (
        Defect::BlindLook,
        Property::ProvenStopped,
        Bounds {
            left: Left {
                total: 1,
                crashes: 1,
                ..NONE
            },
            ..BASE
        },
    ),
    (
        Defect::Unproven,
        Property::StartedByRight,
        Bounds {
            settled: false,
            left: Left {
                total: 1,
                slow: 1,
                ..NONE
            },
            ..BASE
        },
    ),
    (
        Defect::Unproven,
        Property::NeverBoth,
        Bounds {
            settled: false,
            left: Left {
                total: 3,
                crashes: 1,
                wipes: 1,
                slow: 1,
                ..NONE
            },
            ..BASE
        },
    ),
    (
        Defect::OldEcho,
        Property::NeverBoth,
        Bounds {
            left: Left {
                total: 1,
                crashes: 1,
                cuts: 1,
                ..NONE
            },
            ..BASE
        },
    ),
    (
        Defect::SourceLies,
        Property::NeverBoth,
        Bounds {
            left: Left {
                total: 1,
                fences: 1,
                cuts: 1,
                ..NONE
            },
            ..BASE
        },
    ),
    (
        Defect::HigherEpoch,
        Property::OneActive,
        Bounds {
            left: Left {
                total: 1,
                crashes: 1,
                ..NONE
            },
            ..BASE
        },
    ),
    (
        Defect::StaleIncarnation,
        Property::NeverBoth,
        Bounds {
            left: Left {
                total: 1,
                crashes: 1,
                cuts: 1,
                ..NONE
            },
            ..BASE
        },
    ),
    (
        Defect::NothingWritten,
        Property::Persisted,
        Bounds {
            settled: false,
            ..BASE
        },
    ),
    (
        Defect::CedeLies,
        Property::StoppedBeforeGrant,
        Bounds { left: MOVE, ..VIP },
    ),
    (
        Defect::CedeLies,
        Property::NeverBoth,
        Bounds { left: MOVE, ..VIP },
    ),
    (
        Defect::EarlyProof,
        Property::ProvenStopped,
        Bounds { left: MOVE, ..VIP },
    ),
    (
        Defect::LateRenewal,
        Property::NeverBoth,
        Bounds { left: MOVE, ..VIP },
    ),
    (
        Defect::LongCede,
        Property::NeverBoth,
        Bounds {
            left: Left {
                total: 2,
                crashes: 1,
                ..MOVE
            },
            ..VIP
        },
    ),
];

#[test]
fn every_deliberate_defect_is_found() {
    let mut missed = vec![];
    for (defect, property, bounds) in BITES {
        let rules = Rules {
            bounds: *bounds,
            defect: Some(*defect),
            only: Some(*property),
        };
        let found = explore(&rules, CAP, (*property == Property::OneActive) as u64);
        match &found.broken {
            Some((_, moves)) => println!(
                "{defect:?} breaks {property:?} in {} moves ({} states)",
                moves.len(),
                found.states
            ),
            None => missed.push((defect, property)),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
