//! What is missing until a silent node is made sure of.

use super::{Concern, degraded};
use crate::shell::status::{Status, protection};

pub(super) fn of_fencing(status: &Status) -> Option<Concern> {
    let fencing = status.fencing.as_ref()?;
    let (me, peer) = (&status.node, status.peer_name());
    let alive = status.peer.state == "alive";
    fencing.known()?;
    let why = match fencing.ready {
        false => protection::not_ready(fencing, peer),
        true => protection::lack(fencing, me, peer, true).filter(|_| alive)?,
    };
    let believed = fencing.devices.iter().any(|d| d.state != "distrusted");
    let hint = match fencing.ready {
        false if !believed => format!(
            "nothing of a silent {peer} would be taken over: find out which machine it switches before you rehearse it"
        ),
        false => format!(
            "a silent {peer} could not be switched off, and nothing of it would be taken over: look at the device, its \
             network and its user"
        ),
        true => format!("look on {peer}: `ha-appliance status`"),
    };
    Some(degraded(format!("UNPROTECTED: {why}"), hint))
}
