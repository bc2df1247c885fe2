//! Whole machines: the appliance as systemd starts, stops and restarts it, and what a reboot does.

use super::nginx;
use crate::client::Client;
use crate::ensure;
use crate::lab::Outcome;
use crate::net::{Host, NODES};
use crate::pair::{PLANNED, Pair, UNPLANNED};
use crate::scenario::{Run::Machines, Scenario};
use crate::sys::{self, now};
use crate::topology::NGINX;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "machine-boot",
        shows: "both boot with the appliance enabled: one VIP, one page",
        run: Machines(&NGINX, boot),
        limit: (60, 60),
    },
    Scenario {
        name: "machine-stop",
        shows: "`systemctl stop ha-appliance` on the holder is a planned move, and back",
        run: Machines(&NGINX, stop),
        limit: (60, 60),
    },
    Scenario {
        name: "machine-reboot",
        shows: "`systemctl reboot` of the holder is a planned move; it returns and nothing moves",
        run: Machines(&NGINX, reboot),
        limit: (90, 90),
    },
    Scenario {
        name: "machine-poweroff",
        shows: "`systemctl poweroff` of the holder is a planned move",
        run: Machines(&NGINX, power_off),
        limit: (60, 60),
    },
    Scenario {
        name: "machine-power-cut",
        shows: "the holder loses its power: the peer takes over; it returns and nothing moves",
        run: Machines(&NGINX, power_cut),
        limit: (60, 60),
    },
    Scenario {
        name: "machine-frozen",
        shows: "the holder hangs as a paused virtual machine: the peer takes over, and keeps it",
        run: Machines(&NGINX, frozen),
        limit: (60, 60),
    },
    Scenario {
        name: "machine-daemon-killed",
        shows: "a killed daemon is restarted by systemd and adopts: the client notices nothing",
        run: Machines(&NGINX, daemon_killed),
        limit: (60, 60),
    },
    Scenario {
        name: "machine-daemon-hung",
        shows: "a hung daemon is killed by systemd's watchdog and adopts: the client notices nothing",
        run: Machines(&NGINX, daemon_hung),
        limit: (60, 60),
    },
    Scenario {
        name: "machine-daemon-fails",
        shows: "a daemon that cannot run any more: `release`, hardened, drops the VIP and stops nginx, the peer serves",
        run: Machines(&NGINX, daemon_fails),
        limit: (60, 60),
    },
    Scenario {
        name: "machine-users",
        shows: "what a local user may: ask for the status; and not: lock, read the key, see the daemon's memory",
        run: Machines(&NGINX, users),
        limit: (60, 60),
    },
    Scenario {
        name: "machine-late-name",
        shows: "a machine boots as localhost and is named 5 s later: the daemon waits, says so, and serves",
        run: Machines(&NGINX, late_name),
        limit: (60, 60),
    },
    Scenario {
        name: "machine-late-interface",
        shows: "the interfaces come up 10 s late: the appliance waits for them",
        run: Machines(&NGINX, late_interface),
        limit: (90, 90),
    },
];

/// Both run the appliance and it alone starts nginx.
fn serving(pair: &mut Pair) -> Outcome<(Host, Client)> {
    nginx::serving(pair, &[])
}

fn boot(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair)?;
    for host in NODES {
        let status = pair.on(host, "systemctl status ha-appliance")?;
        ensure!(status.contains("active (running)"), "it says {status}");
    }
    drop(browser);
    for host in NODES {
        pair.power_cut(host)?;
    }
    let from = now();
    for host in NODES {
        pair.power_on(host)?;
    }
    pair.record.figure("both booted", sys::since(from));
    let (again, _browser) = pair.up()?;
    pair.record.figure("both serve", sys::since(from));
    pair.nothing_moves(again, Duration::from_secs(3))?;
    pair.note(format!("held by {holder:?} first, by {again:?} then"));
    Ok(())
}

fn stop(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair)?;
    for host in [holder, holder.peer()] {
        let from = now();
        pair.on(host, "systemctl stop ha-appliance")?;
        pair.moved(&browser, host.peer(), from, PLANNED)?;
        pair.on(host, "systemctl start ha-appliance")?;
        pair.both_alive()?;
        pair.nothing_moves(host.peer(), Duration::from_secs(1))?;
        // The gateway must have answered for so long before the node takes anything.
        std::thread::sleep(Duration::from_secs(6));
    }
    Ok(())
}

fn reboot(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair)?;
    let from = pair.reboot(holder)?;
    pair.moved(&browser, holder.peer(), from, PLANNED)?;
    pair.both_alive()?;
    pair.nothing_moves(holder.peer(), Duration::from_secs(3))
}

fn power_off(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair)?;
    let from = pair.power_off(holder)?;
    pair.moved(&browser, holder.peer(), from, PLANNED)?;
    pair.nothing_moves(holder.peer(), Duration::from_secs(2))
}

fn power_cut(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair)?;
    let from = pair.power_cut(holder)?;
    pair.moved(&browser, holder.peer(), from, UNPLANNED)?;
    pair.power_on(holder)?;
    pair.both_alive()?;
    pair.nothing_moves(holder.peer(), Duration::from_secs(3))
}

fn frozen(pair: &mut Pair) -> Outcome {
    // What is frozen counts as running, and runs for a moment when it is thawed.
    let (holder, browser) = nginx::start(pair, &[])?;
    // Its kernel still answers for the VIP until the lifetime ends that nobody renews; only then
    // may the peer take it.
    let from = pair.freeze(holder);
    pair.moved(&browser, holder.peer(), from, Duration::from_secs(8))?;
    std::thread::sleep(Duration::from_secs(2));
    let thawed = pair.thaw(holder);
    pair.both_alive()?;
    pair.nothing_moves(holder.peer(), Duration::from_secs(3))?;
    browser.noticed_nothing(thawed)?;
    Ok(())
}

fn daemon_killed(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair)?;
    let from = now();
    for _ in 0..3 {
        pair.kill(holder, "ha-appliance")?;
        std::thread::sleep(Duration::from_secs(1));
        pair.daemon_is_back(holder)?;
    }
    let restarts = pair.on(holder, "systemctl show --property=NRestarts ha-appliance")?;
    ensure!(restarts.trim() == "NRestarts=3", "systemd says {restarts}");
    pair.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    Ok(())
}

fn daemon_hung(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair)?;
    let from = now();
    pair.on(
        holder,
        "systemctl kill --kill-whom=main --signal=STOP ha-appliance",
    )?;
    // Its own time, until it is back, and longer than the VIP's lifetime.
    std::thread::sleep(Duration::from_secs(5));
    pair.daemon_is_back(holder)?;
    let restarts = pair.on(holder, "systemctl show --property=NRestarts ha-appliance")?;
    ensure!(restarts.trim() == "NRestarts=1", "systemd says {restarts}");
    pair.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    pair.record
        .figure("HTTP outage", browser.outage(from).length());
    Ok(())
}

fn daemon_fails(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair)?;
    let from = now();
    // As often as systemd lets it start in two minutes.
    let gone = "systemctl is-failed --quiet ha-appliance";
    while !pair.node(holder).try_run(gone)?.status.success() {
        let kill = "systemctl kill --kill-whom=main --signal=KILL ha-appliance";
        pair.node(holder).try_run(kill)?;
        std::thread::sleep(Duration::from_millis(150));
        ensure!(sys::since(from) < Duration::from_secs(20), "it goes on");
    }
    let failed = now();
    pair.moved(&browser, holder.peer(), failed, Duration::from_secs(5))?;
    pair.runs_only_on(holder.peer(), nginx::UNIT)?;
    let result = "systemctl show --value --property=Result ha-appliance-release";
    let result = pair.on(holder, result)?;
    ensure!(result.trim() == "success", "release ended with {result}");
    let said = pair.on(
        holder,
        "journalctl --output=cat --unit=ha-appliance-release",
    )?;
    for line in [
        "removed 192.168.1.178/32 from eth0",
        "stopped nginx.service",
    ] {
        ensure!(said.contains(line), "release said {said}");
    }
    Ok(())
}

fn users(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair)?;
    let from = now();
    let nobody = |line: &str| format!("setpriv --reuid=65534 --regid=65534 --clear-groups {line}");
    pair.on(holder, &nobody("ha-appliance status"))?;
    let pid = pair.node(holder).main_pid("ha-appliance")?;
    for door in [
        "cat /etc/ha-appliance/key".to_owned(),
        "cat /run/ha-appliance/lock".to_owned(),
        "touch /run/ha-appliance/mine".to_owned(),
        "ls /var/lib/ha-appliance".to_owned(),
        "ha-appliance failover".to_owned(),
        format!("cat /proc/{pid}/mem"),
        format!("kill -HUP {pid}"),
    ] {
        let tried = pair.node(holder).try_run(&nobody(&door))?;
        ensure!(!tried.status.success(), "a local user may: {door}");
    }
    let limits = pair.on(holder, &format!("cat /proc/{pid}/limits"))?;
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let none = |line: &str| {
        line.split_whitespace()
            .rev()
            .skip(1)
            .take(2)
            .all(|limit| limit == "0")
    };
    ensure!(core.is_some_and(none), "cores: {core:?}");
    // Everybody may see what was made of a unit.
    pair.on(holder, &nobody("systemctl cat nginx.service"))?;
    pair.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    Ok(())
}

fn late_name(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair)?;
    let name = pair.net.name(holder);
    pair.node(holder).write("/etc/hostname", "localhost\n")?;
    let from = now();
    pair.reboot(holder)?;
    pair.moved(&browser, holder.peer(), from, PLANNED)?;
    let asked = now();
    while !pair
        .on(holder, "systemctl status ha-appliance || true")?
        .contains("waits for the host's name")
    {
        ensure!(
            sys::since(asked) < Duration::from_secs(10),
            "systemd is not told"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let told = pair.node(holder).try_run("ha-appliance status 2>&1")?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    ensure!(
        told.contains("this host is called localhost"),
        "status says {told}"
    );
    // What waits is no job that the boot is not over before.
    pair.on(holder, "systemctl is-system-running --wait || true")?;
    std::thread::sleep(Duration::from_secs(5));
    pair.on(holder, &format!("hostname {name}"))?;
    let named = now();
    pair.both_alive()?;
    pair.record.figure("back after", sys::since(named));
    // A name that is in no ha.toml, after the boot, is an error at once.
    pair.on(
        holder,
        "hostname db7 && systemctl restart --no-block ha-appliance",
    )?;
    let failed = "systemctl is-failed --quiet ha-appliance";
    let asked = now();
    while !pair.node(holder).try_run(failed)?.status.success() {
        ensure!(
            sys::since(asked) < Duration::from_secs(10),
            "it does not end"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    pair.nothing_moves(holder.peer(), Duration::from_secs(1))
}

fn late_interface(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair)?;
    for host in NODES {
        pair.power_cut(host)?;
    }
    for host in NODES {
        pair.power_on_without_network(host)?;
    }
    std::thread::sleep(Duration::from_secs(10));
    for host in NODES {
        pair.net.address(host, NGINX.wires())?;
        pair.note(format!("the interfaces of {} come up", pair.net.name(host)));
    }
    let up = now();
    let (again, _browser) = pair.up()?;
    let (served, _) = browser.first_answer(up, None).ok_or("no page")?;
    let after = Duration::from_micros(served - up);
    pair.record.figure("served after", after);
    pair.note(format!("held by {holder:?} first, by {again:?} then"));
    pair.nothing_moves(again, Duration::from_secs(2))
}
