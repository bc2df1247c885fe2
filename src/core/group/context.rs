//! What a group looks at when it decides: the rest of the node, at one step.

use super::*;

/// What a group looks at when it decides: the rest of the node, at this step.
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
    /// The outside sources of clearance.
    pub sources: &'a Sources,
    /// The VIP interfaces.
    pub vifs: &'a Vifs,
    /// Maintenance is on.
    pub maintenance: bool,
    /// This node is in standby.
    pub standby: bool,
    /// This node is on its way out.
    pub leaving: bool,
    /// The operator stopped the group.
    pub stopped: bool,
    /// The last write of the state failed.
    pub unwritable: bool,
    /// Where the group's token lies on disk.
    pub saved: Option<GroupRecord>,
    /// The sequence of the next heartbeat.
    pub next_sequence: u64,
    /// This step reads a heartbeat, the only moment at which agreement is judged.
    pub heartbeat: bool,
    /// This step comes after every queue was drained, the only moment at which absence is judged.
    pub tick: bool,
    /// When this daemon started.
    pub started: Time,
    /// When the first link came up.
    pub link_up: Option<Time>,
    /// When the wait for an unheard peer ends; None: not before a link is up.
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
    pub(super) fn missing(&self) -> bool {
        self.missing_since().is_some_and(|at| self.now >= at)
    }

    pub(super) fn missing_since(&self) -> Option<Time> {
        match self.peer.state() {
            PeerState::Alive | PeerState::OneWay | PeerState::Silent => Some(self.overdue()),
            PeerState::Unknown => {
                Some(self.start_wait_ends? - self.node.detection_time(self.node.interval))
            }
            PeerState::Refused | PeerState::Left | PeerState::Fenced => None,
        }
    }

    /// When the next heartbeat of the peer ought to have come.
    fn overdue(&self) -> Time {
        self.silence_began() + self.peer.interval() + self.peer.interval() / 4
    }

    /// When a holder that hears neither the peer nor a gateway must have stopped: before the peer can have
    /// taken over. None: it can ask no gateway, or need not fear the peer.
    pub(super) fn isolation_at(&self) -> Option<Time> {
        let vifs = &self.setup.vifs;
        if !vifs.iter().any(|&vif| self.vifs.has_gateway(vif)) {
            return None;
        }
        // The peer judges this node by this node's interval; while one was not reloaded they differ.
        let interval = self.peer.interval().min(self.node.interval);
        let (detection, margin) = (self.node.detection_time(interval), interval / 4);
        // It counts from what it has heard, of which an echo tells.
        let counted = self.peer.counted().map(|at| at + detection - margin);
        // An answer that it gave without counting, while it contested nothing, began its probes anew.
        let answered = self.peer.answered().map(|at| at + detection - interval);
        // Or from a gateway that answers: a path to the peer that broke after that lost at most an interval more.
        let answers = vifs.iter().filter_map(|&vif| self.vifs.last_answer(vif));
        let reached = answers.max().unwrap_or(self.started) + detection - interval - margin;
        // While the peer was gone nobody was asked, and it takes over later than this.
        let returned = self.peer.returned().map(|at| at + self.node.interval);
        match self.peer.state() {
            PeerState::Unknown | PeerState::Alive | PeerState::OneWay | PeerState::Silent => {
                counted.max(answered).max(returned).max(Some(reached))
            }
            PeerState::Refused | PeerState::Left | PeerState::Fenced => None,
        }
    }

    /// When a holder that may soon have to stop asks the gateways: its heartbeats may come and their echoes lag.
    pub(super) fn doubt_at(&self) -> Option<Time> {
        Some(self.isolation_at()? - self.node.interval)
    }

    /// A holder that hears neither the peer nor a gateway would have to have stopped by now.
    pub fn isolated(&self) -> bool {
        self.isolation_at().is_some_and(|at| self.now >= at)
    }

    /// When the latest ping was sent that a gateway answered, on the VIP interface where that is longest ago.
    pub fn on_link(&self) -> Option<Time> {
        let answers = self
            .setup
            .vifs
            .iter()
            .map(|&vif| self.vifs.last_answer(vif));
        answers.min().flatten()
    }

    pub(super) fn me(&self) -> Side {
        self.node.me
    }

    pub(super) fn peer_alive(&self) -> bool {
        self.peer.state() == PeerState::Alive
    }

    /// Agreement decides, not clearance.
    pub(super) fn peer_heard(&self) -> bool {
        self.peer.state().is_heard()
    }

    /// The peer's report, while it may be trusted to be its latest.
    pub(super) fn report(&self) -> Option<&GroupReport> {
        match self.peer.state() {
            PeerState::Alive | PeerState::OneWay | PeerState::Left => {
                self.peer.group(self.setup.id)
            }
            _ => None,
        }
    }
}
