//! What this program is made of beside its own source: where it comes from, under which licences, and whether
//! anything is known against it.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Each lets a binary be passed on without its source.
const LICENCES: [&str; 9] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn everything_comes_from_crates_io_under_a_licence_that_asks_for_no_source() {
    // Those of other platforms are not on this disk.
    let platform = format!("--filter-platform={}", host());
    let arguments = [
        "metadata",
        "--offline",
        "--locked",
        "--format-version=1",
        &platform,
    ];
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "not all of them");
    for package in packages {
        let name = &package["name"];
        let own = name == env!("CARGO_PKG_NAME");
        assert!(own || package["source"] == CRATES_IO, "{name}");
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(may_be_passed_on(licence), "{name}: {licence}");
    }
}

fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    lines
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap()
        .to_owned()
}

/// Of what stands between `OR` one is enough, between `AND` all; the old form has slashes.
fn may_be_passed_on(licence: &str) -> bool {
    let licence = licence.replace('/', " OR ").replace(['(', ')'], " ");
    licence.split(" AND ").all(|all| {
        let mut any = all.split(" OR ");
        any.any(|one| LICENCES.contains(&one.trim()))
    })
}

/// As `cargo audit` does, without its binary and its network.
#[test]
#[ignore = "needs a clone of github.com/rustsec/advisory-db, named by RUSTSEC_ADVISORY_DB"]
fn nothing_is_known_against_any_of_it() {
    let database = std::env::var_os("RUSTSEC_ADVISORY_DB").expect("RUSTSEC_ADVISORY_DB is set");
    let crates = Path::new(&database).join("crates");
    assert!(crates.join("smallvec").is_dir(), "that is no advisory-db");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lock: toml::Table = fs::read_to_string(root.join("Cargo.lock"))
        .unwrap()
        .parse()
        .unwrap();
    let mut found = Vec::new();
    for package in lock["package"].as_array().unwrap() {
        let text = |key: &str| package[key].as_str().unwrap();
        for entry in fs::read_dir(crates.join(text("name")))
            .into_iter()
            .flatten()
        {
            let advisory = fs::read_to_string(entry.unwrap().path()).unwrap();
            if concerns(&advisory, text("version")) {
                let id = advisory
                    .lines()
                    .find(|line| line.starts_with("id = "))
                    .unwrap();
                found.push(format!("{} {}: {id}", text("name"), text("version")));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// An advisory is Markdown that begins with a block of TOML; it concerns every version that it does not name.
fn concerns(advisory: &str, version: &str) -> bool {
    let block = advisory
        .split("```")
        .nth(1)
        .and_then(|block| block.strip_prefix("toml"));
    let table: toml::Table = block.expect("a block of TOML").parse().unwrap();
    if table["advisory"].get("withdrawn").is_some() {
        return false;
    }
    let named = |key: &str| {
        let list = table
            .get("versions")
            .and_then(|versions| versions.get(key)?.as_array());
        let mut list = list.into_iter().flatten().filter_map(|one| one.as_str());
        list.any(|required| required.split(',').all(|one| meets(version, one.trim())))
    };
    !named("patched") && !named("unaffected")
}

/// One comparison of a version requirement.
fn meets(version: &str, required: &str) -> bool {
    let number = required.trim_start_matches(['<', '>', '=', '^', ' ']);
    let operator = required[..required.len() - number.len()].trim();
    let [have, want] = [version, number].map(numbers);
    match operator {
        ">=" => have >= want,
        ">" => have > want,
        "<=" => have <= want,
        "<" => have < want,
        "=" => have == want,
        // Up to the first number that is not zero, nothing may differ.
        "^" | "" => {
            let fixed = 1 + want.iter().take(2).take_while(|n| **n == 0).count();
            have >= want && have[..fixed] == want[..fixed]
        }
        other => panic!("{other} in {required}"),
    }
}

fn numbers(version: &str) -> [u64; 3] {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    let mut parts = release.split('.').map(|part| part.parse().unwrap());
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[test]
fn requirements_are_understood() {
    for (version, required, met) in [
        ("5.4.2", ">= 5.4.2", true),
        ("5.4.1", ">= 5.4.2", false),
        ("0.9.5", "< 0.10.0", true),
        ("0.10.0", "< 0.10.0", false),
        ("0.3.4", "^ 0.3.1", true),
        ("0.4.0", "^ 0.3.1", false),
        ("1.9.0", "^1.2", true),
        ("2.0.0", "^1.2", false),
        ("1.2.3-rc.1", "= 1.2.3", true),
    ] {
        assert_eq!(meets(version, required), met, "{version} {required}");
    }
    let advisory = "```toml\n[advisory]\nid = \"X\"\n[versions]\npatched = [\"< 0.10.0, >= 0.9.3\", \">= 0.10.1\"]\n```\n# X\n";
    assert!(concerns(advisory, "0.9.2") && concerns(advisory, "0.10.0"));
    assert!(!concerns(advisory, "0.9.5") && !concerns(advisory, "0.11.0"));
}
