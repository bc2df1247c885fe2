//! Who is heard and not believed.
//!
//! **A stranger** is an incarnation heard and not believed: a restarted daemon, or a replay. It is challenged,
//! remembered for a while, and changes no state, so that a replay voids neither a goodbye nor a fencing:
//! - gone stays gone; this node says *contested* meanwhile (as always while it does not hear its peer), so
//!   that nothing begins by the challenge either. But the peer may be back, and this may be all there is of it:
//!   while a stranger is remembered a holder judges its isolation ([`Peer::challenged`]), and what is to
//!   start because the peer is gone waits for as long as the first could take to prove itself, whoever else
//!   is heard meanwhile ([`Peer::held_back`]): a daemon that hung may read of a peer that took over;
//! - a believed peer that echoes what was sent after the stranger was heard outlived it: then that was a
//!   replay, and is heard no more. Until then its goodbye is none, for the stranger may be its successor,
//!   started by this node's agreement while the goodbye was under way.
//!
//! **This node's own side** without an echo is its own datagram, reflected or replayed; with one, it is
//! another machine under the same name, which is refused for as long as it is heard.

use super::super::super::reason::Reason;
use super::super::super::time::Time;
use super::super::rhythm::{LONGEST_INTERVAL, SHORTEST_INTERVAL};
use super::{Heard, Own, Peer, PeerState};
use crate::wire::heartbeat::{Echo, Heartbeat, MAX_CHALLENGES};
use std::time::Duration;

/// An incarnation that has yet to prove itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stranger {
    pub(super) echo: Echo,
    /// When it is forgotten.
    pub(super) until: Time,
    /// It may be the peer, come back; otherwise it is of this node's own side, or of what was fenced.
    pub(super) back: bool,
}

/// Incarnations once believed are remembered, so many of them: more than anybody has recorded, for a replay of
/// one that is forgotten is a stranger again.
const RETIRED: usize = 4096;
/// A stranger is remembered for at least so long: it comes with the first heartbeat of a daemon whose
/// next ones may be lost.
const REMEMBERED: Duration = Duration::from_secs(1);

impl Peer {
    /// What this node's own name stands on: never the peer's life, nor its return.
    pub(super) fn hear_own_side(
        &mut self,
        now: Time,
        heartbeat: &Heartbeat,
        own: Own,
        in_round: bool,
    ) -> Heard {
        if heartbeat.incarnation == own.incarnation || !in_round {
            if heartbeat.incarnation != own.incarnation {
                self.challenge(now, heartbeat, false);
            }
            self.reflected = self.reflected.saturating_add(1);
            return Heard::Reflected;
        }
        self.twin = Some(now + self.remembered(heartbeat.interval));
        self.last_heard = Some(now);
        self.become_state(now, PeerState::Refused, Reason::SameNode);
        Heard::News { restarted: false }
    }

    pub(super) fn believe(&mut self, incarnation: u64) {
        if self.incarnation != 0 {
            self.retire(self.incarnation);
        }
        // Others are older, or ask again.
        self.strangers.clear();
        (self.incarnation, self.succeeded) = (incarnation, false);
    }

    /// The one believed lived after every stranger of its side was heard: they came before it.
    pub(super) fn outlived(&mut self) {
        self.succeeded = false;
        let strangers = std::mem::take(&mut self.strangers);
        let (before, others) = strangers.into_iter().partition(|stranger| stranger.back);
        self.strangers = others;
        let before: Vec<Stranger> = before;
        before.iter().for_each(|s| self.retire(s.echo.incarnation));
    }

    pub(super) fn retire(&mut self, incarnation: u64) {
        self.retired.push(incarnation);
        if self.retired.len() > RETIRED {
            self.retired.remove(0);
        }
    }

    /// Remembers a stranger, the newest last; this node's own side gives way first, then the longest unheard.
    pub(super) fn challenge(&mut self, now: Time, heartbeat: &Heartbeat, back: bool) {
        let same = |s: &Stranger| s.echo.incarnation == heartbeat.incarnation;
        let known = self.strangers.iter().find(|s| same(s)).cloned();
        self.strangers.retain(|s| !same(s));
        if self.strangers.len() >= MAX_CHALLENGES {
            let own = self.strangers.iter().position(|s| !s.back);
            self.strangers.remove(own.unwrap_or(0));
        }
        if known.is_none() && back {
            self.succeeded = self.incarnation != 0;
            let sent = [&mut self.round, &mut self.newest].into_iter().flatten();
            sent.for_each(|sent| sent.outdated = true);
        }
        let sequence = known.as_ref().map_or(0, |s| s.echo.sequence);
        self.strangers.push(Stranger {
            echo: Echo {
                incarnation: heartbeat.incarnation,
                sequence: sequence.max(heartbeat.sequence),
            },
            until: now + self.remembered(heartbeat.interval),
            back: known.map_or(back, |s| s.back),
        });
    }

    /// How long is remembered what is heard at that interval.
    pub(super) fn remembered(&self, interval: Duration) -> Duration {
        let interval = interval.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL);
        REMEMBERED.max(interval * self.own.slowest().misses)
    }
}
