//! Fencing: makes sure, by a device that switches it off, that a silent peer runs nothing.
//!
//! **What it knows.** The [`Count`] since the last contact both ways, of which the run directory has a copy that
//! lags a little ([`Action::Note`]); on disk one word, *an off may have left and is not over*
//! ([`FenceRecord::shot`]), written before the first packet; per device what it read ([`Device`]). That is all:
//! a permission to shoot never outlives a boot, for in a boot in which the peer was not heard both ways nothing
//! is shot that reads on. (A machine that was shot in a lasting cut, and returns, so cannot shoot back, and one
//! that lost power together with its peer cannot meet the other's shot with its own. What reads off clears all
//! the same.)
//!
//! **What it does.** While the peer is silent and this node runs a group, or could run one that waits for
//! clearance, it reads every device, one question at a time each; off twice, `settle` apart, is clearance. A shot
//! leaves at an own instant only (`instants`), by the device that read on last and was tried least, once the disk
//! has the word; what is not ready waits for the next, and so does the next shot at a machine that reads on after a device
//! accepted to switch it off. A word that was not used serves the next instant, and is withdrawn when nobody needs to know any more.
//!
//! **Dying.** From the word on nothing is agreed with the peer. It is over once the peer is heard both ways and no
//! device is asked to switch off and one read on that was asked more than `off_time` after the last off left (what a
//! device accepted it does by then, or never), or `off_deadline` and a grace have passed since. A daemon that finds the
//! word on disk counts from its own start.
//!
//! **Orders of events**
//! - *Both lose sight of each other*: the first's `patience` (if it runs a group), the second's `delay`, the
//!   first's `2 × delay`, each with room for the machine to go off ([`least_delay`]). Whose zero the peer may not
//!   share, after a loss in one direction, waits for the device to read off, for the peer, or for a human.
//! - *The daemon dies between the word and the off*: the word says that it may have left. Whoever finds it shoots nobody
//!   before it has heard the peer both ways: that may have been switched on again meanwhile. What reads off clears.
//! - *Both are stopped by order, one is started*: the other may be as well as it was. Nobody is shot before it is heard.
//! - *Power lost with the device*: nothing reads, nothing is shot: BLOCKED with the device's reason. With the
//!   device alive it reads off.
//! - *Maintenance*: nothing is shot in it, nor for a silence that began in it; what reads off when it has ended clears.
//! - *A device that was found to lie* gives no clearance and shoots nobody, until a rehearsal had it switch off the peer's
//!   machine.
//! - *A device in one file only* (half loaded, or taken away): who has one does not count on not being taken over while
//!   the other says that it has none, and behaves as in best effort; who has none takes nothing by best effort from a
//!   peer whose last word was that it has one. So nobody takes by less than its peer counts on.
//! - *Fence me*: the instants count from when it was first said; who says it shoots nobody.
//! - *A peer of which half is heard* (OneWay, Refused) is not silent.
//! - *An operator's order* ([`Order`]) shoots whatever holds fire, but in maintenance: at once who is heard, or whose
//!   instants are not known; who is silent at an own instant, for the peer's may be near.

mod device;
mod hearing;
mod instants;
mod order;
mod reading;
mod seen;
mod shooting;

use super::peer::PeerState;
use super::record::FenceRecord;
use crate::core::event::Action;
use crate::core::reason::Reason;
use crate::core::setup::{FencingSetup, MOST_DEVICES, Setup};
use crate::core::time::Time;
use device::Device;
pub use hearing::Word;
pub use instants::{Count, OFTEN, Role, drift, least_delay};
pub use order::Order;
pub use seen::Seen;
use std::time::Duration;

/// The devices that switch the peer off, and what came of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fencing {
    count: Option<Count>,
    /// What the run directory has of it.
    noted: Option<Count>,
    shot: Shot,
    /// Since when the disk is known to have the word, and nothing left.
    word_since: Option<Time>,
    devices: Vec<Device>,
    /// Of the file in force, those that are distrusted among others: they may come back.
    liars: Vec<u64>,
    /// The `delay` that the peer announced last; zero: none.
    peer_delay: Duration,
    /// It may have heard since that this node has no device, and not yet that it has one again.
    loosed: bool,
    /// The first heartbeat that announces another one than before; None: the peer heard it.
    announced: Option<u64>,
    /// The beginning of the instant in which an off left last.
    used: Option<Time>,
    /// Something was answered since the last tick.
    stirred: bool,
    /// Since when the peer is heard both ways, while that is to undo that it was switched off.
    back_since: Option<Time>,
    /// Which device verified that the peer is off, and the incarnation of the peer that was.
    gave: Gave,
    verified: u64,
    waits: Option<Reason>,
    order: Option<Order>,
    /// What came of the last order that was in vain.
    came: String,
}

/// A device: its level then, and its identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Gave {
    level: usize,
    id: u64,
}

/// What may be on its way to the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Shot {
    /// Nothing.
    #[default]
    None,
    /// The disk is told that an off may leave; none has.
    Intended,
    /// An off left then, or may have.
    Sent {
        /// When the last did.
        at: Time,
        /// By an operator's order.
        ordered: bool,
        /// A read that was asked late enough found the machine on: what left does nothing any more.
        over: bool,
        /// What came of it.
        said: Said,
    },
}

/// What a device said of an off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Said {
    /// Nothing yet, or to a daemon before this one.
    Nothing,
    /// It does it.
    Accepted,
    /// It did: the machine is off.
    Off,
    /// It does not, or did not answer: another device may be asked at the next instant.
    Refused,
}

impl Fencing {
    /// What the disk remembers, and the run directory of an earlier daemon of this boot.
    pub fn remembered(
        now: Time,
        record: FenceRecord,
        noted: Option<Count>,
        setup: &Setup,
    ) -> Fencing {
        let shot = match record.shot {
            true => Shot::Sent {
                at: now,
                ordered: false,
                over: false,
                said: Said::Nothing,
            },
            false => Shot::None,
        };
        // What an earlier daemon shot may have gone off and been switched on again while nobody looked, or by who saw it
        // off. Reads of "on" do not tell that from a machine that never went, however long they go on; and another shot
        // at one that booted into a cut would be a chain. So the peer, a read of "off" or a human has to end it.
        let leave = |count: Count| Count {
            spent: count.spent || record.shot,
            ..count
        };
        let mut fencing = Fencing {
            count: noted.map(leave),
            noted,
            shot,
            liars: record.distrusted,
            peer_delay: record.peer_delay,
            loosed: record.loosed,
            ..Fencing::default()
        };
        fencing.equip(setup.fencing.as_ref());
        fencing
    }

    /// The devices are those of that file from now on. Nothing that was read or asked before is told from what others
    /// say; who lied is known again.
    /// The heartbeats from `first` on say what that file says.
    pub fn reconcile(
        &mut self,
        now: Time,
        first: u64,
        before: Option<&FencingSetup>,
        setup: &Setup,
    ) {
        let fencing = setup.fencing.as_ref();
        if before == fencing {
            return;
        }
        if before.map(|f| f.delay) != fencing.map(|f| f.delay) {
            self.announced = Some(first);
        }
        match &mut self.shot {
            Shot::Intended => self.shot = Shot::None,
            // What was under way may leave as late as this.
            Shot::Sent { at, over, .. } => (*at, *over) = (now, false),
            Shot::None => {}
        }
        self.equip(fencing);
        self.order = self.order.filter(|_| fencing.is_some());
        (self.waits, self.stirred) = (None, true);
    }

    /// What was asked of a place is answered in any case, though another device stands there meanwhile.
    fn equip(&mut self, fencing: Option<&FencingSetup>) {
        let ids = fencing.map_or([].as_slice(), |f| &f.ids[..f.devices]);
        let mut before = std::mem::take(&mut self.devices).into_iter();
        let device = |id: &u64| match before.next() {
            Some(device) if device.id == *id => device,
            other => {
                let mut new = Device::new(*id, self.liars.contains(id));
                new.asking = other.and_then(|device| device.asking);
                new
            }
        };
        self.devices = ids.iter().map(device).collect();
    }

    /// What belongs on disk.
    pub fn record(&self) -> FenceRecord {
        let forgotten = self.liars.len().saturating_sub(MOST_DEVICES);
        FenceRecord {
            shot: self.shot != Shot::None,
            distrusted: self.liars[forgotten..].to_vec(),
            peer_delay: self.peer_delay,
            loosed: self.loosed,
        }
    }

    /// The peer may be dying of what this node, or a daemon before, asked for: nothing is agreed with it.
    pub fn dying(&self) -> bool {
        self.shot != Shot::None || self.asks_off()
    }

    /// That device was found to lie: it gives no clearance and shoots nobody.
    pub fn distrusts(&self, level: usize) -> bool {
        self.devices
            .get(level)
            .is_some_and(|device| device.distrusted)
    }

    /// An operator wants the peer off, whatever it does. (A rehearsal: and on again.)
    pub fn order(&mut self, now: Time, rehearsal: bool) {
        self.order = Some(Order::given(now, rehearsal));
        (self.waits, self.stirred) = (None, true);
    }

    /// Why the last order was in vain.
    pub fn came(&self) -> &str {
        &self.came
    }

    /// The order under way.
    pub fn ordered(&self) -> Option<Order> {
        self.order
    }

    /// When the peer was last heard both ways in this boot, by this daemon or one before.
    pub fn met_at(&self) -> Option<Time> {
        self.count.map(|count| count.zero)
    }

    /// Its own zero is fresh: what the peer is told of it.
    pub fn is_fresh(&self, now: Time, setup: &Setup, peer_interval: Duration) -> bool {
        let fresh = drift(setup, peer_interval);
        self.count.is_some_and(|c| now.since(c.zero) <= fresh)
    }

    /// Which device gave clearance last.
    pub fn gave(&self) -> usize {
        self.gave.level
    }

    /// What a group that needs clearance waits for.
    pub fn waiting(&self) -> Reason {
        self.waits.clone().unwrap_or(Reason::ClearancePending)
    }

    /// The peer is known to be gone: what is heard of it after that is another life of it, and until that is heard both
    /// ways nobody is shot who reads on, by this daemon or one after it.
    fn spend(&mut self) {
        if let Some(count) = &mut self.count {
            count.spent = true;
        }
    }

    /// This daemon ends by order: what the peer does after that is not known to whoever starts then. It may have been
    /// stopped as well.
    pub fn leave(&mut self, setup: &FencingSetup, out: &mut Vec<Action>) {
        self.spend();
        self.note(setup, out);
    }

    /// Something else than a tick may have made ready what waits for one.
    pub fn stir(&mut self) {
        self.stirred = true;
    }

    /// Does what is to be done at this step.
    pub fn step(&mut self, seen: &Seen, setup: &Setup, out: &mut Vec<Action>) {
        let Some(fencing) = setup.fencing else {
            return self.forget_shot(seen, LONGEST);
        };
        if seen.peer.is_gone() {
            self.spend();
        }
        self.part(seen, &fencing);
        self.note(&fencing, out);
        self.forget_shot(seen, fencing.off_deadline + fencing.grace);
        self.forget_offs(seen, &fencing);
        let alive = seen.peer == PeerState::Alive;
        if !seen.tick {
            return;
        }
        self.stirred = false;
        self.end_order(seen);
        let waits = self.shot == Shot::Intended && seen.saved;
        self.word_since = self.word_since.or(Some(seen.now)).filter(|_| waits);
        let dying = alive && self.shot != Shot::None;
        if seen.watches() || dying || self.order.is_some() {
            self.shoot(seen, setup, &fencing, out);
            self.read(seen, setup, &fencing, out);
        } else {
            self.devices.iter_mut().for_each(Device::rest);
            self.waits = None;
            if self.shot == Shot::Intended {
                self.shot = Shot::None;
            }
        }
    }

    /// Another `delay` is announced than the one that both counted by, and what this node says may still make a zero of it
    /// there: until that is heard the two may count apart.
    fn part(&mut self, seen: &Seen, setup: &FencingSetup) {
        let delay = self.delay(setup);
        if let Some(count) = &mut self.count {
            count.shared &= count.delay == delay || !seen.fresh;
        }
    }

    /// An order ends with the peer, in maintenance, or in vain.
    fn end_order(&mut self, seen: &Seen) {
        let Some(order) = &self.order else { return };
        let survived = self.shot == Shot::None && !order.goes_on(self.devices.len());
        let over = seen.peer == PeerState::Fenced || seen.maintenance || survived;
        let unfit = order.unsent() && !order.allows(seen);
        if over || unfit || seen.now >= order.ends() {
            self.order = None;
            self.came = match &self.waits {
                _ if unfit => {
                    "it was not asked to, for it runs a group by now, or is heard no more".into()
                }
                Some(Reason::ClearanceRefused(why)) => why.clone(),
                _ if self.devices.iter().any(|d| d.on) => "it has power still".into(),
                _ if seen.peer.is_heard() => "it is heard".into(),
                _ => "no device says so for certain".into(),
            };
        }
    }

    /// Nothing may be on its way any more to a peer that is heard: none left, or what did is over.
    fn forget_shot(&mut self, seen: &Seen, lasts: Duration) {
        if seen.peer != PeerState::Alive {
            return;
        }
        let is_over = match self.shot {
            Shot::None => false,
            Shot::Intended => seen.pleads_since.is_none() && self.order.is_none(),
            Shot::Sent { at, over, .. } => !self.asks_off() && (over || seen.now >= at + lasts),
        };
        if is_over {
            self.shot = Shot::None;
        }
    }

    /// Who is heard for longer than an off may take did come back: the offs before did what they were for. (One that dies
    /// again as soon as it is up did not.)
    fn forget_offs(&mut self, seen: &Seen, fencing: &FencingSetup) {
        let Some(count) = &mut self.count else { return };
        let counts = seen.peer == PeerState::Alive && count.offs != [None; OFTEN];
        self.back_since = self.back_since.or(Some(seen.now)).filter(|_| counts);
        if let Some(since) = self.back_since
            && seen.now.since(since) > fencing.off_deadline
        {
            (count.offs, self.back_since) = ([None; OFTEN], None);
        }
    }

    /// When something is due.
    pub fn deadline(&self, seen: &Seen, setup: &Setup) -> Option<Time> {
        let Some(fencing) = setup.fencing.as_ref() else {
            return self.forgets_at(seen, LONGEST);
        };
        let at_once = Some(seen.now + Duration::from_micros(1));
        let at_once = at_once.filter(|_| seen.watches() || self.order.is_some());
        let shot = self.next_shot(seen, setup, fencing);
        let reads = self.devices.iter().filter(|d| d.asking.is_none());
        let reads = reads.filter_map(|d| Some(d.reads_at(d.next.or(at_once)?, shot)));
        let base = self.base(seen, setup, fencing);
        let instant =
            base.and_then(|(zero, delay)| instants::next(seen.now, zero, seen.role, delay, setup));
        let over = self.forgets_at(seen, fencing.off_deadline + fencing.grace);
        let stirred = self.stirred.then(|| seen.now + Duration::from_micros(1));
        let listens = (seen.listened_at).filter(|at| seen.is_silent() && *at > seen.now);
        reads
            .chain(listens)
            .chain(instant.filter(|_| seen.needs || self.order.is_some()))
            .chain(self.order.map(|order| order.ends()))
            .chain(over)
            .chain(stirred)
            .min()
    }

    fn forgets_at(&self, seen: &Seen, lasts: Duration) -> Option<Time> {
        match self.shot {
            Shot::Sent { at, .. } if seen.peer == PeerState::Alive => Some(at + lasts),
            _ => None,
        }
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        let counts = [&mut self.count, &mut self.noted].into_iter().flatten();
        counts.for_each(|count| count.times(f));
        if let Shot::Sent { at, .. } = &mut self.shot {
            f(at);
        }
        self.used.iter_mut().for_each(&mut *f);
        self.word_since.iter_mut().for_each(&mut *f);
        self.back_since.iter_mut().for_each(&mut *f);
        self.order.iter_mut().for_each(|order| order.times(f));
        self.devices.iter_mut().for_each(|d| d.times(f));
    }

    /// Forgets, for a search, what is only shown, and how often instants have come and gone. (And that a device
    /// was proven to lie after it had given clearance.)
    pub fn forget(&mut self, now: Time, plea: Option<&mut Time>, setup: &Setup) {
        let Some(fencing) = &setup.fencing else {
            return;
        };
        let delay = self.delay(fencing);
        let counts = [&mut self.count, &mut self.noted].into_iter().flatten();
        let counts = counts.map(|count| {
            count.offs = [None; OFTEN]; // no search lasts an hour
            (&mut count.zero, count.delay)
        });
        for (zero, delay) in counts.chain(plea.map(|plea| (plea, delay))) {
            while now.since(*zero) >= PASSED * delay {
                *zero = *zero + 2 * delay;
            }
        }
        if let Shot::Sent { at, .. } = &mut self.shot {
            *at = (*at).max(now - fencing.off_deadline - fencing.grace);
        }
        let width = setup.detection_time(setup.interval);
        self.used = self.used.filter(|at| now < *at + width);
        self.word_since = self.word_since.map(|at| at.max(now - width));
        self.devices
            .iter_mut()
            .for_each(|d| d.forget(now, fencing.settle, fencing.off_deadline + fencing.grace));
        (self.verified, self.waits, self.gave) = (0, None, Gave::default());
        self.back_since = None;
        self.came.clear();
    }

    /// The larger of the two announced.
    fn delay(&self, setup: &FencingSetup) -> Duration {
        setup.delay.max(self.peer_delay)
    }

    /// Tells the run directory, if it lags too much.
    fn note(&mut self, setup: &FencingSetup, out: &mut Vec<Action>) {
        let Some(count) = self.count else { return };
        let lags = |noted: Count| {
            let lags = count.zero > noted.zero && count.zero >= noted.zero + setup.lag;
            lags || Count {
                zero: count.zero,
                ..noted
            } != count
        };
        if self.noted.is_none_or(lags) {
            self.noted = Some(count);
            out.push(Action::Note(count));
        }
    }
}

/// How many times `delay` ago is so long ago that two more make no difference: one that comes again is not one's
/// [first](Role::hesitates).
pub const PASSED: u32 = 6;

/// What was asked of a device that is in no file any more is over after so long: the slowest known, a cloud's, asks for
/// eight minutes.
const LONGEST: Duration = Duration::from_secs(600);
