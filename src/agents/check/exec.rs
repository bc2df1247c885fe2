//! A program that says by its exit status whether the service serves.

use super::refusal;
use crate::agents::child;
use crate::agents::words::last_line;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

/// Its last line becomes part of the error.
pub(super) async fn run(words: &[String], limit: Duration) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else {
        return Err("no program is named".into());
    };
    let mut command = Command::new(program);
    command.args(arguments);
    // The caller's own limit says it better; this one is only to be not shorter.
    let ended = child::run(command, b"", limit * 2).await;
    let ended = ended.map_err(|error| format!("cannot be run: {}", refusal(&error)))?;
    let why = match ended.status {
        Some(status) if status.success() => return Ok(()),
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("killed by signal {signal}"),
            (None, None) => status.to_string(),
        },
        None => "it does not end".into(),
    };
    Err(match last_line(&ended.output, LONGEST_LINE) {
        Some(line) => format!("{why}: {line}"),
        None => why,
    })
}

/// In characters.
const LONGEST_LINE: usize = 200;
