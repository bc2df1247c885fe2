//! Tables of decisions: every combination of what may be wrong, and who runs the group then.

mod world;

use ha_appliance::core::event::{Action, Command};
use ha_appliance::core::setup::Failback;
use ha_appliance::wire::heartbeat::{CUT, MAX_TEXT, Side};
use std::time::Duration;
use world::{GATEWAY, LAN, SIDES, World, index};

/// What may speak against a node.
const WRONG: [&str; 6] = ["nothing", "gateway", "carrier", "disk", "start", "standby"];

/// Rows: what is wrong with the first node, which holds the group. Columns: with the second. The
/// entry is who runs it in the end: 1, 2, or nobody. A soft fact moves it only to a node without one, no carrier
/// to whatever node has it; a hard one moves it to whatever node may run it; a gateway that the peer does not reach
/// either moves nothing; with a start that fails wherever somebody would be served nobody runs it, though the holder
/// keeps trying.
const WHO_RUNS: [&str; 6] = [
    //            nothing gateway carrier disk start standby
    /* nothing */ "1 1 1 1 1 1",
    /* gateway */ "2 1 1 1 1 1",
    /* carrier */ "2 2 1 2 - 1",
    /* disk    */ "2 1 1 1 1 1",
    /* start   */ "2 2 - 2 - -",
    /* standby */ "2 2 2 2 - -",
];

#[test]
fn facts_decide_who_runs() {
    let mut wrong = vec![];
    for (first, row) in WRONG.iter().zip(WHO_RUNS) {
        for (second, expected) in WRONG.iter().zip(row.split(' ')) {
            let mut world = World::new(&[("web", None, Failback::Manual)]);
            spoil(&mut world, Side::First, first);
            spoil(&mut world, Side::Second, second);
            SIDES.into_iter().for_each(|side| world.start(side));
            world.run(Duration::from_secs(1));
            for (side, what) in [(Side::First, first), (Side::Second, second)] {
                if *what == "standby" {
                    world.command(side, 1, Command::Standby(side, true));
                }
            }
            world.run(Duration::from_secs(90));
            assert!(
                world.overlap.is_empty(),
                "{first}/{second}: {:?}",
                world.overlap
            );
            let runs = match SIDES.map(|side| world.runs(side, 0)) {
                [true, false] => "1",
                [false, true] => "2",
                [false, false] => "-",
                [true, true] => "both",
            };
            if runs != expected {
                wrong.push(format!(
                    "first: {first}, second: {second}: {runs} runs, not {expected}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn spoil(world: &mut World, side: Side, what: &str) {
    let machine = &mut world.machines[index(side)];
    match what {
        "gateway" => drop(machine.dead.insert(GATEWAY)),
        "carrier" => drop(machine.unplugged.insert(LAN)),
        "disk" => machine.disk_works = false,
        "start" => machine.start_works = false,
        _ => {}
    }
}

/// A silent peer's group is taken if, and only if, its heartbeats are silent, its addresses are
/// silent, and this node reaches a gateway. Whether the peer lives is not known, only that.
#[test]
fn evidence_decides_whether_a_silent_peer_is_taken_over() {
    for bits in 0..16 {
        let [heartbeats, arp, gateway, lives] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        let mut world = World::new(&[("web", None, Failback::Manual)]);
        SIDES.into_iter().for_each(|side| world.start(side));
        world.run(Duration::from_secs(3));
        assert!(world.runs(Side::First, 0));
        world.link[index(Side::First)] = heartbeats;
        world.set_arp(arp);
        world.set_gateway(Side::Second, GATEWAY, gateway);
        if !lives {
            world.power_cut(Side::First);
        }
        world.run(Duration::from_secs(10));
        let heard = heartbeats && lives;
        let answers = arp && lives;
        assert_eq!(
            world.runs(Side::Second, 0),
            !heard && !answers && gateway,
            "heartbeats {heartbeats}, arp {arp}, gateway {gateway}, holder lives {lives}"
        );
    }
}

/// Starting together at any offset, with the disk kept or wiped, whoever is preferred: one runs it.
#[test]
fn a_pair_that_starts_together_ends_with_one() {
    for prefer in [None, Some(Side::First), Some(Side::Second)] {
        for offset in (0..1500).step_by(37) {
            for wiped in [None, Some(Side::First), Some(Side::Second)] {
                let mut world = World::new(&[("web", prefer, Failback::Manual)]);
                SIDES.into_iter().for_each(|side| world.start(side));
                world.run(Duration::from_secs(2));
                world.command(prefer.unwrap_or(Side::First), 1, Command::Failover(None));
                world.run(Duration::from_secs(1));
                SIDES.into_iter().for_each(|side| world.power_cut(side));
                if let Some(side) = wiped {
                    world.machines[index(side)].disk = Default::default();
                }
                let (early, late) = if offset % 2 == 0 { (0, 1) } else { (1, 0) };
                world.start(SIDES[early]);
                world.run(Duration::from_millis(offset));
                world.start(SIDES[late]);
                world.run(Duration::from_secs(3));
                let runs = SIDES.map(|side| world.runs(side, 0));
                assert_ne!(
                    runs[0], runs[1],
                    "prefer {prefer:?}, offset {offset} ms, wiped {wiped:?}"
                );
                assert!(world.overlap.is_empty(), "{:?}", world.overlap);
            }
        }
    }
}

/// A heartbeat has room for its beginning, and the shells tell each other the rest.
#[test]
fn a_long_answer_to_the_other_node_is_told_whole() {
    let mut world = World::new(&[("web", Some(Side::First), Failback::Manual)]);
    let names = ["first", "second"].map(|name| format!("{name}.{}", "x".repeat(50)));
    for machine in &mut world.machines {
        machine.file.names = names.clone();
    }
    SIDES.into_iter().for_each(|side| world.start(side));
    world.run(Duration::from_secs(2));
    world.command(Side::Second, 1, Command::Standby(Side::Second, true));
    world.run(Duration::from_secs(1));
    let group = world.machines[0].setup.groups[0].id;
    world.command(Side::Second, 2, Command::Failover(Some(group)));
    world.run(Duration::from_secs(1));
    let whole = world
        .said
        .iter()
        .find_map(|(_, side, action)| match action {
            Action::Reply(text) => Some((*side, text.clone())),
            _ => None,
        });
    let (side, whole) = whole.expect("it is too long");
    assert!(side == Side::First && whole.starts_with("refused: second.xxx"));
    let begin = world.said.iter().find_map(|(_, _, action)| match action {
        Action::Answer {
            number: 2, text, ..
        } => Some(text.clone()),
        _ => None,
    });
    let begin = begin.expect("an answer");
    assert!(begin.len() <= MAX_TEXT && whole.starts_with(begin.strip_suffix(CUT).unwrap()));
}
