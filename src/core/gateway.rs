//! Asks the gateways: the sign that this node still reaches its clients' network.
//!
//! Three questions are answered here. *Is a gateway lost?* `misses` attempts in a row unanswered;
//! after that it must answer for `dampening` before it counts again. *Did anything on-link answer
//! since a given moment?* Asked several times an interval once heartbeats are missed ([`Gateways::urgent`]).
//! *Is it the gateway or me?* A loss here counts only after the peer answers for its own gateways
//! by a ping sent later ([`Gateways::loss_confirmed`]): a dead gateway moves nobody.

use super::canonical::LONG_AGO;
use super::event::Action;
use super::setup::GatewaySetup;
use super::time::Time;
use crate::wire::heartbeat::GatewayReport;
use std::fmt;
use std::time::Duration;

/// All gateways of this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Gateways {
    gateways: Vec<Gateway>,
    /// This node's latest question to the peer.
    asked: u32,
    /// The question stands: a gateway is lost here.
    asking: bool,
    /// The latest question of this node that the peer answered.
    confirmed: u32,
    /// The peer's latest question, and when it was read.
    question: Option<(u32, Time)>,
    /// The peer's latest question answered.
    answered: u32,
    /// When the gateways were last asked out of turn.
    urgent_at: Option<Time>,
}

/// What one gateway did lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatewayState {
    /// Asked, no answer yet, and not given up either.
    Pending,
    /// Answers.
    Good,
    /// Answers again, but not for long enough.
    Dampened,
    /// Does not answer.
    Lost,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Gateway {
    vif: usize,
    state: GatewayState,
    since: Time,
    /// Unanswered in a row.
    missed: u32,
    /// The regular attempt under way.
    waiting: Option<Attempt>,
    /// When the next regular ping is due.
    next: Time,
    /// When the latest answered ping was sent.
    answered: Option<Time>,
}

/// One regular attempt: pings, until one is answered or its time is over. One lost ping on a
/// crowded LAN is no sign of anything, so an attempt is not one ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Attempt {
    began: Time,
    /// When the next ping of it is due.
    again: Time,
    ends: Time,
}

/// Pings in one attempt, evenly spread.
const PINGS: u32 = 10;

impl Gateways {
    /// Replaces the gateways; `vifs` names the VIP interface of each.
    pub fn replace(&mut self, now: Time, vifs: &[usize]) {
        let same = self.gateways.len() == vifs.len()
            && self.gateways.iter().zip(vifs).all(|(g, &v)| g.vif == v);
        if !same {
            self.gateways = vifs.iter().map(|&vif| Gateway::new(now, vif)).collect();
        }
    }

    /// A gateway answered the ping sent at `stamp`.
    pub fn pong(&mut self, now: Time, gateway: usize, stamp: Time, setup: &GatewaySetup) {
        if let Some(gateway) = self.gateways.get_mut(gateway) {
            gateway.pong(now, stamp, setup);
        }
        self.answer_question(setup);
    }

    /// Sends the pings that are due and counts those that were not answered.
    pub fn tick(&mut self, now: Time, setup: &GatewaySetup, out: &mut Vec<Action>) {
        for (index, gateway) in self.gateways.iter_mut().enumerate() {
            gateway.tick(now, setup);
            if now >= gateway.next {
                gateway.next = now + setup.interval;
                gateway.waiting = Some(Attempt {
                    began: now,
                    again: now,
                    ends: now + setup.timeout,
                });
            }
            if let Some(attempt) = &mut gateway.waiting
                && now >= attempt.again
            {
                attempt.again = now + setup.timeout / PINGS;
                out.push(ping(index, now));
            }
        }
        let lost = self.gateways.iter().any(|g| g.state == GatewayState::Lost);
        if lost && !self.asking {
            self.asked += 1;
        }
        self.asking = lost;
    }

    /// A gateway was asked and neither answered nor was given up: the group waits for it.
    pub fn pending(&self) -> bool {
        self.gateways
            .iter()
            .any(|g| g.state == GatewayState::Pending)
    }

    /// Heartbeats are missing, or a first answer is: asks every gateway several times in each
    /// `interval`, so that some answers come through a LAN that loses a third of everything.
    pub fn urgent(&mut self, now: Time, interval: Duration, out: &mut Vec<Action>) {
        let due = self.urgent_at.is_none_or(|at| now >= at + pace(interval));
        if due && !self.gateways.is_empty() {
            self.urgent_at = Some(now);
            out.extend((0..self.gateways.len()).map(|index| ping(index, now)));
        }
    }

    /// Heartbeats come again.
    pub fn calm(&mut self) {
        self.urgent_at = None;
    }

    /// When [`urgent`](Self::urgent) is next due, if it was begun.
    pub fn urgent_deadline(&self, interval: Duration) -> Option<Time> {
        Some(self.urgent_at? + pace(interval))
    }

    /// When [`tick`](Self::tick) is next due.
    pub fn deadline(&self) -> Option<Time> {
        let gateways = self.gateways.iter();
        gateways
            .flat_map(|g| [Some(g.next), g.waiting.map(|w| w.ends.min(w.again))])
            .flatten()
            .min()
    }

    /// The peer's heartbeat: its question, and its answer to ours. A new question is asked on at once.
    pub fn hear(&mut self, now: Time, report: GatewayReport, out: &mut Vec<Action>) {
        if report.answered == self.asked && self.asked != 0 {
            self.confirmed = report.answered;
        }
        let known = self.question.map_or(0, |(number, _)| number);
        if report.asked != known {
            self.question = Some((report.asked, now));
            if report.asked != 0 {
                out.extend((0..self.gateways.len()).map(|index| ping(index, now)));
            }
        }
    }

    /// The peer's daemon restarted: its questions count from the beginning, and it forgot ours.
    pub fn peer_restarted(&mut self) {
        self.question = None;
        self.answered = 0;
        self.confirmed = 0;
    }

    /// What this node says about its gateways.
    pub fn report(&self) -> GatewayReport {
        GatewayReport {
            asked: self.asked,
            answered: self.answered,
        }
    }

    /// The peer reached its gateways after this node lost its own.
    pub fn loss_confirmed(&self) -> bool {
        self.asking && self.confirmed == self.asked
    }

    /// The state of a VIP interface's gateways; None: it has none.
    pub fn state(&self, vif: usize, setup: &GatewaySetup) -> Option<GatewayState> {
        let states = self.on(vif).map(|g| g.state);
        if setup.require_all {
            states.max_by_key(|s| badness(*s))
        } else {
            states.min_by_key(|s| badness(*s))
        }
    }

    /// Whether a VIP interface has a gateway to ask.
    pub fn exist_on(&self, vif: usize) -> bool {
        self.on(vif).next().is_some()
    }

    /// When the latest ping was sent that a gateway on the VIP interface answered.
    pub fn last_answer(&self, vif: usize) -> Option<Time> {
        self.on(vif).filter_map(|g| g.answered).max()
    }

    /// Each gateway's VIP interface, state, and since when.
    pub fn view(&self) -> impl Iterator<Item = (usize, GatewayState, Time)> + '_ {
        self.gateways.iter().map(|g| (g.vif, g.state, g.since))
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        for gateway in &mut self.gateways {
            f(&mut gateway.since);
            f(&mut gateway.next);
            gateway.answered.iter_mut().for_each(&mut *f);
            if let Some(attempt) = &mut gateway.waiting {
                f(&mut attempt.began);
                f(&mut attempt.again);
                f(&mut attempt.ends);
            }
        }
        if let Some((_, at)) = &mut self.question {
            f(at);
        }
        self.urgent_at.iter_mut().for_each(&mut *f);
    }

    /// Forgets, for a search, since when a gateway has been what it is, where that is only shown.
    pub fn forget(&mut self) {
        let shown = |g: &&mut Gateway| g.state != GatewayState::Dampened;
        let gateways = self.gateways.iter_mut().filter(shown);
        gateways.for_each(|g| g.since = LONG_AGO);
    }

    fn on(&self, vif: usize) -> impl Iterator<Item = &Gateway> {
        self.gateways.iter().filter(move |g| g.vif == vif)
    }

    fn answer_question(&mut self, setup: &GatewaySetup) {
        let Some((number, read_at)) = self.question else {
            return;
        };
        let mut after = self
            .gateways
            .iter()
            .map(|g| g.answered.is_some_and(|at| at >= read_at));
        let reached = if setup.require_all {
            after.all(|a| a)
        } else {
            after.any(|a| a)
        };
        if reached {
            self.answered = number;
        }
    }
}

impl Gateway {
    fn new(now: Time, vif: usize) -> Gateway {
        Gateway {
            vif,
            state: GatewayState::Pending,
            since: now,
            missed: 0,
            waiting: None,
            next: now,
            answered: None,
        }
    }

    fn pong(&mut self, now: Time, stamp: Time, setup: &GatewaySetup) {
        if stamp > now {
            return; // a forged or foreign stamp
        }
        self.answered = self.answered.max(Some(stamp));
        if now.since(stamp) > setup.timeout {
            return; // on-link, but too slow to serve
        }
        if self.waiting.is_some_and(|attempt| stamp >= attempt.began) {
            self.waiting = None;
        }
        self.missed = 0;
        match self.state {
            GatewayState::Pending => self.turn(now, GatewayState::Good),
            GatewayState::Lost => self.turn(now, GatewayState::Dampened),
            GatewayState::Dampened if now.since(self.since) >= setup.dampening => {
                self.turn(now, GatewayState::Good)
            }
            GatewayState::Dampened | GatewayState::Good => {}
        }
    }

    fn tick(&mut self, now: Time, setup: &GatewaySetup) {
        if self.waiting.is_none_or(|attempt| now < attempt.ends) {
            return;
        }
        self.waiting = None;
        self.missed += (self.state != GatewayState::Lost) as u32;
        let lost = match self.state {
            GatewayState::Dampened => true, // one miss starts the wait again
            GatewayState::Pending | GatewayState::Good => self.missed >= setup.misses,
            GatewayState::Lost => false,
        };
        if lost {
            self.turn(now, GatewayState::Lost);
        }
    }

    fn turn(&mut self, now: Time, state: GatewayState) {
        self.state = state;
        self.since = now;
    }
}

/// How often a gateway is asked while heartbeats are missing.
fn pace(interval: Duration) -> Duration {
    (interval / 4).max(Duration::from_millis(5))
}

fn ping(gateway: usize, stamp: Time) -> Action {
    Action::Ping { gateway, stamp }
}

fn badness(state: GatewayState) -> u8 {
    match state {
        GatewayState::Good => 0,
        GatewayState::Pending => 1,
        GatewayState::Dampened => 2,
        GatewayState::Lost => 3,
    }
}

impl fmt::Display for GatewayState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GatewayState::Pending => "asked",
            GatewayState::Good => "answers",
            GatewayState::Dampened => "answers again",
            GatewayState::Lost => "lost",
        })
    }
}
