//! The register of scenarios, and running them: each in a process of its own, so that one that
//! hangs or breaks takes nothing with it and the rest still run.

use crate::lab::{Hardware, Lab, Outcome};
use crate::machine::Machine;
use crate::record::Record;
use crate::scenarios;
use crate::sweep;
use crate::sys::{self, now};
use crate::topology::Topology;
use crate::vm::{self, Vms};
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// One scenario.
pub struct Scenario {
    /// How it is called on the command line.
    pub name: &'static str,
    /// What it shows, in one sentence.
    pub shows: &'static str,
    /// What it does.
    pub run: Run,
    /// The longest it may take, in seconds: in the usual run, and in the long one.
    pub limit: (u64, u64),
}

/// What a scenario does, and with what kind of nodes.
pub enum Run {
    /// The daemon alone, in a namespace: quick to start, and any phase of it can be met.
    Nodes(fn(&mut Lab) -> Outcome),
    /// A whole system with systemd as PID 1 and real services, in the network of a case.
    Machines(&'static Topology, fn(&mut Lab<Machine>) -> Outcome),
    /// Virtual machines, booted once: prepared, then one step after the other, each of which finds and leaves a
    /// pair that serves. It has this machine for itself.
    Virtual(&'static Topology, fn(&mut Vms) -> Outcome, &'static [Step]),
}

/// A part of a scenario with virtual machines.
pub struct Step {
    /// How it is called in reports.
    pub name: &'static str,
    /// What it shows, in one sentence.
    pub shows: &'static str,
    /// What it does.
    pub run: fn(&mut Vms) -> Outcome,
    /// Not in the usual run.
    pub long: bool,
}

/// Every scenario, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    scenarios::ALL.iter().flat_map(|group| group.iter())
}

/// Prints what there is.
pub fn list() {
    for scenario in all() {
        println!("{:<28}{}", scenario.name, scenario.shows);
        if let Run::Virtual(_, _, steps) = scenario.run {
            for step in steps {
                let long = if step.long { " (--long)" } else { "" };
                println!("  {:<26}{}{long}", step.name, step.shows);
            }
        }
    }
}

/// Runs scenarios by name, or all, `jobs` at a time, and sums up.
pub fn run_all(names: &[String], long: bool, jobs: usize) -> ExitCode {
    if let Some(unknown) = names.iter().find(|name| all().all(|s| s.name != **name)) {
        eprintln!("lab: no scenario is called {unknown}; see `--list`");
        return ExitCode::FAILURE;
    }
    // Virtual machines take minutes to boot: only who names them wants them.
    let wanted = all().filter(|s| match names.is_empty() {
        true => !s.is_virtual(),
        false => names.iter().any(|name| name == s.name),
    });
    let (alone, together): (Vec<_>, Vec<_>) =
        wanted.partition(|s| jobs == 1 || ALONE.contains(&s.name) || s.is_virtual());
    let (passed, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let run = |scenario: &Scenario| {
        let count = if run_apart(scenario, long) {
            &passed
        } else {
            &failed
        };
        count.fetch_add(1, Ordering::Relaxed);
    };
    alone.into_iter().for_each(run);
    let queue = Mutex::new(together.into_iter());
    let next = || queue.lock().expect("no panic while held").next();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| std::iter::from_fn(next).for_each(run));
        }
    });
    let (passed, failed) = (passed.into_inner(), failed.into_inner());
    println!("lab: {passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Scenarios that load the machine, or that a loaded machine would spoil.
const ALONE: &[&str] = &["the-tricks-work", "power-loss-fast", "many-vips", "flood"];

/// Runs one scenario in this process; the program behind `lab __one NAME`.
pub fn run_one(name: &str, long: bool) -> ExitCode {
    let Some(scenario) = all().find(|s| s.name == name) else {
        return ExitCode::FAILURE;
    };
    let record = Record::new(long);
    watchdog(scenario, record.clone());
    let outcome = match scenario.run {
        Run::Nodes(run) => play(Lab::new(record.clone()), judged(run)),
        Run::Machines(topology, run) => play(Lab::build(record.clone(), topology), judged(run)),
        Run::Virtual(topology, prepare, steps) => {
            let booted = now();
            let lab = Lab::build(record.clone(), topology);
            record.figure("both booted", sys::since(booted));
            play(lab, |lab| chain(scenario, prepare, steps, lab))
        }
    };
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

/// One step after the other; in the long run those that passed before it was interrupted are left out.
fn chain(
    scenario: &Scenario,
    prepare: fn(&mut Vms) -> Outcome,
    steps: &[Step],
    lab: &mut Vms,
) -> Outcome {
    let passed = Passed::of(scenario);
    let long = lab.record.long;
    let wanted = |step: &&Step| match long {
        true => !passed.contains(step),
        false => !step.long,
    };
    println!("{:<28}{}", scenario.name, lab.record.take_figures());
    caught(|| prepare(lab)).map_err(|e| vm::explained(lab, e))?;
    for step in steps.iter().filter(wanted) {
        lab.note(format!("== {}", step.name));
        let began = now();
        let outcome = caught(|| (step.run)(lab)).and_then(|()| vm::judge(lab, began));
        let named = |e| format!("{}: {e}", step.name).into();
        outcome.map_err(|e| vm::explained(lab, named(e)))?;
        let (took, figures) = (sys::since(began), lab.record.take_figures());
        println!(
            "  {:<26}{figures}   ok in {:.1} s",
            step.name,
            took.as_secs_f64()
        );
        if long {
            passed.note(step)?;
        }
    }
    if long {
        passed.forget();
    }
    Ok(())
}

/// Which steps of a long scenario have passed, kept until all have.
struct Passed(PathBuf);

impl Passed {
    fn of(scenario: &Scenario) -> Passed {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        Passed(target.join(format!("lab-{}.passed", scenario.name)))
    }

    fn contains(&self, step: &Step) -> bool {
        let names = fs::read_to_string(&self.0).unwrap_or_default();
        names.lines().any(|name| name == step.name)
    }

    fn note(&self, step: &Step) -> io::Result<()> {
        let mut file = fs::File::options()
            .create(true)
            .append(true)
            .open(&self.0)?;
        writeln!(file, "{}", step.name)
    }

    fn forget(&self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Scenario {
    fn is_virtual(&self) -> bool {
        matches!(self.run, Run::Virtual(..))
    }
}

fn play<N: Hardware>(lab: Outcome<Lab<N>>, run: impl FnOnce(&mut Lab<N>) -> Outcome) -> Outcome {
    let mut lab = lab?;
    let outcome = caught(|| run(&mut lab));
    // What the logs say belongs to the diagnosis, so it is made before they are swept away.
    outcome.map_err(|e| format!("{e}\n{}", lab.record.diagnosis()).into())
}

fn judged<N: Hardware>(
    run: impl FnOnce(&mut Lab<N>) -> Outcome,
) -> impl FnOnce(&mut Lab<N>) -> Outcome {
    |lab| run(lab).and_then(|()| lab.judge())
}

/// A broken expectation within the lab is a failure like any other, and wants the same diagnosis.
fn caught(run: impl FnOnce() -> Outcome) -> Outcome {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    caught.unwrap_or_else(|_| Err("the scenario panicked, see above".into()))
}

/// Runs a scenario in a process of its own, prints its report in one piece, and sweeps up.
fn run_apart(scenario: &Scenario, long: bool) -> bool {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command
        .args(["__one", scenario.name])
        .stdout(Stdio::piped());
    if long {
        command.arg("--long");
    }
    sys::die_with_parent(&mut command);
    let mut child = command.spawn().expect("this program can be started again");
    let lab = child.id();
    let mut output = child.stdout.take().expect("piped");
    let limit = Duration::from_secs(limit(scenario, long) + 15);
    let (done, finished) = mpsc::channel::<()>();
    let hung = std::thread::scope(|scope| {
        let killer = scope.spawn(move || {
            let hung = finished.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout);
            if hung {
                sys::kill(lab, libc::SIGKILL);
            }
            hung
        });
        let mut report = Vec::new();
        let _ = output.read_to_end(&mut report);
        let _ = std::io::stdout().write_all(&report);
        drop(done);
        killer.join().expect("it only waits")
    });
    if hung {
        println!("{:<28}FAILED: hung beyond its own limit", scenario.name);
    }
    let passed = child.wait().is_ok_and(|status| status.success());
    sweep::sweep(lab);
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
