//! Who has a block device, by the kernel's own account.
//!
//! A device that is mounted in any namespace, is part of a mapping, or swap, cannot be opened with O_EXCL: no list
//! of mounts says that as surely, for a namespace may have a copy that nobody else sees.

use super::Target;
use super::table::{Number, Table};
use super::users;
use crate::agents::trouble::{Trouble, lacks_resources};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

/// Something on this machine has the device. Of one that cannot be opened at all nobody has it: DRBD's secondary
/// side, a disk that is gone. An error: this machine has nothing left to open it with, which says neither.
pub(super) fn is_taken(device: &str) -> Result<bool, Trouble> {
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_EXCL | libc::O_NONBLOCK)
        .open(device);
    match opened {
        Ok(_) => Ok(false),
        Err(error) if lacks_resources(&error) => Err(Trouble::of(device, &error)),
        Err(error) => Ok(error.raw_os_error() == Some(libc::EBUSY)),
    }
}

/// By whom, as far as that can be found out.
pub(super) fn holders(target: &Target) -> String {
    let Some(number) = target.number() else {
        return format!("{} is gone", target.device);
    };
    let mut holders = mounts(number, &target.point);
    holders.extend(users::namespaces(number, &target.point));
    holders.extend(stacked(number).unwrap_or_default());
    holders.extend(swap(&target.device));
    match holders.is_empty() {
        true => "no process: a user in the kernel (an iSCSI target, another mapping)".into(),
        false => holders.join("; "),
    }
}

/// Where else it is mounted.
fn mounts(number: Number, point: &str) -> Vec<String> {
    let table = Table::read().unwrap_or_default();
    let others = table.of_device(number).filter(|entry| entry.point != point);
    others
        .map(|entry| format!("mounted at {}, not by ha-appliance", entry.point))
        .collect()
}

/// What is made of it: a mapping, a RAID.
fn stacked(number: Number) -> io::Result<Vec<String>> {
    let names = fs::read_dir(format!("/sys/dev/block/{number}/holders"))?;
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.map(|name| format!("{name} is made of it")).collect())
}

fn swap(device: &str) -> Option<String> {
    let swaps = fs::read_to_string("/proc/swaps").ok()?;
    let real = fs::canonicalize(device).ok()?;
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let mut used = swaps.lines().skip(1).filter_map(first);
    used.any(|path| real.to_str() == Some(&path))
        .then(|| "it is swap".into())
}
