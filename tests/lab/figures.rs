//! The figures with a service: what a browser loses when VIP and nginx move, beside keepalived with
//! a script that watches nginx, as its users have it, on the same machines in the same run.

use crate::client::Client;
use crate::lab::{Lab, Outcome};
use crate::machine::Machine;
use crate::net::{Host, NODES};
use crate::pair::Pair;
use crate::record::{Record, median, seconds};
use crate::sys::{self, Micros};
use crate::topology::NGINX;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Who keeps the VIP.
#[derive(Clone, Copy, PartialEq)]
enum Contender {
    /// nginx runs where the VIP is.
    Appliance,
    /// nginx runs on both nodes all the time, and a script looks for it every second.
    Keepalived,
}

/// A fault: its name, and what makes it. Gives its time, and who is to serve then, if it matters.
type Fault = (&'static str, Make);
type Make = fn(&mut Trial) -> Outcome<(Micros, Option<Host>)>;

const FAULTS: &[Fault] = &[
    ("nginx restarted by hand", restarted),
    ("planned move", planned_move),
    ("nginx killed", killed),
    ("power loss", power_loss),
];

struct Trial<'a> {
    pair: &'a mut Pair,
    contender: Contender,
    holder: Host,
}

/// Prints the table: `lab bench services [--runs N]`.
pub fn main(runs: usize) -> ExitCode {
    let record = Record::new(true);
    match bench(&record, runs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench: {e}\n{}", record.diagnosis());
            ExitCode::FAILURE
        }
    }
}

fn bench(record: &Arc<Record>, runs: usize) -> Outcome {
    let mut pair = Lab::<Machine>::build(record.clone(), &NGINX)?;
    println!("page over the VIP, a request every 2 ms, median (longest) of {runs}");
    println!("{:<26}{:<26}keepalived 1s + script 1s", "", "ha 100ms x5");
    for &(name, fault) in FAULTS {
        let mut line = format!("{name:<26}");
        for contender in [Contender::Appliance, Contender::Keepalived] {
            let mut found = Vec::new();
            for _ in 0..runs {
                found.push(trial(&mut pair, contender, fault)?);
            }
            let longest = found.iter().max().copied().unwrap_or_default();
            let cell = format!("{} ({})", seconds(median(&found)), seconds(longest));
            line += &format!("{cell:<26}");
        }
        println!("{}", line.trim_end());
    }
    Ok(())
}

/// Both boot, one serves, the fault comes at a random phase: how long the page was away.
fn trial(pair: &mut Pair, contender: Contender, make: Make) -> Outcome<Duration> {
    for host in NODES {
        pair.power_cut(host)?;
        pair.power_on(host)?;
        // A first start, whatever the last trial left.
        pair.on(host, "rm -rf /var/lib/ha-appliance")?;
    }
    contender.start(pair)?;
    let browser = Client::browse(&pair.net, "/test.html", Duration::from_millis(2))?;
    browser.answered(None, PATIENCE)?;
    let holder = pair.settled(PATIENCE)?;
    // keepalived's second burst of announcements comes after 5 s; gateways are good after 5 s.
    std::thread::sleep(Duration::from_secs(6));
    pair.random_phase(Duration::from_secs(1));
    let mut trial = Trial {
        pair,
        contender,
        holder,
    };
    let (at, by) = make(&mut trial)?;
    std::thread::sleep(Duration::from_millis(20));
    browser.answered(by, PATIENCE)?;
    std::thread::sleep(Duration::from_millis(300));
    Ok(browser.outage(at).length())
}

/// Nobody waits longer for a recovery than this.
const PATIENCE: Duration = Duration::from_secs(20);

impl Contender {
    fn start(self, pair: &mut Pair) -> Outcome {
        pair.write_pages()?;
        match self {
            Contender::Appliance => {
                pair.install("config/nginx.toml", &[])?;
                pair.on_both("systemctl start ha-appliance")
            }
            Contender::Keepalived => {
                for host in NODES {
                    let conf = keepalived_conf(pair, host);
                    pair.node(host)
                        .write("/etc/keepalived/keepalived.conf", conf)?;
                }
                pair.on_both("systemctl start nginx keepalived")
            }
        }
    }
}

/// VRRP by unicast over the interlink, the VIP on the LAN, no preemption; three seconds' silence.
fn keepalived_conf(pair: &Pair, host: Host) -> String {
    let wire = crate::net::Wire::Interlink;
    let interlink = pair.net.topology.segment(wire).expect("it has one");
    let (own, peer) = (
        interlink.address(host, wire),
        interlink.address(host.peer(), wire),
    );
    let priority = if host == Host::A { 151 } else { 150 };
    format!(
        "global_defs {{\n  vrrp_version 3\n  enable_script_security\n  script_user root\n}}\n\
         vrrp_script nginx {{\n  script \"/usr/bin/pgrep --exact nginx\"\n  interval 1\n}}\n\
         vrrp_instance VI_1 {{\n  state BACKUP\n  nopreempt\n  interface {}\n  \
         virtual_router_id 51\n  priority {priority}\n  advert_int 1\n  unicast_src_ip {own}\n  \
         unicast_peer {{\n    {peer}\n  }}\n  virtual_ipaddress {{\n    {}/24 dev {}\n  }}\n  \
         track_script {{\n    nginx\n  }}\n}}\n",
        interlink.interface, pair.net.topology.vip, pair.net.topology.lan.interface,
    )
}

/// What nginx itself costs.
fn restarted(trial: &mut Trial) -> Outcome<(Micros, Option<Host>)> {
    if trial.contender == Contender::Appliance {
        // It would take the stop for a failure.
        trial.pair.on(trial.holder, "ha-appliance maintenance on")?;
    }
    let at = sys::now();
    trial.pair.on(trial.holder, "systemctl restart nginx")?;
    Ok((at, None))
}

fn planned_move(trial: &mut Trial) -> Outcome<(Micros, Option<Host>)> {
    let at = sys::now();
    let line = match trial.contender {
        Contender::Appliance => "ha-appliance failover",
        // There is no command for it: the service is stopped.
        Contender::Keepalived => "systemctl stop keepalived",
    };
    trial.pair.on(trial.holder, line)?;
    Ok((at, Some(trial.holder.peer())))
}

fn killed(trial: &mut Trial) -> Outcome<(Micros, Option<Host>)> {
    let at = trial.pair.kill(trial.holder, "nginx")?;
    Ok((at, None))
}

fn power_loss(trial: &mut Trial) -> Outcome<(Micros, Option<Host>)> {
    let at = trial.pair.power_cut(trial.holder)?;
    Ok((at, Some(trial.holder.peer())))
}
