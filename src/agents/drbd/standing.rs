//! How a resource stands here: what its data is worth, and what may be done with it.
//!
//! The promise: no data older than an acknowledged write is promoted by itself. UpToDate is DRBD's own word that this
//! is the newest. Consistent only says that nothing is torn: after the loss of its Primary a Secondary of DRBD 9 says
//! so of the newest data there is, and so does a node that boots alone of what may be years old. What tells the two
//! apart is what was seen in between ([`Lineage`]).

use super::events::{Kind, State};
use crate::core::time::Time;

/// What was seen of a resource's data since its disk was attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lineage {
    /// It was the newest and replicated to the last, up to this moment; None: it was not, or is not known to have been.
    newest_until: Option<Time>,
    /// It is now.
    is_newest: bool,
}

/// What is certain of the other node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// It has not been heard since; None: it is heard.
    pub silent_since: Option<Time>,
    /// It was verified off then.
    pub off_at: Option<Time>,
}

/// How it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// It is promoted here.
    pub primary: bool,
    /// It is promoted there.
    pub peer_primary: bool,
    /// Why all I/O waits, in DRBD's words; empty: it does not.
    pub frozen: String,
    /// How far behind one side is, in KiB.
    pub out_of_sync: u64,
    /// What keeps it from being promoted; None: nothing.
    pub unpromotable: Option<String>,
    /// What keeps it from being handed over to here without loss or risk; None: nothing.
    pub unready: Option<String>,
}

impl Lineage {
    /// After each change; `now` is when it was read.
    pub fn follow(&mut self, state: &State, resource: &str, now: Time) {
        let disks: Vec<&str> = words(state, resource, Kind::Device, "disk").collect();
        let replicating = words(state, resource, Kind::PeerDevice, "replication");
        let newest = !disks.is_empty()
            && disks.iter().all(|disk| *disk == "UpToDate")
            && replicating.clone().count() >= disks.len()
            && replicating.clone().all(|word| word == "Established")
            && words(state, resource, Kind::Connection, "connection")
                .all(|word| word == "Connected");
        let attached = disks
            .iter()
            .all(|disk| matches!(*disk, "UpToDate" | "Consistent"));
        if newest {
            (self.is_newest, self.newest_until) = (true, Some(now));
        } else if disks.is_empty() || !attached {
            *self = Lineage::default();
        } else if std::mem::take(&mut self.is_newest) {
            self.newest_until = Some(now);
        }
    }

    /// Forgets what makes no difference any more, for whoever compares: `silent` is since when the other is.
    pub fn forget(&mut self, silent: Option<Time>, now: Time) {
        if self.is_newest {
            return;
        }
        let survives = |until: &Time| silent.is_none_or(|silent| *until >= silent);
        let current = |until: &Time| silent.is_some() || *until >= now;
        let until = self.newest_until.filter(|u| survives(u) && current(u));
        self.newest_until = until.map(|until| silent.unwrap_or(until));
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.newest_until.iter_mut().for_each(f);
    }

    /// It was the newest until the other fell silent, which then was seen off: what it wrote last is here.
    fn survives(&self, proof: Proof) -> bool {
        let (Some(until), Some(silent), Some(off)) =
            (self.newest_until, proof.silent_since, proof.off_at)
        else {
            return false;
        };
        // A connection that broke while the other was still heard may have left it writing alone.
        until >= silent && off >= silent
    }
}

impl Standing {
    /// From what DRBD says; `peer` is what the other node is called.
    pub fn of(
        state: &State,
        resource: &str,
        lineage: Lineage,
        proof: Proof,
        peer: &str,
    ) -> Standing {
        let unpromotable = unpromotable(state, resource, lineage, proof, peer);
        // Where there is no disk on the other side, it counts what was written here alone: from nothing, nothing differs.
        let there = state.of(resource, Kind::PeerDevice);
        let there = there.filter(|it| state.word(it, "peer-disk") != "Diskless");
        let out_of_sync = there
            .filter_map(|it| state.word(it, "out-of-sync").parse::<u64>().ok())
            .sum();
        Standing {
            primary: words(state, resource, Kind::Resource, "role").any(|role| role == "Primary"),
            peer_primary: words(state, resource, Kind::Connection, "role")
                .any(|role| role == "Primary"),
            frozen: state.frozen(resource).unwrap_or_default().to_owned(),
            out_of_sync,
            unready: unpromotable
                .clone()
                .or_else(|| unready(state, resource, out_of_sync, peer)),
            unpromotable,
        }
    }
}

fn unpromotable(
    state: &State,
    resource: &str,
    lineage: Lineage,
    proof: Proof,
    peer: &str,
) -> Option<String> {
    if !state.complete {
        let trouble = state.trouble.clone();
        return Some(trouble.unwrap_or_else(|| "what DRBD says is not known yet".into()));
    }
    let disks: Vec<&str> = words(state, resource, Kind::Device, "disk").collect();
    if disks.is_empty() {
        return Some(format!("{resource} is down: `drbdadm up {resource}`"));
    }
    let worst = disks.into_iter().find(|disk| *disk != "UpToDate")?;
    let way = way_back(state, resource, proof, peer);
    Some(match worst {
        "Consistent" if lineage.survives(proof) => return None,
        "Consistent" => format!("whether {peer} has newer data is not known: {way}"),
        "Outdated" => format!("its data is older than {peer}'s: {way}"),
        "Inconsistent" if is_syncing(state, resource) => {
            format!("its data is not all of {peer}'s yet: it can run once it is synced")
        }
        "Inconsistent" => {
            let percent = percent(state, resource);
            let synced = percent.map_or(String::new(), |percent| format!(", {percent} % synced"));
            format!("its data is Inconsistent{synced}, and serves nobody: {way}")
        }
        word if is_gone(word) => {
            let lost = lost(state, resource)?;
            format!("{lost}: replace it, or `drbdadm attach {resource}`")
        }
        other => format!("its disk is {other}"),
    })
}

/// Which of its disks are gone, in a few words. An error of the disk detaches it as an order does: DRBD does not tell
/// them apart. None: all are there.
pub fn lost(state: &State, resource: &str) -> Option<String> {
    let devices = state.of(resource, Kind::Device);
    let gone = devices.filter(|device| is_gone(state.word(device, "disk")));
    let gone: Vec<_> = gone.collect();
    let word = state.word(gone.first()?, "disk");
    let names = gone.iter().map(|device| {
        let minor = state.word(device, "minor");
        format!("/dev/drbd{minor}")
    });
    let names: Vec<String> = names.collect();
    Some(format!(
        "the disk below {} failed there or was detached ({word}; `journalctl -k -g drbd` says which)",
        names.join(", ")
    ))
}

fn is_gone(disk: &str) -> bool {
    matches!(disk, "Diskless" | "Detaching" | "Failed")
}

/// What brings it level with the other side. Not how far a sync is: each line here is told, and each percent would be.
fn way_back(state: &State, resource: &str, proof: Proof, peer: &str) -> String {
    let connection = words(state, resource, Kind::Connection, "connection").next();
    match connection {
        Some("Connected") => format!("it can run once it is synced from {peer}"),
        None | Some("StandAlone") => given_up(resource),
        Some(_) if proof.silent_since.is_none() => {
            format!("it is not connected to {peer}: look at the link that DRBD uses")
        }
        Some(_) => format!("bring {peer} up"),
    }
}

/// DRBD does not connect it again by itself.
fn given_up(resource: &str) -> String {
    format!(
        "its connection was given up (StandAlone): `drbdadm connect {resource}` on both nodes; if that ends in StandAlone \
         again, it is a split brain: see DRBD in ha.toml(5)"
    )
}

/// What of a planned move would lose the second copy, or find it not complete.
fn unready(state: &State, resource: &str, out_of_sync: u64, peer: &str) -> Option<String> {
    let mut connections = words(state, resource, Kind::Connection, "connection").peekable();
    let alone = connections.peek().is_none() || connections.clone().any(|w| w == "StandAlone");
    if alone {
        return Some(given_up(resource));
    }
    // What it goes through on the way is no news.
    if connections.any(|word| word != "Connected") {
        return Some(format!("{resource} is not connected to {peer}"));
    }
    let mut replication = words(state, resource, Kind::PeerDevice, "replication");
    if let Some(other) = replication.find(|word| *word != "Established") {
        return Some(format!("{resource} is not replicated yet ({other})"));
    }
    (out_of_sync > 0).then(|| {
        format!(
            "the copies of {resource} differ though both say UpToDate: disconnect and connect it"
        )
    })
}

/// It comes from the other side just now.
fn is_syncing(state: &State, resource: &str) -> bool {
    words(state, resource, Kind::PeerDevice, "replication").any(|word| word == "SyncTarget")
}

/// How much of it is the other side's, once nothing more comes.
fn percent(state: &State, resource: &str) -> Option<u64> {
    let sum = |kind, key| -> u64 {
        let numbers = words(state, resource, kind, key);
        numbers.filter_map(|word| word.parse::<u64>().ok()).sum()
    };
    let (all, differs) = (
        sum(Kind::Device, "size"),
        sum(Kind::PeerDevice, "out-of-sync"),
    );
    // Before anything is known of the other side it says that nothing differs.
    let done = all.checked_sub(differs).filter(|_| differs > 0)?;
    (done * 100).checked_div(all)
}

fn words<'a>(
    state: &'a State,
    resource: &'a str,
    kind: Kind,
    key: &'static str,
) -> impl Iterator<Item = &'a str> + Clone {
    let objects: Vec<_> = state.of(resource, kind).collect();
    objects
        .into_iter()
        .map(move |object| state.word(object, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: &str = "exists resource name:r0 role:Secondary suspended:no\n\
        exists connection name:r0 peer-node-id:0 conn-name:peer connection:Connected role:Primary\n\
        exists device name:r0 volume:0 minor:1 disk:UpToDate\n\
        exists peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate\n\
        exists -\n";
    const CUT: &str = "change connection name:r0 peer-node-id:0 conn-name:peer connection:NetworkFailure role:Unknown\n\
        change peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Off peer-disk:DUnknown\n";
    const DROPPED: &str = "change device name:r0 volume:0 disk:Consistent\n";

    /// Lines told one after the other, a second apart.
    struct Story {
        state: State,
        lineage: Lineage,
        now: Time,
    }

    fn story(parts: &[&str]) -> Story {
        let mut story = Story {
            state: State::default(),
            lineage: Lineage::default(),
            now: at(0),
        };
        for part in parts {
            story.now = Time(story.now.0 + 1_000_000);
            part.lines().for_each(|line| drop(story.state.take(line)));
            story.lineage.follow(&story.state, "r0", story.now);
        }
        story
    }

    fn at(seconds: i64) -> Time {
        Time(seconds * 1_000_000)
    }

    impl Story {
        fn standing(&self, proof: Proof) -> Standing {
            Standing::of(&self.state, "r0", self.lineage, proof, "lb2")
        }
    }

    const NONE: Proof = Proof {
        silent_since: None,
        off_at: None,
    };

    fn off(silent: i64, off: i64) -> Proof {
        Proof {
            silent_since: Some(at(silent)),
            off_at: Some(at(off)),
        }
    }

    /// Taken from a real 8.4.11 that has both sides on one machine, r1 and r2: attached, the first sync skipped, r1
    /// promoted; then r2 disconnected, the handler answered 1 (no proof), and after a forced disconnect and connect 7.
    #[test]
    fn a_real_story_is_understood() {
        let lines = include_str!("fixtures/events-8.4.11.txt");
        let mut state = State::default();
        let mut told = Vec::new();
        for line in lines.lines() {
            state.take(line);
            let of = |resource| Standing::of(&state, resource, Lineage::default(), NONE, "lb2");
            let (r1, r2) = (of("r1"), of("r2"));
            let now = format!(
                "{} {} {}",
                if r1.primary { "Primary" } else { "Secondary" },
                if r1.frozen.is_empty() {
                    "runs"
                } else {
                    "frozen"
                },
                r2.unready.unwrap_or_else(|| "ready".into()),
            );
            if state.complete && told.last() != Some(&now) {
                told.push(now);
            }
        }
        assert_eq!(state.unknown, 0);
        let gone = |word| {
            format!(
                "Secondary runs the disk below /dev/drbd2 failed there or was detached ({word}; `journalctl -k -g drbd` \
                 says which): replace it, or `drbdadm attach r2`"
            )
        };
        let (diskless, failed) = (gone("Diskless"), gone("Failed"));
        let expected = [
            diskless.as_str(),
            "Secondary runs its disk is Attaching",
            &format!(
                "Secondary runs its data is Inconsistent, and serves nobody: {}",
                given_up("r2")
            ),
            &format!(
                "Secondary runs its data is Inconsistent, 0 % synced, and serves nobody: {}",
                given_up("r2")
            ),
            "Secondary runs its data is Inconsistent, 0 % synced, and serves nobody: it is not connected to lb2: look at the link that DRBD uses",
            "Secondary runs its data is Inconsistent, 0 % synced, and serves nobody: it can run once it is synced from lb2",
            // How much differs is told a line later than that nothing does.
            "Secondary runs the copies of r2 differ though both say UpToDate: disconnect and connect it",
            "Secondary runs ready",
            "Primary runs ready",
            "Primary runs r2 is not connected to lb2",
            "Primary frozen r2 is not connected to lb2",
            &format!("Primary frozen {}", given_up("r2")),
            &format!("Primary runs {}", given_up("r2")),
            &format!("Secondary runs {}", given_up("r2")),
            &format!(
                "Secondary runs its data is older than lb2's: {}",
                given_up("r2")
            ),
            &failed,
            &diskless,
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_up_to_date_and_replicated_may_be_had() {
        let standing = story(&[UP]).standing(NONE);
        assert_eq!((standing.unpromotable, standing.unready), (None, None));
        assert!(standing.peer_primary && !standing.primary && standing.frozen.is_empty());
    }

    /// 9: the newest data there is, and it is only called Consistent.
    #[test]
    fn data_that_was_the_newest_to_the_last_is_promoted_once_the_other_is_off() {
        let dropped = story(&[UP, CUT, DROPPED]);
        assert!(
            dropped.standing(NONE).unpromotable.is_some(),
            "nothing is certain"
        );
        assert_eq!(dropped.standing(off(2, 9)).unpromotable, None);
        let silent = Proof {
            off_at: None,
            ..off(2, 9)
        };
        assert!(
            dropped.standing(silent).unpromotable.is_some(),
            "silent is not off"
        );
    }

    /// The cable of DRBD was cut, the other heard and writing for a while: only then it died.
    #[test]
    fn data_that_the_other_went_on_without_is_not() {
        let dropped = story(&[UP, CUT, DROPPED]);
        let why = dropped.standing(off(60, 70)).unpromotable.unwrap();
        assert_eq!(why, "whether lb2 has newer data is not known: bring lb2 up");
    }

    #[test]
    fn a_node_that_boots_alone_waits_for_the_other() {
        let alone = UP
            .replace("UpToDate", "Consistent")
            .replace("Connected", "Connecting");
        let alone = story(&[&alone.replace("Established", "Off")]);
        assert!(alone.standing(off(1, 5)).unpromotable.is_some());
        // So it does after it was detached in between.
        let detached = "change device name:r0 volume:0 disk:Diskless\n";
        let back = story(&[UP, CUT, detached, DROPPED]);
        assert!(back.standing(off(2, 9)).unpromotable.is_some());
    }

    #[test]
    fn each_disk_says_why_it_cannot_serve() {
        for (disk, part) in [
            ("Outdated", "older than lb2's"),
            ("Inconsistent", "once it is synced from lb2"),
            (
                "Diskless",
                "the disk below /dev/drbd1 failed there or was detached (Diskless; ",
            ),
            ("Attaching", "its disk is Attaching"),
        ] {
            let lines = UP.replace("disk:UpToDate\n", &format!("disk:{disk}\n"));
            let why = story(&[&lines]).standing(NONE).unpromotable.unwrap();
            assert!(why.contains(part), "{why}");
        }
        assert!(
            story(&["exists -\n"])
                .standing(NONE)
                .unpromotable
                .unwrap()
                .contains("r0 is down")
        );
        assert!(
            story(&[""])
                .standing(NONE)
                .unpromotable
                .unwrap()
                .contains("not known yet")
        );
    }

    /// While it comes, nobody is to be brought up; when it comes no more, it is said how much of it is here.
    #[test]
    fn what_is_synced_in_part_cannot_serve() {
        let part = "change device name:r0 volume:0 minor:1 disk:Inconsistent size:1000\n\
            change peer-device name:r0 peer-node-id:0 volume:0 replication:SyncTarget out-of-sync:374\n";
        let told = |parts: &[&str]| story(parts).standing(NONE).unpromotable.unwrap();
        let why = "its data is not all of lb2's yet: it can run once it is synced";
        assert_eq!(told(&[UP, part]), why);
        let why = "its data is Inconsistent, 62 % synced, and serves nobody: it is not connected to lb2: look at the link that DRBD uses";
        assert_eq!(told(&[UP, part, CUT]), why);
    }

    #[test]
    fn a_planned_move_wants_more() {
        let told = |more: &str| story(&[UP, more]).standing(NONE);
        let resync = "change peer-device name:r0 peer-node-id:0 volume:0 replication:SyncSource done:63.20\n";
        assert_eq!(
            told(resync).unready.unwrap(),
            "r0 is not replicated yet (SyncSource)"
        );
        assert_eq!(told(resync).unpromotable, None, "it may be seized");
        let oos = told("change peer-device name:r0 peer-node-id:0 volume:0 out-of-sync:4096\n");
        assert_eq!(oos.out_of_sync, 4096);
        assert!(oos.unready.unwrap().contains("copies of r0 differ"));
        assert!(told(CUT).unready.unwrap().contains("is not connected"));
        let lost = told(
            "change peer-device name:r0 peer-node-id:0 volume:0 peer-disk:Diskless out-of-sync:8\n",
        );
        assert_eq!(
            (lost.out_of_sync, lost.unready),
            (0, None),
            "it wants the move"
        );
        let gone = "destroy connection name:r0 peer-node-id:0 conn-name:peer\n";
        assert!(told(gone).unready.unwrap().contains("StandAlone"));
    }

    #[test]
    fn frozen_io_says_by_what() {
        let frozen = story(&[UP, "change resource name:r0 suspended:fencing\n"]);
        assert_eq!(frozen.standing(NONE).frozen, "fencing");
    }

    /// One volume alone is no resource.
    #[test]
    fn the_worst_volume_counts() {
        let second = "create device name:r0 volume:1 minor:2 disk:Outdated\n";
        assert!(story(&[UP, second]).standing(NONE).unpromotable.is_some());
    }
}
