//! What the status shows of a service.

use super::unit::Unit;
use crate::agents::service::{Presence, standing};
use crate::core::time::Time;

/// What is known of a service, as of when it was last looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceView {
    /// The unit's name.
    pub unit: String,
    /// False: there is no such unit on this node, or it is masked. None: not looked yet.
    pub installed: Option<bool>,
    /// As `systemctl status` says it, such as `active (running)`, of one that failed with how; empty: not looked yet.
    pub state: String,
    /// All of it runs; None: not looked yet.
    pub runs: Option<bool>,
    /// Since when.
    pub since: Option<Time>,
    /// The process that is the service.
    pub main_pid: Option<i32>,
    /// The last check of the run that is being watched.
    pub check: Option<CheckView>,
    /// It has a check.
    pub has_check: bool,
    /// What keeps it from being asked, or what is waited for.
    pub notice: Option<String>,
    /// Changes are noticed; false in maintenance, and after a failure until the core has acted on it.
    pub watched: bool,
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckView {
    /// When it was begun.
    pub at: Time,
    /// What was wrong; none: nothing.
    pub error: Option<String>,
    /// How many failed in a row up to now; they may not count yet, after a start.
    pub failures: u32,
}

impl Unit {
    pub(super) fn view(&self) -> ServiceView {
        let seen = self.seen.borrow();
        let unit = seen.as_ref().map(|seen| &seen.unit);
        let suspended = crate::sys::boottime_us() - crate::sys::monotonic_us();
        ServiceView {
            unit: self.service.unit.clone(),
            installed: unit.map(|unit| !unit.missing()),
            runs: seen.as_ref().map(|seen| seen.presence() == Presence::All),
            state: unit.map(standing).unwrap_or_default(),
            since: unit
                .map(|unit| unit.since_us)
                .filter(|since| *since > 0)
                .map(|since| Time(since + suspended)),
            main_pid: unit.and_then(|unit| unit.main_pid),
            check: self.check.borrow().clone(),
            has_check: self.service.check.is_some(),
            notice: self.notice(),
            watched: self.watched(),
        }
    }
}
