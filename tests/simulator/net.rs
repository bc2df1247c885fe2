//! The network between the machines: two media, each with a quality per direction.

use super::rng::Rng;

/// A wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// The dedicated link; heartbeats only. Path 0.
    Interlink = 0,
    /// Where the VIPs are: ARP, and heartbeats by the path of last resort. Path 1.
    Lan = 1,
}

/// Both.
pub const MEDIA: [Medium; 2] = [Medium::Interlink, Medium::Lan];

/// What one direction of a medium does to what is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Nothing passes.
    pub cut: bool,
    /// The share that is lost.
    pub loss: f64,
    /// The share that arrives twice.
    pub twice: f64,
    /// The most that it takes, µs; the least is 100. A wide span reorders.
    pub delay: i64,
}

/// A healthy wire.
pub const GOOD: Quality = Quality {
    cut: false,
    loss: 0.0,
    twice: 0.0,
    delay: 300,
};

impl Quality {
    /// So bad that both ends may in good faith take it for cut: a probe and a row of heartbeats lost
    /// by chance (with few misses allowed two probes are all), or answers too late to count.
    pub fn is_bad(&self) -> bool {
        self.cut || self.loss > 0.0 || self.delay > 15_000
    }

    /// After how long each copy arrives.
    pub fn deliver(&self, rng: &mut Rng) -> Vec<i64> {
        let copies = if rng.chance(self.twice) { 2 } else { 1 };
        let mut delays = Vec::with_capacity(copies);
        for _ in 0..copies {
            if !self.cut && !rng.chance(self.loss) {
                delays.push(rng.between(100, self.delay));
            }
        }
        delays
    }
}

/// The state of the whole network: `[medium][sender]`.
pub type Network = [[Quality; 2]; 2];
