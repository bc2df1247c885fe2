//! The operator's commands: checked at once, answered when they took effect.

mod off;

use super::super::event::{Action, Change, Command, NOTHING_TO_CLEAR, Report};
use super::super::node::{Managed, Node, SIGN_LASTS};
use super::super::protocol::group::State;
use super::super::protocol::peer::PeerState;
use super::super::reason::Reason;
use super::super::time::Time;
use crate::id::GroupId;
use crate::wire::heartbeat::{
    Answer, CUT, MAX_TEXT, Request, RequestVerb, Role, Side, WishSubject,
};
use std::time::Duration;

/// How long a command may take to take effect before it is answered as given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a wish's effect is waited for: the answer is that it is in force, not that all is done.
const EFFECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long the peer may take to answer a request.
const PEER_PATIENCE: Duration = Duration::from_secs(25);

/// The commands under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Commands {
    waiting: Vec<Waiting>,
    /// The request to the peer, and whose command it serves.
    request: Option<(Request, u32, Time)>,
    requests: u32,
    /// The latest request of the peer, to answer each once.
    served: u32,
    answer: Option<Answer>,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asker {
    /// An operator at this node, with the command's number.
    Local(u32),
    /// The peer, with the request's number.
    Peer(u32),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Waiting {
    asker: Asker,
    what: What,
    since: Time,
}

/// What a command waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum What {
    /// The wish to be on disk here and, if the peer is heard, there. True: it is as it was before.
    Wish(WishSubject, bool),
    /// The groups to be active on the peer.
    Move(Vec<GroupId>),
    /// A look at what could not be stopped, of this group or of all.
    Clear(Option<GroupId>),
    /// The peer to be off, verified.
    Fence,
}

impl Commands {
    /// The request the heartbeat carries.
    pub fn request(&self) -> Option<Request> {
        self.request.map(|(request, _, _)| request)
    }

    /// The answer the heartbeat carries.
    pub fn answer(&self) -> Option<Answer> {
        self.answer.clone()
    }

    /// The peer's daemon restarted: its requests count from the beginning.
    pub fn peer_restarted(&mut self) {
        self.served = 0;
        self.answer = None;
    }

    /// When a command is given up.
    pub fn deadline(&self) -> Option<Time> {
        let waiting = self.waiting.iter().flat_map(|w| {
            let effect = matches!(w.what, What::Wish(..)).then_some(w.since + EFFECT_PATIENCE);
            effect.into_iter().chain([w.since + PATIENCE])
        });
        waiting
            .chain(self.request.map(|(_, _, at)| at + PEER_PATIENCE))
            .min()
    }

    /// Calls `f` with every point in time stored here.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.waiting.iter_mut().for_each(|w| f(&mut w.since));
        if let Some((_, _, at)) = &mut self.request {
            f(at);
        }
    }
}

impl Commands {
    /// Forgets the words of answers.
    pub fn forget(&mut self) {
        for waiting in &mut self.waiting {
            if let What::Wish(_, as_before) = &mut waiting.what {
                *as_before = false;
            }
        }
        if let Some(answer) = &mut self.answer {
            answer.text.clear();
        }
    }
}

impl Node {
    /// An operator's command arrives.
    pub(in crate::core) fn command(
        &mut self,
        number: u32,
        command: Command,
        out: &mut Vec<Action>,
    ) {
        let asker = Asker::Local(number);
        match command {
            Command::Failover(group) => self.failover(asker, group, out),
            Command::MoveTo(group, side) => self.move_to(asker, group, side, out),
            Command::Clear(group) => self.look_and_clear(asker, group, out),
            Command::Standby(side, on) => self.wish(asker, WishSubject::Standby(side), on, out),
            Command::Maintenance(on) => self.wish(asker, WishSubject::Maintenance, on, out),
            Command::Stopped(group, on) => {
                self.wish(asker, WishSubject::Stopped(group), on, out);
            }
            Command::ConfirmFenced { despite_signs } => {
                self.confirm_fenced(asker, despite_signs, out);
            }
            Command::Fence { rehearse } => self.fence_by_hand(asker, rehearse, out),
            Command::Leave => self.leave(out),
        }
    }

    /// The peer's heartbeat may carry a request, and the answer to ours.
    pub(in crate::core) fn hear_commands(
        &mut self,
        request: Option<Request>,
        answer: Option<Answer>,
        out: &mut Vec<Action>,
    ) {
        if let Some(request) = request
            && request.number != self.commands.served
        {
            self.commands.served = request.number;
            self.commands.answer = None;
            let (asker, group) = (Asker::Peer(request.number), request.group);
            match request.verb {
                RequestVerb::Failover => self.failover(asker, group, out),
                RequestVerb::Clear => self.look_and_clear(asker, group, out),
            }
        }
        if let (Some(answer), Some((request, number, _))) = (answer, self.commands.request)
            && answer.number == request.number
        {
            self.commands.request = None;
            self.answer(Asker::Local(number), answer.accepted, answer.text, out);
        }
    }

    /// Answers what took effect, gives up what took too long.
    pub(in crate::core) fn settle_commands(&mut self, out: &mut Vec<Action>) {
        let mut index = 0;
        while index < self.commands.waiting.len() {
            let verdict = self.verdict(&self.commands.waiting[index]);
            match verdict {
                Some((accepted, text)) => {
                    let waiting = self.commands.waiting.remove(index);
                    if let (What::Clear(group), false) = (&waiting.what, accepted) {
                        let group = *group;
                        let meant = |g: &&mut Managed| group.is_none_or(|wanted| wanted == g.id());
                        let groups = self.groups.iter_mut().filter(meant);
                        groups.for_each(|g| g.group.try_no_more());
                    }
                    if let (What::Move(groups), false) = (&waiting.what, accepted) {
                        let moved = |g: &&mut Managed| groups.contains(&g.id());
                        let groups = self.groups.iter_mut().filter(moved);
                        groups.for_each(|g| g.plan.abandon_move());
                    }
                    match waiting.what {
                        What::Clear(group) if accepted => {
                            self.clear(waiting.asker, group, true, out)
                        }
                        _ => self.answer(waiting.asker, accepted, text, out),
                    }
                }
                None => index += 1,
            }
        }
        if let Some((_, number, since)) = self.commands.request
            && self.now.since(since) >= PEER_PATIENCE
        {
            self.commands.request = None;
            let peer = &self.setup.names[self.setup.me.other() as usize];
            let text = format!("{peer} did not answer");
            self.answer(Asker::Local(number), false, text, out);
        }
    }

    fn failover(&mut self, asker: Asker, group: Option<GroupId>, out: &mut Vec<Action>) {
        let me = self.setup.me;
        let wanted = |g: &&Managed| group.is_none_or(|wanted| wanted == g.id());
        let held = (self.groups.iter().filter(wanted)).filter(|g| g.token().holder == me);
        let mine: Vec<GroupId> = held.map(Managed::id).collect();
        if mine.is_empty() {
            match (asker, group) {
                (Asker::Local(number), _) if self.peer.state() == PeerState::Alive => {
                    self.ask_peer(number, RequestVerb::Failover, group, out)
                }
                (Asker::Local(_), _) => {
                    let peer = &self.setup.names[me.other() as usize];
                    let text = format!(
                        "refused: {peer} holds it and {}",
                        self.peer.state().predicate()
                    );
                    self.answer(asker, false, text, out);
                }
                (Asker::Peer(_), _) => {
                    let me = &self.setup.names[me as usize];
                    let text = format!("refused: {me} holds no such group");
                    self.answer(asker, false, text, out)
                }
            }
            return;
        }
        let asked = |g: &usize| mine.contains(&self.groups[*g].id());
        let asked: Vec<usize> = (0..self.groups.len()).filter(asked).collect();
        let refusal = (asked.iter()).find_map(|&g| self.groups[g].refusal(&self.context(g)));
        if let Some(why) = refusal {
            self.answer(asker, false, format!("refused: {why}"), out);
            return;
        }
        asked
            .iter()
            .for_each(|&g| self.groups[g].plan.move_by_operator());
        self.await_effect(asker, What::Move(mine));
    }

    /// Absolute: what is there already stays.
    fn move_to(&mut self, asker: Asker, group: Option<GroupId>, to: Side, out: &mut Vec<Action>) {
        let me = self.setup.me;
        let wanted = |g: &&Managed| group.is_none_or(|wanted| wanted == g.id());
        let mut all = self.groups.iter().filter(wanted);
        if all.any(|g| g.token().holder != to) {
            return match to == me {
                false => self.failover(asker, group, out),
                true if self.peer.state() == PeerState::Alive => match asker {
                    Asker::Local(number) => {
                        self.ask_peer(number, RequestVerb::Failover, group, out)
                    }
                    Asker::Peer(_) => {
                        self.answer(asker, false, "refused: it is not there".into(), out)
                    }
                },
                true => {
                    let peer = &self.setup.names[me.other() as usize];
                    let text = format!(
                        "refused: {peer} holds it and {}",
                        self.peer.state().predicate()
                    );
                    self.answer(asker, false, text, out);
                }
            };
        }
        let runs = |g: &Managed| match to == me {
            true => g.role() == Role::Active,
            false => self
                .peer
                .group(g.id())
                .is_some_and(|r| r.role == Role::Active),
        };
        let heard = to == me || self.peer.state() == PeerState::Alive;
        let name = &self.setup.names[to as usize];
        let active = heard && self.groups.iter().filter(wanted).all(runs);
        let text = match active {
            true => format!("nothing to do: active on {name} already"),
            false => format!(
                "{name} has the right to run it already, and it is not active there: `ha-appliance status` says why"
            ),
        };
        self.answer(asker, active, text, out);
    }

    /// Failures are counted, a stop failed, or a node cannot run it well.
    fn anything_to_clear(&self, group: Option<GroupId>) -> bool {
        (self.groups.iter().enumerate())
            .filter(|(_, g)| group.is_none_or(|wanted| wanted == g.id()))
            .any(|(index, g)| {
                let cx = self.context(index);
                let here = g.plan.fail_count() > 0
                    || g.role() == Role::Failed
                    || g.plan.readiness(&cx, &g.group).is_less();
                let there = cx.report().is_none_or(|r| {
                    r.fail_count > 0 || r.role == Role::Failed || r.readiness.is_less()
                });
                here || there
            })
    }

    fn wish(&mut self, asker: Asker, subject: WishSubject, on: bool, out: &mut Vec<Action>) {
        let was = self.wishes.is_on(subject);
        (self.wishes).set(self.setup.me, self.incarnation, subject, on);
        if was != on {
            self.wish_changed(subject, on, out);
        }
        self.await_effect(asker, What::Wish(subject, was == on));
    }

    /// A wish came into force or was withdrawn, here or by the peer.
    pub(in crate::core) fn wish_changed(
        &mut self,
        subject: WishSubject,
        on: bool,
        out: &mut Vec<Action>,
    ) {
        let (group, reason) = match subject {
            WishSubject::Maintenance => (None, Reason::Maintenance(on)),
            WishSubject::Standby(side) => (None, Reason::Standby(side, on)),
            WishSubject::Stopped(group) => (Some(group), Reason::Stopped(on)),
        };
        out.push(Action::Report(Report {
            group,
            change: Change::Wish,
            reason,
        }));
        if subject == WishSubject::Maintenance && !on {
            self.each_group(out, |group, cx, out| group.maintenance_ended(cx, out));
        }
    }

    /// Where a stop failed nothing is forgotten before a look finds all of it gone, or another stop ended it.
    fn look_and_clear(&mut self, asker: Asker, group: Option<GroupId>, out: &mut Vec<Action>) {
        if self.failed_stops(group).next().is_none() {
            return self.clear(asker, group, false, out);
        }
        if self.in_maintenance() {
            let text = "refused: a stop failed, and in maintenance nothing is looked at: end it with \
                        `ha-appliance maintenance off`";
            return self.answer(asker, false, text.into(), out);
        }
        let now = self.now;
        self.each_group(out, |g, _, _| {
            if group.is_none_or(|wanted| wanted == g.id()) {
                g.group.try_again(now);
            }
        });
        self.await_effect(asker, What::Clear(group));
    }

    fn failed_stops(&self, group: Option<GroupId>) -> impl Iterator<Item = &Managed> {
        self.meant(group).filter(|g| g.role() == Role::Failed)
    }

    fn stops(&self, group: Option<GroupId>) -> bool {
        self.meant(group)
            .any(|g| matches!(g.group.state(), State::Stopping { .. }))
    }

    /// This group, or all.
    fn meant(&self, group: Option<GroupId>) -> impl Iterator<Item = &Managed> {
        let meant = move |g: &&Managed| group.is_none_or(|wanted| wanted == g.id());
        self.groups.iter().filter(meant)
    }

    /// `blocked`: it was until now, and nothing is left of that.
    fn clear(
        &mut self,
        asker: Asker,
        group: Option<GroupId>,
        blocked: bool,
        out: &mut Vec<Action>,
    ) {
        let anything = self.anything_to_clear(group);
        self.forget_failures(group, out);
        let state = self.peer.state();
        match asker {
            Asker::Peer(_) => {
                self.answer(asker, true, "fail counts cleared on both nodes".into(), out)
            }
            Asker::Local(_) if !anything => {
                let text = match blocked {
                    true => "not blocked any more: nothing is left of it",
                    false => NOTHING_TO_CLEAR,
                };
                self.answer(asker, true, text.into(), out);
            }
            Asker::Local(number) if state == PeerState::Alive => {
                self.ask_peer(number, RequestVerb::Clear, group, out);
            }
            Asker::Local(_) => {
                let [me, peer] = [self.setup.me, self.setup.me.other()]
                    .map(|side| &self.setup.names[side as usize]);
                let text = format!("fail counts cleared on {me} only: {peer} is {state}");
                self.answer(asker, true, text, out);
            }
        }
    }

    fn forget_failures(&mut self, group: Option<GroupId>, out: &mut Vec<Action>) {
        self.each_group(out, |g, cx, out| {
            if group.is_none_or(|wanted| wanted == g.id()) {
                g.clear(cx, out);
            }
        });
    }

    fn ask_peer(
        &mut self,
        number: u32,
        verb: RequestVerb,
        group: Option<GroupId>,
        out: &mut Vec<Action>,
    ) {
        if self.commands.request.is_some() {
            let peer = &self.setup.names[self.setup.me.other() as usize];
            let text = format!(
                "refused: {peer} carries out another order given here: give it again after that"
            );
            return self.answer(Asker::Local(number), false, text, out);
        }
        self.commands.requests = self.commands.requests.wrapping_add(1).max(1);
        let request = Request {
            number: self.commands.requests,
            verb,
            group,
        };
        self.commands.request = Some((request, number, self.now));
    }

    fn await_effect(&mut self, asker: Asker, what: What) {
        let since = self.now;
        self.commands.waiting.push(Waiting { asker, what, since });
    }

    fn verdict(&self, waiting: &Waiting) -> Option<(bool, String)> {
        let late = self.now.since(waiting.since) >= PATIENCE;
        match &waiting.what {
            What::Wish(subject, as_before) => {
                let mine = self.wishes.all().iter().find(|w| w.subject == *subject);
                let saved = self
                    .memory
                    .saved()
                    .wishes
                    .iter()
                    .find(|w| w.subject == *subject);
                let heard = self.peer.state() == PeerState::Alive;
                let theirs = self
                    .peer
                    .latest()
                    .map(|h| h.wishes.iter().find(|w| w.subject == *subject));
                let there = !heard || theirs.flatten() == mine;
                let kept = saved == mine && there;
                let words = || self.words_of(*subject, *as_before, theirs.flatten() == mine);
                if kept && self.took_effect(*subject) {
                    Some((true, words() + self.but_for_a_stop(*subject)))
                } else if kept && self.now.since(waiting.since) >= EFFECT_PATIENCE {
                    let words = words();
                    Some((
                        true,
                        format!("{words}; not done yet, see `ha-appliance status`"),
                    ))
                } else if let Some(why) = self.memory.failure() {
                    Some((
                        false,
                        format!("in force, but not kept over a restart: {why}"),
                    ))
                } else if late {
                    let words = words();
                    let peer = &self.setup.names[self.setup.me.other() as usize];
                    Some((true, format!("{words}; {peer} has not confirmed it")))
                } else {
                    None
                }
            }
            What::Clear(group) => {
                let mut failed = self.failed_stops(*group).peekable();
                let me = &self.setup.names[self.setup.me as usize];
                if failed.peek().is_some() && self.in_maintenance() {
                    let text = "still blocked, nothing cleared: in maintenance nothing is looked at: give the order again \
                                once that has ended";
                    Some((false, text.into()))
                } else if self.stops(*group) {
                    late.then(|| {
                        let text = format!(
                            "still blocked, nothing cleared: what could not be stopped is being stopped once more on {me}; \
                             its `status` says what comes of it"
                        );
                        (false, text)
                    })
                } else if failed.peek().is_none() {
                    Some((true, String::new()))
                } else if failed.any(|g| g.group.is_still_there()) {
                    Some((
                        false,
                        format!(
                            "still blocked, nothing cleared: what is left of it on {me} could not be stopped now; its \
                             `status` names it"
                        ),
                    ))
                } else {
                    late.then(|| {
                        let text = format!(
                            "still blocked, nothing cleared: {me} could not look at what is left within {} s",
                            PATIENCE.as_secs()
                        );
                        (false, text)
                    })
                }
            }
            What::Fence => self.fenced_by_hand(),
            What::Move(groups) => {
                let me = self.setup.me;
                let moved = self.groups.iter().filter(|g| groups.contains(&g.id()));
                let active = |group: &Managed| {
                    let report = self.peer.group(group.id());
                    group.token().holder != me && report.is_some_and(|r| r.role == Role::Active)
                };
                let stuck = |group: &Managed| group.token().holder == me && !group.plan.moving();
                if moved.clone().count() < groups.len() {
                    Some((false, "given up: the group is in ha.toml no more".into()))
                } else if moved.clone().all(active) {
                    Some((
                        true,
                        format!(
                            "moved to {} in {} ms",
                            self.setup.names[me.other() as usize],
                            self.now.since(waiting.since).as_millis()
                        ),
                    ))
                } else if moved
                    .clone()
                    .any(|g| g.token().holder == me && g.role() == Role::Failed)
                {
                    Some((
                        false,
                        format!(
                            "not moved: a stop failed on {}, so what runs there is not known",
                            self.setup.names[me as usize]
                        ),
                    ))
                } else if moved.clone().any(stuck) {
                    Some((
                        false,
                        format!(
                            "given up: {} keeps it; `ha-appliance history` on both nodes says why",
                            self.setup.names[me as usize]
                        ),
                    ))
                } else if late {
                    // What was stopped for it, or is started there, is not taken back.
                    let goes_on = |group: &Managed| {
                        group.token().holder != me || group.role() == Role::Stopping
                    };
                    let what = match moved.clone().any(goes_on) {
                        true => "not finished after",
                        false => "given up after",
                    };
                    let rest = match moved.clone().any(goes_on) {
                        true => ", and goes on: see",
                        false => ": see",
                    };
                    let span = PATIENCE.as_secs();
                    Some((
                        false,
                        format!("{what} {span} s{rest} `ha-appliance status`"),
                    ))
                } else {
                    None
                }
            }
        }
    }

    /// What a node could not stop it still has.
    fn but_for_a_stop(&self, subject: WishSubject) -> &'static str {
        let here = |g: &Managed| g.role() == Role::Failed;
        let there = |g: &Managed| {
            self.peer
                .group(g.id())
                .is_some_and(|r| r.role == Role::Failed)
        };
        let failed = |g: &Managed| match subject {
            WishSubject::Standby(side) if side == self.setup.me => here(g),
            WishSubject::Standby(_) => there(g),
            WishSubject::Stopped(id) => g.id() == id && (here(g) || there(g)),
            WishSubject::Maintenance => false,
        };
        match self.wishes.is_on(subject) && self.groups.iter().any(failed) {
            true => ", but could not stop everything: see `ha-appliance status`",
            false => "",
        }
    }

    /// What came of a wish. `known`: the peer has it too, by its last word.
    fn words_of(&self, subject: WishSubject, as_before: bool, known: bool) -> String {
        let name = |side: Side| &self.setup.names[side as usize];
        let (me, peer) = (name(self.setup.me), name(self.setup.me.other()));
        let state = self.peer.state();
        let reached = state == PeerState::Alive;
        let text = match (subject, self.wishes.is_on(subject)) {
            (WishSubject::Maintenance, true) if reached => {
                "maintenance is on: nothing is started, stopped or moved".into()
            }
            (WishSubject::Maintenance, true) => {
                format!("maintenance is on: nothing is started, stopped or moved by {me}")
            }
            (WishSubject::Maintenance, false) => "maintenance is over".into(),
            (WishSubject::Standby(side), true) => format!("{} is in standby", name(side)),
            (WishSubject::Standby(side), false) => format!("{} is online", name(side)),
            (WishSubject::Stopped(_), true) if reached => "stopped on both nodes".into(),
            (WishSubject::Stopped(_), true) => format!("stopped on {me}"),
            (WishSubject::Stopped(_), false) => "may run again".into(),
        };
        let before = match as_before {
            true => ", and was so before",
            false => "",
        };
        let ends = match subject {
            WishSubject::Maintenance => false,
            WishSubject::Standby(side) => side != self.setup.me && self.wishes.is_on(subject),
            WishSubject::Stopped(_) => self.wishes.is_on(subject),
        };
        let until = match ends {
            true => ": until then, what it runs goes on there",
            false => "",
        };
        let there = match state {
            PeerState::Alive => String::new(),
            state if known => format!("; {peer} has heard of it, and is {state} now"),
            PeerState::OneWay => format!("; {peer} does not hear {me}, and learns it once it does"),
            PeerState::Refused => format!("; {peer} is refused, and learns it once it is not"),
            PeerState::Left => format!("; {peer} left, and learns it when it returns"),
            PeerState::Fenced => format!("; {peer} is taken as off, and learns it when it returns"),
            PeerState::Unknown => {
                format!("; {peer} was not heard yet, and learns it once it is{until}")
            }
            PeerState::Silent => {
                format!("; {peer} is silent, and learns it once it is heard{until}")
            }
        };
        format!("{text}{before}{there}")
    }

    /// What the wish asks for is done, so that `status` right after the answer shows it.
    fn took_effect(&self, subject: WishSubject) -> bool {
        let on = self.wishes.is_on(subject);
        let heard = self.peer.state() == PeerState::Alive;
        let roles = |group: &Managed| {
            let report = self.peer.group(group.id()).filter(|_| heard);
            (group.role(), report.map_or(Role::Stopped, |r| r.role))
        };
        let moving = |role| matches!(role, Role::Starting | Role::Stopping);
        let placed = |group: &Managed| {
            let (here, there) = roles(group);
            let stopped = self.wishes.is_on(WishSubject::Stopped(group.id()));
            let down = here == Role::Stopped && there == Role::Stopped;
            let both_barred = [Side::First, Side::Second]
                .into_iter()
                .all(|side| self.wishes.is_on(WishSubject::Standby(side)));
            !moving(here) && !moving(there) && (!down || stopped || both_barred || !heard)
        };
        let mut all = self.groups.iter();
        match (subject, on) {
            (WishSubject::Maintenance, _) | (WishSubject::Standby(_), false) => true,
            (WishSubject::Standby(side), true) => all.all(|group| {
                let (here, there) = roles(group);
                let role = if side == self.setup.me { here } else { there };
                role != Role::Active && placed(group)
            }),
            (WishSubject::Stopped(id), _) => {
                let group = all.find(|group| group.id() == id);
                group.is_none_or(|group| {
                    let (here, there) = roles(group);
                    let runs = here == Role::Active || there == Role::Active;
                    placed(group) && !(on && runs)
                })
            }
        }
    }

    fn answer(&mut self, asker: Asker, accepted: bool, text: String, out: &mut Vec<Action>) {
        match asker {
            Asker::Local(number) => out.push(Action::Answer {
                number,
                accepted,
                text,
            }),
            Asker::Peer(number) => {
                let mut begin = text.clone();
                if text.len() > MAX_TEXT {
                    let most = MAX_TEXT - CUT.len();
                    let end = (0..=most).rev().find(|&at| text.is_char_boundary(at));
                    begin.truncate(end.unwrap_or(0));
                    begin += CUT;
                    out.push(Action::Reply(text));
                }
                let text = begin;
                self.commands.answer = Some(Answer {
                    number,
                    accepted,
                    text,
                });
            }
        }
    }
}
