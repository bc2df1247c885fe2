//! A NETLINK_ROUTE socket that asks and waits for the answer.
//!
//! It never waits long: rtnetlink works inside sendmsg(2), so the acknowledgements are queued when
//! the send returns, and each receive of a dump queues the next part before it returns. An empty
//! queue therefore means an answer that got lost, not one that is late. What a send may wait for
//! is the kernel's own RTNL lock, held by others for well under a millisecond, and for seconds at times.

use super::message::{Message, Requests, messages, u32_at};
use crate::agents::sys;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// NLM_F_ACK | NLM_F_REQUEST.
pub(super) const ACKNOWLEDGED: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;

/// How often a dump that others changed under our hands is begun again.
const DUMP_ATTEMPTS: u32 = 5;

/// One request-and-answer socket.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    pub(super) fn open() -> io::Result<Self> {
        let fd = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
        // Without the request echoed, 64 acknowledgements fit any receive buffer.
        sys::set_option(fd.as_fd(), libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, &1i32)?;
        let mut own: libc::sockaddr_nl = sys::zero();
        own.nl_family = libc::AF_NETLINK as u16;
        sys::bind(fd.as_fd(), &own)?;
        Ok(Self {
            fd,
            sequence: 0,
            buffer: vec![0; 64 * 1024],
        })
    }

    /// Sends `count` requests that `write` writes (it gets each one's index and sequence) in one
    /// call and gives each one's verdict: 0 or an errno.
    pub(super) fn change(
        &mut self,
        count: usize,
        mut write: impl FnMut(&mut Requests, usize, u32),
    ) -> io::Result<Vec<i32>> {
        self.discard();
        let first = self.sequence.wrapping_add(1);
        let mut requests = Requests::default();
        for index in 0..count {
            write(&mut requests, index, first.wrapping_add(index as u32));
        }
        self.sequence = self.sequence.wrapping_add(count as u32);
        self.send(&requests)?;

        let mut verdicts = vec![None; count];
        while verdicts.contains(&None) {
            let length = self.receive()?.ok_or_else(lost)?;
            for message in messages(&self.buffer[..length]) {
                let index = message.sequence.wrapping_sub(first) as usize;
                if i32::from(message.kind) == libc::NLMSG_ERROR && index < count {
                    verdicts[index] = Some(verdict(&message));
                }
            }
        }
        Ok(verdicts.into_iter().flatten().collect())
    }

    /// Asks for a whole table and hands every message of the answer to `each`, which collects them.
    /// The answer is one consistent look: where the kernel says it was not, everything is read
    /// again into a new `T`. Better no answer than one from which an address may be missing: "it is
    /// gone" is what a takeover rests on.
    pub(super) fn dump<T: Default>(
        &mut self,
        kind: u16,
        body: &[u8],
        mut each: impl FnMut(&mut T, &Message),
    ) -> io::Result<T> {
        for _ in 0..DUMP_ATTEMPTS {
            let mut table = T::default();
            if self.dump_once(kind, body, |message| each(&mut table, message))? {
                return Ok(table);
            }
        }
        Err(io::Error::from_raw_os_error(libc::EAGAIN))
    }

    /// Gives whether the answer is consistent (no NLM_F_DUMP_INTR).
    fn dump_once(
        &mut self,
        kind: u16,
        body: &[u8],
        mut each: impl FnMut(&Message),
    ) -> io::Result<bool> {
        self.discard();
        self.sequence = self.sequence.wrapping_add(1);
        let mut requests = Requests::default();
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
        requests.begin(kind, flags, self.sequence, body);
        requests.end();
        self.send(&requests)?;
        let mut consistent = true;
        loop {
            let length = self.receive()?.ok_or_else(lost)?;
            for message in messages(&self.buffer[..length]) {
                if message.sequence != self.sequence {
                    continue;
                }
                if i32::from(message.flags) & libc::NLM_F_DUMP_INTR != 0 {
                    consistent = false;
                }
                match i32::from(message.kind) {
                    // A dump that failed on the way ends with the errno in place of a zero.
                    libc::NLMSG_DONE | libc::NLMSG_ERROR => match verdict(&message) {
                        0 => return Ok(consistent),
                        errno => return Err(io::Error::from_raw_os_error(errno)),
                    },
                    _ => each(&message),
                }
            }
        }
    }

    fn send(&self, requests: &Requests) -> io::Result<()> {
        let mut kernel: libc::sockaddr_nl = sys::zero();
        kernel.nl_family = libc::AF_NETLINK as u16;
        sys::send_to(self.fd.as_fd(), requests.bytes(), &kernel, 0)
    }

    /// The length of the next datagram from the kernel. Only the kernel may speak here: another
    /// process can send to our port, and its word is dropped.
    fn receive(&mut self) -> io::Result<Option<usize>> {
        loop {
            match sys::receive::<libc::sockaddr_nl>(self.fd.as_fd(), &mut self.buffer)? {
                None => return Ok(None),
                Some((_, from)) if from.nl_pid != 0 => continue,
                Some((length, _)) if length > self.buffer.len() => {
                    self.buffer.resize(length, 0); // for the next time
                    return Err(lost());
                }
                Some((length, _)) => return Ok(Some(length)),
            }
        }
    }

    /// Drops what an earlier, failed exchange left in the queue.
    fn discard(&mut self) {
        const BOUND: usize = 10_000; // datagrams: more than the largest table
        for _ in 0..BOUND {
            // An error here (ENOBUFS) is about that exchange too; the next read shows what is left.
            if matches!(self.receive(), Ok(None)) {
                return;
            }
        }
    }
}

/// The errno in an NLMSG_ERROR or NLMSG_DONE, 0 for well; EPROTO for one too short to hold it.
fn verdict(message: &Message) -> i32 {
    u32_at(message.payload, 0).map_or(libc::EPROTO, |error| (error as i32).wrapping_neg())
}

fn lost() -> io::Error {
    io::Error::other("the kernel's netlink answer was lost")
}
