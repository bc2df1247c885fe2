//! A node that is a whole system, whatever carries it: what its administrator does on it.

use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::machine::in_repository;
use std::io;
use std::process::Output;
use std::time::Duration;

/// A node with systemd, services and files of its own.
pub trait System: Hardware {
    /// How often a browser may ask it for a page.
    const HTTP_PERIOD: Duration;
    /// How long it may take until a pair serves, or something on it comes or goes that has no limit of its own.
    const PATIENCE: Duration;

    /// Runs a shell command, whatever comes of it.
    fn try_run(&self, line: &str) -> io::Result<Output>;
    /// Runs a shell command that must succeed, and gives what it printed.
    fn run(&self, line: &str) -> Outcome<String> {
        printed(self.name(), line, self.try_run(line)?)
    }
    /// Writes a file with this mode, and makes the directory it stands in.
    fn write(&self, path: &str, text: &str, mode: u32) -> io::Result<()>;
    /// Puts the program under test to its place.
    fn install_program(&self) -> Outcome;

    /// Installs what `scripts/install` would, with a ha.toml and its key.
    fn install(&self, ha_toml: &str, key: &str) -> Outcome {
        self.install_program()?;
        for unit in [
            "ha-appliance.service",
            "ha-appliance-services.target",
            "ha-appliance-release.service",
            "ha-appliance-storage.service",
        ] {
            let shipped = std::fs::read_to_string(in_repository(&format!("systemd/{unit}")))?;
            self.write(&format!("/etc/systemd/system/{unit}"), &shipped, 0o644)?;
        }
        self.write("/etc/ha-appliance/ha.toml", ha_toml, 0o644)?;
        self.write("/etc/ha-appliance/key", &format!("{key}\n"), 0o600)?;
        self.run("systemctl daemon-reload").map(drop)
    }
}

/// What a command on that node printed, if it succeeded.
pub fn printed(node: &str, line: &str, output: Output) -> Outcome<String> {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "`{line}` on {node} gave {}: {printed}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(printed)
}
