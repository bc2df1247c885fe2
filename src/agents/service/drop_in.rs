//! The drop-ins that put units under this program's control until the next boot.
//!
//! They say in `systemctl status` who is in charge, keep systemd from restarting what is restarted
//! here, and order the shutdown: a unit is stopped after the appliance, which hands over first.

use super::Patience;
use super::state::{Load, UnitState};
use super::systemctl::{daemon_reload, show};
use crate::sys;
use smol::future::{FutureExt, pending};
use smol::{Async, Timer};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where systemd looks for what is to last until the next boot.
pub const DIR: &str = "/run/systemd/system";

/// Last in the alphabet, so that it wins over an operator's own.
const NAME: &str = "zz-ha-appliance.conf";

/// Shipped with the daemon's own unit, which comes after it and says why.
const TARGET: &str = "ha-appliance-services.target";

/// Shipped too; it takes down what services keep their data on.
const STORAGE: &str = "ha-appliance-storage.service";

/// What follows a unit's own description.
const MARK: &str = " (Cluster Controlled: ha-appliance)";

/// How far a unit is controlled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It is started, restarted and stopped here.
    Full,
    /// It runs on both nodes and is only watched; systemd may restart it.
    Watched,
    /// It is systemd's view of a mount: nothing of it is changed, and at shutdown it ends after the appliance.
    Ordered,
}

/// Some drop-in of this program is there.
pub fn any(dir: &Path) -> bool {
    present(dir).is_ok_and(|present| !present.is_empty())
}

/// Gives these units, and no others, a drop-in, and has systemd read them if any changed or
/// `reload` says that it still has to. Errors name the file. Operations wait for
/// this.
pub async fn apply(dir: &Path, units: &[(String, Control)], reload: bool) -> Result<(), String> {
    let soon = Patience::silent(SHOW);
    let all: Vec<&str> = units.iter().map(|(unit, _)| unit.as_str()).collect();
    let names: Vec<&str> = with_file(units).map(|(unit, _)| unit.as_str()).collect();
    let states = match names.is_empty() {
        true => Vec::new(),
        false => show(&names, &soon).await.map_err(|e| e.to_string())?,
    };
    let wanted = with_file(units).zip(&states);
    let mut wanted: BTreeMap<String, String> = wanted
        .map(|((unit, control), state)| (unit.clone(), text(state, *control)))
        .collect();
    if !all.is_empty() {
        wanted.insert(TARGET.into(), memory(&all));
    }
    match write(dir, &wanted)? || reload {
        true => daemon_reload(&Patience::silent(RELOAD)).await,
        false => Ok(()),
    }
}

/// A drop-in of a unit without a file of its own would not be read: what comes after it says so instead.
fn with_file(units: &[(String, Control)]) -> impl Iterator<Item = &(String, Control)> {
    units
        .iter()
        .filter(|(_, control)| *control != Control::Ordered)
}

/// Enough for a second, longer try.
const SHOW: Duration = Duration::from_secs(10);
/// With many units and generators, or on a slow machine, systemd takes many seconds to read them all. Operations wait
/// for that no longer than they themselves say.
const RELOAD: Duration = Duration::from_secs(30);

/// Waits until one of these units has none any more, and says which. What is told of files is only a hint to
/// look, and now and then it looks anyway.
pub async fn removed(dir: &Path, units: &[(String, Control)]) -> String {
    let folders = with_file(units).map(|(unit, _)| dir.join(format!("{unit}.d")));
    let folders: Vec<PathBuf> = folders.chain([dir.to_owned()]).collect();
    loop {
        let hints = sys::inotify(&folders).and_then(Async::new_nonblocking);
        // After the hints were opened: what happens between is told, or seen.
        let missing = with_file(units).find(|(unit, _)| !path(dir, unit).exists());
        if let Some((unit, _)) = missing {
            return unit.clone();
        }
        let hint = async {
            match &hints {
                Ok(hints) => drop(hints.readable().await),
                Err(_) => pending().await,
            }
        };
        let rest = async {
            Timer::after(ROUND).await;
        };
        hint.or(rest).await;
    }
}

/// How often it is looked at without a hint.
const ROUND: Duration = Duration::from_secs(30);

/// A drop-in's text. A unit that is not there (yet) has no description to keep.
fn text(unit: &UnitState, control: Control) -> String {
    let description = match unit.load {
        Load::Loaded => format!(
            "Description={}{MARK}\n",
            own(&unit.description).replace('%', "%%")
        ),
        _ => String::new(),
    };
    let restart = match control {
        Control::Full => {
            "\n[Service]\n# Restarted by ha-appliance, or started on the other node.\nRestart=no\n"
        }
        Control::Watched | Control::Ordered => "",
    };
    format!(
        "# Written by ha-appliance; gone at the next boot.\n\
         [Unit]\n\
         {description}\
         # At shutdown ha-appliance stops first and hands over; DRBD and mounts go last.\n\
         Before={TARGET}\n\
         After={STORAGE}\n\
         {restart}"
    )
}

/// systemd forgets how a unit ended as soon as no other names it, and with that whether it was stopped or
/// died: so one that is always there names them all. It comes after them, and so the order holds for mounts too,
/// whose units systemd makes when it sees them.
fn memory(units: &[&str]) -> String {
    let lines = units.iter().map(|unit| format!("After={unit}\n"));
    let lines: String = lines.collect();
    format!("# Written by ha-appliance; gone at the next boot.\n[Unit]\n{lines}")
}

/// The description without what an earlier drop-in added.
fn own(description: &str) -> &str {
    description.strip_suffix(MARK).unwrap_or(description)
}

/// True if any file changed.
fn write(dir: &Path, wanted: &BTreeMap<String, String>) -> Result<bool, String> {
    let mut changed = false;
    for (unit, text) in wanted {
        let path = path(dir, unit);
        if fs::read_to_string(&path).is_ok_and(|old| old == *text) {
            continue;
        }
        put(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        changed = true;
    }
    let present = present(dir).map_err(|e| format!("cannot read {}: {e}", dir.display()))?;
    for unit in present.iter().filter(|unit| !wanted.contains_key(*unit)) {
        let path = path(dir, unit);
        fs::remove_file(&path).map_err(|e| format!("cannot remove {}: {e}", path.display()))?;
        // Others may have drop-ins of their own there.
        let _ = fs::remove_dir(path.with_file_name(""));
        changed = true;
    }
    Ok(changed)
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    let dir = path.with_file_name("");
    if !dir.is_dir() {
        fs::create_dir_all(&dir)?;
        fs::set_permissions(&dir, Permissions::from_mode(0o755))?;
    }
    // Whole or not at all: somebody else's daemon-reload may come in between. Everybody may `systemctl
    // cat` it, whatever the umask is.
    let temporary = path.with_extension("new");
    fs::write(&temporary, text)?;
    fs::set_permissions(&temporary, Permissions::from_mode(0o644))?;
    fs::rename(&temporary, path)
}

/// The units that have a drop-in of this program.
fn present(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let units = names.filter_map(|name| Some(name.strip_suffix(".d")?.to_string()));
    Ok(units.filter(|unit| path(dir, unit).exists()).collect())
}

fn path(dir: &Path, unit: &str) -> PathBuf {
    dir.join(format!("{unit}.d")).join(NAME)
}

#[cfg(test)]
mod tests {
    use super::super::state::parse;
    use super::*;
    use crate::testing::TestDir;

    fn unit(load: &str, description: &str) -> UnitState {
        let block = format!(
            "Id=a.service\nLoadState={load}\nActiveState=inactive\nDescription={description}"
        );
        parse(&block, 1).unwrap().remove(0)
    }

    #[test]
    fn a_controlled_unit_says_so_and_is_not_restarted_by_systemd() {
        assert_eq!(
            text(&unit("loaded", "A 100% good server"), Control::Full),
            "# Written by ha-appliance; gone at the next boot.\n\
             [Unit]\n\
             Description=A 100%% good server (Cluster Controlled: ha-appliance)\n\
             # At shutdown ha-appliance stops first and hands over; DRBD and mounts go last.\n\
             Before=ha-appliance-services.target\n\
             After=ha-appliance-storage.service\n\
             \n\
             [Service]\n\
             # Restarted by ha-appliance, or started on the other node.\n\
             Restart=no\n"
        );
    }

    #[test]
    fn the_target_names_them_all() {
        assert_eq!(
            memory(&["a.service", "b.service"]),
            "# Written by ha-appliance; gone at the next boot.\n[Unit]\nAfter=a.service\nAfter=b.service\n"
        );
    }

    #[test]
    fn a_watched_unit_keeps_its_restart() {
        let text = text(&unit("loaded", "A server"), Control::Watched);
        assert!(text.contains("Before=ha-appliance-services.target"));
        assert!(!text.contains("Restart"));
    }

    #[test]
    fn whoever_removes_one_is_noticed() {
        let dir = TestDir::new();
        let units = ["a.service", "b.service"].map(|unit| (unit.to_string(), Control::Full));
        let wanted: BTreeMap<String, String> = (units.iter())
            .map(|(unit, _)| (unit.clone(), String::new()))
            .collect();
        for remove in [
            |dir: &Path| fs::remove_file(path(dir, "b.service")).unwrap(),
            |dir: &Path| fs::remove_dir_all(dir.join("b.service.d")).unwrap(),
        ] {
            write(&dir, &wanted).unwrap();
            let removed = async { Some(removed(&dir, &units).await) };
            let quiet = async {
                Timer::after(Duration::from_millis(50)).await;
                None
            };
            assert_eq!(smol::block_on(removed.or(quiet)), None);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(50));
                    remove(&dir);
                });
                let removed = super::removed(&dir, &units);
                assert_eq!(smol::block_on(removed), "b.service");
            });
        }
    }

    #[test]
    fn the_mark_is_added_once_and_not_to_what_is_not_there() {
        let marked = unit("loaded", "A server (Cluster Controlled: ha-appliance)");
        assert!(
            text(&marked, Control::Full)
                .contains("Description=A server (Cluster Controlled: ha-appliance)\n")
        );
        assert!(!text(&unit("not-found", "a.service"), Control::Full).contains("Description"));
    }

    #[test]
    fn files_follow_the_configuration_and_are_written_only_if_they_differ() {
        let dir = TestDir::new();
        let wanted = |units: &[&str]| -> BTreeMap<String, String> {
            units
                .iter()
                .map(|u| (u.to_string(), format!("# {u}\n")))
                .collect()
        };
        fs::create_dir_all(dir.join("b.service.d")).unwrap();
        fs::write(dir.join("b.service.d/mine.conf"), "").unwrap();
        assert!(!any(&dir));
        assert_eq!(write(&dir, &wanted(&["a.service", "b.service"])), Ok(true));
        assert!(any(&dir));
        assert_eq!(
            fs::read_to_string(path(&dir, "a.service")).unwrap(),
            "# a.service\n"
        );
        assert_eq!(write(&dir, &wanted(&["a.service", "b.service"])), Ok(false));
        assert_eq!(write(&dir, &wanted(&[])), Ok(true));
        assert!(!any(&dir));
        assert!(!dir.join("a.service.d").exists());
        assert!(
            dir.join("b.service.d/mine.conf").exists(),
            "an operator's own file"
        );
    }
}
