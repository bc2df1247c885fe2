//! Waits for many descriptors as one: an epoll set is itself readable when any of them is, so the
//! executor's reactor watches a single descriptor however many sockets there are.

use super::sys;
use smol::Async;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Descriptors of which any may become readable.
#[derive(Debug)]
pub struct Ready {
    set: Async<OwnedFd>,
}

impl Ready {
    /// An empty set.
    pub fn new() -> io::Result<Ready> {
        Ok(Ready {
            set: Async::new_nonblocking(sys::epoll()?)?,
        })
    }

    /// Watches a descriptor until it is closed.
    pub fn watch(&self, descriptor: BorrowedFd) -> io::Result<()> {
        match sys::epoll_add(self.set.get_ref(), descriptor) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    /// Waits until one of them is readable.
    pub async fn any(&self) -> io::Result<()> {
        self.set.readable().await
    }
}
