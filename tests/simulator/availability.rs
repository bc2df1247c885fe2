//! What a pair is good for: the share of time in which clients reached the VIP, for stated rates of
//! faults, against a lone machine with the same rates and the address always on it.

use super::chaos::{self, Chaos, Fault};
use super::net::Topology;
use super::setups;
use super::world::{Item, World};
use std::fmt;
use std::time::Duration;

/// Per machine: the fault, how often on average, how long.
const RATES: [(Fault, Duration, Duration); 4] = [
    (
        Fault::PowerLoss,
        Duration::from_secs(3600),
        Duration::from_secs(180),
    ),
    (
        Fault::CarrierLost,
        Duration::from_secs(3600),
        Duration::from_secs(60),
    ),
    (
        Fault::MachinePaused,
        Duration::from_secs(3600),
        Duration::from_secs(10),
    ),
    (
        Fault::DaemonCrash,
        Duration::from_secs(3600),
        Duration::from_secs(1),
    ),
];

/// The shares.
pub struct Figure {
    pub pair: f64,
    pub lone: f64,
    hours: f64,
}

/// Plays the rates for so many hours, with the defaults of ha.toml and best effort.
pub fn measure(seed: u64, hours: i64) -> Figure {
    let mut world = World::new(seed, setups::plain(), Topology::plain());
    let mut chaos = Chaos::draw(&mut world, false);
    for m in 0..2 {
        world.later(0, Item::Start { of: m, boot: true });
    }
    world.run_until(20_000_000);
    let began = (world.now, world.served, world.lone);
    let end = began.0 + hours * 3_600_000_000;
    let rate: f64 = RATES
        .iter()
        .map(|(_, mean, _)| 2.0 / mean.as_secs_f64())
        .sum();
    let plan = |world: &mut World| {
        let after = world.rng.exponential(Duration::from_secs_f64(1.0 / rate));
        world.later(after, Item::Strike);
    };
    plan(&mut world);
    while world.now < end && world.safety.broken.is_none() {
        for item in world.run_until(end) {
            match item {
                Item::Strike => {
                    let (fault, _, span) = world.rng.pick(&RATES);
                    let m = world.rng.below(2);
                    chaos.inject_for(&mut world, fault, m, span.as_micros() as i64);
                    plan(&mut world);
                }
                Item::Mend(mend) => chaos::mend(&mut world, mend),
                _ => {}
            }
        }
    }
    assert_eq!(world.safety.broken, None);
    let span = (world.now - began.0) as f64;
    let lone = world
        .lone
        .iter()
        .zip(began.2)
        .map(|(a, b)| (a - b) as f64 / span)
        .sum::<f64>()
        / 2.0;
    Figure {
        pair: (world.served - began.1) as f64 / span,
        lone,
        hours: span / 3.6e9,
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "reachable for {:.4} % of {:.0} hours by the pair, {:.4} % by a lone machine; per machine:",
            100.0 * self.pair,
            self.hours,
            100.0 * self.lone
        )?;
        for (fault, mean, span) in RATES {
            write!(
                f,
                " {fault:?} each {} s for {} s,",
                mean.as_secs(),
                span.as_secs()
            )?;
        }
        Ok(())
    }
}
