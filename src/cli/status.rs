//! `status`: the page, one group of it, one line, or the file.

use super::exit::Exit;
use super::out::{fail, print};
use crate::core::time::Time;
use crate::shell::clock::{self, Zone};
use crate::shell::options::Options;
use crate::shell::status::{self, Reading, Severity, Status, Style};
use crate::sys::{self, Screen};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// What of it, and how.
#[derive(Debug)]
pub(super) struct Form {
    /// One group only.
    pub(super) group: Option<String>,
    /// One line.
    pub(super) brief: bool,
    /// The file, judged now.
    pub(super) json: bool,
}

/// Prints once, or every second until interrupted.
pub(super) fn run(options: &Options, form: &Form, watch: bool) -> Exit {
    if watch {
        return follow(options, form);
    }
    let (text, exit) = look(options, form);
    match exit {
        Exit::NoDaemon | Exit::Usage => fail(exit, text.trim_end()),
        _ => {
            print(&text);
            exit
        }
    }
}

/// Until q is typed, or nobody reads.
fn follow(options: &Options, form: &Form) -> Exit {
    let screen = Screen::open();
    loop {
        let (text, exit) = look(options, form);
        let mut out = std::io::stdout().lock();
        // From the top left, over what was there: a screen that is cleared first would flicker.
        let page = match screen.size() {
            Some((rows, _)) if !form.json => {
                let lines: Vec<&str> = text.lines().take(rows.saturating_sub(1)).collect();
                format!("\x1b[H{}\x1b[K\n\x1b[J", lines.join("\x1b[K\n"))
            }
            _ => text,
        };
        let written = out.write_all(page.as_bytes()).and_then(|()| out.flush());
        drop(out);
        let key = screen.key_within(Duration::from_secs(1));
        if written.is_err() || matches!(key, Some(b'q' | CTRL_C)) {
            return exit;
        }
    }
}

const CTRL_C: u8 = 3;

fn look(options: &Options, form: &Form) -> (String, Exit) {
    let status = match status::read(&options.run_dir) {
        Ok(Reading::Fresh(_, status)) => status,
        Ok(absent) => {
            let text = match form.brief {
                true => status::render_absent(&absent, &options.run_dir)
                    .lines()
                    .next()
                    .map_or(String::new(), |line| format!("{line}\n")),
                false => status::render_absent(&absent, &options.run_dir),
            };
            return (text, Exit::NoDaemon);
        }
        Err(e) => return (format!("{e}\n"), Exit::NoDaemon),
    };
    let now = clock::now();
    let (text, severity) = match &form.group {
        None if form.brief => status::render_brief(&status, None, now),
        None => status::render(&status, now, style()),
        Some(name) => match status.groups.iter().find(|g| g.name == *name) {
            Some(group) if form.brief => status::render_brief(&status, Some(group), now),
            Some(group) => status::render_group(&status, group, now, style()),
            None => {
                let known: Vec<&str> = status.groups.iter().map(|g| g.name.as_str()).collect();
                let text = format!(
                    "there is no group `{name}`; there are: {}",
                    known.join(", ")
                );
                return (text, Exit::Usage);
            }
        },
    };
    let exit = match severity {
        Severity::Well => Exit::Well,
        Severity::Degraded => Exit::Refused,
        Severity::Blocked => Exit::Blocked,
    };
    match form.json {
        true => (json(*status, now, form.group.as_deref()), exit),
        false => (text, exit),
    }
}

fn style() -> Style {
    let terminal = std::io::stdout().is_terminal();
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let width = sys::window_size().map(|(_, columns)| columns).or(columns);
    Style {
        colour: terminal,
        width: width.unwrap_or(80).max(40),
        zone: Zone::Here,
    }
}

/// The file, judged now, with a wall-clock time beside each stamp; of one group, that group alone.
fn json(status: Status, now: Time, group: Option<&str>) -> String {
    let (stamp_us, seconds) = (status.stamp_us, clock::seconds_of(&status.stamp));
    let status = status.judged(now);
    let one = group.and_then(|name| status.groups.iter().find(|g| g.name == name));
    let text = match one {
        Some(group) => serde_json::to_string(group),
        None => serde_json::to_string(&status),
    };
    let text = text.unwrap_or_default();
    let time = |us: i64| clock::utc(seconds.unwrap_or(0) - (stamp_us - us).div_euclid(1_000_000));
    match seconds {
        Some(_) => with_times(&text, &time) + "\n",
        None => text + "\n",
    }
}

/// `"since_us":5` gets a `"since_time":"…"` after it, and so on. That a key ends so, and no text does, is JSON's
/// doing: a quote inside a text is written with a backslash.
fn with_times(json: &str, time: &dyn Fn(i64) -> String) -> String {
    const END: &str = "_us\":";
    let mut out = String::new();
    let mut rest = json;
    while let Some(at) = rest.find(END) {
        let (before, after) = rest.split_at(at + END.len());
        let number = after.find([',', '}', ']']).unwrap_or(after.len());
        out += before;
        out += &after[..number];
        let name = &before[before[..at].rfind('"').map_or(0, |quote| quote + 1)..at];
        if let Ok(us) = after[..number].parse() {
            out += &format!(",\"{name}_time\":\"{}\"", time(us));
        }
        rest = &after[number..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stamp_gets_a_time() {
        let json = r#"{"since_us":5,"in":[{"at_us":-7},{"at_us":null,"text":"\"x_us\":3"}]}"#;
        assert_eq!(
            with_times(json, &|us| format!("t{us}")),
            r#"{"since_us":5,"since_time":"t5","in":[{"at_us":-7,"at_time":"t-7"},{"at_us":null,"text":"\"x_us\":3"}]}"#
        );
    }
}
