//! Reads a TOML table key by key, telling what is wrong in the file's own words.
//!
//! serde's derived readers stop at the first mistake and speak of Rust types ("invalid type: integer,
//! expected a string"), so the tables are walked as the spanned values the `toml` crate gives. A
//! getter returns nothing both for a missing key and for a wrong value; the latter is then already
//! in the report, and no `Config` is built from a report with mistakes in it.

use super::duration;
use super::error::{At, Report, Span, quoted};
use super::keys::{Keys, TABLES};
use super::nearest::nearest;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One table of the file.
pub(super) struct Section<'a> {
    title: String,
    table: &'a DeTable<'a>,
    keys: &'static Keys,
    /// What its unknown keys were probably meant to be.
    meant: Vec<&'static str>,
    /// Its header, or itself when it is written inline.
    pub span: Span,
}

impl<'a> Section<'a> {
    /// Opens a table, and notes every key that it should not have.
    pub fn open(
        table: &'a DeTable<'a>,
        span: Span,
        keys: &'static Keys,
        report: &mut Report,
    ) -> Section<'a> {
        Section::open_as(keys.table, &[], table, span, keys, report)
    }

    /// Opens a table by a title of its own, silent about some further keys.
    pub fn open_as(
        title: &str,
        further: &[&str],
        table: &'a DeTable<'a>,
        span: Span,
        keys: &'static Keys,
        report: &mut Report,
    ) -> Section<'a> {
        let mut meant = Vec::new();
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if keys.find(name).is_none() && !further.contains(&name) {
                meant.extend(unknown_key(name, &key.span(), title, keys, report));
            }
        }
        Section {
            title: title.to_owned(),
            table,
            keys,
            meant,
            span,
        }
    }

    /// The value of a key, whatever it is.
    pub fn value(&self, name: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        debug_assert!(self.keys.find(name).is_some(), "{name} is in no table");
        self.table.get(name)
    }

    /// Where a key stands; the table's header when it is absent.
    pub fn key_span(&self, name: &str) -> Span {
        let entry = self.table.get_key_value(name);
        entry.map_or(self.span.clone(), |(key, _)| key.span())
    }

    /// Whether a key is neither there nor, in other letters, among those already noted as unknown.
    pub fn lacks(&self, name: &str) -> bool {
        self.value(name).is_none() && !self.meant.contains(&name)
    }

    /// Notes a mistake if the key is missing.
    pub fn require(&self, name: &str, report: &mut Report) {
        if self.lacks(name) {
            let what = format!("{} has no `{name}`", self.title);
            report.add(&self.span, what, format!("add {}", self.example(name)));
        }
    }

    /// A table within this one; nothing where it is absent or no table.
    pub fn table(
        &self,
        name: &str,
        keys: &'static Keys,
        report: &mut Report,
    ) -> Option<Section<'a>> {
        let value = self.value(name)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Section::open(table, value.span(), keys, report)),
            other => {
                let what = format!("`{name}` must be a table, not {}", kind(other));
                let help = format!("write it once, as `{}` on a line of its own", keys.table);
                report.add(&value.span(), what, help);
                None
            }
        }
    }

    /// A text.
    pub fn text(&self, name: &str, report: &mut Report) -> Option<At<&'a str>> {
        let value = self.value(name)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(name, "a text in quotes", value, report);
        }
        Some(at(text?, value))
    }

    /// True or false.
    pub fn flag(&self, name: &str, report: &mut Report) -> Option<bool> {
        let value = self.value(name)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(name, "true or false, without quotes", value, report);
        }
        flag
    }

    /// A whole number within limits.
    pub fn number(
        &self,
        name: &str,
        limits: std::ops::RangeInclusive<u32>,
        why: &str,
        report: &mut Report,
    ) -> Option<At<u32>> {
        let value = self.value(name)?;
        let DeValue::Integer(integer) = value.get_ref() else {
            self.wrong_type(name, "a whole number, without quotes", value, report);
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.and_then(|number| u32::try_from(number).ok());
        match number.filter(|number| limits.contains(number)) {
            Some(number) => Some(at(number, value)),
            None => {
                let (low, high) = (limits.start(), limits.end());
                let what = format!("`{name}` is {integer}, outside {low} to {high}");
                report.add(&value.span(), what, why);
                None
            }
        }
    }

    /// A duration within limits.
    pub fn duration(
        &self,
        name: &str,
        limits: std::ops::RangeInclusive<Duration>,
        why: &str,
        report: &mut Report,
    ) -> Option<At<Duration>> {
        let value = self.value(name)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(name, "a duration in quotes", value, report);
            return None;
        };
        match duration::parse(text) {
            Ok(duration) if limits.contains(&duration) => Some(at(duration, value)),
            Ok(_) => {
                let (low, high) = (limits.start(), limits.end());
                let (low, high) = (duration::show(*low), duration::show(*high));
                let what = format!("`{name}` is {text}, outside {low} to {high}");
                report.add(&value.span(), what, why);
                None
            }
            Err((what, help)) => {
                report.add(&value.span(), format!("`{name}`: {what}"), help);
                None
            }
        }
    }

    /// A list of texts.
    pub fn texts(&self, name: &str, report: &mut Report) -> Option<At<Vec<At<&'a str>>>> {
        let value = self.value(name)?;
        let expected = "a list of texts in quotes";
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(name, expected, value, report);
            return None;
        };
        let mut texts = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_str() {
                Some(text) => texts.push(at(text, item)),
                None => self.wrong_type(name, expected, item, report),
            }
        }
        (texts.len() == array.len()).then(|| at(texts, value))
    }

    /// Notes that a value is of the wrong type.
    pub fn wrong_type(
        &self,
        name: &str,
        expected: &str,
        value: &Spanned<DeValue>,
        report: &mut Report,
    ) {
        let what = format!("`{name}` must be {expected}, not {}", kind(value.get_ref()));
        let help = format!("write {}", self.example(name));
        report.add(&value.span(), what, help);
    }

    /// The key with its example, as a line to write.
    fn example(&self, name: &str) -> String {
        let example = self.keys.find(name).map_or("", |key| key.example);
        match example.starts_with('[') && example.ends_with(']') && !example.contains('"') {
            true => format!("`{example}`"),
            false => format!("`{name} = {example}`"),
        }
    }
}

/// Notes a mistake unless the name may stand in commands, logs and paths.
pub(super) fn check_name(what: &str, name: &At<&str>, report: &mut Report) {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let value = name.value;
    if value.is_empty() || value.len() > 64 || value.starts_with('-') || !value.chars().all(fits) {
        report.add(
            &name.span,
            format!("{} cannot be the name of a {what}", quoted(value)),
            "use 1 to 64 letters, digits, `.`, `_` and `-`, not first a `-`",
        );
    }
}

/// A TOML value's type, for people.
pub(super) fn kind(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn at<T>(value: T, place: &Spanned<DeValue>) -> At<T> {
    At {
        value,
        span: place.span(),
    }
}

/// Notes an unknown key; gives the known one that it was probably meant to be.
fn unknown_key(
    name: &str,
    span: &Span,
    title: &str,
    keys: &Keys,
    report: &mut Report,
) -> Option<&'static str> {
    let known = || keys.keys.iter().map(|key| key.name);
    let homes: Vec<_> = TABLES
        .iter()
        .filter(|home| home.find(name).is_some())
        .collect();
    let near = nearest(name, known());
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if !homes.is_empty() => {
            let homes: Vec<_> = homes.iter().map(|home| home.table).collect();
            format!("`{name}` belongs in {}", homes.join(" or in "))
        }
        None => {
            let known: Vec<_> = known().map(|name| format!("`{name}`")).collect();
            format!("known here: {}", known.join(", "))
        }
    };
    report.add(
        span,
        format!("unknown key {} in {title}", quoted(name)),
        help,
    );
    near
}
