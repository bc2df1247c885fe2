//! What goes over the wire: RMCP (ASF 2.0 section 3.2), RMCP+ sessions (IPMI 2.0 section 13.6), and the IPMI
//! messages in them (section 13.8). All numbers are little endian.

use super::suite::{IV, Keys};

/// A packet as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What it carries.
    pub kind: Kind,
    /// The receiver's session; zero: outside of any.
    pub session: u32,
    /// Its number in the session, which counts up.
    pub sequence: u32,
    /// What it carries, proven and decrypted where it is inside of a session.
    pub payload: Vec<u8>,
}

/// What a packet carries (table 13-16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An IPMI message.
    Ipmi,
    /// A message of a session's set-up, 10h to 15h.
    SetUp(u8),
}

/// An IPMI message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Network function: the request's, and one more in its response.
    pub netfn: u8,
    /// Which request, 0 to 63.
    pub number: u8,
    /// The command.
    pub command: u8,
    /// What goes with it; in a response the completion code first.
    pub data: Vec<u8>,
    /// One of the two checksums is wrong: some BMCs send such, in packets that are proven.
    pub damaged: bool,
}

/// Version 1.0, no RMCP acknowledgement, class IPMI.
const RMCP: [u8; 4] = [0x06, 0x00, 0xff, 0x07];
/// RMCP+.
const FORMAT: u8 = 0x06;
const ENCRYPTED: u8 = 0x80;
const AUTHENTICATED: u8 = 0x40;
/// The only "next header" there is.
const NEXT: u8 = 0x07;
/// The addresses of the BMC and of a console.
const BMC: u8 = 0x20;
const CONSOLE: u8 = 0x81;
/// What stands before the payload, beside the RMCP header.
const HEADER: usize = 12;

/// Outside of any session.
pub fn set_up(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = RMCP.to_vec();
    packet.extend(header(kind, 0, 0, payload.len()));
    packet.extend(payload);
    packet
}

/// Inside of one, signed and sealed.
pub fn sealed(keys: &Keys, session: u32, sequence: u32, iv: [u8; IV], message: &[u8]) -> Vec<u8> {
    let payload = keys.seal(iv, message);
    let kind = ENCRYPTED | AUTHENTICATED;
    let mut signed = header(kind, session, sequence, payload.len()).to_vec();
    signed.extend(payload);
    // From the format byte to the next header it is a multiple of four.
    let pad = (4 - (signed.len() + 2) % 4) % 4;
    signed.extend(std::iter::repeat_n(0xff, pad));
    signed.extend([pad as u8, NEXT]);
    let proof = keys.sign(&signed);
    [&RMCP[..], &signed, &proof].concat()
}

/// Reads a packet; None: it is none of these, or what it claims is not proven. In a session everything is.
pub fn read(bytes: &[u8], keys: Option<&Keys>) -> Option<Packet> {
    let packet = bytes.strip_prefix(&RMCP[..])?;
    let header = packet.get(..HEADER)?;
    let (format, kind) = (header[0], header[1]);
    let session = u32::from_le_bytes(header[2..6].try_into().ok()?);
    let sequence = u32::from_le_bytes(header[6..10].try_into().ok()?);
    let length = usize::from(u16::from_le_bytes([header[10], header[11]]));
    let payload = packet.get(HEADER..HEADER + length)?;
    if format != FORMAT {
        return None;
    }
    match (kind, keys) {
        (0x10..=0x15, _) if session == 0 => Some(Packet {
            kind: Kind::SetUp(kind),
            session,
            sequence,
            payload: payload.to_vec(),
        }),
        (kind, Some(keys)) if kind == ENCRYPTED | AUTHENTICATED && session != 0 => {
            let end = packet.len().checked_sub(keys.proof())?;
            let (signed, proof) = packet.split_at(end);
            if signed.len() < HEADER + length || !keys.verifies(signed, proof) {
                return None;
            }
            Some(Packet {
                kind: Kind::Ipmi,
                session,
                sequence,
                payload: keys.open(payload)?,
            })
        }
        _ => None,
    }
}

/// A request, as a message.
pub fn request(netfn: u8, number: u8, command: u8, data: &[u8]) -> Vec<u8> {
    message(BMC, netfn, CONSOLE, (number, command), data)
}

/// A response, as a message.
pub fn response(netfn: u8, number: u8, command: u8, data: &[u8]) -> Vec<u8> {
    message(CONSOLE, netfn, BMC, (number, command), data)
}

/// Reads a message; None: it is too short for one.
pub fn read_message(bytes: &[u8]) -> Option<Message> {
    let [to, netfn, head, from, number, command, data @ .., tail] = bytes else {
        return None;
    };
    let rest = [*from, *number, *command];
    let damaged = *head != checksum(&[&[*to, *netfn]]) || *tail != checksum(&[&rest, data]);
    Some(Message {
        netfn: netfn >> 2,
        number: number >> 2,
        command: *command,
        data: data.to_vec(),
        damaged,
    })
}

fn message(to: u8, netfn: u8, from: u8, (number, command): (u8, u8), data: &[u8]) -> Vec<u8> {
    let (head, rest) = ([to, netfn << 2], [from, number << 2, command]);
    let sums = [checksum(&[&head]), checksum(&[&rest, data])];
    [&head[..], &sums[..1], &rest, data, &sums[1..]].concat()
}

/// Two's complement: all bytes and this make zero.
fn checksum(parts: &[&[u8]]) -> u8 {
    let bytes = parts.iter().copied().flatten();
    bytes.fold(0u8, |sum, byte| sum.wrapping_sub(*byte))
}

fn header(kind: u8, session: u32, sequence: u32, length: usize) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    (header[0], header[1]) = (FORMAT, kind);
    header[2..6].copy_from_slice(&session.to_le_bytes());
    header[6..10].copy_from_slice(&sequence.to_le_bytes());
    header[10..12].copy_from_slice(&(length as u16).to_le_bytes());
    header
}
