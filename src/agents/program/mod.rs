//! Foreign programs: what an operator has the daemon run, such as exec checks and the `notify` hook.
//!
//! They may be slow, print without end, daemonise, eat all memory; and they expect the machine as it is,
//! not the daemon's sandbox. So each has a small process of our own above it, the [`runner`], which reads
//! what it prints, keeps its time, and ends whatever it leaves behind; the daemon reads one short report.
//! Where systemd runs the daemon, runner and program have a transient unit of their own ([`unit`]): they get
//! none of the daemon's restrictions, priority or exemption from the OOM killer, and outlive its restart.

mod kept;
mod report;
pub mod runner;
mod unit;
mod user;

pub use report::{End, Ended, MAX_OUTPUT};
pub use user::User;

use super::child;
use super::trouble::Trouble;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

/// A program as ha.toml names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its path and arguments.
    pub words: Vec<String>,
    /// Whom it runs as; none: root, as the daemon.
    pub user: Option<String>,
}

/// Where and how programs are run.
#[derive(Clone, Debug)]
pub struct Programs {
    runner: PathBuf,
    /// Where the reports of transient units arrive; none: everything runs below the daemon.
    units: Option<Rc<unit::Units>>,
}

/// The runner may take so much longer than the program: it has to be loaded too.
const SLACK: Duration = Duration::from_secs(5);

impl Programs {
    /// In transient units, if systemd runs this daemon.
    pub fn new(run_dir: &Path) -> Programs {
        // Asked for once: after an upgrade the kernel calls this program's file deleted.
        let runner = std::env::current_exe().unwrap_or_else(|_| "ha-appliance".into());
        let by_systemd = Path::new("/run/systemd/system").is_dir()
            && std::env::var_os("INVOCATION_ID").is_some();
        match by_systemd {
            true => Programs::in_units(&runner, run_dir),
            false => Programs::here(&runner),
        }
    }

    /// In transient units, by this runner; their pipes are below that directory.
    pub fn in_units(runner: &Path, run_dir: &Path) -> Programs {
        Programs {
            runner: runner.into(),
            units: Some(Rc::new(unit::Units::new(run_dir))),
        }
    }

    /// Below this process, by this runner: the `ha-appliance` program.
    pub fn here(runner: &Path) -> Programs {
        Programs {
            runner: runner.into(),
            units: None,
        }
    }

    /// This very program, for what it does itself beside the daemon.
    pub fn runner(&self) -> &Path {
        &self.runner
    }

    /// Runs it with this input, for at most `limit`. `kind` names its unit. Dropped, it is left to the
    /// runner, which ends it at `limit` all the same.
    pub async fn run(
        &self,
        kind: &str,
        program: &Program,
        input: &[u8],
        limit: Duration,
    ) -> Result<Ended, Trouble> {
        match &self.units {
            Some(units) => units.run(&self.runner, kind, program, input, limit).await,
            None => self.run_here(program, input, limit).await,
        }
    }

    async fn run_here(
        &self,
        program: &Program,
        input: &[u8],
        limit: Duration,
    ) -> Result<Ended, Trouble> {
        let mut command = Command::new(&self.runner);
        command.args(runner::arguments(program, program.user.as_deref(), limit));
        let ended = child::run_reading(command, input, limit + SLACK, report::LONGEST).await;
        let ended = ended.map_err(|e| Trouble::of("cannot be run", &e))?;
        match ended.end {
            child::End::Exited(_) => report::read(ended.output.as_bytes()),
            child::End::Late { stopped: true } => Err(Trouble("stopped by a signal".into())),
            child::End::Late { stopped: false } | child::End::TooMuch => {
                Err(Trouble("its runner does not end".into()))
            }
        }
    }
}
