//! Durations as ha.toml writes them: a whole number and its unit, `"100ms"`, `"5s"`, `"10m"`, `"1h"`.
//!
//! A bare number is refused: whether `interval = 5` means seconds or milliseconds decides whether a
//! cluster works, and no reader should have to know it. Milliseconds are the finest unit, since the
//! scheduler of a busy machine is no finer.

use super::error::quoted;
use std::time::Duration;

/// Reads a duration; the error says what is wrong with it and what to write instead.
pub(super) fn parse(text: &str) -> Result<Duration, (String, String)> {
    let example = "write a whole number and its unit: \"100ms\", \"5s\", \"10m\" or \"1h\"";
    let wrong = |what: String, help: &str| Err((what, help.to_owned()));
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return wrong(format!("{} is not a duration", quoted(text)), example);
    }
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" => return wrong(format!("`{text}` has no unit"), example),
        "us" | "µs" | "ns" => {
            return wrong(
                format!("`{text}` is finer than a millisecond"),
                "milliseconds are the finest unit: \"10ms\"",
            );
        }
        unit if unit.starts_with(['.', ',']) => {
            return wrong(
                format!("`{text}` is not a whole number"),
                "write it in a smaller unit: \"1500ms\", not \"1.5s\"",
            );
        }
        _ => {
            return wrong(
                format!("`{unit}` is not a unit of time"),
                "the units are ms, s, m and h: \"100ms\", \"5s\", \"10m\", \"1h\"",
            );
        }
    };
    let value = number.parse::<u64>().ok();
    match value.and_then(|value| value.checked_mul(millis)) {
        Some(millis) => Ok(Duration::from_millis(millis)),
        None => wrong(format!("`{text}` is too long to count"), example),
    }
}

/// Writes a duration as ha.toml would, in the largest unit that fits exactly.
pub(super) fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".to_owned(),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["0s", "1ms", "100ms", "1500ms", "5s", "90s", "10m", "1h"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
        assert_eq!(show(parse("60s").unwrap()), "1m");
    }

    #[test]
    fn no_text_panics_or_wraps() {
        for text in [
            "",
            "s",
            "-1s",
            "99999999999999999999s",
            "18446744073709551615h",
            "5µs",
            "1 s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
