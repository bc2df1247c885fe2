//! Cables pulled, cut silently, cut in one direction, and lossy; and what holds after they heal.

use crate::client::Client;
use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::net::{Cut, Host, NODES, Port, Wire, batch};
use crate::scenario::{Run::Nodes, Scenario};
use crate::status;
use crate::sys;
use crate::toml::Settings;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "lan-cable-pulled",
        shows: "the holder's LAN cable is pulled: the group moves at once, and stays when it is plugged in again",
        run: Nodes(lan_cable_pulled),
        limit: (30, 120),
    },
    Scenario {
        name: "lan-silently-dead",
        shows: "the holder's LAN loses everything while its carrier stays: the gateway tells, and the group moves",
        run: Nodes(lan_silently_dead),
        limit: (40, 120),
    },
    Scenario {
        name: "interlink-cut",
        shows: "the interlink is dead, the LAN alive: nobody moves and status says which link, also while the holder's daemon restarts; then power loss is noticed all the same",
        run: Nodes(interlink_cut),
        limit: (40, 40),
    },
    Scenario {
        name: "interlink-pulled",
        shows: "the interlink's carrier is lost on both nodes: nobody moves; then power loss is noticed all the same, and the last box keeps the VIP while its daemon restarts",
        run: Nodes(interlink_pulled),
        limit: (40, 40),
    },
    Scenario {
        name: "heartbeats-filtered",
        shows: "the standby's LAN interface is lent to another namespace, then a filter drops every heartbeat while ARP passes: the VIP stays single; after power loss it is taken over",
        run: Nodes(heartbeats_filtered),
        limit: (40, 40),
    },
    Scenario {
        name: "one-way",
        shows: "heartbeats are lost in one direction, of either node, on the interlink or on every path: nobody moves",
        run: Nodes(one_way),
        limit: (90, 120),
    },
    Scenario {
        name: "loss-30-percent",
        shows: "a third of everything is lost on both links: nobody moves",
        run: Nodes(loss),
        limit: (90, 660),
    },
    Scenario {
        name: "switch-restart",
        shows: "the LAN's switch restarts, its ports with or without a carrier meanwhile: a client that remembers for minutes where the VIP was reaches it at once",
        run: Nodes(switch_restart),
        limit: (90, 300),
    },
    Scenario {
        name: "on-a-bridge",
        shows: "the VIP stands on a bridge, whose port is taken out and put back, on the holder and then on both, and whose hardware address changes: a client that remembers the old one for minutes reaches the VIP at once",
        run: Nodes(on_a_bridge),
        limit: (60, 120),
    },
    Scenario {
        name: "mac-changed",
        shows: "the holder's card gets another hardware address: a client that remembers the old one for minutes reaches the VIP at once",
        run: Nodes(mac_changed),
        limit: (40, 60),
    },
    Scenario {
        name: "heals",
        shows: "after each of many cuts healed the client reaches the VIP at once",
        run: Nodes(heals),
        limit: (100, 1200),
    },
];

fn lan_cable_pulled(lab: &mut Lab) -> Outcome {
    let (mut holder, client) = lab.pair(&Settings::default())?;
    for _ in 0..lab.times(1, 10) {
        let pulled = lab.note(format!("pull the LAN cable of {}", holder.node_name()));
        lab.net.pull(Port(holder, Wire::Lan))?;
        client.answered(Some(holder.peer()), Duration::from_secs(3))?;
        let outage = client.outage(pulled).length();
        lab.record.figure("client outage", outage);
        ensure!(outage < Duration::from_secs(1), "the outage was {outage:?}");
        // What was handed over while it ran is on both for a moment.
        lab.settled(Duration::from_secs(2))?;
        lab.net.plug(Port(holder, Wire::Lan))?;
        let plugged = lab.note("plug it in again");
        lab.nothing_moves(holder.peer(), Duration::from_secs(2))?;
        lab.nothing_moved(holder.peer(), plugged)?;
        if lab.record.long {
            // Its gateway must count as good again before the other node is pulled.
            std::thread::sleep(Duration::from_secs(6));
        }
        holder = holder.peer();
    }
    Ok(())
}

fn lan_silently_dead(lab: &mut Lab) -> Outcome {
    for _ in 0..lab.times(1, 5) {
        let (holder, client) = lab.pair(&Settings::default())?;
        lab.random_phase(Duration::from_secs(1));
        let cut = lab.note(format!(
            "the LAN of {} loses everything",
            holder.node_name()
        ));
        lab.net.cut(Port(holder, Wire::Lan), Cut::Both)?;
        client.answered(Some(holder.peer()), Duration::from_secs(8))?;
        let outage = client.outage(cut).length();
        lab.record.figure("client outage", outage);
        ensure!(outage < Duration::from_secs(5), "the outage was {outage:?}");
        mend(lab, &client)?;
        lab.nothing_moves(holder.peer(), Duration::from_secs(2))?;
        drop(client);
        lab.reset()?;
    }
    Ok(())
}

fn switch_restart(lab: &mut Lab) -> Outcome {
    let (_, client) = lab.pair(&Settings::default())?;
    lab.net.remember_neighbours(Host::Client)?;
    for round in 0..lab.times(2, 10) {
        // Or its ports keep their carrier, and the answer of the gateway is all that tells.
        let carrier = round % 2 == 1;
        let holder = lab.settled(Duration::from_secs(5))?;
        // It forwards nothing any more before its ports go down, one after the other: the group moves to a
        // port that is as dead.
        lab.note("the switch restarts");
        lab.net.cut(Port(holder.peer(), Wire::Lan), Cut::Both)?;
        lab.net.pull(Port(holder, Wire::Lan))?;
        std::thread::sleep(Duration::from_millis(300));
        if !carrier {
            lab.net.pull(Port(holder.peer(), Wire::Lan))?;
        }
        std::thread::sleep(Duration::from_secs(8));
        lab.net.mend()?;
        for host in NODES {
            lab.net.plug(Port(host, Wire::Lan))?;
        }
        let on = lab.note("the switch is on again");
        client.answered(None, Duration::from_secs(20))?;
        let outage = now_answered(&client, on);
        lab.record.figure("reached after", outage);
        ensure!(
            outage < Duration::from_secs(3),
            "not reached for {outage:?}"
        );
        // Reached for good, not just once; and its gateway counts as good again.
        std::thread::sleep(Duration::from_secs(6));
        client.noticed_nothing(sys::now() - 4_000_000)?;
    }
    Ok(())
}

fn on_a_bridge(lab: &mut Lab) -> Outcome {
    let netns = NODES.map(|host| lab.net.netns(host));
    let on = |host: Host, line: &str| batch(Some(&netns[host as usize]), line);
    for host in NODES {
        let number = host.number(Wire::Lan);
        let lines = format!(
            "link add br0 type bridge\nlink set lan0 master br0\nlink set br0 up\naddr flush dev lan0\n\
             addr add 10.77.0.{number}/24 dev br0\nroute replace default via 10.77.0.1\n"
        );
        on(host, &lines)?;
    }
    let settings = Settings {
        inferred: true,
        ..Settings::default()
    };
    let (holder, client) = lab.pair(&settings)?;
    lab.net.remember_neighbours(Host::Client)?;
    let short = |outage: Duration, longest: Duration| -> Outcome {
        ensure!(outage < longest, "the outage was {outage:?}");
        Ok(())
    };
    let out = lab.note("the port of the holder's bridge is taken out");
    on(holder, "link set lan0 nomaster\n")?;
    client.answered(Some(holder.peer()), Duration::from_secs(5))?;
    lab.record.figure("port out", client.outage(out).length());
    short(client.outage(out).length(), Duration::from_secs(2))?;
    on(holder, "link set lan0 master br0\n")?;
    std::thread::sleep(Duration::from_secs(7)); // its gateway counts as good again
    lab.note("both ports are out for 3 s");
    for host in NODES {
        on(host, "link set lan0 nomaster\n")?;
    }
    std::thread::sleep(Duration::from_secs(3));
    for host in NODES {
        on(host, "link set lan0 master br0\n")?;
    }
    let back = lab.note("and are back");
    client.answered(None, Duration::from_secs(10))?;
    let reached = now_answered(&client, back);
    lab.record.figure("both back", reached);
    short(reached, Duration::from_secs(1))?;
    std::thread::sleep(Duration::from_secs(7));
    let holder = lab.settled(Duration::from_secs(5))?;
    let changed = lab.note("another hardware address");
    on(holder, "link set br0 address 02:77:00:00:02:01\n")?;
    client.answered(None, Duration::from_secs(10))?;
    let outage = client.outage(changed).length();
    lab.record.figure("address changed", outage);
    short(outage, Duration::from_secs(1))
}

fn mac_changed(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    lab.net.remember_neighbours(Host::Client)?;
    for last in 1..=lab.times(3, 20) {
        let changed = lab.note("another hardware address");
        let line = format!("link set lan0 address 02:77:00:00:01:{last:02x}\n");
        batch(Some(&lab.net.netns(holder)), &line)?;
        client.answered(None, Duration::from_secs(10))?;
        let outage = client.outage(changed).length();
        lab.record.figure("client outage", outage);
        ensure!(outage < Duration::from_secs(1), "the outage was {outage:?}");
        std::thread::sleep(Duration::from_secs(2));
    }
    Ok(())
}

/// How long after an instant the first probe was answered.
fn now_answered(client: &Client, from: sys::Micros) -> Duration {
    let first = client.first_answer(from, None);
    first.map_or(Duration::MAX, |(sent, _)| {
        Duration::from_micros(sent - from)
    })
}

fn interlink_cut(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    lab.note("the interlink loses everything");
    lab.net.cut(Port(holder, Wire::Interlink), Cut::Both)?;
    lab.nothing_moves(holder, Duration::from_secs(5))?;
    for host in NODES {
        says(lab, host, Some(false), Some(false))?;
    }
    restart(lab, holder)?;
    lab.both_alive()?;
    lab.nothing_moves(holder, Duration::from_secs(4))?;
    taken_over(lab, holder, &client, Duration::from_secs(2))
}

fn restart(lab: &mut Lab, host: Host) -> Outcome {
    lab.note(format!("kill the daemon of {}", host.node_name()));
    lab.node(host).kill();
    lab.start(host)?;
    Ok(())
}

fn interlink_pulled(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    lab.note("pull the interlink on both sides");
    for host in NODES {
        lab.net.pull(Port(host, Wire::Interlink))?;
    }
    lab.nothing_moves(holder, Duration::from_secs(5))?;
    taken_over(lab, holder, &client, Duration::from_secs(2))?;
    // No link of the last box is up.
    restart(lab, holder.peer())?;
    lab.nothing_moves(holder.peer(), Duration::from_secs(6))
}

fn heartbeats_filtered(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    away_and_back(lab, holder.peer())?;
    lab.note("every heartbeat is filtered, on every path");
    for wire in [Wire::Lan, Wire::Interlink] {
        lab.net.cut(Port(holder, wire), Cut::Heartbeats)?;
    }
    lab.nothing_moves(holder, Duration::from_secs(6))?;
    taken_over(lab, holder, &client, Duration::from_secs(6))
}

/// The LAN's interface goes to another namespace and comes back as the same, and is not deaf to the VIP's holder.
fn away_and_back(lab: &mut Lab, host: Host) -> Outcome {
    // What the holder answers is known.
    std::thread::sleep(Duration::from_secs(2));
    lab.note("the other node's LAN interface is lent to another namespace");
    // A new one, where it keeps its number.
    let own = lab.net.netns(host);
    let other = format!("{own}-aside");
    batch(None, &format!("netns add {other}\n"))?;
    batch(Some(&own), &format!("link set lan0 netns {other}\n"))?;
    batch(Some(&other), &format!("link set lan0 netns {own}\n"))?;
    batch(None, &format!("netns del {other}\n"))?;
    lab.net.address(host, &[Wire::Lan])?;
    // Its gateway counts as good again.
    std::thread::sleep(Duration::from_secs(6));
    Ok(())
}

fn one_way(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    let everywhere: &[Wire] = &[Wire::Lan, Wire::Interlink];
    for sender in NODES {
        for wires in [&[Wire::Interlink], everywhere] {
            lab.note(format!(
                "what {} sends over {wires:?} is lost",
                sender.node_name()
            ));
            for &wire in wires {
                lab.net.cut(Port(sender, wire), Cut::HeartbeatsSent)?;
            }
            lab.nothing_moves(holder, Duration::from_secs(3))?;
            if wires.len() == 1 {
                // The other way to talk is left, so each can say which direction is lost.
                says(lab, sender, Some(true), Some(false))?;
                says(lab, sender.peer(), Some(false), Some(true))?;
            }
            mend(lab, &client)?;
            lab.both_alive()?;
            lab.nothing_moves(holder, Duration::from_secs(1))?;
        }
    }
    // The same where everything is lost, not only heartbeats; and seen from the receiver.
    for cut in [Cut::Sent, Cut::Received] {
        lab.note(format!("{cut:?} of the interlink is lost"));
        lab.net.cut(Port(holder, Wire::Interlink), cut)?;
        lab.nothing_moves(holder, Duration::from_secs(3))?;
        mend(lab, &client)?;
        lab.both_alive()?;
    }
    Ok(())
}

fn loss(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    lab.note("30 % of all frames are lost on both links of the idle node");
    for wire in [Wire::Lan, Wire::Interlink] {
        lab.net.cut(Port(holder.peer(), wire), Cut::Percent(30))?;
    }
    lab.nothing_moves(holder, Duration::from_secs(lab.times(30, 300) as u64))?;
    lab.net.mend()?;
    lab.note("now on those of the holder");
    for wire in [Wire::Lan, Wire::Interlink] {
        lab.net.cut(Port(holder, wire), Cut::Percent(30))?;
    }
    lab.nothing_moves(holder, Duration::from_secs(lab.times(30, 300) as u64))?;
    lab.net.mend()?;
    lab.note("healed");
    // Of the client's own questions for the address, one a second, some may have been lost.
    client.answered(Some(holder), Duration::from_secs(4))?;
    lab.nothing_moves(holder, Duration::from_secs(1))
}

fn heals(lab: &mut Lab) -> Outcome {
    let (_, client) = lab.pair(&Settings::default())?;
    for _ in 0..lab.times(5, 100) {
        let holder = lab.settled(Duration::from_secs(5))?;
        let side = if sys::random(2) == 0 {
            holder
        } else {
            holder.peer()
        };
        let (wires, cut): (&[Wire], Cut) = match sys::random(5) {
            0 => (&[Wire::Interlink], Cut::Both),
            1 => (&[Wire::Lan], Cut::Both),
            2 => (&[Wire::Lan, Wire::Interlink], Cut::Heartbeats),
            3 => (&[Wire::Lan, Wire::Interlink], Cut::HeartbeatsSent),
            _ => (&[Wire::Lan, Wire::Interlink], Cut::Both),
        };
        lab.note(format!("{cut:?} on {wires:?} of {}", side.node_name()));
        for &wire in wires {
            lab.net.cut(Port(side, wire), cut)?;
        }
        lab.random_phase(Duration::from_secs(4));
        mend(lab, &client)?;
        lab.both_alive()?;
        // Reached for good, not just once.
        let healed = lab.note("both see each other again");
        std::thread::sleep(Duration::from_secs(1));
        let outage = client.outage(healed).length();
        ensure!(
            outage < Duration::from_millis(500),
            "{outage:?} without an answer after a heal"
        );
    }
    Ok(())
}

/// A node's status names the interlink with the direction that fails.
fn says(lab: &mut Lab, host: Host, incoming: Option<bool>, outgoing: Option<bool>) -> Outcome {
    let own = format!("10.88.0.{}", host.number(Wire::Interlink));
    let what = format!("interlink heard {incoming:?}, heard there {outgoing:?}");
    status::wait_until(lab.node(host), &what, Duration::from_secs(1), |s| {
        status::path(s, &own) == (incoming, outgoing)
    })
}

/// Ends every cut; the client must reach the VIP at once.
fn mend(lab: &Lab, client: &Client) -> Outcome {
    lab.net.mend()?;
    lab.note("healed");
    lab.reached_at_once(client)
}

/// Power loss of the holder while something else is broken already.
fn taken_over(lab: &mut Lab, holder: Host, client: &Client, at_most: Duration) -> Outcome {
    let cut = lab.power_cut(holder)?;
    client.answered(Some(holder.peer()), at_most)?;
    lab.record
        .figure("power loss then", client.outage(cut).length());
    Ok(())
}
