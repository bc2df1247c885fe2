//! What is to be said of the peer.

use super::refused::{nobody_listens, of_refused, refusal};
use super::unserved::runs_nowhere;
use super::{Concern, age, degraded, noted, tells_its_cure};
use crate::core::reason::Fact;
use crate::core::time::Time;
use crate::shell::status::{Group, GroupAtPeer, SignOfLife, Status, sentence};
use crate::words::Voice;

pub(super) fn of_peer(status: &Status, now: Time) -> Vec<Concern> {
    let (me, peer, state) = (&status.node, status.peer_name(), &status.peer);
    let since = age(now, state.since_us);
    let mut concerns = Vec::new();
    let runs_here = |group: &Group| group.role == "active" || group.adopted;
    let alone = match status.groups.iter().any(runs_here) {
        // One that is silent may serve it as well, or have failed to.
        true if state.state == "silent" => format!(": {me} has no spare that is known"),
        true => ": nobody could take over".into(),
        false => String::new(),
    };
    let firewall = "UDP, the port of `[heartbeat]`, in both directions (`nft list ruleset`), and the cables of the links";
    let unheard = nobody_listens(status, now).map(|refused| {
        format!(
            "its machine lives, and says at {} that nobody listens on the UDP port there: on {peer} \
             `systemctl status ha-appliance`, `ss -ulpn`; compare `port`, and which node it was started as",
            refused.peer
        )
    });
    // Who sees nothing may be the one that is cut off.
    let blind = status.blind_spots();
    let first = match blind.is_empty() {
        true => String::new(),
        false => format!("the network of {me} first ({}), then at ", blind.join(", ")),
    };
    // Who serves and hears nothing may be the one that is deaf.
    let filter = match alone.is_empty() {
        true => "",
        false => "; if it lives, `nft list ruleset` on both",
    };
    // What is dropped here has come through every filter: why, is one thing to mend with it.
    let mut refused = of_refused(status, now);
    let dropped = match state.state.as_str() {
        "silent" | "unknown" if !refused.is_empty() && state.ended_us.is_none() => {
            Some(refused.remove(0))
        }
        _ => None,
    };
    let between = || {
        let signs = whats(&state.signs_of_life);
        let signs = match signs.is_empty() {
            true => String::new(),
            false => format!(" ({})", signs.join("; ")),
        };
        format!("it shows signs of life{signs}, so look at what is between the nodes: {firewall}")
    };
    let lives = unheard.or_else(|| {
        let life = status.peer_shows_life(now);
        life.then(between)
    });
    let (text, hint) = match state.state.as_str() {
        "alive" => (None, String::new()),
        "one-way" => (
            Some(format!(
                "{peer} is heard, but does not hear {me} on any path"
            )),
            format!(
                "look for a filter (UDP, the port of `[heartbeat]`; `nft list ruleset`) or a broken cable in the direction \
                 from {me} to {peer}"
            ),
        ),
        "silent" if state.ended_us.is_some() => (
            Some(format!(
                "{peer}'s daemon ended {} ago, as it was told in maintenance, and left running what runs there",
                age(now, state.ended_us.unwrap_or(0))
            )),
            format!("nobody looks at that meanwhile; on {peer}: `systemctl start ha-appliance`"),
        ),
        "silent" => (
            Some(match &dropped {
                None => format!("{peer} has been silent for {}{alone}", last_heard(status, now)),
                Some(_) => format!(
                    "nothing of {peer} was accepted for {}{alone}",
                    last_heard(status, now)
                ),
            }),
            lives.unwrap_or_else(|| {
                format!(
                    "look at {first}the power and cables of {peer}; there: `systemctl status ha-appliance`{filter}"
                )
            }),
        ),
        "unknown" => (
            Some(format!(
                "{peer} was never heard since the daemon on {me} started, {since} ago"
            )),
            lives.unwrap_or_else(|| {
                format!("look at {first}{peer}: `systemctl status ha-appliance`; then {firewall}")
            }),
        ),
        "refused" => (
            Some(format!(
                "{peer} is refused, no group moves: {}",
                state.reason
            )),
            refusal(&state.cause, peer, &status.daemon.config),
        ),
        "left" => (
            Some(format!("{peer} left {since} ago{alone}")),
            format!("on {peer} `systemctl start ha-appliance`; if it runs: compare `port`"),
        ),
        // Somebody was wrong, or it was switched on again.
        "fenced" if !state.signs_of_life.is_empty() => (
            Some(format!(
                "{peer} was taken as off {since} ago ({}), but lives: {}",
                state.reason,
                whats(&state.signs_of_life).join("; ")
            )),
            format!(
                "look there at once: it may serve, too; {}",
                lives.unwrap_or_default()
            ),
        ),
        "fenced" => (
            Some(format!(
                "{peer} has been taken as off for {since}: {}{alone}",
                state.reason
            )),
            format!("find out why, then start {peer} again"),
        ),
        other => (
            Some(format!("{peer}: {other}")),
            "this program does not know that state".into(),
        ),
    };
    let (text, hint) = match (text, dropped) {
        (Some(text), Some(why)) => (
            Some(format!("{text}: {}", why.text)),
            why.hint.unwrap_or(hint),
        ),
        (text, _) => (text, hint),
    };
    let speaks = state.signs_of_life.iter().any(|sign| sign.heartbeat);
    let quiet = matches!(state.state.as_str(), "silent" | "unknown" | "left") && speaks;
    concerns.extend(text.filter(|_| !quiet).map(|text| degraded(text, hint)));
    let told = |sign: &&SignOfLife| sign.heartbeat && state.state != "alive";
    concerns.extend(state.signs_of_life.iter().filter(told).map(|sign| {
        degraded(
            format!("{}, {} ago", sign.what, age(now, sign.at_us)),
            format!("look for a filter in the direction from {me} to {peer}: UDP, the port of `[heartbeat]`; `nft list ruleset` on both"),
        )
    }));
    concerns.extend(refused);
    concerns
        .extend((state.amiss.iter()).map(|what| noted(format!("{peer} says of itself: {what}"))));
    if state.drift {
        concerns.push(degraded(
            sentence::drift(me, peer, &state.differences) + &status.as_last_heard(now),
            format!(
                "compare {} on both nodes, comments do not count; copy the right one to the other: there `ha-appliance reload --dry-run` \
                 says what a `reload` changes",
                status.daemon.config
            ),
        ));
    }
    for group in status.groups.iter().filter(|_| state.state == "alive") {
        let standby = status.nodes.iter().any(|n| !n.here && n.standby);
        if standby || group.stopped {
            continue;
        }
        let Some(at_peer) = &group.peer else {
            concerns.push(Concern {
                group: Some(group.name.clone()),
                ..degraded(
                    format!(
                        "{}: {peer} does not know this group, and could not take over",
                        group.name
                    ),
                    format!(
                        "bring ha.toml in line on both nodes, then `ha-appliance reload` on {peer}"
                    ),
                )
            });
            continue;
        };
        let readiness = &at_peer.readiness;
        // Nobody relieves it, or its trouble is no reason to move. What failed is told by itself.
        let counted = Fact::Failures(group.peer_fail_count).to_string();
        let facts = facts_of(at_peer).filter(|fact| **fact != counted);
        let facts: Vec<String> = facts.cloned().collect();
        if at_peer.role == "active" && !group.vain_there() && !facts.is_empty() {
            let facts = facts.join(", ");
            let text = format!("{}: {peer} serves it, {readiness}: {facts}", group.name);
            concerns.push(Concern {
                group: Some(group.name.clone()),
                ..degraded(text, format!("mend that on {peer}"))
            });
        }
        let voice = Voice {
            here: peer,
            peer: me,
        };
        let facts = at_peer.says.as_ref().map_or(&[][..], |says| &says.facts);
        // It is why the group runs nowhere, which has been said.
        let waiting = at_peer.says.as_ref().and_then(|says| says.waiting.as_ref());
        let why = waiting.or(facts.first());
        let said = runs_nowhere(status, group) && why.is_some() && facts.iter().eq(why);
        if readiness != "able" && at_peer.role != "active" && !said {
            let text = format!(
                "{}: {}",
                group.name,
                sentence::impaired(peer, readiness, facts)
            );
            let concern = match facts {
                [] => degraded(text, format!("`ha-appliance status` on {peer} says why")),
                facts if facts.iter().all(|fact| tells_its_cure(fact)) => noted(text),
                // It goes, and says so.
                facts if facts.contains(&Fact::Leaving.words(voice)) => noted(text),
                facts if shares(status, group, facts) => degraded(
                    text,
                    format!(
                        "{me} has the same trouble: look first at what both stand on, such as the router"
                    ),
                ),
                _ => degraded(text, format!("mend that on {peer}")),
            };
            concerns.push(Concern {
                group: Some(group.name.clone()),
                ..concern
            });
        }
    }
    concerns
}

/// What speaks against it, by its own word; nothing, if it could do what it is to.
fn facts_of(peer: &GroupAtPeer) -> impl Iterator<Item = &String> {
    let says = peer.says.iter().filter(|_| peer.readiness != "able");
    says.flat_map(|says| &says.facts)
}

fn last_heard(status: &Status, now: Time) -> String {
    age(now, status.peer.heard_us.unwrap_or(status.peer.since_us))
}

fn whats(signs: &[SignOfLife]) -> Vec<&str> {
    signs.iter().map(|sign| sign.what.as_str()).collect()
}

/// All that speaks against the peer speaks against this node, too. Interfaces may have other names there, and nodes
/// have.
fn shares(status: &Status, group: &Group, facts: &[String]) -> bool {
    let bare = |fact: &str| {
        let what = fact.split_once(": ").map_or(fact, |(_, what)| what);
        let nodes = status.nodes.iter();
        nodes.fold(what.to_owned(), |text, node| text.replace(&node.name, ""))
    };
    let mine: Vec<String> = group.facts.iter().map(|fact| bare(fact)).collect();
    facts.iter().all(|fact| mine.contains(&bare(fact)))
}
