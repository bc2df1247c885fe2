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
        name: "state-fills",
        shows: "the disk fills in the middle of a write, at any point of it: served on, said, and well once there is room",
        run: Nodes(fills),
        limit: (60, 60),
    },
    Scenario {
        name: "run-full",
        shows: "the run directory is full: the VIP is served, orders are answered, status is fresh",
        run: Nodes(run_full),
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

/// Pages that are left when the write comes: none, one for the file's name or its first bytes, and so on.
const LEFT: [usize; 3] = [0, 1, 2];

fn fills(lab: &mut Lab) -> Outcome {
    for host in [Host::A, Host::B] {
        small(&lab.node(host).state(), "128k")?;
    }
    let (_, client) = lab.pair(&Settings::default())?;
    for left in LEFT {
        let holder = lab.settled(Duration::from_secs(3))?;
        let from = lab.note(format!("the peer's disk is full but for {left} pages"));
        let peer = holder.peer();
        let ballast = lab.node(peer).state().join("ballast");
        fill(&ballast, left)?;
        // It needs a token that it cannot write, wherever in the write the disk ends.
        let _ = lab.node(holder).order(&["failover"]);
        std::thread::sleep(Duration::from_secs(1));
        lab.settled(Duration::from_secs(5))?;
        lab.reached_at_once(&client)?;
        lab.record
            .figure("client outage", client.outage(from).length());
        let state = std::fs::read_dir(lab.node(peer).state())?.flatten();
        let torn = state.filter(|e| e.file_name().to_string_lossy().contains("tmp"));
        ensure!(torn.count() == 0, "half a state is left");
        lab.note("there is room again");
        std::fs::remove_file(ballast)?;
        let well = |s: &serde_json::Value| !status::state_unwritable(s);
        status::wait_until(
            lab.node(peer),
            "writes again",
            Duration::from_secs(15),
            well,
        )?;
        lab.both_alive()?;
        // What was written there is right: both agree, and a move succeeds.
        let holder = lab.settled(Duration::from_secs(3))?;
        lab.node(holder).order(&["failover"])?;
        client.answered(Some(holder.peer()), Duration::from_secs(5))?;
    }
    Ok(())
}

fn run_full(lab: &mut Lab) -> Outcome {
    for host in [Host::A, Host::B] {
        std::fs::create_dir_all(lab.node(host).run())?;
        small(&lab.node(host).run(), "64k")?;
    }
    let (mut holder, client) = lab.pair(&Settings::default())?;
    let from = lab.note("both run directories are full");
    for host in [Host::A, Host::B] {
        fill(&lab.node(host).run().join("ballast"), 0)?;
    }
    std::thread::sleep(Duration::from_secs(4));
    for _ in 0..3 {
        lab.node(holder).order(&["status"])?;
        lab.node(holder).order(&["failover"])?;
        holder = holder.peer();
        client.answered(Some(holder), Duration::from_secs(3))?;
    }
    lab.record
        .figure("client outage", client.outage(from).length());
    lab.reached_at_once(&client)
}

fn small(dir: &Path, size: &str) -> Outcome {
    let options = format!("size={size},mode=755");
    shell(
        "mount",
        &[
            "-t",
            "tmpfs",
            "-o",
            &options,
            "ha-lab",
            &dir.to_string_lossy(),
        ],
    )
}

/// Takes all pages but some.
fn fill(ballast: &Path, left: usize) -> Outcome {
    const PAGE: u64 = 4096;
    let _ = std::fs::write(ballast, vec![0; 1 << 20]);
    let size = std::fs::metadata(ballast)?.len();
    let file = std::fs::File::options().write(true).open(ballast)?;
    Ok(file.set_len((size / PAGE).saturating_sub(left as u64) * PAGE)?)
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
