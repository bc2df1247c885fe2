//! How a subcommand ends.

use std::process::ExitCode;

/// The exit codes, which scripts and monitoring rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done; all is well.
    Well = 0,
    /// Refused, or failed; `check`: something cannot run here; `status`: degraded.
    Refused = 1,
    /// `status`: blocked, or nobody active.
    Blocked = 2,
    /// There is no daemon, or it does not answer.
    NoDaemon = 3,
    /// EX_USAGE: the command line is not understood.
    Usage = 64,
    /// EX_CONFIG: ha.toml is wrong.
    Config = crate::config::EX_CONFIG as isize,
}

impl Exit {
    /// This, unless all is well by it: then the other.
    pub(super) fn or(self, other: Exit) -> Exit {
        match self {
            Exit::Well => other,
            said => said,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
