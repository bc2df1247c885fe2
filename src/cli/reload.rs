//! `reload`: ask the daemon to read ha.toml again, unless that would stop a group that serves.

use super::command::{self, Target};
use super::exit::Exit;
use super::fit::unfit;
use super::out::fail;
use crate::config;
use crate::shell::options::Options;
use crate::shell::orders::Verb;
use crate::shell::status;

/// Refuses a service that is new in the file and cannot run here: the group would leave this node for
/// it. Everything else is the daemon's to judge.
pub(super) fn run(options: &Options) -> Exit {
    if let (Ok(config), Ok(status)) = (
        config::load(&options.config),
        status::load(&options.run_dir),
    ) {
        let resources = status.groups.iter().flat_map(|group| &group.resources);
        let known: Vec<String> = resources
            .filter_map(|resource| resource.name.strip_prefix("service "))
            .map(str::to_owned)
            .collect();
        let lines = unfit(&config, &known);
        if !lines.is_empty() {
            let text = lines.join("\n");
            return fail(
                Exit::Refused,
                format!("{text}\nthe configuration before stays in force"),
            );
        }
    }
    command::give(options, Target::Pair, |_| Verb::Reload)
}
