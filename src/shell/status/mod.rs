//! `status.json`: the daemon's only mouth. It is rewritten at every change, and a reader who finds
//! its stamp old says "not responding" instead of showing an old truth.
//!
//! - this file: the schema, which monitoring may rely on;
//! - `sentence`: what is said of one thing everywhere;
//! - `said`: what one node tells the other of its groups;
//! - `build`: from the core's view to the schema, with names put in;
//! - `look`: what a look at a group's resources finds;
//! - `elsewhere`: what says that the peer runs a group;
//! - `publish`: the daemon's side, writing;
//! - `read`: everybody else's side, reading and judging freshness;
//! - `lack`: what kind of thing keeps a group from being served;
//! - `judge`: what is not as it should be, how bad that is, and what would help;
//! - `page`: a page for a person, `group` a group's part of it, `layout` how it is laid out.
//!
//! All stamps are microseconds of CLOCK_BOOTTIME of the boot named in the file; readers compute ages.

mod answers;
mod build;
mod elsewhere;
mod group;
mod judge;
mod lack;
mod layout;
mod look;
mod page;
pub(crate) mod protection;
mod publish;
mod read;
mod said;
pub(crate) mod sentence;

pub use answers::Answers;
pub use build::{Adopted, Facts, GroupNames, Names, PathNames};
pub(crate) use build::{readiness, role};
pub use judge::{Concern, Severity, judge};
pub(crate) use judge::{awaited, failed, in_vain, on_its_way, served, stuck, unserved};
pub use layout::Style;
pub use look::Look;
pub use page::{render, render_absent, render_brief, render_group};
pub use publish::Publisher;
pub use read::{
    LastStatus, Reading, STALE, last_status, load, load_once, peer_addresses, ran_before, read,
};

use crate::core::node::SIGN_LASTS;
use crate::core::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Clocks that differ by less are the same to a reader of two logs.
pub const CLOCKS_DIFFER: std::time::Duration = std::time::Duration::from_secs(2);

/// The version of this schema. It grows when a field changes its meaning or goes away, not when one
/// is added.
pub const SCHEMA: u32 = 1;

/// Everything about this node and what it knows of its peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The cluster's name.
    pub cluster: String,
    /// This node's name.
    pub node: String,
    /// The boot in which the stamps count.
    pub boot_id: String,
    /// When this was written, µs.
    pub stamp_us: i64,
    /// The same for people (UTC).
    pub stamp: String,
    /// well, degraded or blocked: the worst of `attention`.
    #[serde(skip_deserializing)]
    pub verdict: String,
    /// What is not as it should be, the worst first, in the words of the page.
    #[serde(skip_deserializing)]
    pub attention: Vec<Attention>,
    /// The daemon.
    pub daemon: Daemon,
    /// Nobody touches anything, on both nodes.
    pub maintenance: bool,
    /// This node is on its way out.
    pub leaving: bool,
    /// Why the state cannot be written, if so.
    pub state_unwritable: Option<String>,
    /// How a silent peer is switched off; null: nothing does, UNPROTECTED, takeovers are best effort.
    #[serde(default)]
    pub fencing: Option<Fencing>,
    /// Both nodes, in the order of ha.toml.
    pub nodes: Vec<Node>,
    /// What this node makes of its peer.
    pub peer: Peer,
    /// The paths to it.
    pub paths: Vec<Path>,
    /// The interfaces that VIPs stand on.
    pub interfaces: Vec<Interface>,
    /// The gateways.
    pub gateways: Vec<Gateway>,
    /// The groups, in the order of ha.toml.
    pub groups: Vec<Group>,
    /// Datagrams from the peer's address that were refused lately, by cause and path.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// What was counted since the daemon started.
    pub counters: BTreeMap<String, u64>,
    /// The latest requests and their answers, oldest first.
    pub answers: Vec<Answer>,
}

/// How a silent peer is switched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fencing {
    /// A device that switches the peer off answered lately: within three probes, and at the last one.
    pub ready: bool,
    /// The same of the peer and this node, as the peer said last; null: it has not. PROTECTED is both.
    pub peer_ready: Option<bool>,
    /// Between the instants at which the nodes may shoot, ms.
    pub delay_ms: u64,
    /// What switches the peer off, the first level first.
    pub devices: Vec<FenceDevice>,
}

/// A device that switches the peer off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceDevice {
    /// What it is called: "ipmi 10.1.1.202".
    pub name: String,
    /// on or off: the power of the peer's machine as it was read last; failed; unasked; or distrusted: it read off of a
    /// machine that lived on.
    pub state: String,
    /// Why it failed, or is not believed; null: neither.
    pub why: Option<String>,
    /// When it answered last, µs; null: not since the daemon started.
    pub good_us: Option<i64>,
    /// By what it was asked: "cipher suite 17"; null: not by IPMI, or not yet known.
    pub suite: Option<String>,
    /// When it last switched the peer off, verified (UTC); null: never, as it is configured now.
    pub rehearsed: Option<String>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attention {
    /// degraded or blocked.
    pub severity: String,
    /// The group, where it is about one.
    pub group: Option<String>,
    /// What.
    pub text: String,
    /// What would help; null: nothing is to be done.
    pub advice: Option<String>,
}

/// Datagrams that were refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// other key, this node's own name, not a heartbeat, malformed; or nobody listens: the peer's machine refuses this
    /// node's.
    pub cause: String,
    /// This node's end of the path.
    pub own: String,
    /// The peer's end of the path.
    pub peer: String,
    /// How many since the daemon started.
    pub count: u64,
    /// When the latest came, µs.
    pub last_us: i64,
}

/// The daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Its process.
    pub pid: u32,
    /// Its incarnation in heartbeats, 16 hexadecimal digits.
    pub incarnation: String,
    /// The signal that carries orders to it ([`crate::shell::signals::order_signal`]).
    pub order_signal: i32,
    /// Its program's version.
    pub software: String,
    /// The file it was configured from.
    pub config: String,
    /// Which configuration is in force: counts from 1, by one a reload that succeeded.
    pub generation: u64,
    /// The last reload's error, if it failed and the configuration before is still in force.
    pub reload_error: Option<String>,
    /// What its file is like now, if it is not what is in force: changed, or broken.
    #[serde(default)]
    pub unloaded: Option<String>,
    /// It ended as it was told, and this is its last word.
    #[serde(default)]
    pub ended: bool,
    /// When it started, µs.
    pub started_us: i64,
    /// What an operator should know: warnings of `check` as they are now, links that cannot be opened, a state that
    /// was damaged.
    pub notices: Vec<String>,
    /// Those of them that somebody should do something about.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// It is this one.
    pub here: bool,
    /// It takes nothing.
    pub standby: bool,
}

/// What this node makes of its peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// unknown, alive, one-way, refused, left, silent or fenced.
    pub state: String,
    /// Since when, µs.
    pub since_us: i64,
    /// Why.
    pub reason: String,
    /// When it was last heard on any path, µs.
    pub heard_us: Option<i64>,
    /// So long nothing of it is to be heard until it counts as silent, ms: the interval that it announced × this node's
    /// misses; the careful side of both files while they differ.
    #[serde(default)]
    pub detection_ms: u64,
    /// Its program's version; empty while it was never heard.
    pub software: String,
    /// Its configuration differs from this node's, by its last word: at `heard_us`.
    pub drift: bool,
    /// In what, as far as it is known.
    #[serde(default)]
    pub differences: Vec<String>,
    /// What it says of itself that this node cannot see: of its file, and of its last reload.
    #[serde(default)]
    pub amiss: Vec<String>,
    /// Why it is refused: other-cluster, other-nodes, other-version or same-node; empty: it is not.
    #[serde(default)]
    pub cause: String,
    /// What speaks for its life while it is not heard, or not believed.
    #[serde(default)]
    pub signs_of_life: Vec<SignOfLife>,
    /// In maintenance its daemon ended, as it was told there, and left running what runs: when, µs; null: it did not.
    #[serde(default)]
    pub ended_us: Option<i64>,
    /// Until when nothing starts, as after a boot, because it may still come, µs; null: it is waited for no more.
    #[serde(default)]
    pub waited_for_us: Option<i64>,
    /// How far its clock is ahead of this node's, ms, by its last word; null: it has not told.
    #[serde(default)]
    pub clock_ahead_ms: Option<i64>,
}

/// What speaks for the life of a peer that is not heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOfLife {
    /// What.
    pub what: String,
    /// It is a heartbeat that is not proven; false: an answer of its hardware address, or of its kernel.
    pub heartbeat: bool,
    /// When it came last, µs.
    pub at_us: i64,
}

/// A path to the peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// This node's end.
    pub own: String,
    /// The peer's end.
    pub peer: String,
    /// A path of last resort, between the nodes' own addresses on a VIP interface; false: a link.
    pub last_resort: bool,
    /// When the peer was last heard on it, µs.
    pub heard_us: Option<i64>,
    /// The peer is heard on it.
    pub in_ok: bool,
    /// The peer says that it hears this node on it; null: it does not say.
    pub out_ok: Option<bool>,
    /// This node's end stands on no live interface, or nothing can be sent there.
    #[serde(default)]
    pub hindered: bool,
    /// Why the peer's end is of no use, by its own word.
    #[serde(default)]
    pub hindered_there: Option<String>,
}

/// An interface that VIPs stand on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// This machine has it.
    #[serde(default = "yes")]
    pub exists: bool,
    /// Its cable is live.
    pub carrier: bool,
    /// A probe of the peer was answered there once, so that the silence of a later one means something.
    pub probe_proven: bool,
}

/// A gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// Its address.
    pub address: String,
    /// The interface it is asked on.
    pub interface: String,
    /// pending, good, dampened or lost: as it was when it could be asked last.
    pub state: String,
    /// Since when, µs.
    pub since_us: i64,
    /// Pings to it do not leave this machine; why, `attention` says.
    #[serde(default)]
    pub hindered: bool,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name; its place in the list is its index in orders.
    pub name: String,
    /// Its VIPs.
    pub vips: Vec<String>,
    /// Where it stands here: stopped, starting, active, stopping or failed.
    pub role: String,
    /// Since when, µs.
    pub since_us: i64,
    /// Why.
    pub reason: String,
    /// What brought it to this node; null: it does not run here, or nobody knows.
    #[serde(default)]
    pub came_by: Option<String>,
    /// That both nodes ran it within the last hour, and what came of that; null: it is not known of.
    #[serde(default)]
    pub both_ran: Option<String>,
    /// When that was found, µs.
    #[serde(default)]
    pub both_ran_us: Option<i64>,
    /// The token's epoch.
    pub epoch: u64,
    /// The node that holds the token.
    pub holder: String,
    /// How well this node could run it: able, impaired, unable (nobody would be served) or barred.
    pub readiness: String,
    /// What speaks against running it here.
    pub facts: Vec<String>,
    /// What the peer says of it; null while it is not heard, but for what it said as it left.
    pub peer: Option<GroupAtPeer>,
    /// Its resources were found running when this daemon started, and are kept.
    #[serde(default)]
    pub adopted: bool,
    /// What says that the peer runs it, while its word is not had or not trusted; null: nothing.
    #[serde(default)]
    pub elsewhere: Option<String>,
    /// What says that both nodes run it at once; null: nothing.
    #[serde(default)]
    pub conflict: Option<String>,
    /// The hardware address of another machine that claimed a VIP of it lately; null: none did.
    #[serde(default)]
    pub rival: Option<String>,
    /// When it did so last, µs.
    #[serde(default)]
    pub rival_us: Option<i64>,
    /// protected, best-effort or none: how a silent peer's group is taken over.
    #[serde(default)]
    pub protection: String,
    /// Why this node would not take it over from a silent peer by itself; null: it would.
    #[serde(default)]
    pub no_takeover: Option<String>,
    /// What it waits for.
    pub waiting: Option<String>,
    /// What kind of thing that is: proof (that a silent peer runs nothing of it), time, network, file,
    /// resource, readiness (of what a resource stands on), disk,
    /// leave (of the operator) or stop; empty: it waits for nothing, or for something else.
    #[serde(default)]
    pub lacks: String,
    /// When what failed is tried again here, µs; null: it is not.
    #[serde(default)]
    pub retry_us: Option<i64>,
    /// Failures counted here.
    pub fail_count: u16,
    /// Failures counted by the peer.
    pub peer_fail_count: u16,
    /// Resources that this node's ha.toml lists in it, and the peer's does not.
    #[serde(default)]
    pub unlisted_there: Vec<String>,
    /// The operator stopped it.
    pub stopped: bool,
    /// Failback waits, because an operator moved the group.
    pub failback_held: bool,
    /// Its resources on this node, in the order of ha.toml; VIPs that follow each other are one.
    /// Empty: this daemon does not tell.
    #[serde(default)]
    pub resources: Vec<Resource>,
}

/// A resource on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// What a person calls it, such as "service nginx.service".
    pub name: String,
    /// unknown, stopped, starting, running, down, held back, stopping or stuck.
    pub state: String,
    /// Until when a start or a stop that is under way may take, before it is ended, µs; null: none is.
    #[serde(default)]
    pub until_us: Option<i64>,
    /// Failures counted here.
    pub fail_count: u16,
    /// What the latest failure was; empty: there is none.
    #[serde(default)]
    pub failure: String,
    /// When that was, µs; null: before this daemon started, or never.
    #[serde(default)]
    pub failed_us: Option<i64>,
    /// When the failures are forgotten, µs; null: when they are cleared.
    #[serde(default)]
    pub forgotten_us: Option<i64>,
    /// What a look at it finds amiss just now, in maintenance too; null: nothing.
    #[serde(default)]
    pub amiss: Option<String>,
    /// What systemd and the check say of a service, or the kernel and the probe of a mount; null: it is neither.
    pub service: Option<ServiceStatus>,
}

/// A service, or a mount, as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// In systemd's words, such as "active (running)"; of a mount such as "/dev/sdb1 is mounted".
    pub state: String,
    /// Since when, µs; null: systemd does not say.
    pub since_us: Option<i64>,
    /// Its main process.
    pub main_pid: Option<i32>,
    /// When its check, or a mount's probe, was last begun, µs; null: it has none, or was not asked yet.
    pub checked_us: Option<i64>,
    /// What that check found wrong; null: nothing.
    pub check_error: Option<String>,
    /// All of it runs; null: not looked at yet.
    #[serde(default)]
    pub runs: Option<bool>,
    /// What keeps systemd or the check from being asked, or is waited for; null: nothing.
    #[serde(default)]
    pub notice: Option<String>,
}

/// What a node says of a group beside its heartbeats, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The group's name.
    pub group: String,
    /// Where it stands there, as [`Group::role`]; empty: a daemon before this one told.
    #[serde(default)]
    pub role: String,
    /// Since when it stands where it stands there, µs.
    pub since_us: i64,
    /// Why.
    pub reason: String,
    /// What speaks against running it there.
    pub facts: Vec<String>,
    /// The state directory cannot be written there.
    #[serde(default)]
    pub unwritable: bool,
    /// What it waits for there.
    pub waiting: Option<String>,
    /// When what failed is tried again there, µs; null: it is not.
    pub retry_us: Option<i64>,
    /// What a look there finds amiss just now.
    pub amiss: Vec<String>,
    /// What is being started or stopped there.
    #[serde(default)]
    pub pending: Vec<Pending>,
    /// What failed there and still counts.
    pub failures: Vec<Failed>,
    /// That node says that both ran it, in these words: as [`Group::both_ran`].
    #[serde(default)]
    pub both_ran: Option<String>,
    /// When that was found there, µs.
    #[serde(default)]
    pub both_ran_us: Option<i64>,
}

/// A resource that is being started or stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The resource.
    pub resource: String,
    /// As [`Resource::state`]: starting or stopping.
    pub state: String,
    /// Until when that may take, µs.
    pub until_us: i64,
}

/// Failures of a resource that still count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The resource.
    pub resource: String,
    /// How many.
    pub count: u16,
    /// What the latest was; empty: a daemon before this one knew.
    pub text: String,
    /// When that was, µs; null: before the daemon started.
    pub at_us: Option<i64>,
    /// When they are forgotten, µs; null: when they are cleared.
    pub until_us: Option<i64>,
}

/// What the peer says of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupAtPeer {
    /// As [`Group::role`].
    pub role: String,
    /// As [`Group::readiness`].
    pub readiness: String,
    /// Its reasons; null: it has not told them, or is not heard.
    #[serde(default)]
    pub says: Option<Said>,
}

/// A request and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The request's number.
    pub number: u16,
    /// It was answered; false: it arrived and is being worked on.
    pub done: bool,
    /// Accepted; false: refused or failed.
    pub accepted: bool,
    /// For the operator.
    pub text: String,
}

/// A daemon before this one did not tell.
fn yes() -> bool {
    true
}

impl Status {
    /// The group's index.
    pub fn group(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|g| g.name == name)
    }

    /// The group that has this DRBD resource, by its index, and the resource.
    pub fn drbd(&self, resource: &str) -> Option<(usize, &Resource)> {
        let name = format!("drbd {resource}");
        let groups = self.groups.iter().enumerate();
        let mut resources = groups.flat_map(|(at, g)| g.resources.iter().map(move |r| (at, r)));
        resources.find(|(_, known)| known.name == name)
    }

    /// This node and its peer, by index of [`Self::nodes`].
    pub fn here_and_there(&self) -> (usize, usize) {
        let here = self.nodes.iter().position(|n| n.here).unwrap_or(0);
        (here, 1 - here.min(1))
    }

    /// How things stand, judged at this moment.
    pub fn judged(mut self, now: Time) -> Status {
        let concerns = judge(&self, now);
        let worst = concerns.iter().map(|c| c.severity).max();
        self.verdict = worst.unwrap_or(Severity::Well).word().into();
        let attention = concerns.into_iter().map(|concern| Attention {
            severity: concern.severity.word().into(),
            group: concern.group,
            text: concern.text,
            advice: concern.hint,
        });
        self.attention = attention.collect();
        self
    }

    /// Why the last reload was refused, unless the file is said to be broken for that very reason.
    pub fn refused_reload(&self) -> Option<&String> {
        let why = self.daemon.reload_error.as_ref()?;
        let first = why.lines().next().unwrap_or_default();
        let unloaded = self.daemon.unloaded.as_deref().unwrap_or_default();
        (!unloaded.contains(first)).then_some(why)
    }

    /// What this node says of itself that its peer cannot see.
    pub fn own_words(&self) -> Vec<String> {
        let refused = self.refused_reload().map(|why| {
            let why = why.lines().next().unwrap_or_default();
            format!("the last reload was refused, the configuration before is in force: {why}")
        });
        self.unloaded()
            .cloned()
            .into_iter()
            .chain(refused)
            .collect()
    }

    /// What the file on disk is like, unless it is said that its reload was refused.
    pub fn unloaded(&self) -> Option<&String> {
        let refused = self.refused_reload().is_some();
        self.daemon.unloaded.as_ref().filter(|_| !refused)
    }

    /// Something speaks for the life of a peer that is not heard.
    pub fn peer_shows_life(&self, now: Time) -> bool {
        let lately = |refused: &Refused| now.since(Time(refused.last_us)) <= SIGN_LASTS;
        !self.peer.signs_of_life.is_empty() || self.refused.iter().any(lately)
    }

    /// Where this node is cut off itself, and so could not see whether the peer lives: interfaces without carrier, and
    /// those on which a gateway is known and none answers.
    pub fn blind_spots(&self) -> Vec<String> {
        let of = |interface: &Interface| {
            if !interface.carrier {
                return Some(sentence::no_carrier(&interface.name, interface.exists));
            }
            let on = |g: &&Gateway| g.interface == interface.name;
            let answers =
                |g: &Gateway| !g.hindered && matches!(g.state.as_str(), "good" | "dampened");
            let gateways: Vec<&Gateway> = self.gateways.iter().filter(on).collect();
            let silent = !gateways.iter().any(|g| answers(g));
            let first = gateways.first().filter(|_| silent)?;
            Some(sentence::gateway_lost(
                &first.address,
                &first.interface,
                first.hindered,
            ))
        };
        self.interfaces.iter().filter_map(of).collect()
    }

    /// Its word is of now.
    pub fn peer_speaks(&self) -> bool {
        matches!(self.peer.state.as_str(), "alive" | "one-way")
    }

    /// What is to be added where the peer's last word is shown: of when it is, if it is not of now.
    pub fn as_last_heard(&self, now: Time) -> String {
        match self.peer.heard_us.filter(|_| !self.peer_speaks()) {
            Some(at) => {
                let ago = crate::shell::clock::span(now.since(Time(at)));
                format!(
                    " (as of when {} was last heard, {ago} ago)",
                    self.peer_name()
                )
            }
            None => String::new(),
        }
    }

    /// The peer's name.
    pub fn peer_name(&self) -> &str {
        self.nodes
            .get(self.here_and_there().1)
            .map_or("the peer", |n| &n.name)
    }
}

#[cfg(test)]
mod documented;
#[cfg(test)]
pub(crate) mod sample;
