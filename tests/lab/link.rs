//! The lab's end of the line into a virtual machine: questions and their answers, what the machine tells by
//! itself, and by how much its clock differs from the lab's.

use crate::sys::{self, Micros, now};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Output};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// A machine's clock is never known better than to the half of a question and its answer. Over a busy
/// processor these take some milliseconds.
pub const KNOWN_WITHIN: Duration = Duration::from_millis(20);

/// How often the clock is asked for.
const ASK: Duration = Duration::from_millis(250);

/// What is asked of a machine that runs is answered before.
const PATIENCE: Duration = Duration::from_secs(60);

/// One line into one machine. It lives as long as the machine has power.
pub struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    writer: Mutex<UnixStream>,
}

#[derive(Default)]
struct Inner {
    last: u64,
    waiting: HashMap<u64, Sender<Value>>,
    /// When asked, for how long, and the machine's clock less the lab's.
    clock: Vec<(Micros, Micros, i64)>,
    hellos: usize,
    wrong: String,
    closed: bool,
}

impl Link {
    /// Connects, and passes on what the machine tells by itself, with the lab's time at which it was.
    pub fn open(socket: &Path, told: impl Fn(Micros, &Value) + Send + 'static) -> io::Result<Link> {
        let stream = connect(socket)?;
        let shared = Arc::new(Shared {
            inner: Mutex::default(),
            writer: Mutex::new(stream.try_clone()?),
        });
        let reader = shared.clone();
        std::thread::spawn(move || {
            sys::realtime();
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { break };
                if let Ok(message) = serde_json::from_str(&line) {
                    reader.take(message, &told);
                }
            }
            let mut inner = reader.inner();
            inner.closed = true;
            inner.waiting.clear(); // whoever waits is told
        });
        let asking = shared.clone();
        std::thread::spawn(move || {
            while !asking.inner().closed {
                // Of a machine that does not answer nothing is learnt.
                if asking.inner().hellos > 0 {
                    let _ = asking.ask_clock();
                }
                std::thread::sleep(ASK);
            }
        });
        Ok(Link { shared })
    }

    /// How often the machine has booted since it has power.
    pub fn hellos(&self) -> usize {
        self.shared.inner().hellos
    }

    /// What went wrong when its network was configured at the last boot.
    pub fn wrong(&self) -> String {
        self.shared.inner().wrong.clone()
    }

    /// Runs a shell command.
    pub fn run(&self, line: &str) -> io::Result<Output> {
        let answer = self.shared.ask(json!({"run": line}), PATIENCE)?;
        let status = answer["status"].as_i64().unwrap_or_default();
        let bytes = |key: &str| answer[key].as_str().unwrap_or_default().as_bytes().to_vec();
        Ok(Output {
            status: ExitStatus::from_raw(status as i32),
            stdout: bytes("out"),
            stderr: bytes("err"),
        })
    }

    /// Tells it to run a shell command, and waits for no answer: there may never be one.
    pub fn tell(&self, line: &str) -> io::Result<()> {
        self.shared.send(&json!({"run": line}))
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> io::Result<String> {
        let answer = self
            .shared
            .ask(json!({"read": path}), Duration::from_secs(2))?;
        Ok(answer["text"].as_str().unwrap_or_default().to_owned())
    }

    /// Writes a file, and makes the directory it stands in.
    pub fn write(&self, path: &str, text: &str, mode: u32) -> io::Result<()> {
        let request = json!({"write": path, "text": text, "mode": mode});
        self.shared.ask(request, PATIENCE).map(drop)
    }

    /// The clock stood still meanwhile: what is known of it is void.
    pub fn forget_clock(&self) {
        self.shared.inner().clock.clear();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let writer = self.shared.writer.lock().expect("no panic while held");
        let _ = writer.shutdown(std::net::Shutdown::Both);
    }
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while held")
    }

    fn send(&self, message: &Value) -> io::Result<()> {
        let mut writer = self.writer.lock().expect("no panic while held");
        writer.write_all(format!("{message}\n").as_bytes())
    }

    fn ask(&self, mut message: Value, patience: Duration) -> io::Result<Value> {
        let (sender, answer) = mpsc::channel();
        let id = {
            let mut inner = self.inner();
            inner.last += 1;
            let id = inner.last;
            inner.waiting.insert(id, sender);
            id
        };
        message["id"] = id.into();
        self.send(&message)?;
        let answer = answer.recv_timeout(patience);
        self.inner().waiting.remove(&id);
        let answer =
            answer.map_err(|e| io::Error::other(format!("no answer to {message}: {e}")))?;
        match answer["error"].as_str() {
            Some(error) => Err(io::Error::other(format!("{message}: {error}"))),
            None => Ok(answer),
        }
    }

    fn ask_clock(&self) -> io::Result<()> {
        let asked = now();
        let answer = self.ask(json!({"clock": true}), Duration::from_secs(1))?;
        let answered = now();
        let theirs = answer["at"].as_u64().unwrap_or_default() as i64;
        let ours = (asked + (answered - asked) / 2) as i64;
        let mut inner = self.inner();
        // Clocks drift apart, and one that was asked a while ago says less than it seems.
        inner.clock.retain(|(at, ..)| asked - at < 3_000_000);
        inner.clock.push((asked, answered - asked, theirs - ours));
        Ok(())
    }

    fn take(&self, message: Value, told: &impl Fn(Micros, &Value)) {
        if let Some(id) = message["id"].as_u64() {
            if let Some(waiting) = self.inner().waiting.remove(&id) {
                let _ = waiting.send(message);
            }
            return;
        }
        if message["hello"].is_u64() {
            let mut inner = self.inner();
            inner.hellos += 1;
            inner.wrong = message["wrong"].as_str().unwrap_or_default().to_owned();
            inner.clock.clear();
        }
        let at = message["at"].as_u64().map_or_else(now, |at| self.ours(at));
        told(at, &message);
    }

    /// The lab's time when the machine's clock was at this.
    fn ours(&self, theirs: Micros) -> Micros {
        let inner = self.inner();
        let best = inner.clock.iter().min_by_key(|(_, took, _)| *took);
        best.map_or_else(now, |(.., ahead)| (theirs as i64 - ahead) as Micros)
    }
}

/// Connects to what a program that was just started is about to listen on.
pub fn connect(socket: &Path) -> io::Result<UnixStream> {
    let asked = now();
    loop {
        match UnixStream::connect(socket) {
            Err(e) if sys::since(asked) > Duration::from_secs(10) => return Err(e),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
            connected => return connected,
        }
    }
}
