//! The deciding core and the codecs must stay pure: no unsafe code, and nothing in them that could
//! read a clock, open a socket, run a process or draw a random number.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn core_and_wire_name_nothing_of_the_outside_world() {
    let forbidden = [
        "std::net::Udp",
        "std::net::Tcp",
        "std::process",
        "std::fs",
        "std::thread",
        "std::env",
        "Instant::",
        "SystemTime",
        "smol",
        "async",
        "libc::",
        "getrandom",
        "rand::",
        "unsafe ",
        "println!",
        "log::",
        "shell::",
        "agents::",
        "cli::",
    ];
    let mut found = vec![];
    for file in rust_files(&["src/core", "src/wire", "src/words.rs"]) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap();
            for word in forbidden.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Somebody sets the time of day, by seconds or by years: nothing but a stamp for people may notice, and what is
/// looked up by one in the journal.
#[test]
fn the_time_of_day_is_for_people_alone() {
    let clocks = [
        "SystemTime",
        "CLOCK_REALTIME",
        "gettimeofday",
        "libc::time(",
    ];
    let for_people = ["src/shell/clock.rs", "src/agents/service/systemctl.rs"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in rust_files(&["src"]) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let asked = clocks.iter().any(|clock| code.contains(clock));
        let file = file.strip_prefix(root).unwrap().to_str().unwrap();
        assert_eq!(asked, for_people.contains(&file), "{file}");
    }
}

#[test]
fn core_and_wire_forbid_unsafe_code() {
    for module in ["src/core/mod.rs", "src/wire/mod.rs"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(module)).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{module}");
    }
}

fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<PathBuf> = folders.iter().map(|f| root.join(f)).collect();
    let mut files = vec![];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    assert!(files.len() > 10, "the folders have moved");
    files
}
