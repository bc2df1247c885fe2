//! A node as a virtual machine: a whole Debian with its own kernel, which can panic and lose its power, on
//! the image that scripts/vm-image made. It has two cards in a bond on the LAN, one on the interlink, one on the
//! network of the BMCs, and a BMC of its own.

use crate::bmc::Bmc;
use crate::ensure;
use crate::guest;
use crate::lab::{Hardware, Lab, Outcome};
use crate::link::KNOWN_WITHIN;
use crate::net::{Host, NODES, Net, Wire, mac_text};
use crate::node::Node;
use crate::qemu::{CARDS, Qemu};
use crate::sys::{self, Micros, now};
use crate::system::System;
use crate::watch::Watch;
use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

/// Two of them.
pub type Vms = Lab<Vm>;

/// One virtual machine and its BMC.
pub struct Vm {
    name: &'static str,
    /// What it consists of.
    pub hardware: Arc<Qemu>,
    bmc: Option<Bmc>,
}

/// How long a boot may take, without virtualisation by the processor and beside others.
const BOOT: Duration = Duration::from_secs(150);

impl Vm {
    /// What can cut its power.
    pub fn bmc(&self) -> &Bmc {
        self.bmc.as_ref().expect("it is plugged in")
    }

    /// Tells it to run a shell command of which no answer may come.
    pub fn tell(&self, line: &str) -> io::Result<()> {
        self.hardware.link()?.tell(line)
    }

    /// What it printed on its console, the kernel's last words included.
    pub fn console(&self) -> String {
        let bytes = fs::read(self.hardware.directory().join("console.log"));
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    }
}

/// The judge's verdict on what lasted until then at least: neither a VIP nor a service was on both at once.
pub fn judge(vms: &mut Vms, from: Micros) -> Outcome {
    let mut events: Vec<_> = Vec::new();
    for host in NODES {
        let told = vms.node(host).hardware.services();
        events.extend(
            told.into_iter()
                .map(|(at, unit, runs)| (at, host, unit, runs)),
        );
    }
    events.sort_by_key(|(at, ..)| *at);
    // When each service came to each node, and since when it is on both.
    let mut running: HashMap<(String, Host), Micros> = HashMap::new();
    let resolution = guest::LOOK + KNOWN_WITHIN + vms.record.allowed();
    for (at, host, unit, runs) in events {
        let since = running.remove(&(unit.clone(), host));
        if let (Some(here), Some(&there)) = (since, running.get(&(unit.clone(), host.peer()))) {
            let both = Duration::from_micros(at.saturating_sub(here.max(there)));
            ensure!(
                at < from || both <= resolution,
                "{unit} ran on both for {both:?}"
            );
        }
        if runs {
            running.insert((unit, host), since.unwrap_or(at));
        }
    }
    for ((unit, host), since) in &running {
        let other = running.get(&(unit.clone(), host.peer()));
        let both = other.map_or(Duration::ZERO, |other| sys::since((*other).max(*since)));
        ensure!(both <= resolution, "{unit} runs on both, for {both:?}");
    }
    vms.judge_since(from)
}

/// An error, with what both machines say about themselves.
pub fn explained(vms: &mut Vms, error: Box<dyn Error>) -> Box<dyn Error> {
    let mut text = error.to_string();
    for host in NODES {
        let asked = "ha-appliance status; ip -brief address; systemctl --failed; top -b -n 1 | head -20; dmesg | tail -40; \
                     journalctl --no-pager --boot --unit='ha-appliance*' --unit=lab-guest --unit=nginx --lines=60";
        let said = match vms.node(host).hardware.has_power() {
            true => vms.node(host).try_run(asked),
            false => Err(io::Error::other("it is off")),
        };
        let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let said = said.unwrap_or_else(|e| format!("{e}\n{}", vms.node(host).console()));
        text += &format!("\n--- {}\n{said}", vms.net.name(host));
    }
    text.into()
}

impl Hardware for Vm {
    fn new(net: &Net, host: Host) -> io::Result<Vm> {
        let hardware = Arc::new(Qemu::new(net, host)?);
        let shared = hardware.shared();
        provide(&std::env::current_exe()?, &shared.join("lab"))?;
        provide(&Node::program(), &shared.join("ha-appliance"))?;
        fs::write(shared.join("network"), network(net, host))?;
        Ok(Vm {
            name: net.name(host),
            hardware,
            bmc: None,
        })
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn status(&self) -> io::Result<String> {
        self.hardware.link()?.read("/run/ha-appliance/status.json")
    }

    fn beside(&mut self, command: Command) -> io::Result<u32> {
        let name = self.name;
        Err(io::Error::other(format!(
            "{command:?} cannot run beside {name}"
        )))
    }

    fn plug(&mut self, net: &Net, watch: &Arc<Watch>, host: Host) -> Outcome {
        if self.bmc.is_none() {
            self.hardware.watched_by(watch);
            net.taps(host, &CARDS)?;
            self.bmc = Some(Bmc::start(net, host, Arc::new(self.hardware.clone()))?);
        }
        Ok(())
    }

    fn address(&mut self, _: &Net, _: Host) -> Outcome {
        Ok(()) // by itself, when it boots
    }

    fn switch_on(&mut self) -> io::Result<()> {
        self.hardware.on()
    }

    fn booted(&mut self) -> Outcome {
        let asked = now();
        let link = self.hardware.link()?;
        let mut state = String::new();
        while sys::since(asked) < BOOT && self.hardware.has_power() {
            if link.hellos() > 0 {
                let wrong = link.wrong();
                ensure!(wrong.is_empty(), "the network of {}: {wrong}", self.name);
                let output = link.run("systemctl is-system-running --wait")?;
                state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                if ["running", "degraded"].contains(&state.as_str()) {
                    return Ok(());
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let console = self.console();
        Err(format!("{} is not up: {state}\n{console}", self.name).into())
    }

    fn die(&mut self) {
        self.hardware.off();
    }

    fn set_frozen(&self, frozen: bool) {
        self.hardware.set_paused(frozen).expect("qemu obeys");
    }
}

impl System for Vm {
    const HTTP_PERIOD: Duration = Duration::from_millis(50);
    const PATIENCE: Duration = Duration::from_secs(60);

    fn try_run(&self, line: &str) -> io::Result<Output> {
        self.hardware.link()?.run(line)
    }

    fn write(&self, path: &str, text: &str, mode: u32) -> io::Result<()> {
        self.hardware.link()?.write(path, text, mode)
    }

    fn install_program(&self) -> Outcome {
        // At shutdown the lab's hand sees what that does to the end.
        let last = "[Unit]\nBefore=ha-appliance.service ha-appliance-storage.service\n";
        self.write(LAST, last, 0o644)?;
        let copy = "install -D -m 755 /lab/ha-appliance /usr/local/sbin/ha-appliance";
        self.run(copy).map(drop)
    }
}

const LAST: &str = "/etc/systemd/system/lab-guest.service.d/last.conf";

impl Drop for Vm {
    fn drop(&mut self) {
        self.hardware.off(); // whoever listens to it holds it, until it is off
    }
}

/// Puts a program where the machine sees it.
fn provide(program: &Path, there: &Path) -> io::Result<()> {
    fs::hard_link(program, there).or_else(|_| fs::copy(program, there).map(drop))
}

/// What the machine's administrator has configured: names for its cards, a bond of the first two, addresses.
fn network(net: &Net, host: Host) -> String {
    let mut lines = String::from(
        "set -e\n\
         name() { for card in /sys/class/net/eth*; do\n\
         read -r mac <$card/address; [ $mac != $1 ] || ip link set ${card##*/} name $2; done; }\n\
         udevadm settle\n\
         modprobe bonding max_bonds=0\n\
         ip link set lo up\n\
         ip link add bond0 type bond mode active-backup miimon 100\n",
    );
    for (wire, name) in CARDS.into_iter().zip(["lan0", "lan1", "il0", "bmc0"]) {
        lines += &format!("name {} {name}\n", mac_text(host.mac(wire)));
    }
    lines += "ip link set lan0 master bond0\nip link set lan1 master bond0\n";
    for (wire, name) in [
        (Wire::Lan, "bond0"),
        (Wire::Interlink, "il0"),
        (Wire::Bmc, "bmc0"),
    ] {
        let segment = net.topology.segment(wire).expect("it has all networks");
        for address in segment.addresses(host, wire) {
            lines += &format!("ip addr add {address} dev {name}\n");
        }
        lines += &format!("ip link set {name} up\n");
    }
    let gateway = net.topology.lan.address(Host::Gateway, Wire::Lan);
    lines + &format!("ip route add default via {gateway}\n")
}
