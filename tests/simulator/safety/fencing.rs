//! Shots: at whom, when, and how many (§7a of the design), whatever the policy's text says.
//!
//! Judged by what is true, not by what a daemon believes: whether the other could have been seen to serve, whether
//! the shooter was deaf, and who is off by whose order.

use super::super::machine::{Machine, Pause};
use super::super::spell::Spell;
use super::super::world::World;
use super::Safety;
use ha_appliance::core::event::Action;
use ha_appliance::core::peer::PeerState;
use ha_appliance::core::protocol::right::Right;
use ha_appliance::wire::heartbeat::Role;

/// What is known of them.
#[derive(Debug, Default)]
pub struct Shots {
    /// It ever asked for the other to be switched off.
    pub shot: [bool; 2],
    /// It is off by the other's order.
    pub off: [bool; 2],
    /// Machines switched off since both were last alive to each other.
    since_alive: u32,
    /// Its daemon, or one before in this boot, had the other alive.
    met: [bool; 2],
    /// Per machine: the other's addresses that it does not have itself can be seen from it, by whoever looks.
    sees: [Spell; 2],
    /// Nothing arrives there: neither heartbeats nor ARP nor a gateway's answers.
    deaf: [Spell; 2],
    /// A gateway answered there when that began.
    heard_gateway: [bool; 2],
    /// A gateway answers there.
    reaches: [Spell; 2],
    /// Of some group no gateway answers either machine.
    dark: Spell,
    /// Its clock stood still while a hypervisor paused it, since both were last alive to each other.
    stood_still: bool,
    /// A human switched one on while the other still had to make sure that it was off.
    pub unverified: bool,
    /// Machines switched off in all.
    pub killed: u64,
}

/// For so long somebody must have been seen to serve before nobody has an excuse to shoot him: twice the longest
/// detection time, and a second for what begins then.
const SEEN: i64 = 4_200_000;
/// What was under way when a shooter went deaf may have been read this much later.
const UNDER_WAY: i64 = 1_000;
/// How a router stood for both nodes is known from the last echo, which may be as much older than what was heard last.
const KNOWN: i64 = 10_000_000;

impl Shots {
    pub fn started(&mut self, m: usize, boots: bool) {
        self.off[m] = false;
        self.met[m] &= !boots;
    }
}

impl Safety {
    /// A daemon asks for the other machine to be switched off; `on`: by a device that read on last.
    pub fn shoots(&mut self, now: i64, m: usize, machines: &[Machine; 2], on: bool) {
        self.shots.shot[m] = true;
        let machine = &machines[m];
        let Some(node) = &machine.node else { return };
        let view = node.view();
        let it = &self.shots;
        // The other's silence may be its own deafness.
        let heard = self.evidence.last_heard(m);
        let deaf = heard.is_some_and(|at| it.deaf[m].all(at + UNDER_WAY, now));
        let runs = view
            .groups
            .iter()
            .any(|g| matches!(g.role, Role::Starting | Role::Active) && g.token.holder == view.me);
        let pleads = || {
            let heartbeat = node.peer_heartbeat();
            node.peer_state() == PeerState::Alive && heartbeat.is_some_and(|h| h.fence_me)
        };
        let found = match node.peer_state() {
            PeerState::Silent | PeerState::Unknown if !it.met[m] => {
                "whom it never heard in this boot"
            }
            PeerState::Silent | PeerState::Unknown => "",
            PeerState::Alive if pleads() => "",
            _ => "whom it hears, or knows to be gone",
        };
        let found = match found {
            "" if view.maintenance => "in maintenance",
            "" if !on => "by a device that did not read on",
            "" if !runs && it.sees[m].all(now - SEEN, now) && !pleads() => {
                "who serves where everybody can see it"
            }
            "" if self.is_blind(now, m, machines) && !pleads() => {
                "while it reaches nobody, and the other does"
            }
            "" if !runs && deaf && it.heard_gateway[m] && !pleads() => {
                "while it hears nobody at all"
            }
            found => found,
        };
        if !found.is_empty() {
            self.find(now, format!("{m} shoots somebody {found}"));
        }
    }

    /// No gateway has answered it for as long as an instant is open, and one answers the other, whose daemon runs. (A router
    /// that was dead for both when they last heard each other tells nothing of either.)
    fn is_blind(&self, now: i64, m: usize, machines: &[Machine; 2]) -> bool {
        let setup = &machines[m].setup;
        let open = setup.detection_time(setup.interval);
        let from = now - open.as_micros() as i64 * 11 / 10 - UNDER_WAY;
        let it = &self.shots;
        let there = &machines[1 - m];
        let known = |heard: i64| it.dark.within(heard - KNOWN, heard) == 0;
        it.reaches[m].within(from, now) == 0
            && it.reaches[1 - m].all(from, now)
            && there.awake()
            && there.node.is_some()
            && self.evidence.last_heard(m).is_some_and(known)
    }

    /// A machine goes off by the other's order.
    pub fn killed(&mut self, now: i64, m: usize) {
        let it = &mut self.shots;
        it.off[m] = true;
        it.since_alive += 1;
        it.killed += 1;
        let found = match (it.off, it.since_alive) {
            _ if it.stood_still => return,
            ([true, true], _) => "both are off by each other's order",
            (_, 2..) if !it.unverified => "a second machine is switched off in one cut",
            _ => return,
        };
        self.find(now, found.into());
    }

    /// A node acts while its peer is about to go off by its order.
    pub fn agrees_with_dying(&mut self, now: i64, m: usize, machine: &Machine, action: &Action) {
        if let Action::Start(_, Some(Right::Agreement { .. })) = action
            && !machine.disk.forgot
            && !machine.disk.failed
        {
            self.find(now, format!("{m} starts by agreement with a dying peer"));
        }
    }
}

impl World {
    /// What holds from now on, for what shots are judged by.
    pub fn observe_shots(&mut self) {
        let now = self.now;
        let alive = |m: usize| {
            let node = self.machines[m].node.as_ref();
            node.is_some_and(|n| n.peer_state() == PeerState::Alive)
        };
        let alive = [alive(0), alive(1)];
        for (m, alive) in alive.into_iter().enumerate() {
            let sees = self.sees_service(m);
            let deaf = self.is_deaf(m);
            let hears = self.hears_gateway(m);
            let still = matches!(
                self.machines[m].paused,
                Some(Pause::Machine {
                    clock_stops: true,
                    ..
                })
            );
            let it = &mut self.safety.shots;
            it.met[m] |= alive;
            it.stood_still |= still;
            it.sees[m].set(now, sees);
            it.deaf[m].set(now, deaf);
            it.reaches[m].set(now, hears);
            if !deaf {
                it.heard_gateway[m] = hears;
            }
        }
        let dark = self.is_dark();
        self.safety.shots.dark.set(now, dark);
        if alive == [true, true] {
            let it = &mut self.safety.shots;
            (it.since_alive, it.stood_still, it.unverified) = (0, false, false);
        }
    }

    /// The other has an address that this machine does not have, and on a LAN in order whoever asks here is answered.
    fn sees_service(&self, m: usize) -> bool {
        let (here, there) = (&self.machines[m], &self.machines[1 - m]);
        let lan_works = |vif: usize| {
            let lan = self.topology.lans[vif];
            (0..2).all(|from| !self.wire(lan, from).is_bad())
        };
        let seen = |g: usize| {
            let mut vifs = here.catalogue[g].vifs.iter();
            there.vip(g).is_some() && here.vip(g).is_none() && vifs.any(|v| lan_works(v.0 as usize))
        };
        here.awake() && there.kernel_runs() && (0..here.catalogue.len()).any(seen)
    }

    fn is_deaf(&self, m: usize) -> bool {
        let deaf = |medium: &_| self.wire(*medium, 1 - m).cut;
        self.media.iter().all(deaf) && !self.hears_gateway(m)
    }

    /// Of a group all of whose networks have no gateway, or one that is dead, either node is as good as the other.
    fn is_dark(&self) -> bool {
        let reached = |vif: usize| self.machines.iter().any(|m| m.reaches(vif));
        let mut groups = self.machines[0].catalogue.iter();
        let lans = 0..self.topology.lans.len();
        let lacking = |vif: usize| !self.topology.gateways.contains(&vif);
        groups.any(|g| !g.vifs.iter().any(|vif| reached(vif.0 as usize)))
            || lans.into_iter().any(lacking)
    }

    fn hears_gateway(&self, m: usize) -> bool {
        (0..self.topology.lans.len()).any(|vif| self.machines[m].reaches(vif))
    }
}
