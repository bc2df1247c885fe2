//! What speaks for and against a silent peer without fencing, as status tells it.

mod world;

use ha_appliance::core::reason::Reason;
use ha_appliance::core::setup::Failback;
use ha_appliance::core::view::GroupView;
use ha_appliance::wire::heartbeat::Side::{self, First, Second};
use std::time::Duration;
use world::{LAN, SIDES, World, index};

const SECOND: Duration = Duration::from_secs(1);

/// A pair whose first node runs the group.
fn pair() -> World {
    let mut world = World::new(&[("web", None, Failback::Manual)]);
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(2 * SECOND);
    assert!(world.runs(First, 0));
    world
}

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
