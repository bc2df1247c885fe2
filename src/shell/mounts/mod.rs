//! The mounts of the configuration: their operations, and the watch over them in between.
//!
//! As with services, everything is a task of the daemon's executor and ends in an event: an operation in exactly one
//! [`Event::Finished`], what becomes of a mount between two of them in one further event, and then there is silence
//! until the core has looked, started or stopped. What is done to a mount is a helper's work
//! ([`crate::agents::mount`]); one that does not come back is given up and said to hang, and the lock that it holds
//! keeps all others from saying that the mount is stopped.

mod held;
mod left;
mod watch;

use super::clock;
use super::drbd::Frozen;
use super::operations::Operations;
use super::owed::Owed;
use super::services::ServiceView;
use crate::agents::mount::{self, Answer, Found, Target, Verb};
use crate::agents::program::Programs;
use crate::agents::trouble::Trouble;
use crate::config::Mount;
use crate::core::event::{Event, Outcome, Presence};
use crate::id::{GroupId, Place};
use held::{Expected, Held};
use smol::future::FutureExt;
use smol::{LocalExecutor, Task, Timer};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

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
    /// Stops that no helper could be had for.
    owed: Owed,
    /// What else became of an operation that did what it should: who was ended, what was corrected.
    said: RefCell<Vec<(Place, String)>>,
    /// Devices that answer nobody for now, and are not lost.
    frozen: Frozen,
}

/// A look waits no longer for an earlier operation.
const LOOK: Duration = Duration::from_secs(10);
/// Between two tries to have a helper; and however little time is left, one gets as much.
const PAUSE: Duration = Duration::from_millis(300);
const SHORTEST: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(10);
/// Before an operation that could not be had is tried again.
const REST: Duration = Duration::from_secs(2);
/// A helper is given up so long after it should have ended.
pub const GIVEN_UP: Duration = Duration::from_secs(2);
/// At most so much longer it may take to write back what was written.
pub const WRITES_BACK: Duration = Duration::from_secs(600);

impl Mounts {
    /// None yet. What the tasks find out is pushed onto `events`.
    pub fn new(
        executor: Rc<LocalExecutor<'static>>,
        events: Rc<RefCell<VecDeque<Event>>>,
        programs: Programs,
        run_dir: &Path,
        frozen: Frozen,
    ) -> Mounts {
        Mounts {
            operations: Operations::new(executor.clone(), events.clone()),
            shared: Rc::new(Shared {
                owed: Owed::new(executor.clone()),
                executor,
                events,
                programs,
                run_dir: run_dir.to_owned(),
                all: RefCell::default(),
                watching: Cell::new(true),
                said: RefCell::default(),
                frozen,
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
                Ok(Answer::Found(found)) => found,
                Ok(Answer::Done(_)) => Found::Absent,
                Ok(Answer::Failed(why)) | Err(Trouble(why)) => {
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
        self.shared.owed.forget(place);
        self.operate(place, move |held, shared| async move {
            let limit = held.mount.start_timeout;
            match shared.ask(Verb::Start, &held, limit).await {
                Ok(Answer::Failed(why)) => return Outcome::Failed(why),
                Ok(Answer::Done(Some(more))) => shared.say(place, more),
                Ok(Answer::Done(None) | Answer::Found(_)) => {}
                Err(Trouble(why)) => {
                    shared.ask_until_answered(&held);
                    return Outcome::Unasked(why);
                }
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

    /// Ends its users, unmounts it and looks whether its device is free. What no helper could be had for in time is
    /// not done, and done as soon as one can be had.
    pub fn stop(&mut self, place: Place) {
        self.operate(place, move |held, shared| async move {
            // It uses the file system, and would be taken for somebody who is to be ended.
            let until = Instant::now() + held.mount.stop_timeout;
            while held.syncing.get() && Instant::now() < until {
                Timer::after(POLL).await;
            }
            match shared.ask(Verb::Stop, &held, held.mount.stop_timeout).await {
                Ok(Answer::Failed(why)) => {
                    held.say(format!("cannot be unmounted: {why}"));
                    Outcome::Failed(why)
                }
                Ok(answer) => {
                    if let Answer::Done(Some(more)) = answer {
                        shared.say(place, more);
                    }
                    held.noted(&Found::Absent);
                    held.expect(&shared, Expected::Absent);
                    Outcome::Done
                }
                Err(Trouble(why)) => {
                    shared.owe_a_stop(place);
                    Outcome::Failed(format!("{why}; it is unmounted as soon as that can be"))
                }
            }
        });
    }

    /// The group is about to stop: what is not on the disk yet is written back while it still serves, or stops.
    pub fn write_back(&mut self, group: GroupId) {
        for held in self.shared.all.borrow().iter() {
            let shared = self.shared.clone();
            let wanted = held.place.get().group == group
                && held.is_expected(Expected::Mounted)
                // It would only wait.
                && !watch::was_frozen(&shared, held, clock::now());
            if wanted && !held.syncing.replace(true) {
                let held = held.clone();
                let sync = async move {
                    let limit = held.mount.stop_timeout;
                    let synced = shared.ask(Verb::Sync, &held, limit).await;
                    if let Ok(Answer::Failed(why)) | Err(Trouble(why)) = synced {
                        log::warn!("{why}");
                    }
                    held.syncing.set(false);
                };
                self.shared.executor.spawn(sync).detach();
            }
        }
    }

    /// That goes on.
    pub fn is_writing_back(&self, group: GroupId) -> bool {
        let all = self.shared.all.borrow();
        let mut of = all.iter().filter(|held| held.place.get().group == group);
        of.any(|held| held.syncing.get())
    }

    /// Ends an operation now. What the helper does goes on, and its lock with it.
    pub fn cancel(&mut self, place: Place) {
        self.operations.give_up(place);
    }

    /// False: nothing is told to the core, only shown (maintenance).
    pub fn watch(&mut self, on: bool) {
        self.shared.watching.set(on);
        if !on {
            let all = self.shared.all.borrow();
            all.iter().for_each(|held| held.unwatch());
        }
    }

    /// What the operations have to say besides how they ended.
    pub fn take_said(&self) -> Vec<(Place, String)> {
        self.shared.said.take()
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
        let found = shared.held(place);
        self.operations.begin_on(place, found, "mount", |held| {
            held.unwatch(); // what the operation does is no news
            work(held, shared)
        });
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

    fn say(&self, place: Place, what: String) {
        self.said.borrow_mut().push((place, what));
    }

    fn held(&self, place: Place) -> Option<Rc<Held>> {
        let all = self.all.borrow();
        all.iter().find(|held| held.place.get() == place).cloned()
    }

    /// Has a helper do it. An error: none could be had in all that time, which says nothing about the mount.
    async fn ask(&self, verb: Verb, held: &Held, limit: Duration) -> Result<Answer, Trouble> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let trouble = match self.ask_once(verb, held, left.max(SHORTEST)).await {
                Ok(answer) => {
                    held.could(verb);
                    return Ok(answer);
                }
                Err(trouble) => Trouble(format!("{verb} of {}: {trouble}", held.target().point)),
            };
            held.hindered.replace(Some((verb, trouble.to_string())));
            if Instant::now() + PAUSE >= until {
                return Err(trouble);
            }
            Timer::after(PAUSE).await;
        }
    }

    async fn ask_once(&self, verb: Verb, held: &Held, limit: Duration) -> Result<Answer, Trouble> {
        let target = held.target();
        let longest = match verb {
            Verb::Stop | Verb::Sync => limit + WRITES_BACK,
            Verb::Look | Verb::Start | Verb::Probe => limit,
        };
        let asked = mount::ask(&self.programs, &self.run_dir, verb, target, longest);
        let late = async {
            let (begun, time) = (Instant::now(), limit + GIVEN_UP);
            match verb {
                Verb::Stop | Verb::Sync => {
                    let written = || target.number()?.written();
                    let gets_on = || held.writes_back(verb, begun.elapsed());
                    left::unwritten(time, written, gets_on).await;
                }
                Verb::Look | Verb::Start | Verb::Probe => drop(Timer::after(time).await),
            }
            Ok(Answer::Failed(format!(
                "{verb} of {} hangs, and was given up after {} s; what it still does ends when the kernel lets it",
                target.point,
                limit.as_secs()
            )))
        };
        asked.or(late).await
    }

    /// Until a helper can be had: then its start may be tried again. A probe voids no other helper's order.
    fn ask_until_answered(self: &Rc<Shared>, held: &Rc<Held>) {
        let (shared, held) = (self.clone(), held.clone());
        let ask = async move {
            Timer::after(REST).await;
            while shared.ask(Verb::Probe, &held, LOOK).await.is_err() {
                Timer::after(REST).await;
            }
            let (place, unready) = (held.place.get(), None);
            shared.push(Event::Ready { place, unready });
        };
        self.executor.spawn(ask).detach();
    }

    /// Unmounts it once a helper can be had, unless it is to be mounted before. The core, which knows the stop for
    /// failed, looks now and then and finds it stopped.
    fn owe_a_stop(self: &Rc<Shared>, place: Place) {
        let shared = self.clone();
        let stop = async move || shared.stop_what_is_owed(place).await;
        self.owed.owe(place, (REST, REST), stop);
    }

    async fn stop_what_is_owed(&self, place: Place) -> ControlFlow<()> {
        let Some(held) = self.held(place) else {
            return ControlFlow::Break(());
        };
        // In maintenance nobody touches anything.
        if !self.watching.get() {
            return ControlFlow::Continue(());
        }
        let limit = held.mount.stop_timeout;
        match self.ask(Verb::Stop, &held, limit).await {
            Ok(Answer::Failed(why)) => held.say(format!("cannot be unmounted: {why}")),
            Ok(_) => held.noted(&Found::Absent),
            Err(_) => return ControlFlow::Continue(()),
        }
        ControlFlow::Break(())
    }
}
