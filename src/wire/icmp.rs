//! Echo (ping): is a gateway there, and did it answer *this* question?
//!
//! The payload is an eight-byte id of ours. The header's identifier cannot serve: the kernel's ping
//! sockets overwrite it with their own port, and other pings on the box may share it.

use pnet_packet::icmp::IcmpTypes;
use pnet_packet::icmpv6::Icmpv6Types;
use pnet_packet::ip::IpNextHeaderProtocols;
use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::util::checksum;

/// An echo request or reply (RFC 792; RFC 4443 section 4) with our payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Echo {
    /// Question or answer.
    pub kind: Kind,
    /// Belongs to the pinging socket.
    pub identifier: u16,
    /// Counts its questions.
    pub sequence: u16,
    /// The payload, returned unchanged.
    pub id: u64,
}

/// Question or answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Are you there?
    Request,
    /// The answer.
    Reply,
}

impl Echo {
    /// The ICMP message, with its checksum.
    pub fn encode_v4(&self) -> Vec<u8> {
        let mut message = self.message(V4);
        let sum = checksum(&message, CHECKSUM_WORD);
        if let Some(field) = message.get_mut(2..4) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
        message
    }

    /// The ICMPv6 message; its checksum covers the addresses and is the kernel's to fill, which it
    /// does on ICMPv6 sockets of both kinds (RFC 3542 section 3.1).
    pub fn encode_v6(&self) -> Vec<u8> {
        self.message(V6)
    }

    /// From an ICMP message, as ping sockets deliver it. The checksum is verified: raw sockets get
    /// their copy before the kernel looks at it.
    pub fn parse_v4(message: &[u8]) -> Option<Echo> {
        let echo = Echo::parse(message, V4)?;
        let sum = checksum(message, CHECKSUM_WORD).to_be_bytes();
        (message.get(2..4)? == sum).then_some(echo)
    }

    /// From an IPv4 packet, as raw sockets deliver it.
    pub fn parse_v4_packet(packet: &[u8]) -> Option<Echo> {
        let header = Ipv4Packet::new(packet)?;
        let is_icmp = header.get_version() == 4
            && header.get_next_level_protocol() == IpNextHeaderProtocols::Icmp;
        let length = usize::from(header.get_header_length()) * 4;
        let has_header = length >= Ipv4Packet::minimum_packet_size();
        Echo::parse_v4((is_icmp && has_header).then(|| packet.get(length..))??)
    }

    /// From an ICMPv6 message, as ICMPv6 sockets of both kinds deliver it, the checksum verified by
    /// the kernel.
    pub fn parse_v6(message: &[u8]) -> Option<Echo> {
        Echo::parse(message, V6)
    }

    fn message(&self, types: Types) -> Vec<u8> {
        let icmp_type = match self.kind {
            Kind::Request => types.request,
            Kind::Reply => types.reply,
        };
        let mut message = vec![icmp_type, 0, 0, 0];
        message.extend(self.identifier.to_be_bytes());
        message.extend(self.sequence.to_be_bytes());
        message.extend(self.id.to_be_bytes());
        message
    }

    fn parse(message: &[u8], types: Types) -> Option<Echo> {
        let (&[icmp_type, code, _, _, i, d, s, q], payload) = message.split_first_chunk()?;
        let kind = match icmp_type {
            reply if reply == types.reply => Kind::Reply,
            request if request == types.request => Kind::Request,
            _ => return None,
        };
        let id = u64::from_be_bytes(payload.try_into().ok()?);
        (code == 0).then_some(Echo {
            kind,
            identifier: u16::from_be_bytes([i, d]),
            sequence: u16::from_be_bytes([s, q]),
            id,
        })
    }
}

/// The two protocols differ in their type numbers only.
#[derive(Clone, Copy)]
struct Types {
    request: u8,
    reply: u8,
}

const V4: Types = Types {
    request: IcmpTypes::EchoRequest.0,
    reply: IcmpTypes::EchoReply.0,
};

const V6: Types = Types {
    request: Icmpv6Types::EchoRequest.0,
    reply: Icmpv6Types::EchoReply.0,
};

/// The checksum is the message's second 16-bit word.
const CHECKSUM_WORD: usize = 1;

#[cfg(test)]
mod tests {
    use super::super::ethernet::hex;
    use super::*;

    // `ping -s 8` and a Linux kernel's answers, on a virtual cable.
    const V4_REQUEST: &str = "0800 ce3d 1db1 0001 0001 0203 0405 0607";
    const V4_REPLY_PACKET: &str = "4500 0024 12c6 0000 4001 e40f c000 0202 c000 0201
        0000 d63d 1db1 0001 0001 0203 0405 0607";
    const V6_REQUEST: &str = "8000 fa78 1db6 0001 0001 0203 0405 0607";
    const V6_REPLY: &str = "8100 f978 1db6 0001 0001 0203 0405 0607";

    fn echo(kind: Kind, identifier: u16) -> Echo {
        Echo {
            kind,
            identifier,
            sequence: 1,
            id: 0x0001_0203_0405_0607,
        }
    }

    #[test]
    fn asks_as_ping_does() {
        assert_eq!(echo(Kind::Request, 0x1db1).encode_v4(), hex(V4_REQUEST));
        let mut v6 = hex(V6_REQUEST);
        v6[2..4].fill(0);
        assert_eq!(echo(Kind::Request, 0x1db6).encode_v6(), v6);
    }

    #[test]
    fn reads_the_kernels_answers() {
        let v4 = echo(Kind::Reply, 0x1db1);
        assert_eq!(Echo::parse_v4_packet(&hex(V4_REPLY_PACKET)), Some(v4));
        let v6 = echo(Kind::Reply, 0x1db6);
        assert_eq!(Echo::parse_v6(&hex(V6_REPLY)), Some(v6));
    }

    #[test]
    fn skips_ip_options() {
        let mut packet = hex(V4_REPLY_PACKET);
        packet[0] = 0x46;
        packet.splice(20..20, [1, 1, 1, 0]);
        let v4 = echo(Kind::Reply, 0x1db1);
        assert_eq!(Echo::parse_v4_packet(&packet), Some(v4));
    }

    #[test]
    fn reads_back_what_it_writes() {
        for kind in [Kind::Request, Kind::Reply] {
            let echo = echo(kind, 7);
            assert_eq!(Echo::parse_v4(&echo.encode_v4()), Some(echo));
            assert_eq!(Echo::parse_v6(&echo.encode_v6()), Some(echo));
            assert_eq!(Echo::parse_v6(&echo.encode_v4()), None);
        }
    }

    #[test]
    fn refuses_other_lengths_and_changed_bits() {
        let packet = hex(V4_REPLY_PACKET);
        for length in 0..packet.len() {
            assert_eq!(Echo::parse_v4_packet(&packet[..length]), None, "{length}");
        }
        let message = &packet[20..];
        for bit in 0..message.len() * 8 {
            let mut other = message.to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Echo::parse_v4(&other), None, "bit {bit}");
        }
        let short_header = [&[0x44], &packet[1..]].concat();
        assert_eq!(Echo::parse_v4_packet(&short_header), None);
    }
}
