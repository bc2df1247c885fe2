//! A machine's power by its BMC: IPMI 2.0 over LAN (RMCP+), as much of it as fencing needs.
//!
//! Nothing but an authenticated answer with the power bit clear is off. Only `00h` (power down) is ever sent:
//! cycle (`02h`) is accepted before the power is off, and reset (`03h`) starts a machine that was off.

mod console;
pub mod failure;
pub mod handshake;
pub mod packet;
pub mod suite;

use console::Console;
pub use failure::Failure;
use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use suite::Suite;

/// Where a BMC listens, and how to log in to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Where it listens; its port is 623.
    pub address: SocketAddr,
    /// At most 16 bytes.
    pub user: String,
    /// At most 20 bytes, whatever they are.
    pub password: Vec<u8>,
    /// The BMC's own key, at most 20 bytes, if it has one.
    pub kg: Option<Vec<u8>>,
    /// Operator is enough to switch power.
    pub privilege: Privilege,
    /// None: 17, and 3 if that is refused.
    pub suite: Option<Suite>,
}

/// A BMC, as it is known by now.
pub struct Bmc {
    account: Account,
    /// What worked last.
    known: Cell<Option<(Suite, bool)>>,
}

/// What a session may do at most (IPMI 2.0 table 22-35).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Reads.
    User = 2,
    /// Switches power.
    Operator = 3,
    /// Everything.
    Administrator = 4,
}

/// What a BMC says of its machine (Get Chassis Status, IPMI 2.0 table 28-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chassis {
    /// The power is on.
    pub on: bool,
    /// The power could not be switched.
    pub fault: bool,
    /// What the machine does when mains come back.
    pub restore: Restore,
    /// Its power was last cut because mains failed.
    pub mains_failed: bool,
}

/// What a machine does when mains come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// It stays off.
    Off,
    /// It is as it was before.
    Previous,
    /// It is switched on.
    On,
    /// The BMC does not know.
    Unknown,
}

/// How often the power is read while it is to change.
const POLL: Duration = Duration::from_millis(100);
/// A machine that is still off after so long is sent another `on`.
const AGAIN: Duration = Duration::from_secs(5);

impl Bmc {
    /// One with nothing known of it yet.
    pub fn new(account: Account) -> Bmc {
        Bmc {
            account,
            known: Cell::new(None),
        }
    }

    /// The cipher suite that worked last.
    pub fn spoken(&self) -> Option<Suite> {
        self.known.get().map(|(suite, _)| suite)
    }
}

/// A BMC that is asked again and again: the session stands between the questions.
pub struct Line<'a> {
    bmc: &'a Bmc,
    console: Option<Console<'a>>,
}

impl<'a> Line<'a> {
    /// Nobody is logged in yet.
    pub fn new(bmc: &'a Bmc) -> Line<'a> {
        Line { bmc, console: None }
    }

    /// Asks for the power.
    pub async fn status(&mut self, within: Duration) -> Result<Chassis, Failure> {
        let deadline = Instant::now() + within;
        let mut console = self.console(deadline).await?;
        let status = console.chassis().await;
        self.keep(console, &status).await;
        status
    }

    /// Orders the machine off, once: by that moment, or not at all. Whether it goes off only a later
    /// [`status`](Self::status) tells.
    pub async fn off(&mut self, by: Instant) -> Result<(), Failure> {
        let mut console = self.console(by).await?;
        let ordered = console.switch(Switch::Off).await;
        self.keep(console, &ordered).await;
        ordered
    }

    /// Switches the machine on, and reads that it is.
    pub async fn on(&mut self, within: Duration) -> Result<(), Failure> {
        let mut console = self.console(Instant::now() + within).await?;
        let there = switch_on(&mut console, within).await;
        self.keep(console, &there).await;
        there
    }

    /// Whether somebody is logged in.
    pub fn stands(&self) -> bool {
        self.console.is_some()
    }

    /// Logs out.
    pub async fn close(&mut self) {
        if let Some(console) = self.console.take() {
            console.close().await;
        }
    }

    async fn console(&mut self, deadline: Instant) -> Result<Console<'a>, Failure> {
        match self.console.take() {
            Some(mut console) => {
                console.again(deadline);
                Ok(console)
            }
            None => Console::open(self.bmc, deadline).await,
        }
    }

    /// A session in which something failed is not trusted with more.
    async fn keep<T>(&mut self, console: Console<'a>, came: &Result<T, Failure>) {
        match came {
            Ok(_) => self.console = Some(console),
            Err(_) => console.close().await,
        }
    }
}

async fn switch_on(console: &mut Console<'_>, within: Duration) -> Result<(), Failure> {
    let mut accepted: Option<Instant> = None;
    loop {
        let chassis = console.chassis().await?;
        if chassis.on {
            return Ok(());
        }
        if accepted.is_none_or(|at| Instant::now() >= at + AGAIN) {
            console.switch(Switch::On).await?;
            accepted = Some(Instant::now());
        }
        if Instant::now() + POLL >= console.deadline {
            return Err(Failure::Unchanged {
                after: within,
                fault: chassis.fault,
            });
        }
        smol::Timer::after(POLL).await;
    }
}

/// Chassis Control (IPMI 2.0 table 28-4). There is no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    Off = 0,
    On = 1,
}

impl Chassis {
    fn read(data: &[u8]) -> Option<Chassis> {
        let [power, last, ..] = data else { return None };
        Some(Chassis {
            on: power & 0x01 != 0,
            fault: power & 0x10 != 0,
            restore: match power >> 5 & 3 {
                0 => Restore::Off,
                1 => Restore::Previous,
                2 => Restore::On,
                _ => Restore::Unknown,
            },
            mains_failed: last & 0x01 != 0,
        })
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Privilege::User => "user",
            Privilege::Operator => "operator",
            Privilege::Administrator => "administrator",
        })
    }
}

impl fmt::Debug for Account {
    /// Without what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.address)
    }
}
