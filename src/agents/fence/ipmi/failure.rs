//! What can be wrong between a BMC and its console, each in words of its own.

use super::suite::Suite;
use std::fmt;
use std::io;
use std::time::Duration;

/// Why a BMC did not do, or say, what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// Not a single answer.
    NoReply,
    /// It answered, and then no more.
    Silent {
        /// What was asked last.
        asked: &'static str,
    },
    /// All its sessions are taken (RMCP+ status 01h); idle ones end after a minute.
    NoFreeSession,
    /// It does not take the cipher suite, by this RMCP+ status (04h, 05h, 10h, 11h).
    Suite(Suite, u8),
    /// It does not take the privilege for this user (RMCP+ status 09h, 0Ah; completion code 81h).
    Role(u8),
    /// It knows no such user (RMCP+ status 0Dh).
    Name,
    /// What it proves of the password is not what this password gives.
    Password {
        /// The one that is configured has more than the 16 bytes that some keep.
        long: bool,
    },
    /// The user may not do that (completion code D4h).
    Privilege,
    /// Any other RMCP+ status while a session was set up.
    Session {
        /// At which message.
        at: &'static str,
        /// The status (IPMI 2.0 table 13-15).
        status: u8,
    },
    /// It answered a command with this completion code.
    Refused {
        /// The command.
        command: &'static str,
        /// The code (IPMI 2.0 table 5-2).
        code: u8,
    },
    /// It accepted to switch the machine on, and that is off.
    Unchanged {
        /// For so long.
        after: Duration,
        /// The power control fault bit was set in the last answer.
        fault: bool,
    },
    /// This machine could not ask.
    Io(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NoReply => write!(
                f,
                "no reply: is it IPMI over LAN, switched on, and reached on this network?"
            ),
            Failure::Silent { asked } => write!(f, "it answered, and then not to {asked}"),
            Failure::NoFreeSession => write!(
                f,
                "no free session (01h): others hold them all; idle ones end after a minute"
            ),
            Failure::Suite(suite, status) => {
                write!(f, "it refuses cipher suite {suite} ({status:02x}h)")
            }
            Failure::Role(status) => write!(
                f,
                "it refuses the privilege for this user ({status:02x}h): raise the user's, or set `privilege`"
            ),
            Failure::Name => write!(f, "it knows no such user (0dh)"),
            Failure::Password { long: false } => write!(f, "wrong password"),
            Failure::Password { long: true } => write!(
                f,
                "wrong password; it has more than 16 bytes: was it set for 16 on the BMC?"
            ),
            Failure::Privilege => write!(
                f,
                "the user may not switch power (d4h): it needs the privilege operator"
            ),
            Failure::Session { at, status } => {
                write!(f, "no session: {at} was answered with status {status:02x}h")
            }
            Failure::Refused { command, code } => {
                write!(f, "{command} was refused with {code:02x}h")
            }
            Failure::Unchanged { after, fault } => {
                let fault = if *fault { ", with a power fault" } else { "" };
                let after = after.as_secs_f64();
                write!(f, "accepted, but it is not on after {after:.0} s{fault}")
            }
            Failure::Io(error) => write!(f, "it cannot be asked from here: {error}"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}
