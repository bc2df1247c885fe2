//! The manual pages that `scripts/man` makes: without a warning of either of the two programs that show them, and
//! in 80 columns.

#[path = "../../src/testing.rs"]
#[allow(dead_code)] // the shell's tests use the rest
mod testing;

use std::path::Path;
use std::process::Command;
use testing::TestDir;

fn run(command: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(command)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .env("SOURCE_DATE_EPOCH", "1796000000")
        .output()
        .unwrap_or_else(|e| panic!("{command}: {e}: scripts/test installs what this needs"));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn pages_are_made_and_shown_without_a_warning() {
    let dir = TestDir::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/man");
    let made = run(script.to_str().unwrap(), &[dir.to_str().unwrap()]);
    assert_eq!(made, (true, String::new()));
    for (name, head) in [
        ("ha.toml.5", "HA.TOML(5)"),
        ("ha-appliance.8", "HA-APPLIANCE(8)"),
    ] {
        let page = dir.join(name);
        let page = page.to_str().unwrap();
        let linted = run("mandoc", &["-Tlint", "-Wwarning", page]);
        assert_eq!(linted, (true, String::new()), "{name}");
        let (well, warned) = run("groff", &["-man", "-ww", "-z", "-Kutf8", page]);
        assert!(well && warned.is_empty(), "{name}: {warned}");
        let (well, shown) = run(
            "groff",
            &["-man", "-P-cbou", "-Tutf8", "-Kutf8", "-rLL=80n", page],
        );
        assert!(well && shown.starts_with(head), "{shown}");
        let wide: Vec<&str> = shown
            .lines()
            .filter(|line| line.chars().count() > 80)
            .collect();
        assert!(wide.is_empty(), "{name}: {wide:#?}");
        // What stands in the source in one line is not torn apart, nor is a mark of Markdown left.
        for mark in ["**", "](", "| `"] {
            assert!(!shown.contains(mark), "{name}: {mark:?} in\n{shown}");
        }
    }
}
