//! What `systemctl show` says of units, as values.

use crate::agents::words::printable;
use std::collections::HashMap;

/// The properties asked for; see systemctl(1) and org.freedesktop.systemd1(5).
pub(super) const PROPERTIES: &str = "Id,Description,LoadState,LoadError,UnitFileState,ActiveState,SubState,\
    StateChangeTimestampMonotonic,ConditionTimestampMonotonic,ActiveExitTimestampMonotonic,\
    ExecMainExitTimestampMonotonic,MainPID,Type,RemainAfterExit,Restart,TriggeredBy,Conflicts,Result,ExecMainCode,\
    ExecMainStatus,RefuseManualStart,RefuseManualStop,ConditionResult,Job,ControlGroup,InvocationID";

/// What one unit is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitState {
    /// The name it has even if it was asked for by an alias.
    pub id: String,
    /// The unit's description, an override by a drop-in included.
    pub description: String,
    /// Whether systemd could read its files.
    pub load: Load,
    /// It is started at boot, by itself or as somebody's companion.
    pub enabled: bool,
    /// What it does.
    pub active: Active,
    /// The same in the words of its kind, such as `running` or `auto-restart`.
    pub sub: String,
    /// Since when, in microseconds of CLOCK_MONOTONIC; 0: it was never anything else.
    pub since_us: i64,
    /// When systemd last found out whether its conditions are met: at every start. In the same clock.
    pub tried_us: i64,
    /// The process that is the service; none: it has none, or is not one of those units that do.
    pub main_pid: Option<i32>,
    /// It is a oneshot that leaves nothing running: it can start, but never run.
    pub ends_at_once: bool,
    /// Nobody but systemd itself may start it.
    pub refuses_start: bool,
    /// Nobody but systemd itself may stop it.
    pub refuses_stop: bool,
    /// systemd restarts it by itself when it fails.
    pub restarts_itself: bool,
    /// The sockets, timers and paths that start it, as far as systemd has loaded them.
    pub triggered_by: Vec<String>,
    /// What systemd stops when it starts this one.
    pub conflicts: Vec<String>,
    /// How it ended last.
    pub end: End,
    /// It ended because it was told to: systemd began to stop it while its main process lived, or it had
    /// none to die.
    pub was_stopped: bool,
    /// The last start did nothing because a `Condition…=` of its file was not met; true as well if it
    /// was never started.
    pub condition_unmet: bool,
    /// systemd has something to do with it, or waits to do it.
    pub job: bool,
    /// Its control group's path below the hierarchy's root; empty: it has none.
    pub control_group: String,
    /// Names its last run in the journal.
    pub invocation: String,
}

/// Whether systemd could read the unit's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Load {
    /// It did.
    Loaded,
    /// There are none.
    NotFound,
    /// The operator masked it.
    Masked,
    /// There is something wrong with them: what, in systemd's words.
    Broken(String),
}

/// What a unit does: `ActiveState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Active {
    /// It runs, or, for those that need no process, it counts as running. Reloading is running too.
    Active,
    /// On its way up.
    Activating,
    /// On its way down.
    Deactivating,
    /// It does not run.
    Inactive,
    /// It does not run, because something went wrong.
    Failed,
}

/// How a unit ended last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// `Result`: `success`, `exit-code`, `signal`, `timeout`, …
    pub result: String,
    /// The main process's exit status or signal.
    pub main: Option<MainEnd>,
}

/// How a main process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MainEnd {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

impl UnitState {
    /// It is not installed here, or masked: it cannot be started.
    pub fn missing(&self) -> bool {
        matches!(self.load, Load::NotFound | Load::Masked)
    }

    /// It is neither where it was nor yet where it goes to.
    pub fn in_transition(&self) -> bool {
        match self.active {
            Active::Active => false,
            Active::Activating | Active::Deactivating => true,
            Active::Inactive | Active::Failed => self.job,
        }
    }

    /// Something was done with it since that moment of CLOCK_MONOTONIC.
    pub fn touched_since(&self, us: i64) -> bool {
        self.since_us.max(self.tried_us) >= us
    }

    /// As `systemctl status` says it, such as `active (running)`.
    pub fn words(&self) -> String {
        let active = match self.active {
            Active::Active => "active",
            Active::Activating => "activating",
            Active::Deactivating => "deactivating",
            Active::Inactive => "inactive",
            Active::Failed => "failed",
        };
        match self.sub == active || self.sub.is_empty() {
            true => active.into(),
            false => format!("{active} ({})", self.sub),
        }
    }
}

/// The units in the order in which they were asked for. None: that is no answer of `systemctl show`.
pub fn parse(output: &str, count: usize) -> Option<Vec<UnitState>> {
    let blocks = output.trim_end().split("\n\n");
    let units: Option<Vec<UnitState>> = blocks.map(parse_one).collect();
    units.filter(|units| units.len() == count)
}

fn parse_one(block: &str) -> Option<UnitState> {
    let pairs = block.lines().filter_map(|line| line.split_once('='));
    let values: HashMap<&str, String> = pairs.map(|(key, text)| (key, printable(text))).collect();
    let text = |key| values.get(key).map_or("", String::as_str);
    let names = |key| text(key).split_whitespace().map(Into::into).collect();
    let number = |key| text(key).parse().unwrap_or(0);
    let stamp = |key| text(key).parse().map_or(0, |us: i64| us.max(0));
    let status = number("ExecMainStatus");
    Some(UnitState {
        id: values.get("Id")?.clone(),
        description: text("Description").into(),
        load: match values.get("LoadState")?.as_str() {
            "loaded" | "stub" | "merged" => Load::Loaded,
            "not-found" => Load::NotFound,
            "masked" => Load::Masked,
            other @ ("error" | "bad-setting") => Load::Broken(load_error(text("LoadError"), other)),
            _ => return None,
        },
        enabled: text("UnitFileState").starts_with("enabled"),
        active: match values.get("ActiveState")?.as_str() {
            "active" | "reloading" | "refreshing" => Active::Active,
            "activating" => Active::Activating,
            "inactive" => Active::Inactive,
            "failed" => Active::Failed,
            // The second (systemctl clean) ends by itself, and nothing serves meanwhile.
            "deactivating" | "maintenance" => Active::Deactivating,
            _ => return None,
        },
        sub: text("SubState").into(),
        since_us: stamp("StateChangeTimestampMonotonic"),
        tried_us: stamp("ConditionTimestampMonotonic"),
        main_pid: Some(number("MainPID")).filter(|pid| *pid > 0),
        ends_at_once: text("Type") == "oneshot" && text("RemainAfterExit") == "no",
        refuses_start: text("RefuseManualStart") == "yes",
        refuses_stop: text("RefuseManualStop") == "yes",
        restarts_itself: !matches!(text("Restart"), "no" | ""),
        triggered_by: names("TriggeredBy"),
        conflicts: names("Conflicts"),
        end: End {
            result: text("Result").into(),
            main: match number("ExecMainCode") {
                libc::CLD_EXITED => Some(MainEnd::Exited(status)),
                libc::CLD_KILLED | libc::CLD_DUMPED => Some(MainEnd::Killed(status)),
                _ => None,
            },
        },
        was_stopped: match (stamp("ExecMainExitTimestampMonotonic"), text("Type")) {
            _ if !matches!(text("Result"), "success" | "exit-code" | "signal") => false,
            (_, "oneshot") => true,
            (died, _) => died > stamp("ActiveExitTimestampMonotonic"),
        },
        condition_unmet: text("ConditionResult") == "no",
        job: !text("Job").is_empty(),
        control_group: text("ControlGroup").into(),
        invocation: text("InvocationID").into(),
    })
}

/// `org.freedesktop.systemd1.BadUnitSetting "Unit x has a bad unit file setting."` without the name
/// that D-Bus has for it.
fn load_error(error: &str, state: &str) -> String {
    match error.split_once('"') {
        Some((_, said)) => said.trim_end_matches('"').into(),
        None => state.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::unfit;
    use super::*;

    /// By systemd 252: nginx running, a masked unit, one that nobody knows, a service that exited
    /// with 3, one that a socket starts.
    const SHOWN: &str = include_str!("fixtures/show.txt");

    #[test]
    fn real_answers_are_understood() {
        let units = parse(SHOWN, 7).unwrap();
        let [nginx, masked, unknown, exited, socket, bad, remains] = &units[..] else {
            panic!("{units:?}")
        };
        assert_eq!(nginx.id, "nginx.service");
        assert_eq!(nginx.load, Load::Loaded);
        assert_eq!(nginx.words(), "active (running)");
        assert_eq!(nginx.main_pid, Some(388));
        assert!(nginx.since_us > 1_000_000 && !nginx.job && !nginx.in_transition());
        assert!(nginx.enabled && !nginx.ends_at_once && !nginx.restarts_itself);
        assert_eq!(nginx.control_group, "/system.slice/nginx.service");
        assert_eq!(masked.load, Load::Masked);
        assert_eq!(unknown.load, Load::NotFound);
        assert_eq!(unknown.words(), "inactive (dead)");
        assert_eq!(exited.words(), "failed");
        assert_eq!(exited.end.result, "exit-code");
        assert_eq!(exited.end.main, Some(MainEnd::Exited(3)));
        assert_eq!(socket.triggered_by, ["t-sock.socket"]);
        let said = "Unit t-bad.service has a bad unit file setting.";
        assert_eq!(bad.load, Load::Broken(said.into()));
        assert_eq!(remains.words(), "active (exited)");
        assert_eq!(remains.main_pid, None);
        assert!(!remains.ends_at_once);
    }

    #[test]
    fn what_is_between_two_states_is_in_transition() {
        let shown = |active: &str, job: &str| {
            let block =
                format!("Id=a.service\nLoadState=loaded\nActiveState={active}\nJob={job}\n");
            parse(&block, 1).unwrap().remove(0)
        };
        for (active, job, expected) in [
            ("active", "", false),
            ("active", "7", false), // a restart that waits for its turn: it still runs
            ("reloading", "7", false),
            ("activating", "7", true),
            ("activating", "", true), // auto-restart
            ("deactivating", "", true),
            ("inactive", "", false),
            ("inactive", "7", true), // the second half of a restart
            ("failed", "7", true),
            ("maintenance", "", true),
        ] {
            assert_eq!(
                shown(active, job).in_transition(),
                expected,
                "{active} {job}"
            );
        }
    }

    #[test]
    fn what_only_systemd_may_start_or_stop_is_no_service_for_a_pair() {
        let shown = |more: &str| {
            let block = format!("Id=a.service\nLoadState=loaded\nActiveState=inactive\n{more}\n");
            parse(&block, 1).unwrap().remove(0)
        };
        assert_eq!(
            unfit(&shown("RefuseManualStart=no\nRefuseManualStop=no"), true),
            None
        );
        let why = unfit(&shown("RefuseManualStart=yes"), false).unwrap();
        assert!(why.starts_with("a.service refuses to be started"), "{why}");
        let stuck = shown("RefuseManualStop=yes");
        assert_eq!(
            unfit(&stuck, false),
            None,
            "on both nodes it is never stopped"
        );
        let why = unfit(&stuck, true).unwrap();
        assert!(why.contains("(RefuseManualStop=yes in its unit file): systemctl edit a.service"));
    }

    #[test]
    fn another_number_of_units_or_another_text_is_no_answer() {
        assert_eq!(parse(SHOWN, 6), None);
        assert_eq!(parse("", 1), None);
        assert_eq!(
            parse("Failed to get properties: Connection reset by peer", 1),
            None
        );
        assert_eq!(parse("Id=a.service\nActiveState=active", 1), None);
    }
}
