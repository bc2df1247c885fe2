//! A move by hand, cut cables and lost power.

use super::super::fencing::{Shots, cut_apart, protected, shot, without_power};
use super::SHOT;
use super::pair::*;
use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::net::{Cut, Port, Wire};
use crate::sys::now;
use crate::vm::Vms;
use std::time::Duration;

pub fn by_hand(vms: &mut Vms) -> Outcome {
    let (mut holder, browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    for what in ["moved", "moved with much to write back"] {
        if what != "moved" {
            let dirty = "dd if=/dev/zero of=/mnt/data/much bs=1M count=24 2>&1";
            vms.on(holder, dirty)?;
        }
        let from = now();
        failover(vms, holder)?;
        holder = holder.peer();
        serves(vms, &browser, holder, &writer, from, what)?;
        let outage = browser.outage(from).length();
        vms.record.figure(&format!("{what}, page away"), outage);
        synced(vms)?;
    }
    vms.on(holder, "rm /mnt/data/much")?;
    ends(vms, holder, &writer)
}

pub fn interlink_cut(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    let from = vms.note("the interlink is cut");
    vms.net.cut(Port(holder, Wire::Interlink), Cut::Both)?;
    says(vms, holder.peer(), "Outdated", SHOT)?;
    let on = now();
    writer.acknowledged_after(on, SHOT)?;
    vms.record
        .figure("interlink cut, stall", writer.stall(from));
    vms.nothing_moved(holder, from)?;
    ensure!(
        !failover(vms, holder)?,
        "it was moved to a node whose data is older"
    );
    vms.net.mend()?;
    synced(vms)?;
    vms.nothing_moved(holder, from)?;
    drop(browser);
    ends(vms, holder, &writer)
}

pub fn power_cut(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    let from = vms.note("the holder loses its power");
    vms.node(holder).die();
    let peer = holder.peer();
    serves(vms, &browser, peer, &writer, from, "power cut")?;
    let history = vms.on(peer, "ha-appliance history")?;
    vms.note(history);
    vms.node(holder).switch_on()?;
    returns(vms, holder)?;
    ends(vms, peer, &writer)
}

pub fn standby_cut(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    let from = vms.note("the standby loses its power");
    vms.node(holder.peer()).die();
    std::thread::sleep(Duration::from_secs(1));
    writer.acknowledged_after(now(), SHOT)?;
    // What waited was acknowledged, and so was what came after.
    std::thread::sleep(Duration::from_secs(2));
    vms.record.figure("standby cut, stall", writer.stall(from));
    vms.nothing_moved(holder, from)?;
    vms.node(holder.peer()).switch_on()?;
    returns(vms, holder.peer())?;
    vms.nothing_moved(holder, from)?;
    ends(vms, holder, &writer)
}

/// Both live; the holder goes on alone. What the other had when it was switched off is never promoted: not while it
/// hears nobody, nor (--long) by a word about the holder, which says nothing of the data.
pub fn all_cut(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let other = holder.peer();
    let writer = writes(vms, holder)?;
    let shots = Shots::so_far(vms);
    let from = cut_apart(vms)?;
    shot(vms, &shots, other)?;
    writer.acknowledged_after(now(), SHOT)?;
    vms.record.figure("all cut, stall", writer.stall(from));
    vms.node(other).booted()?;
    vms.daemon_answers(other)?;
    stays_down(vms, other, Duration::from_secs(5))?;
    vms.nothing_moved(holder, from)?;
    if vms.record.long {
        vms.note("the holder loses its power as well");
        vms.node(holder).die();
        let name = vms.net.name(holder);
        vms.on(other, &format!("ha-appliance confirm-fenced {name} --yes"))?;
        stays_down(vms, other, Duration::from_secs(5))?;
        vms.node(holder).switch_on()?;
        vms.node(holder).booted()?;
    }
    vms.net.mend()?;
    let (holder, _browser) = vms.up()?;
    protected(vms)?;
    writer.acknowledged_after(now(), SHOT)?;
    ends(vms, holder, &writer)
}

/// DRBD's cable is cut, and the standby leaves before DRBD has noticed: it answers for itself before it goes.
pub fn leaves_while_cut(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    let from = vms.note("the interlink is cut, and the standby leaves");
    vms.net.cut(Port(holder, Wire::Interlink), Cut::Both)?;
    vms.on(holder.peer(), "systemctl stop ha-appliance")?;
    writer.acknowledged_after(now(), SHOT)?;
    // What DRBD had not noticed yet it has by then.
    std::thread::sleep(Duration::from_secs(8));
    writer.acknowledged_after(now(), SHOT)?;
    vms.record
        .figure("leaves while cut, stall", writer.stall(from));
    vms.net.mend()?;
    vms.on(holder.peer(), "systemctl start ha-appliance")?;
    vms.daemon_is_back(holder.peer())?;
    protected(vms)?;
    vms.nothing_moved(holder, from)?;
    ends(vms, holder, &writer)
}

/// A clean reboot of the holder, as far as it concerns the pair.
pub fn holder_leaves(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    let from = vms.note("the holder is switched off by its administrator");
    vms.node(holder).tell("systemctl poweroff")?;
    answers(vms, &browser, holder.peer(), &writer, from, "holder leaves")?;
    without_power(vms, holder)?;
    vms.node(holder).switch_on()?;
    returns(vms, holder)?;
    ends(vms, holder.peer(), &writer)
}
