//! From ha.toml, as it applies to this machine, to what the core and the status page need.

use super::mounts::{GIVEN_UP, WRITES_BACK};
use super::state;
use super::status::{self, Names};
use super::vips::Targets;
use crate::agents::mount::unit_name;
use crate::config::{Config, Drbd, Mode, Mount, Require, Resolved, Resource, Service, Vip};
use crate::core::setup::{Failback, GatewaySetup, GroupSetup, ResourceSetup, Setup};
use crate::id::{GatewayId, GroupId, Place, ResourceId, VifId};
use crate::wire::heartbeat::{Side, hash};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// What the core is to know.
pub fn setup(config: &Config, me: Side, resolved: &Resolved) -> Setup {
    Setup {
        me,
        names: [0, 1].map(|node| config.nodes[node].name.clone()),
        cluster: hash(&config.cluster.name),
        nodes: hash(&config.nodes.each_ref().map(|n| n.name.as_str()).join("\n")),
        digest: config.digest,
        links: resolved.links.len(),
        interval: config.heartbeat.interval,
        misses: config.heartbeat.misses,
        start_wait: config.cluster.start_wait,
        wait_for_peer: config.cluster.wait_for_peer,
        gateway: GatewaySetup {
            require_all: config.gateway.require == Require::All,
            interval: config.gateway.interval,
            timeout: config.gateway.timeout,
            misses: config.gateway.misses,
            dampening: config.gateway.dampening,
        },
        vifs: resolved.vifs.iter().map(|vif| vif.id).collect(),
        groups: (0..config.groups.len())
            .map(|g| group(config, resolved, g))
            .collect(),
        fencing: (config.fencing.as_ref())
            .map(|fencing| fencing.setup(fencing.against(me.other()))),
    }
}

/// A resource as the core counts them: VIPs that follow each other are one, because they are added and
/// removed as one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// VIPs with the VIP interface of each.
    Vips(Vec<(&'a Vip, usize)>),
    /// A systemd unit.
    Service(&'a Service),
    /// A file system.
    Mount(&'a Mount),
    /// A DRBD resource.
    Drbd(&'a Drbd),
}

/// A group's resources in the order of the file.
pub fn parts<'a>(config: &'a Config, resolved: &Resolved, group: usize) -> Vec<Part<'a>> {
    let mut vifs = resolved.vip_vifs[group].iter();
    let mut parts = Vec::new();
    for resource in &config.groups[group].resources {
        match resource {
            Resource::Vip(vip) => {
                let vif = *vifs.next().expect("each VIP has its VIP interface");
                match parts.last_mut() {
                    Some(Part::Vips(vips)) => vips.push((vip, vif)),
                    _ => parts.push(Part::Vips(vec![(vip, vif)])),
                }
            }
            Resource::Service(service) => parts.push(Part::Service(service)),
            Resource::Mount(mount) => parts.push(Part::Mount(mount)),
            Resource::Drbd(drbd) => parts.push(Part::Drbd(drbd)),
        }
    }
    parts
}

/// The VIPs of every resource that has any.
pub fn vips(config: &Config, resolved: &Resolved) -> Targets {
    let vips = places(config, resolved).filter_map(|(place, part)| match part {
        Part::Vips(vips) => Some((place, targets(&vips))),
        Part::Service(_) | Part::Mount(_) | Part::Drbd(_) => None,
    });
    vips.collect()
}

/// Every service with its place.
pub fn services(config: &Config, resolved: &Resolved) -> Vec<(Place, Service)> {
    let services = places(config, resolved).filter_map(|(place, part)| match part {
        Part::Service(service) => Some((place, service.clone())),
        Part::Vips(_) | Part::Mount(_) | Part::Drbd(_) => None,
    });
    services.collect()
}

/// Every mount with its place.
pub fn mounts(config: &Config, resolved: &Resolved) -> Vec<(Place, Mount)> {
    let mounts = places(config, resolved).filter_map(|(place, part)| match part {
        Part::Mount(mount) => Some((place, mount.clone())),
        Part::Vips(_) | Part::Service(_) | Part::Drbd(_) => None,
    });
    mounts.collect()
}

/// Every DRBD resource with its place.
pub fn disks(config: &Config, resolved: &Resolved) -> Vec<(Place, Drbd)> {
    let disks = places(config, resolved).filter_map(|(place, part)| match part {
        Part::Drbd(drbd) => Some((place, drbd.clone())),
        Part::Vips(_) | Part::Service(_) | Part::Mount(_) => None,
    });
    disks.collect()
}

/// What systemd calls the mounts.
pub fn mount_units(config: &Config) -> Vec<String> {
    let mounts = config.mounts().into_iter();
    mounts
        .map(|target| format!("{}.mount", unit_name(&target.point)))
        .collect()
}

/// How long a failure of each resource counts; None: until it is cleared.
pub fn expiries(config: &Config, resolved: &Resolved) -> BTreeMap<Place, Option<Duration>> {
    let places = places(config, resolved);
    places
        .map(|(place, part)| (place, part.setup().fail_expiry))
        .collect()
}

/// What the state file calls things.
pub fn state_names(config: &Config, resolved: &Resolved) -> state::Names {
    state::Names {
        groups: config.groups.iter().map(|g| g.name.clone()).collect(),
        vifs: vif_names(resolved),
    }
}

/// What the status page calls things; the paths of last resort, and what is absent, are the caller's to
/// add.
pub fn status_names(config: &Config, me: Side, resolved: &Resolved) -> Names {
    let path = |link: &crate::config::Link| status::PathNames {
        own: link.local.to_string(),
        peer: link.peer.to_string(),
        last_resort: false,
        place: link.index,
        hindered: None,
    };
    let group = |(index, group): (usize, &crate::config::Group)| {
        let vips: Vec<String> = (group.vips()).map(|vip| vip.address.to_string()).collect();
        let parts = parts(config, resolved, index);
        status::GroupNames {
            id: GroupId::of(&group.name),
            name: group.name.clone(),
            resources: (parts.iter())
                .map(|part| (part.id(), part.to_string()))
                .collect(),
            vips,
        }
    };
    Names {
        cluster: config.cluster.name.clone(),
        nodes: [0, 1].map(|node| config.nodes[node].name.clone()),
        me,
        paths: resolved.links.iter().map(path).collect(),
        vifs: vif_names(resolved),
        absent: Vec::new(),
        unasked: Vec::new(),
        groups: config.groups.iter().enumerate().map(group).collect(),
    }
}

fn group(config: &Config, resolved: &Resolved, index: usize) -> GroupSetup {
    let group = &config.groups[index];
    let places = resolved.vip_vifs[index].iter();
    let mut vifs: Vec<VifId> = places.map(|&vif| resolved.vifs[vif].id).collect();
    vifs.sort_unstable();
    vifs.dedup();
    GroupSetup {
        id: GroupId::of(&group.name),
        prefer: group.prefer,
        failback: match group.failback {
            crate::config::Failback::Manual => Failback::Manual,
            crate::config::Failback::Auto => Failback::After(Duration::ZERO),
            crate::config::Failback::After(span) => Failback::After(span),
        },
        resources: (parts(config, resolved, index).iter())
            .map(Part::setup)
            .collect(),
        vifs,
    }
}

impl Part<'_> {
    /// What it is known by, whatever stands before it in the file.
    pub fn id(&self) -> ResourceId {
        match self {
            // By the first: addresses come and go, and what is left of a batch is the same batch.
            Part::Vips(vips) => ResourceId::of(&format!("vip {}", vips[0].0.address)),
            Part::Service(service) => ResourceId::of(&format!("service {}", service.unit)),
            Part::Mount(mount) => ResourceId::of(&format!("mount {}", mount.target.point)),
            Part::Drbd(drbd) => ResourceId::of(&format!("drbd {}", drbd.resource)),
        }
    }

    /// Of everything that is said of it, and of the interfaces that were found for it.
    fn definition(&self) -> u64 {
        hash(&format!("{self:?}"))
    }

    fn setup(&self) -> ResourceSetup {
        match self {
            Part::Vips(_) => ResourceSetup {
                id: self.id(),
                definition: self.definition(),
                exclusive: true,
                data: false,
                leased: true,
                lingers: false,
                start_timeout: ADDRESS_TIMEOUT,
                stop_timeout: ADDRESS_TIMEOUT,
                restarts: 0,
                window: Duration::ZERO,
                fail_expiry: Some(Service::FAIL_EXPIRY),
            },
            Part::Service(service) => ResourceSetup {
                id: self.id(),
                definition: self.definition(),
                exclusive: service.mode == Mode::One,
                data: false,
                leased: false,
                // A restart stops it first.
                lingers: false,
                start_timeout: service.stop_timeout + service.start_timeout + SLACK,
                stop_timeout: service.stop_timeout + SLACK,
                restarts: service.restarts,
                window: service.window,
                fail_expiry: service.fail_expiry,
            },
            Part::Mount(mount) => ResourceSetup {
                id: self.id(),
                definition: self.definition(),
                exclusive: true,
                data: true,
                leased: false,
                lingers: false,
                start_timeout: mount.start_timeout + 2 * GIVEN_UP,
                stop_timeout: mount.stop_timeout + WRITES_BACK + 2 * GIVEN_UP,
                // An error of its file system goes along with the data, and is not cured by time.
                restarts: 0,
                window: Duration::ZERO,
                fail_expiry: None,
            },
            Part::Drbd(_) => ResourceSetup {
                id: self.id(),
                definition: self.definition(),
                exclusive: true,
                data: true,
                leased: false,
                // It is replicated to where it is stopped.
                lingers: true,
                start_timeout: Drbd::START + SLACK,
                stop_timeout: Drbd::STOP + SLACK,
                restarts: 0,
                window: Duration::ZERO,
                fail_expiry: None,
            },
        }
    }
}

impl fmt::Display for Part<'_> {
    /// What the status page calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Vips(vips) => match &vips[..] {
                [(one, _)] => write!(f, "vip {}", one.address),
                many => write!(f, "{} vips from {}", many.len(), many[0].0.address),
            },
            Part::Service(service) => write!(f, "service {}", service.unit),
            Part::Mount(mount) => write!(f, "mount {}", mount.target.point),
            Part::Drbd(drbd) => write!(f, "drbd {}", drbd.resource),
        }
    }
}

/// How long addresses may take; the kernel needs milliseconds.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(10);
/// What carries out an operation ends it in time and knows better what went wrong; the core waits a
/// little longer, and then for its killing too.
const SLACK: Duration = Duration::from_secs(10);

/// Every resource with what it is known by.
fn places<'a>(config: &'a Config, resolved: &Resolved) -> impl Iterator<Item = (Place, Part<'a>)> {
    let groups = (0..config.groups.len()).map(|group| (group, parts(config, resolved, group)));
    groups.flat_map(|(group, parts)| {
        let group = GroupId::of(&config.groups[group].name);
        let place = move |part: Part<'a>| {
            let resource = part.id();
            (Place { group, resource }, part)
        };
        parts.into_iter().map(place)
    })
}

fn targets(vips: &[(&Vip, usize)]) -> Vec<(IpAddr, usize)> {
    let vips = vips.iter();
    vips.map(|(vip, vif)| (vip.address.addr(), *vif)).collect()
}

/// One not known yet has no name.
fn vif_names(resolved: &Resolved) -> Vec<(VifId, String)> {
    let vifs = resolved.vifs.iter();
    vifs.map(|vif| (vif.id, vif.name.clone().unwrap_or_default()))
        .collect()
}

/// The gateways there are now.
pub fn gateways(resolved: &Resolved) -> Vec<GatewayId> {
    let vifs = resolved.vifs.iter();
    vifs.flat_map(|vif| {
        let gateway = |&address| GatewayId {
            vif: vif.id,
            address,
        };
        vif.gateways.iter().map(gateway)
    })
    .collect()
}
