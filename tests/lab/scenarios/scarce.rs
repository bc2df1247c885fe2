//! Virtual machines that run short of memory or processes: what the kernel kills for that, and whose failure it is.

use super::nginx;
use crate::ensure;
use crate::lab::Outcome;
use crate::net::Host;
use crate::sys::now;
use crate::system::System;
use crate::vm::{Vm, Vms};

/// The service has a limit of its own, and the kernel kills it: its failure, and not the daemon's.
pub fn service_memory(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let daemon = main_pid(vms, holder, "ha-appliance")?;
    let from = now();
    let limited =
        |limit: &str| format!("systemctl set-property --runtime nginx.service MemoryMax={limit}");
    // Its processes are killed as this is set, and at each start.
    vms.on(holder, &limited("600K"))?;
    browser.answered(Some(holder.peer()), Vm::PATIENCE)?;
    let outage = browser.outage(from).length();
    vms.record.figure("HTTP outage", outage);
    vms.runs_only_on(holder.peer(), nginx::UNIT)?;
    let told = vms.history(
        holder.peer(),
        &[
            vms.net.name(holder),
            "nginx.service",
            "killed for lack of memory",
        ],
    )?;
    vms.note(told);
    vms.on(holder, &limited("infinity"))?;
    vms.on(holder, "ha-appliance clear")?;
    survives(vms, holder, &daemon)
}

/// The daemon's own control group may have no more memory than it has: what it needs is locked, its tools fail.
pub fn daemon_memory(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let daemon = main_pid(vms, holder, "ha-appliance")?;
    let from = now();
    vms.on(holder, &full("memory", 10))?;
    vms.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    survives(vms, holder, &daemon)
}

/// The daemon's own control group may have no more processes: no tool can be started.
pub fn daemon_processes(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let units = ["ha-appliance", "nginx"];
    let before = units.map(|unit| main_pid(vms, holder, unit).ok());
    let from = now();
    vms.on(holder, &full("pids", 20))?;
    vms.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    let after = units.map(|unit| main_pid(vms, holder, unit).ok());
    ensure!(before == after, "restarted: {before:?}, {after:?}");
    survives(vms, holder, before[0].as_deref().unwrap_or_default())
}

/// The daemon's control group is full with what it has, for so many seconds.
fn full(what: &str, seconds: u32) -> String {
    format!(
        "cd /sys/fs/cgroup/system.slice/ha-appliance.service && cat {what}.current >{what}.max && sleep {seconds}; \
         echo max >{what}.max"
    )
}

fn survives(vms: &mut Vms, host: Host, daemon: &str) -> Outcome {
    let now = main_pid(vms, host, "ha-appliance")?;
    ensure!(now == daemon, "it is another daemon: {now} after {daemon}");
    vms.both_alive()
}

fn main_pid(vms: &mut Vms, host: Host, unit: &str) -> Outcome<String> {
    let line = format!("systemctl show --value --property=MainPID {unit}");
    Ok(vms.node(host).run(&line)?.trim().to_owned())
}
