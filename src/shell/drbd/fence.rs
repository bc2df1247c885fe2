//! What is answered to DRBD, which asks what became of the other node before it goes on writing alone: a number that
//! the kernel takes for certain, by proof alone.

use super::Disks;
pub use crate::agents::drbd::copies::Verdict;
use crate::core::protocol::right::Right;
use crate::core::time::Time;
use crate::id::GroupId;

impl Disks {
    /// What is certain of the other node, for the group's resource. `proof`: by what it is certain that it runs nothing
    /// of the group; `shoots`: a silent node is switched off, so that the resource is configured for that.
    pub fn fence_peer(
        &self,
        group: GroupId,
        proof: Option<Right>,
        shoots: bool,
        number: u32,
        now: Time,
    ) -> Verdict {
        let shared = &self.shared;
        let Some(disk) = shared.of(group) else {
            return Verdict::Unknown("no group of ha.toml has it".into());
        };
        disk.asked.set(Some(now));
        let state = shared.known.borrow();
        let sight = disk.sight(shared, &state);
        disk.note(|copies| copies.fence_peer(&sight, proof, shoots, number, now))
    }

    /// The other node has outdated what it has, or not.
    pub fn outdated(&self, number: u32, resource: &str, refused: Option<String>) {
        let Some(disk) = self.shared.named(resource) else {
            return;
        };
        if !disk.copies.get().asks(number) {
            return; // for a disconnection that is over
        }
        match refused {
            None => disk.note(|copies| copies.outdated(number)),
            Some(why) => log::warn!(
                "{resource}: {} has not outdated it: {why}",
                self.shared.peer_name
            ),
        }
    }
}
