//! What is said of the same thing in the log, in the history, to the hook and in `status`: once, here.

use super::{Pending, Refused};
use crate::core::time::Time;
use crate::shell::refused::{NOBODY_LISTENS, OWN_NAME};
use std::fmt::Display;
use std::time::Duration;

/// How it begins that DRBD lets nothing be written, for it waits for a proof.
pub(crate) const FROZEN: &str = "I/O FROZEN";

/// How it is said that a resource is not to be moved to a node, which would take it from a dead one all the same.
pub(crate) const NOT_HANDED_OVER: &str = "is not to be handed over to";

/// What a path is called.
pub(crate) fn kind_of_path(last_resort: bool) -> &'static str {
    match last_resort {
        true => "path of last resort",
        false => "link",
    }
}

/// Nothing arrives on a path.
pub(crate) fn mute(kind: &str, from: &str, to: &str, peer: &str) -> String {
    format!("{kind} {from} → {to}: nothing comes from {peer} on it")
}

/// Nothing sent on a path arrives.
pub(crate) fn deaf(kind: &str, from: &str, to: &str, peer: &str, here: &str) -> String {
    format!("{kind} {from} → {to}: {peer} hears nothing of {here} on it")
}

/// Nothing that either node sends on a path arrives.
pub(crate) fn severed(kind: &str, own: &str, other: &str) -> String {
    format!("{kind} {own} ⇄ {other}: nothing gets through in either direction")
}

/// The peer says why.
pub(crate) fn by_its_word(what: &str, peer: &str, why: &str) -> String {
    format!("{what}; {peer} says: {why}")
}

/// What is to switch this node off is of no use to the peer.
pub(crate) fn useless_there(here: &str, peer: &str) -> String {
    format!("nothing that switches {here} off can be used by {peer}")
}

/// A gateway is lost, or this machine keeps from asking it.
pub(crate) fn gateway_lost(address: &dyn Display, interface: &str, hindered: bool) -> String {
    let what = if hindered {
        "cannot be asked"
    } else {
        "does not answer"
    };
    format!("gateway {address} on {interface} {what}")
}

/// A cable is dead, or there is nothing to plug one into.
pub(crate) fn no_carrier(interface: &str, exists: bool) -> String {
    match (exists, interface) {
        (true, _) => format!("{interface}{NO_CARRIER}"),
        (false, "") => "no interface for a VIP is there yet".into(),
        (false, _) => format!("{interface}{NO_INTERFACE}"),
    }
}

/// It is said of an interface that it reaches nobody.
pub(crate) fn is_dark(fact: &str) -> bool {
    [NO_CARRIER, NO_INTERFACE]
        .iter()
        .any(|what| fact.ends_with(what))
}

const NO_CARRIER: &str = ": no carrier";
const NO_INTERFACE: &str = ": there is no such interface";

/// The nodes' files differ, in these.
pub(crate) fn drift(here: &str, peer: &str, differences: &[String]) -> String {
    let few = differences.iter().take(DIFFERENCES);
    let few = few.cloned().collect::<Vec<_>>().join("; ");
    let more = match differences.len().saturating_sub(DIFFERENCES) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    match differences.is_empty() {
        true => format!("ha.toml differs between {here} and {peer}"),
        false => format!("ha.toml differs between {here} and {peer}: {few}{more}"),
    }
}

const DIFFERENCES: usize = 4;

/// Both nodes run a group.
pub(crate) fn conflict(here: &str, conflict: &str) -> String {
    format!("runs on {here}, and {conflict}: both nodes may serve it at once")
}

/// What is to be added to an order of which a node that does not speak may know nothing.
pub(crate) fn unheard(peer: &str, state: &str) -> String {
    match state {
        "alive" => String::new(),
        _ => format!("; {peer} is {state}, and may not have heard of it"),
    }
}

/// A group would not be taken over.
pub(crate) fn no_takeover(here: &str, peer: &str, why: &str) -> String {
    format!("{here} would not take it over from a dead {peer} by itself: {why}")
}

/// The peer could not take a group over well, for these reasons of its own.
pub(crate) fn impaired(peer: &str, readiness: &str, facts: &[String]) -> String {
    let text = match readiness {
        _ if behind(facts) => format!("no move to {peer} now"),
        "unable" => format!("{peer} could serve nobody with it"),
        _ => format!("{peer} is {readiness} and could not take it over well"),
    };
    match facts.is_empty() {
        true => text,
        false => format!("{text}: {}", facts.join(", ")),
    }
}

/// All that speaks against a node is that it is not to be handed something: from a dead peer it would take it.
pub(crate) fn behind(facts: &[String]) -> bool {
    !facts.is_empty() && facts.iter().all(|fact| fact.contains(NOT_HANDED_OVER))
}

/// A resource is not as it should be.
pub(crate) fn amiss(resource: &str, what: &str) -> String {
    format!("{resource} not well: {what}")
}

/// What is being started or stopped, and what comes of it in the end.
pub(crate) fn pending(pending: &[Pending], now: Time) -> Option<String> {
    let of = |pending: &Pending| format!("{} {}", pending.resource, ends(pending, now));
    let all: Vec<String> = pending.iter().map(of).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// How long it may take, and what then.
pub(crate) fn ends(pending: &Pending, now: Time) -> String {
    let left = crate::shell::clock::span(Time(pending.until_us).since(now));
    let service = pending.resource.starts_with("service ");
    let end = match (pending.state.as_str(), service) {
        ("stopping", true) => "is killed then",
        _ => "is given up then",
    };
    format!("has {left} more at most, and {end}")
}

/// Heartbeats arrive that prove nothing.
pub(crate) fn unanswering(peer: &str, here: &str) -> String {
    format!(
        "{peer}'s heartbeats arrive, but answer none of {here}'s: it lives and does not hear {here}, or they are replayed"
    )
}

/// The clocks of the nodes differ so much that who compares two logs must know.
pub(crate) fn clocks(peer: &str, ahead_ms: i64) -> Option<String> {
    let span = Duration::from_millis(ahead_ms.unsigned_abs());
    let way = if ahead_ms > 0 { "ahead of" } else { "behind" };
    (span >= super::CLOCKS_DIFFER).then(|| {
        let span = crate::shell::clock::span(span);
        format!("{peer}'s clock is {span} {way} this node's")
    })
}

/// Datagrams are refused, for one cause.
pub(crate) fn refused(refused: &[&Refused], peer: &str) -> String {
    let ways = ways(refused);
    match refused.first().map_or("", |first| first.cause.as_str()) {
        "other key" => {
            format!(
                "{ways}: heartbeats signed with another key are dropped: has {peer} another key?"
            )
        }
        NOBODY_LISTENS => format!(
            "{ways}: {peer} answers that nobody listens on the UDP port there: its daemon does not run, has another \
             `port` or was started as another node, or a firewall rejects it"
        ),
        OWN_NAME => format!(
            "{ways}: another machine speaks from there as this very node and not as {peer}: both were started as the \
             same node"
        ),
        cause => format!("{ways}: datagrams are dropped: {cause}"),
    }
}

/// The ways that they went.
pub(crate) fn ways(refused: &[&Refused]) -> String {
    let ways = refused.iter().map(|it| match it.cause.as_str() {
        NOBODY_LISTENS => format!("{} → {}", it.own, it.peer),
        _ => format!("{} → {}", it.peer, it.own),
    });
    ways.collect::<Vec<_>>().join(", ")
}

/// Why nothing is heard any more, where more is known than that: it said that it ends, or what comes is refused.
pub(crate) fn silence(
    here: &str,
    span: Duration,
    ended: bool,
    refused: Option<(&str, u64)>,
) -> Option<String> {
    if ended {
        return Some(
            "its daemon ended in maintenance, as it was told, and left running what runs".into(),
        );
    }
    let (cause, count) = refused?;
    let datagrams = if count == 1 { "datagram" } else { "datagrams" };
    let what = match cause {
        "other key" => format!("{datagrams} with another key"),
        OWN_NAME => format!("{datagrams} that say that they are {here}'s"),
        cause => format!("{datagrams} that were dropped ({cause})"),
    };
    Some(format!(
        "nothing accepted for {}; {count} {what}",
        crate::shell::clock::span(span)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_told_by_what_is_known_of_it() {
        let told = |ended, refused| silence("lb1", Duration::from_millis(500), ended, refused);
        assert_eq!(told(false, None), None);
        assert_eq!(
            told(false, Some(("other key", 9))).unwrap(),
            "nothing accepted for 500 ms; 9 datagrams with another key"
        );
        assert!(told(true, None).unwrap().contains("ended in maintenance"));
    }

    #[test]
    fn what_is_only_not_to_be_handed_over_serves_if_it_must() {
        let behind =
            "drbd r0 is not to be handed over to lb2 now: r0 is not connected to lb1".to_owned();
        let gone = "eth0: no carrier".to_owned();
        assert!(
            impaired("lb2", "unable", std::slice::from_ref(&behind))
                .starts_with("no move to lb2 now: drbd r0 is not")
        );
        assert!(impaired("lb2", "unable", &[behind, gone]).starts_with("lb2 could serve nobody"));
    }

    #[test]
    fn differences_are_few() {
        let all: Vec<String> = (1..=6)
            .map(|n| format!("group web: k{n} differs"))
            .collect();
        assert_eq!(
            drift("lb1", "lb2", &all[..1]),
            "ha.toml differs between lb1 and lb2: group web: k1 differs"
        );
        assert!(drift("lb1", "lb2", &all).ends_with("k4 differs; and 2 more"));
        assert_eq!(
            drift("lb1", "lb2", &[]),
            "ha.toml differs between lb1 and lb2"
        );
    }
}
