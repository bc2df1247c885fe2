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
    /// Of them, since the peer was heard last.
    since_heard: u64,
    /// When it began, which goes on since; and the latest.
    first: Time,
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
pub const OVER: Duration = Duration::from_millis(900);
/// In the log: what comes among others is told once.
const OVER_IN_LOG: Duration = Duration::from_secs(5);
/// What comes on several paths comes on all of them within this time, and is told in one line.
const ALL_PATHS: Duration = Duration::from_millis(900);

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
            since_heard: 0,
            first: now,
            last: now,
            told: false,
        });
        if now.since(seen.last) > GOES_ON {
            seen.first = now;
        }
        (seen.count, seen.last) = (seen.count + 1, now);
        seen.since_heard += 1;
    }

    /// The peer was heard.
    pub fn peer_heard(&mut self) {
        self.seen.values_mut().for_each(|seen| seen.since_heard = 0);
    }

    /// What came instead of the peer since it was heard last, the most of it: its cause, and how many.
    pub fn since_heard(&self) -> Option<(&'static str, u64)> {
        let mut causes: BTreeMap<&'static str, u64> = BTreeMap::new();
        for ((cause, _), seen) in &self.seen {
            if *cause != NOBODY_LISTENS && seen.since_heard > 0 {
                *causes.entry(cause).or_default() += seen.since_heard;
            }
        }
        causes.into_iter().max_by_key(|(_, count)| *count)
    }

    /// Those of the last minute. `heard`: when the peer was last heard on a path, which ends what was refused there
    /// before.
    pub fn lately(&self, now: Time, heard: impl Fn(usize) -> Option<Time>) -> Vec<Refused> {
        let seen = self.seen.iter();
        seen.filter(|((_, path), seen)| seen.goes_on(now, heard(*path), OVER))
            .map(|((cause, _), seen)| told(cause, seen))
            .collect()
    }

    /// What has begun since it was last asked (true), or is over (false): of one cause together.
    pub fn edges(
        &mut self,
        now: Time,
        heard: impl Fn(usize) -> Option<Time>,
    ) -> Vec<(Vec<Refused>, bool)> {
        let mut edges: Vec<(Vec<Refused>, bool)> = Vec::new();
        for ((cause, path), seen) in &mut self.seen {
            let goes_on = seen.goes_on(now, heard(*path), OVER_IN_LOG);
            let settled = !goes_on || now.since(seen.first) >= ALL_PATHS;
            if goes_on == seen.told || !settled {
                continue;
            }
            seen.told = goes_on;
            let one = told(cause, seen);
            match edges.last_mut() {
                Some((of, begun)) if *begun == goes_on && of[0].cause == *cause => of.push(one),
                _ => edges.push((vec![one], goes_on)),
            }
        }
        edges
    }
}

impl Seen {
    fn goes_on(&self, now: Time, heard: Option<Time>, over: Duration) -> bool {
        let since = heard.is_some_and(|at| at > self.last);
        now.since(self.last) <= if since { over } else { GOES_ON }
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
        let moment = Duration::from_millis(500);
        assert_eq!(refusals.lately(at(10) + moment, heard).len(), 2);
        assert_eq!(refusals.lately(at(11), heard).len(), 1);
        // With good ones between them they go on.
        refusals.note(Reject::BadMac, 0, &names, at(14));
        assert_eq!(refusals.lately(at(15), heard).len(), 2);
        // What came since the peer was heard is why it is silent.
        assert_eq!(refusals.since_heard(), Some(("other key", 3)));
        refusals.peer_heard();
        assert_eq!(refusals.since_heard(), None);
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
        refusals.note(Reject::BadMac, 1, &names, at(30));
        assert_eq!(refusals.edges(at(1), never), [], "other paths may follow");
        let begun = refusals.edges(at(31), never);
        assert_eq!((begun.len(), begun[0].0.len()), (1, 2));
        assert!(begun[0].1 && begun[0].0[0].count == 30 && begun[0].0[0].cause == "other key");
        assert_eq!(refusals.edges(at(31), never), []);
        assert_eq!(refusals.lately(at(90), never).len(), 2);
        assert_eq!(refusals.lately(at(91), never), []);
        let over = refusals.edges(at(91), never);
        assert!(over.len() == 1 && over[0].0.len() == 2 && !over[0].1);
        refusals.note(Reject::BadMac, 0, &names, at(200));
        assert!(refusals.edges(at(201), never)[0].1);
        // Over, where the peer is heard again.
        let heard = |_: usize| Some(at(203));
        assert_eq!(refusals.edges(at(204), heard), []);
        assert!(!refusals.edges(at(206), heard)[0].1);
    }
}
