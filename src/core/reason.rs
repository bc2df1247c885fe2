//! Why: every decision carries its reason as data, and the log, `status`, `history` and the tests
//! all print that same value (`words`).

use super::protocol::peer::PeerState;
use crate::id::{ResourceId, VifId};
use crate::wire::heartbeat::{Side, Token};
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
    /// A device made sure that the peer is off.
    Fenced,
    /// A third party promises that nobody else runs it.
    Leased,
    /// That promise has run out, and the peer is not heard.
    LeaseOver,
    /// A daemon of this boot started it, and the peer has claimed nothing since.
    Resumed,
    /// This boot had it, and the peer takes nothing over without making sure that this machine is off.
    Kept,
    /// What could not be stopped has ended.
    StuckEnded,
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
    /// A device refused, or did not answer.
    ClearanceRefused(String),
    /// The peer fell silent in maintenance, in which it keeps what it runs whatever happens.
    PeerInMaintenance,
    /// The peer was refused when it was last heard: it may run what is not known here.
    PeerWasRefused,
    /// The peer has a device and counts on nobody taking over who does not switch it off; this node has none.
    PeerCountsOnFencing,
    /// Waiting for the devices.
    ClearancePending,
    /// The peer's machine has power, and is not switched off.
    HeldFire(HeldFire),
    /// That device read off of a machine that lived on: its level, from 0.
    DeviceLied(usize),
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
    /// The group ran on both nodes, for so long at most.
    BothRan {
        /// Since the peer was last heard, or since it runs here.
        most: Duration,
        /// The peer's token is the higher one: this node gives it up.
        yields: bool,
        /// Otherwise it may have ended on one before the other began.
        sure: bool,
    },
    /// The peer handed the group over.
    Granted,
    /// The same, by a peer that could not run it well any more.
    GrantedInNeed,
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
    /// A resource that can run here again is started, if it does not run.
    MadeSure(ResourceId),
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
    /// The state can be written again.
    PersistWorks,
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
    /// A part of a resource cannot run here now, by its own account.
    Partly(ResourceId, String),
    /// A resource is not to be handed over to here now, by its own account.
    Behind(ResourceId, String),
    /// A resource can run here again.
    ReadyAgain(ResourceId),
    /// It failed on both nodes: each tries in turn.
    InTurn,
    /// The next try is due in so long.
    Retry(Duration),
    /// Moves are limited: the next may come in so long.
    MoveLimited(Duration),
}

/// Why a machine is not switched off that has power and is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeldFire {
    /// It answers for an address of a group that is not run here, or did in this silence, and was not asked in vain for
    /// long enough since: it serves.
    Serves,
    /// It was not heard both ways in this boot, since this node's daemon was last ended by order, or since it was last
    /// known to be gone.
    Unmet,
    /// An off that left before this daemon started may have switched it off, and it may be on again.
    Inherited,
    /// It may serve on a network that this node does not reach, and this node would serve no more than now without it.
    Elsewhere,
    /// What was last heard of it came when it did not hear this node, or not of the `delay` that this node announced: it may
    /// count its silence from another moment, or by another one.
    Apart,
    /// The `delay` that both count by is shorter than this file's devices need.
    Short,
    /// Heartbeats come from it that do not show that it hears this node, and one of the two serves.
    Speaks,
    /// It fell silent in maintenance.
    Maintained,
    /// It was switched off so often within an hour, and never came back for long.
    Often,
    /// Nothing that it runs, or that waits here, would serve anybody here.
    Unable,
    /// No gateway answers here, which one did when the peer was last heard, or did not know for whom it is dead: it may be this
    /// node that is cut off.
    Blind,
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
    /// A resource is not to be handed over to here, by its own account: what the peer has is not all here.
    Behind(ResourceId),
    /// The peer's file lists something of it that this one's does not, or the other way round, and with its agreement
    /// nothing would run here: this is held back first.
    AllHeldBack(ResourceId),
    /// A stop of another group failed here: once all else is handed over, this machine can ask to be switched off.
    StopFailedBeside,
    /// Soft: a resource is not started, for the peer's file does not list it in this group.
    HeldBack(ResourceId),
    /// Soft: so many failures of its resources.
    Failures(u16),
    /// Its data could be used on neither node, and then not here again: it waits for an operator.
    DataFailed(ResourceId),
    /// Soft: the state directory cannot be written.
    StateUnwritable,
    /// Soft: a stop failed, what runs is not known.
    StopFailed,
}
