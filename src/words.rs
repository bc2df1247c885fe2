//! What the core decides by, in words for people: the log, `status`, `history`, answers to commands and the
//! tests all print these. A name that only the shell knows (of a resource, an interface) is put before them by it.
//!
//! What one node says is read on the other as well, where "here" and "the peer" would be untrue: so it is said with
//! the nodes' names, by a [`Voice`].

use crate::core::gateway::GatewayState;
use crate::core::node::{Sign, SignKind};
use crate::core::protocol::peer::PeerState;
use crate::core::protocol::right::{Right, Word};
use crate::core::reason::{Fact, HeldFire, Reason};
use crate::core::time::Time;
use std::fmt;
use std::time::Duration;

/// A span for people: `340 ms`, `3.2 s`, `48 s`, `5 m 12 s`, `3 h 12 m`, `12 d 4 h`.
pub fn span(span: Duration) -> String {
    let s = span.as_secs();
    match s {
        0 => format!("{} ms", span.as_millis()),
        1..10 => format!("{}.{} s", s, span.subsec_millis() / 100),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} m {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} m", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}

/// Which node says it, and which one is its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice<'a> {
    /// Who says it.
    pub here: &'a str,
    /// The other.
    pub peer: &'a str,
}

impl Voice<'static> {
    /// Where nobody knows names.
    const NAMELESS: Voice<'static> = Voice {
        here: "this node",
        peer: "the peer",
    };
}

/// What that node says.
struct Said<'a, T>(&'a T, Voice<'a>);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Said(self, Voice::NAMELESS).fmt(f)
    }
}

impl Reason {
    /// As that node says it.
    pub fn words(&self, voice: Voice) -> String {
        Said(self, voice).to_string()
    }
}

impl fmt::Display for Said<'_, Reason> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let voice = self.1;
        let Voice { here, peer } = voice;
        match self.0 {
            Reason::Started => f.write_str("the daemon started"),
            Reason::FoundRunning => write!(f, "found running, kept until {peer} agrees"),
            Reason::FoundRunningWithoutToken => {
                write!(f, "found running, but the right to run it is {peer}'s")
            }
            Reason::FoundStopped => f.write_str("looked at everything: nothing runs"),
            Reason::PeerHeard => write!(f, "heard, and hears {here}"),
            Reason::PeerDeaf => write!(f, "heard, but does not hear {here}"),
            Reason::PeerSilent(span) => write!(f, "no heartbeat for {}", self::span(*span)),
            Reason::PeerUnknown => write!(f, "never heard since the daemon on {here} started"),
            Reason::PeerRestarted => write!(f, "{peer}'s daemon, or its machine, was started anew"),
            Reason::PeerLeft => write!(f, "{peer} left: stopped and handed over"),
            Reason::OtherCluster => write!(f, "{peer} has another cluster.name"),
            Reason::OtherNodes => write!(f, "{peer} has another node list"),
            Reason::SameNode => write!(
                f,
                "{peer} says that it is {here}, too: is --node or the host name the same on both?"
            ),
            Reason::OtherVersion(low, high) => {
                write!(f, "{peer} speaks wire versions {low} to {high}")
            }
            Reason::Confirmed => write!(f, "the operator confirmed that {peer} is off"),
            Reason::Fenced => write!(f, "{peer} was proven off by its device"),
            Reason::Leased => f.write_str("a third party promises that nobody else runs it"),
            Reason::LeaseOver => write!(f, "the lease has run out, and {peer} is not heard"),
            Reason::StuckEnded => {
                f.write_str("what could not be stopped has ended: the rest is stopped")
            }
            Reason::Kept => write!(
                f,
                "{here} had it, and {peer} takes nothing over before it is sure that {here} is off"
            ),
            Reason::Resumed => f.write_str(
                "runs on: started before the daemon restarted, and claimed by nobody since",
            ),
            Reason::Agreement => write!(f, "{peer} agrees and runs nothing of it"),
            Reason::BestEffort => {
                write!(
                    f,
                    "best effort: the gateway answers and {peer} answers for no VIP"
                )
            }
            Reason::BestEffortHoldsData => f.write_str("a group that holds data needs fencing"),
            Reason::BestEffortWithoutVip => {
                f.write_str("a group without a VIP cannot be probed: it needs fencing")
            }
            Reason::NoGatewayKnown(_) => f.write_str("no gateway is known on the VIP interface"),
            Reason::NoGatewayAnswer(_) => write!(f, "no gateway answered since {peer} fell silent"),
            Reason::ProbeUnproven(_) => write!(
                f,
                "{peer} never answered a probe on the VIP interface, so its silence proves nothing"
            ),
            Reason::VipAnswered => {
                write!(f, "{peer} still answers for the VIP, so that machine lives")
            }
            Reason::Probing(n, of) => write!(f, "{n} of {of} probes of the VIP unanswered"),
            Reason::ClearanceRefused(why) => write!(f, "{peer} is not proven to be off: {why}"),
            Reason::PeerInMaintenance => {
                write!(
                    f,
                    "{peer} fell silent in maintenance and keeps what it runs"
                )
            }
            Reason::PeerWasRefused => write!(
                f,
                "{peer} was refused when it was last heard: what it runs is not known, so its silence proves nothing"
            ),
            Reason::PeerCountsOnFencing => write!(
                f,
                "{peer}'s file names devices, so it keeps what it runs until it is switched off; the file on {here} \
                 names none"
            ),
            Reason::HeldFire(why) => {
                write!(
                    f,
                    "{peer} has power, and is not switched off: {}",
                    Said(why, voice)
                )
            }
            Reason::DeviceLied(level) => write!(
                f,
                "the device of level {} read off of {peer}'s machine, which lived on: nothing that it reads is taken for \
                 proof until it is rehearsed",
                level + 1
            ),
            Reason::ClearancePending => write!(f, "{peer} is not proven off"),
            Reason::WaitingForPeer => write!(f, "wait_for_peer: {peer} must be seen once"),
            Reason::StartWait => write!(f, "{peer} may still come (start_wait)"),
            Reason::ClearanceSought(state) => {
                let state = match state {
                    PeerState::Unknown => "not heard yet".into(),
                    state => state.to_string(),
                };
                write!(
                    f,
                    "looks for proof that {peer} ({state}) runs nothing of it"
                )
            }
            Reason::ClearanceCancelled(state) => {
                write!(f, "looks for proof no longer: {peer} is {state}")
            }
            Reason::HigherToken(token) => write!(f, "{peer} has token {token}"),
            Reason::BothRan { most, yields, sure } => {
                let most = match most.as_millis() {
                    0 => String::new(),
                    ms @ ..1000 => format!(", for at most {ms} ms"),
                    // Never less than it may have been.
                    ms => {
                        let tenths = ms.div_ceil(100);
                        format!(", for at most {}.{} s", tenths / 10, tenths % 10)
                    }
                };
                let end = match yields {
                    true => format!("{peer} keeps it, and {here} gives it up"),
                    false => format!("{here} keeps it, and {peer} gives it up"),
                };
                match sure {
                    true => write!(f, "ran on both nodes at once{most}: {end}"),
                    false => write!(f, "may have run on both nodes at once{most}: {end}"),
                }
            }
            Reason::Granted => write!(f, "handed over by {peer}"),
            Reason::GrantedInNeed => {
                write!(f, "handed over by {peer}, which could not run it well")
            }
            Reason::HandedOver => write!(f, "handed over to {peer}"),
            Reason::Operator => f.write_str("the operator asked for it"),
            Reason::Fact(fact) => write!(f, "{}", Said(fact, voice)),
            Reason::Failback => f.write_str("failback to the preferred node"),
            Reason::Isolated => {
                write!(
                    f,
                    "{here} is isolated: neither {peer} nor a gateway answers"
                )
            }
            Reason::Late(span) => write!(
                f,
                "{here} stood still: its addresses were renewed {} ago and may have expired",
                self::span(*span)
            ),
            Reason::SilentWhileStarting => {
                write!(f, "{peer} fell silent before the group was up")
            }
            Reason::ResourceFailed(_, why) => write!(f, "a resource failed: {why}"),
            Reason::PutBack(_) => f.write_str("vanished, put back"),
            Reason::MadeSure(_) => f.write_str("made sure that it runs"),
            Reason::HeldBack(id) => write!(f, "{}", Said(&Fact::HeldBack(*id), voice)),
            Reason::Covered(_) => f.write_str("is held back no more"),
            Reason::FoundDown(_) => f.write_str("found stopped: started"),
            Reason::Recovered(_, span) => write!(f, "runs again after {}", self::span(*span)),
            Reason::NotServing(_) => write!(
                f,
                "a resource does not run and {peer} may count {here} as silent: left to {peer}, should it live"
            ),
            Reason::HandoverAborted => write!(f, "{peer} is no longer there to take it: kept"),
            Reason::Reinstalled(_) => f.write_str("was installed, removed or masked"),
            Reason::StartedByHand(_) => f.write_str("started by somebody else: stopped again"),
            Reason::PersistFailed(why) => write!(f, "the state could not be written: {why}"),
            Reason::PersistWorks => f.write_str("the state can be written again"),
            Reason::Complete => f.write_str("everything runs"),
            Reason::Rival(mac) => {
                write!(
                    f,
                    "{} claims a VIP of this group; announced again",
                    Mac(mac)
                )
            }
            Reason::Maintenance(true) => f.write_str("maintenance began: nothing is touched"),
            Reason::Maintenance(false) => f.write_str("maintenance ended"),
            Reason::Standby(_, true) => f.write_str("is in standby"),
            Reason::Standby(_, false) => f.write_str("is online again"),
            Reason::Stopped(true) => f.write_str("stopped by the operator"),
            Reason::Stopped(false) => f.write_str("may run again"),
            Reason::PeerLacksGroup => write!(
                f,
                "{peer}'s ha.toml has no such group: bring both in line, then `ha-appliance reload` there"
            ),
            Reason::PeerStopFailed => {
                write!(
                    f,
                    "a stop failed on {peer}: repair it there, then `ha-appliance clear`"
                )
            }
            Reason::PeerNotStopped => {
                write!(f, "{peer} has not yet shown that it runs nothing of it")
            }
            Reason::Reloaded => f.write_str("the configuration was reloaded"),
            Reason::Unready(_, why) => write!(f, "cannot run on {here} now: {why}"),
            Reason::Partly(_, why) => write!(f, "is impaired on {here}: {why}"),
            Reason::Behind(_, why) => {
                write!(f, "is not to be handed over to {here} now: {why}")
            }
            Reason::ReadyAgain(_) => write!(f, "can run on {here} again"),
            Reason::InTurn => f.write_str("failed on both nodes: the other tries"),
            Reason::Retry(span) => write!(f, "tried again in {} s", span.as_secs().max(1)),
            Reason::MoveLimited(span) => write!(
                f,
                "moved too often: the next move waits {} s",
                span.as_secs().max(1)
            ),
        }
    }
}

impl fmt::Display for Said<'_, HeldFire> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Voice { here, peer } = self.1;
        match self.0 {
            HeldFire::Serves => write!(
                f,
                "it answers for an address of a group that does not run on {here}, or did seconds ago, so it serves"
            ),
            HeldFire::Unmet => write!(
                f,
                "it was not heard both ways since {here}'s machine started, since {here}'s daemon was last stopped by \
                 order, or since it was last known to be gone"
            ),
            HeldFire::Inherited => write!(
                f,
                "an off that was asked for before the daemon on {here} started may have switched it off, and it may be on \
                 again"
            ),
            HeldFire::Elsewhere => write!(
                f,
                "it may serve on a network that {here} does not reach, and without it {here} would serve no more than now"
            ),
            HeldFire::Apart => write!(
                f,
                "when it was last heard it had not heard {here} for a while, or not of a change of `delay`, so both could \
                 shoot at once"
            ),
            HeldFire::Short => write!(
                f,
                "the `delay` in force when it was last heard is shorter than what ha.toml on {here} asks for now"
            ),
            HeldFire::Speaks => write!(
                f,
                "heartbeats with this cluster's key come from it, though it does not hear {here}"
            ),
            HeldFire::Maintained => f.write_str("it fell silent in maintenance"),
            HeldFire::Unable => write!(f, "what would run on {here} then would serve nobody"),
            HeldFire::Blind => write!(
                f,
                "no gateway answers {here}, so {here} may be the one that is cut off"
            ),
            HeldFire::Often => write!(
                f,
                "it was switched off three times within an hour, and never heard for long between: see what becomes of \
                 its machine; `ha-appliance fence {peer}` switches it off once more"
            ),
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Said(self, Voice::NAMELESS).fmt(f)
    }
}

impl Fact {
    /// As that node says it of itself.
    pub fn words(&self, voice: Voice) -> String {
        Said(self, voice).to_string()
    }
}

impl fmt::Display for Said<'_, Fact> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Voice { here, peer } = self.1;
        match self.0 {
            Fact::Standby => write!(f, "{here} is in standby"),
            Fact::Leaving => write!(f, "{here} is leaving"),
            Fact::StoppedByOperator => f.write_str("the operator stopped the group"),
            Fact::GatewayLost(_) => f.write_str("the gateway does not answer"),
            Fact::GatewayDampened(_) => {
                f.write_str("the gateway answers again, but not for long enough")
            }
            Fact::GatewayPending(_) => f.write_str("the gateway has not answered yet"),
            Fact::NoCarrier(_) => f.write_str("no carrier on the VIP interface"),
            Fact::Missing(_) => write!(f, "a service is not installed on {here}"),
            Fact::Down(_) => {
                write!(
                    f,
                    "a service that ought to run on both nodes does not run on {here}"
                )
            }
            Fact::Unready(_) => write!(f, "a resource cannot run on {here} now"),
            Fact::Partly(_) => write!(f, "a resource is impaired on {here}"),
            Fact::Behind(_) => write!(f, "a resource is not to be handed over to {here} now"),
            Fact::HeldBack(_) | Fact::AllHeldBack(_) => {
                write!(
                    f,
                    "is held back: {peer}'s ha.toml does not list it in this group"
                )
            }
            Fact::Failures(1) => f.write_str("a resource failed"),
            Fact::Failures(n) => write!(f, "resources failed {n} times"),
            Fact::DataFailed(_) => f.write_str(
                "its data could be used on neither node: mend it, then `ha-appliance clear`",
            ),
            Fact::StateUnwritable => f.write_str("the state directory cannot be written"),
            Fact::StopFailedBeside => write!(
                f,
                "a stop of another group failed: once all else is handed over, {here} asks to be switched off"
            ),
            Fact::StopFailed => {
                write!(f, "a stop failed on {here}; what runs there is not known")
            }
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

impl PeerState {
    /// What is to be said after the peer's name.
    pub fn predicate(self) -> &'static str {
        match self {
            PeerState::Unknown => "was never heard",
            PeerState::Alive => "is alive",
            PeerState::OneWay => "is heard, but does not hear",
            PeerState::Refused => "is refused",
            PeerState::Left => "left",
            PeerState::Silent => "is silent",
            PeerState::Fenced => "is taken as off",
        }
    }
}

impl Sign {
    /// What it is and how long ago, without the names that the core does not know.
    pub fn words(&self, now: Time, here: &str) -> String {
        let ago = format!("{} ago", span(now.since(self.at)));
        match &self.kind {
            SignKind::Unproven(_) => format!(
                "heartbeats with this cluster's key come from it, the latest {ago}, though it does not hear {here}"
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
                by: Word::Device(_),
            } => write!(f, "the peer is off, verified"),
            Right::Fenced { by: Word::Operator } => write!(f, "the operator says the peer is off"),
            Right::Lease { .. } => write!(f, "a lease"),
            Right::BestEffort { .. } => write!(f, "best effort"),
            Right::Resumed { .. } => write!(f, "resumed"),
            Right::Kept => write!(f, "kept since this machine had it"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let of = |ms| span(Duration::from_millis(ms));
        assert_eq!(of(0), "0 ms");
        assert_eq!(of(999), "999 ms");
        assert_eq!(of(3_290), "3.2 s");
        assert_eq!(of(48_000), "48 s");
        assert_eq!(of(312_000), "5 m 12 s");
        assert_eq!(of(11_520_000), "3 h 12 m");
        assert_eq!(of(1_051_200_000), "12 d 4 h");
    }
}
