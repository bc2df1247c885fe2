//! Does what the core asks of resources. A group's VIPs are one resource: one batch in the kernel.

use crate::agents::netlink::Route;
use crate::agents::packet::Sender;
use crate::agents::vip::{Presence, Vif, VipError, VipSet, VipTarget};
use crate::core::event::{self, Outcome};
use crate::core::setup::LIFETIME;
use crate::core::time::Time;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

/// The VIPs of every group, and the means to change them.
#[derive(Debug)]
pub struct Resources {
    sets: Vec<Set>,
    /// The group and the VIP interface of every VIP.
    places: HashMap<IpAddr, (usize, usize)>,
    route: Route,
    sender: Sender,
}

#[derive(Clone, Debug)]
struct Set {
    vips: VipSet,
    targets: Vec<(IpAddr, usize)>,
    /// Started here and not stopped since: its addresses belong here.
    started: bool,
    /// Those that somebody deleted since.
    lost: Vec<IpAddr>,
}

/// Some of a group's VIPs, to be renewed.
#[derive(Clone, Debug)]
pub struct Renewal {
    group: usize,
    part: Range<usize>,
    forever: bool,
    asked: Time,
}

/// A renewal that waited for so long is left out: the next is due, and what was asked for by a clock
/// read then must not be done by a node that was paused since.
const STALE_RENEWAL: Duration = Duration::from_millis(500);

impl Resources {
    /// For these VIPs, per group, each with its VIP interface.
    pub fn new(groups: &[Vec<(IpAddr, usize)>]) -> io::Result<Resources> {
        Ok(Resources {
            sets: groups.iter().map(|targets| Set::new(targets)).collect(),
            places: places(groups),
            route: Route::open()?,
            sender: Sender::open()?,
        })
    }

    /// A new configuration. Addresses that no group has any more are removed from this machine;
    /// gives what could not be.
    pub fn replace(&mut self, groups: &[Vec<(IpAddr, usize)>]) -> Vec<VipError> {
        let kept: Vec<IpAddr> = groups
            .iter()
            .flatten()
            .map(|(address, _)| *address)
            .collect();
        let gone = self
            .sets
            .iter()
            .flat_map(|s| &s.targets)
            .map(|(address, _)| *address);
        let gone: Vec<IpAddr> = gone.filter(|address| !kept.contains(address)).collect();
        let old = std::mem::take(&mut self.sets);
        self.sets = (groups.iter())
            .map(
                |targets| match old.iter().position(|set| set.targets == *targets) {
                    Some(same) => old[same].clone(),
                    None => Set::new(targets),
                },
            )
            .collect();
        self.places = places(groups);
        match gone.is_empty() {
            true => Vec::new(),
            false => crate::agents::vip::release(&gone).err().unwrap_or_default(),
        }
    }

    /// The group and the VIP interface that an address belongs to.
    pub fn place(&self, address: IpAddr) -> Option<(usize, usize)> {
        self.places.get(&address).copied()
    }

    /// Whether a group's addresses belong here, as far as what was asked for.
    pub fn started(&self, group: usize) -> bool {
        self.sets[group].started
    }

    /// Every VIP with its VIP interface.
    pub fn all(&self) -> impl Iterator<Item = (IpAddr, usize)> {
        self.sets.iter().flat_map(|set| set.targets.iter().copied())
    }

    /// A group's VIPs with their VIP interfaces.
    pub fn of_group(&self, group: usize) -> &[(IpAddr, usize)] {
        &self.sets[group].targets
    }

    /// What of a group's VIPs is here.
    pub fn look(&mut self, group: usize, vifs: &[Vif]) -> Outcome {
        match self.sets[group].vips.look(&mut self.route, vifs) {
            Ok(Presence::All) => Outcome::Found(event::Presence::Running),
            Ok(Presence::Some(_)) => Outcome::Found(event::Presence::Partial),
            Ok(Presence::None) => Outcome::Found(event::Presence::Absent),
            Err(error) => Outcome::Failed(format!("cannot see which addresses are here: {error}")),
        }
    }

    /// An address was deleted by somebody else.
    pub fn lost(&mut self, group: usize, address: IpAddr) {
        self.sets[group].lost.push(address);
    }

    /// Adds a group's VIPs, or puts back those that were lost, and announces them.
    pub fn start(&mut self, group: usize, vifs: &[Vif], forever: bool, now: Time) -> Outcome {
        let set = &mut self.sets[group];
        let lost = std::mem::take(&mut set.lost);
        let (lifetime, micros) = (lifetime(forever), micros(now));
        let done = if std::mem::replace(&mut set.started, true) && !lost.is_empty() {
            let mut put_back = lost.into_iter().map(|vip| {
                set.vips
                    .put_back(&mut self.route, vifs, vip, lifetime, micros)
            });
            put_back.find(Result::is_err).unwrap_or(Ok(()))
        } else {
            set.vips.start(&mut self.route, vifs, lifetime, micros)
        };
        self.announce_due(vifs, now);
        outcome(done)
    }

    /// Removes a group's VIPs and looks whether they are gone.
    pub fn stop(&mut self, group: usize) -> Outcome {
        self.sets[group].started = false;
        self.sets[group].lost.clear();
        outcome(self.sets[group].vips.stop(&mut self.route))
    }

    /// The renewal of a group's VIPs, in parts between which heartbeats find room.
    pub fn renewals(
        &self,
        group: usize,
        forever: bool,
        asked: Time,
    ) -> impl Iterator<Item = Renewal> + use<> {
        self.sets[group].vips.parts().map(move |part| Renewal {
            group,
            part,
            forever,
            asked,
        })
    }

    /// Renews the lifetime of some VIPs; what the kernel refuses is logged.
    pub fn renew(&mut self, renewal: Renewal, vifs: &[Vif], now: Time) {
        let Some(set) = self.sets.get_mut(renewal.group).filter(|set| set.started) else {
            return;
        };
        // The one without an end is asked for once, and in maintenance nobody else takes an address.
        if !renewal.forever && now.since(renewal.asked) > STALE_RENEWAL {
            return;
        }
        let lifetime = lifetime(renewal.forever);
        let renewed = set
            .vips
            .renew(&mut self.route, vifs, renewal.part, lifetime);
        if let Outcome::Failed(why) = outcome(renewed) {
            log::warn!("renewing: {why}");
        }
    }

    /// Announces a group's VIPs from the beginning.
    pub fn announce(&mut self, group: usize, vifs: &[Vif], now: Time) {
        self.sets[group].vips.announce_now(micros(now));
        self.announce_due(vifs, now);
    }

    /// Sends the announcements that are due.
    pub fn announce_due(&mut self, vifs: &[Vif], now: Time) {
        for set in &mut self.sets {
            if set.vips.next_deadline().is_some_and(|at| at <= micros(now))
                && let Err(error) = set.vips.fire(&self.sender, vifs, micros(now))
            {
                log::debug!("{error}");
            }
        }
    }

    /// When the next announcement is due.
    pub fn deadline(&self) -> Option<Time> {
        let due = self
            .sets
            .iter()
            .filter_map(|set| set.vips.next_deadline())
            .min();
        due.map(|at| Time(at as i64))
    }

    /// The kernel's interfaces, addresses and routes.
    pub fn host(&mut self) -> io::Result<crate::agents::host::Host> {
        self.route.host()
    }
}

impl Set {
    fn new(targets: &[(IpAddr, usize)]) -> Set {
        let vips = targets
            .iter()
            .map(|&(address, vif)| VipTarget { address, vif });
        Set {
            vips: VipSet::new(vips.collect()),
            targets: targets.to_vec(),
            started: false,
            lost: Vec::new(),
        }
    }
}

fn places(groups: &[Vec<(IpAddr, usize)>]) -> HashMap<IpAddr, (usize, usize)> {
    let groups = groups.iter().enumerate();
    groups
        .flat_map(|(group, vips)| vips.iter().map(move |(vip, vif)| (*vip, (group, *vif))))
        .collect()
}

fn lifetime(forever: bool) -> Option<u32> {
    (!forever).then_some(LIFETIME.as_secs() as u32)
}

fn micros(now: Time) -> u64 {
    now.0.max(0) as u64
}

/// The first error stands for all: a thousand addresses on an interface that is gone fail alike.
fn outcome(result: Result<(), Vec<VipError>>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(errors) => match &errors[..] {
            [] => Outcome::Done,
            [one] => Outcome::Failed(one.to_string()),
            [first, rest @ ..] => Outcome::Failed(format!("{first} (and {} more)", rest.len())),
        },
    }
}
