//! A daemon counts groups and resources as its configuration does; the machine as the catalogue does.
//! Events and actions are translated on their way.

use super::machine::Machine;
use ha_appliance::core::event::{Action, Claimed, Command, Event, Report};

/// In the daemon's count; None: it does not know what that is about.
pub fn to_daemon(machine: &Machine, event: Event) -> Option<Event> {
    let place = |group: usize| machine.place(group);
    Some(match event {
        Event::Claim {
            vif,
            subject: Claimed::Vip(group),
            mac,
        } => Event::Claim {
            vif,
            subject: Claimed::Vip(place(group)?),
            mac,
        },
        Event::Lost {
            group,
            resource,
            why,
        } => {
            let (group, resource) = machine.place_of(group, resource)?;
            Event::Lost {
                group,
                resource,
                why,
            }
        }
        Event::Appeared { group, resource } => {
            let (group, resource) = machine.place_of(group, resource)?;
            Event::Appeared { group, resource }
        }
        Event::Command { number, command } => {
            let command = match command {
                Command::Failover(Some(group)) => Command::Failover(Some(place(group)?)),
                Command::Clear(Some(group)) => Command::Clear(Some(place(group)?)),
                Command::Stopped(group, on) => Command::Stopped(place(group)?, on),
                other => other,
            };
            Event::Command { number, command }
        }
        other => other,
    })
}

/// In the catalogue's count.
pub fn from_daemon(machine: &Machine, mut action: Action) -> Action {
    match &mut action {
        Action::Look {
            group, resource, ..
        }
        | Action::Start {
            group, resource, ..
        }
        | Action::Stop {
            group, resource, ..
        }
        | Action::Cede {
            group, resource, ..
        } => (*group, *resource) = resource_of(machine, *group, *resource),
        Action::Renew { group, .. } | Action::Announce { group } | Action::Probe { group } => {
            *group = group_of(machine, *group)
        }
        Action::Report(Report {
            group: Some(group), ..
        }) => *group = group_of(machine, *group),
        _ => {}
    }
    action
}

fn group_of(machine: &Machine, group: usize) -> usize {
    let name = machine.setup.groups[group].name;
    let mut all = machine.catalogue.iter();
    all.position(|g| g.name == name).expect("in the catalogue")
}

fn resource_of(machine: &Machine, group: usize, resource: usize) -> (usize, usize) {
    let name = machine.setup.groups[group].resources[resource].name;
    let group = group_of(machine, group);
    let mut all = machine.catalogue[group].resources.iter();
    let resource = all.position(|r| r.name == name);
    (group, resource.expect("in the catalogue"))
}
