//! Where log lines go: stderr, in the form its reader wants.
//!
//! The journal takes a priority from `<N>` at the start of a line and has its own time stamps; a
//! person at a terminal wants times. systemd names the stream it made in JOURNAL_STREAM; comparing
//! it with stderr tells them apart, because a child's stderr may be redirected later.

use super::clock;
use log::{Level, LevelFilter};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// Sets up logging, from `info` on, or as RUST_LOG says. Later calls do nothing.
pub fn init() {
    let journal = stderr_is_the_journal();
    let _ = env_logger::Builder::new()
        .filter_level(LevelFilter::Info)
        .parse_default_env()
        .format(move |out, record| {
            out.write_all(line(journal, record.level(), &record.args().to_string()).as_bytes())
        })
        .try_init();
}

/// One record. The journal would take every further line as a record of its own, without a
/// priority: so each gets one.
fn line(journal: bool, level: Level, text: &str) -> String {
    if journal {
        text.lines()
            .map(|line| format!("<{}>{line}\n", priority(level)))
            .collect()
    } else {
        format!("{} {level:<5} {text}\n", clock::wall())
    }
}

/// As in syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

fn stderr_is_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(stderr) = std::io::stderr().as_fd().try_clone_to_owned() else {
        return false;
    };
    std::fs::File::from(stderr)
        .metadata()
        .is_ok_and(|m| stream == format!("{}:{}", m.dev(), m.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_gets_priorities() {
        assert_eq!(line(true, Level::Warn, "one\ntwo"), "<4>one\n<4>two\n");
        assert_eq!(line(true, Level::Info, "x"), "<6>x\n");
    }

    #[test]
    fn people_get_times() {
        let text = line(false, Level::Info, "peer alive → silent");
        assert!(text.ends_with("Z INFO  peer alive → silent\n"), "{text}");
        assert_eq!(text.find('T'), Some(10));
    }
}
