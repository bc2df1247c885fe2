//! A condition over time: when it held, so that "during the last half second" can be asked.

use std::collections::VecDeque;

/// When a condition held.
#[derive(Clone, Debug, Default)]
pub struct Spell {
    since: Option<i64>,
    past: VecDeque<(i64, i64)>,
}

/// Nobody asks about what is longer ago: no run lasts so long.
pub const MEMORY: i64 = 600_000_000;

impl Spell {
    /// It holds, or does not, from now on.
    pub fn set(&mut self, now: i64, holds: bool) {
        match (self.since, holds) {
            (None, true) => self.since = Some(now),
            (Some(since), false) => {
                self.since = None;
                if now > since {
                    self.past.push_back((since, now));
                }
                while self.past.front().is_some_and(|(_, to)| now - to > MEMORY) {
                    self.past.pop_front();
                }
            }
            _ => {}
        }
    }

    /// How much of the span between the two moments it held.
    pub fn within(&self, from: i64, to: i64) -> i64 {
        let now = self.since.map(|since| (since, to));
        let past = self.past.iter().rev().copied();
        let spells = past.take_while(|(_, end)| *end > from).chain(now);
        spells.map(|(a, b)| (b.min(to) - a.max(from)).max(0)).sum()
    }

    /// Whether it held all the time between the two moments.
    pub fn all(&self, from: i64, to: i64) -> bool {
        self.within(from, to) >= to - from
    }
}
