//! ARP: who holds an IPv4 address on this network, and telling everyone that we do now.
//!
//! - A **probe** (RFC 5227 section 1.1) asks for an address without claiming one: its sender IP is
//!   0.0.0.0, so that no neighbour learns anything wrong from it. It finds a rival before a takeover.
//! - An **announcement**, or gratuitous ARP, tells the neighbours an address's new MAC. Some caches
//!   follow only requests (RFC 5227 section 3 chose those), some only replies (RFC 5944 section 4.6
//!   allows both), so a takeover sends both; and since some stations update an entry only from what
//!   is addressed to them, the ones that matter most, the gateways, get it by unicast too.

use super::ethernet::{self, BROADCAST, Mac};
use pnet_packet::arp::{
    ArpHardwareTypes, ArpOperation, ArpOperations, ArpPacket, MutableArpPacket,
};
use pnet_packet::ethernet::EtherTypes;
use std::net::Ipv4Addr;

/// An ARP message for IPv4 over Ethernet (RFC 826).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arp {
    /// Question or answer.
    pub operation: Operation,
    /// Who sends, and holds `sender_ip`.
    pub sender_mac: Mac,
    /// 0.0.0.0 in a probe.
    pub sender_ip: Ipv4Addr,
    /// Who should learn from a reply; without meaning in a request.
    pub target_mac: Mac,
    /// The address asked for; the sender's own in an announcement.
    pub target_ip: Ipv4Addr,
}

/// Question or answer. Receivers learn from both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Who has the target IP?
    Request,
    /// The sender has the sender IP.
    Reply,
}

/// Asks everyone who has `asked`, claiming nothing. A rival answers to `own`.
pub fn probe(own: Mac, asked: Ipv4Addr) -> Vec<u8> {
    request(own, Ipv4Addr::UNSPECIFIED, asked)
}

/// Asks everyone who has `asked`, for the holder of `from`.
pub fn request(own: Mac, from: Ipv4Addr, asked: Ipv4Addr) -> Vec<u8> {
    let message = Arp {
        operation: Operation::Request,
        sender_mac: own,
        sender_ip: from,
        target_mac: UNKNOWN,
        target_ip: asked,
    };
    message.frame(BROADCAST)
}

/// Tells everyone that `own` holds `address`.
pub fn announcement(operation: Operation, own: Mac, address: Ipv4Addr) -> Vec<u8> {
    let message = Arp {
        operation,
        sender_mac: own,
        sender_ip: address,
        target_mac: match operation {
            // RFC 5227 section 1.1: should be all zeros.
            Operation::Request => UNKNOWN,
            // RFC 5944 section 4.6: the address that the entry should now hold.
            Operation::Reply => own,
        },
        target_ip: address,
    };
    message.frame(BROADCAST)
}

/// Tells one neighbour that `own` holds `address`: as an answer to a question it did not ask, or as
/// a question about its own address, which it answers.
pub fn announcement_to(
    operation: Operation,
    own: Mac,
    address: Ipv4Addr,
    neighbour_mac: Mac,
    neighbour_ip: Ipv4Addr,
) -> Vec<u8> {
    let message = Arp {
        operation,
        sender_mac: own,
        sender_ip: address,
        target_mac: match operation {
            Operation::Request => UNKNOWN,
            Operation::Reply => neighbour_mac,
        },
        target_ip: neighbour_ip,
    };
    message.frame(neighbour_mac)
}

/// The ARP message in a whole Ethernet frame; `None` for everything else.
pub fn parse(frame: &[u8]) -> Option<Arp> {
    let (_, payload) = ethernet::open(frame, EtherTypes::Arp)?;
    let packet = ArpPacket::new(payload)?;
    let is_ipv4_over_ethernet = packet.get_hardware_type() == ArpHardwareTypes::Ethernet
        && packet.get_protocol_type() == EtherTypes::Ipv4
        && packet.get_hw_addr_len() == MAC_LEN
        && packet.get_proto_addr_len() == IP_LEN;
    if !is_ipv4_over_ethernet {
        return None;
    }
    let operation = match packet.get_operation() {
        ArpOperation(1) => Operation::Request,
        ArpOperation(2) => Operation::Reply,
        _ => return None,
    };
    Some(Arp {
        operation,
        sender_mac: packet.get_sender_hw_addr().into(),
        sender_ip: packet.get_sender_proto_addr(),
        target_mac: packet.get_target_hw_addr().into(),
        target_ip: packet.get_target_proto_addr(),
    })
}

impl Arp {
    /// The whole Ethernet frame, from `sender_mac`.
    pub fn frame(&self, to: Mac) -> Vec<u8> {
        let mut bytes = [0; ArpPacket::minimum_packet_size()];
        if let Some(mut packet) = MutableArpPacket::new(&mut bytes) {
            packet.set_hardware_type(ArpHardwareTypes::Ethernet);
            packet.set_protocol_type(EtherTypes::Ipv4);
            packet.set_hw_addr_len(MAC_LEN);
            packet.set_proto_addr_len(IP_LEN);
            packet.set_operation(match self.operation {
                Operation::Request => ArpOperations::Request,
                Operation::Reply => ArpOperations::Reply,
            });
            packet.set_sender_hw_addr(self.sender_mac.into());
            packet.set_sender_proto_addr(self.sender_ip);
            packet.set_target_hw_addr(self.target_mac.into());
            packet.set_target_proto_addr(self.target_ip);
        }
        ethernet::frame(to, self.sender_mac, EtherTypes::Arp, &bytes)
    }
}

const UNKNOWN: Mac = [0; 6];
const MAC_LEN: u8 = 6;
const IP_LEN: u8 = 4;

#[cfg(test)]
mod tests {
    use super::super::ethernet::hex;
    use super::*;

    const A: Mac = [2, 0, 0, 0, 0, 0x0a];
    const B: Mac = [2, 0, 0, 0, 0, 0x0b];
    const IP_A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const IP_B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

    /// A Linux kernel resolving an address.
    const KERNEL_REQUEST: &str = "ffff ffff ffff 0200 0000 000a 0806 0001 0800 0604 0001
        0200 0000 000a c000 0201 0000 0000 0000 c000 0202";
    /// A Linux kernel's answer to a probe.
    const KERNEL_REPLY_TO_PROBE: &str = "0200 0000 000a 0200 0000 000b 0806 0001 0800 0604 0002
        0200 0000 000b c000 0202 0200 0000 000a 0000 0000";
    /// `arping -A`.
    const ARPING_ANNOUNCEMENT: &str = "ffff ffff ffff 0200 0000 000a 0806 0001 0800 0604 0002
        0200 0000 000a c000 0201 0200 0000 000a c000 0201";
    /// `arping -D`, which fills the target MAC with ones.
    const ARPING_PROBE: &str = "ffff ffff ffff 0200 0000 000a 0806 0001 0800 0604 0001
        0200 0000 000a 0000 0000 ffff ffff ffff c000 0202";

    #[test]
    fn asks_as_the_kernel_does() {
        assert_eq!(request(A, IP_A, IP_B), hex(KERNEL_REQUEST));
    }

    #[test]
    fn announces_as_arping_does() {
        let frame = announcement(Operation::Reply, A, IP_A);
        assert_eq!(frame, hex(ARPING_ANNOUNCEMENT));
    }

    #[test]
    fn a_probe_claims_no_address() {
        let probe = probe(A, IP_B);
        let arping = hex(ARPING_PROBE);
        assert_eq!(probe[..32], arping[..32]);
        assert_eq!(probe[32..38], UNKNOWN);
        assert_eq!(probe[38..], arping[38..]);
    }

    #[test]
    fn an_announcing_request_names_the_address_twice() {
        let frame = announcement(Operation::Request, A, IP_A);
        let expected = "ffff ffff ffff 0200 0000 000a 0806 0001 0800 0604 0001
            0200 0000 000a c000 0201 0000 0000 0000 c000 0201";
        assert_eq!(frame, hex(expected));
    }

    #[test]
    fn announces_to_one_neighbour_alone() {
        let frame = announcement_to(Operation::Reply, A, IP_A, B, IP_B);
        let expected = "0200 0000 000b 0200 0000 000a 0806 0001 0800 0604 0002
            0200 0000 000a c000 0201 0200 0000 000b c000 0202";
        assert_eq!(frame, hex(expected));
        let asking = parse(&announcement_to(Operation::Request, A, IP_A, B, IP_B)).unwrap();
        assert_eq!((asking.sender_ip, asking.target_ip), (IP_A, IP_B));
    }

    #[test]
    fn reads_the_answer_to_a_probe() {
        let expected = Arp {
            operation: Operation::Reply,
            sender_mac: B,
            sender_ip: IP_B,
            target_mac: A,
            target_ip: Ipv4Addr::UNSPECIFIED,
        };
        assert_eq!(parse(&hex(KERNEL_REPLY_TO_PROBE)), Some(expected));
    }

    #[test]
    fn reads_through_padding() {
        let mut padded = hex(KERNEL_REQUEST);
        padded.resize(60, 0);
        assert_eq!(parse(&padded), parse(&hex(KERNEL_REQUEST)));
    }

    #[test]
    fn refuses_what_is_not_arp_for_ipv4_over_ethernet() {
        let whole = hex(KERNEL_REQUEST);
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None, "{length} bytes");
        }
        // EtherType, hardware type, protocol type, the two lengths, operation.
        for place in 12..22 {
            let mut other = whole.clone();
            other[place] ^= 0x40;
            assert_eq!(parse(&other), None, "byte {place} changed");
        }
    }
}
