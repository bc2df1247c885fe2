//! What a scenario leaves behind: its time line, its figures, and the overlaps it may have.

use crate::machine;
use crate::net::NODES;
use crate::sweep;
use crate::sys::{Micros, now};
use crate::watch::{Change, Overlap, Watch};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Shared by the scenario and by whoever reports on it when it fails or hangs.
pub struct Record {
    /// Full counts instead of quick ones.
    pub long: bool,
    start: Micros,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    notes: Vec<(Micros, String)>,
    figures: Vec<(String, Vec<Duration>)>,
    allowance: Option<(String, Duration)>,
    violations: Vec<(Micros, String)>,
    watch: Option<Arc<Watch>>,
}

/// The lifetime of a ceded address, and the second in which the kernel looks for what has ended.
const HANDED_OVER: Duration = Duration::from_secs(3);

impl Record {
    /// An empty record.
    pub fn new(long: bool) -> Arc<Record> {
        Arc::new(Record {
            long,
            start: now(),
            inner: Mutex::default(),
        })
    }

    /// Adds a line to the time line.
    pub fn note(&self, text: impl Into<String>) -> Micros {
        let at = now();
        self.inner().notes.push((at, text.into()));
        at
    }

    /// Adds a measurement; those of one name are summed up together.
    pub fn figure(&self, name: &str, value: Duration) {
        let figures = &mut self.inner().figures;
        match figures.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value),
            None => figures.push((name.to_string(), vec![value])),
        }
    }

    /// The figures so far in one line; the next ones are another part's, and so is the next allowance.
    pub fn take_figures(&self) -> String {
        let line = self.figures();
        let mut inner = self.inner();
        inner.figures.clear();
        inner.allowance = None;
        line
    }

    /// Lets both nodes hold a VIP for at most so long, and says why that cannot be avoided.
    pub fn allow_overlap(&self, reason: &str, at_most: Duration) {
        self.inner().allowance = Some((reason.to_string(), at_most));
    }

    /// How long both may run the same.
    pub fn allowed(&self) -> Duration {
        let inner = self.inner();
        inner.allowance.as_ref().map_or(Duration::ZERO, |(_, d)| *d)
    }

    /// Something that must never be has been seen.
    pub fn violation(&self, what: String) {
        self.inner().violations.push((now(), what));
    }

    /// Tells where the address events are.
    pub fn watch(&self, watch: Arc<Watch>) {
        self.inner().watch = Some(watch);
    }

    /// Fails on a violation, or on the first overlap longer than allowed. An address that was ceded
    /// may be on both until the kernel ends it.
    pub fn judge(&self, overlaps: &[Overlap]) -> crate::lab::Outcome {
        if let Some((at, what)) = self.inner().violations.first() {
            return Err(format!("{what} at {} µs", at - self.start).into());
        }
        let allowance = self.inner().allowance.clone();
        let allowance = allowance.unwrap_or(("nothing".into(), Duration::ZERO));
        for overlap in overlaps {
            let length = Duration::from_micros(overlap.until - overlap.from);
            let (reason, at_most) = match overlap.handed_over {
                true => ("a move without a gap".into(), HANDED_OVER),
                false => allowance.clone(),
            };
            crate::ensure!(
                length <= at_most && at_most > Duration::ZERO,
                "both nodes held {} from {} µs to {} µs, {} µs long ({reason} allows {at_most:?})",
                overlap.address,
                overlap.from - self.start,
                overlap.until - self.start,
                overlap.until - overlap.from,
            );
            let what = match overlap.handed_over {
                true => "both had it for",
                false => "allowed overlap",
            };
            self.figure(what, length);
        }
        Ok(())
    }

    /// The figures in one line: `client outage 0.532 s`.
    pub fn figures(&self) -> String {
        let inner = self.inner();
        let lines = inner
            .figures
            .iter()
            .map(|(name, values)| match &values[..] {
                [one] => format!("{name} {}", seconds(*one)),
                many => {
                    let longest = many.iter().max().expect("not empty");
                    format!(
                        "{name} {} (longest of {}: {})",
                        seconds(median(many)),
                        many.len(),
                        seconds(*longest)
                    )
                }
            });
        lines.collect::<Vec<_>>().join(", ")
    }

    /// Notes, address events and what machines have in their journals, merged, in seconds since the
    /// start.
    pub fn time_line(&self) -> String {
        let inner = self.inner();
        let mut lines = inner.notes.clone();
        for host in NODES {
            lines.extend(machine::journal(host));
        }
        let events = inner
            .watch
            .as_ref()
            .map(|watch| watch.events())
            .unwrap_or_default();
        // A thousand renewals say nothing; the last of each node's run of renewals does.
        for (i, event) in events.iter().enumerate() {
            let next = events[i + 1..]
                .iter()
                .find(|e| (e.host, e.address) == (event.host, event.address));
            if event.change == Change::Renewed && next.is_some_and(|n| n.change == Change::Renewed)
            {
                continue;
            }
            let what = format!(
                "    {} {} {:?}",
                inner.watch.as_ref().map_or("", |w| w.name(event.host)),
                event.address,
                event.change
            );
            lines.push((event.at, what));
        }
        lines.sort_by_key(|(at, _)| *at);
        let mut text = String::new();
        for (at, line) in lines {
            let _ = writeln!(
                text,
                "{:12.6}  {line}",
                (at.saturating_sub(self.start)) as f64 / 1e6
            );
        }
        text
    }

    /// Everything that helps to understand a failure.
    pub fn diagnosis(&self) -> String {
        let mut text = format!("--- time line (s)\n{}", self.time_line());
        for host in NODES {
            for name in ["daemon.log", "beside.log"] {
                let log = sweep::directory(std::process::id())
                    .join(host.tag())
                    .join(name);
                let log = std::fs::read_to_string(log).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let tail = lines[lines.len().saturating_sub(60)..].join("\n");
                if !tail.is_empty() {
                    let _ = write!(text, "--- {name} of {}\n{tail}\n", host.node_name());
                }
            }
        }
        text
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The middle value.
pub fn median(values: &[Duration]) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

/// A duration for people: milliseconds below a tenth of a second.
pub fn seconds(value: Duration) -> String {
    if value < Duration::from_millis(100) {
        format!("{:.1} ms", value.as_secs_f64() * 1e3)
    } else {
        format!("{:.3} s", value.as_secs_f64())
    }
}
