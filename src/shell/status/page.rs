//! The page that `ha-appliance status` prints.

use super::judge::{active_on, age, silence};
use super::{Concern, Group, Path, Reading, Resource, ServiceStatus, Severity, Status, judge};
use crate::core::time::Time;
use std::fmt::Write;

/// How the page may look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// With colours: for a terminal.
    pub colour: bool,
}

/// The page, and the worst thing on it. `now` in the boot of the status.
pub fn render(status: &Status, now: Time, style: Style) -> (String, Severity) {
    let concerns = judge(status, now);
    let worst = concerns
        .iter()
        .map(|c| c.severity)
        .max()
        .unwrap_or(Severity::Well);
    let mut page = Page::default();
    page.header(status, worst, style);
    page.section("nodes", nodes(status, now));
    let (links, last_resort) = paths(status, now);
    page.section("links", links);
    page.section("last resort", last_resort);
    page.section("gateways", gateways(status, now));
    page.section("protection", protection(status));
    for group in &status.groups {
        page.gap();
        page.section(&group.name, group_lines(status, group, now));
    }
    let notices = notices(status);
    if !concerns.is_empty() || !notices.is_empty() {
        page.gap();
    }
    page.section("attention", concerns.iter().flat_map(concern).collect());
    page.section("noted", notices);
    (page.text, worst)
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
             what it last said may be untrue and is not shown; its VIPs expire by themselves within seconds if it hangs\n\
             look at `journalctl -u ha-appliance -e`; `systemctl restart ha-appliance` starts it anew\n",
            pid.map_or(String::new(), |pid| format!(" (process {pid})"))
        ),
        Reading::Waiting { pid, why } => {
            format!("ha-appliance (process {pid}) {why}\nuntil then it does nothing on this node\n")
        }
        Reading::Fresh(..) => String::new(),
    }
}

/// Labels in a column of their own.
#[derive(Default)]
struct Page {
    text: String,
}

const LABEL: usize = 12;

impl Page {
    fn header(&mut self, status: &Status, worst: Severity, style: Style) {
        let (word, colour) = match worst {
            Severity::Well => ("all well", 32),
            Severity::Degraded => ("degraded", 33),
            Severity::Blocked => ("BLOCKED", 31),
        };
        let verdict = if style.colour {
            format!("\x1b[1;{colour}m{word}\x1b[0m")
        } else {
            word.to_owned()
        };
        let maintenance = if status.maintenance {
            ", in maintenance"
        } else {
            ""
        };
        self.line(
            "cluster",
            &format!(
                "{} as {} sees it: {verdict}{maintenance}",
                status.cluster, status.node
            ),
        );
    }

    fn section(&mut self, label: &str, lines: Vec<String>) {
        for (i, line) in lines.iter().enumerate() {
            self.line(if i == 0 { label } else { "" }, line);
        }
    }

    fn line(&mut self, label: &str, line: &str) {
        let _ = writeln!(
            self.text,
            "{}",
            format!(
                "{label:<LABEL$}{}{line}",
                if label.len() >= LABEL { " " } else { "" }
            )
            .trim_end()
        );
    }

    fn gap(&mut self) {
        self.text.push('\n');
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
            format!(
                "version {}, up {}",
                daemon.software,
                age(now, daemon.started_us)
            )
        } else {
            let version = if peer.software.is_empty() {
                String::new()
            } else {
                format!("version {}, ", peer.software)
            };
            format!("{version}for {}: {}", age(now, peer.since_us), peer.reason)
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

/// The links, then the paths of last resort, in one table.
fn paths(status: &Status, now: Time) -> (Vec<String>, Vec<String>) {
    let of = |path: &Path| {
        let outward = match path.out_ok {
            Some(true) => "ok".into(),
            Some(false) => format!("not heard by {}", status.peer_name()),
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
    for gateway in &status.gateways {
        let since = age(now, gateway.since_us);
        let state = match gateway.state.as_str() {
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
            "no carrier".into(),
        ]);
    }
    table(rows)
}

fn protection(status: &Status) -> Vec<String> {
    if !status.protection.is_empty() {
        return vec![format!("PROTECTED by {}", status.protection.join(", "))];
    }
    let mut lines =
        vec!["UNPROTECTED: neither fencing nor a witness; a takeover is best effort".to_owned()];
    let unproven: Vec<&str> = status
        .interfaces
        .iter()
        .filter(|i| !i.probe_proven)
        .map(|i| i.name.as_str())
        .collect();
    if !unproven.is_empty() {
        let (peer, interfaces) = (status.peer_name(), unproven.join(", "));
        lines.push(format!(
            "{peer} never answered a probe on {interfaces}: its silence would prove nothing there"
        ));
    }
    lines
}

/// What the daemon noted at its start, and what it refuses to listen to.
fn notices(status: &Status) -> Vec<String> {
    let mut lines: Vec<String> = status
        .daemon
        .notices
        .iter()
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
        .collect();
    if !rejected.is_empty() {
        lines.push(format!("datagrams {}", rejected.join(", ")));
    }
    lines
}

/// How the counters of rejected datagrams begin ("rejected: bad key").
const REJECTED: &str = "rejected";

fn group_lines(status: &Status, group: &Group, now: Time) -> Vec<String> {
    let since = age(now, group.since_us);
    let headline = match active_on(status, group)[..] {
        _ if group.stopped && group.role == "stopped" => "STOPPED by the operator".into(),
        [] => format!(
            "NOT ACTIVE; {} here for {since}: {}",
            group.role, group.reason
        ),
        [node] if status.nodes[node].here => {
            format!("active on {} for {since}: {}", status.node, group.reason)
        }
        [node] => format!(
            "active on {}; {} here for {since}: {}",
            status.nodes[node].name, group.role, group.reason
        ),
        _ => format!("active on BOTH nodes; here for {since}: {}", group.reason),
    };
    let mut lines = vec![headline];
    if !group.vips.is_empty() {
        lines.push(format!("at {}", some_of(&group.vips, 4)));
    }
    lines.extend(table(services(status, group, now)));
    let failures = group.resources.iter().filter(|r| !r.failure.is_empty());
    lines.extend(failures.map(|r| format!("{} failed: {}", r.name, cut_short(&r.failure))));
    lines.extend(table(at_nodes(status, group)));
    let held = if group.failback_held {
        "; failback waits, because an operator moved it"
    } else {
        ""
    };
    lines.push(format!(
        "token {}, held by {}{held}",
        group.epoch, group.holder
    ));
    if let Some(waiting) = &group.waiting {
        lines.push(format!("waiting: {waiting}"));
    }
    lines
}

/// The services on this node, and whatever else is not simply as it should be.
fn services(status: &Status, group: &Group, now: Time) -> Vec<Vec<String>> {
    let worth = |r: &&Resource| {
        r.service.is_some() || !matches!(r.state.as_str(), "running" | "stopped" | "unknown")
    };
    let row = |resource: &Resource| {
        let mut more: Vec<String> = resource.service.iter().map(|s| in_words(s, now)).collect();
        if status.maintenance {
            more.push("not watched in maintenance".into());
        }
        if resource.fail_count > 0 {
            more.push(format!("failures counted: {}", resource.fail_count));
        }
        vec![
            resource.name.clone(),
            resource.state.clone(),
            more.join("; "),
        ]
    };
    group.resources.iter().filter(worth).map(row).collect()
}

/// A failure's words as far as they fit on a line; the history has them all.
fn cut_short(words: &str) -> String {
    const FIT: usize = 90;
    match words.char_indices().nth(FIT) {
        Some((end, _)) => format!("{} ...", &words[..end]),
        None => words.to_owned(),
    }
}

/// What systemd and its check say of a service.
fn in_words(service: &ServiceStatus, now: Time) -> String {
    let mut words = service.state.clone();
    if let Some(pid) = service.main_pid {
        words += &format!(", process {pid}");
    }
    match (&service.check_error, service.checked_us) {
        (Some(error), _) => words += &format!("; check: {error}"),
        (None, Some(at)) => words += &format!("; check good {} ago", age(now, at)),
        (None, None) => {}
    }
    if let Some(notice) = &service.notice {
        words += &format!("; {notice}");
    }
    words
}

/// How each node stands to the group.
fn at_nodes(status: &Status, group: &Group) -> Vec<Vec<String>> {
    let row = |name: &str, role: &str, readiness: &str, against: Option<String>, failures: u16| {
        let standing = match (role, readiness) {
            ("active", "able") => "serves it".into(),
            ("active", _) => format!("serves it, {readiness}"),
            ("failed", _) => "blocked".into(),
            (_, "able") => "could run it".into(),
            (_, "barred") => "may not run it".into(),
            (_, _) => readiness.to_owned(),
        };
        let against = against.map_or(String::new(), |a| format!(": {a}"));
        let failures = if failures > 0 {
            format!("; failures counted: {failures}")
        } else {
            String::new()
        };
        vec![
            name.to_owned(),
            role.to_owned(),
            format!("{standing}{against}{failures}"),
        ]
    };
    let facts = (!group.facts.is_empty()).then(|| group.facts.join(", "));
    let here = row(
        &status.node,
        &group.role,
        &group.readiness,
        facts,
        group.fail_count,
    );
    let there = match &group.peer {
        Some(peer) => row(
            status.peer_name(),
            &peer.role,
            &peer.readiness,
            None,
            group.peer_fail_count,
        ),
        None => vec![
            status.peer_name().to_owned(),
            "?".into(),
            "does not tell".into(),
        ],
    };
    if status.here_and_there().0 == 0 {
        vec![here, there]
    } else {
        vec![there, here]
    }
}

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

/// The first few, and how many more.
fn some_of(all: &[String], few: usize) -> String {
    let shown = all
        .iter()
        .take(few)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if all.len() > few {
        format!("{shown} and {} more", all.len() - few)
    } else {
        shown
    }
}

/// Columns as wide as their widest cell, two spaces apart.
fn table(rows: Vec<Vec<String>>) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|r| r.get(column))
            .map(|c| c.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{LAN, NGINX, NOW, Sample, VIPS, ago, nginx_place};
    use super::*;
    use crate::core::gateway::GatewayState;
    use crate::core::peer::PeerState;
    use crate::core::reason::{Fact, Reason};
    use crate::core::view::{ResourceState, ResourceView};
    use crate::wire::heartbeat::{Readiness, Role};
    use std::time::Duration;

    /// Compares with `tests/pages/<name>.txt`; HA_UPDATE_PAGES=1 rewrites those.
    fn expect(name: &str, sample: &Sample, severity: Severity) {
        let (page, worst) = render(&sample.status(), NOW, Style::default());
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/pages/{name}.txt"));
        if std::env::var_os("HA_UPDATE_PAGES").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &page).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            page == expected,
            "{name} differs (HA_UPDATE_PAGES=1 accepts it):\n{page}"
        );
        assert_eq!(worst, severity, "{page}");
        assert!(page.lines().count() <= 25, "{page}");
        assert!(page.lines().all(|l| l.chars().count() <= 140), "{page}");
    }

    fn silent(sample: &mut Sample) {
        let view = &mut sample.view;
        view.peer.state = PeerState::Silent;
        view.peer.since = ago(2700);
        view.peer.reason = Reason::PeerSilent(Duration::from_millis(500));
        view.peer.last_heard = Some(ago(3200));
        for path in &mut view.peer.paths {
            (path.in_ok, path.out_ok, path.heard) = (false, None, Some(ago(3200)));
        }
        view.groups[0].peer = None;
    }

    #[test]
    fn healthy() {
        expect("healthy", &Sample::default(), Severity::Well);
    }

    #[test]
    fn healthy_on_the_standby() {
        let mut sample = Sample::default();
        let group = &mut sample.view.groups[0];
        group.role = Role::Stopped;
        group.reason = Reason::HandedOver;
        group.peer = Some((Role::Active, Readiness::Able));
        group.token.epoch = 5;
        group.token.holder = crate::wire::heartbeat::Side::Second;
        expect("standby", &sample, Severity::Well);
    }

    #[test]
    fn peer_silent() {
        let mut sample = Sample::default();
        silent(&mut sample);
        expect("peer-silent", &sample, Severity::Degraded);
    }

    #[test]
    fn interlink_one_way() {
        let mut sample = Sample::default();
        let path = &mut sample.view.peer.paths[0];
        (path.in_ok, path.heard) = (false, Some(ago(3200)));
        expect("interlink-one-way", &sample, Severity::Degraded);
    }

    #[test]
    fn blocked() {
        let mut sample = Sample::default();
        silent(&mut sample);
        let group = &mut sample.view.groups[0];
        group.role = Role::Stopped;
        group.since = ago(42_000);
        group.reason = Reason::FoundStopped;
        group.token.holder = crate::wire::heartbeat::Side::Second;
        group.token.epoch = 5;
        group.waiting = Some(Reason::NoGatewayAnswer(LAN));
        group.facts = vec![Fact::GatewayLost(LAN)];
        group.readiness = Readiness::Impaired;
        sample.view.gateways[0].state = GatewayState::Lost;
        sample.view.gateways[0].since = ago(3100);
        sample.view.vifs[0].probe_proven = false;
        expect("blocked", &sample, Severity::Blocked);
    }

    #[test]
    fn stop_failed() {
        let mut sample = Sample::default();
        let group = &mut sample.view.groups[0];
        group.role = Role::Failed;
        group.reason = Reason::ResourceFailed(VIPS, "Device or resource busy".into());
        group.facts = vec![Fact::StopFailed, Fact::Failures(2)];
        group.readiness = Readiness::Impaired;
        group.fail_count = 2;
        expect("stop-failed", &sample, Severity::Blocked);
    }

    #[test]
    fn a_service_that_fails_is_told_with_its_words() {
        let mut sample = Sample::default();
        let service = sample.services.get_mut(&nginx_place()).unwrap();
        service.state = "failed (exit-code)".into();
        service.main_pid = None;
        service.check = None;
        let group = &mut sample.view.groups[0];
        group.resources[1] = ResourceView {
            id: NGINX,
            state: ResourceState::Stopped,
            fail_count: 2,
            failure: "exited with status 1".into(),
        };
        group.role = Role::Stopped;
        group.reason = Reason::ResourceFailed(NGINX, "exited with status 1".into());
        group.peer = Some((Role::Active, Readiness::Able));
        group.token.holder = crate::wire::heartbeat::Side::Second;
        group.facts = vec![Fact::Failures(2)];
        group.readiness = Readiness::Impaired;
        group.fail_count = 2;
        expect("service-failed", &sample, Severity::Degraded);
    }

    #[test]
    fn peer_refused() {
        let mut sample = Sample::default();
        sample.view.peer.state = PeerState::Refused;
        sample.view.peer.reason = Reason::OtherNodes;
        sample.view.peer.since = ago(60_000);
        sample.view.groups[0].peer = None;
        expect("peer-refused", &sample, Severity::Degraded);
    }

    #[test]
    fn maintenance_standby_and_a_failed_reload() {
        let mut sample = Sample::default();
        sample.view.maintenance = true;
        sample.view.standby[1] = true;
        sample.view.groups[0].peer = Some((Role::Stopped, Readiness::Barred));
        sample.daemon.reload_error =
            Some("/etc/ha-appliance/ha.toml:3:1: unknown key `prot`\nhelp: port".into());
        sample.daemon.notices = vec!["eth7: no such interface yet".into()];
        sample
            .counters
            .extend([("rejected: bad key", 12), ("rejected: replayed", 0)]);
        expect("maintenance", &sample, Severity::Degraded);
    }

    #[test]
    fn colours_are_for_terminals() {
        let (page, _) = render(&Sample::default().status(), NOW, Style { colour: true });
        assert!(page.contains("\x1b[1;32mall well\x1b[0m"));
    }

    #[test]
    fn many_addresses_are_cut_short() {
        let all: Vec<String> = (1..=7).map(|n| n.to_string()).collect();
        assert_eq!(some_of(&all, 4), "1, 2, 3, 4 and 3 more");
    }
}
