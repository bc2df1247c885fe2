//! Starting a service, and saying why it does not run.

use super::failure::{unstartable, with_last_words};
use super::state::{Active, UnitState};
use super::systemctl::{Answer, Pauses, ask, ask_for_job, call};
use super::{Patience, Seen, look, settle};
use crate::agents::trouble::Trouble;
use crate::sys;
use std::time::Duration;

/// Why a service was not started, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// It does not start.
    Failed(String),
    /// systemd could not be asked for it, or was not heard to have been, in all the time there was.
    Unasked(String),
}

use NotStarted::{Failed, Unasked};

/// Starts a service that does not run, with its enabled companions. `known` is what was seen of it
/// last: it saves a look. Done when it runs; whether it serves is the check's question.
pub async fn start(
    unit: &str,
    known: Option<Seen>,
    patience: &Patience<'_>,
) -> Result<Seen, NotStarted> {
    let limit = patience.limit();
    let unknown = |trouble| Unasked(format!("{unit} was not started: {trouble}"));
    let before = match known {
        Some(seen) if unstartable(&seen.unit).is_none() => seen,
        // It may have been installed or unmasked meanwhile.
        _ => look(unit, patience).await.map_err(unknown)?,
    };
    if let Some(why) = unstartable(&before.unit) {
        return Err(Failed(why));
    }
    let mut arguments = vec!["start"];
    // Before the service, and only then: systemd refuses a socket whose service runs already.
    if !matches!(before.unit.active, Active::Active) {
        arguments.extend(before.companions.iter().filter(|c| c.enabled).map(id));
    }
    arguments.push(unit);
    // A refusal for that reason shows the failure before it instead.
    if before.unit.active == Active::Failed {
        forget_how_often(&arguments[1..], patience).await;
    }
    let mut told = insist(unit, &arguments, patience).await.map_err(unknown)?;
    if told.seen.unit.end.result == "start-limit-hit" {
        forget_how_often(&arguments[1..], patience).await;
        told = insist(unit, &arguments, patience).await.map_err(unknown)?;
    }
    let seen = told.seen;
    let asked = |c: &&UnitState| arguments.contains(&c.id.as_str()) && c.active != Active::Active;
    match seen.unit.active {
        Active::Active => match seen.companions.iter().find(asked) {
            None => Ok(seen),
            Some(companion) => {
                let words = with_last_words(companion).await;
                Err(Failed(format!("{} does not start: {words}", companion.id)))
            }
        },
        Active::Activating => Err(Failed(hangs(&seen.unit, limit).await)),
        _ if !told.tried => Err(Unasked(unheard(unit, &told.answer))),
        _ => Err(Failed(failed(&seen.unit, &told.answer).await)),
    }
}

/// What came of asking for a start.
struct Told {
    answer: Answer,
    seen: Seen,
    /// systemd tried it, or refused to.
    tried: bool,
}

/// Asks for a start until systemd has tried it: until then it says nothing about the service.
async fn insist(unit: &str, arguments: &[&str], patience: &Patience<'_>) -> Result<Told, Trouble> {
    let begin = sys::monotonic_us();
    let mut pauses = Pauses::default();
    loop {
        let answer = ask_for_job(arguments, unit, patience).await;
        let seen = settle(unit, patience).await?;
        let heard = seen.unit.touched_since(begin) || matches!(answer, Answer::Refused(_));
        // Whoever cancels it once, with a restart say, may not do it again.
        let tried = seen.unit.active == Active::Active || (heard && !answer.was_cancelled());
        if tried || !pauses.wait(patience).await {
            return Ok(Told {
                answer,
                seen,
                tried,
            });
        }
    }
}

/// Restarts a service that runs but does not serve; a stop that takes longer than `stop_limit` is
/// helped on by SIGKILL. `patience` is for both halves.
pub async fn restart(
    unit: &str,
    stop_limit: Duration,
    patience: &Patience<'_>,
) -> Result<Seen, NotStarted> {
    let limit = patience.limit().saturating_sub(stop_limit);
    forget_how_often(&[unit], patience).await;
    let begin = sys::monotonic_us();
    let mut pauses = Pauses::default();
    let (answer, seen) = loop {
        let first_half = patience.anew(stop_limit.min(patience.left()));
        let mut answer = ask_for_job(&["restart", unit], unit, &first_half).await;
        let unknown = |trouble| Unasked(format!("{unit} was not restarted: {trouble}"));
        let mut seen = look(unit, patience).await.map_err(unknown)?;
        while seen.unit.active == Active::Deactivating && !first_half.is_over() {
            smol::Timer::after(Duration::from_millis(100)).await;
            seen = look(unit, patience).await.map_err(unknown)?;
        }
        if seen.unit.active == Active::Deactivating {
            // The second half of the restart follows by itself.
            answer = call(&["kill", "--signal=SIGKILL", unit], &patience.anew(SHORT)).await;
        }
        seen = settle(unit, patience).await.map_err(unknown)?;
        let tried = seen.unit.touched_since(begin) || matches!(answer, Answer::Refused(_));
        if tried || !pauses.wait(patience).await {
            break (answer, seen);
        }
    };
    match seen.unit.active {
        _ if !seen.unit.touched_since(begin) => {
            let why = unheard(unit, &answer);
            Err(match answer {
                Answer::Refused(_) => Failed(why),
                Answer::Done(_) | Answer::Late(_) | Answer::Unusable(_) => Unasked(why),
            })
        }
        Active::Active => Ok(seen),
        Active::Inactive | Active::Failed => Err(Failed(failed(&seen.unit, &answer).await)),
        Active::Activating | Active::Deactivating => Err(Failed(hangs(&seen.unit, limit).await)),
    }
}

/// What needs no work of the unit's own.
const SHORT: Duration = Duration::from_secs(5);

/// systemd refuses a unit that was started five times in ten seconds. Here `restarts` and `window` say
/// how often.
async fn forget_how_often(units: &[&str], patience: &Patience<'_>) {
    ask(&[&["reset-failed"], units].concat(), patience).await;
}

/// Takes back the job, which would go on without `systemctl`, and what it has started.
async fn hangs(unit: &UnitState, limit: Duration) -> String {
    call(&["stop", "--no-block", &unit.id], &Patience::silent(SHORT)).await;
    format!(
        "{} was not ready after {} s (start_timeout): it is {}",
        unit.id,
        limit.as_secs_f32(),
        unit.words()
    )
}

/// systemd did not do it, and does not say why not.
fn unheard(unit: &str, answer: &Answer) -> String {
    match answer.words() {
        words if words.is_empty() => {
            format!(
                "{unit} was not started: systemctl says that it was, and systemd knows nothing of it"
            )
        }
        words => format!("{unit} was not started: {words}"),
    }
}

async fn failed(unit: &UnitState, answer: &Answer) -> String {
    let id = &unit.id;
    if let Some(why) = unstartable(unit) {
        return why;
    }
    match (unit.end.result.as_str(), answer) {
        ("success", Answer::Done(_)) if unit.condition_unmet => {
            format!("{id} was not started: a condition in its unit file is not met")
        }
        ("success", Answer::Done(_)) => format!(
            "{id} ended at once, without an error: a service must go on running, or have \
             RemainAfterExit=yes"
        ),
        // It was not even tried.
        ("success", refused) => match refused.words() {
            words if words.contains("is destructive") => {
                format!("{id} was not started: this machine is shutting down")
            }
            words => format!("{id} was not started: {words}"),
        },
        _ => format!("{id} failed at once: {}", with_last_words(unit).await),
    }
}

fn id(unit: &UnitState) -> &str {
    &unit.id
}
