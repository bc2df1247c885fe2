//! State directories that cannot be written: the pair keeps working, and says so.

use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::net::Host;
use crate::scenario::{Run::Nodes, Scenario};
use crate::status;
use crate::toml::Settings;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "state-read-only",
        shows: "the holder's state directory turns read-only: it hands over to the node that can write",
        run: Nodes(read_only),
        limit: (40, 40),
    },
    Scenario {
        name: "state-full",
        shows: "the disk under the state directory is full: the VIP stays served and single",
        run: Nodes(full),
        limit: (40, 40),
    },
    Scenario {
        name: "state-corrupt",
        shows: "state files full of rubbish are moved aside and reported, and make no second holder",
        run: Nodes(corrupt),
        limit: (40, 40),
    },
];

fn read_only(lab: &mut Lab) -> Outcome {
    unwritable(lab, |state| {
        shell("mount", &["-o", "remount,ro", &state.to_string_lossy()])
    })
}

fn full(lab: &mut Lab) -> Outcome {
    unwritable(lab, |state| {
        // Until "no space left", which is the point.
        let _ = std::fs::write(state.join("ballast"), vec![0; 1 << 20]);
        Ok(())
    })
}

/// A pair on small file systems of their own; the holder's is made unwritable.
fn unwritable(lab: &mut Lab, spoil: fn(&Path) -> Outcome) -> Outcome {
    for host in [Host::A, Host::B] {
        let state = lab.node(host).state();
        shell(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                "size=256k",
                "ha-lab",
                &state.to_string_lossy(),
            ],
        )?;
    }
    let (holder, client) = lab.pair(&Settings::default())?;
    let from = lab.note("the holder's state directory cannot be written any more");
    spoil(&lab.node(holder).state())?;
    std::thread::sleep(Duration::from_secs(2));
    // The peer's death is what makes it want to write; the move, what makes the peer want to.
    lab.node(holder.peer())
        .order(&["failover"])
        .or_else(|refusal| {
            lab.note(format!("failover refused: {refusal}"));
            Ok::<_, String>(String::new())
        })?;
    std::thread::sleep(Duration::from_secs(2));
    lab.settled(Duration::from_secs(3))?;
    lab.reached_at_once(&client)?;
    lab.record
        .figure("client outage", client.outage(from).length());
    status::wait_until(
        lab.node(holder),
        "says that it cannot write",
        Duration::from_secs(15),
        status::state_unwritable,
    )
}

fn corrupt(lab: &mut Lab) -> Outcome {
    let (holder, client) = lab.pair(&Settings::default())?;
    let idle = holder.peer();
    lab.node(idle).kill();
    lab.note("overwrite every state file of the idle node");
    for entry in std::fs::read_dir(lab.node(idle).state())? {
        let path = entry?.path();
        if path.is_file() {
            std::fs::write(path, b"\xff{ no such thing")?;
        }
    }
    let from = lab.start(idle)?;
    lab.both_alive()?;
    lab.nothing_moves(holder, Duration::from_secs(3))?;
    lab.nothing_moved(holder, from)?;
    ensure!(
        lab.node(idle).runs(),
        "the daemon ended over a corrupt file"
    );
    let cut = lab.power_cut(holder)?;
    client.answered(Some(idle), Duration::from_secs(5))?;
    lab.record
        .figure("power loss then", client.outage(cut).length());
    Ok(())
}

fn shell(program: &str, arguments: &[&str]) -> Outcome {
    let status = Command::new(program).args(arguments).status()?;
    ensure!(status.success(), "{program} {arguments:?} gave {status}");
    Ok(())
}
