//! When faults end: nothing is lost any more, every write and operation succeeds, what is down
//! starts. From there the pair must come to one active node for each group and stay so, as far as the
//! operator's wishes let it. Or one machine stays off for good, or hangs with its power on, and the other must come to
//! run everything.

use super::bounds::Left;
use super::check::{Broken, Property, newest};
use super::data;
use super::device;
use super::endure::Lasting;
use super::explore::Sharded;
use super::lan::Lans;
use super::machine::{crash, power_off};
use super::moves::{Crash, Disk, Move, Order, Rules, What, apply, at_once, due, expires};
use super::setup::{GROUPS, Kind, group};
use super::trace;
use super::world::{Mind, NOW, SIDES, World};
use ha_appliance::core::reason::{HeldFire, Reason};
use ha_appliance::core::record::Record;
use ha_appliance::wire::heartbeat::{Role, Side, Wish, WishSubject};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Intervals within which it must be so.
pub const PATIENCE: u32 = 60;
/// Intervals for which it must stay so.
const STEADY: u32 = 10;

/// Nobody is switched off who has power: both are up, and hear each other.
pub const ENOUGH: Left = Left {
    total: 200,
    crashes: 0,
    wipes: 0,
    rollbacks: 0,
    failures: 200,
    fences: 0,
    commands: 100,
    pauses: 0,
    slips: 0,
    slow: 0,
    whims: 0,
    reloads: 100,
    cuts: 0,
    lan: 0,
    cables: 0,
};

/// How faults end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All of them.
    Both,
    /// But that machine stays off.
    Off(Side),
    /// But that machine hangs for good: it has power, and answers nobody. And, where each group has a network of its own,
    /// the other's port to that one stays dead: of that group nothing is asked.
    Hangs(Side, Option<usize>),
}

impl Ending {
    /// The machine that is there no more.
    fn gone(self) -> Option<Side> {
        match self {
            Ending::Both => None,
            Ending::Off(side) | Ending::Hangs(side, _) => Some(side),
        }
    }

    fn index(self) -> usize {
        match self {
            Ending::Both => 0,
            Ending::Off(side) => 1 + side as usize,
            Ending::Hangs(side, _) => 3 + side as usize,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Both => write!(f, "with both machines there"),
            Ending::Off(side) => write!(f, "with {side:?} off for good"),
            Ending::Hangs(side, None) => write!(f, "with {side:?} hanging for good"),
            Ending::Hangs(side, Some(network)) => write!(
                f,
                "with {side:?} hanging for good, the other's port to network {network} dead"
            ),
        }
    }
}

/// Heals worlds, and remembers from where it went well.
pub struct Healer {
    rules: Rules,
    /// All but this is well.
    lasting: Option<Lasting>,
    /// Worlds from which it goes well, by [ending](Ending::index).
    well: [Sharded; 5],
    tried: AtomicU64,
    blocked: AtomicU64,
}

/// The policy that ships wishes again.
pub fn free(world: &mut World) {
    for seat in &mut world.seats {
        let Some(mind) = &seat.mind else { continue };
        let mut node = mind.node.clone();
        (0..GROUPS).for_each(|g| node.dictate(group(g), None));
        seat.mind = Some(Arc::new(Mind::new(node)));
    }
}

impl Healer {
    pub fn new(rules: Rules) -> Healer {
        let heals = true;
        Healer {
            rules: Rules { heals, ..rules },
            lasting: None,
            well: Default::default(),
            tried: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
        }
    }

    /// The same, but for one thing that stays wrong.
    pub fn but_for(rules: Rules, lasting: Lasting) -> Healer {
        Healer {
            lasting: Some(lasting),
            ..Healer::new(rules)
        }
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How many were tried, and how many of them a human must help: a failed stop, or no evidence.
    pub fn counts(&self) -> (u64, u64) {
        (
            self.tried.load(Ordering::Relaxed),
            self.blocked.load(Ordering::Relaxed),
        )
    }

    /// Where a search begins.
    pub fn root(&self) -> World {
        let left = self.rules.bounds.left;
        let mut world = World::new(&self.rules.bounds);
        if let (true, Some(_)) = (self.rules.bounds.settled, self.rules.defect) {
            let rules = Rules {
                defect: None,
                ..self.rules
            };
            return Healer::new(rules).root();
        }
        if self.rules.bounds.settled {
            world.left = ENOUGH;
            let wrong = "nothing is wrong yet";
            for _ in 0..20 * self.rules.bounds.per_interval {
                self.round(&mut world, Ending::Both, &mut None)
                    .expect(wrong);
                self.step(&mut world, What::Advance, &mut None)
                    .expect(wrong);
            }
            assert_eq!(self.missing(&world, Ending::Both), None);
        }
        for seat in &mut world.seats {
            seat.older = None;
        }
        world.left = left;
        world
    }

    /// Both machines come back; or, for each that could go on alone, only that one.
    pub fn heal(&self, world: &World) -> Result<(), Broken> {
        let bounds = &self.rules.bounds;
        let off = SIDES.map(Ending::Off).into_iter();
        let lost = (0..bounds.networks).filter(|_| bounds.apart).map(Some);
        let lost = || lost.clone().chain([None]);
        let hangs = SIDES
            .into_iter()
            .filter(|_| bounds.devices && bounds.drbd.is_none());
        let hangs = hangs.flat_map(|side| lost().map(move |at| Ending::Hangs(side, at)));
        let mut all = [Ending::Both].into_iter().chain(off).chain(hangs);
        all.try_for_each(|ending| self.come_back(world, ending))
    }

    fn come_back(&self, world: &World, ending: Ending) -> Result<(), Broken> {
        self.tried.fetch_add(1, Ordering::Relaxed);
        let mut world = world.clone();
        world.left = ENOUGH;
        world.cut = [false; 2];
        world.data.iter_mut().for_each(|data| data.cable = false);
        // What reads off is off, whomever a gateway answers.
        if !matches!(ending, Ending::Off(_)) || !self.rules.bounds.devices {
            world.lans = Lans::well(&self.rules.bounds);
        }
        (world.both, world.kills) = ([0; GROUPS], 0);
        world.seats.iter_mut().for_each(|s| s.paused = false);
        free(&mut world);
        match ending {
            Ending::Both => {}
            Ending::Off(gone) | Ending::Hangs(gone, _)
                if !self.could_take_over(&world, gone.other()) =>
            {
                return Ok(());
            }
            Ending::Off(gone) => {
                power_off(&mut world, gone, false);
                world.seat_mut(gone).shot = false;
                data::settles(&mut world, &self.rules);
            }
            Ending::Hangs(gone, lost) => {
                let (power, reached) = (false, false);
                crash(&mut world, gone, Crash { power, reached }, &self.rules);
                world.cut = [true; 2];
                let networks = world.lans.0.iter_mut().enumerate();
                for (at, lan) in networks {
                    lan.ports[gone as usize] = true;
                    lan.ports[gone.other() as usize] |= lost == Some(at);
                }
            }
        }
        self.same_files(&mut world)?;
        self.come_to_rest(&world, ending, &mut None).or_else(|_| {
            let mut story = Some(String::new());
            self.come_to_rest(&world, ending, &mut story)
                .map_err(|broken| Broken {
                    how: format!("{}\n{}", broken.how, story.unwrap_or_default()),
                    ..broken
                })
        })
    }

    /// Node lists that differ are a human's to mend. (Of a service that changes groups the files may stay as they
    /// are.)
    fn same_files(&self, world: &mut World) -> Result<(), Broken> {
        let differ = world.seats[0].new_file != world.seats[1].new_file;
        let old = SIDES.into_iter().find(|s| !world.seat(*s).new_file);
        match old {
            Some(side) if differ && !self.rules.bounds.two_lists() => {
                self.step(world, What::Reload(side), &mut None)
            }
            _ => Ok(()),
        }
    }

    fn come_to_rest(
        &self,
        world: &World,
        ending: Ending,
        story: &mut Option<String>,
    ) -> Result<(), Broken> {
        let mut world = world.clone();
        let groups = 0..self.rules.bounds.groups.len();
        let before: Vec<u64> = groups.clone().map(|g| newest(&world, g)).collect();
        let certain = world.seats.iter().all(|s| !s.seen.forgetful);
        let well = &self.well[ending.index()];
        let mut way = vec![];
        let mut steady = 0;
        for _ in 0..(PATIENCE + STEADY) * self.rules.bounds.per_interval {
            self.round(&mut world, ending, story)?;
            self.end_maintenance(&mut world, story)?;
            let gone = ending.gone();
            let stale = gone.is_some_and(|gone| data::needs_a_word(&world, gone.other()));
            if stale || self.blocked(&world, ending) {
                self.blocked.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            let print = world.print();
            let known = steady == 0 && well.contains(print);
            let rest = self.missing(&world, ending).is_none();
            steady = if rest { steady + 1 } else { 0 };
            if known || steady >= STEADY * self.rules.bounds.per_interval {
                for print in way {
                    well.insert(print);
                }
                let lost = groups.clone().find(|&g| newest(&world, g) < before[g]);
                return match lost.filter(|_| certain && ending == Ending::Both) {
                    Some(group) => self.rules.broken(
                        Property::GrantKept,
                        format!("of group {group} there was {}", before[group]),
                    ),
                    None => Ok(()),
                };
            }
            way.push(print);
            self.step(&mut world, What::Advance, story)?;
        }
        let property = match ending {
            Ending::Both => Property::OneActive,
            Ending::Off(_) => Property::TakesOver,
            Ending::Hangs(..) if self.held(&world, ending) => {
                self.blocked.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Ending::Hangs(..) => Property::Unblocked,
        };
        let how = format!(
            "{} after {PATIENCE} intervals {ending}, waits for {:?}:\n{}",
            self.missing(&world, ending).unwrap_or_default(),
            SIDES.map(|side| self.waits_for(&world, side)),
            trace::summary(&world),
        );
        self.rules.broken(property, how)
    }

    /// Everything that can happen at this moment happens.
    pub fn round(
        &self,
        world: &mut World,
        ending: Ending,
        story: &mut Option<String>,
    ) -> Result<(), Broken> {
        for _ in 0..60 {
            let mut quiet = true;
            for side in SIDES {
                // What is shot as it hangs stays off.
                if let Some(gone) = ending.gone() {
                    world.seat_mut(gone).shot = false;
                }
                let Some(what) = self.next(world, side, ending) else {
                    continue;
                };
                quiet = false;
                let what = match self.lasting {
                    Some(lasting) => lasting.spoil(world, what),
                    None => what,
                };
                self.step(world, what, story)?;
            }
            if quiet {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What of all that can happen at a machine does, if all is well.
    fn next(&self, world: &World, side: Side, ending: Ending) -> Option<What> {
        let seat = world.seat(side);
        let from = side.other();
        let groups = 0..self.rules.bounds.groups.len();
        if let Some(what) = at_once(world, &self.rules).first() {
            return Some(*what); // the first is always the good one
        }
        if let Some(group) = groups.clone().find(|&g| expires(seat, g, &self.rules)) {
            let group = group as u8;
            return Some(What::Expired { side, group });
        }
        if seat.doomed.is_some() {
            let reached = false;
            return Some(What::Killed { side, reached });
        }
        if ending.gone() == Some(side) {
            return None;
        }
        if seat.mind.is_none() && device::may_boot(world, side) {
            let disk = Disk::Kept;
            return Some(What::Boot { side, disk });
        }
        seat.mind.as_ref()?;
        if !world.wire[from as usize].is_empty() {
            let (slot, again) = (0, false);
            return Some(What::Deliver { from, slot, again });
        }
        if seat.writing.is_some() {
            let (done, reached) = (true, true);
            return Some(What::Written {
                side,
                done,
                reached,
            });
        }
        for (group, resource, it) in seat.resources() {
            let (group, resource) = (group as u8, resource as u8);
            if it.gone {
                return Some(What::Noticed {
                    side,
                    group,
                    resource,
                });
            }
            if it.doing.is_some()
                && (it.fresh || !data::waits(world, side, group.into(), &self.rules))
            {
                return Some(What::Ended {
                    side,
                    group,
                    resource,
                    done: true,
                });
            }
        }
        if seat.asked.is_some() {
            let works = true;
            return Some(What::Answered { side, works });
        }
        if seat.asking && !world.seat(from).powered {
            let reached = false;
            return Some(What::Confirmed { side, reached });
        }
        let data = || data::heals(world, side, &self.rules);
        due(world, side).then_some(What::Tick(side)).or_else(data)
    }

    pub fn step(
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

    /// The operator ends a maintenance: in it the pair must do nothing, not even recover.
    fn end_maintenance(&self, world: &mut World, story: &mut Option<String>) -> Result<(), Broken> {
        if !self.rules.bounds.wishes {
            return Ok(());
        }
        let on = |side: &Side| world.node(*side).is_some_and(|n| n.view().maintenance);
        match SIDES.into_iter().find(on) {
            Some(side) => self.step(world, What::Order(side, Order::Maintenance(false)), story),
            None => Ok(()),
        }
    }

    /// Whoever is left waits for what only the peer or a human ends: whether the machine is where it was is not known, nor
    /// when it shoots itself.
    fn held(&self, world: &World, ending: Ending) -> bool {
        let there = SIDES.iter().filter(|side| Some(**side) != ending.gone());
        let mut whys = there.flat_map(|side| self.waits_for(world, *side));
        whys.any(|why| {
            matches!(
                why,
                Reason::HeldFire(
                    HeldFire::Unmet
                        | HeldFire::Inherited
                        | HeldFire::Apart
                        | HeldFire::Maintained
                        | HeldFire::Often
                )
            )
        })
    }

    /// What its groups wait for: that is only shown, and so forgotten between two steps.
    fn waits_for(&self, world: &World, side: Side) -> Vec<Reason> {
        let Some(mut node) = world.node(side).cloned() else {
            return vec![];
        };
        for turn in 0..2 {
            node.step(NOW + Duration::from_micros(turn), self.rules.wakes());
        }
        let groups = node.view().groups.into_iter();
        groups.filter_map(|group| group.waiting).collect()
    }

    /// A failed stop waits for a human.
    fn blocked(&self, world: &World, ending: Ending) -> bool {
        let there = SIDES
            .into_iter()
            .filter(|side| Some(*side) != ending.gone());
        let groups = 0..self.rules.bounds.groups.len();
        there
            .flat_map(|side| groups.clone().map(move |g| (side, g)))
            .any(|(side, g)| world.seat(side).groups[g].role == Role::Failed)
    }

    /// It knows enough to take over by itself. With fencing always. In best effort only where a probe
    /// of the peer was ever answered, and neither maintenance nor a failed stop nor a file that is refused is the
    /// last it heard of it; and never a group with data.
    fn could_take_over(&self, world: &World, side: Side) -> bool {
        if !self.rules.bounds.best_effort {
            return !self.rules.bounds.leases;
        }
        let seat = world.seat(side);
        let proven =
            |record: &Record| record.vifs.iter().all(|v| v.proven) && !record.vifs.is_empty();
        let ran = world.seat(side.other()).groups.iter();
        let stuck = ran.clone().any(|g| g.role == Role::Failed);
        let view = seat.mind.as_ref().map(|m| m.node.view());
        let heard = seat.mind.as_ref().and_then(|m| m.node.peer_heartbeat());
        let under_way = world.wire[side.other() as usize].iter();
        let mut said = under_way.map(|l| &*l.heartbeat).chain(heard);
        let maintenance = |w: &Wish| w.subject == WishSubject::Maintenance && w.is_on();
        let last_word = said.any(|h| {
            h.wishes.iter().any(maintenance) || h.groups.iter().any(|g| g.role == Role::Failed)
        });
        let known = match view {
            Some(view) => view.vifs.iter().all(|v| v.probe_proven),
            None => proven(&seat.disk),
        };
        let files_differ = world.seats[0].new_file != world.seats[1].new_file;
        let remembered = seat.disk.peer_refused || seat.disk.groups.iter().any(|g| g.peer_failed);
        known && !stuck && !last_word && !files_differ && !remembered
    }

    /// What is not yet as it ought to be.
    pub fn missing(&self, world: &World, ending: Ending) -> Option<String> {
        let gone = ending.gone();
        let there = || SIDES.into_iter().filter(|side| Some(*side) != gone);
        let views: Vec<_> = there()
            .map(|side| world.node(side).map(|n| n.view()))
            .collect();
        let Some(view) = views.first().cloned().flatten() else {
            return Some("a daemon is down".into());
        };
        if views.iter().any(|v| {
            v.as_ref()
                .is_none_or(|v| (v.standby, v.maintenance) != (view.standby, view.maintenance))
        }) {
            return Some("the nodes do not know the same wishes".into());
        }
        if view.maintenance {
            return Some("maintenance".into());
        }
        let data_alone =
            |kind: &Kind| gone.is_some() && self.rules.bounds.best_effort && *kind == Kind::Data;
        let lost = |group: usize| matches!(ending, Ending::Hangs(_, Some(at)) if at == group);
        let groups = self.rules.bounds.groups.iter().enumerate();
        groups
            .filter(|(group, kind)| !data_alone(kind) && !lost(*group))
            .filter_map(|(group, kind)| {
                let stopped = view.groups[group].stopped;
                let eligible = there().any(|side| !view.standby[side as usize]);
                let wanted = kind.count() * (eligible && !stopped) as usize;
                let locals = there().map(|side| (side, &world.seat(side).groups[group]));
                let running = |side: Side| {
                    let resources = world.seat(side).groups[group].resources.iter();
                    resources.take(kind.count()).filter(|r| r.runs).count()
                };
                let total: usize = SIDES.into_iter().map(running).sum();
                let active = locals
                    .clone()
                    .filter(|(side, l)| {
                        l.role == Role::Active
                            && running(*side) == kind.count()
                            && !view.standby[*side as usize]
                    })
                    .count();
                let tokens: Vec<_> = locals.map(|(_, l)| l.token).collect();
                let agreed = tokens.iter().all(|t| *t == tokens[0]);
                let right = total == wanted && active == (wanted > 0) as usize && agreed;
                (!right).then(|| {
                    format!("group {group}: {total} of {wanted} resources run, {active} active, tokens {tokens:?}")
                })
            })
            .next()
    }
}
