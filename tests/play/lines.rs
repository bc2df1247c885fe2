//! What is written of what the nodes do.

use super::super::world::World;
use ha_appliance::core::event::{Action, Ask, Change, Op, Report};
use ha_appliance::id::Place;

/// What is worth a line: what changes something, not the rhythm of heartbeats, pings and probes.
pub fn told(action: &Action, world: &World) -> Option<String> {
    let place = |place: &Place| {
        let (group, resource) = world.numbers(*place);
        format!("resource {resource} of group {group}")
    };
    Some(match action {
        Action::Send(_) | Action::Renew { forever: false, .. } | Action::Look(_) => {
            return None;
        }
        Action::Ping { .. } | Action::Probe(_) | Action::Mark(..) | Action::Note(_) => return None,
        Action::Persist(record) => {
            let mut groups: Vec<_> = record.groups.iter().collect();
            groups.sort_by_key(|group| world.number(group.id));
            let tokens: Vec<_> = groups.iter().map(|g| g.token.to_string()).collect();
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
        Action::Device {
            ask: Ask::Status, ..
        } => return None,
        Action::Device { device, .. } => format!("ask device {device} to switch it off"),
        Action::Renew { group, .. } => {
            format!(
                "renew the leases of group {} for ever",
                world.number(*group)
            )
        }
        Action::Announce(group) => format!("announce group {}", world.number(*group)),
        Action::Answer { accepted, text, .. } => {
            format!("answer {}: {text}", if *accepted { "yes" } else { "no" })
        }
        Action::Reply(text) => format!("reply: {text}"),
        Action::Exit => "exit".into(),
        Action::Report(Report {
            group,
            change,
            reason,
        }) => {
            let group = group.map_or(String::new(), |g| format!("group {} ", world.number(g)));
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
