//! What the core decides by, in words for people: the log, `status`, `history`, answers to commands and the
//! tests all print these. A name that only the shell knows (of a resource, an interface) is put before them by it.

use crate::core::gateway::GatewayState;
use crate::core::node::{Sign, SignKind};
use crate::core::protocol::peer::PeerState;
use crate::core::protocol::right::{Right, Word};
use crate::core::reason::{Fact, HeldFire, Reason};
use crate::core::time::Time;
use std::fmt;

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
                "the peer never answered a probe on the VIP interface, so its silence proves nothing"
            ),
            Reason::VipAnswered => write!(
                f,
                "the peer still answers for the VIP: that machine lives, though its heartbeats do not come"
            ),
            Reason::Probing(n, of) => write!(f, "{n} of {of} probes of the VIP unanswered"),
            Reason::ClearanceRefused(why) => write!(f, "not proven to be off: {why}"),
            Reason::PeerInMaintenance => write!(
                f,
                "the peer fell silent in maintenance and keeps what it runs"
            ),
            Reason::PeerWasRefused => write!(
                f,
                "the peer was refused when it was last heard: what it runs is not known, so its silence proves nothing"
            ),
            Reason::PeerCountsOnFencing => write!(
                f,
                "the peer's file names devices, so it keeps what it runs until it is switched off; this node's file names none"
            ),
            Reason::HeldFire(why) => write!(f, "it has power, and is not switched off: {why}"),
            Reason::DeviceLied(level) => write!(
                f,
                "the device of level {} read off of the peer's machine, which lived on: nothing that it reads is taken \
                 for proof until it is rehearsed",
                level + 1
            ),
            Reason::ClearancePending => write!(f, "not proven to be off"),
            Reason::WaitingForPeer => write!(f, "wait_for_peer: the peer must be seen once"),
            Reason::StartWait => write!(f, "waiting for the peer (start_wait)"),
            Reason::ClearanceSought(state) => {
                let state = match state {
                    PeerState::Unknown => "not heard yet".into(),
                    state => state.to_string(),
                };
                write!(
                    f,
                    "looks for proof that the peer ({state}) runs nothing of it"
                )
            }
            Reason::ClearanceCancelled(state) => {
                write!(f, "looks for proof no longer: the peer is {state}")
            }
            Reason::HigherToken(token) => write!(f, "the peer has token {token}"),
            Reason::BothRan { most, yields, sure } => {
                let ran = if *sure { "ran" } else { "may have run" };
                write!(f, "{ran} on both nodes at once")?;
                match most.as_millis() {
                    0 => {}
                    ms @ ..1000 => write!(f, ", for at most {ms} ms")?,
                    ms => write!(f, ", for at most {}.{} s", ms / 1000, ms % 1000 / 100)?,
                }
                match yields {
                    true => write!(f, ": the peer took it over, and it is stopped here"),
                    false => write!(f, ": it stays here, and the peer stops it"),
                }
            }
            Reason::Granted => write!(f, "handed over by the peer"),
            Reason::GrantedInNeed => {
                write!(f, "handed over by the peer, which could not run it well")
            }
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
            Reason::MadeSure(_) => write!(f, "made sure that it runs"),
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
            Reason::PersistWorks => write!(f, "the state can be written again"),
            Reason::Complete => write!(f, "everything runs"),
            Reason::Rival(mac) => {
                write!(
                    f,
                    "{} claims a VIP of this group; announced again",
                    Mac(mac)
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

impl fmt::Display for HeldFire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeldFire::Serves => "it answers for an address of a group that does not run here, so it serves",
            HeldFire::Unmet => {
                "it was not heard both ways since this machine started, or since it was last known to be off"
            }
            HeldFire::Apart => {
                "when it was last heard it had not heard this node for a while, so both could shoot at once"
            }
            HeldFire::Speaks => {
                "heartbeats with this cluster's key come from it, though it does not hear this node"
            }
            HeldFire::Maintained => "it fell silent in maintenance",
            HeldFire::Often => "it was switched off three times within an hour",
        })
    }
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

impl fmt::Display for PeerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PeerState::Unknown => "unknown",
            PeerState::Alive => "alive",
            PeerState::OneWay => "one-way",
            PeerState::Refused => "refused",
            PeerState::Left => "left",
            PeerState::Silent => "silent",
            PeerState::Fenced => "fenced",
        })
    }
}

impl Sign {
    /// What it is and how long ago, without the names that the core does not know.
    pub fn words(&self, now: Time) -> String {
        let ago = format!("{} ms ago", now.since(self.at).as_millis());
        match &self.kind {
            SignKind::Unproven(_) => format!(
                "heartbeats with this cluster's key come from it, the latest {ago}, though it does not hear this node"
            ),
            SignKind::Unlistening => {
                format!("its machine answered {ago} that nobody listens on the heartbeat's port")
            }
            SignKind::Answered(_, group, mac) => {
                let what = match group {
                    Some(_) => "a VIP",
                    None => "its own address",
                };
                format!(
                    "its hardware address {} answered for {what} {ago}",
                    Mac(mac)
                )
            }
        }
    }
}

/// A hardware address.
pub struct Mac<'a>(pub &'a [u8; 6]);

impl fmt::Display for Mac<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Right::Agreement { .. } => write!(f, "agreement"),
            Right::Left => write!(f, "the peer left"),
            Right::Fenced {
                by: Word::Source(_),
            } => write!(f, "the peer is off, verified"),
            Right::Fenced { by: Word::Operator } => write!(f, "the operator says the peer is off"),
            Right::Lease { .. } => write!(f, "a lease"),
            Right::BestEffort { .. } => write!(f, "best effort"),
            Right::Resumed { .. } => write!(f, "resumed"),
        }
    }
}

impl fmt::Display for GatewayState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GatewayState::Pending => "asked",
            GatewayState::Good => "answers",
            GatewayState::Dampened => "answers again",
            GatewayState::Lost => "lost",
        })
    }
}
