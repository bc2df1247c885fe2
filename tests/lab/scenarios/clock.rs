//! A clock that is set while a pair serves: only what is shown goes by it.

use super::nginx;
use crate::ensure;
use crate::lab::Outcome;
use crate::net::NODES;
use crate::sys::now;
use crate::vm::Vms;
use std::time::Duration;

/// Each node's clock goes an hour ahead and back again, before a move and after it.
pub fn steps(vms: &mut Vms) -> Outcome {
    let (holder, browser) = vms.up()?;
    let from = now();
    for host in NODES {
        for step in ["+1 hour", "-2 hours", "+1 hour"] {
            vms.on(host, &format!("date --set '{step}'"))?;
            std::thread::sleep(Duration::from_secs(3));
        }
    }
    vms.nothing_moved(holder, from)?;
    browser.noticed_nothing(from)?;
    vms.both_alive()?;
    let standby = holder.peer();
    vms.on(standby, "date --set '-1 hour'")?;
    let from = now();
    vms.on(holder, "ha-appliance failover web --yes")?;
    vms.moved(&browser, standby, from, Duration::from_secs(30))?;
    vms.runs_only_on(standby, nginx::UNIT)?;
    for host in NODES {
        let page = vms.on(host, "COLUMNS=1000 ha-appliance status || true")?;
        vms.note(page.clone());
        let told = vms.on(host, "ha-appliance history")?;
        vms.note(told);
        ensure!(
            !page.contains(" h "),
            "an hour is told that did not pass: {page}"
        );
    }
    vms.on(standby, "date --set '+1 hour'")?;
    vms.both_alive()
}
