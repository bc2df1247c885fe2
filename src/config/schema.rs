//! What ha.toml means, as values: whoever holds a [`Config`] need not check anything again.
//!
//! Each default is written once, here.

use super::drbd::Drbd;
use super::error::Error;
use super::fencing::Fencing;
use super::mount::Mount;
use super::places::Places;
use super::service::{Mode, Service};
use crate::wire::heartbeat::Side;
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The lifetime a VIP is installed with: the kernel removes it this long after the daemon last
/// renewed it, whatever became of the daemon. Not a key, since every other promise about a hung
/// daemon is counted from it.
pub const VIP_LIFETIME: Duration = crate::core::setup::LIFETIME;

/// Most links of a node.
pub const MAX_LINKS: usize = 8;

/// One ha.toml, the same on both nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The pair as a whole.
    pub cluster: Cluster,
    /// How life is told and death concluded.
    pub heartbeat: HeartbeatTimes,
    /// The two nodes in the file's order; [`Side::First`] is the one at index 0.
    pub nodes: [NodeConfig; 2],
    /// What tells a dead peer from a dead cable.
    pub gateway: Gateway,
    /// At least one group, at most [`crate::wire::heartbeat::MAX_GROUPS`], in the file's order.
    pub groups: Vec<Group>,
    /// What switches a silent node off; none: nothing does.
    pub fencing: Option<Fencing>,
    /// [`crate::wire::heartbeat::hash`] of what the file sets, to notice that the nodes' files differ.
    pub digest: u64,
    /// What it sets, key by key.
    pub settings: super::settings::Settings,
    /// Where the text came from.
    pub path: PathBuf,
    /// Where what is checked against the machine stands in it.
    pub places: Places,
}

/// `[cluster]`. Its `Debug` tells how many keys there are, never the keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Two pairs on one LAN are told apart by it.
    pub name: String,
    /// At least one; the first signs heartbeats, all verify them.
    pub keys: Vec<Vec<u8>>,
    /// Where they stand, if not in ha.toml itself.
    pub key_file: Option<PathBuf>,
    /// How long a node waits for a peer that it never heard, counted from when the peer could first be heard.
    pub start_wait: Duration,
    /// Wait for such a peer for ever.
    pub wait_for_peer: bool,
    /// A program run at every transition, with its JSON on stdin.
    pub notify: Option<PathBuf>,
    /// Whom it runs as; none: root.
    pub notify_user: Option<String>,
}

impl Cluster {
    /// Long enough for a peer that boots at the same time and renegotiates its links.
    pub const START_WAIT: Duration = Duration::from_secs(10);
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.name)
            .field("keys", &format_args!("{} hidden", self.keys.len()))
            .field("start_wait", &self.start_wait)
            .field("wait_for_peer", &self.wait_for_peer)
            .field("notify", &self.notify)
            .field("notify_user", &self.notify_user)
            .finish()
    }
}

/// `[heartbeat]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatTimes {
    /// The UDP port of both nodes, on every path.
    pub port: u16,
    /// How often a heartbeat is sent.
    pub interval: Duration,
    /// How many must be missing before the peer counts as silent.
    pub misses: u32,
}

impl HeartbeatTimes {
    /// From the last heartbeat heard until the peer counts as silent, if the peer announces the same
    /// interval.
    pub fn detection_time(&self) -> Duration {
        self.interval * self.misses
    }
}

impl Default for HeartbeatTimes {
    /// Half a second: quick for a client, and far above what a loaded scheduler delays.
    fn default() -> Self {
        HeartbeatTimes {
            port: 5405,
            interval: Duration::from_millis(100),
            misses: 5,
        }
    }
}

/// `[node.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// Its host name, short or full.
    pub name: String,
    /// Its addresses for heartbeats, at least one, at most [`MAX_LINKS`]; the i-th talks to the
    /// peer's i-th and is of the same family. The first is the interlink.
    pub links: Vec<IpAddr>,
}

/// `[gateway]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// What is pinged; none: the default gateways of the VIP interfaces. Empty: nothing is.
    pub addresses: Option<Vec<IpAddr>>,
    /// How many of them must answer.
    pub require: Require,
    /// How often each is asked.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How many answers must be missing before it counts as lost.
    pub misses: u32,
    /// How long it must stay good before it counts again; loss counts at once.
    pub dampening: Duration,
}

impl Default for Gateway {
    fn default() -> Self {
        Gateway {
            addresses: None,
            require: Require::Any,
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
            misses: 3,
            dampening: Duration::from_secs(5),
        }
    }
}

/// How many gateways must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Require {
    /// One is enough.
    Any,
    /// Each of them.
    All,
}

/// `[[group]]`: resources that run together, on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Unique in the file.
    pub name: String,
    /// The node that runs it at the first start, and that `failback` returns it to.
    pub prefer: Option<Side>,
    /// Whether it returns to the preferred node.
    pub failback: Failback,
    /// At least one; started in this order, stopped in reverse.
    pub resources: Vec<Resource>,
}

/// When a group returns to its preferred node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failback {
    /// When the operator says so: each return is a second, avoidable interruption.
    #[default]
    Manual,
    /// As soon as the preferred node may run it.
    Auto,
    /// When the preferred node could have run it for this long.
    After(Duration),
}

/// `[[group.resource]]`, by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A virtual IP address.
    Vip(Vip),
    /// A systemd unit.
    Service(Service),
    /// A file system.
    Mount(Mount),
    /// A DRBD resource.
    Drbd(Drbd),
}

impl Group {
    /// Its VIPs, in the file's order.
    pub fn vips(&self) -> impl Iterator<Item = &Vip> {
        self.resources.iter().filter_map(|resource| match resource {
            Resource::Vip(vip) => Some(vip),
            Resource::Service(_) | Resource::Mount(_) | Resource::Drbd(_) => None,
        })
    }

    /// Its services, in the file's order.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.resources.iter().filter_map(|resource| match resource {
            Resource::Service(service) => Some(service),
            Resource::Vip(_) | Resource::Mount(_) | Resource::Drbd(_) => None,
        })
    }

    /// Its mounts, in the file's order.
    pub fn mounts(&self) -> impl Iterator<Item = &Mount> {
        self.resources.iter().filter_map(|resource| match resource {
            Resource::Mount(mount) => Some(mount),
            Resource::Vip(_) | Resource::Service(_) | Resource::Drbd(_) => None,
        })
    }

    /// Its DRBD resource.
    pub fn drbd(&self) -> Option<&Drbd> {
        self.resources.iter().find_map(|resource| match resource {
            Resource::Drbd(drbd) => Some(drbd),
            Resource::Vip(_) | Resource::Service(_) | Resource::Mount(_) => None,
        })
    }

    /// It holds what must never be written on both nodes.
    pub fn holds_data(&self) -> bool {
        self.mounts().next().is_some() || self.drbd().is_some()
    }

    /// Whether a planned move may start on one node before it has ended on the other: nothing runs on
    /// one node alone but VIPs, which the kernel ends by a deadline.
    pub fn overlaps(&self) -> bool {
        self.vips().next().is_some()
            && !self.holds_data()
            && self.services().all(|service| service.mode == Mode::Both)
    }
}

/// A virtual IP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vip {
    /// The address with its network's prefix. Unique in the file.
    pub address: IpNet,
    /// Where it lives, per [`Side`] (index 0 is [`Side::First`]); none: on the interface whose network holds it.
    pub interface: [Option<String>; 2],
}

impl Vip {
    /// Whether it is an IPv4 address.
    pub fn is_ipv4(&self) -> bool {
        self.address.addr().is_ipv4()
    }
}

impl Config {
    /// Which node this is: the one that `--node` names, else the one that has this host's name. The
    /// short name of one matches the full name of the other.
    pub fn side(&self, node_arg: Option<&str>, host_name: &str) -> Result<Side, Error> {
        let known = format!("{} and {}", self.nodes[0].name, self.nodes[1].name);
        let path = self.path.display();
        if let Some(name) = node_arg {
            return self.the_one(|node| node == name).ok_or_else(|| {
                Error::unplaced(
                    format!("--node {name}: no such node in {path}"),
                    format!("its nodes are {known}"),
                )
            });
        }
        let host = host_name.to_lowercase();
        self.the_one(|node| node.to_lowercase() == host)
            .or_else(|| self.the_one(|node| same_host(&node.to_lowercase(), &host)))
            .ok_or_else(|| {
                Error::unplaced(
                    format!("this host is called {host_name}, and {path} does not say which node that is"),
                    format!("its nodes are {known}: say --node NAME, or name a node after the host"),
                )
            })
    }

    /// The node of a side.
    pub fn node(&self, side: Side) -> &NodeConfig {
        &self.nodes[side as usize]
    }

    /// The side whose node's name fits, unless both do.
    fn the_one(&self, fits: impl Fn(&str) -> bool) -> Option<Side> {
        match (fits(&self.nodes[0].name), fits(&self.nodes[1].name)) {
            (true, false) => Some(Side::First),
            (false, true) => Some(Side::Second),
            _ => None,
        }
    }
}

/// Whether one name is the other's first label.
fn same_host(a: &str, b: &str) -> bool {
    let extends = |long: &str, short: &str| {
        let rest = long.strip_prefix(short);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let short = |name: &str| !name.contains('.');
    (short(a) && extends(b, a)) || (short(b) && extends(a, b))
}
