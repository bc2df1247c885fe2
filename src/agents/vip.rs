//! Virtual addresses: added, renewed, announced, put back, and removed for certain.
//!
//! A VIP is installed as /32 or /128 beside the interface's own address. As the primary address of
//! its network it would take the secondary ones and their routes with it when it goes; so it only
//! ever is an address of its own. Its lifetime is the kernel's dead man's handle: who stops
//! renewing, hung or frozen, loses it without doing anything.
//!
//! Nothing here reads a clock or waits. Who adopts addresses that are there already after a restart
//! calls [`VipSet::look`] and leaves them alone; once allowed, [`VipSet::renew`] and
//! [`VipSet::announce_now`] take them up.

mod error;
mod removal;

pub use error::{Doing, VipError};
pub use removal::release;

use crate::agents::announce::Schedule;
use crate::agents::frames;
use crate::agents::netlink::{AddressSpec, Route};
use crate::agents::packet::Sender;
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::ops::Range;

/// A VIP and where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VipTarget {
    /// The address.
    pub address: IpAddr,
    /// Its interface: an index into the table of [`Vif`]s that every operation is given.
    pub vif: usize,
}

/// A VIP interface as it is now. The caller keeps the table up to date from the monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vif {
    /// Its name.
    pub name: String,
    /// The kernel's index; `None` while there is no such interface.
    pub index: Option<u32>,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// This node forwards IPv6 on it, which its announcements must not deny.
    pub router: bool,
    /// The gateways on its network whose hardware address is known: they are told in person.
    pub gateways: Vec<(IpAddr, [u8; 6])>,
}

/// What one look found of a set of VIPs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Each is usable on its own interface.
    All,
    /// Not all, and not none: these are not usable on their own interface. Empty when all are and
    /// one is on another interface besides.
    Some(Vec<IpAddr>),
    /// This machine has none of them, on no interface.
    None,
}

/// The VIPs of one group that are started together.
#[derive(Clone, Debug)]
pub struct VipSet {
    targets: Vec<VipTarget>,
    by_address: HashMap<IpAddr, usize>,
    schedule: Schedule,
}

/// How many addresses are a part: one send of netlink.
const PART: usize = 64;

/// How many frames one wake sends at most: half a millisecond's work.
const FRAMES_PER_WAKE: usize = 256;

impl VipSet {
    /// A set of distinct addresses; nothing is done with them yet.
    pub fn new(targets: Vec<VipTarget>) -> Self {
        Self {
            by_address: targets
                .iter()
                .enumerate()
                .map(|(index, target)| (target.address, index))
                .collect(),
            schedule: Schedule::new(targets.len()),
            targets,
        }
    }

    /// The addresses, in the order given.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.targets.iter().map(|target| target.address)
    }

    /// The set in parts, for whoever has a heartbeat to send between them: the kernel's work for an
    /// IPv6 address grows with the number of those that are there. Measured for the whole thousand:
    /// IPv4 25 ms to start and 7 to renew, IPv6 350 to start and 300 to renew, which in parts is 2
    /// to 36 ms each.
    pub fn parts(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let count = self.targets.len();
        (0..count)
            .step_by(PART)
            .map(move |first| first..count.min(first + PART))
    }

    /// Adds every VIP (those that are there get the lifetime: idempotent) and begins to announce
    /// those that succeeded. `lifetime` in seconds, at least 1; `None`: for ever. `now` in
    /// microseconds, the same clock everywhere.
    pub fn start(
        &mut self,
        route: &mut Route,
        vifs: &[Vif],
        lifetime: Option<u32>,
        now: u64,
    ) -> Result<(), Vec<VipError>> {
        let outcome = self.add(route, vifs, lifetime, 0..self.targets.len());
        let failed: HashSet<IpAddr> = outcome.iter().map(|error| error.address).collect();
        for index in 0..self.targets.len() {
            if !failed.contains(&self.targets[index].address) {
                self.schedule.begin(index, now);
            }
        }
        all_well(outcome)
    }

    /// Sets the lifetime of one of the [`VipSet::parts`], in seconds from now; `None`: for ever. One
    /// that has expired or was deleted **is created again**: call this only when the clock was just
    /// read.
    ///
    /// For IPv6 the kernel reports its multicast groups anew at each renewal (measured: three MLD
    /// reports for two renewals): once a second is often enough.
    pub fn renew(
        &mut self,
        route: &mut Route,
        vifs: &[Vif],
        part: Range<usize>,
        lifetime: Option<u32>,
    ) -> Result<(), Vec<VipError>> {
        all_well(self.add(route, vifs, lifetime, part))
    }

    /// Adds one VIP again that somebody deleted, and announces it: who deleted it here may have
    /// added it elsewhere. An address that is not of this set is left alone.
    pub fn put_back(
        &mut self,
        route: &mut Route,
        vifs: &[Vif],
        address: IpAddr,
        lifetime: Option<u32>,
        now: u64,
    ) -> Result<(), Vec<VipError>> {
        let Some(&index) = self.by_address.get(&address) else {
            return Ok(());
        };
        all_well(self.add(route, vifs, lifetime, index..index + 1))?;
        self.schedule.begin(index, now);
        Ok(())
    }

    /// Announces nothing more and removes every VIP from this machine, on whatever interface and
    /// with whatever prefix it is; none being there is fine. `Ok` means looked at and gone.
    pub fn stop(&mut self, route: &mut Route) -> Result<(), Vec<VipError>> {
        self.silence();
        let addresses: Vec<_> = self.addresses().collect();
        removal::remove(route, &addresses).map(drop)
    }

    /// What is there, by a dump.
    pub fn look(&self, route: &mut Route, vifs: &[Vif]) -> io::Result<Presence> {
        let mut usable = vec![false; self.targets.len()];
        let mut any = false;
        let mut stray = false;
        for one in route.addresses()? {
            let Some(&index) = self.by_address.get(&one.address) else {
                continue;
            };
            any = true;
            let home = vifs[self.targets[index].vif].index;
            if home != Some(one.interface) {
                stray = true;
            } else if one.usable {
                usable[index] = true;
            }
        }
        let missing: Vec<_> = self
            .addresses()
            .zip(&usable)
            .filter_map(|(address, usable)| (!usable).then_some(address))
            .collect();
        Ok(match any {
            false => Presence::None,
            true if missing.is_empty() && !stray => Presence::All,
            true => Presence::Some(missing),
        })
    }

    /// Announces every VIP from the beginning: after a start, and at any sign of a rival, a heal or
    /// a thaw. Only for VIPs that are installed.
    pub fn announce_now(&mut self, now: u64) {
        (0..self.targets.len()).for_each(|index| self.schedule.begin(index, now));
    }

    /// The same for one of them.
    pub fn announce_one(&mut self, address: IpAddr, now: u64) {
        if let Some(&index) = self.by_address.get(&address) {
            self.schedule.begin(index, now);
        }
    }

    /// The same for those on one VIP interface.
    pub fn announce_on(&mut self, vif: usize, now: u64) {
        let on = |index: &usize| self.targets[*index].vif == vif;
        let there: Vec<usize> = (0..self.targets.len()).filter(on).collect();
        for index in there {
            self.schedule.begin(index, now);
        }
    }

    /// Announces nothing more, until told to again.
    pub fn silence(&mut self) {
        self.schedule.silence();
    }

    /// When [`VipSet::fire`] has something to do, in microseconds; `None` while silent.
    pub fn next_deadline(&self) -> Option<u64> {
        self.schedule.next_deadline()
    }

    /// Sends the announcements that are due, up to a bound; too early is harmless. Gives how many
    /// frames left. An address that cannot be announced (its interface is down or gone) is an
    /// error, the first of which is told when the others are sent; its next turn comes all the same.
    pub fn fire(&mut self, sender: &Sender, vifs: &[Vif], now: u64) -> Result<usize, VipError> {
        let mut turn = Turn::default();
        let mut error = None;
        let mut more = false;
        for index in self.schedule.due(now) {
            let frames = self.frames(index, vifs);
            // With very many gateways one address alone exceeds the bound: it goes all the same.
            if !turn.frames.is_empty() && turn.frames.len() + frames.len() > FRAMES_PER_WAKE {
                more = true;
                break;
            }
            if frames.is_empty() {
                error.get_or_insert(self.error(index, vifs, Doing::Announce, libc::ENODEV));
            }
            turn.add(index, frames);
        }
        let (mut at, mut sent) = (0, 0);
        while at < turn.frames.len() {
            match sender.send(&turn.frames[at..]) {
                Ok(count) => {
                    at += count;
                    sent += count;
                }
                Err(refused) if is_congestion(&refused) => {
                    more = true;
                    break;
                }
                Err(refused) => {
                    let owner = turn.owners[at];
                    let errno = refused.raw_os_error().unwrap_or(libc::EIO);
                    error.get_or_insert(self.error(owner, vifs, Doing::Announce, errno));
                    at += turn.owners[at..]
                        .iter()
                        .take_while(|one| **one == owner)
                        .count();
                }
            }
        }
        // What congestion left over stays due.
        let left = turn.owners.get(at).copied();
        for index in turn.addresses {
            if Some(index) == left {
                break;
            }
            self.schedule.announced(index, now);
        }
        if more {
            self.schedule.rest(now);
        }
        error.map_or(Ok(sent), Err)
    }

    /// What is to be asked of the kernel for a part, by whoever does that elsewhere, and what cannot be asked for.
    pub fn request(
        &self,
        vifs: &[Vif],
        part: Range<usize>,
        lifetime: Option<u32>,
    ) -> (Vec<AddressSpec>, Vec<VipError>) {
        let (mut specs, mut errors) = (Vec::new(), Vec::new());
        for index in part {
            let VipTarget { address, vif } = self.targets[index];
            match vifs[vif].index {
                Some(interface) => specs.push(AddressSpec {
                    interface,
                    address,
                    lifetime,
                }),
                None => errors.push(self.error(index, vifs, Doing::Add, libc::ENODEV)),
            }
        }
        (specs, errors)
    }

    /// What the kernel did not do of that.
    pub fn refused(
        &self,
        vifs: &[Vif],
        specs: &[AddressSpec],
        verdicts: io::Result<Vec<i32>>,
    ) -> Vec<VipError> {
        let verdicts = verdicts.unwrap_or_else(|error| {
            // The answers are lost: as far as anyone can tell none was added.
            vec![error.raw_os_error().unwrap_or(libc::EIO); specs.len()]
        });
        let refused = specs.iter().zip(verdicts).filter(|(_, errno)| *errno != 0);
        let error = |(spec, errno): (&AddressSpec, i32)| {
            let index = *self.by_address.get(&spec.address)?;
            Some(self.error(index, vifs, Doing::Add, errno))
        };
        refused.filter_map(error).collect()
    }

    fn add(
        &self,
        route: &mut Route,
        vifs: &[Vif],
        lifetime: Option<u32>,
        part: Range<usize>,
    ) -> Vec<VipError> {
        let (specs, mut errors) = self.request(vifs, part, lifetime);
        let verdicts = route.add(&specs);
        errors.extend(self.refused(vifs, &specs, verdicts));
        errors
    }

    /// Everything one announcement of an address says, each with the interface it leaves by; empty
    /// when there is no such interface.
    fn frames(&self, index: usize, vifs: &[Vif]) -> Vec<(u32, Vec<u8>)> {
        let target = self.targets[index];
        let vif = &vifs[target.vif];
        let Some(interface) = vif.index else {
            return Vec::new();
        };
        let in_person = vif
            .gateways
            .iter()
            .flat_map(|to| frames::announcement_to(vif.mac, target.address, vif.router, *to));
        frames::announcement(vif.mac, target.address, vif.router)
            .into_iter()
            .chain(in_person)
            .map(|frame| (interface, frame))
            .collect()
    }

    fn error(&self, index: usize, vifs: &[Vif], doing: Doing, errno: i32) -> VipError {
        let target = self.targets[index];
        VipError {
            interface: vifs[target.vif].name.clone(),
            address: target.address,
            doing,
            errno,
        }
    }
}

/// The frames of one wake, in the order of their addresses.
#[derive(Default)]
struct Turn {
    addresses: Vec<usize>,
    frames: Vec<(u32, Vec<u8>)>,
    /// Whose each frame is.
    owners: Vec<usize>,
}

impl Turn {
    fn add(&mut self, index: usize, frames: Vec<(u32, Vec<u8>)>) {
        self.addresses.push(index);
        self.owners.extend(std::iter::repeat_n(index, frames.len()));
        self.frames.extend(frames);
    }
}

/// The card's queue or the socket's buffer is full; later it is not.
fn is_congestion(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS)
}

fn all_well(errors: Vec<VipError>) -> Result<(), Vec<VipError>> {
    match errors.is_empty() {
        true => Ok(()),
        false => Err(errors),
    }
}
