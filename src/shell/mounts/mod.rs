//! The mounts of the configuration: their operations, and the watch over them in between.
//!
//! As with services, everything is a task of the daemon's executor and ends in an event: an operation in exactly one
//! [`Event::Finished`], what becomes of a mount between two of them in one further event, and then there is silence
//! until the core has looked, started or stopped. What is done to a mount is a helper's work
//! ([`crate::agents::mount`]); one that does not come back is given up and said to hang, and the lock that it holds
//! keeps all others from saying that the mount is stopped.

mod held;
mod watch;

use super::operations::Operations;
use super::services::ServiceView;
use crate::agents::mount::{self, Answer, Found, Table, Target, Verb};
use crate::agents::program::Programs;
use crate::config::Mount;
use crate::core::event::{Event, Outcome, Presence};
use crate::id::{GroupId, Place};
use held::{Expected, Held};
use smol::future::FutureExt;
use smol::{LocalExecutor, Task, Timer};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// The mounts.
pub struct Mounts {
    shared: Rc<Shared>,
    operations: Operations,
    /// Follows the kernel's table.
    patrol: Option<Task<()>>,
}

/// What the tasks share.
struct Shared {
    executor: Rc<LocalExecutor<'static>>,
    events: Rc<RefCell<VecDeque<Event>>>,
    programs: Programs,
    run_dir: PathBuf,
    all: RefCell<Vec<Rc<Held>>>,
    /// False in maintenance.
    watching: Cell<bool>,
}

/// A look waits no longer for an earlier operation.
const LOOK: Duration = Duration::from_secs(10);
/// A helper is given up so long after it should have ended.
pub const GIVEN_UP: Duration = Duration::from_secs(2);

impl Mounts {
    /// None yet. What the tasks find out is pushed onto `events`.
    pub fn new(
        executor: Rc<LocalExecutor<'static>>,
        events: Rc<RefCell<VecDeque<Event>>>,
        programs: Programs,
        run_dir: &Path,
    ) -> Mounts {
        Mounts {
            operations: Operations::new(executor.clone(), events.clone()),
            shared: Rc::new(Shared {
                executor,
                events,
                programs,
                run_dir: run_dir.to_owned(),
                all: RefCell::default(),
                watching: Cell::new(true),
            }),
            patrol: None,
        }
    }

    /// A new configuration: each mount with its place. What is known of those that stay is kept; other options count
    /// from the next mount on.
    pub fn replace(&mut self, mounts: Vec<(Place, Mount)>) {
        let old = self.shared.all.take();
        let same = |target: &Target| {
            let mut old = old.iter();
            old.find(|old| old.is(target)).cloned()
        };
        let held = mounts.into_iter().map(|(place, mount)| {
            let known = same(&mount.target);
            Held::new(mount, place, known.as_deref())
        });
        *self.shared.all.borrow_mut() = held.map(Rc::new).collect();
        for held in self.shared.all.borrow().iter() {
            held.probe_if_mounted(&self.shared);
        }
        self.follow();
    }

    /// Whether a resource is a mount.
    pub fn has(&self, place: Place) -> bool {
        self.shared.held(place).is_some()
    }

    /// Finds out whether it is mounted; if so, it is watched from now on.
    pub fn look(&mut self, place: Place) {
        self.operate(place, |held, shared| async move {
            let answer = shared.ask(Verb::Look, &held, LOOK).await;
            let found = match answer {
                Answer::Found(found) => found,
                Answer::Done(_) => Found::Absent,
                Answer::Failed(why) => {
                    held.say(format!("not known: {why}"));
                    return Outcome::Failed(format!("what is mounted is not known: {why}"));
                }
            };
            held.noted(&found);
            Outcome::Found(match found {
                Found::Mounted => {
                    held.expect(&shared, Expected::Mounted);
                    Presence::Running
                }
                Found::Absent => {
                    held.expect(&shared, Expected::Absent);
                    Presence::Absent
                }
                Found::Missing => {
                    held.expect(&shared, Expected::Absent);
                    Presence::Missing
                }
                Found::Elsewhere(_) => Presence::Partial,
            })
        });
    }

    /// Checks it, mounts it, and watches it.
    pub fn start(&mut self, place: Place) {
        self.operate(place, |held, shared| async move {
            let limit = held.mount.start_timeout;
            match shared.ask(Verb::Start, &held, limit).await {
                Answer::Failed(why) => return Outcome::Failed(why),
                Answer::Done(Some(more)) => log::warn!("{}: {more}", held.target().point),
                Answer::Done(None) | Answer::Found(_) => {}
            }
            if !held.is_seen() {
                // Whoever is not in the namespace of PID 1 sees neither this mount nor its end.
                let point = &held.target().point;
                let _ = shared.ask(Verb::Stop, &held, held.mount.stop_timeout).await;
                return Outcome::Failed(format!(
                    "{point} was mounted, and the daemon does not see it: it has a mount namespace of its own, by a \
                     drop-in of ha-appliance.service (Protect…=, Private…=, ReadOnlyPaths= and their like); unmounted again"
                ));
            }
            held.noted(&Found::Mounted);
            held.expect(&shared, Expected::Mounted);
            Outcome::Done
        });
    }

    /// Ends its users, unmounts it and looks whether its device is free.
    pub fn stop(&mut self, place: Place) {
        self.operate(place, |held, shared| async move {
            match shared.ask(Verb::Stop, &held, held.mount.stop_timeout).await {
                Answer::Failed(why) => {
                    held.say(format!("cannot be unmounted: {why}"));
                    Outcome::Failed(why)
                }
                answer => {
                    if let Answer::Done(Some(more)) = answer {
                        log::warn!("{more}");
                    }
                    held.noted(&Found::Absent);
                    held.expect(&shared, Expected::Absent);
                    Outcome::Done
                }
            }
        });
    }

    /// The group is about to stop: what is not on the disk yet is written back while the rest of it still stops.
    pub fn write_back(&mut self, group: GroupId) {
        for held in self.shared.all.borrow().iter() {
            let shared = self.shared.clone();
            let wanted = held.place.get().group == group && held.is_expected(Expected::Mounted);
            if wanted && !held.syncing.replace(true) {
                let held = held.clone();
                let sync = async move {
                    let limit = held.mount.stop_timeout;
                    if let Answer::Failed(why) = shared.ask(Verb::Sync, &held, limit).await {
                        log::warn!("{why}");
                    }
                    held.syncing.set(false);
                };
                self.shared.executor.spawn(sync).detach();
            }
        }
    }

    /// Ends an operation now. What the helper does goes on, and its lock with it.
    pub fn cancel(&mut self, place: Place) {
        let why = "it did not end in time, and was given up";
        self.operations.cancel(place, why);
    }

    /// False: nothing is told to the core, only shown (maintenance).
    pub fn watch(&mut self, on: bool) {
        self.shared.watching.set(on);
        if !on {
            let all = self.shared.all.borrow();
            all.iter().for_each(|held| held.unwatch());
        }
    }

    /// What is known of each mount, by its place, for the status.
    pub fn views(&self) -> BTreeMap<Place, ServiceView> {
        let all = self.shared.all.borrow();
        let view = |held: &Rc<Held>| (held.place.get(), held.view(self.shared.watching.get()));
        all.iter().map(view).collect()
    }

    fn operate<F: Future<Output = Outcome> + 'static>(
        &mut self,
        place: Place,
        work: impl FnOnce(Rc<Held>, Rc<Shared>) -> F + 'static,
    ) {
        let shared = self.shared.clone();
        let Some(held) = shared.held(place) else {
            let outcome = Outcome::Failed("there is no such mount".into());
            return self.operations.finish(place, outcome);
        };
        held.unwatch(); // what the operation does is no news
        self.operations.begin(place, work(held, shared));
    }

    /// Follows the table as long as there is a mount to follow.
    fn follow(&mut self) {
        let wanted = !self.shared.all.borrow().is_empty();
        if !wanted {
            self.patrol = None;
        } else if self.patrol.is_none() {
            let task = watch::patrol(self.shared.clone());
            self.patrol = Some(self.shared.executor.spawn(task));
        }
    }
}

impl Shared {
    fn push(&self, event: Event) {
        self.events.borrow_mut().push_back(event);
    }

    fn held(&self, place: Place) -> Option<Rc<Held>> {
        let all = self.all.borrow();
        all.iter().find(|held| held.place.get() == place).cloned()
    }

    /// Has a helper do it; that it cannot be asked is as good as that it failed.
    async fn ask(&self, verb: Verb, held: &Held, limit: Duration) -> Answer {
        let target = held.target();
        let asked = mount::ask(&self.programs, &self.run_dir, verb, target, limit);
        let late = async {
            Timer::after(limit + GIVEN_UP).await;
            Ok(Answer::Failed(format!(
                "{verb} of {} hangs, and was given up after {} s; what it still does ends when the kernel lets it",
                target.point,
                limit.as_secs()
            )))
        };
        match asked.or(late).await {
            Ok(answer) => answer,
            Err(trouble) => Answer::Failed(format!("{verb} of {}: {trouble}", target.point)),
        }
    }
}

/// The kernel's table of mounts as the daemon sees it; empty if it cannot be read.
fn table() -> Table {
    Table::read().unwrap_or_default()
}
