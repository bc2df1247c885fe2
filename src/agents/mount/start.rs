//! Checked, then mounted.

use super::options::{Options, options};
use super::{Answer, Table, Target, Undone, claim};
use crate::agents::trouble::Trouble;
use crate::agents::words::in_one_line;
use crate::sys;
use std::fs::{self, File};
use std::io;
use std::process::{Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Mounts it, unless it is; what else is to be said.
pub(super) fn start(target: &Target, lock: &File, until: Instant) -> Result<Answer, Undone> {
    let (point, device) = (&target.point, &target.device);
    let table = Table::seen()?;
    if let Some(entry) = target.entry(&table) {
        return match entry.unwritable().filter(|_| target.writable()) {
            Some(sign) => {
                Err(format!("{point} is mounted and cannot be written to ({sign})").into())
            }
            None => Ok(Answer::Done(None)),
        };
    }
    let number = target.number();
    let number = number.ok_or_else(|| format!("there is no block device {device}"))?;
    if let Some(other) = table.at(point) {
        let source = &other.source;
        return Err(format!("{source} is mounted at {point} already: unmount it").into());
    }
    if let Some(other) = table.of_device(number).next() {
        let there = &other.point;
        return Err(format!("{device} is mounted at {there} already: unmount it there").into());
    }
    place(point)?;
    let Options { flags, data } = options(target.kind, &target.options);
    let patience = until.min(Instant::now() + BUSY);
    loop {
        // In use here already, by what a namespace kept: then it was checked, and cannot be now.
        let checked = match claim::is_taken(device)? {
            true => None,
            false => check(target, lock)?,
        };
        match sys::mount(device, point, target.kind.name(), flags, &data) {
            Ok(()) => return Ok(Answer::Done(checked)),
            // A tool that looks at it has it for itself, for a moment.
            Err(error)
                if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < patience => {}
            Err(error) => return Err(refused(target, &error)),
        }
        sleep(PAUSE);
    }
}

/// So long whoever has the device for itself is waited for.
const BUSY: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);

/// The directory, made where it is missing: what is in it is hidden, and nobody uses it otherwise.
fn place(point: &str) -> Result<(), Undone> {
    let made = fs::create_dir_all(point);
    made.map_err(|e| Undone::of(&format!("cannot make {point}"), &e))?;
    match fs::canonicalize(point) {
        Ok(real) if real.to_str() == Some(point) => Ok(()),
        Ok(real) => Err(format!("{point} leads to {}: write that", real.display()).into()),
        Err(error) => Err(Undone::of(point, &error)),
    }
}

/// fsck.ext4 -p corrects what can be corrected without a question. Its status is a sum: 1 corrected, 2 a mounted root
/// file system, 4 left as it is, 8 could not be looked at; from 32 on the checker was ended, or is not there.
fn check(target: &Target, lock: &File) -> Result<Option<String>, Undone> {
    let Some(checker) = target.kind.checker() else {
        return Ok(None);
    };
    let device = &target.device;
    // It goes on writing if this process is killed.
    sys::inherit(lock).map_err(|e| Trouble::of(checker, &e))?;
    let (status, said) = run(checker, &["-p", device])?;
    match status.code() {
        Some(0) => Ok(None),
        Some(code) if code < LEFT => Ok(Some(format!("{checker} corrected it: {said}"))),
        Some(code)
            if code < CANCELLED
                && (code & LEFT != 0 || code == UNUSABLE && !was_hindered(&said)) =>
        {
            Err(Undone::Failed(format!(
                "{checker} -p {device} ended with {code}: {said}; look at it with `{checker} -n {device}`"
            )))
        }
        Some(code) => {
            Err(Trouble(format!("{checker} -p {device} ended with {code}: {said}")).into())
        }
        // For want of memory, or by a person: it had not found anything yet.
        None => Err(Trouble(format!("{checker} was killed: {said}")).into()),
    }
}

const LEFT: i32 = 4;
const UNUSABLE: i32 = 8;
const CANCELLED: i32 = 32;

/// The checker could not have the device, or memory.
fn was_hindered(said: &str) -> bool {
    let words = [
        "is in use",
        "busy",
        "memory",
        "Too many open files",
        "temporarily unavailable",
    ];
    words.iter().any(|word| said.contains(word))
}

/// What would check it can be run.
pub(super) fn checker_runs(target: &Target) -> Result<(), Trouble> {
    let Some(checker) = target.kind.checker() else {
        return Ok(());
    };
    let (status, said) = run(checker, &["-V"])?;
    match status.code() {
        Some(0) => Ok(()),
        _ => Err(Trouble(format!("{checker} -V: {status}: {said}"))),
    }
}

/// How it ended, and what it said.
fn run(checker: &str, words: &[&str]) -> Result<(ExitStatus, String), Trouble> {
    let ended = Command::new(checker)
        .args(words)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .env("LC_ALL", "C")
        .output()
        .map_err(|e| Trouble::of(&format!("{checker} cannot be run"), &e))?;
    let output = [ended.stdout, ended.stderr].concat();
    let said = in_one_line(&String::from_utf8_lossy(&output), 300, |_| true);
    Ok((ended.status, said))
}

fn refused(target: &Target, error: &io::Error) -> Undone {
    let (device, kind) = (&target.device, target.kind.name());
    let what = format!("cannot mount {device} at {}", target.point);
    let why = match error.raw_os_error() {
        Some(libc::EINVAL) => {
            format!("it holds no {kind}, or `options` are wrong; the kernel's log says which")
        }
        Some(libc::EUCLEAN) => "the file system needs a repair; the kernel's log says more".into(),
        Some(libc::ENODEV) => format!("this kernel has no {kind}"),
        Some(libc::EROFS | libc::EACCES) => "it cannot be written to".into(),
        Some(libc::EMEDIUMTYPE) => "it is DRBD's secondary side".into(),
        Some(libc::EBUSY) => format!("it is in use: {}", claim::holders(target)),
        _ => return Undone::of(&what, error),
    };
    format!("{what}: {why}").into()
}
