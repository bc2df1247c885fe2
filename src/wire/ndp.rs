//! Neighbour discovery (RFC 4861): who holds an IPv6 address on this network, and telling everyone
//! that we do now.
//!
//! - A **probe** solicits from the unspecified address, as duplicate address detection does (RFC 4862
//!   section 5.4.2). A holder answers to all nodes, so nothing needs an address of ours; but a
//!   station that is itself detecting a duplicate takes it for one and gives the address up.
//! - A **solicitation** from an own address is answered by unicast.
//! - An **announcement** is an unsolicited advertisement with the override flag (RFC 4861 section
//!   7.2.6): caches that know the address take the new MAC, the others ignore it.
//!
//! Frames are whole, for packet sockets; the bare messages are for raw ICMPv6 sockets, whose kernel
//! adds IPv6 header and checksum (RFC 3542 section 3.1; the hop limit of 255 is the caller's to set).

use super::ethernet::{self, Mac};
use pnet_packet::ethernet::EtherTypes;
use pnet_packet::ip::IpNextHeaderProtocols::Icmpv6;
use pnet_packet::ipv6::{Ipv6Packet, MutableIpv6Packet};
use pnet_packet::util::ipv6_checksum;
use std::net::Ipv6Addr;

/// A neighbour solicitation or advertisement that is valid by RFC 4861 section 7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Neighbour {
    /// Question or answer.
    pub kind: Kind,
    /// The sender's address; unspecified in a probe.
    pub source: Ipv6Addr,
    /// The address asked for, or held by the sender.
    pub target: Ipv6Addr,
    /// The sender's MAC: from its link-layer address option, else the frame's source.
    pub mac: Mac,
}

/// Question or answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Who has the target?
    Solicitation,
    /// The sender has the target.
    Advertisement {
        /// The sender is a router.
        router: bool,
        /// An answer to a solicitation.
        solicited: bool,
        /// Replaces what a cache holds.
        overriding: bool,
    },
}

/// Every node on the network.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The hop limit that proves a neighbour: a router would have lowered it.
pub const HOP_LIMIT: u8 = 255;

/// The group in which whoever holds `address` listens for solicitations (RFC 4291 section 2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    let [b, c] = [b, c].map(u16::from);
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), b << 8 | c)
}

/// The MAC to which packets for a multicast group go (RFC 2464 section 7).
pub fn multicast_mac(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

/// Asks who has `asked`, claiming nothing. A holder answers to [`ALL_NODES`].
pub fn probe(own: Mac, asked: Ipv6Addr) -> Vec<u8> {
    // RFC 4861 section 4.3: no source link-layer address with the unspecified source.
    let message = solicitation_message(asked, None);
    multicast(own, Ipv6Addr::UNSPECIFIED, solicited_node(asked), message)
}

/// Asks who has `asked`, for the holder of `from`, to which the answer goes.
pub fn solicitation(own: Mac, from: Ipv6Addr, asked: Ipv6Addr) -> Vec<u8> {
    let message = solicitation_message(asked, Some(own));
    multicast(own, from, solicited_node(asked), message)
}

/// Tells everyone that `own` holds `address`.
///
/// `router`: this node forwards IPv6. Saying no where it is true makes hosts drop it from their
/// default routers (RFC 4861 section 7.2.5).
pub fn announcement(own: Mac, address: Ipv6Addr, router: bool) -> Vec<u8> {
    let message = advertisement_message(address, own, router);
    multicast(own, address, ALL_NODES, message)
}

/// Tells one neighbour that `own` holds `address`.
pub fn announcement_to(
    own: Mac,
    address: Ipv6Addr,
    router: bool,
    neighbour_mac: Mac,
    neighbour_ip: Ipv6Addr,
) -> Vec<u8> {
    let message = advertisement_message(address, own, router);
    packet(neighbour_mac, own, address, neighbour_ip, message)
}

/// The ICMPv6 message that asks for `asked`, its checksum zero; to be sent to [`solicited_node`].
/// `own` goes with every source but the unspecified one.
pub fn solicitation_message(asked: Ipv6Addr, own: Option<Mac>) -> Vec<u8> {
    let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend(asked.octets());
    if let Some(mac) = own {
        message.extend([SOURCE_MAC, 1]);
        message.extend(mac);
    }
    message
}

/// The ICMPv6 message that announces `address`, unsolicited and overriding, its checksum zero; to be
/// sent to [`ALL_NODES`] or to one neighbour.
pub fn advertisement_message(address: Ipv6Addr, own: Mac, router: bool) -> Vec<u8> {
    let flags = if router { OVERRIDE | ROUTER } else { OVERRIDE };
    let mut message = vec![ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
    message.extend(address.octets());
    message.extend([TARGET_MAC, 1]);
    message.extend(own);
    message
}

/// The solicitation or advertisement in a whole Ethernet frame; `None` for everything else and for
/// what RFC 4861 section 7.1 tells to discard.
pub fn parse(frame: &[u8]) -> Option<Neighbour> {
    let (ethernet_source, payload) = ethernet::open(frame, EtherTypes::Ipv6)?;
    let header = Ipv6Packet::new(payload)?;
    let is_neighbours = header.get_version() == 6
        && header.get_next_header() == Icmpv6
        && header.get_hop_limit() == HOP_LIMIT;
    if !is_neighbours {
        return None;
    }
    let (source, destination) = (header.get_source(), header.get_destination());
    let length = usize::from(header.get_payload_length());
    let message = payload.get(IPV6_HEADER..)?.get(..length)?;

    let (&[icmp_type, code, sum_high, sum_low, flags, _, _, _], rest) =
        message.split_first_chunk()?;
    let (target, options) = rest.split_first_chunk::<16>()?;
    let target = Ipv6Addr::from(*target);
    let checksum = ipv6_checksum(message, CHECKSUM_WORD, &[], &source, &destination, Icmpv6);
    if code != 0 || checksum.to_be_bytes() != [sum_high, sum_low] || target.is_multicast() {
        return None;
    }
    let (kind, mac) = match icmp_type {
        SOLICITATION => {
            let mac = link_layer_address(options, SOURCE_MAC)?;
            let to_whom = destination == solicited_node(target);
            if source.is_unspecified() && (mac.is_some() || !to_whom) {
                return None;
            }
            (Kind::Solicitation, mac)
        }
        ADVERTISEMENT => {
            let solicited = flags & SOLICITED != 0;
            if solicited && destination.is_multicast() {
                return None;
            }
            let kind = Kind::Advertisement {
                router: flags & ROUTER != 0,
                solicited,
                overriding: flags & OVERRIDE != 0,
            };
            (kind, link_layer_address(options, TARGET_MAC)?)
        }
        _ => return None,
    };
    Some(Neighbour {
        kind,
        source,
        target,
        mac: mac.unwrap_or(ethernet_source),
    })
}

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

const ROUTER: u8 = 1 << 7;
const SOLICITED: u8 = 1 << 6;
const OVERRIDE: u8 = 1 << 5;

const SOURCE_MAC: u8 = 1;
const TARGET_MAC: u8 = 2;

const IPV6_HEADER: usize = Ipv6Packet::minimum_packet_size();
/// The checksum is the message's second 16-bit word.
const CHECKSUM_WORD: usize = 1;

/// The MAC in the first option of that type (RFC 4861 section 4.6), `Some(None)` without one;
/// `None` if the options cannot be read.
///
/// Read by hand: the length counts eight bytes, and pnet's reader overflows from 32 of them on.
fn link_layer_address(mut options: &[u8], wanted: u8) -> Option<Option<Mac>> {
    let mut found = None;
    while let [kind, eights, ..] = *options {
        if eights == 0 {
            return None;
        }
        let (option, rest) = options.split_at_checked(usize::from(eights) * 8)?;
        if kind == wanted && found.is_none() {
            // Ethernet's link-layer address fills exactly one unit (RFC 2464 section 6).
            let [_, _, mac @ ..] = <[u8; 8]>::try_from(option).ok()?;
            found = Some(mac);
        }
        options = rest;
    }
    options.is_empty().then_some(found)
}

fn multicast(own: Mac, from: Ipv6Addr, group: Ipv6Addr, message: Vec<u8>) -> Vec<u8> {
    packet(multicast_mac(group), own, from, group, message)
}

/// The whole frame around a message, its checksum filled in.
fn packet(to: Mac, own: Mac, from: Ipv6Addr, to_ip: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    let checksum = ipv6_checksum(&message, CHECKSUM_WORD, &[], &from, &to_ip, Icmpv6);
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
    let mut bytes = vec![0; IPV6_HEADER + message.len()];
    if let Some(mut packet) = MutableIpv6Packet::new(&mut bytes) {
        packet.set_version(6);
        packet.set_payload_length(u16::try_from(message.len()).unwrap_or(u16::MAX));
        packet.set_next_header(Icmpv6);
        packet.set_hop_limit(HOP_LIMIT);
        packet.set_source(from);
        packet.set_destination(to_ip);
        packet.set_payload(&message);
    }
    ethernet::frame(to, own, EtherTypes::Ipv6, &bytes)
}

#[cfg(test)]
mod tests {
    use super::super::ethernet::hex;
    use super::*;

    const A: Mac = [2, 0, 0, 0, 0, 0x0a];
    const B: Mac = [2, 0, 0, 0, 0, 0x0b];
    const IP_A: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    const IP_B: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
    const VIP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x99);

    // All captured from Linux kernels on a virtual cable.
    const KERNEL_SOLICITATION: &str = "3333 ff00 0002 0200 0000 000a 86dd 6000 0000 0020 3aff
        2001 0db8 0000 0000 0000 0000 0000 0001 ff02 0000 0000 0000 0000 0001 ff00 0002
        8700 1c1e 0000 0000 2001 0db8 0000 0000 0000 0000 0000 0002 0101 0200 0000 000a";
    const KERNEL_ANSWER: &str = "0200 0000 000a 0200 0000 000b 86dd 6000 0000 0020 3aff
        2001 0db8 0000 0000 0000 0000 0000 0002 2001 0db8 0000 0000 0000 0000 0000 0001
        8800 8a68 6000 0000 2001 0db8 0000 0000 0000 0000 0000 0002 0201 0200 0000 000b";
    /// With the nonce option of RFC 7527.
    const KERNEL_DAD: &str = "3333 ff00 0002 0200 0000 000a 86dd 6000 0000 0020 3aff
        0000 0000 0000 0000 0000 0000 0000 0000 ff02 0000 0000 0000 0000 0001 ff00 0002
        8700 d538 0000 0000 2001 0db8 0000 0000 0000 0000 0000 0002 0e01 c609 7f90 240f";
    const KERNEL_ANSWER_TO_DAD: &str = "3333 0000 0001 0200 0000 000b 86dd 6000 0000 0020 3aff
        2001 0db8 0000 0000 0000 0000 0000 0002 ff02 0000 0000 0000 0000 0000 0000 0001
        8800 f91e 2000 0000 2001 0db8 0000 0000 0000 0000 0000 0002 0201 0200 0000 000b";
    /// As sent with ndisc_notify when an address appears.
    const KERNEL_ANNOUNCEMENT: &str = "3333 0000 0001 0200 0000 000a 86dd 6000 0000 0020 3aff
        2001 0db8 0000 0000 0000 0000 0000 0099 ff02 0000 0000 0000 0000 0000 0000 0001
        8800 f7f1 2000 0000 2001 0db8 0000 0000 0000 0000 0000 0099 0201 0200 0000 000a";
    /// An answer to a unicast solicitation needs no option.
    const KERNEL_ANSWER_WITHOUT_OPTION: &str = "0200 0000 000b 0200 0000 000a 86dd 6000 0000 0018
        3aff 2001 0db8 0000 0000 0000 0000 0000 0001 fe80 0000 0000 0000 0000 00ff fe00 000b
        8800 deac 4000 0000 2001 0db8 0000 0000 0000 0000 0000 0001";

    #[test]
    fn solicits_as_the_kernel_does() {
        assert_eq!(solicitation(A, IP_A, IP_B), hex(KERNEL_SOLICITATION));
    }

    #[test]
    fn announces_as_the_kernel_does() {
        assert_eq!(announcement(A, VIP, false), hex(KERNEL_ANNOUNCEMENT));
    }

    #[test]
    fn reads_what_the_kernel_sends() {
        let advertisement = |solicited, overriding| Kind::Advertisement {
            router: false,
            solicited,
            overriding,
        };
        let none = Ipv6Addr::UNSPECIFIED;
        let cases = [
            (KERNEL_SOLICITATION, Kind::Solicitation, IP_A, IP_B, A),
            (KERNEL_DAD, Kind::Solicitation, none, IP_B, A),
            (KERNEL_ANSWER, advertisement(true, true), IP_B, IP_B, B),
            (
                KERNEL_ANSWER_TO_DAD,
                advertisement(false, true),
                IP_B,
                IP_B,
                B,
            ),
            (KERNEL_ANNOUNCEMENT, advertisement(false, true), VIP, VIP, A),
            (
                KERNEL_ANSWER_WITHOUT_OPTION,
                advertisement(true, false),
                IP_A,
                IP_A,
                A,
            ),
        ];
        for (frame, kind, source, target, mac) in cases {
            let expected = Neighbour {
                kind,
                source,
                target,
                mac,
            };
            assert_eq!(parse(&hex(frame)), Some(expected), "{frame}");
        }
    }

    #[test]
    fn a_probe_claims_no_address() {
        let probe = probe(A, IP_B);
        let expected = Neighbour {
            kind: Kind::Solicitation,
            source: Ipv6Addr::UNSPECIFIED,
            target: IP_B,
            mac: A,
        };
        assert_eq!(parse(&probe), Some(expected));
        assert_eq!(probe.len(), 14 + 40 + 24, "no option");
    }

    #[test]
    fn announces_to_one_neighbour_as_router() {
        let frame = announcement_to(A, VIP, true, B, IP_B);
        assert_eq!(frame[..6], B);
        let heard = parse(&frame).unwrap();
        let Kind::Advertisement { router, .. } = heard.kind else {
            panic!("{heard:?}");
        };
        assert!(router);
        assert_eq!((heard.target, heard.mac), (VIP, A));
    }

    #[test]
    fn reads_through_padding_and_refuses_truncation() {
        let whole = hex(KERNEL_ANSWER);
        let padded = [&whole[..], &[0; 20]].concat();
        assert_eq!(parse(&padded), parse(&whole));
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn refuses_any_changed_bit_but_the_traffic_class_flow_label_and_macs() {
        let whole = hex(KERNEL_ANSWER);
        for place in (12..14).chain(18..whole.len()) {
            for bit in 0..8 {
                let mut other = whole.clone();
                other[place] ^= 1 << bit;
                assert_eq!(parse(&other), None, "bit {bit} of byte {place}");
            }
        }
    }

    /// The answer of the fixture with other options, its checksum right.
    fn answer_with(options: &[u8]) -> Vec<u8> {
        let mut message = advertisement_message(IP_B, B, false);
        message.truncate(24);
        message.extend(options);
        packet(A, B, IP_B, ALL_NODES, message)
    }

    #[test]
    fn reads_long_options_and_refuses_bad_ones() {
        let mac = [TARGET_MAC, 1, 2, 0, 0, 0, 0, 0x0c];
        let mut long = vec![14, 255];
        long.resize(255 * 8, 0);
        long.extend(mac);
        let found = parse(&answer_with(&long)).map(|heard| heard.mac);
        assert_eq!(found, Some([2, 0, 0, 0, 0, 0x0c]));
        assert_eq!(parse(&answer_with(&[])).map(|heard| heard.mac), Some(B));

        assert_eq!(
            parse(&answer_with(&[TARGET_MAC, 0, 0, 0, 0, 0, 0, 0])),
            None
        );
        assert_eq!(parse(&answer_with(&[14, 0, 0, 0, 0, 0, 0, 0])), None);
        assert_eq!(
            parse(&answer_with(&[TARGET_MAC, 2, 0, 0, 0, 0, 0, 0])),
            None
        );
        assert_eq!(
            parse(&answer_with(
                &[[TARGET_MAC, 2, 0, 0, 0, 0, 0, 0]; 2].concat()
            )),
            None
        );
        assert_eq!(parse(&answer_with(&[14])), None);
    }

    #[test]
    fn refuses_what_rfc_4861_section_7_1_discards() {
        let multicast_target = advertisement_message(ALL_NODES, A, false);
        assert_eq!(
            parse(&multicast(A, IP_A, ALL_NODES, multicast_target)),
            None
        );

        let mut solicited = advertisement_message(IP_A, A, false);
        solicited[4] |= SOLICITED;
        assert_eq!(parse(&multicast(A, IP_A, ALL_NODES, solicited)), None);

        let none = Ipv6Addr::UNSPECIFIED;
        let with_mac = solicitation_message(IP_B, Some(A));
        assert_eq!(
            parse(&multicast(A, none, solicited_node(IP_B), with_mac)),
            None
        );
        let elsewhere = solicitation_message(IP_B, None);
        assert_eq!(parse(&multicast(A, none, ALL_NODES, elsewhere)), None);
    }
}
