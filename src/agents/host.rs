//! What this machine looks like from the network: the facts that `check` and the daemon resolve
//! ha.toml against.

use ipnet::IpNet;
use std::collections::HashSet;
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
    /// Every route without a gateway, but for default ones: the interface's index, and what is reached there
    /// directly.
    pub on_link: Vec<(u32, IpNet)>,
    /// The addresses that no connection starts from (preferred lifetime 0): so are VIPs installed.
    pub deprecated: Vec<IpAddr>,
    /// The interfaces, by index, that drop what they would not answer through themselves (`rp_filter` = 1).
    pub strict: Vec<u32>,
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

impl Host {
    /// Every address but those that are installed as VIPs are.
    pub fn standing(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let deprecated: HashSet<IpAddr> = self.deprecated.iter().copied().collect();
        let all = self.interfaces.iter().flat_map(|i| &i.addresses);
        let standing = all.filter(move |net| {
            let single = net.prefix_len() == net.max_prefix_len();
            !(single && deprecated.contains(&net.addr()))
        });
        standing.map(IpNet::addr)
    }

    /// Whether this address is the machine's own and no VIP that somebody configured here: the only one in
    /// its network on an interface. Without it the machine would lose that network and its routes.
    pub fn own(
        &self,
        address: IpAddr,
        is_vip: impl Fn(IpAddr) -> bool,
    ) -> Option<(&Interface, IpNet)> {
        self.interfaces.iter().find_map(|interface| {
            let deprecated = |net: &IpNet| self.deprecated.contains(&net.addr());
            let own = own(address, &interface.addresses, deprecated, &is_vip)?;
            Some((interface, own))
        })
    }
}

/// The same for one interface's addresses.
pub(super) fn own(
    address: IpAddr,
    addresses: &[IpNet],
    deprecated: impl Fn(&IpNet) -> bool,
    is_vip: impl Fn(IpAddr) -> bool,
) -> Option<IpNet> {
    let single = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
    let of_vip = |net: &IpNet| single(net) && deprecated(net);
    let mut candidates = addresses.iter();
    let own = candidates.find(|net| net.addr() == address && !of_vip(net))?;
    let beside = |net: &&IpNet| {
        // A single address stands in no network: then any other one of its family does.
        let together = single(own) || own.contains(&net.addr()) || net.contains(&address);
        let other = net.addr() != address && net.addr().is_ipv4() == address.is_ipv4();
        other && together && !link_local(net.addr()) && !is_vip(net.addr()) && !of_vip(net)
    };
    let alone = !addresses.iter().any(|net| beside(&net));
    alone.then_some(*own)
}

fn link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}
