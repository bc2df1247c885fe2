//! What is told of a group: who could serve it, and that nobody does.

use super::{MOMENT, PROVING, Standing, Subject, Trouble, WHILE};
use crate::core::peer::PeerState;
use crate::core::time::Time;
use crate::core::view::{GroupView, ResourceView};
use crate::id::Place;
use crate::shell::status::{
    Facts, Severity, Status, awaited, in_vain, on_its_way, readiness as readiness_word, sentence,
    served, stuck, unserved,
};
use crate::wire::heartbeat::{Readiness, Role};
use log::Level;

/// Whether the peer could serve it, and this node take it over.
pub(super) fn subjects(facts: &Facts, group: &GroupView, now: Time) -> [Subject; 3] {
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
        // Why nobody serves it is told by itself.
        Some(why) if group.waiting.as_ref() == Some(why) => None,
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

/// What keeps a resource of it from being asked, or from going on.
pub(super) fn notices(facts: &Facts, group: &GroupView) -> Vec<Subject> {
    let name = facts.names.group(group.id);
    let of = |resource: &ResourceView| {
        let place = Place {
            group: group.id,
            resource: resource.id,
        };
        let notice = facts.services.get(&place)?.notice.as_ref();
        let named = facts.names.resource(Some(group.id), resource.id);
        let frozen = notice.is_some_and(|notice| notice.starts_with(sentence::FROZEN));
        let trouble = || Trouble {
            group: Some(name.clone()),
            change: "resource",
            level: if frozen { Level::Error } else { Level::Warn },
            settle: MOMENT,
            text: format!("{named}: {}", notice.map_or("", String::as_str)),
            over: match frozen {
                true => format!("{named}: its I/O goes on"),
                false => format!("{named}: that is over"),
            },
        };
        let subject = format!("{name} {named} notice");
        Some(Subject::new(subject, Some(notice.is_some()), trouble))
    };
    group.resources.iter().filter_map(of).collect()
}

/// Groups that nobody is known to serve, though nobody wished that: as `status` says it, with its advice.
pub fn blocked(status: &Status, now: Time) -> impl Iterator<Item = Subject> {
    // One that is waited for is no trouble yet, nor one that was met a moment ago.
    let waits = (status.peer.waited_for_us).is_some_and(|until| now.0 < until);
    let met = status.peer.state == "alive" && now.since(Time(status.peer.since_us)) < MOMENT;
    status.groups.iter().map(move |group| {
        let name = &group.name;
        let concern = unserved(status, group, now).filter(|_| !waits);
        let vain = || in_vain(status, group);
        let concern = stuck(status, group).or(concern).or_else(vain);
        let concern = concern.filter(|concern| concern.severity == Severity::Blocked);
        let is = match &concern {
            Some(_) => Some(true),
            // On its way, or stopped by the operator, it is not served for that.
            None => served(status, group).then_some(false),
        };
        // One that starts and fails, again and again, is served by nobody all the while.
        let under = on_its_way(status, group) || met && !served(status, group);
        if is != Some(false) && !group.stopped && !waits && under {
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
