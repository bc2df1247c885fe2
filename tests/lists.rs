//! Two files that differ: what the peer does not list in the same group is held back, and only that.

mod world;

use ha_appliance::core::event::{Action, Command};
use ha_appliance::core::protocol::right::{Right, Word};
use ha_appliance::core::setup::{Failback, ResourceSetup};
use ha_appliance::id::{Place, ResourceId};
use ha_appliance::wire::heartbeat::Side;
use ha_appliance::wire::heartbeat::Side::{First, Second};
use std::time::Duration;
use world::{FOREVER, GATEWAY, SIDES, World, heartbeats, index, service, vip};

const SECOND: Duration = Duration::from_secs(1);

fn named(name: &str, like: ResourceSetup) -> ResourceSetup {
    ResourceSetup {
        id: ResourceId::of(name),
        ..like
    }
}

/// One group a list, the same groups in both files; each prefers the node given.
fn pair(prefer: &[Side], first: &[&[&str]], second: &[&[&str]]) -> World {
    let names = ["web", "data"];
    let groups = names.iter().zip(prefer);
    let groups: Vec<_> = groups
        .map(|(name, side)| (*name, Some(*side), Failback::Manual))
        .collect();
    let mut world = World::new(&groups);
    for (machine, lists) in world.machines.iter_mut().zip([first, second]) {
        for (group, list) in machine.file.groups.iter_mut().zip(lists) {
            group.resources = resources(list);
        }
    }
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(3 * SECOND);
    world
}

fn resources(names: &[&str]) -> Vec<ResourceSetup> {
    let resource = |name: &&str| match name.starts_with("vip") {
        true => named(name, vip()),
        false => named(name, service()),
    };
    names.iter().map(resource).collect()
}

/// The groups consist of these from now on.
fn reload(world: &mut World, side: Side, groups: &[Vec<ResourceSetup>]) {
    let file = &mut world.machines[index(side)].file;
    for (group, resources) in file.groups.iter_mut().zip(groups) {
        group.resources = resources.clone();
    }
    assert!(world.reload(side));
}

/// What runs there, by name.
fn running(world: &World, side: Side) -> String {
    let names = ["vip", "vip-data", "nginx", "extra", "last"];
    let machine = &world.machines[index(side)];
    let on = machine.setup.groups.iter().flat_map(|group| {
        let place = |r: &ResourceSetup| Place {
            group: group.id,
            resource: r.id,
        };
        let resources = group.resources.iter();
        resources.filter(move |r| machine.running.contains_key(&place(r)))
    });
    let name = |id: ResourceId| names.iter().find(|name| ResourceId::of(name) == id);
    let on: Vec<_> = on.filter_map(|setup| name(setup.id).copied()).collect();
    on.join(" ")
}

fn waits_for(world: &World, side: Side) -> String {
    let view = world.machines[index(side)].node.as_ref().unwrap().view();
    let waiting = view.groups[0].waiting.as_ref();
    waiting.map(ToString::to_string).unwrap_or_default()
}

/// What a program is told that asks the second node about the first group.
fn certain(world: &mut World) -> Option<Right> {
    world.said.clear();
    world.question(Second, 7);
    let mut said = world.said.iter();
    let proof = said.find_map(|(.., action)| match action {
        Action::Proof { proof, .. } => Some(*proof),
        _ => None,
    });
    proof.expect("every question is answered")
}

#[test]
fn equal_lists_in_another_order_hold_nothing_back() {
    let world = pair(&[First], &[&["nginx", "vip"]], &[&["vip", "nginx"]]);
    assert_eq!(running(&world, First), "nginx vip");
    for side in SIDES {
        let mut said = heartbeats(&world, side).into_iter();
        assert!(
            said.all(|h| h.listed.is_empty()),
            "what both have takes no place in a heartbeat"
        );
    }
}

#[test]
fn what_only_one_file_has_is_held_back_with_what_follows_it() {
    let files: [&[&str]; 2] = [
        &["vip", "nginx", "last"],
        &["vip", "nginx", "extra", "last"],
    ];
    let world = pair(&[Second], &files[..1], &files[1..]);
    assert_eq!(running(&world, Second), "vip nginx");
    assert_eq!(running(&world, First), "");
    assert_eq!(
        waits_for(&world, Second),
        "is held back: the peer's ha.toml does not list it in this group"
    );
    // The other way round nothing is missing: all that this file has, the peer's has too.
    let world = pair(&[First], &files[..1], &files[1..]);
    assert_eq!(running(&world, First), "vip nginx last");
}

/// What the peer said of its old list says nothing of the new one.
#[test]
fn what_the_peer_lists_after_a_reload_counts_though_it_still_differs() {
    let mut world = pair(&[First], &[&["vip", "nginx"]], &[&["vip"]]);
    assert_eq!(running(&world, First), "vip");
    reload(&mut world, Second, &[resources(&["vip", "nginx", "extra"])]);
    world.run(2 * SECOND);
    assert_eq!(running(&world, First), "vip nginx");
}

#[test]
fn a_service_that_is_in_another_group_there_runs_once() {
    let world = pair(
        &[First, Second],
        &[&["vip", "nginx"], &["vip-data"]],
        &[&["vip"], &["vip-data", "nginx"]],
    );
    // Each node holds it back: neither file can be told to be the newer one.
    assert_eq!(running(&world, First), "vip");
    assert_eq!(running(&world, Second), "vip-data");
}

#[test]
fn where_the_first_is_held_back_the_other_node_serves() {
    let world = pair(&[First], &[&["extra", "vip"]], &[&["vip"]]);
    assert_eq!(running(&world, First), "");
    assert_eq!(running(&world, Second), "vip");
}

#[test]
fn nothing_starts_where_the_first_of_both_is_held_back() {
    let world = pair(&[First], &[&["extra", "vip"]], &[&["other", "vip"]]);
    for side in [First, Second] {
        assert_eq!(running(&world, side), "");
    }
    assert_eq!(
        waits_for(&world, First),
        "is held back: the peer's ha.toml does not list it in this group"
    );
}

#[test]
fn a_goodbye_says_nothing_of_what_it_does_not_list() {
    let mut world = pair(&[Second], &[&["vip"]], &[&["vip", "extra"]]);
    world.command(First, 1, Command::Leave);
    world.run(20 * SECOND);
    assert_eq!(running(&world, Second), "vip");
    assert_eq!(certain(&mut world), None, "nobody may take it for granted");
    world.command(
        Second,
        2,
        Command::ConfirmFenced {
            despite_signs: true,
        },
    );
    world.run(SECOND);
    assert_eq!(running(&world, Second), "vip extra");
    let by = Word::Operator;
    assert_eq!(certain(&mut world), Some(Right::Fenced { by }));
}

#[test]
fn evidence_against_a_silent_peer_is_about_all_of_it() {
    let mut world = pair(&[Second], &[&["vip"]], &[&["vip", "extra"]]);
    assert_eq!(running(&world, Second), "vip");
    world.power_cut(First);
    world.run(3 * SECOND);
    assert_eq!(running(&world, Second), "vip extra");
    // And one that comes back does not take away what runs.
    world.start(First);
    world.run(5 * SECOND);
    assert_eq!(running(&world, Second), "vip extra");
    assert_eq!(running(&world, First), "");
}

/// Whatever the peer may have, the same on both nodes or not, in another group: only what that one is known
/// to have, or may have, is not this one's.
#[test]
fn evidence_is_about_a_group_beside_others_that_have_nothing_of_it() {
    let others: [[&[&str]; 2]; 2] = [
        [&["vip-data"], &["vip-data"]],
        [&["vip-data"], &["vip-data", "last"]],
    ];
    for [there, here] in others {
        let (first, second): ([&[&str]; 2], [&[&str]; 2]) =
            ([&["vip"], there], [&["vip", "extra"], here]);
        let mut world = pair(&[Second, First], &first, &second);
        assert_eq!(running(&world, Second), "vip");
        world.power_cut(First);
        world.run(3 * SECOND);
        let runs = running(&world, Second);
        assert!(runs.starts_with("vip extra vip-data"), "{runs}");
    }
}

#[test]
fn a_peer_with_another_list_is_no_better_place_but_for_an_order() {
    let mut world = pair(&[First], &[&["vip"]], &[&["vip", "extra"]]);
    world.set_gateway(First, GATEWAY, false);
    world.run(20 * SECOND);
    assert_eq!(running(&world, First), "vip");
    world.command(First, 1, Command::Standby(First, true));
    world.run(5 * SECOND);
    assert_eq!(running(&world, First), "");
    assert_eq!(running(&world, Second), "vip");
}

#[test]
fn a_goodbye_from_before_a_reload_still_says_what_it_said() {
    let mut world = pair(&[Second], &[&["vip", "nginx"]], &[&["vip", "nginx"]]);
    world.command(First, 1, Command::Leave);
    world.run(2 * SECOND);
    reload(&mut world, Second, &[resources(&["vip", "nginx", "extra"])]);
    world.run(2 * SECOND);
    assert_eq!(running(&world, Second), "vip nginx");
    // What must be started anew still can be.
    world.command(
        Second,
        2,
        Command::Stopped(world.machines[1].setup.groups[0].id, true),
    );
    world.run(2 * SECOND);
    assert_eq!(running(&world, Second), "");
    world.command(
        Second,
        3,
        Command::Stopped(world.machines[1].setup.groups[0].id, false),
    );
    world.run(2 * SECOND);
    assert_eq!(running(&world, Second), "vip nginx");
}

/// Of every group, not only of the last in the file.
#[test]
fn a_goodbye_from_before_a_reload_of_two_groups_still_says_what_it_said_of_both() {
    let old: [&[&str]; 2] = [&["vip", "nginx"], &["vip-data"]];
    let mut world = pair(&[Second, Second], &old, &old);
    world.command(First, 1, Command::Leave);
    world.run(2 * SECOND);
    let new = [["vip", "nginx", "extra"], ["vip-data", "last", ""]];
    let new = new.map(|names| names.into_iter().filter(|n| !n.is_empty()).collect());
    let new = new.map(|names: Vec<_>| resources(&names));
    reload(&mut world, Second, &new);
    world.run(2 * SECOND);
    for group in [0, 1] {
        let group = world.machines[1].setup.groups[group].id;
        for on in [true, false] {
            world.command(Second, 2, Command::Stopped(group, on));
            world.run(2 * SECOND);
        }
    }
    assert_eq!(running(&world, Second), "vip nginx vip-data");
}

/// In file order, as at a start.
#[test]
fn what_a_reload_adds_behind_what_is_held_back_is_held_back_too() {
    let mut world = pair(&[First], &[&["vip"]], &[&["vip"]]);
    reload(&mut world, Second, &[resources(&["vip", "nginx"])]);
    reload(&mut world, First, &[resources(&["vip", "extra", "nginx"])]);
    world.run(2 * SECOND);
    assert_eq!(running(&world, First), "vip");
}

#[test]
fn what_a_reload_adds_waits_for_the_reload_of_the_other_node() {
    let mut world = pair(&[First], &[&["vip", "nginx"]], &[&["vip", "nginx"]]);
    let new = [resources(&["vip", "extra", "nginx"])];
    reload(&mut world, First, &new);
    world.run(2 * SECOND);
    assert_eq!(running(&world, First), "vip nginx");
    world.said.clear();
    reload(&mut world, Second, &new);
    world.run(2 * SECOND);
    assert_eq!(running(&world, First), "vip extra nginx");
    assert!(world.overlap.is_empty(), "{:?}", world.overlap);
}

#[test]
fn what_a_reload_adds_on_a_lone_node_starts_by_evidence() {
    let mut world = pair(&[First], &[&["vip"]], &[&["vip"]]);
    world.power_cut(Second);
    world.run(5 * SECOND);
    reload(&mut world, First, &[resources(&["vip", "extra"])]);
    world.run(3 * SECOND);
    assert_eq!(running(&world, First), "vip extra");
}

/// Its evidence is from when the peer was silent; heard, the peer has to agree to what is new.
#[test]
fn what_a_reload_adds_does_not_start_by_evidence_from_before_the_peer_returned() {
    let mut world = pair(&[First], &[&["vip"]], &[&["vip"]]);
    world.power_cut(First);
    world.run(5 * SECOND);
    assert_eq!(running(&world, Second), "vip");
    let new = resources(&["vip", "extra"]);
    world.machines[0].file.groups[0].resources = new.clone();
    let place = Place {
        group: world.machines[0].file.groups[0].id,
        resource: new[1].id,
    };
    world.machines[0].running.insert(place, FOREVER);
    world.machines[0].stop_works = false;
    world.start(First);
    world.run(2 * SECOND);
    reload(&mut world, Second, &[new]);
    world.run(2 * SECOND);
    assert_eq!(running(&world, Second), "vip", "the other still runs there");
}

#[test]
fn evidence_is_not_about_what_the_peer_has_in_another_group() {
    let old: [&[&str]; 2] = [&["vip", "nginx"], &["vip-data"]];
    let mut world = pair(&[First, Second], &old, &old);
    assert_eq!(running(&world, First), "vip nginx");
    let new = [resources(&["vip"]), resources(&["vip-data", "nginx"])];
    reload(&mut world, Second, &new);
    world.run(2 * SECOND);
    world.link = [false; 2]; // everything else is well, and each reaches its gateway
    world.run(20 * SECOND);
    assert_eq!(running(&world, First), "vip nginx");
    assert_eq!(running(&world, Second), "vip-data");
    // Gone for certain it has nothing anywhere.
    world.power_cut(First);
    world.run(5 * SECOND);
    world.command(
        Second,
        1,
        Command::ConfirmFenced {
            despite_signs: true,
        },
    );
    world.run(SECOND);
    assert_eq!(running(&world, Second), "vip vip-data nginx");
}

/// Nothing is started by that: it was, by right, before the reload.
#[test]
fn what_a_restarted_daemon_finds_running_goes_on_behind_what_is_held_back() {
    let mut world = pair(&[First], &[&["vip", "nginx"]], &[&["vip", "nginx"]]);
    reload(&mut world, First, &[resources(&["extra", "vip", "nginx"])]);
    world.run(SECOND);
    world.kill(First);
    world.run(SECOND / 2);
    world.start(First);
    world.run(10 * SECOND);
    assert_eq!(running(&world, First), "vip nginx");
    assert_eq!(running(&world, Second), "");
    assert!(world.overlap.is_empty(), "{:?}", world.overlap);
}
