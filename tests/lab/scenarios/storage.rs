//! Case D on virtual machines: a DRBD disk, a file system, an address and Apache move as one, and no record that was
//! acknowledged through them is ever lost.
//!
//! Each step finds a pair that serves with both disks UpToDate, and leaves one.

use super::fencing::{devices, powered, protected};
use super::vms::SLOWLY;
use crate::client::Client;
use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::net::{Cut, Host, NODES, Port, Wire};
use crate::scenario::{Run::Virtual, Scenario, Step};
use crate::status;
use crate::sys::{self, now};
use crate::system::System;
use crate::topology::BONDED;
use crate::vm::{Vm, Vms};
use crate::writer::Writer;
use std::time::Duration;

pub const ALL: &[Scenario] = &[Scenario {
    name: "storage",
    shows: "two virtual machines with a DRBD disk, written to all the time, booted once, at 250 ms × 8",
    run: Virtual(&BONDED, prepare, STEPS),
    limit: (900, 3600),
}];

const STEPS: &[Step] = &[
    Step {
        name: "by-hand",
        shows: "`failover` moves disk, file system, address and Apache, and back",
        run: by_hand,
        long: false,
    },
    Step {
        name: "interlink-cut",
        shows: "DRBD's network is cut, the LAN is alive: the holder writes on once the standby has outdated itself, which is synced again",
        run: interlink_cut,
        long: false,
    },
    Step {
        name: "power-cut",
        shows: "the holder loses its power: it is read off, and the other promotes; it comes back and is synced",
        run: power_cut,
        long: false,
    },
    Step {
        name: "standby-cut",
        shows: "the standby loses its power: writes wait until it was read off, and go on",
        run: standby_cut,
        long: false,
    },
    Step {
        name: "held-open",
        shows: "somebody has the device open for a moment while it is demoted: it moves all the same",
        run: held_open,
        long: true,
    },
];

const APACHE: &str = "apache2.service";
const SHOT: Duration = Duration::from_secs(60);

fn prepare(vms: &mut Vms) -> Outcome {
    let began = now();
    let more = devices(vms)?;
    drbd(vms)?;
    apache(vms)?;
    let before = format!("{SLOWLY}{more}\n[node.pm-test1]");
    let edits = [
        ("interface = \"eth0\"", "interface = \"bond0\""),
        ("[node.pm-test1]", before.as_str()),
        ("name = \"web\"\n", GROUP),
        ("nginx.service", APACHE),
    ];
    vms.install("config/nginx.toml", &edits)?;
    vms.write_pages()?;
    vms.on_both("ha-appliance check")?;
    vms.on_both("systemctl --quiet enable ha-appliance && sync && systemctl start ha-appliance")?;
    let (holder, _browser) = vms.up()?;
    vms.runs_only_on(holder, APACHE)?;
    vms.on(
        holder,
        "touch /mnt/data/records && chown www-data /mnt/data/records",
    )?;
    protected(vms)?;
    synced(vms)?;
    vms.note(format!(
        "it took {:?} until the pair served",
        sys::since(began)
    ));
    Ok(())
}

const GROUP: &str = "name = \"web\"\n\n[[group.resource]]\ndrbd = \"r0\"\n\n[[group.resource]]\nmount = \"/mnt/data\"\n\
     device = \"/dev/drbd1\"\nfstype = \"ext4\"\n";

/// Two blank disks, a file system on them, and nothing that starts at boot.
fn drbd(vms: &mut Vms) -> Outcome {
    let handler = "/usr/local/sbin/ha-appliance";
    let mut text = format!(
        "resource r0 {{\n net {{ protocol C; }}\n disk {{ fencing resource-and-stonith; on-io-error detach; }}\n \
         handlers {{ fence-peer \"{handler} fence-peer\"; unfence-peer \"{handler} unfence-peer\"; }}\n"
    );
    for host in NODES {
        let segment = vms.net.topology.segment(Wire::Interlink);
        let address = segment.expect("it has one").address(host, Wire::Interlink);
        text += &format!(
            " on {} {{ device /dev/drbd1; disk /dev/vdb; address {address}:7789; meta-disk internal; }}\n",
            vms.net.name(host)
        );
    }
    text += "}\n";
    for host in NODES {
        vms.node(host).write("/etc/drbd.d/r0.res", &text, 0o644)?;
        let global = "global { usage-count no; }\n";
        vms.node(host)
            .write("/etc/drbd.d/global_common.conf", global, 0o644)?;
    }
    vms.on_both("modprobe drbd && drbdadm create-md --force r0 && drbdadm up r0")?;
    vms.on(
        Host::A,
        "drbdadm wait-connect r0 && drbdadm -- --clear-bitmap new-current-uuid r0/0 && drbdadm primary r0 && \
         mke2fs -q -t ext4 /dev/drbd1 && drbdadm secondary r0",
    )?;
    // The appliance brings it up.
    vms.on_both("drbdadm down r0")
}

/// A page that writes what it is asked for, and answers when it is on the disk.
fn apache(vms: &mut Vms) -> Outcome {
    let script = "#!/bin/sh\n\
        printf '%s\\n' \"$QUERY_STRING\" | dd of=/mnt/data/records oflag=append conv=notrunc,fsync 2>/dev/null || exit 1\n\
        printf 'Content-Type: text/plain\\n\\nwritten %s\\n' \"$QUERY_STRING\"\n";
    for host in NODES {
        vms.node(host)
            .write("/usr/lib/cgi-bin/write", script, 0o755)?;
    }
    vms.on_both("a2enmod -q cgid && a2enconf -q serve-cgi-bin && echo ServerName x >>/etc/apache2/apache2.conf")
}

fn by_hand(vms: &mut Vms) -> Outcome {
    let (mut holder, browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    for _ in 0..2 {
        let from = now();
        let told = vms.node(holder).try_run("ha-appliance failover")?;
        vms.note(String::from_utf8_lossy(&told.stdout).into_owned());
        holder = holder.peer();
        serves(vms, &browser, holder, &writer, from, "moved")?;
        synced(vms)?;
    }
    ends(vms, holder, &writer)
}

fn interlink_cut(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    let from = vms.note("the interlink is cut");
    vms.net.cut(Port(holder, Wire::Interlink), Cut::Both)?;
    says(vms, holder.peer(), "Outdated", SHOT)?;
    let on = now();
    writer.acknowledged_after(on, SHOT)?;
    vms.record
        .figure("interlink cut, stall", writer.stall(from));
    vms.nothing_moved(holder, from)?;
    let told = vms.node(holder).try_run("ha-appliance failover")?;
    ensure!(
        !told.status.success(),
        "it was moved to a node whose data is older"
    );
    vms.net.mend()?;
    synced(vms)?;
    vms.nothing_moved(holder, from)?;
    drop(browser);
    ends(vms, holder, &writer)
}

fn power_cut(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    let from = vms.note("the holder loses its power");
    vms.node(holder).die();
    let peer = holder.peer();
    serves(vms, &browser, peer, &writer, from, "power cut")?;
    let history = vms.on(peer, "ha-appliance history")?;
    vms.note(history);
    vms.node(holder).switch_on()?;
    returns(vms, holder)?;
    ends(vms, peer, &writer)
}

fn standby_cut(vms: &mut Vms) -> Outcome {
    let (holder, _browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    let from = vms.note("the standby loses its power");
    vms.node(holder.peer()).die();
    std::thread::sleep(Duration::from_secs(1));
    writer.acknowledged_after(now(), SHOT)?;
    // What waited was acknowledged, and so was what came after.
    std::thread::sleep(Duration::from_secs(2));
    vms.record.figure("standby cut, stall", writer.stall(from));
    vms.nothing_moved(holder, from)?;
    vms.node(holder.peer()).switch_on()?;
    returns(vms, holder.peer())?;
    vms.nothing_moved(holder, from)?;
    ends(vms, holder, &writer)
}

fn held_open(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let writer = writes(vms, holder)?;
    vms.node(holder)
        .tell("sh -c 'exec 7</dev/drbd1; sleep 5'")?;
    std::thread::sleep(Duration::from_millis(500));
    let from = now();
    let told = vms.node(holder).try_run("ha-appliance failover")?;
    vms.note(String::from_utf8_lossy(&told.stdout).into_owned());
    serves(vms, &browser, holder.peer(), &writer, from, "held open")?;
    synced(vms)?;
    ends(vms, holder.peer(), &writer)
}

/// Records are written, and acknowledged.
fn writes(vms: &mut Vms, holder: Host) -> Outcome<Writer> {
    let writer = Writer::start(&vms.net, "/cgi-bin/write");
    writer.acknowledged_after(now(), Vm::PATIENCE)?;
    vms.on(holder, "test -s /mnt/data/records")?;
    Ok(writer)
}

/// The other serves, the page and what is written.
fn serves(
    vms: &mut Vms,
    browser: &Client,
    holder: Host,
    writer: &Writer,
    from: sys::Micros,
    what: &'static str,
) -> Outcome {
    browser.answered(Some(holder), SHOT)?;
    writer.acknowledged_after(now(), SHOT)?;
    vms.record.figure(what, writer.stall(from));
    vms.note(format!(
        "{what}: the writer stood for {:?}",
        writer.stall(from)
    ));
    match vms.node(holder.peer()).hardware.has_power() {
        true => vms.runs_only_on(holder, APACHE),
        false => Ok(()),
    }
}

/// Every acknowledged record is there.
fn ends(vms: &mut Vms, holder: Host, writer: &Writer) -> Outcome {
    let records = vms.on(holder, "cat /mnt/data/records")?;
    vms.note(format!("{} records were acknowledged", writer.count()));
    writer.check(&records)?;
    synced(vms)
}

/// Both nodes have all.
fn synced(vms: &mut Vms) -> Outcome {
    for host in NODES {
        says(vms, host, ", UpToDate; ", SHOT)?;
        says(vms, host, ", UpToDate", SHOT)?;
        status::wait_until(vms.node(host), "synced", SHOT, |s| {
            let text = s.to_string();
            text.matches("ary, UpToDate").count() >= 2 && !text.contains("KiB differ")
        })?;
    }
    Ok(())
}

/// Waits until a node's status says that of its disk.
fn says(vms: &mut Vms, host: Host, words: &str, limit: Duration) -> Outcome {
    status::wait_until(vms.node(host), words, limit, |s| {
        s["groups"][0]["resources"][0].to_string().contains(words)
    })?;
    Ok(())
}

/// A machine that has power again boots, is the standby, and is synced.
fn returns(vms: &mut Vms, host: Host) -> Outcome {
    powered(vms, host)?;
    vms.node(host).booted()?;
    vms.daemon_is_back(host)?;
    protected(vms)?;
    synced(vms)?;
    vms.runs_only_on(host.peer(), APACHE)
}
