//! What the peer's heartbeats tell: the zero to count from, its `delay`, and which device lied.

use super::instants::OFTEN;
use super::{Count, Fencing};
use crate::core::setup::FencingSetup;
use crate::core::time::Time;
use std::time::Duration;

/// What an accepted heartbeat says.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// Whose it is.
    pub incarnation: u64,
    /// It is of the incarnation of those before.
    pub same: bool,
    /// When that was sent which it is the first to echo.
    pub echoed: Option<Time>,
    /// The highest sequence of this node's that it shows as heard; 0: none.
    pub heard: u64,
    /// The delay that the peer announces, and that its zero is fresh.
    pub said: Option<(Duration, bool)>,
}

impl Fencing {
    /// A heartbeat of the peer was accepted. Gives the device that is found to lie.
    pub fn heard(
        &mut self,
        now: Time,
        word: Word,
        detection: Duration,
        setup: &FencingSetup,
    ) -> Option<usize> {
        let Word {
            incarnation,
            same,
            echoed,
            heard,
            said,
        } = word;
        self.peer_says(said.map(|(delay, _)| delay));
        if let Some(at) = echoed {
            // Unless it has heard which delay this node goes by, it goes by another.
            self.announced.take_if(|first| heard >= *first);
            let shared = said.is_some_and(|(_, fresh)| fresh) && self.announced.is_none();
            let (zero, delay) = (at.min(now), self.delay(setup));
            match self.count {
                // It never goes back.
                Some(count) if zero < count.zero => {}
                _ => {
                    self.count = Some(Count {
                        zero,
                        shared,
                        spent: false,
                        delay,
                        maintained: self.count.is_some_and(|count| count.maintained),
                        offs: self.count.map_or([None; OFTEN], |count| count.offs),
                    });
                }
            }
        }
        self.loosed &= heard == 0 || self.announced.is_some();
        for device in &mut self.devices {
            device.heard(now, same, echoed, detection);
        }
        if incarnation == self.verified && self.verified != 0 {
            self.verified = 0;
            let lied = self.gave.id;
            match self.devices.iter_mut().find(|device| device.id == lied) {
                Some(device) => device.distrusted = true,
                // It may come back.
                None if !self.liars.contains(&lied) => self.liars.push(lied),
                None => {}
            }
        }
        let mut found = self.devices.iter().enumerate();
        let (level, liar) = found.find(|(_, d)| d.distrusted && !self.liars.contains(&d.id))?;
        self.liars.push(liar.id);
        Some(level)
    }

    /// The `delay` that the peer announces; None: its file names no device.
    pub fn peer_says(&mut self, delay: Option<Duration>) {
        self.peer_delay = delay.unwrap_or_default();
        self.loosed &= delay.is_some();
    }

    /// It may hear that this node's file names no device.
    pub fn loose(&mut self) {
        self.loosed = self.peer_fences();
    }

    /// It takes over from this node by proof that this machine is off, and by nothing less.
    pub fn binds_peer(&self) -> bool {
        self.peer_fences() && !self.loosed
    }

    /// Its file named one when it was last heard.
    pub fn peer_fences(&self) -> bool {
        !self.peer_delay.is_zero()
    }

    /// The silence that may begin now begins in maintenance, or not.
    pub fn maintained(&mut self, on: bool) {
        self.count
            .iter_mut()
            .for_each(|count| count.maintained = on);
    }
}
