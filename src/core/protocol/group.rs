//! One group on this node: who may run it, and what of it runs here.
//!
//! ```text
//!             ┌─────────┐ nothing runs   ┌─────────┐ agreement or clearance ┌──────────┐   ┌────────┐
//!  start ───► │ Looking ├──────────────► │ Stopped ├──────────────────────► │ Starting ├─► │ Active │
//!             └────┬────┘                └────▲────┘                        └────▲─┬───┘   └───┬────┘
//!                  │ found running            │ all stopped                      │ │           │
//!                  ├─ with the token ─► Adopted ── agreement or clearance ───────┘ │           │
//!                  │                        └───── resumed ───────────────────────────────────►┤
//!                  └─ without ───────► Stopping ◄──────────────────────────────────┴───────────┤
//!                                         │ ▲                                                  │
//!                                         │ └── Ceded ◄── Ceding ◄── handed over while it runs ┘
//!                                         └── a stop failed ──► Failed ── found stopped ──► Stopped
//! ```
//!
//! Every transition stands in `transition`; the order that must hold, *clearance → persist the token →
//! resources in file order*, in [`Group::advance`]. What would be best is a [`Wish`] from outside, which
//! chooses among what is allowed and allows nothing.

use super::super::event::{Action, Change, Report};
use super::super::reason::Reason;
use super::super::setup::GroupSetup;
use super::super::time::Time;
use super::evidence::Probes;
use super::lifetime::Lifetimes;
use super::record::{GroupRecord, first_token};
use super::resource::Resource;
use super::right::Right;
use crate::id::{GroupId, ResourceId};
use crate::wire::heartbeat::{Role, Token};

/// One group on this node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    pub(super) id: GroupId,
    pub(super) token: Token,
    /// The highest epoch seen or minted.
    pub(super) highest: u64,
    pub(super) state: State,
    /// The peer's weightier token, on its way to the disk.
    pub(super) adopting: Option<Token>,
    /// What there is of it here, in file order.
    pub resources: Vec<Resource>,
    pub(super) lifetimes: Lifetimes,
    pub(super) probes: Probes,
    /// Until when a third party promises that nobody else runs it.
    pub(super) lease: Option<Time>,
    /// A stop of it failed on the peer, as far as this daemon or one before it knows.
    pub(super) peer_failed: bool,
    /// What a daemon of this boot started, as the mark in the run directory says.
    pub(super) mark: Option<Started>,
    /// Since when it has its role, which one that is, and why.
    pub(super) since: Time,
    pub(super) shown: Role,
    /// The role that was reported last.
    pub(super) told: Role,
    pub(super) reason: Reason,
    /// What it waits for, for people.
    pub(in crate::core) waiting: Option<Reason>,
}

/// What a daemon started, for one of the same boot that comes after it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Started {
    /// By the token of that epoch.
    pub epoch: u64,
    /// What it had the right to start, sorted: not what was held back.
    pub covered: Vec<ResourceId>,
    /// It runs; otherwise it was stopped since, and nobody was given it.
    pub runs: bool,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// This incarnation looks at the resources, at this one next. Nothing is proven.
    Looking {
        /// Its place.
        next: usize,
    },
    /// Everything was looked at, and nothing exclusive runs.
    Stopped {
        /// What it does about that.
        rest: Rest,
    },
    /// Found running; left alone, and not renewed, until the right to it is known.
    Adopted {
        /// How that is sought.
        seeking: Option<Seeking>,
    },
    /// Starting this resource.
    Starting {
        /// Its place.
        next: usize,
        /// By what right.
        right: Right,
    },
    /// All of it runs that the right covers.
    Active {
        /// By what right.
        right: Right,
        /// The peer's token, on its way to the disk before anything is stopped for it.
        granting: Option<Token>,
        /// How the right to what it does not cover is sought, or whether the peer lives to take it.
        seeking: Option<Seeking>,
    },
    /// Its addresses are given a short end, and then the peer its token.
    Ceding {
        /// By what right it runs until then.
        right: Right,
        /// The peer's.
        granting: Token,
        /// They have it: the peer must echo this own sequence or a later one.
        decided: Option<u64>,
    },
    /// The peer has the token; addresses that are left end by themselves.
    Ceded,
    /// Stopping, in reverse order.
    Stopping {
        /// The addresses at once, whatever else is under way: the peer has, or may soon take, the group.
        haste: bool,
        /// For the peer, once all is stopped.
        granting: Option<Token>,
    },
    /// A stop failed.
    Failed {
        /// It is looked at again.
        looks: Looks,
    },
}

/// What a stopped group does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rest {
    /// Nothing.
    Idle,
    /// The holder: seeks the right to start, or whether the peer lives to take it.
    Seeking(Seeking),
    /// Not the holder: works on clearance.
    Contesting,
    /// Has clearance, and this token of its own is on its way to the disk.
    Seizing(Token),
    /// The holder: this token is the peer's once the disk has it, and the peer has shown that it lives.
    Granting {
        /// The token.
        token: Token,
        /// By an echo of this own sequence or a later one.
        decided: u64,
    },
}

/// A holder that seeks the right to start, or an answer of the peer that is to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seeking {
    /// What it waits for must echo this own sequence or a later one.
    pub decided: u64,
    /// It works on clearance: the peer must not agree to anything meanwhile.
    pub contested: bool,
    /// For the peer: what made that a wish here may have ended it, too.
    pub moves: bool,
}

/// Looks at what could not be stopped: in passes over all of it, until two in a row find nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Looks {
    /// The resource looked at next; None: between two passes.
    pub next: Option<usize>,
    /// When the next pass begins.
    pub at: Time,
    /// Passes in a row that found nothing.
    pub clean: u8,
    /// Passes that found something: they are further apart each time.
    pub vain: u8,
    /// What the next pass finds is to be stopped once more: an operator wants that.
    pub again: bool,
}

/// What would be best for a group on this node now. It allows nothing that the protocol does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// That it runs here.
    Run,
    /// The same, if the peer agrees; but evidence against it is not to be used, because of this.
    Agree(Reason),
    /// That the peer gets it.
    Move(Reason),
    /// That it does not run here.
    Stop(Reason),
}

impl Group {
    /// A group at the start of the daemon, with what the disk remembers, and what a daemon of this boot
    /// started of it.
    pub fn new(
        now: Time,
        setup: &GroupSetup,
        saved: Option<&GroupRecord>,
        mark: Option<Started>,
    ) -> Group {
        let token = saved.map_or_else(|| first_token(setup.prefer), |s| s.token);
        Group {
            id: setup.id,
            token,
            highest: saved.map_or(0, |s| s.highest).max(token.epoch),
            state: State::Looking { next: 0 },
            adopting: None,
            resources: setup.resources.iter().map(Resource::new).collect(),
            lifetimes: Lifetimes::new(now),
            probes: Probes::default(),
            lease: None,
            peer_failed: saved.is_some_and(|s| s.peer_failed),
            mark,
            since: now,
            shown: Role::Stopped,
            told: Role::Stopped,
            reason: Reason::Started,
            waiting: None,
        }
    }

    /// Its name.
    pub fn id(&self) -> GroupId {
        self.id
    }

    /// Its token.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Why it has its role, and since when.
    pub fn why(&self) -> (&Reason, Time) {
        (&self.reason, self.since)
    }

    /// The place among its resources of the one so named.
    pub fn resource(&self, id: ResourceId) -> Option<usize> {
        self.resources.iter().position(|r| r.id == id)
    }

    /// Where it stands, in the words of the wire.
    pub fn role(&self) -> Role {
        match self.state {
            State::Looking { .. } | State::Stopped { .. } => Role::Stopped,
            State::Adopted { .. } | State::Starting { .. } => Role::Starting,
            State::Active { .. } => Role::Active,
            State::Ceding { .. } | State::Ceded | State::Stopping { .. } => Role::Stopping,
            State::Failed { .. } => Role::Failed,
        }
    }

    /// The same for people, who are told what changed.
    pub fn told(&self) -> Role {
        self.told
    }

    /// A stop of it failed.
    pub fn has_failed(&self) -> bool {
        matches!(self.state, State::Failed { .. })
    }

    /// Nothing of it runs, and nothing is under way.
    pub fn at_rest(&self) -> bool {
        let still = match self.state {
            State::Stopped { rest } => !matches!(rest, Rest::Seizing(_) | Rest::Granting { .. }),
            State::Failed { .. } => true,
            State::Looking { .. }
            | State::Adopted { .. }
            | State::Starting { .. }
            | State::Active { .. }
            | State::Ceding { .. }
            | State::Ceded
            | State::Stopping { .. } => false,
        };
        still && !self.busy() && self.adopting.is_none()
    }

    /// This incarnation looked at everything exclusive and found it stopped; or nothing of it is left
    /// but addresses that the kernel is about to end.
    pub fn proven_stopped(&self) -> bool {
        matches!(self.state, State::Stopped { .. } | State::Ceded)
    }

    /// It works on clearance: the peer must not agree.
    pub fn contested(&self) -> bool {
        match self.state {
            State::Stopped { rest } => match rest {
                Rest::Seeking(seeking) => seeking.contested,
                Rest::Contesting | Rest::Seizing(_) => true,
                Rest::Idle | Rest::Granting { .. } => false,
            },
            State::Adopted { seeking } => seeking.is_some_and(|s| s.contested),
            State::Looking { .. }
            | State::Starting { .. }
            // The peer agrees to nothing while it runs here.
            | State::Active { .. }
            | State::Ceding { .. }
            | State::Ceded
            | State::Stopping { .. }
            | State::Failed { .. } => false,
        }
    }

    /// It waits for agreement, or an answer, with an echo of this own sequence or a later one.
    pub fn decided(&self) -> Option<u64> {
        match self.state {
            State::Stopped {
                rest: Rest::Seeking(seeking),
            } => Some(seeking.decided),
            State::Stopped {
                rest: Rest::Granting { decided, .. },
            } => Some(decided),
            State::Ceding { decided, .. } => decided,
            State::Adopted { seeking } | State::Active { seeking, .. } => {
                seeking.map(|s| s.decided)
            }
            _ => None,
        }
    }

    /// The token that belongs on disk: what is on its way there counts.
    pub(super) fn wanted(&self) -> Token {
        let pending = match self.state {
            State::Stopped {
                rest: Rest::Seizing(token) | Rest::Granting { token, .. },
            } => Some(token),
            State::Active { granting, .. } | State::Stopping { granting, .. } => granting,
            State::Ceding { granting, .. } => Some(granting),
            State::Stopped { .. }
            | State::Looking { .. }
            | State::Adopted { .. }
            | State::Starting { .. }
            | State::Ceded
            | State::Failed { .. } => None,
        };
        self.adopting.or(pending).unwrap_or(self.token)
    }

    /// A third party promises that nobody else runs it until then.
    pub fn leased_until(&mut self, until: Time) {
        self.lease = self.lease.max(Some(until));
        if let Some(Right::Lease { until }) = self.state.right_mut() {
            *until = self.lease.unwrap_or(*until);
        }
    }

    pub(super) fn stop_failed(&self) -> bool {
        self.resources.iter().any(|r| r.stuck)
    }

    pub(super) fn holds_data(&self) -> bool {
        self.resources.iter().any(|r| r.setup.data)
    }

    /// Something of it may be running here, started by this daemon.
    pub(super) fn running(&self) -> bool {
        matches!(
            self.state,
            State::Starting { .. }
                | State::Active { .. }
                | State::Ceding { .. }
                | State::Ceded
                | State::Stopping { .. }
        )
    }

    /// A daemon of this boot started it, and it was not stopped since, as far as is known.
    pub(in crate::core) fn ran_before(&self) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.runs)
    }

    pub(in crate::core) fn runs_exclusive(&self) -> bool {
        self.resources.iter().any(|r| r.present && r.exclusive())
    }

    pub(in crate::core) fn report(&self, change: Change, reason: Reason) -> Action {
        Action::Report(Report {
            group: Some(self.id),
            change,
            reason,
        })
    }
}

impl State {
    /// The right by which it is started or runs.
    pub fn right(self) -> Option<Right> {
        match self {
            State::Starting { right, .. }
            | State::Active { right, .. }
            | State::Ceding { right, .. } => Some(right),
            State::Looking { .. }
            | State::Stopped { .. }
            | State::Adopted { .. }
            | State::Ceded
            | State::Stopping { .. }
            | State::Failed { .. } => None,
        }
    }

    pub(super) fn right_mut(&mut self) -> Option<&mut Right> {
        match self {
            State::Starting { right, .. }
            | State::Active { right, .. }
            | State::Ceding { right, .. } => Some(right),
            _ => None,
        }
    }
}
