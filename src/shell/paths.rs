//! The paths to the peer: one UDP socket each, bound to the path's own address and interface, and
//! connected, so that the kernel drops what does not come from the peer's address and port.
//!
//! First the links of ha.toml, in its order; then, for each VIP interface that carries no link, a
//! path of last resort between the nodes' own addresses there. A path whose address or interface is
//! not there yet is opened when it comes.

use crate::agents::sys;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

/// Where a path runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// This node's end.
    pub local: IpAddr,
    /// The peer's end.
    pub peer: IpAddr,
    /// The interface that has `local`: name and index.
    pub interface: (String, u32),
    /// The UDP port at both ends.
    pub port: u16,
}

/// One path.
#[derive(Debug, Default)]
pub struct Path {
    open: Option<(Route, UdpSocket)>,
}

/// Some thousands of heartbeats: a flood must fill this in the time of one turn to push out a good one.
const RECEIVE_BUFFER: i32 = 4 << 20;
/// One more than the longest heartbeat, so that an overlong datagram is seen to be one.
pub const BUFFER: usize = crate::wire::heartbeat::MAX_DATAGRAM + 1;

impl Path {
    /// Opens, reopens or closes the path. True if its descriptor changed.
    pub fn follow(&mut self, route: Option<Route>) -> bool {
        if self.open.as_ref().map(|(route, _)| route) == route.as_ref() {
            return false;
        }
        let was_open = self.open.take().is_some();
        let Some(route) = route else { return was_open };
        match open(&route) {
            Ok(socket) => {
                log::info!(
                    "link {} -> {} on {} is open",
                    route.local,
                    route.peer,
                    route.interface.0
                );
                self.open = Some((route, socket));
                true
            }
            Err(error) => {
                log::debug!(
                    "link {} -> {} on {}: {error}",
                    route.local,
                    route.peer,
                    route.interface.0
                );
                was_open
            }
        }
    }

    /// It can carry heartbeats.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Sends a datagram; false if it did not leave.
    pub fn send(&self, datagram: &[u8]) -> bool {
        let Some((_, socket)) = &self.open else {
            return false;
        };
        // A refusal is the answer to an earlier datagram (the peer's daemon is down): try again.
        let mut sent = socket.send(datagram);
        if matches!(&sent, Err(e) if e.kind() == ErrorKind::ConnectionRefused) {
            sent = socket.send(datagram);
        }
        sent.is_ok()
    }

    /// The next datagram that is here, into `buffer`, of at least [`BUFFER`] bytes.
    pub fn receive(&self, buffer: &mut [u8]) -> Option<usize> {
        let (_, socket) = self.open.as_ref()?;
        // Errors are told once each: more than a few in a row are not.
        for _ in 0..4 {
            match socket.recv(buffer) {
                Ok(length) => return Some(length),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// Readable when a datagram is here.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.open.as_ref().map(|(_, socket)| socket.as_fd())
    }
}

fn open(route: &Route) -> io::Result<UdpSocket> {
    let scope = |address| match SocketAddr::new(address, route.port) {
        SocketAddr::V6(mut v6) => {
            if v6.ip().is_unicast_link_local() {
                v6.set_scope_id(route.interface.1);
            }
            SocketAddr::V6(v6)
        }
        v4 => v4,
    };
    let socket = UdpSocket::bind(scope(route.local))?;
    socket.set_nonblocking(true)?;
    sys::bind_to_device(socket.as_fd(), &route.interface.0)?;
    for option in [libc::SO_RCVBUF, libc::SO_RCVBUFFORCE] {
        let _ = sys::set_option(socket.as_fd(), libc::SOL_SOCKET, option, &RECEIVE_BUFFER);
    }
    socket.connect(scope(route.peer))?;
    Ok(socket)
}
