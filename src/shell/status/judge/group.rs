//! What is to be said of a group.

use super::here::for_carrier;
use super::place::{Move, Place, place};
use super::{Concern, age, blocked, degraded, noted, served, unserved};
use crate::core::time::Time;
use crate::shell::clock;
use crate::shell::status::{Failed, Group, Pending, Resource, Status, sentence};
use std::time::Duration;

/// What is known not to be well of it, where it runs here.
pub(in crate::shell::status) fn ailing(group: &Group) -> impl Iterator<Item = &Resource> {
    let resources = group.resources.iter();
    resources.filter(|r| r.amiss.is_some() || r.is_frozen())
}

pub(super) fn of_group(status: &Status, group: &Group, now: Time) -> Vec<Concern> {
    let (me, peer_name) = (&status.node, status.peer_name());
    let name = &group.name;
    let mut concerns = Vec::new();
    concerns.extend(stuck(status, group));
    if let Some(conflict) = &group.conflict {
        concerns.push(blocked(
            format!("{name}: {}", sentence::conflict(me, conflict)),
            end_of_conflict(status),
        ));
    }
    if concerns.is_empty() {
        concerns.extend(unserved(status, group, now));
    }
    concerns.extend(served_by_nobody(status, group));
    concerns.extend(in_vain(status, group));
    match place(status, group) {
        // A failed stop says it all.
        Place::Moving(what) if !group.stopped && concerns.is_empty() => {
            let pending: Vec<Pending> = match (what.node == *me, &group.peer) {
                (true, _) => group.pending().collect(),
                (false, peer) => (peer.iter().filter_map(|peer| peer.says.as_ref()))
                    .flat_map(|says| says.pending.clone())
                    .collect(),
            };
            concerns.push(moving(name, &what, &pending, now));
        }
        Place::Both if concerns.is_empty() => concerns.push(both(status, group)),
        _ => {}
    }
    if let (Some(mac), Some(at)) = (&group.rival, group.rival_us) {
        concerns.push(degraded(
            format!(
                "{name}: another machine ({mac}) claims a VIP of it, the latest {} ago: clients may reach that one",
                age(now, at)
            ),
            "find it by that hardware address (`ip neigh`, the switch's table), and take the address from it".into(),
        ));
    }
    if group.adopted && !status.maintenance {
        let why = group.waiting.as_ref().unwrap_or(&group.reason);
        concerns.push(noted(format!(
            "{name}: found running on {me} and left so, but not confirmed yet: {why}"
        )));
    }
    for resource in &group.resources {
        let Some(amiss) = &resource.amiss else {
            continue;
        };
        let text = format!("{name}: {}", sentence::amiss(&resource.name, amiss));
        concerns.push(match status.maintenance {
            true => blocked(text, in_maintenance(resource)),
            false => noted(text),
        });
    }
    let says = group.peer.as_ref().filter(|peer| peer.role == "active");
    let says = says.and_then(|peer| peer.says.as_ref());
    for amiss in says.map_or(&[][..], |says| &says.amiss) {
        let text = format!("{name}: {peer_name} says of what it runs, not well: {amiss}");
        concerns.push(match status.maintenance {
            true => blocked(
                text,
                format!(
                    "nothing is done about it in maintenance: on {peer_name} `systemctl start` a service; \
                     `ha-appliance maintenance off` puts back the rest"
                ),
            ),
            false if amiss.contains(sentence::FROZEN) => blocked(
                text,
                format!("`ha-appliance status` on {peer_name} says what ends it"),
            ),
            false => noted(text),
        });
    }
    if group.stopped {
        concerns.push(degraded(
            format!(
                "{name}: stopped by the operator{}",
                sentence::unheard(peer_name, &status.peer.state)
            ),
            format!("`ha-appliance start {name}` lets it run again"),
        ));
    }
    concerns.extend(failures(status, group, now));
    concerns.extend(no_takeover(status, group));
    concerns
}

/// An address added by hand has no end, and would outlive its node's right to it.
fn in_maintenance(resource: &Resource) -> String {
    let cure = match resource.name.strip_prefix("service ") {
        Some(unit) => format!("`systemctl start {unit}`"),
        None => "`ha-appliance maintenance off` puts it back".into(),
    };
    format!("nothing is done about it in maintenance: {cure}")
}

/// A planned move is no reason to wake anybody.
fn moving(name: &str, what: &Move, pending: &[Pending], now: Time) -> Concern {
    let Move { node, role, .. } = what;
    let since = what.since_us.map(|at| format!(" for {}", age(now, at)));
    let why = what.reason.as_ref().map(|why| format!(": {why}"));
    let text = format!(
        "{name}: not active, {role} on {node}{}{}",
        since.unwrap_or_default(),
        why.unwrap_or_default()
    );
    match what.since_us {
        Some(at) if now.since(Time(at)) >= MOVING => blocked(
            text,
            match sentence::pending(pending, now) {
                Some(what) => format!("{what}; on {node} `ha-appliance status` shows more of it"),
                None => format!(
                    "it has the time that ha.toml gives it; on {node} `ha-appliance status` shows what it waits for"
                ),
            },
        ),
        _ => noted(text),
    }
}

/// What is over, and still to be known.
pub(super) fn of_the_past(status: &Status, group: &Group, now: Time) -> Option<Concern> {
    let says = group.peer.as_ref().and_then(|peer| peer.says.as_ref());
    let (by, text, at) = match (&group.both_ran, says) {
        (Some(text), _) => (String::new(), text, group.both_ran_us?),
        // It may be the one that knows.
        (None, says) => {
            let says = says?;
            let by = format!("{} says: ", status.peer_name());
            (by, says.both_ran.as_ref()?, says.both_ran_us?)
        }
    };
    Some(degraded(
        format!("{}: {by}{text} ({} ago)", group.name, age(now, at)),
        format!(
            "find out what cut the nodes off from each other; what clients wrote to one of them meanwhile is not on the \
             other. `ha-appliance history` has the course; `ha-appliance clear {}` says that you know, else it is said \
             for an hour",
            group.name
        ),
    ))
}

/// A stop failed, on either node. What no SIGKILL ends is to be named where it is read.
pub(crate) fn stuck(status: &Status, group: &Group) -> Option<Concern> {
    let there = group.peer.as_ref().is_some_and(|p| p.role == "failed");
    let here = group.role == "failed";
    let node = match here {
        true => &status.node,
        false if there => status.peer_name(),
        false => return None,
    };
    let name = &group.name;
    let says = group.peer.as_ref().and_then(|peer| peer.says.as_ref());
    let why = match here {
        true => Some(&group.reason),
        false => says
            .filter(|says| says.role == "failed")
            .map(|says| &says.reason),
    };
    let left = why.map_or(String::new(), |why| format!(": {why}"));
    // What kept it from being stopped may be gone, and it is there all the same.
    let there: Vec<&Resource> = match here {
        true => group
            .resources
            .iter()
            .filter(|r| r.state == "stuck")
            .collect(),
        false => Vec::new(),
    };
    let is = |resource: &&Resource| match &resource.service {
        Some(seen) => format!("{} ({})", resource.name, seen.state),
        None => resource.name.clone(),
    };
    let still: Vec<String> = there.iter().map(is).collect();
    let still = match still.is_empty() {
        true => String::new(),
        false => format!("; not stopped: {}", still.join(", ")),
    };
    let points = there.iter().filter_map(|r| r.name.strip_prefix("mount "));
    let unmount: String = points.map(|point| format!(" (`umount {point}`)")).collect();
    let names = match why {
        Some(_) => "",
        None => " (`ha-appliance status` there names it)",
    };
    let text =
        format!("{name}: a stop failed on {node}, so what runs there is not known{left}{still}");
    // Its processes wait for that, and no signal ends them.
    let frozen = group.resources.iter().find(|resource| resource.is_frozen());
    if let Some(frozen) = frozen {
        return Some(blocked(
            text,
            format!(
                "what waits for {} ends once its I/O goes on, see there; then `ha-appliance clear {name}`",
                frozen.name
            ),
        ));
    }
    Some(blocked(
        text,
        format!(
            "`ha-appliance clear {name}` tries it once more; what that leaves end by hand{names}{unmount}, or reboot {node} if \
             no SIGKILL ends it (state D)"
        ),
    ))
}

/// The node that runs it has another file, which lists less.
fn served_by_nobody(status: &Status, group: &Group) -> Option<Concern> {
    let there = matches!(place(status, group), Place::There);
    let (name, peer) = (&group.name, status.peer_name());
    (there && !group.unlisted_there.is_empty()).then(|| {
        degraded(
            format!(
                "{name}: {} is served by nobody: {peer} runs the group, and its ha.toml does not list that",
                group.unlisted_there.join(", ")
            ),
            "bring ha.toml in line on both nodes, then `ha-appliance reload` on each".into(),
        )
    })
}

/// A node runs it, and nobody can be served there, by that node's own account.
pub(crate) fn in_vain(status: &Status, group: &Group) -> Option<Concern> {
    let (me, peer) = (&status.node, status.peer_name());
    let says = group.peer.as_ref().and_then(|at| at.says.as_ref());
    let there = says.map_or(&[][..], |says| &says.facts);
    let (node, facts) = match place(status, group) {
        Place::Here if group.vain() => (me.as_str(), &group.facts[..]),
        Place::There if group.vain_there() => (peer, there),
        _ => return None,
    };
    let why = match facts.is_empty() {
        true => String::new(),
        false => format!(": {}", facts.join(", ")),
    };
    let standby = status
        .nodes
        .iter()
        .find(|other| other.standby && other.name != node);
    let advice = match standby {
        _ if status.maintenance => format!("; in maintenance it stays on {node}"),
        Some(other) => format!("; `ha-appliance online {0}` lets {0} take it", other.name),
        None => String::new(),
    };
    let mut dark = status
        .interfaces
        .iter()
        .filter(|interface| !interface.carrier);
    let mend = match dark.next().filter(|_| node == me) {
        Some(interface) => for_carrier(interface),
        None => format!("mend that on {node}"),
    };
    Some(blocked(
        format!(
            "{}: runs on {node}, and serves nobody there{why}",
            group.name
        ),
        mend + &advice,
    ))
}

/// Both have it, and nothing says that both serve it.
fn both(status: &Status, group: &Group) -> Concern {
    let (name, me, peer) = (&group.name, &status.node, status.peer_name());
    if !status.maintenance {
        return noted(format!("{name}: is moving, both nodes have it"));
    }
    let (active, found) = match group.adopted {
        true => (peer, me.as_str()),
        false => (me.as_str(), peer),
    };
    degraded(
        format!(
            "{name}: active on {active}, and its daemon found something of it running on {found}, too"
        ),
        format!(
            "nobody stops it in maintenance: stop by hand what is not to run on {found}; `ha-appliance maintenance off` \
             stops it on the node that holds no token"
        ),
    )
}

/// How both nodes come to be one.
fn end_of_conflict(status: &Status) -> String {
    let (me, peer) = (&status.node, status.peer_name());
    let now = format!("to end it at once, `systemctl stop ha-appliance` on {peer} or {me}");
    match status.peer.state.as_str() {
        _ if status.maintenance => format!(
            "in maintenance neither stops by itself: stop it by hand on {me} or {peer}, then `ha-appliance maintenance off`"
        ),
        "alive" => format!(
            "the nodes hear each other, so the one with the lower token stops by itself; if this lasts: {now}"
        ),
        "refused" => {
            format!("mend first why {peer} is refused: until then neither stops by itself; {now}")
        }
        "fenced" => format!(
            "{peer} is not off, though that was confirmed: switch it off, or `systemctl stop ha-appliance` there"
        ),
        _ => format!(
            "repair the paths between the nodes, then the one with the lower token stops by itself; {now}"
        ),
    }
}

fn failures(status: &Status, group: &Group, now: Time) -> Vec<Concern> {
    let name = &group.name;
    let told = group.peer.as_ref().and_then(|peer| peer.says.as_ref());
    let told = told.map_or(Vec::new(), |says| says.failures.clone());
    let here = (group.fail_count, status.node.clone());
    let there = status.peer_name().to_owned() + &status.as_last_heard(now);
    let counted = [
        (here, group.failures().collect()),
        ((group.peer_fail_count, there), told),
    ];
    let of = |((count, node), failures): ((u16, String), Vec<Failed>)| {
        let times = match count {
            0 => return None,
            1 => "once".to_owned(),
            _ => format!("{count} times"),
        };
        let failures: Vec<String> = failures.iter().map(|f| failed(f, now)).collect();
        let why = match &failures[..] {
            [] => String::new(),
            failures => format!(": {}", failures.join("; ")),
        };
        let what = match failures.is_empty() {
            true => "`ha-appliance history` says what failed; once the cause is mended",
            false => "once the cause is mended",
        };
        Some(degraded(
            format!("{name}: failed {times} on {node}{why}"),
            format!("{what}, `ha-appliance clear {name}` forgets it"),
        ))
    };
    counted.into_iter().filter_map(of).collect()
}

/// What failed, when, and how long that counts.
pub(crate) fn failed(failed: &Failed, now: Time) -> String {
    let mut text = failed.resource.clone();
    if !failed.text.is_empty() {
        text += &format!(" failed: {}", failed.text);
    }
    if let Some(at) = failed.at_us {
        text += &format!(", {} ago", age(now, at));
    }
    match failed.until_us {
        Some(at) => text + &format!("; forgotten in {}", left(now, at)),
        None => text + "; counts until it is cleared",
    }
}

/// How long until then, for people.
pub(in crate::shell::status) fn left(now: Time, stamp_us: i64) -> String {
    clock::span(Time(stamp_us).since(now))
}

/// It is served now, and a silent peer's part would not be taken over.
fn no_takeover(status: &Status, group: &Group) -> Option<Concern> {
    let why = group.no_takeover.as_ref()?;
    // Of one that nobody serves it is said why.
    if group.stopped || !served(status, group) {
        return None;
    }
    let hint = if why.contains("needs fencing") {
        "without fencing it stays down until an operator has looked at the other node"
    } else if why.contains("no gateway is known") {
        "name a router that answers ping in `[gateway] addresses`, or give the interface a default route; then `ha-appliance reload`"
    } else if why.contains("was refused") {
        "mend why it is refused, which is said where the other node is; once both hear each other it is over"
    } else if why.contains("in maintenance") {
        "`ha-appliance maintenance off` on the other node, once it is heard, ends it"
    } else if why.contains("a stop failed") {
        "until then it stays down if the other node dies, and somebody has to look there"
    } else {
        "it is asked every second while both nodes are up; if this lasts, look for an ARP filter between the nodes on that interface"
    };
    Some(degraded(
        format!(
            "{}: {}",
            group.name,
            sentence::no_takeover(&status.node, status.peer_name(), why)
        ),
        hint.into(),
    ))
}

/// So long a move may take that nobody need look at.
const MOVING: Duration = Duration::from_secs(5);
