//! Services that die, hang, lie, cannot start or cannot be stopped; on case N's pair, with what the
//! scenario changes in config/nginx.toml.

use super::nginx::{UNIT, serving};
use crate::ensure;
use crate::lab::Outcome;
use crate::net::{Cut, Host, NODES, Port, Wire};
use crate::pair::{PLANNED, Pair, UNPLANNED};
use crate::scenario::{Run::Machines, Scenario};
use crate::sys::{self, now};
use crate::topology::NGINX;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "service-killed",
        shows: "nginx is killed: it is restarted in place, the VIP does not move",
        run: Machines(&NGINX, killed),
        limit: (60, 60),
    },
    Scenario {
        name: "service-killed-moves",
        shows: "with restarts = 0 a killed nginx moves the group at once",
        run: Machines(&NGINX, killed_moves),
        limit: (60, 60),
    },
    Scenario {
        name: "service-check-fails",
        shows: "nginx lives and its page is gone: the check restarts it, then moves the group",
        run: Machines(&NGINX, check_fails),
        limit: (60, 60),
    },
    Scenario {
        name: "service-cannot-start",
        shows: "nginx cannot start on one node: the other serves, and status says why and what to do",
        run: Machines(&NGINX, cannot_start),
        limit: (90, 90),
    },
    Scenario {
        name: "service-starts-nowhere",
        shows: "nginx can start on neither: it is tried on, and served as soon as one is repaired",
        run: Machines(&NGINX, starts_nowhere),
        limit: (120, 120),
    },
    Scenario {
        name: "service-stop-hangs",
        shows: "nginx does not stop when told: it is killed after stop_timeout and the move goes on",
        run: Machines(&NGINX, stop_hangs),
        limit: (90, 90),
    },
    Scenario {
        name: "service-stop-fails",
        shows: "nginx cannot even be killed: the group is blocked, the VIP dropped; `clear` after repair",
        run: Machines(&NGINX, stop_fails),
        limit: (120, 120),
    },
    Scenario {
        name: "service-fails-alone",
        shows: "nginx fails for good while the peer is silent: the VIP is dropped, the peer serves",
        run: Machines(&NGINX, fails_alone),
        limit: (90, 90),
    },
    Scenario {
        name: "service-stops-slowly",
        shows: "a reboot waits for a slow nginx, but not beyond its budget, and is a planned move",
        run: Machines(&NGINX, stops_slowly),
        limit: (120, 120),
    },
    Scenario {
        name: "service-on-both",
        shows: "nginx runs on both (mode = \"both\"): planned moves lose no datagram and no connection is refused",
        run: Machines(&NGINX, on_both),
        limit: (120, 600),
    },
];

/// What config/nginx.toml says, and a check that is over soon.
const CHECK: &str = "interval = \"5s\", timeout = \"2s\"";
const QUICK: &str = "interval = \"200ms\", timeout = \"200ms\"";
/// After it more lines can be added to the service.
const SERVICE: &str = "service = \"nginx.service\"";
/// For [`crate::machine::Machine::edit`].
const BROKEN: &str = "ExecStartPre=/bin/false";

fn killed(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    let from = pair.kill(holder, UNIT)?;
    pair.moved(&browser, holder, from, PLANNED)?;
    pair.nothing_moved(holder, from)?;
    pair.runs_only_on(holder, UNIT)
}

fn killed_moves(pair: &mut Pair) -> Outcome {
    let first = format!("{SERVICE}\nrestarts = 0");
    let (holder, browser) = serving(pair, &[(SERVICE, &first)])?;
    let from = pair.kill(holder, UNIT)?;
    pair.moved(&browser, holder.peer(), from, PLANNED)?;
    pair.runs_only_on(holder.peer(), UNIT)?;
    pair.nothing_moves(holder.peer(), Duration::from_secs(3))
}

fn check_fails(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[(CHECK, QUICK)])?;
    let from = now();
    pair.on(holder, "rm /var/www/html/test.html")?;
    pair.moved(&browser, holder.peer(), from, Duration::from_secs(5))?;
    pair.runs_only_on(holder.peer(), UNIT)?;
    let history = pair.on(holder, "ha-appliance history")?;
    let place = |what: &str| {
        let mut lines = history.lines();
        lines.position(|line| line.contains(what) && line.contains("404"))
    };
    let (restarted, moved) = (place("web: service"), place("active → stopping"));
    ensure!(
        restarted.is_some() && restarted < moved,
        "it was not restarted first: {history}"
    );
    Ok(())
}

fn cannot_start(pair: &mut Pair) -> Outcome {
    pair.node(Host::A).edit(UNIT, BROKEN)?;
    let (holder, browser) = serving(pair, &[])?;
    ensure!(holder == Host::B, "it serves from where it cannot");
    pair.status(Host::A, 1, UNIT)?;
    // By hand neither.
    let from = now();
    let refused = pair.node(Host::B).try_run("ha-appliance failover")?;
    pair.note(format!("failover said {refused:?}"));
    pair.runs_only_on(Host::B, UNIT)?;
    browser.answered(Some(Host::B), Duration::from_secs(10))?;
    pair.record.figure("away", browser.outage(from).length());
    pair.node(Host::A).revert(UNIT)?;
    pair.on(Host::A, "ha-appliance clear")?;
    pair.status(Host::A, 0, "")?;
    let from = now();
    pair.on(Host::B, "ha-appliance failover")?;
    pair.moved(&browser, Host::A, from, PLANNED)
}

fn starts_nowhere(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    for host in NODES {
        pair.node(host).edit(UNIT, BROKEN)?;
    }
    pair.kill(holder, UNIT)?;
    for host in NODES {
        let page = pair.status(host, 2, UNIT)?;
        ensure!(
            page.contains("journalctl") || page.contains("clear"),
            "{page}"
        );
    }
    // Tried on, and less and less often.
    std::thread::sleep(Duration::from_secs(10));
    let repaired = now();
    pair.node(holder.peer()).revert(UNIT)?;
    browser.answered(Some(holder.peer()), Duration::from_secs(60))?;
    pair.record
        .figure("served after the repair", sys::since(repaired));
    pair.runs_only_on(holder.peer(), UNIT)
}

fn stop_hangs(pair: &mut Pair) -> Outcome {
    let patient = format!("{SERVICE}\nstop_timeout = \"2s\"");
    let (holder, browser) = serving(pair, &[(SERVICE, &patient)])?;
    pair.node(holder).edit(
        UNIT,
        "ExecStop=\nExecStop=/bin/sleep 1000\nTimeoutStopSec=infinity",
    )?;
    let from = now();
    pair.on(holder, "ha-appliance failover")?;
    pair.moved(&browser, holder.peer(), from, Duration::from_secs(8))?;
    pair.runs_only_on(holder.peer(), UNIT)
}

fn stop_fails(pair: &mut Pair) -> Outcome {
    let impatient = format!("{SERVICE}\nstop_timeout = \"2s\"");
    let (holder, browser) = serving(pair, &[(SERVICE, &impatient)])?;
    let wedge = pair.node(holder).wedge(UNIT)?;
    let failover = pair.node(holder).try_run("ha-appliance failover")?;
    pair.note(format!("failover said {failover:?}"));
    pair.status(holder, 2, "clear")?;
    ensure!(
        pair.watch.holders(NGINX.vip).is_empty(),
        "somebody holds the VIP"
    );
    ensure!(!pair.runs(holder.peer(), UNIT)?, "the peer started it");
    drop(wedge);
    std::thread::sleep(Duration::from_secs(1));
    pair.on(holder, "ha-appliance clear")?;
    let (_, who) = browser.answered(None, Duration::from_secs(10))?;
    pair.runs_only_on(who, UNIT)?;
    pair.status(who, 0, "").map(drop)
}

fn fails_alone(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    for wire in [Wire::Lan, Wire::Interlink] {
        pair.net.cut(Port(holder, wire), Cut::Heartbeats)?;
    }
    pair.note("cut all heartbeats");
    pair.nothing_moves(holder, Duration::from_secs(3))?;
    pair.node(holder).edit(UNIT, BROKEN)?;
    let from = pair.kill(holder, UNIT)?;
    pair.moved(&browser, holder.peer(), from, Duration::from_secs(10))?;
    pair.runs_only_on(holder.peer(), UNIT)?;
    pair.node(holder).revert(UNIT)?;
    pair.net.mend()?;
    pair.both_alive()?;
    pair.nothing_moves(holder.peer(), Duration::from_secs(3))
}

fn stops_slowly(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    let slow = "ExecStop=\nExecStop=/bin/sh -c 'sleep 3; kill $MAINPID'";
    pair.node(holder).edit(UNIT, slow)?;
    let from = now();
    pair.reboot(holder)?;
    pair.moved(
        &browser,
        holder.peer(),
        from,
        Duration::from_secs(3) + UNPLANNED,
    )?;
    pair.both_alive()?;
    pair.nothing_moves(holder.peer(), Duration::from_secs(2))
}

fn on_both(pair: &mut Pair) -> Outcome {
    let both = format!("{SERVICE}\nmode = \"both\"");
    pair.install("config/nginx.toml", &[(SERVICE, &both)])?;
    pair.write_pages()?;
    pair.on_both("systemctl --quiet enable --now nginx")?;
    pair.on_both("systemctl --quiet enable --now ha-appliance")?;
    let (mut holder, browser) = pair.up()?;
    let datagrams = pair.client(NGINX.vip)?;
    datagrams.answered(Some(holder), Duration::from_secs(2))?;
    let from = now();
    for _ in 0..pair.times(10, 100) {
        // A client's kernel believes no second announcement within a second (arp(7), locktime).
        std::thread::sleep(Duration::from_millis(1100));
        pair.on(holder, "ha-appliance failover")?;
        holder = holder.peer();
        browser.answered(Some(holder), Duration::from_secs(5))?;
        datagrams.answered(Some(holder), Duration::from_secs(5))?;
        pair.status(holder, 0, "")?;
    }
    // What was asked in the last move is lost only once its patience is over.
    std::thread::sleep(2 * crate::http::PATIENCE);
    let lost = datagrams.outage(from).lost;
    ensure!(lost == 0, "{lost} datagrams were lost");
    // What was accepted by the one node cannot be answered by the other, and a browser asks again.
    let (lost, cut) = (browser.outage(from).lost, browser.cut(from));
    pair.note(format!("{cut} requests were cut"));
    ensure!(lost == cut, "{} new connections failed", lost - cut);
    browser.noticed_nothing(from)?;
    for host in NODES {
        ensure!(pair.runs(host, UNIT)?, "nginx does not run on both");
    }
    Ok(())
}
