//! The clients' network, on which a pair without fencing looks for evidence: the gateway's answers,
//! and the addresses that the peer's kernel answers for. It is also the heartbeats' path of last resort.

use ha_appliance::wire::heartbeat::Side;

/// What of it does not work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lan {
    /// A machine's port is dead, though its carrier stays.
    pub ports: [bool; 2],
    /// The gateway does not answer.
    pub gateway: bool,
    /// The two machines do not reach each other, though each reaches a gateway.
    pub split: bool,
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
    pub fn changes(self, split: bool) -> Vec<Lan> {
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
