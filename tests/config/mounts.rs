//! What is wrong with mounts, and what is said about those that are right.

use crate::BASE;
use crate::machine::{config, host};
use ha_appliance::config::{generate_key_line, parse_with_key_file, resolve};
use ha_appliance::wire::heartbeat::Side;
use std::path::Path;

/// The mistakes of a file with these resources, "line what | what to do", each counted from the first of their lines.
pub fn mistakes(resources: &str) -> Vec<String> {
    let text = format!("{BASE}{resources}");
    let before = BASE.lines().count();
    let key = generate_key_line([7; 32]);
    match parse_with_key_file(&text, Path::new("ha.toml"), &key) {
        Ok(_) => Vec::new(),
        Err(error) => {
            let told = error.mistakes.into_iter().map(|mistake| {
                let line = mistake.place.map_or(0, |place| place.line - before);
                format!("{line} {} | {}", mistake.what, mistake.help)
            });
            told.collect()
        }
    }
}

/// One mount in the first group, with one of its lines another.
fn with(old: &str, new: &str) -> Vec<String> {
    const MOUNT: &str = "[[group.resource]]\nmount = \"/mnt/data\"\ndevice = \"/dev/drbd1\"\nfstype = \"ext4\"\noptions = \"noatime\"\n";
    assert!(MOUNT.contains(old));
    mistakes(&MOUNT.replace(old, new))
}

#[test]
fn what_a_mount_must_say() {
    assert_eq!(with("", ""), [""; 0]);
    for (old, new, told) in [
        (
            "device = \"/dev/drbd1\"\n",
            "",
            "1 [[group.resource]] with `mount` has no `device` | add `device = \"/dev/disk/by-id/wwn-0x5000c500a1b2c3d4\"`",
        ),
        (
            "fstype = \"ext4\"\n",
            "",
            "1 [[group.resource]] with `mount` has no `fstype` | add `fstype = \"ext4\"`",
        ),
        (
            "\"ext4\"",
            "\"ext3\"",
            "4 `fstype` is `ext3` | write \"ext4\" or \"xfs\": what these do after a power cut is known, and no other is supported",
        ),
        (
            "\"ext4\"",
            "\"btrfs\"",
            "4 `fstype` is `btrfs` | write \"ext4\" or \"xfs\": what these do after a power cut is known, and no other is supported",
        ),
        (
            "/dev/drbd1",
            "UUID=12",
            "3 `device`: `UUID=12` is for fstab | write the name below /dev/disk: \"/dev/disk/by-uuid/…\"",
        ),
        (
            "/dev/drbd1",
            "/srv/image",
            "3 `device`: /srv/image is no block device's name | their names begin with /dev/",
        ),
        (
            "/mnt/data",
            "mnt/data",
            "2 `mount`: `mnt/data` is no whole path | write the whole path: \"/mnt/data\"",
        ),
        (
            "/mnt/data",
            "/mnt/data/",
            "2 `mount`: `/mnt/data/` is not written as the kernel shows it | leave out `.`, `..`, double slashes and a slash at the end",
        ),
        (
            "/mnt/data",
            "/usr",
            "2 `mount`: /usr is the machine's own | mount it at a directory of its own: \"/mnt/data\"",
        ),
        (
            "/mnt/data",
            "/run/data",
            "2 `mount`: /run/data is the machine's own | mount it at a directory of its own: \"/mnt/data\"",
        ),
        (
            "noatime",
            "noatime,errors=continue",
            "5 `options`: `errors=continue` cannot be here | write errors=remount-ro: what goes on with an error damages the data further",
        ),
        (
            "noatime",
            "bind",
            "5 `options`: `bind` cannot be here | leave it out: it is for mount(8) and fstab, and nobody reads it here",
        ),
    ] {
        assert_eq!(with(old, new), [told], "{new}");
    }
}

#[test]
fn mounts_that_are_in_each_others_way() {
    let mount = |point: &str, device: &str| {
        format!(
            "[[group.resource]]\nmount = \"{point}\"\ndevice = \"{device}\"\nfstype = \"xfs\"\n"
        )
    };
    let group = "[[group]]\nname = \"db\"\n";
    let first = mount("/mnt/data/inner", "/dev/drbd1");
    let two = |second: &str| mistakes(&format!("{first}{second}"));
    assert_eq!(two(&mount("/mnt/data/other", "/dev/drbd2")), [""; 0]);
    assert_eq!(two(&mount("/mnt/data/inner/below", "/dev/drbd2")), [""; 0]);
    assert_eq!(
        two(&mount("/mnt/data/inner", "/dev/drbd2")),
        [
            "6 something is mounted at /mnt/data/inner already (line 25:9) | give each a directory of its own"
        ]
    );
    assert_eq!(
        two(&mount("/mnt/data", "/dev/drbd2")),
        [
            "6 /mnt/data would cover /mnt/data/inner, which is mounted before it (line 25:9) | put the outer one first: they are mounted in this order"
        ]
    );
    assert_eq!(
        two(&format!("{group}{}", mount("/mnt/data", "/dev/drbd2"))),
        [
            "8 /mnt/data and /mnt/data/inner (group `web`, line 25:9) lie in each other | two groups may run on two nodes: keep their directories apart"
        ]
    );
    assert_eq!(
        two(&mount("/srv", "/dev/drbd1")),
        [
            "7 /dev/drbd1 is mounted at /mnt/data/inner already (line 25:9) | a device is mounted at one place"
        ]
    );
}

#[test]
fn what_should_be_otherwise_is_warned_of() {
    let text = format!(
        "{BASE}[[group.resource]]\nmount = \"/mnt/data\"\ndevice = \"/dev/sdb1\"\nfstype = \"ext4\"\n"
    );
    let told = |text: &str| -> Vec<String> {
        let (_, warnings) = resolve(&config(text), Side::First, &host());
        warnings.iter().map(ToString::to_string).collect()
    };
    let drbd = told(&text.replace("sdb1", "drbd1"));
    assert!(
        drbd.iter()
            .any(|line| line.contains("has no `drbd` for it")),
        "{drbd:?}"
    );
    let told = told(&text);
    for words in [
        "VIP 192.168.10.80/24 stands above the mount /mnt/data",
        "/dev/sdb1 is a name by the order in which disks are found",
        "data, which is never taken over on evidence",
    ] {
        assert!(
            told.iter().any(|line| line.contains(words)),
            "{words}: {told:?}"
        );
    }
}
