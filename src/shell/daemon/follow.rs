//! Follows the machine's network: interfaces, addresses and carriers come and go.

use super::*;
use crate::shell::status::sentence;

impl Daemon {
    /// What changed in the machine's network, before anything else: an address that somebody
    /// deleted is put back in this very turn.
    pub(super) fn follow_network(&mut self) {
        for _ in 0..8 * BATCH {
            let vips = &self.vips;
            let Some(news) = self.network.news(|address| vips.home(address).is_some()) else {
                break;
            };
            match news {
                News::Changed => self.changed = true,
                // What this daemon adds and removes itself is no news.
                News::Removed(vif, address) => {
                    // In maintenance it is said and not put back.
                    self.changed |= self.node.in_maintenance();
                    if let Some(place) = self
                        .home(vif, address)
                        .filter(|&place| self.vips.started(place))
                    {
                        self.vips.lost(place, address);
                        // With its interface it comes back, and not before.
                        if self.network.could_have(&[(address, vif)]) {
                            self.lost(place);
                        }
                    } else {
                        self.changed = true; // it may have been an own address
                    }
                }
                News::Added(vif, address) => {
                    self.changed |= self.node.in_maintenance();
                    if let Some(place) = self
                        .home(vif, address)
                        .filter(|&place| !self.vips.started(place))
                    {
                        self.changed = true;
                        self.step(Event::Appeared { place });
                    }
                }
            }
        }
        self.changed |= self.network.is_outdated(clock::now());
        if std::mem::take(&mut self.changed) {
            self.network.look();
        }
        if let Some(host) = self.network.seen() {
            self.looked_in_maintenance = self.node.in_maintenance();
            self.reconnect(host);
        }
        if self
            .readiness
            .deadline()
            .is_some_and(|at| at <= clock::now())
        {
            self.tell_readiness();
        }
        self.network.retry(clock::now());
        self.network.hear_carriers();
        self.tell_carriers();
    }

    /// The resource whose VIP belongs on that interface.
    fn home(&self, vif: usize, address: IpAddr) -> Option<Place> {
        let (place, home) = self.vips.home(address)?;
        (home == vif).then_some(place)
    }

    fn lost(&mut self, place: Place) {
        self.step(Event::Lost {
            place,
            why: "deleted".into(),
        });
    }

    /// Resolves ha.toml against the machine as it is now, and tells the core what that changed.
    pub(super) fn reconnect(&mut self, host: Host) {
        let counted = self.network.follow(&self.config, self.me, host);
        if counted {
            self.reassemble();
        }
        self.node.describe_vifs(&self.network.vif_reports());
        self.network.learn_peer(|vif| self.node.peer_address(vif));
        self.listen();
        self.name_paths();
        if !self.link_up && self.network.a_path_is_up() {
            self.link_up = true;
            self.step(Event::LinkUp);
        }
        let gateways = assembly::gateways(&self.network.resolved);
        self.step(Event::Gateways(gateways));
        self.carriers.clear();
        self.tell_carriers();
        (self.readiness).follow(&self.network.resolved.vifs, clock::now());
        self.tell_readiness();
        self.vips.complete(&self.network.vifs, clock::now());
        self.look_after_addresses();
        self.fit.outdated();
    }

    /// What this machine lacks for its VIPs.
    pub(super) fn tell_readiness(&mut self) {
        let now = clock::now();
        let places = self.vips.places();
        self.told_unready.retain(|place, _| places.contains(place));
        for place in places {
            let beside = self
                .vips
                .of_group(place.group)
                .any(|(vip, _)| vip.is_ipv4());
            let vips = self.vips.all_of(place);
            let vifs = &self.network.resolved.vifs;
            let unready = self.readiness.of(vips, vifs, beside, now);
            let unready = unready
                .or_else(|| self.somebodys(place).map(entirely))
                .or_else(|| self.duplicate(place).map(entirely));
            self.ready(place, unready);
        }
        self.readiness.told(now);
    }

    /// A VIP to be started is somebody's address already. The file may not tell that: it comes with the peer's
    /// heartbeats, or from whoever gave this machine its addresses.
    fn somebodys(&self, place: Place) -> Option<String> {
        if self.vips.started(place) {
            return None;
        }
        let peer = self.peer_addresses();
        let whose = config::whose(&self.config, self.network.host(), &peer);
        let mut vips = self.vips.all_of(place).iter();
        let told = |(vip, _): &(IpAddr, usize)| {
            let whose = whose(*vip)?;
            Some(format!("{vip} is {whose}: {}", config::CHOOSE))
        };
        vips.find_map(told)
    }

    fn ready(&mut self, place: Place, unready: Option<Unready>) {
        let before = self.told_unready.insert(place, unready.clone());
        if before.unwrap_or_default() != unready {
            self.step(Event::Ready { place, unready });
        }
    }

    /// Messages about addresses may have been lost, or an interface came back without them. What was seen may
    /// be older than a start, and what cannot be asked is no answer: only a second look, now, is.
    pub(super) fn look_after_addresses(&mut self) {
        for place in self.vips.places() {
            let vips = self.vips.of(place);
            let here = self.network.has(&vips) || !self.network.could_have(&vips);
            if !self.vips.started(place) || here {
                continue;
            }
            let found = self.vips.look(place, &self.network.vifs);
            if matches!(found, Ok(Outcome::Found(presence)) if presence != Presence::Running) {
                self.lost(place);
            }
        }
    }

    /// The VIP interfaces are others, or VIPs stand on others: everything that knows of them follows.
    pub(super) fn reassemble(&mut self) {
        let resolved = &self.network.resolved;
        self.names = assembly::status_names(&self.config, self.me, resolved);
        self.state_names = assembly::state_names(&self.config, resolved);
        for error in self.vips.replace(&assembly::vips(&self.config, resolved)) {
            log::warn!("{error}");
        }
        let services = assembly::services(&self.config, resolved);
        self.services
            .replace(services, assembly::mount_units(&self.config));
        self.mounts
            .replace(assembly::mounts(&self.config, resolved));
        let disks = assembly::disks(&self.config, resolved);
        self.disks.replace(disks, resolved.links.len());
        self.note_what_runs_here(clock::now());
        let resolved = &self.network.resolved;
        let setup = assembly::setup(&self.config, self.me, resolved);
        self.step(Event::Setup(Box::new(setup)));
        self.dirty = true;
    }

    pub(super) fn listen(&mut self) {
        let nearby = self.duplicates.controls();
        let nearby = nearby.filter_map(|(near, vip)| Some((near, self.vips.home(vip)?.1)));
        let vips: Vec<_> = self.vips.all().chain(nearby).collect();
        self.network.listen_for(&vips);
        self.name_paths();
    }

    pub(super) fn name_paths(&mut self) {
        let links = self.network.resolved.links.len();
        let vifs = self.network.resolved.vifs.iter();
        self.names.absent = vifs.filter(|v| v.index.is_none()).map(|v| v.id).collect();
        self.names.paths.truncate(links);
        for vif in 0..self.network.vifs.len() {
            if let (Some(own), Some(peer), true) = (
                self.network.own_address(vif),
                self.network.peer_on(vif),
                self.network.paths[links + vif].is_open(),
            ) {
                self.names.paths.push(PathNames {
                    own: own.to_string(),
                    peer: peer.to_string(),
                    last_resort: true,
                    place: links + vif,
                    hindered: None,
                });
            }
        }
        self.follow_hindered();
    }

    /// At which of its own ends this node knows something amiss, which is told by itself.
    pub(super) fn follow_hindered(&mut self) {
        let gateways = assembly::gateways(&self.network.resolved).into_iter();
        self.names.unasked = gateways
            .filter(|gateway| self.network.keeps_from(gateway))
            .collect();
        let (links, vifs) = (&self.network.resolved.links, &self.network.resolved.vifs);
        let of_links = links
            .iter()
            .map(|link| (link.interface, link.interface_name.clone()));
        let of_vifs = vifs.iter().map(|vif| (vif.index, vif.name.clone()));
        let interfaces: Vec<_> = of_links.chain(of_vifs).collect();
        for names in &mut self.names.paths {
            let (index, name) = interfaces.get(names.place).cloned().unwrap_or_default();
            names.hindered = match (self.network.is_live(index), name) {
                (true, _) => {
                    let path = self.network.paths.get(names.place);
                    path.and_then(|path| path.trouble())
                }
                (false, Some(name)) => Some(sentence::no_carrier(&name, index.is_some())),
                (false, None) => Some(format!("no interface has {}", names.own)),
            };
        }
    }

    pub(super) fn tell_carriers(&mut self) {
        for (place, up) in self.network.carriers().into_iter().enumerate() {
            let vif = self.network.resolved.vifs[place].id;
            if self.carriers.insert(vif, up) != Some(up) {
                self.step(Event::Carrier { vif, up });
            }
        }
    }
}
