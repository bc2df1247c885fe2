//! `doctor`: the other daemon is asked how it is, and answers by what it finds on its machine.

use super::*;
use crate::shell::aside::{Message, Room};
use crate::shell::doctor::{self, Examined};

/// Questions under way.
#[derive(Default)]
pub(super) struct Questions {
    /// To the peer, by the order's number, and until when its answer is waited for.
    asked: Option<(u16, Time)>,
    /// What was found here.
    found: Rc<RefCell<VecDeque<Examined>>>,
    /// A look is under way: a peer that asks without end gets no more of them.
    looking: bool,
    /// The number of the peer's latest question, which is answered by that look.
    wanted: Option<u16>,
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

    /// The peer asks. False: it is looked already, and that answers the latest question.
    fn begin(&mut self, number: u16) -> bool {
        self.wanted = Some(number);
        !std::mem::replace(&mut self.looking, true)
    }

    /// It was looked: the question that is answered, unless who asked is gone.
    fn end(&mut self) -> Option<u16> {
        self.looking = false;
        self.wanted.take()
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
            state => Some(format!("{peer} {}", state.predicate())),
        };
        let why = why.or_else(|| match self.aside.owe(&Message::Ask { number }) {
            Room::Fits | Room::Full => None,
            Room::TooLong | Room::Closed => Some(format!("{peer} cannot be asked just now")),
        });
        match why {
            Some(why) => self.answer_doctor(number, false, why),
            None => self.questions.asked = Some((number, clock::now() + PATIENCE)),
        }
    }

    /// The peer's operator wants to know how this node is. Who asks again while it is looked gets what is found.
    pub(super) fn examine_for_peer(&mut self, number: u16) {
        if !self.questions.begin(number) {
            return;
        }
        let (config, me) = (self.config.clone(), self.me);
        let (host, peer) = (self.network.host().clone(), self.peer_addresses());
        let (state_dir, found) = (self.options.state_dir.clone(), self.questions.found.clone());
        let task = async move {
            let examined = doctor::examine(config, me, host, peer, state_dir, false).await;
            found.borrow_mut().push_back(examined);
        };
        self.executor.spawn(task).detach();
    }

    /// The peer's daemon is another one: it asks nothing yet, and was asked nothing.
    pub(super) fn peer_begins_anew(&mut self) {
        self.questions.wanted = None;
        if let Some((number, _)) = self.questions.asked {
            let _ = self.aside.owe(&Message::Ask { number });
        }
    }

    /// Answers the peer, and gives up waiting for it.
    pub(super) fn finish_questions(&mut self) {
        let found = self.questions.found.borrow_mut().pop_front();
        if let Some(mut examined) = found {
            let wanted = self.questions.end();
            let now = clock::now();
            let status = self.publisher.latest();
            let judged = status.map(|status| doctor::of_status(status, now));
            examined.findings.extend(judged.into_iter().flatten());
            if let Some(number) = wanted {
                let examined = Box::new(examined);
                let why = match self.aside.owe(&Message::Answer { number, examined }) {
                    Room::Fits | Room::Full => None,
                    Room::TooLong => Some("what was found is too long to be told"),
                    Room::Closed => Some("it is not heard any more"),
                };
                if let Some(why) = why {
                    log::warn!("`doctor` on the other node gets no answer: {why}");
                }
            }
        }
        let late = |asked: &mut (u16, Time)| asked.1 <= clock::now();
        if let Some((number, _)) = self.questions.asked.take_if(late) {
            let peer = &self.config.node(self.me.other()).name;
            let untaken = match self.aside.waits() {
                0 => String::new(),
                bytes => format!(": {bytes} bytes wait to be taken by it, which is slow"),
            };
            let why = format!(
                "{peer} did not answer within {} s{untaken}",
                PATIENCE.as_secs()
            );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_again_during_a_look_is_answered_by_it() {
        let mut questions = Questions::default();
        assert!(questions.begin(7));
        assert!(!questions.begin(8), "one look at a time");
        assert_eq!(questions.end(), Some(8));
        assert!(questions.begin(9));
        // Its daemon was restarted.
        questions.wanted = None;
        assert_eq!(questions.end(), None);
        assert!(questions.begin(1));
    }
}
