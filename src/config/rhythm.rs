//! Reads the `interval` and the `timeout` of something that is asked again and again: an answer is
//! judged before the next question leaves.

use super::duration::show;
use super::error::Report;
use super::read::Section;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A time that may be written: its limits, what to say outside of them, and its default.
pub(super) struct Limits {
    pub within: RangeInclusive<Duration>,
    pub why: &'static str,
    pub default: Duration,
}

/// Gives both, the interval first.
pub(super) fn rhythm(
    section: &Section,
    whose: &str,
    interval: Limits,
    timeout: Limits,
    report: &mut Report,
) -> (Duration, Duration) {
    let mut read =
        |name, limits: &Limits| section.duration(name, limits.within.clone(), limits.why, report);
    let (interval_at, timeout_at) = (read("interval", &interval), read("timeout", &timeout));
    let broken = |name, read: bool| section.value(name).is_some() && !read;
    let unread =
        broken("interval", interval_at.is_some()) || broken("timeout", timeout_at.is_some());
    let blame = timeout_at.as_ref().or(interval_at.as_ref());
    let blame = blame.map(|at| at.span.clone());
    let interval = interval_at.map_or(interval.default, |at| at.value);
    let timeout = timeout_at.map_or(timeout.default, |at| at.value);
    let too_long = !unread && timeout > interval;
    if let Some(blame) = blame.filter(|_| too_long) {
        let (timeout, interval) = (show(timeout), show(interval));
        report.add(
            &blame,
            format!("{whose}'s `timeout` of {timeout} outlasts its `interval` of {interval}"),
            "lower `timeout` or raise `interval`: one answer is judged before the next is asked",
        );
    }
    (interval, timeout)
}
