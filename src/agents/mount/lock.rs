//! One helper at a time, and none that comes too late.
//!
//! Of two that are asked for one after the other the first may still hang in the kernel, or not have begun: a daemon
//! died, a deadline passed. Whoever mounts, unmounts or says what is mounted has the lock of that mount, and so have
//! the children that it starts, until the kernel lets the last of them go. And it does nothing unless its ticket is
//! the latest that was written.

use super::super::trouble::Trouble;
use super::Undone;
use crate::sys;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the files of one mount are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn new(run_dir: &Path, point: &str) -> Files {
        let name = format!("{:016x}", crate::wire::heartbeat::hash(point));
        Files(run_dir.join("mounts").join(name))
    }

    pub(super) fn at(path: &str) -> Files {
        Files(path.into())
    }

    pub(super) fn path(&self) -> String {
        self.0.display().to_string()
    }

    /// Makes every earlier ticket void.
    pub(super) fn issue(&self) -> Result<String, Trouble> {
        let trouble = |e: io::Error| Trouble::of(&self.path(), &e);
        let number = u64::from_ne_bytes(crate::agents::sys::random().map_err(trouble)?);
        let ticket = format!("{number:016x}");
        if let Some(parent) = self.0.parent() {
            fs::create_dir_all(parent).map_err(trouble)?;
        }
        let (new, at) = (
            self.0.with_extension("new"),
            self.0.with_extension("ticket"),
        );
        let renewed = fs::write(&new, &ticket).and_then(|()| fs::rename(&new, &at));
        // Over the one before, which is as long, there is room in a full file system.
        let written = renewed.or_else(|_| {
            let mut options = File::options();
            options.write(true).open(&at)?.write_all(ticket.as_bytes())
        });
        written.map_err(trouble)?;
        Ok(ticket)
    }

    /// Waits for whoever has the lock; then nobody else mounts or unmounts this until it is dropped.
    pub(super) fn lock(&self, ticket: &str, until: Instant) -> Result<File, Undone> {
        let trouble = |e: io::Error| Trouble::of(&self.path(), &e);
        let mut file = self.open().map_err(trouble)?;
        while let Err(error) = sys::lock_opening(&file, false) {
            if error.kind() != io::ErrorKind::WouldBlock {
                return Err(trouble(error).into());
            }
            if Instant::now() >= until {
                return Err(Undone::Failed(format!(
                    "an earlier operation still hangs: {}",
                    self.holder()
                )));
            }
            std::thread::sleep(PAUSE);
        }
        // Where it cannot be read, it is not known to be the latest.
        let latest = fs::read_to_string(self.0.with_extension("ticket")).map_err(trouble)?;
        if latest != ticket {
            return Err(Undone::Failed(
                "it came too late: something else was asked for meanwhile".into(),
            ));
        }
        let _ = file.set_len(0);
        let _ = write!(file, "{}", std::process::id());
        Ok(file)
    }

    /// For a probe or a sync, which only use what is mounted; none: somebody mounts or unmounts it. A stop ends them.
    pub(super) fn share(&self, what: &str) -> Result<Option<File>, Trouble> {
        let trouble = |e: io::Error| Trouble::of(&self.path(), &e);
        let file = self.open().map_err(trouble)?;
        match sys::lock_opening(&file, true) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            locked => locked.map_err(trouble)?,
        }
        let user = fs::write(self.user(what), std::process::id().to_string());
        user.map_err(trouble)?;
        Ok(Some(file))
    }

    /// Ends whoever has it by [`share`](Self::share): a probe that hangs must not keep it from being unmounted.
    pub(super) fn end(&self, what: &str) {
        let Ok(text) = fs::read_to_string(self.user(what)) else {
            return;
        };
        let Ok(pid) = text.trim().parse::<i32>() else {
            return;
        };
        // By what the kernel says of whoever has that number now.
        if let Ok(process) = sys::pidfd_open(pid)
            && fs::read_to_string(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|words| words.contains(&self.path()))
        {
            let _ = sys::pidfd_signal(&process, libc::SIGKILL);
        }
    }

    fn open(&self) -> io::Result<File> {
        let path = self.0.with_extension("lock");
        let mut options = File::options();
        options.write(true).create(true).truncate(false).open(path)
    }

    fn user(&self, what: &str) -> PathBuf {
        self.0.with_extension(what)
    }

    /// Who has the lock, in words.
    fn holder(&self) -> String {
        let text = fs::read_to_string(self.0.with_extension("lock"));
        let pid = text.ok().and_then(|text| text.trim().parse().ok());
        match pid.and_then(|pid| Some((pid, sys::state(pid)?))) {
            Some((pid, 'D')) => format!("process {pid} waits for the kernel (state D)"),
            Some((pid, state)) => format!("process {pid} (state {state})"),
            None => "a child of it, such as fsck".into(),
        }
    }
}

const PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDir;
    use std::process::Command;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(50)
    }

    #[test]
    fn one_at_a_time_and_none_too_late() {
        let dir = TestDir::new();
        let files = Files::new(&dir, "/mnt/data");
        let first = files.issue().unwrap();
        let held = files.lock(&first, soon()).unwrap();
        let second = files.issue().unwrap();
        let failed = |ticket: &str| match files.lock(ticket, soon()) {
            Err(Undone::Failed(why)) => why,
            other => panic!("{other:?}"),
        };
        let why = failed(&second);
        let me = std::process::id();
        assert!(why.contains(&format!("process {me}")), "{why}");
        assert!(files.share("probe").unwrap().is_none());
        drop(held);
        let why = failed(&first);
        assert!(why.contains("too late"), "{why}");
        assert!(files.lock(&second, soon()).is_ok());
        assert!(files.share("probe").unwrap().is_some());
    }

    /// The helper was killed, its fsck goes on.
    #[test]
    fn a_child_keeps_what_its_parent_had() {
        let dir = TestDir::new();
        let files = Files::new(&dir, "/mnt/data");
        let ticket = files.issue().unwrap();
        let held = files.lock(&ticket, soon()).unwrap();
        sys::inherit(&held).unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        drop(held);
        assert!(files.lock(&ticket, soon()).is_err());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(files.lock(&ticket, soon()).is_ok());
    }

    #[test]
    fn a_number_that_is_somebody_elses_now_is_not_killed() {
        let dir = TestDir::new();
        let files = Files::new(&dir, "/mnt/data");
        files.issue().unwrap();
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(files.user("probe"), other.id().to_string()).unwrap();
        files.end("probe");
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
