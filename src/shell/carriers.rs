//! Asks for the carrier of the VIP interfaces, from a thread of its own.
//!
//! The drivers know at once ([`crate::agents::carrier`]), but the way to them takes the kernel's network
//! lock (RTNL), and so does every other that tells the truth: of /sys/class/net, `carrier` takes it since
//! Linux 5.18 and `operstate` is behind by as much as the events are. Asked by the loop, every heartbeat
//! waited for whoever held it: with busy neighbours a pair at 10 ms x 3 lost its VIP every two seconds.

use super::realtime;
use crate::agents::carrier::Drivers;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// What the drivers say of their carriers: by the interface's name; None where one does not say.
pub type Told = BTreeMap<String, Option<bool>>;

/// Asks them.
#[derive(Debug)]
pub struct Carriers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    hurry: Condvar,
    bell: Waker,
}

#[derive(Debug, Default)]
struct State {
    interfaces: Vec<String>,
    every: Duration,
    told: Told,
    /// It changed, and nobody has heard it.
    news: bool,
    hurry: bool,
    over: bool,
}

impl Carriers {
    /// Starts the thread; what changes rings this bell.
    pub fn start(bell: Waker) -> io::Result<Carriers> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            hurry: Condvar::new(),
            bell,
        });
        let drivers = Drivers::open()?;
        let work = shared.clone();
        let work = move || work.run(|name| drivers.carrier(name));
        realtime::spawn_behind("ha-carrier", work)?;
        Ok(Carriers(shared))
    }

    /// Of which interfaces to ask, and how often.
    pub fn follow(&self, interfaces: impl Iterator<Item = String>, every: Duration) {
        let mut state = self.0.state();
        state.interfaces = interfaces.collect();
        state.every = every;
        drop(state);
        self.hurry();
    }

    /// Something changed: asks at once.
    pub fn hurry(&self) {
        self.0.state().hurry = true;
        self.0.hurry.notify_one();
    }

    /// What they say, where that has changed since the last call.
    pub fn told(&self) -> Option<Told> {
        let mut state = self.0.state();
        std::mem::take(&mut state.news).then(|| state.told.clone())
    }
}

impl Drop for Carriers {
    fn drop(&mut self) {
        self.0.state().over = true;
        self.0.hurry.notify_one();
    }
}

/// While there is nothing to ask.
const IDLE: Duration = Duration::from_secs(60);

impl Shared {
    fn run(&self, ask: impl Fn(&str) -> Option<bool>) {
        while let Some(interfaces) = self.wait() {
            let told = interfaces.into_iter().map(|name| {
                let carrier = ask(&name);
                (name, carrier)
            });
            if self.note(told.collect()) {
                self.bell.wake_by_ref();
            }
        }
    }

    /// Waits until it is time to ask again; None: never.
    fn wait(&self) -> Option<Vec<String>> {
        let state = self.state();
        let every = match state.interfaces.is_empty() {
            true => IDLE,
            false => state.every,
        };
        let waited = self
            .hurry
            .wait_timeout_while(state, every, |state| !state.hurry && !state.over);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.hurry = false;
        (!state.over).then(|| state.interfaces.clone())
    }

    /// True where it is news.
    fn note(&self, told: Told) -> bool {
        let mut state = self.state();
        let news = state.told != told;
        state.told = told;
        state.news |= news;
        news
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::task::Wake;
    use std::thread;

    struct Rung(mpsc::Sender<()>);

    impl Wake for Rung {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }

    #[test]
    fn a_change_is_told_once_and_rings() {
        let (rung, rings) = mpsc::channel();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            hurry: Condvar::new(),
            bell: Waker::from(Arc::new(Rung(rung))),
        });
        let cable = Arc::new(AtomicBool::new(true));
        let (work, plugged) = (shared.clone(), cable.clone());
        let asker = thread::spawn(move || {
            work.run(|name| (name == "eth0").then(|| plugged.load(Ordering::Relaxed)))
        });
        let carriers = Carriers(shared);
        let names = ["eth0", "tun0"].map(str::to_owned);
        carriers.follow(names.into_iter(), Duration::from_millis(1));
        for carrier in [true, false, true] {
            cable.store(carrier, Ordering::Relaxed);
            rings.recv().expect("a bell");
            let told = carriers.told().expect("news");
            assert_eq!(told["eth0"], Some(carrier));
            assert_eq!(told["tun0"], None, "a driver that does not say");
            assert_eq!(carriers.told(), None, "once");
        }
        drop(carriers);
        asker.join().expect("it ends with its owner");
    }
}
