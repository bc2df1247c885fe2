//! Who may run a group, and what proves it: what the exhaustive search proves.

pub mod clearance;
pub(super) mod memory;
pub mod peer;
pub mod record;
pub(super) mod token;
