//! What is wrong with ha.toml, told so that it can be put right at once.
//!
//! Every mistake has the same look: where it is, what is wrong, the line itself with a caret under
//! the place, and what to do. All mistakes of a file are told together, in the file's order.
//!
//! ```text
//! /etc/ha-appliance/ha.toml:9:1: unknown key `intervall` in [heartbeat]
//!   9 | intervall = "100ms"
//!     | ^^^^^^^^^
//!     did you mean `interval`?
//! ```

use super::fencing::is_secret;
use super::places::{Places, Subject};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A name or a value as the file has it, between backticks; of an empty one nothing would be seen there.
pub(super) fn quoted(text: &str) -> Quoted<'_> {
    Quoted(text)
}

pub(super) struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("`\"\"`"),
            text => write!(f, "`{text}`"),
        }
    }
}

/// The exit status for a configuration that cannot be used: EX_CONFIG of sysexits.h.
pub const EX_CONFIG: u8 = 78;

/// Why a configuration cannot be used. Displays every mistake, without a final newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// At least one, in the file's order.
    pub mistakes: Vec<Mistake>,
    /// Nothing was read, for want of descriptors or memory: that says nothing of the file.
    pub passing: bool,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where; none when no place in a file is to blame.
    pub place: Option<Place>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The line's text, keys masked; none when the line must not be shown.
    pub excerpt: Option<String>,
    /// How many characters the caret covers; at least one.
    pub width: usize,
}

impl Error {
    /// A single mistake that no place in a file is to blame for.
    pub(super) fn unplaced(what: impl Into<String>, help: impl Into<String>) -> Error {
        let mistake = Mistake {
            place: None,
            what: what.into(),
            help: help.into(),
        };
        Error {
            mistakes: vec![mistake],
            passing: false,
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.mistakes.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = &self.place else {
            return write!(f, "{}\n    {}", self.what, self.help);
        };
        let path = place.path.display();
        writeln!(f, "{path}:{}:{}: {}", place.line, place.column, self.what)?;
        if let Some(excerpt) = &place.excerpt {
            // Tabs stay tabs, so that the caret stands below its place at any tab width.
            let indent: String = excerpt
                .chars()
                .take(place.column - 1)
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            writeln!(f, "{:>3} | {excerpt}", place.line)?;
            let gutter = place.line.to_string().len().max(3);
            writeln!(f, "{:gutter$} | {indent}{}", "", "^".repeat(place.width))?;
        }
        write!(f, "    {}", self.help)
    }
}

/// A piece of the text, in bytes.
pub(super) type Span = Range<usize>;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub value: T,
    pub span: Span,
}

/// The file under examination and the mistakes found so far.
pub(super) struct Report<'a> {
    pub path: &'a Path,
    text: &'a str,
    found: Vec<(usize, Mistake)>,
    /// Where what is checked against the machine stands.
    pub places: Places,
}

impl<'a> Report<'a> {
    pub fn new(path: &'a Path, text: &'a str) -> Report<'a> {
        Report {
            path,
            text,
            found: Vec::new(),
            places: Places::default(),
        }
    }

    /// Notes a mistake at a place of the file.
    pub fn add(&mut self, span: &Span, what: impl Into<String>, help: impl Into<String>) {
        let mistake = Mistake {
            place: Some(self.place(span)),
            what: what.into(),
            help: help.into(),
        };
        self.found.push((span.start, mistake));
    }

    /// Notes a mistake that lies in another file, but belongs to this place of this one.
    pub fn add_elsewhere(&mut self, span: &Span, mistake: Mistake) {
        self.found.push((span.start, mistake));
    }

    /// Notes where a value stands that the machine may turn out not to bear.
    pub fn mark(&mut self, subject: Subject, span: &Span) {
        let place = self.place(span);
        self.places.add(subject, place);
    }

    /// "line:column", to point from one mistake to another place of the same file.
    pub fn line_column(&self, span: &Span) -> String {
        let (line, column, _) = locate(self.text, span.start);
        format!("{line}:{column}")
    }

    /// The end of the file, where what is missing would be added.
    pub fn end(&self) -> Span {
        self.text.len()..self.text.len()
    }

    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// All mistakes, in the file's order.
    pub fn into_error(mut self) -> Error {
        self.found.sort_by_key(|(start, _)| *start);
        Error {
            mistakes: self.found.into_iter().map(|(_, m)| m).collect(),
            passing: false,
        }
    }

    fn place(&self, span: &Span) -> Place {
        let (line, column, text) = locate(self.text, span.start);
        let left = text.chars().count().saturating_sub(column - 1);
        let wanted = self.text.get(span.clone()).unwrap_or("").lines().next();
        Place {
            path: self.path.to_owned(),
            line,
            column,
            excerpt: Some(masked(text)),
            width: wanted.unwrap_or("").chars().count().min(left).max(1),
        }
    }
}

/// Line and column, from 1, of a byte, and the line's text.
pub(super) fn locate(text: &str, byte: usize) -> (usize, usize, &str) {
    let mut within = (0..=byte.min(text.len())).rev();
    let byte = within
        .find(|byte| text.is_char_boundary(*byte))
        .unwrap_or(0);
    let start = text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[byte..].find('\n').map_or(text.len(), |n| byte + n);
    let line = text[..start].matches('\n').count() + 1;
    let column = text[start..byte].chars().count() + 1;
    (line, column, text[start..end].trim_end_matches('\r'))
}

/// The line as it may be printed: errors end up in journals and tickets, where an inline key must
/// not. Columns stay where they were. Control characters would reach the reader's terminal.
fn masked(line: &str) -> String {
    let secret = key_value(line).into_iter().chain(option_value(line));
    let secret_from = secret.min().unwrap_or(line.len());
    let long_hex = long_hex(line);
    line.char_indices()
        .map(|(i, c)| match c {
            '\t' => c,
            c if c.is_control() => '\u{fffd}',
            c if (i >= secret_from || long_hex.iter().any(|span| span.contains(&i)))
                && c.is_alphanumeric() =>
            {
                '*'
            }
            c => c,
        })
        .collect()
}

/// Hex digits that look like keys wherever they stand, as the lines of a multi-line text.
fn long_hex(line: &str) -> Vec<Span> {
    let other = |c: char| !c.is_ascii_hexdigit();
    let mut start = 0;
    let words = line.split_inclusive(other).map(|word| {
        let span = start..start + word.trim_end_matches(other).len();
        start += word.len();
        span
    });
    words
        .filter(|span| span.len() >= 2 * super::key::MIN_KEY)
        .collect()
}

/// Where the value of `key = …` begins, also in `cluster.key = …` and `{ key = … }`, quoted or not.
fn key_value(line: &str) -> Option<usize> {
    line.match_indices("key").find_map(|(at, _)| {
        let before = line[..at].chars().next_back();
        let own_word = before.is_none_or(|c| !(c.is_alphanumeric() || c == '_' || c == '-'));
        let rest = line[at + 3..].trim_start_matches(['"', '\'']).trim_start();
        (own_word && rest.starts_with('=')).then(|| line.len() - rest.len())
    })
}

/// Where the value of an agent's secret option begins.
fn option_value(line: &str) -> Option<usize> {
    let mut start = 0;
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    line.split_inclusive(|c| !word(c)).find_map(|piece| {
        let name = piece.trim_end_matches(|c| !word(c));
        let rest = &line[start + name.len()..];
        let rest = rest.trim_start_matches(['"', '\'']).trim_start();
        start += piece.len();
        let is_file = name.ends_with("_file");
        (is_secret(name) && !is_file && rest.starts_with('=')).then(|| line.len() - rest.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        for (line, shown) in [
            (r#"key = "00ff""#, r#"key = "****""#),
            (r#"key="00ff" # old"#, r#"key="****" # ***"#),
            (
                r#"options = { ip = "a", passwd = "s3", x = 1 }"#,
                r#"options = { ip = "a", passwd = "**", * = * }"#,
            ),
            (
                r#"options = { password_file = "/etc/pw" }"#,
                r#"options = { password_file = "/etc/pw" }"#,
            ),
            (r#"cluster.key = "00ff"#, r#"cluster.key = "****"#),
            (
                r#"cluster = { key = "00ff" }"#,
                r#"cluster = { key = "****" }"#,
            ),
            (r#""key" = '00ff'"#, r#""key" = '****'"#),
            (r#"key_file = "/etc/key""#, r#"key_file = "/etc/key""#),
            (
                "00112233445566778899aabbccddeeff",
                "********************************",
            ),
            (
                r#"keys = ["00112233445566778899aabbccddeeff", "é00112233445566778899aabbccddeeff"]"#,
                r#"keys = ["********************************", "é********************************"]"#,
            ),
            (r#"monkey = "banana""#, r#"monkey = "banana""#),
        ] {
            assert_eq!(masked(line), shown);
        }
    }

    #[test]
    fn a_caret_stands_below_its_place() {
        let text = "a = 1\n\té = \"ü\x1b\" # ö\n";
        let mut report = Report::new(Path::new("f"), text);
        let start = text.find('"').unwrap();
        report.add(&(start..start + 5), "w", "h");
        assert_eq!(
            report.into_error().to_string(),
            "f:2:6: w\n  2 | \té = \"ü\u{fffd}\" # ö\n    | \t    ^^^^\n    h"
        );
    }

    #[test]
    fn any_byte_has_a_place() {
        for text in ["", "\n", "a", "a\n", "a\r\nb", "aéb"] {
            for byte in 0..=text.len() + 1 {
                let (line, column, _) = locate(text, byte);
                assert!(line >= 1 && column >= 1);
            }
        }
        let mut report = Report::new(Path::new("f"), "");
        report.add(&(0..0), "w", "h");
        assert_eq!(
            report.into_error().to_string(),
            "f:1:1: w\n  1 | \n    | ^\n    h"
        );
    }
}
