//! What could be known to whom, and when: what excuses an overlap or does not.

use super::super::machine::{Machine, Pause};
use super::super::spell::{MEMORY, Spell};
use super::exception::HEARING;
use ha_appliance::core::peer::PeerState;
use std::collections::VecDeque;

/// How soon the kernel ends what a new daemon found and does not renew.
pub const INTERRUPTION: i64 = 3_300_000;

/// Conditions over time, per machine.
#[derive(Debug)]
pub struct Evidence {
    /// Its heartbeats cannot reach the other.
    pub silent: [Spell; 2],
    /// Its daemon is dead or paused.
    pub asleep: [Spell; 2],
    /// Its daemon refuses the other's heartbeats.
    pub refused: [Spell; 2],
    /// Its daemon is paused inside a step.
    pub stalled: [Spell; 2],
    /// Its hypervisor paused it.
    pub vm_paused: [Spell; 2],
    /// Per group: its ARP answers cannot reach the other.
    pub mute: Vec<[Spell; 2]>,
    /// Per group: its daemon runs, reaches no gateway, and has no reason not to fear the other.
    alone: Vec<[Spell; 2]>,
    /// Per group: it has no VIP.
    pub bare: Vec<[Spell; 2]>,
    /// Per group: somebody deleted its VIP, which is not back.
    robbed: Vec<[bool; 2]>,
    /// When its daemon read a heartbeat of the other that was not a replay.
    heard: [VecDeque<i64>; 2],
    /// When heartbeats from it began to be held up, and when its daemon started.
    held_up: [Option<i64>; 2],
    pub born: [i64; 2],
}

impl Evidence {
    pub fn new(groups: usize) -> Evidence {
        let per_group = || vec![Default::default(); groups];
        Evidence {
            silent: Default::default(),
            asleep: Default::default(),
            refused: Default::default(),
            stalled: Default::default(),
            vm_paused: Default::default(),
            mute: per_group(),
            alone: per_group(),
            bare: per_group(),
            robbed: vec![[false; 2]; groups],
            heard: Default::default(),
            held_up: [None; 2],
            born: [0; 2],
        }
    }

    /// Somebody deletes a VIP there. A daemon that sleeps cannot put it back.
    pub fn robs(&mut self, m: usize, group: usize) {
        self.robbed[group][m] = true;
    }

    /// A living daemon reads a heartbeat.
    pub fn hears(&mut self, now: i64, m: usize) {
        self.heard[m].push_back(now);
        while self.heard[m].front().is_some_and(|at| now - at > MEMORY) {
            self.heard[m].pop_front();
        }
    }

    /// When its daemon last read a heartbeat of the other.
    pub fn last_heard(&self, m: usize) -> Option<i64> {
        self.heard[m].back().copied()
    }

    /// Nothing kept the daemon from seeing that it was isolated: it ran, reached no gateway and read no
    /// heartbeat all the time between the two moments.
    pub fn isolated(&self, m: usize, group: usize, from: i64, to: i64) -> bool {
        let next = self.heard[m].partition_point(|at| *at < from);
        let heard = self.heard[m].get(next).is_some_and(|at| *at <= to);
        !heard && self.alone[group][m].all(from, to)
    }

    /// What holds from now on: whose heartbeats cannot pass, and of which group's LANs no ARP.
    pub fn observe(&mut self, now: i64, machines: &[Machine; 2], bad: [bool; 2], mute: &[bool]) {
        for (since, bad) in self.held_up.iter_mut().zip(bad) {
            *since = bad.then(|| since.unwrap_or(now));
        }
        for m in 0..2 {
            let it = &machines[m];
            // A new daemon is believed only once it was challenged, which takes both directions.
            let asleep = |from, to| self.asleep.each_ref().map(|s| s.within(from, to));
            let together = |from: i64, to: i64| to - from - asleep(from, to).iter().sum::<i64>();
            let stranger = self.held_up[1 - m]
                .is_some_and(|at| self.born.iter().any(|b| together(*b, at) <= HEARING));
            self.silent[m].set(now, bad[m] || stranger || !it.awake());
            self.asleep[m].set(now, !it.awake());
            let theirs = machines[1 - m].speaks;
            self.refused[m].set(now, it.awake() && !it.understands(theirs));
            self.stalled[m].set(now, it.paused.is_some() && !it.held.is_empty());
            let vm_paused = matches!(it.paused, Some(Pause::Machine { .. }));
            self.vm_paused[m].set(now, vm_paused);
            let fears = it.node.as_ref().is_some_and(|n| fears(n.peer_state()));
            for (group, mute) in mute.iter().enumerate() {
                let bare = it.vip(group).is_none();
                self.robbed[group][m] &= bare;
                let robbed = self.robbed[group][m] && !it.awake();
                self.mute[group][m].set(now, *mute || robbed || !it.kernel_runs());
                self.alone[group][m].set(now, it.awake() && fears && !it.reaches_any(group));
                self.bare[group][m].set(now, bare);
            }
        }
    }
}

/// A peer that left or was off is not feared until it is heard again; one that is refused is there.
fn fears(peer: PeerState) -> bool {
    match peer {
        PeerState::Unknown | PeerState::Alive | PeerState::OneWay | PeerState::Silent => true,
        PeerState::Refused | PeerState::Left | PeerState::Fenced => false,
    }
}
