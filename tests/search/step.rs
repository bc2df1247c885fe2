//! One thing that happens: the world takes it, the node steps, and what it wants is carried out.

use super::around::around;
use super::boot::new_node;
use super::canonical::{age, renumber};
use super::check::{self, Broken};
use super::data::{self, Ends};
use super::defect::Defect;
use super::device;
use super::machine::{ask_lans, carry_out, cede, crash, end, lease, power_off, store};
use super::moves::{Disk, Move, Order, Rules, What, effect, spend};
use super::setup::{gateway, group as group_id, mac, network, place, setup};
use super::world::{Doing, Mind, NOW, News, Resource, World};
use ha_appliance::core::Node;
use ha_appliance::core::event::{Action, Claimed, Command, Event, Op, Outcome, Presence};
use ha_appliance::core::peer::PeerState;
use ha_appliance::wire::heartbeat::{Role, Side};
use std::sync::Arc;

/// A step taken and not yet carried out.
pub struct Step {
    /// The world before the actions, the event already taken from it.
    pub world: World,
    /// Who stepped; None: nobody.
    pub side: Option<Side>,
    node: Option<Node>,
    /// What was told; of several things the last.
    pub event: Option<Event>,
    pub actions: Vec<Action>,
}

/// Lets it happen; None: it cannot.
pub fn begin(world: &World, what: What, rules: &Rules) -> Option<Step> {
    let mut world = world.clone();
    let (mut boot, mut whim) = (None, None);
    let (side, events) = match what {
        What::Advance
        | What::Slip(_)
        | What::Cut(_)
        | What::Lan(_)
        | What::Promise { .. }
        | What::Slow(_)
        | What::Pause(_)
        | What::Killed { .. }
        | What::Resume(_)
        | What::Crash(..) => {
            around(&mut world, what, rules)?;
            return Some(Step::nobody(world));
        }
        What::Boot { side, disk } => {
            boot = Some(new_node(&mut world, side, disk, rules)?);
            let mut events = vec![];
            if rules.bounds.networks > 0 {
                let networks = 0..rules.bounds.networks;
                let up = |at| Event::Carrier {
                    vif: network(at),
                    up: true,
                };
                events.extend(networks.clone().map(up));
                events.push(Event::Gateways(networks.map(gateway).collect()));
            }
            events.extend(data::wakes(&mut world, side, rules));
            events.push(Event::LinkUp);
            (side, events)
        }
        What::News(side) => (side, news(&mut world, side, rules)),
        What::Tick(side) => (side, vec![rules.wakes()]),
        What::Deliver { from, slot, again } => {
            let letters = &mut world.wire[from as usize];
            let letter = letters.get(slot as usize)?.clone();
            if !again {
                letters.remove(slot as usize);
            }
            let heartbeat = Box::new((*letter.heartbeat).clone());
            let side = from.other();
            let differ = world.seat(side).new_file != world.seat(from).new_file;
            match rules.defect == Some(Defect::Ignores) && differ {
                true => (side, vec![]),
                false => (side, vec![Event::Heartbeat { path: 0, heartbeat }]),
            }
        }
        What::Written { side, .. } => (side, vec![written(&mut world, what, rules)?]),
        What::Ended {
            side,
            group,
            resource,
            done,
        } => {
            let index = (group as usize, resource as usize);
            let outcome = match data::ends(&mut world, side, index.0, done, rules) {
                Ends::AsAny => ended(&mut world, side, (group, resource), done, rules)?,
                Ends::With(outcome) => {
                    let it = &mut world.seat_mut(side).groups[index.0].resources[index.1];
                    (it.fresh, it.doing) = (false, None);
                    outcome
                }
                not => {
                    let it = &mut world.seat_mut(side).groups[index.0].resources[index.1];
                    let waits = std::mem::take(&mut it.fresh) || matches!(not, Ends::Begun);
                    return waits.then(|| Step::nobody(world));
                }
            };
            let op = Op::Resource(place(group.into(), resource.into()));
            (side, vec![finished(op, outcome)])
        }
        What::Expired { side, group } => {
            let it = &mut world.seat_mut(side).groups[group as usize].resources[0];
            if rules.defect == Some(Defect::LatePutBack) && it.doing.is_none() {
                lease(it, rules);
                return Some(Step::nobody(world));
            }
            gone(&mut world, side, group, 0)?
        }
        What::Dies {
            side,
            group,
            resource,
        } => {
            spend(&mut world.left, |l| &mut l.failures)?;
            gone(&mut world, side, group, resource)?
        }
        What::Noticed {
            side,
            group,
            resource,
        } => {
            let groups = &mut world.seat_mut(side).groups;
            groups[group as usize].resources[resource as usize].gone = false;
            (side, vec![lost(group, resource)])
        }
        What::Confirmed { side, reached } => {
            if rules.defect != Some(Defect::ConfirmLies) && world.seat(side.other()).powered {
                spend(&mut world.left, |l| &mut l.fences)?;
                power_off(&mut world, side.other(), reached);
            }
            (side, vec![confirmed()])
        }
        What::Promised { side, group } => {
            let left = world.seat_mut(side).promised[group as usize].take()?;
            let forever = rules.defect == Some(Defect::Endless);
            let left = if forever { 100 } else { u32::from(left) };
            let until = NOW + rules.bounds.quantum * left;
            let group = group_id(group.into());
            (side, vec![Event::Lease { group, until }])
        }
        What::Answered { side, works } => {
            let answer = device::answer(&mut world, side, works, rules)?;
            let device = 0;
            (side, vec![Event::Device { device, answer }])
        }
        What::Data(side, turn) => (side, data::begin(&mut world, side, turn, rules)?),
        What::Whim(side, group, wish) => {
            spend(&mut world.left, |l| &mut l.whims)?;
            whim = Some((group_id(group.into()), wish));
            (side, vec![Event::Tick])
        }
        What::Reload(side) => {
            spend(&mut world.left, |l| &mut l.reloads)?;
            let seat = world.seat_mut(side);
            seat.exchange_file(&rules.bounds);
            let setup = setup(side, &rules.bounds, seat.new_file);
            let told = seat.mind.as_ref().map(|_| Event::Setup(Box::new(setup)));
            (side, told.into_iter().collect())
        }
        What::Order(side, order) => {
            spend(&mut world.left, |l| &mut l.commands)?;
            let command = match order {
                Order::Failover(group) => Command::Failover(Some(group_id(group.into()))),
                Order::Leave => Command::Leave,
                Order::Standby(whose, on) => Command::Standby(whose, on),
                Order::Maintenance(on) => Command::Maintenance(on),
                Order::Stopped(group, on) => Command::Stopped(group_id(group.into()), on),
                Order::Clear => Command::Clear(None),
                Order::Fence => Command::Fence { rehearse: false },
                Order::ConfirmFenced => Command::ConfirmFenced {
                    despite_signs: true,
                },
            };
            (side, vec![Event::Command { number: 1, command }])
        }
    };
    if events.is_empty() {
        return Some(Step::nobody(world)); // nobody there to be told, or not now
    }
    let mut node = match boot {
        Some(node) => node,
        None => world.seat(side).mind.as_ref()?.node.clone(),
    };
    if rules.defect == Some(Defect::Forgets) && matches!(what, What::Reload(_)) {
        node = new_node(&mut world, side, Disk::Kept, rules)?;
    }
    if let Some((group, wish)) = whim {
        node.dictate(group, Some(wish));
    }
    let mut actions = vec![];
    for event in &events {
        let mut event = event.clone();
        if let (Some(defect), Event::Heartbeat { heartbeat, .. }) = (rules.defect, &mut event) {
            let mind = world.seat(side).mind.as_ref()?;
            defect.rewrite(heartbeat, mind);
        }
        actions.extend(node.step(NOW, event));
    }
    if let Some(defect) = rules.defect {
        defect.pretend(&world, side, &node, &mut actions);
    }
    Some(Step {
        world,
        side: Some(side),
        node: Some(node),
        event: events.last().cloned(),
        actions,
    })
}

impl Step {
    fn nobody(world: World) -> Step {
        Step {
            world,
            side: None,
            node: None,
            event: None,
            actions: vec![],
        }
    }

    /// How many ways there are to lose a heartbeat for want of room.
    pub fn losses(&self, rules: &Rules) -> u8 {
        let Some(side) = self.side else { return 1 };
        let under_way = self.world.wire[side as usize].len() - self.world.waiting(side);
        let sent = self
            .actions
            .iter()
            .filter(|a| matches!(a, Action::Send(_)))
            .count();
        let blocked = self.world.blocked(side);
        if !blocked && under_way + sent > rules.bounds.letters && sent > 0 {
            rules.bounds.letters as u8 + 1
        } else {
            1
        }
    }

    /// Carries the actions out, as far as the move lets them.
    pub fn outcome(&self, m: Move, rules: &Rules) -> Result<World, Broken> {
        let mut world = self.world.clone();
        if let (Some(side), Some(node)) = (self.side, &self.node) {
            let before = world.seat(side).clone();
            if let (Some(Event::Setup(_)), Some(mind)) = (&self.event, &before.mind) {
                check::reloaded(&mind.node, node, rules)?;
            }
            let mut left = m.cut.map_or(usize::MAX, |(after, _)| after as usize);
            for action in self.actions.iter().filter(|a| effect(a)) {
                if left == 0 {
                    break;
                }
                left -= 1;
                check::action(
                    &world,
                    side,
                    &before,
                    node,
                    self.event.as_ref(),
                    action,
                    rules,
                )?;
                carry_out(&mut world, side, action, m.lost as usize, rules);
            }
            if m.cut.is_none() && !self.actions.contains(&Action::Exit) {
                check::rests(side, node, rules)?;
            }
            match m.cut {
                Some((_, how)) => {
                    spend(&mut world.left, |l| &mut l.crashes).expect("was affordable");
                    crash(&mut world, side, how, rules);
                }
                None => self.go_on(&mut world, side, node, rules),
            }
        }
        for seat in &mut world.seats {
            seat.seen.left_behind &= seat.serves();
        }
        data::settles(&mut world, rules);
        check::state(&world, rules)?;
        data::check(&world, rules)?;
        device::killed(&world, rules)?;
        renumber(&mut world, &rules.bounds);
        Ok(world)
    }

    /// The daemon lives on, unless it wanted to end.
    fn go_on(&self, world: &mut World, side: Side, node: &Node, rules: &Rules) {
        if rules.bounds.networks > 0 {
            let actions = self.actions.iter();
            actions.for_each(|action| ask_lans(world, side, action, rules));
        }
        data::obeys(world, side, &self.actions, rules);
        if self.actions.contains(&Action::Exit) {
            return end(world, side);
        }
        let seat = world.seat_mut(side);
        seat.asking = rules.asks(node);
        for (index, local) in seat
            .groups
            .iter_mut()
            .enumerate()
            .take(rules.bounds.groups.len())
        {
            let (role, token) = node.stands(group_id(index)).expect("it is configured");
            // What is being handed over, and is withdrawn, runs on.
            let ceding = |r: &Resource| r.ceded > 0 || r.doing == Some(Doing::Cede);
            let runs =
                matches!(role, Role::Starting | Role::Active) || local.resources.iter().any(ceding);
            local.by_right &= runs && token.holder == side;
            if let Some(event @ Event::Heartbeat { .. }) = &self.event {
                local.agreed = check::agreed(Some(event), index, token);
            }
            local.agreed &= role == Role::Starting && token.holder == side;
        }
        seat.met |= rules.bounds.devices && node.peer_state() == PeerState::Alive;
        let mut node = node.clone();
        age(&mut node, 0, &rules.bounds);
        seat.mind = Some(Arc::new(Mind::new(node)));
    }
}

/// What the clients' networks had for the daemon.
fn news(world: &mut World, side: Side, rules: &Rules) -> Vec<Event> {
    let news = std::mem::take(&mut world.seat_mut(side).news);
    let news = news.into_iter().enumerate();
    news.flat_map(|(at, news)| of_network(side, at, news, rules))
        .collect()
}

fn of_network(side: Side, at: usize, mut news: News, rules: &Rules) -> Vec<Event> {
    if rules.defect == Some(Defect::BlindProbe) {
        news.claims = Default::default();
    }
    let claim = |subject| Event::Claim {
        vif: network(at),
        subject,
        mac: mac(side.other()),
    };
    let mut events = vec![];
    if news.pong {
        let (gateway, stamp) = (gateway(at), NOW);
        events.push(Event::Pong { gateway, stamp });
    }
    if news.peer {
        events.push(claim(Claimed::PeerAddress));
    }
    let claims = news.claims.iter().enumerate().filter(|(_, c)| **c);
    events.extend(claims.map(|(group, _)| claim(Claimed::Vip(group_id(group)))));
    events
}

fn written(world: &mut World, what: What, rules: &Rules) -> Option<Event> {
    let What::Written {
        side,
        done,
        reached,
    } = what
    else {
        return None;
    };
    if !done {
        spend(&mut world.left, |l| &mut l.failures)?;
    }
    let lost = done && rules.defect == Some(Defect::NothingWritten);
    let seat = world.seat_mut(side);
    let record = seat.writing.take()?;
    seat.fresh = false;
    seat.seen.unwritable = !done;
    if reached && !lost {
        store(world, side, record);
    }
    let outcome = if done { Outcome::Done } else { failed() };
    Some(finished(Op::Persist, outcome))
}

fn ended(
    world: &mut World,
    side: Side,
    (group, resource): (u8, u8),
    done: bool,
    rules: &Rules,
) -> Option<Outcome> {
    if !done {
        spend(&mut world.left, |l| &mut l.failures)?;
    }
    let groups = &mut world.seat_mut(side).groups;
    let it = &mut groups[group as usize].resources[resource as usize];
    it.fresh = false;
    let leased = rules.bounds.groups[group as usize].leased(resource as usize);
    let doing = it.doing.take()?;
    it.stalled |= rules.bounds.best_effort && leased && (doing, done) == (Doing::Stop, false);
    Some(match (doing, done) {
        (_, false) => failed(),
        (Doing::Look, true) => {
            let blind = rules.defect == Some(Defect::BlindLook);
            Outcome::Found(if it.runs && !blind {
                Presence::Running
            } else {
                Presence::Absent
            })
        }
        (Doing::Start | Doing::Part, true) => Outcome::Done,
        (Doing::Stop, true) => {
            if rules.defect != Some(Defect::StopLies) {
                *it = Resource::default();
            }
            Outcome::Done
        }
        (Doing::Cede, true) => {
            if it.runs && rules.defect != Some(Defect::CedeLies) {
                cede(it, rules);
            }
            Outcome::Done
        }
    })
}

/// It runs no more, and the daemon is told, now or when it is there again.
fn gone(world: &mut World, side: Side, group: u8, resource: u8) -> Option<(Side, Vec<Event>)> {
    let seat = world.seat_mut(side);
    let (there, paused) = (seat.mind.is_some(), seat.paused);
    let it = &mut seat.groups[group as usize].resources[resource as usize];
    *it = Resource {
        doing: it.doing,
        gone: there && paused,
        ..Resource::default()
    };
    let told = (there && !paused).then(|| lost(group, resource));
    Some((side, told.into_iter().collect()))
}

fn lost(group: u8, resource: u8) -> Event {
    Event::Lost {
        place: place(group.into(), resource.into()),
        why: String::new(),
    }
}

fn confirmed() -> Event {
    let command = Command::ConfirmFenced {
        despite_signs: true,
    };
    Event::Command { number: 1, command }
}

fn finished(op: Op, outcome: Outcome) -> Event {
    Event::Finished { op, outcome }
}

fn failed() -> Outcome {
    Outcome::Failed("no".into())
}
