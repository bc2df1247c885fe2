//! Bytes to values and back: the heartbeat, and the three protocols a takeover speaks.
#![forbid(unsafe_code)]

pub mod arp;
pub mod ethernet;
pub mod heartbeat;
pub mod icmp;
pub mod ndp;
