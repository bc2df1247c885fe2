//! The core with its judges in one test binary, as `scripts/mutants` builds it for every mutant: one crate to
//! compile and one program to link instead of nine. The script adds the judges; the first that fails ends the run.

pub mod core;
pub mod id;
pub mod wire;
mod words;

#[cfg(test)]
extern crate self as ha_appliance;

#[cfg(test)]
mod at_the_first_failure {
    /// By its name the first of all tests, which run one after the other. One failure is all there is to
    /// know of a mutant, and most fail in a tenth of the time that all tests take.
    #[test]
    fn the_run_ends() {
        std::panic::set_hook(Box::new(|panic| {
            use std::io::Write;
            let thread = std::thread::current();
            let test = thread.name().unwrap_or("a test").to_owned();
            let _ = writeln!(std::io::stderr(), "{test}: {panic}");
            std::process::exit(101);
        }));
    }
}
