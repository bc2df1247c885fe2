//! The thin shell around the core: clock, sockets, signals, files, and the loop that feeds the core.

pub mod child;
pub mod clock;
pub mod daemon;
pub mod lock;
pub mod options;
pub mod orders;
pub mod signals;
pub mod state;
mod sys;
#[cfg(test)]
mod testing;
