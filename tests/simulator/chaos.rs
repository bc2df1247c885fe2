//! What goes wrong, how often and for how long. Each seed draws its own mixture, so that some runs
//! have much of one kind and others a little of everything.

use super::agents;
use super::machine::{Ambush, Pause, Where};
use super::net::{GOOD, MEDIA, Medium, Quality};
use super::reload;
use super::world::{Item, Mend, World};
use ha_appliance::core::event::{Command, Event};
use ha_appliance::wire::decode;
use ha_appliance::wire::heartbeat::Side;
use std::collections::BTreeMap;
use std::time::Duration;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    InterlinkCut,
    LanCut,
    OneWayCut,
    Partition,
    Loss,
    Delay,
    Twice,
    GatewayDown,
    GatewayFlaps,
    CarrierLost,
    PowerLoss,
    DaemonCrash,
    ProcessPaused,
    MachinePaused,
    PausedInStep,
    KilledInStep,
    DiskFails,
    DiskSlow,
    DiskWiped,
    DiskRolledBack,
    StartFails,
    StopFails,
    SlowAgents,
    ServiceDies,
    ServiceFlaps,
    CheckFails,
    StartedByHand,
    VipDeleted,
    Replay,
    Failover,
    Standby,
    Online,
    Maintenance,
    StopGroup,
    StartGroup,
    Clear,
    Leave,
    ConfirmFenced,
    Reload,
    Upgrade,
    StopLies,
    Deaf,
    DeviceDead,
    DeviceSlow,
    DeviceLies,
}

use Fault::*;

/// Those of a wide world: what an operator changes, and agents that lie.
const WIDE: [Fault; 3] = [Reload, Upgrade, StopLies];

/// Those of a world in which devices switch machines off.
const DEVICES: [Fault; 6] = [
    Deaf, DeviceDead, DeviceSlow, DeviceLies, Partition, OneWayCut,
];

const ALL: [Fault; 38] = [
    InterlinkCut,
    LanCut,
    OneWayCut,
    Partition,
    Loss,
    Delay,
    Twice,
    GatewayDown,
    GatewayFlaps,
    CarrierLost,
    PowerLoss,
    DaemonCrash,
    ProcessPaused,
    MachinePaused,
    PausedInStep,
    KilledInStep,
    DiskFails,
    DiskSlow,
    DiskWiped,
    DiskRolledBack,
    StartFails,
    StopFails,
    SlowAgents,
    ServiceDies,
    ServiceFlaps,
    CheckFails,
    StartedByHand,
    VipDeleted,
    Replay,
    Failover,
    Standby,
    Online,
    Maintenance,
    StopGroup,
    StartGroup,
    Clear,
    Leave,
    ConfirmFenced,
];

/// One seed's mixture.
#[derive(Debug)]
pub struct Chaos {
    kinds: Vec<Fault>,
    mean: Duration,
    longest: Duration,
    commands: u32,
    pub injected: BTreeMap<Fault, u64>,
}

impl Chaos {
    pub fn draw(world: &mut World, wide: bool) -> Chaos {
        let rng = &mut world.rng;
        let share = rng.pick(&[0.1, 0.25, 0.5, 0.9]);
        let mut kinds: Vec<Fault> = ALL.into_iter().filter(|_| rng.chance(share)).collect();
        if kinds.is_empty() {
            kinds.push(rng.pick(&ALL));
        }
        if wide {
            kinds.extend(WIDE.into_iter().filter(|_| rng.chance(0.4)));
        }
        if world.safety.judges_shots {
            kinds.extend(DEVICES.into_iter().filter(|_| rng.chance(0.4)));
        }
        Chaos {
            kinds,
            mean: Duration::from_millis(rng.pick(&[200, 700, 2000, 6000])),
            longest: Duration::from_millis(rng.pick(&[1500, 5000, 30_000])),
            commands: 0,
            injected: BTreeMap::new(),
        }
    }

    /// Plans the next strike.
    pub fn plan(&self, world: &mut World) {
        let after = world.rng.exponential(self.mean);
        world.later(after, Item::Strike);
    }

    /// One fault.
    pub fn strike(&mut self, world: &mut World) {
        let fault = world.rng.pick(&self.kinds);
        self.inject(world, fault);
        self.plan(world);
    }

    /// This fault, somewhere, for some time.
    fn inject(&mut self, world: &mut World, fault: Fault) {
        let m = world.rng.below(2);
        let span = world.rng.skewed(Duration::from_millis(20), self.longest);
        self.inject_for(world, fault, m, span);
    }

    /// This fault, on this machine, for so many microseconds.
    pub fn inject_for(&mut self, world: &mut World, fault: Fault, m: usize, span: i64) {
        let now = world.now;
        let injected = apply(world, fault, m, span, &mut self.commands);
        if injected {
            *self.injected.entry(fault).or_default() += 1;
            world
                .story
                .tell(now, Some(m), || format!("* {fault:?} ({} ms)", span / 1000));
        }
        world.observe();
    }
}

/// A passing fault ends.
pub fn mend(world: &mut World, mend: Mend) {
    world
        .story
        .tell(world.now, None, || format!("* mended: {mend:?}"));
    match mend {
        Mend::Wire(medium, from) => world.network[medium as usize][from] = GOOD,
        Mend::Gateway(m, gateway) => world.machines[m].gateways[gateway].1 = true,
        Mend::Carrier(m, vif) => world.set_carrier(m, vif, true),
        Mend::Devices(m) => world.mend_devices(m),
        Mend::Disk(m) => {
            world.machines[m].disk.fails = false;
            world.machines[m].disk.slow = false;
        }
        Mend::Agents(m) => {
            let machine = &mut world.machines[m];
            machine.repair();
        }
    }
    world.observe();
}

/// Everything that is broken is repaired, and what is off is started.
pub fn heal(world: &mut World) {
    world
        .story
        .tell(world.now, None, || "* everything is repaired".into());
    world.end_chaos();
    for m in 0..2 {
        for medium in MEDIA {
            world.network[medium as usize][m] = GOOD;
        }
        let machine = &mut world.machines[m];
        machine.gateways.iter_mut().for_each(|g| g.1 = true);
        machine.repair();
        machine.disk.fails = false;
        machine.disk.slow = false;
        machine.ambush = None;
        world.mend_devices(m);
        for vif in 0..world.topology.lans.len() {
            world.set_carrier(m, vif, true);
        }
        world.resume(m);
    }
    reload::restore(world);
    world.start(0);
    world.start(1);
    world.observe();
}

fn apply(world: &mut World, fault: Fault, m: usize, span: i64, commands: &mut u32) -> bool {
    let cut = Quality { cut: true, ..GOOD };
    let media = world.media.clone();
    let medium = world.rng.pick(&media);
    match fault {
        InterlinkCut => {
            let link = one_of(world, world.topology.links.clone());
            wires(world, &[(link, 0), (link, 1)], cut, span)
        }
        LanCut => {
            let lan = one_of(world, world.topology.lans.clone());
            wires(world, &[(lan, 0), (lan, 1)], cut, span)
        }
        OneWayCut => match world.rng.below(3) {
            0 => wires(world, &[(medium, m)], cut, span),
            _ => {
                let all: Vec<_> = media.iter().map(|medium| (*medium, m)).collect();
                wires(world, &all, cut, span)
            }
        },
        Deaf => {
            let all: Vec<_> = media.iter().map(|medium| (*medium, 1 - m)).collect();
            wires(world, &all, cut, span);
            for gateway in 0..world.topology.gateways.len() {
                world.machines[m].gateways[gateway].1 = false;
                world.later(span, Item::Mend(Mend::Gateway(m, gateway)));
            }
        }
        DeviceDead | DeviceSlow | DeviceLies => {
            if world.devices[m].is_empty() {
                return false;
            }
            let at = world.rng.below(world.devices[m].len());
            let it = &mut world.devices[m][at];
            match fault {
                DeviceDead => it.dead = true,
                DeviceSlow => it.slow = true,
                _ => it.lies = true,
            }
            world.later(span, Item::Mend(Mend::Devices(m)));
        }
        Partition => {
            let both = media.iter().flat_map(|medium| [(*medium, 0), (*medium, 1)]);
            let all: Vec<_> = both.collect();
            wires(world, &all, cut, span);
        }
        Loss => {
            let loss = world.rng.pick(&[0.05, 0.15, 0.4, 0.8]);
            wires(world, &[(medium, m)], Quality { loss, ..GOOD }, span);
        }
        Delay => {
            let delay = world.rng.pick(&[3_000, 15_000, 120_000, 700_000]);
            wires(world, &[(medium, m)], Quality { delay, ..GOOD }, span);
        }
        Twice => wires(
            world,
            &[(medium, m)],
            Quality {
                twice: 0.5,
                delay: 10_000,
                ..GOOD
            },
            span,
        ),
        GatewayDown | GatewayFlaps => {
            let span = if fault == GatewayFlaps {
                span.min(700_000)
            } else {
                span
            };
            let both = world.rng.chance(0.3);
            let gateways = (0..world.topology.gateways.len()).collect();
            let gateway = one_of(world, gateways);
            for m in if both { 0..2 } else { m..m + 1 } {
                world.machines[m].gateways[gateway].1 = false;
                world.later(span, Item::Mend(Mend::Gateway(m, gateway)));
            }
        }
        CarrierLost => {
            let vif = one_of(world, (0..world.topology.lans.len()).collect());
            world.set_carrier(m, vif, false);
            world.later(span, Item::Mend(Mend::Carrier(m, vif)));
        }
        PowerLoss => {
            if !world.machines[m].powered {
                return false;
            }
            world.power_off(m);
            world.later(span.max(1_000_000), Item::Start { of: m, boot: true });
        }
        DaemonCrash | DiskWiped | DiskRolledBack => {
            if world.machines[m].node.is_none() {
                return false;
            }
            world.kill(m);
            let disk = &mut world.machines[m].disk;
            match fault {
                DiskWiped => (disk.record, disk.forgot) = (Default::default(), true),
                DiskRolledBack if !disk.older.is_empty() => {
                    let to = world.rng.below(disk.older.len());
                    (disk.record, disk.forgot) = (disk.older[to].clone(), true);
                }
                _ => {}
            }
            let after = if world.rng.chance(0.5) { 100_000 } else { span };
            world.later(after, Item::Start { of: m, boot: false });
        }
        ProcessPaused => world.pause(m, Pause::Process, span),
        MachinePaused => {
            let clock_stops = world.rng.chance(0.5);
            let since = world.now;
            world.pause(m, Pause::Machine { since, clock_stops }, span);
        }
        PausedInStep => lie_in_wait(world, m, Ambush::Pause(span), commands),
        KilledInStep => lie_in_wait(world, m, Ambush::Kill, commands),
        DiskFails => {
            world.machines[m].disk.fails = true;
            world.later(span, Item::Mend(Mend::Disk(m)));
        }
        DiskSlow => {
            world.machines[m].disk.slow = true;
            world.later(span, Item::Mend(Mend::Disk(m)));
        }
        StartFails => {
            world.machines[m].start_fails = 0.5;
            world.later(span, Item::Mend(Mend::Agents(m)));
        }
        StopFails => {
            world.machines[m].stop_fails = 0.3;
            world.later(span, Item::Mend(Mend::Agents(m)));
        }
        SlowAgents => {
            world.machines[m].slow = 0.7;
            world.later(span, Item::Mend(Mend::Agents(m)));
        }
        ServiceFlaps => {
            world.machines[m].flaky = 0.7;
            world.later(span, Item::Mend(Mend::Agents(m)));
        }
        ServiceDies | CheckFails => return lose_service(world, m, fault == ServiceDies),
        StartedByHand => return start_by_hand(world, m),
        VipDeleted => return delete_vip(world, m),
        Replay => return replay(world, m),
        Reload => reload::edit(world, m, span),
        Upgrade => {
            let to = world.rng.pick(&reload::PROGRAMS);
            reload::upgrade(world, m, to);
            world.later(span, Item::Upgrade { of: 1 - m, to });
        }
        StopLies => {
            world.machines[m].stop_lies = 0.5;
            world.later(span, Item::Mend(Mend::Agents(m)));
        }
        Failover | Standby | Online | Maintenance | StopGroup | StartGroup | Clear | Leave
        | ConfirmFenced => {
            return order(world, m, fault, commands);
        }
    }
    true
}

/// For any step; or for one of a move, which is ordered.
fn lie_in_wait(world: &mut World, m: usize, ambush: Ambush, commands: &mut u32) {
    let at = match world.rng.chance(0.5) {
        true => Where::Anywhere,
        false => Where::Handover,
    };
    world.machines[m].ambush = Some((ambush, at));
    if at == Where::Handover {
        order(world, m, Failover, commands);
    }
}

/// One of these; where there is no choice, none is drawn.
fn one_of<T: Copy>(world: &mut World, of: Vec<T>) -> T {
    match of[..] {
        [one] => one,
        _ => world.rng.pick(&of),
    }
}

fn wires(world: &mut World, which: &[(Medium, usize)], quality: Quality, span: i64) {
    for &(medium, from) in which {
        world.network[medium as usize][from] = quality;
        world.later(span, Item::Mend(Mend::Wire(medium, from)));
    }
}

fn delete_vip(world: &mut World, m: usize) -> bool {
    let group = world.rng.below(world.machines[m].kernel.len());
    let leased = world.machines[m].catalogue[group]
        .resources
        .iter()
        .position(|r| r.leased);
    let Some(resource) = leased.filter(|_| world.machines[m].vip(group).is_some()) else {
        return false;
    };
    world.safety.robs(m, group);
    agents::switch(world, m, group, resource, false);
    true
}

/// Some service, running or not.
fn service(world: &mut World, m: usize, on: bool) -> Option<(usize, usize)> {
    let group = world.rng.below(world.machines[m].kernel.len());
    let machine = &world.machines[m];
    let resources = machine.kernel[group].iter();
    let wanted = resources.zip(&machine.catalogue[group].resources);
    let wanted: Vec<usize> = (wanted.enumerate())
        .filter(|(_, (r, s))| !s.leased && r.on == on)
        .map(|(index, _)| index)
        .collect();
    if wanted.is_empty() || !machine.kernel_runs() {
        return None;
    }
    Some((group, world.rng.pick(&wanted)))
}

/// Its process dies, or it only no longer answers its check.
fn lose_service(world: &mut World, m: usize, dies: bool) -> bool {
    let Some((group, resource)) = service(world, m, true) else {
        return false;
    };
    match dies {
        true => agents::die(world, m, group, resource),
        false => agents::tell(world, m, group, resource, false, 500),
    }
    true
}

/// Somebody starts a service where it does not run.
fn start_by_hand(world: &mut World, m: usize) -> bool {
    let Some((group, resource)) = service(world, m, false) else {
        return false;
    };
    let now = world.now;
    let it = &mut world.machines[m].kernel[group][resource];
    (it.on, it.by_hand, it.since) = (true, true, now);
    let after = world
        .rng
        .skewed(Duration::from_millis(1), Duration::from_secs(1));
    agents::tell(world, m, group, resource, true, after);
    true
}

/// Datagrams recorded long ago, from either node, to either of them.
fn replay(world: &mut World, m: usize) -> bool {
    let count = 1 + world.rng.below(20);
    for _ in 0..count {
        let from = world.rng.below(2);
        if world.taped[from].is_empty() {
            return false;
        }
        let at = world.rng.below(world.taped[from].len());
        let bytes = world.taped[from][at].clone();
        let after = world.rng.between(0, 500_000);
        // It tells nobody anything: as if sent before everything.
        world.later(
            after,
            Item::Datagram {
                to: m,
                path: world.rng.clone().below(world.paths.len()),
                sent: i64::MIN,
                bytes,
            },
        );
    }
    true
}

fn order(world: &mut World, m: usize, fault: Fault, commands: &mut u32) -> bool {
    if !world.machines[m].awake() {
        return false;
    }
    let groups = world.machines[m].catalogue.len();
    let group = world.rng.below(groups);
    let group = world.machines[m].catalogue[group].id;
    let any = if world.rng.chance(0.3) {
        None
    } else {
        Some(group)
    };
    let side = world.rng.pick(&[Side::First, Side::Second]);
    let command = match fault {
        Failover => Command::Failover(any),
        Standby => Command::Standby(side, true),
        Online => Command::Standby(side, false),
        Maintenance => Command::Maintenance(world.rng.chance(0.4)),
        StopGroup => Command::Stopped(group, true),
        StartGroup => Command::Stopped(group, false),
        Clear => Command::Clear(any),
        Leave => Command::Leave,
        // An operator who says this has looked.
        _ if world.machines[1 - m].powered => return false,
        _ => Command::ConfirmFenced {
            despite_signs: true,
        },
    };
    *commands += 1;
    let number = *commands;
    world
        .story
        .tell(world.now, Some(m), || format!("> {command:?}"));
    world.safety.ordered(m, number, command);
    world.feed(m, Event::Command { number, command });
    true
}

/// Whether a recorded datagram still decodes: the codec is part of what is simulated.
pub fn decodes(world: &World) -> bool {
    world
        .taped
        .iter()
        .flatten()
        .all(|bytes| decode(bytes, &world.keys).is_ok())
}
