//! Reads a `[[group.resource]]` of kind `vip`.

use super::address;
use super::error::{At, Report, quoted};
use super::nodes::{NamedNode, known_nodes, link_owner};
use super::places::Subject;
use super::read::{Section, kind};
use super::schema::Vip;
use ipnet::IpNet;
use std::net::IpAddr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What the rest of the file says that a group may name or must not contradict.
pub(super) struct Around<'a> {
    pub nodes: &'a [NamedNode],
    pub gateways: &'a [IpAddr],
    /// Every VIP so far, and the group it belongs to.
    pub vips: Vec<(At<IpNet>, String)>,
    /// Every unit so far, by its full name, and the group it belongs to.
    pub units: Vec<(At<String>, String)>,
    /// Every mount so far.
    pub drbd: Vec<(String, String, super::error::Span)>,
    pub mounts: Vec<super::mount::Known>,
}

/// Reads a VIP, and notes it among those of the file.
pub(super) fn vip(
    section: &Section,
    group: &str,
    around: &mut Around,
    report: &mut Report,
) -> Option<Vip> {
    let interface = interface(section, around.nodes, report);
    let text = section.text("vip", report)?;
    let address = match address::vip(text.value) {
        Ok(address) => address,
        Err((what, help)) => {
            report.add(&text.span, format!("`vip`: {what}"), help);
            return None;
        }
    };
    let at = At {
        value: address,
        span: text.span,
    };
    report.mark(Subject::Vip(address.addr()), &at.span);
    contradictions(&at, group, around, report);
    if address::is_link_local_v6(address.addr()) && interface == [None, None] {
        report.add(
            &at.span,
            format!(
                "`vip`: {} is link-local: every interface's network holds it",
                address.addr()
            ),
            "add `interface`",
        );
    }
    around.vips.push((at, group.to_owned()));
    Some(Vip { address, interface })
}

/// Notes where a VIP's address is somebody else's.
fn contradictions(vip: &At<IpNet>, group: &str, around: &Around, report: &mut Report) {
    let address = vip.value.addr();
    let twin = around
        .vips
        .iter()
        .find(|(known, _)| known.value.addr() == address);
    if let Some((twin, owner)) = twin {
        let there = report.line_column(&twin.span);
        let (what, help) = if owner == group {
            (
                format!("VIP {address} is in this group already (line {there})"),
                "delete one of the two",
            )
        } else {
            (
                format!("VIP {address} is in group `{owner}` already (line {there})"),
                "two groups may run on two nodes, an address on one: delete one of the two",
            )
        };
        report.add(&vip.span, what, help);
    }
    if let Some((node, there)) = link_owner(address, around.nodes, report) {
        report.add(
            &vip.span,
            format!("VIP {address} is the own address of {node} (a link, line {there})"),
            "a VIP moves between the nodes: choose an address that neither has",
        );
    }
    if around.gateways.contains(&address) {
        report.add(
            &vip.span,
            format!("VIP {address} is the gateway's address"),
            "choose an address that nobody has, or correct `addresses` of [gateway]",
        );
    }
}

/// The interface of a VIP: one name for both nodes, or a table with one for each.
fn interface(section: &Section, nodes: &[NamedNode], report: &mut Report) -> [Option<String>; 2] {
    let Some(value) = section.value("interface") else {
        return [None, None];
    };
    match value.get_ref() {
        DeValue::String(name) => {
            let name = interface_name(name, value, report);
            [name.clone(), name]
        }
        DeValue::Table(table) => interface_table(table, value, nodes, report),
        _ => {
            section.wrong_type("interface", "a text or a table", value, report);
            [None, None]
        }
    }
}

fn interface_table(
    table: &DeTable,
    place: &Spanned<DeValue>,
    nodes: &[NamedNode],
    report: &mut Report,
) -> [Option<String>; 2] {
    let mut interface = [None, None];
    let mut unknown = false;
    for (key, value) in table.iter() {
        let side = nodes
            .iter()
            .position(|node| node.name == key.get_ref().as_ref());
        let Some(side) = side.filter(|side| *side < 2) else {
            unknown = true;
            let what = format!(
                "`interface` names {}, which is no node",
                quoted(key.get_ref())
            );
            report.add(&key.span(), what, known_nodes(key.get_ref(), nodes));
            continue;
        };
        match value.get_ref().as_str() {
            Some(name) => interface[side] = interface_name(name, value, report),
            None => {
                let what = format!("an interface must be a text, not {}", kind(value.get_ref()));
                report.add(&value.span(), what, "write its name in quotes: \"eth0\"");
            }
        }
    }
    let missing = nodes
        .iter()
        .find(|node| !table.contains_key(node.name.as_str()));
    if let Some(missing) = missing.filter(|_| !unknown) {
        report.add(
            &place.span(),
            format!("`interface` says nothing of {}", missing.name),
            format!(
                "add `{} = \"eth0\"` to it: the nodes must agree which VIPs share one",
                missing.name
            ),
        );
    }
    interface
}

/// An interface's name, if the kernel could give it and a VIP could live there.
fn interface_name(name: &str, place: &Spanned<DeValue>, report: &mut Report) -> Option<String> {
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && c != '/' && c != ':';
    if name == "lo" {
        let what = "`lo` has no neighbours that a takeover could be announced to";
        report.add(&place.span(), what, "name the interface that clients reach");
    } else if name.is_empty() || name.len() > 15 || name.starts_with('.') || !name.chars().all(fits)
    {
        let what = format!("{} cannot be the name of an interface", quoted(name));
        report.add(&place.span(), what, "`ip link` shows their names: \"eth0\"");
    } else {
        return Some(name.to_owned());
    }
    None
}
