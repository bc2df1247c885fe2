//! What the operator wants: signals, orders, and a new ha.toml.

use super::*;
use crate::config::Group;

impl Daemon {
    pub(super) fn obey(&mut self, signal: Signal) {
        match signal {
            Signal::Order(Ok(order)) => self.order(order),
            Signal::Order(Err(unknown)) => {
                self.answers.finish(unknown.1, false, unknown.to_string());
                self.dirty = true;
            }
            Signal::Reload => {
                let _ = self.reload();
            }
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
            Ok(Deed::Reload) => match self.reload() {
                Ok(text) => self.answers.finish(order.number, true, text),
                Err(text) => self.answers.finish(order.number, false, text),
            },
            Err(why) => self.answers.finish(order.number, false, why),
        }
    }

    pub(super) fn command(&mut self, number: u32, command: Command) {
        log::info!("command: {command:?}");
        self.step(Event::Command { number, command });
    }

    /// Builds the whole new configuration first; keeps the old one if anything is wrong.
    pub(super) fn reload(&mut self) -> Result<String, String> {
        self.supervisor.reloading();
        let verdict = self.try_reload();
        self.supervisor.reloaded();
        match &verdict {
            Ok(text) => log::info!("reload: {text}"),
            Err(text) => {
                log::error!("reload refused, the configuration before stays in force: {text}")
            }
        }
        self.status.reload_error = verdict.clone().err();
        self.dirty = true;
        verdict
    }

    pub(super) fn try_reload(&mut self) -> Result<String, String> {
        let config = config::load(&self.options.config).map_err(|e| e.to_string())?;
        if config.cluster.name != self.config.cluster.name {
            return Err("cluster.name cannot change while running: use `maintenance on`, then restart both daemons".into());
        }
        let names = |c: &Config| c.nodes.each_ref().map(|n| n.name.clone());
        if names(&config) != names(&self.config) {
            return Err("the nodes' names cannot change while running: use `maintenance on`, then restart both daemons".into());
        }
        let view = self.node.view();
        let runs = |id| {
            let mut groups = view.groups.iter();
            groups.any(|g| g.id == id && g.role != crate::wire::heartbeat::Role::Stopped)
        };
        let dropped = self.config.groups.iter().find(|group| {
            runs(GroupId::of(&group.name)) && !config.groups.iter().any(|g| g.name == group.name)
        });
        if let Some(group) = dropped {
            let name = &group.name;
            return Err(format!(
                "group {name} runs here and is not in the new file: `ha-appliance stop {name}` first"
            ));
        }
        let keys = keyring(&config).map_err(|e| e.to_string())?;
        let host = self.network.host().clone();
        self.network.follow(&config, self.me, host);
        if config.cluster.notify != self.config.cluster.notify {
            self.notifier = config
                .cluster
                .notify
                .clone()
                .map(|hook| start_notifier(hook, &self.executor));
        }
        let released = released(&self.config, &config);
        self.keys = keys;
        self.config = config;
        self.status.generation += 1;
        self.loaded = None;
        self.reassemble();
        let host = self.network.host().clone();
        self.reconnect(host);
        self.network.look();
        let groups = self.config.groups.len();
        let plural = if groups == 1 { "" } else { "s" };
        Ok(format!(
            "{} is in force ({groups} group{plural}){released}",
            self.options.config.display()
        ))
    }
}

/// What was kept running until now and is not any more, for people.
fn released(before: &Config, after: &Config) -> String {
    let units = |config: &Config| -> Vec<String> {
        let services = config.groups.iter().flat_map(Group::services);
        services.map(|service| service.unit.clone()).collect()
    };
    let kept = units(after);
    let released: Vec<String> = units(before)
        .into_iter()
        .filter(|unit| !kept.contains(unit))
        .collect();
    match released.is_empty() {
        true => String::new(),
        false => format!(
            "; no longer looked after, and left as they are: {}",
            released.join(", ")
        ),
    }
}
