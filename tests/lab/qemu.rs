//! The hardware of a virtual machine: power, a disk that outlives it and one for data, cards with cables, a watchdog
//! (i6300esb), and the line to the lab's hand in it. Whoever switches it does so by this: the scenario, or a
//! BMC for whoever reaches that over the network.

use crate::bmc::Power;
use crate::disk::Disk;
use crate::guest;
use crate::link::{KNOWN_WITHIN, Link};
use crate::net::{Host, Net, Port, Wire, mac_text};
use crate::qmp::Qmp;
use crate::sweep;
use crate::sys::{self, Micros, now};
use crate::watch::Watch;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// A machine's cards, in the order of its slots.
pub const CARDS: [Wire; 4] = [Wire::Lan, Wire::Second, Wire::Interlink, Wire::Bmc];

/// One virtual machine.
pub struct Qemu {
    host: Host,
    name: &'static str,
    /// Where the cables' other ends are, and so qemu.
    switch: String,
    directory: PathBuf,
    /// The system's, and one for data.
    disks: [Disk; 2],
    cards: Vec<(Wire, String, String)>,
    watch: OnceLock<Arc<Watch>>,
    services: Mutex<Vec<(Micros, String, bool)>>,
    running: Mutex<Option<Running>>,
}

struct Running {
    qemu: Child,
    link: Arc<Link>,
    monitor: Arc<Qmp>,
}

impl Qemu {
    /// A machine without power, its disk as the image has it.
    pub fn new(net: &Net, host: Host) -> io::Result<Qemu> {
        let directory = sweep::directory(std::process::id()).join(host.tag());
        fs::create_dir_all(directory.join("shared"))?;
        let card = |wire| {
            let port = Port(host, wire).to_string();
            (wire, port, mac_text(host.mac(wire)))
        };
        let qemu = Qemu {
            host,
            name: net.name(host),
            switch: net.switch_netns(),
            disks: [
                Disk::new(&directory, "disk")?,
                Disk::new(&directory, "data")?,
            ],
            directory,
            cards: CARDS.map(card).into(),
            watch: OnceLock::new(),
            services: Mutex::default(),
            running: Mutex::default(),
        };
        let system = image()?.join("disk.img").display().to_string();
        make(&["-F", "raw", "-b", &system], qemu.disks[0].file(), None)?;
        qemu.new_disk()?;
        Ok(qemu)
    }

    /// A blank disk for data, while it is off.
    pub fn new_disk(&self) -> io::Result<()> {
        make(&[], self.disks[1].file(), Some("64M"))
    }

    /// How many writes its disks have lost with its power so far.
    pub fn lost_writes(&self) -> usize {
        self.disks.iter().map(Disk::lost).sum()
    }

    /// The disk for data fails, or is well again.
    pub fn break_disk(&self, broken: bool) {
        self.disks[1].set_broken(broken);
    }

    /// Tells whom to tell of addresses.
    pub fn watched_by(&self, watch: &Arc<Watch>) {
        watch.set_resolution(KNOWN_WITHIN);
        let _ = self.watch.set(watch.clone());
    }

    /// What the machine shares with the lab, as `/lab` there.
    pub fn shared(&self) -> PathBuf {
        self.directory.join("shared")
    }

    /// Its own directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Switches it on, if it is off.
    pub fn on(self: &Arc<Qemu>) -> io::Result<()> {
        let mut running = self.running();
        if running.as_mut().is_some_and(Running::has_power) {
            return Ok(());
        }
        for socket in ["monitor", "guest"] {
            let _ = fs::remove_file(self.directory.join(socket));
        }
        let mut qemu = self.command()?.spawn()?;
        let opened = self.open();
        match opened {
            Ok((link, monitor)) => {
                *running = Some(Running {
                    qemu,
                    link: Arc::new(link),
                    monitor: Arc::new(monitor),
                });
                Ok(())
            }
            Err(e) => {
                let _ = qemu.kill();
                let _ = qemu.wait();
                let log = fs::read_to_string(self.directory.join("qemu.log"));
                Err(io::Error::other(format!(
                    "{e}: {}",
                    log.unwrap_or_default()
                )))
            }
        }
    }

    /// Cuts its power: when this returns, it is off.
    pub fn off(&self) {
        if let Some(mut running) = self.running().take() {
            let _ = running.qemu.kill();
            let _ = running.qemu.wait();
        }
        self.holds_nothing();
    }

    /// Whether it has power.
    pub fn has_power(&self) -> bool {
        self.running().as_mut().is_some_and(Running::has_power)
    }

    /// The line into it.
    pub fn link(&self) -> io::Result<Arc<Link>> {
        let off = || io::Error::other(format!("{} is off", self.name));
        self.running()
            .as_ref()
            .map(|running| running.link.clone())
            .ok_or_else(off)
    }

    /// Pulls a cable out of a card, which loses its carrier, or puts it in again.
    pub fn set_cable(&self, wire: Wire, plugged: bool) -> io::Result<()> {
        let name = Port(self.host, wire).to_string();
        self.order("set_link", json!({"name": name, "up": plugged}))
    }

    /// Stops its processor, as a paused machine's, or lets it go on.
    pub fn set_paused(&self, paused: bool) -> io::Result<()> {
        self.order(if paused { "stop" } else { "cont" }, json!({}))?;
        self.link()?.forget_clock();
        Ok(())
    }

    /// When a service came (true) and went, on the lab's clock.
    pub fn services(&self) -> Vec<(Micros, String, bool)> {
        self.services.lock().expect("no panic while held").clone()
    }

    fn order(&self, order: &str, arguments: Value) -> io::Result<()> {
        let monitor = self
            .running()
            .as_ref()
            .map(|running| running.monitor.clone());
        let off = || io::Error::other(format!("{} is off", self.name));
        monitor.ok_or_else(off)?.execute(order, arguments)
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().expect("no panic while held")
    }

    fn open(self: &Arc<Qemu>) -> io::Result<(Link, Qmp)> {
        let told = self.clone();
        let link = Link::open(&self.directory.join("guest"), move |at, message| {
            told.take(at, message);
        })?;
        let happened = self.clone();
        let monitor = Qmp::open(&self.directory.join("monitor"), move |event| {
            // A kernel that has panicked answers nobody, whatever addresses it has.
            if ["RESET", "SHUTDOWN", "GUEST_PANICKED"].contains(&event) {
                happened.holds_nothing();
            }
        })?;
        Ok((link, monitor))
    }

    fn take(&self, at: Micros, message: &Value) {
        let address = message["address"]
            .as_str()
            .and_then(|text| text.parse().ok());
        if let (Some(address), Some(watch)) = (address, self.watch.get()) {
            let valid = message["valid"].as_u64().unwrap_or_default();
            let present = message["present"] == true;
            watch.told(at, self.host, address, present, valid as u32);
        } else if let Some(service) = message["service"].as_str() {
            self.note_service(at, service, message["runs"] == true);
        }
    }

    fn note_service(&self, at: Micros, service: &str, runs: bool) {
        let mut services = self.services.lock().expect("no panic while held");
        services.push((at, service.to_owned(), runs));
    }

    fn holds_nothing(&self) {
        if let Some(watch) = self.watch.get() {
            watch.power_cut(self.host);
        }
        let mut last: Vec<(String, bool)> = Vec::new();
        for (_, service, runs) in self.services() {
            last.retain(|(known, _)| *known != service);
            last.push((service, runs));
        }
        for (service, _) in last.into_iter().filter(|(_, runs)| *runs) {
            self.note_service(now(), &service, false);
        }
    }

    fn command(&self) -> io::Result<Command> {
        let image = image()?;
        let (accelerator, cpu) = processor();
        let mut command = Command::new("qemu-system-x86_64");
        command.args([
            "-name",
            self.name,
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
        ]);
        command.args([
            "-machine",
            "pc",
            "-accel",
            accelerator,
            "-cpu",
            cpu,
            "-smp",
            "1",
        ]);
        command.args(["-m", "384", "-action", "watchdog=reset,panic=none"]);
        let path = |name: &str| self.directory.join(name).display().to_string();
        command
            .arg("-serial")
            .arg(format!("file:{}", path("console.log")));
        command.arg("-kernel").arg(image.join("vmlinuz"));
        command.arg("-initrd").arg(image.join("initrd.img"));
        let id = self.host.number(Wire::Bmc);
        command.arg("-append").arg(format!(
            "console=ttyS0 quiet rw net.ifnames=0 mitigations=off panic=0 \
             systemd.hostname={} systemd.machine_id={id:032x}",
            self.name
        ));
        for disk in &self.disks {
            command.arg("-drive").arg(disk.drive());
        }
        for (_, port, mac) in &self.cards {
            command.arg("-netdev");
            command.arg(format!(
                "tap,id={port},ifname={port},script=no,downscript=no"
            ));
            command.arg("-device");
            command.arg(format!("virtio-net-pci,netdev={port},mac={mac}"));
        }
        command.arg("-virtfs");
        let shared = self.shared();
        command.arg(format!(
            "local,path={},mount_tag=lab,security_model=none,readonly=on",
            shared.display()
        ));
        for (name, socket) in [("monitor", path("monitor")), ("guest", path("guest"))] {
            command.arg("-chardev");
            command.arg(format!("socket,id={name},path={socket},server=on,wait=off"));
        }
        command.args([
            "-mon",
            "chardev=monitor,mode=control",
            "-device",
            "virtio-serial",
        ]);
        command
            .arg("-device")
            .arg(format!("virtserialport,chardev=guest,name={}", guest::PORT));
        command.args([
            "-device",
            "virtio-rng-pci",
            "-device",
            "i6300esb",
            "-device",
            "pvpanic",
        ]);
        let log = File::create(self.directory.join("qemu.log"))?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        sys::place(&mut command, &self.switch, &[])?;
        Ok(command)
    }
}

impl Running {
    fn has_power(&mut self) -> bool {
        matches!(self.qemu.try_wait(), Ok(None))
    }
}

impl Power for Arc<Qemu> {
    fn has_power(&self) -> bool {
        Qemu::has_power(self)
    }

    fn on(&self) -> io::Result<()> {
        Qemu::on(self)
    }

    fn off(&self) {
        Qemu::off(self);
    }

    fn directory(&self) -> PathBuf {
        Qemu::directory(self).to_owned()
    }
}

/// Makes a disk's file.
fn make(options: &[&str], file: &Path, size: Option<&str>) -> io::Result<()> {
    let mut command = Command::new("qemu-img");
    command.args(["create", "-q", "-f", "qcow2"]).args(options);
    let made = command.arg(file).args(size).status()?;
    match made.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("qemu-img said {made}"))),
    }
}

/// The directory that scripts/vm-image made.
fn image() -> io::Result<PathBuf> {
    let missing = |_| io::Error::other("HA_LAB_VM_IMAGE is not set: start the lab by scripts/lab");
    std::env::var("HA_LAB_VM_IMAGE")
        .map(PathBuf::from)
        .map_err(missing)
}

/// The processor's own virtualisation where it has one that runs any kernel: what a paravirtual host
/// offers as /dev/kvm without it does not. What is emulated is a simple one: for each further ability the kernel
/// loads and tries what makes use of it.
fn processor() -> (&'static str, &'static str) {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let virtualises = cpus
        .split_whitespace()
        .any(|flag| flag == "vmx" || flag == "svm");
    let mut open = File::options();
    let kvm = open.read(true).write(true).open("/dev/kvm");
    match virtualises && kvm.is_ok() {
        true => ("kvm", "max"),
        false => ("tcg,thread=multi,tb-size=128", "qemu64"),
    }
}
