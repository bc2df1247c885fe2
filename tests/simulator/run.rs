//! One run of one seed: break for a while and check safety, then heal and demand service.

use super::chaos::{self, Chaos, Fault};
use super::cut;
use super::defect::Defect;
use super::device::{self, Device};
use super::net::Topology;
use super::safety::Exception;
use super::setups;
use super::world::{Item, World};
use ha_appliance::core::event::{Command, Event};
use ha_appliance::wire::heartbeat::{Role, Side};
use std::collections::BTreeMap;

/// Which promises are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Neither fencing nor a witness.
    BestEffort,
    /// The same with more links, LANs and gateways, and what happens in such a world: reloads, upgrades, agents that
    /// lie.
    WideBestEffort,
    /// Devices that switch machines off, by the policy that ships; wide or not, by the seed.
    Devices,
}

impl Mode {
    pub const ALL: [Mode; 3] = [Mode::BestEffort, Mode::WideBestEffort, Mode::Devices];

    fn wide(self, seed: u64) -> bool {
        match self {
            Mode::BestEffort => false,
            Mode::WideBestEffort => true,
            Mode::Devices => seed % 2 == 1,
        }
    }
}

/// After everything was repaired, each group that may run is active within this: the longest pause
/// between two tries to start (60 s), and the wait for a peer (10 s) and a move.
pub const PATIENCE: i64 = 75_000_000;

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was broken, if anything.
    pub broken: Option<String>,
    pub simulated: i64,
    pub steps: u64,
    pub injected: BTreeMap<Fault, u64>,
    pub excused: BTreeMap<Exception, (u32, i64)>,
    /// How long it took until all was well after the repairs, and after the operator's.
    pub healed: i64,
    /// How long it took after a cut until whoever survived it served, and how many machines were switched off in all.
    pub survived: i64,
    pub killed: u64,
    pub story: Vec<String>,
}

/// Plays a seed.
pub fn play(seed: u64, mode: Mode, defect: Option<Defect>, tell: bool) -> Outcome {
    let fenced = mode == Mode::Devices;
    let mut rng = super::rng::Rng::new(seed ^ 0x5eed);
    let mut setups = setups::draw(&mut rng, fenced);
    let wide = mode.wide(seed);
    let topology = match wide {
        true => setups::widen(&mut rng, &mut setups),
        false => Topology::plain(),
    };
    let levels = match fenced {
        true => 1 + rng.below(device::LEVELS),
        false => 0,
    };
    if levels > 0 {
        setups::arm(&mut rng, &mut setups, levels);
        if defect == Some(Defect::ShortDelay) {
            let files = setups.iter_mut().filter_map(|s| s.fencing.as_mut());
            files.for_each(|f| f.delay = f.patience);
        }
    }
    let mut world = World::new(seed, setups, topology);
    world.story.wanted = tell;
    world.defect = defect;
    world.safety.fenced = fenced;
    if levels > 0 {
        arm(&mut world, &mut rng, levels);
    }
    let mut chaos = Chaos::draw(&mut world, wide);
    for m in 0..2 {
        let after = world.rng.between(0, 3_000_000);
        world.later(after, Item::Start { of: m, boot: true });
    }
    let calm = world.rng.pick(&[0, 12_000_000]);
    world.run_until(calm);
    chaos.plan(&mut world);
    let end = calm + world.rng.between(10_000_000, 240_000_000);
    while world.now < end && world.safety.broken.is_none() {
        for item in world.run_until(end) {
            match item {
                Item::Strike => chaos.strike(&mut world),
                Item::Mend(mend) => chaos::mend(&mut world, mend),
                _ => {}
            }
        }
    }
    let mut healed = 0;
    if world.safety.broken.is_none() {
        chaos::heal(&mut world);
        healed = demand(&mut world, false);
    }
    if world.safety.broken.is_none() {
        repair(&mut world);
        healed = healed.max(demand(&mut world, true));
    }
    let mut survived = 0;
    if world.safety.broken.is_none() && levels > 0 {
        survived = cut::play(&mut world);
        healed = healed.max(demand(&mut world, true));
    }
    if world.safety.broken.is_none() && !chaos::decodes(&world) {
        world.safety.broken = Some("a recorded datagram does not decode".into());
    }
    Outcome {
        broken: world.safety.broken.take(),
        simulated: world.now,
        steps: world.steps,
        injected: chaos.injected,
        excused: std::mem::take(&mut world.safety.excused),
        healed,
        survived,
        killed: world.safety.shots.killed,
        story: std::mem::take(&mut world.story.lines),
    }
}

/// Each machine gets its devices.
fn arm(world: &mut World, rng: &mut super::rng::Rng, levels: usize) {
    world.safety.judges_shots = true;
    world.returns = rng.chance(0.5);
    for m in 0..2 {
        let device = |program| Device {
            program,
            ..Device::default()
        };
        world.devices[m] = (0..levels).map(|_| device(rng.chance(0.3))).collect();
        // Clocks as machines have them: what shots keep apart by is counted in tens of seconds.
        world.machines[m].ppm /= 100;
    }
}

/// Waits until all is well and stays so for three seconds; gives how long that took.
fn demand(world: &mut World, cleared: bool) -> i64 {
    let began = world.now;
    let mut well_since = None;
    loop {
        let end = world.now + 500_000;
        world.run_until(end);
        if world.safety.broken.is_some() {
            return 0;
        }
        let found = (0..world.machines[0].catalogue.len()).find_map(|g| unwell(world, g, cleared));
        match found {
            None => {
                let since = *well_since.get_or_insert(world.now);
                if world.now - since >= 3_000_000 {
                    return since - began;
                }
            }
            Some(why) => {
                well_since = None;
                let patience = PATIENCE + dying(world);
                if world.now - began > patience {
                    let after = patience / 1_000_000;
                    world.safety.broken = Some(format!(
                        "{after} s after the repairs (operator's too: {cleared}): {why}"
                    ));
                    return 0;
                }
            }
        }
    }
}

/// So long a machine may count as dying of the last order that left to switch it off.
fn dying(world: &World) -> i64 {
    let fencing = world.machines.iter().filter_map(|m| m.setup.fencing);
    let longest = fencing.map(|f| f.off_deadline + f.grace).max();
    longest.map_or(0, |span| span.as_micros() as i64)
}

/// The number of all his last orders.
const REPAIR: u32 = 1_000_000;

/// The operator withdraws everything and clears what failed.
fn repair(world: &mut World) {
    world
        .story
        .tell(world.now, None, || "* the operator cleans up".into());
    let m = world.rng.below(2);
    let m = if world.machines[m].awake() { m } else { 1 - m };
    let groups = world.machines[m].catalogue.clone();
    let mut commands = vec![Command::Maintenance(false)];
    commands.extend([Side::First, Side::Second].map(|side| Command::Standby(side, false)));
    commands.extend(groups.iter().map(|g| Command::Stopped(g.id, false)));
    commands.push(Command::Clear(None));
    for command in commands {
        world.safety.ordered(m, REPAIR, command);
        world.feed(
            m,
            Event::Command {
                number: REPAIR,
                command,
            },
        );
    }
}

/// Why a group is not as it should be; None: it is, or may be otherwise.
fn unwell(world: &World, group: usize, cleared: bool) -> Option<String> {
    let machines = &world.machines;
    let [Some(a), Some(b)] = [0, 1].map(|m| machines[m].node.as_ref().map(|n| n.view())) else {
        return Some("a daemon does not run".into());
    };
    let views = [&a, &b];
    let [Some(pa), Some(pb)] = [0, 1].map(|m| machines[m].place(group)) else {
        return Some(format!("group {group} is not configured"));
    };
    let places = [pa, pb];
    if machines.iter().any(|m| !m.jobs.is_empty()) {
        return Some("an operation is under way".into());
    }
    if !cleared {
        let standby = (0..2).all(|side| views.iter().any(|v| v.standby[side]));
        let stopped = (0..2).any(|m| views[m].groups[places[m]].stopped);
        let maintenance = views.iter().any(|v| v.maintenance);
        let failed = (0..2).any(|m| views[m].groups[places[m]].role == Role::Failed);
        if standby || stopped || maintenance || failed {
            return None;
        }
    }
    let its = [0, 1].map(|m| &views[m].groups[places[m]]);
    let roles = its.map(|g| g.role);
    let active = roles.iter().filter(|r| **r == Role::Active).count();
    let up = machines.iter().filter(|m| m.complete(group)).count();
    let both = machines.iter().all(|m| m.both_complete(group));
    let empty = machines.iter().any(|m| m.empty(group));
    let one =
        active == 1 && (0..2).any(|m| machines[m].complete(group) && machines[1 - m].empty(group));
    if one && both && its[0].token == its[1].token {
        return None;
    }
    let waits = its.map(|g| format!("{:?} ({}; waits: {:?})", g.role, g.reason, g.waiting));
    Some(format!(
        "group {group} is {} on first, {} on second; complete on {up}, nothing of its own on one: {empty}, what runs on both does: {both}",
        waits[0], waits[1]
    ))
}
