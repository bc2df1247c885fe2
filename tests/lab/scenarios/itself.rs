//! The lab on trial: it must see what it is there to see, or all its passes mean nothing.

use crate::client::{Client, PERIOD};
use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::net::{Cut, HEARTBEAT_PORT, Host, NODES, Port, VIP, Wire, batch};
use crate::scenario::Scenario;
use crate::sys::{now, within};
use std::net::UdpSocket;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "the-judge-bites",
        shows: "the lab itself: an address held by both nodes for a moment is found, and condemned",
        run: the_judge_bites,
        limit: (10, 10),
    },
    Scenario {
        name: "the-cuts-cut",
        shows: "the lab itself: each kind of cut loses what it says, and mending ends it",
        run: the_cuts_cut,
        limit: (20, 20),
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
    lab.record
        .allow_overlap("it was made on purpose", Duration::from_secs(1));
    lab.judge()
}

fn the_cuts_cut(lab: &mut Lab) -> Outcome {
    let port = Port(Host::A, Wire::Lan);
    let share = |cut: Cut| -> Outcome<f64> {
        lab.net.cut(port, cut)?;
        let share = answered(&lab.net)?;
        lab.net.mend()?;
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

/// Of the probes to a node's own address, the answered part.
fn answered(net: &crate::net::Net) -> Outcome<f64> {
    let client = Client::start(net, "10.77.0.11", PERIOD)?;
    let from = now();
    std::thread::sleep(Duration::from_millis(400));
    Ok(client.answered_share(from))
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
