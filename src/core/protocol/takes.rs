//! By what a node takes a group over from the other, once that is silent.
//!
//! A holder counts on what its *peer* goes by: against evidence it has to stop in time, to be heard, and to answer for
//! its addresses; proof that this machine is off it need not fear, for as long as it runs nobody else can have what is
//! its own. It relies on that only where its own file names a device as well: one that was half loaded, or is being
//! taken away, binds nobody yet.

use super::fencing::Fencing;
use super::peer::Peer;
use crate::core::setup::Setup;

/// By what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesBy {
    /// A gateway answers, and nobody for the group's addresses (best effort).
    Evidence,
    /// The other machine is off, verified.
    Proof,
    /// By nothing, or it need not be feared: it is gone.
    Nothing,
}

impl TakesBy {
    /// This node, from its peer.
    pub fn own(setup: &Setup, fencing: &Fencing) -> TakesBy {
        match (setup.fencing, fencing.peer_fences()) {
            (Some(_), _) => TakesBy::Proof,
            // It counts on being switched off first.
            (None, true) => TakesBy::Nothing,
            (None, false) => TakesBy::Evidence,
        }
    }

    /// The peer, from this node, as far as it was heard, by this daemon or one before it.
    pub fn peers(setup: &Setup, fencing: &Fencing, peer: &Peer) -> TakesBy {
        match (setup.fencing, fencing.binds_peer()) {
            (Some(_), true) => TakesBy::Proof,
            // Refused it takes nothing over either, but only once it knows: which an echo does not show, for its daemon
            // may have started again since. And gone, something may say that it is back.
            _ if !peer.state().is_gone() || peer.challenged() => TakesBy::Evidence,
            _ => TakesBy::Nothing,
        }
    }
}
