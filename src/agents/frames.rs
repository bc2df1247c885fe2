//! The frames of a takeover for either family of addresses: what is asked, said and heard of who has
//! an address. The bytes are `wire`'s.

use crate::wire::arp::{self, Operation};
use crate::wire::ethernet::Mac;
use crate::wire::ndp::{self, Kind};
use std::net::IpAddr;

/// Asks who has this address, claiming none: nobody's cache is changed by the question.
pub(super) fn probe(own: Mac, asked: IpAddr) -> Vec<u8> {
    match asked {
        IpAddr::V4(asked) => arp::probe(own, asked),
        IpAddr::V6(asked) => ndp::probe(own, asked),
    }
}

/// Tells everyone on the LAN that `own` has this address now. `router`: this node forwards IPv6.
pub(super) fn announcement(own: Mac, address: IpAddr, router: bool) -> Vec<Vec<u8>> {
    match address {
        // Some switches and hosts heed only the one and some only the other.
        IpAddr::V4(address) => [Operation::Request, Operation::Reply]
            .map(|operation| arp::announcement(operation, own, address))
            .into(),
        IpAddr::V6(address) => vec![ndp::announcement(own, address, router)],
    }
}

/// Tells one gateway, whose cache matters most and who may ignore broadcasts; nothing when it is of
/// the other family. The ARP request asks for the gateway's own address, because RFC 826 has its
/// target create the sender's entry, not only update it.
pub(super) fn announcement_to(
    own: Mac,
    address: IpAddr,
    router: bool,
    gateway: (IpAddr, Mac),
) -> Vec<Vec<u8>> {
    let (to, mac) = gateway;
    match (address, to) {
        (IpAddr::V4(address), IpAddr::V4(to)) => [Operation::Request, Operation::Reply]
            .map(|operation| arp::announcement_to(operation, own, address, mac, to))
            .into(),
        (IpAddr::V6(address), IpAddr::V6(to)) => {
            vec![ndp::announcement_to(own, address, router, mac, to)]
        }
        _ => Vec::new(),
    }
}

/// What a frame says about who has an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) address: IpAddr,
    pub(super) mac: Mac,
    /// The hardware address that the frame itself came from.
    pub(super) from: Mac,
    /// An ARP reply or a neighbour advertisement; otherwise a question asked from that address.
    pub(super) is_reply: bool,
}

/// What this frame says; nothing when it is of another protocol, or a probe, which claims nothing.
pub(super) fn heard(frame: &[u8]) -> Option<Heard> {
    let from = *frame.get(6..)?.first_chunk()?;
    if let Some(message) = arp::parse(frame) {
        return (!message.sender_ip.is_unspecified()).then_some(Heard {
            address: message.sender_ip.into(),
            mac: message.sender_mac,
            from,
            is_reply: message.operation == Operation::Reply,
        });
    }
    let message = ndp::parse(frame)?;
    let (address, is_reply) = match message.kind {
        Kind::Advertisement { .. } => (message.target, true),
        Kind::Solicitation => (message.source, false),
    };
    (!address.is_unspecified()).then_some(Heard {
        address: address.into(),
        mac: message.mac,
        from,
        is_reply,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Mac = [2, 0, 0, 0, 0, 1];

    #[test]
    fn a_probe_claims_nothing_and_an_announcement_does() {
        for address in ["192.0.2.1", "2001:db8::1"] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(heard(&probe(OWN, address)), None);
            for frame in announcement(OWN, address, false) {
                let heard = heard(&frame).unwrap();
                assert_eq!((heard.address, heard.mac), (address, OWN));
            }
        }
    }

    #[test]
    fn a_question_from_an_address_claims_it() {
        let asked = "192.0.2.9".parse().unwrap();
        let question = arp::request(OWN, "192.0.2.1".parse().unwrap(), asked);
        let expected = Heard {
            address: "192.0.2.1".parse().unwrap(),
            mac: OWN,
            from: OWN,
            is_reply: false,
        };
        assert_eq!(heard(&question), Some(expected));
        let from = "2001:db8::1".parse().unwrap();
        let question = ndp::solicitation(OWN, from, "2001:db8::9".parse().unwrap());
        assert_eq!(heard(&question).unwrap().address, IpAddr::V6(from));
    }

    #[test]
    fn a_frame_says_where_it_came_from_whatever_it_claims() {
        for address in ["192.0.2.1", "2001:db8::1"] {
            for mut frame in announcement(OWN, address.parse().unwrap(), false) {
                frame[6..12].fill(6);
                let heard = heard(&frame).unwrap();
                assert_eq!((heard.mac, heard.from), (OWN, [6; 6]));
            }
        }
    }

    #[test]
    fn a_gateway_of_the_other_family_is_told_nothing() {
        let gateway = ("2001:db8::9".parse().unwrap(), OWN);
        let told = announcement_to(OWN, "192.0.2.1".parse().unwrap(), false, gateway);
        assert_eq!(told, Vec::<Vec<u8>>::new());
    }
}
