//! What a search over two nodes needs, and nothing that ships calls: histories that lead to the same
//! future must look the same, or a search never ends.
//!
//! Three kinds of numbers tell histories apart without deciding anything: points in time
//! ([`Node::times`]), the numbers of heartbeats ([`Node::marks`], compared only with each other), and
//! what is only shown to people or not looked at again ([`Node::forget`]). The search shifts the first,
//! ranks the second and forgets the third; that this changes no action is a test of its own there.
//!
//! [`Node::times`]: super::Node::times
//! [`Node::marks`]: super::Node::marks
//! [`Node::forget`]: super::Node::forget

use super::time::Time;

/// Where a search puts points in time that nothing looks at.
pub const LONG_AGO: Time = Time(i64::MIN / 2);

/// What a heartbeat's number stored in a node means to it. The first five number the node's own
/// heartbeats, the others the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The last one sent.
    Sent,
    /// The round under way.
    Round,
    /// The newest one that waits for its echo.
    Newest,
    /// The newest that was echoed.
    Proof,
    /// The first that agreement may echo.
    Decided,
    /// The highest accepted of the incarnation that is believed.
    Believed,
    /// The incarnation of the last one echoed to the peer, without a sequence.
    Said,
    /// Of an incarnation that has yet to prove itself.
    Stranger,
    /// An incarnation replaced, without a sequence. May be forgotten once nothing of it is under way.
    Retired,
}
