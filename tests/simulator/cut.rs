//! All paths between two healthy machines break, in both directions at once or not, and stay broken: exactly one survives, serves within a stated
//! time, and serves on, whatever its daemon and the one that was shot do.

use super::device::LEVELS;
use super::net::GOOD;
use super::net::Quality;
use super::world::{Item, World};
use ha_appliance::wire::heartbeat::Role;
use std::time::Duration;

/// Whoever was shot has long returned.
const LASTS: i64 = 120_000_000;
/// What comes after the shot: off, read twice, and a start.
const TAKEOVER: i64 = 20_000_000;

/// Plays it; gives how long the longest group was not served.
pub fn play(world: &mut World) -> i64 {
    let levels = world.devices[0].len();
    let distrusts = |m: usize| !world.machines[m].disk.record.fencing.distrusted.is_empty();
    if levels == 0 || distrusts(0) || distrusts(1) {
        return 0;
    }
    for m in 0..2 {
        // Of two levels one may be dead.
        let dead = world.rng.below(LEVELS);
        let some = world.rng.chance(0.3) && levels > 1;
        for (level, it) in world.devices[m].iter_mut().enumerate() {
            (it.dead, it.slow) = (some && level == dead, false);
        }
    }
    let killed = world.safety.shots.killed;
    if world.rng.chance(0.4) {
        let (from, again) = (world.rng.below(2), world.rng.chance(0.5));
        let span = (world.rng).skewed(Duration::from_millis(100), Duration::from_secs(20));
        set_cut(world, [from == 0, from == 1]);
        let end = world.now + span;
        world.run_until(end);
        if again {
            // A heartbeat or two arrive once more.
            set_cut(world, [from == 1, from == 0]);
            let span = (world.rng).skewed(Duration::from_millis(20), Duration::from_secs(1));
            let end = world.now + span;
            world.run_until(end);
        }
    }
    set_cut(world, [true; 2]);
    let began = world.now;
    let delay = world.machines.iter().filter_map(|m| m.setup.fencing);
    let delay = delay.map(|f| f.delay.as_micros() as i64).max().unwrap_or(0);
    let within = 3 * delay + TAKEOVER;
    let mut served_since = None;
    while world.now - began < within + LASTS && world.safety.broken.is_none() {
        if served_since.is_some() && world.rng.chance(0.02) {
            let m = world.rng.below(2);
            if world.machines[m].node.is_some() {
                world.kill(m);
                world.later(100_000, Item::Start { of: m, boot: false });
                let soon = world.now + 300_000;
                world.run_until(soon);
            }
        }
        let end = world.now + 500_000;
        world.run_until(end);
        let now = world.now;
        match (serves(world), served_since) {
            (true, None) if world.safety.shots.killed > killed => served_since = Some(now),
            (false, None) if now - began > within => {
                let after = within / 1_000_000;
                find(
                    world,
                    format!("{after} s after a cut not exactly one serves"),
                );
            }
            (false, Some(_)) => find(world, "whoever survived a cut serves no more".into()),
            _ => {}
        }
    }
    let killed = world.safety.shots.killed - killed;
    // Whoever was given power before it was read off is switched off once more.
    let twice = killed == 2 && world.safety.shots.unverified;
    if killed != 1 && !twice {
        find(
            world,
            format!("{killed} machines were switched off in a cut"),
        );
    }
    set_cut(world, [false; 2]);
    (0..2).for_each(|m| world.mend_devices(m));
    served_since.map_or(0, |at| at - began)
}

/// One machine runs all of every group, and the other nothing of any.
fn serves(world: &World) -> bool {
    let machines = &world.machines;
    let all = |m: usize| {
        let node = machines[m].node.as_ref();
        let active = |g: usize| {
            let at = machines[m].place(g);
            let role = at.and_then(|at| Some(node?.view().groups[at].role));
            role == Some(Role::Active) && machines[m].complete(g) && machines[1 - m].empty(g)
        };
        (0..machines[m].catalogue.len()).all(active)
    };
    all(0) != all(1)
}

/// What a machine sends passes nowhere, or everywhere.
fn set_cut(world: &mut World, cut: [bool; 2]) {
    for medium in world.media.clone() {
        world.network[medium as usize] = cut.map(|cut| Quality { cut, ..GOOD });
    }
    let told = || format!("* all paths from first, from second are cut: {cut:?}");
    world.story.tell(world.now, None, told);
    world.observe();
}

fn find(world: &mut World, found: String) {
    let at = world.now as f64 / 1e6;
    world
        .safety
        .broken
        .get_or_insert(format!("at {at:.6}: {found}"));
}
