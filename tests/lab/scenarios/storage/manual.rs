//! What an operator does by hand, beside the daemon or because the manual says so: DRBD in ha.toml(5).

use super::SHOT;
use super::pair::*;
use crate::ensure;
use crate::lab::Outcome;
use crate::sys::now;
use crate::vm::Vms;
use std::time::Duration;

/// What is done by hand stays done, and is said; and a holder that has lost its disk is none any more.
pub fn by_other_hands(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let other = holder.peer();
    let writer = writes(vms, holder)?;
    let from = vms.note("the standby is disconnected");
    vms.on(other, "drbdadm disconnect r0")?;
    for _ in 0..4 {
        says(vms, other, "StandAlone", SHOT)?;
        std::thread::sleep(Duration::from_secs(1));
    }
    writer.acknowledged_after(now(), SHOT)?;
    ensure!(
        !failover(vms, holder)?,
        "it was moved to a node that is not connected"
    );
    vms.on(other, "drbdadm connect r0")?;
    synced(vms)?;
    vms.note("the standby is taken down");
    vms.on(other, "drbdadm down r0")?;
    for _ in 0..12 {
        says(vms, other, "\"down\"", SHOT)?;
        std::thread::sleep(Duration::from_secs(1));
    }
    vms.on(other, "drbdadm up r0")?;
    synced(vms)?;
    vms.nothing_moved(holder, from)?;
    let from = vms.note("the holder is detached from its disk");
    vms.on(holder, "drbdadm detach r0")?;
    serves(vms, &browser, other, &writer, from, "disk lost")?;
    vms.on(holder, "drbdadm attach r0")?;
    synced(vms)?;
    ends(vms, other, &writer)
}

/// A block of the standby's disk is another: a check finds it, nothing is moved there, and a sync mends it.
pub fn differs(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let other = holder.peer();
    let writer = writes(vms, holder)?;
    let free =
        "dd if=/dev/urandom of=/dev/vdb bs=4096 count=1 seek=12000 oflag=direct conv=notrunc 2>&1";
    vms.on(other, free)?;
    let from = vms.note("the copies are compared");
    vms.on(holder, "drbdadm verify r0")?;
    for host in [holder, other] {
        says(vms, host, "4 KiB differ", 3 * SHOT)?;
    }
    ensure!(
        !failover(vms, holder)?,
        "it was moved to a copy that differs"
    );
    vms.on(other, "drbdadm disconnect r0 && drbdadm connect r0")?;
    synced(vms)?;
    vms.nothing_moved(holder, from)?;
    let from = now();
    ensure!(failover(vms, holder)?, "it is not moved");
    serves(vms, &browser, other, &writer, from, "moved")?;
    ends(vms, other, &writer)
}
