//! The deciding core: `step(now, event) -> actions`. No clock, socket, process or randomness in it.
#![forbid(unsafe_code)]

pub mod canonical;
pub mod clearance;
mod command;
pub mod event;
pub mod gateway;
pub mod group;
mod memory;
mod moves;
pub mod node;
pub mod peer;
pub mod reason;
pub mod record;
pub mod setup;
pub mod time;
mod token;
pub mod view;
mod wishes;

pub use event::{Action, Event};
pub use node::Node;
