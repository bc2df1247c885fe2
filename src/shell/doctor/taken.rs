//! Whether somebody answers for a VIP already, asked once, by `check` and `doctor`: a probe that claims nothing (RFC 5227
//! section 2.1.1, RFC 4862 section 5.4.2).
//!
//! The peer may well have it: it is told apart by its hardware address, which its own addresses on that network
//! answer from, or which was learnt before.

use crate::agents::host::Host;
use crate::agents::neighbour::{Claim, Neighbours};
use crate::config::{Config, Resolved};
use crate::shell::state;
use crate::wire::heartbeat::Side;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// A VIP that somebody else has, or may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// It is known that it is not the peer.
    pub sure: bool,
    /// What, and what to do.
    pub line: String,
}

/// What was asked, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// VIPs that somebody else has.
    pub taken: Vec<Taken>,
    /// VIPs that were asked for.
    pub asked: usize,
    /// VIPs that are on this machine, and were not asked for.
    pub here: usize,
    /// VIPs that were not asked for beside so many others on their interface.
    pub beside: usize,
    /// VIPs that could not be asked for: it takes root, and an interface that is there and up.
    pub unasked: usize,
}

/// Asks for those of this file that are not here.
pub fn taken(
    config: &Config,
    side: Side,
    resolved: &Resolved,
    host: &Host,
    state_dir: &Path,
) -> Probed {
    let peer = config.node(side.other());
    let record = state::peek(state_dir).unwrap_or_default();
    let known: Vec<[u8; 6]> = record.vifs.iter().map(|vif| vif.mac).collect();
    let here = |address: IpAddr| {
        let all = host.interfaces.iter().flat_map(|i| &i.addresses);
        all.into_iter().any(|net| net.addr() == address)
    };
    let mut probed = Probed::default();
    let mut vips: BTreeMap<usize, Vec<IpAddr>> = BTreeMap::new();
    for (group, places) in config.groups.iter().zip(&resolved.vip_vifs) {
        for (vip, vif) in group.vips().zip(places) {
            let asked = vips.entry(*vif).or_default();
            match vip.address.addr() {
                address if here(address) => probed.here += 1,
                _ if asked.len() == MOST => probed.beside += 1,
                address => asked.push(address),
            }
        }
    }
    let mut ears: Vec<Ear> = Vec::new();
    for (vif, vips) in vips.into_iter().filter(|(_, vips)| !vips.is_empty()) {
        let count = vips.len();
        match Ear::open(vif, vips, &peer.links, resolved, host) {
            Ok(Some(ear)) => {
                probed.asked += count;
                ears.push(ear);
            }
            // Without root there is no asking.
            Ok(None) | Err(_) => probed.unasked += count,
        }
    }
    if ears.is_empty() {
        return probed;
    }
    for _ in 0..PROBES {
        ears.iter().for_each(Ear::ask);
        let asked = Instant::now();
        while asked.elapsed() < PAUSE {
            ears.iter_mut().for_each(Ear::hear);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let told = ears.iter().flat_map(|ear| {
        let told = told(&ear.vips, &peer.links, &ear.heard, &known, &peer.name);
        let on = |taken: Taken| Taken {
            line: format!("{} ({})", taken.line, ear.name),
            ..taken
        };
        told.into_iter().map(on)
    });
    probed.taken = told.collect();
    probed
}

/// So often each is asked, so far apart: one frame may be lost.
const PROBES: usize = 3;
const PAUSE: Duration = Duration::from_millis(150);
/// VIPs asked for on each interface: they come and go together.
const MOST: usize = 64;

/// What listens on one interface.
struct Ear {
    name: String,
    neighbours: Neighbours,
    vips: Vec<IpAddr>,
    asked: Vec<IpAddr>,
    heard: BTreeMap<IpAddr, [u8; 6]>,
}

impl Ear {
    fn open(
        vif: usize,
        vips: Vec<IpAddr>,
        links: &[IpAddr],
        resolved: &Resolved,
        host: &Host,
    ) -> io::Result<Option<Ear>> {
        let index = resolved.vifs[vif].index;
        let interface = host.interfaces.iter().find(|i| Some(i.index) == index);
        let Some(interface) = interface.filter(|i| i.up && i.carrier) else {
            return Ok(None);
        };
        let mut neighbours = Neighbours::open(vif)?;
        neighbours.bind(interface.index, interface.mac)?;
        let near = |link: &&IpAddr| interface.addresses.iter().any(|net| net.contains(*link));
        let asked: Vec<IpAddr> = vips
            .iter()
            .chain(links.iter().filter(near))
            .copied()
            .collect();
        neighbours.watch(asked.iter().copied());
        Ok(Some(Ear {
            name: interface.name.clone(),
            neighbours,
            vips,
            asked,
            heard: BTreeMap::new(),
        }))
    }

    fn ask(&self) {
        for address in &self.asked {
            let _ = self.neighbours.probe(*address);
        }
    }

    fn hear(&mut self) {
        while let Ok(Some(Claim { address, mac, .. })) = self.neighbours.try_next() {
            self.heard.insert(address, mac);
        }
    }
}

fn told(
    vips: &[IpAddr],
    links: &[IpAddr],
    heard: &BTreeMap<IpAddr, [u8; 6]>,
    known: &[[u8; 6]],
    peer: &str,
) -> Vec<Taken> {
    let of_links = links.iter().filter_map(|link| heard.get(link));
    let peers: Vec<[u8; 6]> = of_links
        .chain(known)
        .copied()
        .filter(|mac| *mac != [0; 6])
        .collect();
    let line = |vip: &IpAddr| {
        let mac = heard.get(vip).filter(|mac| !peers.contains(mac))?;
        let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
        let line = match peers.is_empty() {
            true => format!(
                "VIP {vip} is answered for by {mac}: if that is not {peer}, which may have it, another host does; \
                 find it, or choose another address"
            ),
            false => format!(
                "VIP {vip} is answered for by {mac}, which is not {peer}: another host has it, or a router \
                 answers for every address; find it, or choose another address"
            ),
        };
        let sure = !peers.is_empty();
        Some(Taken { sure, line })
    };
    vips.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_is_no_stranger() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (vip, link) = (address("10.0.0.80"), address("10.0.0.2"));
        let (peer, stranger) = ([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 0xff]);
        let told = |heard: &[(IpAddr, [u8; 6])], known: &[[u8; 6]]| {
            let heard = heard.iter().copied().collect();
            super::told(&[vip], &[link], &heard, known, "lb2")
        };
        assert_eq!(told(&[], &[]), []);
        assert_eq!(told(&[(link, peer), (vip, peer)], &[]), []);
        assert_eq!(told(&[(vip, peer)], &[peer]), []);
        let unknown = told(&[(vip, stranger)], &[[0; 6]]);
        assert!(
            !unknown[0].sure
                && unknown[0].line.starts_with(
                    "VIP 10.0.0.80 is answered for by 02:00:00:00:00:ff: if that is not lb2"
                )
        );
        let other = told(&[(link, peer), (vip, stranger)], &[]);
        assert!(
            other[0].sure
                && other[0].line.starts_with(
                    "VIP 10.0.0.80 is answered for by 02:00:00:00:00:ff, which is not lb2"
                )
        );
    }
}
