//! The last words, to the peer and to the hook.
//!
//! The last heartbeats leave apart from each other, so that no single moment in which nothing gets through, as of an
//! interface that goes down, loses them all. A peer that hears none takes this node for silent.

use super::Daemon;
use crate::wire::heartbeat::Heartbeat;
use smol::Timer;
use smol::future::FutureExt;
use std::thread::sleep;
use std::time::Duration;

/// Between two of them, at most: nobody notices that on a stop.
const PAUSE: Duration = Duration::from_millis(100);

/// So long the hook may take at most for what waits: all is handed over by then, and systemd gives the end ten seconds.
const HOOK: Duration = Duration::from_secs(3);

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

    /// The hook hears of the end, too, and of what led to it.
    pub(super) fn finish_hook(&mut self) {
        let Some(notifier) = self.notifier.take() else {
            return;
        };
        let told = async {
            notifier.end().await;
            true
        };
        let late = async {
            Timer::after(HOOK).await;
            false
        };
        let executor = self.executor.clone();
        if !smol::block_on(executor.run(told.or(late))) {
            log::warn!(
                "notify: the hook is too slow to be told all of this end: it was waited for {} s",
                HOOK.as_secs()
            );
        }
    }
}
