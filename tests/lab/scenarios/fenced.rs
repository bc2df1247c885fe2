//! A silent node is switched off by its BMC before its part is taken over.

use crate::bmc::{self, Bmc, PASSWORD, USER};
use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::net::{Cut, Host, NODES, Port, VIP, Wire};
use crate::node::Node;
use crate::scenario::{Run::Nodes, Scenario};
use crate::status;
use crate::supply::Supply;
use crate::sweep;
use crate::sys::{self, now};
use crate::toml::{GROUP, Settings};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "fenced-by-agent",
        shows: "the same by fence agents: of two that lost sight of each other one is switched off, and on again",
        run: Nodes(fenced_by_agent),
        limit: (60, 60),
    },
    Scenario {
        name: "fenced",
        shows: "with BMCs: a daemon that is killed runs on; a cut interlink shoots nobody; of two that lost sight of each other one survives; a frozen holder is off before the other serves; with a dead BMC nobody takes over until `confirm-fenced`",
        run: Nodes(fenced),
        limit: (90, 180),
    },
    Scenario {
        name: "fence-races",
        shows: "two that lose sight of each other in one instant, idle, with a group on each, in mid-move: one is off, the other serves all",
        run: Nodes(races),
        limit: (90, 3600),
    },
];

const TIMES: &str = "\n[fencing]\npatience = \"1s\"\nprobe = \"10s\"\n";

/// An agent by the protocol of the fence-agents project; `plug` is where the machine's power is switched.
const AGENT: &str = r#"#!/bin/sh
while IFS= read -r line; do
    case $line in
    action=*) action=${line#action=} ;;
    plug=*) plug=${line#plug=} ;;
    password=*) [ "${line#password=}" = PASSWORD ] || exit 1 ;;
    esac
done
case $action in
metadata)
    echo '<?xml version="1.0" ?><resource-agent name="fence_lab"><parameters>'
    for name in action plug password; do
        echo "<parameter name=\"$name\"><content type=\"string\"/></parameter>"
    done
    echo '</parameters><actions>'
    for name in on off reboot status monitor metadata; do
        echo "<action name=\"$name\"/>"
    done
    echo '</actions></resource-agent>'
    ;;
status) [ "$(LAB __chassis "$plug" get power)" = power:1 ] || exit 2 ;;
off) LAB __chassis "$plug" set power 0 ;;
on) LAB __chassis "$plug" set power 1 ;;
esac
"#;

fn fenced_by_agent(lab: &mut Lab) -> Outcome {
    let (bmcs, supplies) = bmcs(lab)?;
    let program = sweep::directory(std::process::id()).join("fence_lab");
    let this = std::env::current_exe()?.display().to_string();
    let text = AGENT.replace("PASSWORD", PASSWORD).replace("LAB", &this);
    fs::write(&program, text)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let fence = |host: Host| {
        let plug = Bmc::socket(&*supplies[host as usize]);
        let (node, name, plug) = (host.node_name(), program.display(), plug.display());
        format!(
            "\n[[fence]]\nnode = \"{node}\"\nagent = {{ name = \"{name}\", options = {{ plug = \"{plug}\", password_file = \"bmc.pw\" }} }}\n"
        )
    };
    let (holder, _client) = lab.pair(&Settings {
        more: NODES.map(fence).concat() + TIMES,
        ..Settings::default()
    })?;
    ensure!(holder == Host::A, "the first node starts the group");
    protected(lab)?;
    let cut = lab.note("the other node loses every path, and lives");
    for wire in [Wire::Interlink, Wire::Lan] {
        lab.net.cut(Port(Host::B, wire), Cut::Both)?;
    }
    fenced_by(lab, Host::A)?;
    lab.record.figure("cut to off", sys::since(cut));
    lab.nothing_moved(holder, cut)?;
    ordered(&bmcs, Host::B, &["set power 0", "set power 1"])
}

fn fenced(lab: &mut Lab) -> Outcome {
    let (mut bmcs, supplies) = bmcs(lab)?;
    let settings = settings(lab);
    let (holder, client) = lab.pair(&settings)?;
    ensure!(holder == Host::A, "the first node starts the group");
    protected(lab)?;
    let rehearsing = now();
    let told = lab.node(holder).order(&["check", "--live"])?;
    let answer = "ipmi 10.99.0.202: the power is on, cipher suite 3; after a power cut";
    ensure!(told.contains(answer), "it says {told}");
    rehearsed(lab)?;
    ordered(&bmcs, Host::B, &["set power 0", "set power 1"])?;
    lab.nothing_moved(holder, rehearsing)?;
    back(lab, Host::B)?;

    let killed = lab.note("the holder's daemon is killed, and started again");
    lab.node(holder).kill();
    std::thread::sleep(Duration::from_millis(200));
    lab.start(holder)?;
    lab.both_alive()?;
    // Longer than the kernel keeps what nobody renews.
    lab.nothing_moves(holder, Duration::from_secs(4))?;
    lab.nothing_moved(holder, killed)?;

    let cut = lab.note("the interlink is cut, the LAN is alive");
    lab.net.cut(Port(Host::B, Wire::Interlink), Cut::Both)?;
    lab.nothing_moves(holder, Duration::from_millis(2500))?;
    lab.net.mend()?;
    lab.both_alive()?;
    ensure!(orders(&bmcs, Host::A).is_empty(), "somebody was shot");
    ensure!(orders(&bmcs, Host::B).len() == 2, "somebody was shot");

    lab.note("the other node loses every path, and lives");
    for wire in [Wire::Interlink, Wire::Lan] {
        lab.net.cut(Port(Host::B, wire), Cut::Both)?;
    }
    fenced_by(lab, Host::A)?;
    lab.nothing_moved(holder, cut)?;
    // `after = "on"`.
    let twice = ["set power 0", "set power 1"].repeat(2);
    ordered(&bmcs, Host::B, &twice)?;
    ensure!(orders(&bmcs, Host::A).is_empty(), "both were shot");
    back(lab, Host::B)?;

    let frozen = lab.note("the holder hangs");
    lab.node(Host::A).set_frozen(true);
    client.answered(Some(Host::B), Duration::from_secs(20))?;
    let outage = client.outage(frozen).length();
    lab.record.figure("client outage", outage);
    ordered(&bmcs, Host::A, &["set power 0", "set power 1"])?;
    ensure!(orders(&bmcs, Host::B).len() == 4, "both were shot");
    let history = lab.node(Host::B).order(&["history"])?;
    lab.note(history.clone());
    for line in [
        "lb1 is switched off by ipmi 10.99.0.201 (level 1)",
        "lb1 is off by ipmi 10.99.0.201 (level 1), accepted after",
    ] {
        ensure!(history.contains(line), "the history does not say {line:?}");
    }
    phases(lab, &history)?;
    back(lab, Host::A)?;

    let cut = lab.note("the holder loses its power, and its BMC does not");
    supplies[Host::B as usize].fails();
    client.answered(Some(Host::A), Duration::from_secs(6))?;
    let outage = client.outage(cut).length();
    lab.record.figure("power loss, read off", outage);
    ensure!(outage < Duration::from_secs(4), "that took {outage:?}");
    // Two answers that say off, so far apart.
    ensure!(outage > Duration::from_secs(1), "that took {outage:?} only");
    ensure!(orders(&bmcs, Host::B).len() == 4, "what reads off was shot");
    supplies[Host::B as usize].returns();
    back(lab, Host::B)?;
    lab.node(Host::A).order(&["failover", "--yes"])?;
    client.answered(Some(Host::B), Duration::from_secs(3))?;

    lab.note("the holder loses its power together with its BMC");
    bmcs[Host::B as usize] = None;
    let cut = lab.power_cut(Host::B)?;
    let dead = "no reply";
    status::wait_until(lab.node(Host::A), dead, Duration::from_secs(10), |s| {
        s["fencing"]["devices"].to_string().contains(dead)
    })?;
    let dead = sys::since(cut);
    lab.record.figure("BMC called dead", dead);
    // From the first read on, which begins with the silence.
    ensure!(dead < Duration::from_millis(6500), "that took {dead:?}");
    let limit = Duration::from_secs(10).saturating_sub(dead);
    status::wait_until(lab.node(Host::A), "BLOCKED", limit, |s| {
        s["verdict"] == "blocked"
    })?;
    lab.record.figure("BLOCKED", sys::since(cut));
    let asked = now();
    lab.node(Host::A)
        .order(&["confirm-fenced", "lb2", "--yes", "--despite-signs-of-life"])?;
    client.answered(Some(Host::A), Duration::from_secs(3))?;
    lab.record.figure("confirmed and served", sys::since(asked));
    Ok(())
}

fn races(lab: &mut Lab) -> Outcome {
    let (bmcs, _supplies) = bmcs(lab)?;
    let settings = settings(lab);
    let second = format!(
        "\n[[group]]\nname = \"{SECOND}\"\n[[group.resource]]\nvip = \"{SECOND_VIP}/24\"\n"
    );
    lab.pair(&Settings {
        more: settings.more + &second,
        ..settings
    })?;
    let mut survived = [0; 2];
    for round in 0..lab.times(2, 100) {
        protected(lab)?;
        let known = NODES.map(|host| orders(&bmcs, host).len());
        let told = |host: Host| orders(&bmcs, host).split_off(known[host as usize]);
        let holder = lab.settled(Duration::from_secs(2))?;
        let kind = round % 4;
        match kind {
            MOVING => {
                let node = lab.node(holder);
                let mut order = Command::new(Node::program());
                order
                    .args(["failover", GROUP, "--yes"])
                    .args(node.options());
                node.beside(order)?;
            }
            ONE_EACH => {
                let to = [
                    "failover",
                    SECOND,
                    "--yes",
                    "--to",
                    holder.peer().node_name(),
                ];
                lab.node(holder).order(&to)?;
            }
            _ => {}
        }
        lab.random_phase(Duration::from_millis(30));
        let cut = lab.note("they lose sight of each other");
        lab.net.part()?;
        if kind == ARP_ONE_WAY {
            lab.net.let_arp_pass(NODES[round / 4 % 2])?;
        }
        let off = loop {
            if let Some(off) = NODES.into_iter().find(|&host| told(host).len() == 2) {
                break off;
            }
            ensure!(sys::since(cut) < LATEST, "nobody was switched off");
            std::thread::sleep(Duration::from_millis(5));
        };
        lab.record.figure("cut to off and on", sys::since(cut));
        let serves = off.peer();
        let asked = now();
        while [VIP, SECOND_VIP]
            .iter()
            .any(|vip| lab.watch.holders(vip) != [serves])
        {
            let limit = Duration::from_secs(5);
            ensure!(
                sys::since(asked) < limit,
                "{} does not serve all",
                serves.node_name()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        survived[serves as usize] += 1;
        back(lab, off)?;
        ensure!(told(serves).is_empty(), "both were switched off");
        ensure!(told(off).len() == 2, "it was switched off once more");
        if round % 3 == 2 {
            // No daemon does more in an hour.
            lab.node(serves).kill();
            lab.start(serves)?;
            lab.both_alive()?;
        }
        std::thread::sleep(OVER);
    }
    lab.note(format!(
        "survived: the first {}, the second {}",
        survived[0], survived[1]
    ));
    Ok(())
}

/// The kinds of rounds, in turn; in another nothing happens beside.
const MOVING: usize = 0;
const ONE_EACH: usize = 1;
const ARP_ONE_WAY: usize = 2;
/// The latest first instant of the two, of which one may skip its own.
const LATEST: Duration = Duration::from_secs(20);
/// What was sent is over after that, and a gateway counts that answers again.
const OVER: Duration = Duration::from_secs(6);
const SECOND: &str = "second";
const SECOND_VIP: &str = "10.77.0.101";

type Bmcs = [Option<Bmc>; 2];

/// Plugs both nodes into the BMCs' network, and starts those.
fn bmcs(lab: &mut Lab) -> Outcome<(Bmcs, [Arc<Supply>; 2])> {
    let supply = |host| Arc::new(Supply::new(host, &lab.net, &lab.watch, &lab.record));
    let supplies = NODES.map(supply);
    let mut bmcs = Bmcs::default();
    for host in NODES {
        reach_bmcs(lab, host)?;
        let supply = supplies[host as usize].clone();
        bmcs[host as usize] = Some(Bmc::start(&lab.net, host, supply)?);
    }
    Ok((bmcs, supplies))
}

/// What lies between a shot and the proof, by the history's own words.
fn phases(lab: &Lab, history: &str) -> Outcome {
    let line = history.lines().find(|line| line.contains("accepted after"));
    let line = line.ok_or("the history has no shot")?;
    let part = |what: &str| {
        let (_, rest) = line.split_once(what)?;
        rest.trim_start().split(' ').next()?.parse().ok()
    };
    for what in ["accepted after", "read off after", "verified after"] {
        let ms: u64 = part(what).ok_or("a part of the shot is missing")?;
        lab.record.figure(what, Duration::from_millis(ms));
    }
    Ok(())
}

fn reach_bmcs(lab: &mut Lab, host: Host) -> Outcome {
    lab.net.cable(host, &[Wire::Bmc])?;
    lab.net.address(host, &[Wire::Bmc])?;
    let password = lab.node(host).directory().join("bmc.pw");
    fs::write(&password, format!("{PASSWORD}\n"))?;
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

fn settings(lab: &Lab) -> Settings {
    let fence = |host: Host| {
        let address = bmc::address(&lab.net, host);
        format!(
            "\n[[fence]]\nnode = \"{}\"\nipmi = {{ address = \"{address}\", user = \"{USER}\", password_file = \"bmc.pw\" }}\n",
            host.node_name()
        )
    };
    Settings {
        more: NODES.map(fence).concat() + TIMES,
        ..Settings::default()
    }
}

/// Waits until both say so.
fn protected(lab: &mut Lab) -> Outcome {
    for host in NODES {
        let limit = Duration::from_secs(5);
        status::wait_until(lab.node(host), "PROTECTED", limit, |s| {
            s["fencing"]["ready"] == true && s["fencing"]["peer_ready"] == true
        })?;
    }
    Ok(())
}

/// The standby is switched off and on again, by hand.
fn rehearsed(lab: &mut Lab) -> Outcome {
    let order = ["fence", "lb2", "--rehearse"];
    let refused = lab.node(Host::A).order(&order);
    ensure!(refused.is_err(), "nobody said yes");
    let told = lab
        .node(Host::A)
        .order(&["fence", "lb2", "--rehearse", "--yes"])?;
    let off = "lb2 is off by ipmi 10.99.0.202 (level 1), accepted after";
    ensure!(told.contains(off), "it says {told}");
    fenced_by(lab, Host::A)
}

fn fenced_by(lab: &mut Lab, host: Host) -> Outcome {
    let limit = Duration::from_secs(12);
    status::wait_until(lab.node(host), "peer fenced", limit, |s| {
        status::peer_state(s) == "fenced"
    })
}

fn orders(bmcs: &Bmcs, host: Host) -> Vec<String> {
    let bmc = bmcs[host as usize].as_ref();
    bmc.map_or_else(Vec::new, Bmc::orders)
}

/// Waits until a BMC was told this, and no more.
fn ordered(bmcs: &Bmcs, host: Host, wanted: &[&str]) -> Outcome {
    let asked = now();
    while orders(bmcs, host).len() < wanted.len() {
        let told = orders(bmcs, host);
        let late = sys::since(asked) > Duration::from_secs(5);
        ensure!(!late, "the BMC of {} was told {told:?}", host.node_name());
        std::thread::sleep(Duration::from_millis(5));
    }
    let told = orders(bmcs, host);
    ensure!(
        told == wanted,
        "the BMC of {} was told {told:?}",
        host.node_name()
    );
    Ok(())
}

/// The machine that was switched on again boots.
fn back(lab: &mut Lab, host: Host) -> Outcome {
    lab.power_cut(host)?;
    lab.net.mend()?;
    lab.power_on(host)?;
    reach_bmcs(lab, host)?;
    lab.start(host)?;
    lab.both_alive()?;
    status::wait_until(
        lab.node(host.peer()),
        "active",
        Duration::from_secs(2),
        |s| status::active(s, GROUP),
    )?;
    ensure!(lab.watch.holders(VIP) == [host.peer()], "it moved");
    protected(lab)?;
    let told = lab.node(host).order(&["history"])?;
    ensure!(!told.contains("lived"), "it was off: {told}");
    Ok(())
}
