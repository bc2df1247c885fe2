//! A node as a search tells its states apart.

use super::*;
use crate::core::canonical::{LONG_AGO, Mark};
use crate::core::protocol::peer::forget_judged;
use crate::core::setup::LIFETIME;
use crate::wire::heartbeat::Wish;

impl Node {
    /// Calls `f` with every number of a heartbeat stored here, for a search that ranks them; what it
    /// may forget is forgotten if it says false.
    pub fn marks(&mut self, f: &mut dyn FnMut(Mark, &mut Echo) -> bool) {
        let own = self.incarnation;
        let mut sent = Echo {
            incarnation: own,
            sequence: self.sequence,
        };
        f(Mark::Sent, &mut sent);
        (self.incarnation, self.sequence) = (sent.incarnation, sent.sequence);
        self.peer.marks(own, f);
        self.groups.iter_mut().for_each(|g| g.group.marks(own, f));
        if let Some(said) = &mut self.said {
            let mut echo = Echo {
                sequence: 0,
                ..said.echo
            };
            f(Mark::Said, &mut echo);
            said.echo.incarnation = echo.incarnation;
        }
    }

    /// Calls `f` with the operators' wishes wherever they are remembered, for a search that names their tags
    /// anew: these are only compared with each other. Those that it makes from now on are new all the same.
    pub fn wishes(&mut self, f: &mut dyn FnMut(&mut [Wish])) {
        f(self.wishes.rename());
        self.memory.wishes(f);
        self.peer.wishes(f);
        if let Some(said) = &mut self.said {
            f(&mut said.wishes);
        }
    }

    /// Calls `f` with every point in time that fencing counts from: of these also one long past matters, until
    /// [`forget`](Node::forget).
    pub fn fencing_times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.fencing.times(f);
        self.peer.plea().into_iter().for_each(&mut *f);
        let groups = self.groups.iter_mut();
        groups.filter_map(|it| it.group.asked_since()).for_each(f);
    }

    /// Calls `f` with the times since which orders wait for what they ask.
    pub fn order_times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.commands.times(f);
    }

    /// Forgets, for a search, what is only shown to people and what nothing will look at again.
    pub fn forget(&mut self, now: Time) {
        if !self.reply_owed && self.reply_at().is_some_and(|at| now >= at) {
            self.replied = None;
        }
        self.link_up = self.link_up.map(|at| match self.peer.is_new() {
            true => at.max(now - self.setup.start_wait),
            false => LONG_AGO, // heard once, it is never waited for again
        });
        if self.setup.vifs.is_empty() {
            (self.started, self.prove_at) = (LONG_AGO, LONG_AGO);
            self.vifs.calm();
        }
        if self.vifs.all_proven() {
            self.prove_at = LONG_AGO;
        }
        self.vifs.forget();
        self.peer.forget(now, &self.setup);
        self.signs.forget();
        let setup = self.setup.clone();
        self.fencing.forget(now, self.peer.plea(), &setup);
        self.commands.forget();
        // The last answer of a gateway counts for so long.
        let lately = (2 * setup.interval).max(setup.gateway.timeout);
        let asked = setup.fencing.map(|_| LIFETIME + lately);
        let mut groups = std::mem::take(&mut self.groups);
        for (group, setup) in groups.iter_mut().zip(&self.setup.groups) {
            group.group.forget(now, asked);
            group.plan.forget(setup);
        }
        self.groups = groups;
        if let Some(said) = &mut self.said {
            forget_judged(said);
        }
    }

    /// Leaves out of a search what works in seconds and only delays or repeats: the limit on moves, the
    /// trial of the disk, the patience with it, and how long failures count.
    pub fn leave_out(&mut self, now: Time) {
        self.memory.forget(now);
        self.groups.iter_mut().for_each(|g| g.plan.leave_out(now));
    }
}
