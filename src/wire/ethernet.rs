//! Ethernet headers (IEEE 802.3), as packet sockets carry them: without the frame check sequence,
//! and without padding, which the sender's driver adds.

use pnet_packet::ethernet::{EtherType, EthernetPacket, MutableEthernetPacket};

/// A hardware address.
pub type Mac = [u8; 6];

/// Every station on the network.
pub const BROADCAST: Mac = [0xff; 6];

/// A whole frame.
pub(super) fn frame(to: Mac, from: Mac, kind: EtherType, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; MutableEthernetPacket::minimum_packet_size() + payload.len()];
    if let Some(mut frame) = MutableEthernetPacket::new(&mut bytes) {
        frame.set_destination(to.into());
        frame.set_source(from.into());
        frame.set_ethertype(kind);
        frame.set_payload(payload);
    }
    bytes
}

/// Source and payload of a frame of that kind. The payload may end in padding.
pub(super) fn open(frame: &[u8], kind: EtherType) -> Option<(Mac, &[u8])> {
    let source = match EthernetPacket::new(frame)? {
        header if header.get_ethertype() == kind => header.get_source(),
        _ => return None,
    };
    let payload = frame.get(EthernetPacket::minimum_packet_size()..)?;
    Some((source.into(), payload))
}

/// Hex with blanks between, for byte fixtures.
#[cfg(test)]
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits.chunks(2).map(|two| two[0] << 4 | two[1]).collect()
}
