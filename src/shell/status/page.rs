//! The page that `ha-appliance status` prints.
//!
//! The verdict and what to do first stand at the top; what is stands apart from why it last changed, which has
//! its time. Everything fits a terminal's width.

use super::judge::{Place as Where, age, place, silence};
use super::layout::{Colour, Page, Style, table};
use super::{Concern, Group, Path, Reading, Severity, Status, group, judge, sentence};
use crate::core::time::Time;

/// The page, and the worst thing on it. `now` in the boot of the status.
pub fn render(status: &Status, now: Time, style: Style) -> (String, Severity) {
    let concerns = judge(status, now);
    let worst = worst(&concerns);
    let mut page = Page::new(style);
    header(&mut page, status, worst);
    page.section("attention", concerns.iter().flat_map(concern).collect());
    page.section("nodes", nodes(status, now));
    let (links, last_resort) = paths(status, now);
    page.section("links", links);
    page.section("last resort", last_resort);
    page.section("gateways", gateways(status, now));
    page.section("protection", protection(status));
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

/// One group alone, and the worst that is to be said of it.
pub fn render_group(status: &Status, group: &Group, now: Time, style: Style) -> (String, Severity) {
    let mut concerns = judge(status, now);
    concerns.retain(|c| c.group.as_ref() == Some(&group.name));
    let mut page = Page::new(style);
    page.section("attention", concerns.iter().flat_map(concern).collect());
    page.section(&group.name, group::lines(status, group, now, style));
    (page.text, worst(&concerns))
}

/// One line: the verdict, where each group runs, or that one, and what is to be looked at first.
pub fn render_brief(status: &Status, group: Option<&Group>, now: Time) -> (String, Severity) {
    let mut concerns = judge(status, now);
    concerns.retain(|c| group.is_none_or(|group| c.group.as_ref() == Some(&group.name)));
    let worst = worst(&concerns);
    let groups = status.groups.iter();
    let groups = groups.filter(|g| group.is_none_or(|group| g.name == group.name));
    let groups = groups.map(|group| {
        let name = &group.name;
        match place(status, group) {
            _ if group.stopped => format!("{name} stopped"),
            Where::Here => format!("{name} on {}", status.node),
            Where::There => format!("{name} on {}", status.peer_name()),
            Where::Both => format!("{name} on BOTH"),
            Where::Moving(node, role) => format!("{name} {role} on {node}"),
            Where::Unknown => format!("{name} unknown"),
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
        "{} on {}: {}: {}{first}{more}\n",
        status.cluster,
        status.node,
        verdict(worst),
        groups.join(", ")
    );
    (line, worst)
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
            format!(
                "version {}, up {}",
                daemon.software,
                age(now, daemon.started_us)
            )
        } else {
            let since = age(now, peer.since_us);
            match (peer.state.as_str(), peer.software.as_str()) {
                ("alive", software) => format!("version {software}, for {since}"),
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

/// The links, then the paths of last resort, in one table.
fn paths(status: &Status, now: Time) -> (Vec<String>, Vec<String>) {
    let silent = |path: &Path| !path.in_ok && path.out_ok.is_none();
    if status.paths.len() > 1 && status.paths.iter().all(silent) {
        let latest = status.paths.iter().max_by_key(|path| path.heard_us);
        let silence = latest.map_or(String::new(), |path| silence(path, now));
        let what = match status.peer.signs_of_life.iter().any(|sign| sign.heartbeat) {
            true => "nothing that answers this node",
            false => silence.as_str(),
        };
        let all = format!("{what} on any of the {} paths", status.paths.len());
        return (vec![all], Vec::new());
    }
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
    let none = |group: &&Group| group.protection == "none";
    let none: Vec<&str> = (status.groups.iter().filter(none))
        .map(|g| g.name.as_str())
        .collect();
    if !none.is_empty() && none.len() == status.groups.len() {
        return vec!["NONE: no takeover by itself from a dead peer, see attention".into()];
    }
    let mut lines =
        vec!["UNPROTECTED: no fencing, no witness; a takeover is best effort".to_owned()];
    if !none.is_empty() {
        lines.push(format!("NONE for {}: see attention", none.join(", ")));
    }
    lines
}

/// What the daemon noted at its start, and what it refuses to listen to.
fn notices(status: &Status, now: Time) -> Vec<String> {
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
    let ahead = status.peer.clock_ahead_ms.unwrap_or(0);
    let clocks = sentence::clocks(status.peer_name(), ahead);
    lines.extend(clocks.map(|clocks| clocks + &status.as_last_heard(now)));
    lines
}

/// How the counters of rejected datagrams begin ("rejected: bad key").
const REJECTED: &str = "rejected";

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
mod tests {
    use super::super::sample::{LAN, NGINX, NOW, Sample, VIPS, WEB, ago, nginx_place};
    use super::super::{Failed, Refused, Said};
    use super::*;
    use crate::core::gateway::GatewayState;
    use crate::core::node::{Sign, SignKind};
    use crate::core::peer::PeerState;
    use crate::core::reason::{Fact, Reason};
    use crate::core::view::{ResourceState, ResourceView};
    use crate::id::Place;
    use crate::shell::refused::NOBODY_LISTENS;
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
        let few = judge(&sample.status(), NOW).len() <= 2;
        let rows = if few { 24 } else { 27 };
        assert!(page.lines().count() <= rows, "{page}");
        assert!(page.lines().all(|l| l.chars().count() <= 80), "{page}");
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
            failed_at: Some(ago(125_000)),
            forgotten_at: Some(ago(-3_475_000)),
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
    fn what_failed_on_the_other_node_is_told_here() {
        let mut sample = Sample::default();
        let group = &mut sample.view.groups[0];
        group.peer = Some((Role::Stopped, Readiness::Impaired));
        group.peer_fail_count = 1;
        sample.told = vec![Said {
            group: "web".into(),
            since_us: ago(95_000).0,
            reason: "service nginx.service failed: exit status 1".into(),
            facts: vec!["a resource failed".into()],
            waiting: Some("a resource failed".into()),
            retry_us: Some(ago(-8000).0),
            amiss: Vec::new(),
            failures: vec![Failed {
                resource: "service nginx.service".into(),
                count: 1,
                text: "nginx.service died: exit status 1: bind() to 0.0.0.0:80 failed".into(),
                at_us: Some(ago(95_000).0),
                until_us: Some(ago(-3_505_000).0),
            }],
        }];
        expect("failed-on-the-peer", &sample, Severity::Degraded);
    }

    /// It serves nobody, and this page is where somebody looks.
    #[test]
    fn what_is_not_well_on_the_other_node_is_told_here() {
        let mut sample = Sample::default();
        let group = &mut sample.view.groups[0];
        group.role = Role::Stopped;
        group.reason = Reason::HandedOver;
        group.peer = Some((Role::Active, Readiness::Able));
        group.token.holder = crate::wire::heartbeat::Side::Second;
        sample.view.maintenance = true;
        sample.told = vec![Said {
            group: "web".into(),
            amiss: vec!["service nginx.service: failed (Result: signal)".into()],
            ..Said::default()
        }];
        expect("amiss-on-the-peer", &sample, Severity::Blocked);
        sample.view.maintenance = false;
        let (_, severity) = render(&sample.status(), NOW, Style::default());
        assert_eq!(severity, Severity::Degraded, "something is done about it");
    }

    /// What it said last is told as of then, or not at all.
    #[test]
    fn a_peer_that_left_says_nothing_any_more() {
        let mut sample = Sample::default();
        silent(&mut sample);
        let view = &mut sample.view;
        view.peer.state = PeerState::Left;
        view.peer.reason = Reason::PeerLeft;
        view.peer.drift = true;
        sample.differences = vec!["group web: prefer differs".into()];
        sample.clock_ahead_ms = Some(37_000);
        let group = &mut view.groups[0];
        group.peer = Some((Role::Stopped, Readiness::Barred));
        group.peer_fail_count = 1;
        sample.told = vec![Said {
            group: "web".into(),
            waiting: Some("a resource failed".into()),
            retry_us: Some(ago(-3000).0),
            failures: vec![Failed::default()],
            ..Said::default()
        }];
        expect("peer-left", &sample, Severity::Degraded);
    }

    #[test]
    fn what_differs_between_the_files_is_named() {
        let mut sample = Sample::default();
        sample.view.peer.drift = true;
        sample.differences = vec!["group web: prefer is set on lb1 only".into()];
        expect("drift", &sample, Severity::Degraded);
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
    fn unknown_is_not_nowhere() {
        let mut sample = Sample::default();
        silent(&mut sample);
        let view = &mut sample.view;
        view.peer.state = PeerState::Unknown;
        view.peer.reason = Reason::PeerUnknown;
        view.peer.signs = vec![
            Sign {
                at: ago(100),
                kind: SignKind::Unproven(vec![(WEB, Role::Active)]),
            },
            Sign {
                at: ago(400),
                kind: SignKind::Answered(LAN, Some(WEB), [0x52, 0x54, 0, 0, 0, 2]),
            },
        ];
        let group = &mut view.groups[0];
        group.role = Role::Stopped;
        group.since = ago(42_000);
        group.reason = Reason::FoundStopped;
        group.waiting = Some(Reason::VipAnswered);
        expect("probably-there", &sample, Severity::Degraded);
        assert!(
            !render(&sample.status(), NOW, Style::default())
                .0
                .contains("confirm-fenced")
        );
    }

    #[test]
    fn a_peer_that_is_waited_for_is_not_to_be_confirmed_off() {
        let mut sample = Sample::default();
        silent(&mut sample);
        let view = &mut sample.view;
        view.peer.state = PeerState::Unknown;
        view.peer.reason = Reason::PeerUnknown;
        view.peer.waited_for = Some(ago(-7000));
        let group = &mut view.groups[0];
        group.role = Role::Stopped;
        group.since = ago(3000);
        group.reason = Reason::FoundStopped;
        group.waiting = Some(Reason::StartWait);
        expect("start-wait", &sample, Severity::Blocked);
    }

    #[test]
    fn both_hold_it() {
        let mut sample = Sample::default();
        silent(&mut sample);
        sample.view.groups[0].answered_by_peer = Some(ago(800));
        expect("both", &sample, Severity::Blocked);
    }

    #[test]
    fn another_key() {
        let mut sample = Sample::default();
        silent(&mut sample);
        sample.refused = vec![Refused {
            cause: "other key".into(),
            own: "10.1.1.1".into(),
            peer: "10.1.1.2".into(),
            count: 31,
            last_us: ago(50).0,
        }];
        expect("other-key", &sample, Severity::Degraded);
    }

    /// Nothing runs here, and the peer's machine has power: nobody is told to confirm that it is off.
    #[test]
    fn nobody_listens() {
        let mut sample = Sample::default();
        silent(&mut sample);
        let view = &mut sample.view;
        view.peer.state = PeerState::Unknown;
        view.peer.reason = Reason::PeerUnknown;
        let group = &mut view.groups[0];
        group.role = Role::Stopped;
        group.since = ago(9000);
        group.reason = Reason::FoundStopped;
        group.waiting = Some(Reason::WaitingForPeer);
        let unheard = |own: &str, peer: &str, ms| Refused {
            cause: NOBODY_LISTENS.into(),
            own: own.into(),
            peer: peer.into(),
            count: 9,
            last_us: ago(ms).0,
        };
        sample.refused = vec![
            unheard("10.1.1.1", "10.1.1.2", 700),
            unheard("192.168.10.81", "192.168.10.82", 900),
        ];
        expect("nobody-listens", &sample, Severity::Blocked);
        let page = render(&sample.status(), NOW, Style::default()).0;
        assert!(!page.contains("confirm-fenced"), "{page}");
    }

    #[test]
    fn no_takeover_is_possible() {
        let mut sample = Sample::default();
        sample.view.groups[0].no_seizure = Some(Reason::NoGatewayKnown(LAN));
        sample.view.gateways.clear();
        expect("no-takeover", &sample, Severity::Degraded);
    }

    #[test]
    fn maintenance_does_not_hide_a_dead_service() {
        let mut sample = Sample::default();
        sample.view.maintenance = true;
        let service = sample.services.get_mut(&nginx_place()).unwrap();
        (service.state, service.runs) = ("failed (Result: signal)".into(), Some(false));
        (service.main_pid, service.check) = (None, None);
        let vips = Place {
            group: WEB,
            resource: VIPS,
        };
        sample
            .amiss
            .insert(vips, "192.168.10.80 is not on eth0".into());
        expect("maintenance-amiss", &sample, Severity::Blocked);
    }

    #[test]
    fn clocks_that_differ_are_noted() {
        let mut status = Sample::default().status();
        status.peer.clock_ahead_ms = Some(-2100);
        let (page, severity) = render(&status, NOW, Style::default());
        assert!(
            page.ends_with("\nnoted       lb2's clock is 2.1 s behind this node's\n"),
            "{page}"
        );
        assert_eq!(severity, Severity::Well);
    }

    #[test]
    fn one_line_says_it_too() {
        let (line, severity) = render_brief(&Sample::default().status(), None, NOW);
        assert_eq!(line, "edge-lb on lb1: all well: web on lb1\n");
        assert_eq!(severity, Severity::Well);
        let mut sample = Sample::default();
        silent(&mut sample);
        let (line, _) = render_brief(&sample.status(), None, NOW);
        assert_eq!(
            line,
            "edge-lb on lb1: degraded: web on lb1; lb2 has been silent for 3.2 s: nobody could take over\n"
        );
    }

    #[test]
    fn one_group_alone() {
        let status = Sample::default().status();
        let (page, _) = render_group(&status, &status.groups[0], NOW, Style::default());
        assert!(
            page.starts_with("web         active on lb1 for 2 h 0 m, at 192.168.10.80/24"),
            "{page}"
        );
    }

    #[test]
    fn a_wide_name_leaves_the_columns_alone() {
        let mut sample = Sample::default();
        sample.names.groups[0].name = "customer-portal".into();
        let (page, _) = render(&sample.status(), NOW, Style::default());
        assert!(
            page.contains("\ncustomer-portal\n            active on lb1"),
            "{page}"
        );
    }

    #[test]
    fn colours_are_for_terminals() {
        let (page, _) = render(
            &Sample::default().status(),
            NOW,
            Style {
                colour: true,
                ..Style::default()
            },
        );
        assert!(page.contains("\x1b[1;32mall well\x1b[0m"));
    }
}
