//! Echo requests through one interface, to learn whether a gateway answers there (RFC 792, RFC 4443).
//!
//! An answer counts once, only from the very target that was asked, and only with the number that was
//! sent. On the wire that is a fresh random one each time: who saw one question can answer that one, as
//! everybody on the path can, and no other.

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
    /// For whoever reads a capture: one socket, one stream.
    identifier: u16,
    sequence: u16,
    open: Questions,
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
            identifier: u64::from_ne_bytes(sys::random()?) as u16,
            sequence: 0,
            open: Questions::default(),
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

    /// Sends one echo request, whose answer will bring this number back; one that is still open under the
    /// same number is forgotten.
    pub fn send(&mut self, target: IpAddr, id: u64) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let question = Echo {
            kind: Kind::Request,
            identifier: self.identifier,
            sequence: self.sequence,
            id: u64::from_ne_bytes(sys::random()?),
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
        self.open.ask(target, id, question.id);
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
            if let Some(id) = self.open.answer(from, echo.id) {
                if !self.answered.contains(&from) {
                    self.answered.push(from);
                }
                return Ok(Some((from, id)));
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

/// The questions not answered yet, oldest first.
#[derive(Debug, Default)]
struct Questions(VecDeque<Question>);

#[derive(Debug)]
struct Question {
    target: IpAddr,
    /// The caller's number, and the one on the wire.
    id: u64,
    nonce: u64,
}

impl Questions {
    fn ask(&mut self, target: IpAddr, id: u64, nonce: u64) {
        self.0.retain(|open| open.id != id);
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(Question { target, id, nonce });
    }

    /// The caller's number of the question that this answers.
    fn answer(&mut self, from: IpAddr, nonce: u64) -> Option<u64> {
        let answered = |open: &Question| (open.target, open.nonce) == (from, nonce);
        let position = self.0.iter().position(answered)?;
        self.0.remove(position).map(|question| question.id)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_once_from_whom_was_asked_and_with_the_number_on_the_wire() {
        let [one, other] = [1, 2].map(|last| IpAddr::from([192, 0, 2, last]));
        let mut open = Questions::default();
        open.ask(one, 7, 0xabcd);
        assert_eq!(open.answer(one, 7), None, "that number was never said");
        assert_eq!(open.answer(other, 0xabcd), None);
        assert_eq!(open.answer(one, 0xabcd), Some(7));
        assert_eq!(open.answer(one, 0xabcd), None);
    }

    #[test]
    fn as_many_questions_are_open_as_may_be() {
        let whom = IpAddr::from([192, 0, 2, 1]);
        let mut open = Questions::default();
        (0..1000).for_each(|id| open.ask(whom, id, 2 * id));
        assert_eq!(open.0.len(), REMEMBERED);
        assert_eq!(open.answer(whom, 2 * 743), None);
        assert_eq!(open.answer(whom, 2 * 744), Some(744));
        // The number asked with anew is the one that counts.
        open.ask(whom, 999, 1);
        assert_eq!(open.answer(whom, 2 * 999), None);
        assert_eq!(open.answer(whom, 1), Some(999));
    }
}
