//! Reads `[node.NAME]`, of which there are two.

use super::address;
use super::error::{At, Report, Span};
use super::keys::NODE;
use super::nearest::nearest;
use super::places::Subject;
use super::read::{Section, check_name, kind};
use super::schema::{MAX_LINKS, NodeConfig};
use crate::wire::heartbeat::Side;
use std::net::IpAddr;

/// A node with the places of its parts, so that what contradicts them can be pointed at.
#[derive(Clone, Debug, Default)]
pub(super) struct NamedNode {
    pub name: String,
    pub links: Vec<At<IpAddr>>,
}

impl From<NamedNode> for NodeConfig {
    fn from(node: NamedNode) -> NodeConfig {
        NodeConfig {
            name: node.name,
            links: node.links.into_iter().map(|link| link.value).collect(),
        }
    }
}

/// Reads every node, in the file's order.
pub(super) fn nodes(top: &Section, report: &mut Report) -> Vec<NamedNode> {
    let help = "add `[node.NAME]` with `links` for each of the two, NAME being its host name";
    let Some(value) = top.value("node") else {
        if top.lacks("node") {
            report.add(&report.end(), "there are no nodes", help);
        }
        return Vec::new();
    };
    let Some(table) = value.get_ref().as_table() else {
        let what = format!("`node` must be two tables, not {}", kind(value.get_ref()));
        report.add(&value.span(), what, help);
        return Vec::new();
    };
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut nodes: Vec<NamedNode> = Vec::new();
    for (name, value) in &entries {
        let name = At {
            value: name.get_ref().as_ref(),
            span: name.span(),
        };
        check_name("node", &name, report);
        let Some(table) = value.get_ref().as_table() else {
            let what = format!(
                "`node.{}` must be a table, not {}",
                name.value,
                kind(value.get_ref())
            );
            report.add(&value.span(), what, help);
            continue;
        };
        let title = format!("[node.{}]", name.value);
        let section = Section::open_as(&title, &[], table, value.span(), &NODE, report);
        let links = links(&name, &section, &nodes, report);
        if let Some(side) = [Side::First, Side::Second].get(nodes.len()) {
            for (i, link) in links.iter().enumerate() {
                report.mark(Subject::Link(*side, i), &link.span);
            }
        }
        nodes.push(NamedNode {
            name: name.value.to_owned(),
            links,
        });
    }
    match entries.as_slice() {
        [_, _] => pairs(&nodes, &entries[1].0.span(), report),
        [.., (last, _)] => {
            let names: Vec<_> = entries
                .iter()
                .map(|(name, _)| name.get_ref().as_ref())
                .collect();
            let (count, names) = (names.len(), names.join(", "));
            let what = match count {
                1 => format!("one node only: {names}"),
                _ => format!("{count} nodes: {names}"),
            };
            report.add(&last.span(), what, "name exactly two: this is a pair");
        }
        [] => report.add(&value.span(), "there are no nodes", help),
    }
    nodes
}

/// What to do about a name that is no node's.
pub(super) fn known_nodes(name: &str, nodes: &[NamedNode]) -> String {
    let names = || nodes.iter().map(|node| node.name.as_str());
    match nearest(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "the nodes are {}",
            names().collect::<Vec<_>>().join(" and ")
        ),
    }
}

/// The node that has this address as a link, and where the file says so.
pub(super) fn link_owner(
    address: IpAddr,
    nodes: &[NamedNode],
    report: &Report,
) -> Option<(String, String)> {
    nodes.iter().find_map(|node| {
        let link = node.links.iter().find(|link| link.value == address)?;
        Some((node.name.clone(), report.line_column(&link.span)))
    })
}

fn links(
    name: &At<&str>,
    section: &Section,
    earlier: &[NamedNode],
    report: &mut Report,
) -> Vec<At<IpAddr>> {
    section.require("links", report);
    let mut links: Vec<At<IpAddr>> = Vec::new();
    let Some(texts) = section.texts("links", report) else {
        return links;
    };
    if texts.value.is_empty() {
        report.add(
            &texts.span,
            format!("node {} has no links", name.value),
            "name at least one address of it; two, on separate networks, survive a cable",
        );
    }
    if texts.value.len() > MAX_LINKS {
        let what = format!("{} links: more than {MAX_LINKS}", texts.value.len());
        report.add(&texts.span, what, "two or three separate paths are plenty");
    }
    for text in &texts.value {
        match address::link(text.value) {
            Ok(value) => {
                let known = earlier.iter().flat_map(|node| &node.links).chain(&links);
                let twin = known.into_iter().find(|link| link.value == value);
                if let Some(twin) = twin {
                    let there = report.line_column(&twin.span);
                    report.add(
                        &text.span,
                        format!("{value} is a link already (line {there})"),
                        "each address is one node's alone, and each link a path of its own",
                    );
                }
                links.push(At {
                    value,
                    span: text.span.clone(),
                });
            }
            Err((what, help)) => report.add(&text.span, what, help),
        }
    }
    // Half a list would be told apart from its peer's for the wrong reason.
    if links.len() == texts.value.len() {
        links
    } else {
        Vec::new()
    }
}

/// The i-th link of one node talks to the i-th of the other.
fn pairs(nodes: &[NamedNode], second: &Span, report: &mut Report) {
    let [a, b] = nodes else { return };
    if a.links.is_empty() || b.links.is_empty() {
        return;
    }
    if a.links.len() != b.links.len() {
        let counts = [(a, a.links.len()), (b, b.links.len())];
        let [first, other] = counts.map(|(node, count)| format!("{} has {count}", node.name));
        report.add(
            second,
            format!("the nodes differ in their number of links: {first}, {other}"),
            "the i-th link of one talks to the i-th of the other: give both as many",
        );
        return;
    }
    for (i, (ours, theirs)) in a.links.iter().zip(&b.links).enumerate() {
        if ours.value.is_ipv4() != theirs.value.is_ipv4() {
            report.add(
                &theirs.span,
                format!(
                    "link {} joins {} of {} to {} of {}: one is IPv4, the other IPv6",
                    i + 1,
                    ours.value,
                    a.name,
                    theirs.value,
                    b.name
                ),
                "the i-th link of one talks to the i-th of the other: write both in one order",
            );
        }
    }
}
