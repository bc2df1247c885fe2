//! Who may run a group, and what proves it: what the exhaustive search proves.

mod canonical;
pub mod clearance;
pub mod coverage;
pub mod events;
pub mod evidence;
pub mod fencing;
pub mod group;
pub mod isolation;
mod judge;
mod lifetime;
pub(super) mod memory;
pub mod peer;
pub mod reach;
pub mod record;
pub mod resource;
pub mod rhythm;
pub mod right;
mod sequence;
pub mod takes;
mod tell;
pub(super) mod token;
mod transition;
