//! What on this machine would get in the way of a mount.

use super::Target;
use super::table::unescape;
use std::fs;
use std::path::{Path, PathBuf};

/// Something in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub what: String,
    /// What to do.
    pub help: String,
}

/// Where systemd finds units that an administrator or a package wrote.
const UNITS: [&str; 3] = [
    "/etc/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Everything that is in the way of it.
pub fn faults(target: &Target) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut add = |what: String, help: String| faults.push(Fault { what, help });
    let (point, device) = (&target.point, &target.device);
    // A device of DRBD's is there while its resource is up, which is looked at by itself.
    if target.number().is_none() && !device.starts_with("/dev/drbd") {
        let what = match Path::new(device).exists() {
            true => format!("{device} is no block device"),
            false => format!("there is no {device} on this node"),
        };
        add(
            what,
            "name a block device that both nodes have; `ls -l /dev/disk/by-id`".into(),
        );
    }
    if let Ok(real) = fs::canonicalize(point)
        && real != Path::new(point)
    {
        let what = format!("{point} leads to {}", real.display());
        add(
            what,
            "write that path: the kernel knows mounts by it".into(),
        );
    }
    if let Some(checker) = target.kind.checker()
        && !["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
            .iter()
            .any(|dir| Path::new(dir).join(checker).exists())
    {
        let what = format!("{checker} is not installed, and a check comes before each mount");
        add(what, "install e2fsprogs".into());
    }
    let fstab = fs::read_to_string("/etc/fstab").unwrap_or_default();
    if let Some(line) = mounted_at_boot(&fstab, target, real) {
        add(
            format!("/etc/fstab mounts it at boot: `{line}`"),
            "delete the line, or add noauto: mounted on both nodes at once, the data is destroyed"
                .into(),
        );
    }
    let name = unit_name(point);
    for kind in ["mount", "automount"] {
        let paths = UNITS.map(|dir| PathBuf::from(dir).join(format!("{name}.{kind}")));
        if let Some(path) = paths.iter().find(|path| path.exists()) {
            add(
                format!("{} is a unit for the same place", path.display()),
                "delete it: systemd would mount and unmount what is ha-appliance's".into(),
            );
        }
    }
    faults
}

/// The line of fstab that does.
fn mounted_at_boot<'a>(
    fstab: &'a str,
    target: &Target,
    real: impl Fn(&str) -> String,
) -> Option<&'a str> {
    let device = real(&target.device);
    fstab.lines().map(str::trim).find(|line| {
        let mut words = line.split_whitespace().map(unescape);
        let (Some(source), Some(point)) = (words.next(), words.next()) else {
            return false;
        };
        let options = words.nth(1).unwrap_or_default();
        let ours = point.trim_end_matches('/') == target.point || real(&named(&source)) == device;
        let by_hand = options.split(',').any(|option| option == "noauto");
        let automount = options.contains("x-systemd.automount");
        !source.starts_with('#') && ours && (!by_hand || automount)
    })
}

/// `UUID=…` and the like are names below /dev/disk.
fn named(source: &str) -> String {
    let kinds = [
        ("UUID=", "uuid"),
        ("LABEL=", "label"),
        ("PARTUUID=", "partuuid"),
        ("PARTLABEL=", "partlabel"),
    ];
    let found = kinds.iter().find_map(|(kind, dir)| {
        let name = source.strip_prefix(kind)?.trim_matches('"');
        Some(format!("/dev/disk/by-{dir}/{name}"))
    });
    found.unwrap_or_else(|| source.to_owned())
}

/// The device itself, whichever name leads there.
fn real(path: &str) -> String {
    let real = fs::canonicalize(path);
    real.map_or(path.to_owned(), |real| real.display().to_string())
}

/// As `systemd-escape --path` makes it: "/mnt/my-data" is "mnt-my\x2ddata".
pub fn unit_name(point: &str) -> String {
    let mut name = String::new();
    for (at, byte) in point.trim_matches('/').bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if at == 0 => name += "\\x2e",
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => name.push(byte as char),
            _ => name += &format!("\\x{byte:02x}"),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    #[test]
    fn units_are_named_as_systemd_does() {
        assert_eq!(unit_name("/mnt/data"), "mnt-data");
        assert_eq!(unit_name("/srv/my-data/.x"), "srv-my\\x2ddata-.x");
        assert_eq!(unit_name("/.hidden"), "\\x2ehidden");
    }

    #[test]
    fn a_line_of_fstab_that_mounts_it_is_found() {
        let target = Target {
            point: "/mnt/data".into(),
            device: "/dev/drbd1".into(),
            kind: Kind::Ext4,
            options: String::new(),
        };
        let real = |path: &str| match path {
            "/dev/disk/by-uuid/ab" => "/dev/drbd1".into(),
            other => other.to_owned(),
        };
        let found = |line: &str| mounted_at_boot(line, &target, real).is_some();
        for line in [
            "/dev/sdb1 /mnt/data/ ext4 defaults 0 0",
            "/dev/drbd1 /srv ext4 defaults,nofail 0 0",
            "UUID=ab /srv ext4 defaults",
            "/dev/drbd1 /mnt/data ext4 noauto,x-systemd.automount 0 0",
            "/dev/drbd1 /mnt/data",
        ] {
            assert!(found(line), "{line}");
        }
        for line in [
            "/dev/drbd1 /mnt/data ext4 noauto 0 0",
            "# /dev/drbd1 /mnt/data ext4 defaults 0 0",
            "#/dev/drbd1 /mnt/data ext4 defaults 0 0",
            "/dev/sdb1 /mnt/database ext4 defaults 0 0",
            "",
        ] {
            assert!(!found(line), "{line}");
        }
    }
}
