//! What an operator changes on one node before the other: ha.toml, and the program.

use super::rng::Rng;
use super::setups;
use super::world::{Item, World};
use ha_appliance::core::event::Event;
use ha_appliance::core::setup::{Failback, GroupSetup, Setup};
use ha_appliance::core::view::{GroupView, View};
use ha_appliance::wire::heartbeat::{Role, Side, Versions};
use std::time::Duration;

/// Versions of the program: this one, one that still speaks its wire version, and one that does not.
pub const PROGRAMS: [Versions; 3] = [versions(1, 1), versions(1, 2), versions(2, 2)];

const fn versions(lowest: u8, highest: u8) -> Versions {
    Versions { lowest, highest }
}

/// Changes both files, and reloads this node's now and the other's later.
pub fn edit(world: &mut World, m: usize, later: i64) {
    let seed = world.rng.bits();
    let catalogue = world.machines[m].catalogue.clone();
    for file in &mut world.files {
        change(file, &catalogue, &mut Rng::new(seed));
        setups::set_delay(file, Duration::ZERO);
        file.digest += 1;
    }
    reload(world, m);
    world.later(later, Item::Reload { of: 1 - m });
}

/// Brings the file into force, or tries again later: a configuration that drops what runs, or may run,
/// is refused.
pub fn reload(world: &mut World, m: usize) {
    let wanted = world.files[m].clone();
    let machine = &mut world.machines[m];
    if machine.file.digest == wanted.digest {
        return;
    }
    let view = machine.node.as_ref().map(|n| n.view());
    let stopped = |index: usize| {
        let role = view.as_ref().map(|v| v.groups[index].role);
        role == Some(Role::Stopped)
    };
    let kept = |group: &GroupSetup| wanted.groups.iter().any(|g| g.id == group.id);
    let mut groups = machine.setup.groups.iter().enumerate();
    let refused = groups.any(|(index, group)| !kept(group) && !stopped(index));
    if machine.paused.is_some() || refused {
        world.later(1_000_000, Item::Reload { of: m });
        return;
    }
    let before = std::mem::replace(&mut machine.file, wanted.clone());
    world
        .story
        .tell(world.now, Some(m), || format!("reloads: {}", told(&wanted)));
    world.feed(m, Event::Setup(Box::new(wanted.clone())));
    if let Some(what) = view.and_then(|view| touched(world, m, (&before, &wanted), view)) {
        let side = [Side::First, Side::Second][m];
        let broken = format!("{side:?}: a reload changed what it does not name, {what}");
        world.safety.broken.get_or_insert(broken);
    }
}

/// A group of which nothing is said anew stays as it was, in the very step of the reload.
fn touched(
    world: &World,
    m: usize,
    (before, after): (&Setup, &Setup),
    was: View,
) -> Option<String> {
    let is = world.machines[m].node.as_ref()?.view();
    // How the peer and the gateways are judged is about every group.
    let judged = |file: &Setup| (file.interval, file.misses, file.gateway.clone());
    if judged(before) != judged(after) {
        return None;
    }
    let named = |id| {
        let of = |file: &Setup| file.groups.iter().find(|g| g.id == id).cloned();
        of(before) != of(after)
    };
    let stands = |g: &GroupView| (g.role, g.token, g.fail_count, g.failback_held, g.stopped);
    let changed = is.groups.iter().filter(|g| !named(g.id)).find(|g| {
        let before = was.groups.iter().find(|w| w.id == g.id);
        before.map(stands) != Some(stands(g))
    });
    changed.map(|g| format!("group {:?}: {:?} was {:?}", g.id, g, was.groups))
}

/// Installs a program and restarts the daemon.
pub fn upgrade(world: &mut World, m: usize, to: Versions) {
    world.machines[m].installed = to;
    if world.machines[m].node.is_some() {
        world.kill(m);
        world.later(100_000, Item::Start { of: m, boot: false });
    }
}

/// Everything as it was at first, on both.
pub fn restore(world: &mut World) {
    let last = world.files.each_ref().map(|f| f.digest);
    for m in 0..2 {
        if world.machines[m].file.digest != world.plan[m].digest || last[m] != last[1 - m] {
            world.files[m] = Setup {
                digest: last[0].max(last[1]) + 1,
                ..world.plan[m].clone()
            };
            reload(world, m);
        }
        world.machines[m].installed = PROGRAMS[0];
        if world.machines[m].speaks != PROGRAMS[0] && world.machines[m].node.is_some() {
            world.kill(m);
        }
    }
}

fn change(file: &mut Setup, catalogue: &[GroupSetup], rng: &mut Rng) {
    let at = rng.below(file.groups.len());
    match rng.below(8) {
        0 => file.interval = Duration::from_millis(rng.pick(&[50, 100, 200])),
        1 => file.misses = rng.pick(&[3, 5, 8]),
        2 => file.gateway.require_all = !file.gateway.require_all,
        3 => file.groups.reverse(),
        4 => {
            let group = &mut file.groups[at];
            group.prefer = rng.pick(&[None, Some(Side::First), Some(Side::Second)]);
            group.failback = rng.pick(&[Failback::Manual, Failback::After(Duration::ZERO)]);
        }
        5 => match file.groups.len() {
            1 => file.groups = catalogue.to_vec(),
            _ => drop(file.groups.remove(at)),
        },
        _ => toggle_service(&mut file.groups[at], catalogue, rng),
    }
}

/// Takes a service out of the group, or puts it back in its place.
fn toggle_service(group: &mut GroupSetup, catalogue: &[GroupSetup], rng: &mut Rng) {
    let all = catalogue.iter().find(|g| g.id == group.id);
    let all = &all.expect("in the catalogue").resources;
    let one = rng.pick(all);
    let has = |id| group.resources.iter().any(|r| r.id == id);
    if !one.leased {
        let wanted = |id| has(id) != (id == one.id);
        let chosen = all.iter().filter(|r| wanted(r.id));
        group.resources = chosen.copied().collect();
    }
}

fn told(file: &Setup) -> String {
    let groups = file.groups.iter();
    let groups: Vec<String> = groups
        .map(|g| {
            let names: Vec<u64> = g.resources.iter().map(|r| r.id.0).collect();
            format!("{names:?}, prefers {:?}, {:?}", g.prefer, g.failback)
        })
        .collect();
    format!(
        "{} ms x {}, all gateways: {}, groups {}",
        file.interval.as_millis(),
        file.misses,
        file.gateway.require_all,
        groups.join("; ")
    )
}
