//! Who starts first, together, alone, again.

use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::net::{Host, NODES, VIP};
use crate::scenario::{Run::Nodes, Scenario};
use crate::sys;
use crate::toml::Settings;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "start-together",
        shows: "both start at random offsets, with state kept and wiped and either preferred: exactly one holds the VIP, each time",
        run: Nodes(start_together),
        limit: (200, 600),
    },
    Scenario {
        name: "start-alone",
        shows: "one starts alone: new to its peer it waits for it, knowing it it takes the group; the other comes later and nothing moves",
        run: Nodes(start_alone),
        limit: (60, 60),
    },
    Scenario {
        name: "both-stopped",
        shows: "both are stopped, either last, and either returns first: it serves, and keeps serving when the other returns",
        run: Nodes(both_stopped),
        limit: (90, 90),
    },
];

fn start_together(lab: &mut Lab) -> Outcome {
    let preferences = [None, Some("lb1"), Some("lb2")];
    let mut wiped = true;
    for round in 0..lab.times(50, 200) {
        let prefer = preferences[round % 3].map(String::from);
        lab.configure(&Settings {
            prefer: prefer.clone(),
            ..Settings::default()
        })?;
        let first = if sys::random(2) == 0 {
            Host::A
        } else {
            Host::B
        };
        let client = lab.client(VIP)?;
        let from = lab.start(first)?;
        lab.random_phase(Duration::from_millis(if round % 2 == 0 { 30 } else { 600 }));
        lab.start(first.peer())?;
        let (sent, _) = client.answered(None, Duration::from_secs(5))?;
        let holder = lab.settled(Duration::from_secs(5))?;
        lab.record
            .figure("start until answered", Duration::from_micros(sent - from));
        if wiped {
            // Epoch 0 belongs to the preferred node, else to the first in the file.
            let due = prefer.as_deref().unwrap_or("lb1");
            ensure!(
                holder.node_name() == due,
                "{} started instead of {due}",
                holder.node_name()
            );
        }
        lab.both_alive()?;
        drop(client);
        wiped = sys::random(2) == 0;
        if wiped {
            lab.note("state is wiped");
            lab.reset()?;
        } else {
            lab.note("state is kept");
            lab.reset_keeping_state()?;
        }
    }
    Ok(())
}

fn start_alone(lab: &mut Lab) -> Outcome {
    lab.configure(&Settings::default())?;
    for first in NODES {
        lab.start(first)?;
        std::thread::sleep(Duration::from_secs(4));
        ensure!(
            lab.watch.holders(VIP).is_empty(),
            "{} took the group although it can tell nothing of its peer",
            first.node_name()
        );
        lab.start(first.peer())?;
        lab.settled(Duration::from_secs(5))?;
        lab.both_alive()?;
        // Now it knows its peer; after a power cut of both it comes back alone.
        std::thread::sleep(Duration::from_secs(2));
        lab.reset_keeping_state()?;
        let from = lab.start(first)?;
        let client = lab.client(VIP)?;
        let (sent, _) = client.answered(Some(first), Duration::from_secs(8))?;
        lab.record
            .figure("alone until answered", Duration::from_micros(sent - from));
        lab.start(first.peer())?;
        lab.both_alive()?;
        lab.nothing_moves(first, Duration::from_secs(2))?;
        drop(client);
        lab.reset()?;
    }
    Ok(())
}

fn both_stopped(lab: &mut Lab) -> Outcome {
    for (last, first) in NODES
        .into_iter()
        .flat_map(|last| NODES.map(|first| (last, first)))
    {
        let (_, client) = lab.pair(&Settings::default())?;
        std::thread::sleep(Duration::from_secs(1));
        for host in [last.peer(), last] {
            lab.note(format!("stop the daemon of {}", host.node_name()));
            lab.node(host).stop(Duration::from_secs(5))?;
        }
        ensure!(
            lab.watch.holders(VIP).is_empty(),
            "a stopped pair holds the VIP"
        );
        lab.start(first)?;
        client.answered(Some(first), Duration::from_secs(8))?;
        lab.start(first.peer())?;
        lab.both_alive()?;
        lab.nothing_moves(first, Duration::from_secs(2))?;
        drop(client);
        lab.reset()?;
    }
    Ok(())
}
