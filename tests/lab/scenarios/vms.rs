//! Virtual machines with kernels of their own: a panic, a bond of real cards, and BMCs that cut the power.
//!
//! Each step finds a pair that serves, and leaves one.

use super::clock;
use super::nginx;
use super::scarce::{daemon_memory, daemon_processes, service_memory};
use crate::bmc::ipmitool;
use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::net::{Host, Port, Wire};
use crate::scenario::{Run::Virtual, Scenario, Step};
use crate::sys::{self, Micros, now};
use crate::system::System;
use crate::topology::BONDED;
use crate::tricks::Announcements;
use crate::vm::Vms;
use std::time::Duration;

pub const ALL: &[Scenario] = &[Scenario {
    name: "vm",
    shows: "two virtual machines, booted once, at 250 ms × 8",
    run: Virtual(&BONDED, prepare, STEPS),
    limit: (900, 1800),
}];

const STEPS: &[Step] = &[
    Step {
        name: "by-hand",
        shows: "`failover` moves VIP and nginx, and back",
        run: by_hand,
        long: false,
    },
    Step {
        name: "bond-fails-over",
        shows: "the bond's active card loses its carrier: the VIP is announced by the other one, nothing moves",
        run: bond_fails_over,
        long: false,
    },
    Step {
        name: "bond-as-link",
        shows: "with the interlink pulled the bond alone carries the heartbeats, over its own failover: nothing moves",
        run: bond_as_link,
        long: false,
    },
    Step {
        name: "bond-without-carrier",
        shows: "all cards of the holder's bond lose their carrier: the group moves",
        run: bond_without_carrier,
        long: false,
    },
    Step {
        name: "clock-steps",
        shows: "each clock is set an hour ahead and back, and a group moves by a wrong one: nothing moves by itself, no hour is told that did not pass",
        run: clock::steps,
        long: false,
    },
    Step {
        name: "service-memory",
        shows: "the kernel kills nginx at its own memory limit: a failure of the service, and the group moves",
        run: service_memory,
        long: false,
    },
    Step {
        name: "daemon-memory",
        shows: "for 10 s the daemon may have no more memory than it has: it survives, nothing moves",
        run: daemon_memory,
        long: false,
    },
    Step {
        name: "daemon-processes",
        shows: "for 20 s the daemon can start no tool: a healthy nginx is not taken for failed, nothing moves",
        run: daemon_processes,
        long: false,
    },
    Step {
        name: "panic",
        shows: "the holder's kernel panics and hangs: the peer serves; a BMC cuts its power and gives it back",
        run: panic,
        long: false,
    },
];

fn prepare(vms: &mut Vms) -> Outcome {
    serves(vms, "")
}

/// Both run the appliance with that beside what config/nginx.toml says, and one serves; nginx is enabled nowhere.
pub fn serves(vms: &mut Vms, more: &str) -> Outcome {
    let began = now();
    let before = format!("{SLOWLY}{more}\n[node.pm-test1]");
    let edits = [
        ("interface = \"eth0\"", "interface = \"bond0\""),
        ("[node.pm-test1]", &before),
    ];
    vms.install("config/nginx.toml", &edits)?;
    vms.write_pages()?;
    // A power cut loses what is not on the disk yet.
    vms.on_both("systemctl --quiet enable ha-appliance && sync && systemctl start ha-appliance")?;
    let (holder, _browser) = vms.up()?;
    vms.runs_only_on(holder, nginx::UNIT)?;
    vms.note(format!(
        "it took {:?} until the pair served",
        sys::since(began)
    ));
    Ok(())
}

/// As steady as an emulated processor.
pub const SLOWLY: &str = "[heartbeat]\ninterval = \"250ms\"\nmisses = 8\n";
/// A planned move takes a fraction of that, unless the emulated processor gets next to nothing of a real one.
const PLANNED: Duration = Duration::from_secs(30);
/// Detection, the probe, the takeover and the service's start.
const UNPLANNED: Duration = Duration::from_secs(30);

fn by_hand(vms: &mut Vms) -> Outcome {
    let (mut holder, browser) = vms.up()?;
    for _ in 0..2 {
        let from = now();
        // On a busy machine it may take longer than who gave the order waits.
        let told = vms.node(holder).try_run("ha-appliance failover")?;
        vms.note(String::from_utf8_lossy(&told.stdout).into_owned());
        vms.record.figure("failover", sys::since(from));
        holder = holder.peer();
        vms.moved(&browser, holder, from, PLANNED)?;
        vms.runs_only_on(holder, nginx::UNIT)?;
    }
    Ok(())
}

fn bond_fails_over(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    for (lost, other) in [(Wire::Lan, Wire::Second), (Wire::Second, Wire::Lan)] {
        let heard = Announcements::out_of(&vms.net, Port(holder, other))?;
        let from = cable(vms, holder, lost, false)?;
        browser.answered(Some(holder), Duration::from_secs(5))?;
        std::thread::sleep(Duration::from_secs(2));
        let outage = browser.outage(from).length();
        vms.record.figure("HTTP outage", outage);
        let heard = heard.heard()?;
        ensure!(heard > 0, "the VIP was not announced by the other card");
        vms.note(format!(
            "{heard} announcements, the page was away for {outage:?}"
        ));
        ensure!(outage < Duration::from_secs(2), "the outage was {outage:?}");
        cable(vms, holder, lost, true)?;
        std::thread::sleep(Duration::from_millis(500));
        vms.nothing_moved(holder, from)?;
    }
    Ok(())
}

fn bond_as_link(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let from = cable(vms, holder, Wire::Interlink, false)?;
    std::thread::sleep(Duration::from_secs(3));
    vms.both_alive()?;
    let lost = cable(vms, holder, Wire::Lan, false)?;
    std::thread::sleep(Duration::from_secs(4));
    vms.both_alive()?;
    vms.record
        .figure("HTTP outage", browser.outage(lost).length());
    cable(vms, holder, Wire::Lan, true)?;
    cable(vms, holder, Wire::Interlink, true)?;
    vms.nothing_moved(holder, from)
}

fn bond_without_carrier(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let from = cable(vms, holder, Wire::Lan, false)?;
    cable(vms, holder, Wire::Second, false)?;
    vms.moved(&browser, holder.peer(), from, PLANNED)?;
    vms.runs_only_on(holder.peer(), nginx::UNIT)?;
    cable(vms, holder, Wire::Second, true)?;
    cable(vms, holder, Wire::Lan, true)?;
    vms.both_alive()?;
    vms.nothing_moves(holder.peer(), Duration::from_secs(2))
}

fn panic(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let peer = holder.peer();
    let from = vms.note(format!("the kernel of {} panics", vms.net.name(holder)));
    vms.node(holder).tell("echo c >/proc/sysrq-trigger")?;
    vms.moved(&browser, peer, from, UNPLANNED)?;
    vms.status(peer, 1, "UNPROTECTED")?;
    let console = vms.node(holder).console();
    ensure!(console.contains("Kernel panic"), "it says {console}");
    let says = power(vms, peer, holder, "status")?;
    ensure!(
        says.contains("Power is on"),
        "a machine that hangs has power: {says}"
    );
    let asked = now();
    power(vms, peer, holder, "off")?;
    while vms.node(holder).hardware.has_power() {
        ensure!(sys::since(asked) < Duration::from_secs(5), "it is still on");
        std::thread::sleep(Duration::from_millis(5));
    }
    vms.record.figure("off after", sys::since(asked));
    let says = power(vms, peer, holder, "status")?;
    ensure!(says.contains("Power is off"), "it is off: {says}");
    let asked = now();
    power(vms, peer, holder, "on")?;
    while !vms.node(holder).hardware.has_power() {
        ensure!(sys::since(asked) < Duration::from_secs(5), "it is not on");
        std::thread::sleep(Duration::from_millis(5));
    }
    vms.node(holder).booted()?;
    vms.record.figure("booted after", sys::since(asked));
    let orders = vms.node(holder).bmc().orders();
    ensure!(
        orders == ["set power 0", "set power 1"],
        "its BMC was told {orders:?}"
    );
    vms.daemon_is_back(holder)?;
    vms.nothing_moves(peer, Duration::from_secs(2))
}

/// Tells the BMC of `node` something about its power, from another node.
fn power(vms: &mut Vms, from: Host, node: Host, order: &str) -> Outcome<String> {
    let line = format!("{} chassis power {order}", ipmitool(&vms.net, node));
    vms.on(from, &line)
}

/// Pulls a cable out of a card, or puts it in again.
pub fn cable(vms: &mut Vms, host: Host, wire: Wire, plugged: bool) -> Outcome<Micros> {
    let what = if plugged { "plug in" } else { "pull" };
    let at = vms.note(format!("{what} {}", Port(host, wire)));
    vms.node(host).hardware.set_cable(wire, plugged)?;
    Ok(at)
}
