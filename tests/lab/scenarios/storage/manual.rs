//! What an operator does by hand, beside the daemon or because the manual says so: DRBD in ha.toml(5).

use super::super::fencing::{powered, protected};
use super::SHOT;
use super::pair::*;
use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::status;
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

/// The standby is cut off, promoted by force and written to, by hand: DRBD gives the connection up, both nodes say so, and
/// nothing is resolved before a human has chosen, as the manual has it.
pub fn split_brain(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let other = holder.peer();
    let writer = writes(vms, holder)?;
    vms.record.allow_overlap(
        "somebody promotes the standby by force",
        Duration::from_secs(60),
    );
    let from = vms.note("the standby is promoted by force");
    vms.on(
        other,
        "drbdadm disconnect r0; drbdadm primary --force r0 \
         && dd if=/dev/urandom of=/dev/drbd1 bs=4096 count=1 seek=12000 oflag=direct conv=notrunc 2>&1; drbdadm secondary r0; true",
    )?;
    vms.on(other, "drbdadm connect r0; true")?;
    vms.on(holder, "drbdadm connect r0; true")?;
    for _ in 0..6 {
        for host in [holder, other] {
            says(vms, host, "StandAlone", SHOT)?;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    writer.acknowledged_after(now(), SHOT)?;
    vms.record.figure("split brain, stall", writer.stall(from));
    ensure!(
        !failover(vms, holder)?,
        "it was moved to the other half of a split brain"
    );
    vms.on(
        other,
        "drbdadm disconnect r0; drbdadm secondary r0; drbdadm connect --discard-my-data r0",
    )?;
    vms.on(holder, "drbdadm connect r0")?;
    synced(vms)?;
    vms.nothing_moved(holder, from)?;
    ends(vms, holder, &writer)
}

/// One node writes alone and dies with its disk: what the other has is old, and serves by an operator's word; the new
/// disk is synced whole.
pub fn good_copy_lost(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let other = holder.peer();
    let mut writer = writes(vms, holder)?;
    std::thread::sleep(Duration::from_secs(2));
    writer.stop();
    vms.note("the standby loses its power, the holder writes on, and dies");
    vms.node(other).die();
    drop(writes(vms, holder)?);
    vms.node(holder).die();
    vms.node(other).switch_on()?;
    vms.node(other).booted()?;
    vms.daemon_answers(other)?;
    stays_down(vms, other, Duration::from_secs(5))?;
    let name = vms.net.name(holder);
    vms.on(other, &format!("ha-appliance confirm-fenced {name} --yes"))?;
    stays_down(vms, other, Duration::from_secs(5))?;
    let told = vms.on(other, "ha-appliance accept-data r0 --yes")?;
    vms.note(told);
    browser.answered(Some(other), SHOT)?;
    let later = writes(vms, other)?;
    let from = now();
    writer.check(&vms.on(other, "cat /mnt/data/records")?)?;
    vms.note("the holder is back, with a new disk");
    vms.node(holder).hardware.new_disk()?;
    vms.node(holder).switch_on()?;
    powered(vms, holder)?;
    vms.node(holder).booted()?;
    vms.daemon_answers(holder)?;
    status::wait_until(vms.node(holder), "no disk", SHOT, |s| {
        s.to_string().contains("failed there or was detached")
    })?;
    vms.on(holder, "drbdadm create-md --force r0 && drbdadm adjust r0")?;
    says(vms, holder, "% synced", SHOT)?;
    protected(vms)?;
    synced_within(vms, 3 * SHOT)?;
    vms.nothing_moved(other, from)?;
    ends(vms, other, &later)
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
