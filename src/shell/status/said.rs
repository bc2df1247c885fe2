//! What one node tells the other of its groups, and how that is read on the other's clock.

use super::{Failed, Group, Pending, Resource, Said, sentence};
use crate::core::reason::{Fact, Reason};

impl Said {
    /// What this node tells of a group.
    pub fn of(group: &Group) -> Said {
        let amiss = group.resources.iter().filter_map(|resource| {
            let notice = || resource.service.as_ref()?.notice.as_ref();
            let frozen = notice().filter(|_| resource.is_frozen());
            let amiss = resource.amiss.as_ref().or(frozen)?;
            Some(format!("{}: {amiss}", resource.name))
        });
        Said {
            group: group.name.clone(),
            role: group.role.clone(),
            since_us: group.since_us,
            reason: group.why().to_owned(),
            facts: group.facts.clone(),
            unwritable: group.facts.contains(&Fact::StateUnwritable.to_string()),
            waiting: group.waiting.clone(),
            retry_us: group.retry_us,
            amiss: amiss.collect(),
            pending: group.pending().collect(),
            failures: group.failures().collect(),
            both_ran: group.both_ran.clone(),
            both_ran_us: group.both_ran_us,
        }
    }

    /// The same with its stamps as those of another boot, which is so much further on.
    pub fn shifted(mut self, by_us: i64) -> Said {
        let shift = |stamp: &mut i64| *stamp = stamp.saturating_add(by_us);
        shift(&mut self.since_us);
        self.retry_us.iter_mut().for_each(shift);
        self.both_ran_us.iter_mut().for_each(shift);
        for pending in &mut self.pending {
            shift(&mut pending.until_us);
        }
        for failed in &mut self.failures {
            failed.at_us.iter_mut().for_each(shift);
            failed.until_us.iter_mut().for_each(shift);
        }
        self
    }
}

impl Resource {
    /// DRBD lets nothing be written to it.
    pub(crate) fn is_frozen(&self) -> bool {
        let notice = self.service.as_ref().and_then(|s| s.notice.as_ref());
        notice.is_some_and(|notice| notice.starts_with(sentence::FROZEN))
    }
}

impl Group {
    /// Why it stands where it stands: of one that runs, what brought it here, unless more is to be said.
    pub fn why(&self) -> &str {
        // That it runs on over a restart of the daemon is no reason why it is here.
        let plain = [Reason::Complete, Reason::Resumed].map(|reason| reason.to_string());
        let came_by = self
            .came_by
            .as_ref()
            .filter(|_| plain.contains(&self.reason));
        came_by.unwrap_or(&self.reason)
    }

    /// It runs here, and none of its networks is live: it serves nobody.
    pub(super) fn vain(&self) -> bool {
        let here = self.role == "active" || self.adopted;
        here && self.readiness == "unable" && self.facts.iter().any(|fact| sentence::is_dark(fact))
    }

    /// The same of the peer, by its word.
    pub(super) fn vain_there(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| {
            let mut facts = peer.says.iter().flat_map(|says| &says.facts);
            let dark = facts.any(|fact| sentence::is_dark(fact));
            peer.role == "active" && peer.readiness == "unable" && dark
        })
    }

    /// What is under way on this node.
    pub fn pending(&self) -> impl Iterator<Item = Pending> + '_ {
        self.resources.iter().filter_map(|resource| {
            Some(Pending {
                resource: resource.name.clone(),
                state: resource.state.clone(),
                until_us: resource.until_us?,
            })
        })
    }

    /// What failed on this node and still counts.
    pub fn failures(&self) -> impl Iterator<Item = Failed> + '_ {
        let failed = self.resources.iter().filter(|r| r.fail_count > 0);
        failed.map(|resource| Failed {
            resource: resource.name.clone(),
            count: resource.fail_count,
            text: resource.failure.clone(),
            at_us: resource.failed_us,
            until_us: resource.forgotten_us,
        })
    }
}
