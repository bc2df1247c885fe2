//! What the core is told, and what it asks for.

use super::protocol::fencing::Count;
use super::protocol::group::Started;
use super::protocol::record::Record;
use super::protocol::right::Right;
use super::reason::Reason;
use super::setup::Setup;
use super::time::Time;
use crate::id::{GatewayId, GroupId, Place, VifId};
use crate::wire::heartbeat::{Heartbeat, Side};

/// Something the shell saw.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Nothing but time passed. Sent only after every socket was drained, so that a heartbeat
    /// waiting in a queue is not taken for silence.
    Tick,
    /// An authenticated heartbeat arrived on a path.
    Heartbeat {
        /// The path's index.
        path: usize,
        /// What it says.
        heartbeat: Box<Heartbeat>,
    },
    /// An operation ended. Every operation ends exactly once, a cancelled one too.
    Finished {
        /// Which.
        op: Op,
        /// How.
        outcome: Outcome,
    },
    /// One of the links came up for the first time.
    LinkUp,
    /// The carrier of a VIP interface, at the start and at every change.
    Carrier {
        /// The interface.
        vif: VifId,
        /// Carrier is there.
        up: bool,
    },
    /// The gateways, at the start and at every change.
    Gateways(Vec<GatewayId>),
    /// A gateway answered a ping.
    Pong {
        /// Which.
        gateway: GatewayId,
        /// The `stamp` of the ping it answers.
        stamp: Time,
    },
    /// The latest ping of a gateway did not leave this machine: nobody was asked.
    Unasked(GatewayId),
    /// The latest probe of a group's VIPs did not leave this machine, not whole: nobody was asked.
    Unprobed(GroupId),
    /// Somebody other than this node says by ARP or ND that an address is at its hardware address.
    Claim {
        /// Where it was heard.
        vif: VifId,
        /// Which address.
        subject: Claimed,
        /// Whose hardware address.
        mac: [u8; 6],
    },
    /// The peer's machine answers that nobody listens on the heartbeat's port (ICMP port unreachable).
    Unlistening,
    /// A resource that was running is gone: an address was deleted, a process died, a check failed.
    Lost {
        /// Which.
        place: Place,
        /// What happened, for people.
        why: String,
    },
    /// A resource that was running was stopped by somebody else, on purpose, who has not started it again: it
    /// did not fail.
    Stopped {
        /// Which.
        place: Place,
    },
    /// A resource that was stopped runs: somebody started it by hand.
    Appeared {
        /// Which.
        place: Place,
    },
    /// A stopped resource became able to run here, or no longer is: it was installed, or removed.
    Reinstalled {
        /// Which.
        place: Place,
    },
    /// A resource can run here, or cannot, by its own account (its interface is away, its data is old).
    Ready {
        /// Which.
        place: Place,
        /// What it lacks; None: nothing.
        unready: Option<Unready>,
    },
    /// A third party promises that nobody else runs the group until then.
    Lease {
        /// The group.
        group: GroupId,
        /// On this node's boot-time clock, counted from the sending of what was answered.
        until: Time,
    },
    /// A device that switches the peer off answered what it was asked.
    Device {
        /// Which: its level.
        device: usize,
        /// What it says.
        answer: Answer,
    },
    /// Somebody asks, for a program that must not go on before it is certain, what is known of the peer.
    Question {
        /// Names the question in its [`Action::Proof`].
        number: u32,
        /// About this group.
        group: GroupId,
    },
    /// An operator's command.
    Command {
        /// Names the command in its [`Action::Answer`].
        number: u32,
        /// What to do.
        command: Command,
    },
    /// A new configuration, already checked. The groups keep their state by name.
    Setup(Box<Setup>),
}

/// Which address a claim is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claimed {
    /// A VIP of this group.
    Vip(GroupId),
    /// The peer's own address on the VIP interface.
    PeerAddress,
    /// The peer's end of a link there, by ha.toml: whoever has it, that machine has power.
    PeerLink,
}

/// The answer to a [`Command::Clear`] of nothing.
pub const NOTHING_TO_CLEAR: &str = "nothing to clear";

/// What an operator may command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Hand the group over to the other node. None: every group of this node, or, if it holds none,
    /// of the peer.
    Failover(Option<GroupId>),
    /// Have the group, or every one, run on that node.
    MoveTo(Option<GroupId>, Side),
    /// That node takes nothing; false: takes part again.
    Standby(Side, bool),
    /// Nobody touches anything.
    Maintenance(bool),
    /// The group runs nowhere; false: runs again.
    Stopped(GroupId, bool),
    /// Forget fail counts, look again at what failed to stop.
    Clear(Option<GroupId>),
    /// The operator saw with own eyes that the peer is off.
    ConfirmFenced {
        /// Though unproven datagrams or answered probes speak for its life.
        despite_signs: bool,
    },
    /// Switch the peer off, whatever it does.
    Fence {
        /// While it runs nothing, to see that it works: it is to be switched on again.
        rehearse: bool,
    },
    /// Hand everything over, say goodbye, and end.
    Leave,
}

/// Names an operation: by what it is done to, so that one that ends after a reload still finds it. There is
/// one at a time for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// A write of the state.
    Persist,
    /// Something done to a resource.
    Resource(Place),
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It did what it should.
    Done,
    /// A look found this.
    Found(Presence),
    /// It did not, and why.
    Failed(String),
    /// A start could not even be asked for in all its time, and why: that says nothing about the resource. It
    /// counts as not ready until an [`Event::Ready`] says otherwise.
    Unasked(String),
}

/// What a device that switches the peer off is asked. There is one question at a time for each, and every question
/// is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Whether the peer's machine has power.
    Status,
    /// To switch it off, at once and hard. What cannot leave soon does not leave at all, and fails
    /// ([`FencingSetup::off_time`](super::setup::FencingSetup)).
    Off,
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The machine has power.
    On,
    /// It has none.
    Off,
    /// It will be switched off: that it is, only a later read tells.
    Accepted,
    /// It does not answer, refuses, or says what means nothing: why. An off may have reached it all the same.
    Failed(String),
}

/// What a look at a resource found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Nothing of it runs, and nothing could: it is not installed here.
    Missing,
    /// Nothing of it runs.
    Absent,
    /// Some of it runs.
    Partial,
    /// All of it runs.
    Running,
}

/// Why a resource cannot run here, by its own account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unready {
    /// What it lacks and until when, for people: "eth0 is away".
    pub why: String,
    /// What that keeps from being done.
    pub extent: Extent,
}

/// What a resource that is not ready keeps from being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// Nothing of it can run here.
    Entirely,
    /// A part of it cannot; the rest of it does.
    Partly,
    /// Nobody hands it over to here, for here is less than there (a disk that is not replicated to); but where the
    /// other node is gone, it is taken over.
    Handover,
}

/// Something the shell is to do. Those that name an [`Op`] end in an [`Event::Finished`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send this on every path.
    Send(Box<Heartbeat>),
    /// Make this durable.
    Persist(Record),
    /// Find out whether the resource runs.
    Look(Place),
    /// Start the resource, or make sure that all of it runs; announce addresses. With the right by which it is
    /// started, unless it runs on both nodes.
    Start(Place, Option<Right>),
    /// Stop the resource and check that nothing of it is left.
    Stop(Place),
    /// Take down what is left of a stopped resource: this node leaves.
    Part(Place),
    /// Let a running lease end by itself [`CEDED`](super::setup::CEDED) from now, and neither
    /// announce nor defend it any more.
    Cede(Place),
    /// End the operation early; its `Finished` still comes.
    Cancel(Op),
    /// Note in the run directory, before anything else is done, what a daemon of this boot starts, or has running,
    /// of the group; None: that nothing of it runs.
    Mark(GroupId, Option<Started>),
    /// Ask this device that switches the peer off. (The state is durable that says so, if it is [`Ask::Off`].)
    Device {
        /// Which: its level.
        device: usize,
        /// What.
        ask: Ask,
    },
    /// Note in the run directory since when the peer may be gone, for a daemon of this boot after this one.
    Note(Count),
    /// Renew the group's leases. The clock is read again after it, in a further step.
    Renew {
        /// Which.
        group: GroupId,
        /// Leases without an end (maintenance).
        forever: bool,
    },
    /// Tell the network again where the group's addresses are.
    Announce(GroupId),
    /// Ask the network who has the group's addresses, and the peer's own.
    Probe(GroupId),
    /// Ping a gateway.
    Ping {
        /// Which.
        gateway: GatewayId,
        /// Comes back in [`Event::Pong`].
        stamp: Time,
    },
    /// Answer a question: by what it is certain, now, that the peer runs nothing of the group; None: it is not.
    Proof {
        /// The question's number.
        number: u32,
        /// What is certain.
        proof: Option<Right>,
    },
    /// Answer a command.
    Answer {
        /// The command's number.
        number: u32,
        /// Done; false: refused or failed.
        accepted: bool,
        /// For the operator.
        text: String,
    },
    /// All of what the peer was answered, where a heartbeat has room for its beginning only.
    Reply(String),
    /// Something changed, with its reason: for the log, the history and the notify hook.
    Report(Report),
    /// Everything is stopped and handed over: end the program.
    Exit,
}

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Report {
    /// The group, where it is about one.
    pub group: Option<GroupId>,
    /// What changed.
    pub change: Change,
    /// Why.
    pub reason: Reason,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// The peer's state, from and to.
    Peer(
        super::protocol::peer::PeerState,
        super::protocol::peer::PeerState,
    ),
    /// The group's role here, from and to.
    Role(crate::wire::heartbeat::Role, crate::wire::heartbeat::Role),
    /// The token as this node knows it.
    Token(crate::wire::heartbeat::Token),
    /// Clearance: begun, given, refused, ended.
    Clearance,
    /// A fact that speaks for or against this node.
    Fact,
    /// The operator's wishes.
    Wish,
    /// Something an operator should know.
    Notice,
}
