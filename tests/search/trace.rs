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
            "  {side:?}: {mind}, powered {}, {:?}, writing {}, asking {}, disk {:?}",
            seat.powered,
            seat.resources,
            seat.writing.is_some(),
            seat.asking,
            seat.disk
                .groups
                .first()
                .map(|g| (g.token.to_string(), g.highest))
        )
        .unwrap();
    }
    out
}

impl super::world::Seat {
    fn node_view(&self) -> String {
        let Some(mind) = &self.mind else {
            return "no daemon".into();
        };
        let view = mind.node.view();
        let group = &view.groups[0];
        let (role, token, peer) = (group.role, group.token, view.peer.state);
        format!(
            "{role:?} with {token}, peer {peer}, waiting {:?}, facts {:?}",
            group.waiting, group.facts
        )
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
    let report = &heartbeat.groups[0];
    format!(
        "{}.{} echo {}.{} token {} {:?}{}{}{}{}",
        heartbeat.incarnation,
        heartbeat.sequence,
        heartbeat.echo.incarnation,
        heartbeat.echo.sequence,
        report.token,
        report.role,
        if report.proven_stopped { " proven" } else { "" },
        if report.contested { " contested" } else { "" },
        if heartbeat.solicit { " solicit" } else { "" },
        if heartbeat.goodbye { " goodbye" } else { "" },
    )
}

pub fn told(action: &Action) -> String {
    match action {
        Action::Send(heartbeat) => format!("send {}", said(heartbeat)),
        Action::Persist { record, .. } => format!(
            "persist {} highest {}",
            record.groups[0].token, record.groups[0].highest
        ),
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
