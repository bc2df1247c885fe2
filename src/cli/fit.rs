//! Whether the services of ha.toml could run on this machine, before it matters.

use crate::agents::service;
use crate::config::{Config, Group};
use std::path::Path;

/// A line for each service that could not be started here, but for those in `known`: why, and what to
/// do. None where systemd does not run.
pub(super) fn unfit(config: &Config, known: &[String]) -> Vec<String> {
    let services = config.groups.iter().flat_map(Group::services);
    let units = services.map(|service| service.unit.as_str());
    let units: Vec<&str> = units
        .filter(|unit| !known.iter().any(|known| known == unit))
        .collect();
    if units.is_empty() || !Path::new("/run/systemd/system").exists() {
        return Vec::new();
    }
    match smol::block_on(service::unfit(&units)) {
        Ok(lines) => lines,
        Err(why) => vec![why],
    }
}
