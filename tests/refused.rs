//! A peer that is refused takes no part, but for one thing: a daemon that starts again reads from it that what
//! it left running may go on.

mod world;

use ha_appliance::core::peer::PeerState;
use ha_appliance::core::setup::Failback;
use ha_appliance::wire::heartbeat::Side::{First, Second};
use ha_appliance::wire::heartbeat::hash;
use std::time::Duration;
use world::{SIDES, World};

/// The first node serves; the second's daemon starts again with another file.
fn pair(change: impl Fn(&mut ha_appliance::core::setup::Setup)) -> World {
    let mut world = World::new(&[("web", Some(First), Failback::Manual)]);
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(Duration::from_secs(2));
    world.kill(Second);
    change(&mut world.machines[1].file);
    world.start(Second);
    world.run(Duration::from_secs(2));
    assert_eq!(state(&world), PeerState::Refused);
    world
}

fn state(world: &World) -> PeerState {
    world.machines[0].node.as_ref().unwrap().peer_state()
}

fn restart(world: &mut World) {
    world.kill(First);
    world.run(Duration::from_millis(300));
    world.start(First);
    world.run(Duration::from_secs(10));
    assert_eq!(state(world), PeerState::Refused);
}

#[test]
fn what_runs_goes_on_beside_a_peer_that_is_refused() {
    let mut world = pair(|setup| setup.nodes = hash("first\nthird"));
    restart(&mut world);
    assert!(world.runs(First, 0));
    assert!(world.overlap.is_empty(), "{:?}", world.overlap);
}

#[test]
fn a_stranger_of_another_cluster_says_nothing_of_what_runs() {
    let mut world = pair(|setup| setup.cluster = hash("other"));
    restart(&mut world);
    assert!(!world.runs(First, 0));
}

#[test]
fn nothing_starts_by_the_word_of_a_peer_that_is_refused() {
    let mut world = pair(|setup| setup.nodes = hash("first\nthird"));
    world.power_cut(First);
    world.start(First);
    world.run(Duration::from_secs(30));
    assert!(!world.runs(First, 0) && !world.runs(Second, 0));
}
