//! The kernel's tables of links, addresses, routes and neighbours, by rtnetlink itself.
//!
//! A codec of our own: a library for this costs 560 to 720 KB and 47 crates, and one address at a
//! time is half as fast as the 64 in one send used here (measured: a thousand IPv4 addresses added in
//! 12 to 25 ms). IPv6 costs the kernel more, see [`Route::add`].
//! `ip` is not run: no thousand processes for a thousand addresses.
//!
//! Three subjects: [`Route`] asks and changes, [`Monitor`] hears what others change, and
//! [`host()`] is one look at everything that ha.toml is resolved against.

mod message;
mod monitor;
mod parse;
mod socket;

pub use monitor::{Change, Monitor};

use crate::agents::host::{Host, Interface};
use ipnet::IpNet;
use message::{IFA_ADDRESS, IFA_CACHEINFO, IFA_FLAGS, IFA_LOCAL, Requests, messages};
use parse::{default_gateways, installed, interface, neighbour, on_link_route};
use socket::{ACKNOWLEDGED, Socket};
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;

/// One look at the machine's network: links, addresses and default routes.
pub fn host() -> io::Result<Host> {
    Route::open()?.host()
}

/// An address to be installed as /32 or /128, that no connection of this machine's own starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressSpec {
    /// The kernel's index of the interface.
    pub interface: u32,
    /// The address.
    pub address: IpAddr,
    /// Seconds until the kernel removes it by itself (`valid_lft`; it ages in whole seconds, and
    /// the kernel refuses 0). `None`: for ever.
    pub lifetime: Option<u32>,
}

/// An address as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The kernel's index of the interface.
    pub interface: u32,
    /// The address.
    pub address: IpAddr,
    /// Its prefix length in bits.
    pub prefix: u8,
    /// It can be used: not tentative, not found to be a duplicate (IPv6 only).
    pub usable: bool,
    /// No connection starts from it: its preferred lifetime is 0.
    pub deprecated: bool,
    /// Seconds until the kernel removes it. `None`: never.
    pub lifetime: Option<u32>,
}

/// An entry of the neighbour cache whose hardware address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The kernel's index of the interface.
    pub interface: u32,
    /// The neighbour's address.
    pub address: IpAddr,
    /// Its hardware address.
    pub mac: [u8; 6],
}

/// What stands in a datagram: its changes, and each message read as every answer that it might be.
/// A door for tests/fuzz alone, since there is no other one to the readers behind the sockets.
#[doc(hidden)]
pub fn contents(datagram: &[u8]) -> Contents {
    let mut contents = Contents::default();
    monitor::parse(datagram, &mut contents.changes);
    for message in messages(datagram) {
        contents.addresses.extend(installed(&message));
        contents.interfaces.extend(interface(&message));
        contents.neighbours.extend(neighbour(&message));
        contents.gateways.extend(default_gateways(&message));
        contents.on_link.extend(on_link_route(&message));
    }
    contents
}

/// See [`contents`].
#[doc(hidden)]
#[derive(Debug, Default, PartialEq)]
pub struct Contents {
    pub changes: VecDeque<Change>,
    pub addresses: Vec<Installed>,
    pub interfaces: Vec<Interface>,
    pub neighbours: Vec<Neighbour>,
    pub gateways: Vec<(u32, IpAddr)>,
    pub on_link: Vec<(u32, IpNet)>,
}

/// How many requests one send carries: their acknowledgements fit every default receive buffer.
const BATCH: usize = 64;

/// Asks the kernel and changes its addresses; keep one open, so that no lack of descriptors or
/// memory stands between a decision and the addresses.
#[derive(Debug)]
pub struct Route {
    socket: Socket,
}

impl Route {
    /// Opens the socket, in the network namespace of the calling thread.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            socket: Socket::open()?,
        })
    }

    /// Adds every address, or sets its lifetime where it is there already: idempotent. Gives, in
    /// the same order, 0 or the errno of each; an `Err` means that the answers were lost.
    ///
    /// An address that was removed or has expired is created again by this: see the lateness rule
    /// of the design before renewing.
    ///
    /// For every IPv6 address, new or not, the kernel goes through all multicast groups of the
    /// interface, of which each address brings one (`ipv6_find_idev` calls `ipv6_mc_up`): the cost
    /// grows with the square of their number. Measured: 4 ms for 125, 90 for 500, 350 for a
    /// thousand, and three times that while a thousand deleted ones are still being reported.
    pub fn add(&mut self, addresses: &[AddressSpec]) -> io::Result<Vec<i32>> {
        const REPLACE: u16 = ACKNOWLEDGED | (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
        self.batched(addresses, |requests, spec, sequence| {
            begin_address(
                requests,
                libc::RTM_NEWADDR,
                REPLACE,
                sequence,
                spec.interface,
                IpNet::from(spec.address),
            );
            requests.attribute(IFA_FLAGS, &address_flags(spec.address).to_ne_bytes());
            requests.attribute(IFA_CACHEINFO, &cache_info(spec.lifetime));
            requests.end();
        })
    }

    /// Deletes addresses, each with exactly this prefix and on this interface. Gives, in the same
    /// order, 0 or the errno of each; EADDRNOTAVAIL: it was not there.
    pub fn delete(&mut self, addresses: &[(u32, IpNet)]) -> io::Result<Vec<i32>> {
        self.batched(addresses, |requests, (interface, network), sequence| {
            begin_address(
                requests,
                libc::RTM_DELADDR,
                ACKNOWLEDGED,
                sequence,
                *interface,
                *network,
            );
            requests.end();
        })
    }

    /// Every address of every interface, in the kernel's order.
    pub fn addresses(&mut self) -> io::Result<Vec<Installed>> {
        self.socket.dump(
            libc::RTM_GETADDR,
            &[0; 8], // ifaddrmsg: every family, every interface
            |all: &mut Vec<_>, message| all.extend(installed(message)),
        )
    }

    /// The neighbour cache's complete entries: the kernel's own ARP and ND, for a gateway's
    /// hardware address.
    pub fn neighbours(&mut self) -> io::Result<Vec<Neighbour>> {
        self.socket
            .dump(libc::RTM_GETNEIGH, &[0; 12], |all: &mut Vec<_>, message| {
                all.extend(neighbour(message))
            })
    }

    /// Every interface, without its addresses. This is the way to ask for the carrier: it shows what
    /// the card says now, while the kernel delays the *event* of a lost carrier by up to a second
    /// when another link event came less than a second before (net/core/link_watch.c).
    pub fn interfaces(&mut self) -> io::Result<Vec<Interface>> {
        const IFLA_EXT_MASK: u16 = 29;
        const SKIP_STATS: u32 = 1 << 3; // RTEXT_FILTER_SKIP_STATS: nine tenths of each answer
        let mut body = Requests::default();
        body.attribute(IFLA_EXT_MASK, &SKIP_STATS.to_ne_bytes());
        let body = [&[0; 16], body.bytes()].concat(); // ifinfomsg: all of them
        self.socket
            .dump(libc::RTM_GETLINK, &body, |all: &mut Vec<_>, message| {
                all.extend(interface(message));
            })
    }

    /// Links, addresses, routes, and what the kernel's settings say.
    pub fn host(&mut self) -> io::Result<Host> {
        let mut interfaces = self.interfaces()?;
        let mut deprecated = Vec::new();
        // One that is tentative or a duplicate (IPv6) has no route to its network, and nothing is sent from it.
        for one in self.addresses()?.into_iter().filter(|one| one.usable) {
            let owner = interfaces.iter_mut().find(|i| i.index == one.interface);
            if let (Some(owner), Ok(network)) = (owner, IpNet::new(one.address, one.prefix)) {
                owner.addresses.push(network);
            }
            deprecated.extend(one.deprecated.then_some(one.address));
        }
        let (default_gateways, on_link) = self.socket.dump(
            libc::RTM_GETROUTE,
            &[0; 12], // rtmsg: every family and table
            |(gateways, on_link): &mut (Vec<_>, Vec<_>), message| {
                gateways.extend(default_gateways(message));
                on_link.extend(on_link_route(message));
            },
        )?;
        Ok(Host {
            strict: strict(&interfaces),
            interfaces,
            default_gateways,
            nonlocal_bind: ["ipv4", "ipv6"].map(nonlocal_bind),
            on_link,
            deprecated,
        })
    }

    fn batched<T>(
        &mut self,
        items: &[T],
        mut write: impl FnMut(&mut Requests, &T, u32),
    ) -> io::Result<Vec<i32>> {
        let mut verdicts = Vec::with_capacity(items.len());
        for batch in items.chunks(BATCH) {
            verdicts.extend(
                self.socket
                    .change(batch.len(), |requests, index, sequence| {
                        write(requests, &batch[index], sequence);
                    })?,
            );
        }
        Ok(verdicts)
    }
}

/// The interfaces that drop what they would not answer through themselves. What is set for all and what is
/// set for one: the larger counts (1 is strict, 2 is loose).
fn strict(interfaces: &[Interface]) -> Vec<u32> {
    let set = |name: &str| {
        let path = format!("/proc/sys/net/ipv4/conf/{name}/rp_filter");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    };
    let all: u8 = set("all");
    let strict = interfaces.iter().filter(|i| all.max(set(&i.name)) == 1);
    strict.map(|interface| interface.index).collect()
}

/// Whether the kernel lets anybody listen on an address that is not there; no where it does not say.
fn nonlocal_bind(family: &str) -> bool {
    let path = format!("/proc/sys/net/{family}/ip_nonlocal_bind");
    std::fs::read_to_string(path).is_ok_and(|text| text.trim() == "1")
}

fn begin_address(
    requests: &mut Requests,
    kind: u16,
    flags: u16,
    sequence: u32,
    interface: u32,
    network: IpNet,
) {
    let family = match network {
        IpNet::V4(_) => libc::AF_INET,
        IpNet::V6(_) => libc::AF_INET6,
    };
    const UNIVERSE: u8 = 0; // RT_SCOPE_UNIVERSE
    // struct ifaddrmsg (linux/if_addr.h); the flags are in IFA_FLAGS, 8 bits do not hold them.
    let mut body = [family as u8, network.prefix_len(), 0, UNIVERSE, 0, 0, 0, 0];
    body[4..].copy_from_slice(&interface.to_ne_bytes());
    requests.begin(kind, flags, sequence, &body);
    requests.address(IFA_LOCAL, network.addr());
    requests.address(IFA_ADDRESS, network.addr());
}

/// IPv6: usable at once, without duplicate detection (the takeover has probed already, and a second
/// of silence is what it must not cost), and no route for the /128 beside the local one.
fn address_flags(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 0,
        IpAddr::V6(_) => libc::IFA_F_NODAD | libc::IFA_F_NOPREFIXROUTE,
    }
}

/// `struct ifa_cacheinfo`: preferred and valid lifetime in seconds, and two stamps.
///
/// Preferred 0 makes the address deprecated. IPv6 then begins no connection from it. IPv4 shows the
/// word but does not heed it (measured, Linux 6.18): there it is the /32 that keeps it out, because
/// the source is an address of the gateway's network. Only a route through the bare interface,
/// without `src`, takes the interface's first address, which is the VIP if it was there first.
fn cache_info(lifetime: Option<u32>) -> [u8; 16] {
    const FOREVER: u32 = u32::MAX; // INFINITY_LIFE_TIME
    let mut info = [0; 16];
    info[4..8].copy_from_slice(&lifetime.unwrap_or(FOREVER).to_ne_bytes());
    info
}
