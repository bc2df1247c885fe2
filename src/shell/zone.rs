//! This machine's time of day, from its zone file (tzfile(5)). The C library's own reader would bring along a tenth
//! of a megabyte of what else it can do.

use std::path::PathBuf;
use std::sync::OnceLock;

/// By how many seconds local time was ahead of UTC then; none: the zone file does not say.
pub fn offset(seconds: i64) -> Option<i64> {
    // Read once: a history has thousands of lines.
    static FILE: OnceLock<Read> = OnceLock::new();
    match FILE.get_or_init(read) {
        Read::Utc => Some(0),
        Read::File(bytes) => parse(bytes, seconds),
        Read::Unknown => None,
    }
}

enum Read {
    Utc,
    File(Vec<u8>),
    Unknown,
}

fn read() -> Read {
    let zone = std::env::var("TZ").ok();
    let file = match zone.as_deref().map(|zone| zone.trim_start_matches(':')) {
        None => PathBuf::from("/etc/localtime"),
        Some("" | "UTC" | "UTC0") => return Read::Utc,
        Some(name) => PathBuf::from("/usr/share/zoneinfo").join(name),
    };
    match std::fs::read(file) {
        Ok(bytes) => Read::File(bytes),
        // Without one a machine is at UTC.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && zone.is_none() => Read::Utc,
        Err(_) => Read::Unknown,
    }
}

const HEADER: usize = 44;

/// The second block, whose times have 64 bits, and what rules after the last of them.
fn parse(bytes: &[u8], seconds: i64) -> Option<i64> {
    let first = Counts::of(bytes)?;
    let bytes = bytes.get(HEADER + first.length(4)..)?;
    let counts = Counts::of(bytes)?;
    let block = &bytes[HEADER..];
    let times = block.get(..8 * counts.times)?.as_chunks::<8>().0;
    let kinds = block.get(8 * counts.times..9 * counts.times)?;
    let offsets = block.get(9 * counts.times..)?;
    let past = times
        .iter()
        .take_while(|at| i64::from_be_bytes(**at) <= seconds);
    let past = past.count();
    if past == times.len() {
        // A rule of summer time is not worked out here: rather none than an hour too few.
        let footer = block.get(counts.length(8)..).unwrap_or_default();
        if footer.contains(&b',') {
            return None;
        }
    }
    let kind = match past {
        0 => 0,
        past => usize::from(kinds[past - 1]),
    };
    let offset = offsets.get(6 * kind..6 * kind + 4)?;
    Some(i32::from_be_bytes(offset.try_into().ok()?).into())
}

/// How many there are of each, in the order of their block.
struct Counts {
    times: usize,
    kinds: usize,
    letters: usize,
    leaps: usize,
    others: usize,
}

impl Counts {
    fn of(bytes: &[u8]) -> Option<Counts> {
        let header = bytes.get(..HEADER)?;
        let count = |at: usize| {
            let at = 20 + 4 * at;
            let count = u32::from_be_bytes(header[at..at + 4].try_into().ok()?);
            usize::try_from(count).ok().filter(|count| *count < 1 << 20)
        };
        let known = header.starts_with(b"TZif") && header[4] >= b'2';
        known.then_some(())?;
        Some(Counts {
            others: count(0)? + count(1)?,
            leaps: count(2)?,
            times: count(3)?,
            kinds: count(4)?,
            letters: count(5)?,
        })
    }

    /// In bytes, with times of so many.
    fn length(&self, time: usize) -> usize {
        self.times * (time + 1)
            + self.kinds * 6
            + self.letters
            + self.leaps * (time + 4)
            + self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Winter time from 100 on, summer time from 200 on; before that, local mean time.
    fn file(footer: &str) -> Vec<u8> {
        let block = |wide: bool| {
            let mut bytes = b"TZif2".to_vec();
            bytes.extend([0; 15]);
            for count in [0u32, 0, 0, 2, 3, 4] {
                bytes.extend(count.to_be_bytes());
            }
            for time in [100i64, 200] {
                match wide {
                    true => bytes.extend(time.to_be_bytes()),
                    false => bytes.extend((time as i32).to_be_bytes()),
                }
            }
            bytes.extend([1, 2]);
            for offset in [3208i32, 3600, 7200] {
                bytes.extend(offset.to_be_bytes());
                bytes.extend([0, 0]);
            }
            bytes.extend(b"LMT\0");
            bytes
        };
        [block(false), block(true), footer.into()].concat()
    }

    #[test]
    fn each_time_has_its_offset() {
        let file = file("\nCET-1\n");
        let at = |seconds| parse(&file, seconds);
        assert_eq!(
            (at(99), at(100), at(199)),
            (Some(3208), Some(3600), Some(3600))
        );
        assert_eq!(at(200), Some(7200));
    }

    #[test]
    fn what_a_rule_would_say_is_not_guessed() {
        let file = file("\nCET-1CEST,M3.5.0,M10.5.0/3\n");
        assert_eq!(parse(&file, 150), Some(3600));
        assert_eq!(parse(&file, 201), None);
    }

    #[test]
    fn rubbish_says_nothing() {
        let file = file("");
        for end in 0..file.len() - 1 {
            assert!(parse(&file[..end], 150).is_none_or(|at| at == 3600));
        }
        assert_eq!(parse(b"", 0), None);
    }
}
