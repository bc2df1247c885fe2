//! What a node must not forget: its tokens, the operator's wishes, and what makes a probe evidence.

use super::super::setup::Setup;
use super::coverage::Lists;
use super::rhythm::Rhythms;
use crate::id::{GroupId, Place, VifId};
use crate::wire::heartbeat::{Side, Token, Wish};
use std::net::IpAddr;
use std::time::Duration;

/// The durable state of a node, written as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    /// Per group.
    pub groups: Vec<GroupRecord>,
    /// The operator's lasting wishes.
    pub wishes: Vec<Wish>,
    /// Per VIP interface: what a probe of the peer is judged by.
    pub vifs: Vec<VifRecord>,
    /// Failures that last until an operator clears them.
    pub failures: Vec<FailureRecord>,
    /// What of time both nodes announced, and the other may count on. None: the peer was never heard.
    pub rhythms: Option<Rhythms>,
    /// What the peer lists in which group: of a silent one, evidence tells nothing of what it has in another.
    pub lists: Lists,
    /// The peer was in maintenance when it was last heard: it keeps what it runs, whatever its silence means.
    pub peer_maintained: bool,
    /// The peer was refused when it was last heard: by its other program or file it may run what this node knows
    /// nothing of.
    pub peer_refused: bool,
    /// What became of devices that switch the peer off.
    pub fencing: FenceRecord,
}

/// What a node must not forget of fencing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FenceRecord {
    /// An off may have left, and is not known to be over.
    pub shot: bool,
    /// The devices that said off of a machine that lived, by their ids.
    pub distrusted: Vec<u64>,
    /// The `delay` that the peer announced last; zero: its file names no device.
    pub peer_delay: Duration,
    /// It may have heard since that this node's file names none, and go by less than that.
    pub loosed: bool,
}

/// Failures of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FailureRecord {
    /// Which.
    pub place: Place,
    /// How many.
    pub count: u16,
}

/// What a node must not forget of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupRecord {
    /// Which.
    pub id: GroupId,
    /// The token.
    pub token: Token,
    /// The highest epoch seen or minted, so that none is minted twice.
    pub highest: u64,
    /// A stop of it failed on the peer, as far as its last word.
    pub peer_failed: bool,
    /// An operator moved it off its preferred node.
    pub failback_held: bool,
}

/// What a node remembers of the peer on one VIP interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VifRecord {
    /// Which.
    pub id: VifId,
    /// The peer's hardware address there, from its heartbeats. Zero: not known yet.
    pub mac: [u8; 6],
    /// A probe was answered from that address: silence of a later probe means something.
    pub proven: bool,
    /// Its own address there, for the path of last resort. None: not told.
    pub address: Option<IpAddr>,
}

impl Record {
    /// The group's entry.
    pub fn group(&self, id: GroupId) -> Option<GroupRecord> {
        self.groups.iter().copied().find(|g| g.id == id)
    }

    /// What it has of groups, resources and interfaces that are not in that file: they may come back.
    pub fn without(&self, setup: &Setup) -> Record {
        let group = |id: GroupId| !setup.groups.iter().any(|g| g.id == id);
        let groups = self.groups.iter().filter(|g| group(g.id)).take(RETIRED);
        let groups: Vec<GroupRecord> = groups.copied().collect();
        let named = |f: &FailureRecord| {
            let mut of_group = setup.groups.iter().filter(|g| g.id == f.place.group);
            of_group.any(|g| g.resources.iter().any(|r| r.id == f.place.resource))
        };
        let failures = self.failures.iter().filter(|f| !named(f));
        let vifs = self.vifs.iter().filter(|v| !setup.vifs.contains(&v.id));
        Record {
            failures: failures.take(RETIRED).copied().collect(),
            vifs: vifs.take(RETIRED).copied().collect(),
            groups,
            ..Record::default()
        }
    }

    /// The interface's entry.
    pub fn vif(&self, id: VifId) -> Option<VifRecord> {
        self.vifs.iter().copied().find(|v| v.id == id)
    }
}

/// So many of each are remembered that are in ha.toml no more.
const RETIRED: usize = 32;

/// Where a group's token lies before anything was ever decided: epoch 0, with the preferred node.
pub fn first_token(prefer: Option<Side>) -> Token {
    Token {
        epoch: 0,
        holder: prefer.unwrap_or(Side::First),
    }
}
