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
        // As shells and env(1) end when there is not what they are to run: that is this machine's trouble.
        End::Exited(status @ (126 | 127)) => {
            let why = format!("exit status {status}, a program is missing");
            return Err(Bad::Unasked(Trouble(with_last_line(why, &ended.output))));
        }
        End::Exited(status) => format!("exit status {status}"),
        // Nobody does that but the kernel for want of memory, or a person: it had not answered yet.
        End::Killed(libc::SIGKILL) => {
            return Err(Bad::Unasked(Trouble("it was killed by signal 9".into())));
        }
        End::Killed(signal) => format!("killed by signal {signal}"),
        End::Late => format!("no answer within {} s", limit.as_secs_f32()),
    };
    Err(Bad::Failed(with_last_line(why, &ended.output)))
}

fn with_last_line(why: String, output: &str) -> String {
    match last_line(output, LONGEST_LINE, |_| true) {
        Some(line) => format!("{why}: {line}"),
        None => why,
    }
}

/// In characters.
const LONGEST_LINE: usize = 200;
