//! What an operator types: one file a subject.
//!
//! Exit codes: 0 done or all well, 1 refused, degraded or lacking something, 2 blocked, 3 no daemon to talk
//! to, 64 not understood, 78 ha.toml is wrong.

mod args;
mod check;
mod command;
mod consent;
mod doctor;
#[cfg(test)]
mod documented;
mod exit;
mod fence_peer;
mod history;
mod keygen;
mod out;
mod release;
mod status;

use crate::agents::drbd::tools;
use crate::agents::mount::helper;
use crate::agents::program::runner;
use crate::shell::daemon;
use crate::shell::options::Options;
use crate::shell::status::Status;
use crate::sys;
use args::{Args, Subcommand, SwitchedTo};
use command::Target;
use exit::Exit;
use std::process::ExitCode;

/// Parses the command line, runs the subcommand and gives its exit code.
pub fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if let [word, arguments @ ..] = &words[..] {
        match word.as_str() {
            runner::WORD => return runner::main(arguments),
            helper::WORD => return helper::main(arguments),
            tools::OPENERS => return tools::main(arguments),
            release::DOWN => return release::down(&Options::default()).into(),
            "fence-peer" => return fence_peer::main(),
            // What has come back is synced by DRBD, and asks nobody.
            "unfence-peer" => return ExitCode::SUCCESS,
            _ => {}
        }
    }
    sys::hide_memory(); // it may come to hold the key
    let args = match Args::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(stop) => return stop.exit(),
    };
    let options = args.command.options();
    match args.command {
        Subcommand::Run(_) => daemon::run(&options),
        other => client(other, &options).into(),
    }
}

/// Everything but the daemon.
fn client(subcommand: Subcommand, options: &Options) -> Exit {
    use crate::shell::orders::Verb;
    use Subcommand as S;
    match subcommand {
        S::Run(_) => unreachable!("main runs the daemon"),
        S::Check(a) => check::run(options, a.live),
        S::Status(a) => {
            let form = status::Form {
                group: a.group,
                brief: a.brief,
                json: a.json,
            };
            status::run(options, &form, a.watch)
        }
        S::History(a) => history::run(options, a.lines.0, a.here, a.json),
        S::Doctor(a) => doctor::run(options, a.json),
        S::Keygen(a) => keygen::run(options, a.write),
        S::Release(_) => release::run(options),
        S::Version(_) => out::print(&version()),
        S::Failover(a) => match a.to {
            Some(node) => command::give_to(options, a.group, node, a.yes, consent::of_move),
            None => {
                let target = Target::AnyGroup(a.group);
                command::give_if(options, target, |_| Verb::Failover, a.yes, consent::of_move)
            }
        },
        S::Clear(a) => command::give(options, Target::AnyGroup(a.group), |_| Verb::Clear),
        S::StopGroup(a) => {
            let cost = |status: &Status, now| consent::of_stop(status, &a.group, now);
            let target = Target::Group(a.group.clone());
            command::give_if(options, target, |_| Verb::Stop, a.yes, cost)
        }
        S::Start(a) => command::give(options, Target::Group(a.group), |_| Verb::Start),
        S::Standby(a) => {
            let cost =
                |status: &Status, now| consent::of_standby(status, a.node_name.as_deref(), now);
            let target = Target::Node(a.node_name.clone());
            let verb = |side| Verb::standby(side, true);
            command::give_if(options, target, verb, a.yes, cost)
        }
        S::Online(a) => command::give(options, Target::Node(a.node_name), |side| {
            Verb::standby(side, false)
        }),
        S::ConfirmFenced(a) => {
            let verb = match a.despite_signs_of_life {
                true => Verb::ConfirmFencedDespite,
                false => Verb::ConfirmFenced,
            };
            let despite = a.despite_signs_of_life;
            let cost = |status: &Status, now| consent::of_confirm(status, despite, now);
            command::give_if(options, Target::Peer(a.node_name), |_| verb, a.yes, cost)
        }
        S::AcceptData(a) => {
            let cost = |status: &Status, _| consent::of_data(status, &a.resource);
            let target = Target::Drbd(a.resource.clone());
            command::give_if(options, target, |_| Verb::AcceptData, a.yes, cost)
        }
        S::Fence(a) => {
            let verb = match a.rehearse {
                true => Verb::FenceRehearse,
                false => Verb::Fence,
            };
            let cost = |status: &Status, _| Some(consent::of_fence(status, a.rehearse));
            let target = Target::Peer(a.node_name.clone());
            command::give_if(options, target, |_| verb, a.yes, cost)
        }
        S::Reload(a) => {
            let verb = match a.dry_run {
                true => Verb::ReloadDryRun,
                false => Verb::Reload,
            };
            command::give(options, Target::Pair, |_| verb)
        }
        S::Maintenance(a) => {
            let verb = match a.state {
                SwitchedTo::On => Verb::MaintenanceOn,
                SwitchedTo::Off => Verb::MaintenanceOff,
            };
            command::give(options, Target::Pair, |_| verb)
        }
    }
}

fn version() -> String {
    format!("ha-appliance {}\n", env!("CARGO_PKG_VERSION"))
}
