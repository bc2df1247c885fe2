//! The clocks. Decisions use [`now`] alone; the wall clock is for people's eyes, because it jumps.

use crate::core::time::Time;
use crate::sys;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, on CLOCK_BOOTTIME, which also counts while the machine sleeps.
pub fn now() -> Time {
    Time(sys::boottime_us())
}

/// The wall clock as people write it, in UTC: `2026-11-20T07:14:29.123Z`.
pub fn wall() -> String {
    rfc3339(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

/// Names this boot of the machine: a stamp of [`now`] means nothing in another one. Empty where the
/// kernel does not tell.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// A span for people: `340 ms`, `3.2 s`, `48 s`, `5 m 12 s`, `3 h 12 m`, `12 d 4 h`.
pub fn span(span: Duration) -> String {
    let s = span.as_secs();
    match s {
        0 => format!("{} ms", span.as_millis()),
        1..10 => format!("{}.{} s", s, span.subsec_millis() / 100),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} m {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} m", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}

fn rfc3339(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (h, m, s) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{:03}Z",
        since_epoch.subsec_millis()
    )
}

/// Days since 1970-01-01 as a date: Howard Hinnant's `civil_from_days`, for days after the epoch.
/// Years begin in March there, so that the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let at = |s| rfc3339(Duration::from_secs(s));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59.000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(1_709_251_200), "2024-03-01T00:00:00.000Z");
        assert_eq!(
            rfc3339(Duration::from_millis(1_735_689_599_999)),
            "2024-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn spans() {
        let of = |ms| span(Duration::from_millis(ms));
        assert_eq!(of(0), "0 ms");
        assert_eq!(of(999), "999 ms");
        assert_eq!(of(3_290), "3.2 s");
        assert_eq!(of(48_000), "48 s");
        assert_eq!(of(312_000), "5 m 12 s");
        assert_eq!(of(11_520_000), "3 h 12 m");
        assert_eq!(of(1_051_200_000), "12 d 4 h");
    }

    #[test]
    fn the_clock_runs_forward() {
        let before = now();
        assert!(now() >= before);
        assert!(before.0 > 0);
    }
}
