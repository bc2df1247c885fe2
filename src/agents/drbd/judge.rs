//! What in DRBD's configuration would lose data, or keep a group from being taken over: each with the line to write.

use super::dump::{Dump, Resource};

/// What ha.toml says of a resource.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The resource.
    pub name: &'a str,
    /// Both nodes' host names.
    pub nodes: [&'a str; 2],
    /// A silent node is switched off.
    pub fenced: bool,
    /// This program, as it is installed.
    pub program: &'a str,
    /// The devices that the group mounts.
    pub devices: &'a [&'a str],
    /// The kernel has DRBD 9, which reads some options from other sections.
    pub nine: bool,
}

/// Something that should be otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Data would be lost: refused. Otherwise a warning.
    pub refused: bool,
    /// What is wrong.
    pub what: String,
    /// The line to write, or what to do.
    pub help: String,
}

/// Everything that should be otherwise.
pub fn judge(dump: &Dump, asked: &Asked) -> Vec<Finding> {
    let Some(resource) = dump.resource(asked.name) else {
        let known: Vec<&str> = dump.resources.iter().map(|r| r.name.as_str()).collect();
        let help = match known.is_empty() {
            true => "write it into /etc/drbd.d, the same on both nodes".into(),
            false => format!("DRBD knows {}", known.join(", ")),
        };
        return vec![refused(
            format!("DRBD has no resource {}", asked.name),
            help,
        )];
    };
    let mut found = Vec::new();
    hosts(resource, asked, &mut found);
    fencing(resource, asked, &mut found);
    handlers(resource, asked, &mut found);
    options(resource, asked, &mut found);
    volumes(resource, asked, &mut found);
    let place = &resource.place;
    for finding in &mut found {
        finding.what = format!("{} ({place}): {}", asked.name, finding.what);
    }
    found
}

/// Of the kernel's module.
pub fn version(version: &str) -> Option<Finding> {
    let mut numbers = version
        .split(['.', '-'])
        .map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let version = (next(), next(), next());
    let fault = match version {
        (9, 0, _) => "it is older than the handlers' interface that is used here",
        (9, 1, ..14) | (9, 2, ..3) => "both sides may be promoted at once",
        (9, 2, ..19) | (9, 3, ..3) => "the two sides may differ without being told apart",
        _ => return None,
    };
    let (major, minor, patch) = version;
    Some(Finding {
        refused: false,
        what: format!("DRBD {major}.{minor}.{patch} has a known fault: {fault}"),
        help: "upgrade to 9.1.14, 9.2.19 or 9.3.3, or later".into(),
    })
}

fn hosts(resource: &Resource, asked: &Asked, found: &mut Vec<Finding>) {
    for node in asked.nodes {
        if resource.host(node).is_none() {
            let what = format!("it has no side on {node}");
            found.push(refused(
                what,
                format!("add `on {node} {{ … }}`: DRBD goes by `uname -n`"),
            ));
        }
    }
    let strangers = resource.hosts.iter().map(|host| host.name.as_str());
    for stranger in strangers.filter(|name| !asked.nodes.contains(name)) {
        let what = format!("{stranger} has a side of it, and is no node of ha.toml");
        found.push(refused(what, "two nodes have it, and no third".into()));
    }
}

fn fencing(resource: &Resource, asked: &Asked, found: &mut Vec<Finding>) {
    let (right, wrong) = if asked.nine {
        ("net", "disk")
    } else {
        ("disk", "net")
    };
    if resource.option(wrong, "fencing").is_some() {
        let what = format!(
            "`fencing` stands in `{wrong}`, where this DRBD does not read it: every call of a handler fails"
        );
        found.push(refused(what, format!("write it in `{right} {{ … }}`")));
        return;
    }
    let wanted = if asked.fenced {
        "resource-and-stonith"
    } else {
        "resource-only"
    };
    let line = format!("{right} {{ fencing {wanted}; }}");
    let is = resource.option(right, "fencing").unwrap_or("dont-care");
    match is {
        _ if is == wanted && asked.fenced => {}
        _ if is == wanted => found.push(Finding {
            refused: false,
            what: "without `[[fence]]` two faults within seconds may lose what was written last, and a dead node's group \
                   waits for a human"
                .into(),
            help: "add a `[[fence]]` for each node, and `fencing resource-and-stonith`".into(),
        }),
        "dont-care" => found.push(refused(
            "it has no `fencing`: a node that boots alone takes its old data for the newest".into(),
            line,
        )),
        "resource-and-stonith" => found.push(refused(
            "`fencing resource-and-stonith` without `[[fence]]`: all I/O stops when the other node is gone, until a human comes".into(),
            line,
        )),
        _ => found.push(refused(
            format!("`fencing {is}` with `[[fence]]`: it goes on writing before the other node is off"),
            line,
        )),
    }
}

fn handlers(resource: &Resource, asked: &Asked, found: &mut Vec<Finding>) {
    for (name, refuses) in [("fence-peer", true), ("unfence-peer", false)] {
        let wanted = format!("{} {name}", asked.program);
        let line = format!("handlers {{ {name} \"{wanted}\"; }}");
        let what = match resource.option("handlers", name) {
            Some(is) if is.trim() == wanted => continue,
            Some(is) => format!("its handler `{name}` is `{is}`, and not ha-appliance"),
            None => {
                format!("it has no handler `{name}`: nobody answers what became of the other node")
            }
        };
        found.push(Finding {
            refused: refuses,
            what,
            help: line,
        });
    }
}

/// What is set and must not be, or not so; each with what it costs.
fn options(resource: &Resource, asked: &Asked, found: &mut Vec<Finding>) {
    let set = |section: &str, name: &str| resource.option(section, name);
    let not = |is: Option<&str>, fine: &[&str]| is.is_some_and(|is| !fine.contains(&is));
    let mut add = |refuses: bool, what: String, help: &str| {
        found.push(Finding {
            refused: refuses,
            what,
            help: help.to_owned(),
        });
    };
    if not(set("net", "protocol"), &["C"]) {
        let what = "its protocol is not C: what was acknowledged may not be on the other node";
        add(true, what.into(), "net { protocol C; }");
    }
    if not(set("net", "allow-two-primaries"), &["no"]) {
        let what = "`allow-two-primaries`: two nodes would mount it at once";
        add(true, what.into(), "leave it out");
    }
    for name in [
        "after-sb-0pri",
        "after-sb-1pri",
        "after-sb-2pri",
        "rr-conflict",
    ] {
        let fine: &[&str] = match name {
            "rr-conflict" => &["disconnect", "retry-connect"],
            _ => &["disconnect"],
        };
        if let Some(is) = set("net", name).filter(|is| !fine.contains(is)) {
            let what = format!("`{name} {is}` throws one side's data away by itself");
            add(true, what, &format!("net {{ {name} disconnect; }}"));
        }
    }
    if not(set("options", "quorum"), &["off"]) {
        let what = "`quorum` among two nodes stops the one that is left";
        add(true, what.into(), "options { quorum off; }");
    }
    if asked.nine && set("options", "auto-promote") != Some("no") {
        let what = "`auto-promote` is on: whoever opens the device makes this side Primary, whatever its data";
        add(true, what.into(), "options { auto-promote no; }");
    }
    if not(set("disk", "on-io-error"), &["detach"]) {
        let what =
            "`on-io-error` is not detach: a disk that fails hands its errors to the file system";
        add(false, what.into(), "disk { on-io-error detach; }");
    }
    for name in ["disk-flushes", "md-flushes"] {
        if set("disk", name) == Some("no") {
            let what = format!(
                "`{name} no` loses what was acknowledged with the power, unless the cache has a battery"
            );
            add(false, what, &format!("disk {{ {name} yes; }}"));
        }
    }
    let seconds = set("net", "ping-int").and_then(|is| is.parse::<u32>().ok());
    if let Some(seconds) = seconds.filter(|seconds| *seconds > SLOWEST_PING) {
        let what = format!("`ping-int {seconds}`: for so long it takes a dead node for connected");
        add(false, what, "net { ping-int 10; }");
    }
}

/// DRBD's default, in seconds.
const SLOWEST_PING: u32 = 10;

fn volumes(resource: &Resource, asked: &Asked, found: &mut Vec<Finding>) {
    let of = |node: &str| {
        resource
            .host(node)
            .map(|host| host.volumes.as_slice())
            .unwrap_or_default()
    };
    let numbers = |node| -> Vec<u32> { of(node).iter().map(|volume| volume.number).collect() };
    if asked.nodes.iter().all(|node| resource.host(node).is_some())
        && numbers(asked.nodes[0]) != numbers(asked.nodes[1])
    {
        let what = "its two sides have different volumes".into();
        found.push(refused(what, "list every volume on both".into()));
    }
    for device in asked.devices {
        for node in asked.nodes {
            let volumes = of(node);
            if !volumes.is_empty() && !volumes.iter().any(|volume| volume.device == *device) {
                let what = format!("it has no volume {device} on {node}, which the group mounts");
                found.push(refused(
                    what,
                    format!("name one of its devices, such as {}", volumes[0].device),
                ));
            }
        }
    }
    for (node, volume) in asked
        .nodes
        .iter()
        .flat_map(|node| of(node).iter().map(move |v| (node, v)))
    {
        if crate::agents::drbd::is_kernels_name(&volume.disk) {
            let what = format!(
                "{} on {node} is named by the order in which disks are found, and may be another after a boot",
                volume.disk
            );
            found.push(Finding {
                refused: false,
                what,
                help: "name it by /dev/disk/by-id".into(),
            });
        }
    }
}

fn refused(what: String, help: String) -> Finding {
    Finding {
        refused: true,
        what,
        help,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Asked = Asked {
        name: "r0",
        nodes: ["lb1", "lb2"],
        fenced: true,
        program: "/usr/local/sbin/ha-appliance",
        devices: &["/dev/drbd1"],
        nine: false,
    };

    fn told(text: &str, asked: &Asked) -> Vec<String> {
        let found = judge(&Dump::read(text).unwrap(), asked);
        let line = |finding: &Finding| {
            let mark = if finding.refused { "refused" } else { "warned" };
            let what = finding
                .what
                .split_once("): ")
                .map_or(finding.what.as_str(), |(_, what)| what);
            format!("{mark}: {what} | {}", finding.help)
        };
        found.iter().map(line).collect()
    }

    const GOOD_84: &str = include_str!("fixtures/good84.xml");
    const GOOD_9: &str = include_str!("fixtures/good9.xml");

    #[test]
    fn what_is_right_says_nothing() {
        assert_eq!(told(GOOD_84, &GOOD), [""; 0]);
        let nine = Asked { nine: true, ..GOOD };
        assert_eq!(told(GOOD_9, &nine), [""; 0]);
    }

    #[test]
    fn what_loses_data_is_refused() {
        let asked = GOOD;
        let found = told(include_str!("fixtures/bad84.xml"), &asked);
        let expected = [
            "refused: it has no side on lb2 | add `on lb2 { … }`: DRBD goes by `uname -n`",
            "refused: other has a side of it, and is no node of ha.toml | two nodes have it, and no third",
            "refused: it has no `fencing`: a node that boots alone takes its old data for the newest | disk { fencing resource-and-stonith; }",
            "refused: its handler `fence-peer` is `/usr/lib/drbd/crm-fence-peer.sh`, and not ha-appliance | handlers { fence-peer \"/usr/local/sbin/ha-appliance fence-peer\"; }",
            "warned: it has no handler `unfence-peer`: nobody answers what became of the other node | handlers { unfence-peer \"/usr/local/sbin/ha-appliance unfence-peer\"; }",
            "refused: its protocol is not C: what was acknowledged may not be on the other node | net { protocol C; }",
            "refused: `allow-two-primaries`: two nodes would mount it at once | leave it out",
            "refused: `after-sb-0pri discard-zero-changes` throws one side's data away by itself | net { after-sb-0pri disconnect; }",
            "refused: `after-sb-1pri discard-secondary` throws one side's data away by itself | net { after-sb-1pri disconnect; }",
            "refused: `after-sb-2pri call-pri-lost-after-sb` throws one side's data away by itself | net { after-sb-2pri disconnect; }",
            "warned: `ping-int 30`: for so long it takes a dead node for connected | net { ping-int 10; }",
            "warned: /dev/sdb1 on lb1 is named by the order in which disks are found, and may be another after a boot | name it by /dev/disk/by-id",
        ];
        assert_eq!(found, expected);
    }

    /// Each is one change of a good file.
    #[test]
    fn one_option_is_enough() {
        let eight = |old: &str, new: &str, asked: &Asked| {
            assert!(GOOD_84.contains(old), "{old}");
            told(&GOOD_84.replace(old, new), asked)
        };
        let nine = |old: &str, new: &str| {
            assert!(GOOD_9.contains(old), "{old}");
            told(&GOOD_9.replace(old, new), &Asked { nine: true, ..GOOD })
        };
        let unfenced = Asked {
            fenced: false,
            ..GOOD
        };
        for (found, part) in [
            (
                eight("resource-and-stonith", "resource-only", &GOOD),
                "goes on writing before the other node is off",
            ),
            (
                eight("resource-and-stonith", "dont-care", &unfenced),
                "disk { fencing resource-only; }",
            ),
            (eight("name=\"r0\"", "name=\"r1\"", &GOOD), "DRBD knows r1"),
            (
                eight("detach", "pass_on", &GOOD),
                "`on-io-error` is not detach",
            ),
            (
                eight("/dev/drbd1", "/dev/drbd7", &GOOD),
                "name one of its devices, such as /dev/drbd7",
            ),
            (
                nine("quorum\" value=\"off", "quorum\" value=\"majority"),
                "stops the one that is left",
            ),
            (
                nine("auto-promote\" value=\"no", "auto-promote\" value=\"yes"),
                "whoever opens the device",
            ),
            (
                told(GOOD_84, &Asked { nine: true, ..GOOD }),
                "`fencing` stands in `disk`",
            ),
            (told(GOOD_84, &unfenced), "until a human comes"),
            (
                eight("resource-and-stonith", "resource-only", &unfenced),
                "warned: without `[[fence]]`",
            ),
        ] {
            assert!(
                found.iter().any(|line| line.contains(part)),
                "{part}: {found:?}"
            );
        }
    }

    #[test]
    fn versions_with_known_faults_are_warned_of() {
        for bad in ["9.1.13", "9.2.2", "9.2.18", "9.3.2", "9.3.0-rc.1"] {
            assert!(version(bad).is_some(), "{bad}");
        }
        for good in ["8.4.11", "9.1.14", "9.1.23", "9.2.19", "9.3.3", "10.0.0"] {
            assert_eq!(version(good), None, "{good}");
        }
    }
}
