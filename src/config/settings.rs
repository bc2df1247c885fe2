//! What a file sets, key by key, without comments, order of keys, line ends and secrets: what two files differ
//! in, and the digest by which the nodes notice it.

use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Every key with its value, by the path that a person would name it by: `group web, service nginx.service: restarts`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Those of a document.
    pub(super) fn of(document: &DeTable) -> Settings {
        let mut settings = BTreeMap::new();
        table("", document, &mut settings);
        Settings(settings)
    }

    /// For [`crate::wire::heartbeat::hash`].
    pub(super) fn text(&self) -> String {
        let lines = self
            .0
            .iter()
            .map(|(path, value)| format!("{path}={value}\n"));
        lines.collect()
    }

    /// What would change if `new` came in its place, one line each.
    pub fn changes(&self, new: &Settings) -> Vec<String> {
        let old = self.0.iter();
        let gone = old.filter(|(path, _)| !new.0.contains_key(*path));
        let gone = gone.map(|(path, value)| format!("{path} = {value}: taken out"));
        let other = new
            .0
            .iter()
            .filter_map(|(path, value)| match self.0.get(path) {
                None => Some(format!("{path} = {value}: new")),
                Some(old) if old != value => Some(format!("{path} = {value}: was {old}")),
                Some(_) => None,
            });
        gone.chain(other).collect()
    }
}

/// Every key's path with a hash of its value: enough to say in what two files differ, and no more.
pub type Digests = BTreeMap<String, u32>;

impl Settings {
    /// For the other node.
    pub fn digests(&self) -> Digests {
        let of = |value: &String| crate::wire::heartbeat::hash(value) as u32;
        let all = self.0.iter();
        all.map(|(path, value)| (path.clone(), of(value))).collect()
    }
}

/// In what two nodes' files differ, by group and key.
pub fn differences(here: (&str, &Digests), there: (&str, &Digests)) -> Vec<String> {
    let only = |(name, all): (&str, &Digests), other: &Digests| {
        let only = only_in(all, other).into_iter();
        let only: Vec<String> = only
            .map(|what| format!("{what} is on {name} only"))
            .collect();
        only
    };
    let mut differences = only(here, there.1);
    differences.extend(only(there, here.1));
    let differs = |(path, value): (&String, &u32)| {
        let other = there.1.get(path)?;
        (other != value && !is_order(path)).then(|| format!("{path} differs"))
    };
    differences.extend(here.1.iter().filter_map(differs));
    // The order differs with what is in it; alone it is worth a word.
    if differences.is_empty() && here.1 != there.1 {
        let order = here
            .1
            .iter()
            .find(|(path, value)| there.1.get(*path) != Some(value));
        differences.extend(order.map(|(path, _)| format!("{path} differs")));
    }
    differences
}

/// The resources that the first lists in a group and the second does not: "vip 192.0.2.80/24".
pub fn lacking(group: &str, first: &Digests, second: &Digests) -> Vec<String> {
    let of = format!("group {group}, ");
    let only = only_in(first, second).into_iter();
    only.filter_map(|what| what.strip_prefix(&of).map(str::to_owned))
        .filter(|what| !what.contains(": "))
        .collect()
}

/// The first lists the group, and the second does not.
pub fn lacks_group(group: &str, first: &Digests, second: &Digests) -> bool {
    let whole = format!("group {group}");
    only_in(first, second).contains(&whole)
}

/// What the first has and the second has not: whole groups, whole resources, or keys.
fn only_in(first: &Digests, second: &Digests) -> Vec<String> {
    let has = |what: &str| {
        let within = |path: &String| {
            let rest = path.strip_prefix(what);
            rest.is_some_and(|rest| rest.starts_with(": ") || rest.starts_with(", "))
        };
        second.keys().any(within)
    };
    let largest = |path: &String| {
        let ends = path.match_indices([',', ':']).map(|(at, _)| at);
        let ends = ends.filter(|at| path[*at + 1..].starts_with(' '));
        let mut wholes = ends.map(|at| path[..at].to_owned());
        wholes.find(|whole| !has(whole)).unwrap_or(path.clone())
    };
    let missing = first
        .keys()
        .filter(|path| !second.contains_key(*path) && !is_order(path));
    let mut only: Vec<String> = missing.map(largest).collect();
    only.dedup();
    only
}

fn is_order(path: &str) -> bool {
    path.ends_with(" order")
}

/// What must not be shown, nor told by a digest.
const SECRET: &str = "key";

fn table(path: &str, fields: &DeTable, settings: &mut BTreeMap<String, String>) {
    for (key, value) in fields {
        let key = key.get_ref().as_ref();
        let path = match path {
            "" => key.to_owned(),
            _ if path.contains(' ') => format!("{path}: {key}"),
            _ => format!("{path}.{key}"),
        };
        match value.get_ref() {
            DeValue::Table(fields) => table(&path, fields, settings),
            DeValue::Array(all) if all.iter().any(is_table) => tables(&path, all, settings),
            _ if path == format!("cluster.{SECRET}") => {
                settings.insert(path, "(secret)".into());
            }
            value => drop(settings.insert(path, show(value))),
        }
    }
}

/// Tables of one kind, each by its name; and their order.
fn tables<'a>(
    path: &str,
    all: impl IntoIterator<Item = &'a Spanned<DeValue<'a>>>,
    settings: &mut BTreeMap<String, String>,
) {
    let mut order = Vec::new();
    for each in all {
        let DeValue::Table(fields) = each.get_ref() else {
            continue;
        };
        let mut name = name(fields);
        // Several devices switch one node off, the first one first.
        let levels = (2..).map(|level| format!("{name} level {level}"));
        let mut names = std::iter::once(name.clone()).chain(levels);
        name = names.find(|name| !order.contains(name)).unwrap_or(name);
        let kind = path
            .strip_suffix(": resource")
            .or(path.strip_suffix(".resource"));
        let of = match kind {
            Some(group) => format!("{group}, {name}"),
            None => format!("{path} {name}"),
        };
        table(&of, fields, settings);
        order.push(name);
    }
    settings.insert(format!("{path} order"), order.join(", "));
}

fn is_table(value: &Spanned<DeValue>) -> bool {
    matches!(value.get_ref(), DeValue::Table(_))
}

/// What a group, a resource or a device is known by.
fn name(fields: &DeTable) -> String {
    let text = |key: &str| {
        let value = fields.get(key)?.get_ref();
        value.as_str().map(str::to_owned)
    };
    let kinds = ["vip", "service", "drbd", "mount"];
    let kind = kinds
        .iter()
        .find_map(|kind| Some(format!("{kind} {}", text(kind)?)));
    let named = || text("name").or_else(|| text("node"));
    kind.or_else(named).unwrap_or_else(|| "?".into())
}

fn show(value: &DeValue) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        DeValue::Array(all) => {
            let all: Vec<String> = all.iter().map(|value| show(value.get_ref())).collect();
            format!("[{}]", all.join(", "))
        }
        DeValue::Table(fields) => {
            let mut inner = BTreeMap::new();
            table("", fields, &mut inner);
            let inner: Vec<String> = inner
                .into_iter()
                .map(|(k, v)| format!("{k} = {v}"))
                .collect();
            format!("{{ {} }}", inner.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[cluster]\nname = \"edge-lb\"\nkey = \"00ff\"\n[[group]]\nname = \"web\"\nprefer = \"lb1\"\n\
        [[group.resource]]\nvip = \"192.0.2.80/24\"\n[[group.resource]]\nservice = \"nginx.service\"\nrestarts = 2\n\
        check = { http = \"http://127.0.0.1/\" }\n";

    fn settings(text: &str) -> Settings {
        Settings::of(DeTable::parse(text).expect("TOML").get_ref())
    }

    #[test]
    fn comments_order_of_keys_and_line_ends_do_not_count() {
        let other = FILE
            .replace(
                "name = \"web\"\nprefer = \"lb1\"\n",
                "prefer = 'lb1' # the bigger\nname = 'web'\n",
            )
            .replace('\n', "\r\n");
        assert_eq!(settings(FILE), settings(&other));
        assert_eq!(settings(FILE).changes(&settings(&other)), [""; 0]);
    }

    #[test]
    fn two_nodes_files_differ_in_groups_resources_and_keys() {
        let differences = |new: &str| {
            let (here, there) = (settings(FILE).digests(), settings(new).digests());
            differences(("lb1", &here), ("lb2", &there))
        };
        assert_eq!(differences(&FILE.replace("00ff", "11ee")), [""; 0]);
        let other = FILE
            .replace("prefer = \"lb1\"\n", "failback = \"auto\"\n")
            .replace("restarts = 2", "restarts = 0");
        assert_eq!(
            differences(&other),
            [
                "group web: prefer is on lb1 only",
                "group web: failback is on lb2 only",
                "group web, service nginx.service: restarts differs",
            ]
        );
        let more = "[[group.resource]]\nvip = \"192.0.2.83/24\"\ninterface = \"eth1\"\n";
        assert_eq!(
            differences(&format!("{FILE}{more}")),
            ["group web, vip 192.0.2.83/24 is on lb2 only"]
        );
        let group = "[[group]]\nname = \"db\"\n[[group.resource]]\nvip = \"192.0.2.90/24\"\n";
        assert_eq!(
            differences(&format!("{FILE}{group}")),
            ["group db is on lb2 only"]
        );
        let vip = "[[group.resource]]\nvip = \"192.0.2.80/24\"\n";
        let last = FILE.replace(vip, "") + vip;
        assert_eq!(differences(&last), ["group web: resource order differs"]);
    }

    #[test]
    fn what_a_move_would_lose_is_known() {
        let more = "[[group.resource]]\nvip = \"192.0.2.83/24\"\n";
        let (few, all) = (settings(FILE), settings(&format!("{FILE}{more}")));
        let (few, all) = (few.digests(), all.digests());
        assert_eq!(lacking("web", &all, &few), ["vip 192.0.2.83/24"]);
        assert_eq!(lacking("web", &few, &all), [""; 0]);
        assert_eq!(lacking("we", &all, &few), [""; 0]);
        let without_prefer = settings(&FILE.replace("prefer = \"lb1\"\n", "")).digests();
        assert_eq!(lacking("web", &few, &without_prefer), [""; 0]);
    }

    #[test]
    fn differences_are_named_by_group_and_key_and_no_secret_is() {
        let new = FILE
            .replace("prefer = \"lb1\"\n", "failback = \"auto\"\n")
            .replace("restarts = 2", "restarts = 0")
            .replace("00ff", "11ee");
        assert_eq!(
            settings(FILE).changes(&settings(&new)),
            [
                "group web: prefer = \"lb1\": taken out",
                "group web, service nginx.service: restarts = 0: was 2",
                "group web: failback = \"auto\": new",
            ]
        );
        assert!(!settings(FILE).text().contains("00ff"));
        let swapped = FILE.replace("vip = \"192.0.2.80/24\"", "vip = \"192.0.2.81/24\"");
        let changes = settings(FILE).changes(&settings(&swapped));
        assert!(
            changes.iter().any(|c| c.contains("192.0.2.81/24")),
            "{changes:?}"
        );
    }
}
