//! Stops that nobody could be asked for: the core knows each for failed, looks now and then, and finds it stopped once
//! it could be tried.

use crate::id::Place;
use smol::{LocalExecutor, Task, Timer};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

/// Those that are owed, by place.
pub struct Owed {
    executor: Rc<LocalExecutor<'static>>,
    tasks: RefCell<BTreeMap<Place, Task<()>>>,
}

impl Owed {
    /// None.
    pub fn new(executor: Rc<LocalExecutor<'static>>) -> Owed {
        Owed {
            executor,
            tasks: RefCell::default(),
        }
    }

    /// Tries it until it breaks off. The first pause comes before the first try; each is twice as long as the one before,
    /// up to the longest.
    pub fn owe(
        &self,
        place: Place,
        (first, longest): (Duration, Duration),
        attempt: impl AsyncFn() -> ControlFlow<()> + 'static,
    ) {
        let tries = async move {
            let mut pause = first;
            loop {
                Timer::after(pause).await;
                pause = (pause * 2).min(longest);
                if attempt().await.is_break() {
                    return;
                }
            }
        };
        let task = self.executor.spawn(tries);
        self.tasks.borrow_mut().insert(place, task);
    }

    /// It is to be started before.
    pub fn forget(&self, place: Place) {
        self.tasks.borrow_mut().remove(&place);
    }
}
