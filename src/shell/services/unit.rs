//! One service of the configuration: what is known of it, and the task that watches it.

use super::view::CheckView;
use super::{Shared, watch};
use crate::agents::service::{self, Patience, Seen};
use crate::agents::trouble::Trouble;
use crate::config::Service;
use crate::id::Place;
use smol::Task;
use smol::channel::{Receiver, Sender, bounded};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A service.
pub(super) struct Unit {
    pub(super) service: Service,
    /// The indices of its group and of the resource in it.
    pub(super) place: Cell<Place>,
    /// What was seen of it last.
    pub(super) seen: RefCell<Option<Seen>>,
    /// What keeps systemd from being asked about it; none: nothing.
    trouble: RefCell<Option<String>>,
    /// What keeps its check from being asked.
    pub(super) unasked: RefCell<Option<String>>,
    /// What is waited for before it counts as failed.
    pub(super) waiting: RefCell<Option<String>>,
    /// The last check.
    pub(super) check: RefCell<Option<CheckView>>,
    /// How long after a start its check succeeded for the first time, lately.
    pub(super) warm_up: Cell<Option<Duration>>,
    /// It runs but its check failed: a start must be a restart.
    pub(super) ailing: Cell<bool>,
    /// See [`Unit::ring`].
    pub(super) bell: (Sender<()>, Receiver<()>),
    watcher: RefCell<Option<(Expected, Task<()>)>>,
}

/// What a watch takes for granted until it sees otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It runs.
    Running,
    /// It does not.
    Stopped,
}

impl Unit {
    pub(super) fn new(service: Service, place: Place) -> Rc<Unit> {
        Rc::new(Unit {
            service,
            place: Cell::new(place),
            seen: RefCell::default(),
            trouble: RefCell::default(),
            unasked: RefCell::default(),
            waiting: RefCell::default(),
            check: RefCell::default(),
            warm_up: Cell::default(),
            ailing: Cell::default(),
            bell: bounded(1),
            watcher: RefCell::default(),
        })
    }

    /// The same unit under other settings: what is known of it stays.
    pub(super) fn with(&self, service: Service, place: Place) -> Rc<Unit> {
        let unit = Unit::new(service, place);
        *unit.seen.borrow_mut() = self.seen.borrow().clone();
        unit.ailing.set(self.ailing.get());
        unit.warm_up.set(self.warm_up.get());
        unit
    }

    /// Somebody may have started or stopped it.
    pub(super) fn ring(&self) {
        let _ = self.bell.0.try_send(()); // full: it rings already
    }

    pub(super) fn saw(&self, seen: Seen) {
        *self.seen.borrow_mut() = Some(seen);
    }

    /// What keeps systemd from being asked about it is said: in the log when it begins and ends, in the
    /// status while it lasts.
    pub(super) fn told(&self) -> impl Fn(Option<&Trouble>) + '_ {
        |trouble| {
            self.trouble.replace(trouble.map(Trouble::to_string));
        }
    }

    /// What an operator should know of it just now.
    pub(super) fn notice(&self) -> Option<String> {
        let all = [&self.trouble, &self.waiting, &self.unasked];
        all.into_iter().find_map(|one| one.borrow().clone())
    }

    /// After a failed operation: whatever it is now is what the status shows.
    pub(super) async fn look_again(&self) {
        let told = self.told();
        let patience = Patience::new(Duration::ZERO, &told);
        match service::look(&self.service.unit, &patience).await {
            Ok(seen) => self.saw(seen),
            Err(_) => *self.seen.borrow_mut() = None,
        }
    }

    /// Whether and what for it is watched.
    pub(super) fn expected(&self) -> Option<Expected> {
        let watcher = self.watcher.borrow();
        let (expected, task) = watcher.as_ref()?;
        (!task.is_finished()).then_some(*expected)
    }

    pub(super) fn watched(&self) -> bool {
        self.expected().is_some()
    }

    /// From now on its failure is an event. `fresh`: it was just started, and its check may fail until it
    /// succeeds for the first time.
    pub(super) fn watch_running(self: &Rc<Unit>, shared: &Rc<Shared>, fresh: bool) {
        if let Some(follower) = self.follower(shared) {
            return follower.watch_running(shared, fresh);
        }
        self.check.take();
        let task = watch::running(shared.clone(), self.clone(), fresh);
        self.watch(shared, Expected::Running, task);
    }

    /// From now on its start by somebody else is an event.
    pub(super) fn watch_stopped(self: &Rc<Unit>, shared: &Rc<Shared>) {
        if let Some(follower) = self.follower(shared) {
            return follower.watch_stopped(shared);
        }
        self.check.take();
        let task = watch::stopped(shared.clone(), self.clone());
        self.watch(shared, Expected::Stopped, task);
    }

    /// A new configuration may have replaced this unit while an operation was under way: then the other
    /// is watched, with what was seen of this one.
    fn follower(&self, shared: &Shared) -> Option<Rc<Unit>> {
        let units = shared.units.borrow();
        let mut same = units.iter().filter(|u| u.service.unit == self.service.unit);
        let follower = same.next().filter(|u| !std::ptr::eq(&***u, self))?.clone();
        *follower.seen.borrow_mut() = self.seen.borrow().clone();
        Some(follower)
    }

    /// Goes on with what `old` was watched for.
    pub(super) fn watch_again(self: &Rc<Unit>, shared: &Rc<Shared>, old: &Unit) {
        match old.expected() {
            Some(Expected::Running) => self.watch_running(shared, false),
            Some(Expected::Stopped) => self.watch_stopped(shared),
            None => {}
        }
    }

    pub(super) fn unwatch(&self) {
        self.watcher.take();
        self.unasked.take();
        self.waiting.take();
    }

    fn watch(
        self: &Rc<Unit>,
        shared: &Shared,
        expected: Expected,
        task: impl Future<Output = ()> + 'static,
    ) {
        let units = shared.units.borrow();
        let current = units.iter().any(|unit| Rc::ptr_eq(unit, self));
        let wanted = current && shared.watching.get();
        let task = wanted.then(|| (expected, shared.executor.spawn(task)));
        *self.watcher.borrow_mut() = task;
    }
}
