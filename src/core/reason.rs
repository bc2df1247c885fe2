//! Why: every decision carries its reason as data, and the log, `status`, `history` and the tests
//! all print that same value.

use super::protocol::peer::PeerState;
use crate::id::{ResourceId, VifId};
use crate::wire::heartbeat::{Side, Token};
use std::fmt;
use std::time::Duration;

/// Why something was decided, or was not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The daemon has just started.
    Started,
    /// The group was found running and is kept.
    FoundRunning,
    /// The group was found running, but this node does not hold its token.
    FoundRunningWithoutToken,
    /// Looked at everything: nothing runs.
    FoundStopped,
    /// A heartbeat of the peer echoes this node.
    PeerHeard,
    /// The peer is heard, but does not hear this node.
    PeerDeaf,
    /// No heartbeat for so long.
    PeerSilent(Duration),
    /// Not heard since this daemon started.
    PeerUnknown,
    /// The peer's daemon restarted.
    PeerRestarted,
    /// The peer said goodbye: everything stopped and handed over.
    PeerLeft,
    /// The peer belongs to another cluster (its name's hash differs).
    OtherCluster,
    /// The peer has another node list.
    OtherNodes,
    /// The peer says it is this very node.
    SameNode,
    /// The peer speaks other wire versions: lowest and highest.
    OtherVersion(u8, u8),
    /// The operator confirmed that the peer is off.
    Confirmed,
    /// An outside source of clearance made sure that the peer is off.
    Fenced,
    /// A third party promises that nobody else runs it.
    Leased,
    /// That promise has run out, and the peer is not heard.
    LeaseOver,
    /// A daemon of this boot started it, and the peer has claimed nothing since.
    Resumed,
    /// Both nodes agree on the token, and the peer has proven that it runs nothing.
    Agreement,
    /// Best effort: gateway answered, VIPs answered by nobody of the peer.
    BestEffort,
    /// Best effort is not for groups that hold data.
    BestEffortHoldsData,
    /// Best effort is not for groups without a VIP.
    BestEffortWithoutVip,
    /// The VIP interface has no gateway to ask.
    NoGatewayKnown(VifId),
    /// No gateway on the VIP interface answered since the silence began.
    NoGatewayAnswer(VifId),
    /// No probe was ever answered by the peer on the VIP interface , so silence proves nothing.
    ProbeUnproven(VifId),
    /// The peer still answers for a VIP of the group.
    VipAnswered,
    /// Not enough probes unanswered yet: so many of so many.
    Probing(u32, u32),
    /// The outside source of clearance refused.
    ClearanceRefused(String),
    /// The peer fell silent in maintenance, in which it keeps what it runs whatever happens.
    PeerInMaintenance,
    /// Waiting for the outside source of clearance.
    ClearancePending,
    /// Waiting for the peer, which must be seen once.
    WaitingForPeer,
    /// Waiting for the peer for `start_wait`.
    StartWait,
    /// The peer is in this state: this node looks for proof that it runs nothing.
    ClearanceSought(PeerState),
    /// The peer was heard before the seizure began.
    ClearanceCancelled(PeerState),
    /// The peer has this higher (or, of equal ones, weightier) token.
    HigherToken(Token),
    /// The peer handed the group over.
    Granted,
    /// Handed over to the peer.
    HandedOver,
    /// The operator asked for it.
    Operator,
    /// A hard or soft fact.
    Fact(Fact),
    /// The preferred node is able again.
    Failback,
    /// Neither the peer nor a gateway answers.
    Isolated,
    /// This node was not running for so long: its addresses may have expired.
    Late(Duration),
    /// The peer fell silent before the group was up.
    SilentWhileStarting,
    /// A resource failed.
    ResourceFailed(ResourceId, String),
    /// A resource vanished and is put back.
    PutBack(ResourceId),
    /// It is not started: the peer's file does not list it in this group, so its word is not about it.
    HeldBack(ResourceId),
    /// The right covers it now.
    Covered(ResourceId),
    /// A service was found stopped, and nobody starts it: one that runs on both nodes, or that somebody else
    /// stopped.
    FoundDown(ResourceId),
    /// A service runs again, so long after it was lost.
    Recovered(ResourceId, Duration),
    /// A resource does not run, while the peer is silent and might serve.
    NotServing(ResourceId),
    /// The peer was no longer there to take the group.
    HandoverAborted,
    /// A stopped service was installed, or removed from this machine.
    Reinstalled(ResourceId),
    /// A resource was started by somebody else.
    StartedByHand(ResourceId),
    /// The state could not be written.
    PersistFailed(String),
    /// All of it runs.
    Complete,
    /// Somebody else claims a VIP.
    Rival([u8; 6]),
    /// Maintenance began or ended.
    Maintenance(bool),
    /// Standby of a node began or ended.
    Standby(Side, bool),
    /// A stop of the group was wished or withdrawn.
    Stopped(bool),
    /// The configuration was reloaded.
    Reloaded,
    /// The peer's configuration has no such group.
    PeerLacksGroup,
    /// A stop failed on the peer: what runs there is not known.
    PeerStopFailed,
    /// The peer has not yet shown that it runs nothing of the group.
    PeerNotStopped,
    /// A resource cannot run here now, by its own account.
    Unready(ResourceId, String),
    /// A resource can run here again.
    ReadyAgain(ResourceId),
    /// It failed on both nodes: each tries in turn.
    InTurn,
    /// The next try is due in so long.
    Retry(Duration),
    /// Moves are limited: the next may come in so long.
    MoveLimited(Duration),
}

/// Something that speaks against running a group here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// Hard: the operator put this node in standby.
    Standby,
    /// Hard: this node is leaving.
    Leaving,
    /// Hard: the operator stopped the group.
    StoppedByOperator,
    /// Soft: a gateway of the VIP interface does not answer.
    GatewayLost(VifId),
    /// Soft: a gateway of the VIP interface answers again, but not for long enough.
    GatewayDampened(VifId),
    /// Soft, for a moment: the gateways of the VIP interface have not answered yet.
    GatewayPending(VifId),
    /// Soft: the VIP interface has no carrier.
    NoCarrier(VifId),
    /// Soft: a service that runs on both nodes does not run here.
    Down(ResourceId),
    /// Soft: a service is not installed here.
    Missing(ResourceId),
    /// Soft: a resource cannot run here now, by its own account.
    Unready(ResourceId),
    /// Soft: a part of a resource cannot run here now, by its own account.
    Partly(ResourceId),
    /// Soft: a resource is not started, for the peer's file does not list it in this group.
    HeldBack(ResourceId),
    /// Soft: so many failures of its resources.
    Failures(u16),
    /// Soft: the state directory cannot be written.
    StateUnwritable,
    /// Soft: a stop failed, what runs is not known.
    StopFailed,
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Standby => write!(f, "this node is in standby"),
            Fact::Leaving => write!(f, "this node is leaving"),
            Fact::StoppedByOperator => write!(f, "the operator stopped the group"),
            Fact::GatewayLost(_) => write!(f, "the gateway does not answer"),
            Fact::GatewayDampened(_) => {
                write!(f, "the gateway answers again, but not for long enough")
            }
            Fact::GatewayPending(_) => write!(f, "the gateway has not answered yet"),
            Fact::NoCarrier(_) => write!(f, "no carrier on the VIP interface"),
            Fact::Missing(_) => write!(f, "a service is not installed here"),
            Fact::Down(_) => write!(
                f,
                "a service that ought to run on both nodes does not run here"
            ),
            Fact::Unready(_) => write!(f, "a resource cannot run here now"),
            Fact::Partly(_) => write!(f, "a part of a resource cannot run here now"),
            Fact::HeldBack(_) => write!(
                f,
                "is held back: the peer's ha.toml does not list it in this group"
            ),
            Fact::Failures(1) => write!(f, "a resource failed"),
            Fact::Failures(n) => write!(f, "resources failed {n} times"),
            Fact::StateUnwritable => write!(f, "the state directory cannot be written"),
            Fact::StopFailed => write!(f, "a stop failed; what runs here is not known"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Started => write!(f, "the daemon started"),
            Reason::FoundRunning => write!(f, "found running, kept until the peer agrees"),
            Reason::FoundRunningWithoutToken => {
                write!(f, "found running, but the peer holds the token")
            }
            Reason::FoundStopped => write!(f, "looked at everything: nothing runs"),
            Reason::PeerHeard => write!(f, "heard, and hears this node"),
            Reason::PeerDeaf => write!(f, "heard, but does not hear this node"),
            Reason::PeerSilent(span) => write!(f, "no heartbeat for {} ms", span.as_millis()),
            Reason::PeerUnknown => write!(f, "never heard since this daemon started"),
            Reason::PeerRestarted => write!(f, "the peer's daemon restarted"),
            Reason::PeerLeft => write!(f, "the peer left: stopped and handed over"),
            Reason::OtherCluster => write!(f, "the peer has another cluster.name"),
            Reason::OtherNodes => write!(f, "the peer has another node list"),
            Reason::SameNode => write!(
                f,
                "the peer says that it is this very node: is --node or the host name the same on both?"
            ),
            Reason::OtherVersion(low, high) => {
                write!(f, "the peer speaks wire versions {low} to {high}")
            }
            Reason::Confirmed => write!(f, "the operator confirmed that the peer is off"),
            Reason::Fenced => write!(f, "the peer was fenced"),
            Reason::Leased => write!(f, "a third party promises that nobody else runs it"),
            Reason::LeaseOver => write!(f, "the lease has run out, and the peer is not heard"),
            Reason::Resumed => write!(
                f,
                "runs on: started before the daemon restarted, and claimed by nobody since"
            ),
            Reason::Agreement => write!(f, "the peer agrees and runs nothing of it"),
            Reason::BestEffort => write!(
                f,
                "best effort: the gateway answers and the peer answers for no VIP"
            ),
            Reason::BestEffortHoldsData => write!(f, "a group that holds data needs fencing"),
            Reason::BestEffortWithoutVip => write!(
                f,
                "a group without a VIP cannot be probed: it needs fencing"
            ),
            Reason::NoGatewayKnown(_) => write!(f, "no gateway is known on the VIP interface"),
            Reason::NoGatewayAnswer(_) => {
                write!(f, "no gateway answered since the peer fell silent")
            }
            Reason::ProbeUnproven(_) => write!(
                f,
                "the peer never answered a probe on the VIP interface, so its silence proves nothing; `confirm-fenced` if it is off"
            ),
            Reason::VipAnswered => write!(
                f,
                "the peer still answers for the VIP: that machine lives, though its heartbeats do not come"
            ),
            Reason::Probing(n, of) => write!(f, "{n} of {of} probes of the VIP unanswered"),
            Reason::ClearanceRefused(why) => write!(f, "clearance refused: {why}"),
            Reason::PeerInMaintenance => write!(
                f,
                "the peer fell silent in maintenance and keeps what it runs; `confirm-fenced` if it is off"
            ),
            Reason::ClearancePending => write!(f, "waiting for clearance"),
            Reason::WaitingForPeer => write!(
                f,
                "wait_for_peer: the peer must be seen once, or `confirm-fenced`"
            ),
            Reason::StartWait => write!(f, "waiting for the peer (start_wait)"),
            Reason::ClearanceSought(state) => write!(
                f,
                "sought: the peer is {state}, does it still run anything?"
            ),
            Reason::ClearanceCancelled(state) => write!(f, "ended: the peer is {state}"),
            Reason::HigherToken(token) => write!(f, "the peer has token {token}"),
            Reason::Granted => write!(f, "handed over by the peer"),
            Reason::HandedOver => write!(f, "handed over to the peer"),
            Reason::Operator => write!(f, "the operator asked for it"),
            Reason::Fact(fact) => write!(f, "{fact}"),
            Reason::Failback => write!(f, "failback to the preferred node"),
            Reason::Isolated => write!(f, "isolated: neither the peer nor a gateway answers"),
            Reason::Late(span) => write!(
                f,
                "paused for {} ms: the addresses may have expired",
                span.as_millis()
            ),
            Reason::SilentWhileStarting => {
                write!(f, "the peer fell silent before the group was up")
            }
            Reason::ResourceFailed(_, why) => write!(f, "a resource failed: {why}"),
            Reason::PutBack(_) => write!(f, "vanished, put back"),
            Reason::HeldBack(id) => Fact::HeldBack(*id).fmt(f),
            Reason::Covered(_) => write!(f, "is held back no more"),
            Reason::FoundDown(_) => write!(f, "found stopped: started"),
            Reason::Recovered(_, span) => write!(f, "runs again after {} ms", span.as_millis()),
            Reason::NotServing(_) => write!(
                f,
                "a resource does not run and the peer is silent: left to the peer, should it live"
            ),
            Reason::HandoverAborted => write!(f, "the peer is no longer there to take it: kept"),
            Reason::Reinstalled(_) => write!(f, "was installed, removed or masked"),
            Reason::StartedByHand(_) => write!(f, "started by somebody else: stopped again"),
            Reason::PersistFailed(why) => write!(f, "the state could not be written: {why}"),
            Reason::Complete => write!(f, "everything runs"),
            Reason::Rival(mac) => {
                let [a, b, c, d, e, g] = mac;
                write!(
                    f,
                    "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x} claims a VIP of this group; announced again"
                )
            }
            Reason::Maintenance(true) => write!(f, "maintenance began: nothing is touched"),
            Reason::Maintenance(false) => write!(f, "maintenance ended"),
            Reason::Standby(_, true) => write!(f, "standby"),
            Reason::Standby(_, false) => write!(f, "online again"),
            Reason::Stopped(true) => write!(f, "stopped by the operator"),
            Reason::Stopped(false) => write!(f, "may run again"),
            Reason::PeerLacksGroup => write!(
                f,
                "the peer's ha.toml has no such group: bring both in line, then `ha-appliance reload` there"
            ),
            Reason::PeerStopFailed => write!(
                f,
                "a stop failed on the peer: repair it there, then `ha-appliance clear`"
            ),
            Reason::PeerNotStopped => {
                write!(f, "the peer has not yet shown that it runs nothing of it")
            }
            Reason::Reloaded => write!(f, "the configuration was reloaded"),
            Reason::Unready(_, why) => write!(f, "cannot run here now: {why}"),
            Reason::ReadyAgain(_) => write!(f, "can run here again"),
            Reason::InTurn => write!(f, "failed on both nodes: the other tries"),
            Reason::Retry(span) => write!(f, "tried again in {} s", span.as_secs().max(1)),
            Reason::MoveLimited(span) => write!(
                f,
                "moved too often: the next move waits {} s",
                span.as_secs().max(1)
            ),
        }
    }
}
