//! What in ha.toml cannot be on this machine: told with its place, as mistakes are, because it would harm
//! the machine or could never run here, where a [`super::Warning`] may be right later.
//!
//! Pure: the same file and the same look at the machine give the same answer.

use super::error::{Mistake, Place};
use super::places::Subject;
use super::schema::{Config, Group, Resource};
use super::service::{Probe, needed};
use crate::agents::host::{Host, Interface};
use crate::agents::{drbd, mount};
use crate::wire::heartbeat::Side;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::net::IpAddr;

/// What of the machine is looked at.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Its network.
    pub host: Host,
    /// The peer's own addresses, as far as they are known.
    pub peer: Vec<IpAddr>,
    /// What is wrong with each program of [`Config::programs`] that cannot be run, by its path.
    pub programs: BTreeMap<String, String>,
    /// Why the user whom it is to run as cannot run it, for each program that such a one is named for, by its path.
    pub closed: BTreeMap<String, String>,
    /// Who else could change what runs as root, for each program of [`Config::programs_of_root`], by its path.
    pub risky: BTreeMap<String, String>,
    /// Those of [`Config::users`] that it does not know.
    pub strangers: BTreeSet<String>,
    /// What systemd says of units, by the name in ha.toml; empty where there is none to be asked.
    pub units: BTreeMap<String, UnitLook>,
    /// What is in the way of mounts, by their directory.
    pub mounts: BTreeMap<String, Vec<mount::Fault>>,
    /// What speaks against DRBD's configuration, by the resource.
    pub drbd: Vec<(String, drbd::judge::Finding)>,
    /// What speaks against fence agents.
    pub agents: Vec<Unsound>,
}

/// A fence agent that cannot be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsound {
    /// The node that it switches off.
    pub side: Side,
    /// Its level.
    pub level: usize,
    /// By what the file says; otherwise by what this machine lacks.
    pub wrong: bool,
    /// What is wrong.
    pub what: String,
}

/// What systemd says of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitLook {
    /// Its own name, whatever alias it was asked by.
    pub id: String,
    /// Why it cannot be started or stopped, and what to do.
    pub unfit: Option<String>,
    /// Whom systemd stops when it starts this one.
    pub conflicts: Vec<String>,
}

/// Something of the file that cannot be here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// How it is answered.
    pub kind: Kind,
    /// What it is about, where it stands, and what to do.
    pub mistake: Mistake,
}

/// How a misfit is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It must not be tried: the machine would lose its network.
    Harmful,
    /// No machine of this pair could do it: the file is wrong.
    Wrong,
    /// Not on this machine as it is: something is missing here.
    Unable,
    /// It can be, and opens a door.
    Risky,
}

impl Misfit {
    /// Its line's number, what is wrong and what to do, for the log and `status`.
    pub fn in_one_line(&self) -> String {
        let Mistake { place, what, help } = &self.mistake;
        let place = place.as_ref();
        let place = place.map_or(String::new(), |at| format!("ha.toml line {}: ", at.line));
        format!("{place}{what}: {help}")
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mistake.fmt(f)
    }
}

impl Config {
    /// Every program that it names, each once.
    pub fn programs(&self) -> Vec<String> {
        let checks = self.groups.iter().flat_map(Group::services);
        let checks = checks.filter_map(|service| match &service.check.as_ref()?.probe {
            Probe::Exec(program) => program.words.first().cloned(),
            Probe::Http { .. } | Probe::Tcp(_) => None,
        });
        let notify = self.cluster.notify.iter();
        let notify = notify.map(|path| path.display().to_string());
        let mut programs: Vec<String> = notify.chain(checks).collect();
        programs.sort();
        programs.dedup();
        programs
    }

    /// Those that run as root.
    pub fn programs_of_root(&self) -> Vec<String> {
        let checks = self.groups.iter().flat_map(Group::services);
        let checks = checks.filter_map(|service| match &service.check.as_ref()?.probe {
            Probe::Exec(program) if program.user.is_none() => program.words.first().cloned(),
            _ => None,
        });
        let notify = self
            .cluster
            .notify
            .iter()
            .filter(|_| self.cluster.notify_user.is_none());
        let notify = notify.map(|path| path.display().to_string());
        notify.chain(checks).collect()
    }

    /// Those that run as somebody else, each with whom.
    pub fn programs_of_others(&self) -> Vec<(String, String)> {
        let checks = self.groups.iter().flat_map(Group::services);
        let checks = checks.filter_map(|service| match &service.check.as_ref()?.probe {
            Probe::Exec(program) => Some((program.words.first()?.clone(), program.user.clone()?)),
            Probe::Http { .. } | Probe::Tcp(_) => None,
        });
        let notify = self.cluster.notify.iter().zip(&self.cluster.notify_user);
        let notify = notify.map(|(path, user)| (path.display().to_string(), user.clone()));
        notify.chain(checks).collect()
    }

    /// Everybody whom a program is to run as, each once.
    pub fn users(&self) -> Vec<String> {
        let checks = self.groups.iter().flat_map(Group::services);
        let checks = checks.filter_map(|service| match &service.check.as_ref()?.probe {
            Probe::Exec(program) => program.user.clone(),
            Probe::Http { .. } | Probe::Tcp(_) => None,
        });
        let mut users: Vec<String> = checks.chain(self.cluster.notify_user.clone()).collect();
        users.sort();
        users.dedup();
        users
    }

    /// Every file system that it mounts.
    pub fn mounts(&self) -> Vec<mount::Target> {
        let mounts = self.groups.iter().flat_map(Group::mounts);
        mounts.map(|mount| mount.target.clone()).collect()
    }

    /// Every unit that it names.
    pub fn units(&self) -> Vec<String> {
        let services = self.groups.iter().flat_map(Group::services);
        services.map(|service| service.unit.clone()).collect()
    }
}

/// Everything that cannot be here, what is worst first.
pub fn misfits(config: &Config, side: Side, machine: &Machine) -> Vec<Misfit> {
    let mut found = addresses(config, machine);
    found.extend(gateways(config, machine));
    found.extend(crossed(config, side, &machine.host));
    found.extend(aliases(config, machine));
    found.extend(conflicts(config, machine));
    found.extend(programs(config, machine));
    found.extend(strangers(config, machine));
    found.extend(units(config, machine));
    found.extend(mounts(config, machine));
    found.extend(replicated(config, machine));
    found.extend(agents(config, side, machine));
    found.extend(risky(config, machine));
    found
}

/// VIPs that are an address of somebody.
fn addresses(config: &Config, machine: &Machine) -> Vec<Misfit> {
    let whose = whose(config, &machine.host, &machine.peer);
    let misfit = |vip: &IpNet| {
        let what = format!("VIP {} is {}", vip.addr(), whose(vip.addr())?);
        let place = config.places.of(&Subject::Vip(vip.addr()));
        Some(new(Kind::Harmful, place, what, CHOOSE))
    };
    vips(config).filter_map(|vip| misfit(&vip)).collect()
}

/// What to do about a VIP that is an address of somebody.
pub const CHOOSE: &str = "a VIP moves between the nodes: choose an address that nobody has";

/// Whose address a VIP is already, if anybody's: this machine's, its default gateway's, or the peer's, as far as
/// that told them.
pub fn whose<'a>(
    config: &Config,
    host: &'a Host,
    peer: &'a [IpAddr],
) -> impl Fn(IpAddr) -> Option<String> + use<'a> {
    let vips: Vec<IpAddr> = vips(config).map(|vip| vip.addr()).collect();
    // A thousand VIPs are looked at while heartbeats wait.
    let here: HashSet<IpAddr> = host.standing().collect();
    move |vip| {
        let own = || host.own(vip, |other| vips.contains(&other));
        if let Some((interface, net)) = here.contains(&vip).then(own).flatten() {
            return Some(format!(
                "an address of this machine ({net} on {})",
                interface.name
            ));
        }
        let gateway = host.default_gateways.iter().find(|(_, at)| *at == vip);
        if let Some((index, _)) = gateway {
            let name = host.interfaces.iter().find(|i| i.index == *index);
            let name = name.map_or("", |interface| interface.name.as_str());
            return Some(format!("the default gateway on {name}"));
        }
        let peers = peer.contains(&vip);
        peers.then(|| "an address of the peer".to_owned())
    }
}

/// Gateways that answer whatever becomes of the network.
fn gateways(config: &Config, machine: &Machine) -> Vec<Misfit> {
    let whose = |gateway: &IpAddr| {
        let own = |i: &&Interface| i.addresses.iter().any(|net| net.addr() == *gateway);
        if let Some(interface) = machine.host.interfaces.iter().find(own) {
            return Some(format!(
                "an address of this machine (on {})",
                interface.name
            ));
        }
        let peers = machine.peer.contains(gateway);
        peers.then(|| "an address of the peer".to_owned())
    };
    let misfit = |gateway: &IpAddr| {
        let what = format!("gateway {gateway} is {}", whose(gateway)?);
        let help =
            "name something that answers only while the LAN works: the router, or the switch";
        let place = config.places.of(&Subject::Gateway(*gateway));
        Some(new(Kind::Wrong, place, what, help))
    };
    let named = config.gateway.addresses.iter().flatten();
    named.filter_map(misfit).collect()
}

/// Links that lead into the network of another one.
fn crossed(config: &Config, side: Side, host: &Host) -> Vec<Misfit> {
    let (me, peer) = (config.node(side), config.node(side.other()));
    let mut found = Vec::new();
    for (i, (local, remote)) in me.links.iter().zip(&peer.links).enumerate() {
        let Some((interface, net)) = network_of(host, *local) else {
            continue;
        };
        if net.contains(remote) {
            continue;
        }
        let Some(j) = peer.links.iter().position(|other| net.contains(other)) else {
            continue;
        };
        let what = format!(
            "link {} joins {local} of {} to {remote} of {}, which is in another network: {} on {interface} holds \
             its link {}, {}",
            i + 1,
            me.name,
            peer.name,
            net.trunc(),
            j + 1,
            peer.links[j]
        );
        let help = "the i-th link of one talks to the i-th of the other: write both in one order";
        let place = config.places.of(&Subject::Link(side.other(), i));
        found.push(new(Kind::Wrong, place, what, help));
    }
    found
}

/// The network of an address of this machine's own, and its interface; none for a single address, which says
/// nothing.
pub(super) fn network_of(host: &Host, address: IpAddr) -> Option<(&str, IpNet)> {
    host.interfaces.iter().find_map(|interface| {
        let mut own = interface.addresses.iter();
        let net =
            own.find(|net| net.addr() == address && net.prefix_len() < net.max_prefix_len())?;
        Some((interface.name.as_str(), *net))
    })
}

/// Units that are one under two names, and what the machine itself needs under another name.
fn aliases(config: &Config, machine: &Machine) -> Vec<Misfit> {
    let services = config.groups.iter().flat_map(|group| {
        let services = group.services();
        services.map(|service| (group.name.as_str(), service.unit.as_str()))
    });
    let mut known: Vec<(&str, &str, &str)> = Vec::new();
    let mut found = Vec::new();
    for (group, unit) in services {
        let Some(look) = machine.units.get(unit) else {
            continue;
        };
        let id = look.id.as_str();
        let place = || config.places.of(&Subject::Unit(unit.to_owned()));
        if let Some((_, twin, owner)) = known.iter().find(|(of, _, _)| *of == id) {
            let there = config.places.of(&Subject::Unit((*twin).to_owned()));
            let there = there.map_or(String::new(), |at| {
                format!(", line {}:{}", at.line, at.column)
            });
            let what = format!(
                "{unit} and {twin} (group `{owner}`{there}) are one unit, {id}, under two names"
            );
            let help = "a unit stands once: delete one of the two";
            found.push(new(Kind::Wrong, place(), what, help));
        } else if id != unit
            && let Some(why) = needed(id)
        {
            let what = format!("{unit} is {id} under another name, and {id} {why}");
            let help = "name what clients use, and the other node can do as well";
            found.push(new(Kind::Wrong, place(), what, help));
        }
        known.push((id, unit, group));
    }
    found
}

/// Units of which one node cannot run both.
fn conflicts(config: &Config, machine: &Machine) -> Vec<Misfit> {
    let units = config.units();
    let id = |unit: &str| machine.units.get(unit).map(|look| look.id.as_str());
    let misfit = |unit: &String| {
        let look = machine.units.get(unit)?;
        let mut others = units.iter().filter(|other| *other != unit);
        let other = others.find(|other| {
            id(other).is_some_and(|id| look.conflicts.iter().any(|name| name == id))
        })?;
        let what = format!(
            "{unit} and {other} cannot both run on one node: systemd stops {other} when it starts {unit}"
        );
        let help = format!("delete one of the two, or take Conflicts={other} out of {unit}");
        let place = config.places.of(&Subject::Unit(unit.clone()));
        Some(new(Kind::Wrong, place, what, &help))
    };
    units.iter().filter_map(misfit).collect()
}

fn programs(config: &Config, machine: &Machine) -> Vec<Misfit> {
    let misfit = |help: &'static str| {
        move |(program, why): (&String, &String)| {
            let place = config.places.of(&Subject::Program(program.clone()));
            new(Kind::Unable, place, format!("{program} {why}"), help)
        }
    };
    let absent = machine.programs.iter();
    let absent = absent.map(misfit("install it, or correct the path"));
    let closed =
        (machine.closed.iter()).filter(|(program, _)| !machine.programs.contains_key(*program));
    let closed = closed.map(misfit(
        "put it where that user may run it, or open the way to it",
    ));
    absent.chain(closed).collect()
}

fn mounts(config: &Config, machine: &Machine) -> Vec<Misfit> {
    let of = |(point, faults): (&String, &Vec<mount::Fault>)| -> Vec<Misfit> {
        let place = || config.places.of(&Subject::Mount(point.clone()));
        let faults = faults.iter();
        let misfit =
            |fault: &mount::Fault| new(Kind::Unable, place(), fault.what.clone(), &fault.help);
        faults.map(misfit).collect()
    };
    machine.mounts.iter().flat_map(of).collect()
}

fn replicated(config: &Config, machine: &Machine) -> Vec<Misfit> {
    let misfit = |(resource, finding): &(String, drbd::judge::Finding)| {
        let kind = match finding.refused {
            true => Kind::Unable,
            false => Kind::Risky,
        };
        let place = config.places.of(&Subject::Drbd(resource.clone()));
        new(kind, place, finding.what.clone(), &finding.help)
    };
    machine.drbd.iter().map(misfit).collect()
}

fn agents(config: &Config, side: Side, machine: &Machine) -> Vec<Misfit> {
    // What switches this node off, the other one runs.
    let concerns = |agent: &&Unsound| agent.wrong || agent.side != side;
    let misfit = |agent: &Unsound| {
        let (kind, help) = match agent.wrong {
            true => (
                Kind::Wrong,
                "correct it: an agent goes on without an option that it does not know",
            ),
            false => (
                Kind::Unable,
                "install it: without it the other node is not switched off",
            ),
        };
        let place = config.places.of(&Subject::Fence(agent.side, agent.level));
        new(kind, place, agent.what.clone(), help)
    };
    machine.agents.iter().filter(concerns).map(misfit).collect()
}

fn risky(config: &Config, machine: &Machine) -> Vec<Misfit> {
    let misfit = |(program, why): (&String, &String)| {
        let place = config.places.of(&Subject::Program(program.clone()));
        let what = format!("{program} runs as root and {why}: whoever changes it is root");
        let help =
            format!("chown root {program}; chmod go-w {program}; or let it run as another user");
        new(Kind::Risky, place, what, &help)
    };
    machine.risky.iter().map(misfit).collect()
}

fn strangers(config: &Config, machine: &Machine) -> Vec<Misfit> {
    let misfit = |user: &String| {
        let place = config.places.of(&Subject::User(user.clone()));
        let what = format!("there is no user {user}");
        let help = format!("`useradd --system {user}`, or correct the name");
        new(Kind::Unable, place, what, &help)
    };
    machine.strangers.iter().map(misfit).collect()
}

fn units(config: &Config, machine: &Machine) -> Vec<Misfit> {
    let misfit = |unit: String| {
        let why = machine.units.get(&unit)?.unfit.clone()?;
        // What is wrong and what to do are one sentence there.
        let (what, help) = why.rsplit_once(": ").unwrap_or((&why, ""));
        let place = config.places.of(&Subject::Unit(unit));
        Some(new(Kind::Unable, place, what.to_owned(), help))
    };
    config.units().into_iter().filter_map(misfit).collect()
}

fn vips(config: &Config) -> impl Iterator<Item = IpNet> + '_ {
    let resources = config.groups.iter().flat_map(|group| &group.resources);
    resources.filter_map(|resource| match resource {
        Resource::Vip(vip) => Some(vip.address),
        Resource::Service(_) | Resource::Mount(_) | Resource::Drbd(_) => None,
    })
}

fn new(kind: Kind, place: Option<Place>, what: String, help: &str) -> Misfit {
    let help = help.to_owned();
    let mistake = Mistake { place, what, help };
    Misfit { kind, mistake }
}
