//! What would be best for each group now: that it runs here, that the peer gets it, that it stops. The
//! protocol chooses nothing of that and allows only what is safe, whatever is wished here.

pub(super) mod command;
mod facts;
mod failures;
mod limiter;
mod plan;
mod refusal;
mod restarts;
pub(super) mod wishes;

pub use facts::Weight;
pub use plan::{Dictate, Plan};
