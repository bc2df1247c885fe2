//! Renews the lifetimes of VIPs, from a thread of its own.
//!
//! A renewal takes the kernel's network lock (RTNL), which others hold for seconds at times: while a large interface or
//! a table is deleted, or a driver resets its card. Waiting for it, the loop would be silent and deaf, and would have to
//! take itself for a machine that stood still. The lock ends no address meanwhile: the kernel takes it as well before it
//! removes what has expired (`check_lifetime` in net/ipv4/devinet.c, `addrconf_verify_rtnl` in net/ipv6/addrconf.c).
//!
//! What is done to addresses keeps its order: who is about to add or to remove some waits until no renewal is under way
//! ([`Renewer::settle`]). One that a paused machine comes back to does no more harm than in the loop: whatever the loop
//! does first, being late, is to remove them, behind it.

use super::clock;
use super::realtime;
use crate::agents::netlink::{AddressSpec, Route};
use crate::core::time::Time;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Renews one part after the other.
#[derive(Debug)]
pub struct Renewer<T: Send + 'static>(Arc<Shared<T>>);

/// Addresses with the lifetimes that they get.
#[derive(Debug)]
pub struct Work<T> {
    /// What the kernel is asked for.
    pub specs: Vec<AddressSpec>,
    /// After this moment it is not asked any more.
    pub until: Time,
    /// Whose they are.
    pub of: T,
}

/// What came of it: what the kernel said of each, unless it was too late to ask.
pub type Told<T> = (Work<T>, Option<io::Result<Vec<i32>>>);

#[derive(Debug)]
struct Shared<T> {
    stage: Mutex<Stage<T>>,
    changed: Condvar,
    bell: Waker,
}

#[derive(Debug)]
enum Stage<T> {
    Idle,
    Asked(Work<T>),
    Doing,
    Done(Told<T>),
    Over,
}

impl<T: Send + 'static> Renewer<T> {
    /// Starts the thread; what is done rings this bell.
    pub fn start(bell: Waker) -> io::Result<Renewer<T>> {
        let mut route = Route::open()?;
        Renewer::with(bell, move |specs| route.add(specs))
    }

    fn with(
        bell: Waker,
        add: impl FnMut(&[AddressSpec]) -> io::Result<Vec<i32>> + Send + 'static,
    ) -> io::Result<Renewer<T>> {
        let shared = Arc::new(Shared {
            stage: Mutex::new(Stage::Idle),
            changed: Condvar::new(),
            bell,
        });
        let work = shared.clone();
        realtime::spawn_behind("ha-renewal", move || work.run(add))?;
        Ok(Renewer(shared))
    }

    /// Whether it has nothing to do, and nothing to tell.
    pub fn is_idle(&self) -> bool {
        matches!(*self.0.stage(), Stage::Idle)
    }

    /// Asks for this, while it is idle.
    pub fn ask(&self, work: Work<T>) {
        let mut stage = self.0.stage();
        debug_assert!(matches!(*stage, Stage::Idle), "one at a time");
        *stage = Stage::Asked(work);
        self.0.changed.notify_all();
    }

    /// What came of what was asked for last, once.
    pub fn told(&self) -> Option<Told<T>> {
        let mut stage = self.0.stage();
        match std::mem::replace(&mut *stage, Stage::Idle) {
            Stage::Done(told) => Some(told),
            other => {
                *stage = other;
                None
            }
        }
    }

    /// Waits until nothing is under way.
    pub fn settle(&self) {
        let under_way = |stage: &mut Stage<T>| matches!(stage, Stage::Asked(_) | Stage::Doing);
        drop(self.0.wait_while(under_way));
    }
}

impl<T: Send + 'static> Drop for Renewer<T> {
    fn drop(&mut self) {
        self.settle();
        *self.0.stage() = Stage::Over;
        self.0.changed.notify_all();
    }
}

impl<T> Shared<T> {
    fn run(&self, mut add: impl FnMut(&[AddressSpec]) -> io::Result<Vec<i32>>) {
        while let Some(work) = self.next() {
            let verdicts = (clock::now() <= work.until).then(|| add(&work.specs));
            *self.stage() = Stage::Done((work, verdicts));
            self.changed.notify_all();
            self.bell.wake_by_ref();
        }
    }

    /// Waits for something to do; None: never again.
    fn next(&self) -> Option<Work<T>> {
        let nothing = |stage: &mut Stage<T>| !matches!(stage, Stage::Asked(_) | Stage::Over);
        let mut stage = self.wait_while(nothing);
        match std::mem::replace(&mut *stage, Stage::Doing) {
            Stage::Asked(work) => Some(work),
            _ => None,
        }
    }

    fn wait_while(&self, holds: impl FnMut(&mut Stage<T>) -> bool) -> MutexGuard<'_, Stage<T>> {
        let waited = self.changed.wait_while(self.stage(), holds);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn stage(&self) -> MutexGuard<'_, Stage<T>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    /// One whose kernel holds its lock until it is told to go on, and what it then says.
    fn held() -> (Renewer<u8>, mpsc::Sender<i32>) {
        let (free, wait) = mpsc::channel();
        let add = move |specs: &[AddressSpec]| Ok(vec![wait.recv().unwrap(); specs.len()]);
        (Renewer::with(Waker::noop().clone(), add).unwrap(), free)
    }

    fn work(of: u8, until: Time) -> Work<u8> {
        let one = AddressSpec {
            interface: 1,
            address: "10.0.0.1".parse().unwrap(),
            lifetime: Some(3),
        };
        let specs = vec![one; 2];
        Work { specs, until, of }
    }

    fn later() -> Time {
        clock::now() + Duration::from_secs(60)
    }

    #[test]
    fn the_loop_goes_on_while_the_kernel_keeps_a_renewal_waiting() {
        let (renewer, free) = held();
        assert!(renewer.is_idle());
        renewer.ask(work(7, later()));
        assert!(!renewer.is_idle() && renewer.told().is_none());
        free.send(22).unwrap();
        renewer.settle();
        assert!(!renewer.is_idle(), "it has something to tell");
        let (work, verdicts) = renewer.told().expect("it is done");
        assert_eq!((work.of, verdicts.unwrap().unwrap()), (7, vec![22, 22]));
        assert!(renewer.is_idle() && renewer.told().is_none(), "once");
    }

    #[test]
    fn what_waited_for_too_long_is_not_asked_of_the_kernel() {
        let (renewer, _free) = held();
        renewer.ask(work(7, Time(0)));
        renewer.settle();
        assert!(renewer.told().expect("it is done").1.is_none());
    }

    #[test]
    fn whoever_changes_addresses_waits_for_the_renewal() {
        let (renewer, free) = held();
        renewer.ask(work(7, later()));
        let waited = thread::spawn(move || {
            renewer.settle();
            renewer.told().is_some()
        });
        thread::sleep(Duration::from_millis(50));
        assert!(!waited.is_finished());
        free.send(0).unwrap();
        assert!(waited.join().unwrap());
    }
}
