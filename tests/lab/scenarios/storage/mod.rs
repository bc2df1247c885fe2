//! Case D on virtual machines: a DRBD disk, a file system, an address and Apache move as one, and no record that was
//! acknowledged through them is ever lost.
//!
//! Each step finds a pair that serves with both disks UpToDate, and leaves one.

mod chain;
mod faults;
mod manual;
mod pair;
mod power;

use super::fencing::{devices, protected};
use super::vms::SLOWLY;
use crate::lab::Outcome;
use crate::net::{Host, NODES, Wire};
use crate::scenario::{Run::Virtual, Scenario, Step};
use crate::sys::{self, now};
use crate::system::System;
use crate::topology::BONDED;
use crate::vm::Vms;
use pair::synced;
use std::time::Duration;

pub const ALL: &[Scenario] = &[Scenario {
    name: "storage",
    shows: "two virtual machines with a DRBD disk, written to all the time, booted once, at 250 ms × 8",
    run: Virtual(&BONDED, prepare, STEPS),
    limit: (1200, 7200),
}];

const STEPS: &[Step] = &[
    Step {
        name: "by-hand",
        shows: "`failover` moves disk, file system, address and Apache, and back",
        run: chain::by_hand,
        long: false,
    },
    Step {
        name: "interlink-cut",
        shows: "DRBD's network is cut, the LAN is alive: the holder writes on once the standby has outdated itself, which is synced again",
        run: chain::interlink_cut,
        long: false,
    },
    Step {
        name: "power-cut",
        shows: "the holder loses its power: it is read off, and the other promotes; it comes back and is synced",
        run: chain::power_cut,
        long: false,
    },
    Step {
        name: "standby-cut",
        shows: "the standby loses its power: writes wait until it was read off, and go on",
        run: chain::standby_cut,
        long: true,
    },
    Step {
        name: "all-cut",
        shows: "all paths are cut: the holder shoots the other and writes on; that boots into the cut, and is not promoted, nor (--long) when the holder dies and a human says so",
        run: chain::all_cut,
        long: false,
    },
    Step {
        name: "apache-killed",
        shows: "Apache dies: the first failure moves all of it, and it does not return before `clear`",
        run: faults::apache_killed,
        long: false,
    },
    Step {
        name: "held-open",
        shows: "somebody has the device open while it is demoted: for 4 s, and it moves; for longer (--long), and it says who, and is switched off",
        run: faults::held_open,
        long: false,
    },
    Step {
        name: "leaves-while-cut",
        shows: "DRBD's network is cut and the standby's daemon is stopped: the holder writes on",
        run: chain::leaves_while_cut,
        long: true,
    },
    Step {
        name: "handler-without-daemon",
        shows: "DRBD asks what became of the other node while the daemon is dead, and the handler is killed too: all I/O is frozen until the daemon is back",
        run: faults::handler_without_daemon,
        long: false,
    },
    Step {
        name: "holder-leaves",
        shows: "a clean `poweroff` of the holder, which comes back",
        run: chain::holder_leaves,
        long: false,
    },
    Step {
        name: "rebooted-in-maintenance",
        shows: "a clean `poweroff` of the standby in maintenance: the holder writes on",
        run: faults::rebooted_in_maintenance,
        long: true,
    },
    Step {
        name: "frozen-for-long",
        shows: "the standby and its BMC lose their power: all I/O is frozen for 100 s, until `confirm-fenced`, and the disk is not taken for broken",
        run: faults::frozen_for_long,
        long: true,
    },
    Step {
        name: "killed-in-a-move",
        shows: "a daemon is killed while the disk is on its way, on either side, four times: it is served in the end, and nothing is lost",
        run: faults::killed_in_a_move,
        long: true,
    },
    Step {
        name: "by-other-hands",
        shows: "the standby is disconnected and taken down by hand, and stays so; the holder is detached from its disk, and moves",
        run: manual::by_other_hands,
        long: true,
    },
    Step {
        name: "differs",
        shows: "`drbdadm verify` finds a block that differs: nothing is moved there until it was synced",
        run: manual::differs,
        long: true,
    },
    Step {
        name: "good-copy-lost",
        shows: "one writes alone and dies with its disk: the other serves by `accept-data` alone, and syncs the new disk",
        run: manual::good_copy_lost,
        long: true,
    },
    Step {
        name: "power-cuts",
        shows: "power is lost at whatever moment, by who serves, by the other, or by both, and comes back to one first: nothing acknowledged is lost, and who stays down says why",
        run: power::cuts,
        long: true,
    },
    Step {
        name: "power-cuts-2",
        shows: "the same again",
        run: power::cuts,
        long: true,
    },
    Step {
        name: "power-cuts-3",
        shows: "the same again",
        run: power::cuts,
        long: true,
    },
    Step {
        name: "power-cuts-4",
        shows: "the same again",
        run: power::cuts,
        long: true,
    },
    Step {
        name: "one-after-the-other",
        shows: "either node loses its power, the other writes on and loses its own: who went first is back alone, and does not serve, whatever it is told",
        run: power::one_after_the_other,
        long: true,
    },
    Step {
        name: "shut-down",
        shows: "both are shut down in either order, and who went first boots first: it does not serve before the other is back",
        run: power::shut_down,
        long: true,
    },
    Step {
        name: "frozen-holder-reboots",
        shows: "the standby and its BMC lose their power, and the holder, whose I/O is frozen, is rebooted: it comes through, and is not promoted alone",
        run: faults::frozen_holder_reboots,
        long: true,
    },
    Step {
        name: "released",
        shows: "the holder's daemon has failed for good: `release` stops Apache, unmounts and demotes",
        run: faults::released,
        long: true,
    },
    Step {
        name: "released-while-frozen",
        shows: "`release` while all I/O is frozen leaves what it cannot stop, and says so",
        run: faults::released_while_frozen,
        long: true,
    },
    Step {
        name: "disk-breaks",
        shows: "the holder's disk fails whatever it is asked for: it moves",
        run: faults::disk_breaks,
        long: true,
    },
    Step {
        name: "split-brain",
        shows: "the standby is promoted by force and written to, by hand: both say that the connection was given up, nothing moves, and the manual's commands mend it",
        run: manual::split_brain,
        long: true,
    },
];

const APACHE: &str = "apache2.service";
/// One failure is one too many, and an emulated processor slow.
const CHECK: &str =
    "interval = \"5s\", timeout = \"5s\", failures = 3 }\nrestarts = 0\nfail_expiry = \"never\"";
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
        ("interval = \"5s\", timeout = \"2s\" }", CHECK),
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
        "resource r0 {{\n net {{ protocol C; ping-int 3; ping-timeout 20; verify-alg crc32c; }}\n disk {{ fencing resource-and-stonith; on-io-error detach; }}\n \
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
    // As the manual has it, with the one promotion that is ever forced; the first sync goes on beside all that follows.
    vms.on(
        Host::A,
        "drbdadm wait-connect r0 && drbdadm primary --force r0 && mke2fs -q -t ext4 /dev/drbd1 && drbdadm secondary r0",
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
