//! This machine's network as the daemon uses it: ha.toml resolved against what is there now, with a
//! socket wherever one is wanted. Followed, not assumed: interfaces come late, go, and come back.

use super::carriers::{Carriers, Told};
use super::clock;
use super::edges::Edges;
use super::lookout::Lookout;
use super::paths::{self, Path};
use super::ready::Ready;
use super::ways::Way;
use crate::agents::host::{Host, Interface, Ipv6};
use crate::agents::neighbour::{Claim, Doubtful, Neighbours};
use crate::agents::netlink::{Change, Monitor};
use crate::agents::ping::Pinger;
use crate::agents::trouble::{self, Trouble};
use crate::agents::vip::Vif;
use crate::config::{Config, Known, Resolved, Warning, resolve_again};
use crate::core::time::Time;
use crate::id::{GatewayId, VifId};
use crate::wire::heartbeat::{GatewayReport, Side, VifReport};
use std::collections::BTreeMap;
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
    lookout: Lookout,
    carriers: Carriers,
    /// What the drivers said last.
    told: Told,
    ears: Vec<Ear>,
    ready: Rc<Ready>,
    host: Host,
    /// What was found before, and is missed for a while.
    known: Known,
    followed_at: Time,
    port: u16,
    /// When what could not be opened is tried again.
    retry_at: Option<Time>,
    /// By what each VIP interface reaches its network.
    ways: BTreeMap<VifId, Way>,
    /// VIP interfaces that reach it anew.
    edges: Edges<VifId>,
    /// Pings since its last answer, by gateway; and how many are a loss.
    unanswered: BTreeMap<GatewayId, u32>,
    /// Why the latest ping did not leave this machine, by gateway.
    unasked: BTreeMap<GatewayId, Trouble>,
    misses: u32,
}

/// How long until what could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How long the daemon waits for its first look, before it begins with nothing seen.
const PATIENCE: Duration = Duration::from_secs(5);

/// What listens on a VIP interface.
#[derive(Debug, Default)]
struct Ear {
    open: Option<Open>,
    /// The peer's own address there.
    peer: Option<IpAddr>,
    /// Why it does not listen where it should.
    trouble: Option<String>,
}

#[derive(Debug)]
struct Open {
    neighbours: Neighbours,
    pinger: Pinger,
    bound: Option<Spot>,
}

/// An interface as sockets are bound to it: name, index, hardware address.
type Spot = (String, u32, [u8; 6]);

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
        let lookout = Lookout::start(ready.waker())?;
        let host = lookout.first(PATIENCE).unwrap_or_else(|| {
            log::warn!("the kernel's tables of interfaces and addresses cannot be read yet");
            lookout.look();
            Host::default()
        });
        let (mut known, now) = (Known::default(), clock::now());
        let (resolved, warnings) = resolve_again(config, me, &host, &mut known, now);
        ready.watch(monitor.as_fd())?;
        let mut network = Network {
            resolved,
            warnings,
            vifs: Vec::new(),
            paths: Vec::new(),
            monitor,
            lookout,
            carriers: Carriers::start(ready.waker())?,
            told: Told::new(),
            ears: Vec::new(),
            ready,
            host,
            known,
            followed_at: now,
            port: config.heartbeat.port,
            retry_at: None,
            ways: BTreeMap::new(),
            edges: Edges::default(),
            unanswered: BTreeMap::new(),
            unasked: BTreeMap::new(),
            misses: config.gateway.misses,
        };
        network.rebind();
        network.follow_ways();
        network.follow_carriers(config);
        Ok(network)
    }

    /// Something changed: a look is wanted, which [`Network::seen`] gives when it is there.
    pub fn look(&self) {
        self.lookout.look();
        self.carriers.hurry();
    }

    /// What a look has seen since the last call.
    pub fn seen(&self) -> Option<Host> {
        self.lookout.seen()
    }

    /// What was seen last.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Looks again, for this configuration. True if what the core counts (VIP interfaces, where VIPs
    /// stand, gateways) has changed.
    pub fn follow(&mut self, config: &Config, me: Side, host: Host) -> bool {
        self.followed_at = clock::now();
        let (resolved, warnings) =
            resolve_again(config, me, &host, &mut self.known, self.followed_at);
        let counted = |r: &Resolved| {
            (
                r.vifs.iter().map(|v| v.id).collect::<Vec<_>>(),
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
        self.misses = config.gateway.misses;
        self.rebind();
        self.follow_ways();
        self.follow_carriers(config);
        changed
    }

    /// When [`Network::retry`] or [`Network::reached_anew`] has something to do.
    pub fn deadline(&self) -> Option<Time> {
        let forgets_at = self.known.forgets_at(self.followed_at);
        [self.retry_at, self.edges.deadline(), forgets_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Something that was remembered is to be forgotten: a look is due.
    pub fn is_outdated(&self, now: Time) -> bool {
        let forgets_at = self.known.forgets_at(self.followed_at);
        forgets_at.is_some_and(|at| at <= now && self.followed_at < at)
    }

    /// The VIP interfaces that reach their network again, or by another way: who is on it is to be told where
    /// the VIPs are.
    pub fn reached_anew(&mut self, now: Time) -> Vec<usize> {
        let due = self.edges.due(now);
        due.into_iter().filter_map(|vif| self.place(vif)).collect()
    }

    /// Opens what could not be opened before.
    pub fn retry(&mut self, now: Time) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.rebind();
        }
    }

    /// What is not as it should be, and may become so.
    pub fn notices(&self) -> impl Iterator<Item = String> {
        let looking = self.lookout.trouble().map(|why| {
            format!(
                "the kernel's tables of interfaces and addresses cannot be read ({why}): going by what was seen \
                 before, and trying again"
            )
        });
        // That this may be the other node is told by who knows which it runs as.
        let told = |w: &&Warning| match w {
            Warning::PeersAddressHere { .. } => false,
            // Of one that VIPs stand on, its carrier is followed by itself.
            Warning::LinkDown { interface, .. } => !self.has_vips(interface),
            w => !w.is_remark(),
        };
        let warnings = self.warnings.iter().filter(told).map(Warning::to_string);
        let deaf = self.ears.iter().filter_map(|ear| ear.trouble.clone());
        let unasked = self.unasked.iter();
        let unasked =
            unasked.map(|(gateway, why)| format!("pings to gateway {} {why}", gateway.address));
        let paths = self.paths.iter().filter_map(Path::trouble);
        warnings
            .chain(looking)
            .chain(deaf)
            .chain(unasked)
            .chain(paths)
    }

    /// What it is as the file chose it, or is told elsewhere; but for carriers, which are followed by themselves.
    pub fn remarks(&self) -> impl Iterator<Item = String> {
        let followed = |w: &Warning| {
            matches!(
                w,
                Warning::InterfaceDown { .. } | Warning::InterfaceAbsent { .. }
            )
        };
        let remarks = self.warnings.iter();
        let remarks = remarks.filter(move |w| w.is_remark() && !followed(w));
        remarks.map(Warning::to_string)
    }

    fn has_vips(&self, interface: &str) -> bool {
        let mut vifs = self.vifs.iter();
        vifs.any(|vif| vif.name == interface)
    }

    /// The interface of that index is there, up, and has carrier.
    pub fn is_live(&self, index: Option<u32>) -> bool {
        let mut interfaces = self.host.interfaces.iter();
        interfaces.any(|i| Some(i.index) == index && i.up && i.carrier)
    }

    /// Whose claims on a VIP interface matter.
    pub fn listen_for(&mut self, vips: &[(IpAddr, usize)]) {
        let linked: Vec<_> = (0..self.ears.len())
            .map(|vif| self.linked_on(vif))
            .collect();
        for (vif, ear) in self.ears.iter_mut().enumerate() {
            let own = vips
                .iter()
                .filter(|(_, at)| *at == vif)
                .map(|(vip, _)| *vip);
            let gateways = self.resolved.vifs[vif].gateways.iter().copied();
            if let Some(open) = &mut ear.open {
                let peer = ear.peer.into_iter().chain(linked[vif]);
                open.neighbours.watch(own.chain(gateways).chain(peer));
            }
        }
    }

    /// The peer's own address on each VIP interface. True if one is new.
    pub fn learn_peer(&mut self, told: impl Fn(VifId) -> Option<IpAddr>) -> bool {
        let mut changed = false;
        for (ear, vif) in self.ears.iter_mut().zip(&self.resolved.vifs) {
            let peer = told(vif.id);
            changed |= ear.peer != peer;
            ear.peer = peer;
        }
        if changed {
            self.rebind();
        }
        changed
    }

    /// Whether somebody is known to have that address: this machine, the peer, or a gateway.
    pub fn knows(&self, address: IpAddr) -> bool {
        let peers = self.ears.iter().any(|ear| ear.peer == Some(address));
        let mut vifs = self.resolved.vifs.iter();
        let gateway = vifs.any(|vif| vif.gateways.contains(&address));
        peers || gateway || self.host.standing().any(|own| own == address)
    }

    /// The peer's own address on a VIP interface.
    pub fn peer_on(&self, vif: usize) -> Option<IpAddr> {
        self.ears.get(vif)?.peer
    }

    /// The peer's end of a link on a VIP interface.
    pub fn linked_on(&self, vif: usize) -> Option<IpAddr> {
        let index = self.vifs.get(vif)?.index?;
        let mut links = self.resolved.links.iter();
        let link = links.find(|link| link.interface == Some(index));
        link.map(|link| link.peer)
    }

    /// What this node tells the peer of its VIP interfaces.
    pub fn vif_reports(&self) -> Vec<VifReport> {
        (0..self.vifs.len())
            .map(|vif| VifReport {
                id: self.resolved.vifs[vif].id,
                gateway: GatewayReport::default(),
                mac: self.vifs[vif].mac,
                address: self
                    .own_address(vif)
                    .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            })
            .collect()
    }

    /// Whether each of these addresses was seen on its VIP interface.
    pub fn has(&self, vips: &[(IpAddr, usize)]) -> bool {
        let mut vips = vips.iter();
        vips.all(|(vip, vif)| {
            let on = self.interface(*vif);
            on.is_some_and(|on| on.addresses.iter().any(|net| net.addr() == *vip))
        })
    }

    /// Whether the interfaces of all these are there now.
    pub fn could_have(&self, vips: &[(IpAddr, usize)]) -> bool {
        let index = |(_, vif): &(IpAddr, usize)| self.vifs[*vif].index;
        let there = |index: u32| self.monitor.has_interface(index);
        vips.iter().all(|vip| index(vip).is_some_and(there))
    }

    /// The peer could be heard by a link or the path of last resort: an interface is up and has its address. (A
    /// crossover cable is dark, and may have no address, for as long as the other box is off.)
    pub fn a_path_is_up(&self) -> bool {
        self.paths.iter().any(Path::is_open)
    }

    /// Hears what the drivers say of the carriers.
    pub fn hear_carriers(&mut self) {
        let Some(told) = self.carriers.told() else {
            return;
        };
        for (vif, resolved) in self.vifs.iter().zip(&self.resolved.vifs) {
            let carrier = |told: &Told| told.get(&vif.name).copied().flatten();
            if (carrier(&self.told), carrier(&told)) == (Some(false), Some(true)) {
                self.edges.note(resolved.id, clock::now());
            }
        }
        self.told = told;
    }

    /// The carrier of each VIP interface, as its driver says, or, where that says nothing, the kernel.
    pub fn carriers(&self) -> Vec<bool> {
        let known = |interface: &Interface| interface.up && interface.carrier;
        let vifs = (0..self.vifs.len()).map(|vif| {
            self.interface(vif).is_some_and(|interface| {
                let told = self.told.get(&interface.name).copied().flatten();
                told.unwrap_or_else(|| known(interface))
            })
        });
        vifs.collect()
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
        let open = self.ears.get_mut(vif)?.open.as_mut()?;
        open.neighbours.try_next().unwrap_or_else(|_| {
            // Down, or away and back since the last look.
            open.bound = None;
            self.retry_at.get_or_insert(clock::now() + RETRY);
            None
        })
    }

    /// How many claims on a VIP interface were not believed since the last call; says what is new of them.
    pub fn doubtful_claims(&mut self, vif: usize) -> u64 {
        let open = self.ears.get_mut(vif).and_then(|ear| ear.open.as_mut());
        let Some((count, new)) = open.map(|open| open.neighbours.take_doubtful()) else {
            return 0;
        };
        for Doubtful { address, mac, from } in new {
            let show = |mac: [u8; 6]| mac.map(|byte| format!("{byte:02x}")).join(":");
            let (mac, from) = (show(mac), show(from));
            log::warn!(
                "a frame from {from} says that {address} is at {mac}: not believed, for the holder's own \
                 frames come from its own address; look for what forges or rewrites ARP on that network"
            );
        }
        count
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

    /// Asks who has an address. False: the question did not leave this machine.
    pub fn probe(&self, vif: usize, address: IpAddr) -> bool {
        let Some(open) = self.ears.get(vif).and_then(|ear| ear.open.as_ref()) else {
            return false;
        };
        let sent = open.neighbours.probe(address);
        sent.inspect_err(|error| log::debug!("probe of {address}: {error}"))
            .is_ok()
    }

    /// The place of a VIP interface among all.
    pub fn place(&self, id: VifId) -> Option<usize> {
        self.resolved.vifs.iter().position(|vif| vif.id == id)
    }

    /// Pings a gateway; the stamp comes back with the answer. False: this machine keeps the ping from leaving, so that
    /// nobody is asked.
    pub fn ping(&mut self, gateway: GatewayId, stamp: Time) -> bool {
        let Some(vif) = self.place(gateway.vif) else {
            return true;
        };
        let address = gateway.address;
        *self.unanswered.entry(gateway).or_default() += 1;
        let ear = &mut self.ears[vif];
        let Some(open) = &mut ear.open else {
            return true;
        };
        let sent = open.pinger.send(address, stamp.0 as u64);
        let own = sent.as_ref().err().filter(|error| trouble::is_own(error));
        match own.map(unsent) {
            Some(why) => self.unasked.insert(gateway, why),
            None => self.unasked.remove(&gateway),
        };
        if let Err(error) = &sent {
            log::debug!("ping of {address}: {error}");
        }
        own.is_none()
    }

    /// This machine keeps pings to that gateway from leaving, and says so by itself.
    pub fn keeps_from(&self, gateway: &GatewayId) -> bool {
        self.unasked.contains_key(gateway)
    }

    /// The next answer to a ping: which gateway, and the stamp.
    pub fn pong(&mut self, vif: usize) -> Option<(GatewayId, Time)> {
        loop {
            let open = self.ears.get_mut(vif)?.open.as_mut()?;
            let (from, id) = open.pinger.try_next().ok().flatten()?;
            let here = &self.resolved.vifs[vif];
            if here.gateways.contains(&from) {
                let gateway = GatewayId {
                    vif: here.id,
                    address: from,
                };
                // The one that was answered is among them.
                let unanswered = self.unanswered.remove(&gateway);
                if unanswered.is_some_and(|pings| pings > self.misses) {
                    self.edges.note(here.id, clock::now());
                }
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

    /// Brings every socket to where the machine's interfaces are now. What cannot be opened is tried again.
    fn rebind(&mut self) {
        (self.ears).resize_with(self.resolved.vifs.len(), Ear::default);
        let known = std::mem::take(&mut self.vifs);
        for vif in 0..self.resolved.vifs.len() {
            let resolved = &self.resolved.vifs[vif];
            let interface = self.interface(vif);
            let name = interface
                .map(|i| i.name.clone())
                .or(resolved.name.clone())
                .unwrap_or_default();
            let mac = interface.map_or([0; 6], |i| i.mac);
            let spot = interface.map(|i| (name.clone(), i.index, i.mac));
            let gateways = known.get(vif).map_or_else(Vec::new, |v| v.gateways.clone());
            self.vifs.push(Vif {
                router: interface.is_some_and(|i| i.ipv6 == Ipv6::Router),
                index: resolved.index,
                mac,
                gateways,
                name,
            });
            self.ears[vif].listen(vif, spot, &self.ready);
        }
        self.open_paths();
        let deaf = self.ears.iter().any(|ear| ear.trouble.is_some());
        let closed = self.paths.iter().any(Path::is_refused);
        self.retry_at = (deaf || closed).then(|| clock::now() + RETRY);
    }

    fn follow_ways(&mut self) {
        for vif in &self.resolved.vifs {
            let Some(index) = vif.index else {
                continue; // it comes back by another way than before
            };
            let way = Way::of(&self.host, index);
            let before = self.ways.insert(vif.id, way.clone());
            if before.is_some_and(|before| way.leads_anew(&before)) {
                self.edges.note(vif.id, clock::now());
            }
        }
        let vifs = &self.resolved.vifs;
        let known = |id: VifId| vifs.iter().any(|vif| vif.id == id);
        self.ways.retain(|vif, _| known(*vif));
        self.unanswered.retain(|gateway, _| known(gateway.vif));
        let asked = |gateway: &GatewayId| {
            let mut at = vifs.iter().filter(|vif| vif.id == gateway.vif);
            at.any(|vif| vif.gateways.contains(&gateway.address))
        };
        self.unasked.retain(|gateway, _| asked(gateway));
    }

    /// Twice an interval, so that a lost carrier is known before a heartbeat is missed.
    fn follow_carriers(&self, config: &Config) {
        let names = self.vifs.iter().map(|vif| vif.name.clone());
        let names = names.filter(|name| !name.is_empty());
        (self.carriers).follow(names, config.heartbeat.interval / 2);
    }

    fn open_paths(&mut self) {
        let links = self.resolved.links.len();
        self.paths
            .resize_with(links + self.resolved.vifs.len(), Path::default);
        let routes = (0..self.paths.len()).map(|path| match path.checked_sub(links) {
            None => self.link_route(path),
            Some(vif) => self.last_resort(vif),
        });
        let routes: Vec<_> = routes.collect();
        for (path, route) in self.paths.iter_mut().zip(routes) {
            path.follow(route, &self.ready);
        }
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

/// Why a ping does not leave.
fn unsent(error: &io::Error) -> Trouble {
    let why = trouble::words(error);
    Trouble(match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "are dropped by a filter on this machine; `nft list ruleset` (or `iptables-save`) shows the rule, in output: let \
             ICMP echo requests out"
                .into()
        }
        _ => format!("cannot be sent by this machine: {why}"),
    })
}

impl Ear {
    /// Listens there, or, where there is no such interface, waits.
    fn listen(&mut self, vif: usize, spot: Option<Spot>, ready: &Ready) {
        let heard = self.try_to_listen(vif, spot.clone(), ready);
        self.trouble = heard.err().map(|error| {
            let name = spot.map_or_else(String::new, |(name, ..)| format!(" on {name}"));
            format!("cannot listen to ARP and answers to pings{name} ({error}): tried again every second")
        });
    }

    fn try_to_listen(&mut self, vif: usize, spot: Option<Spot>, ready: &Ready) -> io::Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::new(vif, ready)?),
        };
        if open.bound == spot {
            return Ok(());
        }
        // One that goes takes its listeners with it, also if it comes back as it was (from another namespace).
        open.bound = None;
        if let Some((name, index, mac)) = &spot {
            open.neighbours.bind(*index, *mac)?;
            open.pinger.bind(name, *index)?;
            open.bound = spot;
        }
        Ok(())
    }
}

impl Open {
    fn new(vif: usize, ready: &Ready) -> io::Result<Open> {
        let open = Open {
            neighbours: Neighbours::open(vif)?,
            pinger: Pinger::open()?,
            bound: None,
        };
        for descriptor in open.neighbours.descriptors() {
            ready.watch(descriptor)?;
        }
        for descriptor in open.pinger.descriptors() {
            ready.watch(descriptor)?;
        }
        Ok(open)
    }
}
