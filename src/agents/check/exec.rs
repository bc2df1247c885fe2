//! A program that says by its exit status whether the service serves.

use super::Bad;
use crate::agents::program::{End, Program, Programs};
use crate::agents::trouble::Trouble;
use crate::agents::words::last_line;
use std::time::Duration;

/// Its last line becomes part of the error.
pub(super) async fn run(
    programs: &Programs,
    program: &Program,
    limit: Duration,
) -> Result<(), Bad> {
    let ended = programs.run("check", program, b"", limit).await;
    let ended = ended.map_err(Bad::Unasked)?;
    let why = match ended.end {
        End::Exited(0) => return Ok(()),
        End::Exited(status) => format!("exit status {status}"),
        // Nobody does that but the kernel for want of memory, or a person: it had not answered yet.
        End::Killed(libc::SIGKILL) => {
            return Err(Bad::Unasked(Trouble("it was killed by signal 9".into())));
        }
        End::Killed(signal) => format!("killed by signal {signal}"),
        End::Late => format!("no answer within {} s", limit.as_secs_f32()),
    };
    Err(Bad::Failed(
        match last_line(&ended.output, LONGEST_LINE, |_| true) {
            Some(line) => format!("{why}: {line}"),
            None => why,
        },
    ))
}

/// In characters.
const LONGEST_LINE: usize = 200;
