//! What a node does beside deciding who runs a group: it renews leases, defends them against a rival, and looks
//! again at what could not be stopped.

mod world;

use ha_appliance::core::event::{Action, Change, Claimed, Command, Event, Op, Outcome};
use ha_appliance::core::protocol::group::Started;
use ha_appliance::core::protocol::right::Right;
use ha_appliance::core::reason::Reason;
use ha_appliance::core::setup::{Failback, RENEWAL, ResourceSetup, Setup};
use ha_appliance::core::time::Time;
use ha_appliance::id::{Place, ResourceId};
use ha_appliance::wire::heartbeat::Side;
use std::time::Duration;
use world::{GATEWAY, LAN, SIDES, World};

const SECOND: Duration = Duration::from_secs(1);

/// A pair that runs its group on the first node.
fn pair() -> World {
    let mut world = world::pair();
    world.said.clear();
    world
}

/// When the first node did that.
fn times(world: &World, what: fn(&Action) -> bool) -> Vec<Time> {
    let said = world.said.iter();
    said.filter(|(_, side, action)| *side == Side::First && what(action))
        .map(|(at, ..)| *at)
        .collect()
}

#[test]
fn leases_are_renewed_once_a_second_and_in_maintenance_once_for_ever() {
    let renewals = |world: &World| times(world, |a| matches!(a, Action::Renew { .. }));
    let mut world = pair();
    world.run(10 * SECOND);
    let renewed = renewals(&world);
    assert!((9..=11).contains(&renewed.len()), "{renewed:?}");
    let pauses = renewed.windows(2).map(|w| w[1].since(w[0]));
    assert!(
        pauses.into_iter().all(|pause| pause >= RENEWAL),
        "{renewed:?}"
    );
    world.command(Side::First, 1, Command::Maintenance(true));
    world.run(SECOND);
    world.said.clear();
    world.run(10 * SECOND);
    assert_eq!(renewals(&world), [], "they have no end any more");
    world.command(Side::First, 2, Command::Maintenance(false));
    world.run(3 * SECOND);
    assert!(renewals(&world).len() >= 2, "as before");
    assert!(world.runs(Side::First, 0));
}

/// Of several the one renewed longest ago counts: one that is put back does not make the others younger.
#[test]
fn an_address_that_is_put_back_defers_no_renewal() {
    let vips = ["vip", "vip-2"].map(|name| ResourceSetup {
        id: ResourceId::of(name),
        ..world::vip()
    });
    let mut world = World::of(SIDES.map(|side| {
        let mut setup = world::setup(side, &[("web", None, Failback::Manual)]);
        setup.groups[0].resources = vips.to_vec();
        setup
    }));
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(5 * SECOND);
    for _ in 0..5 {
        world.run(SECOND * 7 / 10);
        let deleted = world.place(0, 1);
        world.switch(Side::First, deleted, false);
    }
    let mut renewed = times(&world, |a| matches!(a, Action::Renew { .. }));
    renewed.push(world.now); // nor is the last one long ago
    let pauses = renewed.windows(2).map(|w| w[1].since(w[0]));
    let longest = pauses.max().unwrap();
    assert!(longest < RENEWAL + SECOND / 10, "{renewed:?}");
}

/// A proof is of that moment: the heartbeat that was echoed.
#[test]
fn what_starts_by_agreement_names_the_heartbeat_that_the_peer_answered() {
    let mut world = pair();
    world.command(Side::First, 1, Command::Failover(None));
    world.run(SECOND);
    let mut said = world
        .said
        .iter()
        .filter(|(_, side, _)| *side == Side::Second);
    let right = said.find_map(|(at, _, action)| match action {
        Action::Start(_, right) => Some((*at, right.expect("it is exclusive"))),
        _ => None,
    });
    let (at, right) = right.expect("it starts there");
    let Right::Agreement { echo } = right else {
        panic!("{right:?}");
    };
    let echoes = world
        .said
        .iter()
        .filter_map(|(then, side, action)| match action {
            Action::Send(h) if *side == Side::First && *then <= at => Some(h.echo.sequence),
            _ => None,
        });
    assert_eq!(Some(echo), echoes.max());
}

/// For people, who compare it with what else happened.
#[test]
fn since_when_a_group_has_its_role_is_the_moment_in_which_it_took_it() {
    let mut world = pair();
    world.run(10 * SECOND);
    let began = world.now;
    world.command(Side::First, 1, Command::Failover(None));
    world.run(10 * SECOND);
    for machine in &world.machines {
        let since = machine.node.as_ref().unwrap().view().groups[0].since;
        assert!(since >= began && since.since(began) < SECOND, "{since:?}");
    }
}

/// A firewall lets nothing of it through, and its machine is there: nobody says by mistake that it is off.
#[test]
fn who_was_never_heard_and_has_its_address_lives() {
    let mut world = World::new(&[("web", None, Failback::Manual)]);
    world.link = [false; 2];
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(30 * SECOND);
    let now = world.now;
    let node = world.machines[1].node.as_mut().unwrap();
    let (vif, subject, mac) = (LAN, Claimed::PeerLink, [2, 7, 7, 7, 7, 7]);
    node.step(now, Event::Claim { vif, subject, mac });
    assert_eq!(node.view().peer.signs.len(), 1);
    let despite_signs = false;
    world.command(Side::Second, 1, Command::ConfirmFenced { despite_signs });
    world.run(SECOND);
    assert!(!world.runs(Side::Second, 0));
    world.run(20 * SECOND);
    world.command(Side::Second, 2, Command::ConfirmFenced { despite_signs });
    world.run(SECOND);
    assert!(world.runs(Side::Second, 0), "it answers no more");
}

#[test]
fn a_rival_is_answered_at_most_once_a_second_and_only_by_who_runs_it() {
    let mut world = pair();
    let group = world.machines[0].setup.groups[0].id;
    let claim = |world: &mut World, side: Side| {
        let now = world.now;
        let node = world.machines[world::index(side)].node.as_mut().unwrap();
        let mac = [2, 9, 9, 9, 9, 9];
        let (vif, subject) = (LAN, Claimed::Vip(group));
        let actions = node.step(now, Event::Claim { vif, subject, mac });
        let told = actions.iter().any(|action| {
            matches!(action, Action::Report(r) if r.change == Change::Notice && r.reason == Reason::Rival(mac))
        });
        let announced = actions.contains(&Action::Announce(group));
        assert_eq!(announced, told, "what is done is said");
        announced
    };
    assert!(claim(&mut world, Side::First));
    assert!(
        !claim(&mut world, Side::First),
        "two that defend it must not flood the network"
    );
    world.run(Duration::from_millis(999));
    assert!(!claim(&mut world, Side::First));
    world.run(Duration::from_millis(1));
    assert!(claim(&mut world, Side::First));
    assert!(!claim(&mut world, Side::Second), "it runs nothing");
}

#[test]
fn what_could_not_be_stopped_is_looked_at_ever_more_rarely_and_believed_after_two_looks() {
    let looks = |world: &World| times(world, |a| matches!(a, Action::Look(_)));
    let mut world = World::of(SIDES.map(|side| {
        let mut setup = world::setup(side, &[("web", None, Failback::Manual)]);
        setup.groups[0].resources[0].leased = false; // or the kernel would end it
        setup
    }));
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(2 * SECOND);
    world.machines[0].stop_works = false;
    world.command(Side::First, 1, Command::Standby(Side::First, true));
    world.run(SECOND);
    world.said.clear();
    let failed = Time(2_000_000);
    world.run(230 * SECOND);
    let after = looks(&world)
        .into_iter()
        .map(|at| at.since(failed).as_secs_f64().round());
    let after: Vec<f64> = after.collect();
    assert_eq!(after, [5.0, 10.0, 20.0, 40.0, 80.0, 140.0, 200.0]);
    assert!(!world.runs(Side::Second, 0), "a failed stop never grants");
    // It ended, with nobody's help.
    let vip = world.place(0, 0);
    world.machines[0].running.remove(&vip);
    world.said.clear();
    world.run(60 * SECOND);
    let after = looks(&world);
    assert_eq!(after[1].since(after[0]), SECOND, "{after:?}");
    assert!(world.runs(Side::Second, 0), "found stopped twice");
}

/// What a daemon that starts again may take for its own: told before the first start, and taken back before
/// anybody hears that nothing runs.
#[test]
fn the_run_directory_is_told_before_a_start_and_before_the_peer_hears_of_a_stop() {
    let mut world = pair();
    let group = world.machines[0].setup.groups[0].id;
    let resources = &world.machines[0].setup.groups[0].resources;
    let mut covered: Vec<_> = resources.iter().map(|r| r.id).collect();
    covered.sort_unstable();
    let started = |epoch| Started {
        epoch,
        covered: covered.clone(),
        runs: true,
    };
    assert_eq!(world.machines[0].marks, [(group, started(0))]);
    world.command(Side::First, 1, Command::Failover(None));
    world.run(SECOND);
    assert_eq!(world.machines[0].marks, []);
    assert_eq!(world.machines[1].marks, [(group, started(2))]);
    let position = |side: Side, what: &dyn Fn(&Action) -> bool| {
        let mut said = world.said.iter();
        said.position(|(_, s, action)| *s == side && what(action))
            .unwrap()
    };
    let told = position(Side::First, &|a| *a == Action::Mark(group, None));
    let granted = position(
        Side::First,
        &|a| matches!(a, Action::Send(h) if h.groups[0].token.holder == Side::Second),
    );
    assert!(told < granted);
    let told = position(Side::Second, &|a| {
        *a == Action::Mark(group, Some(started(2)))
    });
    assert!(told < position(Side::Second, &|a| matches!(a, Action::Start(..))));
}

/// It is cancelled, and whatever its end says, it did not start in the time that it has.
#[test]
fn a_start_that_ends_after_its_time_is_a_failure() {
    let timeout = Duration::from_micros(5_432_109); // no multiple of anything that happens by itself
    let mut world = World::of(SIDES.map(|side| {
        let mut setup = world::setup(side, &[("web", None, Failback::Manual)]);
        setup.groups[0].resources = vec![world::service()];
        setup.groups[0].resources[0].start_timeout = timeout;
        setup
    }));
    world.machines[0].start_takes = 600 * SECOND;
    SIDES.into_iter().for_each(|side| world.start(side));
    let op = Op::Resource(Place {
        group: world.machines[0].setup.groups[0].id,
        resource: world.machines[0].setup.groups[0].resources[0].id,
    });
    let cancelled = |world: &World| !times(world, |a| matches!(a, Action::Cancel(_))).is_empty();
    while !cancelled(&world) {
        world.run(Duration::from_millis(10));
    }
    let begun = times(&world, |a| matches!(a, Action::Start(..)))[0];
    let ended = times(&world, |a| matches!(a, Action::Cancel(_)))[0];
    assert_eq!(ended.since(begun), timeout, "to the moment");
    let now = world.now;
    let node = world.machines[0].node.as_mut().unwrap();
    let outcome = Outcome::Done;
    let actions = node.step(now, Event::Finished { op, outcome });
    let says = |action: &Action| match action {
        Action::Report(report) => report.reason.to_string().contains("it took too long"),
        _ => false,
    };
    assert!(actions.iter().any(says), "{actions:?}");
}

/// A peer that said goodbye may be back where replays of it come in. Cut off from its gateway too, a node stops, and
/// what cleared its start before does not start it again.
#[test]
fn an_old_goodbye_starts_nothing_that_isolation_would_stop_at_once() {
    let mut world = pair();
    world.run(SECOND);
    let mut replay = world::heartbeats(&world, Side::First).remove(0);
    world.command(Side::First, 1, Command::Leave);
    world.run(2 * SECOND);
    assert!(world.runs(Side::Second, 0));
    world.set_gateway(Side::Second, GATEWAY, false);
    for sequence in 1..40 {
        (replay.incarnation, replay.sequence) = (99, sequence);
        let (now, heartbeat) = (world.now, Box::new(replay.clone()));
        let node = world.machines[1].node.as_mut().unwrap();
        let actions = node.step(now, Event::Heartbeat { path: 0, heartbeat });
        let said = |a: &Action| matches!(a, Action::Send(_));
        assert!(
            actions.iter().all(said),
            "a replay starts and stops nothing: {actions:?}"
        );
        world.run(Duration::from_millis(100));
    }
    assert!(!world.runs(Side::Second, 0), "it is isolated");
    let waiting = &world.machines[1].node.as_ref().unwrap().view().groups[0].waiting;
    assert_eq!(waiting, &Some(Reason::Isolated));
    // The replays end, and the goodbye counts again.
    world.run(2 * SECOND);
    assert!(world.runs(Side::Second, 0));
}

/// Beside a peer that takes over by evidence what is stopped may be the peer's the next moment.
#[test]
fn the_run_directory_forgets_what_is_stopped_beside_a_peer_without_a_device() {
    let [first, second] = SIDES.map(|side| world::setup(side, &[("web", None, Failback::Manual)]));
    let fencing = Some(world::fencing());
    let mut world = World::of([Setup { fencing, ..first }, second]);
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(12 * SECOND);
    let group = world.machines[0].setup.groups[0].id;
    assert!(world.runs(Side::First, 0) && !world.machines[0].marks.is_empty());
    world.command(Side::First, 1, Command::Stopped(group, true));
    world.run(SECOND);
    assert_eq!(world.machines[0].marks, []);
}
