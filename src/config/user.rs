//! Reads whom a program runs as.

use super::error::{Report, quoted};
use super::places::Subject;
use super::read::Section;

/// The user that the key names, if it is there.
pub(super) fn read(section: &Section, key: &str, report: &mut Report) -> Option<String> {
    let name = section.text(key, report)?;
    // As systemd takes them, and useradd(8) makes them; a number would name whoever has it one day.
    let well = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let good = name.value.chars().all(well)
        && name
            .value
            .starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.value.len() <= LONGEST;
    if !good {
        let what = format!("{} is no user's name", quoted(name.value));
        let help = "write it as /etc/passwd has it: \"nginx\"";
        report.add(&name.span, what, help);
        return None;
    }
    report.mark(Subject::User(name.value.to_owned()), &name.span);
    Some(name.value.to_owned())
}

/// As utmp(5) has it.
const LONGEST: usize = 31;
