//! `release`: drop what this node holds, without the daemon; what OnFailure= runs.
//!
//! VIPs first, because a client must not reach a service that is going down; and whatever fails, the
//! rest is tried all the same.

use super::exit::Exit;
use super::out::{fail, print};
use crate::agents::service::{self, Patience};
use crate::agents::{netlink, vip};
use crate::config::{self, Config, Group, Mode, Service};
use crate::shell::lock::{LockError, PidLock};
use crate::shell::marks::Marks;
use crate::shell::options::Options;
use crate::shell::state;
use crate::wire::heartbeat::WishSubject;
use std::net::IpAddr;
use std::path::Path;

/// Removes all VIPs of ha.toml from whatever interface they are on, then stops its services that run
/// on one node only.
pub(super) fn run(options: &Options) -> Exit {
    // Held until the end: no daemon can start between the look and the removal.
    let _lock = match PidLock::acquire(&options.run_dir) {
        Ok(lock) => lock,
        Err(LockError::Held { pid, .. }) => {
            return fail(
                Exit::Refused,
                format!(
                    "the daemon runs (process {pid}) and would put it back; use `ha-appliance standby`, or `systemctl stop ha-appliance`"
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
        .any(|w| w.subject == WishSubject::Maintenance && w.is_on())
    {
        return fail(
            Exit::Refused,
            "maintenance is on: nothing is touched; start the daemon and run `ha-appliance maintenance off` first",
        );
    }
    let config = match load(options) {
        Ok(config) => config,
        Err(e) => return fail(Exit::Config, e),
    };
    let removed = remove(&addresses(&config));
    let services = services(&config);
    // As sd_booted(3): elsewhere there is no systemctl to ask, and nothing that the daemon started.
    let stopped = if Path::new("/run/systemd/system").is_dir() {
        stop(&services)
    } else {
        Exit::Well
    };
    if removed == Exit::Well {
        if stopped == Exit::Well {
            Marks::remove_all(&options.run_dir);
        }
        stopped
    } else {
        removed
    }
}

fn remove(vips: &[IpAddr]) -> Exit {
    match vip::release(vips) {
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

fn stop(services: &[&Service]) -> Exit {
    let mut exit = Exit::Well;
    for service in services {
        let unit = &service.unit;
        let patience = Patience::silent(service.stop_timeout);
        let stopped = service::stop(unit, None, &patience, false);
        let said = match smol::block_on(stopped) {
            Ok(_) => print(&format!("stopped {unit}\n")),
            Err(why) => fail(
                Exit::Refused,
                format!("{why}; see `systemctl status {unit}`"),
            ),
        };
        exit = if said == Exit::Well { exit } else { said };
    }
    exit
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

/// Those that the peer could not start while they run here, in the order in which they stop.
fn services(config: &Config) -> Vec<&Service> {
    let services = config.groups.iter().flat_map(Group::services);
    let mut services: Vec<&Service> = services.filter(|s| s.mode == Mode::One).collect();
    services.reverse();
    services
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Resource;
    use std::time::Duration;

    fn service(unit: &str, mode: Mode) -> Service {
        Service {
            unit: unit.into(),
            mode,
            check: None,
            restarts: Service::RESTARTS,
            window: Service::WINDOW,
            fail_expiry: None,
            start_timeout: Service::START_TIMEOUT,
            stop_timeout: Duration::from_secs(2),
        }
    }

    #[test]
    fn services_stop_in_reverse_and_those_of_both_nodes_go_on() {
        let text = "[cluster]\nname = \"x\"\nkey_file = \"key\"\n\
                    [node.a]\nlinks = [\"10.1.1.1\"]\n[node.b]\nlinks = [\"10.1.1.2\"]\n\
                    [[group]]\nname = \"web\"\n[[group.resource]]\nvip = \"192.0.2.80/32\"\ninterface = \"eth9\"\n";
        let key = config::generate_key_line([1; 32]);
        let mut config = config::parse_with_key_file(text, Path::new("ha.toml"), &key).unwrap();
        for (unit, mode) in [
            ("apache2.service", Mode::One),
            ("haproxy.service", Mode::Both),
            ("php-fpm.service", Mode::One),
        ] {
            let service = Resource::Service(service(unit, mode));
            config.groups[0].resources.push(service);
        }
        let units: Vec<_> = services(&config).iter().map(|s| &s.unit).collect();
        assert_eq!(units, ["php-fpm.service", "apache2.service"]);
        assert_eq!(addresses(&config).len(), 1);
    }
}
