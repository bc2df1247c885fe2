//! Tools that the daemon runs, such as `systemctl`: born with an ordinary mask, priority and process group
//! of their own, given a deadline, and killed with all of their group when it passes or when they are done.
//!
//! A child would otherwise inherit the daemon's blocked signals (and so ignore SIGTERM) and its
//! real-time priority; and a grandchild that keeps the pipe open would be waited for, for ever.
//!
//! That a tool could not be run is an [`io::Error`], how it ended an [`End`]: the caller must not take the
//! one for the other. Nothing here needs the runtime's pool of threads, which does not grow any more once
//! the kernel refused it a thread.

use crate::sys;
use smol::channel::bounded;
use smol::future::{FutureExt, pending, yield_now};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, Timer};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What came of a tool.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub end: End,
    /// What it wrote to stdout and stderr together: at most as many bytes as were asked for.
    pub output: String,
}

/// How a tool ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, or by somebody else's signal.
    Exited(ExitStatus),
    /// Not in time: it was killed. `stopped`: a signal (SIGSTOP) had kept it from running.
    Late {
        /// See above.
        stopped: bool,
    },
    /// It wrote more than anybody wants to read: it was killed.
    TooMuch,
}

/// As much of a tool's output is kept, unless asked for otherwise.
pub const MAX_OUTPUT: usize = 4096;

/// Runs the tool with this input, for at most `limit`. Dropping the future kills it too.
pub async fn run(command: Command, input: &[u8], limit: Duration) -> io::Result<Ended> {
    run_reading(command, input, limit, MAX_OUTPUT).await
}

/// The same for one that has more to say.
pub async fn run_reading(
    command: Command,
    input: &[u8],
    limit: Duration,
    max_output: usize,
) -> io::Result<Ended> {
    let deadline = Instant::now() + limit;
    let unborn = async {
        Timer::at(deadline).await;
        let text = "it was not loaded in time";
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    };
    let mut born = Born::start(command, !input.is_empty()).or(unborn).await?;
    let stdin = born.leader.stdin().map(Async::new).transpose()?;
    let mut output = Vec::new();

    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program need not read its input: a broken pipe is its own business.
            let _ = stdin.write_all(input).await;
        }
        pending().await
    };
    let collect = async {
        let mut piece = vec![0; PIECE];
        while let Ok(n @ 1..) = (&born.output).read(&mut piece).await {
            let room = max_output - output.len();
            output.extend_from_slice(&piece[..n.min(room)]);
            if n > room {
                return Ok(Some(End::TooMuch));
            }
            yield_now().await; // the loop has others to serve
        }
        pending().await
    };
    // Its own end decides, not the end of its output: a grandchild may hold that open.
    let exit = async { born.pidfd.readable().await.map(|()| None) };
    let late = async {
        Timer::at(deadline).await;
        let stopped = sys::is_stopped(born.leader.id());
        Ok(Some(End::Late { stopped }))
    };
    let end = match feed.or(collect).or(exit).or(late).await? {
        Some(end) => end,
        None => {
            let status = born.leader.bury()?;
            drain(born.output.get_ref(), &mut output, max_output);
            End::Exited(status)
        }
    };
    Ok(Ended {
        end,
        output: String::from_utf8_lossy(&output).into_owned(),
    })
}

/// Runs a tool that goes on telling, line by line, until it ends or `line` has enough of it (false).
pub async fn lines(command: Command, mut line: impl FnMut(&str) -> bool) -> io::Result<()> {
    let born = Born::start(command, false).await?;
    let mut piece = vec![0; PIECE];
    let mut begun = Vec::new();
    loop {
        let n = (&born.output).read(&mut piece).await?;
        if n == 0 || begun.len() > PIECE {
            return Ok(());
        }
        begun.extend_from_slice(&piece[..n]);
        while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
            let whole: Vec<u8> = begun.drain(..=end).collect();
            if !line(String::from_utf8_lossy(&whole).trim_end()) {
                return Ok(());
            }
        }
        yield_now().await;
    }
}

/// So much is read at once: a pipe's worth.
const PIECE: usize = 64 * 1024;

/// A tool that runs.
struct Born {
    leader: Leader,
    pidfd: Async<OwnedFd>,
    output: Async<File>,
}

impl Born {
    /// On a thread of its own: the call waits until the program is loaded, from a disk that may hang.
    async fn start(mut command: Command, input: bool) -> io::Result<Born> {
        bury_the_dead();
        prepare(&mut command);
        let (output, writer) = sys::pipe()?;
        command
            .stdin(if input { Stdio::piped() } else { Stdio::null() })
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let (born, told) = bounded(1);
        let spawn = move || {
            let leader = command.spawn().map(|child| Leader(Some(child)));
            drop(command); // and with it our copies of its pipe
            let watched = leader.and_then(|leader| {
                expose(leader.id());
                let pidfd = sys::pidfd_open(leader.id() as i32)?;
                Ok((leader, pidfd))
            });
            let _ = born.try_send(watched); // nobody waits for it any more: then it is killed here
        };
        let thread = std::thread::Builder::new().name("spawn".into());
        thread.spawn(spawn)?;
        let (leader, pidfd) = told.recv().await.map_err(io::Error::other)??;
        Ok(Born {
            leader,
            pidfd: Async::new(pidfd)?,
            output: Async::new(output)?,
        })
    }
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

/// The unit exempts the daemon from the OOM killer; a tool that eats all memory must not be exempt (as
/// it is for its first instant).
fn expose(pid: u32) {
    let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), "0");
}

/// Takes what is in the pipe now, without waiting: a program's last words may come with its end.
fn drain(mut reader: &File, output: &mut Vec<u8>, max_output: usize) {
    let mut piece = [0; 4096];
    while output.len() < max_output
        && let Ok(n @ 1..) = std::io::Read::read(&mut reader, &mut piece)
    {
        output.extend_from_slice(&piece[..n.min(max_output - output.len())]);
    }
}

/// The first process of a group that ends with this; none once it is buried.
struct Leader(Option<Child>);

/// Those that were killed and are not dead yet: one in state D may take its time.
static DYING: Mutex<Vec<Child>> = Mutex::new(Vec::new());

impl Leader {
    fn id(&self) -> u32 {
        self.0.as_ref().map_or(0, Child::id)
    }

    fn stdin(&mut self) -> Option<ChildStdin> {
        self.0.as_mut()?.stdin.take()
    }

    /// After its end. What it left running goes with it: as long as it is a zombie its number, which is
    /// its group's, is nobody else's.
    fn bury(&mut self) -> io::Result<ExitStatus> {
        let mut child = self.0.take().ok_or(io::ErrorKind::NotFound)?;
        sys::kill_group(child.id());
        child.wait()
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            sys::kill_group(child.id());
            if let Ok(None) = child.try_wait() {
                dying().push(child);
            }
        }
    }
}

fn bury_the_dead() {
    dying().retain_mut(|child| matches!(child.try_wait(), Ok(None)));
}

fn dying() -> MutexGuard<'static, Vec<Child>> {
    DYING.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn code(ended: &Ended) -> Option<i32> {
        match ended.end {
            End::Exited(status) => status.code(),
            other => panic!("{other:?}"),
        }
    }

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn input_output_and_status() {
        let ended = run_now("cat; echo oops >&2; exit 3", b"hello ", LONG);
        assert_eq!(code(&ended), Some(3));
        assert_eq!(ended.output, "hello oops\n");
    }

    #[test]
    fn unread_input_is_harmless() {
        let ended = run_now("exit 0", &[b'y'; 1_000_000], LONG);
        assert_eq!(code(&ended), Some(0));
    }

    #[test]
    fn one_that_writes_without_end_is_killed_at_once() {
        let start = Instant::now();
        let ended = run_now("exec yes", b"", LONG);
        assert!(start.elapsed() < LONG / 2);
        assert_eq!(ended.end, End::TooMuch);
        assert_eq!(ended.output, "y\n".repeat(MAX_OUTPUT / 2));
    }

    #[test]
    fn one_that_a_signal_has_stopped_is_told_apart() {
        let ended = run_now("kill -STOP $$", b"", Duration::from_millis(300));
        assert_eq!(ended.end, End::Late { stopped: true });
    }

    #[test]
    fn one_that_cannot_be_run_is_an_error_and_no_end() {
        let run_it = |program: &str| {
            let command = Command::new(program);
            smol::block_on(run(command, b"", LONG)).unwrap_err().kind()
        };
        assert_eq!(run_it("/no/such"), io::ErrorKind::NotFound);
        assert_eq!(run_it("/etc/passwd"), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn the_deadline_kills_grandchildren_too() {
        let dir = TestDir::new();
        let script = format!("sleep 60 & echo $! > {}/pid; wait", dir.display());
        let start = Instant::now();
        let ended = run_now(&script, b"", Duration::from_millis(300));
        assert_eq!(ended.end, End::Late { stopped: false });
        assert!(start.elapsed() < Duration::from_secs(5));
        let pid = std::fs::read_to_string(dir.join("pid")).unwrap();
        wait_until(|| !runs(pid.trim()));
    }

    #[test]
    fn a_background_grandchild_is_not_waited_for_and_goes_too() {
        let start = Instant::now();
        let ended = run_now("sleep 60 & echo $!", b"", LONG);
        assert!(start.elapsed() < LONG / 2);
        assert_eq!(code(&ended), Some(0));
        wait_until(|| !runs(ended.output.trim()));
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
