//! Two machines and the network between them, at one moment. Time stands at zero always: when it
//! passes, everything else moves into the past.

use super::bounds::{Bounds, Left};
use super::print::print;
use ha_appliance::core::Node;
use ha_appliance::core::canonical::Mark;
use ha_appliance::core::record::{Record, first_token};
use ha_appliance::core::setup::{Failback, GatewaySetup, GroupSetup, ResourceSetup, Setup};
use ha_appliance::core::time::Time;
use ha_appliance::wire::heartbeat::{Echo, Heartbeat, Role, Side, Token};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub const NOW: Time = Time(0);
pub const SIDES: [Side; 2] = [Side::First, Side::Second];
/// The one group's name.
pub const GROUP: u64 = 7;

/// Everything there is.
#[derive(Clone, Debug)]
pub struct World {
    pub seats: [Seat; 2],
    /// Heartbeats under way, by sender.
    pub wire: [Vec<Letter>; 2],
    /// Directions that are cut, by sender.
    pub cut: [bool; 2],
    pub left: Left,
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The daemon, if it runs.
    pub mind: Option<Arc<Mind>>,
    /// The machine has power.
    pub powered: bool,
    pub disk: Arc<Record>,
    /// A write under way.
    pub writing: Option<Arc<Record>>,
    /// Each resource as it is here.
    pub resources: [Resource; MOST],
    /// The write began in this very step: it ends at once or is slow.
    pub fresh: bool,
    /// The source of clearance was asked to make sure that the peer is off.
    pub asking: bool,
    /// What was seen of it so far, for the properties.
    pub seen: Seen,
}

/// The most resources that a group of a search has.
pub const MOST: usize = 2;

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    Look,
    Start,
    Stop,
    Cede,
}

/// What the one group consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One resource that holds data.
    Data,
    /// An address, which moves without a gap.
    Vip,
    /// An address and a service.
    VipService,
}

impl Kind {
    /// Its resources' names; the kernel ends those that are leased.
    pub fn resources(self) -> Vec<ResourceSetup> {
        let resource = |name, leased, data| ResourceSetup {
            name,
            exclusive: true,
            data,
            leased,
            start_timeout: NEVER,
            stop_timeout: NEVER,
            restarts: 1,
            window: Duration::from_secs(600),
            fail_expiry: Some(Duration::from_secs(3600)),
        };
        match self {
            Kind::Data => vec![resource(1, false, true)],
            Kind::Vip => vec![resource(1, true, false)],
            Kind::VipService => vec![resource(1, true, false), resource(2, false, false)],
        }
    }

    /// Whether the kernel ends that one.
    pub fn leased(self, resource: usize) -> bool {
        self != Kind::Data && resource == 0
    }
}

/// Longer than any search lasts.
const NEVER: Duration = Duration::from_secs(86_400);

/// What was seen of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The token it advertised last, over restarts that keep the state.
    pub token: Token,
    /// The role it advertised last, in this incarnation.
    pub role: Role,
    /// What runs was started by agreement or clearance in this incarnation.
    pub by_right: bool,
    /// It advertised anything in this incarnation.
    pub spoke: bool,
    /// The last write failed.
    pub unwritable: bool,
    /// It advertised what it could not write, or was wiped: it may forget.
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
}

impl World {
    /// Two machines that never ran.
    pub fn new(left: Left) -> World {
        let seat = || Seat {
            mind: None,
            powered: false,
            disk: Arc::default(),
            writing: None,
            resources: Default::default(),
            fresh: false,
            asking: false,
            seen: Seen::new(),
        };
        World {
            seats: [seat(), seat()],
            wire: [vec![], vec![]],
            cut: [false; 2],
            left,
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

    /// The fingerprint of everything there is.
    pub fn print(&self) -> u128 {
        let seats = self.seats.each_ref().map(|s| {
            let mind = s.mind.as_ref().map(|m| m.print());
            (
                mind,
                s.powered,
                &s.disk,
                &s.writing,
                (s.resources, s.fresh),
                s.asking,
                s.seen,
            )
        });
        let wire = self
            .wire
            .each_ref()
            .map(|w| w.iter().map(|l| l.print).collect::<Vec<_>>());
        print(&(seats, wire, self.cut, self.left))
    }
}

impl Seat {
    /// Something of the group may be running here.
    pub fn runs(&self) -> bool {
        self.resources.iter().any(|r| r.runs)
    }

    /// The same, but for addresses that are being handed over and whose time is not over.
    pub fn keeps(&self) -> bool {
        self.resources.iter().any(|r| r.runs && r.ceded == 0)
    }
}

impl Seen {
    pub fn new() -> Seen {
        Seen {
            token: first_token(None),
            role: Role::Stopped,
            by_right: false,
            spoke: false,
            unwritable: false,
            forgetful: false,
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
        }
    }
}

/// The configuration: one group, one outside source of clearance, no gateways, and times that are few
/// multiples of the heartbeat interval, which is one time step.
pub fn setup(me: Side, bounds: &Bounds) -> Setup {
    let patience = if bounds.timeouts {
        2 * bounds.quantum
    } else {
        NEVER
    };
    let mut resources = bounds.group.resources();
    for it in &mut resources {
        (it.start_timeout, it.stop_timeout) = (patience, patience);
    }
    Setup {
        me,
        names: ["first".into(), "second".into()],
        cluster: 1,
        nodes: 1,
        digest: 1,
        links: 1,
        interval: bounds.quantum,
        misses: bounds.misses,
        start_wait: bounds.quantum * bounds.misses,
        wait_for_peer: false,
        gateway: GatewaySetup {
            require_all: false,
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
            misses: 3,
            dampening: Duration::from_secs(5),
        },
        vifs: 0,
        groups: vec![GroupSetup {
            name: GROUP,
            prefer: None,
            failback: Failback::Manual,
            resources,
            vifs: vec![],
        }],
        sources: 1,
    }
}
