//! A browser's view: one request after the other over connections of their own, without waiting for
//! the one before, so that a server that hangs delays nothing but its own answer.

use crate::client::Probes;
use crate::net::Host;
use crate::sys::{self, check, now};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// An answer that takes longer is none: a lost SYN is sent again only after a second, and what is
/// measured is the service and not TCP's patience.
pub const PATIENCE: Duration = Duration::from_millis(200);

/// What is asked, and of whom.
pub struct Page {
    /// The server.
    pub address: Ipv4Addr,
    /// What it is asked for.
    pub path: &'static str,
}

/// Asks until it is over, from the namespace that this thread is in.
pub fn probe(
    page: &Page,
    who: impl Fn(&str) -> Host,
    period: Duration,
    probes: &Probes,
    over: &AtomicBool,
) {
    sys::realtime();
    let mut open: Vec<Request> = Vec::new();
    let mut due = now();
    while !over.load(Ordering::Relaxed) {
        if now() >= due {
            let number = probes.sent();
            due = (due + period.as_micros() as u64).max(now().saturating_sub(5_000));
            // No route, no neighbour: a lost request like any other.
            open.extend(Request::connect(page, number).ok());
        }
        wait(&open, due.saturating_sub(now()).max(100));
        open.retain_mut(|request| match request.advance(page) {
            Ok(Some(reply)) => {
                if reply.starts_with("HTTP/1.1 200 ") || reply.starts_with("HTTP/1.0 200 ") {
                    probes.answered(request.number, who(&reply));
                }
                false
            }
            Ok(None) if now() - request.since < PATIENCE.as_micros() as u64 => true,
            // Not answered; reset; or refused, or never accepted at all.
            Ok(None) | Err(_) => {
                if request.asked {
                    probes.cut(request.number);
                }
                false
            }
        });
    }
}

/// One connection.
struct Request {
    number: usize,
    since: sys::Micros,
    stream: TcpStream,
    asked: bool,
    reply: Vec<u8>,
}

impl Request {
    /// Begins to connect.
    fn connect(page: &Page, number: usize) -> io::Result<Request> {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: a plain system call; the descriptor is owned from here on.
        let fd = unsafe { OwnedFd::from_raw_fd(check(libc::socket(libc::AF_INET, kind, 0))?) };
        // Closed by a reset, so that no port of ours is held for a minute.
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        let target = libc::sockaddr_in {
            sin_family: libc::AF_INET as u16,
            sin_port: 80u16.to_be(),
            sin_addr: libc::in_addr {
                s_addr: u32::from(page.address).to_be(),
            },
            sin_zero: [0; 8],
        };
        // SAFETY: both structures are valid and have the sizes given.
        let connected = unsafe {
            libc::setsockopt(
                fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of_val(&linger) as u32,
            );
            check(libc::connect(
                fd.as_raw_fd(),
                (&raw const target).cast(),
                size_of_val(&target) as u32,
            ))
        };
        match connected {
            Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) => Err(e),
            _ => Ok(Request {
                number,
                since: now(),
                stream: fd.into(),
                asked: false,
                reply: Vec::new(),
            }),
        }
    }

    /// Goes on as far as it can; gives the reply once the server has closed.
    fn advance(&mut self, page: &Page) -> io::Result<Option<String>> {
        if !self.asked {
            let (path, address) = (page.path, page.address);
            let text = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
            match self.stream.write(text.as_bytes()) {
                Ok(_) => self.asked = true,
                // Not connected yet.
                Err(e) if [ErrorKind::WouldBlock, ErrorKind::NotConnected].contains(&e.kind()) => {}
                Err(e) => return Err(e),
            }
            return Ok(None);
        }
        match self.stream.read_to_end(&mut self.reply) {
            Ok(_) => Ok(Some(String::from_utf8_lossy(&self.reply).into_owned())),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// Waits until any connection can go on, at most so long.
fn wait(open: &[Request], microseconds: u64) {
    let poll = |request: &Request| libc::pollfd {
        fd: request.stream.as_raw_fd(),
        events: if request.asked {
            libc::POLLIN
        } else {
            libc::POLLOUT
        },
        revents: 0,
    };
    let mut polls: Vec<libc::pollfd> = open.iter().map(poll).collect();
    sys::poll(&mut polls, microseconds);
}
