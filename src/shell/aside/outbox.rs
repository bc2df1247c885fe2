//! What is owed to the peer: of each kind the latest. It goes on the stream as the peer takes what waits there, what
//! matters most first, so that a line that matters is never behind many that matter less.

use super::cut;
use super::message::Message;
use super::stream::MAX_LINE;
use crate::config::Digests;
use std::collections::{BTreeMap, VecDeque};

/// Lines that are to be said.
#[derive(Debug, Default)]
pub struct Outbox {
    owed: BTreeMap<Kind, VecDeque<Vec<u8>>>,
}

/// The first matters most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Outdate,
    Outdated,
    Parted,
    Ends,
    Tell,
    Reply,
    Ask,
    Answer,
    TakenAsOff,
    Acknowledged,
    Now,
    Settings,
    Entry,
}

/// A part of what a file sets: a line may be longer, but keeps others waiting.
const PART: usize = MAX_LINE / 8;

impl Outbox {
    /// To be told instead of what is still owed of this kind. False: it can never be told.
    pub fn owe(&mut self, message: &Message) -> bool {
        let (kind, lines) = match message {
            Message::Settings(digests) => (Kind::Settings, settings(digests)),
            other => (kind(other), cut::line(other).into_iter().collect()),
        };
        let any = !lines.is_empty();
        self.owed.insert(kind, lines);
        any
    }

    /// Nothing of it concerns another daemon.
    pub fn clear(&mut self) {
        self.owed.clear();
    }

    /// What is to be said next.
    pub fn next(&self) -> Option<&[u8]> {
        self.owed
            .values()
            .find_map(VecDeque::front)
            .map(Vec::as_slice)
    }

    /// That was said.
    pub fn said(&mut self) {
        if let Some(lines) = self.owed.values_mut().find(|lines| !lines.is_empty()) {
            lines.pop_front();
        }
    }
}

fn kind(message: &Message) -> Kind {
    match message {
        Message::Outdate { .. } => Kind::Outdate,
        Message::Outdated { .. } => Kind::Outdated,
        Message::Parted { .. } => Kind::Parted,
        Message::Tell { .. } => Kind::Tell,
        Message::Reply { .. } => Kind::Reply,
        Message::Ask { .. } => Kind::Ask,
        Message::Answer { .. } => Kind::Answer,
        Message::Acknowledged { .. } => Kind::Acknowledged,
        Message::Ends => Kind::Ends,
        Message::TakenAsOff { .. } => Kind::TakenAsOff,
        Message::Now { .. } => Kind::Now,
        Message::Settings(_) | Message::SettingsPart { .. } => Kind::Settings,
        Message::Entry(_) => Kind::Entry,
    }
}

/// As one line, or in parts.
fn settings(digests: &Digests) -> VecDeque<Vec<u8>> {
    let whole = Message::Settings(digests.clone()).line();
    if whole.len() < PART {
        return [whole].into();
    }
    let mut parts: Vec<Digests> = Vec::new();
    let mut room = 0;
    for (path, digest) in digests {
        // As JSON has it at its longest.
        let length = 6 * path.len() + 16;
        if length > room {
            parts.push(Digests::new());
            room = PART.max(length);
        }
        room -= length;
        let part = parts.last_mut().expect("there is one");
        part.insert(path.clone(), *digest);
    }
    let count = parts.len();
    let parts = parts.into_iter().zip(0..);
    let line = |(digests, part): (Digests, u16)| {
        let last = usize::from(part) + 1 == count;
        let part = Message::SettingsPart {
            part,
            last,
            digests,
        };
        part.line()
    };
    parts.map(line).collect()
}

/// What came of the peer's file so far.
#[derive(Debug, Default)]
pub struct Parts {
    next: u16,
    digests: Digests,
}

/// More than any file has.
const MOST: u16 = 1 << 10;

impl Parts {
    /// The next part; all of it with the last.
    pub fn add(&mut self, part: u16, last: bool, digests: Digests) -> Option<Digests> {
        if part == 0 {
            *self = Parts::default();
        }
        if part != self.next || part > MOST {
            return None;
        }
        self.next = self.next.saturating_add(1);
        self.digests.extend(digests);
        last.then(|| std::mem::take(self).digests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(outbox: &mut Outbox) -> Vec<Message> {
        let mut lines = Vec::new();
        while let Some(line) = outbox.next() {
            lines.push(Message::parse(line).expect("a message"));
            outbox.said();
        }
        lines
    }

    fn file(resources: usize) -> Digests {
        let key = |n| {
            (
                format!("group web, vip 10.0.{}.{}/32: interface", n / 256, n % 256),
                n as u32,
            )
        };
        (0..resources).map(key).collect()
    }

    #[test]
    fn what_matters_comes_first_and_the_latest_of_each() {
        let mut outbox = Outbox::default();
        let settings = Message::Settings(file(3));
        let tell = Message::Tell { after: None };
        assert!(outbox.owe(&settings) && outbox.owe(&Message::Ask { number: 1 }));
        assert!(outbox.owe(&tell) && outbox.owe(&Message::Ask { number: 2 }));
        assert_eq!(
            lines(&mut outbox),
            [tell, Message::Ask { number: 2 }, settings]
        );
        assert!(outbox.owe(&Message::Ask { number: 3 }));
        outbox.clear();
        assert_eq!(outbox.next(), None);
    }

    #[test]
    fn a_file_of_any_length_is_told_whole() {
        let mut outbox = Outbox::default();
        let whole = file(2000);
        assert!(outbox.owe(&Message::Settings(whole.clone())));
        let told = lines(&mut outbox);
        assert!(told.len() > 10);
        assert!(told.iter().all(|part| part.line().len() < MAX_LINE));
        let mut parts = Parts::default();
        let mut add = |message: &Message| match message {
            Message::SettingsPart {
                part,
                last,
                digests,
            } => parts.add(*part, *last, digests.clone()),
            other => panic!("{other:?}"),
        };
        // The file was loaded anew meanwhile: it is told from the beginning.
        assert_eq!(add(&told[0]), None);
        let (last, first) = told.split_last().unwrap();
        assert!(first.iter().all(|part| add(part).is_none()));
        assert_eq!(add(last), Some(whole));
        // What has no beginning is nothing.
        assert_eq!(add(last), None);
    }
}
