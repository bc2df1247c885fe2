//! Services on a real systemd. They make units and restart systemd itself, so they are ignored unless
//! asked for, and refuse to run anywhere but in a container. Copy the binary into one, with nginx, and:
//! `systemd-HASH --ignored --test-threads=1 --nocapture`

mod bench;
mod notice;
mod operate;
mod settings;
mod trouble;
