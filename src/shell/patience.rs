//! Waits out what this machine is short of for a moment: descriptors, memory, processes. A daemon that ended for
//! it would be started again at once, and after ten times in two minutes not any more.

use super::lock::LockError;
use crate::agents::trouble;
use crate::config;
use std::fmt::Display;
use std::io;
use std::time::{Duration, Instant};

/// So many starts of this length do not burn the ten that systemd allows in 120 s.
pub const AT_START: Duration = Duration::from_secs(15);

const PAUSE: Duration = Duration::from_millis(100);

/// Tries until it succeeds or fails for another reason, for so long at most.
pub fn patiently<T, E: Shortage>(
    at_most: Duration,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let begun = Instant::now();
    let mut told = false;
    loop {
        match attempt() {
            Err(error) if error.is_shortage() && begun.elapsed() < at_most => {
                if !std::mem::replace(&mut told, true) {
                    log::warn!("{error}: trying again");
                }
                std::thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}

/// What may say that this machine is short of something, or that somebody else has it.
pub trait Shortage: Display {
    /// It says that, and nothing else.
    fn is_shortage(&self) -> bool;
}

impl Shortage for io::Error {
    fn is_shortage(&self) -> bool {
        trouble::lacks_resources(self)
    }
}

impl Shortage for LockError {
    fn is_shortage(&self) -> bool {
        match self {
            LockError::Held { .. } => true,
            LockError::Io(_, error) => trouble::lacks_resources(error),
            LockError::Open(_) => false,
        }
    }
}

impl Shortage for config::Error {
    fn is_shortage(&self) -> bool {
        self.passing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_waited_out_and_nothing_else_is() {
        let mut tries = 0;
        let done = patiently(AT_START, || {
            tries += 1;
            match tries {
                3 => Ok(tries),
                _ => Err(io::Error::from_raw_os_error(libc::EMFILE)),
            }
        });
        assert_eq!(done.unwrap(), 3);
        for (errno, at_most) in [(libc::EPERM, AT_START), (libc::EAGAIN, Duration::ZERO)] {
            let mut tries = 0;
            let done = patiently(at_most, || -> io::Result<()> {
                tries += 1;
                Err(io::Error::from_raw_os_error(errno))
            });
            assert_eq!(done.unwrap_err().raw_os_error(), Some(errno));
            assert_eq!(tries, 1);
        }
    }
}
