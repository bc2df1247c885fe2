//! Operations on resources that are tasks of the daemon's executor: one at a time for each resource, and every one ends
//! in exactly one [`Event::Finished`], a cancelled one too. A push wakes nobody: tasks run within the daemon's turn,
//! which reads the queue before it sleeps.

use crate::core::event::{Event, Op, Outcome};
use crate::id::Place;
use smol::{LocalExecutor, Task};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

/// Those under way, and where their events go.
pub struct Operations {
    executor: Rc<LocalExecutor<'static>>,
    events: Rc<RefCell<VecDeque<Event>>>,
    tasks: Rc<RefCell<HashMap<Place, Task<()>>>>,
}

impl Operations {
    /// None yet.
    pub fn new(
        executor: Rc<LocalExecutor<'static>>,
        events: Rc<RefCell<VecDeque<Event>>>,
    ) -> Operations {
        Operations {
            executor,
            events,
            tasks: Rc::default(),
        }
    }

    /// Begins one, which ends with what it gives.
    fn begin(&self, place: Place, work: impl Future<Output = Outcome> + 'static) {
        let (events, tasks) = (self.events.clone(), self.tasks.clone());
        let task = async move {
            let outcome = work.await;
            if let Some(task) = tasks.borrow_mut().remove(&place) {
                task.detach();
                finish(&events, place, outcome);
            }
        };
        let task = self.executor.spawn(task);
        self.tasks.borrow_mut().insert(place, task);
    }

    /// Begins one on what stands at that place. Where there is no such thing, it fails.
    pub fn begin_on<T, W>(
        &self,
        place: Place,
        found: Option<T>,
        what: &str,
        work: impl FnOnce(T) -> W,
    ) where
        W: Future<Output = Outcome> + 'static,
    {
        match found {
            Some(it) => self.begin(place, work(it)),
            None => self.finish(place, Outcome::Failed(format!("there is no such {what}"))),
        }
    }

    /// Ends one now, if it is under way. What a tool does for it goes on.
    pub fn give_up(&self, place: Place) {
        self.cancel(place, "it did not end in time, and was given up");
    }

    /// Ends one now, if it is under way, because of that.
    pub fn cancel(&self, place: Place, why: &str) {
        if self.tasks.borrow_mut().remove(&place).is_some() {
            self.finish(place, Outcome::Failed(why.into()));
        }
    }

    /// One that was asked for ends before it began.
    pub fn finish(&self, place: Place, outcome: Outcome) {
        finish(&self.events, place, outcome);
    }
}

fn finish(events: &RefCell<VecDeque<Event>>, place: Place, outcome: Outcome) {
    let op = Op::Resource(place);
    events
        .borrow_mut()
        .push_back(Event::Finished { op, outcome });
}
