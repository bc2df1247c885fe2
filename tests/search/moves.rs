//! What can happen next.

use super::bounds::Left;
use super::check::{Broken, Property, newest};
use super::data::{self, Turn};
use super::defect::Defect;
use super::device;
use super::lan::Lans;
use super::lease;
use super::setup::{Kind, early};
use super::step::{Step, begin};
use super::world::{Doing, ENDLESS, NOW, SIDES, Seat, World};
use ha_appliance::core::Node;
use ha_appliance::core::event::{Action, Event};
use ha_appliance::core::policy::Dictate;
use ha_appliance::core::reason::Reason;
use ha_appliance::core::record::Record;
use ha_appliance::wire::heartbeat::Side;

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
    /// It passes for one machine only: the clocks do not run alike.
    Slip(Side),
    /// The interlink changes: which directions are cut, by sender.
    Cut([bool; 2]),
    /// Something in the clients' networks breaks or heals.
    Lan(Lans),
    /// What just began does not end at once.
    Slow(Side),
    /// The daemon starts (the machine is switched on, if it is off).
    Boot {
        side: Side,
        disk: Disk,
    },
    /// The daemon pauses, or goes on.
    Pause(Side),
    Resume(Side),
    /// The daemon's deadline is served.
    Tick(Side),
    /// A heartbeat under way arrives, and may arrive again.
    Deliver {
        from: Side,
        slot: u8,
        again: bool,
    },
    /// What the clients' network has for the daemon arrives.
    News(Side),
    /// A write ends. A failed one may have reached the disk all the same.
    Written {
        side: Side,
        done: bool,
        reached: bool,
    },
    /// A look, start, stop or cession ends.
    Ended {
        side: Side,
        group: u8,
        resource: u8,
        done: bool,
    },
    /// The kernel ends an address that was not renewed.
    Expired {
        side: Side,
        group: u8,
    },
    /// A service dies, or an address is deleted.
    Dies {
        side: Side,
        group: u8,
        resource: u8,
    },
    /// The daemon learns of it.
    Noticed {
        side: Side,
        group: u8,
        resource: u8,
    },
    /// An operator switches the peer off (its write under way reaches the disk or not) and says so.
    Confirmed {
        side: Side,
        reached: bool,
    },
    /// A device answers; or says that it cannot.
    Answered {
        side: Side,
        works: bool,
    },
    /// A machine goes off of which a device was asked to switch it off (a write under way reaches the disk or not).
    Killed {
        side: Side,
        reached: bool,
    },
    /// The third party promises a group; and the daemon learns of it.
    Promise {
        side: Side,
        group: u8,
    },
    Promised {
        side: Side,
        group: u8,
    },
    /// An operator's order.
    Order(Side, Order),
    /// An adversary wishes that for a group, in the policy's place.
    Whim(Side, u8, Dictate),
    /// The machine gets the new file.
    Reload(Side),
    /// Something happens to the data there.
    Data(Side, Turn),
    /// The machine or the daemon dies between two steps.
    Crash(Side, Crash),
}

/// What a starting daemon finds in its state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    Kept,
    Wiped,
    /// As it was before the last write that changed it.
    RolledBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Failover(u8),
    Leave,
    Standby(Side, bool),
    Maintenance(bool),
    Stopped(u8, bool),
    Clear,
    /// The peer is off, and the operator says so.
    ConfirmFenced,
    /// The peer is to be switched off.
    Fence,
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
    pub bounds: super::bounds::Bounds,
    pub defect: Option<Defect>,
    /// With a defect: the one property that it must break.
    pub only: Option<Property>,
    /// A path between the nodes may come back.
    pub heals: bool,
}

impl Rules {
    pub fn new(bounds: super::bounds::Bounds) -> Rules {
        Rules {
            bounds,
            defect: None,
            only: None,
            heals: bounds.left.lan > 1 || bounds.left.cuts > 1,
        }
    }

    /// Nothing but an operator's word can clear what it waits for.
    pub fn asks(&self, node: &Node) -> bool {
        let bounds = &self.bounds;
        let nobody = !bounds.best_effort && !bounds.leases && !bounds.devices;
        if !nobody || node.peer_state().is_heard() || self.defect == Some(Defect::NeverAsks) {
            return false;
        }
        node.view().groups.iter().any(|group| {
            matches!(
                group.waiting,
                Some(Reason::BestEffortHoldsData | Reason::BestEffortWithoutVip)
            )
        })
    }

    /// What a daemon is told that asked to be woken.
    pub fn wakes(&self) -> Event {
        match self.defect {
            Some(Defect::NeverDrained) => Event::LinkUp,
            _ => Event::Tick,
        }
    }
}

/// Everything that may happen next, with its outcome.
pub fn next(world: &World, rules: &Rules, each: &mut dyn FnMut(Move, Result<World, Broken>)) {
    let groups = 0..rules.bounds.groups.len();
    if groups.map(|g| newest(world, g)).max() > Some(rules.bounds.newest) {
        return;
    }
    for what in all(world, rules) {
        let Some(step) = begin(world, what, rules) else {
            continue;
        };
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
        let effects = || step.actions.iter().filter(|a| effect(a));
        for after in 1..effects().count() {
            let sent = effects().take(after).any(|a| matches!(a, Action::Send(_)));
            let writes = step.world.seat(side).writing.is_some()
                || effects()
                    .take(after)
                    .any(|a| matches!(a, Action::Persist(_)));
            for how in crashes(writes) {
                for lost in 0..if sent { losses } else { 1 } {
                    let cut = Some((after as u8, how));
                    let part = Move { what, cut, lost };
                    each(part, step.outcome(part, rules));
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

/// A daemon's deadline has come, and it is there to serve it.
pub fn due(world: &World, side: Side) -> bool {
    !world.seat(side).paused && world.node(side).is_some_and(|n| n.deadline() <= NOW)
}

/// What happens before anything else can: what began ends or turns out to be slow, and what the
/// clients' network brings arrives.
pub fn at_once(world: &World, rules: &Rules) -> Vec<What> {
    let left = &world.left;
    let failing = affordable(left, |l| l.failures);
    let mut all = vec![];
    for side in SIDES {
        let seat = world.seat(side);
        let work = seat.resources().find(|(_, _, it)| it.fresh);
        if seat.fresh {
            end_write(&mut all, side, failing);
        } else if let Some((group, resource, _)) = work {
            end_work(&mut all, side, (group, resource), failing);
        } else if device::comes_back(world, side) {
            let disk = Disk::Kept;
            all.push(What::Boot { side, disk });
        } else if device::fresh(world, side) {
            device::at_once(&mut all, world, side, failing);
        } else if seat.has_news() && seat.mind.is_some() && !seat.paused {
            all.push(What::News(side));
        }
        // What is done to an address is done at once.
        let works = work.is_some_and(|(g, r, _)| !rules.bounds.groups[g].leased(r));
        let asks = device::fresh(world, side);
        if (seat.fresh || works || asks) && affordable(left, |l| l.slow) {
            all.push(What::Slow(side));
        }
    }
    if all.is_empty() {
        data::at_once(&mut all, world, rules);
    }
    all
}

/// An address whose time is over; the kernel may be a little early.
pub fn expires(seat: &Seat, group: usize, rules: &Rules) -> bool {
    let lease = seat.groups[group].resources[0];
    leased(group, rules) && lease.runs && lease.left <= early(&rules.bounds)
}

pub fn leased(group: usize, rules: &Rules) -> bool {
    rules.bounds.groups.get(group).is_some_and(|k| k.leased(0))
}

fn all(world: &World, rules: &Rules) -> Vec<What> {
    let mut all = at_once(world, rules);
    if !all.is_empty() {
        return all;
    }
    let left = &world.left;
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
    if left.lan > 0 && rules.bounds.networks > 0 {
        let changes = world.lans.changes(&rules.bounds);
        all.extend(changes.into_iter().map(What::Lan));
    }
    lease::moves(&mut all, world, &rules.bounds);
    data::moves(&mut all, world, rules);
    device::moves(&mut all, world, device::may_fail(world));
    for side in SIDES {
        if affordable(left, |l| l.slips) {
            all.push(What::Slip(side));
        }
        of_kernel(&mut all, world, side, rules);
        let seat = world.seat(side);
        let again = !rules.bounds.two_lists();
        if affordable(left, |l| l.reloads) && (again || !seat.new_file) && !seat.paused {
            all.push(What::Reload(side));
        }
        match world.seat(side) {
            seat if seat.mind.is_none() => {
                if device::may_boot(world, side) {
                    boots(&mut all, world, side);
                }
            }
            seat => {
                if seat.paused {
                    all.push(What::Resume(side));
                } else {
                    of_daemon(&mut all, world, side, rules);
                }
                if affordable(left, |l| l.crashes) {
                    let how = crashes(seat.writing.is_some());
                    all.extend(how.map(|how| What::Crash(side, how)));
                }
            }
        }
    }
    all
}

/// What happens to a machine whatever its daemon does.
fn of_kernel(all: &mut Vec<What>, world: &World, side: Side, rules: &Rules) {
    let seat = world.seat(side);
    for group in (0..rules.bounds.groups.len()).filter(|&g| expires(seat, g, rules)) {
        let group = group as u8;
        all.push(What::Expired { side, group });
    }
    if !affordable(&world.left, |l| l.failures) {
        return;
    }
    for (group, resource, it) in seat.resources() {
        // Data does not die; and of an address only one that lives may be deleted.
        let mortal = rules
            .bounds
            .groups
            .get(group)
            .is_some_and(|k| matches!(k, Kind::Vip | Kind::VipService));
        if mortal && it.runs && it.doing.is_none() && it.ceded == 0 && it.left != ENDLESS {
            let (group, resource) = (group as u8, resource as u8);
            all.push(What::Dies {
                side,
                group,
                resource,
            });
        }
    }
}

fn boots(all: &mut Vec<What>, world: &World, side: Side) {
    let (seat, left) = (world.seat(side), &world.left);
    let mut boot = |disk| all.push(What::Boot { side, disk });
    boot(Disk::Kept);
    if affordable(left, |l| l.wipes) && *seat.disk != Record::default() {
        boot(Disk::Wiped);
    }
    if affordable(left, |l| l.rollbacks) && seat.older.is_some() {
        boot(Disk::RolledBack);
    }
}

fn of_daemon(all: &mut Vec<What>, world: &World, side: Side, rules: &Rules) {
    let (seat, left) = (world.seat(side), &world.left);
    let failing = affordable(left, |l| l.failures);
    let from = side.other();
    for slot in 0..world.wire[from as usize].len() as u8 {
        for again in if rules.bounds.replays {
            &[false, true][..]
        } else {
            &[false]
        } {
            let again = *again;
            all.push(What::Deliver { from, slot, again });
        }
    }
    if due(world, side) && world.waiting(from) == 0 {
        all.push(What::Tick(side));
    }
    if seat.writing.is_some() {
        end_write(all, side, failing);
    }
    for (group, resource, it) in seat.resources() {
        if it.doing.is_some() {
            end_work(all, side, (group, resource), failing);
        }
        if it.gone {
            let (group, resource) = (group as u8, resource as u8);
            all.push(What::Noticed {
                side,
                group,
                resource,
            });
        }
    }
    if seat.asking {
        let peer = world.seat(from);
        if !peer.powered || affordable(left, |l| l.fences) {
            for reached in reaching(peer.writing.is_some()) {
                let reached = *reached;
                all.push(What::Confirmed { side, reached });
            }
        }
    }
    if affordable(left, |l| l.pauses) {
        all.push(What::Pause(side));
    }
    if affordable(left, |l| l.whims) && world.waiting(from) == 0 {
        for group in 0..rules.bounds.groups.len() as u8 {
            let wishes = [Dictate::Run, Dictate::Move, Dictate::Stop];
            all.extend(wishes.map(|wish| What::Whim(side, group, wish)));
        }
    }
    if affordable(left, |l| l.commands) {
        orders(all, world, side, rules);
    }
}

fn orders(all: &mut Vec<What>, world: &World, side: Side, rules: &Rules) {
    let mut order = |order| all.push(What::Order(side, order));
    if rules.bounds.devices {
        order(Order::Fence);
    }
    order(Order::Leave);
    for group in 0..rules.bounds.groups.len() as u8 {
        order(Order::Failover(group));
    }
    let Some(node) = world.node(side).filter(|_| rules.bounds.wishes) else {
        return;
    };
    let view = node.view();
    order(Order::Maintenance(!view.maintenance));
    for whose in SIDES {
        order(Order::Standby(whose, !view.standby[whose as usize]));
    }
    for (group, seen) in view.groups.iter().enumerate() {
        order(Order::Stopped(group as u8, !seen.stopped));
    }
    order(Order::Clear);
    if !world.seat(side.other()).powered {
        order(Order::ConfirmFenced);
    }
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

fn end_work(all: &mut Vec<What>, side: Side, (group, resource): (usize, usize), failing: bool) {
    for done in if failing { &[true, false][..] } else { &[true] } {
        all.push(What::Ended {
            side,
            group: group as u8,
            resource: resource as u8,
            done: *done,
        });
    }
}

fn crashes(writes: bool) -> impl Iterator<Item = Crash> {
    [true, false].into_iter().flat_map(move |power| {
        let reaching = reaching(writes).iter();
        reaching.map(move |&reached| Crash { power, reached })
    })
}

fn reaching(writes: bool) -> &'static [bool] {
    if writes { &[true, false] } else { &[false] }
}

/// Whether an action does something in this world that a crash may prevent. (A cancelled operation ends
/// when it ends; questions to the clients' network are answered to whoever lives.)
pub fn effect(action: &Action) -> bool {
    matches!(
        action,
        Action::Send(_)
            | Action::Persist(_)
            | Action::Look(_)
            | Action::Start(..)
            | Action::Stop(_)
            | Action::Cede(_)
            | Action::Part(_)
            | Action::Renew { .. }
            | Action::Mark(..)
            | Action::Device { .. }
            | Action::Note(_)
            | Action::Exit
    )
}

pub fn affordable(left: &Left, kind: impl Fn(&Left) -> u8) -> bool {
    left.total > 0 && kind(left) > 0
}

pub fn spend(left: &mut Left, kind: impl Fn(&mut Left) -> &mut u8) -> Option<()> {
    left.total = left.total.checked_sub(1)?;
    let kind = kind(left);
    *kind = kind.checked_sub(1)?;
    Some(())
}

/// What an operation was meant to do, if one is under way.
pub fn doing(world: &World, side: Side, group: u8, resource: u8) -> Option<Doing> {
    world.seat(side).groups[group as usize].resources[resource as usize].doing
}
