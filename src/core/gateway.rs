//! One gateway: the sign that this node still reaches its clients' network. It is lost after `misses`
//! attempts in a row without an answer; after that it must answer for `dampening` before it counts again.

use super::canonical::LONG_AGO;
use super::event::Action;
use super::setup::GatewaySetup;
use super::time::Time;
use crate::id::GatewayId;

/// What is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gateway {
    /// Which.
    pub id: GatewayId,
    /// What it did lately.
    pub state: GatewayState,
    /// Since when.
    pub since: Time,
    /// When the latest answered ping was sent.
    pub answered: Option<Time>,
    /// Unanswered in a row.
    missed: u32,
    /// The regular attempt under way.
    waiting: Option<Attempt>,
    /// When the next regular ping is due.
    next: Time,
}

/// What one gateway did lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatewayState {
    /// Asked, no answer yet, and not given up either.
    Pending,
    /// Answers.
    Good,
    /// Answers again, but not for long enough.
    Dampened,
    /// Does not answer.
    Lost,
}

/// One regular attempt: pings, until one is answered or its time is over. One lost ping on a
/// crowded LAN is no sign of anything, so an attempt is not one ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Attempt {
    began: Time,
    /// When the next ping of it is due.
    again: Time,
    ends: Time,
    /// Its latest ping left.
    asked: bool,
}

/// Pings in one attempt, evenly spread.
const PINGS: u32 = 10;

impl Gateway {
    /// One that was not asked yet.
    pub fn new(now: Time, id: GatewayId) -> Gateway {
        Gateway {
            id,
            state: GatewayState::Pending,
            since: now,
            answered: None,
            missed: 0,
            waiting: None,
            next: now,
        }
    }

    /// It answered the ping sent at `stamp`.
    pub fn pong(&mut self, now: Time, stamp: Time, setup: &GatewaySetup) {
        self.answered = self.answered.max(Some(stamp));
        if now.since(stamp) > setup.timeout {
            return; // on-link, but too slow to serve
        }
        if self.waiting.is_some_and(|attempt| stamp >= attempt.began) {
            self.waiting = None;
        }
        self.missed = 0;
        match self.state {
            GatewayState::Pending => self.turn(now, GatewayState::Good),
            GatewayState::Lost => self.turn(now, GatewayState::Dampened),
            GatewayState::Dampened if now.since(self.since) >= setup.dampening => {
                self.turn(now, GatewayState::Good)
            }
            GatewayState::Dampened | GatewayState::Good => {}
        }
    }

    /// Counts an attempt whose time is over, and pings it if that is due.
    pub fn tick(&mut self, now: Time, setup: &GatewaySetup, out: &mut Vec<Action>) {
        if let Some(attempt) = self.waiting.take_if(|attempt| now >= attempt.ends) {
            // Who answered, and was not asked since, is not known to answer no more.
            if attempt.asked || self.state != GatewayState::Good {
                self.missed(now, setup);
            }
        }
        if now >= self.next {
            self.next = now + setup.interval;
            self.waiting = Some(Attempt {
                began: now,
                again: now,
                ends: now + setup.timeout,
                asked: true,
            });
        }
        if let Some(attempt) = &mut self.waiting
            && now >= attempt.again
        {
            (attempt.again, attempt.asked) = (now + setup.timeout / PINGS, true);
            out.push(self.ping(now));
        }
    }

    /// The latest ping did not leave.
    pub fn unasked(&mut self) {
        if let Some(attempt) = &mut self.waiting {
            attempt.asked = false;
        }
    }

    /// It answered the last attempt, or is lost, or has not answered the first. None: between these, which says nothing.
    pub fn answers(&self) -> Option<bool> {
        match self.state {
            GatewayState::Good | GatewayState::Dampened if self.missed == 0 => Some(true),
            GatewayState::Pending if self.missed > 0 => Some(false),
            GatewayState::Lost => Some(false),
            GatewayState::Pending | GatewayState::Good | GatewayState::Dampened => None,
        }
    }

    /// The question.
    pub fn ping(&self, now: Time) -> Action {
        Action::Ping {
            gateway: self.id,
            stamp: now,
        }
    }

    /// When [`tick`](Self::tick) is next due.
    pub fn deadline(&self) -> Time {
        let waiting = self.waiting.map(|w| w.ends.min(w.again));
        waiting.map_or(self.next, |at| at.min(self.next))
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        f(&mut self.since);
        f(&mut self.next);
        self.answered.iter_mut().for_each(&mut *f);
        if let Some(attempt) = &mut self.waiting {
            f(&mut attempt.began);
            f(&mut attempt.again);
            f(&mut attempt.ends);
        }
    }

    /// Forgets, for a search, since when it is as it is, where only people ask.
    pub fn forget(&mut self) {
        if self.state != GatewayState::Dampened {
            self.since = LONG_AGO;
        }
    }

    fn missed(&mut self, now: Time, setup: &GatewaySetup) {
        let lost = match self.state {
            GatewayState::Dampened => true, // one miss starts the wait again
            GatewayState::Pending | GatewayState::Good => {
                self.missed += 1; // bounded: at `misses` it is lost
                self.missed >= setup.misses
            }
            GatewayState::Lost => false,
        };
        if lost {
            self.turn(now, GatewayState::Lost);
        }
    }

    fn turn(&mut self, now: Time, state: GatewayState) {
        self.state = state;
        self.since = now;
    }
}

/// Which of two states is worse.
pub fn badness(state: GatewayState) -> u8 {
    match state {
        GatewayState::Good => 0,
        GatewayState::Pending => 1,
        GatewayState::Dampened => 2,
        GatewayState::Lost => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::VifId;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    /// One gateway, asked every second for half a second, lost after two misses; what happens each second.
    fn after(seconds: &[&str]) -> GatewayState {
        let setup = GatewaySetup {
            require_all: false,
            interval: SECOND,
            timeout: SECOND / 2,
            misses: 2,
            dampening: SECOND,
        };
        let id = GatewayId {
            vif: VifId(1),
            address: [192, 0, 2, 254].into(),
        };
        let mut gateway = Gateway::new(Time(0), id);
        for (second, happens) in (0..).zip(seconds) {
            for tenth in 0..10 {
                let now = Time(0) + SECOND * second + SECOND / 10 * tenth;
                let mut out = vec![];
                gateway.tick(now, &setup, &mut out);
                match *happens {
                    _ if out.is_empty() => {}
                    "answers" => gateway.pong(now, now, &setup),
                    // Only the last ones may tell how the attempt ended.
                    "cannot be asked" if tenth >= 3 => gateway.unasked(),
                    _ => {}
                }
            }
        }
        gateway.state
    }

    #[test]
    fn who_answered_and_cannot_be_asked_is_not_lost() {
        let silent = ["answers", "is silent", "is silent"];
        assert_eq!(after(&silent), GatewayState::Lost);
        let unasked = [
            "answers",
            "cannot be asked",
            "cannot be asked",
            "cannot be asked",
        ];
        assert_eq!(after(&unasked), GatewayState::Good);
        let between = ["answers", "is silent", "cannot be asked", "is silent"];
        assert_eq!(after(&between), GatewayState::Lost);
    }

    /// Nobody waits for ever for one that never answered.
    #[test]
    fn who_never_answered_is_given_up() {
        let unasked = ["cannot be asked", "cannot be asked", "cannot be asked"];
        assert_eq!(after(&unasked), GatewayState::Lost);
    }
}
