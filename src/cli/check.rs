//! `check`: is ha.toml right, and what does it mean here?

use super::exit::Exit;
use super::out::{fail, print};
use crate::agents::netlink;
use crate::config::{self, Config, Kind, Misfit};
use crate::shell::devices;
use crate::shell::doctor::taken;
use crate::shell::machine::{Asked, Looked};
use crate::shell::options::{self, Options};
use crate::shell::status;
use crate::wire::heartbeat::Side;
use std::path::Path;
use std::process::Command;

/// Explains a good file; says what is wrong with a bad one, and what is missing here. Warnings do not fail
/// it. `live`: asks the devices that switch the other node off.
pub(super) fn run(options: &Options, live: bool) -> Exit {
    let found = config::load(&options.config).and_then(|config| {
        let side = config.side(options.node.as_deref(), &options::host_name())?;
        Ok((config, side))
    });
    let (config, side) = match found {
        Ok(found) => found,
        Err(e) => return fail(Exit::Config, e),
    };
    let host = netlink::host().unwrap_or_else(|e| {
        let what =
            format!("this machine's network cannot be looked at: {e}; it is taken as having none");
        fail(Exit::Well, what);
        Default::default()
    });
    let peer = status::peer_addresses(&options.run_dir);
    let Looked {
        machine, trouble, ..
    } = smol::block_on(Asked::thoroughly(&config).look(host, peer));
    if let Some(trouble) = trouble {
        fail(Exit::Well, trouble);
    }
    let misfits = config::misfits(&config, side, &machine);
    let (risky, misfits): (Vec<Misfit>, Vec<Misfit>) =
        (misfits.into_iter()).partition(|misfit| misfit.kind == Kind::Risky);
    if misfits.iter().any(|misfit| misfit.kind != Kind::Unable) {
        return fail(Exit::Config, listed(&misfits));
    }
    let (resolved, warnings) = config::resolve(&config, side, &machine.host);
    print(&config::explain(&config, side, &resolved, &warnings));
    let host = &machine.host;
    let taken = taken(&config, side, &resolved, host, &options.state_dir).taken;
    let mut more: Vec<String> = taken.into_iter().map(|taken| taken.line).collect();
    more.extend(risky.iter().map(Misfit::in_one_line));
    if live && config.fencing.is_some() {
        more.extend(power_button());
    }
    // Below the other warnings.
    if warnings.is_empty() && !more.is_empty() {
        print("\nwarnings\n");
    }
    for line in more {
        print(&format!("  {line}\n"));
    }
    let answered = !live || devices(&config, side);
    match misfits.is_empty() {
        true if answered => Exit::Well,
        true => Exit::Refused,
        false => {
            print(&format!("\nnot able to run here\n{}\n", listed(&misfits)));
            Exit::Refused
        }
    }
}

/// Asks each device that switches the other node off; false: one did not answer.
fn devices(config: &Config, side: Side) -> bool {
    let devices = config.fencing.iter().flat_map(|f| f.against(side.other()));
    let devices: Vec<&config::Device> = devices.collect();
    let peer = &config.node(side.other()).name;
    print(&format!("\nwhat switches {peer} off, asked just now\n"));
    if devices.is_empty() {
        print("  nothing: ha.toml has no `[[fence]]`\n");
    }
    let mut answered = true;
    for device in devices {
        let told = smol::block_on(devices::look(device));
        answered &= told.is_ok();
        let told = told.unwrap_or_else(|why| format!("cannot be used: {why}"));
        print(&format!("  {device}: {told}\n"));
    }
    answered
}

/// What makes of an off that arrives as the press of a button something slower than an end of power.
fn power_button() -> Vec<String> {
    let mut found = Vec::new();
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["cat-config", "systemd/logind.conf"]);
    let config = analyze.output().map(|output| output.stdout);
    let config = String::from_utf8_lossy(&config.unwrap_or_default()).into_owned();
    if !config.is_empty() && !ignores_button(&config) {
        found.push(
            "a BMC may pass an off on as a press of this machine's power button, which systemd answers by an orderly \
             shutdown: set HandlePowerKey=ignore in /etc/systemd/logind.conf.d/"
                .into(),
        );
    }
    if Path::new("/run/acpid.socket").exists() {
        found.push("acpid runs here and may answer the power button: remove it".into());
    }
    found
}

/// The last line that sets it counts; without one it is poweroff.
fn ignores_button(config: &str) -> bool {
    let mut values = config
        .lines()
        .filter_map(|line| line.trim().strip_prefix("HandlePowerKey="));
    values
        .next_back()
        .is_some_and(|value| value.trim() == "ignore")
}

fn listed(misfits: &[Misfit]) -> String {
    let misfits: Vec<String> = misfits.iter().map(Misfit::to_string).collect();
    misfits.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_the_power_button_counts() {
        assert!(!ignores_button("[Login]\n#HandlePowerKey=ignore\n"));
        let first = "[Login]\nHandlePowerKey=ignore\n";
        assert!(ignores_button(first));
        let later = "# /etc/systemd/logind.conf.d/x.conf\n[Login]\nHandlePowerKey=poweroff\n";
        assert!(!ignores_button(&format!("{first}{later}")));
    }
}
