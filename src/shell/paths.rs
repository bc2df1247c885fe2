//! The paths to the peer: one UDP socket each, bound to the path's own address and interface, and
//! connected, so that the kernel drops what does not come from the peer's address and port.
//!
//! First the links of ha.toml, in its order; then, for each VIP interface that carries no link, a
//! path of last resort between the nodes' own addresses there. A path whose address or interface is
//! not there yet is opened when it comes.

use super::ready::Ready;
use crate::agents::sys;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

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
    /// It could not be opened there.
    refused: Option<Refused>,
    /// A filter of this machine's own drops what is sent (netfilter answers EPERM).
    filtered: bool,
    /// The peer's machine answers that nobody listens there.
    unheard: Option<Unheard>,
}

/// For how long nobody listens at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unheard {
    first: Instant,
    last: Instant,
    /// The latest answer was not taken note of.
    untold: bool,
}

/// Why a path could not be opened.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    route: Route,
    errno: i32,
}

/// A daemon that restarts is back sooner.
const RESTARTS: Duration = Duration::from_secs(3);
/// Linux gives that answer once a second at least, while it is asked more often.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// Some thousands of heartbeats: a flood must fill this in the time of one turn to push out a good one.
const RECEIVE_BUFFER: i32 = 4 << 20;
/// One more than the longest heartbeat, so that an overlong datagram is seen to be one.
pub const BUFFER: usize = crate::wire::heartbeat::MAX_DATAGRAM + 1;

impl Path {
    /// Opens, reopens or closes the path. One that could not be opened is tried again by calling this again.
    pub fn follow(&mut self, route: Option<Route>, ready: &Ready) {
        if self.open.as_ref().map(|(route, _)| route) == route.as_ref() {
            self.refused = None;
            return;
        }
        *self = Path::default(); // closed first: it may have the same address and port
        let Some(route) = route else { return };
        match open(&route, ready) {
            Ok(socket) => {
                log::info!("link {route} is open");
                self.open = Some((route, socket));
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                self.refused = Some(Refused { route, errno });
            }
        }
    }

    /// It has a route, and could not be opened.
    pub fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// What keeps it from carrying heartbeats, and what to do about it.
    pub fn trouble(&self) -> Option<String> {
        let filtered = self.open.as_ref().filter(|_| self.filtered);
        let filtered = filtered.map(|(route, _)| {
            format!(
                "link {route}: a filter on this machine drops what is sent: let UDP port {} out",
                route.port
            )
        });
        filtered.or_else(|| self.refused.as_ref().map(Refused::to_string))
    }

    /// Takes note that the peer's machine answers that nobody listens on the port there. Not of a daemon that
    /// restarts.
    pub fn take_unheard(&mut self) -> bool {
        let unheard = self.unheard.as_mut();
        unheard.is_some_and(|known| {
            let lasting = known.last.duration_since(known.first) >= RESTARTS;
            std::mem::take(&mut known.untold) && lasting
        })
    }

    /// It can carry heartbeats.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Sends a datagram; false if it did not leave.
    pub fn send(&mut self, datagram: &[u8]) -> bool {
        let Some((_, socket)) = &self.open else {
            return false;
        };
        // A refusal is the answer to an earlier datagram (the peer's daemon is down): try again.
        let mut sent = socket.send(datagram);
        if refuses(&sent) {
            sent = socket.send(datagram);
            Unheard::again(&mut self.unheard, Instant::now());
        }
        self.filtered = matches!(&sent, Err(e) if e.kind() == ErrorKind::PermissionDenied);
        sent.is_ok()
    }

    /// The next datagram that is here, into `buffer`, of at least [`BUFFER`] bytes.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let (_, socket) = self.open.as_ref()?;
        // Errors are told once each: more than a few in a row are not.
        for _ in 0..4 {
            match socket.recv(buffer) {
                Ok(length) => {
                    self.unheard = None;
                    return Some(length);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return None,
                refused if refuses(&refused) => Unheard::again(&mut self.unheard, Instant::now()),
                Err(_) => {}
            }
        }
        None
    }
}

impl Unheard {
    /// It was answered once more.
    fn again(unheard: &mut Option<Unheard>, now: Instant) {
        let goes_on = unheard.filter(|known| now.duration_since(known.last) < ANSWERS_WITHIN);
        let first = goes_on.map_or(now, |known| known.first);
        *unheard = Some(Unheard {
            first,
            last: now,
            untold: true,
        });
    }
}

/// An earlier datagram was answered: nobody listens there.
fn refuses(outcome: &io::Result<usize>) -> bool {
    matches!(outcome, Err(e) if e.kind() == ErrorKind::ConnectionRefused)
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {} on {}", self.local, self.peer, self.interface.0)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Route { local, port, .. } = &self.route;
        write!(f, "link {} cannot be opened: ", self.route)?;
        match self.errno {
            libc::EADDRINUSE => write!(
                f,
                "UDP port {port} of {local} is taken by another program (5405 is Corosync's, too); \
                 `ss -ulpn 'sport = :{port}'` shows which: end it, or choose another `port` in [heartbeat] for both nodes"
            ),
            libc::EADDRNOTAVAIL => write!(
                f,
                "{local} cannot be used yet; `ip address show {}` tells if it is still tentative",
                self.route.interface.0
            ),
            libc::EACCES | libc::EPERM => write!(
                f,
                "this process may not open UDP port {port}: run it as root, and see the audit log for a security module that objects"
            ),
            libc::EMFILE | libc::ENFILE => f.write_str("no file descriptor is left"),
            errno => write!(f, "{}", io::Error::from_raw_os_error(errno)),
        }?;
        f.write_str("; tried again every second")
    }
}

fn open(route: &Route, ready: &Ready) -> io::Result<UdpSocket> {
    let scope = |address| match SocketAddr::new(address, route.port) {
        SocketAddr::V6(mut v6) => {
            if v6.ip().is_unicast_link_local() {
                v6.set_scope_id(route.interface.1);
            }
            SocketAddr::V6(v6)
        }
        v4 => v4,
    };
    let socket = sys::udp(&route.interface.0, scope(route.local))?;
    for option in [libc::SO_RCVBUF, libc::SO_RCVBUFFORCE] {
        let _ = sys::set_option(socket.as_fd(), libc::SOL_SOCKET, option, &RECEIVE_BUFFER);
    }
    socket.connect(scope(route.peer))?;
    ready.watch(socket.as_fd())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(port: u16) -> Route {
        Route {
            local: [127, 0, 0, 1].into(),
            peer: [127, 0, 0, 2].into(),
            interface: ("lo".into(), 1),
            port,
        }
    }

    #[test]
    fn a_port_that_is_taken_is_told_and_opened_once_it_is_free() {
        let ready = Ready::new().unwrap();
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let mut path = Path::default();
        path.follow(Some(route(port)), &ready);
        assert!(!path.is_open() && path.is_refused());
        let expected = format!(
            "link 127.0.0.1 → 127.0.0.2 on lo cannot be opened: UDP port {port} of 127.0.0.1 is taken by another \
             program (5405 is Corosync's, too); `ss -ulpn 'sport = :{port}'` shows which: end it, or choose another \
             `port` in [heartbeat] for both nodes; tried again every second"
        );
        assert_eq!(path.trouble(), Some(expected));
        drop(taken);
        // Another test's child may have it still, between fork and exec.
        while path.is_refused() {
            path.follow(Some(route(port)), &ready);
        }
        assert!(path.is_open());
        assert_eq!(path.trouble(), None);
    }

    #[test]
    fn a_port_where_nobody_listens_is_told_once_that_lasts() {
        let ready = Ready::new().unwrap();
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut path = Path::default();
        path.follow(Some(route(port)), &ready);
        let mut buffer = [0; BUFFER];
        let begin = Instant::now();
        while !path.take_unheard() {
            assert!(path.send(b"heartbeat"));
            assert_eq!(path.receive(&mut buffer), None);
            assert!(begin.elapsed() < Duration::from_secs(60), "never told");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(begin.elapsed() >= RESTARTS, "a restart is no news");
        assert!(!path.take_unheard(), "told once");
        let peer = UdpSocket::bind(("127.0.0.2", port)).unwrap();
        peer.connect(("127.0.0.1", port)).unwrap();
        peer.send(b"heartbeat").unwrap();
        while path.receive(&mut buffer).is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(path.unheard, None);
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let refused = |errno| {
            let route = route(5405);
            Refused { route, errno }.to_string()
        };
        for (errno, advice) in [
            (libc::EADDRNOTAVAIL, "`ip address show lo`"),
            (libc::EACCES, "run it as root"),
            (libc::EMFILE, "no file descriptor is left"),
            (libc::ENODEV, "No such device"),
        ] {
            assert!(refused(errno).contains(advice), "{}", refused(errno));
        }
    }
}
