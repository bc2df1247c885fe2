//! What speaks against running a group here, and how much: one table says what each fact does.

use super::super::context::Context;
use super::super::event::Extent;
use super::super::gateway::GatewayState;
use super::super::protocol::group::{Group, State};
use super::super::reason::Fact;
use super::super::setup::GroupSetup;
use super::plan::Plan;
use crate::id::ResourceId;
use crate::wire::heartbeat::Readiness;

/// What a fact does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// The group moves, if the peer is better off.
    pub moves: bool,
    /// The group is not started here.
    pub blocks_start: bool,
    /// Evidence against a silent peer is not used: it would take what it cannot serve.
    pub blocks_seizure: bool,
    /// With it the group serves nobody here, or few: no limit on moves keeps it.
    pub serves: bool,
}

impl Fact {
    /// What it does.
    pub fn weight(self) -> Weight {
        let (moves, blocks_start, blocks_seizure, serves) = match self {
            //                          moves  start  seizure serves
            Fact::Standby =>
            /*       */
            {
                (true, true, true, true)
            }
            Fact::Leaving =>
            /*       */
            {
                (true, true, true, true)
            }
            // On neither node: no other is a better place.
            Fact::StoppedByOperator => (false, true, true, true),
            Fact::StopFailed =>
            /*    */
            {
                (true, true, true, false)
            }
            Fact::NoCarrier(_) =>
            /*  */
            {
                (true, false, true, false)
            }
            Fact::GatewayLost(_) =>
            /**/
            {
                (true, false, false, false)
            }
            Fact::GatewayDampened(_) => (false, false, false, true),
            Fact::GatewayPending(_) => (false, true, false, true),
            Fact::Down(_) =>
            /*       */
            {
                (true, false, true, false)
            }
            Fact::Missing(_) =>
            /*    */
            {
                (true, false, true, false)
            }
            Fact::Unready(_) =>
            /*    */
            {
                (true, true, true, false)
            }
            Fact::Partly(_) =>
            /*     */
            {
                (true, false, false, true)
            }
            Fact::Behind(_) => (false, false, false, true),
            Fact::HeldBack(_) => (false, false, false, true),
            Fact::AllHeldBack(_) =>
            /* */
            {
                (true, false, true, false)
            }
            Fact::StopFailedBeside => (true, false, false, true),
            Fact::Failures(_) =>
            /*   */
            {
                (true, false, false, true)
            }
            // Where it failed again there is no better place any more.
            Fact::DataFailed(_) => (false, true, true, false),
            Fact::StateUnwritable => (true, false, true, true),
        };
        Weight {
            moves,
            blocks_start,
            blocks_seizure,
            serves,
        }
    }

    /// Nobody at all, and it would not be taken: a lost gateway leaves the clients of the network itself, and so is
    /// no worse than a service that failed.
    fn serves_nobody(self, facts: &[Fact], setup: &GroupSetup) -> bool {
        let weight = self.weight();
        match self {
            // There is another network.
            Fact::NoCarrier(_) => {
                let dark = facts.iter().filter(|f| matches!(f, Fact::NoCarrier(_)));
                dark.count() == setup.vifs.len()
            }
            // It would, as soon as nobody else does.
            Fact::Behind(_) => true,
            _ => !weight.serves && weight.blocks_seizure,
        }
    }

    /// A hard fact: with it the group never runs here, not even as the last node.
    pub fn is_hard(self) -> bool {
        matches!(
            self,
            Fact::Standby | Fact::Leaving | Fact::StoppedByOperator
        )
    }
}

impl Plan {
    /// What speaks against running it here.
    pub fn facts(&self, cx: &Context, group: &Group) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut note = |holds: bool, fact| {
            if holds {
                facts.push(fact);
            }
        };
        note(cx.standby, Fact::Standby);
        note(cx.leaving, Fact::Leaving);
        note(cx.stopped, Fact::StoppedByOperator);
        note(group.resources.iter().any(|r| r.stuck), Fact::StopFailed);
        for &vif in &cx.setup.vifs {
            let carrier = cx.vifs.find(vif).and_then(|v| v.carrier);
            note(carrier != Some(true), Fact::NoCarrier(vif));
        }
        for &vif in &cx.setup.vifs {
            match cx.vifs.gateway(vif, &cx.node.gateway) {
                Some(GatewayState::Pending) => note(true, Fact::GatewayPending(vif)),
                Some(GatewayState::Dampened) => note(true, Fact::GatewayDampened(vif)),
                Some(GatewayState::Lost) => note(true, Fact::GatewayLost(vif)),
                Some(GatewayState::Good) | None => {}
            }
        }
        let failures = self.spent_failures();
        note(failures > 0, Fact::Failures(failures));
        for (care, resource) in self.cares.iter().zip(&group.resources) {
            note(care.missing, Fact::Missing(resource.id));
            if let Some(unready) = &care.unready {
                let fact = match unready.extent {
                    Extent::Entirely => Fact::Unready(resource.id),
                    Extent::Partly => Fact::Partly(resource.id),
                    Extent::Handover => Fact::Behind(resource.id),
                };
                note(true, fact);
            }
        }
        if let Some(resource) = self.data_failed(cx, group) {
            note(true, Fact::DataFailed(resource));
        }
        if let (State::Active { .. }, Some(resource)) = (group.state(), group.held_back()) {
            note(true, Fact::HeldBack(resource));
        }
        if let Some(resource) = group.wholly_held_back(cx) {
            note(true, Fact::AllHeldBack(resource));
        }
        let beside = cx.stop_failed_here && !group.has_failed();
        note(beside, Fact::StopFailedBeside);
        if let Some(resource) = self.down_on_both(group) {
            note(true, Fact::Down(group.resources[resource].id));
        }
        note(cx.unwritable, Fact::StateUnwritable);
        facts
    }

    /// Nothing says that it would serve nobody here.
    pub fn would_serve(&self, cx: &Context, group: &Group) -> bool {
        let facts = self.facts(cx, group);
        // Data that is behind is not, once nobody else has it.
        let idle = |f: &Fact| !matches!(f, Fact::Behind(_)) && f.serves_nobody(&facts, cx.setup);
        !facts.iter().any(idle)
    }

    /// The same, as far as it may move a group: a lost gateway only if the peer reaches its own, carrier only
    /// once it is known to be away, and failures only where they speak against what runs, too.
    pub(super) fn facts_that_move(&self, cx: &Context, group: &Group) -> Vec<Fact> {
        let mut facts = self.facts(cx, group);
        facts.retain(|fact| {
            let holds = match fact {
                Fact::GatewayLost(vif) => cx.vifs.loss_confirmed(*vif),
                Fact::NoCarrier(vif) => cx.vifs.carrier_lost(*vif),
                Fact::Failures(_) | Fact::Down(_) => self.failing(group),
                _ => true,
            };
            holds && fact.weight().moves
        });
        facts
    }

    /// The first that makes evidence useless here; for a holder whose state cannot be written nothing needs
    /// to be.
    pub(super) fn blocks_seizure(&self, cx: &Context, group: &Group) -> Option<Fact> {
        let holder = group.token().holder == cx.me();
        let facts = self.facts(cx, group);
        facts.iter().copied().find(|fact| {
            let needless = *fact == Fact::StateUnwritable && holder;
            // There is another network.
            let half = matches!(fact, Fact::NoCarrier(_)) && !fact.serves_nobody(&facts, cx.setup);
            fact.weight().blocks_seizure && !needless && !half
        })
    }

    /// The first that keeps it from being started here.
    pub(super) fn blocks_start(&self, cx: &Context, group: &Group) -> Option<Fact> {
        // Without a service the addresses are of no use, and the silent peer might have both.
        let alone = !cx.peer_alive();
        let mut facts = self.facts(cx, group).into_iter();
        facts.find(|fact| fact.weight().blocks_start || (alone && matches!(fact, Fact::Down(_))))
    }

    /// Data that could be used on neither node, and was given back once: whoever tries on and on makes it no better.
    /// Alone this node goes on, for nobody else can.
    fn data_failed(&self, cx: &Context, group: &Group) -> Option<ResourceId> {
        let there = cx.peer_alive() && cx.report().is_some_and(|report| report.fail_count > 0);
        let mut both = self.cares.iter().zip(&group.resources);
        let failed = both.find(|(care, resource)| {
            let setup = &resource.setup;
            setup.data && setup.fail_expiry.is_none() && care.failures.came_back()
        });
        failed.filter(|_| there).map(|(care, _)| care.id)
    }

    /// Failures speak against starting it here, not against what runs in spite of them; nor does a
    /// restart in place.
    pub(super) fn failing(&self, group: &Group) -> bool {
        let runs = matches!(group.state(), State::Active { .. } | State::Ceding { .. });
        let mut both = self.cares.iter().zip(&group.resources);
        match runs {
            true => both.any(|(care, resource)| {
                !resource.exclusive() && care.down_since.is_some() && care.failures.spent
            }),
            false => both.any(|(care, _)| care.failures.spent),
        }
    }

    /// How well this node could run it, for the peer.
    pub fn readiness(&self, cx: &Context, group: &Group) -> Readiness {
        let mut facts = self.facts(cx, group);
        // One router of several that is dead for both makes nobody worse than the other.
        facts.retain(|fact| match fact {
            Fact::GatewayLost(vif) => !cx.vifs.reaches_some(*vif) || cx.vifs.loss_confirmed(*vif),
            _ => true,
        });
        readiness(&facts, cx.setup)
    }
}

/// How well who has these facts could run it.
pub(super) fn readiness(facts: &[Fact], setup: &GroupSetup) -> Readiness {
    if facts.iter().any(|f| f.is_hard()) {
        Readiness::Barred
    } else if facts.iter().any(|f| f.serves_nobody(facts, setup)) {
        Readiness::Unable
    } else if facts.is_empty() {
        Readiness::Able
    } else {
        Readiness::Impaired
    }
}

/// What of them speaks most against running it here: of equals the first.
pub(super) fn worst(facts: &[Fact], setup: &GroupSetup) -> Option<Fact> {
    let lightness = |f: &&Fact| {
        let failures = matches!(f, Fact::Failures(_));
        (!f.is_hard(), !f.serves_nobody(facts, setup), !failures)
    };
    facts.iter().min_by_key(lightness).copied()
}
