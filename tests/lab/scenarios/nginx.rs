//! Case N: two nginx boxes with config/nginx.toml as it is shipped.

use crate::client::Client;
use crate::ensure;
use crate::lab::Outcome;
use crate::net::{Cut, Host, NODES, Port, Wire};
use crate::pair::{PLANNED, Pair};
use crate::scenario::{Run::Machines, Scenario};
use crate::sys::now;
use crate::topology::NGINX;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "nginx-enabled-on-standby",
        shows: "nginx, enabled and running on both, is forced off on the standby, after a boot too",
        run: Machines(&NGINX, enabled_on_standby),
        limit: (90, 90),
    },
    Scenario {
        name: "nginx-by-hand",
        shows: "`ha-appliance failover` moves the VIP and nginx; they never run on both",
        run: Machines(&NGINX, by_hand),
        limit: (90, 300),
    },
    Scenario {
        name: "nginx-gateway",
        shows: "the holder's way to the gateway is cut: the group moves; a dead gateway moves nothing",
        run: Machines(&NGINX, gateway),
        limit: (90, 90),
    },
    Scenario {
        name: "nginx-told-at-night",
        shows: "a dead nginx is said at once in maintenance; and why it failed on one node, in its own words, on the other",
        run: Machines(&NGINX, told_at_night),
        limit: (120, 120),
    },
];

/// The unit of this case.
pub const UNIT: &str = "nginx.service";

/// Both run the appliance, nginx is enabled nowhere, and one serves: never both, from here on.
pub fn serving(pair: &mut Pair, edits: &[(&str, &str)]) -> Outcome<(Host, Client)> {
    pair.only_one_runs(UNIT);
    start(pair, edits)
}

/// The same, but nobody minds if both serve.
pub fn start(pair: &mut Pair, edits: &[(&str, &str)]) -> Outcome<(Host, Client)> {
    pair.install("config/nginx.toml", edits)?;
    pair.write_pages()?;
    pair.on_both("systemctl --quiet enable --now ha-appliance")?;
    let (holder, browser) = pair.up()?;
    pair.runs_only_on(holder, UNIT)?;
    Ok((holder, browser))
}

fn enabled_on_standby(pair: &mut Pair) -> Outcome {
    pair.install("config/nginx.toml", &[])?;
    pair.write_pages()?;
    pair.on_both("systemctl --quiet enable --now nginx")?;
    pair.on_both("systemctl --quiet enable --now ha-appliance")?;
    let (holder, browser) = pair.up()?;
    pair.runs_only_on(holder, UNIT)?;
    let shown = pair.on(holder, "systemctl status nginx")?;
    ensure!(shown.contains("Cluster Controlled"), "status says {shown}");
    // Started behind the appliance's back, by hand and by a boot.
    let from = now();
    pair.on(holder.peer(), "systemctl start nginx")?;
    pair.runs_only_on(holder, UNIT)?;
    pair.reboot(holder.peer())?;
    pair.both_alive()?;
    pair.runs_only_on(holder, UNIT)?;
    pair.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    Ok(())
}

fn told_at_night(pair: &mut Pair) -> Outcome {
    let (holder, _browser) = start(pair, &[])?;
    pair.on(holder, "ha-appliance maintenance on")?;
    // What is well is said to be.
    let page = pair.status(holder, 1, "in maintenance")?;
    ensure!(!page.contains("not well"), "nothing was done yet:\n{page}");
    pair.on(holder, "systemctl kill --signal=KILL nginx")?;
    pair.status(holder, 2, "service nginx.service not well: failed")?;
    pair.history(holder.peer(), &["maintenance began"])?;
    pair.on(holder, "ha-appliance maintenance off")?;
    pair.runs_only_on(holder, UNIT)?;
    // Its next start fails, and says why.
    pair.on(holder, "echo nonsense >> /etc/nginx/nginx.conf")?;
    pair.on(holder, "systemctl kill --signal=KILL nginx")?;
    pair.runs_only_on(holder.peer(), UNIT)?;
    // Why it was handed over is told first, then what failed.
    let page = pair.status(holder.peer(), 1, "service nginx.service failed: ")?;
    for words in ["[emerg]", " ago; ", "ha-appliance clear"] {
        ensure!(page.contains(words), "{words:?} is not in\n{page}");
    }
    let of = format!("  {}  ", pair.net.name(holder));
    pair.history(holder.peer(), &[&of, "[emerg]"])?;
    Ok(())
}

fn by_hand(pair: &mut Pair) -> Outcome {
    let (mut holder, browser) = serving(pair, &[])?;
    for _ in 0..pair.times(4, 40) {
        let from = now();
        pair.on(holder, "ha-appliance failover")?;
        holder = holder.peer();
        pair.moved(&browser, holder, from, PLANNED)?;
        pair.runs_only_on(holder, UNIT)?;
        pair.status(holder, 0, "")?;
    }
    Ok(())
}

fn gateway(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    // Both nodes have answers for longer than the dampening.
    std::thread::sleep(Duration::from_secs(6));
    let from = now();
    pair.net.cut(Port(holder, Wire::Lan), Cut::Both)?;
    pair.note("cut the LAN of the holder");
    // Three pings a second apart are lost, and half a second passes, before the gateway is.
    pair.moved(
        &browser,
        holder.peer(),
        from,
        Duration::from_secs(4) + PLANNED,
    )?;
    pair.net.mend()?;
    pair.note("mend it");
    pair.runs_only_on(holder.peer(), UNIT)?;
    std::thread::sleep(Duration::from_secs(6));
    pair.net.cut(Port(Host::Gateway, Wire::Lan), Cut::Both)?;
    pair.note("cut the gateway off");
    pair.nothing_moves(holder.peer(), Duration::from_secs(6))?;
    for host in NODES {
        ensure!(
            pair.runs(host, UNIT)? == (host == holder.peer()),
            "nginx moved"
        );
    }
    Ok(())
}
