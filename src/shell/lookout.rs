//! Looks at the machine's network from a thread of its own.
//!
//! Whoever asks the kernel for its interfaces waits for its network lock (RTNL), which others hold for
//! 30 ms and more while containers come and go, and for as long as a table of a million routes takes.
//! Heartbeats must not wait with them: the loop asks for a look, goes on, and is woken when there is one.
//!
//! A look that fails (the tables changed while they were read, the kernel has no memory, no descriptor is
//! left) is tried again until it succeeds. Until then the last good one stands, and what is wrong is told.

use super::realtime;
use crate::agents::host::Host;
use crate::agents::netlink::Route;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

/// Looks when it is asked to.
#[derive(Debug)]
pub struct Lookout(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    asked: Condvar,
    bell: Waker,
}

#[derive(Debug, Default)]
struct State {
    wanted: bool,
    seen: Option<Host>,
    failing: Option<Failing>,
    over: bool,
}

/// Looks that fail one after the other.
#[derive(Debug)]
struct Failing {
    since: Instant,
    why: String,
    told: bool,
}

/// After a look nobody looks again for at least so long, and for twice as long as it took: changes that come
/// by the hundred are seen together, and a large table costs a third of a core at most.
const REST: Duration = Duration::from_millis(5);
/// The longest such rest.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// What fails for less long is no news: a batch of addresses that somebody adds is over by then.
const NEWS: Duration = Duration::from_secs(1);

impl Lookout {
    /// Starts the thread; its looks ring this bell.
    pub fn start(bell: Waker) -> io::Result<Lookout> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            asked: Condvar::new(),
            bell,
        });
        let work = shared.clone();
        realtime::spawn_behind("ha-look", move || work.run(Asker::default()))?;
        Ok(Lookout(shared))
    }

    /// A look that begins after this call is wanted.
    pub fn look(&self) {
        self.0.state().wanted = true;
        self.0.asked.notify_one();
    }

    /// What was seen since the last call.
    pub fn seen(&self) -> Option<Host> {
        self.0.state().seen.take()
    }

    /// Waits for the first look, at most so long.
    pub fn first(&self, at_most: Duration) -> Option<Host> {
        self.look();
        let begun = Instant::now();
        while begun.elapsed() < at_most {
            if let Some(host) = self.seen() {
                return Some(host);
            }
            thread::sleep(Duration::from_millis(1));
        }
        None
    }

    /// Why there is no look, where that is so for long enough to be told.
    pub fn trouble(&self) -> Option<String> {
        let state = self.0.state();
        let failing = state.failing.as_ref()?;
        failing.told.then(|| failing.why.clone())
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.0.state().over = true;
        self.0.asked.notify_one();
    }
}

/// Asks through one socket that stays open, so that a lack of descriptors does not blind it.
#[derive(Default)]
struct Asker(Option<Route>);

impl Asker {
    fn look(&mut self) -> io::Result<Host> {
        let route = match &mut self.0 {
            Some(route) => route,
            none => none.insert(Route::open()?),
        };
        route.host()
    }
}

impl Shared {
    fn run(&self, mut asker: Asker) {
        while self.wait() {
            let begun = Instant::now();
            self.note(asker.look());
            self.bell.wake_by_ref();
            thread::sleep((begun.elapsed() * 2).clamp(REST, LONGEST_REST));
        }
    }

    /// Waits until a look is wanted; false: never again.
    fn wait(&self) -> bool {
        let mut state = self.state();
        while !state.wanted && !state.over {
            state = self
                .asked
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.wanted = false;
        !state.over
    }

    fn note(&self, look: io::Result<Host>) {
        let mut state = self.state();
        match look {
            Ok(host) => {
                state.failing = None;
                state.seen = Some(host);
            }
            Err(error) => {
                state.wanted = true;
                let failing = state.failing.get_or_insert_with(|| Failing {
                    since: Instant::now(),
                    why: String::new(),
                    told: false,
                });
                failing.why = error.to_string();
                failing.told = failing.since.elapsed() >= NEWS;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        Shared {
            state: Mutex::default(),
            asked: Condvar::new(),
            bell: Waker::noop().clone(),
        }
    }

    fn failed() -> io::Result<Host> {
        Err(io::Error::from_raw_os_error(libc::EAGAIN))
    }

    #[test]
    fn a_look_that_fails_is_tried_again_until_it_succeeds() {
        let shared = shared();
        shared.state().wanted = true;
        for _ in 0..3 {
            assert!(shared.wait());
            shared.note(failed());
            assert_eq!(shared.state().seen, None);
        }
        assert!(shared.wait(), "still wanted");
        shared.note(Ok(Host::default()));
        let state = shared.state();
        assert_eq!(state.seen, Some(Host::default()));
        assert!(!state.wanted && state.failing.is_none());
    }

    #[test]
    fn what_fails_for_long_is_told_until_it_is_over() {
        let shared = Arc::new(shared());
        let lookout = Lookout(shared.clone());
        shared.note(failed());
        assert_eq!(lookout.trouble(), None, "not yet");
        let begun = Instant::now()
            .checked_sub(NEWS)
            .expect("a second of uptime");
        shared.state().failing.as_mut().expect("it fails").since = begun;
        shared.note(failed());
        assert!(lookout.trouble().is_some());
        shared.note(Ok(Host::default()));
        assert_eq!(lookout.trouble(), None);
    }

    #[test]
    fn what_is_asked_for_during_a_look_is_looked_at_after_it() {
        let shared = Arc::new(shared());
        let lookout = Lookout(shared.clone());
        lookout.look();
        assert!(shared.wait());
        lookout.look();
        shared.note(Ok(Host::default()));
        assert!(shared.state().wanted);
    }
}
