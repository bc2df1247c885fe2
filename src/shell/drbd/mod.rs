//! The DRBD resources of the configuration: their operations, the watch over them in between, and what they say of
//! themselves: whether their data may be promoted here, and handed over to here.
//!
//! As with services and mounts, everything is a task of the daemon's executor and ends in an event. What is known of
//! DRBD comes from one child, `drbdsetup events2`; what is done to it, by a tool in a unit of its own, one at a time.

mod accept;
mod disk;
mod fence;
mod links;
mod outdate;
mod strangers;

use super::operations::Operations;
use super::owed::Owed;
use super::services::ServiceView;
use crate::agents::drbd::copies::{Copies, Peer};
use crate::agents::drbd::events::State;
use crate::agents::drbd::follow::{Known, follow};
use crate::agents::drbd::tools::{NotDone, Tools};
use crate::agents::program::Programs;
use crate::config::Drbd;
use crate::core::event::{Event, Outcome, Presence};
use crate::core::peer::PeerState;
use crate::core::protocol::right::Right;
use crate::core::time::Time;
use crate::id::{GroupId, Place};
use crate::shell::aside::Message;
use crate::shell::clock;
use disk::{Disk, Expected};
pub use fence::Verdict;
use links::Links;
use outdate::Answers;
use smol::{LocalExecutor, Task, Timer};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The DRBD resources.
pub struct Disks {
    shared: Rc<Shared>,
    operations: Operations,
    /// Follows what DRBD says.
    followers: Vec<Task<()>>,
}

/// Devices of which all I/O waits, or has waited: until then; None: it still does.
pub type Frozen = Rc<RefCell<Vec<(PathBuf, Option<Time>)>>>;

/// What the tasks share.
struct Shared {
    executor: Rc<LocalExecutor<'static>>,
    events: Rc<RefCell<VecDeque<Event>>>,
    tools: Tools,
    known: Known,
    all: RefCell<Vec<Rc<Disk>>>,
    /// False in maintenance.
    watching: Cell<bool>,
    peer: Cell<Peer>,
    peer_name: String,
    links: Links,
    /// Marks of what was done in this boot.
    marks: PathBuf,
    /// Demotions that DRBD could not be asked for.
    owed: Owed,
    /// Taken down here, since this node leaves.
    gone: RefCell<Vec<String>>,
    /// The other node has taken what it was told.
    answered: Cell<bool>,
    /// What no group has.
    strangers: RefCell<strangers::Strangers>,
    frozen: Frozen,
}

/// Where the tools are.
const TOOLS: &str = "/sbin";
/// The kernel has DRBD.
const MODULE: &str = "/sys/module/drbd";
/// For so long what DRBD says is waited for.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often something is looked at again that is no event: how much is out of sync, how old the silence is.
const ROUND: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(50);
/// Before it is tried once more to bring one up.
const AGAIN: Duration = Duration::from_secs(10);
/// So long the other node may take to hear what it is told last, at least.
const TAKEN: Duration = Duration::from_secs(2);
/// What a promotion leaves of its time for the tools around it.
const AROUND: Duration = Duration::from_secs(5);

impl Disks {
    /// None yet. What the tasks find out is pushed onto `events`.
    pub fn new(
        executor: Rc<LocalExecutor<'static>>,
        events: Rc<RefCell<VecDeque<Event>>>,
        programs: Programs,
        run_dir: &Path,
        peer_name: &str,
        frozen: Frozen,
    ) -> Disks {
        Disks {
            operations: Operations::new(executor.clone(), events.clone()),
            shared: Rc::new(Shared {
                owed: Owed::new(executor.clone()),
                executor,
                events,
                tools: Tools::new(programs, Path::new(TOOLS)),
                known: Known::default(),
                all: RefCell::default(),
                watching: Cell::new(true),
                peer: Cell::new(Peer::unheard(clock::now())),
                peer_name: peer_name.to_owned(),
                links: Links::default(),
                marks: run_dir.join("drbd"),
                gone: RefCell::default(),
                answered: Cell::default(),
                strangers: RefCell::default(),
                frozen,
            }),
            followers: Vec::new(),
        }
    }

    /// A new configuration: each resource with its place, and how many links there are. What is known of those that
    /// stay is kept.
    pub fn replace(&mut self, disks: Vec<(Place, Drbd)>, links: usize) {
        self.shared.links.count(links);
        let old = self.shared.all.take();
        let disks = disks.into_iter().map(|(place, drbd)| {
            let known = old.iter().find(|old| old.name == drbd.resource);
            match known {
                Some(known) => {
                    known.place.set(place);
                    known.clone()
                }
                None => Rc::new(Disk::new(drbd.resource, place)),
            }
        });
        *self.shared.all.borrow_mut() = disks.collect();
        self.follow();
        self.shared.review();
    }

    /// Whether a resource is one of them.
    pub fn has(&self, place: Place) -> bool {
        self.shared.disk(place).is_some()
    }

    /// The other node was heard by that link, if it is one.
    pub fn heard(&self, path: usize) {
        self.shared.links.heard(path);
    }

    /// The other node's state is another.
    pub fn peer(&mut self, state: PeerState, now: Time) {
        let mut peer = self.shared.peer.get();
        if peer.becomes(state, now) {
            let all = self.shared.all.borrow();
            all.iter().for_each(|disk| disk.note(Copies::peer_is_back));
        }
        self.shared.peer.set(peer);
        self.shared.review();
    }

    /// Finds out whether it is Primary here. One that is down is brought up first, once in a boot: whoever takes it
    /// down later, wants it down.
    pub fn look(&mut self, place: Place) {
        self.operate(place, |disk, shared| async move {
            shared.bring_up(&disk).await;
            if !module() {
                disk.expect(&shared, Expected::Secondary);
                return Outcome::Found(Presence::Absent);
            }
            if !shared.complete_within(PATIENCE).await {
                let why = format!("what DRBD says of {} is not known", disk.name);
                return Outcome::Failed(why);
            }
            let primary = disk.is_primary(&shared.known.borrow());
            let (expected, found) = match primary {
                true => (Expected::Primary, Presence::Running),
                false => (Expected::Secondary, Presence::Absent),
            };
            disk.expect(&shared, expected);
            Outcome::Found(found)
        });
    }

    /// Promotes it, by that right.
    pub fn start(&mut self, place: Place, right: Option<Right>) {
        self.shared.owed.forget(place);
        self.operate(place, move |disk, shared| async move {
            let until = Instant::now() + Drbd::START - AROUND;
            let off = matches!(right, Some(Right::Fenced { .. }));
            let alone = loop {
                let allowed = {
                    let state = shared.known.borrow();
                    let sight = disk.sight(&shared, &state);
                    disk.copies.get().may_promote(&sight, off)
                };
                match allowed {
                    Ok(Some(alone)) => break alone,
                    Err(why) => return Outcome::Failed(why),
                    Ok(None) if Instant::now() >= until => {
                        let peer = &shared.peer_name;
                        return disk.unasked(match shared.known.borrow().complete {
                            false => format!("what DRBD says of {} is not known", disk.name),
                            true => format!(
                                "{} is not connected to {peer}, and it is not certain that {peer} is off",
                                disk.name
                            ),
                        });
                    }
                    Ok(None) => drop(Timer::after(POLL).await),
                }
            };
            let left = until.saturating_duration_since(Instant::now());
            let named = disk.named(&shared.known.borrow());
            if alone {
                shared.mark(&disk, CUT);
            }
            let force = disk.copies.get().accepted;
            let promoted = shared.tools.promote(&named, alone, force, left).await;
            match promoted {
                Ok(()) => {
                    disk.note(|copies| copies.accepted = false);
                    if alone {
                        // The other side finds it here when it is back.
                        shared.connect_again(&disk).await;
                    }
                    disk.wait_for(&shared, true).await;
                    disk.expect(&shared, Expected::Primary);
                    Outcome::Done
                }
                Err(NotDone::Unasked(why)) => disk.unasked(why),
                Err(NotDone::Failed(why)) => Outcome::Failed(why),
            }
        });
    }

    /// Demotes it. Whoever has its device open is waited for, and then named.
    pub fn stop(&mut self, place: Place) {
        self.operate(place, move |disk, shared| async move {
            let known = !module() || shared.complete_within(PATIENCE).await;
            if !known || disk.is_primary(&shared.known.borrow()) {
                let (named, frozen) = {
                    let state = shared.known.borrow();
                    (disk.named(&state), disk.standing(&shared, &state).frozen)
                };
                match shared.tools.demote(&named, &frozen).await {
                    Ok(()) => {}
                    Err(NotDone::Failed(why)) => return Outcome::Failed(why),
                    Err(NotDone::Unasked(why)) => {
                        shared.owe_a_stop(place);
                        return Outcome::Failed(format!(
                            "{why}; it is demoted as soon as that can be"
                        ));
                    }
                }
                disk.wait_for(&shared, false).await;
            }
            disk.expect(&shared, Expected::Secondary);
            Outcome::Done
        });
    }

    /// Takes it down: this node leaves. What it has is older from now on where it is `theirs`. `answers` is where this
    /// is told: the other node's DRBD may ask for it. `within`: so long the other node's next heartbeats may take.
    pub fn part(&mut self, place: Place, theirs: bool, within: Duration, answers: Answers) {
        self.operate(place, move |disk, shared| async move {
            let (up, primary, connected, named) = {
                let state = shared.known.borrow();
                let (up, primary) = (module() && disk.is_up(&state), disk.is_primary(&state));
                let connected = state.is_connected(&disk.name);
                (up, primary, connected, disk.named(&state))
            };
            // What could not be stopped is still written to, or its I/O is frozen: it would wait for that for ever, and
            // the other side would be given up by who has newer data.
            if primary {
                return Outcome::Failed(format!(
                    "{} is still Primary here, and is left as it is",
                    disk.name
                ));
            }
            if up {
                let reached = connected && shared.links.are_heard(within).await;
                if let Err(why) = shared.tools.down(&named, reached, theirs).await {
                    return Outcome::Failed(why);
                }
                shared.unmark(&disk, UP);
            }
            // What was written here alone is newer than what the other has.
            if !theirs && !connected {
                return Outcome::Done;
            }
            let resources = {
                let mut gone = shared.gone.borrow_mut();
                gone.push(disk.name.clone());
                gone.clone()
            };
            let parted = Message::Parted { resources };
            answers.borrow_mut().push_back(parted);
            // The goodbye that follows is the last that this daemon says, and has no room for more than is left by then.
            shared.answered.set(false);
            let until = Instant::now() + within.max(TAKEN);
            while !shared.answered.get()
                && shared.peer.get().state.is_heard()
                && Instant::now() < until
            {
                Timer::after(POLL).await;
            }
            Outcome::Done
        });
    }

    /// The other node has taken what it was answered.
    pub fn answers_taken(&self) {
        self.shared.answered.set(true);
    }

    /// The other node leaves, and has taken these down.
    pub fn parted(&self, resources: &[String]) {
        for resource in resources {
            if let Some(disk) = self.shared.named(resource) {
                disk.note(|copies| copies.parted = true);
            }
        }
    }

    /// Ends an operation now. What the tool does goes on.
    pub fn cancel(&mut self, place: Place) {
        self.operations.give_up(place);
    }

    /// False: of what becomes of them nothing is told to the core, only shown (maintenance).
    pub fn watch(&mut self, on: bool) {
        self.shared.watching.set(on);
        if !on {
            let all = self.shared.all.borrow();
            all.iter().for_each(|disk| disk.unwatch());
        }
    }

    /// What is known of each, by its place, for the status.
    pub fn views(&self) -> BTreeMap<Place, ServiceView> {
        let state = self.shared.known.borrow();
        let all = self.shared.all.borrow();
        let view = |disk: &Rc<Disk>| (disk.place.get(), disk.view(&self.shared, &state));
        all.iter().map(view).collect()
    }

    fn operate<F: Future<Output = Outcome> + 'static>(
        &mut self,
        place: Place,
        work: impl FnOnce(Rc<Disk>, Rc<Shared>) -> F + 'static,
    ) {
        let shared = self.shared.clone();
        let found = shared.disk(place);
        self.operations
            .begin_on(place, found, "DRBD resource", |disk| {
                disk.unwatch(); // what the operation does is no news
                work(disk, shared)
            });
    }

    /// Follows what DRBD says as long as somebody wants to know.
    fn follow(&mut self) {
        let wanted = !self.shared.all.borrow().is_empty();
        if !wanted {
            self.followers.clear();
        } else if self.followers.is_empty() {
            let executor = &self.shared.executor;
            self.followers = vec![
                executor.spawn(listen(self.shared.clone())),
                executor.spawn(patrol(self.shared.clone())),
            ];
        }
    }
}

/// It is being brought up.
const BEGUN: &str = "begun";
/// It was brought up in this boot.
const UP: &str = "up";
/// Its connection was cut, to be made again.
const CUT: &str = "cut";

/// The kernel has DRBD; without it nothing is Primary.
fn module() -> bool {
    Path::new(MODULE).exists()
}

async fn listen(shared: Rc<Shared>) {
    while !module() {
        shared.known.borrow_mut().trouble =
            Some("the module is not loaded: `modprobe drbd`".into());
        Timer::after(POLL * 4).await;
    }
    let known = shared.known.clone();
    follow(Path::new(TOOLS), known, |_| shared.review()).await;
}

async fn patrol(shared: Rc<Shared>) {
    loop {
        Timer::after(ROUND).await;
        shared.review();
        let all = shared.all.borrow().clone();
        if let (Some(_), Some(first)) = (shared.tools.hindered(), all.first()) {
            shared.tools.try_out(&first.name).await;
        }
        for disk in all {
            // What did not come up at once, may do so later: its disk, or the network, was not there.
            if disk.idle_for(AGAIN) && disk.is_watched() {
                shared.bring_up(&disk).await;
            }
            // Its handler died, or asked a daemon that is no more: DRBD does not ask again by itself.
            if disk.owes_an_answer(&shared, clock::now()) {
                let named = disk.named(&shared.known.borrow());
                shared.mark(&disk, CUT);
                match shared.tools.ask_again(&named).await {
                    Ok(()) => {
                        shared.unmark(&disk, CUT);
                        log::warn!("{}: DRBD is made to ask again", disk.name);
                    }
                    Err(why) => log::warn!("{}: {why}", disk.name),
                }
            }
        }
    }
}

impl Shared {
    fn disk(&self, place: Place) -> Option<Rc<Disk>> {
        let all = self.all.borrow();
        all.iter().find(|disk| disk.place.get() == place).cloned()
    }

    fn of(&self, group: GroupId) -> Option<Rc<Disk>> {
        let all = self.all.borrow();
        let of = |disk: &&Rc<Disk>| disk.place.get().group == group;
        all.iter().find(of).cloned()
    }

    fn named(&self, name: &str) -> Option<Rc<Disk>> {
        let all = self.all.borrow();
        all.iter().find(|disk| disk.name == name).cloned()
    }

    /// Something may be another: tells the core what that changes.
    fn review(&self) {
        let (state, now) = (self.known.borrow(), clock::now());
        self.follow_strangers(&state, now);
        for disk in self.all.borrow().iter() {
            let events = disk.review(self, &state, now);
            self.events.borrow_mut().extend(events);
        }
    }

    /// All that DRBD has to say was said, within that.
    async fn complete_within(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while !self.known.borrow().complete {
            if Instant::now() >= until {
                return false;
            }
            Timer::after(POLL).await;
        }
        true
    }

    /// Brings it up, if that was not done in this boot; never in maintenance.
    async fn bring_up(&self, disk: &Disk) {
        if !self.watching.get() || self.is_marked(disk, UP) && !self.is_marked(disk, CUT) {
            return;
        }
        disk.tried();
        match self.try_to_bring_up(disk).await {
            Ok(()) => self.mark(disk, UP),
            Err(why) => log::warn!("{}: {why}", disk.name),
        }
        disk.tried();
        self.review();
    }

    async fn try_to_bring_up(&self, disk: &Disk) -> Result<(), String> {
        if module() {
            self.complete_within(PATIENCE).await;
        }
        if self.is_marked(disk, CUT) {
            let tries = disk.has_connection(&self.known.borrow());
            match tries {
                true => self.unmark(disk, CUT),
                false => self.connect_again(disk).await,
            }
        }
        if self.is_marked(disk, UP) {
            return Ok(());
        }
        // Somebody else's doing, all of it.
        if module() && disk.is_settled(&self.known.borrow()) && !self.is_marked(disk, BEGUN) {
            return Ok(());
        }
        self.mark(disk, BEGUN);
        disk.rising.set(true);
        self.review();
        let risen = self.tools.up(&disk.named(&State::default())).await;
        disk.rising.set(risen.is_ok());
        risen?;
        self.unmark(disk, BEGUN);
        let until = Instant::now() + PATIENCE;
        while !disk.is_settled(&self.known.borrow()) && Instant::now() < until {
            Timer::after(POLL).await;
        }
        disk.rising.set(false);
        Ok(())
    }

    /// Demotes it once its tools can be run, unless it is to be promoted before. The core, which knows the stop for
    /// failed, looks now and then and finds it stopped.
    fn owe_a_stop(self: &Rc<Shared>, place: Place) {
        let shared = self.clone();
        let stop = async move || shared.stop_what_is_owed(place).await;
        self.owed.owe(place, (ROUND, ROUND), stop);
    }

    async fn stop_what_is_owed(&self, place: Place) -> ControlFlow<()> {
        let Some(disk) = self.disk(place) else {
            return ControlFlow::Break(());
        };
        // In maintenance nobody touches anything.
        if !self.watching.get() {
            return ControlFlow::Continue(());
        }
        let named = disk.named(&self.known.borrow());
        match self.tools.demote(&named, "").await {
            Ok(()) => log::info!("{}: demoted, now that it can be", disk.name),
            Err(NotDone::Failed(why)) => log::warn!("{}: {why}", disk.name),
            Err(NotDone::Unasked(_)) => return ControlFlow::Continue(()),
        }
        ControlFlow::Break(())
    }

    /// Makes the connection again that was cut here.
    async fn connect_again(&self, disk: &Disk) {
        let named = disk.named(&self.known.borrow());
        match self.tools.connect(&named).await {
            Ok(()) => self.unmark(disk, CUT),
            Err(why) => log::warn!("{}: {why}", disk.name),
        }
    }

    fn mark(&self, disk: &Disk, what: &str) {
        let written = std::fs::create_dir_all(&self.marks)
            .and_then(|()| std::fs::write(self.path(disk, what), ""));
        if let Err(error) = written {
            log::warn!("{}: {error}", self.path(disk, what).display());
        }
    }

    fn unmark(&self, disk: &Disk, what: &str) {
        let _ = std::fs::remove_file(self.path(disk, what));
    }

    fn is_marked(&self, disk: &Disk, what: &str) -> bool {
        self.path(disk, what).exists()
    }

    fn path(&self, disk: &Disk, what: &str) -> PathBuf {
        self.marks.join(format!("{}.{what}", disk.name))
    }
}

#[cfg(test)]
mod tests;
