//! What speaks for the peer's life without being a heartbeat that is believed: what an operator must not
//! overlook who says that it is off. Nothing else is decided by it.

use super::*;
use crate::wire::heartbeat::Role;

/// The latest of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Signs {
    latest: Vec<Sign>,
    /// Who else claimed a VIP of a group that runs here: neither this node nor the peer.
    rivals: Vec<Rival>,
}

/// Another machine that has a VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rival {
    /// Of this group.
    pub group: GroupId,
    /// When it claimed it last.
    pub at: Time,
    /// Its hardware address.
    pub mac: [u8; 6],
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sign {
    /// When it came last.
    pub at: Time,
    /// What it is.
    pub kind: SignKind,
}

/// What speaks for its life.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SignKind {
    /// Authentic heartbeats that do not echo what this daemon sent: of a peer that does not hear this node, or
    /// replayed. With what they say of each group.
    Unproven(Vec<(GroupId, Role)>),
    /// Its hardware address answered for an address on this interface: of a group, or its own.
    Answered(VifId, Option<GroupId>, [u8; 6]),
    /// Its kernel answers a heartbeat that nobody listens on that port (ICMP port unreachable): its daemon is not
    /// there, and it has power.
    Unlistening,
}

/// So long a sign speaks for its life.
pub const SIGN_LASTS: Duration = Duration::from_secs(10);
/// So long a rival is remembered: one that only answers is seldom seen.
const RIVAL_LASTS: Duration = Duration::from_secs(300);
/// More interfaces and groups than there can be.
const MOST: usize = 256;

impl Signs {
    /// A heartbeat came that proves nothing.
    pub fn unproven(&mut self, now: Time, heartbeat: &Heartbeat) {
        let roles = heartbeat
            .groups
            .iter()
            .map(|report| (report.id, report.role));
        let kind = SignKind::Unproven(roles.collect());
        self.latest
            .retain(|sign| !matches!(sign.kind, SignKind::Unproven(_)));
        self.latest.push(Sign { at: now, kind });
    }

    /// The peer's hardware address answered for an address.
    pub fn answered(&mut self, now: Time, vif: VifId, subject: Claimed, mac: [u8; 6]) {
        let group = match subject {
            Claimed::Vip(group) => Some(group),
            Claimed::PeerAddress | Claimed::PeerLink => None,
        };
        let kind = SignKind::Answered(vif, group, mac);
        self.latest.retain(|sign| sign.kind != kind);
        if self.latest.len() < MOST {
            self.latest.push(Sign { at: now, kind });
        }
    }

    /// Its kernel answered that nobody listens there.
    pub fn unlistening(&mut self, now: Time) {
        let kind = SignKind::Unlistening;
        self.latest.retain(|sign| sign.kind != kind);
        self.latest.push(Sign { at: now, kind });
    }

    /// Another machine claimed a VIP of that group.
    pub fn claimed(&mut self, now: Time, group: GroupId, mac: [u8; 6]) {
        self.rivals.retain(|rival| rival.group != group);
        self.rivals.push(Rival {
            group,
            at: now,
            mac,
        });
    }

    /// Who claimed one lately.
    pub fn rival(&self, now: Time, group: GroupId) -> Option<Rival> {
        let mut rivals = self.rivals.iter().copied();
        rivals.find(|r| r.group == group && now.since(r.at) <= RIVAL_LASTS)
    }

    /// Those that still count, of what came after that moment.
    pub fn since(&self, now: Time, began: Time) -> Vec<Sign> {
        let counts = |sign: &&Sign| sign.at > began && now.since(sign.at) <= SIGN_LASTS;
        self.latest.iter().filter(counts).cloned().collect()
    }

    /// When the peer's hardware address last answered for a VIP of the group.
    pub fn answered_for(&self, group: GroupId) -> Option<Time> {
        let of =
            |sign: &&Sign| matches!(sign.kind, SignKind::Answered(_, Some(of), _) if of == group);
        self.latest.iter().filter(of).map(|sign| sign.at).max()
    }

    /// When a heartbeat last came that does not show that the peer hears this node.
    pub fn spoke_at(&self) -> Option<Time> {
        let spoke = |sign: &&Sign| matches!(sign.kind, SignKind::Unproven(_));
        self.latest.iter().find(spoke).map(|sign| sign.at)
    }

    /// It said that the group runs there.
    pub fn claims(&self, group: GroupId) -> bool {
        let runs = |sign: &Sign| match &sign.kind {
            SignKind::Unproven(roles) => roles.contains(&(group, Role::Active)),
            SignKind::Answered(..) | SignKind::Unlistening => false,
        };
        self.latest.iter().any(runs)
    }

    pub(super) fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.latest.iter_mut().for_each(|sign| f(&mut sign.at));
        self.rivals.iter_mut().for_each(|rival| f(&mut rival.at));
    }

    /// Forgets everything, for a search.
    pub(super) fn forget(&mut self) {
        self.latest.clear();
        self.rivals.clear();
    }
}

impl Node {
    /// What speaks for the life of a peer that is not heard, or not believed.
    pub fn signs_of_life(&self) -> Vec<Sign> {
        let began = match self.peer.state() {
            PeerState::Alive | PeerState::OneWay | PeerState::Refused => return Vec::new(),
            PeerState::Silent => self.peer.contact().unwrap_or(self.started),
            PeerState::Unknown => self.started,
            PeerState::Left | PeerState::Fenced => self.peer.why().1,
        };
        self.signs.since(self.now, began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time(0) + Duration::from_secs(seconds)
    }

    #[test]
    fn another_machine_that_has_a_vip_is_remembered_for_a_while() {
        let (mut signs, web) = (Signs::default(), GroupId::of("web"));
        signs.claimed(at(1), web, [1; 6]);
        signs.claimed(at(2), web, [2; 6]);
        let latest = Rival {
            group: web,
            at: at(2),
            mac: [2; 6],
        };
        assert_eq!(signs.rival(at(302), web), Some(latest));
        assert_eq!(signs.rival(at(303), web), None);
        assert_eq!(signs.rival(at(3), GroupId::of("db")), None);
    }

    #[test]
    fn the_latest_of_a_kind_counts_for_ten_seconds() {
        let mut signs = Signs::default();
        let (eth0, web) = (VifId(1), GroupId::of("web"));
        signs.answered(at(1), eth0, Claimed::PeerAddress, [1; 6]);
        signs.answered(at(2), eth0, Claimed::Vip(web), [1; 6]);
        signs.answered(at(5), eth0, Claimed::PeerAddress, [1; 6]);
        let kinds = |now, began| -> Vec<_> {
            let signs = signs.since(at(now), at(began));
            signs.into_iter().map(|sign| (sign.at, sign.kind)).collect()
        };
        let vip = (at(2), SignKind::Answered(eth0, Some(web), [1; 6]));
        let own = (at(5), SignKind::Answered(eth0, None, [1; 6]));
        assert_eq!(kinds(6, 0), [vip.clone(), own.clone()]);
        assert_eq!(kinds(12, 0), [vip, own.clone()]);
        assert_eq!(kinds(13, 0), [own]);
        assert_eq!(kinds(16, 0), []);
        assert_eq!(kinds(6, 5), [], "what came before the silence says nothing");
        signs.unlistening(at(20));
        signs.unlistening(at(25));
        let signs = signs.since(at(30), at(7));
        assert_eq!(signs.len(), 1);
        assert_eq!(
            signs[0].words(at(30), "lb1"),
            "its machine answered 5.0 s ago that nobody listens on the heartbeat's port"
        );
    }
}
