//! Who uses a mount: found in every mount namespace, by the mount and not by the file system alone, so that nobody
//! is taken for a user who has the same disk elsewhere, or sits in a directory of the same name.
//!
//! No path of another file system is followed, for that might hang: descriptors tell their mount by number
//! (/proc/PID/fdinfo), and a working directory is opened only where its text says that it is below.

use super::Target;
use super::table::{Number, Table, is_within};
use crate::sys;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

/// A process that uses the mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pid: i32,
    /// What it is called, as ps shows it.
    name: String,
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stuck = match sys::state(self.pid) {
            Some('D') => ", waits for the kernel",
            _ => "",
        };
        write!(f, "process {} ({}{stuck})", self.pid, self.name)
    }
}

/// Every process that uses it: not this one, nor PID 1, nor the kernel's own.
pub(super) fn find(target: &Target) -> Vec<User> {
    let Some(number) = number(target) else {
        return Vec::new();
    };
    let mut known = BTreeMap::new();
    let spared = [
        std::process::id() as i32,
        std::os::unix::process::parent_id() as i32,
        1,
    ];
    let pids = processes().filter(|pid| !spared.contains(pid));
    let using = pids.filter(|pid| uses(*pid, copies(*pid, number, target, &mut known), number));
    using
        .map(|pid| User {
            pid,
            name: name(pid),
        })
        .collect()
}

/// Signals a process if it still uses the mount; true: it did.
pub(super) fn signal(user: &User, signal: i32, target: &Target) -> bool {
    let Some(number) = number(target) else {
        return false;
    };
    // Of whoever has that number from here on, and nobody after.
    let Ok(process) = sys::pidfd_open(user.pid) else {
        return false;
    };
    let mut known = BTreeMap::new();
    uses(
        user.pid,
        copies(user.pid, number, target, &mut known),
        number,
    ) && sys::pidfd_signal(&process, signal).is_ok()
}

/// Namespaces other than this one's that have the device mounted, each by a process in it.
pub(super) fn namespaces(number: Number, point: &str) -> Vec<String> {
    let own = link(std::process::id() as i32, "ns/mnt");
    let mut seen = BTreeSet::from([own]);
    let mut found = Vec::new();
    for pid in processes() {
        if !seen.insert(link(pid, "ns/mnt")) {
            continue;
        }
        let table = Table::of(&pid.to_string()).unwrap_or_default();
        if let Some(entry) = table.of_device(number).next() {
            let there = match entry.point == point {
                true => String::new(),
                false => format!(" at {}", entry.point),
            };
            found.push(format!(
                "mounted{there} in the mount namespace of process {pid} ({})",
                name(pid)
            ));
        }
    }
    found
}

/// Users that are no processes, as far as the kernel tells: an NFS export, a loop device, swap, what is mounted below.
pub(super) fn in_the_kernel(point: &str) -> Vec<String> {
    let mut found = Vec::new();
    let first = |line: &str| super::table::unescape(line.split_whitespace().next().unwrap_or(""));
    let lines = |path| fs::read_to_string(path).unwrap_or_default();
    let exports = lines("/proc/fs/nfsd/exports");
    let exports = exports
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(first);
    let exports = exports.filter(|path| is_within(path, point));
    found.extend(
        exports.map(|path| format!("the kernel's NFS server exports {path}: `exportfs -u`")),
    );
    let swaps = lines("/proc/swaps");
    let swaps = swaps
        .lines()
        .skip(1)
        .map(first)
        .filter(|path| is_within(path, point));
    found.extend(swaps.map(|path| format!("{path} is swap: `swapoff {path}`")));
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let file = fs::read_to_string(entry.path().join("loop/backing_file"));
        if let Ok(file) = file
            && is_within(file.trim(), point)
        {
            let file = file.trim();
            found.push(format!("/dev/{name} is {file}: `losetup -d /dev/{name}`"));
        }
    }
    let table = Table::read().unwrap_or_default();
    let below = table.below(point);
    found.extend(below.map(|entry| format!("{} is mounted below it: unmount it", entry.point)));
    found
}

/// Of the device, or of the mount where that is gone.
fn number(target: &Target) -> Option<Number> {
    let mounted = || {
        let table = Table::read().ok()?;
        target.entry(&table).map(|entry| entry.device)
    };
    target.number().or_else(mounted)
}

/// The mounts of it that a process sees.
#[derive(Clone, Debug, Default)]
struct Copies {
    ids: BTreeSet<u64>,
    points: Vec<String>,
}

/// In the namespace of that process, and below its root: what is at the mount's own place or below it. The same disk
/// at another place is another mount, and its users are nobody's to end.
fn copies<'a>(
    pid: i32,
    number: Number,
    target: &Target,
    known: &'a mut BTreeMap<[String; 2], Copies>,
) -> &'a Copies {
    let view = [link(pid, "ns/mnt"), link(pid, "root")];
    known.entry(view).or_insert_with(|| {
        let table = Table::of(&pid.to_string()).unwrap_or_default();
        let ours = table.of_device(number);
        let ours = ours.filter(|entry| is_within(&entry.point, &target.point));
        let ours: Vec<_> = ours.collect();
        Copies {
            ids: ours.iter().map(|entry| entry.id).collect(),
            points: ours.iter().map(|entry| entry.point.clone()).collect(),
        }
    })
}

fn uses(pid: i32, copies: &Copies, number: Number) -> bool {
    if copies.ids.is_empty() {
        return false;
    }
    let below = |path: &str| copies.points.iter().any(|point| is_within(path, point));
    opens(pid, &copies.ids)
        || ["cwd", "root"].iter().any(|what| {
            below(&link(pid, what))
                && mount_of(pid, what).is_some_and(|id| copies.ids.contains(&id))
        })
        || maps(pid, number, below)
}

/// By an open descriptor.
fn opens(pid: i32, ids: &BTreeSet<u64>) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fdinfo"))
        .into_iter()
        .flatten();
    descriptors.flatten().any(|descriptor| {
        let text = fs::read_to_string(descriptor.path()).unwrap_or_default();
        mount_id(&text).is_some_and(|id| ids.contains(&id))
    })
}

fn mount_id(fdinfo: &str) -> Option<u64> {
    let mut lines = fdinfo.lines();
    lines.find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok())
}

/// The mount of a process's directory, opened for its name alone.
fn mount_of(pid: i32, what: &str) -> Option<u64> {
    let opened = fs::File::options()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(format!("/proc/{pid}/{what}"))
        .ok()?;
    let own = opened.as_raw_fd();
    mount_id(&fs::read_to_string(format!("/proc/self/fdinfo/{own}")).ok()?)
}

/// By a mapped file, the program itself among them: `start-end perms offset major:minor inode path`.
fn maps(pid: i32, number: Number, below: impl Fn(&str) -> bool) -> bool {
    let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    let maps = String::from_utf8_lossy(&maps);
    let device = format!("{:02x}:{:02x}", number.major, number.minor);
    maps.lines().any(|line| {
        let mut words = line.split_ascii_whitespace().skip(3);
        words.next() == Some(&device)
            && words.nth(1).is_some_and(|first| {
                // A path may have spaces.
                let at = first.as_ptr() as usize - line.as_ptr() as usize;
                below(line[at..].trim_end_matches(" (deleted)"))
            })
    })
}

/// Without the kernel's own, which have no program.
fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok())
}

/// What a link in /proc says, without following it.
fn link(pid: i32, what: &str) -> String {
    let link = fs::read_link(format!("/proc/{pid}/{what}"));
    let text = link
        .map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default();
    text.trim_end_matches(" (deleted)").to_owned()
}

fn name(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_tells_its_mount() {
        let file = fs::File::open("/proc/self/status").unwrap();
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).unwrap();
        let proc = Table::read().unwrap().at("/proc").unwrap().id;
        assert_eq!(mount_id(&text), Some(proc));
        assert!(opens(std::process::id() as i32, &BTreeSet::from([proc])));
    }

    #[test]
    fn a_working_directory_tells_its_mount() {
        let root = Table::read().unwrap();
        let here = std::env::current_dir().unwrap();
        let here = here.to_str().unwrap();
        let mounts = root.0.iter().filter(|entry| is_within(here, &entry.point));
        let mount = mounts.max_by_key(|entry| entry.point.len()).unwrap().id;
        assert_eq!(mount_of(std::process::id() as i32, "cwd"), Some(mount));
    }
}
