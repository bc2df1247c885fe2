//! The daemon's only ear for its operator: signals, read as data from a signalfd.
//!
//! | signal           | means                               |
//! |------------------|-------------------------------------|
//! | SIGRTMIN         | an [`Order`] of a subcommand        |
//! | SIGHUP           | read ha.toml again                  |
//! | SIGTERM, SIGINT  | hand over, say goodbye, end         |
//! | SIGUSR1          | hand over every group               |
//! | SIGUSR2          | standby of this node                |
//!
//! Who may send them is the kernel's decision; the sender's pid and uid in the signal can be forged
//! by those who may, so they are told to people and decide nothing. A signalfd gives the lowest signal number first,
//! not the oldest; real-time signals of one number keep their order, and none is lost below
//! RLIMIT_SIGPENDING (the sender is told EAGAIN).

use super::orders::{Order, UnknownVerb};
use crate::sys;
pub use crate::sys::Sender;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What the operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// An order of a subcommand; Err: one that this version does not know, to be refused.
    Order(Result<Order, UnknownVerb>),
    /// Read ha.toml again.
    Reload,
    /// Hand everything over, say goodbye, and end.
    Leave,
    /// Hand every group over.
    HandOver,
    /// Standby of this node.
    StandbyHere,
}

/// The signals of this process, as a stream.
#[derive(Debug)]
pub struct SignalSource {
    fd: OwnedFd,
}

impl SignalSource {
    /// Blocks the signals in this thread and all that it starts later: call it first thing, while
    /// there is only one thread, and before the lock is taken, whose holder is sent orders (an
    /// unblocked real-time signal kills). SIGPIPE is ignored from here on.
    pub fn block() -> io::Result<SignalSource> {
        sys::ignore_sigpipe();
        let fd = sys::signalfd(&[
            order_signal(),
            libc::SIGHUP,
            libc::SIGTERM,
            libc::SIGINT,
            libc::SIGUSR1,
            libc::SIGUSR2,
        ])?;
        Ok(SignalSource { fd })
    }

    /// Readable when [`Self::try_next`] has something.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The next signal that is already here.
    pub fn try_next(&self) -> Option<Signal> {
        self.try_next_from().map(|(signal, _)| signal)
    }

    /// The same, with who sent it by his own account.
    pub fn try_next_from(&self) -> Option<(Signal, Sender)> {
        loop {
            match sys::signalfd_read(&self.fd) {
                Ok((signo, code, value, sender)) => {
                    if let Some(signal) = meaning(signo, code, value) {
                        return Some((signal, sender));
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }
}

/// The signal that carries orders. Libraries keep the first real-time signals for themselves, glibc
/// two and musl three: so another build of this program may have another number, and the daemon
/// tells its own in status.json.
pub fn order_signal() -> i32 {
    libc::SIGRTMIN()
}

/// Whether a number from status.json can be that of orders: a real-time signal of the kernel, which
/// numbers them from 32 to 64. Any other may kill.
pub fn is_order_signal(number: i32) -> bool {
    (32..=64).contains(&number)
}

fn meaning(signo: i32, code: i32, value: u32) -> Option<Signal> {
    match signo {
        libc::SIGHUP => Some(Signal::Reload),
        libc::SIGTERM | libc::SIGINT => Some(Signal::Leave),
        libc::SIGUSR1 => Some(Signal::HandOver),
        libc::SIGUSR2 => Some(Signal::StandbyHere),
        // A plain `kill` of that number carries no order.
        _ if signo == order_signal() && code == libc::SI_QUEUE => {
            Some(Signal::Order(Order::decode(value)))
        }
        _ => {
            log::debug!("stray signal {signo} (code {code}) ignored");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::lock::{Holder, PidLock};
    use crate::shell::orders::{Generation, Verb};
    use crate::testing::{TestDir, child, in_child, ready, wait_until};
    use std::path::Path;
    use std::process::Command;

    #[test]
    fn orders_arrive_through_the_lock_holders_pidfd() {
        let dir = TestDir::new();
        let daemon = in_child("shell::signals::tests::child_writes_down_its_signals", &dir);
        let holder = Holder::find(&dir).unwrap().expect("held");
        let order = Order {
            verb: Verb::Failover,
            group: Some(3),
            generation: Generation::of(5),
            number: 4711,
        };
        for number in [1, 2, 3] {
            holder
                .queue(order_signal(), Order { number, ..order }.encode())
                .unwrap();
        }
        holder.queue(order_signal(), u32::MAX).unwrap();
        // Carries no order, and must neither kill nor count.
        kill(&order_signal().to_string(), daemon.pid());
        wait_until(|| heard(&dir).lines().count() == 4);
        // One after the other: a signalfd sorts by number.
        for (n, name) in ["HUP", "USR1", "USR2", "INT", "TERM"]
            .into_iter()
            .enumerate()
        {
            kill(name, daemon.pid());
            wait_until(|| heard(&dir).lines().count() == 5 + n);
        }
        wait_until(|| holder.ended());
        let expected: String = [1, 2, 3]
            .map(|number| Signal::Order(Ok(Order { number, ..order })))
            .into_iter()
            .chain([Signal::Order(Err(UnknownVerb(31, 65535)))])
            .chain([
                Signal::Reload,
                Signal::HandOver,
                Signal::StandbyHere,
                Signal::Leave,
                Signal::Leave,
            ])
            .map(|s| format!("{s:?}\n"))
            .collect();
        assert_eq!(heard(&dir), expected);
    }

    fn kill(name: &str, pid: i32) {
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid.to_string()])
                .status()
                .unwrap()
                .success()
        );
    }

    fn heard(dir: &Path) -> String {
        std::fs::read_to_string(dir.join("heard")).unwrap_or_default()
    }

    /// Runs in a process of its own; see `in_child`.
    #[test]
    #[ignore = "helper of orders_arrive_through_the_lock_holders_pidfd"]
    fn child_writes_down_its_signals() {
        child(|dir| {
            let signals = SignalSource::block().unwrap();
            let _lock = PidLock::acquire(dir).unwrap();
            ready(dir);
            let mut text = String::new();
            while text.matches("Leave").count() < 2 {
                std::thread::sleep(std::time::Duration::from_millis(5));
                while let Some(signal) = signals.try_next() {
                    text += &format!("{signal:?}\n");
                }
                std::fs::write(dir.join("heard"), &text).unwrap();
            }
        });
    }
}
