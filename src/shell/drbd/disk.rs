//! One DRBD resource of the configuration: what is known of it.

use super::Shared;
use crate::agents::drbd::copies::{Copies, Sight};
use crate::agents::drbd::events::{Kind, State};
use crate::agents::drbd::progress::{PROC, Progress, progress};
use crate::agents::drbd::standing::{self, Standing};
use crate::agents::drbd::tools::Named;
use crate::core::event::{Event, Extent, Outcome, Unready};
use crate::core::peer::PeerState;
use crate::core::time::Time;
use crate::id::Place;
use crate::shell::clock;
use crate::shell::services::ServiceView;
use crate::shell::status::sentence::FROZEN;
use smol::Timer;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A resource.
pub(super) struct Disk {
    pub(super) name: String,
    pub(super) place: Cell<Place>,
    /// What a watch takes for granted until it sees otherwise; none: nothing is watched.
    expected: Cell<Option<Expected>>,
    /// What is remembered of what is here and what is there.
    pub(super) copies: Cell<Copies>,
    /// What is not told before it has lasted, and since when it is so.
    passing: RefCell<Option<(String, Time)>>,
    /// All of its disks were attached when DRBD was last read.
    attached: Cell<bool>,
    /// When one of them went, in words; empty: all are there, or it went unseen.
    pub(super) lost: RefCell<String>,
    /// Since when DRBD has not said all that there is.
    unknown_since: Cell<Option<Time>>,
    /// It is being brought up.
    pub(super) rising: Cell<bool>,
    /// When it was last tried to bring it up; None: never, which is up to the first look.
    tried: Cell<Option<Instant>>,
    /// Since when its I/O waits.
    frozen_since: Cell<Option<Time>>,
    /// When its handler asked last.
    pub(super) asked: Cell<Option<Time>>,
    /// When DRBD was made to ask again.
    asked_again: Cell<Option<Time>>,
    /// What the core knows of it; none: nothing was said.
    told: RefCell<Option<Option<Unready>>>,
}

/// What a watch takes for granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It is promoted here.
    Primary,
    /// It is not.
    Secondary,
}

/// DRBD's words are read anew within milliseconds when some were lost.
const BRIEF: Duration = Duration::from_secs(3);
/// A handler that lives asks every second.
const DEBT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);
const SOON: Duration = Duration::from_secs(2);
/// A connection is made, and a side taken down, within this.
const PASSING: Duration = Duration::from_millis(1500);

impl Disk {
    pub(super) fn new(name: String, place: Place) -> Disk {
        Disk {
            name,
            place: Cell::new(place),
            expected: Cell::default(),
            copies: Cell::default(),
            passing: RefCell::default(),
            attached: Cell::default(),
            lost: RefCell::default(),
            unknown_since: Cell::new(Some(Time(0))),
            rising: Cell::default(),
            tried: Cell::default(),
            frozen_since: Cell::default(),
            asked: Cell::default(),
            asked_again: Cell::default(),
            told: RefCell::default(),
        }
    }

    /// From now on another role of it is an event.
    pub(super) fn expect(&self, shared: &Shared, expected: Expected) {
        if shared.watching.get() {
            self.expected.set(Some(expected));
        }
        shared.review();
    }

    pub(super) fn tried(&self) {
        self.tried.set(Some(Instant::now()));
    }

    /// It was tried to bring it up, so long ago.
    pub(super) fn idle_for(&self, span: Duration) -> bool {
        self.tried.get().is_some_and(|at| at.elapsed() >= span)
    }

    /// Nothing is done to it just now.
    pub(super) fn is_watched(&self) -> bool {
        self.expected.get().is_some()
    }

    pub(super) fn unwatch(&self) {
        self.expected.set(None);
    }

    /// It is configured in the kernel.
    pub(super) fn is_up(&self, state: &State) -> bool {
        state.of(&self.name, Kind::Resource).next().is_some()
    }

    /// Its disks are what they will be without the other side.
    pub(super) fn is_settled(&self, state: &State) -> bool {
        let mut disks = state.of(&self.name, Kind::Device).peekable();
        let rising = self.rising.get();
        let passing = if rising { "Diskless" } else { "" };
        // The disk comes first, and then the connection.
        let joined = !rising || state.of(&self.name, Kind::Connection).next().is_some();
        disks.peek().is_some()
            && joined
            && disks.all(|disk| {
                let word = state.word(disk, "disk");
                !matches!(word, "" | "Attaching" | "Negotiating") && word != passing
            })
    }

    /// It is connected to the other side, or tries to be.
    pub(super) fn has_connection(&self, state: &State) -> bool {
        let mut connections = state.of(&self.name, Kind::Connection);
        connections.any(|it| state.word(it, "connection") != "StandAlone")
    }

    pub(super) fn is_primary(&self, state: &State) -> bool {
        state.is_primary(&self.name)
    }

    /// All of what is here is known to be older than what the other side has.
    pub(super) fn is_outdated(&self, state: &State) -> bool {
        let mut disks = state.of(&self.name, Kind::Device).peekable();
        disks.peek().is_some() && disks.all(|disk| state.word(disk, "disk") == "Outdated")
    }

    /// With the devices that are made of it.
    pub(super) fn named(&self, state: &State) -> Named {
        let minors = state.of(&self.name, Kind::Device);
        Named {
            name: self.name.clone(),
            devices: minors
                .map(|device| format!("/dev/drbd{}", state.word(device, "minor")))
                .collect(),
        }
    }

    pub(super) fn standing(&self, shared: &Shared, state: &State) -> Standing {
        self.copies.get().standing(&self.sight(shared, state))
    }

    /// What there is to see of it now.
    pub(super) fn sight<'a>(&'a self, shared: &'a Shared, state: &'a State) -> Sight<'a> {
        Sight {
            state,
            resource: &self.name,
            peer: shared.peer.get(),
            peer_name: &shared.peer_name,
        }
    }

    /// Remembers something else of its copies, and gives what `f` gives.
    pub(super) fn note<T>(&self, f: impl FnOnce(&mut Copies) -> T) -> T {
        let mut copies = self.copies.get();
        let given = f(&mut copies);
        self.copies.set(copies);
        given
    }

    /// A start that could not be asked for. The core takes it for not ready from now on, until it is told otherwise.
    pub(super) fn unasked(&self, why: String) -> Outcome {
        let unready = Unready {
            why: why.clone(),
            extent: Extent::Entirely,
        };
        self.told.replace(Some(Some(unready)));
        Outcome::Unasked(why)
    }

    /// Until DRBD says so too, for a moment.
    pub(super) async fn wait_for(&self, shared: &Shared, primary: bool) {
        let until = Instant::now() + SOON;
        while self.is_primary(&shared.known.borrow()) != primary && Instant::now() < until {
            Timer::after(POLL).await;
        }
    }

    /// Its I/O is frozen, nobody asks any more, and whoever did would be answered, or the other node be asked.
    pub(super) fn owes_an_answer(&self, shared: &Shared, now: Time) -> bool {
        let long = |since: Time| now.since(since) >= DEBT;
        let (copies, peer) = (self.copies.get(), shared.peer.get());
        let answered = copies.peer_is_off(&peer) || copies.parted || peer.state == PeerState::Alive;
        let due = self.frozen_since.get().is_some_and(long)
            && answered
            && self.asked.get().is_none_or(long)
            && self.is_watched()
            && self
                .asked_again
                .get()
                .is_none_or(|at| now.since(at) >= 3 * DEBT);
        if due {
            self.asked_again.set(Some(now));
        }
        due
    }

    /// What DRBD says may be another: what of that is news to the core.
    pub(super) fn review(&self, shared: &Shared, state: &State, now: Time) -> Vec<Event> {
        let mut news = Vec::new();
        let place = self.place.get();
        if state.complete {
            self.unknown_since.set(None);
            self.follow(shared, state, now);
            let primary = self.is_primary(state);
            match self.expected.get() {
                Some(Expected::Primary) if !primary => {
                    self.unwatch();
                    let what = match self.is_up(state) {
                        true => "made Secondary",
                        false => "taken down",
                    };
                    let why = format!("{} was {what} by somebody else", self.name);
                    news.push(Event::Lost { place, why });
                }
                Some(Expected::Secondary) if primary => {
                    self.unwatch();
                    news.push(Event::Appeared { place });
                }
                _ => {}
            }
        } else {
            self.unknown_since
                .set(self.unknown_since.get().or(Some(now)));
        }
        let brief = (self.unknown_since.get()).is_some_and(|since| now.since(since) < BRIEF);
        // That DRBD cannot be asked says nothing about what runs.
        let promoted = self.expected.get() == Some(Expected::Primary);
        if brief || promoted && !state.complete {
            return news;
        }
        let unready = self.lack(shared, state, now);
        let before = self.told.borrow().clone();
        if before.clone().unwrap_or_default() != unready {
            if self.is_passing(before.as_ref(), unready.as_ref(), now) {
                return news;
            }
            let unready = unready.clone();
            news.push(Event::Ready { place, unready });
        }
        self.passing.take();
        self.told.replace(Some(unready));
        news
    }

    /// DRBD goes through many states within a second on its way. Where only the words are others, they are told if they
    /// last.
    fn is_passing(
        &self,
        before: Option<&Option<Unready>>,
        unready: Option<&Unready>,
        now: Time,
    ) -> bool {
        let (Some(Some(before)), Some(unready)) = (before, unready) else {
            return false;
        };
        let mut passing = self.passing.borrow_mut();
        let known = passing.as_ref().filter(|(why, _)| *why == unready.why);
        let since = known.map_or(now, |(_, since)| *since);
        *passing = Some((unready.why.clone(), since));
        before.extent == unready.extent && now.since(since) < PASSING
    }

    fn follow(&self, shared: &Shared, state: &State, now: Time) {
        self.note(|copies| copies.follow(state, &self.name, now));
        self.follow_disks(state);
        let frozen = state.frozen(&self.name).is_some();
        let tell = |until: Option<Time>| {
            let mut frozen = shared.frozen.borrow_mut();
            for device in self.named(state).devices.into_iter().map(PathBuf::from) {
                frozen.retain(|(other, _)| *other != device);
                frozen.push((device, until));
            }
        };
        match (frozen, self.frozen_since.get()) {
            (true, None) => {
                self.frozen_since.set(Some(now));
                tell(None);
            }
            (false, Some(_)) => {
                self.frozen_since.set(None);
                tell(Some(now));
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Who reads the kernel's log for why a disk went, must know when.
    fn follow_disks(&self, state: &State) {
        let up = state.of(&self.name, Kind::Device).next().is_some();
        let gone = standing::lost(state, &self.name).is_some();
        let before = self.attached.replace(up && !gone);
        if up && gone && before {
            let now = clock::local((clock::wall_ms() / 1000) as i64, clock::Zone::Here);
            self.lost.replace(format!("; so since {now}"));
        } else if !gone {
            self.lost.take();
        }
    }

    /// What keeps it from running here, or from being handed over to here.
    fn lack(&self, shared: &Shared, state: &State, now: Time) -> Option<Unready> {
        let primary = state.complete && self.is_primary(state);
        if self.rising.get() && !primary && !self.is_settled(state) {
            return Some(Unready {
                why: format!("{} is being brought up", self.name),
                extent: Extent::Entirely,
            });
        }
        // Until they can be run again, it is not tried again either. What is under way has its own patience.
        let idle = self.is_watched() || matches!(*self.told.borrow(), Some(Some(_)));
        if let Some(why) = shared.tools.hindered().filter(|_| idle && !primary) {
            return Some(Unready {
                why,
                extent: Extent::Entirely,
            });
        }
        let mut lack = self.copies.get().lack(&self.sight(shared, state), now);
        if let Some(lack) = &mut lack {
            lack.why += &self.lost.borrow();
        }
        lack
    }

    pub(super) fn view(&self, shared: &Shared, state: &State) -> ServiceView {
        let known = state.complete;
        ServiceView {
            unit: self.name.clone(),
            installed: Some(true),
            state: match known {
                true => self.words(shared, state),
                false => "what DRBD says is not known".into(),
            },
            runs: known.then(|| self.is_primary(state)),
            since: None,
            main_pid: None,
            check: None,
            has_check: false,
            notice: self.notice(shared, state),
            watched: self.is_watched(),
        }
    }

    /// What an operator should know of it just now.
    fn notice(&self, shared: &Shared, state: &State) -> Option<String> {
        let frozen = self.frozen_since.get().map(|_| {
            let peer = &shared.peer_name;
            format!("{FROZEN} until it is certain that {peer} writes nothing")
        });
        let unfollowed = || state.trouble.clone().filter(|_| !state.complete);
        frozen
            .or_else(|| shared.tools.hindered())
            .or_else(unfollowed)
    }

    /// Roles, disks and the connection, in DRBD's words.
    fn words(&self, shared: &Shared, state: &State) -> String {
        if !self.is_up(state) {
            return "down".into();
        }
        let word = |kind, key: &'static str| {
            let mut all = state.of(&self.name, kind);
            let first = all.next().map(|object| state.word(object, key));
            first.filter(|word| !word.is_empty()).unwrap_or("unknown")
        };
        let here = (word(Kind::Resource, "role"), word(Kind::Device, "disk"));
        let mut text = format!("{}, {}", here.0, here.1);
        let peer = &shared.peer_name;
        match state.of(&self.name, Kind::Connection).next() {
            Some(_) if state.is_connected(&self.name) => {
                let disk = word(Kind::PeerDevice, "peer-disk");
                text += &format!("; {peer} {}, {disk}", word(Kind::Connection, "role"));
            }
            Some(_) => {
                let disk = word(Kind::PeerDevice, "peer-disk");
                let how = word(Kind::Connection, "connection");
                text += &format!("; {how}, {peer} {disk}");
            }
            None => text += &format!("; StandAlone, {peer} unknown"),
        }
        if word(Kind::PeerDevice, "replication") != "Established"
            && let Some(Progress { done, left }) = self.progress(state)
        {
            text += &format!("; {done} % synced");
            if let Some(left) = left {
                text += &format!(", {} left", clock::span(left));
            }
        }
        let standing = self.standing(shared, state);
        if standing.out_of_sync > 0 {
            text += &format!("; {} KiB differ", standing.out_of_sync);
        }
        text
    }

    /// How far a sync of it is.
    fn progress(&self, state: &State) -> Option<Progress> {
        let done = |d| Some(state.word(d, "done")).filter(|w| !w.is_empty());
        let told = state.of(&self.name, Kind::PeerDevice).find_map(done);
        if let Some(done) = told.map(str::to_owned) {
            return Some(Progress { done, left: None });
        }
        let text = std::fs::read_to_string(PROC).ok()?;
        let mut devices = state.of(&self.name, Kind::Device);
        devices.find_map(|device| progress(&text, state.word(device, "minor")))
    }
}
