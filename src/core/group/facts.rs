//! What speaks against running a group here, and how much.

use super::*;

impl Group {
    /// What speaks against running it here.
    pub(super) fn facts(&self, cx: &Context) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut note = |holds: bool, fact| {
            if holds {
                facts.push(fact);
            }
        };
        note(cx.standby, Fact::Standby);
        note(cx.leaving, Fact::Leaving);
        note(cx.stopped, Fact::StoppedByOperator);
        note(self.stop_failed(), Fact::StopFailed);
        for &vif in &cx.setup.vifs {
            note(
                !cx.vifs.find(vif).is_some_and(|v| v.carrier),
                Fact::NoCarrier(vif),
            );
        }
        for &vif in &cx.setup.vifs {
            match cx.vifs.gateway(vif, &cx.node.gateway) {
                Some(GatewayState::Pending) => note(true, Fact::GatewayPending(vif)),
                Some(GatewayState::Dampened) => note(true, Fact::GatewayDampened(vif)),
                Some(GatewayState::Lost) => note(true, Fact::GatewayLost(vif)),
                Some(GatewayState::Good) | None => {}
            }
        }
        let spent = self.resources.iter().filter(|r| r.failures.spent);
        let failures = spent.fold(0u16, |n, r| n.saturating_add(r.failures.count));
        note(failures > 0, Fact::Failures(failures));
        for resource in self.resources.iter().filter(|r| r.missing) {
            note(true, Fact::Missing(resource.id));
        }
        if let Some(resource) = self.down_on_both(cx) {
            note(true, Fact::Down(self.resources[resource].id));
        }
        note(cx.unwritable, Fact::StateUnwritable);
        facts
    }

    /// The same, as far as it may move a group: a lost gateway only if the peer reaches its own.
    pub(super) fn facts_that_move(&self, cx: &Context) -> Vec<Fact> {
        let mut facts = self.facts(cx);
        facts.retain(|fact| match fact {
            Fact::GatewayLost(vif) => cx.vifs.loss_confirmed(*vif),
            Fact::GatewayPending(_) | Fact::GatewayDampened(_) => false,
            Fact::Failures(_) | Fact::Down(_) => self.failing(cx),
            _ => true,
        });
        facts
    }

    /// Failures speak against starting it here, not against what runs in spite of them; nor does a
    /// restart in place.
    pub(super) fn failing(&self, cx: &Context) -> bool {
        let runs = matches!(self.phase, Phase::Active | Phase::Ceding { .. });
        let spent = |r: &Resource| r.failures.spent;
        let mut resources = self.resources.iter().zip(&cx.setup.resources);
        match runs {
            true => resources.any(|(r, s)| !s.exclusive && r.down_since.is_some() && spent(r)),
            false => self.resources.iter().any(spent),
        }
    }

    /// Failures of all its resources since they were last forgotten.
    pub(super) fn fail_count(&self) -> u16 {
        let counts = self.resources.iter().map(|r| r.failures.count);
        counts.fold(0, u16::saturating_add)
    }

    pub(super) fn effective(&self, cx: &Context) -> Readiness {
        readiness(&self.facts_that_move(cx))
    }
}

pub(super) fn readiness(facts: &[Fact]) -> Readiness {
    if facts.iter().any(|f| f.is_hard()) {
        Readiness::Barred
    } else if facts.is_empty() {
        Readiness::Able
    } else {
        Readiness::Impaired
    }
}
