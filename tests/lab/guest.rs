//! The lab's hand in a virtual machine: the program behind `lab __guest`, which the machine's systemd
//! starts from what it shares with the lab. It runs commands, reads and writes files, and tells of every
//! address and service that comes or goes, with the stamp of the machine's own clock.
//!
//! One line of JSON each way is one message, over a virtio serial port: `link` has the other end.

use crate::rtnl::{AddressEvent, AddressFeed};
use crate::sys::{self, now};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The port's name, as qemu gives it and the machine's kernel shows it.
pub const PORT: &str = "ha.lab";

/// The services that are told of.
const SERVICES: [&str; 2] = ["nginx.service", "apache2.service"];

/// What is told of as if it were one: a DRBD resource that is Primary here.
const PRIMARY: &str = "a Primary of DRBD";

/// How often it is looked whether one runs.
pub const LOOK: Duration = Duration::from_millis(50);

/// Configures the machine's network by the script that the lab left, says hello, and serves for ever.
pub fn guest_main() -> io::Result<()> {
    let set_up = Command::new("/bin/sh").arg("/lab/network").output()?;
    let wrong = String::from_utf8_lossy(&set_up.stderr).into_owned();
    let port = format!("/dev/virtio-ports/{PORT}");
    let port = File::options().read(true).write(true).open(port)?;
    let lines = BufReader::new(port.try_clone()?).lines();
    let port = Port(Arc::new(Mutex::new(port)));
    port.send(&json!({"hello": now(), "wrong": wrong}))?;
    let (addresses, services) = (port.clone(), port.clone());
    std::thread::spawn(move || tell_addresses(&addresses));
    std::thread::spawn(move || tell_services(&services));
    for line in lines {
        // What was cut off when this machine or the lab's end went away is nothing to answer.
        if let Ok(request) = serde_json::from_str::<Value>(&line?) {
            serve(&port, request)?;
        }
    }
    Ok(())
}

#[derive(Clone)]
struct Port(Arc<Mutex<File>>);

impl Port {
    fn send(&self, message: &Value) -> io::Result<()> {
        let mut port = self.0.lock().expect("no panic while held");
        port.write_all(format!("{message}\n").as_bytes())
    }
}

fn serve(port: &Port, request: Value) -> io::Result<()> {
    let id = request["id"].clone();
    let text = |key: &str| request[key].as_str().map(str::to_owned);
    if request["clock"] == true {
        port.send(&json!({"id": id, "at": now()}))
    } else if let Some(path) = text("read") {
        let answer = match fs::read_to_string(path) {
            Ok(read) => json!({"id": id, "text": read}),
            Err(e) => json!({"id": id, "error": e.to_string()}),
        };
        port.send(&answer)
    } else if let Some(path) = text("write") {
        let mode = request["mode"].as_u64().unwrap_or(0o644);
        let written = write(path.into(), &text("text").unwrap_or_default(), mode as u32);
        let error = written.err().map(|e| e.to_string());
        port.send(&json!({"id": id, "error": error}))
    } else if let Some(line) = text("run") {
        let port = port.clone();
        // A command takes as long as it likes, and another may be told meanwhile.
        std::thread::spawn(move || port.send(&run(id, &line)));
        Ok(())
    } else {
        port.send(&json!({"id": id, "error": "not understood"}))
    }
}

fn write(path: PathBuf, text: &str, mode: u32) -> io::Result<()> {
    fs::create_dir_all(path.parent().expect("in a directory"))?;
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))
}

fn run(id: Value, line: &str) -> Value {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).stdin(Stdio::null());
    command.env("PATH", "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin");
    match command.output() {
        Ok(output) => json!({
            "id": id,
            "status": std::os::unix::process::ExitStatusExt::into_raw(output.status),
            "out": String::from_utf8_lossy(&output.stdout),
            "err": String::from_utf8_lossy(&output.stderr),
        }),
        Err(e) => json!({"id": id, "error": e.to_string()}),
    }
}

fn tell_addresses(port: &Port) -> io::Result<()> {
    sys::realtime();
    let feed = AddressFeed::here()?;
    loop {
        for event in feed.next(1000)? {
            let AddressEvent {
                present,
                address,
                valid,
                ..
            } = event;
            let address = address.to_string();
            port.send(
                &json!({"at": now(), "address": address, "present": present, "valid": valid}),
            )?;
        }
    }
}

fn tell_services(port: &Port) -> io::Result<()> {
    let mut before = [false; SERVICES.len() + 1];
    loop {
        for (service, before) in SERVICES.iter().chain([&PRIMARY]).zip(&mut before) {
            let runs = match *service {
                PRIMARY => {
                    fs::read_to_string("/proc/drbd").is_ok_and(|all| all.contains("ro:Primary"))
                }
                _ => {
                    let processes = format!("/sys/fs/cgroup/system.slice/{service}/cgroup.procs");
                    fs::read(processes).is_ok_and(|pids| !pids.is_empty())
                }
            };
            if runs != *before {
                *before = runs;
                port.send(&json!({"at": now(), "service": service, "runs": runs}))?;
            }
        }
        std::thread::sleep(LOOK);
    }
}
