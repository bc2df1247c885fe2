//! `doctor`: what keeps a pair from working, or would let it fail, found from either node.
//!
//! - `machine`: what a node finds on its own machine, with its daemon or without;
//! - `pair`: what only both together show;
//! - `taken`: whether somebody else has a VIP.
//!
//! What `check` and `status` find is taken from where they find it.

mod machine;
mod pair;
mod taken;

pub use machine::{Examined, examine, of_status};
pub use pair::{between, unreached};
pub use taken::{Probed, taken};

use serde::{Deserialize, Serialize};

/// How bad. The number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok = 0,
    /// It works, and may fail one day.
    Warning = 1,
    /// It does not work.
    Error = 2,
}

impl Level {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// What was looked at, in a word.
    pub about: String,
    /// What was found.
    pub text: String,
    /// What helps; null: nothing is to be done, or the text says it.
    pub cure: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(about: &str, text: impl Into<String>) -> Finding {
        Finding {
            level: Level::Ok,
            about: about.into(),
            text: text.into(),
            cure: None,
        }
    }

    /// It may fail.
    pub fn warning(about: &str, text: impl Into<String>) -> Finding {
        Finding {
            level: Level::Warning,
            ..Finding::ok(about, text)
        }
    }

    /// It does not work.
    pub fn error(about: &str, text: impl Into<String>) -> Finding {
        Finding {
            level: Level::Error,
            ..Finding::ok(about, text)
        }
    }

    /// With what helps.
    pub fn cured_by(self, cure: impl Into<String>) -> Finding {
        Finding {
            cure: Some(cure.into()),
            ..self
        }
    }
}
