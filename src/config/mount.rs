//! Reads a `[[group.resource]]` of kind `mount`.

use super::error::{At, Report, quoted};
use super::key::Refusal;
use super::places::Subject;
use super::read::Section;
use super::schema::{Group, Resource};
use super::vip::Around;
use super::warning::Warning;
use crate::agents::device_name::is_kernels_name;
use crate::agents::mount::{Kind, Target, is_within, wrong};
use std::time::Duration;

/// A file system that is mounted where the group runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What, and where.
    pub target: Target,
    /// How long a check and a mount may take.
    pub start_timeout: Duration,
    /// How long an unmount may take, besides what is written back.
    pub stop_timeout: Duration,
}

impl Mount {
    /// A journal is replayed in seconds; a file system that has to be checked in full takes longer.
    pub const START_TIMEOUT: Duration = Duration::from_secs(60);
    /// See [`Mount::stop_timeout`].
    pub const STOP_TIMEOUT: Duration = Duration::from_secs(60);
}

/// An unmount needs time to end its users: SIGTERM, then SIGKILL.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(3600);

/// The machine's own; a group that has one of them takes the machine with it.
const NEEDED: [&str; 12] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/ha-appliance",
];
/// Below these nothing can be mounted that lasts, or should be.
const CLOSED: [&str; 4] = ["/dev", "/proc", "/run", "/sys"];

/// Reads a mount, and notes it among those of the file.
pub(super) fn mount(
    section: &Section,
    group: &str,
    around: &mut Around,
    report: &mut Report,
) -> Option<Mount> {
    for key in ["device", "fstype"] {
        section.require(key, report);
    }
    let why = "choose between these: what the longest check takes, and a little more";
    let start = section.duration("start_timeout", SHORTEST..=LONGEST, why, report);
    let why = "choose between these: for so long a move waits for what is written back";
    let stop = section.duration("stop_timeout", SHORTEST..=LONGEST, why, report);
    let options = section.text("options", report);
    if let Some(options) = &options
        && let Some((what, help)) = wrong(options.value)
    {
        report.add(&options.span, format!("`options`: {what}"), help);
    }
    let kind = kind(section, report);
    let device = text(section, "device", device, report);
    let point = text(section, "mount", point, report)?;
    report.mark(Subject::Mount(point.value.clone()), &point.span);
    contradictions(&point, device.as_ref(), group, around, report);
    let known = Known {
        point: point.value.clone(),
        device: device.as_ref().map(|device| device.value.clone()),
        group: group.to_owned(),
        span: point.span,
    };
    around.mounts.push(known);
    Some(Mount {
        target: Target {
            point: point.value,
            device: device?.value,
            kind: kind?,
            options: options.map_or(String::new(), |options| options.value.to_owned()),
        },
        start_timeout: start.map_or(Mount::START_TIMEOUT, |at| at.value),
        stop_timeout: stop.map_or(Mount::STOP_TIMEOUT, |at| at.value),
    })
}

impl Around<'_> {
    /// The directory of a mount in that group whose device is DRBD's.
    pub(super) fn mount_of_drbd(&self, group: &str) -> Option<&str> {
        let of_drbd = |known: &&Known| {
            let device = known.device.as_deref().unwrap_or_default();
            known.group == group && device.starts_with("/dev/drbd")
        };
        let known = self.mounts.iter().find(of_drbd)?;
        Some(&known.point)
    }
}

/// A mount of the file, as far as it was read.
pub(super) struct Known {
    point: String,
    device: Option<String>,
    group: String,
    span: super::error::Span,
}

/// What one should know about a group's mounts.
pub(super) fn warn(group: &Group, fenced: bool, warnings: &mut Vec<Warning>) {
    let mut above = None;
    for resource in &group.resources {
        match resource {
            Resource::Vip(vip) => {
                above.get_or_insert(vip);
            }
            Resource::Mount(mount) => {
                let (point, device) = (mount.target.point.clone(), mount.target.device.clone());
                if let Some(vip) = above.take() {
                    let (vip, point) = (vip.address, format!("the mount {point}"));
                    warnings.push(Warning::VipAboveMount { vip, point });
                }
                if device.starts_with("/dev/drbd") && group.drbd().is_none() {
                    let device = device.clone();
                    warnings.push(Warning::DrbdDevice { device });
                }
                if is_kernels_name(&device) {
                    warnings.push(Warning::KernelName { device });
                }
            }
            Resource::Drbd(drbd) => {
                if let Some(vip) = above.take() {
                    let (vip, point) = (vip.address, format!("drbd {}", drbd.resource));
                    warnings.push(Warning::VipAboveMount { vip, point });
                }
            }
            Resource::Service(_) => {}
        }
    }
    if !fenced && group.holds_data() {
        let group = group.name.clone();
        warnings.push(Warning::DataUnfenced { group });
    }
}

fn text(
    section: &Section,
    key: &str,
    check: fn(&str) -> Result<(), Refusal>,
    report: &mut Report,
) -> Option<At<String>> {
    let text = section.text(key, report)?;
    if let Err((what, help)) = check(text.value) {
        report.add(&text.span, format!("`{key}`: {what}"), help);
        return None;
    }
    Some(At {
        value: text.value.to_owned(),
        span: text.span,
    })
}

fn kind(section: &Section, report: &mut Report) -> Option<Kind> {
    let text = section.text("fstype", report)?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == text.value);
    if kind.is_none() {
        // `zfs` is near to `xfs`, and meant.
        let help = "write \"ext4\" or \"xfs\": what these do after a power cut is known, and no other is supported";
        report.add(
            &text.span,
            format!("`fstype` is {}", quoted(text.value)),
            help,
        );
    }
    kind
}

fn point(path: &str) -> Result<(), Refusal> {
    plain(path, "/mnt/data")?;
    if path == "/" || NEEDED.contains(&path) || CLOSED.iter().any(|dir| is_within(path, dir)) {
        let what = format!("{path} is the machine's own");
        return Err((
            what,
            "mount it at a directory of its own: \"/mnt/data\"".into(),
        ));
    }
    Ok(())
}

fn device(path: &str) -> Result<(), Refusal> {
    if path.contains('=') && !path.starts_with('/') {
        let what = format!("`{path}` is for fstab");
        let help = "write the name below /dev/disk: \"/dev/disk/by-uuid/…\"";
        return Err((what, help.into()));
    }
    plain(path, "/dev/disk/by-id/…")?;
    if !is_within(path, "/dev") || path == "/dev" {
        let what = format!("{path} is no block device's name");
        return Err((what, "their names begin with /dev/".into()));
    }
    Ok(())
}

/// A whole path as the kernel shows it, without what would have to be quoted there.
fn plain(path: &str, example: &str) -> Result<(), Refusal> {
    let help = format!("write the whole path: \"{example}\"");
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && c != '\\';
    if !path.starts_with('/') {
        return Err((format!("{} is no whole path", quoted(path)), help));
    }
    if !path.chars().all(fits) {
        return Err((format!("`{path}` has a space or the like in it"), help));
    }
    let parts: Vec<&str> = path[1..].split('/').collect();
    if path != "/" && parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return Err((
            format!("`{path}` is not written as the kernel shows it"),
            "leave out `.`, `..`, double slashes and a slash at the end".into(),
        ));
    }
    Ok(())
}

/// Notes where a mount stands in another one's way.
fn contradictions(
    point: &At<String>,
    device: Option<&At<String>>,
    group: &str,
    around: &Around,
    report: &mut Report,
) {
    for known in &around.mounts {
        let there = report.line_column(&known.span);
        let path = &point.value;
        if known.point == *path {
            let what = format!("something is mounted at {path} already (line {there})");
            report.add(&point.span, what, "give each a directory of its own");
        } else if known.group == group && is_within(&known.point, path) {
            let what = format!(
                "{path} would cover {}, which is mounted before it (line {there})",
                known.point
            );
            report.add(
                &point.span,
                what,
                "put the outer one first: they are mounted in this order",
            );
        } else if known.group != group
            && (is_within(&known.point, path) || is_within(path, &known.point))
        {
            let what = format!(
                "{path} and {} (group `{}`, line {there}) lie in each other",
                known.point, known.group
            );
            report.add(
                &point.span,
                what,
                "two groups may run on two nodes: keep their directories apart",
            );
        }
        if let Some(device) = device.filter(|device| known.device.as_ref() == Some(&device.value)) {
            let what = format!(
                "{} is mounted at {} already (line {there})",
                device.value, known.point
            );
            report.add(&device.span, what, "a device is mounted at one place");
        }
    }
}
