//! What happens to a group's resources from outside, as far as it proves or disproves something.

use super::super::context::Context;
use super::super::event::{Action, Change, Outcome, Presence};
use super::super::reason::Reason;
use super::group::{Group, State};
use super::resource::{Kind, Resource, Work};

/// What came of an operation, for whoever decides what is best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A look found it.
    Looked(Presence),
    /// It was started.
    Started,
    /// A start failed, and why.
    NotStarted(String),
    /// A start could not be asked for, and why.
    Unasked(String),
    /// Nothing that asks for a decision.
    Nothing,
}

impl Group {
    /// What was done to a resource ended.
    pub fn finished(
        &mut self,
        cx: &Context,
        resource: usize,
        outcome: Outcome,
        out: &mut Vec<Action>,
    ) -> Ended {
        match self.resources[resource].work.take() {
            Some(work) => self.ended(cx, resource, work, outcome, out),
            None => Ended::Nothing,
        }
    }

    /// A stopped resource runs: nothing is proven until it was looked at and stopped again.
    pub fn appeared(&mut self, cx: &Context, resource: usize, out: &mut Vec<Action>) {
        // Whoever stops the group, now or later, stops this too.
        self.resources[resource].present = true;
        let proven = matches!(self.state, State::Stopped { .. } | State::Looking { .. });
        if proven && !cx.maintenance {
            self.look(Reason::StartedByHand(self.resources[resource].id), out);
        }
    }

    /// The peer answered for a VIP of the group.
    pub fn vip_answered(&mut self, cx: &Context) {
        self.probes.answered(cx.now);
    }

    /// A probe of its VIPs did not leave.
    pub fn unprobed(&mut self) {
        self.probes.unsent();
    }

    /// An exclusive resource of it was started and is kept running.
    pub fn keeps(&self, resource: usize) -> bool {
        let covered = self.resources[resource].covered;
        match self.state {
            State::Starting { next, .. } => resource < next && covered,
            State::Active { .. } => covered,
            State::Looking { .. }
            | State::Stopped { .. }
            | State::Adopted { .. }
            | State::Ceding { .. }
            | State::Ceded
            | State::Stopping { .. }
            | State::Failed { .. } => false,
        }
    }

    /// What was there before a reload stays, by name, with what is known of it. Gives whether the new file says
    /// anything new of a resource.
    pub fn reconcile(&mut self, setups: &[super::super::setup::ResourceSetup]) -> bool {
        let changed = setups.iter().any(|setup| self.is_news(setup));
        let mut old = std::mem::take(&mut self.resources);
        for setup in setups {
            let known = old.iter().position(|r| r.id == setup.id);
            let mut resource = known.map_or_else(|| Resource::new(setup), |at| old.swap_remove(at));
            resource.setup = *setup;
            self.resources.push(resource);
        }
        changed
    }

    /// The resource is not known, or not like this.
    pub fn is_news(&self, setup: &super::super::setup::ResourceSetup) -> bool {
        let known = self.resources.iter().find(|r| r.id == setup.id);
        known.is_none_or(|r| r.setup != *setup)
    }

    fn ended(
        &mut self,
        cx: &Context,
        resource: usize,
        work: Work,
        outcome: Outcome,
        out: &mut Vec<Action>,
    ) -> Ended {
        let starts = self.starts();
        let it = &mut self.resources[resource];
        match (work.kind, outcome) {
            (Kind::Look, outcome) => {
                let presence = match outcome {
                    Outcome::Found(presence) => presence,
                    // What cannot be looked at may run.
                    Outcome::Done | Outcome::Failed(_) | Outcome::Unasked(_) => Presence::Partial,
                };
                it.present = !matches!(presence, Presence::Missing | Presence::Absent);
                it.partial = presence != Presence::Running;
                match &mut self.state {
                    State::Looking { next } if *next == resource => *next += 1,
                    State::Failed { looks } if looks.next == Some(resource) => {
                        looks.next = Some(resource + 1)
                    }
                    _ => {}
                }
                Ended::Looked(presence)
            }
            // Cancelled because it is not wanted any more, and about to be stopped.
            (Kind::Start, _) if it.exclusive() && !starts => Ended::Nothing,
            (Kind::Start, Outcome::Unasked(why)) => Ended::Unasked(why),
            (Kind::Start, Outcome::Done) if !work.cancelled => {
                (it.partial, it.down) = (false, false);
                if let State::Starting { next, .. } = &mut self.state
                    && *next == resource
                {
                    *next += 1;
                }
                Ended::Started
            }
            (Kind::Start, _) if work.cancelled => Ended::NotStarted("it took too long".into()),
            (Kind::Start, outcome) => Ended::NotStarted(text(outcome)),
            (Kind::Stop, Outcome::Done) => {
                (it.present, it.down) = (false, false);
                Ended::Nothing
            }
            // The look decides.
            (Kind::Stop, _) if matches!(self.state, State::Looking { .. }) => Ended::Nothing,
            (Kind::Stop, outcome) => {
                it.stuck = true;
                self.reason = Reason::ResourceFailed(it.id, text(outcome));
                out.push(self.report(Change::Notice, self.reason.clone()));
                Ended::Nothing
            }
            (Kind::Cede | Kind::Part, Outcome::Done) => Ended::Nothing,
            (Kind::Part, outcome) => {
                let reason = Reason::ResourceFailed(it.id, text(outcome));
                out.push(self.report(Change::Notice, reason));
                Ended::Nothing
            }
            (Kind::Cede, outcome) => {
                let reason = Reason::ResourceFailed(it.id, text(outcome));
                out.push(self.report(Change::Notice, reason));
                self.cede_failed(cx, out);
                Ended::Nothing
            }
        }
    }

    /// It is being started, or runs and what failed of it is started again.
    fn starts(&self) -> bool {
        matches!(self.state, State::Starting { .. } | State::Active { .. })
    }
}

fn text(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed(why) | Outcome::Unasked(why) => why,
        Outcome::Done | Outcome::Found(_) => "took too long".into(),
    }
}
