//! DRBD below the first group: two copies, what each kernel makes of them, and what the daemons remember.
//!
//! **The truth** is one bit a copy: it holds every write that was acknowledged. A write is acknowledged by a Primary whose
//! I/O is not frozen: connected, by both copies; apart, by its own alone, and the other is older from then on.
//!
//! **DRBD** is a link that is the interlink and a cable of its own, a kernel on each machine (role, disk, connection, what it
//! holds of the other's disk), and what of that is on disk over a reboot: Outdated or not, the other was Outdated, a
//! generation that began alone. A kernel notices a connection that broke at any time within [`BELIEVES`]; a Primary then
//! freezes (resource-and-stonith) until its handler has an answer; DRBD 9's Secondary drops to Consistent. One that attaches
//! is UpToDate only where the other was Outdated. What meets is synced at once from the copy that went on alone; where
//! both did, it stays apart.
//!
//! **The daemon** is the product's: what may be promoted, answered and taken over is decided by
//! [`Copies`](ha_appliance::agents::drbd::copies::Copies), from DRBD's words as `events2` says them. So are the messages by
//! which a holder has the other outdate itself.

use super::bounds::Bounds;
use super::check::{Broken, Property};
use super::defect::Defect;
use super::moves::{Rules, What, affordable, spend};
use super::setup::{group as group_id, place};
use super::world::{Doing, NOW, SIDES, World};
use ha_appliance::agents::drbd::copies::{Copies, Peer, Sight, Verdict};
use ha_appliance::agents::drbd::events::State;
use ha_appliance::agents::drbd::meeting::BELIEVES;
use ha_appliance::core::event::{Action, Change, Event, Extent, Outcome, Unready};
use ha_appliance::core::peer::PeerState;
use ha_appliance::core::protocol::right::Right;
use ha_appliance::core::time::Time;
use ha_appliance::wire::heartbeat::{Role, Side};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Which DRBD it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drbd {
    Eight,
    Nine,
}

/// Both copies, and all that is known of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Data {
    machines: [Machine; 2],
    /// DRBD's own cable is cut; heartbeats have another path.
    pub cable: bool,
    /// What each daemon has asked the other's to do.
    errands: [Option<Errand>; 2],
    /// What came to pass that must not.
    broken: Option<Property>,
}

/// One machine's share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Machine {
    /// Its copy holds every write that was acknowledged.
    whole: bool,
    /// What is on its disk of that.
    marks: Marks,
    kernel: Option<Kernel>,
    memory: Option<Memory>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Marks {
    outdated: bool,
    peer_outdated: bool,
    /// A generation of data began here while the other was away.
    alone: bool,
}

/// DRBD in the kernel, once it is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kernel {
    primary: bool,
    disk: Disk,
    net: Net,
    peer_outdated: bool,
    /// The other was Primary when it was last connected.
    peer_primary: bool,
    /// Its I/O waits for an answer.
    frozen: bool,
    /// A promotion does.
    promotes: bool,
    /// Its handler asked in this time step.
    asked: bool,
    /// For so many time steps it has believed in a connection that there is not.
    believes: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Disk {
    UpToDate,
    Consistent,
    Outdated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Net {
    Connected,
    Connecting,
    /// Given up: both went on alone.
    StandAlone,
    /// Cut by the daemon, which makes it again after the promotion.
    Cut,
}

/// What a daemon remembers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Memory {
    copies: Copies,
    peer: Peer,
    /// What the core knows of what it lacks.
    told: Option<Extent>,
    /// The start under way is by a verified off.
    off: bool,
    /// For so many time steps it has waited, up to [`PATIENCE`].
    waited: u8,
}

/// The other node is to outdate what it has, or has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Errand {
    number: u32,
    done: bool,
}

/// What happens to a machine's share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// DRBD's own cable is cut, or mended.
    Cable,
    /// The kernel notices that the connection broke.
    Notices,
    /// Both kernels meet.
    Connects,
    /// A write is acknowledged that the other copy has not.
    Writes,
    /// The handler asks the daemon.
    Asks,
    /// The daemon is asked by the other's to outdate what it has; and the other's hears that it is done.
    Outdates,
    Hears,
    /// The core learns what the resource lacks.
    Ready,
    /// A start that waits ends for that.
    GivesUp,
}

/// How a start stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// It is promoted now, the connection cut before.
    Goes { alone: bool },
    /// DRBD's handler asks first.
    Asks { alone: bool },
    /// Nothing can be done yet.
    Waits,
    /// It is refused.
    Fails,
}

/// How an operation ends.
pub enum Ends {
    /// Like one on any resource.
    AsAny,
    With(Outcome),
    /// Not yet: DRBD asks first.
    Begun,
    /// Not yet.
    Not,
}

const NAME: &str = "r0";
/// Time steps after which a start that waits may be given up (in the product a minute is over).
const PATIENCE: u8 = 3;

impl Data {
    /// On machines without power: two copies that are alike where the pair is to come to rest first; otherwise the first's
    /// went on alone.
    pub fn new(bounds: &Bounds) -> Data {
        let machine = |whole: bool, marks: Marks| Machine {
            whole,
            marks,
            kernel: None,
            memory: None,
        };
        let alone = !bounds.settled;
        let first = Marks {
            outdated: false,
            peer_outdated: alone,
            alone,
        };
        Data {
            machines: [
                machine(true, first),
                machine(bounds.settled, Marks::default()),
            ],
            cable: false,
            errands: [None; 2],
            broken: None,
        }
    }

    fn of(&self, side: Side) -> &Machine {
        &self.machines[side as usize]
    }

    fn of_mut(&mut self, side: Side) -> &mut Machine {
        &mut self.machines[side as usize]
    }

    /// What DRBD says on that machine now.
    fn says(&self, side: Side, rules: &Rules) -> Rc<State> {
        let kernel = self.of(side).kernel.map(|kernel| Kernel {
            peer_primary: false,
            promotes: false,
            asked: false,
            believes: 0,
            disk: match kernel.disk {
                Disk::Consistent if rules.defect == Some(Defect::Credulous) => Disk::UpToDate,
                disk => disk,
            },
            ..kernel
        });
        SAID.with_borrow_mut(|said| said.entry(kernel).or_insert_with(|| words(kernel)).clone())
    }

    /// A copy is promoted.
    fn promote(&mut self, side: Side) {
        let machine = self.of_mut(side);
        let Some(kernel) = &mut machine.kernel else {
            return;
        };
        (kernel.primary, kernel.promotes) = (true, false);
        kernel.connects_again();
        machine.marks.alone |= kernel.net != Net::Connected;
        if !machine.whole {
            self.broken = Some(Property::NewestPromoted);
        }
    }

    /// The kernel is told for certain that the other is out.
    fn certain(&mut self, side: Side) {
        let machine = self.of_mut(side);
        let Some(kernel) = machine.kernel.as_mut() else {
            return;
        };
        if kernel.net == Net::Connected {
            return; // it came back meanwhile
        }
        kernel.peer_outdated = true;
        if kernel.disk == Disk::Consistent {
            kernel.disk = Disk::UpToDate;
        }
        machine.marks.alone |= std::mem::take(&mut kernel.frozen);
        if kernel.promotes {
            self.promote(side);
        }
    }

    /// Both kernels meet.
    fn connect(&mut self, rules: &Rules) {
        let alone = SIDES.map(|side| self.of(side).marks.alone);
        let primary = |side: Side| self.of(side).kernel.is_some_and(|kernel| kernel.primary);
        let target = match alone {
            [true, true] => None,
            [true, false] => Some(Side::Second),
            // Of two that are the same it makes no difference.
            [false, _] => Some(Side::First),
        };
        let target = match rules.defect {
            Some(Defect::SyncsBack) => target.map(Side::other),
            _ => target,
        };
        let syncs = alone[0] != alone[1];
        let Some(target) = target.filter(|target| !(syncs && primary(*target))) else {
            for machine in &mut self.machines {
                let kernel = machine.kernel.as_mut().expect("both are up");
                kernel.net = Net::StandAlone;
            }
            return;
        };
        let source = self.of(target.other()).whole;
        if self.of(target).whole != source && (!syncs || !source) {
            self.broken = Some(Property::NewestSynced);
        }
        self.of_mut(target).whole = source;
        for machine in &mut self.machines {
            machine.marks.alone = false;
            let kernel = machine.kernel.as_mut().expect("both are up");
            (kernel.disk, kernel.net) = (Disk::UpToDate, Net::Connected);
            (kernel.peer_outdated, kernel.frozen, kernel.promotes) = (false, false, false);
        }
    }
}

impl Kernel {
    /// It attaches what is on the disk.
    fn attach(marks: Marks) -> Kernel {
        Kernel {
            primary: false,
            disk: match marks {
                Marks { outdated: true, .. } => Disk::Outdated,
                Marks {
                    peer_outdated: true,
                    ..
                } => Disk::UpToDate,
                _ => Disk::Consistent,
            },
            net: Net::Connecting,
            peer_outdated: marks.peer_outdated,
            peer_primary: false,
            frozen: false,
            promotes: false,
            asked: false,
            believes: 0,
        }
    }

    /// It is not promoted after all.
    fn gives_up(&mut self) {
        self.promotes = false;
        self.connects_again();
    }

    /// What the daemon cut is made again.
    fn connects_again(&mut self) {
        if self.net == Net::Cut {
            self.net = Net::Connecting;
        }
    }

    /// The connection is gone.
    fn parts(&mut self, rules: &Rules) {
        self.net = Net::Connecting;
        self.frozen = self.primary;
        if rules.bounds.drbd == Some(Drbd::Nine) && self.peer_primary && !self.primary {
            self.disk = Disk::Consistent;
        }
    }
}

impl Memory {
    fn new() -> Memory {
        Memory {
            copies: Copies::default(),
            peer: Peer::unheard(NOW),
            told: None,
            off: false,
            waited: 0,
        }
    }

    fn sight<'a>(&self, state: &'a State) -> Sight<'a> {
        Sight {
            state,
            resource: NAME,
            peer: self.peer,
            peer_name: "peer",
        }
    }

    fn lack(&self, state: &State) -> Option<Extent> {
        let lack = self.copies.lack(&self.sight(state), NOW);
        lack.map(|unready| unready.extent)
    }
}

/// A daemon starts: the first it tells its core.
pub fn wakes(world: &mut World, side: Side, rules: &Rules) -> Vec<Event> {
    let Some(data) = &mut world.data else {
        return vec![];
    };
    let state = data.says(side, rules);
    let mut memory = Memory::new();
    memory.copies.follow(&state, NAME, NOW);
    memory.told = memory.lack(&state);
    let event = ready(memory.told);
    data.of_mut(side).memory = Some(memory);
    vec![event]
}

/// Keeps the right by which a start is asked for.
pub fn starts(world: &mut World, side: Side, group: usize, right: Option<Right>) {
    let data = world.data.as_mut().filter(|_| group == 0);
    if let Some(memory) = data.and_then(|data| data.of_mut(side).memory.as_mut()) {
        memory.off = matches!(right, Some(Right::Fenced { .. }));
        memory.waited = 0;
    }
}

/// An operation on a resource is about to end.
pub fn ends(world: &mut World, side: Side, group: usize, done: bool, rules: &Rules) -> Ends {
    let doing = world.seat(side).groups[group].resources[0].doing;
    let start = (done && doing == Some(Doing::Start)).then(|| start(world, side, rules));
    let Some(data) = world.data.as_mut().filter(|_| group == 0) else {
        return Ends::AsAny;
    };
    let machine = data.of_mut(side);
    match doing {
        Some(Doing::Look) if done => {
            let kernel = machine.kernel.get_or_insert(Kernel::attach(machine.marks));
            kernel.connects_again();
            let primary = kernel.primary;
            world.seat_mut(side).groups[group].resources[0].runs = primary;
        }
        Some(Doing::Start) => match start {
            Some(Start::Goes { alone }) => {
                cut(data, side, alone, rules);
                data.promote(side);
            }
            Some(Start::Asks { alone }) => {
                cut(data, side, alone, rules);
                let kernel = data.of_mut(side).kernel.as_mut();
                let kernel = kernel.expect("it is up");
                let begun = std::mem::replace(&mut kernel.promotes, true);
                return if begun { Ends::Not } else { Ends::Begun };
            }
            Some(Start::Waits) => return Ends::Not,
            Some(Start::Fails) => return Ends::With(Outcome::Failed("no".into())),
            None => {
                let kernel = machine.kernel.as_mut();
                kernel.into_iter().for_each(Kernel::gives_up);
            }
        },
        Some(Doing::Stop) if done => {
            if let Some(kernel) = machine.kernel.as_mut() {
                if kernel.frozen {
                    return Ends::With(Outcome::Failed("frozen".into()));
                }
                kernel.primary = false;
                kernel.gives_up();
            }
        }
        Some(Doing::Part) if done => parts(world, side),
        _ => {}
    }
    Ends::AsAny
}

/// This node leaves, and its DRBD is taken down. What it has is older from now on where the group is the other's, which
/// is told so.
fn parts(world: &mut World, side: Side) {
    let theirs = is_theirs(world, side);
    let told = !world.blocked(side) && hears(world, side.other());
    let Some(mut data) = world.data.take() else {
        return;
    };
    let other = side.other();
    let joined = joined(world, &data);
    let held = data.of(side).kernel.is_some_and(|kernel| kernel.primary);
    let kernel = data.of_mut(side).kernel.take_if(|_| !held);
    if let Some(kernel) = kernel {
        let connected = kernel.net == Net::Connected;
        let there = data.of_mut(other);
        let asked =
            (there.kernel.as_mut()).filter(|k| joined && connected && k.net == Net::Connected);
        match asked {
            // A Primary wants to see it outdated, and then goes on.
            Some(peer) if peer.primary => {
                (peer.net, peer.peer_outdated) = (Net::Connecting, true);
                there.marks.alone = true;
                data.of_mut(side).marks.outdated = true;
            }
            Some(peer) => peer.net = Net::Connecting,
            None => data.of_mut(side).marks.outdated |= theirs,
        }
        let memory = data.of_mut(other).memory.as_mut();
        if let Some(memory) = memory.filter(|_| told && (theirs || connected)) {
            memory.copies.parted = true;
        }
    }
    world.data = Some(data);
}

/// The group does not run on this node, and may run on the other.
fn is_theirs(world: &World, side: Side) -> bool {
    let stands = world.node(side).and_then(|node| node.stands(group_id(0)));
    stands.is_some_and(|(role, token)| role == Role::Stopped && token.holder != side)
}

/// A start under way waits for something else.
pub fn waits(world: &World, side: Side, group: usize, rules: &Rules) -> bool {
    let doing = world.seat(side).groups[group].resources[0].doing;
    group == 0
        && world.data.is_some()
        && doing == Some(Doing::Start)
        && match start(world, side, rules) {
            Start::Waits => true,
            Start::Asks { .. } => {
                let kernel = world.data.as_ref().and_then(|data| data.of(side).kernel);
                kernel.is_some_and(|kernel| kernel.promotes)
            }
            Start::Goes { .. } | Start::Fails => false,
        }
}

/// What the daemon is told, or says, in a step.
pub fn obeys(world: &mut World, side: Side, actions: &[Action], rules: &Rules) {
    let Some(data) = &mut world.data else { return };
    for action in actions {
        match action {
            Action::Report(report) => {
                let Change::Peer(_, state) = report.change else {
                    continue;
                };
                let memory = data.of_mut(side).memory.as_mut();
                let memory = memory.expect("a daemon has one");
                // Whatever meets it in this very moment, does so after it was off.
                let off = state == PeerState::Fenced;
                let at = if off {
                    NOW - Duration::from_micros(1)
                } else {
                    NOW
                };
                if memory.peer.becomes(state, at) {
                    memory.copies.peer_is_back();
                }
            }
            Action::Proof { proof, .. } => answers(data, side, *proof, rules),
            _ => {}
        }
    }
}

/// After every move: what has no power forgets, and who can see looks.
pub fn settles(world: &mut World, rules: &Rules) {
    let Some(mut data) = world.data.take() else {
        return;
    };
    for side in SIDES {
        let seat = world.seat(side);
        let sees = seat.mind.is_some() && !seat.paused;
        let (other, joined) = (data.of(side.other()).kernel, joined(world, &data));
        let machine = data.of_mut(side);
        machine.kernel.take_if(|_| !seat.powered);
        machine.memory.take_if(|_| seat.mind.is_none());
        if let Some(kernel) = &mut machine.kernel {
            if let (Some(other), true, Some(Drbd::Nine)) = (other, joined, rules.bounds.drbd)
                && kernel.net == Net::Connected
            {
                kernel.peer_primary = other.primary;
            }
            machine.marks.outdated = kernel.disk == Disk::Outdated;
            machine.marks.peer_outdated = kernel.peer_outdated;
        }
        let state = data.says(side, rules);
        let memory = data.of_mut(side).memory.as_mut();
        if let Some(memory) = memory.filter(|_| sees) {
            memory.copies.follow(&state, NAME, NOW);
        }
    }
    // What they tell each other is told to a daemon, and not to one after it.
    if data.machines.iter().any(|machine| machine.memory.is_none()) {
        data.errands = [None; 2];
    }
    world.data = Some(data);
}

/// A time step for the kernels; None: one has to notice something first, or what takes no time was not done: to connect, to
/// write, to ask and be told.
pub fn time_passes(world: &mut World, rules: &Rules) -> Option<()> {
    let Some(mut data) = world.data.take() else {
        return Some(());
    };
    let most = (BELIEVES.as_micros() / rules.bounds.quantum.as_micros()) as u8 - 1;
    let quick = [
        Turn::Connects,
        Turn::Writes,
        Turn::Asks,
        Turn::Outdates,
        Turn::Hears,
    ];
    let open = |side: Side| quick.iter().any(|turn| may(world, &data, side, *turn));
    if SIDES.into_iter().any(open) {
        return None;
    }
    let broken = SIDES.map(|side| is_broken(world, &data, side));
    for (side, broken) in SIDES.into_iter().zip(broken) {
        if let Some(kernel) = &mut data.of_mut(side).kernel {
            kernel.believes = if broken { kernel.believes + 1 } else { 0 };
            kernel.asked = false;
            if kernel.believes > most {
                return None;
            }
        }
    }
    world.data = Some(data);
    for side in SIDES {
        let waits = waits(world, side, 0, rules);
        let data = world.data.as_mut().expect("it is there");
        if let Some(memory) = &mut data.of_mut(side).memory {
            memory.waited = if waits {
                PATIENCE.min(memory.waited + 1)
            } else {
                0
            };
        }
    }
    Some(())
}

/// What a daemon remembers is older by a time step. What is older than it ever asks for keeps its order.
pub fn ages(world: &mut World, side: Side, bounds: &Bounds) {
    let Some(data) = &mut world.data else { return };
    let Some(memory) = &mut data.of_mut(side).memory else {
        return;
    };
    let quantum = bounds.quantum.as_micros() as i64;
    times(memory, &mut |time| time.0 -= quantum);
    if bounds.raw {
        return;
    }
    memory.copies.forget(&mut memory.peer, NOW);
    let old = BELIEVES.as_micros() as i64;
    let mut past = vec![];
    times(memory, &mut |time| {
        past.extend((time.0 < -old).then_some(time.0))
    });
    past.sort_unstable();
    past.dedup();
    times(memory, &mut |time| {
        if let Ok(at) = past.binary_search(&time.0) {
            time.0 = -old - (past.len() - at) as i64;
        }
    });
}

fn times(memory: &mut Memory, f: &mut dyn FnMut(&mut Time)) {
    memory.copies.times(f);
    memory.peer.times(f);
}

/// What the core learns before anything else happens.
pub fn at_once(all: &mut Vec<What>, world: &World, rules: &Rules) {
    let Some(data) = &world.data else { return };
    for side in SIDES.into_iter().filter(|side| hears(world, *side)) {
        let state = data.says(side, rules);
        let memory = data.of(side).memory.as_ref();
        if memory.is_some_and(|memory| memory.told != memory.lack(&state)) {
            all.push(What::Data(side, Turn::Ready));
        }
    }
}

/// What may happen.
pub fn moves(all: &mut Vec<What>, world: &World, rules: &Rules) {
    let Some(data) = &world.data else { return };
    if world.left.cables > 0 {
        all.push(What::Data(Side::First, Turn::Cable));
    }
    for side in SIDES {
        let turns = [
            Turn::Notices,
            Turn::Connects,
            Turn::Writes,
            Turn::Asks,
            Turn::Outdates,
            Turn::Hears,
        ];
        let may = turns
            .into_iter()
            .filter(|turn| may(world, data, side, *turn));
        all.extend(may.map(|turn| What::Data(side, turn)));
        if affordable(&world.left, |l| l.failures) && waits(world, side, 0, rules) {
            all.push(What::Data(side, Turn::GivesUp));
        }
    }
}

/// What happens of that where all is well.
pub fn heals(world: &World, side: Side, rules: &Rules) -> Option<What> {
    let data = world.data.as_ref()?;
    let turns = [Turn::Notices, Turn::Connects, Turn::Outdates, Turn::Hears];
    let turn = turns.into_iter().find(|turn| may(world, data, side, *turn));
    let asks = || {
        let m = super::moves::Move {
            what: What::Data(side, Turn::Asks),
            cut: None,
            lost: 0,
        };
        let news = may(world, data, side, Turn::Asks)
            && super::moves::apply(world, m, rules)
                .is_some_and(|(_, after)| after.is_ok_and(|after| after.data != world.data));
        news.then_some(Turn::Asks)
    };
    let waited = || {
        let memory = data.of(side).memory.as_ref();
        let long = memory.is_some_and(|memory| memory.waited >= PATIENCE);
        (long && waits(world, side, 0, rules)).then_some(Turn::GivesUp)
    };
    let turn = turn.or_else(asks).or_else(waited)?;
    Some(What::Data(side, turn))
}

/// Lets it happen; None: it cannot. Gives what the daemon there is told.
pub fn begin(world: &mut World, side: Side, turn: Turn, rules: &Rules) -> Option<Vec<Event>> {
    if turn == Turn::GivesUp {
        return gives_up(world, side, rules);
    }
    let free = is_theirs(world, side);
    let data = world.data.as_mut()?;
    match turn {
        Turn::Cable => {
            world.left.cables = world.left.cables.checked_sub(1)?;
            data.cable = !data.cable;
        }
        Turn::Notices => {
            let machine = data.of_mut(side);
            let kernel = machine.kernel.as_mut()?;
            kernel.parts(rules);
            if rules.defect == Some(Defect::NeverFreezes) {
                machine.marks.alone |= std::mem::take(&mut kernel.frozen);
            }
        }
        Turn::Connects => data.connect(rules),
        Turn::Writes => {
            data.of_mut(side).marks.alone = true;
            data.of_mut(side.other()).whole = false;
        }
        Turn::Asks => {
            data.of_mut(side).kernel.as_mut()?.asked = true;
            let (number, group) = (1, group_id(0));
            return Some(vec![Event::Question { number, group }]);
        }
        Turn::Outdates => {
            let done = outdates(data, side, free, rules);
            let errand = &mut data.errands[side.other() as usize];
            match done {
                true => errand.as_mut()?.done = true,
                false => *errand = None,
            }
        }
        Turn::Hears => {
            let errand = data.errands[side as usize].take()?;
            let memory = data.of_mut(side).memory.as_mut()?;
            if memory.copies.asks(errand.number) {
                memory.copies.outdated(errand.number);
            }
        }
        Turn::Ready => {
            let state = data.says(side, rules);
            let memory = data.of_mut(side).memory.as_mut()?;
            memory.told = memory.lack(&state);
            return Some(vec![ready(memory.told)]);
        }
        Turn::GivesUp => {}
    }
    Some(vec![])
}

/// Judges what came of the data.
pub fn check(world: &World, rules: &Rules) -> Result<(), Broken> {
    let Some(data) = &world.data else {
        return Ok(());
    };
    if let Some(property) = data.broken {
        rules.broken(property, format!("{:?}", data.machines))?;
    }
    let primary = |machine: &Machine| machine.kernel.is_some_and(|kernel| kernel.primary);
    match data.machines.iter().all(primary) {
        true => rules.broken(Property::NeverBoth, "both copies are Primary".into()),
        false => Ok(()),
    }
}

/// Alone and for good, that machine needs a human's word: of its data, where the other's may be newer; or of the other
/// node, which DRBD has met since it was verified off, and no daemon has heard.
pub fn needs_a_word(world: &World, side: Side) -> bool {
    let machine = world.data.as_ref().map(|data| data.of(side));
    machine.is_some_and(|machine| {
        let kernel = machine.kernel.unwrap_or(Kernel::attach(machine.marks));
        let met = |memory: &Memory| {
            memory.peer.off_at.is_some() && !memory.copies.peer_is_off(&memory.peer)
        };
        let old = kernel.disk != Disk::UpToDate || machine.memory.as_ref().is_some_and(met);
        !kernel.primary && old
    })
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "data: cable cut {}, errands {:?}",
            self.cable, self.errands
        )?;
        for (side, machine) in SIDES.iter().zip(&self.machines) {
            let (kernel, marks) = (machine.kernel, machine.marks);
            write!(
                f,
                "\n    {side:?}: whole {}, {kernel:?}, {marks:?}",
                machine.whole
            )?;
        }
        Ok(())
    }
}

thread_local! {
    static SAID: RefCell<HashMap<Option<Kernel>, Rc<State>>> = RefCell::default();
}

/// As `drbdsetup events2` tells it.
fn words(kernel: Option<Kernel>) -> Rc<State> {
    let mut state = State::default();
    if let Some(kernel) = kernel {
        let role = if kernel.primary {
            "Primary"
        } else {
            "Secondary"
        };
        let suspended = if kernel.frozen { "fencing" } else { "no" };
        let (replication, peer_disk) = match (kernel.net, kernel.peer_outdated) {
            (Net::Connected, _) => ("Established", "UpToDate"),
            (_, true) => ("Off", "Outdated"),
            (_, false) => ("Off", "DUnknown"),
        };
        let peer = "peer-node-id:0 conn-name:peer";
        let net = match kernel.net {
            Net::Connected => "Connected",
            Net::Connecting => "Connecting",
            Net::StandAlone | Net::Cut => "StandAlone",
        };
        let disk = kernel.disk;
        let told = format!(
            "exists resource name:{NAME} role:{role} suspended:{suspended}\n\
             exists connection name:{NAME} {peer} connection:{net} role:Unknown\n\
             exists device name:{NAME} volume:0 minor:1 disk:{disk:?}\n\
             exists peer-device name:{NAME} {peer} volume:0 replication:{replication} peer-disk:{peer_disk}"
        );
        told.lines().for_each(|line| drop(state.take(line)));
    }
    state.take("exists -");
    Rc::new(state)
}

fn ready(lack: Option<Extent>) -> Event {
    let why = String::new();
    Event::Ready {
        place: place(0, 0),
        unready: lack.map(|extent| Unready { why, extent }),
    }
}

/// What is sent by DRBD's link arrives.
fn joined(world: &World, data: &Data) -> bool {
    world.cut == [false; 2] && !data.cable
}

/// The kernel there believes in a connection that there is not.
fn is_broken(world: &World, data: &Data, side: Side) -> bool {
    let connected = |side: Side| (data.of(side).kernel).is_some_and(|k| k.net == Net::Connected);
    connected(side) && !(connected(side.other()) && joined(world, data))
}

/// A daemon is there to be told.
fn hears(world: &World, side: Side) -> bool {
    world.seat(side).mind.is_some() && !world.seat(side).paused
}

fn may(world: &World, data: &Data, side: Side, turn: Turn) -> bool {
    let reached = |from: Side| !world.blocked(from) && hears(world, from.other());
    let errand = data.errands[side.other() as usize];
    let asked = errand.is_some_and(|errand| !errand.done) && reached(side.other());
    let Some(kernel) = data.of(side).kernel else {
        return turn == Turn::Outdates && asked;
    };
    let waits = |side: Side| (data.of(side).kernel).is_some_and(|k| k.net == Net::Connecting);
    match turn {
        Turn::Notices => is_broken(world, data, side),
        Turn::Connects => {
            side == Side::First && SIDES.into_iter().all(waits) && joined(world, data)
        }
        Turn::Writes => {
            let lone = kernel.net != Net::Connected;
            let news = data.of(side.other()).whole || !data.of(side).marks.alone;
            kernel.primary && !kernel.frozen && lone && news
        }
        Turn::Asks => (kernel.frozen || kernel.promotes) && !kernel.asked && hears(world, side),
        Turn::Outdates => asked,
        Turn::Hears => {
            data.errands[side as usize].is_some_and(|errand| errand.done) && reached(side.other())
        }
        Turn::Cable | Turn::Ready | Turn::GivesUp => false,
    }
}

fn start(world: &World, side: Side, rules: &Rules) -> Start {
    let Some(data) = &world.data else {
        return Start::Fails;
    };
    let machine = data.of(side);
    let (Some(kernel), Some(memory)) = (machine.kernel, &machine.memory) else {
        return Start::Fails;
    };
    if kernel.primary {
        return Start::Goes { alone: false };
    }
    if kernel.promotes {
        return Start::Asks { alone: false };
    }
    let state = data.says(side, rules);
    let alone = match memory.copies.may_promote(&memory.sight(&state), memory.off) {
        Ok(Some(alone)) => alone,
        Ok(None) => return Start::Waits,
        Err(_) => return Start::Fails,
    };
    if kernel.net == Net::Connected && !alone {
        let theirs = data
            .of(side.other())
            .kernel
            .is_some_and(|kernel| kernel.primary);
        return match kernel.disk {
            _ if is_broken(world, data, side) => Start::Waits,
            Disk::UpToDate if !theirs => Start::Goes { alone },
            _ => Start::Fails,
        };
    }
    match kernel.disk {
        Disk::Outdated => Start::Fails,
        _ if kernel.peer_outdated => Start::Goes { alone },
        Disk::UpToDate | Disk::Consistent => Start::Asks { alone },
    }
}

/// The connection to a node that is off is cut, and waits for it again.
fn cut(data: &mut Data, side: Side, alone: bool, rules: &Rules) {
    let kernel = data.of_mut(side).kernel.as_mut();
    if let Some(kernel) = kernel.filter(|kernel| alone && kernel.net == Net::Connected) {
        kernel.parts(rules);
        kernel.net = Net::Cut;
    }
}

fn answers(data: &mut Data, side: Side, proof: Option<Right>, rules: &Rules) {
    let state = data.says(side, rules);
    let before = data.errands[side as usize];
    let number = if before.is_some_and(|errand| errand.number == 1) {
        2
    } else {
        1
    };
    let memory = data.of_mut(side).memory.as_mut();
    let memory = memory.expect("a daemon has one");
    let sight = memory.sight(&state);
    let verdict = memory.copies.fence_peer(&sight, proof, true, number, NOW);
    match verdict {
        Verdict::Certain(..) => data.certain(side),
        Verdict::Ask { .. } if rules.defect == Some(Defect::AsksInVain) => data.certain(side),
        Verdict::Ask { number, .. } => {
            let done = false;
            data.errands[side as usize] = Some(Errand { number, done });
        }
        Verdict::Unknown(_) => {}
    }
}

/// The other's daemon wants this copy outdated; `free`: this node neither runs the group nor may.
fn outdates(data: &mut Data, side: Side, free: bool, rules: &Rules) -> bool {
    let Some(kernel) = data.of_mut(side).kernel.as_mut() else {
        return false;
    };
    if !free || kernel.primary {
        return false;
    }
    if kernel.disk != Disk::Outdated {
        if kernel.net == Net::Connected {
            kernel.parts(rules);
        }
        kernel.disk = Disk::Outdated;
    }
    true
}

fn gives_up(world: &mut World, side: Side, rules: &Rules) -> Option<Vec<Event>> {
    if !waits(world, side, 0, rules) {
        return None;
    }
    spend(&mut world.left, |l| &mut l.failures)?;
    let it = &mut world.seat_mut(side).groups[0].resources[0];
    (it.fresh, it.doing) = (false, None);
    let machine = world.data.as_mut()?.of_mut(side);
    let kernel = machine.kernel.as_mut()?;
    let asked = kernel.promotes;
    kernel.gives_up();
    let memory = machine.memory.as_mut()?;
    let why = String::new();
    let outcome = match asked {
        true => Outcome::Failed("no".into()),
        false => {
            memory.told = Some(Extent::Entirely);
            Outcome::Unasked(why)
        }
    };
    let op = ha_appliance::core::event::Op::Resource(place(0, 0));
    Some(vec![Event::Finished { op, outcome }])
}
