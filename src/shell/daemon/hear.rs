//! What comes in by the network: heartbeats, claims of addresses, answers to pings; and the probes that ask.

use super::*;
use crate::wire::heartbeat::hash;

impl Daemon {
    pub(super) fn hear_heartbeats(&mut self) {
        let mut buffer = [0; BUFFER];
        for path in 0..self.network.paths.len() {
            for _ in 0..DATAGRAMS {
                let Some(length) = self.network.paths[path].receive(&mut buffer) else {
                    break;
                };
                match decode_with(&buffer[..length], &self.keys) {
                    Ok((heartbeat, aside)) => {
                        *self.counters.entry("received").or_default() += 1;
                        let said = (heartbeat.incarnation, heartbeat.sequence);
                        let heard = self.node.heard();
                        let reflected = self.node.reflected();
                        let to_here = self.node.is_addressed_by(&heartbeat);
                        if self.is_twins(&heartbeat) {
                            let names = self.path_names(path);
                            self.refused.note_own_name(said, path, &names, clock::now());
                        }
                        let heartbeat = Box::new(heartbeat);
                        self.step(Event::Heartbeat { path, heartbeat });
                        if self.node.heard() != heard {
                            self.note_what_the_peer_runs(clock::now());
                        }
                        if self.node.reflected() != reflected {
                            *self.counters.entry("stale: from this node").or_default() += 1;
                        } else if said.0 == heard.incarnation && said.1 < heard.sequence {
                            *self.counters.entry("stale: late or replayed").or_default() += 1;
                        } else if said.0 != self.node.heard().incarnation {
                            *self
                                .counters
                                .entry("stale: unproven incarnation")
                                .or_default() += 1;
                        }
                        let accepted = self.node.heard();
                        if said.0 == accepted.incarnation {
                            self.disks.heard(path);
                        }
                        if accepted != heard && said == (accepted.incarnation, accepted.sequence) {
                            self.refused.peer_heard();
                            self.hear_aside(said.0, aside.filter(|_| to_here));
                        }
                        self.learn_peer();
                    }
                    Err(reject) => {
                        *self.counters.entry(counter(reject)).or_default() += 1;
                        let names = self.path_names(path);
                        self.refused.note(reject, path, &names, clock::now());
                    }
                }
            }
        }
    }

    /// Another daemon made it, under this node's name.
    fn is_twins(&self, heartbeat: &Heartbeat) -> bool {
        heartbeat.node == self.me
            && heartbeat.incarnation != self.incarnation
            && heartbeat.cluster == hash(&self.config.cluster.name)
    }

    /// Takes note of paths where the peer's machine answers that nobody listens. Who said goodbye has said so.
    pub(super) fn note_unheard(&mut self, left: bool, now: Time) {
        for path in 0..self.network.paths.len() {
            if self.network.paths[path].take_unheard() && !left {
                let names = self.path_names(path);
                self.refused.note_unheard(path, &names, now);
                self.pending.push_back(Event::Unlistening);
            }
        }
    }

    /// A path's two ends, for people.
    fn path_names(&self, path: usize) -> PathNames {
        let links = self.network.resolved.links.len();
        if let (true, Some(link)) = (path < links, self.names.paths.get(path)) {
            return link.clone();
        }
        let vif = path.saturating_sub(links);
        let shown = |address: Option<IpAddr>| address.map_or("?".into(), |a| a.to_string());
        PathNames {
            own: shown(self.network.own_address(vif)),
            peer: shown(self.network.peer_on(vif)),
            last_resort: true,
            place: path,
            hindered: None,
        }
    }

    pub(super) fn learn_peer(&mut self) {
        if self.network.learn_peer(|vif| self.node.peer_address(vif)) {
            self.listen();
            self.tell_readiness();
            self.fit.outdated();
        }
    }

    pub(super) fn hear_neighbours(&mut self) {
        for vif in 0..self.network.vifs.len() {
            let id = self.network.resolved.vifs[vif].id;
            for _ in 0..BATCH {
                let Some(claim) = self.network.claim(vif) else {
                    break;
                };
                self.network.learn_gateway(&claim);
                self.duplicates.heard(claim.address, claim.mac);
                let subject = if self.network.peer_on(vif) == Some(claim.address) {
                    Claimed::PeerAddress
                } else if let Some((place, _)) = self.vips.home(claim.address) {
                    Claimed::Vip(place.group)
                } else if self.network.linked_on(vif) == Some(claim.address) {
                    Claimed::PeerLink
                } else {
                    continue;
                };
                let (vif, mac) = (id, claim.mac);
                self.step(Event::Claim { vif, subject, mac });
            }
            let doubtful = self.network.doubtful_claims(vif);
            if doubtful > 0 {
                let counter = self.counters.entry("doubtful: ARP or ND from elsewhere");
                *counter.or_default() += doubtful;
            }
            for _ in 0..BATCH {
                let Some((gateway, stamp)) = self.network.pong(vif) else {
                    break;
                };
                self.step(Event::Pong { gateway, stamp });
            }
        }
    }

    /// Asks for the VIPs and the peer's own addresses, whatever is known of the peer.
    pub(super) fn look_for_life(&mut self) {
        let groups = self.config.groups.iter();
        let groups: Vec<GroupId> = groups.map(|group| GroupId::of(&group.name)).collect();
        for group in groups {
            self.probe(group);
        }
        for vif in 0..self.network.vifs.len() {
            let peer = self.network.peer_on(vif);
            if let Some(peer) = peer.or(self.network.linked_on(vif)) {
                self.network.probe(vif, peer);
            }
        }
    }

    /// Asks for some of the group's VIPs on each interface (they come and go as one batch), and for
    /// the peer's own address while that may prove that probes work. Of a peer that is not heard it is known so whether
    /// its machine lives.
    pub(super) fn probe(&mut self, group: GroupId) {
        let (mut asked, mut all) = (BTreeMap::new(), true);
        let carriers = self.network.carriers();
        for (address, vif) in self.vips.of_group(group) {
            let count: &mut usize = asked.entry(vif).or_default();
            *count += 1;
            if *count <= PROBED {
                // That nothing leaves where there is no carrier is known by that.
                all &= self.network.probe(vif, address) || !carriers[vif];
            }
        }
        if !all {
            self.pending.push_back(Event::Unprobed(group));
        }
        let (alive, now) = (self.node.peer_state() == PeerState::Alive, clock::now());
        if !alive && now.since(self.asked_for_life) < LIFE {
            return;
        }
        self.asked_for_life = now;
        for vif in asked.into_keys() {
            let linked = self.network.linked_on(vif).filter(|_| !alive);
            if let Some(peer) = self.network.peer_on(vif).or(linked) {
                self.network.probe(vif, peer);
            }
        }
    }
}

/// How often a machine that is not heard is asked whether it lives.
const LIFE: Duration = Duration::from_secs(2);

/// What a refused datagram counts as.
fn counter(reject: Reject) -> &'static str {
    match reject {
        Reject::TooShort | Reject::TooLong => "rejected: length",
        Reject::NotOurs => "rejected: not a heartbeat",
        Reject::BadMac => "rejected: bad key",
        Reject::Malformed { .. } => "rejected: malformed",
    }
}
