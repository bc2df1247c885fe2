//! The stream, and what is put on it and when.

use super::message::Message;
use super::outbox::Outbox;
use super::stream::{Brought, Room, Stream};
use super::telling::Telling;
use crate::shell::history::Entry;
use crate::wire::aside::Aside;

/// With the peer's daemon.
#[derive(Debug, Default)]
pub struct Conversation {
    stream: Stream,
    outbox: Outbox,
    telling: Telling,
}

/// While so many bytes wait to be taken, nothing more is put behind them.
const LITTLE: usize = 2 << 10;

impl Conversation {
    /// The peer's daemon takes part.
    pub fn is_open(&self) -> bool {
        self.stream.is_open()
    }

    /// So many bytes are said and not taken yet.
    pub fn waits(&self) -> usize {
        self.stream.waits()
    }

    /// What a heartbeat is to say that echoes that incarnation of the peer.
    pub fn aside(&self, echoed: u64, clock_ms: u64) -> Aside<'_> {
        self.stream.aside(echoed, clock_ms)
    }

    /// What an accepted heartbeat of that incarnation said, to this daemon. One that is `anew` is owed everything.
    pub fn hear(&mut self, from: u64, aside: &Aside<'_>) -> Brought {
        let brought = self.stream.hear(from, aside);
        if brought.anew {
            self.outbox.clear();
            self.telling.end();
        }
        self.say();
        brought
    }

    /// To be said as soon as there is room for it, instead of what is still owed of the same kind.
    pub fn owe(&mut self, message: &Message) -> Room {
        if !self.is_open() {
            return Room::Closed;
        }
        let room = match self.outbox.owe(message) {
            true => Room::Fits,
            false => Room::TooLong,
        };
        self.say();
        room
    }

    /// The peer has taken all that was to be said, but for the history.
    pub fn is_taken(&self) -> bool {
        self.waits() == 0 && self.outbox.next().is_none()
    }

    /// A line of this node's history: told if the peer asked for it.
    pub fn note(&mut self, entry: Entry) {
        self.telling.add(entry);
        self.say();
    }

    /// The peer wants to be told the history. False: what was written before has to be read first.
    pub fn asked_for_history(&mut self, after: Option<String>) -> bool {
        let known = self.telling.ask(after);
        self.say();
        known
    }

    /// What was written.
    pub fn history_was_read(&mut self, written: Option<Vec<Entry>>) {
        self.telling.read(written);
        self.say();
    }

    /// Puts on the stream what there is room for: the history last.
    fn say(&mut self) {
        while self.stream.waits() < LITTLE {
            if let Some(line) = self.outbox.next() {
                match self.stream.say(line) {
                    Room::Fits | Room::TooLong => self.outbox.said(),
                    Room::Full | Room::Closed => return,
                }
            } else if let Some(line) = self.telling.line() {
                match self.stream.say(&line) {
                    Room::Fits | Room::TooLong => self.telling.told(),
                    Room::Full | Room::Closed => return,
                }
            } else {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MAX_LINE;
    use super::*;
    use crate::config::Digests;
    use crate::shell::doctor::{Examined, Finding};

    /// As much as one heartbeat has room for.
    const ROOM: usize = 1000;

    fn pair() -> (Conversation, Conversation) {
        let (mut a, mut b) = (Conversation::default(), Conversation::default());
        assert!(b.hear(1, &a.aside(2, 0)).anew);
        assert!(a.hear(2, &b.aside(1, 0)).anew);
        (a, b)
    }

    /// What arrives from `a` with one heartbeat.
    fn beat(a: &mut Conversation, b: &mut Conversation) -> Vec<Message> {
        let mut aside = a.aside(2, 0);
        aside.bytes = &aside.bytes[..aside.bytes.len().min(ROOM)];
        let brought = b.hear(1, &aside);
        a.hear(2, &b.aside(1, 0));
        let lines = brought.lines.iter();
        lines.map(|line| Message::parse(line).unwrap()).collect()
    }

    fn entry(n: i64) -> Entry {
        Entry {
            time: format!("2026-11-20T07:14:29.{n:03}Z"),
            ..Entry::sample(n, "x".repeat(2000))
        }
    }

    /// Who says it last, before a goodbye, waits for that.
    #[test]
    fn what_was_said_is_taken_when_the_peer_shows_it() {
        let (mut a, mut b) = pair();
        assert!(a.is_taken());
        (0..20).for_each(|n| a.note(entry(n)));
        a.history_was_read(Some(Vec::new()));
        assert!(a.asked_for_history(None));
        let resources = vec!["r0".to_owned()];
        let parted = Message::Parted { resources };
        assert_eq!(a.owe(&parted), Room::Fits);
        let mut told = Vec::new();
        while !a.is_taken() {
            assert!(!told.contains(&parted) || a.waits() > 0);
            told.extend(beat(&mut a, &mut b));
        }
        assert!(told.contains(&parted));
    }

    #[test]
    fn a_long_history_and_a_long_file_stand_in_front_of_nothing() {
        let (mut a, mut b) = pair();
        (0..100).for_each(|n| a.note(entry(n)));
        a.history_was_read(Some(Vec::new()));
        assert!(a.asked_for_history(None));
        let key = |n| (format!("group web, vip 10.0.0.{n}/24: interface"), n);
        let file: Digests = (0..3000).map(key).collect();
        assert_eq!(a.owe(&Message::Settings(file)), Room::Fits);
        let history = |arrived: &[Message]| {
            let entries = arrived.iter().filter(|m| matches!(m, Message::Entry(_)));
            entries.count()
        };
        let mut entries = 0;
        for _ in 0..10 {
            entries += history(&beat(&mut a, &mut b));
        }
        let now = Message::Now {
            stamp_us: 1,
            wall_ms: None,
            groups: Vec::new(),
            fences: None,
            amiss: Vec::new(),
            ends: Vec::new(),
        };
        assert_eq!(a.owe(&now), Room::Fits);
        assert_eq!(a.owe(&Message::Ask { number: 7 }), Room::Fits);
        let mut arrived = Vec::new();
        for _ in 0..8 {
            arrived.extend(beat(&mut a, &mut b));
        }
        let at = |wanted| arrived.iter().position(|message| *message == wanted);
        let (asked, said) = (at(Message::Ask { number: 7 }), at(now));
        assert!(asked.is_some() && asked < said, "{asked:?} {said:?}");
        // And in the end everything is told.
        entries += history(&arrived);
        for _ in 0..1000 {
            entries += history(&beat(&mut a, &mut b));
        }
        assert_eq!((entries, a.waits()), (100, 0));
    }

    #[test]
    fn what_cannot_be_told_has_its_reason_and_what_is_owed_is_told_when_there_is_room() {
        let ask = Message::Ask { number: 7 };
        assert_eq!(Conversation::default().owe(&ask), Room::Closed);
        let (mut a, mut b) = pair();
        let never = Message::Tell {
            after: Some("x".repeat(MAX_LINE)),
        };
        assert_eq!(a.owe(&never), Room::TooLong);
        let examined = Examined {
            node: "lb1".into(),
            software: "0.1.0".into(),
            findings: vec![Finding::ok("vips", "is free ".repeat(99)); 200],
            users: Default::default(),
            mtus: Vec::new(),
        };
        let answer = Message::Answer {
            number: 7,
            examined: Box::new(examined),
        };
        assert_eq!(a.owe(&answer), Room::Fits);
        // The stream is full of that; a later question takes the place of one that is still owed.
        assert_eq!(a.owe(&Message::Ask { number: 8 }), Room::Fits);
        assert_eq!(a.owe(&Message::Ask { number: 9 }), Room::Fits);
        let arrived: Vec<Message> = (0..50).flat_map(|_| beat(&mut a, &mut b)).collect();
        let [Message::Answer { number, examined }, last] = &arrived[..] else {
            panic!("{arrived:?}");
        };
        assert_eq!((*number, last), (7, &Message::Ask { number: 9 }));
        assert!(examined.findings.last().unwrap().text.contains("cut"));
    }
}
