//! Limits how often a group moves by itself, so that a flapping cause does not become flapping
//! services. The limit delays a move; it never cancels one. It is not asked where the group reaches
//! nobody (no carrier, no gateway), nor by an operator's command or a hard fact.

use super::super::time::Time;
use std::time::Duration;

/// Moves free of delay.
const FREE: u32 = 3;
/// A move is forgotten after this.
const FORGIVE: Duration = Duration::from_secs(60);
/// The first delay; each further move doubles it.
const FIRST: Duration = Duration::from_secs(5);
/// The longest delay.
const LONGEST: Duration = Duration::from_secs(60);

/// The recent moves of one group, as this node saw them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limiter {
    count: u32,
    last: Option<Time>,
}

impl Limiter {
    /// The group moved.
    pub fn moved(&mut self, now: Time) {
        self.forget(now);
        self.count = (self.count + 1).min(FREE + 5);
        self.last = Some(now);
    }

    /// When the next move may come; None: at once.
    pub fn wait_until(&self, now: Time) -> Option<Time> {
        let last = self.last?;
        let over = self.count.checked_sub(FREE)?;
        let delay = (FIRST * 2u32.pow(over)).min(LONGEST);
        (now < last + delay).then_some(last + delay)
    }

    /// Forgets a move for each [`FORGIVE`] without one.
    pub fn forget(&mut self, now: Time) {
        while let Some(last) = self.last
            && now.since(last) >= FORGIVE
        {
            self.count -= 1;
            self.last = (self.count > 0).then_some(last + FORGIVE);
        }
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.last.iter_mut().for_each(f);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_are_forgotten() {
        let mut limiter = Limiter::default();
        let second = Duration::from_secs(1);
        let mut now = Time(0);
        for expected in [
            None,
            None,
            Some(5),
            Some(10),
            Some(20),
            Some(40),
            Some(60),
            Some(60),
        ] {
            limiter.moved(now);
            let wait = limiter.wait_until(now).map(|until| until.since(now));
            assert_eq!(wait, expected.map(Duration::from_secs));
            now = now + second;
        }
        now = now + 600 * second;
        limiter.forget(now);
        assert_eq!(limiter, Limiter::default());
    }
}
