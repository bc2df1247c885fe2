//! What this machine itself does to a connection between two of its own programs.
//!
//! The kernel accepts a connection in the listener's name, and refuses one where nobody listens: no program need do
//! anything for either. So when no answer comes at all, and a program listens there whose queue is not full, packets
//! were lost on the way, which is this machine's: by a filter of its own, a full table of connections, or `lo` being
//! down. (TCP is not told that a filter dropped its packet: measured, Linux 6.18.)

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Whether a program of this machine may have that address, which is asked without the kernel's network lock; no where
/// it cannot be.
pub(super) fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// Whether the kernel would accept a connection there: a program listens, and none waits to be taken by it.
/// No where that cannot be asked.
pub(super) fn is_accepted(address: SocketAddr) -> bool {
    let mut queues = Vec::new();
    for table in ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"] {
        match listeners(table, address) {
            Ok(some) => queues.extend(some),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {} // without IPv6
            Err(_) => return false,
        }
    }
    !queues.is_empty() && queues.iter().all(|waiting| *waiting == 0)
}

/// How many connections wait with each listener that may be the one for this address.
fn listeners(table: &str, address: SocketAddr) -> io::Result<Vec<u32>> {
    let mut queues = Vec::new();
    for line in BufReader::new(File::open(table)?).lines().skip(1) {
        // They stand before all others, of which a busy machine has very many.
        let line = line?;
        let Some(listener) = Listener::read(&line) else {
            break;
        };
        queues.extend(listener.hears(address).then_some(listener.waiting));
    }
    Ok(queues)
}

/// A line of the kernel's table whose state is LISTEN (Documentation/networking/proc_net_tcp.rst).
#[derive(Debug, PartialEq)]
struct Listener {
    at: SocketAddr,
    waiting: u32,
}

impl Listener {
    /// `0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 …`: number, local, remote, state, both queues.
    fn read(line: &str) -> Option<Listener> {
        const LISTEN: &str = "0A";
        let mut words = line.split_ascii_whitespace();
        let (_, local, _, state, queues) = (
            words.next()?,
            words.next()?,
            words.next()?,
            words.next()?,
            words.next()?,
        );
        let (ip, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let (_, waiting) = queues.split_once(':')?;
        let listener = Listener {
            at: SocketAddr::new(read_ip(ip)?, port),
            waiting: u32::from_str_radix(waiting, 16).ok()?,
        };
        (state == LISTEN).then_some(listener)
    }

    fn hears(&self, address: SocketAddr) -> bool {
        let (own, asked) = (self.at.ip().to_canonical(), address.ip().to_canonical());
        // One of IPv6 that hears all hears IPv4 as well, unless it says otherwise, which is not told.
        let all = own == Ipv6Addr::UNSPECIFIED || (own.is_unspecified() && asked.is_ipv4());
        self.at.port() == address.port() && (all || own == asked)
    }
}

/// Words of 32 bits, each as this processor has it in memory.
fn read_ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok();
    let bytes = |at| Some(word(at)?.to_ne_bytes());
    match hex.len() {
        8 => Some(Ipv4Addr::from(bytes(0)?).into()),
        32 => {
            let mut all = [0; 16];
            for part in 0..4 {
                all[part * 4..][..4].copy_from_slice(&bytes(part * 8)?);
            }
            Some(Ipv6Addr::from(all).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn who_listens_and_takes_connections_is_seen() {
        for at in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let listener = TcpListener::bind(at).unwrap();
            let port = listener.local_addr().unwrap().port();
            let v6 = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port);
            let v4 = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
            let (to, other) = if at.starts_with('[') {
                (v6, v4)
            } else {
                (v4, v6)
            };
            assert!(is_accepted(to), "{at}");
            assert_eq!(is_accepted(other), at == "[::]:0", "{at}");
            let waits = TcpStream::connect(to).unwrap();
            assert!(!is_accepted(to), "{at}: it does not take what came");
            let taken = listener.accept().unwrap();
            assert!(is_accepted(to), "{at}");
            drop((waits, taken, listener));
            assert!(!is_accepted(to), "{at}: nobody listens any more");
        }
    }

    #[test]
    fn only_addresses_that_are_here_are_this_machines() {
        assert!(is_here(Ipv4Addr::new(127, 3, 2, 1).into()));
        assert!(is_here(Ipv6Addr::LOCALHOST.into()));
        assert!(!is_here(Ipv4Addr::new(198, 51, 100, 7).into()));
    }

    #[test]
    fn what_is_no_listener_is_none() {
        let line = "   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000";
        assert_eq!(Listener::read(line), None);
        assert_eq!(Listener::read(""), None);
        assert_eq!(Listener::read("0: é:1F90 x 0A 0:0"), None);
    }
}
