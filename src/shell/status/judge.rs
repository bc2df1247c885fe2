//! What is not as it should be: each with how bad it is and what would help. The page prints them,
//! and the exit code of `status` is the worst of them.

use super::{Failed, Group, Path, Refused, Resource, SignOfLife, Status, sentence};
use crate::core::node::SIGN_LASTS;
use crate::core::time::Time;
use crate::shell::clock;
use crate::shell::refused::{NOBODY_LISTENS, OWN_NAME};
use std::time::Duration;

/// How bad. The number is the exit code of `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to say.
    Well = 0,
    /// Everything is served, but the next fault may hurt; or somebody wanted it so.
    Degraded = 1,
    /// A group is served by nobody, or by both, or nobody can tell.
    Blocked = 2,
}

impl Severity {
    /// As `status --json` says it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Well => "well",
            Severity::Degraded => "degraded",
            Severity::Blocked => "blocked",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// How bad.
    pub severity: Severity,
    /// The group, where it is about one.
    pub group: Option<String>,
    /// What.
    pub text: String,
    /// What would help.
    pub hint: Option<String>,
}

/// All of them, the worst first. `now` in the boot of the status.
pub fn judge(status: &Status, now: Time) -> Vec<Concern> {
    let groups = status.groups.iter();
    let mut concerns: Vec<Concern> = groups
        .flat_map(|group| {
            let mut of = of_group(status, group, now);
            of.iter_mut()
                .for_each(|c| c.group = Some(group.name.clone()));
            of
        })
        .collect();
    concerns.extend(of_peer(status, now));
    concerns.extend(of_refused(status, now));
    concerns.extend(of_links(status, now));
    concerns.extend(of_here(status));
    concerns.sort_by_key(|c| std::cmp::Reverse(c.severity)); // stable
    concerns
}

/// Where a group runs, as far as this node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Here.
    Here,
    /// On the peer, by its word.
    There,
    /// On both: in a move, or worse.
    Both,
    /// Nowhere just now: it is being started or stopped on that node.
    Moving(String, &'static str),
    /// Not here; of the peer nothing is known.
    Unknown,
    /// Nowhere.
    Nowhere,
}

/// Where that is.
pub(super) fn place(status: &Status, group: &Group) -> Place {
    let here = group.role == "active" || group.adopted;
    let told = group.peer.as_ref().map_or("", |peer| &peer.role);
    // Nothing is started in maintenance: a restarted daemon found it running.
    let there = told == "active" || (status.maintenance && told == "starting");
    let way = |role: &str| match role {
        "starting" => Some("starting"),
        "stopping" => Some("stopping"),
        _ => None,
    };
    let (mine, theirs) = (way(&group.role), way(told));
    match (here, there) {
        (true, true) => Place::Both,
        (true, false) => Place::Here,
        (false, true) => Place::There,
        _ if mine.is_some() => Place::Moving(status.node.clone(), mine.unwrap_or_default()),
        _ if theirs.is_some() => {
            Place::Moving(status.peer_name().into(), theirs.unwrap_or_default())
        }
        _ if group.elsewhere.is_some() => Place::Unknown,
        _ => match status.peer.state.as_str() {
            "alive" | "one-way" | "left" | "fenced" => Place::Nowhere,
            _ => Place::Unknown,
        },
    }
}

/// Whether its services are known to be well, where it runs here.
pub(super) fn ailing(group: &Group) -> impl Iterator<Item = &Resource> {
    group.resources.iter().filter(|r| r.amiss.is_some())
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
    if let Some(conflict) = &group.conflict {
        concerns.push(blocked(
            format!("{name}: {}", sentence::conflict(conflict)),
            format!(
                "repair the paths between the nodes, then the one with the lower token stops by itself; \
                 to end it at once, `systemctl stop ha-appliance` on {peer_name} or here"
            ),
        ));
    }
    match place(status, group) {
        // A failed stop says it all.
        Place::Nowhere | Place::Unknown | Place::Moving(..)
            if group.stopped || !concerns.is_empty() => {}
        Place::Nowhere => concerns.push(nowhere(status, group)),
        Place::Unknown => concerns.push(unknown(status, group, now)),
        Place::Moving(node, role) => {
            // A planned move is no reason to wake anybody.
            let lately = now.since(Time(group.since_us)) < MOVING;
            concerns.push(Concern {
                severity: if lately {
                    Severity::Degraded
                } else {
                    Severity::Blocked
                },
                ..noted(format!("{name}: runs nowhere yet, {role} on {node}"))
            });
        }
        Place::Both if concerns.is_empty() => {
            concerns.push(noted(format!("{name}: is moving, both nodes have it")))
        }
        Place::Here | Place::There | Place::Both => {}
    }
    if group.adopted && !status.maintenance {
        let why = group.waiting.as_ref().unwrap_or(&group.reason);
        concerns.push(noted(format!(
            "{name}: found running here and left so, but not confirmed yet: {why}"
        )));
    }
    for resource in ailing(group) {
        let amiss = resource.amiss.as_deref().unwrap_or_default();
        let text = format!("{name}: {}", sentence::amiss(&resource.name, amiss));
        concerns.push(match status.maintenance {
            true => blocked(
                text,
                "nothing is done about it in maintenance: mend it by hand".into(),
            ),
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
                format!("nothing is done about it in maintenance: mend it by hand on {peer_name}"),
            ),
            false => noted(text),
        });
    }
    if group.stopped {
        concerns.push(degraded(
            format!("{name}: stopped by the operator"),
            format!("`ha-appliance start {name}` lets it run again"),
        ));
    }
    concerns.extend(failures(status, group, now));
    concerns.extend(no_takeover(status, group));
    concerns
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
pub(super) fn left(now: Time, stamp_us: i64) -> String {
    clock::span(Time(stamp_us).since(now))
}

/// It is served now, and a silent peer's part would not be taken over.
fn no_takeover(status: &Status, group: &Group) -> Option<Concern> {
    let why = group.no_takeover.as_ref()?;
    if group.stopped {
        return None;
    }
    let hint = if why.contains("needs fencing") {
        "without fencing it stays down until an operator has looked at the other node"
    } else if why.contains("no gateway is known") {
        "name a router that answers ping in `[gateway] addresses`, or give the interface a default route; then `ha-appliance reload`"
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

/// What keeps it from running here.
fn why_not(group: &Group) -> &str {
    let why = group.waiting.as_ref().or(group.facts.first());
    why.unwrap_or(&group.reason)
}

/// It runs nowhere, and nobody wished that.
fn nowhere(status: &Status, group: &Group) -> Concern {
    let text = format!("{}: runs nowhere: {}", group.name, why_not(group));
    if status.maintenance {
        return blocked(
            text,
            "`ha-appliance maintenance off` lets the nodes work again".into(),
        );
    }
    let standby: Vec<&str> = (status.nodes.iter())
        .filter(|node| node.standby)
        .map(|node| node.name.as_str())
        .collect();
    let hint = match standby[..] {
        [] => "`ha-appliance history` says what led here".into(),
        [node, ..] => format!("`ha-appliance online {node}` lets {node} run it"),
    };
    blocked(text, hint)
}

/// It does not run here, and of the peer nothing is known.
fn unknown(status: &Status, group: &Group, now: Time) -> Concern {
    let (name, peer, me) = (&group.name, status.peer_name(), &status.node);
    if let Some(elsewhere) = &group.elsewhere {
        return degraded(
            format!("{name}: unknown from here, {elsewhere}: so it is probably active there"),
            format!("look on {peer}: `ha-appliance status`"),
        );
    }
    let why = match status.peer.state.as_str() {
        "refused" => &status.peer.reason,
        _ => why_not(group),
    };
    let text = format!("{name}: not active here, and unknown of {peer}: {why}");
    if status.maintenance {
        let hint = format!("look on {peer}; `ha-appliance maintenance off` lets {me} work again");
        return blocked(text, hint);
    }
    if let Some(until) = status.peer.waited_for_us.filter(|until| now.0 < *until) {
        let left = clock::span(Time(until).since(now));
        let hint = format!("nothing yet: {peer} is waited for, {left} more");
        return blocked(text, hint);
    }
    if status.peer_shows_life(now) || status.peer.state == "refused" {
        let hint =
            format!("something of {peer} is heard: look there, and at what is said of it here");
        return blocked(text, hint);
    }
    // From a node that sees nothing nobody may conclude that the other is dead.
    let blind = status.blind_spots();
    if !blind.is_empty() {
        let hint = format!(
            "mend this node's network first ({}): it may be {me} that is cut off, while {peer} serves; then look on {peer}",
            blind.join(", ")
        );
        return blocked(text, hint);
    }
    blocked(
        text,
        format!(
            "start {peer}; or, only if you have seen with your own eyes that it is off: `ha-appliance confirm-fenced {peer}`"
        ),
    )
}

fn of_peer(status: &Status, now: Time) -> Vec<Concern> {
    let (me, peer, state) = (&status.node, status.peer_name(), &status.peer);
    let since = age(now, state.since_us);
    let mut concerns = Vec::new();
    let runs_here = |group: &Group| group.role == "active" || group.adopted;
    let alone = match status.groups.iter().any(runs_here) {
        true => ": nobody could take over",
        false => "",
    };
    let firewall = "UDP, the port of `[heartbeat]`, in both directions (`nft list ruleset`), and the cables of the links";
    let unheard = nobody_listens(status, now).map(|refused| {
        format!(
            "its machine lives, and says at {} that nobody listens on the UDP port there: on {peer} \
             `systemctl status ha-appliance`, `ss -ulpn`; compare `port`, and which node it was started as",
            refused.peer
        )
    });
    // What is dropped here has come through every filter.
    let dropped = || {
        format!(
            "its datagrams arrive at {me} and are dropped: mend first what is said of them here"
        )
    };
    let between =
        || format!("it shows signs of life, so look at what is between the nodes: {firewall}");
    let lives = unheard.or_else(|| {
        let life = status.peer_shows_life(now);
        life.then(|| match of_refused(status, now).is_empty() {
            true => between(),
            false => dropped(),
        })
    });
    let (text, hint) = match state.state.as_str() {
        "alive" => (None, String::new()),
        "one-way" => (
            Some(format!("{peer} is heard, but does not hear {me}")),
            format!("look for a filter or a broken cable in the direction from {me} to {peer}"),
        ),
        "silent" => (
            Some(format!(
                "{peer} has been silent for {}{alone}",
                last_heard(status, now)
            )),
            lives.unwrap_or_else(|| {
                format!("look at its power and cables; on {peer}: `systemctl status ha-appliance`")
            }),
        ),
        "unknown" => (
            Some(format!(
                "{peer} was never heard since this daemon started, {since} ago"
            )),
            lives.unwrap_or_else(|| {
                format!("on {peer}: `systemctl status ha-appliance`; then {firewall}")
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
            format!("on {peer}: `systemctl start ha-appliance`"),
        ),
        "fenced" => (
            Some(format!(
                "{peer} is taken as off since {since}: {}{alone}",
                state.reason
            )),
            format!("find out why, then start {peer} again"),
        ),
        other => (
            Some(format!("{peer}: {other}")),
            "this program does not know that state".into(),
        ),
    };
    let speaks = state.signs_of_life.iter().any(|sign| sign.heartbeat);
    let quiet = matches!(state.state.as_str(), "silent" | "unknown") && speaks;
    concerns.extend(text.filter(|_| !quiet).map(|text| degraded(text, hint)));
    let told = |sign: &&SignOfLife| sign.heartbeat && state.state != "alive";
    concerns.extend(state.signs_of_life.iter().filter(told).map(|sign| {
        degraded(
            format!("{}, {} ago", sign.what, age(now, sign.at_us)),
            format!("look for a filter in the direction from {me} to {peer}: UDP, the port of `[heartbeat]`; `nft list ruleset` on both"),
        )
    }));
    if state.drift {
        concerns.push(degraded(
            sentence::drift(me, peer, &state.differences) + &status.as_last_heard(now),
            format!(
                "compare {} on both nodes, comments do not count; copy the right one to the other, then `ha-appliance reload` there",
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
        let facts = at_peer.says.as_ref().map_or(&[][..], |says| &says.facts);
        if readiness != "able" && at_peer.role != "active" {
            concerns.push(Concern {
                group: Some(group.name.clone()),
                ..degraded(
                    format!(
                        "{}: {}",
                        group.name,
                        sentence::impaired(peer, readiness, facts)
                    ),
                    match facts.is_empty() {
                        true => format!("`ha-appliance status` on {peer} says why"),
                        false => format!("mend that on {peer}"),
                    },
                )
            });
        }
    }
    concerns
}

/// Without maintenance a daemon that is told to end stops what it cannot hand over.
const RESTART: &str = "mend the wrong file and restart its daemon between `ha-appliance maintenance on` and `off` there, so that what runs there stays";

/// What helps against a refusal, by its cause.
fn refusal(cause: &str, peer: &str, config: &str) -> String {
    match cause {
        "other-cluster" => format!(
            "compare `cluster` in what `ha-appliance check` prints on both nodes: is {peer} of another pair? then {RESTART}"
        ),
        "other-nodes" => format!(
            "compare `grep '^\\[node' {config}` on both nodes: names and their order; then {RESTART}"
        ),
        "other-version" => {
            "install the same version on both nodes: `ha-appliance version` on each".into()
        }
        "same-node" => SAME_NODE.into(),
        _ => "compare ha.toml and `ha-appliance version` on both nodes".into(),
    }
}

const SAME_NODE: &str = "compare `hostname` and the `--node` option of the unit on both nodes: each must be another node";

/// What came from the peer's address and was refused, lately.
fn of_refused(status: &Status, now: Time) -> Vec<Concern> {
    let peer = status.peer_name();
    let lately = |r: &&Refused| now.since(Time(r.last_us)) <= LATELY;
    let of = |refused: &Refused| {
        let (from, count, ago) = (&refused.peer, refused.count, age(now, refused.last_us));
        let hint = match refused.cause.as_str() {
            "other key" => {
                "compare `sha256sum` of the key_file on both nodes; copy the right one, then `ha-appliance reload` there"
            }
            OWN_NAME => SAME_NODE,
            _ => "does another program or version use that port there?",
        };
        let what = sentence::refused(&refused.cause, from, &refused.own, peer);
        degraded(
            format!("{what} ({count} so far, the latest {ago} ago)"),
            hint.into(),
        )
    };
    let foreign = |r: &&Refused| r.cause != NOBODY_LISTENS;
    let refused = status.refused.iter().filter(foreign);
    refused.filter(lately).map(of).collect()
}

/// The latest word of the peer's machine that nobody listens there.
fn nobody_listens(status: &Status, now: Time) -> Option<&Refused> {
    let lately =
        |r: &&Refused| r.cause == NOBODY_LISTENS && now.since(Time(r.last_us)) <= SIGN_LASTS;
    status
        .refused
        .iter()
        .filter(lately)
        .max_by_key(|r| r.last_us)
}

/// What was refused longer ago is history.
const LATELY: Duration = Duration::from_secs(60);

fn of_links(status: &Status, now: Time) -> Vec<Concern> {
    // Without any life sign of the peer, single links say nothing more.
    if !matches!(status.peer.state.as_str(), "alive" | "one-way" | "refused") {
        return Vec::new();
    }
    let peer = status.peer_name();
    let broken = |what: String| {
        degraded(
            what,
            "look for a filter or a broken cable in that direction".into(),
        )
    };
    let of = |path: &Path| {
        let (own, other) = (&path.own, &path.peer);
        let mute = (!path.in_ok).then(|| {
            let what = sentence::mute("link", other, own, peer);
            broken(match path.heard_us {
                Some(at) => format!("{what}, for {}", age(now, at)),
                None => format!("{what} yet"),
            })
        });
        let deaf = (path.out_ok == Some(false))
            .then(|| broken(sentence::deaf("link", own, other, peer, &status.node)));
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
            "maintenance: nothing is started, stopped or taken over, whatever happens".into(),
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
        concerns.push(noted(format!(
            "{} is leaving: the daemon is on its way out",
            status.node
        )));
    }
    if let Some(why) = &status.state_unwritable {
        concerns.push(degraded(
            why.clone(),
            format!(
                "make room, or mend the disk: it is tried again by itself; until then the groups of {} go to a node that can write",
                status.node
            ),
        ));
    }
    if let Some(unloaded) = &status.daemon.unloaded {
        concerns.push(noted(unloaded.clone()));
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
            sentence::no_carrier(&interface.name),
            format!("look at the cable and the switch of {}", interface.name),
        ));
    }
    for gateway in &status.gateways {
        let text = match gateway.state.as_str() {
            "lost" => sentence::gateway_lost(&gateway.address, &gateway.interface),
            "dampened" => format!(
                "gateway {} on {} answers again, but not for long enough",
                gateway.address, gateway.interface
            ),
            _ => continue,
        };
        concerns.push(noted(text));
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

/// Degraded, and nothing to be done.
fn noted(text: String) -> Concern {
    Concern {
        severity: Severity::Degraded,
        group: None,
        text,
        hint: None,
    }
}

fn degraded(text: String, hint: String) -> Concern {
    Concern {
        hint: Some(hint),
        ..noted(text)
    }
}

fn blocked(text: String, hint: String) -> Concern {
    Concern {
        severity: Severity::Blocked,
        ..degraded(text, hint)
    }
}
