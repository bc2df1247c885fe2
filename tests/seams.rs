//! The seams for what comes later: a resource of a kind the core has never heard of, added here without a word of the
//! core being changed; a question from outside that is answered from the proof. (A lease stands in `leases`.)

mod world;

use ha_appliance::core::event::{Action, Ask, Command};
use ha_appliance::core::peer::PeerState;
use ha_appliance::core::setup::{Failback, FencingSetup, ResourceSetup};
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

/// A pair with a disk and a VIP in one group.
fn pair() -> World {
    pair_of(&[disk(), world::vip()], None)
}

fn pair_of(resources: &[ResourceSetup], fencing: Option<FencingSetup>) -> World {
    let mut world = World::new(&[("data", None, Failback::Manual)]);
    for machine in &mut world.machines {
        machine.file.groups[0].resources = resources.to_vec();
        machine.file.fencing = fencing;
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
            Action::Device { ask: Ask::Off, .. } => Some("off".into()),
            Action::Proof { proof, .. } => {
                Some(proof.map_or("not certain".into(), |right| right.to_string()))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn resources_start_in_order_and_stop_in_reverse() {
    let mut world = pair();
    assert_eq!(operations(&world, Side::First), ["start 0", "start 1"]);
    world.said.clear();
    world.command(Side::First, 1, Command::Failover(None));
    world.run(Duration::from_secs(1));
    assert_eq!(operations(&world, Side::First), ["stop 1", "stop 0"]);
    assert_eq!(operations(&world, Side::Second), ["start 0", "start 1"]);
}

#[test]
fn a_group_that_holds_data_is_never_taken_by_best_effort() {
    let mut world = pair();
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
fn a_question_is_answered_from_the_proof_alone() {
    let mut world = pair();
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
    assert_eq!(asked(&mut world), ["not certain"]);
    let despite_signs = false;
    world.command(Side::Second, 1, Command::ConfirmFenced { despite_signs });
    assert_eq!(asked(&mut world), ["the operator says the peer is off"]);
    world.start(Side::First);
    world.run(Duration::from_secs(1));
    assert_eq!(asked(&mut world), ["not certain"]);
    world.command(Side::First, 1, Command::Leave);
    world.run(Duration::from_secs(1));
    assert_eq!(asked(&mut world), ["the peer left"]);
}

#[test]
fn what_lingers_goes_once_the_peer_shows_that_it_has_taken_over() {
    let mut world = pair();
    world.machines[1].start_takes = Duration::from_secs(3);
    world.said.clear();
    world.command(Side::First, 1, Command::Leave);
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
    let mut world = pair();
    world.machines[1].start_works = false;
    world.said.clear();
    world.command(Side::First, 1, Command::Leave);
    world.run(Duration::from_secs(40));
    assert_eq!(
        operations(&world, Side::First),
        ["stop 1", "stop 0", "part 0"]
    );
    assert!(world.machines[0].node.is_none(), "it has not left");
}

/// Whatever uses the data may be in use through the address; without the data it is no help elsewhere.
#[test]
fn who_cannot_stop_what_uses_the_data_keeps_its_address() {
    let mut world = pair_of(&[disk(), world::vip(), world::service()], None);
    world.machines[0].stop_works = false;
    world.said.clear();
    world.command(Side::First, 1, Command::Failover(None));
    world.run(Duration::from_secs(30));
    assert_eq!(operations(&world, Side::First), ["stop 2"]);
}

#[test]
fn nobody_is_switched_off_for_what_could_not_run_here_either() {
    let mut world = pair_of(&[disk(), world::vip()], Some(world::fencing()));
    world.command(Side::Second, 1, Command::Standby(Side::Second, true));
    world.run(Duration::from_secs(1));
    world.machines[0].stop_works = false;
    world.said.clear();
    world.command(Side::First, 2, Command::Standby(Side::First, true));
    world.run(Duration::from_secs(30));
    assert!(operations(&world, Side::Second).is_empty());
    assert!(world.machines[0].node.is_some());
}

/// The holder's I/O waits for that word, and the machine that was shot may take minutes to be back, or stay off.
#[test]
fn a_shot_that_was_verified_is_proof_at_once() {
    let mut world = pair_of(&[disk(), world::vip()], Some(world::fencing()));
    world.link = [false, false];
    world.said.clear();
    world.run(Duration::from_secs(20));
    world.question(Side::First, 7);
    assert_eq!(
        operations(&world, Side::First),
        ["off", "the peer is off, verified"]
    );
}
