//! Starts resources in file order and stops them in reverse; one operation a resource at a time.

use super::super::context::Context;
use super::super::event::{Action, Op};
use super::group::Group;
use super::resource::{Kind, Resource, Work};
use super::right::Right;
use crate::id::Place;
use crate::wire::heartbeat::Role;

impl Group {
    /// The next to stop; None: all is done, or waits for what is under way. In haste addresses wait for
    /// nothing, and nothing waits for them. After a failed stop only the addresses, and not even those of a
    /// group that holds data.
    pub(super) fn next_to_stop(&self, haste: bool) -> Option<usize> {
        let wanted = |r: &Resource| r.exclusive() && r.present && !r.stuck && r.work.is_none();
        let reverse = (0..self.resources.len()).rev();
        let mut reverse = reverse.filter(|&r| wanted(&self.resources[r]));
        let leased = |r: &usize| self.resources[*r].leased();
        if self.stop_failed() {
            return reverse.find(leased).filter(|_| !self.holds_data());
        }
        if haste && let Some(lease) = reverse.clone().find(leased) {
            return Some(lease);
        }
        let waits_for = |r: &Resource| r.exclusive() && r.work.is_some() && !(haste && r.leased());
        let busy = self.resources.iter().any(waits_for);
        reverse.next().filter(|_| !busy)
    }

    /// Begins to do something to a resource.
    pub(in crate::core) fn launch(
        &mut self,
        cx: &Context,
        kind: Kind,
        resource: usize,
        out: &mut Vec<Action>,
    ) {
        let place = self.place(resource);
        let setup = self.resources[resource].setup;
        let span = match kind {
            Kind::Look | Kind::Start | Kind::Cede => setup.start_timeout,
            Kind::Stop | Kind::Part => setup.stop_timeout,
        };
        if kind == Kind::Start {
            // Of several leases the one renewed longest ago counts.
            if setup.leased && !self.leases_up() {
                self.lifetimes.renewed_at = cx.now;
            }
            self.resources[resource].present = true;
        }
        self.resources[resource].work = Some(Work {
            kind,
            deadline: cx.now + span,
            cancelled: false,
        });
        out.push(match kind {
            Kind::Look => Action::Look(place),
            Kind::Start => Action::Start(place, self.right().filter(|_| setup.exclusive)),
            Kind::Stop => Action::Stop(place),
            Kind::Cede => Action::Cede(place),
            Kind::Part => Action::Part(place),
        });
    }

    /// Takes down what is left of what is stopped, once the peer shows that it runs the group, or cannot show it;
    /// true: nothing is left.
    pub(in crate::core) fn part(
        &mut self,
        cx: &Context,
        late: bool,
        out: &mut Vec<Action>,
    ) -> bool {
        let left = |r: &Resource| r.setup.lingers && !r.parted;
        let Some(resource) = self.resources.iter().rposition(left) else {
            return true;
        };
        let shown = cx.report().is_some_and(|r| r.role == Role::Active);
        if shown || !cx.peer_alive() || late {
            self.resources[resource].parted = true;
            self.launch(cx, Kind::Part, resource, out);
        }
        false
    }

    /// Cancels what takes too long.
    pub(super) fn end_overdue(&mut self, cx: &Context, out: &mut Vec<Action>) {
        for resource in 0..self.resources.len() {
            let work = self.resources[resource].work;
            if work.is_some_and(|work| cx.now >= work.deadline) {
                self.cancel(resource, out);
            }
        }
    }

    /// Tells what is done to a resource to end early.
    pub(super) fn cancel(&mut self, resource: usize, out: &mut Vec<Action>) {
        let place = self.place(resource);
        if let Some(work) = &mut self.resources[resource].work
            && !work.cancelled
        {
            work.cancelled = true;
            out.push(Action::Cancel(Op::Resource(place)));
        }
    }

    /// Something is being done to what must not run on both nodes.
    pub fn busy(&self) -> bool {
        self.resources
            .iter()
            .any(|r| r.exclusive() && r.work.is_some())
    }

    /// The right by which it is started or runs.
    pub fn right(&self) -> Option<Right> {
        self.state.right()
    }

    fn place(&self, resource: usize) -> Place {
        Place {
            group: self.id,
            resource: self.resources[resource].id,
        }
    }
}
