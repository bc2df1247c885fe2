//! How it is noticed that a unit changed, without asking all the time.
//!
//! The end of a main process is told by a pidfd, at once. Starts and stops by others are told by
//! systemd's directory of invocations, where a link for every service comes when it is started and
//! goes when it is stopped, but nothing happens at a daemon-reload or daemon-reexec. That directory is no
//! documented interface: it is taken as a hint to look, and a rare look at everything goes on without.

use crate::sys;
use smol::Async;
use smol::io::AsyncReadExt;
use std::fs::File;
use std::io;
use std::path::Path;

/// Ends when the process has ended; at once if it is gone already.
pub async fn ended(pid: i32) {
    let Ok(pidfd) = sys::pidfd_open(pid) else {
        return;
    };
    match Async::new_nonblocking(pidfd) {
        Ok(pidfd) => drop(pidfd.readable().await),
        Err(error) => {
            log::warn!("cannot watch process {pid}: {error}");
            std::future::pending().await
        }
    }
}

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
    use crate::testing::TestDir;
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

    proptest::proptest! {
        #[test]
        fn garbage_is_no_panic(bytes: Vec<u8>) {
            parse(&bytes);
        }
    }
}
