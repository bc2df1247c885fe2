//! What went wrong with a unit, in an operator's words: what, why, and what to do.

use super::Seen;
use super::state::{Active, End, Load, MainEnd, UnitState};
use super::systemctl::last_words;

/// Why a unit cannot be started at all.
pub(super) fn unstartable(unit: &UnitState) -> Option<String> {
    let id = &unit.id;
    let why = match &unit.load {
        Load::NotFound => {
            format!("{id} is not installed: install it, or correct the name in ha.toml")
        }
        Load::Masked => format!("{id} is masked: systemctl unmask {id}"),
        Load::Broken(said) => {
            format!(
                "{id} has a unit file that systemd refuses: {said}: systemd-analyze verify {id}"
            )
        }
        Load::Loaded if unit.refuses_start => format!(
            "{id} refuses to be started by anybody but systemd (RefuseManualStart=yes in its unit file): \
             systemctl edit {id}"
        ),
        Load::Loaded if unit.ends_at_once => format!(
            "{id} ends at once: there is nothing to keep running. A unit of Type=oneshot needs \
             RemainAfterExit=yes"
        ),
        Load::Loaded => return None,
    };
    Some(why)
}

/// Why a unit cannot be kept running by somebody who starts it, and, unless it runs on both nodes, stops it.
pub fn unfit(unit: &UnitState, stops: bool) -> Option<String> {
    let id = &unit.id;
    let stuck = stops && unit.refuses_stop;
    unstartable(unit).or_else(|| {
        stuck.then(|| {
            format!(
                "{id} refuses to be stopped by anybody but systemd (RefuseManualStop=yes in its unit file): \
                 systemctl edit {id}"
            )
        })
    })
}

/// Why a service that ran does not any more.
pub async fn loss(seen: &Seen) -> String {
    let unit = &seen.unit;
    let id = &unit.id;
    if let Some(why) = unstartable(unit) {
        return why;
    }
    match unit.active {
        // Its own end, be it a success: a service must go on.
        Active::Inactive if unit.end.result == "success" => {
            format!("{id} was stopped, or ended by itself without an error")
        }
        // Still on the way down: systemd has not said yet how it ended.
        Active::Deactivating if unit.end.result == "success" => format!("{id} died"),
        Active::Inactive | Active::Failed | Active::Deactivating => {
            format!("{id} died: {}", with_last_words(unit).await)
        }
        Active::Activating | Active::Active => {
            format!("{id} is {} and does not get on", unit.words())
        }
    }
}

/// How a unit is; of one that failed, how it ended too.
pub fn standing(unit: &UnitState) -> String {
    match unit.active {
        Active::Failed => format!("{}: {}", unit.words(), end(&unit.end)),
        _ => unit.words(),
    }
}

/// How it ended, and what the program said last.
pub(super) async fn with_last_words(unit: &UnitState) -> String {
    let end = end(&unit.end);
    // It did not see it come: what stands there last is of whatever else the unit ran.
    if unit.end.result == "oom-kill" {
        return end;
    }
    match last_words(unit).await {
        said if said.is_empty() => end,
        said => format!("{end}: {said}"),
    }
}

/// See systemd.exec(5), `$SERVICE_RESULT` and "process exit codes".
fn end(end: &End) -> String {
    match (end.result.as_str(), end.main) {
        ("success", _) => "ended without an error".into(),
        ("exit-code", Some(MainEnd::Exited(203))) => {
            "its program is missing or cannot be executed".into()
        }
        ("exit-code", Some(MainEnd::Exited(status))) => format!("exit status {status}"),
        ("exit-code", _) => "a program of its start failed".into(),
        ("signal" | "core-dump", Some(MainEnd::Killed(signal))) => {
            format!("killed by {}", signal_name(signal))
        }
        ("signal" | "core-dump", _) => "killed by a signal".into(),
        ("timeout", _) => {
            "systemd gave up waiting for it (TimeoutStartSec=, TimeoutStopSec=)".into()
        }
        ("protocol", _) => "it ended without saying that it is ready, as its Type= demands".into(),
        ("oom-kill", _) => "killed for lack of memory".into(),
        ("watchdog", _) => "it hung: its watchdog ran out".into(),
        ("start-limit-hit", _) => "systemd refuses to start it so often".into(),
        ("resources", _) => "systemd could not prepare it: see journalctl".into(),
        (other, _) => other.into(),
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGHUP => "SIGHUP",
        libc::SIGILL => "SIGILL",
        libc::SIGINT => "SIGINT",
        libc::SIGKILL => "SIGKILL",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGTERM => "SIGTERM",
        other => return format!("signal {other}"),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_unit_that_failed_it_is_told_how() {
        let standing = |active: &str, sub: &str| {
            let block = format!(
                "Id=a.service\nLoadState=loaded\nActiveState={active}\nSubState={sub}\nResult=signal\n\
                 ExecMainCode=2\nExecMainStatus=9"
            );
            let units = super::super::state::parse(&block, 1).unwrap();
            super::standing(&units[0])
        };
        assert_eq!(standing("failed", "failed"), "failed: killed by SIGKILL");
        assert_eq!(standing("active", "running"), "active (running)");
    }

    #[test]
    fn an_end_is_told_in_words() {
        let told = |result: &str, main| {
            end(&End {
                result: result.into(),
                main,
            })
        };
        assert_eq!(
            told("signal", Some(MainEnd::Killed(9))),
            "killed by SIGKILL"
        );
        assert_eq!(
            told("core-dump", Some(MainEnd::Killed(34))),
            "killed by signal 34"
        );
        assert_eq!(told("exit-code", Some(MainEnd::Exited(3))), "exit status 3");
        assert_eq!(told("exit-code", None), "a program of its start failed");
        assert_eq!(told("something-new", None), "something-new");
    }
}
