//! What DRBD asks, and what the other node asks for its DRBD.

use super::*;
use crate::core::protocol::right::Right;
use crate::shell::drbd::Verdict;

impl Daemon {
    /// DRBD asks, by its handler, what is certain of the other node. It is answered at once: who gets no proof asks
    /// again.
    pub(super) fn answer_drbd(&mut self, number: u16, group: Option<GroupId>) {
        let (asked, shoots) = (u32::from(number), self.config.fencing.is_some());
        let verdict = match group {
            Some(group) => {
                let proof = self.proof_of(asked, group);
                let now = clock::now();
                self.disks.fence_peer(group, proof, shoots, asked, now)
            }
            None => {
                let groups = self.config.groups.iter().map(|g| GroupId::of(&g.name));
                let mut groups = groups.collect::<Vec<_>>().into_iter();
                let off = |proof| matches!(proof, Some(Right::Fenced { .. }));
                let off = groups.all(|group| off(self.proof_of(asked, group)));
                self.disks.fence_stranger(off, shoots)
            }
        };
        let (certain, text) = match verdict {
            Verdict::Certain(status, by) => (true, format!("{status} {by}")),
            Verdict::Unknown(why) => (false, why),
            Verdict::Ask { number, resource } => {
                let _ = self.aside.owe(&Message::Outdate { number, resource });
                (
                    false,
                    "the other node is asked to outdate what it has".into(),
                )
            }
        };
        if certain {
            let (level, whom) = match group {
                Some(_) => (log::Level::Info, "DRBD"),
                None => (log::Level::Warn, "DRBD, for a resource that no group has,"),
            };
            self.tell(Tiding {
                group: group.map(|group| self.names.group(group)),
                change: "drbd",
                level,
                text: format!("{whom} asked what became of the other node: {text}"),
            });
        }
        self.answers.finish(number, certain, text);
        self.dirty = true;
    }

    /// By what it is certain that the other node runs nothing of the group.
    fn proof_of(&mut self, number: u32, group: GroupId) -> Option<Right> {
        self.proof = None;
        self.step(Event::Question { number, group });
        self.proof.take()
    }

    /// The other node's DRBD waits for this one to be out.
    pub(super) fn outdate_for_peer(&mut self, number: u32, resource: String) {
        let group = self.disks.group_of(&resource);
        let free = group.is_some_and(|group| self.is_theirs(group));
        self.disks
            .outdate(number, resource, free, self.outdated.clone());
    }

    /// A group does not run here, and may run there.
    pub(super) fn is_theirs(&self, group: GroupId) -> bool {
        let view = self.node.view();
        let group = view.groups.iter().find(|g| g.id == group);
        group.is_some_and(|g| {
            g.role == crate::wire::heartbeat::Role::Stopped && g.token.holder != self.me
        })
    }

    /// What came of that, and what was taken down.
    pub(super) fn tell_outdated(&mut self) {
        while let Some(message) = self.outdated.borrow_mut().pop_front() {
            let _ = self.aside.owe(&message);
        }
        if self.aside.is_taken() {
            self.disks.answers_taken();
        }
    }
}
