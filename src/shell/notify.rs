//! The operator's `notify` hook: a program run at each transition, with its JSON on stdin.
//!
//! One at a time and in order, so that a hook needs no locking; each has [`LIMIT`] and is then killed
//! with all its children. A queue of [`MAX_QUEUE`] waits for a slow one; what does not fit is dropped
//! and counted: a hook can be late, but it can hold up nothing.

use super::history::Entry;
use crate::agents::child;
use crate::agents::words::in_one_line;
use smol::channel::{Receiver, Sender, bounded};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// So long one run of the hook may take.
pub const LIMIT: Duration = Duration::from_secs(10);
/// So many transitions wait for the hook at most.
pub const MAX_QUEUE: usize = 64;

/// Where transitions go in. Dropping it lets the hook run for what waits, and then ends its task.
#[derive(Debug)]
pub struct Notifier {
    queue: Sender<Entry>,
    lost: Cell<u64>,
}

impl Notifier {
    /// For this program. The task is for the daemon's executor.
    pub fn new(hook: PathBuf) -> (Notifier, impl Future<Output = ()> + 'static) {
        Self::with_limit(hook, LIMIT)
    }

    /// Takes the transition and returns at once.
    pub fn push(&self, entry: Entry) {
        if self.queue.try_send(entry).is_err() {
            if self.lost.get() == 0 {
                log::warn!(
                    "notify: the hook is too slow, {MAX_QUEUE} transitions wait: more are dropped"
                );
            }
            self.lost.set(self.lost.get() + 1);
        }
    }

    /// How many transitions were dropped, for the counters.
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }

    fn with_limit(
        hook: PathBuf,
        limit: Duration,
    ) -> (Notifier, impl Future<Output = ()> + 'static) {
        let (queue, entries) = bounded(MAX_QUEUE);
        (
            Notifier {
                queue,
                lost: Cell::new(0),
            },
            serve(hook, entries, limit),
        )
    }
}

async fn serve(hook: PathBuf, entries: Receiver<Entry>, limit: Duration) {
    while let Ok(entry) = entries.recv().await {
        run(&hook, &entry, limit).await;
    }
}

async fn run(hook: &Path, entry: &Entry, limit: Duration) {
    let name = hook.display();
    let Ok(mut input) = serde_json::to_vec(entry) else {
        return;
    };
    input.push(b'\n');
    match child::run(Command::new(hook), &input, limit).await {
        Ok(ended) => {
            let said = match in_one_line(&ended.output, child::MAX_OUTPUT, |_| true) {
                words if words.is_empty() => words,
                words => format!(": {words}"),
            };
            match ended.status {
                Some(status) if status.success() => log::debug!("notify: {name} ended well{said}"),
                Some(status) => log::warn!("notify: {name} failed ({status}){said}"),
                None => log::warn!(
                    "notify: {name} took longer than {} s and was killed{said}",
                    limit.as_secs()
                ),
            }
        }
        Err(e) => log::warn!("notify: {name} cannot be run: {e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDir;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    fn entry(n: i64) -> Entry {
        Entry {
            time: "2026-11-20T07:14:29.123Z".into(),
            boottime_us: n,
            cluster: "edge-lb".into(),
            node: "lb1".into(),
            group: Some("web".into()),
            change: "role".into(),
            from: Some("starting".into()),
            to: Some("active".into()),
            reason: "everything runs".into(),
            lasted_ms: Some(12),
        }
    }

    fn hook(dir: &Path, script: &str) -> PathBuf {
        let path = dir.join("hook");
        std::fs::write(
            &path,
            format!("#!/bin/sh\ncd {}\n{script}\n", dir.display()),
        )
        .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn push_all_and_end(
        notifier: Notifier,
        task: impl Future<Output = ()>,
        entries: std::ops::Range<i64>,
    ) -> u64 {
        for n in entries {
            notifier.push(entry(n));
        }
        let lost = notifier.lost();
        drop(notifier);
        smol::block_on(task);
        lost
    }

    #[test]
    fn each_transition_in_order_one_at_a_time() {
        let dir = TestDir::new();
        let script = "mkdir busy || echo overlap >> log; cat >> log; sleep 0.02; rmdir busy";
        let (notifier, task) = Notifier::new(hook(&dir, script));
        assert_eq!(push_all_and_end(notifier, task, 0..5), 0);
        let log = std::fs::read_to_string(dir.join("log")).unwrap();
        let read: Vec<Entry> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(read, (0..5).map(entry).collect::<Vec<_>>());
    }

    #[test]
    fn a_hanging_hook_is_killed_and_the_next_runs() {
        let dir = TestDir::new();
        let (notifier, task) = Notifier::with_limit(
            hook(&dir, "cat >> log; [ $(wc -l < log) = 2 ] || sleep 60"),
            Duration::from_millis(200),
        );
        let start = Instant::now();
        push_all_and_end(notifier, task, 0..2);
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(
            std::fs::read_to_string(dir.join("log"))
                .unwrap()
                .lines()
                .count(),
            2
        );
    }

    #[test]
    fn the_queue_is_bounded_and_a_missing_hook_harmless() {
        let dir = TestDir::new();
        let (notifier, task) = Notifier::new(dir.join("absent"));
        assert_eq!(push_all_and_end(notifier, task, 0..MAX_QUEUE as i64 + 3), 3);
    }
}
