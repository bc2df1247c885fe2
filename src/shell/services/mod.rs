//! The services of the configuration: their operations, and the watch over them in between.
//!
//! Everything here is a task of the daemon's executor and ends in an event: an operation in exactly one
//! [`Event::Finished`], a failure of a service that runs in one [`Event::Lost`], a service that was
//! started by somebody else in one [`Event::Appeared`]. After the latter two there is silence until the
//! core has looked, started or stopped. A push wakes nobody: tasks run within the daemon's turn, which
//! reads the queue before it sleeps.

mod drop_ins;
mod gate;
mod unit;
mod view;
mod watch;

pub use view::{CheckView, ServiceView};

use super::operations::Operations;
use super::owed::Owed;
use crate::agents::program::Programs;
use crate::agents::service::{self, NotStarted, NotStopped, Patience, Presence, Seen, drop_in};
use crate::agents::trouble::Trouble;
use crate::config::{Mode, Service};
use crate::core::event::{self, Event, Outcome};
use crate::id::Place;
use crate::sys;
use drop_ins::DropIns;
use gate::Gate;
use smol::future::FutureExt;
use smol::{LocalExecutor, Task, Timer};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};
use unit::Unit;

/// The services.
pub struct Services {
    shared: Rc<Shared>,
    operations: Operations,
    /// Looks at everything in maintenance.
    observer: Option<Task<()>>,
    patrol: Option<Task<()>>,
    drop_ins: DropIns,
}

/// What the tasks share.
struct Shared {
    executor: Rc<LocalExecutor<'static>>,
    events: Rc<RefCell<VecDeque<Event>>>,
    programs: Programs,
    units: RefCell<Vec<Rc<Unit>>>,
    /// False in maintenance.
    watching: Cell<bool>,
    /// This daemon is on its way out.
    leaving: Cell<bool>,
    gate: Gate,
    /// Stops that systemd could not be asked for.
    owed: Owed,
}

/// An operation waits no longer for systemd to read its units.
const GATE: Duration = Duration::from_secs(5);

/// The pauses between questions whether systemd answers again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Where everything is slow it answers a second or third, longer try; nobody waits for that.
const ANSWER: Duration = Duration::from_secs(15);

/// A look does not wait longer for a unit that is on its way up or down: then it runs in part.
const LOOK: Duration = Duration::from_secs(5);

impl Services {
    /// None yet. What the tasks find out is pushed onto `events`.
    pub fn new(
        executor: Rc<LocalExecutor<'static>>,
        events: Rc<RefCell<VecDeque<Event>>>,
        programs: Programs,
    ) -> Services {
        Services {
            operations: Operations::new(executor.clone(), events.clone()),
            shared: Rc::new(Shared {
                owed: Owed::new(executor.clone()),
                executor,
                events,
                programs,
                units: RefCell::default(),
                watching: Cell::new(true),
                leaving: Cell::default(),
                gate: Gate::default(),
            }),
            patrol: None,
            observer: None,
            drop_ins: DropIns::default(),
        }
    }

    /// Why systemd was not told how services are to be stopped at a shutdown; none: it was, as far as is known.
    pub fn drop_in_trouble(&self) -> Option<String> {
        let why = self.drop_ins.trouble()?;
        Some(format!(
            "drop-ins of services cannot be written ({why}): without them a shutdown of this machine may stop services \
             before they are handed over; tried again by itself"
        ))
    }

    /// A new configuration: each service with its place, and the mounts that are to end after the daemon at shutdown. What
    /// is known of units that stay is kept. Drop-ins are written, and systemd reloaded if any changed,
    /// as soon as no operation is in flight; operations asked for meanwhile wait for that.
    pub fn replace(&mut self, services: Vec<(Place, Service)>, mounts: Vec<String>) {
        let control = |service: &Service| match service.mode {
            Mode::One => drop_in::Control::Full,
            Mode::Both => drop_in::Control::Watched,
        };
        let wanted = (services.iter()).map(|(_, s)| (s.unit.clone(), control(s)));
        let mounts = mounts
            .into_iter()
            .map(|unit| (unit, drop_in::Control::Ordered));
        let wanted: Vec<_> = wanted.chain(mounts).collect();
        let old = self.shared.units.take();
        let units = services.into_iter().map(|(place, service)| {
            match old.iter().find(|old| old.service.unit == service.unit) {
                Some(same) if same.service == service => {
                    same.place.set(place);
                    same.clone()
                }
                Some(old) => old.with(service, place),
                None => Unit::new(service, place),
            }
        });
        let units: Vec<Rc<Unit>> = units.collect();
        *self.shared.units.borrow_mut() = units.clone();
        for old in &old {
            if units.iter().any(|unit| Rc::ptr_eq(unit, old)) {
                continue;
            }
            let follower = units.iter().find(|u| u.service.unit == old.service.unit);
            if let Some(follower) = follower {
                follower.watch_again(&self.shared, old);
            }
            old.unwatch();
        }
        self.patrol();
        self.drop_ins.follow(&self.shared, wanted);
    }

    /// Finds out whether the service runs; if so, it is watched from now on.
    pub fn look(&mut self, place: Place) {
        self.operate(place, |unit, shared, begun| async move {
            match found(&unit, begun).await {
                Ok(seen) => {
                    let presence = seen.presence();
                    let age = sys::monotonic_us() - seen.unit.since_us;
                    let young = age < unit.service.start_timeout.as_micros() as i64;
                    let missing = seen.missing();
                    unit.saw(seen);
                    match presence {
                        Presence::All => unit.watch_running(&shared, young),
                        Presence::Some => {}
                        Presence::None => unit.watch_stopped(&shared),
                    }
                    Outcome::Found(match presence {
                        Presence::All => event::Presence::Running,
                        Presence::Some => event::Presence::Partial,
                        Presence::None if missing => event::Presence::Missing,
                        Presence::None => event::Presence::Absent,
                    })
                }
                Err(trouble) => Outcome::Failed(format!(
                    "whether {} runs is not known: {trouble}",
                    unit.service.unit
                )),
            }
        });
    }

    /// Starts the service, or restarts it if it runs and its check failed, and watches it.
    pub fn start(&mut self, place: Place) {
        self.shared.owed.forget(place);
        self.operate(place, |unit, shared, begun| async move {
            let service = &unit.service;
            let known = unit.seen.borrow().clone();
            let runs = known.as_ref().map(Seen::presence) == Some(Presence::All);
            let (start, stop) = (service.start_timeout, service.stop_timeout);
            let told = unit.told();
            let started = match unit.ailing.take() && runs {
                true => {
                    let patience = Patience::since(begun, start + stop, &told);
                    service::restart(&service.unit, stop, &patience).await
                }
                false => {
                    let patience = Patience::since(begun, start, &told);
                    service::start(&service.unit, known, &patience).await
                }
            };
            match started {
                Ok(seen) => {
                    unit.saw(seen);
                    unit.watch_running(&shared, true);
                    Outcome::Done
                }
                Err(NotStarted::Failed(why)) => {
                    unit.look_again().await;
                    Outcome::Failed(why)
                }
                Err(NotStarted::Unasked(why)) => {
                    unit.look_again().await;
                    shared.ask_until_answered(&unit);
                    Outcome::Unasked(why)
                }
            }
        });
    }

    /// Stops the service and looks whether it is gone; one of mode `both` is let run. What systemd could not be
    /// asked for in time is not done, and done as soon as it can be asked.
    pub fn stop(&mut self, place: Place) {
        let unit = self.shared.unit(place);
        if unit.is_some_and(|unit| unit.service.mode == Mode::Both) {
            let outcome = Outcome::Done;
            return self.operations.finish(place, outcome);
        }
        self.operate(place, move |unit, shared, begun| async move {
            let service = &unit.service;
            let known = unit.seen.borrow().clone();
            let leaving = shared.leaving.get();
            let told = unit.told();
            let patience = Patience::since(begun, service.stop_timeout, &told);
            match service::stop(&service.unit, known, &patience, leaving).await {
                Ok(seen) => {
                    unit.ailing.set(false);
                    unit.saw(seen);
                    unit.watch_stopped(&shared);
                    unit.ring(); // a look, for the status, that nobody waits for
                    Outcome::Done
                }
                Err(NotStopped::Stuck(why)) => {
                    unit.look_again().await;
                    Outcome::Failed(why)
                }
                Err(NotStopped::Unasked(why)) => {
                    unit.look_again().await;
                    shared.owe_a_stop(place);
                    Outcome::Failed(format!(
                        "{why}; it is stopped as soon as systemd can be asked"
                    ))
                }
            }
        });
    }

    /// This daemon's own unit is being stopped: from now on services are stopped without waiting for it.
    pub fn leave(&mut self) {
        self.shared.leaving.set(true);
    }

    /// Ends an operation now. What systemd was asked for goes on there, until a stop takes it back.
    pub fn cancel(&mut self, place: Place) {
        self.operations.cancel(place, "cancelled");
    }

    /// False: nothing is watched, only looked at (maintenance). True: what is looked at, started or stopped from now on
    /// is watched again.
    pub fn watch(&mut self, on: bool) {
        self.shared.watching.set(on);
        if !on {
            self.shared
                .units
                .borrow()
                .iter()
                .for_each(|unit| unit.unwatch());
        }
        let observe = || {
            self.shared
                .executor
                .spawn(watch::observe(self.shared.clone()))
        };
        self.observer = (!on).then(observe);
        self.patrol();
    }

    /// What is known of each service, by its place, for the status.
    pub fn views(&self) -> BTreeMap<Place, ServiceView> {
        let units = self.shared.units.borrow();
        units.iter().map(|u| (u.place.get(), u.view())).collect()
    }

    fn operate<F: Future<Output = Outcome> + 'static>(
        &mut self,
        place: Place,
        work: impl FnOnce(Rc<Unit>, Rc<Shared>, Instant) -> F + 'static,
    ) {
        let shared = self.shared.clone();
        let found = shared.unit(place);
        self.operations.begin_on(place, found, "service", |unit| {
            unit.unwatch(); // what the operation does is no news
            let begun = Instant::now();
            async move {
                let open = async { Some(shared.gate.pass().await) };
                // A systemd that takes so long to read its units is no reason not to ask it.
                let closed = async {
                    Timer::after(GATE).await;
                    None
                };
                let pass = open.or(closed).await;
                let outcome = work(unit, shared.clone(), begun).await;
                drop(pass);
                outcome
            }
        });
    }

    /// Looks out for changes as long as there is something to watch.
    fn patrol(&mut self) {
        let wanted = self.shared.watching.get() && !self.shared.units.borrow().is_empty();
        if !wanted {
            self.patrol = None;
        } else if self.patrol.is_none() {
            let task = watch::patrol(self.shared.clone());
            self.patrol = Some(self.shared.executor.spawn(task));
        }
    }
}

/// Looks for as long as the core waits for a look, which is as long as for a start.
async fn found(unit: &Unit, begun: Instant) -> Result<Seen, Trouble> {
    let service = &unit.service;
    let limit = service.start_timeout + service.stop_timeout;
    let told = unit.told();
    let mut patience = LOOK;
    loop {
        let seen = service::settle(&service.unit, &Patience::new(patience, &told)).await;
        let left = left(limit, begun);
        if seen.is_ok() || left.is_zero() {
            return seen;
        }
        patience = (patience * 2).min(left.max(LOOK));
    }
}

fn left(limit: Duration, begun: Instant) -> Duration {
    limit.saturating_sub(begun.elapsed())
}

impl Shared {
    fn push(&self, event: Event) {
        self.events.borrow_mut().push_back(event);
    }

    /// Until systemd can be asked about a unit: then its start may be tried again. Not at once, for whoever
    /// shows a unit may not be able to start it.
    fn ask_until_answered(self: &Rc<Shared>, unit: &Rc<Unit>) {
        let (shared, unit) = (self.clone(), unit.clone());
        let ask = async move {
            let mut pause = FIRST_PAUSE;
            loop {
                Timer::after(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                let told = unit.told();
                let patience = Patience::new(ANSWER, &told);
                if service::look(&unit.service.unit, &patience).await.is_ok() {
                    break;
                }
            }
            let (place, unready) = (unit.place.get(), None);
            shared.push(Event::Ready { place, unready });
        };
        self.executor.spawn(ask).detach();
    }

    /// Stops a service once systemd can be asked, unless it is to be started before. The core, which knows the stop
    /// for failed, looks now and then and finds it stopped.
    fn owe_a_stop(self: &Rc<Shared>, place: Place) {
        let shared = self.clone();
        let stop = async move || shared.stop_what_is_owed(place).await;
        self.owed.owe(place, (FIRST_PAUSE, LONGEST_PAUSE), stop);
    }

    async fn stop_what_is_owed(&self, place: Place) -> ControlFlow<()> {
        let Some(unit) = self.unit(place) else {
            return ControlFlow::Break(());
        };
        let told = unit.told();
        let known = service::look(&unit.service.unit, &Patience::new(ANSWER, &told)).await;
        // In maintenance nobody touches anything.
        let (Ok(known), true) = (known, self.watching.get()) else {
            return ControlFlow::Continue(());
        };
        let patience = Patience::new(unit.service.stop_timeout, &told);
        let leaving = self.leaving.get();
        let name = &unit.service.unit;
        match service::stop(name, Some(known), &patience, leaving).await {
            Ok(seen) => {
                log::info!("{name}: stopped, now that systemd can be asked");
                unit.saw(seen);
            }
            Err(NotStopped::Stuck(why)) => log::warn!("{why}"),
            Err(NotStopped::Unasked(_)) => return ControlFlow::Continue(()),
        }
        ControlFlow::Break(())
    }

    fn unit(&self, place: Place) -> Option<Rc<Unit>> {
        let units = self.units.borrow();
        let unit = units.iter().find(|unit| unit.place.get() == place);
        unit.cloned()
    }
}
