//! The thin shell around the core: clock, sockets, signals, files, and the loop that feeds the core.

pub mod child;
pub mod clock;
pub mod daemon;
pub mod history;
pub mod lock;
pub mod log;
pub mod notify;
pub mod options;
pub mod orders;
pub mod signals;
pub mod state;
pub mod status;
mod sys;
#[cfg(test)]
mod testing;
