//! Fencing on virtual machines, whose BMCs really cut their power: who falls silent is off before its part is
//! taken over, exactly one survives, and nobody is shot without need.
//!
//! Each step finds a pair that serves and is PROTECTED, and leaves one.

mod chain;
mod changed;
mod pair;
mod rare;

pub use pair::{
    Shots, cut_apart, drop_in, no_drop_in, powered, protected, protected_within, shot,
    without_power,
};

use super::vms::serves;
use crate::bmc::{self, PASSWORD, USER};
use crate::lab::Outcome;
use crate::net::NODES;
use crate::scenario::{Run::Virtual, Scenario, Step};
use crate::system::System;
use crate::topology::BONDED;
use crate::vm::Vms;
use std::time::Duration;

pub const ALL: &[Scenario] = &[Scenario {
    name: "fencing",
    shows: "two virtual machines with BMCs that cut their power, booted once, at 250 ms × 8",
    run: Virtual(&BONDED, prepare, STEPS),
    limit: (600, 3600),
}];

const STEPS: &[Step] = &[
    Step {
        name: "panic",
        shows: "the holder's kernel panics and hangs: it is switched off, then the peer serves; it boots as the standby",
        run: chain::panic,
        long: false,
    },
    Step {
        name: "interlink-cut",
        shows: "the interlink is cut, the LAN is alive: nobody is shot",
        run: chain::interlink_cut,
        long: false,
    },
    Step {
        name: "daemons-restart",
        shows: "both daemons are killed and back after 600 ms, one after the other: nobody is shot",
        run: chain::daemons_restart,
        long: false,
    },
    Step {
        name: "all-cut",
        shows: "all paths are cut, both live: one survives and serves, the other is off, boots, and takes nothing",
        run: chain::all_cut,
        long: false,
    },
    Step {
        name: "power-and-bmc",
        shows: "the holder loses its power together with its BMC: BLOCKED within 10 s, `confirm-fenced`, served, and still so after the daemon is killed",
        run: chain::power_and_bmc,
        long: false,
    },
    Step {
        name: "daemon-hangs",
        shows: "the holder's daemon hangs: systemd restarts it and nobody is shot; without its watchdog the machine is switched off",
        run: rare::daemon_hangs,
        long: true,
    },
    Step {
        name: "standby-switched-off",
        shows: "a clean `poweroff` of the standby: nobody is shot",
        run: rare::standby_switched_off,
        long: true,
    },
    Step {
        name: "bmc-says-off-for-a-moment",
        shows: "the BMC of a dead holder says off for 0.7 s and does nothing: nothing is taken over before it is really off",
        run: rare::says_off_for_a_moment,
        long: true,
    },
    Step {
        name: "bmc-lies",
        shows: "the BMC of a holder that is cut off says off for good and does nothing: both serve, as assumed, until they hear each other; then one does, and the device is not believed any more",
        run: rare::lies,
        long: true,
    },
    Step {
        name: "bmc-unreachable",
        shows: "all paths are cut, the BMCs too: the holder serves, the other is BLOCKED, nobody is shot",
        run: rare::unreachable,
        long: true,
    },
    Step {
        name: "idle-side-deaf",
        shows: "the firewall of the idle side drops all input: it does not shoot the holder that serves, nor is it shot",
        run: rare::deaf,
        long: true,
    },
    Step {
        name: "paused",
        shows: "the second node holds and is paused for 10 s: it serves on; for 60 s: it is switched off and the first serves",
        run: rare::paused,
        long: true,
    },
    Step {
        name: "boot-without-interlink",
        shows: "both boot with the interlink down: one serves, nobody is shot",
        run: rare::boot_without_interlink,
        long: true,
    },
    Step {
        name: "panic-and-reboot",
        shows: "the holder's kernel panics and reboots by itself: one serves, at most one shot",
        run: rare::panic_and_reboot,
        long: true,
    },
    Step {
        name: "active-active",
        shows: "all paths are cut with a group on each: one survives and serves both",
        run: changed::active_active,
        long: true,
    },
    Step {
        name: "cut-in-mid-move",
        shows: "all paths are cut while the group moves, three times: one survives and serves, the other is off",
        run: rare::cut_in_mid_move,
        long: true,
    },
    Step {
        name: "first-level-dead",
        shows: "the first of two devices of a holder that panics is dead: the second switches it off",
        run: changed::first_level_dead,
        long: true,
    },
    Step {
        name: "in-firmware",
        shows: "a machine that was switched off and on stays in its firmware: it is not shot again, not by a daemon that starts anew either",
        run: rare::in_firmware,
        long: true,
    },
    Step {
        name: "back-in-mid-takeover",
        shows: "the machine that was switched off is back while the service still starts on the other: it takes nothing",
        run: changed::back_in_mid_takeover,
        long: true,
    },
    Step {
        name: "stray-unit",
        shows: "a service that somebody started on the standby, and that cannot be stopped: nobody is shot, the holder serves",
        run: changed::stray_unit,
        long: true,
    },
    Step {
        name: "at-the-defaults",
        shows: "all paths are cut with no interval and no patience in the file: one survives and serves",
        run: changed::at_the_defaults,
        long: true,
    },
];

/// A BMC for each.
fn prepare(vms: &mut Vms) -> Outcome {
    let more = devices(vms)?;
    serves(vms, &more)?;
    protected(vms)
}

/// A BMC for each, as ha.toml names them.
pub fn devices(vms: &mut Vms) -> Outcome<String> {
    // More than the detection time.
    let mut more = String::from("\n[fencing]\npatience = \"3s\"\n");
    for host in NODES {
        let (name, address) = (vms.net.name(host), bmc::address(&vms.net, host));
        more += &format!(
            "\n[[fence]]\nnode = \"{name}\"\nipmi = {{ address = \"{address}\", user = \"{USER}\", password_file = \"{SECRET}\" }}\n"
        );
        vms.node(host)
            .write(SECRET, &format!("{PASSWORD}\n"), 0o600)?;
    }
    Ok(more)
}

const SECRET: &str = "/etc/ha-appliance/bmc.pw";
/// The default in force, which `check` tells.
const DELAY: Duration = Duration::from_secs(14);
/// The latest first instant of anybody (2 × delay), the BMC, `settle`, the start of the service.
const FENCED: Duration = Duration::from_secs(45);
const OFF_AND_ON: &[&str] = &["set power 0", "set power 1"];
const SECOND_VIP: &str = "192.168.1.179";
const APACHE: &str = "apache2.service";
