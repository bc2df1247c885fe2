//! An operator's word about data: what is here is good enough, though the other node's may be newer. It says nothing of
//! the other node, which is to be off, heard or confirmed as for every start.

use super::Disks;
use crate::agents::drbd::events::Kind;
use crate::id::GroupId;

impl Disks {
    /// What this node has of the group's resource may be promoted from now on, until it is or meets the other side's.
    pub fn accept(&self, group: GroupId) -> Result<String, String> {
        let shared = &self.shared;
        let disk = shared.of(group).ok_or("the group has no DRBD resource")?;
        let (name, peer) = (&disk.name, &shared.peer_name);
        let state = shared.known.borrow();
        if disk.standing(shared, &state).unpromotable.is_none() {
            return Err(format!(
                "{name} may be promoted here as it is: nothing was done"
            ));
        }
        let of = |kind, key| {
            let objects = state.of(name, kind);
            objects
                .map(|object| state.word(object, key))
                .collect::<Vec<_>>()
        };
        let disks = of(Kind::Device, "disk");
        let whole = |disk: &&str| matches!(*disk, "UpToDate" | "Consistent" | "Outdated");
        if disks.is_empty() || !disks.iter().all(whole) {
            let is = disks
                .into_iter()
                .find(|disk| !whole(disk))
                .unwrap_or("down");
            return Err(format!(
                "{name} is {is} here: that is no data to go on with; restore it from a backup, or bring {peer} up"
            ));
        }
        let connected = state.is_connected(name);
        if shared.peer.get().state.is_heard() && !connected {
            return Err(format!(
                "{peer} is heard, and {name} is not connected to it: connect it first (`drbdadm connect {name}` on both), its \
                 data may be newer"
            ));
        }
        let theirs = of(Kind::PeerDevice, "peer-disk");
        if connected
            && theirs
                .iter()
                .any(|disk| matches!(*disk, "UpToDate" | "Consistent"))
        {
            return Err(format!(
                "{peer} has newer data, and {name} is connected to it: it is synced"
            ));
        }
        disk.note(|copies| copies.accepted = true);
        drop(state);
        shared.review();
        Ok(format!(
            "{name}: what is here is taken for good as soon as the group may start here; what {peer} has that is not here is \
             given up"
        ))
    }
}
