//! What is not as it should be: each with how bad it is and what would help. The page prints them,
//! and the exit code of `status` is the worst of them.

use super::{Group, Path, Resource, Status};
use crate::core::time::Time;
use crate::shell::clock;
use std::time::Duration;

/// How bad. The number is the exit code of `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to say.
    Well = 0,
    /// Everything is served, but the next fault may hurt; or somebody wanted it so.
    Degraded = 1,
    /// A group is served by nobody, or nobody can tell.
    Blocked = 2,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// How bad.
    pub severity: Severity,
    /// What.
    pub text: String,
    /// What would help.
    pub hint: Option<String>,
}

/// All of them, the worst first. `now` in the boot of the status.
pub fn judge(status: &Status, now: Time) -> Vec<Concern> {
    let mut concerns: Vec<Concern> = status
        .groups
        .iter()
        .flat_map(|group| of_group(status, group, now))
        .collect();
    concerns.extend(of_peer(status, now));
    concerns.extend(of_links(status, now));
    concerns.extend(of_here(status));
    concerns.sort_by_key(|c| std::cmp::Reverse(c.severity)); // stable
    concerns
}

/// Where a group is active, by index of `Status::nodes`; both in a move, or worse.
pub(super) fn active_on(status: &Status, group: &Group) -> Vec<usize> {
    let (here, there) = status.here_and_there();
    let at_peer = group.peer.as_ref().is_some_and(|p| p.role == "active");
    [
        (group.role == "active").then_some(here),
        at_peer.then_some(there),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_group(status: &Status, group: &Group, now: Time) -> Vec<Concern> {
    let (me, peer_name) = (&status.node, status.peer_name());
    let name = &group.name;
    let peer_role = group.peer.as_ref().map_or("", |p| &p.role);
    let mut concerns = Vec::new();
    for (role, node) in [(group.role.as_str(), me.as_str()), (peer_role, peer_name)] {
        if role == "failed" {
            concerns.push(blocked(
                format!("{name}: a stop failed on {node}, so what runs there is not known"),
                format!("on {node}, stop by hand what is left of it, then run `ha-appliance clear {name}`; or reboot {node}"),
            ));
        }
    }
    match active_on(status, group).len() {
        // A failed stop says it all.
        0 if group.stopped || !concerns.is_empty() => {}
        0 => concerns.push(nobody(status, group, now)),
        1 => {}
        _ => concerns.push(blocked(
            format!(
                "{name}: both nodes say active; it is moving, or each cannot know of the other"
            ),
            "look again in some seconds, then at `ha-appliance history` on both".into(),
        )),
    }
    if group.stopped {
        concerns.push(degraded(
            format!("{name}: stopped by the operator"),
            format!("`ha-appliance start {name}` lets it run again"),
        ));
    }
    for (count, node) in [
        (group.fail_count, me.as_str()),
        (group.peer_fail_count, peer_name),
    ] {
        if count > 0 {
            let times = if count == 1 {
                "once".into()
            } else {
                format!("{count} times")
            };
            concerns.push(degraded(
                format!("{name}: failed {times} on {node}"),
                format!("once the cause is mended, `ha-appliance clear {name}` forgets it"),
            ));
        }
    }
    concerns
}

/// So long a move may take that nobody need look at.
const MOVING: Duration = Duration::from_secs(5);

/// It runs nowhere, and nobody wished that.
fn nobody(status: &Status, group: &Group, now: Time) -> Concern {
    let (name, peer) = (&group.name, status.peer_name());
    let peer_role = group.peer.as_ref().map_or("", |p| &p.role);
    let under_way = [
        (group.role.as_str(), status.node.as_str()),
        (peer_role, peer),
    ]
    .into_iter()
    .find(|(role, _)| matches!(*role, "starting" | "stopping"));
    let lately = now.since(Time(group.since_us)) < MOVING;
    if let Some((role, node)) = under_way {
        return Concern {
            // A planned move is no reason to wake anybody.
            severity: if lately {
                Severity::Degraded
            } else {
                Severity::Blocked
            },
            text: format!("{name}: runs nowhere yet, {role} on {node}"),
            hint: None,
        };
    }
    let why = group
        .waiting
        .as_ref()
        .or(group.facts.first())
        .unwrap_or(&group.reason);
    let text = format!("{name}: runs nowhere: {why}");
    if status.maintenance {
        return blocked(
            text,
            "`ha-appliance maintenance off` lets the nodes work again".into(),
        );
    }
    match status.peer.state.as_str() {
        "silent" | "unknown" => blocked(
            text,
            format!(
                "start {peer}; or, only if you have seen that it is off, run `ha-appliance confirm-fenced {peer}`"
            ),
        ),
        _ => blocked(text, "`ha-appliance history` says what led here".into()),
    }
}

fn of_peer(status: &Status, now: Time) -> Vec<Concern> {
    let (me, peer, state) = (&status.node, status.peer_name(), &status.peer);
    let since = age(now, state.since_us);
    let mut concerns = Vec::new();
    let (text, hint) = match state.state.as_str() {
        "alive" => (None, String::new()),
        "one-way" => (
            Some(format!("{peer} is heard, but does not hear {me}")),
            format!("look for a filter or a broken cable in the direction from {me} to {peer}"),
        ),
        "silent" => (
            Some(format!("{peer} has been silent for {}: nobody can take over", last_heard(status, now))),
            format!("look at its power and cables; on {peer}: `systemctl status ha-appliance`"),
        ),
        "unknown" => (
            Some(format!("{peer} was never heard since this daemon started, {since} ago")),
            format!("on {peer}: `systemctl status ha-appliance`; then cables, addresses and filters of the links"),
        ),
        "refused" => (
            Some(format!("{peer} is refused, no group moves: {}", state.reason)),
            "make ha.toml and the program's version the same on both nodes, then `ha-appliance reload`".into(),
        ),
        "left" => (
            Some(format!("{peer} left {since} ago: nobody can take over")),
            format!("on {peer}: `systemctl start ha-appliance`"),
        ),
        "fenced" => (
            Some(format!("{peer} is known to be off: nobody can take over")),
            format!("find out why, then start {peer} again"),
        ),
        other => (Some(format!("{peer}: {other}")), "this program does not know that state".into()),
    };
    concerns.extend(text.map(|text| degraded(text, hint)));
    if state.drift {
        concerns.push(degraded(
            "ha.toml differs between the nodes".into(),
            "copy it from one to the other, then `ha-appliance reload` on both".into(),
        ));
    }
    for group in status.groups.iter().filter(|_| state.state == "alive") {
        let standby = status.nodes.iter().any(|n| !n.here && n.standby);
        let readiness = group.peer.as_ref().map_or("able", |p| &p.readiness);
        let serving = group.peer.as_ref().is_some_and(|p| p.role == "active");
        if readiness != "able" && !standby && !group.stopped && !serving {
            concerns.push(degraded(
                format!(
                    "{}: {peer} is {readiness}: it could not take over well",
                    group.name
                ),
                format!("`ha-appliance status` on {peer} says why"),
            ));
        }
    }
    concerns
}

fn of_links(status: &Status, now: Time) -> Vec<Concern> {
    // Without any life sign of the peer, single links say nothing more.
    if !matches!(status.peer.state.as_str(), "alive" | "one-way" | "refused") {
        return Vec::new();
    }
    let peer = status.peer_name();
    let broken = |from: &str, to: &str, what: String| {
        degraded(
            format!("link {from} → {to}: {what}"),
            "look for a filter or a broken cable in that direction".into(),
        )
    };
    let of = |path: &Path| {
        let mute = (!path.in_ok).then(|| broken(&path.peer, &path.own, silence(path, now)));
        let deaf = (path.out_ok == Some(false))
            .then(|| broken(&path.own, &path.peer, format!("{peer} hears nothing on it")));
        [deaf, mute]
    };
    status
        .paths
        .iter()
        .filter(|p| !p.last_resort)
        .flat_map(of)
        .flatten()
        .collect()
}

fn of_here(status: &Status) -> Vec<Concern> {
    let mut concerns = Vec::new();
    for group in &status.groups {
        // What failed, and gateways and cables, have concerns of their own.
        let down = |r: &&Resource| {
            let missing = group.facts.iter().any(|fact| fact.starts_with(&r.name));
            missing || r.state == "down"
        };
        if group.readiness == "impaired" && group.fail_count == 0 {
            let down: Vec<&str> = (group.resources.iter().filter(down))
                .map(|r| r.name.as_str())
                .collect();
            if !down.is_empty() {
                concerns.push(degraded(
                    format!("{}: {} cannot run here", group.name, down.join(", ")),
                    "the group's lines above say why".into(),
                ));
            }
        }
    }
    for resource in status.groups.iter().flat_map(|group| &group.resources) {
        let notice = resource.service.as_ref().and_then(|s| s.notice.as_ref());
        concerns.extend(notice.map(|notice| {
            degraded(
                format!("{}: {notice}", resource.name),
                "it goes on by itself as soon as it can, and does not count against the service"
                    .into(),
            )
        }));
    }
    if status.maintenance {
        concerns.push(degraded(
            "maintenance: nothing is started, stopped or taken over".into(),
            "`ha-appliance maintenance off` ends it".into(),
        ));
    }
    for node in status.nodes.iter().filter(|n| n.standby) {
        concerns.push(degraded(
            format!("{} is in standby: it takes nothing", node.name),
            format!("`ha-appliance online {}` ends it", node.name),
        ));
    }
    if status.leaving {
        concerns.push(Concern {
            severity: Severity::Degraded,
            text: format!("{} is leaving: the daemon is on its way out", status.node),
            hint: None,
        });
    }
    if let Some(why) = &status.state_unwritable {
        concerns.push(degraded(
            why.clone(),
            "it is tried again by itself; until then this node gives its groups away".into(),
        ));
    }
    if let Some(why) = &status.daemon.reload_error {
        concerns.push(degraded(
            format!(
                "the last reload was refused, the configuration before is in force: {}",
                first_line(why)
            ),
            "`ha-appliance check` shows the mistake; mend it, then `ha-appliance reload`".into(),
        ));
    }
    for interface in status.interfaces.iter().filter(|i| !i.carrier) {
        concerns.push(degraded(
            format!("{}: no carrier", interface.name),
            format!("look at the cable and the switch of {}", interface.name),
        ));
    }
    for gateway in &status.gateways {
        let text = match gateway.state.as_str() {
            "lost" => format!(
                "gateway {} on {} does not answer",
                gateway.address, gateway.interface
            ),
            "dampened" => format!(
                "gateway {} on {} answers again, but not for long enough",
                gateway.address, gateway.interface
            ),
            _ => continue,
        };
        concerns.push(Concern {
            severity: Severity::Degraded,
            text,
            hint: None,
        });
    }
    concerns
}

/// "nothing for 3.2 s", or "nothing yet".
pub(super) fn silence(path: &Path, now: Time) -> String {
    path.heard_us.map_or("nothing yet".into(), |at| {
        format!("nothing for {}", age(now, at))
    })
}

/// How long ago a stamp was, for people.
pub(super) fn age(now: Time, stamp_us: i64) -> String {
    clock::span(now.since(Time(stamp_us)))
}

fn last_heard(status: &Status, now: Time) -> String {
    age(now, status.peer.heard_us.unwrap_or(status.peer.since_us))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn degraded(text: String, hint: String) -> Concern {
    Concern {
        severity: Severity::Degraded,
        text,
        hint: Some(hint),
    }
}

fn blocked(text: String, hint: String) -> Concern {
    Concern {
        severity: Severity::Blocked,
        text,
        hint: Some(hint),
    }
}
