//! What comes from the network: heartbeats, ARP, neighbour discovery, echoes.

use ha_appliance::wire::codec::{Reject, decode, encode};
use ha_appliance::wire::heartbeat::{
    Heartbeat, MAX_CHALLENGES, MAX_DATAGRAM, MAX_GROUPS, MAX_TEXT, MAX_VIFS,
};
use ha_appliance::wire::icmp::Echo;
use ha_appliance::wire::key::Keyring;
use ha_appliance::wire::ndp::{self, Kind};
use ha_appliance::wire::{arp, ethernet};
use hmac::{Hmac, KeyInit, Mac};
use pnet_packet::ip::IpNextHeaderProtocols::Icmpv6;
use pnet_packet::util::{checksum, ipv6_checksum};
use sha2::Sha256;
use std::net::Ipv6Addr;

/// As received, and once more with a right MAC around what stands behind it: only a sender with the
/// key gets further than that, and even that one does no harm.
pub fn heartbeat(bytes: &[u8]) {
    let keys = keys();
    judge(bytes, &keys);

    let body = bytes.get(20..).unwrap_or_default();
    let mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    let mac = mac.chain_update(b"HAhb").chain_update(body).finalize();
    judge(&[b"HAhb", &mac.into_bytes()[..16], body].concat(), &keys);
}

fn judge(datagram: &[u8], keys: &Keyring) {
    match decode(datagram, keys) {
        Ok(heartbeat) => said_again(&heartbeat, keys),
        Err(Reject::Malformed { offset, .. }) => assert!(offset <= datagram.len()),
        Err(_) => {}
    }
}

/// What was heard is within the limits, can be said again and means the same. Only wishes and
/// listed resources may be left to a later heartbeat.
fn said_again(heard: &Heartbeat, keys: &Keyring) {
    assert!(heard.groups.len() <= MAX_GROUPS && heard.wishes.len() <= MAX_GROUPS + 3);
    assert!(heard.challenges.len() <= MAX_CHALLENGES && heard.vifs.len() <= MAX_VIFS);
    let text = heard.answer.as_ref().map_or("", |answer| &answer.text);
    assert!(text.len() <= MAX_TEXT);

    let datagram = encode(heard, keys);
    assert!(datagram.len() <= MAX_DATAGRAM);
    let again = decode(&datagram, keys).unwrap();
    let mut wishes = heard.wishes.iter();
    assert!(again.wishes.iter().all(|w| wishes.any(|other| other == w)));
    let mut expected = heard.clone();
    expected.wishes = again.wishes.clone();
    let mut listed = heard.listed.iter();
    assert!((again.listed.iter()).all(|l| listed.any(|other| other == l)));
    expected.listed = again.listed.clone();
    assert_eq!(again, expected);
}

/// The heartbeat in a captured datagram.
#[allow(dead_code)] // libFuzzer does not ask
pub fn heard(datagram: &[u8]) -> Option<Heartbeat> {
    decode(datagram, &keys()).ok()
}

/// The pair that was captured signed with it; it was made for that alone.
const KEY: [u8; 32] = [
    0x17, 0x50, 0x26, 0x62, 0x9f, 0x06, 0x95, 0xa5, 0x53, 0xdc, 0xf5, 0x6a, 0xc8, 0xb1, 0x7f, 0x7f,
    0xb7, 0x69, 0x4c, 0xed, 0x5b, 0xb7, 0x05, 0x8a, 0xe0, 0xf4, 0x90, 0x2c, 0x43, 0xdd, 0x3d, 0xba,
];

fn keys() -> Keyring {
    Keyring::new(vec![KEY.to_vec()]).unwrap()
}

/// What is read can be sent, and is read again.
pub fn arp(frame: &[u8]) {
    if let Some(heard) = arp::parse(frame) {
        assert_eq!(arp::parse(&heard.frame(ethernet::BROADCAST)), Some(heard));
    }
}

/// As received, and once more with length and checksum put right.
pub fn ndp(frame: &[u8]) {
    neighbour(frame);
    if let Some(message) = frame.get(54..)
        && message.len() > 4
    {
        let end =
            |from: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&frame[from..from + 16]).unwrap());
        let sum = ipv6_checksum(message, 1, &[], &end(22), &end(38), Icmpv6);
        let mut frame = frame.to_vec();
        let length = (frame.len() - 54) as u16;
        frame[18..20].copy_from_slice(&length.to_be_bytes());
        frame[56..58].copy_from_slice(&sum.to_be_bytes());
        neighbour(&frame);
    }
}

/// Whoever is heard stands in the frame, and is one that RFC 4861 lets speak.
fn neighbour(frame: &[u8]) {
    let Some(heard) = ndp::parse(frame) else {
        return;
    };
    assert_eq!(frame[22..38], heard.source.octets());
    assert_eq!(frame[62..78], heard.target.octets());
    assert!(frame.windows(6).any(|six| six == heard.mac));
    assert!(!heard.target.is_multicast() && frame[21] == ndp::HOP_LIMIT);
    if heard.kind == Kind::Solicitation && heard.source.is_unspecified() {
        assert_eq!(frame[6..12], heard.mac);
    }
}

/// As an IPv4 packet, as a message of either family, and with the checksum put right.
pub fn echo(bytes: &[u8]) {
    let mut message = bytes.to_vec();
    if message.len() >= 4 {
        let sum = checksum(&message, 1);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    let v4 = [
        Echo::parse_v4_packet(bytes),
        Echo::parse_v4(bytes),
        Echo::parse_v4(&message),
    ];
    for echo in v4.into_iter().flatten() {
        assert_eq!(Echo::parse_v4(&echo.encode_v4()), Some(echo));
    }
    if let Some(echo) = Echo::parse_v6(bytes) {
        assert_eq!(Echo::parse_v6(&echo.encode_v6()), Some(echo));
    }
}
