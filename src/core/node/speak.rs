//! What a node tells its peer, and when: at every interval, at every change, and when it is asked.

use super::*;
use crate::wire::heartbeat::Wish;

impl Node {
    /// Sends a heartbeat if one is due, if what it says has changed, or if the peer waits for it.
    pub(super) fn speak(&mut self, answer_at_once: bool, out: &mut Vec<Action>) {
        let heartbeat = self.heartbeat(false);
        let decided = self
            .groups
            .iter()
            .any(|g| g.group.decided() == Some(heartbeat.sequence));
        let changed = decided
            || self
                .said
                .as_ref()
                .is_none_or(|said| differs(said, &heartbeat));
        self.reply_owed |= answer_at_once;
        let reply = self.reply_owed && self.reply_at().is_none_or(|at| self.now >= at);
        if reply {
            self.replied = Some(self.now);
        }
        let asks = self.asks_again_at().is_some_and(|at| self.now >= at);
        if changed || reply || asks || self.now >= self.next_send {
            self.send(heartbeat, out);
        }
    }

    /// A peer that by its own file speaks more seldom than a holder here must hear of it is asked, before that
    /// would have to stop as isolated.
    fn asks_peer(&self) -> bool {
        let asks = |g: usize| (self.groups[g].group).asks_peer(&self.context(g));
        (0..self.groups.len()).any(asks)
    }

    /// When it is asked once more.
    pub(super) fn asks_again_at(&self) -> Option<Time> {
        let again = |asked| asked + isolation::pace(self.peer.judged_by());
        self.asks_peer().then(|| self.asked.map_or(self.now, again))
    }

    /// How often it speaks: a peer that has not heard of a longer interval is spoken to at the one that it knows.
    fn interval(&self) -> Duration {
        match self.peer.state().is_heard() {
            true => self.peer.judged_by().min(self.setup.interval),
            false => self.setup.interval,
        }
    }

    pub(super) fn send(&mut self, heartbeat: Heartbeat, out: &mut Vec<Action>) {
        self.sequence = heartbeat.sequence;
        let setup = self.setup.clone();
        let decision = self
            .groups
            .iter()
            .any(|g| g.group.decided() == Some(self.sequence));
        self.peer.sent(self.now, self.sequence, decision, &setup);
        if self.now >= self.next_send {
            // A fixed rhythm that what is said between leaves alone, unless it was lost.
            let interval = self.interval();
            self.next_send = (self.next_send + interval).max(self.now + interval / 2);
        }
        self.reply_owed = false;
        self.asked = self.asks_peer().then_some(self.now);
        self.said = Some(heartbeat.clone());
        out.push(Action::Send(Box::new(heartbeat)));
    }

    pub(super) fn heartbeat(&self, goodbye: bool) -> Heartbeat {
        let (echo, challenges) = self.peer.echoes();
        let groups = 0..self.groups.len();
        Heartbeat {
            versions: VERSIONS,
            cluster: self.setup.cluster,
            nodes: self.setup.nodes,
            node: self.setup.me,
            incarnation: self.incarnation,
            sequence: self.sequence + 1,
            echo,
            heard_paths: self.peer.heard_paths(self.now),
            challenges,
            interval: self.setup.interval,
            misses: self.setup.misses,
            solicit: self.peer.is_new()
                || self.groups.iter().any(|g| g.group.decided().is_some())
                || (self.doubts() && self.doubt.woke().is_some())
                || self.asks_peer(),
            goodbye,
            fence_me: self.pleads(),
            fencing: self.fencing_report(),
            groups: groups
                .clone()
                .map(|g| {
                    let (it, cx) = (&self.groups[g], self.context(g));
                    let readiness = it.plan.readiness(&cx, &it.group);
                    let (failures, ordered) = (it.plan.fail_count(), it.plan.gave_by_order());
                    it.group.heartbeat(&cx, readiness, failures, ordered)
                })
                .collect(),
            listed: groups
                .flat_map(|g| self.groups[g].group.listed(&self.context(g)))
                .collect(),
            wishes: self.spoken_wishes(),
            vifs: self.vifs.report(),
            request: self.commands.request(),
            answer: self.commands.answer(),
            digest: self.setup.digest,
            software: self.software.clone(),
        }
    }

    /// Those about groups in the file: what is remembered of others is for the day on which they come back.
    fn spoken_wishes(&self) -> Vec<Wish> {
        let here = |wish: &&Wish| match wish.subject {
            WishSubject::Stopped(id) => self.groups.iter().any(|g| g.id() == id),
            WishSubject::Maintenance | WishSubject::Standby(_) => true,
        };
        self.wishes.all().iter().filter(here).copied().collect()
    }

    /// Answers out of turn keep a distance, so that two nodes that both wait do not flood each other.
    pub(super) fn reply_at(&self) -> Option<Time> {
        Some(self.replied? + self.peer.moment())
    }
}

/// A change worth saying before the next heartbeat is due.
fn differs(said: &Heartbeat, now: &Heartbeat) -> bool {
    let essence = |h: &Heartbeat| {
        (
            h.solicit,
            (h.goodbye, h.fence_me),
            h.groups.clone(),
            h.wishes.clone(),
            h.vifs.clone(),
            h.request,
            h.answer.clone(),
            h.interval,
        )
    };
    essence(said) != essence(now) || said.echo.incarnation != now.echo.incarnation
}
