//! A machine is switched off as the daemon does it: ordered off while it reads on, and off once it read so twice.

use ha_appliance::core::event::Ask;
use std::time::{Duration, Instant};

pub const SETTLE: Duration = Duration::from_millis(300);
/// Between two looks.
const POLL: Duration = Duration::from_millis(100);
/// A machine that is still on after so long is ordered off again.
const AGAIN: Duration = Duration::from_secs(5);

/// What came of it, counted from the beginning.
#[derive(Debug)]
pub struct Off {
    /// When the last order was accepted; None: none was.
    pub accepted: Option<Duration>,
    /// When it read off for the first time since then, and again.
    pub first: Duration,
    pub verified: Duration,
}

/// `ask` asks the device; of a status it gives whether the machine is off. Ok(None): it never was.
pub fn off<E>(
    mut ask: impl FnMut(Ask) -> Result<bool, E>,
    within: Duration,
) -> Result<Option<Off>, E> {
    let began = Instant::now();
    let (mut sent, mut accepted, mut first) = (None, None, None);
    while began.elapsed() < within {
        let asked = Instant::now();
        let mut pause = POLL;
        match (ask(Ask::Status)?, first) {
            (true, Some(at)) if asked >= at + SETTLE => {
                return Ok(Some(Off {
                    accepted: accepted.map(|at: Instant| at - began),
                    first: at - began,
                    verified: began.elapsed(),
                }));
            }
            (true, Some(_)) => {}
            (true, None) => (first, pause) = (Some(Instant::now()), SETTLE),
            (false, _) => {
                first = None;
                if sent.is_none_or(|at| asked >= at + AGAIN) {
                    let order = ask(Ask::Off);
                    sent = Some(Instant::now());
                    accepted = order.ok().map(|_| Instant::now());
                    continue; // it may be off by now
                }
            }
        }
        std::thread::sleep(pause);
    }
    Ok(None)
}
