//! How long an operation goes on asking.

use crate::agents::trouble::Trouble;
use std::time::{Duration, Instant};

/// Until when, and who hears what keeps it from being answered.
pub struct Patience<'a> {
    limit: Duration,
    until: Instant,
    told: &'a dyn Fn(Option<&Trouble>),
}

impl<'a> Patience<'a> {
    /// From `begun` on. `told` hears of trouble each time, and of its end.
    pub fn since(
        begun: Instant,
        limit: Duration,
        told: &'a dyn Fn(Option<&Trouble>),
    ) -> Patience<'a> {
        Patience {
            limit,
            until: begun + limit,
            told,
        }
    }

    /// From now on.
    pub fn new(limit: Duration, told: &'a dyn Fn(Option<&Trouble>)) -> Patience<'a> {
        Patience::since(Instant::now(), limit, told)
    }

    /// So long, and nobody hears of it.
    pub fn silent(limit: Duration) -> Patience<'static> {
        Patience::new(limit, &|_| {})
    }

    /// The same for so much longer or shorter: from now on.
    pub fn anew(&self, limit: Duration) -> Patience<'a> {
        Patience::new(limit, self.told)
    }

    /// All of it.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// What is left of it.
    pub fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// There is none left.
    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    pub(super) fn tell(&self, trouble: &Trouble) {
        (self.told)(Some(trouble));
    }

    /// There was an answer.
    pub(super) fn answered(&self) {
        (self.told)(None);
    }
}
