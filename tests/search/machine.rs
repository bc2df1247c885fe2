//! What actions and crashes do to a machine.

use super::data;
use super::defect::Defect;
use super::device;
use super::lan::Lan;
use super::moves::{Crash, Rules, leased};
use super::setup::{GROUPS, ceded, index, indices, lifetime, network};
use super::world::{Doing, ENDLESS, Letter, Resource, World};
use ha_appliance::core::event::Action;
use ha_appliance::core::record::Record;
use ha_appliance::id::{GroupId, Place};
use ha_appliance::wire::heartbeat::{Heartbeat, Role, Side};
use std::sync::Arc;

/// Carries an action out. `lost`: which heartbeat is lost if there are too many.
pub fn carry_out(world: &mut World, side: Side, action: &Action, lost: usize, rules: &Rules) {
    match action {
        Action::Send(heartbeat) => send(world, side, heartbeat, lost, rules),
        Action::Persist(record) => {
            let seat = world.seat_mut(side);
            seat.writing = Some(Arc::new(record.clone()));
            seat.fresh = true;
        }
        Action::Look(place) => begin_work(world, side, *place, Doing::Look, rules),
        Action::Start(place, right) => {
            data::starts(world, side, index(place.group), *right);
            begin_work(world, side, *place, Doing::Start, rules);
            world.seat_mut(side).groups[index(place.group)].by_right = true;
        }
        Action::Stop(place) => begin_work(world, side, *place, Doing::Stop, rules),
        Action::Cede(place) => begin_work(world, side, *place, Doing::Cede, rules),
        Action::Part(place) => begin_work(world, side, *place, Doing::Part, rules),
        Action::Renew { group, forever } => {
            let it = &mut world.seat_mut(side).groups[index(*group)].resources[0];
            lease(it, rules);
            if *forever {
                it.left = ENDLESS;
            }
        }
        Action::Mark(group, started) => {
            world.seat_mut(side).groups[index(*group)].mark = started.clone()
        }
        Action::Device { ask, .. } => device::ask(world, side, *ask, rules),
        Action::Note(count) => world.seat_mut(side).noted = Some(*count),
        _ => {}
    }
}

/// What is asked of, or told to, the clients' networks; they answer before anything else happens.
pub fn ask_lans(world: &mut World, side: Side, action: &Action, rules: &Rules) {
    for (at, lan) in world.lans.0.into_iter().enumerate() {
        ask(world, side, action, (at, lan), rules);
    }
}

fn ask(world: &mut World, side: Side, action: &Action, (at, lan): (usize, Lan), rules: &Rules) {
    let other = side.other();
    let joined = |group: &GroupId| lan.joined() && rules.bounds.stands_on(index(*group), at);
    match action {
        Action::Ping { gateway, .. } if gateway.vif == network(at) => {
            let reached = match rules.defect {
                Some(Defect::BlindProbe) => true,
                Some(Defect::AllNetworks) => {
                    (world.lans.0[..rules.bounds.networks].iter()).all(|lan| lan.reaches(side))
                }
                _ => lan.reaches(side),
            };
            world.seat_mut(side).news[at].pong |= reached;
        }
        Action::Probe(group) if joined(group) && world.seat(other).powered => {
            let group = index(*group);
            let has = leased(group, rules) && world.seat(other).groups[group].resources[0].runs;
            let news = &mut world.seat_mut(side).news[at];
            news.peer = true;
            news.claims[group] |= has;
        }
        Action::Start(place, _) if indices(*place).1 > 0 => {}
        Action::Start(Place { group, .. }, _) | Action::Announce(group)
            if joined(group)
                && leased(index(*group), rules)
                && world.seat(other).mind.is_some() =>
        {
            world.seat_mut(other).news[at].claims[index(*group)] = true;
        }
        _ => {}
    }
}

/// The daemon or its whole machine dies.
pub fn crash(world: &mut World, side: Side, how: Crash, rules: &Rules) {
    if how.power {
        power_off(world, side, how.reached);
    } else {
        die(world, side, how.reached);
        world.seat_mut(side).unattended(rules);
    }
}

pub fn power_off(world: &mut World, side: Side, reached: bool) {
    die(world, side, reached);
    let seat = world.seat_mut(side);
    seat.powered = false;
    (seat.noted, seat.doomed, seat.met) = (None, None, false);
    seat.resources_mut()
        .for_each(|it| *it = Resource::default());
    seat.groups.iter_mut().for_each(|g| g.mark = None);
}

/// The daemon is no more.
pub fn end(world: &mut World, side: Side) {
    let seat = world.seat_mut(side);
    seat.mind = None;
    seat.paused = false;
    seat.writing = None;
    seat.fresh = false;
    for it in seat.resources_mut() {
        (it.doing, it.fresh, it.gone) = (None, false, false);
    }
    seat.groups.iter_mut().for_each(|g| g.role = Role::Stopped);
    (seat.asking, seat.asked) = (false, None);
    seat.promised = [None; GROUPS];
    seat.news = Default::default();
    (seat.seen.spoke, seat.seen.unwritable) = (false, false);
}

/// The disk holds this from now on.
pub fn store(world: &mut World, side: Side, record: Arc<Record>) {
    let goes_back = world.left.rollbacks > 0;
    let seat = world.seat_mut(side);
    if goes_back && *seat.disk != *record {
        seat.older = Some(std::mem::take(&mut seat.disk));
    }
    seat.disk = record;
}

/// The address has a whole lifetime again; one that was gone is back.
pub fn lease(it: &mut Resource, rules: &Rules) {
    (it.runs, it.left, it.ceded) = (true, lifetime(&rules.bounds), 0);
    it.stalled = false;
}

/// It ends by itself soon.
pub fn cede(it: &mut Resource, rules: &Rules) {
    let span = ceded(&rules.bounds);
    it.ceded = span + 1;
    if rules.defect != Some(Defect::LongCede) {
        it.left = span;
    }
}

fn begin_work(world: &mut World, side: Side, place: Place, doing: Doing, rules: &Rules) {
    let (group, resource) = indices(place);
    let it = &mut world.seat_mut(side).groups[group].resources[resource];
    if doing == Doing::Start && rules.bounds.groups[group].leased(resource) {
        lease(it, rules);
    }
    it.runs |= doing == Doing::Start;
    it.fresh = true;
    it.doing = Some(doing);
}

fn send(world: &mut World, side: Side, heartbeat: &Heartbeat, lost: usize, rules: &Rules) {
    let blocked = world.blocked(side);
    let seat = world.seat_mut(side);
    seat.seen.forgetful |= seat.seen.unwritable;
    seat.seen.spoke = true;
    for (local, report) in seat.groups.iter_mut().zip(&heartbeat.groups) {
        (local.token, local.role) = (report.token, report.role);
    }
    if blocked {
        return;
    }
    let waiting = world.waiting(side);
    let letters = &mut world.wire[side as usize];
    if letters.len() - waiting == rules.bounds.letters {
        if lost == rules.bounds.letters {
            return;
        }
        letters.remove(waiting + lost);
    }
    letters.push(Letter::new(heartbeat.clone()));
}

fn die(world: &mut World, side: Side, reached: bool) {
    if let (Some(record), true) = (world.seat_mut(side).writing.take(), reached) {
        store(world, side, record);
    }
    end(world, side);
}
