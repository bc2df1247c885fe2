//! 128-bit fingerprints: a search keeps these instead of states. Two states that share one would
//! hide each other; among 10⁸ states the chance of any such pair is below 10⁻²².

use std::hash::{Hash, Hasher};

/// The fingerprint of a value.
pub fn print<T: Hash + ?Sized>(value: &T) -> u128 {
    let mut lanes = Lanes(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344);
    value.hash(&mut lanes);
    let (a, b) = (
        fold(lanes.0, 0xa409_3822_299f_31d0),
        fold(lanes.1, 0x082e_fa98_ec4e_6c89),
    );
    (u128::from(a) << 64) | u128::from(b)
}

/// Two hashes side by side, each folding a full product per word, with different constants.
struct Lanes(u64, u64);

impl Lanes {
    fn word(&mut self, word: u64) {
        self.0 = fold(self.0 ^ word, 0x9e37_79b9_7f4a_7c15).wrapping_add(self.1.rotate_left(17));
        self.1 = fold(self.1.rotate_left(29) ^ word, 0xd6e8_feb8_6659_fd93) ^ self.0;
    }
}

impl Hasher for Lanes {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
        self.word(bytes.len() as u64);
    }
    fn write_u8(&mut self, n: u8) {
        self.word(n.into());
    }
    fn write_u16(&mut self, n: u16) {
        self.word(n.into());
    }
    fn write_u32(&mut self, n: u32) {
        self.word(n.into());
    }
    fn write_u64(&mut self, n: u64) {
        self.word(n);
    }
    fn write_i64(&mut self, n: i64) {
        self.word(n as u64);
    }
    fn write_u128(&mut self, n: u128) {
        self.word(n as u64);
        self.word((n >> 64) as u64);
    }
    fn write_usize(&mut self, n: usize) {
        self.word(n as u64);
    }
    fn write_isize(&mut self, n: isize) {
        self.word(n as u64);
    }
}

fn fold(a: u64, b: u64) -> u64 {
    // Never zero, or a zero would swallow what comes after it.
    let product = u128::from(a | 1 << 63) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64) ^ a.rotate_left(32)
}
