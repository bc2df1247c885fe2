//! What `check` prints for a good file: what this node understood, and what it implies.
//!
//! The worst cases are sums of terms that the reader can check and change: every term names the keys it
//! comes from, and what is assumed of the machine says so.

use super::duration::show;
use super::resolve::{Resolved, Vif};
use super::schema::{Config, Failback, Gateway, Group, Require, VIP_LIFETIME};
use super::warning::Warning;
use crate::wire::heartbeat::Side;
use std::fmt::Write;
use std::time::Duration;

/// Assumed time to make one token durable: an fsync on a common disk.
const PERSIST: Duration = Duration::from_millis(20);
/// Assumed time to add the addresses, announce them, and be believed by the neighbours.
const ANNOUNCE: Duration = Duration::from_millis(5);
/// The kernel may be this late with a lifetime: it looks at them a second apart.
const LIFETIME_CHECK: Duration = Duration::from_secs(1);

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
        writeln!(out, "notify      {} at every transition", notify.display())?;
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
        for (vip, vif) in group.vips().zip(vifs) {
            let place = place(&resolved.vifs[*vif]);
            writeln!(out, "    vip {} {place}", vip.address)?;
        }
    }
    writeln!(
        out,
        "\nprotection\n  UNPROTECTED: best effort. A silent peer is taken over only while a gateway answers on every\n  \
         VIP interface and no VIP answers from the peer; a partition that hides more can run both."
    )?;
    worst_cases(out, config, resolved)?;
    let mut warnings = warnings.iter().peekable();
    if warnings.peek().is_some() {
        writeln!(out, "\nwarnings")?;
    }
    for warning in warnings {
        writeln!(out, "  {warning}")?;
    }
    Ok(())
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

/// A term of a sum: what it is, and how long it takes at most.
type Term = (String, Duration);

fn worst_cases(out: &mut String, config: &Config, resolved: &Resolved) -> std::fmt::Result {
    let beat = &config.heartbeat;
    let gateway = &config.gateway;
    writeln!(out, "\nworst case until the VIPs answer again")?;
    if gateway.addresses.as_ref().is_some_and(Vec::is_empty) {
        return writeln!(
            out,
            "  never, after a power loss or with a hung daemon: without fencing, only an answer from a gateway\n  \
             tells a dead peer from a dead cable; and a silently dead LAN goes unnoticed"
        );
    }
    let detection = (
        format!(
            "detection: interval {} x misses {}",
            show(beat.interval),
            beat.misses
        ),
        beat.detection_time(),
    );
    // Probes leave at heartbeat rate from the first missed heartbeat on, so at most the last one is
    // still unanswered when the detection time ends.
    let probe = ("one probe wait: interval".to_owned(), beat.interval);
    let persist = ("token made durable (fsync, assumed)".to_owned(), PERSIST);
    let announce = ("address and announcement (assumed)".to_owned(), ANNOUNCE);
    let power = [detection, probe, persist.clone(), announce.clone()];
    sum(out, "power loss of the active node", &power)?;

    let alive = [
        ("VIP lifetime, ended by the kernel".to_owned(), VIP_LIFETIME),
        ("until the kernel looks at it".to_owned(), LIFETIME_CHECK),
    ];
    // The VIP answers on behalf of the silent peer until it is gone. Then it gets as many chances as
    // a heartbeat has, and the last a quarter of an interval to be answered in; they end after the
    // detection time, which began earlier.
    let probes = (
        "probes unanswered: interval x (misses + 1/4)".to_owned(),
        beat.detection_time() + beat.interval / 4,
    );
    let gone = [probes, persist, announce.clone()];
    let hung = [&alive[..], &gone].concat();
    sum(out, "daemon hung on the active node", &hung)?;
    line(out, "of which the VIP answers nobody", total(&gone))?;

    let lost = format!(
        "gateway lost: interval {} x misses {}",
        show(gateway.interval),
        gateway.misses
    );
    let dead = [
        (lost, gateway.interval * gateway.misses),
        ("the last miss: timeout".to_owned(), gateway.timeout),
        (
            "the peer asks its own gateway: timeout".to_owned(),
            gateway.timeout,
        ),
        (
            "token made durable here (fsync, assumed)".to_owned(),
            PERSIST,
        ),
        ("and on the peer".to_owned(), PERSIST),
        announce,
    ];
    sum(out, "LAN of the active node silently dead", &dead)?;
    // An interface that does not exist yet may still get a gateway.
    let blind = |vif: &&Vif| vif.index.is_some() && vif.gateways.is_empty();
    for vif in resolved.vifs.iter().filter(blind) {
        let name = vif.name.as_deref().unwrap_or("a VIP interface");
        writeln!(
            out,
            "  never for groups with a VIP on {name}: no gateway is known there"
        )?;
    }
    Ok(())
}

fn sum(out: &mut String, title: &str, terms: &[Term]) -> std::fmt::Result {
    writeln!(out, "  {title}")?;
    for (what, time) in terms {
        line(out, what, *time)?;
    }
    line(out, "sum", total(terms))
}

fn total(terms: &[Term]) -> Duration {
    terms.iter().map(|(_, time)| *time).sum()
}

fn line(out: &mut String, what: &str, time: Duration) -> std::fmt::Result {
    writeln!(out, "    {what:<46}{:>7} ms", time.as_millis())
}
