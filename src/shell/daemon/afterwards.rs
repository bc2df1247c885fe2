//! What the nodes tell each other of what should not have been: that both ran a group, and that the operator knows
//! it; that the one was taken as off while it lived.

use super::*;
use crate::core::event::Change;
use crate::shell::status::Said;
use crate::wire::heartbeat::Role;

/// What there is to be told to a peer that was taken as off, and lived.
#[derive(Debug, Default)]
pub(super) struct Mistaken {
    /// It is taken as off: its daemon, why, and since when by the clock.
    taken: Option<(u64, String, u64)>,
    /// To be told.
    owed: Option<Message>,
    /// When it was heard to be started anew.
    anew: Option<Time>,
}

impl Mistaken {
    /// The peer is taken as off, or is heard again: from that daemon.
    fn follow(&mut self, report: &Report, words: &str, from: u64, wall_ms: u64) {
        let Change::Peer(before, after) = report.change else {
            return;
        };
        if after == PeerState::Fenced {
            self.taken = Some((from, words.to_owned(), wall_ms));
        } else if before == PeerState::Fenced
            && let Some((daemon, why, since_ms)) = self.taken.take()
        {
            // A machine that was off has another daemon.
            let same = daemon == from && after.is_heard();
            self.owed = same.then_some(Message::TakenAsOff { why, since_ms });
        }
    }
}

impl Daemon {
    /// A daemon that has just started finds what a daemon before it had left, or what its machine started by itself
    /// as it booted: where nothing was cut, that is no group that both nodes ran. It knows which, and tells.
    pub(super) fn found_beside(&mut self, report: &Report) -> Option<Tiding> {
        let now = clock::now();
        if report.reason == Reason::PeerRestarted {
            self.mistaken.anew = Some(now);
        }
        let (Reason::BothRan { yields: false, .. }, Some(id)) = (&report.reason, report.group)
        else {
            return None;
        };
        let view = self.node.view();
        let stands = view.groups.iter().find(|group| group.id == id)?.peer?.0;
        let anew = self.mistaken.anew.is_some_and(|at| now.since(at) < LOOKS);
        let found = anew && matches!(stands, Role::Starting | Role::Stopping);
        let [here, peer] = [self.me, self.me.other()].map(|side| &self.config.node(side).name);
        found.then(|| Tiding {
            group: Some(self.names.group(id)),
            change: "notice",
            level: log::Level::Warn,
            text: format!(
                "{peer}'s daemon has started and found something of it running there, of before it or started by its \
                 machine itself: {here} keeps it, and {peer} gives it up"
            ),
        })
    }

    /// Whether the peer is taken as off, or shows that it was not.
    pub(super) fn follow_mistakes(&mut self, report: &Report, words: &str) {
        // Of the heartbeat that is being judged: what rides beside it is heard after it.
        let from = self.node.heard().incarnation;
        (self.mistaken).follow(report, words, from, clock::wall_ms());
    }

    /// Tells the peer that it was taken as off, once it listens.
    pub(super) fn tell_mistakes(&mut self) {
        if let Some(message) = self.mistaken.owed.take_if(|_| self.aside.is_open()) {
            let _ = self.aside.owe(&message);
        }
    }

    /// The peer had taken this node as off, by its clock since then.
    pub(super) fn hear_mistake(&mut self, why: &str, since_ms: u64) {
        let [here, peer] = [self.me, self.me.other()].map(|side| &self.config.node(side).name);
        let since = clock::local((since_ms / 1000) as i64, clock::Zone::Here);
        let text = format!(
            "{peer} had taken {here} as off since {since} by its clock ({why}), and {here} lived: both nodes may have run \
             what {peer} took over"
        );
        let mistaken = format!("{peer} had taken {here} as off ({why})");
        self.course.explain_both(&mistaken, clock::now());
        self.tell(Tiding {
            group: None,
            change: "peer",
            level: log::Level::Error,
            text,
        });
    }

    /// `clear`, too, says that the operator knows that both nodes ran a group: what is to be said of that.
    pub(super) fn acknowledged(
        &mut self,
        number: u32,
        accepted: bool,
        text: &str,
    ) -> Option<String> {
        let group = self.clears.remove(&number).filter(|_| accepted)?;
        let all = self.names.groups.iter();
        let groups = all.filter(|g| group.is_none_or(|wanted| wanted == g.id));
        let groups = groups.map(|g| g.name.clone()).collect();
        let said = self.course.acknowledge(group, clock::now());
        let there = |said: &Said| {
            said.both_ran.is_some() && group.is_none_or(|g| g == GroupId::of(&said.group))
        };
        let said = said || self.aside.told.iter().any(there);
        // It may be the other node alone that says it.
        let heard = self.node.peer_state() == PeerState::Alive;
        let told = heard && self.aside.owe(&Message::Acknowledged { groups }) == Room::Fits;
        let [here, peer] = [self.me, self.me.other()].map(|side| &self.config.node(side).name);
        let known = match told {
            true => "that both nodes ran it is acknowledged".into(),
            false => format!(
                "that both nodes ran it is acknowledged on {here}; {peer} is not heard: give it there, too"
            ),
        };
        said.then(|| match text {
            NOTHING_TO_CLEAR => known,
            text => format!("{text}; {known}"),
        })
    }

    /// The operator has said so on the other node.
    pub(super) fn hear_acknowledged(&mut self, groups: &[String]) {
        for name in groups {
            if self
                .course
                .acknowledge(Some(GroupId::of(name)), clock::now())
            {
                let peer = &self.config.node(self.me.other()).name;
                self.tell(Tiding {
                    group: Some(name.clone()),
                    change: "command",
                    level: log::Level::Info,
                    text: format!("that both nodes ran it was acknowledged on {peer}"),
                });
            }
        }
    }
}

/// So long a daemon may look, until it knows what runs on its machine.
const LOOKS: Duration = Duration::from_secs(30);

/// Clears that are remembered until they are answered.
pub(super) const CLEARS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_taken_as_off_and_is_heard_again_from_the_same_daemon_is_told() {
        let report = |from, to, reason| Report {
            group: None,
            change: Change::Peer(from, to),
            reason,
        };
        let taken = || report(PeerState::Silent, PeerState::Fenced, Reason::Confirmed);
        let heard = |state| report(PeerState::Fenced, state, Reason::PeerHeard);
        let owed = |from: u64, state| {
            let mut mistaken = Mistaken::default();
            mistaken.follow(&taken(), "confirmed", 7, 1000);
            mistaken.follow(&heard(state), "heard", from, 9000);
            mistaken.owed
        };
        let told = Message::TakenAsOff {
            why: "confirmed".into(),
            since_ms: 1000,
        };
        assert_eq!(owed(7, PeerState::Alive), Some(told.clone()));
        assert_eq!(owed(7, PeerState::OneWay), Some(told));
        assert_eq!(owed(8, PeerState::Alive), None, "it was started since");
        assert_eq!(owed(7, PeerState::Left), None);
    }
}
