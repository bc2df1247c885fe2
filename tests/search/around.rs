//! What happens around the daemons, and is told to none: time passes, networks change, processes pause.

use super::canonical::age;
use super::data;
use super::device;
use super::lease;
use super::machine::crash;
use super::moves::{Rules, What, due, spend};
use super::setup::GROUPS;
use super::world::{ENDLESS, Letter, Mind, SIDES, World};
use ha_appliance::wire::heartbeat::Side;
use std::sync::Arc;

/// Lets it happen; None: it cannot.
pub fn around(world: &mut World, what: What, rules: &Rules) -> Option<()> {
    match what {
        What::Advance => {
            for side in SIDES {
                let (from, there) = (side.other(), world.seat(side));
                let blocked = world.blocked(from);
                let (paused, gone) = (there.paused, there.mind.is_none());
                let unread = world.waiting(from) > 0 && !paused && !gone;
                let letters = &mut world.wire[from as usize];
                if blocked && !rules.bounds.late {
                    letters.retain(|l| l.waits && !gone);
                } else if !blocked && !rules.bounds.lossy {
                    if gone {
                        letters.clear();
                    } else if paused {
                        wait(letters);
                    } else if !letters.is_empty() {
                        return None; // what is sent arrives
                    }
                }
                if unread || due(world, side) {
                    return None; // what waits is read, and what is due is done
                }
            }
            device::time_passes(world, rules)?;
            data::time_passes(world, rules)?;
            world.leases.iter_mut().for_each(lease::ages);
            for group in 0..rules.bounds.groups.len() {
                let both = world.seats.iter().all(|s| s.keeps(group));
                let count = &mut world.both[group];
                *count = if both { count.saturating_add(1) } else { 0 };
            }
            SIDES
                .into_iter()
                .try_for_each(|side| time_passes(world, side, rules))
        }
        What::Slip(side) => {
            spend(&mut world.left, |l| &mut l.slips)?;
            if due(world, side) {
                return None;
            }
            time_passes(world, side, rules)
        }
        What::Cut(cut) => {
            world.left.cuts -= 1;
            (world.cut, world.both) = (cut, [0; GROUPS]);
            if cut == [false; 2] {
                world.kills = 0;
            }
            Some(())
        }
        What::Lan(lans) => {
            world.left.lan -= 1;
            (world.lans, world.both) = (lans, [0; GROUPS]);
            Some(())
        }
        What::Promise { side, group } => {
            lease::promise(world, side, group.into(), &rules.bounds);
            Some(())
        }
        What::Slow(side) => {
            spend(&mut world.left, |l| &mut l.slow)?;
            let seat = world.seat_mut(side);
            if std::mem::take(&mut seat.fresh) {
                return Some(());
            }
            let works = seat.resources().any(|r| r.2.fresh);
            if let (false, Some((ask, true))) = (works, seat.asked) {
                seat.asked = Some((ask, false));
                return Some(());
            }
            seat.resources_mut().find(|it| it.fresh)?.fresh = false;
            Some(())
        }
        What::Pause(side) => {
            spend(&mut world.left, |l| &mut l.pauses)?;
            let seat = world.seat_mut(side);
            seat.paused = true;
            seat.unattended(rules);
            Some(())
        }
        What::Killed { side, reached } => {
            device::kill(world, side, reached);
            Some(())
        }
        What::Resume(side) => {
            world.seat_mut(side).paused = false;
            Some(())
        }
        What::Crash(side, how) => {
            spend(&mut world.left, |l| &mut l.crashes)?;
            crash(world, side, how, rules);
            Some(())
        }
        _ => unreachable!("{what:?} is told to a daemon"),
    }
}

/// These reach a machine whose daemon pauses; it will read them together, and the newest counts.
fn wait(letters: &mut Vec<Letter>) {
    letters.iter_mut().for_each(|l| l.waits = true);
    letters.drain(..letters.len().saturating_sub(1));
}

/// A time step on one machine; None: its kernel has something to end first.
fn time_passes(world: &mut World, side: Side, rules: &Rules) -> Option<()> {
    data::ages(world, side, &rules.bounds);
    let seat = world.seat_mut(side);
    for (local, kind) in seat.groups.iter_mut().zip(rules.bounds.groups) {
        let lease = &mut local.resources[0];
        if kind.leased(0) && lease.runs && lease.left != ENDLESS {
            lease.left = lease.left.checked_sub(1)?;
            lease.ceded = lease.ceded.saturating_sub(1);
        }
    }
    device::ages(seat, rules);
    for promised in seat.promised.iter_mut().flatten() {
        *promised = promised.saturating_sub(1);
    }
    if let Some(mind) = &seat.mind {
        let mut node = mind.node.clone();
        age(
            &mut node,
            rules.bounds.quantum.as_micros() as i64,
            &rules.bounds,
        );
        seat.mind = Some(Arc::new(Mind::new(node)));
    }
    Some(())
}
