//! What systemd is told of the daemon: sd_notify(3), datagrams of `NAME=value` lines.
//!
//! - READY=1 ends the start. It comes after the first look at everything, and never waits for the
//!   peer: a box that boots alone must not hang.
//! - STATUS= is the line in `systemctl status`.
//! - WATCHDOG=1 says that a turn of the loop was completed; without it systemd kills the daemon.
//! - STOPPING=1 begins the leaving. It has a budget of its own, so while it goes on the daemon asks
//!   for more time: TimeoutStopSec= in the unit ends only a leaving that hangs.
//!
//! Without NOTIFY_SOCKET, which systemd sets, nothing is told and nothing is due. Children do not
//! get these variables (see [`crate::agents::child::prepare`]).

use super::status::{Names, role};
use crate::core::peer::PeerState;
use crate::core::reason::Reason;
use crate::core::time::Time;
use crate::core::view::{GroupView, View};
use crate::wire::heartbeat::{Role, Side};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager that started this daemon, if one did.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<UnixDatagram>,
    /// How often a completed turn is reported; None: nobody wants to know.
    watchdog: Option<Duration>,
    /// When the next sign of life is due; None: at once.
    due: Option<Time>,
    started: Option<Time>,
    ready: bool,
    leaving: bool,
    status: String,
}

/// A first look that takes longer (a service that does not answer) does not hold up the boot.
const READY_PATIENCE: Duration = Duration::from_secs(5);
/// While leaving, so much time is asked for again and again, long before it is over.
const EXTENSION: Duration = Duration::from_secs(10);

/// When systemd takes nothing, because it is busy.
const RETRY: Duration = Duration::from_millis(100);

impl Supervisor {
    /// systemd started this daemon.
    pub fn is_there() -> bool {
        std::env::var_os("NOTIFY_SOCKET").is_some()
    }

    /// The one that the environment names.
    pub fn from_environment() -> Supervisor {
        let variable = |name| std::env::var_os(name);
        Supervisor::new(
            variable("NOTIFY_SOCKET"),
            variable("WATCHDOG_USEC"),
            variable("WATCHDOG_PID"),
        )
    }

    /// From the values of NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    pub fn new(
        socket: Option<OsString>,
        usec: Option<OsString>,
        pid: Option<OsString>,
    ) -> Supervisor {
        let socket = socket.and_then(|name| {
            let told = open(&name);
            told.inspect_err(|e| log::warn!("NOTIFY_SOCKET {}: {e}", name.display()))
                .ok()
        });
        let number = |text: Option<OsString>| text?.to_str()?.parse::<u64>().ok();
        let mine = pid.is_none() || number(pid) == Some(std::process::id().into());
        // As sd_watchdog_enabled(3): 0 asks for nothing. A period of 0 would be due again at once.
        let limit = number(usec).filter(|usec| *usec > 0 && mine && socket.is_some());
        Supervisor {
            socket,
            watchdog: limit.map(|usec| Duration::from_micros((usec / 2).max(1))),
            ..Supervisor::default()
        }
    }

    /// Tells what has changed.
    pub fn tell(&mut self, now: Time, view: &View, names: &Names) {
        if self.socket.is_none() {
            return;
        }
        let started = *self.started.get_or_insert(now);
        let looked = view.groups.iter().all(|g| g.reason != Reason::Started);
        if !self.ready && (looked || now.since(started) >= READY_PATIENCE) {
            self.ready = self.send("READY=1");
        }
        if view.leaving && !self.leaving {
            self.leaving = self.send("STOPPING=1");
            self.due = None;
        }
        let status = line(view, names);
        if status != self.status && self.send(&format!("STATUS={status}")) {
            self.status = status;
        }
    }

    /// Before there is anything to tell of: nobody waits for this start any longer, and this is why it goes no
    /// further.
    pub fn wait(&mut self, why: &str) {
        self.ready = self.ready || self.send("READY=1");
        if why != self.status && self.send(&format!("STATUS={why}")) {
            self.status = why.to_owned();
        }
    }

    /// A turn of the loop is completed: gives a sign of life if one is due.
    pub fn alive(&mut self, now: Time) {
        let Some(period) = self.period() else { return };
        if self.due.is_some_and(|due| now < due) {
            return;
        }
        let mut signs = Vec::new();
        if self.watchdog.is_some() {
            signs.push("WATCHDOG=1".to_owned());
        }
        if self.leaving {
            signs.push(format!("EXTEND_TIMEOUT_USEC={}", EXTENSION.as_micros()));
        }
        let sent = self.send(&signs.join("\n"));
        self.due = Some(now + if sent { period } else { period.min(RETRY) });
    }

    /// When [`Self::alive`] has something to say.
    pub fn deadline(&self) -> Option<Time> {
        self.due.filter(|_| self.period().is_some())
    }

    /// A reload begins. It ends within the same turn, with [`Self::reloaded`].
    pub fn reloading(&self) {
        if self.ready {
            self.send("RELOADING=1");
        }
    }

    /// The reload is over, well or not.
    pub fn reloaded(&mut self) {
        self.ready = self.ready && self.send("READY=1"); // else `tell` says it again
    }

    fn period(&self) -> Option<Duration> {
        let extension = self.leaving.then_some(EXTENSION / 2);
        [self.watchdog, extension].into_iter().flatten().min()
    }

    /// Says whether systemd has it. It may be busy: what matters is said again.
    fn send(&self, text: &str) -> bool {
        let sent = self.socket.as_ref().map(|s| s.send(text.as_bytes()));
        matches!(sent, Some(Ok(_)))
    }
}

/// A path, or `@name` for an abstract one.
fn open(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// "active here: web; nowhere: mail; peer lb2 alive".
fn line(view: &View, names: &Names) -> String {
    let peer = match view.me {
        Side::First => Side::Second,
        Side::Second => Side::First,
    };
    let (me, peer) = (names.node(view.me), names.node(peer));
    let mut places: Vec<(String, Vec<String>)> = Vec::new();
    for group in &view.groups {
        let (place, name) = (place(view, group, peer), names.group(group.id));
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, groups)) => groups.push(name),
            None => places.push((place, vec![name])),
        }
    }
    let places = places.into_iter();
    let mut said: Vec<String> = places
        .map(|(place, groups)| format!("{place}: {}", groups.join(", ")))
        .collect();
    said.push(format!("peer {peer} {}", view.peer.state));
    for (node, standby) in [me, peer].into_iter().zip(in_order(view)) {
        if standby {
            said.push(format!("{node} in standby"));
        }
    }
    if view.maintenance {
        said.push("maintenance".into());
    }
    if view.leaving {
        said.push("leaving".into());
    }
    said.join("; ")
}

/// Standby of this node, and of the peer.
fn in_order(view: &View) -> [bool; 2] {
    let [first, second] = view.standby;
    match view.me {
        Side::First => [first, second],
        Side::Second => [second, first],
    }
}

fn place(view: &View, group: &GroupView, peer: &str) -> String {
    let there = group.peer.map_or(Role::Stopped, |(role, _)| role);
    match (group.role, there) {
        _ if group.adopted => "active here".into(),
        (Role::Stopped, Role::Stopped) => match view.peer.state {
            _ if group.stopped => "stopped".into(),
            PeerState::Alive | PeerState::OneWay => "nowhere".into(),
            PeerState::Left if group.peer.is_some() => "nowhere".into(),
            PeerState::Fenced if view.peer.signs.is_empty() => "nowhere".into(),
            PeerState::Left
            | PeerState::Fenced
            | PeerState::Unknown
            | PeerState::Silent
            | PeerState::Refused => format!("not here, unknown of {peer}"),
        },
        // Nothing is started in maintenance: a restarted daemon found it running.
        (Role::Stopped, Role::Starting) if view.maintenance => format!("active on {peer}"),
        (Role::Stopped, there) => format!("{} on {peer}", role(there)),
        (here, _) => format!("{} here", role(here)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::GroupId;
    use crate::shell::status::sample::{NOW, Sample};
    use crate::testing::TestDir;
    use crate::wire::heartbeat::Readiness;

    /// A supervisor, and what it was told.
    fn heard_by(socket: UnixDatagram, name: &OsStr, usec: &str) -> (Supervisor, UnixDatagram) {
        socket.set_nonblocking(true).unwrap();
        let supervisor = Supervisor::new(Some(name.into()), Some(usec.into()), None);
        (supervisor, socket)
    }

    fn pair(dir: &TestDir, usec: &str) -> (Supervisor, UnixDatagram) {
        let path = dir.join("notify");
        heard_by(UnixDatagram::bind(&path).unwrap(), path.as_os_str(), usec)
    }

    fn heard(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 512];
        std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|n| buffer[..n].to_vec()))
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .collect()
    }

    const STATUS: &str = "STATUS=active here: web; peer lb2 alive";

    #[test]
    fn ready_after_the_first_look_and_each_change_once() {
        let dir = TestDir::new();
        let (mut supervisor, socket) = pair(&dir, "");
        let mut sample = Sample::default();
        sample.view.groups[0].reason = Reason::Started;
        supervisor.tell(NOW, &sample.view, &sample.names);
        assert_eq!(heard(&socket), [STATUS]);
        sample.view.groups[0].reason = Reason::FoundRunning;
        supervisor.tell(NOW, &sample.view, &sample.names);
        supervisor.tell(NOW, &sample.view, &sample.names);
        assert_eq!(heard(&socket), ["READY=1"]);
        supervisor.reloading();
        supervisor.reloaded();
        supervisor.tell(NOW, &sample.view, &sample.names);
        assert_eq!(heard(&socket), ["RELOADING=1", "READY=1"]);
        supervisor.alive(NOW);
        assert_eq!((supervisor.deadline(), heard(&socket)), (None, vec![]));
    }

    #[test]
    fn a_look_that_hangs_does_not_hold_up_the_boot() {
        let dir = TestDir::new();
        let (mut supervisor, socket) = pair(&dir, "");
        let mut sample = Sample::default();
        sample.view.groups[0].reason = Reason::Started;
        supervisor.tell(NOW, &sample.view, &sample.names);
        supervisor.tell(NOW + READY_PATIENCE, &sample.view, &sample.names);
        assert_eq!(heard(&socket), [STATUS, "READY=1"]);
    }

    #[test]
    fn a_sign_of_life_at_half_of_the_watchdogs_time() {
        let dir = TestDir::new();
        let (mut supervisor, socket) = pair(&dir, "2000000");
        let second = Duration::from_secs(1);
        for (after, signs) in [(0, 1), (999, 0), (1000, 1), (1001, 0), (9000, 1)] {
            supervisor.alive(NOW + Duration::from_millis(after));
            assert_eq!(heard(&socket), vec!["WATCHDOG=1"; signs], "{after} ms");
        }
        assert_eq!(supervisor.deadline(), Some(NOW + 10 * second));
    }

    #[test]
    fn a_sign_of_life_that_was_not_taken_is_given_again() {
        let dir = TestDir::new();
        let (mut supervisor, socket) = pair(&dir, "2000000");
        while supervisor.send("X=") {} // systemd is busy
        supervisor.alive(NOW);
        assert!(heard(&socket).iter().all(|text| text == "X="));
        supervisor.alive(NOW + RETRY);
        assert_eq!(heard(&socket), ["WATCHDOG=1"]);
    }

    #[test]
    fn leaving_asks_for_more_time_as_long_as_it_goes_on() {
        let dir = TestDir::new();
        let (mut supervisor, socket) = pair(&dir, "");
        let mut sample = Sample::default();
        supervisor.tell(NOW, &sample.view, &sample.names);
        heard(&socket);
        sample.view.leaving = true;
        supervisor.tell(NOW, &sample.view, &sample.names);
        supervisor.alive(NOW);
        let leaving = format!("{STATUS}; leaving");
        let more = "EXTEND_TIMEOUT_USEC=10000000";
        assert_eq!(heard(&socket), ["STOPPING=1", &leaving, more]);
        assert_eq!(supervisor.deadline(), Some(NOW + Duration::from_secs(5)));
        supervisor.alive(NOW + Duration::from_secs(5));
        assert_eq!(heard(&socket), [more]);
    }

    #[test]
    fn a_daemon_that_waits_is_ready_and_says_for_what() {
        let dir = TestDir::new();
        let (mut supervisor, socket) = pair(&dir, "2000000");
        supervisor.wait("waits");
        supervisor.wait("waits");
        assert_eq!(heard(&socket), ["READY=1", "STATUS=waits"]);
        supervisor.alive(NOW);
        assert_eq!(heard(&socket), ["WATCHDOG=1"]);
    }

    #[test]
    fn an_abstract_socket_and_another_process_watchdog() {
        let name = format!("@ha-appliance-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name[1..]).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let (supervisor, socket) = heard_by(socket, name.as_ref(), "2000000");
        assert!(supervisor.send("X="));
        assert_eq!(heard(&socket), ["X="]);
        assert_eq!(supervisor.watchdog, Some(Duration::from_secs(1)));
        let of_another = |pid: &str| {
            Supervisor::new(
                Some((&name).into()),
                Some("2000000".into()),
                Some(pid.into()),
            )
        };
        assert_eq!(of_another("1").watchdog, None);
        let own = std::process::id().to_string();
        assert_eq!(of_another(&own).watchdog, Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_watchdog_of_no_time_is_none() {
        let dir = TestDir::new();
        for (usec, period) in [("0", None), ("1", Some(Duration::from_micros(1)))] {
            let dir = dir.join(usec);
            std::fs::create_dir(&dir).unwrap();
            let path = dir.join("notify");
            let socket = UnixDatagram::bind(&path).unwrap();
            let (mut supervisor, _socket) = heard_by(socket, path.as_os_str(), usec);
            supervisor.alive(NOW);
            assert_eq!(supervisor.deadline(), period.map(|period| NOW + period));
        }
    }

    #[test]
    fn without_systemd_nothing_is_due() {
        let mut supervisor = Supervisor::new(None, Some("2000000".into()), None);
        let sample = Sample::default();
        supervisor.tell(NOW, &sample.view, &sample.names);
        supervisor.alive(NOW);
        assert_eq!(supervisor.deadline(), None);
    }

    #[test]
    fn the_line_says_where_everything_runs() {
        let mut sample = Sample::default();
        let able = Readiness::Able;
        let mut add = |name: &str, role, peer| {
            let mut group = sample.view.groups[0].clone();
            (group.role, group.peer) = (role, Some((peer, able)));
            group.id = GroupId::of(name);
            sample.view.groups.push(group);
            let mut names = sample.names.groups[0].clone();
            (names.id, names.name) = (GroupId::of(name), name.into());
            sample.names.groups.push(names);
        };
        add("db", Role::Stopped, Role::Active);
        add("mail", Role::Stopped, Role::Stopped);
        add("shop", Role::Active, Role::Stopped);
        add("wiki", Role::Failed, Role::Stopped);
        sample.view.standby = [false, true];
        sample.view.maintenance = true;
        assert_eq!(
            line(&sample.view, &sample.names),
            "active here: web, shop; active on lb2: db; nowhere: mail; failed here: wiki; \
             peer lb2 alive; lb2 in standby; maintenance"
        );
    }

    /// Not knowing is not nowhere, and what was found running runs.
    #[test]
    fn the_line_says_what_is_not_known() {
        let mut sample = Sample::default();
        let group = &mut sample.view.groups[0];
        (group.role, group.peer) = (Role::Stopped, None);
        for state in [PeerState::Silent, PeerState::Unknown, PeerState::Refused] {
            sample.view.peer.state = state;
            assert_eq!(
                line(&sample.view, &sample.names),
                format!("not here, unknown of lb2: web; peer lb2 {state}")
            );
        }
        sample.view.peer.state = PeerState::Left;
        // Its goodbye did not name it.
        assert_eq!(
            line(&sample.view, &sample.names),
            "not here, unknown of lb2: web; peer lb2 left"
        );
        sample.view.groups[0].peer = Some((Role::Stopped, Readiness::Able));
        assert_eq!(
            line(&sample.view, &sample.names),
            "nowhere: web; peer lb2 left"
        );
        sample.view.groups[0].adopted = true;
        sample.view.groups[0].role = Role::Starting;
        assert_eq!(
            line(&sample.view, &sample.names),
            "active here: web; peer lb2 left"
        );
    }
}
