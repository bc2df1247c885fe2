//! Files with keys: read only if nobody else can, and never shown.

use crate::BASE;
use ha_appliance::config::{Error, generate_key_line, load, parse, parse_with_key_file};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

#[test]
fn a_private_key_file_is_read() {
    let dir = Dir::new("good");
    let (old, new) = (generate_key_line([1; 32]), generate_key_line([2; 32]));
    dir.write(
        "key",
        &format!("# rotated\n{new}\n{old} # until both have the new one\n"),
        0o600,
    );
    let path = dir.write("ha.toml", BASE, 0o644);
    let config = load(&path).unwrap();
    assert_eq!(config.cluster.keys, [vec![2; 32], vec![1; 32]]);
    assert_eq!(config.path, path);
    // A relative path is one beside ha.toml.
    assert_eq!(parse(BASE, &path).unwrap(), config);
    let key = dir.0.join("key");
    let absolute = BASE.replace("key_file = \"key\"", &format!("key_file = {key:?}"));
    assert!(parse(&absolute, Path::new("/nowhere/ha.toml")).is_ok());
    dir.write("key", &new, 0o400);
    assert!(load(&path).is_ok());
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    for mode in [0o640, 0o604, 0o620, 0o660, 0o777] {
        let dir = Dir::new("open");
        dir.write("key", &generate_key_line([1; 32]), mode);
        let path = dir.write("ha.toml", BASE, 0o600);
        dir.told(
            load(&path),
            &format!(
                "DIR/ha.toml:3:12: the key file DIR/key is open to others than its owner (mode {mode:04o})\n\
                 \u{20} 3 | key_file = \"key\"\n\
                 \u{20}   |            ^^^^^\n\
                 \u{20}   chmod 600 DIR/key"
            ),
        );
    }
}

#[test]
fn a_key_file_of_another_user_is_refused() {
    let dir = Dir::new("owner");
    let key = dir.write("key", &generate_key_line([1; 32]), 0o600);
    let path = dir.write("ha.toml", BASE, 0o600);
    // Only root can give a file away.
    if std::os::unix::fs::chown(&key, Some(4711), None).is_ok() {
        dir.told(
            load(&path),
            r#"DIR/ha.toml:3:12: the key file DIR/key belongs to user 4711, who could change it
  3 | key_file = "key"
    |            ^^^^^
    chown root DIR/key"#,
        );
    }
}

#[test]
fn a_key_file_that_cannot_be_read_is_refused() {
    let dir = Dir::new("missing");
    let path = dir.write("ha.toml", BASE, 0o600);
    dir.told(
        load(&path),
        r#"DIR/ha.toml:3:12: the key file DIR/key cannot be read: No such file or directory (os error 2)
  3 | key_file = "key"
    |            ^^^^^
    copy it from the other node, mode 600; or make it once, on the first: `ha-appliance keygen --write`"#,
    );
    fs::create_dir(dir.0.join("key")).unwrap();
    dir.told(
        load(&path),
        r#"DIR/ha.toml:3:12: the key file DIR/key is not a regular file
  3 | key_file = "key"
    |            ^^^^^
    name a file with one key a line"#,
    );
}

#[test]
fn a_key_file_that_is_too_long_is_refused_and_not_cut() {
    let dir = Dir::new("long");
    let comment = "# rotated long ago\n".repeat(3450);
    let line = generate_key_line([1; 32]);
    dir.write("key", &format!("{comment}{line}\n"), 0o600);
    let path = dir.write("ha.toml", BASE, 0o600);
    dir.told(
        load(&path),
        r#"DIR/ha.toml:3:12: the key file DIR/key is longer than 65536 bytes
  3 | key_file = "key"
    |            ^^^^^
    name a file with one key a line"#,
    );
}

#[test]
fn what_stands_in_a_key_file_is_checked_and_never_shown() {
    let good = generate_key_line([0xab; 32]);
    let five = format!("{good}\n").repeat(5);
    let long = "ab".repeat(129);
    for (key_file, told) in [
        (
            "# none yet\n\n",
            r#"DIR/ha.toml:3:12: the key file DIR/key holds no key
  3 | key_file = "key"
    |            ^^^^^
    write one there with `ha-appliance keygen`, and the same on the other node"#,
        ),
        (
            "# mine\n  abxcabababababababababababababab\n",
            "DIR/key:2:5: character 3 is not a hex digit\n    \
             a key is hex digits, two a byte, as `ha-appliance keygen` prints it",
        ),
        (
            "ababababababababababababababababa\n",
            "DIR/key:1:1: a key of 33 hex digits: one is missing\n    \
             a key is hex digits, two a byte, as `ha-appliance keygen` prints it",
        ),
        (
            "abababababababababababababab\n",
            "DIR/key:1:1: a key of 14 bytes is shorter than 16\n    make one with `ha-appliance keygen`",
        ),
        (
            &long,
            "DIR/key:1:1: a key of 129 bytes is longer than 128\n    \
             one key a line; make one with `ha-appliance keygen`",
        ),
        (
            &five,
            "DIR/key:5:1: more than 4 keys\n    a rotation needs two: delete the old ones",
        ),
    ] {
        let dir = Dir::new("content");
        let found = parse_with_key_file(BASE, &dir.0.join("ha.toml"), key_file);
        assert!(!found.as_ref().unwrap_err().to_string().contains("ababab"));
        dir.told(found, told);
    }
}

#[test]
fn a_file_with_its_own_key_is_private_too() {
    let dir = Dir::new("inline");
    let key = generate_key_line([1; 32]);
    let text = BASE.replace("key_file = \"key\"", &format!("key = \"{key}\""));
    let path = dir.write("ha.toml", &text, 0o644);
    let stars = "*".repeat(64);
    dir.told(
        load(&path),
        &format!(
            "DIR/ha.toml:3:1: the file with a `key` DIR/ha.toml is open to others than its owner (mode 0644)\n\
             \u{20} 3 | key = \"{stars}\"\n\
             \u{20}   | ^^^\n\
             \u{20}   chmod 600 DIR/ha.toml"
        ),
    );
    let path = dir.write("ha.toml", &text, 0o600);
    assert_eq!(load(&path).unwrap().cluster.keys, [vec![1; 32]]);
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let dir = Dir::new("none");
    dir.told(
        load(&dir.0.join("ha.toml")),
        "DIR/ha.toml cannot be read: No such file or directory (os error 2)\n    \
         write it first: `man ha.toml`, and config/ beside README.md, have examples; --config PATH names another",
    );
    fs::write(dir.0.join("ha.toml"), b"name = \"\xff\"").unwrap();
    dir.told(
        load(&dir.0.join("ha.toml")),
        "DIR/ha.toml cannot be read: stream did not contain valid UTF-8\n    save it as UTF-8",
    );
}

/// A directory of the test's own, removed at its end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let name = format!("ha-appliance-config-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Dir(path)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn told<T: std::fmt::Debug>(&self, found: Result<T, Error>, told: &str) {
        let dir = self.0.to_str().unwrap();
        assert_eq!(found.unwrap_err().to_string().replace(dir, "DIR"), told);
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Its `exec` and `notify` programs run as root.
#[test]
fn a_ha_toml_that_others_can_change_is_refused() {
    let dir = Dir::new("changed");
    dir.write("key", &generate_key_line([1; 32]), 0o600);
    for mode in [0o664, 0o646, 0o777] {
        let path = dir.write("ha.toml", BASE, mode);
        dir.told(
            load(&path),
            &format!(
                "others can change DIR/ha.toml (mode {mode:04o}), and so have programs run as root\n    \
                 chmod go-w DIR/ha.toml"
            ),
        );
    }
    let path = dir.write("ha.toml", BASE, 0o644);
    assert!(load(&path).is_ok());
    // Only root can give a file away.
    if std::os::unix::fs::chown(&path, Some(4711), None).is_ok() {
        dir.told(
            load(&path),
            "DIR/ha.toml belongs to user 4711, who could have programs run as root by it\n    chown root DIR/ha.toml",
        );
    }
}
