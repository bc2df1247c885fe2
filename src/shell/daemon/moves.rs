//! Moves that somebody plans: what they would lose, and why one was refused.

use super::afterwards::CLEARS;
use super::*;
use crate::config::Digests;
use crate::core::reason::Fact;
use crate::core::view::{GroupView, View};
use crate::shell::status::Said;
use crate::wire::heartbeat::Role;
use crate::words::Voice;

const CURE: &str = "Bring ha.toml in line on both nodes, then `ha-appliance reload`";

/// What is not started behind what is held back.
const BELOW: &str = "what stands below it in that file";

/// Moves that are remembered until they are answered.
const MOVES: usize = 16;

impl Daemon {
    /// Remembers that an operator wants groups moved, and does so; or refuses it, where the move would lose what the
    /// other node's file does not list.
    pub(super) fn plan(&mut self, number: u32, command: Command) {
        if let Command::Failover(group) | Command::MoveTo(group, _) = command {
            while self.aside.moves.len() >= MOVES {
                self.aside.moves.pop_first();
            }
            self.aside.moves.insert(number, group);
        }
        if let Command::Clear(group) = command {
            while self.clears.len() >= CLEARS {
                self.clears.pop_first();
            }
            self.clears.insert(number, group);
        }
        match self.would_lose(command) {
            Lost::Nothing => self.command_once_written(number, command),
            Lost::NotKnown(why) => {
                self.warn_of(format!("{why} is served by nobody after a move"));
                self.command_once_written(number, command);
            }
            Lost::Resources(why) => {
                let text = format!("refused: {why}: the move would lose that. {CURE}");
                self.answered(number, false, text);
            }
            Lost::HeldBack(why) => {
                let text = format!("refused: {why}: nobody would serve {BELOW}. {CURE}");
                self.answered(number, false, text);
            }
        }
    }

    /// This node leaves, whatever that loses: but not without a word.
    pub(super) fn warn_of_leaving(&mut self) {
        let what = match self.would_lose(Command::Leave) {
            Lost::Nothing => return,
            Lost::NotKnown(why) => why,
            Lost::Resources(why) => format!("{why}: that"),
            Lost::HeldBack(why) => format!("{why}: {BELOW}"),
        };
        let here = &self.config.node(self.me).name;
        let text = format!("{what} is served by nobody once {here} has handed over");
        self.warn_of(text);
    }

    fn warn_of(&mut self, text: String) {
        self.tell(Tiding {
            group: None,
            change: "file",
            level: log::Level::Warn,
            text,
        });
    }

    fn would_lose(&self, command: Command) -> Lost {
        let view = self.node.view();
        let mine = self.config.settings.digests();
        lost(
            &view,
            &self.names,
            &mine,
            self.aside.settings.as_ref(),
            command,
        )
    }

    /// Of a move that was refused, or given up: why the one node keeps a group, and what speaks against the other, in
    /// each one's words.
    pub(super) fn why_not_moved(&mut self, number: u32, accepted: bool) -> String {
        let Some(group) = self.aside.moves.remove(&number).filter(|_| !accepted) else {
            return String::new();
        };
        let (view, now) = (self.node.view(), clock::now());
        self.aside.follow_roles(&view, now);
        let wanted = |g: &&GroupView| group.is_none_or(|id| id == g.id);
        let mut words = String::new();
        for of in view.groups.iter().filter(wanted) {
            let (name, holder) = (self.names.group(of.id), of.token.holder);
            let failed = match holder == self.me {
                true => of.role == Role::Failed,
                false => matches!(of.peer, Some((Role::Failed, _))),
            };
            let mut say = |side: Side, what: Vec<String>| {
                let node = &self.config.node(side).name;
                if !what.is_empty() {
                    words += &format!("; {node} says of {name}: {}", what.join("; "));
                }
            };
            let keeps = self.said_by(holder, &view, of).filter(|_| failed);
            say(holder, keeps.into_iter().map(|said| said.reason).collect());
            if let Some(said) = self.said_by(holder.other(), &view, of) {
                let failures = said.failures.iter();
                let failures = failures.map(|failed| status::failed(failed, now));
                let to = holder.other();
                let voice = Voice {
                    here: &self.config.node(to).name,
                    peer: &self.config.node(holder).name,
                };
                let facts = of_now(&said.facts, voice, view.standby[to as usize]);
                say(to, facts.cloned().chain(failures).collect());
            }
        }
        words
    }

    /// What a node says of a group, as far as it is of now.
    fn said_by(&self, side: Side, view: &View, group: &GroupView) -> Option<Said> {
        let name = self.names.group(group.id);
        if side == self.me {
            let latest = self.publisher.latest()?;
            let said = Said::of(latest.groups.iter().find(|g| g.name == name)?);
            // Written at the end of each turn: this may be in the middle of one.
            let reason = self.names.reason(&group.reason, Some(group.id));
            return Some(Said { reason, ..said });
        }
        let heard = matches!(view.peer.state, PeerState::Alive | PeerState::OneWay);
        let mut told = self.aside.told.iter().filter(|_| heard);
        told.find(|said| said.group == name).cloned()
    }
}

/// What a node told against itself, without what an order ended that it has heard since.
fn of_now<'a>(
    facts: &'a [String],
    voice: Voice,
    standby: bool,
) -> impl Iterator<Item = &'a String> {
    let in_standby = Fact::Standby.words(voice);
    facts
        .iter()
        .filter(move |fact| standby || **fact != in_standby)
}

/// What a planned move would lose.
#[derive(Debug, PartialEq, Eq)]
enum Lost {
    Nothing,
    /// The files differ, and nobody knows in what: the beginning of what is to be said of that.
    NotKnown(String),
    /// This.
    Resources(String),
    /// What stands below something that the other node starts no more than that: what that is.
    HeldBack(String),
}

/// What the node that a group would go to does not list in it. `mine` and `theirs`: what the nodes' files set.
fn lost(
    view: &View,
    names: &Names,
    mine: &Digests,
    theirs: Option<&Digests>,
    command: Command,
) -> Lost {
    let moves = moves(view, command);
    // Its heartbeats say at once whether the files differ; what it told of its file may be of before a reload.
    if moves.is_empty() || view.peer.state != PeerState::Alive || !view.peer.drift {
        return Lost::Nothing;
    }
    let peer = names.node(view.me.other());
    let Some(theirs) = theirs else {
        return Lost::NotKnown(format!(
            "ha.toml differs on {peer}, which has not told in what: what it does not list"
        ));
    };
    for (id, holder) in moves {
        let (first, second) = match holder == view.me {
            true => (mine, theirs),
            false => (theirs, mine),
        };
        let (name, to) = (names.group(id), names.node(holder.other()));
        if config::lacks_group(&name, first, second) {
            return Lost::Resources(format!("{to}'s ha.toml does not list the group {name}"));
        }
        let lost = config::lacking(&name, first, second);
        if !lost.is_empty() {
            let lost = lost.join(", ");
            return Lost::Resources(format!("{to}'s ha.toml does not list {lost} in {name}"));
        }
        // Of what only one file has that node starts nothing, nor what stands below it in the file.
        let more = config::lacking(&name, second, first);
        if !more.is_empty() {
            let (more, from) = (more.join(", "), names.node(holder));
            return Lost::HeldBack(format!(
                "{to} holds back {more}, which {from}'s ha.toml does not list in {name}"
            ));
        }
    }
    Lost::Nothing
}

/// The groups that would move, each with the node that has it now.
pub(super) fn moves(view: &View, command: Command) -> Vec<(GroupId, Side)> {
    let of = |wanted: Option<GroupId>, from: Side| -> Vec<(GroupId, Side)> {
        let groups = view.groups.iter().filter(|g| !g.stopped);
        let wanted = groups.filter(|g| wanted.is_none_or(|id| id == g.id));
        let held = wanted.filter(|g| g.token.holder == from);
        held.map(|g| (g.id, from)).collect()
    };
    match command {
        // Those of this node; if it has none, those of the peer.
        Command::Failover(group) => match of(group, view.me) {
            none if none.is_empty() => of(group, view.me.other()),
            mine => mine,
        },
        Command::MoveTo(group, to) => of(group, to.other()),
        Command::Standby(side, true) => of(None, side),
        Command::Leave if !view.maintenance => of(None, view.me),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::status::sample::{Sample, WEB};

    #[test]
    fn a_node_that_is_online_again_is_not_said_to_be_in_standby() {
        let voice = Voice {
            here: "lb2",
            peer: "lb1",
        };
        let told = [Fact::Standby, Fact::StopFailed].map(|fact| fact.words(voice));
        let now: Vec<&String> = of_now(&told, voice, false).collect();
        assert_eq!(now, [&told[1]]);
        assert_eq!(of_now(&told, voice, true).count(), 2);
    }

    fn digests(paths: &[&str]) -> Digests {
        paths.iter().map(|path| ((*path).to_owned(), 1)).collect()
    }

    /// What lb1, which has one address more, would lose by that command.
    fn lost_by(sample: &Sample, command: Command) -> Option<String> {
        let (one, two) = (
            "group web, vip 192.168.10.80/24: vip",
            "group web, vip 192.168.10.83/24: vip",
        );
        let (mine, theirs) = (digests(&[one, two]), digests(&[one]));
        match lost(&sample.view, &sample.names, &mine, Some(&theirs), command) {
            Lost::Nothing => None,
            Lost::NotKnown(why) | Lost::Resources(why) | Lost::HeldBack(why) => Some(why),
        }
    }

    fn drifted() -> Sample {
        let mut sample = Sample::default();
        sample.view.peer.drift = true;
        sample
    }

    const MINE: Command = Command::Failover(None);

    #[test]
    fn every_planned_move_is_held_against_the_other_file() {
        let sample = drifted();
        let why = "lb2's ha.toml does not list vip 192.168.10.83/24 in web";
        let (here, there) = (Side::First, Side::Second);
        for command in [
            MINE,
            Command::Failover(Some(WEB)),
            Command::MoveTo(None, there),
            Command::Standby(here, true),
            Command::Leave,
        ] {
            assert_eq!(
                lost_by(&sample, command).as_deref(),
                Some(why),
                "{command:?}"
            );
        }
        for command in [
            Command::MoveTo(None, here),
            Command::Standby(there, true),
            Command::Standby(here, false),
            Command::Maintenance(true),
            Command::Stopped(WEB, true),
        ] {
            assert_eq!(lost_by(&sample, command), None, "{command:?}");
        }
    }

    /// `failover` on the node that has nothing fetches what the other has.
    #[test]
    fn what_would_come_here_is_held_against_the_file_here() {
        let mut sample = drifted();
        sample.view.me = Side::Second;
        let (more, less) = (
            digests(&[
                "group web, vip 192.168.10.80/24: vip",
                "group web, vip 192.168.10.83/24: vip",
            ]),
            digests(&["group web, vip 192.168.10.80/24: vip"]),
        );
        let lost = |command| lost(&sample.view, &sample.names, &less, Some(&more), command);
        let why = "lb2's ha.toml does not list vip 192.168.10.83/24 in web";
        for command in [
            MINE,
            Command::Failover(Some(WEB)),
            Command::MoveTo(Some(WEB), Side::Second),
            Command::Standby(Side::First, true),
        ] {
            assert_eq!(lost(command), Lost::Resources(why.into()), "{command:?}");
        }
        assert_eq!(lost(Command::Leave), Lost::Nothing);
        assert_eq!(lost(Command::Standby(Side::Second, true)), Lost::Nothing);
    }

    /// It starts nothing of what its own file alone has, nor what follows that.
    #[test]
    fn what_the_other_node_would_hold_back_is_lost_too() {
        let one = "group web, vip 192.168.10.80/24: vip";
        let mine = digests(&[one]);
        let theirs = digests(&["group web, vip 192.168.10.79/24: vip", one]);
        let sample = drifted();
        let lost = lost(&sample.view, &sample.names, &mine, Some(&theirs), MINE);
        let why = "lb2 holds back vip 192.168.10.79/24, which lb1's ha.toml does not list in web";
        assert_eq!(lost, Lost::HeldBack(why.into()));
    }

    #[test]
    fn nothing_is_lost_by_what_does_not_move() {
        assert_eq!(
            lost_by(&Sample::default(), MINE),
            None,
            "the files are the same"
        );
        let mut silent = drifted();
        silent.view.peer.state = PeerState::Silent;
        assert_eq!(lost_by(&silent, MINE), None);
        let mut stopped = drifted();
        stopped.view.groups[0].stopped = true;
        assert_eq!(lost_by(&stopped, Command::Standby(Side::First, true)), None);
        let mut maintenance = drifted();
        maintenance.view.maintenance = true;
        assert_eq!(lost_by(&maintenance, Command::Leave), None);
    }

    #[test]
    fn a_whole_group_is_lost_as_well_and_what_is_not_known_is_said() {
        let sample = drifted();
        let mine = digests(&["group web, vip 192.168.10.80/24: vip"]);
        let lost = |theirs: Option<&Digests>| {
            super::lost(&sample.view, &sample.names, &mine, theirs, MINE)
        };
        let other = digests(&["group db, vip 192.168.10.80/24: vip"]);
        let why = "lb2's ha.toml does not list the group web";
        assert_eq!(lost(Some(&other)), Lost::Resources(why.into()));
        let why = "ha.toml differs on lb2, which has not told in what: what it does not list";
        assert_eq!(lost(None), Lost::NotKnown(why.into()));
    }
}
