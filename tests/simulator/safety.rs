//! The checker: what must never be, looked at after every change and every passing of time.
//!
//! *Never a VIP on both kernels at once*, except for the cases that best effort names, each counted
//! only where its precondition holds and only for as long as its bound:
//! - **partition**: for about the detection time neither heartbeats nor ARP could pass from the old
//!   holder (cut, lossy, or its daemon dead or paused), and the old holder did not see that it was
//!   alone (it reached a gateway, or its daemon was dead or paused). Until the loser's living daemon
//!   reads a heartbeat of the winner; with a dead one, until the kernel ends what was last renewed.
//! - **machine paused**: either of them was paused by its hypervisor. Until it runs again and hears
//!   the other.
//! - **stalled**: a daemon was paused between its decision and what it did. Until its next step, or
//!   the first heartbeat it reads.
//!
//! With a truthful outside source only the last two count, and every exclusive resource is watched.
//!
//! Beside it: tokens (parity, one meaning per epoch, persisted before advertised, no shrinking on a
//! node that forgot nothing), and nothing started or renewed without the token and a right.

use super::machine::{Machine, Pause};
use super::spell::Spell;
use ha_appliance::core::event::Action;
use ha_appliance::core::reason::Reason;
use ha_appliance::wire::heartbeat::{GroupReport, Heartbeat, Role, Side, Token};
use std::collections::BTreeMap;

/// What the checker knows.
#[derive(Debug)]
pub struct Safety {
    /// The first thing found.
    pub broken: Option<String>,
    /// There is a truthful source of clearance: a partition excuses nothing.
    pub fenced: bool,
    /// The excused overlaps: how many, and the longest, by cause.
    pub excused: BTreeMap<&'static str, (u32, i64)>,
    overlaps: Vec<Option<Overlap>>,
    /// The overlap before, and its end: an address deleted by hand and put back interrupts one.
    before: Vec<Option<(i64, Overlap)>>,
    /// Its heartbeats cannot reach the other; its ARP answers cannot; it runs, and reaches no gateway.
    silent: [Spell; 2],
    mute: [Spell; 2],
    alone: [Spell; 2],
    asleep: [Spell; 2],
    /// It said that it cannot write, once.
    unwritable: [bool; 2],
    /// When heartbeats from it began to be held up, and when its daemon started.
    held_up: [Option<i64>; 2],
    born: [i64; 2],
    /// Tokens as last advertised, and the holder that each epoch means: per group.
    tokens: Vec<[Option<Token>; 2]>,
    meanings: Vec<BTreeMap<u64, Side>>,
    /// A disk lost what it had once taken: equal epochs may differ from then on.
    forgot: bool,
}

#[derive(Clone, Debug)]
struct Overlap {
    since: i64,
    cause: &'static str,
    /// When each first read a heartbeat that the other sent after the overlap began.
    informed: [Option<i64>; 2],
}

const PARTITION: &str = "partition";
const MACHINE_PAUSED: &str = "machine paused";
const STALLED: &str = "stalled";

/// From a heartbeat read to the VIP gone.
const REACTION: i64 = 50_000;
/// How soon what was interrupted goes on.
const INTERRUPTION: i64 = 3_300_000;
/// How far back a network in order must have been for a heartbeat to have come, a restarted peer's
/// challenge included.
const HEARING: i64 = 1_500_000;

impl Safety {
    pub fn new(groups: usize) -> Safety {
        Safety {
            broken: None,
            fenced: false,
            excused: BTreeMap::new(),
            overlaps: vec![None; groups],
            before: vec![None; groups],
            silent: Default::default(),
            mute: Default::default(),
            alone: Default::default(),
            asleep: Default::default(),
            unwritable: [false; 2],
            held_up: [None; 2],
            born: [0; 2],
            tokens: vec![[None; 2]; groups],
            meanings: vec![BTreeMap::new(); groups],
            forgot: false,
        }
    }

    /// What holds from now on: whose heartbeats, and whether ARP, cannot pass.
    pub fn observe(&mut self, now: i64, machines: &[Machine; 2], bad: [bool; 2], mute: bool) {
        for (since, bad) in self.held_up.iter_mut().zip(bad) {
            *since = bad.then(|| since.unwrap_or(now));
        }
        for m in 0..2 {
            let it = &machines[m];
            // A new daemon is believed only once it was challenged, which takes both directions.
            let stranger =
                self.held_up[1 - m].is_some_and(|at| self.born.iter().any(|b| *b >= at - HEARING));
            self.silent[m].set(now, bad[m] || stranger || !it.awake());
            self.mute[m].set(now, mute || !it.kernel_runs());
            self.asleep[m].set(now, !it.awake());
            self.alone[m].set(now, it.awake() && !(it.gateway && it.carrier));
        }
    }

    /// A daemon started.
    pub fn started(&mut self, now: i64, m: usize, machine: &Machine) {
        self.born[m] = now;
        if machine.disk.forgot {
            self.forgot = true;
            self.tokens.iter_mut().for_each(|t| t[m] = None);
        }
    }

    /// A living daemon reads a heartbeat sent then.
    pub fn informs(&mut self, now: i64, m: usize, sent: i64) {
        for overlap in self.overlaps.iter_mut().flatten() {
            if sent >= overlap.since {
                overlap.informed[m].get_or_insert(now);
            }
        }
    }

    /// A node acts.
    pub fn acts(&mut self, now: i64, m: usize, machines: &[Machine; 2], action: &Action) {
        let found = match action {
            Action::Send(heartbeat) => self.advertises(m, &machines[m], heartbeat),
            Action::Start { group, .. } => may_start(&machines[m], *group),
            Action::Renew { group, forever } => may_renew(&machines[m], *group, *forever),
            _ => None,
        };
        if let Some(found) = found {
            self.find(now, found);
        }
    }

    /// Time passed, or something changed.
    pub fn watch(&mut self, now: i64, machines: &[Machine; 2]) {
        for group in 0..self.overlaps.len() {
            let both = match self.fenced {
                true => machines.iter().all(|m| m.runs_exclusive(group)),
                false => machines.iter().all(|m| m.vip(group).is_some()),
            };
            match (both, self.overlaps[group].clone()) {
                (false, None) => {}
                (false, Some(overlap)) => {
                    self.overlaps[group] = None;
                    let longest = &mut self.excused.entry(overlap.cause).or_default();
                    longest.0 += 1;
                    longest.1 = longest.1.max(now - overlap.since);
                    self.before[group] = Some((now, overlap));
                }
                (true, None) => {
                    if let Some((ended, overlap)) = self.before[group].take()
                        && now - ended < INTERRUPTION
                    {
                        self.overlaps[group] = Some(overlap);
                        continue;
                    }
                    let since = |m: &Machine| {
                        m.kernel[group]
                            .iter()
                            .filter(|r| r.on)
                            .map(|r| r.since)
                            .max()
                    };
                    let taker = if since(&machines[0]) > since(&machines[1]) {
                        0
                    } else {
                        1
                    };
                    match self.cause(now, taker, machines) {
                        Ok(cause) => {
                            let informed = [None; 2];
                            self.overlaps[group] = Some(Overlap {
                                since: now,
                                cause,
                                informed,
                            });
                        }
                        Err(why) => self.find(now, format!("group {group} runs on both: {why}")),
                    }
                }
                (true, Some(overlap)) => {
                    if let Err(why) = self.goes_on(now, group, &overlap, machines) {
                        let cause = overlap.cause;
                        self.find(
                            now,
                            format!("group {group} still runs on both ({cause}): {why}"),
                        );
                    }
                }
            }
        }
    }

    /// By which exception the taker may have it while the other has it still.
    fn cause(
        &self,
        now: i64,
        taker: usize,
        machines: &[Machine; 2],
    ) -> Result<&'static str, String> {
        let other = 1 - taker;
        let (new, old) = (&machines[taker], &machines[other]);
        let misses = i64::from(old.setup.misses);
        let [mine, theirs] = [new, old].map(|m| m.setup.interval.as_micros() as i64);
        let window = misses * mine.max(theirs) + 300_000;
        if new.stalled_until >= now - window {
            return Ok(STALLED);
        }
        if new.vm_paused_until >= now - window {
            return Ok(MACHINE_PAUSED);
        }
        let paused = matches!(old.paused, Some(Pause::Machine { .. }))
            || old.vm_paused_until >= now - window;
        if self.fenced && !paused {
            return Err("a source of clearance was there to prevent it".into());
        }
        let silent = self.silent[other].within(now - window, now);
        // Of a row of heartbeats the first was just before and the last is still under way.
        if silent < (misses - 2) * theirs * 9 / 10 {
            return Err(format!(
                "heartbeats of the old holder passed until {} ms ago",
                silent / 1000
            ));
        }
        let mute = self.mute[other].within(now - window, now);
        if mute < (misses - 2) * mine * 9 / 10 {
            return Err(format!(
                "the old holder answered ARP until {} ms ago",
                mute / 1000
            ));
        }
        let detection = misses * theirs;
        if self.alone[other].all(now - detection - 250_000, now)
            && self.silent[taker].all(now - window, now)
        {
            return Err("the old holder was isolated and must have stopped".into());
        }
        Ok(if paused { MACHINE_PAUSED } else { PARTITION })
    }

    /// Whether an overlap is still within its bound.
    fn goes_on(
        &self,
        now: i64,
        group: usize,
        overlap: &Overlap,
        machines: &[Machine; 2],
    ) -> Result<(), String> {
        let loser = self.loser(group);
        let winner = 1 - loser;
        let it = &machines[loser];
        let vip = it.vip(group);
        let maintained = machines
            .iter()
            .any(|m| m.node.as_ref().is_some_and(|n| n.view().maintenance));
        if matches!(it.paused, Some(Pause::Machine { .. })) || maintained {
            return Ok(());
        }
        if !it.awake() || it.bad_stop >= overlap.since - 100_000 {
            // A daemon that is gone, or cannot: the kernel's turn.
            return match vip {
                Some(v)
                    if !v.forever && v.until.is_none_or(|until| it.clock.local(now) > until) =>
                {
                    Err("the kernel did not end what was not renewed".into())
                }
                _ => Ok(()),
            };
        }
        let told = overlap.informed[loser];
        let quiet = |from: i64| {
            self.silent[winner].within(from, now) + self.asleep[loser].within(from, now) > 0
        };
        match told {
            Some(at) if now - at > REACTION && !quiet(at - HEARING) => {
                Err("the loser was told and keeps it".into())
            }
            None if now - overlap.since > HEARING && !quiet(now - HEARING) => {
                Err("nothing kept the winner from telling".into())
            }
            _ => {
                let misses = i64::from(it.setup.misses);
                let slowest = machines
                    .iter()
                    .map(|m| m.setup.interval.as_micros() as i64)
                    .max()
                    .unwrap();
                let window = misses * slowest + 400_000;
                let isolated = self.alone[loser].all(now - window, now)
                    && self.silent[winner].all(now - window, now)
                    && self.silent[loser].within(now - window, now) > 0;
                match isolated && vip.is_some_and(|v| v.since <= now - window) {
                    true => Err("the loser is isolated and keeps it".into()),
                    false => Ok(()),
                }
            }
        }
    }

    /// Whose token gives way.
    fn loser(&self, group: usize) -> usize {
        match self.tokens[group] {
            [Some(a), Some(b)] if a.epoch != b.epoch => usize::from(a.epoch > b.epoch),
            [Some(a), Some(b)] if a.holder == b.holder => a.holder.other() as usize,
            [Some(_), None] => 1,
            [None, Some(_)] => 0,
            _ => 1,
        }
    }

    fn advertises(&mut self, m: usize, machine: &Machine, heartbeat: &Heartbeat) -> Option<String> {
        for (group, report) in heartbeat.groups.iter().enumerate() {
            let GroupReport { name, token, .. } = *report;
            let durable = machine
                .disk
                .record
                .group(name)
                .map_or(0, |saved| saved.token.epoch);
            if token.epoch > durable && !self.unwritable[m] {
                let view = machine.node.as_ref().map(|n| n.view());
                self.unwritable[m] = view.is_some_and(|v| v.state_unwritable.is_some());
            }
            if token.epoch > durable && !self.unwritable[m] {
                return Some(format!(
                    "token {token} is advertised, the disk has epoch {durable}"
                ));
            }
            let before = self.tokens[group][m].replace(token);
            if before.is_some_and(|b| b.epoch > token.epoch) && !self.unwritable[m] && !self.forgot
            {
                return Some(format!("the token went back to {token}"));
            }
            if token.epoch == 0 {
                continue;
            }
            match self.meanings[group].get(&token.epoch) {
                None if token.epoch % 2 != m as u64 && !self.forgot => {
                    return Some(format!("token {token} has the other node's parity"));
                }
                None => drop(self.meanings[group].insert(token.epoch, token.holder)),
                Some(holder) if *holder != token.holder && !self.forgot => {
                    return Some(format!(
                        "token {token} was minted before for the other node"
                    ));
                }
                Some(_) => {}
            }
        }
        None
    }

    fn find(&mut self, now: i64, found: String) {
        self.broken
            .get_or_insert(format!("at {:.6}: {found}", now as f64 / 1e6));
    }
}

fn may_start(machine: &Machine, group: usize) -> Option<String> {
    let view = machine.node.as_ref()?.view();
    let it = &view.groups[group];
    let right = matches!(
        it.reason,
        Reason::Agreement
            | Reason::BestEffort
            | Reason::Fenced
            | Reason::Confirmed
            | Reason::PeerLeft
    );
    if it.token.holder != view.me {
        return Some(format!("group {group} is started without the token"));
    }
    (it.role != Role::Active && !right)
        .then(|| format!("group {group} is started without a right: {}", it.reason))
}

fn may_renew(machine: &Machine, group: usize, forever: bool) -> Option<String> {
    let view = machine.node.as_ref()?.view();
    let it = &view.groups[group];
    let mine = it.token.holder == view.me || forever;
    (!mine || it.role == Role::Stopped)
        .then(|| format!("group {group} is renewed without the token"))
}
