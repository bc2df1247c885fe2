//! The time line of a run, in the words of the log: what a person reads to understand a seed.

use ha_appliance::core::event::{Action, Ask, Change, Report};

/// The lines, if anybody wants to read them.
#[derive(Debug, Default)]
pub struct Story {
    pub lines: Vec<String>,
    pub wanted: bool,
}

impl Story {
    /// Something happened, on a machine or to the world.
    pub fn tell(&mut self, now: i64, who: Option<usize>, what: impl FnOnce() -> String) {
        if self.wanted {
            let who = who.map_or("world", |m| ["first", "second"][m]);
            let line = format!("{:>11.6}  {who:6}  {}", now as f64 / 1e6, what());
            self.lines.push(line);
        }
    }

    /// What a node wants done, without the rhythm of heartbeats, pings and probes.
    pub fn act(&mut self, now: i64, who: usize, action: &Action) {
        if self.wanted
            && let Some(text) = told(action)
        {
            self.tell(now, Some(who), || text);
        }
    }
}

fn told(action: &Action) -> Option<String> {
    Some(match action {
        Action::Send(_)
        | Action::Look(_)
        | Action::Ping { .. }
        | Action::Probe(_)
        | Action::Device {
            ask: Ask::Status, ..
        }
        | Action::Note(_)
        | Action::Mark(..) => {
            return None;
        }
        Action::Renew { forever: false, .. } | Action::Announce(_) => return None,
        Action::Renew { group, .. } => format!("renew {group:?} for ever"),
        Action::Persist(record) => {
            let tokens: Vec<_> = record.groups.iter().map(|g| g.token.to_string()).collect();
            format!("persist {}", tokens.join(", "))
        }
        Action::Start(place, _) => format!("start {place:?}"),
        Action::Stop(place) => format!("stop {place:?}"),
        Action::Cede(place) => format!("cede {place:?}"),
        Action::Part(place) => format!("part with {place:?}"),
        Action::Proof { proof, .. } => format!("proof: {proof:?}"),
        Action::Cancel(op) => format!("cancel {op:?}"),
        Action::Device { device, .. } => format!("ask device {device} to switch it off"),
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
            let group = group.map_or(String::new(), |g| format!("{g:?} "));
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
