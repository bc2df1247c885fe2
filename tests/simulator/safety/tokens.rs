//! Tokens: of the minter's own parity, of one meaning per epoch, on disk before they are advertised, and
//! never shrinking on a node that forgot nothing.

use super::super::machine::Machine;
use super::Safety;
use ha_appliance::id::GroupId;
use ha_appliance::wire::heartbeat::{GroupReport, Heartbeat, Side, Token};
use std::collections::BTreeMap;

/// What was ever said about tokens.
#[derive(Debug, Default)]
pub struct Tokens {
    /// As last advertised, per group.
    said: BTreeMap<GroupId, [Option<Token>; 2]>,
    /// The holder that each epoch means, per group.
    meanings: BTreeMap<GroupId, BTreeMap<u64, Side>>,
    /// It said that it cannot write, once.
    unwritable: [bool; 2],
    /// A disk lost what it had once taken, or could not take what was advertised: equal epochs may
    /// differ from then on.
    forgot: bool,
}

impl Tokens {
    /// A daemon started.
    pub fn started(&mut self, m: usize, machine: &Machine) {
        if machine.disk.forgot || self.unwritable[m] {
            self.forgot = true;
            self.said.values_mut().for_each(|t| t[m] = None);
        }
    }

    /// A node was told to forget a group.
    pub fn forgets(&mut self, m: usize, id: GroupId) {
        self.forgot = true;
        if let Some(said) = self.said.get_mut(&id) {
            said[m] = None;
        }
    }

    /// Whose token gives way.
    pub fn loser(&self, id: GroupId) -> usize {
        match self.said.get(&id).copied().unwrap_or_default() {
            [Some(a), Some(b)] if a.epoch != b.epoch => usize::from(a.epoch > b.epoch),
            [Some(a), Some(b)] if a.holder == b.holder => a.holder.other() as usize,
            [Some(_), None] => 1,
            [None, Some(_)] => 0,
            _ => 1,
        }
    }
}

impl Safety {
    pub(super) fn advertises(
        &mut self,
        m: usize,
        machine: &Machine,
        heartbeat: &Heartbeat,
    ) -> Option<String> {
        let it = &mut self.tokens;
        for report in &heartbeat.groups {
            let GroupReport { id, token, .. } = *report;
            let saved = machine.disk.record.group(id);
            let durable = saved.map_or(0, |saved| saved.token.epoch);
            let before = it.said.entry(id).or_default()[m].replace(token);
            if (token.epoch > durable || before != Some(token)) && !it.unwritable[m] {
                let view = machine.node.as_ref().map(|n| n.view());
                it.unwritable[m] = view.is_some_and(|v| v.state_unwritable.is_some());
            }
            if token.epoch > durable && !it.unwritable[m] {
                return Some(format!(
                    "token {token} is advertised, the disk has epoch {durable}"
                ));
            }
            let shrinks = before.is_some_and(|b| b.epoch > token.epoch);
            if shrinks && !it.unwritable[m] && !it.forgot {
                return Some(format!("the token went back to {token}"));
            }
            if token.epoch == 0 {
                continue;
            }
            let meanings = it.meanings.entry(id).or_default();
            match meanings.get(&token.epoch) {
                None if token.epoch % 2 != m as u64 && !it.forgot => {
                    return Some(format!("token {token} has the other node's parity"));
                }
                None => drop(meanings.insert(token.epoch, token.holder)),
                Some(holder) if *holder != token.holder && !it.forgot => {
                    return Some(format!(
                        "token {token} was minted before for the other node"
                    ));
                }
                Some(_) => {}
            }
        }
        None
    }
}
