//! Reads `[[group]]`, and tells its resources' kinds apart.

use super::drbd::drbd;
use super::error::{At, Report, Span, quoted};
use super::keys::{DRBD, FAILBACK, GROUP, KINDS, MOUNT, SERVICE, VIP};
use super::mount::mount;
use super::nodes::{NamedNode, known_nodes};
use super::read::{Section, check_name, kind};
use super::schema::{Failback, Group, Resource};
use super::service::service;
use super::vifs;
use super::vip::{Around, vip};
use crate::wire::heartbeat::{MAX_GROUPS, MAX_VIFS, Side};
use std::net::IpAddr;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads every group.
pub(super) fn groups(
    top: &Section,
    nodes: &[NamedNode],
    gateways: Option<&[IpAddr]>,
    report: &mut Report,
) -> Vec<Group> {
    let help = "add `[[group]]` with a `name`, and below it `[[group.resource]]` with a `vip` or a `service`";
    let Some(value) = top.value("group") else {
        if top.lacks("group") {
            report.add(&report.end(), "there are no groups", help);
        }
        return Vec::new();
    };
    let Some(array) = value.get_ref().as_array() else {
        let what = format!(
            "`group` must be a list of tables, not {}",
            kind(value.get_ref())
        );
        let help = "write each group's header in two brackets: `[[group]]`";
        report.add(&value.span(), what, help);
        return Vec::new();
    };
    if array.is_empty() {
        report.add(&value.span(), "there are no groups", help);
    }
    let mut around = Around {
        nodes,
        gateways: gateways.unwrap_or_default(),
        vips: Vec::new(),
        units: Vec::new(),
        mounts: Vec::new(),
        drbd: Vec::new(),
    };
    let mut groups: Vec<Group> = Vec::new();
    let mut names: Vec<At<&str>> = Vec::new();
    for item in array.iter() {
        let Some(table) = item.get_ref().as_table() else {
            let what = format!("a group must be a table, not {}", kind(item.get_ref()));
            report.add(&item.span(), what, help);
            continue;
        };
        let section = Section::open(table, item.span(), &GROUP, report);
        let name = name(&section, &mut names, report);
        groups.push(group(&section, name, &mut around, report));
    }
    if let Some(extra) = array.get(MAX_GROUPS) {
        let what = format!("{} groups: more than {MAX_GROUPS}", array.len());
        let help =
            "put resources that may run together into one group; a group holds any number of VIPs";
        report.add(&extra.span(), what, help);
    }
    let (vifs, of_vips) = vifs::count(&groups);
    if vifs.len() > MAX_VIFS {
        let first_beyond = of_vips.iter().flatten().position(|vif| *vif >= MAX_VIFS);
        let vip = first_beyond.and_then(|place| around.vips.get(place));
        let what = format!(
            "the VIPs need {} interfaces: more than {MAX_VIFS}",
            vifs.len()
        );
        let help = "VIPs of one network share an interface, and so do those with the same `interface`: \
                    write it for single addresses";
        report.add(&vip.map_or(0..0, |(vip, _)| vip.span.clone()), what, help);
    }
    groups
}

fn name<'a>(section: &Section<'a>, names: &mut Vec<At<&'a str>>, report: &mut Report) -> String {
    section.require("name", report);
    let Some(name) = section.text("name", report) else {
        return String::new();
    };
    check_name("group", &name, report);
    if let Some(twin) = names.iter().find(|known| known.value == name.value) {
        let there = report.line_column(&twin.span);
        report.add(
            &name.span,
            format!(
                "a second group {} (the first: line {there})",
                quoted(name.value)
            ),
            "rename one of them: the token of a group goes by its name",
        );
    }
    let owned = name.value.to_owned();
    names.push(name);
    owned
}

fn group(section: &Section, name: String, around: &mut Around, report: &mut Report) -> Group {
    let prefer = section.text("prefer", report);
    let prefer = prefer.and_then(|prefer| node_side(&prefer, around.nodes, report));
    let failback = failback(section, report);
    if failback != Failback::Manual && section.lacks("prefer") {
        let place = section.key_span("failback");
        let what = "`failback` without `prefer`: there is no node to return to";
        report.add(&place, what, "add `prefer`, or delete `failback`");
    }
    let mut resources = Vec::new();
    let tables = match section
        .value("resource")
        .map(|value| (value, value.get_ref()))
    {
        None => &[],
        Some((_, DeValue::Array(array))) => &**array,
        Some((value, other)) => {
            let what = format!("`resource` must be a list of tables, not {}", kind(other));
            let help = "write each one's header in two brackets: `[[group.resource]]`";
            report.add(&value.span(), what, help);
            return Group {
                name,
                prefer,
                failback,
                resources,
            };
        }
    };
    if tables.is_empty() {
        report.add(
            &section.span,
            format!("group {} has no resources", quoted(&name)),
            "add `[[group.resource]]` with a `vip`, a `mount` or a `service` below it, or delete the group",
        );
    }
    for item in tables {
        resources.extend(resource(item, &name, around, report));
    }
    Group {
        name,
        prefer,
        failback,
        resources,
    }
}

/// The side of a node that the file names.
fn node_side(name: &At<&str>, nodes: &[NamedNode], report: &mut Report) -> Option<Side> {
    match nodes.iter().position(|node| node.name == name.value) {
        Some(0) => Some(Side::First),
        Some(_) => Some(Side::Second),
        None => {
            let what = format!("`prefer` names {}, which is no node", quoted(name.value));
            report.add(&name.span, what, known_nodes(name.value, nodes));
            None
        }
    }
}

fn failback(section: &Section, report: &mut Report) -> Failback {
    let help = "write \"manual\", \"auto\" or { after = \"5m\" }";
    let Some(value) = section.value("failback") else {
        return Failback::default();
    };
    match value.get_ref() {
        DeValue::String(text) if text == "manual" => Failback::Manual,
        DeValue::String(text) if text == "auto" => Failback::Auto,
        DeValue::String(other) => {
            report.add(
                &value.span(),
                format!("`failback` is {}", quoted(other)),
                help,
            );
            Failback::default()
        }
        DeValue::Table(table) => {
            let section = Section::open(table, value.span(), &FAILBACK, report);
            section.require("after", report);
            let limits = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
            let why = "write `failback = \"auto\"` to return at once, \"manual\" to stay";
            let after = section.duration("after", limits, why, report);
            after.map_or(Failback::default(), |after| Failback::After(after.value))
        }
        other => {
            let what = format!("`failback` must be a text or a table, not {}", kind(other));
            report.add(&value.span(), what, help);
            Failback::default()
        }
    }
}

fn resource(
    item: &Spanned<DeValue>,
    group: &str,
    around: &mut Around,
    report: &mut Report,
) -> Option<Resource> {
    let Some(table) = item.get_ref().as_table() else {
        let what = format!("a resource must be a table, not {}", kind(item.get_ref()));
        report.add(&item.span(), what, "write it as `[[group.resource]]`");
        return None;
    };
    let open = |keys, report: &mut Report| Section::open(table, item.span(), keys, report);
    let kinds = KINDS.keys.iter().map(|kind| kind.name);
    let kinds: Vec<&str> = kinds.filter(|kind| table.contains_key(*kind)).collect();
    match kinds[..] {
        ["vip"] => {
            let section = open(&VIP, report);
            vip(&section, group, around, report).map(Resource::Vip)
        }
        ["service"] => {
            let section = open(&SERVICE, report);
            service(&section, group, around, report).map(Resource::Service)
        }
        ["mount"] => {
            let section = open(&MOUNT, report);
            mount(&section, group, around, report).map(Resource::Mount)
        }
        ["drbd"] => {
            let section = open(&DRBD, report);
            drbd(&section, group, around, report).map(Resource::Drbd)
        }
        [first, second, ..] => {
            let what = format!("`{first}` and `{second}` in one resource");
            let help = "write a `[[group.resource]]` for each, in the order in which they start: drbd, mount, VIP, service";
            let keys = kinds.iter().filter_map(|kind| table.get_key_value(*kind));
            let last = keys
                .map(|(key, _)| key.span())
                .max_by_key(|span| span.start);
            report.add(&last.unwrap_or(item.span()), what, help);
            None
        }
        _ => {
            kindless(table, item.span(), report);
            None
        }
    }
}

/// Notes that a resource does not say what it is; its other keys are told nothing about.
fn kindless(table: &DeTable, span: Span, report: &mut Report) {
    let all = [&VIP, &SERVICE, &MOUNT, &DRBD].map(|keys| keys.keys.iter().map(|key| key.name));
    let further: Vec<&str> = all.into_iter().flatten().collect();
    let section = Section::open_as(KINDS.table, &further, table, span, &KINDS, report);
    if KINDS.keys.iter().all(|kind| section.lacks(kind.name)) {
        let help = "add `vip = \"192.168.10.80/24\"` or `service = \"haproxy.service\"`";
        report.add(&section.span, "a resource without its kind", help);
    }
}
