//! One resource on this node: whether it may run, and what is being done to it.

use super::super::setup::ResourceSetup;
use super::super::time::Time;
use crate::id::ResourceId;

/// One resource on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    /// Which.
    pub id: ResourceId,
    /// What the configuration says of it.
    pub setup: ResourceSetup,
    /// The right by which the group runs here covers it: it may be started.
    pub covered: bool,
    /// It may be running.
    pub present: bool,
    /// As far as the last look, not all of it runs.
    pub partial: bool,
    /// It ought to run and does not: it is to be started again.
    pub down: bool,
    /// Its stop failed.
    pub stuck: bool,
    /// What was left of it while stopped was taken down, as far as that went.
    pub parted: bool,
    /// What is being done to it, one thing at a time.
    pub work: Option<Work>,
}

/// What is being done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Work {
    /// What.
    pub kind: Kind,
    /// When it is cancelled.
    pub deadline: Time,
    /// It was; its end still comes.
    pub cancelled: bool,
}

/// What may be done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It is looked at.
    Look,
    /// It is started.
    Start,
    /// It is stopped.
    Stop,
    /// It is handed over while it still runs.
    Cede,
    /// What is left of it is taken down.
    Part,
}

impl Resource {
    /// Nothing is known of it, so it may run.
    pub fn new(setup: &ResourceSetup) -> Resource {
        Resource {
            id: setup.id,
            setup: *setup,
            covered: false,
            present: true,
            partial: false,
            down: false,
            stuck: false,
            parted: false,
            work: None,
        }
    }

    /// That is being done to it.
    pub fn is_doing(&self, kind: Kind) -> bool {
        self.work.is_some_and(|work| work.kind == kind)
    }

    /// It must never run on both nodes.
    pub fn exclusive(&self) -> bool {
        self.setup.exclusive
    }

    /// The kernel ends it if it is not renewed.
    pub fn leased(&self) -> bool {
        self.setup.leased
    }
}
