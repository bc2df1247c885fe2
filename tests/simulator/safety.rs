//! The checker: what must never be, looked at after every change and every passing of time.
//!
//! *Never a VIP on both kernels at once, nor an exclusive service on both machines*, except for the
//! cases named here, each counted only where its precondition holds and only for as long as its bound.
//! By design:
//! - **handed over**: all that the old holder has are addresses that it ceded and has neither renewed
//!   nor started since. Until its living daemon removes them (1.5 s after the cession), and with a dead
//!   one until the kernel ends them, [`CEDED`] and the kernel's fuzz after it.
//!
//! And those that best effort names:
//! - **partition**: for about the detection time neither heartbeats nor ARP could pass from the old
//!   holder (cut, lossy, or its daemon dead or paused), and the old holder did not see that it was
//!   alone (it reached a gateway, or its daemon was dead or paused). Until the loser's living daemon
//!   reads a heartbeat of the winner; with a dead one, until the kernel ends what was last renewed.
//! - **machine paused**: either of them was paused by its hypervisor. Until it runs again and hears
//!   the other.
//! - **stalled**: a daemon was paused between its decision and what it did. Until its next step, or
//!   the first heartbeat it reads.
//!
//! - **left behind** (services only): by the rule for a partition, but that for as long the old holder
//!   had no VIP any more instead of not answering ARP. Best effort asks for nothing else. Until its
//!   living daemon has stopped the service; with a dead one it has no end.
//!
//! With a truthful outside source only *handed over*, *machine paused* and *stalled* count.
//! What a person started by hand counts for nothing.
//!
//! Beside it: tokens (parity, one meaning per epoch, persisted before advertised, no shrinking on a
//! node that forgot nothing), nothing started or renewed without the token and a right, and nothing
//! started or stopped in maintenance.

use super::agents::FUZZ;
use super::machine::{Machine, Pause, Resource};
use super::spell::Spell;
use ha_appliance::core::event::Action;
use ha_appliance::core::reason::Reason;
use ha_appliance::core::setup::CEDED;
use ha_appliance::core::time::Time;
use ha_appliance::wire::heartbeat::{GroupReport, Heartbeat, Role, Side, Token};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the checker knows.
#[derive(Debug)]
pub struct Safety {
    /// The first thing found.
    pub broken: Option<String>,
    /// There is a truthful source of clearance: a partition excuses nothing.
    pub fenced: bool,
    /// The excused overlaps: how many, and the longest, by cause.
    pub excused: BTreeMap<&'static str, (u32, i64)>,
    /// Per group, of its addresses and of its services; or of all of it.
    overlaps: Vec<[Option<Overlap>; 2]>,
    /// The overlap before, and its end: an address deleted by hand and put back interrupts one.
    before: Vec<[Option<(i64, Overlap)>; 2]>,
    /// Its heartbeats cannot reach the other; its ARP answers cannot; it runs, and reaches no gateway.
    silent: [Spell; 2],
    mute: [Spell; 2],
    alone: [Spell; 2],
    asleep: [Spell; 2],
    /// It has no VIP of the group.
    bare: Vec<[Spell; 2]>,
    /// When one of them was in maintenance last.
    maintained: i64,
    /// It said that it cannot write, once.
    unwritable: [bool; 2],
    /// When heartbeats from it began to be held up, and when its daemon started.
    held_up: [Option<i64>; 2],
    born: [i64; 2],
    /// Tokens as last advertised, and the holder that each epoch means: per group.
    tokens: Vec<[Option<Token>; 2]>,
    meanings: Vec<BTreeMap<u64, Side>>,
    /// A disk lost what it had once taken, or could not take what was advertised: equal epochs may differ from then on.
    forgot: bool,
}

/// What of a group must not be on both machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Its addresses.
    Vips,
    /// Its services.
    Services,
    /// Anything exclusive: with a truthful source.
    Any,
}

#[derive(Clone, Debug)]
struct Overlap {
    since: i64,
    /// Who had it before.
    old: usize,
    cause: &'static str,
    /// When each first read a heartbeat that the other sent after the overlap began.
    informed: [Option<i64>; 2],
}

const HANDED_OVER: &str = "handed over";
const LEFT_BEHIND: &str = "left behind";
const PARTITION: &str = "partition";
const MACHINE_PAUSED: &str = "machine paused";
const STALLED: &str = "stalled";

/// From a heartbeat read to the VIP gone.
const REACTION: i64 = 50_000;
/// After its cession a living daemon removes an address by itself.
const OWN_REMOVAL: i64 = 1_500_000;
/// What a clock of another rate may be rounded by.
const INSTANT: Duration = Duration::from_micros(10);
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
            overlaps: vec![[const { None }; 2]; groups],
            before: vec![[const { None }; 2]; groups],
            silent: Default::default(),
            mute: Default::default(),
            alone: Default::default(),
            asleep: Default::default(),
            bare: vec![Default::default(); groups],
            maintained: i64::MIN / 2,
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
            let asleep = |from, to| self.asleep.each_ref().map(|s| s.within(from, to));
            let together = |from: i64, to: i64| to - from - asleep(from, to).iter().sum::<i64>();
            let stranger = self.held_up[1 - m]
                .is_some_and(|at| self.born.iter().any(|b| together(*b, at) <= HEARING));
            self.silent[m].set(now, bad[m] || stranger || !it.awake());
            self.mute[m].set(now, mute || !it.kernel_runs());
            self.asleep[m].set(now, !it.awake());
            self.alone[m].set(now, it.awake() && !(it.gateway && it.carrier));
            for (group, bare) in self.bare.iter_mut().enumerate() {
                bare[m].set(now, it.vip(group).is_none());
            }
        }
    }

    /// A daemon started.
    pub fn started(&mut self, now: i64, m: usize, machine: &Machine) {
        self.born[m] = now;
        if machine.disk.forgot || self.unwritable[m] {
            self.forgot = true;
            self.tokens.iter_mut().for_each(|t| t[m] = None);
        }
    }

    /// A living daemon reads a heartbeat sent then.
    pub fn informs(&mut self, now: i64, m: usize, sent: i64) {
        for overlap in self.overlaps.iter_mut().flatten().flatten() {
            if sent >= overlap.since {
                overlap.informed[m].get_or_insert(now);
            }
        }
    }

    /// A node acts.
    pub fn acts(&mut self, now: i64, m: usize, machines: &[Machine; 2], action: &Action) {
        let found = match action {
            Action::Send(heartbeat) => self.advertises(m, &machines[m], heartbeat),
            Action::Start {
                group, resource, ..
            } => may_start(&machines[m], *group, *resource),
            Action::Stop { .. } | Action::Cede { .. } => may_touch(&machines[m]),
            Action::Renew { group, forever } => may_renew(&machines[m], *group, *forever),
            _ => None,
        };
        if let Some(found) = found {
            self.find(now, found);
        }
    }

    /// Time passed, or something changed.
    pub fn watch(&mut self, now: i64, machines: &[Machine; 2]) {
        if self.overlaps.iter().flatten().any(Option::is_some) && maintained(machines) {
            self.maintained = now;
        }
        let watched: &[What] = match self.fenced {
            true => &[What::Any],
            false => &[What::Vips, What::Services],
        };
        for group in 0..self.overlaps.len() {
            for (slot, what) in watched.iter().enumerate() {
                self.watch_one(now, group, slot, *what, machines);
            }
        }
    }

    fn watch_one(
        &mut self,
        now: i64,
        group: usize,
        slot: usize,
        what: What,
        machines: &[Machine; 2],
    ) {
        let both = machines.iter().all(|m| what.of(m, group).next().is_some());
        match (both, self.overlaps[group][slot].clone()) {
            (false, None) => {}
            (false, Some(overlap)) => {
                self.overlaps[group][slot] = None;
                let longest = &mut self.excused.entry(overlap.cause).or_default();
                longest.0 += 1;
                longest.1 = longest.1.max(now - overlap.since);
                self.before[group][slot] = Some((now, overlap));
            }
            (true, None) => {
                let since = machines.each_ref().map(|m| {
                    let since: Vec<i64> = what.of(m, group).map(|r| r.since).collect();
                    since
                });
                let later = usize::from(since[0].iter().max() <= since[1].iter().max());
                // A service takes its time to start, and is started again in place: the token says who
                // took the group, and the first start when. But the dead take nothing, and a disk that
                // was rolled back says nothing.
                let taker = match (what, machines.each_ref().map(|m| m.node.is_some())) {
                    (What::Services, [true, false]) => 0,
                    (What::Services, [false, true]) => 1,
                    (What::Services, _) if !self.forgot => 1 - self.loser(group),
                    _ => later,
                };
                // The first of the group that it started: a service may have needed its time since.
                let all = What::Any.of(&machines[taker], group).map(|r| r.since);
                let decided = all.min().unwrap_or(now);
                match self.cause(decided, group, what, taker, machines) {
                    Ok(cause) => {
                        self.overlaps[group][slot] = Some(Overlap {
                            since: now,
                            old: 1 - taker,
                            cause,
                            informed: [None; 2],
                        })
                    }
                    Err(why) => match self.before[group][slot].take() {
                        Some((ended, overlap))
                            if overlap.cause != HANDED_OVER && now - ended < INTERRUPTION =>
                        {
                            self.overlaps[group][slot] = Some(overlap)
                        }
                        _ => {
                            self.find(now, format!("{what:?} of group {group} run on both: {why}"))
                        }
                    },
                }
            }
            (true, Some(overlap)) => {
                if let Err(why) = self.goes_on(now, group, what, &overlap, machines) {
                    let cause = overlap.cause;
                    self.find(
                        now,
                        format!("{what:?} of group {group} still run on both ({cause}): {why}"),
                    );
                }
            }
        }
    }

    /// By which exception the taker may have it while the other has it still, decided then.
    fn cause(
        &self,
        now: i64,
        group: usize,
        what: What,
        taker: usize,
        machines: &[Machine; 2],
    ) -> Result<&'static str, String> {
        let other = 1 - taker;
        let (new, old) = (&machines[taker], &machines[other]);
        if what.ceded(old, group).is_some() {
            return Ok(HANDED_OVER);
        }
        let misses = i64::from(old.setup.misses);
        let [mine, theirs] = [new, old].map(|m| m.setup.interval.as_micros() as i64);
        let window = misses * mine.max(theirs) + 300_000;
        // Either may have been stopped between its decision and what it did.
        let late = what
            .of(old, group)
            .any(|r| (old.stalled_until..old.stalled_until + window).contains(&r.since));
        if late || new.stalled_until >= now - window {
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
        let enough = (misses - 2) * mine * 9 / 10;
        let bare = self.bare[group][other].within(now - window, now);
        let mute = self.mute[other].within(now - window, now);
        if what == What::Services && bare > 0 && bare + mute >= enough {
            return Ok(LEFT_BEHIND);
        }
        if mute < enough {
            return Err(format!(
                "the old holder answered ARP until {} ms ago",
                mute / 1000
            ));
        }
        // The old holder counts the other's interval, which differs while only one was reloaded.
        let detection = misses * mine.max(theirs);
        let adopted = self.born[other] >= now - INTERRUPTION; // the kernel ends what it may not renew
        if !adopted
            && self.alone[other].all(now - detection - 250_000, now)
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
        what: What,
        overlap: &Overlap,
        machines: &[Machine; 2],
    ) -> Result<(), String> {
        if overlap.cause == HANDED_OVER {
            return self.is_given_up(now, group, what, overlap, machines);
        }
        let loser = self.loser(group);
        let winner = 1 - loser;
        let it = &machines[loser];
        let vip = it.vip(group);
        let maintained = maintained(machines);
        if matches!(it.paused, Some(Pause::Machine { .. })) || maintained {
            return Ok(());
        }
        if what == What::Services && it.jobs.iter().any(|job| job.group == group) {
            return Ok(()); // being stopped
        }
        let cannot = what.of(it, group).any(|r| r.since <= it.bad_stop);
        if !it.awake() || cannot {
            // A daemon that is gone, or cannot: the kernel's turn.
            return match vip {
                Some(v)
                    if !v.forever
                        && v.until
                            .is_none_or(|until| it.clock.local(now) > until + INSTANT) =>
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
            Some(at)
                if now - at.max(it.worked).max(self.maintained) > REACTION
                    && !quiet(at - HEARING) =>
            {
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
                // What a new daemon found and may not renew, the kernel ends.
                let adopted = self.born[loser] >= now - INTERRUPTION;
                let isolated = !adopted
                    && self.alone[loser].all(now - window, now)
                    && self.silent[winner].all(now - window, now)
                    && self.silent[loser].within(now - window, now) > 0;
                match isolated && vip.is_some_and(|v| v.since <= now - window) {
                    true => Err("the loser is isolated and keeps it".into()),
                    false => Ok(()),
                }
            }
        }
    }

    /// Whether what was handed over is still on its way out.
    fn is_given_up(
        &self,
        now: i64,
        group: usize,
        what: What,
        overlap: &Overlap,
        machines: &[Machine; 2],
    ) -> Result<(), String> {
        let it = &machines[overlap.old];
        if matches!(it.paused, Some(Pause::Machine { .. })) {
            return Ok(());
        }
        let Some(ceded) = what.ceded(it, group) else {
            return Err("the old holder took back what it ceded".into());
        };
        let passed = it.clock.local(now).0 - ceded.0;
        if passed > CEDED.as_micros() as i64 + FUZZ {
            return Err("the kernel did not end what was ceded".into());
        }
        let able = self.asleep[overlap.old].within(now - passed * 2, now) == 0
            && it.bad_stop < now - passed * 2
            && !it.node.as_ref().is_some_and(|n| n.view().maintenance);
        match able && passed > OWN_REMOVAL + REACTION {
            true => Err("the old holder did not remove what it ceded".into()),
            false => Ok(()),
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

impl What {
    fn of<'a>(self, m: &'a Machine, group: usize) -> Box<dyn Iterator<Item = &'a Resource> + 'a> {
        match self {
            What::Vips => Box::new(m.vip(group).into_iter()),
            What::Services => Box::new(m.services(group)),
            What::Any => Box::new(m.exclusive(group)),
        }
    }

    /// When all that the machine has of it was ceded, by its own clock.
    fn ceded(self, m: &Machine, group: usize) -> Option<Time> {
        let ceded: Option<Vec<Time>> = self.of(m, group).map(|r| r.ceded).collect();
        ceded?.into_iter().min()
    }
}

fn maintained(machines: &[Machine; 2]) -> bool {
    let mut nodes = machines.iter().filter_map(|m| m.node.as_ref());
    nodes.any(|n| n.view().maintenance)
}

fn may_touch(machine: &Machine) -> Option<String> {
    let view = machine.node.as_ref()?.view();
    view.maintenance
        .then(|| "something is started or stopped in maintenance".into())
}

fn may_start(machine: &Machine, group: usize, resource: usize) -> Option<String> {
    let view = machine.node.as_ref()?.view();
    if view.maintenance {
        return may_touch(machine);
    }
    if !machine.setup.groups[group].resources[resource].exclusive {
        return None;
    }
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
