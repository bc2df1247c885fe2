//! What of time each node announces, and the other counts on.
//!
//! A node judges the silence of its peer by the peer's interval and its own `misses`; it probes at its own
//! interval. The peer, where it holds a group, must have stopped before: so it counts on what this node
//! *announced* of both. While the files differ, or one daemon has reloaded and the other has not heard it yet,
//! each goes by the careful side: who judges by the longest interval and the most misses that the other may
//! still count on, who is judged by the shortest interval that the other may still go by. It stands on disk, for
//! a daemon that starts again with another file beside a network that is down.

use super::super::setup::Setup;
use crate::wire::heartbeat::{FEWEST_MISSES, Heartbeat};
use std::time::Duration;

/// What of an announced interval is taken at its word: all that a file may say.
pub const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// The longest: three of them are the longest detection time.
pub const LONGEST_INTERVAL: Duration = LONGEST_DETECTION
    .checked_div(FEWEST_MISSES)
    .expect("it is not zero");
/// A silence that nobody notices for longer needs no daemon.
pub const LONGEST_DETECTION: Duration = Duration::from_secs(10);

/// How often a node speaks, and how many heartbeats of its peer it misses until that is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rhythm {
    /// How often it sends heartbeats, and probes.
    pub interval: Duration,
    /// What it misses.
    pub misses: u32,
}

impl Rhythm {
    /// That of ha.toml.
    pub fn of(setup: &Setup) -> Rhythm {
        Rhythm {
            interval: setup.interval,
            misses: setup.misses,
        }
    }

    /// That which a heartbeat announces.
    pub fn heard(heartbeat: &Heartbeat) -> Rhythm {
        Rhythm {
            interval: (heartbeat.interval).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL),
            misses: heartbeat.misses,
        }
    }
}

/// What must not be forgotten of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rhythms {
    /// What the peer announced last.
    pub theirs: Rhythm,
    /// The shortest interval of this node by which the peer may judge.
    pub shortest: Duration,
    /// The longest, and the most misses, on which the peer may count.
    pub slowest: Rhythm,
}

/// This node's own, and whether the peer knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Announced {
    file: Rhythm,
    shortest: Duration,
    slowest: Rhythm,
    /// The first heartbeat that says what the file says, while the peer has not shown that it heard it.
    first: Option<u64>,
}

impl Announced {
    /// At the start of the daemon, with what one before it announced.
    pub(super) fn new(setup: &Setup, saved: Option<&Rhythms>) -> Announced {
        let file = Rhythm::of(setup);
        let known = Announced::of(file);
        saved.map_or(known, |saved| known.since(saved))
    }

    /// A reload: the heartbeats from that one on say what the new file says.
    pub(super) fn reload(&mut self, setup: &Setup, first: u64) {
        self.read(Rhythm::of(setup), first);
    }

    /// The peer heard that heartbeat.
    pub(super) fn echoed(&mut self, sequence: u64) {
        if self.first.is_some_and(|first| sequence >= first) {
            (self.shortest, self.slowest) = (self.file.interval, self.file);
            self.first = None;
        }
    }

    /// The shortest interval by which the peer may judge.
    pub(super) fn shortest(&self) -> Duration {
        self.shortest
    }

    /// By what this node judges.
    pub(super) fn slowest(&self) -> Rhythm {
        self.slowest
    }

    /// That of a file, and nothing before it.
    fn of(file: Rhythm) -> Announced {
        Announced {
            file,
            shortest: file.interval,
            slowest: file,
            first: None,
        }
    }

    fn since(self, saved: &Rhythms) -> Announced {
        self.also(saved.shortest, saved.slowest, 1)
    }

    fn read(&mut self, file: Rhythm, first: u64) {
        *self = Announced::of(file).also(self.shortest, self.slowest, first);
    }

    /// What was announced before counts, too, until that heartbeat was heard.
    fn also(self, shortest: Duration, slowest: Rhythm, first: u64) -> Announced {
        let both = Announced {
            shortest: self.shortest.min(shortest),
            slowest: Rhythm {
                interval: self.slowest.interval.max(slowest.interval),
                misses: self.slowest.misses.max(slowest.misses),
            },
            ..self
        };
        let differs = (both.shortest, both.slowest) != (self.file.interval, self.file);
        Announced {
            first: differs.then_some(first),
            ..both
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythm(millis: u64, misses: u32) -> Rhythm {
        Rhythm {
            interval: Duration::from_millis(millis),
            misses,
        }
    }

    /// What it says: the shortest interval, and the slowest rhythm.
    fn says(announced: &Announced) -> (u64, Rhythm) {
        let shortest = announced.shortest().as_millis() as u64;
        (shortest, announced.slowest())
    }

    #[test]
    fn what_a_reload_changes_counts_on_both_sides_until_the_peer_has_heard_it() {
        let mut announced = Announced::of(rhythm(100, 8));
        announced.read(rhythm(1000, 3), 7);
        assert_eq!(says(&announced), (100, rhythm(1000, 8)));
        announced.echoed(6);
        assert_eq!(says(&announced), (100, rhythm(1000, 8)));
        // Once more, before that: what came between counts, too.
        announced.read(rhythm(50, 5), 9);
        announced.echoed(8);
        assert_eq!(says(&announced), (50, rhythm(1000, 8)));
        announced.echoed(9);
        assert_eq!(says(&announced), (50, rhythm(50, 5)));
    }

    #[test]
    fn a_reload_that_changes_nothing_waits_for_nobody() {
        let mut announced = Announced::of(rhythm(100, 5));
        announced.read(rhythm(100, 5), 7);
        assert_eq!(
            (announced.first, says(&announced)),
            (None, (100, rhythm(100, 5)))
        );
    }

    #[test]
    fn a_daemon_that_starts_again_goes_by_what_one_before_it_announced() {
        let saved = Rhythms {
            theirs: rhythm(20, 4),
            shortest: Duration::from_millis(100),
            slowest: rhythm(200, 8),
        };
        let mut announced = Announced::of(rhythm(150, 3)).since(&saved);
        assert_eq!(says(&announced), (100, rhythm(200, 8)));
        announced.echoed(1);
        assert_eq!(says(&announced), (150, rhythm(150, 3)));
    }
}
