//! A program in a transient unit of its own, by systemd-run(1).
//!
//! Measured, with the release binary as runner on a machine at load 2.5: 21 ms from the call to the report (median of
//! 50); a bare program takes 4 ms. The runner's report comes through a pipe with a name, which systemd opens for it: it needs no
//! right to our run directory, and a daemon that restarts meanwhile is not waited for.

use super::report::{self, LONGEST};
use super::{Ended, Program, SLACK, runner};
use crate::agents::child::{self, End};
use crate::agents::trouble::Trouble;
use crate::agents::words::in_one_line;
use crate::sys;
use smol::future::{FutureExt, pending};
use smol::io::AsyncReadExt;
use smol::{Async, Timer};
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where their pipes are, and the next one's number.
#[derive(Debug)]
pub(super) struct Units {
    directory: PathBuf,
    next: Cell<u64>,
}

impl Units {
    /// Nothing of what a process before this one left there stays.
    pub(super) fn new(run_dir: &Path) -> Units {
        let directory = run_dir.join("programs");
        let _ = fs::remove_dir_all(&directory);
        Units {
            directory,
            next: Cell::new(1),
        }
    }

    pub(super) async fn run(
        &self,
        exe: &Path,
        kind: &str,
        program: &Program,
        input: &[u8],
        limit: Duration,
    ) -> Result<Ended, Trouble> {
        let number = self.next.replace(self.next.get() + 1);
        let name = format!("ha-appliance-{kind}-{}-{number}", std::process::id());
        let files = Files::new(&self.directory, &name, input);
        let files = files.map_err(|e| Trouble::of("cannot be run", &e))?;
        let command = command(exe, &name, program, &files, limit);
        let start = async {
            match child::run(command, b"", SLACK).await {
                Ok(ended) => match ended.end {
                    // What comes of it is the report's business.
                    End::Exited(status) if status.success() => pending().await,
                    End::Exited(_) => Err(said(&ended.output)),
                    End::Late { .. } => Err(Trouble("systemd-run does not end".into())),
                    End::TooMuch => Err(said(&ended.output)),
                },
                Err(error) => Err(Trouble::of("cannot run systemd-run", &error)),
            }
        };
        let late = async {
            Timer::after(limit + 2 * SLACK).await;
            Err(Trouble("systemd has not run it in time".into()))
        };
        let report = async {
            let bytes = files.read().await;
            report::read(&bytes.map_err(|e| Trouble::of("cannot be run", &e))?)
        };
        report.or(start).or(late).await
    }
}

fn said(output: &str) -> Trouble {
    let matters = |line: &str| !line.starts_with("See ");
    Trouble(format!(
        "systemd does not run it: {}",
        in_one_line(output, 200, matters)
    ))
}

/// What it is to get from us and to give to us. Removed with this.
struct Files {
    input: PathBuf,
    pipe: PathBuf,
    reader: Async<File>,
}

impl Files {
    fn new(directory: &Path, name: &str, input: &[u8]) -> io::Result<Files> {
        // Each time: there may have been no room for it, and somebody may have tidied up.
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(directory)?;
        let (at, pipe) = (directory.join(format!("{name}.in")), directory.join(name));
        sys::make_pipe(&pipe)?;
        let reader = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&pipe);
        let files = Files {
            input: at,
            pipe,
            reader: Async::new(reader?)?,
        };
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&files.input)?;
        file.write_all(input)?;
        Ok(files)
    }

    /// Until whoever writes is done. Nobody writes yet: that is no end, so it is waited for first.
    async fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut piece = [0; LONGEST];
        loop {
            self.reader.readable().await?;
            match (&self.reader).read(&mut piece).await? {
                0 => return Ok(bytes),
                n => bytes.extend_from_slice(&piece[..n.min(LONGEST.saturating_sub(bytes.len()))]),
            }
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.input);
        let _ = fs::remove_file(&self.pipe);
    }
}

fn command(exe: &Path, name: &str, program: &Program, files: &Files, limit: Duration) -> Command {
    let mut command = Command::new("systemd-run");
    command.args([
        "--quiet",
        "--collect",
        "--no-ask-password",
        "--service-type=exec",
    ]);
    command.arg(format!("--unit={name}"));
    command.arg(format!(
        "--description={} for ha-appliance",
        program
            .words
            .first()
            .map_or("", String::as_str)
            .replace('%', "%%")
    ));
    let properties = [
        // Not refused while the machine shuts down: that is when a handover is told.
        "DefaultDependencies=no".into(),
        format!("StandardInput=file:{}", files.input.display()),
        format!("StandardOutput=file:{}", files.pipe.display()),
        "StandardError=inherit".into(),
        // The runner keeps the time; this is for a runner that does not.
        format!("RuntimeMaxSec={}", (limit + SLACK).as_secs_f32()),
        "TimeoutStopSec=1".into(),
        "KillMode=control-group".into(),
        // One that forks without end: with systemd's own limit, thousands, the machine stands still.
        "TasksMax=512".into(),
        // Its starts and ends every few seconds are no news.
        "LogLevelMax=notice".into(),
    ];
    for property in properties {
        command.arg(format!("--property={property}"));
    }
    if let Some(user) = &program.user {
        command.arg(format!("--uid={user}"));
    }
    for (name, value) in std::env::vars() {
        if !OURS.contains(&name.as_str()) {
            command.arg(format!("--setenv={name}={value}"));
        }
    }
    command.arg("--").arg(exe);
    command.args(runner::arguments(program, None, limit));
    command
}

/// What systemd tells the daemon of itself, or each service anew.
const OURS: [&str; 17] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
    "MAINPID",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "RUST_LOG",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PWD",
];
