//! `status`: the page, or the file.

use super::exit::Exit;
use super::out::{fail, print};
use crate::shell::clock;
use crate::shell::options::Options;
use crate::shell::status::{self, Reading, Severity, Style};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Prints once, or every second until interrupted.
pub(super) fn run(options: &Options, json: bool, watch: bool) -> Exit {
    if !watch {
        let (text, exit) = look(options, json);
        return match exit {
            Exit::NoDaemon => fail(exit, text.trim_end()),
            _ => {
                print(&text);
                exit
            }
        };
    }
    loop {
        let (text, exit) = look(options, json);
        let mut out = std::io::stdout().lock();
        // From the top left, over what was there: a screen that is cleared first would flicker.
        let page = if out.is_terminal() && !json {
            format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n"))
        } else {
            text
        };
        if out
            .write_all(page.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            return exit;
        }
        drop(out);
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn look(options: &Options, json: bool) -> (String, Exit) {
    let status = match status::read(&options.run_dir) {
        Ok(Reading::Fresh(_, status)) => status,
        Ok(absent) => {
            return (
                status::render_absent(&absent, &options.run_dir),
                Exit::NoDaemon,
            );
        }
        Err(e) => return (format!("{e}\n"), Exit::NoDaemon),
    };
    let style = Style {
        colour: std::io::stdout().is_terminal(),
    };
    let (page, severity) = status::render(&status, clock::now(), style);
    let exit = match severity {
        Severity::Well => Exit::Well,
        Severity::Degraded => Exit::Refused,
        Severity::Blocked => Exit::Blocked,
    };
    if json {
        (
            serde_json::to_string(&*status).unwrap_or_default() + "\n",
            exit,
        )
    } else {
        (page, exit)
    }
}
