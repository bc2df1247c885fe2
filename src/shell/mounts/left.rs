//! A time that does not run while a device is being written to: an unmount writes back what the page cache still has,
//! which may be gigabytes, and is no hang as long as that gets on.

use smol::Timer;
use std::time::{Duration, Instant};

/// What is left of it.
struct Left {
    time: Duration,
    /// How much had been written when it was looked at last.
    written: Option<u64>,
}

const POLL: Duration = Duration::from_millis(500);

/// Waits until the device was not written to for so long in all. `written` tells how much it was; `gets_on` is told each
/// time that it was.
pub(super) async fn unwritten(
    time: Duration,
    written: impl Fn() -> Option<u64>,
    gets_on: impl Fn(),
) {
    let mut left = Left {
        time,
        written: written(),
    };
    loop {
        let from = Instant::now();
        Timer::after(POLL.min(left.time)).await;
        match left.passes(from.elapsed(), written()) {
            Passed::All => return,
            Passed::Some => {}
            Passed::None => gets_on(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Passed {
    None,
    Some,
    All,
}

impl Left {
    fn passes(&mut self, span: Duration, written: Option<u64>) -> Passed {
        // What cannot be read gets on no further.
        let more = written.is_some() && written != self.written;
        self.written = written;
        if more {
            return Passed::None;
        }
        self.time = self.time.saturating_sub(span);
        match self.time.is_zero() {
            true => Passed::All,
            false => Passed::Some,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_only_while_nothing_is_written() {
        let mut left = Left {
            time: Duration::from_secs(2),
            written: Some(10),
        };
        let mut second = |written| left.passes(Duration::from_secs(1), written);
        assert_eq!(second(Some(11)), Passed::None);
        assert_eq!(second(Some(11)), Passed::Some);
        for more in 12..90 {
            assert_eq!(second(Some(more)), Passed::None);
        }
        assert_eq!(second(None), Passed::All);
    }

    #[test]
    fn what_is_not_written_to_is_waited_for_no_longer() {
        let begun = Instant::now();
        let time = Duration::from_millis(60);
        smol::block_on(unwritten(time, || Some(7), || panic!("it gets on")));
        assert!(begun.elapsed() >= time && begun.elapsed() < 10 * time);
    }
}
