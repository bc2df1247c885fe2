//! What is still to be known of a group when its role does not say it any more: what brought it to this node, and
//! that both nodes ran it.

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
    /// What brought it here.
    came_by: Option<String>,
    /// The peer gives it: in these words.
    given: Option<String>,
    /// Why the peer stops it, by its own word.
    why_given: Option<String>,
    /// It was handed over at that time, and the peer's word why had not come.
    unexplained: Option<Time>,
    /// Why it was stopped here.
    went_by: Option<String>,
    /// Both nodes ran it: in these words, at that time.
    both: Option<(String, Time)>,
}

/// The peer's history comes after its heartbeats.
const LATE: Duration = Duration::from_secs(5);

/// So long it is said that both nodes ran it.
pub const BOTH_TOLD: Duration = Duration::from_secs(3600);

impl Course {
    /// It runs on over a restart of the daemon, which knew why it had come.
    pub fn remember(&mut self, group: GroupId, came_by: Option<String>) {
        self.groups.entry(group).or_default().came_by = came_by;
    }

    /// What the core reported, in the words in which it was told.
    pub fn follow(&mut self, report: &Report, words: &str, now: Time) {
        let Some(group) = report.group else { return };
        let past = self.groups.entry(group).or_default();
        match (&report.change, &report.reason) {
            (Change::Token(_), Reason::Granted | Reason::GrantedInNeed) => {
                past.given = Some(words.to_owned());
            }
            (Change::Token(_), _) => past.given = None,
            // What runs on came by what it came by before.
            (
                Change::Role(_, Role::Starting | Role::Active),
                Reason::Resumed | Reason::FoundRunning,
            ) => {
                let found = || "found running when the daemon started".into();
                past.came_by.get_or_insert_with(found);
            }
            (Change::Role(_, Role::Starting), Reason::Agreement) => {
                let given = past.given.take().map(|given| match past.why_given.take() {
                    Some(why) => format!("{given}: {why}"),
                    None => {
                        past.unexplained = Some(now);
                        given
                    }
                });
                past.came_by = Some(given.unwrap_or_else(|| words.to_owned()));
            }
            (Change::Role(_, Role::Starting), _) => past.came_by = Some(words.to_owned()),
            (Change::Role(_, Role::Stopped | Role::Failed), _) => {
                past.came_by = None;
                past.went_by = Some(words.to_owned());
            }
            (Change::Notice, Reason::BothRan { .. }) => {
                past.both = Some((words.to_owned(), now));
            }
            _ => {}
        }
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
                match (&mut past.came_by, late) {
                    (Some(came_by), Some(at)) if now.since(at) < LATE => {
                        *came_by += &format!(": {}", entry.reason);
                    }
                    _ => past.why_given = Some(entry.reason.clone()),
                }
            }
            ("role", Some("starting" | "active")) => past.why_given = None,
            _ => {}
        }
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
            course.follow(&report, &words, at(0));
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

    #[test]
    fn that_both_ran_it_is_told_for_an_hour() {
        let mut course = Course::default();
        let both = Reason::BothRan {
            most: Duration::from_millis(13_400),
            yields: true,
            sure: true,
        };
        let report = report(Change::Notice, both.clone());
        course.follow(&report, "ran on both", at(100));
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
