//! What is not as it should be: each with how bad it is and what would help. The page prints them,
//! and the exit code of `status` is the worst of them.
//!
//! - `place`: where a group runs;
//! - `group`: what is to be said of one; `unserved`: of one that nobody is known to serve;
//! - `peer`, `refused`, `links`: of the other node and the way to it;
//! - `fencing`: of what switches the other node off;
//! - `here`: of this node.

mod fencing;
mod group;
mod here;
mod links;
mod peer;
mod place;
mod refused;
mod unserved;

use super::{Group, Status};
use crate::core::time::Time;
use crate::shell::clock;

pub(super) use group::{ailing, left};
pub(crate) use group::{failed, in_vain, stuck};
pub(super) use links::silence;
pub(crate) use place::on_its_way;
pub(super) use place::{Place, place};
pub(crate) use unserved::{awaited, served, unserved};

/// How bad. The number is the exit code of `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to say.
    Well = 0,
    /// Everything is served, but the next fault may hurt; or somebody wanted it so.
    Degraded = 1,
    /// A group is served by nobody, or by both, or nobody can tell.
    Blocked = 2,
}

impl Severity {
    /// As `status --json` says it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Well => "well",
            Severity::Degraded => "degraded",
            Severity::Blocked => "blocked",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// How bad.
    pub severity: Severity,
    /// The group, where it is about one.
    pub group: Option<String>,
    /// What.
    pub text: String,
    /// What would help.
    pub hint: Option<String>,
}

impl Concern {
    /// It is about that group, or about what every group stands on.
    pub(super) fn is_about(&self, group: &Group) -> bool {
        self.group.as_ref().is_none_or(|name| *name == group.name)
    }
}

/// All of them, the worst first. `now` in the boot of the status.
pub fn judge(status: &Status, now: Time) -> Vec<Concern> {
    let groups = status.groups.iter();
    let mut concerns: Vec<Concern> = groups
        .flat_map(|group| {
            let mut of = group::of_group(status, group, now);
            of.iter_mut()
                .for_each(|c| c.group = Some(group.name.clone()));
            of
        })
        .collect();
    concerns.extend(peer::of_peer(status, now));
    let links = links::of_links(status, &concerns, now);
    concerns.extend(links);
    concerns.extend(fencing::of_fencing(status));
    concerns.extend(here::of_here(status, now));
    // What is over comes last.
    for group in &status.groups {
        let past = group::of_the_past(status, group, now);
        concerns.extend(past.map(|concern| Concern {
            group: Some(group.name.clone()),
            ..concern
        }));
    }
    concerns.sort_by_key(|c| std::cmp::Reverse(c.severity)); // stable
    concerns
}

/// The same, with what is to be said of several groups in the same words said once.
pub(super) fn together(concerns: Vec<Concern>) -> Vec<Concern> {
    let mut told: Vec<(Vec<String>, Concern)> = Vec::new();
    for concern in concerns {
        let (name, rest) = match (&concern.group, concern.text.split_once(": ")) {
            (Some(group), Some((name, rest))) if group == name => (Some(group), rest),
            _ => (None, concern.text.as_str()),
        };
        let same = |(names, known): &&mut (Vec<String>, Concern)| {
            let alike = (known.severity, &known.hint) == (concern.severity, &concern.hint);
            !names.is_empty() && name.is_some() && alike && known.text == rest
        };
        match (told.iter_mut().find(same), name) {
            (Some((names, _)), Some(name)) => names.push(name.clone()),
            _ => {
                let text = rest.to_owned();
                told.push((
                    name.cloned().into_iter().collect(),
                    Concern { text, ..concern },
                ));
            }
        }
    }
    let named = |(names, concern): (Vec<String>, Concern)| match names.is_empty() {
        true => concern,
        false => Concern {
            text: format!("{}: {}", names.join(", "), concern.text),
            ..concern
        },
    };
    told.into_iter().map(named).collect()
}

/// How long ago a stamp was, for people.
pub(super) fn age(now: Time, stamp_us: i64) -> String {
    clock::span(now.since(Time(stamp_us)))
}

/// What keeps a DRBD resource from running says what helps: often that is to wait, or to look at the other node.
fn tells_its_cure(fact: &str) -> bool {
    fact.starts_with("drbd ")
}

/// Degraded, and nothing to be done.
fn noted(text: String) -> Concern {
    Concern {
        severity: Severity::Degraded,
        group: None,
        text,
        hint: None,
    }
}

fn degraded(text: String, hint: String) -> Concern {
    Concern {
        hint: Some(hint),
        ..noted(text)
    }
}

fn blocked(text: String, hint: String) -> Concern {
    Concern {
        severity: Severity::Blocked,
        ..degraded(text, hint)
    }
}
