//! The steps of a long run that change ha.toml, or a unit, for a while.

use super::super::nginx;
use super::pair::*;
use super::{APACHE, DELAY, OFF_AND_ON, SECOND_VIP};
use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::net::{Host, NODES};
use crate::status;
use crate::sys;
use crate::system::System;
use crate::vm::{Vm, Vms};
use std::time::Duration;

pub fn active_active(vms: &mut Vms) -> Outcome {
    held_by(vms, Host::A)?;
    let (_, browser) = vms.up()?;
    for host in NODES {
        vms.node(host)
            .write("/etc/apache2/ports.conf", "Listen 8080\n", 0o644)?;
    }
    let second = format!(
        "[[group]]\nname = \"wiki\"\nprefer = \"{}\"\n[[group.resource]]\nvip = \"{SECOND_VIP}/24\"\ninterface = \"bond0\"\n\
         [[group.resource]]\nservice = \"{APACHE}\"\n",
        vms.net.name(Host::B)
    );
    edited(vms, &format!("cat >>ha.toml <<'E'\n\n{second}E\n"))?;
    vms.runs_only_on(Host::B, APACHE)?;
    let shots = Shots::so_far(vms);
    let from = cut_apart(vms)?;
    // Both run something: the first node shoots first.
    shot(vms, &shots, Host::B)?;
    holds(vms, SECOND_VIP, Host::A)?;
    vms.record.figure("second served", sys::since(from));
    vms.node(Host::B).booted()?;
    std::thread::sleep(Duration::from_secs(120));
    undisturbed(vms, &browser, from)?;
    for vip in [vms.net.topology.vip, SECOND_VIP] {
        holds(vms, vip, Host::A)?;
    }
    vms.net.mend()?;
    returns(vms, Host::B)?;
    vms.runs_only_on(Host::A, APACHE)?;
    shots.since_are(vms, Host::B, OFF_AND_ON)?;
    vms.on(Host::A, "ha-appliance stop wiki --yes")?;
    status::wait_until(vms.node(Host::A), "wiki stopped", Vm::PATIENCE, |s| {
        status::role(s, "wiki") == "stopped"
    })?;
    as_before(vms)
}

pub fn first_level_dead(vms: &mut Vms) -> Outcome {
    // Nobody has such an address; what stands first is asked first.
    edited(
        vms,
        "at=$(grep -n -m1 '^\\[\\[fence' ha.toml | cut -d: -f1)\n\
         dead=$(tail -n +$at ha.toml | grep -A2 --no-group-separator '^\\[\\[fence' | sed 's/10.99.0.20/10.99.0.25/')\n\
         { head -n $((at - 1)) ha.toml; echo \"$dead\"; tail -n +$at ha.toml; } >new && mv new ha.toml",
    )?;
    let (holder, browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    let from = vms.note("the holder's kernel panics, and the first device is dead");
    panics(vms, holder)?;
    taken_over(vms, &browser, holder, from)?;
    let told = vms.on(holder.peer(), "ha-appliance history")?;
    ensure!(told.contains("(level 2)"), "another level: {told}");
    returns(vms, holder)?;
    shots.since_are(vms, holder, OFF_AND_ON)?;
    as_before(vms)
}

pub fn back_in_mid_takeover(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let peer = holder.peer();
    let shots = Shots::so_far(vms);
    // Longer than a boot; `start_timeout` is a minute.
    unit(
        vms,
        peer,
        "[Service]\\nExecStartPre=/bin/sleep 50\\nTimeoutStartSec=90",
    )?;
    let from = vms.note("the holder's kernel panics; the service takes 50 s to start");
    panics(vms, holder)?;
    shot(vms, &shots, holder)?;
    vms.node(holder).booted()?;
    vms.both_alive()?;
    vms.note("it is back");
    browser.answered(Some(peer), Duration::from_secs(90))?;
    vms.record
        .figure("HTTP outage", browser.outage(from).length());
    vms.runs_only_on(peer, nginx::UNIT)?;
    as_it_was(vms, peer)?;
    returns(vms, holder)?;
    shots.since_are(vms, holder, OFF_AND_ON)
}

pub fn stray_unit(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let standby = holder.peer();
    let shots = Shots::so_far(vms);
    unit(vms, standby, "[Unit]\\nRefuseManualStop=yes")?;
    let from = vms.note("somebody starts the service on the standby, where nothing stops it");
    // The judge of both at once looks at what the pair does, not at what is done to it.
    vms.record.allow_overlap(
        "somebody starts the service on the standby",
        Duration::from_secs(120),
    );
    vms.on(standby, &format!("systemctl start {}", nginx::UNIT))?;
    std::thread::sleep(2 * DELAY + Duration::from_secs(5));
    undisturbed(vms, &browser, from)?;
    holds(vms, vms.net.topology.vip, holder)?;
    shots.since_are_none(vms)?;
    let says = vms.on(standby, "COLUMNS=1000 ha-appliance status || true")?;
    vms.note(says);
    as_it_was(vms, standby)?;
    vms.on(
        standby,
        &format!("systemctl stop {}; ha-appliance clear || true", nginx::UNIT),
    )?;
    vms.runs_only_on(holder, nginx::UNIT)?;
    protected(vms)?;
    shots.since_are_none(vms)
}

pub fn at_the_defaults(vms: &mut Vms) -> Outcome {
    edited(
        vms,
        "sed -i '/^interval = \"250ms\"/d; /^misses = 8/d; /^patience = /d' ha.toml",
    )?;
    let (holder, browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    let from = shoots_the_standby(vms, &shots, holder)?;
    undisturbed(vms, &browser, from)?;
    vms.net.mend()?;
    returns(vms, holder.peer())?;
    shots.since_are(vms, holder.peer(), OFF_AND_ON)?;
    as_before(vms)
}

/// Changes ha.toml on both by that, until [`as_before`].
fn edited(vms: &mut Vms, script: &str) -> Outcome {
    vms.on_both(&format!(
        "cd /etc/ha-appliance && cp ha.toml before && {{ {script}\n}} && sync"
    ))?;
    vms.on_both("ha-appliance reload")?;
    protected_within(vms, Duration::from_secs(30))
}

fn as_before(vms: &mut Vms) -> Outcome {
    vms.on_both("cd /etc/ha-appliance && mv before ha.toml && sync")?;
    vms.on_both("ha-appliance reload")?;
    vms.both_alive()?;
    protected_within(vms, Duration::from_secs(30))
}

/// Changes the unit of the service on one, until [`as_it_was`] or a boot.
fn unit(vms: &mut Vms, host: Host, lines: &str) -> Outcome {
    vms.on(
        host,
        &format!(
            "mkdir -p {UNIT} && printf '{lines}\\n' >{UNIT}/lab.conf && systemctl daemon-reload"
        ),
    )?;
    Ok(())
}

fn as_it_was(vms: &mut Vms, host: Host) -> Outcome {
    vms.on(
        host,
        &format!("rm -r {UNIT}/lab.conf && systemctl daemon-reload"),
    )?;
    Ok(())
}

const UNIT: &str = "/run/systemd/system/nginx.service.d";
