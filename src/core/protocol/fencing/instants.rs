//! When a shot may leave: at instants that the two nodes count from one zero, and that lie so far apart that
//! what one shot at its own has died, or will not, before the other's comes.
//!
//! **Zero** is the last accepted heartbeat or, if earlier, the sending of the last one of ours that it echoed.
//! Under loss in one direction only, two nodes' zeros may lie any time apart: whoever hears again first counts
//! from then, the other from before. No rule about zeros can mend that (the last message never knows that it
//! arrived), so whoever counts from a heartbeat whose sender did not itself have a fresh zero shoots nothing
//! until it hears one that had ([`Count::shared`]). Of two that may shoot, each heard the other say that its zero
//! was at most a [`drift`] old; zeros only grow; so they are at most that apart, under any loss and lateness.
//!
//! **Instants**: the second node's are 1, 3, 5 … × `delay`, the first's 2, 4, 6 … × `delay`, and the first's also
//! `patience` if it runs a group then: whoever runs something shoots before the one who does not. (Were
//! `patience` the second's too, two nodes with a group each would shoot each other.)

use crate::core::setup::{FencingSetup, Setup};
use crate::core::time::Time;
use crate::wire::heartbeat::Side;
use std::time::Duration;

/// Since when the peer may have been gone, and by whose reckoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Count {
    /// The last moment of contact both ways.
    pub zero: Time,
    /// The peer said then that its own zero was fresh.
    pub shared: bool,
    /// The peer was known to be gone since, or this node's daemon was ended by order: what came after is not known.
    pub spent: bool,
    /// The `delay` that both knew then to be in force.
    pub delay: Duration,
    /// The last that was heard came in maintenance.
    pub maintained: bool,
    /// When it was last switched off that no operator ordered, and did not come back for long since: the latest last.
    pub offs: [Option<Time>; OFTEN],
}

/// Who was switched off so often within an hour, and never came back for long, is not again.
pub const OFTEN: usize = 3;
const HOUR: Duration = Duration::from_secs(3600);

impl Count {
    /// It was, by this node: once in each silence, however often that is read, by however many daemons.
    pub(super) fn switched_off(&mut self, now: Time) {
        if self.offs[OFTEN - 1] <= Some(self.zero) {
            self.offs.rotate_left(1);
            self.offs[OFTEN - 1] = Some(now);
        }
    }

    /// Once more would be too often.
    pub(super) fn often(&self, now: Time) -> bool {
        self.offs[0].is_some_and(|at| now.since(at) < HOUR)
    }

    /// Calls `f` with every point in time stored here.
    pub(super) fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        f(&mut self.zero);
        self.offs.iter_mut().flatten().for_each(f);
    }
}

/// What a shot depends on beside time.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// Who this is.
    pub me: Side,
    /// It runs a group at this moment, and the peer none that holds data and could not run here.
    pub runs: bool,
    /// It runs nothing and knows no gateway: it leaves the first instant to others.
    pub hesitates: bool,
}

/// How far apart the zeros of two nodes that may shoot can lie, and how long an echo takes to become one.
pub fn drift(setup: &Setup, peer_interval: Duration) -> Duration {
    setup.detection_time(peer_interval) + 3 * setup.interval.max(peer_interval)
}

/// The least `delay` by which nobody is shot by whom it shot: patience, the time for which an instant is open,
/// what two counts differ by, and the time in which a machine that was shot goes off.
pub fn least_delay(detection: Duration, interval: Duration, fencing: &FencingSetup) -> Duration {
    let (open, drift) = (detection, detection + 3 * interval);
    fencing.patience + open + drift + fencing.lag + fencing.off_time
}

/// The own instant that is open; it began then.
pub fn open(now: Time, zero: Time, role: Role, delay: Duration, setup: &Setup) -> Option<Time> {
    let width = setup.detection_time(setup.interval);
    let is_open = |at: &Time| *at <= now && now < *at + width;
    let fencing = setup.fencing.as_ref()?;
    let patience = Some(zero + fencing.patience).filter(|_| patient(role));
    let count = whole(now.since(zero), delay);
    let last = own(count, role).then(|| zero + delay * count);
    patience.filter(is_open).or(last.filter(is_open))
}

/// When the next one opens.
pub fn next(now: Time, zero: Time, role: Role, delay: Duration, setup: &Setup) -> Option<Time> {
    let fencing = setup.fencing.as_ref()?;
    let patience = Some(zero + fencing.patience).filter(|at| patient(role) && *at > now);
    let count = whole(now.since(zero), delay);
    let mut later = (1..=4).map(|more| count.saturating_add(more));
    let other = later.find(|&n| own(n, role)).map(|n| zero + delay * n);
    patience.into_iter().chain(other).min()
}

fn patient(role: Role) -> bool {
    role.runs && role.me == Side::First
}

/// Whether that multiple of the delay is this node's.
fn own(count: u32, role: Role) -> bool {
    let (parity, first) = match role.me {
        Side::First => (0, 2),
        Side::Second => (1, 1),
    };
    let skipped = role.hesitates && count == first;
    count >= first && count % 2 == parity && !skipped
}

fn whole(age: Duration, delay: Duration) -> u32 {
    let delay = delay.as_micros().max(1);
    u32::try_from(age.as_micros() / delay).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::setup::GatewaySetup;

    const SECOND: Duration = Duration::from_secs(1);
    const DELAY: Duration = Duration::from_secs(8);

    fn at(millis: u64) -> Time {
        Time(1_000_000) + Duration::from_millis(millis)
    }

    /// Detection 500 ms, patience 2 s.
    fn setup() -> Setup {
        Setup {
            me: Side::First,
            names: ["first".into(), "second".into()],
            cluster: 1,
            nodes: 1,
            digest: 1,
            links: 1,
            interval: SECOND / 10,
            misses: 5,
            start_wait: SECOND,
            wait_for_peer: false,
            gateway: GatewaySetup {
                require_all: false,
                interval: SECOND,
                timeout: SECOND / 2,
                misses: 3,
                dampening: SECOND,
            },
            vifs: vec![],
            groups: vec![],
            fencing: Some(FencingSetup {
                ids: [0; 8],
                devices: 1,
                patience: 2 * SECOND,
                delay: DELAY,
                settle: SECOND,
                off_time: 4 * SECOND,
                off_deadline: 60 * SECOND,
                grace: 60 * SECOND,
                lag: SECOND / 2,
            }),
        }
    }

    /// Who, whether it runs a group, whether it hesitates, and when its first instants begin, in seconds.
    const TABLE: &[(Side, bool, bool, [u64; 3])] = &[
        (Side::First, true, false, [2, 16, 32]),
        (Side::First, false, false, [16, 32, 48]),
        (Side::First, false, true, [32, 48, 64]),
        (Side::Second, true, false, [8, 24, 40]),
        (Side::Second, false, false, [8, 24, 40]),
        (Side::Second, false, true, [24, 40, 56]),
    ];

    #[test]
    fn instants_begin_as_the_table_says_and_last_a_detection_time() {
        for &(me, runs, hesitates, begin) in TABLE {
            let role = Role {
                me,
                runs,
                hesitates,
            };
            let zero = at(0);
            let open = |millis| open(at(millis), zero, role, DELAY, &setup());
            let next = |millis| next(at(millis), zero, role, DELAY, &setup());
            let mut before = 0;
            for begins in begin.map(|seconds| seconds * 1000) {
                assert_eq!(next(before), Some(at(begins)), "{role:?}");
                assert_eq!(next(begins - 1), Some(at(begins)), "{role:?}");
                assert_eq!(open(begins - 1), None, "{role:?}");
                assert_eq!(open(begins), Some(at(begins)), "{role:?}");
                assert_eq!(open(begins + 499), Some(at(begins)), "{role:?}");
                assert_eq!(open(begins + 500), None, "{role:?}");
                before = begins;
            }
        }
    }

    #[test]
    fn no_instant_of_one_is_the_others() {
        let begin = |side| {
            let of = TABLE.iter().filter(move |(me, ..)| *me == side);
            of.flat_map(|(.., begin)| *begin)
        };
        for first in begin(Side::First) {
            let apart = begin(Side::Second)
                .map(|second| second.abs_diff(first))
                .min();
            assert!(apart >= Some(6), "{first}");
        }
    }

    #[test]
    fn the_least_delay_has_room_for_what_it_keeps_apart() {
        let setup = setup();
        let (detection, fencing) = (SECOND / 2, setup.fencing.unwrap());
        // 2 s patience, 0.5 s open, 0.8 s drift, 0.5 s lag, 4 s off.
        let least = least_delay(detection, setup.interval, &fencing);
        assert_eq!(least, Duration::from_millis(7800));
        assert_eq!(drift(&setup, setup.interval), Duration::from_millis(800));
        // Whoever is slower counts.
        assert_eq!(drift(&setup, SECOND / 5), Duration::from_millis(1600));
        assert_eq!(drift(&setup, SECOND / 20), Duration::from_millis(550));
    }
}
