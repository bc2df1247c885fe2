//! The device that can switch a machine off: truthful, at its own pace.
//!
//! What it is asked is answered at once or, where something may be slow, at any time later, or it says that it
//! cannot. A machine that it was asked to switch off goes off within [`off_steps`] or stays on: it does go off if
//! that was accepted, and may also if the answer was a failure or never came. Status is what is true when it
//! answers.

use super::bounds::Bounds;
use super::check::Property;
use super::defect::Defect;
use super::machine::power_off;
use super::moves::{Rules, What, affordable, spend};
use super::setup::{fencing, instant_steps, off_steps, probe_steps};
use super::world::{Doom, SIDES, Seat, World};
use ha_appliance::core::Node;
use ha_appliance::core::event::{Answer, Ask};
use ha_appliance::core::protocol::fencing::PASSED;
use ha_appliance::core::time::Time;
use ha_appliance::wire::heartbeat::Side;

/// A daemon asks the other machine's device.
pub fn ask(world: &mut World, side: Side, ask: Ask, rules: &Rules) {
    world.seat_mut(side).asked = Some((ask, true));
    let there = world.seat_mut(side.other());
    if ask == Ask::Off && there.powered {
        let left = off_steps(&rules.bounds);
        let certain = there.doomed.is_some_and(|doom| doom.certain);
        there.doomed = Some(Doom { left, certain });
    }
}

/// A machine that was verified off is switched on, which no order of events makes a difference to.
pub fn comes_back(world: &World, side: Side) -> bool {
    let seat = world.seat(side);
    seat.shot && seat.mind.is_none() && world.node(side.other()).is_some() && may_boot(world, side)
}

/// What the devices do before anything else can happen.
pub fn at_once(all: &mut Vec<What>, world: &World, side: Side, failing: bool) {
    if let Some((_, true)) = world.seat(side).asked {
        answers(all, side, failing);
    }
}

/// What they may do now.
pub fn moves(all: &mut Vec<What>, world: &World, failing: bool) {
    for side in SIDES {
        let seat = world.seat(side);
        if let (Some((_, false)), false, true) = (seat.asked, seat.paused, seat.mind.is_some()) {
            answers(all, side, failing);
        }
        if seat.doomed.is_some() {
            let writes = seat.writing.is_some();
            let reaching = if writes { &[true, false][..] } else { &[false] };
            all.extend(
                reaching
                    .iter()
                    .map(|&reached| What::Killed { side, reached }),
            );
        }
    }
}

/// A machine goes off by the other's order.
pub fn kill(world: &mut World, side: Side, reached: bool) {
    power_off(world, side, reached);
    world.seat_mut(side).shot = true;
    if world.cut != [false; 2] {
        world.kills = world.kills.saturating_add(1);
    }
}

/// A machine that was switched off is switched on once the other has verified that it is off (`after = "on"`), or by
/// a human where the other is not there to do it.
pub fn may_boot(world: &World, side: Side) -> bool {
    let verified = |node: &Node| node.peer_state().is_gone();
    !world.seat(side).shot || world.node(side.other()).is_none_or(verified)
}

/// Judges that: nobody is off by whom it switched off, and one shot ends a cut.
pub fn killed(world: &World, rules: &Rules) -> Result<(), super::check::Broken> {
    if world.seats.iter().all(|seat| seat.shot) {
        let how = "both are off by each other's order".into();
        rules.broken(Property::NeverMutual, how)?;
    }
    if world.kills > 1 {
        let how = format!("{} machines switched off in one cut", world.kills);
        rules.broken(Property::NoChain, how)?;
    }
    Ok(())
}

/// The device answers that daemon; None: it cannot like that.
pub fn answer(world: &mut World, side: Side, works: bool, rules: &Rules) -> Option<Answer> {
    let (ask, _) = world.seat_mut(side).asked.take()?;
    let there = world.seat_mut(side.other());
    let accepts = !there.powered || there.doomed.is_some();
    Some(match (ask, works) {
        (Ask::Status, true) if there.powered && rules.defect != Some(Defect::ReadsOff) => {
            Answer::On
        }
        (Ask::Status, true) => Answer::Off,
        (Ask::Off, true) if accepts => {
            there.doomed.iter_mut().for_each(|doom| doom.certain = true);
            Answer::Accepted
        }
        (_, works) => {
            if !works {
                spend(&mut world.left, |l| &mut l.failures)?;
            }
            Answer::Failed("no reply".into())
        }
    })
}

/// A time step; None: a machine has to go off first.
pub fn time_passes(world: &mut World, rules: &Rules) -> Option<()> {
    if rules.bounds.networks > 0 {
        for side in SIDES {
            look_around(world, side, &rules.bounds);
        }
    }
    for seat in &mut world.seats {
        seat.doomed = match seat.doomed {
            Some(Doom {
                left: 0,
                certain: true,
            }) => return None,
            Some(Doom { left: 0, .. }) | None => None,
            Some(doom) => Some(Doom {
                left: doom.left - 1,
                ..doom
            }),
        };
    }
    Some(())
}

/// How long it has been as it is for who could see it.
fn look_around(world: &mut World, side: Side, bounds: &Bounds) {
    let there = world.seat(side.other());
    let lans = world.lans;
    let answers = |group: usize| {
        let networks = lans.0.iter().enumerate();
        let mut its = networks.filter(|(at, _)| bounds.stands_on(group, *at));
        let has = there.powered && there.groups[group].resources[0].runs;
        has && its.any(|(_, lan)| lan.joined())
    };
    let sees = [0, 1].map(answers);
    let count = |so: bool, steps: u8, most: u8| if so { (steps + 1).min(most) } else { 0 };
    let seat = world.seat_mut(side);
    seat.blind = count(!lans.reaches(side), seat.blind, instant_steps(bounds));
    for (steps, sees) in seat.sees.iter_mut().zip(sees) {
        *steps = count(sees, *steps, probe_steps(bounds));
    }
}

/// What stands in the run directory is older by a time step. (How often instants have come and gone matters no
/// more there than in a mind.)
pub fn ages(seat: &mut Seat, rules: &Rules) {
    if let (Some(count), Some(setup)) = (&mut seat.noted, fencing(&rules.bounds)) {
        let delay = setup.delay.as_micros() as i64;
        let zero = count.zero.0 - rules.bounds.quantum.as_micros() as i64;
        let passed = zero <= -i64::from(PASSED) * delay;
        count.zero = Time(if passed { zero + 2 * delay } else { zero });
    }
}

fn answers(all: &mut Vec<What>, side: Side, failing: bool) {
    let works: &[bool] = if failing { &[true, false] } else { &[true] };
    all.extend(works.iter().map(|&works| What::Answered { side, works }));
}

/// Whether it may be slow: it was asked in this very step.
pub fn fresh(world: &World, side: Side) -> bool {
    matches!(world.seat(side).asked, Some((_, true)))
}

/// A failing device is one of the things that may fail.
pub fn may_fail(world: &World) -> bool {
    affordable(&world.left, |l| l.failures)
}
