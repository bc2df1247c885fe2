//! The daemon before this one: what it ran and how it ended, by the status that it wrote last.

use crate::core::time::Time;
use crate::id::GroupId;
use crate::shell::clock;
use crate::shell::course::Course;
use crate::shell::status::{self, Adopted, LastStatus, Status};
use log::Level;
use std::path::Path;
use std::time::Duration;

/// What the daemon before this one left, in this boot.
pub(super) struct Before {
    /// What it ran, since when.
    pub(super) adopted: Vec<Adopted>,
    /// What had brought that to this node.
    pub(super) course: Course,
    /// How it ended.
    pub(super) end: End,
}

/// How a daemon ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// No status of a daemon of this boot is there.
    Nobody,
    /// There was one, or there may have been: its status cannot be read.
    NotKnown(String),
    /// As it was told.
    AsTold(Duration),
    /// It was told to, and did not come to its end.
    Leaving(u32, Duration),
    /// Out of the midst of it.
    Sudden(u32, Duration),
}

impl Before {
    /// By the status that is there at this moment.
    pub(super) fn find(run_dir: &Path, now: Time) -> Before {
        let nothing = |end| Before {
            adopted: Vec::new(),
            course: Course::default(),
            end,
        };
        match status::load_once(run_dir) {
            Ok(status) if status.boot_id == clock::boot_id() => Before {
                adopted: adopted(&status),
                course: course(&status),
                end: End::of(&status, now),
            },
            Ok(_) => nothing(End::Nobody),
            Err(why) => nothing(match status::last_status(run_dir) {
                LastStatus::Nobodys | LastStatus::OfAnotherBoot => End::Nobody,
                LastStatus::OfThisBoot | LastStatus::Unreadable => End::NotKnown(why),
            }),
        }
    }
}

impl End {
    fn of(status: &Status, now: Time) -> End {
        let (pid, ago) = (status.daemon.pid, now.since(Time(status.stamp_us)));
        match (status.leaving, status.daemon.ended) {
            (_, true) => End::AsTold(ago),
            (true, false) => End::Leaving(pid, ago),
            (false, false) => End::Sudden(pid, ago),
        }
    }

    /// How much that matters.
    pub(super) fn level(&self) -> Level {
        match self {
            End::Nobody | End::NotKnown(_) | End::AsTold(_) => Level::Info,
            End::Leaving(..) | End::Sudden(..) => Level::Warn,
        }
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        let ago = clock::span;
        match self {
            End::Nobody => format!(
                "no daemon before it is known of since the machine started, {} ago",
                ago(clock::now().since(Time(0)))
            ),
            End::NotKnown(why) => {
                format!("what the daemon before this one did is not known: {why}")
            }
            End::AsTold(span) => {
                format!(
                    "the daemon before this one ended as it was told, {} ago",
                    ago(*span)
                )
            }
            End::Leaving(pid, span) => format!(
                "the daemon before this one (process {pid}) was told to end and did not come to it, {} ago: killed \
                 or crashed while it handed over; {JOURNAL}",
                ago(*span)
            ),
            End::Sudden(pid, span) => format!(
                "the daemon before this one (process {pid}) ended without handing over, {} ago: killed, crashed or \
                 hung; {JOURNAL}",
                ago(*span)
            ),
        }
    }
}

const JOURNAL: &str = "`journalctl -u ha-appliance` may say why";

fn adopted(status: &Status) -> Vec<Adopted> {
    let ran = status.groups.iter();
    let ran = ran.filter(|group| group.role == "active" || group.adopted);
    let adopted = ran.map(|group| Adopted {
        group: GroupId::of(&group.name),
        epoch: group.epoch,
        since: Time(group.since_us),
    });
    adopted.collect()
}

fn course(status: &Status) -> Course {
    let mut course = Course::default();
    for group in &status.groups {
        let id = GroupId::of(&group.name);
        course.remember(id, group.came_by.clone());
        if let (Some(text), Some(at)) = (&group.both_ran, group.both_ran_us) {
            course.remember_both(id, text.clone(), Time(at));
        }
    }
    course
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::status::sample::{NOW, Sample};
    use crate::testing::TestDir;

    const LATER: Time = Time(NOW.0 + 7_000_000);

    fn write(dir: &Path, change: impl FnOnce(&mut Status)) -> Before {
        let mut status = Sample::default().status();
        status.boot_id = clock::boot_id();
        change(&mut status);
        let text = serde_json::to_vec(&status).unwrap();
        std::fs::write(dir.join("status.json"), text).unwrap();
        Before::find(dir, LATER)
    }

    #[test]
    fn only_its_last_word_says_that_it_ended_as_it_was_told() {
        let dir = TestDir::new();
        let seven = Duration::from_secs(7);
        let ended = write(&dir, |status| {
            (status.leaving, status.daemon.ended) = (true, true);
        });
        assert_eq!(ended.end, End::AsTold(seven));
        let killed = write(&dir, |status| status.leaving = true).end;
        assert_eq!(
            (killed.level(), killed.words().as_str()),
            (
                Level::Warn,
                "the daemon before this one (process 4711) was told to end and did not come to it, 7.0 s ago: \
                 killed or crashed while it handed over; `journalctl -u ha-appliance` may say why"
            )
        );
        let crashed = write(&dir, |_| {});
        assert_eq!(crashed.end, End::Sudden(4711, seven));
        assert_eq!(crashed.end.level(), Level::Warn);
        assert_eq!(crashed.adopted.len(), 1);
    }

    #[test]
    fn that_both_nodes_ran_it_is_known_after_a_restart() {
        let dir = TestDir::new();
        let before = write(&dir, |status| {
            let group = &mut status.groups[0];
            (group.both_ran, group.both_ran_us) = (Some("ran on both".into()), Some(NOW.0));
        });
        let both = before.course.both(GroupId::of("web"), LATER);
        assert_eq!(both, Some(&("ran on both".into(), NOW)));
    }

    #[test]
    fn a_status_that_cannot_be_read_is_no_first_start() {
        let dir = TestDir::new();
        assert_eq!(Before::find(&dir, LATER).end, End::Nobody);
        write(&dir, |status| status.schema += 1);
        let end = Before::find(&dir, LATER).end;
        assert!(
            end.words().starts_with(
                "what the daemon before this one did is not known: its status has schema 2"
            ),
            "{}",
            end.words()
        );
        std::fs::write(dir.join("status.json"), "{\"schema\": 1, ").unwrap();
        assert!(matches!(Before::find(&dir, LATER).end, End::NotKnown(_)));
        let other = |status: &mut Status| (status.boot_id, status.schema) = ("other".into(), 2);
        assert_eq!(write(&dir, other).end, End::Nobody);
        let other = |status: &mut Status| status.boot_id = "other".into();
        assert_eq!(write(&dir, other).end, End::Nobody);
    }
}
