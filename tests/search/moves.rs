//! What can happen next, and what the world is like after it.

use super::bounds::{Bounds, Left};
use super::canonical::{age, renumber};
use super::check::{self, Broken, Property};
use super::defect::Defect;
use super::world::{Doing, GROUP, Letter, MOST, Mind, NOW, Resource, SIDES, Seen, World, setup};
use ha_appliance::core::Node;
use ha_appliance::core::event::{Action, Command, Event, OpId, Outcome, Presence};
use ha_appliance::core::group::resource_op;
use ha_appliance::core::record::Record;
use ha_appliance::wire::heartbeat::{Role, Side};
use std::sync::Arc;

/// How long an address lives that is not renewed, and one that is being handed over, in time steps of
/// half a second.
const LIFETIME: u8 = 6;
const CEDED: u8 = 4;

/// One thing that happens, and how it is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub what: What,
    /// The machine crashes after so many of the step's actions.
    pub cut: Option<(u8, Crash)>,
    /// Which heartbeat is lost when too many are under way: that one, or the new one.
    pub lost: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Time passes.
    Advance,
    /// The network changes: which directions are cut, by sender.
    Cut([bool; 2]),
    /// What just began does not end at once.
    Slow(Side),
    /// The daemon starts (the machine is switched on, if it is off), with its state or without.
    Boot { side: Side, wiped: bool },
    /// The daemon's deadline is served.
    Tick(Side),
    /// A heartbeat under way arrives, and may arrive again.
    Deliver { from: Side, slot: u8, again: bool },
    /// A write ends. A failed one may have reached the disk all the same.
    Written {
        side: Side,
        done: bool,
        reached: bool,
    },
    /// A look, start, stop or cession ends.
    Ended {
        side: Side,
        resource: u8,
        done: bool,
    },
    /// The kernel ends an address that was not renewed.
    Expired(Side),
    /// A service dies.
    Dies(Side),
    /// The source switches the peer off (its write under way reaches the disk or not) and says so.
    Cleared { side: Side, reached: bool },
    /// The source says that it cannot.
    Refused(Side),
    /// An operator's order.
    Order(Side, Order),
    /// The machine or the daemon dies between two steps.
    Crash(Side, Crash),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Failover,
    Leave,
}

/// How a daemon dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The whole machine loses power; otherwise only the daemon dies and what it started runs on.
    pub power: bool,
    /// A write under way reached the disk.
    pub reached: bool,
}

/// The world in which the law is at work: bounds, a deliberate defect, and which properties count.
#[derive(Clone, Copy)]
pub struct Rules {
    pub bounds: Bounds,
    pub defect: Option<Defect>,
    /// With a defect: the one property that it must break.
    pub only: Option<Property>,
}

/// A step taken and not yet carried out.
pub struct Step {
    /// The world before the actions, the event already taken from it.
    world: World,
    /// Who stepped; None: nobody.
    side: Option<Side>,
    node: Option<Node>,
    pub event: Option<Event>,
    pub actions: Vec<Action>,
}

/// Everything that may happen next, with its outcome.
pub fn next(world: &World, rules: &Rules, each: &mut dyn FnMut(Move, Result<World, Broken>)) {
    for what in all(world, rules) {
        let Some(step) = begin(world, what, rules) else {
            continue;
        };
        let effects = step.actions.iter().filter(|a| effect(a)).count() as u8;
        let losses = step.losses(rules);
        for lost in 0..losses {
            let whole = Move {
                what,
                cut: None,
                lost,
            };
            each(whole, step.outcome(whole, rules));
        }
        let Some(side) = step.side else { continue };
        if !affordable(&step.world.left, |l| l.crashes) {
            continue;
        }
        for after in 1..effects {
            let prefix = step
                .actions
                .iter()
                .filter(|a| effect(a))
                .take(after as usize);
            let sent = prefix.clone().any(|a| matches!(a, Action::Send(_)));
            let writes = step.world.seat(side).writing.is_some()
                || prefix.clone().any(|a| matches!(a, Action::Persist { .. }));
            for power in [true, false] {
                for reached in if writes { &[true, false][..] } else { &[false] } {
                    for lost in 0..if sent { losses } else { 1 } {
                        let cut = Some((
                            after,
                            Crash {
                                power,
                                reached: *reached,
                            },
                        ));
                        let part = Move { what, cut, lost };
                        each(part, step.outcome(part, rules));
                    }
                }
            }
        }
    }
}

/// The world after that move; None: it cannot happen.
pub fn apply(world: &World, m: Move, rules: &Rules) -> Option<(Step, Result<World, Broken>)> {
    let step = begin(world, m.what, rules)?;
    let outcome = step.outcome(m, rules);
    Some((step, outcome))
}

/// A daemon's deadline has come.
pub fn due(world: &World, side: Side) -> bool {
    world.node(side).is_some_and(|n| n.deadline() <= NOW)
}

fn all(world: &World, rules: &Rules) -> Vec<What> {
    let left = &world.left;
    let failing = affordable(left, |l| l.failures);
    let mut all = vec![];
    for side in SIDES {
        let seat = world.seat(side);
        let works = (0..MOST).find(|&r| seat.resources[r].fresh);
        if seat.fresh {
            end_write(&mut all, side, failing);
        } else if let Some(resource) = works {
            end_work(&mut all, side, resource, failing);
        }
        // What is done to an address is done at once.
        let slow = seat.fresh || works.is_some_and(|r| !rules.bounds.group.leased(r));
        if slow && affordable(left, |l| l.slow) {
            all.push(What::Slow(side));
        }
    }
    if !all.is_empty() {
        return all;
    }
    all.push(What::Advance);
    if left.cuts > 0 {
        let patterns = [[false, false], [true, true], [true, false], [false, true]];
        all.extend(
            patterns
                .into_iter()
                .filter(|p| *p != world.cut)
                .map(What::Cut),
        );
    }
    for side in SIDES {
        let seat = world.seat(side);
        if rules.bounds.group.leased(0) && seat.resources[0].runs && seat.resources[0].left == 0 {
            all.push(What::Expired(side));
        }
        for slot in 0..world.wire[side as usize].len() as u8 {
            if world.seat(side.other()).mind.is_some() {
                all.push(What::Deliver {
                    from: side,
                    slot,
                    again: false,
                });
                if rules.bounds.replays {
                    all.push(What::Deliver {
                        from: side,
                        slot,
                        again: true,
                    });
                }
            }
        }
        if seat.mind.is_none() {
            all.push(What::Boot { side, wiped: false });
            if affordable(left, |l| l.wipes) && *seat.disk != Record::default() {
                all.push(What::Boot { side, wiped: true });
            }
            continue;
        }
        if due(world, side) {
            all.push(What::Tick(side));
        }
        if seat.writing.is_some() {
            end_write(&mut all, side, failing);
        }
        for resource in 0..MOST {
            if seat.resources[resource].doing.is_some() {
                end_work(&mut all, side, resource, failing);
            }
        }
        let service = seat.resources[1];
        if failing && service.runs && service.doing.is_none() {
            all.push(What::Dies(side));
        }
        if seat.asking {
            let peer = world.seat(side.other());
            if !peer.powered || affordable(left, |l| l.fences) {
                all.push(What::Cleared {
                    side,
                    reached: false,
                });
                if peer.writing.is_some() {
                    all.push(What::Cleared {
                        side,
                        reached: true,
                    });
                }
            }
            if failing {
                all.push(What::Refused(side));
            }
        }
        if affordable(left, |l| l.commands) {
            all.extend([
                What::Order(side, Order::Failover),
                What::Order(side, Order::Leave),
            ]);
        }
        if affordable(left, |l| l.crashes) {
            for power in [true, false] {
                all.push(What::Crash(
                    side,
                    Crash {
                        power,
                        reached: false,
                    },
                ));
                if seat.writing.is_some() {
                    all.push(What::Crash(
                        side,
                        Crash {
                            power,
                            reached: true,
                        },
                    ));
                }
            }
        }
    }
    all
}

fn end_write(all: &mut Vec<What>, side: Side, failing: bool) {
    all.push(What::Written {
        side,
        done: true,
        reached: true,
    });
    if failing {
        all.extend([false, true].map(|reached| What::Written {
            side,
            done: false,
            reached,
        }));
    }
}

fn end_work(all: &mut Vec<What>, side: Side, resource: usize, failing: bool) {
    for done in if failing { &[true, false][..] } else { &[true] } {
        all.push(What::Ended {
            side,
            resource: resource as u8,
            done: *done,
        });
    }
}

fn begin(world: &World, what: What, rules: &Rules) -> Option<Step> {
    let mut world = world.clone();
    let finished = |op, outcome| Event::Finished { op, outcome };
    let failed = || Outcome::Failed("no".into());
    let (side, event) = match what {
        What::Advance => {
            for side in SIDES {
                if !rules.bounds.lossy && !world.cut[side as usize] {
                    if world.seat(side.other()).mind.is_none() {
                        world.wire[side as usize].clear();
                    } else if !world.wire[side as usize].is_empty() {
                        return None; // what is sent arrives
                    }
                }
                if due(&world, side) {
                    spend(&mut world.left, |l| &mut l.late)?;
                }
            }
            let quantum = rules.bounds.quantum.as_micros() as i64;
            for seat in &mut world.seats {
                let lease = &mut seat.resources[0];
                if rules.bounds.group.leased(0) && lease.runs {
                    lease.left = lease.left.checked_sub(1)?; // the kernel's turn
                    lease.ceded = lease.ceded.saturating_sub(1);
                }
                if let Some(mind) = &seat.mind {
                    let mut node = mind.node.clone();
                    age(&mut node, quantum, &rules.bounds);
                    seat.mind = Some(Arc::new(Mind::new(node)));
                }
            }
            return Some(Step::nobody(world));
        }
        What::Cut(cut) => {
            world.left.cuts -= 1;
            world.cut = cut;
            return Some(Step::nobody(world));
        }
        What::Slow(side) => {
            spend(&mut world.left, |l| &mut l.slow)?;
            let seat = world.seat_mut(side);
            let works = seat.resources.iter_mut().map(|r| &mut r.fresh);
            let first = std::iter::once(&mut seat.fresh).chain(works).find(|f| **f);
            *first.expect("was offered") = false;
            return Some(Step::nobody(world));
        }
        What::Crash(side, how) => {
            crash(&mut world, side, how)?;
            return Some(Step::nobody(world));
        }
        What::Boot { side, wiped } => {
            if wiped {
                spend(&mut world.left, |l| &mut l.wipes)?;
            }
            let seat = world.seat_mut(side);
            if wiped {
                seat.disk = Arc::default();
                seat.seen = Seen {
                    forgetful: true,
                    ..Seen::new()
                };
            }
            let again = std::mem::replace(&mut seat.powered, true);
            seat.seen.role = Role::Stopped;
            seat.seen.unwritable = false;
            seat.seen.by_right = false;
            // Above every incarnation there was, and never the peer's.
            let record = (*seat.disk).clone();
            let boots = world.wire[side as usize]
                .iter()
                .map(|l| l.heartbeat.incarnation);
            let heard = world
                .seat(side.other())
                .mind
                .iter()
                .flat_map(|m| &m.marks)
                .map(|(_, e)| e.incarnation);
            let echoes = world.wire[side.other() as usize].iter().flat_map(|l| {
                std::iter::once(&l.heartbeat.echo)
                    .chain(&l.heartbeat.challenges)
                    .map(|e| e.incarnation)
            });
            let incarnation =
                boots.chain(heard).chain(echoes).max().unwrap_or(0) / 10 * 10 + 1_000 + side as u64;
            let mut node = Node::new(NOW, setup(side, &rules.bounds), incarnation, record, "");
            if again {
                node = node.restarted();
            }
            world.seat_mut(side).mind = Some(Arc::new(Mind::new(node)));
            (side, Event::LinkUp)
        }
        What::Tick(side) => (side, Event::Tick),
        What::Deliver { from, slot, again } => {
            let letters = &mut world.wire[from as usize];
            let letter = letters[slot as usize].clone();
            if !again {
                letters.remove(slot as usize);
            }
            let heartbeat = Box::new((*letter.heartbeat).clone());
            (from.other(), Event::Heartbeat { path: 0, heartbeat })
        }
        What::Written {
            side,
            done,
            reached,
        } => {
            if !done {
                spend(&mut world.left, |l| &mut l.failures)?;
            }
            let lost = done && rules.defect == Some(Defect::NothingWritten);
            let seat = world.seat_mut(side);
            let record = seat.writing.take()?;
            seat.fresh = false;
            if reached && !lost {
                seat.disk = record;
            }
            seat.seen.unwritable = !done;
            (
                side,
                finished(OpId(1_000_000), if done { Outcome::Done } else { failed() }),
            )
        }
        What::Ended {
            side,
            resource,
            done,
        } => {
            if !done {
                spend(&mut world.left, |l| &mut l.failures)?;
            }
            let it = &mut world.seat_mut(side).resources[resource as usize];
            it.fresh = false;
            let outcome = match (it.doing.take()?, done) {
                (_, false) => failed(),
                (Doing::Look, true) => {
                    let blind = rules.defect == Some(Defect::BlindLook);
                    Outcome::Found(if it.runs && !blind {
                        Presence::Running
                    } else {
                        Presence::Absent
                    })
                }
                (Doing::Start, true) => Outcome::Done,
                (Doing::Stop, true) => {
                    if rules.defect != Some(Defect::StopLies) {
                        *it = Resource::default();
                    }
                    Outcome::Done
                }
                (Doing::Cede, true) => {
                    if it.runs && rules.defect != Some(Defect::CedeLies) {
                        it.ceded = CEDED + 1;
                        let lies = rules.defect == Some(Defect::LongCede);
                        it.left = if lies { it.left } else { CEDED };
                    }
                    Outcome::Done
                }
            };
            let op = resource_op(GROUP, u64::from(resource) + 1);
            (side, finished(op, outcome))
        }
        What::Expired(side) | What::Dies(side) => {
            let resource = usize::from(what == What::Dies(side));
            if resource == 1 {
                spend(&mut world.left, |l| &mut l.failures)?;
            }
            world.seat_mut(side).resources[resource] = Resource {
                doing: world.seat(side).resources[resource].doing,
                ..Resource::default()
            };
            if world.seat(side).mind.is_none() {
                return Some(Step::nobody(world));
            }
            let lost = Event::Lost {
                group: 0,
                resource,
                why: String::new(),
            };
            (side, lost)
        }
        What::Cleared { side, reached } => {
            if rules.defect != Some(Defect::SourceLies) && world.seat(side.other()).powered {
                spend(&mut world.left, |l| &mut l.fences)?;
                power_off(&mut world, side.other(), reached);
            }
            world.seat_mut(side).asking = false;
            (side, finished(OpId(1_000_001), Outcome::Done))
        }
        What::Refused(side) => {
            spend(&mut world.left, |l| &mut l.failures)?;
            world.seat_mut(side).asking = false;
            (side, finished(OpId(1_000_001), failed()))
        }
        What::Order(side, order) => {
            spend(&mut world.left, |l| &mut l.commands)?;
            let command = match order {
                Order::Failover => Command::Failover(Some(0)),
                Order::Leave => Command::Leave,
            };
            (side, Event::Command { number: 1, command })
        }
    };
    let mind = world.seat(side).mind.as_ref()?;
    let mut node = mind.node.clone();
    let mut taken_for = event.clone();
    if let (Some(defect), Event::Heartbeat { heartbeat, .. }) = (rules.defect, &mut taken_for) {
        defect.rewrite(heartbeat, mind);
    }
    let mut actions = node.step(NOW, taken_for);
    let cedes = actions.iter().any(|a| matches!(a, Action::Cede { .. }));
    if cedes && rules.defect == Some(Defect::EarlyProof) {
        for action in &mut actions {
            if let Action::Send(heartbeat) = action {
                heartbeat.groups[0].proven_stopped = true;
            }
        }
    }
    Some(Step {
        world,
        side: Some(side),
        node: Some(node),
        event: Some(event),
        actions,
    })
}

impl Step {
    fn nobody(world: World) -> Step {
        Step {
            world,
            side: None,
            node: None,
            event: None,
            actions: vec![],
        }
    }

    /// How many ways there are to lose a heartbeat for want of room.
    fn losses(&self, rules: &Rules) -> u8 {
        let Some(side) = self.side else { return 1 };
        let under_way = self.world.wire[side as usize].len();
        let sent = self
            .actions
            .iter()
            .filter(|a| matches!(a, Action::Send(_)))
            .count();
        if !self.world.cut[side as usize] && under_way + sent > rules.bounds.letters && sent > 0 {
            rules.bounds.letters as u8 + 1
        } else {
            1
        }
    }

    /// Carries the actions out, as far as the move lets them.
    fn outcome(&self, m: Move, rules: &Rules) -> Result<World, Broken> {
        let mut world = self.world.clone();
        if let (Some(side), Some(node)) = (self.side, &self.node) {
            let before = world.seat(side).seen;
            let mut left = m.cut.map_or(usize::MAX, |(after, _)| after as usize);
            for action in self.actions.iter().filter(|a| effect(a)) {
                if left == 0 {
                    break;
                }
                left -= 1;
                check::action(
                    &world,
                    side,
                    &before,
                    node,
                    self.event.as_ref(),
                    action,
                    rules,
                )?;
                self.carry_out(&mut world, side, action, m.lost as usize, rules);
            }
            if self.actions.contains(&Action::Exit) && m.cut.is_none() {
                world.seat_mut(side).mind = None;
                stop_waiting(&mut world, side);
            } else {
                let group = &node.view().groups[0];
                let ceding = |r: &Resource| r.ceded > 0 || r.doing == Some(Doing::Cede);
                let seat = world.seat_mut(side);
                let runs = matches!(group.role, Role::Starting | Role::Active)
                    || seat.resources.iter().any(ceding); // withdrawn, it runs on
                seat.seen.by_right &= runs && group.token.holder == side;
                let mut node = node.clone();
                age(&mut node, 0, &rules.bounds);
                world.seat_mut(side).mind = Some(Arc::new(Mind::new(node)));
            }
            if let Some((_, how)) = m.cut {
                crash(&mut world, side, how).expect("was affordable");
            }
        }
        check::state(&world, rules)?;
        renumber(&mut world, &rules.bounds);
        Ok(world)
    }

    fn carry_out(
        &self,
        world: &mut World,
        side: Side,
        action: &Action,
        lost: usize,
        rules: &Rules,
    ) {
        match action {
            Action::Send(heartbeat) => {
                let seat = world.seat_mut(side);
                let report = heartbeat.groups[0];
                let given = report.token.holder != side && seat.resources[0].ceded > 0;
                if given && rules.defect == Some(Defect::LateRenewal) {
                    lease(&mut seat.resources[0]);
                }
                seat.seen.forgetful |= seat.seen.unwritable;
                (seat.seen.token, seat.seen.role, seat.seen.spoke) =
                    (report.token, report.role, true);
                if world.cut[side as usize] {
                    return;
                }
                let letters = &mut world.wire[side as usize];
                if letters.len() == rules.bounds.letters {
                    if lost == letters.len() {
                        return;
                    }
                    letters.remove(lost);
                }
                letters.push(Letter::new((**heartbeat).clone()));
            }
            Action::Persist { record, .. } => {
                let seat = world.seat_mut(side);
                seat.writing = Some(Arc::new(record.clone()));
                seat.fresh = true;
            }
            Action::Look { resource, .. } => {
                begin_work(world, side, *resource, Doing::Look, rules);
            }
            Action::Start { resource, .. } => {
                begin_work(world, side, *resource, Doing::Start, rules);
                world.seat_mut(side).seen.by_right = true;
            }
            Action::Stop { resource, .. } => {
                begin_work(world, side, *resource, Doing::Stop, rules);
            }
            Action::Cede { resource, .. } => {
                begin_work(world, side, *resource, Doing::Cede, rules);
            }
            Action::Renew { .. } => lease(&mut world.seat_mut(side).resources[0]),
            Action::Clear { .. } => world.seat_mut(side).asking = true,
            _ => {}
        }
    }
}

fn begin_work(world: &mut World, side: Side, resource: usize, doing: Doing, rules: &Rules) {
    let it = &mut world.seat_mut(side).resources[resource];
    if doing == Doing::Start && rules.bounds.group.leased(resource) {
        lease(it);
    }
    it.runs |= doing == Doing::Start;
    it.fresh = true;
    it.doing = Some(doing);
}

/// The address has a whole lifetime again; one that was gone is back.
fn lease(it: &mut Resource) {
    (it.runs, it.left, it.ceded) = (true, LIFETIME, 0);
}

/// Whether an action does something in this world. (A cancelled operation ends when it ends.)
pub fn effect(action: &Action) -> bool {
    matches!(
        action,
        Action::Send(_)
            | Action::Persist { .. }
            | Action::Look { .. }
            | Action::Start { .. }
            | Action::Stop { .. }
            | Action::Cede { .. }
            | Action::Renew { .. }
            | Action::Clear { .. }
            | Action::Exit
    )
}

fn crash(world: &mut World, side: Side, how: Crash) -> Option<()> {
    spend(&mut world.left, |l| &mut l.crashes)?;
    if how.power {
        power_off(world, side, how.reached);
    } else {
        die(world, side, how.reached);
    }
    Some(())
}

fn power_off(world: &mut World, side: Side, reached: bool) {
    die(world, side, reached);
    let seat = world.seat_mut(side);
    seat.powered = false;
    seat.resources = Default::default();
}

fn die(world: &mut World, side: Side, reached: bool) {
    let seat = world.seat_mut(side);
    seat.mind = None;
    if let (Some(record), true) = (seat.writing.take(), reached) {
        seat.disk = record;
    }
    stop_waiting(world, side);
}

fn stop_waiting(world: &mut World, side: Side) {
    let seat = world.seat_mut(side);
    seat.writing = None;
    for it in &mut seat.resources {
        (it.doing, it.fresh) = (None, false);
    }
    seat.fresh = false;
    seat.seen.spoke = false;
    seat.asking = false;
    seat.seen.role = Role::Stopped;
    seat.seen.unwritable = false;
}

fn affordable(left: &Left, kind: impl Fn(&Left) -> u8) -> bool {
    left.total > 0 && kind(left) > 0
}

fn spend(left: &mut Left, kind: impl Fn(&mut Left) -> &mut u8) -> Option<()> {
    left.total = left.total.checked_sub(1)?;
    let kind = kind(left);
    *kind = kind.checked_sub(1)?;
    Some(())
}
