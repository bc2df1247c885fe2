//! What the other node asks for, whose I/O waits: that this one outdates what it has, so that it is never promoted
//! before it was synced again.

use super::{CUT, Disks, module};
use crate::agents::drbd::events::Kind;
use crate::id::GroupId;
use crate::shell::aside::Message;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Where the answers wait to be told.
pub type Answers = Rc<RefCell<VecDeque<Message>>>;

impl Disks {
    /// The group that a resource is in.
    pub fn group_of(&self, resource: &str) -> Option<GroupId> {
        Some(self.shared.named(resource)?.place.get().group)
    }

    /// Outdates it, and answers. `free`: this node neither runs the group nor may.
    pub fn outdate(&self, number: u32, resource: String, free: bool, answers: Answers) {
        let shared = self.shared.clone();
        let task = async move {
            let refused = match shared.named(&resource).filter(|_| module()) {
                None => Some("it is not up here".into()),
                Some(_) if !free => Some("this node runs the group, or may".into()),
                Some(disk) => {
                    let (named, primary, stood_alone) = {
                        let state = shared.known.borrow();
                        let stands = |c| state.word(c, "connection") == "StandAlone";
                        let alone = state.of(&disk.name, Kind::Connection).all(stands);
                        (disk.named(&state), disk.is_primary(&state), alone)
                    };
                    match primary {
                        true => Some("it is Primary here".into()),
                        // Asked twice, and done.
                        false if disk.is_outdated(&shared.known.borrow()) => None,
                        false => {
                            if !stood_alone {
                                shared.mark(&disk, CUT);
                            }
                            let outdated = shared.tools.outdate(&named, !stood_alone).await;
                            if outdated.is_ok() && !stood_alone {
                                shared.unmark(&disk, CUT);
                            }
                            outdated.err()
                        }
                    }
                }
            };
            let words = refused.as_deref().unwrap_or("done");
            let connected = shared.known.borrow().is_connected(&resource);
            log::warn!(
                "{resource}: asked by {} to outdate it: {words}{}",
                shared.peer_name,
                if connected { " (connected again)" } else { "" }
            );
            answers.borrow_mut().push_back(Message::Outdated {
                number,
                resource,
                refused,
            });
        };
        self.shared.executor.spawn(task).detach();
    }
}
