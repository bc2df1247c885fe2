//! The processes of a control group.

use crate::agents::words::printable;
use crate::sys;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

/// The hierarchies in which systemd may have put it: the only one, or those of a hybrid.
const ROOTS: [&str; 3] = [
    "/sys/fs/cgroup",
    "/sys/fs/cgroup/unified",
    "/sys/fs/cgroup/systemd",
];

/// The processes in it, those of its children not counted; none if it is gone. An error: who is in it is not
/// known, which is not nobody.
pub(super) fn processes(group: &str) -> io::Result<Vec<i32>> {
    if group.is_empty() || group == "/" {
        return Ok(Vec::new());
    }
    for root in ROOTS {
        let list = there(fs::read_to_string(format!("{root}{group}/cgroup.procs")))?;
        if let Some(list) = list.filter(|list| !list.is_empty()) {
            return Ok(list.lines().filter_map(|line| line.parse().ok()).collect());
        }
    }
    Ok(Vec::new())
}

/// The processes in it and in all below it.
pub(super) fn all_processes(group: &str) -> io::Result<Vec<i32>> {
    let mut found = processes(group)?;
    for child in children(group)? {
        found.extend(all_processes(&format!("{group}/{child}"))?);
    }
    Ok(found)
}

/// Kills all that can be found of them, without systemd.
pub(super) fn kill(group: &str) {
    let found = all_processes(group).unwrap_or_default();
    found.into_iter().for_each(sys::kill);
}

fn children(group: &str) -> io::Result<BTreeSet<String>> {
    let mut children = BTreeSet::new();
    if group.is_empty() || group == "/" {
        return Ok(children);
    }
    for root in ROOTS {
        let Some(entries) = there(fs::read_dir(format!("{root}{group}")))? else {
            continue;
        };
        for entry in entries {
            let Some(entry) = there(entry)? else { break };
            if there(entry.file_type())?.is_some_and(|kind| kind.is_dir()) {
                children.extend(entry.file_name().into_string().ok());
            }
        }
    }
    Ok(children)
}

/// None: it is not there (any more), or has no processes of its own to tell of.
fn there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        // Removed while it was read; one whose threads are all counted above it.
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENODEV | libc::EOPNOTSUPP)) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether it is there, or may be, in any hierarchy. One that was, and is not, has no processes.
pub(super) fn exists(group: &str) -> bool {
    let there = |root: &str| Path::new(&format!("{root}{group}")).try_exists();
    !group.is_empty() && ROOTS.iter().any(|root| there(root).unwrap_or(true))
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
    use crate::testing::TestDir;

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
        for group in ["", "/", "/no-such.slice"] {
            assert!(processes(group).unwrap().is_empty());
            assert!(all_processes(group).unwrap().is_empty());
        }
        assert!(!exists("") && !exists("/no-such.slice") && exists("/"));
    }

    #[test]
    fn who_cannot_be_read_is_not_nobody() {
        let dir = TestDir::new();
        let group = format!("/../../..{}", dir.display());
        std::fs::create_dir_all(dir.join("child/cgroup.procs")).unwrap(); // no file, so not to be read
        assert!(all_processes(&group).is_err());
        std::fs::remove_dir(dir.join("child/cgroup.procs")).unwrap();
        std::fs::write(dir.join("child/cgroup.procs"), "7\n9\n").unwrap();
        assert_eq!(all_processes(&group).unwrap(), [7, 9]);
    }
}
