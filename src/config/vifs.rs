//! Which VIPs share an interface, as far as the file alone says.
//!
//! Both nodes speak of the same VIP interface in their heartbeats, even while it is missing on one of them:
//! what it is known by comes from the file, which is the same.
//! VIPs with the same `interface` share it. VIPs without share it when they are of one network, also
//! with a VIP of that network that has `interface`; a VIP of the longest prefix (/32, /128) belongs
//! to the narrowest such network that holds it.

use super::schema::{Group, Vip};
use crate::id::VifId;
use ipnet::IpNet;

/// What the file says about one VIP interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spec {
    /// Its name on each side.
    Named([Option<String>; 2]),
    /// It is the one whose network holds this one.
    Holding(IpNet),
}

impl Spec {
    /// What both nodes know it by: the file says the same to both.
    pub(super) fn id(&self) -> VifId {
        match self {
            Spec::Named([first, second]) => {
                let name = |side: &Option<String>| side.clone().unwrap_or_default();
                VifId::of(&format!("interface {} {}", name(first), name(second)))
            }
            Spec::Holding(net) => VifId::of(&format!("holding {net}")),
        }
    }
}

/// The VIP interfaces in order of first mention, and per group, per VIP, an index into them.
pub(super) fn count(groups: &[Group]) -> (Vec<Spec>, Vec<Vec<usize>>) {
    let vips: Vec<&Vip> = groups.iter().flat_map(Group::vips).collect();
    let mut specs: Vec<Spec> = Vec::new();
    let indices = groups.iter().map(|group| {
        let of_vip = |vip| {
            let spec = spec(vip, &vips);
            specs
                .iter()
                .position(|known| *known == spec)
                .unwrap_or_else(|| {
                    specs.push(spec);
                    specs.len() - 1
                })
        };
        group.vips().map(of_vip).collect()
    });
    let indices = indices.collect();
    (specs, indices)
}

fn spec(vip: &Vip, all: &[&Vip]) -> Spec {
    if vip.interface.iter().any(Option::is_some) {
        return Spec::Named(vip.interface.clone());
    }
    let is_host = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
    let home = if is_host(&vip.address) {
        let holding = all.iter().map(|other| other.address.trunc());
        let holding = holding.filter(|net| !is_host(net) && net.contains(&vip.address.addr()));
        holding.max_by_key(IpNet::prefix_len)
    } else {
        None
    };
    let home = home.unwrap_or_else(|| vip.address.trunc());
    all.iter()
        .find(|other| other.address.trunc() == home && other.interface.iter().any(Option::is_some))
        .map_or(Spec::Holding(home), |named| {
            Spec::Named(named.interface.clone())
        })
}
