//! The page that `ha-appliance status` prints.
//!
//! The verdict and what to do first stand at the top; what is stands apart from why it last changed, which has
//! its time. Everything fits a terminal's width.

use super::judge::{Place as Where, age, place, silence, together};
use super::layout::{Colour, Page, Style, table};
use super::{
    Concern, Group, Path, Peer, Reading, Refused, Severity, Status, group, judge, protection,
    sentence,
};
use crate::core::time::Time;
use crate::shell::clock;
use crate::shell::refused::NOBODY_LISTENS;
use std::time::Duration;

/// The page, and the worst thing on it. `now` in the boot of the status.
pub fn render(status: &Status, now: Time, style: Style) -> (String, Severity) {
    let concerns = together(judge(status, now));
    let worst = worst(&concerns);
    let mut page = Page::new(style);
    header(&mut page, status, worst);
    page.section("attention", concerns.iter().flat_map(concern).collect());
    page.section("nodes", nodes(status, now));
    let (links, last_resort) = paths(status, now);
    page.section("links", links);
    page.section("last resort", last_resort);
    page.section("gateways", gateways(status, now));
    let protection = protection::lines(status, now).into_iter();
    page.section("protection", protection.map(|line| line.text).collect());
    for group in &status.groups {
        page.gap();
        page.section(&group.name, group::lines(status, group, now, style));
    }
    let notices = notices(status, now);
    if !notices.is_empty() {
        page.gap();
    }
    page.section("noted", notices);
    (page.text, worst)
}

/// One group alone, and the worst that is to be said of it and of the pair.
pub fn render_group(status: &Status, group: &Group, now: Time, style: Style) -> (String, Severity) {
    let mut concerns = judge(status, now);
    concerns.retain(|c| c.is_about(group));
    let mut page = Page::new(style);
    page.section("attention", concerns.iter().flat_map(concern).collect());
    page.section(&group.name, group::lines(status, group, now, style));
    (page.text, worst(&concerns))
}

/// One line: the verdict, where each group runs, or that one, and what is to be looked at first.
pub fn render_brief(status: &Status, group: Option<&Group>, now: Time) -> (String, Severity) {
    let mut concerns = judge(status, now);
    concerns.retain(|c| group.is_none_or(|group| c.is_about(group)));
    let concerns = together(concerns);
    let worst = worst(&concerns);
    let groups = status.groups.iter();
    let groups = groups.filter(|g| group.is_none_or(|group| g.name == group.name));
    let groups = groups.map(|group| {
        let name = &group.name;
        match place(status, group) {
            Where::Nowhere | Where::Unknown if group.stopped => format!("{name} stopped"),
            Where::Here | Where::Both if group.conflict.is_some() => format!("{name} on BOTH"),
            Where::Here => format!("{name} on {}", status.node),
            Where::There => format!("{name} on {}", status.peer_name()),
            Where::Both if status.maintenance => format!("{name} on both, in part"),
            Where::Both => format!("{name} moving"),
            Where::Moving(what) => format!("{name} {} on {}", what.role, what.node),
            Where::Unknown => format!("{name} unknown"),
            // Where a stop failed, it may run all the same.
            Where::Nowhere if failed(group) => format!("{name} NOT KNOWN"),
            Where::Nowhere => format!("{name} NOWHERE"),
        }
    });
    let groups: Vec<String> = groups.collect();
    let first = concerns
        .first()
        .map_or(String::new(), |c| format!("; {}", c.text));
    let more = match concerns.len() {
        0 | 1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let line = format!(
        "{} on {}: {}{}: {}{first}{more}\n",
        status.cluster,
        status.node,
        verdict(worst),
        if status.maintenance {
            ", in maintenance"
        } else {
            ""
        },
        groups.join(", ")
    );
    (line, worst)
}

fn failed(group: &Group) -> bool {
    let there = group.peer.as_ref().map_or("", |peer| &peer.role);
    group.role == "failed" || there == "failed"
}

fn worst(concerns: &[Concern]) -> Severity {
    let severities = concerns.iter().map(|c| c.severity);
    severities.max().unwrap_or(Severity::Well)
}

fn verdict(severity: Severity) -> &'static str {
    match severity {
        Severity::Well => "all well",
        Severity::Degraded => "degraded",
        Severity::Blocked => "BLOCKED",
    }
}

/// Whose page it is, and the verdict.
fn header(page: &mut Page, status: &Status, worst: Severity) {
    let maintenance = if status.maintenance {
        ", in maintenance"
    } else {
        ""
    };
    let verdict = verdict(worst);
    page.line(
        "cluster",
        &format!(
            "{} as {} sees it: {verdict}{maintenance}",
            status.cluster, status.node
        ),
    );
    page.colour(
        verdict,
        match worst {
            Severity::Well => Colour::Green,
            Severity::Degraded => Colour::Yellow,
            Severity::Blocked => Colour::Red,
        },
    );
}

/// What stands in the page's place when there is nothing to show.
pub fn render_absent(reading: &Reading, run_dir: &std::path::Path) -> String {
    match reading {
        Reading::NotRunning => format!(
            "ha-appliance is not running on this node: nobody holds {}/lock\n\
             start it with `systemctl start ha-appliance`; if it does not stay, `journalctl -u ha-appliance -e` says why\n",
            run_dir.display()
        ),
        Reading::NotResponding { pid, why } => format!(
            "ha-appliance{} is not responding: {why}\n\
             what it last said may be untrue and is not shown; if it hangs, its VIPs expire by themselves within seconds (not in \
             maintenance) and systemd kills and restarts it\n\
             look at `journalctl -u ha-appliance -e` and at `df {}`; `systemctl restart ha-appliance` starts it anew, and \
             hands over or stops first what it runs, if it can and there is no maintenance\n",
            pid.map_or(String::new(), |pid| format!(" (process {pid})")),
            run_dir.display()
        ),
        Reading::Waiting { pid, why } => {
            format!("ha-appliance (process {pid}) {why}\nuntil then it does nothing on this node\n")
        }
        Reading::Fresh(..) => String::new(),
    }
}

fn nodes(status: &Status, now: Time) -> Vec<String> {
    let peer = &status.peer;
    let daemon = &status.daemon;
    let rows = status.nodes.iter().map(|node| {
        let state = if node.here {
            if status.leaving { "leaving" } else { "here" }
        } else {
            &peer.state
        };
        let heard = node.here || peer.state == "alive" || peer.state == "one-way";
        let standby = match (node.standby, heard) {
            (true, _) => "standby",
            (false, true) => "online",
            (false, false) => "",
        };
        let more = if node.here {
            format!("v{}, up {}", daemon.software, age(now, daemon.started_us))
        } else {
            let since = age(now, peer.since_us);
            match (peer.state.as_str(), peer.software.as_str()) {
                ("alive", software) => {
                    format!("v{software}, for {since}{}", detection(peer))
                }
                ("silent", _) if let Some(at) = peer.ended_us => {
                    format!("its daemon ended {} ago, as it was told", age(now, at))
                }
                ("silent", _) if peer.heard_us.is_some() && arrives(status) => {
                    format!(
                        "nothing accepted for {}",
                        age(now, peer.heard_us.unwrap_or(0))
                    )
                }
                // One silence has one length.
                ("silent", _) if peer.heard_us.is_some() => {
                    format!("last heard {} ago", age(now, peer.heard_us.unwrap_or(0)))
                }
                _ => format!("for {since}: {}", peer.reason),
            }
        };
        vec![
            node.name.clone(),
            state.to_owned(),
            standby.to_owned(),
            more,
        ]
    });
    table(rows.collect())
}

/// Something of the peer comes, and is refused.
fn arrives(status: &Status) -> bool {
    let arrives = |refused: &Refused| refused.cause != NOBODY_LISTENS;
    status.refused.iter().any(arrives)
}

/// How soon its death is noticed, as it is in force: that of ha.toml, or the careful side of two that differ.
fn detection(peer: &Peer) -> String {
    let span = clock::span(Duration::from_millis(peer.detection_ms));
    match peer.detection_ms {
        0 => String::new(),
        _ => format!("; silent after {span}"),
    }
}

/// The links, then the paths of last resort, in one table.
fn paths(status: &Status, now: Time) -> (Vec<String>, Vec<String>) {
    let silent = |path: &Path| !path.in_ok && path.out_ok.is_none();
    if status.paths.len() > 1 && status.paths.iter().all(silent) {
        let latest = status.paths.iter().max_by_key(|path| path.heard_us);
        let silence = latest.map_or(String::new(), |path| silence(path, now));
        let what = match status.peer.signs_of_life.iter().any(|sign| sign.heartbeat) {
            true => "nothing that answers this node",
            false if arrives(status) => "nothing that is accepted",
            false => silence.as_str(),
        };
        let all = format!("{what} on any of the {} paths", status.paths.len());
        return (vec![all], Vec::new());
    }
    let of = |path: &Path| {
        let outward = match path.out_ok {
            Some(true) => "ok".into(),
            Some(false) => "not heard".into(),
            None => "?".into(),
        };
        let inward = if path.in_ok {
            "ok".into()
        } else {
            silence(path, now)
        };
        vec![
            path.own.clone(),
            format!("→ {}", path.peer),
            outward,
            format!("← {inward}"),
        ]
    };
    let (last, links): (Vec<&Path>, Vec<&Path>) = status.paths.iter().partition(|p| p.last_resort);
    let mut lines = table(links.iter().chain(&last).map(|path| of(path)).collect());
    let last = lines.split_off(links.len());
    (lines, last)
}

fn gateways(status: &Status, now: Time) -> Vec<String> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let dead = |name: &String| {
        let mut interfaces = status.interfaces.iter();
        interfaces.any(|i| i.name == *name && !i.carrier)
    };
    for gateway in status.gateways.iter().filter(|g| !dead(&g.interface)) {
        let since = age(now, gateway.since_us);
        let state = match gateway.state.as_str() {
            _ if gateway.hindered => {
                "cannot be asked from here, so whether it answers is not known".into()
            }
            "good" => format!("answers, for {since}"),
            "lost" => format!("does not answer, for {since}"),
            "dampened" => format!("answers again since {since}, not long enough yet"),
            _ => "no answer yet".into(),
        };
        rows.push(vec![
            gateway.address.clone(),
            gateway.interface.clone(),
            state,
        ]);
    }
    for interface in status.interfaces.iter().filter(|i| !i.carrier) {
        rows.push(vec![
            "-".into(),
            interface.name.clone(),
            match interface.exists {
                true => "no carrier".into(),
                false => "no such interface".into(),
            },
        ]);
    }
    table(rows)
}

/// What the daemon noted at its start, and what it refuses to listen to.
fn notices(status: &Status, now: Time) -> Vec<String> {
    let mut lines: Vec<String> = status
        .daemon
        .notices
        .iter()
        .filter(|notice| !status.daemon.warnings.contains(notice))
        .flat_map(|n| n.lines())
        // `protection` has said it already.
        .filter(|line| !line.starts_with("UNPROTECTED"))
        .map(str::to_owned)
        .collect();
    let counted = |(name, count): (&String, &u64)| (*count > 0).then(|| format!("{name} {count}"));
    let rejected: Vec<String> = status
        .counters
        .iter()
        .filter(|(name, _)| name.starts_with(REJECTED))
        .filter_map(counted)
        .filter_map(|counted| Some(counted.strip_prefix(REJECTED)?.to_owned()))
        .collect();
    if !rejected.is_empty() {
        lines.push(format!(
            "datagrams rejected within {}: {}",
            age(now, status.daemon.started_us),
            rejected.join(", ")
        ));
    }
    let ahead = status.peer.clock_ahead_ms.unwrap_or(0);
    let clocks = sentence::clocks(status.peer_name(), ahead);
    lines.extend(clocks.map(|clocks| clocks + &status.as_last_heard(now)));
    lines
}

/// How the counters of rejected datagrams begin ("rejected: bad key").
const REJECTED: &str = "rejected: ";

fn concern(concern: &Concern) -> Vec<String> {
    let mark = if concern.severity == Severity::Blocked {
        "!!"
    } else {
        "-"
    };
    let mut lines = vec![format!("{mark:<3}{}", concern.text)];
    lines.extend(concern.hint.iter().map(|hint| format!("   {hint}")));
    lines
}

#[cfg(test)]
mod tests;
