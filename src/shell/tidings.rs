//! What the core does not report because nothing is decided by it, and an operator wants to read all the same:
//! each thing that can be well or not is told once when it goes wrong, and once when it is well again.

use super::refused::NOBODY_LISTENS;
use super::status::{Facts, Refused, readiness as readiness_word, sentence};
use crate::core::gateway::GatewayState;
use crate::core::peer::PeerState;
use crate::core::time::Time;
use crate::wire::heartbeat::{Readiness, Role};
use log::Level;
use std::collections::BTreeMap;
use std::time::Duration;

/// One line of the history that is not the core's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiding {
    /// The group, where it is about one.
    pub group: Option<String>,
    /// What it is about: link, gateway, carrier, peer, file, datagrams, conflict, takeover, resource, notify.
    pub change: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What, for people.
    pub text: String,
}

/// Something that is not well just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Names it: the same thing has the same name.
    pub name: String,
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
    /// What is to be said when it is over.
    pub over: String,
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
    /// All that is wrong now. Gives what is to be told: what has gone wrong, and what is over.
    pub fn follow(&mut self, now: Time, troubles: Vec<Trouble>) -> Vec<Tiding> {
        let mut tidings = Vec::new();
        let is = |name: &String| troubles.iter().any(|trouble| trouble.name == *name);
        let (gone, still): (Vec<_>, Vec<_>) = std::mem::take(&mut self.known)
            .into_iter()
            .partition(|(name, _)| !is(name));
        self.known = still.into_iter().collect();
        for (_, known) in gone.into_iter().filter(|(_, known)| known.told) {
            let lasted = super::clock::span(now.since(known.since));
            tidings.push(Tiding {
                group: known.trouble.group,
                change: known.trouble.change,
                level: Level::Info,
                text: format!("{}, after {lasted}", known.trouble.over),
            });
        }
        for trouble in troubles {
            let name = trouble.name.clone();
            let known = self.known.entry(name).or_insert_with(|| Known {
                since: now,
                told: false,
                trouble: trouble.clone(),
            });
            if !known.told && now.since(known.since) >= trouble.settle {
                known.told = true;
                tidings.push(Tiding {
                    group: trouble.group.clone(),
                    change: trouble.change,
                    level: trouble.level,
                    text: trouble.text.clone(),
                });
            }
            known.trouble = trouble;
        }
        tidings
    }
}

/// A single lost datagram, or a reload on one node before the other, is no news.
const MOMENT: Duration = Duration::from_secs(1);
const WHILE: Duration = Duration::from_secs(5);
/// A probe of the peer is answered within seconds of its start, if it ever is.
const PROVING: Duration = Duration::from_secs(15);

/// What the view shows to be wrong.
pub fn troubles(facts: &Facts) -> Vec<Trouble> {
    let (view, names) = (facts.view, facts.names);
    let mut troubles = Vec::new();
    let peer = names.node(view.me.other());
    let here = names.node(view.me);
    let mut add = |name: String, change, settle, text: String, over: String| {
        troubles.push(Trouble {
            name,
            group: None,
            change,
            level: Level::Warn,
            settle,
            text,
            over,
        });
    };
    // Of a peer that is not heard at all, single links say nothing more.
    if matches!(view.peer.state, PeerState::Alive | PeerState::OneWay) {
        for (path, names) in view.peer.paths.iter().zip(&names.paths) {
            let kind = match names.last_resort {
                true => "path of last resort",
                false => "link",
            };
            let (own, other) = (&names.own, &names.peer);
            if !path.in_ok {
                let way = format!("{kind} {other} → {own}");
                let text = sentence::mute(kind, other, own, peer);
                add(
                    way.clone(),
                    "link",
                    MOMENT,
                    text,
                    format!("{way}: heard again"),
                );
            }
            if path.out_ok == Some(false) {
                let way = format!("{kind} {own} → {other}");
                let text = sentence::deaf(kind, own, other, peer, here);
                add(
                    way.clone(),
                    "link",
                    MOMENT,
                    text,
                    format!("{way}: heard again by {peer}"),
                );
            }
        }
    }
    for gateway in &view.gateways {
        let (address, vif) = (&gateway.id.address, names.vif(gateway.id.vif));
        let name = format!("gateway {address} on {vif}");
        if gateway.state == GatewayState::Lost {
            let text = sentence::gateway_lost(address, vif);
            add(
                name.clone(),
                "gateway",
                Duration::ZERO,
                text,
                format!("{name} answers again"),
            );
        }
    }
    for vif in view.vifs.iter().filter(|vif| !vif.carrier) {
        let name = names.vif(vif.id).to_owned();
        let (text, over) = (
            sentence::no_carrier(&name),
            format!("{name}: carrier is back"),
        );
        add(name, "carrier", MOMENT, text, over);
    }
    if view.peer.drift {
        let text = sentence::drift(here, peer, facts.differences);
        let over = "ha.toml is the same on both nodes".into();
        add("drift".into(), "file", WHILE, text, over);
    }
    let unproven = |sign: &&crate::core::node::Sign| {
        matches!(sign.kind, crate::core::node::SignKind::Unproven(_))
    };
    let heard = view.peer.state.is_heard();
    if !heard && view.peer.signs.iter().any(|sign| unproven(&sign)) {
        let text = sentence::unanswering(peer, here);
        let over = format!("{peer}'s unanswering heartbeats came to an end");
        add("unproven".into(), "datagrams", WHILE, text, over);
    }
    troubles.extend(of_groups(facts));
    troubles
}

fn of_groups(facts: &Facts) -> Vec<Trouble> {
    let (view, names) = (facts.view, facts.names);
    let mut troubles = Vec::new();
    let (here, peer) = (names.node(view.me), names.node(view.me.other()));
    for group in &view.groups {
        let name = names.group(group.id);
        let mut add = |what: &str, change, settle, text: String, over: String| {
            troubles.push(Trouble {
                name: format!("{name} {what}"),
                group: Some(name.clone()),
                change,
                level: Level::Warn,
                settle,
                text,
                over,
            });
        };
        let standby = view.standby[view.me.other() as usize];
        let alive = view.peer.state == PeerState::Alive && !standby && !group.stopped;
        if let Some((role, readiness)) = group.peer.filter(|_| alive)
            && readiness != Readiness::Able
            && role != Role::Active
        {
            let said = facts.told.iter().find(|said| said.group == name);
            let why = said.map_or(&[][..], |said| &said.facts);
            let text = sentence::impaired(peer, readiness_word(readiness), why);
            let over = format!("{peer} could run it again");
            add("peer", "peer", WHILE, text, over);
        }
        if let Some(why) = group.no_seizure.as_ref().filter(|_| !group.stopped) {
            let why = names.reason(why, Some(group.id));
            let text = sentence::no_takeover(here, peer, &why);
            let over = format!("{here} could take it over by itself");
            add("takeover", "takeover", PROVING, text, over);
        }
    }
    troubles
}

/// What has begun to be refused, or came to an end.
pub fn of_refused(refused: &Refused, begun: bool, peer: &str) -> Tiding {
    let Refused {
        cause,
        own,
        peer: from,
        count,
        ..
    } = refused;
    let way = format!("{from} → {own}");
    let (level, text) = match begun {
        true => (Level::Warn, sentence::refused(cause, from, own, peer)),
        false if cause == NOBODY_LISTENS => (
            Level::Info,
            format!("{own} → {from}: {peer} does not answer any more that nobody listens there"),
        ),
        false => (
            Level::Info,
            format!("{way}: no more datagrams that are dropped ({cause}); {count} since the start"),
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
    use super::super::status::sample::{LAN, Sample};
    use super::*;

    fn at(ms: u64) -> Time {
        Time(0) + Duration::from_millis(ms)
    }

    fn told(tidings: &mut Tidings, ms: u64, sample: &Sample) -> Vec<(Level, String)> {
        let told = tidings.follow(at(ms), troubles(&sample.facts()));
        told.into_iter().map(|t| (t.level, t.text)).collect()
    }

    #[test]
    fn nothing_is_wrong_with_a_healthy_pair() {
        let sample = Sample::default();
        assert_eq!(told(&mut Tidings::default(), 0, &sample), []);
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

    #[test]
    fn a_blip_is_no_news() {
        let (mut tidings, mut sample) = (Tidings::default(), Sample::default());
        sample.view.peer.paths[0].out_ok = Some(false);
        assert_eq!(told(&mut tidings, 0, &sample), []);
        sample.view.peer.paths[0].out_ok = Some(true);
        assert_eq!(told(&mut tidings, 900, &sample), []);
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
