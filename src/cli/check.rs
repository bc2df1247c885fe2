//! `check`: is ha.toml right, and what does it mean here?

use super::exit::Exit;
use super::out::{fail, print};
use crate::agents::netlink;
use crate::config::{self, Kind, Misfit};
use crate::shell::doctor::taken;
use crate::shell::machine::{Asked, Looked};
use crate::shell::options::{self, Options};
use crate::shell::status;

/// Explains a good file; says what is wrong with a bad one, and what is missing here. Warnings do not fail
/// it.
pub(super) fn run(options: &Options) -> Exit {
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
    // Below the other warnings, of which there is always one.
    let host = &machine.host;
    for taken in taken(&config, side, &resolved, host, &options.state_dir).taken {
        print(&format!("  {}\n", taken.line));
    }
    for misfit in risky {
        print(&format!("  {}\n", misfit.in_one_line()));
    }
    match misfits.is_empty() {
        true => Exit::Well,
        false => {
            print(&format!("\nnot able to run here\n{}\n", listed(&misfits)));
            Exit::Refused
        }
    }
}

fn listed(misfits: &[Misfit]) -> String {
    let misfits: Vec<String> = misfits.iter().map(Misfit::to_string).collect();
    misfits.join("\n")
}
