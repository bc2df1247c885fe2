//! A right that ends: a third party's lease. It ends to the moment, unless the peer's word takes its place.

mod world;

use ha_appliance::core::event::{Action, Event};
use ha_appliance::core::peer::PeerState;
use ha_appliance::core::setup::Failback;
use ha_appliance::core::time::Time;
use ha_appliance::wire::heartbeat::Side::{self, First, Second};
use std::time::Duration;
use world::{FOREVER, SIDES, World};

const SECOND: Duration = Duration::from_secs(1);
/// No multiple of anything that happens by itself.
const LEASE: Duration = Duration::from_micros(2_345_678);

/// The first node is off, and the second one runs the group by a lease that was given just now.
fn by_lease() -> (World, Time) {
    let mut world = World::new(&[("web", None, Failback::Manual)]);
    world.set_arp(false); // so that there is no evidence
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(2 * SECOND);
    world.power_cut(First);
    world.run(SECOND);
    world.lease(Second, LEASE);
    let until = world.now + LEASE;
    world.run(SECOND);
    assert!(world.runs(Second, 0));
    world.said.clear();
    (world, until)
}

fn stopped(world: &World) -> Option<Time> {
    let mut said = world.said.iter();
    let stop = |(_, side, action): &&(Time, Side, Action)| {
        *side == Second && matches!(action, Action::Stop(_))
    };
    said.find(stop).map(|(at, ..)| *at)
}

fn peer(world: &World) -> PeerState {
    world.machines[1].node.as_ref().unwrap().peer_state()
}

#[test]
fn what_runs_by_it_stops_when_it_has_run_out() {
    let (mut world, until) = by_lease();
    world.run(3 * SECOND);
    assert_eq!(stopped(&world), Some(until));
}

/// Alive, and what it says is about a token that it held before the lease.
#[test]
fn a_peer_of_another_mind_about_the_token_agrees_to_nothing() {
    let (mut world, until) = by_lease();
    world.run(SECOND / 10);
    let own = world::heartbeats(&world, Second).pop().expect("it sends");
    world.start(First);
    let mut returning = world::heartbeats(&world, First).remove(0);
    world.power_cut(First);
    (returning.echo.incarnation, returning.echo.sequence) = (own.incarnation, own.sequence);
    returning.groups[0].contested = false;
    returning.groups[0].proven_stopped = true;
    assert_ne!(returning.groups[0].token, own.groups[0].token);
    world.heartbeat(Second, returning);
    assert_eq!(peer(&world), PeerState::Alive);
    world.run_until(until + SECOND);
    assert_eq!(stopped(&world), Some(until));
}

/// By the rule that would stop it in the same moment.
#[test]
fn one_that_has_just_run_out_starts_nothing() {
    let (mut world, _) = by_lease();
    world.power_cut(Second);
    world.start(Second);
    world.run(15 * SECOND); // longer than it waits for a peer never heard
    let (now, group) = (world.now, world.machines[1].setup.groups[0].id);
    let node = world.machines[1].node.as_mut().unwrap();
    for event in [Event::Lease { group, until: now }, Event::Tick] {
        let actions = node.step(now, event);
        let changes =
            |a: &Action| matches!(a, Action::Start(..) | Action::Stop(_) | Action::Report(_));
        assert!(!actions.iter().any(changes), "{actions:?}");
    }
}

#[test]
fn renewed_it_lasts_and_an_older_promise_shortens_nothing() {
    let (mut world, until) = by_lease();
    world.run_until(until - SECOND);
    world.lease(Second, LEASE);
    let renewed = world.now + LEASE;
    world.lease(Second, SECOND / 2);
    world.run(4 * SECOND);
    assert_eq!(stopped(&world), Some(renewed));
}

#[test]
fn a_peer_that_agrees_takes_its_place() {
    let (mut world, until) = by_lease();
    world.start(First);
    world.run_until(until - SECOND / 2);
    assert_eq!(peer(&world), PeerState::Alive);
    // Silent again before the lease ends: what counts now is the peer's word.
    world.link[0] = false;
    world.run_until(until + SECOND);
    assert_eq!(peer(&world), PeerState::Silent);
    assert_eq!(stopped(&world), None);
}

#[test]
fn a_peer_that_does_not_hear_this_node_agrees_to_nothing() {
    let (mut world, until) = by_lease();
    world.link[1] = false;
    world.start(First);
    world.run(3 * SECOND);
    assert_ne!(peer(&world), PeerState::Alive);
    assert_eq!(stopped(&world), Some(until));
}

/// Alive, and something of the group runs there that cannot be stopped.
#[test]
fn a_peer_that_is_not_proven_stopped_agrees_to_nothing() {
    let (mut world, until) = by_lease();
    let place = world.place(0, 0);
    world.machines[0].stop_works = false;
    world.machines[0].running.insert(place, FOREVER);
    world.start(First);
    world.run_until(until - SECOND / 2);
    assert_eq!(peer(&world), PeerState::Alive);
    world.link[0] = false;
    world.run_until(until + 2 * SECOND);
    assert_eq!(stopped(&world), Some(until));
}
