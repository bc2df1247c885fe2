//! Programs that the daemon runs: born with an ordinary mask, priority and process group of their
//! own, given a deadline, and killed with all their children when it passes.
//!
//! A child would otherwise inherit the daemon's blocked signals (and so ignore SIGTERM) and its
//! real-time priority; and a grandchild that keeps the pipe open would be waited for, for ever.

use crate::sys;
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, Timer};
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its status; None: it ran into the deadline and was killed with its process group.
    pub status: Option<ExitStatus>,
    /// What it wrote to stdout and stderr together, as far as it was read: at most [`MAX_OUTPUT`] bytes,
    /// or what was asked for.
    pub output: String,
}

/// As much of a program's output is kept.
pub const MAX_OUTPUT: usize = 4096;

/// Runs the program with this input, for at most `limit`. Dropping the future kills it too.
pub async fn run(command: Command, input: &[u8], limit: Duration) -> io::Result<Ended> {
    run_reading(command, input, limit, MAX_OUTPUT).await
}

/// The same for a program that has more to say: so many bytes of its output are kept.
pub async fn run_reading(
    mut command: Command,
    input: &[u8],
    limit: Duration,
    max_output: usize,
) -> io::Result<Ended> {
    prepare(&mut command);
    let (reader, writer) = sys::pipe()?;
    // After the conversion, which forgets what was set before. The temporary closes our writer.
    let mut command = smol::process::Command::from(command);
    command
        .stdin(Stdio::piped())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    // Not on this thread: it would wait until the program is loaded, from a disk that may hang.
    let mut child = smol::unblock(move || command.spawn()).await?;
    let group = Group { leader: child.id() };
    expose(child.id());
    let reader = Async::new(reader)?;

    let stdin = child.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program need not read its input: a broken pipe is its own business.
            let _ = stdin.write_all(input).await;
        }
        std::future::pending().await
    };
    let mut output = Vec::new();
    let collect = async {
        let mut reader = &reader;
        let mut chunk = [0; 1024];
        while let Ok(n @ 1..) = reader.read(&mut chunk).await {
            output.extend_from_slice(&chunk[..n.min(max_output - output.len())]);
        }
        std::future::pending().await
    };
    let timeout = async {
        Timer::after(limit).await;
        None
    };
    // Its own end decides, not the end of its output: a grandchild may hold that open.
    let end = async { Some(child.status().await) };
    let status = feed.or(collect).or(end).or(timeout).await.transpose()?;
    match status {
        // What it left running in the background on purpose may go on.
        Some(_) => group.outlive(),
        None => {
            drop(group);
            let _ = child.status().await; // reap it
        }
    }
    drain(reader.get_ref(), &mut output, max_output);
    Ok(Ended {
        status,
        output: String::from_utf8_lossy(&output).into_owned(),
    })
}

/// Makes the program's process as it expects to be: own process group, and no claim to speak to systemd
/// for the daemon. The standard library gives it an empty signal mask and the default SIGPIPE, and the
/// kernel ordinary scheduling ([`crate::shell::realtime`] asks for that).
///
/// Nothing here runs between fork and exec: with a hook there the standard library forks, which copies
/// the tables of all the daemon's locked memory, instead of calling posix_spawn(3).
fn prepare(command: &mut Command) {
    command.process_group(0);
    for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        command.env_remove(variable);
    }
}

/// The unit exempts the daemon from the OOM killer; a check that eats all memory must not be exempt (as
/// it is for its first instant).
fn expose(pid: u32) {
    let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), "0");
}

/// Takes what is in the pipe now, without waiting: a program's last words may come with its end.
fn drain(mut reader: &File, output: &mut Vec<u8>, max_output: usize) {
    let mut chunk = [0; 4096];
    while output.len() < max_output
        && let Ok(n @ 1..) = std::io::Read::read(&mut reader, &mut chunk)
    {
        output.extend_from_slice(&chunk[..n.min(max_output - output.len())]);
    }
}

/// A process group that ends with this, unless told otherwise. Its leader must not be reaped before.
struct Group {
    leader: u32,
}

impl Group {
    fn outlive(self) {
        std::mem::forget(self);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        sys::kill_group(self.leader);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestDir, wait_until};
    use std::time::Instant;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    fn run_now(script: &str, input: &[u8], limit: Duration) -> Ended {
        smol::block_on(run(sh(script), input, limit)).unwrap()
    }

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn input_output_and_status() {
        let ended = run_now("cat; echo oops >&2; exit 3", b"hello ", LONG);
        assert_eq!(ended.status.unwrap().code(), Some(3));
        assert_eq!(ended.output, "hello oops\n");
    }

    #[test]
    fn output_is_bounded_and_unread_input_harmless() {
        let ended = run_now(
            "head -c 1000000 /dev/zero | tr '\\0' x",
            &[b'y'; 1_000_000],
            LONG,
        );
        assert!(ended.status.unwrap().success());
        assert_eq!(ended.output, "x".repeat(MAX_OUTPUT));
    }

    #[test]
    fn the_deadline_kills_grandchildren_too() {
        let dir = TestDir::new();
        let script = format!("sleep 60 & echo $! > {}/pid; wait", dir.display());
        let start = Instant::now();
        let ended = run_now(&script, b"", Duration::from_millis(300));
        assert!(ended.status.is_none());
        assert!(start.elapsed() < Duration::from_secs(5));
        let pid = std::fs::read_to_string(dir.join("pid")).unwrap();
        wait_until(|| !runs(pid.trim()));
    }

    #[test]
    fn a_background_grandchild_is_neither_waited_for_nor_killed() {
        let start = Instant::now();
        let ended = run_now("sleep 3 & echo $!", b"", LONG);
        assert!(start.elapsed() < Duration::from_secs(2));
        assert!(ended.status.unwrap().success());
        assert!(runs(ended.output.trim()));
    }

    #[test]
    fn dropping_the_future_kills() {
        let dir = TestDir::new();
        let script = format!("echo $$ > {}/pid; sleep 60", dir.display());
        let pid = || std::fs::read_to_string(dir.join("pid")).unwrap_or_default();
        smol::block_on(async {
            let given_up = async {
                while pid().is_empty() {
                    Timer::after(Duration::from_millis(5)).await;
                }
                None
            };
            let run = async { Some(run(sh(&script), b"", LONG).await) };
            assert!(run.or(given_up).await.is_none());
        });
        wait_until(|| !runs(pid().trim()));
    }

    #[test]
    fn born_with_nothing_blocked_in_a_group_of_its_own() {
        let ended = run_now(
            "grep -E 'SigBlk|SigIgn' /proc/self/status; ps -o pgid= -p $$; echo $$",
            b"",
            LONG,
        );
        let words: Vec<&str> = ended.output.split_whitespace().collect();
        assert_eq!(words[..2], ["SigBlk:", "0000000000000000"], "{words:?}");
        let ignored = u64::from_str_radix(words[3], 16).unwrap();
        assert_eq!(ignored & 1 << (libc::SIGPIPE - 1), 0, "{words:?}");
        assert_eq!(words[4], words[5], "process group and pid");
    }

    #[test]
    fn born_without_what_systemd_gave_to_the_daemon_alone() {
        let mine = "/proc/self/oom_score_adj";
        let before = std::fs::read_to_string(mine).unwrap();
        std::fs::write(mine, "1000").unwrap(); // anybody may raise it, and lower it again
        let exposed = "until grep -qx 0 /proc/$$/oom_score_adj; do sleep 0.01; done";
        let mut command = sh(&format!("echo ${{NOTIFY_SOCKET-none}}; {exposed}; echo 0"));
        command.env("NOTIFY_SOCKET", "/run/systemd/notify");
        let ended = smol::block_on(run(command, b"", LONG)).unwrap();
        std::fs::write(mine, before).unwrap();
        assert_eq!(ended.output, "none\n0\n");
    }

    /// Not even as a zombie that some reaper has yet to collect.
    fn runs(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }
}
