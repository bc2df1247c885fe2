//! Violations as files: the moves that led there, as a scenario that can be kept and played again.
//!
//! A line that begins with `>` is a move; what follows it is what came of it, for the reader. A file in
//! `tests/search/kept` is played in every run, as far as its moves can still happen (the last ones of a
//! fault that was mended cannot), and the pair must recover from where that ends.

use super::check::Broken;
use super::endure::endure;
use super::heal::Healer;
use super::moves::{Move, Rules, What, apply, at_once, due, next};
use super::trace;
use super::world::{SIDES, World};
use std::fmt::{self, Write};
use std::path::Path;

/// Tells how that came to be broken.
pub fn scenario(broken: &Broken, moves: &[Move], rules: &Rules) -> String {
    let mut out = String::new();
    for line in broken.to_string().lines() {
        writeln!(out, "# {line}").unwrap();
    }
    writeln!(out, "search {}", rules.bounds.name).unwrap();
    if let Some(defect) = rules.defect {
        writeln!(out, "defect {defect:?}").unwrap();
    }
    let mut world = Healer::new(*rules).root();
    for m in moves {
        writeln!(out, "> {m}").unwrap();
        let Some((step, outcome)) = apply(&world, *m, rules) else {
            break;
        };
        out += &trace::told_of(&step);
        match outcome {
            Ok(next) => world = next,
            Err(_) => break,
        }
    }
    out + &trace::summary(&world)
}

/// Plays the file again. Gives how many of its moves could happen, and how many there are.
pub fn replay(text: &str, rules: &Rules) -> Result<(usize, usize), Broken> {
    let healer = Healer::new(*rules);
    let mut world = healer.root();
    let lines: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("> ")).collect();
    let mut done = 0;
    'lines: for line in &lines {
        loop {
            if let Some(outcome) = named(&world, line, rules) {
                world = outcome?;
                done += 1;
                break;
            }
            // A change of the core asks or waits for something else; the story is the same.
            let left = world.left;
            match housekeeping(&world, rules) {
                Some(what) => healer.step(&mut world, what, &mut None)?,
                None if line.starts_with("Tick") || line.starts_with("News") => break,
                None => break 'lines,
            }
            world.left = left;
        }
    }
    healer.heal(&world)?;
    endure(&world, rules)?;
    Ok((done, lines.len()))
}

/// What comes of the move that is called that; None: it cannot happen.
fn named(world: &World, name: &str, rules: &Rules) -> Option<Result<World, Broken>> {
    let mut after = None;
    next(world, rules, &mut |m, outcome| {
        if m.to_string() == name {
            after = Some(outcome);
        }
    });
    after
}

/// What has to happen before anything else does, or before time can pass.
fn housekeeping(world: &World, rules: &Rules) -> Option<What> {
    let due = SIDES.into_iter().find(|side| due(world, *side));
    let first = at_once(world, rules).first().copied();
    first.or(due.map(What::Tick))
}

#[test]
fn no_kept_scenario_breaks_anything() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/search/kept");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = text.lines().find_map(|l| l.strip_prefix("search "));
        let rules = name
            .and_then(super::searches::rules)
            .unwrap_or_else(|| panic!("{}: names no search", path.display()));
        match replay(&text, &rules) {
            Ok((done, all)) => {
                println!("{}: {done} of {all} moves", path.display());
                assert!(2 * done > all, "{}: happens no more", path.display());
            }
            Err(broken) => panic!("{}: {broken}", path.display()),
        }
        count += 1;
    }
    assert!(count > 0);
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)?;
        if self.lost > 0 {
            write!(f, ", heartbeat {} lost", self.lost)?;
        }
        match self.cut {
            Some((after, how)) => write!(f, ", after {after} effects {how:?}"),
            None => Ok(()),
        }
    }
}
