//! Chance that repeats: splitmix64. The same seed draws the same numbers on every machine.

use std::time::Duration;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// Both ends included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.bits() % (high - low + 1) as u64) as i64
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        (self.bits() >> 11) as f64 / ((1u64 << 53) as f64) < p
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Microseconds, mostly near `low` and now and then up to `high`: short faults are many, long
    /// ones few, as in life.
    pub fn skewed(&mut self, low: Duration, high: Duration) -> i64 {
        let (low, high) = (low.as_micros() as f64, high.as_micros() as f64);
        let x = (self.bits() >> 11) as f64 / ((1u64 << 53) as f64);
        (low * (high / low).powf(x)) as i64
    }

    /// Microseconds until something that happens on average once per `mean`.
    pub fn exponential(&mut self, mean: Duration) -> i64 {
        let x = ((self.bits() >> 11) as f64 + 1.0) / ((1u64 << 53) as f64);
        (-x.ln() * mean.as_micros() as f64) as i64
    }
}
