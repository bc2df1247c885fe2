//! The last heartbeats: apart from each other, so that no single moment in which nothing gets through, as of an interface
//! that goes down, loses them all. A peer that hears none takes this node for silent.

use super::Daemon;
use crate::wire::heartbeat::Heartbeat;
use std::thread::sleep;
use std::time::Duration;

/// Between two of them, at most: nobody notices that on a stop.
const PAUSE: Duration = Duration::from_millis(100);

impl Daemon {
    /// The first leaves at once, those after it when all has been told.
    pub(super) fn say_goodbye(&mut self, heartbeat: Heartbeat) {
        if self.farewell.is_empty() {
            self.send(&heartbeat);
        }
        self.farewell.push(heartbeat);
    }

    /// Says the others.
    pub(super) fn repeat_goodbye(&mut self) {
        for heartbeat in std::mem::take(&mut self.farewell).into_iter().skip(1) {
            sleep(PAUSE.min(self.config.heartbeat.interval));
            self.send(&heartbeat);
        }
    }
}
