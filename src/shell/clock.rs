//! The clocks. Decisions use [`now`] alone; the wall clock is for people's eyes, because it jumps.

use crate::core::time::Time;
use crate::sys;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use crate::words::span;

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

/// The wall clock in milliseconds since 1970.
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as u64
}

/// How far a clock that says so is ahead of another. Whatever another machine says is a time.
pub fn ahead_ms(ms: u64, of_ms: u64) -> i64 {
    let of = |ms| i64::try_from(ms).unwrap_or(i64::MAX);
    of(ms).saturating_sub(of(of_ms))
}

/// As [`wall`] writes that moment.
pub fn stamp_of(ms: u64) -> String {
    rfc3339(Duration::from_millis(ms))
}

/// The milliseconds since 1970 that a stamp of [`wall`] names.
pub fn millis_of(stamp: &str) -> Option<i64> {
    let fraction = stamp
        .split_once('.')
        .map_or("", |(_, f)| f.trim_end_matches('Z'));
    let ms = fraction.get(..3).and_then(|ms| ms.parse::<u16>().ok());
    Some(seconds_of(stamp)? * 1000 + i64::from(ms.unwrap_or(0)))
}

/// The wall clock's seconds since 1970 that a stamp of [`wall`] names.
pub fn seconds_of(stamp: &str) -> Option<i64> {
    let (date, rest) = stamp.split_once('T')?;
    // No longer than any number there is: what another machine says may be no time.
    let number = |n: &str| n.parse::<u16>().ok().map(i64::from);
    let mut date = date.splitn(3, '-').map(number);
    let mut time = rest.trim_end_matches('Z').splitn(3, ':');
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (h, m): (i64, i64) = (number(time.next()?)?, number(time.next()?)?);
    let s = number(time.next()?.split('.').next()?)?;
    // The inverse of `civil`.
    let (y, shifted) = match month > 2 {
        true => (year, month - 3),
        false => (year - 1, month + 9),
    };
    let era = y.div_euclid(400);
    let of_era = y - era * 400;
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + h * 3600 + m * 60 + s)
}

/// A moment in UTC, as [`wall`] writes it but for the milliseconds: `2026-11-20T07:14:29Z`.
pub fn utc(seconds: i64) -> String {
    let stamp = rfc3339(Duration::from_secs(seconds.max(0) as u64));
    format!("{}Z", stamp.trim_end_matches(".000Z"))
}

/// As the journal writes it, on this machine's clock: `Nov 20 07:14:29`.
pub fn local(seconds: i64, zone: Zone) -> String {
    let offset = match zone {
        Zone::Here => super::zone::offset(seconds),
        Zone::Utc => Some(0),
    };
    let unknown = if offset.is_none() { " UTC" } else { "" };
    let there = (seconds + offset.unwrap_or(0)).max(0) as u64;
    let (_, month, day) = civil(there / 86_400);
    let month = MONTHS[(month as usize - 1) % 12];
    let (h, m, s) = (there / 3600 % 24, there / 60 % 60, there % 60);
    format!("{month} {day:02} {h:02}:{m:02}:{s:02}{unknown}")
}

/// Whose clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// This machine's.
    Here,
    /// Everybody's.
    #[default]
    Utc,
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Names this boot of the machine: a stamp of [`now`] means nothing in another one. Empty where the
/// kernel does not tell.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
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
    fn whatever_another_machine_says_is_a_time() {
        assert_eq!(ahead_ms(37_000, 0), 37_000);
        assert_eq!(ahead_ms(0, 37_000), -37_000);
        assert_eq!(
            ahead_ms(u64::MAX, 1_795_000_000_000),
            i64::MAX - 1_795_000_000_000
        );
        assert_eq!(ahead_ms(0, u64::MAX), -i64::MAX);
        for odd in [
            "9223372036854775807-12-01T00:00:00.000Z",
            "2026-11-20T07:14:9223372036854775807.123Z",
            "2026-99999-20T07:14:29.123Z",
            "-1-01-01T00:00:00Z",
        ] {
            assert_eq!(millis_of(odd), None, "{odd}");
        }
        let far = millis_of("65535-65535-65535T65535:65535:65535.999Z");
        assert!(far.is_some_and(|ms| ms > 0));
        assert_eq!(
            local(far.unwrap() / 1000, Zone::Utc).len(),
            "Nov 20 07:14:29".len()
        );
    }

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
    fn stamps_are_read_again() {
        for s in [0, 951_782_399, 951_782_400, 1_709_251_200, 1_795_158_869] {
            let stamp = rfc3339(Duration::from_secs(s));
            assert_eq!(seconds_of(&stamp), Some(s as i64), "{stamp}");
            let ms = s * 1000 + 7;
            assert_eq!(millis_of(&stamp_of(ms)), Some(ms as i64));
        }
        for wrong in [
            "",
            "x",
            "2026-11-20",
            "2026-11-20T07:14",
            "2026-11T07:14:29Z",
        ] {
            assert_eq!(seconds_of(wrong), None, "{wrong}");
        }
        assert_eq!(local(1_795_158_869, Zone::Utc), "Nov 20 07:14:29");
    }

    #[test]
    fn the_clock_runs_forward() {
        let before = now();
        assert!(now() >= before);
        assert!(before.0 > 0);
    }
}
