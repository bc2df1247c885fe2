//! What happens to the programs themselves while a service runs: the daemon is killed in the middle
//! of a move, systemd is restarted, the binary is replaced.

use super::nginx::{UNIT, serving};
use crate::ensure;
use crate::lab::Outcome;
use crate::net::NODES;
use crate::node::Node;
use crate::pair::Pair;
use crate::scenario::{Run::Machines, Scenario};
use crate::sys::{self, now};
use crate::topology::NGINX;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "killed-in-a-move",
        shows: "the daemon is killed in any phase of a move, on either node: one serves in the end",
        run: Machines(&NGINX, killed_in_a_move),
        limit: (120, 600),
    },
    Scenario {
        name: "killed-in-each-phase",
        shows: "the daemon is killed while it stops, has just granted, starts: one serves in the end",
        run: Machines(&NGINX, killed_in_each_phase),
        limit: (90, 90),
    },
    Scenario {
        name: "systemd-restarted",
        shows: "`systemctl daemon-reexec` and `daemon-reload`: nobody notices",
        run: Machines(&NGINX, systemd_restarted),
        limit: (60, 60),
    },
    Scenario {
        name: "slow-daemon-reload",
        shows: "systemd takes 8 s to read its units, asked once: no heartbeat waits, a move asked for meanwhile no longer than 5 s",
        run: Machines(&NGINX, slow_daemon_reload),
        limit: (90, 90),
    },
    Scenario {
        name: "upgrade",
        shows: "the binary is replaced and restarted under maintenance: VIP and nginx stay untouched",
        run: Machines(&NGINX, upgrade),
        limit: (60, 60),
    },
];

fn killed_in_a_move(pair: &mut Pair) -> Outcome {
    let (mut holder, browser) = serving(pair, &[])?;
    // Slow enough that a random instant meets every phase: stopping, granting, starting.
    let slow =
        "ExecStartPre=/bin/sleep 0.2\nExecStop=\nExecStop=/bin/sh -c 'sleep 0.2; kill $MAINPID'";
    for host in NODES {
        pair.node(host).edit(UNIT, slow)?;
    }
    for round in 0..pair.times(8, 60) {
        pair.on(
            holder,
            "systemd-run --quiet --collect ha-appliance failover",
        )?;
        std::thread::sleep(Duration::from_micros(sys::random(700_000)));
        let victim = if round % 2 == 0 {
            holder
        } else {
            holder.peer()
        };
        let from = pair.kill(victim, "ha-appliance")?;
        pair.daemon_is_back(victim)?;
        let (_, serves) = browser.answered(None, Duration::from_secs(20))?;
        pair.record.figure("served after", sys::since(from));
        // Wherever it went, there it stays.
        std::thread::sleep(Duration::from_secs(2));
        holder = pair.settled(Duration::from_secs(10))?;
        pair.runs_only_on(holder, UNIT)?;
        browser.answered(Some(holder), Duration::from_secs(5))?;
        pair.note(format!("served by {serves:?} first, by {holder:?} then"));
        // A daemon that dies so often in a minute counts as one that cannot run.
        pair.on_both("systemctl reset-failed ha-appliance")?;
    }
    Ok(())
}

fn killed_in_each_phase(pair: &mut Pair) -> Outcome {
    let (mut holder, browser) = serving(pair, &[])?;
    let slow = "ExecStartPre=/bin/sleep 3\nExecStop=\nExecStop=/bin/sh -c 'sleep 1; kill $MAINPID'";
    for host in NODES {
        pair.node(host).edit(UNIT, slow)?;
    }
    for (phase, role) in [
        ("while it stops", "stopping"),
        ("when it has just granted", "stopped"),
        ("while the peer starts", "starting"),
    ] {
        let peer = holder.peer();
        let victim = if role == "starting" { peer } else { holder };
        pair.on(
            holder,
            "systemd-run --quiet --collect ha-appliance failover",
        )?;
        let asked = now();
        if role == "stopped" {
            // The grant is not taken, and the peer is not silent yet.
            sleep_until(asked, 850);
            pair.signal(peer, "STOP")?;
        }
        sleep_until(asked, 300);
        while pair.role(victim)? != role {
            ensure!(
                sys::since(asked) < Duration::from_secs(3),
                "it is never {role}"
            );
        }
        pair.note(format!("kill it {phase}"));
        let from = pair.kill(victim, "ha-appliance")?;
        if role == "stopped" {
            pair.signal(peer, "CONT")?;
        }
        pair.daemon_is_back(victim)?;
        ensure!(
            sys::since(from) < Duration::from_millis(2500),
            "the daemon was kept waiting by what systemd does to nginx"
        );
        browser.answered(None, Duration::from_secs(20))?;
        pair.record.figure("served after", sys::since(from));
        std::thread::sleep(Duration::from_secs(2));
        holder = pair.settled(Duration::from_secs(10))?;
        pair.runs_only_on(holder, UNIT)?;
        browser.answered(Some(holder), Duration::from_secs(5))?;
    }
    Ok(())
}

fn sleep_until(from: sys::Micros, ms: u64) {
    std::thread::sleep(Duration::from_millis(ms).saturating_sub(sys::since(from)));
}

fn systemd_restarted(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    let before = pair.node(holder).main_pid(UNIT)?;
    let from = now();
    for host in [holder, holder.peer()] {
        for verb in ["daemon-reexec", "daemon-reload"] {
            pair.on(host, &format!("systemctl {verb}"))?;
            std::thread::sleep(Duration::from_millis(500));
        }
    }
    pair.nothing_moves(holder, Duration::from_secs(2))?;
    browser.noticed_nothing(from)?;
    ensure!(
        pair.node(holder).main_pid(UNIT)? == before,
        "nginx was restarted"
    );
    // Supervised as before.
    let from = pair.kill(holder, UNIT)?;
    browser.answered(Some(holder), Duration::from_secs(5))?;
    pair.nothing_moved(holder, from)
}

fn slow_daemon_reload(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    pair.on(holder, "mv /usr/bin/systemctl /usr/bin/systemctl.real")?;
    let slow = "#!/bin/sh\ncase \" $* \" in *' daemon-reload '*) echo >>/run/lab-reloads; sleep 8;; esac\n\
        exec /usr/bin/systemctl.real \"$@\"\n";
    pair.node(holder).write("/usr/bin/systemctl", slow)?;
    let from = now();
    pair.on(
        holder,
        "chmod 755 /usr/bin/systemctl; rm /run/systemd/system/nginx.service.d/zz-ha-appliance.conf",
    )?;
    while pair
        .node(holder)
        .try_run("test -e /run/lab-reloads")?
        .status
        .code()
        != Some(0)
    {
        ensure!(
            sys::since(from) < Duration::from_secs(5),
            "no drop-in is put back"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    // Long enough for each to miss the other's heartbeats.
    pair.nothing_moves(holder, Duration::from_secs(1))?;
    browser.noticed_nothing(from)?;
    let from = now();
    pair.on(holder, "ha-appliance failover")?;
    pair.record.figure("failover", sys::since(from));
    pair.moved(&browser, holder.peer(), from, Duration::from_secs(3))?;
    pair.runs_only_on(holder.peer(), UNIT)?;
    ensure!(
        sys::since(from) < Duration::from_secs(7),
        "the move waited for the reload to its end"
    );
    std::thread::sleep(Duration::from_secs(5));
    let asked = pair.on(holder, "wc -l </run/lab-reloads")?;
    ensure!(asked.trim() == "1", "systemd was asked {asked} times");
    pair.both_alive()?;
    pair.status(holder, 0, "").map(drop)
}

fn upgrade(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    let before = pair.node(holder).main_pid(UNIT)?;
    let from = now();
    pair.on(holder, "ha-appliance maintenance on")?;
    for host in NODES {
        let new = "/usr/local/sbin/ha-appliance.new";
        pair.node(host)
            .write(new, std::fs::read(Node::program())?)?;
        pair.on(
            host,
            &format!("chmod 755 {new} && mv {new} /usr/local/sbin/ha-appliance"),
        )?;
        pair.on(host, "systemctl restart ha-appliance")?;
        // Longer than the VIP's lifetime without maintenance.
        std::thread::sleep(Duration::from_secs(4));
    }
    pair.both_alive()?;
    pair.on(holder, "ha-appliance maintenance off")?;
    pair.status(holder, 0, "")?;
    pair.nothing_moves(holder, Duration::from_secs(4))?;
    pair.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    ensure!(
        pair.node(holder).main_pid(UNIT)? == before,
        "nginx was restarted"
    );
    pair.runs_only_on(holder, UNIT)
}
