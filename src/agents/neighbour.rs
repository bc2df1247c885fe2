//! Who has an address on the LAN: asking, and hearing what everyone says of it.
//!
//! Two sockets an interface: one for ARP, one for the two ICMPv6 messages of neighbour discovery.
//! Asking claims nothing (see the probe of RFC 5227): the holder answers, and no cache changes.
//! A Linux host answers such a probe for every address of the interface on which it arrives, with that
//! interface's hardware address; a /32 with preferred lifetime 0 makes no difference. Measured (Linux
//! 6.18): its `arp_ignore` 0 to 3 all answer, 8 never does; an address on another of its interfaces is
//! answered for with `arp_ignore` 0 only.

use crate::agents::frames;
use crate::agents::packet::Listener;
use crate::wire::ndp::{ALL_NODES, multicast_mac};
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

/// Someone on the LAN has an address, or says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The VIP interface on which it was heard: its index in the caller's table.
    pub vif: usize,
    /// The address.
    pub address: IpAddr,
    /// The hardware address it is said to be at.
    pub mac: [u8; 6],
    /// An ARP reply or a neighbour advertisement; otherwise a question asked from the address.
    pub is_reply: bool,
}

/// A claim that is not believed: the frame came from another hardware address than the one it names, as no
/// holder's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubtful {
    /// What is claimed.
    pub address: IpAddr,
    /// Where it is said to be.
    pub mac: [u8; 6],
    /// Where the frame came from.
    pub from: [u8; 6],
}

/// Probes and hears claims on one interface. Its descriptors stay the same for its whole life.
#[derive(Debug)]
pub struct Neighbours {
    vif: usize,
    mac: [u8; 6],
    interesting: HashSet<IpAddr>,
    doubts: Doubts,
    arp: Listener,
    discovery: Listener,
    arp_first: bool,
    buffer: Vec<u8>,
}

/// How many frames about other addresses one call of `try_next` passes over: a flood of them must
/// not keep the loop.
const PASSED_OVER: usize = 64;

/// Frames longer than this are none of ours: an advertisement with one option has 86 bytes.
const LONGEST: usize = 512;

impl Neighbours {
    /// Opens the sockets for the VIP interface that has this index in the caller's table. They hear
    /// nothing before [`Neighbours::bind`].
    pub fn open(vif: usize) -> io::Result<Self> {
        Ok(Self {
            vif,
            mac: [0; 6],
            interesting: HashSet::new(),
            doubts: Doubts::default(),
            arp: Listener::open(libc::ETH_P_ARP, &mut arp_filter())?,
            discovery: Listener::open(libc::ETH_P_IPV6, &mut discovery_filter())?,
            arp_first: false,
            buffer: vec![0; LONGEST],
        })
    }

    /// Listens on this interface, by the kernel's index, and asks from this hardware address. To be
    /// called again when the monitor tells that the interface was made anew or changed its address.
    pub fn bind(&mut self, interface: u32, mac: [u8; 6]) -> io::Result<()> {
        self.mac = mac;
        self.arp.bind(interface)?;
        self.discovery.bind(interface)?;
        // The answer to a probe goes to all nodes. The kernel has joined that group wherever IPv6
        // is enabled; a card that takes no multicast (or this call twice) leaves it at that.
        let _ = self.discovery.join(multicast_mac(ALL_NODES));
        Ok(())
    }

    /// Whose claims are wanted: VIPs and on-link gateways. None before the first call.
    pub fn watch(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.interesting = addresses.into_iter().collect();
        self.doubts.keep(&self.interesting);
    }

    /// How many claims were not believed since the last call, and those of them that are to be said: the first
    /// about an address since one about it was believed.
    pub fn take_doubtful(&mut self) -> (u64, Vec<Doubtful>) {
        self.doubts.take()
    }

    /// Asks who has this address, claiming nothing: RFC 5227 section 2.1.1, RFC 4862 section 5.4.2.
    pub fn probe(&self, address: IpAddr) -> io::Result<()> {
        let through = match address {
            IpAddr::V4(_) => &self.arp,
            IpAddr::V6(_) => &self.discovery,
        };
        through.send(&frames::probe(self.mac, address))
    }

    /// The next claim of a watched address that came from where it names, never one of this interface's own; `None` when none is
    /// waiting, or after many frames about other addresses (the descriptor is still readable then).
    pub fn try_next(&mut self) -> io::Result<Option<Claim>> {
        for _ in 0..PASSED_OVER {
            self.arp_first = !self.arp_first; // in turn: a flood of one does not drown the other
            let (first, second) = match self.arp_first {
                true => (&self.arp, &self.discovery),
                false => (&self.discovery, &self.arp),
            };
            let length = match first.receive(&mut self.buffer)? {
                Some(length) => length,
                None => match second.receive(&mut self.buffer)? {
                    Some(length) => length,
                    None => return Ok(None),
                },
            };
            let Some(heard) = frames::heard(&self.buffer[..length]) else {
                continue;
            };
            // A switch that reflects our own announcements is no rival.
            if heard.mac != self.mac
                && self.interesting.contains(&heard.address)
                && self.doubts.believe(&heard)
            {
                return Ok(Some(Claim {
                    vif: self.vif,
                    address: heard.address,
                    mac: heard.mac,
                    is_reply: heard.is_reply,
                }));
            }
        }
        Ok(None)
    }

    /// The two descriptors that become readable when something may be there to take.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.arp.as_fd(), self.discovery.as_fd()]
    }
}

/// What of the claims was not believed.
#[derive(Debug, Default)]
struct Doubts {
    count: u64,
    /// The addresses about which the latest claim was not believed, and whether that was said.
    of: HashMap<IpAddr, (Doubtful, bool)>,
}

impl Doubts {
    fn believe(&mut self, heard: &frames::Heard) -> bool {
        let believed = heard.mac == heard.from;
        if believed {
            self.of.remove(&heard.address);
        } else {
            self.count = self.count.saturating_add(1);
            let doubtful = Doubtful {
                address: heard.address,
                mac: heard.mac,
                from: heard.from,
            };
            self.of.entry(heard.address).or_insert((doubtful, false));
        }
        believed
    }

    fn keep(&mut self, addresses: &HashSet<IpAddr>) {
        self.of.retain(|address, _| addresses.contains(address));
    }

    fn take(&mut self) -> (u64, Vec<Doubtful>) {
        let unsaid = self.of.values_mut().filter(|(_, said)| !said);
        let all = unsaid.map(|(doubtful, said)| {
            *said = true;
            *doubtful
        });
        (std::mem::take(&mut self.count), all.collect())
    }
}

/// All ARP: there is little of it, and the interesting addresses are compared outside the kernel.
fn arp_filter() -> [libc::sock_filter; 1] {
    [accept()]
}

/// ICMPv6 neighbour solicitations and advertisements, straight behind the IPv6 header: without this
/// the whole IPv6 traffic of the service would wake us. Offsets are from the Ethernet header.
fn discovery_filter() -> [libc::sock_filter; 7] {
    const NEXT_HEADER: u32 = 14 + 6;
    const ICMP_TYPE: u32 = 14 + 40;
    [
        load_byte(NEXT_HEADER),
        jump_unless_equal(58, 4), // to the drop
        load_byte(ICMP_TYPE),
        jump_if_equal(135, 1),     // to the accept
        jump_unless_equal(136, 1), // to the drop
        accept(),
        drop_it(),
    ]
}

fn load_byte(at: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, at)
}

fn jump_if_equal(value: u32, over: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, over, 0, value)
}

fn jump_unless_equal(value: u32, over: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, over, value)
}

fn accept() -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, LONGEST as u32)
}

fn drop_it() -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, 0)
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_believed_from_where_it_names_and_doubts_are_said_once() {
        let address: IpAddr = [192, 0, 2, 1].into();
        let (holder, other) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let heard = |from| frames::Heard {
            address,
            mac: holder,
            from,
            is_reply: true,
        };
        let said = Doubtful {
            address,
            mac: holder,
            from: other,
        };
        let mut doubts = Doubts::default();
        assert!(doubts.believe(&heard(holder)));
        assert_eq!(doubts.take(), (0, vec![]));
        for _ in 0..3 {
            assert!(!doubts.believe(&heard(other)));
        }
        assert_eq!(doubts.take(), (3, vec![said]));
        assert!(!doubts.believe(&heard(other)));
        assert_eq!(doubts.take(), (1, vec![]), "said already");
        assert!(doubts.believe(&heard(holder)));
        assert!(!doubts.believe(&heard(other)));
        assert_eq!(doubts.take(), (1, vec![said]), "an edge again");
        doubts.keep(&HashSet::new());
        assert!(doubts.of.is_empty());
    }
}
