//! File systems on block devices: looked at, mounted, unmounted, written back and probed.
//!
//! Whatever may block on the device, or needs more rights than the daemon has, is done by a process of this program
//! of its own, the [`helper`], which has a transient unit where systemd runs the daemon: in the mount namespace of
//! everybody, and outside of the daemon's cgroup, so that one that hangs in the kernel keeps nobody from being killed
//! and started again. The daemon reads its own table of mounts ([`Table`]) and nothing else.
//!
//! A helper that was given up may come back from the kernel at any time, with a mount that nobody waits for any more.
//! So each holds a lock for as long as it, or a child of its own, lives: what is looked at or stopped while another
//! has it is not known to be stopped ([`lock`]).

mod claim;
mod fit;
pub mod helper;
mod lock;
mod options;
mod probe;
mod start;
mod stop;
mod table;
mod users;
pub mod watch;

pub use fit::{Fault, faults, unit_name};
pub use options::wrong;
pub use table::{Entry, Number, Table, is_within};

use super::program::{End, Program, Programs};
use super::trouble::{Trouble, lacks_resources, words};
use super::words::in_one_line;
use std::fmt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

/// A file system and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The directory.
    pub point: String,
    /// The block device.
    pub device: String,
    /// The kind of file system.
    pub kind: Kind,
    /// As ha.toml has them.
    pub options: String,
}

/// The kinds of file systems that can be here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Checked before each mount.
    Ext4,
    /// Recovers by itself when it is mounted.
    Xfs,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 2] = [Kind::Ext4, Kind::Xfs];

    /// As mount(2) knows it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ext4 => "ext4",
            Kind::Xfs => "xfs",
        }
    }

    /// What checks it before it is mounted.
    pub fn checker(self) -> Option<&'static str> {
        (self == Kind::Ext4).then_some("fsck.ext4")
    }
}

impl Target {
    /// The device's numbers; none: there is no such block device.
    pub fn number(&self) -> Option<Number> {
        let facts = std::fs::metadata(&self.device).ok()?;
        let block = facts.file_type().is_block_device();
        block.then(|| Number::of(facts.rdev()))
    }

    /// It is what is mounted there: by its device, or, of one that is gone, by the name that it was mounted by.
    pub fn is(&self, entry: &Entry) -> bool {
        match self.number() {
            Some(number) => entry.device == number,
            None => entry.source == self.device && entry.kind == self.kind.name(),
        }
    }

    /// The same device at the same place, whatever its options.
    pub fn is_the_same(&self, other: &Target) -> bool {
        (&self.point, &self.device, self.kind) == (&other.point, &other.device, other.kind)
    }

    /// Its mount, if that is what is seen at its place.
    pub fn entry<'a>(&self, table: &'a Table) -> Option<&'a Entry> {
        table.at(&self.point).filter(|entry| self.is(entry))
    }

    /// It is to be written to.
    pub fn writable(&self) -> bool {
        let mut words = self.options.rsplit(',');
        words.find(|word| matches!(*word, "ro" | "rw")) != Some("ro")
    }
}

/// What a helper does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Finds out what of it is here.
    Look,
    /// Checks and mounts it.
    Start,
    /// Ends what uses it and unmounts it.
    Stop,
    /// Writes it back while it is used.
    Sync,
    /// Reads from it.
    Probe,
}

impl Verb {
    const ALL: [(&'static str, Verb); 5] = [
        ("look", Verb::Look),
        ("start", Verb::Start),
        ("stop", Verb::Stop),
        ("sync", Verb::Sync),
        ("probe", Verb::Probe),
    ];

    fn of(word: &str) -> Option<Verb> {
        let found = Verb::ALL.iter().find(|(name, _)| *name == word);
        found.map(|(_, verb)| *verb)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Verb::ALL.iter().find(|(_, verb)| verb == self);
        f.write_str(known.map_or("", |(name, _)| name))
    }
}

/// What a look finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is mounted where it belongs.
    Mounted,
    /// It is not, and nothing on this machine has its device.
    Absent,
    /// There is no such device.
    Missing,
    /// Something has its device, by these words.
    Elsewhere(String),
}

/// How a helper ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done; what else is to be said of it.
    Done(Option<String>),
    /// What a look found.
    Found(Found),
    /// It is not, and why.
    Failed(String),
}

/// Why a helper did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Undone {
    /// By the mount, its device or whoever uses it.
    Failed(String),
    /// By this machine, which lacks something: that says nothing about them.
    Unasked(Trouble),
}

impl Undone {
    /// By what a system call said of that.
    fn of(what: &str, error: &std::io::Error) -> Undone {
        match lacks_resources(error) {
            true => Undone::Unasked(Trouble::of(what, error)),
            false => Undone::Failed(format!("{what}: {}", words(error))),
        }
    }
}

impl From<String> for Undone {
    fn from(why: String) -> Undone {
        Undone::Failed(why)
    }
}

impl From<Trouble> for Undone {
    fn from(trouble: Trouble) -> Undone {
        Undone::Unasked(trouble)
    }
}

/// Has a helper do that, for at most so long; one that comes back later is not waited for.
pub async fn ask(
    programs: &Programs,
    run_dir: &Path,
    verb: Verb,
    target: &Target,
    limit: Duration,
) -> Result<Answer, Trouble> {
    let order = helper::Order::new(run_dir, verb, target, limit)?;
    let program = Program {
        words: order.words(programs.runner()),
        user: None,
    };
    let ended = programs.run("mount", &program, b"", limit).await?;
    match ended.end {
        End::Exited(_) => helper::read(&ended.output).unwrap_or_else(|| {
            let said = in_one_line(&ended.output, LONGEST, |_| true);
            Err(Trouble(format!(
                "its helper ended without an answer: {said:?}"
            )))
        }),
        End::Killed(signal) => Err(Trouble(format!("killed by signal {signal}"))),
        End::Late => Ok(Answer::Failed(format!(
            "{verb} of {} did not end within {} s",
            target.point,
            limit.as_secs()
        ))),
    }
}

/// As much of what is wrong is told.
const LONGEST: usize = 600;
