//! The agents against the real kernel: addresses, events, probes and pings between two network
//! namespaces that each test makes for itself. Needs root (namespaces, raw sockets) and `ip`.

mod addresses;
mod events;
mod namespaces;
mod probes;
