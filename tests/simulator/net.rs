//! The network between the machines: media, each with a quality per direction, and what uses them.

use super::rng::Rng;

/// A wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// The dedicated link; heartbeats only.
    Interlink = 0,
    /// Where the VIPs are: ARP, and heartbeats by the path of last resort.
    Lan = 1,
    /// A second dedicated link.
    Spare = 2,
    /// A second LAN with VIPs.
    OtherLan = 3,
}

/// All of them.
pub const MEDIA: [Medium; 4] = [
    Medium::Interlink,
    Medium::Lan,
    Medium::Spare,
    Medium::OtherLan,
];

/// What is plugged in where.
#[derive(Clone, Debug)]
pub struct Topology {
    /// What the i-th link runs over.
    pub links: Vec<Medium>,
    /// What the i-th VIP interface is on: as many paths of last resort, after the links.
    pub lans: Vec<Medium>,
    /// The VIP interface of each gateway.
    pub gateways: Vec<usize>,
}

impl Topology {
    /// One interlink, one LAN, one gateway.
    pub fn plain() -> Topology {
        Topology {
            links: vec![Medium::Interlink],
            lans: vec![Medium::Lan],
            gateways: vec![0],
        }
    }

    /// What heartbeats run over, by path.
    pub fn paths(&self) -> Vec<Medium> {
        self.links.iter().chain(&self.lans).copied().collect()
    }

    /// The wires that are there.
    pub fn media(&self) -> Vec<Medium> {
        let paths = self.paths();
        MEDIA.into_iter().filter(|m| paths.contains(m)).collect()
    }
}

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
pub type Network = [[Quality; 2]; 4];
