//! Peers that disagree, and datagrams that are no heartbeats.

use crate::ensure;
use crate::fake::FakePeer;
use crate::lab::{Lab, Outcome};
use crate::net::Host;
use crate::scenario::{Run::Nodes, Scenario};
use crate::status;
use crate::sys;
use crate::toml::{KEY, OTHER_KEY, Settings};
use crate::tricks::{self, Stranger};
use ha_appliance::wire::heartbeat::Versions;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "flood",
        shows: "100,000 datagrams a second from the peer's address, replayed, random and oversized, at interval 10 ms: nothing but counters",
        run: Nodes(flood),
        limit: (60, 120),
    },
    Scenario {
        name: "other-key",
        shows: "a node with another key is not heard: nothing moves, and it is back when the key is right",
        run: Nodes(other_key),
        limit: (40, 40),
    },
    Scenario {
        name: "key-rotation",
        shows: "the key is changed while the pair runs, without a gap",
        run: Nodes(key_rotation),
        limit: (40, 40),
    },
    Scenario {
        name: "other-wire-version",
        shows: "a peer with the right key that speaks another wire version is refused, which is not silence: nothing moves",
        run: Nodes(other_wire_version),
        limit: (40, 40),
    },
    Scenario {
        name: "other-cluster-name",
        shows: "a peer of another cluster is refused, which is not silence: nothing moves and status says why",
        run: Nodes(other_cluster_name),
        limit: (40, 40),
    },
    Scenario {
        name: "other-node-list",
        shows: "a peer with another node list is refused: nothing moves and status says why",
        run: Nodes(other_node_list),
        limit: (40, 40),
    },
    Scenario {
        name: "other-interval",
        shows: "a peer that sends less often is believed for as long as it announces",
        run: Nodes(other_interval),
        limit: (40, 40),
    },
];

fn flood(lab: &mut Lab) -> Outcome {
    let fast = Settings {
        interval: "10ms".into(),
        ..Settings::default()
    };
    let (holder, client) = lab.pair(&fast)?;
    let mut payloads = tricks::capture(lab, 64, Duration::from_secs(5))?;
    payloads.extend(tricks::rubbish(64));
    let stranger = Stranger::new(lab)?;
    let during = Duration::from_secs(lab.times(5, 30) as u64);
    for target in [holder, holder.peer()] {
        let from = lab.note(format!("flood {}", target.node_name()));
        let flood = stranger.flood(target, payloads.clone(), 100_000)?;
        lab.nothing_moves(holder, during)?;
        let rate = flood.sent() as f64 / sys::since(from).as_secs_f64();
        drop(flood);
        lab.note(format!("{rate:.0} datagrams a second"));
        ensure!(
            rate > 60_000.0,
            "only {rate:.0} datagrams a second went out"
        );
        lab.nothing_moved(holder, from)?;
        client.noticed_nothing(from)?;
        status::wait_until(lab.node(target), "counted", Duration::from_secs(2), |s| {
            ["rejected", "stale"]
                .iter()
                .any(|name| status::counter(s, name) > 1000)
        })?;
    }
    lab.both_alive()
}

fn other_key(lab: &mut Lab) -> Outcome {
    let settings = Settings::default();
    let other = Settings {
        keys: vec![OTHER_KEY.into()],
        ..settings.clone()
    };
    let (holder, _client) = lab.pair(&settings)?;
    let idle = holder.peer();
    restart(lab, idle, &other)?;
    // Past start_wait, past its detection time, and some.
    lab.nothing_moves(holder, Duration::from_secs(6))?;
    restart(lab, idle, &settings)?;
    lab.both_alive()?;
    lab.nothing_moves(holder, Duration::from_secs(1))
}

fn key_rotation(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    let from = lab.note("rotate the key");
    let steps: [&[&str]; 3] = [&[KEY, OTHER_KEY], &[OTHER_KEY, KEY], &[OTHER_KEY]];
    for keys in steps {
        let keys = keys.iter().map(|key| key.to_string()).collect();
        let settings = Settings {
            keys,
            ..Settings::default()
        };
        for host in [holder, holder.peer()] {
            lab.node(host).configure(&settings)?;
            lab.node(host).order(&["reload"])?;
            lab.note(format!("{} has its new keys", host.node_name()));
            std::thread::sleep(Duration::from_millis(1200));
            lab.both_alive()?;
        }
    }
    lab.nothing_moved(holder, from)?;
    client.noticed_nothing(from)?;
    Ok(())
}

fn other_wire_version(lab: &mut Lab) -> Outcome {
    let (holder, _client) = lab.pair(&Settings::default())?;
    lab.node(holder.peer()).stop(Duration::from_secs(5))?;
    lab.note("a peer from the future speaks in its place");
    let fake = FakePeer::start(
        lab,
        holder.peer(),
        Versions {
            lowest: 200,
            highest: 201,
        },
    )?;
    status::wait_until(lab.node(holder), "refused", Duration::from_secs(5), |s| {
        status::peer_state(s) == "refused"
    })?;
    lab.nothing_moves(holder, Duration::from_secs(5))?;
    drop(fake);
    lab.start(holder.peer())?;
    lab.both_alive()?;
    lab.nothing_moves(holder, Duration::from_secs(1))
}

fn other_cluster_name(lab: &mut Lab) -> Outcome {
    refused(
        lab,
        Settings {
            cluster: "another".into(),
            ..Settings::default()
        },
    )
}

fn other_node_list(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    // The list differs in the name of the other node, or the node would not find itself.
    let other = match holder {
        Host::A => Settings {
            first: "lb9".into(),
            ..Settings::default()
        },
        _ => Settings {
            second: "lb9".into(),
            ..Settings::default()
        },
    };
    drop(client);
    lab.reset()?;
    refused(lab, other)
}

fn refused(lab: &mut Lab, other: Settings) -> Outcome {
    let settings = Settings::default();
    let (holder, _client) = lab.pair(&settings)?;
    let idle = holder.peer();
    restart(lab, idle, &other)?;
    for host in [holder, idle] {
        status::wait_until(lab.node(host), "refused", Duration::from_secs(5), |s| {
            status::peer_state(s) == "refused"
        })?;
    }
    lab.nothing_moves(holder, Duration::from_secs(5))?;
    restart(lab, idle, &settings)?;
    lab.both_alive()?;
    lab.nothing_moves(holder, Duration::from_secs(1))
}

fn other_interval(lab: &mut Lab) -> Outcome {
    let settings = Settings::default();
    let (holder, client) = lab.pair(&settings)?;
    let slow = Settings {
        interval: "300ms".into(),
        ..settings
    };
    restart(lab, holder.peer(), &slow)?;
    lab.both_alive()?;
    lab.nothing_moves(holder, Duration::from_secs(4))?;
    let cut = lab.power_cut(holder)?;
    client.answered(Some(holder.peer()), Duration::from_secs(3))?;
    lab.record
        .figure("client outage", client.outage(cut).length());
    Ok(())
}

/// Restarts a node's daemon, cleanly, with another ha.toml.
fn restart(lab: &mut Lab, host: Host, settings: &Settings) -> Outcome {
    lab.note(format!("restart {} with another file", host.node_name()));
    lab.node(host).stop(Duration::from_secs(5))?;
    lab.node(host).configure(settings)?;
    lab.node(host).start()?;
    Ok(())
}
