//! The processes of a control group.

use crate::agents::words::printable;
use crate::sys;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The hierarchies in which systemd may have put it: the only one, or those of a hybrid.
const ROOTS: [&str; 3] = [
    "/sys/fs/cgroup",
    "/sys/fs/cgroup/unified",
    "/sys/fs/cgroup/systemd",
];

/// The processes in it, those of its children not counted. None if it is gone.
pub(super) fn processes(group: &str) -> Vec<i32> {
    if group.is_empty() || group == "/" {
        return Vec::new();
    }
    let lists = ROOTS.map(|root| fs::read_to_string(format!("{root}{group}/cgroup.procs")));
    let found = lists.into_iter().flatten().find(|list| !list.is_empty());
    let found = found.unwrap_or_default();
    found.lines().filter_map(|line| line.parse().ok()).collect()
}

/// The processes in it and in all below it.
pub(super) fn all_processes(group: &str) -> Vec<i32> {
    let mut found = processes(group);
    for child in children(group) {
        found.extend(all_processes(&format!("{group}/{child}")));
    }
    found
}

/// Kills them all, without systemd.
pub(super) fn kill(group: &str) {
    all_processes(group).into_iter().for_each(sys::kill);
}

fn children(group: &str) -> BTreeSet<String> {
    if group.is_empty() || group == "/" {
        return BTreeSet::new();
    }
    let entries = ROOTS.map(|root| fs::read_dir(format!("{root}{group}")));
    let entries = entries.into_iter().flatten().flatten().flatten();
    let directories = entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
    directories
        .filter_map(|directory| directory.file_name().into_string().ok())
        .collect()
}

/// Whether it is there, in any hierarchy. One that was, and is not, has no processes.
pub(super) fn exists(group: &str) -> bool {
    let there = |root: &str| Path::new(&format!("{root}{group}")).exists();
    !group.is_empty() && ROOTS.iter().any(|root| there(root))
}

/// Processes for people, such as `123 (nginx, state D)`; the first few of many.
pub(super) fn describe(processes: &[i32]) -> String {
    let one = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // `pid (name) state …`, and the name may hold anything.
        let name = stat
            .split_once('(')
            .and_then(|(_, rest)| rest.rsplit_once(") "));
        match name {
            Some((name, rest)) => format!("{pid} ({}, state {})", printable(name), &rest[..1]),
            None => pid.to_string(),
        }
    };
    let mut words: Vec<String> = processes.iter().take(SHOWN).map(one).collect();
    if processes.len() > SHOWN {
        words.push(format!("{} more", processes.len() - SHOWN));
    }
    words.join(", ")
}

const SHOWN: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_described_by_name_and_state() {
        let me = std::process::id() as i32;
        let said = describe(&[me, 0, 0, 0]);
        assert!(said.starts_with(&format!("{me} (")), "{said}");
        assert!(said.contains(", state "), "{said}");
        assert!(said.ends_with("1 more"), "{said}");
    }

    #[test]
    fn no_group_has_no_processes() {
        assert!(processes("").is_empty() && all_processes("").is_empty());
        assert!(all_processes("/").is_empty() && all_processes("/no-such.slice").is_empty());
        assert!(processes("/no-such.slice").is_empty());
        assert!(!exists("") && !exists("/no-such.slice") && exists("/"));
    }
}
