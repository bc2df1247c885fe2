//! The process above a foreign program: `ha-appliance __program LIMIT USER WORD…`, which nobody types.
//!
//! It gives the program its stdin, reads what it prints as fast as it comes and keeps the beginning and the end, ends
//! it when its time is over, and in any case whatever it has left running: as their subreaper it inherits
//! them, daemons too. Then it writes a [`report`](super::report) to stdout.

use super::kept::Kept;
use super::report::{self, End, Ended};
use super::{Program, User};
use crate::agents::trouble::{Trouble, words};
use crate::sys;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

/// The word by which this is asked for.
pub const WORD: &str = "__program";

/// Of this program, so that it runs that one. `user` is for the runner to change to; none: it is right
/// already.
pub(super) fn arguments(program: &Program, user: Option<&str>, limit: Duration) -> Vec<String> {
    let limit = limit.as_millis().to_string();
    let head = [WORD.into(), limit, escape(user.unwrap_or_default())];
    let words = program.words.iter().map(|word| escape(word));
    head.into_iter().chain(words).collect()
}

/// Runs the program that the arguments after [`WORD`] name.
pub fn main(arguments: &[String]) -> ExitCode {
    // For an instant it was exempt from the OOM killer, as the daemon is.
    let _ = fs::write("/proc/self/oom_score_adj", "0");
    sys::adopt_orphans();
    let told = run(arguments);
    // Whoever wanted to know may be gone: the daemon restarts.
    let _ = std::io::stdout().write_all(&report::write(&told));
    ExitCode::SUCCESS
}

fn run(arguments: &[String]) -> Result<Ended, Trouble> {
    let misused = || Trouble("the runner was called wrongly".into());
    let [limit, user, words @ ..] = arguments else {
        return Err(misused());
    };
    let limit = Duration::from_millis(limit.parse().map_err(|_| misused())?);
    let user = unescape(user).ok_or_else(misused)?;
    let words: Option<Vec<String>> = words.iter().map(|word| unescape(word)).collect();
    let words = words.ok_or_else(misused)?;
    let (program, rest) = words.split_first().ok_or_else(misused)?;
    let mut command = Command::new(program);
    command.args(rest);
    if !user.is_empty() {
        become_user(&mut command, &user)?;
    }
    let ended = supervise(command, Instant::now() + limit);
    end_descendants();
    ended
}

fn become_user(command: &mut Command, name: &str) -> Result<(), Trouble> {
    let user = User::find(name).map_err(|e| Trouble::of("/etc/passwd", &e))?;
    let user = user.ok_or_else(|| Trouble(format!("there is no user {name}")))?;
    let change = move || sys::become_user(user.uid, user.gid, &user.groups);
    // SAFETY: it makes system calls only, on memory from before the fork.
    unsafe { command.pre_exec(change) };
    Ok(())
}

fn supervise(mut command: Command, mut deadline: Instant) -> Result<Ended, Trouble> {
    let unable = |error: std::io::Error| Trouble(format!("cannot be run: {}", words(&error)));
    let (mut reader, writer) = sys::pipe().map_err(unable)?;
    command
        .stdout(writer.try_clone().map_err(unable)?)
        .stderr(writer);
    let mut child = command.spawn().map_err(unable)?;
    drop(command); // and with it our copies of its pipe
    let pidfd = sys::pidfd_open(child.id() as i32).map_err(unable)?;
    let mut output = Kept::default();
    let mut open = true;
    let late = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break true;
        }
        let watched = [pidfd.as_fd(), reader.as_fd()];
        let watched = &watched[..if open { 2 } else { 1 }];
        let ready = sys::wait_readable(watched, left).map_err(unable)?;
        // The machine stood still: so did the program, and it gets that time once more.
        if deadline.elapsed() > STOOD_STILL {
            deadline = Instant::now() + left;
        }
        if ready.first() == Some(&true) {
            break false;
        }
        if ready.get(1) == Some(&true) {
            open = read_some(&mut reader, &mut output);
        }
    };
    let stopped = late && sys::is_stopped(child.id());
    let status = end(&mut child, late).map_err(unable)?;
    // Its last words; what it left running may go on writing for ever.
    for _ in 0..16 {
        let more = sys::wait_readable(&[reader.as_fd()], Duration::ZERO).map_err(unable)?;
        if more != [true] || !read_some(&mut reader, &mut output) {
            break;
        }
    }
    if stopped {
        return Err(Trouble("it was stopped by a signal".into()));
    }
    let output = output.text();
    let end = match (late, status.code(), status.signal()) {
        (true, ..) => End::Late,
        (_, Some(code), _) => End::Exited(code),
        (_, None, signal) => End::Killed(signal.unwrap_or_default()),
    };
    Ok(Ended { end, output })
}

/// So late nobody wakes who only has much to do.
const STOOD_STILL: Duration = Duration::from_millis(250);

fn end(child: &mut Child, late: bool) -> std::io::Result<std::process::ExitStatus> {
    if late {
        child.kill()?;
    }
    child.wait()
}

/// A pipe's worth; false at its end. What is past the parts that are kept is read all the same, so that the
/// program does not wait for it.
fn read_some(reader: &mut File, output: &mut Kept) -> bool {
    let mut piece = vec![0; 64 * 1024];
    match reader.read(&mut piece) {
        Ok(0) | Err(_) => false,
        Ok(n) => {
            output.push(&piece[..n]);
            true
        }
    }
}

/// Again and again: the children of those who die are next. One in state D is left to whoever waits longer.
fn end_descendants() {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(1) {
        let children = sys::children();
        if children.is_empty() {
            return;
        }
        children.into_iter().for_each(sys::kill);
        std::thread::sleep(Duration::from_millis(1));
        sys::bury_children();
    }
}

/// A word without anything that systemd would replace in a command line: letters, digits and a few others
/// stay, each other byte becomes `+` and two digits.
fn escape(word: &str) -> String {
    let mut escaped = String::new();
    for byte in word.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => escaped.push(byte as char),
            b'/' | b'.' | b'_' | b'-' | b'=' | b':' | b',' | b'@' => escaped.push(byte as char),
            _ => escaped += &format!("+{byte:02x}"),
        }
    }
    // An empty word would be lost.
    if escaped.is_empty() {
        escaped.push('+');
    }
    escaped
}

fn unescape(word: &str) -> Option<String> {
    if word == "+" {
        return Some(String::new());
    }
    let mut parts = word.split('+');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_come_through_systemd_as_they_are(word: String) {
            let escaped = escape(&word);
            prop_assert!(!escaped.is_empty());
            prop_assert!(!escaped.contains(['$', '%', ' ', '"', '\'', '\\', ';', '\n']));
            prop_assert_eq!(unescape(&escaped), Some(word));
        }

        #[test]
        fn what_is_no_escaped_word_is_no_panic(word: String) {
            unescape(&word);
        }
    }
}
