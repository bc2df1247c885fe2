//! The page in each situation: `tests/pages`.

use super::super::sample::{LAN, NGINX, NOW, Sample, VIPS, WEB, ago, nginx_place};
use super::super::{Failed, FenceDevice, Fencing, Refused, Said};
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
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/pages/{name}.txt"));
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

/// What kept it from being unmounted may be gone: it is mounted still, and nobody tries again.
#[test]
fn what_was_not_stopped_is_named_with_what_ends_it() {
    let mut sample = Sample::default();
    sample.names.groups[0].resources[1].1 = "mount /mnt/data".into();
    sample.services.get_mut(&nginx_place()).unwrap().state = "/dev/sdb is mounted".into();
    let group = &mut sample.view.groups[0];
    group.role = Role::Failed;
    group.reason = Reason::ResourceFailed(NGINX, "/mnt/data is still in use: process 7".into());
    group.resources[1].state = ResourceState::Stuck;
    let concern = &judge(&sample.status(), NOW)[0];
    let text = "process 7; not stopped: mount /mnt/data (/dev/sdb is mounted)";
    assert!(concern.text.ends_with(text), "{}", concern.text);
    let hint = concern.hint.as_ref().unwrap();
    assert!(
        hint.contains("end by hand (`umount /mnt/data`), or"),
        "{hint}"
    );
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
        until: None,
        unready: None,
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

/// Somebody stopped it to upgrade it: no cable is to be looked at.
#[test]
fn a_daemon_that_ended_in_maintenance_is_told_as_that() {
    let mut sample = Sample::default();
    sample.view.maintenance = true;
    sample.view.peer.state = PeerState::Silent;
    sample.view.peer.since = ago(9_000);
    sample.view.peer.last_heard = Some(ago(9_500));
    sample.view.groups[0].peer = None;
    sample.peer_ended = Some(ago(9_500));
    let page = render(&sample.status(), NOW, Style::default()).0;
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "lb2's daemon ended 9.5 s ago, as it was told in maintenance, and left running what runs there",
        "on lb2: `systemctl start ha-appliance`",
    ] {
        assert!(page.contains(part), "{page}");
    }
    assert!(!page.contains("cables"), "{page}");
}

#[test]
fn another_key_on_two_paths_is_one_thing_to_mend() {
    let mut sample = Sample::default();
    sample.view.peer.state = PeerState::Silent;
    let of = |own: &str, peer: &str| Refused {
        cause: "other key".into(),
        own: own.into(),
        peer: peer.into(),
        count: 9,
        last_us: ago(100).0,
    };
    sample.refused = vec![
        of("10.1.1.1", "10.1.1.2"),
        of("192.168.10.81", "192.168.10.82"),
    ];
    let status = sample.status();
    let told = status
        .attention
        .iter()
        .filter(|c| c.text.contains("another key"));
    let told: Vec<&str> = told.map(|concern| concern.text.as_str()).collect();
    assert_eq!(
        told,
        [
            "nothing of lb2 was accepted for 40 ms: lb1 has no spare that is known: 10.1.1.2 → 10.1.1.1, 192.168.10.82 → \
             192.168.10.81: heartbeats signed with another key are dropped: has lb2 another key? (18 so far, the latest \
             100 ms ago)"
        ]
    );
    assert_eq!(status.attention.len(), 1, "{:?}", status.attention);
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
        unwritable: false,
        both_ran: None,
        both_ran_us: None,
        facts: vec!["a resource failed".into()],
        role: "stopped".into(),
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
        pending: Vec::new(),
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
    // It is back, and does not hear this node: nobody is to start it.
    let kind = SignKind::Unproven(Vec::new());
    sample.view.peer.signs = vec![Sign { at: NOW, kind }];
    let (page, _) = render(&sample.status(), NOW, Style::default());
    assert!(
        !page.contains("systemctl start") && page.contains("filter in the direction"),
        "{page}"
    );
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

fn fenced() -> Sample {
    let device = |name: &str| FenceDevice {
        name: name.into(),
        state: "on".into(),
        why: None,
        good_us: Some(ago(40_000).0),
        suite: Some("cipher suite 17".into()),
        rehearsed: Some("2026-11-02T16:20:01Z".into()),
    };
    Sample {
        fencing: Some(Fencing {
            ready: true,
            peer_ready: Some(true),
            delay_ms: 9000,
            devices: vec![device("ipmi 10.1.2.202"), device("fence_apc")],
        }),
        ..Sample::default()
    }
}

#[test]
fn devices_that_answer_protect() {
    let mut sample = fenced();
    let fencing = sample.fencing.as_mut().unwrap();
    fencing.devices[1].suite = None;
    fencing.devices[1].rehearsed = None;
    expect("protected", &sample, Severity::Well);
    let fencing = sample.fencing.as_mut().unwrap();
    fencing.devices[0].rehearsed = None;
    let (page, _) = render(&sample.status(), NOW, Style::default());
    assert!(
        page.contains("PROTECTED, unrehearsed: lb1 has not yet"),
        "{page}"
    );
}

#[test]
fn devices_that_do_not_answer_do_not() {
    let mut sample = fenced();
    let fencing = sample.fencing.as_mut().unwrap();
    fencing.ready = false;
    for device in &mut fencing.devices {
        device.state = "failed".into();
        device.why = Some("wrong password".into());
    }
    fencing.devices[1].good_us = None;
    fencing.devices[1].rehearsed = None;
    expect("device-dead", &sample, Severity::Degraded);
    let mut there = fenced();
    there.fencing.as_mut().unwrap().peer_ready = Some(false);
    let (page, worst) = render(&there.status(), NOW, Style::default());
    assert_eq!(worst, Severity::Degraded);
    let told = "UNPROTECTED: nothing that switches lb1 off can be used by lb2";
    assert!(page.contains(told), "{page}");
}

#[test]
fn a_device_that_lied_does_not() {
    let mut sample = fenced();
    let fencing = sample.fencing.as_mut().unwrap();
    fencing.ready = false;
    fencing.devices.pop();
    fencing.devices[0].state = "distrusted".into();
    fencing.devices[0].why = Some("it read off of lb2's machine, which lived on".into());
    let (page, worst) = render(&sample.status(), NOW, Style::default());
    assert_eq!(worst, Severity::Degraded);
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "UNPROTECTED: nothing that switches lb2 off is believed",
        "ipmi 10.1.2.202 is not believed: it read off of lb2's machine, which lived on",
    ] {
        assert!(page.contains(told), "{page}");
    }
}

#[test]
fn a_silent_peer_is_about_to_be_switched_off() {
    let mut sample = fenced();
    sample.fencing.as_mut().unwrap().devices.pop();
    sample.view.peer.state = PeerState::Silent;
    sample.view.peer.reason = Reason::PeerSilent(Duration::from_millis(500));
    let group = &mut sample.view.groups[0];
    group.role = Role::Stopped;
    group.peer = None;
    group.waiting = Some(Reason::ClearancePending);
    expect("about-to-be-fenced", &sample, Severity::Blocked);
    // In standby it takes nothing, and so it shoots nobody.
    sample.view.groups[0].waiting = Some(Reason::Fact(Fact::Standby));
    let hint = judge(&sample.status(), NOW).remove(0).hint.unwrap();
    assert!(hint.contains("`ha-appliance online lb1`"), "{hint}");
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

/// What is warned of in the log lasts here, and what the file chose is a remark.
#[test]
fn a_warning_that_lasts_is_looked_after() {
    let mut sample = Sample::default();
    let link = "link address 10.1.1.1 is on no interface; no heartbeat uses this link until it is";
    let remark =
        "only one link: one cable or one switch port makes the nodes lose sight of each other";
    sample.daemon.notices = vec![link.into(), remark.into()];
    sample.daemon.warnings = vec![link.into()];
    let (page, severity) = render(&sample.status(), NOW, Style::default());
    assert_eq!(severity, Severity::Degraded);
    assert!(
        page.contains("attention   -  link address 10.1.1.1"),
        "{page}"
    );
    assert!(page.contains("\nnoted       only one link"), "{page}");
    assert_eq!(page.matches("link address").count(), 1, "{page}");
    sample.daemon.warnings.clear();
    assert_eq!(
        render(&sample.status(), NOW, Style::default()).1,
        Severity::Well
    );
}

#[test]
fn an_interface_that_is_not_there_has_no_cable() {
    let first = |sample: &Sample| {
        let concern = judge(&sample.status(), NOW).into_iter().next().unwrap();
        (concern.text, concern.hint.unwrap())
    };
    let mut sample = Sample::default();
    sample.view.vifs[0].carrier = false;
    let (text, hint) = first(&sample);
    assert_eq!(text, "eth0: no carrier");
    assert!(hint.contains("cable"), "{hint}");
    sample.names.absent = vec![LAN];
    sample.view.groups[0].facts = vec![Fact::NoCarrier(LAN)];
    let (text, hint) = first(&sample);
    assert_eq!(text, "eth0: there is no such interface");
    assert!(!hint.contains("cable"), "{hint}");
    assert_eq!(sample.status().groups[0].facts, [text]);
}

/// It is not lb2 that is to be mended.
#[test]
fn a_router_that_is_dead_for_both_is_neither_nodes_fault() {
    let mut sample = Sample::default();
    let group = &mut sample.view.groups[0];
    group.peer = Some((Role::Stopped, Readiness::Impaired));
    sample.told = vec![Said {
        group: "web".into(),
        facts: vec!["ens3: the gateway does not answer".into()],
        ..Said::default()
    }];
    let hint = |sample: &Sample| {
        let mut concerns = judge(&sample.status(), NOW).into_iter();
        let could = concerns.find(|c| c.text.contains("could not take it over well"));
        could.unwrap().hint.unwrap()
    };
    assert_eq!(hint(&sample), "mend that on lb2");
    sample.view.groups[0].facts = vec![Fact::GatewayLost(LAN)];
    assert!(hint(&sample).starts_with("lb1 has the same trouble"));
}

/// The sentence says it itself, wherever it stands.
#[test]
fn what_cannot_run_here_says_why() {
    let mut sample = Sample::default();
    let group = &mut sample.view.groups[0];
    group.facts = vec![Fact::Missing(NGINX)];
    group.readiness = Readiness::Impaired;
    let status = sample.status();
    let concern = judge(&status, NOW).into_iter().next().unwrap();
    assert_eq!(
        concern.text,
        "web: service nginx.service is not installed on lb1; `ha-appliance clear` once it is"
    );
    assert_eq!(concern.group.as_deref(), Some("web"));
    assert_eq!(concern.hint.unwrap(), "mend that on lb1");
    let call = |sample: &mut Sample, name: &str| {
        let names = &mut sample.names.groups[0].resources;
        let nginx = names.iter_mut().find(|(id, _)| *id == NGINX);
        nginx.unwrap().1 = name.into();
    };
    call(&mut sample, "mount /mnt/data");
    let concern = judge(&sample.status(), NOW).into_iter().next().unwrap();
    assert_eq!(concern.text, "web: mount /mnt/data has no device on lb1");
    call(&mut sample, "service nginx.service");
    let group = &mut sample.view.groups[0];
    (group.facts, group.role) = (vec![Fact::Unready(VIPS)], Role::Stopped);
    group.waiting = Some(Reason::Fact(Fact::Unready(VIPS)));
    group.resources[0].unready = Some("192.168.10.80 cannot be on eth0: it is down".into());
    let concern = judge(&sample.status(), NOW).into_iter().next().unwrap();
    assert_eq!(
        concern.text,
        "web: runs nowhere: 2 vips from 192.168.10.80/24 cannot run on lb1 now: 192.168.10.80 cannot be on eth0: it is down"
    );
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
        "edge-lb on lb1: degraded: web on lb1; lb2 has been silent for 3.2 s: lb1 has no spare that is known\n"
    );
}

/// What every group stands on is said of one alone, too.
#[test]
fn a_group_alone_is_not_well_while_the_pair_is_not() {
    let mut sample = Sample::default();
    silent(&mut sample);
    let status = sample.status();
    let (page, severity) = render_group(&status, &status.groups[0], NOW, Style::default());
    assert_eq!(severity, Severity::Degraded);
    assert!(page.contains("lb2 has been silent for 3.2 s"), "{page}");
    let (line, severity) = render_brief(&status, Some(&status.groups[0]), NOW);
    assert_eq!(severity, Severity::Degraded);
    assert!(
        line.contains("degraded: web on lb1; lb2 has been silent"),
        "{line}"
    );
}

/// What another group lacks is not said of this one.
#[test]
fn a_group_alone_is_well_while_another_is_not() {
    let mut sample = Sample::default();
    let mut other = sample.view.groups[0].clone();
    other.id = crate::id::GroupId(9);
    other.resources.clear();
    other.readiness = Readiness::Impaired;
    other.peer = Some((Role::Stopped, Readiness::Impaired));
    sample.view.groups.push(other);
    sample.names.groups.push(super::super::GroupNames {
        id: crate::id::GroupId(9),
        name: "db".into(),
        vips: Vec::new(),
        resources: Vec::new(),
    });
    let status = sample.status();
    let (_, severity) = render_group(&status, &status.groups[0], NOW, Style::default());
    assert_eq!(severity, Severity::Well);
    let (_, severity) = render_group(&status, &status.groups[1], NOW, Style::default());
    assert_eq!(severity, Severity::Degraded);
}

/// The peer may well have taken it over meanwhile.
#[test]
fn what_stops_slowly_here_may_be_served_by_a_peer_that_is_not_heard() {
    let mut sample = Sample::default();
    silent(&mut sample);
    let group = &mut sample.view.groups[0];
    group.role = Role::Stopping;
    group.reason = Reason::Isolated;
    group.since = ago(20_000);
    sample.view.gateways[0].state = GatewayState::Lost;
    expect("stops-cut-off", &sample, Severity::Blocked);
}

/// A start of the other node lasts as long as that says, and not as long as this node stands still.
#[test]
fn a_move_on_the_other_node_has_its_words() {
    let mut sample = Sample::default();
    let group = &mut sample.view.groups[0];
    group.role = Role::Stopped;
    group.reason = Reason::HandedOver;
    group.peer = Some((Role::Starting, Readiness::Able));
    let first = |sample: &Sample| {
        let concern = judge(&sample.status(), NOW).into_iter().next().unwrap();
        (concern.text, concern.severity)
    };
    let starting = "web: not active, starting on lb2";
    assert_eq!(first(&sample), (starting.into(), Severity::Degraded));
    sample.told = vec![Said {
        group: "web".into(),
        role: "starting".into(),
        since_us: ago(3000).0,
        reason: "lb1 agrees and runs nothing of it".into(),
        ..Said::default()
    }];
    let told = format!("{starting} for 3.0 s: lb1 agrees and runs nothing of it");
    assert_eq!(first(&sample), (told, Severity::Degraded));
    sample.told[0].since_us = ago(40_000).0;
    assert_eq!(first(&sample).1, Severity::Blocked);
    // What it said was of before it began.
    sample.told[0].role = "stopped".into();
    assert_eq!(first(&sample), (starting.into(), Severity::Degraded));
}

#[test]
fn an_order_that_the_other_node_may_not_know_is_told_as_that() {
    let mut sample = Sample::default();
    silent(&mut sample);
    sample.view.maintenance = true;
    sample.view.standby[1] = true;
    sample.view.groups[0].stopped = true;
    sample.view.groups[0].role = Role::Stopped;
    let texts: Vec<String> = (judge(&sample.status(), NOW).into_iter())
        .map(|concern| concern.text)
        .collect();
    let unheard = "; lb2 is silent, and may not have heard of it";
    for order in [
        "web: stopped by the operator",
        "maintenance: nothing is started, stopped or taken over on lb1",
        "lb2 is in standby: it takes nothing",
    ] {
        assert!(texts.contains(&format!("{order}{unheard}")), "{texts:#?}");
    }
    // And where it is known that it runs there, it is not shown as stopped.
    sample.view.peer.state = PeerState::Alive;
    sample.view.groups[0].peer = Some((Role::Active, Readiness::Able));
    let (line, _) = render_brief(&sample.status(), None, NOW);
    assert!(line.contains("web on lb2"), "{line}");
}

#[test]
fn both_have_it_in_maintenance() {
    let mut sample = Sample::default();
    sample.view.maintenance = true;
    sample.view.groups[0].peer = Some((Role::Starting, Readiness::Able));
    let first = |sample: &Sample| judge(&sample.status(), NOW).into_iter().next().unwrap();
    let found = first(&sample);
    assert_eq!(found.severity, Severity::Degraded);
    assert_eq!(
        found.text,
        "web: active on lb1, and its daemon found something of it running on lb2, too"
    );
    sample.view.groups[0].peer = Some((Role::Active, Readiness::Able));
    let line = |sample: &Sample| render_brief(&sample.status(), None, NOW).0;
    assert!(line(&sample).contains("web on BOTH"), "{}", line(&sample));
    let both = first(&sample);
    assert_eq!(both.severity, Severity::Blocked);
    assert!(
        both.hint
            .unwrap()
            .starts_with("in maintenance neither stops by itself")
    );
}

#[test]
fn how_a_conflict_ends_depends_on_what_the_nodes_hear() {
    let hint = |state| {
        let mut sample = Sample::default();
        silent(&mut sample);
        sample.view.peer.state = state;
        sample.view.groups[0].answered_by_peer = Some(ago(800));
        let concern = judge(&sample.status(), NOW).into_iter().next().unwrap();
        assert_eq!(concern.severity, Severity::Blocked);
        concern.hint.unwrap()
    };
    assert!(hint(PeerState::Silent).starts_with("repair the paths between the nodes"));
    assert!(hint(PeerState::Alive).starts_with("the nodes hear each other"));
    assert!(hint(PeerState::Refused).starts_with("mend first why lb2 is refused"));
    assert!(hint(PeerState::Fenced).starts_with("lb2 is not off"));
}

/// Somebody confirmed it, and it answers.
#[test]
fn taken_as_off_is_no_fact_about_a_peer_that_answers() {
    let mut sample = Sample::default();
    silent(&mut sample);
    let view = &mut sample.view;
    view.peer.state = PeerState::Fenced;
    view.peer.reason = Reason::Confirmed;
    let texts = |sample: &Sample| -> Vec<String> {
        let concerns = judge(&sample.status(), NOW).into_iter();
        concerns.map(|concern| concern.text).collect()
    };
    assert!(texts(&sample)[0].starts_with("lb2 has been taken as off for 2.7 s"));
    sample.view.peer.signs = vec![Sign {
        at: ago(400),
        kind: SignKind::Answered(LAN, None, [0x52, 0x54, 0, 0, 0, 2]),
    }];
    assert_eq!(
        texts(&sample),
        [
            "lb2 was taken as off 2.7 s ago (the operator confirmed that lb2 is off), but lives: lb2 answers for its own address on eth0 (hardware address 52:54:00:00:00:02)"
        ]
    );
    // Nor is it known then that it runs nothing.
    sample.view.groups[0].role = Role::Stopped;
    assert!(texts(&sample)[0].starts_with("web: not active on lb1, and unknown of lb2"));
}

/// At which of the two machines do clients arrive?
#[test]
fn a_third_machine_that_has_a_vip_is_named() {
    let mut sample = Sample::default();
    sample.view.groups[0].rival = Some(crate::core::node::Rival {
        group: WEB,
        at: ago(3000),
        mac: [2, 0, 0, 0, 0, 0xff],
    });
    expect("rival", &sample, Severity::Degraded);
}

/// As the core has it: it would never do it.
#[test]
fn a_peer_that_is_refused_or_stuck_would_not_be_taken_over() {
    let hint = |reason| {
        let mut sample = Sample::default();
        sample.view.groups[0].no_seizure = Some(reason);
        let concern = judge(&sample.status(), NOW).into_iter().next().unwrap();
        assert!(
            concern
                .text
                .starts_with("web: lb1 would not take it over from a dead lb2")
        );
        concern.hint.unwrap()
    };
    assert!(hint(Reason::PeerWasRefused).starts_with("mend why it is refused"));
    assert!(hint(Reason::PeerStopFailed).starts_with("until then it stays down"));
    assert!(hint(Reason::PeerInMaintenance).starts_with("`ha-appliance maintenance off`"));
    assert!(hint(Reason::ProbeUnproven(LAN)).starts_with("it is asked every second"));
}

#[test]
fn one_group_alone() {
    let status = Sample::default().status();
    let (page, _) = render_group(&status, &status.groups[0], NOW, Style::default());
    assert!(
        page.starts_with(
            "web         192.168.10.80/24, 192.168.10.83/24: active on lb1 for 2 h 0 m\n"
        ),
        "{page}"
    );
}

#[test]
fn a_wide_name_leaves_the_columns_alone() {
    let mut sample = Sample::default();
    sample.names.groups[0].name = "customer-portal".into();
    let (page, _) = render(&sample.status(), NOW, Style::default());
    assert!(
        page.contains(
            "\ncustomer-portal\n            192.168.10.80/24, 192.168.10.83/24: active on lb1"
        ),
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

#[test]
fn a_stop_that_takes_long_says_until_when() {
    let mut sample = Sample::default();
    let group = &mut sample.view.groups[0];
    (group.role, group.since) = (Role::Stopping, ago(14_000));
    group.reason = Reason::Operator;
    group.resources[1].state = ResourceState::Stopping;
    group.resources[1].until = Some(ago(-46_000));
    let status = sample.status();
    let concern = &judge(&status, NOW)[0];
    assert_eq!(
        concern.text,
        "web: not active, stopping on lb1 for 14 s: the operator asked for it"
    );
    let until = "service nginx.service has 46 s more at most, and is killed then";
    assert!(concern.hint.as_ref().unwrap().starts_with(until));
    // The other node reads the same.
    let told = crate::shell::status::Said::of(&status.groups[0]);
    let mut sample = Sample::default();
    let group = &mut sample.view.groups[0];
    group.role = Role::Stopped;
    group.peer = Some((Role::Stopping, Readiness::Able));
    sample.told = vec![told];
    let concern = &judge(&sample.status(), NOW)[0];
    assert!(concern.text.starts_with("web: not active, stopping on lb2"));
    assert!(concern.hint.as_ref().unwrap().starts_with(until));
}

#[test]
fn what_is_left_of_a_failed_stop_is_named_on_both_nodes() {
    let mut sample = Sample::default();
    let group = &mut sample.view.groups[0];
    let left = "nginx.service does not stop: 173 (nginx, state D)";
    (group.role, group.reason) = (Role::Failed, Reason::ResourceFailed(NGINX, left.into()));
    let here = sample.status();
    let told = crate::shell::status::Said::of(&here.groups[0]);
    let mut sample = Sample::default();
    let group = &mut sample.view.groups[0];
    group.role = Role::Stopped;
    group.peer = Some((Role::Failed, Readiness::Impaired));
    sample.told = vec![told];
    for (status, node) in [(here, "lb1"), (sample.status(), "lb2")] {
        let text = &judge(&status, NOW)[0].text;
        let begin = format!("web: a stop failed on {node}, so what runs there is not known: ");
        assert!(text.starts_with(&begin) && text.ends_with(left), "{text}");
    }
}

#[test]
fn that_both_ran_it_is_said_when_all_is_well_again() {
    let mut sample = Sample::default();
    let most = Duration::from_millis(13_400);
    let (yields, sure) = (false, true);
    let report = crate::core::event::Report {
        group: Some(sample.view.groups[0].id),
        change: crate::core::event::Change::Notice,
        reason: Reason::BothRan { most, yields, sure },
    };
    let words = sample.names.reason(&report.reason, report.group);
    sample.course.follow(&report, &words, |_| true, ago(60_000));
    let concern = &judge(&sample.status(), NOW)[0];
    assert_eq!(concern.severity, Severity::Degraded);
    assert_eq!(
        concern.text,
        "web: ran on both nodes at once, for at most 13.4 s: lb1 keeps it, and lb2 gives it up (1 m 0 s ago)"
    );
}

#[test]
fn an_address_of_one_file_alone_is_served_by_nobody() {
    let mut sample = Sample::default();
    let group = &mut sample.view.groups[0];
    (group.role, group.token.holder) = (Role::Stopped, crate::wire::heartbeat::Side::Second);
    group.peer = Some((Role::Active, Readiness::Able));
    sample.view.peer.drift = true;
    let file = |vips: &[&str]| {
        let path = |vip: &&str| (format!("group web, vip {vip}/24: vip"), 1);
        vips.iter().map(path).collect()
    };
    let both = ["192.168.10.80", "192.168.10.83"];
    sample.settings = Some([file(&both), file(&both[..1])]);
    let status = sample.status();
    let nobody = "web: vip 192.168.10.83/24 is served by nobody: lb2 runs the group, and its ha.toml does not list that";
    assert!(judge(&status, NOW).iter().any(|c| c.text == nobody));
    let (page, _) = render_group(&status, &status.groups[0], NOW, Style::default());
    let headline = "\nweb         192.168.10.80/24: active on lb2, by its word; stopped on lb1\n";
    assert!(page.contains(headline), "{page}");
}

/// In characters, of which names and spans may have any number.
const WIDTH: usize = 80;

fn of_length(name: &str, length: usize) -> String {
    name.chars().cycle().take(length).collect()
}

proptest::proptest! {
    #[test]
    fn no_line_is_longer_than_a_terminal(
        lengths in (1usize..=64, 1usize..=64, 1usize..=64, 1usize..=15),
        (seconds, silence) in (0i64..200_000_000, 0i64..200_000_000),
        states in (0usize..7, 0usize..5, 0usize..5),
        flags: [bool; 8],
        reason in "[a-z /.]{0,300}",
    ) {
        let (first, second, group, interface) = lengths;
        let mut sample = Sample::default();
        sample.names.cluster = of_length("cluster-", group);
        sample.names.nodes = [of_length("node-a.", first), of_length("node-b.", second)];
        sample.names.groups[0].name = of_length("group_", group);
        sample.names.vifs[0].1 = of_length("enp3s0f", interface);
        sample.daemon.software = of_length("0.1.0-rc", first);
        sample.daemon.config = format!("/etc/{}", of_length("dir", 3 * second));
        let view = &mut sample.view;
        view.peer.state = [
            PeerState::Unknown,
            PeerState::Alive,
            PeerState::OneWay,
            PeerState::Refused,
            PeerState::Left,
            PeerState::Silent,
            PeerState::Fenced,
        ][states.0];
        view.peer.reason = Reason::ResourceFailed(VIPS, reason.clone());
        view.peer.detection = Duration::from_millis(seconds as u64 / 7);
        view.peer.software = of_length("10.20.30-", group);
        view.peer.drift = flags[0];
        let roles = [Role::Stopped, Role::Starting, Role::Active, Role::Stopping, Role::Failed];
        let it = &mut view.groups[0];
        it.role = roles[states.1];
        it.peer = flags[1].then_some((roles[states.2], Readiness::Impaired));
        it.reason = Reason::ResourceFailed(NGINX, reason);
        it.fail_count = u16::from(flags[2]) * 999;
        it.stopped = flags[3];
        view.maintenance = flags[4];
        view.standby = [flags[5], flags[6]];
        view.leaving = flags[7];
        (view.peer.since, it.since) = (ago(1000 * silence), ago(1000 * seconds));
        view.peer.last_heard = Some(ago(1000 * silence));
        view.gateways[0].since = ago(1000 * seconds);
        view.gateways[0].state = [GatewayState::Good, GatewayState::Lost][usize::from(flags[0])];
        sample.daemon.started_us = ago(1000 * seconds).0;
        let (page, _) = render(&sample.status(), NOW, Style::default());
        for line in page.lines() {
            proptest::prop_assert!(line.chars().count() <= WIDTH, "{line}\n{page}");
        }
    }
}

/// In the table of nodes an ordinary pair has one line a node, however long it is up.
#[test]
fn a_node_has_a_line() {
    for seconds in [1, 59, 600, 3599, 80_000, 86_399, 40_000_000] {
        let mut sample = Sample::default();
        sample.names.nodes = ["lb-east".into(), "lb-west".into()];
        sample.view.peer.since = ago(1000 * seconds);
        sample.daemon.started_us = ago(1000 * seconds).0;
        let rows = nodes(&sample.status(), NOW);
        let longest = rows.iter().map(|row| row.chars().count()).max();
        assert!(longest <= Some(WIDTH - 12), "{rows:?}");
    }
}

/// One reason, once: what keeps a group from running on both nodes is not repeated beside that it runs nowhere.
#[test]
fn why_a_group_runs_nowhere_is_said_once() {
    let mut sample = Sample::default();
    let web = &mut sample.view.groups[0];
    web.role = Role::Stopped;
    web.readiness = Readiness::Unable;
    web.facts = vec![Fact::Unready(NGINX)];
    web.waiting = Some(Reason::Fact(Fact::Unready(NGINX)));
    web.peer = Some((Role::Stopped, Readiness::Unable));
    web.resources[1].unready = Some("its disk is Attaching".into());
    web.resources[1].state = ResourceState::Stopped;
    let why = "service nginx.service cannot run on lb2 now: its disk is Attaching";
    sample.told = vec![Said {
        group: "web".into(),
        facts: vec![why.into()],
        waiting: Some(why.into()),
        ..Said::default()
    }];
    let texts: Vec<String> = (judge(&sample.status(), NOW).into_iter())
        .map(|concern| concern.text)
        .collect();
    assert_eq!(
        texts,
        [format!(
            "web: runs nowhere: service nginx.service cannot run on lb1 now: its disk is Attaching; on lb2: {why}"
        )]
    );
}
