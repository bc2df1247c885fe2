//! The tour: a pair of nginx boxes, one fault after another, told for somebody who sees this for
//! the first time: what was done, what the daemons say about it, what the client saw.

use crate::client::Client;
use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::machine::Machine;
use crate::net::{Host, NODES};
use crate::pair::Pair;
use crate::readme::{self, Step};
use crate::record::Record;
use crate::sys::{self, Micros, now};
use crate::system::System;
use crate::topology::README;
use serde_json::Value;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Runs the tour; it ends by itself and leaves nothing.
pub fn main() -> ExitCode {
    let record = Record::new(false);
    match tour(&record) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("demo: {e}\n{}", record.diagnosis());
            ExitCode::FAILURE
        }
    }
}

fn tour(record: &Arc<Record>) -> Outcome {
    text(&format!(
        "Two boxes, lb1 and lb2: whole Debian systems in containers, with systemd and nginx, on one\n\
         network with a gateway and a client. A cable of their own joins them, the interlink: there\n\
         each tells the other ten times a second that it lives. Users know one address, the virtual\n\
         IP {}. Exactly one box may hold it and run nginx: the one that has the token, a\n\
         numbered right which is handed over, or taken when the other box is silent. Lines with a\n\
         time are the daemons' own history, in milliseconds since the chapter began. A client gets\n\
         a page over the virtual IP 200 times a second, each time over a new connection.",
        README.vip
    ));
    let start = now();
    let mut pair = Lab::build(record.clone(), &README)?;
    readme::prepare(&mut pair)?;
    let mut tour = Tour {
        pair,
        start,
        chapter: start,
    };

    tour.chapter("Both boxes are up; the appliance is installed as README.md tells it");
    for step in readme::steps(QUICK_START)? {
        tour.follow(&step)?;
    }
    let holder = tour.pair.settled(PATIENCE)?;
    let client = Client::browse(&tour.pair.net, "/", Machine::HTTP_PERIOD)?;
    client.answered(Some(holder), PATIENCE)?;
    tour.pair.both_alive()?;
    tour.lines(&NODES)?;

    tour.chapter(&format!(
        "nginx on {} is killed: it is started again where it is",
        holder.node_name()
    ));
    let at = now();
    tour.type_in(holder, "systemctl kill --signal=KILL nginx")?;
    client.answered(Some(holder), PATIENCE)?;
    tour.told(&[holder], &client, at)?;

    tour.chapter(&format!("{} loses its power", holder.node_name()));
    let at = tour.pair.power_cut(holder)?;
    let other = holder.peer();
    client.answered(Some(other), PATIENCE)?;
    tour.told(&[other], &client, at)?;
    tour.page(other)?;

    tour.chapter(&format!(
        "{} gets its power back: returning moves nothing",
        holder.node_name()
    ));
    let at = now();
    tour.pair.power_on(holder)?;
    tour.pair.both_alive()?;
    tour.pair.nothing_moves(other, PAUSE)?;
    tour.told(&NODES, &client, at)?;
    tour.page(other)?;

    tour.chapter("The operator moves it back by hand");
    tour.pair.status(other, 0, COULD)?;
    let at = now();
    tour.quote(other, "ha-appliance failover")?;
    client.answered(Some(holder), PATIENCE)?;
    tour.told(&NODES, &client, at)?;

    tour.chapter(&format!(
        "A typo in nginx.conf of {}, and nginx dies: it cannot start there any more",
        holder.node_name()
    ));
    let at = now();
    tour.type_in(holder, "echo oops >> /etc/nginx/nginx.conf")?;
    tour.type_in(holder, "systemctl kill --signal=KILL nginx")?;
    client.answered(Some(other), PATIENCE)?;
    tour.told(&NODES, &client, at)?;
    tour.pair.status(holder, 1, "attention")?;
    tour.quote(holder, "ha-appliance status")?;
    text("the typo is mended, and the failure may be forgotten:");
    tour.type_in(holder, "sed -i '$d' /etc/nginx/nginx.conf")?;
    tour.quote(holder, "ha-appliance clear")?;

    tour.chapter(&format!(
        "{} is rebooted: it hands over first",
        other.node_name()
    ));
    tour.pair.status(other, 0, COULD)?;
    text(&format!("{}# systemctl reboot", other.node_name()));
    let at = tour.pair.reboot(other)?;
    client.answered(Some(holder), PATIENCE)?;
    tour.pair.both_alive()?;
    tour.told(&NODES, &client, at)?;
    tour.page(holder)?;

    tour.chapter("From now on nginx runs on both boxes, so that a move need not wait for it");
    for host in NODES {
        tour.type_in(
            host,
            "sed -i '/^service/a mode = \"both\"' /etc/ha-appliance/ha.toml",
        )?;
        tour.quote(host, "ha-appliance reload")?;
    }
    tour.pair.status(holder, 0, COULD)?;
    let at = now();
    tour.quote(holder, "ha-appliance failover")?;
    client.answered(Some(other), PATIENCE)?;
    tour.told(&NODES, &client, at)?;

    tour.chapter(&format!(
        "The daemon of {} is killed: systemd restarts it, and it keeps what runs",
        other.node_name()
    ));
    let at = now();
    tour.type_in(other, "systemctl kill --signal=KILL ha-appliance")?;
    tour.pair.nothing_moves(other, PAUSE)?;
    tour.pair.daemon_is_back(other)?;
    tour.told(&[other], &client, at)?;
    tour.page(other)?;

    tour.pair.judge()?;
    let overlaps = tour.pair.watch.overlaps();
    let both: Micros = overlaps.iter().map(|o| o.until - o.from).sum();
    println!(
        "\nThat was it, in {:.0} s. The kernels' own records of both boxes were watched throughout:\n\
         but for {:.1} ms of that last move, by intention, at no instant did both hold the virtual IP.\n\
         What each fault does is told in README.md.",
        sys::since(tour.start).as_secs_f64(),
        both as f64 / 1000.0
    );
    Ok(())
}

/// The section of README that the tour begins with.
const QUICK_START: &str = "Two boxes in five minutes";
/// What `status` says of a node that waits to be used.
const COULD: &str = "could run it";
/// Nobody waits longer for a takeover than this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough to see that nothing happens, and to read what did.
const PAUSE: Duration = Duration::from_secs(3);

/// So much of a line is shown.
const WIDTH: usize = 150;

struct Tour {
    pair: Pair,
    start: Micros,
    chapter: Micros,
}

impl Tour {
    /// Begins a chapter; its lines are told in milliseconds from here.
    fn chapter(&mut self, title: &str) {
        if self.chapter != self.start {
            std::thread::sleep(PAUSE);
        }
        println!(
            "\n── {:.1} s ── {title}\n",
            sys::since(self.start).as_secs_f64()
        );
        let _ = std::io::stdout().flush();
        self.chapter = now();
    }

    /// What the daemons say, then what the client saw.
    fn told(&mut self, hosts: &[Host], client: &Client, at: Micros) -> Outcome {
        // Entries reach the disk a moment after the fact, and answers the client.
        std::thread::sleep(Duration::from_millis(500));
        self.lines(hosts)?;
        let outage = client.outage(at);
        let saw = match outage.lost {
            0 => "noticed nothing: every request was answered".into(),
            lost => format!(
                "had no answer for {:.0} ms ({lost} requests lost)",
                outage.length().as_secs_f64() * 1000.0
            ),
        };
        text(&format!("the client {saw}"));
        Ok(())
    }

    /// The transitions that the daemons wrote since the chapter began, with their reasons.
    fn lines(&mut self, hosts: &[Host]) -> Outcome {
        let suspended = boottime().saturating_sub(now());
        let mut lines: Vec<(Micros, String)> = Vec::new();
        for &host in hosts {
            let history = self.pair.node(host).run("ha-appliance history --json")?;
            for line in history.lines() {
                let entry: Value = serde_json::from_str(line)?;
                let at = entry["boottime_us"].as_u64().unwrap_or(0);
                let at = at.saturating_sub(suspended);
                if at >= self.chapter {
                    lines.push((at, format!("{} {}", host.node_name(), told(&entry))));
                }
            }
        }
        lines.sort();
        for (at, line) in lines {
            // A service's own complaint may be long.
            let short: String = line.chars().take(WIDTH).collect();
            let more = if short == line { "" } else { "…" };
            println!("{:>7} ms  {short}{more}", (at - self.chapter) / 1000);
        }
        Ok(())
    }

    /// Does what README says, and shows the commands and their last answer.
    fn follow(&mut self, step: &Step) -> Outcome {
        let printed = readme::follow(&mut self.pair, step)?;
        match step {
            Step::On(host, lines) => {
                let name = host.node_name();
                lines
                    .lines()
                    .for_each(|line| text(&format!("{name}# {line}")));
                if lines.trim() == "ha-appliance status" {
                    text(&printed);
                }
            }
            Step::Elsewhere(lines) => text(&format!("client$ {lines}{printed}")),
            Step::File(path, _) => text(&format!("lb1# editor {path}")),
        }
        Ok(())
    }

    /// A command that answers nothing, as an operator types it.
    fn type_in(&mut self, host: Host, line: &str) -> Outcome {
        text(&format!("{}# {line}", host.node_name()));
        self.pair.on(host, line).map(drop)
    }

    /// A command as an operator types it, and its answer.
    fn quote(&mut self, host: Host, line: &str) -> Outcome {
        // `status` says by its exit code that something is degraded: that is its answer here.
        let output = self.pair.node(host).try_run(line)?;
        text(&format!("{}# {line}", host.node_name()));
        text(&String::from_utf8_lossy(&output.stdout));
        ensure!(
            output.stderr.is_empty(),
            "it complained: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// One page over the VIP, as a browser in the client's place gets it.
    fn page(&self, by: Host) -> Outcome {
        let line = format!("curl --silent --show-error http://{}/", README.vip);
        let page = readme::elsewhere(&self.pair, &line)?;
        text(&format!("client$ curl http://{}/\n{page}", README.vip));
        ensure!(
            page.contains(by.node_name()),
            "{} should have served this",
            by.node_name()
        );
        Ok(())
    }
}

/// Prints lines beside the column of times.
fn text(lines: &str) {
    for line in lines.lines() {
        println!("{}", format!("            {line}").trim_end());
    }
    let _ = std::io::stdout().flush();
}

/// One entry of the history, without its time and node.
fn told(entry: &Value) -> String {
    let word = |key: &str| entry[key].as_str().unwrap_or_default();
    let what = match (word("change"), word("from"), word("to")) {
        ("role", from, to) => format!("{from} → {to}"),
        (change, "", "") => change.to_owned(),
        (change, "", to) => format!("{change} {to}"),
        (change, from, to) => format!("{change} {from} → {to}"),
    };
    format!("{what}: {}", word("reason"))
}

/// Microseconds of the clock that the daemons stamp their history with.
fn boottime() -> Micros {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `t` is a valid timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut t) };
    t.tv_sec as u64 * 1_000_000 + t.tv_nsec as u64 / 1000
}
