//! `release`: drop every VIP of this node, without the daemon; what OnFailure= runs.

use super::exit::Exit;
use super::out::{fail, print};
use crate::agents::{netlink, vip};
use crate::config::{self, Config, Group};
use crate::shell::lock::{LockError, PidLock};
use crate::shell::options::Options;
use crate::shell::state;
use crate::wire::heartbeat::WishSubject;
use std::net::IpAddr;

/// Removes all VIPs of ha.toml from whatever interface they are on.
pub(super) fn run(options: &Options) -> Exit {
    // Held until the end: no daemon can start between the look and the removal.
    let _lock = match PidLock::acquire(&options.run_dir) {
        Ok(lock) => lock,
        Err(LockError::Held { pid, .. }) => {
            return fail(
                Exit::Refused,
                format!(
                    "the daemon runs (process {pid}) and would put them back; use `ha-appliance standby`, or `systemctl stop ha-appliance`"
                ),
            );
        }
        Err(e) => return fail(Exit::Refused, e),
    };
    let wishes = state::peek(&options.state_dir)
        .map(|record| record.wishes)
        .unwrap_or_default();
    if wishes
        .iter()
        .any(|w| w.subject == WishSubject::Maintenance && w.on)
    {
        return fail(
            Exit::Refused,
            "maintenance is on: nothing is touched; start the daemon and run `ha-appliance maintenance off` first",
        );
    }
    let vips = match load(options) {
        Ok(config) => addresses(&config),
        Err(e) => return fail(Exit::Config, e),
    };
    match vip::release(&vips) {
        Ok(removed) if removed.is_empty() => print("none of the VIPs was here\n"),
        Ok(removed) => {
            let interfaces = netlink::host().unwrap_or_default().interfaces;
            let name = |index| {
                interfaces
                    .iter()
                    .find(|i| i.index == index)
                    .map_or("?", |i| &i.name)
            };
            let line = |one: &netlink::Installed| {
                format!(
                    "removed {}/{} from {}\n",
                    one.address,
                    one.prefix,
                    name(one.interface)
                )
            };
            print(&removed.iter().map(line).collect::<String>())
        }
        Err(errors) => {
            for error in &errors {
                fail(Exit::Refused, error);
            }
            fail(
                Exit::Refused,
                "not all of them are removed; run this as root",
            )
        }
    }
}

/// The file without its keys: a lost key must not keep the VIPs here.
fn load(options: &Options) -> Result<Config, String> {
    let path = &options.config;
    let text = std::fs::read_to_string(path).map_err(|e| {
        format!(
            "cannot read {}: {e}; without it the VIPs are not known; see --config",
            path.display()
        )
    })?;
    config::parse_with_key_file(&text, path, &config::generate_key_line([1; 32]))
        .map_err(|e| e.to_string())
}

fn addresses(config: &Config) -> Vec<IpAddr> {
    let vips = config.groups.iter().flat_map(Group::vips);
    vips.map(|vip| vip.address.addr()).collect()
}
