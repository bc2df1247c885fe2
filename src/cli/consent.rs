//! What an order would cost, said before it is given: then it needs `--yes`, or the operator's word at a terminal.

use crate::core::node::SIGN_LASTS;
use crate::core::time::Time;
use crate::shell::status::{Group, Refused, Status, on_its_way, sentence};
use std::io::{self, BufRead, IsTerminal, Write};

/// What is to be said before an order is given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// It is given if that is meant.
    Asked(String),
    /// The daemon would refuse it, and why: `yes` is not offered.
    Refused(String),
}

impl Cost {
    /// Asks at a terminal; elsewhere `yes` must be given. Err: why nothing is done.
    pub(super) fn consented(self, yes: bool) -> Result<(), String> {
        match self {
            // What is given all the same is the daemon's to judge, and to log.
            Cost::Asked(_) | Cost::Refused(_) if yes => Ok(()),
            Cost::Asked(cost) => ask(&cost),
            Cost::Refused(why) => Err(why),
        }
    }
}

fn ask(cost: &str) -> Result<(), String> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(format!(
            "{cost}\nnothing was done: give `--yes` if that is meant"
        ));
    }
    let mut err = io::stderr();
    let _ = write!(err, "{cost}\nDo it? Type yes: ").and_then(|()| err.flush());
    let mut line = String::new();
    let _ = io::stdin().lock().read_line(&mut line);
    match line.trim() {
        "yes" => Ok(()),
        _ => Err("nothing was done".into()),
    }
}

/// A group that is served will not be, or may not be.
pub(super) fn of_stop(status: &Status, group: &str, _now: Time) -> Option<Cost> {
    stopped(status, group).map(Cost::Asked)
}

fn stopped(status: &Status, group: &str) -> Option<String> {
    let group = status.groups.iter().find(|g| g.name == group)?;
    let (name, peer, state) = (&group.name, status.peer_name(), status.peer.state.as_str());
    let Some(at) = served_by(status, group) else {
        // It is about to be.
        if on_its_way(status, group) {
            return Some(format!(
                "{name} is just being started, or moved: `stop {name}` ends that, until `ha-appliance start {name}`"
            ));
        }
        // That nothing is known of it is no reason to think that it is idle.
        let may = matches!(state, "silent" | "unknown" | "refused") && !group.stopped;
        return may.then(|| {
            format!(
                "{peer} is {state} and may serve {name}: `stop {name}` takes it down there once {peer} hears of it, until \
                 `ha-appliance start {name}`"
            )
        });
    };
    let mut parts = group.vips.clone();
    parts.extend(
        group
            .resources
            .iter()
            .filter(|r| r.service.is_some())
            .map(|r| r.name.clone()),
    );
    let there = match state {
        "alive" => "on both nodes".to_owned(),
        _ => format!("here, and on {peer}, which is {state}, once it hears of it"),
    };
    Some(format!(
        "{name} is served by {at}: `stop {name}` takes it down {there} ({}), until `ha-appliance start {name}`",
        parts.join(", ")
    ))
}

/// The other node's power is cut.
pub(super) fn of_fence(status: &Status, rehearse: bool) -> Cost {
    let (peer, me) = (status.peer_name(), &status.node);
    let state = &status.peer.state;
    let runs = |group: &&Group| group.peer.as_ref().is_some_and(|at| at.role != "stopped");
    let runs: Vec<&str> = status
        .groups
        .iter()
        .filter(runs)
        .map(|g| g.name.as_str())
        .collect();
    if status.fencing.is_none() {
        return Cost::Refused(format!(
            "nothing in ha.toml switches {peer} off: a `[[fence]]` with `node = \"{peer}\"` would"
        ));
    }
    if rehearse && !runs.is_empty() {
        return Cost::Refused(format!(
            "{peer} runs {}, and is switched off to rehearse only while it runs nothing: `ha-appliance standby {peer}` first",
            runs.join(", ")
        ));
    }
    let serves = match (runs.is_empty(), state.as_str()) {
        (false, _) => format!("it runs {}, which stops there and then", runs.join(", ")),
        (true, "alive") => "it runs nothing".into(),
        (true, _) => format!("what it runs is not known to {me}"),
    };
    let again = match rehearse {
        true => ", and switched on again",
        false => "",
    };
    Cost::Asked(format!(
        "{peer} ({state}) is switched off at once and hard, as if its plug was pulled{again}; {serves}"
    ))
}

/// What the other node wrote alone is given up.
pub(super) fn of_data(status: &Status, resource: &str) -> Option<Cost> {
    let (here, peer) = (&status.node, status.peer_name());
    let (_, known) = status.drbd(resource)?;
    let is = known.service.as_ref().map_or("", |s| s.state.as_str());
    Some(Cost::Asked(format!(
        "{resource} on {here} is: {is}\nyou say that this is good enough: whatever {peer} wrote that is not here is given up, and \
         {peer} must not be started alone from now on: its data is then to be discarded, see DRBD in ha.toml(5)"
    )))
}

/// What the other node does not list would be lost, and nobody knows what that is.
pub(super) fn of_move(status: &Status, _now: Time) -> Option<Cost> {
    moved(status).map(Cost::Asked)
}

fn moved(status: &Status) -> Option<String> {
    let peer = status.peer_name();
    let told = !status.peer.differences.is_empty();
    if status.peer.state != "alive" || !status.peer.drift || told {
        return None; // the daemon refuses what it knows to lose something
    }
    Some(format!(
        "ha.toml differs between {} and {peer}, and {peer} has not told in what: what the node that takes over does not \
         list would be served by nobody",
        status.node
    ))
}

/// Nobody is left who could run what that node runs.
pub(super) fn of_standby(status: &Status, node: Option<&str>, _now: Time) -> Option<Cost> {
    let costs = [of_last(status, node), moved(status)];
    let costs: Vec<String> = costs.into_iter().flatten().collect();
    (!costs.is_empty()).then(|| Cost::Asked(costs.join("\n")))
}

fn of_last(status: &Status, node: Option<&str>) -> Option<String> {
    let (here, there) = status.here_and_there();
    let own = node.is_none_or(|node| node == status.node);
    let (leaving, other) = match own {
        true => (here, there),
        false => (there, here),
    };
    let name = |index: usize| status.nodes.get(index).map_or("?", |n| n.name.as_str());
    let (leaving, left) = (name(leaving), status.nodes.get(other)?);
    let away = own && status.peer.state != "alive";
    let lost: Vec<&str> = (status.groups.iter())
        .filter(|group| !group.stopped)
        .filter(|group| match own {
            true => group.role == "active" || group.adopted,
            false => group.peer.as_ref().is_some_and(|p| p.role == "active"),
        })
        .filter(|group| {
            let readiness = match own {
                true => group.peer.as_ref().map_or("unknown", |p| &p.readiness),
                false => &group.readiness,
            };
            away || left.standby || readiness != "able"
        })
        .map(|group| group.name.as_str())
        .collect();
    if lost.is_empty() {
        return None;
    }
    let why = match (away, left.standby) {
        (true, _) => format!("{} is {}", left.name, status.peer.state),
        (_, true) => format!("{} is in standby", left.name),
        _ => format!("{} could not run it well", left.name),
    };
    Some(format!(
        "{leaving} is the last node that can run {}: {why}. In standby it would be served by nobody until `ha-appliance online {leaving}`",
        lost.join(", ")
    ))
}

/// Two nodes run everything if it is not so.
pub(super) fn of_confirm(status: &Status, despite: bool, now: Time) -> Option<Cost> {
    let peer = status.peer_name();
    let heard = matches!(status.peer.state.as_str(), "alive" | "one-way" | "refused");
    if heard {
        return None; // the daemon refuses it
    }
    let signs = status.peer.signs_of_life.iter().map(|sign| {
        let ago = crate::shell::clock::span(now.since(Time(sign.at_us)));
        format!("{}, {ago} ago", sign.what)
    });
    let signs: Vec<String> = signs.collect();
    if !signs.is_empty() && !despite {
        return Some(Cost::Refused(format!(
            "refused: {peer} may well live:\n{}\nIf it is off, that is over within {} s: look again then",
            signs.join("\n"),
            SIGN_LASTS.as_secs()
        )));
    }
    let mut cost = format!(
        "you say that you have seen with your own eyes that {peer} is off: no power, or no cable at all. If it is not, both nodes will run everything at once"
    );
    for sign in &signs {
        cost += &format!("\n{sign}");
    }
    let lately = |r: &&Refused| now.since(Time(r.last_us)) <= SIGN_LASTS;
    for refused in status.refused.iter().filter(lately) {
        cost += &format!("\n{}", sentence::refused(&[refused], peer));
    }
    let blind = status.blind_spots();
    if !blind.is_empty() {
        let me = &status.node;
        cost += &format!(
            "\n{me} could not see whether {peer} lives ({}): it may be {me} that is cut off, while {peer} serves",
            blind.join(", ")
        );
    }
    if !signs.is_empty() {
        cost += "\nyou say that this is not the machine that is meant";
    }
    Some(Cost::Asked(cost))
}

fn served_by<'a>(status: &'a Status, group: &Group) -> Option<&'a str> {
    let there = group.peer.as_ref().is_some_and(|p| p.role == "active");
    if group.role == "active" || group.adopted {
        Some(&status.node)
    } else {
        there.then(|| status.peer_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::status::Fencing;
    use crate::shell::status::sample::Sample;
    use crate::wire::heartbeat::{Readiness, Role};

    #[test]
    fn nobody_is_asked_about_a_shot_that_is_refused() {
        let said = |sample: &Sample, rehearse| match of_fence(&sample.status(), rehearse) {
            Cost::Asked(why) => format!("asked: {why}"),
            Cost::Refused(why) => why,
        };
        let mut sample = Sample::default();
        assert!(said(&sample, false).starts_with("nothing in ha.toml switches lb2 off"));
        sample.fencing = Some(Fencing {
            ready: true,
            peer_ready: Some(true),
            delay_ms: 9000,
            devices: Vec::new(),
        });
        let idle = "asked: lb2 (alive) is switched off at once and hard, as if its plug was pulled, and switched on again; it \
                    runs nothing";
        assert_eq!(said(&sample, true), idle);
        sample.view.groups[0].peer = Some((Role::Active, Readiness::Able));
        assert!(
            said(&sample, true).starts_with("lb2 runs web, and is switched off to rehearse only")
        );
        assert!(said(&sample, false).starts_with("asked: "));
    }
}
