//! One device that can switch the peer off, as far as it was asked: what it read, and what that proves.

use crate::core::event::{Answer, Ask};
use crate::core::time::Time;
use std::time::Duration;

/// One level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Device {
    /// Which: [`FencingSetup::ids`](crate::core::setup::FencingSetup).
    pub id: u64,
    /// What it is being asked, and since when.
    pub asking: Option<(Ask, Time)>,
    /// What it is being asked was asked of the life before: the peer's machine has booted since.
    stale: bool,
    /// When the first of the answers came that say off, with none between that says otherwise.
    off_since: Option<Time>,
    /// The last answer said on: it is there, and could be asked to switch off.
    pub on: bool,
    /// When it is read next; None: nobody wants to know.
    pub next: Option<Time>,
    /// Answers in a row that were none.
    failures: u8,
    /// How long the last answer took.
    took: Duration,
    /// How often it was asked to switch the peer off, in this silence.
    pub tries: u8,
    /// When it answered the last of these.
    tried: Option<Time>,
    /// It said off of a machine that was heard after it: nothing that it says is clearance.
    pub distrusted: bool,
    /// It was asked to switch off a machine that was heard then: if that reads off and is heard no more, it is the
    /// peer's, and the device says the truth.
    pub proves: bool,
}

/// What came of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// It proves nothing.
    Nothing,
    /// The machine has power, and had when that was asked.
    On(Time),
    /// Off, by two answers apart.
    Off,
}

/// The longest pause between two reads of a device that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// One that was asked so often to switch off, and reads on, is asked ever more rarely: a machine that only starts again by
/// it has to come up some time.
const PATIENT: u8 = 3;

impl Device {
    /// One that was never asked.
    pub fn new(id: u64, distrusted: bool) -> Device {
        Device {
            id,
            distrusted,
            ..Device::default()
        }
    }

    /// It answered.
    pub fn answered(&mut self, now: Time, answer: &Answer, settle: Duration) -> Read {
        let Some((ask, since)) = self.asking.take() else {
            return Read::Nothing;
        };
        let stale = std::mem::take(&mut self.stale);
        self.took = now.since(since);
        if ask == Ask::Off {
            self.tried = Some(now);
        }
        let failed = matches!(answer, Answer::Failed(_));
        self.failures = if failed {
            self.failures.saturating_add(1)
        } else {
            0
        };
        self.on = (ask, answer) == (Ask::Status, &Answer::On);
        let pause = match (ask, answer) {
            // Whatever came of it, only a read tells.
            (Ask::Off, _) => Duration::ZERO,
            (Ask::Status, Answer::Failed(_)) => {
                LONGEST_PAUSE.min(settle * 2u32.pow(u32::from(self.failures.min(7))))
            }
            (Ask::Status, _) => settle,
        };
        self.next = self.next.and(Some(now + pause));
        if stale || (ask, answer) != (Ask::Status, &Answer::Off) {
            self.off_since = None;
        }
        match (ask, answer, self.off_since) {
            (Ask::Status, Answer::Off, _) if stale => Read::Nothing,
            (Ask::Status, Answer::On, _) => Read::On(since),
            (Ask::Status, Answer::Off, Some(first)) if since >= first + settle => {
                self.distrusted &= !self.proves;
                match self.distrusted {
                    true => Read::Nothing,
                    false => Read::Off,
                }
            }
            (Ask::Status, Answer::Off, first) => {
                self.off_since = first.or(Some(now));
                Read::Nothing
            }
            _ => Read::Nothing,
        }
    }

    /// It was asked to switch off [`PATIENT`] times in vain, or more often: it rests for twice as long each time, up to 64
    /// times that `delay`.
    pub fn rests(&self, now: Time, delay: Duration) -> bool {
        let more = self.tries.saturating_sub(PATIENT).min(6);
        let rests = |at: Time| self.tries >= PATIENT && now < at + delay * (1 << more);
        self.tried.is_some_and(rests)
    }

    /// When it is read that is due then: if it could be asked to switch off in the instant to come, not so late that it
    /// would still be busy answering.
    pub fn reads_at(&self, due: Time, shot: Option<(Time, Time)>) -> Time {
        match shot {
            Some((from, until)) if self.on && due + self.took >= from => due.max(until),
            _ => due,
        }
    }

    /// A heartbeat of the peer was accepted; `same`: of the incarnation of those before; `echoed`: when that was sent
    /// which it echoes. What read off before proves nothing any more; and who answers, without a boot between, what
    /// was sent after a read lived through it.
    pub fn heard(&mut self, now: Time, same: bool, echoed: Option<Time>, detection: Duration) {
        self.stale |= !same && self.asking.is_some();
        let Some(first) = self.off_since else { return };
        self.distrusted |= same && echoed.is_some_and(|at| at > first);
        if !same || now > first + detection {
            (self.off_since, self.proves) = (None, false);
        }
    }

    /// Nobody wants to know any more: what is asked is still answered.
    pub fn rest(&mut self) {
        *self = Device {
            asking: self.asking,
            stale: self.stale,
            ..Device::new(self.id, self.distrusted)
        };
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        let asked = self.asking.as_mut().map(|(_, since)| since);
        let kept = [&mut self.off_since, &mut self.next, &mut self.tried];
        let times = kept.map(Option::as_mut).into_iter().chain([asked]);
        times.flatten().for_each(f);
    }

    /// Forgets, for a search, how long ago is longer than anything asks for: of a question that is not answered longer
    /// than an off may be on its way, of an answer longer before the question under way than two of them are apart.
    pub fn forget(&mut self, now: Time, settle: Duration, dying: Duration) {
        if let Some((_, since)) = &mut self.asking {
            *since = (*since).max(now - dying);
        }
        let asked = self.asking.map_or(now, |(_, since)| since);
        self.off_since = self.off_since.map(|at| at.max(asked - 2 * settle));
        self.next = self.next.map(|at| at.max(now));
        (self.failures, self.tries) = (self.failures.min(1), self.tries.min(1));
        self.tried = None; // no search tries so often
        self.took = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(1);
    const DETECTION: Duration = Duration::from_millis(500);

    fn at(millis: u64) -> Time {
        Time(0) + Duration::from_millis(millis)
    }

    /// Asks at one moment and has the answer at another.
    fn ask(device: &mut Device, ask: Ask, asked: u64, answer: Answer, came: u64) -> Read {
        device.asking = Some((ask, at(asked)));
        device.next = Some(at(asked));
        device.answered(at(came), &answer, SETTLE)
    }

    #[test]
    fn off_is_two_answers_a_settle_apart_with_none_between_that_says_otherwise() {
        let read = |device: &mut Device, asked, answer| {
            ask(device, Ask::Status, asked, answer, asked + 10)
        };
        let mut device = Device::default();
        assert_eq!(read(&mut device, 0, Answer::Off), Read::Nothing);
        assert_eq!(device.next, Some(at(1010)));
        assert_eq!(
            read(&mut device, 1000, Answer::Off),
            Read::Nothing,
            "too early"
        );
        assert_eq!(read(&mut device, 1010, Answer::Off), Read::Off);
        for other in [Answer::On, Answer::Failed("no reply".into())] {
            let mut device = Device::default();
            read(&mut device, 0, Answer::Off);
            read(&mut device, 1010, other);
            assert_eq!(read(&mut device, 2020, Answer::Off), Read::Nothing);
        }
        let mut device = Device::default();
        read(&mut device, 0, Answer::Off);
        ask(&mut device, Ask::Off, 1010, Answer::Accepted, 1020);
        assert_eq!(read(&mut device, 1020, Answer::Off), Read::Nothing);
    }

    #[test]
    fn what_is_accepted_late_voids_a_read_and_only_an_echo_of_later_makes_a_lie_of_it() {
        let read_off = || {
            let mut device = Device::default();
            ask(&mut device, Ask::Status, 0, Answer::Off, 10);
            device
        };
        let mut under_way = read_off();
        under_way.heard(at(510), true, Some(at(5)), DETECTION);
        assert_eq!(
            ask(&mut under_way, Ask::Status, 1010, Answer::Off, 1020),
            Read::Off
        );
        let mut late = read_off();
        late.heard(at(511), true, Some(at(5)), DETECTION);
        assert_eq!(
            ask(&mut late, Ask::Status, 1010, Answer::Off, 1020),
            Read::Nothing
        );
        assert!(!late.distrusted);
        let mut booted = read_off();
        booted.heard(at(100), false, Some(at(11)), DETECTION);
        booted.heard(at(110), true, Some(at(101)), DETECTION);
        assert!(!booted.distrusted, "another incarnation");
        let mut lies = read_off();
        lies.heard(at(100), true, Some(at(11)), DETECTION);
        assert!(lies.distrusted);
        assert_eq!(
            ask(&mut lies, Ask::Status, 1010, Answer::Off, 1020),
            Read::Nothing
        );
    }

    #[test]
    fn what_does_not_answer_is_read_ever_more_rarely() {
        let mut device = Device::default();
        let pauses: Vec<Duration> = (0..8)
            .map(|_| {
                ask(
                    &mut device,
                    Ask::Status,
                    0,
                    Answer::Failed("no reply".into()),
                    0,
                );
                device.next.unwrap().since(at(0))
            })
            .collect();
        let seconds = [2, 4, 8, 16, 32, 60, 60, 60].map(Duration::from_secs);
        assert_eq!(pauses, seconds);
        ask(&mut device, Ask::Status, 0, Answer::On, 0);
        assert_eq!(device.next, Some(at(1000)));
    }
}
