//! Shoots: in which instant, by which device, and what speaks against it.

use super::device::Device;
use super::{Count, Fencing, Order, Said, Seen, Shot, instants, least_delay};
use crate::core::event::{Action, Ask};
use crate::core::protocol::peer::PeerState;
use crate::core::reason::{HeldFire, Reason};
use crate::core::setup::{FencingSetup, Setup};
use crate::core::time::Time;
use std::time::Duration;

impl Fencing {
    /// Begins a shot, or carries it out, if one of the own instants is open and all is ready.
    pub(super) fn shoot(
        &mut self,
        seen: &Seen,
        setup: &Setup,
        fencing: &FencingSetup,
        out: &mut Vec<Action>,
    ) {
        let held = self.held(seen, setup, fencing);
        if self.devices.iter().any(|d| d.on) {
            let survived =
                || Reason::ClearanceRefused("the off was accepted, and it has power still".into());
            let idle = matches!(
                self.shot,
                Shot::Sent {
                    over: true,
                    said: Said::Accepted,
                    ..
                }
            );
            self.waits = held.map(Reason::HeldFire).or(idle.then(survived));
        }
        if !self.is_free(seen, setup, fencing)
            && self.order.is_none()
            && self.shot == Shot::Intended
        {
            self.shot = Shot::None;
        }
        let instant = self.next_shot(seen, setup, fencing);
        let instant = instant.filter(|(from, _)| *from <= seen.now);
        let device = self.ready(seen.now, fencing);
        // What the disk has already serves the next instant, should this one pass before it has.
        let (Some((instant, _)), Some(device)) = (instant, device) else {
            return;
        };
        // A slow disk may have taken so long that this node is cut off meanwhile.
        let lately = seen.now - setup.interval;
        let since = self
            .word_since
            .map_or(instant, |at| at.min(lately).max(instant));
        if self.order.is_none() && seen.reached < Some(since) {
            return;
        }
        match self.shot {
            Shot::Sent { .. } if self.awaited(seen, fencing) => return,
            Shot::None | Shot::Sent { .. } if !seen.asked && self.order.is_none() => return,
            Shot::None => self.shot = Shot::Intended,
            Shot::Intended | Shot::Sent { .. } => {}
        }
        if !seen.saved {
            return;
        }
        let at = seen.now;
        self.shot = Shot::Sent {
            at,
            ordered: self.order.is_some(),
            over: false,
            said: Said::Nothing,
        };
        self.used = Some(instant);
        self.order.iter_mut().for_each(Order::sent);
        let level = &mut self.devices[device];
        level.tries = level.tries.saturating_add(1);
        level.proves = seen.peer == PeerState::Alive;
        let ask = Ask::Off;
        (level.asking, level.on) = (Some((ask, at)), false);
        out.push(Action::Device { device, ask });
    }

    /// The own instant in which the next may leave, from and until.
    pub(super) fn next_shot(
        &self,
        seen: &Seen,
        setup: &Setup,
        fencing: &FencingSetup,
    ) -> Option<(Time, Time)> {
        let base = self.base(seen, setup, fencing);
        let free = match &self.order {
            Some(order) => order.goes_on(self.devices.len()) && order.allows(seen),
            None => self.is_free(seen, setup, fencing),
        };
        let width = setup.detection_time(setup.interval);
        if self.order.is_some() && (base.is_none() || seen.peer == PeerState::Alive) {
            let at_once = free && !self.awaited(seen, fencing);
            return at_once.then(|| (seen.now, seen.now + width));
        }
        let (zero, delay) = base.filter(|_| free)?;
        let open = instants::open(seen.now, zero, seen.role, delay, setup);
        let unused = open.filter(|at| self.used != Some(*at));
        let next = || instants::next(seen.now, zero, seen.role, delay, setup);
        let from = unused.or_else(next)?;
        Some((from, from + width))
    }

    /// From when the instants count, and how far apart they are; None: nothing that reads on is shot. Whoever is silent counts
    /// by what both knew then, whatever a file has said since.
    pub(super) fn base(
        &self,
        seen: &Seen,
        setup: &Setup,
        fencing: &FencingSetup,
    ) -> Option<(Time, Duration)> {
        let lasts = |count: &Count| self.lasts(*count, setup, fencing);
        let shared = |count: &Count| count.shared && !count.spent && lasts(count);
        match (seen.peer, self.count.filter(shared)) {
            (PeerState::Silent, Some(count)) if seen.listened() => Some((count.zero, count.delay)),
            (PeerState::Alive, _) => Some((seen.pleads_since?, self.delay(fencing))),
            _ => None,
        }
    }

    pub(super) fn asks_off(&self) -> bool {
        let off = |d: &Device| matches!(d.asking, Some((Ask::Off, _)));
        self.devices.iter().any(off)
    }

    /// An off left, and may still come to something.
    fn awaited(&self, seen: &Seen, fencing: &FencingSetup) -> bool {
        match self.shot {
            Shot::Sent { at, over, said, .. } => {
                let in_vain = match said {
                    Said::Refused => true,
                    Said::Accepted | Said::Off => over,
                    // Whoever carries it out may do so still.
                    Said::Nothing => over && self.order.is_some(),
                };
                !in_vain && seen.now < at + fencing.off_deadline
            }
            Shot::None | Shot::Intended => false,
        }
    }

    /// Nothing speaks against a shot but that its instant has not come.
    fn is_free(&self, seen: &Seen, setup: &Setup, fencing: &FencingSetup) -> bool {
        self.held(seen, setup, fencing).is_none() && !seen.maintenance && seen.needs
    }

    /// What speaks against a shot as long as it lasts, whatever the instant.
    fn held(&self, seen: &Seen, setup: &Setup, fencing: &FencingSetup) -> Option<HeldFire> {
        let often = self.count.is_some_and(|count| count.often(seen.now));
        let pleads = seen.pleads_since.is_some();
        let held = match self.count {
            Some(count) if count.maintained => Some(HeldFire::Maintained),
            _ if seen.serves => Some(HeldFire::Serves),
            _ if often => Some(HeldFire::Often),
            _ if pleads => None,
            _ if seen.claims || (seen.speaks && seen.role.runs) => Some(HeldFire::Speaks),
            None => Some(HeldFire::Unmet),
            Some(count) if count.spent && self.inherited() => Some(HeldFire::Inherited),
            Some(count) if count.spent => Some(HeldFire::Unmet),
            Some(count) if !count.shared => Some(HeldFire::Apart),
            Some(count) if !self.lasts(count, setup, fencing) => Some(HeldFire::Short),
            Some(_) => None,
        };
        let leaves = seen.unreached && !seen.gains && !pleads;
        held.or_else(|| self.unfit(seen, setup))
            .or(leaves.then_some(HeldFire::Elsewhere))
    }

    /// What left did so before this daemon started.
    fn inherited(&self) -> bool {
        let nothing = Said::Nothing;
        matches!(self.shot, Shot::Sent { said, .. } if said == nothing)
    }

    /// Why nothing of what it is about could be served here, as far as is known between two instants.
    fn unfit(&self, seen: &Seen, setup: &Setup) -> Option<HeldFire> {
        let lasts = setup.detection_time(setup.interval);
        let lasts = lasts.max(setup.gateway.timeout);
        match seen.reached {
            _ if !seen.able => Some(HeldFire::Unable),
            Some(at) if at + lasts >= seen.now => None,
            Some(_) | None => Some(HeldFire::Blind),
        }
    }

    /// The `delay` that both knew is as long as what is announced now, or long enough for what this file names.
    fn lasts(&self, count: Count, setup: &Setup, fencing: &FencingSetup) -> bool {
        let detection = setup.detection_time(setup.interval);
        let least = least_delay(detection, setup.interval, fencing);
        count.delay >= least.min(self.delay(fencing))
    }

    /// Of the devices that read on last, and do not rest, the first of those tried least. An operator's order asks any.
    fn ready(&self, now: Time, fencing: &FencingSetup) -> Option<usize> {
        let ordered = self.order.is_some();
        let delay = self.delay(fencing);
        let levels = self.devices.iter().enumerate();
        levels
            .filter(|(_, d)| d.on && d.asking.is_none())
            .filter(|(_, d)| ordered || !(d.distrusted || d.rests(now, delay)))
            .min_by_key(|(n, d)| (d.tries, *n))
            .map(|(n, _)| n)
    }
}
