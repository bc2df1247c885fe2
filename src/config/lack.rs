//! What a VIP interface of this machine lacks to carry VIPs. A state of the machine, like a carrier: no failure of
//! the VIPs that wait for it.

use crate::agents::host::{Interface, Ipv6};
use std::fmt;
use std::net::IpAddr;

/// What is lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The interface itself.
    Interface,
    /// It is down.
    Up,
    /// An address of its own, by which it was found or by which a gateway is asked.
    OwnAddress,
    /// IPv6: it is switched off there.
    Ipv6,
    /// IPv6: this kernel has none.
    KernelIpv6,
    /// Packets of 1280 bytes, without which there is no IPv6 (RFC 8200 section 5). These are the longest.
    Mtu(u32),
}

/// The two families of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The smallest MTU with which the kernel does IPv6 (IPV6_MIN_MTU in net/ipv6.h).
const IPV6_MTU: u32 = 1280;

impl Family {
    /// That of an address.
    pub fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

impl Lack {
    /// What an interface lacks for VIPs of a family; `own` are the addresses that it needs one of, where it needs
    /// one.
    pub fn of(
        interface: Option<&Interface>,
        family: Family,
        own: Option<&[IpAddr]>,
    ) -> Option<Lack> {
        let Some(interface) = interface else {
            return Some(Lack::Interface);
        };
        if !interface.up {
            return Some(Lack::Up);
        }
        if family == Family::V6 {
            match interface.ipv6 {
                Ipv6::Absent if interface.mtu < IPV6_MTU => return Some(Lack::Mtu(interface.mtu)),
                Ipv6::Absent => return Some(Lack::KernelIpv6),
                Ipv6::Off => return Some(Lack::Ipv6),
                Ipv6::Host | Ipv6::Router => {}
            }
        }
        let bare = own.is_some_and(|own| !own.iter().any(|one| Family::of(*one) == family));
        bare.then_some(Lack::OwnAddress)
    }

    /// It concerns IPv6 alone.
    pub fn is_of_ipv6(self) -> bool {
        matches!(self, Lack::Ipv6 | Lack::KernelIpv6 | Lack::Mtu(_))
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Interface => f.write_str("it does not exist"),
            Lack::Up => f.write_str("it is down"),
            Lack::OwnAddress => f.write_str("it has no address of its own"),
            Lack::Ipv6 => f.write_str("IPv6 is off there, see net.ipv6.conf.*.disable_ipv6"),
            Lack::KernelIpv6 => f.write_str("this kernel has no IPv6"),
            Lack::Mtu(mtu) => write!(f, "its MTU is {mtu}, and IPv6 needs {IPV6_MTU}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lack_is_told_from_the_others_and_by_family() {
        let well = Interface {
            up: true,
            mtu: 1500,
            ipv6: Ipv6::Host,
            ..Interface::default()
        };
        let with = |mtu, ipv6| Interface {
            mtu,
            ipv6,
            ..well.clone()
        };
        let down = Interface {
            up: false,
            ..well.clone()
        };
        let v4: IpAddr = [192, 0, 2, 1].into();
        let own = [v4];
        for (interface, own, expected) in [
            (None, None, [Some(Lack::Interface); 2]),
            (Some(&down), None, [Some(Lack::Up); 2]),
            (Some(&well), None, [None; 2]),
            (Some(&well), Some(&own[..]), [None, Some(Lack::OwnAddress)]),
            (Some(&well), Some(&[][..]), [Some(Lack::OwnAddress); 2]),
            (Some(&with(1500, Ipv6::Router)), None, [None; 2]),
            (Some(&with(1500, Ipv6::Off)), None, [None, Some(Lack::Ipv6)]),
            (
                Some(&with(1279, Ipv6::Absent)),
                None,
                [None, Some(Lack::Mtu(1279))],
            ),
            (
                Some(&with(1280, Ipv6::Absent)),
                None,
                [None, Some(Lack::KernelIpv6)],
            ),
        ] {
            let lacks = [Family::V4, Family::V6].map(|family| Lack::of(interface, family, own));
            assert_eq!(lacks, expected, "{interface:?} {own:?}");
        }
    }
}
