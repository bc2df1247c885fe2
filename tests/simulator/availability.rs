//! What a pair is good for: the share of time in which clients reached the service, for stated rates of
//! faults, against a lone machine with the same rates, on which the address always is and whose service
//! manager restarts the service.

use super::chaos::{self, Chaos, Fault};
use super::net::Topology;
use super::setups;
use super::world::{Item, World};
use std::fmt;
use std::time::Duration;

/// Per machine: the fault, how often on average, how long.
const RATES: [(Fault, Duration, Duration); 6] = [
    (Fault::PowerLoss, HOUR, Duration::from_secs(180)),
    (Fault::CarrierLost, HOUR, Duration::from_secs(60)),
    (Fault::GatewayDown, HOUR, Duration::from_secs(60)),
    (Fault::MachinePaused, HOUR, Duration::from_secs(10)),
    (Fault::DaemonCrash, HOUR, Duration::from_secs(1)),
    (Fault::ServiceDies, HOUR, RESTART),
];
const HOUR: Duration = Duration::from_secs(3600);
/// How long a service manager takes to restart what died, as long as a node's agent on average.
const RESTART: Duration = Duration::from_millis(33);

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
    let mut restarts = 0;
    while world.now < end && world.safety.broken.is_none() {
        for item in world.run_until(end) {
            match item {
                Item::Strike => {
                    let (fault, _, span) = world.rng.pick(&RATES);
                    let m = world.rng.below(2);
                    if fault == Fault::ServiceDies {
                        restarts += RESTART.as_micros() as i64;
                    }
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
    let lone: i64 = (0..2).map(|m| world.lone[m] - began.2[m]).sum();
    Figure {
        pair: (world.served - began.1) as f64 / span,
        lone: (lone - restarts) as f64 / span / 2.0,
        hours: span / 3.6e9,
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [pair, lone] = [self.pair, self.lone].map(|share| 100.0 * share);
        writeln!(
            f,
            "availability in {:.0} simulated hours, each fault once an hour on each machine\n  (the gateway 3 of 10 times for both):",
            self.hours
        )?;
        for (fault, _, span) in RATES {
            writeln!(
                f,
                "  {:14} {:7.3} s",
                format!("{fault:?}"),
                span.as_secs_f64()
            )?;
        }
        write!(
            f,
            "  served by the pair {pair:.3} %, by a lone machine {lone:.3} %: {:.0} times less outage",
            (100.0 - lone) / (100.0 - pair)
        )
    }
}
