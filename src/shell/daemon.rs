//! The daemon: reads everything that is here, lets the core decide, does what it says, and sleeps
//! until something is here again or due.
//!
//! One turn of the loop drains every queue before it tells the core that time has passed
//! ([`Event::Tick`]), because absence may be judged only when nothing is waiting to be read. Each
//! step reads the clock first, so a process that was paused is late in its very first step, and the
//! core drops what may have expired before it renews anything. After a renewal the clock is read
//! again: what is due then is done before the loop sleeps.

use super::assembly;
use super::clock;
use super::history::{self, Chronicle, History};
use super::lock::PidLock;
use super::network::{Network, News};
use super::notify::Notifier;
use super::options::{Options, host_name};
use super::orders::{Deed, Generation, Order};
use super::paths::BUFFER;
use super::ready::Ready;
use super::realtime;
use super::resources::Resources;
use super::signals::{Signal, SignalSource};
use super::state;
use super::status::{Answers, Daemon as DaemonStatus, Facts, Names, PathNames, Publisher};
use crate::config::{self, Config, EX_CONFIG};
use crate::core::event::{Action, Claimed, Command, Event, OpId, Outcome, Presence, Report};
use crate::core::peer::PeerState;
use crate::core::time::Time;
use crate::core::{Node, record::Record};
use crate::wire::heartbeat::{Heartbeat, Side};
use crate::wire::{Keyring, Reject, decode, encode};
use smol::LocalExecutor;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

/// Runs the daemon until it is told to leave.
pub fn run(options: &Options) -> ExitCode {
    super::log::init();
    let signals = match SignalSource::block() {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("signals: {error}")),
    };
    let lock = match PidLock::acquire(&options.run_dir) {
        Ok(lock) => lock,
        Err(error) => return fail(&error.to_string()),
    };
    let config = match config::load(&options.config) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    let me = match config.side(options.node.as_deref(), &host_name()) {
        Ok(me) => me,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    realtime::enter();
    let ended = Daemon::new(options, config, me).and_then(|mut daemon| daemon.serve(&signals));
    drop(lock);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

/// A batch of datagrams from one path a turn: a flood on one must not keep the others waiting.
const DATAGRAMS: usize = 512;
/// The same for everything else.
const BATCH: usize = 256;

struct Daemon {
    options: Options,
    config: Config,
    me: Side,
    keys: Keyring,
    node: Node,
    network: Network,
    resources: Resources,
    /// Events that follow from what was just done.
    pending: VecDeque<Event>,
    /// Ends of slow work.
    finished: Rc<RefCell<VecDeque<Event>>>,
    names: Names,
    state_names: state::Names,
    publisher: Publisher,
    status: DaemonStatus,
    counters: BTreeMap<&'static str, u64>,
    answers: Answers,
    chronicle: Chronicle,
    history: History,
    notifier: Option<Notifier>,
    executor: Rc<LocalExecutor<'static>>,
    ready: Rc<Ready>,
    carriers: Vec<Option<bool>>,
    link_up: bool,
    changed: bool,
    dirty: bool,
    exit: bool,
}

impl Daemon {
    fn new(options: &Options, config: Config, me: Side) -> io::Result<Daemon> {
        let executor = Rc::new(LocalExecutor::new());
        let ready = Rc::new(Ready::new()?);
        let network = Network::open(&config, me, ready.clone())?;
        let setup = assembly::setup(&config, me, &network.resolved);
        let state_names = assembly::state_names(&config, &network.resolved);
        let loaded = state::load(&options.state_dir, &state_names);
        let now = clock::now();
        let incarnation = incarnation()?;
        let notices = loaded.notice.into_iter();
        let notices: Vec<String> = notices
            .chain(network.warnings.iter().map(|w| w.to_string()))
            .collect();
        for notice in &notices {
            log::warn!("{notice}");
        }
        let software = env!("CARGO_PKG_VERSION");
        let status = DaemonStatus {
            pid: std::process::id(),
            incarnation: format!("{incarnation:016x}"),
            software: software.into(),
            order_signal: super::signals::order_signal(),
            config: options.config.display().to_string(),
            generation: 1,
            reload_error: None,
            started_us: now.0,
            notices,
        };
        let notifier = config
            .cluster
            .notify
            .clone()
            .map(|hook| start_notifier(hook, &executor));
        let groups = vips(&config, &network);
        Ok(Daemon {
            keys: keyring(&config)?,
            node: Node::new(now, setup, incarnation, loaded.record, software),
            resources: Resources::new(&groups)?,
            pending: VecDeque::new(),
            finished: Rc::default(),
            names: assembly::status_names(&config, &network.resolved),
            state_names,
            publisher: Publisher::new(&options.run_dir),
            status,
            counters: BTreeMap::new(),
            answers: Answers::default(),
            chronicle: Chronicle::default(),
            history: History::new(&options.state_dir),
            notifier,
            executor,
            ready,
            carriers: vec![],
            link_up: false,
            changed: true,
            dirty: true,
            exit: false,
            options: options.clone(),
            config,
            me,
            network,
        })
    }

    /// The loop.
    fn serve(&mut self, signals: &SignalSource) -> io::Result<()> {
        log::info!(
            "{} {} as {} of {}",
            env!("CARGO_PKG_NAME"),
            self.status.software,
            self.config.node(self.me).name,
            self.config.cluster.name
        );
        self.ready.watch(signals.descriptor())?;
        self.reconnect()?;
        let waker = self.ready.waker();
        let mut waker = Context::from_waker(&waker);
        let executor = self.executor.clone();
        let mut tasks = Box::pin(executor.run(std::future::pending::<()>()));
        loop {
            self.turn(signals)?;
            if self.exit {
                break;
            }
            let _ = tasks.as_mut().poll(&mut waker);
            if self.finished.borrow().is_empty() {
                self.ready.sleep_until(self.deadline())?;
            }
        }
        self.publish(clock::now());
        self.history.flush();
        log::info!("ended");
        Ok(())
    }

    /// When something is due.
    fn deadline(&self) -> Time {
        let due = [self.resources.deadline(), self.publisher.deadline()];
        due.into_iter()
            .flatten()
            .fold(self.node.deadline(), Time::min)
    }

    /// Everything that is here and due, once.
    fn turn(&mut self, signals: &SignalSource) -> io::Result<()> {
        self.follow_network()?;
        self.ask_carriers();
        while let Some(event) = self.next_finished() {
            self.step(event);
        }
        self.hear_heartbeats();
        self.hear_neighbours();
        for _ in 0..BATCH {
            let Some(signal) = signals.try_next() else {
                break;
            };
            self.obey(signal);
        }
        while !self.exit && self.node.deadline() <= clock::now() {
            self.step(Event::Tick);
        }
        let now = clock::now();
        self.resources.announce_due(&self.network.vifs, now);
        self.publish(now);
        Ok(())
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
            Action::Send(heartbeat) => self.send(&heartbeat),
            Action::Persist { op, record } => self.persist(op, record),
            Action::Look { op, group, .. } => {
                let outcome = self.resources.look(group, &self.network.vifs);
                self.done(op, outcome);
            }
            Action::Start { op, group, .. } => {
                let forever = self.node.view().maintenance;
                let outcome =
                    self.resources
                        .start(group, &self.network.vifs, forever, clock::now());
                self.done(op, outcome);
            }
            Action::Stop { op, group, .. } => {
                let outcome = self.resources.stop(group);
                self.done(op, outcome);
            }
            // Every operation of a VIP ends within its step: there is none to cancel.
            Action::Cancel { .. } => {}
            Action::Clear { op, .. } => self.done(
                op,
                Outcome::Failed("no source of clearance is built in".into()),
            ),
            Action::Renew { group, forever } => {
                self.resources.renew(group, &self.network.vifs, forever)
            }
            Action::Announce { group } => {
                self.resources
                    .announce(group, &self.network.vifs, clock::now())
            }
            Action::Probe { group } => self.probe(group),
            Action::Ping { gateway, stamp } => self.network.ping(gateway, stamp),
            Action::Answer {
                number,
                accepted,
                text,
            } => {
                self.answers.finish(number as u16, accepted, text);
                self.dirty = true;
            }
            Action::Report(report) => self.report(&report),
            Action::Exit => self.exit = true,
        }
    }

    fn done(&mut self, op: OpId, outcome: Outcome) {
        self.pending.push_back(Event::Finished { op, outcome });
    }

    fn send(&mut self, heartbeat: &Heartbeat) {
        let datagram = encode(heartbeat, &self.keys);
        for path in &self.network.paths {
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
    fn persist(&mut self, op: OpId, record: Record) {
        let (dir, names) = (self.options.state_dir.clone(), self.state_names.clone());
        let finished = self.finished.clone();
        let write = smol::unblock(move || match state::save(&dir, &names, &record) {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed(error.to_string()),
        });
        let task = async move {
            let outcome = write.await;
            finished
                .borrow_mut()
                .push_back(Event::Finished { op, outcome });
        };
        self.executor.spawn(task).detach();
    }

    fn next_finished(&self) -> Option<Event> {
        self.finished.borrow_mut().pop_front()
    }

    /// Asks for some of the group's VIPs on each interface (they come and go as one batch), and for
    /// the peer's own address while that may prove that probes work.
    fn probe(&self, group: usize) {
        let mut asked = BTreeMap::new();
        for &(address, vif) in self.resources.of_group(group) {
            let count: &mut usize = asked.entry(vif).or_default();
            *count += 1;
            if *count <= PROBED {
                self.network.probe(vif, address);
            }
        }
        if self.node.peer_state() == PeerState::Alive {
            for vif in asked.into_keys() {
                if let Some(peer) = self.network.peer_on(vif) {
                    self.network.probe(vif, peer);
                }
            }
        }
    }

    fn hear_heartbeats(&mut self) {
        let mut buffer = [0; BUFFER];
        for path in 0..self.network.paths.len() {
            for _ in 0..DATAGRAMS {
                let Some(length) = self.network.paths[path].receive(&mut buffer) else {
                    break;
                };
                match decode(&buffer[..length], &self.keys) {
                    Ok(heartbeat) => {
                        *self.counters.entry("received").or_default() += 1;
                        let said = (heartbeat.incarnation, heartbeat.sequence);
                        let heard = self.node.heard();
                        let heartbeat = Box::new(heartbeat);
                        self.step(Event::Heartbeat { path, heartbeat });
                        if said.0 == heard.incarnation && said.1 < heard.sequence {
                            *self.counters.entry("stale: late or replayed").or_default() += 1;
                        } else if said.0 != self.node.heard().incarnation {
                            *self
                                .counters
                                .entry("stale: unproven incarnation")
                                .or_default() += 1;
                        }
                        self.learn_peer();
                    }
                    Err(reject) => *self.counters.entry(counter(reject)).or_default() += 1,
                }
            }
        }
    }

    fn learn_peer(&mut self) {
        let Some(heartbeat) = self.node.peer_heartbeat() else {
            return;
        };
        match self.network.learn_peer(&heartbeat.vifs) {
            Ok(false) => {}
            Ok(true) => self.listen(),
            Err(error) => log::warn!("paths: {error}"),
        }
    }

    fn hear_neighbours(&mut self) {
        for vif in 0..self.network.vifs.len() {
            for _ in 0..BATCH {
                let Some(claim) = self.network.claim(vif) else {
                    break;
                };
                self.network.learn_gateway(&claim);
                let subject = if self.network.peer_on(vif) == Some(claim.address) {
                    Claimed::PeerAddress
                } else if let Some((group, _)) = self.resources.place(claim.address) {
                    Claimed::Vip(group)
                } else {
                    continue;
                };
                let mac = claim.mac;
                self.step(Event::Claim { vif, subject, mac });
            }
            for _ in 0..BATCH {
                let Some((gateway, stamp)) = self.network.pong(vif) else {
                    break;
                };
                self.step(Event::Pong { gateway, stamp });
            }
        }
    }

    /// What changed in the machine's network, before anything else: an address that somebody
    /// deleted is put back in this very turn.
    fn follow_network(&mut self) -> io::Result<()> {
        for _ in 0..8 * BATCH {
            let resources = &self.resources;
            let Some(news) = self
                .network
                .news(|address| resources.place(address).is_some())
            else {
                break;
            };
            match news {
                News::Changed => self.changed = true,
                // What this daemon adds and removes itself is no news.
                News::Removed(vif, address) => {
                    if let Some(group) = self
                        .home(vif, address)
                        .filter(|&g| self.resources.started(g))
                    {
                        self.step(Event::Lost { group, resource: 0 });
                    }
                }
                News::Added(vif, address) => {
                    if let Some(group) = self
                        .home(vif, address)
                        .filter(|&g| !self.resources.started(g))
                    {
                        self.step(Event::Appeared { group, resource: 0 });
                    }
                }
            }
        }
        if std::mem::take(&mut self.changed) {
            self.reconnect()?;
        }
        Ok(())
    }

    /// The group whose VIP belongs on that interface.
    fn home(&self, vif: usize, address: IpAddr) -> Option<usize> {
        let (group, home) = self.resources.place(address)?;
        (home == vif).then_some(group)
    }

    /// Resolves ha.toml against the machine again and tells the core what that changed.
    fn reconnect(&mut self) -> io::Result<()> {
        let host = self.resources.host()?;
        let counted = self.network.follow(&self.config, self.me, host)?;
        if counted {
            self.reassemble();
        }
        self.node.describe_vifs(self.network.vif_reports());
        self.listen();
        self.name_paths();
        if !self.link_up && self.network.a_link_is_up() {
            self.link_up = true;
            self.step(Event::LinkUp);
        }
        let gateways = self
            .network
            .gateways()
            .iter()
            .map(|(vif, _)| *vif)
            .collect();
        self.step(Event::Gateways(gateways));
        self.carriers = vec![None; self.network.vifs.len()];
        self.ask_carriers_now();
        self.look_after_addresses();
        Ok(())
    }

    /// Messages about addresses may have been lost, or an interface came back without them.
    fn look_after_addresses(&mut self) {
        for group in 0..self.config.groups.len() {
            if self.resources.started(group)
                && self.resources.look(group, &self.network.vifs)
                    != Outcome::Found(Presence::Running)
            {
                self.step(Event::Lost { group, resource: 0 });
            }
        }
    }

    /// The VIP interfaces are counted anew: everything that has their indices follows.
    fn reassemble(&mut self) {
        let resolved = &self.network.resolved;
        self.names = assembly::status_names(&self.config, resolved);
        self.state_names = assembly::state_names(&self.config, resolved);
        for error in self.resources.replace(&vips(&self.config, &self.network)) {
            log::warn!("{error}");
        }
        let setup = assembly::setup(&self.config, self.me, resolved);
        self.step(Event::Setup(Box::new(setup)));
        self.dirty = true;
    }

    fn listen(&mut self) {
        let vips: Vec<_> = self.resources.all().collect();
        self.network.listen_for(&vips);
        self.name_paths();
    }

    fn name_paths(&mut self) {
        let links = self.network.resolved.links.len();
        self.names.paths.truncate(links);
        for vif in 0..self.network.vifs.len() {
            if let (Some(own), Some(peer), true) = (
                self.network.own_address(vif),
                self.network.peer_on(vif),
                self.network.paths[links + vif].is_open(),
            ) {
                self.names.paths.push(PathNames {
                    own: own.to_string(),
                    peer: peer.to_string(),
                    last_resort: true,
                });
            }
        }
    }

    fn ask_carriers(&mut self) {
        if let Some(carriers) = self
            .network
            .carriers(clock::now(), self.config.heartbeat.interval / 2)
        {
            self.tell_carriers(carriers);
        }
    }

    fn ask_carriers_now(&mut self) {
        if let Some(carriers) = self.network.carriers(clock::now(), Duration::ZERO) {
            self.tell_carriers(carriers);
        }
    }

    fn tell_carriers(&mut self, carriers: Vec<bool>) {
        for (vif, up) in carriers.into_iter().enumerate() {
            if self.carriers.get(vif) != Some(&Some(up)) {
                self.carriers[vif] = Some(up);
                self.step(Event::Carrier { vif, up });
            }
        }
    }

    fn obey(&mut self, signal: Signal) {
        match signal {
            Signal::Order(Ok(order)) => self.order(order),
            Signal::Order(Err(unknown)) => {
                self.answers.finish(unknown.1, false, unknown.to_string());
                self.dirty = true;
            }
            Signal::Reload => {
                let _ = self.reload();
            }
            Signal::Leave => self.command(0, Command::Leave),
            Signal::HandOver => self.command(0, Command::Failover(None)),
            Signal::StandbyHere => self.command(0, Command::Standby(self.me, true)),
        }
    }

    fn order(&mut self, order: Order) {
        self.answers.begin(order.number);
        self.dirty = true;
        let current = Generation::of(self.status.generation);
        match order.deed(current, self.config.groups.len()) {
            Ok(Deed::Core(command)) => self.command(order.number.into(), command),
            Ok(Deed::Reload) => match self.reload() {
                Ok(text) => self.answers.finish(order.number, true, text),
                Err(text) => self.answers.finish(order.number, false, text),
            },
            Err(why) => self.answers.finish(order.number, false, why),
        }
    }

    fn command(&mut self, number: u32, command: Command) {
        log::info!("command: {command:?}");
        self.step(Event::Command { number, command });
    }

    /// Builds the whole new configuration first; keeps the old one if anything is wrong.
    fn reload(&mut self) -> Result<String, String> {
        let verdict = self.try_reload();
        match &verdict {
            Ok(text) => log::info!("reload: {text}"),
            Err(text) => {
                log::error!("reload refused, the configuration before stays in force: {text}")
            }
        }
        self.status.reload_error = verdict.clone().err();
        self.dirty = true;
        verdict
    }

    fn try_reload(&mut self) -> Result<String, String> {
        let config = config::load(&self.options.config).map_err(|e| e.to_string())?;
        if config.cluster.name != self.config.cluster.name {
            return Err("cluster.name cannot change while running: use `maintenance on`, then restart both daemons".into());
        }
        let names = |c: &Config| c.nodes.each_ref().map(|n| n.name.clone());
        if names(&config) != names(&self.config) {
            return Err("the nodes' names cannot change while running: use `maintenance on`, then restart both daemons".into());
        }
        let view = self.node.view();
        let dropped = self
            .config
            .groups
            .iter()
            .zip(&view.groups)
            .find(|(group, view)| {
                view.role != crate::wire::heartbeat::Role::Stopped
                    && !config.groups.iter().any(|g| g.name == group.name)
            });
        if let Some((group, _)) = dropped {
            let name = &group.name;
            return Err(format!(
                "group {name} runs here and is not in the new file: `ha-appliance stop {name}` first"
            ));
        }
        let keys = keyring(&config).map_err(|e| e.to_string())?;
        let host = self.resources.host().map_err(|e| e.to_string())?;
        self.network
            .follow(&config, self.me, host)
            .map_err(|e| e.to_string())?;
        if config.cluster.notify != self.config.cluster.notify {
            self.notifier = config
                .cluster
                .notify
                .clone()
                .map(|hook| start_notifier(hook, &self.executor));
        }
        self.keys = keys;
        self.config = config;
        self.status.generation += 1;
        self.status.notices = self
            .network
            .warnings
            .iter()
            .map(|w| w.to_string())
            .collect();
        self.reassemble();
        self.reconnect().map_err(|e| e.to_string())?;
        let groups = self.config.groups.len();
        let plural = if groups == 1 { "" } else { "s" };
        Ok(format!(
            "{} is in force ({groups} group{plural})",
            self.options.config.display()
        ))
    }

    fn report(&mut self, report: &Report) {
        let node = &self.config.node(self.me).name;
        let entry = self
            .chronicle
            .entry(report, &self.names, node, clock::now());
        log::log!(history::level(report), "{entry}");
        if let Some(notifier) = &self.notifier {
            notifier.push(entry.clone());
        }
        self.history.push(entry);
        self.dirty = true;
    }

    fn publish(&mut self, now: Time) {
        let due = self.publisher.deadline().is_none_or(|at| at <= now);
        if !due && !std::mem::take(&mut self.dirty) {
            return;
        }
        self.counters.insert("history lost", self.history.lost());
        let view = self.node.view();
        let facts = Facts {
            view: &view,
            names: &self.names,
            daemon: &self.status,
            counters: &self.counters,
            answers: &self.answers,
        };
        if let Err(error) = self.publisher.publish(now, &facts) {
            log::debug!("status.json: {error}");
        }
    }
}

/// VIPs of a group asked for on each interface in one probe.
const PROBED: usize = 4;

fn start_notifier(hook: PathBuf, executor: &LocalExecutor<'static>) -> Notifier {
    let (notifier, task) = Notifier::new(hook);
    executor.spawn(task).detach();
    notifier
}

fn vips(config: &Config, network: &Network) -> Vec<Vec<(IpAddr, usize)>> {
    let groups = 0..config.groups.len();
    groups
        .map(|group| assembly::vips(config, &network.resolved, group))
        .collect()
}

fn keyring(config: &Config) -> io::Result<Keyring> {
    let keys = config.cluster.keys.clone();
    Keyring::new(keys).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no usable key"))
}

/// What a refused datagram counts as.
fn counter(reject: Reject) -> &'static str {
    match reject {
        Reject::TooShort | Reject::TooLong => "rejected: length",
        Reject::NotOurs => "rejected: not a heartbeat",
        Reject::BadMac => "rejected: bad key",
        Reject::Malformed { .. } => "rejected: malformed",
    }
}

fn incarnation() -> io::Result<u64> {
    crate::agents::sys::random().map(|bytes| u64::from_ne_bytes(bytes).max(1))
}

fn fail(text: &str) -> ExitCode {
    eprintln!("ha-appliance: {text}");
    ExitCode::FAILURE
}
