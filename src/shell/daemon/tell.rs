//! What the daemon tells: log, history, hook, `status.json`, and systemd.

use super::*;
use crate::core::event::Change;
use crate::shell::course;
use crate::shell::refused::OWN_NAME;
use crate::shell::status::{Look, sentence, served};
use crate::wire::heartbeat::Role;

impl Daemon {
    pub(super) fn report(&mut self, report: &Report) {
        if let Some(tiding) = self.found_beside(report) {
            return self.tell(tiding);
        }
        let node = &self.config.node(self.me).name;
        let now = clock::now();
        let mut entry = self.chronicle.entry(report, &self.names, node, now);
        let began = course::since_about(&report.reason, clock::wall_ms(), clock::Zone::Here);
        entry.reason.extend(began);
        if let Some(why) = self.why_silent(report).or_else(|| self.in_full(report)) {
            entry.reason = why;
        }
        self.follow_mistakes(report, &entry.reason);
        let latest = self.publisher.latest();
        let served =
            |id| latest.is_some_and(|status| known_to_run(status, |g| GroupId::of(&g.name) == id));
        self.course.follow(report, &entry.reason, served, now);
        self.note_down(history::level(report), entry);
    }

    /// Tells what the core does not report.
    pub(super) fn tell(&mut self, tiding: Tiding) {
        let node = &self.config.node(self.me).name;
        let now = clock::now();
        let entry = self.chronicle.tiding(&tiding, &self.names, node, now);
        self.note_down(tiding.level, entry);
    }

    /// In log, hook and history alike.
    fn note_down(&mut self, level: log::Level, entry: history::Entry) {
        log::log!(level, "{entry}");
        // That the hook fails is not for the hook.
        if let Some(notifier) = self.notifier.as_ref().filter(|_| entry.change != "notify") {
            notifier.push(entry.clone());
        }
        self.tell_peer_of(&entry);
        self.note_order(&entry);
        self.history.push(entry);
        self.dirty = true;
    }

    /// That nothing was heard is not all that is known of a silence.
    fn why_silent(&mut self, report: &Report) -> Option<String> {
        let Change::Peer(_, state) = report.change else {
            return None;
        };
        let here = &self.config.node(self.me).name;
        self.silence = match (state, &report.reason) {
            (PeerState::Silent, Reason::PeerSilent(span)) => sentence::silence(
                here,
                *span,
                self.aside.ended.is_some(),
                self.refused.since_heard(),
            ),
            _ => None,
        };
        self.silence.clone()
    }

    /// A fact with what a resource lacks just now. Once it has stopped for that, it has been said.
    fn in_full(&self, report: &Report) -> Option<String> {
        let Reason::Fact(fact) = report.reason else {
            return None;
        };
        if matches!(report.change, Change::Role(Role::Stopping, _)) {
            return None;
        }
        let view = self.node.view();
        let group = view.groups.iter().find(|g| Some(g.id) == report.group)?;
        Some(self.names.fact_of(fact, group))
    }

    /// An order is remembered by what it may bring about.
    pub(super) fn note_order(&mut self, entry: &history::Entry) {
        let latest = self.publisher.latest();
        let served =
            |name: &str| latest.is_some_and(|status| known_to_run(status, |g| g.name == name));
        self.course
            .ordered(entry, &self.names, served, clock::now());
    }

    pub(super) fn tell_start(&mut self) {
        self.tell(Tiding {
            group: None,
            change: "daemon",
            level: self.before.level(),
            text: format!(
                "{} {} starts as {} of {} (process {}); {}",
                env!("CARGO_PKG_NAME"),
                self.status.software,
                self.config.node(self.me).name,
                self.config.cluster.name,
                std::process::id(),
                self.before.words(),
            ),
        });
    }

    pub(super) fn tell_end(&mut self) {
        self.tell(Tiding {
            group: None,
            change: "daemon",
            level: log::Level::Info,
            text: format!("{} ends, as it was told", env!("CARGO_PKG_NAME")),
        });
    }

    pub(super) fn publish(&mut self, now: Time) {
        let due = self.publisher.deadline().is_none_or(|at| at <= now);
        if !due && !std::mem::take(&mut self.dirty) {
            return;
        }
        self.counters.insert("history lost", self.history.lost());
        self.counters
            .insert("log lines lost", super::super::log::lost());
        self.status.unloaded.clone_from(&self.fit.unloaded);
        self.status.warnings.clone_from(&self.fit.amiss);
        let hook = self.notifier.as_ref().and_then(|hook| hook.ran()?.err());
        let hook = hook.map(|why| format!("notify: {why}"));
        (self.status.warnings).extend(hook.into_iter().chain(self.history.trouble()));
        (self.status.warnings).extend(self.services.drop_in_trouble());
        let view = self.node.view();
        self.look_for_what_is_amiss(&view);
        self.adopted.retain(|adopted| {
            let group = view.groups.iter().find(|g| g.id == adopted.group);
            group.is_some_and(|g| match g.role {
                Role::Stopped => g.reason == Reason::Started,
                Role::Starting | Role::Active => true,
                Role::Stopping | Role::Failed => false,
            })
        });
        let mut services = self.services.views();
        services.extend(self.mounts.views());
        services.extend(self.disks.views());
        self.note_unheard(view.peer.state == PeerState::Left, now);
        let refused = {
            let paths = &view.peer.paths;
            let heard = |path: usize| paths.get(path).and_then(|path| path.heard);
            self.refused.lately(now, heard)
        };
        let alive = view.peer.state == PeerState::Alive;
        self.devices.heard(alive.then_some(view.peer.since));
        let fencing = self.fencing_status(now);
        self.aside.follow_roles(&view, now);
        let mine = view.peer.drift.then(|| self.config.settings.digests());
        let facts = Facts {
            view: &view,
            names: &self.names,
            daemon: &self.status,
            counters: &self.counters,
            answers: &self.answers,
            services: &services,
            amiss: &self.amiss,
            refused: &refused,
            adopted: &self.adopted,
            course: &self.course,
            told: &self.aside.told,
            words: self.aside.words,
            differences: &self.aside.differences,
            settings: mine.as_ref().zip(self.aside.settings.as_ref()),
            peer_amiss: &self.aside.amiss,
            peer_ends: &self.aside.ends,
            peer_ended: self.aside.ended,
            silence: self.silence.as_deref(),
            clock_ahead_ms: self.aside.clock_ahead_ms,
            fencing: fencing.as_ref(),
        };
        let mut subjects = self.subjects(&facts, now);
        let published = self.publisher.publish(now, &facts);
        subjects.extend(
            (self.publisher.latest().into_iter()).flat_map(|status| tidings::blocked(status, now)),
        );
        self.note_what_is_kept(now);
        self.publish_aside(now);
        let mut tidings = self.tidings.follow(now, subjects);
        let peer = self.config.node(self.me.other()).name.clone();
        // The core has said it of the peer.
        let twin = view.peer.reason == Reason::SameNode;
        let refused = {
            let paths = &view.peer.paths;
            let heard = |path: usize| paths.get(path).and_then(|path| path.heard);
            self.refused.edges(now, heard).into_iter()
        };
        let refused = refused.filter(|(of, _)| !twin || of.iter().any(|it| it.cause != OWN_NAME));
        tidings.extend(refused.map(|(refused, begun)| tidings::of_refused(&refused, begun, &peer)));
        match published {
            Err(error) if !std::mem::replace(&mut self.mute, true) => tidings.push(Tiding {
                group: None,
                change: "daemon",
                level: log::Level::Warn,
                text: format!(
                    "status.json cannot be written: {error}; `status` and orders go without an answer: make room in {}",
                    self.options.run_dir.display()
                ),
            }),
            Ok(true) if std::mem::take(&mut self.mute) => tidings.push(Tiding {
                group: None,
                change: "daemon",
                level: log::Level::Info,
                text: "status.json is written again".into(),
            }),
            _ => {}
        }
        tidings.into_iter().for_each(|tiding| self.tell(tiding));
        self.supervisor.tell(now, &view, &self.names);
    }

    /// What became of who used a mount, and what was corrected of it.
    pub(super) fn hear_mounts(&mut self) {
        for (place, said) in self.mounts.take_said() {
            let resource = self.names.resource(Some(place.group), place.resource);
            self.tell(Tiding {
                group: Some(self.names.group(place.group)),
                change: "resource",
                level: log::Level::Warn,
                text: format!("{resource}: {said}"),
            });
        }
    }

    /// What keeps a group from running here is why it starts, once it is over.
    fn note_what_is_kept(&mut self, now: Time) {
        let groups = self
            .publisher
            .latest()
            .map_or(&[][..], |status| &status.groups);
        for group in groups.iter().filter(|group| group.role == "stopped") {
            // Of what is only not to be handed over, nothing is kept.
            let mut facts = group.facts.iter();
            let fact = facts.find(|fact| !fact.contains(sentence::NOT_HANDED_OVER));
            if let Some(why) = group.waiting.as_ref().or(fact) {
                self.course.kept(GroupId::of(&group.name), why, now);
            }
        }
    }

    /// All that can be well or not and that the core does not report, as it is now.
    fn subjects(&self, facts: &Facts, now: Time) -> Vec<Subject> {
        let mut subjects = tidings::subjects(facts, now);
        let here = facts.names.node(self.me);
        for group in &facts.view.groups {
            let name = facts.names.group(group.id);
            let trouble = |change, text, over: String| Trouble {
                group: Some(name.clone()),
                change,
                level: log::Level::Error,
                settle: Duration::ZERO,
                text,
                over,
            };
            let (conflict, over) = (facts.conflict(group, now), facts.is_on_one_at_most(group));
            let both = conflict.is_some().then_some(true).or(over.then_some(false));
            subjects.push(Subject::new(format!("{name} conflict"), both, || {
                let text = sentence::conflict(here, conflict.as_deref().unwrap_or_default());
                trouble(
                    "conflict",
                    text,
                    "it does not run on both nodes any more".into(),
                )
            }));
            let maintenance = facts.view.maintenance;
            for (resource, look) in facts.looks(group) {
                let wrong = match look {
                    // Without maintenance the core does something about it, and tells.
                    Look::Amiss(_) => maintenance.then_some(true),
                    Look::NotKnown => None,
                    Look::Well => (!maintenance || self.looked_in_maintenance).then_some(false),
                };
                subjects.push(Subject::new(format!("{name} {resource}"), wrong, || {
                    let what = match &look {
                        Look::Amiss(what) => what.as_str(),
                        Look::Well | Look::NotKnown => "",
                    };
                    let text = format!(
                        "{}; nothing is done about it in maintenance",
                        sentence::amiss(&resource, what)
                    );
                    trouble("resource", text, format!("{resource} is well again"))
                }));
            }
        }
        let trouble = |change, text: Option<String>, over: &str| Trouble {
            group: None,
            change,
            level: log::Level::Warn,
            settle: Duration::ZERO,
            text: text.unwrap_or_default(),
            over: over.into(),
        };
        let unloaded = &self.fit.unloaded;
        subjects.push(Subject::new(
            "unloaded".into(),
            Some(unloaded.is_some()),
            || Trouble {
                // Who edits it, loads it next.
                settle: EDITING,
                ..trouble(
                    "file",
                    unloaded.clone(),
                    "ha.toml on disk is what is in force",
                )
            },
        ));
        let drop_ins = self.services.drop_in_trouble();
        subjects.push(Subject::new(
            "drop-ins".into(),
            Some(drop_ins.is_some()),
            || {
                let over = "drop-ins of services are written again";
                trouble("machine", drop_ins.clone(), over)
            },
        ));
        subjects.extend(self.notifier.as_ref().map(|hook| {
            let ran = hook.ran();
            let failed = ran.as_ref().map(|ran| ran.is_err());
            Subject::new(format!("notify {}", hook.name()), failed, || {
                let why = ran
                    .and_then(Result::err)
                    .map(|why| format!("notify: {why}"));
                trouble("notify", why, "notify: the hook works again")
            })
        }));
        subjects
    }

    /// In maintenance nothing is put back, and all the more it is looked at: VIPs that are gone.
    fn look_for_what_is_amiss(&mut self, view: &crate::core::view::View) {
        self.amiss.clear();
        if !view.maintenance {
            self.looked_in_maintenance = false;
            return;
        }
        // What was seen before may be older than the VIPs.
        if !self.looked_in_maintenance {
            self.changed = true;
            return;
        }
        for place in self.vips.places() {
            let runs = |g: &&crate::core::view::GroupView| {
                g.id == place.group && (g.role == Role::Active || g.adopted)
            };
            if !view.groups.iter().any(|g| runs(&g)) {
                continue;
            }
            let gone = |vip: &&(IpAddr, usize)| !self.network.has(std::slice::from_ref(*vip));
            let gone: Vec<String> = (self.vips.all_of(place).iter().filter(gone))
                .map(|(vip, vif)| format!("{vip} is not on {}", self.network.vifs[*vif].name))
                .collect();
            if !gone.is_empty() {
                self.amiss.insert(place, gone.join(", "));
            }
        }
    }
}

/// A file that was just written is no news.
const EDITING: Duration = Duration::from_secs(2);

/// One of the groups that are meant, on either node.
fn known_to_run(status: &status::Status, meant: impl Fn(&status::Group) -> bool) -> bool {
    let mut groups = status.groups.iter().filter(|group| meant(group));
    groups.any(|group| served(status, group))
}
