//! The units that tests make, and the services under test, driven as the daemon drives them.

use ha_appliance::agents::program::{Program, Programs};
use ha_appliance::config::{Check, Mode, Probe, Service};
use ha_appliance::core::event::{Event, Op, Outcome};
use ha_appliance::id::{GroupId, Place, ResourceId};
use ha_appliance::shell::services::Services;
use smol::future::FutureExt;
use smol::{LocalExecutor, Timer};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The services of one test. The i-th stands in group i, as its resource 0.
pub struct Bench {
    executor: Rc<LocalExecutor<'static>>,
    events: Rc<RefCell<VecDeque<Event>>>,
    pub services: Services,
}

impl Bench {
    pub fn new(services: &[Service]) -> Bench {
        assert!(
            Path::new("/run/systemd/container").exists(),
            "these tests change systemd: run them in a container"
        );
        let executor = Rc::new(LocalExecutor::new());
        let events = Rc::default();
        let mut bench = Bench {
            services: Services::new(executor.clone(), Rc::clone(&events), programs()),
            executor,
            events,
        };
        bench.replace(services);
        bench
    }

    pub fn replace(&mut self, services: &[Service]) {
        let placed = services.iter().enumerate();
        let placed = placed.map(|(group, service)| (place(group), service.clone()));
        self.services.replace(placed.collect(), Vec::new());
    }

    pub fn look(&mut self, group: usize) -> Outcome {
        self.services.look(place(group));
        self.finished(group)
    }

    pub fn start(&mut self, group: usize) -> Outcome {
        self.services.start(place(group));
        self.finished(group)
    }

    pub fn stop(&mut self, group: usize) -> Outcome {
        self.services.stop(place(group));
        self.finished(group)
    }

    /// The end of what is being done to the service of that group, before anything else happens.
    pub fn finished(&self, group: usize) -> Outcome {
        let op = Op::Resource(place(group));
        match self.next(Duration::from_secs(100)) {
            Some(Event::Finished { op: ended, outcome }) if ended == op => outcome,
            other => panic!("instead of the end of {op:?}: {other:?}"),
        }
    }

    /// The next event, if there is one in time.
    pub fn next(&self, limit: Duration) -> Option<Event> {
        let event = async {
            loop {
                if let Some(event) = self.events.borrow_mut().pop_front() {
                    return Some(event);
                }
                Timer::after(Duration::from_micros(500)).await;
            }
        };
        let late = async {
            Timer::after(limit).await;
            None
        };
        smol::block_on(self.executor.run(event.or(late)))
    }

    pub fn silence(&self, span: Duration) {
        assert_eq!(self.next(span), None);
    }

    /// Why the service of that group was lost.
    pub fn lost(&self, group: usize, limit: Duration) -> String {
        match self.next(limit) {
            Some(Event::Lost { place: of, why }) if of == place(group) => why,
            other => panic!("instead of a loss: {other:?}"),
        }
    }

    /// It was stopped by somebody else, who did not start it again.
    pub fn stopped(&self, group: usize, limit: Duration) {
        let place = place(group);
        assert_eq!(self.next(limit), Some(Event::Stopped { place }));
    }

    pub fn appeared(&self, group: usize, limit: Duration) {
        let place = place(group);
        assert_eq!(self.next(limit), Some(Event::Appeared { place }));
    }

    pub fn main_pid(&self, group: usize) -> i32 {
        self.services.views()[&place(group)].main_pid.unwrap()
    }
}

/// Of the service of that group.
pub fn place(group: usize) -> Place {
    Place {
        group: GroupId(group as u64),
        resource: ResourceId(0),
    }
}

pub fn service(unit: &str) -> Service {
    Service {
        unit: unit.into(),
        mode: Mode::One,
        check: None,
        restarts: 1,
        window: Service::WINDOW,
        fail_expiry: None,
        start_timeout: Duration::from_secs(5),
        stop_timeout: Duration::from_secs(5),
    }
}

pub fn http(port: u16) -> Check {
    Check {
        probe: Probe::Http {
            address: ([127, 0, 0, 1], port).into(),
            host: format!("127.0.0.1:{port}"),
            path: "/".into(),
            status: None,
            body: None,
        },
        interval: Duration::from_millis(200),
        timeout: Duration::from_millis(500),
        failures: 2,
    }
}

pub fn exec(words: &[&str]) -> Probe {
    Probe::Exec(Program {
        words: words.iter().map(|word| word.to_string()).collect(),
        user: None,
    })
}

/// As the daemon that systemd runs has them, in transient units.
pub fn programs() -> Programs {
    let runner = Path::new("/usr/local/sbin/ha-appliance");
    Programs::in_units(runner, Path::new("/run/t-ha-appliance"))
}

pub fn failed(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed(why) => why,
        other => panic!("instead of a failure: {other:?}"),
    }
}

/// A unit file that lasts as long as this.
pub struct UnitFile(String);

impl UnitFile {
    pub fn new(name: &str, text: &str) -> UnitFile {
        fs::write(format!("/etc/systemd/system/{name}"), text).unwrap();
        systemctl(&["daemon-reload"]);
        UnitFile(name.into())
    }
}

impl Drop for UnitFile {
    fn drop(&mut self) {
        systemctl(&["kill", "--signal=SIGKILL", &self.0]);
        systemctl(&["disable", "--now", &self.0]);
        let _ = fs::remove_file(format!("/etc/systemd/system/{}", self.0));
        systemctl(&["reset-failed", &self.0]);
        systemctl(&["daemon-reload"]);
    }
}

/// What names the services while the daemon runs.
pub fn target() -> UnitFile {
    let name = "ha-appliance-services.target";
    let target = UnitFile::new(name, "[Unit]\nDescription=t\n");
    systemctl(&["start", name]);
    target
}

pub fn systemctl(arguments: &[&str]) -> Output {
    let output = Command::new("systemctl").args(arguments).output();
    output.expect("systemctl")
}

pub fn property(unit: &str, name: &str) -> String {
    let output = systemctl(&["show", "--value", &format!("--property={name}"), unit]);
    String::from_utf8(output.stdout).unwrap().trim().into()
}

pub fn kill(pid: i32, signal: &str) {
    let status = Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}

pub fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = what();
    (result, start.elapsed())
}

pub fn median(mut of: Vec<Duration>) -> Duration {
    of.sort();
    of[of.len() / 2]
}

pub const SECOND: Duration = Duration::from_secs(1);
