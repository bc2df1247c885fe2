//! Both copies of a resource's data as this node knows them, and what that allows: to promote the one that is here, to
//! answer DRBD that the other one is out, to take the group over.
//!
//! It decides and does nothing: what DRBD says and what is known of the other node come in, an answer comes out. That no data
//! older than an acknowledged write is promoted by it is searched for, over all histories of a pair with a model of DRBD
//! (`tests/search/data.rs`).

use super::events::{Kind, State};
use super::meeting::{BELIEVES, Meeting};
use super::standing::{self, Lineage, Proof, Standing};
use crate::core::event::{Extent, Unready};
use crate::core::protocol::peer::PeerState;
use crate::core::protocol::right::Right;
use crate::core::time::Time;
use std::time::Duration;

/// What is remembered of them, in this daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Copies {
    lineage: Lineage,
    meeting: Meeting,
    /// An operator takes what is here for good.
    pub accepted: bool,
    /// The other node, which leaves, said that it has taken its side down, and is not back.
    pub parted: bool,
    /// The other node is asked to outdate what it has.
    outdating: Option<Outdating>,
}

/// A question to the other node, for the disconnection that there is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Outdating {
    number: u32,
    /// When it was asked last.
    asked: Time,
    /// It did.
    done: bool,
}

/// What is known of the other node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// What this node makes of it.
    pub state: PeerState,
    /// It has not been heard since; None: it is heard.
    pub silent_since: Option<Time>,
    /// It was verified off then.
    pub off_at: Option<Time>,
}

/// What there is to see of a resource at one moment.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// What DRBD says.
    pub state: &'a State,
    /// The resource's name.
    pub resource: &'a str,
    /// The other node.
    pub peer: Peer,
    /// What that is called.
    pub peer_name: &'a str,
}

/// What is known for certain.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The handler's exit status, and by what.
    Certain(u8, String),
    /// Nothing yet: the other node is to be asked to outdate what it has.
    Ask {
        /// Names the question in its answer.
        number: u32,
        /// Of this resource.
        resource: String,
    },
    /// Nothing, and why.
    Unknown(String),
}

/// The other node's data is Outdated.
const OUTDATED: u8 = 4;
/// The other node was switched off.
pub const SHOT: u8 = 7;
/// The question may have been lost with the daemon that was asked.
const AGAIN: Duration = Duration::from_secs(5);

impl Copies {
    /// DRBD says this now.
    pub fn follow(&mut self, state: &State, resource: &str, now: Time) {
        self.lineage.follow(state, resource, now);
        let connected = state.is_connected(resource);
        if self.meeting.follow(connected, now) {
            (self.parted, self.accepted) = (false, false);
        }
        if connected {
            // What was asked for the disconnection before says nothing about the next.
            self.outdating = None;
        }
    }

    /// How the resource stands here.
    pub fn standing(&self, sight: &Sight) -> Standing {
        self.standing_by(sight, sight.peer.proof())
    }

    /// What keeps it from running here, or from being handed over to here.
    pub fn lack(&self, sight: &Sight, now: Time) -> Option<Unready> {
        let Sight {
            state,
            resource,
            peer_name,
            ..
        } = *sight;
        if state.complete && state.is_primary(resource) {
            let mut disks = state.of(resource, Kind::Device);
            let other = disks.find_map(|disk| {
                let word = state.word(disk, "disk");
                (word != "UpToDate").then(|| format!("its disk there is {word}"))
            })?;
            let other = standing::lost(state, resource).unwrap_or(other);
            return Some(Unready {
                why: format!("{other}: it reads and writes what is on {peer_name}"),
                extent: Extent::Partly,
            });
        }
        // Whether the other node can be seen off is found out by trying.
        let mut proof = sight.peer.proof();
        proof.off_at = proof.off_at.or(proof.silent_since.map(|_| now));
        let standing = self.standing_by(sight, proof);
        let (why, extent) = match (standing.unpromotable, standing.unready) {
            (Some(why), _) => (why, Extent::Entirely),
            (None, Some(why)) => (why, Extent::Handover),
            (None, None) => return None,
        };
        Some(Unready { why, extent })
    }

    /// Whether it may be promoted now, and if so, whether the connection to a node that is off is to be cut first;
    /// None: not before something more is known of the other node. `off`: this was verified.
    pub fn may_promote(&self, sight: &Sight, off: bool) -> Result<Option<bool>, String> {
        let Sight {
            state,
            resource,
            peer,
            peer_name,
        } = *sight;
        if !state.complete {
            return Ok(None);
        }
        if let Some(why) = self.standing(sight).unpromotable {
            return Err(why);
        }
        let connected = state.is_connected(resource);
        if off || peer.off_at.is_some() || self.parted {
            let met = peer.off_at.filter(|off| self.meeting.is_after(*off));
            match connected {
                _ if met.is_none() => {}
                false => return Ok(None),
                true => {
                    return Err(format!(
                        "{peer_name} was seen off, and DRBD is connected to it since then: somebody started it"
                    ));
                }
            }
            // What waits for the other side anyway need not be cut.
            let waits = state
                .of(resource, Kind::Connection)
                .all(|c| matches!(state.word(c, "connection"), "Connecting" | "StandAlone"));
            return Ok(Some(!waits));
        }
        let outdated = {
            let mut disks = state.of(resource, Kind::PeerDevice).peekable();
            disks.peek().is_some()
                && disks.all(|d| matches!(state.word(d, "peer-disk"), "Outdated" | "Inconsistent"))
        };
        // DRBD asks what became of the other node where it cannot see it, which is to be answered.
        let answered = connected || outdated || peer.state.is_heard();
        Ok(answered.then_some(false))
    }

    /// What is certain of the other node, for DRBD, which asks before it goes on writing alone. `proof`: by what it is
    /// certain that the other node runs nothing of the group; `shoots`: a silent node is switched off, so that the
    /// resource is configured for that.
    pub fn fence_peer(
        &mut self,
        sight: &Sight,
        proof: Option<Right>,
        shoots: bool,
        number: u32,
        now: Time,
    ) -> Verdict {
        // DRBD takes what is here for the newest, once the other side is certain to be out.
        if let Some(why) = own_doubt(&self.standing(sight)) {
            return Verdict::Unknown(why);
        }
        let peer = sight.peer_name;
        if matches!(proof, Some(Right::Fenced { .. })) {
            return match (self.peer_is_off(&sight.peer), shoots) {
                (true, true) => Verdict::Certain(SHOT, format!("{peer} was seen off")),
                (true, false) => Verdict::Certain(OUTDATED, format!("{peer} was seen off")),
                (false, _) => Verdict::Unknown(format!(
                    "{peer} was seen off, and DRBD has been connected to it since"
                )),
            };
        }
        if self.parted {
            return Verdict::Certain(OUTDATED, format!("{peer} has left, and taken it down"));
        }
        if sight.peer.state != PeerState::Alive {
            return Verdict::Unknown(format!("it is not certain that {peer} is off"));
        }
        match self.outdating {
            Some(asked) if asked.done => {
                Verdict::Certain(OUTDATED, format!("{peer} has outdated what it has"))
            }
            Some(asked) if now.since(asked.asked) < AGAIN => {
                Verdict::Unknown(format!("{peer} is asked to outdate what it has"))
            }
            before => {
                let number = before.map_or(number, |asked| asked.number);
                self.outdating = Some(Outdating {
                    number,
                    asked: now,
                    done: false,
                });
                let resource = sight.resource.to_owned();
                Verdict::Ask { number, resource }
            }
        }
    }

    /// That question is for the disconnection that there is now.
    pub fn asks(&self, number: u32) -> bool {
        self.outdating.is_some_and(|asked| asked.number == number)
    }

    /// The other node has outdated what it has, which is the answer to that question.
    pub fn outdated(&mut self, number: u32) {
        let asked = self.outdating.as_mut();
        if let Some(asked) = asked.filter(|asked| asked.number == number) {
            asked.done = true;
        }
    }

    /// The other node was seen off, and DRBD has not met it since.
    pub fn peer_is_off(&self, peer: &Peer) -> bool {
        peer.off_at.is_some_and(|off| !self.meeting.is_after(off))
    }

    /// The other node is heard again.
    pub fn peer_is_back(&mut self) {
        self.parted = false;
    }

    /// Forgets what makes no difference any more, for whoever compares.
    pub fn forget(&mut self, peer: &mut Peer, now: Time) {
        self.lineage.forget(peer.silent_since, now);
        self.meeting.forget(peer.off_at, now);
        if let Some(asked) = &mut self.outdating {
            asked.asked = match asked.done {
                true => now,
                false => asked.asked.max(now - AGAIN),
            };
        }
        let instant = Duration::from_micros(1);
        let old = match self.meeting.is_on() {
            true => BELIEVES + instant,
            false => instant,
        };
        peer.off_at = peer.off_at.map(|off| off.max(now - old));
        if let Some(silent) = &mut peer.silent_since {
            *silent = peer.off_at.unwrap_or(now);
            self.lineage.times(&mut |until| *until = *silent);
        }
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.lineage.times(f);
        self.meeting.times(f);
        if let Some(asked) = &mut self.outdating {
            f(&mut asked.asked);
        }
    }

    /// How it stands if that was certain of the other node.
    fn standing_by(&self, sight: &Sight, proof: Proof) -> Standing {
        let Sight {
            state,
            resource,
            peer_name,
            ..
        } = *sight;
        let mut standing = Standing::of(state, resource, self.lineage, proof, peer_name);
        if self.accepted {
            standing.unpromotable = None;
        }
        standing
    }
}

impl Peer {
    /// At the start of the daemon.
    pub fn unheard(now: Time) -> Peer {
        Peer {
            state: PeerState::Unknown,
            silent_since: Some(now),
            off_at: None,
        }
    }

    /// Its state is another now. True: it is heard again.
    pub fn becomes(&mut self, state: PeerState, now: Time) -> bool {
        let before = *self;
        let since = before.silent_since.unwrap_or(now);
        *self = Peer {
            state,
            silent_since: (!state.is_heard()).then_some(since),
            off_at: (state == PeerState::Fenced).then_some(before.off_at.unwrap_or(now)),
        };
        state.is_heard() && !before.state.is_heard()
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        let all = [&mut self.silent_since, &mut self.off_at];
        all.into_iter().flatten().for_each(f);
    }

    /// What is certain of it.
    fn proof(&self) -> Proof {
        Proof {
            silent_since: self.silent_since,
            off_at: self.off_at,
        }
    }
}

fn own_doubt(standing: &Standing) -> Option<String> {
    let why = standing.unpromotable.as_ref()?;
    Some(format!(
        "nothing is answered for data that may be old: {why}"
    ))
}
