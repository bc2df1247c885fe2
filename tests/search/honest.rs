//! That canonical states lose nothing: along random ways, a world that is made canonical after every
//! move and one that never is do the same.

use super::bounds::{Bounds, Left};
use super::data::Drbd;
use super::moves::{Move, Rules, What, apply, next};
use super::setup::Kind;
use super::world::World;
use ha_appliance::core::event::Action;
use std::mem::discriminant;
use std::time::Duration;

#[test]
fn canonical_and_raw_worlds_do_the_same() {
    use Kind::{Data, Vip, VipService};
    for groups in [&[Data][..], &[Vip], &[VipService], &[Data, Vip]] {
        compare(groups, false, 0, None);
    }
    for groups in [&[Vip][..], &[VipService], &[Vip, Vip]] {
        compare(groups, true, 1, None);
    }
    for groups in [&[Vip][..], &[Vip, Vip]] {
        compare(groups, true, 2, None);
    }
    for drbd in [Drbd::Eight, Drbd::Nine] {
        compare(&[Data], false, 0, Some(drbd));
    }
}

fn compare(groups: &'static [Kind], best_effort: bool, networks: usize, drbd: Option<Drbd>) {
    let plenty = Left {
        total: 16,
        crashes: 4,
        wipes: 2,
        rollbacks: 2,
        failures: 4,
        fences: 4,
        commands: 4,
        pauses: 4,
        slips: 2,
        slow: 8,
        whims: 0,
        reloads: 0,
        cuts: 8,
        lan: 8,
        cables: 8,
    };
    let per_interval = if best_effort { 4 } else { 1 };
    let interval = if groups == [Kind::Data] {
        100
    } else if best_effort {
        1000
    } else {
        500
    };
    let bounds = Bounds {
        name: "honest",
        groups,
        best_effort,
        devices: false,
        delay: 0,
        leases: false,
        networks,
        drbd,
        apart: false,
        settled: false,
        quantum: Duration::from_millis(interval) / per_interval,
        per_interval,
        letters: 2,
        lossy: true,
        late: true,
        misses: 2,
        misses_differ: false,
        replays: false,
        timeouts: true,
        wishes: true,
        split: true,
        limits: false,
        raw: false,
        newest: u64::MAX,
        left: plenty,
    };
    let (mut dice, mut moves) = (Dice(1), 0);
    // Unoptimised a tenth is enough: scripts/search goes the rest.
    let ways = match std::env::var_os("SEARCH") {
        Some(_) => 300,
        None => 30,
    };
    for way in 0..ways {
        let rules = Rules::new(bounds);
        let raw_rules = Rules {
            bounds: Bounds {
                raw: true,
                ..bounds
            },
            ..rules
        };
        let (mut canonical, mut raw) = (World::new(&bounds), World::new(&bounds));
        for step in 0..150 {
            let mut open = vec![];
            next(&canonical, &rules, &mut |m, outcome| match outcome {
                Ok(_) => open.push(m),
                Err(broken) => panic!("way {way} step {step}: {m:?}: {broken}"),
            });
            let time: Vec<Move> = open
                .iter()
                .copied()
                .filter(|m| m.what == What::Advance)
                .collect();
            let from = if dice.roll(3) == 0 && !time.is_empty() {
                time
            } else {
                open
            };
            let m = from[dice.roll(from.len())];
            let (here, after) = apply(&canonical, m, &rules).expect("offered");
            let (there, raw_after) = apply(&raw, m, &raw_rules)
                .unwrap_or_else(|| panic!("way {way} step {step}: raw cannot {m:?}"));
            let (a, b) = (essence(&here.actions), essence(&there.actions));
            if a != b && std::env::var_os("DEBUG_HONEST").is_some() {
                eprintln!("{:#?}\n=====RAW=====\n{:#?}", canonical.seats, raw.seats);
            }
            assert_eq!(a, b, "way {way} step {step}: {m:?}");
            (canonical, raw) = (
                after.expect("ok"),
                raw_after.unwrap_or_else(|b| panic!("way {way} step {step}: {b}")),
            );
            moves += 1;
        }
    }
    println!("{moves} moves");
}

/// What an action does, without the numbers that canonical worlds change.
fn essence(actions: &[Action]) -> Vec<String> {
    let effects = actions
        .iter()
        .filter(|a| super::moves::effect(a) || matches!(a, Action::Cancel { .. }));
    effects
        .map(|action| match action {
            Action::Send(h) => format!(
                "send {:?} {} {} {:?}",
                h.groups,
                h.solicit,
                h.goodbye,
                h.request.map(|r| r.verb)
            ),
            Action::Persist(record) => {
                let mut record = record.clone();
                let wishes = record.wishes.iter_mut().flat_map(|wish| &mut wish.given);
                wishes.flatten().for_each(|given| given.tag = 0);
                format!("persist {record:?}")
            }
            // Of its right the kind decides; the rest is only shown, or a number.
            Action::Start(place, right) => {
                format!("start {place:?} {:?}", right.as_ref().map(discriminant))
            }
            other => format!("{other:?}"),
        })
        .collect()
}

/// xorshift64*: random enough to wander, and the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
    }
}
