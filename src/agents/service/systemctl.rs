//! Calls of `systemctl`, and what its answers mean.

use super::state::{PROPERTIES, UnitState, parse};
use crate::agents::child;
use crate::agents::words::in_one_line;
use smol::Timer;
use std::process::Command;
use std::time::{Duration, Instant};

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

/// systemd answers within milliseconds; a loaded machine may need longer.
const ONE_ANSWER: Duration = Duration::from_secs(10);

/// A `daemon-reexec` closes every connection to systemd, for some 100 ms.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many units in one call, and so much text for each.
const UNITS: usize = 64;
const TEXT: usize = 2048;

/// Runs `systemctl` with these arguments.
pub(super) async fn call(arguments: &[&str], limit: Duration) -> Answer {
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

/// What these units are doing, in this order. Broken connections are tried again; an error says that
/// systemd does not answer.
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
    let start = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        let answer = call(&arguments, ONE_ANSWER).await;
        if let Answer::Done(output) = &answer
            && let Some(states) = parse(output, units.len())
        {
            return Ok(states);
        }
        if start.elapsed() + pause >= PATIENCE {
            return Err(format!("systemd does not answer: {}", answer.words()));
        }
        Timer::after(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Makes systemd read its unit files and drop-ins again.
pub(super) async fn daemon_reload() -> Result<(), String> {
    match call(&["daemon-reload"], 3 * ONE_ANSWER).await {
        Answer::Done(_) => Ok(()),
        other => Err(format!("systemctl daemon-reload: {}", other.words())),
    }
}

/// The last lines that a run of a unit wrote, in one; empty if there are none or the journal is slow.
pub(super) async fn last_words(invocation: &str) -> String {
    if invocation.is_empty() {
        return String::new();
    }
    let mut command = command("journalctl");
    command.args(["--quiet", "--output=cat", "--lines=2"]);
    command.arg(format!("_SYSTEMD_INVOCATION_ID={invocation}"));
    let ended = child::run(command, b"", Duration::from_secs(1)).await;
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
