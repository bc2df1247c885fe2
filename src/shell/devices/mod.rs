//! The devices that switch the peer off, asked one question at a time each, in a task of its own beside the loop.
//!
//! What the core asks comes back as [`Event::Device`], once, whatever becomes of the device. An off leaves soon
//! after its instant or not at all: it is not asked for later what was right then. While the core reads, a BMC's
//! session stands, so that an off costs one packet; when nobody asks any more, it ends. While all is well each
//! device is asked for the power every so often ([`Readiness`]).
//!
//! Nothing that fails here is ever off: only a device's own word is.

mod ask;
mod readiness;

pub use ask::look;
pub use readiness::{Readiness, State};

use super::clock;
use crate::agents::program::Programs;
use crate::config::{self, After};
use crate::core::event::{Answer, Ask, Event};
use crate::core::time::Time;
use ask::{Asked, Probed};
use smol::channel::{Receiver, Sender, unbounded};
use smol::future::FutureExt;
use smol::{LocalExecutor, Task, Timer};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// All of them, level by level.
pub struct Devices {
    levels: Vec<Level>,
    /// Since when the peer is heard both ways; None: it is not.
    heard_since: Rc<Cell<Option<Time>>>,
    finished: Rc<RefCell<VecDeque<Event>>>,
    programs: Programs,
    executor: Rc<LocalExecutor<'static>>,
}

struct Level {
    device: config::Device,
    times: Times,
    inbox: Sender<Question>,
    readiness: Rc<RefCell<Readiness>>,
    _task: Task<()>,
}

/// What a device's task is told.
#[derive(Clone, Copy, Debug)]
enum Question {
    /// The core asks for the power.
    Status,
    /// It asks for an off.
    Off {
        /// When it did.
        at: Time,
        /// To see that it works: the machine is to be on again, whatever `after` says.
        rehearsal: bool,
    },
    /// The machine is off, verified: it may be switched on again.
    Verified,
    /// Somebody may have mended it.
    Again,
}

/// What of `[fencing]` concerns the asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    settle: Duration,
    off_deadline: Duration,
    probe: Duration,
    after: After,
}

impl Devices {
    /// None yet.
    pub fn new(
        executor: Rc<LocalExecutor<'static>>,
        finished: Rc<RefCell<VecDeque<Event>>>,
        programs: Programs,
    ) -> Devices {
        Devices {
            levels: Vec::new(),
            heard_since: Rc::default(),
            finished,
            programs,
            executor,
        }
    }

    /// These, from now on. One that is as it was goes on with what it does; of one that is gone or another, what
    /// was asked fails: an off may have left.
    pub fn replace(&mut self, fencing: Option<(&config::Fencing, &[config::Device])>) {
        let (times, devices) = match fencing {
            Some((fencing, devices)) => (Some(Times::of(fencing)), devices),
            None => (None, [].as_slice()),
        };
        let mut before = std::mem::take(&mut self.levels).into_iter();
        for (number, device) in devices.iter().enumerate() {
            let times = times.expect("there are devices");
            let level = match before.next() {
                Some(level) if level.device == *device && level.times == times => {
                    if level.readiness.borrow_mut().forgive() {
                        let _ = level.inbox.try_send(Question::Again);
                    }
                    level
                }
                was => {
                    if let Some(level) = was {
                        self.end(number, &level);
                    }
                    self.begin(number, device.clone(), times)
                }
            };
            self.levels.push(level);
        }
        let count = self.levels.len();
        for (number, level) in before.enumerate() {
            self.end(count + number, &level);
        }
    }

    /// Since when the peer is heard both ways; None: it is not.
    pub fn heard(&self, since: Option<Time>) {
        self.heard_since.set(since);
    }

    /// What the core asks; an off may be a rehearsal.
    pub fn ask(&self, level: usize, ask: Ask, rehearsal: bool) {
        let at = clock::now();
        let question = match ask {
            Ask::Status => Question::Status,
            Ask::Off => Question::Off { at, rehearsal },
        };
        let told = self.levels.get(level).map(|level| {
            level.readiness.borrow_mut().asked = true;
            level.inbox.try_send(question)
        });
        if !matches!(told, Some(Ok(()))) {
            let answer = Answer::Failed("this device is not in ha.toml any more".into());
            self.answer(level, answer);
        }
    }

    /// The peer is off, verified.
    pub fn verified(&self) {
        for level in &self.levels {
            let _ = level.inbox.try_send(Question::Verified);
        }
    }

    /// Something came of a look that nobody asked for.
    pub fn has_news(&self) -> bool {
        self.levels.iter().any(|l| l.readiness.borrow().news)
    }

    /// What the tasks have to say of themselves.
    pub fn take_said(&self) -> Option<Vec<String>> {
        if !self.has_news() {
            return None;
        }
        let levels = self.levels.iter();
        let said = levels.flat_map(|level| level.readiness.borrow_mut().take_said());
        Some(said.collect())
    }

    /// What each said last while nobody needed it.
    pub fn readiness(&self) -> Vec<Readiness> {
        let levels = self.levels.iter();
        levels
            .map(|level| level.readiness.borrow().clone())
            .collect()
    }

    fn begin(&self, number: usize, device: config::Device, times: Times) -> Level {
        let (inbox, questions) = unbounded();
        let readiness = Rc::new(RefCell::new(Readiness::new(device.to_string())));
        let task = Serving {
            number,
            times,
            questions,
            finished: self.finished.clone(),
            readiness: readiness.clone(),
            heard_since: self.heard_since.clone(),
        };
        let (programs, asked_of) = (self.programs.clone(), device.clone());
        let task = async move {
            let bmc = ask::bmc(&asked_of);
            let asked = Asked::new(&asked_of, bmc.as_ref(), programs);
            task.serve(asked).await;
        };
        Level {
            device,
            times,
            inbox,
            readiness,
            _task: self.executor.spawn(task),
        }
    }

    fn end(&self, number: usize, level: &Level) {
        if level.readiness.borrow().asked {
            let answer = Answer::Failed("the device is another one since a reload".into());
            self.answer(number, answer);
        }
    }

    fn answer(&self, device: usize, answer: Answer) {
        let event = Event::Device { device, answer };
        self.finished.borrow_mut().push_back(event);
    }
}

impl Times {
    fn of(fencing: &config::Fencing) -> Times {
        Times {
            settle: fencing.settle,
            off_deadline: fencing.off_deadline,
            probe: fencing.probe,
            after: fencing.after,
        }
    }
}

/// A device's task.
struct Serving {
    number: usize,
    times: Times,
    questions: Receiver<Question>,
    finished: Rc<RefCell<VecDeque<Event>>>,
    readiness: Rc<RefCell<Readiness>>,
    heard_since: Rc<Cell<Option<Time>>>,
}

/// Between two answers that say off of a machine that is heard all the time: longer than any detection time.
const DOUBT: Duration = Duration::from_secs(15);
/// The first look, once the daemon runs.
const SOON: Duration = Duration::from_millis(200);
/// After a failure, and twice as long after each further one: a machine boots before its network is up.
const AGAIN: Duration = Duration::from_secs(4);
/// How soon what nobody waits for makes room.
const LOOK: Duration = Duration::from_millis(20);
/// A session in which nobody asked for so long is ended: BMCs have few.
const IDLE: Duration = Duration::from_secs(10);

impl Serving {
    async fn serve(self, mut asked: Asked<'_>) {
        let mut probe_at = clock::now() + SOON;
        let mut again = AGAIN;
        // What becomes of the machine, should it be off: of one that was not switched off here, nothing.
        let mut after = After::Off;
        // It said off of a machine that was heard before and after.
        let mut odd = false;
        loop {
            let idle = asked.stands().then(|| clock::now() + IDLE);
            let until = idle.map_or(probe_at, |at| at.min(probe_at));
            match self.next(until).await {
                Some(Question::Status) => {
                    let power = self.power(&mut asked).await;
                    self.finish(power.answer());
                }
                Some(Question::Off { at, rehearsal }) => {
                    after = match rehearsal {
                        true => After::On,
                        false => self.times.after, // it read on before
                    };
                    let answer = asked.off(at).await;
                    self.finish(answer);
                }
                Some(Question::Verified) => {
                    if std::mem::replace(&mut after, After::Off) == After::On {
                        self.switch_on(&mut asked).await;
                    }
                    continue;
                }
                Some(Question::Again) => {
                    probe_at = clock::now();
                    continue;
                }
                None if clock::now() < probe_at => {
                    asked.rest().await;
                    continue;
                }
                None => {
                    let heard = self.heard_since.get();
                    let Some(power) = self.unless_asked(self.power(&mut asked)).await else {
                        continue;
                    };
                    asked.rest().await;
                    let still = heard.is_some() && self.heard_since.get() == heard;
                    let was_odd = std::mem::replace(&mut odd, still && power.is_off());
                    let mut readiness = self.readiness.borrow_mut();
                    readiness.news = true;
                    match (was_odd, odd) {
                        (true, true) => readiness.found_anothers(),
                        // It may have lost its power just now, and be heard no more in a moment.
                        (false, true) => {
                            readiness.doubt();
                            drop(readiness);
                            probe_at = clock::now() + DOUBT;
                            continue;
                        }
                        (_, false) => {}
                    }
                }
            }
            odd = false;
            let probe = jittered(self.times.probe);
            let (wait, next) = match self.readiness.borrow().may_answer_soon() {
                true => (again.min(probe), probe.min(again * 2)),
                false => (probe, AGAIN),
            };
            (probe_at, again) = (clock::now() + wait, next);
        }
    }

    /// Asks for the power, unless that would lock the user out.
    async fn power(&self, asked: &mut Asked<'_>) -> Probed {
        let refused = self.readiness.borrow().refused(clock::now());
        if let Some(why) = refused {
            let password = false;
            return Probed::Failed { why, password };
        }
        let power = asked.power().await;
        let mut readiness = self.readiness.borrow_mut();
        readiness.probed(clock::now(), power.clone());
        power
    }

    /// The next question; None: there is none until then.
    async fn next(&self, until: Time) -> Option<Question> {
        let asked = async { self.questions.recv().await.ok() };
        let late = async {
            Timer::after(until.since(clock::now())).await;
            None
        };
        asked.or(late).await
    }

    fn finish(&self, answer: Answer) {
        self.readiness.borrow_mut().asked = false;
        let device = self.number;
        let event = Event::Device { device, answer };
        self.finished.borrow_mut().push_back(event);
    }

    /// What nobody waits for. A question of the core's comes first: None.
    async fn unless_asked<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let asked = async {
            while self.questions.is_empty() {
                Timer::after(LOOK).await;
            }
            None
        };
        async { Some(work.await) }.or(asked).await
    }

    /// Best effort: whoever is off is proven off, whatever comes of this.
    async fn switch_on(&self, asked: &mut Asked<'_>) {
        let on = asked.on(self.times.off_deadline);
        let Some(came) = self.unless_asked(on).await else {
            return;
        };
        let mut readiness = self.readiness.borrow_mut();
        let name = &readiness.name;
        let said = match came {
            Ok(()) => format!("{name} switched the machine on again"),
            Err(why) => format!("{name} did not switch the machine on again: {why}"),
        };
        readiness.say(said);
    }
}

/// Within a fifth of it: two nodes do not fall into step.
fn jittered(probe: Duration) -> Duration {
    let random = crate::agents::sys::random().map_or(0, u64::from_ne_bytes);
    probe * 4 / 5 + (probe * 2 / 5).mul_f64((random % 1000) as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_with_key_file;
    use crate::wire::heartbeat::Side;
    use std::path::Path;

    const FILE: &str = "[cluster]\nname = \"c\"\nkey_file = \"key\"\n[node.a]\nlinks = [\"10.1.1.1\"]\n[node.b]\n\
        links = [\"10.1.1.2\"]\n[[group]]\nname = \"g\"\n[[group.resource]]\nservice = \"nginx.service\"\n\
        [[fence]]\nnode = \"a\"\nipmi = { address = \"127.0.0.1\", user = \"ha\", password_file = \"pw\", port = 1 }\n\
        [[fence]]\nnode = \"b\"\nipmi = { address = \"127.0.0.1\", user = \"ha\", password_file = \"pw\", port = 1 }\n";

    fn fencing(edit: (&str, &str)) -> config::Fencing {
        let text = FILE.replace(edit.0, edit.1);
        let key = "00112233445566778899aabbccddeeff";
        let config = parse_with_key_file(&text, Path::new("ha.toml"), key);
        config.unwrap().fencing.unwrap()
    }

    struct Bench {
        devices: Devices,
        finished: Rc<RefCell<VecDeque<Event>>>,
        executor: Rc<LocalExecutor<'static>>,
    }

    impl Bench {
        fn new() -> Bench {
            let executor = Rc::new(LocalExecutor::new());
            let finished: Rc<RefCell<VecDeque<Event>>> = Rc::default();
            let programs = Programs::here(Path::new("/nonexistent"));
            Bench {
                devices: Devices::new(executor.clone(), finished.clone(), programs),
                finished,
                executor,
            }
        }

        fn follow(&mut self, fencing: &config::Fencing) {
            let devices = fencing.against(Side::Second);
            self.devices.replace(Some((fencing, devices)));
        }

        fn failures(&self) -> Vec<(usize, String)> {
            let failed = |event| match event {
                Event::Device {
                    device,
                    answer: Answer::Failed(why),
                } => (device, why),
                other => panic!("{other:?}"),
            };
            self.finished.borrow_mut().drain(..).map(failed).collect()
        }
    }

    #[test]
    fn every_question_is_answered_once_over_a_reload_too() {
        let mut bench = Bench::new();
        bench.devices.ask(0, Ask::Status, false);
        let [(0, why)] = &bench.failures()[..] else {
            panic!("it is answered");
        };
        assert!(why.contains("not in ha.toml any more"), "{why}");
        let fencing = fencing(("", ""));
        bench.follow(&fencing);
        bench.devices.ask(0, Ask::Off, false);
        bench.follow(&fencing);
        assert_eq!(bench.failures(), [], "the same goes on");
        let other = self::fencing(("user = \"ha\"", "user = \"other\""));
        bench.follow(&other);
        let [(0, why)] = &bench.failures()[..] else {
            panic!("it is answered");
        };
        assert!(why.contains("another one since a reload"), "{why}");
        bench.follow(&other);
        bench.devices.replace(None);
        assert_eq!(bench.failures(), [], "nothing was asked");
    }

    #[test]
    fn what_was_right_a_while_ago_is_not_sent_any_more() {
        let fencing = fencing(("", ""));
        let device = &fencing.against(Side::Second)[0];
        let bmc = ask::bmc(device);
        let programs = Programs::here(Path::new("/nonexistent"));
        let mut asked = Asked::new(device, bmc.as_ref(), programs);
        let before = clock::now() - config::OFF_LEAVES;
        let Answer::Failed(why) = smol::block_on(asked.off(before)) else {
            panic!("it is not sent");
        };
        assert!(why.contains("was not sent"), "{why}");
    }

    #[test]
    fn a_question_of_the_core_does_not_wait_for_a_look() {
        // Where nobody answers, and nobody says so, a look takes five seconds.
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = format!("port = {}", silent.local_addr().unwrap().port());
        let mut bench = Bench::new();
        bench.follow(&fencing(("port = 1", &port)));
        let asked = async {
            let mut packet = [0; 64];
            silent.set_nonblocking(true).unwrap();
            while silent.recv(&mut packet).is_err() {
                Timer::after(Duration::from_millis(5)).await;
            }
            let began = clock::now();
            bench.devices.ask(0, Ask::Status, false);
            while bench.finished.borrow().is_empty() {
                Timer::after(Duration::from_millis(5)).await;
            }
            clock::now().since(began)
        };
        let took = smol::block_on(bench.executor.run(asked));
        assert!(took < Duration::from_secs(8), "{took:?}");
        assert_eq!(bench.failures().len(), 1);
    }

    #[test]
    fn an_off_that_finds_nobody_ends_with_its_instant() {
        let mut bench = Bench::new();
        bench.follow(&fencing(("", "")));
        bench.devices.ask(0, Ask::Off, false);
        let began = clock::now();
        let answered = async {
            while bench.finished.borrow().is_empty() {
                Timer::after(Duration::from_millis(10)).await;
            }
        };
        smol::block_on(bench.executor.run(answered));
        assert!(clock::now().since(began) < 2 * config::OFF_LEAVES);
        assert_eq!(bench.failures().len(), 1);
    }
}
