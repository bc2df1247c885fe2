//! From the core's view to `status.json`: what things are known by becomes their names.

use super::{
    Answers, Daemon, Gateway, Group, GroupAtPeer, Interface, Node, Path, Peer, Resource, SCHEMA,
    ServiceStatus, Status,
};
use crate::core::gateway::GatewayState;
use crate::core::reason::{Fact, Reason};
use crate::core::time::Time;
use crate::core::view::{GroupView, ResourceState, View};
use crate::id::{GroupId, Place, ResourceId, VifId};
use crate::shell::services::ServiceView;
use crate::wire::heartbeat::{Readiness, Role, Side};
use std::collections::BTreeMap;

/// What the core's ids are called. It changes with the configuration and the host, not with
/// every event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The cluster.
    pub cluster: String,
    /// The nodes, first and second.
    pub nodes: [String; 2],
    /// The paths to the peer: the links first.
    pub paths: Vec<PathNames>,
    /// The VIP interfaces; one not known yet has no name.
    pub vifs: Vec<(VifId, String)>,
    /// The groups.
    pub groups: Vec<GroupNames>,
    /// The outside sources of clearance; none: UNPROTECTED.
    pub sources: Vec<String>,
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
}

impl Names {
    /// A node's name.
    pub fn node(&self, side: Side) -> &str {
        match side {
            Side::First => &self.nodes[0],
            Side::Second => &self.nodes[1],
        }
    }

    /// A reason, with the names of what it is about.
    pub fn reason(&self, reason: &Reason, group: Option<GroupId>) -> String {
        let resource = |id: &ResourceId| self.resource(group, *id);
        match reason {
            Reason::NoGatewayKnown(vif)
            | Reason::NoGatewayAnswer(vif)
            | Reason::ProbeUnproven(vif) => {
                format!("{}: {reason}", self.vif(*vif))
            }
            Reason::Fact(fact) => self.fact(*fact, group),
            Reason::HigherToken(token) => {
                format!(
                    "the peer has token {} ({})",
                    token.epoch,
                    self.node(token.holder)
                )
            }
            Reason::ResourceFailed(i, why) => format!("{} failed: {why}", resource(i)),
            Reason::PutBack(i)
            | Reason::MadeSure(i)
            | Reason::HeldBack(i)
            | Reason::Covered(i)
            | Reason::StartedByHand(i)
            | Reason::FoundDown(i)
            | Reason::Reinstalled(i)
            | Reason::ReadyAgain(i)
            | Reason::Unready(i, _)
            | Reason::Recovered(i, _) => {
                format!("{} {reason}", resource(i))
            }
            Reason::NotServing(i) => {
                format!(
                    "{} does not run and the peer is silent: left to the peer, should it live",
                    resource(i)
                )
            }
            Reason::Standby(side, _) => format!("{} {reason}", self.node(*side)),
            _ => reason.to_string(),
        }
    }

    /// A fact, with the name of what it is about.
    pub fn fact(&self, fact: Fact, group: Option<GroupId>) -> String {
        match fact {
            Fact::GatewayLost(vif)
            | Fact::GatewayDampened(vif)
            | Fact::GatewayPending(vif)
            | Fact::NoCarrier(vif) => {
                format!("{}: {fact}", self.vif(vif))
            }
            Fact::Missing(resource) => {
                let name = self.resource(group, resource);
                format!("{name} is not installed here; `ha-appliance clear` once it is")
            }
            Fact::Unready(resource) | Fact::Partly(resource) => {
                let part = match fact {
                    Fact::Partly(_) => "a part of ",
                    _ => "",
                };
                format!(
                    "{part}{} cannot run here now",
                    self.resource(group, resource)
                )
            }
            Fact::HeldBack(resource) => {
                format!(
                    "{} is held back: the peer's ha.toml does not list it in this group",
                    self.resource(group, resource)
                )
            }
            Fact::Down(resource) => {
                let name = self.resource(group, resource);
                format!("{name} ought to run on both nodes and does not run here")
            }
            _ => fact.to_string(),
        }
    }

    /// A group's name; it may have been taken out of ha.toml since.
    pub fn group(&self, id: GroupId) -> String {
        let known = self.groups.iter().find(|g| g.id == id);
        known.map_or_else(|| format!("group {:016x}", id.0), |g| g.name.clone())
    }

    fn resource(&self, group: Option<GroupId>, id: ResourceId) -> String {
        let group = self.groups.iter().find(|g| Some(g.id) == group);
        let known = group.and_then(|g| g.resources.iter().find(|(known, _)| *known == id));
        known.map_or_else(
            || format!("resource {:016x}", id.0),
            |(_, name)| name.clone(),
        )
    }

    fn vif(&self, id: VifId) -> &str {
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
        daemon: (*daemon).clone(),
        maintenance: view.maintenance,
        leaving: view.leaving,
        state_unwritable: view.state_unwritable.clone(),
        protection: names.sources.clone(),
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
            reason: names.reason(&view.peer.reason, None),
            heard_us: view.peer.last_heard.map(|t| t.0),
            software: view.peer.software.clone(),
            drift: view.peer.drift,
        },
        paths: names
            .paths
            .iter()
            .zip(&view.peer.paths)
            .map(|(names, path)| Path {
                own: names.own.clone(),
                peer: names.peer.clone(),
                last_resort: names.last_resort,
                heard_us: path.heard.map(|t| t.0),
                in_ok: path.in_ok,
                out_ok: path.out_ok,
            })
            .collect(),
        interfaces: view
            .vifs
            .iter()
            .map(|vif| Interface {
                name: names.vif(vif.id).to_owned(),
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
            })
            .collect(),
        groups: view
            .groups
            .iter()
            .map(|group| build_group(facts, group))
            .collect(),
        counters: counters
            .iter()
            .map(|(&name, &count)| (name.to_owned(), count))
            .collect(),
        answers: answers.to_vec(),
    }
}

fn build_group(facts: &Facts, group: &GroupView) -> Group {
    let (names, id) = (facts.names, Some(group.id));
    let known = names.groups.iter().find(|g| g.id == group.id);
    Group {
        name: names.group(group.id),
        vips: known.map(|g| g.vips.clone()).unwrap_or_default(),
        role: role(group.role).into(),
        since_us: group.since.0,
        reason: names.reason(&group.reason, id),
        epoch: group.token.epoch,
        holder: names.node(group.token.holder).to_owned(),
        readiness: readiness(group.readiness).into(),
        facts: group
            .facts
            .iter()
            .map(|&fact| names.fact(fact, id))
            .collect(),
        peer: group.peer.map(|(r, ready)| GroupAtPeer {
            role: role(r).into(),
            readiness: readiness(ready).into(),
        }),
        waiting: group
            .waiting
            .as_ref()
            .map(|reason| names.reason(reason, id)),
        fail_count: group.fail_count,
        peer_fail_count: group.peer_fail_count,
        stopped: group.stopped,
        failback_held: group.failback_held,
        resources: (group.resources.iter())
            .map(|resource| Resource {
                name: names.resource(id, resource.id),
                state: resource_state(resource.state).into(),
                fail_count: resource.fail_count,
                failure: resource.failure.clone(),
                service: (facts.services)
                    .get(&Place {
                        group: group.id,
                        resource: resource.id,
                    })
                    .map(service),
            })
            .collect(),
    }
}

fn service(view: &ServiceView) -> ServiceStatus {
    ServiceStatus {
        state: view.state.clone(),
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

fn readiness(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::Barred => "barred",
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
