//! From ha.toml, as it applies to this machine, to what the core and the status page need.

use super::state;
use super::status::{self, Names};
use crate::config::{Config, Require, Resolved};
use crate::core::setup::{Failback, GatewaySetup, GroupSetup, ResourceSetup, Setup};
use crate::wire::heartbeat::{Side, hash};
use std::net::IpAddr;
use std::time::Duration;

/// What the core is to know.
pub fn setup(config: &Config, me: Side, resolved: &Resolved) -> Setup {
    Setup {
        me,
        names: [0, 1].map(|node| config.nodes[node].name.clone()),
        cluster: hash(&config.cluster.name),
        nodes: hash(&config.nodes.each_ref().map(|n| n.name.as_str()).join("\n")),
        digest: config.digest,
        links: resolved.links.len(),
        interval: config.heartbeat.interval,
        misses: config.heartbeat.misses,
        start_wait: config.cluster.start_wait,
        wait_for_peer: config.cluster.wait_for_peer,
        gateway: GatewaySetup {
            require_all: config.gateway.require == Require::All,
            interval: config.gateway.interval,
            timeout: config.gateway.timeout,
            misses: config.gateway.misses,
            dampening: config.gateway.dampening,
        },
        vifs: resolved.vifs.len(),
        groups: (0..config.groups.len())
            .map(|g| group(config, resolved, g))
            .collect(),
        sources: 0,
    }
}

/// The VIPs of a group with the VIP interface of each, in the order of the file.
pub fn vips(config: &Config, resolved: &Resolved, group: usize) -> Vec<(IpAddr, usize)> {
    let vips = config.groups[group].vips().zip(&resolved.vip_vifs[group]);
    vips.map(|(vip, vif)| (vip.address.addr(), *vif)).collect()
}

/// What the state file calls things.
pub fn state_names(config: &Config, resolved: &Resolved) -> state::Names {
    state::Names {
        groups: config.groups.iter().map(|g| g.name.clone()).collect(),
        vifs: vif_names(resolved),
    }
}

/// What the status page calls things; the paths of last resort are the caller's to add.
pub fn status_names(config: &Config, resolved: &Resolved) -> Names {
    let path = |link: &crate::config::Link| status::PathNames {
        own: link.local.to_string(),
        peer: link.peer.to_string(),
        last_resort: false,
    };
    let group = |group: &crate::config::Group| {
        let vips: Vec<String> = (group.vips()).map(|vip| vip.address.to_string()).collect();
        status::GroupNames {
            name: group.name.clone(),
            resources: vec![match &vips[..] {
                [one] => format!("vip {one}"),
                many => format!("{} vips from {}", many.len(), many[0]),
            }],
            vips,
        }
    };
    Names {
        cluster: config.cluster.name.clone(),
        nodes: [0, 1].map(|node| config.nodes[node].name.clone()),
        paths: resolved.links.iter().map(path).collect(),
        vifs: vif_names(resolved),
        gateways: (resolved.vifs.iter())
            .flat_map(|vif| vif.gateways.iter().map(IpAddr::to_string))
            .collect(),
        groups: config.groups.iter().map(group).collect(),
        sources: Vec::new(),
    }
}

/// All VIPs of a group are one resource to the core: they are added and removed as one batch.
fn group(config: &Config, resolved: &Resolved, index: usize) -> GroupSetup {
    let group = &config.groups[index];
    let mut vifs: Vec<usize> = resolved.vip_vifs[index].clone();
    vifs.sort_unstable();
    vifs.dedup();
    GroupSetup {
        name: hash(&group.name),
        prefer: group.prefer,
        failback: match group.failback {
            crate::config::Failback::Manual => Failback::Manual,
            crate::config::Failback::Auto => Failback::After(Duration::ZERO),
            crate::config::Failback::After(span) => Failback::After(span),
        },
        resources: vec![ResourceSetup {
            exclusive: true,
            data: false,
            leased: true,
            start_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(10),
        }],
        vifs,
    }
}

/// A VIP interface not known yet has no name, under which nothing is remembered: what was learnt of
/// one interface must not be believed of another.
fn vif_names(resolved: &Resolved) -> Vec<String> {
    resolved
        .vifs
        .iter()
        .map(|vif| vif.name.clone().unwrap_or_default())
        .collect()
}
