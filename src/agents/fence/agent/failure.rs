//! What can be wrong with a fence agent, each in words of its own.

use crate::agents::program::MAX_OUTPUT;
use crate::agents::trouble::Trouble;
use crate::agents::words::last_line;
use std::fmt;
use std::time::Duration;

/// Why an agent did not do, or say, what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It ended with this status, saying this last.
    Said {
        /// What it was asked.
        action: &'static str,
        /// Its exit status.
        status: i32,
        /// Its last line that says something; empty: none did.
        line: String,
    },
    /// It was ended by somebody else's signal.
    Killed {
        /// What it was asked.
        action: &'static str,
        /// The signal.
        signal: i32,
    },
    /// It did not end in time.
    Late {
        /// What it was asked.
        action: &'static str,
        /// The time it had.
        after: Duration,
    },
    /// It said that the machine is on, and that is off.
    Unchanged {
        /// For so long.
        after: Duration,
    },
    /// This machine could not run it.
    Unasked(Trouble),
}

impl Failure {
    pub(super) fn said(action: &'static str, status: i32, output: &str) -> Failure {
        Failure::Said {
            action,
            status,
            line: reason(output),
        }
    }
}

/// The last line that tells something, without its time stamp: after its error `fencing.py` points at its help.
fn reason(output: &str) -> String {
    let tells = |line: &str| !unstamped(line).starts_with("Please use '-h'");
    let line = last_line(output, MAX_OUTPUT, tells);
    line.map_or(String::new(), |line| unstamped(&line).into())
}

fn unstamped(line: &str) -> &str {
    match line.split_once(" ERROR: ") {
        Some((stamp, text)) if stamp.starts_with(|c: char| c.is_ascii_digit()) => text,
        _ => line,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Said {
                action,
                status,
                line,
            } if line.is_empty() => {
                write!(f, "its {action} ended with {status} and said nothing")
            }
            Failure::Said {
                action,
                status,
                line,
            } => write!(f, "its {action} ended with {status}: {line}"),
            Failure::Killed { action, signal } => {
                write!(f, "its {action} was ended by signal {signal}")
            }
            Failure::Late { action, after } => {
                let after = after.as_secs_f64();
                write!(f, "its {action} did not end within {after:.1} s")
            }
            Failure::Unchanged { after } => {
                let after = after.as_secs_f64();
                write!(
                    f,
                    "it says that all is well, but the machine is not on after {after:.0} s"
                )
            }
            Failure::Unasked(trouble) => write!(f, "{trouble}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_last_line_that_is_one() {
        let output = "fence_x:5: DeprecationWarning: 'pipes'\n\
            2026-11-29 12:00:00,123 ERROR: Failed: Unable to obtain correct plug status\n\n\
            2026-11-29 12:00:00,124 ERROR: Please use '-h' for usage\n\n";
        let said = Failure::said("off", 1, output).to_string();
        assert_eq!(
            said,
            "its off ended with 1: Failed: Unable to obtain correct plug status"
        );
        assert_eq!(
            Failure::said("status", 1, "\n").to_string(),
            "its status ended with 1 and said nothing"
        );
        let odd = Failure::said("on", 3, "the ERROR: is this\x1b[2J");
        assert_eq!(
            odd.to_string(),
            "its on ended with 3: the ERROR: is this [2J"
        );
    }
}
