//! What two daemons tell each other beside their heartbeats.

use super::disk::Dir;
use ha_appliance::shell::aside::{Conversation, Heard, KEPT, MAX_LINE, Message, Parts, Room};
use ha_appliance::shell::history::Entry;
use ha_appliance::wire::aside::Aside;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What happens to two daemons and between them, two bytes each: something is told, a heartbeat arrives, is lost,
/// comes late or twice, either daemon ends and another begins. The end of the input is the end of all faults: then
/// everything that is kept was told, once and in order, or said to be cut. Whatever a peer may send besides is fed to
/// a third one.
pub fn aside(bytes: &[u8]) {
    let dir = Dir::new();
    hostile(bytes, &dir);
    let mut world = World::new(&dir);
    for step in bytes.chunks_exact(2).take(LONGEST) {
        world.step(step[0], step[1]);
    }
    world.heal();
    world.judge();
}

/// Steps of one input.
const LONGEST: usize = 400;
/// So many heartbeats it takes at most to tell all that is kept, with the least room that there is.
const SOON: usize = 40_000;

struct World {
    nodes: [Node; 2],
    /// Heartbeats under way, from each side.
    under_way: [Vec<Heartbeat>; 2],
    /// Microseconds.
    now: i64,
    incarnations: u64,
}

/// A node, and its daemon of now.
struct Node {
    name: &'static str,
    /// Everything that ever happened here.
    all: Vec<Entry>,
    /// What its disk has of that: what the daemon before could not write is lost.
    written: Vec<Entry>,
    /// So many of this daemon's are not written yet.
    unwritten: usize,
    /// Its file, by a number.
    settings: u16,
    run_dir: PathBuf,
    // Of the daemon:
    incarnation: u64,
    sequence: u64,
    conversation: Conversation,
    heard: Heard,
    /// The history is to be read.
    reading: bool,
    parts: Parts,
    peers_settings: Option<BTreeMap<String, u32>>,
    /// Who is believed, and its newest heartbeat.
    peer: (u64, u64),
}

#[derive(Clone)]
struct Heartbeat {
    incarnation: u64,
    sequence: u64,
    echo: u64,
    taken: u32,
    place: u32,
    bytes: Vec<u8>,
}

impl World {
    fn new(dir: &Path) -> World {
        let node = |name: &'static str, incarnation| {
            let run_dir = dir.join(name);
            fs::create_dir(&run_dir).unwrap();
            Node {
                name,
                all: Vec::new(),
                written: Vec::new(),
                unwritten: 0,
                settings: 0,
                incarnation,
                sequence: 0,
                conversation: Conversation::default(),
                heard: Heard::open(&run_dir),
                reading: false,
                parts: Parts::default(),
                peers_settings: None,
                peer: (0, 0),
                run_dir,
            }
        };
        World {
            nodes: [node("lb1", 1), node("lb2", 2)],
            under_way: [Vec::new(), Vec::new()],
            now: 1_795_000_000_000_000,
            incarnations: 2,
        }
    }

    fn step(&mut self, what: u8, how: u8) {
        let side = usize::from(what & 1);
        let room = 16 * usize::from(how);
        match (what >> 1) % 10 {
            0 | 1 => self.happens(side, how),
            2 | 3 => {
                let heartbeat = self.nodes[side].heartbeat(room);
                self.nodes[1 - side].hear(&heartbeat);
            }
            4 => drop(self.nodes[side].heartbeat(room)), // lost
            5 => {
                let heartbeat = self.nodes[side].heartbeat(room);
                self.under_way[side].push(heartbeat);
            }
            // Late, and perhaps once more.
            6 => {
                let waiting = &mut self.under_way[side];
                if let Some(at) = usize::from(how).checked_rem(waiting.len()) {
                    let heartbeat = waiting[at].clone();
                    if how & 1 == 0 {
                        waiting.remove(at);
                    }
                    self.nodes[1 - side].hear(&heartbeat);
                }
            }
            7 => self.nodes[side].read(),
            8 if how < 64 => {
                self.incarnations += 1;
                self.nodes[side].restart(self.incarnations, how & 1 == 0);
            }
            8 => self.nodes[side].heard.flush(),
            _ => {
                self.nodes[side].settings = how.into();
                self.nodes[side].tell_settings();
            }
        }
        for node in &self.nodes {
            assert!(node.conversation.waits() <= (2 << 10) + MAX_LINE);
        }
    }

    /// Often several in the same millisecond, and some of any length.
    fn happens(&mut self, side: usize, how: u8) {
        self.now += if how & 1 == 0 { 1 } else { 1_000 };
        let ms = self.now / 1000;
        let length = match how {
            0..200 => usize::from(how),
            _ => usize::from(how - 199) * 200,
        };
        let node = &mut self.nodes[side];
        let entry = Entry {
            time: format!("2026-11-20T07:14:{:02}.{:03}Z", ms / 1000 % 60, ms % 1000),
            boottime_us: self.now,
            cluster: "edge-lb".into(),
            node: node.name.into(),
            group: None,
            level: "info".into(),
            change: "fact".into(),
            from: None,
            to: None,
            reason: ["x", "\u{1}", "ñ"][usize::from(how) % 3].repeat(length),
            lasted_ms: None,
        };
        node.all.push(entry.clone());
        node.written.push(entry.clone());
        node.unwritten += 1;
        node.conversation.note(entry);
    }

    /// Both hear each other until nobody has anything more to tell.
    fn heal(&mut self) {
        let mut quiet = 0;
        for beat in 0.. {
            assert!(beat < SOON, "it stalls");
            for side in [0, 1] {
                self.nodes[side].read();
                let heartbeat = self.nodes[side].heartbeat(1000);
                self.nodes[1 - side].hear(&heartbeat);
            }
            let waits = self.nodes.iter().any(|n| n.conversation.waits() > 0);
            quiet = if waits { 0 } else { quiet + 1 };
            if quiet > 3 {
                break;
            }
        }
    }

    fn judge(&mut self) {
        for side in [0, 1] {
            let reader = &mut self.nodes[1 - side];
            reader.heard.flush();
            let told = ha_appliance::shell::aside::read(&reader.run_dir);
            let settings = reader.peers_settings.clone();
            let teller = &self.nodes[side];
            assert_eq!(settings, Some(file(teller.settings)));
            let is_cut = |entry: &Entry| entry.change == "notice";
            let ids: Vec<i64> = told.iter().map(|e| e.boottime_us).collect();
            assert!(ids.is_sorted(), "not in order");
            for two in told.windows(2).filter(|two| !is_cut(&two[0])) {
                let [first, second] = [&two[0], &two[1]].map(|e| e.boottime_us);
                assert!(first != second || is_cut(&two[1]), "twice");
                let between = |e: &&Entry| (first + 1..second).contains(&e.boottime_us);
                let missing = teller.written.iter().find(between);
                assert!(is_cut(&two[1]) || missing.is_none(), "a hole: {missing:?}");
            }
            let told: Vec<&Entry> = told.iter().filter(|e| !is_cut(e)).collect();
            for told in &told {
                let mut all = teller.all.iter();
                let same = all.find(|e| e.boottime_us == told.boottime_us);
                let whole = same.is_some_and(|e| e.reason == told.reason);
                assert!(whole || told.reason.ends_with(" … (cut)"));
            }
            // Not all is cut.
            let mut bytes = 0;
            for (latest, entry) in teller.written.iter().rev().enumerate() {
                bytes += 200 + entry.reason.len();
                if latest >= KEPT / 2 || bytes > 128 << 10 {
                    break;
                }
                assert!(ids.contains(&entry.boottime_us), "without {latest}");
            }
        }
    }
}

impl Node {
    fn heartbeat(&mut self, room: usize) -> Heartbeat {
        self.sequence += 1;
        let (echo, _) = self.peer;
        let aside = self.conversation.aside(echo, 0);
        Heartbeat {
            incarnation: self.incarnation,
            sequence: self.sequence,
            echo,
            taken: aside.taken,
            place: aside.place,
            bytes: aside.bytes[..aside.bytes.len().min(room)].to_vec(),
        }
    }

    /// As the core would: one that is late is dropped, and another daemon's is believed if it answers this one.
    fn hear(&mut self, heartbeat: &Heartbeat) {
        let said = (heartbeat.incarnation, heartbeat.sequence);
        let to_here = heartbeat.echo == self.incarnation;
        if said <= self.peer {
            return;
        }
        if said.0 != self.peer.0 && self.peer.0 != 0 && !to_here {
            // It is challenged: answered, and not believed yet.
            self.peer = (said.0, 0);
            return;
        }
        self.peer = said;
        if !to_here {
            return;
        }
        let aside = Aside {
            clock_ms: 0,
            taken: heartbeat.taken,
            place: heartbeat.place,
            bytes: &heartbeat.bytes,
        };
        let brought = self.conversation.hear(said.0, &aside);
        if brought.anew {
            (self.parts, self.peers_settings) = (Parts::default(), None);
            self.tell_settings();
            let after = self.heard.join();
            assert_eq!(self.conversation.owe(&Message::Tell { after }), Room::Fits);
        }
        for line in brought.lines {
            match Message::parse(&line).expect("what was said") {
                Message::Tell { after } => {
                    self.reading |= !self.conversation.asked_for_history(after);
                }
                Message::Entry(entry) => self.heard.add(*entry),
                Message::Settings(settings) => self.peers_settings = Some(settings),
                Message::SettingsPart {
                    part,
                    last,
                    digests,
                } => {
                    let whole = self.parts.add(part, last, digests);
                    self.peers_settings = whole.or(self.peers_settings.take());
                }
                other => panic!("{other:?} was never said"),
            }
        }
    }

    /// What was asked for is read; what was pushed just now may not be written yet.
    fn read(&mut self) {
        if std::mem::take(&mut self.reading) {
            let written = self.written.len() - self.unwritten % (self.written.len() + 1);
            let from = written.saturating_sub(KEPT);
            let read = self.written[from..written].to_vec();
            self.conversation.history_was_read(Some(read));
        }
    }

    fn restart(&mut self, incarnation: u64, cleanly: bool) {
        match cleanly {
            true => self.heard.flush(),
            false => {
                let lost = self.unwritten.min(3);
                self.written.truncate(self.written.len() - lost);
            }
        }
        (self.incarnation, self.sequence) = (incarnation, 0);
        self.conversation = Conversation::default();
        self.heard = Heard::open(&self.run_dir);
        (self.unwritten, self.reading, self.peer) = (0, false, (0, 0));
        (self.parts, self.peers_settings) = (Parts::default(), None);
    }

    fn tell_settings(&mut self) {
        let _ = (self.conversation).owe(&Message::Settings(file(self.settings)));
    }
}

/// Some files are long.
fn file(number: u16) -> BTreeMap<String, u32> {
    let keys = if number > 200 { 900 } else { number % 7 };
    let key = |n| {
        (
            format!("group web, vip 10.0.0.{n}/24: interface"),
            number.into(),
        )
    };
    (0..keys).map(key).collect()
}

/// Anything, in the place of what a peer says: what is kept of it is bounded.
fn hostile(bytes: &[u8], run_dir: &Path) {
    let mut conversation = Conversation::default();
    let nothing = conversation.hear(1, &Aside::default());
    assert!(nothing.anew && nothing.lines.is_empty());
    let mut heard = Heard::open(run_dir);
    assert!(!conversation.asked_for_history(None));
    conversation.history_was_read(None);
    let mut place = 0;
    for part in bytes.chunks(700) {
        let [from, at, taken, ..] = *part else {
            return;
        };
        let aside = Aside {
            clock_ms: u64::from(taken) << 56,
            taken: u32::from(taken) << (at % 32),
            place: if at & 1 == 0 { place } else { at.into() },
            bytes: part,
        };
        let brought = conversation.hear(1 + u64::from(from == 7), &aside);
        place = match brought.anew {
            true => 0,
            false => place.wrapping_add(part.len() as u32),
        };
        for line in brought.lines {
            assert!(line.len() <= MAX_LINE);
            match Message::parse(&line) {
                Some(Message::Entry(entry)) => heard.add(*entry),
                Some(Message::Tell { after }) => drop(conversation.asked_for_history(after)),
                Some(other) => drop(other.line()),
                None => {}
            }
        }
        assert!(conversation.waits() <= (2 << 10) + MAX_LINE);
    }
}
