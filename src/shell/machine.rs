//! A look at what ha.toml names beside the network: programs and units. It may take as long as a disk or
//! systemd takes, so the daemon never waits for it.

use crate::agents::drbd::around::{above, around};
use crate::agents::drbd::dump::Dump;
use crate::agents::drbd::judge::{self, Finding};
use crate::agents::executable;
use crate::agents::fence;
use crate::agents::host::Host;
use crate::agents::mount;
use crate::agents::program::User;
use crate::agents::service::{self, Patience};
use crate::agents::trouble::Trouble;
use crate::agents::words::in_one_line;
use crate::config::{self, Config, Device, Group, Machine, Mode, UnitLook, Unsound};
use crate::sys;
use crate::wire::heartbeat::Side;
use smol::Timer;
use smol::future::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A DRBD resource, with what ha.toml says of it.
#[derive(Clone, Debug)]
struct Replicated {
    name: String,
    nodes: [String; 2],
    fenced: bool,
    /// What the group mounts of it.
    devices: Vec<String>,
}

/// What is to be looked at.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    programs: Vec<String>,
    programs_of_root: Vec<String>,
    /// Each with whom it runs as.
    programs_of_others: Vec<(String, String)>,
    users: Vec<String>,
    /// Each with whether it is ever stopped.
    units: Vec<(String, bool)>,
    mounts: Vec<mount::Target>,
    /// DRBD resources; None: DRBD is not asked now.
    drbd: Option<Vec<Replicated>>,
    /// Fence agents, each with the node that it switches off and its level; None: they are not asked now.
    agents: Option<Vec<(Side, usize, config::Agent)>>,
}

/// What was seen, and what could not be asked.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// What was seen.
    pub machine: Machine,
    /// Why nothing is said of units or programs.
    pub trouble: Option<String>,
    /// Programs and users could be asked about.
    programs: bool,
    /// Units could be asked about.
    units: bool,
    /// DRBD was asked.
    drbd: bool,
    /// Fence agents were asked.
    agents: bool,
}

impl Looked {
    /// The same, with what could not be asked now as it was seen before: a tool that hangs has mended nothing.
    pub fn after(mut self, before: Looked) -> Looked {
        let (now, before) = (&mut self.machine, before.machine);
        if !self.programs {
            now.programs = before.programs;
            now.closed = before.closed;
            now.risky = before.risky;
            now.strangers = before.strangers;
            now.mounts = before.mounts;
        }
        if !self.units {
            now.units = before.units;
        }
        if !self.drbd {
            now.drbd = before.drbd;
        }
        if !self.agents {
            now.agents = before.agents;
        }
        self
    }
}

/// systemd answers within milliseconds; who waits for this should not wait much longer for nothing.
const PATIENCE: Duration = Duration::from_secs(3);

impl Asked {
    /// What this file names.
    pub fn of(config: &Config) -> Asked {
        let services = config.groups.iter().flat_map(Group::services);
        let units = services.map(|service| (service.unit.clone(), service.mode == Mode::One));
        Asked {
            programs: config.programs(),
            programs_of_root: config.programs_of_root(),
            programs_of_others: config.programs_of_others(),
            users: config.users(),
            units: units.collect(),
            mounts: config.mounts(),
            drbd: None,
            agents: None,
        }
    }

    /// With what is run for it: each fence agent, which tells what it knows.
    pub fn thoroughly(config: &Config) -> Asked {
        let sides = [Side::First, Side::Second].into_iter();
        let levels = sides.flat_map(|side| {
            let devices = config.fencing.iter().flat_map(move |f| f.against(side));
            devices
                .enumerate()
                .map(move |(level, device)| (side, level, device))
        });
        let agents = levels.filter_map(|(side, level, device)| match device {
            Device::Agent(agent) => Some((side, level, agent.clone())),
            Device::Ipmi(_) => None,
        });
        Asked {
            drbd: Some(replicated(config)),
            agents: Some(agents.collect()),
            ..Asked::of(config)
        }
    }

    /// Looks. That something cannot be asked speaks against nothing.
    pub async fn look(self, host: Host, peer: Vec<IpAddr>) -> Looked {
        let (programs, of_root, users) = (self.programs, self.programs_of_root, self.users);
        let (of_others, mounts) = (self.programs_of_others, self.mounts);
        let known = move || {
            let mounts = mounts.iter().map(|m| (m.point.clone(), mount::faults(m)));
            (
                faults(programs),
                closed(of_others),
                risks(of_root),
                strangers(users),
                mounts.collect(),
            )
        };
        let known = async { Some(smol::unblock(known).await) };
        let late = async {
            Timer::after(PATIENCE).await;
            None
        };
        let known = known.or(late).await;
        let unknown = known.is_none().then(|| {
            "whether its programs can run and its mounts can be here is not known: a disk or a directory service does not \
             answer"
                .to_owned()
        });
        let (programs, closed, risky, strangers, mounts) = known.unwrap_or_default();
        let seen = units(&self.units).await;
        let (know_programs, know_units) = (unknown.is_none(), seen.is_ok());
        let (units, trouble) = match seen {
            Ok(units) => (units, None),
            Err(why) => (
                BTreeMap::new(),
                Some(format!("whether its services can run is not known: {why}")),
            ),
        };
        let trouble = trouble.or(unknown);
        let know_drbd = self.drbd.is_some();
        let drbd = judged(self.drbd.unwrap_or_default()).await;
        let know_agents = self.agents.is_some();
        let mut agents = Vec::new();
        for (side, level, agent) in self.agents.into_iter().flatten() {
            agents.extend(unsound(side, level, &agent).await);
        }
        Looked {
            machine: Machine {
                host,
                peer,
                programs,
                closed,
                risky,
                strangers,
                units,
                mounts,
                drbd,
                agents,
            },
            trouble,
            programs: know_programs,
            units: know_units,
            drbd: know_drbd,
            agents: know_agents,
        }
    }
}

fn replicated(config: &Config) -> Vec<Replicated> {
    let all = config.groups.iter().filter_map(|group| {
        let mounts = group.mounts().map(|mount| mount.target.device.clone());
        Some(Replicated {
            name: group.drbd()?.resource.clone(),
            nodes: config.nodes.each_ref().map(|node| node.name.clone()),
            fenced: config.fencing.is_some(),
            devices: mounts
                .filter(|device| device.starts_with("/dev/drbd"))
                .collect(),
        })
    });
    all.collect()
}

/// What DRBD's configuration says of them, and what is wrong with that.
async fn judged(all: Vec<Replicated>) -> Vec<(String, Finding)> {
    if all.is_empty() {
        return Vec::new();
    }
    let look = smol::unblock(|| {
        let output = |program: &str, words: &[&str]| {
            let output = Command::new(program).args(words).output();
            output.map(|output| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                (
                    text(&output.stdout),
                    text(&output.stderr),
                    output.status.success(),
                )
            })
        };
        let version = fs::read_to_string("/sys/module/drbd/version").ok();
        let version = version.or_else(|| {
            let (version, _, known) = output("/sbin/modinfo", &["-F", "version", "drbd"]).ok()?;
            known.then_some(version)
        });
        let dump = output("/sbin/drbdadm", &["dump-xml"]).map_err(|e| format!("drbdadm: {e}"));
        let dump = dump.and_then(|(xml, complaint, well)| match well {
            true => Dump::read(&xml),
            false => Err(in_one_line(&complaint, 300, |_| true)),
        });
        (version, dump)
    });
    let late = async {
        Timer::after(PATIENCE).await;
        (None, Err("drbdadm does not answer".into()))
    };
    let (version, dump) = look.or(late).await;
    found(&all, version.as_deref(), &dump, around(Path::new("/")))
}

/// Each with the resource that it is told of: what concerns the machine, with the first.
fn found(
    all: &[Replicated],
    version: Option<&str>,
    dump: &Result<Dump, String>,
    around: Vec<Finding>,
) -> Vec<(String, Finding)> {
    let unable = |what: String, help: &str| Finding {
        refused: true,
        what,
        help: help.into(),
    };
    let mut machine = Vec::new();
    match version {
        None => machine.push(unable(
            "this kernel has no module drbd".into(),
            "install it for this kernel; `modinfo drbd` finds it then",
        )),
        Some(version) => machine.extend(judge::version(version.trim())),
    }
    if let Err(why) = dump {
        machine.push(unable(
            format!("DRBD's configuration cannot be read: {why}"),
            "install drbd-utils, and mend it until `drbdadm dump` prints it",
        ));
    }
    machine.extend(around);
    let mut found = Vec::new();
    for one in all {
        let mut findings = std::mem::take(&mut machine);
        if let Ok(dump) = dump {
            let program = std::env::current_exe().unwrap_or_default();
            let asked = judge::Asked {
                name: &one.name,
                nodes: one.nodes.each_ref().map(String::as_str),
                fenced: one.fenced,
                program: &program.display().to_string(),
                devices: &one.devices.iter().map(String::as_str).collect::<Vec<_>>(),
                nine: version.is_some_and(|v| v.starts_with('9')),
            };
            findings.extend(judge::judge(dump, &asked));
            let resource = dump.resource(&one.name).into_iter();
            let hosts = resource.flat_map(|resource| &resource.hosts);
            let volumes = hosts.flat_map(|host| &host.volumes);
            let mut devices: Vec<&str> = volumes.map(|v| v.device.as_str()).collect();
            devices.sort_unstable();
            devices.dedup();
            let above = devices.into_iter().filter_map(|d| above(Path::new("/"), d));
            findings.extend(above);
        }
        found.extend(findings.into_iter().map(|f| (one.name.clone(), f)));
    }
    found
}

/// What speaks against a fence agent and its options, by its own account.
async fn unsound(side: Side, level: usize, agent: &config::Agent) -> Vec<Unsound> {
    let unsound = |wrong, what| Unsound {
        side,
        level,
        wrong,
        what,
    };
    let name = &agent.name;
    let program = match fence::agent::find(name) {
        Ok(program) => program,
        Err(why) => return vec![unsound(false, why)],
    };
    match fence::agent::metadata(&program).await {
        Ok(metadata) => {
            let problems = fence::agent::problems(&metadata, &agent.options).into_iter();
            let told = problems.map(|what| unsound(true, format!("{name}: {what}")));
            told.collect()
        }
        Err(why) => vec![unsound(false, format!("{name}: {why}"))],
    }
}

fn faults(programs: Vec<String>) -> BTreeMap<String, String> {
    let fault = |program: String| {
        let why = executable::fault(Path::new(&program))?;
        Some((program, why))
    };
    programs.into_iter().filter_map(fault).collect()
}

/// What these users cannot run, of those that are known here.
fn closed(programs: Vec<(String, String)>) -> BTreeMap<String, String> {
    let closed = |(program, name): (String, String)| {
        let why = executable::closed(Path::new(&program), &user(&name)?)?;
        Some((program, format!("cannot be run by {name}: {why}")))
    };
    programs.into_iter().filter_map(closed).collect()
}

/// By id(1), which asks directory services too.
fn user(name: &str) -> Option<User> {
    let numbers = |what: &str| {
        let output = Command::new("id").args([what, "--", name]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let numbers: Option<Vec<u32>> = text.split_whitespace().map(|n| n.parse().ok()).collect();
        numbers.filter(|_| output.status.success())
    };
    let groups = numbers("-G")?;
    Some(User {
        uid: *numbers("-u")?.first()?,
        gid: *groups.first()?,
        groups,
    })
}

/// Of a daemon that is root.
fn risks(programs: Vec<String>) -> BTreeMap<String, String> {
    let risk = |program: String| {
        let why = executable::risk(Path::new(&program))?;
        Some((program, why))
    };
    let mut risks: BTreeMap<String, String> = programs.into_iter().filter_map(risk).collect();
    risks.retain(|_, _| sys::effective_user() == 0);
    risks
}

/// Those of these users that this machine does not know: by getent(1), which asks directory services too; by
/// /etc/passwd without it.
fn strangers(users: Vec<String>) -> BTreeSet<String> {
    let knows = |user: &String| {
        let mut getent = Command::new("getent");
        match getent.args(["passwd", "--", user]).output() {
            // 2 is its answer; what else it says is trouble of its own.
            Ok(output) => output.status.code() != Some(2),
            Err(_) => !matches!(User::find(user), Ok(None)),
        }
    };
    users.into_iter().filter(|user| !knows(user)).collect()
}

/// As sd_booted(3): elsewhere there is no systemctl to ask.
async fn units(units: &[(String, bool)]) -> Result<BTreeMap<String, UnitLook>, String> {
    if units.is_empty() || !Path::new("/run/systemd/system").is_dir() {
        return Ok(BTreeMap::new());
    }
    let names: Vec<&str> = units.iter().map(|(unit, _)| unit.as_str()).collect();
    let late = async {
        Timer::after(PATIENCE).await;
        Err(Trouble("systemd does not answer".into()))
    };
    let patience = Patience::silent(PATIENCE);
    let states = service::look_at_all(&names, &patience).or(late).await;
    let states = states.map_err(|trouble| trouble.to_string())?;
    let look = |((unit, stops), state): (&(String, bool), &service::UnitState)| {
        let unfit = service::unfit(state, *stops);
        let look = UnitLook {
            id: state.id.clone(),
            unfit,
            conflicts: state.conflicts.clone(),
        };
        (unit.clone(), look)
    };
    Ok(units.iter().zip(&states).map(look).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(program: &str, unit: &str, programs: bool, units: bool) -> Looked {
        let unfit = Some("it is masked".to_owned());
        let look = UnitLook {
            id: unit.to_owned(),
            unfit,
            conflicts: Vec::new(),
        };
        Looked {
            machine: Machine {
                programs: [(program.to_owned(), "it is missing".to_owned())].into(),
                units: [(unit.to_owned(), look)].into(),
                ..Machine::default()
            },
            programs,
            units,
            ..Looked::default()
        }
    }

    fn nothing(programs: bool, units: bool) -> Looked {
        Looked {
            programs,
            units,
            ..Looked::default()
        }
    }

    #[test]
    fn what_cannot_be_asked_is_as_it_was() {
        let before = || looked("/bin/check", "nginx.service", true, true);
        let of = |looked: Looked| {
            let Machine {
                programs, units, ..
            } = looked.machine;
            (programs.len(), units.len())
        };
        assert_eq!(of(nothing(true, true).after(before())), (0, 0), "mended");
        assert_eq!(of(nothing(true, false).after(before())), (0, 1));
        assert_eq!(of(nothing(false, true).after(before())), (1, 0));
        assert_eq!(of(nothing(false, false).after(before())), (1, 1));
    }

    /// What two resources have in common is told once.
    #[test]
    fn what_concerns_the_machine_is_told_once() {
        let replicated = |name: &str| Replicated {
            name: name.to_owned(),
            nodes: ["lb1".to_owned(), "lb2".to_owned()],
            fenced: true,
            devices: Vec::new(),
        };
        let all = [replicated("r0"), replicated("r1")];
        let around = vec![Finding {
            refused: true,
            what: "drbd.service is enabled".into(),
            help: String::new(),
        }];
        let told = |version, dump| {
            let found = found(&all, version, dump, around.clone());
            let line = |(name, finding): (String, Finding)| format!("{name}: {}", finding.what);
            found.into_iter().map(line).collect::<Vec<_>>()
        };
        let unreadable = Err("drbdadm: not found".into());
        let expected = [
            "r0: this kernel has no module drbd",
            "r0: DRBD's configuration cannot be read: drbdadm: not found",
            "r0: drbd.service is enabled",
        ];
        assert_eq!(told(None, &unreadable), expected);
        let read = Ok(Dump::read("<config file=\"/etc/drbd.conf\"></config>").unwrap());
        let expected = [
            "r0: drbd.service is enabled",
            "r0: DRBD has no resource r0",
            "r1: DRBD has no resource r1",
        ];
        assert_eq!(told(Some("8.4.11"), &read), expected);
    }
}
