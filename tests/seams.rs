//! The seams for what comes later: a resource of a kind the core has never heard of, and a source of
//! clearance from outside, both added here without a word of the core being changed.

mod world;

use ha_appliance::core::event::Action;
use ha_appliance::core::peer::PeerState;
use ha_appliance::core::setup::{Failback, ResourceSetup, SourceSetup};
use ha_appliance::core::time::Time;
use ha_appliance::id::{Place, ResourceId};
use ha_appliance::wire::heartbeat::Side;
use std::time::Duration;
use world::{SIDES, World};

/// A disk below the VIP: exclusive, holding data, replicated to where it is stopped, and nothing that the kernel
/// ends by itself.
fn disk() -> ResourceSetup {
    ResourceSetup {
        id: ResourceId(2),
        definition: 0,
        data: true,
        leased: false,
        lingers: true,
        ..world::vip()
    }
}

/// A pair with a disk and a VIP in one group, and so many outside sources.
fn pair(sources: usize) -> World {
    pair_of(sources, &[disk(), world::vip()])
}

fn pair_of(sources: usize, resources: &[ResourceSetup]) -> World {
    let mut world = World::new(&[("data", None, Failback::Manual)]);
    for machine in &mut world.machines {
        machine.file.groups[0].resources = resources.to_vec();
        machine.file.sources = world::sources(sources);
    }
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(Duration::from_secs(2));
    assert!(world.runs(Side::First, 0) && !world.runs(Side::Second, 0));
    world
}

fn operations(world: &World, side: Side) -> Vec<String> {
    let number = |place: &Place| world.numbers(*place).1;
    let of_side = world.said.iter().filter(|(_, s, _)| *s == side);
    of_side
        .filter_map(|(_, _, action)| match action {
            Action::Start(place, _) => Some(format!("start {}", number(place))),
            Action::Stop(place) => Some(format!("stop {}", number(place))),
            Action::Part(place) => Some(format!("part {}", number(place))),
            Action::Clear(source) => Some(format!("clear {source}")),
            Action::Proof { proof, .. } => {
                Some(proof.map_or("not certain".into(), |right| right.to_string()))
            }
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

/// Counted from the last heartbeat, however long the daemon has run.
#[test]
fn a_source_with_a_delay_is_asked_once_the_peer_has_been_silent_for_so_long() {
    let delay = Duration::from_secs(3);
    let mut world = World::new(&[("data", None, Failback::Manual)]);
    for machine in &mut world.machines {
        machine.file.sources = vec![SourceSetup { delay }];
    }
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(Duration::from_secs(10));
    world.power_cut(Side::First);
    let cut = world.now;
    world.said.clear();
    world.run(Duration::from_secs(5));
    let asked = |(.., action): &&(Time, Side, Action)| matches!(action, Action::Clear(_));
    let (asked, ..) = world.said.iter().find(asked).expect("it is asked");
    let silent = asked.since(cut);
    assert!(
        silent > delay - Duration::from_millis(200) && silent < delay + Duration::from_millis(200),
        "{silent:?}"
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
        "the peer is not proven to be off: wrong password"
    );
}

#[test]
fn a_source_that_never_answers_starts_nothing() {
    let mut world = pair(1);
    world.power_cut(Side::First);
    world.run(Duration::from_secs(60));
    assert!(!world.runs(Side::Second, 0));
}

#[test]
fn a_question_is_answered_from_the_proof_alone() {
    let mut world = pair(1);
    world.source = Some(Ok(()));
    let asked = |world: &mut World| {
        world.said.clear();
        world.question(Side::Second, 7);
        operations(world, Side::Second)
    };
    assert_eq!(asked(&mut world), ["not certain"]);
    world.power_cut(Side::First);
    world.run(Duration::from_millis(400)); // silent, and nothing is certain yet
    assert_eq!(asked(&mut world), ["not certain"]);
    world.run(Duration::from_secs(2));
    assert_eq!(asked(&mut world), ["the peer is off, verified"]);
    world.start(Side::First);
    world.run(Duration::from_secs(1));
    assert_eq!(asked(&mut world), ["not certain"]);
    world.command(Side::First, 1, ha_appliance::core::event::Command::Leave);
    world.run(Duration::from_secs(1));
    assert_eq!(asked(&mut world), ["the peer left"]);
}

#[test]
fn what_lingers_goes_once_the_peer_shows_that_it_has_taken_over() {
    let mut world = pair(0);
    world.machines[1].start_takes = Duration::from_secs(3);
    world.said.clear();
    world.command(Side::First, 1, ha_appliance::core::event::Command::Leave);
    world.run(Duration::from_secs(2));
    assert_eq!(operations(&world, Side::First), ["stop 1", "stop 0"]);
    world.run(Duration::from_secs(3));
    assert!(world.runs(Side::Second, 0));
    assert_eq!(
        operations(&world, Side::First),
        ["stop 1", "stop 0", "part 0"]
    );
    assert!(world.machines[0].node.is_none(), "it has not left");
    let state = world.machines[1].node.as_ref().unwrap().peer_state();
    assert_eq!(state, PeerState::Left);
}

#[test]
fn what_lingers_is_not_kept_for_a_peer_that_never_takes_over() {
    let mut world = pair(0);
    world.machines[1].start_works = false;
    world.said.clear();
    world.command(Side::First, 1, ha_appliance::core::event::Command::Leave);
    world.run(Duration::from_secs(40));
    assert_eq!(
        operations(&world, Side::First),
        ["stop 1", "stop 0", "part 0"]
    );
    assert!(world.machines[0].node.is_none(), "it has not left");
}

/// The pair serves, the second node holds a VIP of its own beside; a stop of the disk fails in a move.
fn a_stop_fails() -> World {
    let mut world = pair(1);
    world.machines[0].stop_works = false;
    world.said.clear();
    world.command(
        Side::First,
        1,
        ha_appliance::core::event::Command::Failover(None),
    );
    world
}

#[test]
fn who_cannot_stop_and_has_handed_over_all_else_is_switched_off_at_his_own_wish() {
    let mut world = a_stop_fails();
    world.source = Some(Ok(()));
    world.run(Duration::from_secs(5));
    assert_eq!(operations(&world, Side::Second)[0], "clear 0");
    assert!(world.machines[0].node.is_none(), "it was not switched off");
    assert!(world.runs(Side::Second, 0));
    assert!(world.overlap.is_empty(), "{:?}", world.overlap);
}

/// Whatever uses the data may be in use through the address; without the data it is no help elsewhere.
#[test]
fn who_cannot_stop_what_uses_the_data_keeps_its_address() {
    let mut world = pair_of(1, &[disk(), world::vip(), world::service()]);
    world.machines[0].stop_works = false;
    world.said.clear();
    world.command(
        Side::First,
        1,
        ha_appliance::core::event::Command::Failover(None),
    );
    world.run(Duration::from_secs(30));
    assert_eq!(operations(&world, Side::First), ["stop 2"]);
}

/// Nobody is judged by what its addresses answer where an outside source decides.
#[test]
fn nobody_is_asked_for_addresses_while_an_outside_source_decides() {
    let mut world = pair(1);
    world.power_cut(Side::First);
    world.said.clear();
    world.run(Duration::from_secs(10));
    let probe = |(.., action): &(_, _, Action)| matches!(action, Action::Probe(_));
    assert!(!world.said.iter().any(probe));
}

#[test]
fn nobody_is_switched_off_for_what_could_not_run_here_either() {
    let mut world = pair(1);
    world.command(
        Side::Second,
        1,
        ha_appliance::core::event::Command::Standby(Side::Second, true),
    );
    world.run(Duration::from_secs(1));
    world.machines[0].stop_works = false;
    world.source = Some(Ok(()));
    world.said.clear();
    world.command(
        Side::First,
        2,
        ha_appliance::core::event::Command::Standby(Side::First, true),
    );
    world.run(Duration::from_secs(30));
    assert!(operations(&world, Side::Second).is_empty());
    assert!(world.machines[0].node.is_some());
}
