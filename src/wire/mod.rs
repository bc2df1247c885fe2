//! Bytes to values and back: the heartbeat, and the three protocols a takeover speaks.
//!
//! [`heartbeat`] is the vocabulary, [`codec`] its frame, `tlv` the part of it that may grow, [`aside`]
//! what the shells say to each other beside it, [`key`] who may speak at all. [`arp`] and [`ndp`]
//! announce and probe addresses on the local network, [`icmp`] asks gateways. Everything here is a
//! function of its arguments, and what arrives from outside becomes a value or nothing: no input
//! makes these functions panic.
#![forbid(unsafe_code)]

pub mod arp;
pub mod aside;
pub mod codec;
pub mod ethernet;
pub mod heartbeat;
pub mod icmp;
pub mod key;
pub mod ndp;
mod reader;
mod tlv;

pub use codec::{Reject, decode, decode_with, encode, encode_with};
pub use key::Keyring;
