//! What the daemon tells: log, history, hook, `status.json`, and systemd.

use super::*;

impl Daemon {
    pub(super) fn report(&mut self, report: &Report) {
        let node = &self.config.node(self.me).name;
        let entry = self
            .chronicle
            .entry(report, &self.names, node, clock::now());
        log::log!(history::level(report), "{entry}");
        if let Some(notifier) = &self.notifier {
            notifier.push(entry.clone());
        }
        self.history.push(entry);
        self.dirty = true;
    }

    pub(super) fn publish(&mut self, now: Time) {
        let due = self.publisher.deadline().is_none_or(|at| at <= now);
        if !due && !std::mem::take(&mut self.dirty) {
            return;
        }
        self.counters.insert("history lost", self.history.lost());
        self.counters
            .insert("log lines lost", super::super::log::lost());
        let view = self.node.view();
        let facts = Facts {
            view: &view,
            names: &self.names,
            daemon: &self.status,
            counters: &self.counters,
            answers: &self.answers,
            services: &self.services.views(),
        };
        match self.publisher.publish(now, &facts) {
            Err(error) if !std::mem::replace(&mut self.mute, true) => log::warn!(
                "status.json cannot be written: {error}; `status` and orders go without an answer: make room in {}",
                self.options.run_dir.display()
            ),
            Ok(true) if std::mem::take(&mut self.mute) => {
                log::info!("status.json is written again")
            }
            _ => {}
        }
        self.supervisor.tell(now, &view, &self.names);
    }
}
