//! Daemons that die or hang, and nodes that freeze: the layers below the daemon must hold.

use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::scenario::{Run::Nodes, Scenario};
use crate::sys;
use crate::toml::Settings;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "daemon-killed",
        shows: "the holder's daemon is killed and restarted as systemd does it: the client sees nothing",
        run: Nodes(daemon_killed),
        limit: (40, 120),
    },
    Scenario {
        name: "idle-daemon-killed",
        shows: "the idle node's daemon is killed and restarted: nothing moves",
        run: Nodes(idle_daemon_killed),
        limit: (40, 120),
    },
    Scenario {
        name: "daemon-hung",
        shows: "the holder's daemon hangs for 10 s and goes on: the kernel ends its VIP, the peer takes over, never both",
        run: Nodes(daemon_hung),
        limit: (60, 120),
    },
    Scenario {
        name: "node-frozen",
        shows: "every process of the holder freezes for 10 s and thaws: never both hold the VIP",
        run: Nodes(node_frozen),
        limit: (60, 120),
    },
];

fn daemon_killed(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    for _ in 0..lab.times(3, 20) {
        let killed = lab.note(format!("SIGKILL to the daemon of {}", holder.node_name()));
        lab.node(holder).kill();
        lab.random_phase(Duration::from_millis(100));
        lab.start(holder)?;
        lab.both_alive()?;
        lab.nothing_moves(holder, Duration::from_secs(4))?;
        let outage = client.outage(killed).length();
        lab.record.figure("client outage", outage);
        client.noticed_nothing(killed)?;
    }
    Ok(())
}

fn idle_daemon_killed(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    for _ in 0..lab.times(2, 20) {
        let killed = lab.note("SIGKILL to the idle daemon");
        lab.node(holder.peer()).kill();
        lab.random_phase(Duration::from_millis(2000));
        lab.start(holder.peer())?;
        lab.both_alive()?;
        lab.nothing_moves(holder, Duration::from_secs(2))?;
        lab.nothing_moved(holder, killed)?;
        client.noticed_nothing(killed)?;
    }
    Ok(())
}

fn daemon_hung(lab: &mut Lab) -> Outcome {
    for _ in 0..lab.times(1, 5) {
        let (holder, client) = lab.pair(&Settings::default())?;
        lab.random_phase(Duration::from_secs(1));
        let hung = lab.note(format!("SIGSTOP to the daemon of {}", holder.node_name()));
        lab.node(holder).signal(libc::SIGSTOP);
        std::thread::sleep(Duration::from_secs(10).saturating_sub(sys::since(hung)));
        lab.node(holder).signal(libc::SIGCONT);
        lab.note("SIGCONT");
        lab.both_alive()?;
        lab.settled(Duration::from_secs(5))?;
        lab.reached_at_once(&client)?;
        std::thread::sleep(Duration::from_secs(2));
        let outage = client.outage(hung).length();
        lab.record.figure("client outage", outage);
        ensure!(
            outage < Duration::from_secs(2),
            "the client was without answer for {outage:?}"
        );
        drop(client);
        lab.reset()?;
    }
    Ok(())
}

fn node_frozen(lab: &mut Lab) -> Outcome {
    for _ in 0..lab.times(1, 5) {
        let (holder, client) = lab.pair(&Settings::default())?;
        lab.random_phase(Duration::from_secs(1));
        let frozen = lab.note(format!("freeze every process of {}", holder.node_name()));
        lab.node(holder).set_frozen(true);
        std::thread::sleep(Duration::from_secs(10).saturating_sub(sys::since(frozen)));
        lab.node(holder).set_frozen(false);
        lab.note("thaw");
        lab.both_alive()?;
        lab.settled(Duration::from_secs(5))?;
        lab.reached_at_once(&client)?;
        std::thread::sleep(Duration::from_secs(2));
        // The echo responder is frozen too, so this one begins at the freeze and not at the
        // address's end.
        lab.record
            .figure("client outage", client.outage(frozen).length());
        drop(client);
        lab.reset()?;
    }
    Ok(())
}
