//! What a subcommand tells the daemon: 32 bits, the payload of a real-time signal.
//!
//! ```text
//!  31      27 26           19 18    16 15                            0
//! +----------+---------------+--------+-------------------------------+
//! |   verb   |  group index  |  gen.  |        request number         |
//! +----------+---------------+--------+-------------------------------+
//! ```
//!
//! The group's index comes from status.json, with the generation of the configuration that it
//! belongs to: after a reload the daemon refuses an order of the generation before, instead of
//! hitting another group. All verbs are absolute, so that an order given twice is given once.

use crate::core::event::Command;
use crate::id::GroupId;
use crate::wire::heartbeat::Side;
use std::fmt;

/// One order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// What to do.
    pub verb: Verb,
    /// With which group, by index, at most [`MAX_GROUP`]; None: all, or not about a group.
    pub group: Option<u8>,
    /// The configuration that `group` was looked up in.
    pub generation: Generation,
    /// Drawn at random; names the order in its answer.
    pub number: u16,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verb {
    /// Hand the group over, or all that run here.
    Failover = 1,
    /// The first node takes nothing.
    StandbyFirst = 2,
    /// The second node takes nothing.
    StandbySecond = 3,
    /// The first node takes part again.
    OnlineFirst = 4,
    /// The second node takes part again.
    OnlineSecond = 5,
    /// Nobody touches anything.
    MaintenanceOn = 6,
    /// Back to work.
    MaintenanceOff = 7,
    /// The group runs nowhere.
    Stop = 8,
    /// The group may run again.
    Start = 9,
    /// Forget fail counts, look again at what failed to stop.
    Clear = 10,
    /// The operator saw that the peer is off.
    ConfirmFenced = 11,
    /// Read ha.toml again.
    Reload = 12,
    /// The operator saw that the peer is off, whatever else speaks for its life.
    ConfirmFencedDespite = 13,
    /// The group, or all, is to run on the first node.
    MoveToFirst = 14,
    /// The group, or all, is to run on the second node.
    MoveToSecond = 15,
    /// Say what a reload would do.
    ReloadDryRun = 16,
    /// Ask the other node how it is.
    Doctor = 17,
    /// Switch the other node off.
    Fence = 18,
    /// Switch the other node off, and on again, while it serves nothing.
    FenceRehearse = 19,
    /// DRBD asks what is certain of the other node.
    FencePeer = 20,
    /// The operator takes what this node has of the group's DRBD resource for good.
    AcceptData = 21,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 21] = [
        Verb::Failover,
        Verb::StandbyFirst,
        Verb::StandbySecond,
        Verb::OnlineFirst,
        Verb::OnlineSecond,
        Verb::MaintenanceOn,
        Verb::MaintenanceOff,
        Verb::Stop,
        Verb::Start,
        Verb::Clear,
        Verb::ConfirmFenced,
        Verb::Reload,
        Verb::ConfirmFencedDespite,
        Verb::MoveToFirst,
        Verb::MoveToSecond,
        Verb::ReloadDryRun,
        Verb::Doctor,
        Verb::Fence,
        Verb::FenceRehearse,
        Verb::FencePeer,
        Verb::AcceptData,
    ];

    /// To that node.
    pub fn move_to(side: Side) -> Verb {
        match side {
            Side::First => Verb::MoveToFirst,
            Side::Second => Verb::MoveToSecond,
        }
    }

    /// Standby of that node begins, or ends.
    pub fn standby(side: Side, on: bool) -> Verb {
        match (side, on) {
            (Side::First, true) => Verb::StandbyFirst,
            (Side::Second, true) => Verb::StandbySecond,
            (Side::First, false) => Verb::OnlineFirst,
            (Side::Second, false) => Verb::OnlineSecond,
        }
    }
}

/// Which configuration: the low three bits of a count of the daemon's successful loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u8);

impl Generation {
    /// The generation of the `count`-th configuration.
    pub fn of(count: u64) -> Generation {
        Generation((count & 7) as u8)
    }
}

/// The highest group index that fits; the next one means all.
pub const MAX_GROUP: u8 = ALL_GROUPS - 1;

impl Order {
    /// As the payload of a signal.
    pub fn encode(self) -> u32 {
        let group = self.group.unwrap_or(ALL_GROUPS);
        u32::from(self.verb as u8) << 27
            | u32::from(group) << 19
            | u32::from(self.generation.0) << 16
            | u32::from(self.number)
    }

    /// From the payload of a signal.
    pub fn decode(payload: u32) -> Result<Order, UnknownVerb> {
        let verb = (payload >> 27) as u8;
        let group = (payload >> 19) as u8;
        Ok(Order {
            verb: Verb::ALL
                .into_iter()
                .find(|&v| v as u8 == verb)
                .ok_or(UnknownVerb(verb, payload as u16))?,
            group: (group != ALL_GROUPS).then_some(group),
            generation: Generation((payload >> 16) as u8 & 7),
            number: payload as u16,
        })
    }
}

/// What an order means to this daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// For the core.
    Core(Command),
    /// For the shell: read ha.toml again.
    Reload,
    /// For the shell: read it, and say what that would change.
    ReloadDryRun,
    /// For the shell: ask the other node how it is.
    Doctor,
    /// For the shell: say what is certain of the other node, for this group's DRBD resource, or one in no group.
    FencePeer(Option<GroupId>),
    /// For the shell: the group's data here is good enough, by an operator's word.
    AcceptData(GroupId),
}

impl Order {
    /// What it means under the configuration in force, which has these groups; or why it is
    /// refused, for the operator.
    pub fn deed(self, current: Generation, groups: &[GroupId]) -> Result<Deed, &'static str> {
        let group = self
            .group
            .and_then(|index| groups.get(usize::from(index)).copied());
        if self.group.is_some() && self.generation != current {
            return Err(
                "ha.toml was reloaded at this very moment: nothing was done, give the command again",
            );
        }
        if self.group.is_some() && group.is_none() {
            return Err("there is no group of that index: nothing was done");
        }
        let one = group.ok_or("this needs a group: nothing was done");
        Ok(Deed::Core(match self.verb {
            Verb::Reload => return Ok(Deed::Reload),
            Verb::ReloadDryRun => return Ok(Deed::ReloadDryRun),
            Verb::Doctor => return Ok(Deed::Doctor),
            Verb::FencePeer => return Ok(Deed::FencePeer(group)),
            Verb::AcceptData => return Ok(Deed::AcceptData(one?)),
            Verb::Failover => Command::Failover(group),
            Verb::MoveToFirst => Command::MoveTo(group, Side::First),
            Verb::MoveToSecond => Command::MoveTo(group, Side::Second),
            Verb::Clear => Command::Clear(group),
            Verb::Stop => Command::Stopped(one?, true),
            Verb::Start => Command::Stopped(one?, false),
            Verb::StandbyFirst => Command::Standby(Side::First, true),
            Verb::StandbySecond => Command::Standby(Side::Second, true),
            Verb::OnlineFirst => Command::Standby(Side::First, false),
            Verb::OnlineSecond => Command::Standby(Side::Second, false),
            Verb::MaintenanceOn => Command::Maintenance(true),
            Verb::MaintenanceOff => Command::Maintenance(false),
            Verb::ConfirmFenced => Command::ConfirmFenced {
                despite_signs: false,
            },
            Verb::Fence => Command::Fence { rehearse: false },
            Verb::FenceRehearse => Command::Fence { rehearse: true },
            Verb::ConfirmFencedDespite => Command::ConfirmFenced {
                despite_signs: true,
            },
        }))
    }
}

/// An order of a newer (or older) program: its verb, and the number to refuse it under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownVerb(pub u8, pub u16);

impl fmt::Display for UnknownVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "this daemon knows no order {}: the command is of another version; restart the daemon after an upgrade",
            self.0
        )
    }
}

impl std::error::Error for UnknownVerb {}

const ALL_GROUPS: u8 = 255;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    #[expect(clippy::unusual_byte_groupings, reason = "grouped as the fields are")]
    fn layout() {
        let order = Order {
            verb: Verb::Failover,
            group: None,
            generation: Generation::of(9),
            number: 0xbeef,
        };
        assert_eq!(order.encode(), 0b00001_11111111_001_1011111011101111);
        let order = Order {
            verb: Verb::Reload,
            group: Some(2),
            generation: Generation::of(0),
            number: 1,
        };
        assert_eq!(order.encode(), 0b01100_00000010_000_0000000000000001);
    }

    #[test]
    fn every_verb_comes_back() {
        for verb in Verb::ALL {
            for group in [None, Some(0), Some(MAX_GROUP)] {
                let order = Order {
                    verb,
                    group,
                    generation: Generation::of(7),
                    number: 65535,
                };
                assert_eq!(Order::decode(order.encode()), Ok(order));
            }
        }
    }

    const GROUPS: [GroupId; 2] = [GroupId(7), GroupId(8)];

    #[test]
    fn deeds() {
        let order = |verb, group| Order {
            verb,
            group,
            generation: Generation::of(1),
            number: 0,
        };
        let now = Generation::of(1);
        let core = |command| Ok(Deed::Core(command));
        assert_eq!(
            order(Verb::Failover, None).deed(now, &GROUPS),
            core(Command::Failover(None))
        );
        assert_eq!(
            order(Verb::Stop, Some(1)).deed(now, &GROUPS),
            core(Command::Stopped(GROUPS[1], true))
        );
        assert_eq!(
            order(Verb::Start, Some(1)).deed(now, &GROUPS),
            core(Command::Stopped(GROUPS[1], false))
        );
        assert_eq!(
            order(Verb::OnlineSecond, None).deed(now, &GROUPS),
            core(Command::Standby(Side::Second, false))
        );
        assert_eq!(
            order(Verb::Reload, None).deed(now, &GROUPS),
            Ok(Deed::Reload)
        );
        assert!(
            order(Verb::Stop, None).deed(now, &GROUPS).is_err(),
            "stop needs a group"
        );
        assert!(
            order(Verb::Clear, Some(2)).deed(now, &GROUPS).is_err(),
            "no such group"
        );
        let later = Generation::of(2);
        assert!(
            order(Verb::Failover, Some(0))
                .deed(later, &GROUPS)
                .unwrap_err()
                .contains("reloaded")
        );
        assert!(
            order(Verb::Failover, None).deed(later, &GROUPS).is_ok(),
            "an index cannot mislead here"
        );
    }

    #[test]
    fn unknown_verbs_keep_their_number() {
        assert_eq!(Order::decode(7), Err(UnknownVerb(0, 7)));
        assert_eq!(Order::decode(u32::MAX), Err(UnknownVerb(31, 65535)));
    }

    proptest! {
        #[test]
        fn what_decodes_encodes_to_itself(payload: u32) {
            if let Ok(order) = Order::decode(payload) {
                prop_assert_eq!(order.encode(), payload);
            }
        }
    }
}
