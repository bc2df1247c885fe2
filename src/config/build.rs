//! From a text to a [`Config`]: the tables in turn, each in a file of its name.

use super::cluster::cluster;
use super::error::{Error, Report};
use super::fencing::fencing;
use super::gateway::gateway;
use super::groups::groups;
use super::heartbeat::{heartbeat, start_outlasts_detection};
use super::key::{Refusal, Secret};
use super::keys::{LATER_TABLES, TOP};
use super::nodes::{NamedNode, nodes};
use super::read::Section;
use super::schema::Config;
use super::settings::Settings;
use crate::wire::heartbeat::hash;
use std::path::Path;
use toml::de::DeTable;

/// Reads the file of that path, which holds such a secret.
pub(super) type ReadSecret<'a> = &'a dyn Fn(&Path, Secret) -> Result<String, Refusal>;
/// Checks that ha.toml itself may hold a key.
pub(super) type CheckPrivate<'a> = &'a dyn Fn() -> Result<(), Refusal>;

/// Checks a text and gives its meaning, or every mistake in it.
pub(super) fn build(
    text: &str,
    path: &Path,
    read_secret: ReadSecret,
    check_private: CheckPrivate,
) -> Result<Config, Error> {
    let mut report = Report::new(path, text);
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => return Err(syntax(text, &error, report)),
    };
    let report = &mut report;
    let top = top(document.get_ref(), report);
    let cluster = cluster(&top, read_secret, check_private, report);
    let heartbeat = heartbeat(&top, report);
    start_outlasts_detection(&top, &cluster, &heartbeat, report);
    let nodes = nodes(&top, report);
    let gateway = gateway(&top, &nodes, report);
    let groups = groups(&top, &nodes, gateway.addresses.as_deref(), report);
    let fencing = fencing(&top, &nodes, &heartbeat, read_secret, report);

    let [first, second] = <[NamedNode; 2]>::try_from(nodes).unwrap_or_default();
    if !report.is_clean() {
        return Err(std::mem::replace(report, Report::new(path, text)).into_error());
    }
    let settings = Settings::of(document.get_ref());
    Ok(Config {
        cluster,
        heartbeat,
        nodes: [first.into(), second.into()],
        gateway,
        groups,
        fencing,
        digest: hash(&settings.text()),
        settings,
        path: path.to_owned(),
        places: std::mem::take(&mut report.places),
    })
}

/// The file's outermost table. What a later version will know is refused by name, and must not be
/// called a typing error.
fn top<'a>(document: &'a DeTable<'a>, report: &mut Report) -> Section<'a> {
    for key in document.keys() {
        let name = key.get_ref().as_ref();
        if LATER_TABLES.contains(&name) {
            report.add(
                &key.span(),
                format!("this version has no `{name}` yet"),
                "delete it; `[[fence]]`, a device that switches a silent node off, makes the pair safe",
            );
        }
    }
    Section::open_as(TOP.table, &LATER_TABLES, document, 0..0, &TOP, report)
}

/// A syntax error of the toml crate, with a word on what to do.
fn syntax(text: &str, error: &toml::de::Error, mut report: Report) -> Error {
    let span = error.span().unwrap_or(0..0);
    let span = span.start.min(text.len())..span.end.min(text.len());
    let message = error.message();
    let help = if message.starts_with("duplicate key") && text.get(span.clone()) == Some("group") {
        "`[[group]]` has two brackets, and stands above its `[[group.resource]]`"
    } else if message.starts_with("duplicate key") {
        "a key or table stands once: delete or rename one of the two"
    } else if message.starts_with("string values must be quoted") {
        "put texts and durations in quotes: `name = \"web\"`, `interval = \"100ms\"`"
    } else {
        "ha.toml is TOML: `key = value`, one a line, texts in quotes, `[table]` in brackets"
    };
    report.add(&span, message, help);
    report.into_error()
}
