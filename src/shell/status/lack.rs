//! What kind of thing a group lacks that does not run: from that follows what is safe to do.

use crate::core::peer::PeerState;
use crate::core::reason::{Fact, HeldFire, Reason};

/// The word for it; empty: it lacks nothing, or nobody knows.
pub(super) fn lack(waiting: Option<&Reason>, peer: PeerState) -> &'static str {
    let Some(reason) = waiting else { return "" };
    match reason {
        Reason::Fact(fact) => of_fact(*fact),
        // What switches it off does not.
        Reason::ClearanceRefused(_)
        | Reason::NoGatewayKnown(_)
        | Reason::ProbeUnproven(_)
        | Reason::BestEffortHoldsData
        | Reason::BestEffortWithoutVip
        | Reason::WaitingForPeer
        | Reason::HeldFire(
            HeldFire::Short
            | HeldFire::Serves
            | HeldFire::Unmet
            | HeldFire::Inherited
            | HeldFire::Apart
            | HeldFire::Speaks
            | HeldFire::Maintained
            | HeldFire::Often,
        )
        | Reason::PeerCountsOnFencing
        | Reason::PeerWasRefused
        | Reason::PeerInMaintenance
        | Reason::PeerStopFailed => PROOF,
        // It left, and did not say so of this group: it will say no more.
        Reason::PeerNotStopped | Reason::PeerLacksGroup if peer == PeerState::Left => PROOF,
        Reason::PeerNotStopped
        | Reason::VipAnswered
        | Reason::Probing(..)
        | Reason::ClearancePending
        | Reason::StartWait
        | Reason::InTurn
        | Reason::Retry(_)
        | Reason::MoveLimited(_) => TIME,
        Reason::NoGatewayAnswer(_) | Reason::Isolated | Reason::Late(_) => NETWORK,
        Reason::HeldFire(HeldFire::Blind | HeldFire::Elsewhere) => NETWORK,
        Reason::HeldFire(HeldFire::Unable) => RESOURCE,
        Reason::PeerLacksGroup | Reason::HeldBack(_) => FILE,
        Reason::ResourceFailed(..) | Reason::NotServing(_) => RESOURCE,
        Reason::Unready(..) | Reason::Partly(..) | Reason::Behind(..) => READINESS,
        Reason::PersistFailed(_) => DISK,
        // Of a failed look, and of what else is under way, the next one comes by itself.
        Reason::Started
        | Reason::FoundStopped
        | Reason::ClearanceSought(_)
        | Reason::ClearanceCancelled(_)
        | Reason::SilentWhileStarting
        | Reason::HandoverAborted
        | Reason::StuckEnded
        | Reason::LeaseOver => TIME,
        // It is in this state; what is to be said of that stands where the peer is told of.
        Reason::OtherCluster
        | Reason::OtherNodes
        | Reason::SameNode
        | Reason::OtherVersion(..)
        | Reason::PeerHeard
        | Reason::PeerDeaf
        | Reason::PeerSilent(_)
        | Reason::PeerUnknown
        | Reason::PeerRestarted
        | Reason::PeerLeft => "",
        Reason::Operator | Reason::Stopped(_) | Reason::Standby(..) | Reason::Maintenance(_) => {
            LEAVE
        }
        Reason::DeviceLied(_) => PROOF,
        Reason::FoundRunning
        | Reason::FoundRunningWithoutToken
        | Reason::Confirmed
        | Reason::Fenced
        | Reason::Leased
        | Reason::Resumed
        | Reason::Kept
        | Reason::Agreement
        | Reason::BestEffort
        | Reason::HigherToken(_)
        | Reason::BothRan { .. }
        | Reason::Granted
        | Reason::GrantedInNeed
        | Reason::HandedOver
        | Reason::Failback
        | Reason::PutBack(_)
        | Reason::Covered(_)
        | Reason::MadeSure(_)
        | Reason::FoundDown(_)
        | Reason::Recovered(..)
        | Reason::Reinstalled(_)
        | Reason::StartedByHand(_)
        | Reason::PersistWorks
        | Reason::Complete
        | Reason::Rival(_)
        | Reason::Reloaded
        | Reason::ReadyAgain(_) => "",
    }
}

/// Somebody's word, or an outside proof, that the peer runs nothing of it.
pub(super) const PROOF: &str = "proof";
/// Nothing but time.
pub(super) const TIME: &str = "time";
/// An answer from this node's network.
pub(super) const NETWORK: &str = "network";
/// The same file on both nodes.
pub(super) const FILE: &str = "file";
/// That what a resource stands on is here.
pub(super) const READINESS: &str = "readiness";
/// A resource that runs when it is started here.
pub(super) const RESOURCE: &str = "resource";
/// A state that can be written.
pub(super) const DISK: &str = "disk";
/// The operator's leave.
pub(super) const LEAVE: &str = "leave";
/// That what could not be stopped here is gone.
pub(super) const STOP: &str = "stop";

fn of_fact(fact: Fact) -> &'static str {
    match fact {
        Fact::Standby | Fact::Leaving | Fact::StoppedByOperator => LEAVE,
        Fact::GatewayLost(_) | Fact::NoCarrier(_) => NETWORK,
        Fact::GatewayDampened(_) | Fact::GatewayPending(_) => TIME,
        Fact::Down(_) | Fact::Missing(_) | Fact::Failures(_) | Fact::DataFailed(_) => RESOURCE,
        Fact::Unready(_) | Fact::Partly(_) | Fact::Behind(_) => READINESS,
        Fact::HeldBack(_) | Fact::AllHeldBack(_) => FILE,
        Fact::StateUnwritable => DISK,
        Fact::StopFailed | Fact::StopFailedBeside => STOP,
    }
}
