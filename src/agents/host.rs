//! What this machine looks like from the network: the facts that `check` and the daemon resolve
//! ha.toml against.

use ipnet::IpNet;
use std::net::IpAddr;

/// One look at the machine's network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Every interface, by index.
    pub interfaces: Vec<Interface>,
    /// Every default route with a gateway: the interface's index and the gateway.
    pub default_gateways: Vec<(u32, IpAddr)>,
    /// Whether a service may listen on an address that this machine does not have: for IPv4, and for IPv6.
    pub nonlocal_bind: [bool; 2],
}

/// One network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its hardware address; zero where it has none of six bytes.
    pub mac: [u8; 6],
    /// Administratively up (IFF_UP).
    pub up: bool,
    /// Its cable is live (IFF_LOWER_UP).
    pub carrier: bool,
    /// Its operational state (RFC 2863, IF_OPER_UP in linux/if.h) is up, or not told by its driver: a
    /// port that still waits for 802.1X has a carrier and is dormant.
    pub operational: bool,
    /// The longest packet, in bytes.
    pub mtu: u32,
    /// What IPv6 does on it.
    pub ipv6: Ipv6,
    /// The bridge, bond or team that it is a port of.
    pub master: Option<u32>,
    /// What that says of it: a bridge's port state, or whether a bond uses it.
    pub port_state: Option<u8>,
    /// The interface that it stands on (a VLAN's, a macvlan's).
    pub lower: Option<u32>,
    /// Its addresses with their prefixes, in the kernel's order.
    pub addresses: Vec<IpNet>,
}

/// What IPv6 does on an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ipv6 {
    /// Nothing: the kernel has none, or the interface's packets are too short for it (1280 bytes).
    #[default]
    Absent,
    /// It is switched off there (`disable_ipv6`).
    Off,
    /// A host.
    Host,
    /// A router, which its announcements must not deny (RFC 4861 section 7.2.5).
    Router,
}
