//! Makes inputs of kept ones: as a bad cable would, as a short write, as another version of the
//! program that wrote them, and as somebody who knows where the lengths stand.

use crate::rng::Rng;

/// Longer inputs are cut, in bytes; libFuzzer goes further.
const LONGEST: usize = 8 * 1024;

/// Numbers at which readers stumble.
const NUMBERS: [u64; 12] = [
    0,
    1,
    3,
    4,
    15,
    16,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    u64::MAX,
];

/// The same as a text has them, and what is none.
const WORDS: [&str; 16] = [
    "",
    "0",
    "-1",
    "1e999",
    "0.5",
    "256",
    "65536",
    "4294967296",
    "18446744073709551615",
    "-9223372036854775808",
    "99999999999999999999999",
    "null",
    "true",
    "[]",
    "{}",
    "\u{0}\u{1b}[31mé\u{202e}\u{10ffff}",
];

/// A stream of inputs: the same seed and corpus make the same.
pub struct Mutator<'a> {
    rng: Rng,
    corpus: &'a [Vec<u8>],
}

impl<'a> Mutator<'a> {
    pub fn new(seed: u64, corpus: &'a [Vec<u8>]) -> Mutator<'a> {
        Mutator {
            rng: Rng::new(seed),
            corpus,
        }
    }

    /// The next: one of the corpus, changed up to eight times.
    pub fn input(&mut self) -> Vec<u8> {
        let mut bytes = self.kept().to_vec();
        for _ in 0..=self.rng.below(8) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn kept(&mut self) -> &'a [u8] {
        &self.corpus[self.rng.below(self.corpus.len())]
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        match self.rng.below(10) {
            0 => self.flip(bytes),
            1 => self.overwrite(bytes),
            2 => self.number(bytes),
            3 => self.length(bytes),
            4 => bytes.truncate(self.place(bytes)),
            5 => self.duplicate(bytes),
            6 => drop(bytes.drain(self.range(bytes))),
            7 => self.splice(bytes),
            8 => self.word(bytes),
            _ => self.line(bytes),
        }
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        if !bytes.is_empty() {
            let place = self.rng.below(bytes.len());
            bytes[place] ^= 1 << self.rng.below(8);
        }
    }

    fn overwrite(&mut self, bytes: &mut [u8]) {
        if !bytes.is_empty() {
            let place = self.rng.below(bytes.len());
            bytes[place] = self.rng.bits() as u8;
        }
    }

    /// A number of one, two, four or eight bytes, in either order of bytes.
    fn number(&mut self, bytes: &mut [u8]) {
        let number = self.rng.pick(&NUMBERS);
        self.put(bytes, number);
    }

    /// What a length field might say: all that follows, a little more, a little less.
    fn length(&mut self, bytes: &mut [u8]) {
        let from = self.place(bytes);
        let left = (bytes.len() - from) as u64;
        let number = left.wrapping_add_signed(self.rng.between(-9, 9));
        self.put(bytes, number);
    }

    fn put(&mut self, bytes: &mut [u8], number: u64) {
        let width = self.rng.pick(&[1, 2, 4, 8]);
        let place = self.place(bytes);
        if let Some(field) = bytes.get_mut(place..place + width) {
            match self.rng.chance(0.5) {
                true => field.copy_from_slice(&number.to_le_bytes()[..width]),
                false => field.copy_from_slice(&number.to_be_bytes()[8 - width..]),
            }
        }
    }

    /// A piece, once more or many times.
    fn duplicate(&mut self, bytes: &mut Vec<u8>) {
        let range = self.range(bytes);
        let piece = bytes[range].repeat(self.rng.pick(&[1, 1, 1, 2, 40]));
        let place = self.place(bytes);
        bytes.splice(place..place, piece);
    }

    /// A piece of another.
    fn splice(&mut self, bytes: &mut Vec<u8>) {
        let other = self.kept();
        let piece = &other[self.range(other)];
        let range = match self.rng.chance(0.5) {
            true => self.range(bytes),
            false => self.place(bytes)..bytes.len(),
        };
        bytes.splice(range, piece.iter().copied());
    }

    /// A run of digits or letters becomes another value.
    fn word(&mut self, bytes: &mut Vec<u8>) {
        let start = self.place(bytes);
        let alike = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        let length = bytes[start..].iter().take_while(|byte| alike(byte)).count();
        let word = self.rng.pick(&WORDS);
        bytes.splice(start..start + length, word.bytes());
    }

    /// A line goes away, comes twice or moves.
    fn line(&mut self, bytes: &mut Vec<u8>) {
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        if lines.len() > 1 {
            let line = lines[self.rng.below(lines.len())];
            if self.rng.chance(0.5) {
                let gone = self.rng.below(lines.len());
                lines.remove(gone);
            }
            let place = self.rng.below(lines.len() + 1);
            lines.insert(place, line);
            *bytes = lines.concat();
        }
    }

    /// A place in these bytes, their end included.
    fn place(&mut self, bytes: &[u8]) -> usize {
        self.rng.below(bytes.len() + 1)
    }

    /// Some bytes, mostly few.
    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.place(bytes);
        let longest = match self.rng.chance(0.7) {
            true => 16.min(bytes.len() - start),
            false => bytes.len() - start,
        };
        start..start + self.rng.below(longest + 1)
    }
}
