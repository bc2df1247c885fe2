//! Leaves nothing behind: everything a lab makes carries its pid in its name, so that what a dead
//! lab left can be found and removed, and only that.

use crate::net::batch;
use crate::sys::{self, kill};
use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where a lab keeps its files.
pub fn directory(lab: u32) -> PathBuf {
    std::env::temp_dir().join(format!("ha-lab-{lab}"))
}

/// The freezer groups of a lab, in whichever cgroup version this machine has.
pub fn cgroup(lab: u32, tag: &str) -> Option<PathBuf> {
    let roots = [
        Path::new("/sys/fs/cgroup/freezer"),
        Path::new("/sys/fs/cgroup"),
    ];
    let root = roots
        .iter()
        .find(|root| root.join("cgroup.procs").exists())?;
    Some(root.join(format!("ha-lab-{lab}-{tag}")))
}

/// Every cgroup that a lab's machine lives in: systemd wants one in the hierarchy it manages by.
pub fn machine_cgroups(lab: u32, tag: &str) -> Vec<PathBuf> {
    let v1 = ["systemd", "unified"].map(|name| Path::new("/sys/fs/cgroup").join(name));
    let managed = v1.iter().filter(|root| root.join("cgroup.procs").exists());
    let managed = managed.map(|root| root.join(format!("ha-lab-{lab}-{tag}")));
    cgroup(lab, tag).into_iter().chain(managed).collect()
}

/// A process that outlives this one just long enough to sweep up after it, however it ended: it
/// waits for the pipe between them to break.
pub fn guard() -> io::Result<Guard> {
    let child = Command::new(std::env::current_exe()?)
        .args(["__guard", &std::process::id().to_string()])
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()?;
    Ok(Guard(child))
}

/// Dropped at a regular end, it waits until all is swept.
pub struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The guard's own program.
pub fn guard_main(lab: u32) {
    let _ = io::stdin().read_to_end(&mut Vec::new());
    sweep(lab);
}

/// Removes what labs left whose process is gone.
pub fn sweep_dead() {
    let mut labs = HashSet::new();
    for name in names("/run/netns") {
        labs.extend(
            name.strip_prefix("ha")
                .and_then(|n| n.split_once('-')?.0.parse::<u32>().ok()),
        );
    }
    for name in names(std::env::temp_dir()) {
        labs.extend(
            name.strip_prefix("ha-lab-")
                .and_then(|n| n.parse::<u32>().ok()),
        );
    }
    for lab in labs {
        if !Path::new(&format!("/proc/{lab}")).exists() {
            sweep(lab);
        }
    }
}

/// Removes all of one lab: its processes, namespaces, freezer groups, mounts and files.
pub fn sweep(lab: u32) {
    for tag in ["a", "b"] {
        if let Some(group) = cgroup(lab, tag) {
            thaw(&group);
        }
    }
    let prefix = format!("ha{lab}-");
    let spaces: Vec<String> = names("/run/netns")
        .into_iter()
        .filter(|name| name.starts_with(&prefix))
        .collect();
    spaces.iter().for_each(|name| kill_in(name));
    let lines: String = spaces
        .iter()
        .map(|name| format!("netns del {name}\n"))
        .collect();
    let _ = batch(None, &lines);
    for tag in ["a", "b"] {
        for group in machine_cgroups(lab, tag) {
            remove_cgroup(&group);
        }
        // systemd-nspawn leaves it when it is killed.
        let _ = fs::remove_dir_all(format!("/run/systemd/nspawn/propagate/{prefix}{tag}"));
    }
    let directory = directory(lab);
    unmount_below(&directory);
    let _ = fs::remove_dir_all(directory);
}

/// Kills every process of a namespace, and waits until it is gone.
pub fn kill_in(netns: &str) {
    for _ in 0..50 {
        let found = inside(netns);
        if found.is_empty() {
            return;
        }
        found.iter().for_each(|&pid| kill(pid, libc::SIGKILL));
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Every process of a namespace. Zombies have none, so a killed child needs no reaping first.
pub fn inside(netns: &str) -> Vec<u32> {
    let Ok(wanted) = fs::metadata(sys::netns_path(netns)) else {
        return Vec::new();
    };
    let same = |pid: &u32| {
        fs::metadata(format!("/proc/{pid}/ns/net"))
            .is_ok_and(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()))
    };
    names("/proc")
        .iter()
        .filter_map(|name| name.parse().ok())
        .filter(same)
        .collect()
}

/// Freezes or thaws a freezer group; false where the machine offers neither version.
pub fn set_frozen(group: &Path, frozen: bool) -> bool {
    if !frozen {
        // A part of it may be frozen by itself.
        for inner in directories(group) {
            set_frozen(&inner, false);
        }
    }
    let (v1, v2) = if frozen {
        ("FROZEN", "1")
    } else {
        ("THAWED", "0")
    };
    fs::write(group.join("freezer.state"), v1).is_ok()
        || fs::write(group.join("cgroup.freeze"), v2).is_ok()
}

/// Removes a cgroup and all below it, waiting a little for killed members to be gone.
pub fn remove_cgroup(group: &Path) {
    for _ in 0..50 {
        // The files in it are not files: only directories can be removed, the innermost first.
        for inner in directories(group) {
            remove_cgroup(&inner);
        }
        if !group.exists() || fs::remove_dir(group).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn thaw(group: &Path) {
    if group.exists() {
        set_frozen(group, false);
    }
}

/// Unmounts whatever is mounted below a directory.
pub fn unmount_below(directory: &Path) {
    let Ok(mounts) = fs::read_to_string("/proc/self/mounts") else {
        return;
    };
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for point in points.filter(|point| Path::new(point).starts_with(directory)) {
        let _ = Command::new("umount").args(["-l", point]).status();
    }
}

fn directories(group: &Path) -> Vec<PathBuf> {
    let inner = names(group).into_iter().map(|name| group.join(name));
    inner.filter(|path| path.is_dir()).collect()
}

fn names(directory: impl AsRef<Path>) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect()
}
