//! What is kept of a program's output: the beginning, where it says what it does, and the end, where it says why
//! it failed.

use super::report::MAX_OUTPUT;

/// The beginning and the end of all that was pushed.
#[derive(Default)]
pub(super) struct Kept {
    head: Vec<u8>,
    /// What follows the head, as far as it is kept.
    tail: Vec<u8>,
    /// Something between them is not.
    cut: bool,
}

/// Of the end so much.
const TAIL: usize = 1024;
/// What stands for the rest.
const CUT: &str = "\n...\n";
const HEAD: usize = MAX_OUTPUT - TAIL - CUT.len();

impl Kept {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = HEAD - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(rest);
        // Until something is left out there is room where the sign for it would stand.
        let room = if self.cut { TAIL } else { MAX_OUTPUT - HEAD };
        if self.tail.len() > room {
            self.cut = true;
            self.tail.drain(..self.tail.len() - TAIL);
        }
    }

    pub(super) fn text(&self) -> String {
        let head = String::from_utf8_lossy(&self.head);
        let tail = String::from_utf8_lossy(&self.tail);
        if self.cut {
            return format!("{head}{CUT}{tail}");
        }
        String::from_utf8_lossy(&[&self.head[..], &self.tail].concat()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(pieces: &[Vec<u8>]) -> String {
        let mut kept = Kept::default();
        pieces.iter().for_each(|piece| kept.push(piece));
        kept.text()
    }

    #[test]
    fn of_much_the_beginning_and_the_end_stay() {
        let lines: Vec<Vec<u8>> = (0..100_000)
            .map(|n| format!("{n}\n").into_bytes())
            .collect();
        let text = kept(&lines);
        assert!(text.starts_with("0\n1\n2\n") && text.ends_with("99998\n99999\n"));
        assert!(text.contains(CUT));
        assert_eq!(text.len(), MAX_OUTPUT);
    }

    proptest! {
        #[test]
        fn what_fits_is_whole_and_what_does_not_is_as_long_as_may_be(sizes: Vec<u16>) {
            let bytes = |n: &u16| vec![b'x'; (*n % 2000).into()];
            let pieces: Vec<Vec<u8>> = sizes.iter().map(bytes).collect();
            let all: usize = pieces.iter().map(Vec::len).sum();
            let text = kept(&pieces);
            prop_assert_eq!(text.len(), all.min(MAX_OUTPUT));
            prop_assert_eq!(text.contains(CUT), all > MAX_OUTPUT);
        }
    }
}
