//! What an operator types: one file a subcommand.

/// Parses the command line, runs the subcommand and gives its exit code.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
