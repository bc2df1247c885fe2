//! What makes sure from outside that a machine is off.

pub mod agent;
pub mod ipmi;
