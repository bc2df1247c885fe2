//! Everybody else's side of `status.json`: is there a daemon, and is what it says fresh?

use super::{SCHEMA, Status};
use crate::core::time::Time;
use crate::shell::clock;
use crate::shell::identity;
use crate::shell::lock::{Holder, LockError};
use crate::sys;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// What a look into the run directory found.
#[derive(Debug)]
pub enum Reading {
    /// Nobody holds the lock.
    NotRunning,
    /// Somebody does, but does not refresh the file.
    NotResponding {
        /// Its process; none: the reader may not know.
        pid: Option<i32>,
        /// Why its word is not taken.
        why: String,
    },
    /// Somebody does, and waits for something before it begins.
    Waiting {
        /// Its process.
        pid: i32,
        /// For what.
        why: String,
    },
    /// What the daemon says; and the daemon, for those who may know whom the lock belongs to.
    Fresh(Option<Holder>, Box<Status>),
}

/// Older than this, and the daemon is not responding: it refreshes its stamp every second.
pub const STALE: Duration = Duration::from_secs(3);

/// Looks once. Who may not open the lock file takes the status at its word: root alone can write it.
pub fn read(run_dir: &Path) -> Result<Reading, LockError> {
    let holder = match Holder::find(run_dir) {
        Ok(Some(holder)) => holder,
        Ok(None) => return Ok(Reading::NotRunning),
        Err(error) if error.is_denied() => return Ok(at_its_word(run_dir)),
        Err(error) => return Err(error),
    };
    if let Some((pid, why)) = identity::waiting(run_dir).filter(|(pid, _)| *pid == holder.pid) {
        return Ok(Reading::Waiting { pid, why });
    }
    let status = load(run_dir).and_then(|status| match i64::from(status.daemon.pid) {
        pid if pid == i64::from(holder.pid) => judge(status, &clock::boot_id(), clock::now()),
        pid => Err(format!(
            "its status is of an earlier daemon (process {pid})"
        )),
    });
    Ok(match status {
        Ok(status) => Reading::Fresh(Some(holder), status),
        Err(why) => Reading::NotResponding {
            pid: Some(holder.pid),
            why,
        },
    })
}

fn at_its_word(run_dir: &Path) -> Reading {
    let lives = |pid: i32| {
        let opened = sys::pidfd_open(pid);
        !opened.is_err_and(|e| e.raw_os_error() == Some(libc::ESRCH))
    };
    if let Some((pid, why)) = identity::waiting(run_dir).filter(|(pid, _)| lives(*pid)) {
        return Reading::Waiting { pid, why };
    }
    let status = match load(run_dir) {
        Ok(status) => status,
        Err(why) => return Reading::NotResponding { pid: None, why },
    };
    let pid = i32::try_from(status.daemon.pid).unwrap_or(0);
    if !lives(pid) || status.boot_id != clock::boot_id() {
        return Reading::NotRunning;
    }
    match judge(status, &clock::boot_id(), clock::now()) {
        Ok(status) => Reading::Fresh(None, status),
        Err(why) => Reading::NotResponding {
            pid: Some(pid),
            why,
        },
    }
}

/// What the file says, fresh or not: only for those who hold its daemon by other means. Where its disk is full
/// it is written over, and half of it may be seen.
pub fn load(run_dir: &Path) -> Result<Box<Status>, String> {
    for _ in 0..AGAIN {
        if let Ok(status) = load_once(run_dir) {
            return Ok(status);
        }
        std::thread::sleep(PAUSE);
    }
    load_once(run_dir)
}

const AGAIN: usize = 3;
const PAUSE: Duration = Duration::from_millis(5);

/// The same of a file that nobody writes at this moment: what is not whole does not become it.
pub fn load_once(run_dir: &Path) -> Result<Box<Status>, String> {
    let path = run_dir.join("status.json");
    let text = std::fs::read(&path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => "it has not written its status yet".to_owned(),
        _ => format!("{} cannot be read: {e}", path.display()),
    })?;
    /// Whatever else may have changed.
    #[derive(serde::Deserialize)]
    struct Version {
        schema: u32,
    }
    let not_understood =
        |e: serde_json::Error| format!("{} is not understood: {e}", path.display());
    let Version { schema } = serde_json::from_slice(&text).map_err(not_understood)?;
    if schema != SCHEMA {
        return Err(format!(
            "its status has schema {schema}, and this program knows {SCHEMA}: both must be of one version"
        ));
    }
    let status: Box<Status> = serde_json::from_slice(&text).map_err(not_understood)?;
    // What the type does not say, and everybody who shows it relies on.
    let here = status.nodes.iter().filter(|node| node.here).count();
    if (status.nodes.len(), here) != (2, 1) {
        return Err(format!(
            "{} is not understood: it does not name two nodes, one of them this one",
            path.display()
        ));
    }
    Ok(status)
}

/// The peer's own addresses that a daemon here has heard of, beside its links.
pub fn peer_addresses(run_dir: &Path) -> Vec<IpAddr> {
    let paths = load(run_dir).map(|status| status.paths).unwrap_or_default();
    let last_resorts = paths.into_iter().filter(|path| path.last_resort);
    last_resorts
        .filter_map(|path| path.peer.parse().ok())
        .collect()
}

/// Whether a daemon of any version ran here since the machine booted.
pub fn ran_before(run_dir: &Path) -> bool {
    last_status(run_dir) == LastStatus::OfThisBoot
}

/// Whose status is there, of whatever version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastStatus {
    /// None is.
    Nobodys,
    /// A daemon's of this boot.
    OfThisBoot,
    /// A daemon's of another boot.
    OfAnotherBoot,
    /// It cannot be read, or is not whole.
    Unreadable,
}

/// Looks whose.
pub fn last_status(run_dir: &Path) -> LastStatus {
    #[derive(serde::Deserialize)]
    struct Boot {
        boot_id: String,
    }
    let text = match std::fs::read(run_dir.join("status.json")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return LastStatus::Nobodys,
        Err(_) => return LastStatus::Unreadable,
    };
    match serde_json::from_slice(&text) {
        Ok(Boot { boot_id }) if boot_id == clock::boot_id() => LastStatus::OfThisBoot,
        Ok(_) => LastStatus::OfAnotherBoot,
        Err(_) => LastStatus::Unreadable,
    }
}

fn judge(status: Box<Status>, boot_id: &str, now: Time) -> Result<Box<Status>, String> {
    if status.boot_id != boot_id {
        return Err("its status is of an earlier boot".into());
    }
    let age = now.since(Time(status.stamp_us));
    if age > STALE {
        return Err(format!("its status is {} old", clock::span(age)));
    }
    Ok(status)
}
