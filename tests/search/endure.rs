//! While one fault lasts and nothing else is wrong, a group must not wander to and fro.

use super::bounds::Bounds;
use super::check::{Broken, Property, newest};
use super::heal::{ENOUGH, Ending, Healer, free};
use super::lan::Lans;
use super::moves::{Rules, What, doing};
use super::setup::{GROUPS, Kind};
use super::trace;
use super::world::{Doing, SIDES, World};
use ha_appliance::wire::heartbeat::Side;
use std::time::Duration;

/// What is wrong and stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// The interlink, in these directions.
    Cut([bool; 2]),
    /// That machine's port to the clients' network.
    Port(Side),
    /// The gateway.
    Gateway,
    /// No resource starts on that machine.
    Starts(Side),
    /// What runs on that machine dies every few intervals.
    Dies(Side),
    /// That machine's disk takes no write.
    Disk(Side),
}

/// Intervals for which it lasts, and between two deaths.
const LASTS: u32 = 300;
const DIES: u32 = 3;

impl Lasting {
    pub fn all(best_effort: bool) -> Vec<Lasting> {
        let cuts = [[true, true], [true, false], [false, true]];
        let mut all: Vec<_> = cuts.map(Lasting::Cut).into();
        for side in SIDES {
            all.extend([
                Lasting::Starts(side),
                Lasting::Dies(side),
                Lasting::Disk(side),
            ]);
            all.extend(best_effort.then_some(Lasting::Port(side)));
        }
        all.extend(best_effort.then_some(Lasting::Gateway));
        all
    }

    /// What happens instead.
    pub fn spoil(self, world: &World, what: What) -> What {
        match (what, self) {
            (
                What::Ended {
                    side,
                    group,
                    resource,
                    ..
                },
                Lasting::Starts(bad),
            ) if side == bad && doing(world, side, group, resource) == Some(Doing::Start) => {
                What::Ended {
                    side,
                    group,
                    resource,
                    done: false,
                }
            }
            (What::Written { side, .. }, Lasting::Disk(bad)) if side == bad => What::Written {
                side,
                done: false,
                reached: false,
            },
            (what, _) => what,
        }
    }

    fn begin(self, world: &mut World) {
        match self {
            Lasting::Cut(cut) => world.cut = cut,
            Lasting::Port(side) => world.lans.0[0].ports[side as usize] = true,
            Lasting::Gateway => world.lans.0[0].gateway = true,
            Lasting::Starts(_) | Lasting::Dies(_) | Lasting::Disk(_) => {}
        }
    }

    /// What dies on that machine now.
    fn dies(self, world: &World, rules: &Rules) -> Option<What> {
        let Lasting::Dies(side) = self else {
            return None;
        };
        let mortal = |group: usize| {
            rules
                .bounds
                .groups
                .get(group)
                .is_some_and(|k| *k != Kind::Data)
        };
        let mut resources = world.seat(side).resources();
        let (group, resource, _) =
            resources.find(|(g, _, it)| mortal(*g) && it.runs && it.doing.is_none())?;
        Some(What::Dies {
            side,
            group: group as u8,
            resource: resource as u8,
        })
    }
}

/// Tries every lasting fault from there.
pub fn endure(world: &World, rules: &Rules) -> Result<(), Broken> {
    let bounds = Bounds {
        raw: true,
        limits: true,
        ..rules.bounds
    };
    let rules = Rules { bounds, ..*rules };
    let all = Lasting::all(bounds.best_effort);
    all.into_iter()
        .try_for_each(|lasting| last(world, lasting, &rules))
}

fn last(world: &World, lasting: Lasting, rules: &Rules) -> Result<(), Broken> {
    let healer = Healer::but_for(*rules, lasting);
    let mut world = world.clone();
    (world.left, world.cut, world.lans) = (ENOUGH, [false; 2], Lans::well(&rules.bounds));
    world.data.iter_mut().for_each(|data| data.cable = false);
    (world.both, world.kills) = ([0; GROUPS], 0);
    world.seats.iter_mut().for_each(|s| s.paused = false);
    free(&mut world);
    lasting.begin(&mut world);
    let groups = 0..rules.bounds.groups.len();
    let mut known: Vec<u64> = groups.clone().map(|g| newest(&world, g)).collect();
    let mut moves = vec![0; known.len()];
    for step in 0..LASTS * rules.bounds.per_interval {
        healer.round(&mut world, Ending::Both, &mut None)?;
        if step % (DIES * rules.bounds.per_interval) == 0
            && let Some(what) = lasting.dies(&world, rules)
        {
            healer.step(&mut world, what, &mut None)?;
        }
        for group in groups.clone() {
            let now = newest(&world, group);
            moves[group] += (now > known[group]) as u32;
            known[group] = now;
        }
        healer.step(&mut world, What::Advance, &mut None)?;
    }
    let span = rules.bounds.interval() * LASTS;
    match groups.into_iter().find(|&g| moves[g] > most(span)) {
        Some(group) => rules.broken(
            Property::MovesBounded,
            format!(
                "group {group} moved {} times in {} s while this lasted: {lasting:?}\n{}",
                moves[group],
                span.as_secs(),
                trace::summary(&world)
            ),
        ),
        None => Ok(()),
    }
}

/// The most moves in such a span: what was under way, three that are free, and then one after 5 s, 10 s,
/// 20 s, 40 s, and each minute.
fn most(span: Duration) -> u32 {
    let mut pauses = [5, 10, 20, 40].into_iter().chain(std::iter::repeat(60));
    let (mut sum, mut count) = (0, 0);
    while sum <= span.as_secs() {
        sum += pauses.next().unwrap_or(60);
        count += 1;
    }
    4 + count
}
