//! README.md, followed to the letter on two boxes that know nothing of the appliance.

use crate::ensure;
use crate::lab::Outcome;
use crate::net::{Host, NODES};
use crate::pair::Pair;
use crate::readme;
use crate::scenario::{Run::Machines, Scenario};
use crate::sys::{self, now};
use crate::topology::README;
use std::time::Duration;

pub const ALL: &[Scenario] = &[Scenario {
    name: "quick-start",
    shows: "README.md, followed to the letter: installed, serving, upgraded, uninstalled",
    run: Machines(&README, quick_start),
    limit: (90, 90),
}];

const BEGIN: &str = "Two boxes in five minutes";
const UNIT: &str = "nginx.service";

fn quick_start(pair: &mut Pair) -> Outcome {
    readme::prepare(pair)?;
    let from = now();
    let mut printed = Vec::new();
    for step in readme::steps(BEGIN)? {
        printed.push(readme::follow(pair, &step)?);
    }
    pair.record.figure("served after", sys::since(from));
    let (holder, browser) = pair.up_with("/")?;
    let page = printed.pop().unwrap_or_default();
    ensure!(
        page.contains(pair.net.name(holder)),
        "the page says {page:?}"
    );
    pair.runs_only_on(holder, UNIT)?;
    // What README shows of it is what it prints.
    ensure!(holder == Host::A, "README.md tells of lb1");
    let check = pair.on(holder, "ha-appliance check")?;
    let shown = readme::samples(BEGIN, "ha-appliance check")?;
    ensure!(
        shown.len() == 1 && check.contains(shown[0].trim_end()),
        "README.md shows:\n{shown:?}\nbut it prints:\n{check}"
    );
    let [well, silent] = &readme::samples("Every day", "ha-appliance status")?[..] else {
        return Err("README.md shows another number of status pages".into());
    };
    // The probe of the peer that the page would miss, and the first check, take a moment.
    std::thread::sleep(Duration::from_secs(3));
    readme::alike(well, &pair.status(holder, 0, "check good")?)?;
    pair.power_cut(holder)?;
    let holder = holder.peer();
    browser.answered(Some(holder), Duration::from_secs(5))?;
    std::thread::sleep(Duration::from_secs(3));
    readme::alike(silent, &pair.status(holder, 1, "check good")?)?;
    let history = "ha-appliance history --lines 5";
    let [shown] = &readme::samples("Every day", history)?[..] else {
        return Err("README.md shows another number of histories".into());
    };
    readme::alike(shown, &pair.on(holder, history)?)?;
    pair.power_on(holder.peer())?;
    pair.both_alive()?;

    let before = pair.node(holder).main_pid(UNIT)?;
    let from = now();
    for step in readme::steps("Upgrade")? {
        readme::follow(pair, &step)?;
    }
    pair.status(holder, 0, "all well")?;
    pair.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    ensure!(
        pair.node(holder).main_pid(UNIT)? == before,
        "nginx was restarted"
    );

    for step in readme::steps("Uninstall")? {
        readme::follow(pair, &step)?;
    }
    for host in NODES {
        ensure!(!pair.runs(host, UNIT)?, "nginx still runs");
        let left = "ls -d /etc/ha-appliance /var/lib/ha-appliance /run/ha-appliance /run/systemd/system/*.d \
             /usr/local/sbin/ha-appliance /etc/systemd/system/ha-appliance* 2>/dev/null || true";
        let left = pair.on(host, left)?;
        ensure!(left.is_empty(), "the uninstaller left {left}");
        let shown = pair.on(
            host,
            "systemctl show --property=Description,UnitFileState nginx",
        )?;
        ensure!(
            shown.contains("UnitFileState=enabled") && !shown.contains("Cluster"),
            "nginx is left as {shown}"
        );
    }
    ensure!(
        pair.watch.holders(README.vip).is_empty(),
        "somebody holds the VIP"
    );
    Ok(())
}
