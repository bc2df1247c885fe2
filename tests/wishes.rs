//! Whatever a policy wishes, the protocol takes of it what is safe: here that a group moves, again and again, to a
//! peer that cannot take it.

mod world;

use ha_appliance::core::event::{Action, Command};
use ha_appliance::core::policy::Dictate;
use ha_appliance::wire::heartbeat::Side::{self, First, Second};
use std::time::Duration;
use world::{World, pair};

const SECOND: Duration = Duration::from_secs(1);

fn wish_to_move(world: &mut World) {
    let machine = &mut world.machines[0];
    let group = machine.setup.groups[0].id;
    let node = machine.node.as_mut().unwrap();
    node.dictate(group, Some(Dictate::Move));
}

/// The highest epoch that the first node wrote to its disk, and the holder of its token.
fn written(world: &World) -> (u64, Side) {
    let group = &world.machines[0].disk.groups[0];
    (group.highest, group.token.holder)
}

#[test]
fn what_runs_is_not_given_to_a_peer_that_is_silent() {
    let mut world = pair();
    world.power_cut(Second);
    world.run(SECOND);
    let before = written(&world);
    wish_to_move(&mut world);
    world.run(10 * SECOND);
    assert!(world.runs(First, 0));
    assert_eq!(written(&world), before, "no epoch is spent on it");
}

#[test]
fn what_is_stopped_is_not_given_to_a_peer_that_is_silent() {
    let mut world = pair();
    let group = world.machines[0].setup.groups[0].id;
    world.command(First, 1, Command::Stopped(group, true));
    world.run(SECOND);
    world.power_cut(Second);
    world.run(SECOND);
    let before = written(&world);
    wish_to_move(&mut world);
    world.run(10 * SECOND);
    assert_eq!(written(&world), before, "no epoch is spent on it");
}

/// The disk has the peer's token when the peer is no longer there.
#[test]
fn what_runs_stays_when_the_peer_falls_silent_before_the_disk_has_its_token() {
    let mut world = pair();
    world.machines[0].disk_takes = 2 * SECOND;
    wish_to_move(&mut world);
    world.run(SECOND / 4);
    world.power_cut(Second);
    world.said.clear();
    world.run(10 * SECOND);
    assert!(world.runs(First, 0));
    let given = |(_, _, action): &(_, _, Action)| match action {
        Action::Cede(_) | Action::Stop(_) => true,
        Action::Send(heartbeat) => heartbeat.groups[0].token.holder == Second,
        _ => false,
    };
    assert!(!world.said.iter().any(given));
}
