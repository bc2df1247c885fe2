//! What changes or observes the kernel: addresses, probes, pings.

pub mod host;
pub mod netlink;
mod sys;
