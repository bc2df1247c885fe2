//! What only both nodes together show.

use super::{Examined, Finding};
use crate::core::node::SIGN_LASTS;
use crate::core::time::Time;
use crate::shell::clock;
use crate::shell::refused::NOBODY_LISTENS;
use crate::shell::status::{Path, Status, sentence};
use std::collections::BTreeSet;

/// Of two nodes that hear each other. Without a file that can be read here there is less to compare.
pub fn between(status: &Status, here: Option<&Examined>, there: &Examined) -> Vec<Finding> {
    let (me, peer) = (status.node.as_str(), there.node.as_str());
    let software = &status.daemon.software;
    let mut findings = vec![Finding::ok(
        "key",
        format!("{me} and {peer} have a key in common"),
    )];
    findings.push(match *software == there.software {
        true => Finding::ok("version", format!("both run version {software}")),
        false => Finding::warning(
            "version",
            format!("{me} runs version {software}, {peer} {}", there.software),
        )
        .cured_by("install the newer one on both nodes, as README's \"Upgrade\" tells"),
    });
    findings.push(match status.peer.drift {
        false => Finding::ok("ha.toml", "both daemons have loaded the same"),
        true => Finding::warning(
            "ha.toml",
            sentence::drift(me, peer, &status.peer.differences),
        )
        .cured_by("copy the right one to the other node, then `ha-appliance reload` there"),
    });
    findings.push(clocks(peer, status.peer.clock_ahead_ms));
    match here {
        Some(here) => {
            findings.extend(users(here, there));
            findings.extend(mtus(status, here, there));
        }
        None => {
            let text = format!("users and MTU are not compared: {me}'s ha.toml cannot be read");
            findings.push(Finding::warning("ha.toml", text));
        }
    }
    findings
}

fn clocks(peer: &str, ahead_ms: Option<i64>) -> Finding {
    let Some(ahead_ms) = ahead_ms else {
        let text = format!("{peer} does not tell its time");
        return Finding::warning("clock", text).cured_by("compare `date` on both nodes");
    };
    match sentence::clocks(peer, ahead_ms) {
        None => Finding::ok("clock", "both nodes have the same time"),
        Some(clocks) => Finding::warning(
            "clock",
            format!("{clocks}: nothing is decided by it, but logs are hard to compare"),
        )
        .cured_by("`timedatectl` on both nodes; install chrony or systemd-timesyncd"),
    }
}

/// Of every user that is known of either: a number that one does not have is the very difference.
fn users(here: &Examined, there: &Examined) -> Vec<Finding> {
    let (me, peer) = (&here.node, &there.node);
    let names: BTreeSet<&String> = here.users.keys().chain(there.users.keys()).collect();
    let mut same = Vec::new();
    let mut findings = Vec::new();
    for user in names {
        let (text, cure) = match (here.users.get(user), there.users.get(user)) {
            (Some(mine), Some(theirs)) if mine == theirs => {
                same.push(format!("{user} {mine}"));
                continue;
            }
            (Some(mine), Some(theirs)) => (
                format!(
                    "{user} is user {mine} on {me} and {theirs} on {peer}: what one writes on a disk that both use is not the other's"
                ),
                format!("`usermod --uid` on one of them, and `chown` what belongs to {user}"),
            ),
            (mine, _) => {
                let lacks = if mine.is_none() { me } else { peer };
                (
                    format!("{lacks} has no user {user}, or did not say in time"),
                    format!(
                        "`getent passwd {user}` and `systemctl show --property=User` of the services, on both nodes"
                    ),
                )
            }
        };
        findings.push(Finding::warning("users", text).cured_by(cure));
    }
    if !same.is_empty() {
        let text = format!("the same on both nodes: {}", same.join(", "));
        findings.push(Finding::ok("users", text));
    }
    findings
}

fn mtus(status: &Status, here: &Examined, there: &Examined) -> Vec<Finding> {
    let links = status.paths.iter().filter(|path| !path.last_resort);
    let ends = here.mtus.iter().zip(&there.mtus);
    let differ = links
        .zip(ends)
        .filter(|(_, (mine, theirs))| **mine > 0 && **theirs > 0 && mine != theirs);
    let of = differ.map(|(link, (mine, theirs))| {
        let text = format!(
            "link {} ⇄ {}: packets have at most {mine} bytes at the one end and {theirs} at the other",
            link.own, link.peer
        );
        Finding::warning("mtu", text).cured_by("give both ends the same MTU")
    });
    let unknown = [here, there].into_iter().filter(|e| e.mtus.contains(&0));
    let unknown = unknown.map(|examined| {
        let text = format!(
            "how long packets may be at each link's end on {} is not known",
            examined.node
        );
        Finding::warning("mtu", text).cured_by(format!("`ip link` on {}", examined.node))
    });
    of.chain(unknown).collect()
}

/// Of a node that cannot be asked: what is known of each link and direction, and what to compare by hand.
pub fn unreached(status: &Status, now: Time, why: &str, port: Option<u16>) -> Vec<Finding> {
    let port = port.map_or("PORT".to_owned(), |port| port.to_string());
    let (me, peer) = (status.node.as_str(), status.peer_name());
    let cure =
        format!("look there: `ha-appliance doctor` on {peer}, then compare what it says with this");
    let mut findings =
        vec![Finding::error("peer", format!("{peer} cannot be asked: {why}")).cured_by(cure)];
    let dropped = |path: &Path| {
        let lately = status.refused.iter().filter(|refused| {
            refused.cause != NOBODY_LISTENS && now.since(Time(refused.last_us)) <= SIGN_LASTS
        });
        let mut of = lately.map(|refused| (&refused.own, &refused.peer));
        of.any(|ends| ends == (&path.own, &path.peer))
    };
    // On which of the paths, nobody notes.
    let speaks = status.peer.signs_of_life.iter().any(|sign| sign.heartbeat);
    for path in status.paths.iter().filter(|path| !path.last_resort) {
        let (own, other) = (&path.own, &path.peer);
        let inward = match (path.in_ok, path.heard_us) {
            (true, _) => "heard".to_owned(),
            (false, _) if dropped(path) => "what arrives is dropped".to_owned(),
            (false, _) if speaks => format!("what arrives answers nothing of {me}'s"),
            (false, Some(at)) => format!("heard last {} ago", clock::span(now.since(Time(at)))),
            (false, None) => format!("never heard since the daemon on {me} started"),
        };
        let outward = match path.out_ok {
            Some(true) => format!("heard by {peer}"),
            Some(false) => format!("not heard by {peer}"),
            None => "not known".to_owned(),
        };
        let text = format!("{other} → {own}: {inward}; {own} → {other}: {outward}");
        findings.push(match path.in_ok && path.out_ok == Some(true) {
            true => Finding::ok("link", text),
            false => Finding::error("link", text),
        });
    }
    let compare = [
        (
            "port",
            format!(
                "`ss -ulpn sport = :{port}` shows ha-appliance on both nodes, and `nft list ruleset` (or `iptables-save`) on both drops no UDP to port {port}"
            ),
        ),
        (
            "link",
            format!(
                "`tcpdump -ni any udp port {port}` on {peer} shows whether datagrams of {me} arrive there, and here the other way round"
            ),
        ),
        (
            "key",
            format!("`sha256sum` of the key_file gives the same on {me} and {peer}"),
        ),
        (
            "ha.toml",
            format!(
                "`sha256sum {}` too, and `ha-appliance version`",
                status.daemon.config
            ),
        ),
    ];
    findings.extend(
        compare.map(|(about, text)| Finding::warning(about, format!("to compare by hand: {text}"))),
    );
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::shell::status::sample::{NOW, Sample, ago};
    use std::collections::BTreeMap;

    fn examined(node: &str) -> Examined {
        Examined {
            node: node.into(),
            software: "0.1.0".into(),
            findings: Vec::new(),
            users: BTreeMap::from([("www-data".into(), 33)]),
            mtus: vec![1500, 1500],
        }
    }

    fn texts(findings: &[Finding], level: Level) -> Vec<&str> {
        let of = findings.iter().filter(|finding| finding.level == level);
        of.map(|finding| finding.text.as_str()).collect()
    }

    #[test]
    fn a_pair_that_agrees_is_well() {
        let mut status = Sample::default().status();
        status.peer.clock_ahead_ms = Some(-40);
        let findings = between(&status, Some(&examined("lb1")), &examined("lb2"));
        assert_eq!(
            texts(&findings, Level::Ok),
            [
                "lb1 and lb2 have a key in common",
                "both run version 0.1.0",
                "both daemons have loaded the same",
                "both nodes have the same time",
                "the same on both nodes: www-data 33",
            ]
        );
        assert_eq!(findings.len(), 5);
    }

    #[test]
    fn whatever_differs_is_told_with_its_cure() {
        let mut sample = Sample::default();
        sample.view.peer.drift = true;
        sample.differences = vec!["group web: prefer differs".into()];
        let mut status = sample.status();
        status.peer.clock_ahead_ms = Some(-37_000);
        let mut there = examined("lb2");
        there.software = "0.2.0".into();
        there.users.insert("www-data".into(), 48);
        there.mtus[0] = 9000;
        let findings = between(&status, Some(&examined("lb1")), &there);
        assert_eq!(
            texts(&findings, Level::Warning),
            [
                "lb1 runs version 0.1.0, lb2 0.2.0",
                "ha.toml differs between lb1 and lb2: group web: prefer differs",
                "lb2's clock is 37 s behind this node's: nothing is decided by it, but logs are hard to compare",
                "www-data is user 33 on lb1 and 48 on lb2: what one writes on a disk that both use is not the other's",
                "link 10.1.1.1 ⇄ 10.1.1.2: packets have at most 1500 bytes at the one end and 9000 at the other",
            ]
        );
        let warnings = findings.iter().filter(|f| f.level == Level::Warning);
        assert!(warnings.clone().all(|finding| finding.cure.is_some()));
    }

    #[test]
    fn what_was_not_told_is_not_well() {
        let status = Sample::default().status(); // it tells no time
        let mut here = examined("lb1");
        here.users.insert("app".into(), 990);
        let mut there = examined("lb2");
        there.users = BTreeMap::from([("app".into(), 990), ("backup".into(), 34)]);
        let findings = between(&status, Some(&here), &there);
        assert_eq!(
            texts(&findings, Level::Warning),
            [
                "lb2 does not tell its time",
                "lb1 has no user backup, or did not say in time",
                "lb2 has no user www-data, or did not say in time",
            ]
        );
        let last = texts(&findings, Level::Ok).pop();
        assert_eq!(last, Some("the same on both nodes: app 990"));
        let unread = between(&status, None, &there);
        assert_eq!(
            texts(&unread, Level::Warning).pop(),
            Some("users and MTU are not compared: lb1's ha.toml cannot be read")
        );
        there.users.clear(); // it took too long
        assert!(
            !texts(&between(&status, Some(&here), &there), Level::Ok)
                .iter()
                .any(|text| text.contains("app"))
        );
    }

    #[test]
    fn a_length_that_is_not_known_is_not_the_same() {
        let status = Sample::default().status();
        let mut there = examined("lb2");
        there.mtus[1] = 0;
        let findings = between(&status, Some(&examined("lb1")), &there);
        let text = "how long packets may be at each link's end on lb2 is not known";
        assert!(texts(&findings, Level::Warning).contains(&text));
    }

    #[test]
    fn of_a_silent_peer_each_direction_is_told() {
        let mut sample = Sample::default();
        for path in &mut sample.view.peer.paths {
            (path.in_ok, path.out_ok, path.heard) = (false, None, Some(ago(3200)));
        }
        sample.view.peer.paths[1].heard = None;
        let findings = unreached(&sample.status(), NOW, "lb2 is silent", Some(5405));
        assert_eq!(
            texts(&findings, Level::Error),
            [
                "lb2 cannot be asked: lb2 is silent",
                "10.1.1.2 → 10.1.1.1: heard last 3.2 s ago; 10.1.1.1 → 10.1.1.2: not known",
                "192.168.10.82 → 192.168.10.81: never heard since the daemon on lb1 started; 192.168.10.81 → 192.168.10.82: not known",
            ]
        );
        assert!(texts(&findings, Level::Warning)[0].contains("nft list ruleset"));
    }
}
