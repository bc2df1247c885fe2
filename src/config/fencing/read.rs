//! Reads `[[fence]]` and `[fencing]`.

use super::{After, Agent, Device, Fencing, MAX_LEVELS, PORT};
use crate::agents::fence::ipmi::{Account, Privilege, suite::Suite};
use crate::config::address;
use crate::config::build::ReadSecret;
use crate::config::cluster::beside;
use crate::config::duration::show;
use crate::config::error::{At, Report, Span, quoted};
use crate::config::key::Secret;
use crate::config::keys::{AGENT, FENCE, FENCING, IPMI};
use crate::config::nodes::{NamedNode, known_nodes};
use crate::config::places::Subject;
use crate::config::read::{Section, kind};
use crate::config::schema::HeartbeatTimes;
use crate::wire::heartbeat::Side;
use std::net::SocketAddr;
use std::time::Duration;
use toml::de::DeValue;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Reads both; None: nothing switches anybody off.
pub(in crate::config) fn fencing(
    top: &Section,
    nodes: &[NamedNode],
    beat: &HeartbeatTimes,
    read_secret: ReadSecret,
    report: &mut Report,
) -> Option<Fencing> {
    let devices = devices(top, nodes, read_secret, report);
    let section = top.table("fencing", &FENCING, report);
    let Some((devices, span)) = devices else {
        if let Some(section) = &section {
            report.add(
                &section.span,
                "[fencing] without a `[[fence]]`",
                "add a `[[fence]]` for each node, with what switches it off, or delete the table",
            );
        }
        return None;
    };
    let mut fencing = Fencing {
        devices,
        patience: Fencing::PATIENCE,
        delay: Duration::ZERO,
        settle: Fencing::SETTLE,
        off_deadline: Fencing::OFF_DEADLINE,
        after: After::On,
        probe: Fencing::PROBE,
    };
    let delay = section.and_then(|section| times(&mut fencing, &section, report));
    patience_outlasts_detection(&fencing, beat, &span, report);
    let least = fencing.least_delay(beat);
    if let Some(delay) = delay.as_ref().filter(|delay| delay.value < least) {
        let what = format!(
            "`delay` is {}, and must be at least {}",
            show(delay.value),
            show(least)
        );
        report.add(
            &delay.span,
            what,
            "delete it, and the least that is safe is taken: in less, a node that was shot may shoot back before it is off",
        );
    }
    fencing.delay = delay.map_or(least, |delay| delay.value);
    Some(fencing)
}

/// Reads the times; gives `delay`, which is held against the others.
fn times(fencing: &mut Fencing, section: &Section, report: &mut Report) -> Option<At<Duration>> {
    let mut read = |name, least: Duration, most: Duration, why: &str, into: &mut Duration| {
        if let Some(read) = section.duration(name, least..=most, why, report) {
            *into = read.value;
        }
    };
    let why = "choose between these: shorter, and a daemon's restart is shot at";
    read("patience", SECOND, HOUR, why, &mut fencing.patience);
    let why = "choose between these: a machine that is off stays off for so long";
    read("settle", 200 * MS, 60 * SECOND, why, &mut fencing.settle);
    let why = "choose between these: a BMC may need half a minute, a cloud some";
    let within = &mut fencing.off_deadline;
    read("off_deadline", 10 * SECOND, HOUR, why, within);
    let why = "choose between these: oftener is a load on a BMC, rarer hides that it died";
    read("probe", 10 * SECOND, 24 * HOUR, why, &mut fencing.probe);
    if let Some(after) = section.text("after", report) {
        match after.value {
            "on" => fencing.after = After::On,
            "off" => fencing.after = After::Off,
            other => report.add(
                &after.span,
                format!("`after` is {}", quoted(other)),
                "write \"on\" (switched on again) or \"off\" (stays off until somebody looks)",
            ),
        }
    }
    let why = "delete it, and the least that is safe is taken";
    section.duration("delay", SECOND..=HOUR, why, report)
}

fn patience_outlasts_detection(
    fencing: &Fencing,
    beat: &HeartbeatTimes,
    span: &Span,
    report: &mut Report,
) {
    let detection = beat.detection_time();
    if fencing.patience <= detection {
        let what = format!(
            "`patience` of {} does not outlast the detection time of {}",
            show(fencing.patience),
            show(detection)
        );
        let help = "raise `[fencing] patience`, or lower `[heartbeat] interval` or `misses`: \
                    nobody is shot before it counts as silent";
        report.add(span, what, help);
    }
}

type Devices = [Vec<Device>; 2];

/// Reads every `[[fence]]`, and where the first stands.
fn devices(
    top: &Section,
    nodes: &[NamedNode],
    read_secret: ReadSecret,
    report: &mut Report,
) -> Option<(Devices, Span)> {
    let value = top.value("fence")?;
    let help = "write `[[fence]]`, in two brackets, once for each device";
    let Some(entries) = value.get_ref().as_array() else {
        let what = format!("`fence` must be tables, not {}", kind(value.get_ref()));
        report.add(&value.span(), what, help);
        return None;
    };
    let mut devices = Devices::default();
    let mut named = [false; 2];
    for entry in entries.iter() {
        let Some(table) = entry.get_ref().as_table() else {
            let what = format!("`fence` must be tables, not {}", kind(entry.get_ref()));
            report.add(&entry.span(), what, help);
            continue;
        };
        let section = Section::open(table, entry.span(), &FENCE, report);
        let side = node(&section, nodes, report);
        let device = device(&section, read_secret, report);
        let Some(side) = side else { continue };
        named[side as usize] = true;
        if let Some(device) = device {
            if devices[side as usize].len() == MAX_LEVELS {
                let what = format!("more than {MAX_LEVELS} devices for one node");
                report.add(
                    &section.span,
                    what,
                    "two or three that share nothing are plenty",
                );
            }
            let level = devices[side as usize].len();
            report.mark(Subject::Fence(side, level), &section.span);
            devices[side as usize].push(device);
        }
    }
    if let (true, [first, second]) = (named[0] != named[1], nodes) {
        let (with, without) = match named[0] {
            true => (first, second),
            false => (second, first),
        };
        report.add(
            &value.span(),
            format!("there is a device that switches {} off, and none for {}", with.name, without.name),
            format!(
                "add a `[[fence]]` with `node = \"{}\"`: either node must be able to make sure of the other",
                without.name
            ),
        );
    }
    Some((devices, value.span()))
}

fn node(section: &Section, nodes: &[NamedNode], report: &mut Report) -> Option<Side> {
    section.require("node", report);
    let name = section.text("node", report)?;
    let index = nodes.iter().position(|node| node.name == name.value);
    if index.is_none() {
        let what = format!("{} is no node", quoted(name.value));
        report.add(&name.span, what, known_nodes(name.value, nodes));
    }
    [Side::First, Side::Second].get(index?).copied()
}

fn device(section: &Section, read_secret: ReadSecret, report: &mut Report) -> Option<Device> {
    let (by_ipmi, by_agent) = (section.value("ipmi"), section.value("agent"));
    match (by_ipmi.is_some(), by_agent.is_some()) {
        (true, false) => {
            let section = section.table("ipmi", &IPMI, report)?;
            ipmi(&section, read_secret, report).map(Device::Ipmi)
        }
        (false, true) => {
            let section = section.table("agent", &AGENT, report)?;
            agent(&section, read_secret, report).map(Device::Agent)
        }
        (true, true) => {
            report.add(
                &section.key_span("agent"),
                "both `ipmi` and `agent` in one `[[fence]]`",
                "write a `[[fence]]` for each: they are tried in the order written",
            );
            None
        }
        (false, false) => {
            if section.lacks("ipmi") && section.lacks("agent") {
                report.add(
                    &section.span,
                    "a `[[fence]]` with neither `ipmi` nor `agent`",
                    "add `ipmi = { address = \"10.1.1.201\", user = \"ha\", password_file = \"/etc/ha-appliance/bmc.pw\" }`",
                );
            }
            None
        }
    }
}

/// What the fields of a login hold at most (IPMI 2.0, 22.28 and 22.30).
const MAX_USER: usize = 16;
const MAX_PASSWORD: usize = 20;

fn ipmi(section: &Section, read_secret: ReadSecret, report: &mut Report) -> Option<Account> {
    ["address", "user", "password_file"]
        .into_iter()
        .for_each(|name| section.require(name, report));
    let why = "IPMI over LAN has port 623";
    let port = section.number("port", 1..=65535, why, report);
    let port = port.map_or(PORT, |port| port.value as u16);
    let address = section.text("address", report).and_then(|text| {
        let address = address::asked(text.value, "10.1.1.201");
        address
            .map_err(|(what, help)| report.add(&text.span, what, help))
            .ok()
    });
    let user = section.text("user", report);
    if let Some(user) = &user
        && (user.value.is_empty() || user.value.len() > MAX_USER)
    {
        let what = format!("`user` has {} bytes", user.value.len());
        let help = format!("IPMI's user names have 1 to {MAX_USER}");
        report.add(&user.span, what, help);
    }
    let mut secret = |name| secret(section, name, read_secret, report);
    let (password, kg) = (secret("password_file"), secret("kg_file"));
    let privilege = section.text("privilege", report);
    let privilege = privilege.map_or(Some(Privilege::Operator), |text| match text.value {
        "user" => {
            let help = "write \"operator\", which is enough, or \"administrator\"";
            report.add(&text.span, "a `user` may not switch power", help);
            None
        }
        "operator" => Some(Privilege::Operator),
        "administrator" => Some(Privilege::Administrator),
        other => {
            let what = format!("`privilege` is {}", quoted(other));
            let help = "write \"operator\", which is enough, or \"administrator\"";
            report.add(&text.span, what, help);
            None
        }
    });
    let why = "write 17 or 3, or delete it: 17 is tried, and 3 where that is refused";
    let suite = section.number("suite", 3..=17, why, report);
    let suite = suite.and_then(|number| match number.value {
        17 => Some(Suite::Seventeen),
        3 => Some(Suite::Three),
        other => {
            report.add(&number.span, format!("`suite` is {other}"), why);
            None
        }
    });
    Some(Account {
        address: SocketAddr::new(address?, port),
        user: user?.value.to_owned(),
        password: password?,
        kg,
        privilege: privilege?,
        suite,
    })
}

/// What stands in a file, but for one newline at its end.
fn secret(
    section: &Section,
    name: &str,
    read_secret: ReadSecret,
    report: &mut Report,
) -> Option<Vec<u8>> {
    let file = section.text(name, report)?;
    let secret = text_of(&file, read_secret, report)?;
    if secret.len() > MAX_PASSWORD {
        let what = format!("what stands in {} has {} bytes", file.value, secret.len());
        let help = format!("IPMI takes {MAX_PASSWORD} at most, and some BMCs 16");
        report.add(&file.span, what, help);
    }
    Some(secret.into_bytes())
}

fn text_of(file: &At<&str>, read_secret: ReadSecret, report: &mut Report) -> Option<String> {
    let path = beside(report.path, file.value);
    let mut text = match read_secret(&path, Secret::Password) {
        Ok(text) => text,
        Err((what, help)) => {
            report.add(&file.span, what, help);
            return None;
        }
    };
    if text.ends_with('\n') {
        text.pop();
    }
    if text.is_empty() {
        let what = format!("the password file {} is empty", path.display());
        report.add(&file.span, what, "write the password into it, alone");
        return None;
    }
    Some(text)
}

fn agent(section: &Section, read_secret: ReadSecret, report: &mut Report) -> Option<Agent> {
    section.require("name", report);
    let name = section.text("name", report);
    if let Some(name) = &name {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        let path = name.value.starts_with('/');
        let named = name.value.starts_with("fence_") && !name.value.contains('/');
        if !(path || named) || !name.value.chars().all(fits) {
            report.add(
                &name.span,
                format!("{} is no fence agent", quoted(name.value)),
                "their names begin with `fence_`; name another by its whole path",
            );
        }
    }
    let options = options(section, read_secret, report);
    Some(Agent {
        name: name?.value.to_owned(),
        options: options?,
    })
}

/// The options, in the order of the file.
fn options(
    section: &Section,
    read_secret: ReadSecret,
    report: &mut Report,
) -> Option<Vec<(String, String)>> {
    let Some(value) = section.value("options") else {
        return Some(Vec::new());
    };
    let Some(table) = value.get_ref().as_table() else {
        section.wrong_type("options", "a table", value, report);
        return None;
    };
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut options = Vec::new();
    for (name, value) in entries {
        let (span, name) = (name.span(), name.get_ref().as_ref());
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Boolean(truth) => if *truth { "1" } else { "0" }.to_owned(),
            other => {
                let what = format!("option {} cannot be {}", quoted(name), kind(other));
                report.add(
                    &value.span(),
                    what,
                    "write a text in quotes, a number, true or false",
                );
                continue;
            }
        };
        let is_text = matches!(value.get_ref(), DeValue::String(_));
        match name.strip_suffix("_file") {
            Some(option) if is_text && is_secret(option) => {
                let file = At {
                    value: text.as_str(),
                    span: value.span(),
                };
                if let Some(secret) = text_of(&file, read_secret, report) {
                    options.push((option.to_owned(), secret));
                }
            }
            _ if is_secret(name) => report.add(
                &span,
                format!("option `{name}` is secret, and ha.toml gets shown around"),
                format!("write it into a file with mode 600, and name that as `{name}_file`"),
            ),
            _ => options.push((name.to_owned(), text)),
        }
    }
    Some(options)
}

/// What such an option holds others must not read. (What ends in `_script` is a program that tells it.)
pub(in crate::config) fn is_secret(option: &str) -> bool {
    let named = ["passw", "secret", "token", "community"];
    let option = option.to_lowercase();
    !option.ends_with("_script") && named.iter().any(|part| option.contains(part))
}
