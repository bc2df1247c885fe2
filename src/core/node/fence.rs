//! What fencing sees of the node, and what comes of it.

use super::*;
use crate::core::event::Answer;
use crate::core::protocol::fencing::{Order, Role, Seen, Word};
use crate::core::protocol::reach::Claim;
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
        let runs_any = groups.clone().any(|g| runs(g) && self.would_serve(g));
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
        let lately = |at: Time| self.now.since(at) <= lasts;
        let spoke = self.signs.spoke_at().is_some_and(lately);
        let others = groups.clone().filter(|g| !runs(*g));
        let claim = |g: usize| self.groups[g].group.claim(&self.context(g));
        let answers: Vec<Claim> = match self.peer.state().is_heard() {
            // What it runs it says itself.
            true => Vec::new(),
            false => others.clone().map(claim).collect(),
        };
        let able = (groups.clone()).filter(|g| matters(g) && self.would_serve(*g));
        // What has data may wait for proof while it runs; anything else that runs goes on as it is.
        let gains = |g: usize| wants(&g) || self.setup.groups[g].holds_data();
        let up = self.link_up.map(|at| at.max(self.started));
        let detection = self.peer.detection_time();
        Seen {
            now: self.now,
            tick,
            peer: self.peer.state(),
            pleads_since,
            needs: !self.pleads() && groups.clone().any(|g| matters(&g)),
            able: able.clone().next().is_some(),
            reached: (able.clone().filter_map(|g| self.context(g).on_link())).max(),
            gains: able.clone().any(|g| gains(g) && self.context(g).reaches()),
            role: Role {
                me: self.setup.me,
                runs: runs_any && !groups.clone().any(|g| stranded(&g)),
                hesitates: !groups.clone().any(runs) && !gateway,
            },
            listened_at: up.map(|at| at + detection),
            fresh: self.fresh(),
            maintenance: self.wishes.is_on(WishSubject::Maintenance) || self.peer_maintained,
            peer_idle: self.peer.state() == PeerState::Alive && !self.peer_may_run(),
            speaks: spoke,
            claims: spoke
                && others
                    .clone()
                    .any(|g| self.signs.claims(self.groups[g].id())),
            serves: answers.contains(&Claim::Has),
            asked: !answers.contains(&Claim::Unasked),
            unreached: answers.contains(&Claim::Unreached),
            saved: self.memory.saved().fencing.shot,
        }
    }

    fn would_serve(&self, index: usize) -> bool {
        let it = &self.groups[index];
        it.plan.would_serve(&self.context(index), &it.group)
    }
}
