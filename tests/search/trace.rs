//! How it came to that: the moves from the beginning, told as a log.

use super::check::Broken;
use super::heal::Healer;
use super::moves::{Move, Rules, What, apply};
use super::world::World;
use ha_appliance::core::event::{Action, Change, Event, Report};
use ha_appliance::wire::heartbeat::{Heartbeat, Side};
use std::fmt::Write;

/// Plays the moves again and tells them.
pub fn tell(moves: &[Move], rules: &Rules) -> String {
    let mut world = Healer::new(*rules).root();
    let (mut out, mut now) = (String::new(), 0);
    for m in moves {
        let Some((step, outcome)) = apply(&world, *m, rules) else {
            writeln!(out, "cannot happen: {m:?}").unwrap();
            break;
        };
        if m.what == What::Advance {
            now += rules.bounds.quantum.as_millis();
            writeln!(out, "{now:>6} ms").unwrap();
        } else {
            writeln!(out, "           {}", headline(m, step.event.as_ref())).unwrap();
            for action in &step.actions {
                writeln!(out, "             {}", told(action)).unwrap();
            }
        }
        if let Some((after, how)) = m.cut {
            writeln!(out, "             crash after {after} effects: {how:?}").unwrap();
        }
        match outcome {
            Ok(next) => world = next,
            Err(broken) => {
                write!(out, "BROKEN {broken}").unwrap();
                return out;
            }
        }
    }
    write!(out, "{}", summary(&world)).unwrap();
    out
}

/// What a world looks like, in a few lines.
pub fn summary(world: &World) -> String {
    let mut out = String::new();
    for (side, seat) in [Side::First, Side::Second].into_iter().zip(&world.seats) {
        let mind = seat.node_view();
        writeln!(
            out,
            "  {side:?}: {mind}, powered {}, paused {}, writing {}, asking {}",
            seat.powered,
            seat.paused,
            seat.writing.is_some(),
            seat.asking
        )
        .unwrap();
        for (group, local) in seat.groups.iter().enumerate() {
            let running = local.resources.iter().filter(|r| r.runs || r.doing.is_some());
            let running: Vec<_> = running.collect();
            let disk = seat.disk.groups.get(group).map(|g| (g.token.to_string(), g.highest));
            writeln!(out, "    group {group}: runs {running:?}, disk {disk:?}").unwrap();
        }
    }
    out
}

impl super::world::Seat {
    fn node_view(&self) -> String {
        let Some(mind) = &self.mind else {
            return "no daemon".into();
        };
        let view = mind.node.view();
        let groups = view.groups.iter().map(|group| {
            format!(
                "{:?} with {}, waiting {:?}, facts {:?}",
                group.role, group.token, group.waiting, group.facts
            )
        });
        let groups: Vec<String> = groups.collect();
        format!("peer {}, {}", view.peer.state, groups.join("; "))
    }
}

pub fn headline(m: &Move, event: Option<&Event>) -> String {
    match (m.what, event) {
        (What::Deliver { from, .. }, Some(Event::Heartbeat { heartbeat, .. })) => {
            format!("{:?} hears {}", from.other(), said(heartbeat))
        }
        (what, _) => format!("{what:?}"),
    }
}

fn said(heartbeat: &Heartbeat) -> String {
    let groups = heartbeat.groups.iter().map(|report| {
        format!(
            "token {} {:?}{}{}",
            report.token,
            report.role,
            if report.proven_stopped { " proven" } else { "" },
            if report.contested { " contested" } else { "" },
        )
    });
    format!(
        "{}.{} echo {}.{} {}{}{}",
        heartbeat.incarnation,
        heartbeat.sequence,
        heartbeat.echo.incarnation,
        heartbeat.echo.sequence,
        groups.collect::<Vec<_>>().join("; "),
        if heartbeat.solicit { " solicit" } else { "" },
        if heartbeat.goodbye { " goodbye" } else { "" },
    )
}

pub fn told(action: &Action) -> String {
    match action {
        Action::Send(heartbeat) => format!("send {}", said(heartbeat)),
        Action::Persist { record, .. } => {
            let groups = record.groups.iter();
            let groups = groups.map(|g| format!("{} highest {}", g.token, g.highest));
            format!("persist {}", groups.collect::<Vec<_>>().join("; "))
        }
        Action::Report(Report { change, reason, .. }) => {
            let change = match change {
                Change::Peer(from, to) => format!("peer {from} -> {to}"),
                Change::Role(from, to) => format!("{from:?} -> {to:?}"),
                Change::Token(token) => format!("token {token}"),
                other => format!("{other:?}"),
            };
            format!("{change}: {reason}")
        }
        other => format!("{other:?}"),
    }
}

/// A violation with its story.
pub fn story(broken: &Broken, moves: &[Move], rules: &Rules) -> String {
    format!(
        "\n{broken}\nby {} moves:\n{}\n",
        moves.len(),
        tell(moves, rules)
    )
}
