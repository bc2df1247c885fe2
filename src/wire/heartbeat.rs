//! The heartbeat: what a node tells its peer, on every path, every interval and at every change.

use crate::id::{GroupId, ResourceId, VifId};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// One heartbeat, decoded and authenticated, not yet judged: freshness, compatibility and meaning
/// are the core's business (`core::peer`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Heartbeat {
    /// Wire versions the sender speaks, lowest and highest.
    pub versions: Versions,
    /// Hash of the cluster's name ([`hash`]).
    pub cluster: u64,
    /// Hash of the ordered node list ([`hash`] of the names, joined by newlines).
    pub nodes: u64,
    /// The sender.
    pub node: Side,
    /// Drawn at random when the sender's daemon started; never zero.
    pub incarnation: u64,
    /// Counts the sender's heartbeats of this incarnation, from 1. The same number goes out on every path.
    pub sequence: u64,
    /// The newest heartbeat the sender accepted from the receiver.
    pub echo: Echo,
    /// The first eight paths (the links, then those of last resort), by bit, on which the sender heard
    /// the receiver within its detection time.
    pub heard_paths: u8,
    /// Incarnations heard from the receiver but not believed yet, so that they can prove themselves
    /// by echoing this heartbeat. At most [`MAX_CHALLENGES`].
    pub challenges: Vec<Echo>,
    /// How often the sender sends, at most `u32::MAX` µs.
    pub interval: Duration,
    /// How many heartbeats of the receiver the sender misses until that counts as silent, at most `u16::MAX`; at
    /// least [`FEWEST_MISSES`] is meant, and is what a sender means that does not say.
    pub misses: u32,
    /// The sender waits for an answer that echoes this heartbeat: reply at once.
    pub solicit: bool,
    /// The sender is leaving: it has stopped everything and will be silent. Clearance until heard again.
    pub goodbye: bool,
    /// The sender could not stop something, and has handed over all else: it is to be switched off.
    pub fence_me: bool,
    /// By what devices the sender would have the receiver switched off; None: by none.
    pub fencing: Option<FencingReport>,
    /// Per group. At most [`MAX_GROUPS`].
    pub groups: Vec<GroupReport>,
    /// What stands on the sender's list of a group's exclusive resources, where that differs from the receiver's.
    pub listed: Vec<Listed>,
    /// The operator's lasting wishes, merged by both nodes.
    pub wishes: Vec<Wish>,
    /// The sender's VIP interfaces. At most [`MAX_VIFS`].
    pub vifs: Vec<VifReport>,
    /// A one-shot command for the receiver, repeated until it is answered.
    pub request: Option<Request>,
    /// The answer to the receiver's latest request.
    pub answer: Option<Answer>,
    /// Hash of the sender's configuration file, to notice drift.
    pub digest: u64,
    /// The sender's program version, for people ("0.1.0"). At most 32 bytes.
    pub software: String,
}

/// What two nodes that may switch each other off must know of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FencingReport {
    /// Between the sender's instants and the receiver's, in whole milliseconds, at most 2^31 - 1 of them.
    pub delay: Duration,
    /// The last contact both ways is no longer ago, to the sender's knowledge, than two counts may differ.
    pub fresh: bool,
}

/// Wire versions a node speaks, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Versions {
    /// The oldest.
    pub lowest: u8,
    /// The newest.
    pub highest: u8,
}

/// One of the two nodes, by its place in ha.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The node named first.
    First,
    /// The node named second.
    Second,
}

impl Side {
    /// The peer's side.
    pub fn other(self) -> Side {
        match self {
            Side::First => Side::Second,
            Side::Second => Side::First,
        }
    }
}

/// A heartbeat named by its sender's incarnation and sequence. All zero: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Echo {
    /// The incarnation heard.
    pub incarnation: u64,
    /// Its highest sequence heard.
    pub sequence: u64,
}

/// The right to run a group. Equal epochs mean the same token; the higher epoch wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// Counts the token's moves, at most [`MAX_EPOCH`]. The first node mints even epochs, the second odd ones.
    pub epoch: u64,
    /// Who may run the group.
    pub holder: Side,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holder = match self.holder {
            Side::First => "first",
            Side::Second => "second",
        };
        write!(f, "{} ({holder} node)", self.epoch)
    }
}

/// Where a group stands on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// Nothing of it runs here, or it has not been looked at yet.
    Stopped = 0,
    /// On its way up.
    Starting = 1,
    /// All of it runs here.
    Active = 2,
    /// On its way down.
    Stopping = 3,
    /// A stop failed: what runs here is not known.
    Failed = 4,
}

/// How well a node could run a group now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Readiness {
    /// A hard fact forbids it: standby, leaving, stopped by the operator.
    Barred = 0,
    /// It would serve nobody there: no carrier, what it needs is not there, a failed stop.
    Unable = 1,
    /// Something speaks against it: a gateway, a failed resource, an unwritable state directory.
    Impaired = 2,
    /// Nothing speaks against it.
    Able = 3,
}

impl Readiness {
    /// Something is amiss there, which is no order.
    pub fn is_less(self) -> bool {
        matches!(self, Readiness::Unable | Readiness::Impaired)
    }
}

/// What a node says about one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupReport {
    /// Which.
    pub id: GroupId,
    /// The token as the sender knows it, persisted.
    pub token: Token,
    /// Hash of the list of its exclusive resources in the sender's file. Where it is the receiver's too, what the
    /// two nodes say of the group is about the same resources.
    pub list: u64,
    /// The sender is working on clearance against the receiver, or may begin to at any moment because it
    /// does not hear it: no agreement.
    pub contested: bool,
    /// The sender's present incarnation looked at every exclusive resource and found it stopped.
    pub proven_stopped: bool,
    /// The sender gave the token to the receiver because an operator wanted that.
    pub ordered: bool,
    /// Where the group stands on the sender.
    pub role: Role,
    /// How well the sender could run it.
    pub readiness: Readiness,
    /// Failures counted on the sender and not yet expired or cleared.
    pub fail_count: u16,
}

/// One exclusive resource on the sender's list of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listed {
    /// Of which group; one that the sender reports.
    pub group: GroupId,
    /// Which.
    pub resource: ResourceId,
}

/// What a node says about a VIP interface's gateways, and about the peer's question "do *you* reach yours?".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GatewayReport {
    /// The sender's latest question; 0 is none. An odd one asks for any gateway, an even one for all that the
    /// receiver's file wants.
    pub asked: u32,
    /// The receiver's latest question that the sender answers with "a ping sent after I read your
    /// question was answered"; 0 is none.
    pub answered: u32,
    /// Whether any of them answers the sender. None: it is not known of one that does not, for it was not asked for long
    /// enough yet.
    pub answers: Option<bool>,
}

/// A lasting wish of the operator, as both nodes keep it: the latest time that it was given at either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wish {
    /// What is wished.
    pub subject: WishSubject,
    /// At the first node and at the second; None: never.
    pub given: [Option<Given>; 2],
}

impl Wish {
    /// In force: given somewhere and not taken back.
    pub fn is_on(&self) -> bool {
        self.given.iter().flatten().any(|given| !given.taken_back)
    }
}

/// One time that a wish was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Given {
    /// Tells it from every other time it was given at that side.
    pub tag: u32,
    /// An operator who could know of it took it back.
    pub taken_back: bool,
}

/// What a [`Wish`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WishSubject {
    /// Nobody touches anything, on both nodes.
    Maintenance,
    /// That node takes nothing.
    Standby(Side),
    /// That group runs nowhere.
    Stopped(GroupId),
}

/// One of the sender's VIP interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VifReport {
    /// Which.
    pub id: VifId,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// The sender's own address on it, for the path of last resort. Unspecified (`0.0.0.0`): none yet.
    pub address: IpAddr,
    /// What the sender last learnt about its gateways.
    pub gateway: GatewayReport,
}

/// A one-shot command to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// Drawn by the sender; a new number is a new request.
    pub number: u32,
    /// What to do.
    pub verb: RequestVerb,
    /// On which group; None: all of them.
    pub group: Option<GroupId>,
}

/// What a [`Request`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RequestVerb {
    /// Hand the group over.
    Failover = 1,
    /// Forget fail counts; look again at a failed stop.
    Clear = 2,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The request's number.
    pub number: u32,
    /// Done or accepted; false: refused.
    pub accepted: bool,
    /// Why, for people. At most [`MAX_TEXT`] bytes.
    pub text: String,
}

/// The fewest misses: with fewer, one lost datagram beside one late one looks like death.
pub const FEWEST_MISSES: u32 = 3;
/// Most groups in a heartbeat.
pub const MAX_GROUPS: usize = 20;
/// Most VIP interfaces in a heartbeat.
pub const MAX_VIFS: usize = 8;
/// Most challenges in a heartbeat.
pub const MAX_CHALLENGES: usize = 4;
/// The highest epoch: no pair ever moves its groups so often, so what lies beyond was never minted, and to
/// follow it would leave no room for the next move.
pub const MAX_EPOCH: u64 = (1 << 62) - 1;
/// Longest text in a heartbeat, in bytes.
pub const MAX_TEXT: usize = 120;
/// What a text ends with that was longer.
pub const CUT: &str = "…";
/// Longest datagram, in bytes: it must pass any interlink unfragmented.
pub const MAX_DATAGRAM: usize = 1400;

/// The hash by which names go over the wire: the first eight bytes, big-endian, of SHA-256.
pub fn hash(name: &str) -> u64 {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(name.as_bytes());
    u64::from_be_bytes(digest[..8].try_into().expect("SHA-256 has 32 bytes"))
}
