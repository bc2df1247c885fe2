//! Bytes to values and back: the heartbeat, and the three protocols a takeover speaks.
#![forbid(unsafe_code)]

pub mod heartbeat;
