//! The steps of every run.

use super::super::nginx;
use super::pair::*;
use super::{DELAY, OFF_AND_ON};
use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::net::{Cut, NODES, Port, Wire};
use crate::status;
use crate::sys::{self, now};
use crate::system::System;
use crate::vm::{Vm, Vms};
use std::time::Duration;

pub fn panic(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    let from = vms.note(format!("the kernel of {} panics", vms.net.name(holder)));
    panics(vms, holder)?;
    taken_over(vms, &browser, holder, from)?;
    returns(vms, holder)?;
    shots.since_are(vms, holder, OFF_AND_ON)
}

pub fn interlink_cut(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    let from = vms.note("the interlink is cut");
    vms.net.cut(Port(holder, Wire::Interlink), Cut::Both)?;
    std::thread::sleep(Duration::from_secs(5));
    vms.both_alive()?;
    vms.net.mend()?;
    vms.nothing_moved(holder, from)?;
    shots.since_are_none(vms)
}

pub fn daemons_restart(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    drop_in(vms, "RestartSec=600ms")?;
    let from = now();
    for host in NODES {
        vms.kill(host, "ha-appliance")?;
        std::thread::sleep(Duration::from_secs(2));
        vms.daemon_is_back(host)?;
    }
    no_drop_in(vms)?;
    // An emulated processor may take longer for that than the kernel keeps a VIP.
    browser.answered(Some(holder), Vm::PATIENCE)?;
    undisturbed(vms, &browser, from)?;
    vms.runs_only_on(holder, nginx::UNIT)?;
    holds(vms, vms.net.topology.vip, holder)?;
    shots.since_are_none(vms)
}

pub fn all_cut(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    let from = shoots_the_standby(vms, &shots, holder)?;
    // It boots into the cut, and has met nobody: it neither shoots nor takes.
    let lasts = match vms.record.long {
        true => Duration::from_secs(120),
        false => 2 * DELAY + Duration::from_secs(5),
    };
    std::thread::sleep(lasts);
    undisturbed(vms, &browser, from)?;
    vms.nothing_moved(holder, from)?;
    vms.runs_only_on(holder, nginx::UNIT)?;
    vms.net.mend()?;
    returns(vms, holder.peer())?;
    vms.nothing_moved(holder, from)?;
    shots.since_are(vms, holder.peer(), OFF_AND_ON)
}

pub fn power_and_bmc(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let peer = holder.peer();
    let shots = Shots::so_far(vms);
    let cut = vms.note("the holder loses its power together with its BMC");
    vms.net.cut(Port(holder.bmc(), Wire::Bmc), Cut::Both)?;
    vms.node(holder).die();
    let limit = Duration::from_secs(10);
    status::wait_until(vms.node(peer), "BLOCKED", limit, |s| {
        s["verdict"] == "blocked" && s["fencing"]["devices"].to_string().contains("no reply")
    })?;
    vms.record.figure("BLOCKED after", sys::since(cut));
    let name = vms.net.name(holder);
    let told = vms.on(peer, "ha-appliance status || true")?;
    let advice = format!("confirm-fenced {name}");
    ensure!(told.contains(&advice), "it does not advise it: {told}");
    std::thread::sleep(Duration::from_secs(11).saturating_sub(sys::since(cut)));
    let asked = now();
    vms.on(peer, &format!("ha-appliance confirm-fenced {name} --yes"))?;
    browser.answered(Some(peer), Vm::PATIENCE)?;
    vms.record.figure("confirmed and served", sys::since(asked));
    let from = vms.kill(peer, "ha-appliance")?;
    std::thread::sleep(Duration::from_secs(5));
    holds(vms, vms.net.topology.vip, peer)?;
    undisturbed(vms, &browser, from)?;
    vms.net.mend()?;
    vms.note("the power is back");
    vms.node(holder).switch_on()?;
    returns(vms, holder)?;
    shots.since_are_none(vms)
}
