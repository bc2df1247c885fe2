//! What `check` prints for a good file: what this node understood, and what it implies.
//!
//! The worst cases are sums of terms that the reader can check and change: every term names the keys it
//! comes from, and what is assumed of the machine says so.

mod disks;
mod fenced;
mod mounts;
mod services;
mod worst;

use super::duration::show;
use super::resolve::{Resolved, Vif};
use super::schema::{Config, Failback, Gateway, Group, Require, Resource};
use super::warning::Warning;
use crate::wire::heartbeat::Side;
use std::fmt::Write;

/// What the file means on this node, with the worst-case takeover times, term by term.
pub fn explain(config: &Config, side: Side, resolved: &Resolved, warnings: &[Warning]) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write(&mut out, config, side, resolved, warnings);
    out
}

fn write(
    out: &mut String,
    config: &Config,
    side: Side,
    resolved: &Resolved,
    warnings: &[Warning],
) -> std::fmt::Result {
    let cluster = &config.cluster;
    let keys = match cluster.keys.len() {
        1 => "1 key".to_owned(),
        n => format!("{n} keys, the first signs"),
    };
    writeln!(out, "{} is good.\n", config.path.display())?;
    writeln!(out, "cluster     {} ({keys})", cluster.name)?;
    writeln!(out, "this node   {}", config.node(side).name)?;
    writeln!(out, "peer        {}", config.node(side.other()).name)?;
    let wait = match cluster.wait_for_peer {
        true => "for ever".to_owned(),
        false => show(cluster.start_wait),
    };
    writeln!(out, "start       waits {wait} for a peer not yet heard")?;
    if let Some(notify) = &cluster.notify {
        let user = cluster.notify_user.as_ref();
        let user = user.map_or(String::new(), |user| format!(" as {user}"));
        let notify = notify.display();
        writeln!(out, "notify      {notify} at every transition{user}")?;
    }
    let beat = &config.heartbeat;
    writeln!(
        out,
        "heartbeat   every {} to UDP port {}; {} missed are silence: {}",
        show(beat.interval),
        beat.port,
        beat.misses,
        show(beat.detection_time())
    )?;
    writeln!(out, "gateways    {}", gateway_line(&config.gateway))?;

    writeln!(out, "\nlinks")?;
    for link in &resolved.links {
        let interface = link.interface_name.as_deref().unwrap_or("no interface yet");
        let number = link.index + 1;
        writeln!(
            out,
            "  {number}  {} to {}, {interface}",
            link.local, link.peer
        )?;
    }
    writeln!(out, "\ngroups")?;
    for (group, vifs) in config.groups.iter().zip(&resolved.vip_vifs) {
        writeln!(out, "  {}: {}", group.name, policy(config, group))?;
        let mut vifs = vifs.iter().map(|vif| &resolved.vifs[*vif]);
        for resource in &group.resources {
            match resource {
                Resource::Vip(vip) => {
                    let place = vifs.next().map_or_else(String::new, place);
                    writeln!(out, "    vip {} {place}", vip.address)?;
                }
                Resource::Service(service) => services::lines(out, service)?,
                Resource::Mount(mount) => mounts::lines(out, mount)?,
                Resource::Drbd(drbd) => disks::lines(out, drbd)?,
            }
        }
    }
    writeln!(out, "\nprotection")?;
    let mut best_effort = false;
    if let Some(fencing) = &config.fencing {
        fenced::protection(out, config, fencing)?;
    }
    let unfenced = config.groups.iter().filter(|_| config.fencing.is_none());
    for (index, group) in unfenced.enumerate() {
        let Some(why) = never_taken_over(config, resolved, index) else {
            best_effort = true;
            continue;
        };
        let name = &group.name;
        writeln!(
            out,
            "  NONE for {name}: nobody takes it over from a silent peer by itself, for {why};\n  \
             the sums below that begin with a silent peer do not hold for it"
        )?;
    }
    if best_effort {
        writeln!(
            out,
            "  UNPROTECTED: best effort. A silent peer is taken over only while a gateway answers on every\n  \
             VIP interface and no VIP answers from the peer; a partition that hides more can run both."
        )?;
    }
    worst::vips(out, config, resolved)?;
    services::times(out, config)?;
    let mut warnings = warnings.iter().peekable();
    if warnings.peek().is_some() {
        writeln!(out, "\nwarnings")?;
    }
    for warning in warnings {
        writeln!(out, "  {warning}")?;
    }
    Ok(())
}

/// Why no silence of the peer is ever enough to take the group over, as this node is now.
fn never_taken_over(config: &Config, resolved: &Resolved, group: usize) -> Option<String> {
    if config.groups[group].holds_data() {
        return Some("it holds data".into());
    }
    let vifs = &resolved.vip_vifs[group];
    if vifs.is_empty() {
        return Some("it has no VIP".into());
    }
    if config.gateway.addresses.as_ref().is_some_and(Vec::is_empty) {
        return Some("no gateway is pinged".into());
    }
    let mut vifs = vifs.iter().map(|vif| &resolved.vifs[*vif]);
    let without = vifs.find(|vif| vif.gateways.is_empty())?;
    let interface = without.name.as_deref().unwrap_or("its interface");
    Some(format!("no gateway is known on {interface}"))
}

fn gateway_line(gateway: &Gateway) -> String {
    let what = match &gateway.addresses {
        Some(list) if list.is_empty() => return "none is pinged".to_owned(),
        Some(list) if list.len() == 1 => list[0].to_string(),
        Some(list) => {
            let list: Vec<_> = list.iter().map(ToString::to_string).collect();
            list.join(", ")
        }
        None => "the default gateways of the VIP interfaces".to_owned(),
    };
    let need = match gateway.require {
        Require::Any => "one must answer",
        Require::All => "all must answer",
    };
    format!(
        "{what}; {need}; pinged every {}, lost after {} misses of {}, good again after {}",
        show(gateway.interval),
        gateway.misses,
        show(gateway.timeout),
        show(gateway.dampening)
    )
}

fn policy(config: &Config, group: &Group) -> String {
    let failback = match group.failback {
        Failback::Manual => "returns by hand".to_owned(),
        Failback::Auto => "returns at once".to_owned(),
        Failback::After(after) => format!("returns after {}", show(after)),
    };
    match group.prefer {
        Some(side) => format!("prefers {}, {failback}", config.node(side).name),
        // Without a preference there is nothing to return to.
        None => format!(
            "starts on {} the first time, prefers neither",
            config.nodes[0].name
        ),
    }
}

fn place(vif: &Vif) -> String {
    let interface = match (&vif.name, vif.index) {
        (Some(name), Some(_)) => format!("on {name}"),
        (Some(name), None) => format!("on {name}, which does not exist yet"),
        (None, _) => "on no interface yet".to_owned(),
    };
    let gateways: Vec<_> = vif.gateways.iter().map(ToString::to_string).collect();
    match gateways.len() {
        0 => format!("{interface}, no gateway"),
        1 => format!("{interface}, gateway {}", gateways[0]),
        _ => format!("{interface}, gateways {}", gateways.join(", ")),
    }
}
