//! Calls of `systemctl`, and what its answers mean.
//!
//! Only systemd's own words are an answer. A tool that cannot be run, is killed, hangs, talks nonsense or
//! does not reach systemd says nothing about the unit: it is asked again, as long as there is patience.

use super::patience::Patience;
use super::state::{PROPERTIES, UnitState, parse};
use crate::agents::child::{self, End};
use crate::agents::trouble::Trouble;
use crate::agents::words::in_one_line;
use crate::sys;
use smol::Timer;
use smol::future::FutureExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It says that it did what it should.
    Done(String),
    /// systemd did not, and said this.
    Refused(String),
    /// It had not ended when its time was over. What it asked systemd for, if it did, goes on.
    Late(Trouble),
    /// systemd was not asked, or its answer is not known.
    Unusable(Trouble),
}

/// systemd answers within milliseconds, on a loaded machine within a second or two. A tool that takes
/// longer may hang by itself, and another may not; or all of them take so long.
const ONE_TRY: Duration = Duration::from_secs(3);
/// However little patience is left: shorter, and a healthy one would seem to hang.
const SHORTEST_TRY: Duration = Duration::from_secs(1);

/// So many units in one call, and so much text for each.
const UNITS: usize = 64;
const TEXT: usize = 2048;

/// Runs `systemctl` with these arguments until there is an answer or no more patience. All that is asked
/// for is such that asking twice is the same as asking once.
pub(super) async fn call(arguments: &[&str], patience: &Patience<'_>) -> Answer {
    until_answered(patience, async |limit| match once(arguments, limit).await {
        answer @ (Answer::Unusable(_) | Answer::Late(_)) => Err(answer),
        answer => Ok(answer),
    })
    .await
    .unwrap_or_else(Answer::Unusable)
}

/// Runs `systemctl` with these arguments once, for a part of what patience there is.
pub(super) async fn ask(arguments: &[&str], patience: &Patience<'_>) -> Answer {
    let limit = patience.left().clamp(SHORTEST_TRY, ONE_TRY);
    tell(once(arguments, limit).await, patience)
}

/// The same for what takes as long as it takes, a start or a stop. One of which systemd has not heard after
/// a while hangs by itself, and is given up.
pub(super) async fn ask_for_job(arguments: &[&str], unit: &str, patience: &Patience<'_>) -> Answer {
    let begin = sys::monotonic_us();
    let answer = once(arguments, patience.left().max(SHORTEST_TRY));
    let unheard = async {
        loop {
            Timer::after(ONE_TRY).await;
            let shown = show(&[unit], &patience.anew(Duration::ZERO)).await;
            let heard =
                |unit: &UnitState| unit.job || unit.in_transition() || unit.touched_since(begin);
            if shown.is_ok_and(|shown| !shown.iter().any(heard)) {
                let text = "systemctl hangs, and systemd has not heard of it";
                return Answer::Late(Trouble(text.into()));
            }
        }
    };
    tell(answer.or(unheard).await, patience)
}

fn tell(answer: Answer, patience: &Patience<'_>) -> Answer {
    if let Answer::Late(trouble) | Answer::Unusable(trouble) = &answer {
        patience.tell(trouble);
    }
    answer
}

async fn once(arguments: &[&str], limit: Duration) -> Answer {
    let mut command = command("systemctl");
    command.args(arguments);
    run(command, limit).await
}

async fn run(systemctl: Command, limit: Duration) -> Answer {
    let ended = child::run_reading(systemctl, b"", limit, UNITS * TEXT).await;
    match ended {
        Err(error) => Answer::Unusable(Trouble::of("cannot run systemctl", &error)),
        Ok(ended) => answer(ended, limit),
    }
}

fn answer(ended: child::Ended, limit: Duration) -> Answer {
    let unusable = |text: String| Answer::Unusable(Trouble(text));
    match ended.end {
        End::Exited(status) if status.success() => Answer::Done(ended.output),
        End::Exited(_) if is_refusal(&ended.output) => Answer::Refused(ended.output),
        End::Exited(status) => {
            let how = match (status.code(), status.signal()) {
                (Some(code), _) => format!("exit status {code}"),
                (None, Some(signal)) => format!("killed by signal {signal}"),
                (None, None) => status.to_string(),
            };
            match in_one_line(&ended.output, LONGEST_WORDS, matters) {
                said if said.is_empty() => unusable(format!("systemctl failed: {how}")),
                said => unusable(format!("systemctl failed: {how}: {said}")),
            }
        }
        End::TooMuch => unusable("systemctl writes without end".into()),
        End::Late { stopped: true } => unusable("systemctl was stopped by a signal".into()),
        End::Late { stopped: false } => Answer::Late(Trouble(format!(
            "systemctl did not end within {} s",
            limit.as_millis().div_ceil(1000)
        ))),
    }
}

/// Asks again, after longer and longer pauses, until there is an answer or no more patience. `ask` is told
/// how long it may take, which is twice as long each time after it was too late: where everything is slow, a tool
/// that is cut off again and again never answers.
async fn until_answered<T>(
    patience: &Patience<'_>,
    mut ask: impl AsyncFnMut(Duration) -> Result<T, Answer>,
) -> Result<T, Trouble> {
    let mut pauses = Pauses::default();
    let mut longest = ONE_TRY;
    loop {
        let unanswered = match ask(patience.left().clamp(SHORTEST_TRY, longest)).await {
            Ok(answer) => {
                patience.answered();
                return Ok(answer);
            }
            Err(unanswered) => unanswered,
        };
        if matches!(unanswered, Answer::Late(_)) {
            longest *= 2;
        }
        let trouble = Trouble(unanswered.words());
        patience.tell(&trouble);
        if !pauses.wait(patience).await {
            return Err(trouble);
        }
    }
}

/// The pauses between tries: short ones first, because a `daemon-reexec` breaks every connection to
/// systemd and takes some 100 ms.
pub(super) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Pauses {
        Pauses(Duration::from_millis(20))
    }
}

impl Pauses {
    /// False, at once: there is no patience any more. The last try comes when the last of it is used up.
    pub(super) async fn wait(&mut self, patience: &Patience<'_>) -> bool {
        if patience.is_over() {
            return false;
        }
        Timer::after(self.0.min(patience.left())).await;
        self.0 = (self.0 * 2).min(Duration::from_millis(320));
        true
    }
}

/// What these units are doing, in this order.
pub(super) async fn show(
    units: &[&str],
    patience: &Patience<'_>,
) -> Result<Vec<UnitState>, Trouble> {
    let mut shown = Vec::new();
    for some in units.chunks(UNITS) {
        shown.extend(show_some(some, patience).await?);
    }
    Ok(shown)
}

async fn show_some(units: &[&str], patience: &Patience<'_>) -> Result<Vec<UnitState>, Trouble> {
    let properties = format!("--property={PROPERTIES}");
    let mut arguments = vec!["show", &properties, "--"];
    arguments.extend(units);
    let unusable = |text: String| Answer::Unusable(Trouble(text));
    until_answered(patience, async |limit| {
        match once(&arguments, limit).await {
            Answer::Done(output) => parse(&output, units.len())
                .ok_or_else(|| unusable("what systemctl says makes no sense".into())),
            Answer::Refused(said) => Err(unusable(format!(
                "systemctl shows nothing: {}",
                in_one_line(&said, LONGEST_WORDS, matters)
            ))),
            unanswered => Err(unanswered),
        }
    })
    .await
}

/// Makes systemd read its unit files and drop-ins again. One try with all the patience there is: when the tool
/// is given up, systemd goes on with what it was told, deaf to everything else, and the next would have it begin
/// anew.
pub(super) async fn daemon_reload(patience: &Patience<'_>) -> Result<(), String> {
    reload_by(command("systemctl"), patience).await
}

async fn reload_by(mut systemctl: Command, patience: &Patience<'_>) -> Result<(), String> {
    systemctl.arg("daemon-reload");
    let answer = run(systemctl, patience.left().max(SHORTEST_TRY)).await;
    match tell(answer, patience) {
        Answer::Done(_) => Ok(()),
        other => Err(format!("systemctl daemon-reload: {}", other.words())),
    }
}

/// The last lines that the unit's last run wrote, in one; empty if there are none or the journal is slow.
pub(super) async fn last_words(unit: &UnitState) -> String {
    let words = journal(&[&format!("_SYSTEMD_INVOCATION_ID={}", unit.invocation)]).await;
    if !words.is_empty() {
        return words;
    }
    // When a process ends at once, the journal may not find out any more to which run it belonged.
    // The run before this one may have ended a moment before.
    let begun = match unit.tried_us {
        0 => unit.since_us,
        tried => tried,
    };
    let ago = Duration::from_micros((sys::monotonic_us() - begun).max(0) as u64);
    let since = SystemTime::now() - ago;
    let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = format!("--since=@{}.{:06}", since.as_secs(), since.subsec_micros());
    journal(&[&since, &format!("_SYSTEMD_UNIT={}", unit.id)]).await
}

async fn journal(filter: &[&str]) -> String {
    let mut command = command("journalctl");
    command.args(["--quiet", "--output=cat", "--lines=2"]);
    command.args(filter);
    // The words are for people; a restart or a move waits for them.
    let ended = child::run(command, b"", Duration::from_millis(100)).await;
    let said = |ended: &child::Ended| matches!(ended.end, End::Exited(status) if status.success());
    let output = ended
        .ok()
        .filter(said)
        .map(|e| e.output)
        .unwrap_or_default();
    in_one_line(&output, LONGEST_WORDS, |_| true)
}

const LONGEST_WORDS: usize = 400;

impl Answer {
    /// Somebody asked for the opposite meanwhile, and systemd gave up the job for that.
    pub(super) fn was_cancelled(&self) -> bool {
        matches!(self, Answer::Refused(said) if said.contains(" canceled."))
    }

    /// The words that matter, for an error; empty if it was done without any.
    pub(super) fn words(&self) -> String {
        match self {
            Answer::Done(text) | Answer::Refused(text) => in_one_line(text, LONGEST_WORDS, matters),
            Answer::Late(trouble) | Answer::Unusable(trouble) => trouble.to_string(),
        }
    }
}

/// Whether these are systemd's own words about a unit. What systemctl says of its way to systemd, such as
/// "Failed to start nginx.service: Connection reset by peer", names none but the one it was to start.
fn is_refusal(said: &str) -> bool {
    said.lines().any(|line| {
        let own = match line
            .strip_prefix("Failed to ")
            .and_then(|l| l.split_once(": "))
        {
            Some((_, own)) => own,
            None => line,
        };
        matters(line) && own.split_whitespace().any(names_a_unit)
    })
}

/// `nginx.service`, `nginx.service.`, `nginx.service/start`
fn names_a_unit(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let word = word.split_once('/').map_or(word, |(unit, _)| unit);
    let kinds = [
        "service", "socket", "timer", "path", "target", "mount", "slice", "device",
    ];
    let (name, kind) = word.rsplit_once('.').unwrap_or_default();
    !name.is_empty() && kinds.contains(&kind)
}

/// Hints where to look are for those who typed the command.
fn matters(line: &str) -> bool {
    let hints = ["See ", "Warning: ", "Stopping '", "  "];
    // Names alone are what a hint before them is about.
    line.contains(' ') && !hints.iter().any(|hint| line.starts_with(hint))
}

/// Its words are for programs: English, without colour or pager, and never with a question.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("LC_ALL", "C")
        .env("SYSTEMD_COLORS", "0")
        .env("SYSTEMD_PAGER", "")
        .args(["--no-pager"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDir;
    use std::fs;

    #[test]
    fn only_the_words_that_matter_are_passed_on() {
        let said = "Job for nginx.service failed because the control process exited with error code.\n\
            See \"systemctl status nginx.service\" and \"journalctl -xeu nginx.service\" for details.\n";
        assert_eq!(
            Answer::Refused(said.into()).words(),
            "Job for nginx.service failed because the control process exited with error code."
        );
    }

    #[test]
    fn a_job_that_somebody_cancelled_is_told_apart() {
        let refused = |said: &str| answer(ended(256, said), ONE_TRY);
        assert!(refused("Job for nginx.service canceled.\n").was_cancelled());
        assert!(!refused("Job for nginx.service failed.\n").was_cancelled());
        assert!(!answer(ended(0, ""), ONE_TRY).was_cancelled());
    }

    fn ended(status: i32, output: &str) -> child::Ended {
        child::Ended {
            end: End::Exited(std::process::ExitStatus::from_raw(status)),
            output: output.into(),
        }
    }

    #[test]
    fn only_systemds_own_words_are_a_refusal() {
        for said in [
            "Job for nginx.service failed because the control process exited with error code.\n",
            "A dependency job for nginx.service failed. See 'journalctl -xe' for details.\n",
            "Failed to start nginx.service: Unit nginx.service is masked.\n",
            "Failed to start nginx.service: Unit nginx.service not found.\n",
            "Failed to start nginx.service: Transaction for nginx.service/start is destructive \
             (reboot.target has 'start' job queued, but 'stop' is included in transaction).\n",
            "Failed to start a.service: Operation refused, unit a.service may be requested by \
             dependency only (it is configured to refuse manual start/stop).\n",
        ] {
            assert!(
                matches!(answer(ended(256, said), ONE_TRY), Answer::Refused(_)),
                "{said}"
            );
        }
        for said in [
            "",
            "garbage\n",
            "Failed to start nginx.service: Connection reset by peer\n",
            "Failed to start nginx.service: Cannot allocate memory\n",
            "Failed to stop nginx.service: Message recipient disconnected from message bus without \
             replying\n",
            "Failed to connect to bus: No such file or directory\n",
            "Warning: nginx.service changed on disk. Run 'systemctl daemon-reload' to reload units.\n\
             Failed to start nginx.service: Connection reset by peer\n",
            // From systemd 255 on.
            "Stopping 'nginx.service', but its triggering units are still active:\nnginx.socket\n\
             Failed to wait for response: Connection reset by peer\n",
            "/bin/systemctl: error while loading shared libraries: libsystemd-shared-252.so: cannot \
             open shared object file: No such file or directory\n",
        ] {
            assert!(
                matches!(answer(ended(256, said), ONE_TRY), Answer::Unusable(_)),
                "{said}"
            );
        }
        assert_eq!(
            answer(ended(9, ""), ONE_TRY).words(),
            "systemctl failed: killed by signal 9"
        );
    }

    #[test]
    fn every_other_end_is_trouble() {
        let words = |end| {
            let output = "y\n".into();
            answer(child::Ended { end, output }, ONE_TRY).words()
        };
        assert_eq!(words(End::TooMuch), "systemctl writes without end");
        assert_eq!(
            words(End::Late { stopped: true }),
            "systemctl was stopped by a signal"
        );
        assert_eq!(
            words(End::Late { stopped: false }),
            "systemctl did not end within 3 s"
        );
    }

    #[test]
    fn who_is_late_gets_longer() {
        let late = || Answer::Late(Trouble("late".into()));
        let garbage = || Answer::Unusable(Trouble("garbage".into()));
        let mut answers = vec![
            Ok("well"),
            Err(late()),
            Err(garbage()),
            Err(late()),
            Err(late()),
        ];
        let (mut limits, patience) = (vec![], Patience::silent(Duration::from_secs(100)));
        let said = smol::block_on(until_answered(&patience, async |limit: Duration| {
            limits.push(limit.as_secs());
            answers.pop().unwrap()
        }));
        assert_eq!(said, Ok("well"));
        assert_eq!(limits, [3, 6, 12, 12, 24]);
        // Nobody gets more than there is.
        let mut limits = vec![];
        let patience = Patience::silent(Duration::ZERO);
        let said: Result<(), Trouble> = smol::block_on(until_answered(&patience, async |limit| {
            limits.push(limit);
            Err(late())
        }));
        assert_eq!(said, Err(Trouble("late".into())));
        assert_eq!(limits, [SHORTEST_TRY]);
    }

    #[test]
    fn a_slow_daemon_reload_is_waited_for_and_asked_for_once() {
        let dir = TestDir::new();
        let (asked, done) = (dir.join("asked"), dir.join("done"));
        let slow = |seconds: u32| {
            let script = format!(
                "echo \"$@\" >>{}; sleep {seconds}; echo >>{}",
                asked.display(),
                done.display()
            );
            let mut systemctl = Command::new("sh");
            systemctl.args(["-c", &script, "systemctl"]);
            systemctl
        };
        // Longer than any other question may take.
        assert!(Duration::from_secs(5) > ONE_TRY);
        let patience = Patience::silent(Duration::from_secs(30));
        assert_eq!(smol::block_on(reload_by(slow(5), &patience)), Ok(()));
        assert_eq!(fs::read_to_string(&asked).unwrap(), "daemon-reload\n");
        assert!(done.exists());
        // It ends some day, and who asked again is not this.
        let patience = Patience::silent(Duration::ZERO);
        assert_eq!(
            smol::block_on(reload_by(slow(60), &patience)),
            Err("systemctl daemon-reload: systemctl did not end within 1 s".into())
        );
        let asked = fs::read_to_string(&asked).unwrap();
        assert_eq!(asked, "daemon-reload\n".repeat(2));
    }
}
