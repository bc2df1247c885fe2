//! What speaks for and against a silent peer without fencing, as status tells it.

mod world;

use ha_appliance::core::event::Command;
use ha_appliance::core::reason::Reason;
use ha_appliance::core::setup::Failback;
use ha_appliance::core::view::GroupView;
use ha_appliance::id::Place;
use ha_appliance::wire::heartbeat::Side::{self, First, Second};
use ha_appliance::wire::heartbeat::{Role, hash};
use std::time::Duration;
use world::{FOREVER, LAN, SIDES, World, index, pair, service};

const SECOND: Duration = Duration::from_secs(1);

fn group(world: &World, side: Side) -> GroupView {
    let view = world.machines[index(side)].node.as_ref().unwrap().view();
    view.groups.into_iter().next().unwrap()
}

#[test]
fn who_answers_for_a_vip_while_he_is_silent_is_what_the_group_waits_for() {
    let mut world = pair();
    world.link = [false; 2];
    for _ in 0..30 {
        world.run(SECOND / 10);
        let waiting = group(&world, Second).waiting;
        let silent = world.now.since(ha_appliance::core::time::Time(0)) > 3 * SECOND;
        assert!(
            !silent || waiting == Some(Reason::VipAnswered),
            "{waiting:?}"
        );
    }
    assert!(!world.runs(Second, 0));
}

/// What keeps the peer from agreeing, for who holds the group and would start it; whoever only stands by waits for
/// nothing.
#[test]
fn what_a_peer_still_does_is_what_the_holder_waits_for() {
    let mut world = World::new(&[("web", Some(Second), Failback::Manual)]);
    for machine in &mut world.machines {
        machine.file.groups[0].resources = vec![service()];
    }
    let place = Place {
        group: world.machines[0].file.groups[0].id,
        resource: service().id,
    };
    world.machines[0].running.insert(place, FOREVER);
    world.machines[0].stop_takes = 2 * SECOND;
    world.machines[0].stop_works = false;
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(SECOND);
    assert_eq!(group(&world, Second).waiting, Some(Reason::PeerNotStopped));
    world.run(2 * SECOND);
    assert_eq!(group(&world, First).role, Role::Failed);
    assert_eq!(group(&world, Second).waiting, Some(Reason::PeerStopFailed));
    world.machines[0].running.clear();
    world.run(20 * SECOND);
    assert!(world.runs(Second, 0));
    assert_eq!(group(&world, First).waiting, None);
}

/// Said while all is well: an operator has time to mend it.
#[test]
fn what_forbids_every_takeover_is_said_before_the_peer_dies() {
    let world = pair();
    assert_eq!(group(&world, Second).no_seizure, None);
    let mut world = pair();
    world.set_gateways(Second, Some(vec![]));
    assert_eq!(
        group(&world, Second).no_seizure,
        Some(Reason::NoGatewayKnown(LAN))
    );
    let mut world = World::new(&[("web", None, Failback::Manual)]);
    world.set_arp(false);
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(2 * SECOND);
    assert_eq!(
        group(&world, Second).no_seizure,
        Some(Reason::ProbeUnproven(LAN))
    );
}

/// As it would be judged were it to fall silent now.
#[test]
fn what_the_peer_itself_says_forbids_a_takeover_too() {
    let mut world = pair();
    world.kill(First);
    world.machines[0].file.nodes = hash("first\nthird");
    world.start(First);
    world.run(2 * SECOND);
    assert!(world.runs(First, 0));
    let why = || Some(Reason::PeerWasRefused);
    assert_eq!(group(&world, Second).no_seizure, why());
    // And so it comes.
    world.power_cut(First);
    world.run(10 * SECOND);
    assert!(!world.runs(Second, 0));
    assert_eq!(group(&world, Second).no_seizure, why());
    let mut world = World::new(&[("web", Some(First), Failback::Manual)]);
    for machine in &mut world.machines {
        machine.file.groups[0].resources = vec![world::vip(), service()];
    }
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(2 * SECOND);
    world.machines[0].stop_works = false;
    let id = world.machines[0].setup.groups[0].id;
    world.command(First, 1, Command::Failover(Some(id)));
    world.run(25 * SECOND);
    assert_eq!(group(&world, First).role, Role::Failed);
    assert_eq!(
        group(&world, Second).no_seizure,
        Some(Reason::PeerStopFailed)
    );
}
