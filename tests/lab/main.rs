//! The lab: a real pair on a real (if virtual) network, and everything that can happen to it.
//!
//! ```text
//! lab                 every scenario once        lab --long      with full counts
//! lab NAME...         these scenarios            lab --list      what there is
//! lab --jobs=2        two scenarios at a time
//! lab bench           figures beside keepalived  lab demo        a tour for newcomers
//! ```
//!
//! It needs root, `ip` and `nft`: nodes are network namespaces, cables are veth pairs, and faults
//! are made in the switch between them. In a `node` the daemon runs alone; a `machine` is a whole
//! Debian with systemd in a container, for which scripts/rootfs makes the file system; a `vm` is a virtual
//! machine with a kernel of its own, for which scripts/vm-image makes the disk. `scenario` tells how a scenario
//! runs, `net` what the network looks like, `watch` how it is judged.

mod bench;
mod bmc;
mod client;
mod contender;
mod demo;
mod disk;
mod fake;
mod figures;
mod guest;
mod hold;
mod http;
mod lab;
mod link;
mod load;
mod machine;
mod net;
mod node;
mod pair;
mod qemu;
mod qmp;
mod readme;
mod record;
mod rtnl;
mod scenario;
mod scenarios;
mod status;
mod supply;
mod sweep;
mod sys;
mod system;
mod toml;
mod topology;
mod tricks;
mod usage;
mod vm;
mod watch;
mod writer;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["__guard", lab] => {
            sweep::guard_main(lab.parse().expect("a pid"));
            return ExitCode::SUCCESS;
        }
        ["__echo", tag] => {
            let e = client::echo_main(tag).expect_err("it answers for ever");
            eprintln!("echo: {e}");
            return ExitCode::FAILURE;
        }
        ["__guest"] => {
            let ended = guest::guest_main();
            eprintln!("guest: {ended:?}");
            return ExitCode::FAILURE;
        }
        ["__chassis", socket, ref words @ ..] => {
            return match bmc::chassis_main(socket, words) {
                Ok(()) => ExitCode::SUCCESS,
                Err(e) => {
                    eprintln!("chassis: {e}");
                    ExitCode::FAILURE
                }
            };
        }
        ["--list", ..] => {
            scenario::list();
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    // SAFETY: a plain system call.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("lab: must run as root: it makes network namespaces");
        return ExitCode::FAILURE;
    }
    sweep::sweep_dead();
    let _guard = sweep::guard().expect("the guard starts");
    let long = words.contains(&"--long");
    match words[..] {
        ["__one", name, ..] => scenario::run_one(name, long),
        ["demo", ..] => demo::main(),
        ["bench", ref rest @ ..] => bench::main(rest),
        _ => {
            let jobs = words
                .iter()
                .find_map(|word| word.strip_prefix("--jobs=")?.parse().ok());
            let jobs: usize = jobs.unwrap_or(1).max(1);
            let names = words.iter().filter(|word| !word.starts_with("--"));
            let names: Vec<String> = names.map(|name| name.to_string()).collect();
            scenario::run_all(&names, long, jobs)
        }
    }
}
