//! What a group looks at when it decides: the rest of the node, at one step.

use super::protocol::fencing::Fencing;
use super::protocol::isolation::Doubt;
use super::protocol::peer::{Peer, PeerState};
use super::protocol::record::GroupRecord;
use super::protocol::rhythm::Rhythm;
use super::protocol::takes::TakesBy;
use super::setup::{GroupSetup, Setup};
use super::time::Time;
use super::vif::Vifs;
use crate::wire::heartbeat::{GroupReport, Role, Side};

/// The rest of the node, as a group sees it at this step.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The step's time.
    pub now: Time,
    /// The node's configuration.
    pub node: &'a Setup,
    /// The group's configuration.
    pub setup: &'a GroupSetup,
    /// The peer.
    pub peer: &'a Peer,
    /// The devices that switch the peer off.
    pub fencing: &'a Fencing,
    /// By what this node would take a group over from a silent peer.
    pub takes_by: TakesBy,
    /// By what the peer would from this node.
    pub peer_takes_by: TakesBy,
    /// The VIP interfaces.
    pub vifs: &'a Vifs,
    /// Whether this node's own silence may be its own fault.
    pub doubt: &'a Doubt,
    /// Maintenance is on.
    pub maintenance: bool,
    /// This node is in standby.
    pub standby: bool,
    /// This node is on its way out.
    pub leaving: bool,
    /// The operator stopped the group.
    pub stopped: bool,
    /// A stop of some group failed here, and the peer could switch this machine off.
    pub stop_failed_here: bool,
    /// The last write of the state failed.
    pub unwritable: bool,
    /// What the disk has of the group.
    pub saved: Option<GroupRecord>,
    /// The peer was in maintenance when it was last heard, by this daemon or one before.
    pub peer_maintained: bool,
    /// The same of a peer that was refused.
    pub peer_refused: bool,
    /// The sequence of the next heartbeat.
    pub next_sequence: u64,
    /// This step reads a heartbeat, the only moment at which agreement is judged.
    pub heartbeat: bool,
    /// This step comes after every queue was drained, the only moment at which absence is judged.
    pub tick: bool,
    /// When this daemon started.
    pub started: Time,
    /// When the first path by which the peer can be heard came up.
    pub link_up: Option<Time>,
    /// When the wait for an unheard peer ends; None: not before a path is up.
    pub start_wait_ends: Option<Time>,
    /// The peer must be heard before anything starts.
    pub wait_for_peer: bool,
    /// An earlier daemon ran in this boot: what runs here, it may have started.
    pub restarted: bool,
}

impl Context<'_> {
    /// The last moment at which the peer was surely there.
    pub fn silence_began(&self) -> Time {
        self.peer.contact().unwrap_or(self.started)
    }

    /// Heartbeats are missing: evidence is gathered from now on, so that it is ready when the
    /// detection time ends.
    pub fn missing(&self) -> bool {
        self.missing_since().is_some_and(|at| self.now >= at)
    }

    /// When they begin to be.
    pub fn missing_since(&self) -> Option<Time> {
        match self.peer.state() {
            PeerState::Alive | PeerState::OneWay | PeerState::Silent => {
                // When the next heartbeat of the peer ought to have come.
                let interval = self.peer.rhythm().interval;
                Some(self.silence_began() + interval + interval / 4)
            }
            PeerState::Unknown => {
                let Rhythm { interval, misses } = self.peer.judging();
                Some(self.start_wait_ends? - interval * misses)
            }
            PeerState::Refused | PeerState::Left | PeerState::Fenced => None,
        }
    }

    /// Nothing unread can say that the peer took over meanwhile: heartbeats come, or all that came was read;
    /// and after a pause something was heard that answers what was sent since. A node that was paused for less
    /// than a lifetime, and whose address was deleted in that time, would otherwise bring it back before it
    /// reads that the peer has it.
    pub fn up_to_date(&self) -> bool {
        (self.tick || !self.missing()) && !self.doubted()
    }

    /// This node was not running, and nothing that it sent since was answered yet, while it has a silent
    /// peer to fear.
    pub(super) fn doubted(&self) -> bool {
        self.doubt_since().is_some() && self.isolation_at().is_some()
    }

    /// The peer may be dying of what was asked for: nothing is agreed with it.
    pub fn peer_dying(&self) -> bool {
        self.fencing.dying()
    }

    /// This node.
    pub fn me(&self) -> Side {
        self.node.me
    }

    /// The peer hears this node and is heard.
    pub fn peer_alive(&self) -> bool {
        self.peer.state() == PeerState::Alive
    }

    /// Agreement decides, not clearance.
    pub fn peer_heard(&self) -> bool {
        self.peer.state().is_heard()
    }

    /// It could not stop the group, has handed over all else, and asks to be switched off.
    pub fn pleaded(&self) -> bool {
        let failed = |report: &GroupReport| report.role == Role::Failed;
        self.peer.pleads_since().is_some() && self.report().is_some_and(failed)
    }

    /// It is not heard, and not known to be gone.
    pub fn peer_silent(&self) -> bool {
        matches!(self.peer.state(), PeerState::Silent | PeerState::Unknown)
    }

    /// The peer's report, while it may be trusted to be its latest.
    pub fn report(&self) -> Option<&GroupReport> {
        match self.peer.state() {
            PeerState::Alive | PeerState::OneWay | PeerState::Left => {
                self.peer.group(self.setup.id)
            }
            PeerState::Unknown | PeerState::Refused | PeerState::Silent | PeerState::Fenced => None,
        }
    }
}
