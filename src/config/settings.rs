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
        let name = name(fields);
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
