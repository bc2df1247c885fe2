//! The deciding core: `step(now, event) -> actions`. No clock, socket, process or randomness in it.
#![forbid(unsafe_code)]
