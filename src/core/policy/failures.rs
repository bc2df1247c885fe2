//! How often a resource failed on this node, and what that asks for.

use super::super::setup::ResourceSetup;
use super::super::time::Time;

/// The failures of one resource on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Failures {
    /// Since they were last forgotten.
    pub count: u16,
    last: Option<Time>,
    /// From when they are forgotten after a while: the latest, or of those that were to last for ever until a
    /// reload, that.
    lasts_from: Option<Time>,
    /// The latest restarts in place, no more than are allowed.
    restarts: Vec<Time>,
    /// More than a restart in place cures: they speak against this node.
    pub spent: bool,
    /// How many of them, up to two, came since the group last ran on either node.
    unserved: u8,
    /// What the latest was, for people.
    pub why: String,
}

impl Failures {
    /// It failed while it ran: whether a restart in place is the answer.
    pub fn restart(&mut self, now: Time, setup: &ResourceSetup, why: &str) -> bool {
        self.add(now, why);
        self.restarts.retain(|at| now.since(*at) < setup.window);
        let allowed = self.restarts.len() < setup.restarts as usize && !self.spent;
        if allowed {
            self.restarts.push(now);
        } else {
            self.spent = true;
        }
        allowed
    }

    /// It did not start: no restart cures that.
    pub fn fatal(&mut self, now: Time, why: &str) {
        self.add(now, why);
        self.spent = true;
    }

    /// It failed here before the group went to the other node, and again after that gave it back.
    pub fn came_back(&self) -> bool {
        self.unserved >= 2
    }

    /// The group runs, on whichever node.
    pub fn served(&mut self) {
        self.unserved = 0;
    }

    /// What a daemon before this one counted, of a resource whose failures last until they are cleared.
    pub fn remembered(count: u16) -> Failures {
        Failures {
            count,
            spent: count > 0,
            why: String::new(),
            ..Failures::default()
        }
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.last.iter_mut().for_each(&mut *f);
        self.lasts_from.iter_mut().for_each(&mut *f);
        self.restarts.iter_mut().for_each(f);
    }

    /// Forgets them when their time has come.
    pub fn expire(&mut self, now: Time, setup: &ResourceSetup) {
        if self.count > 0 && setup.fail_expiry.is_some() {
            self.lasts_from.get_or_insert(now);
        }
        if self.expire_at(setup).is_some_and(|at| now >= at) {
            *self = Failures::default();
        }
    }

    /// When the latest was.
    pub fn last(&self) -> Option<Time> {
        self.last
    }

    /// When they are forgotten.
    pub fn expire_at(&self, setup: &ResourceSetup) -> Option<Time> {
        Some(self.lasts_from? + setup.fail_expiry?)
    }

    fn add(&mut self, now: Time, why: &str) {
        self.why = why.into();
        self.count = self.count.saturating_add(1);
        self.unserved = (self.unserved + 1).min(2);
        (self.last, self.lasts_from) = (Some(now), Some(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ResourceId;
    use std::time::Duration;

    fn setup(restarts: u32) -> ResourceSetup {
        ResourceSetup {
            id: ResourceId(1),
            definition: 0,
            exclusive: true,
            data: false,
            leased: false,
            lingers: false,
            start_timeout: Duration::from_secs(60),
            stop_timeout: Duration::from_secs(60),
            restarts,
            window: Duration::from_secs(600),
            fail_expiry: Some(Duration::from_secs(3600)),
        }
    }

    fn at(seconds: i64) -> Time {
        Time(seconds * 1_000_000)
    }

    #[test]
    fn restarts_in_place_are_counted_in_a_window_that_slides() {
        let mut failures = Failures::default();
        let answers =
            [0, 10, 601, 605].map(|seconds| failures.restart(at(seconds), &setup(2), "died"));
        assert_eq!(answers, [true, true, true, false]);
        assert_eq!((failures.count, failures.spent), (4, true));
    }

    #[test]
    fn without_restarts_the_first_failure_counts_against_the_node() {
        let mut failures = Failures::default();
        assert!(!failures.restart(at(0), &setup(0), "died"));
        assert!(failures.spent);
    }

    /// A reload may give a span to what was to last for ever.
    #[test]
    fn remembered_failures_last_from_when_they_were_given_a_span() {
        let mut failures = Failures::remembered(2);
        let never = ResourceSetup {
            fail_expiry: None,
            ..setup(1)
        };
        failures.expire(at(1_000_000), &never);
        failures.expire(at(1_000_001), &setup(1));
        assert_eq!((failures.count, failures.last()), (2, None));
        assert_eq!(failures.expire_at(&setup(1)), Some(at(1_003_601)));
        failures.expire(at(1_003_601), &setup(1));
        assert_eq!(failures, Failures::default());
    }

    #[test]
    fn failures_are_forgotten_when_their_time_has_come_or_never() {
        let mut failures = Failures::default();
        failures.fatal(at(0), "died");
        let never = ResourceSetup {
            fail_expiry: None,
            ..setup(1)
        };
        failures.expire(at(1_000_000), &never);
        failures.expire(at(3599), &setup(1));
        assert!(failures.spent);
        failures.expire(at(3600), &setup(1));
        assert_eq!(failures, Failures::default());
    }
}
