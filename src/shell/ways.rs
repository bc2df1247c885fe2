//! By what a VIP interface reaches its network, and whether that is another way than before.
//!
//! Neighbours and switches remember where an address is for as long as they like. So when the way to it comes
//! back or changes (a cable plugged in, a bond that fails over, a bridge port that begins to forward, another
//! hardware address, an interface made anew), they have to be told.

use crate::agents::host::{Host, Interface};
use std::collections::BTreeSet;

/// The way of one interface to its network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// The interface itself is live.
    live: bool,
    /// What is live of it and of those below it, each as neighbours and switches know it.
    parts: BTreeSet<Part>,
}

/// One live interface: its index, its hardware address, and what its bridge or bond says of it.
type Part = (u32, [u8; 6], Option<u8>);

impl Way {
    /// That of the interface with this index.
    pub fn of(host: &Host, index: u32) -> Way {
        let below = below(host, index);
        let live = |i: &&Interface| i.up && i.carrier && i.operational;
        let parts = host.interfaces.iter().filter(|i| below.contains(&i.index));
        let parts: BTreeSet<Part> = (parts.filter(live))
            .map(|i| (i.index, i.mac, i.port_state))
            .collect();
        Way {
            live: parts.iter().any(|(part, ..)| *part == index),
            parts,
        }
    }

    /// The network is reached by something that was not there before. What is lost alone is nothing that
    /// anybody would learn by.
    pub fn leads_anew(&self, before: &Way) -> bool {
        self.live && !self.parts.is_subset(&before.parts)
    }
}

/// The interface, and all that its frames may leave by: the ports of a bridge or a bond, what a VLAN stands on.
fn below(host: &Host, index: u32) -> BTreeSet<u32> {
    let mut below = BTreeSet::from([index]);
    loop {
        let stands_on = |i: &Interface| below.contains(&i.index).then_some(i.lower).flatten();
        let port = |i: &Interface| {
            let of = i.master.filter(|master| below.contains(master));
            of.map(|_| i.index)
        };
        let interfaces = host.interfaces.iter();
        let found: Vec<u32> = interfaces
            .flat_map(|i| [stands_on(i), port(i)])
            .flatten()
            .filter(|found| !below.contains(found))
            .collect();
        if found.is_empty() {
            return below;
        }
        below.extend(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32) -> Interface {
        Interface {
            index,
            name: format!("i{index}"),
            mac: [2, 0, 0, 0, 0, index as u8],
            up: true,
            carrier: true,
            operational: true,
            ..Interface::default()
        }
    }

    fn host(interfaces: &[Interface]) -> Host {
        Host {
            interfaces: interfaces.to_vec(),
            ..Host::default()
        }
    }

    /// Whether the way of the interface with index 1 leads anew when the second picture follows the first.
    fn anew(before: &[Interface], after: &[Interface]) -> bool {
        let (before, after) = (Way::of(&host(before), 1), Way::of(&host(after), 1));
        after.leads_anew(&before)
    }

    #[test]
    fn a_cable_an_address_and_an_802_1x_port_lead_anew() {
        let well = interface(1);
        let unplugged = Interface {
            carrier: false,
            ..well.clone()
        };
        let dormant = Interface {
            operational: false,
            ..well.clone()
        };
        let down = Interface {
            up: false,
            ..well.clone()
        };
        for bad in [&unplugged, &dormant, &down] {
            assert!(anew(std::slice::from_ref(bad), std::slice::from_ref(&well)));
            assert!(
                !anew(std::slice::from_ref(&well), std::slice::from_ref(bad)),
                "lost"
            );
        }
        let other = Interface {
            mac: [2; 6],
            ..well.clone()
        };
        assert!(anew(std::slice::from_ref(&well), &[other]));
        assert!(!anew(
            std::slice::from_ref(&well),
            std::slice::from_ref(&well)
        ));
        assert!(anew(&[], &[well]), "made anew");
    }

    #[test]
    fn a_bond_that_fails_over_leads_anew() {
        let slave = |index, state| Interface {
            master: Some(1),
            port_state: Some(state),
            ..interface(index)
        };
        let (active, backup) = (0, 1);
        let before = [interface(1), slave(2, active), slave(3, backup)];
        let lost = Interface {
            carrier: false,
            ..slave(2, backup)
        };
        assert!(anew(
            &before,
            &[interface(1), lost.clone(), slave(3, active)]
        ));
        assert!(
            !anew(&before, &[interface(1), lost, slave(3, backup)]),
            "not yet"
        );
    }

    #[test]
    fn a_port_that_begins_to_forward_below_a_vlan_on_a_bridge_leads_anew() {
        let vlan = Interface {
            lower: Some(2),
            ..interface(1)
        };
        let port = |state| Interface {
            master: Some(2),
            port_state: Some(state),
            ..interface(3)
        };
        let (learning, forwarding) = (2, 3);
        let before = [vlan.clone(), interface(2), port(learning)];
        assert!(anew(
            &before,
            &[vlan.clone(), interface(2), port(forwarding)]
        ));
        let elsewhere = Interface {
            master: Some(9),
            ..interface(4)
        };
        let with = [before.as_slice(), &[elsewhere]].concat();
        assert!(!anew(&before, &with), "a port of another bridge");
    }

    #[test]
    fn interfaces_that_stand_on_each_other_are_survived() {
        let one = Interface {
            lower: Some(2),
            master: Some(2),
            ..interface(1)
        };
        let two = Interface {
            lower: Some(1),
            master: Some(1),
            ..interface(2)
        };
        assert!(!anew(&[one.clone(), two.clone()], &[one, two]));
    }
}
