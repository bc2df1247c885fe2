//! What happens, and what a world looks like, in words.

use super::moves::{Move, What};
use super::step::Step;
use super::world::World;
use ha_appliance::core::event::{Action, Change, Event, Report};
use ha_appliance::wire::heartbeat::{Heartbeat, Side};
use std::fmt::Write;

/// What a node heard and did, a line each.
pub fn told_of(step: &Step) -> String {
    let heard = match &step.event {
        Some(Event::Heartbeat { heartbeat, .. }) => format!("    hears {}\n", said(heartbeat)),
        _ => String::new(),
    };
    let shown = |a: &&Action| !matches!(a, Action::Ping { .. });
    let actions = step.actions.iter().filter(shown);
    actions.fold(heard, |all, action| {
        all + &format!("    {}\n", told(action))
    })
}

/// What a world looks like, in a few lines.
pub fn summary(world: &World) -> String {
    let mut out = String::new();
    if let Some(data) = &world.data {
        writeln!(out, "  {data}").unwrap();
    }
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
            let running = local
                .resources
                .iter()
                .filter(|r| r.runs || r.doing.is_some());
            let running: Vec<_> = running.collect();
            let disk = seat
                .disk
                .groups
                .get(group)
                .map(|g| (g.token.to_string(), g.highest));
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
        Action::Persist(record) => {
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
