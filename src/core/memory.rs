//! Keeps the disk in step with what the node knows: one write at a time, of everything.
//!
//! Nothing is queued. Whoever needs something on disk changes what [`Memory::keep`] is given, and
//! looks at [`Memory::saved`] for it to have arrived. So a change that was withdrawn before it was
//! used (a seizure the peer cancelled by being heard) is undone on disk by the same rule.

use super::event::{Action, OpId, Outcome};
use super::record::Record;
use super::time::Time;
use std::time::Duration;

/// The operation of a write.
pub const OP: OpId = OpId(1_000_000);
/// The pause after a failed write.
const RETRY: Duration = Duration::from_secs(1);

/// What is on disk, and what is on its way there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    saved: Record,
    writing: Option<Record>,
    failed: Option<String>,
    retry_at: Option<Time>,
    /// A write succeeded or failed since the start: whether the disk takes writes is known.
    tried: bool,
}

impl Memory {
    /// The disk holds this.
    pub fn new(saved: Record) -> Memory {
        Memory {
            saved,
            writing: None,
            failed: None,
            retry_at: None,
            tried: false,
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

    /// Writes `wanted`, unless it is there, a write is under way, or one has just failed. The first
    /// time it writes in any case, to learn whether the disk takes it before that matters.
    pub fn keep(&mut self, now: Time, wanted: Record, out: &mut Vec<Action>) {
        let resting = self.retry_at.is_some_and(|at| now < at);
        if self.writing.is_some() || resting || (wanted == self.saved && self.failed.is_none() && self.tried) {
            return;
        }
        self.writing = Some(wanted.clone());
        out.push(Action::Persist { op: OP, record: wanted });
    }

    /// The write ended.
    pub fn finished(&mut self, now: Time, outcome: Outcome) {
        let Some(written) = self.writing.take() else { return };
        self.tried = true;
        match outcome {
            Outcome::Done | Outcome::Found(_) => {
                self.saved = written;
                self.failed = None;
                self.retry_at = None;
            }
            Outcome::Failed(why) => {
                self.failed = Some(why);
                self.retry_at = Some(now + RETRY);
            }
        }
    }

    /// When a failed write is tried again.
    pub fn deadline(&self) -> Option<Time> {
        self.retry_at
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.retry_at.iter_mut().for_each(f);
    }
}
