//! Keeps the disk in step with what the node knows: one write at a time, of everything.
//!
//! Nothing is queued. Whoever needs something on disk changes what [`Memory::keep`] is given, and
//! looks at [`Memory::saved`] for it to have arrived. So a change that was withdrawn before it was
//! used (a seizure the peer cancelled by being heard) is undone on disk by the same rule.

use super::super::event::{Action, Outcome};
use super::super::time::Time;
use super::record::Record;
use crate::wire::heartbeat::Wish;
use std::time::Duration;

/// The pause after a failed write.
const RETRY: Duration = Duration::from_secs(1);
/// How long the disk may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is on disk is written again this often, so that a disk that takes no more writes is known
/// before a takeover needs one.
const TRIAL: Duration = Duration::from_secs(10);

/// What is on disk, and what is on its way there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    saved: Record,
    /// What is being written, and since when.
    writing: Option<(Record, Time)>,
    failed: Option<String>,
    retry_at: Option<Time>,
    /// When the last write ended: up to then it is known whether the disk takes writes.
    tried: Option<Time>,
}

impl Memory {
    /// The disk holds this.
    pub fn new(saved: Record) -> Memory {
        Memory {
            saved,
            writing: None,
            failed: None,
            retry_at: None,
            tried: None,
        }
    }

    /// What is surely on disk.
    pub fn saved(&self) -> &Record {
        &self.saved
    }

    /// Why the last write failed; None: it did not.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Calls `f` with the wishes on disk, and with those on their way there.
    pub fn wishes(&mut self, f: &mut dyn FnMut(&mut [Wish])) {
        f(&mut self.saved.wishes);
        if let Some((writing, _)) = &mut self.writing {
            f(&mut writing.wishes);
        }
    }

    /// Writes `wanted`, unless it is there and the disk was tried lately, a write is under way, or one
    /// has just failed.
    pub fn keep(&mut self, now: Time, wanted: Record, out: &mut Vec<Action>) {
        let resting = self.retry_at.is_some_and(|at| now < at);
        let known = self.tried.is_some_and(|at| now.since(at) < TRIAL) && self.failed.is_none();
        if self.writing.is_some() || resting || (wanted == self.saved && known) {
            return;
        }
        self.writing = Some((wanted.clone(), now));
        out.push(Action::Persist(wanted));
    }

    /// A write that takes too long is a failed one as far as others are concerned, although it may
    /// still end well.
    pub fn tick(&mut self, now: Time) {
        if let Some((_, since)) = self.writing
            && now.since(since) >= PATIENCE
            && self.failed.is_none()
        {
            self.failed = Some(format!(
                "the disk has not answered for {} s",
                PATIENCE.as_secs()
            ));
        }
    }

    /// The write ended.
    pub fn finished(&mut self, now: Time, outcome: Outcome) {
        let Some((written, _)) = self.writing.take() else {
            return;
        };
        self.tried = Some(now);
        match outcome {
            Outcome::Done | Outcome::Found(_) => {
                self.saved = written;
                self.failed = None;
                self.retry_at = None;
            }
            Outcome::Failed(why) | Outcome::Unasked(why) => {
                self.failed = Some(why);
                self.retry_at = Some(now + RETRY);
            }
        }
    }

    /// When the next write is due.
    pub fn deadline(&self) -> Option<Time> {
        match &self.writing {
            Some((_, since)) => Some(*since + PATIENCE),
            None => self.retry_at.or(self.tried.map(|at| at + TRIAL)),
        }
    }

    /// Forgets, for a search, how long ago the disk was tried or asked: a trial writes what is there,
    /// and an end of patience is a failure, of which a search has its own.
    pub fn forget(&mut self, now: Time) {
        let writing = self.writing.iter_mut().map(|(_, since)| since);
        writing.chain(&mut self.tried).for_each(|time| *time = now);
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        let writing = self.writing.iter_mut().map(|(_, since)| since);
        let kept = self.retry_at.iter_mut().chain(&mut self.tried);
        writing.chain(kept).for_each(f);
    }
}

#[cfg(test)]
mod tests {
    use super::super::rhythm::{Rhythm, Rhythms};
    use super::*;

    const START: Time = Time(0);

    fn at(millis: u64) -> Time {
        START + Duration::from_millis(millis)
    }

    fn rhythms(misses: u32) -> Record {
        let theirs = Rhythm {
            interval: Duration::from_millis(100),
            misses,
        };
        Record {
            rhythms: Some(Rhythms {
                theirs,
                shortest: theirs.interval,
                slowest: theirs,
            }),
            ..Record::default()
        }
    }

    /// What a call of [`Memory::keep`] writes.
    fn written(memory: &mut Memory, now: Time, wanted: &Record) -> Option<Record> {
        let mut out = vec![];
        memory.keep(now, wanted.clone(), &mut out);
        out.pop().map(|action| match action {
            Action::Persist(record) => record,
            other => panic!("{other:?}"),
        })
    }

    /// A disk that was tried at the start.
    fn tried() -> Memory {
        let mut memory = Memory::new(Record::default());
        assert!(written(&mut memory, START, &Record::default()).is_some());
        memory.finished(START, Outcome::Done);
        memory
    }

    #[test]
    fn one_write_at_a_time_is_under_way_and_the_last_wish_wins() {
        let mut memory = tried();
        assert_eq!(written(&mut memory, at(1), &rhythms(1)), Some(rhythms(1)));
        assert_eq!(written(&mut memory, at(2), &rhythms(2)), None);
        assert_eq!(memory.saved(), &Record::default(), "not there yet");
        memory.finished(at(3), Outcome::Done);
        assert_eq!(memory.saved(), &rhythms(1));
        assert_eq!(written(&mut memory, at(3), &rhythms(2)), Some(rhythms(2)));
    }

    #[test]
    fn a_disk_is_tried_again_after_ten_seconds_without_a_write() {
        let mut memory = tried();
        assert_eq!(memory.deadline(), Some(at(10_000)));
        assert_eq!(written(&mut memory, at(9_999), &Record::default()), None);
        assert!(written(&mut memory, at(10_000), &Record::default()).is_some());
    }

    #[test]
    fn after_a_failed_write_there_is_a_pause_of_a_second() {
        let mut memory = tried();
        written(&mut memory, at(100), &rhythms(1));
        memory.finished(at(100), Outcome::Failed("full".into()));
        assert_eq!(memory.failure(), Some("full"));
        assert_eq!(memory.saved(), &Record::default());
        assert_eq!(memory.deadline(), Some(at(1100)));
        assert_eq!(written(&mut memory, at(1099), &rhythms(1)), None);
        // Also where nothing is to be changed any more: whether it takes writes is what is not known.
        let mut withdrawn = memory.clone();
        assert!(written(&mut withdrawn, at(1100), &Record::default()).is_some());
        assert_eq!(
            written(&mut memory, at(1100), &rhythms(1)),
            Some(rhythms(1))
        );
        memory.finished(at(1101), Outcome::Done);
        assert_eq!((memory.failure(), memory.saved()), (None, &rhythms(1)));
        assert_eq!(memory.deadline(), Some(at(11_101)));
    }

    #[test]
    fn a_disk_that_hangs_has_failed_after_five_seconds_and_may_still_end_well() {
        let mut memory = tried();
        written(&mut memory, at(100), &rhythms(1));
        assert_eq!(memory.deadline(), Some(at(5100)));
        memory.tick(at(5099));
        assert_eq!(memory.failure(), None);
        memory.tick(at(5100));
        let said = "the disk has not answered for 5 s";
        assert_eq!(memory.failure(), Some(said));
        assert_eq!(written(&mut memory, at(20_000), &rhythms(2)), None);
        memory.finished(at(20_000), Outcome::Done);
        assert_eq!((memory.failure(), memory.saved()), (None, &rhythms(1)));
    }
}
