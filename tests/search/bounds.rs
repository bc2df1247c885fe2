//! How far a search goes: what the adversary may do, and how often. Everything not counted here
//! (loss, delay, slowness, restarts of what is down) is free and without end.

use super::data::Drbd;
use super::setup::Kind;
use std::fmt;
use std::time::Duration;

/// What the adversary may do in all, on either node; and how coarse the world is.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The name of the search.
    pub name: &'static str,
    /// What the groups consist of; the first one's token is the first node's, the second one's the second's.
    pub groups: &'static [Kind],
    /// Evidence from the clients' network.
    pub best_effort: bool,
    /// Devices that switch a machine off. Without these, evidence and leases, an operator makes sure of it at any time
    /// the adversary likes, and says so.
    pub devices: bool,
    /// Intervals between their instants; 0: the fewest that keep what they promise.
    pub delay: u32,
    /// No word of the peer's ever arrives, and nothing makes sure that it is off; but a third party promises a
    /// group to one of the two at a time, for a while.
    pub leases: bool,
    /// On how many networks each address of a group stands; each has its gateway, and evidence is needed on all.
    pub networks: usize,
    /// The first group's data is DRBD's, of that version.
    pub drbd: Option<Drbd>,
    /// Instead each group has the network of its number to itself; and no address, where there is none of that number.
    pub apart: bool,
    /// It begins with a pair at rest, each node active with its group; otherwise with two machines switched off.
    pub settled: bool,
    /// Time advances by this; a deadline between two such points is met at the later one.
    pub quantum: Duration,
    /// Time steps in one heartbeat interval.
    pub per_interval: u32,
    /// Heartbeats under way per direction. When there are more, the adversary says which is lost.
    pub letters: usize,
    /// Any heartbeat may be lost or late at any time. Otherwise a direction works (what is sent arrives
    /// before time passes) or is cut (what was under way arrives at any time or never, nothing else).
    pub lossy: bool,
    /// Missed heartbeats until the peer is silent.
    pub misses: u32,
    /// The first node's file says one more.
    pub misses_differ: bool,
    /// What is under way when its path is cut may arrive at any time later; otherwise at once or never.
    pub late: bool,
    /// A heartbeat may arrive again, and one that is out of date may still arrive.
    pub replays: bool,
    /// Starts and stops have a deadline that can pass; otherwise they may take any time unpunished.
    pub timeouts: bool,
    /// Operators have lasting wishes too: standby, maintenance, stopped groups. And they clear failures, and
    /// confirm that a peer is off which is.
    pub wishes: bool,
    /// The clients' network may come apart between the nodes while each reaches a gateway.
    pub split: bool,
    /// What only delays is kept: the limit on moves, the retries of the disk, how long failures count.
    pub limits: bool,
    /// States are left as they are, not made canonical: to compare the two.
    pub raw: bool,
    /// What comes after a token newer than this is not followed. Only an adversary who wishes two nodes to hand
    /// a group to each other for ever gets there.
    pub newest: u64,
    /// What may happen, and how often.
    pub left: Left,
}

/// How often what may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Left {
    /// Faults of all kinds below, fences and commands too.
    pub total: u8,
    /// Power lost or daemon killed, at rest or between any two actions of a step.
    pub crashes: u8,
    /// Restarts that find the state directory empty.
    pub wipes: u8,
    /// Restarts that find the state directory as it was before the last write that changed it.
    pub rollbacks: u8,
    /// Persists, starts, stops, looks and questions to a device that fail; services that die, or are
    /// started by hand.
    pub failures: u8,
    /// A peer that an operator switches off, and says so.
    pub fences: u8,
    /// Orders of an operator at either node.
    pub commands: u8,
    /// Daemons that pause, for any time.
    pub pauses: u8,
    /// Time steps by which one machine's clock gets ahead of the other's.
    pub slips: u8,
    /// Writes, looks, starts and stops that do not end at once but at any time later. (An operator
    /// always takes any time.)
    pub slow: u8,
    /// Changes of mind of an adversary who wishes in the policy's place: that a group runs, moves, stops.
    pub whims: u8,
    /// Machines that get the other file: a daemon reloads it. Where a service changes groups, that stands in it
    /// (and nobody goes back); otherwise another node list, and whose lists differ refuse each other.
    pub reloads: u8,
    /// Changes of the interlink, each to any pattern of directions cut. Not in the total.
    pub cuts: u8,
    /// Things that break or heal in the clients' network. Not in the total.
    pub lan: u8,
    /// Changes of DRBD's own cable. Not in the total.
    pub cables: u8,
}

impl Bounds {
    pub fn interval(&self) -> Duration {
        self.quantum * self.per_interval
    }

    /// The group has an address on that network.
    pub fn stands_on(&self, group: usize, network: usize) -> bool {
        network < self.networks && (!self.apart || network == group)
    }

    /// A service stands in one group by the old file, in another by the new one.
    pub fn two_lists(&self) -> bool {
        self.groups.contains(&Kind::Giver)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = match self.settled {
            true => "a pair at rest",
            false => "two machines switched off",
        };
        let clearance = match (self.best_effort, self.leases) {
            (true, _) => "best effort",
            (_, true) => "leases",
            _ if self.devices => "devices",
            _ => "an operator's word",
        };
        writeln!(
            f,
            "search {:?} of {:?}, {clearance}, from {begin}, bounds:",
            self.name, self.groups
        )?;
        write!(
            f,
            "  time step {} ms, {} an interval; heartbeats under way {} each way",
            self.quantum.as_millis(),
            self.per_interval,
            self.letters
        )?;
        for (set, text) in [
            (self.lossy, "any heartbeat lost or late"),
            (self.apart, "each group on a network of its own"),
            (self.late, "those under way at a cut late"),
            (self.replays, "any heartbeat again"),
            (self.timeouts, "operations with a deadline"),
            (self.wishes, "commands of all kinds"),
        ] {
            if set {
                write!(f, ", {text}")?;
            }
        }
        if let Some(drbd) = self.drbd {
            let cables = self.left.cables;
            write!(f, ", DRBD {drbd:?} with {cables} changes of its cable")?;
        }
        if self.newest < u64::MAX {
            write!(f, ", no token above {}", self.newest)?;
        }
        writeln!(f)?;
        let left = self.left;
        let counts = [
            (left.crashes, "crashes"),
            (left.wipes, "wipes"),
            (left.rollbacks, "rollbacks"),
            (left.failures, "failures"),
            (left.fences, "fences"),
            (left.commands, "commands"),
            (left.pauses, "pauses"),
            (left.slips, "clock slips"),
            (left.slow, "slow operations"),
            (left.whims, "adverse wishes"),
            (left.reloads, "new files"),
        ];
        let counts = counts.iter().filter(|(n, _)| *n > 0);
        let counts: Vec<String> = counts.map(|(n, what)| format!("{n} {what}")).collect();
        write!(
            f,
            "  {} changes of the interlink, {} of the clients' network, and at most {} of: {}",
            left.cuts,
            left.lan,
            left.total,
            counts.join(", ")
        )
    }
}
