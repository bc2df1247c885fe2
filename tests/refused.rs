//! A peer that is refused takes no part, but for one thing: a daemon that starts again reads from it that what
//! it left running may go on.

mod world;

use ha_appliance::core::event::{Action, Command};
use ha_appliance::core::peer::PeerState;
use ha_appliance::core::reason::Reason;
use ha_appliance::core::setup::Failback;
use ha_appliance::wire::heartbeat::Side::{First, Second};
use ha_appliance::wire::heartbeat::{Role, hash};
use std::time::Duration;
use world::{SIDES, World, service, vip};

/// The first node serves; the second's daemon starts again with another file.
fn pair(change: impl Fn(&mut ha_appliance::core::setup::Setup)) -> World {
    let mut world = World::new(&[("web", Some(First), Failback::Manual)]);
    for machine in &mut world.machines {
        machine.file.groups[0].resources = vec![vip(), service()];
    }
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

/// What the first node says of the group.
fn role(world: &World) -> Role {
    world.machines[0].node.as_ref().unwrap().view().groups[0].role
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

/// By right, so it is kept as if this daemon had started it.
#[test]
fn what_goes_on_beside_a_peer_that_is_refused_is_started_again_when_it_dies() {
    let mut world = pair(|setup| setup.nodes = hash("first\nthird"));
    restart(&mut world);
    let service = world.place(0, 1);
    world.switch(First, service, false);
    world.run(Duration::from_secs(1));
    assert!(world.runs(First, 0));
}

/// Started by right was all of it.
#[test]
fn what_runs_in_part_does_not_go_on_beside_a_peer_that_is_refused() {
    let mut world = pair(|setup| setup.nodes = hash("first\nthird"));
    let service = world.place(0, 1);
    world.machines[0].partial.insert(service);
    restart(&mut world);
    assert_ne!(role(&world), Role::Active);
}

/// What runs here and was not started by a daemon of this boot with this token, anybody may have started.
#[test]
fn what_runs_by_nobodys_right_does_not_go_on_beside_a_peer_that_is_refused() {
    let mut world = pair(|setup| setup.nodes = hash("first\nthird"));
    world.machines[0].marks.clear();
    restart(&mut world);
    assert_ne!(role(&world), Role::Active);
}

/// What the peer says of another group is nothing to this one.
#[test]
fn what_runs_goes_on_though_a_peer_that_is_refused_runs_another_group() {
    let groups = [("web", Some(First)), ("data", Some(Second))];
    let mut world = World::new(&groups.map(|(name, side)| (name, side, Failback::Manual)));
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(Duration::from_secs(2));
    world.kill(Second);
    world.machines[1].file.nodes = hash("first\nthird");
    world.start(Second);
    world.run(Duration::from_secs(2));
    assert!(world.runs(First, 0) && world.runs(Second, 1));
    restart(&mut world);
    assert!(world.runs(First, 0) && world.runs(Second, 1));
}

/// It took the group over meanwhile, on an operator's word, and does not run it any more: all the same it may,
/// at any moment.
#[test]
fn what_runs_does_not_go_on_by_an_older_token_than_that_of_a_peer_that_is_refused() {
    let mut world = World::new(&[("web", Some(First), Failback::Manual)]);
    for machine in &mut world.machines {
        machine.file.groups[0].resources = vec![service()];
    }
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(Duration::from_secs(2));
    world.kill(First);
    world.run(Duration::from_secs(1));
    let despite_signs = true;
    world.command(Second, 1, Command::ConfirmFenced { despite_signs });
    world.run(Duration::from_secs(1));
    assert!(world.runs(Second, 0), "the operator was wrong");
    let group = world.machines[1].setup.groups[0].id;
    world.command(Second, 2, Command::Stopped(group, true));
    world.run(Duration::from_secs(1));
    world.kill(Second);
    world.machines[1].file.nodes = hash("first\nthird");
    world.start(Second);
    world.run(Duration::from_secs(1));
    world.start(First);
    world.run(Duration::from_secs(10));
    assert_eq!(state(&world), PeerState::Refused);
    let view = world.machines[0].node.as_ref().unwrap().view();
    assert_ne!(
        view.groups[0].role,
        Role::Active,
        "{:?}",
        view.groups[0].reason
    );
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
    assert_eq!(role(&world), Role::Stopped, "nor does it say so");
}

/// The second node serves; then it gets a file that is refused and goes quiet, on every network or the interlink.
fn refused_and_quiet() -> World {
    let mut world = World::new(&[("web", Some(Second), Failback::Manual)]);
    for machine in &mut world.machines {
        machine.file.groups[0].resources = vec![vip(), service()];
    }
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(Duration::from_secs(2));
    assert!(world.runs(Second, 0));
    world.kill(Second);
    world.machines[1].file.nodes = hash("first\nthird");
    world.start(Second);
    world.run(Duration::from_secs(2));
    assert_eq!(state(&world), PeerState::Refused);
    world.power_cut(Second);
    world.run(Duration::from_secs(10));
    assert_eq!(state(&world), PeerState::Silent);
    world
}

/// It may run the group at addresses that this node's file does not name: that nobody answers for those proves
/// nothing.
#[test]
fn a_refused_peer_that_goes_quiet_is_not_taken_over_from() {
    let mut world = refused_and_quiet();
    assert!(!world.runs(First, 0));
    let waiting = |world: &World| {
        world.machines[0].node.as_ref().unwrap().view().groups[0]
            .waiting
            .clone()
    };
    assert_eq!(waiting(&world), Some(Reason::PeerWasRefused));
    restart_alone(&mut world);
    assert!(!world.runs(First, 0), "the disk remembers it");
    assert_eq!(waiting(&world), Some(Reason::PeerWasRefused));
    world.power_cut(First);
    world.start(First);
    world.run(Duration::from_secs(30));
    assert!(!world.runs(First, 0), "over a reboot, too");
}

#[test]
fn a_refused_peer_that_is_heard_as_it_was_and_goes_quiet_is_taken_over_from() {
    let mut world = refused_and_quiet();
    world.machines[1].file.nodes = world.machines[0].file.nodes;
    world.start(Second);
    world.run(Duration::from_secs(2));
    assert_eq!(state(&world), PeerState::Alive);
    world.power_cut(Second);
    world.run(Duration::from_secs(2));
    assert!(world.runs(First, 0));
}

#[test]
fn an_operator_takes_over_from_a_refused_peer_that_went_quiet() {
    let mut world = refused_and_quiet();
    let despite_signs = false;
    world.command(First, 1, Command::ConfirmFenced { despite_signs });
    world.run(Duration::from_secs(1));
    assert!(world.runs(First, 0));
}

/// A last node serves on over its own daemon's restart.
#[test]
fn what_runs_goes_on_after_a_refused_peer_went_quiet() {
    let mut world = pair(|setup| setup.nodes = hash("first\nthird"));
    world.power_cut(Second);
    world.run(Duration::from_secs(5));
    assert!(world.runs(First, 0));
    restart_alone(&mut world);
    assert!(world.runs(First, 0));
    assert_eq!(role(&world), Role::Active);
}

fn restart_alone(world: &mut World) {
    world.kill(First);
    world.run(Duration::from_millis(300));
    world.start(First);
    world.run(Duration::from_secs(10));
}

#[test]
fn a_holder_serves_on_when_its_refused_peer_agrees_again_and_does_not_hear_it() {
    let mut world = pair(|setup| setup.nodes = hash("first\nthird"));
    world.run(Duration::from_millis(2650));
    world.link = [false, true];
    world.run(Duration::from_millis(2345));
    world.machines[1].file.nodes = world.machines[0].file.nodes;
    world.reload(Second);
    world.run(Duration::from_secs(5));
    assert!(world.runs(First, 0));
    let stopped = |action: &Action| matches!(action, Action::Stop(_));
    let said = world.said.iter();
    assert_eq!(
        said.filter(|(_, side, a)| *side == First && stopped(a))
            .count(),
        0
    );
}
