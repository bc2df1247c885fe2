//! The kernel's answers and events as values: addresses, links, default routes, neighbours.
//!
//! Each message is a fixed structure and attributes behind it; whatever is not understood or too
//! short is no value.

use super::message::{
    IFA_ADDRESS, IFA_CACHEINFO, IFA_FLAGS, IFA_LOCAL, Message, address, attributes, u16_at, u32_at,
};
use super::{Installed, Neighbour};
use crate::agents::host::Interface;
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
        lifetime: lifetime.filter(|seconds| *seconds != u32::MAX),
    })
}

/// An RTM_NEWLINK or RTM_DELLINK.
pub(super) fn interface(message: &Message) -> Option<Interface> {
    const BODY: usize = 16; // struct ifinfomsg
    const IFLA_ADDRESS: u16 = 1;
    const IFLA_IFNAME: u16 = 3;
    const LOWER_UP: u32 = 1 << 16; // IFF_LOWER_UP
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
        addresses: Vec::new(),
    };
    for (kind, value) in attributes(&message.payload[BODY..]) {
        match kind {
            IFLA_ADDRESS => found.mac = value.try_into().unwrap_or_default(),
            IFLA_IFNAME => {
                let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
                found.name = String::from_utf8_lossy(name).into_owned();
            }
            _ => {}
        }
    }
    Some(found)
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
    for (_, mut hops) in attributes(all).filter(|(kind, _)| *kind == RTA_MULTIPATH) {
        // struct rtnexthop: length u16, flags u8, hops u8, interface i32; then attributes.
        while let Some(length) = u16_at(hops, 0)
            && let Some(inner) = hops.get(8..length as usize)
        {
            if let (Some(index), Some(gateway)) = (u32_at(hops, 4), gateway_in(inner)) {
                found.push((index, gateway));
            }
            hops = hops
                .get((length as usize).next_multiple_of(4)..)
                .unwrap_or_default();
        }
    }
    found
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
