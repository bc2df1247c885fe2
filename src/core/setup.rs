//! What the core knows of ha.toml: which node it is, its times, its groups. Everything else about
//! a resource or an interface belongs to the shell.

use crate::id::{GroupId, ResourceId, VifId};
use crate::wire::heartbeat::Side;
use std::time::Duration;

/// The configuration as the core sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Setup {
    /// This node.
    pub me: Side,
    /// The names of both nodes, for what is said to people.
    pub names: [String; 2],
    /// Hash of the cluster's name.
    pub cluster: u64,
    /// Hash of the node list.
    pub nodes: u64,
    /// Hash of the configuration file.
    pub digest: u64,
    /// How many links, and so how many paths with an index below this one, are links; the others
    /// are paths of last resort.
    pub links: usize,
    /// How often a heartbeat is sent.
    pub interval: Duration,
    /// Heartbeats missed until the peer counts as silent.
    pub misses: u32,
    /// How long an unheard peer is waited for after the first link came up.
    pub start_wait: Duration,
    /// Never start without having heard the peer.
    pub wait_for_peer: bool,
    /// The gateway checks.
    pub gateway: GatewaySetup,
    /// The VIP interfaces.
    pub vifs: Vec<VifId>,
    /// The groups, in the order of the file.
    pub groups: Vec<GroupSetup>,
    /// What switches the peer off. None: nothing does, and takeovers are best effort.
    pub fencing: Option<FencingSetup>,
}

impl Setup {
    /// Silence longer than this is a peer that is gone, at the interval the peer announces.
    pub fn detection_time(&self, peer_interval: Duration) -> Duration {
        peer_interval * self.misses
    }
}

/// The devices that switch the peer off, and their times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FencingSetup {
    /// How many there are, level by level.
    pub devices: usize,
    /// Which they are: a device is known again by its number after a reload, wherever it stands in the file then.
    pub ids: [u64; MOST_DEVICES],
    /// Silence before anybody shoots.
    pub patience: Duration,
    /// Between the instants at which the two nodes may shoot.
    pub delay: Duration,
    /// Between the two answers that say off.
    pub settle: Duration,
    /// In this time a machine is off, or stays on, of which a device was asked to switch it off: that leaves soon, or
    /// never does, and is carried out in the rest of it.
    pub off_time: Duration,
    /// How long is waited for that before it is asked again.
    pub off_deadline: Duration,
    /// How long after that an off of which nothing is known is over.
    pub grace: Duration,
    /// How far what the run directory has of the last contact may lag behind.
    pub lag: Duration,
}

/// More levels than a file may have.
pub const MOST_DEVICES: usize = 8;

/// The gateway checks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GatewaySetup {
    /// All of an interface's gateways must answer, not just one.
    pub require_all: bool,
    /// How often each is asked.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Unanswered pings in a row until a gateway counts as lost.
    pub misses: u32,
    /// How long a lost gateway must answer before it counts again.
    pub dampening: Duration,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupSetup {
    /// Its name.
    pub id: GroupId,
    /// Who holds it at the very first start, and whom it fails back to.
    pub prefer: Option<Side>,
    /// Whether it returns to the preferred node.
    pub failback: Failback,
    /// Its resources, started in this order and stopped in reverse.
    pub resources: Vec<ResourceSetup>,
    /// The VIP interfaces its VIPs stand on.
    pub vifs: Vec<VifId>,
}

impl GroupSetup {
    /// Whether a resource of it may write data that both nodes share.
    pub fn holds_data(&self) -> bool {
        self.resources.iter().any(|r| r.data)
    }

    /// How long all of it may take to stop.
    pub fn stop_time(&self) -> Duration {
        self.resources.iter().map(|r| r.stop_timeout).sum()
    }

    /// Whether the kernel ends a resource of it that is not renewed.
    pub fn leased(&self) -> bool {
        self.resources.iter().any(|r| r.leased)
    }
}

/// When a group returns to its preferred node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failback {
    /// When an operator says so.
    Manual,
    /// When the preferred node has been able to run it for so long.
    After(Duration),
}

/// One resource, opaque: the core knows how to order it, not what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResourceSetup {
    /// What it is called, the same after a reload that moves it.
    pub id: ResourceId,
    /// A hash of all that the file says of it: where a reload changes that, it is started again where it runs
    /// (for what has what it needs that changes nothing) and looked at again where it does not.
    pub definition: u64,
    /// Must never run on both nodes. Otherwise it runs on both, whoever holds the group.
    pub exclusive: bool,
    /// Writes data that both nodes share.
    pub data: bool,
    /// Ends by itself [`LIFETIME`] after it was last renewed (a VIP).
    pub leased: bool,
    /// Something of it stays up while it is stopped (a disk that is replicated to here): a leaving node takes
    /// that down last, once the peer shows that the group runs there.
    pub lingers: bool,
    /// How long a start may take.
    pub start_timeout: Duration,
    /// How long a stop may take.
    pub stop_timeout: Duration,
    /// How often in a [`window`](Self::window) a failure is answered in place, before it moves the
    /// group. Not asked of a leased resource, which is put back always.
    pub restarts: u32,
    /// The span in which restarts in place are counted.
    pub window: Duration,
    /// How long a failure counts against the node; None: until an operator clears it.
    pub fail_expiry: Option<Duration>,
}

/// How long the kernel keeps a VIP that is not renewed: `valid_lft`, which ages in whole seconds.
pub const LIFETIME: Duration = Duration::from_secs(3);
/// How often a VIP is renewed.
pub const RENEWAL: Duration = Duration::from_secs(1);
/// A VIP not renewed for so long counts as lost: the kernel's expiry may come 0.25 s early
/// (ADDRCONF_TIMER_FUZZ in include/net/addrconf.h), and a renewal of an expired address would
/// bring it back to life.
pub const LATE: Duration = Duration::from_millis(2500);
/// The lifetime of a VIP that is being handed over while it still runs: long enough for the peer to
/// take it, short enough for a peer that dies meanwhile.
pub const CEDED: Duration = Duration::from_secs(2);
