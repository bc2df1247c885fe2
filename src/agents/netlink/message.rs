//! Netlink's framing: messages of a 16-byte header, a fixed body and attributes, each padded to four bytes.
//!
//! ```text
//! nlmsghdr: length u32 | type u16 | flags u16 | sequence u32 | port u32     (linux/netlink.h)
//! nlattr:   length u16 | type u16 | value, padded to 4
//! ```
//!
//! Numbers are in the machine's byte order, addresses in the network's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Length of `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;
/// IFA_PROTO is not used; these are the attributes of `struct ifaddrmsg` (linux/if_addr.h).
pub(super) const IFA_ADDRESS: u16 = 1;
pub(super) const IFA_LOCAL: u16 = 2;
pub(super) const IFA_CACHEINFO: u16 = 6;
pub(super) const IFA_FLAGS: u16 = 8;

/// Several requests written one after the other, as one send carries them.
#[derive(Default)]
pub(super) struct Requests {
    bytes: Vec<u8>,
    start: usize,
}

impl Requests {
    /// Begins a message; what follows is its body and attributes, up to [`Requests::end`].
    pub(super) fn begin(&mut self, kind: u16, flags: u16, sequence: u32, body: &[u8]) {
        self.start = self.bytes.len();
        self.bytes.extend_from_slice(&0u32.to_ne_bytes()); // the length, known at the end
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&0u32.to_ne_bytes()); // port: the kernel's socket knows ours
        self.bytes.extend_from_slice(body);
    }

    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = (4 + value.len()) as u16;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(aligned(self.bytes.len()), 0);
    }

    pub(super) fn address(&mut self, kind: u16, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.attribute(kind, &address.octets()),
            IpAddr::V6(address) => self.attribute(kind, &address.octets()),
        }
    }

    /// Ends the message begun last.
    pub(super) fn end(&mut self) {
        let length = (self.bytes.len() - self.start) as u32;
        self.bytes[self.start..self.start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// What is to be sent.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// One message received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    /// The fixed body and the attributes.
    pub(super) payload: &'a [u8],
}

/// The messages of one datagram; ends at the first that does not fit.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = u32_at(rest, 0)? as usize;
        let payload = rest.get(HEADER..length)?;
        let message = Message {
            kind: u16_at(rest, 4)?,
            flags: u16_at(rest, 6)?,
            sequence: u32_at(rest, 8)?,
            payload,
        };
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes in these bytes, type and value; ends at the first that does not fit.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const TYPE_MASK: u16 = 0x3fff; // the two top bits say nested and network order (NLA_TYPE_MASK)
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = u16_at(rest, 0)? as usize;
        let kind = u16_at(rest, 2)? & TYPE_MASK;
        let value = rest.get(4..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// An address of four or sixteen bytes.
pub(super) fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    let sixteen = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(sixteen).into())
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut requests = Requests::default();
        for sequence in [7, 8] {
            requests.begin(20, 0x5, sequence, &[2, 32, 0, 0, 1, 0, 0, 0]);
            requests.address(IFA_LOCAL, "192.0.2.1".parse().unwrap());
            requests.attribute(3, b"odd");
            requests.end();
        }
        let read: Vec<_> = messages(requests.bytes()).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[1].kind, read[1].flags, read[1].sequence),
            (20, 0x5, 8)
        );
        let attributes: Vec<_> = attributes(&read[1].payload[8..]).collect();
        assert_eq!(
            attributes,
            [(IFA_LOCAL, &[192, 0, 2, 1][..]), (3, &b"odd"[..])]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            for message in messages(&bytes) {
                attributes(message.payload).for_each(drop);
            }
            attributes(&bytes).for_each(drop);
        }

        #[test]
        fn lengths_that_lie_are_survived(length in 0u32..64, value in 0u16..64, rest: [u8; 32]) {
            let mut bytes = length.to_ne_bytes().to_vec();
            bytes.extend_from_slice(&rest[..12]);
            bytes.extend_from_slice(&value.to_ne_bytes());
            bytes.extend_from_slice(&rest);
            for message in messages(&bytes) {
                attributes(message.payload).for_each(drop);
            }
        }
    }
}
