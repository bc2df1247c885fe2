//! What the runner reports: a line with how the program ended and how many bytes of its output follow,
//! and these.

use crate::agents::trouble::Trouble;

/// What came of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub end: End,
    /// What it wrote to stdout and stderr together: of more than [`MAX_OUTPUT`] bytes the beginning and the end.
    pub output: String,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal of somebody else's.
    Killed(i32),
    /// Not in time: it was killed.
    Late,
}

/// As much of a program's output is kept.
pub const MAX_OUTPUT: usize = 4096;
/// A report has no more bytes: one that is no text becomes three.
pub(super) const LONGEST: usize = 3 * MAX_OUTPUT + 64;

/// For [`read`].
pub(super) fn write(told: &Result<Ended, Trouble>) -> Vec<u8> {
    let (how, number, said) = match told {
        Ok(ended) => {
            let (how, number) = match ended.end {
                End::Exited(status) => ("exited", status),
                End::Killed(signal) => ("killed", signal),
                End::Late => ("late", 0),
            };
            (how, number, &ended.output)
        }
        Err(trouble) => ("trouble", 0, &trouble.0),
    };
    let mut report = format!("{how} {number} {}\n", said.len()).into_bytes();
    report.extend_from_slice(said.as_bytes());
    report
}

/// What was reported. A runner that was killed reports nothing, or half of it.
pub(super) fn read(report: &[u8]) -> Result<Ended, Trouble> {
    parse(report).unwrap_or_else(|| Err(Trouble("it was killed together with its runner".into())))
}

fn parse(report: &[u8]) -> Option<Result<Ended, Trouble>> {
    let end = report.iter().position(|byte| *byte == b'\n')?;
    let (head, said) = (str::from_utf8(&report[..end]).ok()?, &report[end + 1..]);
    let mut words = head.split(' ');
    let (how, number, length) = (words.next()?, words.next()?, words.next()?);
    let number = number.parse().ok()?;
    let said = said.get(..length.parse().ok()?)?;
    let output = String::from_utf8_lossy(said).into_owned();
    let end = match how {
        "exited" => End::Exited(number),
        "killed" => End::Killed(number),
        "late" => End::Late,
        "trouble" => return Some(Err(Trouble(output))),
        _ => return None,
    };
    Some(Ok(Ended { end, output }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for end in [End::Exited(3), End::Killed(9), End::Late] {
            let output = "two\nlines\n".into();
            let told = Ok(Ended { end, output });
            assert_eq!(read(&write(&told)), told);
        }
        let trouble = Err(Trouble("cannot be run: no such file or directory".into()));
        assert_eq!(read(&write(&trouble)), trouble);
    }

    #[test]
    fn half_a_report_is_trouble() {
        for half in [
            "",
            "exited 0",
            "exited 0 3\nab",
            "exited x 0\n",
            "ended 0 0\n",
        ] {
            assert!(read(half.as_bytes()).is_err(), "{half:?}");
        }
    }
}
