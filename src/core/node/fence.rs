//! What fencing sees of the node, and what comes of it.

use super::*;
use crate::core::event::Answer;
use crate::core::protocol::fencing::{Order, Role, Seen, Word};
use crate::core::reason::HeldFire;
use crate::core::vif::Met;
use crate::wire::heartbeat::FencingReport;

impl Node {
    /// Reads the devices, and shoots, if that is to be done.
    pub(super) fn fence(&mut self, tick: bool, out: &mut Vec<Action>) {
        if self.fences() {
            let seen = self.seen(tick);
            let setup = self.setup.clone();
            self.fencing.step(&seen, &setup, out);
        }
    }

    /// When something of it is due.
    pub(super) fn fence_deadline(&self) -> Option<Time> {
        let due = || self.fencing.deadline(&self.seen(false), &self.setup);
        self.fences().then(due).flatten()
    }

    /// There are devices, or what became of one that the file has no more is not over.
    fn fences(&self) -> bool {
        self.setup.fencing.is_some() || self.fencing.dying()
    }

    /// A device answered.
    pub(super) fn device_answered(&mut self, device: usize, answer: &Answer) {
        let Some(fencing) = self.setup.fencing else {
            return;
        };
        let silent = matches!(self.peer.state(), PeerState::Silent | PeerState::Unknown);
        let incarnation = self.peer.echoes().0.incarnation;
        let pleads = self.peer.pleads_since().is_some();
        let verified = self.fencing.answered(
            self.now,
            device,
            answer,
            silent || pleads,
            incarnation,
            &fencing,
        );
        if verified {
            self.peer.fenced(self.now, Reason::Fenced);
        }
    }

    /// A heartbeat was accepted; `same`: of the incarnation of those before; `echoes`: what none before did.
    pub(super) fn fencing_hears(
        &mut self,
        heartbeat: &Heartbeat,
        same: bool,
        echoes: bool,
        out: &mut Vec<Action>,
    ) {
        let Some(fencing) = self.setup.fencing else {
            let says = heartbeat.fencing.map(|said| said.delay);
            self.fencing.peer_says(says);
            self.fencing.loose();
            return;
        };
        let said = heartbeat.fencing.map(|said| (said.delay, said.fresh));
        let detection = self.peer.detection_time();
        let lies = self.fencing.heard(
            self.now,
            Word {
                incarnation: heartbeat.incarnation,
                same,
                echoed: self.peer.echoed().filter(|_| echoes),
                heard: match heartbeat.echo.incarnation == self.incarnation {
                    true => heartbeat.echo.sequence,
                    false => 0,
                },
                said,
            },
            detection,
            &fencing,
        );
        out.extend(lies.map(|level| notice(Reason::DeviceLied(level))));
    }

    /// An operator's order to switch the peer off is being carried out.
    pub fn fence_order(&self) -> Option<Order> {
        self.fencing.ordered()
    }

    /// Whether that device was found to lie, and is not believed.
    pub fn distrusts(&self, device: usize) -> bool {
        self.fencing.distrusts(device)
    }

    /// What the peer is told.
    pub(super) fn fencing_report(&self) -> Option<FencingReport> {
        let setup = self.setup.fencing.as_ref()?;
        Some(FencingReport {
            delay: setup.delay,
            fresh: self.fresh(),
        })
    }

    fn fresh(&self) -> bool {
        let interval = self.peer.rhythm().interval;
        self.fencing.is_fresh(self.now, &self.setup, interval)
    }

    fn seen(&self, tick: bool) -> Seen {
        let groups = 0..self.groups.len();
        let runs = |g: usize| {
            matches!(
                self.groups[g].group.state(),
                State::Starting { .. }
                    | State::Active { .. }
                    | State::Adopted { .. }
                    | State::Ceding { .. }
                    | State::Ceded
            )
        };
        let wants = |g: &usize| self.groups[*g].group.contested();
        let fit = |g: &usize| self.could_serve(*g);
        let runs_any = groups.clone().any(|g| runs(g) && fit(&g));
        // The peer may run data that this node could not.
        let stranded = |g: &usize| self.setup.groups[*g].holds_data() && !runs(*g) && !wants(g);
        let gateway = self
            .setup
            .vifs
            .iter()
            .any(|&vif| self.vifs.has_gateway(vif));
        let lasts = self.setup.detection_time(self.setup.interval);
        let pleads_since = self.peer.pleads_since().filter(|_| !self.pleads());
        // Who asks to be switched off is so for what it could not stop, and this node is to run.
        let matters = |g: &usize| match pleads_since {
            Some(_) => wants(g) && self.context(*g).pleaded(),
            None => runs(*g) || wants(g),
        };
        let since = |at: Time| self.now.since(at) <= lasts;
        // Where no gateway answered after it either, it may be this node that hears nothing.
        let silenced = |cx: &Context, at: Time| {
            let answers = cx
                .setup
                .vifs
                .iter()
                .filter_map(|&vif| self.vifs.last_answer(vif));
            let mut answers = answers.filter(|to| *to > cx.silence_began());
            answers.all(|to| to.since(at) > lasts)
        };
        let answers = |g: &usize| {
            let at = self.signs.answered_for(self.groups[*g].id());
            at.is_some_and(|at| since(at) || !silenced(&self.context(*g), at))
        };
        let up = self.link_up.map(|at| at.max(self.started));
        let detection = self.peer.detection_time();
        Seen {
            now: self.now,
            tick,
            peer: self.peer.state(),
            pleads_since,
            needs: !self.pleads() && groups.clone().any(|g| matters(&g)),
            unfit: self.unfit(groups.clone().filter(matters)),
            role: Role {
                me: self.setup.me,
                runs: runs_any && !groups.clone().any(|g| stranded(&g)),
                hesitates: !groups.clone().any(runs) && !gateway,
            },
            listened_at: up.map(|at| at + detection),
            fresh: self.fresh(),
            maintenance: self.wishes.is_on(WishSubject::Maintenance) || self.peer_maintained,
            peer_idle: self.peer.state() == PeerState::Alive && !self.peer_may_run(),
            speaks: self.signs.spoke_at().is_some_and(since),
            claims: self.signs.spoke_at().is_some_and(since)
                && groups
                    .clone()
                    .any(|g| !runs(g) && self.signs.claims(self.groups[g].id())),
            asked: self.peer.state().is_heard()
                || groups
                    .clone()
                    .all(|g| self.groups[g].group.was_asked(&self.context(g))),
            serves: groups.filter(|g| !runs(*g)).any(|g| answers(&g)),
            saved: self.memory.saved().fencing.shot,
        }
    }

    /// Why none of these could be served here.
    fn unfit(&self, groups: impl Iterator<Item = usize> + Clone) -> Option<HeldFire> {
        match groups.clone().any(|g| self.would_serve(g)) {
            false => Some(HeldFire::Unable),
            true if groups.into_iter().any(|g| self.could_serve(g)) => None,
            true => Some(HeldFire::Blind),
        }
    }

    /// It would serve somebody here, and the group's clients can be reached, as far as that is known: on each network a
    /// gateway answers, or answered neither node when the peer was last heard; and where one answered the peer alone, on
    /// another one. (Of one that did not answer this daemon yet nobody knows that: it may be this node that hears nothing.)
    fn could_serve(&self, index: usize) -> bool {
        let cx = self.context(index);
        if !self.would_serve(index) {
            return false;
        }
        // A peer that asks for it is not silent: what came since it does.
        let zero = (self.peer.pleads_since()).unwrap_or_else(|| cx.silence_began());
        let gateway = &self.setup.gateway;
        let counts = match self.peer.state().is_heard() {
            true => gateway.interval * gateway.misses + gateway.timeout,
            // It is asked all the time while heartbeats are missing.
            false => (self.setup.detection_time(self.setup.interval)).max(gateway.timeout),
        };
        let reached = |vif: VifId| {
            let answered = self.vifs.last_answer(vif);
            let lately = |at: Time| at > zero && at + counts >= self.now;
            !self.vifs.has_gateway(vif) || answered.is_some_and(lately)
        };
        let vifs = &cx.setup.vifs;
        let again = |vif: VifId| self.vifs.last_answer(vif).is_some_and(|at| at > zero);
        let lost_before = |vif: VifId| self.vifs.met(vif) != Met::Here && !again(vif);
        let cut_off = |vif: VifId| self.vifs.met(vif) == Met::There;
        vifs.iter().all(|&vif| reached(vif) || lost_before(vif))
            && (vifs.iter().any(|&vif| reached(vif)) || !vifs.iter().any(|&vif| cut_off(vif)))
    }

    fn would_serve(&self, index: usize) -> bool {
        let it = &self.groups[index];
        it.plan.would_serve(&self.context(index), &it.group)
    }
}
