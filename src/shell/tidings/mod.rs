//! What the core does not report because nothing is decided by it, and an operator wants to read all the same:
//! each thing that can be well or not is told once when it goes wrong, and once when it is well again.

mod fencing;
mod group;

pub use group::blocked;

use super::refused::NOBODY_LISTENS;
use super::status::{Facts, Refused, sentence};
use crate::core::gateway::GatewayState;
use crate::core::peer::PeerState;
use crate::core::time::Time;
use log::Level;
use std::collections::BTreeMap;
use std::time::Duration;

/// One line of the history that is not the core's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiding {
    /// The group, where it is about one.
    pub group: Option<String>,
    /// What it is about: link, gateway, carrier, peer, file, datagrams, conflict, blocked, takeover, fencing, resource, machine,
    /// notify.
    pub change: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What, for people.
    pub text: String,
}

/// One thing that can be well or not, as it was found just now. What is not among those that were found is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Names it: the same thing has the same name.
    pub name: String,
    /// How it is.
    pub standing: Standing,
}

/// How a thing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was looked at, and is well.
    Well,
    /// It cannot be judged now: what was told of it stays told.
    NotKnown,
    /// It is being mended, or so it seems: what was wrong has lasted so long if it is wrong after that.
    Under,
    /// It is not well, and another subject says why: it is told if it lasts a while beyond that.
    Explained(Trouble),
    /// It was looked at, and is not well.
    Wrong(Trouble),
}

/// What is to be told of a thing that is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// As [`Tiding::group`].
    pub group: Option<String>,
    /// As [`Tiding::change`].
    pub change: &'static str,
    /// How much it matters.
    pub level: Level,
    /// It is told if it lasts so long.
    pub settle: Duration,
    /// What is wrong.
    pub text: String,
    /// What is to be said once it is well again.
    pub over: String,
}

impl Subject {
    /// Of what is wrong, or is not, or (None) cannot be judged.
    pub fn new(name: String, wrong: Option<bool>, trouble: impl FnOnce() -> Trouble) -> Subject {
        let standing = match wrong {
            Some(true) => Standing::Wrong(trouble()),
            Some(false) => Standing::Well,
            None => Standing::NotKnown,
        };
        Subject { name, standing }
    }
}

/// What is known to be wrong.
#[derive(Debug, Default)]
pub struct Tidings {
    known: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    since: Time,
    /// Since when it is wrong without a pause; None: it is being mended.
    lasting: Option<Time>,
    /// Until when something else explained it.
    explained: Option<Time>,
    told: bool,
    trouble: Trouble,
}

impl Tidings {
    /// All that can be well or not, as it is now. Gives what is to be told: what has gone wrong, and what was found
    /// well again. Of what is gone, and of what nobody can judge, nothing is said: it is not well for that.
    pub fn follow(&mut self, now: Time, subjects: Vec<Subject>) -> Vec<Tiding> {
        let mut tidings = Vec::new();
        let mut before = std::mem::take(&mut self.known);
        for Subject { name, standing } in subjects {
            let known = before.remove(&name);
            let told = known.as_ref().is_some_and(|known| known.told);
            let still = match standing {
                Standing::Well => {
                    tidings.extend(known.filter(|_| told).map(|known| known.over(now)));
                    None
                }
                Standing::NotKnown => known.filter(|_| told),
                Standing::Under => known.map(|known| Known {
                    lasting: None,
                    ..known
                }),
                Standing::Explained(trouble) => Some(Known {
                    since: known.filter(|_| told).map_or(now, |known| known.since),
                    lasting: Some(now),
                    explained: Some(now),
                    told,
                    trouble,
                }),
                Standing::Wrong(trouble) => {
                    let since = known.as_ref().map_or(now, |known| known.since);
                    let explained = known.as_ref().and_then(|known| known.explained);
                    let lasting = known.and_then(|known| known.lasting).unwrap_or(now);
                    // What has just ended in vain may be another's a moment later.
                    let lasts = now.since(lasting) >= trouble.settle.min(MOMENT)
                        && explained.is_none_or(|until| now.since(until) >= WHILE);
                    let tell = !told && lasts && now.since(since) >= trouble.settle;
                    tidings.extend(tell.then(|| trouble.tiding()));
                    let told = told || tell;
                    Some(Known {
                        since,
                        lasting: Some(lasting),
                        explained,
                        told,
                        trouble,
                    })
                }
            };
            self.known.extend(still.map(|known| (name, known)));
        }
        tidings
    }
}

impl Trouble {
    fn tiding(&self) -> Tiding {
        Tiding {
            group: self.group.clone(),
            change: self.change,
            level: self.level,
            text: self.text.clone(),
        }
    }
}

impl Known {
    fn over(self, now: Time) -> Tiding {
        // Since when both nodes ran it, nobody saw.
        let text = match self.trouble.change {
            "conflict" => self.trouble.over.clone(),
            _ => {
                let lasted = super::clock::span(now.since(self.since));
                format!("{}, after {lasted}", self.trouble.over)
            }
        };
        Tiding {
            level: Level::Info,
            text,
            ..self.trouble.tiding()
        }
    }
}

/// A single lost datagram, or a reload on one node before the other, is no news.
const MOMENT: Duration = Duration::from_secs(1);
const WHILE: Duration = Duration::from_secs(5);
/// A probe of the peer is answered within seconds of its start, if it ever is.
const PROVING: Duration = Duration::from_secs(15);

/// What the view shows, be it well or not.
pub fn subjects(facts: &Facts, now: Time) -> Vec<Subject> {
    let (view, names) = (facts.view, facts.names);
    let mut subjects = Vec::new();
    let peer = names.node(view.me.other());
    let here = names.node(view.me);
    let trouble = |change, settle, text: String, over: String| Trouble {
        group: None,
        change,
        level: Level::Warn,
        settle,
        text,
        over,
    };
    // Of a peer that is not heard at all, single links say nothing more.
    let answers = matches!(view.peer.state, PeerState::Alive | PeerState::OneWay);
    let all = &names.paths;
    for (names, path) in names.paths(view).filter(|(n, _)| !n.is_as_a_link(all)) {
        let kind = sentence::kind_of_path(names.last_resort);
        let (own, other) = (&names.own, &names.peer);
        // Nor of one whose end is of no use, for which there are words of their own, on either node.
        let there = facts.hindered_there(&names.peer);
        let answers = answers
            && names.hindered.is_none()
            && !there.is_some_and(|why| facts.says_of_a_group(why));
        let mute = answers.then_some(!path.in_ok);
        // Of one that hears nothing at all it is said once.
        let hears = view.peer.state == PeerState::Alive && answers;
        let deaf = path.out_ok.filter(|_| hears).map(|hears| !hears);
        // A cable that dies is one edge, not one for each direction.
        let severed = match (mute, deaf) {
            (Some(true), Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        };
        let either = |wrong: Option<bool>| wrong.filter(|_| severed != Some(true));
        let way = format!("{kind} {own} ⇄ {other}");
        let over = format!("{way}: heard again in both directions");
        subjects.push(Subject::new(way, severed, || {
            let text = sentence::severed(kind, own, other);
            let text = there.map_or(text.clone(), |why| sentence::by_its_word(&text, peer, why));
            trouble("link", MOMENT, text, over)
        }));
        let way = format!("{kind} {other} → {own}");
        let over = format!("{way}: heard again");
        subjects.push(Subject::new(way, either(mute), || {
            let text = sentence::mute(kind, other, own, peer);
            trouble("link", MOMENT, text, over)
        }));
        let way = format!("{kind} {own} → {other}");
        let over = format!("{way}: heard again by {peer}");
        subjects.push(Subject::new(way, either(deaf), || {
            let text = sentence::deaf(kind, own, other, peer, here);
            trouble("link", MOMENT, text, over)
        }));
    }
    for gateway in &view.gateways {
        let (address, vif) = (&gateway.id.address, names.vif(gateway.id.vif));
        let name = format!("gateway {address} on {vif}");
        let over = format!("{name} answers again");
        let lost = match gateway.state {
            GatewayState::Good => Some(false),
            GatewayState::Lost => Some(true),
            // One that comes and goes is told once.
            GatewayState::Pending | GatewayState::Dampened => None,
        };
        // Of one that this machine keeps from asking, it says why by itself.
        let lost = lost.filter(|_| !names.unasked.contains(&gateway.id));
        let text = || {
            let text = sentence::gateway_lost(address, vif, false);
            trouble("gateway", Duration::ZERO, text, over)
        };
        let mut interfaces = view.vifs.iter();
        let dead = interfaces.any(|vif| vif.id == gateway.id.vif && !vif.carrier);
        subjects.push(match dead && lost == Some(true) {
            true => Subject {
                name,
                standing: Standing::Explained(text()),
            },
            false => Subject::new(name, lost, text),
        });
    }
    for vif in &view.vifs {
        let name = names.vif(vif.id);
        // One that nobody knows yet has no carrier to lose.
        let lost = (!name.is_empty()).then_some(!vif.carrier);
        subjects.push(Subject::new(format!("carrier of {name}"), lost, || {
            let over = format!("{name}: carrier is back");
            trouble("carrier", MOMENT, names.no_carrier(vif.id), over)
        }));
    }
    let differs = answers.then_some(view.peer.drift);
    subjects.push(Subject::new("drift".into(), differs, || {
        let text = sentence::drift(here, peer, facts.differences);
        let over = "ha.toml is the same on both nodes";
        trouble("file", WHILE, text, over.into())
    }));
    subjects.extend(fencing::subjects(facts));
    let unproven = |sign: &crate::core::node::Sign| {
        matches!(sign.kind, crate::core::node::SignKind::Unproven(_))
    };
    let unanswering = !view.peer.state.is_heard() && view.peer.signs.iter().any(unproven);
    subjects.push(Subject::new("unproven".into(), Some(unanswering), || {
        let text = sentence::unanswering(peer, here);
        let over = format!("no more heartbeats of {peer} that answer none of {here}'s");
        trouble("datagrams", WHILE, text, over)
    }));
    for group in &view.groups {
        subjects.extend(group::subjects(facts, group, now));
        subjects.extend(group::notices(facts, group));
    }
    subjects
}

/// What has begun to be refused, or came to an end.
pub fn of_refused(refused: &[Refused], begun: bool, peer: &str) -> Tiding {
    let all: Vec<&Refused> = refused.iter().collect();
    let cause = refused.first().map_or("", |first| first.cause.as_str());
    let count: u64 = refused.iter().map(|it| it.count).sum();
    let ways = sentence::ways(&all);
    let (level, text) = match begun {
        true => (Level::Warn, sentence::refused(&all, peer)),
        false if cause == NOBODY_LISTENS => (
            Level::Info,
            format!(
                "{ways}: no more answers of {peer} that nobody listens there; {count} since the start"
            ),
        ),
        false => (
            Level::Info,
            format!(
                "{ways}: no more datagrams that are dropped ({cause}); {count} since the start"
            ),
        ),
    };
    Tiding {
        group: None,
        change: "datagrams",
        level,
        text,
    }
}

#[cfg(test)]
mod tests;
