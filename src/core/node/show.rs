//! A node as people and searches want to see it.

use super::*;
use crate::wire::heartbeat::{Role, Token};

impl Node {
    /// What a person wants to see.
    pub fn view(&self) -> crate::core::view::View {
        let (reason, since) = self.peer.why();
        let heard = self.peer.state().is_heard();
        let latest = self.peer.latest();
        let in_time = self.peer.detection_time();
        let paths = 0..self.setup.links.max(8);
        crate::core::view::View {
            me: self.setup.me,
            peer: crate::core::view::PeerView {
                state: self.peer.state(),
                since,
                reason: reason.clone(),
                last_heard: self.peer.last_heard(),
                detection: in_time,
                paths: paths
                    .map(|path| crate::core::view::PathView {
                        heard: self.peer.heard_on(path),
                        in_ok: self
                            .peer
                            .heard_on(path)
                            .is_some_and(|at| self.now.since(at) < in_time),
                        out_ok: latest
                            .filter(|_| heard && path < 8)
                            .map(|h| h.heard_paths & (1 << path) != 0),
                    })
                    .collect(),
                software: latest.map_or_else(String::new, |h| h.software.clone()),
                drift: latest.is_some_and(|h| h.digest != self.setup.digest),
                signs: self.signs_of_life(),
                waited_for: (self.start_wait_ends())
                    .filter(|end| self.peer.state() == PeerState::Unknown && self.now < *end),
            },
            maintenance: self.wishes.is_on(WishSubject::Maintenance),
            standby: [Side::First, Side::Second]
                .map(|side| self.wishes.is_on(WishSubject::Standby(side))),
            leaving: self.leaving.is_some(),
            state_unwritable: self.memory.failure().map(String::from),
            gateways: self
                .vifs
                .gateways()
                .map(|g| crate::core::view::GatewayView {
                    id: g.id,
                    state: g.state,
                    since: g.since,
                })
                .collect(),
            vifs: (self.vifs.all().iter())
                .map(|v| crate::core::view::VifView {
                    id: v.id,
                    carrier: v.carrier == Some(true),
                    probe_proven: v.peer.proven,
                })
                .collect(),
            groups: (0..self.groups.len())
                .map(|g| crate::core::view::GroupView {
                    answered_by_peer: self.signs.answered_for(self.groups[g].id()),
                    rival: self.signs.rival(self.now, self.groups[g].id()),
                    ..self.groups[g].view(&self.context(g))
                })
                .collect(),
        }
    }

    /// Where a group stands here, and its token.
    pub fn stands(&self, group: GroupId) -> Option<(Role, Token)> {
        let group = self.groups.iter().find(|g| g.id() == group)?;
        Some((group.role(), group.token()))
    }

    /// Calls `f` with every point in time stored here, so that a search can shift them and forget
    /// what is only shown.
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        for time in [
            &mut self.now,
            &mut self.ticked,
            &mut self.started,
            &mut self.next_send,
            &mut self.prove_at,
        ] {
            f(time);
        }
        let known = [
            &mut self.link_up,
            &mut self.leaving,
            &mut self.replied,
            &mut self.asked,
        ];
        known.into_iter().flatten().for_each(&mut *f);
        self.peer.times(f);
        self.signs.times(f);
        self.vifs.times(f);
        self.memory.times(f);
        self.commands.times(f);
        self.groups.iter_mut().for_each(|g| g.times(f));
    }
}
