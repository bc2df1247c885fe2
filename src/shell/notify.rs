//! The operator's `notify` hook: a program run at each transition, with its JSON on stdin.
//!
//! One at a time and in order, so that a hook needs no locking; each has [`LIMIT`] and is then killed
//! with all its children. A queue of [`MAX_QUEUE`] waits for a slow one; what does not fit is dropped
//! and counted: a hook can be late, but it can hold up nothing.

use super::history::Entry;
use crate::agents::program::{End, MAX_OUTPUT, Program, Programs};
use crate::agents::words::in_one_line;
use smol::Timer;
use smol::channel::{Receiver, Sender, bounded};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// So long one run of the hook may take.
pub const LIMIT: Duration = Duration::from_secs(10);
/// Between two tries to run it, while this machine cannot.
const PAUSE: Duration = Duration::from_secs(1);
/// So many transitions wait for the hook at most.
pub const MAX_QUEUE: usize = 64;

/// Where transitions go in. Dropping it lets the hook run for what waits, and then ends its task.
#[derive(Debug)]
pub struct Notifier {
    queue: Sender<Entry>,
    lost: Cell<u64>,
    name: String,
    ran: Ran,
    /// Closed once the hook has run for all that waited.
    ended: Receiver<()>,
}

/// How the hook ran last; none: it did not run yet.
type Ran = Rc<RefCell<Option<Result<(), String>>>>;

impl Notifier {
    /// For this program. The task is for the daemon's executor.
    pub fn new(
        hook: Program,
        programs: Programs,
    ) -> (Notifier, impl Future<Output = ()> + 'static) {
        Self::with_limit(hook, programs, LIMIT)
    }

    /// Takes the transition and returns at once.
    pub fn push(&self, entry: Entry) {
        if self.queue.try_send(entry).is_err() {
            self.lost.set(self.lost.get() + 1);
            let why = format!("it is too slow: {MAX_QUEUE} transitions wait, more are dropped");
            self.ran.replace(Some(Err(why)));
        }
    }

    /// Nothing more comes: ends once the hook has run for all that waits.
    pub async fn end(self) {
        drop(self.queue);
        // Nobody sends: it is closed.
        let _ = self.ended.recv().await;
    }

    /// How the hook ran last, or why it does not work; none: it did not run yet.
    pub fn ran(&self) -> Option<Result<(), String>> {
        self.ran.borrow().clone()
    }

    /// Which hook it is: its program, and who it runs as.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many transitions were dropped, for the counters.
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }

    /// The same for a hook that may take so long.
    pub fn with_limit(
        hook: Program,
        programs: Programs,
        limit: Duration,
    ) -> (Notifier, impl Future<Output = ()> + 'static) {
        let (queue, entries) = bounded(MAX_QUEUE);
        let (open, ended) = bounded(1);
        let ran = Ran::default();
        let user = hook.user.as_deref().unwrap_or_default();
        (
            Notifier {
                queue,
                lost: Cell::new(0),
                name: format!("{} {user}", hook.words.join(" ")),
                ran: ran.clone(),
                ended,
            },
            async move {
                serve(hook, programs, entries, limit, ran).await;
                drop(open);
            },
        )
    }
}

async fn serve(
    hook: Program,
    programs: Programs,
    entries: Receiver<Entry>,
    limit: Duration,
    ran: Ran,
) {
    while let Ok(entry) = entries.recv().await {
        let ended = run(&hook, &programs, &entry, limit).await;
        ran.replace(Some(ended));
    }
}

async fn run(
    hook: &Program,
    programs: &Programs,
    entry: &Entry,
    limit: Duration,
) -> Result<(), String> {
    let name = hook.words.join(" ");
    let Ok(mut input) = serde_json::to_vec(entry) else {
        return Ok(());
    };
    input.push(b'\n');
    let begin = Instant::now();
    let ended = loop {
        match programs.run("notify", hook, &input, limit).await {
            Ok(ended) => break ended,
            Err(trouble) if begin.elapsed() < limit => {
                log::debug!("notify: {name}: {trouble}; tried again");
                Timer::after(PAUSE).await;
            }
            Err(trouble) => return Err(format!("{name}: {trouble}")),
        }
    };
    let said = match in_one_line(&ended.output, MAX_OUTPUT, |_| true) {
        words if words.is_empty() => words,
        words => format!(": {words}"),
    };
    let seconds = limit.as_secs_f32();
    match ended.end {
        End::Exited(0) => Ok(()),
        End::Exited(status) => Err(format!("{name} failed (exit status {status}){said}")),
        End::Killed(signal) => Err(format!("{name} failed (signal {signal}){said}")),
        End::Late => Err(format!(
            "{name} took longer than {seconds} s and was killed{said}"
        )),
    }
}
