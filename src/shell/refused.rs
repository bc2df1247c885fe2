//! Datagrams that were refused, by cause and path. The socket of a path is connected to the peer's address and
//! port: so what comes with another key is the peer's, with another key, or forged. And datagrams of this node's own
//! that the peer's machine refused, and those of another machine that says that it is this very node.

use super::status::{PathNames, Refused};
use crate::core::time::Time;
use crate::wire::Reject;
use std::collections::BTreeMap;
use std::time::Duration;

/// What was refused since the daemon started.
#[derive(Debug, Default)]
pub struct Refusals {
    /// By cause and path.
    seen: BTreeMap<(&'static str, usize), Seen>,
    twin: Option<Twin>,
}

/// A daemon elsewhere under this node's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Twin {
    incarnation: u64,
    sequence: u64,
    since: Time,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    names: PathNames,
    count: u64,
    last: Time,
    /// It goes on, and was told.
    told: bool,
}

/// The cause of what the peer's machine refuses.
pub const NOBODY_LISTENS: &str = "nobody listens";

/// The cause of what comes from another machine that was started as this node.
pub const OWN_NAME: &str = "this node's own name";

/// Heartbeats of this node's own daemon before this one, and replayed ones, come to an end sooner.
const TWIN_LASTS: Duration = Duration::from_secs(2);

/// What comes again within this time goes on.
const GOES_ON: Duration = Duration::from_secs(60);
/// The same where the peer is heard since: that is what it was waited for.
const OVER: Duration = Duration::from_secs(2);

impl Refusals {
    /// One more.
    pub fn note(&mut self, reject: Reject, path: usize, names: &PathNames, now: Time) {
        self.note_as(cause(reject), path, names, now);
    }

    /// One of ours was refused: the peer's machine answers that nobody listens there.
    pub fn note_unheard(&mut self, path: usize, names: &PathNames, now: Time) {
        self.note_as(NOBODY_LISTENS, path, names, now);
    }

    /// A heartbeat, by incarnation and sequence, of this node's own name and of another daemon.
    pub fn note_own_name(&mut self, said: (u64, u64), path: usize, names: &PathNames, now: Time) {
        let (incarnation, sequence) = said;
        let since = match self.twin {
            Some(twin) if twin.incarnation == incarnation && twin.sequence >= sequence => return,
            Some(twin) if twin.incarnation == incarnation => twin.since,
            _ => now,
        };
        self.twin = Some(Twin {
            incarnation,
            sequence,
            since,
        });
        if now.since(since) >= TWIN_LASTS {
            self.note_as(OWN_NAME, path, names, now);
        }
    }

    fn note_as(&mut self, cause: &'static str, path: usize, names: &PathNames, now: Time) {
        let seen = self.seen.entry((cause, path)).or_insert_with(|| Seen {
            names: names.clone(),
            count: 0,
            last: now,
            told: false,
        });
        (seen.count, seen.last) = (seen.count + 1, now);
    }

    /// Those of the last minute. `heard`: when the peer was last heard on a path, which ends what was refused there
    /// before.
    pub fn lately(&self, now: Time, heard: impl Fn(usize) -> Option<Time>) -> Vec<Refused> {
        let goes_on = |path: usize, seen: &Seen| {
            let since = heard(path).is_some_and(|at| at > seen.last);
            now.since(seen.last) <= if since { OVER } else { GOES_ON }
        };
        let seen = self.seen.iter();
        seen.filter(|((_, path), seen)| goes_on(*path, seen))
            .map(|((cause, _), seen)| told(cause, seen))
            .collect()
    }

    /// What has begun since it was last asked (true), or was over for a minute (false).
    pub fn edges(&mut self, now: Time) -> Vec<(Refused, bool)> {
        let mut edges = Vec::new();
        for ((cause, _), seen) in &mut self.seen {
            let goes_on = now.since(seen.last) <= GOES_ON;
            if goes_on != seen.told {
                seen.told = goes_on;
                edges.push((told(cause, seen), goes_on));
            }
        }
        edges
    }
}

fn told(cause: &str, seen: &Seen) -> Refused {
    Refused {
        cause: cause.into(),
        own: seen.names.own.clone(),
        peer: seen.names.peer.clone(),
        count: seen.count,
        last_us: seen.last.0,
    }
}

fn cause(reject: Reject) -> &'static str {
    match reject {
        Reject::TooShort | Reject::TooLong | Reject::NotOurs => "not a heartbeat",
        Reject::BadMac => "other key",
        Reject::Malformed { .. } => "malformed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time(0) + Duration::from_secs(seconds)
    }

    fn never(_: usize) -> Option<Time> {
        None
    }

    #[test]
    fn what_was_refused_is_over_once_the_peer_is_heard_on_that_path() {
        let mut refusals = Refusals::default();
        let names = PathNames::default();
        for path in [0, 1] {
            refusals.note(Reject::BadMac, path, &names, at(10));
        }
        let heard = |path: usize| (path == 0).then_some(at(11));
        assert_eq!(refusals.lately(at(12), heard).len(), 2);
        assert_eq!(refusals.lately(at(13), heard).len(), 1);
        // With good ones between them they go on.
        refusals.note(Reject::BadMac, 0, &names, at(14));
        assert_eq!(refusals.lately(at(15), heard).len(), 2);
    }

    #[test]
    fn a_second_machine_under_this_nodes_name_goes_on_and_what_is_replayed_does_not() {
        let mut refusals = Refusals::default();
        let names = PathNames::default();
        // The daemon before this one, and the same datagram again and again.
        refusals.note_own_name((7, 900), 0, &names, at(1));
        for second in 2..20 {
            refusals.note_own_name((8, 5), 0, &names, at(second));
        }
        assert_eq!(refusals.lately(at(20), never), []);
        for second in 20..30 {
            refusals.note_own_name((9, second), 0, &names, at(second));
        }
        let lately = refusals.lately(at(30), never);
        assert_eq!((lately.len(), lately[0].count), (1, 8));
        assert_eq!(lately[0].cause, OWN_NAME);
    }

    #[test]
    fn each_cause_begins_and_ends_once() {
        let mut refusals = Refusals::default();
        let names = PathNames::default();
        for second in 1..=30 {
            refusals.note(Reject::BadMac, 0, &names, at(second));
        }
        let begun = refusals.edges(at(30));
        assert_eq!(begun.len(), 1);
        assert!(begun[0].1 && begun[0].0.count == 30 && begun[0].0.cause == "other key");
        assert_eq!(refusals.edges(at(31)), []);
        assert_eq!(refusals.lately(at(90), never).len(), 1);
        assert_eq!(refusals.lately(at(91), never), []);
        let over = refusals.edges(at(91));
        assert!(over.len() == 1 && !over[0].1);
        refusals.note(Reject::BadMac, 0, &names, at(200));
        assert!(refusals.edges(at(200))[0].1);
    }
}
