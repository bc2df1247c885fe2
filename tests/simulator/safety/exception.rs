//! The exceptions to "never on both", one by one: when each holds, and until when.
//!
//! An overlap is judged once by [`excuse`], at the moment at which its taker decided to take the group,
//! and then all the time by [`within_bound`].

use super::super::agents::{FUZZ, PATROL};
use super::super::machine::{Machine, Pause};
use super::super::spell::Spell;
use super::conduct::maintained;
use super::evidence::INTERRUPTION;
use super::{Overlap, Safety, What};
use ha_appliance::core::reason::Reason;
use ha_appliance::core::setup::{CEDED, LIFETIME};
use std::time::Duration;

/// Why a group may be on both machines. Nothing else excuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exception {
    /// By design. *When:* all that the old holder has are addresses that it ceded, and has neither
    /// renewed nor started since. *Until* its living daemon removes them ([`OWN_REMOVAL`]); with a dead
    /// one until the kernel ends them ([`CEDED`]).
    HandedOver,
    /// Best effort. *When:* for about the detection time neither heartbeats nor ARP answers could pass
    /// from the old holder (cut, lossy, or its daemon dead or paused), and it did not see that it was
    /// alone (it reached a gateway, or its daemon was dead or paused, or the other had said goodbye or was
    /// off, when nobody is feared). *Until* the loser's living daemon
    /// read a heartbeat of the winner ([`REACTION`]), which takes [`HEARING`] at most in a network in
    /// order; until it is isolated; with a dead one until the kernel ends what was last renewed, which
    /// has no end in maintenance. A node of another wire version is not understood: it tells nothing.
    Partition,
    /// Best effort, services only. *When:* as for a partition, but for as long the old holder had no VIP
    /// any more instead of not answering for it: best effort asks for nothing else. *Until* its living
    /// daemon has stopped the service; with a dead one it has no end.
    LeftBehind,
    /// Either machine was paused by its hypervisor about when the taker decided. *Until* it runs again
    /// and, as for a partition, hears the other.
    MachinePaused,
    /// Either daemon was paused between its decision and what it did. *Until* its next step, or, as for
    /// a partition, the first heartbeat it reads.
    Stalled,
    /// An agent of either said that it stopped all that is left there, and did not. *Until* the kernel ends
    /// the address ([`LIFETIME`]); until the watch finds the service ([`PATROL`]) and a stop works.
    StopLied,
    /// A source of clearance said that the old holder is off, and it is not. *Until*, as for a
    /// partition, the loser hears the winner.
    DeviceLied,
}

use Exception::*;

/// From a heartbeat read to the VIP gone.
const REACTION: i64 = 50_000;
/// After its cession a living daemon removes an address by itself.
const OWN_REMOVAL: i64 = 1_500_000;
/// What a clock of another rate may be rounded by.
const INSTANT: Duration = Duration::from_micros(10);
/// How far back a network in order must have been for a heartbeat to have come, a restarted peer's
/// challenge included.
pub const HEARING: i64 = 1_500_000;

impl Exception {
    /// One sentence: when, and until when.
    pub fn says(self) -> &'static str {
        match self {
            HandedOver => "handed over while it runs, until removed or ended by the kernel",
            Partition => "neither heartbeats nor ARP passed, until the loser hears the winner",
            LeftBehind => "a service outlived its addresses, until its daemon stops it",
            MachinePaused => "a hypervisor paused a machine, until it hears the other",
            Stalled => "a daemon stood still in a step, until its next",
            StopLied => "a stop said done and was not, until found or ended by the kernel",
            DeviceLied => "a device said off and was not, until the loser hears the winner",
        }
    }
}

/// Who took a group that the other has, and when it decided to.
pub struct Case<'a> {
    pub group: usize,
    pub what: What,
    pub taker: usize,
    pub decided: i64,
    pub by: Option<Reason>,
    pub machines: &'a [Machine; 2],
}

/// The exception by which both have it, and who had it before.
pub fn excuse(known: &Safety, case: &Case) -> Result<(Exception, usize), String> {
    let lied = |m: &usize| case.what.lied(&case.machines[*m], case.group).is_some();
    match [1 - case.taker, case.taker].into_iter().find(lied) {
        Some(old) => Ok((StopLied, old)),
        None => Ok((taken(known, case)?, 1 - case.taker)),
    }
}

/// The exception by which the taker may have it.
fn taken(known: &Safety, case: &Case) -> Result<Exception, String> {
    let Case {
        group,
        what,
        taker,
        decided,
        ..
    } = *case;
    let other = 1 - taker;
    let (new, old) = (&case.machines[taker], &case.machines[other]);
    let evidence = &known.evidence;
    if what.ceded(old, group).is_some() {
        return Ok(HandedOver);
    }
    // The taker counts, by its own configuration.
    let misses = i64::from(new.rhythm.misses.0);
    let [mine, theirs] = [new, old].map(|m| m.rhythm.interval.0);
    let slowest = new.rhythm.interval.1.max(old.rhythm.interval.1);
    let detection = i64::from(old.rhythm.misses.1.max(new.rhythm.misses.1)) * slowest;
    let window = detection + 300_000;
    // About when it decided, or did, what it did.
    let about = |spells: &[Spell; 2], m: usize| {
        let mut deeds = what.of(&case.machines[m], group);
        spells[m].within(decided - window, decided + window) > 0
            || deeds.any(|r| spells[m].within(r.since - window, r.since) > 0)
    };
    if about(&evidence.stalled, other) || about(&evidence.stalled, taker) {
        return Ok(Stalled);
    }
    let vm_paused = |m: usize| {
        let now = matches!(case.machines[m].paused, Some(Pause::Machine { .. }));
        now || about(&evidence.vm_paused, m)
    };
    if vm_paused(taker) {
        return Ok(MachinePaused);
    }
    // What it took by that word it takes back after a failure, too. And who keeps what it had counts on the other
    // having been told the truth.
    let lied = match case.by {
        Some(Reason::Fenced) => known.lied_to[taker],
        Some(Reason::Kept) => known.lied_to[taker] || known.lied_to[other],
        _ => false,
    };
    if lied {
        return Ok(DeviceLied);
    }
    if known.fenced && !vm_paused(other) {
        return Err("a device was there to prevent it".into());
    }
    let since = decided - window;
    let silent = evidence.silent[other].within(since, decided);
    // Of a row of heartbeats the first was just before and the last is still under way.
    if silent < (misses - 2) * theirs * 9 / 10 {
        return Err(format!(
            "heartbeats of the old holder passed until {} ms ago",
            silent / 1000
        ));
    }
    let enough = (misses - 2) * mine * 9 / 10;
    let bare = evidence.bare[group][other].within(since, decided);
    let mute = evidence.mute[group][other].within(since, decided);
    if what == What::Services && bare > 0 && bare + mute >= enough {
        return Ok(LeftBehind);
    }
    if mute < enough {
        return Err(format!(
            "the old holder answered ARP until {} ms ago",
            mute / 1000
        ));
    }
    // The old holder counts the taker's misses of its own interval, whatever its own file says of misses.
    let adopted = is_adopted(known, old, other, group, decided);
    let counted = i64::from(new.rhythm.misses.1) * old.rhythm.interval.1;
    let long = decided - counted - 300_000;
    if !adopted && evidence.isolated(other, group, long, decided) {
        return Err("the old holder was isolated and must have stopped".into());
    }
    Ok(if vm_paused(other) {
        MachinePaused
    } else {
        Partition
    })
}

/// Whether an overlap may go on.
pub fn within_bound(
    known: &Safety,
    now: i64,
    (group, what): (usize, What),
    overlap: &Overlap,
    machines: &[Machine; 2],
) -> Result<(), String> {
    match overlap.cause {
        HandedOver => is_given_up(known, now, (group, what), overlap, machines),
        StopLied => is_found(known, now, (group, what), overlap, machines),
        Partition | LeftBehind | MachinePaused | Stalled | DeviceLied => {
            gives_way(known, now, (group, what), overlap, machines)
        }
    }
}

/// Whether what was handed over is still on its way out.
fn is_given_up(
    known: &Safety,
    now: i64,
    (group, what): (usize, What),
    overlap: &Overlap,
    machines: &[Machine; 2],
) -> Result<(), String> {
    let it = &machines[overlap.old];
    if matches!(it.paused, Some(Pause::Machine { .. })) {
        return Ok(());
    }
    let Some(ceded) = what.ceded(it, group) else {
        return Ok(());
    };
    let passed = it.clock.local(now).0 - ceded.0;
    if passed > CEDED.as_micros() as i64 + FUZZ {
        return Err("the kernel did not end what was ceded".into());
    }
    let able = known.evidence.asleep[overlap.old].within(now - passed * 2, now) == 0
        && it.bad_stop < now - passed * 2
        && !it.node.as_ref().is_some_and(|n| n.view().maintenance);
    match able && passed > OWN_REMOVAL + REACTION {
        true => Err("the old holder did not remove what it ceded".into()),
        false => Ok(()),
    }
}

/// Whether what was said to be stopped may still not have been found.
fn is_found(
    known: &Safety,
    now: i64,
    (group, what): (usize, What),
    overlap: &Overlap,
    machines: &[Machine; 2],
) -> Result<(), String> {
    let it = &machines[overlap.old];
    let Some(lied) = what.lied(it, group) else {
        return Ok(());
    };
    let able = known.evidence.asleep[overlap.old].within(lied, now) == 0
        && !it.node.as_ref().is_some_and(|n| n.view().maintenance)
        && it.bad_stop < lied
        && it.jobs.iter().all(|job| job.group != group);
    // One that was started since is another matter.
    let vip = it
        .vip(group)
        .filter(|v| it.kernel_runs() && v.since <= lied);
    if vip
        .and_then(|v| v.until)
        .is_some_and(|until| it.clock.local(now) > until + INSTANT)
        || vip.is_some() && now - lied > 2 * (LIFETIME.as_micros() as i64 + FUZZ) && able
    {
        return Err("the kernel did not end what was not renewed".into());
    }
    match able && now - lied.max(it.worked) > PATROL.as_micros() as i64 + REACTION {
        true => Err("what was not stopped was not found".into()),
        false => Ok(()),
    }
}

/// Whether the loser may still not know, or cannot act.
fn gives_way(
    known: &Safety,
    now: i64,
    (group, what): (usize, What),
    overlap: &Overlap,
    machines: &[Machine; 2],
) -> Result<(), String> {
    let evidence = &known.evidence;
    let loser = known.loser(group);
    let winner = 1 - loser;
    let it = &machines[loser];
    let vip = it.vip(group);
    if matches!(it.paused, Some(Pause::Machine { .. })) || maintained(machines) {
        return Ok(());
    }
    if what != What::Vips && it.jobs.iter().any(|job| job.group == group) {
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
    let quiet = |from: i64| {
        let deaf = [&evidence.asleep[loser], &evidence.refused[loser]];
        let deaf = deaf.map(|spell| spell.within(from, now));
        evidence.silent[winner].within(from, now) + deaf.iter().sum::<i64>() > 0
    };
    let free = overlap.since.max(it.worked).max(known.maintained);
    if now - free > HEARING + REACTION && !quiet(now - HEARING) {
        return Err("nothing kept the winner from telling".into());
    }
    match overlap.informed[loser] {
        Some(at)
            if now - at.max(it.worked).max(known.maintained) > REACTION && !quiet(at - HEARING) =>
        {
            Err("the loser was told and keeps it".into())
        }
        _ => {
            let misses = i64::from(machines[winner].rhythm.misses.1);
            let window = misses * it.rhythm.interval.1 + 400_000;
            let adopted = is_adopted(known, it, loser, group, now);
            // Beside a device nobody stops for being alone: whoever takes over makes sure that this machine is off.
            let judged = !adopted && !known.fenced;
            let isolated = judged && evidence.isolated(loser, group, now - window, now);
            match isolated && vip.is_some_and(|v| v.since <= now - window) {
                true => Err("the loser is isolated and keeps it".into()),
                false => Ok(()),
            }
        }
    }
}

/// A new daemon found it, and leaves it to the kernel to end what it may not renew: which the kernel does
/// not if the daemon before it was in maintenance, and its wiped disk did not tell.
fn is_adopted(known: &Safety, it: &Machine, m: usize, group: usize, at: i64) -> bool {
    known.evidence.born[m] >= at - INTERRUPTION || it.vip(group).is_some_and(|v| v.forever)
}
