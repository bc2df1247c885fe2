//! The documents hold what the program holds: keys and defaults, examples, the words of `status`, and pages that
//! `man` can show. (Commands, options and exit codes: `src/cli/documented.rs`; fields of `status --json`:
//! `src/shell/status/documented.rs`.)

mod examples;
mod keys;
mod pages;
mod symptoms;

use std::path::{Path, PathBuf};

/// Every document for operators, with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = std::fs::read_dir(here.join("config")).unwrap();
    let pages = config.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = pages
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    paths.push(here.join("README.md"));
    paths.sort();
    assert!(paths.len() >= 4);
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// The cells of each table below a heading of any level, by that heading, the tables' own heads left out.
fn tables(text: &str) -> Vec<(String, Vec<Vec<String>>)> {
    let mut found: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    let (mut heading, mut inside, mut code) = (String::new(), false, false);
    for line in text.lines() {
        code ^= line.trim_start().starts_with("```");
        if code {
            continue;
        }
        if let Some(row) = line.strip_prefix("| ").filter(|_| inside) {
            let (_, rows) = found.last_mut().expect("a table before its rows");
            let cells = row.trim_end_matches('|').split('|');
            rows.push(cells.map(|cell| cell.trim().to_owned()).collect());
        } else if line.starts_with('|') {
            found.push((heading.clone(), Vec::new()));
        } else if let Some(name) = line.strip_prefix('#') {
            heading = name.trim_matches(['#', ' ']).replace('`', "");
        }
        inside = line.starts_with('|');
    }
    for (_, rows) in &mut found {
        assert!(rows.remove(0).iter().all(|cell| cell == "---"));
    }
    found
}

/// What stands between backticks.
fn code(cell: &str) -> Vec<String> {
    let parts = cell.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}
