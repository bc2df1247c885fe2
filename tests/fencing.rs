//! The policy of fencing by itself: what makes a shot leave, and what does not; when dying is over; who shoots again.

mod world;

use ha_appliance::core::event::{Action, Answer, Ask};
use ha_appliance::core::peer::PeerState;
use ha_appliance::core::protocol::fencing::{Count, Fencing, Role, Seen, Word};
use ha_appliance::core::reason::{HeldFire, Reason};
use ha_appliance::core::record::FenceRecord;
use ha_appliance::core::setup::{FencingSetup, Setup};
use ha_appliance::core::time::Time;
use ha_appliance::wire::heartbeat::Side;
use std::time::Duration;

const DETECTION: Duration = Duration::from_millis(500);

fn at(millis: u64) -> Time {
    Time(0) + Duration::from_millis(millis)
}

/// The first node, which runs a group, after patience of 2 s, by two levels.
struct Bench {
    fencing: Fencing,
    setup: Setup,
    /// What the run directory has.
    noted: Option<Count>,
}

impl Bench {
    fn new() -> Bench {
        Bench::remembering(FenceRecord::default())
    }

    fn remembering(record: FenceRecord) -> Bench {
        let setup = Setup {
            fencing: Some(FencingSetup {
                devices: 2,
                ..world::fencing()
            }),
            ..world::setup(Side::First, &[])
        };
        let fencing = Fencing::remembered(at(0), record, None, &setup);
        Bench {
            fencing,
            setup,
            noted: None,
        }
    }

    /// Heard both ways at 0, silent since, and both devices read on just now.
    fn ready(now: u64) -> Bench {
        let mut bench = Bench::new();
        bench.heard(0, true);
        bench.read_on(now - 100);
        bench
    }

    /// The devices that are not believed.
    fn liars(&self) -> Vec<u64> {
        self.fencing.record().distrusted
    }

    fn heard(&mut self, now: u64, fresh: bool) -> Option<usize> {
        let said = Some((Duration::from_secs(8), fresh));
        let now = at(now);
        let setup = &self.setup.fencing.unwrap();
        (self.fencing).heard(now, word(now, said), DETECTION, setup)
    }

    /// It booted since.
    fn heard_anew(&mut self, now: u64) {
        let said = Some((Duration::from_secs(8), true));
        let word = Word {
            incarnation: 9,
            ..word(at(now), said)
        };
        let setup = &self.setup.fencing.unwrap();
        self.fencing.heard(at(now), word, DETECTION, setup);
    }

    fn seen(&self, now: u64) -> Seen {
        Seen {
            now: at(now),
            tick: true,
            peer: PeerState::Silent,
            pleads_since: None,
            needs: true,
            able: true,
            reached: Some(at(now)),
            gains: false,
            role: Role {
                me: Side::First,
                runs: true,
                hesitates: false,
            },
            listened_at: Some(at(0)),
            maintenance: false,
            fresh: false,
            peer_idle: false,
            speaks: false,
            claims: false,
            serves: false,
            asked: true,
            unreached: false,
            saved: self.fencing.record().shot,
        }
    }

    /// One step, with something otherwise.
    fn step(&mut self, now: u64, change: impl Fn(&mut Seen)) -> Vec<(usize, Ask)> {
        let mut seen = self.seen(now);
        change(&mut seen);
        let mut out = vec![];
        self.fencing.step(&seen, &self.setup, &mut out);
        out.into_iter()
            .filter_map(|action| match action {
                Action::Device { device, ask } => Some((device, ask)),
                Action::Note(count) => {
                    self.noted = Some(count);
                    None
                }
                _ => None,
            })
            .collect()
    }

    /// A step, and another once the disk has what the first wants there: gives the device that is asked to switch the
    /// peer off.
    fn shot(&mut self, now: u64, change: impl Fn(&mut Seen)) -> Option<usize> {
        let mut asked = self.step(now, &change);
        asked.extend(self.step(now, &change));
        let off = asked.into_iter().find(|(_, ask)| *ask == Ask::Off)?;
        Some(off.0)
    }

    fn answer(&mut self, now: u64, device: usize, answer: Answer) -> bool {
        let setup = self.setup.fencing.unwrap();
        (self.fencing).answered(at(now), device, &answer, true, 7, &setup)
    }

    /// Both devices are asked, and read on.
    fn read_on(&mut self, now: u64) {
        self.reads(now, PeerState::Silent, |_| Answer::On);
    }

    /// Whichever is asked reads as it is said.
    fn reads(&mut self, now: u64, peer: PeerState, says: impl Fn(usize) -> Answer) {
        for (device, ask) in self.step(now, |seen| seen.peer = peer) {
            assert_eq!(ask, Ask::Status);
            self.answer(now, device, says(device));
        }
    }
}

/// Of the incarnation before, and the first to echo what was sent then.
fn word(echoed: Time, said: Option<(Duration, bool)>) -> Word {
    Word {
        incarnation: 7,
        same: true,
        echoed: Some(echoed),
        heard: 0,
        said,
    }
}

#[test]
fn a_shot_leaves_at_an_own_instant_once_the_disk_has_the_word() {
    let mut bench = Bench::ready(2000);
    assert_eq!(bench.step(1999, |_| ()), []);
    assert!(!bench.fencing.record().shot, "not before the instant");
    assert_eq!(bench.step(2000, |_| ()), []);
    assert!(bench.fencing.record().shot && bench.fencing.dying());
    assert_eq!(bench.step(2100, |seen| seen.saved = false), []);
    assert_eq!(bench.step(2100, |_| ()), [(0, Ask::Off)]);
    assert_eq!(bench.shot(2200, |_| ()), None, "once an instant");
}

#[test]
fn who_waits_for_a_slow_disk_reaches_its_clients_still() {
    let mut bench = Bench::ready(2000);
    bench.step(2000, |_| ());
    let reached = |when: u64| move |seen: &mut Seen| seen.reached = Some(at(when));
    assert_eq!(bench.step(2250, reached(2149)), []);
    // By a gateway that takes long, too.
    assert_eq!(bench.step(2400, reached(2249)), []);
    assert_eq!(bench.step(2400, reached(2250)), [(0, Ask::Off)]);
    let mut quick = Bench::ready(2000);
    quick.step(2000, |_| ());
    assert_eq!(quick.step(2250, reached(2150)), [(0, Ask::Off)]);
}

#[test]
fn a_word_that_comes_too_late_serves_the_next_instant() {
    let mut bench = Bench::ready(2000);
    bench.step(2000, |_| ());
    bench.step(2499, |seen| seen.saved = false);
    bench.step(2500, |_| ());
    assert!(bench.fencing.dying());
    bench.read_on(15_900);
    assert_eq!(bench.step(16_000, |_| ()), [(0, Ask::Off)]);
}

#[test]
fn a_device_that_takes_long_to_answer_is_not_busy_in_an_instant() {
    let mut bench = Bench::new();
    bench.heard(0, true);
    let mut now = 1000;
    let mut asked = bench.step(now, |_| ());
    while now < 16_000 {
        now += 5000;
        for (device, _) in std::mem::take(&mut asked) {
            bench.answer(now, device, Answer::On);
        }
        for at in now..(now + 5000).min(16_000) {
            asked.extend(bench.step(at, |_| ()));
        }
    }
    assert_eq!(bench.shot(16_000, |_| ()), Some(0));
}

#[test]
fn a_word_that_was_not_used_is_withdrawn() {
    let mut heard = Bench::ready(2000);
    heard.step(2000, |_| ());
    heard.step(2001, |seen| seen.peer = PeerState::Alive);
    assert!(!heard.fencing.dying());
    let mut idle = Bench::ready(2000);
    idle.step(2000, |_| ());
    idle.step(2001, |seen| seen.needs = false);
    assert!(!idle.fencing.dying());
}

/// What is otherwise, and why nobody is shot then; None: for a reason that passes without a word.
type Hold = (fn(&mut Seen), Option<HeldFire>);

#[test]
fn what_holds_a_shot_back() {
    let elsewhere = |seen: &mut Seen| (seen.unreached, seen.gains) = (true, false);
    let holds: [Hold; 14] = [
        (|seen| seen.maintenance = true, None),
        (|seen| seen.serves = true, Some(HeldFire::Serves)),
        (|seen| seen.speaks = true, Some(HeldFire::Speaks)),
        (|seen| seen.claims = true, Some(HeldFire::Speaks)),
        (|seen| seen.needs = false, None),
        (|seen| seen.reached = None, Some(HeldFire::Blind)),
        (|seen| seen.able = false, Some(HeldFire::Unable)),
        (elsewhere, Some(HeldFire::Elsewhere)),
        (|seen| seen.role.runs = false, None),
        (|seen| seen.role.me = Side::Second, None),
        (|seen| seen.peer = PeerState::OneWay, None),
        (|seen| seen.peer = PeerState::Refused, None),
        (|seen| seen.peer = PeerState::Unknown, None),
        // A daemon that starts again hears its peer, if that speaks, before it may shoot it.
        (|seen| seen.listened_at = Some(at(2001)), None),
    ];
    for (number, (change, why)) in holds.into_iter().enumerate() {
        let mut bench = Bench::ready(2000);
        assert_eq!(bench.shot(2000, change), None, "{number}");
        if let Some(why) = why {
            assert_eq!(bench.fencing.waiting(), Reason::HeldFire(why), "{number}");
        }
    }
    let mut idle = Bench::ready(16_000);
    let speaks = |seen: &mut Seen| (seen.speaks, seen.role.runs) = (true, false);
    assert_eq!(
        idle.shot(16_000, speaks),
        Some(0),
        "whoever runs nothing needs more"
    );
}

#[test]
fn nobody_is_shot_who_was_not_met_or_whose_zero_may_be_another() {
    let mut never = Bench::new();
    never.read_on(1900);
    assert_eq!(never.shot(2000, |_| ()), None);
    let held = |bench: &Bench| match bench.fencing.waiting() {
        Reason::HeldFire(why) => Some(why),
        _ => None,
    };
    assert_eq!(held(&never), Some(HeldFire::Unmet));
    let mut apart = Bench::new();
    apart.heard(0, false);
    apart.read_on(1900);
    assert_eq!(apart.shot(2000, |_| ()), None);
    assert_eq!(held(&apart), Some(HeldFire::Apart));
    let mut spent = Bench::ready(1000);
    spent.step(1000, |seen| seen.peer = PeerState::Fenced);
    spent.read_on(1900);
    assert_eq!(spent.shot(2000, |_| ()), None);
    assert_eq!(held(&spent), Some(HeldFire::Unmet));
    spent.heard(2100, true);
    spent.read_on(4000);
    assert_eq!(spent.shot(4100, |_| ()), Some(0), "met again");
    let mut maintained = Bench::ready(2000);
    maintained.fencing.maintained(true);
    assert_eq!(maintained.shot(2000, |_| ()), None);
    assert_eq!(held(&maintained), Some(HeldFire::Maintained));
}

/// Heard at 0, and then the file says another delay, or names a device that takes longer.
#[test]
fn a_silence_is_counted_by_what_both_knew_when_it_began() {
    let reload = |now: u64, change: fn(&mut FencingSetup)| {
        let mut bench = Bench::new();
        bench.heard(0, true);
        let before = bench.setup.fencing;
        bench.setup.fencing.iter_mut().for_each(change);
        let fresh = now < 1000;
        (bench.fencing).reconcile(at(now), 5, before.as_ref(), &bench.setup);
        bench.step(now, |seen| (seen.fresh, seen.needs) = (fresh, false));
        bench.read_on(15_900);
        let shot = bench.shot(16_000, |_| ());
        (shot, bench.fencing.waiting())
    };
    let longer = |f: &mut FencingSetup| f.delay = Duration::from_secs(12);
    let slower = |f: &mut FencingSetup| {
        (f.delay, f.off_time) = (Duration::from_secs(20), Duration::from_secs(15));
    };
    assert_eq!(reload(5000, longer).0, Some(0));
    let held = |why| (None, Reason::HeldFire(why));
    assert_eq!(
        reload(500, longer),
        held(HeldFire::Apart),
        "the peer may hear of it"
    );
    assert_eq!(reload(5000, slower), held(HeldFire::Short));
}

#[test]
fn two_answers_that_say_off_clear_without_a_shot() {
    let mut bench = Bench::new();
    bench.heard(0, true);
    assert_eq!(
        bench.step(600, |_| ()),
        [(0, Ask::Status), (1, Ask::Status)]
    );
    assert!(!bench.answer(650, 0, Answer::Off));
    assert_eq!(
        bench.step(1000, |_| ()),
        [],
        "one question at a time, a settle apart"
    );
    assert_eq!(bench.step(1650, |_| ()), [(0, Ask::Status)]);
    assert!(bench.answer(1700, 0, Answer::Off));
}

#[test]
fn dying_is_over_by_a_read_that_is_late_enough_or_when_all_time_has_passed() {
    let sent = || {
        let mut bench = Bench::ready(2000);
        assert_eq!(bench.shot(2000, |_| ()), Some(0));
        bench.answer(3000, 0, Answer::Accepted);
        bench
    };
    let alive = |seen: &mut Seen| seen.peer = PeerState::Alive;
    let mut bench = sent();
    // 4 s after the answer, not after the question.
    assert!(bench.step(6999, alive).contains(&(0, Ask::Status)));
    bench.answer(7000, 0, Answer::On);
    bench.step(7001, alive);
    assert!(bench.fencing.dying(), "asked too early");
    assert!(bench.step(8000, alive).contains(&(0, Ask::Status)));
    bench.answer(8100, 0, Answer::On);
    bench.step(8101, |_| ());
    assert!(bench.fencing.dying(), "not heard");
    bench.step(8102, alive);
    assert!(!bench.fencing.dying());
    let mut bench = sent();
    bench.step(122_999, alive);
    assert!(bench.fencing.dying());
    bench.step(123_000, alive);
    assert!(!bench.fencing.dying());
    let mut asked = Bench::ready(2000);
    asked.shot(2000, |_| ());
    asked.step(300_000, alive);
    assert!(asked.fencing.dying(), "no answer came yet");
}

#[test]
fn a_daemon_that_finds_the_word_counts_from_its_own_start() {
    let shot = true;
    let record = FenceRecord {
        shot,
        ..FenceRecord::default()
    };
    let mut bench = Bench::remembering(record);
    bench.heard(0, true);
    bench.read_on(15_900);
    assert_eq!(
        bench.shot(16_000, |_| ()),
        None,
        "the one before may still be on its way"
    );
    bench.read_on(63_900);
    assert_eq!(bench.shot(64_000, |_| ()), Some(0));
}

#[test]
fn what_left_in_vain_lets_another_level_shoot_at_the_next_instant() {
    let refused = || Answer::Failed("not permitted".into());
    // Refused, or accepted by a device whose machine reads on long after.
    for answer in [refused(), Answer::Accepted] {
        let mut bench = Bench::ready(2000);
        assert_eq!(bench.shot(2000, |_| ()), Some(0));
        bench.answer(2100, 0, answer.clone());
        bench.read_on(9000);
        assert_eq!(bench.shot(9100, |_| ()), None, "no instant of its own");
        bench.read_on(15_900);
        assert_eq!(bench.shot(16_000, |_| ()), Some(1));
        bench.answer(16_100, 1, refused());
        bench.read_on(31_900);
        assert_eq!(bench.shot(32_000, |_| ()), Some(0), "in turn");
    }
}

#[test]
fn what_was_not_answered_may_still_leave_until_its_deadline() {
    let mut bench = Bench::ready(2000);
    assert_eq!(bench.shot(2000, |_| ()), Some(0));
    for instant in [16_000, 32_000, 48_000] {
        bench.read_on(instant - 100);
        assert_eq!(bench.shot(instant, |_| ()), None);
    }
    bench.read_on(63_900);
    assert_eq!(bench.shot(64_000, |_| ()), Some(1));
}

/// A round of 30 s: the peer is silent, its machine is switched off if an off leaves, and after its boot the peer is
/// heard both ways for so many milliseconds more. False: none left.
fn switched_off(bench: &mut Bench, round: u64, heard: u64) -> bool {
    let now = round * 30_000 + 16_000;
    bench.read_on(now - 100);
    let Some(device) = bench.shot(now, |_| ()) else {
        return false;
    };
    bench.answer(now + 10, device, Answer::Accepted);
    for at in [now + 20, now + 1030] {
        bench.reads(at, PeerState::Silent, |of| match of == device {
            true => Answer::Off,
            false => Answer::On,
        });
    }
    bench.reads(now + 1040, PeerState::Fenced, |_| Answer::On);
    for at in [now + 14_000, now + 14_000 + heard] {
        bench.heard_anew(at);
        bench.reads(at, PeerState::Alive, |_| Answer::On);
    }
    true
}

#[test]
fn it_is_switched_off_three_times_an_hour() {
    let mut bench = Bench::ready(16_000);
    let off: Vec<u64> = (0..125)
        .filter(|round| {
            bench.heard_anew(round * 30_000);
            switched_off(&mut bench, *round, 0)
        })
        .collect();
    assert_eq!(off, [0, 1, 2, 121, 122, 123]);
    assert_eq!(bench.fencing.waiting(), Reason::HeldFire(HeldFire::Often));
}

#[test]
fn what_was_back_for_long_is_switched_off_again() {
    let fourth = |heard: u64, ordered: bool| {
        let mut bench = Bench::ready(16_000);
        for round in 0..3 {
            if ordered {
                bench.fencing.order(at(round * 30_000 + 15_999), false);
            }
            assert!(switched_off(&mut bench, round, 0));
        }
        let back = 10 * 30_000;
        bench.reads(back - heard - 1000, PeerState::Silent, |_| Answer::On);
        for now in [back - heard, back] {
            bench.heard_anew(now);
            bench.reads(now, PeerState::Alive, |_| Answer::On);
        }
        switched_off(&mut bench, 10, 0)
    };
    assert!(!fourth(60_000, false));
    assert!(fourth(60_001, false));
    assert!(fourth(1, true), "by order");
}

/// What it does not switch off is asked for at every own instant of each device three times, and then ever more rarely:
/// at most once in 64 times the `delay`.
#[test]
fn what_is_accepted_in_vain_is_asked_for_again() {
    let mut bench = Bench::ready(16_000);
    let mut sent: [Vec<u64>; 2] = [vec![], vec![]];
    for instant in 1..=140 {
        let now = instant * 16_000;
        bench.read_on(now - 100);
        if let Some(device) = bench.shot(now, |_| ()) {
            bench.answer(now + 100, device, Answer::Accepted);
            sent[device].push(instant);
        }
    }
    assert_eq!(sent[0], [1, 3, 5, 7, 9, 12, 17, 26, 43, 76, 109]);
    assert_eq!(sent[1], [2, 4, 6, 8, 10, 13, 18, 27, 44, 77, 110]);
}

/// It is the machine that was switched off three times, whatever daemon did it.
#[test]
fn a_daemon_that_starts_again_counts_on() {
    let mut bench = Bench::ready(16_000);
    (0..3).for_each(|round| assert!(switched_off(&mut bench, round, 0)));
    let (record, noted) = (bench.fencing.record(), bench.noted);
    bench.fencing = Fencing::remembered(at(90_000), record, noted, &bench.setup);
    bench.heard_anew(90_000);
    assert!(!switched_off(&mut bench, 3, 0));
    assert_eq!(bench.fencing.waiting(), Reason::HeldFire(HeldFire::Often));
}

#[test]
fn whoever_is_verified_off_and_heard_again_was_not_off() {
    let mut bench = Bench::ready(2000);
    bench.shot(2000, |_| ());
    bench.answer(2010, 0, Answer::Accepted);
    bench.step(2020, |_| ());
    bench.answer(2030, 0, Answer::Off);
    bench.step(3030, |_| ());
    assert!(bench.answer(3040, 0, Answer::Off));
    bench.answer(3050, 1, Answer::On);
    assert_eq!(bench.heard(5000, true), Some(0), "the same incarnation");
    assert_eq!(bench.liars(), [1]);
    assert_eq!(bench.heard(5100, true), None, "said once");
    // By whom nobody is shot any more, nor cleared.
    bench.read_on(69_000);
    assert_eq!(bench.shot(69_100, |_| ()), Some(1));
}

/// The first device is asked to switch off a machine that is heard, and does; that is silent when it reads off, or not.
fn ordered(bench: &mut Bench, heard_after: Option<u64>) -> bool {
    let alive = |seen: &mut Seen| seen.peer = PeerState::Alive;
    bench.fencing.order(at(10_000), false);
    bench.step(10_000, alive);
    for device in 0..2 {
        bench.answer(10_010, device, Answer::On);
    }
    assert_eq!(bench.shot(10_020, alive), Some(0), "whom it distrusts too");
    bench.answer(10_030, 0, Answer::Accepted);
    let read = |bench: &mut Bench, now, change: &dyn Fn(&mut Seen)| {
        bench.step(now, change);
        bench.answer(now + 10, 0, Answer::Off)
    };
    assert!(!read(bench, 10_040, &alive));
    if let Some(now) = heard_after {
        bench.heard(now, true);
    }
    read(bench, 11_200, &|_| ())
}

#[test]
fn an_order_makes_a_device_believed_again_if_it_was_that_machine() {
    let record = FenceRecord {
        distrusted: vec![1, 2],
        ..FenceRecord::default()
    };
    let mut bench = Bench::remembering(record.clone());
    bench.heard(9_900, true);
    assert!(ordered(&mut bench, None));
    assert_eq!(bench.liars(), [2]);
    let mut bench = Bench::remembering(record);
    bench.heard(9_900, true);
    assert!(!ordered(&mut bench, Some(10_600)));
    assert_eq!(bench.liars(), [1, 2], "it was heard after that");
}

#[test]
fn an_order_shoots_at_once_who_is_heard_and_at_an_own_instant_who_may_shoot_back() {
    let alive = |seen: &mut Seen| seen.peer = PeerState::Alive;
    let mut bench = Bench::ready(1000);
    assert_eq!(
        Bench::ready(1000).shot(1000, alive),
        None,
        "nobody ordered it"
    );
    bench.fencing.order(at(1000), false);
    assert_eq!(bench.step(1000, alive), [], "the disk does not know");
    assert!(bench.fencing.record().shot && bench.fencing.dying());
    assert_eq!(bench.step(1000, alive), [(0, Ask::Off)]);
    assert_eq!(bench.shot(1000, alive), None, "one at a time");

    // Whatever holds fire. The first of those instants begins at 2 s.
    let held = |seen: &mut Seen| (seen.serves, seen.needs) = (true, false);
    let mut bench = Bench::ready(2000);
    bench.fencing.order(at(1990), false);
    assert_eq!(bench.shot(1990, held), None);
    assert_eq!(bench.shot(2000, held), Some(0));

    let mut unmet = Bench::new();
    unmet.fencing.order(at(900), false);
    unmet.read_on(900);
    assert_eq!(
        unmet.shot(1000, held),
        Some(0),
        "its instants are not known"
    );
}

#[test]
fn an_order_ends_in_maintenance_and_in_vain() {
    let mut bench = Bench::ready(1000);
    bench.fencing.order(at(1000), false);
    bench.step(1000, |seen| seen.maintenance = true);
    assert_eq!(bench.fencing.ordered(), None);

    let alive = |seen: &mut Seen| seen.peer = PeerState::Alive;
    let mut bench = Bench::ready(1000);
    bench.fencing.order(at(1000), false);
    bench.read_on(1000);
    let mut offs = vec![];
    // The devices accept, and do nothing.
    for now in (1000..=27_000).step_by(100) {
        for (device, ask) in bench.step(now, alive) {
            let answer = match ask {
                Ask::Off => Answer::Accepted,
                Ask::Status => Answer::On,
            };
            offs.extend((ask == Ask::Off).then_some(device));
            bench.answer(now, device, answer);
        }
    }
    assert_eq!(offs, [0, 1, 0, 1]);
    assert_eq!(bench.fencing.ordered(), None);
    assert_eq!(bench.fencing.came(), "it has power still");
    assert!(!bench.fencing.dying());
}

#[test]
fn after_a_reload_a_device_is_known_again_wherever_it_stands() {
    let record = FenceRecord {
        distrusted: vec![2],
        ..FenceRecord::default()
    };
    let mut bench = Bench::remembering(record);
    bench.heard(0, true);
    bench.step(1000, |_| ());
    bench.answer(1010, 0, Answer::Off);
    let before = bench.setup.fencing;
    let fencing = bench.setup.fencing.as_mut().unwrap();
    fencing.ids.swap(0, 1);
    bench
        .fencing
        .reconcile(at(1500), 1, before.as_ref(), &bench.setup);
    assert_eq!(bench.liars(), [2]);
    // One that said off in the other's place proves nothing with it, and the liar does not either.
    bench.step(2020, |_| ());
    assert!(!bench.answer(2030, 0, Answer::Off) && !bench.answer(2030, 1, Answer::Off));
    bench.step(3040, |_| ());
    assert!(!bench.answer(3050, 0, Answer::Off), "the liar");
    assert!(bench.answer(3050, 1, Answer::Off));
}

#[test]
fn a_delay_counts_once_the_peer_has_heard_of_it() {
    let mut bench = Bench::ready(16_000);
    let before = bench.setup.fencing;
    bench.setup.fencing.as_mut().unwrap().delay = Duration::from_secs(20);
    bench
        .fencing
        .reconcile(at(10_000), 7, before.as_ref(), &bench.setup);
    bench.read_on(39_900);
    assert_eq!(bench.shot(40_000, |_| ()), None);
    // What it echoes was said before.
    let said = Some((Duration::from_secs(8), true));
    let fencing = bench.setup.fencing.unwrap();
    let echoes = |bench: &mut Bench, sent, heard| {
        let word = Word {
            heard,
            ..word(at(sent), said)
        };
        (bench.fencing).heard(at(41_000), word, DETECTION, &fencing);
    };
    // In the very moment of the reload, too.
    echoes(&mut bench, 10_000, 6);
    bench.read_on(42_900);
    assert_eq!(bench.shot(43_000, |_| ()), None);
    echoes(&mut bench, 41_000, 7);
    bench.read_on(42_950);
    assert_eq!(bench.shot(43_000, |_| ()), Some(0), "patience");
}

#[test]
fn without_a_device_in_the_file_a_shot_is_over_some_time() {
    let mut bench = Bench::ready(2000);
    assert_eq!(bench.shot(2000, |_| ()), Some(0));
    let before = bench.setup.fencing.take();
    bench
        .fencing
        .reconcile(at(5000), 1, before.as_ref(), &bench.setup);
    let alive = |seen: &mut Seen| seen.peer = PeerState::Alive;
    bench.step(604_999, alive);
    assert!(bench.fencing.dying());
    bench.step(605_000, |_| ());
    assert!(bench.fencing.dying(), "it is not heard");
    bench.step(605_001, alive);
    assert!(!bench.fencing.dying());
}
