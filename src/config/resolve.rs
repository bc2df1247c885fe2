//! Finds links, VIP interfaces and gateways in a look at the machine.
//!
//! Pure: the same file and the same look give the same answer. Called again whenever the machine's
//! network changes, so nothing found missing is more than a warning.

use super::address::is_link_local_v6;
use super::fencing;
use super::fit::network_of;
use super::known::Known;
use super::lack::{Family, Lack};
use super::mount;
use super::schema::{Config, Group, Vip};
use super::service;
use super::vifs::{self, Spec};
use super::warning::Warning;
use crate::agents::host::{Host, Interface};
use crate::core::time::Time;
use crate::id::VifId;
use crate::wire::heartbeat::Side;
use ipnet::IpNet;
use std::net::IpAddr;

/// ha.toml as it applies to this machine now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Every link of this node, in the file's order.
    pub links: Vec<Link>,
    /// The VIP interfaces, in order of first mention. The same interface stands
    /// here twice only when `interface` tables say that it is two on the peer.
    pub vifs: Vec<Vif>,
    /// Per group, per VIP: its place in `vifs`.
    pub vip_vifs: Vec<Vec<usize>>,
}

/// A path for heartbeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its place in both nodes' `links`.
    pub index: usize,
    /// This node's end.
    pub local: IpAddr,
    /// The peer's end.
    pub peer: IpAddr,
    /// The index of the interface that has `local`; none yet.
    pub interface: Option<u32>,
    /// That interface's name.
    pub interface_name: Option<String>,
}

/// A VIP interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vif {
    /// What both nodes know it by.
    pub id: VifId,
    /// Its name; none while the file does not say it and no network of this machine tells.
    pub name: Option<String>,
    /// The kernel's index; none while it does not exist.
    pub index: Option<u32>,
    /// What is pinged through it; may be empty.
    pub gateways: Vec<IpAddr>,
    /// What it lacks now for its VIPs, by their family.
    pub lacks: Vec<(Family, Lack)>,
}

/// Applies a file to the machine.
pub fn resolve(config: &Config, side: Side, host: &Host) -> (Resolved, Vec<Warning>) {
    resolve_again(config, side, host, &mut Known::default(), Time(0))
}

/// Applies a file to the machine once more, and remembers what was found.
pub fn resolve_again(
    config: &Config,
    side: Side,
    host: &Host,
    known: &mut Known,
    now: Time,
) -> (Resolved, Vec<Warning>) {
    let mut warnings = Vec::new();
    if config.fencing.is_none() {
        warnings.push(Warning::Unprotected);
    }
    let links = links(config, side, host, &mut warnings);
    let places = places(config, side, host, known, &mut warnings);
    for place in &places.list {
        check_place(place, config, host, &mut warnings);
    }
    no_interlink(&links, &places.list, &mut warnings);
    let gateways = gateways(config, host, &places.list, (known, now), &mut warnings);
    for group in &config.groups {
        service::warn(group, config.fencing.is_some(), host, &mut warnings);
        mount::warn(group, config.fencing.is_some(), &mut warnings);
    }
    warnings.extend(fencing::warn(config, side, host));
    let vifs = places
        .list
        .iter()
        .zip(gateways)
        .map(|(place, gateways)| Vif {
            id: place.id,
            name: place.name.clone(),
            index: place.interface.map(|interface| interface.index),
            lacks: lacks(place, config, &gateways),
            gateways,
        });
    let resolved = Resolved {
        links,
        vifs: vifs.collect(),
        vip_vifs: places.of_vips,
    };
    (resolved, warnings)
}

fn links(config: &Config, side: Side, host: &Host, warnings: &mut Vec<Warning>) -> Vec<Link> {
    let peer = config.node(side.other());
    let pairs = config.node(side).links.iter().zip(&peer.links);
    let mut links: Vec<Link> = Vec::new();
    for (index, (&local, &remote)) in pairs.enumerate() {
        let interface = having(host, local);
        match interface {
            None => warnings.push(Warning::LinkAbsent { local }),
            Some(interface) if !live(interface) => warnings.push(Warning::LinkDown {
                local,
                interface: interface.name.clone(),
            }),
            Some(_) => {}
        }
        if let Some(interface) = interface {
            let twin = links
                .iter()
                .find(|link| link.interface == Some(interface.index));
            if let Some(twin) = twin {
                warnings.push(Warning::LinksShareInterface {
                    locals: [twin.local, local],
                    interface: interface.name.clone(),
                });
            }
        }
        if let Some(interface) = interface {
            let crossed = |net: &IpNet| peer.links.iter().any(|other| net.contains(other));
            match network_of(host, local) {
                Some((_, network)) if network.contains(&remote) => {
                    warnings.extend(filtered(host, interface, network, local, remote));
                }
                // One that leads into another link's network is a misfit.
                Some((_, network)) if !crossed(&network) => warnings.push(Warning::LinkRouted {
                    local,
                    peer: remote,
                    network,
                }),
                _ => {}
            }
        }
        if having(host, remote).is_some() {
            warnings.push(Warning::PeersAddressHere {
                address: remote,
                peer: peer.name.clone(),
            });
        }
        links.push(Link {
            index,
            local,
            peer: remote,
            interface: interface.map(|interface| interface.index),
            interface_name: interface.map(|interface| interface.name.clone()),
        });
    }
    if links.len() == 1 {
        warnings.push(Warning::OnlyOneLink);
    }
    links
}

/// Whether the kernel may find a way to the peer's end through another interface, and so drops what comes from
/// it here. Of two equal ways it takes either.
fn filtered(
    host: &Host,
    interface: &Interface,
    network: IpNet,
    local: IpAddr,
    peer: IpAddr,
) -> Option<Warning> {
    if !local.is_ipv4() || !host.strict.contains(&interface.index) {
        return None;
    }
    let as_good = |net: &IpNet| {
        net.contains(&peer)
            && net.prefix_len() < net.max_prefix_len()
            && net.prefix_len() >= network.prefix_len()
    };
    let others = host
        .interfaces
        .iter()
        .filter(|other| other.index != interface.index);
    let other = others
        .into_iter()
        .find(|other| other.addresses.iter().any(as_good))?;
    Some(Warning::LinkFiltered {
        local,
        interface: interface.name.clone(),
        other: other.name.clone(),
        network,
    })
}

/// A VIP interface, its interface on this machine, and the VIPs that live there.
struct Place<'a> {
    id: VifId,
    named: bool,
    name: Option<String>,
    interface: Option<&'a Interface>,
    vips: Vec<IpNet>,
}

struct Places<'a> {
    list: Vec<Place<'a>>,
    of_vips: Vec<Vec<usize>>,
}

/// Finds the interfaces that the file counts, and counts those together that turn out to be one.
fn places<'a>(
    config: &Config,
    side: Side,
    host: &'a Host,
    known: &mut Known,
    warnings: &mut Vec<Warning>,
) -> Places<'a> {
    let (specs, mut of_vips) = vifs::count(&config.groups);
    known.retain(&specs.iter().map(Spec::id).collect::<Vec<_>>());
    let named = |name: &Option<String>| {
        let mut interfaces = host.interfaces.iter();
        interfaces.find(|i| Some(&i.name) == name.as_ref())
    };
    let mut list: Vec<Place> = Vec::new();
    let mut now_at = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let vips = vips_at(config, &of_vips, index);
        let (named, interface, name) = match spec {
            Spec::Named(names) => {
                let name = names[side as usize].clone();
                (true, named(&name), name)
            }
            Spec::Holding(_) => {
                let holding = holding(config, host, vips[0], warnings);
                let holding = holding.map(|interface| interface.name.clone());
                let name = known.interface(spec.id(), holding);
                (false, named(&name), name)
            }
        };
        let twin = list.iter_mut().enumerate().find(|(_, place)| {
            let same = name.is_some() && place.name == name;
            // What the file names apart stays apart, on the other node it is.
            same && !(named && place.named)
        });
        match twin {
            Some((at, place)) => {
                warnings.push(Warning::CountedTogether {
                    vip: vips[0],
                    interface: name.unwrap_or_default(),
                });
                place.named |= named;
                place.vips.extend(vips);
                now_at.push(at);
            }
            None => {
                now_at.push(list.len());
                list.push(Place {
                    id: spec.id(),
                    named,
                    name,
                    interface,
                    vips,
                });
            }
        }
    }
    for index in of_vips.iter_mut().flatten() {
        *index = now_at[*index];
    }
    Places { list, of_vips }
}

fn vips_at(config: &Config, of_vips: &[Vec<usize>], index: usize) -> Vec<IpNet> {
    let placed = config
        .groups
        .iter()
        .zip(of_vips)
        .flat_map(|(group, places)| {
            let vips = group.vips();
            vips.zip(places)
        });
    let here = placed.filter(|(_, place)| **place == index);
    here.map(|(vip, _): (&Vip, _)| vip.address).collect()
}

/// The interface with the narrowest network that holds a VIP.
fn holding<'a>(
    config: &Config,
    host: &'a Host,
    vip: IpNet,
    warnings: &mut Vec<Warning>,
) -> Option<&'a Interface> {
    let mut taken: Option<(&Interface, u8)> = None;
    let mut rival = None;
    for interface in &host.interfaces {
        let networks = networks(config, interface);
        let holding = networks.filter(|net| net.contains(&vip.addr()));
        let Some(length) = holding.map(|net| net.prefix_len()).max() else {
            continue;
        };
        match taken {
            Some((_, best)) if length < best => {}
            Some((_, best)) if length == best => rival = Some(interface),
            _ => {
                taken = Some((interface, length));
                rival = None;
            }
        }
    }
    let (taken, _) = taken?;
    if let Some(rival) = rival {
        warnings.push(Warning::SeveralInterfacesHold {
            vip,
            taken: taken.name.clone(),
            other: rival.name.clone(),
        });
    }
    Some(taken)
}

/// The networks an interface has of its own: neither single addresses, as VIPs are installed, nor
/// what a VIP brought along that somebody configured.
fn networks<'a>(config: &'a Config, interface: &'a Interface) -> impl Iterator<Item = IpNet> + 'a {
    let own = |net: &&IpNet| net.prefix_len() < net.max_prefix_len() && !is_vip(config, net.addr());
    interface.addresses.iter().filter(own).map(IpNet::trunc)
}

fn is_vip(config: &Config, address: IpAddr) -> bool {
    let mut vips = config.groups.iter().flat_map(Group::vips);
    vips.any(|vip| vip.address.addr() == address)
}

fn check_place(place: &Place, config: &Config, host: &Host, warnings: &mut Vec<Warning>) {
    for vip in &place.vips {
        for interface in &host.interfaces {
            // As we install it, it is a single address.
            let by_hand =
                |net: &&IpNet| net.addr() == vip.addr() && net.prefix_len() < net.max_prefix_len();
            // What is the machine's own is a misfit.
            let own = || host.own(vip.addr(), |other| is_vip(config, other));
            if let Some(address) = interface.addresses.iter().find(by_hand)
                && own().is_none()
            {
                warnings.push(Warning::VipIsStatic {
                    address: *address,
                    interface: interface.name.clone(),
                });
            }
        }
    }
    let Some(interface) = place.interface else {
        match &place.name {
            Some(name) => warnings.push(Warning::InterfaceAbsent {
                interface: name.clone(),
            }),
            None => warnings.push(Warning::NoInterfaceHolds { vip: place.vips[0] }),
        }
        return;
    };
    let name = interface.name.clone();
    if !live(interface) {
        warnings.push(Warning::InterfaceDown {
            interface: name.clone(),
        });
    }
    for &vip in &place.vips {
        let family = Family::of(vip.addr());
        let lack = Lack::of(Some(interface), family, None);
        if let Some(lack) = lack.filter(|lack| lack.is_of_ipv6()) {
            warnings.push(Warning::NoIpv6 {
                vip,
                interface: name.clone(),
                lack,
            });
            continue;
        }
        let comparable = |net: &IpNet| {
            let local = is_link_local_v6(net.addr()) == is_link_local_v6(vip.addr());
            local && net.addr().is_ipv4() == vip.addr().is_ipv4()
        };
        let networks: Vec<IpNet> = networks(config, interface).filter(comparable).collect();
        let holding = networks.iter().filter(|net| net.contains(&vip.addr()));
        let Some(network) = holding.max_by_key(|net| net.prefix_len()) else {
            warnings.push(Warning::VipOutside {
                vip,
                interface: name.clone(),
                networks,
            });
            continue;
        };
        let single = vip.prefix_len() == vip.max_prefix_len();
        if !single && vip.prefix_len() != network.prefix_len() {
            warnings.push(Warning::PrefixDiffers {
                vip,
                interface: name.clone(),
                network: *network,
            });
        }
    }
}

/// What a VIP interface lacks for the families of its VIPs. An own address is needed where it was found by one,
/// or something is to be asked from it.
fn lacks(place: &Place, config: &Config, gateways: &[IpAddr]) -> Vec<(Family, Lack)> {
    let addresses = place.interface.iter().flat_map(|i| &i.addresses);
    let own: Vec<IpAddr> = addresses
        .map(IpNet::addr)
        .filter(|address| !is_vip(config, *address))
        .collect();
    let families = [Family::V4, Family::V6].into_iter().filter_map(|family| {
        let mut vips = place.vips.iter();
        vips.find(|vip| Family::of(vip.addr()) == family)?;
        let asked = gateways.iter().any(|one| Family::of(*one) == family);
        let needed = !place.named || asked;
        let lack = Lack::of(place.interface, family, needed.then_some(&own[..]))?;
        Some((family, lack))
    });
    families.collect()
}

/// Whether the first link is one of the VIPs' own networks, by interface or, before there is one, by address.
fn no_interlink(links: &[Link], places: &[Place], warnings: &mut Vec<Warning>) {
    let Some(first) = links.first() else { return };
    let shared = places
        .iter()
        .any(|place| match (first.interface, place.interface) {
            (Some(link), Some(interface)) => link == interface.index,
            _ => place.vips.iter().any(|vip| vip.contains(&first.local)),
        });
    if shared {
        warnings.push(Warning::NoInterlink { local: first.local });
    }
}

/// What is pinged through each VIP interface.
fn gateways(
    config: &Config,
    host: &Host,
    places: &[Place],
    (known, now): (&mut Known, Time),
    warnings: &mut Vec<Warning>,
) -> Vec<Vec<IpAddr>> {
    let gateways = places.iter().map(|place| match &config.gateway.addresses {
        None => {
            let (shown, fitting) = default_gateways(place, host);
            let known = known.gateways(place.id, fitting.then(|| shown.clone()), now);
            known.unwrap_or(shown)
        }
        Some(list) => {
            let here = list.iter();
            let here = here.filter(|gateway| reaches(config, host, place, **gateway));
            let here: Vec<IpAddr> = here.copied().collect();
            let shown = (!here.is_empty()).then_some(here);
            let wanted = known.gateways(place.id, shown, now).unwrap_or_default();
            wanted
                .into_iter()
                .filter(|one| list.contains(one))
                .collect()
        }
    });
    let gateways: Vec<Vec<IpAddr>> = gateways.collect();
    let listed = config.gateway.addresses.iter().flatten();
    for &gateway in listed {
        if !gateways.iter().flatten().any(|used| *used == gateway) {
            warnings.push(Warning::GatewayOffLink { gateway });
        }
    }
    if config.gateway.addresses.as_ref().is_some_and(Vec::is_empty) {
        warnings.push(Warning::GatewaysOff);
        return gateways;
    }
    for (place, gateways) in places.iter().zip(&gateways) {
        // What an interface that does not exist yet will have is not known.
        if gateways.is_empty() && place.interface.is_some() {
            warnings.push(Warning::NoGateway {
                interface: place.name.clone().unwrap_or_default(),
            });
        }
    }
    gateways
}

/// The interface's default gateways, of its VIPs' families when there are any; and whether there are.
fn default_gateways(place: &Place, host: &Host) -> (Vec<IpAddr>, bool) {
    let Some(interface) = place.interface else {
        return (Vec::new(), false);
    };
    let routes = host.default_gateways.iter();
    let here = routes.filter(|(index, _)| *index == interface.index);
    let mut all: Vec<IpAddr> = Vec::new();
    for (_, gateway) in here {
        if !all.contains(gateway) {
            all.push(*gateway);
        }
    }
    let of_family = |gateway: &&IpAddr| {
        let mut vips = place.vips.iter();
        vips.any(|vip| vip.addr().is_ipv4() == gateway.is_ipv4())
    };
    let fitting: Vec<IpAddr> = all.iter().filter(of_family).copied().collect();
    match fitting.is_empty() {
        true => (all, false),
        false => (fitting, true),
    }
}

/// Whether a gateway is a neighbour on a VIP interface: it is in a network of an own address, or a route says
/// so where own addresses are single ones. Before there is any, by the VIPs' networks.
fn reaches(config: &Config, host: &Host, place: &Place, gateway: IpAddr) -> bool {
    let networks: Vec<IpNet> = match place.interface {
        Some(interface) => networks(config, interface).collect(),
        None => Vec::new(),
    };
    let index = place.interface.map(|interface| interface.index);
    let on_link = |(at, net): &(u32, IpNet)| Some(*at) == index && net.contains(&gateway);
    let default = |(at, known): &(u32, IpAddr)| Some(*at) == index && *known == gateway;
    if host.on_link.iter().any(on_link) || host.default_gateways.iter().any(default) {
        return true;
    }
    if networks.is_empty() {
        return place.vips.iter().any(|vip| vip.contains(&gateway));
    }
    networks.iter().any(|net| net.contains(&gateway))
}

fn having(host: &Host, address: IpAddr) -> Option<&Interface> {
    let has = |net: &IpNet| net.addr() == address;
    host.interfaces
        .iter()
        .find(|interface| interface.addresses.iter().any(has))
}

fn live(interface: &Interface) -> bool {
    interface.up && interface.carrier
}
