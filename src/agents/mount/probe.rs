//! Whether what is mounted can be read, and all of it written back.

use super::{Table, Target};
use crate::sys;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;

/// So much is read, at an address that suits every device.
#[repr(align(4096))]
struct Block([u8; 4096]);

/// Reads the device itself, past all that is remembered of it, and the file system's first directory, which one that
/// has shut itself down refuses.
pub(super) fn probe(target: &Target) -> Result<Option<String>, String> {
    let table = Table::read().map_err(|e| format!("/proc/self/mountinfo: {e}"))?;
    if target.entry(&table).is_none() {
        return Ok(None); // whoever watches the table says so
    }
    let read = || -> io::Result<()> {
        let mut device = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECT)
            .open(&target.device)?;
        let mut block = Box::new(Block([0; 4096]));
        device.read_exact(&mut block.0)
    };
    read().map_err(|e| format!("{} cannot be read: {e}", target.device))?;
    let mut entries =
        fs::read_dir(&target.point).map_err(|e| format!("{} cannot be read: {e}", target.point))?;
    match entries.next() {
        Some(Err(error)) => Err(format!("{} cannot be read: {error}", target.point)),
        _ => Ok(None),
    }
}

/// Writes back what is not on the disk yet.
pub(super) fn sync(target: &Target) -> Result<Option<String>, String> {
    let table = Table::read().map_err(|e| format!("/proc/self/mountinfo: {e}"))?;
    if target.entry(&table).is_none() {
        return Ok(None);
    }
    let root = File::open(&target.point).map_err(|e| format!("{}: {e}", target.point))?;
    sys::sync_file_system(&root).map_err(|e| format!("cannot write {} back: {e}", target.point))?;
    Ok(None)
}
