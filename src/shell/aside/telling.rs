//! The latest of this node's own history, and how much of it the peer was told.
//!
//! It is told in order from a place that the peer names, and no faster than it is taken: so nothing that waits
//! stands in front of what matters now, and nothing is left out for want of room. What was pushed out of here
//! before its turn came is counted, and told as that.

use super::cut;
use crate::shell::history::Entry;
use std::collections::VecDeque;

/// So many entries are kept, here and by who is told.
pub const KEPT: usize = 100;
/// And so many bytes of them.
pub const MAX_BYTES: usize = 256 << 10;

/// This node's side of it.
#[derive(Debug, Default)]
pub struct Telling {
    latest: VecDeque<Entry>,
    bytes: usize,
    /// What was written before this daemon started is among them, as far as there is room.
    has_past: bool,
    /// The peer asked for what is not there yet: from that time on.
    asked: Option<Option<String>>,
    /// The place among the latest of what is told next; none: nobody asked.
    next: Option<usize>,
    /// So many went before they were told.
    missed: u64,
}

impl Telling {
    /// One more happened.
    pub fn add(&mut self, entry: Entry) {
        self.bytes += size(&entry);
        self.latest.push_back(entry);
        self.trim();
    }

    /// The peer wants to be told from this time on; none: everything. False: what was written before this daemon
    /// started has to be read first.
    pub fn ask(&mut self, after: Option<String>) -> bool {
        match self.has_past {
            true => self.begin(after.as_ref()),
            false => self.asked = Some(after),
        }
        self.has_past
    }

    /// What was written, as far as it could be read: some of it may be by this daemon.
    pub fn read(&mut self, written: Option<Vec<Entry>>) {
        self.has_past |= written.is_some();
        let before = written.unwrap_or_default().into_iter();
        let before: Vec<Entry> = before.filter(|e| !self.latest.contains(e)).collect();
        self.bytes += before.iter().map(size).sum::<usize>();
        self.next = self.next.map(|at| at + before.len());
        before
            .into_iter()
            .rev()
            .for_each(|entry| self.latest.push_front(entry));
        self.trim_unseen();
        if let Some(after) = self.asked.take() {
            self.begin(after.as_ref());
        }
    }

    /// The peer's daemon is another one, which has not asked.
    pub fn end(&mut self) {
        (self.next, self.asked, self.missed) = (None, None, 0);
    }

    /// The next line to be told.
    pub fn line(&self) -> Option<Vec<u8>> {
        let entry = self.latest.get(self.next?)?;
        Some(match self.missed {
            0 => cut::entry(entry.clone()),
            missed => cut::entry(cut::missing(entry, &format!("{missed} lines"))),
        })
    }

    /// That one was told.
    pub fn told(&mut self) {
        // That some were missed is a line of its own.
        if std::mem::take(&mut self.missed) == 0 {
            self.next = self.next.map(|at| at + 1);
        }
    }

    /// Of several with the same time one may be known and another not: who is told drops what it knows.
    fn begin(&mut self, after: Option<&String>) {
        let known = self.latest.iter().position(|e| Some(&e.time) == after);
        (self.next, self.missed) = (Some(known.unwrap_or(0)), 0);
    }

    fn trim(&mut self) {
        while self.is_too_much() {
            self.pop();
            self.next = match self.next {
                Some(0) => {
                    self.missed += 1;
                    Some(0)
                }
                next => next.map(|at| at - 1),
            };
        }
    }

    /// Of what was never to be told, nothing is missed.
    fn trim_unseen(&mut self) {
        while self.is_too_much() {
            self.pop();
            self.next = self.next.map(|at| at.saturating_sub(1));
        }
    }

    fn is_too_much(&self) -> bool {
        self.latest.len() > KEPT || self.bytes > MAX_BYTES && self.latest.len() > 1
    }

    fn pop(&mut self) {
        if let Some(entry) = self.latest.pop_front() {
            self.bytes -= size(&entry);
        }
    }
}

/// About what it takes.
pub(super) fn size(entry: &Entry) -> usize {
    200 + entry.reason.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::aside::Message;

    fn entry(at_us: i64) -> Entry {
        Entry {
            time: format!("2026-11-20T07:14:29.{:03}Z", at_us / 1000),
            ..Entry::sample(at_us, format!("number {at_us}"))
        }
    }

    /// All that is told now.
    fn told(telling: &mut Telling) -> Vec<Entry> {
        let mut told = Vec::new();
        while let Some(line) = telling.line() {
            match Message::parse(&line) {
                Some(Message::Entry(entry)) => told.push(*entry),
                other => panic!("{other:?}"),
            }
            telling.told();
        }
        told
    }

    #[test]
    fn what_was_written_before_and_what_happens_meanwhile_is_told_in_order() {
        let mut telling = Telling::default();
        telling.add(entry(3000));
        assert!(!telling.ask(None), "what is on disk is not known yet");
        telling.add(entry(4000));
        assert!(told(&mut telling).is_empty());
        telling.read(Some(vec![entry(1000), entry(2000), entry(3000)]));
        assert_eq!(told(&mut telling), [1000, 2000, 3000, 4000].map(entry));
        telling.add(entry(5000));
        assert_eq!(told(&mut telling), [entry(5000)]);
        // Another daemon there asks for what it does not know. Nothing is told before it asks.
        telling.end();
        telling.add(entry(6000));
        assert!(told(&mut telling).is_empty());
        assert!(telling.ask(Some(entry(4000).time)));
        assert_eq!(told(&mut telling), [4000, 5000, 6000].map(entry));
        assert!(telling.ask(Some("of another disk".into())));
        assert_eq!(told(&mut telling).len(), 6);
    }

    #[test]
    fn of_the_same_millisecond_all_are_told() {
        let mut telling = Telling::default();
        telling.read(Some(vec![
            entry(1000),
            entry(2001),
            entry(2002),
            entry(2003),
        ]));
        assert!(telling.ask(Some(entry(2002).time)));
        assert_eq!(told(&mut telling), [2001, 2002, 2003].map(entry));
    }

    #[test]
    fn what_could_not_be_read_is_read_when_it_is_asked_for_again() {
        let mut telling = Telling::default();
        telling.add(entry(2000));
        assert!(!telling.ask(None));
        telling.read(None);
        assert_eq!(told(&mut telling), [entry(2000)]);
        assert!(!telling.ask(None));
        telling.read(Some(vec![entry(1000), entry(2000)]));
        assert_eq!(told(&mut telling), [entry(1000), entry(2000)]);
    }

    #[test]
    fn what_was_pushed_out_before_its_turn_is_said_to_be_cut() {
        let mut telling = Telling::default();
        telling.read(Some(vec![entry(1000)]));
        assert!(telling.ask(None));
        for n in 2..=KEPT as i64 + 5 {
            telling.add(entry(n * 1000));
        }
        let told = told(&mut telling);
        assert_eq!(told.len(), KEPT + 1);
        assert_eq!(
            told[0].reason,
            "5 lines of lb1's history before this were not told here (cut): `ha-appliance history` on lb1 has them"
        );
        assert_eq!(told[1], entry(6000));
    }
}
