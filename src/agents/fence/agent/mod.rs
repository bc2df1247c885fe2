//! A machine's power by a fence agent: any program that speaks the protocol of the fence-agents project
//! (FenceAgentAPI.md there): `key=value` lines on stdin, an exit status, its reason on stderr.
//!
//! Its word is not proof: of an `off` that ends well only a `status` of our own tells. `reboot` is never asked for, for that ends well where the machine could not be switched on again, and says nothing of off.

mod failure;
mod metadata;
mod options;

pub use failure::Failure;
pub use metadata::{Kind, Metadata, Parameter};
pub use options::{Options, input, problems};

use crate::agents::child;
use crate::agents::program::{End, Program, Programs};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// An agent, and how it reaches its device.
pub struct Agent {
    /// The program.
    pub program: PathBuf,
    /// Without an action.
    pub options: Options,
}

/// What an agent says of the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// `status` ended with 0.
    On,
    /// `status` ended with 2.
    Off,
}

/// Where Debian, Red Hat and SUSE put agents; and an operator his own.
const PLACES: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];
/// How long an agent may take to tell what it can.
const METADATA_WITHIN: Duration = Duration::from_secs(10);
/// More than any agent's metadata has (the longest of fence-agents 4.12 has 26 KB).
const LONGEST_METADATA: usize = 256 * 1024;
/// Between two looks at the power: an agent logs in anew for each.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the agent of that name is; an error is what is wrong, and what to do.
pub fn find(name: &str) -> Result<PathBuf, String> {
    let path = Path::new(name);
    if path.is_absolute() {
        return Ok(path.into());
    }
    if name.contains('/') || !name.starts_with("fence_") {
        return Err(format!(
            "{name} is no agent: their names begin with fence_, and others are named by their whole path"
        ));
    }
    let places = PLACES.map(|place| Path::new(place).join(name));
    let found = places.into_iter().find(|path| path.exists());
    found.ok_or_else(|| {
        format!(
            "there is no {name} in {}: is the package fence-agents installed?",
            PLACES.join(", ")
        )
    })
}

/// Asks an agent what it can. Where nothing has begun yet: it runs below this process.
pub async fn metadata(program: &Path) -> Result<Metadata, String> {
    let input = input(&vec![], "metadata");
    let command = Command::new(program);
    let ended = child::run_reading(command, &input, METADATA_WITHIN, LONGEST_METADATA);
    let ended = ended.await.map_err(|e| format!("cannot be run: {e}"))?;
    match ended.end {
        child::End::Exited(status) if status.success() => Metadata::read(&ended.output),
        child::End::Exited(status) => Err(format!("its action metadata ends with {status}")),
        child::End::Late { .. } => Err(format!(
            "its action metadata does not end within {} s",
            METADATA_WITHIN.as_secs()
        )),
        child::End::TooMuch => Err("its action metadata prints without end".into()),
    }
}

impl Agent {
    /// Whether the device can be reached and logged in to.
    pub async fn monitor(&self, programs: &Programs, within: Duration) -> Result<(), Failure> {
        self.expect(programs, "monitor", within).await
    }

    /// The power.
    pub async fn status(&self, programs: &Programs, within: Duration) -> Result<Power, Failure> {
        match self.call(programs, "status", within).await? {
            (0, _) => Ok(Power::On),
            (2, _) => Ok(Power::Off),
            (status, output) => Err(Failure::said("status", status, &output)),
        }
    }

    /// Orders the machine off. Whether it goes off only a later [`status`](Self::status) tells.
    pub async fn order_off(&self, programs: &Programs, within: Duration) -> Result<(), Failure> {
        self.expect(programs, "off", within).await
    }

    /// Switches the machine on, and reads that it is.
    pub async fn on(&self, programs: &Programs, within: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + within;
        let left = || deadline.saturating_duration_since(Instant::now());
        self.expect(programs, "on", left() / 2).await?;
        while !left().is_zero() {
            if self.status(programs, left()).await? == Power::On {
                return Ok(());
            }
            pause(Instant::now() + PAUSE, deadline).await;
        }
        Err(Failure::Unchanged { after: within })
    }

    async fn expect(
        &self,
        programs: &Programs,
        action: &'static str,
        within: Duration,
    ) -> Result<(), Failure> {
        match self.call(programs, action, within).await? {
            (0, _) => Ok(()),
            (status, output) => Err(Failure::said(action, status, &output)),
        }
    }

    /// Runs it: its exit status, and what it wrote.
    async fn call(
        &self,
        programs: &Programs,
        action: &'static str,
        within: Duration,
    ) -> Result<(i32, String), Failure> {
        let program = Program {
            words: vec![self.program.display().to_string()],
            user: None,
        };
        let input = input(&self.options, action);
        let ended = programs.run("fence", &program, &input, within).await;
        let ended = ended.map_err(Failure::Unasked)?;
        match ended.end {
            End::Exited(status) => Ok((status, ended.output)),
            End::Killed(signal) => Err(Failure::Killed { action, signal }),
            End::Late => Err(Failure::Late {
                action,
                after: within,
            }),
        }
    }
}

async fn pause(until: Instant, deadline: Instant) {
    smol::Timer::at(until.min(deadline)).await;
}
