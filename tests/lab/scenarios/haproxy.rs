//! Case H: two HAProxy boxes with an interlink, with config/haproxy.toml as it is shipped.

use crate::client::Client;
use crate::ensure;
use crate::lab::Outcome;
use crate::net::{Cut, Host, NODES, Port, Wire};
use crate::pair::{Pair, UNPLANNED};
use crate::scenario::{Run::Machines, Scenario};
use crate::sys::now;
use crate::topology::HAPROXY;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "haproxy-waits-for-peer",
        shows: "at the first start one node alone starts nothing; with its peer one serves",
        run: Machines(&HAPROXY, waits_for_peer),
        limit: (90, 90),
    },
    Scenario {
        name: "haproxy-first-failure",
        shows: "the first failure moves the group, and it never returns by itself, cleared or not",
        run: Machines(&HAPROXY, first_failure),
        limit: (90, 90),
    },
    Scenario {
        name: "haproxy-interlink-cut",
        shows: "a cut interlink moves nothing; with all heartbeats lost the answering VIP keeps the peer back",
        run: Machines(&HAPROXY, interlink_cut),
        limit: (90, 90),
    },
];

const UNIT: &str = "haproxy.service";

fn install(pair: &mut Pair) -> Outcome {
    pair.install("config/haproxy.toml", &[])?;
    for host in NODES {
        let page = format!("served by {}", pair.net.name(host));
        let conf = format!(
            "defaults\n  mode http\n  timeout client 5s\n  timeout connect 1s\n  timeout server 5s\n\
             frontend web\n  bind 192.168.10.80:80\n  \
             http-request return status 200 content-type text/plain string \"{page}\"\n"
        );
        pair.node(host).write("/etc/haproxy/haproxy.cfg", conf)?;
    }
    pair.only_one_runs(UNIT);
    Ok(())
}

fn serving(pair: &mut Pair) -> Outcome<(Host, Client)> {
    install(pair)?;
    pair.on_both("systemctl --quiet enable --now ha-appliance")?;
    let (holder, browser) = pair.up()?;
    pair.runs_only_on(holder, UNIT)?;
    Ok((holder, browser))
}

fn waits_for_peer(pair: &mut Pair) -> Outcome {
    install(pair)?;
    pair.on(Host::A, "systemctl --quiet enable --now ha-appliance")?;
    // Longer than start_wait.
    std::thread::sleep(Duration::from_secs(13));
    ensure!(
        pair.watch.holders(HAPROXY.vip).is_empty(),
        "it took the VIP"
    );
    ensure!(!pair.runs(Host::A, UNIT)?, "it started HAProxy");
    pair.status(Host::A, 2, "")?;
    pair.on(Host::B, "systemctl --quiet enable --now ha-appliance")?;
    let (holder, _browser) = pair.up()?;
    pair.runs_only_on(holder, UNIT)
}

fn first_failure(pair: &mut Pair) -> Outcome {
    let (old, browser) = serving(pair)?;
    let from = pair.kill(old, UNIT)?;
    pair.moved(&browser, old.peer(), from, UNPLANNED)?;
    pair.runs_only_on(old.peer(), UNIT)?;
    pair.status(old, 1, "clear")?;
    pair.nothing_moves(old.peer(), Duration::from_secs(3))?;
    pair.on(old, "ha-appliance clear")?;
    pair.status(old, 0, "")?;
    pair.nothing_moves(old.peer(), Duration::from_secs(3))
}

fn interlink_cut(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair)?;
    let from = now();
    for (wire, cut) in [(Wire::Interlink, Cut::Both), (Wire::Lan, Cut::Heartbeats)] {
        pair.net.cut(Port(holder, wire), cut)?;
        pair.note(format!("cut {cut:?} on {wire:?}"));
        pair.nothing_moves(holder, Duration::from_secs(5))?;
    }
    ensure!(!pair.runs(holder.peer(), UNIT)?, "HAProxy runs on both");
    pair.net.mend()?;
    pair.both_alive()?;
    pair.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    Ok(())
}
