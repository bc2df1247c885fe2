//! Reads `[gateway]`.

use super::address;
use super::error::{At, Report, quoted};
use super::keys::GATEWAY;
use super::nodes::{NamedNode, link_owner};
use super::places::Subject;
use super::read::Section;
use super::rhythm::{Limits, rhythm};
use super::schema::{Gateway, Require};
use std::net::IpAddr;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The shortest interval.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// Reads `[gateway]`.
pub(super) fn gateway(top: &Section, nodes: &[NamedNode], report: &mut Report) -> Gateway {
    let mut gateway = Gateway::default();
    let Some(section) = top.table("gateway", &GATEWAY, report) else {
        return gateway;
    };
    if let Some(texts) = section.texts("addresses", report) {
        gateway.addresses = Some(gateway_addresses(&texts.value, nodes, report));
    }
    if let Some(require) = section.text("require", report) {
        match require.value {
            "any" => gateway.require = Require::Any,
            "all" => gateway.require = Require::All,
            other => report.add(
                &require.span,
                format!("`require` is {}", quoted(other)),
                "write \"any\" (one answer is enough) or \"all\"",
            ),
        }
    }
    (gateway.interval, gateway.timeout) = rhythm(
        &section,
        "the gateway",
        Limits {
            within: SHORTEST_INTERVAL..=MINUTE,
            why: "choose between these: more pings are a load on the router, fewer are no watch",
            default: gateway.interval,
        },
        Limits {
            within: MS..=MINUTE,
            why: "choose between these: a router on the LAN answers in a millisecond, a busy one in some hundred",
            default: gateway.timeout,
        },
        report,
    );
    let why = "choose between these: 3 tells a lost ping from a lost gateway";
    if let Some(misses) = section.number("misses", 1..=100, why, report) {
        gateway.misses = misses.value;
    }
    let why =
        "choose between these: much longer, and a gateway that is back counts as lost all day";
    if let Some(dampening) = section.duration("dampening", Duration::ZERO..=HOUR, why, report) {
        gateway.dampening = dampening.value;
    }
    gateway
}

fn gateway_addresses(texts: &[At<&str>], nodes: &[NamedNode], report: &mut Report) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for text in texts {
        match address::gateway(text.value) {
            Ok(address) if addresses.contains(&address) => report.add(
                &text.span,
                format!("{address} is named twice"),
                "delete one of the two",
            ),
            Ok(address) => {
                if let Some((node, there)) = link_owner(address, nodes, report) {
                    report.add(
                        &text.span,
                        format!("{address} is a link of {node} (line {there}), not a gateway"),
                        "name something that answers when a node is dead: the router, or the switch",
                    );
                }
                report.mark(Subject::Gateway(address), &text.span);
                addresses.push(address);
            }
            Err((what, help)) => report.add(&text.span, what, help),
        }
    }
    addresses
}
