//! How to notice that something was mounted or unmounted.

use crate::sys;
use smol::Async;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Changes of this process's table of mounts.
#[derive(Debug)]
pub struct Changes {
    /// Readable when the table is another. The table's own descriptor is readable always.
    set: Async<OwnedFd>,
    _table: File,
}

impl Changes {
    /// From now on.
    pub fn open() -> io::Result<Changes> {
        let table = File::open("/proc/self/mountinfo")?;
        let set = sys::epoll()?;
        sys::epoll_add(&set, table.as_fd(), libc::EPOLLPRI)?;
        Ok(Changes {
            set: Async::new_nonblocking(set)?,
            _table: table,
        })
    }

    /// Waits for one. It is a hint to look, no more.
    pub async fn next(&self) -> io::Result<()> {
        self.set.readable().await
    }
}
