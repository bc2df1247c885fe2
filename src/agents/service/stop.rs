//! Stopping a service, whatever it takes.

use super::cgroup::{self, describe, processes};
use super::state::{Active, UnitState};
use super::systemctl::{Answer, Pauses, ask, ask_for_job};
use super::{Patience, Presence, Seen, look, settle};
use crate::agents::trouble::Trouble;
use crate::sys;
use smol::Timer;
use std::time::Duration;

/// Why a service was not stopped, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStopped {
    /// It does not stop.
    Stuck(String),
    /// Whether it runs is not known: nobody could be asked, in all the time there was.
    Unasked(String),
}

impl NotStopped {
    /// The words.
    pub fn why(self) -> String {
        match self {
            NotStopped::Stuck(why) | NotStopped::Unasked(why) => why,
        }
    }
}

/// Stops a service and its companions and looks whether they are gone. The ladder: `systemctl stop`, asked
/// for until systemd has heard it; when `patience` is over SIGKILL for every process of the unit; and after
/// [`DYING`] more it failed. What does not exist is stopped. What is returned may be how it looked before,
/// as far as it cannot matter any more.
///
/// `leaving`: this program's own unit is being stopped. The drop-ins order the service's stop behind
/// that, so an ordinary `systemctl stop` would wait for us while we wait for it (measured).
pub async fn stop(
    unit: &str,
    known: Option<Seen>,
    patience: &Patience<'_>,
    leaving: bool,
) -> Result<Seen, NotStopped> {
    let last = match politely(unit, known.clone(), patience, leaving).await {
        Ok(seen) => return Ok(seen),
        Err(answer) => answer,
    };
    let patience = patience.anew(DYING);
    let mut seen = Err(Trouble("nobody has looked".into()));
    while !patience.is_over() {
        // Again and again: what runs after a stop (ExecStopPost=) may hang as well.
        let answer = ask(&["kill", "--signal=SIGKILL", unit], &patience).await;
        if let (Answer::Unusable(_) | Answer::Late(_), Some(known)) = (answer, &known) {
            cgroup::kill(&known.unit.control_group);
        }
        Timer::after(Duration::from_millis(100)).await;
        seen = look(unit, &patience.anew(Duration::ZERO)).await;
        match (&seen, &known) {
            (Ok(seen), _) if seen.presence() == Presence::None => return Ok(seen.clone()),
            (Err(_), Some(known)) if is_gone(known) => return Ok(stopped(known.clone())),
            _ => {}
        }
    }
    match seen {
        Ok(seen) => Err(NotStopped::Stuck(stuck(&seen, &last))),
        Err(trouble) => Err(NotStopped::Unasked(format!(
            "whether {unit} runs is not known: {trouble}"
        ))),
    }
}

/// By the kernel's word alone, where systemd cannot be asked any more: nothing of it is left, and nothing
/// known would start it again.
fn is_gone(known: &Seen) -> bool {
    let unit = &known.unit;
    !unit.control_group.is_empty()
        && cgroup::all_processes(&unit.control_group).is_ok_and(|left| left.is_empty())
        && unit.triggered_by.is_empty()
        && !unit.restarts_itself
        && !unit.job
}

/// An error is the last that was said to it.
async fn politely(
    unit: &str,
    known: Option<Seen>,
    patience: &Patience<'_>,
    leaving: bool,
) -> Result<Seen, Answer> {
    let begin = sys::monotonic_us();
    let mut pauses = Pauses::default();
    let mut seen = match known {
        Some(seen) => seen,
        None => look(unit, patience).await.map_err(Answer::Unusable)?,
    };
    loop {
        let had_group = cgroup::exists(&seen.unit.control_group);
        let answer = ask_for_job(&arguments(unit, &seen, leaving), unit, patience).await;
        // systemd's word and the kernel's proof: that saves a look while clients wait for the other node.
        let alone = seen.unit.triggered_by.is_empty();
        if alone
            && matches!(answer, Answer::Done(_))
            && had_group
            && !cgroup::exists(&seen.unit.control_group)
        {
            patience.answered();
            return Ok(stopped(seen));
        }
        let known = seen.unit.triggered_by;
        seen = settle(unit, patience).await.map_err(Answer::Unusable)?;
        if seen.presence() == Presence::None {
            return Ok(seen);
        }
        // A companion that nobody knew of shows as soon as systemd has loaded it.
        let news = seen.unit.triggered_by.iter().any(|c| !known.contains(c));
        let unheard = match &answer {
            Answer::Done(_) => {
                seen.unit.active == Active::Active && !seen.unit.touched_since(begin)
            }
            Answer::Refused(_) => answer.was_cancelled(),
            Answer::Late(_) | Answer::Unusable(_) => true,
        };
        let again = (news || unheard) && pauses.wait(patience).await;
        if !again {
            return Err(answer);
        }
    }
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
        [] => processes(&unit.control_group).unwrap_or_default(),
        left => left.to_vec(),
    };
    let companion = |c: &&UnitState| c.active != Active::Inactive;
    let why = match (seen.companions.iter().find(companion), &left[..]) {
        (_, left @ [_, ..]) => format!(
            "it was killed and is still there: {}. A process in state D waits for a disk or a network \
             file system; if nothing ends it, reboot the machine",
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
