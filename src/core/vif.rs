//! The VIP interfaces: all that is known of each, in one place and by its name.
//!
//! Three questions are answered here. *Is this interface's gateway lost?* ([`Vifs::gateway`]) *Did
//! anything on-link answer since a given moment?* Asked several times an interval once heartbeats are
//! missed ([`Vifs::urgent`]). *Is it the gateway or me?* A loss here counts only after the peer answers for
//! its own gateways of the same interface, by a ping sent later ([`Vifs::loss_confirmed`]): a dead gateway
//! moves nobody.

use super::event::Action;
use super::gateway::{Gateway, GatewayState, badness};
use super::protocol::isolation::pace;
use super::protocol::record::{Record, VifRecord};
use super::setup::{GatewaySetup, Setup};
use super::time::Time;
use crate::id::{GatewayId, VifId};
use crate::wire::heartbeat::{GatewayReport, VifReport};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// All of this node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Vifs {
    vifs: Vec<Vif>,
    /// When the gateways were last asked out of turn.
    urgent_at: Option<Time>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Vif {
    /// Which.
    pub id: VifId,
    /// It has carrier, or has none. None: nobody said yet, as of one that a reload has just named.
    pub carrier: Option<bool>,
    /// What a probe of the peer is judged by.
    pub peer: VifRecord,
    /// What this node tells of it; only passed on.
    own: ([u8; 6], IpAddr),
    gateways: Vec<Gateway>,
    /// When the latest ping was sent that was answered here, by whatever gateway there was then.
    answered: Option<Time>,
    /// Whom its gateways answered when the peer was last heard both ways.
    met: Met,
    /// This node's latest question to the peer.
    asked: u32,
    /// The question stands, for the gateway is lost here; true: every one of several is.
    asking: Option<bool>,
    /// The latest question of this node that the peer answered.
    confirmed: u32,
    /// The peer's latest question, and when it was read.
    question: Option<(u32, Time)>,
    /// The peer's latest question answered.
    replied: u32,
}

/// Whom the gateways of an interface answered when the peer was last heard both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Met {
    /// There was none to ask here, ever since this file is in force; or it was not heard yet.
    #[default]
    Without,
    /// This node, or nobody knew yet.
    Here,
    /// The peer, and not this node.
    There,
    /// Neither.
    Nobody,
}

impl Vifs {
    /// Those of the configuration, with what the disk remembers.
    pub fn new(setup: &Setup, record: &Record) -> Vifs {
        let vifs = setup.vifs.iter().map(|&id| Vif::new(id, record.vif(id)));
        Vifs {
            vifs: vifs.collect(),
            urgent_at: None,
        }
    }

    /// A new configuration: what stays keeps what is known of it, what returns what was.
    pub fn reconcile(&mut self, setup: &Setup, known: &Record) {
        let old = std::mem::take(&mut self.vifs);
        let kept = |id| old.iter().find(|v| v.id == id).cloned();
        let vifs = setup.vifs.iter();
        self.vifs = vifs
            .map(|&id| kept(id).unwrap_or_else(|| Vif::new(id, known.vif(id))))
            .collect();
    }

    /// One of them.
    pub fn find(&self, id: VifId) -> Option<&Vif> {
        self.vifs.iter().find(|v| v.id == id)
    }

    /// The same, to be changed.
    pub fn find_mut(&mut self, id: VifId) -> Option<&mut Vif> {
        self.vifs.iter_mut().find(|v| v.id == id)
    }

    /// All of them.
    pub fn all(&self) -> &[Vif] {
        &self.vifs
    }

    /// What this node tells the peer of them from now on: their hardware addresses and its own addresses.
    pub fn describe(&mut self, reports: &[VifReport]) {
        for vif in &mut self.vifs {
            let told = reports.iter().find(|r| r.id == vif.id);
            vif.own = told.map_or(NOTHING, |r| (r.mac, r.address));
        }
    }

    /// What belongs in a heartbeat.
    pub fn report(&self) -> Vec<VifReport> {
        let report = |vif: &Vif| VifReport {
            id: vif.id,
            mac: vif.own.0,
            address: vif.own.1,
            gateway: GatewayReport {
                asked: vif.asked,
                answered: vif.replied,
                answers: vif.answers(),
            },
        };
        self.vifs.iter().map(report).collect()
    }

    /// What belongs on disk.
    pub fn record(&self) -> Vec<VifRecord> {
        self.vifs.iter().map(|v| v.peer).collect()
    }

    /// The gateways there are now; one that stays keeps its state. True: some are new.
    pub fn replace_gateways(&mut self, now: Time, gateways: &[GatewayId]) -> bool {
        let mut news = false;
        for vif in &mut self.vifs {
            let old = std::mem::take(&mut vif.gateways);
            let here = gateways.iter().filter(|g| g.vif == vif.id);
            let kept = |id: &GatewayId| old.iter().find(|g| g.id == *id).cloned();
            vif.gateways = here
                .map(|id| {
                    kept(id).unwrap_or_else(|| {
                        news = true;
                        Gateway::new(now, *id)
                    })
                })
                .collect();
        }
        news
    }

    /// A gateway answered the ping sent at `stamp`.
    pub fn pong(&mut self, now: Time, gateway: GatewayId, stamp: Time, setup: &GatewaySetup) {
        if stamp > now {
            return; // a forged or foreign stamp
        }
        let Some(vif) = self.find_mut(gateway.vif) else {
            return;
        };
        if let Some(it) = vif.gateways.iter_mut().find(|g| g.id == gateway) {
            it.pong(now, stamp, setup);
            vif.answered = vif.answered.max(Some(stamp));
            vif.answer_question(setup);
        }
    }

    /// The latest ping of a gateway did not leave.
    pub fn unasked(&mut self, gateway: GatewayId) {
        let vif = self.find_mut(gateway.vif);
        let mut gateways = vif.into_iter().flat_map(|vif| &mut vif.gateways);
        if let Some(it) = gateways.find(|g| g.id == gateway) {
            it.unasked();
        }
    }

    /// Sends the pings that are due and counts those that were not answered.
    pub fn tick(&mut self, now: Time, setup: &GatewaySetup, out: &mut Vec<Action>) {
        for vif in &mut self.vifs {
            for gateway in &mut vif.gateways {
                gateway.tick(now, setup, out);
            }
            let lost = vif.state(setup) == Some(GatewayState::Lost);
            let asking = lost.then(|| vif.reaches_none());
            if asking != vif.asking
                && let Some(any_will_do) = asking
            {
                vif.asked = next_question(vif.asked, any_will_do);
            }
            vif.asking = asking;
        }
    }

    /// A gateway was asked and neither answered nor was given up: the group waits for it.
    pub fn pending(&self) -> bool {
        self.gateways().any(|g| g.state == GatewayState::Pending)
    }

    /// Heartbeats are missing, or a first answer is: asks every gateway several times in each
    /// `interval`, so that some answers come through a LAN that loses a third of everything.
    pub fn urgent(&mut self, now: Time, interval: Duration, out: &mut Vec<Action>) {
        let due = self.urgent_at.is_none_or(|at| now >= at + pace(interval));
        if due && self.gateways().next().is_some() {
            self.urgent_at = Some(now);
            out.extend(self.gateways().map(|g| g.ping(now)));
        }
    }

    /// Heartbeats come again.
    pub fn calm(&mut self) {
        self.urgent_at = None;
    }

    /// When [`urgent`](Self::urgent) is next due, if it was begun.
    pub fn urgent_deadline(&self, interval: Duration) -> Option<Time> {
        Some(self.urgent_at? + pace(interval))
    }

    /// When [`tick`](Self::tick) is next due.
    pub fn deadline(&self) -> Option<Time> {
        self.gateways().map(Gateway::deadline).min()
    }

    /// The peer's heartbeat: its interfaces' addresses, its questions, and its answers to ours. A new
    /// question is asked on at once.
    pub fn hear(&mut self, now: Time, reports: &[VifReport], out: &mut Vec<Action>) {
        for report in reports {
            let Some(vif) = self.find_mut(report.id) else {
                continue;
            };
            if vif.peer.mac != report.mac && report.mac != [0; 6] {
                (vif.peer.mac, vif.peer.proven) = (report.mac, false);
            }
            vif.peer.address = Some(report.address).filter(|a| !a.is_unspecified());
            let GatewayReport {
                asked, answered, ..
            } = report.gateway;
            if answered == vif.asked && vif.asked != 0 {
                vif.confirmed = answered;
            }
            let known = vif.question.map_or(0, |(number, _)| number);
            if asked != known {
                vif.question = Some((asked, now));
                if asked != 0 {
                    out.extend(vif.gateways.iter().map(|g| g.ping(now)));
                }
            }
        }
    }

    /// The peer is heard both ways, and says this: whom the gateways answer now is whom they answered before a silence.
    pub fn meet(&mut self, reports: &[VifReport]) {
        for vif in &mut self.vifs {
            let report = reports.iter().find(|report| report.id == vif.id);
            // On a network that its file does not name nobody could answer it.
            let theirs = report.and_then(|report| report.gateway.answers);
            vif.met = match (vif.answers(), theirs) {
                _ if vif.gateways.is_empty() && vif.met == Met::Without => Met::Without,
                (Some(false), Some(true)) => Met::There,
                (Some(false), Some(false)) => Met::Nobody,
                (Some(false), None) => vif.met,
                (Some(true) | None, _) => Met::Here,
            };
        }
    }

    /// The file may name other gateways, or none, and the peer is there to say what it knows of them.
    pub fn meet_anew(&mut self) {
        self.vifs
            .iter_mut()
            .for_each(|vif| vif.met = Met::default());
    }

    /// Whom the gateways of an interface answered when the peer was last heard both ways.
    pub fn met(&self, id: VifId) -> Met {
        self.find(id).map_or(Met::Without, |vif| vif.met)
    }

    /// The peer's daemon restarted: its questions count from the beginning, and it forgot ours.
    pub fn peer_restarted(&mut self) {
        for vif in &mut self.vifs {
            vif.question = None;
            (vif.replied, vif.confirmed) = (0, 0);
        }
    }

    /// The peer reached its gateways on that interface after this node lost its own there.
    pub fn loss_confirmed(&self, id: VifId) -> bool {
        let confirmed = |vif: &Vif| vif.asking.is_some() && vif.confirmed == vif.asked;
        self.find(id).is_some_and(confirmed)
    }

    /// An interface is known to have no carrier.
    pub fn carrier_lost(&self, id: VifId) -> bool {
        self.find(id).is_some_and(|vif| vif.carrier == Some(false))
    }

    /// Of several gateways that are all asked for, some answer.
    pub fn reaches_some(&self, id: VifId) -> bool {
        self.find(id).is_some_and(|vif| !vif.reaches_none())
    }

    /// The state of an interface's gateways; None: it has none.
    pub fn gateway(&self, id: VifId, setup: &GatewaySetup) -> Option<GatewayState> {
        self.find(id)?.state(setup)
    }

    /// Whether an interface has a gateway to ask.
    pub fn has_gateway(&self, id: VifId) -> bool {
        self.find(id).is_some_and(|vif| !vif.gateways.is_empty())
    }

    /// When the latest ping was sent that a gateway on the interface answered.
    pub fn last_answer(&self, id: VifId) -> Option<Time> {
        self.find(id)?.answered
    }

    /// A probe of the peer was once answered on each of them.
    pub fn all_proven(&self) -> bool {
        self.vifs.iter().all(|v| v.peer.proven)
    }

    /// Every gateway, for people.
    pub fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        self.vifs.iter().flat_map(|v| &v.gateways)
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.urgent_at.iter_mut().for_each(&mut *f);
        for vif in &mut self.vifs {
            vif.answered.iter_mut().for_each(&mut *f);
            vif.question.iter_mut().for_each(|(_, at)| f(at));
            vif.gateways.iter_mut().for_each(|g| g.times(f));
        }
    }

    /// Forgets, for a search, what is only shown.
    pub fn forget(&mut self) {
        for vif in &mut self.vifs {
            vif.gateways.iter_mut().for_each(Gateway::forget);
        }
    }
}

/// Of an interface that the shell has not described.
const NOTHING: ([u8; 6], IpAddr) = ([0; 6], IpAddr::V4(Ipv4Addr::UNSPECIFIED));

/// The question after that. Whoever reaches no gateway at all asks for any, by an odd number: a peer that
/// reaches one is better off, though by its own file it may want all.
fn next_question(number: u32, any_will_do: bool) -> u32 {
    (number | 1).wrapping_add(1).max(2) | u32::from(any_will_do)
}

fn asks_for_any(question: u32) -> bool {
    question % 2 == 1
}

impl Vif {
    fn new(id: VifId, saved: Option<VifRecord>) -> Vif {
        Vif {
            id,
            carrier: None,
            peer: saved.unwrap_or(VifRecord {
                id,
                mac: [0; 6],
                proven: false,
                address: None,
            }),
            own: NOTHING,
            gateways: Vec::new(),
            answered: None,
            met: Met::default(),
            asked: 0,
            asking: None,
            confirmed: 0,
            question: None,
            replied: 0,
        }
    }

    /// Somebody there says that an address is at this hardware address: whether it is the peer, whose
    /// silence on a later probe then means something.
    pub fn claimed(&mut self, mac: [u8; 6]) -> bool {
        let of_peer = self.peer.mac == mac && mac != [0; 6];
        self.peer.proven |= of_peer;
        of_peer
    }

    fn state(&self, setup: &GatewaySetup) -> Option<GatewayState> {
        let states = self.gateways.iter().map(|g| g.state);
        match setup.require_all {
            true => states.max_by_key(|s| badness(*s)),
            false => states.min_by_key(|s| badness(*s)),
        }
    }

    fn reaches_none(&self) -> bool {
        let mut gateways = self.gateways.iter();
        gateways.all(|gateway| gateway.state == GatewayState::Lost)
    }

    /// One of its gateways answers; None: that is not known yet. (It has none: none does.)
    fn answers(&self) -> Option<bool> {
        let answers = self.gateways.iter().map(Gateway::answers);
        let best = answers.max_by_key(|it| match it {
            Some(true) => 2,
            None => 1,
            Some(false) => 0,
        });
        best.unwrap_or(Some(false))
    }

    fn answer_question(&mut self, setup: &GatewaySetup) {
        let Some((number, read_at)) = self.question else {
            return;
        };
        let mut after = self.gateways.iter().map(|g| g.answered >= Some(read_at));
        let reached = match setup.require_all && !asks_for_any(number) {
            true => after.all(|a| a),
            false => after.any(|a| a),
        };
        if reached {
            self.replied = number;
        }
    }
}
