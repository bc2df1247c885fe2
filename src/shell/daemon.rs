//! The daemon's loop. Placeholder.

use super::options::Options;
use std::process::ExitCode;

/// Runs the daemon until it is told to leave.
pub fn run(_options: &Options) -> ExitCode {
    eprintln!("ha-appliance: the daemon is not built yet");
    ExitCode::FAILURE
}
