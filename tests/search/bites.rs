//! That the search bites: deliberate defects, each in the smallest bounds in which it shows, and each property
//! broken by one at least.

use super::bounds::{Bounds, Left};
use super::check::Property;
use super::defect::Defect;
use super::explore::{Samples, explore};
use super::keep::{replay, scenario};
use super::moves::Rules;
use super::searches::{
    BASE, BEST_EFFORT, CAP, DEVICES, DEVICES_LAN, DEVICES_TWO_LANS, DRBD, NONE, VIP,
};
use super::setup::Kind;

/// An operator's move.
const MOVE: Left = Left {
    total: 1,
    commands: 1,
    ..NONE
};

/// The interlink breaks.
const CUT: Left = Left { cuts: 1, ..NONE };

/// A node gets the other file.
const RELOAD: Left = Left {
    total: 1,
    reloads: 1,
    ..NONE
};

/// The smallest bounds in which each defect shows, and the property that it breaks.
const BITES: &[(Defect, Property, Bounds)] = &[
    (
        Defect::ShortDelay,
        Property::NeverMutual,
        Bounds {
            groups: &[Kind::Data, Kind::Data],
            delay: 4,
            left: CUT,
            ..DEVICES
        },
    ),
    (
        Defect::ShootsBack,
        Property::UnheardNotShot,
        Bounds {
            settled: false,
            ..DEVICES
        },
    ),
    (
        Defect::ShootsBack,
        Property::NoChain,
        Bounds {
            left: CUT,
            ..DEVICES
        },
    ),
    (
        Defect::ShootsFriend,
        Property::DyingNeverAgreed,
        Bounds {
            settled: false,
            ..DEVICES
        },
    ),
    (
        Defect::Meek,
        Property::Unblocked,
        Bounds {
            left: CUT,
            ..DEVICES
        },
    ),
    (Defect::AllNetworks, Property::Unblocked, DEVICES_TWO_LANS),
    (
        Defect::ReadsOff,
        Property::NeverBoth,
        Bounds {
            left: CUT,
            ..DEVICES
        },
    ),
    (
        Defect::StopLies,
        Property::NeverBoth,
        Bounds { left: MOVE, ..BASE },
    ),
    (
        Defect::StopLies,
        Property::StoppedBeforeGrant,
        Bounds { left: MOVE, ..BASE },
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
        Defect::ConfirmLies,
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
    (
        Defect::Contested,
        Property::ContestedNeverAgrees,
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
        Defect::WrongParity,
        Property::OwnParity,
        Bounds {
            left: Left {
                total: 1,
                crashes: 1,
                ..NONE
            },
            ..BASE
        },
    ),
    (Defect::Usurps, Property::OneHolder, BASE),
    (
        Defect::NothingRead,
        Property::EpochsGrow,
        Bounds {
            left: Left {
                total: 2,
                crashes: 1,
                ..MOVE
            },
            ..BASE
        },
    ),
    (
        Defect::NothingRead,
        Property::GrantKept,
        Bounds {
            left: Left {
                total: 3,
                crashes: 2,
                ..MOVE
            },
            ..BASE
        },
    ),
    (
        Defect::GrantsFailed,
        Property::FailedStopNeverGrants,
        Bounds {
            left: Left {
                total: 2,
                failures: 1,
                ..MOVE
            },
            ..BASE
        },
    ),
    (
        Defect::LateRenewal,
        Property::RenewedByRight,
        Bounds { left: MOVE, ..VIP },
    ),
    (
        Defect::LatePutBack,
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
    (
        Defect::Meddles,
        Property::HandsOff,
        Bounds {
            wishes: true,
            left: MOVE,
            ..BASE
        },
    ),
    (
        Defect::Disobeys,
        Property::Barred,
        Bounds {
            wishes: true,
            left: MOVE,
            ..BASE
        },
    ),
    (Defect::NeverAsks, Property::TakesOver, BASE),
    (Defect::Nags, Property::MovesBounded, BASE),
    (Defect::Tires, Property::StopsForCause, BASE),
    (Defect::LeavesEarly, Property::GoodbyeStopped, BASE),
    (
        Defect::OneList,
        Property::NeverBoth,
        Bounds {
            groups: &[Kind::Giver, Kind::Taker],
            left: Left {
                total: 3,
                reloads: 2,
                commands: 1,
                ..NONE
            },
            ..BASE
        },
    ),
    (
        Defect::Despairs,
        Property::ServerNotShot,
        Bounds {
            groups: &[Kind::Data, Kind::Vip],
            ..DEVICES
        },
    ),
    (
        Defect::Endless,
        Property::NeverBoth,
        Bounds {
            leases: true,
            settled: false,
            ..VIP
        },
    ),
    (
        Defect::Ignores,
        Property::RefusedIdle,
        Bounds {
            left: RELOAD,
            ..DEVICES
        },
    ),
    (
        Defect::Forgets,
        Property::ReloadKeeps,
        Bounds {
            left: RELOAD,
            ..BASE
        },
    ),
    (
        Defect::NeverDrained,
        Property::Rests,
        Bounds {
            left: CUT,
            ..DEVICES
        },
    ),
    (
        Defect::BlindProbe,
        Property::BlindNeverShoots,
        Bounds {
            left: Left {
                cuts: 1,
                lan: 1,
                ..NONE
            },
            ..DEVICES_LAN
        },
    ),
    (
        Defect::BlindProbe,
        Property::NeverBoth,
        Bounds {
            left: Left {
                total: 1,
                crashes: 1,
                ..NONE
            },
            ..BEST_EFFORT
        },
    ),
    (
        Defect::Credulous,
        Property::NewestPromoted,
        Bounds {
            settled: false,
            ..DRBD
        },
    ),
    (
        Defect::AsksInVain,
        Property::NewestPromoted,
        Bounds { left: CUT, ..DRBD },
    ),
    (
        Defect::NeverFreezes,
        Property::NewestPromoted,
        Bounds { left: CUT, ..DRBD },
    ),
    (
        Defect::SyncsBack,
        Property::NewestSynced,
        Bounds {
            settled: false,
            ..DRBD
        },
    ),
];

#[test]
fn every_deliberate_defect_is_found() {
    if std::env::var_os("SEARCH").is_none() {
        println!("left to scripts/search: it wants an optimised build");
        return;
    }
    let mut missed = vec![];
    let wanted = std::env::var("NAME").ok();
    for (defect, property, bounds) in BITES {
        if wanted
            .as_ref()
            .is_some_and(|name| *name != format!("{defect:?}"))
        {
            continue;
        }
        let rules = Rules {
            defect: Some(*defect),
            only: Some(*property),
            ..Rules::new(*bounds)
        };
        let recovers = matches!(
            property,
            Property::OneActive | Property::TakesOver | Property::GrantKept | Property::Unblocked
        );
        let samples = Samples {
            heal: recovers as u64,
            endure: (*property == Property::MovesBounded) as u64,
        };
        let found = explore(&rules, CAP, samples);
        match &found.broken {
            Some((broken, moves)) => {
                println!(
                    "{defect:?} breaks {property:?} in {} moves ({} states)",
                    moves.len(),
                    found.states
                );
                // What is printed of it can be played again.
                let file = scenario(broken, moves, &rules);
                let again = replay(&file, &rules).expect_err("breaks it again");
                assert_eq!(again.property, *property);
            }
            None => missed.push((defect, property)),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

#[test]
fn every_property_has_a_defect_that_breaks_it() {
    for property in Property::ALL {
        assert!(
            BITES.iter().any(|(_, broken, _)| *broken == property),
            "{property:?}"
        );
    }
}
