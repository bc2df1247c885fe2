//! The process that touches the device: `ha-appliance __mount VERB FILES TICKET LIMIT POINT DEVICE KIND OPTIONS`,
//! which nobody types. It prints one line: what became of it.

use super::lock::Files;
use super::{Answer, Found, Kind, Table, Target, Undone, Verb, claim, probe, start, stop};
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

    fn carry_out(&self) -> Result<Answer, Trouble> {
        let until = Instant::now() + self.limit.saturating_sub(MARGIN);
        let target = &self.target;
        let locked = |wait| self.files.lock(&self.ticket, wait);
        let done = match self.verb {
            Verb::Look => locked(until).and_then(|_held| look(target)),
            Verb::Start => locked(until).and_then(|held| start::start(target, &held, until)),
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
            Verb::Sync | Verb::Probe => match self.files.share(&self.verb.to_string())? {
                None => Ok(Answer::Done(None)),
                Some(_held) if self.verb == Verb::Sync => probe::sync(target),
                Some(_held) => probe::probe(target),
            },
        };
        match done {
            Ok(answer) => Ok(answer),
            Err(Undone::Failed(why)) => Ok(Answer::Failed(why)),
            Err(Undone::Unasked(trouble)) => Err(trouble),
        }
    }
}

/// What it needs to tell that it failed.
const MARGIN: Duration = Duration::from_millis(500);

/// Does what the arguments after [`WORD`] say.
pub fn main(arguments: &[String]) -> ExitCode {
    let answer = match Order::parse(arguments) {
        Some(order) => order.carry_out(),
        None => Ok(Answer::Failed("the helper was called wrongly".into())),
    };
    println!("{}", write(&answer));
    ExitCode::SUCCESS
}

fn look(target: &Target) -> Result<Answer, Undone> {
    let table = Table::seen()?;
    if target.entry(&table).is_some() {
        return Ok(Answer::Found(Found::Mounted));
    }
    if target.number().is_none() {
        return Ok(Answer::Found(Found::Missing));
    }
    Ok(Answer::Found(match claim::is_taken(&target.device)? {
        true => Found::Elsewhere(claim::holders(target)),
        false => Found::Absent,
    }))
}

/// One line, for [`read`].
fn write(answer: &Result<Answer, Trouble>) -> String {
    let (word, text) = match answer {
        Ok(Answer::Done(None)) => ("done", ""),
        Ok(Answer::Done(Some(more))) => ("done", more.as_str()),
        Ok(Answer::Found(Found::Mounted)) => ("mounted", ""),
        Ok(Answer::Found(Found::Absent)) => ("absent", ""),
        Ok(Answer::Found(Found::Missing)) => ("missing", ""),
        Ok(Answer::Found(Found::Elsewhere(holders))) => ("elsewhere", holders.as_str()),
        Ok(Answer::Failed(why)) => ("failed", why.as_str()),
        Err(Trouble(why)) => ("unasked", why.as_str()),
    };
    format!("{word} {}", in_one_line(text, super::LONGEST, |_| true))
}

/// What a helper printed; none: it means nothing.
pub(super) fn read(output: &str) -> Option<Result<Answer, Trouble>> {
    let line = output.lines().next_back()?;
    let (word, text) = line.split_once(' ').unwrap_or((line, ""));
    let more = (!text.is_empty()).then(|| text.to_owned());
    Some(Ok(match word {
        "unasked" => return Some(Err(Trouble(text.to_owned()))),
        "done" => Answer::Done(more),
        "mounted" => Answer::Found(Found::Mounted),
        "absent" => Answer::Found(Found::Absent),
        "missing" => Answer::Found(Found::Missing),
        "elsewhere" => Answer::Found(Found::Elsewhere(text.to_owned())),
        "failed" => Answer::Failed(text.to_owned()),
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for answer in [
            Ok(Answer::Done(None)),
            Ok(Answer::Done(Some("fsck.ext4 corrected it".into()))),
            Ok(Answer::Found(Found::Mounted)),
            Ok(Answer::Found(Found::Absent)),
            Ok(Answer::Found(Found::Missing)),
            Ok(Answer::Found(Found::Elsewhere("mounted at /x".into()))),
            Ok(Answer::Failed("no such device".into())),
            Err(Trouble("too many open files".into())),
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
