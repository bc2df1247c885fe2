//! A machine's clock beside the true time: its own beginning, its own rate, and it may stand still
//! while a hypervisor pauses the machine.

use ha_appliance::core::time::Time;

/// CLOCK_BOOTTIME of one machine. True time is microseconds since the beginning of the simulation.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Parts per million that it runs fast.
    ppm: i64,
    true_base: i64,
    local_base: i64,
}

impl Clock {
    /// A clock that starts now, at `local`.
    pub fn new(now: i64, local: i64, ppm: i64) -> Clock {
        Clock {
            ppm,
            true_base: now,
            local_base: local,
        }
    }

    /// What it shows.
    pub fn local(&self, now: i64) -> Time {
        Time(self.local_base + (now - self.true_base) * (1_000_000 + self.ppm) / 1_000_000)
    }

    /// The true time at which it shows `local`, or later by the least amount.
    pub fn when(&self, local: Time) -> i64 {
        let ahead = local.0.saturating_sub(self.local_base);
        let spans = i128::from(ahead) * 1_000_000 / i128::from(1_000_000 + self.ppm);
        let mut at = self
            .true_base
            .saturating_add(i64::try_from(spans).unwrap_or(i64::MAX));
        while at < i64::MAX / 2 && self.local(at) < local {
            at += 1;
        }
        at
    }

    /// It stood still from `stopped` to `now`.
    pub fn stood_still(&mut self, stopped: i64, now: i64) {
        self.local_base = self.local(stopped).0;
        self.true_base = now;
    }
}
