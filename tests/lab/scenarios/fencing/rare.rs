//! The steps of a long run.

use super::super::nginx;
use super::super::vms::cable;
use super::pair::*;
use super::{DELAY, FENCED, OFF_AND_ON};
use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::net::{Cut, Host, NODES, Port, Wire};
use crate::status;
use crate::sys::{self, now};
use crate::system::System;
use crate::vm::{Vm, Vms};
use std::sync::Arc;
use std::time::Duration;

pub fn daemon_hangs(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    let from = now();
    vms.signal(holder, "STOP")?;
    std::thread::sleep(Duration::from_secs(6));
    vms.daemon_is_back(holder)?;
    holds(vms, vms.net.topology.vip, holder)?;
    undisturbed(vms, &browser, from)?;
    shots.since_are_none(vms)?;
    without_watchdog(vms)?;
    let (holder, browser) = vms.up()?;
    let from = now();
    vms.signal(holder, "STOP")?;
    taken_over(vms, &browser, holder, from)?;
    // What /run held is gone on the one that was off.
    vms.on(
        holder.peer(),
        "rm -r /run/systemd/system/ha-appliance.service.d; systemctl daemon-reload",
    )?;
    returns(vms, holder)?;
    shots.since_are(vms, holder, OFF_AND_ON)
}

pub fn standby_switched_off(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let standby = holder.peer();
    let shots = Shots::so_far(vms);
    let from = vms.note("the standby is switched off");
    vms.node(standby).tell("systemctl poweroff")?;
    without_power(vms, standby)?;
    std::thread::sleep(2 * DELAY + Duration::from_secs(5));
    vms.nothing_moved(holder, from)?;
    undisturbed(vms, &browser, from)?;
    vms.node(standby).switch_on()?;
    returns(vms, standby)?;
    shots.since_are_none(vms)
}

pub fn says_off_for_a_moment(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    vms.node(holder).bmc().lies(Duration::from_millis(700));
    let from = vms.note("the holder's kernel panics, and its BMC lies");
    panics(vms, holder)?;
    // It is asked again at the next own instant.
    browser.answered(Some(holder.peer()), FENCED + 2 * DELAY)?;
    vms.record
        .figure("HTTP outage", browser.outage(from).length());
    returns(vms, holder)?;
    let orders = ["set power 0", "set power 0", "set power 1"];
    shots.since_are(vms, holder, &orders)
}

pub fn lies(vms: &mut Vms) -> Outcome {
    without_watchdog(vms)?;
    held_by(vms, Host::A)?;
    let (holder, _browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    vms.record.allow_overlap(
        "a device that says off twice is believed, as the documents say",
        Duration::from_secs(60),
    );
    // It lasts from the shot of the idle side until both hear each other.
    vms.node(holder).bmc().lies(Duration::from_secs(3600));
    let from = vms.note("the daemon of the holder stands still, and its BMC lies");
    vms.signal(holder, "STOP")?;
    let browser = vms.browser()?;
    browser.answered(Some(holder.peer()), Vm::PATIENCE)?;
    vms.record.figure("taken over", sys::since(from));
    let heard = vms.note("the holder's daemon goes on");
    vms.signal(holder, "CONT")?;
    vms.both_alive()?;
    vms.runs_only_on(holder.peer(), nginx::UNIT)?;
    vms.record.figure("one serves", sys::since(heard));
    holds(vms, vms.net.topology.vip, holder.peer())?;
    let status = vms.on(holder.peer(), "COLUMNS=1000 ha-appliance status || true")?;
    vms.note(status.clone());
    ensure!(
        status.contains("is not believed"),
        "it is not said: {status}"
    );
    no_drop_in(vms)?;
    // A rehearsal gives trust back.
    let name = vms.net.name(holder);
    vms.on(
        holder.peer(),
        &format!("ha-appliance fence {name} --rehearse --yes"),
    )?;
    returns(vms, holder)?;
    let told = shots.since(vms, holder);
    ensure!(
        told.iter().filter(|order| *order == "set power 0").count() == 2,
        "its BMC was told {told:?}"
    );
    ensure!(
        shots.since(vms, holder.peer()).is_empty(),
        "the other was shot"
    );
    Ok(())
}

pub fn unreachable(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    for host in NODES {
        vms.net.cut(Port(host.bmc(), Wire::Bmc), Cut::Both)?;
    }
    let from = cut_apart(vms)?;
    std::thread::sleep(Duration::from_secs(10));
    let verdict = |s: &serde_json::Value| s["verdict"] == "blocked";
    let limit = Duration::from_secs(2);
    status::wait_until(vms.node(holder.peer()), "BLOCKED", limit, verdict)?;
    std::thread::sleep(4 * DELAY);
    vms.nothing_moved(holder, from)?;
    undisturbed(vms, &browser, from)?;
    // Heard again before anybody reaches a BMC.
    vms.net.mend()?;
    vms.both_alive()?;
    // What was not reached for long is asked ever more rarely.
    protected_within(vms, Duration::from_secs(150))?;
    vms.nothing_moved(holder, from)?;
    shots.since_are_none(vms)
}

pub fn deaf(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let idle = holder.peer();
    let shots = Shots::so_far(vms);
    let from = now();
    vms.on(
        idle,
        "nft -f - <<'E'\nadd table inet lab\nadd chain inet lab in { type filter hook input priority 0; }\n\
         add rule inet lab in iifname { \"bond0\", \"il0\" } drop\nE\n",
    )?;
    std::thread::sleep(4 * DELAY + Duration::from_secs(5));
    vms.nothing_moved(holder, from)?;
    undisturbed(vms, &browser, from)?;
    vms.on(idle, "nft delete table inet lab")?;
    vms.both_alive()?;
    protected(vms)?;
    shots.since_are_none(vms)
}

pub fn paused(vms: &mut Vms) -> Outcome {
    held_by(vms, Host::B)?;
    let (holder, browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    let from = vms.freeze(holder);
    std::thread::sleep(Duration::from_secs(10));
    vms.thaw(holder);
    browser.answered(Some(holder), Vm::PATIENCE)?;
    vms.both_alive()?;
    vms.nothing_moved(holder, from)?;
    shots.since_are_none(vms)?;
    protected(vms)?;
    let from = vms.freeze(holder);
    taken_over(vms, &browser, holder, from)?;
    std::thread::sleep(Duration::from_secs(60).saturating_sub(sys::since(from)));
    returns(vms, holder)?;
    shots.since_are(vms, holder, OFF_AND_ON)
}

pub fn boot_without_interlink(vms: &mut Vms) -> Outcome {
    let shots = Shots::so_far(vms);
    vms.note("both lose their power");
    for host in NODES {
        vms.node(host).die();
    }
    for host in NODES {
        vms.node(host).switch_on()?;
        cable(vms, host, Wire::Interlink, false)?;
    }
    for host in NODES {
        vms.node(host).booted()?;
    }
    let (holder, _browser) = vms.up()?;
    let from = now();
    std::thread::sleep(2 * DELAY + Duration::from_secs(5));
    vms.nothing_moved(holder, from)?;
    for host in NODES {
        cable(vms, host, Wire::Interlink, true)?;
    }
    vms.both_alive()?;
    protected(vms)?;
    shots.since_are_none(vms)
}

pub fn panic_and_reboot(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    let from = vms.note("the holder's kernel panics, and reboots by itself");
    let line = vms.node(holder).hardware.link()?;
    let hellos = line.hellos();
    let order = "echo 1 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger";
    vms.node(holder).tell(order)?;
    browser.answered(None, FENCED)?;
    vms.record
        .figure("HTTP outage", browser.outage(from).length());
    // By itself, or because it was switched off and on.
    while line.hellos() == hellos
        && vms
            .node(holder)
            .hardware
            .link()
            .is_ok_and(|now| Arc::ptr_eq(&now, &line))
    {
        ensure!(
            sys::since(from) < Duration::from_secs(150),
            "it does not boot"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    powered(vms, holder)?;
    vms.node(holder).booted()?;
    vms.daemon_is_back(holder)?;
    let (serves, _browser) = vms.up()?;
    vms.note(format!("{} serves", vms.net.name(serves)));
    vms.runs_only_on(serves, nginx::UNIT)?;
    protected(vms)?;
    let told = shots.since(vms, holder);
    ensure!(
        told.is_empty() || told == OFF_AND_ON,
        "its BMC was told {told:?}"
    );
    ensure!(
        shots.since(vms, holder.peer()).is_empty(),
        "the survivor was shot"
    );
    Ok(())
}

pub fn cut_in_mid_move(vms: &mut Vms) -> Outcome {
    for _ in 0..3 {
        let (holder, browser) = vms.up()?;
        let shots = Shots::so_far(vms);
        vms.node(holder).tell("ha-appliance failover web --yes")?;
        vms.random_phase(Duration::from_secs(3));
        let from = cut_apart(vms)?;
        let off = anybody_shot(vms, &shots)?;
        browser.answered(Some(off.peer()), Vm::PATIENCE)?;
        vms.record.figure("cut to served", sys::since(from));
        vms.node(off).booted()?;
        vms.net.mend()?;
        returns(vms, off)?;
        shots.since_are(vms, off, OFF_AND_ON)?;
    }
    Ok(())
}

pub fn in_firmware(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let peer = holder.peer();
    let shots = Shots::so_far(vms);
    let from = vms.note("the holder's kernel panics; switched on again it stays in its firmware");
    panics(vms, holder)?;
    taken_over(vms, &browser, holder, from)?;
    powered(vms, holder)?;
    vms.freeze(holder);
    let served = now();
    std::thread::sleep(DELAY);
    vms.kill(peer, "ha-appliance")?;
    vms.daemon_answers(peer)?;
    std::thread::sleep(3 * DELAY + Duration::from_secs(5));
    undisturbed(vms, &browser, served)?;
    shots.since_are(vms, holder, OFF_AND_ON)?;
    vms.thaw(holder);
    returns(vms, holder)?;
    shots.since_are(vms, holder, OFF_AND_ON)
}
