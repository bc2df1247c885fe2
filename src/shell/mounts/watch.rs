//! The watch over mounts between two operations: the kernel's table, and a probe that reads.

use super::Shared;
use super::held::{Expected, Held};
use crate::agents::mount::watch::Changes;
use crate::agents::mount::{Answer, Table, Verb};
use crate::core::event::Event;
use crate::core::time::Time;
use crate::shell::clock;
use crate::shell::services::CheckView;
use smol::Timer;
use smol::future::{FutureExt, pending};
use std::rc::Rc;
use std::time::Duration;

/// How often the table is read without a hint: that a file system may no longer be written to is no change of it.
const ROUND: Duration = Duration::from_secs(1);
/// From one probe to the next.
const PROBE: Duration = Duration::from_secs(20);
/// A device that answers nothing for so long is lost. A resync that begins, or a path of a SAN that fails over, takes
/// tens of seconds.
const HANGS: Duration = Duration::from_secs(60);

/// Compares the table with what is expected.
pub(super) async fn patrol(shared: Rc<Shared>) {
    let changes = Changes::open()
        .inspect_err(|e| log::warn!("mounts are looked at every {ROUND:?} only: {e}"))
        .ok();
    let mut blind = false;
    loop {
        let hint = async {
            match &changes {
                Some(changes) if changes.next().await.is_ok() => {}
                _ => pending().await,
            }
        };
        let rest = async {
            Timer::after(ROUND).await;
        };
        hint.or(rest).await;
        if !shared.watching.get() {
            continue;
        }
        let table = match Table::read() {
            Ok(table) => table,
            // For want of a descriptor, say: no word about any mount.
            Err(error) => {
                if !std::mem::replace(&mut blind, true) {
                    log::warn!("the table of mounts cannot be read: {error}; tried again");
                }
                continue;
            }
        };
        blind = false;
        let all = shared.all.borrow().clone();
        for held in all {
            if let Some(event) = news(&held, &table) {
                held.unwatch();
                shared.push(event);
            }
        }
    }
}

/// What is not as expected.
fn news(held: &Held, table: &Table) -> Option<Event> {
    let (place, target) = (held.place.get(), held.target());
    if held.is_expected(Expected::Mounted) {
        let why = held.fault(table)?;
        held.say(why.clone());
        return Some(Event::Lost { place, why });
    }
    if !held.is_expected(Expected::Absent) {
        return None;
    }
    let number = target.number();
    if number.is_some_and(|number| table.of_device(number).next().is_some()) {
        return Some(Event::Appeared { place });
    }
    let other = held.device.replace(number.is_some()) != number.is_some();
    other.then_some(Event::Reinstalled { place })
}

/// Its device waits on DRBD's word, or did so at some time after that: what reads from it waits as well, for minutes.
pub(super) fn was_frozen(shared: &Shared, held: &Held, since: Time) -> bool {
    let frozen = shared.frozen.borrow();
    if frozen.is_empty() {
        return false;
    }
    let device = &held.target().device;
    let real = std::fs::canonicalize(device).unwrap_or_else(|_| device.into());
    let mut until = frozen.iter().filter(|(device, _)| *device == real);
    until.any(|(_, until)| until.is_none_or(|until| until >= since))
}

/// Until it cannot be read: pushes one event and ends.
pub(super) async fn probe(shared: Rc<Shared>, held: Rc<Held>) {
    loop {
        Timer::after(PROBE).await;
        let at = clock::now();
        if was_frozen(&shared, &held, at) {
            continue; // it would only wait
        }
        let error = match shared.ask(Verb::Probe, &held, HANGS).await {
            Ok(Answer::Failed(why)) => Some(why),
            Ok(Answer::Done(_) | Answer::Found(_)) => None,
            Err(trouble) => {
                log::warn!("{trouble}: it is asked again");
                continue;
            }
        };
        if error.is_some() && was_frozen(&shared, &held, at) {
            continue;
        }
        let failures = u32::from(error.is_some());
        held.check.replace(Some(CheckView {
            at,
            error: error.clone(),
            failures,
        }));
        if let Some(why) = error
            && held.is_expected(Expected::Mounted)
        {
            let place = held.place.get();
            held.say(why.clone());
            // Not by `unwatch`, which would end this very task.
            held.lose();
            return shared.push(Event::Lost { place, why });
        }
    }
}
