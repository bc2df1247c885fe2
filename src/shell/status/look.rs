//! What a look at a group's resources finds.

use super::build::{Facts, place};
use crate::core::view::{GroupView, ResourceState, ResourceView};
use crate::wire::heartbeat::Role;

/// How a look finds a resource of a group that is to run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// As it should be.
    Well,
    /// It was not looked at; or it need not run here.
    NotKnown,
    /// This is wrong.
    Amiss(String),
}

impl Facts<'_> {
    /// How a look finds its resources.
    pub fn looks<'a>(&'a self, group: &'a GroupView) -> impl Iterator<Item = (String, Look)> {
        group.resources.iter().map(move |resource| {
            let name = self.names.resource(Some(group.id), resource.id);
            (name, look(self, group, resource))
        })
    }
}

fn look(facts: &Facts, group: &GroupView, resource: &ResourceView) -> Look {
    if !runs_here(group) {
        return Look::NotKnown;
    }
    if let Some(what) = amiss(facts, group, resource) {
        return Look::Amiss(what);
    }
    let well = match facts.services.get(&place(group, resource)) {
        Some(view) => view.runs == Some(true) && (view.check.is_some() || !view.has_check),
        // In maintenance it is looked at beside the core.
        None => facts.view.maintenance || resource.state == ResourceState::Running,
    };
    match well {
        true => Look::Well,
        false => Look::NotKnown,
    }
}

/// It is to run here, or does.
pub(super) fn runs_here(group: &GroupView) -> bool {
    group.role == Role::Active || group.adopted
}

/// What a look finds amiss with a resource of a group that is to run here.
pub(super) fn amiss(facts: &Facts, group: &GroupView, resource: &ResourceView) -> Option<String> {
    if !runs_here(group) {
        return None;
    }
    let place = place(group, resource);
    if let Some(found) = facts.amiss.get(&place) {
        return Some(found.clone());
    }
    let view = facts.services.get(&place)?;
    if view.runs == Some(false) {
        return Some(view.state.clone());
    }
    let check = view.check.as_ref()?;
    let error = check.error.as_ref()?;
    Some(format!("its check fails: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, VIPS, nginx_place};
    use super::*;

    fn looks(sample: &Sample) -> Vec<Look> {
        let facts = sample.facts();
        let looks = facts.looks(&sample.view.groups[0]);
        looks.map(|(_, look)| look).collect()
    }

    #[test]
    fn well_is_what_was_looked_at() {
        assert_eq!(looks(&Sample::default()), [Look::Well, Look::Well]);
        let mut sample = Sample::default();
        sample.view.groups[0].resources[0].state = ResourceState::Unknown;
        let nginx = sample.services.get_mut(&nginx_place()).unwrap();
        nginx.check = None; // begun anew, and not asked yet
        assert_eq!(looks(&sample), [Look::NotKnown, Look::NotKnown]);
        let nginx = sample.services.get_mut(&nginx_place()).unwrap();
        (nginx.has_check, nginx.runs) = (false, None);
        assert_eq!(looks(&sample)[1], Look::NotKnown);
        let nginx = sample.services.get_mut(&nginx_place()).unwrap();
        nginx.runs = Some(true);
        assert_eq!(looks(&sample)[1], Look::Well);
        // In maintenance the core does not look, and somebody else does.
        sample.view.maintenance = true;
        assert_eq!(looks(&sample), [Look::Well, Look::Well]);
    }

    #[test]
    fn what_need_not_run_here_is_neither_well_nor_amiss() {
        let mut sample = Sample::default();
        sample.view.groups[0].role = Role::Stopped;
        sample.services.get_mut(&nginx_place()).unwrap().runs = Some(false);
        assert_eq!(looks(&sample), [Look::NotKnown, Look::NotKnown]);
        sample.view.groups[0].adopted = true;
        let place = crate::id::Place {
            resource: VIPS,
            ..nginx_place()
        };
        sample.amiss.insert(place, "it is not on eth0".into());
        assert_eq!(
            looks(&sample),
            [
                Look::Amiss("it is not on eth0".into()),
                Look::Amiss("active (running)".into())
            ]
        );
    }
}
