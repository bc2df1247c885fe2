//! This machine's network as the daemon uses it: ha.toml resolved against what is there now, with a
//! socket wherever one is wanted. Followed, not assumed: interfaces come late, go, and come back.

use super::paths::{self, Path};
use super::ready::Ready;
use crate::agents::carrier::Carriers;
use crate::agents::host::{Host, Interface};
use crate::agents::neighbour::{Claim, Neighbours};
use crate::agents::netlink::{Change, Monitor};
use crate::agents::ping::Pinger;
use crate::agents::vip::{Vif, forwards_ipv6};
use crate::config::{Config, Resolved, Warning, resolve};
use crate::core::time::Time;
use crate::wire::heartbeat::{Side, VifReport};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

/// The network.
#[derive(Debug)]
pub struct Network {
    /// ha.toml as it applies now.
    pub resolved: Resolved,
    /// What is not as it should be, and may become so.
    pub warnings: Vec<Warning>,
    /// The VIP interfaces as agents need them.
    pub vifs: Vec<Vif>,
    /// The links, then one path of last resort for each VIP interface.
    pub paths: Vec<Path>,
    monitor: Monitor,
    carriers: Carriers,
    ears: Vec<Ear>,
    ready: Rc<Ready>,
    host: Host,
    port: u16,
    carrier_asked: Time,
}

/// What listens on a VIP interface.
#[derive(Debug)]
struct Ear {
    neighbours: Neighbours,
    pinger: Pinger,
    bound: Option<(String, u32, [u8; 6])>,
    /// The peer's own address there.
    peer: Option<IpAddr>,
}

/// Something the network told.
#[derive(Clone, Debug)]
pub enum News {
    /// Interfaces, own addresses or routes changed: [`Network::follow`] is due.
    Changed,
    /// An address of a VIP interface is gone.
    Removed(usize, IpAddr),
    /// An address of a VIP interface is there.
    Added(usize, IpAddr),
}

impl Network {
    /// Looks at the machine and opens what can be opened.
    pub fn open(config: &Config, me: Side, ready: Rc<Ready>) -> io::Result<Network> {
        let monitor = Monitor::open()?; // before the first look, so that nothing falls between
        let host = crate::agents::netlink::host()?;
        let (resolved, warnings) = resolve(config, me, &host);
        ready.watch(monitor.as_fd())?;
        let mut network = Network {
            resolved,
            warnings,
            vifs: Vec::new(),
            paths: Vec::new(),
            monitor,
            carriers: Carriers::open()?,
            ears: Vec::new(),
            ready,
            host,
            port: config.heartbeat.port,
            carrier_asked: Time(0),
        };
        network.rebind()?;
        Ok(network)
    }

    /// Looks again, for this configuration. True if what the core counts (VIP interfaces, where VIPs
    /// stand, gateways) has changed.
    pub fn follow(&mut self, config: &Config, me: Side, host: Host) -> io::Result<bool> {
        let (resolved, warnings) = resolve(config, me, &host);
        let counted = |r: &Resolved| {
            (
                r.vifs.len(),
                r.vip_vifs.clone(),
                r.vifs
                    .iter()
                    .map(|v| v.gateways.clone())
                    .collect::<Vec<_>>(),
            )
        };
        let changed = counted(&resolved) != counted(&self.resolved);
        self.resolved = resolved;
        self.warnings = warnings;
        self.host = host;
        self.port = config.heartbeat.port;
        self.rebind()?;
        Ok(changed)
    }

    /// Whose claims on a VIP interface matter.
    pub fn listen_for(&mut self, vips: &[(IpAddr, usize)]) {
        for (vif, ear) in self.ears.iter_mut().enumerate() {
            let own = vips
                .iter()
                .filter(|(_, at)| *at == vif)
                .map(|(vip, _)| *vip);
            let gateways = self.resolved.vifs[vif].gateways.iter().copied();
            ear.neighbours.watch(own.chain(gateways).chain(ear.peer));
        }
    }

    /// The peer told its own address on each VIP interface. True if one is new.
    pub fn learn_peer(&mut self, reports: &[VifReport]) -> io::Result<bool> {
        let mut changed = false;
        for (ear, report) in self.ears.iter_mut().zip(reports) {
            let peer = Some(report.address).filter(|a| !a.is_unspecified());
            changed |= ear.peer != peer;
            ear.peer = peer;
        }
        if changed {
            self.open_paths()?;
        }
        Ok(changed)
    }

    /// The peer's own address on a VIP interface.
    pub fn peer_on(&self, vif: usize) -> Option<IpAddr> {
        self.ears.get(vif)?.peer
    }

    /// What this node tells the peer of its VIP interfaces.
    pub fn vif_reports(&self) -> Vec<VifReport> {
        (0..self.vifs.len())
            .map(|vif| VifReport {
                mac: self.vifs[vif].mac,
                address: self
                    .own_address(vif)
                    .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            })
            .collect()
    }

    /// A link's interface is up with carrier and has its address.
    pub fn a_link_is_up(&self) -> bool {
        self.paths[..self.resolved.links.len()]
            .iter()
            .any(Path::is_open)
    }

    /// The carrier of each VIP interface, asked of the drivers at most once in `interval`.
    pub fn carriers(&mut self, now: Time, interval: Duration) -> Option<Vec<bool>> {
        if now.since(self.carrier_asked) < interval {
            return None;
        }
        self.carrier_asked = now;
        let known = |vif: &Vif| {
            let interface = self
                .host
                .interfaces
                .iter()
                .find(|i| Some(i.index) == vif.index);
            interface.is_some_and(|i| i.up && i.carrier)
        };
        let carrier = |vif: &Vif| {
            self.carriers.of(&vif.name).unwrap_or_else(|| known(vif)) && vif.index.is_some()
        };
        Some(self.vifs.iter().map(carrier).collect())
    }

    /// The next thing the kernel tells.
    pub fn news(&mut self, is_vip: impl Fn(IpAddr) -> bool) -> Option<News> {
        loop {
            let change = match self.monitor.try_next() {
                Ok(change) => change?,
                Err(error) => {
                    log::warn!("netlink: {error}");
                    return None;
                }
            };
            let at = |interface: u32| {
                self.vifs
                    .iter()
                    .position(|vif| vif.index == Some(interface))
            };
            match change {
                Change::AddressAdded {
                    interface, address, ..
                } if is_vip(address) => {
                    if let Some(vif) = at(interface) {
                        return Some(News::Added(vif, address));
                    }
                }
                Change::AddressRemoved {
                    interface, address, ..
                } if is_vip(address) => {
                    if let Some(vif) = at(interface) {
                        return Some(News::Removed(vif, address));
                    }
                }
                _ => return Some(News::Changed),
            }
        }
    }

    /// The next claim heard on a VIP interface.
    pub fn claim(&mut self, vif: usize) -> Option<Claim> {
        self.ears.get_mut(vif)?.neighbours.try_next().ok().flatten()
    }

    /// A gateway's hardware address was heard: it will be told of takeovers in person.
    pub fn learn_gateway(&mut self, claim: &Claim) {
        if !self.resolved.vifs[claim.vif]
            .gateways
            .contains(&claim.address)
        {
            return;
        }
        let known = &mut self.vifs[claim.vif].gateways;
        known.retain(|(address, _)| *address != claim.address);
        known.push((claim.address, claim.mac));
    }

    /// Asks who has an address.
    pub fn probe(&self, vif: usize, address: IpAddr) {
        if let Some(ear) = self.ears.get(vif)
            && let Err(error) = ear.neighbours.probe(address)
        {
            log::debug!("probe of {address}: {error}");
        }
    }

    /// The gateways in the order in which the core counts them, with their VIP interfaces.
    pub fn gateways(&self) -> Vec<(usize, IpAddr)> {
        let vifs = self.resolved.vifs.iter().enumerate();
        vifs.flat_map(|(vif, v)| v.gateways.iter().map(move |g| (vif, *g)))
            .collect()
    }

    /// Pings a gateway; the stamp comes back with the answer.
    pub fn ping(&mut self, gateway: usize, stamp: Time) {
        let Some((vif, address)) = self.gateways().get(gateway).copied() else {
            return;
        };
        if let Err(error) = self.ears[vif].pinger.send(address, stamp.0 as u64) {
            log::debug!("ping of {address}: {error}");
        }
    }

    /// The next answer to a ping: which gateway, and the stamp.
    pub fn pong(&mut self, vif: usize) -> Option<(usize, Time)> {
        loop {
            let (from, id) = self.ears.get_mut(vif)?.pinger.try_next().ok().flatten()?;
            let gateway = self.gateways().iter().position(|g| *g == (vif, from));
            if let Some(gateway) = gateway {
                return Some((gateway, Time(id as i64)));
            }
        }
    }

    /// This node's own address on a VIP interface, for the path of last resort.
    pub fn own_address(&self, vif: usize) -> Option<IpAddr> {
        let interface = self.interface(vif)?;
        let family_of_vips = self.resolved.vifs[vif]
            .gateways
            .first()
            .is_none_or(IpAddr::is_ipv4);
        let own = interface
            .addresses
            .iter()
            .filter(|a| a.prefix_len() < a.max_prefix_len())
            .map(|a| a.addr());
        let usable = own.filter(|a| !matches!(a, IpAddr::V6(v6) if v6.is_unicast_link_local()));
        let (mut v4, mut v6) = (None, None);
        for address in usable {
            if address.is_ipv4() {
                v4 = v4.or(Some(address))
            } else {
                v6 = v6.or(Some(address))
            }
        }
        if family_of_vips { v4.or(v6) } else { v6.or(v4) }
    }

    fn interface(&self, vif: usize) -> Option<&Interface> {
        let index = self.resolved.vifs[vif].index?;
        self.host.interfaces.iter().find(|i| i.index == index)
    }

    /// Brings every socket to where the machine's interfaces are now.
    fn rebind(&mut self) -> io::Result<()> {
        while self.ears.len() < self.resolved.vifs.len() {
            let ear = Ear {
                neighbours: Neighbours::open(self.ears.len())?,
                pinger: Pinger::open()?,
                bound: None,
                peer: None,
            };
            for descriptor in ear.neighbours.descriptors() {
                self.ready.watch(descriptor)?;
            }
            for descriptor in ear.pinger.descriptors() {
                self.ready.watch(descriptor)?;
            }
            self.ears.push(ear);
        }
        self.ears.truncate(self.resolved.vifs.len());
        let known = std::mem::take(&mut self.vifs);
        for vif in 0..self.resolved.vifs.len() {
            let resolved = &self.resolved.vifs[vif];
            let interface = self.interface(vif);
            let name = interface
                .map(|i| i.name.clone())
                .or(resolved.name.clone())
                .unwrap_or_default();
            let mac = interface.map_or([0; 6], |i| i.mac);
            let place = interface.map(|i| (name.clone(), i.index, i.mac));
            let gateways = known.get(vif).map_or_else(Vec::new, |v| v.gateways.clone());
            self.vifs.push(Vif {
                router: !name.is_empty() && forwards_ipv6(&name),
                index: resolved.index,
                mac,
                gateways,
                name,
            });
            let ear = &mut self.ears[vif];
            if let Some((name, index, mac)) = &place
                && ear.bound != place
            {
                let bound = ear
                    .neighbours
                    .bind(*index, *mac)
                    .and_then(|()| ear.pinger.bind(name, *index));
                match bound {
                    Ok(()) => ear.bound = place,
                    Err(error) => log::warn!("listening on {name}: {error}"),
                }
            }
        }
        self.open_paths()
    }

    fn open_paths(&mut self) -> io::Result<()> {
        let links = self.resolved.links.len();
        self.paths
            .resize_with(links + self.resolved.vifs.len(), Path::default);
        let routes = (0..self.paths.len()).map(|path| match path.checked_sub(links) {
            None => self.link_route(path),
            Some(vif) => self.last_resort(vif),
        });
        let routes: Vec<_> = routes.collect();
        for (path, route) in self.paths.iter_mut().zip(routes) {
            if path.follow(route)
                && let Some(descriptor) = path.descriptor()
            {
                self.ready.watch(descriptor)?;
            }
        }
        Ok(())
    }

    fn link_route(&self, link: usize) -> Option<paths::Route> {
        let link = &self.resolved.links[link];
        Some(paths::Route {
            local: link.local,
            peer: link.peer,
            interface: (link.interface_name.clone()?, link.interface?),
            port: self.port,
        })
    }

    /// Only where no link runs already.
    fn last_resort(&self, vif: usize) -> Option<paths::Route> {
        let index = self.vifs[vif].index?;
        if self
            .resolved
            .links
            .iter()
            .any(|link| link.interface == Some(index))
        {
            return None;
        }
        let (local, peer) = (self.own_address(vif)?, self.ears[vif].peer?);
        (local.is_ipv4() == peer.is_ipv4()).then(|| paths::Route {
            local,
            peer,
            interface: (self.vifs[vif].name.clone(), index),
            port: self.port,
        })
    }
}
