//! The thin shell around the core: clock, sockets, signals, files, and the loop that feeds the core.

pub mod aside;
pub mod assembly;
pub mod carriers;
pub mod clock;
pub mod daemon;
pub mod doctor;
pub mod duplicates;
pub mod edges;
pub mod history;
pub mod identity;
pub mod lock;
pub mod log;
pub mod lookout;
pub mod machine;
pub mod marks;
pub mod network;
pub mod notify;
pub mod options;
pub mod orders;
pub mod paths;
mod patience;
mod readiness;
pub mod ready;

pub mod realtime;
pub mod refused;
pub mod services;
pub mod signals;
pub mod state;
pub mod status;
pub mod supervisor;
mod tidings;
pub mod vips;
pub mod ways;
mod who;
mod zone;
