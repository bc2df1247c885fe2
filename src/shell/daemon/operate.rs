//! What the core asks to be done to resources: to VIPs by netlink at once, to services by `systemctl`, to mounts by a
//! helper and to DRBD by its tools, each in a task of its own.
//!
//! Where the kernel gives no answer (its tables change while they are read, it is short of memory), it is
//! asked again until it does, or until the core has waited for as long as it may take: that is no failure
//! of the resource, and a stop that could not be verified is no failed stop.

use super::*;
use crate::core::protocol::right::Right;
use crate::shell::vips::{Answer, NoAnswer};
use std::time::Duration;

/// Something asked of VIPs that is to be asked again.
pub(super) struct Open {
    place: Place,
    doing: Doing,
    why: String,
    /// When it was asked for the first time.
    since: Time,
    again_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Look,
    Start,
    Stop,
    Cede,
}

/// How long until the kernel is asked again.
const AGAIN: Duration = Duration::from_millis(20);
/// What is answered sooner is no news.
const NEWS: Duration = Duration::from_secs(1);
/// An address that is to be added so much later than it should be is not: this node was paused, and what was
/// right then need not be now.
const STALE: Duration = Duration::from_millis(500);

/// The kinds of resources: whoever does what the core asks of one.
enum Keeper {
    Vips,
    Services,
    Mounts,
    Disks,
}

impl Daemon {
    fn keeper(&self, place: Place) -> Keeper {
        if self.vips.has(place) {
            Keeper::Vips
        } else if self.mounts.has(place) {
            Keeper::Mounts
        } else if self.disks.has(place) {
            Keeper::Disks
        } else {
            Keeper::Services
        }
    }

    pub(super) fn look(&mut self, place: Place) {
        match self.keeper(place) {
            Keeper::Vips => self.ask(place, Doing::Look, clock::now()),
            Keeper::Services => self.services.look(place),
            Keeper::Mounts => self.mounts.look(place),
            Keeper::Disks => self.disks.look(place),
        }
    }

    pub(super) fn start(&mut self, place: Place, right: Option<Right>) {
        match self.keeper(place) {
            Keeper::Vips if self.asks_first(place, right, clock::now()) => {}
            Keeper::Vips => self.ask_to_start(place),
            Keeper::Services => self.services.start(place),
            Keeper::Mounts => self.mounts.start(place),
            Keeper::Disks => self.disks.start(place, right),
        }
    }

    pub(super) fn ask_to_start(&mut self, place: Place) {
        self.ask(place, Doing::Start, clock::now());
    }

    pub(super) fn stop(&mut self, place: Place) {
        let keeper = self.keeper(place);
        if !matches!(keeper, Keeper::Mounts | Keeper::Disks) {
            self.mounts.write_back(place.group);
        }
        match keeper {
            Keeper::Vips => self.ask(place, Doing::Stop, clock::now()),
            Keeper::Services => self.services.stop(place),
            Keeper::Mounts => self.mounts.stop(place),
            Keeper::Disks => self.disks.stop(place),
        }
    }

    pub(super) fn part(&mut self, place: Place) {
        match self.keeper(place) {
            Keeper::Disks => {
                let theirs = self.is_theirs(place.group);
                let heartbeat = &self.config.heartbeat;
                let within = heartbeat.interval * heartbeat.misses;
                let answers = self.outdated.clone();
                self.disks.part(place, theirs, within, answers);
            }
            // Nothing of them is left up.
            Keeper::Vips | Keeper::Services | Keeper::Mounts => {
                self.done(Op::Resource(place), Outcome::Done)
            }
        }
    }

    pub(super) fn cede(&mut self, place: Place) {
        self.ask(place, Doing::Cede, clock::now());
    }

    /// Ends an operation early: it took too long, or is not wanted any more.
    pub(super) fn cancel(&mut self, place: Place) {
        if self.duplicates.cancel(place) {
            let outcome = Outcome::Failed("cancelled".into());
            return self.done(Op::Resource(place), outcome);
        }
        match self.open.iter().position(|open| open.place == place) {
            Some(at) => {
                let open = self.open.swap_remove(at);
                self.give_up(open);
            }
            None => {
                self.services.cancel(place);
                self.mounts.cancel(place);
                self.disks.cancel(place);
            }
        }
    }

    /// When something is to be asked again.
    pub(super) fn again_at(&self) -> Option<Time> {
        self.open.iter().map(|open| open.again_at).min()
    }

    /// Asks again what was not answered.
    pub(super) fn ask_again(&mut self) {
        let now = clock::now();
        let (due, later) = (self.open.drain(..)).partition(|open| open.again_at <= now);
        self.open = later;
        let due: Vec<Open> = due;
        for open in due {
            let late = now.since(open.again_at) > STALE;
            let gone = !self.vips.has(open.place); // by a reload
            if gone || (late && matches!(open.doing, Doing::Start | Doing::Cede)) {
                self.give_up(open);
            } else {
                self.ask(open.place, open.doing, open.since);
            }
            while let Some(event) = self.pending.pop_front() {
                self.step(event);
            }
        }
    }

    /// What has got no answer for long enough to be told.
    pub(super) fn unanswered(&self) -> Vec<String> {
        let now = clock::now();
        let long = self
            .open
            .iter()
            .filter(move |open| now.since(open.since) >= NEWS);
        long.map(|open| {
            format!(
                "the kernel gives no answer, and is asked again: {}",
                open.why
            )
        })
        .collect()
    }

    fn ask(&mut self, place: Place, doing: Doing, since: Time) {
        let now = clock::now();
        match self.answer(place, doing, now) {
            Ok(outcome) => {
                self.tell_if_away(place, doing, &outcome);
                self.done(Op::Resource(place), outcome);
            }
            Err(NoAnswer(why)) => {
                log::debug!("asked again: {why}");
                self.open.push(Open {
                    place,
                    doing,
                    why,
                    since,
                    again_at: now + AGAIN,
                });
            }
        }
    }

    /// It is asked no more. A start that the kernel never answered says nothing about the addresses: the next look
    /// at the network, which comes when the kernel answers, tells the core that they may be tried again.
    fn give_up(&mut self, open: Open) {
        let (place, why) = (open.place, open.why);
        let outcome = match open.doing {
            Doing::Start => {
                self.told_unready.insert(place, Some(entirely(why.clone())));
                self.network.look();
                Outcome::Unasked(why)
            }
            Doing::Look | Doing::Stop | Doing::Cede => Outcome::Failed(why),
        };
        self.done(Op::Resource(place), outcome);
    }

    /// An interface that was just removed is told to the core before the start that fails for it, so that this
    /// counts against nobody; the next look has the last word.
    fn tell_if_away(&mut self, place: Place, doing: Doing, outcome: &Outcome) {
        let Outcome::Failed(why) = outcome else {
            return;
        };
        if doing == Doing::Start && !self.network.could_have(self.vips.all_of(place)) {
            let unready = Some(entirely(why.clone()));
            self.told_unready.insert(place, unready.clone());
            self.pending.push_back(Event::Ready { place, unready });
            self.network.look();
        }
    }

    fn answer(&mut self, place: Place, doing: Doing, now: Time) -> Answer {
        let vifs = &self.network.vifs;
        match doing {
            Doing::Look => self.vips.look(place, vifs),
            Doing::Start => {
                let forever = self.node.view().maintenance;
                self.vips.start(place, vifs, forever, now)
            }
            Doing::Stop => self.vips.stop(place),
            Doing::Cede => self.vips.cede(place, vifs),
        }
    }
}
