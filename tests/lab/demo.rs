//! The tour: a pair of nginx boxes, one fault after another, told for somebody who sees this for
//! the first time: what was done, what the daemons say about it, what the client saw.

use crate::client::Client;
use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::net::{Cut, Host, NODES, Port, VIP, Wire};
use crate::node::Node;
use crate::record::Record;
use crate::sys::{self, Micros, now};
use crate::toml::Settings;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, ExitCode};
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
    let mut lab = Lab::new(record.clone())?;
    text(&format!(
        "Two boxes, lb1 and lb2, on one network with a gateway and a client; nginx runs on both.\n\
         A cable of their own joins them, the interlink: there each tells the other ten times a\n\
         second that it lives. Users know one address, the virtual IP {VIP}. Exactly one\n\
         box may hold it: the one that has the token, a numbered right which is handed over, or taken\n\
         when the other box is silent. The lines with a time are the daemons' own history, in\n\
         milliseconds since the chapter began. A client asks the virtual IP 2,000 times a second,\n\
         and counts the answers."
    ));
    for host in NODES {
        nginx(&mut lab, host)?;
    }
    let mut tour = Tour {
        lab,
        start: now(),
        chapter: now(),
    };

    tour.chapter("Both boxes start");
    let (lb1, client) = tour.lab.pair(&Settings::default())?;
    let lb2 = lb1.peer();
    tour.lines(&NODES)?;
    tour.page(lb1)?;

    tour.chapter(&format!("{} loses its power", lb1.node_name()));
    let at = tour.lab.power_cut(lb1)?;
    client.answered(Some(lb2), PATIENCE)?;
    tour.told(&[lb2], &client, at)?;
    tour.page(lb2)?;

    tour.chapter(&format!(
        "{} gets its power back: returning moves nothing",
        lb1.node_name()
    ));
    let at = now();
    tour.lab.power_on(lb1)?;
    nginx(&mut tour.lab, lb1)?;
    tour.lab.start(lb1)?;
    tour.lab.both_alive()?;
    tour.lab.nothing_moves(lb2, PAUSE)?;
    tour.told(&NODES, &client, at)?;
    tour.page(lb2)?;

    tour.chapter("The operator moves it back by hand");
    let at = now();
    tour.quote(lb2, &["failover"])?;
    client.answered(Some(lb1), PATIENCE)?;
    tour.told(&NODES, &client, at)?;
    tour.page(lb1)?;

    tour.chapter("The interlink is cut: the boxes still hear each other over the network");
    let at = now();
    tour.lab.net.cut(Port(lb1, Wire::Interlink), Cut::Both)?;
    tour.lab.nothing_moves(lb1, PAUSE)?;
    tour.told(&NODES, &client, at)?;
    tour.quote(lb1, &["status"])?;
    tour.lab.net.mend()?;
    tour.lab.both_alive()?;

    tour.chapter(&format!(
        "The daemon of {} is killed, and restarted as systemd does it",
        lb1.node_name()
    ));
    let at = now();
    tour.lab.node(lb1).kill();
    std::thread::sleep(Duration::from_millis(100));
    tour.lab.start(lb1)?;
    tour.lab.both_alive()?;
    tour.lab.nothing_moves(lb1, PAUSE)?;
    tour.told(&NODES, &client, at)?;
    tour.page(lb1)?;

    tour.chapter(&format!(
        "The network cable of {} is pulled",
        lb1.node_name()
    ));
    let at = now();
    tour.lab.net.pull(Port(lb1, Wire::Lan))?;
    client.answered(Some(lb2), PATIENCE)?;
    tour.told(&NODES, &client, at)?;
    tour.page(lb2)?;

    let overlaps = tour.lab.watch.overlaps();
    ensure!(
        overlaps.is_empty(),
        "both boxes held the VIP at once: {overlaps:?}"
    );
    println!(
        "\nThat was it, in {:.0} s. The kernels' own records of both boxes were watched throughout:\n\
         at no instant did both hold the virtual IP. What each fault does is told in README.md.",
        sys::since(tour.start).as_secs_f64()
    );
    Ok(())
}

/// Nobody waits longer for a takeover than this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough to see that nothing happens, and to read what did.
const PAUSE: Duration = Duration::from_secs(3);

struct Tour {
    lab: Lab,
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
            0 => "noticed nothing: every question was answered".into(),
            lost => format!(
                "had no answer for {:.1} ms ({lost} questions lost)",
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
            let history = self.lab.node(host).order(&["history", "--json"])?;
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
            println!("{:>7} ms  {line}", (at - self.chapter) / 1000);
        }
        Ok(())
    }

    /// A command as an operator types it, and its answer.
    fn quote(&mut self, host: Host, arguments: &[&str]) -> Outcome {
        // `status` says by its exit code that something is degraded: that is its answer here.
        let output = self.lab.node(host).command(arguments)?;
        text(&format!(
            "{}# ha-appliance {}",
            host.node_name(),
            arguments.join(" ")
        ));
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
        let page = fetch(&self.lab)?;
        text(&format!("client$ curl http://{VIP}/\n{}", page.trim()));
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

fn fetch(lab: &Lab) -> Outcome<String> {
    let target = SocketAddr::new(VIP.parse()?, 80);
    let reply = sys::within(&lab.net.netns(Host::Client), || {
        let mut stream = TcpStream::connect_timeout(&target, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "GET / HTTP/1.0\r\nHost: {VIP}\r\n\r\n")?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok(reply)
    })?;
    let (head, body) = reply.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    ensure!(head.contains(" 200 "), "nginx answered {head}");
    Ok(body.to_string())
}

/// Runs nginx on a node, as a page that names it.
fn nginx(lab: &mut Lab, host: Host) -> Outcome {
    let node: &mut Node = lab.node(host);
    let directory = node.directory().join("nginx");
    fs::create_dir_all(&directory)?;
    let conf = format!(
        "daemon off;\nmaster_process off;\nerror_log stderr;\npid {dir}/nginx.pid;\n\
         events {{}}\nhttp {{\n  access_log off;\n  client_body_temp_path {dir};\n  proxy_temp_path {dir};\n  \
         fastcgi_temp_path {dir};\n  uwsgi_temp_path {dir};\n  scgi_temp_path {dir};\n  \
         server {{\n    listen 80;\n    location / {{ return 200 'served by {name}\\n'; }}\n  }}\n}}\n",
        dir = directory.display(),
        name = host.node_name(),
    );
    fs::write(directory.join("nginx.conf"), conf)?;
    let mut command = Command::new("nginx");
    command
        .arg("-e")
        .arg("stderr")
        .arg("-c")
        .arg(directory.join("nginx.conf"));
    node.beside(command)?;
    Ok(())
}
