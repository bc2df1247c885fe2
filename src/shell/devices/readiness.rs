//! What a device said while nobody needed it: whether it could be relied on.

use super::ask::Probed;
use crate::core::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// What is known of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// As status and log name it.
    pub name: String,
    /// What it said last.
    pub state: State,
    /// When it answered last.
    pub good_at: Option<Time>,
    /// By what it was asked.
    pub suite: Option<String>,
    /// Wrong passwords in a row.
    passwords: u8,
    locked_until: Option<Time>,
    /// It switches another machine than it should.
    anothers: bool,
    /// What is to be told of it, or shown.
    pub(super) said: VecDeque<String>,
    pub(super) news: bool,
    /// The core waits for an answer.
    pub(super) asked: bool,
}

/// What a device said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing yet.
    Unasked,
    /// The machine has power, or has none.
    Power(bool),
    /// Nothing that helps: why.
    Failed(String),
}

/// After three wrong passwords in a row it is asked so rarely, but for a reload: some devices lock a user out.
const LOCKED_OUT: Duration = Duration::from_secs(3600);
const WRONG: u8 = 3;
const LOCKED: &str = "wrong password, three times: it is tried once an hour, so that the user is not locked out, and at once by \
    `ha-appliance reload`";
const DOUBTED: &str = "it says off of a node that is heard, and is asked once more";
const ANOTHERS: &str = "it says off of a node that is heard: it is another machine's, and not asked again before its \
    `[[fence]]` is corrected and reloaded, or the daemon restarted";

impl Readiness {
    pub(super) fn new(name: String) -> Readiness {
        Readiness {
            name,
            state: State::Unasked,
            good_at: None,
            suite: None,
            passwords: 0,
            locked_until: None,
            anothers: false,
            said: VecDeque::new(),
            news: false,
            asked: false,
        }
    }

    pub(super) fn probed(&mut self, now: Time, result: Probed) {
        match result {
            Probed::Power(on, suite) => {
                (self.state, self.good_at) = (State::Power(on), Some(now));
                (self.suite, self.passwords) = (suite, 0);
            }
            Probed::Failed { why, password } => {
                self.passwords = match password {
                    true => self.passwords.saturating_add(1),
                    false => 0,
                };
                let locked = self.passwords >= WRONG;
                self.locked_until = locked.then(|| now + LOCKED_OUT);
                self.state = State::Failed(match locked {
                    true => LOCKED.into(),
                    false => why,
                });
            }
        }
    }

    pub(super) fn say(&mut self, text: String) {
        self.said.push_back(text);
        self.news = true;
    }

    pub(super) fn take_said(&mut self) -> VecDeque<String> {
        self.news = false;
        std::mem::take(&mut self.said)
    }

    /// It says off of a machine that is heard: once more, and it is another's.
    pub(super) fn doubt(&mut self) {
        self.state = State::Failed(DOUBTED.into());
    }

    /// It says off, again and again, of a machine that is heard all the time.
    pub(super) fn found_anothers(&mut self) {
        self.anothers = true;
        self.state = State::Failed(ANOTHERS.into());
    }

    /// What it says is said of another machine.
    pub fn is_anothers(&self) -> bool {
        self.anothers
    }

    /// Why it is not asked now.
    pub(super) fn refused(&self, now: Time) -> Option<String> {
        if self.anothers {
            return Some(ANOTHERS.into());
        }
        let locked = self.locked_until.filter(|at| now < *at);
        locked.map(|_| LOCKED.into())
    }

    /// Somebody may have mended it: one wrong password more is risked. True: it was locked out.
    pub(super) fn forgive(&mut self) -> bool {
        self.locked_until.take().is_some()
    }

    /// It failed, and not for a password, which a device counts.
    pub(super) fn may_answer_soon(&self) -> bool {
        matches!(self.state, State::Failed(_)) && self.passwords == 0 && !self.anothers
    }

    /// It answered lately: not longer ago than that.
    pub fn is_good(&self, now: Time, within: Duration) -> bool {
        let lately = self.good_at.is_some_and(|at| now.since(at) <= within);
        lately && matches!(self.state, State::Power(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong() -> Probed {
        Probed::Failed {
            why: "wrong password".into(),
            password: true,
        }
    }

    #[test]
    fn good_is_what_answered_lately_and_last() {
        let minute = Duration::from_secs(60);
        let mut device = Readiness::new("ipmi 10.1.1.201".into());
        assert!(!device.is_good(Time(0), minute));
        device.probed(Time(0), Probed::Power(true, None));
        assert!(device.is_good(Time(0) + minute, minute));
        assert!(!device.is_good(Time(0) + 2 * minute, minute));
        device.probed(Time(1), wrong());
        assert!(!device.is_good(Time(1), minute), "it failed since");
    }

    #[test]
    fn three_wrong_passwords_in_a_row_lock_out() {
        let mut device = Readiness::new("ipmi 10.1.1.201".into());
        (0..2).for_each(|_| device.probed(Time(0), wrong()));
        device.probed(Time(0), Probed::Power(true, None));
        (0..2).for_each(|_| device.probed(Time(0), wrong()));
        assert_eq!(device.refused(Time(0)), None);
        assert_eq!(device.state, State::Failed("wrong password".into()));
        device.probed(Time(0), wrong());
        assert!(device.refused(Time(0)).is_some());
        assert_eq!(device.state, State::Failed(LOCKED.into()), "it is said");
        assert_eq!(device.refused(Time(0) + LOCKED_OUT), None);
        // Whoever reloads may have mended it, and has one try.
        assert!(device.forgive());
        assert_eq!(device.refused(Time(0)), None);
        device.probed(Time(0), wrong());
        assert!(device.refused(Time(0)).is_some());
    }

    #[test]
    fn what_was_not_reached_is_asked_again_soon_and_no_password_is_tried_for_that() {
        let mut device = Readiness::new("bmc".into());
        let failed = |device: &mut Readiness, password| {
            let why = "why".into();
            device.probed(Time(0), Probed::Failed { why, password });
            device.may_answer_soon()
        };
        assert!(!device.may_answer_soon());
        assert!(failed(&mut device, false));
        assert!(!failed(&mut device, true));
        device.probed(Time(0), Probed::Power(true, None));
        assert!(!device.may_answer_soon());
        device.found_anothers();
        assert!(!device.may_answer_soon());
    }
}
