//! What is still to be known of a group when its role does not say it any more: what brought it to this node, since
//! when it is active, and that both nodes ran it.

use super::clock;
use super::history::Entry;
use super::status::Names;
use crate::core::event::{Change, Report};
use crate::core::reason::Reason;
use crate::core::time::Time;
use crate::id::GroupId;
use crate::wire::heartbeat::Role;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is known of each group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Course {
    groups: BTreeMap<GroupId, Past>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Past {
    /// Since when it is active here. What is looked at again, and mended, was active before.
    since: Option<Time>,
    /// What brought it here.
    came_by: Option<String>,
    /// The peer gives it: in these words.
    given: Option<String>,
    /// Why the peer stops it, by its own word.
    why_given: Option<String>,
    /// It was handed over at that time, and the peer's word why had not come.
    unexplained: Option<Time>,
    /// It came by an order that the peer was given, at that time, and by whom had not come.
    unsigned: Option<Time>,
    /// The latest order that moves it, and when that was heard of.
    moved: Option<(String, Time)>,
    /// The latest order that lets it run, while nobody served it, and when that was heard of.
    freed: Option<(String, Time)>,
    /// What kept it from running here, as it was seen last.
    kept: Option<(String, Time)>,
    /// Why it was stopped here.
    went_by: Option<String>,
    /// Both nodes ran it: in these words, at that time.
    both: Option<(String, Time)>,
}

/// The peer's history comes after its heartbeats.
const LATE: Duration = Duration::from_secs(5);

/// What starts so soon after an order starts by it.
const BY_ORDER: Duration = Duration::from_secs(30);

/// So long after it was seen last, what kept it is what has just ended.
const JUST: Duration = Duration::from_secs(3);

/// Why it runs where nobody knows what had started it.
const FOUND: &str = "found running when the daemon started";

/// So long it is said that both nodes ran it.
pub const BOTH_TOLD: Duration = Duration::from_secs(3600);

/// Between an order, as it is typed, and who gave it, in a line of the history.
pub const ASKED_FOR_BY: &str = ": asked for by ";

impl Course {
    /// It runs on over a restart of the daemon, which knew why it had come.
    pub fn remember(&mut self, group: GroupId, came_by: Option<String>) {
        self.groups.entry(group).or_default().came_by = came_by;
    }

    /// That both nodes ran it is known from the daemon before this one.
    pub fn remember_both(&mut self, group: GroupId, words: String, at: Time) {
        self.groups.entry(group).or_default().both = Some((words, at));
    }

    /// What the core reported, in the words in which it was told.
    /// `served`: a group is known to run on one of the nodes.
    pub fn follow(
        &mut self,
        report: &Report,
        words: &str,
        served: impl Fn(GroupId) -> bool,
        now: Time,
    ) {
        let ends = matches!(
            report.reason,
            Reason::Standby(_, false) | Reason::Maintenance(false) | Reason::Stopped(false)
        );
        if let (Change::Wish, true) = (&report.change, ends) {
            for (id, past) in &mut self.groups {
                if report.group.is_none_or(|group| group == *id) && !served(*id) {
                    past.free(words, now);
                }
            }
            return;
        }
        let Some(group) = report.group else { return };
        let past = self.groups.entry(group).or_default();
        match (&report.change, &report.reason) {
            (Change::Token(_), Reason::Granted | Reason::GrantedInNeed) => {
                past.given = Some(words.to_owned());
            }
            (Change::Token(_), _) => past.given = None,
            // It was looked at, and what was missing is put back.
            (Change::Role(Role::Active, Role::Starting), _) => {}
            // What runs on came by what it came by before.
            (
                Change::Role(_, Role::Starting | Role::Active),
                Reason::Resumed | Reason::FoundRunning,
            ) => {
                past.came_by.get_or_insert_with(|| FOUND.into());
            }
            (Change::Role(_, Role::Starting), Reason::Agreement) => past.comes(words, now),
            (Change::Role(_, Role::Starting), _) => {
                past.came_by = Some(match past.by_order(now) {
                    Some(order) => format!("{order}; {words}"),
                    None => words.to_owned(),
                });
            }
            // It stopped for what it was told to stop for, which was said in full.
            (Change::Role(Role::Stopping, Role::Stopped), Reason::Fact(_))
                if past.went_by.is_some() =>
            {
                past.came_by = None;
            }
            (Change::Role(_, to @ (Role::Stopping | Role::Stopped | Role::Failed)), _) => {
                past.came_by.take_if(|_| *to != Role::Stopping);
                past.went_by = Some(match report.reason {
                    Reason::Operator => past.signed(words, now),
                    _ => words.to_owned(),
                });
            }
            // Not all of it was there.
            (Change::Role(_, Role::Active), Reason::Complete)
                if past.came_by.as_deref() == Some(FOUND) =>
            {
                past.came_by = Some(format!("{FOUND}, and what was missing of it was started"));
            }
            (Change::Notice, Reason::BothRan { .. }) => {
                past.both = Some((words.to_owned(), now));
            }
            _ => {}
        }
        match report.change {
            Change::Role(_, Role::Active) => {
                past.since.get_or_insert(now);
                past.freed = None;
            }
            Change::Role(_, Role::Stopping | Role::Stopped | Role::Failed) => past.since = None,
            _ => {}
        }
    }

    /// What keeps a group that does not run here from it, as it is now.
    pub fn kept(&mut self, group: GroupId, why: &str, now: Time) {
        self.groups.entry(group).or_default().kept = Some((why.to_owned(), now));
    }

    /// A line of the peer's history: it may be why a group comes.
    pub fn hear(&mut self, entry: &Entry, names: &Names, now: Time) {
        let known = names.groups.iter();
        let mut known = known.filter(|known| Some(&known.name) == entry.group.as_ref());
        let Some(group) = known.next() else { return };
        let past = self.groups.entry(group.id).or_default();
        match (entry.change.as_str(), entry.to.as_deref()) {
            ("role", Some("stopping")) => {
                let late = past.unexplained.take();
                let why = past.signed(&entry.reason, now);
                match (&mut past.came_by, late) {
                    (Some(came_by), Some(at)) if now.since(at) < LATE => {
                        *came_by += &format!(": {why}");
                    }
                    _ => past.why_given = Some(why),
                }
            }
            ("role", Some("starting" | "active")) => {
                (past.why_given, past.freed) = (None, None);
            }
            _ => {}
        }
    }

    /// An order was given, on either node: it may be why a group comes. `served`: it is known to run on one of them.
    pub fn ordered(
        &mut self,
        entry: &Entry,
        names: &Names,
        served: impl Fn(&str) -> bool,
        now: Time,
    ) {
        if entry.change != "command" {
            return;
        }
        let Some((what, who)) = entry.reason.split_once(ASKED_FOR_BY) else {
            return self.refused(entry);
        };
        let mut words = what.split(' ');
        let verb = words.next().unwrap_or_default();
        let named = words.next().unwrap_or_default();
        let order = format!("`{what}` was ordered on {} by {who}", entry.node);
        for group in &names.groups {
            let one = names.groups.iter().any(|known| known.name == named);
            let ends = match verb {
                "online" | "maintenance" => what != "maintenance on",
                "start" => group.name == named,
                "clear" | "failover" => !one || group.name == named,
                _ => false,
            };
            if !ends {
                continue;
            }
            let past = self.groups.entry(group.id).or_default();
            let unsigned = past.unsigned.take_if(|_| verb != "clear");
            if verb == "failover" {
                past.moved = Some((order.clone(), now));
            } else if unsigned.is_some_and(|at| now.since(at) < LATE) {
                past.came_by = Some(order.clone());
            } else if past.since.is_none() && !served(&group.name) {
                past.freed = Some((order.clone(), now));
            }
        }
    }

    /// How it came that both nodes ran what was said of a moment ago.
    pub fn explain_both(&mut self, why: &str, now: Time) {
        for past in self.groups.values_mut() {
            if let Some((words, at)) = &mut past.both
                && now.since(*at) < LATE
            {
                *words += &format!("; {why}");
            }
        }
    }

    /// An order that was refused brings nothing about.
    fn refused(&mut self, outcome: &Entry) {
        let what = outcome
            .reason
            .split_once(": ")
            .map(|(what, _)| format!("`{what}`"));
        let Some(what) = what.filter(|_| outcome.level == "warning") else {
            return;
        };
        for past in self.groups.values_mut() {
            for order in [&mut past.freed, &mut past.moved] {
                order.take_if(|(order, _)| order.starts_with(&what));
            }
        }
    }

    /// The operator knows that both nodes ran these, or all: no more is said of it. Gives whether that was said of
    /// any.
    pub fn acknowledge(&mut self, group: Option<GroupId>, now: Time) -> bool {
        let mut said = false;
        for (id, past) in &mut self.groups {
            if group.is_none_or(|wanted| wanted == *id) {
                let both = past.both.take();
                said |= both.is_some_and(|(_, at)| now.since(at) < BOTH_TOLD);
            }
        }
        said
    }

    /// Since when it is active here.
    pub fn since(&self, group: GroupId) -> Option<Time> {
        self.groups.get(&group)?.since
    }

    /// What brought it here.
    pub fn came_by(&self, group: GroupId) -> Option<&String> {
        self.groups.get(&group)?.came_by.as_ref()
    }

    /// Why it was stopped here.
    pub fn went_by(&self, group: GroupId) -> Option<&String> {
        self.groups.get(&group)?.went_by.as_ref()
    }

    /// That both nodes ran it, and since when that is known, if that is not long ago.
    pub fn both(&self, group: GroupId, now: Time) -> Option<&(String, Time)> {
        let both = self.groups.get(&group)?.both.as_ref();
        both.filter(|(_, at)| now.since(*at) < BOTH_TOLD)
    }
}

impl Past {
    /// It starts, and the peer agrees.
    fn comes(&mut self, agreed: &str, now: Time) {
        let cause = match (self.given.take(), self.why_given.take()) {
            (Some(given), Some(why)) => format!("{given}: {why}"),
            (Some(given), None) => {
                self.unexplained = Some(now);
                given
            }
            (None, _) => match (self.by_order(now), &self.kept) {
                (Some(order), _) => order,
                (None, Some((why, at))) if now.since(*at) < JUST => {
                    format!("what kept it from running is over: {why}")
                }
                (None, _) => agreed.to_owned(),
            },
        };
        self.came_by = Some(cause);
    }

    /// An order lets it run that this node heard of by a heartbeat, unless it was given here.
    fn free(&mut self, words: &str, now: Time) {
        let signed = self.freed.as_ref();
        let signed = signed.is_some_and(|(_, at)| now.since(*at) < LATE);
        if !signed && self.since.is_none() {
            self.freed = Some((words.to_owned(), now));
        }
    }

    /// The order that let it run a moment ago.
    fn by_order(&mut self, now: Time) -> Option<String> {
        let (order, at) = self.freed.take()?;
        let signed = order.starts_with('`');
        self.unsigned = (!signed).then_some(now);
        (now.since(at) < BY_ORDER).then_some(order)
    }

    /// Why the peer gave it; of an operator's wish, whose.
    fn signed(&self, why: &str, now: Time) -> String {
        let moved = self.moved.as_ref();
        let moved = moved.filter(|(_, at)| now.since(*at) < BY_ORDER);
        match moved.filter(|_| why == Reason::Operator.to_string()) {
            Some((order, _)) => order.clone(),
            None => why.to_owned(),
        }
    }
}

/// When both nodes began to run it, by the clock, where that is more than a moment ago.
pub fn since_about(reason: &Reason, wall_ms: u64, zone: clock::Zone) -> Option<String> {
    match reason {
        Reason::BothRan { most, .. } if !most.is_zero() => {
            let began = wall_ms.saturating_sub(most.as_millis() as u64);
            let began = clock::local((began / 1000) as i64, zone);
            Some(format!("; since {began} at the earliest"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::sample::{Sample, WEB};
    use super::*;
    use crate::wire::heartbeat::{Side, Token};

    fn report(change: Change, reason: Reason) -> Report {
        Report {
            group: Some(WEB),
            change,
            reason,
        }
    }

    fn at(seconds: u64) -> Time {
        Time(0) + Duration::from_secs(seconds)
    }

    const MINE: Change = Change::Token(Token {
        epoch: 6,
        holder: Side::First,
    });

    fn line(change: &str, to: &str, reason: &str) -> Entry {
        Entry {
            time: String::new(),
            boottime_us: 0,
            cluster: "edge-lb".into(),
            node: "lb2".into(),
            group: Some("web".into()),
            level: "info".into(),
            change: change.into(),
            from: None,
            to: Some(to.into()),
            reason: reason.into(),
            lasted_ms: None,
        }
    }

    #[test]
    fn what_is_handed_over_came_by_what_the_giver_says() {
        let (mut course, sample) = (Course::default(), Sample::default());
        let names = &sample.names;
        let starting = || Change::Role(Role::Stopped, Role::Starting);
        let follow = |course: &mut Course, change, reason: Reason| {
            let report = report(change, reason);
            let words = names.reason(&report.reason, report.group);
            course.follow(&report, &words, |_| false, at(0));
        };
        let came_by = |course: &Course| course.came_by(WEB).cloned();
        follow(&mut course, starting(), Reason::FoundRunning);
        let found = "found running when the daemon started";
        assert_eq!(came_by(&course).as_deref(), Some(found));
        follow(&mut course, starting(), Reason::Agreement);
        let agreed = "lb2 agrees and runs nothing of it";
        assert_eq!(came_by(&course).as_deref(), Some(agreed));
        // A daemon that is restarted finds it running.
        follow(&mut course, starting(), Reason::FoundRunning);
        assert_eq!(came_by(&course).as_deref(), Some(agreed));
        follow(
            &mut course,
            Change::Role(Role::Active, Role::Stopped),
            Reason::Operator,
        );
        assert_eq!(came_by(&course), None);
        course.hear(
            &line("role", "stopping", "the operator asked for it"),
            names,
            at(0),
        );
        follow(&mut course, MINE, Reason::Granted);
        follow(&mut course, starting(), Reason::Agreement);
        let given = "handed over by lb2: the operator asked for it";
        assert_eq!(came_by(&course).as_deref(), Some(given));
        // What it once stopped for is no reason for what comes later.
        course.hear(&line("role", "stopping", "standby"), names, at(0));
        course.hear(&line("role", "active", "everything runs"), names, at(0));
        follow(&mut course, MINE, Reason::GrantedInNeed);
        follow(&mut course, starting(), Reason::Agreement);
        let given = "handed over by lb2, which could not run it well";
        assert_eq!(came_by(&course).as_deref(), Some(given));
        // Its word may come after the group.
        course.hear(&line("role", "stopping", "eth0: no carrier"), names, at(2));
        let given = "handed over by lb2, which could not run it well: eth0: no carrier";
        assert_eq!(came_by(&course).as_deref(), Some(given));
    }

    /// An order as a node tells of it.
    fn order(node: &str, what: &str) -> Entry {
        Entry {
            node: node.into(),
            group: None,
            change: "command".into(),
            to: None,
            ..line("", "", &format!("{what}{ASKED_FOR_BY}root, process 7"))
        }
    }

    fn starts(course: &mut Course, reason: Reason, at: Time) -> String {
        let names = Sample::default().names;
        let report = report(Change::Role(Role::Stopped, Role::Starting), reason);
        let words = names.reason(&report.reason, report.group);
        course.follow(&report, &words, |_| false, at);
        course.came_by(WEB).cloned().unwrap_or_default()
    }

    #[test]
    fn what_starts_after_an_order_starts_by_it() {
        let names = Sample::default().names;
        let online = "`online lb1` was ordered on lb1 by root, process 7";
        let given = |what: &str, served: bool| {
            let mut course = Course::default();
            course.ordered(&order("lb1", what), &names, |_| served, at(10));
            course
        };
        assert_eq!(
            starts(&mut given("online lb1", false), Reason::Agreement, at(11)),
            online
        );
        assert_eq!(
            starts(&mut given("start web", false), Reason::PeerLeft, at(11)),
            "`start web` was ordered on lb1 by root, process 7; lb2 left: stopped and handed over"
        );
        let agreed = "lb2 agrees and runs nothing of it";
        for (what, served, later) in [
            ("online lb1", true, 11),
            ("online lb1", false, 60),
            ("start other", false, 11),
            ("maintenance on", false, 11),
            ("reload", false, 11),
        ] {
            let mut course = given(what, served);
            assert_eq!(
                starts(&mut course, Reason::Agreement, at(later)),
                agreed,
                "{what}"
            );
        }
        // Refused, it is no reason.
        let mut course = given("clear web", false);
        let refused = Entry {
            level: "warning".into(),
            reason: "clear web: still blocked".into(),
            ..order("lb1", "")
        };
        course.ordered(&refused, &names, |_| false, at(11));
        assert_eq!(starts(&mut course, Reason::Agreement, at(12)), agreed);
        // What starts after that has another reason.
        let mut course = given("clear", false);
        assert!(starts(&mut course, Reason::Agreement, at(11)).starts_with("`clear` was ordered"));
        assert_eq!(starts(&mut course, Reason::Agreement, at(12)), agreed);
    }

    /// It acts by a heartbeat, and who gave it is in the other node's history.
    #[test]
    fn an_order_given_on_the_other_node_is_signed_when_its_line_comes() {
        let names = Sample::default().names;
        let mut course = Course::default();
        course.kept(WEB, "lb1 is in standby", at(9));
        let ended = Report {
            group: None,
            change: Change::Wish,
            reason: Reason::Standby(Side::First, false),
        };
        course.follow(&ended, "lb1 online again", |_| true, at(9));
        course.follow(&ended, "lb1 online again", |_| false, at(10));
        assert_eq!(
            starts(&mut course, Reason::Agreement, at(10)),
            "lb1 online again"
        );
        course.ordered(&order("lb2", "online lb1"), &names, |_| true, at(11));
        assert_eq!(
            course.came_by(WEB).unwrap(),
            "`online lb1` was ordered on lb2 by root, process 7"
        );
        // A move is signed, too.
        course.ordered(
            &order("lb1", "failover web --to lb1"),
            &names,
            |_| true,
            at(20),
        );
        course.hear(
            &line("role", "stopping", "the operator asked for it"),
            &names,
            at(20),
        );
        course.follow(
            &report(MINE, Reason::Granted),
            "handed over by lb2",
            |_| true,
            at(20),
        );
        assert_eq!(
            starts(&mut course, Reason::Agreement, at(20)),
            "handed over by lb2: `failover web --to lb1` was ordered on lb1 by root, process 7"
        );
    }

    #[test]
    fn what_kept_it_and_has_just_ended_is_why_it_starts() {
        let mut course = Course::default();
        course.kept(WEB, "eth0: no carrier", at(9));
        assert_eq!(
            starts(&mut course, Reason::Agreement, at(10)),
            "what kept it from running is over: eth0: no carrier"
        );
        course.kept(WEB, "eth0: no carrier", at(9));
        let agreed = "lb2 agrees and runs nothing of it";
        assert_eq!(starts(&mut course, Reason::Agreement, at(60)), agreed);
    }

    #[test]
    fn what_is_put_back_after_maintenance_is_active_since_before() {
        let mut course = Course::default();
        let mut change = |from, to, reason, second| {
            course.follow(
                &report(Change::Role(from, to), reason),
                "words",
                |_| false,
                at(second),
            );
            (course.since(WEB), course.came_by(WEB).cloned())
        };
        let words = Some("words".to_owned());
        change(Role::Stopped, Role::Starting, Reason::BestEffort, 1);
        change(Role::Starting, Role::Active, Reason::Complete, 2);
        change(Role::Active, Role::Starting, Reason::FoundRunning, 50);
        let mended = change(Role::Starting, Role::Active, Reason::Complete, 51);
        assert_eq!(mended, (Some(at(2)), words));
        change(Role::Active, Role::Stopping, Reason::Operator, 60);
        assert_eq!(
            change(Role::Stopping, Role::Stopped, Reason::Operator, 61),
            (None, None)
        );
    }

    /// What it stopped for once is no reason for what stops it now.
    #[test]
    fn what_stops_it_is_known_from_the_first_moment() {
        let mut course = Course::default();
        let mut change = |from, to, reason, words: &str| {
            let report = report(Change::Role(from, to), reason);
            course.follow(&report, words, |_| true, at(60));
            course.went_by(WEB).cloned()
        };
        let lost = "it was unmounted by somebody else";
        let failed = || Reason::ResourceFailed(crate::id::ResourceId(1), String::new());
        change(Role::Active, Role::Stopping, failed(), lost);
        assert_eq!(
            change(Role::Stopping, Role::Stopped, failed(), lost).as_deref(),
            Some(lost)
        );
        change(Role::Stopped, Role::Starting, Reason::Agreement, "agreed");
        change(
            Role::Starting,
            Role::Active,
            Reason::Complete,
            "everything runs",
        );
        let wish = "the operator asked for it";
        let went_by = change(Role::Active, Role::Stopping, Reason::Operator, wish);
        assert_eq!(went_by.as_deref(), Some(wish));
    }

    #[test]
    fn that_both_ran_it_is_told_until_the_operator_knows_it() {
        let mut course = Course::default();
        course.remember_both(WEB, "ran on both".into(), at(100));
        assert!(course.both(WEB, at(200)).is_some());
        assert!(!course.acknowledge(Some(GroupId(99)), at(200)));
        assert!(course.acknowledge(None, at(200)));
        assert_eq!(course.both(WEB, at(200)), None);
        assert!(!course.acknowledge(None, at(200)));
    }

    #[test]
    fn that_both_ran_it_is_told_for_an_hour() {
        let mut course = Course::default();
        let both = Reason::BothRan {
            most: Duration::from_millis(13_400),
            yields: true,
            sure: true,
        };
        let report = report(Change::Notice, both.clone());
        course.follow(&report, "ran on both", |_| true, at(100));
        assert_eq!(
            course.both(WEB, at(3699)),
            Some(&("ran on both".into(), at(100)))
        );
        assert_eq!(course.both(WEB, at(3700)), None);
        let wall = 1_795_000_000_400;
        assert_eq!(
            since_about(&both, wall, clock::Zone::Utc).as_deref(),
            Some("; since Nov 18 11:06:27 at the earliest")
        );
        assert_eq!(since_about(&Reason::Complete, wall, clock::Zone::Utc), None);
    }
}
