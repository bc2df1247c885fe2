//! A group that nobody is known to serve: what keeps it, and what is safe to do about that.

use super::place::{Place, place};
use super::{Concern, blocked, degraded, left, tells_its_cure};
use crate::core::time::Time;
use crate::shell::clock;
use crate::shell::status::{Group, Status, lack, protection, sentence};
use std::time::Duration;

/// What is to be said of it, if it is so and nobody wished it.
pub(crate) fn unserved(status: &Status, group: &Group, now: Time) -> Option<Concern> {
    match place(status, group) {
        _ if group.stopped => None,
        Place::Nowhere => Some(nowhere(status, group, now)),
        Place::Unknown => Some(unknown(status, group, now)),
        Place::Here | Place::There | Place::Both | Place::Moving(_) => None,
    }
}

/// By all that is known, and nobody wished it.
pub(super) fn runs_nowhere(status: &Status, group: &Group) -> bool {
    !group.stopped && matches!(place(status, group), Place::Nowhere)
}

/// That nobody is known to serve it is said with this very reason.
pub(super) fn is_why(status: &Status, group: &Group, text: &String) -> bool {
    let unserved = matches!(place(status, group), Place::Nowhere | Place::Unknown);
    let why = group.waiting.as_ref().or(hinders(&group.facts));
    unserved && !group.stopped && group.elsewhere.is_none() && why == Some(text)
}

/// It runs on a node that is known.
pub(crate) fn served(status: &Status, group: &Group) -> bool {
    matches!(
        place(status, group),
        Place::Here | Place::There | Place::Both
    )
}

/// By all that is known.
fn nowhere(status: &Status, group: &Group, now: Time) -> Concern {
    let says = group.peer.as_ref().and_then(|peer| peer.says.as_ref());
    let there = says.and_then(|says| says.waiting.as_ref().or(hinders(&says.facts)));
    let there = there.map(|why| format!("; on {}: {why}", status.peer_name()));
    let there_failed = group.peer.as_ref().is_some_and(|p| p.role == "failed");
    let text = match group.role == "failed" || there_failed {
        // What could not be stopped may be up still.
        true => format!("{}: not served by either node for certain", group.name),
        false => format!("{}: runs nowhere", group.name),
    };
    let there_too = there.as_deref().unwrap_or_default();
    let text = format!("{text}: {}{there_too}", why_not(status, group));
    let hears = |here: bool| here || status.peer.state == "alive";
    let standby = status.nodes.iter().find(|n| n.standby && hears(n.here));
    let advice = match standby {
        _ if status.maintenance => {
            "`ha-appliance maintenance off` lets the nodes work again".into()
        }
        Some(node) => format!("`ha-appliance online {0}` lets {0} run it", node.name),
        None if group.holder == status.peer_name() && status.peer.state == "one-way" => format!(
            "mend the way from {me} to {peer}; or `systemctl stop ha-appliance` on {peer}, which hands over as it leaves, \
             and start it again when {me} has it",
            me = status.node,
            peer = status.peer_name(),
        ),
        None => advice(status, group, now).unwrap_or_else(|| match &there {
            Some(_) if group.holder == status.peer_name() => {
                format!("on {} `ha-appliance status` says what helps", group.holder)
            }
            _ => "`ha-appliance history` says what led here".into(),
        }),
    };
    blocked(text, advice)
}

/// It does not run here, and of the peer nothing is known.
fn unknown(status: &Status, group: &Group, now: Time) -> Concern {
    let (name, peer, me) = (&group.name, status.peer_name(), &status.node);
    if let Some(elsewhere) = &group.elsewhere {
        return degraded(
            format!("{name}: unknown from {me}, {elsewhere}: so it is probably active there"),
            format!("look on {peer}: `ha-appliance status`"),
        );
    }
    let why = match status.peer.state.as_str() {
        "refused" => status.peer.reason.clone(),
        _ => why_not(status, group),
    };
    // What is about to be done by a device that answers says all.
    let levels = status.fencing.as_ref().filter(|fencing| {
        let fails = fencing.devices.iter().any(|device| device.state != "on");
        let one = fencing.devices.len() == 1;
        // The reason is that one's word.
        let said = one
            && fencing.devices[0]
                .why
                .as_ref()
                .is_some_and(|it| why.contains(it));
        !said && (group.lacks == lack::PROOF || (group.lacks == lack::TIME && fails))
    });
    let levels = levels.map(|fencing| format!(" ({})", protection::levels(fencing)));
    let text = format!(
        "{name}: not active on {me}, and unknown of {peer}: {why}{}",
        levels.unwrap_or_default()
    );
    if status.maintenance {
        let hint = format!("look on {peer}; `ha-appliance maintenance off` lets {me} work again");
        return blocked(text, hint);
    }
    if let Some(until) = status.peer.waited_for_us.filter(|until| now.0 < *until) {
        let hint = format!(
            "nothing yet: {peer} is waited for, {} more",
            left(now, until)
        );
        return blocked(text, hint);
    }
    if status.peer_shows_life(now) || status.peer.state == "refused" {
        let hint =
            format!("something of {peer} is heard: look there, and at what is said of it on {me}");
        return blocked(text, hint);
    }
    let advice = by_device(status, group).or_else(|| advice(status, group, now));
    blocked(
        text,
        advice.unwrap_or_else(|| format!("look on {peer}: it may serve")),
    )
}

/// So long a shot, and what follows it, is no trouble of its own.
pub(crate) fn awaited(status: &Status, group: &Group) -> Option<Duration> {
    let shot = matches!(status.peer.state.as_str(), "silent" | "fenced");
    due(status, group).filter(|_| shot)
}

/// So long a device that answers may take to give the proof that this node waits for, where nothing speaks against it.
fn due(status: &Status, group: &Group) -> Option<Duration> {
    let fencing = status.fencing.as_ref().filter(|f| f.answers())?;
    let waits = group.retry_us.is_none() && matches!(group.lacks.as_str(), lack::TIME | "");
    // Who runs nothing and knows no gateway leaves the first of its instants to the other.
    let runs = status.groups.iter().any(|group| group.role == "active");
    let sees = status
        .gateways
        .iter()
        .any(|gateway| gateway.state == "good");
    let instants = if runs || sees { 2 } else { 4 };
    waits.then(|| Duration::from_millis(instants * fencing.delay_ms))
}

/// Where this node could run it and lacks the proof alone, and a device answers that can give it.
fn by_device(status: &Status, group: &Group) -> Option<String> {
    let (name, peer, me) = (&group.name, status.peer_name(), &status.node);
    if let Some(within) = due(status, group) {
        return Some(format!(
            "nothing, if {me} can switch {peer} off: it does within {} where nothing speaks against it, and takes {name} \
             over then",
            clock::span(within)
        ));
    }
    let answers = status.fencing.as_ref().is_some_and(|f| f.answers());
    // It is not shot for that by itself.
    let proof = answers && group.retry_us.is_none() && group.lacks == lack::PROOF;
    proof.then(|| {
        format!(
            "look at {peer}, it may serve; if it does not, start it, or have it switched off: `ha-appliance fence {peer}`"
        )
    })
}

/// What helps against what it lacks. Nobody is told to say that the peer is off where that would not help, where
/// this node could not run it all the same, or where it could not know.
fn advice(status: &Status, group: &Group, now: Time) -> Option<String> {
    let (name, peer, me) = (&group.name, status.peer_name(), &status.node);
    let blind = status.blind_spots();
    let again = group.retry_us.map(|at| left(now, at));
    let advice = match (group.lacks.as_str(), again) {
        (lack::LEAVE, _) if status.leaving => {
            format!(
                "the daemon on {me} is on its way out: `systemctl start ha-appliance` starts it again"
            )
        }
        (lack::LEAVE, _) => {
            format!("`ha-appliance online {me}` lets {me} take it as soon as it may")
        }
        (lack::DISK, _) => format!(
            "make room in the state directory of {me}, or mend its disk: then it goes on by itself"
        ),
        (lack::READINESS, _) if tells_its_cure(&why_not(status, group)) => {
            "that done, or over, it goes on by itself".into()
        }
        (lack::READINESS, _) => format!(
            "mend that on {me}, and it goes on by itself; `ha-appliance doctor` says what it stands on"
        ),
        (lack::RESOURCE, None) => {
            format!("mend that on {me}, then `ha-appliance clear {name}` tries it at once")
        }
        (lack::RESOURCE, Some(left)) => format!(
            "mend that on {me}; it is tried again in {left}, and at once by `ha-appliance clear {name}`"
        ),
        (lack::STOP, _) => {
            format!(
                "`ha-appliance clear {name}` tries that once more; what it cannot stop, stop by hand on {me}, and clear it again"
            )
        }
        (lack::FILE, _) => {
            "bring ha.toml in line on both nodes, then `ha-appliance reload` on each".into()
        }
        (lack::TIME, Some(left)) => format!("it is tried again by itself in {left}"),
        (lack::TIME, None) if status.fencing.as_ref().is_some_and(|f| !f.answers()) => format!(
            "it goes on by itself once what switches {peer} off answers, or {peer} is heard"
        ),
        (lack::TIME, None) => "it goes on by itself".into(),
        // From a node that sees nothing nobody may conclude that the other is dead.
        _ if !blind.is_empty() => {
            return Some(format!(
                "mend the network of {me} first ({}): it may be {me} that is cut off, while {peer} serves; then look on {peer}",
                blind.join(", ")
            ));
        }
        (lack::NETWORK, _) => format!("look at the network of {me}"),
        (lack::PROOF, _) => {
            return Some(format!(
                "look at {peer}, and start it; or, only if you have seen with your own eyes that it is off: \
                 `ha-appliance confirm-fenced {peer}`"
            ));
        }
        _ => return None,
    };
    Some(match place(status, group) {
        Place::Unknown => format!("look on {peer}, it may serve; {advice}"),
        _ => advice,
    })
}

/// The first of them that keeps it from running. What is only not to be handed over runs where nobody else does.
fn hinders(facts: &[String]) -> Option<&String> {
    let mut facts = facts.iter();
    facts.find(|fact| !sentence::behind(std::slice::from_ref(fact)))
}

/// What keeps it from running here. Why its role last changed may be over.
fn why_not(status: &Status, group: &Group) -> String {
    let (me, peer, holder) = (&status.node, status.peer_name(), &group.holder);
    let why = group.waiting.as_ref().or(hinders(&group.facts));
    match (why, status.peer.state.as_str()) {
        (Some(why), _) => why.clone(),
        // Of what is under way it is the reason of now.
        (None, _) if group.role != "stopped" => group.reason.clone(),
        (None, _) if status.maintenance => "nothing is started in maintenance".into(),
        (None, "one-way") if holder == peer => format!(
            "the right to run it is {peer}'s, which does not hear {me}, and so cannot hand it over"
        ),
        (None, _) if holder == peer => format!("the right to run it is {peer}'s"),
        (None, _) => format!("it was stopped here, because then: {}", group.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::peer::PeerState;
    use crate::core::reason::{Fact, HeldFire, Reason};
    use crate::shell::status::sample::{LAN, NGINX, NOW, Sample, ago};
    use crate::wire::heartbeat::{Role, Side};
    use std::time::Duration;

    /// Nothing runs here, the peer that had it is silent, and this is waited for.
    fn waits_for(reason: Reason) -> Sample {
        let mut sample = Sample::default();
        let view = &mut sample.view;
        view.peer.state = PeerState::Silent;
        view.peer.since = ago(60_000);
        view.groups[0].peer = None;
        view.groups[0].role = Role::Stopped;
        view.groups[0].token.holder = Side::Second;
        view.groups[0].waiting = Some(reason);
        sample
    }

    fn advice(sample: &Sample) -> String {
        let status = sample.status();
        let concern = unserved(&status, &status.groups[0], NOW).unwrap();
        assert_eq!(concern.severity, super::super::Severity::Blocked);
        concern.hint.unwrap()
    }

    #[test]
    fn the_peer_is_to_be_confirmed_off_only_where_that_is_what_is_missing() {
        for reason in [
            Reason::NoGatewayKnown(LAN),
            Reason::ProbeUnproven(LAN),
            Reason::BestEffortHoldsData,
            Reason::BestEffortWithoutVip,
            Reason::WaitingForPeer,
            Reason::PeerWasRefused,
            Reason::PeerInMaintenance,
            Reason::PeerStopFailed,
        ] {
            let advice = advice(&waits_for(reason.clone()));
            assert!(
                advice.contains("`ha-appliance confirm-fenced lb2`"),
                "{reason}: {advice}"
            );
        }
        let others = [
            (Reason::Fact(Fact::Standby), "`ha-appliance online lb1`"),
            (Reason::Fact(Fact::StateUnwritable), "make room"),
            (Reason::Fact(Fact::Missing(NGINX)), "mend that on lb1"),
            (Reason::Fact(Fact::Unready(NGINX)), "mend that on lb1"),
            (Reason::Fact(Fact::Failures(2)), "`ha-appliance clear web`"),
            (
                Reason::Fact(Fact::DataFailed(NGINX)),
                "`ha-appliance clear web`",
            ),
            (Reason::Fact(Fact::StopFailed), "stop by hand"),
            (Reason::Fact(Fact::NoCarrier(LAN)), "the network of lb1"),
            (Reason::NoGatewayAnswer(LAN), "the network of lb1"),
            (Reason::Retry(Duration::from_secs(8)), "goes on by itself"),
            (Reason::ClearancePending, "goes on by itself"),
            (Reason::Probing(1, 4), "goes on by itself"),
        ];
        for (reason, helps) in others {
            let advice = advice(&waits_for(reason.clone()));
            assert!(!advice.contains("confirm-fenced"), "{reason}: {advice}");
            assert!(advice.contains(helps), "{reason}: {advice}");
            assert!(
                advice.starts_with("look on lb2, it may serve"),
                "{reason}: {advice}"
            );
        }
    }

    #[test]
    fn who_is_not_shot_by_itself_may_be_by_hand() {
        let mut sample = waits_for(Reason::HeldFire(HeldFire::Unmet));
        assert!(advice(&sample).contains("confirm-fenced lb2"));
        sample.fencing = Some(crate::shell::status::Fencing {
            ready: true,
            peer_ready: Some(true),
            delay_ms: 9000,
            devices: vec![crate::shell::status::FenceDevice {
                name: "ipmi 10.1.2.202".into(),
                state: "on".into(),
                why: None,
                good_us: Some(NOW.0),
                suite: None,
                rehearsed: None,
            }],
        });
        // So long nobody is alarmed.
        let shot = |sample: &Sample| {
            let status = sample.status();
            awaited(&status, &status.groups[0])
        };
        assert!(advice(&sample).contains("`ha-appliance fence lb2`"));
        assert_eq!(shot(&sample), None);
        sample.view.groups[0].waiting = Some(Reason::ClearancePending);
        assert!(advice(&sample).contains("it does within 18 s"));
        assert_eq!(shot(&sample), Some(Duration::from_secs(18)));
        sample.fencing.as_mut().unwrap().devices[0].state = "failed".into();
        assert!(advice(&sample).contains("goes on by itself"));
        assert_eq!(shot(&sample), None);
    }

    #[test]
    fn who_is_cut_off_is_not_to_confirm_anything() {
        let mut sample = waits_for(Reason::WaitingForPeer);
        sample.view.gateways[0].state = crate::core::gateway::GatewayState::Lost;
        let advice = advice(&sample);
        assert!(
            advice.starts_with("mend the network of lb1 first"),
            "{advice}"
        );
    }

    #[test]
    fn what_is_tried_again_by_itself_says_when() {
        let mut sample = waits_for(Reason::Fact(Fact::Failures(1)));
        sample.view.groups[0].retry_at = Some(ago(-8000));
        assert!(advice(&sample).contains("it is tried again in 8.0 s"));
    }

    /// What it was stopped for once is not why it does not run now.
    #[test]
    fn a_reason_that_is_over_keeps_nothing() {
        let mut sample = waits_for(Reason::WaitingForPeer);
        sample.view.peer.state = PeerState::OneWay;
        sample.view.groups[0].peer = Some((Role::Stopped, crate::wire::heartbeat::Readiness::Able));
        sample.view.groups[0].waiting = None;
        sample.view.groups[0].reason = Reason::FoundStopped;
        let told = |sample: &Sample| {
            let status = sample.status();
            let concern = unserved(&status, &status.groups[0], NOW).unwrap();
            (concern.text, concern.hint.unwrap())
        };
        let (text, hint) = told(&sample);
        assert_eq!(
            text,
            "web: runs nowhere: the right to run it is lb2's, which does not hear lb1, and so cannot hand it over"
        );
        assert!(
            hint.contains("`systemctl stop ha-appliance` on lb2"),
            "{hint}"
        );
        sample.view.maintenance = true;
        let (text, hint) = told(&sample);
        assert_eq!(text, "web: runs nowhere: nothing is started in maintenance");
        assert!(hint.starts_with("`ha-appliance maintenance off`"), "{hint}");
    }

    #[test]
    fn both_nodes_say_why_nobody_runs_it() {
        let mut sample = waits_for(Reason::Fact(Fact::Standby));
        sample.view.peer.state = PeerState::Alive;
        sample.view.standby[0] = true;
        sample.view.groups[0].peer =
            Some((Role::Stopped, crate::wire::heartbeat::Readiness::Impaired));
        sample.told = vec![crate::shell::status::Said {
            group: "web".into(),
            facts: vec!["service nginx.service is not installed on lb2".into()],
            ..Default::default()
        }];
        let status = sample.status();
        let concern = unserved(&status, &status.groups[0], NOW).unwrap();
        assert_eq!(
            concern.text,
            "web: runs nowhere: lb1 is in standby; on lb2: service nginx.service is not installed on lb2"
        );
        assert_eq!(
            concern.hint.unwrap(),
            "`ha-appliance online lb1` lets lb1 run it"
        );
    }

    #[test]
    fn who_left_and_did_not_say_so_of_the_group_may_run_it() {
        let mut sample = waits_for(Reason::PeerLacksGroup);
        sample.view.peer.state = PeerState::Left;
        let status = sample.status();
        let concern = unserved(&status, &status.groups[0], NOW).unwrap();
        assert!(concern.text.contains("unknown of lb2"), "{}", concern.text);
        assert!(concern.hint.unwrap().contains("confirm-fenced lb2"));
    }
}
