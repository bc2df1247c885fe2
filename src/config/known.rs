//! What earlier looks at this machine found, and a later one may miss for a while: a network manager that sets an
//! interface up anew takes its address and its routes away and brings them back. Neither the VIPs' place nor
//! what is pinged there is another for that.

use crate::core::time::Time;
use crate::id::VifId;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// What is remembered of VIP interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    interfaces: BTreeMap<VifId, String>,
    gateways: BTreeMap<VifId, (Vec<IpAddr>, Time)>,
}

/// For how long the gateways of an interface are pinged that the routes do not show any more. Longer than a lease
/// takes to come back; a gateway that does not answer is lost long before.
const GATEWAYS: Duration = Duration::from_secs(60);

impl Known {
    /// The name of an interface that ha.toml leaves to the networks: the one that holds the VIP now, else, as
    /// long as none does, the one that did.
    pub(super) fn interface(&mut self, vif: VifId, holding: Option<String>) -> Option<String> {
        match holding {
            Some(name) => {
                self.interfaces.insert(vif, name.clone());
                Some(name)
            }
            None => self.interfaces.get(&vif).cloned(),
        }
    }

    /// The gateways of an interface: those that the machine shows now, else, for a while, those that it showed.
    pub(super) fn gateways(
        &mut self,
        vif: VifId,
        shown: Option<Vec<IpAddr>>,
        now: Time,
    ) -> Option<Vec<IpAddr>> {
        if let Some(shown) = shown {
            self.gateways.insert(vif, (shown.clone(), now));
            return Some(shown);
        }
        let (known, seen) = self.gateways.get(&vif)?;
        if now.since(*seen) < GATEWAYS {
            return Some(known.clone());
        }
        self.gateways.remove(&vif);
        None
    }

    /// Forgets the interfaces that there are no more in ha.toml.
    pub(super) fn retain(&mut self, vifs: &[VifId]) {
        self.interfaces.retain(|vif, _| vifs.contains(vif));
        self.gateways.retain(|vif, _| vifs.contains(vif));
    }

    /// When something is forgotten of what was not seen at that time.
    pub fn forgets_at(&self, seen_last: Time) -> Option<Time> {
        let seen = self.gateways.values().map(|(_, seen)| *seen);
        seen.filter(|seen| *seen < seen_last)
            .min()
            .map(|seen| seen + GATEWAYS)
    }
}
