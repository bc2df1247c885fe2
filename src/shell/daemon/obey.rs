//! What the operator wants: signals and orders.

use super::*;

impl Daemon {
    pub(super) fn obey(&mut self, signal: Signal) {
        match signal {
            Signal::Order(Ok(order)) => self.order(order),
            Signal::Order(Err(unknown)) => {
                self.answers.finish(unknown.1, false, unknown.to_string());
                self.dirty = true;
            }
            Signal::Reload => self.reload(None),
            Signal::Leave => {
                self.services.leave();
                self.command(0, Command::Leave)
            }
            Signal::HandOver => self.command(0, Command::Failover(None)),
            Signal::StandbyHere => self.command(0, Command::Standby(self.me, true)),
        }
    }

    pub(super) fn order(&mut self, order: Order) {
        self.answers.begin(order.number);
        self.dirty = true;
        let current = Generation::of(self.status.generation);
        let groups = self.config.groups.iter().map(|g| GroupId::of(&g.name));
        match order.deed(current, &groups.collect::<Vec<_>>()) {
            Ok(Deed::Core(command)) => self.command(order.number.into(), command),
            Ok(Deed::Reload) => self.reload(Some(order.number)),
            Err(why) => self.answers.finish(order.number, false, why),
        }
    }

    pub(super) fn command(&mut self, number: u32, command: Command) {
        log::info!("command: {command:?}");
        self.step(Event::Command { number, command });
    }
}
