//! What is done to a resource, by `drbdadm`: one tool at a time, each in a unit of its own and with a deadline. One
//! that does not come back is given up, for it waits in the kernel; what it was to do is not known to be done then.
//!
//! While a promote is outstanding no other tool is started: DRBD holds a lock while it asks its handler, and one more
//! that changes the state would wait for it, or it for that one.

use crate::agents::program::{End, Program, Programs};
use crate::agents::words::in_one_line;
use smol::Timer;
use smol::lock::Mutex;
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// DRBD on this machine.
pub struct Tools {
    programs: Programs,
    /// Where drbdadm is.
    directory: PathBuf,
    /// Held while one runs.
    one: Mutex<()>,
    /// What keeps them from being run, since one ran.
    hindered: RefCell<Option<String>>,
}

/// A resource, and the devices that are made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// "/dev/drbd1", one a volume.
    pub devices: Vec<String>,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// DRBD refused it, or did not end in time.
    Failed(String),
    /// Its tools could not ask it, in all that time: that says nothing about the resource.
    Unasked(String),
}

impl NotDone {
    /// In words.
    pub fn why(self) -> String {
        match self {
            NotDone::Failed(why) | NotDone::Unasked(why) => why,
        }
    }
}

/// What went wrong.
struct Failed {
    what: String,
    kind: Fault,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// DRBD refused it.
    Refused,
    /// It was given up, and may still be carried out.
    Late,
    /// The tool could not ask.
    Own,
}

impl From<Failed> for NotDone {
    fn from(failed: Failed) -> NotDone {
        match failed.kind {
            Fault::Own => NotDone::Unasked(failed.what),
            Fault::Refused | Fault::Late => NotDone::Failed(failed.what),
        }
    }
}

/// How long it may take to read the metadata of a large disk.
const ATTACH: Duration = Duration::from_secs(60);
/// How long any of them may take that asks nobody.
const QUICK: Duration = Duration::from_secs(10);
/// How long the other side is asked: DRBD waits for it until its own pings are not answered, which go every 10 s.
const PINGS: Duration = Duration::from_secs(13);
/// Pauses between two demotions of a device that is held open: udev, a multipath daemon or blkid let go in less than
/// ten seconds.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];
/// For so long a demotion is tried.
const DEMOTE: Duration = Duration::from_secs(10);

/// Between two tries to run one.
const PAUSE: Duration = Duration::from_millis(300);

/// drbdadm's statuses, as the kernel's refusals arrive there.
const REFUSED: i32 = 11;
const NO_NEW_DATA: i32 = 17;
/// The file cannot be read or understood just now, another drbdadm has the lock, drbdsetup died, there is no memory.
const UNASKED: [i32; 2] = [10, 20];

impl Tools {
    /// Those in that directory: /sbin.
    pub fn new(programs: Programs, directory: &Path) -> Tools {
        Tools {
            programs,
            directory: directory.to_owned(),
            one: Mutex::new(()),
            hindered: RefCell::default(),
        }
    }

    /// What keeps them from being run just now.
    pub fn hindered(&self) -> Option<String> {
        self.hindered.borrow().clone()
    }

    /// Whether they can be run again, by a question that touches nothing.
    pub async fn try_out(&self, name: &str) {
        let _one = self.one.lock().await;
        let _ = self.once(&["dump", name], QUICK).await;
    }

    /// Makes it Primary here. `alone`: the other side is certain to be off; the connection to it, which DRBD may still
    /// believe in, is cut first, and no handler is asked for what is known already. `force`: an operator takes what is
    /// here for good, though DRBD does not.
    pub async fn promote(
        &self,
        it: &Named,
        alone: bool,
        force: bool,
        within: Duration,
    ) -> Result<(), NotDone> {
        let _one = self.one.lock().await;
        let until = Instant::now() + within;
        if alone {
            let span = within.min(QUICK);
            self.call(&["disconnect", "--force", &it.name], span)
                .await?;
        }
        let left = until.saturating_duration_since(Instant::now());
        let words: &[&str] = match force {
            true => &["primary", "--force", &it.name],
            false => &["primary", &it.name],
        };
        let Err(why) = self.call(words, left).await else {
            return Ok(());
        };
        // It may still be under way, and then no other is started.
        if why.kind == Fault::Late {
            return Err(why.into());
        }
        // Of several volumes some may be promoted: all or none.
        let undone = self.once(&["secondary", &it.name], QUICK).await;
        let what = match undone {
            Ok(()) => why.what,
            Err(more) => format!("{}; and it could not be undone: {}", why.what, more.what),
        };
        Err(Failed { what, ..why }.into())
    }

    /// Makes it Secondary here. Never while its I/O waits for a handler: that would wait as well.
    pub async fn demote(&self, it: &Named, frozen: &str) -> Result<(), NotDone> {
        if !frozen.is_empty() {
            return Err(NotDone::Failed(format!(
                "its I/O is frozen ({frozen}), and it cannot be demoted until that is over"
            )));
        }
        let _one = self.one.lock().await;
        let until = Instant::now() + DEMOTE;
        let mut pause = PAUSES[0];
        loop {
            let why = match self.call(&["secondary", &it.name], QUICK).await {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            if !why.what.contains("held open") {
                return Err(why.into());
            }
            if Instant::now() + pause > until {
                let who = self.openers(&it.devices).await;
                return Err(NotDone::Failed(match who.is_empty() {
                    true => why.what,
                    false => format!("{}: {who}", why.what),
                }));
            }
            Timer::after(pause).await;
            pause = (pause * 2).min(PAUSES[1]);
        }
    }

    /// Attaches and connects it, whatever of it is there already: what did so before may have been given up.
    pub async fn up(&self, it: &Named) -> Result<(), String> {
        let _one = self.one.lock().await;
        // Whoever looks waits for it; it is tried again by itself.
        let adjusted = self.once(&["adjust", &it.name], ATTACH).await;
        adjusted.map_err(|failed| failed.what)
    }

    /// Takes it down: this node leaves. `reached`: the other side is there, and takes note of it; otherwise it is not
    /// asked, for DRBD, which may not have noticed, would wait for it. `older`: what is here is from now on, which DRBD
    /// writes down by itself only as long as it is connected.
    pub async fn down(&self, it: &Named, reached: bool, older: bool) -> Result<(), String> {
        let _one = self.one.lock().await;
        let name = it.name.as_str();
        let down = ["down", name];
        if reached && self.call(&down, PINGS).await.is_ok() {
            return Ok(());
        }
        // There may be no connection any more, which ends like a file that cannot be read.
        let _ = self.once(&["disconnect", "--force", name], QUICK).await;
        // One that is Inconsistent is worth less than that, and refuses.
        if older {
            let _ = self.once(&["outdate", name], QUICK).await;
        }
        self.call(&down, PINGS).await.map_err(|failed| failed.what)
    }

    /// Outdates what is here, for the other side that goes on alone; `connect`: and waits for it again.
    pub async fn outdate(&self, it: &Named, connect: bool) -> Result<(), String> {
        let _one = self.one.lock().await;
        let name = it.name.as_str();
        let call = async |words: &[&str]| self.call(words, QUICK).await.map_err(|f| f.what);
        // One that is said to have failed may have been carried out, and nobody else would connect it again.
        let cut = match connect {
            true => call(&["disconnect", "--force", name]).await,
            false => Ok(()),
        };
        let outdated = match cut {
            Ok(()) => call(&["outdate", name]).await,
            failed => failed,
        };
        if connect {
            call(&["connect", name]).await?;
        }
        outdated
    }

    /// Cuts the connection and waits for the other side anew: of a Primary whose I/O is frozen DRBD asks its handler again.
    pub async fn ask_again(&self, it: &Named) -> Result<(), String> {
        let _one = self.one.lock().await;
        let name = it.name.as_str();
        let cut = self.call(&["disconnect", "--force", name], QUICK).await;
        let joined = self.call(&["connect", name], QUICK).await;
        cut.and(joined).map_err(|failed| failed.what)
    }

    /// Connects it again, after the other side was certain to be off.
    pub async fn connect(&self, it: &Named) -> Result<(), String> {
        self.simply(&["connect", &it.name]).await
    }

    /// Who has one of these devices open, by a helper outside of the daemon's sandbox.
    async fn openers(&self, devices: &[String]) -> String {
        let words = [self.programs.runner().display().to_string(), OPENERS.into()];
        let program = Program {
            words: words.into_iter().chain(devices.iter().cloned()).collect(),
            user: None,
        };
        let ended = self.programs.run("drbd", &program, b"", QUICK).await;
        ended.map_or_else(
            |trouble| trouble.to_string(),
            |ended| ended.output.trim().to_owned(),
        )
    }

    /// The same, for those who ask no more than what went wrong.
    async fn simply(&self, words: &[&str]) -> Result<(), String> {
        let _one = self.one.lock().await;
        self.call(words, QUICK).await.map_err(|failed| failed.what)
    }

    /// Until it was asked.
    async fn call(&self, words: &[&str], within: Duration) -> Result<(), Failed> {
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.once(words, left).await {
                Err(failed) if failed.kind == Fault::Own && Instant::now() + PAUSE < until => {}
                ended => return ended,
            }
            Timer::after(PAUSE).await;
        }
    }

    /// One try.
    async fn once(&self, words: &[&str], within: Duration) -> Result<(), Failed> {
        let ended = self.run(words, within).await;
        let hindered = match &ended {
            Err(failed) if failed.kind == Fault::Own => Some(failed.what.clone()),
            _ => None,
        };
        self.hindered.replace(hindered);
        ended
    }

    async fn run(&self, words: &[&str], within: Duration) -> Result<(), Failed> {
        let tool = self.directory.join("drbdadm").display().to_string();
        let shown = format!("drbdadm {}", words.join(" "));
        let words = [tool]
            .into_iter()
            .chain(words.iter().map(|word| word.to_string()));
        let program = Program {
            words: words.collect(),
            user: None,
        };
        let ended = self.programs.run("drbd", &program, b"", within).await;
        let ended = ended.map_err(|trouble| Failed {
            what: format!("{shown}: {trouble}"),
            kind: Fault::Own,
        })?;
        let said = in_one_line(&ended.output, 300, |line| !line.starts_with("Command '"));
        let kind = match ended.end {
            End::Late => Fault::Late,
            // For want of memory, or by a person: what it was to ask it may have asked, which does no harm twice.
            End::Killed(_) => Fault::Own,
            End::Exited(status) if UNASKED.contains(&status) => Fault::Own,
            End::Exited(_) => Fault::Refused,
        };
        let what = match ended.end {
            End::Exited(0) => return Ok(()),
            End::Exited(NO_NEW_DATA) => {
                format!("{shown}: there is no data here that is certain to be the newest ({said})")
            }
            End::Exited(REFUSED) => format!("{shown} was refused: {said}"),
            End::Exited(status) => format!("{shown} ended with {status}: {said}"),
            End::Killed(signal) => format!("{shown} was killed by signal {signal}"),
            End::Late => format!(
                "{shown} did not end within {} s, and was given up: it waits in the kernel",
                within.as_secs()
            ),
        };
        Err(Failed { what, kind })
    }
}

/// The word by which this program is asked who has devices open.
pub const OPENERS: &str = "__openers";

/// Says who has the devices open that the arguments after [`OPENERS`] name.
pub fn main(devices: &[String]) -> ExitCode {
    let who = openers(devices);
    println!(
        "{}",
        match who.is_empty() {
            true => "no process: a user in the kernel (a mount, a mapping, an export)".into(),
            false => who.join(", "),
        }
    );
    ExitCode::SUCCESS
}

/// Processes that have one of these devices open, by what their descriptors say; nobody's path is followed.
fn openers(devices: &[String]) -> Vec<String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let opens = |pid: &i32| {
        let fds = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        let mut links = fds.filter_map(|fd| fs::read_link(fd.path()).ok());
        links.any(|link| devices.iter().any(|device| link == Path::new(device)))
    };
    let name = |pid: i32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        format!("process {pid} ({})", name.trim())
    };
    pids.filter(opens).map(name).collect()
}
