//! The figures: what a client loses, beside keepalived in the same run on the same machine.
//!
//! Absolute times move with the machine, so no test asserts them; ratios within one run tell.

use crate::client::Client;
use crate::contender::Contender;
use crate::figures;
use crate::lab::{Lab, Outcome};
use crate::load;
use crate::net::{Host, NODES, Port, VIP, Wire};
use crate::record::{Record, median, seconds};
use crate::sys::{self, now};
use crate::usage;
use argh::FromArgs;
use std::collections::HashMap;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

/// A fault: its name, and how the outage it causes is measured.
type Fault = (&'static str, fn(&mut Trial) -> Outcome<Option<Duration>>);

const FAULTS: &[Fault] = &[
    ("power loss", power_loss),
    ("planned move", planned_move),
    ("cable pulled", cable_pulled),
    ("LAN silently dead", lan_dead),
    ("VIP deleted", vip_deleted),
    ("hung daemon", hung_daemon),
    ("start of both", start_of_both),
];

const CONTENDERS: [(&str, Contender); 4] = [
    (
        "ha",
        Contender::Appliance {
            interval: 100,
            misses: 5,
        },
    ),
    ("keepalived", Contender::Keepalived { advert: 100 }),
    (
        "ha",
        Contender::Appliance {
            interval: 10,
            misses: 3,
        },
    ),
    ("keepalived", Contender::Keepalived { advert: 1 }),
];

/// Nobody waits longer for a recovery than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// One measurement of one contender.
struct Trial<'a> {
    lab: &'a mut Lab,
    contender: Contender,
    pids: HashMap<Host, u32>,
}

/// What a client loses with each fault, beside keepalived in the same run.
#[derive(FromArgs)]
struct Words {
    /// how often each fault is made (10)
    #[argh(option, default = "10")]
    runs: usize,
    /// one contender alone: ha or keepalived
    #[argh(option, from_str_fn(contender))]
    only: Option<&'static str>,
    /// leave out what an idle node costs
    #[argh(switch)]
    no_idle: bool,
    /// a fault by its name, in quotes (all); `services`: nginx and its VIP on whole machines; `load`: no fault,
    /// but busy loops and containers that come and go, 15 s a run
    #[argh(positional, from_str_fn(fault))]
    faults: Vec<&'static str>,
}

/// What stands for the other table.
const SERVICES: &str = "services";

/// What stands for the line of those that bear a load.
const LOAD: &str = "load";
const LOAD_A_RUN: Duration = Duration::from_secs(15);

/// `lab bench`, with the words after it.
pub fn main(words: &[&str]) -> ExitCode {
    let words = match Words::from_args(&["scripts/bench"], words) {
        Ok(words) => words,
        Err(early) if early.status.is_ok() => {
            println!("{}", early.output.trim_end());
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("{}", wrong.output.trim_end());
            return ExitCode::FAILURE;
        }
    };
    if words.faults.contains(&SERVICES) {
        return figures::main(words.runs);
    }
    let record = Record::new(true);
    match bench(&record, &words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench: {e}\n{}", record.diagnosis());
            ExitCode::FAILURE
        }
    }
}

fn contender(word: &str) -> Result<&'static str, String> {
    let mut names = CONTENDERS.iter().map(|(name, _)| *name);
    let found = names.find(|name| *name == word);
    found.ok_or_else(|| "is neither ha nor keepalived".to_string())
}

fn fault(word: &str) -> Result<&'static str, String> {
    let known: Vec<&str> = FAULTS.iter().map(|(name, _)| *name).collect();
    let mut words = known.iter().chain([&SERVICES, &LOAD]);
    let found = words.find(|name| **name == word);
    found
        .copied()
        .ok_or_else(|| format!("is none of: {}, {SERVICES}, {LOAD}", known.join(", ")))
}

fn bench(record: &Arc<Record>, words: &Words) -> Outcome {
    let runs = words.runs;
    let contenders: Vec<Contender> = CONTENDERS
        .iter()
        .filter(|(name, _)| words.only.is_none_or(|only| only == *name))
        .map(|(_, contender)| *contender)
        .collect();
    let wanted = |name: &str| words.faults.is_empty() || words.faults.contains(&name);
    let mut lab = Lab::new(record.clone())?;
    if words.faults.contains(&LOAD) {
        let during = LOAD_A_RUN * u32::try_from(runs)?;
        println!("{} of load, nothing broken", seconds(during));
        // The quickest, which have the least time, first.
        for contender in contenders.into_iter().rev() {
            let told = load::bear(&mut lab, contender, during)?;
            println!("{:<20}{told}", contender.name());
        }
        return Ok(());
    }
    println!("client outage, UDP probe every 0.5 ms, median (longest) of {runs};");
    println!("\"both!\": both nodes held the VIP for a while");
    row("", contenders.iter().map(|c| c.name()));
    for (name, measure) in FAULTS.iter().filter(|(name, _)| wanted(name)) {
        let mut cells = Vec::new();
        for &contender in &contenders {
            cells.push(measure_all(&mut lab, contender, runs, *measure)?);
        }
        row(name, cells.into_iter());
    }
    println!(
        "{:<20}{}",
        "fsync of the state",
        seconds(median(&fsyncs(&mut lab, 20)?))
    );
    if !words.no_idle {
        println!("\none idle node that holds the VIP, over 20 s");
        for &contender in &contenders {
            let mut trial = Trial {
                lab: &mut lab,
                contender,
                pids: HashMap::new(),
            };
            trial.fresh()?;
            let (holder, _client) = trial.up()?;
            println!(
                "{:<20}{}",
                contender.name(),
                usage::measure(trial.pids[&holder], Duration::from_secs(20))?
            );
        }
    }
    for path in [crate::node::Node::program(), "/usr/sbin/keepalived".into()] {
        let size = std::fs::metadata(&path).map_or(0, |m| m.len());
        println!("{:<44}{:.2} MB", path.display(), size as f64 / 1e6);
    }
    Ok(())
}

fn measure_all(
    lab: &mut Lab,
    contender: Contender,
    runs: usize,
    measure: fn(&mut Trial) -> Outcome<Option<Duration>>,
) -> Outcome<String> {
    let mut found = Vec::new();
    let overlaps = lab.watch.overlaps().len();
    for _ in 0..runs {
        let mut trial = Trial {
            lab,
            contender,
            pids: HashMap::new(),
        };
        trial.fresh()?;
        found.push(measure(&mut trial)?);
        // Where nobody notices at all, once is enough.
        if found.last() == Some(&None) {
            return Ok(format!("> {}", seconds(PATIENCE)));
        }
    }
    let values: Vec<Duration> = found.into_iter().flatten().collect();
    let longest = values.iter().max().copied().unwrap_or_default();
    let both = if lab.watch.overlaps().len() > overlaps {
        " both!"
    } else {
        ""
    };
    Ok(format!(
        "{} ({}){both}",
        seconds(median(&values)),
        seconds(longest)
    ))
}

impl Trial<'_> {
    fn fresh(&mut self) -> Outcome {
        self.lab.reset()?;
        for host in NODES {
            self.contender.configure(self.lab, host)?;
        }
        Ok(())
    }

    fn start(&mut self) -> Outcome {
        for host in NODES {
            let pid = self.contender.start(self.lab, host)?;
            self.pids.insert(host, pid);
        }
        Ok(())
    }

    /// Both up and settled, at a random phase of their timers.
    fn up(&mut self) -> Outcome<(Host, Client)> {
        self.start()?;
        let client = self.lab.client(VIP)?;
        client.answered(None, PATIENCE)?;
        let holder = self.lab.settled(PATIENCE)?;
        std::thread::sleep(self.contender.settle());
        self.lab.random_phase(Duration::from_secs(1));
        Ok((holder, client))
    }
}

/// The outage since `from`, once answers have come back for a while.
fn recovered(client: &Client, from: sys::Micros, by: Option<Host>) -> Option<Duration> {
    client.answered(by, PATIENCE).ok()?;
    std::thread::sleep(Duration::from_millis(300));
    Some(client.outage(from).length())
}

fn power_loss(trial: &mut Trial) -> Outcome<Option<Duration>> {
    let (holder, client) = trial.up()?;
    let at = trial.lab.power_cut(holder)?;
    Ok(recovered(&client, at, Some(holder.peer())))
}

fn planned_move(trial: &mut Trial) -> Outcome<Option<Duration>> {
    let (holder, client) = trial.up()?;
    let at = now();
    trial
        .contender
        .move_away(trial.lab, holder, trial.pids[&holder])?;
    Ok(recovered(&client, at, Some(holder.peer())))
}

fn cable_pulled(trial: &mut Trial) -> Outcome<Option<Duration>> {
    let (holder, client) = trial.up()?;
    let at = now();
    trial.lab.net.pull(Port(holder, Wire::Lan))?;
    Ok(recovered(&client, at, Some(holder.peer())))
}

fn lan_dead(trial: &mut Trial) -> Outcome<Option<Duration>> {
    let (holder, client) = trial.up()?;
    let at = now();
    trial
        .lab
        .net
        .cut(Port(holder, Wire::Lan), crate::net::Cut::Both)?;
    Ok(recovered(&client, at, Some(holder.peer())))
}

fn vip_deleted(trial: &mut Trial) -> Outcome<Option<Duration>> {
    let (holder, client) = trial.up()?;
    let at = now();
    delete_vip(trial.lab, holder)?;
    // By the same node or by the other: what counts is that somebody answers again.
    std::thread::sleep(Duration::from_millis(20));
    Ok(recovered(&client, at, None))
}

fn hung_daemon(trial: &mut Trial) -> Outcome<Option<Duration>> {
    let (holder, client) = trial.up()?;
    let at = now();
    usage::tree(trial.pids[&holder])
        .into_iter()
        .for_each(|pid| sys::kill(pid, libc::SIGSTOP));
    std::thread::sleep(Duration::from_secs(8));
    Ok(recovered(&client, at, None))
}

fn start_of_both(trial: &mut Trial) -> Outcome<Option<Duration>> {
    let client = trial.lab.client(VIP)?;
    let at = now();
    trial.start()?;
    let answered = client.answered(None, PATIENCE).ok();
    Ok(answered.map(|(sent, _)| Duration::from_micros(sent - at)))
}

/// Deletes the VIP behind the holder's back, whatever prefix it was installed with.
pub fn delete_vip(lab: &Lab, holder: Host) -> Outcome {
    let netns = lab.net.netns(holder);
    let shown = Command::new("ip")
        .args(["-n", &netns, "-o", "-4", "addr", "show", "lan0"])
        .output()?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let wanted = format!("{VIP}/");
    let address = shown
        .split_whitespace()
        .find(|word| word.starts_with(&wanted));
    let address = address.ok_or("the VIP is not there to be deleted")?;
    Ok(crate::net::batch(
        Some(&netns),
        &format!("addr del {address} dev lan0\n"),
    )?)
}

/// How long it takes to write a small file durably where the nodes keep their state.
fn fsyncs(lab: &mut Lab, times: usize) -> Outcome<Vec<Duration>> {
    let directory = lab.node(Host::A).state();
    let mut found = Vec::new();
    for i in 0..times {
        let path = directory.join("fsync");
        let from = now();
        let file = std::fs::File::create(&path)?;
        std::io::Write::write_all(&mut &file, format!("{i}").repeat(200).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&path, directory.join("fsynced"))?;
        std::fs::File::open(&directory)?.sync_all()?;
        found.push(sys::since(from));
    }
    Ok(found)
}

fn row(name: &str, cells: impl Iterator<Item = String>) {
    let cells: String = cells.map(|cell| format!("{cell:<26}")).collect();
    println!("{name:<20}{}", cells.trim_end());
}
