//! What is answered to DRBD, which asks what became of the other node before it goes on writing alone: a number that
//! the kernel takes for certain, by proof alone.

use super::{Disks, disk::Outdating};
use crate::agents::drbd::standing::Standing;
use crate::core::peer::PeerState;
use crate::core::protocol::right::Right;
use crate::core::time::Time;
use crate::id::GroupId;
use crate::shell::aside::Message;
use std::time::Duration;

/// What is known for certain.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The handler's exit status, and by what.
    Certain(u8, String),
    /// Nothing yet: the other node is to be asked.
    Ask(Message),
    /// Nothing, and why.
    Unknown(String),
}

/// The other node's data is Outdated.
const OUTDATED: u8 = 4;
/// The other node was switched off.
pub(super) const SHOT: u8 = 7;
/// The question may have been lost with the daemon that was asked.
const AGAIN: Duration = Duration::from_secs(5);

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
        let standing = disk.standing(shared, &shared.known.borrow());
        // DRBD takes what is here for the newest, once the other side is certain to be out.
        if let Some(why) = own_doubt(&standing) {
            return Verdict::Unknown(why);
        }
        let peer = &shared.peer_name;
        if matches!(proof, Some(Right::Fenced { .. })) {
            return match (disk.peer_is_off(shared), shoots) {
                (true, true) => Verdict::Certain(SHOT, format!("{peer} was seen off")),
                (true, false) => Verdict::Certain(OUTDATED, format!("{peer} was seen off")),
                (false, _) => Verdict::Unknown(format!(
                    "{peer} was seen off, and DRBD has been connected to it since"
                )),
            };
        }
        if disk.parted.get() {
            return Verdict::Certain(OUTDATED, format!("{peer} has left, and taken it down"));
        }
        if shared.peer.get().state != PeerState::Alive {
            return Verdict::Unknown(format!("it is not certain that {peer} is off"));
        }
        let asked = disk.outdating.get();
        match asked {
            Some(asked) if asked.done => {
                Verdict::Certain(OUTDATED, format!("{peer} has outdated what it has"))
            }
            Some(asked) if now.since(asked.asked) < AGAIN => {
                Verdict::Unknown(format!("{peer} is asked to outdate what it has"))
            }
            _ => {
                let number = asked.map_or(number, |asked| asked.number);
                let done = false;
                disk.outdating.set(Some(Outdating {
                    number,
                    asked: now,
                    done,
                }));
                let resource = disk.name.clone();
                Verdict::Ask(Message::Outdate { number, resource })
            }
        }
    }

    /// The other node has outdated what it has, or not.
    pub fn outdated(&self, number: u32, resource: &str, refused: Option<String>) {
        let Some(disk) = self.shared.named(resource) else {
            return;
        };
        let Some(asked) = disk.outdating.get().filter(|asked| asked.number == number) else {
            return; // for a disconnection that is over
        };
        match refused {
            None => disk.outdating.set(Some(Outdating {
                done: true,
                ..asked
            })),
            Some(why) => log::warn!(
                "{resource}: {} has not outdated it: {why}",
                self.shared.peer_name
            ),
        }
    }
}

fn own_doubt(standing: &Standing) -> Option<String> {
    let why = standing.unpromotable.as_ref()?;
    Some(format!(
        "nothing is answered for data that may be old: {why}"
    ))
}
