//! Which node this is, by the host's name, which may come later than the daemon.
//!
//! A machine may boot as `localhost` and be named by DHCP, cloud-init or its administrator seconds later. An
//! error then would be for good, since systemd does not start again who says that ha.toml is wrong. So a
//! name that may still come is waited for, in the log, in `systemctl status` and in `status`.

use super::clock;
use super::options::{Options, host_name};
use super::signals::{Signal, SignalSource};
use super::supervisor::Supervisor;
use crate::agents::child;
use crate::config::{self, Config, Error};
use crate::core::time::Time;
use crate::wire::heartbeat::Side;
use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Finds this node in the file, which is read again whenever the name changes or somebody asks for it. None:
/// the daemon was told to end.
pub fn find(
    options: &Options,
    mut config: Config,
    signals: &SignalSource,
) -> Result<Option<(Config, Side)>, Error> {
    let mut wait: Option<Wait> = None;
    loop {
        let name = host_name();
        let error = match config.side(options.node.as_deref(), &name) {
            Ok(side) => return Ok(Some((config, side))),
            Err(error) => error,
        };
        if options.node.is_some() || !(is_no_name(&name) || is_booting()) {
            return Err(error);
        }
        let wait = wait.get_or_insert_with(|| Wait::begin(&options.run_dir));
        wait.say(&error, &name);
        loop {
            std::thread::sleep(LOOK);
            wait.supervisor.alive(clock::now());
            match signals.try_next() {
                Some(Signal::Leave) => return Ok(None),
                Some(Signal::Reload) => break,
                _ if host_name() != name || wait.repeat <= clock::now() => break,
                _ => {}
            }
        }
        config = config::load(&options.config)?;
    }
}

/// What a daemon of this run directory waits for: its process, and why.
pub fn waiting(run_dir: &Path) -> Option<(i32, String)> {
    let text = std::fs::read_to_string(file(run_dir)).ok()?;
    let (pid, why) = text.split_once('\n')?;
    Some((pid.parse().ok()?, why.trim_end().to_owned()))
}

/// How soon a new name is seen.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is said, and looked at whether the boot is over.
const REPEAT: Duration = Duration::from_secs(60);
/// While it is not known whether the machine still boots.
const SOON: Duration = Duration::from_secs(1);

/// Names of a host that has none, as kernel, systemd and images have it.
fn is_no_name(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default();
    matches!(first, "" | "localhost" | "(none)")
}

/// Whether systemd has not come to the end of its boot. What cannot be asked may be so.
fn is_booting() -> bool {
    if !Path::new("/run/systemd/system").is_dir() {
        return false;
    }
    let mut command = Command::new("systemctl");
    command.arg("is-system-running").env("LC_ALL", "C");
    let asked = smol::block_on(child::run(command, b"", Duration::from_secs(1)));
    match asked {
        Ok(ended) => !is_over(&ended.output),
        Err(_) => true,
    }
}

/// By systemd's own word, not by anything that a tool says in its place.
fn is_over(said: &str) -> bool {
    let states = ["running", "degraded", "maintenance", "stopping"];
    said.lines().any(|line| states.contains(&line.trim()))
}

struct Wait {
    supervisor: Supervisor,
    file: PathBuf,
    said: String,
    /// When to look and say it again.
    repeat: Time,
    loud: Time,
}

impl Wait {
    fn begin(run_dir: &Path) -> Wait {
        Wait {
            supervisor: Supervisor::from_environment(),
            file: file(run_dir),
            said: String::new(),
            repeat: clock::now(),
            loud: clock::now(),
        }
    }

    fn say(&mut self, error: &Error, name: &str) {
        let now = clock::now();
        let mistake = &error.mistakes[0];
        let why = format!(
            "waits for the host's name: {}; {}",
            mistake.what, mistake.help
        );
        // The boot is over when systemd's jobs are: so the daemon's own must not be one of them.
        self.supervisor.wait(&why);
        if why != self.said || self.loud <= now {
            log::warn!("{why}");
            self.loud = now + REPEAT;
        }
        if why != self.said
            && let Err(error) = write(&self.file, &why)
        {
            log::warn!("{}: {error}", self.file.display());
        }
        self.said = why;
        self.repeat = now + if is_no_name(name) { REPEAT } else { SOON };
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn file(run_dir: &Path) -> PathBuf {
    run_dir.join("waiting")
}

fn write(path: &Path, why: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let mut file = options.custom_flags(libc::O_NOFOLLOW).open(path)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    writeln!(file, "{}\n{why}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDir;

    #[test]
    fn what_is_no_name_may_still_become_one() {
        for name in ["", "localhost", "localhost.localdomain", "(none)"] {
            assert!(is_no_name(name), "{name}");
        }
        for name in ["lb1", "localhost7", "debian"] {
            assert!(!is_no_name(name), "{name}");
        }
    }

    #[test]
    fn a_boot_is_over_by_systemds_own_word_alone() {
        for said in ["running\n", "degraded\n", "Warning: x\nmaintenance\n"] {
            assert!(is_over(said), "{said}");
        }
        let bus = "Failed to connect to bus: No such file or directory\nunknown\n";
        for said in ["", "starting\n", "initializing\n", "garbage running", bus] {
            assert!(!is_over(said), "{said}");
        }
    }

    #[test]
    fn who_waits_and_for_what_is_told() {
        let dir = TestDir::new();
        assert_eq!(waiting(&dir), None);
        write(&file(&dir), "waits: a; b").unwrap();
        let me = std::process::id() as i32;
        assert_eq!(waiting(&dir), Some((me, "waits: a; b".into())));
        std::fs::write(file(&dir), "rubbish").unwrap();
        assert_eq!(waiting(&dir), None);
    }
}
