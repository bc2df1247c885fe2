//! The process that touches the device: `ha-appliance __mount VERB FILES TICKET LIMIT POINT DEVICE KIND OPTIONS`,
//! which nobody types. It prints one line: what became of it.

use super::lock::Files;
use super::{Answer, Found, Kind, Table, Target, Verb, claim, probe, start, stop};
use crate::agents::trouble::Trouble;
use crate::agents::words::in_one_line;
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The word by which this is asked for.
pub const WORD: &str = "__mount";

/// What a helper is to do.
pub(super) struct Order {
    verb: Verb,
    files: Files,
    ticket: String,
    limit: Duration,
    target: Target,
}

impl Order {
    /// The latest: earlier ones that have not begun do nothing any more. One that only uses what is mounted voids none.
    pub(super) fn new(
        run_dir: &Path,
        verb: Verb,
        target: &Target,
        limit: Duration,
    ) -> Result<Order, Trouble> {
        let files = Files::new(run_dir, &target.point);
        let ticket = match verb {
            Verb::Look | Verb::Start | Verb::Stop => files.issue()?,
            Verb::Sync | Verb::Probe => "-".into(),
        };
        Ok(Order {
            verb,
            files,
            ticket,
            limit,
            target: target.clone(),
        })
    }

    /// For [`main`], by this program.
    pub(super) fn words(&self, program: &Path) -> Vec<String> {
        let target = &self.target;
        vec![
            program.display().to_string(),
            WORD.into(),
            self.verb.to_string(),
            self.files.path(),
            self.ticket.clone(),
            self.limit.as_millis().to_string(),
            target.point.clone(),
            target.device.clone(),
            target.kind.name().into(),
            target.options.clone(),
        ]
    }

    fn parse(words: &[String]) -> Option<Order> {
        let [verb, files, ticket, limit, point, device, kind, options] = words else {
            return None;
        };
        Some(Order {
            verb: Verb::of(verb)?,
            files: Files::at(files),
            ticket: ticket.clone(),
            limit: Duration::from_millis(limit.parse().ok()?),
            target: Target {
                point: point.clone(),
                device: device.clone(),
                kind: Kind::ALL.into_iter().find(|known| known.name() == kind)?,
                options: options.clone(),
            },
        })
    }

    fn carry_out(&self) -> Answer {
        let until = Instant::now() + self.limit.saturating_sub(MARGIN);
        let target = &self.target;
        let locked = |wait| self.files.lock(&self.ticket, wait);
        let done = match self.verb {
            Verb::Look => {
                return match locked(until) {
                    Ok(_held) => look(target),
                    Err(why) => Answer::Failed(why),
                };
            }
            Verb::Start => locked(until).and_then(|held| start::start(target, &held)),
            Verb::Stop => {
                for user in [Verb::Probe, Verb::Sync] {
                    self.files.end(&user.to_string());
                }
                locked(until).and_then(|held: File| {
                    let stopped = stop::stop(target, until);
                    drop(held);
                    stopped
                })
            }
            Verb::Sync | Verb::Probe => match self.files.share(&self.verb.to_string()) {
                None => Ok(None),
                Some(_held) if self.verb == Verb::Sync => probe::sync(target),
                Some(_held) => probe::probe(target),
            },
        };
        match done {
            Ok(more) => Answer::Done(more),
            Err(why) => Answer::Failed(why),
        }
    }
}

/// What it needs to tell that it failed.
const MARGIN: Duration = Duration::from_millis(500);

/// Does what the arguments after [`WORD`] say.
pub fn main(arguments: &[String]) -> ExitCode {
    let answer = match Order::parse(arguments) {
        Some(order) => order.carry_out(),
        None => Answer::Failed("the helper was called wrongly".into()),
    };
    println!("{}", write(&answer));
    ExitCode::SUCCESS
}

fn look(target: &Target) -> Answer {
    let table = match Table::read() {
        Ok(table) => table,
        Err(error) => return Answer::Failed(format!("/proc/self/mountinfo: {error}")),
    };
    if target.entry(&table).is_some() {
        return Answer::Found(Found::Mounted);
    }
    if target.number().is_none() {
        return Answer::Found(Found::Missing);
    }
    match claim::is_taken(&target.device) {
        Ok(true) => Answer::Found(Found::Elsewhere(claim::holders(target))),
        Ok(false) => Answer::Found(Found::Absent),
        Err(error) => Answer::Failed(format!("{}: {error}", target.device)),
    }
}

/// One line, for [`read`].
fn write(answer: &Answer) -> String {
    let (word, text) = match answer {
        Answer::Done(None) => ("done", ""),
        Answer::Done(Some(more)) => ("done", more.as_str()),
        Answer::Found(Found::Mounted) => ("mounted", ""),
        Answer::Found(Found::Absent) => ("absent", ""),
        Answer::Found(Found::Missing) => ("missing", ""),
        Answer::Found(Found::Elsewhere(holders)) => ("elsewhere", holders.as_str()),
        Answer::Failed(why) => ("failed", why.as_str()),
    };
    format!("{word} {}", in_one_line(text, super::LONGEST, |_| true))
}

/// What a helper printed; none: it means nothing.
pub(super) fn read(output: &str) -> Option<Answer> {
    let line = output.lines().next_back()?;
    let (word, text) = line.split_once(' ').unwrap_or((line, ""));
    let more = (!text.is_empty()).then(|| text.to_owned());
    Some(match word {
        "done" => Answer::Done(more),
        "mounted" => Answer::Found(Found::Mounted),
        "absent" => Answer::Found(Found::Absent),
        "missing" => Answer::Found(Found::Missing),
        "elsewhere" => Answer::Found(Found::Elsewhere(text.to_owned())),
        "failed" => Answer::Failed(text.to_owned()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for answer in [
            Answer::Done(None),
            Answer::Done(Some("fsck.ext4 corrected it".into())),
            Answer::Found(Found::Mounted),
            Answer::Found(Found::Absent),
            Answer::Found(Found::Missing),
            Answer::Found(Found::Elsewhere("mounted at /x".into())),
            Answer::Failed("no such device".into()),
        ] {
            assert_eq!(read(&(write(&answer) + "\n")), Some(answer));
        }
        assert_eq!(read("thread main panicked\n"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn an_order_comes_through_its_words() {
        let dir = crate::testing::TestDir::new();
        let target = Target {
            point: "/mnt/data".into(),
            device: "/dev/drbd1".into(),
            kind: Kind::Xfs,
            options: "noatime".into(),
        };
        let order = Order::new(&dir, Verb::Stop, &target, Duration::from_secs(5)).unwrap();
        let words = order.words(Path::new("ha-appliance"));
        assert_eq!(words[1], WORD);
        let read = Order::parse(&words[2..]).unwrap();
        assert_eq!((read.target, read.verb), (target, Verb::Stop));
        assert_eq!((read.ticket, read.limit), (order.ticket, order.limit));
        assert!(Order::parse(&words[3..]).is_none());
    }
}
