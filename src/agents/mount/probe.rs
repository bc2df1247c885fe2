//! Whether what is mounted can be read, and all of it written back.

use super::{Answer, Table, Target, Undone, start};
use crate::agents::trouble::Trouble;
use crate::sys;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;

/// So much is read, at an address that suits every device.
#[repr(align(4096))]
struct Block([u8; 4096]);

/// Reads the device itself, past all that is remembered of it, and the file system's first directory, which one that
/// has shut itself down refuses. Of what is not mounted: whether it could be checked.
pub(super) fn probe(target: &Target) -> Result<Answer, Undone> {
    let table = Table::seen()?;
    let Some(entry) = target.entry(&table) else {
        // That it is gone, whoever watches the table says.
        start::checker_runs(target)?;
        return Ok(Answer::Done(None));
    };
    let unread = |what: &str, e: io::Error| Undone::of(&format!("{what} cannot be read"), &e);
    let (point, device) = (target.point.as_str(), target.device.as_str());
    let mut opened = match File::options()
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(device)
    {
        Ok(opened) => opened,
        // The name is away, as for a moment when udev makes it anew: the disk is not.
        Err(error) if error.kind() == io::ErrorKind::NotFound && entry.device.exists() => {
            return Err(Trouble::of(device, &error).into());
        }
        Err(error) => return Err(unread(device, error)),
    };
    let mut block = Box::new(Block([0; 4096]));
    let read = opened.read_exact(&mut block.0);
    read.map_err(|e| unread(device, e))?;
    let mut entries = fs::read_dir(point).map_err(|e| unread(point, e))?;
    match entries.next() {
        Some(Err(error)) => Err(unread(point, error)),
        _ => Ok(Answer::Done(None)),
    }
}

/// Writes back what is not on the disk yet.
pub(super) fn sync(target: &Target) -> Result<Answer, Undone> {
    let table = Table::seen()?;
    if target.entry(&table).is_some() {
        let point = &target.point;
        let root = File::open(point).map_err(|e| Undone::of(point, &e))?;
        let synced = sys::sync_file_system(&root);
        synced.map_err(|e| Undone::of(&format!("cannot write {point} back"), &e))?;
    }
    Ok(Answer::Done(None))
}
