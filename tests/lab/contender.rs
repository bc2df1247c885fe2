//! Who is measured: the appliance, and keepalived as Debian ships it, in the same network.

use crate::lab::{Lab, Outcome};
use crate::net::{Host, VIP, Wire};
use crate::toml::Settings;
use std::fs;
use std::process::Command;
use std::time::Duration;

/// One program with one set of timers.
#[derive(Clone, Copy)]
pub enum Contender {
    /// The appliance: interval in milliseconds, and misses.
    Appliance { interval: u32, misses: u32 },
    /// keepalived: its advertisement interval in hundredths of a second.
    Keepalived { advert: u32 },
}

impl Contender {
    /// For the table's head.
    pub fn name(self) -> String {
        match self {
            Contender::Appliance { interval, misses } => format!("ha {interval}ms x{misses}"),
            Contender::Keepalived { advert } => {
                format!("keepalived {}s", f64::from(advert) / 100.0)
            }
        }
    }

    /// Writes its configuration for a node.
    pub fn configure(self, lab: &mut Lab, host: Host) -> Outcome {
        match self {
            Contender::Appliance { interval, misses } => {
                let interval = format!("{interval}ms");
                let settings = Settings {
                    interval,
                    misses,
                    ..Settings::default()
                };
                Ok(lab.node(host).configure(&settings)?)
            }
            Contender::Keepalived { advert } => {
                let path = lab.node(host).directory().join("keepalived.conf");
                Ok(fs::write(path, keepalived_conf(host, advert))?)
            }
        }
    }

    /// Starts it on a node and gives the pid to signal.
    pub fn start(self, lab: &mut Lab, host: Host) -> Outcome<u32> {
        let node = lab.node(host);
        match self {
            Contender::Appliance { .. } => {
                node.start()?;
                Ok(node.pid().expect("just started"))
            }
            Contender::Keepalived { .. } => {
                let directory = node.directory();
                // Like /run, they do not survive a power cut; its pid may be another's by now.
                for name in ["keepalived.pid", "vrrp.pid"] {
                    let _ = fs::remove_file(directory.join(name));
                }
                let mut command = Command::new("keepalived");
                // In the foreground, VRRP only, and with pid files of its own.
                command.args(["--dont-fork", "--log-console", "--vrrp"]);
                command
                    .arg("--use-file")
                    .arg(directory.join("keepalived.conf"));
                command.arg("--pid").arg(directory.join("keepalived.pid"));
                command.arg("--vrrp_pid").arg(directory.join("vrrp.pid"));
                Ok(node.beside(command)?)
            }
        }
    }

    /// How long it needs after both are up until a fault meets a settled pair.
    pub fn settle(self) -> Duration {
        match self {
            Contender::Appliance { interval, .. } => {
                Duration::from_millis(10 * u64::from(interval))
            }
            // The second announcement burst comes five seconds after the first; a fault before it
            // is met like any other.
            Contender::Keepalived { advert } => Duration::from_millis(20 * u64::from(advert)),
        }
    }

    /// Moves the VIP to the other node as an operator would.
    pub fn move_away(self, lab: &mut Lab, holder: Host, pid: u32) -> Outcome {
        match self {
            Contender::Appliance { .. } => {
                lab.node(holder).order(&["failover"])?;
            }
            // There is no command for it: the service is stopped.
            Contender::Keepalived { .. } => crate::sys::kill(pid, libc::SIGTERM),
        }
        Ok(())
    }
}

/// VRRP over the interlink by unicast, the VIP on the service LAN whose link is tracked, no
/// preemption, everything else at its default.
fn keepalived_conf(host: Host, advert: u32) -> String {
    let (own, peer) = (
        host.number(Wire::Interlink),
        host.peer().number(Wire::Interlink),
    );
    let priority = if host == Host::A { 151 } else { 150 };
    format!(
        "global_defs {{\n  vrrp_version 3\n  router_id {}\n}}\n\
         vrrp_instance VI_1 {{\n  state BACKUP\n  nopreempt\n  interface il0\n  virtual_router_id 51\n  \
         priority {priority}\n  advert_int {}\n  unicast_src_ip 10.88.0.{own}\n  \
         unicast_peer {{\n    10.88.0.{peer}\n  }}\n  track_interface {{\n    lan0\n  }}\n  \
         virtual_ipaddress {{\n    {VIP}/24 dev lan0\n  }}\n}}\n",
        host.node_name(),
        f64::from(advert) / 100.0,
    )
}
