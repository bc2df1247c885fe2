//! What a step does to the pair, waits for, and looks at.

use super::super::nginx;
use super::{FENCED, OFF_AND_ON};
use crate::client::Client;
use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::net::{Host, NODES};
use crate::status;
use crate::sys::{self, Micros, now};
use crate::system::System;
use crate::vm::{Vm, Vms};
use std::time::Duration;

/// How much each BMC had been told at some moment.
pub struct Shots([usize; 2]);

impl Shots {
    pub fn so_far(vms: &mut Vms) -> Shots {
        Shots(NODES.map(|host| vms.node(host).bmc().orders().len()))
    }

    /// What a node's BMC was told since. (To switch on once more what takes long for that is no order of its own.)
    pub fn since(&self, vms: &mut Vms, host: Host) -> Vec<String> {
        let known = self.0[usize::from(host == Host::B)];
        let mut told = vms.node(host).bmc().orders().split_off(known);
        told.dedup_by(|next, before| next == before && next == OFF_AND_ON[1]);
        told
    }

    /// One was told this, the other nothing.
    pub fn since_are(&self, vms: &mut Vms, host: Host, wanted: &[&str]) -> Outcome {
        let told = [host, host.peer()].map(|host| self.since(vms, host));
        ensure!(
            told[0] == wanted && told[1].is_empty(),
            "the BMC of {} was told {:?}, the other {:?}",
            vms.net.name(host),
            told[0],
            told[1]
        );
        Ok(())
    }

    pub fn since_are_none(&self, vms: &mut Vms) -> Outcome {
        self.since_are(vms, Host::A, &[])
    }
}

/// Waits until both could switch the other off.
pub fn protected(vms: &mut Vms) -> Outcome {
    protected_within(vms, Duration::from_secs(10))
}

pub fn protected_within(vms: &mut Vms, limit: Duration) -> Outcome {
    for host in NODES {
        status::wait_until(vms.node(host), "PROTECTED", limit, |s| {
            s["fencing"]["ready"] == true && s["fencing"]["peer_ready"] == true
        })?;
    }
    Ok(())
}

/// The group runs there, moved if need be.
pub fn held_by(vms: &mut Vms, wanted: Host) -> Outcome {
    let (holder, browser) = vms.up()?;
    if holder != wanted {
        let asked = now();
        // The other may have to wait until its gateway has answered for long enough.
        let order = "ha-appliance failover web --yes";
        while !vms.node(holder).try_run(order)?.status.success() {
            ensure!(sys::since(asked) < Vm::PATIENCE, "it does not move");
            std::thread::sleep(Duration::from_millis(500));
        }
        browser.answered(Some(wanted), Vm::PATIENCE)?;
        vms.runs_only_on(wanted, nginx::UNIT)?;
    }
    Ok(())
}

/// Both live, reach the gateway and the BMCs, and neither reaches the other on any path.
pub fn cut_apart(vms: &mut Vms) -> Outcome<Micros> {
    let at = vms.note("all paths between them are cut, both live");
    vms.net.part()?;
    Ok(at)
}

/// All paths between them are cut: who runs the group shoots first, and goes on serving; the other boots into the cut.
pub fn shoots_the_standby(vms: &mut Vms, shots: &Shots, holder: Host) -> Outcome<Micros> {
    let from = cut_apart(vms)?;
    shot(vms, shots, holder.peer())?;
    vms.record.figure("off after", sys::since(from));
    vms.node(holder.peer()).booted()?;
    Ok(from)
}

/// Waits until a machine was switched off, and on again.
pub fn shot(vms: &mut Vms, shots: &Shots, host: Host) -> Outcome {
    let asked = now();
    while shots.since(vms, host) != OFF_AND_ON {
        let told = shots.since(vms, host);
        let name = vms.net.name(host);
        ensure!(
            sys::since(asked) < FENCED,
            "the BMC of {name} was told {told:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Waits until either machine was switched off, and on again; gives it.
pub fn anybody_shot(vms: &mut Vms, shots: &Shots) -> Outcome<Host> {
    let asked = now();
    loop {
        let shot = |host: &&Host| !shots.since(vms, **host).is_empty();
        if let Some(&host) = NODES.iter().find(shot) {
            return self::shot(vms, shots, host).map(|()| host);
        }
        ensure!(sys::since(asked) < FENCED, "no BMC was told anything");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The page was there all the time, as far as an emulated processor beside others shows it.
pub fn undisturbed(vms: &Vms, browser: &Client, from: Micros) -> Outcome {
    let outage = browser.outage(from).length();
    vms.record.figure("longest gap", outage);
    let limit = Duration::from_secs(6);
    ensure!(outage < limit, "the page was away for {outage:?}");
    Ok(())
}

/// A kernel panics, says so on its console, and hangs.
pub fn panics(vms: &mut Vms, host: Host) -> Outcome {
    vms.node(host).tell("echo c >/proc/sysrq-trigger")?;
    let asked = now();
    while !vms.node(host).console().contains("Kernel panic") {
        let console = vms.node(host).console();
        ensure!(
            sys::since(asked) < Duration::from_secs(5),
            "it does not panic: {console}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The peer of a holder that fell silent serves at last, and tells how long each part took.
pub fn taken_over(vms: &mut Vms, browser: &Client, holder: Host, from: Micros) -> Outcome {
    let peer = holder.peer();
    vms.moved(browser, peer, from, FENCED)?;
    let limit = Duration::from_secs(10);
    status::wait_until(vms.node(peer), "active", limit, |s| {
        status::active(s, "web")
    })?;
    let history = vms.on(peer, "ha-appliance history")?;
    vms.note(history.clone());
    for part in PARTS {
        let lines = history.lines().rev();
        let told = lines.filter_map(|line| line.split_once(part)).next();
        let told = told.and_then(|(_, rest)| span(rest));
        let told = told.ok_or(format!("the history does not say {part:?}"))?;
        vms.record.figure(part, told);
    }
    Ok(())
}

/// What `history` says of a shot and of the start after it.
const PARTS: [&str; 4] = [
    "accepted after",
    "read off after",
    "verified after",
    "starting → active after",
];

/// `12 ms` or `1.2 s`, whatever follows.
fn span(text: &str) -> Option<Duration> {
    let mut words = text.split_whitespace();
    let number: f64 = words.next()?.parse().ok()?;
    let second = match words.next()?.trim_end_matches([',', ':']) {
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number * second))
}

/// A machine that has power again boots, and is the standby.
pub fn returns(vms: &mut Vms, host: Host) -> Outcome {
    powered(vms, host)?;
    vms.node(host).booted()?;
    vms.daemon_is_back(host)?;
    protected(vms)?;
    vms.runs_only_on(host.peer(), nginx::UNIT)?;
    let told = vms.on(host, "journalctl --no-pager --boot --unit=ha-appliance")?;
    ensure!(!told.contains("lived"), "it was off: {told}");
    holds(vms, vms.net.topology.vip, host.peer())
}

/// Waits until a machine has power.
pub fn powered(vms: &mut Vms, host: Host) -> Outcome {
    let asked = now();
    while !vms.node(host).hardware.has_power() {
        let name = vms.net.name(host);
        ensure!(
            sys::since(asked) < Duration::from_secs(10),
            "{name} was not switched on again"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Waits until a VIP is on this node alone.
pub fn holds(vms: &Vms, vip: &str, host: Host) -> Outcome {
    let asked = now();
    while vms.watch.holders(vip) != [host] {
        ensure!(
            sys::since(asked) < FENCED,
            "{:?} hold {vip}",
            vms.watch.holders(vip)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

pub fn without_power(vms: &mut Vms, host: Host) -> Outcome {
    let asked = now();
    while vms.node(host).hardware.has_power() {
        ensure!(
            sys::since(asked) < Vm::PATIENCE,
            "{} has still power",
            vms.net.name(host)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Changes the daemon's unit on both, until they boot or that is taken back.
pub fn drop_in(vms: &mut Vms, line: &str) -> Outcome {
    vms.on_both(&format!(
        "mkdir -p {DROP_INS} && printf '[Service]\\n{line}\\n' >{DROP_INS}/lab.conf && systemctl daemon-reload"
    ))
}

/// Daemons that systemd does not kill when they hang.
pub fn without_watchdog(vms: &mut Vms) -> Outcome {
    drop_in(vms, "WatchdogSec=0")?;
    for host in NODES {
        vms.on(host, "systemctl restart ha-appliance")?;
        vms.daemon_is_back(host)?;
    }
    protected(vms)
}

pub fn no_drop_in(vms: &mut Vms) -> Outcome {
    vms.on_both(&format!("rm -rf {DROP_INS} && systemctl daemon-reload"))
}

const DROP_INS: &str = "/run/systemd/system/ha-appliance.service.d";
