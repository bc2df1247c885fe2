//! One daemon per run directory, and who it is: a lock on the pid file.
//!
//! A record lock of fcntl(2), because the kernel then *tells* the holder's pid (F_GETLK): what
//! stands in the file is for people and may be stale, and a stale pid would send a command to a
//! stranger. Such a lock ends with its process however that dies, and children do not inherit it.
//! Its one trap: it also ends when the process closes *any* descriptor of the file, so nothing but
//! [`PidLock`] may open the pid file inside the daemon. The file is never removed: a daemon that
//! had it open at that moment would lock a file that nobody else sees.

use crate::sys;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The lock; it lasts until this is dropped or the process ends.
#[derive(Debug)]
pub struct PidLock {
    _file: File,
}

impl PidLock {
    /// Takes the lock of this run directory, which is made if missing (0755), and writes this
    /// process's pid for people to read.
    pub fn acquire(run_dir: &Path) -> Result<PidLock, LockError> {
        let path = pid_file(run_dir);
        let cannot = |error| LockError::Io(path.clone(), error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(run_dir)
            .map_err(cannot)?;
        let mut file = open(&path, true).map_err(cannot)?;
        match sys::lock_whole(&file) {
            Ok(()) => {}
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => {
                let pid = sys::lock_holder(&file).ok().flatten().unwrap_or(0);
                return Err(LockError::Held { pid, path });
            }
            Err(e) => return Err(cannot(e)),
        }
        // A full tmpfs costs the people's copy of the pid, nothing else.
        let _ = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(PidLock { _file: file })
    }
}

/// A process that holds the lock, pinned: no later process with its number is ever meant.
#[derive(Debug)]
pub struct Holder {
    /// Its pid.
    pub pid: i32,
    pidfd: OwnedFd,
}

impl Holder {
    /// Whoever holds the lock of this run directory, if anybody does. Must not be called by the
    /// holder itself: see the module's trap.
    pub fn find(run_dir: &Path) -> Result<Option<Holder>, LockError> {
        let path = pid_file(run_dir);
        let cannot = |error| LockError::Io(path.clone(), error);
        let file = match open(&path, false) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(cannot(e)),
        };
        while let Some(pid) = sys::lock_holder(&file).map_err(cannot)? {
            if pid <= 0 {
                return Err(LockError::Held { pid: 0, path });
            }
            let pidfd = match sys::pidfd_open(pid) {
                Ok(pidfd) => pidfd,
                // It ended between the two calls: look again.
                Err(e) if e.raw_os_error() == Some(libc::ESRCH) => continue,
                Err(e) => return Err(cannot(e)),
            };
            // Still that pid: so the pidfd means a process that held the lock, or is dead.
            if sys::lock_holder(&file).map_err(cannot)? == Some(pid) {
                return Ok(Some(Holder { pid, pidfd }));
            }
        }
        Ok(None)
    }

    /// Queues a real-time signal with its 32-bit payload.
    pub fn queue(&self, signal: i32, payload: u32) -> io::Result<()> {
        sys::pidfd_queue(&self.pidfd, signal, payload)
    }

    /// It has ended.
    pub fn ended(&self) -> bool {
        sys::pidfd_ended(&self.pidfd)
    }
}

/// Why there is no lock.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it; pid 0: one of another pid namespace.
    Held {
        /// Who.
        pid: i32,
        /// Its pid file.
        path: PathBuf,
    },
    /// The pid file cannot be used.
    Io(PathBuf, io::Error),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockError::Held { pid: 0, path } => write!(
                f,
                "a process of another pid namespace (a container?) holds {}: use it from there, or choose another --run-dir",
                path.display()
            ),
            LockError::Held { pid, path } => write!(
                f,
                "process {pid} holds {}: it runs already; stop it first, or choose another --run-dir",
                path.display()
            ),
            LockError::Io(path, e) if e.kind() == io::ErrorKind::PermissionDenied => {
                write!(f, "cannot use {}: {e}; run this as root", path.display())
            }
            LockError::Io(path, e) => {
                write!(f, "cannot use {}: {e}; see --run-dir", path.display())
            }
        }
    }
}

impl std::error::Error for LockError {}

fn pid_file(run_dir: &Path) -> PathBuf {
    run_dir.join("ha-appliance.pid")
}

/// Root's file alone: anybody who could open it for writing could hold the lock and so keep the
/// daemon from starting. `status` of an ordinary user reads status.json, and this file too.
fn open(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(create)
        .create(create)
        .truncate(false)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestDir, in_child};

    #[test]
    fn nobody() {
        let dir = TestDir::new();
        assert!(Holder::find(&dir.join("absent")).unwrap().is_none());
        std::fs::write(pid_file(&dir), "1\n").unwrap();
        assert!(
            Holder::find(&dir).unwrap().is_none(),
            "a pid without the lock means nothing"
        );
    }

    #[test]
    fn the_second_daemon_is_told_the_first_ones_pid() {
        let dir = TestDir::new();
        let mut first = in_child("shell::lock::tests::child_holds_the_lock", &dir);
        std::fs::write(pid_file(&dir), "1\n").unwrap(); // a lie
        let Err(error) = PidLock::acquire(&dir) else {
            panic!("two daemons")
        };
        let text = format!("process {} holds {}", first.pid(), pid_file(&dir).display());
        assert!(error.to_string().starts_with(&text), "{error}");
        let holder = Holder::find(&dir).unwrap().expect("held");
        assert_eq!(holder.pid, first.pid());
        assert!(!holder.ended());

        first.kill();
        assert!(holder.ended());
        assert!(Holder::find(&dir).unwrap().is_none());
        let error = holder.queue(libc::SIGRTMIN(), 0).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
        let _lock = PidLock::acquire(&dir).expect("free again");
        assert_eq!(
            std::fs::read_to_string(pid_file(&dir)).unwrap(),
            format!("{}\n", std::process::id())
        );
    }

    /// Runs in a process of its own; see `in_child`.
    #[test]
    #[ignore = "helper of the_second_daemon_is_told_the_first_ones_pid"]
    fn child_holds_the_lock() {
        crate::testing::child(|dir| {
            let lock = PidLock::acquire(dir).unwrap();
            crate::testing::ready(dir);
            std::thread::sleep(std::time::Duration::from_secs(60));
            drop(lock);
        });
    }
}
