//! One mount of the configuration: what is known of it, and the task that probes it.

use super::{Shared, watch};
use crate::agents::mount::{Found, Table, Target, Verb};
use crate::config::Mount;
use crate::id::Place;
use crate::shell::services::{CheckView, ServiceView};
use smol::Task;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A mount.
pub(super) struct Held {
    pub(super) mount: Mount,
    pub(super) place: Cell<Place>,
    /// What a watch takes for granted until it sees otherwise; none: nothing is watched.
    expected: Cell<Option<Expected>>,
    /// What was seen of it last, in words; empty: not looked yet.
    state: RefCell<String>,
    mounted: Cell<Option<bool>>,
    /// It is being written back, though it is used.
    pub(super) syncing: Cell<bool>,
    /// There is such a device.
    pub(super) device: Cell<bool>,
    /// The last probe.
    pub(super) check: RefCell<Option<CheckView>>,
    prober: RefCell<Option<Task<()>>>,
    /// What keeps helpers from being had for it, or from finding anything out, since the last answer.
    pub(super) hindered: RefCell<Option<(Verb, String)>>,
}

/// What a watch takes for granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It is mounted.
    Mounted,
    /// It is not.
    Absent,
}

/// So long an unmount may take without a word.
const LONG: Duration = Duration::from_secs(3);

impl Held {
    /// With what is known of the same one under other settings.
    pub(super) fn new(mount: Mount, place: Place, known: Option<&Held>) -> Held {
        let held = Held {
            device: Cell::new(mount.target.number().is_some()),
            mount,
            place: Cell::new(place),
            expected: Cell::default(),
            state: RefCell::default(),
            mounted: Cell::default(),
            syncing: Cell::default(),
            check: RefCell::default(),
            prober: RefCell::default(),
            hindered: RefCell::default(),
        };
        if let Some(known) = known {
            held.expected.set(known.expected.get());
            held.state.replace(known.state.borrow().clone());
            held.mounted.set(known.mounted.get());
            held.check.replace(known.check.borrow().clone());
        }
        held
    }

    pub(super) fn target(&self) -> &Target {
        &self.mount.target
    }

    /// It is the mount of that device at that place.
    pub(super) fn is(&self, target: &Target) -> bool {
        self.target().is_the_same(target)
    }

    /// From now on another state of it is an event.
    pub(super) fn expect(self: &Rc<Held>, shared: &Rc<Shared>, expected: Expected) {
        // A reload may have replaced this while an operation was under way.
        let current = shared
            .all
            .borrow()
            .iter()
            .find(|one| one.is(self.target()))
            .cloned();
        let Some(current) = current else {
            return;
        };
        if !Rc::ptr_eq(self, &current) {
            current.state.replace(self.state.borrow().clone());
            current.mounted.set(self.mounted.get());
        }
        if shared.watching.get() {
            current.device.set(self.target().number().is_some());
            current.expected.set(Some(expected));
            current.probe_if_mounted(shared);
        }
    }

    /// Probes it, if it is expected to be mounted.
    pub(super) fn probe_if_mounted(self: &Rc<Held>, shared: &Rc<Shared>) {
        let task = watch::probe(shared.clone(), self.clone());
        let wanted = self.is_expected(Expected::Mounted);
        *self.prober.borrow_mut() = wanted.then(|| shared.executor.spawn(task));
    }

    pub(super) fn is_expected(&self, expected: Expected) -> bool {
        self.expected.get() == Some(expected)
    }

    pub(super) fn unwatch(&self) {
        self.expected.set(None);
        self.prober.take();
    }

    /// Its probe, which calls this, has found that it does not serve.
    pub(super) fn lose(&self) {
        self.expected.set(None);
    }

    /// What a look found.
    pub(super) fn noted(&self, found: &Found) {
        let device = &self.target().device;
        self.mounted.set(Some(*found == Found::Mounted));
        if *found != Found::Mounted {
            self.check.take();
        }
        self.say(match found {
            Found::Mounted => format!("{device} is mounted"),
            Found::Absent => "not mounted".into(),
            Found::Missing => format!("there is no {device}"),
            Found::Elsewhere(holders) => format!("{device} is in use: {holders}"),
        });
    }

    /// A helper could do that: what kept others from it is over, as far as that tells.
    pub(super) fn could(&self, verb: Verb) {
        let tells = |hindered: Verb| {
            let tries_all = matches!(verb, Verb::Start | Verb::Probe);
            hindered == verb || tries_all && hindered != Verb::Stop
        };
        self.hindered
            .borrow_mut()
            .take_if(|(hindered, _)| tells(*hindered));
    }

    /// A stop is not done yet, and what was written goes to the disk.
    pub(super) fn writes_back(&self, verb: Verb, lasts: Duration) {
        if verb == Verb::Stop && lasts >= LONG {
            let device = &self.target().device;
            let seconds = lasts.as_secs();
            self.say(format!(
                "what was written goes to {device}, for {seconds} s; then it is unmounted"
            ));
        }
    }

    pub(super) fn say(&self, state: String) {
        self.state.replace(state);
    }

    /// The daemon sees it, as far as it can see at all.
    pub(super) fn is_seen(&self) -> bool {
        Table::read().map_or(true, |table| self.target().entry(&table).is_some())
    }

    /// Why what is mounted does not serve; none: it does, as far as the table tells.
    pub(super) fn fault(&self, table: &Table) -> Option<String> {
        let target = self.target();
        match target.entry(table) {
            None => Some(format!("{} was unmounted by somebody else", target.point)),
            Some(entry) => {
                let sign = entry.unwritable().filter(|_| target.writable())?;
                Some(format!(
                    "{} cannot be written to any more ({sign}): the file system or {} has an error, the kernel's log says \
                     which",
                    target.point, target.device
                ))
            }
        }
    }

    pub(super) fn view(&self, watching: bool) -> ServiceView {
        let mounted = self.mounted.get();
        // In maintenance nothing is told to the core, and all the more it is shown.
        let fault = (!watching && mounted == Some(true))
            .then(|| self.fault(&Table::read().ok()?))
            .flatten();
        ServiceView {
            unit: self.target().point.clone(),
            installed: Some(self.device.get()),
            runs: mounted.map(|mounted| mounted && fault.is_none()),
            state: fault.unwrap_or_else(|| self.state.borrow().clone()),
            since: None,
            main_pid: None,
            check: self.check.borrow().clone(),
            has_check: false,
            notice: self.hindered.borrow().as_ref().map(|(_, why)| why.clone()),
            watched: self.expected.get().is_some(),
        }
    }
}
