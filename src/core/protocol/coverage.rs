//! What of a group a right covers.
//!
//! Agreement and a goodbye are a word about the peer's own list of the group: "nothing of it runs here". What
//! that list lacks, or has in another group, was not looked at, and may run there by another right. So where
//! the two lists differ each node tells the other its own, and what the peer does not list in this very group is
//! *held back*, with what is new and follows it in file order; the rest runs. (A hash alone would let no group
//! start between the two reloads of a pair.) A peer that is off runs nothing whatever its list. Evidence against a
//! silent one, and a lease, are about the group: they do not cover what the peer may have in another.
//!
//! What was once covered stays so while the group runs: it is renewed and restarted. What a reload adds is
//! not, and the right to it is sought while the rest runs on.

use super::super::context::Context;
use super::super::setup::{GroupSetup, Setup};
use super::group::{Group, State};
use super::resource::Resource;
use super::right::Right;
use crate::id::{GroupId, ResourceId};
use crate::wire::heartbeat::{Heartbeat, Listed};

/// What the peer lists, as far as it was heard last, by this daemon or one before it: of each group that it reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lists(pub Vec<List>);

/// Of one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct List {
    /// Which.
    pub group: GroupId,
    /// The hash of its exclusive resources ([`hash_of`]).
    pub hash: u64,
    /// Those that are known, in order: all of them where it is this node's list as well. None: it was not told of.
    pub known: Option<Vec<ResourceId>>,
}

/// More than any file has in one group.
const LONGEST: usize = 256;

impl Lists {
    /// A heartbeat of the peer may say more of them, or that they changed.
    pub fn hear(&mut self, heartbeat: &Heartbeat, setup: &Setup) {
        let mut before = std::mem::take(&mut self.0);
        for report in &heartbeat.groups {
            let same = |list: &List| (list.group, list.hash) == (report.id, report.list);
            let known = before.iter_mut().find(|list| same(list));
            let ours = setup.groups.iter().find(|g| g.id == report.id);
            // It is known when this node's file is another.
            let ours = ours.filter(|g| g.list() == report.list);
            self.0.push(List {
                group: report.id,
                hash: report.list,
                known: known
                    .and_then(|list| list.known.take())
                    .or_else(|| ours.map(GroupSetup::sorted)),
            });
        }
        for entry in &heartbeat.listed {
            let Some(list) = self.0.iter_mut().find(|list| list.group == entry.group) else {
                continue;
            };
            let known = list.known.get_or_insert_default();
            if let (Err(place), true) =
                (known.binary_search(&entry.resource), known.len() < LONGEST)
            {
                known.insert(place, entry.resource);
            }
        }
    }

    /// Some other group may have it there, as far as this node's own file tells.
    fn may_be_elsewhere(&self, cx: &Context, group: GroupId, resource: ResourceId) -> bool {
        self.0
            .iter()
            .filter(|list| list.group != group)
            .any(|list| {
                let ours = cx.node.groups.iter().find(|g| g.id == list.group);
                let same = ours.is_some_and(|g| g.list() == list.hash);
                !same && (!list.is_told() || list.has(resource))
            })
    }

    /// The list of that group is known to have it.
    fn has(&self, group: GroupId, hash: u64, resource: ResourceId) -> bool {
        let mut lists = self.0.iter();
        lists.any(|list| (list.group, list.hash) == (group, hash) && list.has(resource))
    }
}

impl List {
    /// All of it is known; of one without exclusive resources there is nothing to know.
    fn is_told(&self) -> bool {
        hash_of(self.known.iter().flatten().copied()) == self.hash
    }

    fn has(&self, resource: ResourceId) -> bool {
        let known = self.known.as_ref();
        known.is_some_and(|known| known.binary_search(&resource).is_ok())
    }
}

/// The hash of a list, whatever its order.
pub fn hash_of(list: impl Iterator<Item = ResourceId>) -> u64 {
    list.fold(0, |sum: u64, id| sum.wrapping_add(mixed(id.0)))
}

impl GroupSetup {
    /// The hash of its exclusive resources.
    pub fn list(&self) -> u64 {
        hash_of(self.exclusive())
    }

    fn sorted(&self) -> Vec<ResourceId> {
        let mut list: Vec<ResourceId> = self.exclusive().collect();
        list.sort_unstable();
        list
    }

    fn exclusive(&self) -> impl Iterator<Item = ResourceId> {
        self.resources.iter().filter(|r| r.exclusive).map(|r| r.id)
    }
}

impl Group {
    /// The hash of its exclusive resources.
    pub fn list(&self) -> u64 {
        hash_of(self.exclusive().map(|r| r.id))
    }

    /// The list itself, if the peer's differs, or lacks the group: it has to know which resources of its own are
    /// here in no other.
    pub fn listed(&self, cx: &Context) -> Vec<Listed> {
        if cx.peer.latest().is_none() || self.same_list(cx) {
            return Vec::new();
        }
        self.exclusive()
            .map(|r| Listed {
                group: self.id,
                resource: r.id,
            })
            .collect()
    }

    /// The peer's latest word is about the same resources.
    pub fn same_list(&self, cx: &Context) -> bool {
        let theirs = cx.peer.group(self.id);
        theirs.is_some_and(|report| report.list == self.list())
    }

    /// The peer's latest word is about these resources, and maybe more.
    pub fn listed_there(&self, cx: &Context) -> bool {
        let mut exclusive = self.exclusive();
        exclusive.all(|r| self.has_there(cx, r.id))
    }

    /// The first that the right does not cover by which the group runs.
    pub fn held_back(&self) -> Option<ResourceId> {
        self.exclusive().find(|r| !r.covered).map(|r| r.id)
    }

    /// With the peer's agreement nothing of it would run here, its first resource being held back.
    pub fn wholly_held_back(&self, cx: &Context) -> Option<ResourceId> {
        let idle = matches!(self.state, State::Stopped { .. });
        let agrees = cx.peer_alive() && cx.report().is_some();
        let held_back = idle && agrees && !self.agreement_would_cover(cx);
        self.held_back().filter(|_| held_back)
    }

    /// Something is held back that the peer, were it to agree, would not hold back.
    pub(super) fn could_extend(&self, cx: &Context) -> bool {
        self.held_back().is_some() && (!cx.peer_heard() || self.agreement_would_cover(cx))
    }

    /// Agreement, whatever it echoes, would cover something.
    pub(super) fn agreement_would_cover(&self, cx: &Context) -> bool {
        self.would_cover(cx, Right::Agreement { echo: 0 })
    }

    /// That right covers more than was covered, or there is nothing to cover.
    pub(super) fn would_cover(&self, cx: &Context, right: Right) -> bool {
        self.exclusive().next().is_none() || self.gains_anything(cx, right)
    }

    /// That right covers something that was not covered.
    pub(super) fn gains_anything(&self, cx: &Context, right: Right) -> bool {
        self.gains(cx, right).next().is_some()
    }

    /// That right holds nothing of it back.
    pub(super) fn covers_all(&self, cx: &Context, right: Right) -> bool {
        self.exclusive().all(|r| self.allows(cx, right, r.id))
    }

    /// Covers what that right covers.
    pub(super) fn cover(&mut self, cx: &Context, right: Right) {
        let gains: Vec<usize> = self.gains(cx, right).collect();
        gains
            .into_iter()
            .for_each(|r| self.resources[r].covered = true);
    }

    /// What was found running runs by right.
    pub(super) fn cover_found(&mut self) {
        self.resources
            .iter_mut()
            .for_each(|r| r.covered = r.present);
    }

    /// Of its exclusive resources those, sorted.
    pub(super) fn listing(&self, of: impl Fn(&Resource) -> bool) -> Vec<ResourceId> {
        let mut list: Vec<ResourceId> = self.exclusive().filter(|r| of(r)).map(|r| r.id).collect();
        list.sort_unstable();
        list
    }

    /// This boot had the right to it, by the token that is this node's still, and gave it to nobody.
    pub(super) fn had(&self, resource: ResourceId) -> bool {
        let mark = self.mark.as_ref();
        mark.is_some_and(|m| m.epoch == self.token.epoch && m.covered.contains(&resource))
    }

    /// Nothing of it does.
    pub(super) fn uncover(&mut self) {
        self.resources.iter_mut().for_each(|r| r.covered = false);
    }

    fn exclusive(&self) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(|r| r.exclusive())
    }

    /// What that right covers and was not covered: nothing new after what it does not, but what was found
    /// running is not started by it, and what this boot had ran without what it does not cover.
    fn gains(&self, cx: &Context, right: Right) -> impl Iterator<Item = usize> {
        let found = matches!(self.state, State::Adopted { .. });
        let kept = right == Right::Kept;
        let mut in_order = true;
        let exclusive = |(_, r): &(usize, &Resource)| r.exclusive() && !r.covered;
        let open = self.resources.iter().enumerate().filter(exclusive);
        open.filter(move |(_, r)| {
            let allowed = self.allows(cx, right, r.id);
            in_order &= allowed;
            allowed && (in_order || kept || (found && r.present && !r.partial))
        })
        .map(|(place, _)| place)
    }

    fn has_there(&self, cx: &Context, resource: ResourceId) -> bool {
        let lists = cx.peer.lists();
        cx.report().is_some_and(|report| {
            report.list == self.list() || lists.has(report.id, report.list, resource)
        })
    }

    fn allows(&self, cx: &Context, right: Right, resource: ResourceId) -> bool {
        match right {
            Right::Agreement { .. } | Right::Left => self.has_there(cx, resource),
            Right::Lease { .. } | Right::BestEffort { .. } => {
                let lists = cx.peer.lists();
                !lists.may_be_elsewhere(cx, self.id, resource)
            }
            Right::Kept => self.had(resource),
            Right::Fenced { .. } | Right::Resumed { .. } => true,
        }
    }
}

/// Spreads a number over all bits, so that sums of such numbers tell sets apart (the last step of SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(list: &[u64]) -> u64 {
        hash_of(list.iter().map(|id| ResourceId(*id)))
    }

    #[test]
    fn a_lists_hash_tells_sets_apart_and_not_their_order() {
        assert_eq!(hash(&[1, 2, 3]), hash(&[3, 1, 2]));
        // Sums of the numbers themselves would be the same.
        for (one, other) in [
            (&[1, 4], &[2, 3]),
            (&[1, 2], &[0, 3]),
            (&[1 << 63, 1], &[0, (1 << 63) + 1]),
        ] {
            assert_ne!(hash(one), hash(other), "{one:?} {other:?}");
        }
        assert_ne!(hash(&[1]), hash(&[1, 1]));
    }

    /// Both nodes must come to the same number, whichever version of this program they run.
    #[test]
    fn a_lists_hash_stays_the_same_from_version_to_version() {
        assert_eq!(hash(&[]), 0);
        assert_eq!(hash(&[1]), 0x5692_161d_100b_05e5);
        assert_eq!(hash(&[0x0123_4567_89ab_cdef]), 0xb2c0_58e4_ebb5_112c);
    }
}
