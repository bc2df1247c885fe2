//! `scripts/install` and `scripts/uninstall` as a packager runs them: everything below DESTDIR.

#[path = "../src/testing.rs"]
#[allow(dead_code)] // the shell's tests use the rest
mod testing;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use testing::TestDir;

/// What is copied to a box: the program beside the directories of this repository.
fn release(dir: &Path) -> PathBuf {
    let release = dir.join("release");
    fs::create_dir(&release).unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let parts = ["scripts", "systemd", "config", "README.md", "CHANGELOG.md"];
    let copied = Command::new("cp")
        .arg("-r")
        .args(parts.map(|part| here.join(part)))
        .arg(&release)
        .status();
    assert!(copied.unwrap().success());
    fs::copy(
        env!("CARGO_BIN_EXE_ha-appliance"),
        release.join("ha-appliance"),
    )
    .unwrap();
    // As scripts/man names them; what it makes of them is another test's.
    fs::create_dir(release.join("man")).unwrap();
    for page in ["ha.toml.5", "ha-appliance.8"] {
        let text = "see /usr/local/share/doc/ha-appliance\n";
        fs::write(release.join("man").join(page), text).unwrap();
    }
    release
}

fn run(release: &Path, script: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let root = release.parent().unwrap().join("root");
    Command::new(release.join("scripts").join(script))
        .args(arguments)
        .env("DESTDIR", root)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn well(output: Output) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.is_empty() && output.stdout.is_empty(), "{output:?}");
}

/// All files below, sorted.
fn files(root: &Path) -> Vec<String> {
    let found = Command::new("find")
        .args([".", "-type", "f"])
        .current_dir(root)
        .output();
    let found = String::from_utf8(found.unwrap().stdout).unwrap();
    let mut files: Vec<String> = found.lines().map(|line| line[1..].to_owned()).collect();
    files.sort();
    files
}

#[test]
fn installs_upgrades_and_keeps_what_is_the_operators() {
    let dir = TestDir::new();
    let (release, root) = (release(&dir), dir.join("root"));
    well(run(&release, "install", &[], &[]));
    let program = root.join("usr/local/sbin/ha-appliance");
    let version = Command::new(&program).arg("--version").output().unwrap();
    assert!(version.stdout.starts_with(b"ha-appliance "));
    for file in [
        "/etc/ha-appliance/ha.toml",
        "/etc/systemd/system/ha-appliance-release.service",
        "/etc/systemd/system/ha-appliance-services.target",
        "/etc/systemd/system/ha-appliance-storage.service",
        "/etc/systemd/system/ha-appliance.service",
        "/usr/local/share/doc/ha-appliance/README.md",
        "/usr/local/share/doc/ha-appliance/config/nginx.toml",
        "/usr/local/share/man/man5/ha.toml.5",
        "/usr/local/share/man/man8/ha-appliance.8",
    ] {
        assert!(files(&root).contains(&file.to_owned()), "{file}");
    }
    let mine = root.join("etc/ha-appliance/ha.toml");
    assert_eq!(
        fs::metadata(&mine).unwrap().permissions().mode() & 0o777,
        0o600
    );

    fs::write(&mine, "mine").unwrap();
    let key = root.join("etc/ha-appliance/key");
    fs::write(&key, "secret").unwrap();
    fs::write(root.join("etc/systemd/system/ha-appliance.service"), "old").unwrap();
    let (before, inode) = (files(&root), fs::metadata(&program).unwrap().ino());
    well(run(&release, "install", &[], &[]));
    assert_eq!(files(&root), before);
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
    assert_eq!(fs::read_to_string(&key).unwrap(), "secret");
    assert_eq!(
        fs::read(root.join("etc/systemd/system/ha-appliance.service")).unwrap(),
        fs::read(release.join("systemd/ha-appliance.service")).unwrap()
    );
    assert_ne!(
        fs::metadata(&program).unwrap().ino(),
        inode,
        "a running program's file cannot be written to: it must be another"
    );

    well(run(&release, "uninstall", &[], &[]));
    assert_eq!(
        files(&root),
        ["/etc/ha-appliance/ha.toml", "/etc/ha-appliance/key"]
    );
    well(run(&release, "uninstall", &["--purge"], &[]));
    assert_eq!(files(&root), [""; 0]);
}

#[test]
fn units_name_the_program_where_it_is() {
    let dir = TestDir::new();
    let release = release(&dir);
    let places = [("PREFIX", "/usr"), ("UNITDIR", "/usr/lib/systemd/system")];
    well(run(&release, "install", &[], &places));
    let root = dir.join("root");
    for (name, line) in [
        ("ha-appliance", "ExecStart=/usr/sbin/ha-appliance run"),
        (
            "ha-appliance-release",
            "ExecStart=/usr/sbin/ha-appliance release",
        ),
    ] {
        let path = root.join(format!("usr/lib/systemd/system/{name}.service"));
        let unit = fs::read_to_string(path).unwrap();
        assert!(unit.lines().any(|l| l == line), "{unit}");
        assert!(!unit.contains("/usr/local"), "{unit}");
    }
    let page = fs::read_to_string(root.join("usr/share/man/man5/ha.toml.5")).unwrap();
    assert_eq!(page, "see /usr/share/doc/ha-appliance\n");
    well(run(&release, "uninstall", &["--purge"], &places));
    assert_eq!(files(&root), [""; 0]);
}

fn unit(name: &str) -> String {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    fs::read_to_string(units.join(name)).unwrap()
}

/// What runs as root when the daemon has failed is no weaker a door than the daemon.
#[test]
fn both_units_are_hardened_and_name_what_their_capabilities_are_for() {
    let daemon = unit("ha-appliance.service");
    let release = unit("ha-appliance-release.service");
    let hardening = |line: &&str| {
        let kinds = ["Limit", "UMask", "Restrict", "Lock", "SystemCall"];
        let own = ["LimitMEMLOCK", "RestartPreventExitStatus"];
        kinds.iter().any(|kind| line.starts_with(kind)) && !own.iter().any(|o| line.starts_with(o))
    };
    let lines: Vec<&str> = daemon.lines().filter(hardening).collect();
    for needed in ["LimitCORE=0", "UMask=0077", "RestrictSUIDSGID=yes"] {
        assert!(lines.contains(&needed), "{needed}");
    }
    for line in lines {
        assert!(release.lines().any(|own| own == line), "{line}");
    }
    for unit in [&daemon, &release] {
        let capabilities = unit
            .lines()
            .filter_map(|line| line.strip_prefix("CapabilityBoundingSet="));
        let named = |capability: &str| {
            let comments = unit.lines().filter_map(|line| line.strip_prefix("#   "));
            let mut names = comments.filter_map(|line| line.split_once("  "));
            names.any(|(names, _)| {
                names
                    .split(", ")
                    .any(|name| format!("CAP_{name}") == capability)
            })
        };
        for capability in capabilities.flat_map(str::split_whitespace) {
            assert!(named(capability), "what is {capability} for?");
        }
    }
}

/// Measured with systemd 252, by /proc/PID/ns/mnt. A mount that the daemon or its children make must
/// be everybody's.
#[test]
fn the_daemon_gets_no_mount_namespace_of_its_own() {
    let unit = unit("ha-appliance.service");
    let makes_one = [
        "Private",
        "Protect",
        "ReadOnly",
        "ReadWrite",
        "Inaccessible",
        "Temporary",
        "Bind",
        "Root",
        "Mount",
        "NoExecPaths",
        "ExecPaths",
        "ProcSubset",
        "DynamicUser",
    ];
    for line in unit.lines() {
        assert!(
            !makes_one.iter().any(|name| line.starts_with(name)),
            "{line}"
        );
    }
}

#[test]
fn mistakes_are_named() {
    let dir = TestDir::new();
    let release = release(&dir);
    let wrong = |script, arguments: &[&str], text: &str| {
        let output = run(&release, script, arguments, &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(text), "{said}");
        assert!(!dir.join("root").exists());
    };
    wrong("install", &["--help"], "takes no arguments");
    wrong("uninstall", &["--prune"], "knows --purge alone");
    fs::remove_file(release.join("ha-appliance")).unwrap();
    wrong("install", &[], "scripts/build makes it");
}
