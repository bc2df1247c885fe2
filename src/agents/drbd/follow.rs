//! Follows `drbdsetup events2`: one child for all resources, begun anew when it ends or has lost something.

use super::events::{Object, State, Told};
use crate::agents::child;
use smol::Timer;
use std::cell::RefCell;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

/// What is known now. Where it is not complete, nothing is.
pub type Known = Rc<RefCell<State>>;

/// Before it is begun anew, so that a tool that cannot run does not take the whole processor.
const PAUSE: Duration = Duration::from_millis(200);

/// Keeps `known` as DRBD has it, and calls `changed` after each change of what is complete; None: everything may be
/// another. Without end.
pub async fn follow(directory: &Path, known: Known, changed: impl Fn(Option<&Object>)) {
    loop {
        let mut command = Command::new(directory.join("drbdsetup"));
        command.args(["events2", "--statistics"]);
        let line = |line: &str| {
            let told = known.borrow_mut().take(line);
            let complete = known.borrow().complete;
            match told {
                Told::Changed(object) if complete => changed(Some(&object)),
                Told::Complete => changed(None),
                Told::Broken => return false,
                Told::Changed(_) | Told::Nothing => {}
            }
            true
        };
        if let Err(error) = child::lines(command, line).await {
            log::debug!("drbdsetup events2: {error}");
        }
        let knew = std::mem::take(&mut *known.borrow_mut()).complete;
        if knew {
            changed(None);
        }
        Timer::after(PAUSE).await;
    }
}
