//! The lab on trial: it must see what it is there to see, or all its passes mean nothing.

use crate::client::{Client, PERIOD};
use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::net::{Cut, HEARTBEAT_PORT, Host, NODES, Port, VIP, VIP6, Wire, batch, mac_text};
use crate::scenario::{Run::Nodes, Scenario};
use crate::scenarios::gateway::GATEWAY_FAST;
use crate::sys::{now, within};
use crate::toml::{KEY, OTHER_KEY, Settings};
use crate::tricks::{self, Stranger};
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "the-judge-bites",
        shows: "the lab itself: an address held by both nodes for a moment is found, and condemned",
        run: Nodes(the_judge_bites),
        limit: (10, 10),
    },
    Scenario {
        name: "the-cuts-cut",
        shows: "the lab itself: each kind of cut loses what it says, and mending ends it",
        run: Nodes(the_cuts_cut),
        limit: (20, 20),
    },
    Scenario {
        name: "the-tricks-work",
        shows: "the lab itself: freezing freezes, floods arrive under the peer's address, claims and proxies are believed",
        run: Nodes(the_tricks_work),
        limit: (20, 20),
    },
    Scenario {
        name: "the-files-are-good",
        shows: "the lab itself: the files it writes are understood",
        run: Nodes(the_files_are_good),
        limit: (10, 10),
    },
];

fn the_judge_bites(lab: &mut Lab) -> Outcome {
    let add = format!("addr add {VIP}/32 dev lan0\n");
    let delete = format!("addr del {VIP}/32 dev lan0\n");
    let a = lab.net.netns(Host::A);
    let b = lab.net.netns(Host::B);
    // One after the other, as close as it gets: no overlap.
    batch(Some(&a), &format!("{add}{delete}"))?;
    batch(Some(&b), &add)?;
    let cut = lab.power_cut(Host::B)?;
    batch(Some(&a), &add)?;
    let client = lab.client(VIP)?;
    client.answered(Some(Host::A), Duration::from_secs(2))?;
    ensure!(
        client.first_answer(cut, Some(Host::B)).is_none(),
        "the dead answer"
    );
    ensure!(
        lab.watch.overlaps().is_empty(),
        "saw an overlap where there was none"
    );
    lab.judge()?;
    // Now both.
    lab.power_on(Host::B)?;
    batch(Some(&b), &add)?;
    std::thread::sleep(Duration::from_millis(5));
    batch(Some(&a), &delete)?;
    std::thread::sleep(Duration::from_millis(50));
    let overlaps = lab.watch.overlaps();
    ensure!(
        overlaps.len() == 1,
        "{} overlaps seen instead of one",
        overlaps.len()
    );
    ensure!(lab.judge().is_err(), "the judge let an overlap pass");
    // What is being handed over may be on both, unless it is kept alive all the same.
    let lives = |seconds: u32| {
        format!("address change {VIP}/32 dev lan0 valid_lft {seconds} preferred_lft {seconds}")
    };
    batch(Some(&b), &lives(2))?;
    batch(Some(&a), &add)?;
    batch(Some(&b), &delete)?;
    batch(Some(&a), &lives(2))?;
    batch(Some(&b), &add)?;
    batch(Some(&a), &lives(3))?;
    batch(Some(&a), &delete)?;
    std::thread::sleep(Duration::from_millis(50));
    let overlaps = lab.watch.overlaps();
    let handed_over: Vec<bool> = overlaps.iter().map(|o| o.handed_over).collect();
    ensure!(
        handed_over == [false, true, false],
        "taken for handed over: {handed_over:?}"
    );
    lab.record
        .allow_overlap("it was made on purpose", Duration::from_secs(1));
    Ok(())
}

fn the_cuts_cut(lab: &mut Lab) -> Outcome {
    let port = Port(Host::A, Wire::Lan);
    let share = |cut: Cut| -> Outcome<f64> {
        lab.net.cut(port, cut)?;
        let share = answered(&lab.net)?;
        lab.net.mend()?;
        resolved(&lab.net)?;
        ensure!(answered(&lab.net)? > 0.99, "{cut:?} was not mended");
        Ok(share)
    };
    for cut in [Cut::Both, Cut::Sent, Cut::Received] {
        let share = share(cut)?;
        ensure!(share == 0.0, "{cut:?} let {share} pass");
    }
    for cut in [Cut::Heartbeats, Cut::HeartbeatsSent] {
        let share = share(cut)?;
        ensure!(
            share > 0.99,
            "{cut:?} let only {share} of other traffic pass"
        );
    }
    // 30 % lost each way leave 49 % of the round trips.
    let left = share(Cut::Percent(30))?;
    ensure!(
        (0.39..0.59).contains(&left),
        "30 % loss each way left {left}"
    );
    lab.net.pull(port)?;
    ensure!(
        answered(&lab.net)? == 0.0,
        "a pulled cable lets traffic pass"
    );
    lab.net.plug(port)?;
    std::thread::sleep(Duration::from_millis(100));
    ensure!(
        answered(&lab.net)? > 0.99,
        "a cable plugged in again does not work"
    );
    heartbeats_are_cut(lab)
}

fn the_tricks_work(lab: &mut Lab) -> Outcome {
    let client = lab.client("10.77.0.11")?;
    client.answered(Some(Host::A), Duration::from_secs(2))?;
    lab.node(Host::A).set_frozen(true);
    std::thread::sleep(Duration::from_millis(50));
    ensure!(
        client.answered(None, Duration::from_millis(300)).is_err(),
        "a frozen node answered"
    );
    lab.node(Host::A).set_frozen(false);
    client.answered(Some(Host::A), Duration::from_secs(1))?;

    let stranger = Stranger::new(lab)?;
    let heartbeat =
        |host: Host| format!("10.88.0.{}:{HEARTBEAT_PORT}", host.number(Wire::Interlink));
    let a = within(&lab.net.netns(Host::A), || {
        UdpSocket::bind(heartbeat(Host::A))
    })?;
    let b = within(&lab.net.netns(Host::B), || {
        UdpSocket::bind(heartbeat(Host::B))
    })?;
    let sender = std::thread::spawn(move || {
        for i in 0..20 {
            std::thread::sleep(Duration::from_millis(10));
            let _ = b.send_to(&[i; 9], heartbeat(Host::A));
        }
    });
    let captured = tricks::capture(lab, 5, Duration::from_secs(1))?;
    ensure!(
        captured.iter().all(|payload| payload.len() == 9),
        "captured {captured:?}"
    );
    sender.join().map_err(|_| "the sender broke")?;
    let payloads = [captured, tricks::rubbish(20)].concat();
    a.set_read_timeout(Some(Duration::from_millis(100)))?;
    let from = now();
    let flood = stranger.flood(Host::A, payloads, 50_000)?;
    let mut arrived = 0u32;
    while now() - from < 1_000_000 {
        let (_, source) = a.recv_from(&mut [0; 2048])?;
        ensure!(
            source.to_string() == heartbeat(Host::B),
            "a datagram from {source}"
        );
        arrived += 1;
    }
    lab.note(format!(
        "{arrived} of {} datagrams arrived in a second",
        flood.sent()
    ));
    ensure!(
        arrived > 30_000,
        "only {arrived} datagrams arrived in a second"
    );
    drop(flood);

    let stranger_mac = mac_text(Host::Stranger.mac(Wire::Lan));
    stranger.claim(VIP)?;
    let unreachable = lab.client(VIP)?;
    std::thread::sleep(Duration::from_millis(200));
    ensure!(
        client_knows(lab, VIP)?.contains(&stranger_mac),
        "the claim is not believed"
    );
    drop(unreachable);
    stranger.yield_claim(VIP)?;
    stranger.proxy_arp()?;
    let proxied = "10.77.0.101";
    let _unreachable = lab.client(proxied)?;
    std::thread::sleep(Duration::from_millis(1200));
    ensure!(
        client_knows(lab, proxied)?.contains(&stranger_mac),
        "the proxy does not answer"
    );
    Ok(())
}

fn the_files_are_good(lab: &mut Lab) -> Outcome {
    let usual = Settings::default;
    for settings in [
        usual(),
        Settings {
            prefer: Some("lb2".into()),
            failback: "auto".into(),
            ..usual()
        },
        Settings {
            interval: "10ms".into(),
            misses: 3,
            keys: vec![KEY.into(), OTHER_KEY.into()],
            ..usual()
        },
        Settings {
            vips: vec![format!("{VIP}/24"), format!("{VIP6}/64")],
            ..usual()
        },
        Settings {
            vips: crate::scenarios::power::vips(1000),
            ..usual()
        },
        Settings {
            gateway_more: GATEWAY_FAST.into(),
            ..usual()
        },
    ] {
        lab.configure(&settings)?;
        ha_appliance::config::load(&lab.node(Host::A).config()).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// What the client's neighbour table says of an address.
fn client_knows(lab: &Lab, address: &str) -> Outcome<String> {
    let netns = lab.net.netns(Host::Client);
    let shown = Command::new("ip")
        .args(["-n", &netns, "neigh", "show", address])
        .output()?;
    Ok(String::from_utf8_lossy(&shown.stdout).into_owned())
}

/// Of the probes to a node's own address, the answered part.
fn answered(net: &crate::net::Net) -> Outcome<f64> {
    let client = Client::start(net, "10.77.0.11", PERIOD)?;
    let from = now();
    std::thread::sleep(Duration::from_millis(400));
    Ok(client.answered_share(from))
}

/// The client knows the node's hardware address again: without an announcement it asks for it only
/// once a second.
fn resolved(net: &crate::net::Net) -> Outcome {
    Client::start(net, "10.77.0.11", PERIOD)?.answered(None, Duration::from_secs(3))?;
    Ok(())
}

/// A datagram to the heartbeat port passes, but not when heartbeats are cut; and one way means one way.
fn heartbeats_are_cut(lab: &mut Lab) -> Outcome {
    let address = |host: Host| format!("10.88.0.{}:{HEARTBEAT_PORT}", host.number(Wire::Interlink));
    let sockets = NODES.map(|host| within(&lab.net.netns(host), || UdpSocket::bind(address(host))));
    let [a, b] = sockets;
    let (a, b) = (a?, b?);
    for socket in [&a, &b] {
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    }
    let passes = |from: &UdpSocket, to: &UdpSocket, host: Host| -> Outcome<bool> {
        from.send_to(b"x", address(host))?;
        Ok(to.recv(&mut [0; 8]).is_ok())
    };
    let port = Port(Host::A, Wire::Interlink);
    for (cut, a_to_b, b_to_a) in [
        (None, true, true),
        (Some(Cut::Heartbeats), false, false),
        (Some(Cut::HeartbeatsSent), false, true),
        (Some(Cut::Sent), false, true),
        (Some(Cut::Received), true, false),
    ] {
        if let Some(cut) = cut {
            lab.net.cut(port, cut)?;
        }
        ensure!(
            passes(&a, &b, Host::B)? == a_to_b,
            "{cut:?}: a to b should pass: {a_to_b}"
        );
        ensure!(
            passes(&b, &a, Host::A)? == b_to_a,
            "{cut:?}: b to a should pass: {b_to_a}"
        );
        lab.net.mend()?;
    }
    Ok(())
}
