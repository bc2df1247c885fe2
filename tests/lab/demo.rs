//! The tour: a pair of nginx boxes, one fault after another, told for somebody who sees this for
//! the first time.

use crate::client::Client;
use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::net::{Cut, Host, NODES, Port, VIP, Wire};
use crate::node::Node;
use crate::record::{Record, seconds};
use crate::status;
use crate::sys::{self, Micros, now};
use crate::toml::Settings;
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
    let mut tour = Tour {
        start: now(),
        lab: Lab::new(record.clone())?,
    };
    tour.say("Two boxes, lb1 and lb2, stand on one network, with a gateway and a client.");
    tour.say("A cable of their own joins them: the interlink, where they tell each other that they live.");
    tour.say(&format!(
        "Users know one address, {VIP}: the VIP. Exactly one box may hold it."
    ));
    for host in NODES {
        nginx(&mut tour.lab, host)?;
    }
    tour.say("nginx runs on both; its page tells which box served it.");

    tour.chapter("Both start");
    let (holder, client) = tour.lab.pair(&Settings::default())?;
    tour.say(&format!(
        "{} took the VIP, {} stands by.",
        holder.node_name(),
        holder.peer().node_name()
    ));
    tour.show_page()?;

    tour.chapter(&format!("{} loses its power", holder.node_name()));
    std::thread::sleep(Duration::from_secs(1));
    let at = tour.lab.power_cut(holder)?;
    tour.recovered(&client, at, holder.peer())?;
    tour.why(holder.peer());
    tour.show_page()?;

    tour.chapter(&format!("{} gets its power back", holder.node_name()));
    let at = now();
    tour.lab.power_on(holder)?;
    nginx(&mut tour.lab, holder)?;
    tour.lab.start(holder)?;
    tour.lab.both_alive()?;
    tour.lab
        .nothing_moves(holder.peer(), Duration::from_secs(2))?;
    tour.say(&format!(
        "The boxes see each other again. {} keeps the VIP: returning moves nothing.",
        holder.peer().node_name()
    ));
    tour.outage(&client, at);

    tour.chapter("The operator types `ha-appliance failover`");
    let at = now();
    tour.lab.node(holder).order(&["failover"])?;
    tour.recovered(&client, at, holder)?;
    tour.why(holder);
    tour.show_page()?;

    tour.chapter("The interlink is cut");
    let at = now();
    tour.lab.net.cut(Port(holder, Wire::Interlink), Cut::Both)?;
    tour.lab.nothing_moves(holder, Duration::from_secs(4))?;
    tour.say("Nobody moves: the boxes still hear each other over the service network, and say so:");
    tour.quote(holder, &["status"])?;
    tour.outage(&client, at);
    tour.lab.net.mend()?;
    tour.lab.both_alive()?;
    tour.say("The interlink is mended.");

    let overlaps = tour.lab.watch.overlaps();
    ensure!(
        overlaps.is_empty(),
        "both boxes held the VIP at once: {overlaps:?}"
    );
    tour.chapter("The end");
    tour.say("At no instant did both boxes hold the VIP: the kernels' own address events were watched throughout.");
    Ok(())
}

struct Tour {
    start: Micros,
    lab: Lab,
}

impl Tour {
    fn chapter(&self, title: &str) {
        println!();
        self.say(&format!("== {title}"));
    }

    fn say(&self, text: &str) {
        println!("{:7.2} s  {text}", sys::since(self.start).as_secs_f64());
        let _ = std::io::stdout().flush();
    }

    /// Waits for a node to answer the client, and tells what that took.
    fn recovered(&self, client: &Client, at: Micros, by: Host) -> Outcome {
        client.answered(Some(by), Duration::from_secs(10))?;
        std::thread::sleep(Duration::from_millis(300));
        self.say(&format!("{} holds the VIP now.", by.node_name()));
        self.outage(client, at);
        Ok(())
    }

    fn outage(&self, client: &Client, at: Micros) {
        let outage = client.outage(at);
        match outage.lost {
            0 => self.say("The client, who asks 2,000 times a second, lost no answer."),
            lost => self.say(&format!(
                "The client, who asks 2,000 times a second, was without answer for {} ({lost} lost).",
                seconds(outage.length())
            )),
        }
    }

    /// What the box itself says about its last transition.
    fn why(&mut self, host: Host) {
        if let Ok(history) = self.lab.node(host).order(&["history"])
            && let Some(last) = history.lines().rfind(|line| !line.trim().is_empty()) {
                self.say(&format!("{} says: {}", host.node_name(), last.trim()));
            }
    }

    /// Prints what a command says.
    fn quote(&mut self, host: Host, arguments: &[&str]) -> Outcome {
        // `status` says by its exit code that something is degraded: that is its answer here.
        let output = self.lab.node(host).command(arguments)?;
        println!(
            "           {} # ha-appliance {}",
            host.node_name(),
            arguments.join(" ")
        );
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            println!("           {line}");
        }
        ensure!(
            status::read(self.lab.node(host)).is_some(),
            "no status on {}",
            host.node_name()
        );
        Ok(())
    }

    fn show_page(&self) -> Outcome {
        let page = fetch(&self.lab)?;
        self.say(&format!(
            "client$ curl http://{VIP}/   ->   {}",
            page.trim()
        ));
        Ok(())
    }
}

/// One page over the VIP, as a browser in the client's place would get it.
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
