//! What DRBD asks, and what the other node asks for its DRBD.

use super::*;
use crate::shell::drbd::Verdict;

impl Daemon {
    /// DRBD asks, by its handler, what is certain of the other node. It is answered at once: who gets no proof asks
    /// again.
    pub(super) fn answer_drbd(&mut self, number: u16, group: GroupId) {
        self.proof = None;
        let asked = u32::from(number);
        self.step(Event::Question {
            number: asked,
            group,
        });
        let (proof, shoots) = (self.proof.take(), self.config.fencing.is_some());
        let now = clock::now();
        let verdict = self.disks.fence_peer(group, proof, shoots, asked, now);
        let (certain, text) = match verdict {
            Verdict::Certain(status, by) => (true, format!("{status} {by}")),
            Verdict::Unknown(why) => (false, why),
            Verdict::Ask(message) => {
                let _ = self.aside.owe(&message);
                (
                    false,
                    "the other node is asked to outdate what it has".into(),
                )
            }
        };
        if certain {
            self.tell(Tiding {
                group: Some(self.names.group(group)),
                change: "drbd",
                level: log::Level::Info,
                text: format!("DRBD asked what became of the other node: {text}"),
            });
        }
        self.answers.finish(number, certain, text);
        self.dirty = true;
    }

    /// The other node's DRBD waits for this one to be out.
    pub(super) fn outdate_for_peer(&mut self, number: u32, resource: String) {
        let view = self.node.view();
        let group = self.disks.group_of(&resource);
        let group = view.groups.iter().find(|g| Some(g.id) == group);
        let free = group.is_some_and(|g| {
            g.role == crate::wire::heartbeat::Role::Stopped && g.token.holder != self.me
        });
        self.disks
            .outdate(number, resource, free, self.outdated.clone());
    }

    /// What came of that.
    pub(super) fn tell_outdated(&mut self) {
        while let Some(message) = self.outdated.borrow_mut().pop_front() {
            let _ = self.aside.owe(&message);
        }
    }
}
