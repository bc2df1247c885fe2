//! What others change: links, addresses and default routes, told by the kernel as it happens.
//!
//! The kernel queues these in a buffer of bounded size. When it overflows it says so once
//! (ENOBUFS), and what was lost is unknown: [`Change::Overflow`] therefore means "look at
//! everything again", and no other event is needed to be right afterwards.

use super::message::messages;
use super::parse::{default_route, installed, interface, port};
use crate::agents::sys;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// One change. The kernel repeats itself (a renewed lifetime tells the address again): these are
/// states to be compared with what is known, not edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An interface is there, with these properties now: new, or changed.
    Link {
        /// The kernel's index.
        interface: u32,
        /// Its name.
        name: String,
        /// Its hardware address; zero where it has none of six bytes.
        mac: [u8; 6],
        /// Administratively up (IFF_UP).
        up: bool,
        /// Its cable is live (IFF_LOWER_UP).
        carrier: bool,
    },
    /// An interface is gone; one of the same name that comes back has another index.
    LinkGone {
        /// The kernel's index.
        interface: u32,
        /// Its name.
        name: String,
    },
    /// A bridge tells that one of its ports came, went or changed its state.
    Port {
        /// The kernel's index of the port.
        interface: u32,
    },
    /// An address is there: new, or its lifetime was set.
    AddressAdded {
        /// The kernel's index of the interface.
        interface: u32,
        /// The address.
        address: IpAddr,
        /// Its prefix length in bits.
        prefix: u8,
    },
    /// An address is gone: deleted by someone, expired, or flushed with its interface.
    AddressRemoved {
        /// The kernel's index of the interface.
        interface: u32,
        /// The address.
        address: IpAddr,
        /// Its prefix length in bits.
        prefix: u8,
    },
    /// A default route came or went: dump them again.
    DefaultRoute,
    /// Changes were lost: dump everything again.
    Overflow,
}

/// Four megabytes hold some five thousand address events: several renewals of a thousand addresses
/// while the loop is busy.
const RECEIVE_BUFFER: i32 = 4 << 20;

/// IPv6 was switched on or off, or became possible (linux/rtnetlink.h; not in libc).
const RTMGRP_IPV6_IFINFO: i32 = 0x800;

/// Hears every change in the network namespace in which it was opened.
#[derive(Debug)]
pub struct Monitor {
    fd: OwnedFd,
    buffer: Vec<u8>,
    parsed: VecDeque<Change>,
}

impl Monitor {
    /// Subscribes. Open it before the first dump, or what happens between the two is missed.
    pub fn open() -> io::Result<Self> {
        let fd = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
        // FORCE passes net.core.rmem_max but needs CAP_NET_ADMIN; without it, what one is given.
        for option in [libc::SO_RCVBUF, libc::SO_RCVBUFFORCE] {
            let _ = sys::set_option(fd.as_fd(), libc::SOL_SOCKET, option, &RECEIVE_BUFFER);
        }
        let mut own: libc::sockaddr_nl = sys::zero();
        own.nl_family = libc::AF_NETLINK as u16;
        own.nl_groups = (libc::RTMGRP_LINK
            | libc::RTMGRP_IPV4_IFADDR
            | libc::RTMGRP_IPV6_IFADDR
            | RTMGRP_IPV6_IFINFO
            | libc::RTMGRP_IPV4_ROUTE
            | libc::RTMGRP_IPV6_ROUTE) as u32;
        sys::bind(fd.as_fd(), &own)?;
        Ok(Self {
            fd,
            buffer: vec![0; 64 * 1024],
            parsed: VecDeque::new(),
        })
    }

    /// Whether there is an interface with this index at this moment: one that is removed is gone before its
    /// addresses are told to be.
    pub fn has_interface(&self, index: u32) -> bool {
        sys::interface_exists(self.fd.as_fd(), index)
    }

    /// The next change; `None` when there is none now. The descriptor is readable when more wait.
    pub fn try_next(&mut self) -> io::Result<Option<Change>> {
        loop {
            if let Some(change) = self.parsed.pop_front() {
                return Ok(Some(change));
            }
            match sys::receive::<libc::sockaddr_nl>(self.fd.as_fd(), &mut self.buffer) {
                Ok(None) => return Ok(None),
                Ok(Some((_, from))) if from.nl_pid != 0 => {} // not the kernel
                Ok(Some((length, _))) if length > self.buffer.len() => {
                    self.buffer.resize(length, 0);
                    return Ok(Some(Change::Overflow));
                }
                Ok(Some((length, _))) => parse(&self.buffer[..length], &mut self.parsed),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    return Ok(Some(Change::Overflow));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

pub(super) fn parse(datagram: &[u8], changes: &mut VecDeque<Change>) {
    for message in messages(datagram) {
        changes.extend(match message.kind {
            libc::RTM_NEWLINK | libc::RTM_DELLINK if port(&message).is_some() => {
                port(&message).map(|interface| Change::Port { interface })
            }
            libc::RTM_NEWLINK => interface(&message).map(|link| Change::Link {
                interface: link.index,
                name: link.name,
                mac: link.mac,
                up: link.up,
                carrier: link.carrier,
            }),
            libc::RTM_DELLINK => interface(&message).map(|link| Change::LinkGone {
                interface: link.index,
                name: link.name,
            }),
            libc::RTM_NEWADDR => installed(&message).map(|one| Change::AddressAdded {
                interface: one.interface,
                address: one.address,
                prefix: one.prefix,
            }),
            libc::RTM_DELADDR => installed(&message).map(|one| Change::AddressRemoved {
                interface: one.interface,
                address: one.address,
                prefix: one.prefix,
            }),
            // Each address brings local and prefix routes too: those are not worth an event.
            libc::RTM_NEWROUTE | libc::RTM_DELROUTE => {
                default_route(&message).map(|_| Change::DefaultRoute)
            }
            _ => None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_message_is_survived(kind in 16u16..32, body: Vec<u8>) {
            let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
            bytes.extend_from_slice(&kind.to_ne_bytes());
            bytes.extend_from_slice(&[0; 10]);
            bytes.extend_from_slice(&body);
            parse(&bytes, &mut VecDeque::new());
        }
    }
}
