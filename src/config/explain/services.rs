//! What is understood of services, and what they add to the worst cases.

use super::worst::line;
use crate::config::duration::show;
use crate::config::schema::{Config, Group};
use crate::config::service::{Check, Mode, Probe, Service};
use std::fmt::{Result, Write};
use std::time::Duration;

/// A service among the resources of its group.
pub(super) fn lines(out: &mut String, service: &Service) -> Result {
    let mode = match service.mode {
        Mode::One => "where the group runs",
        Mode::Both => "on both nodes",
    };
    let (start, stop) = (show(service.start_timeout), show(service.stop_timeout));
    writeln!(
        out,
        "    service {} {mode}, {start} to start, {stop} to stop",
        service.unit
    )?;
    match &service.check {
        None => writeln!(out, "      no check: watched by its process alone")?,
        Some(check) => writeln!(
            out,
            "      check {}: asked every {}, failed after {} misses of {}{}",
            check.probe,
            show(check.interval),
            check.failures,
            show(check.timeout),
            good(&check.probe)
        )?,
    }
    let restarts = match service.restarts {
        0 => "the first failure moves the group".to_owned(),
        1 => format!(
            "1 restart in place per {}, then the group moves",
            show(service.window)
        ),
        n => format!(
            "{n} restarts in place per {}, then the group moves",
            show(service.window)
        ),
    };
    let expiry = match service.fail_expiry {
        None => "until `clear`".to_owned(),
        Some(expiry) => format!("for {}", show(expiry)),
    };
    writeln!(out, "      {restarts}; a failure counts {expiry}")
}

/// What an http check takes for a good answer, where the file says it.
fn good(probe: &Probe) -> String {
    let Probe::Http { status, body, .. } = probe else {
        return String::new();
    };
    let status = status.map(|status| format!("status {status}"));
    let body = body.as_ref().map(|body| format!("{body:?} in the body"));
    let wanted: Vec<String> = status.into_iter().chain(body).collect();
    match wanted.is_empty() {
        true => String::new(),
        false => format!("; good is {}", wanted.join(" and ")),
    }
}

/// What comes on top of the VIPs' worst cases; nothing where no group has a service.
pub(super) fn times(out: &mut String, config: &Config) -> Result {
    let serves = |group: &&Group| group.services().next().is_some();
    let groups: Vec<&Group> = config.groups.iter().filter(serves).collect();
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nservices, on top of that: a start takes what it takes on this machine, and fails after start_timeout"
    )?;
    for group in groups {
        let moved = match () {
            () if group.overlaps() => "planned moves overlap: nothing stops before the peer serves",
            () if group.services().all(|service| service.mode == Mode::Both) => {
                "nothing moves: it has no VIP, and its services run on both nodes"
            }
            () => "a move stops the services here before it starts them there",
        };
        writeln!(out, "  {}: {moved}", group.name)?;
        for service in group.services() {
            writeln!(out, "    {}", service.unit)?;
            line(out, "  its process dies: noticed at once", Duration::ZERO)?;
            if let Some(check) = &service.check {
                line(
                    out,
                    &noticed(check),
                    check.interval * check.failures + check.timeout,
                )?;
            }
            if service.mode == Mode::One {
                line(
                    out,
                    "  a move waits for its stop: stop_timeout",
                    service.stop_timeout,
                )?;
            }
        }
    }
    Ok(())
}

/// It may have failed just after a good answer, and the last question may be answered by nobody.
fn noticed(check: &Check) -> String {
    format!(
        "  it hangs: interval {} x failures {} + timeout",
        show(check.interval),
        check.failures
    )
}
