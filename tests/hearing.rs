//! What counts as a sign of life, and what does not: replays, strangers, echoes that stop.

mod world;

use ha_appliance::core::peer::{Heard, Own, Peer, PeerState};
use ha_appliance::core::record::Record;
use ha_appliance::core::setup::{Failback, Setup};
use ha_appliance::core::time::Time;
use ha_appliance::wire::heartbeat::{Echo, Heartbeat, Side, Versions};
use std::time::Duration;

/// One node's ear, and a peer that can be made to say anything.
struct Ear {
    now: Time,
    setup: Setup,
    peer: Peer,
    sent: u64,
    template: Heartbeat,
}

const OWN: Own = Own { incarnation: 7 };

impl Ear {
    fn new() -> Ear {
        let setup = world::setup(Side::First, &[("web", None, Failback::Manual)]);
        let mut pair = world::World::new(&[("web", None, Failback::Manual)]);
        pair.start(Side::Second);
        let mut template = world::heartbeats(&pair, Side::Second).remove(0);
        template.incarnation = 1;
        template.echo = Echo::default();
        template.challenges.clear();
        Ear {
            now: Time(0),
            peer: Peer::new(Time(0), &setup, &Record::default()),
            sent: 0,
            setup,
            template,
        }
    }

    /// This node sends a heartbeat; gives its sequence.
    fn send(&mut self) -> u64 {
        self.sent += 1;
        self.peer.sent(self.now, self.sent, false, &self.setup);
        self.sent
    }

    fn hear(&mut self, incarnation: u64, sequence: u64, echoes: u64) -> Heard {
        let echo = Echo {
            incarnation: OWN.incarnation,
            sequence: echoes,
        };
        let heartbeat = Heartbeat {
            incarnation,
            sequence,
            echo: if echoes == 0 { Echo::default() } else { echo },
            ..self.template.clone()
        };
        self.peer.hear(self.now, 0, &heartbeat, OWN, &self.setup)
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.peer.tick(self.now, &self.setup);
    }

    /// An alive peer, at its sequence 1.
    fn acquainted() -> Ear {
        let mut ear = Ear::new();
        let sent = ear.send();
        assert_eq!(ear.hear(1, 1, sent), Heard::News { restarted: true });
        assert_eq!(ear.peer.state(), PeerState::Alive);
        ear
    }
}

#[test]
fn a_stranger_is_believed_once_it_echoes() {
    let mut ear = Ear::new();
    assert_eq!(ear.hear(1, 1, 0), Heard::Candidate);
    assert_eq!(ear.peer.state(), PeerState::Unknown);
    let challenges = ear.peer.echoes().1;
    assert_eq!((challenges[0].incarnation, challenges[0].sequence), (1, 1));
    let sent = ear.send();
    assert_eq!(ear.hear(1, 2, sent), Heard::News { restarted: true });
    assert_eq!(ear.peer.state(), PeerState::Alive);
}

#[test]
fn the_incarnation_before_a_restart_is_never_heard_again() {
    let mut ear = Ear::acquainted();
    let sent = ear.send();
    assert_eq!(ear.hear(2, 1, sent), Heard::News { restarted: true });
    let sent = ear.send();
    assert_eq!(ear.hear(1, 99, sent), Heard::Nothing);
    assert_eq!(ear.peer.echoes().0.incarnation, 2);
}

#[test]
fn many_strangers_take_a_bounded_place() {
    let mut ear = Ear::new();
    for stranger in 1..100 {
        ear.hear(stranger, 1, 0);
    }
    assert_eq!(ear.peer.echoes().1.len(), 4);
}

#[test]
fn replays_do_not_keep_a_dead_peer_alive() {
    let mut ear = Ear::acquainted();
    for _ in 0..6 {
        ear.pass(100);
        assert_eq!(ear.hear(1, 1, ear.sent), Heard::Nothing);
    }
    assert_eq!(ear.peer.state(), PeerState::Silent);
}

#[test]
fn silence_is_judged_by_the_interval_that_the_peer_announces() {
    let mut ear = Ear::new();
    ear.template.interval = Duration::from_millis(300);
    let sent = ear.send();
    ear.hear(1, 1, sent);
    ear.pass(1499);
    assert_ne!(ear.peer.state(), PeerState::Silent);
    ear.pass(1);
    assert_eq!(ear.peer.state(), PeerState::Silent);
}

/// `check` allows any interval of which three make up to ten seconds.
#[test]
fn the_longest_interval_of_a_file_is_taken_at_its_word() {
    let mut ear = Ear::new();
    ear.template.interval = Duration::from_millis(3333);
    let sent = ear.send();
    ear.hear(1, 1, sent);
    assert_eq!(ear.peer.rhythm().interval, Duration::from_millis(3333));
    assert_eq!(ear.peer.detection_time(), Duration::from_millis(5 * 3333));
    ear.template.interval = Duration::from_secs(60);
    ear.hear(1, 2, sent);
    assert_eq!(ear.peer.rhythm().interval, Duration::from_secs(10) / 3);
}

#[test]
fn a_peer_whose_echoes_stop_is_one_way() {
    let mut ear = Ear::acquainted();
    let echoed = ear.sent;
    for sequence in 2..20 {
        ear.pass(100);
        ear.send();
        ear.hear(1, sequence, echoed);
    }
    assert_eq!(ear.peer.state(), PeerState::OneWay);
    let sent = ear.send();
    ear.hear(1, 20, sent);
    assert_eq!(ear.peer.state(), PeerState::Alive);
}

#[test]
fn agreement_needs_an_echo_of_something_sent_after_the_decision_and_lately() {
    let mut ear = Ear::acquainted();
    ear.pass(10);
    let decided = ear.send();
    // Echoes something older: says nothing about now.
    ear.hear(1, 2, decided - 1);
    assert!(!ear.peer.proves(ear.now, decided, &ear.setup));
    ear.hear(1, 3, decided);
    assert!(ear.peer.proves(ear.now, decided, &ear.setup));
    assert!(!ear.peer.proves(ear.now, decided + 1, &ear.setup));
    // Half the detection time later it may have decided otherwise.
    ear.pass(251);
    assert!(!ear.peer.proves(ear.now, decided, &ear.setup));
}

#[test]
fn a_fenced_peer_returns_only_with_an_echo_of_something_later() {
    let mut ear = Ear::acquainted();
    let sent = ear.send();
    ear.pass(600);
    ear.peer
        .fenced(ear.now, ha_appliance::core::reason::Reason::Fenced);
    // Still under way when it was switched off.
    assert_ne!(ear.hear(1, 2, sent), Heard::News { restarted: true });
    assert_eq!(ear.peer.state(), PeerState::Fenced);
    let later = ear.send();
    ear.hear(1, 3, later);
    assert_eq!(ear.peer.state(), PeerState::Alive);
}

/// A peer that is gone, in both ways of it.
fn gone() -> [Ear; 2] {
    let mut left = Ear::acquainted();
    left.template.goodbye = true;
    left.hear(1, 2, left.sent);
    left.template.goodbye = false;
    assert_eq!(left.peer.state(), PeerState::Left);
    let mut fenced = Ear::acquainted();
    fenced.pass(600);
    let why = ha_appliance::core::reason::Reason::Fenced;
    fenced.peer.fenced(fenced.now, why);
    [left, fenced]
}

#[test]
fn a_replay_brings_nobody_back_who_is_gone() {
    for mut ear in gone() {
        let state = ear.peer.state();
        ear.pass(100);
        ear.send();
        assert_eq!(ear.hear(2, 1, 0), Heard::Candidate);
        assert_eq!(ear.peer.state(), state);
        // It may be back all the same: what it was not feared for, it is, until it is forgotten.
        assert!(ear.peer.challenged() && ear.peer.held_back());
        assert_eq!(ear.peer.returned(), Some(ear.now));
        ear.pass(999);
        assert!(ear.peer.challenged());
        let forgotten = ear.peer.deadline(&ear.setup).unwrap();
        assert_eq!(forgotten, ear.now + Duration::from_millis(1));
        ear.pass(1);
        assert_eq!((ear.peer.challenged(), ear.peer.state()), (false, state));
        assert!(ear.peer.echoes().1.is_empty());
        assert_eq!(ear.peer.deadline(&ear.setup), None);
    }
}

#[test]
fn replays_hold_a_start_back_no_longer_than_one_of_them() {
    for mut ear in gone() {
        ear.hear(2, 1, 0);
        for sequence in 2..10 {
            ear.pass(100);
            ear.send();
            ear.hear(1 + sequence, sequence, 0);
            assert!(ear.peer.held_back());
        }
        ear.pass(200);
        assert_eq!((ear.peer.challenged(), ear.peer.held_back()), (true, false));
        ear.hear(20, 1, 0);
        assert!(!ear.peer.held_back());
    }
}

#[test]
fn a_peer_that_was_gone_is_back_once_it_echoes() {
    for mut ear in gone() {
        ear.pass(100);
        ear.hear(2, 1, 0);
        let returned = ear.now;
        ear.pass(100);
        let sent = ear.send();
        assert_eq!(ear.hear(2, 2, sent), Heard::News { restarted: true });
        assert_eq!(ear.peer.state(), PeerState::Alive);
        assert_eq!(ear.peer.returned(), Some(returned));
        assert!(!ear.peer.held_back(), "its word decides now");
    }
}

#[test]
fn a_stranger_is_remembered_for_as_long_as_it_may_be_silent() {
    let mut ear = Ear::acquainted();
    ear.template.interval = Duration::from_millis(400);
    ear.hear(2, 1, 0);
    ear.pass(1999);
    assert!(ear.peer.challenged());
    ear.pass(1);
    assert!(!ear.peer.challenged());
}

#[test]
fn what_was_fenced_and_was_still_under_way_is_no_return() {
    let mut ear = Ear::acquainted();
    let sent = ear.send();
    ear.pass(600);
    let why = ha_appliance::core::reason::Reason::Fenced;
    ear.peer.fenced(ear.now, why);
    ear.pass(900);
    assert_eq!(ear.hear(1, 2, sent), Heard::Candidate);
    assert!(!ear.peer.challenged());
}

#[test]
fn a_goodbye_under_way_while_a_successor_was_heard_is_none() {
    let mut ear = Ear::acquainted();
    let sent = ear.send();
    ear.pass(100);
    assert_eq!(ear.hear(2, 1, 0), Heard::Candidate);
    ear.template.goodbye = true;
    ear.hear(1, 2, sent);
    assert_eq!(ear.peer.state(), PeerState::Alive);
    // Nor once the stranger is forgotten: it may run what it was allowed to.
    ear.pass(2000);
    ear.hear(1, 3, sent);
    assert_eq!(ear.peer.state(), PeerState::OneWay);
}

#[test]
fn a_replay_voids_no_later_goodbye() {
    let mut ear = Ear::acquainted();
    ear.pass(100);
    assert_eq!(ear.hear(9, 1, 0), Heard::Candidate);
    let later = ear.send();
    ear.hear(1, 2, later);
    assert_eq!(
        ear.hear(9, 2, 0),
        Heard::Nothing,
        "outlived, it is a replay"
    );
    ear.template.goodbye = true;
    ear.hear(1, 3, later);
    assert_eq!(ear.peer.state(), PeerState::Left);
}

#[test]
fn an_own_datagram_that_comes_back_is_nobody() {
    for mut ear in gone() {
        let state = ear.peer.state();
        ear.template.node = Side::First;
        assert_eq!(ear.hear(OWN.incarnation, 5, 0), Heard::Reflected);
        // From an earlier daemon of this node, or from another machine that has yet to show it.
        assert_eq!(ear.hear(6, 5, 0), Heard::Reflected);
        assert_eq!((ear.peer.state(), ear.peer.reflected()), (state, 2));
        assert!(!ear.peer.challenged());
    }
}

/// It is nobody's successor.
#[test]
fn an_own_datagram_voids_no_goodbye() {
    let mut ear = Ear::acquainted();
    let sent = ear.send();
    ear.pass(100);
    ear.template.node = Side::First;
    assert_eq!(ear.hear(6, 5, 0), Heard::Reflected);
    ear.template.node = Side::Second;
    ear.template.goodbye = true;
    ear.hear(1, 2, sent);
    assert_eq!(ear.peer.state(), PeerState::Left);
}

#[test]
fn another_machine_under_this_nodes_name_is_refused_while_it_is_heard() {
    let mut ear = Ear::acquainted();
    let sent = ear.send();
    ear.template.node = Side::First;
    assert_eq!(ear.hear(8, 1, 0), Heard::Reflected);
    assert_eq!(ear.peer.echoes().1[0].incarnation, 8, "it may prove itself");
    assert_eq!(ear.hear(8, 2, sent), Heard::News { restarted: false });
    assert_eq!(ear.peer.state(), PeerState::Refused);
    assert_eq!(
        ear.peer.why().0,
        &ha_appliance::core::reason::Reason::SameNode
    );
    // The peer is heard beside it, and believed again once it is gone.
    ear.template.node = Side::Second;
    assert_eq!(ear.hear(1, 2, sent), Heard::News { restarted: false });
    assert_eq!(ear.peer.state(), PeerState::Refused);
    ear.pass(100);
    let later = ear.send();
    assert_eq!(ear.hear(1, 3, later), Heard::News { restarted: false });
    assert_eq!(ear.peer.state(), PeerState::Refused);
    ear.pass(900);
    let sent = ear.send();
    ear.hear(1, 4, sent);
    assert_eq!(ear.peer.state(), PeerState::Alive);
}

#[test]
fn a_goodbye_lasts_until_the_peer_is_heard_again() {
    let mut ear = Ear::acquainted();
    ear.template.goodbye = true;
    ear.hear(1, 2, ear.sent);
    assert_eq!(ear.peer.state(), PeerState::Left);
    ear.pass(10_000);
    assert_eq!(ear.peer.state(), PeerState::Left);
    ear.template.goodbye = false;
    let sent = ear.send();
    ear.hear(2, 1, sent);
    assert_eq!(ear.peer.state(), PeerState::Alive);
}

#[test]
fn an_incompatible_peer_is_refused_which_is_not_silence() {
    let spoil: [fn(&mut Heartbeat); 4] = [
        |h| h.cluster += 1,
        |h| h.nodes += 1,
        |h| h.node = Side::First,
        |h| {
            h.versions = Versions {
                lowest: 9,
                highest: 9,
            }
        },
    ];
    for spoil in spoil {
        let mut ear = Ear::new();
        spoil(&mut ear.template);
        let sent = ear.send();
        ear.hear(1, 1, sent);
        assert_eq!(ear.peer.state(), PeerState::Refused);
        assert!(ear.peer.latest().is_none(), "what it says must not count");
        ear.pass(600);
        assert_eq!(ear.peer.state(), PeerState::Silent);
    }
}

/// One that speaks this node's version too is no stranger; a newer node beside an older one has to be.
#[test]
fn a_peer_is_refused_for_its_version_only_where_the_two_have_none_in_common() {
    for (lowest, highest, refused) in [
        (1, 1, false),
        (1, 2, false),
        (0, 1, false),
        (0, 0, true),
        (2, 3, true),
    ] {
        let mut ear = Ear::new();
        ear.template.versions = Versions { lowest, highest };
        let sent = ear.send();
        ear.hear(1, 1, sent);
        let is = ear.peer.state() == PeerState::Refused;
        assert_eq!(is, refused, "{lowest} to {highest}");
    }
}

/// By an echo of this node's heartbeat as the peer's own it counts this node's silence; an echo as a stranger's only
/// says that it heard, and began its evidence anew unless it contests something already.
#[test]
fn what_a_peer_heard_and_what_it_counts_are_told_apart() {
    let mut ear = Ear::acquainted();
    let say = |ear: &mut Ear, counts: bool, contested: bool| {
        ear.pass(100);
        let sent = ear.send();
        let echo = Echo {
            incarnation: OWN.incarnation,
            sequence: sent,
        };
        let mut heartbeat = Heartbeat {
            incarnation: 1,
            sequence: sent,
            ..ear.template.clone()
        };
        match counts {
            true => heartbeat.echo = echo,
            false => heartbeat.challenges = vec![echo],
        }
        heartbeat
            .groups
            .iter_mut()
            .for_each(|g| g.contested = contested);
        let heard = ear.peer.hear(ear.now, 0, &heartbeat, OWN, &ear.setup);
        assert_eq!(heard, Heard::News { restarted: false });
        (ear.peer.counted(), ear.peer.answered())
    };
    let [a, b, c] = [100, 200, 300].map(|at| Some(Time(0) + Duration::from_millis(at)));
    assert_eq!(say(&mut ear, true, false), (a, a));
    assert_eq!(say(&mut ear, false, false), (a, b));
    assert_eq!(say(&mut ear, true, true), (c, b));
}

#[test]
fn contact_is_what_was_heard_and_answered() {
    let mut ear = Ear::new();
    assert_eq!(ear.peer.contact(), None);
    let sent = ear.send();
    ear.pass(50);
    ear.hear(1, 1, sent);
    assert_eq!(ear.peer.contact(), Some(ear.now), "heard at once");
    for sequence in 2..5 {
        ear.pass(100);
        ear.hear(1, sequence, sent);
    }
    // It is heard still, but an answer ought to have come within two intervals.
    let answered = Time(0) + 2 * ear.setup.interval;
    assert_eq!(ear.peer.contact(), Some(answered));
}

#[test]
fn silence_and_deafness_are_due_to_be_judged_when_they_are_over() {
    let mut ear = Ear::acquainted();
    let (detection, interval) = (ear.setup.interval * ear.setup.misses, ear.setup.interval);
    assert_eq!(ear.peer.deadline(&ear.setup), Some(Time(0) + detection));
    let heard = |ear: &mut Ear, sequence| {
        ear.pass(100);
        ear.hear(1, sequence, 1);
    };
    (2..6).for_each(|sequence| heard(&mut ear, sequence));
    let deaf = Time(0) + detection + 3 * interval + Duration::from_micros(1);
    assert_eq!(ear.peer.deadline(&ear.setup), Some(deaf));
    (6..8).for_each(|sequence| heard(&mut ear, sequence));
    ear.now = deaf;
    ear.peer.tick(ear.now, &ear.setup);
    assert_eq!(ear.peer.state(), PeerState::OneWay);
}

#[test]
fn each_path_counts_for_the_detection_time_and_a_late_copy_counts_for_its_path() {
    let mut ear = Ear::acquainted();
    let at = |ear: &mut Ear, path, sequence| {
        let heartbeat = Heartbeat {
            incarnation: 1,
            sequence,
            ..ear.template.clone()
        };
        ear.peer.hear(ear.now, path, &heartbeat, OWN, &ear.setup)
    };
    assert_eq!(ear.peer.heard_paths(ear.now), 0b1);
    ear.pass(100);
    assert_eq!(at(&mut ear, 2, 100), Heard::News { restarted: false });
    assert_eq!(
        at(&mut ear, 1, 100),
        Heard::Nothing,
        "the same by another way"
    );
    assert_eq!(at(&mut ear, 3, 37), Heard::Nothing);
    assert_eq!(at(&mut ear, 4, 36), Heard::Nothing, "too old to be a copy");
    assert_eq!(ear.peer.heard_paths(ear.now), 0b1111);
    assert_eq!(ear.peer.heard_on(1), Some(ear.now));
    assert_eq!(ear.peer.heard_on(4), None);
    ear.pass(401);
    assert_eq!(ear.peer.heard_paths(ear.now), 0b1110);
}

#[test]
fn the_last_eight_incarnations_are_never_heard_again() {
    let mut ear = Ear::acquainted();
    // None of them this node's own, which is never heard.
    for incarnation in 12..=20 {
        let sent = ear.send();
        ear.hear(incarnation, 1, sent);
    }
    for incarnation in 12..20 {
        let sent = ear.send();
        assert_eq!(ear.hear(incarnation, 99, sent), Heard::Nothing);
    }
    assert_eq!(ear.peer.echoes().0.incarnation, 20);
}

#[test]
fn of_too_many_strangers_this_nodes_own_side_gives_way_first() {
    let mut ear = Ear::new();
    ear.hear(1, 1, 0);
    ear.template.node = Side::First;
    ear.hear(2, 1, 0);
    ear.template.node = Side::Second;
    (3..6).for_each(|stranger| _ = ear.hear(stranger, 1, 0));
    let challenged = |ear: &Ear| -> Vec<u64> {
        let strangers = ear.peer.echoes().1;
        strangers.iter().map(|echo| echo.incarnation).collect()
    };
    assert_eq!(challenged(&ear), [1, 3, 4, 5]);
    ear.hear(1, 2, 0); // heard again, it is the newest
    ear.hear(6, 1, 0);
    assert_eq!(challenged(&ear), [4, 5, 1, 6]);
    assert_eq!(ear.peer.echoes().1[2].sequence, 2);
}
