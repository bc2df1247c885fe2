//! What the operator wants: signals and orders. Who asked, for what, and what came of it is told.

use super::*;
use crate::core::view::View;
use crate::shell::course::ASKED_FOR_BY;

/// So long the peer has to answer before it is believed that it is off.
const LOOK_FOR_LIFE: Duration = Duration::from_millis(300);

const REPLACED: &str = "not taken: confirm-fenced was given again, and that one is answered";

impl Daemon {
    pub(super) fn obey(&mut self, signal: Signal, sender: Sender) {
        match signal {
            Signal::Order(Ok(order)) => self.order(order, sender),
            Signal::Order(Err(unknown)) => {
                self.asked(unknown.1.into(), "an unknown order".into(), sender);
                self.answered(unknown.1.into(), false, unknown.to_string());
            }
            Signal::Reload => {
                self.asked(0, "reload (SIGHUP)".into(), sender);
                self.reload(None)
            }
            Signal::Leave => {
                let what = match self.node.in_maintenance() {
                    true => "end, and leave running what runs (SIGTERM in maintenance)",
                    false => "hand over and end (SIGTERM)",
                };
                if self.node.in_maintenance() {
                    let _ = self.aside.owe(&Message::Ends);
                }
                self.asked(0, what.into(), sender);
                self.warn_of_leaving();
                self.services.leave();
                self.command_once_written(0, Command::Leave)
            }
            Signal::HandOver => {
                self.asked(0, "failover (SIGUSR1)".into(), sender);
                self.plan(0, Command::Failover(None))
            }
            Signal::StandbyHere => {
                let here = &self.config.node(self.me).name;
                self.asked(0, format!("standby {here} (SIGUSR2)"), sender);
                self.plan(0, Command::Standby(self.me, true))
            }
        }
    }

    fn order(&mut self, order: Order, sender: Sender) {
        let number = u32::from(order.number);
        self.answers.begin(order.number);
        self.dirty = true;
        let current = Generation::of(self.status.generation);
        let groups = self.config.groups.iter().map(|g| GroupId::of(&g.name));
        let deed = order.deed(current, &groups.collect::<Vec<_>>());
        let words = match &deed {
            Ok(Deed::Core(command)) => Some(self.words(*command)),
            Ok(Deed::Reload) => Some("reload".into()),
            Ok(Deed::ReloadDryRun) => Some("reload --dry-run".into()),
            Ok(Deed::Doctor | Deed::FencePeer(_)) => None, // it changes nothing
            Ok(Deed::AcceptData(group)) => {
                Some(format!("accept-data of {}", self.names.group(*group)))
            }
            Err(_) => Some("an order".into()),
        };
        if let Some(words) = words {
            self.asked(number, words, sender);
        }
        match deed {
            Ok(Deed::Core(command @ Command::ConfirmFenced { .. })) => {
                let at = clock::now() + LOOK_FOR_LIFE;
                match self.confirming.give(at, order.number, command) {
                    Some(earlier) => self.answered(earlier.into(), false, REPLACED.into()),
                    None => self.look_for_life(), // one look serves for both
                }
            }
            Ok(Deed::Core(command @ Command::Fence { .. })) => self.fence_by_hand(number, command),
            Ok(Deed::Core(command)) => self.plan(number, command),
            Ok(Deed::Reload) => self.reload(Some(order.number)),
            Ok(Deed::ReloadDryRun) => self.try_out(order.number),
            Ok(Deed::Doctor) => self.ask_peer_how_it_is(order.number),
            Ok(Deed::FencePeer(group)) => self.answer_drbd(order.number, group),
            Ok(Deed::AcceptData(group)) => {
                let accepted = self.disks.accept(group);
                let well = accepted.is_ok();
                self.answered(number, well, accepted.unwrap_or_else(|why| why));
            }
            Err(why) => self.answered(number, false, why.into()),
        }
    }

    /// Who says that the peer is off is believed once it was asked.
    pub(super) fn finish_confirming(&mut self) {
        if let Some((number, command)) = self.confirming.take(clock::now()) {
            match self.refuse_blind(command) {
                None => self.command(number.into(), command),
                Some(why) => self.answered(number.into(), false, why),
            }
        }
    }

    /// A node that no VIP's network reaches cannot have seen that its peer is off, nor be told so by its page.
    fn refuse_blind(&self, command: Command) -> Option<String> {
        let despite = Command::ConfirmFenced {
            despite_signs: true,
        };
        match command == despite {
            true => None,
            false => blind(&self.node.view(), &self.names),
        }
    }

    pub(super) fn command(&mut self, number: u32, command: Command) {
        self.step(Event::Command { number, command });
    }

    /// An order is answered: to who waits for it, and to who reads the log.
    pub(super) fn answered(&mut self, number: u32, accepted: bool, text: String) {
        let text = self.how_it_went(number, accepted).unwrap_or(text);
        let text = self.acknowledged(number, accepted, &text).unwrap_or(text);
        let text = text + &self.why_not_moved(number, accepted);
        self.tell_outcome(number, accepted, &text);
        self.answers.finish(number as u16, accepted, text);
        self.dirty = true;
    }

    pub(super) fn tell_outcome(&mut self, number: u32, accepted: bool, text: &str) {
        let what = self.asked.remove(&number);
        let what = what.unwrap_or_else(|| "an order".into());
        // A line of the log, however long the answer is.
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let text = lines.collect::<Vec<_>>().join(" / ");
        self.tell_command(accepted, format!("{what}: {text}"));
    }

    fn asked(&mut self, number: u32, what: String, sender: Sender) {
        let told = format!("{what}{ASKED_FOR_BY}{}", who::words(sender));
        self.tell_command(true, told);
        while self.asked.len() >= ASKED {
            self.asked.pop_first();
        }
        self.asked.insert(number, what);
    }

    fn tell_command(&mut self, well: bool, text: String) {
        self.tell(Tiding {
            group: None,
            change: "command",
            level: if well {
                log::Level::Info
            } else {
                log::Level::Warn
            },
            text,
        });
    }

    /// A command as it is typed.
    fn words(&self, command: Command) -> String {
        let node = |side| &self.config.node(side).name;
        let group = |id: GroupId| self.names.group(id);
        let of = |id: Option<GroupId>| id.map_or(String::new(), |id| format!(" {}", group(id)));
        match command {
            Command::Failover(id) => format!("failover{}", of(id)),
            Command::MoveTo(id, side) => format!("failover{} --to {}", of(id), node(side)),
            Command::Standby(side, true) => format!("standby {}", node(side)),
            Command::Standby(side, false) => format!("online {}", node(side)),
            Command::Maintenance(true) => "maintenance on".into(),
            Command::Maintenance(false) => "maintenance off".into(),
            Command::Stopped(id, true) => format!("stop {}", group(id)),
            Command::Stopped(id, false) => format!("start {}", group(id)),
            Command::Clear(id) => format!("clear{}", of(id)),
            Command::ConfirmFenced { despite_signs } => {
                let despite = match despite_signs {
                    true => " --despite-signs-of-life",
                    false => "",
                };
                format!("confirm-fenced {}{despite}", node(self.me.other()))
            }
            Command::Fence { rehearse } => {
                let rehearse = if rehearse { " --rehearse" } else { "" };
                format!("fence {}{rehearse}", node(self.me.other()))
            }
            Command::Leave => "hand over and end".into(),
        }
    }
}

/// The operator's word that the peer is off, until the peer had time to answer.
#[derive(Default)]
pub(super) struct Confirming(Option<(Time, u16, Command)>);

impl Confirming {
    /// It is given; gives the number of an earlier one, which is not taken then.
    fn give(&mut self, at: Time, number: u16, command: Command) -> Option<u16> {
        let earlier = self.0.replace((at, number, command));
        earlier.map(|(_, number, _)| number)
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.0.map(|(at, _, _)| at)
    }

    fn take(&mut self, now: Time) -> Option<(u16, Command)> {
        let due = self.0.take_if(|(at, _, _)| *at <= now);
        due.map(|(_, number, command)| (number, command))
    }
}

/// Orders that are remembered until they are answered.
const ASKED: usize = 64;

/// Why nothing that this node sees, or does not see, says anything of its peer. What is heard is another matter.
fn blind(view: &View, names: &Names) -> Option<String> {
    let up = view.vifs.iter().any(|vif| vif.carrier);
    if up || view.vifs.is_empty() || view.peer.state.is_heard() {
        return None;
    }
    let down = view.vifs.iter().map(|vif| names.no_carrier(vif.id));
    let down: Vec<String> = down.collect();
    let (here, peer) = (names.node(view.me), names.node(view.me.other()));
    Some(format!(
        "refused: {here} is cut off itself ({}) and could not see whether {peer} lives: mend that first; \
         `--despite-signs-of-life` says that you have seen {peer} off all the same",
        down.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::status::sample::Sample;

    #[test]
    fn who_is_cut_off_has_not_seen_that_the_peer_is_off() {
        let told = |sample: &Sample| blind(&sample.view, &sample.names);
        let mut sample = Sample::default();
        sample.view.peer.state = PeerState::Silent;
        assert_eq!(told(&sample), None);
        sample.view.vifs[0].carrier = false;
        let why = told(&sample).unwrap();
        assert!(
            why.starts_with(
                "refused: lb1 is cut off itself (eth0: no carrier) and could not see whether lb2 lives"
            ) && why.contains("`--despite-signs-of-life`"),
            "{why}"
        );
        // One that sees on one network of two sees.
        let mut other = sample.view.vifs[0];
        other.carrier = true;
        sample.view.vifs.push(other);
        assert_eq!(told(&sample), None);
        // The gateway may be dead, and the peer off.
        sample.view.gateways[0].state = crate::core::gateway::GatewayState::Lost;
        assert_eq!(told(&sample), None);
        sample.view.vifs.clear();
        assert_eq!(told(&sample), None, "without VIPs there is nothing to see");
    }

    #[test]
    fn what_is_heard_is_refused_by_the_core() {
        let mut sample = Sample::default();
        sample.view.vifs[0].carrier = false;
        assert_eq!(blind(&sample.view, &sample.names), None);
    }

    #[test]
    fn of_two_confirmations_the_later_is_taken_and_the_earlier_is_known() {
        let mut confirming = Confirming::default();
        let word = |despite_signs| Command::ConfirmFenced { despite_signs };
        assert_eq!(confirming.give(Time(300), 7, word(false)), None);
        assert_eq!(confirming.give(Time(500), 8, word(true)), Some(7));
        assert_eq!(confirming.deadline(), Some(Time(500)));
        assert_eq!(confirming.take(Time(300)), None);
        assert_eq!(confirming.take(Time(500)), Some((8, word(true))));
        assert_eq!(
            (confirming.take(Time(900)), confirming.deadline()),
            (None, None)
        );
    }
}
