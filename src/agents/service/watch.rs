//! How it is noticed that a unit changed, without asking all the time.
//!
//! The end of a main process is told by a pidfd, at once. Starts and stops by others are told by
//! systemd's directory of invocations, where a link for every service comes when it is started and
//! goes when it is stopped, but nothing happens at a daemon-reload or daemon-reexec. That directory is no
//! documented interface: it is taken as a hint to look, and a rare look at everything goes on without.

use crate::sys;
use smol::io::AsyncReadExt;
use smol::{Async, Timer};
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Ends when the process has ended; at once if it is gone already. One that cannot be watched just now, for want
/// of a descriptor, has not ended for that: until it can be, the patrol alone sees its end.
pub async fn ended(pid: i32) {
    let mut told = false;
    loop {
        let watched = match sys::pidfd_open(pid).and_then(Async::new_nonblocking) {
            Ok(pidfd) => pidfd.readable().await,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return,
            Err(error) => Err(error),
        };
        let Err(error) = watched else { return };
        if !std::mem::replace(&mut told, true) {
            log::warn!("cannot watch process {pid}: {error}; tried again");
        }
        Timer::after(AGAIN).await;
    }
}

/// Between two tries.
const AGAIN: Duration = Duration::from_secs(1);

/// Tells which units were started or stopped by anybody.
#[derive(Debug)]
pub struct Hints(Async<File>);

/// Room for several; one is at most 16 bytes and a file's name.
const BUFFER: usize = 4096;

impl Hints {
    /// From systemd's own directory. An error: this systemd has none.
    pub fn open() -> io::Result<Hints> {
        Hints::of(Path::new("/run/systemd/units"))
    }

    fn of(dir: &Path) -> io::Result<Hints> {
        Ok(Hints(Async::new_nonblocking(sys::inotify(&[dir])?)?))
    }

    /// The names of units that were started or stopped; none: some were lost, any may have been.
    pub async fn next(&mut self) -> io::Result<Option<Vec<String>>> {
        let mut buffer = [0; BUFFER];
        let length = (&self.0).read(&mut buffer).await?;
        Ok(parse(&buffer[..length]))
    }
}

/// A sequence of struct inotify_event, see inotify(7): watch, mask, cookie, length of the name, name.
fn parse(mut events: &[u8]) -> Option<Vec<String>> {
    let mut units = Vec::new();
    while let Some((head, rest)) = events.split_at_checked(16) {
        let word =
            |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (name, rest) = rest.split_at_checked(word(12) as usize)?;
        if word(4) & (libc::IN_Q_OVERFLOW | libc::IN_IGNORED) != 0 {
            return None;
        }
        let name = String::from_utf8_lossy(name);
        let name = name.trim_end_matches('\0');
        units.extend(name.strip_prefix("invocation:").map(Into::into));
        events = rest;
    }
    Some(units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestDir, in_child, wait_until};
    use std::os::unix::fs::symlink;

    #[test]
    fn starts_and_stops_are_told_by_name() {
        let dir = TestDir::new();
        let mut hints = Hints::of(&dir).unwrap();
        // As systemd does it: a link under another name, renamed.
        symlink("a", dir.join(".#invocation:a.service123")).unwrap();
        std::fs::rename(
            dir.join(".#invocation:a.service123"),
            dir.join("invocation:a.service"),
        )
        .unwrap();
        std::fs::remove_file(dir.join("invocation:a.service")).unwrap();
        let units = smol::block_on(hints.next()).unwrap();
        assert_eq!(units.unwrap(), ["a.service", "a.service"]);
    }

    #[test]
    fn the_end_of_a_process_is_told() {
        let mut child = std::process::Command::new("sleep")
            .arg("0.1")
            .spawn()
            .unwrap();
        smol::block_on(ended(child.id() as i32));
        assert!(child.try_wait().unwrap().is_some());
        smol::block_on(ended(child.id() as i32));
    }

    #[test]
    fn a_process_that_cannot_be_watched_has_not_ended() {
        let dir = TestDir::new();
        let mut helper = in_child(
            "agents::service::watch::tests::child_has_no_descriptor",
            &dir,
        );
        wait_until(|| dir.join("told").exists());
        assert_eq!(
            std::fs::read_to_string(dir.join("told")).unwrap(),
            "false true"
        );
        helper.kill();
    }

    /// Runs in a process of its own; see `in_child`.
    #[test]
    #[ignore = "helper of a_process_that_cannot_be_watched_has_not_ended"]
    fn child_has_no_descriptor() {
        crate::testing::child(|dir| {
            crate::testing::ready(dir);
            let mut process = std::process::Command::new("sleep")
                .arg("60")
                .spawn()
                .unwrap();
            let pid = process.id() as i32;
            let seen = |limit: u64| {
                let until = Duration::from_millis(limit);
                let late = async {
                    Timer::after(until).await;
                    false
                };
                let ended = async {
                    ended(pid).await;
                    true
                };
                smol::block_on(smol::future::or(ended, late))
            };
            assert!(!seen(100)); // the runtime has its own descriptors then
            crate::testing::limit_descriptors(0);
            let without = seen(300);
            crate::testing::limit_descriptors(1024);
            process.kill().unwrap();
            process.wait().unwrap();
            let told = format!("{without} {}", seen(5000));
            std::fs::write(dir.join("new"), told).unwrap();
            std::fs::rename(dir.join("new"), dir.join("told")).unwrap();
        });
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_no_panic(bytes: Vec<u8>) {
            parse(&bytes);
        }
    }
}
