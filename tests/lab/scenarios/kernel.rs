//! The kernel keeps the daemon waiting, or does not answer: its network lock is held by others, its tables
//! change while they are read, a port is taken.

use crate::ensure;
use crate::hold;
use crate::lab::{Lab, Outcome};
use crate::net::{HEARTBEAT_PORT, Host, NODES, VIP, Wire, batch};
use crate::scenario::{Run::Nodes, Scenario};
use crate::status;
use crate::sys::{self, now, within};
use crate::toml::Settings;
use crate::tricks;
use crate::watch::{Change, Event};
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "rtnl-held",
        shows: "somebody holds the kernel's network lock for 200 ms: no heartbeat is late by more than an interval; for 600 ms while the VIP is renewed: the same; in the long run for 4 s, beyond the VIP's lifetime: it stays",
        run: Nodes(rtnl_held),
        limit: (40, 60),
    },
    Scenario {
        name: "addresses-by-the-hundred",
        shows: "somebody adds and deletes addresses all the time: nobody moves unless told to, no move fails and no daemon ends",
        run: Nodes(addresses_by_the_hundred),
        limit: (60, 120),
    },
    Scenario {
        name: "no-descriptors",
        shows: "the daemon can open nothing any more: it goes on, puts the VIP back, announces it, and a link that comes back is opened once it can be",
        run: Nodes(no_descriptors),
        limit: (60, 60),
    },
    Scenario {
        name: "port-taken",
        shows: "the heartbeats' port is taken at the start: log and status say so, and it is opened once it is free",
        run: Nodes(port_taken),
        limit: (40, 40),
    },
];

const INTERVAL: Duration = Duration::from_millis(50);

fn rtnl_held(lab: &mut Lab) -> Outcome {
    let settings = Settings {
        interval: "50ms".into(),
        ..Settings::default()
    };
    let (holder, client) = lab.pair(&settings)?;
    let from = now();
    for host in [holder, holder.peer()] {
        for _ in 0..lab.times(3, 20) {
            // A renewal takes the lock itself, once a second: not what is asked here.
            renewed(lab, holder, Duration::from_secs(3))?;
            let heard = tricks::Heartbeats::of(lab, host)?;
            lab.note("the network lock is held");
            hold::rtnl(Duration::from_millis(200))?;
            let late = heard.longest_gap(INTERVAL * 3)?.saturating_sub(INTERVAL);
            lab.record.figure("heartbeats late by", late);
            ensure!(
                late <= INTERVAL,
                "a heartbeat of {} was late by {late:?}",
                host.node_name()
            );
        }
    }
    // A renewal does wait for it, and nobody else does.
    held_over_a_renewal(lab, holder, Duration::from_millis(600))?;
    lab.nothing_moved(holder, from)?;
    client.noticed_nothing(from)?;
    if lab.times(0, 1) > 0 {
        // Once it is free, the kernel may take the address away by the clock of before, if renewed or not.
        let from = now();
        held_over_a_renewal(lab, holder, Duration::from_secs(4))?;
        client.answered(Some(holder), Duration::from_secs(1))?;
        let outage = client.outage(from).length();
        lab.record.figure("client outage", outage);
        ensure!(
            outage < Duration::from_millis(100),
            "the outage was {outage:?}"
        );
        let told = lab.node(holder).order(&["history"])?;
        ensure!(!told.contains("→ stopping"), "it stopped:\n{told}");
    }
    Ok(())
}

/// The network lock is held for so long, and the VIP is to be renewed meanwhile.
fn held_over_a_renewal(lab: &mut Lab, holder: Host, during: Duration) -> Outcome {
    renewed(lab, holder, Duration::from_secs(3))?;
    std::thread::sleep(Duration::from_millis(800));
    let heard = tricks::Heartbeats::of(lab, holder)?;
    lab.note("the network lock is held while the VIP is renewed");
    hold::rtnl(during)?;
    let late = heard.longest_gap(INTERVAL * 3)?.saturating_sub(INTERVAL);
    lab.record.figure("heartbeats late by", late);
    ensure!(late <= INTERVAL, "a heartbeat was late by {late:?}");
    lab.both_alive()
}

/// Waits until the VIP has just been renewed.
fn renewed(lab: &Lab, holder: Host, limit: Duration) -> Outcome {
    let from = now();
    let just = |e: &Event| e.at >= from && e.host == holder && e.change == Change::Renewed;
    while sys::since(from) < limit {
        if lab.watch.events().iter().any(just) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err("the VIP is not renewed".into())
}

fn addresses_by_the_hundred(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    let from = now();
    let churn = Churn::start(lab)?;
    std::thread::sleep(Duration::from_secs(lab.times(3, 30) as u64));
    for host in NODES {
        let name = host.node_name();
        ensure!(lab.node(host).runs(), "the daemon of {name} has ended");
    }
    let of_vip = |e: &&Event| e.at >= from && e.address.to_string() == VIP;
    let events = lab.watch.events();
    let mut moved = events.iter().filter(of_vip);
    ensure!(moved.all(|e| e.change == Change::Renewed), "the VIP moved");
    client.noticed_nothing(from)?;
    let mut holder = holder;
    for _ in 0..lab.times(10, 100) {
        let moved = lab.note("move it by hand");
        lab.node(holder).order(&["failover"])?;
        holder = holder.peer();
        client.answered(Some(holder), Duration::from_secs(2))?;
        lab.record.figure("moved", client.outage(moved).length());
    }
    drop(churn);
    std::thread::sleep(Duration::from_secs(1));
    let deleted = lab.note("delete the VIP");
    crate::bench::delete_vip(lab, holder)?;
    client.answered(Some(holder), Duration::from_secs(2))?;
    let outage = client.outage(deleted).length();
    lab.record.figure("then put back", outage);
    Ok(())
}

/// Somebody who adds and deletes addresses on both nodes, until dropped.
struct Churn {
    over: Arc<AtomicBool>,
    jobs: Vec<JoinHandle<io::Result<()>>>,
}

impl Churn {
    /// Begins with thousands that stay: then a dump takes several reads, between which others come and go.
    fn start(lab: &Lab) -> Outcome<Churn> {
        let over = Arc::<AtomicBool>::default();
        let mut jobs = Vec::new();
        for host in NODES {
            let netns = lab.net.netns(host);
            let all: String = (0..2000).map(|n| foreign(host, "add", n)).collect();
            batch(Some(&netns), &all)?;
            let one = |n| foreign(host, "del", n) + &foreign(host, "add", n);
            let some: String = (0..500).map(one).collect();
            let over = over.clone();
            jobs.push(std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    batch(Some(&netns), &some)?;
                }
                Ok(())
            }));
        }
        Ok(Churn { over, jobs })
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.jobs.drain(..).for_each(|job| drop(job.join()));
    }
}

/// A line for `ip -batch` about an address that is none of the appliance's.
fn foreign(host: Host, verb: &str, n: u32) -> String {
    let net = 10 * u32::from(host.number(Wire::Interlink)) + n / 250;
    format!("addr {verb} 10.99.{net}.{}/32 dev il0\n", n % 250 + 1)
}

fn no_descriptors(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    lab.net.remember_neighbours(Host::Client)?;
    let pid = lab.node(holder).pid().ok_or("no daemon")?;
    let usual = sys::limit_descriptors(pid, 0)?;
    let from = lab.note("the daemon can open nothing any more");
    crate::bench::delete_vip(lab, holder)?;
    client.answered(Some(holder), Duration::from_secs(2))?;
    let netns = lab.net.netns(holder);
    batch(Some(&netns), "link set lan0 address 02:77:00:00:01:01\n")?;
    client.answered(Some(holder), Duration::from_secs(2))?;
    let number = holder.number(Wire::Interlink);
    // The other link carries on.
    batch(
        Some(&netns),
        &format!("addr del 10.88.0.{number}/30 dev il0\n"),
    )?;
    std::thread::sleep(Duration::from_millis(300));
    batch(
        Some(&netns),
        &format!("addr add 10.88.0.{number}/30 dev il0\n"),
    )?;
    std::thread::sleep(Duration::from_secs(2));
    ensure!(lab.node(holder).runs(), "the daemon has ended");
    ensure!(lab.watch.holders(VIP) == [holder], "the VIP moved");
    let outage = client.outage(from).length();
    lab.record.figure("client outage", outage);
    ensure!(outage < Duration::from_secs(1), "the outage was {outage:?}");
    sys::limit_descriptors(pid, usual)?;
    lab.note("it can open files again");
    let own = format!("10.88.0.{number}");
    status::wait_until(
        lab.node(holder),
        "the link again",
        Duration::from_secs(3),
        |s| {
            status::path(s, &own) == (Some(true), Some(true))
                && !status::notices(s)
                    .iter()
                    .any(|notice| notice.contains(&own))
        },
    )
}

fn port_taken(lab: &mut Lab) -> Outcome {
    let settings = Settings::default();
    lab.configure(&settings)?;
    let netns = lab.net.netns(Host::A);
    let taken = within(&netns, || UdpSocket::bind(("10.88.0.1", HEARTBEAT_PORT)))?;
    lab.note("another program has the port");
    for host in NODES {
        lab.start(host)?;
    }
    let said = "UDP port 5405 of 10.88.0.1 is taken by another program";
    status::wait_until(lab.node(Host::A), said, Duration::from_secs(5), |s| {
        status::notices(s)
            .iter()
            .any(|notice| notice.contains(said))
    })?;
    drop(taken);
    lab.note("it is free again");
    lab.both_alive()?;
    status::wait_until(
        lab.node(Host::A),
        "nothing to say",
        Duration::from_secs(2),
        |s| {
            !status::notices(s)
                .iter()
                .any(|notice| notice.contains(said))
        },
    )
}
