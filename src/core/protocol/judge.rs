//! What a group may do now: whether the peer could take it, agrees, or is cleared; and what stops it.

use super::super::context::Context;
use super::super::event::{Action, Change};
use super::super::reason::Reason;
use super::super::time::Time;
use super::clearance::{self, Verdict};
use super::evidence;
use super::group::{Group, Started, State, Wish};
use super::peer::PeerState;
use super::resource::Resource;
use super::right::Right;
use super::takes::TakesBy;
use super::token::{mint, outranks};
use crate::wire::heartbeat::{Role, Side, Token};

/// What came of a look for clearance.
pub(super) struct Judgement {
    /// The peer must not agree meanwhile.
    pub contested: bool,
    /// The right, if there is one.
    pub given: Option<Right>,
}

impl Group {
    /// Takes note of the peer and of time, before anything is decided.
    pub fn observe(&mut self, cx: &Context, out: &mut Vec<Action>) {
        if let Some(report) = cx.report() {
            self.highest = self.highest.max(report.token.epoch);
        }
        self.peer_failed = self.peer_has_failed(cx);
        if !cx.missing() || cx.setup.vifs.is_empty() {
            self.probes.end();
        } else if cx.tick && self.asks_for_addresses(cx) {
            let interval = cx.peer.judging().interval;
            self.probes.tick(
                cx.now,
                interval,
                (cx.on_link(), cx.on_link_lasts(interval)),
                self.id,
                out,
            );
        }
        self.end_overdue(cx, out);
    }

    /// It does, while the peer is not heard: where it may take it, and where it is to shoot nobody who has it.
    pub(super) fn asks_for_addresses(&self, cx: &Context) -> bool {
        let takes = !self.has_failed() && (!self.running() || self.decided().is_some());
        let theirs = self.token.holder != cx.me() && cx.node.fencing.is_some();
        !cx.maintenance && (takes || theirs)
    }

    /// Renews what runs. Not in the step that gives it up or takes it back from a handover, for a renewal
    /// brings back an address that was deleted, and what is taken back is started again, which renews it.
    pub fn sustain(&mut self, cx: &Context, ceding_before: bool, out: &mut Vec<Action>) {
        if !ceding_before {
            self.renew(cx, out);
            self.announce_again(cx, out);
        }
        self.keep_mark(cx, out);
    }

    /// What stops a group that runs or is being started. (And a resource that failed, an order: that is a
    /// [`Wish`].)
    pub(super) fn must_stop(&self, cx: &Context) -> Option<Reason> {
        if let Some(theirs) = self.weightier(cx)
            && theirs.holder != cx.me()
        {
            return Some(Reason::HigherToken(theirs));
        }
        if self.token.holder != cx.me() {
            return Some(Reason::FoundRunningWithoutToken);
        }
        if self.leases_up() && self.lifetimes.late(cx.now) {
            return Some(Reason::Late(cx.now.since(self.lifetimes.renewed_at)));
        }
        let right = self.state.right()?;
        if cx.tick && cx.isolated() {
            return Some(Reason::Isolated);
        }
        match right {
            Right::Lease { until } if cx.tick && cx.now >= until && !cx.peer_alive() => {
                Some(Reason::LeaseOver)
            }
            Right::Agreement { .. } => {
                let unannounced = matches!(self.state, State::Starting { .. }) && !self.leases_up();
                match cx.peer_takes_by {
                    TakesBy::Evidence if cx.peer_silent() && unannounced => {
                        Some(Reason::SilentWhileStarting)
                    }
                    TakesBy::Evidence | TakesBy::Proof | TakesBy::Nothing => None,
                }
            }
            Right::Left
            | Right::Fenced { .. }
            | Right::Lease { .. }
            | Right::BestEffort { .. }
            | Right::Resumed { .. }
            | Right::Kept => None,
        }
    }

    /// The peer is there, of one mind about the token, and runs nothing of the group.
    pub fn peer_could(&self, cx: &Context) -> bool {
        cx.peer_alive()
            && !cx.peer_dying()
            && cx
                .report()
                .is_some_and(|r| r.token == self.token && r.proven_stopped && !r.contested)
    }

    /// The five conditions of agreement.
    pub(super) fn agreed(&self, cx: &Context, decided: u64) -> bool {
        self.peer_could(cx)
            && self.token.holder == cx.me()
            && cx.peer.proves(cx.now, decided, cx.node)
            && self.agreement_would_cover(cx)
    }

    /// What a daemon of this boot started by right, and what runs as it left it, no less and no more, goes on:
    /// the peer has claimed nothing. Less than agreement, for nothing is started by it: a refused peer can tell that, too.
    pub(super) fn resumed(&self, cx: &Context, decided: u64) -> bool {
        let report = match (cx.peer.state(), cx.peer.refused()) {
            (PeerState::Alive, _) => cx.report(),
            (PeerState::Refused, Some(groups)) => groups.iter().find(|g| g.id == self.id),
            _ => return false,
        };
        let idle = match report {
            Some(report) => {
                !outranks(report.token, self.token, cx.me())
                    && !report.contested
                    && matches!(report.role, Role::Stopped | Role::Failed)
            }
            None => true, // it does not know the group
        };
        self.left_running(cx)
            && !cx.peer_dying()
            && idle
            && cx.peer.proves(cx.now, decided, cx.node)
    }

    /// A daemon of this boot started it by right and left it running, and nobody can have it since: the peer's last word
    /// is that it takes nothing over without switching this machine off, whatever this node's own file says by now.
    pub(super) fn nobody_took(&self, cx: &Context) -> bool {
        cx.fencing.binds_peer() && self.ours(cx) && self.left_running(cx)
    }

    /// This boot had the right to some of it, and nobody can have that since without switching this machine off, which
    /// was not. A peer that hears this node is asked all the same, and one that is there has its time to be heard: a disk
    /// that lost what it was told last does not know that this node gave it away.
    fn kept(&self, cx: &Context) -> bool {
        let since = cx.link_up.map_or(cx.started, |at| at.max(cx.started));
        let listened = cx.now >= since + cx.peer.detection_time();
        cx.tick && listened && self.undisputed(cx) && self.gains_anything(cx, Right::Kept)
    }

    /// What this boot had the right to is this node's, whatever else is.
    pub(super) fn undisputed(&self, cx: &Context) -> bool {
        let apart = match cx.peer.state() {
            PeerState::Alive | PeerState::Refused => false,
            PeerState::Unknown
            | PeerState::OneWay
            | PeerState::Left
            | PeerState::Silent
            | PeerState::Fenced => true,
        };
        apart && cx.peer_takes_by == TakesBy::Proof && self.ours(cx) && !self.peer_stuck()
    }

    /// By its token it is this node's, as far as is known.
    fn ours(&self, cx: &Context) -> bool {
        self.token.holder == cx.me() && self.weightier(cx).is_none() && self.adopting.is_none()
    }

    /// What a daemon of this boot started, by the token that is this node's still, was found running: no less, no
    /// more.
    fn left_running(&self, cx: &Context) -> bool {
        let found = || self.resources.iter().filter(|r| r.exclusive() && r.present);
        let started = |mark: &Started| {
            let known = mark.runs && mark.epoch == self.token.epoch;
            known && mark.covered == self.listing(|r| r.present)
        };
        matches!(self.state, State::Adopted { .. })
            && self.mark.as_ref().is_some_and(started)
            && self.token.holder == cx.me()
            && found().all(|r| !r.partial)
    }

    /// Works on clearance. `before`: it did so already.
    pub(super) fn judge(
        &mut self,
        cx: &Context,
        wish: &Wish,
        before: bool,
        out: &mut Vec<Action>,
    ) -> Judgement {
        let unable = match wish {
            Wish::Run => None,
            Wish::Agree(reason) | Wish::Move(reason) | Wish::Stop(reason) => Some(reason),
        };
        let kept = matches!(wish, Wish::Run | Wish::Agree(_)) && self.kept(cx);
        let verdict = match (clearance::verdict(cx, &self.probes, self.lease), unable) {
            // A peer that may be there is waited for: with its agreement nothing is to be sought any more.
            (verdict @ Verdict::Waiting(Reason::StartWait), None) => verdict,
            (Verdict::PeerHeard | Verdict::Waiting(_), _) if kept => Verdict::Given(Right::Kept),
            (Verdict::PeerHeard, _) => Verdict::PeerHeard,
            // What is proven is no evidence.
            (Verdict::Given(right), Some(_))
                if matches!(wish, Wish::Agree(_)) && !matches!(right, Right::BestEffort { .. }) =>
            {
                Verdict::Given(right)
            }
            (_, Some(reason)) => {
                self.waiting = Some(reason.clone());
                return self.judged(cx, false, before, None, out);
            }
            (verdict, None) => verdict,
        };
        let verdict = match verdict {
            Verdict::Given(Right::BestEffort { .. }) => match self.deaf_to_evidence(cx) {
                // But what was started here goes on.
                Some(Reason::PeerWasRefused) if self.left_running(cx) => {
                    Verdict::Given(Right::Resumed { echo: 0 })
                }
                Some(reason) => Verdict::Waiting(reason),
                None => verdict,
            },
            Verdict::Given(right) if kept && !self.would_cover(cx, right) => {
                Verdict::Given(Right::Kept)
            }
            verdict => verdict,
        };
        match verdict {
            Verdict::PeerHeard => {
                self.waiting = self.disagreement(cx);
                self.judged(cx, false, before, None, out)
            }
            Verdict::Waiting(reason) => {
                let contested = match reason {
                    Reason::StartWait | Reason::WaitingForPeer => false,
                    // That it is gone may cover nothing more than runs here.
                    _ => clearance::proof(cx).is_none_or(|right| self.would_cover(cx, right)),
                };
                self.waiting = Some(reason);
                self.judged(cx, contested, before, None, out)
            }
            Verdict::Given(right @ Right::Kept) => {
                self.judged(cx, before, before, Some(right), out)
            }
            Verdict::Given(right @ Right::Resumed { .. }) => {
                self.judged(cx, true, before, Some(right), out)
            }
            Verdict::Given(right) if !self.would_cover(cx, right) => {
                self.waiting = self.held_back().map(Reason::HeldBack);
                self.judged(cx, false, before, None, out)
            }
            Verdict::Given(right) => self.judged(cx, true, before, Some(right), out),
        }
    }

    /// Why silence and a gateway prove nothing against a peer that was last heard as it was.
    fn deaf_to_evidence(&self, cx: &Context) -> Option<Reason> {
        // In maintenance it keeps its addresses for ever and stops for nothing, not even when it is alone.
        if self.token.holder != cx.me() && cx.peer_maintained {
            return Some(Reason::PeerInMaintenance);
        }
        // Another program or file may run anything.
        if cx.peer_refused {
            return Some(Reason::PeerWasRefused);
        }
        // What it could not stop may neither answer probes nor be gone.
        self.peer_stuck().then_some(Reason::PeerStopFailed)
    }

    /// Why the peer's group would not be taken over if it fell silent now, as it is; None: it could be.
    pub fn never_seized(&self, cx: &Context) -> Option<Reason> {
        let peers = self.token.holder != cx.me() && !cx.maintenance;
        let never = || self.deaf_to_evidence(cx).filter(|_| peers);
        match cx.takes_by {
            TakesBy::Evidence => evidence::never(cx).or_else(never),
            TakesBy::Proof => None,
            TakesBy::Nothing => Some(Reason::PeerCountsOnFencing),
        }
    }

    /// By what it is known for certain that the peer runs nothing of it: for whoever asks from outside.
    pub fn proof(&self, cx: &Context) -> Option<Right> {
        let certain = clearance::proof(cx)?;
        // Who was verified off has died of it.
        let dying = cx.peer_dying() && !matches!(certain, Right::Fenced { .. });
        (!dying && self.covers_all(cx, certain)).then_some(certain)
    }

    /// The peer's token, where it wins over this node's.
    pub fn weightier(&self, cx: &Context) -> Option<Token> {
        let theirs = cx.report()?.token;
        outranks(theirs, self.token, cx.me()).then_some(theirs)
    }

    pub(super) fn mint_for(&mut self, holder: Side, cx: &Context) -> Token {
        self.highest = mint(cx.me(), self.highest);
        Token {
            epoch: self.highest,
            holder,
        }
    }

    /// The disk has it, or cannot have it: what is granted or followed all the same, because
    /// agreement protects against a node that forgets.
    pub(super) fn durable(&self, cx: &Context, token: Token) -> bool {
        self.on_disk(cx, token) || cx.unwritable
    }

    pub(super) fn on_disk(&self, cx: &Context, token: Token) -> bool {
        cx.saved.is_some_and(|saved| saved.token == token)
    }

    /// It can change hands without a gap: nothing exclusive in it but addresses, all of them well.
    pub(super) fn overlaps(&self, cx: &Context) -> bool {
        let mut exclusive = self.resources.iter().filter(|r| r.exclusive());
        let light = |r: &Resource| r.leased() && !r.setup.data;
        exclusive.clone().next().is_some()
            && exclusive.all(light)
            && self.held_back().is_none()
            && !self.stop_failed()
            && !self.busy()
            && !self.awaits_restart()
            && cx.up_to_date()
    }

    /// What must be gone before the peer may be up: it has, or may soon take, the group.
    pub(super) fn in_haste(&self, cx: &Context) -> bool {
        self.weightier(cx).is_some()
            || self.token.holder != cx.me()
            || self.lifetimes.late(cx.now)
            || (cx.tick && cx.isolated())
            || cx.peer_silent()
    }

    /// Something exclusive is to be started again.
    pub(super) fn awaits_restart(&self) -> bool {
        self.resources.iter().any(|r| r.exclusive() && r.down)
    }

    /// Something exclusive before that place was started, or is being started.
    pub(super) fn begun(&self, next: usize) -> bool {
        self.resources.iter().take(next).any(Resource::exclusive) || self.busy()
    }

    /// It is being started by agreement, nothing is announced yet that would answer for this node, and a peer that goes
    /// by evidence may count it as silent: no gateway's answer stands for that peer's own.
    pub(super) fn may_be_taken(&self, cx: &Context) -> bool {
        let agreed = matches!(
            self.state,
            State::Starting {
                right: Right::Agreement { .. },
                ..
            }
        );
        agreed
            && !self.leases_up()
            && cx.peer_takes_by == TakesBy::Evidence
            && cx.counts_as_silent_at().is_some_and(|at| cx.now >= at)
    }

    /// What it could do now it does only once everything that waits to be read is read.
    pub(super) fn awaits_tick(&self, cx: &Context) -> bool {
        if cx.maintenance {
            return false;
        }
        match self.state {
            State::Starting { next, .. } => {
                let idle = |r: &Resource| r.work.is_none();
                // A doubt ends at a time of its own.
                let unread = !cx.tick && cx.missing() && !cx.doubted();
                self.resources.get(next).is_some_and(idle) && unread && !self.may_be_taken(cx)
            }
            _ => {
                let written = self.wanted() == self.token || self.on_disk(cx, self.wanted());
                // A goodbye that says nothing of the group gives nothing at a tick either.
                let free = clearance::proof(cx).is_some() && !cx.peer.held_back() && !cx.isolated();
                self.contested() && written && free
            }
        }
    }

    /// Heartbeats are missing, or echoes, so that evidence for this group is to be gathered.
    pub fn asks(&self, cx: &Context) -> bool {
        let cx = &self.patience(cx);
        cx.missing() || (self.running() && cx.doubt_at().is_some_and(|at| cx.now >= at))
    }

    /// The peer is to be asked, or this group would have to stop as isolated.
    pub fn asks_peer(&self, cx: &Context) -> bool {
        self.running() && cx.ask_peer_at().is_some_and(|at| cx.now >= at)
    }

    /// A peer that boots as well is waited for. But what an earlier daemon of this boot left running was
    /// not started by the boot, so a peer that is there will be heard within the detection time; waiting
    /// longer would let the leases end for nothing. (A service that runs without its addresses was
    /// started by somebody else.) What runs without a peer ever heard stays on its guard.
    pub fn patience<'a>(&self, cx: &Context<'a>) -> Context<'a> {
        let leased = self.resources.iter().any(Resource::leased);
        let patient = match self.state {
            State::Looking { .. } | State::Stopped { .. } => true,
            State::Adopted { .. } => !cx.restarted || (leased && !self.leases_found()),
            State::Starting { .. }
            | State::Active { .. }
            | State::Ceding { .. }
            | State::Ceded
            | State::Stopping { .. }
            | State::Failed { .. } => false,
        };
        if patient {
            return *cx;
        }
        Context {
            start_wait_ends: cx.link_up.map(|at| at + cx.peer.detection_time()),
            wait_for_peer: false,
            ..*cx
        }
    }

    /// The peer is believed again and of one mind: what rested on its silence rests on its word now.
    pub(super) fn renewed(&self, cx: &Context, right: Right) -> Right {
        let agrees = |r: &crate::wire::heartbeat::GroupReport| {
            r.token == self.token && r.proven_stopped && !r.contested
        };
        let renews = cx.heartbeat
            && right.is_clearance()
            && cx.peer_alive()
            && cx.report().is_some_and(agrees);
        match renews {
            true => Right::Agreement {
                echo: cx.peer.proof(),
            },
            false => right,
        }
    }

    /// The last moment of what is judged here that time alone changes.
    pub(super) fn right_ends(&self) -> Option<Time> {
        self.state.right()?.until()
    }

    fn judged(
        &mut self,
        cx: &Context,
        contested: bool,
        before: bool,
        given: Option<Right>,
        out: &mut Vec<Action>,
    ) -> Judgement {
        if contested != before {
            let reason = match contested {
                true => Reason::ClearanceSought(cx.peer.state()),
                false => Reason::ClearanceCancelled(cx.peer.state()),
            };
            out.push(self.report(Change::Clearance, reason));
        }
        Judgement { contested, given }
    }

    /// What keeps a peer that is heard from agreeing.
    fn disagreement(&self, cx: &Context) -> Option<Reason> {
        if !cx.peer_alive() || self.token.holder != cx.me() {
            return None;
        }
        match cx.report() {
            None => Some(Reason::PeerLacksGroup),
            Some(report) if report.role == Role::Failed => Some(Reason::PeerStopFailed),
            Some(report) if !report.proven_stopped => Some(Reason::PeerNotStopped),
            Some(_) if !self.agreement_would_cover(cx) => self.held_back().map(Reason::HeldBack),
            Some(_) => None,
        }
    }

    /// The last that was heard of it, by this daemon or one before: it could not stop something that no
    /// kernel ends.
    fn peer_stuck(&self) -> bool {
        let lasts = |r: &Resource| r.exclusive() && !r.leased();
        self.peer_failed && self.resources.iter().any(lasts)
    }

    /// A stop of the group failed on the peer. A restart of its daemon, or a new look, does not undo that
    /// before it has found everything stopped, or runs the group again.
    fn peer_has_failed(&self, cx: &Context) -> bool {
        match cx.report() {
            Some(report) if report.role == Role::Failed => true,
            Some(report) if report.proven_stopped || report.role == Role::Active => false,
            _ => self.peer_failed && cx.peer.state() != PeerState::Fenced,
        }
    }
}
