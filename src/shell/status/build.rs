//! From the core's view to `status.json`: what things are known by becomes their names.

use super::elsewhere::{conflict, elsewhere};
use super::lack::lack;
use super::look::{amiss, runs_here};
use super::{
    Answers, Daemon, Fencing, Gateway, Group, GroupAtPeer, Interface, Node, Path, Peer, Refused,
    Resource, SCHEMA, Said, ServiceStatus, SignOfLife, Status, sentence,
};
use crate::config::{self, Digests};
use crate::core::gateway::GatewayState;
use crate::core::node::{Sign, SignKind};
use crate::core::peer::PeerState;
use crate::core::reason::{Fact, Reason};
use crate::core::time::Time;
use crate::core::view::{GroupView, PathView, ResourceState, ResourceView, View};
use crate::id::{GatewayId, GroupId, Place, ResourceId, VifId};
use crate::shell::aside::End;
use crate::shell::course::Course;
use crate::shell::services::ServiceView;
use crate::wire::heartbeat::{Readiness, Role, Side};
use crate::words::{Mac, Voice};
use std::collections::BTreeMap;

/// What the core's ids are called. It changes with the configuration and the host, not with
/// every event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The cluster.
    pub cluster: String,
    /// The nodes, first and second.
    pub nodes: [String; 2],
    /// Which of them this one is.
    pub me: Side,
    /// The paths to the peer: the links first.
    pub paths: Vec<PathNames>,
    /// The VIP interfaces; one not known yet has no name.
    pub vifs: Vec<(VifId, String)>,
    /// Those of them that this machine does not have.
    pub absent: Vec<VifId>,
    /// The gateways that this machine keeps from asking, and says why.
    pub unasked: Vec<GatewayId>,
    /// The groups.
    pub groups: Vec<GroupNames>,
}

/// A path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathNames {
    /// This node's address.
    pub own: String,
    /// The peer's address.
    pub peer: String,
    /// Of last resort, not a link.
    pub last_resort: bool,
    /// Its place among the core's, in which those that are not open have one too.
    pub place: usize,
    /// Why this node's end is of no use: it stands on no live interface, or its socket is none. Nothing more is to be
    /// said here of what does not go this way.
    pub hindered: Option<String>,
}

impl Names {
    /// The paths as the core has them, each with its names.
    pub fn paths<'a>(
        &'a self,
        view: &'a View,
    ) -> impl Iterator<Item = (&'a PathNames, &'a PathView)> {
        let known = self.paths.iter();
        known.filter_map(|names| Some((names, view.peer.paths.get(names.place)?)))
    }
}

impl PathNames {
    /// It is of last resort, and goes the way of a link.
    pub fn is_as_a_link(&self, all: &[PathNames]) -> bool {
        let same = |link: &PathNames| {
            !link.last_resort && (&link.own, &link.peer) == (&self.own, &self.peer)
        };
        self.last_resort && all.iter().any(same)
    }
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupNames {
    /// Which.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// Its VIPs as in ha.toml.
    pub vips: Vec<String>,
    /// Its resources, as a person would call them ("vip 192.168.10.80/24").
    pub resources: Vec<(ResourceId, String)>,
}

/// All that a status is made of, but for the time.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What the core knows.
    pub view: &'a View,
    /// What its ids are called.
    pub names: &'a Names,
    /// The daemon itself.
    pub daemon: &'a Daemon,
    /// What was counted, by what it is called in `status.json` ("received", "rejected: bad key").
    pub counters: &'a BTreeMap<&'static str, u64>,
    /// The latest requests.
    pub answers: &'a Answers,
    /// The services, by group and resource.
    pub services: &'a BTreeMap<Place, ServiceView>,
    /// What a look at a resource other than a service finds amiss.
    pub amiss: &'a BTreeMap<Place, String>,
    /// Datagrams that were refused lately.
    pub refused: &'a [Refused],
    /// What the peer says of its groups.
    pub told: &'a [Said],
    /// How often it has said anything.
    pub words: u64,
    /// In what the nodes' files differ, as far as it is known.
    pub differences: &'a [String],
    /// What this node's file sets, and the peer's, if it has told.
    pub settings: Option<(&'a Digests, &'a Digests)>,
    /// What the peer says of itself that this node cannot see.
    pub peer_amiss: &'a [String],
    /// Its ends of paths that it knows to be of no use, and why.
    pub peer_ends: &'a [End],
    /// In maintenance the peer's daemon ended as it was told: when that was heard.
    pub peer_ended: Option<Time>,
    /// What is known of a silent peer's silence.
    pub silence: Option<&'a str>,
    /// How far the peer's clock is ahead of this node's, ms.
    pub clock_ahead_ms: Option<i64>,
    /// How a silent peer is switched off; none: nothing does.
    pub fencing: Option<&'a Fencing>,
    /// Since when groups run that an earlier daemon of this boot started, by the token's epoch.
    pub adopted: &'a [Adopted],
    /// What happened to the groups.
    pub course: &'a Course,
}

/// A group that an earlier daemon of this boot started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Which.
    pub group: GroupId,
    /// By the right of this epoch.
    pub epoch: u64,
    /// Since when.
    pub since: Time,
}

impl Names {
    /// A node's name.
    pub fn node(&self, side: Side) -> &str {
        match side {
            Side::First => &self.nodes[0],
            Side::Second => &self.nodes[1],
        }
    }

    /// As this node says it, whoever reads it.
    fn voice(&self) -> Voice<'_> {
        Voice {
            here: self.node(self.me),
            peer: self.node(self.me.other()),
        }
    }

    /// A reason, with the names of what it is about.
    pub fn reason(&self, reason: &Reason, group: Option<GroupId>) -> String {
        let words = || reason.words(self.voice());
        let resource = |id: &ResourceId| self.resource(group, *id);
        match reason {
            Reason::NoGatewayKnown(vif)
            | Reason::NoGatewayAnswer(vif)
            | Reason::ProbeUnproven(vif) => self.on_vif(*vif, words()),
            Reason::Fact(fact) => self.fact(*fact, group),
            // It may know of a later one than this node, and hold none itself.
            Reason::HigherToken(token) => format!(
                "by {}'s word the right to run it is {}'s (token {})",
                self.voice().peer,
                self.node(token.holder),
                token.epoch
            ),
            Reason::ResourceFailed(i, why) => failed(&resource(i), why),
            Reason::PutBack(i)
            | Reason::MadeSure(i)
            | Reason::HeldBack(i)
            | Reason::Covered(i)
            | Reason::StartedByHand(i)
            | Reason::FoundDown(i)
            | Reason::ReadyAgain(i)
            | Reason::Unready(i, _)
            | Reason::Partly(i, _)
            | Reason::Behind(i, _)
            | Reason::Recovered(i, _) => {
                format!("{} {}", resource(i), words())
            }
            Reason::Reinstalled(i) => match resource(i) {
                name if name.starts_with("mount ") => format!("the device of {name} came or went"),
                name => format!("{name} {}", words()),
            },
            Reason::NotServing(i) => {
                let Voice { here, peer } = self.voice();
                format!(
                    "{} does not run and {peer} may count {here} as silent: left to {peer}, should it live",
                    resource(i)
                )
            }
            Reason::Standby(side, _) => format!("{} {}", self.node(*side), words()),
            _ => words(),
        }
    }

    /// A fact, with the name of what it is about.
    pub fn fact(&self, fact: Fact, group: Option<GroupId>) -> String {
        let Voice { here, peer } = self.voice();
        match fact {
            Fact::GatewayLost(vif) | Fact::GatewayDampened(vif) | Fact::GatewayPending(vif) => self
                .on_vif(
                    vif,
                    match self.unasked.iter().any(|gateway| gateway.vif == vif) {
                        true => {
                            format!("the gateway cannot be asked, for pings do not leave {here}")
                        }
                        false => fact.to_string(),
                    },
                ),
            Fact::NoCarrier(vif) => self.no_carrier(vif),
            Fact::Missing(resource) => {
                let name = self.resource(group, resource);
                match name.starts_with("mount ") {
                    // As of a DRBD that is not up yet. That it is there is noticed by itself.
                    true => format!("{name} has no device on {here}"),
                    false => {
                        format!(
                            "{name} is not installed on {here}; `ha-appliance clear` once it is"
                        )
                    }
                }
            }
            Fact::Unready(resource) => {
                format!(
                    "{} cannot run on {here} now",
                    self.resource(group, resource)
                )
            }
            Fact::Partly(resource) => {
                format!("{} is impaired on {here}", self.resource(group, resource))
            }
            Fact::Behind(resource) => format!(
                "{} {} {here} now",
                self.resource(group, resource),
                sentence::NOT_HANDED_OVER
            ),
            Fact::HeldBack(resource) | Fact::AllHeldBack(resource) => {
                format!(
                    "{} is held back: {peer}'s ha.toml does not list it in this group",
                    self.resource(group, resource)
                )
            }
            Fact::DataFailed(resource) => {
                let name = self.resource(group, resource);
                format!("{name} failed on both nodes: mend it, then `ha-appliance clear`")
            }
            Fact::Down(resource) => {
                let name = self.resource(group, resource);
                format!("{name} ought to run on both nodes and does not run on {here}")
            }
            _ => fact.words(self.voice()),
        }
    }

    /// A fact about a group as it is now: with what a resource lacks.
    pub fn fact_of(&self, fact: Fact, group: &GroupView) -> String {
        let text = self.fact(fact, Some(group.id));
        let (Fact::Unready(id) | Fact::Partly(id) | Fact::Behind(id)) = fact else {
            return text;
        };
        let resource = group.resources.iter().find(|r| r.id == id);
        match resource.and_then(|resource| resource.unready.as_ref()) {
            Some(why) => format!("{text}: {why}"),
            None => text,
        }
    }

    /// A mount has no device because the DRBD that it is on cannot run, which is a fact of its own.
    fn is_below(&self, fact: Fact, group: &GroupView) -> bool {
        let named = |id| self.resource(Some(group.id), id);
        let drbd =
            |fact: &Fact| matches!(fact, Fact::Unready(id) if named(*id).starts_with("drbd "));
        matches!(fact, Fact::Missing(id) if named(id).starts_with("mount "))
            && group.facts.iter().any(drbd)
    }

    /// A group's name; it may have been taken out of ha.toml since.
    pub fn group(&self, id: GroupId) -> String {
        let known = self.groups.iter().find(|g| g.id == id);
        known.map_or_else(
            || "a group that is not in ha.toml any more".into(),
            |g| g.name.clone(),
        )
    }

    /// The VIPs of a group, in a few words.
    pub(super) fn vips_of(&self, id: GroupId) -> String {
        let known = self.groups.iter().find(|g| g.id == id);
        match known.map_or(&[][..], |g| &g.vips[..]) {
            [] => "a VIP".into(),
            [one] => one.split('/').next().unwrap_or(one).into(),
            [one, ..] => {
                let one = one.split('/').next().unwrap_or(one);
                format!("a VIP of {} (such as {one})", self.group(id))
            }
        }
    }

    pub(crate) fn resource(&self, group: Option<GroupId>, id: ResourceId) -> String {
        let group = self.groups.iter().find(|g| Some(g.id) == group);
        let known = group.and_then(|g| g.resources.iter().find(|(known, _)| *known == id));
        known.map_or_else(
            || "a resource that is not in ha.toml any more".into(),
            |(_, name)| name.clone(),
        )
    }

    /// What is said of a VIP interface; one that nobody knows yet has no name.
    fn on_vif(&self, id: VifId, what: String) -> String {
        match self.vif(id) {
            "" => what,
            name => format!("{name}: {what}"),
        }
    }

    /// Why a VIP interface reaches nobody.
    pub fn no_carrier(&self, id: VifId) -> String {
        sentence::no_carrier(self.vif(id), !self.absent.contains(&id))
    }

    /// A VIP interface's name.
    pub fn vif(&self, id: VifId) -> &str {
        let known = self.vifs.iter().find(|(known, _)| *known == id);
        known.map_or("?", |(_, name)| name)
    }
}

/// A status as of now.
pub(super) fn build(facts: &Facts, now: Time, wall: String, boot_id: String) -> Status {
    let Facts {
        view,
        names,
        daemon,
        counters,
        answers,
        ..
    } = facts;
    let sides = [Side::First, Side::Second];
    Status {
        schema: SCHEMA,
        cluster: names.cluster.clone(),
        node: names.node(view.me).to_owned(),
        boot_id,
        stamp_us: now.0,
        stamp: wall,
        verdict: String::new(),
        attention: Vec::new(),
        daemon: (*daemon).clone(),
        maintenance: view.maintenance,
        leaving: view.leaving,
        state_unwritable: view.state_unwritable.clone(),
        fencing: facts.fencing.cloned(),
        nodes: sides
            .into_iter()
            .zip(view.standby)
            .map(|(side, standby)| Node {
                name: names.node(side).to_owned(),
                here: side == view.me,
                standby,
            })
            .collect(),
        peer: Peer {
            state: view.peer.state.to_string(),
            since_us: view.peer.since.0,
            reason: match facts
                .silence
                .filter(|_| view.peer.state == PeerState::Silent)
            {
                Some(why) => why.to_owned(),
                None => names.reason(&view.peer.reason, None),
            },
            ended_us: (facts
                .peer_ended
                .filter(|_| view.peer.state == PeerState::Silent))
            .map(|at| at.0),
            heard_us: view.peer.last_heard.map(|t| t.0),
            detection_ms: view.peer.detection.as_millis() as u64,
            software: view.peer.software.clone(),
            drift: drift(view),
            differences: match drift(view) {
                true => facts.differences.to_vec(),
                false => Vec::new(),
            },
            amiss: match facts.peer_speaks() {
                true => facts.peer_amiss.to_vec(),
                false => Vec::new(),
            },
            cause: cause(&view.peer.reason).into(),
            signs_of_life: view.peer.signs.iter().map(|s| sign(facts, s)).collect(),
            waited_for_us: view.peer.waited_for.map(|at| at.0),
            clock_ahead_ms: facts.clock_ahead_ms,
        },
        paths: names
            .paths(view)
            .map(|(names, path)| Path {
                own: names.own.clone(),
                peer: names.peer.clone(),
                last_resort: names.last_resort,
                heard_us: path.heard.map(|t| t.0),
                in_ok: path.in_ok,
                // What it said before it was refused is of then.
                out_ok: path.out_ok.filter(|_| facts.peer_speaks()),
                hindered: names.hindered.is_some(),
                hindered_there: facts.hindered_there(&names.peer).cloned(),
            })
            .collect(),
        interfaces: view
            .vifs
            .iter()
            .map(|vif| Interface {
                name: names.vif(vif.id).to_owned(),
                exists: !names.absent.contains(&vif.id),
                carrier: vif.carrier,
                probe_proven: vif.probe_proven,
            })
            .collect(),
        gateways: view
            .gateways
            .iter()
            .map(|gateway| Gateway {
                address: gateway.id.address.to_string(),
                interface: names.vif(gateway.id.vif).to_owned(),
                state: gateway_state(gateway.state).into(),
                since_us: gateway.since.0,
                hindered: names.unasked.contains(&gateway.id),
            })
            .collect(),
        groups: view
            .groups
            .iter()
            .map(|group| build_group(facts, group, now))
            .collect(),
        refused: facts.refused.to_vec(),
        counters: counters
            .iter()
            .map(|(&name, &count)| (name.to_owned(), count))
            .collect(),
        answers: answers.to_vec(),
    }
    .judged(now)
}

/// Behind a dead cable no gateway answers: that is no second fact.
fn follows(fact: Fact, from: &[Fact]) -> bool {
    match fact {
        Fact::GatewayLost(vif) | Fact::GatewayDampened(vif) | Fact::GatewayPending(vif) => {
            from.contains(&Fact::NoCarrier(vif))
        }
        _ => false,
    }
}

/// By the peer's last word. What is refused says of its file no more than why it is refused.
fn drift(view: &View) -> bool {
    view.peer.drift && view.peer.state != PeerState::Refused
}

/// Why a peer is refused, as a word.
fn cause(reason: &Reason) -> &'static str {
    match reason {
        Reason::OtherCluster => "other-cluster",
        Reason::OtherNodes => "other-nodes",
        Reason::OtherVersion(..) => "other-version",
        Reason::SameNode => "same-node",
        _ => "",
    }
}

fn sign(facts: &Facts, sign: &Sign) -> SignOfLife {
    let (names, peer) = (facts.names, facts.peer());
    let what = match &sign.kind {
        SignKind::Unproven(_) => sentence::unanswering(peer, names.node(facts.view.me)),
        SignKind::Unlistening => {
            format!(
                "{peer}'s machine answers that nobody listens on the heartbeat's port: it has power"
            )
        }
        SignKind::Answered(vif, group, mac) => {
            let what = match group {
                Some(group) => format!("for {}", names.vips_of(*group)),
                None => "for its own address".into(),
            };
            format!(
                "{peer} answers {what} on {} (hardware address {})",
                names.vif(*vif),
                Mac(mac)
            )
        }
    };
    SignOfLife {
        what,
        heartbeat: matches!(sign.kind, SignKind::Unproven(_)),
        at_us: sign.at.0,
    }
}

impl Facts<'_> {
    pub(super) fn peer(&self) -> &str {
        self.names.node(self.view.me.other())
    }

    /// Why the peer's end at that address is of no use, by its own word.
    pub fn hindered_there(&self, address: &str) -> Option<&String> {
        let ends = self.peer_ends.iter().filter(|_| self.peer_speaks());
        let mut at = ends.filter(|end| end.address == address);
        at.next().map(|end| &end.why)
    }

    /// The peer says so of a group, where it is told.
    pub fn says_of_a_group(&self, what: &str) -> bool {
        let mut facts = self.told.iter().flat_map(|said| &said.facts);
        facts.any(|fact| fact == what)
    }

    fn peer_speaks(&self) -> bool {
        matches!(self.view.peer.state, PeerState::Alive | PeerState::OneWay)
    }
}

fn build_group(facts: &Facts, group: &GroupView, now: Time) -> Group {
    let (names, id) = (facts.names, Some(group.id));
    let known = names.groups.iter().find(|g| g.id == group.id);
    let both = facts.course.both(group.id, now);
    Group {
        name: names.group(group.id),
        vips: known.map(|g| g.vips.clone()).unwrap_or_default(),
        role: role(group.role).into(),
        since_us: since(facts, group).0,
        reason: match (&group.reason, facts.course.went_by(group.id)) {
            // Looked at again, as after a reload, it is stopped for what it was stopped for.
            (Reason::FoundStopped | Reason::Operator | Reason::Fact(_), Some(went_by)) => {
                went_by.clone()
            }
            (Reason::Reinstalled(_), went_by) => match went_by {
                Some(went_by) => went_by.clone(),
                None => names.reason(&Reason::FoundStopped, id),
            },
            (reason, _) => names.reason(reason, id),
        },
        came_by: facts.course.came_by(group.id).cloned(),
        both_ran: both.map(|(text, _)| text.clone()),
        both_ran_us: both.map(|(_, at)| at.0),
        adopted: group.adopted,
        elsewhere: elsewhere(facts, group, now),
        conflict: conflict(facts, group, now),
        rival: group.rival.map(|rival| Mac(&rival.mac).to_string()),
        rival_us: group.rival.map(|rival| rival.at.0),
        protection: protection(facts, group).into(),
        no_takeover: (group.no_seizure.as_ref()).map(|reason| names.reason(reason, id)),
        epoch: group.token.epoch,
        holder: names.node(group.token.holder).to_owned(),
        readiness: readiness(group.readiness).into(),
        facts: group
            .facts
            .iter()
            .filter(|fact| !follows(**fact, &group.facts) && !names.is_below(**fact, group))
            .map(|&fact| names.fact_of(fact, group))
            .collect(),
        peer: group.peer.map(|(r, ready)| GroupAtPeer {
            role: role(r).into(),
            readiness: readiness(ready).into(),
            says: (facts.told.iter())
                .filter(|_| facts.peer_speaks())
                .find(|said| said.group == names.group(group.id))
                .cloned(),
        }),
        waiting: group.waiting.as_ref().map(|reason| match reason {
            Reason::Fact(fact) => names.fact_of(*fact, group),
            reason => names.reason(reason, id),
        }),
        lacks: {
            let fact = || group.facts.first().map(|fact| Reason::Fact(*fact));
            let what = group.waiting.clone().or_else(fact);
            lack(what.as_ref(), facts.view.peer.state).into()
        },
        retry_us: group.retry_at.map(|at| at.0),
        fail_count: group.fail_count,
        peer_fail_count: group.peer_fail_count,
        unlisted_there: match drift(facts.view) {
            true => unlisted(facts, &names.group(group.id)),
            false => Vec::new(),
        },
        stopped: group.stopped,
        failback_held: group.failback_held,
        resources: (group.resources.iter())
            .map(|resource| Resource {
                name: names.resource(id, resource.id),
                state: resource_state(resource.state).into(),
                until_us: resource.until.map(|at| at.0),
                fail_count: resource.fail_count,
                failure: resource.failure.clone(),
                failed_us: resource.failed_at.map(|at| at.0),
                forgotten_us: resource.forgotten_at.map(|at| at.0),
                amiss: amiss(facts, group, resource),
                service: (facts.services).get(&place(group, resource)).map(service),
            })
            .collect(),
    }
}

/// What this node's file lists in a group, and the peer's does not.
fn unlisted(facts: &Facts, group: &str) -> Vec<String> {
    let both = facts.settings;
    both.map_or(Vec::new(), |(mine, theirs)| {
        config::lacking(group, mine, theirs)
    })
}

pub(super) fn place(group: &GroupView, resource: &ResourceView) -> Place {
    Place {
        group: group.id,
        resource: resource.id,
    }
}

/// Since when it stands where it stands. What runs on over a restart of the daemon has run since before.
fn since(facts: &Facts, group: &GroupView) -> Time {
    let runs = runs_here(group);
    let mut adopted = facts.adopted.iter();
    let before = adopted.find(|a| a.group == group.id && a.epoch == group.token.epoch);
    match before {
        Some(before) if runs => before.since,
        _ if group.role == Role::Active => facts.course.since(group.id).unwrap_or(group.since),
        _ => group.since,
    }
}

fn protection(facts: &Facts, group: &GroupView) -> &'static str {
    let fenced = |fencing: &Fencing| fencing.ready && fencing.peer_ready == Some(true);
    match (facts.fencing, &group.no_seizure) {
        (Some(fencing), _) if fenced(fencing) => "protected",
        (None, None) => "best-effort",
        (Some(_), _) | (None, Some(_)) => "none",
    }
}

fn service(view: &ServiceView) -> ServiceStatus {
    ServiceStatus {
        state: view.state.clone(),
        runs: view.runs,
        since_us: view.since.map(|at| at.0),
        main_pid: view.main_pid,
        checked_us: view.check.as_ref().map(|check| check.at.0),
        notice: view.notice.clone(),
        check_error: view.check.as_ref().and_then(|check| check.error.clone()),
    }
}

fn resource_state(state: ResourceState) -> &'static str {
    match state {
        ResourceState::Unknown => "unknown",
        ResourceState::Stopped => "stopped",
        ResourceState::Starting => "starting",
        ResourceState::Running => "running",
        ResourceState::Down => "down",
        ResourceState::HeldBack => "held back",
        ResourceState::Stopping => "stopping",
        ResourceState::Stuck => "stuck",
    }
}

/// A role's word in status, history and the hook's input.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Stopped => "stopped",
        Role::Starting => "starting",
        Role::Active => "active",
        Role::Stopping => "stopping",
        Role::Failed => "failed",
    }
}

/// A readiness's word.
pub(crate) fn readiness(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::Barred => "barred",
        Readiness::Unable => "unable",
        Readiness::Impaired => "impaired",
        Readiness::Able => "able",
    }
}

fn gateway_state(state: GatewayState) -> &'static str {
    match state {
        GatewayState::Pending => "pending",
        GatewayState::Good => "good",
        GatewayState::Dampened => "dampened",
        GatewayState::Lost => "lost",
    }
}

/// What failed is not named twice: what is said of a unit begins with its name.
fn failed(resource: &str, why: &str) -> String {
    let (kind, unit) = resource.rsplit_once(' ').unwrap_or(("", resource));
    match why.starts_with(unit) {
        true => format!("{kind} {why}").trim_start().to_owned(),
        false => format!("{resource} failed: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::failed;

    #[test]
    fn what_failed_is_named_once() {
        let of = |why| failed("service nginx.service", why);
        assert_eq!(
            of("nginx.service does not stop"),
            "service nginx.service does not stop"
        );
        assert_eq!(
            of("the disk is full"),
            "service nginx.service failed: the disk is full"
        );
        assert_eq!(failed("VIP", "no answer"), "VIP failed: no answer");
    }
}
