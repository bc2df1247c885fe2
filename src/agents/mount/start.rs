//! Checked, then mounted.

use super::options::{Options, options};
use super::{Table, Target, claim};
use crate::agents::words::in_one_line;
use crate::sys;
use std::fs::{self, File};
use std::io;
use std::process::Command;

/// Mounts it, unless it is; what else is to be said.
pub(super) fn start(target: &Target, lock: &File) -> Result<Option<String>, String> {
    let (point, device) = (&target.point, &target.device);
    let table = Table::read().map_err(|e| format!("/proc/self/mountinfo: {e}"))?;
    if let Some(entry) = target.entry(&table) {
        return match entry.unwritable().filter(|_| target.writable()) {
            Some(sign) => Err(format!(
                "{point} is mounted and cannot be written to ({sign})"
            )),
            None => Ok(None),
        };
    }
    let number = target.number();
    let number = number.ok_or_else(|| format!("there is no block device {device}"))?;
    if let Some(other) = table.at(point) {
        let source = &other.source;
        return Err(format!(
            "{source} is mounted at {point} already: unmount it"
        ));
    }
    if let Some(other) = table.of_device(number).next() {
        let there = &other.point;
        return Err(format!(
            "{device} is mounted at {there} already: unmount it there"
        ));
    }
    place(point)?;
    // In use here already, by what a namespace kept: then it was checked, and cannot be now.
    let taken = claim::is_taken(device).map_err(|e| format!("{device}: {e}"))?;
    let checked = match taken {
        true => None,
        false => check(target, lock)?,
    };
    let Options { flags, data } = options(target.kind, &target.options);
    let mounted = sys::mount(device, point, target.kind.name(), flags, &data);
    mounted.map_err(|error| refused(target, &error))?;
    Ok(checked)
}

/// The directory, made where it is missing: what is in it is hidden, and nobody uses it otherwise.
fn place(point: &str) -> Result<(), String> {
    fs::create_dir_all(point).map_err(|e| format!("cannot make {point}: {e}"))?;
    match fs::canonicalize(point) {
        Ok(real) if real.to_str() == Some(point) => Ok(()),
        Ok(real) => Err(format!("{point} leads to {}: write that", real.display())),
        Err(error) => Err(format!("{point}: {error}")),
    }
}

/// fsck.ext4 -p corrects what can be corrected without a question. Its status is a sum: 1 corrected, 2 a mounted root
/// file system, 4 and more left as it is.
fn check(target: &Target, lock: &File) -> Result<Option<String>, String> {
    let Some(checker) = target.kind.checker() else {
        return Ok(None);
    };
    // It goes on writing if this process is killed.
    sys::inherit(lock).map_err(|e| format!("{checker}: {e}"))?;
    let ended = Command::new(checker)
        .args(["-p", &target.device])
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .env("LC_ALL", "C")
        .output()
        .map_err(|e| format!("cannot run {checker}: {e}"))?;
    let output = [ended.stdout, ended.stderr].concat();
    let said = in_one_line(&String::from_utf8_lossy(&output), 300, |_| true);
    match ended.status.code() {
        Some(0) => Ok(None),
        Some(code) if code < 4 => Ok(Some(format!("{checker} corrected it: {said}"))),
        Some(code) => Err(format!(
            "{checker} -p {} ended with {code}: {said}; look at it with `{checker} -n {}`",
            target.device, target.device
        )),
        None => Err(format!("{checker} was killed: {said}")),
    }
}

fn refused(target: &Target, error: &io::Error) -> String {
    let (device, kind) = (&target.device, target.kind.name());
    let why = match error.raw_os_error() {
        Some(libc::EINVAL) => {
            format!("it holds no {kind}, or `options` are wrong; the kernel's log says which")
        }
        Some(libc::EUCLEAN) => "the file system needs a repair; the kernel's log says more".into(),
        Some(libc::ENODEV) => format!("this kernel has no {kind}"),
        Some(libc::EROFS | libc::EACCES) => "it cannot be written to".into(),
        Some(libc::EMEDIUMTYPE) => "it is DRBD's secondary side".into(),
        Some(libc::EBUSY) => format!("it is in use: {}", claim::holders(target)),
        _ => error.to_string(),
    };
    format!("cannot mount {device} at {}: {why}", target.point)
}
