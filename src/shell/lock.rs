//! One daemon per run directory, and who it is: a lock on a file that root alone can open.
//!
//! A record lock of fcntl(2), because the kernel then *tells* the holder's pid (F_GETLK): what
//! stands in a file is for people and may be stale, and a stale pid would send a command to a
//! stranger. Such a lock ends with its process however that dies, and children do not inherit it.
//! Its one trap: it also ends when the process closes *any* descriptor of the file, so nothing but
//! [`PidLock`] may open the lock file inside the daemon. The file is never removed: a daemon that
//! had it open at that moment would lock a file that nobody else sees.
//!
//! Not on the pid file, which everybody may read: whoever can open a file for reading can hold a
//! shared lock on it, and so keep the daemon from starting. The lock file has mode 0600, in a directory
//! that nobody else can write to. Who may not open it is told [`LockError::is_denied`], and does without.

use crate::sys;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
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
        own_directory(run_dir)?;
        let path = lock_file(run_dir);
        let cannot = |error| LockError::Io(path.clone(), error);
        let file = open(&path, true)?;
        match sys::lock_whole(&file) {
            Ok(()) => {}
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => {
                let pid = sys::lock_holder(&file).ok().flatten().unwrap_or(0);
                return Err(LockError::Held { pid, path });
            }
            Err(e) => return Err(cannot(e)),
        }
        // A full tmpfs costs the people's copy of the pid, nothing else.
        let _ = write_pid(run_dir);
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
        let path = lock_file(run_dir);
        let cannot = |error| LockError::Io(path.clone(), error);
        let file = match open(&path, false) {
            Ok(file) => file,
            Err(LockError::Io(_, e)) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
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
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file, or the directory, cannot be used.
    Io(PathBuf, io::Error),
    /// Others could tamper with it: what is wrong, and what to do.
    Open(String),
}

impl LockError {
    /// The caller may not look who holds the lock: it is root's file.
    pub fn is_denied(&self) -> bool {
        matches!(self, LockError::Io(_, e) if e.kind() == io::ErrorKind::PermissionDenied)
    }
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
            LockError::Open(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for LockError {}

fn lock_file(run_dir: &Path) -> PathBuf {
    run_dir.join("lock")
}

/// Makes the directory if it is missing, for everybody to read, and refuses one in which others could
/// put a file of theirs in the place of ours.
fn own_directory(run_dir: &Path) -> Result<(), LockError> {
    let cannot = |error| LockError::Io(run_dir.to_owned(), error);
    if !run_dir.exists() {
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o755)
            .create(run_dir)
            .map_err(cannot)?;
        // Whatever the umask was.
        let everybodys = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(run_dir, everybodys).map_err(cannot)?;
    }
    let facts = std::fs::metadata(run_dir).map_err(cannot)?;
    let shown = run_dir.display();
    if !facts.is_dir() {
        return Err(cannot(io::ErrorKind::NotADirectory.into()));
    }
    if !is_ours(facts.uid()) {
        let owner = facts.uid();
        return Err(LockError::Open(format!(
            "the run directory {shown} belongs to user {owner}, who could keep the daemon from running: \
             chown root {shown}, or choose another --run-dir"
        )));
    }
    if facts.mode() & 0o022 != 0 {
        let mode = facts.mode() & 0o7777;
        return Err(LockError::Open(format!(
            "others can write to the run directory {shown} (mode {mode:04o}), and so keep the daemon from \
             running: chmod 755 {shown}, or choose another --run-dir"
        )));
    }
    Ok(())
}

/// Root's, or that of whoever runs the daemon.
fn is_ours(owner: u32) -> bool {
    owner == 0 || owner == sys::effective_user()
}

/// Opens the lock file, which is made if missing and `create`. Never waits, as a FIFO would make one, and
/// follows no link.
fn open(path: &Path, create: bool) -> Result<File, LockError> {
    let cannot = |error| LockError::Io(path.to_owned(), error);
    let file = OpenOptions::new()
        .read(true)
        .write(create)
        .create(create)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(cannot)?;
    // The opened file is examined, not the path.
    let facts = file.metadata().map_err(cannot)?;
    let shown = path.display();
    if !facts.is_file() || !is_ours(facts.uid()) {
        return Err(LockError::Open(format!(
            "{shown} is not a file of the daemon's own: find out who put it there, then delete it"
        )));
    }
    if create && facts.mode() & 0o077 != 0 {
        let own = std::fs::Permissions::from_mode(0o600);
        file.set_permissions(own).map_err(cannot)?;
    }
    Ok(file)
}

fn write_pid(run_dir: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(run_dir.join("ha-appliance.pid"))?;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestDir, in_child};

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn pid_file(run_dir: &Path) -> PathBuf {
        run_dir.join("ha-appliance.pid")
    }

    #[test]
    fn nobody() {
        let dir = TestDir::new();
        assert!(Holder::find(&dir.join("absent")).unwrap().is_none());
        std::fs::write(pid_file(&dir), "1\n").unwrap();
        std::fs::write(lock_file(&dir), "1\n").unwrap();
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
        let lock = lock_file(&dir);
        let text = format!("process {} holds {}", first.pid(), lock.display());
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

    /// Another user holds shared locks on all that it can open, as anybody can who may read a file.
    #[test]
    fn a_local_user_cannot_keep_the_daemon_from_starting() {
        if sys::effective_user() != 0 {
            return; // nobody else can be played then
        }
        let base = TestDir::new();
        let dir = base.join("run");
        drop(PidLock::acquire(&dir).unwrap());
        for path in [lock_file(&dir), pid_file(&dir)] {
            let mut stranger = shared_lock(&path, 65534);
            let lock = PidLock::acquire(&dir);
            let _ = stranger.kill();
            let _ = stranger.wait();
            drop(lock.unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        }
    }

    /// A process of that user with a shared lock on the file, if it can have one.
    fn shared_lock(path: &Path, user: u32) -> std::process::Child {
        use std::os::unix::process::CommandExt;
        let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        let mut command = std::process::Command::new("/bin/sleep");
        command.arg("60").uid(user).gid(user);
        // SAFETY: system calls alone, on values made before the fork. The descriptor stays open.
        unsafe {
            command.pre_exec(move || {
                let fd = libc::open(path.as_ptr(), libc::O_RDONLY);
                let mut lock: libc::flock = std::mem::zeroed();
                lock.l_type = libc::F_RDLCK as libc::c_short;
                libc::fcntl(fd, libc::F_SETLK, &lock);
                Ok(())
            });
        }
        command.spawn().unwrap()
    }

    #[test]
    fn a_directory_or_a_file_that_others_made_is_refused() {
        let base = TestDir::new();
        let refused = |dir: &Path, text: &str| {
            let error = PidLock::acquire(dir).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        };
        let dir = base.join("open");
        std::fs::create_dir(&dir).unwrap();
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o777)).unwrap();
        refused(&dir, "(mode 0777)");
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("elsewhere", lock_file(&dir)).unwrap();
        refused(&dir, "Too many levels of symbolic links");
        assert!(!dir.join("elsewhere").exists());
        std::fs::remove_file(lock_file(&dir)).unwrap();

        let made = std::process::Command::new("mkfifo")
            .arg(lock_file(&dir))
            .status();
        assert!(made.unwrap().success());
        refused(&dir, "is not a file of the daemon's own");
        assert!(
            Holder::find(&dir).is_err(),
            "and nobody waits for its other end"
        );
        std::fs::remove_file(lock_file(&dir)).unwrap();

        if sys::effective_user() == 0 {
            std::fs::write(lock_file(&dir), "").unwrap();
            std::os::unix::fs::chown(lock_file(&dir), Some(65534), None).unwrap();
            refused(&dir, "is not a file of the daemon's own");
            std::fs::remove_file(lock_file(&dir)).unwrap();
            std::os::unix::fs::chown(&dir, Some(65534), None).unwrap();
            refused(&dir, "belongs to user 65534");
        }
        let file = base.join("file");
        std::fs::write(&file, "").unwrap();
        refused(&file, "not a directory");
    }

    #[test]
    fn the_lock_is_root_s_alone_and_the_rest_everybody_s() {
        let base = TestDir::new();
        let dir = base.join("deep/run");
        drop(PidLock::acquire(&dir).unwrap());
        assert_eq!((mode(&dir), mode(&lock_file(&dir))), (0o755, 0o600));
        assert_eq!(mode(&pid_file(&dir)), 0o644);
        std::fs::set_permissions(lock_file(&dir), PermissionsExt::from_mode(0o644)).unwrap();
        drop(PidLock::acquire(&dir).unwrap());
        assert_eq!(mode(&lock_file(&dir)), 0o600, "closed again");
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
