//! Each thing once when it goes wrong, and once when it is well again.

use super::super::status::sample::{LAN, NOW, Sample};
use super::*;
use crate::core::reason::Fact;
use crate::shell::aside::End;
use crate::shell::status::Said;
use crate::wire::heartbeat::{Readiness, Role};

fn at(ms: u64) -> Time {
    Time(0) + Duration::from_millis(ms)
}

fn told(tidings: &mut Tidings, ms: u64, sample: &Sample) -> Vec<(Level, String)> {
    let told = tidings.follow(at(ms), subjects(&sample.facts(), NOW));
    told.into_iter().map(|t| (t.level, t.text)).collect()
}

#[test]
fn nothing_is_wrong_with_a_healthy_pair() {
    let sample = Sample::default();
    assert_eq!(told(&mut Tidings::default(), 0, &sample), []);
}

#[test]
fn what_keeps_a_node_from_taking_over_is_told_once() {
    let (mut tidings, mut sample) = (Tidings::default(), Sample::default());
    sample.view.groups[0].role = Role::Stopped;
    sample.view.groups[0].token.holder = sample.view.me.other();
    sample.view.peer.state = PeerState::Silent;
    let of_takeover = |tidings: &mut Tidings, ms, sample: &Sample| {
        let told = tidings.follow(at(ms), subjects(&sample.facts(), NOW));
        let told = told.into_iter().filter(|t| t.change == "takeover");
        told.map(|t| (t.level, t.text)).collect::<Vec<_>>()
    };
    let (vif, group) = (sample.view.vifs[0].id, sample.view.groups[0].id);
    sample.view.peer.signs = vec![crate::core::node::Sign {
        at: NOW,
        kind: crate::core::node::SignKind::Answered(vif, Some(group), [1; 6]),
    }];
    assert_eq!(of_takeover(&mut tidings, 0, &sample), []);
    let text = "lb1 does not take it over: lb2 answers for a VIP of web (such as 192.168.10.80), so it is probably active there";
    assert_eq!(
        of_takeover(&mut tidings, 5000, &sample),
        [(Level::Warn, text.into())]
    );
    assert_eq!(of_takeover(&mut tidings, 9000, &sample), []);
    sample.view.peer.state = PeerState::Alive;
    let over = "lb1 is not kept from taking it over any more, after 10 s";
    assert_eq!(
        of_takeover(&mut tidings, 10_000, &sample),
        [(Level::Info, over.into())]
    );
}

#[test]
fn a_link_is_told_once_when_it_is_lost_and_once_when_it_is_back() {
    let (mut tidings, mut sample) = (Tidings::default(), Sample::default());
    sample.view.peer.paths[0].in_ok = false;
    assert_eq!(told(&mut tidings, 0, &sample), []);
    let lost = "link 10.1.1.2 → 10.1.1.1: nothing comes from lb2 on it";
    assert_eq!(
        told(&mut tidings, 1000, &sample),
        [(Level::Warn, lost.into())]
    );
    assert_eq!(told(&mut tidings, 9000, &sample), []);
    sample.view.peer.paths[0].in_ok = true;
    let back = "link 10.1.1.2 → 10.1.1.1: heard again, after 10 s";
    assert_eq!(
        told(&mut tidings, 10_000, &sample),
        [(Level::Info, back.into())]
    );
    assert_eq!(told(&mut tidings, 11_000, &sample), []);
}

/// Of an interface whose path of last resort is not open there are no names.
#[test]
fn a_path_has_its_own_names() {
    let mut sample = Sample::default();
    sample.names.paths.remove(1);
    sample.view.peer.paths[2].in_ok = false;
    let mut tidings = Tidings::default();
    told(&mut tidings, 0, &sample);
    let lost =
        "path of last resort 192.168.10.82 → 192.168.10.81 on eth0: nothing comes from lb2 on it";
    assert_eq!(
        told(&mut tidings, 1000, &sample),
        [(Level::Warn, lost.into())]
    );
    let status = sample.status();
    let mute: Vec<bool> = status.paths.iter().map(|path| !path.in_ok).collect();
    assert_eq!(mute, [false, true]);
    let concern = &crate::shell::status::judge(&status, NOW)[0];
    assert!(concern.text.starts_with(lost), "{}", concern.text);
    // Where it goes the way of a link, that has said it.
    let mut sample = Sample::default();
    sample.names.paths[2].own = sample.names.paths[1].own.clone();
    sample.view.peer.paths[2].in_ok = false;
    let mut tidings = Tidings::default();
    told(&mut tidings, 0, &sample);
    assert_eq!(told(&mut tidings, 1000, &sample), []);
}

#[test]
fn a_blip_is_no_news() {
    let (mut tidings, mut sample) = (Tidings::default(), Sample::default());
    sample.view.peer.paths[0].out_ok = Some(false);
    assert_eq!(told(&mut tidings, 0, &sample), []);
    sample.view.peer.paths[0].out_ok = Some(true);
    assert_eq!(told(&mut tidings, 900, &sample), []);
}

/// What is told once it has lasted; nothing more is told of it while it lasts.
fn lasting(sample: &Sample) -> Tidings {
    let mut tidings = Tidings::default();
    told(&mut tidings, 0, sample);
    assert_eq!(told(&mut tidings, 20_000, sample).len(), 1);
    assert_eq!(told(&mut tidings, 30_000, sample), []);
    tidings
}

fn silent(sample: &mut Sample, state: PeerState) {
    sample.view.peer.state = state;
    sample.view.groups[0].peer = None;
    for path in &mut sample.view.peer.paths {
        (path.in_ok, path.out_ok) = (false, None);
    }
}

/// Nothing gets through on that path.
fn severed(path: usize) -> Sample {
    let mut sample = Sample::default();
    let path = &mut sample.view.peer.paths[path];
    (path.in_ok, path.out_ok) = (false, Some(false));
    sample
}

/// A peer that is gone has no link that is well again.
#[test]
fn a_lost_link_is_not_heard_again_because_its_peer_is_gone() {
    let lost = severed(0);
    let mut tidings = Tidings::default();
    told(&mut tidings, 0, &lost);
    assert_eq!(told(&mut tidings, 1000, &lost).len(), 1);
    for state in [
        PeerState::Silent,
        PeerState::Left,
        PeerState::Refused,
        PeerState::Unknown,
        PeerState::Fenced,
    ] {
        let mut sample = Sample::default();
        silent(&mut sample, state);
        assert_eq!(told(&mut tidings, 60_000, &sample), [], "{state}");
    }
    // It returns with the link as dead as before, which is known.
    assert_eq!(told(&mut tidings, 90_000, &lost), []);
    let back: Vec<String> = (told(&mut tidings, 120_000, &Sample::default()).into_iter())
        .map(|(_, text)| text)
        .collect();
    assert_eq!(
        back,
        ["link 10.1.1.1 ⇄ 10.1.1.2: heard again in both directions, after 2 m 0 s"]
    );
}

/// One cable, one line: what goes by it in each direction, and the gateway behind it, are no news beside that.
#[test]
fn a_carrier_that_is_lost_is_told_once() {
    let mut lost = severed(1);
    let mut tidings = Tidings::default();
    // By one direction it was seen a moment before the other.
    let mut begun = Sample::default();
    begun.view.peer.paths[1].in_ok = false;
    assert_eq!(told(&mut tidings, 0, &begun), []);
    assert_eq!(told(&mut tidings, 100, &lost), []);
    let severed = "link 192.168.10.81 ⇄ 192.168.10.82: nothing gets through in either direction";
    assert_eq!(
        told(&mut tidings, 1100, &lost),
        [(Level::Warn, severed.into())]
    );
    lost.view.vifs[0].carrier = false;
    lost.view.gateways[0].state = GatewayState::Lost;
    lost.names.paths[1].hindered = Some("eth0: no carrier".into());
    lost.names.paths[2].hindered = Some("eth0: no carrier".into());
    let mut tidings = Tidings::default();
    assert_eq!(told(&mut tidings, 0, &lost), []);
    let carrier = |level, text: &str| [(level, text.to_owned())];
    assert_eq!(
        told(&mut tidings, 1000, &lost),
        carrier(Level::Warn, "eth0: no carrier")
    );
    assert_eq!(told(&mut tidings, 60_000, &lost), []);
    // On the page, too.
    let texts: Vec<String> = (crate::shell::status::judge(&lost.status(), NOW).into_iter())
        .map(|concern| concern.text)
        .collect();
    assert_eq!(texts, ["eth0: no carrier"]);
    // It is plugged in again: what comes back with it has a while to do so.
    lost.view.vifs[0].carrier = true;
    (0..3).for_each(|path| lost.names.paths[path].hindered = None);
    assert_eq!(
        told(&mut tidings, 61_000, &lost),
        carrier(Level::Info, "eth0: carrier is back, after 1 m 1 s")
    );
    assert_eq!(told(&mut tidings, 61_900, &lost), []);
    let mut mended = Sample::default();
    mended.view.gateways[0].state = GatewayState::Lost;
    assert_eq!(told(&mut tidings, 62_000, &mended), []);
    assert_eq!(told(&mut tidings, 64_000, &mended), []);
    let gateway = "gateway 192.168.10.1 on eth0 does not answer";
    assert_eq!(
        told(&mut tidings, 66_000, &mended),
        carrier(Level::Warn, gateway)
    );
}

/// The same on the other node, which is told why: one line, too.
#[test]
fn what_is_amiss_at_the_peers_end_is_told_once() {
    let texts = |sample: &Sample| -> Vec<String> {
        let concerns = crate::shell::status::judge(&sample.status(), NOW).into_iter();
        concerns.map(|concern| concern.text).collect()
    };
    let lines = |sample: &Sample| -> Vec<String> {
        let mut tidings = Tidings::default();
        let told = [0, 1000, 9000].map(|at| told(&mut tidings, at, sample));
        told.into_iter().flatten().map(|(_, text)| text).collect()
    };
    let why = "eth0: no carrier";
    let end = |address: &str, why: &str| End {
        address: address.into(),
        why: why.into(),
    };
    let mut sample = severed(1);
    sample.peer_ends = vec![end("192.168.10.82", why)];
    sample.view.groups[0].peer = Some((Role::Stopped, Readiness::Unable));
    sample.told = vec![Said {
        group: "web".into(),
        facts: vec![why.into()],
        ..Said::default()
    }];
    let once = "lb2 could serve nobody with it: eth0: no carrier";
    assert_eq!(texts(&sample), [format!("web: {once}")]);
    assert_eq!(lines(&sample), [once]);
    // No group stands on the interlink, so it is told with the link.
    let mut sample = severed(0);
    sample.peer_ends = vec![end("10.1.1.2", "eth1: no carrier")];
    let once = "link 10.1.1.1 ⇄ 10.1.1.2: nothing gets through in either direction; lb2 says: eth1: no carrier";
    assert_eq!(lines(&sample), [once]);
    let on_page = texts(&sample);
    assert!(
        on_page.len() == 1 && on_page[0].starts_with(once),
        "{on_page:?}"
    );
}

/// Nobody else may take it, and its cable is out: it runs, and is of no use.
#[test]
fn what_runs_behind_a_dead_cable_serves_nobody() {
    let mut sample = Sample::default();
    sample.view.standby[1] = true;
    sample.view.vifs[0].carrier = false;
    let group = &mut sample.view.groups[0];
    group.peer = Some((Role::Stopped, Readiness::Barred));
    (group.readiness, group.facts) = (Readiness::Unable, vec![Fact::NoCarrier(LAN)]);
    let of = |sample: &Sample| {
        let status = sample.status();
        let concern = crate::shell::status::judge(&status, NOW).remove(0);
        let told: Vec<Subject> = super::blocked(&status, NOW).collect();
        assert!(matches!(told[0].standing, Standing::Wrong(_)), "{told:?}");
        (status.verdict, concern.text, concern.hint.unwrap())
    };
    let (verdict, text, hint) = of(&sample);
    assert_eq!(verdict, "blocked");
    assert_eq!(
        text,
        "web: runs on lb1, and serves nobody there: eth0: no carrier"
    );
    assert!(
        hint.starts_with("`ip link show eth0`")
            && hint.ends_with("`ha-appliance online lb2` lets lb2 take it"),
        "{hint}"
    );
    // As the other node sees it.
    let mut sample = Sample::default();
    sample.view.standby[0] = true;
    let group = &mut sample.view.groups[0];
    (group.role, group.readiness) = (Role::Stopped, Readiness::Barred);
    group.facts = vec![Fact::Standby];
    group.peer = Some((Role::Active, Readiness::Unable));
    sample.told = vec![Said {
        group: "web".into(),
        role: "active".into(),
        facts: vec!["eth0: no carrier".into()],
        ..Said::default()
    }];
    let (verdict, text, _) = of(&sample);
    assert_eq!(verdict, "blocked");
    assert_eq!(
        text,
        "web: runs on lb2, and serves nobody there: eth0: no carrier"
    );
}

/// It serves, and by one leg: who reads the other node's page is to know.
#[test]
fn what_impairs_the_node_that_serves_is_told_on_the_other() {
    let mut sample = Sample::default();
    let group = &mut sample.view.groups[0];
    (group.role, group.token.holder) = (Role::Stopped, crate::wire::heartbeat::Side::Second);
    group.peer = Some((Role::Active, Readiness::Impaired));
    let fact = "drbd r0 is impaired on lb2: the disk below /dev/drbd1 failed there or was detached";
    sample.told = vec![Said {
        group: "web".into(),
        role: "active".into(),
        facts: vec![fact.into()],
        ..Said::default()
    }];
    let concerns = crate::shell::status::judge(&sample.status(), NOW);
    let texts: Vec<&str> = concerns
        .iter()
        .map(|concern| concern.text.as_str())
        .collect();
    assert_eq!(texts, [format!("web: lb2 serves it, impaired: {fact}")]);
}

/// A gateway that this machine keeps from asking is not known to answer or not: why it is not asked is all that is said.
#[test]
fn what_cannot_be_asked_is_not_said_not_to_answer() {
    let mut sample = Sample::default();
    sample.view.gateways[0].state = GatewayState::Lost;
    sample.view.groups[0].facts = vec![Fact::GatewayLost(LAN)];
    sample.names.unasked = vec![sample.view.gateways[0].id];
    let why = "pings to gateway 192.168.10.1 are dropped by a filter on this machine; look for it";
    sample.daemon.warnings = vec![why.into()];
    assert_eq!(told(&mut Tidings::default(), 0, &sample), []);
    let status = sample.status();
    let texts: Vec<String> = crate::shell::status::judge(&status, NOW)
        .into_iter()
        .map(|concern| concern.text)
        .collect();
    assert_eq!(texts, [why]);
    let fact = "eth0: the gateway cannot be asked, for pings do not leave lb1";
    assert_eq!(status.groups[0].facts, [fact]);
    let spot = "gateway 192.168.10.1 on eth0 cannot be asked";
    assert_eq!(status.blind_spots(), [spot], "nor is it one that answers");
}

/// What had not lasted when its peer died has not lasted until it is back.
#[test]
fn a_link_has_a_moment_when_its_peer_is_back() {
    let (mut tidings, mut sample) = (Tidings::default(), Sample::default());
    sample.view.peer.paths[0].in_ok = false;
    assert_eq!(told(&mut tidings, 0, &sample), []);
    let mut gone = Sample::default();
    silent(&mut gone, PeerState::Silent);
    assert_eq!(told(&mut tidings, 100, &gone), []);
    assert_eq!(told(&mut tidings, 3_600_000, &sample), []);
    assert_eq!(told(&mut tidings, 3_600_100, &Sample::default()), []);
}

#[test]
fn an_impaired_peer_is_not_able_again_because_nobody_can_judge_it() {
    let mut impaired = Sample::default();
    impaired.view.groups[0].peer = Some((Role::Stopped, Readiness::Impaired));
    let mut tidings = lasting(&impaired);
    let gone = |state| {
        let mut sample = Sample::default();
        silent(&mut sample, state);
        sample
    };
    let mut standby = Sample::default();
    standby.view.standby[1] = true;
    standby.view.groups[0].peer = Some((Role::Stopped, Readiness::Barred));
    let mut stopped = Sample::default();
    stopped.view.groups[0].stopped = true;
    let mut maintenance = Sample::default();
    maintenance.view.maintenance = true;
    let mut active = Sample::default();
    active.view.groups[0].peer = Some((Role::Active, Readiness::Impaired));
    let unjudged = [
        gone(PeerState::Silent),
        gone(PeerState::Left),
        standby,
        stopped,
        maintenance,
        active,
    ];
    for sample in &unjudged {
        assert_eq!(told(&mut tidings, 40_000, sample), []);
    }
    assert_eq!(told(&mut tidings, 50_000, &impaired), [], "it is known");
    assert_eq!(
        told(&mut tidings, 60_000, &Sample::default()),
        [(Level::Info, "lb2 could run it again, after 1 m 0 s".into())]
    );
}

/// In the words of `status`, and its end too.
#[test]
fn a_group_that_nobody_serves_is_an_error_with_advice() {
    let told = |tidings: &mut Tidings, ms: u64, sample: &Sample| -> Vec<(Level, String)> {
        let status = sample.status();
        let told = tidings.follow(at(ms), blocked(&status, NOW).collect());
        told.into_iter().map(|t| (t.level, t.text)).collect()
    };
    let mut tidings = Tidings::default();
    let mut sample = Sample::default();
    silent(&mut sample, PeerState::Silent);
    let group = &mut sample.view.groups[0];
    group.role = Role::Stopped;
    group.waiting = Some(crate::core::reason::Reason::ProbeUnproven(LAN));
    assert_eq!(told(&mut tidings, 0, &sample), []);
    let blocked = "BLOCKED: not active on lb1, and unknown of lb2: eth0: lb2 never answered a probe on the VIP interface, \
                   so its silence proves nothing; look at lb2, and start it; or, only if you have seen with your own eyes \
                   that it is off: `ha-appliance confirm-fenced lb2`";
    assert_eq!(
        told(&mut tidings, 5000, &sample),
        [(Level::Error, blocked.to_owned())]
    );
    // On its way it is not served yet.
    sample.view.groups[0].role = Role::Starting;
    assert_eq!(told(&mut tidings, 8000, &sample), []);
    assert_eq!(
        told(&mut tidings, 9000, &Sample::default()),
        [(Level::Info, "is known to be served, after 9.0 s".to_owned())]
    );
}

#[test]
fn a_group_that_moves_or_waits_for_its_peer_or_is_stopped_is_no_trouble() {
    let blocked = |sample: &Sample| blocked(&sample.status(), NOW).next().unwrap().standing;
    let mut sample = Sample::default();
    assert_eq!(blocked(&sample), Standing::Well);
    sample.view.groups[0].role = Role::Stopping;
    assert_eq!(blocked(&sample), Standing::Under);
    sample.view.groups[0].role = Role::Stopped;
    assert!(matches!(blocked(&sample), Standing::Wrong(_)));
    sample.view.groups[0].stopped = true;
    assert_eq!(blocked(&sample), Standing::NotKnown);
    sample.view.groups[0].stopped = false;
    silent(&mut sample, PeerState::Unknown);
    sample.view.peer.waited_for = Some(crate::shell::status::sample::ago(-7000));
    assert_eq!(blocked(&sample), Standing::NotKnown);
}

#[test]
fn a_group_that_fails_again_and_again_is_told_of_though_no_failure_lasts() {
    let mut tidings = Tidings::default();
    let mut sample = Sample::default();
    let mut told = |ms: u64, role: Role| {
        sample.view.groups[0].role = role;
        let status = sample.status();
        let subjects = blocked(&status, crate::shell::status::sample::NOW).collect();
        let told = tidings.follow(at(ms), subjects);
        told.first().map_or("", |t| {
            if t.level == Level::Error {
                "error"
            } else {
                "other"
            }
        })
    };
    for second in 0..5 {
        assert_eq!(told(1000 * second, Role::Stopped), "");
        assert_eq!(told(1000 * second + 100, Role::Starting), "");
    }
    // It may be the other node's now.
    assert_eq!(told(5000, Role::Stopped), "");
    assert_eq!(told(6000, Role::Stopped), "error");
    assert_eq!(told(7000, Role::Starting), "");
    assert_eq!(told(8000, Role::Stopped), "");
}

#[test]
fn no_takeover_becomes_possible_because_nobody_wants_one() {
    let mut never = Sample::default();
    never.view.groups[0].no_seizure = Some(crate::core::reason::Reason::NoGatewayKnown(LAN));
    let mut tidings = lasting(&never);
    let mut stopped = Sample::default();
    stopped.view.groups[0].stopped = true;
    let mut maintenance = Sample::default();
    maintenance.view.maintenance = true;
    let mut standby = Sample::default();
    standby.view.standby[0] = true;
    let mut leaving = Sample::default();
    leaving.view.leaving = true;
    for sample in [stopped, maintenance, standby, leaving] {
        assert_eq!(told(&mut tidings, 40_000, &sample), []);
    }
    let over = "lb1 could take it over by itself, after 50 s";
    assert_eq!(
        told(&mut tidings, 50_000, &Sample::default()),
        [(Level::Info, over.into())]
    );
}

/// A reload took it out of the file.
#[test]
fn what_is_no_more_in_the_file_is_dropped_without_a_word() {
    let mut sample = Sample::default();
    sample.view.gateways[0].state = GatewayState::Lost;
    sample.view.vifs[0].carrier = false;
    sample.view.groups[0].no_seizure = Some(crate::core::reason::Reason::NoGatewayKnown(LAN));
    sample.view.peer.paths[0].in_ok = false;
    let mut tidings = Tidings::default();
    told(&mut tidings, 0, &sample);
    told(&mut tidings, 20_000, &sample);
    let mut reloaded = Sample::default();
    reloaded.view.gateways.clear();
    reloaded.view.vifs.clear();
    reloaded.view.groups.clear();
    reloaded.names.paths.remove(0);
    assert_eq!(told(&mut tidings, 30_000, &reloaded), []);
    // In another file again it is another thing.
    assert_eq!(told(&mut tidings, 40_000, &Sample::default()), []);
}

#[test]
fn a_gateway_that_comes_and_goes_is_told_once() {
    let mut sample = Sample::default();
    sample.view.gateways[0].state = GatewayState::Lost;
    let mut tidings = Tidings::default();
    assert_eq!(told(&mut tidings, 0, &sample).len(), 1);
    for ms in [1000, 2000, 3000] {
        sample.view.gateways[0].state = GatewayState::Dampened;
        assert_eq!(told(&mut tidings, ms, &sample), []);
        sample.view.gateways[0].state = GatewayState::Lost;
        assert_eq!(told(&mut tidings, ms + 500, &sample), []);
    }
    // Asked anew, as after a reload.
    sample.view.gateways[0].state = GatewayState::Pending;
    assert_eq!(told(&mut tidings, 9000, &sample), []);
    let back = "gateway 192.168.10.1 on eth0 answers again, after 10 s";
    assert_eq!(
        told(&mut tidings, 10_000, &Sample::default()),
        [(Level::Info, back.into())]
    );
}

#[test]
fn files_are_the_same_again_once_the_peer_says_so() {
    let mut sample = Sample::default();
    sample.view.peer.drift = true;
    let mut tidings = lasting(&sample);
    // Whatever its last heartbeat said.
    for drift in [true, false] {
        let mut gone = Sample::default();
        silent(&mut gone, PeerState::Silent);
        gone.view.peer.drift = drift;
        assert_eq!(told(&mut tidings, 40_000, &gone), []);
    }
    let over = "ha.toml is the same on both nodes, after 50 s";
    assert_eq!(
        told(&mut tidings, 50_000, &Sample::default()),
        [(Level::Info, over.into())]
    );
}

#[test]
fn carriers_and_files_are_told() {
    let mut sample = Sample::default();
    sample.view.vifs[0].carrier = false;
    sample.view.peer.drift = true;
    sample.view.groups[0].peer = Some((Role::Stopped, Readiness::Impaired));
    sample.told = vec![crate::shell::status::Said {
        group: "web".into(),
        facts: vec!["eth0: no carrier".into()],
        ..Default::default()
    }];
    sample.view.groups[0].no_seizure = Some(crate::core::reason::Reason::NoGatewayKnown(LAN));
    let mut tidings = Tidings::default();
    assert_eq!(told(&mut tidings, 0, &sample), []);
    let texts: Vec<String> = (told(&mut tidings, 20_000, &sample).into_iter())
        .map(|(_, text)| text)
        .collect();
    assert_eq!(
        texts,
        [
            "eth0: no carrier",
            "ha.toml differs between lb1 and lb2",
            "lb2 is impaired and could not take it over well: eth0: no carrier",
            "lb1 would not take it over from a dead lb2 by itself: eth0: no gateway is known on the VIP interface"
        ]
    );
}

/// What keeps a resource from being asked, or from writing, is in the history as well as on the page.
#[test]
fn what_hinders_a_resource_is_told_when_it_lasts() {
    let (mut tidings, mut sample) = (Tidings::default(), Sample::default());
    let place = crate::shell::status::sample::nginx_place();
    let hinder = |sample: &mut Sample, notice: Option<&str>| {
        sample.services.get_mut(&place).unwrap().notice = notice.map(str::to_owned);
    };
    let cause = "systemctl cannot be run: too many open files";
    for (notice, level, over) in [
        (cause, Level::Warn, "that is over"),
        (
            "I/O FROZEN until it is certain that lb2 writes nothing",
            Level::Error,
            "its I/O goes on",
        ),
    ] {
        hinder(&mut sample, Some(notice));
        assert_eq!(told(&mut tidings, 0, &sample), []);
        let text = format!("service nginx.service: {notice}");
        assert_eq!(told(&mut tidings, 1000, &sample), [(level, text)]);
        assert_eq!(told(&mut tidings, 5000, &sample), []);
        hinder(&mut sample, None);
        let over = format!("service nginx.service: {over}, after 6.0 s");
        assert_eq!(told(&mut tidings, 6000, &sample), [(Level::Info, over)]);
    }
}

/// Where lb1 cannot write, lb2's page says so too.
#[test]
fn frozen_writes_are_told_to_the_other_node() {
    let mut sample = Sample::default();
    let place = crate::shell::status::sample::nginx_place();
    let notice = "I/O FROZEN until it is certain that lb2 writes nothing";
    sample.services.get_mut(&place).unwrap().notice = Some(notice.into());
    let said = crate::shell::status::Said::of(&sample.status().groups[0]);
    assert_eq!(said.amiss, [format!("service nginx.service: {notice}")]);
}

/// An interface that nobody knows yet has no name to begin with.
#[test]
fn what_is_said_of_an_interface_without_a_name_begins_with_the_thing() {
    let mut sample = Sample::default();
    sample.names.vifs[0].1.clear();
    let why = crate::core::reason::Reason::NoGatewayKnown(LAN);
    let words = sample.names.reason(&why, None);
    assert_eq!(words, "no gateway is known on the VIP interface");
}
