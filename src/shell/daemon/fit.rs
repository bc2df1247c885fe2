//! Whether what ha.toml asks for can be on this machine, as it is now: looked at again and again, and told
//! in `status` for as long as it is so.

use super::*;
use crate::config::{Kind, Misfit, Settings, misfits};
use crate::shell::machine::{Asked, Looked};
use crate::shell::options::host_name;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// What was seen last, and when to look again.
#[derive(Default)]
pub(super) struct Fit {
    looked: Looked,
    /// States that were moved aside.
    aside: Option<String>,
    /// What the file on disk is like, if it is not what is in force.
    pub(super) unloaded: Option<String>,
    /// None: a look is under way, or there was none yet.
    next: Option<Time>,
    under_way: bool,
    glance: Rc<Glance>,
    seen: Rc<RefCell<Option<Seen>>>,
    /// Of the network, as it told them last: what is not as it should be, and what is worth a remark.
    network: (Vec<String>, Vec<String>),
    /// What is not as it should be, all in all.
    pub(super) amiss: Vec<String>,
    /// Of those, what the network told a moment ago, and when: a machine that boots goes through many.
    passing: Vec<(String, Time)>,
    /// Something else may have to be told.
    stale: bool,
    /// The configuration that was told of.
    generation: u64,
}

/// One look: at the machine, at the states that were moved aside, and at the file.
type Seen = (Looked, Option<String>, Result<OnDisk, config::Error>);

/// What the file on disk sets, and the keys that it names.
type OnDisk = (Settings, Vec<Vec<u8>>);

/// A look at nothing but when ha.toml and its key file were written: who has edited one reads the page next.
#[derive(Default)]
struct Glance {
    due: Cell<Option<Time>>,
    stamp: Cell<[Option<Stamp>; 2]>,
    begun: Cell<bool>,
    changed: Cell<bool>,
}

/// When a file was written last, to the nanosecond, and how long it is.
type Stamp = (i64, i64, u64);

const GLANCE: Duration = Duration::from_secs(3);

/// So long what the network lacks is no news yet.
const PASSING: Duration = Duration::from_millis(1500);

/// Programs and units come and go with packages.
const AGAIN: Duration = Duration::from_secs(30);

impl Fit {
    /// A look of somebody else's, which is as good.
    pub(super) fn saw(&mut self, looked: Looked) {
        self.looked = looked.after(std::mem::take(&mut self.looked));
        self.stale = true;
    }

    /// What was looked at waits to be taken.
    pub(super) fn is_due(&self) -> bool {
        self.seen.borrow().is_some() || self.glance.changed.get()
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Time> {
        let glance = self.glance.due.get();
        self.next.into_iter().chain(glance).min()
    }

    /// The files were read just now, whenever they were written.
    pub(super) fn read_anew(&mut self) {
        self.glance.begun.set(false);
    }

    /// The network or the peer changed.
    pub(super) fn outdated(&mut self) {
        self.stale = true;
    }
}

impl Daemon {
    /// What must not be tried with this ha.toml: the daemon does not start with it.
    pub(super) fn harmful(&self) -> Option<String> {
        let mut found = self.misfits();
        found.retain(|misfit| misfit.kind == Kind::Harmful);
        let told: Vec<String> = found.iter().map(Misfit::to_string).collect();
        (!told.is_empty()).then(|| told.join("\n"))
    }

    /// Takes what was seen, and looks again when it is time.
    pub(super) fn follow_machine(&mut self) {
        if let Some((looked, aside, file)) = self.fit.seen.take() {
            self.fit.saw(looked);
            self.fit.aside = aside;
            if !file.as_ref().is_err_and(|error| error.passing) {
                self.fit.unloaded = self.unloaded(file);
            }
            self.fit.under_way = false;
            self.fit.next = Some(clock::now() + AGAIN);
        }
        self.glance_at_the_files();
        if self.fit.glance.changed.get() && !self.fit.under_way {
            self.fit.glance.changed.set(false);
            // Of another file.
            self.status.reload_error = None;
            self.fit.next = None;
        }
        if self.fit.under_way || self.fit.next.is_some_and(|at| at > clock::now()) {
            return;
        }
        (self.fit.under_way, self.fit.next) = (true, None);
        let (host, peer) = (self.network.host().clone(), self.peer_addresses());
        let (asked, dir) = (Asked::of(&self.config), self.options.state_dir.clone());
        let (seen, path) = (self.fit.seen.clone(), self.options.config.clone());
        let task = async move {
            let look = smol::unblock(move || {
                let file = config::load(&path).map(|config| (config.settings, config.cluster.keys));
                (aside(&dir), file)
            });
            let (aside, file) = look.await;
            *seen.borrow_mut() = Some((asked.look(host, peer).await, aside, file));
        };
        self.executor.spawn(task).detach();
    }

    /// Sees whether one of the files was written, when it is time.
    fn glance_at_the_files(&self) {
        let (glance, now) = (self.fit.glance.clone(), clock::now());
        let begun = glance.begun.replace(true);
        if begun && glance.due.get().is_none_or(|at| at > now) {
            return;
        }
        glance.due.set(None);
        let key = self.config.cluster.key_file.clone();
        let files = [Some(self.options.config.clone()), key];
        let task = async move {
            let stamp = smol::unblock(move || {
                files.map(|path| {
                    let data = std::fs::metadata(path?).ok()?;
                    Some((data.mtime(), data.mtime_nsec(), data.len()))
                })
            });
            let stamp = stamp.await;
            // What the first look finds, the daemon has read.
            let other = glance.stamp.replace(stamp) != stamp;
            glance.changed.set(glance.changed.get() || (other && begun));
            glance.due.set(Some(clock::now() + GLANCE));
        };
        self.executor.spawn(task).detach();
    }

    /// Tells what is not as it should be, as it is now; each thing is logged when it comes and when it goes.
    pub(super) fn note(&mut self) {
        self.follow_hindered();
        let network = self.network.notices().chain(self.unanswered());
        let network: Vec<String> = network.chain(self.duplicate_notices()).collect();
        let network = (network, self.network.remarks().collect());
        if self.fit.network != network {
            self.fit.network = network;
            self.fit.stale = true;
        }
        if self.saved.take() && self.loaded.take().is_some() {
            self.fit.stale = true;
        }
        let now = clock::now();
        let lasts = |(_, since): &mut (String, Time)| now.since(*since) >= PASSING;
        let lasting: Vec<_> = self.fit.passing.extract_if(.., lasts).collect();
        for (new, _) in lasting {
            self.tell_of_machine(log::Level::Warn, new);
        }
        if !std::mem::take(&mut self.fit.stale) {
            return;
        }
        let misfits = self.misfits();
        let misfits = misfits.iter().map(Misfit::in_one_line);
        let (trouble, aside) = (self.fit.looked.trouble.clone(), self.fit.aside.clone());
        let first = [self.loaded.clone(), aside, trouble, self.renamed()];
        let first = first.into_iter().flatten().chain(self.another_node());
        let (network, remarks) = self.fit.network.clone();
        let amiss: Vec<String> = first.chain(misfits).chain(network).collect();
        let all: Vec<String> = amiss.iter().cloned().chain(remarks).collect();
        let before = std::mem::replace(&mut self.status.notices, all.clone());
        // What is warned of stands in status's attention for as long as it lasts.
        for new in all.iter().filter(|new| !before.contains(new)) {
            match amiss.contains(new) {
                true if self.fit.network.0.contains(new) => {
                    self.fit.passing.push((new.clone(), now));
                }
                true => self.tell_of_machine(log::Level::Warn, new.clone()),
                false => self.tell_of_machine(log::Level::Info, new.clone()),
            }
        }
        self.fit.amiss = amiss;
        // What another file does not name is not well for that.
        let generation = self.status.generation;
        let same = std::mem::replace(&mut self.fit.generation, generation) == generation;
        let gone = before.iter().filter(|old| !all.contains(old));
        for gone in gone {
            let passed = self.fit.passing.iter().position(|(known, _)| known == gone);
            if passed.map(|at| self.fit.passing.remove(at)).is_some() || !same {
                continue;
            }
            // Without what was to be done about it.
            let what = gone
                .split_once("; ")
                .map_or(gone.as_str(), |(what, _)| what);
            self.tell_of_machine(log::Level::Info, format!("no longer so: {what}"));
        }
        self.dirty = true;
    }

    fn tell_of_machine(&mut self, level: log::Level, text: String) {
        self.tell(Tiding {
            group: None,
            change: "machine",
            level,
            text,
        });
    }

    /// The file on disk, if it is not what is in force.
    fn unloaded(&self, file: Result<OnDisk, config::Error>) -> Option<String> {
        let path = self.options.config.display();
        match file {
            Ok((settings, keys)) if settings == self.config.settings => {
                (keys != self.config.cluster.keys).then(|| {
                    "the key file was changed and not loaded: `ha-appliance reload --dry-run` says what a reload would do"
                        .into()
                })
            }
            Ok(_) => Some(format!(
                "{path} was changed and not loaded: `ha-appliance reload --dry-run` says what a reload would change"
            )),
            Err(error) => {
                let why = error.to_string();
                let why = why.lines().next().unwrap_or_default();
                Some(format!(
                    "{path} is broken now, and the daemon would not start with it: {why}; `ha-appliance check` shows it"
                ))
            }
        }
    }

    /// The host got another name since the start: the daemon would not find itself again.
    fn renamed(&self) -> Option<String> {
        let found = self.config.side(self.options.node.as_deref(), &host_name());
        if found.as_ref() == Ok(&self.me) {
            return None;
        }
        let me = &self.config.node(self.me).name;
        Some(format!(
            "this host is called {} now, and the daemon runs as {me}: it would not start as that again; name the \
             host {me}, or say --node {me} in the unit",
            host_name()
        ))
    }

    /// This machine has an address of the other node's: it may be the other.
    fn another_node(&self) -> Option<String> {
        let [me, peer] = [self.me, self.me.other()].map(|side| self.config.node(side));
        let mut addresses = peer.links.iter();
        let address = addresses.find(|address| has(self.network.host(), **address))?;
        Some(another_node(&me.name, &peer.name, *address))
    }

    /// The peer's own addresses, as far as it told them.
    pub(super) fn peer_addresses(&self) -> Vec<IpAddr> {
        let vifs = 0..self.network.vifs.len();
        vifs.filter_map(|vif| self.network.peer_on(vif)).collect()
    }

    fn misfits(&self) -> Vec<Misfit> {
        let mut machine = self.fit.looked.machine.clone();
        machine.host = self.network.host().clone();
        machine.peer = self.peer_addresses();
        misfits(&self.config, self.me, &machine)
    }
}

fn aside(dir: &Path) -> Option<String> {
    let files = state::aside(dir);
    let newest = files.last()?.display();
    let count = files.len();
    let more = if count > 1 {
        format!(" ({count} such files)")
    } else {
        String::new()
    };
    Some(format!(
        "a state that could not be trusted is kept in {newest}{more}: find out what damaged it, then delete it"
    ))
}

fn has(host: &Host, address: IpAddr) -> bool {
    let addresses = host.interfaces.iter().flat_map(|i| &i.addresses);
    addresses.into_iter().any(|net| net.addr() == address)
}

fn another_node(me: &str, peer: &str, address: IpAddr) -> String {
    format!(
        "this machine has {address}, which ha.toml gives to {peer}, and the daemon runs as {me}: if this is {peer}, its \
         host name or the unit's --node is wrong, and the nodes never hear each other; if it is {me}, the address is"
    )
}
