//! Where a daemon, and whoever talks to it, finds its files.

use std::path::PathBuf;

/// What every subcommand takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// ha.toml.
    pub config: PathBuf,
    /// Which node this is; None: by host name.
    pub node: Option<String>,
    /// Lock, pid and status.json: a tmpfs, gone after a reboot.
    pub run_dir: PathBuf,
    /// What must survive a reboot: state.json and the history.
    pub state_dir: PathBuf,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            config: "/etc/ha-appliance/ha.toml".into(),
            node: None,
            run_dir: "/run/ha-appliance".into(),
            state_dir: "/var/lib/ha-appliance".into(),
        }
    }
}

/// This host's name, as the kernel has it. Asked by a call that needs no descriptor: there may be none left, and then
/// the host is called as before.
pub fn host_name() -> String {
    crate::sys::host_name()
}
