//! What README's tables by symptom tell people to look for is what the program prints.

use crate::{code, tables};
use std::path::{Path, PathBuf};

const README: &str = include_str!("../../README.md");
const TABLES: [&str; 3] = [
    "It is down, or may be",
    "It is served, and the next fault may hurt",
    "In the journal and in history",
];

/// All that the program can say: its sources without their tests, each text in one line.
fn said() -> String {
    let mut text = String::new();
    let mut dirs = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                let shipped = source.split("#[cfg(test)]").next().unwrap_or_default();
                let lines = shipped
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"));
                for line in lines {
                    let line = line.trim();
                    // A text goes on in the next line.
                    match line.strip_suffix('\\') {
                        Some(begun) => text += begun,
                        None => text += &format!("{line}\n"),
                    }
                }
            }
        }
    }
    text
}

/// The symptom as a format, with `{}` for what differs each time: names, numbers and "…".
fn format_of(symptom: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_matches([':', ',']);
        let differs = ["web", "…"].contains(&bare) || bare.contains(|c: char| c.is_ascii_digit());
        match differs {
            true => word.replace(bare, "{}"),
            false => word.to_owned(),
        }
    };
    let words: Vec<String> = symptom.split(' ').map(word).collect();
    words.join(" ")
}

/// Its longer parts, for one that is put together of several texts.
fn parts(format: &str) -> Vec<&str> {
    let parts = format
        .split("{}")
        .map(|part| part.trim_matches([' ', ':', ',']));
    parts.filter(|part| part.len() > 6).collect()
}

#[test]
fn the_words_are_those_of_the_program() {
    let said = said();
    // Whatever stands in braces is filled in.
    let filled = with_bare_braces(&said);
    let mut symptoms = 0;
    for (heading, rows) in tables(README) {
        if !TABLES.contains(&heading.as_str()) {
            continue;
        }
        for row in rows {
            assert!(
                row.len() == 3 && row.iter().all(|cell| !cell.is_empty()),
                "{row:?}"
            );
            let [symptom] = &code(&row[0])[..] else {
                panic!("{row:?}");
            };
            let format = format_of(symptom);
            let parts = parts(&format);
            let by_parts = !parts.is_empty() && parts.iter().all(|part| filled.contains(part));
            assert!(
                filled.contains(&format) || by_parts,
                "nothing says {symptom:?}"
            );
            symptoms += 1;
        }
    }
    assert!(symptoms >= 30, "{symptoms}");
}

/// With every `{name}` of a format as `{}`.
fn with_bare_braces(text: &str) -> String {
    let mut parts = text.split('{');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push('{');
        match part.split_once('}') {
            Some((name, rest))
                if name
                    .chars()
                    .all(|c| c.is_alphanumeric() || "_.:".contains(c)) =>
            {
                out.push('}');
                out += rest;
            }
            _ => out += part,
        }
    }
    out
}
