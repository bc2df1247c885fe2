//! The deciding core: `step(now, event) -> actions`. No clock, socket, process or randomness in it.
#![forbid(unsafe_code)]

pub mod event;
pub mod gateway;
pub mod peer;
pub mod reason;
pub mod record;
pub mod setup;
pub mod time;
pub mod view;
