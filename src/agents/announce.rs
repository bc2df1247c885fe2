//! When which address is announced: data only, the clock is the caller's.
//!
//! After a takeover an address is announced five times, 200 ms apart; five seconds later, when a
//! switch whose port was still learning listens, five times again; then once a minute, because a
//! cache somewhere may have been filled by a rival that nobody noticed (two boxes that both were
//! master for a moment, and hours of traffic to the one that lost: the field's oldest complaint).
//!
//! ```text
//! 0   200  400  600  800 ms        5.8  6.0  6.2  6.4  6.6 s         66.6 s   126.6 s …
//! ```
//!
//! A thousand addresses are not sent in one burst, which switches drop: each wake takes a bounded
//! part, and the next follows [`PACE`] later.

/// Microseconds, as the caller counts them.
type Micros = u64;

/// Between two announcements of one series.
const STEP: Micros = 200_000;
/// Between the first series and the second.
const PAUSE: Micros = 5_000_000;
/// Between the refreshing announcements.
const REFRESH: Micros = 60_000_000;
/// Announcements in a series.
const SERIES: u8 = 5;
/// Between two wakes while there is more to send than one wake may.
const PACE: Micros = 2_000;

/// For each address the moment of its next announcement.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    beats: Vec<Option<Beat>>,
    /// No earlier than this: the last wake sent its fill.
    not_before: Micros,
    /// The address with which the next wake begins, so that all get their turn.
    first: usize,
}

#[derive(Clone, Copy, Debug)]
struct Beat {
    due: Micros,
    /// How many times it was announced, counted up to both series.
    sent: u8,
}

impl Schedule {
    /// For so many addresses, none of which is announced yet.
    pub(super) fn new(addresses: usize) -> Self {
        Self {
            beats: vec![None; addresses],
            not_before: 0,
            first: 0,
        }
    }

    /// Begins the whole sequence for one address, anew if it was running.
    pub(super) fn begin(&mut self, address: usize, now: Micros) {
        self.beats[address] = Some(Beat { due: now, sent: 0 });
    }

    /// Announces nothing any more.
    pub(super) fn silence(&mut self) {
        self.beats.fill(None);
    }

    /// When to wake next; in the past when it is due already.
    pub(super) fn next_deadline(&self) -> Option<Micros> {
        let earliest = self.beats.iter().flatten().map(|beat| beat.due).min()?;
        Some(earliest.max(self.not_before))
    }

    /// The addresses to announce now, in their turn.
    pub(super) fn due(&self, now: Micros) -> impl Iterator<Item = usize> {
        let (before, after) = (0..self.first, self.first..self.beats.len());
        let paced = now < self.not_before;
        after.chain(before).filter(move |address| {
            !paced && self.beats[*address].is_some_and(|beat| beat.due <= now)
        })
    }

    /// This address was announced (or cannot be, for now: its next turn comes all the same).
    pub(super) fn announced(&mut self, address: usize, now: Micros) {
        let Some(beat) = &mut self.beats[address] else {
            return;
        };
        beat.sent = beat.sent.saturating_add(1).min(2 * SERIES);
        let gap = match beat.sent {
            SERIES => PAUSE,
            sent if sent < 2 * SERIES => STEP,
            _ => REFRESH,
        };
        // From now and not from when it was due: after a pause nothing is made up for in a burst.
        beat.due = now + gap;
        self.first = address + 1;
    }

    /// This wake has sent what it may.
    pub(super) fn rest(&mut self, now: Micros) {
        self.not_before = now + PACE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_series_and_then_once_a_minute() {
        let mut schedule = Schedule::new(1);
        assert_eq!(schedule.next_deadline(), None);
        schedule.begin(0, 1_000);
        let mut moments = Vec::new();
        for _ in 0..12 {
            let now = schedule.next_deadline().unwrap();
            assert_eq!(schedule.due(now - 1).count(), 0, "not early");
            assert_eq!(schedule.due(now).collect::<Vec<_>>(), [0]);
            schedule.announced(0, now);
            moments.push((now - 1_000) / 1_000);
        }
        assert_eq!(
            moments,
            [
                0, 200, 400, 600, 800, 5_800, 6_000, 6_200, 6_400, 6_600, 66_600, 126_600
            ]
        );
        schedule.silence();
        assert_eq!(schedule.next_deadline(), None);
    }

    #[test]
    fn each_wake_takes_a_part_and_all_get_their_turn() {
        const PART: usize = 3;
        let mut schedule = Schedule::new(7);
        (0..7).for_each(|address| schedule.begin(address, 0));
        let mut order = Vec::new();
        while order.len() < 14 {
            let now = schedule.next_deadline().unwrap();
            let part: Vec<_> = schedule.due(now).take(PART).collect();
            part.iter().for_each(|one| schedule.announced(*one, now));
            if part.len() == PART {
                schedule.rest(now);
                assert_eq!(schedule.due(now).count(), 0, "bounded per wake");
            }
            order.extend(part);
        }
        assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_long_pause_is_not_made_up_for() {
        let mut schedule = Schedule::new(1);
        schedule.begin(0, 0);
        schedule.announced(0, 0);
        let woken = 3_600_000_000;
        assert_eq!(schedule.due(woken).count(), 1);
        schedule.announced(0, woken);
        assert_eq!(schedule.next_deadline(), Some(woken + STEP));
    }
}
