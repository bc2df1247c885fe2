//! `release`: drop what this node holds, without the daemon; what OnFailure= runs.
//!
//! VIPs first, because a client must not reach a service that is going down; then services and mounts, the last of
//! the file first; and whatever fails, the rest is tried all the same.

use super::exit::Exit;
use super::out::{fail, print};
use crate::agents::drbd::events::State;
use crate::agents::drbd::tools::{Named, Tools};
use crate::agents::mount::{self, Answer, Verb};
use crate::agents::program::Programs;
use crate::agents::service::{self, Patience};
use crate::agents::{netlink, vip};
use crate::config::{self, Config, Drbd, Group, Mode, Mount, Resource, Service};
use crate::shell::lock::{LockError, PidLock};
use crate::shell::marks::Marks;
use crate::shell::options::Options;
use crate::shell::state;
use crate::wire::heartbeat::WishSubject;
use std::net::IpAddr;
use std::path::Path;

/// Removes all VIPs of ha.toml from whatever interface they are on, then stops its services that run
/// on one node only, and unmounts what it mounts.
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
    let mut stopped = Exit::Well;
    for (group, resource) in exclusive(&config) {
        let said = match resource {
            // As sd_booted(3): elsewhere there is no systemctl to ask, and nothing that the daemon started.
            Resource::Service(_) if !Path::new("/run/systemd/system").is_dir() => Exit::Well,
            Resource::Service(service) => stop(service),
            Resource::Mount(mount) => match frozen(group) {
                // With its DRBD, which follows.
                Some(_) => Exit::Refused,
                None => unmount(mount, &Programs::new(&options.run_dir), options),
            },
            Resource::Drbd(drbd) => match frozen(group) {
                Some(drbd) => left_as_it_is(drbd),
                None => demote(drbd, &tools(Programs::new(&options.run_dir))),
            },
            Resource::Vip(_) => Exit::Well,
        };
        stopped = said.or(stopped);
    }
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

fn stop(service: &Service) -> Exit {
    let unit = &service.unit;
    let patience = Patience::silent(service.stop_timeout);
    let stopped = service::stop(unit, None, &patience, false);
    match smol::block_on(stopped) {
        Ok(_) => print(&format!("stopped {unit}\n")),
        Err(why) => fail(
            Exit::Refused,
            format!("{}; see `systemctl status {unit}`", why.why()),
        ),
    }
}

fn unmount(mount: &Mount, programs: &Programs, options: &Options) -> Exit {
    let (run_dir, target) = (&options.run_dir, &mount.target);
    let asked = mount::ask(programs, run_dir, Verb::Stop, target, mount.stop_timeout);
    match smol::block_on(asked) {
        Ok(Answer::Done(_) | Answer::Found(_)) => print(&format!("unmounted {}\n", target.point)),
        Ok(Answer::Failed(why)) => fail(Exit::Refused, why),
        Err(trouble) => fail(Exit::Refused, trouble),
    }
}

fn tools(programs: Programs) -> Tools {
    Tools::new(programs, Path::new("/sbin"))
}

fn named(drbd: &Drbd) -> Named {
    Named {
        name: drbd.resource.clone(),
        devices: Vec::new(),
    }
}

fn demote(drbd: &Drbd, tools: &Tools) -> Exit {
    let name = &drbd.resource;
    if !Path::new(MODULE).exists() {
        return Exit::Well;
    }
    match smol::block_on(tools.demote(&named(drbd), "")) {
        Ok(()) => print(&format!("{name} is Secondary\n")),
        Err(why) => fail(Exit::Refused, why.why()),
    }
}

/// The kernel has DRBD.
const MODULE: &str = "/sys/module/drbd";

/// The word by which the unit that is stopped last at shutdown asks for [`down`].
pub(super) const DOWN: &str = "__down";

/// Unmounts and takes down what holds data, in maintenance too: this machine is about to stop, and DRBD's other side
/// is to know it. What is down already stays so.
pub(super) fn down(options: &Options) -> Exit {
    let config = match load(options) {
        Ok(config) => config,
        Err(e) => return fail(Exit::Config, e),
    };
    let holds = |group: &&Group| group.drbd().is_some() || group.mounts().next().is_some();
    let groups: Vec<&Group> = config.groups.iter().rev().filter(holds).collect();
    if groups.is_empty() {
        return Exit::Well;
    }
    let _lock = match PidLock::acquire(&options.run_dir) {
        Ok(lock) => lock,
        Err(e) => return fail(Exit::Refused, e),
    };
    // Below this process: a machine that shuts down starts no units.
    let runner = std::env::current_exe().unwrap_or_else(|_| "ha-appliance".into());
    let programs = || Programs::here(&runner);
    let mut worst = Exit::Well;
    for group in groups {
        if let Some(drbd) = frozen(group) {
            worst = left_as_it_is(drbd);
            continue;
        }
        for mount in group.mounts() {
            let said = unmount(mount, &programs(), options);
            worst = said.or(worst);
        }
        if let Some(drbd) = group.drbd().filter(|_| Path::new(MODULE).exists()) {
            let tools = tools(programs());
            let said = demote(drbd, &tools);
            let said = match said {
                Exit::Well => smol::block_on(tools.down(&named(drbd), true, false))
                    .map_or_else(|why| fail(Exit::Refused, why), |()| Exit::Well),
                said => said,
            };
            worst = said.or(worst);
        }
    }
    worst
}

/// An unmount or a demotion would wait for it for ever.
fn left_as_it_is(drbd: &Drbd) -> Exit {
    let name = &drbd.resource;
    fail(
        Exit::Refused,
        format!(
            "the I/O of {name} is frozen until it is certain that the other node writes nothing: neither it nor what is \
             mounted from it is touched"
        ),
    )
}

/// Its DRBD resource, if all I/O of that waits until it is certain what became of the other node.
fn frozen(group: &Group) -> Option<&Drbd> {
    group.drbd().filter(|drbd| is_frozen(drbd))
}

fn is_frozen(drbd: &Drbd) -> bool {
    let mut command = std::process::Command::new("/sbin/drbdsetup");
    command.args(["events2", "--now", &drbd.resource]);
    let mut state = State::default();
    let told = command.output().map(|told| told.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&told);
    text.lines().for_each(|line| drop(state.take(line)));
    state.frozen(&drbd.resource).is_some()
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

/// What the peer could not start while it runs here, in the order in which it stops.
fn exclusive<'a>(config: &'a Config) -> Vec<(&'a Group, &'a Resource)> {
    let of = |group: &'a Group| group.resources.iter().map(move |one| (group, one));
    let resources = config.groups.iter().flat_map(of);
    let one = |(_, resource): &(&Group, &Resource)| match resource {
        Resource::Service(service) => service.mode == Mode::One,
        Resource::Mount(_) | Resource::Drbd(_) => true,
        Resource::Vip(_) => false,
    };
    let mut resources: Vec<(&Group, &Resource)> = resources.filter(one).collect();
    resources.reverse();
    resources
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
        let all = exclusive(&config).into_iter();
        let units = all.filter_map(|(_, resource)| match resource {
            Resource::Service(service) => Some(service.unit.as_str()),
            _ => None,
        });
        let units: Vec<&str> = units.collect();
        assert_eq!(units, ["php-fpm.service", "apache2.service"]);
        assert_eq!(addresses(&config).len(), 1);
    }
}
