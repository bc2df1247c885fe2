//! `doctor`: the other daemon is asked how it is, and answers by what it finds on its machine.

use super::*;
use crate::shell::aside::Message;
use crate::shell::doctor::{self, Examined};

/// Questions under way.
#[derive(Default)]
pub(super) struct Questions {
    /// To the peer, by the order's number, and until when its answer is waited for.
    asked: Option<(u16, Time)>,
    /// What was found here for the peer's question of that number.
    found: Rc<RefCell<VecDeque<(u16, Examined)>>>,
    /// Looks under way: a peer that asks without end gets no more of them.
    looking: bool,
}

/// Looks take some seconds where systemd or a disk is slow, and pages of an answer a moment each.
pub const PATIENCE: Duration = Duration::from_secs(15);

impl Questions {
    pub(super) fn is_due(&self) -> bool {
        !self.found.borrow().is_empty()
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.asked.map(|(_, until)| until)
    }
}

impl Daemon {
    /// An operator wants to know how the other node is.
    pub(super) fn ask_peer_how_it_is(&mut self, number: u16) {
        let peer = self.config.node(self.me.other()).name.clone();
        let why = match self.node.peer_state() {
            PeerState::Alive if !self.aside.is_open() => {
                Some(format!("{peer} runs a version that cannot be asked"))
            }
            PeerState::Alive if self.questions.asked.is_some() => {
                Some("it is being asked already: try again in some seconds".into())
            }
            PeerState::Alive => None,
            PeerState::OneWay => Some(format!("{peer} does not hear this node")),
            state => Some(format!("{peer} is {state}")),
        };
        let why = why.or_else(|| {
            let said = self.aside.say(&Message::Ask { number });
            (!said).then(|| "too much waits to be told to it".to_owned())
        });
        match why {
            Some(why) => self.answer_doctor(number, false, why),
            None => self.questions.asked = Some((number, clock::now() + PATIENCE)),
        }
    }

    /// The peer's operator wants to know how this node is.
    pub(super) fn examine_for_peer(&mut self, number: u16) {
        if std::mem::replace(&mut self.questions.looking, true) {
            return;
        }
        let (config, me) = (self.config.clone(), self.me);
        let (host, peer) = (self.network.host().clone(), self.peer_addresses());
        let (state_dir, found) = (self.options.state_dir.clone(), self.questions.found.clone());
        let task = async move {
            let examined = doctor::examine(config, me, host, peer, state_dir, false).await;
            found.borrow_mut().push_back((number, examined));
        };
        self.executor.spawn(task).detach();
    }

    /// Answers the peer, and gives up waiting for it.
    pub(super) fn finish_questions(&mut self) {
        let found = self.questions.found.borrow_mut().pop_front();
        if let Some((number, mut examined)) = found {
            self.questions.looking = false;
            let now = clock::now();
            let status = self.publisher.latest();
            let judged = status.map(|status| doctor::of_status(status, now));
            examined.findings.extend(judged.into_iter().flatten());
            let examined = Box::new(examined);
            if !self.aside.say(&Message::Answer { number, examined }) {
                log::warn!("`doctor` on the other node gets no answer: too much waits to be told");
            }
        }
        let late = |asked: &mut (u16, Time)| asked.1 <= clock::now();
        if let Some((number, _)) = self.questions.asked.take_if(late) {
            let peer = &self.config.node(self.me.other()).name;
            let why = format!("{peer} did not answer within {} s", PATIENCE.as_secs());
            self.answer_doctor(number, false, why);
        }
    }

    /// The peer said how it is.
    pub(super) fn peer_answered(&mut self, number: u16, examined: &Examined) {
        if self
            .questions
            .asked
            .take_if(|(asked, _)| *asked == number)
            .is_some()
        {
            let text = serde_json::to_string(examined).unwrap_or_default();
            self.answer_doctor(number, true, text);
        }
    }

    /// For who asked alone: nothing was done.
    fn answer_doctor(&mut self, number: u16, accepted: bool, text: String) {
        self.answers.finish(number, accepted, text);
        self.dirty = true;
    }
}
