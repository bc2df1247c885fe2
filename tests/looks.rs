//! Looks that take their time: what is known of a group is what was looked at, whatever a reload does meanwhile.

mod world;

use ha_appliance::core::Node;
use ha_appliance::core::event::{Action, Command, Event, Op, Outcome, Presence};
use ha_appliance::core::record::Record;
use ha_appliance::core::setup::{Failback, ResourceSetup, Setup};
use ha_appliance::core::time::Time;
use ha_appliance::id::{Place, ResourceId};
use ha_appliance::wire::heartbeat::{Role, Side};
use std::time::Duration;
use world::{SIDES, World};

const SECOND: Duration = Duration::from_secs(1);

fn named(name: &str) -> ResourceSetup {
    ResourceSetup {
        id: ResourceId::of(name),
        ..world::service()
    }
}

/// A file with one group of these services.
fn file(names: &[&str]) -> Setup {
    let mut setup = world::setup(Side::First, &[("web", None, Failback::Manual)]);
    setup.groups[0].resources = names.iter().map(|name| named(name)).collect();
    setup
}

fn place(name: &str) -> Place {
    Place {
        group: file(&[]).groups[0].id,
        resource: ResourceId::of(name),
    }
}

/// What a node wants to look at, by its own step.
fn looks(actions: &[Action]) -> Vec<Place> {
    let look = |action: &Action| match action {
        Action::Look(place) => Some(*place),
        _ => None,
    };
    actions.iter().filter_map(look).collect()
}

/// Nothing of it runs.
fn absent(name: &str) -> Event {
    Event::Finished {
        op: Op::Resource(place(name)),
        outcome: Outcome::Found(Presence::Absent),
    }
}

fn role(node: &Node) -> Role {
    node.view().groups[0].role
}

/// The end of a look that began before the reload says nothing of what stands in that place now.
#[test]
fn a_reload_during_the_first_looks_leaves_nothing_out() {
    let now = Time(0);
    let mut node = Node::new(now, file(&["a", "b"]), 3, Record::default(), "test");
    node.step(now, Event::LinkUp);
    assert_eq!(node.view().groups[0].resources.len(), 2);
    let reload = Event::Setup(Box::new(file(&["b", "a"])));
    assert_eq!(looks(&node.step(now, reload)), [place("b")]);
    assert_eq!(looks(&node.step(now, absent("a"))), []);
    assert_eq!(looks(&node.step(now, absent("b"))), [place("a")]);
    assert_eq!(looks(&node.step(now, absent("a"))), []);
}

/// It proves nothing anew, and while it is looked at the peer could agree to nothing.
#[test]
fn a_reload_that_says_nothing_new_looks_at_nothing() {
    let mut world = World::of(SIDES.map(|me| Setup {
        me,
        ..file(&["a", "b"])
    }));
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(2 * SECOND);
    world.said.clear();
    assert!(SIDES.into_iter().all(|side| world.reload(side)));
    world.run(2 * SECOND);
    let changes = |a: &Action| matches!(a, Action::Look(_) | Action::Report(_) | Action::Start(..));
    let said: Vec<_> = world.said.iter().filter(|(.., a)| changes(a)).collect();
    assert!(said.is_empty(), "{said:?}");
}

/// Found stopped twice is what two whole passes found, a second apart.
#[test]
fn a_reload_while_a_failed_stop_is_looked_at_does_not_count_as_a_pass() {
    let mut world = World::of(SIDES.map(|me| Setup {
        me,
        ..file(&["a", "b"])
    }));
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(2 * SECOND);
    world.machines[0].stop_takes = SECOND;
    world.command(Side::First, 1, Command::Standby(Side::First, true));
    world.run(SECOND / 2);
    world.machines[0].stop_works = false; // of the one that is stopped next, the first in the file
    world.run(2 * SECOND);
    let mut now = world.now;
    let mut node = world.machines[0].node.take().unwrap();
    assert_eq!(role(&node), Role::Failed);
    let mut looked = vec![];
    while looked.is_empty() {
        now = now + SECOND / 10;
        looked = looks(&node.step(now, Event::Tick));
    }
    assert_eq!(looked, [place("a")]);
    let reload = Event::Setup(Box::new(file(&["b", "a"])));
    assert_eq!(looks(&node.step(now, reload)), [place("b")]);
    for (found, next) in [("a", None), ("b", Some("a")), ("a", None)] {
        let actions = node.step(now, absent(found));
        assert_eq!(looks(&actions), Vec::from_iter(next.map(place)));
        assert_eq!(role(&node), Role::Failed, "one pass proves nothing");
    }
    assert_eq!(looks(&node.step(now + SECOND, Event::Tick)), [place("b")]);
    node.step(now + SECOND, absent("b"));
    node.step(now + SECOND, absent("a"));
    assert_eq!(role(&node), Role::Stopped);
}
