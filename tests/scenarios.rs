//! Plays every file in `tests/scenarios`: its commands in, what both nodes do and why out.
//!
//! A file is a comment that says what it shows, then commands, each followed by the lines it led
//! to. `UPDATE=1 cargo test --test scenarios` writes those lines anew; read the difference before
//! you commit it. `FIRST=1` ends at the first file that goes otherwise.

mod world;

use ha_appliance::core::event::{Action, Change, Command, Op, Report};
use ha_appliance::core::setup::{Failback, ResourceSetup};
use ha_appliance::core::time::Time;
use ha_appliance::id::{GroupId, Place, ResourceId};
use ha_appliance::wire::heartbeat::Side;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use world::{Machine, SIDES, World, index};

#[test]
fn every_scenario_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = vec![];
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let played = play(&text);
        if played != text {
            match std::env::var_os("UPDATE") {
                Some(_) => std::fs::write(&file, &played).unwrap(),
                None => wrong.push(format!(
                    "{}\n{}",
                    file.display(),
                    difference(&text, &played)
                )),
            }
        }
        if !wrong.is_empty() && std::env::var_os("FIRST").is_some() {
            break;
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The file as it would be, were it written now.
fn play(text: &str) -> String {
    let mut out = String::new();
    let mut world = World::new(&[("web", None, Failback::Manual)]);
    let mut shown = 0;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(out, "{line}").unwrap();
            obey(&mut world, command);
            for (at, side, action) in &world.said[shown..] {
                if let Some(action) = told(action, &world.machines[index(*side)]) {
                    writeln!(
                        out,
                        "{:>9.3}  {:6}  {action}",
                        at.0 as f64 / 1e6,
                        name(*side)
                    )
                    .unwrap();
                }
            }
            for overlap in std::mem::take(&mut world.overlap) {
                writeln!(out, "!! {overlap}").unwrap();
            }
            shown = world.said.len();
        } else if line.starts_with('#') || line.is_empty() {
            writeln!(out, "{line}").unwrap();
        }
    }
    out
}

fn obey(world: &mut World, command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let on = |word: &str| matches!(word, "up" | "works" | "on" | "known" | "answered");
    match words[..] {
        ["groups", ref groups @ ..] => {
            let groups: Vec<_> = groups
                .iter()
                .map(|g| {
                    let mut parts = g.split(':');
                    let name = parts.next().unwrap();
                    let prefer = parts.next().filter(|p| !p.is_empty()).map(side);
                    let failback = parts
                        .next()
                        .map_or(Failback::Manual, |s| Failback::After(span(s)));
                    (name, prefer, failback)
                })
                .collect();
            *world = World::new(&groups);
        }
        ["sources", n] => world
            .machines
            .iter_mut()
            .for_each(|m| m.setup.sources = world::sources(n.parse().unwrap())),
        ["resources", ref kinds @ ..] => {
            let setups = world.machines.each_ref().map(|m| {
                let mut setup = m.setup.clone();
                setup.groups[0].resources = kinds.iter().map(|kind| resource(kind)).collect();
                setup
            });
            *world = World::of(setups);
        }
        ["restarts", n] => world.machines.iter_mut().for_each(|m| {
            let resources = &mut m.setup.groups[0].resources;
            resources
                .iter_mut()
                .for_each(|r| r.restarts = n.parse().unwrap());
        }),
        ["expiry", "never"] => world.machines.iter_mut().for_each(|m| {
            let resources = &mut m.setup.groups[0].resources;
            resources.iter_mut().for_each(|r| r.fail_expiry = None);
        }),
        ["already", "resource", n, "of", who] => {
            let n: usize = n.parse().unwrap();
            world.machines[index(side(who))].running[0][n] = Some(Time(i64::MAX));
        }
        ["wait_for_peer"] => world
            .machines
            .iter_mut()
            .for_each(|m| m.setup.wait_for_peer = true),
        ["start", "both"] => SIDES.into_iter().for_each(|s| world.start(s)),
        ["start", who] => world.start(side(who)),
        ["kill", who] => world.kill(side(who)),
        ["power", "cut", who] => world.power_cut(side(who)),
        ["wipe", who] => world.machines[index(side(who))].disk = Default::default(),
        ["freeze", who] => world.machines[index(side(who))].frozen = true,
        ["thaw", who] => world.machines[index(side(who))].frozen = false,
        ["run", time] => world.run(span(time)),
        ["heartbeats", state] => world.link = [on(state); 2],
        ["heartbeats", "from", who, state] => world.link[index(side(who))] = on(state),
        ["arp", state] => world.arp = on(state),
        ["gateway", state] => world
            .machines
            .iter_mut()
            .for_each(|m| m.gateway = on(state)),
        ["gateway", "of", who, state] => world.machines[index(side(who))].gateway = on(state),
        ["carrier", "of", who, state] => world.set_carrier(side(who), on(state)),
        ["disk", "of", who, state] => world.machines[index(side(who))].disk_works = on(state),
        ["stop", "of", who, state] => world.machines[index(side(who))].stop_works = on(state),
        ["start", "of", who, state] => world.machines[index(side(who))].start_works = on(state),
        ["starts", "of", who, "are", state] => {
            world.machines[index(side(who))].starts_answered = on(state)
        }
        ["starts", "of", who, "take", time] => {
            world.machines[index(side(who))].start_takes = span(time)
        }
        ["stops", "of", who, "take", time] => {
            world.machines[index(side(who))].stop_takes = span(time)
        }
        ["check", "of", "resource", n, "of", who, "fails"] => {
            world.fail_check(side(who), n.parse().unwrap())
        }
        ["resource", n, "of", who, "is", "stopped", "by", "others"] => {
            world.stop_by_others(side(who), n.parse().unwrap())
        }
        ["resource", n, "of", who, "lacks", ref what @ ..] => {
            let why = what.join(" ");
            world.ready(side(who), n.parse().unwrap(), Some(why))
        }
        ["resource", n, "of", who, "is", "ready"] => {
            world.ready(side(who), n.parse().unwrap(), None)
        }
        ["gateways", "of", who, state] => world.set_gateways(side(who), on(state)),
        ["lease", "for", who, "of", time] => world.lease(side(who), span(time)),
        ["resource", n, "of", who, "dies"] => world.switch(side(who), n.parse().unwrap(), false),
        ["somebody", "starts", "resource", n, "of", who] => {
            world.switch(side(who), n.parse().unwrap(), true)
        }
        ["failover", who] => world.command(side(who), 1, Command::Failover(None)),
        ["standby", who] => world.command(side(who), 2, Command::Standby(side(who), true)),
        ["online", who] => world.command(side(who), 3, Command::Standby(side(who), false)),
        ["maintenance", who, state] => world.command(side(who), 4, Command::Maintenance(on(state))),
        ["stop-group", who] => {
            world.command(side(who), 5, Command::Stopped(first_group(world), true))
        }
        ["start-group", who] => {
            world.command(side(who), 5, Command::Stopped(first_group(world), false))
        }
        ["clear", who] => world.command(side(who), 6, Command::Clear(None)),
        ["confirm-fenced", who] => world.command(side(who), 7, Command::ConfirmFenced),
        ["leave", who] => world.command(side(who), 8, Command::Leave),
        _ => panic!("no such command: {command}"),
    }
    // Also what the command itself led to.
    world.run_until(world.now + Duration::ZERO);
}

/// What is worth a line: what changes something, not the rhythm of heartbeats, pings and probes.
fn told(action: &Action, machine: &Machine) -> Option<String> {
    let place = |place: &Place| {
        let (group, resource) = machine.find(*place);
        format!("resource {resource} of group {group}")
    };
    Some(match action {
        Action::Send(_) | Action::Renew { forever: false, .. } | Action::Look(_) => {
            return None;
        }
        Action::Ping { .. } | Action::Probe(_) | Action::Mark(..) => return None,
        Action::Persist(record) => {
            let tokens: Vec<_> = record.groups.iter().map(|g| g.token.to_string()).collect();
            format!("persist {}", tokens.join(", "))
        }
        Action::Start(at, right) => match right.filter(|right| right.is_verified()) {
            Some(right) => format!("start {}: {right}", place(at)),
            None => format!("start {}", place(at)),
        },
        Action::Stop(at) => format!("stop {}", place(at)),
        Action::Cede(at) => format!("cede {}", place(at)),
        Action::Part(at) => format!("part with {}", place(at)),
        Action::Proof {
            proof: Some(right), ..
        } => format!("proof: {right}"),
        Action::Proof { proof: None, .. } => "proof: none".into(),
        Action::Cancel(Op::Resource(at)) => format!("cancel {}", place(at)),
        Action::Cancel(op) => format!("cancel {op:?}"),
        Action::Clear(source) => format!("ask source {source} for clearance"),
        Action::Renew { group, .. } => {
            format!(
                "renew the leases of group {} for ever",
                machine.group(*group)
            )
        }
        Action::Announce(group) => format!("announce group {}", machine.group(*group)),
        Action::Answer { accepted, text, .. } => {
            format!("answer {}: {text}", if *accepted { "yes" } else { "no" })
        }
        Action::Exit => "exit".into(),
        Action::Report(Report {
            group,
            change,
            reason,
        }) => {
            let group = group.map_or(String::new(), |g| format!("group {} ", machine.group(g)));
            let change = match change {
                Change::Peer(from, to) => format!("peer {from} -> {to}"),
                Change::Role(from, to) => format!("{from:?} -> {to:?}"),
                Change::Token(token) => format!("token {token}"),
                Change::Clearance => "clearance".into(),
                Change::Fact => "fact".into(),
                Change::Wish => "wish".into(),
                Change::Notice => "notice".into(),
            };
            format!("{group}{change}: {reason}")
        }
    })
}

fn difference(expected: &str, played: &str) -> String {
    let (mut a, mut b) = (expected.lines(), played.lines());
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) if a == b => {}
            (a, b) => {
                return format!(
                    "  written: {}\n  played:  {}",
                    a.unwrap_or("(end)"),
                    b.unwrap_or("(end)")
                );
            }
        }
    }
}

fn first_group(world: &World) -> GroupId {
    world.machines[0].setup.groups[0].id
}

fn side(word: &str) -> Side {
    match word {
        "first" => Side::First,
        "second" => Side::Second,
        _ => panic!("no such node: {word}"),
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::First => "first",
        Side::Second => "second",
    }
}

/// `both` runs on both nodes. Each may stand twice, with a number: `service-2`.
fn resource(kind: &str) -> ResourceSetup {
    let setup = match kind.split('-').next() {
        Some("vip") => world::vip(),
        Some("service") => world::service(),
        Some("both") => ResourceSetup {
            exclusive: false,
            ..world::service()
        },
        _ => panic!("no such resource: {kind}"),
    };
    let id = ResourceId::of(kind);
    ResourceSetup { id, ..setup }
}

fn span(word: &str) -> Duration {
    let digits = word.trim_end_matches(char::is_alphabetic);
    let number = digits.parse().unwrap();
    match &word[digits.len()..] {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        unit => panic!("no such unit: {unit}"),
    }
}
