//! The seams for what comes later: a resource of a kind the core has never heard of, and a source of
//! clearance from outside, both added here without a word of the core being changed.

mod world;

use ha_appliance::core::event::Action;
use ha_appliance::core::peer::PeerState;
use ha_appliance::core::setup::{Failback, ResourceSetup};
use ha_appliance::id::{Place, ResourceId};
use ha_appliance::wire::heartbeat::Side;
use std::time::Duration;
use world::{SIDES, World};

/// A disk below the VIP: exclusive, holding data, and nothing that the kernel ends by itself.
fn disk() -> ResourceSetup {
    ResourceSetup {
        id: ResourceId(2),
        data: true,
        leased: false,
        ..world::vip()
    }
}

/// A pair with a disk and a VIP in one group, and so many outside sources.
fn pair(sources: usize) -> World {
    let mut world = World::new(&[("data", None, Failback::Manual)]);
    for machine in &mut world.machines {
        machine.setup.groups[0].resources = vec![disk(), world::vip()];
        machine.setup.sources = world::sources(sources);
        machine.running = vec![vec![None; 2]];
    }
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(Duration::from_secs(2));
    assert!(world.runs(Side::First, 0) && !world.runs(Side::Second, 0));
    world
}

fn operations(world: &World, side: Side) -> Vec<String> {
    let number = |place: &Place| world.machines[side as usize].find(*place).1;
    let of_side = world.said.iter().filter(|(_, s, _)| *s == side);
    of_side
        .filter_map(|(_, _, action)| match action {
            Action::Start(place, _) => Some(format!("start {}", number(place))),
            Action::Stop(place) => Some(format!("stop {}", number(place))),
            Action::Clear(source) => Some(format!("clear {source}")),
            _ => None,
        })
        .collect()
}

#[test]
fn resources_start_in_order_and_stop_in_reverse() {
    let mut world = pair(0);
    assert_eq!(operations(&world, Side::First), ["start 0", "start 1"]);
    world.said.clear();
    world.command(
        Side::First,
        1,
        ha_appliance::core::event::Command::Failover(None),
    );
    world.run(Duration::from_secs(1));
    assert_eq!(operations(&world, Side::First), ["stop 1", "stop 0"]);
    assert_eq!(operations(&world, Side::Second), ["start 0", "start 1"]);
}

#[test]
fn a_group_that_holds_data_is_never_taken_by_best_effort() {
    let mut world = pair(0);
    world.power_cut(Side::First);
    world.run(Duration::from_secs(60));
    assert!(!world.runs(Side::Second, 0));
    let waiting = world.machines[1].node.as_ref().unwrap().view().groups[0]
        .waiting
        .clone();
    assert_eq!(
        waiting.unwrap().to_string(),
        "a group that holds data needs fencing"
    );
}

#[test]
fn an_outside_source_is_asked_and_its_word_is_clearance() {
    let mut world = pair(1);
    world.said.clear();
    world.source = Some(Ok(()));
    world.power_cut(Side::First);
    world.run(Duration::from_secs(2));
    assert!(world.runs(Side::Second, 0));
    assert_eq!(
        operations(&world, Side::Second),
        ["clear 0", "start 0", "start 1"]
    );
    assert_eq!(
        world.machines[1].node.as_ref().unwrap().peer_state(),
        PeerState::Fenced
    );
}

#[test]
fn a_source_that_refuses_is_followed_by_the_next_and_nothing_starts() {
    let mut world = pair(2);
    world.said.clear();
    world.source = Some(Err("wrong password".into()));
    world.power_cut(Side::First);
    world.run(Duration::from_secs(8));
    assert!(!world.runs(Side::Second, 0));
    assert_eq!(
        operations(&world, Side::Second),
        ["clear 0", "clear 1", "clear 0", "clear 1"]
    );
    let waiting = world.machines[1].node.as_ref().unwrap().view().groups[0]
        .waiting
        .clone();
    assert_eq!(
        waiting.unwrap().to_string(),
        "clearance refused: wrong password"
    );
}

#[test]
fn a_source_that_never_answers_starts_nothing() {
    let mut world = pair(1);
    world.power_cut(Side::First);
    world.run(Duration::from_secs(60));
    assert!(!world.runs(Side::Second, 0));
}
