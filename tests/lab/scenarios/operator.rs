//! What an operator does on purpose, from either node.

use crate::client::Client;
use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::net::{Host, VIP};
use crate::scenario::{Run::Nodes, Scenario};
use crate::status;
use crate::sys::{self, now};
use crate::toml::{GROUP, Settings};
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "planned-move",
        shows: "`failover`, on either node: the VIP moves in milliseconds",
        run: Nodes(planned_move),
        limit: (40, 120),
    },
    Scenario {
        name: "clean-stop",
        shows: "SIGTERM to the holder's daemon: it hands over first",
        run: Nodes(clean_stop),
        limit: (30, 60),
    },
    Scenario {
        name: "standby-online",
        shows: "`standby` moves the group away and survives a restart, `online` lets the node take it again",
        run: Nodes(standby_online),
        limit: (40, 40),
    },
    Scenario {
        name: "maintenance",
        shows: "in maintenance nobody touches anything, not even when both daemons are killed",
        run: Nodes(maintenance),
        limit: (40, 40),
    },
    Scenario {
        name: "stop-start",
        shows: "`stop` of a group ends it on both nodes, `start` brings it back",
        run: Nodes(stop_start),
        limit: (30, 30),
    },
    Scenario {
        name: "reload-good",
        shows: "a reload adds a VIP to the running group; the client notices nothing",
        run: Nodes(reload_good),
        limit: (30, 30),
    },
    Scenario {
        name: "reload-broken",
        shows: "a broken file is refused with its line, and the old one stays in force",
        run: Nodes(reload_broken),
        limit: (30, 30),
    },
    Scenario {
        name: "release",
        shows: "`release` refuses while the daemon lives, and drops everything once it is dead",
        run: Nodes(release),
        limit: (30, 30),
    },
];

fn planned_move(lab: &mut Lab) -> Outcome {
    let (mut holder, client) = lab.pair(&Settings::default())?;
    for round in 0..lab.times(4, 40) {
        let from = lab.note("failover");
        let ordered_on = if round % 2 == 0 {
            holder
        } else {
            holder.peer()
        };
        lab.node(ordered_on).order(&["failover"])?;
        moved(lab, &client, holder, from, Duration::from_secs(1))?;
        lab.reached_at_once(&client)?;
        holder = holder.peer();
        lab.both_alive()?;
        std::thread::sleep(Duration::from_millis(700));
    }
    Ok(())
}

fn clean_stop(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    let from = lab.note("SIGTERM to the holder's daemon");
    lab.node(holder).stop(Duration::from_secs(10))?;
    moved(lab, &client, holder, from, Duration::from_secs(1))?;
    lab.start(holder)?;
    lab.both_alive()?;
    lab.nothing_moves(holder.peer(), Duration::from_secs(2))
}

fn standby_online(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    let from = lab.note("standby, ordered on the other node");
    lab.node(holder.peer())
        .order(&["standby", holder.node_name()])?;
    moved(lab, &client, holder, from, Duration::from_secs(1))?;
    lab.node(holder).kill();
    lab.start(holder)?;
    lab.both_alive()?;
    status::wait_until(
        lab.node(holder),
        "standby",
        Duration::from_secs(2),
        status::standby,
    )?;
    lab.note("the last node is lost: standby means never");
    lab.power_cut(holder.peer())?;
    std::thread::sleep(Duration::from_secs(3));
    ensure!(
        lab.watch.holders(VIP).is_empty(),
        "a node in standby took the group"
    );
    lab.note("online");
    lab.node(holder).order(&["online", holder.node_name()])?;
    client.answered(Some(holder), Duration::from_secs(5))?;
    Ok(())
}

fn maintenance(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    lab.node(holder.peer()).order(&["maintenance", "on"])?;
    let from = lab.note("maintenance on");
    for host in [holder, holder.peer()] {
        lab.node(host).kill();
    }
    // Longer than a VIP's usual lifetime.
    lab.nothing_moves(holder, Duration::from_secs(5))?;
    for host in [holder, holder.peer()] {
        lab.start(host)?;
    }
    lab.both_alive()?;
    lab.nothing_moves(holder, Duration::from_secs(3))?;
    lab.node(holder).order(&["maintenance", "off"])?;
    lab.note("maintenance off");
    lab.nothing_moves(holder, Duration::from_secs(4))?;
    client.noticed_nothing(from)?;
    Ok(())
}

fn stop_start(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    lab.node(holder.peer()).order(&["stop", GROUP, "--yes"])?;
    lab.note("stop, ordered on the idle node");
    let asked = now();
    while !lab.watch.holders(VIP).is_empty() {
        ensure!(
            sys::since(asked) < Duration::from_secs(2),
            "the group still runs"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_secs(2));
    ensure!(
        lab.watch.holders(VIP).is_empty(),
        "the stopped group came back"
    );
    lab.node(holder).order(&["start", GROUP])?;
    lab.note("start");
    client.answered(None, Duration::from_secs(3))?;
    lab.settled(Duration::from_secs(2))?;
    Ok(())
}

fn reload_good(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    let second = "10.77.0.101";
    let vips = vec![format!("{VIP}/24"), format!("{second}/24")];
    lab.configure(&Settings {
        vips,
        ..Settings::default()
    })?;
    let from = lab.note("reload with a second VIP");
    for host in [holder, holder.peer()] {
        lab.node(host).order(&["reload"])?;
    }
    lab.client(second)?
        .answered(Some(holder), Duration::from_secs(3))?;
    lab.both_alive()?;
    client.noticed_nothing(from)?;
    lab.node(holder).order(&["failover"])?;
    lab.client(second)?
        .answered(Some(holder.peer()), Duration::from_secs(3))?;
    Ok(())
}

fn reload_broken(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    lab.configure(&Settings {
        more: "nonsense = 1\n".into(),
        ..Settings::default()
    })?;
    let from = lab.note("reload of a broken file");
    for host in [holder, holder.peer()] {
        let verdict = lab.node(host).order(&["reload"]);
        let complaint = verdict.err().ok_or("the broken file was accepted")?;
        ensure!(
            complaint.contains("nonsense"),
            "the complaint does not name the key: {complaint}"
        );
    }
    lab.nothing_moves(holder, Duration::from_secs(3))?;
    lab.nothing_moved(holder, from)?;
    let cut = lab.power_cut(holder)?;
    client.answered(Some(holder.peer()), Duration::from_secs(3))?;
    lab.record
        .figure("power loss then", client.outage(cut).length());
    Ok(())
}

fn release(lab: &mut Lab) -> Outcome {
    let (holder, _client) = lab.pair(&Settings::default())?;
    let refused = lab.node(holder).order(&["release"]);
    ensure!(
        refused.is_err(),
        "release did not refuse beside a living daemon"
    );
    lab.nothing_moves(holder, Duration::from_secs(1))?;
    lab.node(holder).kill();
    lab.node(holder).order(&["release"])?;
    let released = lab.note("released");
    let left = lab
        .watch
        .events()
        .iter()
        .any(|e| e.host == holder && e.at > released - 500_000);
    ensure!(left, "release dropped nothing");
    ensure!(
        !lab.watch.holders(VIP).contains(&holder),
        "the VIP is still there after release"
    );
    Ok(())
}

/// The VIP moved from `from` to its peer, and that cost the client no more than `at_most`.
fn moved(lab: &Lab, client: &Client, from: Host, at: sys::Micros, at_most: Duration) -> Outcome {
    client.answered(Some(from.peer()), Duration::from_secs(5))?;
    std::thread::sleep(Duration::from_millis(300));
    let outage = client.outage(at);
    lab.record.figure("client outage", outage.length());
    lab.note(format!("{} of the client's probes lost", outage.lost));
    ensure!(
        outage.length() < at_most,
        "the move cost the client {:?}",
        outage.length()
    );
    Ok(())
}
