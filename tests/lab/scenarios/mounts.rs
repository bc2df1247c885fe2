//! A disk that both machines reach, as one of a SAN: mounted where the group runs. What a helper does to it alone is
//! tests/mounts.rs; here it is the installed unit's, on a real systemd.

use super::nginx::{UNIT, start};
use crate::client::Client;
use crate::ensure;
use crate::lab::Outcome;
use crate::net::{Host, NODES};
use crate::pair::{PLANNED, Pair};
use crate::scenario::{Run::Machines, Scenario};
use crate::sweep;
use crate::sys::{self, now};
use crate::topology::NGINX;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "mount",
        shows: "a disk of both machines: mounted for everybody by the hardened unit, its users ended in a move, kept over the daemon's death, unmounted before systemd does at a reboot, moved when it cannot be written to",
        run: Machines(&NGINX, mount),
        limit: (120, 120),
    },
    Scenario {
        name: "mount-killed-in-a-move",
        shows: "the daemon is killed while it unmounts, checks or mounts a disk of both machines, on either node: never mounted on both, and one serves in the end",
        run: Machines(&NGINX, killed_in_a_move),
        limit: (120, 900),
    },
];

const POINT: &str = "/mnt/data";

/// Both have the disk and run the appliance, and it is mounted on one of them: never on both, from here on.
fn serving(pair: &mut Pair) -> Outcome<(Disk, Host, Client)> {
    let disk = Disk::new()?;
    for host in NODES {
        disk.plug_in(pair, host)?;
    }
    disk.never_on_both(pair);
    let resource = format!(
        "[[group.resource]]\nmount = \"{POINT}\"\ndevice = \"/dev/shared\"\nfstype = \"ext4\"\n\n[[group.resource]]\nvip"
    );
    pair.only_one_runs(UNIT);
    let (holder, browser) = start(pair, &[("[[group.resource]]\nvip", &resource)])?;
    mounted_on(pair, holder)?;
    Ok((disk, holder, browser))
}

fn killed_in_a_move(pair: &mut Pair) -> Outcome {
    let (_disk, mut holder, browser) = serving(pair)?;
    // Slow enough that a random instant meets every phase.
    let slow =
        "ExecStartPre=/bin/sleep 0.2\nExecStop=\nExecStop=/bin/sh -c 'sleep 0.2; kill $MAINPID'";
    let checker = "#!/bin/sh\nsleep 0.5\nexec /usr/sbin/e2fsck \"$@\"\n";
    for host in NODES {
        pair.node(host).edit(UNIT, slow)?;
        pair.on(host, "rm /usr/sbin/fsck.ext4")?;
        pair.node(host).write("/usr/sbin/fsck.ext4", checker)?;
        pair.on(host, "chmod 755 /usr/sbin/fsck.ext4")?;
    }
    for round in 0..pair.times(2, 60) {
        // It is held open by what takes no notice of SIGTERM.
        if round % 4 < 2 {
            let deaf = format!("trap \"\" TERM; cd {POINT}; while :; do sleep 1; done");
            pair.on(
                holder,
                &format!("systemd-run --quiet --collect sh -c '{deaf}'"),
            )?;
        }
        pair.on(
            holder,
            "systemd-run --quiet --collect ha-appliance failover",
        )?;
        std::thread::sleep(Duration::from_micros(sys::random(2_500_000)));
        let victim = if round % 2 == 0 {
            holder
        } else {
            holder.peer()
        };
        let from = now();
        kill_daemon(pair, victim)?;
        browser.answered(None, Duration::from_secs(30))?;
        pair.record.figure("served after", sys::since(from));
        std::thread::sleep(Duration::from_secs(2));
        holder = pair.settled(Duration::from_secs(20))?;
        mounted_on(pair, holder)?;
        pair.runs_only_on(holder, UNIT)?;
        pair.on_both("systemctl reset-failed ha-appliance; ha-appliance clear")?;
    }
    Ok(())
}

fn mount(pair: &mut Pair) -> Outcome {
    let (_disk, holder, browser) = serving(pair)?;
    // Planned moves alone: of data there is no evidence.
    let page = pair.status(holder, 1, "a group that holds data needs fencing")?;
    ensure!(
        page.contains("mount /mnt/data  ") && page.contains("/dev/shared is mounted"),
        "{page}"
    );
    let mut holder = holder;
    for what in ["of an idle disk", "with much to write back"] {
        if what != "of an idle disk" {
            let much = format!("dd if=/dev/zero of={POINT}/much bs=1M count=40 2>&1");
            pair.on(holder, &much)?;
        }
        let from = now();
        pair.on(holder, "ha-appliance failover")?;
        holder = holder.peer();
        pair.moved(&browser, holder, from, PLANNED)?;
        let outage = browser.outage(from).length();
        pair.record.figure(what, outage);
        mounted_on(pair, holder)?;
    }
    // The daemon dies, and finds it.
    let from = now();
    kill_daemon(pair, holder)?;
    pair.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    mounted_on(pair, holder)?;
    // Somebody works in it, and a service that has a namespace of its own has a file open.
    pair.on(
        holder,
        &format!("echo 1 > {POINT}/record; sync {POINT}/record"),
    )?;
    let user = format!("exec 7<{POINT}/record; sleep 600");
    pair.on(
        holder,
        &format!("systemd-run --quiet --unit=lab-user --property=PrivateTmp=yes sh -c '{user}'"),
    )?;
    pair.on(
        holder,
        "systemd-run --quiet --unit=lab-other --property=PrivateTmp=yes sleep 600",
    )?;
    let from = now();
    pair.on(holder, "ha-appliance failover")?;
    let mut at = holder.peer();
    pair.moved(&browser, at, from, PLANNED)?;
    mounted_on(pair, at)?;
    ensure!(
        pair.on(at, &format!("cat {POINT}/record"))? == "1\n",
        "the record is lost"
    );
    ensure!(!pair.runs(holder, "lab-user")?, "the user lives");
    ensure!(pair.runs(holder, "lab-other")?, "somebody else was ended");
    pair.on(holder, "systemctl stop lab-other")?;
    // At a reboot the group is handed over before systemd unmounts anything.
    pair.reboot(at)?;
    at = at.peer();
    mounted_on(pair, at)?;
    pair.both_alive()?;
    let said = pair.on(at.peer(), "journalctl --boot=-1 --unit=ha-appliance --output=cat | grep -c 'unmounted by somebody'; true")?;
    ensure!(said.trim() == "0", "systemd unmounted it first");
    // What cannot be written to any more serves nobody here.
    let from = now();
    pair.on(
        at,
        &format!("mount -o remount,abort {POINT}; touch {POINT}/x; true"),
    )?;
    at = at.peer();
    pair.moved(&browser, at, from, Duration::from_secs(5))?;
    mounted_on(pair, at)?;
    pair.status(at, 1, "cannot be written to any more")?;
    pair.on(at.peer(), "ha-appliance clear")?;
    pair.status(at, 1, "a group that holds data needs fencing")?;
    // When systemd has given the daemon up, `release` unmounts it, from its own hardened unit.
    pair.node(at).edit("ha-appliance.service", "Restart=no")?;
    let asked = pair.kill(at, "ha-appliance")?;
    while is_mounted(pair, at)? {
        ensure!(
            sys::since(asked) < Duration::from_secs(20),
            "release left it mounted"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Returns when another runs in its place.
fn kill_daemon(pair: &mut Pair, host: Host) -> Outcome {
    let before = pair.node(host).main_pid("ha-appliance")?;
    let asked = pair.kill(host, "ha-appliance")?;
    while [Some(0), Some(before), None].contains(&pair.node(host).main_pid("ha-appliance").ok()) {
        ensure!(
            sys::since(asked) < Duration::from_secs(10),
            "the daemon is not restarted"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    pair.daemon_is_back(host)
}

/// On this node, for everybody there, and not on the other.
fn mounted_on(pair: &mut Pair, host: Host) -> Outcome {
    let asked = now();
    while (is_mounted(pair, host)?, is_mounted(pair, host.peer())?) != (true, false) {
        ensure!(
            sys::since(asked) < Duration::from_secs(20),
            "{POINT} is not mounted on {} alone",
            pair.net.name(host)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn is_mounted(pair: &mut Pair, host: Host) -> Outcome<bool> {
    let line = format!("grep -q ' {POINT} .* /dev/shared ' /proc/1/mountinfo");
    Ok(pair.node(host).try_run(&line)?.status.success())
}

/// One image, and a device on it for each machine: the kernel that both have would take one device for one disk of
/// one machine.
struct Disk(Vec<String>);

impl Disk {
    fn new() -> Outcome<Disk> {
        let image = sweep::directory(std::process::id()).join("disk");
        let image = image.display();
        printed(&format!("truncate -s 64M {image} && mkfs.ext4 -q {image}"))?;
        let mut disk = Disk(Vec::new());
        for _ in NODES {
            // Not remembered by either: what one writes the other reads.
            let device = printed(&format!("losetup --direct-io=on --find --show {image}"))?;
            disk.0.push(device.trim().to_owned());
        }
        Ok(disk)
    }

    /// From now on the scenario fails if both machines have it mounted at once, by the word of the kernel that both have.
    fn never_on_both(&self, pair: &Pair) {
        let name = |device: &String| device.replace("/dev/", "/proc/fs/ext4/");
        let mounted: Vec<PathBuf> = self.0.iter().map(|device| name(device).into()).collect();
        let record = pair.record.clone();
        // It ends with this process, which runs one scenario.
        std::thread::spawn(move || {
            while !mounted.iter().all(|path| path.exists()) {
                std::thread::sleep(Duration::from_millis(1));
            }
            record.violation("the disk is mounted on both nodes".into());
        });
    }

    /// From the next boot on as well.
    fn plug_in(&self, pair: &mut Pair, host: Host) -> Outcome {
        let device = &self.0[NODES.iter().position(|known| *known == host).unwrap_or(0)];
        let minor = device.trim_start_matches("/dev/loop");
        let unit = format!(
            "[Unit]\nBefore=ha-appliance.service\n[Service]\nType=oneshot\nExecStart=/bin/mknod /dev/shared b 7 {minor}\n\
             [Install]\nWantedBy=sysinit.target\n"
        );
        pair.node(host)
            .write("/etc/systemd/system/lab-disk.service", &unit)?;
        pair.on(host, "systemctl --quiet enable --now lab-disk")
            .map(drop)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for device in &self.0 {
            let _ = Command::new("losetup").args(["-d", device]).status();
        }
    }
}

fn printed(line: &str) -> Outcome<String> {
    let path = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";
    let output = Command::new("sh")
        .args(["-c", line])
        .env("PATH", path)
        .output()?;
    crate::system::printed("the lab", line, output)
}
