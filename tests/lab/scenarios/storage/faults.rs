//! What fails on one node: the service, a demotion, the daemon while DRBD asks it.

use super::super::fencing::{
    Shots, drop_in, no_drop_in, protected, protected_within, shot, without_power,
};
use super::pair::*;
use super::{APACHE, SHOT};
use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::net::{Cut, Host, Port, Wire};
use crate::sys::{self, now};
use crate::system::System;
use crate::vm::Vms;
use crate::writer::Writer;
use std::time::Duration;

/// The first failure moves the group, and its node stays barred until `clear`.
pub fn apache_killed(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let other = holder.peer();
    let writer = writes(vms, holder)?;
    let from = vms.kill(holder, APACHE)?;
    serves(vms, &browser, other, &writer, from, "Apache killed")?;
    synced(vms)?;
    ensure!(
        !failover(vms, other)?,
        "it was moved to where it failed and nobody has looked"
    );
    vms.on(other, "ha-appliance clear")?;
    let from = now();
    failover(vms, other)?;
    serves(vms, &browser, holder, &writer, from, "moved back")?;
    ends(vms, holder, &writer)
}

/// Somebody has the device open while it is demoted: for a moment, which is waited for, and for longer, who is named; and
/// the node is switched off then, which is the one shot that is needed here.
pub fn held_open(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let other = holder.peer();
    let writer = writes(vms, holder)?;
    let opens = |vms: &mut Vms, host, seconds: u32| -> Outcome {
        let line = format!("sh -c 'exec 7</dev/drbd1; exec sleep {seconds}'");
        vms.node(host).tell(&line)?;
        std::thread::sleep(Duration::from_millis(500));
        Ok(())
    };
    opens(vms, holder, 4)?;
    let from = now();
    failover(vms, holder)?;
    serves(vms, &browser, other, &writer, from, "held open")?;
    synced(vms)?;
    if !vms.record.long {
        return ends(vms, other, &writer);
    }
    let shots = Shots::so_far(vms);
    opens(vms, other, 600)?;
    ensure!(!failover(vms, other)?, "it was moved though it is open");
    let history = vms.on(other, "ha-appliance history")?;
    ensure!(history.contains("(sleep)"), "the opener is not named");
    // It asks to be switched off, for nobody could run it otherwise; and so it is.
    let from = now();
    shot(vms, &shots, other)?;
    serves(vms, &browser, holder, &writer, from, "held open, shot")?;
    returns(vms, other)?;
    ends(vms, holder, &writer)
}

/// DRBD asks, and neither a daemon nor, in the end, the handler is there: the daemon that comes back pays that debt.
/// (In maintenance, where nobody is shot meanwhile.)
pub fn handler_without_daemon(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    vms.on(holder, "ha-appliance maintenance on")?;
    drop_in(vms, "Restart=no\\n[Unit]\\nOnFailure=")?;
    vms.kill(holder, "ha-appliance")?;
    let cut = vms.note("the daemon is dead, and the interlink is cut");
    vms.net.cut(Port(holder, Wire::Interlink), Cut::Both)?;
    frozen(vms, holder)?;
    std::thread::sleep(Duration::from_secs(3));
    vms.on(holder, "pkill -KILL -x ha-appliance")?;
    let dead = now();
    std::thread::sleep(Duration::from_secs(2));
    frozen(vms, holder)?;
    ensure!(
        writer.stall(dead).is_zero(),
        "something was acknowledged while all I/O was frozen"
    );
    no_drop_in(vms)?;
    let back = now();
    vms.on(
        holder,
        "systemctl reset-failed ha-appliance; systemctl start ha-appliance",
    )?;
    vms.daemon_is_back(holder)?;
    vms.on(holder, "ha-appliance maintenance off")?;
    writer.acknowledged_after(now(), SHOT)?;
    vms.record.figure("frozen, then released", sys::since(back));
    vms.record.figure("stall", writer.stall(cut));
    vms.net.mend()?;
    ends(vms, holder, &writer)
}

/// The standby and its BMC lose their power: all I/O is frozen for longer than a probe of the mount waits, which is no
/// fault of the disk, until a human confirms it.
pub fn frozen_for_long(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let other = holder.peer();
    let writer = writes(vms, holder)?;
    let from = vms.note("the standby loses its power together with its BMC");
    vms.net.cut(Port(other.bmc(), Wire::Bmc), Cut::Both)?;
    vms.node(other).die();
    frozen(vms, holder)?;
    std::thread::sleep(Duration::from_secs(100));
    frozen(vms, holder)?;
    vms.nothing_moved(holder, from)?;
    let name = vms.net.name(other);
    vms.on(holder, &format!("ha-appliance confirm-fenced {name} --yes"))?;
    writer.acknowledged_after(now(), SHOT)?;
    vms.nothing_moved(holder, from)?;
    vms.net.mend()?;
    vms.node(other).switch_on()?;
    vms.node(other).booted()?;
    // A BMC that did not answer is asked again within two minutes.
    protected_within(vms, 3 * SHOT)?;
    returns(vms, other)?;
    ends(vms, holder, &writer)
}

/// In maintenance a node leaves all as it is, and its DRBD goes down with the machine: in order, so that the other side
/// knows it and writes on.
pub fn rebooted_in_maintenance(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let other = holder.peer();
    let writer = writes(vms, holder)?;
    vms.on(holder, "ha-appliance maintenance on")?;
    let from = vms.note("the standby is switched off in maintenance");
    vms.node(other).tell("systemctl poweroff")?;
    without_power(vms, other)?;
    std::thread::sleep(Duration::from_secs(10));
    writer.acknowledged_after(now(), SHOT)?;
    let stall = writer.stall(from);
    vms.record.figure("rebooted in maintenance, stall", stall);
    ensure!(
        stall < Duration::from_secs(6),
        "I/O was frozen for {stall:?}"
    );
    vms.node(other).switch_on()?;
    vms.node(other).booted()?;
    vms.daemon_is_back(other)?;
    vms.on(holder, "ha-appliance maintenance off")?;
    returns(vms, other)?;
    vms.nothing_moved(holder, from)?;
    ends(vms, holder, &writer)
}

/// A daemon is killed while the disk is on its way, on either side: another one finishes it, or takes it back.
pub fn killed_in_a_move(vms: &mut Vms) -> Outcome {
    let (mut holder, _browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    for (giver, later) in [(true, 800), (false, 2500), (true, 2000), (false, 4000)] {
        vms.node(holder).tell("ha-appliance failover --yes")?;
        std::thread::sleep(Duration::from_millis(later));
        let killed = if giver { holder } else { holder.peer() };
        let from = vms.kill(killed, "ha-appliance")?;
        vms.note(format!("the daemon of {} is killed", vms.net.name(killed)));
        writer.acknowledged_after(from, SHOT)?;
        vms.daemon_is_back(killed)?;
        (holder, _) = vms.up()?;
        writer.acknowledged_after(now(), SHOT)?;
        vms.record
            .figure("daemon killed in a move, stall", writer.stall(from));
        synced(vms)?;
        protected(vms)?;
    }
    ends(vms, holder, &writer)
}

/// The holder, whose I/O is frozen, is rebooted by its administrator: it comes through, though nothing of what waits can be
/// stopped, and what it has is not promoted by itself.
pub fn frozen_holder_reboots(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let other = holder.peer();
    let writer = writes(vms, holder)?;
    vms.note("the standby loses its power together with its BMC");
    vms.net.cut(Port(other.bmc(), Wire::Bmc), Cut::Both)?;
    vms.node(other).die();
    frozen(vms, holder)?;
    let hellos = vms.node(holder).hardware.link()?.hellos();
    let asked = vms.note("the holder is rebooted");
    vms.node(holder).tell("systemctl reboot")?;
    while vms.node(holder).hardware.link()?.hellos() == hellos {
        let console = vms.node(holder).console();
        ensure!(sys::since(asked) < REBOOTS, "it hangs: {console}");
        std::thread::sleep(Duration::from_millis(50));
    }
    vms.record
        .figure("a frozen holder's reboot", sys::since(asked));
    vms.node(holder).booted()?;
    vms.daemon_answers(holder)?;
    stays_down(vms, holder, Duration::from_secs(5))?;
    vms.net.mend()?;
    vms.node(other).switch_on()?;
    vms.node(other).booted()?;
    goes_on(vms, &writer)
}

/// A shutdown's budgets, one after the other.
const REBOOTS: Duration = Duration::from_secs(600);

/// A daemon that has failed for good leaves by its last unit, which takes all of it down. (Its BMC is silent, so that nobody
/// switches it off for its silence meanwhile.)
pub fn released(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    vms.net.cut(Port(holder.bmc(), Wire::Bmc), Cut::Both)?;
    drop_in(vms, "Restart=no")?;
    let from = vms.kill(holder, "ha-appliance")?;
    let ended = "systemctl show --property=ActiveState,Result ha-appliance-release; \
                 journalctl --no-pager --unit=ha-appliance-release --output=cat --since=-60s";
    let wanted = [
        "stopped apache2.service",
        "unmounted /mnt/data",
        "r0 is Secondary",
        "Result=success",
        "ActiveState=inactive",
    ];
    let mut told = String::new();
    while !wanted.iter().all(|what| told.contains(what)) {
        ensure!(sys::since(from) < SHOT, "it says {told}");
        std::thread::sleep(Duration::from_millis(50));
        told = vms.on(holder, ended)?;
    }
    vms.record.figure("release", sys::since(from));
    let role = vms.on(holder, "drbdadm role r0; ! mountpoint -q /mnt/data")?;
    ensure!(role.starts_with("Secondary"), "it is {role}");
    no_drop_in(vms)?;
    vms.net.mend()?;
    start_again(vms, holder)?;
    goes_on(vms, &writer)
}

/// The same while all I/O is frozen: it ends once nothing more can be stopped, and says what it leaves.
pub fn released_while_frozen(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let other = holder.peer();
    let writer = writes(vms, holder)?;
    drop_in(vms, "Restart=no")?;
    vms.net.cut(Port(other.bmc(), Wire::Bmc), Cut::Both)?;
    vms.node(other).die();
    frozen(vms, holder)?;
    let from = vms.kill(holder, "ha-appliance")?;
    let told = "systemctl show --property=ActiveState ha-appliance-release; \
                journalctl --no-pager --unit=ha-appliance-release --output=cat --since=-300s";
    let ended = |told: &str| told.contains("r0 is frozen") && told.contains("ActiveState=failed");
    let mut last = String::new();
    while !ended(&last) {
        ensure!(sys::since(from) < 3 * SHOT, "it says {last}");
        std::thread::sleep(Duration::from_millis(200));
        last = vms.node(holder).run(told)?;
    }
    vms.record.figure("release while frozen", sys::since(from));
    frozen(vms, holder)?;
    vms.net.mend()?;
    vms.node(other).switch_on()?;
    vms.node(other).booted()?;
    no_drop_in(vms)?;
    start_again(vms, holder)?;
    goes_on(vms, &writer)
}

/// The disk of the holder fails all at once: it goes on by the network, and moves.
pub fn disk_breaks(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let other = holder.peer();
    let writer = writes(vms, holder)?;
    let from = vms.note("the holder's disk fails");
    vms.node(holder).hardware.break_disk(true);
    serves(vms, &browser, other, &writer, from, "disk broken")?;
    vms.node(holder).hardware.break_disk(false);
    vms.on(holder, "drbdadm attach r0")?;
    synced(vms)?;
    ends(vms, other, &writer)
}

/// Has the daemon that failed for good run again.
fn start_again(vms: &mut Vms, host: Host) -> Outcome {
    vms.on(
        host,
        "systemctl reset-failed ha-appliance; systemctl start ha-appliance",
    )?;
    Ok(())
}

/// Both are there, one of them serves, and nothing was lost.
fn goes_on(vms: &mut Vms, writer: &Writer) -> Outcome {
    let (holder, _browser) = vms.up()?;
    writer.acknowledged_after(now(), SHOT)?;
    protected_within(vms, 3 * SHOT)?;
    ends(vms, holder, writer)
}
