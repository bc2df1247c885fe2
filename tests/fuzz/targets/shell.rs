//! What whoever may signal the daemon, and whoever starts it, hands in.

use ha_appliance::core::event::Command;
use ha_appliance::core::time::Time;
use ha_appliance::id::GroupId;
use ha_appliance::shell::orders::{Deed, Generation, Order};
use ha_appliance::shell::supervisor::Supervisor;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// A payload, the generation in force and the number of groups: no order hits a group that is not
/// there or of another generation, and what is read is what was written.
pub fn order(bytes: &[u8]) {
    let [a, b, c, d, generation, groups, ..] = *bytes else {
        return;
    };
    let payload = u32::from_be_bytes([a, b, c, d]);
    let Ok(order) = Order::decode(payload) else {
        return;
    };
    assert_eq!(order.encode(), payload);
    let current = Generation::of(generation.into());
    let groups: Vec<GroupId> = (0..groups.into()).map(GroupId).collect();
    let hit = match order.deed(current, &groups) {
        Ok(Deed::Core(Command::Failover(group) | Command::Clear(group))) => group,
        Ok(Deed::Core(Command::Stopped(group, _))) => Some(group),
        Ok(_) => None,
        Err(why) => return assert!(!why.is_empty()),
    };
    if let Some(group) = hit {
        let wanted = groups[usize::from(order.group.expect("it names one"))];
        assert!(group == wanted && order.generation == current);
    }
}

/// NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, a line each; the socket `real` is one. After a sign
/// of life none is due at the same moment, or the loop would spin.
pub fn supervisor(bytes: &[u8]) {
    let mut lines = bytes
        .splitn(3, |byte| *byte == b'\n')
        .map(OsStr::from_bytes);
    let name = format!(
        "ha-appliance-fuzz-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    );
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _heard = UnixDatagram::bind_addr(&address).unwrap();
    let socket = lines.next().map(|line| match line.as_bytes() {
        b"real" => format!("@{name}").into(),
        // Not one of this machine.
        other => OsStr::from_bytes(other).to_owned(),
    });
    let socket = socket.filter(|name| name.as_bytes().first() != Some(&b'/'));
    let usec = lines.next().map(Into::into);
    let pid = lines.next().filter(|pid| !pid.is_empty()).map(Into::into);
    let mut supervisor = Supervisor::new(socket, usec, pid);
    let now = Time(14_390_950_954);
    supervisor.alive(now);
    assert!(supervisor.deadline().is_none_or(|due| due > now));
}
