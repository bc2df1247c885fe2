//! qemu's control socket (QMP): orders to a virtual machine's hardware, and what happens to it.

use crate::link::connect;
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// One connection to one qemu.
pub struct Qmp(Mutex<Inner>);

struct Inner {
    writer: UnixStream,
    answers: Receiver<Value>,
}

impl Qmp {
    /// Connects, and passes on the names of events.
    pub fn open(socket: &Path, happened: impl Fn(&str) + Send + 'static) -> io::Result<Qmp> {
        let stream = connect(socket)?;
        let writer = stream.try_clone()?;
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { break };
                let Ok(message) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                match message["event"].as_str() {
                    Some(event) => happened(event),
                    None if message["QMP"].is_object() => {}
                    None => drop(sender.send(message)),
                }
            }
        });
        let qmp = Qmp(Mutex::new(Inner { writer, answers }));
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Gives an order, which must succeed.
    pub fn execute(&self, order: &str, arguments: Value) -> io::Result<()> {
        let mut inner = self.0.lock().expect("no panic while held");
        let message = json!({"execute": order, "arguments": arguments});
        inner.writer.write_all(format!("{message}\n").as_bytes())?;
        let answer = inner.answers.recv_timeout(Duration::from_secs(10));
        let answer = answer.map_err(|e| io::Error::other(format!("qemu: {order}: {e}")))?;
        match &answer["error"] {
            Value::Null => Ok(()),
            error => Err(io::Error::other(format!("qemu: {order}: {error}"))),
        }
    }
}

impl Drop for Qmp {
    fn drop(&mut self) {
        let inner = self.0.get_mut().expect("no panic while held");
        let _ = inner.writer.shutdown(std::net::Shutdown::Both);
    }
}
