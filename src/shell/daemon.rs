//! The daemon: reads everything that is here, lets the core decide, does what it says, and sleeps
//! until something is here again or due.
//!
//! One turn of the loop drains every queue before it tells the core that time has passed
//! ([`Event::Tick`]), because absence may be judged only when nothing is waiting to be read. Each
//! step reads the clock first, so a process that was paused is late in its very first step, and the
//! core drops what may have expired before it renews anything. After a renewal the clock is read
//! again: what is due then is done before the loop sleeps.

mod afterwards;
mod aside;
mod before;
mod disks;
mod doctor;
mod farewell;
mod fence;
mod first;
mod fit;
mod follow;
mod hear;
mod moves;
mod obey;
mod operate;
mod reload;
mod tell;
mod unwritten;

use super::aside::{Message, Room};
use super::assembly;
use super::clock;
use super::contact::Contact;
use super::course::Course;
use super::devices::Devices;
use super::drbd::{Disks, Frozen};
use super::duplicates::Duplicates;
use super::history::{self, Chronicle, History};
use super::identity;
use super::lock::PidLock;
use super::marks::Marks;
use super::mounts::Mounts;
use super::network::{Network, News};
use super::notify::Notifier;
use super::options::Options;
use super::orders::{Deed, Generation, Order};
use super::paths::BUFFER;
use super::patience;
use super::readiness::Readiness;
use super::ready::Ready;
use super::realtime;
use super::refused::Refusals;
use super::rehearsals::Rehearsals;
use super::services::Services;
use super::signals::{Sender, Signal, SignalSource};
use super::state;
use super::status::{self, Answers, Daemon as DaemonStatus, Facts, Names, PathNames, Publisher};
use super::supervisor::Supervisor;
use super::tidings::{self, Subject, Tiding, Tidings, Trouble};
use super::vips::{Renewal, Vips};
use super::who;
use crate::agents::host::Host;
use crate::agents::program::{Program, Programs};
use crate::config::{self, Config, EX_CONFIG};
use crate::core::event::{
    Action, Change, Claimed, Command, Event, Extent, NOTHING_TO_CLEAR, Op, Outcome, Presence,
    Report, Unready,
};
use crate::core::peer::PeerState;
use crate::core::protocol::right::Right;
use crate::core::reason::Reason;
use crate::core::time::Time;
use crate::core::{Node, record::Record};
use crate::id::{GroupId, Place, VifId};
use crate::wire::heartbeat::{Heartbeat, Side};
use crate::wire::{Keyring, Reject, decode_with, encode_with};
use before::{Before, End};
use fit::Fit;
use reload::Reload;
use smol::{LocalExecutor, Timer};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

/// Runs the daemon until it is told to leave.
pub fn run(options: &Options) -> ExitCode {
    super::log::init();
    let signals = match SignalSource::block() {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("signals: {error}")),
    };
    // Whom systemd starts has no living daemon beside it: somebody else has the lock, for a moment perhaps, and to
    // end at once would use up the starts that systemd allows.
    let at_most = match Supervisor::is_there() {
        true => LOCK_PATIENCE,
        false => Duration::ZERO,
    };
    let lock = match patience::patiently(at_most, || PidLock::acquire(&options.run_dir)) {
        Ok(lock) => lock,
        Err(error) => return fail(&error.to_string()),
    };
    let load = || config::load(&options.config);
    let config = match patience::patiently(patience::AT_START, load) {
        Ok(config) => config,
        // Unlike a file that is wrong, this may be otherwise at the next start.
        Err(error) if error.passing => return fail(&error.to_string()),
        Err(error) => {
            super::log::say(&error.to_string());
            return ExitCode::from(EX_CONFIG);
        }
    };
    let (config, me) = match identity::find(options, config, &signals) {
        Ok(Some(found)) => found,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            super::log::say(&error.to_string());
            return ExitCode::from(EX_CONFIG);
        }
    };
    realtime::enter();
    let begin = || Daemon::new(options, config.clone(), me);
    let mut daemon = match patience::patiently(patience::AT_START, begin) {
        Ok(daemon) => daemon,
        Err(error) => return fail(&error.to_string()),
    };
    if let Some(harmful) = daemon.harmful() {
        eprintln!("{harmful}");
        return ExitCode::from(EX_CONFIG);
    }
    let ended = daemon.serve(&signals);
    drop(lock);
    match ended {
        Ok(()) => {
            super::log::flush_at_the_end();
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error.to_string()),
    }
}

/// A batch of datagrams from one path a turn: a flood on one must not keep the others waiting.
const DATAGRAMS: usize = 512;
/// The same for everything else.
const BATCH: usize = 256;
/// Ten of these, in which systemd gives up, are most of a minute.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// The core is woken at most so often in one turn.
const TICKS: usize = 16;
/// A step that takes longer has waited for something. Half of the shortest interval.
const HELD_UP: Duration = Duration::from_millis(5);

struct Daemon {
    options: Options,
    config: Config,
    me: Side,
    keys: Keyring,
    /// Of this daemon.
    incarnation: u64,
    node: Node,
    network: Network,
    vips: Vips,
    services: Services,
    mounts: Mounts,
    disks: Disks,
    /// What is certain of the other node, as the core said last.
    proof: Option<Right>,
    /// What the other node asked to be outdated, and what came of it.
    outdated: Rc<RefCell<VecDeque<Message>>>,
    /// Events that follow from what was just done.
    pending: VecDeque<Event>,
    readiness: Readiness,
    /// What the core knows of it.
    told_unready: BTreeMap<Place, Option<Unready>>,
    duplicates: Duplicates,
    /// Addresses beside VIPs that are listened for just now.
    nearby: Vec<IpAddr>,
    /// The peer's hardware addresses as a daemon before this one knew them.
    known_macs: Vec<[u8; 6]>,
    /// What was asked of VIPs and got no answer.
    open: Vec<operate::Open>,
    /// Parts of sets of VIPs that wait for the renewal before them.
    renewals: VecDeque<Renewal>,
    /// Ends of slow work.
    finished: Rc<RefCell<VecDeque<Event>>>,
    names: Names,
    state_names: state::Names,
    marks: Marks,
    contact: Contact,
    devices: Devices,
    shots: fence::Shots,
    rehearsals: Rehearsals,
    publisher: Publisher,
    supervisor: Supervisor,
    status: DaemonStatus,
    /// How the daemon before this one ended.
    before: End,
    /// What the state on disk was like, until another is saved.
    loaded: Option<String>,
    saved: Rc<Cell<bool>>,
    fit: Fit,
    reload: Reload,
    confirming: obey::Confirming,
    unwritten: unwritten::Waiting,
    /// When a peer that is not heard was last asked whether its machine lives.
    asked_for_life: Time,
    counters: BTreeMap<&'static str, u64>,
    answers: Answers,
    /// Orders under way, in words.
    asked: BTreeMap<u32, String>,
    /// Those that clear a group, or all.
    clears: BTreeMap<u32, Option<GroupId>>,
    mistaken: afterwards::Mistaken,
    /// What is known of a silent peer's silence.
    silence: Option<String>,
    tidings: Tidings,
    refused: Refusals,
    aside: aside::Aside,
    questions: doctor::Questions,
    /// Resources other than services that a look finds amiss, in maintenance.
    amiss: BTreeMap<Place, String>,
    /// The machine was looked at since maintenance began.
    looked_in_maintenance: bool,
    /// What a daemon before this one started, and runs on.
    adopted: Vec<status::Adopted>,
    chronicle: Chronicle,
    course: Course,
    history: History,
    notifier: Option<Notifier>,
    programs: Programs,
    executor: Rc<LocalExecutor<'static>>,
    ready: Rc<Ready>,
    carriers: BTreeMap<VifId, bool>,
    link_up: bool,
    changed: bool,
    dirty: bool,
    /// status.json could not be written.
    mute: bool,
    exit: bool,
    /// What is said once more on the way out.
    farewell: Vec<Heartbeat>,
}

impl Daemon {
    fn new(options: &Options, config: Config, me: Side) -> io::Result<Daemon> {
        let executor = Rc::new(LocalExecutor::new());
        let ready = Rc::new(Ready::new()?);
        let finished: Rc<RefCell<VecDeque<Event>>> = Rc::default();
        let network = Network::open(&config, me, ready.clone())?;
        let setup = assembly::setup(&config, me, &network.resolved);
        let state_names = assembly::state_names(&config, &network.resolved);
        let loaded = state::load(&options.state_dir);
        let now = clock::now();
        let incarnation = incarnation()?;
        let software = env!("CARGO_PKG_VERSION");
        let status = DaemonStatus {
            pid: std::process::id(),
            incarnation: format!("{incarnation:016x}"),
            software: software.into(),
            order_signal: super::signals::order_signal(),
            config: options.config.display().to_string(),
            generation: 1,
            reload_error: None,
            unloaded: None,
            ended: false,
            started_us: now.0,
            notices: Vec::new(),
            warnings: Vec::new(),
        };
        let before = Before::find(&options.run_dir, now);
        let programs = Programs::new(&options.run_dir);
        let mut services = Services::new(executor.clone(), finished.clone(), programs.clone());
        let units = assembly::services(&config, &network.resolved);
        services.replace(units, assembly::mount_units(&config));
        let run_dir = &options.run_dir;
        let frozen = Frozen::default();
        let mut mounts = Mounts::new(
            executor.clone(),
            finished.clone(),
            programs.clone(),
            run_dir,
            frozen.clone(),
        );
        mounts.replace(assembly::mounts(&config, &network.resolved));
        let peer_name = &config.node(me.other()).name;
        let mut disks = Disks::new(
            executor.clone(),
            finished.clone(),
            programs.clone(),
            run_dir,
            peer_name,
            frozen,
        );
        let links = network.resolved.links.len();
        disks.replace(assembly::disks(&config, &network.resolved), links);
        let marks = Marks::open(&options.run_dir);
        let contact = Contact::new(&options.run_dir);
        let devices = Devices::new(executor.clone(), finished.clone(), programs.clone());
        let known_macs = loaded.record.vifs.iter().map(|vif| vif.mac).collect();
        let node = Node::new(now, setup, incarnation, loaded.record, software);
        let node = match status::ran_before(&options.run_dir) {
            true => node.restarted(marks.known(), contact.known()),
            false => node,
        };
        services.watch(!node.view().maintenance);
        mounts.watch(!node.view().maintenance);
        disks.watch(!node.view().maintenance);
        let notifier = start_notifier(&config, &programs, &executor);
        Ok(Daemon {
            keys: keyring(&config)?,
            incarnation,
            node,
            vips: Vips::new(&assembly::vips(&config, &network.resolved), ready.waker())?,
            services,
            mounts,
            disks,
            proof: None,
            outdated: Rc::default(),
            pending: VecDeque::new(),
            readiness: Readiness::default(),
            told_unready: BTreeMap::new(),
            duplicates: Duplicates::default(),
            nearby: Vec::new(),
            known_macs,
            open: Vec::new(),
            renewals: VecDeque::new(),
            finished,
            names: assembly::status_names(&config, me, &network.resolved),
            state_names,
            marks,
            contact,
            devices,
            shots: fence::Shots::default(),
            rehearsals: Rehearsals::open(&options.state_dir),
            publisher: Publisher::new(&options.run_dir),
            supervisor: Supervisor::from_environment(),
            status,
            loaded: loaded.notice,
            saved: Rc::default(),
            fit: Fit::default(),
            reload: Reload::default(),
            confirming: obey::Confirming::default(),
            unwritten: unwritten::Waiting::default(),
            asked_for_life: Time(0),
            counters: BTreeMap::new(),
            answers: Answers::default(),
            asked: BTreeMap::new(),
            clears: BTreeMap::new(),
            mistaken: afterwards::Mistaken::default(),
            silence: None,
            tidings: Tidings::default(),
            refused: Refusals::default(),
            aside: aside::Aside::open(&options.run_dir),
            questions: doctor::Questions::default(),
            amiss: BTreeMap::new(),
            looked_in_maintenance: false,
            adopted: before.adopted,
            before: before.end,
            chronicle: Chronicle::default(),
            course: before.course,
            history: History::new(&options.state_dir),
            notifier,
            programs,
            executor,
            ready,
            carriers: BTreeMap::new(),
            link_up: false,
            changed: true,
            dirty: true,
            mute: false,
            exit: false,
            farewell: Vec::new(),
            options: options.clone(),
            config,
            me,
            network,
        })
    }

    /// The loop.
    fn serve(&mut self, signals: &SignalSource) -> io::Result<()> {
        self.tell_start();
        self.ready.watch(signals.descriptor())?;
        self.note_what_was_left_running();
        self.follow_devices();
        let host = self.network.host().clone();
        self.reconnect(host);
        let waker = self.ready.waker();
        let mut waker = Context::from_waker(&waker);
        let executor = self.executor.clone();
        let mut tasks = Box::pin(executor.run(std::future::pending::<()>()));
        loop {
            self.turn(signals);
            if self.exit {
                break;
            }
            let _ = tasks.as_mut().poll(&mut waker);
            self.renew_next();
            if !self.anything_finished() {
                self.ready.sleep_until(self.deadline())?;
            }
        }
        (self.status.ended, self.dirty) = (true, true);
        self.publish(clock::now());
        self.tell_end();
        self.repeat_goodbye();
        self.aside.end();
        self.history.flush();
        self.finish_hook();
        Ok(())
    }

    /// When something is due.
    fn deadline(&self) -> Time {
        let due = [
            self.vips.deadline(),
            self.publisher.deadline(),
            self.supervisor.deadline(),
            self.network.deadline(),
            self.fit.deadline(),
            self.again_at(),
            self.readiness.deadline(),
            self.duplicates.deadline(),
            self.confirming.deadline(),
            self.unwritten.deadline(),
            self.questions.deadline(),
            self.aside.replies.deadline(),
        ];
        due.into_iter()
            .flatten()
            .fold(self.node.deadline(), Time::min)
    }

    /// Everything that is here and due, once.
    fn turn(&mut self, signals: &SignalSource) {
        self.follow_network();
        self.ask_again();
        self.follow_machine();
        self.finish_reload();
        self.finish_telling();
        self.finish_questions();
        self.finish_replies();
        self.tell_outdated();
        self.note();
        self.hear_devices();
        self.hear_mounts();
        while let Some(event) = self.next_finished() {
            self.dirty = true;
            if let Event::Device { device, answer } = &event {
                self.device_answered(*device, answer);
            }
            self.step(event);
        }
        self.hear_heartbeats();
        self.hear_neighbours();
        self.follow_duplicates();
        for _ in 0..BATCH {
            let Some((signal, sender)) = signals.try_next_from() else {
                break;
            };
            self.obey(signal, sender);
        }
        self.finish_confirming();
        self.finish_writing_back();
        // A few, not all: whatever keeps asking to be woken leaves the rest of the turn, and the watchdog, their time.
        for _ in 0..TICKS {
            let begun = clock::now();
            if self.exit || self.node.deadline() > begun {
                break;
            }
            self.step(Event::Tick);
            // The kernel kept it waiting, for its network lock say: what came meanwhile is read before anybody is
            // judged by his silence.
            if clock::now().since(begun) >= HELD_UP {
                break;
            }
        }
        let now = clock::now();
        // Last, when the core has seen what this turn brought: what it gave up is not announced.
        for vif in self.network.reached_anew(now) {
            self.vips.announce_on(vif, now);
        }
        self.vips.announce_due(&self.network.vifs, now);
        self.publish(now);
        self.supervisor.alive(now);
        super::log::flush();
    }

    /// One step of the core, and of whatever follows from it at once.
    fn step(&mut self, event: Event) {
        self.pending.push_back(event);
        while let Some(event) = self.pending.pop_front() {
            if self.exit {
                return;
            }
            for action in self.node.step(clock::now(), event) {
                self.act(action);
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Send(heartbeat) if heartbeat.goodbye => self.say_goodbye(*heartbeat),
            Action::Send(heartbeat) => self.send(&heartbeat),
            Action::Persist(record) => self.persist(record),
            Action::Look(place) => self.look(place),
            Action::Start(place, right) => self.start(place, right),
            Action::Stop(place) => self.stop(place),
            Action::Cede(place) => self.cede(place),
            Action::Part(place) => self.part(place),
            Action::Proof { proof, .. } => self.proof = proof,
            Action::Device { device, ask } => self.ask_device(device, ask),
            Action::Note(count) => self.contact.note(count),
            Action::Mark(group, started) => self.marks.set(group, started),
            Action::Cancel(Op::Resource(place)) => self.cancel(place),
            Action::Cancel(Op::Persist) => {}
            Action::Renew { group, forever } => {
                let now = clock::now();
                // While the kernel keeps one waiting there is another each second.
                self.renewals.retain(|renewal| !renewal.is_stale(now));
                let parts = self.vips.renewals(group, forever, now);
                self.renewals.extend(parts);
                self.renew_next();
            }
            Action::Announce(group) => self.vips.announce(group, &self.network.vifs, clock::now()),
            Action::Probe(group) => self.probe(group),
            Action::Ping { gateway, stamp } => {
                if !self.network.ping(gateway, stamp) {
                    self.pending.push_back(Event::Unasked(gateway));
                }
            }
            Action::Answer {
                number,
                accepted,
                text,
            } => {
                if !(self.aside.replies).begin(clock::now(), number, accepted, &text) {
                    self.answered(number, accepted, text);
                }
            }
            Action::Reply(text) => {
                let _ = self.aside.owe(&Message::Reply { text });
            }
            Action::Report(report) => {
                if let Reason::Maintenance(on) = report.reason {
                    self.services.watch(!on);
                    self.mounts.watch(!on);
                    self.disks.watch(!on);
                }
                if let Change::Peer(_, state) = report.change {
                    self.disks.peer(state, clock::now());
                }
                self.report(&report);
                self.note_fenced(&report);
            }
            Action::Exit => self.exit = true,
        }
    }

    /// Begins the next renewal, once the one before it is done.
    fn renew_next(&mut self) {
        let now = clock::now();
        self.vips.renewed(&self.network.vifs, now);
        while self.vips.can_renew()
            && let Some(part) = self.renewals.pop_front()
        {
            self.vips.renew(part, &self.network.vifs, now);
        }
    }

    fn done(&mut self, op: Op, outcome: Outcome) {
        self.pending.push_back(Event::Finished { op, outcome });
    }

    fn send(&mut self, heartbeat: &Heartbeat) {
        let aside = self.aside.beside(heartbeat);
        let datagram = encode_with(heartbeat, Some(&aside), &self.keys);
        for path in &mut self.network.paths {
            if path.is_open() {
                let counter = if path.send(&datagram) {
                    "sent"
                } else {
                    "not sent"
                };
                *self.counters.entry(counter).or_default() += 1;
            }
        }
    }

    /// Writes on the blocking pool: a disk that hangs must not keep a heartbeat waiting.
    fn persist(&mut self, record: Record) {
        let (dir, names) = (self.options.state_dir.clone(), self.state_names.clone());
        let (finished, saved) = (self.finished.clone(), self.saved.clone());
        let begun = Instant::now();
        let write = Arc::new(move || state::save(&dir, &names, &record));
        let task = async move {
            let outcome = loop {
                let write = write.clone();
                match smol::unblock(move || write()).await {
                    Ok(()) => break Outcome::Done,
                    // Says nothing about the disk; and nothing is done yet by what is to be written.
                    Err(error) if error.lacks_resources() && begun.elapsed() < PERSIST_PATIENCE => {
                        log::warn!("{error}; tried again");
                        Timer::after(PERSIST_PAUSE).await;
                    }
                    Err(error) => break Outcome::Failed(error.to_string()),
                }
            };
            saved.set(saved.get() || outcome == Outcome::Done);
            let op = Op::Persist;
            finished
                .borrow_mut()
                .push_back(Event::Finished { op, outcome });
        };
        self.executor.spawn(task).detach();
    }

    fn anything_finished(&self) -> bool {
        !self.finished.borrow().is_empty()
            || self.fit.is_due()
            || self.reload.is_due()
            || self.aside.is_due()
            || self.questions.is_due()
            || self.devices.has_news()
            || !self.outdated.borrow().is_empty()
    }

    fn next_finished(&self) -> Option<Event> {
        self.finished.borrow_mut().pop_front()
    }
}

/// Nothing of a resource can run.
fn entirely(why: String) -> Unready {
    Unready {
        why,
        extent: Extent::Entirely,
    }
}

/// So long the state is written again and again while this process lacks descriptors or memory for it.
const PERSIST_PATIENCE: Duration = Duration::from_secs(20);
const PERSIST_PAUSE: Duration = Duration::from_millis(200);

/// VIPs of a group asked for on each interface in one probe.
const PROBED: usize = 4;

fn start_notifier(
    config: &Config,
    programs: &Programs,
    executor: &LocalExecutor<'static>,
) -> Option<Notifier> {
    let hook = Program {
        words: vec![config.cluster.notify.as_ref()?.display().to_string()],
        user: config.cluster.notify_user.clone(),
    };
    let (notifier, task) = Notifier::new(hook, programs.clone());
    executor.spawn(task).detach();
    Some(notifier)
}

fn keyring(config: &Config) -> io::Result<Keyring> {
    let keys = config.cluster.keys.clone();
    Keyring::new(keys).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no usable key"))
}

fn incarnation() -> io::Result<u64> {
    crate::agents::sys::random().map(|bytes| u64::from_ne_bytes(bytes).max(1))
}

fn fail(text: &str) -> ExitCode {
    super::log::say(&format!("ha-appliance: {text}"));
    ExitCode::FAILURE
}
