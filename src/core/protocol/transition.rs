//! Every way from one state of a group to another.

mod looks;
mod mark;

use super::super::context::Context;
use super::super::event::{Action, Change};
use super::super::reason::Reason;
use super::group::{Group, Looks, Rest, Seeking, Started, State, Wish};
use super::resource::{Kind, Resource};
use super::right::Right;
use crate::wire::heartbeat::{GroupReport, Role, Token};

impl Group {
    /// One move along the diagram; true if there may be another.
    pub fn advance(&mut self, cx: &Context, wish: &Wish, out: &mut Vec<Action>) -> bool {
        match self.state {
            State::Looking { next } => self.look_on(cx, next, out),
            _ if cx.maintenance => self.hold_still(cx, out),
            State::Stopping {
                haste: false,
                granting,
            } if self.in_haste(cx) => {
                self.state = State::Stopping {
                    haste: true,
                    granting,
                };
                true
            }
            State::Stopping { haste, granting } => self.stop_on(cx, haste, granting, out),
            State::Stopped { rest } if self.token.holder == cx.me() => {
                self.hold_stopped(cx, rest, wish, out)
            }
            State::Stopped { rest } => self.stand_by(cx, rest, wish, out),
            State::Adopted { seeking } => self.hold_adopted(cx, seeking, wish, out),
            State::Starting { next, right } => self.start_on(cx, next, right, wish, out),
            State::Active {
                right,
                granting,
                seeking,
            } => self.hold_active(cx, right, granting, seeking, wish, out),
            State::Ceding { .. } => self.cede_on(cx, wish, out),
            State::Ceded => self.hold_ceded(cx, out),
            State::Failed { looks } => self.look_again(cx, looks, out),
        }
    }

    /// Moves towards the peer's token if it outranks this node's, and takes it over once the disk has it.
    pub fn follow_token(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        let stopped = matches!(self.state, State::Stopped { .. });
        // What is left of the token given away goes first.
        let ceding = matches!(self.state, State::Ceding { .. } | State::Ceded);
        let follows = |token: Token| stopped || (token.holder == cx.me() && !ceding);
        if let Some(theirs) = self.weightier(cx)
            && follows(theirs)
            && self.adopting != Some(theirs)
        {
            self.adopting = Some(theirs);
            match &mut self.state {
                State::Stopped { rest } => *rest = Rest::Idle,
                State::Adopted { seeking } => *seeking = None,
                State::Active {
                    granting, seeking, ..
                } => (*granting, *seeking) = (None, None),
                State::Stopping { granting, .. } => *granting = None,
                State::Looking { .. }
                | State::Starting { .. }
                | State::Ceding { .. }
                | State::Ceded
                | State::Failed { .. } => {}
            }
            return true;
        }
        let Some(token) = self.adopting else {
            return false;
        };
        if !follows(token) || !self.durable(cx, token) {
            return false;
        }
        let mine = |token: Token| token.holder == cx.me();
        let needy = |r: &GroupReport| r.readiness.is_less() && !r.ordered;
        let reason = match mine(token) && !mine(self.token) {
            true if cx.report().is_some_and(needy) => Reason::GrantedInNeed,
            true => Reason::Granted,
            false => Reason::HigherToken(token),
        };
        self.own_token(cx, token, reason, out);
        true
    }

    /// The configuration is another; `changed`: it says something new of a resource.
    pub fn reconfigured(&mut self, cx: &Context, changed: bool, out: &mut Vec<Action>) {
        match self.state {
            // The places of what was looked at may be others.
            State::Looking { .. } => self.look(Reason::Reloaded, out),
            State::Stopped { .. } | State::Adopted { .. } if changed => {
                self.look(Reason::Reloaded, out)
            }
            // What was not reached yet is started in its turn.
            State::Starting { right, .. } => self.state = State::Starting { next: 0, right },
            // Only addresses are handed over while they run, each with its short end; what is new may be
            // anything, and run. So with a gap, everything stopped first.
            State::Ceding { granting, .. } if changed => {
                self.stop(cx, Some(granting), Reason::Reloaded, out)
            }
            State::Ceded if changed => self.stop(cx, None, Reason::HandedOver, out),
            State::Stopped { .. }
            | State::Adopted { .. }
            | State::Active { .. }
            | State::Ceding { .. }
            | State::Ceded
            | State::Stopping { .. }
            | State::Failed { .. } => {}
        }
    }

    /// Looks at everything anew.
    pub(in crate::core) fn look(&mut self, reason: Reason, out: &mut Vec<Action>) {
        self.let_go(out);
        for resource in &mut self.resources {
            (resource.present, resource.stuck) = (true, false);
        }
        self.enter(State::Looking { next: 0 }, reason, out);
    }

    /// The next look; when all is looked at, what was found decides.
    fn look_on(&mut self, cx: &Context, next: usize, out: &mut Vec<Action>) -> bool {
        if next < self.resources.len() {
            if self.resources[next].work.is_none() {
                self.launch(cx, Kind::Look, next, out);
            }
            return false;
        }
        let mine = self.token.holder == cx.me();
        match (self.runs_exclusive(), mine || cx.maintenance) {
            (false, _) => self.rest(cx, Reason::FoundStopped, out),
            (true, true) => {
                let adopted = State::Adopted { seeking: None };
                self.enter(adopted, Reason::FoundRunning, out)
            }
            (true, false) => self.stop(cx, None, Reason::FoundRunningWithoutToken, out),
        }
        true
    }

    /// Maintenance: nothing is started, stopped, sought or given.
    fn hold_still(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        match self.state {
            // What runs by right is renewed, for ever.
            State::Adopted { seeking } => return self.resume_adopted(cx, seeking, out),
            // Not yet granted: what was about to end is kept, and renewed for ever.
            State::Ceding { right, .. } if !self.busy() => {
                self.resume(right, out);
                return true;
            }
            State::Stopped { .. } => self.state = State::Stopped { rest: Rest::Idle },
            State::Active { right, .. } => self.state = active(right),
            State::Stopping { haste, .. } => {
                let granting = None;
                self.state = State::Stopping { haste, granting };
            }
            State::Looking { .. }
            | State::Starting { .. }
            | State::Ceding { .. }
            | State::Ceded
            | State::Failed { .. } => {}
        }
        false
    }

    /// In maintenance, too, what was left running by right goes on, once that is known.
    fn resume_adopted(
        &mut self,
        cx: &Context,
        seeking: Option<Seeking>,
        out: &mut Vec<Action>,
    ) -> bool {
        let decided = seeking.map_or(cx.next_sequence, |s| s.decided);
        if self.may_go_on(cx, decided, out) {
            return true;
        }
        let contested = false;
        self.state = State::Adopted {
            seeking: Some(Seeking {
                decided,
                contested,
                moves: false,
            }),
        };
        false
    }

    fn stop_on(
        &mut self,
        cx: &Context,
        haste: bool,
        granting: Option<Token>,
        out: &mut Vec<Action>,
    ) -> bool {
        if let Some(resource) = self.next_to_stop(haste) {
            self.launch(cx, Kind::Stop, resource, out);
            return true;
        }
        if self.busy() {
            return false;
        }
        let reason = self.reason.clone();
        if self.stop_failed() {
            let looks = Looks::begin(cx.now);
            self.enter(State::Failed { looks }, reason, out);
            return true;
        }
        self.rest(cx, reason, out);
        if let Some(token) = granting {
            // The peer may have died, or be heard no more, while that was stopped.
            let decided = asked_again(cx);
            self.state = State::Stopped {
                rest: Rest::Granting { token, decided },
            };
        }
        true
    }

    /// This node holds the token and runs nothing: hand it over, start it, or wait.
    fn hold_stopped(
        &mut self,
        cx: &Context,
        rest: Rest,
        wish: &Wish,
        out: &mut Vec<Action>,
    ) -> bool {
        if self.adopting.is_some() {
            // The peer's token outranks this one and is on its way to the disk: nothing starts by the
            // old one, whatever a goodbye or a fenced peer would clear.
            return self.turn_to(Rest::Idle);
        }
        if let Rest::Granting { token, decided } = rest {
            if !self.peer_could(cx) {
                return self.turn_to(Rest::Idle);
            }
            if !self.durable(cx, token) || !lives(cx, decided) {
                return false;
            }
            self.own_token(cx, token, Reason::HandedOver, out);
            return true;
        }
        match wish {
            Wish::Move(reason) if self.peer_could(cx) => {
                let seeking = match rest {
                    Rest::Seeking(seeking) => Some(seeking),
                    _ => None,
                };
                let asked = asked(cx, seeking);
                let Seeking { decided, .. } = asked;
                if !lives(cx, decided) {
                    self.waiting = Some(reason.clone());
                    return self.turn_to(Rest::Seeking(asked));
                }
                self.reason = reason.clone();
                let token = self.mint_for(cx.me().other(), cx);
                self.turn_to(Rest::Granting { token, decided })
            }
            Wish::Move(reason) | Wish::Stop(reason) => {
                self.waiting = Some(reason.clone());
                self.turn_to(Rest::Idle);
                false
            }
            Wish::Run | Wish::Agree(_) => {
                let seeking = match rest {
                    Rest::Seeking(seeking) => Some(seeking),
                    _ => None,
                };
                self.seek_right(cx, seeking, wish, out)
            }
        }
    }

    /// This node holds the token and found the group running.
    fn hold_adopted(
        &mut self,
        cx: &Context,
        seeking: Option<Seeking>,
        wish: &Wish,
        out: &mut Vec<Action>,
    ) -> bool {
        if let Some(reason) = self.must_stop(cx) {
            self.stop(cx, None, reason, out);
            return true;
        }
        match wish {
            Wish::Stop(reason) | Wish::Move(reason) => {
                self.stop(cx, None, reason.clone(), out);
                true
            }
            Wish::Run | Wish::Agree(_) => self.seek_right(cx, seeking, wish, out),
        }
    }

    /// Agreement or clearance, whichever comes, and then the start.
    fn seek_right(
        &mut self,
        cx: &Context,
        seeking: Option<Seeking>,
        wish: &Wish,
        out: &mut Vec<Action>,
    ) -> bool {
        let seeking = seeking.filter(|s| !s.moves);
        let decided = seeking.map_or(cx.next_sequence, |s| s.decided);
        if cx.heartbeat && self.agreed(cx, decided) {
            let right = Right::Agreement {
                echo: cx.peer.proof(),
            };
            self.begin(cx, right, Reason::Agreement, out);
            return true;
        }
        if self.may_go_on(cx, decided, out) {
            return true;
        }
        let before = seeking.is_some_and(|s| s.contested);
        let judged = self.judge(cx, wish, before, out);
        let seeking = Seeking {
            decided,
            contested: judged.contested,
            moves: false,
        };
        self.state = match self.state {
            State::Adopted { .. } => State::Adopted {
                seeking: Some(seeking),
            },
            _ => State::Stopped {
                rest: Rest::Seeking(seeking),
            },
        };
        match judged.given {
            Some(right @ Right::Resumed { .. }) => {
                self.go_on(cx, right, out);
                true
            }
            Some(right) => {
                self.begin(cx, right, reason_of(right), out);
                true
            }
            None => false,
        }
    }

    /// It does, if it was left running by right.
    fn may_go_on(&mut self, cx: &Context, decided: u64, out: &mut Vec<Action>) -> bool {
        let goes_on = cx.heartbeat && self.resumed(cx, decided) || self.nobody_took(cx);
        if goes_on {
            let echo = cx.peer.proof();
            self.go_on(cx, Right::Resumed { echo }, out);
        }
        goes_on
    }

    /// What runs is this node's still: nothing is started by that.
    fn go_on(&mut self, cx: &Context, right: Right, out: &mut Vec<Action>) {
        self.cover_found();
        self.enter(active(right), Reason::Resumed, out);
        self.lifetimes.found(cx.now);
    }

    /// The peer holds the token and this node runs nothing: take it only with clearance.
    fn stand_by(&mut self, cx: &Context, rest: Rest, wish: &Wish, out: &mut Vec<Action>) -> bool {
        if self.adopting.is_some() {
            return self.turn_to(Rest::Idle);
        }
        let before = matches!(rest, Rest::Contesting | Rest::Seizing(_));
        let judged = self.judge(cx, wish, before, out);
        match (rest, judged.given) {
            (Rest::Seizing(token), Some(right)) => {
                if !self.on_disk(cx, token) {
                    return false;
                }
                // The evidence was judged again in this very step: the write may have taken long.
                self.own_token(cx, token, reason_of(right), out);
                self.begin(cx, right, reason_of(right), out);
                true
            }
            (Rest::Seizing(_), None) => match judged.contested {
                true => false,
                false => self.turn_to(Rest::Idle),
            },
            (Rest::Idle | Rest::Seeking(_) | Rest::Contesting | Rest::Granting { .. }, Some(_)) => {
                let token = self.mint_for(cx.me(), cx);
                self.turn_to(Rest::Seizing(token))
            }
            (Rest::Idle | Rest::Seeking(_) | Rest::Contesting | Rest::Granting { .. }, None) => {
                self.turn_to(match judged.contested {
                    true => Rest::Contesting,
                    false => Rest::Idle,
                });
                false
            }
        }
    }

    /// Starts what is next in order.
    fn start_on(
        &mut self,
        cx: &Context,
        next: usize,
        right: Right,
        wish: &Wish,
        out: &mut Vec<Action>,
    ) -> bool {
        let answered = match right {
            // Half a word is none to what nobody else can have.
            Right::Kept => cx.peer_alive(),
            _ => cx.peer_heard(),
        };
        if right.is_clearance() && answered && !self.begun(next) {
            // What spoke against the peer counts no more, and it is asked for its agreement.
            let reason = Reason::ClearanceCancelled(cx.peer.state());
            let state = match self.runs_exclusive() {
                true => State::Adopted { seeking: None },
                false => State::Stopped { rest: Rest::Idle },
            };
            self.enter(state, reason, out);
            return true;
        }
        if let Some(reason) = self.must_stop(cx) {
            self.stop(cx, None, reason, out);
            return true;
        }
        if let Wish::Stop(reason) = wish {
            self.stop(cx, None, reason.clone(), out);
            return true;
        }
        let Some(resource) = self.resources.get(next) else {
            if self.busy() || self.awaits_restart() {
                return false;
            }
            self.enter(active(right), Reason::Complete, out);
            return true;
        };
        if !resource.exclusive() || !resource.covered {
            let next = next + 1;
            self.state = State::Starting { next, right };
            return true;
        }
        // After a pause the peer may have taken over: what it said meanwhile comes first.
        let in_doubt = self.may_be_taken(cx);
        self.waiting = in_doubt.then_some(Reason::PeerDeaf);
        if resource.work.is_none() && cx.up_to_date() && !in_doubt {
            self.set_mark(cx, out);
            self.launch(cx, Kind::Start, next, out);
        }
        false
    }

    /// Everything runs: keep it so, or hand it over.
    fn hold_active(
        &mut self,
        cx: &Context,
        right: Right,
        granting: Option<Token>,
        seeking: Option<Seeking>,
        wish: &Wish,
        out: &mut Vec<Action>,
    ) -> bool {
        self.waiting = None;
        if let Some(reason) = self.must_stop(cx) {
            self.stop(cx, None, reason, out);
            return true;
        }
        match (wish, granting) {
            (Wish::Stop(reason), _) => {
                self.stop(cx, None, reason.clone(), out);
                true
            }
            (Wish::Move(reason), None) if self.peer_could(cx) && self.adopting.is_none() => {
                let asked = asked(cx, seeking);
                if !lives(cx, asked.decided) {
                    self.waiting = Some(reason.clone());
                    self.state = State::Active {
                        right,
                        granting: None,
                        seeking: Some(asked),
                    };
                    return false;
                }
                // On disk before the service stops, so that the outage does not wait for it.
                let token = self.mint_for(cx.me().other(), cx);
                self.waiting = Some(reason.clone());
                self.state = State::Active {
                    right,
                    granting: Some(token),
                    seeking: None,
                };
                true
            }
            (Wish::Move(_), None) => false,
            (Wish::Move(reason), Some(token)) if self.peer_could(cx) => {
                if !self.durable(cx, token) {
                    return false;
                }
                match self.overlaps(cx) {
                    true => self.cede(cx, right, token, reason.clone(), out),
                    false => self.stop(cx, Some(token), reason.clone(), out),
                }
                true
            }
            (Wish::Run | Wish::Agree(_) | Wish::Move(_), Some(_)) => {
                self.state = active(right);
                false
            }
            (Wish::Run | Wish::Agree(_), None) => {
                let right = self.renewed(cx, right);
                self.extend_right(cx, right, seeking, wish, out)
            }
        }
    }

    /// What runs goes on; the right to what it does not cover is sought as any other.
    fn extend_right(
        &mut self,
        cx: &Context,
        right: Right,
        seeking: Option<Seeking>,
        wish: &Wish,
        out: &mut Vec<Action>,
    ) -> bool {
        self.state = active(right);
        if !self.could_extend(cx) {
            self.waiting = self.held_back().map(Reason::HeldBack);
            return false;
        }
        if right.is_clearance() && !cx.peer_heard() && self.would_cover(cx, right) {
            // Not heard since that was given: it is about all of the group.
            self.cover(cx, right);
            return true;
        }
        let seeking = seeking.filter(|s| !s.moves);
        let decided = seeking.map_or(cx.next_sequence, |s| s.decided);
        let agreement = Right::Agreement {
            echo: cx.peer.proof(),
        };
        if cx.heartbeat && self.agreed(cx, decided) {
            self.state = active(agreement);
            self.cover(cx, agreement);
            return true;
        }
        let before = seeking.is_some_and(|s| s.contested);
        let judged = self.judge(cx, wish, before, out);
        self.state = State::Active {
            right,
            granting: None,
            seeking: Some(Seeking {
                decided,
                contested: judged.contested,
                moves: false,
            }),
        };
        let Some(right) = judged.given else {
            return false;
        };
        self.state = active(right);
        self.cover(cx, right);
        true
    }

    /// Begins to hand it over while it runs.
    fn cede(
        &mut self,
        cx: &Context,
        right: Right,
        granting: Token,
        reason: Reason,
        out: &mut Vec<Action>,
    ) {
        let decided = None;
        let ceding = State::Ceding {
            right,
            granting,
            decided,
        };
        self.enter(ceding, reason, out);
        self.lifetimes.cede(cx.now);
        for resource in 0..self.resources.len() {
            if self.resources[resource].exclusive() {
                self.launch(cx, Kind::Cede, resource, out);
            }
        }
    }

    /// Its addresses got their short end: the peer gets the token.
    fn cede_on(&mut self, cx: &Context, wish: &Wish, out: &mut Vec<Action>) -> bool {
        let State::Ceding {
            right,
            granting,
            decided,
        } = self.state
        else {
            return false;
        };
        if let Some(reason) = self.must_stop(cx) {
            self.stop(cx, None, reason, out);
            return true;
        }
        // What is taken back is to be started again in the same step.
        if self.busy() || !cx.up_to_date() {
            return false;
        }
        if !self.peer_could(cx) || matches!(wish, Wish::Run | Wish::Agree(_)) {
            self.resume(right, out);
            return true;
        }
        // The peer may have died, or be heard no more, while that was under way.
        let asked = decided.unwrap_or_else(|| asked_again(cx));
        if !lives(cx, asked) {
            self.state = State::Ceding {
                right,
                granting,
                decided: Some(asked),
            };
            return false;
        }
        self.state = State::Ceded;
        self.own_token(cx, granting, Reason::HandedOver, out);
        true
    }

    /// Its addresses did not get their short end: then with a gap, stopped first.
    pub(super) fn cede_failed(&mut self, cx: &Context, out: &mut Vec<Action>) {
        if let State::Ceding { granting, .. } = self.state {
            let reason = self.reason.clone();
            self.stop(cx, Some(granting), reason, out);
        }
    }

    /// The peer has it: what is left goes when it is active there, or in any case before the kernel ends it.
    fn hold_ceded(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        let active = |r: &crate::wire::heartbeat::GroupReport| {
            r.token == self.token && r.role == Role::Active
        };
        let taken = cx.report().is_some_and(active);
        if taken || self.weightier(cx).is_some() || self.lifetimes.late(cx.now) {
            self.stop(cx, None, Reason::HandedOver, out);
            return true;
        }
        false
    }

    /// The peer is not there to take it: everything as before. The addresses are renewed and announced again
    /// at once.
    fn resume(&mut self, right: Right, out: &mut Vec<Action>) {
        self.enter(active(right), Reason::HandoverAborted, out);
    }

    /// The only way into [`State::Starting`]: with a right, for what that covers.
    fn begin(&mut self, cx: &Context, right: Right, reason: Reason, out: &mut Vec<Action>) {
        self.waiting = None;
        self.cover(cx, right);
        if self.undisputed(cx) {
            self.cover(cx, Right::Kept);
        }
        // Used up: whoever stops again asks again, for the peer may have taken over meanwhile.
        self.probes.end();
        self.enter(State::Starting { next: 0, right }, reason, out);
    }

    /// Stops everything, in reverse order; in haste the addresses first, whatever else is under way.
    fn stop(
        &mut self,
        cx: &Context,
        granting: Option<Token>,
        reason: Reason,
        out: &mut Vec<Action>,
    ) {
        let haste = self.right().is_none() || self.in_haste(cx);
        self.let_go(out);
        self.enter(State::Stopping { haste, granting }, reason, out);
    }

    /// Everything is stopped, and proven so.
    fn rest(&mut self, cx: &Context, reason: Reason, out: &mut Vec<Action>) {
        let mark = self.mark.clone().map(|mark| Started {
            runs: false,
            ..mark
        });
        self.note_mark(mark.filter(|_| self.outlasts(cx)), out);
        self.enter(State::Stopped { rest: Rest::Idle }, reason, out);
    }

    fn turn_to(&mut self, rest: Rest) -> bool {
        let before = std::mem::replace(&mut self.state, State::Stopped { rest });
        before != self.state
    }

    /// What is being started is told to end.
    fn let_go(&mut self, out: &mut Vec<Action>) {
        for resource in 0..self.resources.len() {
            let it = &self.resources[resource];
            if it.exclusive() && it.is_doing(Kind::Start) {
                self.cancel(resource, out);
            }
        }
    }

    fn own_token(&mut self, cx: &Context, token: Token, reason: Reason, out: &mut Vec<Action>) {
        self.token = token;
        if token.holder != cx.me() {
            self.clear_mark(out);
        }
        self.adopting = None;
        match &mut self.state {
            State::Stopped { rest } => *rest = Rest::Idle,
            State::Adopted { seeking } => *seeking = None,
            _ => {}
        }
        out.push(self.report(Change::Token(token), reason));
    }

    fn enter(&mut self, state: State, reason: Reason, out: &mut Vec<Action>) {
        self.state = state;
        if self.right().is_none() {
            self.uncover();
        }
        let (before, after) = (self.told, self.role_to_tell());
        if (before, after) == (Role::Active, Role::Active) {
            return; // it was looked at, and runs on
        }
        self.reason = reason.clone();
        if before != after {
            self.told = after;
            out.push(self.report(Change::Role(before, after), reason));
        }
    }

    /// While it is looked at anew nothing is known to have changed; and what was active, and was found whole, is
    /// active.
    fn role_to_tell(&self) -> Role {
        let whole = |r: &&Resource| r.present && !r.partial;
        let mut exclusive = self.resources.iter().filter(|r| r.exclusive());
        match self.state {
            State::Looking { .. } => self.told,
            State::Adopted { .. } | State::Starting { .. }
                if self.told == Role::Active && exclusive.all(|r| whole(&r)) =>
            {
                Role::Active
            }
            _ => self.role(),
        }
    }
}

/// What the peer is asked that is to be given what is here.
fn asked(cx: &Context, seeking: Option<Seeking>) -> Seeking {
    seeking.filter(|s| s.moves).unwrap_or(Seeking {
        decided: cx.next_sequence,
        contested: false,
        moves: true,
    })
}

/// What the peer has to answer after something that may have taken long; but it lives if it answered just now.
fn asked_again(cx: &Context) -> u64 {
    let lately = |at| cx.now.since(at) <= cx.peer.moment();
    match cx.peer.echoed().is_some_and(lately) {
        true => cx.peer.proof(),
        false => cx.next_sequence,
    }
}

/// It answered that: nothing that was sent before tells that it is there still.
fn lives(cx: &Context, decided: u64) -> bool {
    cx.peer.proves(cx.now, decided, cx.node)
}

fn active(right: Right) -> State {
    State::Active {
        right,
        granting: None,
        seeking: None,
    }
}

fn reason_of(right: Right) -> Reason {
    use super::right::Word;
    match right {
        Right::Agreement { .. } => Reason::Agreement,
        Right::Left => Reason::PeerLeft,
        Right::Fenced {
            by: Word::Device(_),
        } => Reason::Fenced,
        Right::Fenced { by: Word::Operator } => Reason::Confirmed,
        Right::Lease { .. } => Reason::Leased,
        Right::BestEffort { .. } => Reason::BestEffort,
        Right::Resumed { .. } => Reason::Resumed,
        Right::Kept => Reason::Kept,
    }
}
