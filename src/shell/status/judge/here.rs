//! What is to be said of this node.

use super::{Concern, blocked, degraded, noted, tells_its_cure, unserved::is_why};
use crate::core::time::Time;
use crate::shell::status::{Group, Interface, Resource, Status, sentence};

pub(super) fn of_here(status: &Status, now: Time) -> Vec<Concern> {
    let mut concerns = Vec::new();
    concerns.extend(
        status
            .groups
            .iter()
            .flat_map(|group| of_resources(status, group, now)),
    );
    if status.maintenance {
        let text = match status.peer.state.as_str() {
            "alive" => {
                "maintenance: nothing is started, stopped or taken over, whatever happens".into()
            }
            state => format!(
                "maintenance: nothing is started, stopped or taken over on {}{}",
                status.node,
                sentence::unheard(status.peer_name(), state)
            ),
        };
        concerns.push(degraded(
            text,
            "`ha-appliance maintenance off` ends it".into(),
        ));
    }
    for node in status.nodes.iter().filter(|n| n.standby) {
        concerns.push(degraded(
            match node.here {
                true => format!("{} is in standby: it takes nothing", node.name),
                false => format!(
                    "{} is in standby: it takes nothing{}",
                    node.name,
                    sentence::unheard(&node.name, &status.peer.state)
                ),
            },
            format!("`ha-appliance online {}` ends it", node.name),
        ));
    }
    if status.leaving {
        concerns.push(noted(format!(
            "{} is leaving: the daemon is on its way out",
            status.node
        )));
    }
    if let Some(why) = &status.state_unwritable {
        concerns.push(degraded(
            why.clone(),
            match unwritable_there(status) {
                true => format!(
                    "make room, or mend the disk: it is tried again by itself; {} cannot write either, so what runs stays \
                     where it is",
                    status.peer_name()
                ),
                false if status.groups.iter().any(|g| g.role == "active" || g.adopted) => format!(
                    "make room, or mend the disk: it is tried again by itself; until then {} takes what {} runs, if it can",
                    status.peer_name(),
                    status.node
                ),
                false => "make room, or mend the disk: it is tried again by itself".into(),
            },
        ));
    }
    concerns.extend(status.daemon.warnings.iter().cloned().map(noted));
    if let Some(unloaded) = status.unloaded() {
        concerns.push(noted(unloaded.clone()));
    }
    if let Some(why) = status.refused_reload() {
        concerns.push(degraded(
            format!(
                "the last reload was refused, the configuration before is in force: {}",
                first_line(why)
            ),
            "`ha-appliance check` shows the mistake; mend it, then `ha-appliance reload`".into(),
        ));
    }
    // Of what serves nobody for that, it is said there.
    let vain = status.groups.iter().any(|group| group.vain());
    for interface in status.interfaces.iter().filter(|i| !i.carrier && !vain) {
        concerns.push(degraded(
            sentence::no_carrier(&interface.name, interface.exists),
            for_carrier(interface),
        ));
    }
    let dead = |name: &String| {
        let mut interfaces = status.interfaces.iter();
        interfaces.any(|i| i.name == *name && !i.carrier)
    };
    // Of one that this machine keeps from asking, it says why by itself.
    let asked = |g: &&crate::shell::status::Gateway| !dead(&g.interface) && !g.hindered;
    for gateway in status.gateways.iter().filter(asked) {
        concerns.push(match gateway.state.as_str() {
            "lost" => degraded(
                sentence::gateway_lost(&gateway.address, &gateway.interface, false),
                format!(
                    "if it answers on {}, it is the cable or switch of {}, or a filter there (ICMP; `nft list ruleset`); otherwise \
                     the router",
                    status.peer_name(),
                    status.node
                ),
            ),
            "dampened" => noted(format!(
                "gateway {} on {} answers again, but not for long enough",
                gateway.address, gateway.interface
            )),
            _ => continue,
        });
    }
    concerns
}

/// What brings an interface to life.
pub(super) fn for_carrier(interface: &Interface) -> String {
    let name = &interface.name;
    match interface.exists {
        true => format!(
            "`ip link show {name}`: `ip link set {name} up` if it is down, otherwise look at its cable and switch"
        ),
        false => {
            "`ip link` shows what there is: compare `interface` in ha.toml, or bring it up".into()
        }
    }
}

/// The peer says of a group that its own disk cannot be written.
fn unwritable_there(status: &Status) -> bool {
    let says = status.groups.iter();
    let mut says = says.filter_map(|group| group.peer.as_ref()?.says.as_ref());
    says.any(|says| says.unwritable)
}

/// What cannot run here, or waits. What failed, and gateways and cables, have concerns of their own.
fn of_resources(status: &Status, group: &Group, now: Time) -> Vec<Concern> {
    let here = &status.node;
    let mut concerns = Vec::new();
    let mut said = Vec::new();
    let missing = |r: &&Resource| {
        let fact = group.facts.iter().any(|fact| fact.contains(&r.name));
        (fact || r.state == "down") && group.fail_count == 0
    };
    if matches!(group.readiness.as_str(), "impaired" | "unable") {
        for resource in group.resources.iter().filter(missing) {
            let fact = group.facts.iter().find(|f| f.contains(&resource.name));
            let text = fact.map_or_else(
                || format!("{} is down on {here}", resource.name),
                String::clone,
            );
            said.push(resource.name.clone());
            // It is why nobody serves it, which has been said.
            if is_why(status, group, &text) {
                continue;
            }
            let known = tells_its_cure(&text);
            let text = format!("{}: {text}", group.name);
            concerns.push(match resource.state == "held back" {
                true => degraded(
                    text,
                    "bring ha.toml in line on both nodes, then `ha-appliance reload` on each"
                        .into(),
                ),
                false if known => noted(text),
                false => degraded(text, format!("mend that on {here}")),
            });
        }
    }
    for resource in &group.resources {
        let notice = resource.service.as_ref().and_then(|s| s.notice.as_ref());
        // What keeps it from running here has been said, with the same cause.
        let notice = notice.filter(|_| !said.contains(&resource.name));
        concerns.extend(notice.map(|notice| {
            let text = format!("{}: {}: {notice}", group.name, resource.name);
            match resource.is_frozen() {
                // Who writes waits.
                true => blocked(text, thaw(status, now)),
                false => degraded(
                    text,
                    format!(
                        "it goes on by itself as soon as it can, and does not count against {}",
                        resource.name
                    ),
                ),
            }
        }));
    }
    let of = |concern| Concern {
        group: Some(group.name.clone()),
        ..concern
    };
    concerns.into_iter().map(of).collect()
}

/// What lets DRBD write again.
fn thaw(status: &Status, now: Time) -> String {
    let peer = status.peer_name();
    let ends =
        format!("it ends when {peer} is connected again, or by the proof that {peer} is off");
    let blind = !status.blind_spots().is_empty() || status.peer_shows_life(now);
    match status.peer.state.as_str() {
        "fenced" => format!(
            "{peer} is taken as off, and DRBD is told so when it asks, within seconds: then it goes on; if this lasts, \
             `journalctl -u ha-appliance -g DRBD`"
        ),
        "silent" | "left" | "unknown" if !blind => format!(
            "{ends}; look at {peer}; only if you have seen with your own eyes that it is off: \
             `ha-appliance confirm-fenced {peer}`"
        ),
        _ => format!("{ends}; look at {peer}, and at the link that DRBD uses"),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
