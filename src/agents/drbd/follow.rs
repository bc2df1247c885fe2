//! Follows `drbdsetup events2`: one child for all resources, begun anew when it ends or has lost something.

use super::events::{Object, State, Told};
use crate::agents::child;
use crate::agents::trouble::words;
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

/// So often it ends without having told anything until that is said.
const TROUBLE: u32 = 5;

/// Keeps `known` as DRBD has it, and calls `changed` after each change of what is complete; None: everything may be
/// another. Without end.
pub async fn follow(directory: &Path, known: Known, changed: impl Fn(Option<&Object>)) {
    let mut ended = 0;
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
        let told = child::lines(command, line).await;
        let knew = std::mem::take(&mut *known.borrow_mut()).complete;
        let trouble = match told {
            Ok(()) => "drbdsetup events2 ended, and is begun anew".to_owned(),
            Err(error) => format!("drbdsetup events2: {}; it is tried again", words(&error)),
        };
        // One end is no news.
        ended = if knew { 1 } else { ended + 1 };
        if ended == TROUBLE {
            log::warn!("{trouble}");
        }
        known.borrow_mut().trouble = Some(trouble);
        if knew {
            changed(None);
        }
        Timer::after(PAUSE).await;
    }
}
