//! Starting a service, and saying why it does not run.

use super::failure::{unstartable, with_last_words};
use super::state::{Active, UnitState};
use super::systemctl::{Answer, call};
use super::{Seen, look, settle};
use std::time::{Duration, Instant};

/// Starts a service that does not run, with its enabled companions. `known` is what was seen of it
/// last: it saves a look. Done when it runs; whether it serves is the check's question.
pub async fn start(unit: &str, known: Option<Seen>, limit: Duration) -> Result<Seen, String> {
    let before = match known {
        Some(seen) if unstartable(&seen.unit).is_none() => seen,
        _ => look(unit).await?, // it may have been installed or unmasked meanwhile
    };
    if let Some(why) = unstartable(&before.unit) {
        return Err(why);
    }
    let mut arguments = vec!["start"];
    // Before the service, and only then: systemd refuses a socket whose service runs already.
    if !matches!(before.unit.active, Active::Active) {
        arguments.extend(before.companions.iter().filter(|c| c.enabled).map(id));
    }
    arguments.push(unit);
    let begin = Instant::now();
    // A refusal for that reason shows the failure before it instead.
    if before.unit.active == Active::Failed {
        forget_how_often(&arguments[1..]).await;
    }
    let mut answer = call(&arguments, limit).await;
    let mut seen = settle(unit, limit.saturating_sub(begin.elapsed())).await?;
    if seen.unit.end.result == "start-limit-hit" {
        forget_how_often(&arguments[1..]).await;
        answer = call(&arguments, limit.saturating_sub(begin.elapsed())).await;
        seen = settle(unit, limit.saturating_sub(begin.elapsed())).await?;
    }
    let asked = |c: &&UnitState| arguments.contains(&c.id.as_str()) && c.active != Active::Active;
    match seen.unit.active {
        Active::Active => match seen.companions.iter().find(asked) {
            None => Ok(seen),
            Some(companion) => {
                let words = with_last_words(companion).await;
                Err(format!("{} does not start: {words}", companion.id))
            }
        },
        Active::Activating => Err(hangs(&seen.unit, limit).await),
        _ => Err(failed(&seen.unit, &answer).await),
    }
}

/// Restarts a service that runs but does not serve; a stop that takes longer than `stop_limit` is
/// helped on by SIGKILL.
pub async fn restart(
    unit: &str,
    start_limit: Duration,
    stop_limit: Duration,
) -> Result<Seen, String> {
    forget_how_often(&[unit]).await;
    let mut answer = call(&["restart", unit], stop_limit).await;
    if answer == Answer::Late && look(unit).await?.unit.active == Active::Deactivating {
        // The second half of the restart follows by itself.
        answer = call(&["kill", "--signal=SIGKILL", unit], SHORT).await;
    }
    let seen = settle(unit, start_limit).await?;
    match seen.unit.active {
        Active::Active => Ok(seen),
        Active::Inactive | Active::Failed => Err(failed(&seen.unit, &answer).await),
        Active::Activating | Active::Deactivating => Err(hangs(&seen.unit, start_limit).await),
    }
}

/// What needs no work of the unit's own.
const SHORT: Duration = Duration::from_secs(10);

/// systemd refuses a unit that was started five times in ten seconds. Here `restarts` and `window` say
/// how often.
async fn forget_how_often(units: &[&str]) {
    call(&[&["reset-failed"], units].concat(), SHORT).await;
}

/// Takes back the job, which would go on without `systemctl`, and what it has started.
async fn hangs(unit: &UnitState, limit: Duration) -> String {
    call(&["stop", "--no-block", &unit.id], SHORT).await;
    format!(
        "{} was not ready after {} s (start_timeout): it is {}",
        unit.id,
        limit.as_secs_f32(),
        unit.words()
    )
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
