//! What a step of DRBD's waits for, and looks at.

use super::super::fencing::{powered, protected};
use super::{APACHE, SHOT};
use crate::client::Client;
use crate::ensure;
use crate::lab::{Hardware, Outcome};
use crate::net::{Host, NODES};
use crate::status;
use crate::sys::{self, now};
use crate::system::System;
use crate::vm::{Vm, Vms};
use crate::writer::Writer;
use serde_json::Value;
use std::time::Duration;

/// Records are written, and acknowledged.
pub fn writes(vms: &mut Vms, holder: Host) -> Outcome<Writer> {
    let writer = Writer::start(&vms.net, "/cgi-bin/write");
    writer.acknowledged_after(now(), Vm::PATIENCE)?;
    vms.on(holder, "test -s /mnt/data/records")?;
    Ok(writer)
}

/// It serves, the page and what is written, and nothing runs on the other one.
pub fn serves(
    vms: &mut Vms,
    browser: &Client,
    holder: Host,
    writer: &Writer,
    from: sys::Micros,
    what: &'static str,
) -> Outcome {
    answers(vms, browser, holder, writer, from, what)?;
    match vms.node(holder.peer()).hardware.has_power() {
        true => vms.runs_only_on(holder, APACHE),
        false => Ok(()),
    }
}

/// It serves, the page and what is written.
pub fn answers(
    vms: &mut Vms,
    browser: &Client,
    holder: Host,
    writer: &Writer,
    from: sys::Micros,
    what: &'static str,
) -> Outcome {
    browser.answered(Some(holder), SHOT)?;
    writer.acknowledged_after(now(), SHOT)?;
    let stall = writer.stall(from);
    vms.record.figure(what, stall);
    vms.note(format!("{what}: the writer stood for {stall:?}"));
    Ok(())
}

/// Every acknowledged record is there.
pub fn ends(vms: &mut Vms, holder: Host, writer: &Writer) -> Outcome {
    let records = vms.on(holder, "cat /mnt/data/records")?;
    vms.note(format!("{} records were acknowledged", writer.count()));
    writer.check(&records)?;
    synced(vms)
}

/// Both nodes have all.
pub fn synced(vms: &mut Vms) -> Outcome {
    synced_within(vms, SHOT)
}

pub fn synced_within(vms: &mut Vms, limit: Duration) -> Outcome {
    for host in NODES {
        status::wait_until(vms.node(host), "synced", limit, |s| {
            let text = s.to_string();
            text.matches("ary, UpToDate").count() >= 2 && !text.contains("KiB differ")
        })?;
    }
    Ok(())
}

/// Waits until a node's status says that of its disk.
pub fn says(vms: &mut Vms, host: Host, words: &str, limit: Duration) -> Outcome {
    status::wait_until(vms.node(host), words, limit, |s| {
        s["groups"][0]["resources"][0].to_string().contains(words)
    })?;
    Ok(())
}

/// It is moved by hand, whatever comes of that.
pub fn failover(vms: &mut Vms, from: Host) -> Outcome<bool> {
    let told = vms.node(from).try_run("ha-appliance failover")?;
    vms.note(String::from_utf8_lossy(&told.stdout).into_owned());
    vms.note(String::from_utf8_lossy(&told.stderr).into_owned());
    Ok(told.status.success())
}

/// Waits until DRBD's I/O waits there, as DRBD itself says.
pub fn frozen(vms: &mut Vms, host: Host) -> Outcome {
    let asked = now();
    let look = "drbdsetup events2 --now r0";
    while !vms.on(host, look)?.contains("suspended:fencing") {
        ensure!(sys::since(asked) < SHOT, "its I/O is not frozen");
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Its data may be old, or is, by that status.
pub fn is_told_why(status: &Value) -> bool {
    let resource = status["groups"][0]["resources"][0].to_string();
    let all = status.to_string();
    (all.contains("whether pm-test") || all.contains("older than"))
        && !resource.contains("Primary,")
}

/// It is not promoted there, and its status says why.
pub fn stays_down(vms: &mut Vms, host: Host, lasts: Duration) -> Outcome {
    status::wait_until(vms.node(host), "why not", SHOT, is_told_why)?;
    let began = now();
    while sys::since(began) < lasts {
        let role = vms.on(host, "drbdadm role r0")?;
        ensure!(role.starts_with("Secondary"), "it is {role}");
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// A machine that has power again boots, is the standby, and is synced.
pub fn returns(vms: &mut Vms, host: Host) -> Outcome {
    powered(vms, host)?;
    vms.node(host).booted()?;
    vms.daemon_is_back(host)?;
    protected(vms)?;
    synced(vms)?;
    vms.runs_only_on(host.peer(), APACHE)
}
