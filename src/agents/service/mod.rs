//! systemd units, through `systemctl`: look, start, stop, and how to notice what others do with them.
//!
//! `systemctl` and not D-Bus: one call costs 5 ms, there are two in a move, and it is an interface that
//! an operator can try by hand. What a call says is never the end of it: every operation ends with a
//! look ([`look`]), because `systemctl start` is content with a service that dies a moment later, and
//! killing `systemctl` ends none of systemd's jobs.
//!
//! That systemd cannot be asked is nobody's failure: every operation asks again until its own time is over
//! ([`Patience`]), and only then ends, with what kept it from asking.
//!
//! A service may have *companions*: sockets, timers and paths that start it. They belong to it: they
//! are stopped with it, so that a connection cannot start it on the standby; and those that are enabled
//! are started with it, so that a socket-activated service is reachable where the group runs, and
//! nowhere else. What runs of the companions alone makes a stopped service [`Presence::Some`].

mod cgroup;
pub mod drop_in;
mod failure;
mod patience;
mod start;
mod state;
mod stop;
mod systemctl;
pub mod watch;

pub use failure::{loss, standing, unfit};
pub use patience::Patience;
pub use start::{NotStarted, restart, start};
pub use state::{Active, Load, UnitState};
pub use stop::{NotStopped, stop};

/// A door for tests/fuzz alone.
#[doc(hidden)]
pub use state::parse as shown;

use super::trouble::Trouble;
use std::time::Duration;
use systemctl::show;

/// A service and its companions at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The service.
    pub unit: UnitState,
    /// The units that can start it.
    pub companions: Vec<UnitState>,
    /// Processes that it left behind though it is stopped (`KillMode=process`).
    pub leftovers: Vec<i32>,
}

/// How much of a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing.
    None,
    /// It is on its way up or down, a companion waits to start it, or it left processes behind.
    Some,
    /// It runs.
    All,
}

impl Seen {
    /// It is not installed here, or masked: it cannot be started.
    pub fn missing(&self) -> bool {
        self.unit.missing()
    }

    /// How much of it runs.
    pub fn presence(&self) -> Presence {
        let stopped = |unit: &UnitState| matches!(unit.active, Active::Inactive | Active::Failed);
        let gone = stopped(&self.unit) && !self.unit.job;
        match self.unit.active {
            Active::Active => Presence::All,
            _ if gone && self.companions.iter().all(stopped) && self.leftovers.is_empty() => {
                Presence::None
            }
            _ => Presence::Some,
        }
    }
}

/// Looks at a service and its companions.
pub async fn look(unit: &str, patience: &Patience<'_>) -> Result<Seen, Trouble> {
    let unit = show(&[unit], patience).await?.remove(0);
    let triggers: Vec<&str> = unit.triggered_by.iter().map(String::as_str).collect();
    let companions = match triggers.is_empty() {
        true => Vec::new(),
        false => show(&triggers, patience).await?,
    };
    let leftovers = match unit.active {
        Active::Inactive | Active::Failed => {
            let what = "the processes that it left cannot be read";
            cgroup::processes(&unit.control_group).map_err(|e| Trouble::of(what, &e))?
        }
        _ => Vec::new(),
    };
    Ok(Seen {
        unit,
        companions,
        leftovers,
    })
}

/// Looks at several services with one call, without their companions.
pub async fn look_at_all(
    units: &[&str],
    patience: &Patience<'_>,
) -> Result<Vec<UnitState>, Trouble> {
    match units.is_empty() {
        true => Ok(Vec::new()),
        false => show(units, patience).await,
    }
}

/// Looks until the service is where it goes to, as long as there is patience; what it is then is
/// returned, be it still on its way.
pub async fn settle(unit: &str, patience: &Patience<'_>) -> Result<Seen, Trouble> {
    settle_unless(unit, patience, UnitState::in_transition).await
}

/// The same after its main process ended: what systemd says of a process that it has not buried yet is
/// no answer, and on its way down by itself means dead.
pub async fn settle_after(
    unit: &str,
    dead: Option<i32>,
    patience: &Patience<'_>,
) -> Result<Seen, Trouble> {
    settle_unless(unit, patience, |unit| match unit.active {
        Active::Active => dead.is_some() && unit.main_pid == dead,
        Active::Deactivating => unit.job || unit.restarts_itself,
        _ => unit.in_transition(),
    })
    .await
}

async fn settle_unless(
    unit: &str,
    patience: &Patience<'_>,
    moving: impl Fn(&UnitState) -> bool,
) -> Result<Seen, Trouble> {
    let mut pause = Duration::from_millis(10);
    loop {
        let seen = look(unit, patience).await?;
        if !moving(&seen.unit) || patience.is_over() {
            return Ok(seen);
        }
        smol::Timer::after(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}
