//! What on this machine, beside DRBD's own files, would work against what is done with its resources here: each with
//! what to do.

use super::judge::Finding;
use std::fs;
use std::path::{Path, PathBuf};

/// What concerns all resources, where the root of the file system is at `root`.
pub fn around(root: &Path) -> Vec<Finding> {
    let all = [helper(root), enabled(root), reboot(root)];
    all.into_iter().flatten().collect()
}

/// Another device is made of it, a volume group most often: it is neither activated nor let go of here, so that a
/// demotion finds it held open.
pub fn above(root: &Path, device: &str) -> Option<Finding> {
    let name = Path::new(device).file_name()?;
    let holders = root.join("sys/block").join(name).join("holders");
    let holder = entries(&holders).next()?;
    let holder = holder.file_name()?.to_string_lossy().into_owned();
    let name = root.join("sys/block").join(&holder).join("dm/name");
    let shown = fs::read_to_string(name).map_or(holder, |name| name.trim().to_owned());
    Some(Finding {
        refused: true,
        what: format!(
            "{shown} is made of {device}, and nothing here takes that down: {device} could not be demoted"
        ),
        help: format!(
            "have the file system on {device} itself (LVM goes below DRBD), and {device} in `global_filter` of lvm.conf"
        ),
    })
}

/// Whom the kernel calls for its handlers; the module's own parameter, which one without is told by loading it.
fn helper(root: &Path) -> Option<Finding> {
    let path = root.join("sys/module/drbd/parameters/usermode_helper");
    let is = fs::read_to_string(path).ok()?;
    let is = is.trim();
    let known = ["/sbin/drbdadm", "/usr/sbin/drbdadm"];
    (!known.contains(&is)).then(|| Finding {
        refused: true,
        what: format!("the kernel calls `{is}` for DRBD's handlers, and not drbdadm: nobody is asked what became of the other node"),
        help: "echo /sbin/drbdadm >/sys/module/drbd/parameters/usermode_helper, and delete the option from /etc/modprobe.d".into(),
    })
}

/// Units of drbd-utils that bring resources up, promote them, or take them down at shutdown.
fn enabled(root: &Path) -> Option<Finding> {
    let units = entries(&root.join("etc/systemd/system"));
    let wants = units.filter(|path| {
        let kind = path.extension().and_then(|kind| kind.to_str());
        matches!(kind, Some("wants" | "requires"))
    });
    let unit = wants.flat_map(|path| entries(&path)).find_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        (name == "drbd.service" || name.starts_with("drbd@") || name.starts_with("drbd-"))
            .then_some(name)
    })?;
    Some(Finding {
        refused: true,
        what: format!(
            "{unit} is enabled: at boot it waits for the other node, and it brings up and takes down what is ha-appliance's"
        ),
        help: format!("systemctl disable {unit}"),
    })
}

/// A shutdown that waits for frozen I/O is ended by the watchdog alone.
fn reboot(root: &Path) -> Option<Finding> {
    let watchdog = root.join("dev/watchdog").exists();
    let off = || {
        let parts = entries(&root.join("etc/systemd/system.conf.d"));
        let files = [root.join("etc/systemd/system.conf")]
            .into_iter()
            .chain(parts);
        let texts = files.filter_map(|path| fs::read_to_string(path).ok());
        let texts: Vec<String> = texts.collect();
        let lines = texts.iter().flat_map(|text| text.lines());
        let mut set = lines.filter_map(|line| line.trim().strip_prefix("RebootWatchdogSec="));
        set.next_back()
            .is_some_and(|is| matches!(is.trim(), "0" | "off" | "infinity"))
    };
    let what = match watchdog {
        false => "this machine has no watchdog",
        true if off() => "systemd does not use the watchdog at a shutdown",
        true => return None,
    };
    Some(Finding {
        refused: false,
        what: format!("{what}: one that waits for frozen I/O waits for ever"),
        help: match watchdog {
            true => "RebootWatchdogSec=10min in /etc/systemd/system.conf".into(),
            false => "load its driver, or softdog, at boot: `echo softdog >/etc/modules-load.d/watchdog.conf`".into(),
        },
    })
}

/// What is in a directory, in order; nothing where there is none.
fn entries(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDir;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn told(root: &Path) -> Vec<(bool, String)> {
        let found = above(root, "/dev/drbd1").into_iter();
        let found = found.chain(around(root));
        found
            .map(|finding| (finding.refused, finding.what))
            .collect()
    }

    #[test]
    fn a_machine_as_it_should_be_says_nothing() {
        let root = TestDir::new();
        put(&root, "dev/watchdog", "");
        put(
            &root,
            "sys/module/drbd/parameters/usermode_helper",
            "/sbin/drbdadm\n",
        );
        put(
            &root,
            "etc/systemd/system/multi-user.target.wants/ssh.service",
            "",
        );
        put(
            &root,
            "etc/systemd/system.conf",
            "#RebootWatchdogSec=0\n[Manager]\n",
        );
        fs::create_dir_all(root.join("sys/block/drbd1/holders")).unwrap();
        assert_eq!(told(&root), []);
    }

    #[test]
    fn each_that_should_be_otherwise_is_told() {
        let root = TestDir::new();
        put(
            &root,
            "sys/module/drbd/parameters/usermode_helper",
            "/bin/true\n",
        );
        put(
            &root,
            "etc/systemd/system/multi-user.target.wants/drbd.service",
            "",
        );
        put(&root, "sys/block/drbd1/holders/dm-0", "");
        put(&root, "sys/block/dm-0/dm/name", "vg0-data\n");
        let whats = told(&root);
        let parts = [
            (true, "vg0-data is made of /dev/drbd1"),
            (true, "the kernel calls `/bin/true`"),
            (true, "drbd.service is enabled"),
            (false, "this machine has no watchdog"),
        ];
        assert_eq!(whats.len(), parts.len(), "{whats:?}");
        for ((refused, what), part) in whats.iter().zip(parts) {
            assert!(*refused == part.0 && what.contains(part.1), "{what}");
        }
        put(&root, "dev/watchdog", "");
        put(
            &root,
            "etc/systemd/system.conf.d/a.conf",
            "[Manager]\nRebootWatchdogSec=off\n",
        );
        let whats = told(&root);
        assert!(whats[3].1.contains("systemd does not use"), "{whats:?}");
    }
}
