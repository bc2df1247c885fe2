//! What a person wants to see of the core: taken for `status`, never used to decide.

use super::node::{Rival, Sign};
use super::protocol::peer::PeerState;
use super::reason::{Fact, Reason};
use super::time::Time;
use crate::id::{GatewayId, GroupId, ResourceId, VifId};
use crate::wire::heartbeat::{Readiness, Role, Side, Token};
use std::time::Duration;

/// The core at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// This node.
    pub me: Side,
    /// The peer.
    pub peer: PeerView,
    /// Maintenance is on.
    pub maintenance: bool,
    /// Standby, per side.
    pub standby: [bool; 2],
    /// This node is on its way out.
    pub leaving: bool,
    /// The last write of the state failed.
    pub state_unwritable: Option<String>,
    /// The gateways.
    pub gateways: Vec<GatewayView>,
    /// The VIP interfaces.
    pub vifs: Vec<VifView>,
    /// Per group, in the order of the file.
    pub groups: Vec<GroupView>,
}

/// What is known of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// Its state.
    pub state: PeerState,
    /// Since when.
    pub since: Time,
    /// Why.
    pub reason: Reason,
    /// When its latest heartbeat came.
    pub last_heard: Option<Time>,
    /// So long nothing of it is to be heard until it counts as silent, by what was announced on both sides.
    pub detection: Duration,
    /// Per path: when the peer was last heard there, and whether the peer hears this node there.
    pub paths: Vec<PathView>,
    /// Its program version.
    pub software: String,
    /// Its configuration differs from this node's.
    pub drift: bool,
    /// What speaks for its life while it is not heard, or not believed.
    pub signs: Vec<Sign>,
    /// Until when it is waited for, as after a boot; None: no more.
    pub waited_for: Option<Time>,
}

/// One path to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathView {
    /// When the peer was last heard on it.
    pub heard: Option<Time>,
    /// The peer is heard on it now.
    pub in_ok: bool,
    /// The peer says that it hears this node on it; None while the peer is not heard at all.
    pub out_ok: Option<bool>,
}

/// One VIP interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VifView {
    /// Which.
    pub id: VifId,
    /// It has carrier.
    pub carrier: bool,
    /// A probe of the peer was answered there once, so that silence means something.
    pub probe_proven: bool,
}

/// One gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayView {
    /// Which.
    pub id: GatewayId,
    /// Its state.
    pub state: super::gateway::GatewayState,
    /// Since when.
    pub since: Time,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// Which.
    pub id: GroupId,
    /// Where it stands here.
    pub role: Role,
    /// Since when.
    pub since: Time,
    /// Why it stands there.
    pub reason: Reason,
    /// The token.
    pub token: Token,
    /// What speaks against running it here.
    pub facts: Vec<Fact>,
    /// How well this node could run it.
    pub readiness: Readiness,
    /// What the peer says: its role and readiness; None while it is not heard.
    pub peer: Option<(Role, Readiness)>,
    /// What a peer says of it that is refused: not trusted, but told.
    pub refused_role: Option<Role>,
    /// Its resources were found running by this daemon, and are kept while it is not known whose they are.
    pub adopted: bool,
    /// When the peer's hardware address last answered for a VIP of it.
    pub answered_by_peer: Option<Time>,
    /// Another machine that claimed a VIP of it lately.
    pub rival: Option<Rival>,
    /// Why it would never be taken over from a silent peer by itself, as things are; None: it could be.
    pub no_seizure: Option<Reason>,
    /// What it is waiting for, if it runs nowhere or clearance is under way.
    pub waiting: Option<Reason>,
    /// When what failed is tried again here, if that time has not come.
    pub retry_at: Option<Time>,
    /// Failures counted here, and by the peer.
    pub fail_count: u16,
    /// The same of the peer.
    pub peer_fail_count: u16,
    /// The operator stopped it.
    pub stopped: bool,
    /// Failback waits, because an operator moved the group.
    pub failback_held: bool,
    /// Its resources, in order.
    pub resources: Vec<ResourceView>,
}

/// One resource on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceView {
    /// Which.
    pub id: ResourceId,
    /// What it does.
    pub state: ResourceState,
    /// Until when that may take, if it is being started or stopped.
    pub until: Option<Time>,
    /// Why it cannot run here, or not all of it, by its own account.
    pub unready: Option<String>,
    /// Its failures here since they were last forgotten.
    pub fail_count: u16,
    /// What the latest of them was; empty: there is none.
    pub failure: String,
    /// When that was; None: before this daemon started.
    pub failed_at: Option<Time>,
    /// When they are forgotten; None: when they are cleared.
    pub forgotten_at: Option<Time>,
}

/// What a resource does on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceState {
    /// Not looked at yet.
    Unknown,
    /// Does not run.
    Stopped,
    /// Is being started.
    Starting,
    /// Runs.
    Running,
    /// Ought to run and does not; to be started again.
    Down,
    /// Is not started: the peer's file does not list it in this group.
    HeldBack,
    /// Is being stopped.
    Stopping,
    /// Could not be stopped.
    Stuck,
}
