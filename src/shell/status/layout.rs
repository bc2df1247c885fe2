//! How a page is laid out: labels in a column of their own, tables, lines that fit a terminal's width.

use crate::shell::clock::Zone;
use std::fmt::Write;

/// How the page may look.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// With colours: for a terminal.
    pub colour: bool,
    /// So many columns.
    pub width: usize,
    /// Whose clock.
    pub zone: Zone,
}

impl Default for Style {
    fn default() -> Style {
        Style {
            colour: false,
            width: 80,
            zone: Zone::Utc,
        }
    }
}

/// A page under way: labels in a column of their own.
pub(super) struct Page {
    pub(super) text: String,
    style: Style,
}

const LABEL: usize = 12;

impl Page {
    pub(super) fn new(style: Style) -> Page {
        Page {
            text: String::new(),
            style,
        }
    }

    /// Colours the first of these words.
    pub(super) fn colour(&mut self, words: &str, colour: Colour) {
        if self.style.colour {
            let coloured = format!("\x1b[1;{}m{words}\x1b[0m", colour as u8);
            self.text = self.text.replacen(words, &coloured, 1);
        }
    }

    /// Lines with one label.
    pub(super) fn section(&mut self, label: &str, lines: Vec<String>) {
        for (i, line) in lines.iter().enumerate() {
            self.line(if i == 0 { label } else { "" }, line);
        }
    }

    /// One line, in as many as it needs.
    pub(super) fn line(&mut self, label: &str, line: &str) {
        // A longer name has a line of its own, so that the columns stay where they are.
        let mut label = label;
        if label.chars().count() >= LABEL {
            let _ = writeln!(self.text, "{label}");
            label = "";
        }
        let room = self.style.width.saturating_sub(LABEL).max(20);
        for part in wrapped(line, room) {
            let _ = writeln!(self.text, "{}", format!("{label:<LABEL$}{part}").trim_end());
            label = "";
        }
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }
}

/// A terminal's colours.
#[derive(Clone, Copy, Debug)]
pub(super) enum Colour {
    /// Red.
    Red = 31,
    /// Green.
    Green = 32,
    /// Yellow.
    Yellow = 33,
}

/// A line in parts that fit; the later ones are set in. A command in backticks stays in one piece if it fits.
fn wrapped(line: &str, room: usize) -> Vec<String> {
    if line.chars().count() <= room {
        return vec![line.to_owned()];
    }
    let indent = line
        .chars()
        .take_while(|c| matches!(c, ' ' | '-' | '!'))
        .count()
        + 2;
    let mut parts = Vec::new();
    let mut part = String::new();
    // Longer than a line is what a word, or a command, must be broken for.
    let fitting = |piece| broken(piece, room.saturating_sub(indent).max(1));
    for piece in pieces(line).into_iter().flat_map(fitting) {
        let long = part.chars().count() + piece.trim_end().chars().count() > room;
        if long && !part.trim().is_empty() {
            parts.push(part.trim_end().to_owned());
            part = " ".repeat(indent);
        }
        part += piece;
    }
    parts.push(part.trim_end().to_owned());
    parts
}

/// A piece in those that fit: a command between its words, a word anywhere.
fn broken(piece: &str, room: usize) -> Vec<&str> {
    let long = |text: &str| text.trim_end().chars().count() > room;
    if !long(piece) {
        return vec![piece];
    }
    let mut parts = Vec::new();
    for mut word in piece.split_inclusive(' ') {
        while long(word) {
            let end = word
                .char_indices()
                .nth(room)
                .map_or(word.len(), |(at, _)| at);
            let (first, rest) = word.split_at(end);
            parts.push(first);
            word = rest;
        }
        parts.push(word);
    }
    parts
}

/// Words with the spaces after them; what stands in backticks is one.
fn pieces(line: &str) -> Vec<&str> {
    let (mut pieces, mut begin, mut quoted, mut space) = (Vec::new(), 0, false, false);
    for (at, c) in line.char_indices() {
        if space && c != ' ' && !quoted {
            pieces.push(&line[begin..at]);
            begin = at;
        }
        quoted ^= c == '`';
        space = c == ' ' && !quoted;
    }
    pieces.push(&line[begin..]);
    pieces
}

/// The first few, and how many more.
pub(super) fn some_of(all: &[String], few: usize) -> String {
    let shown = all
        .iter()
        .take(few)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if all.len() > few {
        format!("{shown} and {} more", all.len() - few)
    } else {
        shown
    }
}

/// Columns as wide as their widest cell, two spaces apart.
pub(super) fn table(rows: Vec<Vec<String>>) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|r| r.get(column))
            .map(|c| c.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_never_in_a_command() {
        let line = "-  run `ha-appliance failover web --to lb2`, but only once it is mended";
        let parts = wrapped(line, 50);
        assert_eq!(
            parts,
            [
                "-  run `ha-appliance failover web --to lb2`, but",
                "     only once it is mended"
            ]
        );
        assert_eq!(wrapped("short", 50), ["short"]);
        assert_eq!(
            wrapped("run `failover databases --to second-node` now", 24),
            ["run `failover databases", "  --to second-node` now"]
        );
        assert_eq!(
            wrapped(&"x".repeat(25), 10),
            ["xxxxxxxx", "  xxxxxxxx", "  xxxxxxxx", "  x"]
        );
    }

    #[test]
    fn many_addresses_are_cut_short() {
        let all: Vec<String> = (1..=7).map(|n| n.to_string()).collect();
        assert_eq!(some_of(&all, 4), "1, 2, 3, 4 and 3 more");
    }
}
