//! The evidence there is without fencing and without a witness: this node reaches a gateway on every VIP
//! interface, and the peer answers for none of the VIPs, by a probe that is known to work. That is
//! UNPROTECTED: a peer that neither talks nor answers ARP may still run.

use super::super::context::Context;
use super::super::event::Action;
use super::super::reason::Reason;
use super::super::time::Time;
use super::clearance::Verdict;
use super::rhythm::Rhythm;
use super::right::Right;
use crate::id::{GroupId, VifId};
use std::time::Duration;

/// Whether it suffices.
pub(super) fn best_effort(cx: &Context, probes: &Probes) -> Verdict {
    if let Some(reason) = unfit(cx) {
        return Verdict::Waiting(reason);
    }
    // By the very rule that would stop it again at once: with two rules that disagree for a moment,
    // one step would start and stop the group for ever.
    if let (true, Some(&vif)) = (cx.isolated(), cx.setup.vifs.first()) {
        return Verdict::Waiting(Reason::NoGatewayAnswer(vif));
    }
    for &vif in &cx.setup.vifs {
        if let Some(reason) = blind(cx, vif) {
            return Verdict::Waiting(reason);
        }
        let since = cx
            .silence_began()
            .max(cx.now - cx.node.detection_time(cx.node.interval));
        if cx.vifs.last_answer(vif).is_none_or(|at| at <= since) {
            return Verdict::Waiting(Reason::NoGatewayAnswer(vif));
        }
    }
    // Once the peer answered during its silence, its address and not its heartbeat is the sign of
    // life, and gets as many chances.
    let seen = probes.answered_at.is_some_and(|at| at > cx.silence_began());
    let Rhythm { interval, misses } = cx.peer.judging();
    let enough = if seen { misses } else { misses - 1 };
    let unanswered = probes.unanswered(cx.now, interval, cx.on_link());
    if unanswered < enough && seen {
        return Verdict::Waiting(Reason::VipAnswered);
    }
    if unanswered < enough {
        return Verdict::Waiting(Reason::Probing(unanswered, enough));
    }
    Verdict::Given(Right::BestEffort { unanswered })
}

/// Why it cannot suffice, however long the peer is silent; None: it could.
pub fn never(cx: &Context) -> Option<Reason> {
    unfit(cx).or_else(|| cx.setup.vifs.iter().find_map(|&vif| blind(cx, vif)))
}

/// Nothing can be evidence about a group like this.
fn unfit(cx: &Context) -> Option<Reason> {
    if cx.setup.holds_data() {
        return Some(Reason::BestEffortHoldsData);
    }
    let none = cx.setup.vifs.is_empty();
    none.then_some(Reason::BestEffortWithoutVip)
}

/// On that interface silence proves nothing.
fn blind(cx: &Context, vif: VifId) -> Option<Reason> {
    if !cx.vifs.has_gateway(vif) {
        return Some(Reason::NoGatewayKnown(vif));
    }
    let proven = cx.vifs.find(vif).is_some_and(|v| v.peer.proven);
    (!proven).then_some(Reason::ProbeUnproven(vif))
}

/// The probes of a group's VIPs during one silence of the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Probes {
    /// Unanswered since the last answer, but for the last one.
    unanswered: u32,
    last_sent: Option<Time>,
    /// The last one is not answered.
    pending: bool,
    answered_at: Option<Time>,
    /// When the first of those unanswered in a row was sent.
    in_vain_since: Option<Time>,
}

impl Probes {
    /// Sends the next probe if it is due. `on_link`: when the latest ping was sent that was answered, on the
    /// interface where that is longest ago; `lasts`: for so long that counts. A probe counts once a gateway answered after
    /// it; without that it may have gone nowhere.
    pub fn tick(
        &mut self,
        now: Time,
        interval: Duration,
        (on_link, lasts): (Option<Time>, Duration),
        group: GroupId,
        out: &mut Vec<Action>,
    ) {
        if self.last_sent.is_some_and(|at| now < at + interval) {
            return;
        }
        self.unanswered = self.unanswered(now, interval, on_link).min(100);
        // What came before a pause proves nothing, the peer may have taken over since; nor does what came
        // before this node was cut off.
        let paused = |at: Time| now.since(at) > lasts.max(3 * interval);
        let paused = self.last_sent.is_some_and(paused);
        if paused || on_link.is_none_or(|at| now.since(at) >= lasts) {
            (self.unanswered, self.in_vain_since) = (0, None);
        }
        (self.last_sent, self.pending) = (Some(now), true);
        self.in_vain_since = self.in_vain_since.or(self.last_sent);
        out.push(Action::Probe(group));
    }

    /// The peer answered for a VIP: whatever was unanswered before proves nothing.
    pub fn answered(&mut self, now: Time) {
        (self.unanswered, self.pending, self.in_vain_since) = (0, false, None);
        self.answered_at = Some(now);
    }

    /// The last one did not leave: nobody was asked, and those before it are in no row with the next.
    pub fn unsent(&mut self) {
        (self.unanswered, self.pending, self.in_vain_since) = (0, false, None);
    }

    /// For how long all that was sent got to where it may be answered, had its time, and was not. None: nothing did. (A
    /// gateway may answer later than the next probe leaves.)
    pub(super) fn in_vain_for(
        &self,
        now: Time,
        interval: Duration,
        on_link: Option<Time>,
    ) -> Option<Duration> {
        let until = self.last_sent?.min(now - interval / 4).min(on_link?);
        let since = self.in_vain_since?;
        (until >= since).then(|| until.since(since))
    }

    /// How long ago one was answered last.
    pub(super) fn answered_ago(&self, now: Time) -> Option<Duration> {
        Some(now.since(self.answered_at?))
    }

    /// The peer is heard again.
    pub fn end(&mut self) {
        *self = Probes::default();
    }

    /// When the next probe is due, or the last may be judged.
    pub fn deadlines(&self, interval: Duration) -> impl Iterator<Item = Time> {
        let last = self.last_sent;
        last.into_iter()
            .flat_map(move |at| [at + interval / 4, at + interval])
    }

    /// Calls `f` with every point in time stored here but [one](Probes::asked_since).
    pub fn times(&mut self, f: &mut dyn FnMut(&mut Time)) {
        self.last_sent.iter_mut().for_each(&mut *f);
        self.answered_at.iter_mut().for_each(f);
    }

    /// The one that says for how long.
    pub fn asked_since(&mut self) -> Option<&mut Time> {
        self.in_vain_since.as_mut()
    }

    /// Forgets how many more are unanswered than any silence needs (a search's `misses` are fewer), and for how much
    /// longer, or that at all.
    pub fn forget_surplus(&mut self, now: Time, longest: Option<Duration>) {
        self.unanswered = self.unanswered.min(10);
        let asked = self.in_vain_since.zip(longest);
        self.in_vain_since = asked.map(|(since, longest)| since.max(now - longest));
    }

    /// Unanswered in a row; the last one only once it had a quarter of an interval, which is at least
    /// 2.5 ms, to be answered in.
    fn unanswered(&self, now: Time, interval: Duration, on_link: Option<Time>) -> u32 {
        let counts = |at| now >= at + interval / 4 && on_link.is_some_and(|answer| answer >= at);
        self.unanswered + (self.pending && self.last_sent.is_some_and(counts)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    fn at(millis: u64) -> Time {
        Time(0) + Duration::from_millis(millis)
    }

    /// Looks at that moment; a gateway answered a ping sent then. True: it sent a probe.
    fn tick(probes: &mut Probes, now: u64, answer: Option<u64>) -> bool {
        let mut out = vec![];
        let group = GroupId::of("web");
        probes.tick(
            at(now),
            INTERVAL,
            (answer.map(at), 2 * INTERVAL),
            group,
            &mut out,
        );
        assert!(out.iter().all(|a| *a == Action::Probe(group)) && out.len() < 2);
        !out.is_empty()
    }

    fn unanswered(probes: &Probes, now: u64, answer: Option<u64>) -> u32 {
        probes.unanswered(at(now), INTERVAL, answer.map(at))
    }

    /// Three probes, an interval apart, the last of them at 1200.
    fn three() -> Probes {
        let mut probes = Probes::default();
        for now in [1000, 1100, 1200] {
            assert!(tick(&mut probes, now, Some(now - 10)));
        }
        probes
    }

    #[test]
    fn a_probe_leaves_once_an_interval() {
        let mut probes = three();
        assert!(!tick(&mut probes, 1299, Some(1290)));
        let due: Vec<Time> = probes.deadlines(INTERVAL).collect();
        assert_eq!(due, [at(1225), at(1300)]);
        assert!(tick(&mut probes, 1300, Some(1290)));
    }

    /// The last gets a quarter of an interval, and counts once a gateway answered after it.
    #[test]
    fn a_probe_counts_when_it_had_its_time_on_a_network_that_was_there() {
        let mut probes = Probes::default();
        tick(&mut probes, 1000, Some(990));
        assert_eq!(unanswered(&probes, 1024, Some(1010)), 0);
        assert_eq!(unanswered(&probes, 1025, Some(1000)), 1);
        assert_eq!(unanswered(&probes, 1025, Some(999)), 0);
        assert_eq!(unanswered(&probes, 1025, None), 0);
        tick(&mut probes, 1100, Some(1090));
        tick(&mut probes, 1200, Some(1190));
        assert_eq!(unanswered(&probes, 1210, Some(1205)), 2);
        assert_eq!(unanswered(&probes, 1225, Some(1205)), 3);
    }

    #[test]
    fn an_answer_voids_those_before_it() {
        let mut probes = three();
        probes.answered(at(1210));
        assert_eq!(probes.answered_at, Some(at(1210)));
        assert_eq!(unanswered(&probes, 1230, Some(1220)), 0);
        tick(&mut probes, 1300, Some(1290));
        assert_eq!(unanswered(&probes, 1330, Some(1310)), 1);
    }

    #[test]
    fn who_was_not_asked_did_not_fail_to_answer() {
        let mut probes = three();
        assert_eq!(unanswered(&probes, 1230, Some(1220)), 3);
        tick(&mut probes, 1300, Some(1290));
        probes.unsent();
        assert_eq!(unanswered(&probes, 1330, Some(1310)), 0);
        tick(&mut probes, 1400, Some(1390));
        assert_eq!(unanswered(&probes, 1430, Some(1410)), 1);
        let vain = probes.in_vain_for(at(1430), INTERVAL, Some(at(1410)));
        assert_eq!(vain, Some(Duration::ZERO));
    }

    #[test]
    fn what_came_before_a_pause_proves_nothing() {
        let (mut short, mut long) = (three(), three());
        tick(&mut short, 1500, Some(1490));
        assert_eq!(unanswered(&short, 1525, Some(1510)), 4);
        tick(&mut long, 1501, Some(1490));
        assert_eq!(unanswered(&long, 1526, Some(1510)), 1);
    }

    #[test]
    fn what_came_before_this_node_was_cut_off_proves_nothing() {
        let (mut lately, mut long_ago, mut never) = (three(), three(), three());
        tick(&mut lately, 1300, Some(1101));
        assert_eq!(unanswered(&lately, 1325, Some(1310)), 3);
        tick(&mut long_ago, 1300, Some(1100));
        assert_eq!(unanswered(&long_ago, 1325, Some(1310)), 1);
        tick(&mut never, 1300, None);
        assert_eq!(unanswered(&never, 1325, Some(1310)), 1);
    }

    /// Of one interval of 10 ms and one of 100 ms, between two probes.
    #[test]
    fn a_pause_no_longer_than_a_gateway_may_take_is_none_for_who_asks_for_so_long() {
        let run = |lasts: u64, pause: u64| {
            let (mut probes, mut out) = (Probes::default(), vec![]);
            let (interval, lasts) = (Duration::from_millis(10), Duration::from_millis(lasts));
            for now in [1000, 1010, 1010 + pause, 1020 + pause] {
                let on_link = (Some(at(now - 1)), lasts);
                probes.tick(at(now), interval, on_link, GroupId::of("web"), &mut out);
            }
            let now = 1030 + pause;
            probes.in_vain_for(at(now), interval, Some(at(now)))
        };
        let millis = |span| Some(Duration::from_millis(span));
        assert_eq!(run(500, 40), millis(60));
        assert_eq!(run(500, 500), millis(520));
        assert_eq!(run(500, 501), millis(10));
        assert_eq!(run(20, 30), millis(50));
        assert_eq!(run(20, 31), millis(10));
    }

    /// A gateway's answer that takes longer than an interval shows that the probes before the ping got out.
    #[test]
    fn who_is_asked_in_vain_is_so_up_to_the_last_ping_that_was_answered() {
        let probes = three();
        let in_vain = |now, on_link: Option<u64>| {
            let span = probes.in_vain_for(at(now), INTERVAL, on_link.map(at));
            span.map(|span| span.as_millis())
        };
        assert_eq!(in_vain(1230, None), None);
        assert_eq!(in_vain(1230, Some(999)), None);
        assert_eq!(in_vain(1230, Some(1150)), Some(150));
        assert_eq!(in_vain(1230, Some(1229)), Some(200));
        assert_eq!(in_vain(1210, Some(1209)), Some(185), "the last had no time");
    }

    #[test]
    fn a_peer_heard_again_ends_it() {
        let mut probes = three();
        probes.end();
        assert_eq!(probes, Probes::default());
    }
}
