//! What changes or observes the kernel: addresses, probes, pings.

mod announce;
pub mod carrier;
pub mod check;
pub mod child;
pub mod device_name;
pub mod drbd;
pub mod executable;
pub mod fence;
mod frames;
pub mod host;
pub mod mount;
pub mod neighbour;
pub mod netlink;
pub mod packet;
pub mod ping;
pub mod program;
pub mod service;
pub(crate) mod sys;
pub mod trouble;
pub mod vip;
pub mod words;
