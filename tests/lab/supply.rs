//! A node's power as its BMC switches it, while a scenario does something else: everything that runs in its namespace
//! ends at once, and its ports fall silent. Given back, it is a machine in its firmware: what boots it is
//! [`Lab::power_on`](crate::lab::Lab::power_on).

use crate::bmc::Power;
use crate::net::{Host, Net};
use crate::record::Record;
use crate::sweep;
use crate::sys::kill;
use crate::watch::Watch;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One node's.
pub struct Supply {
    host: Host,
    net: Arc<Net>,
    watch: Arc<Watch>,
    record: Arc<Record>,
    on: AtomicBool,
}

impl Supply {
    /// Switched on.
    pub fn new(host: Host, net: &Arc<Net>, watch: &Arc<Watch>, record: &Arc<Record>) -> Supply {
        Supply {
            host,
            net: net.clone(),
            watch: watch.clone(),
            record: record.clone(),
            on: AtomicBool::new(true),
        }
    }
}

impl Supply {
    /// The power fails, of the machine alone: its BMC has its own.
    pub fn fails(&self) {
        self.off();
    }

    /// It is back, and the machine boots.
    pub fn returns(&self) {
        self.on.store(true, Ordering::SeqCst);
    }
}

impl Power for Supply {
    fn has_power(&self) -> bool {
        self.on.load(Ordering::SeqCst)
    }

    fn on(&self) -> io::Result<()> {
        let name = self.net.name(self.host);
        self.record.note(format!("the BMC gives {name} power"));
        self.on.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn off(&self) {
        if !self.on.swap(false, Ordering::SeqCst) {
            return;
        }
        let name = self.net.name(self.host);
        self.record.note(format!("{name} loses its power"));
        let silenced = self.net.silence(self.host);
        self.watch.power_cut(self.host);
        let netns = self.net.netns(self.host);
        let found = sweep::inside(&netns);
        found.iter().for_each(|&pid| kill(pid, libc::SIGKILL));
        // A frozen process dies of it only when thawed, and does nothing else then.
        if let Some(group) = sweep::cgroup(std::process::id(), self.host.tag()) {
            sweep::set_frozen(&group, false);
        }
        sweep::kill_in(&netns);
        if let Err(error) = silenced {
            self.record.violation(format!("{name} is not off: {error}"));
        }
    }

    fn directory(&self) -> PathBuf {
        sweep::directory(std::process::id()).join(self.host.tag())
    }
}
