//! What fencing sees of the rest of the node at a step.

use super::Role;
use crate::core::protocol::peer::PeerState;
use crate::core::time::Time;

/// What a step sees of the rest of the node.
pub struct Seen {
    /// The step's time.
    pub now: Time,
    /// It comes after every queue was drained.
    pub tick: bool,
    /// The peer's state.
    pub peer: PeerState,
    /// Since when it asks to be switched off; None: it does not.
    pub pleads_since: Option<Time>,
    /// This node runs a group, or could run one that waits for clearance.
    pub needs: bool,
    /// One of those would serve somebody here.
    pub able: bool,
    /// When a ping left by which is known that this node reaches the clients of such a group; None: it is not known to.
    pub reached: Option<Time>,
    /// One of those would serve somebody here who is not served now, or waits for proof.
    pub gains: bool,
    /// Who this node is, and what it runs.
    pub role: Role,
    /// When this daemon has been able to hear for a detection time.
    pub listened_at: Option<Time>,
    /// The peer is told that this node's zero is fresh.
    pub fresh: bool,
    /// Nothing is to be shot: maintenance, of the pair now or of the peer when it was last heard.
    pub maintenance: bool,
    /// The peer is heard, runs nothing, and is not to: what a rehearsal asks for.
    pub peer_idle: bool,
    /// Heartbeats come that may be the peer's, and do not show that it hears this node.
    pub speaks: bool,
    /// They say that a group runs there that does not run here.
    pub claims: bool,
    /// The peer's machine has an address of a group that is not run here, or had it in this silence and was not asked
    /// in vain for long enough since.
    pub serves: bool,
    /// It had time to answer for those addresses, or says itself what it runs.
    pub asked: bool,
    /// It may have such an address on a network that this node does not reach.
    pub unreached: bool,
    /// What the disk has.
    pub saved: bool,
}

impl Seen {
    /// The peer is gone, as far as can be heard, and this node wants to be sure of it.
    pub(super) fn watches(&self) -> bool {
        let gone = (self.is_silent() && self.listened()) || self.pleads_since.is_some();
        gone && self.needs
    }

    pub(super) fn is_silent(&self) -> bool {
        matches!(self.peer, PeerState::Silent | PeerState::Unknown)
    }

    pub(super) fn listened(&self) -> bool {
        self.listened_at.is_some_and(|at| self.now >= at)
    }
}
