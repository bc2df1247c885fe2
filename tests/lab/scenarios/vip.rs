//! The VIP itself: deleted, claimed, answered for by others.

use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::net::{Host, NODES, VIP, VIP6, Wire, batch};
use crate::scenario::{Run::Nodes, Scenario};
use crate::status;
use crate::sys;
use crate::toml::Settings;
use crate::tricks::Stranger;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "vip-deleted",
        shows: "somebody deletes the VIP by hand: it is put back at once, on the same node",
        run: Nodes(vip_deleted),
        limit: (30, 60),
    },
    Scenario {
        name: "reconfigured",
        shows: "a network manager takes every address and route off the VIP's interface, which ha.toml does not name, and brings its own back: the VIP is put back at once, and nothing moves",
        run: Nodes(reconfigured),
        limit: (40, 90),
    },
    Scenario {
        name: "interface-made-anew",
        shows: "the VIP's interface is removed and made anew, on the holder while the other node has none, and then on both: no failure is counted, and the VIP is back at once",
        run: Nodes(interface_made_anew),
        limit: (60, 120),
    },
    Scenario {
        name: "late-interface",
        shows: "both daemons start while the VIP's interface is not there: they wait for it, count no failure, and start in the instant it comes",
        run: Nodes(late_interface),
        limit: (40, 60),
    },
    Scenario {
        name: "without-ipv6",
        shows: "IPv6 is switched off on both nodes' LAN, or its MTU is too short for it: the IPv4 VIP stays, the IPv6 one is back with IPv6",
        run: Nodes(without_ipv6),
        limit: (60, 120),
    },
    Scenario {
        name: "duplicate-address",
        shows: "another host has the VIP, then the IPv6 one, before the pair starts: neither node starts it, both say whose hardware address answers, and it is started once the other host gives it up; a takeover does not wait for that",
        run: Nodes(duplicate_address),
        limit: (60, 120),
    },
    Scenario {
        name: "address-of-the-peer",
        shows: "the other node was given the VIP as its own address while its daemon ran: nobody starts it, and it is started once the node has its own again",
        run: Nodes(address_of_the_peer),
        limit: (30, 60),
    },
    Scenario {
        name: "stranger-claims",
        shows: "a stranger claims the VIP: the holder announces it again, and the client comes back",
        run: Nodes(stranger_claims),
        limit: (30, 60),
    },
    Scenario {
        name: "proxy-arp-router",
        shows: "a router answers ARP for the VIP: that is not taken for a living holder when the power fails",
        run: Nodes(proxy_arp),
        limit: (30, 60),
    },
];

fn vip_deleted(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    for _ in 0..lab.times(5, 50) {
        let deleted = lab.note("delete the VIP");
        crate::bench::delete_vip(lab, holder)?;
        client.answered(Some(holder), Duration::from_secs(2))?;
        std::thread::sleep(Duration::from_millis(300));
        let outage = client.outage(deleted).length();
        lab.record.figure("client outage", outage);
        ensure!(outage < Duration::from_secs(1), "the outage was {outage:?}");
        ensure!(
            lab.settled(Duration::from_secs(1))? == holder,
            "the VIP moved"
        );
    }
    Ok(())
}

/// As `networkctl reconfigure` does it.
fn reconfigured(lab: &mut Lab) -> Outcome {
    let settings = Settings {
        inferred: true,
        ..Settings::default()
    };
    let (holder, client) = lab.pair(&settings)?;
    let netns = lab.net.netns(holder);
    for (round, away) in [50, 500, 2000].into_iter().enumerate() {
        let from = lab.note(format!("the interface has no address for {away} ms"));
        batch(Some(&netns), "addr flush dev lan0\n")?;
        lab.settled(Duration::from_secs(1))?;
        std::thread::sleep(Duration::from_millis(away));
        let number = holder.number(Wire::Lan);
        let back = format!(
            "addr add 10.77.0.{number}/24 dev lan0\naddr add fd77::{number}/64 dev lan0 nodad\n\
             route replace default via 10.77.0.1\nroute replace default via fd77::1\n"
        );
        batch(Some(&netns), &back)?;
        client.answered(None, Duration::from_secs(2))?;
        std::thread::sleep(Duration::from_millis(500));
        let outage = client.outage(from).length();
        lab.record.figure("client outage", outage);
        let longest = Duration::from_millis(away + 500);
        ensure!(outage < longest, "the outage was {outage:?}");
        ensure!(lab.watch.holders(VIP) == [holder], "the VIP moved");
        let status = status::read(lab.node(holder)).ok_or("no status")?;
        let failures = status::counter(&status["groups"], "fail_count");
        ensure!(failures == 0, "{failures} failures are counted");
        let told = lab.node(holder).order(&["history"])?;
        let put_back = told.matches("vanished, put back").count();
        ensure!(put_back > round, "not put back: {told}");
        for lie in ["no carrier", "No such device", "add 10.77.0.100 to :"] {
            ensure!(!told.contains(lie), "{lie:?} is said: {told}");
        }
    }
    Ok(())
}

fn interface_made_anew(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    let mut holder = holder;
    for both in [false, true] {
        let hosts = match both {
            true => vec![holder, holder.peer()],
            false => vec![holder],
        };
        lab.note(format!("the LAN interface is gone on {hosts:?}"));
        for host in &hosts {
            batch(Some(&lab.net.netns(*host)), "link del lan0\n")?;
        }
        std::thread::sleep(Duration::from_secs(3));
        for host in &hosts {
            lab.net.cable(*host, &[Wire::Lan])?;
            lab.net.address(*host, &[Wire::Lan])?;
        }
        let back = lab.note("and is back");
        let (sent, by) = client.answered(None, Duration::from_secs(3))?;
        lab.record
            .figure("back after", Duration::from_micros(sent - back));
        for host in NODES {
            let status = status::read(lab.node(host)).ok_or("no status")?;
            let failures = status::counter(&status["groups"], "fail_count");
            ensure!(failures == 0, "{failures} failures are counted on {host:?}");
        }
        holder = by;
        // Its gateway counts as good again.
        std::thread::sleep(Duration::from_secs(6));
    }
    Ok(())
}

fn late_interface(lab: &mut Lab) -> Outcome {
    lab.configure(&Settings::default())?;
    for host in NODES {
        batch(Some(&lab.net.netns(host)), "link del lan0\n")?;
        lab.start(host)?;
    }
    lab.both_alive()?;
    std::thread::sleep(Duration::from_secs(4));
    let client = lab.client(VIP)?;
    for host in NODES {
        lab.net.cable(host, &[Wire::Lan])?;
        lab.net.address(host, &[Wire::Lan])?;
    }
    let there = lab.note("the interfaces are there");
    let (sent, _) = client.answered(None, Duration::from_secs(5))?;
    lab.record
        .figure("answered after", Duration::from_micros(sent - there));
    for host in NODES {
        let status = status::read(lab.node(host)).ok_or("no status")?;
        let failures = status::counter(&status["groups"], "fail_count");
        ensure!(failures == 0, "{failures} failures are counted on {host:?}");
    }
    Ok(())
}

fn without_ipv6(lab: &mut Lab) -> Outcome {
    let settings = Settings {
        vips: vec![format!("{VIP}/24"), format!("{VIP6}/64")],
        ..Settings::default()
    };
    let (holder, client) = lab.pair(&settings)?;
    let client6 = lab.client(VIP6)?;
    client6.answered(Some(holder), Duration::from_secs(2))?;
    // The holder is never the worse one of the two, for which it would move.
    let netns = [holder.peer(), holder].map(|host| (host, lab.net.netns(host)));
    let on_each = |good: bool, act: &dyn Fn(&str) -> std::io::Result<()>| -> Outcome {
        let names = netns.iter().map(|(_, netns)| netns.as_str());
        let mut names: Vec<&str> = names.collect();
        if good {
            names.reverse();
        }
        for (at, name) in names.into_iter().enumerate() {
            std::thread::sleep(Duration::from_millis(200 * at as u64));
            act(name)?;
        }
        Ok(())
    };
    let set = |file: &str, value: u32| -> Outcome {
        let path = format!("/proc/sys/net/ipv6/conf/lan0/{file}");
        on_each(value == 0, &|netns| {
            sys::within(netns, || std::fs::write(&path, value.to_string()))
        })
    };
    let mtu = |bytes: u32| -> Outcome {
        let line = format!("link set lan0 mtu {bytes}\n");
        on_each(bytes == 1500, &|netns| batch(Some(netns), &line))
    };
    for round in 0..lab.times(2, 10) {
        // Whoever answers on the nodes waits for its neighbours of IPv6 as well.
        client.answered(Some(holder), Duration::from_secs(3))?;
        std::thread::sleep(Duration::from_millis(100));
        let from = lab.note("no IPv6 on either node's LAN any more");
        match round % 2 {
            0 => set("disable_ipv6", 1)?,
            _ => mtu(1200)?,
        }
        std::thread::sleep(Duration::from_secs(3));
        client.noticed_nothing(from)?;
        ensure!(lab.watch.holders(VIP) == [holder], "the IPv4 VIP moved");
        let failures = |lab: &mut Lab| {
            let status = status::read(lab.node(holder)).unwrap_or_default();
            status::counter(&status["groups"], "fail_count")
        };
        ensure!(failures(lab) == 0, "failures are counted");
        let said = format!("VIP {VIP6}/64 cannot be on lan0 now");
        status::wait_until(lab.node(holder), &said, Duration::from_secs(2), |s| {
            status::notices(s)
                .iter()
                .any(|notice| notice.contains(&said))
        })?;
        match round % 2 {
            0 => set("disable_ipv6", 0)?,
            _ => mtu(1500)?,
        }
        for (host, netns) in &netns {
            let number = host.number(Wire::Lan);
            let own = format!("addr add fd77::{number}/64 dev lan0 nodad\n");
            batch(Some(netns), &own)?;
        }
        let back = lab.note("IPv6 is back");
        client6.answered(Some(holder), Duration::from_secs(2))?;
        let first = client6.first_answer(back, Some(holder));
        let after = first.map_or(0, |(sent, _)| sent - back);
        lab.record
            .figure("back after", Duration::from_micros(after));
        ensure!(failures(lab) == 0, "failures are counted");
    }
    Ok(())
}

fn duplicate_address(lab: &mut Lab) -> Outcome {
    let settings = Settings {
        vips: vec![format!("{VIP}/24"), format!("{VIP6}/64")],
        ..Settings::default()
    };
    let stranger = Stranger::new(lab)?;
    let netns = lab.net.netns(Host::Stranger);
    let mac = Host::Stranger.mac(Wire::Lan);
    let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
    for vip in [VIP, VIP6] {
        match vip {
            VIP => stranger.claim(VIP)?,
            _ => batch(Some(&netns), &format!("addr add {vip}/64 dev lan0 nodad\n"))?,
        }
        lab.configure(&settings)?;
        for host in NODES {
            lab.start(host)?;
        }
        lab.both_alive()?;
        for host in NODES {
            let said = format!("another host ({mac} on lan0) answers for {vip}");
            status::wait_until(lab.node(host), &said, Duration::from_secs(8), |s| {
                status::notices(s)
                    .iter()
                    .any(|notice| notice.contains(&said))
            })?;
            let status = status::read(lab.node(host)).ok_or("no status")?;
            let failures = status::counter(&status["groups"], "fail_count");
            ensure!(failures == 0, "{failures} failures are counted on {host:?}");
        }
        ensure!(lab.watch.holders(VIP).is_empty(), "it was started");
        let gone = lab.note("the other host gives it up");
        match vip {
            VIP => stranger.yield_claim(VIP)?,
            _ => batch(Some(&netns), &format!("addr del {vip}/64 dev lan0\n"))?,
        }
        let client = lab.client(vip)?;
        let (sent, holder) = client.answered(None, Duration::from_secs(8))?;
        lab.record
            .figure("started after", Duration::from_micros(sent - gone));
        drop(client);
        if vip == VIP {
            // No takeover waits for who answers beside the old holder.
            std::thread::sleep(Duration::from_secs(1));
            stranger.claim(VIP)?;
            let cut = lab.power_cut(holder)?;
            let next = lab.settled(Duration::from_secs(4))?;
            ensure!(next == holder.peer(), "nobody took it over");
            lab.record.figure("taken over after", sys::since(cut));
            stranger.yield_claim(VIP)?;
            lab.power_on(holder)?;
        }
        lab.reset()?;
    }
    Ok(())
}

fn address_of_the_peer(lab: &mut Lab) -> Outcome {
    lab.configure(&Settings::default())?;
    lab.start(Host::B)?;
    std::thread::sleep(Duration::from_millis(500));
    let netns = lab.net.netns(Host::B);
    let only = |address: &str| batch(Some(&netns), &format!("addr flush dev lan0\n{address}\n"));
    lab.note("lb2 has the VIP as its own address");
    only(&format!("addr add {VIP}/24 dev lan0"))?;
    std::thread::sleep(Duration::from_millis(500));
    lab.start(Host::A)?;
    lab.both_alive()?;
    std::thread::sleep(Duration::from_secs(3));
    let status = status::read(lab.node(Host::A)).ok_or("no status")?;
    let role = status["groups"][0]["role"].as_str();
    ensure!(role == Some("stopped"), "lb1 is {role:?}");
    let failures = status::counter(&status["groups"], "fail_count");
    ensure!(failures == 0, "{failures} failures are counted on lb1");
    let told = lab.node(Host::A).order(&["history"])?;
    let said = format!("now: {VIP} is an address of the peer");
    ensure!(told.contains(&said), "{said:?} is not said: {told}");
    let back = lab.note("and its own again");
    let number = Host::B.number(Wire::Lan);
    only(&format!("addr add 10.77.0.{number}/24 dev lan0"))?;
    let client = lab.client(VIP)?;
    // lb2 cannot remove what is its own, and looks again after 5 s and once more.
    let (sent, _) = client.answered(None, Duration::from_secs(15))?;
    lab.record
        .figure("started after", Duration::from_micros(sent - back));
    Ok(())
}

fn stranger_claims(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    let stranger = Stranger::new(lab)?;
    let claimed = lab.note("the stranger claims the VIP");
    stranger.claim(VIP)?;
    client.answered(Some(holder), Duration::from_secs(3))?;
    std::thread::sleep(Duration::from_secs(2));
    stranger.yield_claim(VIP)?;
    lab.note("the stranger gives it up");
    lab.reached_at_once(&client)?;
    lab.record
        .figure("client outage", client.outage(claimed).length());
    lab.nothing_moved(holder, claimed)
}

fn proxy_arp(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    let stranger = Stranger::new(lab)?;
    stranger.proxy_arp()?;
    lab.note("a router answers ARP for the VIP");
    lab.nothing_moves(holder, Duration::from_secs(3))?;
    let cut = lab.power_cut(holder)?;
    client.answered(Some(holder.peer()), Duration::from_secs(5))?;
    let outage = client.outage(cut).length();
    lab.record.figure("client outage", outage);
    ensure!(
        outage < Duration::from_millis(1500),
        "the outage was {outage:?}"
    );
    Ok(())
}
