//! Calls of `systemctl`, and what its answers mean.

use super::state::{PROPERTIES, UnitState, parse};
use crate::agents::child;
use crate::agents::words::in_one_line;
use crate::sys;
use smol::Timer;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It did what it should.
    Done(String),
    /// It did not, and said this.
    Refused(String),
    /// It had not ended when its time was over. What it asked systemd for goes on.
    Late,
}

/// systemd answers within milliseconds, but a `daemon-reexec` breaks every connection to it and takes
/// some 100 ms; a loaded machine may need longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many units in one call, and so much text for each.
const UNITS: usize = 64;
const TEXT: usize = 2048;

/// Runs `systemctl` with these arguments; again, as long as the connection to systemd breaks. All that
/// is asked for is such that asking twice is the same as asking once.
pub(super) async fn call(arguments: &[&str], limit: Duration) -> Answer {
    let start = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        let answer = call_once(arguments, limit.saturating_sub(start.elapsed())).await;
        let broken = matches!(&answer, Answer::Refused(said) if is_broken_connection(said));
        if !broken || start.elapsed() + pause >= limit.min(PATIENCE) {
            return answer;
        }
        Timer::after(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

async fn call_once(arguments: &[&str], limit: Duration) -> Answer {
    let mut command = command("systemctl");
    command.args(arguments);
    match child::run_reading(command, b"", limit, UNITS * TEXT).await {
        Ok(ended) => match ended.status {
            Some(status) if status.success() => Answer::Done(ended.output),
            Some(_) => Answer::Refused(ended.output),
            None => Answer::Late,
        },
        Err(error) => Answer::Refused(format!("cannot run systemctl: {error}")),
    }
}

/// What these units are doing, in this order. An error says that systemd does not answer.
pub(super) async fn show(units: &[&str]) -> Result<Vec<UnitState>, String> {
    let mut shown = Vec::new();
    for some in units.chunks(UNITS) {
        shown.extend(show_some(some).await?);
    }
    Ok(shown)
}

async fn show_some(units: &[&str]) -> Result<Vec<UnitState>, String> {
    let properties = format!("--property={PROPERTIES}");
    let mut arguments = vec!["show", &properties, "--"];
    arguments.extend(units);
    let answer = call(&arguments, PATIENCE).await;
    let states = match &answer {
        Answer::Done(output) => parse(output, units.len()),
        _ => None,
    };
    states.ok_or_else(|| format!("systemd does not answer: {}", answer.words()))
}

/// Makes systemd read its unit files and drop-ins again.
pub(super) async fn daemon_reload() -> Result<(), String> {
    match call(&["daemon-reload"], 3 * PATIENCE).await {
        Answer::Done(_) => Ok(()),
        other => Err(format!("systemctl daemon-reload: {}", other.words())),
    }
}

/// The last lines that the unit's last run wrote, in one; empty if there are none or the journal is slow.
pub(super) async fn last_words(unit: &UnitState) -> String {
    let words = journal(&[&format!("_SYSTEMD_INVOCATION_ID={}", unit.invocation)]).await;
    if !words.is_empty() {
        return words;
    }
    // When a process ends at once, the journal may not find out any more to which run it belonged.
    let ended = Duration::from_micros((sys::monotonic_us() - unit.since_us).max(0) as u64);
    let since = SystemTime::now() - ended - Duration::from_secs(1);
    let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = format!("--since=@{}", since.as_secs());
    journal(&[&since, &format!("_SYSTEMD_UNIT={}", unit.id)]).await
}

async fn journal(filter: &[&str]) -> String {
    let mut command = command("journalctl");
    command.args(["--quiet", "--output=cat", "--lines=2"]);
    command.args(filter);
    // The words are for people; a restart or a move waits for them.
    let ended = child::run(command, b"", Duration::from_millis(100)).await;
    let output = ended.map(|e| e.output).unwrap_or_default();
    in_one_line(&output, LONGEST_WORDS, |_| true)
}

const LONGEST_WORDS: usize = 400;

impl Answer {
    /// The words that matter, for an error; empty if it was done without any.
    pub(super) fn words(&self) -> String {
        match self {
            Answer::Done(text) | Answer::Refused(text) => in_one_line(text, LONGEST_WORDS, matters),
            Answer::Late => "no answer in time".into(),
        }
    }
}

/// What systemctl says while systemd restarts itself: three of these were seen, the others are its words
/// for the same a little earlier or later.
fn is_broken_connection(said: &str) -> bool {
    let words = [
        "Connection reset by peer",
        "Connection refused",
        "Connection timed out",
        "Transport endpoint is not connected",
        "Failed to connect to bus",
        "disconnected from message bus",
        "D-Bus connection terminated",
    ];
    words.iter().any(|words| said.contains(words))
}

/// Hints where to look are for those who typed the command.
fn matters(line: &str) -> bool {
    let hints = ["See ", "Warning: Stopping ", "Warning: The unit file", "  "];
    !hints.iter().any(|hint| line.starts_with(hint))
}

/// Its words are for programs: English, without colour or pager, and never with a question.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("LC_ALL", "C")
        .env("SYSTEMD_COLORS", "0")
        .env("SYSTEMD_PAGER", "")
        .args(["--no-pager"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_that_matter_are_passed_on() {
        let said = "Job for nginx.service failed because the control process exited with error code.\n\
            See \"systemctl status nginx.service\" and \"journalctl -xeu nginx.service\" for details.\n";
        assert_eq!(
            Answer::Refused(said.into()).words(),
            "Job for nginx.service failed because the control process exited with error code."
        );
    }
}
