//! The first start of VIPs: not before it is known that nobody else has them.

use super::*;
use crate::core::protocol::right::Right;
use crate::shell::duplicates::{Answer, MOST, Taken};
use crate::wire::heartbeat::Role;

/// A group that ran so lately, beyond the detection time, is taken over: nobody is asked.
const TAKEOVER: Duration = Duration::from_secs(10);

impl Daemon {
    /// Asks whether somebody else has the VIPs, if that is to be asked before they are started. True: the start
    /// goes on, or ends, with the answer.
    pub(super) fn asks_first(&mut self, place: Place, right: Option<Right>, now: Time) -> bool {
        let running = self.vips.started(place);
        if running || !self.duplicates.must_ask(place, self.recently(), now) {
            return false;
        }
        let vips = self.vips_to_ask(place);
        let asks = !vips.is_empty();
        if asks {
            let agreed = matches!(right, Some(Right::Agreement { .. }));
            self.duplicates.ask(place, vips, (true, agreed), now);
        }
        asks
    }

    /// Asks what is to be asked, and acts on what was answered, when everything that was heard is read.
    pub(super) fn follow_duplicates(&mut self) {
        let now = clock::now();
        let places = self.vips.places();
        for place in &places {
            if self.vips.started(*place) {
                self.duplicates.runs(*place, now);
            }
        }
        if self.duplicates.forget(&places, self.recently(), now) {
            self.tell_readiness();
        }
        for place in self.duplicates.again(now) {
            let vips = self.vips_to_ask(place);
            self.duplicates.ask(place, vips, (false, false), now);
        }
        for (vip, address) in self.duplicates.due(now) {
            if let Some((_, vif)) = self.vips.home(vip) {
                self.network.probe(vif, address);
            }
        }
        if self.duplicates.asks() {
            self.act_on_answers(now);
        }
    }

    /// A new configuration. What it adds to a group that runs here is not asked for: the whole group would have to
    /// do with what came of that.
    pub(super) fn note_what_runs_here(&mut self, now: Time) {
        let places = self.vips.places();
        let recently = self.recently();
        let ran = |place: &&Place| self.duplicates.ran_lately(**place, recently, now);
        let groups: Vec<GroupId> = places.iter().filter(ran).map(|place| place.group).collect();
        for place in places.iter().filter(|place| groups.contains(&place.group)) {
            self.duplicates.runs(*place, now);
        }
    }

    /// Nor is what a daemon of this boot left running.
    pub(super) fn note_what_was_left_running(&mut self) {
        let now = clock::now();
        for place in self.vips.places() {
            let mut left = self.marks.known().iter();
            if left.any(|(group, _)| *group == place.group) {
                self.duplicates.runs(place, now);
            }
        }
    }

    /// What the peer says of its groups: what it has is no other host's.
    pub(super) fn note_what_the_peer_runs(&mut self, now: Time) {
        let recently = self.recently();
        if let Some(heartbeat) = self.node.peer_heartbeat() {
            for place in self.vips.places() {
                let report = heartbeat.groups.iter().find(|r| r.id == place.group);
                let role = report.map_or(Role::Stopped, |report| report.role);
                self.duplicates.peer_says(place, role, recently, now);
            }
        }
    }

    /// Who has a VIP of this resource that neither node runs, in words.
    pub(super) fn duplicate(&self, place: Place) -> Option<String> {
        let taken = self.duplicates.taken(place)?;
        let started = self.vips.has(place) && self.vips.started(place);
        (!started).then(|| self.words_for(taken))
    }

    /// What keeps VIPs from being started, for the status.
    pub(super) fn duplicate_notices(&self) -> impl Iterator<Item = String> {
        let places = self.vips.places().into_iter();
        places
            .filter_map(|place| self.duplicate(place))
            .map(|words| format!("{words}; not started while that is so"))
    }

    fn act_on_answers(&mut self, now: Time) {
        let (network, vips, peers) = (&self.network, &self.vips, self.peer_macs());
        let own = &network.host().interfaces;
        let of_pair = |mac| (own.iter().any(|i| i.mac == mac), peers.contains(&mac));
        let known = |address: IpAddr| vips.home(address).is_some() || network.knows(address);
        let answers = self.duplicates.answers(of_pair, known, now);
        self.listen_nearby();
        for (question, answer) in answers {
            let place = question.place;
            if answer == Answer::Missed {
                // Had it been asked in vain, nothing would speak for the start.
                let why = (question.starts, question.agreed);
                self.duplicates.ask(place, question.vips, why, now);
                continue;
            }
            self.tell_readiness();
            if let Some(vip) = question.answered_by_peer(|mac| (false, peers.contains(&mac))) {
                let text = format!(
                    "{} answers for {vip}, and says that it runs nothing of it: is it an address of its own there?",
                    self.config.node(self.me.other()).name
                );
                self.tell(Tiding {
                    group: Some(self.names.group(place.group)),
                    change: "conflict",
                    level: log::Level::Warn,
                    text,
                });
            }
            if question.starts {
                match self.duplicate(place) {
                    None if self.vips.has(place) => self.ask_to_start(place),
                    why => {
                        let why = why.unwrap_or_else(|| "it is not in ha.toml".into());
                        self.done(Op::Resource(place), Outcome::Failed(why));
                    }
                }
            }
            while let Some(event) = self.pending.pop_front() {
                self.step(event);
            }
        }
    }

    /// Those that are not on this machine already.
    fn vips_to_ask(&self, place: Place) -> Vec<IpAddr> {
        let vips = self.vips.all_of(place).iter();
        let away = vips.filter(|vip| !self.network.has(std::slice::from_ref(vip)));
        away.map(|(vip, _)| *vip).take(MOST).collect()
    }

    /// Addresses nearby are listened for while they are asked for.
    fn listen_nearby(&mut self) {
        let nearby: Vec<IpAddr> = self.duplicates.controls().map(|(near, _)| near).collect();
        if nearby != self.nearby {
            self.nearby = nearby;
            self.listen();
        }
    }

    /// As it tells them, or told them before this daemon started.
    fn peer_macs(&self) -> Vec<[u8; 6]> {
        let told = self.node.peer_heartbeat().map(|h| &h.vifs[..]);
        let told = told.unwrap_or_default().iter().map(|vif| vif.mac);
        let all = told.chain(self.known_macs.iter().copied());
        all.filter(|mac| *mac != [0; 6]).collect()
    }

    fn words_for(&self, taken: &Taken) -> String {
        let vif = self.vips.home(taken.vip).map(|(_, vif)| vif);
        let on = vif.map_or("?", |vif| self.network.vifs[vif].name.as_str());
        taken.words(on)
    }

    fn recently(&self) -> Duration {
        let heartbeat = &self.config.heartbeat;
        TAKEOVER + heartbeat.interval * heartbeat.misses
    }
}
