//! Reads a `[[group.resource]]` of kind `service`.

use super::check::check;
use super::unit::unit;
use super::{Mode, Service};
use crate::config::error::{At, Report, quoted};
use crate::config::places::Subject;
use crate::config::read::Section;
use crate::config::vip::Around;
use std::time::Duration;

const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Four weeks: what shall count for longer counts until somebody has looked.
const LONGEST_EXPIRY: Duration = Duration::from_secs(28 * 24 * 3600);

/// Reads a service, and notes it among those of the file.
pub(in crate::config) fn service(
    section: &Section,
    group: &str,
    around: &mut Around,
    report: &mut Report,
) -> Option<Service> {
    let mode = mode(section, report);
    let check = check(section, report);
    let why = "choose between these: 0 moves the group at the first failure";
    let restarts = section.number("restarts", 0..=Service::MAX_RESTARTS, why, report);
    let why = "choose between these: restarts in place are counted over this time";
    let window = section.duration("window", SECOND..=DAY, why, report);
    let fail_expiry = fail_expiry(section, report);
    let why = "choose between these: what the slowest start takes, and a little more";
    let start = section.duration("start_timeout", SHORTEST_TIMEOUT..=HOUR, why, report);
    let why = "choose between these: for so long a move waits before it kills";
    let stop = section.duration("stop_timeout", SHORTEST_TIMEOUT..=HOUR, why, report);
    Some(Service {
        unit: named(section, group, around, report)?,
        mode,
        check,
        restarts: restarts.map_or(Service::RESTARTS, |at| at.value),
        window: window.map_or(Service::WINDOW, |at| at.value),
        fail_expiry,
        start_timeout: start.map_or(Service::START_TIMEOUT, |at| at.value),
        stop_timeout: stop.map_or(Service::STOP_TIMEOUT, |at| at.value),
    })
}

/// The unit, if no other resource has it.
fn named(
    section: &Section,
    group: &str,
    around: &mut Around,
    report: &mut Report,
) -> Option<String> {
    let text = section.text("service", report)?;
    let unit = match unit(text.value) {
        Ok(unit) => unit,
        Err((what, help)) => {
            report.add(&text.span, format!("`service`: {what}"), help);
            return None;
        }
    };
    let twin = around.units.iter().find(|(known, _)| known.value == unit);
    if let Some((twin, owner)) = twin {
        let there = report.line_column(&twin.span);
        let (what, help) = if owner == group {
            (
                format!("{unit} is in this group already (line {there})"),
                "delete one of the two",
            )
        } else {
            (
                format!("{unit} is in group `{owner}` already (line {there})"),
                "two groups may run on two nodes: give each a unit of its own, such as instances of a template",
            )
        };
        report.add(&text.span, what, help);
    }
    report.mark(Subject::Unit(unit.clone()), &text.span);
    let at = At {
        value: unit.clone(),
        span: text.span,
    };
    around.units.push((at, group.to_owned()));
    Some(unit)
}

fn mode(section: &Section, report: &mut Report) -> Mode {
    let Some(text) = section.text("mode", report) else {
        return Mode::default();
    };
    match text.value {
        "one" => Mode::One,
        "both" => Mode::Both,
        other => {
            let help = "write \"one\" (it runs where the group does) or \"both\" (it runs on both nodes, and is only watched)";
            report.add(&text.span, format!("`mode` is {}", quoted(other)), help);
            Mode::default()
        }
    }
}

fn fail_expiry(section: &Section, report: &mut Report) -> Option<Duration> {
    let value = section.value("fail_expiry");
    if value.is_some_and(|value| value.get_ref().as_str() == Some("never")) {
        return None;
    }
    let why = "choose between these, or write \"never\": then a failure counts until `clear`";
    let expiry = section.duration("fail_expiry", SECOND..=LONGEST_EXPIRY, why, report);
    Some(expiry.map_or(Service::FAIL_EXPIRY, |at| at.value))
}
