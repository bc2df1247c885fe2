//! How a group is stopped: one after the other, together in haste, or handed over while it still runs.

mod world;

use ha_appliance::core::event::{Action, Command};
use ha_appliance::core::setup::Failback;
use ha_appliance::core::time::Time;
use ha_appliance::id::Place;
use ha_appliance::wire::heartbeat::Side::{self, First, Second};
use std::time::Duration;
use world::{SIDES, World, service, vip};

const SECOND: Duration = Duration::from_secs(1);

/// A pair whose first node runs a VIP and a service that takes five seconds to stop.
fn pair() -> World {
    let mut world = World::new(&[("web", None, Failback::Manual)]);
    for machine in &mut world.machines {
        machine.file.groups[0].resources = vec![vip(), service()];
        machine.stop_takes = 5 * SECOND;
    }
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(2 * SECOND);
    assert!(world.runs(First, 0));
    world.said.clear();
    world
}

/// When the first node did that to a resource.
fn when(world: &World, place: Place, what: fn(&Action) -> Option<Place>) -> Vec<Time> {
    let said = world.said.iter();
    let its =
        |(_, side, action): &&(Time, Side, Action)| *side == First && what(action) == Some(place);
    said.filter(its).map(|(at, ..)| *at).collect()
}

fn stop(action: &Action) -> Option<Place> {
    match action {
        Action::Stop(place) => Some(*place),
        _ => None,
    }
}

#[test]
fn what_moves_by_an_order_is_stopped_in_reverse() {
    let mut world = pair();
    let (vip, service) = (world.place(0, 0), world.place(0, 1));
    world.command(First, 1, Command::Failover(None));
    world.run(20 * SECOND);
    assert!(world.runs(Second, 0));
    let (vip, service) = (when(&world, vip, stop), when(&world, service, stop));
    assert!(
        vip[0].since(service[0]) >= 5 * SECOND,
        "{service:?} {vip:?}"
    );
}

/// Its VIPs may have ended meanwhile: they go at once, though the service takes its time. Its peer is heard all
/// the while, and takes nothing.
#[test]
fn who_ran_late_drops_its_vips_together_with_the_service() {
    let mut world = pair();
    let (vip, service) = (world.place(0, 0), world.place(0, 1));
    world.command(Second, 1, Command::Standby(Second, true));
    world.run(SECOND);
    world.machines[0].frozen = true;
    world.run(Duration::from_millis(2_800));
    world.machines[0].frozen = false;
    world.said.clear();
    world.run(SECOND);
    let (vip, service) = (when(&world, vip, stop), when(&world, service, stop));
    assert_eq!(vip[0], service[0]);
}
