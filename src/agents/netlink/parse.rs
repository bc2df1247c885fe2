//! The kernel's answers and events as values: addresses, links, default routes, neighbours.
//!
//! Each message is a fixed structure and attributes behind it; whatever is not understood or too
//! short is no value.

use super::message::{
    IFA_ADDRESS, IFA_CACHEINFO, IFA_FLAGS, IFA_LOCAL, Message, address, attributes, u16_at, u32_at,
};
use super::{Installed, Neighbour};
use crate::agents::host::{Interface, Ipv6};
use ipnet::IpNet;
use std::net::IpAddr;

/// An RTM_NEWADDR or RTM_DELADDR.
pub(super) fn installed(message: &Message) -> Option<Installed> {
    const BODY: usize = 8; // struct ifaddrmsg
    let body = message.payload.get(..BODY)?;
    let mut flags = u32::from(body[2]);
    let (mut local, mut peer, mut lifetime) = (None, None, None);
    for (kind, value) in attributes(&message.payload[BODY..]) {
        match kind {
            IFA_LOCAL => local = address(value),
            IFA_ADDRESS => peer = address(value),
            IFA_FLAGS => flags = u32_at(value, 0)?,
            IFA_CACHEINFO => lifetime = u32_at(value, 4),
            _ => {}
        }
    }
    Some(Installed {
        interface: u32_at(body, 4)?,
        // IPv6 has IFA_LOCAL only on point-to-point links, where IFA_ADDRESS is the peer's.
        address: local.or(peer)?,
        prefix: body[1],
        usable: flags & (libc::IFA_F_TENTATIVE | libc::IFA_F_DADFAILED) == 0,
        deprecated: flags & libc::IFA_F_DEPRECATED != 0,
        lifetime: lifetime.filter(|seconds| *seconds != u32::MAX),
    })
}

/// The port that a bridge tells of in an RTM_NEWLINK or RTM_DELLINK.
pub(super) fn port(message: &Message) -> Option<u32> {
    let bridge = i32::from(*message.payload.first()?) == libc::AF_BRIDGE;
    bridge.then(|| u32_at(message.payload, 4)).flatten()
}

/// An RTM_NEWLINK or RTM_DELLINK.
pub(super) fn interface(message: &Message) -> Option<Interface> {
    const BODY: usize = 16; // struct ifinfomsg
    // linux/if_link.h
    const IFLA_ADDRESS: u16 = 1;
    const IFLA_IFNAME: u16 = 3;
    const IFLA_MTU: u16 = 4;
    const IFLA_LINK: u16 = 5;
    const IFLA_MASTER: u16 = 10;
    const IFLA_OPERSTATE: u16 = 16;
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_AF_SPEC: u16 = 26;
    const LOWER_UP: u32 = 1 << 16; // IFF_LOWER_UP
    const UNKNOWN: u8 = 0; // IF_OPER_UNKNOWN
    const UP: u8 = 6; // IF_OPER_UP
    let body = message.payload.get(..BODY)?;
    // A bridge tells of its ports in messages of the same type; they are not the interface.
    if i32::from(body[0]) == libc::AF_BRIDGE {
        return None;
    }
    let flags = u32_at(body, 8)?;
    let mut found = Interface {
        index: u32_at(body, 4)?,
        name: String::new(),
        mac: [0; 6],
        up: flags & libc::IFF_UP as u32 != 0,
        carrier: flags & LOWER_UP != 0,
        operational: true,
        ..Interface::default()
    };
    for (kind, value) in attributes(&message.payload[BODY..]) {
        match kind {
            IFLA_ADDRESS => found.mac = value.try_into().unwrap_or_default(),
            IFLA_IFNAME => {
                let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
                found.name = String::from_utf8_lossy(name).into_owned();
            }
            IFLA_MTU => found.mtu = u32_at(value, 0)?,
            IFLA_LINK => found.lower = u32_at(value, 0).filter(|index| *index != found.index),
            IFLA_MASTER => found.master = u32_at(value, 0),
            IFLA_OPERSTATE => found.operational = matches!(value.first(), Some(&(UNKNOWN | UP))),
            IFLA_LINKINFO => found.port_state = port_state(value),
            IFLA_AF_SPEC => found.ipv6 = ipv6(value),
            _ => {}
        }
    }
    Some(found)
}

/// What a port's bridge or bond says of it: IFLA_BRPORT_STATE or IFLA_BOND_SLAVE_STATE, which have the
/// same number.
fn port_state(link_info: &[u8]) -> Option<u8> {
    const IFLA_INFO_SLAVE_DATA: u16 = 5;
    const STATE: u16 = 1;
    let data = attribute(link_info, IFLA_INFO_SLAVE_DATA)?;
    attribute(data, STATE)?.first().copied()
}

/// What IPv6 does there: IFLA_INET6_CONF, an array of which the forms grow at the end (linux/ipv6.h).
fn ipv6(af_spec: &[u8]) -> Ipv6 {
    const AF_INET6: u16 = libc::AF_INET6 as u16;
    const IFLA_INET6_CONF: u16 = 2;
    const DEVCONF_FORWARDING: usize = 0;
    const DEVCONF_DISABLE_IPV6: usize = 26;
    let v6 = attribute(af_spec, AF_INET6);
    let Some(settings) = v6.and_then(|v6| attribute(v6, IFLA_INET6_CONF)) else {
        return Ipv6::Absent;
    };
    let set = |index: usize| u32_at(settings, 4 * index).is_some_and(|value| value != 0);
    match (set(DEVCONF_DISABLE_IPV6), set(DEVCONF_FORWARDING)) {
        (true, _) => Ipv6::Off,
        (false, true) => Ipv6::Router,
        (false, false) => Ipv6::Host,
    }
}

fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(kind, value)| (kind == wanted).then_some(value))
}

/// The gateways of an RTM_NEWROUTE, where it is a default route.
pub(super) fn default_gateways(message: &Message) -> Vec<(u32, IpAddr)> {
    const RTA_OIF: u16 = 4;
    const RTA_GATEWAY: u16 = 5;
    const RTA_MULTIPATH: u16 = 9;
    const RTA_VIA: u16 = 18; // an IPv6 gateway of an IPv4 route: family u16, address
    let Some(all) = default_route(message) else {
        return Vec::new();
    };
    let gateway_in = |bytes: &[u8]| {
        attributes(bytes).find_map(|(kind, value)| match kind {
            RTA_GATEWAY => address(value),
            RTA_VIA => address(value.get(2..)?),
            _ => None,
        })
    };
    let mut found = Vec::new();
    let interface = attributes(all).find(|(kind, _)| *kind == RTA_OIF);
    if let (Some((_, index)), Some(gateway)) = (interface, gateway_in(all)) {
        found.extend(u32_at(index, 0).map(|index| (index, gateway)));
    }
    for (_, several) in attributes(all).filter(|(kind, _)| *kind == RTA_MULTIPATH) {
        for (index, inner) in next_hops(several) {
            found.extend(gateway_in(inner).map(|gateway| (index, gateway)));
        }
    }
    found
}

/// What an RTM_NEWROUTE says is reached on an interface without a gateway, be it one host; a default route
/// says nothing of that kind.
pub(super) fn on_link_route(message: &Message) -> Option<(u32, IpNet)> {
    const BODY: usize = 12; // struct rtmsg
    const RTA_DST: u16 = 1;
    const RTA_OIF: u16 = 4;
    const RTA_GATEWAY: u16 = 5;
    const RTA_VIA: u16 = 18;
    let body = message.payload.get(..BODY)?;
    let (destination_bits, kind) = (body[1], body[7]);
    if destination_bits == 0 || kind != libc::RTN_UNICAST {
        return None;
    }
    let (mut destination, mut interface) = (None, None);
    for (kind, value) in attributes(&message.payload[BODY..]) {
        match kind {
            RTA_DST => destination = address(value),
            RTA_OIF => interface = u32_at(value, 0),
            RTA_GATEWAY | RTA_VIA => return None,
            _ => {}
        }
    }
    Some((interface?, IpNet::new(destination?, destination_bits).ok()?))
}

/// The hops of a route with several: each one's interface and attributes.
///
/// ```text
/// rtnexthop: length u16 | flags u8 | hops u8 | interface u32, then attributes   (linux/rtnetlink.h)
/// ```
fn next_hops(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let hop = (u32_at(rest, 4)?, rest.get(8..length)?);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(hop)
    })
}

/// The attributes of a route message, where it is a unicast default route.
pub(super) fn default_route<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    const BODY: usize = 12; // struct rtmsg
    let body = message.payload.get(..BODY)?;
    let (destination_bits, kind) = (body[1], body[7]);
    (destination_bits == 0 && kind == libc::RTN_UNICAST).then(|| &message.payload[BODY..])
}

/// An RTM_NEWNEIGH whose hardware address is known.
pub(super) fn neighbour(message: &Message) -> Option<Neighbour> {
    const BODY: usize = 12; // struct ndmsg
    const NDA_DST: u16 = 1;
    const NDA_LLADDR: u16 = 2;
    const UNKNOWN: u16 = 0x01 | 0x20; // NUD_INCOMPLETE | NUD_FAILED
    let body = message.payload.get(..BODY)?;
    if u16_at(body, 8)? & UNKNOWN != 0 {
        return None;
    }
    let mut found = (None, None);
    for (kind, value) in attributes(&message.payload[BODY..]) {
        match kind {
            NDA_DST => found.0 = address(value),
            NDA_LLADDR => found.1 = value.try_into().ok(),
            _ => {}
        }
    }
    Some(Neighbour {
        interface: u32_at(body, 4)?,
        address: found.0?,
        mac: found.1?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_payload_is_survived(bytes: Vec<u8>, default in any::<bool>()) {
            let mut payload = bytes;
            if let (true, [_, destination_bits, _, _, _, _, _, kind, ..]) = (default, &mut payload[..]) {
                (*destination_bits, *kind) = (0, libc::RTN_UNICAST); // on into the gateways
            }
            let message = Message { kind: 0, flags: 0, sequence: 0, payload: &payload };
            let _ = (installed(&message), interface(&message), neighbour(&message));
            let _ = port(&message);
            default_gateways(&message);
            on_link_route(&message);
            next_hops(&payload).for_each(drop);
        }
    }
}
