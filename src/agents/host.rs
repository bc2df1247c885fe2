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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Its addresses with their prefixes, in the kernel's order.
    pub addresses: Vec<IpNet>,
}
