//! A third party that promises a group to one node at a time, for a while.
//!
//! A node asks and is answered later, or never; its promise counts from the asking. The third party holds to its
//! word longer than that: until the kernel has ended an address that a dead daemon left. (What else a node may
//! need to stop in is the third party's to add; here a stop that is not slow ends at once.)

use super::bounds::Bounds;
use super::moves::What;
use super::setup::lifetime;
use super::world::{SIDES, World};
use ha_appliance::wire::heartbeat::Side;

/// For how many time steps a node is promised a group.
const PROMISED: u8 = 4;

/// What may be promised, and which promises may arrive.
pub fn moves(all: &mut Vec<What>, world: &World, bounds: &Bounds) {
    for side in SIDES.into_iter().filter(|_| bounds.leases) {
        let seat = world.seat(side);
        if seat.mind.is_none() || seat.paused {
            continue;
        }
        for group in 0..bounds.groups.len() {
            let free = world.leases[group].is_none_or(|(holder, _)| holder == side);
            if free && seat.promised[group].is_none() {
                let group = group as u8;
                all.push(What::Promise { side, group });
            }
            if seat.promised[group].is_some() {
                let group = group as u8;
                all.push(What::Promised { side, group });
            }
        }
    }
}

/// The third party gives its word, and the answer is under way.
pub fn promise(world: &mut World, side: Side, group: usize, bounds: &Bounds) {
    world.leases[group] = Some((side, PROMISED + lifetime(bounds) + 1));
    world.seat_mut(side).promised[group] = Some(PROMISED);
}

/// Its word is good for one time step less.
pub fn ages(lease: &mut Option<(Side, u8)>) {
    *lease = lease.and_then(|(side, left)| Some((side, left.checked_sub(1)?)));
}
