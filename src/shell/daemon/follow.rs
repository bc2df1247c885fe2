//! Follows the machine's network: interfaces, addresses and carriers come and go.

use super::*;

impl Daemon {
    /// What changed in the machine's network, before anything else: an address that somebody
    /// deleted is put back in this very turn.
    pub(super) fn follow_network(&mut self) -> io::Result<()> {
        for _ in 0..8 * BATCH {
            let resources = &self.resources;
            let Some(news) = self
                .network
                .news(|address| resources.place(address).is_some())
            else {
                break;
            };
            match news {
                News::Changed => self.changed = true,
                // What this daemon adds and removes itself is no news.
                News::Removed(vif, address) => {
                    if let Some(group) = self
                        .home(vif, address)
                        .filter(|&g| self.resources.started(g))
                    {
                        self.resources.lost(group, address);
                        self.step(Event::Lost {
                            group,
                            resource: 0,
                            why: "deleted".into(),
                        });
                    }
                }
                News::Added(vif, address) => {
                    if let Some(group) = self
                        .home(vif, address)
                        .filter(|&g| !self.resources.started(g))
                    {
                        self.step(Event::Appeared { group, resource: 0 });
                    }
                }
            }
        }
        if std::mem::take(&mut self.changed) {
            self.reconnect()?;
        }
        Ok(())
    }

    /// The group whose VIP belongs on that interface.
    pub(super) fn home(&self, vif: usize, address: IpAddr) -> Option<usize> {
        let (group, home) = self.resources.place(address)?;
        (home == vif).then_some(group)
    }

    /// Resolves ha.toml against the machine again and tells the core what that changed.
    pub(super) fn reconnect(&mut self) -> io::Result<()> {
        let host = self.resources.host()?;
        let counted = self.network.follow(&self.config, self.me, host)?;
        if counted {
            self.reassemble();
        }
        self.node.describe_vifs(self.network.vif_reports());
        self.listen();
        self.name_paths();
        if !self.link_up && self.network.a_link_is_up() {
            self.link_up = true;
            self.step(Event::LinkUp);
        }
        let gateways = self
            .network
            .gateways()
            .iter()
            .map(|(vif, _)| *vif)
            .collect();
        self.step(Event::Gateways(gateways));
        self.carriers = vec![None; self.network.vifs.len()];
        self.ask_carriers_now();
        self.look_after_addresses();
        Ok(())
    }

    /// Messages about addresses may have been lost, or an interface came back without them.
    pub(super) fn look_after_addresses(&mut self) {
        for group in 0..self.config.groups.len() {
            if self.resources.started(group)
                && self.resources.look(group, &self.network.vifs)
                    != Outcome::Found(Presence::Running)
            {
                self.step(Event::Lost {
                    group,
                    resource: 0,
                    why: "deleted".into(),
                });
            }
        }
    }

    /// The VIP interfaces are counted anew: everything that has their indices follows.
    pub(super) fn reassemble(&mut self) {
        let resolved = &self.network.resolved;
        self.names = assembly::status_names(&self.config, resolved);
        self.state_names = assembly::state_names(&self.config, resolved);
        for error in self.resources.replace(&vips(&self.config, &self.network)) {
            log::warn!("{error}");
        }
        let setup = assembly::setup(&self.config, self.me, resolved);
        self.step(Event::Setup(Box::new(setup)));
        self.dirty = true;
    }

    pub(super) fn listen(&mut self) {
        let vips: Vec<_> = self.resources.all().collect();
        self.network.listen_for(&vips);
        self.name_paths();
    }

    pub(super) fn name_paths(&mut self) {
        let links = self.network.resolved.links.len();
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
                });
            }
        }
    }

    pub(super) fn ask_carriers(&mut self) {
        if let Some(carriers) = self
            .network
            .carriers(clock::now(), self.config.heartbeat.interval / 2)
        {
            self.tell_carriers(carriers);
        }
    }

    pub(super) fn ask_carriers_now(&mut self) {
        if let Some(carriers) = self.network.carriers(clock::now(), Duration::ZERO) {
            self.tell_carriers(carriers);
        }
    }

    pub(super) fn tell_carriers(&mut self, carriers: Vec<bool>) {
        for (vif, up) in carriers.into_iter().enumerate() {
            if self.carriers.get(vif) != Some(&Some(up)) {
                self.carriers[vif] = Some(up);
                self.step(Event::Carrier { vif, up });
            }
        }
    }
}
