//! Where log lines go: stderr, in the form its reader wants, and never for longer than it takes.
//!
//! The journal takes a priority from `<N>` at the start of a line and has its own time stamps; a
//! person at a terminal wants times. systemd names the stream it made in JOURNAL_STREAM; comparing
//! it with stderr tells them apart, because a child's stderr may be redirected later.
//!
//! Nobody may read at the other end: a journald that hangs, a terminal on hold, a full disk behind a pipe.
//! The loop must not wait for any of them, so what cannot be written at once is kept, up to [`KEPT`]
//! bytes, and tried again; what does not fit is lost, counted, and said.

use super::clock;
use crate::sys;
use log::{Level, LevelFilter};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many bytes wait for a reader at most.
pub const KEPT: usize = 64 * 1024;

/// Sets up logging, from `info` on, or as RUST_LOG says. Later calls do nothing.
pub fn init() {
    let journal = stderr_is_the_journal();
    JOURNAL.store(journal, Ordering::Relaxed);
    let _ = env_logger::Builder::new()
        .filter_level(LevelFilter::Info)
        .parse_default_env()
        .target(env_logger::Target::Pipe(Box::new(Stderr)))
        .format(move |out, record| {
            out.write_all(line(journal, record.level(), &record.args().to_string()).as_bytes())
        })
        .try_init();
}

/// Tries again to write what waits. It costs nothing while nothing does.
pub fn flush() {
    if WAITING.load(Ordering::Relaxed) {
        with(|out| out.write(std::io::stderr().as_fd()));
    }
}

/// Tries for a moment to write all that waits: at the end.
pub fn flush_at_the_end() {
    let begin = Instant::now();
    flush();
    while WAITING.load(Ordering::Relaxed) && begin.elapsed() < LAST_WAIT {
        std::thread::sleep(LAST_WAIT / 10);
        flush();
    }
}

/// How many lines were lost, for the counters.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// A line that is no record, such as why there will be no daemon.
pub fn say(text: &str) {
    with(|out| out.add(format!("{text}\n").as_bytes(), std::io::stderr().as_fd()));
    flush_at_the_end();
}

/// So long the end is delayed by a reader that does not read.
const LAST_WAIT: Duration = Duration::from_millis(200);

static OUT: Mutex<Out> = Mutex::new(Out::new());
static JOURNAL: AtomicBool = AtomicBool::new(false);
static WAITING: AtomicBool = AtomicBool::new(false);
static LOST: AtomicU64 = AtomicU64::new(0);

fn with(act: impl FnOnce(&mut Out)) {
    let mut out = OUT.lock().unwrap_or_else(PoisonError::into_inner);
    let before = out.lost;
    act(&mut out);
    LOST.fetch_add(out.lost - before, Ordering::Relaxed);
    WAITING.store(!out.waiting.is_empty(), Ordering::Relaxed);
}

/// Where the logger writes its records, each in one piece.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        with(|out| out.add(record, std::io::stderr().as_fd()));
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What could not be written yet.
struct Out {
    waiting: Vec<u8>,
    /// Records lost since the start.
    lost: u64,
    /// Those of them that nobody was told of.
    untold: u64,
}

impl Out {
    const fn new() -> Out {
        Out {
            waiting: Vec::new(),
            lost: 0,
            untold: 0,
        }
    }

    fn add(&mut self, record: &[u8], to: BorrowedFd) {
        self.write(to);
        if self.untold > 0 && self.waiting.is_empty() {
            let text = format!(
                "{} lines of this log were lost: nobody read it",
                self.untold
            );
            let told = line(JOURNAL.load(Ordering::Relaxed), Level::Warn, &text);
            self.waiting.extend_from_slice(told.as_bytes());
            self.untold = 0;
        }
        if self.waiting.len() + record.len() > KEPT {
            self.lost += 1;
            self.untold += 1;
            return;
        }
        self.waiting.extend_from_slice(record);
        self.write(to);
    }

    /// As much as is taken at once. A stderr that is closed takes nothing, ever.
    fn write(&mut self, to: BorrowedFd) {
        let mut written = 0;
        while written < self.waiting.len() {
            match sys::write_now(to, &self.waiting[written..]) {
                Ok(n) => written += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.lost += 1;
                    written = self.waiting.len();
                }
            }
        }
        self.waiting.drain(..written);
    }
}

/// One record. The journal would take every further line as a record of its own, without a
/// priority: so each gets one.
fn line(journal: bool, level: Level, text: &str) -> String {
    if journal {
        text.lines()
            .map(|line| format!("<{}>{line}\n", priority(level)))
            .collect()
    } else {
        format!("{} {level:<5} {text}\n", clock::wall())
    }
}

/// As in syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

fn stderr_is_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(stderr) = std::io::stderr().as_fd().try_clone_to_owned() else {
        return false;
    };
    std::fs::File::from(stderr)
        .metadata()
        .is_ok_and(|m| stream == format!("{}:{}", m.dev(), m.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// Writes records to a pipe that nobody reads until it is over.
    #[test]
    fn a_reader_that_does_not_read_holds_up_nothing() {
        let (mut reader, writer) = sys::pipe().unwrap();
        let mut out = Out::new();
        let record = |n: usize| format!("{n:05} {}\n", "x".repeat(993));
        let begin = Instant::now();
        for n in 0..1000 {
            out.add(record(n).as_bytes(), writer.as_fd());
        }
        assert!(begin.elapsed() < Duration::from_secs(5));
        assert!(out.waiting.len() <= KEPT);
        // 64 KiB are in the pipe, as much waits, and the rest was counted.
        assert!(out.lost > 800, "{}", out.lost);
        let written = 1000 - out.lost;

        let reader = std::thread::spawn(move || {
            let mut read = String::new();
            reader.read_to_string(&mut read).unwrap();
            read
        });
        while !out.waiting.is_empty() {
            out.write(writer.as_fd());
        }
        out.add(b"again\n", writer.as_fd());
        while !out.waiting.is_empty() {
            out.write(writer.as_fd());
        }
        drop(writer);
        let read = reader.join().unwrap();
        let lines: Vec<&str> = read.lines().collect();
        assert_eq!(lines.len() as u64, written + 2);
        for (n, line) in lines.iter().take(written as usize).enumerate() {
            assert_eq!(format!("{line}\n"), record(n), "whole and in order");
        }
        let told = lines[lines.len() - 2];
        let said = format!("{} lines of this log were lost: nobody read it", out.lost);
        assert!(told.ends_with(&said), "{told}");
        assert_eq!(lines[lines.len() - 1], "again");
    }

    #[test]
    fn a_closed_pipe_and_a_full_socket_are_no_trouble_either() {
        let (reader, writer) = sys::pipe().unwrap();
        drop(reader);
        let mut out = Out::new();
        out.add(b"to nobody\n", writer.as_fd());
        assert_eq!((out.waiting.len(), out.lost), (0, 1));
        let (_journal, stream) = std::os::unix::net::UnixStream::pair().unwrap();
        for _ in 0..2000 {
            out.add(&[b'x'; 1000], stream.as_fd());
        }
        assert!(out.lost > 100 && out.waiting.len() <= KEPT);
    }

    #[test]
    fn the_journal_gets_priorities() {
        assert_eq!(line(true, Level::Warn, "one\ntwo"), "<4>one\n<4>two\n");
        assert_eq!(line(true, Level::Info, "x"), "<6>x\n");
    }

    #[test]
    fn people_get_times() {
        let text = line(false, Level::Info, "peer alive → silent");
        assert!(text.ends_with("Z INFO  peer alive → silent\n"), "{text}");
        assert_eq!(text.find('T'), Some(10));
    }
}
