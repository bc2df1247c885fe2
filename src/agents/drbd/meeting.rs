//! When DRBD met the other side of a resource: proof that it was off answers for no later disconnection than that
//! which it was for.

use crate::core::time::Time;
use std::time::Duration;

/// Of one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Meeting {
    /// When the connection came that there is; None: there is none.
    since: Option<Time>,
    /// It was seen not to be connected.
    apart: bool,
    /// The last moment at which the other side certainly took part.
    certain: Option<Time>,
}

/// DRBD believes in a connection to a dead node for as long as its own pings take.
pub const BELIEVES: Duration = Duration::from_secs(15);

impl Meeting {
    /// What DRBD says now; true: it has just met the other side.
    pub fn follow(&mut self, connected: bool, now: Time) -> bool {
        if !connected {
            (self.since, self.apart) = (None, true);
            return false;
        }
        let met = self.since.is_none();
        let since = *self.since.get_or_insert(now);
        // One that is there when it is looked at first may be of a node that has just died.
        if met && self.apart {
            self.certain = Some(now);
        }
        if now.since(since) >= BELIEVES {
            self.certain = self.certain.max(Some(now - BELIEVES));
        }
        met
    }

    /// Forgets what makes no difference any more, for whoever compares. `off`: the proof that there is; what comes to be
    /// one later is of later than all this.
    pub fn forget(&mut self, off: Option<Time>, now: Time) {
        let Some(off) = off else {
            (self.since, self.certain) = (self.since.map(|_| now - BELIEVES), None);
            return;
        };
        self.since = self.since.map(|since| since.max(off));
        self.certain = self.certain.filter(|met| *met > off).map(|_| now);
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        let all = [&mut self.since, &mut self.certain];
        all.into_iter().flatten().for_each(f);
    }

    /// There is a connection.
    pub fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// It met the other side after that, or may have.
    pub fn is_after(&self, off: Time) -> bool {
        let met = [self.since, self.certain];
        met.into_iter().flatten().any(|met| met > off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time(seconds * 1_000_000)
    }

    #[test]
    fn what_was_met_after_a_proof_ends_it_for_good() {
        let mut meeting = Meeting::default();
        assert!(meeting.follow(true, at(1)) && !meeting.follow(true, at(2)));
        assert!(!meeting.follow(false, at(5)) && !meeting.is_after(at(4)));
        assert!(meeting.follow(true, at(9)) && meeting.is_after(at(4)));
        meeting.follow(false, at(10));
        assert!(meeting.is_after(at(4)) && !meeting.is_after(at(9)));
    }

    /// It is taken for connected for ten seconds and more after it died, by a daemon that started meanwhile too.
    #[test]
    fn a_connection_to_a_node_that_has_just_died_is_no_meeting() {
        let mut meeting = Meeting::default();
        meeting.follow(true, at(100));
        meeting.follow(true, at(111));
        meeting.follow(false, at(112));
        assert!(!meeting.is_after(at(101)));
        // What is connected for longer is: the proof is of before this daemon.
        let mut meeting = Meeting::default();
        for second in 100..120 {
            meeting.follow(true, at(second));
        }
        meeting.follow(false, at(120));
        assert!(meeting.is_after(at(103)) && !meeting.is_after(at(104)));
    }
}
