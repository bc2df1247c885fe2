//! Reads `[heartbeat]`.

use super::duration::show;
use super::error::{Report, Span};
use super::keys::HEARTBEAT;
use super::read::Section;
use super::schema::{Cluster, HeartbeatTimes};
use crate::core::protocol::rhythm::{LONGEST_DETECTION, SHORTEST_INTERVAL};
use crate::wire::heartbeat::FEWEST_MISSES;

/// Reads `[heartbeat]`.
pub(super) fn heartbeat(top: &Section, report: &mut Report) -> HeartbeatTimes {
    let mut times = HeartbeatTimes::default();
    let Some(section) = top.table("heartbeat", &HEARTBEAT, report) else {
        return times;
    };
    let why = "write a UDP port; the default is 5405";
    if let Some(port) = section.number("port", 1..=65535, why, report) {
        times.port = u16::try_from(port.value).unwrap_or(times.port);
    }
    let why = "choose between these: shorter drowns in the scheduler's own delays, longer detects nothing";
    let interval = section.duration(
        "interval",
        SHORTEST_INTERVAL..=LONGEST_DETECTION,
        why,
        report,
    );
    let why = "write 3 or more: with fewer, one lost datagram beside one late one looks like death";
    let misses = section.number("misses", FEWEST_MISSES..=1000, why, report);
    let blame = misses.as_ref().map(|misses| misses.span.clone());
    let blame = interval.as_ref().map(|at| at.span.clone()).or(blame);
    let broken = |name, read: bool| section.value(name).is_some() && !read;
    let unread = broken("interval", interval.is_some()) || broken("misses", misses.is_some());
    times.interval = interval.map_or(times.interval, |at| at.value);
    times.misses = misses.map_or(times.misses, |at| at.value);
    let too_long = !unread && times.detection_time() > LONGEST_DETECTION;
    if let Some(blame) = blame.filter(|_| too_long) {
        let detection = show_detection(&times);
        report.add(
            &blame,
            format!("{detection} is longer than {}", show(LONGEST_DETECTION)),
            "lower `interval` or `misses`: nobody would serve for that long",
        );
    }
    times
}

/// A node that gives up on its peer before it could have heard it would start alone at every boot.
pub(super) fn start_outlasts_detection(
    top: &Section,
    cluster: &Cluster,
    times: &HeartbeatTimes,
    report: &mut Report,
) {
    if cluster.start_wait > times.detection_time() || !report.is_clean() {
        return;
    }
    let place = |table: &str, key: &str| -> Option<Span> {
        let table = top.value(table)?.get_ref().as_table()?;
        table.get(key).map(|value| value.span())
    };
    let span = place("cluster", "start_wait")
        .or_else(|| place("heartbeat", "interval"))
        .or_else(|| place("heartbeat", "misses"));
    let wait = show(cluster.start_wait);
    let detection = show_detection(times);
    report.add(
        &span.unwrap_or(0..0),
        format!("`start_wait` of {wait} does not outlast {detection}"),
        "raise `start_wait` above the detection time: a peer not yet heard must not look dead",
    );
}

fn show_detection(times: &HeartbeatTimes) -> String {
    let (interval, total) = (show(times.interval), show(times.detection_time()));
    format!(
        "the detection time of {total} (interval {interval} x misses {})",
        times.misses
    )
}
