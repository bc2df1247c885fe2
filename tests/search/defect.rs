//! Deliberate defects, to see the search find them. Each makes the node believe what a broken rule
//! would make it believe, by changing what it hears or what the world does: the core stays as it is.

use super::setup::{group, place};
use super::world::{Mind, World};
use ha_appliance::core::Node;
use ha_appliance::core::canonical::Mark;
use ha_appliance::core::event::{Action, Ask};
use ha_appliance::core::peer::PeerState;
use ha_appliance::core::protocol::coverage::hash_of;
use ha_appliance::wire::heartbeat::{Heartbeat, Request, RequestVerb, Role, Side, Token};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A stop counts as done while the resource still runs: a grant before the stop.
    StopLies,
    /// A restarted daemon takes for stopped what it did not look at.
    BlindLook,
    /// Agreement without the peer's proof that it runs nothing.
    Unproven,
    /// Agreement with a peer that works on clearance.
    Contested,
    /// Agreement by an old heartbeat: every echo counts as fresh.
    OldEcho,
    /// An operator says that the peer is off, and it is not.
    ConfirmLies,
    /// The peer's token, of a higher epoch or not, is taken for one's own.
    HigherEpoch,
    /// Incarnations that are no more are taken for the living one.
    StaleIncarnation,
    /// The second node mints even epochs.
    WrongParity,
    /// It says that it holds whatever token it knows.
    Usurps,
    /// A cession counts as done before it is: a grant before it.
    CedeLies,
    /// "Proven stopped" from the cession on, and not from the grant on.
    EarlyProof,
    /// A renewal that waited is carried out after the grant.
    LateRenewal,
    /// What the kernel has ended is put back, whoever has the token.
    LatePutBack,
    /// What is handed over keeps the lifetime it had.
    LongCede,
    /// A write is reported done and never happens.
    NothingWritten,
    /// A restarted daemon does not read what is on disk.
    NothingRead,
    /// In maintenance it stops what runs.
    Meddles,
    /// In standby it starts what does not run.
    Disobeys,
    /// After a failed stop it grants all the same.
    GrantsFailed,
    /// Gateways answer although they do not, and no address is ever answered for.
    BlindProbe,
    /// No gateway answers while one of them does not.
    AllNetworks,
    /// It shoots nobody.
    Meek,
    /// No operator is ever asked.
    NeverAsks,
    /// Whatever has power, its device reads off.
    ReadsOff,
    /// The instants of the two nodes lie too near (as the bounds say).
    ShortDelay,
    /// It shoots whom it has not heard since it started.
    ShootsBack,
    /// It shoots whom it hears, and agrees with it all the same.
    ShootsFriend,
    /// It stops what runs for nothing.
    Tires,
    /// It says goodbye while something runs.
    LeavesEarly,
    /// The peer is heard to ask to be switched off, for a stop that failed, in every heartbeat.
    Despairs,
    /// Whatever the peer lists counts as this node's own list.
    OneList,
    /// A promise for a while counts for ever.
    Endless,
    /// A peer with another node list is not heard at all.
    Ignores,
    /// A reload begins with the state of the disk.
    Forgets,
    /// The peer is heard to ask for a failover in every heartbeat.
    Nags,
    /// A daemon is woken, and never told that everything was read.
    NeverDrained,
    /// Data that is Consistent is taken for the newest.
    Credulous,
    /// That the other node was asked to outdate its copy counts as done.
    AsksInVain,
    /// A Primary that loses the connection writes on (fencing resource-only).
    NeverFreezes,
    /// DRBD syncs the copy that went on alone from the other one.
    SyncsBack,
}

impl Defect {
    /// What the receiver takes a heartbeat for.
    pub fn rewrite(self, heartbeat: &mut Heartbeat, receiver: &Mind) {
        let fresh = receiver.mark(Mark::Sent);
        match self {
            Defect::Unproven => heartbeat.groups[0].proven_stopped = true,
            Defect::Contested => heartbeat.groups[0].contested = false,
            Defect::OldEcho => heartbeat.echo = fresh,
            Defect::StaleIncarnation => {
                let believed = receiver.mark(Mark::Believed);
                if believed.incarnation != 0 && heartbeat.incarnation != believed.incarnation {
                    heartbeat.incarnation = believed.incarnation;
                    heartbeat.sequence = believed.sequence + 1;
                } else if believed.incarnation == 0 {
                    heartbeat.echo = fresh;
                }
            }
            Defect::HigherEpoch => {
                let (_, own) = receiver.node.stands(group(0)).expect("it is configured");
                heartbeat.groups[0].token = own;
            }
            Defect::Despairs => {
                (heartbeat.fence_me, heartbeat.groups[0].role) = (true, Role::Failed);
            }
            Defect::OneList => {
                let groups = receiver.node.view().groups;
                for (report, own) in heartbeat.groups.iter_mut().zip(groups) {
                    report.list = hash_of(own.resources.iter().map(|r| r.id));
                }
            }
            Defect::Nags => {
                heartbeat.request = Some(Request {
                    number: heartbeat.sequence as u32,
                    verb: RequestVerb::Failover,
                    group: Some(heartbeat.groups[0].id),
                });
            }
            _ => {}
        }
    }

    /// What a node seems to want.
    pub fn pretend(self, world: &World, side: Side, node: &Node, actions: &mut Vec<Action>) {
        let here = world.seat(side).groups[0].resources[0];
        let first = place(0, 0);
        let wrong = |token: &mut Token| token.epoch += token.epoch % 2;
        match self {
            Defect::EarlyProof if actions.iter().any(|a| matches!(a, Action::Cede(_))) => {
                for action in actions {
                    if let Action::Send(heartbeat) = action {
                        heartbeat.groups[0].proven_stopped = true;
                    }
                }
            }
            Defect::Usurps => {
                for action in actions {
                    if let Action::Send(heartbeat) = action {
                        heartbeat.groups[0].token.holder = side;
                    }
                }
            }
            Defect::WrongParity if side == Side::Second => {
                for action in actions {
                    match action {
                        Action::Send(heartbeat) => wrong(&mut heartbeat.groups[0].token),
                        Action::Persist(record) => wrong(&mut record.groups[0].token),
                        _ => {}
                    }
                }
            }
            Defect::LateRenewal => {
                let gives =
                    |a: &Action| matches!(a, Action::Send(h) if h.groups[0].token.holder != side);
                if here.ceded > 0 && actions.iter().any(gives) {
                    let (group, forever) = (first.group, false);
                    actions.push(Action::Renew { group, forever });
                }
            }
            Defect::GrantsFailed => {
                for action in actions {
                    if let Action::Send(heartbeat) = action
                        && heartbeat.groups[0].role == Role::Failed
                    {
                        let token = &mut heartbeat.groups[0].token;
                        (token.epoch, token.holder) = (token.epoch + 2, side.other());
                    }
                }
            }
            Defect::Meddles if node.view().maintenance && here.runs && here.doing.is_none() => {
                actions.push(Action::Stop(first));
            }
            Defect::ShootsBack | Defect::ShootsFriend => {
                let wanted = match self {
                    Defect::ShootsBack => PeerState::Unknown,
                    _ => PeerState::Alive,
                };
                let doomed = world.seat(side.other()).doomed.is_some();
                let asks = world.seat(side).asked.is_some();
                if node.peer_state() == wanted && !asks && !doomed {
                    let (device, ask) = (0, Ask::Off);
                    actions.push(Action::Device { device, ask });
                }
            }
            Defect::Tires if here.runs && here.doing.is_none() => {
                actions.push(Action::Stop(first));
            }
            Defect::Meek => {
                actions.retain(|a| !matches!(a, Action::Device { ask: Ask::Off, .. }));
            }
            Defect::LeavesEarly if here.runs => {
                for action in actions {
                    if let Action::Send(heartbeat) = action {
                        heartbeat.goodbye = true;
                    }
                }
            }
            Defect::Disobeys if node.view().standby[side as usize] && !here.runs => {
                actions.push(Action::Start(first, None));
            }
            _ => {}
        }
    }
}
