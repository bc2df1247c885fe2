//! Does what the core asks of VIPs. Those that follow each other in a group are one resource: one batch
//! in the kernel.

use super::renewer::{Renewer, Work};
use crate::agents::netlink::Route;
use crate::agents::packet::Sender;
use crate::agents::vip::{Presence, Vif, VipError, VipSet, VipTarget};
use crate::core::event::{self, Outcome};
use crate::core::setup::{CEDED, LIFETIME};
use crate::core::time::Time;
use crate::id::{GroupId, Place, ResourceId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};
use std::task::Waker;
use std::time::Duration;

/// The sets of VIPs, and the means to change them.
#[derive(Debug)]
pub struct Vips {
    sets: BTreeMap<Place, Set>,
    /// The resource and the VIP interface of every VIP.
    homes: HashMap<IpAddr, (Place, usize)>,
    route: Route,
    renewer: Renewer<Renewed>,
    sender: Sender,
}

#[derive(Clone, Debug)]
struct Set {
    vips: VipSet,
    targets: Vec<(IpAddr, usize)>,
    /// Started here and not stopped since, or found here and taken up: its addresses belong here.
    started: bool,
    /// The last look found them here, and nothing was asked for since: what the daemon before this one left.
    found: bool,
    /// Those that somebody deleted since.
    lost: Vec<IpAddr>,
    /// Those that wait for IPv6, while the others run.
    waiting: BTreeSet<IpAddr>,
    /// When the core last wanted them here, and whether it wants that without an end.
    wanted: (Time, bool),
}

/// How something that was asked of VIPs ended, if the kernel said so.
pub type Answer = Result<Outcome, NoAnswer>;

/// The kernel could not be asked, or was short of what it needs: it has not said yes and not said no, and is to
/// be asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer(pub String);

/// The VIPs of each resource that has any, each with its VIP interface.
pub type Targets = BTreeMap<Place, Vec<(IpAddr, usize)>>;

/// Some VIPs of a resource, to be renewed.
#[derive(Clone, Debug)]
pub struct Renewal {
    place: Place,
    part: Range<usize>,
    forever: bool,
    asked: Time,
}

/// Which VIPs a renewal that is under way is of.
#[derive(Debug)]
struct Renewed {
    place: Place,
    /// Those that the kernel could not be asked for.
    errors: Vec<VipError>,
}

/// A renewal that waited for so long is left out: the next is due, and what was asked for by a clock
/// read then must not be done by a node that was paused since.
const STALE_RENEWAL: Duration = Duration::from_millis(500);

/// What the core wanted here so long ago it may not want any more: it renews once a second.
const STALE_WAIT: Duration = Duration::from_millis(1500);

impl Vips {
    /// For these; a renewal that is done rings this bell.
    pub fn new(targets: &Targets, bell: Waker) -> io::Result<Vips> {
        Ok(Vips {
            sets: targets
                .iter()
                .map(|(place, vips)| (*place, Set::new(vips)))
                .collect(),
            homes: homes(targets),
            route: Route::open()?,
            renewer: Renewer::start(bell)?,
            sender: Sender::open()?,
        })
    }

    /// A new configuration. Addresses that no group has any more are removed from this machine;
    /// gives what could not be.
    pub fn replace(&mut self, targets: &Targets) -> Vec<VipError> {
        let homes = homes(targets);
        let gone = self.homes.keys().filter(|vip| !homes.contains_key(vip));
        let gone: Vec<IpAddr> = gone.copied().collect();
        let old = std::mem::take(&mut self.sets);
        let kept = |vips: &[(IpAddr, usize)]| old.values().find(|set| set.targets == vips).cloned();
        self.sets = (targets.iter())
            .map(|(place, vips)| (*place, kept(vips).unwrap_or_else(|| Set::new(vips))))
            .collect();
        self.homes = homes;
        if gone.is_empty() {
            return Vec::new();
        }
        self.renewer.settle();
        crate::agents::vip::release(&gone).err().unwrap_or_default()
    }

    /// The resource and the VIP interface that an address belongs to.
    pub fn home(&self, address: IpAddr) -> Option<(Place, usize)> {
        self.homes.get(&address).copied()
    }

    /// Whether a resource is one of VIPs.
    pub fn has(&self, place: Place) -> bool {
        self.sets.contains_key(&place)
    }

    /// Whether a resource's addresses belong here, as far as what was asked for.
    pub fn started(&self, place: Place) -> bool {
        self.sets[&place].started
    }

    /// A resource's VIPs with their VIP interfaces.
    pub fn all_of(&self, place: Place) -> &[(IpAddr, usize)] {
        &self.sets[&place].targets
    }

    /// A resource's VIPs that can be here, with their VIP interfaces.
    pub fn of(&self, place: Place) -> Vec<(IpAddr, usize)> {
        let set = &self.sets[&place];
        let here = set.targets.iter().copied();
        here.filter(|(vip, _)| !set.waiting.contains(vip)).collect()
    }

    /// Every resource of VIPs.
    pub fn places(&self) -> Vec<Place> {
        self.sets.keys().copied().collect()
    }

    /// Every VIP with its VIP interface.
    pub fn all(&self) -> impl Iterator<Item = (IpAddr, usize)> {
        self.sets
            .values()
            .flat_map(|set| set.targets.iter().copied())
    }

    /// A group's VIPs with their VIP interfaces.
    pub fn of_group(&self, group: GroupId) -> impl Iterator<Item = (IpAddr, usize)> {
        let sets = self.sets.range(places_of(group));
        sets.flat_map(|(_, set)| set.targets.iter().copied())
    }

    /// What of a resource's VIPs is here.
    pub fn look(&mut self, place: Place, vifs: &[Vif]) -> Answer {
        let (set, route) = self.set_and_route(place);
        let looked = set.vips.look(route, vifs);
        set.found = !set.started && matches!(looked, Ok(Presence::All));
        match looked {
            Ok(Presence::All) => Ok(Outcome::Found(event::Presence::Running)),
            Ok(Presence::Some(missing)) if set.waits_for(&missing) => {
                Ok(Outcome::Found(event::Presence::Running))
            }
            Ok(Presence::Some(_)) => Ok(Outcome::Found(event::Presence::Partial)),
            Ok(Presence::None) => Ok(Outcome::Found(event::Presence::Absent)),
            Err(error) => Err(NoAnswer(format!(
                "cannot see which addresses are here: {error}"
            ))),
        }
    }

    /// An address was deleted by somebody else.
    pub fn lost(&mut self, place: Place, address: IpAddr) {
        self.set_and_route(place).0.lost.push(address);
    }

    /// Adds a resource's VIPs, or puts back those that were lost, and announces them. An IPv6 address that cannot
    /// be here now is left out, where the group has others: it is added as soon as it can be.
    pub fn start(&mut self, place: Place, vifs: &[Vif], forever: bool, now: Time) -> Answer {
        let (lifetime, micros) = (lifetime(forever), micros(now));
        let mut of_group = self.of_group(place.group);
        let may_wait = of_group.any(|(vip, _)| vip.is_ipv4());
        drop(of_group);
        let (set, route) = self.set_to_change(place);
        (set.wanted, set.found) = ((now, forever), false);
        let lost = std::mem::take(&mut set.lost);
        let mut errors = Vec::new();
        if std::mem::replace(&mut set.started, true) && !lost.is_empty() {
            for vip in lost {
                let put_back = set.vips.put_back(route, vifs, vip, lifetime, micros);
                errors.extend(put_back.err().into_iter().flatten());
            }
        } else {
            set.waiting.clear();
            let started = set.vips.start(route, vifs, lifetime, micros);
            errors.extend(started.err().into_iter().flatten());
        }
        if may_wait {
            for one in errors.extract_if(.., |one| one.waits_for_ipv6()) {
                if set.waiting.insert(one.address) {
                    log::warn!("{one}; the IPv4 VIPs of its group run without it");
                }
            }
        }
        self.announce_due(vifs, now);
        answer(errors)
    }

    /// Adds what waited for IPv6 and need not any more. Only what the core wanted here just now: a node that was
    /// paused leaves it to the core what is right.
    pub fn complete(&mut self, vifs: &[Vif], now: Time) {
        for set in self.sets.values_mut() {
            let (wanted, forever) = set.wanted;
            if !set.started || (!forever && now.since(wanted) > STALE_WAIT) {
                continue;
            }
            if !set.waiting.is_empty() {
                self.renewer.settle();
            }
            for vip in std::mem::take(&mut set.waiting) {
                let lifetime = lifetime(forever);
                let added = set
                    .vips
                    .put_back(&mut self.route, vifs, vip, lifetime, micros(now));
                match added {
                    Ok(()) => log::info!("VIP {vip} waited for IPv6, and is here now"),
                    Err(_) => drop(set.waiting.insert(vip)),
                }
            }
        }
    }

    /// Removes a resource's VIPs and looks whether they are gone.
    pub fn stop(&mut self, place: Place) -> Answer {
        let (set, route) = self.set_to_change(place);
        set.give_up();
        answer(set.vips.stop(route).err().unwrap_or_default())
    }

    /// Lets a resource's VIPs end by themselves soon, and announces and defends them no more.
    pub fn cede(&mut self, place: Place, vifs: &[Vif]) -> Answer {
        let (set, route) = self.set_to_change(place);
        set.give_up();
        set.vips.silence();
        let lifetime = Some(CEDED.as_secs() as u32);
        let mut errors = Vec::new();
        for part in set.vips.parts() {
            let renewed = set.vips.renew(route, vifs, part, lifetime);
            errors.extend(renewed.err().into_iter().flatten());
        }
        errors.retain(|one| !one.waits_for_ipv6());
        answer(errors)
    }

    /// The renewal of a group's VIPs, in parts between which heartbeats find room. What was found here belongs here
    /// from now on: the core may go on with it without a start.
    pub fn renewals(&mut self, group: GroupId, forever: bool, asked: Time) -> Vec<Renewal> {
        for (_, set) in self.sets.range_mut(places_of(group)) {
            set.started |= std::mem::take(&mut set.found);
        }
        let sets = self.sets.range(places_of(group));
        let parts = sets.flat_map(|(place, set)| set.vips.parts().map(|part| (*place, part)));
        let renewal = |(place, part)| Renewal {
            place,
            part,
            forever,
            asked,
        };
        parts.map(renewal).collect()
    }

    /// Whether there is nothing to wait for before the next renewal.
    pub fn can_renew(&self) -> bool {
        self.renewer.is_idle()
    }

    /// Begins to renew the lifetime of some VIPs; [`Vips::renewed`] ends it.
    pub fn renew(&mut self, renewal: Renewal, vifs: &[Vif], now: Time) {
        let place = renewal.place;
        let set = self.sets.get_mut(&place).filter(|set| set.started);
        let Some(set) = set.filter(|_| !renewal.is_stale(now)) else {
            return;
        };
        // A reload may have left fewer than there were when it was asked for.
        let count = set.targets.len();
        let part = renewal.part.start.min(count)..renewal.part.end.min(count);
        set.wanted = (now, renewal.forever);
        let (specs, errors) = set.vips.request(vifs, part, lifetime(renewal.forever));
        self.renewer.ask(Work {
            specs,
            until: renewal.until(),
            of: Renewed { place, errors },
        });
    }

    /// Takes note of a renewal that is done; what the kernel refused is logged.
    pub fn renewed(&mut self, vifs: &[Vif], now: Time) {
        let Some((work, Some(verdicts))) = self.renewer.told() else {
            return;
        };
        let set = self.sets.get_mut(&work.of.place);
        let Some(set) = set.filter(|set| set.started) else {
            return;
        };
        let mut errors = work.of.errors;
        errors.extend(set.vips.refused(vifs, &work.specs, verdicts));
        // A renewal adds what is not there: what waited may be here by this.
        for vip in work.specs.iter().map(|spec| spec.address) {
            let refused = errors.iter().any(|one| one.address == vip);
            if !refused && set.waiting.remove(&vip) {
                log::info!("VIP {vip} waited for IPv6, and is here now");
                set.vips.announce_one(vip, micros(now));
            }
        }
        errors.retain(|one| !set.waiting.contains(&one.address));
        if let Ok(Outcome::Failed(why)) | Err(NoAnswer(why)) = answer(errors) {
            log::warn!("renewing: {why}");
        }
    }

    /// Announces a group's VIPs from the beginning.
    pub fn announce(&mut self, group: GroupId, vifs: &[Vif], now: Time) {
        for (_, set) in self.sets.range_mut(places_of(group)) {
            if set.started {
                set.vips.announce_now(micros(now));
            }
        }
        self.announce_due(vifs, now);
    }

    /// Announces from the beginning what is started on a VIP interface: the way to it came back, or is another.
    pub fn announce_on(&mut self, vif: usize, now: Time) {
        for set in self.sets.values_mut().filter(|set| set.started) {
            set.vips.announce_on(vif, micros(now));
        }
    }

    /// Sends the announcements that are due.
    pub fn announce_due(&mut self, vifs: &[Vif], now: Time) {
        for set in self.sets.values_mut() {
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
            .values()
            .filter_map(|set| set.vips.next_deadline())
            .min();
        due.map(|at| Time(at as i64))
    }

    fn set_and_route(&mut self, place: Place) -> (&mut Set, &mut Route) {
        let set = self.sets.get_mut(&place);
        (
            set.expect("the core names resources as it was told them"),
            &mut self.route,
        )
    }

    /// The same for who changes addresses: behind a renewal that is under way.
    fn set_to_change(&mut self, place: Place) -> (&mut Set, &mut Route) {
        self.renewer.settle();
        let _ = self.renewer.told(); // of what was before this
        self.set_and_route(place)
    }
}

impl Renewal {
    /// It waited for so long that it is left out.
    pub fn is_stale(&self, now: Time) -> bool {
        now > self.until()
    }

    /// The one without an end is asked for once, and in maintenance nobody else takes an address.
    fn until(&self) -> Time {
        match self.forever {
            true => Time(i64::MAX),
            false => self.asked + STALE_RENEWAL,
        }
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
            found: false,
            lost: Vec::new(),
            waiting: BTreeSet::new(),
            wanted: (Time(0), false),
        }
    }

    /// All that is missing waits for IPv6.
    fn waits_for(&self, missing: &[IpAddr]) -> bool {
        !missing.is_empty() && missing.iter().all(|vip| self.waiting.contains(vip))
    }

    /// They belong here no more.
    fn give_up(&mut self) {
        (self.started, self.found) = (false, false);
        self.lost.clear();
        self.waiting.clear();
    }
}

/// Every place that a resource of the group may have.
fn places_of(group: GroupId) -> RangeInclusive<Place> {
    let place = |resource| Place {
        group,
        resource: ResourceId(resource),
    };
    place(0)..=place(u64::MAX)
}

fn homes(targets: &Targets) -> HashMap<IpAddr, (Place, usize)> {
    let targets = targets.iter();
    targets
        .flat_map(|(place, vips)| vips.iter().map(move |(vip, vif)| (*vip, (*place, *vif))))
        .collect()
}

fn lifetime(forever: bool) -> Option<u32> {
    (!forever).then_some(LIFETIME.as_secs() as u32)
}

fn micros(now: Time) -> u64 {
    now.0.max(0) as u64
}

/// The first error stands for all: a thousand addresses on an interface that is gone fail alike. But one that
/// is no answer leaves the whole open.
fn answer(errors: Vec<VipError>) -> Answer {
    let text = match &errors[..] {
        [] => return Ok(Outcome::Done),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    };
    match errors.iter().any(VipError::is_no_answer) {
        true => Err(NoAnswer(text)),
        false => Ok(Outcome::Failed(text)),
    }
}
