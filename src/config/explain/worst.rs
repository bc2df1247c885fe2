//! How long each kind of failure takes at worst, term by term.

use super::fenced;
use crate::config::duration::show;
use crate::config::resolve::{Resolved, Vif};
use crate::config::schema::{Config, VIP_LIFETIME};
use std::fmt::Write;
use std::time::Duration;

/// Assumed time to make one token durable: an fsync on a common disk.
const PERSIST: Duration = Duration::from_millis(20);
/// Assumed time to add the addresses, announce them, and be believed by the neighbours.
const ANNOUNCE: Duration = Duration::from_millis(5);
/// The kernel may be this late with a lifetime: it looks at them a second apart.
const LIFETIME_CHECK: Duration = Duration::from_secs(1);

/// A term of a sum: what it is, and how long it takes at most.
pub(super) type Term = (String, Duration);

/// Until the VIPs answer again, by failure.
pub(super) fn vips(out: &mut String, config: &Config, resolved: &Resolved) -> std::fmt::Result {
    let beat = &config.heartbeat;
    let gateway = &config.gateway;
    if let Some(fencing) = &config.fencing {
        fenced::worst(out, config, fencing)?;
    }
    let mut groups = config.groups.iter();
    let without_vips = groups.all(|group| group.vips().next().is_none());
    if config.fencing.is_some() && without_vips {
        return Ok(());
    }
    writeln!(out, "\nworst case until the VIPs answer again")?;
    if config.fencing.is_some() {
        return lan_dead(out, config, resolved);
    }
    if without_vips {
        return writeln!(
            out,
            "  never: no group has a VIP, and without fencing nothing else tells a dead peer from a dead cable"
        );
    }
    if gateway.addresses.as_ref().is_some_and(Vec::is_empty) {
        return writeln!(
            out,
            "  never, after a power loss or with a hung daemon: without fencing, only an answer from a gateway\n  \
             tells a dead peer from a dead cable; and a silently dead LAN goes unnoticed"
        );
    }
    // Probes leave at heartbeat rate from the first missed heartbeat on, so at most the last one is
    // still unanswered when the detection time ends.
    let probe = ("one probe wait: interval".to_owned(), beat.interval);
    let (persist, announce) = (persist(), announce());
    let power = [detection(config), probe, persist.clone(), announce.clone()];
    writeln!(
        out,
        "  (both nodes announcing this interval and these misses; `ha-appliance status` shows what is in force)"
    )?;
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
    lan_dead(out, config, resolved)?;
    let without = config
        .groups
        .iter()
        .filter(|group| group.vips().next().is_none());
    for group in without {
        writeln!(out, "  never for {}: it has no VIP", group.name)?;
    }
    Ok(())
}

/// The peer lives, and only its LAN is dead: what moves then is handed over.
fn lan_dead(out: &mut String, config: &Config, resolved: &Resolved) -> std::fmt::Result {
    let gateway = &config.gateway;
    if gateway.addresses.as_ref().is_some_and(Vec::is_empty) {
        return writeln!(
            out,
            "  never, with a silently dead LAN: no gateway is pinged"
        );
    }
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
        announce(),
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

pub(super) fn detection(config: &Config) -> Term {
    let beat = &config.heartbeat;
    let what = format!(
        "detection: interval {} x misses {}",
        show(beat.interval),
        beat.misses
    );
    (what, beat.detection_time())
}

pub(super) fn persist() -> Term {
    ("token made durable (fsync, assumed)".to_owned(), PERSIST)
}

pub(super) fn announce() -> Term {
    ("address and announcement (assumed)".to_owned(), ANNOUNCE)
}

pub(super) fn sum(out: &mut String, title: &str, terms: &[Term]) -> std::fmt::Result {
    writeln!(out, "  {title}")?;
    for (what, time) in terms {
        line(out, what, *time)?;
    }
    line(out, "sum", total(terms))
}

fn total(terms: &[Term]) -> Duration {
    terms.iter().map(|(_, time)| *time).sum()
}

pub(super) fn line(out: &mut String, what: &str, time: Duration) -> std::fmt::Result {
    writeln!(out, "    {what:<46}{:>7} ms", time.as_millis())
}
