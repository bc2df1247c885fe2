//! The checker: what must never be, looked at after every change and every passing of time.
//!
//! *Never a VIP on both kernels at once, nor an exclusive service on both machines*, except for what
//! [`Exception`] names, each counted only where its precondition holds and only for as long as its
//! bound. With a truthful outside source best effort's exceptions do not count. What a person started
//! by hand counts for nothing.
//!
//! Beside it what a node says (`tokens`), does (`conduct`) and keeps (`kept`; over a reload: `super::reload`). `evidence` is what could be known to
//! whom.

mod conduct;
mod evidence;
mod exception;
mod fencing;
mod kept;
mod tokens;

pub use exception::Exception;

use super::machine::{Machine, Resource};
use conduct::maintained;
use evidence::Evidence;
use exception::Case;
pub use fencing::Shots;
use ha_appliance::core::event::{Action, Change, Command, Report};
use ha_appliance::core::reason::Reason;
use ha_appliance::core::time::Time;
use ha_appliance::id::GroupId;
use ha_appliance::wire::heartbeat::Role;
use kept::Kept;
use std::collections::BTreeMap;
use tokens::Tokens;

/// What the checker knows.
#[derive(Debug)]
pub struct Safety {
    /// The first thing found.
    pub broken: Option<String>,
    /// There is an outside source of clearance: a partition excuses nothing.
    pub fenced: bool,
    /// The excused overlaps: how many, and the longest, by cause.
    pub excused: BTreeMap<Exception, (u32, i64)>,
    /// The last clearance that a source gave to it was a lie.
    pub lied_to: [bool; 2],
    groups: Vec<GroupId>,
    /// Per group, of its addresses and of its services; or of all of it.
    overlaps: Vec<[Option<Overlap>; 2]>,
    /// When each last decided to take the group, and by what right.
    decisions: Vec<[Option<(i64, Reason)>; 2]>,
    /// What it starts it starts by that decision.
    starting: Vec<[bool; 2]>,
    evidence: Evidence,
    tokens: Tokens,
    kept: Kept,
    pub shots: Shots,
    /// Devices switch machines off here.
    pub judges_shots: bool,
    /// When one of them was in maintenance last.
    maintained: i64,
}

/// What of a group must not be on both machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Its addresses.
    Vips,
    /// Its services.
    Services,
    /// Anything exclusive: with a truthful source.
    Any,
}

/// A group is on both machines.
#[derive(Clone, Debug)]
pub struct Overlap {
    since: i64,
    /// Who had it before.
    old: usize,
    cause: Exception,
    /// When each first read a heartbeat that the other sent after the overlap began.
    informed: [Option<i64>; 2],
}

impl Safety {
    pub fn new(groups: Vec<GroupId>) -> Safety {
        let (groups, ids) = (groups.len(), groups);
        Safety {
            broken: None,
            fenced: false,
            excused: BTreeMap::new(),
            lied_to: [false; 2],
            groups: ids,
            overlaps: vec![[const { None }; 2]; groups],
            decisions: vec![[const { None }; 2]; groups],
            starting: vec![[false; 2]; groups],
            evidence: Evidence::new(groups),
            tokens: Tokens::default(),
            kept: Kept::default(),
            shots: Shots::default(),
            judges_shots: false,
            maintained: i64::MIN / 2,
        }
    }

    /// What holds from now on: whose heartbeats cannot pass, and of which group's LANs no ARP.
    pub fn observe(&mut self, now: i64, machines: &[Machine; 2], bad: [bool; 2], mute: &[bool]) {
        self.evidence.observe(now, machines, bad, mute);
    }

    /// A daemon started.
    pub fn started(&mut self, now: i64, m: usize, machine: &Machine, boots: bool) {
        self.shots.started(m, boots);
        self.evidence.born[m] = now;
        self.starting.iter_mut().for_each(|s| s[m] = false);
        self.tokens.started(m, machine);
    }

    /// Somebody deletes a VIP.
    pub fn robs(&mut self, m: usize, group: usize) {
        self.evidence.robs(m, group);
    }

    /// A node's configuration no longer names a group, whose token it forgets.
    pub fn forgets(&mut self, m: usize, group: usize) {
        self.tokens.forgets(m, self.groups[group]);
    }

    /// A living daemon reads a heartbeat sent then; a replay was sent before everything.
    pub fn informs(&mut self, now: i64, m: usize, sent: i64) {
        if sent >= 0 {
            self.evidence.hears(now, m);
        }
        for overlap in self.overlaps.iter_mut().flatten().flatten() {
            if sent >= overlap.since {
                overlap.informed[m].get_or_insert(now);
            }
        }
    }

    /// An operator gives an order at that node.
    pub fn ordered(&mut self, m: usize, number: u32, command: Command) {
        self.kept.ordered(m, number, command);
    }

    /// A node acts.
    pub fn acts(&mut self, now: i64, m: usize, machines: &[Machine; 2], action: &Action) {
        self.note_decision(now, m, &machines[m], action);
        if let Action::Answer {
            number, accepted, ..
        } = action
        {
            self.kept.answered(m, *number, *accepted);
        }
        if let Some(found) = self.misconduct(m, &machines[m], action) {
            self.find(now, found);
        }
    }

    /// Time passed, or something changed.
    pub fn watch(&mut self, now: i64, machines: &[Machine; 2]) {
        if self.overlaps.iter().flatten().any(Option::is_some) && maintained(machines) {
            self.maintained = now;
        }
        if let Some(found) = self.kept.broken(machines) {
            self.find(now, found);
        }
        let watched: &[What] = match self.fenced {
            true => &[What::Any],
            false => &[What::Vips, What::Services],
        };
        for group in 0..self.overlaps.len() {
            for (slot, what) in watched.iter().enumerate() {
                self.watch_one(now, (group, slot), *what, machines);
            }
        }
    }

    fn watch_one(
        &mut self,
        now: i64,
        (group, slot): (usize, usize),
        what: What,
        machines: &[Machine; 2],
    ) {
        let both = machines.iter().all(|m| what.of(m, group).next().is_some());
        let over = |overlap: &Overlap| !both || overlap.becomes_another(group, what, machines);
        if let Some(overlap) = self.overlaps[group][slot].take_if(|overlap| over(overlap)) {
            let longest = self.excused.entry(overlap.cause).or_default();
            longest.0 += 1;
            longest.1 = longest.1.max(now - overlap.since);
        }
        match (both, self.overlaps[group][slot].clone()) {
            (false, _) => {}
            (true, None) => {
                let case = self.case(group, what, machines);
                match exception::excuse(self, &case) {
                    Ok((cause, old)) => {
                        self.overlaps[group][slot] = Some(Overlap {
                            since: now,
                            old,
                            cause,
                            informed: [None; 2],
                        })
                    }
                    Err(why) => {
                        self.find(now, format!("{what:?} of group {group} run on both: {why}"))
                    }
                }
            }
            (true, Some(overlap)) => {
                let place = (group, what);
                if let Err(why) = exception::within_bound(self, now, place, &overlap, machines) {
                    let cause = overlap.cause;
                    self.find(
                        now,
                        format!("{what:?} of group {group} still run on both ({cause:?}): {why}"),
                    );
                }
            }
        }
    }

    /// A node decides to take a group: it begins to start it, or takes the token of what it runs already.
    /// What a new daemon finds running it takes only when it starts it again, by right.
    fn note_decision(&mut self, now: i64, m: usize, machine: &Machine, action: &Action) {
        let (group, by) = match action {
            Action::Report(Report {
                group: Some(group),
                change,
                reason,
            }) => {
                let group = machine.group(*group);
                let takes = match change {
                    Change::Role(_, to) => {
                        self.starting[group][m] =
                            *to == Role::Starting && *reason != Reason::FoundRunning;
                        self.starting[group][m]
                    }
                    Change::Token(token) => token.holder as usize == m,
                    _ => false,
                };
                if !takes {
                    return;
                }
                (group, reason.clone())
            }
            Action::Start(place, _) if !self.starting[machine.group(place.group)][m] => {
                let group = machine.group(place.group);
                let (Some(node), Some(place)) = (&machine.node, machine.place(group)) else {
                    return;
                };
                let it = &node.view().groups[place];
                if it.role != Role::Starting || it.reason == Reason::FoundRunning {
                    return;
                }
                self.starting[group][m] = true;
                (group, it.reason.clone())
            }
            _ => return,
        };
        self.decisions[group][m] = Some((now, by));
    }

    /// The one that decided last took it from the other. What it runs may come long after that: a
    /// service needs its time, outlives the daemon that started it, and is started again in place.
    fn case<'a>(&self, group: usize, what: What, machines: &'a [Machine; 2]) -> Case<'a> {
        let at = |m: usize| self.decisions[group][m].as_ref().map(|(at, _)| *at);
        let taker = usize::from(at(0) <= at(1));
        let (decided, by) = self.decisions[group][taker].clone().unzip();
        Case {
            group,
            what,
            taker,
            decided: decided.unwrap_or(0),
            by,
            machines,
        }
    }

    /// Whose token gives way.
    fn loser(&self, group: usize) -> usize {
        self.tokens.loser(self.groups[group])
    }

    fn find(&mut self, now: i64, found: String) {
        self.broken
            .get_or_insert(format!("at {:.6}: {found}", now as f64 / 1e6));
    }
}

impl Overlap {
    /// The old holder took up again what it ceded, by a new decision; or an agent lied since.
    fn becomes_another(&self, group: usize, what: What, machines: &[Machine; 2]) -> bool {
        let lied = |m: usize| what.lied(&machines[m], group).is_some();
        match self.cause {
            Exception::StopLied => !lied(self.old),
            Exception::HandedOver if what.ceded(&machines[self.old], group).is_none() => true,
            _ => lied(0) || lied(1),
        }
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

    /// When the machine was last told that all it has of it were stopped.
    fn lied(self, m: &Machine, group: usize) -> Option<i64> {
        let lied: Option<Vec<i64>> = self.of(m, group).map(|r| r.lied).collect();
        lied?.into_iter().max()
    }
}
