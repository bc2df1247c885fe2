//! Datagrams that were refused, by cause and path. The socket of a path is connected to the peer's address and
//! port: so what comes with another key is the peer's, with another key, or forged. And datagrams of this node's own
//! that the peer's machine refused.

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

/// What comes again within this time goes on.
const GOES_ON: Duration = Duration::from_secs(60);

impl Refusals {
    /// One more.
    pub fn note(&mut self, reject: Reject, path: usize, names: &PathNames, now: Time) {
        self.note_as(cause(reject), path, names, now);
    }

    /// One of ours was refused: the peer's machine answers that nobody listens there.
    pub fn note_unheard(&mut self, path: usize, names: &PathNames, now: Time) {
        self.note_as(NOBODY_LISTENS, path, names, now);
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

    /// Those of the last minute.
    pub fn lately(&self, now: Time) -> Vec<Refused> {
        let goes_on = |seen: &Seen| now.since(seen.last) <= GOES_ON;
        let seen = self.seen.iter().filter(|(_, seen)| goes_on(seen));
        seen.map(|((cause, _), seen)| told(cause, seen)).collect()
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
        assert_eq!(refusals.lately(at(90)).len(), 1);
        assert_eq!(refusals.lately(at(91)), []);
        let over = refusals.edges(at(91));
        assert!(over.len() == 1 && !over[0].1);
        refusals.note(Reject::BadMac, 0, &names, at(200));
        assert!(refusals.edges(at(200))[0].1);
    }
}
