//! `check`: is ha.toml right, and what does it mean here?

use super::exit::Exit;
use super::fit::unfit;
use super::out::{fail, print};
use crate::agents::host::Host;
use crate::agents::netlink;
use crate::config;
use crate::shell::options::{self, Options};

/// Explains a good file; says what is wrong with a bad one. Warnings do not fail it.
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
        fail(
            Exit::Well,
            format!("this machine's network cannot be looked at: {e}; it is taken as having none"),
        );
        Host::default()
    });
    let (resolved, warnings) = config::resolve(&config, side, &host);
    let mut text = config::explain(&config, side, &resolved, &warnings);
    let unfit = unfit(&config, &[]);
    if !unfit.is_empty() {
        text += "\nnot able to run here\n";
        for line in unfit {
            text += &format!("  {line}\n");
        }
    }
    print(&text)
}
