//! What a search needs of the peer's state: everything in it that two histories with one future differ in.

use super::super::super::canonical::{LONG_AGO, Mark};
use super::super::super::reason::Reason;
use super::super::super::setup::Setup;
use super::super::super::time::Time;
use super::Peer;
use crate::wire::heartbeat::{Echo, Heartbeat, Wish};
use std::time::Duration;

impl Peer {
    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        f(&mut self.since);
        let sent = [&mut self.round, &mut self.newest, &mut self.proof];
        sent.into_iter().flatten().for_each(|sent| f(&mut sent.at));
        self.last_heard.iter_mut().for_each(&mut *f);
        let told = [&mut self.counted, &mut self.answered, &mut self.returned];
        told.into_iter().flatten().for_each(&mut *f);
        self.strangers.iter_mut().for_each(|s| f(&mut s.until));
        let until = [&mut self.twin, &mut self.held_until];
        until.into_iter().flatten().for_each(&mut *f);
        self.paths.iter_mut().flatten().for_each(&mut *f);
    }

    /// Since when it asks to be switched off: the instants count from then.
    pub fn plea(&mut self) -> Option<&mut Time> {
        self.pleads_since.as_mut()
    }

    /// Calls `f` with every number of a heartbeat stored here, named by its incarnation; a retired
    /// incarnation is forgotten if `f` says false.
    pub fn marks(&mut self, own: u64, f: &mut dyn FnMut(Mark, &mut Echo) -> bool) {
        for (mark, sent) in [
            (Mark::Round, &mut self.round),
            (Mark::Newest, &mut self.newest),
            (Mark::Proof, &mut self.proof),
        ] {
            let Some(sent) = sent else { continue };
            let mut echo = Echo {
                incarnation: own,
                sequence: sent.sequence,
            };
            f(mark, &mut echo);
            sent.sequence = echo.sequence;
        }
        let mut believed = self.echoes().0;
        f(Mark::Believed, &mut believed);
        (self.incarnation, self.highest) = (believed.incarnation, believed.sequence);
        self.strangers.iter_mut().for_each(|stranger| {
            f(Mark::Stranger, &mut stranger.echo);
        });
        self.retired.retain_mut(|incarnation| {
            let mut retired = Echo {
                incarnation: *incarnation,
                sequence: 0,
            };
            let kept = f(Mark::Retired, &mut retired);
            *incarnation = retired.incarnation;
            kept
        });
    }

    /// Calls `f` with the wishes in its latest heartbeat.
    pub fn wishes(&mut self, f: &mut dyn FnMut(&mut [Wish])) {
        if let Some(latest) = &mut self.latest {
            f(&mut latest.wishes);
        }
    }

    /// Forgets what is only shown, or was judged when it was heard and is not looked at again.
    pub fn forget(&mut self, now: Time, setup: &Setup) {
        let instant = Duration::from_micros(1);
        let (detection, deaf) = (self.detection_time(), self.deaf_after(setup));
        for sent in [&mut self.round, &mut self.newest].into_iter().flatten() {
            sent.at = sent.at.max(now - detection - instant);
        }
        if let Some(proof) = &mut self.proof {
            proof.outdated = false;
        }
        // What is over is so since the last tick, however long ago that was.
        let remembered = self.strangers.iter_mut().map(|s| &mut s.until);
        for until in remembered.chain(&mut self.twin).chain(&mut self.held_until) {
            *until = (*until).max(now - instant);
        }
        if setup.vifs.is_empty() {
            // Nothing is held against the moment of the last contact.
            self.last_heard = self
                .last_heard
                .max(self.last_heard.and(Some(now - detection)));
            if let Some(proof) = &mut self.proof {
                proof.at = proof.at.max(now - deaf - instant);
            }
            self.counted = None;
        }
        // Of the two the later counts, and this one for less.
        self.answered = self
            .answered
            .filter(|at| Some(*at) > self.counted && !setup.vifs.is_empty());
        let pause = setup.interval.max(self.theirs.interval);
        self.returned = self
            .returned
            .filter(|at| now.since(*at) <= pause && !setup.vifs.is_empty());
        self.since = LONG_AGO;
        self.reason = Reason::PeerUnknown;
        self.reflected = 0;
        self.paths.clear();
        for latest in [&mut self.latest, &mut self.refused].into_iter().flatten() {
            forget_judged(latest);
            (latest.solicit, latest.goodbye, latest.echo) = (false, false, Echo::default());
        }
    }
}

/// Forgets what of a heartbeat counts only at the moment it is heard or sent.
pub(in crate::core) fn forget_judged(heartbeat: &mut Heartbeat) {
    heartbeat.incarnation = 0;
    heartbeat.sequence = 0;
    heartbeat.echo.sequence = 0;
    heartbeat.heard_paths = 0;
    heartbeat.challenges.clear();
    heartbeat.listed.clear();
    heartbeat.fencing = None;
    if let Some(answer) = &mut heartbeat.answer {
        answer.text.clear();
    }
}
