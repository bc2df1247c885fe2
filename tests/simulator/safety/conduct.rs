//! What a node may do at all, alone or not: nothing without the token and a right, nothing in
//! maintenance, no move while the peer is refused.

use super::super::machine::Machine;
use super::Safety;
use ha_appliance::core::event::{Action, Change, Report};
use ha_appliance::core::peer::PeerState;
use ha_appliance::core::reason::Reason;
use ha_appliance::id::Place;
use ha_appliance::wire::heartbeat::Role;

impl Safety {
    /// What is wrong with this action.
    pub(super) fn misconduct(
        &mut self,
        m: usize,
        machine: &Machine,
        action: &Action,
    ) -> Option<String> {
        match action {
            Action::Send(heartbeat) => self.advertises(m, machine, heartbeat),
            Action::Start(place, _) => may_start(machine, *place),
            Action::Stop(_) | Action::Cede(_) => may_touch(machine),
            Action::Renew { group, forever } => may_renew(machine, machine.group(*group), *forever),
            Action::Report(report) => may_move(machine, report),
            _ => None,
        }
    }
}

/// Either of them is in maintenance.
pub fn maintained(machines: &[Machine; 2]) -> bool {
    let mut nodes = machines.iter().filter_map(|m| m.node.as_ref());
    nodes.any(|n| n.view().maintenance)
}

fn may_touch(machine: &Machine) -> Option<String> {
    let view = machine.node.as_ref()?.view();
    view.maintenance
        .then(|| "something is started or stopped in maintenance".into())
}

fn may_start(machine: &Machine, place: Place) -> Option<String> {
    let (group, resource) = machine.find(place);
    let view = machine.node.as_ref()?.view();
    if view.maintenance {
        return may_touch(machine);
    }
    if !machine.catalogue[group].resources[resource].exclusive {
        return None;
    }
    let it = &view.groups[machine.place(group)?];
    let right = matches!(
        it.reason,
        Reason::Agreement
            | Reason::BestEffort
            | Reason::Fenced
            | Reason::Confirmed
            | Reason::PeerLeft
    ) || (it.reason == Reason::Kept && machine.setup.fencing.is_some());
    if it.token.holder != view.me {
        return Some(format!("group {group} is started without the token"));
    }
    (it.role != Role::Active && !right)
        .then(|| format!("group {group} is started without a right: {}", it.reason))
}

fn may_renew(machine: &Machine, group: usize, forever: bool) -> Option<String> {
    let view = machine.node.as_ref()?.view();
    let it = &view.groups[machine.place(group)?];
    let mine = it.token.holder == view.me || forever;
    (!mine || it.role == Role::Stopped)
        .then(|| format!("group {group} is renewed without the token"))
}

/// A refused peer is not a silent one: nothing is taken from it, and nothing given to it.
fn may_move(machine: &Machine, report: &Report) -> Option<String> {
    let node = machine.node.as_ref()?;
    // What was granted or weightier before may still be on its way to the disk.
    let follows = matches!(report.reason, Reason::Granted | Reason::HigherToken(_));
    let moves = matches!(report.change, Change::Token(_)) && !follows;
    (moves && node.peer_state() == PeerState::Refused).then(|| {
        format!(
            "a token moves although the peer is refused: {}",
            report.reason
        )
    })
}
