//! How a node leaves: everything stopped, handed over, known to the peer, and then goodbye.

use super::*;

impl Node {
    /// Begins to leave: a hard fact on every group.
    pub(in crate::core) fn leave(&mut self, out: &mut Vec<Action>) {
        if self.leaving.is_none() {
            self.leaving = Some(self.now);
            // In maintenance nothing is handed over by that.
            if !self.in_maintenance() {
                out.push(notice(Reason::Fact(crate::core::reason::Fact::Leaving)));
            }
        }
    }

    /// Ends the program once everything is stopped, handed over, and known to the peer.
    pub(super) fn finish_leaving(&mut self, out: &mut Vec<Action>) {
        let Some(since) = self.leaving else { return };
        if self.wishes.is_on(WishSubject::Maintenance) {
            // No goodbye, for what runs is left running; but what is told beside a heartbeat has its last chance.
            for _ in 0..GOODBYES {
                let last = self.heartbeat(false);
                self.send(last, out);
            }
            self.exit(out);
            return;
        }
        let waited = self.now.since(since);
        let mut groups = self.groups.iter();
        let at_rest = groups.all(|it| it.group.at_rest());
        let known = self.groups.iter().all(|group| {
            let theirs = self.peer.group(group.id()).map(|r| r.token);
            theirs == Some(group.token())
        });
        let peer_knows = known || self.peer.state() != PeerState::Alive || waited >= TOKEN_PATIENCE;
        if at_rest && peer_knows && self.part(waited >= TAKING_PATIENCE, out) {
            // Nobody is there to take it, and with fencing the next daemon goes on with what this one had.
            let back = self.peer.challenged() || self.peer.held_back();
            let alone = self.peer.state().is_gone() && !back;
            let keeps = alone && self.setup.fencing.is_some();
            if !keeps && self.groups.iter().all(|g| g.group.proven_stopped()) {
                self.each_group(out, |it, _, out| it.group.clear_mark(out));
                for _ in 0..GOODBYES {
                    let goodbye = self.heartbeat(true);
                    self.send(goodbye, out);
                }
            }
            self.exit(out);
        } else if waited >= self.leave_patience() {
            self.exit(out);
        }
    }

    /// Takes down what is left of what is stopped; true: nothing is.
    fn part(&mut self, late: bool, out: &mut Vec<Action>) -> bool {
        let mut left = false;
        self.each_group(out, |it, cx, out| left |= !it.group.part(cx, late, out));
        !left
    }

    /// How long the groups may take to be stopped, and the peer to take them.
    pub(super) fn leave_patience(&self) -> Duration {
        let longest = self.setup.groups.iter().map(|g| g.stop_time()).max();
        LEAVE_PATIENCE.max(longest.unwrap_or_default() + TOKEN_PATIENCE)
    }

    pub(super) fn exit(&mut self, out: &mut Vec<Action>) {
        if let Some(fencing) = &self.setup.fencing {
            self.fencing.leave(fencing, out);
        }
        self.exited = true;
        out.push(Action::Exit);
    }
}
