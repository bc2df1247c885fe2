//! What a node reaches of its clients' networks while it does not hear its peer, for who takes by proof: whether it
//! could serve them, and whether the peer does.
//!
//! **One question, asked in the instant.** Whoever shoots must reach its clients itself, by a ping that left since the
//! instant began; and the peer's machine must not answer for what this node would take. A machine that answered in this
//! silence serves until it has been asked in vain for the [`LIFETIME`] of an address, all that time on a network that
//! was there: a port that reconverges, a lost broadcast, a cable that is plugged in again say nothing of the peer.
//! What it may serve where it cannot be asked is left to it by who would serve no more than before without it.
//!
//! **A network of which nothing can be known** ([`Lan::Without`] a gateway, or [`Lan::Mute`]: none answered either node
//! when the peer was last heard, nor has since) speaks for neither: what it carries may be served, and a peer that does
//! not answer on it is not there. Where the gateway answered the peer alone, this node is the one that is
//! [cut off](Lan::CutOff).

use super::super::context::Context;
use super::super::setup::LIFETIME;
use super::super::time::Time;
use super::super::vif::Met;
use super::group::Group;
use super::rhythm::Rhythm;
use crate::id::VifId;
use std::time::Duration;

/// What a gateway says about one of the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lan {
    /// There is none to ask, and was none when the peer was last heard.
    Without,
    /// The last ping that it answered left then; None: it answered none in this silence.
    Asked(Option<Time>),
    /// It answered neither node when the peer was last heard, and none since.
    Mute,
    /// The same, but it answered the peer. Or there is no carrier here.
    CutOff,
}

/// What the peer's machine says to who asks for the addresses of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// That it has one.
    Has,
    /// Nothing yet, and it had no time to.
    Unasked,
    /// Nobody knows: it cannot be asked any more, or never could.
    Unreached,
    /// Nothing. (Or there is nothing to ask for.)
    Nothing,
}

impl Context<'_> {
    /// When the latest ping left by which is known that what was sent before it got out, to clients of the group. None: none
    /// did in this silence, or nobody can know. Who takes by evidence wants that of each network of the group. Who takes by
    /// proof has it of one: who serves the group has its addresses on all.
    pub fn on_link(&self) -> Option<Time> {
        let vifs = &self.setup.vifs;
        if self.node.fencing.is_none() {
            let answered = vifs.iter().map(|&vif| self.vifs.last_answer(vif)).min();
            return answered.unwrap_or(Some(self.now));
        }
        let lans: Vec<Lan> = vifs.iter().map(|&vif| self.lan(vif)).collect();
        let asked = lans.iter().filter_map(|lan| match lan {
            Lan::Asked(at) => Some(*at),
            Lan::Without | Lan::Mute | Lan::CutOff => None,
        });
        let blind = lans.contains(&Lan::CutOff) && !lans.contains(&Lan::Without);
        asked.max().unwrap_or((!blind).then_some(self.now))
    }

    /// The same, a moment ago.
    pub fn reaches(&self) -> bool {
        let lasts = self.node.detection_time(self.node.interval);
        let lately = |at: Time| at + lasts.max(self.node.gateway.timeout) >= self.now;
        self.on_link().is_some_and(lately)
    }

    /// For how long that counts for probes.
    pub(super) fn on_link_lasts(&self, interval: Duration) -> Duration {
        match self.node.fencing {
            None => 2 * interval,
            Some(_) => (2 * interval).max(self.node.gateway.timeout),
        }
    }

    fn lan(&self, vif: VifId) -> Lan {
        // A peer that asks to be switched off is not silent: what came since it does.
        let zero = (self.peer.pleads_since()).unwrap_or_else(|| self.silence_began());
        let answered = self.vifs.last_answer(vif).filter(|at| *at > zero);
        match self.vifs.met(vif) {
            _ if self.vifs.carrier_lost(vif) => Lan::CutOff,
            Met::Without if !self.vifs.has_gateway(vif) => Lan::Without,
            Met::Nobody if answered.is_none() => Lan::Mute,
            Met::There if answered.is_none() => Lan::CutOff,
            // Whose route went since is cut off, too.
            Met::Without | Met::Here | Met::Nobody | Met::There => Lan::Asked(answered),
        }
    }
}

impl Group {
    /// What the peer's machine, which is not heard, says of the group's addresses.
    pub fn claim(&self, cx: &Context) -> Claim {
        if cx.setup.vifs.is_empty() || !self.asks_for_addresses(cx) {
            return Claim::Nothing;
        }
        let Rhythm { interval, misses } = cx.peer.judging();
        let in_vain = self.probes.in_vain_for(cx.now, interval, cx.on_link());
        let shorter = |than: Duration| in_vain.is_none_or(|span| span < than);
        match (self.probes.answered_ago(cx.now), cx.reaches()) {
            (Some(_), true) if shorter(LIFETIME) => Claim::Has,
            // Where it cannot be asked any more, what it answered holds for no longer than an address does.
            (Some(ago), false) if ago < LIFETIME => Claim::Has,
            (None, true) if shorter(interval * (misses - 2)) => Claim::Unasked,
            (Some(_) | None, true) => Claim::Nothing,
            (Some(_) | None, false) => Claim::Unreached,
        }
    }
}
