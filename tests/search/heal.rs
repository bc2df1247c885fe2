//! When faults end: nothing is lost any more, every write and operation succeeds, what is down
//! starts. From there the pair must come to one active node and stay so.

use super::bounds::Left;
use super::check::{Broken, Property};
use super::explore::Sharded;
use super::moves::{Move, Rules, What, apply, due};
use super::trace;
use super::world::{MOST, SIDES, Seat, World};
use ha_appliance::wire::heartbeat::Role;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rounds (time steps) within which it must be so.
pub const PATIENCE: u32 = 60;
/// Rounds for which it must stay so.
const STEADY: u32 = 10;

/// The source of clearance refuses: it can reach nothing, and both nodes are up.
const ENOUGH: Left = Left {
    total: 200,
    crashes: 0,
    wipes: 0,
    failures: 200,
    fences: 0,
    commands: 0,
    late: 0,
    slow: 0,
    cuts: 0,
};

/// Heals worlds, and remembers from where it went well.
pub struct Healer {
    rules: Rules,
    /// Worlds from which one node becomes active.
    well: Sharded,
    tried: AtomicU64,
    blocked: AtomicU64,
}

impl Healer {
    pub fn new(rules: Rules) -> Healer {
        Healer {
            rules,
            well: Sharded::default(),
            tried: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
        }
    }

    /// How many were tried, and how many of them are blocked by a failed stop.
    pub fn counts(&self) -> (u64, u64) {
        (
            self.tried.load(Ordering::Relaxed),
            self.blocked.load(Ordering::Relaxed),
        )
    }

    /// Where a search begins.
    pub fn root(&self) -> World {
        let left = self.rules.bounds.left;
        let mut world = World::new(left);
        if self.rules.bounds.settled {
            world.left = ENOUGH;
            for _ in 0..20 {
                self.round(&mut world, &mut None)
                    .expect("nothing is wrong yet");
                self.step(&mut world, What::Advance, &mut None)
                    .expect("nothing is wrong yet");
            }
            assert!(self.is_well(&world));
        }
        world.left = left;
        world
    }

    pub fn heal(&self, world: &World) -> Result<(), Broken> {
        self.tried.fetch_add(1, Ordering::Relaxed);
        self.come_to_one(world, &mut None)
            .or_else(|_| self.come_to_one(world, &mut Some(String::new())))
    }

    fn come_to_one(&self, world: &World, story: &mut Option<String>) -> Result<(), Broken> {
        let mut world = world.clone();
        world.left = ENOUGH;
        world.cut = [false; 2];
        let mut way = vec![];
        let mut steady = 0;
        for _ in 0..PATIENCE + STEADY {
            self.round(&mut world, story)?;
            if world.seats.iter().any(|s| s.seen.role == Role::Failed) {
                self.blocked.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            let well = steady == 0 && self.well.contains(world.print());
            steady = if self.is_well(&world) { steady + 1 } else { 0 };
            if well || steady >= STEADY {
                for print in way {
                    self.well.insert(print);
                }
                return Ok(());
            }
            way.push(world.print());
            self.step(&mut world, What::Advance, story)?;
        }
        let summary = trace::summary(&world);
        let how = format!(
            "not one active node after {PATIENCE} rounds:\n{summary}{}",
            story.take().unwrap_or_default()
        );
        self.rules.broken(Property::OneActive, how)
    }

    /// Everything that can happen at this moment happens.
    fn round(&self, world: &mut World, story: &mut Option<String>) -> Result<(), Broken> {
        for _ in 0..40 {
            let mut quiet = true;
            for side in SIDES {
                let seat = world.seat(side);
                let what = if seat.mind.is_none() {
                    What::Boot { side, wiped: false }
                } else if !world.wire[side.other() as usize].is_empty() {
                    What::Deliver {
                        from: side.other(),
                        slot: 0,
                        again: false,
                    }
                } else if seat.writing.is_some() {
                    What::Written {
                        side,
                        done: true,
                        reached: true,
                    }
                } else if let Some(resource) =
                    (0..MOST).find(|&r| seat.resources[r].doing.is_some())
                {
                    What::Ended {
                        side,
                        resource: resource as u8,
                        done: true,
                    }
                } else if self.rules.bounds.group.leased(0)
                    && seat.resources[0].runs
                    && seat.resources[0].left == 0
                {
                    What::Expired(side)
                } else if seat.asking {
                    What::Refused(side)
                } else if due(world, side) {
                    What::Tick(side)
                } else {
                    continue;
                };
                quiet = false;
                self.step(world, what, story)?;
            }
            if quiet {
                return Ok(());
            }
        }
        Ok(())
    }

    fn step(
        &self,
        world: &mut World,
        what: What,
        story: &mut Option<String>,
    ) -> Result<(), Broken> {
        let m = Move {
            what,
            cut: None,
            lost: 0,
        };
        if let Some((step, outcome)) = apply(world, m, &self.rules) {
            if let Some(story) = story.as_mut().filter(|s| s.len() < 6_000) {
                let actions = step
                    .actions
                    .iter()
                    .map(|a| format!("      {}\n", trace::told(a)))
                    .collect::<String>();
                *story += &format!(
                    "    {}\n{actions}",
                    trace::headline(&m, step.event.as_ref())
                );
            }
            *world = outcome?;
            world.left = ENOUGH;
        }
        Ok(())
    }

    fn is_well(&self, world: &World) -> bool {
        let count = self.rules.bounds.group.resources().len();
        let runs = |s: &Seat| s.resources.iter().filter(|r| r.runs).count();
        let active = |s: &&Seat| s.mind.is_some() && s.seen.role == Role::Active;
        let active: Vec<usize> = world.seats.iter().filter(active).map(runs).collect();
        let running = world.seats.iter().map(runs).sum::<usize>();
        active == [count]
            && running == count
            && world.seats[0].seen.token == world.seats[1].seen.token
    }
}
