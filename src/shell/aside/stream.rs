//! Lines to the peer and from it, in order and each once, on top of heartbeats that may be lost.
//!
//! What waits rides in every heartbeat from its beginning on, until the peer says how much it has taken. Only
//! accepted heartbeats count, so that what is replayed or forged changes nothing. A peer of a version that knows
//! nothing of this is told nothing.

use crate::wire::aside::Aside;

/// Both directions.
#[derive(Debug, Default)]
pub struct Stream {
    /// The peer's incarnation: with another one both directions begin anew.
    peer: Option<u64>,
    /// So many bytes were taken by the peer.
    place: u32,
    /// What was not.
    waiting: Vec<u8>,
    /// So many bytes of the peer were taken here.
    taken: u32,
    /// The beginning of a line.
    begun: Vec<u8>,
    /// The line is too long, and left out to its end.
    overlong: bool,
}

/// What a heartbeat brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// The peer's daemon is another one than before: it knows nothing, and has told nothing.
    pub anew: bool,
    /// Whole lines.
    pub lines: Vec<Vec<u8>>,
}

/// What becomes of a line that is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Room {
    /// It is said.
    Fits,
    /// There will be room for it when the peer has taken what waits.
    Full,
    /// There never is room for so long a line.
    TooLong,
    /// Nobody hears: the peer's daemon is not heard yet, or knows nothing of this.
    Closed,
}

/// So much waits at most.
pub const MAX_WAITING: usize = 128 << 10;
/// The longest line.
pub const MAX_LINE: usize = 32 << 10;

impl Stream {
    /// The peer's daemon takes part.
    pub fn is_open(&self) -> bool {
        self.peer.is_some()
    }

    /// So many bytes are not taken yet.
    pub fn waits(&self) -> usize {
        self.waiting.len()
    }

    /// Says a line, if there is room for it.
    pub fn say(&mut self, line: &[u8]) -> Room {
        if !self.is_open() {
            return Room::Closed;
        }
        if line.len() >= MAX_LINE {
            return Room::TooLong;
        }
        if self.waiting.len() + line.len() >= MAX_WAITING {
            return Room::Full;
        }
        self.waiting.extend(line);
        self.waiting.push(b'\n');
        Room::Fits
    }

    /// What a heartbeat is to say that echoes that incarnation of the peer.
    pub fn aside(&self, echoed: u64, clock_ms: u64) -> Aside<'_> {
        if self.peer != Some(echoed) {
            return Aside {
                clock_ms,
                ..Aside::default()
            };
        }
        Aside {
            clock_ms,
            taken: self.taken,
            place: self.place,
            bytes: &self.waiting,
        }
    }

    /// What an accepted heartbeat of that incarnation said, to this daemon.
    pub fn hear(&mut self, from: u64, aside: &Aside<'_>) -> Brought {
        let anew = self.peer != Some(from);
        if anew {
            *self = Stream {
                peer: Some(from),
                ..Stream::default()
            };
        }
        let taken = aside.taken.wrapping_sub(self.place) as usize;
        if taken <= self.waiting.len() {
            self.waiting.drain(..taken);
            self.place = aside.taken;
        }
        let known = self.taken.wrapping_sub(aside.place) as usize;
        let new = aside.bytes.get(known..).unwrap_or_default();
        self.taken = self.taken.wrapping_add(new.len() as u32);
        let lines = self.lines(new);
        Brought { anew, lines }
    }

    fn lines(&mut self, new: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for part in new.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            self.overlong |= self.begun.len() + text.len() > MAX_LINE;
            match self.overlong {
                true => self.begun.clear(),
                false => self.begun.extend(text),
            }
            if ends {
                let line = std::mem::take(&mut self.begun);
                if !std::mem::take(&mut self.overlong) {
                    lines.push(line);
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As much as one heartbeat has room for.
    const ROOM: usize = 10;

    /// Two daemons that hear each other.
    fn pair() -> (Stream, Stream) {
        let (mut a, mut b) = (Stream::default(), Stream::default());
        assert!(b.hear(1, &a.aside(2, 0)).anew);
        assert!(a.hear(2, &b.aside(1, 0)).anew);
        (a, b)
    }

    /// One heartbeat from `a` (1) to `b` (2), and one back; gives the lines that arrived.
    fn beat(a: &mut Stream, b: &mut Stream) -> Vec<Vec<u8>> {
        let mut aside = a.aside(2, 0);
        aside.bytes = &aside.bytes[..aside.bytes.len().min(ROOM)];
        let brought = b.hear(1, &aside);
        a.hear(2, &b.aside(1, 0));
        brought.lines
    }

    #[test]
    fn lines_arrive_once_in_order_and_in_parts() {
        let (mut a, mut b) = pair();
        for line in [&b"a line that is longer than a heartbeat"[..], b"short"] {
            assert_eq!(a.say(line), Room::Fits);
        }
        let mut lines = Vec::new();
        let mut beats = 0;
        while a.waits() > 0 {
            lines.extend(beat(&mut a, &mut b));
            beats += 1;
        }
        assert_eq!(
            lines,
            [&b"a line that is longer than a heartbeat"[..], b"short"]
        );
        assert_eq!(beats, 5);
        assert!(beat(&mut a, &mut b).is_empty());
    }

    #[test]
    fn what_is_lost_is_said_again_and_what_comes_twice_is_taken_once() {
        let (mut a, mut b) = pair();
        assert_eq!(a.say(b"one"), Room::Fits);
        let first = b.hear(1, &a.aside(2, 0));
        assert_eq!(first.lines, [b"one"]);
        // The answer was lost: the same is said again, and more.
        assert_eq!(a.say(b"two"), Room::Fits);
        assert_eq!(b.hear(1, &a.aside(2, 0)).lines, [b"two"]);
        assert!(b.hear(1, &a.aside(2, 0)).lines.is_empty());
        a.hear(2, &b.aside(1, 0));
        assert_eq!(a.waits(), 0);
        // What is of a place further on would leave a hole.
        let ahead = Aside {
            place: 100,
            bytes: b"three\n",
            ..Aside::default()
        };
        assert!(b.hear(1, &ahead).lines.is_empty());
        // More than was ever said cannot have been taken.
        let lie = Aside {
            taken: 4000,
            ..Aside::default()
        };
        assert_eq!(a.say(b"four"), Room::Fits);
        a.hear(2, &lie);
        assert_eq!(beat(&mut a, &mut b), [b"four"]);
    }

    #[test]
    fn another_incarnation_begins_anew_and_hears_nothing_of_the_one_before() {
        let (mut a, mut b) = pair();
        assert_eq!(a.say(b"for the one before"), Room::Fits);
        beat(&mut a, &mut b);
        let mut c = Stream::default();
        // It echoes 2 still: what is said is not for 3.
        assert_eq!(a.aside(3, 7).bytes, b"");
        assert!(c.hear(1, &a.aside(3, 7)).lines.is_empty());
        assert!(a.hear(3, &c.aside(1, 0)).anew && a.waits() == 0);
        assert_eq!(a.say(b"hello"), Room::Fits);
        assert_eq!(c.hear(1, &a.aside(3, 0)).lines, [b"hello"]);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut a, mut b) = pair();
        let nobody = Stream::default().say(b"nobody hears this");
        assert_eq!(nobody, Room::Closed);
        let line = vec![b'x'; 1000];
        while a.say(&line) == Room::Fits {}
        assert_eq!(a.say(&line), Room::Full);
        assert!(a.waits() <= MAX_WAITING);
        assert_eq!(a.say(&vec![b'x'; MAX_LINE]), Room::TooLong);
        let long = vec![b'x'; 3 * MAX_LINE];
        let aside = |bytes, place| Aside {
            place,
            bytes,
            ..Aside::default()
        };
        assert!(b.hear(1, &aside(&long, 0)).lines.is_empty());
        assert!(b.begun.is_empty());
        let after = b.hear(1, &aside(b"\nnext\n", long.len() as u32));
        assert_eq!(after.lines, [b"next"]);
    }

    #[test]
    fn places_wrap() {
        let (mut a, mut b) = pair();
        (a.place, b.taken) = (u32::MAX - 2, u32::MAX - 2);
        assert_eq!(a.say(b"across the end"), Room::Fits);
        let mut lines = Vec::new();
        while a.waits() > 0 {
            lines.extend(beat(&mut a, &mut b));
        }
        assert_eq!(lines, [b"across the end"]);
    }
}
