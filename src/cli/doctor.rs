//! `doctor`: both nodes from one, each line with its cure.

use super::command;
use super::exit::Exit;
use super::out::print;
use crate::agents::netlink;
use crate::config;
use crate::shell::clock;
use crate::shell::doctor::{self, Examined, Finding, Level};
use crate::shell::lock::LockError;
use crate::shell::options::{self, Options};
use crate::shell::orders::Verb;
use crate::shell::status::{self, Reading, Status};
use crate::sys;
use serde::Serialize;

/// Looks at both, prints what is found.
pub(super) fn run(options: &Options, json: bool) -> Exit {
    let reading = status::read(&options.run_dir);
    let sections = match (look_here(options, &reading), reading) {
        (here, Ok(Reading::Fresh(holder, status))) => {
            of_both(options, here, *status, holder.is_some())
        }
        (here, absent) => alone(options, here, absent),
    };
    let worst = sections
        .iter()
        .flat_map(|(_, findings)| findings)
        .map(|f| f.level)
        .max();
    print(&match json {
        true => as_json(&sections),
        false => page(&sections),
    });
    match worst.unwrap_or(Level::Ok) {
        Level::Ok => Exit::Well,
        Level::Warning => Exit::Refused,
        Level::Error => Exit::Blocked,
    }
}

/// What was found on each node and between them.
type Sections = Vec<(String, Vec<Finding>)>;

/// What is found on this node.
struct Here {
    examined: Examined,
    peer: String,
    port: u16,
}

/// Without a file that can be read: why it cannot.
fn look_here(options: &Options, reading: &Result<Reading, LockError>) -> Result<Here, Finding> {
    let found = config::load(&options.config).and_then(|config| {
        let side = config.side(options.node.as_deref(), &options::host_name())?;
        Ok((config, side))
    });
    let (config, side) = found.map_err(|error| broken(&error.to_string()))?;
    let (peer, port) = (
        config.node(side.other()).name.clone(),
        config.heartbeat.port,
    );
    let daemonless = matches!(reading, Ok(Reading::NotRunning));
    let host = netlink::host().unwrap_or_default();
    let addresses = status::peer_addresses(&options.run_dir);
    let state_dir = options.state_dir.clone();
    let look = doctor::examine(config, side, host, addresses, state_dir, daemonless);
    Ok(Here {
        examined: smol::block_on(look),
        peer,
        port,
    })
}

fn broken(error: &str) -> Finding {
    let first = error.lines().next().unwrap_or_default();
    // The daemon is root, and may well read it.
    if sys::effective_user() != 0 {
        return Finding::warning("ha.toml", first)
            .cured_by("run this as root, who can read and ask everything");
    }
    Finding::error("ha.toml", first)
        .cured_by("`ha-appliance check` shows it; until it is mended no daemon starts with it")
}

/// With a daemon here, which can ask the other.
fn of_both(options: &Options, here: Result<Here, Finding>, status: Status, root: bool) -> Sections {
    let now = clock::now();
    let (me, peer) = (status.node.clone(), status.peer_name().to_owned());
    let port = here.as_ref().ok().map(|here| here.port);
    let (examined, mut findings) = match here {
        Ok(mut here) => {
            let findings = std::mem::take(&mut here.examined.findings);
            (Some(here.examined), findings)
        }
        Err(broken) => (None, vec![broken]),
    };
    let known: Vec<String> = findings.iter().map(|f| f.text.clone()).collect();
    findings.extend(
        doctor::of_status(&status, now)
            .into_iter()
            .filter(|f| !known.contains(&f.text)),
    );
    let told = match root {
        true => command::ask(options, Verb::Doctor),
        false => Err("only root may ask it: run this as root (sudo)".to_owned()),
    };
    let told = told.and_then(|text| {
        let not_understood = |_| format!("{peer}'s answer is of another version");
        serde_json::from_str::<Examined>(&text).map_err(not_understood)
    });
    // What was said of it may have changed while it answered.
    let status = status::load(&options.run_dir).map_or(status, |status| *status);
    match told {
        Ok(there) => {
            let between = doctor::between(&status, examined.as_ref(), &there);
            vec![
                (me, findings),
                (there.node, there.findings),
                ("both".into(), between),
            ]
        }
        Err(why) => {
            let unreached = doctor::unreached(&status, now, &why, port);
            vec![(me, findings), (peer, unreached)]
        }
    }
}

/// Without a daemon here.
fn alone(
    options: &Options,
    here: Result<Here, Finding>,
    absent: Result<Reading, LockError>,
) -> Sections {
    let why = match absent {
        Ok(absent) => status::render_absent(&absent, &options.run_dir),
        Err(error) => error.to_string(),
    };
    let (me, peer, mut findings) = match here {
        Ok(here) => (here.examined.node, here.peer, here.examined.findings),
        Err(broken) => ("here".into(), "the other node".into(), vec![broken]),
    };
    findings.push(absent_daemon(&why));
    let text =
        format!("{peer} was not asked: that takes this node's daemon; this is the local part only");
    vec![(me, findings), (peer, vec![Finding::warning("peer", text)])]
}

/// The first line says what, the others what to do.
fn absent_daemon(why: &str) -> Finding {
    let mut lines = why.trim_end().lines();
    let finding = Finding::error("daemon", lines.next().unwrap_or_default());
    match lines.collect::<Vec<_>>() {
        more if more.is_empty() => finding,
        more => finding.cured_by(more.join("; ")),
    }
}

fn as_json(sections: &[(String, Vec<Finding>)]) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        node: &'a str,
        #[serde(flatten)]
        finding: &'a Finding,
    }
    let all = sections
        .iter()
        .flat_map(|(node, findings)| findings.iter().map(move |finding| Line { node, finding }));
    let lines = all.map(|line| serde_json::to_string(&line).unwrap_or_default() + "\n");
    lines.collect()
}

/// A part a node, the worst first in each.
fn page(sections: &[(String, Vec<Finding>)]) -> String {
    let mut text = String::new();
    for (node, findings) in sections {
        text += &format!("{node}\n");
        let mut findings: Vec<&Finding> = findings.iter().collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        for Finding {
            level,
            about,
            text: what,
            cure,
        } in findings
        {
            text += &format!("  {:<8} {about:<8} {what}\n", level.word());
            if let Some(cure) = cure {
                text += &format!("{:20}→ {cure}\n", "");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_stands_first_with_its_cure() {
        let findings = vec![
            Finding::ok("key", "the same"),
            Finding::error("link", "nothing arrives").cured_by("open the port"),
        ];
        let sections = [("both".to_owned(), findings)];
        assert_eq!(
            page(&sections),
            "both\n  error    link     nothing arrives\n                    → open the port\n  ok       key      the same\n"
        );
        assert_eq!(
            as_json(&sections).lines().last(),
            Some(
                r#"{"node":"both","level":"error","about":"link","text":"nothing arrives","cure":"open the port"}"#
            )
        );
    }

    #[test]
    fn a_daemon_that_is_not_there_is_an_error_with_a_cure() {
        let finding = absent_daemon("is not running\nstart it\nsee the log\n");
        assert_eq!(finding.level, Level::Error);
        assert_eq!(finding.cure.as_deref(), Some("start it; see the log"));
    }
}
