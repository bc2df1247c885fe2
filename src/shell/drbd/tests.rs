use super::*;
use crate::core::event::{Extent, Unready};
use crate::core::protocol::right::Word;
use crate::id::{GroupId, ResourceId};
use crate::testing::TestDir;

const PLACE: Place = Place {
    group: GroupId(1),
    resource: ResourceId(2),
};
const OFF: Option<Right> = Some(Right::Fenced {
    by: Word::Device(0),
});

/// As 8.4 tells of a standby in sync.
const IN_SYNC: &str = "exists resource name:r0 role:Secondary suspended:no\n\
    exists connection name:r0 peer-node-id:0 conn-name:peer connection:Connected role:Primary\n\
    exists device name:r0 volume:0 minor:1 disk:UpToDate\n\
    exists peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate\n\
    exists -";
const CUT: &str = "change connection name:r0 peer-node-id:0 conn-name:peer connection:Connecting role:Unknown\n\
    change peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Off peer-disk:DUnknown";
const BACK: &str = "change connection name:r0 peer-node-id:0 conn-name:peer connection:Connected role:Secondary\n\
    change peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate";

struct Played {
    disks: Disks,
    events: Rc<RefCell<VecDeque<Event>>>,
    frozen: Frozen,
    _dir: TestDir,
}

impl Played {
    fn new() -> Played {
        let dir = TestDir::new();
        let events: Rc<RefCell<VecDeque<Event>>> = Rc::default();
        let programs = Programs::new(&dir);
        let frozen = Frozen::default();
        let (executor, told) = (Rc::default(), events.clone());
        let mut disks = Disks::new(executor, told, programs, &dir, "lb2", frozen.clone());
        let r0 = Drbd {
            resource: "r0".into(),
        };
        disks.replace(vec![(PLACE, r0)], 1);
        disks.peer(PeerState::Alive, clock::now());
        Played {
            disks,
            events,
            frozen,
            _dir: dir,
        }
    }

    /// DRBD says that; gives what is news to the core.
    fn says(&self, lines: &str) -> Vec<Event> {
        for line in lines.lines() {
            self.disks.shared.known.borrow_mut().take(line);
        }
        self.disks.shared.review();
        self.news()
    }

    fn news(&self) -> Vec<Event> {
        self.events.borrow_mut().drain(..).collect()
    }

    fn peer(&mut self, state: PeerState) {
        // Later than what came before.
        std::thread::sleep(Duration::from_millis(1));
        self.disks.peer(state, clock::now());
    }

    fn asked(&self, proof: Option<Right>) -> Verdict {
        let now = clock::now();
        self.disks.fence_peer(PLACE.group, proof, true, 7, now)
    }

    fn expects(&self, expected: Expected) {
        let disk = self.disks.shared.disk(PLACE).unwrap();
        disk.expect(&self.disks.shared, expected);
    }

    fn may_promote(&self, off: bool) -> Result<Option<bool>, String> {
        let disk = self.disks.shared.disk(PLACE).unwrap();
        let (shared, state) = (&self.disks.shared, self.disks.shared.known.borrow());
        let copies = disk.copies.get();
        copies.may_promote(&disk.sight(shared, &state), off)
    }
}

fn unready(why: &str, extent: Extent) -> Event {
    let why = why.into();
    Event::Ready {
        place: PLACE,
        unready: Some(Unready { why, extent }),
    }
}

const READY: Event = Event::Ready {
    place: PLACE,
    unready: None,
};

#[test]
fn what_it_says_of_itself() {
    let played = Played::new();
    let unknown = unready("what DRBD says is not known yet", Extent::Entirely);
    assert_eq!(played.news(), [unknown]);
    assert_eq!(played.says(IN_SYNC), [READY]);
    let why = "r0 is not connected to lb2";
    assert_eq!(played.says(CUT), [unready(why, Extent::Handover)]);
    let why =
        "its data is older than lb2's: it is not connected to lb2: look at the link that DRBD uses";
    let outdated = "change device name:r0 volume:0 minor:1 disk:Outdated";
    assert_eq!(played.says(outdated), [unready(why, Extent::Entirely)]);
    // Words were lost: what was known stands for a moment.
    assert_eq!(played.says("- skipped 2"), []);
}

/// Its disk is there before its connection: nobody has given that up.
#[test]
fn what_is_being_brought_up_has_no_connection_yet() {
    let played = Played::new();
    played.news();
    let disk = played.disks.shared.disk(PLACE).unwrap();
    disk.rising.set(true);
    let attached: Vec<&str> = IN_SYNC.lines().filter(|l| !l.contains("peer")).collect();
    // It cannot run as little as before; why, is told if it lasts.
    assert_eq!(played.says(&attached.join("\n")), []);
    std::thread::sleep(Duration::from_millis(1600));
    let why = unready("r0 is being brought up", Extent::Entirely);
    assert_eq!(played.says(""), [why]);
    assert_eq!(played.says(IN_SYNC), [READY]);
}

#[test]
fn a_primary_without_a_disk_lives_on_the_other_ones() {
    let played = Played::new();
    played.says(IN_SYNC);
    let told = played.says("change resource name:r0 role:Primary\nchange device name:r0 volume:0 minor:1 disk:Diskless");
    let disk = played.disks.shared.disk(PLACE).unwrap();
    let since = disk.lost.borrow().clone();
    assert!(since.starts_with("; so since "), "{since}");
    let gone = "the disk below /dev/drbd1 failed there or was detached (Diskless; `journalctl -k -g drbd` says which)";
    let why = format!("{gone}: it reads and writes what is on lb2{since}");
    assert_eq!(told, [unready(&why, Extent::Partly)]);
    // It is as long ago once it is handed over, and over when it is attached.
    let why = format!("{gone}: replace it, or `drbdadm attach r0`{since}");
    let demoted = played.says("change resource name:r0 role:Secondary");
    assert_eq!(demoted, [unready(&why, Extent::Entirely)]);
    let attached = played.says("change device name:r0 volume:0 minor:1 disk:UpToDate");
    assert_eq!(attached, [READY]);
    assert_eq!(*disk.lost.borrow(), "");
}

#[test]
fn what_somebody_else_does_is_news() {
    let played = Played::new();
    played.says(IN_SYNC);
    played.expects(Expected::Secondary);
    let primary = "change resource name:r0 role:Primary";
    assert_eq!(played.says(primary), [Event::Appeared { place: PLACE }]);
    played.expects(Expected::Primary);
    let told = played.says("change resource name:r0 role:Secondary");
    let why = "r0 was made Secondary by somebody else".into();
    assert_eq!(told, [Event::Lost { place: PLACE, why }]);
}

#[test]
fn a_heard_node_is_asked_and_its_word_is_for_one_disconnection() {
    let played = Played::new();
    played.says(IN_SYNC);
    played.says(CUT);
    let ask = Verdict::Ask {
        number: 7,
        resource: "r0".into(),
    };
    assert_eq!(played.asked(None), ask);
    assert!(matches!(played.asked(None), Verdict::Unknown(_)));
    played.disks.outdated(8, "r0", None);
    assert!(
        matches!(played.asked(None), Verdict::Unknown(_)),
        "another question"
    );
    played.disks.outdated(7, "r0", None);
    assert!(matches!(played.asked(None), Verdict::Certain(4, _)));
    played.says(BACK);
    played.says(CUT);
    assert!(
        matches!(played.asked(None), Verdict::Ask { .. }),
        "asked anew"
    );
}

#[test]
fn a_node_that_was_seen_off_is_off_until_drbd_meets_it() {
    let mut played = Played::new();
    played.says(IN_SYNC);
    played.peer(PeerState::Silent);
    assert!(matches!(played.asked(None), Verdict::Unknown(_)));
    played.peer(PeerState::Fenced);
    // DRBD may believe in the connection for ten seconds.
    assert!(matches!(played.asked(OFF), Verdict::Certain(7, _)));
    assert_eq!(played.may_promote(true), Ok(Some(true)), "cut first");
    played.says(CUT);
    assert!(matches!(played.asked(OFF), Verdict::Certain(7, _)));
    assert_eq!(played.may_promote(true), Ok(Some(false)));
    std::thread::sleep(Duration::from_millis(1));
    played.says(BACK);
    assert!(matches!(played.asked(OFF), Verdict::Unknown(_)));
    assert!(played.may_promote(true).is_err());
    // Its daemon was not heard all the while.
    played.says(CUT);
    assert!(matches!(played.asked(OFF), Verdict::Unknown(_)));
    assert_eq!(played.may_promote(true), Ok(None));
}

#[test]
fn a_node_that_left_has_taken_its_side_down_until_it_is_back() {
    let mut played = Played::new();
    let parts = |played: &Played| played.disks.parted(&["r0".into()]);
    played.says(IN_SYNC);
    // The cable of DRBD is cut, which it may not have seen yet.
    parts(&played);
    played.peer(PeerState::Left);
    let left = Verdict::Certain(4, "lb2 has left, and taken it down".into());
    assert_eq!(played.asked(Some(Right::Left)), left);
    assert_eq!(played.may_promote(false), Ok(Some(true)), "cut first");
    played.says(CUT);
    assert_eq!(played.asked(Some(Right::Left)), left);
    assert_eq!(played.may_promote(false), Ok(Some(false)));
    // Silent without a goodbye, which was lost: down it is all the same.
    played.peer(PeerState::Silent);
    assert_eq!(played.asked(None), left);
    played.peer(PeerState::Alive);
    assert!(
        matches!(played.asked(None), Verdict::Ask { .. }),
        "it is back"
    );
    parts(&played);
    played.says(BACK);
    played.says(CUT);
    played.peer(PeerState::Left);
    assert!(
        matches!(played.asked(Some(Right::Left)), Verdict::Unknown(_)),
        "somebody brought it up"
    );
}

/// One that inherits the handler and stands in no group is answered by what holds for the whole node.
#[test]
fn what_no_group_has_is_answered_once_the_node_was_seen_off() {
    let mut played = Played::new();
    let lines = |lines: &str| {
        lines
            .replace("r0", "r5")
            .replace("volume:0 minor:1", "volume:0 minor:5")
    };
    played.says(IN_SYNC);
    played.says(&lines(IN_SYNC));
    let asked = |played: &Played, off| played.disks.fence_stranger(off, true);
    played.says(&lines(CUT));
    assert!(
        matches!(asked(&played, false), Verdict::Unknown(_)),
        "it is heard"
    );
    played.peer(PeerState::Silent);
    played.peer(PeerState::Fenced);
    assert!(matches!(asked(&played, true), Verdict::Certain(7, _)));
    let unfenced = played.disks.fence_stranger(true, false);
    assert!(matches!(unfenced, Verdict::Unknown(_)), "by no device");
    played.says("change device name:r5 volume:0 minor:5 disk:Consistent");
    assert!(
        matches!(asked(&played, true), Verdict::Unknown(_)),
        "old data"
    );
    played.says("change device name:r5 volume:0 minor:5 disk:UpToDate");
    std::thread::sleep(Duration::from_millis(1));
    played.says(&lines(BACK));
    played.says(&lines(CUT));
    assert!(
        matches!(asked(&played, true), Verdict::Unknown(_)),
        "it was met since"
    );
}

#[test]
fn old_data_is_neither_promoted_nor_answered_for() {
    let mut played = Played::new();
    played.says(
        &IN_SYNC
            .replace("UpToDate", "Consistent")
            .replace("Connected", "Connecting"),
    );
    played.peer(PeerState::Silent);
    played.peer(PeerState::Fenced);
    assert!(matches!(played.asked(OFF), Verdict::Unknown(_)));
    assert!(played.may_promote(true).is_err());
}

/// The good copy is lost, and a human says so: of the data, and of the node.
#[test]
fn old_data_is_promoted_by_an_operators_word_about_it() {
    let mut played = Played::new();
    let outdated = IN_SYNC.replace(" disk:UpToDate", " disk:Outdated");
    played.says(&outdated);
    let accept = |played: &Played| played.disks.accept(PLACE.group);
    assert!(accept(&played).unwrap_err().contains("it is synced"));
    played.says(CUT);
    assert!(accept(&played).unwrap_err().contains("connect it first"));
    played.peer(PeerState::Silent);
    assert!(accept(&played).is_ok());
    assert_eq!(
        played.may_promote(false),
        Ok(None),
        "nobody saw that it is off"
    );
    played.peer(PeerState::Fenced);
    assert_eq!(played.may_promote(true), Ok(Some(false)));
    assert!(matches!(played.asked(OFF), Verdict::Certain(7, _)));
    assert!(accept(&played).unwrap_err().contains("as it is"));
    // What it meets is a copy again, which is to be looked at anew.
    played.says(BACK);
    assert!(played.may_promote(true).is_err());
    played.says(CUT);
    played.says("change device name:r0 volume:0 minor:1 disk:Inconsistent");
    assert!(accept(&played).unwrap_err().contains("backup"));
}

#[test]
fn without_a_word_of_the_other_node_a_promotion_waits() {
    let mut played = Played::new();
    played.says(IN_SYNC);
    assert_eq!(played.may_promote(false), Ok(Some(false)));
    played.says(CUT);
    assert_eq!(
        played.may_promote(false),
        Ok(Some(false)),
        "it is heard, and asked"
    );
    played.peer(PeerState::Silent);
    assert_eq!(played.may_promote(false), Ok(None));
    played.says(
        "change peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 peer-disk:Outdated",
    );
    assert_eq!(played.may_promote(false), Ok(Some(false)));
}

#[test]
fn frozen_io_of_which_nobody_asks_any_more_is_asked_about_again() {
    let mut played = Played::new();
    played.says(&IN_SYNC.replace("Secondary", "Primary"));
    played.expects(Expected::Primary);
    played.says(CUT);
    played.says("change resource name:r0 suspended:fencing");
    let owes = |played: &Played, seconds: u64| {
        let disk = played.disks.shared.disk(PLACE).unwrap();
        let later = clock::now() + Duration::from_secs(seconds);
        disk.owes_an_answer(&played.disks.shared, later)
    };
    played.peer(PeerState::Silent);
    assert!(
        !owes(&played, 60),
        "it is not certain that the other is off"
    );
    played.peer(PeerState::Fenced);
    assert!(!owes(&played, 1), "its handler is about to ask");
    let now = clock::now() + Duration::from_secs(5);
    let told = played.disks.fence_peer(PLACE.group, None, true, 7, now);
    assert!(matches!(told, Verdict::Unknown(_)));
    assert!(!owes(&played, 6), "it asks, and is told");
    assert!(owes(&played, 11));
    assert!(!owes(&played, 12), "once in a while");
    assert!(owes(&played, 30));
    let until = |played: &Played| played.frozen.borrow().clone();
    let device = PathBuf::from("/dev/drbd1");
    assert_eq!(until(&played), [(device, None)], "who reads waits");
    played.says("change resource name:r0 suspended:no");
    assert!(until(&played)[0].1.is_some());
    assert!(!owes(&played, 60));
    played.says("change resource name:r0 suspended:fencing");
    played.peer(PeerState::Alive);
    assert!(owes(&played, 90), "it is to be asked");
    played.disks.parted(&["r0".into()]);
    played.peer(PeerState::Left);
    assert!(owes(&played, 120));
}

/// It is Primary, and its tools cannot be run for a while: nobody knows better, so nothing is another.
#[test]
fn what_runs_is_not_lost_because_nobody_can_ask() {
    let mut played = Played::new();
    played.says(IN_SYNC);
    played.says("change resource name:r0 role:Primary");
    played.expects(Expected::Primary);
    played.news();
    let disk = played.disks.shared.disk(PLACE).unwrap();
    std::mem::take(&mut *played.disks.shared.known.borrow_mut());
    for seconds in 0..10 {
        let later = clock::now() + Duration::from_secs(seconds);
        let state = played.disks.shared.known.borrow();
        assert_eq!(disk.review(&played.disks.shared, &state, later), []);
    }
    played.disks.watch(true);
    // Where it does not run, nobody takes it over blindly.
    played.expects(Expected::Secondary);
    let later = clock::now() + Duration::from_secs(20);
    let state = played.disks.shared.known.borrow();
    let unknown = unready("what DRBD says is not known yet", Extent::Entirely);
    assert_eq!(disk.review(&played.disks.shared, &state, later), [unknown]);
}

/// What could not be stopped before it leaves keeps its connection, and nobody is told that it is down.
#[test]
fn a_primary_is_not_taken_down() {
    let mut played = Played::new();
    played.says(&IN_SYNC.replace("Secondary", "Primary"));
    played.news();
    let answers = Answers::default();
    let within = Duration::from_millis(10);
    played.disks.part(PLACE, false, within, answers.clone());
    let executor = played.disks.shared.executor.clone();
    while executor.try_tick() {}
    let why = "r0 is still Primary here, and is left as it is";
    let failed = |event: &Event| matches!(event, Event::Finished { outcome: Outcome::Failed(w), .. } if w == why);
    let news = played.news();
    assert!(news.iter().any(failed), "{news:?}");
    assert!(answers.borrow().is_empty());
}

/// It counts as not ready until somebody says otherwise, and somebody must.
#[test]
fn a_start_that_could_not_be_asked_for_may_be_tried_again() {
    let played = Played::new();
    played.says(IN_SYNC);
    let disk = played.disks.shared.disk(PLACE).unwrap();
    let why = "drbdadm primary r0: too many open files".to_owned();
    assert_eq!(disk.unasked(why.clone()), Outcome::Unasked(why));
    played.disks.shared.review();
    assert_eq!(played.news(), [READY]);
}
