//! Echo requests through one interface, to learn whether a gateway answers there (RFC 792, RFC 4443).
//!
//! An answer counts once, only from the very target that was asked, and only with the number that
//! was sent; on the wire that number is mixed with a secret, so that nobody who did not see the
//! question can answer it.

use crate::agents::sys;
use crate::wire::icmp::{Echo, Kind};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Pings through one interface. Its descriptors stay the same for its whole life.
#[derive(Debug)]
pub struct Pinger {
    interface: u32,
    secret: u64,
    /// The requests not answered yet, oldest first: whom, and the number on the wire.
    asked: VecDeque<(IpAddr, u64)>,
    /// Who answered since it was last asked.
    answered: Vec<IpAddr>,
    v4: OwnedFd,
    v6: Option<OwnedFd>,
}

const ECHO_REPLY: u8 = 0;
const V6_ECHO_REPLY: u8 = 129;

/// An answer of ours has 16 bytes behind an IP header of 60 at most; longer ones are cut, and not ours.
const LONGEST: usize = 256;

/// How many unanswered requests are remembered; the answer to an older one is dropped.
const REMEMBERED: usize = 256;

/// How many answers to others' pings one call of `try_next` passes over.
const PASSED_OVER: usize = 64;

impl Pinger {
    /// Opens the sockets. They belong to no interface before [`Pinger::bind`]. On a machine without
    /// IPv6 only IPv4 can be pinged.
    pub fn open() -> io::Result<Self> {
        let v4 = sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)?;
        const ICMP_FILTER: i32 = 1; // linux/icmp.h; a set bit keeps that type out
        let all_but_replies = !(1u32 << ECHO_REPLY);
        sys::set_option(v4.as_fd(), libc::SOL_RAW, ICMP_FILTER, &all_but_replies)?;
        Ok(Self {
            interface: 0,
            secret: u64::from_ne_bytes(sys::random()?),
            asked: VecDeque::new(),
            answered: Vec::new(),
            v4,
            v6: open_v6()?,
        })
    }

    /// Sends and hears through this interface only (SO_BINDTODEVICE, whatever the routes say). To be
    /// called again when the interface was made anew; `index` is the kernel's.
    pub fn bind(&mut self, name: &str, index: u32) -> io::Result<()> {
        sys::bind_to_device(self.v4.as_fd(), name)?;
        if let Some(v6) = &self.v6 {
            sys::bind_to_device(v6.as_fd(), name)?;
        }
        self.interface = index;
        Ok(())
    }

    /// Sends one echo request with this number in it; one that is still open under the same number
    /// is forgotten.
    pub fn send(&mut self, target: IpAddr, id: u64) -> io::Result<()> {
        let question = Echo {
            kind: Kind::Request,
            identifier: self.secret as u16, // for whoever reads a capture: one socket, one stream
            sequence: id as u16,
            id: id ^ self.secret,
        };
        // An answer proves the neighbour's hardware address. Told so, the kernel does not ask for it
        // anew every half minute, with three packets a second apart, which on a lossy LAN fail now and
        // then and leave the gateway unreachable for seconds.
        let flags = match self.answered.iter().position(|one| *one == target) {
            Some(at) => {
                self.answered.swap_remove(at);
                libc::MSG_CONFIRM
            }
            None => 0,
        };
        match target {
            IpAddr::V4(target) => {
                let mut to: libc::sockaddr_in = sys::zero();
                to.sin_family = libc::AF_INET as u16;
                to.sin_addr.s_addr = u32::from_ne_bytes(target.octets());
                sys::send_to(self.v4.as_fd(), &question.encode_v4(), &to, flags)?;
            }
            IpAddr::V6(target) => {
                let v6 = self.v6.as_ref().ok_or_else(no_ipv6)?;
                let mut to: libc::sockaddr_in6 = sys::zero();
                to.sin6_family = libc::AF_INET6 as u16;
                to.sin6_addr.s6_addr = target.octets();
                to.sin6_scope_id = self.interface; // a link-local gateway needs it
                sys::send_to(v6.as_fd(), &question.encode_v6(), &to, flags)?;
            }
        }
        self.asked.retain(|(_, open)| *open != question.id);
        if self.asked.len() == REMEMBERED {
            self.asked.pop_front();
        }
        self.asked.push_back((target, question.id));
        Ok(())
    }

    /// The next answer to a request of ours: who answered, and its number. `None` when none is
    /// waiting, or after many answers to others' requests (the descriptor is still readable then).
    pub fn try_next(&mut self) -> io::Result<Option<(IpAddr, u64)>> {
        for _ in 0..PASSED_OVER {
            let next = match self.receive_v4()? {
                Some(next) => Some(next),
                None => self.receive_v6()?,
            };
            let Some((from, echo)) = next else {
                return Ok(None);
            };
            let Some(echo) = echo.filter(|echo| echo.kind == Kind::Reply) else {
                continue;
            };
            let answered = self.asked.iter().position(|one| *one == (from, echo.id));
            if let Some(position) = answered {
                self.asked.remove(position);
                if !self.answered.contains(&from) {
                    self.answered.push(from);
                }
                return Ok(Some((from, echo.id ^ self.secret)));
            }
        }
        Ok(None)
    }

    /// The descriptors that become readable when something may be there to take.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(&self.v4).chain(&self.v6).map(AsFd::as_fd)
    }

    /// The next packet and what it says; the kernel delivers IPv4 with its header.
    fn receive_v4(&self) -> io::Result<Option<(IpAddr, Option<Echo>)>> {
        let mut buffer = [0; LONGEST];
        let received = sys::receive::<libc::sockaddr_in>(self.v4.as_fd(), &mut buffer)?;
        Ok(received.map(|(length, from)| {
            let from = Ipv4Addr::from(from.sin_addr.s_addr.to_ne_bytes());
            let packet = &buffer[..length.min(LONGEST)];
            (from.into(), Echo::parse_v4_packet(packet))
        }))
    }

    fn receive_v6(&self) -> io::Result<Option<(IpAddr, Option<Echo>)>> {
        let Some(v6) = &self.v6 else {
            return Ok(None);
        };
        let mut buffer = [0; LONGEST];
        let received = sys::receive::<libc::sockaddr_in6>(v6.as_fd(), &mut buffer)?;
        Ok(received.map(|(length, from)| {
            let from = Ipv6Addr::from(from.sin6_addr.s6_addr);
            let message = &buffer[..length.min(LONGEST)];
            (from.into(), Echo::parse_v6(message))
        }))
    }
}

fn open_v6() -> io::Result<Option<OwnedFd>> {
    let v6 = match sys::socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6) {
        Ok(v6) => v6,
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => return Ok(None),
        Err(error) => return Err(error),
    };
    const ICMP6_FILTER: i32 = 1; // linux/icmpv6.h; a set bit keeps that type out (256 of them)
    let mut all_but_replies = [u32::MAX; 8];
    all_but_replies[usize::from(V6_ECHO_REPLY) / 32] &= !(1 << (V6_ECHO_REPLY % 32));
    sys::set_option(
        v6.as_fd(),
        libc::IPPROTO_ICMPV6,
        ICMP6_FILTER,
        &all_but_replies,
    )?;
    Ok(Some(v6))
}

fn no_ipv6() -> io::Error {
    io::Error::from_raw_os_error(libc::EAFNOSUPPORT)
}
