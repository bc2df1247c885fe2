//! DRBD, by its own tools: its configuration, its state, and what may be done with its data.

pub mod around;
pub mod copies;
pub mod dump;
pub mod events;
pub mod follow;
pub mod judge;
pub mod meeting;
pub mod progress;
pub mod standing;
pub mod tools;

pub use crate::agents::device_name::is_kernels_name;
