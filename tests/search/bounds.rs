//! How far a search goes: what the adversary may do, and how often. Everything not counted here
//! (loss, delay, slowness, restarts of what is down) is free and without end.

use super::world::Kind;
use std::fmt;
use std::time::Duration;

/// What the adversary may do in all, on either node; and how coarse the world is.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The name of the search.
    pub name: &'static str,
    /// What the group consists of.
    pub group: Kind,
    /// It begins with a pair at rest, the first node active; otherwise with two machines switched off.
    pub settled: bool,
    /// Time advances by this; a deadline between two such points is met at the later one.
    pub quantum: Duration,
    /// Heartbeats under way per direction. When there are more, the adversary says which is lost.
    pub letters: usize,
    /// Any heartbeat may be lost or late at any time. Otherwise a direction works (what is sent arrives
    /// before time passes) or is cut (what was under way arrives at any time or never, nothing else).
    pub lossy: bool,
    /// Missed heartbeats until the peer is silent.
    pub misses: u32,
    /// A heartbeat may arrive again, and one that is out of date may still arrive.
    pub replays: bool,
    /// Starts and stops have a deadline that can pass; otherwise they may take any time unpunished.
    pub timeouts: bool,
    /// States are left as they are, not made canonical: to compare the two.
    pub raw: bool,
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
    /// Persists, starts, stops, looks and questions to the source that fail.
    pub failures: u8,
    /// A peer powered off by the source of clearance.
    pub fences: u8,
    /// Failover or leave, by an operator at either node.
    pub commands: u8,
    /// Time steps by which a tick comes late (a daemon pauses).
    pub late: u8,
    /// Writes, looks, starts and stops that do not end at once but at any time later. (The source of
    /// clearance always takes any time.)
    pub slow: u8,
    /// Changes of the network, each to any pattern of directions cut. Not in the total.
    pub cuts: u8,
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Left {
            total,
            crashes,
            wipes,
            failures,
            fences,
            commands,
            late,
            slow,
            cuts,
        } = self.left;
        writeln!(
            f,
            "search {:?} of {:?} from {}, bounds:",
            self.name,
            self.group,
            if self.settled {
                "a pair at rest"
            } else {
                "two machines switched off"
            }
        )?;
        writeln!(
            f,
            "  time step {} ms, heartbeats under way {} each way, replays {}, operations with a deadline {}",
            self.quantum.as_millis(),
            self.letters,
            self.replays,
            self.timeouts
        )?;
        writeln!(
            f,
            "  {}",
            match self.lossy {
                true => "any heartbeat lost or late".to_string(),
                false => format!("{cuts} changes of which directions are cut"),
            }
        )?;
        write!(
            f,
            "  at most {total} of: {crashes} crashes, {wipes} wipes, {failures} failures, {fences} fences, {commands} commands, {late} late ticks, {slow} slow operations"
        )
    }
}
