//! Nodes that lose their power, and return.

use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::net::{Host, VIP, VIP6};
use crate::scenario::{Run::Nodes, Scenario};
use crate::status;
use crate::sys::{self, now};
use crate::toml::{GROUP, Settings};
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "power-loss",
        shows: "the holder loses its power: the other node takes over within the detection time",
        run: Nodes(power_loss),
        limit: (30, 300),
    },
    Scenario {
        name: "power-loss-fast",
        shows: "the same at interval 10 ms and 3 misses",
        run: Nodes(power_loss_fast),
        limit: (30, 300),
    },
    Scenario {
        name: "power-loss-ipv6",
        shows: "an IPv6 VIP moves with its IPv4 sibling",
        run: Nodes(power_loss_ipv6),
        limit: (20, 20),
    },
    Scenario {
        name: "ipv6-only",
        shows: "links, gateway and VIP are IPv6: handed over, and taken over after power loss",
        run: Nodes(ipv6_only),
        limit: (30, 60),
    },
    Scenario {
        name: "power-return",
        shows: "the node that lost its power returns: nothing moves back by itself",
        run: Nodes(power_return),
        limit: (30, 30),
    },
    Scenario {
        name: "failback-auto",
        shows: "with failback = \"auto\" the preferred node takes the group back when it returns",
        run: Nodes(failback_auto),
        limit: (30, 30),
    },
    Scenario {
        name: "many-vips",
        shows: "a group of many VIPs moves as one",
        run: Nodes(many_vips),
        limit: (40, 60),
    },
];

fn power_loss(lab: &mut Lab) -> Outcome {
    take_over(lab, &Settings::default(), Duration::from_secs(2))
}

fn power_loss_fast(lab: &mut Lab) -> Outcome {
    let fast = Settings {
        interval: "10ms".into(),
        misses: 3,
        ..Settings::default()
    };
    take_over(lab, &fast, Duration::from_millis(450))
}

fn take_over(lab: &mut Lab, settings: &Settings, at_most: Duration) -> Outcome {
    for _ in 0..lab.times(2, 20) {
        let (holder, client) = lab.pair(settings)?;
        lab.random_phase(Duration::from_millis(200));
        let cut = lab.power_cut(holder)?;
        client.answered(Some(holder.peer()), Duration::from_secs(3))?;
        let outage = client.outage(cut).length();
        lab.record.figure("client outage", outage);
        ensure!(
            outage < at_most,
            "the outage was {outage:?}, not below {at_most:?}"
        );
        status::wait_until(
            lab.node(holder.peer()),
            "active",
            Duration::from_secs(1),
            |s| status::active(s, GROUP),
        )?;
        drop(client);
        lab.reset()?;
    }
    Ok(())
}

fn power_loss_ipv6(lab: &mut Lab) -> Outcome {
    let vips = vec![format!("{VIP}/24"), format!("{VIP6}/64")];
    let (holder, client) = lab.pair(&Settings {
        vips,
        ..Settings::default()
    })?;
    let client6 = lab.client(VIP6)?;
    client6.answered(Some(holder), Duration::from_secs(2))?;
    let cut = lab.power_cut(holder)?;
    for (name, client) in [("IPv4 outage", &client), ("IPv6 outage", &client6)] {
        client.answered(Some(holder.peer()), Duration::from_secs(3))?;
        let outage = client.outage(cut).length();
        lab.record.figure(name, outage);
        ensure!(outage < Duration::from_secs(2), "the {name} was {outage:?}");
    }
    Ok(())
}

fn ipv6_only(lab: &mut Lab) -> Outcome {
    lab.configure(&Settings {
        links: ["fd88::1".into(), "fd88::2".into()],
        gateways: vec!["fd77::1".into()],
        vips: vec![format!("{VIP6}/64")],
        ..Settings::default()
    })?;
    for host in crate::net::NODES {
        lab.start(host)?;
    }
    let client = lab.client(VIP6)?;
    client.answered(None, Duration::from_secs(5))?;
    lab.both_alive()?;
    let moved = lab.note("failover");
    lab.node(Host::A).order(&["failover"])?;
    client.answered(Some(Host::B), Duration::from_secs(2))?;
    lab.record
        .figure("planned move", client.outage(moved).length());
    std::thread::sleep(Duration::from_secs(1));
    let cut = lab.power_cut(Host::B)?;
    client.answered(Some(Host::A), Duration::from_secs(3))?;
    lab.record.figure("power loss", client.outage(cut).length());
    Ok(())
}

fn power_return(lab: &mut Lab) -> Outcome {
    let (old, client) = lab.pair(&Settings::default())?;
    lab.power_cut(old)?;
    client.answered(Some(old.peer()), Duration::from_secs(3))?;
    lab.power_on(old)?;
    let back = lab.start(old)?;
    lab.both_alive()?;
    lab.nothing_moves(old.peer(), Duration::from_secs(3))?;
    lab.nothing_moved(old.peer(), back)?;
    client.noticed_nothing(back)?;
    Ok(())
}

fn failback_auto(lab: &mut Lab) -> Outcome {
    let settings = Settings {
        prefer: Some("lb1".into()),
        failback: "auto".into(),
        ..Settings::default()
    };
    let (holder, client) = lab.pair(&settings)?;
    ensure!(
        holder == Host::A,
        "the preferred node did not start the group"
    );
    lab.power_cut(Host::A)?;
    client.answered(Some(Host::B), Duration::from_secs(3))?;
    lab.power_on(Host::A)?;
    let back = lab.start(Host::A)?;
    client.answered(Some(Host::A), Duration::from_secs(15))?;
    lab.record
        .figure("failback outage", client.outage(back).length());
    // It answers before the other has dropped the address.
    let holder = lab.settled(Duration::from_secs(1))?;
    ensure!(holder == Host::A, "it went back again");
    lab.nothing_moves(Host::A, Duration::from_secs(2))
}

/// The usual VIP and others, so many in all.
pub fn vips(count: usize) -> Vec<String> {
    let extra = (1..count).map(|i| format!("10.77.{}.{}/32", 1 + i / 250, 1 + i % 250));
    [format!("{VIP}/24")].into_iter().chain(extra).collect()
}

fn many_vips(lab: &mut Lab) -> Outcome {
    let count = lab.times(200, 1000);
    let (holder, client) = lab.pair(&Settings {
        vips: vips(count),
        ..Settings::default()
    })?;
    all_held(lab, holder, count, now())?;
    let cut = lab.power_cut(holder)?;
    client.answered(Some(holder.peer()), Duration::from_secs(5))?;
    let outage = client.outage(cut).length();
    lab.record.figure("client outage", outage);
    all_held(lab, holder.peer(), count, cut)?;
    lab.record.figure("all moved after", sys::since(cut));
    Ok(())
}

fn all_held(lab: &Lab, host: Host, count: usize, since: sys::Micros) -> Outcome {
    loop {
        let held = lab.watch.held_by(host);
        if held == count {
            return Ok(());
        }
        ensure!(
            sys::since(since) < Duration::from_secs(5),
            "{} holds {held} of {count} VIPs",
            host.node_name()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}
