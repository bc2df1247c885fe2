//! Fencing on virtual machines, whose BMCs really cut their power: who falls silent is off before its part is
//! taken over, exactly one survives, and nobody is shot without need.
//!
//! Each step finds a pair that serves and is PROTECTED, and leaves one.

use super::nginx;
use super::vms::serves;
use crate::bmc::{self, PASSWORD, USER};
use crate::client::Client;
use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::net::{Cut, Host, NODES, Port, Wire};
use crate::scenario::{Run::Virtual, Scenario, Step};
use crate::status;
use crate::sys::{self, Micros, now};
use crate::system::System;
use crate::topology::BONDED;
use crate::vm::{Vm, Vms};
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
        run: panic,
        long: false,
    },
    Step {
        name: "interlink-cut",
        shows: "the interlink is cut, the LAN is alive: nobody is shot",
        run: interlink_cut,
        long: false,
    },
    Step {
        name: "daemons-restart",
        shows: "both daemons are killed and back after 600 ms, one after the other: nobody is shot",
        run: daemons_restart,
        long: false,
    },
    Step {
        name: "all-cut",
        shows: "all paths are cut, both live: one survives and serves, the other is off, boots, and takes nothing",
        run: all_cut,
        long: false,
    },
    Step {
        name: "power-and-bmc",
        shows: "the holder loses its power together with its BMC: BLOCKED within 10 s, `confirm-fenced`, served, and still so after the daemon is killed",
        run: power_and_bmc,
        long: false,
    },
    Step {
        name: "daemon-hangs",
        shows: "the holder's daemon hangs: systemd restarts it and nobody is shot; without its watchdog the machine is switched off",
        run: daemon_hangs,
        long: true,
    },
    Step {
        name: "standby-switched-off",
        shows: "a clean `poweroff` of the standby: nobody is shot",
        run: standby_switched_off,
        long: true,
    },
    Step {
        name: "bmc-says-off-for-a-moment",
        shows: "the BMC of a dead holder says off for 0.7 s and does nothing: nothing is taken over before it is really off",
        run: says_off_for_a_moment,
        long: true,
    },
    Step {
        name: "bmc-unreachable",
        shows: "all paths are cut, the BMCs too: the holder serves, the other is BLOCKED, nobody is shot",
        run: unreachable,
        long: true,
    },
    Step {
        name: "idle-side-deaf",
        shows: "the firewall of the idle side drops all input: it does not shoot the holder that serves, nor is it shot",
        run: deaf,
        long: true,
    },
    Step {
        name: "active-active",
        shows: "all paths are cut with a group on each: one survives and serves both",
        run: active_active,
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

fn panic(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    let from = vms.note(format!("the kernel of {} panics", vms.net.name(holder)));
    panics(vms, holder)?;
    taken_over(vms, &browser, holder, from)?;
    returns(vms, holder)?;
    shots.since_are(vms, holder, OFF_AND_ON)
}

fn interlink_cut(vms: &mut Vms) -> Outcome {
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

fn daemons_restart(vms: &mut Vms) -> Outcome {
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

fn all_cut(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let shots = Shots::so_far(vms);
    let from = cut_apart(vms)?;
    // Who runs the group shoots first: it goes on serving.
    shot(vms, &shots, holder.peer())?;
    vms.record.figure("off after", sys::since(from));
    vms.node(holder.peer()).booted()?;
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

fn power_and_bmc(vms: &mut Vms) -> Outcome {
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

fn active_active(vms: &mut Vms) -> Outcome {
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
    vms.on_both(&format!(
        "cd /etc/ha-appliance && cp ha.toml before && cat >>ha.toml <<'E'\n\n{second}E\nsync"
    ))?;
    vms.on_both("ha-appliance reload")?;
    vms.runs_only_on(Host::B, APACHE)?;
    protected(vms)?;
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
    vms.on_both("cd /etc/ha-appliance && mv before ha.toml && sync")?;
    vms.on_both("ha-appliance reload")?;
    vms.both_alive()
}

fn daemon_hangs(vms: &mut Vms) -> Outcome {
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

fn standby_switched_off(vms: &mut Vms) -> Outcome {
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

fn says_off_for_a_moment(vms: &mut Vms) -> Outcome {
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

fn unreachable(vms: &mut Vms) -> Outcome {
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

fn deaf(vms: &mut Vms) -> Outcome {
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

/// How much each BMC had been told at some moment.
pub struct Shots([usize; 2]);

impl Shots {
    fn so_far(vms: &mut Vms) -> Shots {
        Shots(NODES.map(|host| vms.node(host).bmc().orders().len()))
    }

    /// What a node's BMC was told since.
    fn since(&self, vms: &mut Vms, host: Host) -> Vec<String> {
        let known = self.0[usize::from(host == Host::B)];
        vms.node(host).bmc().orders().split_off(known)
    }

    /// One was told this, the other nothing.
    fn since_are(&self, vms: &mut Vms, host: Host, wanted: &[&str]) -> Outcome {
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

    fn since_are_none(&self, vms: &mut Vms) -> Outcome {
        self.since_are(vms, Host::A, &[])
    }
}

/// Waits until both could switch the other off.
pub fn protected(vms: &mut Vms) -> Outcome {
    protected_within(vms, Duration::from_secs(10))
}

fn protected_within(vms: &mut Vms, limit: Duration) -> Outcome {
    for host in NODES {
        status::wait_until(vms.node(host), "PROTECTED", limit, |s| {
            s["fencing"]["ready"] == true && s["fencing"]["peer_ready"] == true
        })?;
    }
    Ok(())
}

/// The group runs there, moved if need be.
fn held_by(vms: &mut Vms, wanted: Host) -> Outcome {
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
fn cut_apart(vms: &mut Vms) -> Outcome<Micros> {
    let at = vms.note("all paths between them are cut, both live");
    vms.net.part()?;
    Ok(at)
}

/// Waits until a machine was switched off, and on again.
fn shot(vms: &mut Vms, shots: &Shots, host: Host) -> Outcome {
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

/// The page was there all the time, as far as an emulated processor beside others shows it.
fn undisturbed(vms: &Vms, browser: &Client, from: Micros) -> Outcome {
    let outage = browser.outage(from).length();
    vms.record.figure("longest gap", outage);
    let limit = Duration::from_secs(6);
    ensure!(outage < limit, "the page was away for {outage:?}");
    Ok(())
}

/// A kernel panics, says so on its console, and hangs.
fn panics(vms: &mut Vms, host: Host) -> Outcome {
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
fn taken_over(vms: &mut Vms, browser: &Client, holder: Host, from: Micros) -> Outcome {
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
fn returns(vms: &mut Vms, host: Host) -> Outcome {
    powered(vms, host)?;
    vms.node(host).booted()?;
    vms.daemon_is_back(host)?;
    protected(vms)?;
    vms.runs_only_on(host.peer(), nginx::UNIT)?;
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
fn holds(vms: &Vms, vip: &str, host: Host) -> Outcome {
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

fn without_power(vms: &mut Vms, host: Host) -> Outcome {
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
fn drop_in(vms: &mut Vms, line: &str) -> Outcome {
    vms.on_both(&format!(
        "mkdir -p {DROP_INS} && printf '[Service]\\n{line}\\n' >{DROP_INS}/lab.conf && systemctl daemon-reload"
    ))
}

/// Daemons that systemd does not kill when they hang.
fn without_watchdog(vms: &mut Vms) -> Outcome {
    drop_in(vms, "WatchdogSec=0")?;
    for host in NODES {
        vms.on(host, "systemctl restart ha-appliance")?;
        vms.daemon_is_back(host)?;
    }
    protected(vms)
}

fn no_drop_in(vms: &mut Vms) -> Outcome {
    vms.on_both(&format!("rm -rf {DROP_INS} && systemctl daemon-reload"))
}

const DROP_INS: &str = "/run/systemd/system/ha-appliance.service.d";
