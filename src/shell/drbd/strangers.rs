//! DRBD resources that no group has, and that all the same have this program for their handler, by `common` most
//! often: who asks for one of them names no group, nor therefore which it is. So what is answered holds for all of them.

use super::{Disks, Shared, Verdict};
use crate::agents::drbd::copies::SHOT;
use crate::agents::drbd::events::{Kind, State};
use crate::agents::drbd::meeting::Meeting;
use crate::core::time::Time;

/// When each met its other side.
pub(super) type Strangers = Vec<(String, Meeting)>;

impl Shared {
    /// DRBD says this now.
    pub(super) fn follow_strangers(&self, state: &State, now: Time) {
        if !state.complete {
            return;
        }
        let mut strangers = self.strangers.borrow_mut();
        strangers.retain(|(name, _)| state.resources().any(|known| known == name));
        for name in state.resources() {
            let known = strangers.iter().any(|(stranger, _)| stranger == name);
            if !known && self.named(name).is_none() {
                strangers.push((name.to_owned(), Meeting::default()));
            }
        }
        for (name, meeting) in strangers.iter_mut() {
            meeting.follow(state.is_connected(name), now);
        }
    }
}

impl Disks {
    /// What is certain of the other node for any of them. `off`: it is verified to be off.
    pub fn fence_stranger(&self, off: bool, shoots: bool) -> Verdict {
        let shared = &self.shared;
        let (state, peer) = (shared.known.borrow(), &shared.peer_name);
        let off_at = shared.peer.get().off_at.filter(|_| off && shoots);
        let (Some(off_at), true) = (off_at, state.complete) else {
            return Verdict::Unknown(format!("no group has it, and {peer} was not seen off"));
        };
        for (name, meeting) in &*shared.strangers.borrow() {
            if meeting.is_after(off_at) {
                return Verdict::Unknown(format!(
                    "{peer} was seen off, and {name} has been connected to it since"
                ));
            }
            let mut disks = state.of(name, Kind::Device);
            if let Some(disk) = disks.find(|disk| state.word(disk, "disk") != "UpToDate") {
                let word = state.word(disk, "disk");
                return Verdict::Unknown(format!("{name} is {word} here, and may be old"));
            }
        }
        Verdict::Certain(SHOT, format!("{peer} was seen off"))
    }
}
