//! A node as its users have it: a whole Debian with systemd as PID 1, its services and its journal,
//! in a container of systemd-nspawn. The file system is an overlay on the one that scripts/rootfs
//! made; what is written there outlives a power cut, /run and /tmp do not.

use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::net::{Host, NODES, Net, Wire};
use crate::node::Node;
use crate::sweep;
use crate::sys::{self, Micros, kill, now};
use crate::system::{System, printed};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// One machine.
pub struct Machine {
    host: Host,
    name: &'static str,
    netns: String,
    directory: PathBuf,
    container: Option<Container>,
    beside: Vec<Child>,
}

/// A running container: nspawn, and its PID 1 as the lab sees it.
struct Container {
    nspawn: Child,
    leader: u32,
}

/// Processes that cannot die before this is dropped.
pub struct Wedge(PathBuf);

impl Drop for Wedge {
    fn drop(&mut self) {
        sweep::set_frozen(&self.0, false);
    }
}

/// What a unit's processes are short of before this is dropped.
pub struct Full {
    group: PathBuf,
    limit: &'static str,
    /// Where they go back to; none: they never left.
    home: Option<PathBuf>,
}

impl Drop for Full {
    fn drop(&mut self) {
        let none = if self.limit.ends_with(".max") {
            "max"
        } else {
            "-1"
        };
        let _ = fs::write(self.group.join(self.limit), none);
        if let Some(home) = &self.home {
            let pids = fs::read_to_string(self.group.join("cgroup.procs")).unwrap_or_default();
            for pid in pids.lines() {
                let _ = fs::write(home.join("cgroup.procs"), pid);
            }
            sweep::remove_cgroup(&self.group);
        }
    }
}

/// How a machine ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is to be started again.
    Reboot,
    /// It stays off.
    PowerOff,
}

impl Machine {
    /// Runs a shell command that must succeed, and gives what it printed.
    pub fn run(&self, line: &str) -> Outcome<String> {
        printed(self.name, line, self.try_run(line)?)
    }

    /// Runs a shell command, whatever comes of it.
    pub fn try_run(&self, line: &str) -> io::Result<Output> {
        let mut command = Command::new("nsenter");
        let leader = self.leader().to_string();
        command.args(["--all", "--target", &leader, "--", "/bin/sh", "-c", line]);
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null());
        command.output()
    }

    /// Writes a file, and makes the directory it stands in.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> io::Result<()> {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("in a directory"))?;
        fs::write(path, text)
    }

    /// Waits until it has shut down by itself.
    pub fn ended(&mut self, limit: Duration) -> Outcome<Ended> {
        let asked = now();
        let container = self.container.as_mut().ok_or("it is off")?;
        loop {
            if let Some(status) = container.nspawn.try_wait()? {
                // 133 is nspawn's way to ask whoever started it for another boot.
                return match status.code() {
                    Some(133) => Ok(Ended::Reboot),
                    Some(0) => Ok(Ended::PowerOff),
                    _ => Err(format!("{} ended with {status}", self.name).into()),
                };
            }
            ensure!(
                sys::since(asked) < limit,
                "{} has not shut down within {limit:?}",
                self.name
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The process that systemd takes for a unit's main one.
    pub fn main_pid(&self, unit: &str) -> Outcome<u32> {
        let shown = self.run(&format!("systemctl show --value --property=MainPID {unit}"))?;
        Ok(shown.trim().parse()?)
    }

    /// Adds lines to a unit, as `systemctl edit` does.
    pub fn edit(&self, unit: &str, lines: &str) -> Outcome {
        let path = format!("/etc/systemd/system/{unit}.d/lab.conf");
        self.write(&path, format!("[Service]\n{lines}\n"))?;
        self.run("systemctl daemon-reload").map(drop)
    }

    /// Takes them out again.
    pub fn revert(&self, unit: &str) -> Outcome {
        fs::remove_dir_all(self.path(&format!("/etc/systemd/system/{unit}.d")))?;
        self.run("systemctl daemon-reload").map(drop)
    }

    /// Where the kernel lists a unit's processes.
    pub fn processes_of(&self, unit: &str) -> PathBuf {
        let group = self.cgroups().pop().expect("at least one hierarchy");
        group.join(format!("payload/system.slice/{unit}/cgroup.procs"))
    }

    /// Freezes what a unit runs, so that not even SIGKILL ends it: as a process that waits for a
    /// dead disk. Dropped, it goes on, and dies of what it was sent.
    pub fn wedge(&self, unit: &str) -> io::Result<Wedge> {
        let freezer = sweep::cgroup(std::process::id(), self.host.tag());
        let group = freezer.expect("the machine runs in one").join("wedged");
        fs::create_dir_all(&group)?;
        for pid in fs::read_to_string(self.processes_of(unit))?.lines() {
            fs::write(group.join("cgroup.procs"), pid)?;
        }
        sweep::set_frozen(&group, true);
        Ok(Wedge(group))
    }

    /// From now on what a unit runs may start no further process or thread.
    pub fn limit_processes(&self, unit: &str) -> io::Result<Full> {
        self.limit(unit, "pids", ["pids.max"; 2], "0")
    }

    /// From now on what a unit runs gets no more memory than so many bytes beside what it has.
    pub fn limit_memory(&self, unit: &str, bytes: u64) -> io::Result<Full> {
        let files = ["memory.limit_in_bytes", "memory.max"];
        self.limit(unit, "memory", files, &bytes.to_string())
    }

    /// By the file's name in the first and in the second version of control groups. In the first, systemd leaves
    /// this controller alone, so a group is made; in the second it counts what they have, too.
    fn limit(
        &self,
        unit: &str,
        controller: &str,
        files: [&'static str; 2],
        value: &str,
    ) -> io::Result<Full> {
        let pids = fs::read_to_string(self.processes_of(unit))?;
        let v1 = Path::new("/sys/fs/cgroup").join(controller);
        let (group, home) = match v1.join("cgroup.procs").exists() {
            true => {
                let name = format!("ha-lab-{}-{}-full", std::process::id(), self.host.tag());
                (v1.join(name), Some(v1))
            }
            false => {
                let group = self.processes_of(unit);
                (group.parent().expect("a group").to_owned(), None)
            }
        };
        fs::create_dir_all(&group)?;
        if home.is_some() {
            for pid in pids.lines() {
                fs::write(group.join("cgroup.procs"), pid)?;
            }
        }
        let limit = files[usize::from(home.is_none())];
        fs::write(group.join(limit), value)?;
        Ok(Full { group, limit, home })
    }

    /// Where one of its files is for the lab; of a machine that is off only those on disk.
    fn path(&self, path: &str) -> PathBuf {
        let root = match self.container {
            Some(Container { leader, .. }) => PathBuf::from(format!("/proc/{leader}/root")),
            None => self.directory.join("root"),
        };
        root.join(path.trim_start_matches('/'))
    }

    fn leader(&self) -> u32 {
        let container = self.container.as_ref();
        container.expect("the machine is on").leader
    }

    fn cgroups(&self) -> Vec<PathBuf> {
        sweep::machine_cgroups(std::process::id(), self.host.tag())
    }

    fn log(&self, name: &str) -> io::Result<File> {
        let mut options = File::options();
        let path = self.directory.join(name);
        options.create(true).append(true).open(path)
    }
}

impl Hardware for Machine {
    fn new(net: &Net, host: Host) -> io::Result<Machine> {
        let machine = Machine {
            host,
            name: net.name(host),
            netns: net.netns(host),
            directory: sweep::directory(std::process::id()).join(host.tag()),
            container: None,
            beside: Vec::new(),
        };
        mount(&machine.directory)?;
        machine.write("/etc/hostname", format!("{}\n", machine.name))?;
        // Apache asks for its own name when it starts, and there is nobody else to ask.
        let known = NODES.map(|host| {
            let lan = &net.topology.lan;
            format!("{} {}\n", lan.address(host, Wire::Lan), net.name(host))
        });
        let hosts = format!("127.0.0.1 localhost\n{}", known.concat());
        machine.write("/etc/hosts", hosts)?;
        // Without one of its own systemd takes every boot for the first.
        let id = format!("{:032x}\n", host.number(Wire::Lan));
        machine.write("/etc/machine-id", id)?;
        Ok(machine)
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn status(&self) -> io::Result<String> {
        fs::read_to_string(self.path("/run/ha-appliance/status.json"))
    }

    fn beside(&mut self, mut command: Command) -> io::Result<u32> {
        let log = self.log("beside.log")?;
        command.stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        let freezer = sweep::cgroup(std::process::id(), self.host.tag());
        let freezer: Vec<PathBuf> = freezer.into_iter().collect();
        freezer.iter().try_for_each(fs::create_dir_all)?;
        sys::place(&mut command, &self.netns, &freezer)?;
        let child = command.spawn()?;
        let pid = child.id();
        self.beside.push(child);
        Ok(pid)
    }

    fn switch_on(&mut self) -> io::Result<()> {
        assert!(self.container.is_none(), "it is on already");
        let groups = self.cgroups();
        groups.iter().try_for_each(fs::create_dir_all)?;
        let log = self.log("console.log")?;
        let mut command = Command::new("systemd-nspawn");
        command
            .args(["--quiet", "--boot", "--console=read-only"])
            .arg(format!("--machine={}", self.netns))
            .arg(format!(
                "--directory={}",
                self.directory.join("root").display()
            ))
            // In the cgroups it is placed into, known to no machined, as the lab may have none.
            .args(["--register=no", "--keep-unit"])
            .arg(format!(
                "--network-namespace-path={}",
                sys::netns_path(&self.netns).display()
            ))
            // What root has on a machine of its own, and the appliance uses.
            .arg("--capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_IPC_LOCK")
            .args(["--resolv-conf=off", "--timezone=off"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        sys::place(&mut command, &self.netns, &groups)?;
        let nspawn = command.spawn()?;
        let leader = leader_of(nspawn.id());
        self.container = Some(Container {
            nspawn,
            leader: leader.unwrap_or_default(),
        });
        leader.map(drop).ok_or_else(|| {
            let log = fs::read_to_string(self.directory.join("console.log"));
            io::Error::other(format!("no systemd started: {}", log.unwrap_or_default()))
        })
    }

    fn booted(&mut self) -> Outcome {
        let asked = now();
        loop {
            let output = self.try_run("systemctl is-system-running")?;
            let state = String::from_utf8_lossy(&output.stdout);
            if ["running", "degraded"].contains(&state.trim()) {
                return Ok(());
            }
            ensure!(
                sys::since(asked) < Duration::from_secs(30),
                "{} is not up: {state}",
                self.name
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn die(&mut self) {
        if let Some(container) = &self.container {
            kill(container.leader, libc::SIGKILL); // and the kernel everything else inside
        }
        self.set_frozen(false); // what is frozen dies only when thawed
        sweep::kill_in(&self.netns);
        let container = self.container.take().map(|container| container.nspawn);
        for mut child in self.beside.drain(..).chain(container) {
            let _ = child.wait();
        }
        // systemd expects to find them empty.
        for group in self.cgroups() {
            sweep::remove_cgroup(&group);
        }
    }

    fn set_frozen(&self, frozen: bool) {
        let freezer = sweep::cgroup(std::process::id(), self.host.tag());
        if let Some(group) = freezer {
            sweep::set_frozen(&group, frozen);
        }
    }
}

impl System for Machine {
    const HTTP_PERIOD: Duration = Duration::from_millis(5);
    const PATIENCE: Duration = Duration::from_secs(20);

    fn try_run(&self, line: &str) -> io::Result<Output> {
        Machine::try_run(self, line)
    }

    fn write(&self, path: &str, text: &str, mode: u32) -> io::Result<()> {
        Machine::write(self, path, text)?;
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode))
    }

    fn install_program(&self) -> Outcome {
        let binary = "/usr/local/sbin/ha-appliance";
        Machine::write(self, binary, fs::read(Node::program())?)?;
        fs::set_permissions(self.path(binary), fs::Permissions::from_mode(0o755))?;
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.die();
        sweep::unmount_below(&self.directory);
    }
}

/// What a machine's journal says of the appliance and its services, with the lab's clock: all
/// machines share it. Nothing of a node that is no machine.
pub fn journal(host: Host) -> Vec<(Micros, String)> {
    let journal = sweep::directory(std::process::id())
        .join(host.tag())
        .join("root/var/log/journal");
    if !journal.exists() {
        return Vec::new();
    }
    let mut command = Command::new("journalctl");
    command.arg("--directory").arg(journal);
    command.args(["--output=short-monotonic", "--quiet", "--lines=150"]);
    for unit in [
        "ha-appliance*",
        "nginx*",
        "haproxy*",
        "apache2*",
        "php*",
        "lab-*",
    ] {
        command.arg(format!("--unit={unit}"));
    }
    let printed = command.output().map(|output| output.stdout);
    let printed = String::from_utf8_lossy(&printed.unwrap_or_default()).into_owned();
    let stamped = |line: &str| {
        let (stamp, text) = line.strip_prefix('[')?.split_once("] ")?;
        let seconds: f64 = stamp.trim().parse().ok()?;
        Some(((seconds * 1e6) as Micros, format!("    {text}")))
    };
    printed.lines().filter_map(stamped).collect()
}

/// A file of this repository.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The overlay, on the root filesystem that scripts/rootfs made.
fn mount(directory: &Path) -> io::Result<()> {
    let lower = std::env::var("HA_LAB_ROOTFS")
        .map_err(|_| io::Error::other("HA_LAB_ROOTFS is not set: start the lab by scripts/lab"))?;
    for name in ["upper", "work", "root"] {
        fs::create_dir_all(directory.join(name))?;
    }
    let shown = directory.display();
    let status = Command::new("mount")
        .args(["-t", "overlay", "overlay", "-o"])
        .arg(format!(
            "lowerdir={lower},upperdir={shown}/upper,workdir={shown}/work"
        ))
        .arg(directory.join("root"))
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("mount said {status}")));
    }
    Ok(())
}

/// nspawn's child that is PID 1 in a namespace of its own; another one prepares its way.
fn leader_of(nspawn: u32) -> Option<u32> {
    let asked = now();
    while sys::since(asked) < Duration::from_secs(10)
        && Path::new(&format!("/proc/{nspawn}")).exists()
    {
        let children = fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children"));
        let children = children.unwrap_or_default();
        let is_first = |pid: &&str| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            ids.is_some_and(|ids| ids.split_whitespace().skip(1).eq(["1"]))
        };
        if let Some(pid) = children.split_whitespace().find(is_first) {
            return pid.parse().ok();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}
