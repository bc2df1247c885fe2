//! What the operator wants: signals and orders. Who asked, for what, and what came of it is told.

use super::*;

/// So long the peer has to answer before it is believed that it is off.
const LOOK_FOR_LIFE: Duration = Duration::from_millis(300);

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
                self.asked(0, "hand over and end (SIGTERM)".into(), sender);
                self.services.leave();
                self.command(0, Command::Leave)
            }
            Signal::HandOver => {
                self.asked(0, "failover (SIGUSR1)".into(), sender);
                self.command(0, Command::Failover(None))
            }
            Signal::StandbyHere => {
                let here = &self.config.node(self.me).name;
                self.asked(0, format!("standby {here} (SIGUSR2)"), sender);
                self.command(0, Command::Standby(self.me, true))
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
            Ok(Deed::Doctor) => None, // it changes nothing
            Err(_) => Some("an order".into()),
        };
        if let Some(words) = words {
            self.asked(number, words, sender);
        }
        match deed {
            Ok(Deed::Core(command @ Command::ConfirmFenced { .. })) => {
                self.look_for_life();
                self.confirming = Some((clock::now() + LOOK_FOR_LIFE, order.number, command));
            }
            Ok(Deed::Core(command)) => match self.note_move(number, command) {
                Ok(()) => self.command(number, command),
                Err(why) => self.answered(number, false, why),
            },
            Ok(Deed::Reload) => self.reload(Some(order.number)),
            Ok(Deed::ReloadDryRun) => self.try_out(order.number),
            Ok(Deed::Doctor) => self.ask_peer_how_it_is(order.number),
            Err(why) => self.answered(number, false, why.into()),
        }
    }

    /// Who says that the peer is off is believed once it was asked.
    pub(super) fn finish_confirming(&mut self) {
        let due = |(at, _, _): &mut (Time, u16, Command)| *at <= clock::now();
        if let Some((_, number, command)) = self.confirming.take_if(due) {
            self.command(number.into(), command);
        }
    }

    fn command(&mut self, number: u32, command: Command) {
        self.step(Event::Command { number, command });
    }

    /// An order is answered: to who waits for it, and to who reads the log.
    pub(super) fn answered(&mut self, number: u32, accepted: bool, text: String) {
        let text = text + &self.why_not_moved(number, accepted);
        self.tell_outcome(number, accepted, &text);
        self.answers.finish(number as u16, accepted, text);
        self.dirty = true;
    }

    pub(super) fn tell_outcome(&mut self, number: u32, accepted: bool, text: &str) {
        let what = self.asked.remove(&number);
        let what = what.unwrap_or_else(|| "an order".into());
        self.tell_command(accepted, format!("{what}: {text}"));
    }

    fn asked(&mut self, number: u32, what: String, sender: Sender) {
        self.tell_command(true, format!("{what}: asked for by {}", who::words(sender)));
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
            Command::Leave => "hand over and end".into(),
        }
    }
}

/// Orders that are remembered until they are answered.
const ASKED: usize = 64;
