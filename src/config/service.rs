//! What a `[[group.resource]]` of kind `service` means, as values.

mod check;
mod read;
mod unit;
mod url;
mod warn;

pub(super) use read::service;
pub(super) use unit::needed;
pub(super) use warn::warn;

use crate::agents::program::Program;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// A systemd unit that the pair keeps running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The unit's full name, such as `nginx.service` or `php-fpm@8.2.service`. Unique in the file.
    pub unit: String,
    /// On how many nodes it runs.
    pub mode: Mode,
    /// How it is found out whether a running process serves; none: its life is enough.
    pub check: Option<Check>,
    /// How often a failure is answered by a restart in place, within [`window`](Self::window), before
    /// the group moves.
    pub restarts: u32,
    /// The span in which restarts in place are counted.
    pub window: Duration,
    /// How long a failure counts against the node it happened on; none: until `clear`.
    pub fail_expiry: Option<Duration>,
    /// How long a start may take.
    pub start_timeout: Duration,
    /// How long a stop may take before the unit is killed.
    pub stop_timeout: Duration,
}

impl Service {
    /// One restart in place: a crash is cured by it quicker than by a move.
    pub const RESTARTS: u32 = 1;
    /// See [`Service::window`].
    pub const WINDOW: Duration = Duration::from_secs(600);
    /// See [`Service::fail_expiry`].
    pub const FAIL_EXPIRY: Duration = Duration::from_secs(3600);
    /// Above what a common service takes to start; a database that recovers needs more.
    pub const START_TIMEOUT: Duration = Duration::from_secs(60);
    /// See [`Service::stop_timeout`].
    pub const STOP_TIMEOUT: Duration = Duration::from_secs(60);
    /// The most restarts in place per window.
    pub const MAX_RESTARTS: u32 = 100;
}

/// On how many nodes a service runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// On the node that runs the group; stopped on the other, even if it is enabled there.
    #[default]
    One,
    /// On both nodes, whoever runs the group; never stopped. Its health says where the group may run.
    Both,
}

/// How it is found out whether a running service serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is asked.
    pub probe: Probe,
    /// How often, counted from one start to the next.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How many failures in a row mean that the service failed.
    pub failures: u32,
}

impl Check {
    /// See [`Check::interval`].
    pub const INTERVAL: Duration = Duration::from_secs(2);
    /// See [`Check::timeout`].
    pub const TIMEOUT: Duration = Duration::from_secs(1);
    /// See [`Check::failures`].
    pub const FAILURES: u32 = 2;
}

/// What a check asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// `GET` by HTTP/1.1: any 2xx or 3xx status is good unless one is named.
    Http {
        /// Where to connect: the URL's host is an IP address or `localhost`.
        address: SocketAddr,
        /// The URL's host and port as written, for the `Host` header.
        host: String,
        /// The URL's path and query, at least `/`.
        path: String,
        /// The only status that is good.
        status: Option<u16>,
        /// What the first 64 KiB of the body must contain.
        body: Option<String>,
    },
    /// A TCP connection must be accepted.
    Tcp(SocketAddr),
    /// A program (by its full path, with arguments) must exit with 0.
    Exec(Program),
}

impl fmt::Display for Probe {
    /// Where it asks, as ha.toml writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Probe::Http { host, path, .. } => write!(f, "http://{host}{path}"),
            Probe::Tcp(address) => write!(f, "{address} by TCP"),
            Probe::Exec(program) => {
                f.write_str(&program.words.join(" "))?;
                match &program.user {
                    Some(user) => write!(f, " as {user}"),
                    None => Ok(()),
                }
            }
        }
    }
}
