//! The properties, each with the sentence of the design that it checks.

use super::bounds::Left;
use super::moves::Rules;
use super::setup::{Kind, group as group_id, index, indices, instant_steps, lifetime, probe_steps};
use super::world::{NOW, SIDES, Seat, World};
use ha_appliance::core::Node;
use ha_appliance::core::event::{Action, Ask, Event};
use ha_appliance::core::peer::PeerState;
use ha_appliance::core::protocol::right::Right;
use ha_appliance::core::view::{GroupView, ResourceState, View};
use ha_appliance::wire::heartbeat::{GroupReport, Role, Side, Token};
use std::fmt;
use std::time::Duration;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Property {
    NeverBoth,
    StartedByRight,
    ContestedNeverAgrees,
    RenewedByRight,
    Persisted,
    OwnParity,
    OneHolder,
    StoppedBeforeGrant,
    FailedStopNeverGrants,
    ProvenStopped,
    EpochsGrow,
    HandsOff,
    Barred,
    OneActive,
    TakesOver,
    GrantKept,
    MovesBounded,
    StopsForCause,
    GoodbyeStopped,
    ServerNotShot,
    NeverMutual,
    NoChain,
    Unblocked,
    UnheardNotShot,
    BlindNeverShoots,
    DyingNeverAgreed,
    RefusedIdle,
    ReloadKeeps,
    Rests,
    NewestPromoted,
    NewestSynced,
}

/// A property that does not hold, and how.
#[derive(Clone, Debug)]
pub struct Broken {
    pub property: Property,
    pub how: String,
}

impl Property {
    pub const ALL: [Property; 31] = [
        Property::NeverBoth,
        Property::StartedByRight,
        Property::ContestedNeverAgrees,
        Property::RenewedByRight,
        Property::Persisted,
        Property::OwnParity,
        Property::OneHolder,
        Property::StoppedBeforeGrant,
        Property::FailedStopNeverGrants,
        Property::ProvenStopped,
        Property::EpochsGrow,
        Property::HandsOff,
        Property::Barred,
        Property::OneActive,
        Property::TakesOver,
        Property::GrantKept,
        Property::MovesBounded,
        Property::StopsForCause,
        Property::GoodbyeStopped,
        Property::ServerNotShot,
        Property::NeverMutual,
        Property::NoChain,
        Property::Unblocked,
        Property::UnheardNotShot,
        Property::BlindNeverShoots,
        Property::DyingNeverAgreed,
        Property::RefusedIdle,
        Property::ReloadKeeps,
        Property::Rests,
        Property::NewestPromoted,
        Property::NewestSynced,
    ];

    /// The design's words.
    pub fn sentence(self) -> &'static str {
        match self {
            Property::NeverBoth => {
                "keeps a group of resources running on exactly one of them (§1; given truthful clearance; in an overlapped move both have an address only until the kernel's deadline for the old side's; in best effort but for what `Excused` names)"
            }
            Property::StartedByRight => {
                "A holder starts only in agreement or with clearance against its peer. (§7)"
            }
            Property::ContestedNeverAgrees => {
                "Agreement is a heartbeat of the peer that is not contested (a node says contested from its first step of clearance until that ends) (§7)"
            }
            Property::RenewedByRight => {
                "A node starts a resource of a group, or renews a VIP's lifetime, only while it holds the token (§7); in a planned move the holder stops renewing, announcing and putting back before it grants"
            }
            Property::Persisted => {
                "persisted (fsync) before it is advertised or acted on (§7; if persisting fails, a grant is advertised all the same)"
            }
            Property::OwnParity => {
                "A node mints only epochs of its own parity (first node even, second odd) (§7)"
            }
            Property::OneHolder => "equal epochs mean the same token (§7; while no state is lost)",
            Property::StoppedBeforeGrant => {
                "the holder, everything of the group stopped and that checked, mints a higher epoch for its peer; the loser stops, and only then adopts and advertises the winner's (§7)"
            }
            Property::FailedStopNeverGrants => {
                "A failed stop blocks the group until the node is fenced, rebooted, or `clear` finds everything stopped (§7)"
            }
            Property::ProvenStopped => {
                "this incarnation of the peer has looked at every exclusive resource of the group and found it stopped (in an overlapped move: nothing is left but VIPs that the kernel ends by a deadline) (§7)"
            }
            Property::EpochsGrow => {
                "The higher epoch wins (§7): what a node advertises never falls, over restarts that keep its state"
            }
            Property::HandsOff => {
                "Maintenance: nothing is started, stopped, monitored or seized (§7)"
            }
            Property::Barred => {
                "Hard facts: standby, leaving, stopped by the operator: never runs, the last node neither (§7)"
            }
            Property::OneActive => {
                "exactly one of two nodes (§1): when faults end, within 60 intervals one eligible node runs the group, both agree on the token, and it stays so"
            }
            Property::TakesOver => {
                "seize: the peer fell silent and there is clearance (§7): when one machine is off for good and all else is well, within 60 intervals the other runs the group"
            }
            Property::GrantKept => {
                "the grant rides in every heartbeat until the peer's heartbeat shows that it holds it (§7): when faults end, no token is older than the newest there was"
            }
            Property::StopsForCause => {
                "nobody stops what runs without one of the causes in the table of §5 (§7): without a fault or an order nothing is stopped"
            }
            Property::GoodbyeStopped => "Left (said goodbye, proven stopped, tokens granted) (§7)",
            Property::ServerNotShot => {
                "no shot at a machine that is heard to serve or still renews a VIP (§7a; where the shooter could see it); fence me: said by a node whose stop failed, after it handed over all else (§7)"
            }
            Property::NeverMutual => {
                "never both off by each other's shot with the defaults, under any loss, lateness, retry, restart (§7a)"
            }
            Property::NoChain => "no chain of shots in one lasting cut (§7a)",
            Property::Unblocked => {
                "BLOCKED ends when a device answers (§7a): when one machine hangs for good, with its power on, within 60 intervals the other runs the group, whatever one network of another group does; but for what `Healer::held` names"
            }
            Property::UnheardNotShot => {
                "no shot at a peer never seen (§7a), which is: in this boot never heard both ways"
            }
            Property::BlindNeverShoots => {
                "for what: a group it could run now (§7): nobody shoots to whom no gateway answers, while one answers the peer"
            }
            Property::DyingNeverAgreed => "nothing agreed with a dying peer (§7a)",
            Property::RefusedIdle => {
                "An authenticated peer that is incompatible is refused, which is not silence: no moves, no seizing, no shooting (§6)"
            }
            Property::ReloadKeeps => {
                "groups and resources are known by an id made from their name: a reload changes nothing that it does not name (§5)"
            }
            Property::Rests => {
                "`deadline()` is a query, early wake-ups are harmless (§5): a daemon that asks to be woken at once has something to do, and then rests, at real-time priority"
            }
            Property::NewestPromoted => {
                "no data older than an acknowledged write is ever promoted by itself (§8)"
            }
            Property::NewestSynced => {
                "no acknowledged write is lost (§8): what meets is synced from the copy that has them all"
            }
            Property::MovesBounded => {
                "Moves are rate-limited (§7): while one fault lasts, a group moves a few times and then ever more rarely"
            }
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}: {}\n  the design says: {}",
            self.property,
            self.how,
            self.property.sentence()
        )
    }
}

impl Rules {
    /// The property does not hold; while a deliberate defect is at work, only what it must break counts.
    pub fn broken(&self, property: Property, how: String) -> Result<(), Broken> {
        match self.only {
            Some(only) if only != property => Ok(()),
            _ => Err(Broken { property, how }),
        }
    }
}

/// Judges an action before it is carried out. `before` is what the machine was before the step.
pub fn action(
    world: &World,
    side: Side,
    before: &Seat,
    node: &Node,
    event: Option<&Event>,
    action: &Action,
    rules: &Rules,
) -> Result<(), Broken> {
    match action {
        Action::Send(heartbeat)
            if heartbeat.goodbye
                && (0..rules.bounds.groups.len()).any(|g| world.seat(side).keeps(g)) =>
        {
            rules.broken(
                Property::GoodbyeStopped,
                format!("{side:?} says goodbye while something runs"),
            )
        }
        Action::Send(heartbeat) => heartbeat
            .groups
            .iter()
            .enumerate()
            .try_for_each(|(group, report)| said(world, side, group, report, rules)),
        Action::Start(place, right) => {
            let group = index(place.group);
            let in_place = before.groups[group].by_right;
            refused(node, side, (!in_place).then_some(action), rules)?;
            if let (Some(Right::Agreement { .. }), false) = (right, in_place) {
                dying(world, side, rules)?;
            }
            started(world, side, before, node, event, (group, *right), rules)?;
            meddled(side, node, group, action, rules)
        }
        Action::Stop(place) | Action::Cede(place) => {
            // A service that changes groups may have to stop for that.
            let named = rules.bounds.two_lists() && indices(*place).1 > 0;
            if only_reloads(world, rules) && !named {
                let how = format!("{side:?} stops although nothing happened: {action:?}");
                rules.broken(Property::StopsForCause, how)?;
            }
            meddled(side, node, index(place.group), action, rules)
        }
        Action::Renew { group, forever } => {
            let (_, token) = node.stands(*group).expect("it is configured");
            let group = index(*group);
            let ceded = world.seat(side).groups[group].resources[0].ceded > 0;
            if (token.holder != side && !forever) || ceded {
                return rules.broken(
                    Property::RenewedByRight,
                    format!("{side:?} renews group {group} with {token}"),
                );
            }
            Ok(())
        }
        Action::Device { ask: Ask::Off, .. } => shoots(world, side, node, rules),
        _ => Ok(()),
    }
}

/// Judges how a daemon wants to be woken after a step.
pub fn rests(side: Side, node: &Node, rules: &Rules) -> Result<(), Broken> {
    // What is to come at once comes a microsecond later.
    let instant = Duration::from_micros(1);
    let (mut woken, mut at) = (None, NOW);
    for _ in 0..TURNS {
        let node: &Node = woken.as_ref().unwrap_or(node);
        if node.deadline() > at + instant {
            return Ok(());
        }
        at = node.deadline().max(at);
        let mut next = node.clone();
        next.step(at, rules.wakes());
        woken = Some(next);
    }
    let how = format!("{side:?} was woken at once {TURNS} times, and wants to be again");
    rules.broken(Property::Rests, how)
}

/// More than that in a row nothing needs.
const TURNS: usize = 8;

/// Judges an order to switch the other machine off.
fn shoots(world: &World, side: Side, node: &Node, rules: &Rules) -> Result<(), Broken> {
    let (seat, state) = (world.seat(side), node.peer_state());
    if node.view().maintenance {
        let how = format!("{side:?} shoots in maintenance");
        rules.broken(Property::HandsOff, how)?;
    }
    if !seat.disk.fencing.shot {
        let how = format!("{side:?} shoots, and its disk does not know");
        rules.broken(Property::Persisted, how)?;
    }
    // Who gave an order saw what he shoots.
    if node.fence_order().is_some() {
        return Ok(());
    }
    if !seat.met {
        let how = format!("{side:?} shoots what it never heard, its peer {state}");
        rules.broken(Property::UnheardNotShot, how)?;
    }
    if state == PeerState::Refused || idle(world, rules) {
        let how = format!("{side:?} shoots a peer that is there and refused");
        rules.broken(Property::RefusedIdle, how)?;
    }
    let lives = world.node(side.other()).is_some() && world.lans.reaches(side.other());
    let blind = !world.lans.reaches(side) && seat.blind >= instant_steps(&rules.bounds);
    if rules.bounds.networks > 0 && blind && lives {
        let how = format!("{side:?} shoots, and reaches nobody; its peer does");
        rules.broken(Property::BlindNeverShoots, how)?;
    }
    let mut groups = node.view().groups.into_iter().zip(seat.sees);
    let asked = probe_steps(&rules.bounds);
    if groups.any(|(group, sees)| group.role == Role::Stopped && sees >= asked) {
        let how = format!("{side:?} shoots a machine that answers for an address");
        rules.broken(Property::ServerNotShot, how)?;
    }
    let there = world.seat(side.other());
    let serves = |g: usize| {
        let local = &there.groups[g];
        there.keeps(g) && local.by_right && local.role != Role::Failed
    };
    let serving = (0..rules.bounds.groups.len()).any(serves);
    match state.is_heard() && serving || state.is_gone() {
        true => rules.broken(
            Property::ServerNotShot,
            format!("{side:?} shoots its peer, which is {state}"),
        ),
        false => Ok(()),
    }
}

/// Judges a step in which a daemon reloaded its file: whatever that does not name stays as it was. (What runs is
/// asked to run where its group has a new list; and what was merely found running is looked at again.)
pub fn reloaded(before: &Node, node: &Node, rules: &Rules) -> Result<(), Broken> {
    let (was, is) = (before.view(), node.view());
    // What time alone asks for is done in any step.
    let due = before.deadline() <= super::world::NOW;
    let wishes = |view: &View| (view.standby, view.maintenance);
    let group = |g: &GroupView| {
        let first = &g.resources[0];
        (g.id, g.token, g.stopped, g.failback_held, first.fail_count)
    };
    let stands = |g: &GroupView| {
        let state = g.resources[0].state;
        let runs = matches!(state, ResourceState::Running | ResourceState::Starting);
        (g.role, runs)
    };
    let kept = |(a, b): (&GroupView, &GroupView)| {
        let named = rules.bounds.two_lists() && a.role != Role::Active;
        group(a) == group(b) && (named || due || stands(a) == stands(b))
    };
    let mut groups = was.groups.iter().zip(&is.groups);
    match wishes(&was) == wishes(&is) && groups.all(kept) {
        true => Ok(()),
        false => rules.broken(
            Property::ReloadKeeps,
            format!("a reload made of {:?}\n  {:?}", was.groups, is.groups),
        ),
    }
}

/// A pair at rest, and nothing happened to it but reloads. (In a lossy world every heartbeat may be lost.)
fn only_reloads(world: &World, rules: &Rules) -> bool {
    let (bounds, left) = (&rules.bounds, &world.left);
    let others = bounds.left.reloads.checked_sub(left.reloads);
    let others = others.map(|reloads| Left {
        reloads: bounds.left.reloads,
        total: left.total + reloads,
        ..*left
    });
    bounds.settled && !bounds.lossy && others == Some(bounds.left)
}

/// Nothing happened but that node lists became different, or the same again: nothing need be done.
fn idle(world: &World, rules: &Rules) -> bool {
    let reloaded = world.left.reloads < rules.bounds.left.reloads;
    only_reloads(world, rules) && reloaded && !rules.bounds.two_lists()
}

/// Nothing is agreed with a machine of which a device is, or was, asked to switch it off.
fn dying(world: &World, side: Side, rules: &Rules) -> Result<(), Broken> {
    let asked = matches!(world.seat(side.other()).asked, Some((Ask::Off, _)));
    match asked || world.seat(side).doomed.is_some() {
        true => rules.broken(
            Property::DyingNeverAgreed,
            format!("{side:?} starts by agreement, and its machine is about to be switched off"),
        ),
        false => Ok(()),
    }
}

/// Beside a peer that is refused nothing new is begun.
fn refused(node: &Node, side: Side, new: Option<&Action>, rules: &Rules) -> Result<(), Broken> {
    match new {
        Some(action) if node.peer_state() == PeerState::Refused => rules.broken(
            Property::RefusedIdle,
            format!("{side:?} beside a peer that it refuses: {action:?}"),
        ),
        _ => Ok(()),
    }
}

/// Judges a state.
pub fn state(world: &World, rules: &Rules) -> Result<(), Broken> {
    // A service that changes groups is one and the same, and may be left running in a group that is not here.
    let two_files = rules.bounds.two_lists();
    if two_files && world.seats.iter().all(Seat::serves) {
        let how = "both run the service that changed groups".into();
        rules.broken(Property::NeverBoth, how)?;
    }
    for group in 0..rules.bounds.groups.len() {
        let keeps = |s: &Seat| match two_files {
            true => s.groups[group].resources[0].runs,
            false => s.keeps(group),
        };
        if world.seats.iter().all(keeps) {
            let excused = Excused::find(world, group, rules);
            if excused.is_none_or(|why| world.both[group] > why.bound(rules)) {
                let how = format!("both run group {group}, excused: {excused:?}");
                rules.broken(Property::NeverBoth, how)?;
            }
        }
        if world.seats.iter().any(|s| s.seen.forgetful) {
            continue;
        }
        let tokens: Vec<Token> = SIDES
            .into_iter()
            .flat_map(|side| tokens_of(world, side, group))
            .collect();
        for a in &tokens {
            if let Some(b) = tokens
                .iter()
                .find(|b| a.epoch == b.epoch && a.holder != b.holder)
            {
                rules.broken(Property::OneHolder, format!("{a} and {b}"))?;
            }
        }
    }
    Ok(())
}

/// The newest token of a group that anybody said. (A seizure that is written may still be withdrawn.)
pub fn newest(world: &World, group: usize) -> u64 {
    let said = world.seats.iter().map(|s| s.groups[group].token.epoch);
    said.max().unwrap_or(0)
}

/// Why both may run a group without fencing or witness, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excused {
    /// No path is left between the nodes, and each reaches a gateway: neither can know better. Until they
    /// hear each other again, and for a heartbeat interval after.
    Split,
    /// The daemon of one died, paused, or could not delete the address and has not renewed it since, and its
    /// machine reaches neither the other nor a gateway on the clients' network, so that nobody reaches the
    /// address there. Until the kernel ends it.
    CutOff,
    /// One said goodbye or was fenced, came back, and was not heard since by the other, whose machine reaches
    /// neither it nor a gateway on the clients' network: that thinks itself alone, and nobody reaches the address
    /// there. Until they hear each other.
    Returned,
    /// A path between them came back in the very moment of a takeover, after the last probe that went
    /// unanswered. Until the first heartbeat on it, an interval at most.
    JustHealed,
    /// The daemon of one died or paused and left a service running, which no kernel ends: until it is back
    /// and has stopped it.
    LeftBehind,
}

impl Excused {
    /// Which of them it is in this world.
    fn find(world: &World, group: usize, rules: &Rules) -> Option<Excused> {
        if !rules.bounds.best_effort {
            return None;
        }
        let apart = !world.lans.joined() && world.cut != [false; 2];
        if apart && world.lans.split() && rules.bounds.split {
            return Some(Excused::Split);
        }
        let machine = SIDES.into_iter().find_map(|side| {
            let seat = world.seat(side);
            let it = seat.groups[group].resources[0];
            if !world.lans.reaches(side) && !world.lans.joined() {
                let alone = world.node(side).is_some_and(|n| n.peer_state().is_gone());
                if alone && world.blocked(side.other()) {
                    return Some(Excused::Returned);
                }
                if it.stalled {
                    return Some(Excused::CutOff);
                }
            }
            let address = rules.bounds.groups[group].leased(0) && it.runs;
            (seat.seen.left_behind && !address).then_some(Excused::LeftBehind)
        });
        let hear = SIDES.into_iter().any(|side| !world.blocked(side));
        machine.or((rules.heals && hear).then_some(Excused::JustHealed))
    }

    /// For how many time steps.
    fn bound(self, rules: &Rules) -> u8 {
        match self {
            Excused::Split | Excused::Returned | Excused::LeftBehind => u8::MAX,
            Excused::CutOff => lifetime(&rules.bounds),
            Excused::JustHealed => rules.bounds.per_interval as u8 + 1,
        }
    }
}

fn said(
    world: &World,
    side: Side,
    group: usize,
    report: &GroupReport,
    rules: &Rules,
) -> Result<(), Broken> {
    let (seat, other, token) = (world.seat(side), side.other(), report.token);
    let known = seat.groups[group].token;
    let on_disk = seat.disk.groups.get(group).map_or(0, |g| g.highest);
    let granted_all_the_same = seat.seen.unwritable || seat.seen.forgetful && token == known;
    if token.epoch > on_disk && !granted_all_the_same {
        rules.broken(
            Property::Persisted,
            format!("{side:?} advertises {token}, its disk knows {on_disk}"),
        )?;
    }
    if token.epoch < known.epoch && !seat.seen.forgetful {
        rules.broken(
            Property::EpochsGrow,
            format!("{side:?} advertises {token} after {known}"),
        )?;
    }
    if seat.seen.spoke && token != known && idle(world, rules) {
        let how = format!("{side:?} says {token} after {known}, and nothing happened but reloads");
        rules.broken(Property::RefusedIdle, how)?;
    }
    let given = known.holder == side && token.holder == other && token != known;
    // A grant is on disk before the stop, so that a crash between the two comes back with it.
    if given && seat.seen.spoke {
        if seat.keeps(group) {
            rules.broken(
                Property::StoppedBeforeGrant,
                format!("{side:?} gives {token} away while it runs"),
            )?;
        }
        if report.role == Role::Failed {
            rules.broken(
                Property::FailedStopNeverGrants,
                format!("{side:?} gives {token} away after a failed stop"),
            )?;
        }
    }
    if report.proven_stopped && seat.keeps(group) {
        rules.broken(
            Property::ProvenStopped,
            format!("{side:?} says it is stopped while it runs"),
        )?;
    }
    let kept = world.seats.iter().all(|s| !s.seen.forgetful);
    let seen = highest(world, other, group).max(known.epoch);
    if kept && token.epoch > seen && parity(token) != side {
        rules.broken(Property::OwnParity, format!("{side:?} minted {token}"))?;
    }
    Ok(())
}

fn started(
    world: &World,
    side: Side,
    before: &Seat,
    node: &Node,
    event: Option<&Event>,
    (group, right): (usize, Option<Right>),
    rules: &Rules,
) -> Result<(), Broken> {
    let seat = world.seat(side);
    let (_, token) = node.stands(group_id(group)).expect("it is configured");
    let saved = seat.disk.groups.get(group).map(|g| g.token);
    // (A grant withdrawn in this step may still be there: with it the node would know less, not more.)
    if saved.map_or(0, |s| s.epoch) < token.epoch && !(seat.seen.forgetful || seat.seen.unwritable)
    {
        rules.broken(
            Property::Persisted,
            format!("{side:?} starts with {token}, its disk has {saved:?}"),
        )?;
    }
    let state = node.peer_state();
    let silent = matches!(state, PeerState::Silent | PeerState::Unknown);
    let data = rules.bounds.groups[group] == Kind::Data;
    let promised = world.leases[group].is_some_and(|(whose, _)| whose == side) && silent;
    let cleared = state.is_gone() || promised || (rules.bounds.best_effort && silent && !data);
    // What a daemon of this boot started by right is started again in place by the next one.
    // And what it had and nobody was given, beside a peer that takes over by proof only.
    let resumed = matches!(right, Some(Right::Resumed { .. } | Right::Kept))
        && seat.groups[group]
            .mark
            .as_ref()
            .is_some_and(|mark| mark.epoch == token.epoch);
    let earlier = before.groups[group].by_right || before.groups[group].agreed;
    let right = earlier || cleared || resumed;
    if token.holder == side && (right || agreed(event, group, token)) {
        return Ok(());
    }
    let property = match theirs(event, group, token) {
        Some(_) if token.holder == side => Property::ContestedNeverAgrees,
        _ => Property::StartedByRight,
    };
    let role = before.groups[group].role;
    let how = format!("{side:?} starts with {token}, its peer {state} (role before: {role:?})");
    rules.broken(property, how)
}

/// Whether what was heard is the peer's agreement.
pub fn agreed(event: Option<&Event>, group: usize, token: Token) -> bool {
    theirs(event, group, token).is_some_and(|report| !report.contested)
}

/// What of a heartbeat would be agreement, were it not contested.
fn theirs(event: Option<&Event>, group: usize, token: Token) -> Option<GroupReport> {
    let Event::Heartbeat { heartbeat, .. } = event? else {
        return None;
    };
    let report = heartbeat.groups[group];
    (report.token == token && report.proven_stopped).then_some(report)
}

/// The operator said that nobody may do that.
fn meddled(
    side: Side,
    node: &Node,
    group: usize,
    action: &Action,
    rules: &Rules,
) -> Result<(), Broken> {
    if !rules.bounds.wishes {
        return Ok(());
    }
    let view = node.view();
    if view.maintenance {
        let how = format!("{side:?} in maintenance: {action:?}");
        return rules.broken(Property::HandsOff, how);
    }
    let barred = view.standby[side as usize] || view.leaving || view.groups[group].stopped;
    if barred && matches!(action, Action::Start(..)) {
        let how = format!("{side:?} may not run it: {action:?}");
        return rules.broken(Property::Barred, how);
    }
    Ok(())
}

/// Every token of a group that a side wrote or said.
fn tokens_of(world: &World, side: Side, group: usize) -> impl Iterator<Item = Token> + '_ {
    let seat = world.seat(side);
    let records = [Some(&seat.disk), seat.writing.as_ref()]
        .into_iter()
        .flatten();
    let written = records.filter_map(move |r| r.groups.get(group).map(|g| g.token));
    let said = world.wire[side as usize]
        .iter()
        .map(move |l| l.heartbeat.groups[group].token);
    written.chain(said).chain([seat.groups[group].token])
}

fn highest(world: &World, side: Side, group: usize) -> u64 {
    tokens_of(world, side, group)
        .map(|t| t.epoch)
        .max()
        .unwrap_or(0)
}

fn parity(token: Token) -> Side {
    if token.epoch.is_multiple_of(2) {
        Side::First
    } else {
        Side::Second
    }
}
