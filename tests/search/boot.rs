//! A daemon starts.

use super::defect::Defect;
use super::moves::{Disk, Rules, spend};
use super::setup::{group, setup, vifs};
use super::world::{Local, NOW, Seen, World};
use ha_appliance::core::Node;
use ha_appliance::core::record::Record;
use ha_appliance::wire::heartbeat::{Role, Side};
use std::sync::Arc;

/// The new daemon, with what it finds on its disk; None: that cannot be.
pub fn new_node(world: &mut World, side: Side, disk: Disk, rules: &Rules) -> Option<Node> {
    match disk {
        Disk::Kept => {}
        Disk::Wiped => spend(&mut world.left, |l| &mut l.wipes)?,
        Disk::RolledBack => spend(&mut world.left, |l| &mut l.rollbacks)?,
    }
    let rolls_back = world.left.rollbacks > 0;
    let seat = world.seat_mut(side);
    match disk {
        Disk::Kept => {}
        Disk::Wiped => seat.disk = Arc::default(),
        Disk::RolledBack => seat.disk = seat.older.take()?,
    }
    if !rolls_back {
        seat.older = None;
    }
    if disk != Disk::Kept {
        seat.seen = Seen {
            forgetful: true,
            ..Seen::default()
        };
        for (index, local) in seat.groups.iter_mut().enumerate() {
            let saved = seat.disk.groups.get(index).map(|g| g.token);
            local.token = saved.unwrap_or(Local::new(index).token);
        }
    }
    let again = std::mem::replace(&mut seat.powered, true);
    seat.shot = false;
    seat.seen.unwritable = false;
    for local in &mut seat.groups {
        (local.role, local.by_right, local.agreed) = (Role::Stopped, false, false);
    }
    let record = match rules.defect {
        Some(Defect::NothingRead) => Record::default(),
        _ => (*seat.disk).clone(),
    };
    let incarnation = new_incarnation(world, side);
    let new = world.seat(side).new_file;
    let mut node = Node::new(
        NOW,
        setup(side, &rules.bounds, new),
        incarnation,
        record,
        "",
    );
    if rules.bounds.networks > 0 {
        node.describe_vifs(&vifs(side, &rules.bounds));
    }
    let marks = world.seat(side).groups.iter().enumerate();
    let marks = marks.filter_map(|(index, local)| Some((group(index), local.mark.clone()?)));
    let marks: Vec<_> = marks.collect();
    let noted = world.seat(side).noted;
    Some(if again {
        node.restarted(&marks, noted)
    } else {
        node
    })
}

/// Above every incarnation there was, and never the peer's.
fn new_incarnation(world: &World, side: Side) -> u64 {
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
    boots.chain(heard).chain(echoes).max().unwrap_or(0) / 10 * 10 + 1_000 + side as u64
}
