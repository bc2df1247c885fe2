//! Giving the daemon an order and waiting for its answer.
//!
//! The daemon is found by its lock, is told by a real-time signal, and answers in status.json.

use super::consent::Cost;
use super::exit::Exit;
use super::out::{fail, print};
use crate::core::time::Time;
use crate::shell::clock;
use crate::shell::lock::Holder;
use crate::shell::options::Options;
use crate::shell::orders::{Generation, MAX_GROUP, Order, Verb};
use crate::shell::signals::is_order_signal;
use crate::shell::status::{self, Answer, Reading, Status};
use crate::wire::heartbeat::Side;
use std::io::{self, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

/// What an order is about.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// Both nodes.
    Pair,
    /// This group.
    Group(String),
    /// This group, or all.
    AnyGroup(Option<String>),
    /// The group that has this DRBD resource.
    Drbd(String),
    /// This node, by name; None: the one where we are.
    Node(Option<String>),
    /// The other node, by name.
    Peer(String),
}

/// Gives the order, waits for the answer, prints it.
pub(super) fn give(options: &Options, target: Target, verb: impl Fn(Side) -> Verb) -> Exit {
    give_if(options, target, verb, true, |_, _| None)
}

/// The same as [`give_if`], to have the group, or all, run on that node.
pub(super) fn give_to(
    options: &Options,
    group: Option<String>,
    node: String,
    yes: bool,
    cost: impl Fn(&Status, Time) -> Option<Cost>,
) -> Exit {
    let (holder, status) = match daemon(options) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let aimed = aim(&status, &Target::Node(Some(node)))
        .and_then(|(side, _)| Ok((side, aim(&status, &Target::AnyGroup(group))?.1)));
    let (side, group) = match aimed {
        Ok(aimed) => aimed,
        Err(why) => return fail(Exit::Refused, why),
    };
    match consented(&status, yes, cost) {
        Ok(()) => order(options, &holder, &status, Verb::move_to(side), group),
        Err(why) => fail(Exit::Refused, why),
    }
}

/// What it costs was said, and is meant.
fn consented(
    status: &Status,
    yes: bool,
    cost: impl Fn(&Status, Time) -> Option<Cost>,
) -> Result<(), String> {
    cost(status, clock::now()).map_or(Ok(()), |cost| cost.consented(yes))
}

/// The same for what may cost something: then only with `yes`, or if the operator says so when asked.
pub(super) fn give_if(
    options: &Options,
    target: Target,
    verb: impl Fn(Side) -> Verb,
    yes: bool,
    cost: impl Fn(&Status, Time) -> Option<Cost>,
) -> Exit {
    let (holder, status) = match daemon(options) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let (side, group) = match aim(&status, &target) {
        Ok(aim) => aim,
        Err(why) => return fail(Exit::Refused, why),
    };
    match consented(&status, yes, cost) {
        Ok(()) => order(options, &holder, &status, verb(side), group),
        Err(why) => fail(Exit::Refused, why),
    }
}

/// Gives an order that is about both nodes and changes nothing, and gives its answer; Err: why there is none.
pub(super) fn ask(options: &Options, verb: Verb) -> Result<String, String> {
    let (holder, status) = daemon(options).map_err(|_| "this node's daemon does not answer")?;
    match sent(options, &holder, &status, verb, None) {
        Ok(Answer {
            accepted: true,
            text,
            ..
        }) => Ok(text),
        Ok(Answer { text, .. }) | Err((_, text)) => Err(text),
    }
}

fn order(
    options: &Options,
    holder: &Holder,
    status: &Status,
    verb: Verb,
    group: Option<u8>,
) -> Exit {
    match sent(options, holder, status, verb, group) {
        Ok(Answer {
            accepted: true,
            text,
            ..
        }) => print(&format!("{text}\n")),
        Ok(Answer { text, .. }) => fail(Exit::Refused, text),
        Err((exit, why)) => fail(exit, why),
    }
}

/// Sends it and waits for the answer. Err: why there is none, with the exit code.
pub(super) fn sent(
    options: &Options,
    holder: &Holder,
    status: &Status,
    verb: Verb,
    group: Option<u8>,
) -> Result<Answer, (Exit, String)> {
    let number = fresh_number(status).map_err(|e| {
        let why = format!("no random number from the kernel: {e}");
        (Exit::Refused, why)
    })?;
    let order = Order {
        verb,
        group,
        generation: Generation::of(status.daemon.generation),
        number,
    };
    let signal = status.daemon.order_signal;
    if !is_order_signal(signal) {
        let why = format!("the daemon's status names signal {signal} for orders, which cannot be");
        return Err((Exit::NoDaemon, why));
    }
    if let Err(e) = holder.queue(signal, order.encode()) {
        return Err(cannot_signal(holder, &e));
    }
    answer(options, holder, number).map_err(|why| (Exit::NoDaemon, format!("{why}\n{LOOK}")))
}

/// The daemon, if it is there and well. One that has only just started gets a moment.
fn daemon(options: &Options) -> Result<(Holder, Box<Status>), Exit> {
    let start = Instant::now();
    loop {
        match status::read(&options.run_dir) {
            Ok(Reading::Fresh(Some(holder), status)) => return Ok((holder, status)),
            Ok(Reading::Fresh(None, _)) => return Err(fail(Exit::Refused, NOT_YOURS)),
            Ok(Reading::NotResponding { .. }) if start.elapsed() < MOMENT => {
                std::thread::sleep(POLL)
            }
            Ok(absent) => {
                return Err(fail(
                    Exit::NoDaemon,
                    status::render_absent(&absent, &options.run_dir).trim_end(),
                ));
            }
            Err(e) => return Err(fail(Exit::NoDaemon, e)),
        }
    }
}

/// The side and the group's index that the target means in this status.
fn aim(status: &Status, target: &Target) -> Result<(Side, Option<u8>), String> {
    let (here, there) = status.here_and_there();
    let side = |index| {
        if index == 0 {
            Side::First
        } else {
            Side::Second
        }
    };
    let node = |name: &String| {
        status
            .nodes
            .iter()
            .position(|n| n.name == *name)
            .ok_or_else(|| {
                let known: Vec<&str> = status.nodes.iter().map(|n| n.name.as_str()).collect();
                format!(
                    "there is no node `{name}`; the nodes are {}",
                    known.join(" and ")
                )
            })
    };
    match target {
        Target::Pair | Target::AnyGroup(None) | Target::Node(None) => Ok((side(here), None)),
        Target::Group(name) | Target::AnyGroup(Some(name)) => match status.group(name) {
            Some(index) if index <= usize::from(MAX_GROUP) => Ok((side(here), Some(index as u8))),
            _ => {
                let known: Vec<&str> = status.groups.iter().map(|g| g.name.as_str()).collect();
                Err(format!(
                    "the daemon runs no group `{name}`; its groups are: {} (after editing ha.toml: `ha-appliance reload`)",
                    known.join(", ")
                ))
            }
        },
        Target::Drbd(resource) => match status.drbd(resource) {
            Some((index, _)) if index <= usize::from(MAX_GROUP) => {
                Ok((side(here), Some(index as u8)))
            }
            _ => Err(format!("no group has a DRBD resource `{resource}`")),
        },
        Target::Node(Some(name)) => Ok((side(node(name)?), None)),
        Target::Peer(name) => match node(name)? {
            index if index == there => Ok((side(index), None)),
            _ => Err(format!(
                "{name} is this very node; the peer is {}",
                status.peer_name()
            )),
        },
    }
}

/// A number that no remembered request has; not 0, under which the daemon files what plain signals ask.
fn fresh_number(status: &Status) -> io::Result<u16> {
    let mut random = std::fs::File::open("/dev/urandom")?;
    loop {
        let mut bytes = [0; 2];
        random.read_exact(&mut bytes)?;
        let number = u16::from_ne_bytes(bytes);
        if number != 0 && status.answers.iter().all(|a| a.number != number) {
            return Ok(number);
        }
    }
}

fn cannot_signal(holder: &Holder, error: &io::Error) -> (Exit, String) {
    match error.raw_os_error() {
        Some(libc::EPERM) => (Exit::Refused, NOT_YOURS.into()),
        Some(libc::ESRCH) => (
            Exit::NoDaemon,
            format!("the daemon (process {}) has just ended\n{LOOK}", holder.pid),
        ),
        Some(libc::EAGAIN) => (
            Exit::NoDaemon,
            format!(
                "the daemon (process {}) has too many unread signals: it does not respond\n{LOOK}",
                holder.pid
            ),
        ),
        _ => (
            Exit::Refused,
            format!(
                "the daemon (process {}) cannot be signalled: {error}",
                holder.pid
            ),
        ),
    }
}

/// Waits until the daemon has answered this request.
fn answer(options: &Options, holder: &Holder, number: u16) -> Result<Answer, String> {
    let start = Instant::now();
    let mut arrived = false;
    let mut shown = Waited::default();
    loop {
        shown.show(start.elapsed());
        let ended = holder.ended();
        if let Some(answer) = status::load(&options.run_dir)
            .ok()
            .filter(|status| i64::from(status.daemon.pid) == i64::from(holder.pid))
            .and_then(|status| status.answers.into_iter().find(|a| a.number == number))
        {
            arrived = true;
            if answer.done {
                return Ok(answer);
            }
        }
        let pid = holder.pid;
        match (ended, start.elapsed() > PATIENCE, arrived) {
            (true, _, _) => {
                return Err(format!(
                    "the daemon (process {pid}) ended before it answered"
                ));
            }
            (_, true, true) => {
                return Err(format!(
                    "the daemon (process {pid}) works on it, but has not answered within 30 s"
                ));
            }
            (_, true, false) => return Err(format!("the daemon (process {pid}) does not respond")),
            _ => std::thread::sleep(POLL),
        }
    }
}

/// What a terminal shows of a wait that lasts.
#[derive(Default)]
struct Waited {
    shown: Option<u64>,
}

impl Waited {
    fn show(&mut self, waited: Duration) {
        let Some(text) = wait(waited).filter(|_| io::stderr().is_terminal()) else {
            return;
        };
        if self.shown.replace(waited.as_secs()) != Some(waited.as_secs()) {
            let _ = write!(io::stderr(), "\r\x1b[K{text}");
        }
    }
}

impl Drop for Waited {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Nothing in the first second: most orders are done by then. When it will be over is the daemon's to say.
fn wait(waited: Duration) -> Option<String> {
    (waited >= Duration::from_secs(1)).then(|| {
        format!(
            "waiting for the outcome for {} s (Ctrl-C ends the waiting, not the order)",
            waited.as_secs()
        )
    })
}

const POLL: Duration = Duration::from_millis(5);
const MOMENT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(30);
const NOT_YOURS: &str =
    "only root may give the daemon orders: run this as root (sudo); `status` is for everybody";
const LOOK: &str = "look at `ha-appliance status` and `journalctl -u ha-appliance`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_lasts_says_how_long() {
        let at = |ms| wait(Duration::from_millis(ms));
        assert_eq!(at(900), None);
        assert_eq!(
            at(3900).unwrap(),
            "waiting for the outcome for 3 s (Ctrl-C ends the waiting, not the order)"
        );
    }
}
