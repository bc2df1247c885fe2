//! Whole Ethernet frames, by AF_PACKET: sent where an address is not ours to send from, and heard
//! where the kernel would keep them to itself.

use crate::agents::sys;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Sends frames through any interface and hears nothing.
#[derive(Debug)]
pub struct Sender {
    fd: OwnedFd,
}

impl Sender {
    /// Opens the socket, in the network namespace of the calling thread.
    pub fn open() -> io::Result<Self> {
        // Protocol 0: the kernel delivers nothing to it.
        let fd = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        Ok(Self { fd })
    }

    /// Sends frames, each through the interface of that index, in one call; gives how many left
    /// before the first that could not. An error only when the first could not.
    pub fn send(&self, frames: &[(u32, Vec<u8>)]) -> io::Result<usize> {
        let datagrams: Vec<_> = frames
            .iter()
            .map(|(interface, frame)| (through(*interface, 0), frame.as_slice()))
            .collect();
        sys::send_many(self.fd.as_fd(), &datagrams)
    }
}

/// Hears one protocol's frames on one interface and sends through it.
#[derive(Debug)]
pub(super) struct Listener {
    fd: OwnedFd,
    protocol: u16,
    interface: u32,
}

impl Listener {
    /// Opens a socket that hears nothing before [`Listener::bind`]: no frame slips in unfiltered.
    pub(super) fn open(protocol: i32, filter: &mut [libc::sock_filter]) -> io::Result<Self> {
        let fd = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        sys::attach_filter(fd.as_fd(), filter)?;
        // Since Linux 4.20; what an older one delivers of our own frames is dropped in `receive`.
        let _ = sys::set_option(
            fd.as_fd(),
            libc::SOL_PACKET,
            libc::PACKET_IGNORE_OUTGOING,
            &1i32,
        );
        Ok(Self {
            fd,
            protocol: protocol as u16,
            interface: 0,
        })
    }

    /// Listens on the interface of this index. The descriptor stays the same, so it can be called
    /// again when the interface was made anew.
    pub(super) fn bind(&mut self, interface: u32) -> io::Result<()> {
        sys::bind(self.fd.as_fd(), &through(interface, self.protocol))?;
        self.interface = interface;
        Ok(())
    }

    /// Has the card let this multicast address in, on the interface bound to.
    pub(super) fn join(&self, group: [u8; 6]) -> io::Result<()> {
        let mut request: libc::packet_mreq = sys::zero();
        request.mr_ifindex = self.interface as i32;
        request.mr_type = libc::PACKET_MR_MULTICAST as u16;
        request.mr_alen = 6;
        request.mr_address[..6].copy_from_slice(&group);
        sys::set_option(
            self.fd.as_fd(),
            libc::SOL_PACKET,
            libc::PACKET_ADD_MEMBERSHIP,
            &request,
        )
    }

    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        let to = through(self.interface, self.protocol);
        sys::send_to(self.fd.as_fd(), frame, &to, 0)
    }

    /// The length of the next frame from outside; `None` when none is waiting. An interface that
    /// went down says so once, as an error of the socket: no frame, and no reason to stop listening.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match sys::receive::<libc::sockaddr_ll>(self.fd.as_fd(), buffer) {
                Ok(None) => return Ok(None),
                Ok(Some((_, from))) if from.sll_pkttype == libc::PACKET_OUTGOING => {}
                Ok(Some((length, _))) => return Ok(Some(length.min(buffer.len()))),
                Err(error) => match error.raw_os_error() {
                    Some(libc::ENETDOWN | libc::ENODEV | libc::ENXIO) => return Ok(None),
                    _ => return Err(error),
                },
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn through(interface: u32, protocol: u16) -> libc::sockaddr_ll {
    let mut address: libc::sockaddr_ll = sys::zero();
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = interface as i32;
    address
}
