//! ha-appliance(8) has every subcommand, option and exit code, and none that is not there.

use super::args::{Args, Stop, names};
use super::exit::Exit;
use std::collections::BTreeSet;
use std::ffi::OsString;

const PAGE: &str = include_str!("../../config/ha-appliance.8.md");
const SHARED: [&str; 4] = [
    "[--config PATH]",
    "[--node NAME]",
    "[--run-dir DIR]",
    "[--state-dir DIR]",
];

fn help(words: &[&str]) -> String {
    let words = ["ha-appliance"].iter().chain(words).map(OsString::from);
    match Args::parse(words) {
        Err(Stop::Told(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// Its line of usage, as a manual writes it: "stop [--yes] GROUP". What all take is left out.
fn signatures(name: &str) -> Vec<String> {
    let help = help(&[name, "--help"]);
    let usage = help.lines().next().unwrap();
    let usage = usage.strip_prefix("Usage: ha-appliance ").unwrap();
    let words = usage.split('<').enumerate().map(|(i, part)| match i {
        0 => part.to_owned(),
        _ => {
            let (value, rest) = part.split_once('>').unwrap();
            value.to_uppercase() + rest
        }
    });
    let mut signature: String = words.collect();
    for shared in SHARED {
        assert!(signature.contains(shared), "{signature}");
        signature = signature.replace(shared, "");
    }
    let words: Vec<&str> = signature
        .split_whitespace()
        .filter(|w| *w != "[--]")
        .collect();
    let signature = words.join(" ");
    match signature.strip_suffix("ON|OFF") {
        Some(name) => vec![format!("{name}on"), format!("{name}off")],
        None => vec![signature],
    }
}

/// What stands between backticks in the first column of the tables below a heading, up to the next of its level.
fn first_column(heading: &str) -> Vec<String> {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    let rows = rows.filter(|line| !line.starts_with("| ---"));
    rows.filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| match cell.split_once('`') {
            Some(_) => cell
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect(),
            None => vec![cell.trim().to_owned()],
        })
        .collect()
}

#[test]
fn every_subcommand_stands_in_the_page_with_its_options() {
    let told: BTreeSet<String> = first_column("COMMANDS")
        .into_iter()
        .filter(|c| c != "command")
        .collect();
    let known = names().iter().flat_map(|name| signatures(name));
    assert_eq!(told, known.collect());
    // The help of `history` lists the long form of `-n` too.
    assert!(
        help(&["history", "--help"]).contains("-n, --lines") && PAGE.contains("`--lines` is `-n`")
    );
}

#[test]
fn what_all_take_stands_in_the_page() {
    let told = first_column("OPTIONS");
    let known = SHARED.map(|option| option.trim_matches(['[', ']']).to_owned());
    assert_eq!(told[1..5], known);
    assert_eq!(told[5..], ["--help", "-h"]);
    let defaults = crate::shell::options::Options::default();
    for (option, default) in [
        ("--config PATH", defaults.config),
        ("--run-dir DIR", defaults.run_dir),
        ("--state-dir DIR", defaults.state_dir),
    ] {
        let row = format!("| `{option}` | `{}` |", default.display());
        assert!(PAGE.contains(&row), "{row}");
    }
}

#[test]
fn every_exit_code_stands_in_the_page_and_in_the_help() {
    use Exit::{Blocked, Config, NoDaemon, Refused, Usage, Well};
    let known = [Well, Refused, Blocked, NoDaemon, Usage, Config];
    // An exit code that is added is noticed here.
    for exit in known {
        match exit {
            Well | Refused | Blocked | NoDaemon | Usage | Config => {}
        }
    }
    let known = known.map(|exit| (exit as u8).to_string());
    assert_eq!(first_column("EXIT CODES")[1..], known);
    let help = help(&["--help"]);
    let (_, codes) = help.split_once("Error codes:\n").unwrap();
    let codes: Vec<&str> = codes
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(codes, known);
}

#[test]
fn every_signal_stands_in_the_page() {
    let source = include_str!("../shell/signals.rs");
    let header = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | SIG"));
    let known: BTreeSet<String> = header
        .filter_map(|row| row.split(" | ").next())
        .flat_map(|signals| signals.split(", "))
        .map(|signal| format!("SIG{}", signal.trim().trim_start_matches("SIG")))
        .filter(|signal| signal != "SIGRTMIN") // that of the commands
        .collect();
    let told = first_column("SIGNALS")
        .into_iter()
        .filter(|s| s != "signal");
    assert_eq!(told.collect::<BTreeSet<_>>(), known);
    for signal in known {
        assert!(source.contains(&format!("libc::{signal}")), "{signal}");
    }
}
