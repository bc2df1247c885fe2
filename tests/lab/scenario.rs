//! The register of scenarios, and running them: each in a process of its own, so that one that
//! hangs or breaks takes nothing with it and the rest still run.

use crate::lab::{Lab, Outcome};
use crate::record::Record;
use crate::scenarios;
use crate::sweep;
use crate::sys::{self, now};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

/// One scenario.
pub struct Scenario {
    /// How it is called on the command line.
    pub name: &'static str,
    /// What it shows, in one sentence.
    pub shows: &'static str,
    /// What it does.
    pub run: fn(&mut Lab) -> Outcome,
    /// The longest it may take, in seconds: in the usual run, and in the long one.
    pub limit: (u64, u64),
}

/// Every scenario, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    scenarios::ALL.iter().flat_map(|group| group.iter())
}

/// Prints what there is.
pub fn list() {
    for scenario in all() {
        println!("{:<28}{}", scenario.name, scenario.shows);
    }
}

/// Runs scenarios by name, or all, and sums up.
pub fn run_all(names: &[String], long: bool) -> ExitCode {
    if let Some(unknown) = names.iter().find(|name| all().all(|s| s.name != **name)) {
        eprintln!("lab: no scenario is called {unknown}; see `--list`");
        return ExitCode::FAILURE;
    }
    let (mut passed, mut failed) = (0, 0);
    for scenario in all().filter(|s| names.is_empty() || names.iter().any(|name| name == s.name)) {
        if run_apart(scenario, long) {
            passed += 1
        } else {
            failed += 1
        }
    }
    println!("lab: {passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs one scenario in this process; the program behind `lab __one NAME`.
pub fn run_one(name: &str, long: bool) -> ExitCode {
    let Some(scenario) = all().find(|s| s.name == name) else {
        return ExitCode::FAILURE;
    };
    let record = Record::new(long);
    watchdog(scenario, record.clone());
    let outcome = Lab::new(record.clone()).and_then(|mut lab| {
        let outcome = (scenario.run)(&mut lab).and_then(|()| lab.judge());
        // What the logs say belongs to the diagnosis, so it is made before they are swept away.
        outcome.map_err(|e| format!("{e}\n{}", record.diagnosis()).into())
    });
    match outcome {
        Ok(()) => {
            println!("{:<28}{}   ok", scenario.name, record.figures());
            ExitCode::SUCCESS
        }
        Err(e) => {
            println!("{:<28}FAILED: {e}", scenario.name);
            ExitCode::FAILURE
        }
    }
}

fn run_apart(scenario: &Scenario, long: bool) -> bool {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.args(["__one", scenario.name]);
    if long {
        command.arg("--long");
    }
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    let limit = Duration::from_secs(limit(scenario, long) + 15);
    let started = now();
    let passed = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if sys::since(started) < limit => {
                std::thread::sleep(Duration::from_millis(20));
            }
            _ => {
                println!("{:<28}FAILED: hung beyond its own limit", scenario.name);
                let _ = child.kill();
                let _ = child.wait();
                break false;
            }
        }
    };
    sweep::sweep(child.id());
    passed
}

/// Ends this process with a diagnosis when the scenario takes too long.
fn watchdog(scenario: &'static Scenario, record: Arc<Record>) {
    let limit = Duration::from_secs(limit(scenario, record.long));
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        println!(
            "{:<28}FAILED: not done after {limit:?}\n{}",
            scenario.name,
            record.diagnosis()
        );
        std::process::exit(1);
    });
}

fn limit(scenario: &Scenario, long: bool) -> u64 {
    if long {
        scenario.limit.1
    } else {
        scenario.limit.0
    }
}
