//! Plays every file in `tests/scenarios`: its commands in, what both nodes do and why out.
//!
//! A file is a comment that says what it shows, then commands, each followed by the lines it led
//! to. `UPDATE=1 cargo test --test scenarios` writes those lines anew; read the difference before
//! you commit it. `FIRST=1` ends at the first file that goes otherwise. The words stand in
//! `play/words.rs`.

mod play;
mod world;

use ha_appliance::core::setup::Failback;
use play::{name, obey, told};
use std::fmt::Write;
use std::path::Path;
use world::World;

#[test]
fn every_scenario_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = vec![];
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let played = play(&text);
        if played != text {
            match std::env::var_os("UPDATE") {
                Some(_) => std::fs::write(&file, &played).unwrap(),
                None => wrong.push(format!(
                    "{}\n{}",
                    file.display(),
                    difference(&text, &played)
                )),
            }
        }
        if !wrong.is_empty() && std::env::var_os("FIRST").is_some() {
            break;
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The file as it would be, were it written now.
fn play(text: &str) -> String {
    let mut out = String::new();
    let mut world = World::new(&[("web", None, Failback::Manual)]);
    let mut shown = 0;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(out, "{line}").unwrap();
            if let Some(note) = obey(&mut world, command) {
                writeln!(out, "{note}").unwrap();
            }
            for (at, side, action) in &world.said[shown..] {
                if let Some(action) = told(action, &world) {
                    writeln!(
                        out,
                        "{:>9.3}  {:6}  {action}",
                        at.0 as f64 / 1e6,
                        name(*side)
                    )
                    .unwrap();
                }
            }
            for overlap in std::mem::take(&mut world.overlap) {
                writeln!(out, "!! {overlap}").unwrap();
            }
            shown = world.said.len();
        } else if line.starts_with('#') || line.is_empty() {
            writeln!(out, "{line}").unwrap();
        }
    }
    out
}

fn difference(expected: &str, played: &str) -> String {
    let (mut a, mut b) = (expected.lines(), played.lines());
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) if a == b => {}
            (a, b) => {
                return format!(
                    "  written: {}\n  played:  {}",
                    a.unwrap_or("(end)"),
                    b.unwrap_or("(end)")
                );
            }
        }
    }
}
