//! The properties, each with the sentence of the design that it checks.

use super::moves::Rules;
use super::world::{SIDES, Seat, Seen, World};
use ha_appliance::core::Node;
use ha_appliance::core::event::{Action, Event};
use ha_appliance::core::peer::PeerState;
use ha_appliance::wire::heartbeat::{Side, Token};
use std::fmt;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    NeverBoth,
    StartedByRight,
    RenewedByRight,
    Persisted,
    OwnParity,
    OneHolder,
    StoppedBeforeGrant,
    ProvenStopped,
    EpochsGrow,
    OneActive,
}

/// A property that does not hold, and how.
#[derive(Clone, Debug)]
pub struct Broken {
    pub property: Property,
    pub how: String,
}

impl Property {
    pub const ALL: [Property; 10] = [
        Property::NeverBoth,
        Property::StartedByRight,
        Property::RenewedByRight,
        Property::Persisted,
        Property::OwnParity,
        Property::OneHolder,
        Property::StoppedBeforeGrant,
        Property::ProvenStopped,
        Property::EpochsGrow,
        Property::OneActive,
    ];

    /// The design's words.
    pub fn sentence(self) -> &'static str {
        match self {
            Property::NeverBoth => {
                "keeps a group of resources running on exactly one of them (§1; given truthful clearance; in an overlapped move both have an address only until the kernel's deadline for the old side's)"
            }
            Property::StartedByRight => {
                "A holder starts only in agreement or with clearance against its peer. (§7)"
            }
            Property::RenewedByRight => {
                "A node starts a resource of a group, or renews a VIP's lifetime, only while it holds the token (§7); in a planned move the holder stops renewing, announcing and putting back before it grants"
            }
            Property::Persisted => {
                "persisted (fsync) before it is advertised or acted on (§7; if persisting fails, a grant is advertised all the same)"
            }
            Property::OwnParity => {
                "A node mints only epochs of its own parity (first node even, second odd) (§7)"
            }
            Property::OneHolder => "equal epochs mean the same token (§7; while no state is lost)",
            Property::StoppedBeforeGrant => {
                "the holder, everything of the group stopped and that checked, mints a higher epoch for its peer; the loser stops, and only then adopts and advertises the winner's (§7)"
            }
            Property::ProvenStopped => {
                "this incarnation of the peer has looked at every exclusive resource of the group and found it stopped (in an overlapped move: nothing is left but VIPs that the kernel ends by a deadline) (§7)"
            }
            Property::EpochsGrow => {
                "The higher epoch wins (§7): what a node advertises never falls, over restarts that keep its state"
            }
            Property::OneActive => {
                "exactly one of two nodes (§1): when faults end, one node runs the group, both agree on the token, and it stays so"
            }
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}: {}\n  the design says: {}",
            self.property,
            self.how,
            self.property.sentence()
        )
    }
}

impl Rules {
    /// The property does not hold; while a deliberate defect is at work, only what it must break counts.
    pub fn broken(&self, property: Property, how: String) -> Result<(), Broken> {
        match self.only {
            Some(only) if only != property => Ok(()),
            _ => Err(Broken { property, how }),
        }
    }
}

/// Judges an action before it is carried out. `before` is what was seen of the node before the step.
pub fn action(
    world: &World,
    side: Side,
    before: &Seen,
    node: &Node,
    event: Option<&Event>,
    action: &Action,
    rules: &Rules,
) -> Result<(), Broken> {
    let seat = world.seat(side);
    let other = side.other();
    match action {
        Action::Send(heartbeat) => {
            let token = heartbeat.groups[0].token;
            let highest = seat.disk.groups.first().map_or(0, |g| g.highest);
            let granted_all_the_same =
                seat.seen.unwritable || seat.seen.forgetful && token == seat.seen.token;
            if token.epoch > highest && !granted_all_the_same {
                return rules.broken(
                    Property::Persisted,
                    format!("{side:?} advertises {token}, its disk knows {highest}"),
                );
            }
            let known = seat.seen.token;
            if token.epoch < known.epoch && !seat.seen.forgetful {
                return rules.broken(
                    Property::EpochsGrow,
                    format!("{side:?} advertises {token} after {known}"),
                );
            }
            let given = known.holder == side && token.holder == other && token != known;
            // A grant is on disk before the stop, so that a crash between the two comes back with it.
            if given && seat.keeps() && seat.seen.spoke {
                return rules.broken(
                    Property::StoppedBeforeGrant,
                    format!("{side:?} gives {token} away while it runs"),
                );
            }
            if heartbeat.groups[0].proven_stopped && seat.keeps() {
                return rules.broken(
                    Property::ProvenStopped,
                    format!("{side:?} says it is stopped while it runs"),
                );
            }
            let kept = world.seats.iter().all(|s| !s.seen.forgetful);
            if kept
                && token.epoch > highest_elsewhere(world, side).max(known.epoch)
                && parity(token) != side
            {
                return rules.broken(Property::OwnParity, format!("{side:?} minted {token}"));
            }
        }
        Action::Start { .. } => {
            let view = node.view();
            let token = view.groups[0].token;
            let saved = seat.disk.groups.first().map(|g| g.token);
            // (A grant withdrawn in this step may still be there: with it the node would know less, not more.)
            if saved.map_or(0, |s| s.epoch) < token.epoch
                && !(seat.seen.forgetful || seat.seen.unwritable)
            {
                return rules.broken(
                    Property::Persisted,
                    format!("{side:?} starts with {token}, its disk has {saved:?}"),
                );
            }
            let agreed = match event {
                Some(Event::Heartbeat { heartbeat, .. }) => {
                    let theirs = heartbeat.groups[0];
                    theirs.token == token && theirs.proven_stopped && !theirs.contested
                }
                _ => false,
            };
            let cleared = matches!(view.peer.state, PeerState::Fenced | PeerState::Left);
            if token.holder != side || !(agreed || cleared || before.by_right) {
                let how = format!(
                    "{side:?} starts with {token}, its peer {} (role before: {:?})",
                    view.peer.state, before.role
                );
                return rules.broken(Property::StartedByRight, how);
            }
        }
        Action::Renew { .. } => {
            let token = node.view().groups[0].token;
            if token.holder != side || seat.resources[0].ceded > 0 {
                return rules.broken(
                    Property::RenewedByRight,
                    format!("{side:?} renews with {token}"),
                );
            }
        }
        _ => {}
    }
    Ok(())
}

/// Judges a state.
pub fn state(world: &World, rules: &Rules) -> Result<(), Broken> {
    let both = world.seats.iter().all(Seat::runs);
    if both && world.seats.iter().all(Seat::keeps) {
        return rules.broken(Property::NeverBoth, "both run it".into());
    }
    if world.seats.iter().all(|s| !s.seen.forgetful) {
        let tokens: Vec<Token> = SIDES
            .into_iter()
            .flat_map(|side| tokens_of(world, side))
            .collect();
        for a in &tokens {
            if let Some(b) = tokens
                .iter()
                .find(|b| a.epoch == b.epoch && a.holder != b.holder)
            {
                return rules.broken(Property::OneHolder, format!("{a} and {b}"));
            }
        }
    }
    Ok(())
}

/// Every token that a side wrote or said.
fn tokens_of(world: &World, side: Side) -> impl Iterator<Item = Token> + '_ {
    let seat = world.seat(side);
    let records = [Some(&seat.disk), seat.writing.as_ref()]
        .into_iter()
        .flatten();
    let written = records.flat_map(|r| r.groups.iter().map(|g| g.token));
    let said = world.wire[side as usize]
        .iter()
        .map(|l| l.heartbeat.groups[0].token);
    written.chain(said).chain([seat.seen.token])
}

fn highest_elsewhere(world: &World, side: Side) -> u64 {
    tokens_of(world, side.other())
        .map(|t| t.epoch)
        .max()
        .unwrap_or(0)
}

fn parity(token: Token) -> Side {
    if token.epoch.is_multiple_of(2) {
        Side::First
    } else {
        Side::Second
    }
}
