//! The clients' networks, on which a pair without fencing looks for evidence: the gateway's answers, and the
//! addresses that the peer's kernel answers for. They are also the heartbeats' paths of last resort.

use super::bounds::Bounds;
use ha_appliance::wire::heartbeat::Side;

/// The most of them that a search has.
pub const NETWORKS: usize = 2;

/// All of them; of those that a search does not have, nothing works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lans(pub [Lan; NETWORKS]);

/// What of one does not work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lan {
    /// A machine's port is dead, though its carrier stays.
    pub ports: [bool; 2],
    /// The gateway does not answer.
    pub gateway: bool,
    /// The two machines do not reach each other, though each reaches a gateway.
    pub split: bool,
}

impl Lans {
    /// All that the search has work.
    pub fn well(bounds: &Bounds) -> Lans {
        let dead = Lan {
            ports: [true; 2],
            ..Lan::default()
        };
        let mut networks = [dead; NETWORKS];
        networks[..bounds.networks].fill(Lan::default());
        Lans(networks)
    }

    /// A gateway on one of them answers this machine.
    pub fn reaches(self, side: Side) -> bool {
        self.0.iter().any(|lan| lan.reaches(side))
    }

    /// The machines reach each other on one of them.
    pub fn joined(self) -> bool {
        self.0.iter().any(|lan| lan.joined())
    }

    /// One of them has come apart.
    pub fn split(self) -> bool {
        self.0.iter().any(|lan| lan.split)
    }

    /// Each way in which one thing changes.
    pub fn changes(self, bounds: &Bounds) -> Vec<Lans> {
        let changes = |at: usize| {
            let one = self.0[at].changes(bounds.split).into_iter();
            one.map(move |lan| {
                let mut all = self;
                all.0[at] = lan;
                all
            })
        };
        (0..bounds.networks).flat_map(changes).collect()
    }
}

impl Lan {
    /// The gateway answers this machine.
    pub fn reaches(self, side: Side) -> bool {
        !self.gateway && !self.ports[side as usize]
    }

    /// The machines reach each other.
    pub fn joined(self) -> bool {
        !self.split && self.ports == [false; 2]
    }

    /// Each way in which one thing changes. `split` only where a search asks for it.
    fn changes(self, split: bool) -> Vec<Lan> {
        let mut all = vec![
            Lan {
                ports: [!self.ports[0], self.ports[1]],
                ..self
            },
            Lan {
                ports: [self.ports[0], !self.ports[1]],
                ..self
            },
            Lan {
                gateway: !self.gateway,
                ..self
            },
        ];
        if split {
            all.push(Lan {
                split: !self.split,
                ..self
            });
        }
        all
    }
}
