//! Stopping a service, whatever it takes.

use super::cgroup::{self, describe, processes};
use super::state::{Active, UnitState};
use super::systemctl::{Answer, call};
use super::{Presence, Seen, look, settle};
use crate::sys;
use smol::Timer;
use std::time::{Duration, Instant};

/// Stops a service and its companions and looks whether they are gone. The ladder: `systemctl stop`;
/// after `limit` SIGKILL for every process of the unit; and after [`DYING`] more it failed. What does
/// not exist is stopped. What is returned may be how it looked before, as far as it cannot matter any more.
///
/// `leaving`: this program's own unit is being stopped. The drop-ins order the service's stop behind
/// that, so an ordinary `systemctl stop` would wait for us while we wait for it (measured).
pub async fn stop(
    unit: &str,
    known: Option<Seen>,
    limit: Duration,
    leaving: bool,
) -> Result<Seen, String> {
    let begin = Instant::now();
    let mut seen = match known {
        Some(seen) => seen,
        None => look(unit).await?,
    };
    let mut answer;
    loop {
        let left = limit.saturating_sub(begin.elapsed());
        let had_group = cgroup::exists(&seen.unit.control_group);
        answer = call(&arguments(unit, &seen, leaving), left).await;
        // systemd's word and the kernel's proof: that saves a look while clients wait for the other node.
        let alone = seen.unit.triggered_by.is_empty();
        if alone
            && matches!(answer, Answer::Done(_))
            && had_group
            && !cgroup::exists(&seen.unit.control_group)
        {
            return Ok(stopped(seen));
        }
        let known = seen.unit.triggered_by;
        seen = settle(unit, limit.saturating_sub(begin.elapsed())).await?;
        if seen.presence() == Presence::None {
            return Ok(seen);
        }
        // A companion that nobody knew of shows as soon as systemd has loaded it.
        if answer == Answer::Late || seen.unit.triggered_by.iter().all(|c| known.contains(c)) {
            break;
        }
    }
    let killed = Instant::now();
    while killed.elapsed() < DYING {
        // Again and again: what runs after a stop (ExecStopPost=) may hang as well.
        call(&["kill", "--signal=SIGKILL", unit], DYING).await;
        Timer::after(Duration::from_millis(100)).await;
        seen = look(unit).await?;
        if seen.presence() == Presence::None {
            return Ok(seen);
        }
    }
    Err(stuck(&seen, &answer))
}

/// So long a killed process may take to go.
pub const DYING: Duration = Duration::from_secs(5);

/// What a look will find.
fn stopped(mut seen: Seen) -> Seen {
    let unit = &mut seen.unit;
    (unit.active, unit.sub) = (Active::Inactive, "dead".into());
    (unit.main_pid, unit.job) = (None, false);
    unit.since_us = sys::monotonic_us();
    seen
}

/// The companions first: while their stop is queued they start nothing.
fn arguments<'a>(unit: &'a str, seen: &'a Seen, leaving: bool) -> Vec<&'a str> {
    let mut arguments = vec!["stop"];
    if leaving {
        arguments.push("--job-mode=ignore-dependencies");
    }
    arguments.extend(seen.unit.triggered_by.iter().map(String::as_str));
    arguments.push(unit);
    arguments
}

fn stuck(seen: &Seen, answer: &Answer) -> String {
    let unit = &seen.unit;
    let left = match &seen.leftovers[..] {
        [] => processes(&unit.control_group),
        left => left.to_vec(),
    };
    let companion = |c: &&UnitState| c.active != Active::Inactive;
    let why = match (seen.companions.iter().find(companion), &left[..]) {
        (_, left @ [_, ..]) => format!(
            "it was killed and is still there: {}. A process in state D waits for a disk or a network \
             file system; if nothing ends it, reboot this node",
            describe(left)
        ),
        (Some(companion), []) => {
            format!(
                "{} is {}, and starts it again",
                companion.id,
                companion.words()
            )
        }
        (None, []) => match answer.words() {
            words if words.is_empty() => "something starts it again".into(),
            words => words,
        },
    };
    format!("{} does not stop, it is {}: {why}", unit.id, unit.words())
}
