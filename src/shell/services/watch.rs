//! The watch over services between two operations.
//!
//! A service that runs is watched by its process's pidfd and by its check; one that must not run, and one
//! without a process, by the hints of a shared patrol, which also looks at everything now and then. No
//! hint is believed: each is followed by a look, and what is on its way somewhere (an operator's restart,
//! nginx's upgrade of its own binary) is waited for.

use super::Shared;
use super::unit::{Expected, Unit};
use super::view::CheckView;
use crate::agents::check::{self, Bad};
use crate::agents::service::watch::{Hints, ended};
use crate::agents::service::{self, Active, Patience, Presence, Seen, UnitState};
use crate::agents::trouble::Trouble;
use crate::config::Check;
use crate::core::event::Event;
use crate::shell::clock;
use smol::Timer;
use smol::future::FutureExt;
use std::cell::Cell;
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often everything is looked at, with one call, in case a hint was missed.
const PATROL: Duration = Duration::from_secs(30);

/// A start by hand on the standby is looked into after so long.
const CALM: Duration = Duration::from_millis(50);

/// Until a service fails: pushes one event and ends.
pub(super) async fn running(shared: Rc<Shared>, unit: Rc<Unit>, fresh: bool) {
    let grace = if fresh { unit.grace() } else { Duration::ZERO };
    let trial = Trial {
        suspended: Cell::new(false),
        started: Instant::now(),
        indulgent_until: Cell::new(Instant::now() + grace),
    };
    let end = death(&unit, &trial)
        .or(bad_health(&shared, &unit, &trial))
        .await;
    let place = unit.place.get();
    shared.push(match end {
        End::Lost(why) => Event::Lost { place, why },
        End::Stopped => Event::Stopped { place },
    });
}

/// Until a service that must not run does, in part or in whole, or until it was installed or removed:
/// pushes one event and ends.
pub(super) async fn stopped(shared: Rc<Shared>, unit: Rc<Unit>) {
    loop {
        let _ = unit.bell.1.recv().await;
        // The bell rings for our own stop as well, and then the move has more use for the processor.
        Timer::after(CALM).await;
        let told = unit.told();
        let Ok(seen) = service::look(&unit.service.unit, &Patience::new(PATROL, &told)).await
        else {
            unit.ring();
            continue;
        };
        let here = seen.presence() != Presence::None && seen.unit.active != Active::Deactivating;
        let other = seen.missing() != unit.missing();
        unit.saw(seen);
        let place = unit.place.get();
        if here {
            return shared.push(Event::Appeared { place });
        }
        if other {
            return shared.push(Event::Reinstalled { place });
        }
    }
}

/// Rings for those units that somebody may have started or stopped.
pub(super) async fn patrol(shared: Rc<Shared>) {
    let mut hints = Hints::open()
        .inspect_err(|e| {
            log::warn!("starts by hand are seen after {PATROL:?} only: /run/systemd/units: {e}")
        })
        .ok();
    let mut next_round = Instant::now() + PATROL;
    loop {
        let hint = async {
            match &mut hints {
                Some(hints) => Some(hints.next().await),
                None => pending().await,
            }
        };
        let rest = async {
            Timer::at(next_round).await;
            None
        };
        match hint.or(rest).await {
            Some(Ok(Some(names))) => ring(&shared, |unit| names.iter().any(|name| unit.is(name))),
            Some(Ok(None)) => ring(&shared, |_| true),
            Some(Err(error)) => {
                log::warn!("/run/systemd/units: {error}");
                hints = None;
            }
            None => {
                go_round(&shared).await;
                // There may have been no descriptor for them.
                hints = hints.or_else(|| Hints::open().ok());
                next_round = Instant::now() + PATROL;
            }
        }
    }
}

/// In maintenance nothing is watched, and everything is looked at, for the status alone: now and then, and when
/// something seems to have happened.
pub(super) async fn observe(shared: Rc<Shared>) {
    let mut hints = Hints::open().ok(); // the patrol says what that costs
    loop {
        let units: Vec<Rc<Unit>> = shared.units.borrow().clone();
        for unit in &units {
            let told = unit.told();
            let patience = Patience::new(OBSERVED, &told);
            let Ok(seen) = service::look(&unit.service.unit, &patience).await else {
                continue;
            };
            let runs = seen.presence() == Presence::All;
            unit.saw(seen);
            let Some(check) = unit.service.check.as_ref().filter(|_| runs) else {
                unit.check.take();
                continue;
            };
            let at = clock::now();
            let error = match check::ask(&check.probe, check.timeout, &shared.programs).await {
                Ok(()) => None,
                Err(Bad::Failed(why)) => Some(why),
                Err(Bad::Unasked(_)) => continue,
            };
            let failures = u32::from(error.is_some());
            unit.check.replace(Some(CheckView {
                at,
                error,
                failures,
            }));
        }
        let rest = async {
            Timer::after(OBSERVED).await;
        };
        rest.or(hint_of(&mut hints, &units))
            .or(end_of_one(&units))
            .await;
        // What was begun is done then; and a process that has ended may still be systemd's main one.
        Timer::after(CALM).await;
    }
}

/// Between two looks in maintenance.
const OBSERVED: Duration = Duration::from_secs(3);

/// Until one of them was started or stopped.
async fn hint_of(hints: &mut Option<Hints>, units: &[Rc<Unit>]) {
    while let Some(open) = hints {
        match open.next().await {
            Ok(Some(names)) if !names.iter().any(|name| units.iter().any(|u| u.is(name))) => {}
            Ok(_) => return,
            Err(_) => *hints = None,
        }
    }
    pending().await
}

/// Until the main process of one of them has ended.
async fn end_of_one(units: &[Rc<Unit>]) {
    let mut ends: Pin<Box<dyn Future<Output = ()>>> = Box::pin(pending());
    for pid in units.iter().filter_map(|unit| unit.main_pid()) {
        ends = Box::pin(ends.or(ended(pid)));
    }
    ends.await
}

/// Looks at all that are watched and rings for those that are not as expected.
async fn go_round(shared: &Shared) {
    let units: Vec<Rc<Unit>> = shared
        .units
        .borrow()
        .iter()
        .filter(|u| u.watched())
        .cloned()
        .collect();
    let companions = units.iter().map(|unit| unit.companions());
    let companions: Vec<Vec<String>> = companions.collect();
    let names = units.iter().map(|unit| unit.service.unit.as_str());
    let names: Vec<&str> = names
        .chain(companions.iter().flatten().map(String::as_str))
        .collect();
    let told = |trouble: Option<&Trouble>| units.iter().for_each(|unit| unit.told()(trouble));
    let patience = Patience::new(PATROL, &told);
    let Ok(states) = service::look_at_all(&names, &patience).await else {
        return; // and soon another
    };
    let mut of_companions = states[units.len()..].iter();
    for ((unit, state), companions) in units.iter().zip(&states).zip(&companions) {
        let companions = of_companions.by_ref().take(companions.len());
        if !unit.is_as_expected(state, companions) {
            unit.ring();
        }
    }
}

fn ring(shared: &Shared, whom: impl Fn(&Unit) -> bool) {
    for unit in shared
        .units
        .borrow()
        .iter()
        .filter(|unit| unit.watched() && whom(unit))
    {
        unit.ring();
    }
}

impl Unit {
    fn is(&self, name: &str) -> bool {
        let seen = self.seen.borrow();
        self.service.unit == name || seen.as_ref().is_some_and(|seen| seen.unit.id == name)
    }

    fn companions(&self) -> Vec<String> {
        match self.seen.borrow().as_ref() {
            Some(seen) => seen.unit.triggered_by.clone(),
            None => Vec::new(),
        }
    }

    /// It was not installed, or masked, when it was last looked at.
    fn missing(&self) -> bool {
        self.seen.borrow().as_ref().is_some_and(Seen::missing)
    }

    fn main_pid(&self) -> Option<i32> {
        self.seen.borrow().as_ref()?.unit.main_pid
    }

    fn is_as_expected<'a>(
        &self,
        state: &UnitState,
        mut companions: impl Iterator<Item = &'a UnitState>,
    ) -> bool {
        let stopped = |state: &UnitState| matches!(state.active, Active::Inactive | Active::Failed);
        match self.expected() {
            Some(Expected::Running) => {
                state.active == Active::Active && state.main_pid == self.main_pid()
            }
            Some(Expected::Stopped) => {
                stopped(state)
                    && companions.all(stopped)
                    && state.triggered_by == self.companions()
                    && state.missing() == self.missing()
            }
            None => true,
        }
    }
}

impl Unit {
    /// How long after a start its check may fail: until it is known how long it needs to serve, as long
    /// as a start may take. A restart that did not help is not waited for so long.
    fn grace(&self) -> Duration {
        let limit = self.service.start_timeout;
        match (self.warm_up.get(), &self.service.check) {
            (Some(known), Some(check)) => (3 * known + check.interval).min(limit),
            _ => limit,
        }
    }
}

/// Why a watch ends.
enum End {
    /// The service failed.
    Lost(String),
    /// Somebody else stopped it, on purpose, and did not start it again in time.
    Stopped,
}

/// A package upgrade stops a service, replaces its files, and starts it again: so long it may take.
const UPGRADE: Duration = Duration::from_secs(10);

/// When failures of a check count.
struct Trial {
    /// Not while others restart the service.
    suspended: Cell<bool>,
    /// When the watch began.
    started: Instant,
    /// Not before this moment, unless it succeeded once.
    indulgent_until: Cell<Instant>,
}

/// Why the service does not run any more.
async fn death(unit: &Unit, trial: &Trial) -> End {
    let (name, limit) = (&unit.service.unit, unit.service.start_timeout);
    loop {
        let pid = unit.main_pid();
        let dead = async {
            match pid {
                Some(pid) => ended(pid).await,
                None => pending().await,
            }
            pid
        };
        let rung = async {
            let _ = unit.bell.1.recv().await;
            None
        };
        let dead = dead.or(rung).await;
        trial.suspended.set(true);
        let told = unit.told();
        let seen = match service::settle_after(name, dead, &Patience::new(limit, &told)).await {
            Ok(seen) => seen,
            // The process is gone, be it that another took its place: nothing here could tell, or start it.
            Err(trouble) if dead.is_some() => {
                return End::Lost(format!("{name} died, and {trouble}"));
            }
            Err(_) => {
                unit.ring();
                trial.suspended.set(false);
                continue;
            }
        };
        let seen = match was_stopped(&seen) {
            false => seen,
            true => match started_again(unit, seen).await {
                Some(seen) => seen,
                None => return End::Stopped,
            },
        };
        let lives =
            seen.presence() == Presence::All && (dead.is_none() || seen.unit.main_pid != dead);
        let again = seen.unit.main_pid != pid;
        unit.saw(seen.clone());
        if !lives {
            return End::Lost(service::loss(&seen).await);
        }
        if again {
            log::info!("{name} was restarted by somebody else, and runs");
            // One that never served is not indulged again for each time that it dies.
            if unit.check.borrow().is_none() || unit.warm_up.get().is_some() {
                trial.indulgent_until.set(Instant::now() + unit.grace());
            }
        }
        trial.suspended.set(false);
    }
}

/// It was stopped and is not about to start again.
fn was_stopped(seen: &Seen) -> bool {
    let down = matches!(seen.unit.active, Active::Inactive | Active::Failed);
    down && seen.unit.was_stopped && !seen.unit.job
}

/// Waits for whoever stopped the service to start it again, well or not; none: they do not.
async fn started_again(unit: &Unit, seen: Seen) -> Option<Seen> {
    let name = &unit.service.unit;
    unit.saw(seen);
    let text = format!(
        "stopped by somebody else: started again {} s later unless they do",
        UPGRADE.as_secs()
    );
    unit.waiting.replace(Some(text));
    let until = Instant::now() + UPGRADE;
    let seen = loop {
        let rung = async {
            let _ = unit.bell.1.recv().await;
        };
        let rest = async {
            Timer::at(until).await;
        };
        rung.or(rest).await;
        let told = unit.told();
        let limit = unit.service.start_timeout;
        let seen = service::settle(name, &Patience::new(limit, &told)).await;
        match seen {
            Ok(seen) if !was_stopped(&seen) => break Some(seen),
            _ if Instant::now() >= until => break None,
            _ => {}
        }
    };
    unit.waiting.take();
    seen
}

/// Why the service does not serve any more.
async fn bad_health(shared: &Shared, unit: &Unit, trial: &Trial) -> End {
    let Some(check) = &unit.service.check else {
        return pending().await;
    };
    let mut failures = 0;
    let mut next = Instant::now();
    loop {
        let (at, begin) = (clock::now(), Instant::now());
        let result = check::ask(&check.probe, check.timeout, &shared.programs).await;
        let result = match result {
            Ok(()) => Ok(()),
            Err(Bad::Failed(why)) => Err(why),
            // No answer, good or bad: what was known stays, and it is asked again.
            Err(Bad::Unasked(trouble)) => {
                unasked(unit, Some(&trouble));
                Timer::after(check.interval).await;
                next = Instant::now();
                continue;
            }
        };
        unasked(unit, None);
        if !trial.suspended.get() {
            let indulged = begin < trial.indulgent_until.get();
            match &result {
                Ok(()) => {
                    failures = 0;
                    if indulged {
                        unit.warm_up.set(Some(trial.started.elapsed()));
                    }
                    trial.indulgent_until.set(begin);
                    unit.ailing.set(false);
                }
                Err(_) => failures += 1,
            }
            *unit.check.borrow_mut() = Some(CheckView {
                at,
                error: result.clone().err(),
                failures,
            });
            if let Err(why) = result
                && failures >= check.failures
                && !indulged
            {
                unit.ailing.set(true);
                return End::Lost(said(check, &why, failures));
            }
        } else {
            failures = 0;
        }
        // From start to start; what took longer is not made up for.
        next = (next + check.interval).max(Instant::now());
        Timer::at(next).await;
    }
}

/// Whether the check cannot be asked.
fn unasked(unit: &Unit, trouble: Option<&Trouble>) {
    let text = trouble.map(|trouble| format!("its check cannot be asked: {trouble}"));
    unit.unasked.replace(text);
}

fn said(check: &Check, why: &str, failures: u32) -> String {
    match check.failures {
        1 => format!("check: {why}"),
        _ => format!("check: {why} ({failures} times in a row)"),
    }
}
