//! A healthy pair, for the tests of this room.

use super::build::build;
use super::{Answers, Daemon, Facts, Fencing, GroupNames, Names, PathNames, Refused, Said, Status};
use crate::config::Digests;
use crate::core::gateway::GatewayState;
use crate::core::peer::PeerState;
use crate::core::reason::Reason;
use crate::core::time::Time;
use crate::core::view::{
    GatewayView, GroupView, PathView, PeerView, ResourceState, ResourceView, View, VifView,
};
use crate::id::{GatewayId, GroupId, Place, ResourceId, VifId};
use crate::shell::aside::End;
use crate::shell::course::Course;
use crate::shell::services::{CheckView, ServiceView};
use crate::wire::heartbeat::{Readiness, Role, Side, Token};
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) const LAN: VifId = VifId(1);
pub(crate) const WEB: GroupId = GroupId(2);
pub(crate) const VIPS: ResourceId = ResourceId(3);
pub(crate) const NGINX: ResourceId = ResourceId(4);

/// Where nginx stands.
pub(crate) fn nginx_place() -> Place {
    Place {
        group: WEB,
        resource: NGINX,
    }
}

/// The moment in which the samples are taken.
pub(crate) const NOW: Time = Time(1_000_000_000_000);

/// So many milliseconds before [`NOW`].
pub(crate) fn ago(ms: i64) -> Time {
    Time(NOW.0 - ms * 1000)
}

/// What a status is made of.
pub(crate) struct Sample {
    pub(crate) view: View,
    pub(crate) names: Names,
    pub(crate) daemon: Daemon,
    pub(crate) counters: BTreeMap<&'static str, u64>,
    pub(crate) answers: Answers,
    pub(crate) services: BTreeMap<Place, ServiceView>,
    pub(crate) amiss: BTreeMap<Place, String>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) told: Vec<Said>,
    pub(crate) differences: Vec<String>,
    pub(crate) settings: Option<[Digests; 2]>,
    pub(crate) peer_amiss: Vec<String>,
    pub(crate) peer_ends: Vec<End>,
    pub(crate) peer_ended: Option<Time>,
    pub(crate) clock_ahead_ms: Option<i64>,
    pub(crate) fencing: Option<Fencing>,
    pub(crate) course: Course,
}

impl Sample {
    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            view: &self.view,
            names: &self.names,
            daemon: &self.daemon,
            counters: &self.counters,
            answers: &self.answers,
            services: &self.services,
            amiss: &self.amiss,
            refused: &self.refused,
            adopted: &[],
            course: &self.course,
            told: &self.told,
            words: 0,
            differences: &self.differences,
            settings: self.settings.as_ref().map(|[mine, theirs]| (mine, theirs)),
            peer_amiss: &self.peer_amiss,
            peer_ends: &self.peer_ends,
            peer_ended: self.peer_ended,
            silence: None,
            clock_ahead_ms: self.clock_ahead_ms,
            fencing: self.fencing.as_ref(),
        }
    }

    pub(crate) fn status(&self) -> Status {
        build(
            &self.facts(),
            NOW,
            "2026-11-20T07:14:29.123Z".into(),
            "boot".into(),
        )
    }
}

impl Default for Sample {
    fn default() -> Sample {
        let hours = |h: i64| ago(h * 3_600_000);
        let path = PathView {
            heard: Some(ago(40)),
            in_ok: true,
            out_ok: Some(true),
        };
        let path_names = |place: usize, own: &str, peer: &str| PathNames {
            own: own.into(),
            peer: peer.into(),
            last_resort: place == 2,
            place,
            hindered: None,
        };
        Sample {
            view: View {
                me: Side::First,
                peer: PeerView {
                    state: PeerState::Alive,
                    since: hours(3),
                    reason: Reason::PeerHeard,
                    last_heard: Some(ago(40)),
                    detection: Duration::from_millis(500),
                    paths: vec![path; 3],
                    software: "0.1.0".into(),
                    drift: false,
                    signs: Vec::new(),
                    waited_for: None,
                },
                maintenance: false,
                standby: [false; 2],
                leaving: false,
                state_unwritable: None,
                gateways: vec![GatewayView {
                    id: GatewayId {
                        vif: LAN,
                        address: [192, 168, 10, 1].into(),
                    },
                    state: GatewayState::Good,
                    since: hours(3),
                }],
                vifs: vec![VifView {
                    id: LAN,
                    carrier: true,
                    probe_proven: true,
                }],
                groups: vec![GroupView {
                    id: WEB,
                    role: Role::Active,
                    since: hours(2),
                    reason: Reason::Complete,
                    token: Token {
                        epoch: 4,
                        holder: Side::First,
                    },
                    facts: Vec::new(),
                    readiness: Readiness::Able,
                    peer: Some((Role::Stopped, Readiness::Able)),
                    refused_role: None,
                    adopted: false,
                    answered_by_peer: None,
                    rival: None,
                    no_seizure: None,
                    waiting: None,
                    retry_at: None,
                    fail_count: 0,
                    peer_fail_count: 0,
                    stopped: false,
                    failback_held: false,
                    resources: vec![
                        resource(VIPS, ResourceState::Running),
                        resource(NGINX, ResourceState::Running),
                    ],
                }],
            },
            names: Names {
                cluster: "edge-lb".into(),
                nodes: ["lb1".into(), "lb2".into()],
                me: Side::First,
                paths: vec![
                    path_names(0, "10.1.1.1", "10.1.1.2"),
                    path_names(1, "192.168.10.81", "192.168.10.82"),
                    path_names(2, "192.168.10.81 on eth0", "192.168.10.82"),
                ],
                vifs: vec![(LAN, "eth0".into())],
                absent: Vec::new(),
                unasked: Vec::new(),
                groups: vec![GroupNames {
                    id: WEB,
                    name: "web".into(),
                    vips: vec!["192.168.10.80/24".into(), "192.168.10.83/24".into()],
                    resources: vec![
                        (VIPS, "2 vips from 192.168.10.80/24".into()),
                        (NGINX, "service nginx.service".into()),
                    ],
                }],
            },
            daemon: Daemon {
                pid: 4711,
                incarnation: "00000000deadbeef".into(),
                order_signal: 34,
                software: "0.1.0".into(),
                config: "/etc/ha-appliance/ha.toml".into(),
                generation: 1,
                reload_error: None,
                unloaded: None,
                ended: false,
                started_us: hours(3).0,
                notices: Vec::new(),
                warnings: Vec::new(),
            },
            counters: BTreeMap::from([("received", 216_000), ("sent", 216_002)]),
            answers: Answers::default(),
            services: BTreeMap::from([(nginx_place(), nginx())]),
            amiss: BTreeMap::new(),
            refused: Vec::new(),
            told: Vec::new(),
            differences: Vec::new(),
            settings: None,
            peer_amiss: Vec::new(),
            peer_ends: Vec::new(),
            peer_ended: None,
            clock_ahead_ms: None,
            fencing: None,
            course: Course::default(),
        }
    }
}

pub(crate) fn resource(id: ResourceId, state: ResourceState) -> ResourceView {
    ResourceView {
        id,
        state,
        until: None,
        unready: None,
        fail_count: 0,
        failure: String::new(),
        failed_at: None,
        forgotten_at: None,
    }
}

fn nginx() -> ServiceView {
    ServiceView {
        unit: "nginx.service".into(),
        installed: Some(true),
        state: "active (running)".into(),
        runs: Some(true),
        since: Some(ago(7_200_000)),
        main_pid: Some(815),
        check: Some(CheckView {
            at: ago(1500),
            error: None,
            failures: 0,
        }),
        has_check: true,
        notice: None,
        watched: true,
    }
}
