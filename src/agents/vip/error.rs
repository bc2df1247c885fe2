//! What went wrong with one address, and what an operator can do about it.

use std::net::IpAddr;
use std::{fmt, io};

/// Why one address could not be brought into the state asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VipError {
    /// The interface's name; empty where none is known.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// What was tried.
    pub doing: Doing,
    /// The kernel's answer (errno(3)); EEXIST for an address that is still there after its removal,
    /// EADDRINUSE for one that is the machine's own and not removed.
    pub errno: i32,
}

/// What was tried with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// To add it, or to renew it.
    Add,
    /// To remove it.
    Remove,
    /// To see whether it is there.
    Look,
    /// To announce it.
    Announce,
}

impl VipError {
    /// It says nothing of the address: the kernel could not be asked, or had nothing left to do it with. Asked
    /// again, it may do it.
    pub fn is_no_answer(&self) -> bool {
        let short = matches!(
            self.errno,
            libc::EAGAIN | libc::EINTR | libc::EBUSY | libc::ENOBUFS | libc::ENOMEM | libc::EIO
        );
        // A dump is refused for nothing that concerns an address.
        short || self.doing == Doing::Look
    }

    /// The interface does no IPv6 at the moment (switched off, packets too short): an IPv6 address waits for that
    /// and has not failed.
    pub fn waits_for_ipv6(&self) -> bool {
        let refused = matches!(
            self.errno,
            libc::EACCES | libc::EINVAL | libc::EAFNOSUPPORT | libc::EOPNOTSUPP
        );
        self.address.is_ipv6() && self.doing == Doing::Add && refused
    }

    /// What an operator can do about it.
    pub fn hint(&self) -> &'static str {
        match (self.doing, self.errno) {
            (_, libc::EPERM) => "run as root, or with CAP_NET_ADMIN and CAP_NET_RAW",
            (_, libc::ENODEV | libc::ENXIO) => "there is no such interface at the moment",
            (_, libc::ENETDOWN) => "the interface is down",
            (_, libc::EACCES) => "IPv6 is disabled there: see net.ipv6.conf.*.disable_ipv6",
            (_, libc::EAFNOSUPPORT | libc::EOPNOTSUPP) => "this kernel has no IPv6",
            (_, libc::ENOMEM | libc::ENOBUFS) => "the kernel is short of memory",
            (Doing::Add, libc::EINVAL) if self.address.is_ipv6() => {
                "the interface's packets are too short for IPv6, which needs an MTU of 1280"
            }
            (Doing::Add, libc::EINVAL) => "no address a machine can have, or a lifetime of 0",
            (Doing::Remove, libc::EEXIST) => {
                "it comes back as soon as it is removed: some other program manages it"
            }
            (Doing::Remove, libc::EADDRINUSE) => {
                "it is this machine's own, the only one in its network: correct ha.toml"
            }
            _ => "see the kernel log",
        }
    }
}

impl fmt::Display for VipError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let address = self.address;
        match self.doing {
            Doing::Add => write!(f, "cannot add {address} to {}", self.interface)?,
            Doing::Remove => write!(f, "cannot remove {address} from {}", self.interface)?,
            Doing::Look => write!(f, "cannot see whether {address} is there")?,
            Doing::Announce => write!(f, "cannot announce {address} on {}", self.interface)?,
        }
        if (self.doing, self.errno) == (Doing::Remove, libc::EADDRINUSE) {
            return write!(f, ": {}", self.hint());
        }
        let answer = io::Error::from_raw_os_error(self.errno);
        write!(f, ": {answer}: {}", self.hint())
    }
}

impl std::error::Error for VipError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_or_changes_under_the_hands_is_no_answer() {
        let error = |doing, errno| VipError {
            interface: "eth0".into(),
            address: [192, 0, 2, 1].into(),
            doing,
            errno,
        };
        for errno in [libc::EAGAIN, libc::ENOBUFS, libc::ENOMEM, libc::EIO] {
            assert!(error(Doing::Add, errno).is_no_answer());
            assert!(error(Doing::Remove, errno).is_no_answer());
        }
        for errno in [libc::ENODEV, libc::EACCES, libc::EPERM, libc::EINVAL] {
            assert!(!error(Doing::Add, errno).is_no_answer());
        }
        assert!(
            !error(Doing::Remove, libc::EEXIST).is_no_answer(),
            "it is there"
        );
        assert!(error(Doing::Look, libc::EMFILE).is_no_answer());
    }
}
