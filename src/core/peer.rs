//! placeholder
use std::fmt;
/// What this node makes of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Not heard since this daemon started.
    Unknown,
    /// Heard, and it echoes recent heartbeats of this node.
    Alive,
    /// Heard, but it does not hear this node.
    OneWay,
    /// Authentic, but incompatible: other cluster name, node list or wire version.
    Refused,
    /// Said goodbye: everything stopped and handed over. Clearance until it is heard again.
    Left,
    /// Was heard, and is not any more, on no path.
    Silent,
    /// Verified off, by an outside source or by the operator. Clearance until it is heard again.
    Fenced,
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
