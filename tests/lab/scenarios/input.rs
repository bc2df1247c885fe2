//! A ha.toml that cannot be on this machine: `check` and `reload` refuse it, and what runs goes on.

use super::nginx::serving;
use crate::ensure;
use crate::lab::{Lab, Outcome};
use crate::machine::in_repository;
use crate::net::{Host, NODES};
use crate::pair::Pair;
use crate::scenario::{Run::Machines, Run::Nodes, Scenario};
use crate::status;
use crate::sys::now;
use crate::toml::Settings;
use crate::topology::NGINX;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "files-differ",
        shows: "a service more in one ha.toml: it is held back and the rest serves on, until the other node has it too",
        run: Machines(&NGINX, files_differ),
        limit: (60, 60),
    },
    Scenario {
        name: "input-refused",
        shows: "programs, units, VIPs and links that cannot be: refused with their line; nginx serves on",
        run: Machines(&NGINX, refused),
        limit: (90, 90),
    },
    Scenario {
        name: "notices-of-now",
        shows: "what cannot be is noted while it is so: a program that goes and comes, a state that was damaged",
        run: Nodes(notices_of_now),
        limit: (90, 90),
    },
];

const FILE: &str = "/etc/ha-appliance/ha.toml";
const CHECK: &str = "http = \"http://127.0.0.1/test.html\"";
const VIP: &str = "vip = \"192.168.1.178/24\"";
const GATEWAYS: &str = "addresses = [\"192.168.1.1\"]\ndampening = \"5s\"";
const KEY: &str = "key_file = \"/etc/ha-appliance/key\"";

/// What is replaced, by what; the exit code of `check`; where and what is told.
const MISFITS: [(&str, &str, i32, &str); 8] = [
    (
        CHECK,
        "exec = \"/usr/local/bin/is-well\"",
        1,
        ":28:18: /usr/local/bin/is-well does not exist",
    ),
    (
        CHECK,
        "exec = \"/usr/local/bin\"",
        1,
        ":28:18: /usr/local/bin is a directory",
    ),
    (
        CHECK,
        "exec = \"/usr/bin/curl -fs http://127.0.0.1/\"",
        78,
        ":28:18: `/usr/bin/curl -fs http://127.0.0.1/` is no program: it has spaces",
    ),
    (
        KEY,
        "key_file = \"/etc/ha-appliance/key\"\nnotify = \"/etc/hostname\"",
        1,
        ":8:10: /etc/hostname is not executable",
    ),
    (
        VIP,
        "service = \"unwilling.service\"\n[[group.resource]]\nvip = \"192.168.1.178/24\"",
        1,
        ":23:11: unwilling.service refuses to be started by anybody but systemd",
    ),
    (
        "[[group]]",
        "[[group]]\nname = \"other\"\n[[group.resource]]\nservice = \"web.service\"\n[[group]]",
        78,
        ":31:11: nginx.service and web.service (group `other`, line 22:11) are one unit, nginx.service",
    ),
    (
        GATEWAYS,
        "[[group]]\nname = \"other\"\n[[group.resource]]\nvip = \"192.168.1.1/24\"",
        78,
        ":19:7: VIP 192.168.1.1 is the default gateway on eth0",
    ),
    (
        "[\"172.16.1.102\", \"192.168.1.102\"]",
        "[\"192.168.1.102\", \"172.16.1.102\"]",
        78,
        "which is in another network: 172.16.1.0/24 on eth1 holds its link 2, 172.16.1.102",
    ),
];

fn refused(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    pair.on(holder, "ip route replace default via 192.168.1.1")?;
    pair.on(
        holder,
        "ln -s /lib/systemd/system/nginx.service /etc/systemd/system/web.service",
    )?;
    let unwilling = "[Unit]\nRefuseManualStart=yes\n[Service]\nExecStart=/bin/sleep infinity\n";
    pair.node(holder)
        .write("/etc/systemd/system/unwilling.service", unwilling)?;
    pair.on(holder, "systemctl daemon-reload")?;
    let good = std::fs::read_to_string(in_repository("config/nginx.toml"))?;
    let from = now();
    for (old, new, code, told) in MISFITS {
        ensure!(good.contains(old), "config/nginx.toml does not say {old:?}");
        pair.node(holder).write(FILE, good.replacen(old, new, 1))?;
        said(pair, holder, "check", code, told)?;
        said(pair, holder, "reload", 1, told)?;
    }
    // Without the program, too.
    pair.on(
        holder,
        "systemctl kill --kill-whom=main --signal=HUP ha-appliance",
    )?;
    pair.status(holder, 1, "the last reload was refused")?;
    pair.node(holder).write(FILE, &good)?;
    said(pair, holder, "check", 0, "")?;
    said(pair, holder, "reload", 0, "is in force")?;
    pair.nothing_moves(holder, Duration::from_secs(1))?;
    pair.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    Ok(())
}

/// A service more in the file, after nginx.
const MORE: &str = "[[group.resource]]\nservice = \"more.service\"\n";

fn files_differ(pair: &mut Pair) -> Outcome {
    let (holder, browser) = serving(pair, &[])?;
    let unit = "[Service]\nExecStart=/bin/sleep infinity\n";
    for host in NODES {
        pair.node(host)
            .write("/etc/systemd/system/more.service", unit)?;
    }
    pair.on_both("systemctl daemon-reload")?;
    pair.only_one_runs("more.service");
    let good = std::fs::read_to_string(in_repository("config/nginx.toml"))?;
    let more = format!("{}\n{MORE}", good.trim_end());
    let from = now();
    pair.node(holder).write(FILE, &more)?;
    said(pair, holder, "reload", 0, "is in force")?;
    // By the other node's file, under the name that it has there.
    let held = "more.service is held back: pm-test";
    pair.status(holder, 1, held)?;
    for host in NODES {
        ensure!(!pair.runs(host, "more.service")?, "it runs");
    }
    pair.node(holder.peer()).write(FILE, &more)?;
    said(pair, holder.peer(), "reload", 0, "is in force")?;
    pair.status(holder, 0, "")?;
    pair.runs_only_on(holder, "more.service")?;
    pair.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    Ok(())
}

fn notices_of_now(lab: &mut Lab) -> Outcome {
    let hook = lab.node(Host::A).directory().join("hook");
    let install = || -> Outcome {
        std::fs::write(&hook, "#!/bin/sh\nexit 0\n")?;
        Ok(std::fs::set_permissions(
            &hook,
            Permissions::from_mode(0o755),
        )?)
    };
    install()?;
    lab.configure(&Settings {
        cluster: format!("lab\"\nnotify = \"{}", hook.display()),
        ..Settings::default()
    })?;
    let damaged = lab.node(Host::A).state().join("state.json");
    std::fs::write(damaged, "rubbish")?;
    for host in NODES {
        lab.start(host)?;
    }
    lab.settled(Duration::from_secs(10))?;
    lab.both_alive()?;
    let aside = lab.node(Host::A).state().join("state.json.bad-1");
    let aside = aside.to_string_lossy().into_owned();
    noted(lab, "could not be trusted", true)?;
    noted(lab, "does not exist: install it", false)?;
    lab.note("the hook is gone");
    std::fs::remove_file(&hook)?;
    // What the file before named as well is no reason to refuse it.
    lab.node(Host::A).order(&["reload"])?;
    noted(lab, "does not exist: install it", true)?;
    lab.note("it is back, and the damaged state is deleted");
    install()?;
    std::fs::remove_file(&aside)?;
    noted(lab, "does not exist: install it", false)?;
    noted(lab, &aside, false)
}

/// Waits until one node's status has such a notice, or has none; looked at every 30 s.
fn noted(lab: &mut Lab, text: &str, is_so: bool) -> Outcome {
    let what = format!("{text:?} noted: {is_so}");
    let limit = Duration::from_secs(45);
    status::wait_until(lab.node(Host::A), &what, limit, |s| {
        status::notices(s)
            .iter()
            .any(|notice| notice.contains(text))
            == is_so
    })
}

fn said(pair: &mut Pair, host: Host, command: &str, code: i32, told: &str) -> Outcome {
    let output = pair
        .node(host)
        .try_run(&format!("ha-appliance {command} 2>&1"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.code() == Some(code) && text.contains(told),
        "{command} ended with {}, not {code} and {told:?}: {text}",
        output.status
    );
    Ok(())
}
