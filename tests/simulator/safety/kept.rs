//! *What was acknowledged to an operator is kept until he takes it back*: by the node that said yes, over
//! restarts, cuts, reloads, a peer that is refused and one that knows nothing of it.
//!
//! Judged only where it is plain: not while an order to the contrary is under way at either node, nor by a
//! node whose disk lost something or could not be written.

use super::super::machine::Machine;
use ha_appliance::core::event::Command;
use ha_appliance::id::GroupId;
use ha_appliance::wire::heartbeat::Side;

/// What operators were told, and what they are about to be told.
#[derive(Debug, Default)]
pub struct Kept {
    /// Orders under way: at which node, by which number.
    ordered: Vec<(usize, u32, Order)>,
    /// Said yes to, by that node.
    promised: Vec<(usize, Subject)>,
}

type Order = (Subject, bool);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Maintenance,
    Standby(Side),
    Stopped(GroupId),
}

impl Kept {
    /// An operator gives an order at that node.
    pub fn ordered(&mut self, m: usize, number: u32, command: Command) {
        let order = match command {
            Command::Maintenance(on) => (Subject::Maintenance, on),
            Command::Standby(side, on) => (Subject::Standby(side), on),
            Command::Stopped(group, on) => (Subject::Stopped(group), on),
            _ => return,
        };
        self.ordered.push((m, number, order));
        if let (subject, false) = order {
            self.withdraw(subject);
        }
    }

    /// The node answers it.
    pub fn answered(&mut self, m: usize, number: u32, accepted: bool) {
        let known = |(node, of, _): &(usize, u32, Order)| (*node, *of) == (m, number);
        let Some(at) = self.ordered.iter().position(known) else {
            return;
        };
        match self.ordered.swap_remove(at).2 {
            (subject, false) => self.withdraw(subject),
            (subject, true) => {
                let contrary = |(.., order): &(usize, u32, Order)| *order == (subject, false);
                let known = self.promised.contains(&(m, subject));
                if accepted && !known && !self.ordered.iter().any(contrary) {
                    self.promised.push((m, subject));
                }
            }
        }
    }

    /// What was promised and is not so.
    pub fn broken(&self, machines: &[Machine; 2]) -> Option<String> {
        let broken = |(m, subject): &&(usize, Subject)| {
            let machine = &machines[*m];
            let sound = !machine.disk.forgot && !machine.disk.failed;
            let Some(node) = machine.node.as_ref().filter(|_| sound) else {
                return false;
            };
            let view = node.view();
            match subject {
                Subject::Maintenance => !view.maintenance,
                Subject::Standby(side) => !view.standby[*side as usize],
                Subject::Stopped(id) => view.groups.iter().any(|g| g.id == *id && !g.stopped),
            }
        };
        let (m, subject) = self.promised.iter().find(broken)?;
        Some(format!(
            "node {m} said yes to {subject:?}, which nobody took back, and keeps it no more"
        ))
    }

    /// Somebody takes it back; a yes that is still under way was to something else.
    fn withdraw(&mut self, subject: Subject) {
        self.promised.retain(|(_, of)| *of != subject);
        self.ordered.retain(|(.., order)| *order != (subject, true));
    }
}
