//! That the peer is off: by the operator's word, or by his order.

use super::*;

impl Node {
    /// The operator says that the peer is off. Refused while it is heard; and while anything else speaks for its
    /// life, unless the operator was told so and knows better.
    pub(super) fn confirm_fenced(
        &mut self,
        asker: Asker,
        despite_signs: bool,
        out: &mut Vec<Action>,
    ) {
        let peer = &self.setup.names[self.setup.me.other() as usize];
        let signs = self.signs_of_life();
        let (accepted, text) = match self.peer.state() {
            state @ (PeerState::Alive | PeerState::OneWay | PeerState::Refused) => (
                false,
                format!("refused: {peer} is heard ({state}), so it is not off"),
            ),
            _ if !signs.is_empty() && !despite_signs => {
                let here = &self.setup.names[self.setup.me as usize];
                let words = signs.iter().map(|sign| sign.words(self.now, here));
                let signs: Vec<String> = words.collect();
                let text = format!(
                    "refused: {peer} may well live: {}. If it is off, that is over within {} s: look again then",
                    signs.join("; "),
                    SIGN_LASTS.as_secs()
                );
                (false, text)
            }
            // A goodbye says nothing of what it does not name.
            PeerState::Unknown | PeerState::Silent | PeerState::Left | PeerState::Fenced => (
                true,
                format!("{peer} is taken as off, until it is heard again"),
            ),
        };
        if accepted {
            self.peer.fenced(self.now, Reason::Confirmed);
        }
        self.answer(asker, accepted, text, out);
    }

    /// The operator wants the peer off; or to see that it could be switched off, while it runs nothing.
    pub(super) fn fence_by_hand(&mut self, asker: Asker, rehearse: bool, out: &mut Vec<Action>) {
        match self.refuse_to_fence(rehearse) {
            Some(why) => self.answer(asker, false, format!("refused: {why}"), out),
            None => {
                self.fencing.order(self.now, rehearse);
                self.await_effect(asker, What::Fence);
            }
        }
    }

    fn refuse_to_fence(&self, rehearse: bool) -> Option<String> {
        let peer = &self.setup.names[self.setup.me.other() as usize];
        if self.setup.fencing.is_none() {
            return Some(format!(
                "ha.toml names nothing that switches {peer} off (`[[fence]]`)"
            ));
        }
        if self.in_maintenance() {
            return Some("nobody is switched off in maintenance: `maintenance off` first".into());
        }
        if self.fencing.ordered().is_some() {
            return Some(format!("{peer} is being switched off already"));
        }
        let state = self.peer.state();
        if state == PeerState::Fenced {
            return Some(format!(
                "{peer} is off already, as far as {} knows",
                self.setup.names[self.setup.me as usize]
            ));
        }
        if !rehearse {
            return None;
        }
        if state != PeerState::Alive {
            return Some(format!(
                "{peer} is not heard ({state}): rehearse it with a node that is well"
            ));
        }
        self.peer_may_run()
            .then(|| format!("{peer} runs a group, or may: `ha-appliance standby {peer}` first"))
    }

    /// The peer runs a group, or is to: who has the right to one waits at most for its next try.
    pub(in crate::core) fn peer_may_run(&self) -> bool {
        let peer = self.setup.me.other();
        let standby = self.wishes.is_on(WishSubject::Standby(peer));
        let may_run = |g: &Managed| {
            let stopped = standby || self.wishes.is_on(WishSubject::Stopped(g.id()));
            let report = self.peer.group(g.id());
            report.is_none_or(|report| {
                let holds = [g.token().holder, report.token.holder].contains(&peer);
                report.role != Role::Stopped || (holds && !stopped)
            })
        };
        self.groups.iter().any(may_run)
    }

    /// What came of that order; None: it is being carried out.
    pub(super) fn fenced_by_hand(&self) -> Option<(bool, String)> {
        let peer = &self.setup.names[self.setup.me.other() as usize];
        match (self.peer.state(), self.fencing.ordered()) {
            (PeerState::Fenced, _) => Some((true, format!("{peer} is off, verified"))),
            (_, Some(_)) => None,
            _ if self.in_maintenance() => Some((
                false,
                format!("given up: maintenance began; whether {peer} is off is not known"),
            )),
            _ if self.setup.fencing.is_none() => Some((
                false,
                format!("given up: ha.toml names nothing any more that switches {peer} off"),
            )),
            _ => Some((
                false,
                format!("{peer} is not known to be off: {}", self.fencing.came()),
            )),
        }
    }
}
