//! Two machines and the networks between them, at one moment. Time stands at zero always: when it
//! passes, everything else moves into the past.

use super::bounds::{Bounds, Left};
use super::data::Data;
use super::lan::{Lans, NETWORKS};
use super::moves::Rules;
use super::print::print;
use super::setup::{GROUPS, RESOURCES, preferred};
use ha_appliance::core::Node;
use ha_appliance::core::canonical::Mark;
use ha_appliance::core::event::Ask;
use ha_appliance::core::protocol::fencing::Count;
use ha_appliance::core::protocol::group::Started;
use ha_appliance::core::record::{Record, first_token};
use ha_appliance::core::time::Time;
use ha_appliance::wire::heartbeat::{Echo, Heartbeat, Role, Side, Token};
use std::sync::{Arc, OnceLock};

pub const NOW: Time = Time(0);
pub const SIDES: [Side; 2] = [Side::First, Side::Second];

/// Everything there is.
#[derive(Clone, Debug)]
pub struct World {
    pub seats: [Seat; 2],
    /// Heartbeats under way, by sender.
    pub wire: [Vec<Letter>; 2],
    /// Directions of the interlink that are cut, by sender.
    pub cut: [bool; 2],
    pub lans: Lans,
    /// DRBD, where that is searched.
    pub data: Option<Data>,
    /// To whom a third party has promised a group, and for how many time steps.
    pub leases: [Option<(Side, u8)>; GROUPS],
    /// For how many time steps both machines have run a group, since a network changed.
    pub both: [u8; GROUPS],
    /// Machines switched off by order since the interlink broke.
    pub kills: u8,
    pub left: Left,
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The daemon, if it runs.
    pub mind: Option<Arc<Mind>>,
    /// The machine has power.
    pub powered: bool,
    /// The daemon pauses: nothing reaches it.
    pub paused: bool,
    pub disk: Arc<Record>,
    /// What the disk held before; only where it may go back to that.
    pub older: Option<Arc<Record>>,
    /// A write under way.
    pub writing: Option<Arc<Record>>,
    /// The write began in this very step: it ends at once or is slow.
    pub fresh: bool,
    /// It waits for an operator's word that the peer is off.
    pub asking: bool,
    /// What the device of the other machine is asked for it, and whether it was in this very step.
    pub asked: Option<(Ask, bool)>,
    /// Since when the other may be gone, as the run directory says.
    pub noted: Option<Count>,
    /// It may be switched off at any time, by the other's order.
    pub doomed: Option<Doom>,
    /// It was switched off by the other's order, and has not come back.
    pub shot: bool,
    /// In this boot of the machine the other was heard both ways.
    pub met: bool,
    /// For so many time steps no gateway has answered it, up to as many as an instant is open for.
    pub blind: u8,
    /// For so many the other's machine has had that group's address, and it could see that, up to as many as it takes to
    /// ask for it.
    pub sees: [u8; GROUPS],
    /// Its ha.toml is the new one, where there are two.
    pub new_file: bool,
    /// Promises under way to it: the time steps that are left of each.
    pub promised: [Option<u8>; GROUPS],
    /// What each of the clients' networks has for the daemon.
    pub news: [News; NETWORKS],
    /// Each group as it is here.
    pub groups: [Local; GROUPS],
    /// What was seen of it so far, for the properties.
    pub seen: Seen,
}

/// A device was asked to switch the machine off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Doom {
    /// For how many more time steps it may still do so.
    pub left: u8,
    /// It said that it will.
    pub certain: bool,
}

/// What a clients' network brings, before anything else happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct News {
    /// The gateway's answer.
    pub pong: bool,
    /// The peer's own address is answered for.
    pub peer: bool,
    /// The peer's machine says that it has a group's address.
    pub claims: [bool; GROUPS],
}

/// One group on one machine, and what was seen of it there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    pub resources: [Resource; RESOURCES],
    /// The token advertised last, over restarts that keep the state.
    pub token: Token,
    /// The role advertised last, in this incarnation.
    pub role: Role,
    /// What runs was started by agreement or clearance in this incarnation.
    pub by_right: bool,
    /// It may be started by an agreement heard before: the start waits until everything is read.
    pub agreed: bool,
    /// What the run directory says: a daemon of this boot started it with that epoch.
    pub mark: Option<Started>,
}

/// One resource on one machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Resource {
    /// It may be running: from the moment its start was asked for until a stop is done, or the kernel
    /// has ended it.
    pub runs: bool,
    /// Of a lease: the time steps until the kernel ends it.
    pub left: u8,
    /// Of one that is being handed over: one more than the time steps for which it may still be there.
    pub ceded: u8,
    /// An operation under way.
    pub doing: Option<Doing>,
    /// It began in this very step: it ends at once or is slow.
    pub fresh: bool,
    /// It went away while the daemon paused, which has yet to learn of it.
    pub gone: bool,
    /// Of a lease without fencing: the daemon died, paused, or could not delete it since it was last renewed.
    pub stalled: bool,
}

/// A lease without an end.
pub const ENDLESS: u8 = u8::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    Look,
    Start,
    Stop,
    Cede,
    /// What is left of it is taken down.
    Part,
}

/// What was seen of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// It advertised anything in this incarnation.
    pub spoke: bool,
    /// The last write failed.
    pub unwritable: bool,
    /// Without fencing: the daemon died or paused while a service ran.
    pub left_behind: bool,
    /// It advertised what it could not write, or lost what it had written: it may forget.
    pub forgetful: bool,
}

/// A daemon's mind, the heartbeat numbers in it, and its fingerprint.
#[derive(Debug)]
pub struct Mind {
    pub node: Node,
    pub marks: Vec<(Mark, Echo)>,
    print: OnceLock<u128>,
}

/// A heartbeat under way, and its fingerprint.
#[derive(Clone, Debug)]
pub struct Letter {
    pub heartbeat: Arc<Heartbeat>,
    pub print: u128,
    /// It reached a machine whose daemon pauses, and waits there to be read before anything else.
    pub waits: bool,
}

impl World {
    /// Two machines that never ran.
    pub fn new(bounds: &Bounds) -> World {
        World {
            seats: [Seat::new(), Seat::new()],
            wire: [vec![], vec![]],
            cut: [bounds.leases; 2],
            lans: Lans::well(bounds),
            data: bounds.drbd.map(|_| Data::new(bounds)),
            leases: [None; GROUPS],
            both: [0; GROUPS],
            kills: 0,
            left: bounds.left,
        }
    }

    pub fn seat(&self, side: Side) -> &Seat {
        &self.seats[side as usize]
    }

    pub fn seat_mut(&mut self, side: Side) -> &mut Seat {
        &mut self.seats[side as usize]
    }

    pub fn node(&self, side: Side) -> Option<&Node> {
        self.seat(side).mind.as_ref().map(|m| &m.node)
    }

    /// How many heartbeats of a side wait to be read; they are its oldest.
    pub fn waiting(&self, from: Side) -> usize {
        self.wire[from as usize].iter().filter(|l| l.waits).count()
    }

    /// What that side says reaches nobody: no path works.
    pub fn blocked(&self, from: Side) -> bool {
        self.cut[from as usize] && !self.lans.joined()
    }

    /// The fingerprint of everything there is.
    pub fn print(&self) -> u128 {
        let seats = self.seats.each_ref().map(|s| {
            let mind = s.mind.as_ref().map(|m| m.print());
            (
                mind,
                (s.powered, s.paused),
                (&s.disk, &s.older, &s.writing, s.fresh),
                (s.asking, s.promised, s.news, s.new_file),
                (s.asked, s.noted, s.doomed, s.shot, s.met),
                &s.groups,
                s.seen,
            )
        });
        let wire = self
            .wire
            .each_ref()
            .map(|w| w.iter().map(|l| (l.print, l.waits)).collect::<Vec<_>>());
        let world = print(&(
            seats,
            wire,
            self.cut,
            self.lans,
            self.leases,
            self.both,
            self.kills,
            self.left,
        ));
        match &self.data {
            Some(data) => print(&(world, data)),
            None => world,
        }
    }
}

impl Seat {
    /// A machine that never ran.
    pub fn new() -> Seat {
        Seat {
            mind: None,
            powered: false,
            paused: false,
            disk: Arc::default(),
            older: None,
            writing: None,
            fresh: false,
            asking: false,
            asked: None,
            noted: None,
            doomed: None,
            shot: false,
            met: false,
            blind: 0,
            sees: [0; GROUPS],
            new_file: false,
            promised: [None; GROUPS],
            news: [News::default(); NETWORKS],
            groups: [0, 1].map(Local::new),
            seen: Seen::default(),
        }
    }

    /// Something of the group may be running here, other than addresses that are being handed over and
    /// whose time is not over.
    pub fn keeps(&self, group: usize) -> bool {
        let mut resources = self.groups[group].resources.iter();
        resources.any(|r| r.runs && r.ceded == 0)
    }

    /// Without fencing it matters that nobody looks after what runs.
    pub fn unattended(&mut self, rules: &Rules) {
        if !rules.bounds.best_effort {
            return;
        }
        self.seen.left_behind |= self.serves();
        for (local, kind) in self.groups.iter_mut().zip(rules.bounds.groups) {
            let lease = &mut local.resources[0];
            lease.stalled |= kind.leased(0) && lease.runs;
        }
    }

    /// Its ha.toml is the other one from now on. Where a service changes groups by it, what is being done to that
    /// goes on as it likes.
    pub fn exchange_file(&mut self, bounds: &Bounds) {
        self.new_file = !self.new_file;
        if !bounds.two_lists() {
            return;
        }
        let [giver, taker] = &mut self.groups;
        let service = std::mem::take(&mut giver.resources[1]);
        taker.resources[1] = Resource {
            runs: service.runs,
            ..Resource::default()
        };
    }

    /// A network has something for the daemon.
    pub fn has_news(&self) -> bool {
        self.news != [News::default(); NETWORKS]
    }

    /// A service runs here.
    pub fn serves(&self) -> bool {
        self.groups.iter().any(|g| g.resources[1].runs)
    }

    /// Each resource, with its group's index and its own.
    pub fn resources(&self) -> impl Iterator<Item = (usize, usize, &Resource)> {
        let groups = self.groups.iter().enumerate();
        groups.flat_map(|(g, local)| {
            let resources = local.resources.iter().enumerate();
            resources.map(move |(r, it)| (g, r, it))
        })
    }

    pub fn resources_mut(&mut self) -> impl Iterator<Item = &mut Resource> {
        self.groups.iter_mut().flat_map(|g| &mut g.resources)
    }
}

impl Local {
    /// Nothing was seen of it yet.
    pub fn new(group: usize) -> Local {
        Local {
            resources: Default::default(),
            token: first_token(Some(preferred(group))),
            role: Role::Stopped,
            by_right: false,
            agreed: false,
            mark: None,
        }
    }
}

impl Mind {
    pub fn new(mut node: Node) -> Mind {
        let mut marks = Vec::new();
        node.marks(&mut |mark, echo| {
            marks.push((mark, *echo));
            true
        });
        Mind {
            print: OnceLock::new(),
            marks,
            node,
        }
    }

    pub fn print(&self) -> u128 {
        *self.print.get_or_init(|| print(&self.node))
    }

    /// The first number of that kind.
    pub fn mark(&self, mark: Mark) -> Echo {
        self.marks
            .iter()
            .find(|(m, _)| *m == mark)
            .map(|(_, echo)| *echo)
            .unwrap_or_default()
    }
}

impl Letter {
    pub fn new(heartbeat: Heartbeat) -> Letter {
        Letter {
            print: print(&heartbeat),
            heartbeat: Arc::new(heartbeat),
            waits: false,
        }
    }

    /// It says this instead.
    pub fn rewrite(&mut self, heartbeat: Heartbeat) {
        *self = Letter {
            waits: self.waits,
            ..Letter::new(heartbeat)
        };
    }
}
