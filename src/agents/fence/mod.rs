//! What makes sure from outside that a machine is off.

pub mod agent;
pub mod ipmi;

use std::time::Duration;

/// What came of switching a machine off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Off {
    /// When the last `off` was accepted, counted from the beginning; None: it read off and none was sent.
    pub accepted: Option<Duration>,
    /// When it was read off for the first time since then.
    pub first: Duration,
    /// When it was read off again.
    pub verified: Duration,
}
