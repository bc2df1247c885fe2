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
    /// The resource may be running here: from the moment its start was asked for until a stop is done.
    pub runs: bool,
    /// An operation under way.
    pub doing: Option<Doing>,
    /// The write, and the operation, began in this very step: they end at once or are slow.
    pub fresh: [bool; 2],
    /// The source of clearance was asked to make sure that the peer is off.
    pub asking: bool,
    /// What was seen of it so far, for the properties.
    pub seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    Look,
    Start,
    Stop,
}

/// What was seen of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The token it advertised last, over restarts that keep the state.
    pub token: Token,
    /// The role it advertised last, in this incarnation.
    pub role: Role,
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
            runs: false,
            doing: None,
            fresh: [false; 2],
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
                s.runs,
                (s.doing, s.fresh),
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

impl Seen {
    pub fn new() -> Seen {
        Seen {
            token: first_token(None),
            role: Role::Stopped,
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

/// The configuration: one group of one exclusive resource, one outside source of clearance, no
/// gateways, and times that are few multiples of the heartbeat interval.
pub fn setup(me: Side, bounds: &Bounds) -> Setup {
    let patience = if bounds.timeouts {
        Duration::from_millis(200)
    } else {
        Duration::from_secs(86_400)
    };
    Setup {
        me,
        names: ["first".into(), "second".into()],
        cluster: 1,
        nodes: 1,
        digest: 1,
        links: 1,
        interval: Duration::from_millis(100),
        misses: bounds.misses,
        start_wait: Duration::from_millis(100) * bounds.misses,
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
            resources: vec![ResourceSetup {
                name: 1,
                exclusive: true,
                data: true,
                leased: false,
                start_timeout: patience,
                stop_timeout: patience,
                restarts: 0,
                window: Duration::ZERO,
                fail_expiry: Some(Duration::from_secs(3600)),
            }],
            vifs: vec![],
        }],
        sources: 1,
    }
}
