//! Whether a cable is live, asked of the driver.
//!
//! The kernel tells of a lost carrier by netlink, but holds the message back by up to a second when
//! another link changed shortly before (`linkwatch_schedule_work` in net/core/link_watch.c; 514 and
//! 1009 ms were measured). The driver itself knows at once, and asking it costs two microseconds, unless
//! somebody else holds the kernel's network lock (RTNL): then it waits for that.

use super::sys;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The drivers of the interfaces in the network namespace it was opened in.
#[derive(Debug)]
pub struct Drivers {
    socket: OwnedFd,
}

impl Drivers {
    /// Opens the socket that the question needs.
    pub fn open() -> io::Result<Drivers> {
        Ok(Drivers {
            socket: sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?,
        })
    }

    /// ETHTOOL_GLINK (linux/ethtool.h): the interface is up and has carrier. None where the
    /// driver cannot say or there is no such interface.
    pub fn carrier(&self, interface: &str) -> Option<bool> {
        sys::ethtool_link(self.socket.as_fd(), interface).ok()
    }
}
