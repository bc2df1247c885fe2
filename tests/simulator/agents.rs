//! Does what a node asks: the agents, and the kernel, disk and network behind them.

use super::defect::Defect;
use super::machine::{Ambush, Job, Resource, Where};
use super::world::{Item, World, gateway_at, mac};
use ha_appliance::core::event::{Action, Claimed, Event, Op, Outcome, Presence};
use ha_appliance::core::setup::{CEDED, LIFETIME};
use ha_appliance::core::time::Time;
use ha_appliance::id::{Place, VifId};
use ha_appliance::wire::encode;
use std::rc::Rc;
use std::time::Duration;

/// The kernel's timer may come so much early or late.
pub const FUZZ: i64 = 250_000;

/// How often the watch over services looks at what it believes stopped.
pub const PATROL: Duration = Duration::from_secs(30);

/// Does it.
pub fn act(world: &mut World, m: usize, action: Action) {
    match action {
        Action::Send(heartbeat) => {
            let mut heartbeat = heartbeat;
            heartbeat.versions = world.machines[m].speaks;
            let bytes: Rc<[u8]> = encode(&heartbeat, &world.keys).into();
            world.taped[m].push(bytes.clone());
            if world.taped[m].len() > 500 {
                let gone = world.rng.below(500);
                world.taped[m].swap_remove(gone);
            }
            let sent = world.now;
            for path in 0..world.paths.len() {
                let quality = world.wire(world.paths[path], m);
                for after in quality.deliver(&mut world.rng) {
                    let (to, bytes) = (1 - m, bytes.clone());
                    world.later(
                        after,
                        Item::Datagram {
                            to,
                            path,
                            sent,
                            bytes,
                        },
                    );
                }
            }
        }
        Action::Persist(record) => {
            let disk = &mut world.machines[m].disk;
            assert!(disk.writing.is_none(), "two writes at once");
            disk.writing = Some(record);
            let (fails, slow) = (disk.fails, disk.slow);
            let after = match slow {
                true => world
                    .rng
                    .skewed(Duration::from_millis(5), Duration::from_secs(8)),
                false => world.rng.between(300, 6000),
            };
            let life = world.machines[m].life;
            world.later(after, Item::Written { of: m, life, fails });
        }
        Action::Look(place) => {
            let (group, resource) = world.machines[m].find(place);
            let machine = &world.machines[m];
            let mut jobs = machine.jobs.iter();
            let busy = jobs.any(|job| (job.group, job.resource) == (group, resource));
            let presence = match machine.kernel[group][resource].on {
                _ if busy => Presence::Partial,
                true => Presence::Running,
                false => Presence::Absent,
            };
            finish(world, m, place, Outcome::Found(presence));
        }
        Action::Start(place, _) => operate(world, m, place, true),
        Action::Stop(place) => operate(world, m, place, false),
        Action::Cancel(op) => {
            // A job that hangs is killed; whether it had taken effect is anybody's guess.
            let here = &world.machines[m];
            let jobs = &here.jobs;
            let place = |job: &Job| match op {
                Op::Resource(place) => (job.group, job.resource) == here.find(place),
                Op::Persist => false,
            };
            if let Some(at) = jobs.iter().position(place) {
                let job = world.machines[m].jobs.swap_remove(at);
                world.machines[m].worked = world.now + 20_000;
                if !job.on {
                    world.machines[m].bad_stop = world.now;
                }
                let group = job.group;
                let on = world.machines[m].kernel[group][job.resource].on;
                if world.rng.chance(0.5) && on != job.on {
                    land(world, m, job, job.on);
                }
                let (life, outcome) = (world.machines[m].life, Outcome::Failed("cancelled".into()));
                world.later(
                    20_000,
                    Item::Daemon {
                        to: m,
                        life,
                        event: Event::Finished { op, outcome },
                    },
                );
            }
        }
        Action::Cede(place) => {
            let (group, resource) = world.machines[m].find(place);
            let fails = world.rng.chance(world.machines[m].stop_fails);
            let span = world.rng.between(-FUZZ, FUZZ) + CEDED.as_micros() as i64;
            let local = world.machines[m].clock.local(world.now);
            let it = &mut world.machines[m].kernel[group][resource];
            it.ceded = (it.on && !fails).then_some(local);
            if it.on && !fails {
                let lies = world.defect == Some(Defect::LyingCede);
                (it.until, it.forever) = ((!lies).then_some(Time(local.0 + span)), false);
                if lies {
                    world.machines[m].ambush = Some((Ambush::Kill, Where::Anywhere));
                }
            }
            let outcome = match fails {
                true => Outcome::Failed("it does not".into()),
                false => Outcome::Done,
            };
            finish(world, m, place, outcome);
        }
        Action::Mark(group, started) => {
            let marks = &mut world.machines[m].marks;
            marks.retain(|(id, _)| *id != group);
            marks.extend(started.map(|started| (group, started)));
        }
        Action::Device { device, ask } => super::device::ask(world, m, device, ask),
        Action::Note(count) => world.machines[m].noted = Some(count),
        Action::Renew { group, forever } => {
            let group = world.machines[m].group(group);
            renew(world, m, group, forever)
        }
        Action::Announce(group) => {
            let group = world.machines[m].group(group);
            announce(world, m, group)
        }
        Action::Probe(group) => {
            let group = world.machines[m].group(group);
            probe(world, m, group)
        }
        Action::Ping { gateway, stamp } => {
            let machine = &world.machines[m];
            let (vif, up) = machine.gateways[gateway_at(gateway)];
            let ghost = world.defect == Some(Defect::GhostGateway);
            if up && machine.carriers[vif] || ghost {
                let life = machine.life;
                let after = world.rng.between(200, 900);
                world.later(
                    after,
                    Item::Daemon {
                        to: m,
                        life,
                        event: Event::Pong { gateway, stamp },
                    },
                );
            }
        }
        Action::Exit => {
            world.machines[m].end_daemon(true);
            let after = world.rng.between(1_000_000, 30_000_000);
            world.later(after, Item::Start { of: m, boot: false });
        }
        Action::Part(_) => unreachable!("nothing lingers"),
        Action::Proof { .. } => unreachable!("nobody asks"),
        Action::Answer { .. } | Action::Reply(_) | Action::Report(_) => {}
    }
}

/// The leases of a group get their lifetime anew; what was gone is back.
pub fn renew(world: &mut World, m: usize, group: usize, forever: bool) {
    for resource in 0..world.machines[m].kernel[group].len() {
        if world.machines[m].catalogue[group].resources[resource].leased {
            let renewed = lease(world, m, forever);
            let it = &mut world.machines[m].kernel[group][resource];
            let since = if it.on { it.since } else { renewed.since };
            *it = Resource { since, ..renewed };
        }
    }
}

/// A resource comes or goes.
pub fn switch(world: &mut World, m: usize, group: usize, resource: usize, on: bool) {
    let leased = world.machines[m].catalogue[group].resources[resource].leased;
    if on && leased {
        let forever = world.machines[m]
            .node
            .as_ref()
            .is_some_and(|n| n.view().maintenance);
        let new = lease(world, m, forever);
        let it = &mut world.machines[m].kernel[group][resource];
        let since = if it.on { it.since } else { new.since };
        *it = Resource { since, ..new };
        announce(world, m, group);
    } else {
        let now = world.now;
        let it = &mut world.machines[m].kernel[group][resource];
        let since = if it.on { it.since } else { now };
        *it = Resource {
            on,
            since,
            ..Resource::default()
        };
    }
    if leased {
        tell(world, m, group, resource, on, 300);
    } else if on && world.rng.chance(world.machines[m].flaky) {
        let life = world.rng.between(10_000, 3_000_000);
        world.later(
            life,
            Item::Dies {
                of: m,
                group,
                resource,
            },
        );
    }
}

/// A service's start or stop took effect. It counts from the moment at which it was asked for.
pub fn land(world: &mut World, m: usize, job: Job, on: bool) {
    switch(world, m, job.group, job.resource, on);
    world.machines[m].kernel[job.group][job.resource].since = job.asked;
    world.machines[m].let_go();
}

/// A stop said done, and did nothing. An address ends all the same, even one without an end; a service is
/// found by the watch.
pub fn lie(world: &mut World, m: usize, group: usize, resource: usize) {
    let now = world.now;
    let leased = world.machines[m].catalogue[group].resources[resource].leased;
    let local = world.machines[m].clock.local(now);
    let it = &mut world.machines[m].kernel[group][resource];
    if !it.on {
        return;
    }
    it.lied = Some(now);
    if leased {
        let end = Time(local.0 + LIFETIME.as_micros() as i64);
        (it.until, it.forever) = (it.until.or(Some(end)), false);
        return;
    }
    let after = world.rng.skewed(Duration::from_millis(50), PATROL);
    world.later(
        after,
        Item::Found {
            of: m,
            group,
            resource,
        },
    );
}

/// Whoever watches a resource sees it come or go.
pub fn tell(world: &mut World, m: usize, group: usize, resource: usize, on: bool, after: i64) {
    let place = world.machines[m].name(group, resource);
    let event = match on {
        true => Event::Appeared { place },
        false => Event::Lost {
            place,
            why: "gone".into(),
        },
    };
    world.later(after, Item::Machine { to: m, event });
}

/// A service's process dies.
pub fn die(world: &mut World, m: usize, group: usize, resource: usize) {
    let it = &mut world.machines[m].kernel[group][resource];
    *it = Resource {
        since: it.since,
        ..Resource::default()
    };
    tell(world, m, group, resource, false, 500);
}

/// A VIP with a new lifetime.
fn lease(world: &mut World, m: usize, forever: bool) -> Resource {
    let span = LIFETIME.as_micros() as i64 + world.rng.between(-FUZZ, FUZZ);
    let local = world.machines[m].clock.local(world.now);
    let until = (!forever).then_some(Time(local.0 + span));
    Resource {
        on: true,
        until,
        forever,
        since: world.now,
        ..Resource::default()
    }
}

/// A start or a stop. A VIP's ends within its step; a service's takes its time, fails, or hangs.
fn operate(world: &mut World, m: usize, place: Place, on: bool) {
    let (group, resource) = world.machines[m].find(place);
    let leased = world.machines[m].catalogue[group].resources[resource].leased;
    let chance = if on {
        world.machines[m].start_fails
    } else {
        world.machines[m].stop_fails
    };
    let fails = world.rng.chance(chance);
    if fails && !on {
        world.machines[m].bad_stop = world.now;
    }
    let stop_lies = world.machines[m].stop_lies;
    let lies = !on && !fails && stop_lies > 0.0 && world.rng.chance(stop_lies);
    let outcome = match fails {
        // Every third was never heard of, and can be asked for later.
        true if on && world.now % 3 == 0 => {
            let (life, unready) = (world.machines[m].life, None);
            let event = Event::Ready { place, unready };
            let answered = Item::Daemon { to: m, life, event };
            world.later(40_000_000, answered);
            Outcome::Unasked("no answer".into())
        }
        true => Outcome::Failed("it does not".into()),
        false => Outcome::Done,
    };
    if leased {
        let untold = !on && world.defect == Some(Defect::LyingStop);
        if lies {
            lie(world, m, group, resource);
        } else if !fails && !untold {
            switch(world, m, group, resource, on);
        }
        finish(world, m, place, outcome);
        return;
    }
    let half = world.rng.chance(0.5); // a failed start may leave something running
    let reached = match (fails, on) {
        (false, on) => Some(on).filter(|_| !lies),
        (true, true) => half.then_some(true),
        (true, false) => None,
    };
    let slow = world.machines[m].slow;
    let after = match world.rng.chance(slow) {
        true => world
            .rng
            .skewed(Duration::from_millis(200), Duration::from_secs(30)),
        false => world.rng.between(5_000, 60_000),
    };
    world.jobs += 1;
    let number = world.jobs;
    // A new job of a unit takes the place of the one that a daemon left behind.
    let same = |job: &Job| (job.group, job.resource) == (group, resource);
    world.machines[m].jobs.retain(|job| !same(job));
    world.machines[m].jobs.push(Job {
        number,
        group,
        resource,
        on,
        asked: world.now,
        lies,
    });
    let life = world.machines[m].life;
    let op = Op::Resource(place);
    let end = Event::Finished { op, outcome };
    world.later(
        after,
        Item::Operated {
            of: m,
            life,
            number,
            end,
            on: reached,
        },
    );
}

/// Gratuitous ARP: the peer hears it too.
fn announce(world: &mut World, m: usize, group: usize) {
    if world.machines[m].vip(group).is_some() {
        let id = world.machines[m].catalogue[group].id;
        for vif in world.machines[m].catalogue[group].vifs.clone() {
            claim(world, 1 - m, vif, Claimed::Vip(id));
        }
    }
}

/// ARP requests, answered by the peer's kernel.
fn probe(world: &mut World, m: usize, group: usize) {
    for vif in world.machines[m].catalogue[group].vifs.clone() {
        let lan = world.topology.lans[vif.0 as usize];
        let asked = world.wire(lan, m).deliver(&mut world.rng);
        let there = &world.machines[1 - m];
        if asked.is_empty() || !there.kernel_runs() {
            continue;
        }
        let has_vip = there.vip(group).is_some() && world.defect != Some(Defect::DeafArp);
        if has_vip {
            let id = world.machines[m].catalogue[group].id;
            claim(world, m, vif, Claimed::Vip(id));
        }
        claim(world, m, vif, Claimed::PeerAddress);
    }
}

fn claim(world: &mut World, to: usize, vif: VifId, subject: Claimed) {
    let mac = mac(1 - to, vif.0 as usize);
    let lan = world.topology.lans[vif.0 as usize];
    for after in world.wire(lan, 1 - to).deliver(&mut world.rng) {
        let event = Event::Claim { vif, subject, mac };
        world.later(after, Item::Machine { to, event });
    }
}

fn finish(world: &mut World, m: usize, place: Place, outcome: Outcome) {
    let op = Op::Resource(place);
    world.machines[m]
        .pending
        .push_back(Event::Finished { op, outcome });
}
