//! What would be best now: it wishes, and cannot break the protocol, whatever it wishes.

pub(super) mod command;
pub(super) mod moves;
pub(super) mod wishes;
