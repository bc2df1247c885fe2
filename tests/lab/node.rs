//! A node: a namespace on the network, a directory of its own, the appliance, and whatever else
//! runs beside it.

use crate::lab::{Hardware, Outcome};
use crate::net::{Host, Net};
use crate::sweep;
use crate::sys::{self, kill};
use crate::toml::Settings;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// One node. Its files outlive a power cut, its processes do not.
pub struct Node {
    /// Which one.
    pub host: Host,
    /// The name that it is started by: its own.
    pub called: &'static str,
    netns: String,
    directory: PathBuf,
    daemon: Option<Child>,
    beside: Vec<Child>,
}

impl Node {
    /// A node without processes.
    pub fn new(net: &Net, host: Host) -> io::Result<Node> {
        let lab = std::process::id();
        let directory = sweep::directory(lab).join(host.tag());
        fs::create_dir_all(directory.join("state"))?;
        if let Some(group) = sweep::cgroup(lab, host.tag()) {
            // Without it the node is frozen by signals.
            let _ = fs::create_dir(group);
        }
        let node = Node {
            host,
            called: host.node_name(),
            netns: net.netns(host),
            directory,
            daemon: None,
            beside: Vec::new(),
        };
        Ok(node)
    }

    /// The program under test: `HA_LAB_BINARY`, else the one cargo built with this lab.
    pub fn program() -> PathBuf {
        std::env::var_os("HA_LAB_BINARY")
            .map_or_else(|| env!("CARGO_BIN_EXE_ha-appliance").into(), PathBuf::from)
    }

    /// Writes ha.toml and the key file beside it, so that both nodes' ha.toml are the same.
    pub fn configure(&self, settings: &Settings) -> io::Result<()> {
        let key = self.directory.join("key");
        fs::write(&key, settings.keys.join("\n") + "\n")?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        fs::write(self.config(), settings.text("key"))
    }

    /// Its ha.toml.
    pub fn config(&self) -> PathBuf {
        self.directory.join("ha.toml")
    }

    /// Its state directory.
    pub fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// Its run directory.
    pub fn run(&self) -> PathBuf {
        self.directory.join("run")
    }

    /// Its own directory, for whatever a scenario runs beside the daemon.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts the daemon.
    pub fn start(&mut self) -> io::Result<()> {
        assert!(self.daemon.is_none(), "one daemon a node");
        fs::create_dir_all(self.run())?;
        fs::create_dir_all(self.state())?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let mut command = Command::new(Node::program());
        command
            .arg("run")
            .args(self.options())
            .env("RUST_LOG", "debug");
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.daemon = Some(self.spawn(command)?);
        Ok(())
    }

    /// Whether the daemon still runs.
    pub fn runs(&mut self) -> bool {
        self.daemon
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Signals the daemon.
    pub fn signal(&self, signal: i32) {
        if let Some(daemon) = &self.daemon {
            kill(daemon.id(), signal);
        }
    }

    /// Ends the daemon politely and waits until it is gone.
    pub fn stop(&mut self, limit: Duration) -> Result<(), String> {
        self.signal(libc::SIGTERM);
        let asked = sys::now();
        while self.runs() {
            if sys::since(asked) > limit {
                return Err(format!(
                    "{} did not end within {limit:?}",
                    self.host.node_name()
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.daemon = None;
        Ok(())
    }

    /// Ends the daemon the hard way.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    /// Ends every process of the node at once: its power is gone.
    pub fn die(&mut self) {
        let children: Vec<Child> = self
            .daemon
            .take()
            .into_iter()
            .chain(self.beside.drain(..))
            .collect();
        children
            .iter()
            .for_each(|child| kill(child.id(), libc::SIGKILL));
        // A frozen process dies of it only when thawed, and does nothing else then.
        self.set_frozen(false);
        sweep::kill_in(&self.netns);
        for mut child in children {
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(self.run()); // a tmpfs
    }

    /// Stops every process of the node, as a paused virtual machine does, or lets them go on.
    pub fn set_frozen(&self, frozen: bool) {
        let group = sweep::cgroup(std::process::id(), self.host.tag());
        if group.is_some_and(|group| sweep::set_frozen(&group, frozen)) {
            return;
        }
        let signal = if frozen { libc::SIGSTOP } else { libc::SIGCONT };
        sweep::inside(&self.netns)
            .into_iter()
            .for_each(|pid| kill(pid, signal));
    }

    /// Runs a subcommand of the appliance on this node.
    pub fn command(&self, arguments: &[&str]) -> io::Result<Output> {
        let mut command = Command::new(Node::program());
        command
            .args(arguments)
            .args(self.options())
            .stdin(Stdio::null());
        sys::place(&mut command, &self.netns, &[])?;
        command.output()
    }

    /// Runs a subcommand that must succeed, and gives what it printed.
    pub fn order(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.command(arguments).map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "`{}` on {} gave {}: {}{}",
            arguments.join(" "),
            self.host.node_name(),
            output.status,
            text,
            complaint.trim()
        ))
    }

    /// Starts another program on the node; it dies with it.
    pub fn beside(&mut self, mut command: Command) -> io::Result<u32> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("beside.log"))?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = self.spawn(command)?;
        let pid = child.id();
        self.beside.push(child);
        Ok(pid)
    }

    /// The daemon's pid.
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().map(Child::id)
    }

    /// Forgets everything the daemon kept on disk.
    pub fn wipe(&self) -> io::Result<()> {
        let _ = fs::remove_dir_all(self.run());
        fs::remove_dir_all(self.state())?;
        fs::create_dir_all(self.state())
    }

    fn log_path(&self) -> PathBuf {
        self.directory.join("daemon.log")
    }

    /// Where the files of this node are, for whoever runs the program by itself.
    pub fn options(&self) -> Vec<std::ffi::OsString> {
        vec![
            "--config".into(),
            self.config().into(),
            "--node".into(),
            self.called.into(),
            "--run-dir".into(),
            self.run().into(),
            "--state-dir".into(),
            self.state().into(),
        ]
    }

    fn spawn(&self, mut command: Command) -> io::Result<Child> {
        let group = sweep::cgroup(std::process::id(), self.host.tag());
        let group: Vec<PathBuf> = group.filter(|group| group.exists()).into_iter().collect();
        sys::place(&mut command, &self.netns, &group)?;
        command.spawn()
    }
}

impl Hardware for Node {
    fn new(net: &Net, host: Host) -> io::Result<Node> {
        Node::new(net, host)
    }

    fn name(&self) -> &'static str {
        self.host.node_name()
    }

    fn status(&self) -> io::Result<String> {
        fs::read_to_string(self.run().join("status.json"))
    }

    fn beside(&mut self, command: Command) -> io::Result<u32> {
        Node::beside(self, command)
    }

    fn switch_on(&mut self) -> io::Result<()> {
        Ok(()) // all it runs is what the scenario starts
    }

    fn booted(&mut self) -> Outcome {
        Ok(())
    }

    fn die(&mut self) {
        Node::die(self);
    }

    fn set_frozen(&self, frozen: bool) {
        Node::set_frozen(self, frozen);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.die();
        if let Some(group) = sweep::cgroup(std::process::id(), self.host.tag()) {
            sweep::remove_cgroup(&group);
        }
    }
}
