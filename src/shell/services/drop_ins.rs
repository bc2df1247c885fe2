//! Keeps the drop-ins of the services' units: writes them at the start and at each reload, and puts back what
//! somebody removes, as `systemctl revert` does.

use super::Shared;
use super::gate::Closed;
use crate::agents::service::drop_in::{self, Control};
use smol::channel::{Receiver, Sender, bounded};
use smol::future::FutureExt;
use smol::{Task, Timer};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// What could not be written is tried again after the first, then after longer and longer, up to the second:
/// without its drop-in a service would not be stopped in order at shutdown.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// Whoever removes several has that long; and two programs that fight over them do not take the whole
/// processor.
const CALM: Duration = Duration::from_millis(500);

/// The drop-ins, and the task that keeps them; it ends with this.
pub(super) struct DropIns {
    wishes: Rc<Wishes>,
    keeper: Option<Task<()>>,
}

struct Wishes {
    units: RefCell<Vec<(String, Control)>>,
    /// Closed already for the next writing.
    gate: RefCell<Option<Closed>>,
    /// Why they could not be written.
    trouble: RefCell<Option<String>>,
    /// Rings when there are others.
    bell: (Sender<()>, Receiver<()>),
}

impl Default for DropIns {
    fn default() -> DropIns {
        let wishes = Wishes {
            units: RefCell::default(),
            gate: RefCell::default(),
            trouble: RefCell::default(),
            bell: bounded(1),
        };
        DropIns {
            wishes: Rc::new(wishes),
            keeper: None,
        }
    }
}

impl DropIns {
    /// Why they could not be written; none: they are, or it was not tried yet.
    pub(super) fn trouble(&self) -> Option<String> {
        self.wishes.trouble.borrow().clone()
    }

    /// From now on these units have one, and no others. They are written, and systemd reloaded if any
    /// changed, as soon as no operation is in flight; operations asked for meanwhile wait for that.
    pub(super) fn follow(&mut self, shared: &Rc<Shared>, units: Vec<(String, Control)>) {
        let dir = Path::new(drop_in::DIR);
        if self.keeper.is_none() && units.is_empty() && !drop_in::any(dir) {
            return;
        }
        *self.wishes.units.borrow_mut() = units;
        // Before anything can be asked for, so that the first looks come after it.
        if let Some(closed) = shared.gate.try_close() {
            *self.wishes.gate.borrow_mut() = Some(closed);
        }
        let _ = self.wishes.bell.0.try_send(()); // full: it rings already
        if self.keeper.is_none() {
            let task = keep(dir, shared.clone(), self.wishes.clone());
            self.keeper = Some(shared.executor.spawn(task));
        }
    }
}

async fn keep(dir: &'static Path, shared: Rc<Shared>, wishes: Rc<Wishes>) {
    let [mut pause, longest] = RETRY;
    // systemd may not have read them as they are.
    let mut unread = false;
    loop {
        let closed = wishes.gate.take();
        let closed = match closed {
            Some(closed) => closed,
            None => shared.gate.close().await,
        };
        let units = wishes.units.borrow().clone();
        while wishes.bell.1.try_recv().is_ok() {}
        let applied = drop_in::apply(dir, &units, unread).await;
        drop(closed);
        unread = applied.is_err();
        let others = async {
            let _ = wishes.bell.1.recv().await;
        };
        match applied {
            Ok(()) => {
                pause = RETRY[0];
                wishes.trouble.take();
                let removed = async {
                    let unit = drop_in::removed(dir, &units).await;
                    log::warn!("the drop-in of {unit} was removed: it is put back");
                    Timer::after(CALM).await;
                };
                others.or(removed).await;
            }
            Err(why) => {
                *wishes.trouble.borrow_mut() = Some(why.to_string());
                let rest = async {
                    Timer::after(pause).await;
                };
                others.or(rest).await;
                pause = (2 * pause).min(longest);
            }
        }
    }
}
