//! What a node finds on its own machine.

use super::{Finding, Probed, taken};
use crate::agents::child;
use crate::agents::host::Host;
use crate::agents::program::User;
use crate::config::{self, Config, Kind, Warning};
use crate::core::time::Time;
use crate::shell::clock;
use crate::shell::machine::{Asked, Looked};
use crate::shell::status::protection::{self, Worth};
use crate::shell::status::{Gateway, Severity, Status, judge};
use crate::wire::heartbeat::{MAX_DATAGRAM, Side};
use serde::{Deserialize, Serialize};
use smol::future::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What was found on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// The node.
    pub node: String,
    /// Its program's version.
    pub software: String,
    /// One by one.
    pub findings: Vec<Finding>,
    /// Who its checks, its hook and its services run as, with their numbers.
    pub users: BTreeMap<String, u32>,
    /// The longest packet on each link, in the order of ha.toml; 0: not known.
    pub mtus: Vec<u32>,
}

/// Looks at this machine, with this ha.toml. Without a daemon it is tried whether the port is free.
pub async fn examine(
    config: Config,
    side: Side,
    host: Host,
    peer: Vec<IpAddr>,
    state_dir: PathBuf,
    daemonless: bool,
) -> Examined {
    let Looked {
        machine, trouble, ..
    } = Asked::of(&config).look(host, peer).await;
    let (resolved, warnings) = config::resolve(&config, side, &machine.host);
    let mut findings = of_file(&config, side, &machine, &warnings, trouble.as_deref());
    findings.extend(of_links(&config, &resolved, &machine.host));
    if daemonless {
        let own = resolved.links.iter().map(|link| link.local);
        findings.extend(own.filter_map(|own| of_port(own, config.heartbeat.port)));
    }
    let mtus = resolved.links.iter().map(|link| {
        let interface = machine
            .host
            .interfaces
            .iter()
            .find(|i| Some(i.index) == link.interface);
        interface.map_or(0, |i| i.mtu)
    });
    let mtus = mtus.collect();
    let (named, units) = (config.users(), config.units());
    let software = env!("CARGO_PKG_VERSION").to_owned();
    let node = config.node(side).name.clone();
    let of_vips =
        smol::unblock(move || of_vips(taken(&config, side, &resolved, &machine.host, &state_dir)));
    let slow = async { Some((of_vips.await, users(named, &units).await)) };
    let late = async {
        smol::Timer::after(PATIENCE).await;
        None
    };
    let (of_vips, users) = slow.or(late).await.unwrap_or_else(|| {
        let text =
            "whether VIPs are free, and who services run as, is not known: no answer in time";
        (vec![Finding::warning("vips", text)], BTreeMap::new())
    });
    findings.extend(of_vips);
    Examined {
        node,
        software,
        findings,
        users,
        mtus,
    }
}

/// Users may stand in a directory service.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `check` finds. `unknown`: why it cannot be known whether units or programs are here.
fn of_file(
    config: &Config,
    side: Side,
    machine: &config::Machine,
    warnings: &[Warning],
    unknown: Option<&str>,
) -> Vec<Finding> {
    let misfits = config::misfits(config, side, machine);
    let mut findings: Vec<Finding> = (misfits.iter())
        .map(|misfit| {
            let place = misfit.mistake.place.as_ref();
            let place = place.map_or(String::new(), |at| format!("line {}: ", at.line));
            let text = format!("{place}{}", misfit.mistake.what);
            let finding = match misfit.kind {
                Kind::Risky => Finding::warning("ha.toml", text),
                Kind::Harmful | Kind::Wrong | Kind::Unable => Finding::error("ha.toml", text),
            };
            finding.cured_by(misfit.mistake.help.clone())
        })
        .collect();
    let units = config.units();
    let looked = units.iter().all(|unit| machine.units.contains_key(unit));
    let unknown = match (unknown, looked) {
        (Some(why), _) => Some(why),
        (None, true) => None,
        (None, false) => Some("whether its units are here is not known: systemd does not run here"),
    };
    if findings.is_empty() {
        let named = units.is_empty() && config.programs().is_empty();
        let able = match (unknown, named) {
            (None, false) => "is good; its units and programs are here and can be run",
            _ => "is good",
        };
        findings.push(Finding::ok("ha.toml", able));
    }
    findings.extend(unknown.map(|why| Finding::warning("systemd", why)));
    findings.extend(warnings.iter().map(|warning| match warning {
        // Every pair without a device is so, and knows it.
        Warning::Unprotected => Finding::ok("ha.toml", warning.to_string()),
        _ => Finding::warning("ha.toml", warning.to_string()),
    }));
    findings
}

/// A heartbeat at its longest, with the headers of UDP and IPv6.
const WHOLE: u32 = MAX_DATAGRAM as u32 + 48;

fn of_links(config: &Config, resolved: &config::Resolved, host: &Host) -> Vec<Finding> {
    let narrow = resolved.links.iter().filter_map(|link| {
        let interface = host.interfaces.iter().find(|i| Some(i.index) == link.interface)?;
        let (name, mtu) = (&interface.name, interface.mtu);
        if mtu == 0 {
            let text = format!("how long packets on {name} may be is not known");
            return Some(Finding::warning("mtu", text).cured_by(format!("`ip link show {name}`")));
        }
        (mtu < WHOLE).then(|| {
            Finding::warning(
                "mtu",
                format!(
                    "packets on {name} have at most {mtu} bytes, and a long heartbeat has {WHOLE}: it is sent in \
                     fragments, which filters like to drop"
                ),
            )
            .cured_by(format!("raise the MTU of {name} and of what is between the nodes"))
        })
    });
    let mut findings: Vec<Finding> = narrow.collect();
    let seen = |link: &&config::Link| {
        host.interfaces
            .iter()
            .any(|i| Some(i.index) == link.interface)
    };
    if findings.is_empty() && resolved.links.iter().filter(seen).count() == resolved.links.len() {
        let text = format!(
            "all links have room for a heartbeat, on UDP port {}",
            config.heartbeat.port
        );
        findings.push(Finding::ok("mtu", text));
    }
    findings
}

/// Only another program can have it.
fn of_port(own: IpAddr, port: u16) -> Option<Finding> {
    let error = UdpSocket::bind((own, port)).err()?;
    match error.kind() {
        ErrorKind::AddrInUse => Some(
            Finding::error("port", format!("another program has UDP port {port} on {own}"))
                .cured_by(format!("`ss -ulpn sport = :{port}` names it: end it, or choose another `[heartbeat] port` on both nodes")),
        ),
        // Of an address that is not here, ha.toml's warnings tell.
        _ => None,
    }
}

fn of_vips(probed: Probed) -> Vec<Finding> {
    let Probed {
        taken,
        asked,
        here,
        beside,
        unasked,
    } = probed;
    let mut findings = Vec::new();
    let free = asked - taken.len().min(asked);
    if free > 0 {
        let of = match beside {
            0 => String::new(),
            _ => format!(" ({beside} more beside them were not asked for)"),
        };
        let what = match free {
            1 => "VIP".to_owned(),
            free => format!("{free} VIPs"),
        };
        let text = format!("nobody but this pair is heard to answer for its {what}{of}");
        findings.push(Finding::ok("vips", text));
    }
    if here > 0 {
        let text = match here {
            1 => "a VIP is up on this node, and so nobody was asked for it".into(),
            here => format!("{here} VIPs are up on this node, and so nobody was asked for them"),
        };
        findings.push(Finding::ok("vips", text));
    }
    if unasked > 0 {
        let text = format!("whether {unasked} VIPs are free is not known: nobody could be asked");
        let cure = "asking takes root, and an interface that is up";
        findings.push(Finding::warning("vips", text).cured_by(cure));
    }
    findings.extend(taken.into_iter().map(|taken| match taken.sure {
        true => Finding::error("vips", taken.line),
        false => Finding::warning("vips", taken.line),
    }));
    findings
}

/// Those that ha.toml names, and those of the services.
async fn users(named: Vec<String>, units: &[String]) -> BTreeMap<String, u32> {
    let mut names: BTreeSet<String> = named.into_iter().collect();
    if std::path::Path::new("/run/systemd/system").is_dir() && !units.is_empty() {
        let mut show = Command::new("systemctl");
        show.args(["show", "--property=User", "--"]).args(units);
        let text = printed(show).await;
        let users = text.lines().filter_map(|line| line.strip_prefix("User="));
        names.extend(users.filter(|user| !user.is_empty()).map(str::to_owned));
    }
    let mut numbers = BTreeMap::new();
    for user in names {
        let mut getent = Command::new("getent");
        getent.args(["passwd", "--", &user]);
        let line = printed(getent).await;
        let asked = line.split(':').nth(2).and_then(|uid| uid.parse().ok());
        let known = || User::find(&user).ok()?.map(|user| user.uid);
        if let Some(number) = asked.or_else(known) {
            numbers.insert(user, number);
        }
    }
    numbers
}

/// What a tool says; nothing, if it cannot be run or takes too long.
async fn printed(tool: Command) -> String {
    let ended = child::run_reading(tool, b"", PATIENCE, LONGEST).await;
    ended.map_or(String::new(), |ended| ended.output)
}

/// More than systemctl says of all the units that a file may have.
const LONGEST: usize = 64 << 10;

/// What a node's daemon knows: what `status` says, and what is well.
pub fn of_status(status: &Status, now: Time) -> Vec<Finding> {
    let up = clock::span(now.since(Time(status.daemon.started_us)));
    let text = format!("runs, version {}, up {up}", status.daemon.software);
    let mut findings = vec![Finding::ok("daemon", text)];
    let asked = |state| move |g: &&Gateway| g.state == state && !g.hindered;
    for gateway in status.gateways.iter().filter(asked("good")) {
        let text = format!(
            "gateway {} on {} answers",
            gateway.address, gateway.interface
        );
        findings.push(Finding::ok("gateway", text));
    }
    for gateway in status.gateways.iter().filter(asked("pending")) {
        let text = format!(
            "gateway {} on {} has not answered yet",
            gateway.address, gateway.interface
        );
        findings.push(Finding::warning("gateway", text));
    }
    for path in status
        .paths
        .iter()
        .filter(|p| p.in_ok && p.out_ok == Some(true))
    {
        let text = format!("{} ⇄ {}: heard in both directions", path.own, path.peer);
        findings.push(Finding::ok("link", text));
    }
    if status.fencing.is_some() {
        let lines = protection::lines(status, now).into_iter();
        findings.extend(lines.filter_map(|line| match line.worth {
            Worth::Good => Some(Finding::ok("fencing", line.text)),
            Worth::Useless => Some(Finding::warning("fencing", line.text)),
            Worth::Unrehearsed => Some(Finding::warning("fencing", line.text).cured_by(format!(
                "`ha-appliance standby {0}`, `ha-appliance fence --rehearse {0}`, then `ha-appliance online {0}`",
                status.peer_name()
            ))),
            // It is among the concerns, with its cure.
            Worth::Unprotected => None,
        }));
    }
    findings.extend(judge(status, now).into_iter().map(|concern| Finding {
        cure: concern.hint,
        ..match concern.severity {
            Severity::Well => Finding::ok("status", concern.text),
            Severity::Degraded => Finding::warning("status", concern.text),
            Severity::Blocked => Finding::error("status", concern.text),
        }
    }));
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::shell::status::sample::{LAN, NOW, Sample};

    #[test]
    fn what_status_says_is_found_and_what_is_well_too() {
        let texts = |sample: &Sample| -> Vec<(Level, String)> {
            let findings = of_status(&sample.status(), NOW).into_iter();
            findings.map(|f| (f.level, f.text)).collect()
        };
        assert_eq!(
            texts(&Sample::default())[..3],
            [
                (Level::Ok, "runs, version 0.1.0, up 3 h 0 m".to_owned()),
                (Level::Ok, "gateway 192.168.10.1 on eth0 answers".to_owned()),
                (
                    Level::Ok,
                    "10.1.1.1 ⇄ 10.1.1.2: heard in both directions".to_owned()
                ),
            ]
        );
        let mut sample = Sample::default();
        sample.view.peer.paths[0].out_ok = Some(false);
        sample.view.groups[0].no_seizure = Some(crate::core::reason::Reason::NoGatewayKnown(LAN));
        let told = texts(&sample);
        let warned: Vec<&str> = (told.iter())
            .filter(|(level, _)| *level == Level::Warning)
            .map(|(_, text)| text.as_str())
            .collect();
        assert_eq!(
            warned,
            [
                "web: lb1 would not take it over from a dead lb2 by itself: eth0: no gateway is known on the VIP interface",
                "link 10.1.1.1 → 10.1.1.2: lb2 hears nothing of lb1 on it",
            ]
        );
    }

    #[test]
    fn units_are_here_that_were_looked_at() {
        let text = "[cluster]\nname = \"c\"\nkey_file = \"k\"\n\
                    [node.lb1]\nlinks = [\"10.1.1.1\"]\n[node.lb2]\nlinks = [\"10.1.1.2\"]\n\
                    [[group]]\nname = \"web\"\n[[group.resource]]\nservice = \"nginx.service\"\n";
        let key = config::generate_key_line([1; 32]);
        let path = std::path::Path::new("ha.toml");
        let config = config::parse_with_key_file(text, path, &key).unwrap();
        let told = |machine: &config::Machine, unknown| -> Vec<(Level, String)> {
            let findings = of_file(&config, Side::First, machine, &[], unknown);
            findings.into_iter().map(|f| (f.level, f.text)).collect()
        };
        let unseen = config::Machine::default();
        let ok = |text: &str| (Level::Ok, text.to_owned());
        let hangs = "whether its services can run is not known: systemd does not answer";
        assert_eq!(
            told(&unseen, Some(hangs)),
            [ok("is good"), (Level::Warning, hangs.to_owned())]
        );
        assert_eq!(told(&unseen, None)[1].0, Level::Warning);
        let mut seen = unseen;
        let look = config::UnitLook {
            id: "nginx.service".into(),
            unfit: None,
            conflicts: Vec::new(),
        };
        seen.units.insert("nginx.service".into(), look);
        assert_eq!(
            told(&seen, None),
            [ok(
                "is good; its units and programs are here and can be run"
            )]
        );
    }

    #[test]
    fn vips_are_free_that_were_asked_for() {
        let told = |probed| -> Vec<(Level, String)> {
            let findings = of_vips(probed).into_iter();
            findings.map(|f| (f.level, f.text)).collect()
        };
        let asked = Probed {
            asked: 3,
            ..Probed::default()
        };
        let free = "nobody but this pair is heard to answer for its 3 VIPs".to_owned();
        assert_eq!(told(asked.clone()), [(Level::Ok, free)]);
        let line = "VIP 10.0.0.80 is answered for by 02:00:00:00:00:ff".to_owned();
        let some = Probed {
            taken: vec![taken::Taken {
                sure: true,
                line: line.clone(),
            }],
            here: 1,
            beside: 936,
            unasked: 2,
            ..asked
        };
        assert_eq!(
            told(some),
            [
                (
                    Level::Ok,
                    "nobody but this pair is heard to answer for its 2 VIPs (936 more beside them were not asked for)"
                        .to_owned()
                ),
                (
                    Level::Ok,
                    "a VIP is up on this node, and so nobody was asked for it".to_owned()
                ),
                (
                    Level::Warning,
                    "whether 2 VIPs are free is not known: nobody could be asked".to_owned()
                ),
                (Level::Error, line),
            ]
        );
        assert_eq!(told(Probed::default()), [], "of a file without VIPs");
    }

    #[test]
    fn a_port_that_another_program_has_is_named() {
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let own = "127.0.0.1".parse().unwrap();
        let finding = of_port(own, port).unwrap();
        assert_eq!(finding.level, Level::Error);
        assert_eq!(
            finding.text,
            format!("another program has UDP port {port} on 127.0.0.1")
        );
        drop(other);
        assert_eq!(of_port(own, port), None);
    }
}
