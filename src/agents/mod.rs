//! What changes or observes the kernel: addresses, probes, pings.

mod announce;
mod frames;
pub mod host;
pub mod neighbour;
pub mod netlink;
pub mod packet;
pub mod ping;
mod sys;
pub mod vip;
