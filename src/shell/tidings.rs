//! What the core does not report because nothing is decided by it, and an operator wants to read all the same:
//! each thing that can be well or not is told once when it goes wrong, and once when it is well again.

use super::refused::NOBODY_LISTENS;
use super::status::{
    Facts, Refused, Severity, Status, awaited, on_its_way, protection, readiness as readiness_word,
    sentence, served, stuck, unserved,
};
use crate::core::gateway::GatewayState;
use crate::core::peer::PeerState;
use crate::core::time::Time;
use crate::core::view::GroupView;
use crate::wire::heartbeat::{Readiness, Role};
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
                Standing::Under => known,
                Standing::Wrong(trouble) => {
                    let since = known.map_or(now, |known| known.since);
                    let tell = !told && now.since(since) >= trouble.settle;
                    tidings.extend(tell.then(|| trouble.tiding()));
                    let told = told || tell;
                    Some(Known {
                        since,
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
        let way = format!("{kind} {other} → {own}");
        let over = format!("{way}: heard again");
        let mute = answers.then_some(!path.in_ok);
        subjects.push(Subject::new(way, mute, || {
            let text = sentence::mute(kind, other, own, peer);
            trouble("link", MOMENT, text, over)
        }));
        let way = format!("{kind} {own} → {other}");
        let over = format!("{way}: heard again by {peer}");
        let deaf = path.out_ok.filter(|_| answers).map(|hears| !hears);
        subjects.push(Subject::new(way, deaf, || {
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
        subjects.push(Subject::new(name, lost, || {
            let text = sentence::gateway_lost(address, vif);
            trouble("gateway", Duration::ZERO, text, over)
        }));
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
    subjects.extend(facts.fencing.into_iter().flat_map(|fencing| {
        let mine = fencing.known().map(|ready| !ready);
        let mine = Subject::new("fencing".into(), mine, || {
            let text = format!("UNPROTECTED: {}", protection::not_ready(fencing, peer));
            let over = format!("something that switches {peer} off can be used again");
            trouble("fencing", Duration::ZERO, text, over)
        });
        let theirs = fencing.peer_ready.map(|ready| !ready).filter(|_| answers);
        let theirs = Subject::new("fencing there".into(), theirs, || {
            let text = format!("UNPROTECTED: {}", sentence::useless_there(here, peer));
            let over = format!("something that switches {here} off can be used by {peer} again");
            trouble("fencing", Duration::ZERO, text, over)
        });
        [mine, theirs]
    }));
    let unproven = |sign: &crate::core::node::Sign| {
        matches!(sign.kind, crate::core::node::SignKind::Unproven(_))
    };
    let unanswering = !view.peer.state.is_heard() && view.peer.signs.iter().any(unproven);
    subjects.push(Subject::new("unproven".into(), Some(unanswering), || {
        let text = sentence::unanswering(peer, here);
        let over = format!("no more heartbeats of {peer} that answer none of {here}'s");
        trouble("datagrams", WHILE, text, over)
    }));
    subjects.extend((view.groups.iter()).flat_map(|group| of_group(facts, group, now)));
    subjects
}

fn of_group(facts: &Facts, group: &GroupView, now: Time) -> [Subject; 3] {
    let (view, names) = (facts.view, facts.names);
    let (here, peer) = (names.node(view.me), names.node(view.me.other()));
    let name = names.group(group.id);
    let trouble = |change, settle, text: String, over: String| Trouble {
        group: Some(name.clone()),
        change,
        level: Level::Warn,
        settle,
        text,
        over,
    };
    // Nobody is to run it, or nobody is to move it.
    let idle = group.stopped || view.maintenance;
    let [barred_here, barred_there] =
        [view.me, view.me.other()].map(|side| view.standby[side as usize]);
    let alive = view.peer.state == PeerState::Alive && !barred_there && !idle;
    let could = group
        .peer
        .filter(|(role, _)| alive && *role != Role::Active);
    let impaired = could.map(|(_, readiness)| readiness != Readiness::Able);
    let impaired = Subject::new(format!("{name} peer"), impaired, || {
        let said = facts.told.iter().find(|said| said.group == name);
        let why = said.map_or(&[][..], |said| &said.facts);
        let readiness = could.map_or("not able", |(_, readiness)| readiness_word(readiness));
        let text = sentence::impaired(peer, readiness, why);
        trouble("peer", WHILE, text, format!("{peer} could run it again"))
    });
    let never = match &group.no_seizure {
        _ if idle => None,
        // That nothing else keeps it from that is not said by the evidence.
        None if barred_here || view.leaving => None,
        why => Some(why.is_some()),
    };
    let never = Subject::new(format!("{name} takeover"), never, || {
        let why = group.no_seizure.as_ref();
        let why = why.map_or(String::new(), |why| names.reason(why, Some(group.id)));
        let text = sentence::no_takeover(here, peer, &why);
        let over = format!("{here} could take it over by itself");
        trouble("takeover", PROVING, text, over)
    });
    // Why a node that could does not.
    let seeks = group.role == Role::Stopped && group.token.holder != view.me;
    let elsewhere = facts.elsewhere(group, now);
    let kept = match &elsewhere {
        _ if !seeks || view.peer.state == PeerState::Alive => Some(false),
        Some(_) if !idle && !barred_here => Some(true),
        _ => None,
    };
    let kept = Subject::new(format!("{name} kept"), kept, || {
        let why = elsewhere.unwrap_or_default();
        let text = format!("{here} does not take it over: {why}, so it is probably active there");
        let over = format!("{here} is not kept from taking it over any more");
        trouble("takeover", WHILE, text, over)
    });
    [impaired, never, kept]
}

/// Groups that nobody is known to serve, though nobody wished that: as `status` says it, with its advice.
pub fn blocked(status: &Status, now: Time) -> impl Iterator<Item = Subject> {
    // One that is waited for is no trouble yet.
    let waits = (status.peer.waited_for_us).is_some_and(|until| now.0 < until);
    status.groups.iter().map(move |group| {
        let name = &group.name;
        let concern = unserved(status, group, now).filter(|_| !waits);
        let concern = stuck(status, group).or(concern);
        let concern = concern.filter(|concern| concern.severity == Severity::Blocked);
        let is = match &concern {
            Some(_) => Some(true),
            // On its way, or stopped by the operator, it is not served for that.
            None => served(status, group).then_some(false),
        };
        // One that starts and fails, again and again, is served by nobody all the while.
        if is.is_none() && !group.stopped && !waits && on_its_way(status, group) {
            return Subject {
                name: format!("{name} blocked"),
                standing: Standing::Under,
            };
        }
        Subject::new(format!("{name} blocked"), is, || {
            let concern = concern.as_ref();
            let text = concern.map_or("", |concern| &concern.text);
            let text = text.strip_prefix(&format!("{name}: ")).unwrap_or(text);
            let advice = concern.and_then(|concern| concern.hint.as_ref());
            let advice = advice.map_or(String::new(), |advice| format!("; {advice}"));
            Trouble {
                group: Some(name.clone()),
                change: "blocked",
                level: Level::Error,
                // The shot that is due, and what follows it, are told by themselves.
                settle: WHILE + awaited(status, group).unwrap_or_default(),
                text: format!("BLOCKED: {text}{advice}"),
                // On the node that is not heard it may have been served all the while.
                over: match text.starts_with("not active on ") {
                    true => "is known to be served".into(),
                    false => "is served again".into(),
                },
            }
        })
    })
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
mod tests {
    use super::super::status::sample::{LAN, NOW, Sample};
    use super::*;

    fn at(ms: u64) -> Time {
        Time(0) + Duration::from_millis(ms)
    }

    fn told(tidings: &mut Tidings, ms: u64, sample: &Sample) -> Vec<(Level, String)> {
        let told = tidings.follow(at(ms), subjects(&sample.facts(), NOW));
        told.into_iter().map(|t| (t.level, t.text)).collect()
    }

    #[test]
    fn nothing_is_wrong_with_a_healthy_pair() {
        let sample = Sample::default();
        assert_eq!(told(&mut Tidings::default(), 0, &sample), []);
    }

    #[test]
    fn what_keeps_a_node_from_taking_over_is_told_once() {
        let (mut tidings, mut sample) = (Tidings::default(), Sample::default());
        sample.view.groups[0].role = Role::Stopped;
        sample.view.groups[0].token.holder = sample.view.me.other();
        sample.view.peer.state = PeerState::Silent;
        let of_takeover = |tidings: &mut Tidings, ms, sample: &Sample| {
            let told = tidings.follow(at(ms), subjects(&sample.facts(), NOW));
            let told = told.into_iter().filter(|t| t.change == "takeover");
            told.map(|t| (t.level, t.text)).collect::<Vec<_>>()
        };
        let (vif, group) = (sample.view.vifs[0].id, sample.view.groups[0].id);
        sample.view.peer.signs = vec![crate::core::node::Sign {
            at: NOW,
            kind: crate::core::node::SignKind::Answered(vif, Some(group), [1; 6]),
        }];
        assert_eq!(of_takeover(&mut tidings, 0, &sample), []);
        let text = "lb1 does not take it over: lb2 answers for a VIP of web (such as 192.168.10.80), so it is probably active there";
        assert_eq!(
            of_takeover(&mut tidings, 5000, &sample),
            [(Level::Warn, text.into())]
        );
        assert_eq!(of_takeover(&mut tidings, 9000, &sample), []);
        sample.view.peer.state = PeerState::Alive;
        let over = "lb1 is not kept from taking it over any more, after 10 s";
        assert_eq!(
            of_takeover(&mut tidings, 10_000, &sample),
            [(Level::Info, over.into())]
        );
    }

    #[test]
    fn a_link_is_told_once_when_it_is_lost_and_once_when_it_is_back() {
        let (mut tidings, mut sample) = (Tidings::default(), Sample::default());
        sample.view.peer.paths[0].in_ok = false;
        assert_eq!(told(&mut tidings, 0, &sample), []);
        let lost = "link 10.1.1.2 → 10.1.1.1: nothing comes from lb2 on it";
        assert_eq!(
            told(&mut tidings, 1000, &sample),
            [(Level::Warn, lost.into())]
        );
        assert_eq!(told(&mut tidings, 9000, &sample), []);
        sample.view.peer.paths[0].in_ok = true;
        let back = "link 10.1.1.2 → 10.1.1.1: heard again, after 10 s";
        assert_eq!(
            told(&mut tidings, 10_000, &sample),
            [(Level::Info, back.into())]
        );
        assert_eq!(told(&mut tidings, 11_000, &sample), []);
    }

    /// Of an interface whose path of last resort is not open there are no names.
    #[test]
    fn a_path_has_its_own_names() {
        let mut sample = Sample::default();
        sample.names.paths.remove(1);
        sample.view.peer.paths[2].in_ok = false;
        let mut tidings = Tidings::default();
        told(&mut tidings, 0, &sample);
        let lost = "path of last resort 192.168.10.82 → 192.168.10.81 on eth0: nothing comes from lb2 on it";
        assert_eq!(
            told(&mut tidings, 1000, &sample),
            [(Level::Warn, lost.into())]
        );
        let status = sample.status();
        let mute: Vec<bool> = status.paths.iter().map(|path| !path.in_ok).collect();
        assert_eq!(mute, [false, true]);
        let concern = &crate::shell::status::judge(&status, NOW)[0];
        assert!(concern.text.starts_with(lost), "{}", concern.text);
        // Where it goes the way of a link, that has said it.
        let mut sample = Sample::default();
        sample.names.paths[2].own = sample.names.paths[1].own.clone();
        sample.view.peer.paths[2].in_ok = false;
        let mut tidings = Tidings::default();
        told(&mut tidings, 0, &sample);
        assert_eq!(told(&mut tidings, 1000, &sample), []);
    }

    #[test]
    fn a_blip_is_no_news() {
        let (mut tidings, mut sample) = (Tidings::default(), Sample::default());
        sample.view.peer.paths[0].out_ok = Some(false);
        assert_eq!(told(&mut tidings, 0, &sample), []);
        sample.view.peer.paths[0].out_ok = Some(true);
        assert_eq!(told(&mut tidings, 900, &sample), []);
    }

    /// What is told once it has lasted; nothing more is told of it while it lasts.
    fn lasting(sample: &Sample) -> Tidings {
        let mut tidings = Tidings::default();
        told(&mut tidings, 0, sample);
        assert_eq!(told(&mut tidings, 20_000, sample).len(), 1);
        assert_eq!(told(&mut tidings, 30_000, sample), []);
        tidings
    }

    fn silent(sample: &mut Sample, state: PeerState) {
        sample.view.peer.state = state;
        sample.view.groups[0].peer = None;
        for path in &mut sample.view.peer.paths {
            (path.in_ok, path.out_ok) = (false, None);
        }
    }

    /// A peer that is gone has no link that is well again.
    #[test]
    fn a_lost_link_is_not_heard_again_because_its_peer_is_gone() {
        let mut lost = Sample::default();
        lost.view.peer.paths[0].in_ok = false;
        lost.view.peer.paths[0].out_ok = Some(false);
        let mut tidings = Tidings::default();
        told(&mut tidings, 0, &lost);
        assert_eq!(told(&mut tidings, 1000, &lost).len(), 2);
        for state in [
            PeerState::Silent,
            PeerState::Left,
            PeerState::Refused,
            PeerState::Unknown,
            PeerState::Fenced,
        ] {
            let mut sample = Sample::default();
            silent(&mut sample, state);
            assert_eq!(told(&mut tidings, 60_000, &sample), [], "{state}");
        }
        // It returns with the link as dead as before, which is known.
        assert_eq!(told(&mut tidings, 90_000, &lost), []);
        let back: Vec<String> = (told(&mut tidings, 120_000, &Sample::default()).into_iter())
            .map(|(_, text)| text)
            .collect();
        assert_eq!(
            back,
            [
                "link 10.1.1.2 → 10.1.1.1: heard again, after 2 m 0 s",
                "link 10.1.1.1 → 10.1.1.2: heard again by lb2, after 2 m 0 s",
            ]
        );
    }

    /// What had not lasted when its peer died has not lasted until it is back.
    #[test]
    fn a_link_has_a_moment_when_its_peer_is_back() {
        let (mut tidings, mut sample) = (Tidings::default(), Sample::default());
        sample.view.peer.paths[0].in_ok = false;
        assert_eq!(told(&mut tidings, 0, &sample), []);
        let mut gone = Sample::default();
        silent(&mut gone, PeerState::Silent);
        assert_eq!(told(&mut tidings, 100, &gone), []);
        assert_eq!(told(&mut tidings, 3_600_000, &sample), []);
        assert_eq!(told(&mut tidings, 3_600_100, &Sample::default()), []);
    }

    #[test]
    fn an_impaired_peer_is_not_able_again_because_nobody_can_judge_it() {
        let mut impaired = Sample::default();
        impaired.view.groups[0].peer = Some((Role::Stopped, Readiness::Impaired));
        let mut tidings = lasting(&impaired);
        let gone = |state| {
            let mut sample = Sample::default();
            silent(&mut sample, state);
            sample
        };
        let mut standby = Sample::default();
        standby.view.standby[1] = true;
        standby.view.groups[0].peer = Some((Role::Stopped, Readiness::Barred));
        let mut stopped = Sample::default();
        stopped.view.groups[0].stopped = true;
        let mut maintenance = Sample::default();
        maintenance.view.maintenance = true;
        let mut active = Sample::default();
        active.view.groups[0].peer = Some((Role::Active, Readiness::Impaired));
        let unjudged = [
            gone(PeerState::Silent),
            gone(PeerState::Left),
            standby,
            stopped,
            maintenance,
            active,
        ];
        for sample in &unjudged {
            assert_eq!(told(&mut tidings, 40_000, sample), []);
        }
        assert_eq!(told(&mut tidings, 50_000, &impaired), [], "it is known");
        assert_eq!(
            told(&mut tidings, 60_000, &Sample::default()),
            [(Level::Info, "lb2 could run it again, after 1 m 0 s".into())]
        );
    }

    /// In the words of `status`, and its end too.
    #[test]
    fn a_group_that_nobody_serves_is_an_error_with_advice() {
        let told = |tidings: &mut Tidings, ms: u64, sample: &Sample| -> Vec<(Level, String)> {
            let status = sample.status();
            let told = tidings.follow(at(ms), blocked(&status, NOW).collect());
            told.into_iter().map(|t| (t.level, t.text)).collect()
        };
        let mut tidings = Tidings::default();
        let mut sample = Sample::default();
        silent(&mut sample, PeerState::Silent);
        let group = &mut sample.view.groups[0];
        group.role = Role::Stopped;
        group.waiting = Some(crate::core::reason::Reason::ProbeUnproven(LAN));
        assert_eq!(told(&mut tidings, 0, &sample), []);
        let blocked = "BLOCKED: not active on lb1, and unknown of lb2: eth0: lb2 never answered a probe on the VIP interface, \
                       so its silence proves nothing; look at lb2, and start it; or, only if you have seen with your own eyes \
                       that it is off: `ha-appliance confirm-fenced lb2`";
        assert_eq!(
            told(&mut tidings, 5000, &sample),
            [(Level::Error, blocked.to_owned())]
        );
        // On its way it is not served yet.
        sample.view.groups[0].role = Role::Starting;
        assert_eq!(told(&mut tidings, 8000, &sample), []);
        assert_eq!(
            told(&mut tidings, 9000, &Sample::default()),
            [(Level::Info, "is known to be served, after 9.0 s".to_owned())]
        );
    }

    #[test]
    fn a_group_that_moves_or_waits_for_its_peer_or_is_stopped_is_no_trouble() {
        let blocked = |sample: &Sample| blocked(&sample.status(), NOW).next().unwrap().standing;
        let mut sample = Sample::default();
        assert_eq!(blocked(&sample), Standing::Well);
        sample.view.groups[0].role = Role::Stopping;
        assert_eq!(blocked(&sample), Standing::Under);
        sample.view.groups[0].role = Role::Stopped;
        assert!(matches!(blocked(&sample), Standing::Wrong(_)));
        sample.view.groups[0].stopped = true;
        assert_eq!(blocked(&sample), Standing::NotKnown);
        sample.view.groups[0].stopped = false;
        silent(&mut sample, PeerState::Unknown);
        sample.view.peer.waited_for = Some(crate::shell::status::sample::ago(-7000));
        assert_eq!(blocked(&sample), Standing::NotKnown);
    }

    #[test]
    fn a_group_that_fails_again_and_again_is_told_of_though_no_failure_lasts() {
        let mut tidings = Tidings::default();
        let mut sample = Sample::default();
        let mut told = |ms: u64, role: Role| {
            sample.view.groups[0].role = role;
            let status = sample.status();
            let subjects = blocked(&status, crate::shell::status::sample::NOW).collect();
            let told = tidings.follow(at(ms), subjects);
            told.first().map_or("", |t| {
                if t.level == Level::Error {
                    "error"
                } else {
                    "other"
                }
            })
        };
        for second in 0..5 {
            assert_eq!(told(1000 * second, Role::Stopped), "");
            assert_eq!(told(1000 * second + 100, Role::Starting), "");
        }
        assert_eq!(told(5000, Role::Stopped), "error");
        assert_eq!(told(6000, Role::Starting), "");
        assert_eq!(told(7000, Role::Stopped), "");
    }

    #[test]
    fn no_takeover_becomes_possible_because_nobody_wants_one() {
        let mut never = Sample::default();
        never.view.groups[0].no_seizure = Some(crate::core::reason::Reason::NoGatewayKnown(LAN));
        let mut tidings = lasting(&never);
        let mut stopped = Sample::default();
        stopped.view.groups[0].stopped = true;
        let mut maintenance = Sample::default();
        maintenance.view.maintenance = true;
        let mut standby = Sample::default();
        standby.view.standby[0] = true;
        let mut leaving = Sample::default();
        leaving.view.leaving = true;
        for sample in [stopped, maintenance, standby, leaving] {
            assert_eq!(told(&mut tidings, 40_000, &sample), []);
        }
        let over = "lb1 could take it over by itself, after 50 s";
        assert_eq!(
            told(&mut tidings, 50_000, &Sample::default()),
            [(Level::Info, over.into())]
        );
    }

    /// A reload took it out of the file.
    #[test]
    fn what_is_no_more_in_the_file_is_dropped_without_a_word() {
        let mut sample = Sample::default();
        sample.view.gateways[0].state = GatewayState::Lost;
        sample.view.vifs[0].carrier = false;
        sample.view.groups[0].no_seizure = Some(crate::core::reason::Reason::NoGatewayKnown(LAN));
        sample.view.peer.paths[0].in_ok = false;
        let mut tidings = Tidings::default();
        told(&mut tidings, 0, &sample);
        told(&mut tidings, 20_000, &sample);
        let mut reloaded = Sample::default();
        reloaded.view.gateways.clear();
        reloaded.view.vifs.clear();
        reloaded.view.groups.clear();
        reloaded.names.paths.remove(0);
        assert_eq!(told(&mut tidings, 30_000, &reloaded), []);
        // In another file again it is another thing.
        assert_eq!(told(&mut tidings, 40_000, &Sample::default()), []);
    }

    #[test]
    fn a_gateway_that_comes_and_goes_is_told_once() {
        let mut sample = Sample::default();
        sample.view.gateways[0].state = GatewayState::Lost;
        let mut tidings = Tidings::default();
        assert_eq!(told(&mut tidings, 0, &sample).len(), 1);
        for ms in [1000, 2000, 3000] {
            sample.view.gateways[0].state = GatewayState::Dampened;
            assert_eq!(told(&mut tidings, ms, &sample), []);
            sample.view.gateways[0].state = GatewayState::Lost;
            assert_eq!(told(&mut tidings, ms + 500, &sample), []);
        }
        // Asked anew, as after a reload.
        sample.view.gateways[0].state = GatewayState::Pending;
        assert_eq!(told(&mut tidings, 9000, &sample), []);
        let back = "gateway 192.168.10.1 on eth0 answers again, after 10 s";
        assert_eq!(
            told(&mut tidings, 10_000, &Sample::default()),
            [(Level::Info, back.into())]
        );
    }

    #[test]
    fn files_are_the_same_again_once_the_peer_says_so() {
        let mut sample = Sample::default();
        sample.view.peer.drift = true;
        let mut tidings = lasting(&sample);
        // Whatever its last heartbeat said.
        for drift in [true, false] {
            let mut gone = Sample::default();
            silent(&mut gone, PeerState::Silent);
            gone.view.peer.drift = drift;
            assert_eq!(told(&mut tidings, 40_000, &gone), []);
        }
        let over = "ha.toml is the same on both nodes, after 50 s";
        assert_eq!(
            told(&mut tidings, 50_000, &Sample::default()),
            [(Level::Info, over.into())]
        );
    }

    #[test]
    fn gateways_carriers_and_files_are_told() {
        let mut sample = Sample::default();
        sample.view.gateways[0].state = GatewayState::Lost;
        sample.view.vifs[0].carrier = false;
        sample.view.peer.drift = true;
        sample.view.groups[0].peer = Some((Role::Stopped, Readiness::Impaired));
        sample.told = vec![crate::shell::status::Said {
            group: "web".into(),
            facts: vec!["eth0: no carrier".into()],
            ..Default::default()
        }];
        sample.view.groups[0].no_seizure = Some(crate::core::reason::Reason::NoGatewayKnown(LAN));
        let mut tidings = Tidings::default();
        let first = told(&mut tidings, 0, &sample);
        assert_eq!(
            first,
            [(
                Level::Warn,
                "gateway 192.168.10.1 on eth0 does not answer".into()
            )]
        );
        let texts: Vec<String> = (told(&mut tidings, 20_000, &sample).into_iter())
            .map(|(_, text)| text)
            .collect();
        assert_eq!(
            texts,
            [
                "eth0: no carrier",
                "ha.toml differs between lb1 and lb2",
                "lb2 is impaired and could not take it over well: eth0: no carrier",
                "lb1 would not take it over from a dead lb2 by itself: eth0: no gateway is known on the VIP interface"
            ]
        );
    }
}
