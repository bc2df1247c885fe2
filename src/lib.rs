//! Keeps a group of resources running on exactly one of two Linux nodes.
//!
//! Data goes left to right; the only way back is an event:
//!
//! ```text
//! socket ─► wire ──┐
//! signal ──────────┼─► Event ─► core::Node::step(now, event) ─► Actions ─► agents ─► kernel
//! deadline ────────┘      ▲                                        │
//!                         └──────────── Event::Finished ◄──────────┘
//! ```
//!
//! `core` decides and does nothing else; `id` is what things are known by in all of it; `wire` turns bytes into values;
//! `words` says it to people; `shell` reads clocks and
//! sockets and runs the loop; `agents` change the kernel; `config` reads ha.toml; `cli` is what an
//! operator types.

pub mod agents;
pub mod cli;
pub mod config;
pub mod core;
pub mod id;
pub mod shell;
mod sys;
#[cfg(test)]
mod testing;
pub mod wire;
mod words;
