//! What must hold for any bytes, per kind of input.

mod aside;
mod config;
mod device;
mod disk;
mod kernel;
mod programs;
mod shell;
mod wire;

pub use aside::aside;
pub use config::{config, key};
pub use device::ipmi;
pub use disk::{history, pid, state, status};
pub use kernel::netlink;
pub use programs::{http, systemctl, words};
pub use shell::{order, supervisor};
#[allow(unused_imports)] // libFuzzer does not ask for `heard`
pub use wire::heard;
pub use wire::{arp, echo, heartbeat, ndp};

/// Panics where something does not hold.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const ALL: &[(&str, Target)] = &[
    ("heartbeat", heartbeat),
    ("arp", arp),
    ("ndp", ndp),
    ("echo", echo),
    ("netlink", netlink),
    ("config", config),
    ("key", key),
    ("state", state),
    ("status", status),
    ("history", history),
    ("pid", pid),
    ("aside", aside),
    ("order", order),
    ("supervisor", supervisor),
    ("systemctl", systemctl),
    ("http", http),
    ("words", words),
    ("ipmi", ipmi),
];
